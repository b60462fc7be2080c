package survival

import (
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Take is the data of some cases of a timed outcome, with the names of its
// causes: the events that occur among all cases, and effect.EventReached, in
// alphabetical order, so that every cell of an outcome has the same. Person is
// the cases' column. Weight goes with rows, as the comparators' weights of an
// effect.Expectation do with its Out; nil gives every case the weight 1. Cases
// without a time are left out. It is a *effect.Refusal where the outcome is not
// timed or the weights are not as many as the rows.
func Take(r *effect.Result, person, rows []int32, weight []float64) (Data, []string, error) {
	if r.Days == nil || weight != nil && len(weight) != len(rows) {
		return Data{}, nil, &effect.Refusal{Code: RefusalLengths, Why: "the outcome has no times, or the weights are not as many as the cases", Cure: "take a timed outcome and a weight for every case"}
	}
	names := append(slices.Clone(r.Event.Levels), effect.EventReached)
	slices.Sort(names)
	names = slices.Compact(names)
	causes := make([]uint8, len(r.Event.Levels))
	for code, name := range r.Event.Levels {
		k, _ := slices.BinarySearch(names, name)
		causes[code] = uint8(min(k+1, MaxCauses+1)) // too many are refused later
	}
	d := Data{Causes: len(names)}
	for k, i := range rows {
		if r.Days[i] == effect.NoTime {
			continue
		}
		cause := uint8(0)
		if len(r.Event.Codes) > 0 && r.Event.Codes[i] >= 0 {
			cause = causes[r.Event.Codes[i]]
		}
		d.Days, d.Cause, d.Person = append(d.Days, r.Days[i]), append(d.Cause, cause), append(d.Person, person[i])
		if weight != nil {
			d.Weight = append(d.Weight, weight[k])
		}
	}
	return d, names, nil
}

// Row is one cause of a cell's exits by one day. It is a row of the table of
// curves.
type Row struct {
	Outcome string `col:"outcome" doc:"outcome"`
	effect.Cell
	Cause    string  `col:"cause" doc:"how the time ended"`
	Day      int64   `col:"day" doc:"days since the clock"`
	AtRisk   float64 `col:"at_risk" doc:"cases not gone before the day and still followed (their weight, where cases are weighted)"`
	Events   float64 `col:"events" doc:"exits by the cause up to and with the day (their weight, where cases are weighted)"`
	Estimate float64 `col:"estimate" doc:"cumulative incidence: chance of having left by the cause at the end of the day, competing causes taken into account; null past the follow-up"`
	SE       float64 `col:"standard_error" doc:"standard error of the estimate, by persons"`
	Low      float64 `col:"low" doc:"lower limit of the interval; null where the estimate is 0 or 1, or nothing varies"`
	High     float64 `col:"high" doc:"upper limit of the interval; null where the estimate is 0 or 1, or nothing varies"`
}

// Rows is the Aalen-Johansen curve of one cell at declared days: for each cause
// in the order of its number (causes[0] names cause 1) one row a day, in the
// order given. Figures are rounded to nine significant digits. It is a
// *effect.Refusal where AalenJohansen is, or where the names are not as many as
// the causes. With no days there are no rows; a day before 0 or past the
// follow-up has a row without figures.
func Rows(outcome string, cell effect.Cell, causes []string, d Data, days []int32, o Options) ([]Row, error) {
	if len(causes) != d.Causes {
		return nil, &effect.Refusal{Code: RefusalCause, Why: "the causes have more or fewer names than there are causes", Cure: "name every cause once"}
	}
	c, err := AalenJohansen(d, o)
	if err != nil {
		return nil, err
	}
	out := make([]Row, 0, len(causes)*len(days))
	for k, name := range causes {
		for _, day := range days {
			events := 0.0
			for _, s := range c.Steps {
				if s.Day <= day {
					events += s.Events[k]
				}
			}
			f := c.At(k+1, day)
			out = append(out, Row{
				Outcome: outcome, Cell: cell, Cause: name, Day: int64(day),
				AtRisk: effect.Round(c.AtRisk(day)), Events: effect.Round(events),
				Estimate: effect.Round(f.Value), SE: effect.Round(f.SE), Low: effect.Round(f.Low), High: effect.Round(f.High),
			})
		}
	}
	return out, nil
}

// Every lists the days step, 2 step, ... before the window's last day, and that
// day itself. It is empty for a step or window under 1.
func Every(step, window int32) []int32 {
	var out []int32
	if step < 1 {
		return nil
	}
	for day := int64(step); day < int64(window); day += int64(step) {
		out = append(out, int32(day))
	}
	if window >= 1 {
		out = append(out, window)
	}
	return out
}
