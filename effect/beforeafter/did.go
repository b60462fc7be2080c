package beforeafter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Controls says with which units a group is compared.
type Controls string

// NeverTreated compares with units without the change in all of the panel.
// NotYetTreated compares with those too, and with units whose change lies after
// the period (by more than the anticipation).
const (
	NeverTreated  Controls = "never"
	NotYetTreated Controls = "not_yet"
)

// Names lists the choices.
func (Controls) Names() []string { return []string{string(NeverTreated), string(NotYetTreated)} }

// Base says which period a period before the change is compared with.
type Base string

// Varying compares a period before the change with the one before it, so that
// each tests one step. Universal compares every period with the last before the
// change (less the anticipation), which is then 0 by construction.
const (
	Varying   Base = "varying"
	Universal Base = "universal"
)

// Names lists the choices.
func (Base) Names() []string { return []string{string(Varying), string(Universal)} }

// ErrOptions is wrapped by errors about options that make no sense.
var ErrOptions = errors.New("beforeafter: options")

// The refusals of this package beside those of effect.
const (
	RefusalMissing     = "missing_cells"
	RefusalFewTreated  = "too_few_treated"
	RefusalFewControls = "too_few_controls"
	RefusalNoNever     = "no_never_treated"
	RefusalNoChange    = "no_change_in_the_panel"
	RefusalNoOverlap   = "no_overlap"
	RefusalNoBefore    = "no_period_before"
	RefusalMovedApart  = "moved_apart_before" // there are figures, and no verdict
)

// DiD is difference-in-differences by group and time. Start from [DefaultDiD].
//
// A group is the units with the same first period g with the change. For group g
// and period t the estimand is the mean effect on the group's units
//
//	ATT(g,t) = E[Y_t - Y_b | G = g] - (the same of comparable controls)
//
// with b the base period, which holds if without the change the group would have
// moved as controls with the same covariates. It is doubly robust: controls count
// by the odds p/(1-p) of a logistic regression of being in the group, and what a
// linear regression of Y_t - Y_b on the controls expects is taken off everybody,
// so that one of the two models being right is enough. Without covariates it is
// the difference between two mean differences. Every figure comes with its
// influence function, one value per unit that allows for both models; a standard
// error is sqrt(sum of its squares)/n.
//
// Source: callawaysantanna2021, santannazhao2020.
type DiD struct {
	Controls     Controls
	Base         Base
	Anticipation int // periods before the change in which it may show already
	// MinTreated and MinControls are how many units a group, and its controls beyond
	// the columns of the regression, must have. With fewer there is no telling how
	// much units differ by chance.
	MinTreated, MinControls int
	// MaxPropensity is the fitted probability of being in the group from which on a
	// unit counts as having nobody of its like among the controls.
	MaxPropensity float64
	Confidence    float64
	// Through balances the event study: only groups that are seen for this many
	// periods after the change, so that its composition stays the same. -1 takes
	// every group.
	Through int
}

// DefaultDiD compares with units that never change, with a varying base and no
// anticipation; it asks for 5 units in a group and 5 controls, refuses
// propensities of 0.999 and more, and gives 95 % intervals.
func DefaultDiD() DiD {
	return DiD{Controls: NeverTreated, Base: Varying, MinTreated: 5, MinControls: 5, MaxPropensity: 0.999, Confidence: 0.95, Through: -1}
}

// Figure is an effect with its uncertainty; numbers are NaN where it is refused.
//
// The interval takes Student's t with Satterthwaite's degrees of freedom. With
// V_k the part of SE^2 that comes from the n_k units of cohort k (those with the
// same Since), each part is first enlarged to U_k = V_k n_k/(n_k - 1), because
// influence functions are taken around means of the same units; for units that
// never change 1 is the number of columns of the regression. Then
//
//	DF = (sum U_k)^2 / sum U_k^2/(n_k - 1),  Low, High = Effect -/+ t sqrt(sum U_k)
//
// With many units this is the normal interval Effect -/+ z SE.
type Figure struct {
	Effect, SE, DF, Low, High float64
	Refusal                   *effect.Refusal // why there is no figure; nil where there is
}

