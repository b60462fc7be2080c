package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// BeforeAfter asks to compare municipalities before and after a change with
// municipalities without it.
type BeforeAfter struct {
	Outcomes      []string               `yaml:"outcomes" doc:"outcomes that are compared: the mean over a municipality's cases of a period"`
	Since         map[string]effect.Date `yaml:"since" doc:"municipality: day of the change, as of the tender; the period it lies in is the first with the change"`
	Methods       []BeforeAfterMethod    `yaml:"methods,omitempty" doc:"did (if left out): difference-in-differences by group and time; synthetic: a synthetic control for each municipality with the change"`
	Periods       PeriodLength           `yaml:"periods,omitempty" doc:"periods of referral: months, quarters (if left out), half_years or years"`
	From          *effect.Date           `yaml:"from,omitempty" doc:"first day that is compared; left out: the cohort's first day"`
	MatchScheme   string                 `yaml:"match_scheme,omitempty" doc:"match scheme compared; left out: each on its own"`
	MatchGroups   []string               `yaml:"match_groups,omitempty" doc:"match groups compared, each on its own; left out: all"`
	Controls      beforeafter.Controls   `yaml:"controls,omitempty" doc:"did: compare with municipalities that never change (if left out) or with those that have not changed yet too (not_yet)"`
	Base          beforeafter.Base       `yaml:"base,omitempty" doc:"did: a period before the change is compared with the one before it (varying, if left out) or with the last before the change (universal)"`
	Anticipation  int                    `yaml:"anticipation,omitempty" doc:"did: periods before the change in which it may show already; left out: 0"`
	Conditions    []string               `yaml:"conditions,omitempty" doc:"did: framework conditions that are adjusted for: numeric columns of municipalities; left out: none"`
	Year          int                    `yaml:"year,omitempty" doc:"year of the framework conditions, before every change"`
	Among         []string               `yaml:"among,omitempty" doc:"municipalities that may be compared with; left out: all without the change"`
	Exclude       []string               `yaml:"exclude,omitempty" doc:"municipalities that may not be compared with"`
	MinCases      int                    `yaml:"min_cases,omitempty" doc:"cases with a complete window that a municipality needs in every period; left out: 10"`
	MinBefore     int                    `yaml:"min_before,omitempty" doc:"periods before the change that are needed; left out: 4"`
	MinUnits      int                    `yaml:"min_municipalities,omitempty" doc:"did: municipalities that must change in the same period, and that these are compared with; left out: 5"`
	RegistersFrom *effect.Date           `yaml:"registers_from,omitempty" doc:"first day that the registers tell of; left out: told from the outcomes, as far as these show it"`
}

// BeforeAfterMethod is a way to compare before and after.
type BeforeAfterMethod string

// The ways to compare before and after.
const (
	MethodDiD       BeforeAfterMethod = "did"
	MethodSynthetic BeforeAfterMethod = "synthetic"
)

// Names lists the ways.
func (BeforeAfterMethod) Names() []string {
	return []string{string(MethodDiD), string(MethodSynthetic)}
}

// PeriodLength is the length of the periods that are compared.
type PeriodLength string

// The lengths.
const (
	PeriodMonths    PeriodLength = "months"
	PeriodQuarters  PeriodLength = "quarters"
	PeriodHalfYears PeriodLength = "half_years"
	PeriodYears     PeriodLength = "years"
)

// Names lists the lengths.
func (PeriodLength) Names() []string {
	return []string{string(PeriodMonths), string(PeriodQuarters), string(PeriodHalfYears), string(PeriodYears)}
}

func (p PeriodLength) calendar() beforeafter.Calendar {
	switch p {
	case PeriodMonths:
		return beforeafter.Months
	case PeriodHalfYears:
		return beforeafter.HalfYears
	case PeriodYears:
		return beforeafter.Years
	}
	return beforeafter.Quarters
}

