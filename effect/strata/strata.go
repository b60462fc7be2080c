// Package strata compares a cell with comparators of the same declared classes:
// indirect standardisation. It is the method that aggregated outcomes of other
// municipalities support in full, with the same figures as their records.
package strata

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Method is indirect standardisation over the classes. Start from [Default].
//
// With p_s the share of the cell in stratum s and m_s the comparators' mean
// outcome there, the expectation is the sum of p_s m_s: what the cell would have
// achieved had each of its citizens done as the comparators of the same
// stratum. Cases in strata without comparators are left uncovered and counted;
// beyond MaxUncovered of the cell the method refuses.
//
// The variance of m_s is the sample variance in the stratum over n_s; a stratum
// with fewer than 5 comparators has at least the pooled one, because a few can
// be alike by chance.
type Method struct {
	Classes      []effect.Class
	MaxUncovered float64
}

// Default refuses a cell of which more than a fifth has no comparators.
func Default(classes ...effect.Class) Method { return Method{Classes: classes, MaxUncovered: 0.2} }

// Name is "strata".
func (Method) Name() string { return "strata" }

// Uses lists the classified covariates.
func (m Method) Uses() []string {
	var out []string
	for _, c := range m.Classes {
		out = append(out, c.Covariate)
	}
	return out
}

// total is the outcome of one municipality's comparators in one stratum.
type total struct{ n, sum, squares float64 }

// Expect standardises the comparators' outcomes to the cell's strata.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	co, err := effect.Classify(c.Cases, m.Classes)
	if err != nil {
		return effect.Expectation{}, err
	}
	if err := effect.Stopped(ctx); err != nil { // a pass over the cases takes milliseconds
		return effect.Expectation{}, err
	}
	w := newClassed(c, co)
	if err := effect.Stopped(ctx); err != nil {
		return effect.Expectation{}, err
	}
	e := effect.Expectation{Converged: true, Columns: len(w.keys)}
	for _, s := range c.Strata {
		key, ok, err := co.KeyOf(s.Classes)
		if err != nil {
			return e, err
		}
		if at := w.at(key); ok && at >= 0 && s.N != 0 {
			w.add(at, w.column(s.Municipality), total{float64(s.N), s.Sum, s.SumSquares})
		}
	}
	if len(c.Strata) > 0 {
		e.Warnings = append(e.Warnings, "aggregated_comparators")
	}

	// The cell, over the cases whose stratum has comparators.
	w.settle()
	e.Rank = len(w.told)
	e.Covered = make([]bool, len(c.In))
	var rows []int32
	var residuals []float64
	for k, i := range c.In {
		at := w.in[k]
		if e.Covered[k] = w.n[at] != 0; !e.Covered[k] {
			continue
		}
		rows, residuals = append(rows, i), append(residuals, c.Y[i]-w.mean[at])
		e.Observed += c.Y[i]
	}
	e.N = len(rows)
	if e.N == 0 {
		return e, &effect.Refusal{Code: effect.RefusalNoComparators, Why: "no stratum of the cell has comparators", Cure: "declare fewer or coarser classes"}
	}
	if uncovered := 1 - float64(e.N)/float64(len(c.In)); uncovered > m.MaxUncovered {
		return e, &effect.Refusal{
			Code: effect.RefusalUncovered,
			Why:  fmt.Sprintf("%.0f %% of the cell is in strata without comparators", 100*uncovered),
			Cure: "declare fewer or coarser classes, or more peers",
		}
	}
	e.Observed /= float64(e.N)
	for _, at := range w.told {
		e.Expected += w.inCell[at] / float64(e.N) * w.mean[at]
	}
	e.VarCell = c.MeanVariance(rows, residuals)
	return e, spread(&e, c, w)
}

// classed are a comparison's outcomes in the strata that the cell has, which are numbered
// in the order of their keys.
type classed struct {
	keys    []int // of the strata, ascending
	in, out []int // the stratum of each case of the cell and of each comparator, -1 where the cell has none of it

	inCell []float64
	totals [][]total // by stratum and column, one a municipality; shorter where the last have none
	names  []string  // the municipalities of the columns
	index  map[string]int

	told    []int // strata with comparators
	order   []int // columns by name
	n, mean []float64
}

