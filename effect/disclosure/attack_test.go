package disclosure_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect/disclosure"
)

// attacker knows linear combinations of the counts of atoms, over the rationals: column a
// is what atom a counted first, column a + n what was added since.
type attacker struct{ rows [][]*big.Rat }

// left is what an attacker does not know of a vector.
func (k *attacker) left(v []int64) []*big.Rat {
	out := make([]*big.Rat, len(v))
	for i, x := range v {
		out[i] = big.NewRat(x, 1)
	}
	for _, r := range k.rows {
		p := pivot(r)
		if out[p].Sign() == 0 {
			continue
		}
		times := new(big.Rat).Quo(out[p], r[p])
		for i := range out {
			out[i].Sub(out[i], new(big.Rat).Mul(times, r[i]))
		}
	}
	return out
}

func (k *attacker) learn(v []int64) {
	if r := k.left(v); pivot(r) >= 0 {
		k.rows = append(k.rows, r)
	}
}

func (k *attacker) knows(v []int64) bool { return pivot(k.left(v)) < 0 }

// splits says whether a group is two that are known each: what was added to one and taken
// from the other is not about the few citizens that are left of it.
func (k *attacker) splits(v []int64) bool {
	var at []int
	for i, x := range v {
		if x != 0 {
			at = append(at, i)
		}
	}
	for set := 1; set < 1<<len(at)-1; set++ {
		part := make([]int64, len(v))
		for i, c := range at {
			if set>>i&1 == 1 {
				part[c] = v[c]
			}
		}
		if k.knows(part) { // and so the rest
			return true
		}
	}
	return false
}

func pivot(v []*big.Rat) int {
	for i, x := range v {
		if x.Sign() != 0 {
			return i
		}
	}
	return -1
}

// exposed counts the groups of fewer than k citizens that follow from what is told: every
// set of atoms at the first time, at the last, and what changed in it, but those that are
// put together from others that follow. It shares nothing with the package but the problem.
func exposed(p disclosure.Problem, told []bool) (n int) {
	atoms := len(p.Atoms)
	var k attacker
	for i, item := range p.Items {
		if !told[i] {
			continue
		}
		for _, g := range item.Groups {
			v := make([]int64, 2*atoms)
			for _, a := range g {
				v[a] = 1
				if item.Time == 1 {
					v[a+int32(atoms)] = 1
				}
			}
			known(p, v)
			k.learn(v)
		}
	}
	for set := 1; set < 1<<atoms; set++ {
		first, change := make([]int64, 2*atoms), make([]int64, 2*atoms)
		var was, added int64
		for a, atom := range p.Atoms {
			if set>>a&1 == 0 {
				continue
			}
			first[a], was = 1, was+atom.Counts[0]
			if len(atom.Counts) > 1 {
				change[a+atoms], added = 1, added+atom.Counts[1]-atom.Counts[0]
			}
		}
		last := make([]int64, 2*atoms)
		for i := range last {
			last[i] = first[i] + change[i]
		}
		for _, secret := range []struct {
			v []int64
			n int64
		}{{first, was}, {change, added}, {last, was + added}}[:min(2*len(p.Atoms[0].Counts)-1, 3)] {
			known(p, secret.v)
			if size := max(secret.n, -secret.n); size > 0 && size < p.MinCount && k.knows(secret.v) && !k.splits(secret.v) {
				n++
			}
		}
	}
	return n
}

// known takes out of a vector what everybody knows: that nobody was where nobody was, and
// that nothing changed where nothing did.
func known(p disclosure.Problem, v []int64) {
	for a, atom := range p.Atoms {
		if atom.Counts[0] == 0 {
			v[a] = 0
		}
		if len(atom.Counts) < 2 || atom.Counts[1] == atom.Counts[0] {
			v[a+len(p.Atoms)] = 0
		}
	}
}

// problems are small families of counts: up to seven atoms, any groups of them.
func problems(times int) *rapid.Generator[disclosure.Problem] {
	return rapid.Custom(func(t *rapid.T) disclosure.Problem {
		p := disclosure.Problem{MinCount: rapid.SampledFrom([]int64{3, 5, 10}).Draw(t, "k")}
		for range rapid.IntRange(2, 7).Draw(t, "atoms") {
			p.Atoms = append(p.Atoms, disclosure.Atom{Counts: rapid.SliceOfN(rapid.Int64Range(0, 14), times, times).Draw(t, "counts")})
		}
		for time := range times {
			for range rapid.IntRange(1, 8).Draw(t, "items") {
				item := disclosure.Item{Time: time}
				for range rapid.IntRange(1, 2).Draw(t, "groups") {
					set := rapid.IntRange(1, 1<<len(p.Atoms)-1).Draw(t, "set")
					var g []int32
					for a := range p.Atoms {
						if set>>a&1 == 1 {
							g = append(g, int32(a))
						}
					}
					item.Groups = append(item.Groups, g)
				}
				p.Items = append(p.Items, item)
			}
		}
		return p
	})
}

// Whatever the family and the order, no group of few citizens follows from what is told,
// and what follows from it is told.
func TestNothingSmallFollows(t *testing.T) {
	for times := 1; times <= 2; times++ {
		rapid.Check(t, func(t *rapid.T) {
			p := problems(times).Draw(t, "problem")
			require.Zero(t, exposed(p, disclosure.Decide(p)))
		})
	}
}

// Telling all but small counts, as is often done, gives small ones away: the attacker finds them.
func TestTheAttackerFinds(t *testing.T) {
	p := disclosure.Problem{MinCount: 5, Atoms: atoms(2, 30, 40), Items: []disclosure.Item{item([]int32{0, 1, 2}), item([]int32{0}), item([]int32{1}), item([]int32{2})}}
	require.Equal(t, 1, exposed(p, []bool{true, false, true, true}))
	require.Zero(t, exposed(p, disclosure.Decide(p)))
	later := disclosure.Problem{
		MinCount: 5,
		Atoms:    []disclosure.Atom{{Counts: []int64{30, 33}}},
		Items:    []disclosure.Item{{Groups: [][]int32{{0}}}, {Groups: [][]int32{{0}}, Time: 1}},
	}
	require.Equal(t, 1, exposed(later, []bool{true, true}))
	require.Zero(t, exposed(later, disclosure.Decide(later)))
}

// What can be worked out is told even where it stood before what it follows from.
func TestWhatFollowsIsTold(t *testing.T) {
	p := disclosure.Problem{MinCount: 5, Atoms: atoms(9, 8, 7, 6)}
	for set := range 1 << 4 {
		var g []int32
		for a := range 4 {
			if set>>a&1 == 1 {
				g = append(g, int32(a))
			}
		}
		p.Items = append(p.Items, item(g))
	}
	require.NotContains(t, disclosure.Decide(p), false)
}
