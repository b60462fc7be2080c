package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// The streams of draws. Each question has its own, so that another draw in one
// moves nothing in another.
const (
	streamCitizens = iota + 1
	streamCell
	streamOutcome
	streamMunicipality
)

// pool is what is drawn from: citizens by what they have in common, and figures.
type pool struct {
	seed   uint64
	strata [][][]int32 // those alike: a citizen is the indices of its cases
	size   int         // citizens
	rows   []effect.BenchmarkRow
	drawn  []figureDraw      // parallel to rows
	low    map[figureAt]bool // figures, without their cell, of which less is better
}

// figureDraw says how the error of a figure is drawn.
type figureDraw struct {
	cell, outcome, municipality uint64  // subjects of the streams; outcome is 0 for the first outcome
	alike                       float64 // correlation of the errors with those of the first outcome
	shared                      float64 // share of the variance that is between municipalities
}

// newPool lays out what the terms of any set need: the citizens of the providers
// under their agreements, and the figures that their clauses pay on.
func newPool(sets []*termsSet, obs *effect.Observations, estimates []effect.Estimate, benchmark []effect.BenchmarkRow, seed uint64) *pool {
	p := &pool{seed: seed, low: map[figureAt]bool{}}
	paid, outcomes := map[figureAt]bool{}, map[string]bool{}
	agreements := map[int32]bool{}
	for _, set := range sets {
		for _, clause := range set.effects() {
			m := &clause.Measure
			figure := figureAt{outcome: m.Effect, method: m.Method, part: effect.Part(m.Part)}
			paid[figure], outcomes[m.Effect] = true, true
			p.low[figure] = p.low[figure] || m.Better == bonus.Low
		}
		for _, from := range set.from {
			agreements[obs.Cases.Agreement.Code(from)] = true
		}
	}
	c := obs.Cases
	mine := map[[2]int32]bool{} // municipality and provider
	for i := range c.Len() {
		if provider := c.Provider.CodeAt(i); provider >= 0 && agreements[c.Agreement.CodeAt(i)] {
			mine[[2]int32{c.Municipality.CodeAt(i), provider}] = true
		}
	}
	p.citizens(obs, outcomes, func(i int) bool {
		return agreements[c.Agreement.CodeAt(i)] || mine[[2]int32{c.Municipality.CodeAt(i), c.Provider.CodeAt(i)}]
	})
	names := map[[2]string]bool{}
	for k := range mine {
		names[[2]string{c.Municipality.Levels[k[0]], c.Provider.Levels[k[1]]}] = true
	}
	order := slices.Sorted(maps.Keys(outcomes))
	alike := correlations(obs, p.strata, order)
	certificates := map[figureAt][]*effect.Estimate{}
	for i := range estimates {
		if e := &estimates[i]; e.Comparators == effect.Peers && e.Refusal == "" {
			k := figureAt{e.Outcome, e.Method, effect.Total, e.Cell}
			certificates[k] = append(certificates[k], e)
		}
	}
	for _, r := range benchmark {
		if !paid[figureAt{outcome: r.Outcome, method: r.Method, part: r.Part}] || !names[[2]string{r.Municipality, r.Provider}] {
			continue
		}
		d := figureDraw{
			cell:         subject(r.Municipality, r.MatchScheme, r.MatchGroup, r.Provider, r.Package),
			municipality: subject(r.Municipality),
			alike:        1,
		}
		if r.Outcome != order[0] {
			d.outcome = subject(r.Municipality, r.MatchScheme, r.MatchGroup, r.Provider, r.Package, r.Outcome)
			d.alike = alike[r.Outcome]
		}
		for _, e := range certificates[figureAt{r.Outcome, r.Method, r.Part, r.Cell}] {
			if e.SE == r.SE && e.Difference == r.Difference && e.Sigma2B > 0 {
				d.shared = min(1, e.Sigma2B*(1+e.SumW2)/(r.SE*r.SE))
			}
		}
		p.rows, p.drawn = append(p.rows, r), append(p.drawn, d)
	}
	return p
}

// subject is a number for names.
func subject(names ...string) uint64 {
	h := fnv.New64a()
	for _, name := range names {
		_, _ = fmt.Fprintf(h, "%d:%s", len(name), name) // a hash takes everything
	}
	return h.Sum64()
}

