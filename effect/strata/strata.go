// Package strata compares a cell with comparators of the same declared classes:
// indirect standardisation. It is the method that aggregated outcomes of other
// municipalities support in full, with the same figures as their records.
package strata

import (
	"context"
	"fmt"
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
func (m Method) Expect(_ context.Context, c *effect.Comparison) (effect.Expectation, error) {
	co, err := effect.Classify(c.Cases, m.Classes)
	if err != nil {
		return effect.Expectation{}, err
	}
	inCell := map[int]float64{}
	keys := make([]int, len(c.In))
	for k, i := range c.In {
		keys[k] = co.Key(i)
		inCell[keys[k]]++
	}
	totals := map[int]map[string]total{} // only strata that the cell has
	add := func(key int, municipality string, t total) {
		if inCell[key] == 0 || t.n == 0 {
			return
		}
		if totals[key] == nil {
			totals[key] = map[string]total{}
		}
		old := totals[key][municipality]
		totals[key][municipality] = total{old.n + t.n, old.sum + t.sum, old.squares + t.squares}
	}
	e := effect.Expectation{Converged: true, Columns: len(inCell)}
	for _, i := range c.Out {
		y := c.Y[i]
		add(co.Key(i), c.Cases.Municipality.At(int(i)), total{1, y, y * y})
	}
	for _, s := range c.Strata {
		key, ok, err := co.KeyOf(s.Classes)
		if err != nil {
			return e, err
		}
		if ok {
			add(key, s.Municipality, total{float64(s.N), s.Sum, s.SumSquares})
		}
	}
	if len(c.Strata) > 0 {
		e.Warnings = append(e.Warnings, "aggregated_comparators")
	}

	// The cell, over the cases whose stratum has comparators.
	mean := map[int]float64{}
	strata := make([]int, 0, len(totals))
	n := map[int]float64{}
	for key, by := range totals {
		strata = append(strata, key)
		var t total
		for _, one := range sorted(by) {
			t = total{t.n + one.n, t.sum + one.sum, t.squares + one.squares}
		}
		mean[key], n[key] = t.sum/t.n, t.n
	}
	slices.Sort(strata)
	e.Rank = len(strata)
	e.Covered = make([]bool, len(c.In))
	var rows []int32
	var residuals []float64
	for k, i := range c.In {
		m, ok := mean[keys[k]]
		e.Covered[k] = ok
		if !ok {
			continue
		}
		rows, residuals = append(rows, i), append(residuals, c.Y[i]-m)
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
	for _, key := range strata {
		e.Expected += inCell[key] / float64(e.N) * mean[key]
	}
	e.VarCell = c.MeanVariance(rows, residuals)
	return e, spread(&e, c, co, strata, inCell, totals, mean, n)
}

// fewComparators is where a stratum's own variance is not trusted.
const fewComparators = 5

// spread fills in what the comparators contribute to the variance.
func spread(e *effect.Expectation, c *effect.Comparison, co *effect.Classifier, strata []int, inCell map[int]float64, totals map[int]map[string]total, mean, n map[int]float64) error {
	// deviation is the sum of (Y - m_s)^2 of a total.
	deviation := func(t total, m float64) float64 { return max(0, t.squares-2*m*t.sum+t.n*m*m) }
	var pooled, freedom float64
	few, own := false, map[int]float64{}
	for _, key := range strata {
		for _, t := range sorted(totals[key]) {
			own[key] += deviation(t.total, mean[key])
			e.Comparators += int(t.n)
		}
		pooled += own[key]
		freedom += n[key] - 1
		few = few || n[key] < fewComparators
	}
	if freedom == 0 {
		return &effect.Refusal{Code: effect.RefusalNoVariation, Why: "no stratum has two comparators", Cure: "declare fewer or coarser classes, or more peers"}
	}
	if few {
		e.Warnings = append(e.Warnings, "strata_with_few_comparators")
	}
	index := map[string]int{}
	mix := map[string]map[int]float64{} // weight of each stratum in a municipality
	for _, key := range strata {
		w := inCell[key] / float64(e.N) / n[key]
		e.MaxWeight = max(e.MaxWeight, w)
		for _, t := range sorted(totals[key]) {
			k, ok := index[t.municipality]
			if !ok {
				k = len(e.Municipalities)
				index[t.municipality] = k
				e.Municipalities = append(e.Municipalities, effect.MunicipalityPart{Municipality: t.municipality})
			}
			p := &e.Municipalities[k]
			p.N += int(t.n)
			p.Weight += w * t.n
			p.Residual += w * (t.sum - t.n*mean[key])
			p.SumWeights2 += w * w * t.n
			if n[key] < fewComparators && (n[key] == 1 || own[key]/(n[key]-1) < pooled/freedom) {
				p.SumSquares += w * w * t.n * pooled / freedom
			} else {
				p.SumSquares += w * w * deviation(t.total, mean[key]) * n[key] / (n[key] - 1)
			}
			if mix[t.municipality] == nil {
				mix[t.municipality] = map[int]float64{}
			}
			mix[t.municipality][key] = w * t.n
		}
	}
	e.Finish()
	e.Visible = effect.Visible(len(e.Municipalities), func(j, l int) float64 {
		// Of municipality l's effect, the stratum means carry its share of each
		// stratum, and j's residuals lose it by j's own mix.
		a, b := e.Municipalities[j], e.Municipalities[l].Municipality
		lost := 0.0
		for _, key := range strata {
			lost += mix[a.Municipality][key] / a.Weight * totals[key][b].n / n[key]
		}
		return lost
	})
	if len(c.Strata) == 0 {
		for _, i := range c.Out {
			if key := co.Key(i); n[key] > 0 {
				e.Out, e.Weights = append(e.Out, i), append(e.Weights, inCell[key]/float64(e.N)/n[key])
			}
		}
	}
	if c.Repeats {
		influence := make([]float64, len(c.Out))
		for k, i := range c.Out {
			if key := co.Key(i); n[key] > 0 {
				influence[k] = inCell[key] / float64(e.N) / n[key] * (c.Y[i] - mean[key])
			}
		}
		e.VarComparators += c.Repeated(c.Out, influence)
	}
	return nil
}

type named struct {
	municipality string
	total
}

func sorted(by map[string]total) []named {
	out := make([]named, 0, len(by))
	for m, t := range by {
		out = append(out, named{m, t})
	}
	slices.SortFunc(out, func(a, b named) int { return strings.Compare(a.municipality, b.municipality) })
	return out
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
