package effect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// MinPeers is the least number of peer municipalities from which the spread
// between municipalities can be told; with fewer, a comparison is refused.
const MinPeers = 4

// Design says how cells are compared. Start from [DefaultDesign].
type Design struct {
	// Peers lists, for each municipality, the municipalities it is compared
	// with. They were chosen before any outcome was looked at.
	Peers map[string][]string
	// Kin lists, for each provider, those left out with it; see [Kinship].
	Kin map[string][]string
	// Strata are aggregated outcomes of municipalities without records here.
	Strata []StratumTotal
	// Also lists comparators beyond Peers and Home, which are always used.
	Also []Comparators
	// ByPackage adds a cell for every offer package of a provider.
	ByPackage bool
	// Repeats says that each of a person's participations counts. Otherwise a
	// person counts once among a municipality's comparators, with the earliest.
	// Errors are clustered on person either way.
	Repeats bool
	MinN    int // persons needed to rate a cell
	// MinComparators is the effective number of comparators needed: with fewer,
	// their variance cannot be told.
	MinComparators float64
	Confidence     float64 // of every interval

	peersOnly bool      // make the comparison with the peers alone
	by        *division // what makes a cell, where not the provider
}

// DefaultDesign rates cells of 30 cases or more, against comparators that count
// as 30 or more, at 95 % confidence.
func DefaultDesign() Design { return Design{MinN: 30, MinComparators: 30, Confidence: 0.95} }

// ErrDesign is wrapped by errors about a design that cannot be carried out.
var ErrDesign = errors.New("effect: comparison cannot be made as declared")

func (d Design) validate(obs *Observations, methods []Method) error {
	var errs []error
	if d.MinN < 2 || !(d.Confidence > 0 && d.Confidence < 1) {
		errs = append(errs, fmt.Errorf("%w: the minimum n must be 2 or more, and the confidence between 0 and 1", ErrDesign))
	}
	for _, m := range methods {
		for _, name := range m.Uses() {
			if _, ok := obs.Cases.Covariate(name); !ok {
				errs = append(errs, fmt.Errorf("%w: method %s uses covariate %q, which the cases do not have", ErrDesign, m.Name(), name))
			}
		}
	}
	if slices.Contains(d.Also, WithoutOffer) && obs.Controls == nil {
		errs = append(errs, fmt.Errorf("%w: %s needs people on benefit without an offer (table caseload)", ErrDesign, WithoutOffer))
	}
	records := map[string]bool{}
	for i, c := range obs.Cases.Municipality.Codes {
		if len(obs.Results) > 0 && obs.Results[0].Reason[i] != ReasonOutsidePeriod {
			records[obs.Cases.Municipality.Levels[c]] = true
		}
	}
	if d.Repeats && len(d.Strata) > 0 {
		errs = append(errs, fmt.Errorf("%w: aggregated strata hold a person once, so they cannot stand beside each participation", ErrDesign))
	}
	for _, s := range d.Strata {
		if records[s.Municipality] {
			errs = append(errs, fmt.Errorf("%w: municipality %s has both records and aggregated strata; its citizens would count twice", ErrDesign, s.Municipality))
			records[s.Municipality] = false
		}
	}
	return errors.Join(errs...)
}

// group is a match scheme and match group, within which alone cases compare.
type group struct{ scheme, group int32 }

// sample is the analysed cases of one outcome, by match group and municipality.
type sample struct {
	cases   *Cases
	result  *Result
	members map[group]map[string][]int32
	// controls are people without an offer, who stand behind the cases.
	controls map[group]map[string][]int32
	strata   map[string][]StratumTotal // scheme, group and municipality, joined
	repeats  bool                      // some person has several analysed cases
	frames   *frames
}