// GroupTime is the effect on one group in one period.
type GroupTime struct {
	Group, Period, Base int
	Figure
	Treated, Controls int
	Propensity        float64 // largest fitted probability of being in the group; NaN without a fit
	Columns           int     // of the regressions, the constant among them
	// Reference says that the period is the universal base: 0 by construction.
	Reference bool
}

// Post says whether the change has come.
func (g GroupTime) Post() bool { return g.Period >= g.Group }

// Kind is a way to average effects.
type Kind string

// The averages of the effects after the change. Overall is one figure for all of
// it; the others have one for each event time (periods since the change, negative
// before it), group or period, and their own overall mean.
const (
	Simple   Kind = "simple"   // over all groups and periods, by the size of the groups
	Event    Kind = "event"    // by periods since the change; overall the mean from 0 on
	ByGroup  Kind = "group"    // over a group's periods; overall by the size of the groups
	ByPeriod Kind = "calendar" // by period; overall the mean over periods
)

// Average is an average of effects.
type Average struct {
	Kind    Kind
	At      int  // event time, group or period; 0 for an overall one
	Overall bool // over all of its kind
	Figure
	// BandLow and BandHigh hold for all event times of the study at once, by
	// Bonferroni: conservative, and without drawing anything at random. NaN for other
	// kinds and overall means.
	BandLow, BandHigh float64
	Cells             int // effects that are averaged
	Left              int // effects of its kind that were refused, and are left out
	Treated           int // units in the groups averaged
}

// PreTrend is a Wald test that all effects before the change are 0:
//
//	Statistic = a' V^-1 a
//
// with a the effects of all groups in the periods before g less the anticipation,
// and V their covariance from the influence functions. V is singular where there are
// more of them than units tell apart; then the effects that others determine are set
// aside, and DF is the rank. P is the upper tail of the chi-square distribution, as R's
// did has it: it holds with many units, and rejects far too often with few.
//
// PFew allows for few units. With U = sum U_k the covariance in which every cohort's
// part is enlarged as in [Figure], p = DF and T = a' U^-1 a,
//
//	F = T (DF2/p) / v,  DF2 = v - p + 1,
//	v = (p + p^2) / sum over k of (tr(W_k^2) + tr(W_k)^2)/(n_k - 1),  W_k = U_k U^-1
//
// and PFew is the upper tail of F with p and DF2 degrees of freedom; NaN where DF2
// is under 1: then the units are too few for so many effects. A small PFew
// speaks against the comparison; a large one proves nothing: with few units the test
// sees large differences only. Source: krishnamoorthyyu2004.
type PreTrend struct {
	Statistic, P float64
	DF           int // rank of V
	PFew, DF2    float64
	Cells        int     // effects before the change
	Largest      float64 // the largest of them in size, with its sign
	Refusal      *effect.Refusal
}

// GroupSize is how many units changed in one period.
type GroupSize struct{ Group, Units int }

// Differences are all figures of a panel.
type Differences struct {
	Effects  []GroupTime // by group and period
	Averages []Average   // simple; event, group, calendar: overall and then each
	PreTrend PreTrend

	Units  int         // compared
	Last   int         // last period compared: where every unit changes, the last before the last change
	Never  int         // units without the change up to then
	Late   []string    // of those, units that change later
	Groups []GroupSize // ascending
	Early  []string    // units left out: no period before the change
	// Confidence is that of the intervals.
	Confidence float64
	Warnings   []string // codes: last_group_is_control, effects_left_out, covariates_determined

	inf [][]float64 // influence functions of Effects, in the order of units; nil where refused
}

