package jobeffekt

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// people are citizens of a provider and a match group with the same in both outcomes.
type people struct {
	provider, group string
	state           [2]string // yes, no, or why not analysed
	n               int64
}

// twoOutcomes are the families of outcomes "early" and "late" over people, and between them;
// each asks for those analysed and those who reached it, by cell, provider, group and in all.
func twoOutcomes(all []people) ([]*family, *between) {
	families := []*family{newFamily("early"), newFamily("late")}
	b := newBetween(families)
	for _, p := range all {
		var of []int32
		for i, f := range families {
			w := make([]string, dims)
			w[dimProvider], w[dimGroup], w[dimEnded], w[dimCohort] = p.provider, p.group, effect.Yes, effect.Yes
			if w[dimWhy] = p.state[i]; p.state[i] == effect.Yes || p.state[i] == effect.No {
				w[dimWhy], w[dimReached] = effect.StepAnalysed, p.state[i]
			}
			of = append(of, f.add(p.n, false, w...))
		}
		b.add(p.n, of)
	}
	for _, f := range families {
		for level, w := range asked() {
			f.each(level, w.analysed())
			f.each(level, w.halves()...)
			f.each(level, w)
		}
	}
	return families, b
}

// asked are those of whom both outcomes ask.
func asked() (out []where) {
	at := func(provider, group string) where {
		w := make(where, dims)
		w[dimProvider], w[dimGroup] = provider, group
		return w
	}
	out = append(out, at("", ""), at("", "4"), at("", "5"), at("a", ""), at("b", ""))
	for _, p := range []string{"a", "b"} {
		for _, g := range []string{"4", "5"} {
			out = append(out, at(p, g))
		}
	}
	return out
}

// workedOut are the groups of 1 to k-1 that somebody works out over the rational numbers who is
// told what the families tell: of those who are in one outcome and not in the other, or in
// both. It shares no code with what it attacks.
func workedOut(all []people, families []*family, k int64) (found []string) {
	type vector []*big.Rat
	var rows []vector
	left := func(in func(people) bool) vector {
		v := make(vector, len(all))
		for i, p := range all {
			if v[i] = new(big.Rat); in(p) && p.n > 0 {
				v[i].SetInt64(1)
			}
		}
		for _, r := range rows {
			at := slices.IndexFunc(r, func(x *big.Rat) bool { return x.Sign() != 0 })
			times := new(big.Rat).Quo(v[at], r[at])
			for i := range v {
				v[i].Sub(v[i], new(big.Rat).Mul(times, r[i]))
			}
		}
		return v
	}
	here := func(w where, p people) bool {
		return (w[dimProvider] == "" || w[dimProvider] == p.provider) && (w[dimGroup] == "" || w[dimGroup] == p.group)
	}
	analysed := func(s string) bool { return s == effect.Yes || s == effect.No }
	zero := func(v vector) bool { return !slices.ContainsFunc(v, func(x *big.Rat) bool { return x.Sign() != 0 }) }
	for i, f := range families {
		for k, c := range f.claims {
			if !f.told[k] || f.hushed != nil && f.hushed[k] {
				continue
			}
			for _, sum := range c.sums {
				w := sum[0].Where
				v := left(func(p people) bool {
					return here(w, p) && (w[dimWhy] == "" || analysed(p.state[i])) && (w[dimReached] == "" || w[dimReached] == p.state[i])
				})
				if !zero(v) {
					rows = append(rows, v)
				}
			}
		}
	}
	for _, w := range asked() {
		for what, in := range map[string]func(a, b string) bool{
			"early and not late":         func(a, b string) bool { return analysed(a) && !analysed(b) },
			"late and not early":         func(a, b string) bool { return analysed(b) && !analysed(a) },
			"reached early and not late": func(a, b string) bool { return a == effect.Yes && b != effect.Yes },
			"reached late and not early": func(a, b string) bool { return b == effect.Yes && a != effect.Yes },
			"not, then reached":          func(a, b string) bool { return a == effect.No && b == effect.Yes },
			"reached both":               func(a, b string) bool { return a == effect.Yes && b == effect.Yes },
			"neither":                    func(a, b string) bool { return !analysed(a) && !analysed(b) },
		} {
			n := int64(0)
			group := func(p people) bool { return here(w, p) && in(p.state[0], p.state[1]) }
			for _, p := range all {
				if group(p) {
					n += p.n
				}
			}
			if n > 0 && n < k && zero(left(group)) {
				found = append(found, fmt.Sprint(what, " ", w[dimProvider], w[dimGroup], ": ", n))
			}
		}
	}
	slices.Sort(found)
	return found
}