// Estimates sets every cell against its comparators by every method, for every
// outcome. Rows come sorted by outcome (as declared), cell, method, comparators;
// a cell that cannot be estimated has a row with the refusal's code. Figures
// are rounded to nine significant digits.
func Estimates(ctx context.Context, obs *Observations, d Design, methods []Method) ([]Estimate, error) {
	if err := d.validate(obs, methods); err != nil {
		return nil, err
	}
	type task struct {
		s    *sample
		cell Cell
		in   []int32
		all  []int32 // the cohort's cases of the cell whatever became of them
		m    Method
	}
	// Tasks that differ in the outcome alone are done one after another, as they may be
	// about the same people: see twins.
	type kin struct {
		f    *frames
		cell Cell
		m    int
	}
	alike := map[kin]int{}
	var units [][]int
	label := d.label(obs.Cases)
	indexes := []cellIndex{obs.Cases.cellsBy(label, false)}
	if d.ByPackage && len(obs.Cases.Package.Codes) > 0 {
		indexes = append(indexes, obs.Cases.cellsBy(label, true))
	}
	var tasks []task
	n, all := obs.Cases.Len(), obs
	if slices.Contains(d.Also, WithoutOffer) {
		all = obs.join(obs.Controls)
	}
	// Controls have frames of their own, so that they move nothing else.
	shared, before := newFrames(obs), (*frames)(nil)
	if obs.Cases.Placebo != nil {
		before = newFrames(&Observations{Cases: obs.Cases.lagged(), Results: obs.Results})
	}
	samples := make([]*sample, 0, 2*len(obs.Results))
	for k := range all.Results {
		s := newSample(all.Cases, n, &all.Results[k], d)
		s.frames = shared
		samples = append(samples, s)
		if all.Cases.Placebo != nil {
			s := newSample(all.Cases.lagged(), n, all.Cases.placebo(&all.Results[k]), d)
			s.frames = before
			samples = append(samples, s)
		}
	}
	for _, s := range samples {
		for level, ix := range indexes {
			rows := make([][]int32, len(ix.list))
			all := make([][]int32, len(ix.list))
			for i, c := range ix.of {
				if !s.result.Reason[i].OutsideCohort() {
					all[c] = append(all[c], int32(i))
				}
				if s.result.Complete[i] {
					rows[c] = append(rows[c], int32(i))
				}
			}
			for c, cell := range ix.list {
				if level == 1 && cell.Package == "" {
					continue
				}
				for k, m := range methods {
					of := kin{s.frames, cell, k}
					unit, known := alike[of]
					if !known {
						unit = len(units)
						alike[of], units = unit, append(units, nil)
					}
					units[unit] = append(units[unit], len(tasks))
					tasks = append(tasks, task{s, cell, rows[c], all[c], m})
				}
			}
		}
	}
	slots := make([][]Estimate, len(tasks))
	errs := make([]error, len(tasks))
	count := Count(ctx, "comparing", "comparisons", int64(len(tasks)))
	err := each(ctx, len(units), func(u int) error {
		var others twins
		for _, t := range units[u] {
			if ctx.Err() != nil {
				return nil // which each returns
			}
			if slots[t], errs[t] = d.estimate(ctx, obs, tasks[t].s, tasks[t].cell, tasks[t].in, tasks[t].all, tasks[t].m, &others); errs[t] != nil {
				return nil
			}
			count.Add(1)
		}
		return nil
	})
	if err := Stopped(ctx); err != nil {
		return nil, err
	}
	for _, failed := range errs { // the first, so that failures do not depend on scheduling
		if failed != nil {
			return nil, failed
		}
	}
	if err != nil {
		return nil, err
	}
	return slices.Concat(slots...), nil
}