// check refuses options that make no sense.
func (o DiD) check() error {
	switch {
	case !slices.Contains(o.Controls.Names(), string(o.Controls)):
		return fmt.Errorf("%w: controls are never or not_yet, not %q", ErrOptions, o.Controls)
	case !slices.Contains(o.Base.Names(), string(o.Base)):
		return fmt.Errorf("%w: the base is varying or universal, not %q", ErrOptions, o.Base)
	case o.Anticipation < 0:
		return fmt.Errorf("%w: the anticipation is 0 periods or more", ErrOptions)
	case o.MinTreated < 2 || o.MinControls < 2:
		return fmt.Errorf("%w: one unit does not tell how much units differ; at least 2 treated and 2 controls are needed", ErrOptions)
	case !(o.MaxPropensity > 0 && o.MaxPropensity <= 1):
		return fmt.Errorf("%w: the largest propensity lies between 0 and 1", ErrOptions)
	case !(o.Confidence > 0 && o.Confidence < 1):
		return fmt.Errorf("%w: the confidence lies between 0 and 1", ErrOptions)
	case o.Through < -1:
		return fmt.Errorf("%w: an event study is balanced through 0 periods or more, or -1", ErrOptions)
	}
	return nil
}

// Estimate works out all effects and averages. The order of the units does not
// matter. A group or period that cannot be compared is an entry with a Refusal:
// too_few_treated, too_few_controls, no_overlap (a propensity of MaxPropensity or
// more), separation, no_variation. Averages leave such entries out, count them,
// and carry the warning effects_left_out.
//
// It returns an error that wraps [ErrPanel] or [ErrOptions], and a refusal
// when there is nothing to estimate: missing_cells (see [Panel.Complete]),
// no_change_in_the_panel, no_never_treated, not_finite (outcomes or weights above
// 1e60, or weights under 1e-60). A covariate that is the same for everybody compared,
// or determined by the others, adjusts for nothing, and is the warning
// covariates_determined.
func (o DiD) Estimate(ctx context.Context, p *Panel) (*Differences, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	if missing := p.Missing(); len(missing) > 0 {
		return nil, &effect.Refusal{
			Code: RefusalMissing,
			Why:  fmt.Sprintf("%d outcomes are missing, the first that of unit %s in period %s", len(missing), missing[0].Unit, p.Calendar.Label(missing[0].Period)),
			Cure: "fill them in, or leave out the units that lack them and say so",
		}
	}
	if !summable(p) {
		return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "an outcome or a weight is too large to be squared and added up", Cure: "give it in a larger unit"}
	}
	d := &Differences{Confidence: o.Confidence}
	p = p.Sorted()
	first := p.Periods[0]
	keep := make([]bool, len(p.Units))
	for u, since := range p.Since {
		keep[u] = since == Never || since-o.Anticipation > first
		if !keep[u] {
			d.Early = append(d.Early, p.Units[u])
		}
	}
	p = p.Keep(keep)
	d.Units = len(p.Units)
	c := d.cohorts(p, o.Anticipation)
	if d.Never == 0 && len(c.since) > 0 {
		if o.Controls == NeverTreated {
			return nil, &effect.Refusal{Code: RefusalNoNever, Why: "every unit changes at some time", Cure: "compare with units that have not changed yet (controls not_yet), or add units without the change"}
		}
		// From the last change on nobody is left to compare with: the periods end before
		// it, and its group never changes in them.
		end, _ := slices.BinarySearch(p.Periods, c.since[len(c.since)-1]-o.Anticipation)
		p = p.until(end)
		d.Warnings = append(d.Warnings, "last_group_is_control")
		c = d.cohorts(p, o.Anticipation)
	}
	d.Last = p.Periods[len(p.Periods)-1]
	for k, since := range c.since {
		if k != c.never {
			d.Groups = append(d.Groups, GroupSize{since, c.size[k]})
		}
	}
	if len(d.Groups) == 0 || d.Groups[0].Group > d.Last {
		return nil, &effect.Refusal{Code: RefusalNoChange, Why: "no unit changes after the first period with others left to compare with, so that nothing lies both before and after", Cure: "give more periods, or more units"}
	}
	e := &estimation{DiD: o, p: p, cohorts: c}
	for k := range d.Groups {
		for t := range p.Periods {
			if err := effect.Stopped(ctx); err != nil {
				return nil, err
			}
			if cell, inf, ok := e.cell(ctx, k, t); ok {
				d.Effects, d.inf = append(d.Effects, cell), append(d.inf, inf)
			}
		}
	}
	if slices.ContainsFunc(d.Effects, func(g GroupTime) bool { return !math.IsNaN(g.Propensity) && g.Columns <= len(p.Covariates) }) {
		d.Warnings = append(d.Warnings, "covariates_determined")
	}
	d.PreTrend = d.preTrend(ctx, e)
	d.average(e, o.Through)
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// summable says whether the squares of differences of outcomes, weighted and added
// up, stay numbers.
func summable(p *Panel) bool {
	const most = 1e60
	for _, row := range p.Y {
		if slices.ContainsFunc(row, func(y float64) bool { return math.Abs(y) > most }) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Weight, func(w float64) bool { return w > most || w < 1/most })
}

