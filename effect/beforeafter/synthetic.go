package beforeafter

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/simplex"
)

// The refusals of [Synthetic] beside RefusalMissing, RefusalNoChange,
// RefusalNoBefore, effect.RefusalNotConverged and effect.RefusalNotFinite.
const (
	RefusalFewDonors     = "too_few_donors"
	RefusalFewBefore     = "too_few_periods_before"
	RefusalNotComparable = "pre_period_not_comparable"
)

// The warnings of [Synthetic].
const (
	WarnWeakFit      = "weak_prefit"              // the fit before the change is worse than half the spread between donors
	WarnPerfectFit   = "perfect_prefit"           // it is exact, and so tells nothing about how closely the donors follow
	WarnNotUnique    = "att_differs_by_weights"   // other weights fit as well and give another ATT
	WarnOneDonor     = "rests_on_one_donor"       // one donor has all the weight
	WarnFewPlacebos  = "too_few_placebos"         // whatever the effect, no p-value could be as low as 1 - confidence
	WarnNoConstant   = "no_constant_effect"       // no effect that is the same in every period passes the placebo test
	WarnNotBackdated = "too_few_periods_backdate" // too few periods are left before the pretended change
)

// Synthetic is synthetic control. Start from [DefaultSynthetic].
//
// Every unit that has the change is compared, alone, with its synthetic control:
// the average of donors, units without the change in all of the panel, with the
// weights w >= 0, sum w = 1, that minimise
//
//	sum over t < g of (Y_t - sum_j w_j Y_jt)^2
//
// with g its first period with the change. The gap in a period is what is observed
// less the synthetic control; the estimand is the unit's own ATT, the mean gap from
// g on. It holds if donors that follow the unit before the change would have
// followed it after, had there been none. The weights are solved exactly and
// certified (KKTGap); where several are optimal, those with the smallest sum of
// squares are taken, and the range of the ATT over all of them is told.
//
// The data do not tell the chance variation of a single unit, so there is no
// standard error. Instead every donor is taken for changed in turn, with the
// others as its donors. MSPE is a mean squared gap, and units are ranked by MSPE
// after over MSPE before: P = rank/n is the share of units as extreme as the
// changed one, itself included. It is a p-value if any of them could as well have
// been the one that changed. Low and High hold the effects, the same in every
// period, for which the gaps less the effect have P > 1 - Confidence. They are no
// margin of error around the ATT, and may be far wider.
//
// Source: abadie2010, abadie2015; firpo2018 for Low and High.
type Synthetic struct {
	// Donors are the units that may be donors; nil stands for all. LeaveOut are
	// units that may not. Units with the change are never donors, and counted.
	Donors, LeaveOut []string
	// Predictors are covariates of the panel to be matched beside the outcomes before
	// the change, which together count OutcomeWeight: the weights minimise
	//
	//	OutcomeWeight mean over t < g of (gap_t/s)^2 + sum_k Weight_k (gap in x_k/s_k)^2
	//
	// with s_k the standard deviation (n) of x_k over the unit and its donors, and s^2
	// the mean over t < g of the variance of Y_t over them. A covariate that is the
	// same for all is passed over. The weights of predictors are taken as given, never
	// searched for. Without predictors OutcomeWeight changes nothing.
	Predictors    []Predictor
	OutcomeWeight float64
	MinBefore     int // periods before the change, at least
	MinDonors     int // at least
	// MaxPreFit and MaxOutside are the PreFit and the Outside of a row above which the
	// time before the change is refused as not comparable.
	MaxPreFit, MaxOutside float64
	// DropWorse drops from the ranking the placebos whose MSPE before the change is
	// more than DropWorse times that of the changed unit; 0 keeps all.
	DropWorse float64
	// Backdate looks at the change as if it had come so many of the panel's periods
	// earlier, over the time before the true change only; 0 does not.
	Backdate   int
	Confidence float64
}

// Predictor is a covariate that is matched, and how much it counts.
type Predictor struct {
	Covariate string
	Weight    float64 // 0 or more
}