// newClassed takes the comparators of the records in; what is aggregated is to be added.
func newClassed(c *effect.Comparison, co *effect.Classifier) *classed {
	w := &classed{in: make([]int, len(c.In)), out: make([]int, len(c.Out)), index: map[string]int{}}
	for k, i := range c.In {
		w.in[k] = co.Key(i)
	}
	w.keys = slices.Compact(slices.Sorted(slices.Values(w.in)))
	w.inCell, w.totals = make([]float64, len(w.keys)), make([][]total, len(w.keys))
	for k, key := range w.in {
		w.in[k] = w.at(key)
		w.inCell[w.in[k]]++
	}
	columns := make([]int, len(c.Cases.Municipality.Levels)+1) // plus one, by the code plus one: 0 where it is not looked up yet
	for k, i := range c.Out {
		at := w.at(co.Key(i))
		if w.out[k] = at; at < 0 {
			continue
		}
		code := c.Cases.Municipality.CodeAt(int(i))
		if columns[code+1] == 0 {
			columns[code+1] = 1 + w.column(c.Cases.Municipality.Level(code))
		}
		y := c.Y[i]
		w.add(at, columns[code+1]-1, total{1, y, y * y})
	}
	return w
}

// at finds the stratum with a key, -1 where the cell has none of it.
func (w *classed) at(key int) int {
	if at, ok := slices.BinarySearch(w.keys, key); ok {
		return at
	}
	return -1
}

// column finds the column of a municipality.
func (w *classed) column(municipality string) int {
	k, ok := w.index[municipality]
	if !ok {
		k = len(w.names)
		w.index[municipality], w.names = k, append(w.names, municipality)
	}
	return k
}

func (w *classed) add(at, column int, t total) {
	if more := column + 1 - len(w.totals[at]); more > 0 {
		w.totals[at] = append(w.totals[at], make([]total, more)...)
	}
	old := &w.totals[at][column]
	old.n, old.sum, old.squares = old.n+t.n, old.sum+t.sum, old.squares+t.squares
}

// settle sums the strata up when everything has been added.
func (w *classed) settle() {
	w.order = make([]int, len(w.names))
	for k := range w.order {
		w.order[k] = k
	}
	slices.SortFunc(w.order, func(a, b int) int { return strings.Compare(w.names[a], w.names[b]) })
	w.n, w.mean = make([]float64, len(w.keys)), make([]float64, len(w.keys))
	for at := range w.keys {
		var t total
		for _, one := range w.of(at) {
			t = total{t.n + one.n, t.sum + one.sum, t.squares + one.squares}
		}
		if t.n != 0 {
			w.told = append(w.told, at)
			w.n[at], w.mean[at] = t.n, t.sum/t.n
		}
	}
}

// of are the columns that have comparators in a stratum, with their totals, by name.
func (w *classed) of(at int) iter.Seq2[int, total] {
	return func(yield func(int, total) bool) {
		for _, k := range w.order {
			if k < len(w.totals[at]) && w.totals[at][k].n != 0 && !yield(k, w.totals[at][k]) {
				return
			}
		}
	}
}

// fewComparators is where a stratum's own variance is not trusted.
const fewComparators = 5