// checkBeforeAfter finds what cannot be compared whatever the data are.
func (c *Config) checkBeforeAfter(fault func(path, format string, args ...any)) {
	b := c.BeforeAfter
	if b == nil {
		return
	}
	names := c.outcomeNames()
	if len(b.Outcomes) == 0 || len(b.Since) == 0 {
		fault("before_after", "name the outcomes that are compared, and since when each municipality has the change")
	}
	for i, name := range b.Outcomes {
		if !slices.Contains(names, name) {
			fault(fmt.Sprintf("before_after.outcomes[%d]", i), "there is no outcome %q%s", name, strict.Suggest(name, names))
		}
	}
	twice(fault, "before_after.outcomes", b.Outcomes)
	twice(fault, "before_after.conditions", b.Conditions)
	if (len(b.Conditions) > 0) != (b.Year != 0) {
		fault("before_after", "framework conditions need conditions and year")
	}
	twice(fault, "before_after.match_groups", b.MatchGroups)
	twice(fault, "before_after.among", b.Among)
	twice(fault, "before_after.exclude", b.Exclude)
	twice(fault, "before_after.methods", b.Methods)
	for _, list := range []struct {
		key   string
		names []string
	}{{"among", b.Among}, {"exclude", b.Exclude}} {
		for i, m := range list.names {
			if _, changes := b.Since[m]; changes {
				fault(fmt.Sprintf("before_after.%s[%d]", list.key, i), "municipality %s has the change itself", m)
			}
		}
	}
	for _, m := range slices.Sorted(maps.Keys(b.Since)) {
		if b.Since[m] == effect.NoDate {
			fault("before_after.since."+m, "give the day of the change; a municipality without it is not listed")
		} else if b.Year >= beforeafter.Years.Of(b.Since[m]) {
			fault("before_after.year", "framework conditions of %d may have followed the change in municipality %s; give an earlier year", b.Year, m)
		}
	}
	switch {
	case b.Anticipation < 0:
		fault("before_after.anticipation", "give 0 periods or more")
	case b.MinCases != 0 && b.MinCases < 5:
		fault("before_after.min_cases", "give 5 or more: fewer are not shown")
	case b.MinBefore < 0:
		fault("before_after.min_before", "give 1 period or more")
	case b.MinUnits != 0 && b.MinUnits < 2:
		fault("before_after.min_municipalities", "give 2 or more: one municipality does not tell how much they differ by chance")
	}
}

// BeforeAfterRow is a figure of a comparison of before and after, or a
// municipality that cannot be compared. It is a row of the table before_after.
type BeforeAfterRow struct {
	Outcome     string      `col:"outcome" doc:"outcome"`
	Unit        effect.Unit `col:"unit" doc:"share, portion, days, weeks, hours, kroner or number"`
	MatchScheme string      `col:"match_scheme" doc:"numbering the match group belongs to"`
	MatchGroup  string      `col:"match_group" doc:"match group at referral"`
	beforeafter.DifferenceRow
	Municipality string      `col:"municipality" doc:"of kind not_comparable: municipality with the change that is left out; of kind incomplete: one without it"`
	DataSince    effect.Date `col:"data_since" doc:"of kind not_comparable: since when comparable data exist"`
}

// The kinds of rows of the table before_after that are about municipalities left
// out.
const (
	KindNotComparable beforeafter.Kind = "not_comparable"
	KindIncomplete    beforeafter.Kind = "incomplete"
	KindSynthetic     beforeafter.Kind = "synthetic" // the method could not begin
)

// OfGroup says which comparison a row of a synthetic control belongs to.
type OfGroup struct {
	Outcome     string `col:"outcome" doc:"outcome"`
	MatchScheme string `col:"match_scheme" doc:"numbering the match group belongs to"`
	MatchGroup  string `col:"match_group" doc:"match group at referral"`
}

// The rows of the tables about synthetic controls.
type (
	// SyntheticRow is a row of the table synthetic.
	SyntheticRow struct {
		OfGroup
		beforeafter.SyntheticRow
	}
	// SyntheticGapRow is a row of the table synthetic_gaps.
	SyntheticGapRow struct {
		OfGroup
		beforeafter.GapRow
	}
	// SyntheticDonorRow is a row of the table synthetic_donors.
	SyntheticDonorRow struct {
		OfGroup
		beforeafter.DonorRow
	}
	// SyntheticPlaceboRow is a row of the table synthetic_placebos.
	SyntheticPlaceboRow struct {
		OfGroup
		beforeafter.PlaceboRow
	}
)

// BeforeAndAfter is what comparing before and after comes to.
type BeforeAndAfter struct {
	Rows     []BeforeAfterRow
	Units    []SyntheticRow // of the method synthetic, as are the next three
	Gaps     []SyntheticGapRow
	Donors   []SyntheticDonorRow
	Placebos []SyntheticPlaceboRow
	// NotComparable are the comparisons that data do not allow, which is a result
	// like another.
	NotComparable []*beforeafter.NotComparable
	Words         []string // of the summary, a line each

	calendar  beforeafter.Calendar
	synthetic bool
	since     map[string]effect.Date
}