// DefaultSynthetic matches outcomes only, with every unit without the change as
// donor. It asks for 3 periods before the change and 2 donors, and refuses a fit
// that is worse than the spread between donors, and a unit that lies above all
// donors, or below all, in more than half of the periods before. It ranks all
// placebos and does not backdate.
func DefaultSynthetic() Synthetic {
	return Synthetic{OutcomeWeight: 1, MinBefore: 3, MinDonors: 2, MaxPreFit: 1, MaxOutside: 0.5, Confidence: 0.95}
}

// SyntheticRow is a changed unit and its synthetic control, a row of the table
// synthetic. A refused row has counts and what led to the refusal; its other
// figures are NaN.
type SyntheticRow struct {
	Unit         string  `col:"unit" doc:"unit with the change"`
	Since        int64   `col:"since" doc:"its first period with the change"`
	Before       int64   `col:"periods_before" doc:"periods before the change"`
	After        int64   `col:"periods_after" doc:"periods from the change on"`
	ATT          float64 `col:"att" doc:"mean over the periods from the change on of observed minus synthetic"`
	Observed     float64 `col:"observed" doc:"mean outcome from the change on"`
	Expected     float64 `col:"expected" doc:"the same of the synthetic control"`
	RMSPEBefore  float64 `col:"rmspe_before" doc:"root mean squared gap before the change"`
	RMSPEAfter   float64 `col:"rmspe_after" doc:"root mean squared gap from the change on"`
	PreFit       float64 `col:"prefit" doc:"rmspe_before over the spread between donors, the root of their mean variance (n) in a period before the change; the plain mean of many donors reaches 1 for a unit that is like them"`
	Outside      float64 `col:"outside" doc:"share of the periods before the change in which the unit lies above all donors, or in which it lies below all, whichever is more"`
	Ratio        float64 `col:"mspe_ratio" doc:"mean squared gap from the change on over that before; null when the fit before is exact, which ranks first"`
	Rank         int64   `col:"rank" doc:"1 plus the placebos whose ratio is as large or larger"`
	Ranked       int64   `col:"ranked" doc:"units ranked: the placebos that count, and the unit"`
	P            float64 `col:"p" doc:"rank over ranked; never less than 1 over ranked"`
	Low          float64 `col:"low" doc:"least effect, the same in every period, that the placebo test does not reject; null where it rejects none or all"`
	High         float64 `col:"high" doc:"largest such effect"`
	Confidence   float64 `col:"confidence" doc:"confidence of low and high"`
	WithoutLow   float64 `col:"att_without_low" doc:"least att when one of the donors with weight is left out"`
	WithoutHigh  float64 `col:"att_without_high" doc:"largest such att"`
	OptimalLow   float64 `col:"att_optimal_low" doc:"least att over all weights that fit as well; att where they are unique"`
	OptimalHigh  float64 `col:"att_optimal_high" doc:"largest such att"`
	BackdatedTo  int64   `col:"backdated_to" doc:"first period of the pretended change; 0 where none was looked at"`
	BackdatedATT float64 `col:"backdated_att" doc:"att of the pretended change, over the periods up to the true one; null where none was looked at"`
	BackdatedFit float64 `col:"backdated_rmspe_before" doc:"root mean squared gap before the pretended change"`
	Donors       int64   `col:"donors" doc:"units that could be given weight"`
	Weighted     int64   `col:"donors_weighted" doc:"donors with weight"`
	Changed      int64   `col:"donors_changed" doc:"other units, no donors because they have the change in the panel"`
	Left         int64   `col:"donors_left_out" doc:"units without the change that are no donors because that was declared"`
	KKTGap       float64 `col:"kkt_gap" doc:"by how much other weights could fit better at most, as a share of the misfit of the best single donor; the largest over the unit and its placebos; above 1e-8 refuses"`
	Active       int64   `col:"active" doc:"donors that could carry weight in optimal weights"`
	ActiveRank   int64   `col:"active_rank" doc:"how many of them are affinely independent; where that is all, the weights are unique"`
	Warnings     string  `col:"warnings" doc:"codes of what to know, separated by semicolons"`
	Refusal      string  `col:"refusal" doc:"why there is no figure (a code), empty where there is"`
	Why          string  `col:"why" doc:"the refusal in words"`
	Cure         string  `col:"cure" doc:"what to do about it"`
}