// The n of one outcome less that of another is who left between the ends of two windows: 253,
// 252 and 250 in a cell of the demonstration. One of them is told; what does not give it away stays told.
func TestBetweenOutcomes(t *testing.T) {
	all := []people{
		{"a", "4", [2]string{"yes", "yes"}, 100},
		{"a", "4", [2]string{"no", "no"}, 150},
		{"a", "4", [2]string{"no", "left"}, 3},
		{"a", "4", [2]string{"left", "left"}, 20},
		{"a", "5", [2]string{"yes", "yes"}, 60},
		{"a", "5", [2]string{"no", "no"}, 90},
		{"b", "4", [2]string{"yes", "yes"}, 70},
		{"b", "4", [2]string{"no", "no"}, 80},
		{"b", "4", [2]string{"no", "left"}, 30},
	}
	families, b := twoOutcomes(all)
	decideAll(families, 5)
	assert.NotContains(t, slices.Concat(families[0].told, families[1].told), false, "each outcome alone tells of nobody by himself")
	require.Contains(t, workedOut(all, families, 5), "early and not late a4: 3")
	b.decide(5, []int{0, 1})
	assert.Empty(t, workedOut(all, families, 5))
	assert.NotContains(t, families[0].hushed, true, "the first outcome is told whole")
	cell := make(where, dims)
	cell[dimProvider], cell[dimGroup] = "a", "4"
	claim := families[1].each(0, cell.analysed())
	assert.True(t, families[1].told[claim] && families[1].hushed[claim])
	cell[dimGroup] = "5"
	assert.False(t, families[1].hushed[families[1].each(0, cell.analysed())], "the same citizens in both")
}

// Whatever became of whom, nothing of few is worked out between two outcomes; without looking
// between them, often.
func TestNothingSmallBetweenOutcomes(t *testing.T) {
	caught := 0
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom([]int64{3, 5, 10}).Draw(t, "k")
		var all []people
		for _, provider := range []string{"a", "b"} {
			for _, group := range []string{"4", "5"} {
				for _, state := range [][2]string{{"yes", "yes"}, {"no", "no"}, {"yes", "left"}, {"no", "left"}, {"no", "yes"}, {"left", "left"}} {
					if n := rapid.Int64Range(0, 24).Draw(t, "n"); n > 0 {
						all = append(all, people{provider, group, state, n})
					}
				}
			}
		}
		families, b := twoOutcomes(all)
		if len(all) == 0 {
			return
		}
		decideAll(families, k)
		caught += len(workedOut(all, families, k))
		b.decide(k, []int{0, 1})
		require.Empty(t, workedOut(all, families, k))
	})
	assert.Positive(t, caught, "the attacker can")
}

// Which outcome is told before which: the effect that is paid, what a price is paid for, others.
func TestRankOfOutcomes(t *testing.T) {
	terms := []*bonus.Terms{{Versions: []bonus.Version{{Clauses: []bonus.Clause{
		{Measure: bonus.Measure{Reached: "price"}}, {Measure: bonus.Measure{Effect: "effect"}},
	}}}}}
	assert.Equal(t, []int{3, 1, 8}, rank([]*family{newFamily("price"), newFamily("effect"), newFamily("other")}, terms))
}

// An error to nine digits and the degrees of freedom are made of one number of citizens alone.
func TestHushedFiguresHaveThreeDigits(t *testing.T) {
	for in, want := range map[float64]float64{-0.0591496869: -0.0591, 0.205: 0.205, 2498: 2500, 0: 0, -9.996: -10} {
		assert.Equal(t, want, coarsely(in))
	}
}

// What is told to three digits keeps its sign and its order, and what is not certain stays so.
func TestCoarsely(t *testing.T) {
	for v, want := range map[float64]float64{0: 0, 1: 1, 0.99961: 0.999, 0.9949: 0.995, 1.0004: 1, -0.000123456: -0.000123, 123.4: 123} {
		assert.Equal(t, want, coarsely(v), v)
	}
}