// PeriodNames gives the columns of a table that hold periods by number their
// names: 2008Q3. Periods that are numbers stay; 0, where there is none, is null.
func PeriodNames(t *ingest.Table, c beforeafter.Calendar) *ingest.Table {
	if c == beforeafter.Numbers {
		return t
	}
	for _, name := range []string{"since", "period", "backdated_to"} {
		if column := t.Column(name); column != nil && column.Ints != nil {
			texts := make([]string, len(column.Ints))
			for i, n := range column.Ints {
				if n != 0 {
					texts[i] = c.Label(int(n))
				}
			}
			column.Ints, column.Texts = nil, texts
		}
	}
	return t
}

// tables are the result tables; the run file asked for them.
func (a *BeforeAndAfter) tables() []*ingest.Table {
	if a == nil {
		return nil
	}
	out := []*ingest.Table{rowTable(TableBeforeAfter, a.Rows)}
	if a.synthetic {
		out = append(out, rowTable(TableSynthetic, a.Units), rowTable(TableGaps, a.Gaps), rowTable(TableDonors, a.Donors), rowTable(TablePlacebos, a.Placebos))
	}
	for _, t := range out {
		PeriodNames(t, a.calendar)
	}
	return out
}

// observed says how the panel of a match scheme and group is made.
func (c *Config) observed(outcome, scheme, group string) beforeafter.Observed {
	b, o := c.BeforeAfter, beforeafter.DefaultObserved()
	o.Outcome, o.MatchScheme, o.MatchGroup = outcome, scheme, group
	o.Calendar, o.Cohort, o.Since, o.Among, o.Exclude = b.Periods.calendar(), c.Study().Cohort.Period, b.Since, b.Among, b.Exclude
	if b.From != nil {
		o.From = *b.From
	}
	if b.RegistersFrom != nil {
		o.RegistersFrom = *b.RegistersFrom
	}
	o.MinCases, o.MinBefore = cmp.Or(b.MinCases, o.MinCases), cmp.Or(b.MinBefore, o.MinBefore)
	return o
}

func (c *Config) did() beforeafter.DiD {
	b, o := c.BeforeAfter, beforeafter.DefaultDiD()
	o.Controls, o.Base, o.Anticipation = cmp.Or(b.Controls, o.Controls), cmp.Or(b.Base, o.Base), b.Anticipation
	o.MinTreated, o.MinControls = cmp.Or(b.MinUnits, o.MinTreated), cmp.Or(b.MinUnits, o.MinControls)
	o.Confidence = cmp.Or(c.Compare.Confidence, o.Confidence)
	return o
}

func (c *Config) synthetic() beforeafter.Synthetic {
	o := beforeafter.DefaultSynthetic()
	o.Confidence = cmp.Or(c.Compare.Confidence, o.Confidence)
	return o
}

// groups lists the match groups that are compared, each with its scheme.
func (b *BeforeAfter) groups(obs *effect.Observations) ([][2]string, error) {
	found := map[[2]string]bool{}
	for i := range obs.Cases.Len() {
		if obs.Results[0].Reason[i].OutsideCohort() {
			continue
		}
		scheme, group := obs.Cases.MatchScheme.At(i), obs.Cases.MatchGroup.At(i)
		if (b.MatchScheme == "" || b.MatchScheme == scheme) && (len(b.MatchGroups) == 0 || slices.Contains(b.MatchGroups, group)) {
			found[[2]string{scheme, group}] = true
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: before_after: no participation of the cohort has match scheme and match group asked for", ErrConfig)
	}
	var errs []error
	for _, group := range b.MatchGroups {
		of := func(k [2]string) bool { return k[1] == group }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), of) {
			errs = append(errs, fmt.Errorf("%w: before_after.match_groups: no participation of the cohort has match group %q in the match scheme asked for", ErrConfig, group))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }), nil
}