// Err is the row's refusal as an error, nil where it has figures.
func (r *SyntheticRow) Err() error {
	if r.Refusal == "" {
		return nil
	}
	return &effect.Refusal{Code: r.Refusal, Why: r.Why, Cure: r.Cure}
}

// GapRow is a changed unit in one period, a row of the table synthetic_gaps.
type GapRow struct {
	Unit      string  `col:"unit" doc:"unit with the change"`
	Period    int64   `col:"period" doc:"period"`
	After     bool    `col:"after" doc:"whether the change has come"`
	Observed  float64 `col:"observed" doc:"outcome"`
	Synthetic float64 `col:"synthetic" doc:"weighted mean outcome of the donors"`
	Gap       float64 `col:"gap" doc:"observed minus synthetic"`
}

// DonorRow is a donor with weight, a row of the table synthetic_donors.
type DonorRow struct {
	Unit         string  `col:"unit" doc:"unit with the change"`
	Donor        string  `col:"donor" doc:"donor"`
	Weight       float64 `col:"weight" doc:"its weight in the synthetic control"`
	WithoutATT   float64 `col:"att_without" doc:"att when this donor is left out; null where too few donors are left"`
	WithoutRMSPE float64 `col:"rmspe_before_without" doc:"root mean squared gap before the change then"`
}

// PlaceboRow is one of the units that are ranked with a changed one, a row of the
// table synthetic_placebos. The changed unit has a row of its own.
type PlaceboRow struct {
	Unit        string  `col:"unit" doc:"unit with the change"`
	Placebo     string  `col:"placebo" doc:"unit taken for changed in its place, or the unit itself"`
	ATT         float64 `col:"att" doc:"mean gap from the change on"`
	RMSPEBefore float64 `col:"rmspe_before" doc:"root mean squared gap before the change"`
	RMSPEAfter  float64 `col:"rmspe_after" doc:"root mean squared gap from the change on"`
	Ratio       float64 `col:"mspe_ratio" doc:"mean squared gap from the change on over that before; null when the fit before is exact, which ranks first"`
	Rank        int64   `col:"rank" doc:"1 for the largest ratio, equals sharing the last of their ranks; 0 for a placebo dropped because it fits worse before than declared"`
}

// SyntheticControls are all tables of a panel. Rows come by unit; gaps then by period,
// donors by weight, the largest first, and name, placebos by rank, those dropped
// last, and name.
type SyntheticControls struct {
	Units    []SyntheticRow
	Gaps     []GapRow
	Donors   []DonorRow
	Placebos []PlaceboRow
}

const (
	weakFit  = 0.5   // PreFit from which on there is a warning
	rounding = 1e-12 // share of the largest outcome under which a gap is rounding
)

// check refuses options that make no sense for the panel.
func (o Synthetic) check(p *Panel) error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
	}
	amount := func(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
	counts := o.OutcomeWeight > 0
	for k, predictor := range o.Predictors {
		counts = counts || predictor.Weight > 0
		switch {
		case !slices.Contains(p.Covariates, predictor.Covariate):
			return fault("%q is no covariate of the panel; its covariates are %s", predictor.Covariate, some(p.Covariates))
		case slices.ContainsFunc(o.Predictors[:k], func(q Predictor) bool { return q.Covariate == predictor.Covariate }):
			return fault("covariate %s is a predictor twice", predictor.Covariate)
		case !amount(predictor.Weight):
			return fault("the weight of predictor %s is a number of 0 or more", predictor.Covariate)
		}
	}
	for _, name := range slices.Concat(o.Donors, o.LeaveOut) {
		if !slices.Contains(p.Units, name) {
			return fault("%q is among the donors declared or left out, and no unit of the panel", name)
		}
	}
	switch {
	case !amount(o.OutcomeWeight) || !counts:
		return fault("the weights of outcomes and predictors are numbers of 0 or more, and not all 0")
	case o.MinBefore < 1 || o.MinDonors < 1:
		return fault("at least 1 period before the change and 1 donor are needed")
	case !(o.MaxPreFit >= 0) || !(o.MaxOutside >= 0):
		return fault("the largest prefit and the largest share outside are numbers of 0 or more")
	case !amount(o.DropWorse):
		return fault("placebos are dropped from a multiple of 0 or more on; 0 keeps all")
	case o.Backdate < 0:
		return fault("a change is backdated by 0 periods or more")
	case !(o.Confidence > 0 && o.Confidence < 1):
		return fault("the confidence lies between 0 and 1")
	}
	return nil
}

