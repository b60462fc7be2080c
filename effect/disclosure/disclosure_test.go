package disclosure_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/jobeffekt/jobeffekt/effect/disclosure"
)

func atoms(counts ...int64) (out []disclosure.Atom) {
	for _, n := range counts {
		out = append(out, disclosure.Atom{Counts: []int64{n}})
	}
	return out
}

func item(groups ...[]int32) disclosure.Item { return disclosure.Item{Groups: groups} }

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		atoms []disclosure.Atom
		items []disclosure.Item
		want  []bool
	}{
		"a small count, and one beside it that would give it away": {
			atoms(2, 30, 40),
			[]disclosure.Item{item([]int32{0, 1, 2}), item([]int32{0}), item([]int32{1}), item([]int32{2})},
			[]bool{true, false, true, false},
		},
		"the total comes last, and cannot be told": {
			atoms(2, 30, 40),
			[]disclosure.Item{item([]int32{0}), item([]int32{1}), item([]int32{2}), item([]int32{0, 1, 2})},
			[]bool{false, true, true, false},
		},
		"two small ones protect each other": {
			atoms(2, 4, 40),
			[]disclosure.Item{item([]int32{0, 1, 2}), item([]int32{0}), item([]int32{1}), item([]int32{2})},
			[]bool{true, false, false, true},
		},
		"small atoms make a group that may be told": {
			atoms(3, 4),
			[]disclosure.Item{item([]int32{0, 1}), item([]int32{0})},
			[]bool{true, false},
		},
		"all or none of an item": {
			atoms(3, 40, 50),
			[]disclosure.Item{item([]int32{1}, []int32{0}), item([]int32{0, 1}), item([]int32{1})},
			[]bool{false, true, false},
		},
		"rows and columns of a table": { // 2 20 / 30 40: one small count hides three more
			atoms(2, 20, 30, 40),
			[]disclosure.Item{item([]int32{0, 1}), item([]int32{2, 3}), item([]int32{0, 2}), item([]int32{1, 3}), item([]int32{1}), item([]int32{2}), item([]int32{3})},
			[]bool{true, true, true, true, false, false, false},
		},
		"nobody reached it": {
			[]disclosure.Atom{{Counts: []int64{12}}, {Counts: []int64{0}, Hidden: true}},
			[]disclosure.Item{item([]int32{0, 1}), item([]int32{0}, []int32{1}), item([]int32{0})},
			[]bool{true, false, false},
		},
		"a price gives the count away": {
			atoms(2, 30),
			[]disclosure.Item{item([]int32{1}), {Groups: [][]int32{{0, 1}}, Weights: [][]int64{{400000, 450000}}}},
			[]bool{true, false},
		},
		"a later run": {
			[]disclosure.Atom{{Counts: []int64{30, 33}}, {Counts: []int64{20, 27}}, {Counts: []int64{7, 3}}},
			[]disclosure.Item{
				{Groups: [][]int32{{0}}, Told: true},
				{Groups: [][]int32{{1}}, Told: true},
				{Groups: [][]int32{{0}}, Time: 1},
				{Groups: [][]int32{{1}}, Time: 1},
				{Groups: [][]int32{{0, 1}}, Time: 1},
				{Groups: [][]int32{{2}}, Time: 1},
			},
			[]bool{true, true, false, true, false, false},
		},
		"a change of a part beside that of all": {
			[]disclosure.Atom{{Counts: []int64{7, 8}}, {Counts: []int64{13, 17}}},
			[]disclosure.Item{
				{Groups: [][]int32{{0, 1}}, Told: true},
				{Groups: [][]int32{{0}}, Told: true},
				{Groups: [][]int32{{0, 1}}, Time: 1},
				{Groups: [][]int32{{0}}, Time: 1},
			},
			[]bool{true, true, true, false},
		},
		"nobody new": {
			[]disclosure.Atom{{Counts: []int64{30, 30}}},
			[]disclosure.Item{{Groups: [][]int32{{0}}, Told: true}, {Groups: [][]int32{{0}}, Time: 1}},
			[]bool{true, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := disclosure.Problem{MinCount: 5, Atoms: c.atoms, Items: c.items}
			assert.Equal(t, c.want, disclosure.Decide(p))
			p.MinCount = 1
			assert.NotContains(t, disclosure.Decide(p), false)
		})
	}
}
