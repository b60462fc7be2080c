package beforeafter

import (
	"fmt"
	"math"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// The kinds of rows that are no averages.
const (
	KindGroupTime Kind = "group_time" // one group in one period
	KindPreTrend  Kind = "pre_trend"  // the test that all effects before the change are 0
)

// DifferenceRow is one figure of [Differences] as a row of the table before_after.
type DifferenceRow struct {
	Kind       Kind           `col:"kind" doc:"group_time: one group in one period; simple, event, group, calendar: averages from the change on (event: by periods since it, also before); pre_trend: the test that all effects before the change are 0"`
	Overall    bool           `col:"overall" doc:"one figure for all of its kind"`
	Group      string         `col:"group" doc:"first period with the change, of the units that the row is about; null for all of them"`
	Period     string         `col:"period" doc:"period; null for more than one"`
	Base       string         `col:"base" doc:"period that it is compared with"`
	EventTime  float64        `col:"event_time" doc:"periods since the change, negative before it; null where the row is not about one"`
	Effect     float64        `col:"effect" doc:"how much more the units with the change moved than those without; of pre_trend the largest in size before the change"`
	SE         float64        `col:"standard_error" doc:"from the influence functions of the units"`
	DF         float64        `col:"df" doc:"Satterthwaite degrees of freedom of the interval; of pre_trend the rank of the covariance"`
	Low        float64        `col:"low" doc:"lower limit of the interval"`
	High       float64        `col:"high" doc:"upper limit of the interval"`
	BandLow    float64        `col:"band_low" doc:"lower limit of a band that holds for all event times at once, by Bonferroni"`
	BandHigh   float64        `col:"band_high" doc:"upper limit of that band"`
	Confidence float64        `col:"confidence" doc:"confidence of interval and band"`
	Verdict    effect.Verdict `col:"verdict" doc:"of averages from the change on: higher_made_probable, lower_made_probable, no_difference_shown or not_rated; overall ones by their interval, event times by the band. Null for others, which only describe"`
	Statistic  float64        `col:"statistic" doc:"pre_trend: Wald statistic"`
	P          float64        `col:"p" doc:"pre_trend: its p-value by the chi-square distribution, which holds with many units only"`
	PFew       float64        `col:"p_few_units" doc:"pre_trend: its p-value with allowance for few units; null where they are too few for so many effects. A large one proves nothing"`
	Treated    int64          `col:"units_with" doc:"units with the change"`
	Controls   int64          `col:"units_without" doc:"units that these are compared with; 0 for averages"`
	Cells      int64          `col:"effects" doc:"effects that are averaged or tested; 1 for group_time"`
	Left       int64          `col:"effects_left_out" doc:"effects of its kind that were refused"`
	Propensity float64        `col:"max_propensity" doc:"largest fitted probability of being in the group"`
	Refusal    string         `col:"refusal" doc:"why there is no figure (a code), or moved_apart_before: no verdict, because the units did not move alike before the change; empty where there is"`
	Why        string         `col:"why" doc:"the refusal in words"`
}

// NoFigure is a row without figures, which says why.
func NoFigure(k Kind, code, why string) DifferenceRow {
	nan := math.NaN()
	return DifferenceRow{
		Kind: k, EventTime: nan, Effect: nan, SE: nan, DF: nan, Low: nan, High: nan, BandLow: nan, BandHigh: nan, Confidence: nan,
		Verdict: effect.NotRated, Statistic: nan, P: nan, PFew: nan, Propensity: nan, Refusal: code, Why: why,
	}
}

// Rows are the figures as rows: groups by time, averages, the test. Numbers are
// rounded to nine digits.
func (d *Differences) Rows(c Calendar) []DifferenceRow {
	nan := math.NaN()
	row := func(k Kind, f Figure) DifferenceRow {
		r := NoFigure(k, "", "")
		r.Effect, r.SE, r.DF, r.Low, r.High = effect.Round(f.Effect), effect.Round(f.SE), effect.Round(f.DF), effect.Round(f.Low), effect.Round(f.High)
		r.Confidence, r.Verdict = d.Confidence, ""
		if f.Refusal != nil {
			r.Refusal, r.Why = f.Refusal.Code, f.Refusal.Why
		}
		return r
	}
	var out []DifferenceRow
	for _, g := range d.Effects {
		r := row(KindGroupTime, g.Figure)
		r.Group, r.Period, r.Base, r.EventTime = c.Label(g.Group), c.Label(g.Period), c.Label(g.Base), float64(g.Period-g.Group)
		r.Treated, r.Controls, r.Cells, r.Propensity = int64(g.Treated), int64(g.Controls), 1, effect.Round(g.Propensity)
		if g.Post() && g.Figure.Refusal != nil {
			r.Verdict = effect.NotRated
		}
		out = append(out, r)
	}
	for _, a := range d.Averages {
		r := row(a.Kind, a.Figure)
		r.Overall, r.Treated, r.Cells, r.Left = a.Overall, int64(a.Treated), int64(a.Cells), int64(a.Left)
		r.BandLow, r.BandHigh = effect.Round(a.BandLow), effect.Round(a.BandHigh)
		if !a.Overall {
			switch a.Kind {
			case Event:
				r.EventTime = float64(a.At)
			case ByGroup:
				r.Group = c.Label(a.At)
			case ByPeriod:
				r.Period = c.Label(a.At)
			}
		}
		if a.Overall || a.Kind == Event && a.At >= 0 {
			r.Verdict = d.Verdict(a)
		}
		if r.Verdict == effect.NotRated && r.Refusal == "" {
			r.Refusal, r.Why = RefusalMovedApart, "the units did not move alike before the change"
		}
		out = append(out, r)
	}
	t := d.PreTrend
	r := row(KindPreTrend, Figure{Effect: t.Largest, SE: nan, DF: float64(t.DF), Low: nan, High: nan, Refusal: t.Refusal})
	r.Overall, r.Cells, r.Confidence = true, int64(t.Cells), nan
	r.Statistic, r.P, r.PFew = effect.Round(t.Statistic), effect.Round(t.P), effect.Round(t.PFew)
	return append(out, r)
}

// Verdict is what may be told of an average from the change on: of an overall one
// by its interval, of one event time by the band that holds for all of them, since
// among many some would be made probable by chance. Where the test of the time
// before the change rejects at 1 - confidence nothing is rated: then the units moved
// apart without the change.
func (d *Differences) Verdict(a Average) effect.Verdict {
	low, high := a.Low, a.High
	if !a.Overall {
		low, high = a.BandLow, a.BandHigh
	}
	switch {
	case a.Figure.Refusal != nil, d.movedApart():
		return effect.NotRated
	case low > 0:
		return effect.Higher
	case high < 0:
		return effect.Lower
	}
	return effect.NoDifference
}

// movedApart says whether the test of the time before the change rejects.
func (d *Differences) movedApart() bool {
	return d.PreTrend.Refusal == nil && d.PreTrend.PFew < 1-d.Confidence
}

// Words say what was found, a sentence each, for a reader of the table; shares
// and portions in percentage points.
func (d *Differences) Words(c Calendar, u effect.Unit) []string {
	treated := 0
	for _, g := range d.Groups {
		if g.Group <= d.Last {
			treated += g.Units
		}
	}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	add("Units with the change: %d; compared with: %d; up to %s.", treated, d.Units-treated, c.Label(d.Last))
	for _, a := range d.Averages {
		if a.Kind != Simple {
			continue
		}
		if a.Refusal != nil {
			add("There is no estimate: %s.", d.why())
			break
		}
		verdict := strings.ReplaceAll(string(d.Verdict(a)), "_", " ")
		add("From the change on the outcome was %s %s than without it (%g %% interval %s): %s.",
			amount(math.Abs(a.Effect), u), map[bool]string{true: "higher", false: "lower"}[a.Effect >= 0], 100*d.Confidence, span(a.Low, a.High, u), verdict)
		if a.Left > 0 {
			add("%d of %d effects by group and period are left out; their rows say why.", a.Left, a.Left+a.Cells)
		}
	}
	switch t := d.PreTrend; {
	case d.Averages[0].Refusal != nil:
	case t.Refusal != nil:
		add("Whether the units moved alike before the change cannot be told: %s.", t.Refusal.Why)
	case math.IsNaN(t.PFew):
		add("Whether the units moved alike before the change cannot be tested: they are too few for %d effects before it.", t.DF)
	case d.movedApart():
		add("They did not move alike before the change (p = %s, %d effects), so that the estimate is not to be trusted.", number(t.PFew), t.DF)
	default:
		add("The test of the time before the change finds no difference (p = %s, %d effects). A test that finds nothing proves nothing.", number(t.PFew), t.DF)
	}
	if n := len(d.Early); n > 0 {
		add("Units without a period before their change, which are left out: %s.", names(d.Early))
	}
	for _, w := range d.Warnings {
		switch w {
		case "last_group_is_control":
			add("Every unit changes at some time: the last to change are compared with only, and periods from their change on are left out.")
		case "covariates_determined":
			add("A covariate is the same for all units, or determined by the others, and adjusts for nothing there.")
		}
	}
	return out
}

// why is the first reason for a refused effect.
func (d *Differences) why() string {
	for _, g := range d.Effects {
		if g.Refusal != nil && g.Post() {
			return g.Refusal.Why + " (" + g.Refusal.Cure + ")"
		}
	}
	return "nothing lies after the change"
}

// number writes a figure with four digits.
func number(v float64) string { return fmt.Sprintf("%.4g", v) }

// bare writes a difference without its unit, and says which that is.
func bare(v float64, u effect.Unit) (text, unit string) {
	switch u {
	case effect.UnitShare, effect.UnitPortion:
		return fmt.Sprintf("%.1f", 100*v), " points"
	case effect.UnitNumber, "":
		return number(v), ""
	}
	return number(v), " " + string(u)
}

// amount writes a difference in its unit, and span a range of differences.
func amount(v float64, u effect.Unit) string {
	text, unit := bare(v, u)
	return text + unit
}

func span(low, high float64, u effect.Unit) string {
	if math.IsNaN(low) {
		return "none can be told"
	}
	text, _ := bare(low, u)
	return text + " to " + amount(high, u)
}

// names lists the first few of many names.
func names(all []string) string {
	if n := len(all); n > 10 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:10], ", "), n-10)
	}
	return strings.Join(all, ", ")
}

// Words say what was found, a sentence for each unit with the change; shares and
// portions in percentage points.
func (s *SyntheticControls) Words(c Calendar, m effect.Unit) []string {
	var out []string
	for _, u := range s.Units {
		if u.Refusal != "" {
			out = append(out, fmt.Sprintf("%s has no synthetic control: %s (%s).", u.Unit, u.Why, u.Cure))
			continue
		}
		likely := "a gap that few units without the change show"
		if u.P > 1-u.Confidence {
			likely = "not unusual enough to be told from chance"
		}
		out = append(out, fmt.Sprintf("From %s on the outcome of %s was %s %s than that of its synthetic control (%s without one of its donors). It ranks %d of %d by how much worse the two fit after the change than before (p = %s): %s.",
			c.Label(int(u.Since)), u.Unit, amount(math.Abs(u.ATT), m), map[bool]string{true: "higher", false: "lower"}[u.ATT >= 0], span(u.WithoutLow, u.WithoutHigh, m), u.Rank, u.Ranked, number(u.P), likely))
	}
	return out
}