// cohorts divides the units by Since; those whose change comes after the last
// period, by more than the anticipation, count as never changing.
func (d *Differences) cohorts(p *Panel, anticipation int) (c cohorts) {
	d.Never, d.Late = 0, nil
	sinces := slices.Clone(p.Since)
	for u, since := range sinces {
		if since != Never && since-anticipation > p.Periods[len(p.Periods)-1] {
			d.Late, sinces[u] = append(d.Late, p.Units[u]), Never
		}
	}
	c.since = slices.Clone(sinces)
	slices.Sort(c.since)
	c.since = slices.Compact(c.since)
	c.size, c.at, c.never = make([]int, len(c.since)), make([]int, len(sinces)), -1
	for u, since := range sinces {
		c.at[u], _ = slices.BinarySearch(c.since, since)
		c.size[c.at[u]]++
	}
	if k := len(c.since) - 1; k >= 0 && c.since[k] == Never {
		c.never, d.Never = k, c.size[k]
	}
	return c
}

// cohorts are the units by their first period with the change.
type cohorts struct {
	since []int // ascending; Never last
	size  []int
	at    []int // of each unit
	never int   // place of Never, -1 where nobody is
}

type estimation struct {
	DiD
	p *Panel
	cohorts
}

// cell estimates group k in the period at t; ok is false where there is nothing
// to compare the period with.
func (e *estimation) cell(ctx context.Context, k, t int) (out GroupTime, inf []float64, ok bool) {
	g, period := e.since[k], e.p.Periods[t]
	// The last period that the change cannot have touched. There is one: units
	// without it were left out.
	base, _ := slices.BinarySearch(e.p.Periods, g-e.Anticipation)
	base--
	if period < g-e.Anticipation && e.Base == Varying {
		base = t - 1
	}
	if base < 0 {
		return out, nil, false
	}
	out = GroupTime{Group: g, Period: period, Base: e.p.Periods[base], Propensity: math.NaN(), Columns: 1, Reference: base == t}
	s := sample{n: len(e.p.Units)}
	free := max(period, e.p.Periods[base]) + e.Anticipation
	for u := range e.p.Units {
		cohort := e.at[u]
		treated := cohort == k
		if !treated && cohort != e.never && (e.Controls == NeverTreated || e.since[cohort] <= free) {
			continue
		}
		s.add(e.p, u, treated, e.p.Y[u][t]-e.p.Y[u][base])
		if treated {
			out.Treated++
		} else {
			out.Controls++
		}
	}
	switch {
	case out.Treated < e.MinTreated:
		out.Figure = refused(&effect.Refusal{
			Code: RefusalFewTreated, Why: fmt.Sprintf("the group has %d units where %d are needed to tell how much they differ by chance", out.Treated, e.MinTreated),
			Cure: "use synthetic control, which takes a single unit, or declare a smaller minimum",
		})
		return out, nil, true
	case out.Controls < e.MinControls:
		out.Figure = refused(&effect.Refusal{
			Code: RefusalFewControls, Why: fmt.Sprintf("%d units can be compared with where %d are needed", out.Controls, e.MinControls),
			Cure: "add units without the change, or compare with units that have not changed yet too",
		})
		return out, nil, true
	case out.Reference:
		return out, make([]float64, len(e.p.Units)), true
	}
	fit, err := s.doublyRobust(ctx, e.MaxPropensity, e.MinControls)
	out.Propensity, out.Columns = fit.propensity, max(1, fit.columns)
	if err != nil {
		out.Figure = refused(err)
		return out, nil, true
	}
	out.Figure = e.figure(fit.att, fit.inf, out.Columns)
	if out.Refusal != nil {
		return out, nil, true
	}
	return out, fit.inf, true
}

