package strata

import (
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Direct is direct standardisation: what each of several cells would have
// achieved with the citizens of one target population. Start from
// [DefaultDirect].
//
// With w_s the share of the target in stratum s, and m_s, s_s^2 and n_s the mean,
// the sample variance and the number of the cell's own cases there, the figure of
// a cell is the sum of w_s m_s, with variance the sum of w_s^2 s_s^2 / n_s,
// clustered on person.
//
// Every cell is standardised to the same target, which is what makes the figures
// comparable with each other. So a stratum that one of the compared cells has no
// case of is left out for all of them, and the shares of the others are raised
// to 1. A cell without cases for more than MaxUncovered of the target is
// refused; and so, from the one that lacks most on, are cells that together would
// leave out more than that.
type Direct struct {
	Classes      []effect.Class
	MaxUncovered float64
	MinN         int // cases that a cell needs, of all its strata and of those compared
}

// DefaultDirect refuses cells under 30 cases, and such as lack a fifth of the
// target.
func DefaultDirect(classes ...effect.Class) Direct {
	return Direct{Classes: classes, MaxUncovered: 0.2, MinN: 30}
}

// Target is a population: cases, or shares of joint classes.
type Target struct {
	Cases  []int32
	Shares []Share
}

// Share is the share of a target in one stratum, in any unit: what counts is
// its part of the sum.
type Share struct {
	Labels []string // in the order of the classes
	Share  float64
}

// Standardised is cells standardised to one target.
type Standardised struct {
	Strata  int       // strata of the target that the figures are about
	Covered float64   // the share of the target in them
	Figures []OneCell // in the order of the cells given
}

// OneCell is the directly standardised figure of one cell. With a Refusal its
// numbers are NaN and 0, but for N.
type OneCell struct {
	N         int     // cases of the cell
	NCompared int     // those in the strata compared
	Uncovered float64 // share of the target in strata without cases of the cell
	Mean      float64
	Variance  float64
	DF        float64 // Satterthwaite's, with n_s - 1 in each stratum
	Refusal   *effect.Refusal
}

// Standardise standardises each of the cells, lists of cases with the outcome y,
// to the target.
//
// A stratum with fewer than 5 of a cell's cases has at least the variance that
// is pooled over the cell's strata, because a few can be alike by chance. Where
// all outcomes of a cell are equal, its share has the variance of one more
// success and one more failure; other outcomes are refused.
//
// It is an error when the classes cannot be made, the shares are negative, not
// finite or all 0, or the target is empty.
// Source: breslowday1987.
func (d Direct) Standardise(cases *effect.Cases, y []float64, unit effect.Unit, target Target, cells [][]int32) (Standardised, error) {
	cl, err := effect.Classify(cases, d.Classes)
	if err != nil {
		return Standardised{}, err
	}
	weight, err := target.weights(cl)
	if err != nil {
		return Standardised{}, err
	}
	keys := make([]int, 0, len(weight))
	for key := range weight {
		keys = append(keys, key)
	}
	slices.Sort(keys)

	out := Standardised{Figures: make([]OneCell, len(cells))}
	has := make([]map[int][]int32, len(cells)) // a cell's cases by stratum
	for c, rows := range cells {
		f := &out.Figures[c]
		*f = OneCell{N: len(rows), Mean: math.NaN(), Variance: math.NaN(), DF: math.NaN()}
		has[c] = map[int][]int32{}
		for _, i := range rows {
			has[c][cl.Key(i)] = append(has[c][cl.Key(i)], i)
		}
		for _, key := range keys {
			if len(has[c][key]) == 0 {
				f.Uncovered += weight[key]
			}
		}
		switch {
		case f.N == 0:
			f.Refusal = &effect.Refusal{Code: effect.RefusalNoCases, Why: "no case of the cell has a complete window", Cure: "choose a later as_of or an earlier cohort"}
		case f.N < d.MinN:
			f.Refusal = &effect.Refusal{Code: effect.RefusalFewCases, Why: "the cell has fewer cases than the minimum", Cure: "wait for more cases, or look at a wider cell"}
		case f.Uncovered > d.MaxUncovered:
			f.Refusal = uncovered()
		}
	}
	common := out.common(d, keys, weight, has)
	share := 0.0
	for _, key := range common {
		share += weight[key]
	}
	out.Strata, out.Covered = len(common), share
	for c := range cells {
		if f := &out.Figures[c]; f.Refusal == nil {
			f.fill(d, cases, y, unit, common, weight, share, has[c])
		}
	}
	return out, nil
}

func uncovered() *effect.Refusal {
	return &effect.Refusal{Code: effect.RefusalUncovered, Why: "the cell has no cases in too much of the common target", Cure: "declare fewer or coarser classes, or a target that the cells share"}
}

// weights are the shares of the target by stratum, which sum to 1. A stratum
// that no case has gets a negative number of its own.
func (t Target) weights(cl *effect.Classifier) (map[int]float64, error) {
	weight := map[int]float64{}
	for _, i := range t.Cases {
		weight[cl.Key(i)]++
	}
	bad := len(t.Cases) > 0 && len(t.Shares) > 0
	sum := float64(len(t.Cases))
	for k, s := range t.Shares {
		key, ok, err := cl.KeyOf(s.Labels)
		if err != nil {
			return nil, err
		}
		if !ok {
			key = -1 - k
		}
		bad = bad || !(s.Share >= 0) || math.IsInf(s.Share, 0)
		weight[key] += s.Share
		sum += s.Share
	}
	if bad || !(sum > 0) || math.IsInf(sum, 0) {
		return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "the target is empty, or its shares are no shares", Cure: "give cases, or shares of 0 or more that do not sum to 0"}
	}
	for key, w := range weight {
		weight[key] = w / sum
	}
	return weight, nil
}