// citizens puts those together whose cases are alike in all that a settlement
// counts by: cell, package, agreement, whether they are of the cohort and whether their windows are over.
func (p *pool) citizens(obs *effect.Observations, outcomes map[string]bool, wanted func(i int) bool) {
	c := obs.Cases
	type person struct {
		cases []int32
		in    bool
	}
	persons := make([]person, c.Persons.Len())
	for i := range c.Len() {
		x := &persons[c.Person[i]]
		x.cases, x.in = append(x.cases, int32(i)), x.in || wanted(i)
	}
	index := map[string]int{}
	for _, x := range persons {
		if !x.in {
			continue
		}
		var key strings.Builder
		for _, i := range x.cases {
			for _, f := range []*effect.Factor{&c.Municipality, &c.MatchScheme, &c.MatchGroup, &c.Provider, &c.Package, &c.Agreement} {
				fmt.Fprintf(&key, "%d ", f.CodeAt(int(i)))
			}
			for k := range obs.Results {
				r := &obs.Results[k]
				if k == 0 {
					why := r.Reason[i]
					if !why.OutsideCohort() {
						why = effect.NoReason
					}
					fmt.Fprintf(&key, "%d ", why)
				}
				if outcomes[r.Outcome] {
					fmt.Fprintf(&key, "%t ", r.Complete[i])
				}
			}
			key.WriteByte('/')
		}
		k, ok := index[key.String()]
		if !ok {
			k = len(p.strata)
			index[key.String()] = k
			p.strata = append(p.strata, nil)
		}
		p.strata[k] = append(p.strata[k], x.cases)
		p.size++
	}
	// Neighbours share most of what they count by, so that a share of the citizens
	// is a share of every cell.
	keys := slices.SortedFunc(maps.Keys(index), cmp.Compare)
	sorted := make([][][]int32, len(keys))
	for k, key := range keys {
		sorted[k] = p.strata[index[key]]
	}
	p.strata = sorted
}

// draw is the citizens of a draw: as many as there are times volume, to the
// nearest number, from each of those alike or their neighbours.
func (p *pool) draw(i int, volume float64) [][]int32 {
	d := world.NewDraws(p.seed, streamCitizens, uint64(i))
	out := make([][]int32, 0, int(volume*float64(p.size))+1)
	until := 0
	for _, alike := range p.strata {
		until += len(alike)
		for len(out) < int(math.Round(volume*float64(until))) {
			out = append(out, alike[int(d.At(uint64(len(out)))*float64(len(alike)))])
		}
	}
	return out
}

// truths says what is true of the figures.
func (p *pool) truths(what Truth, relevant map[string]float64) map[figureAt]truth {
	out := map[figureAt]truth{}
	for i := range p.rows {
		r := &p.rows[i]
		t := truth{relevant: math.Inf(1)}
		v, known := relevant[r.Outcome]
		if known {
			t.relevant = v
		}
		switch what {
		case TruthMeasured:
			if t.difference = r.Difference; math.IsNaN(t.difference) {
				continue
			}
		case TruthRelevant:
			if t.difference = v; p.low[figureAt{outcome: r.Outcome, method: r.Method, part: r.Part}] {
				t.difference = -v
			}
		}
		out[figureAt{r.Outcome, r.Method, r.Part, r.Cell}] = t
	}
	return out
}

// normal turns a uniform number from [0, 1) into a normal one.
func normal(u float64) float64 {
	u += 0x1p-54 // the middle of its step, so that neither end is reached
	return math.Copysign(interval.Normal(math.Abs(2*u-1)), u-0.5)
}

// errors draws the errors of the figures in standard errors: of Student's t with
// their degrees of freedom, alike where they share citizens or municipalities.
func (p *pool) errors(i int) []float64 {
	out := make([]float64, len(p.rows))
	at := func(stream, subject uint64) float64 {
		return normal(world.NewDraws(p.seed, stream, subject).At(uint64(i)))
	}
	for k := range p.rows {
		r, d := &p.rows[k], &p.drawn[k]
		if !(r.SE > 0) || !(r.DF > 0) {
			continue
		}
		z := at(streamCell, d.cell)
		if d.outcome != 0 {
			z = float64(d.alike*z) + float64(math.Sqrt(1-float64(d.alike*d.alike))*at(streamOutcome, d.outcome))
		}
		if d.shared > 0 {
			z = float64(math.Sqrt(1-d.shared)*z) + float64(math.Sqrt(d.shared)*at(streamMunicipality, d.municipality))
		}
		out[k] = math.Copysign(interval.StudentT(r.DF, math.Erf(math.Abs(z)/math.Sqrt2)), z)
	}
	return out
}