// spread fills in what the comparators contribute to the variance.
func spread(e *effect.Expectation, c *effect.Comparison, w *classed) error {
	// deviation is the sum of (Y - m_s)^2 of a total.
	deviation := func(t total, m float64) float64 { return max(0, t.squares-2*m*t.sum+t.n*m*m) }
	var pooled, freedom float64
	few, own := false, make([]float64, len(w.keys))
	for _, at := range w.told {
		for _, t := range w.of(at) {
			own[at] += deviation(t, w.mean[at])
			e.Comparators += int(t.n)
		}
		pooled += own[at]
		freedom += w.n[at] - 1
		few = few || w.n[at] < fewComparators
	}
	if freedom == 0 {
		return &effect.Refusal{Code: effect.RefusalNoVariation, Why: "no stratum has two comparators", Cure: "declare fewer or coarser classes, or more peers"}
	}
	if few {
		e.Warnings = append(e.Warnings, "strata_with_few_comparators")
	}
	place := make([]int, len(w.names)) // of a column among the municipalities, plus one
	weight := make([]float64, len(w.keys))
	for _, at := range w.told {
		weight[at] = w.inCell[at] / float64(e.N) / w.n[at]
		e.MaxWeight = max(e.MaxWeight, weight[at])
		for column, t := range w.of(at) {
			if place[column] == 0 {
				e.Municipalities = append(e.Municipalities, effect.MunicipalityPart{Municipality: w.names[column]})
				place[column] = len(e.Municipalities)
			}
			p, w2 := &e.Municipalities[place[column]-1], weight[at]*weight[at]
			p.N += int(t.n)
			p.Weight += weight[at] * t.n
			p.Residual += weight[at] * (t.sum - t.n*w.mean[at])
			p.SumWeights2 += w2 * t.n
			if w.n[at] < fewComparators && (w.n[at] == 1 || own[at]/(w.n[at]-1) < pooled/freedom) {
				p.SumSquares += w2 * t.n * pooled / freedom
			} else {
				p.SumSquares += w2 * deviation(t, w.mean[at]) * w.n[at] / (w.n[at] - 1)
			}
		}
	}
	e.Finish()
	columns := make([]int, len(e.Municipalities))
	for j, p := range e.Municipalities {
		columns[j] = w.index[p.Municipality]
	}
	e.Visible = effect.Visible(len(e.Municipalities), func(j, l int) float64 {
		// Of municipality l's effect, the stratum means carry its share of each
		// stratum, and j's residuals lose it by j's own mix.
		lost := 0.0
		for _, at := range w.told {
			if in := w.totals[at]; columns[j] < len(in) && columns[l] < len(in) {
				lost += weight[at] * in[columns[j]].n / e.Municipalities[j].Weight * in[columns[l]].n / w.n[at]
			}
		}
		return lost
	})
	if len(c.Strata) == 0 {
		for k, i := range c.Out {
			if at := w.out[k]; at >= 0 {
				e.Out, e.Weights = append(e.Out, i), append(e.Weights, weight[at])
			}
		}
	}
	if c.Repeats {
		influence := make([]float64, len(c.Out))
		for k, i := range c.Out {
			if at := w.out[k]; at >= 0 {
				influence[k] = weight[at] * (c.Y[i] - w.mean[at])
			}
		}
		e.VarComparators += c.Repeated(c.Out, influence)
	}
	return nil
}

// Totals aggregates the analysed cases to the lines a municipality can hand
// over: by municipality, match group, outcome, quarter of referral and classes,
// in that order. A person counts once per municipality, match group and
// outcome, with the earliest participation, as among a comparison's records.
func Totals(obs *effect.Observations, classes []effect.Class) ([]effect.StratumTotal, error) {
	c := obs.Cases
	co, err := effect.Classify(c, classes)
	if err != nil {
		return nil, err
	}
	type where struct{ municipality, scheme, group int32 }
	type line struct {
		where
		period string
		key    int
	}
	var out []effect.StratumTotal
	for k := range obs.Results {
		r := &obs.Results[k]
		members := map[where][]int32{}
		for i, ok := range r.Complete {
			if ok {
				w := where{c.Municipality.Codes[i], c.MatchScheme.Codes[i], c.MatchGroup.Codes[i]}
				members[w] = append(members[w], int32(i))
			}
		}
		index := map[line]int{}
		from := len(out)
		for w, rows := range members {
			for _, i := range effect.EarliestOfPerson(c, rows) {
				l := line{w, c.Referral[i].Quarter(), co.Key(i)}
				at, ok := index[l]
				if !ok {
					at = len(out)
					index[l] = at
					t := effect.StratumTotal{
						Municipality: c.Municipality.At(int(i)), MatchScheme: c.MatchScheme.At(int(i)), MatchGroup: c.MatchGroup.At(int(i)),
						Outcome: r.Outcome, Period: l.period, Classes: co.Labels(i),
					}
					out = append(out, t)
				}
				out[at].N++
				out[at].Sum += r.Value[i]
				out[at].SumSquares += r.Value[i] * r.Value[i]
			}
		}
		slices.SortFunc(out[from:], compareTotals)
	}
	return out, nil
}

func compareTotals(a, b effect.StratumTotal) int {
	return slices.Compare(
		append([]string{a.Municipality, a.MatchScheme, a.MatchGroup, a.Period}, a.Classes...),
		append([]string{b.Municipality, b.MatchScheme, b.MatchGroup, b.Period}, b.Classes...),
	)
}
