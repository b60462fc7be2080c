package survival

import (
	"github.com/jobeffekt/jobeffekt/effect"
)

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
