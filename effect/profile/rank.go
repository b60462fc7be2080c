package profile

import (
	"cmp"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// OnTarget is a figure about a population that it shares with every figure it
// is ranked with: a directly standardised mean, or a mean of one population
// divided at random. An indirectly standardised figure, such as the difference
// of a cell from its own expectation, is not one: two of them are about
// different citizens, and their order means nothing.
type OnTarget struct{ Mean, SE float64 }

// Better says which way an outcome is to be read.
type Better string

// The directions.
const (
	High Better = "high"
	Low  Better = "low"
)

// Names lists the directions.
func (Better) Names() []string { return []string{string(High), string(Low)} }

// RankOptions says how figures are ranked. Start from [DefaultRank].
type RankOptions struct {
	Better     Better  // High or Low; "" is High
	Confidence float64 // of the rank intervals
}

// DefaultRank has high figures first, with intervals at 95 %.
func DefaultRank() RankOptions { return RankOptions{Better: High, Confidence: 0.95} }

// Rank is a place among figures, 1 for the best.
type Rank struct {
	Rank int // 1 and the number of figures that are better; equal ones share it
	// Expected is 1 and the sum over the others of the probability that they are
	// truly better.
	Expected  float64
	Low, High int     // interval of the true rank
	First     float64 // probability of being truly the best
}

// MaxRanked is the largest number of figures that [Ranks] takes.
const MaxRanked = 500

// Ranks gives each figure its place and how sure it is. The true values are
// taken as independent and normal around the figures with their standard errors.
// Given the true value t of one, the number of better ones is a sum of
// independent trials with probabilities P(theirs better than t), whose exact
// distribution is averaged over t by the trapezoid rule, at steps small against
// the standard errors of all: nothing is drawn at random. The interval leaves
// at most (1 - confidence)/2 of the probability on each side.
//
// A standard error may be 0. Where true values can be equal, half of the chance
// counts as better. The steps are at least 1/256 of a standard error: where the
// others' are smaller than that, probabilities of a rank are good to 0.002.
//
// It refuses without figures, with one that is not finite or has a negative
// standard error, and with more than [MaxRanked]. One figure has rank 1.
func Ranks(figures []OnTarget, o RankOptions) ([]Rank, error) {
	k := len(figures)
	switch {
	case k == 0:
		return nil, noFigures()
	case k > MaxRanked:
		return nil, &effect.Refusal{Code: RefusalTooMany, Why: "there are too many figures to rank", Cure: "rank within smaller groups"}
	case !(o.Confidence > 0 && o.Confidence < 1), o.Better != "" && o.Better != High && o.Better != Low:
		return nil, notFinite()
	}
	sorted, order := make([]OnTarget, k), make([]int, k)
	for i, f := range figures {
		if math.IsNaN(f.Mean-f.Mean) || !(f.SE >= 0) || math.IsInf(f.SE, 0) {
			return nil, notFinite()
		}
		order[i] = i
		if o.Better == Low {
			f.Mean = -f.Mean
		}
		sorted[i] = f
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(sorted[a].Mean, sorted[b].Mean), cmp.Compare(sorted[a].SE, sorted[b].SE))
	})
	unsorted := slices.Clone(sorted)
	for at, i := range order {
		sorted[at] = unsorted[i]
	}
	out := make([]Rank, k)
	for at, i := range order {
		out[i] = rank(sorted, at, (1-o.Confidence)/2)
	}
	return out, nil
}

// rank is that of one of the figures, in all of which more is better.
func rank(figures []OnTarget, at int, tail float64) Rank {
	me := figures[at]
	r := Rank{Rank: 1, Expected: 1}
	step := 0.25
	for j, f := range figures {
		if j == at {
			continue
		}
		if f.Mean > me.Mean {
			r.Rank++
		}
		r.Expected += above(f.Mean, math.Hypot(f.SE, me.SE), me.Mean)
		if me.SE > 0 && f.SE < me.SE*step {
			step = f.SE / me.SE
		}
	}
	step = max(step, 1.0/256)
	nodes := 0
	if me.SE > 0 {
		nodes = int(8.5 / step)
	}
	mass, total := make([]float64, len(figures)), 0.0
	given := make([]float64, 0, len(figures))
	for n := -nodes; n <= nodes; n++ {
		x := float64(n) * step
		weight := math.Exp(-x * x / 2)
		total += weight
		given = append(given[:0], 1)
		for j, f := range figures {
			if j != at {
				given = addTrial(given, above(f.Mean, f.SE, me.Mean+x*me.SE))
			}
		}
		for s, m := range given {
			mass[s] += weight * m
		}
	}
	r.First = mass[0] / total
	// Rounding must not decide a limit.
	tail = (tail + 1e-12) * total
	below := 0.0
	for s, m := range mass {
		if below += m; below > tail {
			r.Low = s + 1
			break
		}
	}
	beyond := 0.0
	for s := len(mass) - 1; s >= 0; s-- {
		if beyond += mass[s]; beyond > tail {
			r.High = s + 1
			break
		}
	}
	return r
}