// known refuses municipalities that no case is of: they are mistyped.
func (b *BeforeAfter) known(obs *effect.Observations) error {
	levels := slices.Sorted(slices.Values(obs.Cases.Municipality.Levels))
	var errs []error
	for _, list := range []struct {
		key   string
		names []string
	}{{"since", slices.Sorted(maps.Keys(b.Since))}, {"among", b.Among}, {"exclude", b.Exclude}} {
		for _, m := range list.names {
			if _, ok := slices.BinarySearch(levels, m); !ok {
				errs = append(errs, fmt.Errorf("%w: before_after.%s: no participation is of municipality %q%s", ErrConfig, list.key, m, strict.Suggest(m, levels)))
			}
		}
	}
	return errors.Join(errs...)
}

// adjust puts the framework conditions on a panel. Municipalities without the
// change that lack one are left out, and returned.
func (b *BeforeAfter) adjust(p *beforeafter.Panel, conditions []ingest.Condition) (_ *beforeafter.Panel, left []string, err error) {
	if len(b.Conditions) == 0 {
		return p, nil, nil
	}
	values, lacks := map[string][]float64{}, map[string][]string{}
	for _, row := range conditions {
		if row.Year != b.Year {
			continue
		}
		var x []float64
		for _, name := range b.Conditions {
			if v, ok := row.Values[name]; ok && !math.IsNaN(v-v) {
				x = append(x, v)
			} else {
				lacks[row.Municipality] = append(lacks[row.Municipality], name)
			}
		}
		if len(x) == len(b.Conditions) {
			values[row.Municipality] = x
		}
	}
	with, keep := *p, make([]bool, len(p.Units))
	with.Covariates, with.X = b.Conditions, make([][]float64, len(p.Units))
	for u, m := range p.Units {
		with.X[u], keep[u] = values[m], values[m] != nil
		if !keep[u] && p.Since[u] != beforeafter.Never {
			what := cmp.Or(strings.Join(lacks[m], ", "), "a row")
			return nil, nil, fmt.Errorf("%w: before_after: municipality %s lacks %s of %d in table %s; complete it, or leave the condition or the municipality out", ErrConfig, m, what, b.Year, ingest.Municipalities)
		} else if !keep[u] {
			left = append(left, m)
		}
	}
	return with.Keep(keep), left, nil
}

// CompareBeforeAfter compares the municipalities of the key before_after; nil
// where the run file has none. What data do not allow is told in the result; an
// error means that the key cannot be carried out. The dataset gives the framework
// conditions.
func CompareBeforeAfter(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations) (*BeforeAndAfter, error) {
	b := c.BeforeAfter
	if b == nil || len(obs.Results) == 0 {
		return nil, nil
	}
	groups, err := b.groups(obs)
	if err := errors.Join(err, b.known(obs)); err != nil {
		return nil, err
	}
	var conditions []ingest.Condition
	if len(b.Conditions) > 0 {
		if conditions, err = c.conditions(ctx, ds, b.Year); err != nil {
			return nil, err
		}
		if err := checkColumns(conditions, b.Year, b.Conditions); err != nil {
			return nil, err
		}
	}
	out := &BeforeAndAfter{calendar: b.Periods.calendar(), synthetic: slices.Contains(b.Methods, MethodSynthetic), since: b.Since}
	for _, outcome := range b.Outcomes {
		r, ok := obs.Result(outcome)
		if !ok {
			return nil, fmt.Errorf("%w: before_after: there is no outcome %q", ErrConfig, outcome)
		}
		for _, g := range groups {
			row := BeforeAfterRow{Outcome: outcome, Unit: r.Unit, MatchScheme: g[0], MatchGroup: g[1], DataSince: effect.NoDate}
			o := c.observed(outcome, g[0], g[1])
			compared, err := o.Panel(obs)
			none, not := beforeafter.AsNotComparable(err)
			if err != nil && !not {
				return nil, fmt.Errorf("before_after: %w", err)
			}
			out.Words = append(out.Words, fmt.Sprintf("%s, match group %s (%s)", outcome, g[1], g[0]))
			if not {
				out.NotComparable = append(out.NotComparable, none)
				out.Words = append(out.Words, "  "+none.Error())
				out.lacks(row, o, none.Lacks)
				continue
			}
			if len(compared.Lacks) > 0 {
				left := &beforeafter.NotComparable{Outcome: outcome, MatchScheme: g[0], MatchGroup: g[1], Lacks: compared.Lacks, Needed: o.Needed()}
				out.Words = append(out.Words, "  Left out: "+left.Error())
				out.lacks(row, o, compared.Lacks)
			}
			adjusted, unknown, err := b.adjust(compared.Panel, conditions)
			if err != nil {
				return nil, err
			}
			out.incomplete(row, compared.Incomplete, beforeafter.LackCases, fmt.Sprintf("fewer than %d cases with a complete window in some period", o.MinCases))
			out.incomplete(row, unknown, lackConditions, "a framework condition is missing; left out of difference-in-differences")
			methods := b.Methods
			if len(methods) == 0 {
				methods = []BeforeAfterMethod{MethodDiD}
			}
			for _, m := range methods {
				switch m {
				case MethodDiD:
					err = out.did(ctx, c.did(), row, adjusted)
				case MethodSynthetic:
					err = out.control(ctx, c.synthetic(), OfGroup{outcome, g[0], g[1]}, row, compared.Panel)
				default:
					err = fmt.Errorf("%w: there is no method %q", ErrConfig, m)
				}
				if err != nil {
					return nil, fmt.Errorf("before_after: %w", err)
				}
			}
		}
	}
	return out, nil
}