// each runs f for 0..n-1 on all processors and returns the first error by
// index, so that failures too do not depend on scheduling.
func each(ctx context.Context, n int, f func(int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				errs[i] = f(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return Stopped(ctx)
}

// newSample sorts the analysed cases, of which the first n are participations.
func newSample(c *Cases, n int, r *Result, d Design) *sample {
	s := &sample{cases: c, result: r, members: map[group]map[string][]int32{}, controls: map[group]map[string][]int32{}, strata: map[string][]StratumTotal{}}
	seen := make([]bool, c.Persons.Len())
	for i, ok := range r.Complete {
		if !ok {
			continue
		}
		of := s.members
		if i >= n {
			of = s.controls
		} else {
			s.repeats = s.repeats || seen[c.Person[i]]
			seen[c.Person[i]] = true
		}
		g := group{c.MatchScheme.Codes[i], c.MatchGroup.Codes[i]}
		if of[g] == nil {
			of[g] = map[string][]int32{}
		}
		m := c.Municipality.At(i)
		of[g][m] = append(of[g][m], int32(i))
	}
	for _, t := range d.Strata {
		if t.Outcome == r.Outcome {
			key := strataKey(t.MatchScheme, t.MatchGroup, t.Municipality)
			s.strata[key] = append(s.strata[key], t)
		}
	}
	return s
}

func strataKey(parts ...string) string { return strings.Join(parts, "\x00") }

// compare builds the comparison of a cell with one kind of comparators.
func (d Design) compare(s *sample, cell Cell, in, all []int32, kind Comparators) *Comparison {
	cases := s.cases
	c := &Comparison{
		Outcome: s.result.Outcome, Unit: s.result.Unit, Cell: cell, Comparators: kind,
		Cases: cases, Y: s.result.Value, In: in, Repeats: s.repeats, frames: s.frames,
	}
	g := group{cases.MatchScheme.Code(cell.MatchScheme), cases.MatchGroup.Code(cell.MatchGroup)}
	if kind == WithoutOffer {
		c.Repeats, c.frames = true, nil
		c.Out = sameMonths(cases, s.controls[g][cell.Municipality], in)
		return c
	}
	where := []string{cell.Municipality}
	if kind == Peers {
		for _, m := range d.Peers[cell.Municipality] {
			if m != cell.Municipality && !slices.Contains(where[1:], m) {
				where = append(where, m)
			}
		}
		where = where[1:]
	}
	// A later participation that the cohort leaves out does not make its person one
	// of the cell: who is referred again depends on what became of the first.
	inCell := make([]uint64, (cases.Persons.Len()+63)/64) // bits, as they are cleared for every cell
	for _, i := range all {
		p := cases.Person[i]
		inCell[p/64] |= 1 << (p % 64)
	}
	kin := make([]bool, len(cases.Provider.Levels))
	for _, p := range d.kin(cell.Provider) {
		if code := cases.Provider.Code(p); code >= 0 {
			kin[code] = true
		}
	}
	label := d.label(cases)
	code := label.Code(cell.Provider) // -1 for own projects, as in the cases
	same := func(i int32) bool { return len(label.Codes) == 0 || label.Codes[i] == code }
	most := 0
	for _, m := range where {
		most += len(s.members[g][m])
	}
	c.Out = make([]int32, 0, most)
	for _, m := range where {
		from := len(c.Out)
		for _, i := range s.members[g][m] {
			own := len(cases.Provider.Codes) == 0 || cases.Provider.Codes[i] < 0
			switch {
			case inCell[cases.Person[i]/64]>>(cases.Person[i]%64)&1 != 0, !own && kin[cases.Provider.Codes[i]]:
			case kind != Peers && same(i):
			case kind == OtherProviders && own, kind == OwnProjects && !own:
			default:
				c.Out = append(c.Out, i)
			}
		}
		if !d.Repeats && s.repeats {
			c.Out = append(c.Out[:from], EarliestOfPerson(cases, c.Out[from:])...)
		}
		if kind == Peers {
			c.Strata = append(c.Strata, s.strata[strataKey(cell.MatchScheme, cell.MatchGroup, m)]...)
		}
	}
	ascend(c.Out, cases.Len())
	return c
}

// ascend sorts rows under n of which none occurs twice, by ticking them off.
func ascend(rows []int32, n int) {
	if slices.IsSorted(rows) {
		return
	}
	ticked := make([]uint64, (n+63)/64)
	for _, i := range rows {
		ticked[i/64] |= 1 << (i % 64)
	}
	rows = rows[:0]
	for k, word := range ticked {
		for ; word != 0; word &= word - 1 {
			rows = append(rows, int32(64*k+bits.TrailingZeros64(word)))
		}
	}
}

// sameMonths keeps the rows referred in a month in which one of the cell's was.
func sameMonths(cases *Cases, rows, in []int32) []int32 {
	months := map[int]bool{}
	month := func(i int32) int {
		year, month, _ := cases.Referral[i].Time().Date()
		return 12*year + int(month)
	}
	for _, i := range in {
		months[month(i)] = true
	}
	return slices.DeleteFunc(slices.Clone(rows), func(i int32) bool { return !months[month(i)] })
}

// EarliestOfPerson keeps each person's earliest participation (ties: lowest id)
// of the rows given; it may reuse their slice.
func EarliestOfPerson(cases *Cases, rows []int32) []int32 {
	best := make(map[int32]int32, len(rows))
	for _, i := range rows {
		p := cases.Person[i]
		if j, ok := best[p]; !ok || cases.Referral[i] < cases.Referral[j] {
			best[p] = i
		}
	}
	if len(best) == len(rows) {
		return rows
	}
	return slices.DeleteFunc(rows, func(i int32) bool { return best[cases.Person[i]] != i })
}

// The values of Estimate.Support.
const (
	SupportOwn    = "own"
	SupportCommon = "common"
)

// estimate makes all rows of one cell, outcome and method.
func (d Design) estimate(ctx context.Context, obs *Observations, s *sample, cell Cell, in, all []int32, m Method, others *twins) ([]Estimate, error) {
	row := Estimate{Outcome: s.result.Outcome, Unit: s.result.Unit, Cell: cell, Method: m.Name(), Support: SupportOwn}
	row.Figures = counts(s.result, in, d.Confidence)
	row.Certificate = attended(s.result, all, obs.AsOf)
	row.Dated = dated(s.cases, m.Uses())
	type answer struct {
		c   *Comparison
		e   Expectation
		err error
	}
	ask := func(c *Comparison) (answer, error) {
		a := answer{c: c}
		switch {
		case len(c.In) == 0:
			a.err = &Refusal{RefusalNoCases, "no case of the cell has a complete window", "choose a later as_of or an earlier cohort"}
		case c.Persons(c.In) < d.MinN:
			a.err = &Refusal{RefusalFewCases, "the cell has fewer cases than the minimum", "wait for more cases, or look at a wider cell"}
		case len(c.Out) == 0 && len(c.Strata) == 0:
			a.err = &Refusal{RefusalNoComparators, "nobody is left to compare with", "declare other comparators or peers"}
		case c.Comparators == WithoutOffer && !(slices.Contains(m.Uses(), ReferralMonth) && slices.Contains(m.Uses(), ElapsedBenefit)):
			a.err = &Refusal{RefusalNotAligned, "people without an offer are comparable at the same month and benefit duration only", "let the method adjust for referral_month and elapsed_benefit_weeks"}
		default:
			a.e, a.err = others.expect(ctx, m, c)
		}
		if a.err == nil {
			a.e.certify(ctx, c, m.Uses(), s.result.Followed)
		}
		if a.err == nil && a.e.persons < d.MinN {
			a.err = &Refusal{RefusalFewCases, "fewer cases than the minimum have comparators", "use coarser classes or more peers"}
		}
		if a.err == nil && a.e.EffectiveN < d.MinComparators {
			a.err = &Refusal{RefusalFewComparators, "the comparators' weights count as too few persons", "declare more peers, or adjust for less"}
		}
		if a.err == nil && c.Comparators == Peers {
			a.err = a.e.checkPeers(c.Unit)
		}
		if _, refused := AsRefusal(a.err); a.err != nil && !refused {
			return a, fmt.Errorf("method %s, outcome %s: %w", m.Name(), c.Outcome, a.err)
		}
		return a, nil
	}
	answers := map[Comparators]answer{}
	var out []Estimate
	kinds := append([]Comparators{Peers, Home}, d.Also...)
	if d.peersOnly {
		kinds = kinds[:1]
	}
	for _, kind := range kinds {
		if _, twice := answers[kind]; twice {
			continue
		}
		a, err := ask(others.of(d.compare(s, cell, in, all, kind)))
		if err != nil {
			return nil, err
		}
		answers[kind] = a
		out = append(out, d.figures(row, kind, a.e, a.err))
	}
	peers, home := answers[Peers], answers[Home]
	if d.peersOnly || peers.err != nil || home.err != nil {
		return out, nil
	}
	// The parts add up only over cases that both comparisons cover. A method that
	// models the cell may then leave out others; in the end both cover all.
	for peers.err == nil && home.err == nil {
		keep, partial := make([]bool, len(peers.c.In)), false
		for k := range keep {
			keep[k] = (peers.e.Covered == nil || peers.e.Covered[k]) && (home.e.Covered == nil || home.e.Covered[k])
			partial = partial || !keep[k]
		}
		if !partial {
			break
		}
		var err error
		if peers, err = ask(peers.c.Restrict(keep)); err != nil {
			return nil, err
		}
		if home, err = ask(home.c.Restrict(keep)); err != nil {
			return nil, err
		}
	}
	if peers.err != nil || home.err != nil {
		return out, nil
	}
	row.Support = SupportCommon
	return append(out, d.figures(row, Peers, peers.e, nil), d.figures(row, Home, home.e, nil)), nil
}

// counts are the figures that need no comparators.
func counts(r *Result, in []int32, confidence float64) Figures {
	f := Figures{N: int64(len(in)), Confidence: confidence, Verdict: NotRated}
	sum := 0.0
	for _, i := range in {
		sum += r.Value[i]
	}
	f.Observed = Round(sum / float64(len(in)))
	f.Expected, f.Difference, f.SE, f.DF, f.Low, f.High = nan, nan, nan, nan, nan, nan
	return f
}

// attended starts a certificate with what became of the cell's cohort: for how
// many ended windows the registers tell what happened (death and emigration are
// known), and how many were lost, by cause.
func attended(r *Result, all []int32, asOf Date) Certificate {
	var ended, known, left, noClock float64
	for _, i := range all {
		if r.Reason[i] == ReasonNoClock {
			noClock++
		}
		if r.WindowEnd[i] == NoDate || r.WindowEnd[i] > asOf {
			continue
		}
		ended++
		if r.Reason[i] == ReasonLeft {
			left++
		}
		if r.Followed[i] || r.Reason[i] == ReasonLeft {
			known++
		}
	}
	return Certificate{
		FollowUp: Round(known / ended), LeftShare: Round(left / ended), NoClockShare: Round(noClock / float64(len(all))),
		FollowUpOut: nan, MeanSMD: nan, WorstSMD: nan, VarianceRatio: nan,
		EffectiveN: nan, MaxWeight: nan, VarCell: nan, VarComparators: nan, Sigma2B: nan, VarPeer: nan, SumW2: nan,
	}
}

func dated(cases *Cases, uses []string) float64 {
	ok := 0.0
	for _, name := range uses {
		if c, found := cases.Covariate(name); found && c.Dated {
			ok++
		}
	}
	if len(uses) == 0 {
		return 1
	}
	return Round(ok / float64(len(uses)))
}

// floor puts a floor under the variances where all citizens of the cell, or all
// its comparators, have the same outcome: their sample variance is 0, or that of
// fitted values alone, but another sample could have held another outcome. The
// variance of a share is then at least that of one more success and one more
// failure; of other units a side takes at least what one person of the other
// side has. It says whether it had to. Where both sides are so, and alike, there
// is nothing to tell an interval from, and told is false.
func (e *Expectation) floor(u Unit) (floored, told bool) {
	const rounding = 1e-18
	n, comparators := float64(e.N), e.EffectiveN
	in, out := e.equalIn, e.equalOut
	if u == UnitShare {
		// Of aggregates only the share itself can tell.
		equal := func(share float64) bool { return share < 1e-12 || share > 1-1e-12 }
		in, out = in || equal(e.Observed), out || equal(e.Expected)
		if in && out && math.Abs(e.Observed-e.Expected) < 0.5 {
			return true, false
		}
		variance := func(share, n float64) float64 {
			p := (float64(math.Round(share)*n) + 1) / (n + 2)
			return p * (1 - p) / n
		}
		if in {
			e.VarCell = max(e.VarCell, variance(e.Observed, n))
		}
		if out {
			e.VarComparators = max(e.VarComparators, variance(e.Expected, comparators))
		}
		return in || out, true
	}
	one, other := e.VarCell*n, e.VarComparators*comparators // of one person on either side
	in, out = in || one <= rounding*other, out || other <= rounding*one
	if in && out {
		return true, false
	}
	if in {
		e.VarCell = max(e.VarCell, other/n)
	}
	if out {
		e.VarComparators = max(e.VarComparators, one/comparators)
	}
	return in || out, true
}

// weighty counts the municipalities that carry weight.
func weighty(parts []MunicipalityPart) int {
	k := 0
	for _, p := range parts {
		if p.Weight != 0 {
			k++
		}
	}
	return k
}

// figures turns an expectation, or a refusal, into a row.
func (d Design) figures(row Estimate, kind Comparators, e Expectation, refused error) Estimate {
	row.Comparators = kind
	c := &row.Certificate
	if r, ok := AsRefusal(refused); ok {
		row.Refusal = r.Code
		return row
	}
	c.NComparators, c.EffectiveN, c.MaxWeight = int64(e.Comparators), Round(e.EffectiveN), Round(e.MaxWeight)
	c.Municipalities, c.Persons = int64(weighty(e.Municipalities)), int64(e.persons)
	c.FollowUpOut = Round(e.followed)
	c.MeanSMD, c.WorstSMD, c.WorstTerm, c.VarianceRatio = Round(e.balance.means), Round(e.balance.worst), e.balance.worstOf, Round(e.balance.varianceRatio)
	floored, told := e.floor(row.Unit)
	if floored {
		e.Warnings = append(e.Warnings, "all_outcomes_equal")
	}
	c.VarCell, c.VarComparators = Round(e.VarCell), Round(e.VarComparators)
	c.Rank, c.Columns, c.Converged = int64(e.Rank), int64(e.Columns), e.Converged
	c.Rung, c.ScoreNorm = e.Rung, Round(e.ScoreNorm)
	c.Warnings = strings.Join(e.Warnings, ";")
	if kind == Peers {
		b := e.between()
		c.Sigma2B, c.VarPeer, c.SumW2 = Round(b.sigma2), Round(b.varPeer), Round(b.sumW2)
	}
	row.NCompared, row.Expected = int64(e.N), Round(e.Expected)
	v := c.variance()
	row.Figures.judge(Round(e.Observed-e.Expected), v)
	if !told {
		row.refuse(RefusalNoVariation)
	}
	return row
}