// Estimate finds the synthetic control of every unit with the change. Several
// changed units each have their own; none is pooled with another. The order of the
// units changes nothing, and Weight of the panel is not used.
//
// A unit that cannot be judged has a row with a refusal: no_period_before (the
// change is there from the first period on), too_few_periods_before,
// pre_period_not_comparable (MaxPreFit or MaxOutside), no_variation (all units are
// alike before the change), not_converged, not_finite.
//
// It returns an error that wraps [ErrPanel] or [ErrOptions], that of the context,
// or a refusal when no unit can be judged: no_change_in_the_panel, too_few_donors,
// missing_cells (of a changed unit or a donor; see [Panel.Complete]).
func (o Synthetic) Estimate(ctx context.Context, p *Panel) (*SyntheticControls, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := o.check(p); err != nil {
		return nil, err
	}
	p = p.Sorted()
	e := comparison{Synthetic: o, p: p}
	var changed []int
	last, used := p.Periods[len(p.Periods)-1], make([]bool, len(p.Units))
	for u, name := range p.Units {
		switch {
		case p.Since[u] <= last:
			changed = append(changed, u)
			used[u] = p.Since[u] > p.Periods[0]
		case (o.Donors == nil || slices.Contains(o.Donors, name)) && !slices.Contains(o.LeaveOut, name):
			e.donors = append(e.donors, u)
			used[u] = true
		default:
			e.left++
		}
	}
	e.changed = len(changed)
	switch missing := p.Keep(used).Missing(); {
	case len(changed) == 0:
		return nil, &effect.Refusal{Code: RefusalNoChange, Why: "no unit has the change in the periods of the panel", Cure: "give each changed unit its first period with the change, and periods from then on"}
	case len(e.donors) < o.MinDonors:
		return nil, e.fewDonors()
	case len(missing) > 0:
		var cells []string
		for _, c := range missing {
			cells = append(cells, fmt.Sprintf("%s in period %d", c.Unit, c.Period))
		}
		return nil, &effect.Refusal{
			Code: RefusalMissing,
			Why:  fmt.Sprintf("%d outcomes are missing: %s", len(missing), some(cells)),
			Cure: "fill them in, leave out the donors that lack them, or leave out the periods",
		}
	}
	out := &SyntheticControls{}
	placebos := map[int][]fit{} // by the first period of the change
	for _, u := range changed {
		if err := e.unit(ctx, u, placebos, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// some lists the first of the names.
func some(names []string) string {
	const listed = 5
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > listed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
	}
	return strings.Join(names, ", ")
}

// comparison is the panel, sorted, and who can be a donor in it.
type comparison struct {
	Synthetic
	p             *Panel
	donors        []int // ascending
	changed, left int   // units that are no donors, and why
}

func (e *comparison) fewDonors() *effect.Refusal {
	return &effect.Refusal{
		Code: RefusalFewDonors,
		Why:  fmt.Sprintf("%d units can be donors where %d are needed: %d units have the change themselves, %d are left out as declared", len(e.donors), e.MinDonors, e.changed, e.left),
		Cure: "add units without the change to the panel",
	}
}

// fit is a synthetic control.
type fit struct {
	unit          int
	donors        []int // with a weight in solution
	solution      simplex.Solution
	gaps          []float64 // of all periods; those from until on mean nothing
	before, after float64   // MSPE; before is exactly 0 where it is rounding
	att           float64
}

// ratio is what units are ranked by: infinite for an exact fit before the change
// that does not stay one, and 0 for one that does.
func (f *fit) ratio() float64 {
	if f.after == 0 {
		return 0
	}
	return f.after / f.before
}

// fit finds the synthetic control of a unit whose change comes at the place from
// among the periods, of which those before the place until are looked at.
func (e *comparison) fit(ctx context.Context, unit int, donors []int, from, until int) (fit, error) {
	if err := effect.Stopped(ctx); err != nil {
		return fit{}, err
	}
	f := fit{unit: unit, donors: donors, gaps: make([]float64, len(e.p.Periods))}
	target, points := e.match(unit, donors, from)
	f.solution = simplex.Nearest(points, target)
	if !(f.solution.Gap <= simplex.Tolerance) {
		return fit{}, &effect.Refusal{
			Code: effect.RefusalNotConverged,
			Why:  fmt.Sprintf("the weights of unit %s are not certain to be the best: numbers of very different size meet", e.p.Units[unit]),
			Cure: "check the outcomes for extreme values, and leave out the donors that have them",
		}
	}
	largest := 0.0
	for t := range until {
		y, synthetic := e.p.Y[unit][t], 0.0
		for k, j := range donors {
			if w := f.solution.Weights[k]; w > 0 {
				synthetic += w * e.p.Y[j][t]
				largest = max(largest, w*math.Abs(e.p.Y[j][t]))
			}
		}
		largest = max(largest, math.Abs(y))
		f.gaps[t] = y - synthetic
		if t < from {
			f.before += f.gaps[t] * f.gaps[t] / float64(from)
		} else {
			f.after += f.gaps[t] * f.gaps[t] / float64(until-from)
			f.att += f.gaps[t] / float64(until-from)
		}
	}
	if math.IsInf(f.before+f.after, 0) || math.IsNaN(f.before+f.after) {
		return fit{}, &effect.Refusal{
			Code: effect.RefusalNotFinite, Why: fmt.Sprintf("the squared gaps of unit %s are too large to be numbers", e.p.Units[unit]),
			Cure: "give the outcomes in a larger unit",
		}
	}
	exact := rounding * largest * rounding * largest
	if f.before <= exact {
		f.before = 0
	}
	if f.after <= exact {
		f.after = 0
	}
	return f, nil
}

// match returns what a unit is to be matched on, and the same of its donors.
func (e *comparison) match(unit int, donors []int, from int) (target []float64, points [][]float64) {
	all := append([]int{unit}, donors...)
	values := make([][]float64, len(all))
	if len(e.Predictors) == 0 {
		for i, u := range all {
			values[i] = e.p.Y[u][:from]
		}
		return values[0], values[1:]
	}
	add := func(at func(u int) float64, factor float64) {
		for i, u := range all {
			values[i] = append(values[i], factor*at(u))
		}
	}
	outcome := 0.0
	for t := range from {
		outcome += e.variance(all, func(u int) float64 { return e.p.Y[u][t] })
	}
	for t := range from {
		factor := 0.0
		if outcome > 0 {
			factor = math.Sqrt(e.OutcomeWeight / outcome)
		}
		add(func(u int) float64 { return e.p.Y[u][t] }, factor)
	}
	for _, predictor := range e.Predictors {
		k := slices.Index(e.p.Covariates, predictor.Covariate)
		at := func(u int) float64 { return e.p.X[u][k] }
		if v := e.variance(all, at); v > 0 {
			add(at, math.Sqrt(predictor.Weight/v))
		}
	}
	return values[0], values[1:]
}

// variance is that of a number over units (n).
func (e *comparison) variance(units []int, at func(u int) float64) float64 {
	mean, sum := 0.0, 0.0
	for _, u := range units {
		mean += at(u) / float64(len(units))
	}
	for _, u := range units {
		sum += (at(u) - mean) * (at(u) - mean)
	}
	return sum / float64(len(units))
}

// unit adds the rows of one changed unit.
func (e *comparison) unit(ctx context.Context, u int, placebos map[int][]fit, out *SyntheticControls) error {
	p, nan := e.p, math.NaN()
	from, _ := slices.BinarySearch(p.Periods, p.Since[u])
	end := len(p.Periods)
	row := SyntheticRow{
		Unit: p.Units[u], Since: int64(p.Since[u]), Before: int64(from), After: int64(end - from),
		ATT: nan, Observed: nan, Expected: nan, RMSPEBefore: nan, RMSPEAfter: nan, PreFit: nan, Outside: nan,
		Ratio: nan, P: nan, Low: nan, High: nan, Confidence: e.Confidence, WithoutLow: nan, WithoutHigh: nan,
		OptimalLow: nan, OptimalHigh: nan, BackdatedATT: nan, BackdatedFit: nan,
		Donors: int64(len(e.donors)), Changed: int64(e.changed - 1), Left: int64(e.left), KKTGap: nan,
	}
	s := study{comparison: e, from: from, end: end, row: &row}
	err := s.run(ctx, u, placebos, out)
	if r, ok := effect.AsRefusal(err); ok {
		row.Refusal, row.Why, row.Cure = r.Code, r.Why, r.Cure
		err = nil
	}
	row.Warnings = strings.Join(s.warnings, ";")
	for _, v := range []*float64{
		&row.ATT, &row.Observed, &row.Expected, &row.RMSPEBefore, &row.RMSPEAfter, &row.PreFit, &row.Outside, &row.Ratio,
		&row.P, &row.Low, &row.High, &row.WithoutLow, &row.WithoutHigh, &row.OptimalLow, &row.OptimalHigh,
		&row.BackdatedATT, &row.BackdatedFit, &row.KKTGap,
	} {
		*v = effect.Round(*v)
	}
	out.Units = append(out.Units, row)
	return err
}

// study is one changed unit at work.
type study struct {
	*comparison
	from, end int // places of the first period with the change, and after the last
	row       *SyntheticRow
	warnings  []string
}

func (s *study) warn(code string) { s.warnings = append(s.warnings, code) }

// run fills the row and adds the others, or returns why it does not.
func (s *study) run(ctx context.Context, u int, placebos map[int][]fit, out *SyntheticControls) error {
	row := s.row
	switch {
	case s.from == 0:
		return &effect.Refusal{Code: RefusalNoBefore, Why: fmt.Sprintf("unit %s has the change in the first period already", row.Unit), Cure: "give periods before the change"}
	case s.from < s.MinBefore:
		return &effect.Refusal{
			Code: RefusalFewBefore, Why: fmt.Sprintf("unit %s has %d periods before the change where %d are needed to tell which donors follow it", row.Unit, s.from, s.MinBefore),
			Cure: "give more periods before the change",
		}
	}
	f, err := s.fit(ctx, u, s.donors, s.from, s.end)
	if err != nil {
		return err
	}
	row.RMSPEBefore, row.KKTGap = math.Sqrt(f.before), f.solution.Gap
	row.Active, row.ActiveRank = int64(f.solution.Active), int64(f.solution.Rank)
	if err := s.comparable(&f); err != nil {
		return err
	}

	// The placebos first: one that cannot be solved refuses the row before any figure.
	others, ok := placebos[s.p.Since[u]]
	if !ok && len(s.donors) > 1 {
		for k, j := range s.donors {
			g, err := s.fit(ctx, j, slices.Delete(slices.Clone(s.donors), k, k+1), s.from, s.end)
			if err != nil {
				return err
			}
			others = append(others, g)
		}
		placebos[s.p.Since[u]] = others
	}
	for i := range others {
		row.KKTGap = max(row.KKTGap, others[i].solution.Gap)
	}
	donors, err := s.without(ctx, &f)
	if err != nil {
		return err
	}
	if err := s.backdate(ctx, u); err != nil {
		return err
	}

	row.ATT, row.RMSPEAfter, row.Ratio = f.att, math.Sqrt(f.after), finite(f.ratio())
	row.Observed = 0
	for t := s.from; t < s.end; t++ {
		row.Observed += s.p.Y[u][t] / float64(s.end-s.from)
	}
	row.Expected = row.Observed - f.att
	s.optimal(&f)
	out.Placebos = append(out.Placebos, s.rank(&f, others)...)
	out.Donors = append(out.Donors, donors...)
	for t, period := range s.p.Periods {
		out.Gaps = append(out.Gaps, GapRow{
			Unit: row.Unit, Period: int64(period), After: t >= s.from, Observed: effect.Round(s.p.Y[u][t]),
			Synthetic: effect.Round(s.p.Y[u][t] - f.gaps[t]), Gap: effect.Round(f.gaps[t]),
		})
	}
	return nil
}

// comparable judges the time before the change.
func (s *study) comparable(f *fit) error {
	row := s.row
	spread, size, above, below := 0.0, 0.0, []string{}, []string{}
	for t := range s.from {
		at := func(u int) float64 { return s.p.Y[u][t] }
		spread += s.variance(s.donors, at) / float64(s.from)
		size += at(f.unit) * at(f.unit) / float64(s.from)
		low, high := math.Inf(1), math.Inf(-1)
		for _, j := range s.donors {
			low, high = min(low, at(j)), max(high, at(j))
		}
		switch period := fmt.Sprint(s.p.Periods[t]); {
		case at(f.unit) > high:
			above = append(above, period)
		case at(f.unit) < low:
			below = append(below, period)
		}
	}
	prefit := 0.0 // infinite where donors do not differ and the unit is unlike them
	if f.before > 0 {
		prefit = math.Sqrt(f.before / spread)
	}
	row.PreFit = finite(prefit)
	where, outside := "above", above
	if len(below) > len(above) {
		where, outside = "below", below
	}
	row.Outside = float64(len(outside)) / float64(s.from)
	const cure = "choose donors that are like the unit before the change, or do not judge it by synthetic control"
	switch {
	case row.Outside > s.MaxOutside:
		return &effect.Refusal{
			Code: RefusalNotComparable,
			Why: fmt.Sprintf("unit %s lies %s every donor in %d of %d periods before the change (%s), where no weights reach it; the largest share allowed is %v",
				row.Unit, where, len(outside), s.from, some(outside), s.MaxOutside),
			Cure: cure,
		}
	case spread <= 1e-24*size && f.before <= 1e-24*size: // nothing but rounding
		return &effect.Refusal{
			Code: effect.RefusalNoVariation,
			Why:  "all units are alike before the change, so that nothing tells one weight from another",
			Cure: "check the outcome",
		}
	case prefit > s.MaxPreFit:
		return &effect.Refusal{
			Code: RefusalNotComparable,
			Why: fmt.Sprintf("before the change unit %s differs from its synthetic control by %.4g (root mean square), which is %.4g times the spread between donors; the largest allowed is %v",
				row.Unit, row.RMSPEBefore, prefit, s.MaxPreFit),
			Cure: cure,
		}
	case f.before == 0:
		s.warn(WarnPerfectFit)
	case prefit > weakFit:
		s.warn(WarnWeakFit)
	}
	return nil
}

// optimal fills the range of the ATT over all weights that fit as well.
func (s *study) optimal(f *fit) {
	row, size := s.row, 0.0
	after := make([]float64, len(f.donors))
	for k, j := range f.donors {
		for t := s.from; t < s.end; t++ {
			after[k] += s.p.Y[j][t] / float64(s.end-s.from)
		}
		size = max(size, math.Abs(after[k]))
	}
	row.OptimalLow, row.OptimalHigh = f.att, f.att
	if f.solution.Rank == f.solution.Active {
		return
	}
	low, high := f.solution.Range(after)
	if high-low <= 1e-9*size {
		return
	}
	row.OptimalLow, row.OptimalHigh = min(row.Observed-high, f.att), max(row.Observed-low, f.att)
	s.warn(WarnNotUnique)
}

// without returns the donors with weight, each with the ATT without it.
func (s *study) without(ctx context.Context, f *fit) (rows []DonorRow, err error) {
	row, low, high := s.row, math.Inf(1), math.Inf(-1)
	for k, j := range f.donors {
		w := f.solution.Weights[k]
		if !(w > 0) {
			continue
		}
		donor := DonorRow{Unit: row.Unit, Donor: s.p.Units[j], Weight: effect.Round(w), WithoutATT: math.NaN(), WithoutRMSPE: math.NaN()}
		if len(f.donors) > 1 {
			g, err := s.fit(ctx, f.unit, slices.Delete(slices.Clone(f.donors), k, k+1), s.from, s.end)
			if err != nil {
				return nil, err
			}
			donor.WithoutATT, donor.WithoutRMSPE = effect.Round(g.att), effect.Round(math.Sqrt(g.before))
			low, high = min(low, g.att), max(high, g.att)
		}
		rows = append(rows, donor)
	}
	slices.SortStableFunc(rows, func(a, b DonorRow) int { return cmp.Compare(b.Weight, a.Weight) })
	row.Weighted = int64(len(rows))
	row.WithoutLow, row.WithoutHigh = finite(low), finite(high)
	if len(rows) == 1 {
		s.warn(WarnOneDonor)
	}
	return rows, nil
}

// backdate fills what the time before the change shows of a change that did not
// come.
func (s *study) backdate(ctx context.Context, u int) error {
	switch from := s.from - s.Backdate; {
	case s.Backdate == 0:
		return nil
	case from < s.MinBefore:
		s.warn(WarnNotBackdated)
		return nil
	default:
		f, err := s.fit(ctx, u, s.donors, from, s.from)
		if err != nil {
			return err
		}
		s.row.BackdatedTo = int64(s.p.Periods[from])
		s.row.BackdatedATT, s.row.BackdatedFit = f.att, math.Sqrt(f.before)
		return nil
	}
}

// rank fills what the placebos say, and returns a row for each.
func (s *study) rank(f *fit, others []fit) []PlaceboRow {
	row := s.row
	counted, dropped := []*fit{f}, []*fit(nil)
	for i := range others {
		if s.DropWorse > 0 && others[i].before > s.DropWorse*f.before {
			dropped = append(dropped, &others[i])
		} else {
			counted = append(counted, &others[i])
		}
	}
	slices.SortStableFunc(counted, func(a, b *fit) int {
		return cmp.Or(cmp.Compare(b.ratio(), a.ratio()), cmp.Compare(a.unit, b.unit))
	})
	var rows []PlaceboRow
	add := func(g *fit, rank int) {
		rows = append(rows, PlaceboRow{
			Unit: row.Unit, Placebo: s.p.Units[g.unit], ATT: effect.Round(g.att), RMSPEBefore: effect.Round(math.Sqrt(g.before)),
			RMSPEAfter: effect.Round(math.Sqrt(g.after)), Ratio: effect.Round(finite(g.ratio())), Rank: int64(rank),
		})
	}
	for i, g := range counted {
		rank := i + 1
		for rank < len(counted) && counted[rank].ratio() == g.ratio() {
			rank++
		}
		add(g, rank)
		if g == f {
			row.Rank = int64(rank)
		}
	}
	slices.SortFunc(dropped, func(a, b *fit) int { return cmp.Compare(a.unit, b.unit) })
	for _, g := range dropped {
		add(g, 0)
	}
	row.Ranked = int64(len(counted))
	row.P = float64(row.Rank) / float64(row.Ranked)

	// A p-value is above 1 - confidence when at least so many placebos have a ratio as
	// large.
	enough := int(math.Floor((1-s.Confidence)*float64(len(counted)) + 1e-9))
	if enough == 0 {
		s.warn(WarnFewPlacebos)
		return rows
	}
	var ratios []float64 // of the placebos, descending
	for _, g := range counted {
		if g != f {
			ratios = append(ratios, g.ratio())
		}
	}
	// mean (gap - effect)^2 = (after - att^2) + (effect - att)^2 must not exceed the
	// ratio of that placebo times before.
	if len(ratios) < enough || f.before == 0 || math.IsInf(ratios[enough-1], 1) {
		return rows
	}
	room := ratios[enough-1]*f.before - (f.after - f.att*f.att)
	if room < 0 {
		s.warn(WarnNoConstant)
		return rows
	}
	row.Low, row.High = f.att-math.Sqrt(room), f.att+math.Sqrt(room)
	return rows
}

// finite is NaN for an infinite number.
func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}