func refused(r *effect.Refusal) Figure {
	nan := math.NaN()
	return Figure{Effect: nan, SE: nan, DF: nan, Low: nan, High: nan, Refusal: r}
}

// figure is the effect with the uncertainty that its influence function tells.
func (e *estimation) figure(att float64, inf []float64, columns int) Figure {
	half, se, df := e.spread(inf, columns, e.Confidence)
	size := 0.0
	for _, row := range e.p.Y {
		for _, y := range row {
			size = max(size, math.Abs(y))
		}
	}
	if !(se > 1e-9*size) {
		return refused(&effect.Refusal{Code: effect.RefusalNoVariation, Why: "all units moved alike, so that there is no telling how sure the figure is", Cure: "check the outcome"})
	}
	return Figure{Effect: att, SE: se, DF: df, Low: att - half, High: att + half}
}

// spread returns half the interval, the standard error and the degrees of freedom.
func (e *estimation) spread(inf []float64, columns int, confidence float64) (half, se, df float64) {
	n := float64(len(inf))
	parts := make([]float64, len(e.size))
	for u, v := range inf {
		parts[e.at[u]] += v * v
	}
	var plain, total, down float64
	for k, v := range parts {
		v /= n * n
		plain += v
		free := e.free(k, columns)
		v *= float64(e.size[k]) / free
		total += v
		down += v * v / free
	}
	se, df = math.Sqrt(plain), total*total/down
	return interval.StudentT(df, confidence) * math.Sqrt(total), se, df
}

// free are the degrees of freedom of a cohort's part of a variance.
func (e *estimation) free(cohort, columns int) float64 {
	if cohort != e.never {
		columns = 1
	}
	return float64(max(e.size[cohort]-columns, 1))
}

// term is one of the effects that an average is made of.
type term struct {
	group  int // place among the cohorts
	att    float64
	inf    []float64
	bounds int // columns of its regression
}

// mean is the plain mean of terms, and its influence function.
func mean(terms []term) (att float64, inf []float64) {
	inf = make([]float64, len(terms[0].inf))
	for _, t := range terms {
		att += t.att / float64(len(terms))
		for u, v := range t.inf {
			inf[u] += v / float64(len(terms))
		}
	}
	return att, inf
}

// bySize is the mean of terms by the weight w of their groups. The groups' shares
// are estimated too: their part of the influence function is
// sum over terms of (w_u 1(u in group) - share)(att - mean)/sum of shares.
func (e *estimation) bySize(terms []term) (att float64, inf []float64) {
	n := len(e.p.Units)
	weight := func(u int) float64 {
		if e.p.Weight == nil {
			return 1
		}
		return e.p.Weight[u]
	}
	share := make([]float64, len(e.since))
	for u := range n {
		share[e.at[u]] += weight(u) / float64(n)
	}
	total := 0.0
	for _, t := range terms {
		total += share[t.group]
	}
	for _, t := range terms {
		att += share[t.group] / total * t.att
	}
	inf = make([]float64, n)
	for _, t := range terms {
		for u, v := range t.inf {
			in := 0.0
			if e.at[u] == t.group {
				in = weight(u)
			}
			inf[u] += share[t.group]/total*v + (in-share[t.group])*(t.att-att)/total
		}
	}
	return att, inf
}