// figures are the rows with their errors drawn around what is true.
func figuresAround(rows []effect.BenchmarkRow, truths map[figureAt]truth, errors []float64) []effect.BenchmarkRow {
	out := slices.Clone(rows)
	for k := range out {
		r := &out[k]
		t, ok := truths[figureAt{r.Outcome, r.Method, r.Part, r.Cell}]
		if !ok || r.Refusal != "" || !(r.SE > 0) || !(r.DF > 0) {
			continue
		}
		was := r.Difference
		r.Difference = effect.Round(t.difference + float64(r.SE*errors[k]))
		half := float64(interval.StudentT(r.DF, r.Confidence) * r.SE)
		r.Low, r.High = effect.Round(r.Difference-half), effect.Round(r.Difference+half)
		r.Observed = effect.Round(r.Observed + r.Difference - was)
		if r.Verdict == effect.NotRated {
			continue
		}
		switch {
		case r.Low > 0:
			r.Verdict = effect.Higher
		case r.High < 0:
			r.Verdict = effect.Lower
		default:
			r.Verdict = effect.NoDifference
		}
	}
	return out
}

// diagnostics are those of the figures.
func (p *pool) diagnostics(all []effect.Diagnostic) []effect.Diagnostic {
	wanted := map[figureAt]bool{}
	for i := range p.rows {
		r := &p.rows[i]
		wanted[figureAt{r.Outcome, r.Method, r.Part, r.Cell}] = true
	}
	var out []effect.Diagnostic
	for _, d := range all {
		if wanted[figureAt{d.Outcome, d.Method, d.Part, d.Cell}] {
			out = append(out, d)
		}
	}
	return out
}

// correlations are those of outcomes with the first of them, over the cases drawn
// from whose windows of both are over; 0 where they cannot be told.
func correlations(obs *effect.Observations, strata [][][]int32, outcomes []string) map[string]float64 {
	out := map[string]float64{}
	if len(outcomes) == 0 {
		return out
	}
	a, _ := obs.Result(outcomes[0])
	for _, name := range outcomes[1:] {
		b, ok := obs.Result(name)
		if !ok || a == nil {
			continue
		}
		var n, sa, sb, saa, sbb, sab float64
		for _, alike := range strata {
			for _, cases := range alike {
				for _, i := range cases {
					if x, y := a.Value[i], b.Value[i]; a.Complete[i] && b.Complete[i] && !math.IsNaN(x) && !math.IsNaN(y) {
						n++
						sa, sb = sa+x, sb+y
						saa, sbb, sab = saa+float64(x*x), sbb+float64(y*y), sab+float64(x*y)
					}
				}
			}
		}
		if r := (float64(n*sab) - float64(sa*sb)) / math.Sqrt((float64(n*saa)-float64(sa*sa))*(float64(n*sbb)-float64(sb*sb))); !math.IsNaN(r) {
			out[name] = max(-1, min(1, r))
		}
	}
	return out
}

// scenario is what is drawn for a set of terms: a truth at a volume.
type scenario struct {
	truth  Truth
	volume float64
}

// scenarios are those that are drawn: every truth that can be told, and the
// measured one at other volumes.
func (s *simulation) scenarios() []scenario {
	out := []scenario{{TruthMeasured, 1}}
	effects := 0
	told := true
	for _, set := range s.sets {
		for _, clause := range set.effects() {
			effects++
			_, known := s.near[clause.Measure.Effect]
			told = told && known
		}
	}
	if effects > 0 {
		out = append(out, scenario{TruthNone, 1})
		if told {
			out = append(out, scenario{TruthRelevant, 1})
		} else {
			s.out.Notes = append(s.out.Notes, "Nothing says which improvement is relevant for every outcome that is paid on, so that the chance of missing one is not told: name it, or let the gate require min_detectable_effect.")
		}
	}
	for _, v := range s.Volumes {
		out = append(out, scenario{TruthMeasured, v})
	}
	return out
}