// lackConditions is the code of a municipality without framework conditions.
const lackConditions = "condition_missing"

// incomplete adds a row for each municipality without the change that is left out.
func (a *BeforeAndAfter) incomplete(row BeforeAfterRow, municipalities []string, code, why string) {
	for _, m := range municipalities {
		row.DifferenceRow, row.Municipality = beforeafter.NoFigure(KindIncomplete, code, why), m
		a.Rows = append(a.Rows, row)
	}
}

// lacks adds a row for everything that municipalities lack.
func (a *BeforeAndAfter) lacks(row BeforeAfterRow, o beforeafter.Observed, lacks []beforeafter.Lack) {
	for _, l := range lacks {
		r := row
		r.DifferenceRow = beforeafter.NoFigure(KindNotComparable, l.Code, l.Why)
		r.Group = o.Calendar.Label(o.Calendar.Of(l.Change))
		r.Municipality, r.DataSince = l.Municipality, l.From
		a.Rows = append(a.Rows, r)
	}
}

// did adds the difference-in-differences of a panel, or why there is none.
func (a *BeforeAndAfter) did(ctx context.Context, o beforeafter.DiD, row BeforeAfterRow, p *beforeafter.Panel) error {
	d, err := o.Estimate(ctx, p)
	if refusal, ok := effect.AsRefusal(err); ok {
		a.refused(row, beforeafter.Simple, refusal)
		return nil
	} else if err != nil {
		return err
	}
	for _, r := range d.Rows(a.calendar) {
		row.DifferenceRow = r
		a.Rows = append(a.Rows, row)
	}
	a.say(d.Words(a.calendar, row.Unit))
	return nil
}

// control adds the synthetic controls of a panel, or why there are none.
func (a *BeforeAndAfter) control(ctx context.Context, o beforeafter.Synthetic, of OfGroup, row BeforeAfterRow, p *beforeafter.Panel) error {
	s, err := o.Estimate(ctx, p)
	if refusal, ok := effect.AsRefusal(err); ok {
		a.refused(row, KindSynthetic, refusal)
		return nil
	} else if err != nil {
		return err
	}
	for _, r := range s.Units {
		a.Units = append(a.Units, SyntheticRow{of, r})
	}
	for _, r := range s.Gaps {
		a.Gaps = append(a.Gaps, SyntheticGapRow{of, r})
	}
	for _, r := range s.Donors {
		a.Donors = append(a.Donors, SyntheticDonorRow{of, r})
	}
	for _, r := range s.Placebos {
		a.Placebos = append(a.Placebos, SyntheticPlaceboRow{of, r})
	}
	a.say(s.Words(a.calendar, row.Unit))
	return nil
}

// refused adds the row of a method that has no figure at all.
func (a *BeforeAndAfter) refused(row BeforeAfterRow, kind beforeafter.Kind, r *effect.Refusal) {
	row.DifferenceRow = beforeafter.NoFigure(kind, r.Code, r.Why)
	row.Overall = true
	a.Rows = append(a.Rows, row)
	a.say([]string{"There is no estimate: " + r.Why + " (" + r.Cure + ")."})
}

func (a *BeforeAndAfter) say(words []string) {
	for _, s := range words {
		a.Words = append(a.Words, "  "+s)
	}
}