// average fills in the averages.
func (d *Differences) average(e *estimation, through int) {
	first, last := e.p.Periods[0], e.p.Periods[len(e.p.Periods)-1]
	terms := func(keep func(GroupTime) bool) (out []term, a Average) {
		a.BandLow, a.BandHigh = math.NaN(), math.NaN()
		seen := map[int]bool{}
		for i, g := range d.Effects {
			if !keep(g) {
				continue
			}
			if d.inf[i] == nil {
				a.Left++
				continue
			}
			k, _ := slices.BinarySearch(e.since, g.Group)
			out = append(out, term{k, g.Effect, d.inf[i], g.Columns})
			if !seen[k] {
				seen[k], a.Treated = true, a.Treated+e.size[k]
			}
		}
		a.Cells = len(out)
		return out, a
	}
	// one works out a figure and adds it; it returns it as a term of an overall mean.
	one := func(a Average, of []term, by func([]term) (float64, []float64)) (term, bool) {
		if len(of) == 0 {
			a.Figure = refused(&effect.Refusal{Code: effect.RefusalNoComparators, Why: "every effect that it averages was refused", Cure: "see the refusals of the groups"})
			d.Averages = append(d.Averages, a)
			return term{}, false
		}
		att, inf := by(of)
		columns := slices.MaxFunc(of, func(a, b term) int { return cmp.Compare(a.bounds, b.bounds) }).bounds
		if a.Kind == Event && !a.Overall && !slices.ContainsFunc(inf, func(v float64) bool { return v != 0 }) {
			a.BandLow, a.BandHigh = 0, 0 // the universal base
		} else {
			a.Figure = e.figure(att, inf, columns)
		}
		d.Averages = append(d.Averages, a)
		return term{of[0].group, att, inf, columns}, a.Refusal == nil
	}
	all, a := terms(GroupTime.Post)
	a.Kind, a.Overall = Simple, true
	one(a, all, e.bySize)
	if a.Left > 0 {
		d.Warnings = append(d.Warnings, "effects_left_out")
	}
	for _, kind := range []Kind{Event, ByGroup, ByPeriod} {
		place := func(g GroupTime) int {
			return map[Kind]int{Event: g.Period - g.Group, ByGroup: g.Group, ByPeriod: g.Period}[kind]
		}
		counts := func(g GroupTime) bool {
			if kind != Event {
				return g.Post()
			}
			e := g.Period - g.Group
			return through < 0 || last-g.Group >= through && e <= through && e >= through-last+first
		}
		var places []int
		for _, g := range d.Effects {
			if counts(g) {
				places = append(places, place(g))
			}
		}
		slices.Sort(places)
		places = slices.Compact(places)
		head := len(d.Averages)
		d.Averages = append(d.Averages, Average{})
		var parts []term
		for _, at := range places {
			of, a := terms(func(g GroupTime) bool { return counts(g) && place(g) == at })
			a.Kind, a.At = kind, at
			by := e.bySize
			if kind == ByGroup {
				by = mean
			}
			if part, ok := one(a, of, by); ok && (kind != Event || at >= 0) {
				parts = append(parts, part)
			}
		}
		if kind == Event {
			d.bands(e, head+1)
		}
		_, a := terms(func(g GroupTime) bool { return counts(g) && g.Post() })
		a.Kind, a.Overall = kind, true
		by := mean
		if kind == ByGroup {
			by = e.bySize
		}
		one(a, parts, by)
		d.Averages[head] = d.Averages[len(d.Averages)-1]
		d.Averages = d.Averages[:len(d.Averages)-1]
	}
}

// bands fills in the band of the event study whose rows begin at from.
func (d *Differences) bands(e *estimation, from int) {
	rows, n := d.Averages[from:], 0
	for _, a := range rows {
		if a.SE > 0 {
			n++
		}
	}
	for i := range rows {
		if a := &rows[i]; a.SE > 0 {
			scale := interval.StudentT(a.DF, 1-(1-e.Confidence)/float64(n)) / interval.StudentT(a.DF, e.Confidence)
			a.BandLow, a.BandHigh = a.Effect-scale*(a.Effect-a.Low), a.Effect+scale*(a.High-a.Effect)
		}
	}
}