// draw settles every set of terms on every draw.
func (s *simulation) draw(ctx context.Context) error {
	scenarios := s.scenarios()
	truths := map[scenario]map[figureAt]truth{}
	rows, diagnostics := map[float64][]effect.BenchmarkRow{}, map[float64][]effect.Diagnostic{}
	rows[1], diagnostics[1] = s.pool.rows, s.pool.diagnostics(s.b.Diagnostics)
	for _, x := range scenarios {
		truths[x] = s.pool.truths(x.truth, s.near)
		if rows[x.volume] == nil {
			rows[x.volume], diagnostics[x.volume] = s.atVolume(x.volume)
		}
	}
	// drawn[set][scenario][draw]
	drawn := make([][][]tally, len(s.sets))
	for k := range drawn {
		drawn[k] = make([][]tally, len(scenarios))
		for x := range scenarios {
			drawn[k][x] = make([]tally, s.Draws)
		}
	}
	count := effect.Count(ctx, "drawing", "draws", int64(s.Draws))
	err := inParallel(ctx, s.workers(), s.Draws, count, func(i int) error {
		errors := s.pool.errors(i)
		facts := map[float64][]bonus.Facts{} // of the sets
		for x, of := range scenarios {
			if facts[of.volume] == nil {
				lists := s.pool.draw(i, of.volume)
				for _, set := range s.sets {
					facts[of.volume] = append(facts[of.volume], set.facts(lists, nil, diagnostics[of.volume]))
				}
			}
			figures := figuresAround(rows[of.volume], truths[of], errors)
			for k, set := range s.sets {
				f := facts[of.volume][k]
				f.Benchmark = figures
				settled, err := bonus.Settle(ctx, set.terms, f)
				if err != nil {
					return fmt.Errorf("%w: %s: draw %d, %s, volume %s: %w", ErrSimulation, set.name, i+1, of.truth, multiple(of.volume), err)
				}
				drawn[k][x][i] = *set.tally(settled, truths[of])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for k, set := range s.sets {
		for x, of := range scenarios {
			s.describe(set, of, drawn[k][x], func(p payee) (chance, amount float64) {
				if of != (scenario{TruthNone, 1}) {
					return math.NaN(), math.NaN()
				}
				return expected(set.without, p)
			})
		}
	}
	for k, set := range s.sets {
		if !set.other {
			continue
		}
		for x, of := range scenarios {
			if of.volume == 1 {
				s.differ(set, of.truth, drawn[k][x], drawn[0][x])
			}
		}
	}
	return nil
}

// atVolume are the figures and diagnostics with another number of citizens. How
// many there are is counted on a draw: every draw has as many.
func (s *simulation) atVolume(volume float64) ([]effect.BenchmarkRow, []effect.Diagnostic) {
	few := effect.DefaultDesign().MinN
	if s.c.Compare.MinN != 0 {
		few = s.c.Compare.MinN
	}
	estimates := effect.AtVolume(s.e.Estimates, volume, few)
	benchmark := effect.Benchmark(estimates)
	type key struct {
		outcome string
		cell    effect.Cell
	}
	n := map[key]int64{}
	c := s.obs.Cases
	for _, cases := range s.pool.draw(0, volume) {
		for _, i := range cases {
			for k := range s.obs.Results {
				if r := &s.obs.Results[k]; r.Complete[i] {
					cell := effect.Cell{
						Municipality: c.Municipality.At(int(i)), MatchScheme: c.MatchScheme.At(int(i)), MatchGroup: c.MatchGroup.At(int(i)), Provider: c.Provider.At(int(i)),
					}
					n[key{r.Outcome, cell}]++
					if cell.Package = c.Package.At(int(i)); cell.Package != "" {
						n[key{r.Outcome, cell}]++
					}
				}
			}
		}
	}
	found := map[figureAt]*effect.BenchmarkRow{}
	for i := range benchmark {
		r := &benchmark[i]
		found[figureAt{r.Outcome, r.Method, r.Part, r.Cell}] = r
	}
	rows := slices.Clone(s.pool.rows)
	for k := range rows {
		at := figureAt{rows[k].Outcome, rows[k].Method, rows[k].Part, rows[k].Cell}
		if r := found[at]; r != nil {
			rows[k] = *r
		}
		rows[k].N = n[key{rows[k].Outcome, rows[k].Cell}]
		rows[k].NCompared = min(rows[k].NCompared, rows[k].N)
	}
	return rows, s.pool.diagnostics(effect.Diagnostics(estimates, benchmark))
}

// inParallel does work for the numbers from 0 to n-1 on some goroutines. The error is
// that of the lowest number that failed.
func inParallel(ctx context.Context, workers, n int, count *effect.Counted, work func(i int) error) error {
	var wait sync.WaitGroup
	var lock sync.Mutex
	next, failed, why := 0, n, error(nil)
	for range min(workers, n) {
		wait.Go(func() {
			for {
				lock.Lock()
				i := next
				next++
				done := i >= n || i > failed
				lock.Unlock()
				if done || ctx.Err() != nil {
					return
				}
				if err := work(i); err != nil {
					lock.Lock()
					if i < failed {
						failed, why = i, err
					}
					lock.Unlock()
				}
				count.Add(1)
			}
		})
	}
	wait.Wait()
	if err := effect.Stopped(ctx); err != nil {
		return err
	}
	return why
}

// amounts are what a payee is paid in each draw, by what.
func amounts(draws []tally, k payee, what func(paid) bonus.Ore) []float64 {
	out := make([]float64, len(draws))
	for i, t := range draws {
		out[i] = float64(what(t[k])) / 100
	}
	return out
}

// distribution describes amounts.
func distribution(x []float64) Distribution {
	n := float64(len(x))
	d := Distribution{Draws: int64(len(x)), Mean: mean(x)}
	squares := 0.0
	for _, v := range x {
		squares += float64((v - d.Mean) * (v - d.Mean))
	}
	d.SD = math.NaN()
	if n > 1 {
		d.SD = effect.Round(math.Sqrt(squares / (n - 1)))
	}
	d.MeanError = effect.Round(d.SD / math.Sqrt(n))
	d.Mean = effect.Round(d.Mean)
	sorted := slices.Sorted(slices.Values(x))
	at := func(p float64) float64 {
		return effect.Round(sorted[max(0, int(math.Ceil(p*n-1e-9))-1)])
	}
	d.P5, d.Median, d.P95, d.Most = at(0.05), at(0.5), at(0.95), effect.Round(sorted[len(sorted)-1])
	return d
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// shareOf is the share of draws of which something holds.
func shareOf(draws []tally, k payee, holds func(paid) bool) float64 {
	n := 0
	for _, t := range draws {
		if holds(t[k]) {
			n++
		}
	}
	return effect.Round(float64(n) / float64(len(draws)))
}

// payees are all who are paid, or have a line, in some draw, in order.
func payees(draws ...[]tally) []payee {
	found := map[payee]bool{}
	for _, of := range draws {
		for _, t := range of {
			for k := range t {
				found[k] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b payee) int {
		return cmp.Or(cmp.Compare(a.agreement, b.agreement), cmp.Compare(a.provider, b.provider), cmp.Compare(a.year, b.year))
	})
}

// describe adds the rows of one scenario; formula says what a provider without
// effect is paid by it.
func (s *simulation) describe(set *termsSet, of scenario, draws []tally, formula func(payee) (chance, amount float64)) {
	all, name := payees(draws), set.name
	years := map[string]map[string]bool{} // agreement: years
	for _, k := range all {
		if years[k.agreement] == nil {
			years[k.agreement] = map[string]bool{}
		}
		if k.year != "" {
			years[k.agreement][k.year] = true
		}
	}
	total := func(p paid) bonus.Ore { return p.total }
	without := func(p paid) bonus.Ore { return p.without }
	limits := func(p paid) bonus.Ore { return p.limits }
	for _, k := range all {
		d := distribution(amounts(draws, k, total))
		if k.provider == "" {
			row := SimulationTotal{
				Terms: name, Agreement: k.agreement, Year: k.year, Truth: of.truth, Volume: of.volume, Distribution: d,
				MeanWithout:   effect.Round(mean(amounts(draws, k, without))),
				ChanceLimited: shareOf(draws, k, func(p paid) bool { return p.limits != 0 }), MeanLimits: effect.Round(mean(amounts(draws, k, limits))),
				Budget: math.NaN(), ChanceOver: math.NaN(), MeanOver: math.NaN(),
			}
			if budget, ok := s.budget(set, k, slices.Sorted(maps.Keys(years[k.agreement]))); ok {
				row.Budget = effect.Round(float64(budget) / 100)
				row.ChanceOver = shareOf(draws, k, func(p paid) bool { return p.total > budget })
				row.MeanOver = effect.Round(mean(amounts(draws, k, func(p paid) bonus.Ore { return max(0, p.total-budget) })))
			}
			s.out.Totals = append(s.out.Totals, row)
			continue
		}
		row := SimulationRow{
			Terms: name, Agreement: k.agreement, Provider: k.provider, Year: k.year, Truth: of.truth, Volume: of.volume, Distribution: d,
			ChancePaid:    shareOf(draws, k, func(p paid) bool { return p.total > 0 }),
			MeanEffects:   effect.Round(mean(amounts(draws, k, func(p paid) bonus.Ore { return p.effects }))),
			MeanLimits:    effect.Round(mean(amounts(draws, k, limits))),
			ChanceWithout: shareOf(draws, k, func(p paid) bool { return p.without > 0 }), MeanWithout: effect.Round(mean(amounts(draws, k, without))),
			ExpectedChance: math.NaN(), ExpectedWithout: math.NaN(), ChanceMissed: math.NaN(),
		}
		could, missed := 0, 0
		for _, t := range draws {
			if p := t[k]; p.relevant {
				could++
				if !p.reached {
					missed++
				}
			}
		}
		if could > 0 {
			row.ChanceMissed = effect.Round(float64(missed) / float64(could))
		}
		if k.year == "" {
			row.ExpectedChance, row.ExpectedWithout = formula(k)
		}
		s.out.Rows = append(s.out.Rows, row)
		if s.KeepDraws && k.year != "" {
			for i, t := range draws {
				s.out.Draws = append(s.out.Draws, SimulationDraw{
					Terms: name, Agreement: k.agreement, Provider: k.provider, Year: k.year, Truth: of.truth, Volume: of.volume, Draw: int64(i + 1), Amount: t[k].total,
				})
			}
		}
	}
}

// budget is what may be paid under an agreement in a year, or in all the years that
// are paid in: what was asked for, or else the volumes and the ceiling that the
// terms tell under upkeep. ok is false where nobody says.
func (s *simulation) budget(set *termsSet, k payee, years []string) (most bonus.Ore, ok bool) {
	if s.Budget > 0 {
		if k.year == "" {
			return s.Budget * bonus.Ore(len(years)), true
		}
		return s.Budget, true
	}
	for _, t := range set.terms {
		if cmp.Or(set.world, set.from[t.Agreement]) != k.agreement || t.Upkeep == nil {
			continue
		}
		if k.year == "" && t.Upkeep.Ceiling != nil {
			return *t.Upkeep.Ceiling, true
		}
		found := 0
		for _, v := range t.Upkeep.Volume {
			if year := fmt.Sprintf("%04d", v.Year); year == k.year || k.year == "" && slices.Contains(years, year) {
				most, found = most+v.Amount, found+1
			}
		}
		return most, found > 0 && (k.year != "" || found == len(years))
	}
	return 0, false
}

// expected is what the formula says of a provider's effect clauses, by all of them
// together; NaN where it says nothing. The rows name the agreement of the data.
func expected(rows []bonus.Without, of payee) (chance, amount float64) {
	none, told := 1.0, false
	for _, w := range rows {
		if w.Agreement == of.agreement && w.Provider == of.provider && w.Told > 0 {
			none, amount, told = none*(1-w.Chance), amount+w.Amount, true
		}
	}
	if !told {
		return math.NaN(), math.NaN()
	}
	return effect.Round(1 - none), effect.Round(amount)
}

// differ sets a set's draws beside those of the first.
func (s *simulation) differ(set *termsSet, of Truth, draws, against []tally) {
	for _, k := range payees(draws, against) {
		if set.months != s.sets[0].months && k.year != "" {
			continue
		}
		x := make([]float64, len(draws))
		more, less := 0, 0
		for i := range draws {
			d := draws[i][k].total - against[i][k].total
			x[i] = float64(d) / 100
			if d > 0 {
				more++
			}
			if d < 0 {
				less++
			}
		}
		row := SimulationDifference{
			Terms: set.name, Against: s.sets[0].name, Agreement: k.agreement, Provider: k.provider, Year: k.year, Truth: of, Distribution: distribution(x),
			ChanceMore: effect.Round(float64(more) / float64(len(x))), ChanceLess: effect.Round(float64(less) / float64(len(x))),
		}
		half := float64(interval.StudentT(float64(len(x)-1), 0.95) * row.MeanError)
		row.Low, row.High = effect.Round(row.Mean-half), effect.Round(row.Mean+half)
		s.out.Differences = append(s.out.Differences, row)
	}
}