// common are the strata that every cell without a refusal has. It refuses those
// that lack most until enough of the target is left.
func (s *Standardised) common(d Direct, keys []int, weight map[int]float64, has []map[int][]int32) []int {
	for {
		var common []int
		lost, cells := 0.0, 0
		for _, key := range keys {
			all := weight[key] > 0
			for c := range has {
				all = all && (s.Figures[c].Refusal != nil || len(has[c][key]) > 0)
			}
			if all {
				common = append(common, key)
			} else {
				lost += weight[key]
			}
		}
		worst := 0.0
		for _, f := range s.Figures {
			if f.Refusal == nil {
				cells++
				worst = max(worst, f.Uncovered)
			}
		}
		if lost <= d.MaxUncovered || cells == 0 {
			return common
		}
		for c := range s.Figures {
			if f := &s.Figures[c]; f.Refusal == nil && f.Uncovered == worst {
				f.Refusal = uncovered()
			}
		}
	}
}

// fill works out a cell's figure over the common strata.
func (f *OneCell) fill(d Direct, cases *effect.Cases, y []float64, unit effect.Unit, common []int, weight map[int]float64, share float64, has map[int][]int32) {
	var rows []int32
	var influence []float64
	var successes, pooled, freedom, effective float64
	deviation := make([]float64, len(common))
	f.Mean = 0
	for k, key := range common {
		in := has[key]
		n, w := float64(len(in)), weight[key]/share
		mean := 0.0
		for _, i := range in {
			mean += y[i]
		}
		successes += mean
		mean /= n
		f.Mean += w * mean
		for _, i := range in {
			deviation[k] += (y[i] - mean) * (y[i] - mean)
			rows, influence = append(rows, i), append(influence, w/n*(y[i]-mean))
		}
		pooled += deviation[k]
		freedom += n - 1
		effective += w * w / n
	}
	f.NCompared = len(rows)
	refuse := func(code, why, cure string) {
		f.NCompared, f.Mean, f.Variance, f.DF = 0, math.NaN(), math.NaN(), math.NaN()
		f.Refusal = &effect.Refusal{Code: code, Why: why, Cure: cure}
	}
	switch {
	case f.NCompared < d.MinN:
		refuse(effect.RefusalFewCases, "fewer cases than the minimum are in the strata that all cells have", "declare fewer or coarser classes")
		return
	case freedom == 0:
		refuse(effect.RefusalNoVariation, "no stratum has two cases of the cell", "declare fewer or coarser classes")
		return
	}
	pooled /= freedom
	// Rounding of a mean is no variation.
	size := f.Mean * f.Mean
	if pooled <= 1e-18*size || pooled == 0 {
		if unit != effect.UnitShare {
			refuse(effect.RefusalNoVariation, "all outcomes of the cell are equal", "wait for more cases, or look at a wider cell")
			return
		}
		p := (successes + 1) / (float64(f.NCompared) + 2)
		f.Variance, f.DF = p*(1-p)*effective, freedom
		return
	}
	f.Variance = 0
	var down, borrowed float64
	for k, key := range common {
		n, w := float64(len(has[key])), weight[key]/share
		if n < fewComparators && (n == 1 || deviation[k]/(n-1) <= pooled) {
			borrowed += w * w * pooled / n
			continue
		}
		part := w * w * deviation[k] / (n - 1) / n
		f.Variance += part
		down += part * part / (n - 1)
	}
	f.Variance += borrowed
	down += borrowed * borrowed / freedom
	f.DF = f.Variance * f.Variance / down
	same := effect.Comparison{Cases: cases, Repeats: true}
	f.Variance += same.Repeated(rows, influence)
}
