// Package disclosure says which of a family of counts of citizens may be told, so that no
// count of few of them can be worked out from those that are: not from one, nor from
// several by adding and subtracting, nor beside what was told earlier.
//
// # The model
//
// Atoms are groups of citizens that no count of the family divides: every count is a sum
// over atoms. What is told is a set of linear equations in the counts of the atoms, and
// whatever an attacker works out by adding and subtracting is in their span.
//
// A group is protected where it counts 1 to k-1, k being [Problem.MinCount], and where
// it counts 0 and an atom of it is [Atom.Hidden]. As counts are not negative, a group of
// fewer than k consists of atoms of fewer than k, the small ones. So only what the span
// says of small atoms alone matters. With rows in echelon form, each having a pivot that
// no later row has, and large atoms being taken for pivots where there are any, that is
// the span of the rows without large atoms: a sum of rows in which another takes part
// has that row's pivot. In that span the protected groups are looked for one by one: in
// reduced form a sum of rows that is the indicator of a group takes each row once or not
// at all.
//
// Publications at several times are one family: a count at a later time is the earlier
// one and a change. Changes of atoms may be negative, so that they always belong to the
// small ones, and a change of 1 to k-1 either way is protected too.
//
// # What it does not see
//
// It is exact for what can be worked out exactly. It does not see bounds that follow from
// counts not being negative (of 5 = a + b, a is at most 5), nor that counts are whole, nor
// what somebody knows from elsewhere. See hundepool2012.
package disclosure

import (
	"encoding/binary"
	"slices"
)

// Atom is a group of citizens that no count divides.
type Atom struct {
	// Counts are what the atom counted at each time, the last being now; none is
	// negative.
	Counts []int64
	// Hidden says that a count of 0 is not known: that nobody of a group reached an
	// outcome tells what became of each of them.
	Hidden bool
}

// Item is something that somebody wants to tell: the counts of its groups, all of them or
// none.
type Item struct {
	// Groups are atoms by number, each once. A group without atoms counts nobody, and is
	// known to.
	Groups [][]int32
	// Weights are what an atom of a group is multiplied by in the sum that is told, as by
	// a price: by group as Groups, and in it all alike or by atom; not 0. nil: all by 1.
	Weights [][]int64
	// Time is the publication it belongs to.
	Time int
	// Told says that it went out: it is known, whatever else.
	Told bool
}

// Problem is a family of counts.
type Problem struct {
	// MinCount is the count under which a group is protected; 1 or less protects none.
	MinCount int64
	Atoms    []Atom
	// Items are in the order of importance: what stands first is told if it can be,
	// and what comes later only if it can be beside that, or if it follows from it. Those told at earlier times
	// stand first.
	Items []Item
}

// maxSearch is how many sums of rows are looked at for one item. One that needs more is
// not told.
const maxSearch = 1 << 14

// Decide says of every item whether it is told. The same problem has the same answer. An
// item that went out earlier always is.
func Decide(p Problem) []bool {
	told := make([]bool, len(p.Items))
	if p.MinCount <= 1 {
		for i := range told {
			told[i] = true
		}
		return told
	}
	s := newSystem(p)
	for i, item := range p.Items {
		told[i] = s.tell(item)
	}
	// What follows from what is told is known anyway, wherever it stood.
	for i, item := range p.Items {
		told[i] = told[i] || s.follows(item)
	}
	return told
}

// system is what is known so far. Its columns are atoms that no item of the problem tells
// apart, taken together: what they counted first, and each change since.
type system struct {
	k       int64
	column  [][]int32 // by class of atoms and time; -1 where there is nothing to know
	class   []int32   // by atom
	value   []int64   // of columns, from here on
	change  []bool
	small   []bool
	degree  []int32 // how many groups it is in
	pivotOf []int32 // row whose pivot it is, -1 for none
	rows    []row   // rows with large columns, in the order in which they were known
	smalls  []row   // the span of small columns, reduced: no pivot is in another row
	reducer []int32 // of small columns: row of smalls whose pivot it is, -1 for none
	within  [][]int32
	scratch []uint64
	undo    []func()
}

// row is a vector over columns, sparse; the pivot's entry is 1.
type row struct {
	pivot int32
	at    []int32 // ascending
	entry []uint64
}

func newSystem(p Problem) *system {
	s := &system{k: p.MinCount, class: make([]int32, len(p.Atoms))}
	// Atoms that the same groups hold are one class.
	signature := make([][]byte, len(p.Atoms))
	number := uint64(0)
	for _, item := range p.Items {
		for i, g := range item.Groups {
			for j, a := range g {
				signature[a] = binary.AppendUvarint(signature[a], number)
				signature[a] = binary.AppendVarint(signature[a], item.weight(i, j))
			}
			number++
		}
	}
	classes := map[string]int32{}
	var counts [][]int64
	var hidden []bool
	for a, atom := range p.Atoms {
		c, ok := classes[string(signature[a])]
		if !ok {
			c = int32(len(counts))
			classes[string(signature[a])] = c
			counts, hidden = append(counts, make([]int64, len(atom.Counts))), append(hidden, false)
		}
		s.class[a] = c
		hidden[c] = hidden[c] || atom.Hidden
		for t, n := range atom.Counts {
			counts[c][t] += n
		}
	}
	s.column = make([][]int32, len(counts))
	for c, n := range counts {
		few := slices.Min(n) < s.k // at some time
		s.column[c] = make([]int32, len(n))
		for t := range n {
			s.column[c][t] = -1
			switch {
			case t == 0 && (n[0] > 0 || hidden[c]):
				s.column[c][t] = s.add(n[0], false, few)
			case t > 0 && n[t] != n[t-1]:
				s.column[c][t] = s.add(n[t]-n[t-1], true, true)
			}
		}
	}
	s.scratch = make([]uint64, len(s.value))
	s.within = make([][]int32, len(s.value))
	for _, item := range p.Items {
		for i := range item.Groups {
			columns, _ := s.vector(item, i)
			for _, c := range columns {
				s.degree[c]++
			}
		}
	}
	return s
}

func (s *system) add(value int64, change, small bool) int32 {
	s.value, s.change, s.small = append(s.value, value), append(s.change, change), append(s.small, small)
	s.degree, s.pivotOf, s.reducer = append(s.degree, 0), append(s.pivotOf, -1), append(s.reducer, -1)
	return int32(len(s.value) - 1)
}

// weight is what the j-th atom of the i-th group is multiplied by.
func (t Item) weight(i, j int) int64 {
	switch {
	case t.Weights == nil || t.Weights[i] == nil:
		return 1
	case len(t.Weights[i]) == 1:
		return t.Weights[i][0]
	}
	return t.Weights[i][j]
}

// vector is the columns that a group of an item is the sum of, ascending, with what each
// is multiplied by.
func (s *system) vector(item Item, i int) (columns []int32, by []int64) {
	weights := map[int32]int64{}
	for j, a := range item.Groups[i] {
		for t := 0; t <= item.Time; t++ {
			if c := s.column[s.class[a]][t]; c >= 0 {
				weights[c] = item.weight(i, j) // the same for all atoms of a class, which come together
			}
		}
	}
	for c := range weights {
		columns = append(columns, c)
	}
	slices.Sort(columns)
	for _, c := range columns {
		by = append(by, weights[c])
	}
	return columns, by
}

// tell makes the groups of an item known, all of them or, where that would tell of few
// citizens, none.
func (s *system) tell(item Item) bool {
	s.undo = s.undo[:0]
	for i := range item.Groups {
		v, by := s.vector(item, i)
		if !item.Told && s.protected(v) || !s.know(v, by, item.Told) {
			for _, back := range slices.Backward(s.undo) {
				back()
			}
			return false
		}
	}
	return true
}

// follows says whether an item can be worked out from what is known. One that has changed by
// few does not count as one that can: its parts may be known, of which some grew by many and
// others shrank by as many, and not that they belong together.
func (s *system) follows(item Item) bool {
	for i, g := range item.Groups {
		v, by := s.vector(item, i)
		if s.protected(v) || len(s.reduce(v, by).at) > 0 {
			return false
		}
		since := int64(0)
		for t := item.Time; t > 0; t-- {
			seen := map[int32]bool{} // atoms of a class come together
			for _, a := range g {
				if c := s.column[s.class[a]][t]; c >= 0 && !seen[c] {
					seen[c] = true
					since += s.value[c]
				}
			}
			if s.few(since, false) {
				return false
			}
		}
	}
	return true
}

// protected says whether a group may not be told of, by itself.
func (s *system) protected(columns []int32) bool {
	n, first := int64(0), false
	for _, c := range columns {
		n += s.value[c]
		first = first || !s.change[c]
	}
	return s.few(n, first)
}

// few says whether a group of n may not be told of; first that it is not of changes alone.
func (s *system) few(n int64, first bool) bool {
	return n > -s.k && n < s.k && (n != 0 || first)
}

// know adds a vector to what is known. Unless forced it says false, and adds nothing, where
// a protected group could then be worked out.
func (s *system) know(columns []int32, by []int64, forced bool) bool {
	if len(columns) == 0 {
		return true
	}
	left := s.reduce(columns, by)
	pivot := int32(-1)
	for _, c := range left.at {
		if !s.small[c] && (pivot < 0 || s.degree[c] < s.degree[pivot]) {
			pivot = c
		}
	}
	if pivot >= 0 {
		left.scale(pivot)
		s.pivotOf[pivot] = int32(len(s.rows))
		s.rows = append(s.rows, left)
		s.undo = append(s.undo, func() {
			s.rows = s.rows[:len(s.rows)-1]
			s.pivotOf[pivot] = -1
		})
		return true
	}
	if len(left.at) == 0 {
		return true
	}
	return !slices.ContainsFunc(s.addSmall(left), s.reveals) || forced
}

// reduce takes the pivots of the rows that are known out of a vector.
func (s *system) reduce(columns []int32, by []int64) row {
	touched := slices.Clone(columns)
	var pending heap
	seen := map[int32]bool{}
	enter := func(c int32) {
		if r := s.pivotOf[c]; r >= 0 && !seen[r] {
			seen[r] = true
			pending.push(r)
		}
	}
	for i, c := range columns {
		s.scratch[c] = residue(by[i])
		enter(c)
	}
	in := make(map[int32]bool, len(columns))
	for _, c := range columns {
		in[c] = true
	}
	// A row has no pivot of an earlier one, so that none comes back.
	for len(pending) > 0 {
		r := &s.rows[pending.pop()]
		times := s.scratch[r.pivot]
		if times == 0 {
			continue
		}
		for i, c := range r.at {
			s.scratch[c] = minus(s.scratch[c], mul(times, r.entry[i]))
			if !in[c] {
				in[c] = true
				touched = append(touched, c)
				enter(c)
			}
		}
	}
	// What is small alone is reduced by what is known of small columns.
	large := slices.ContainsFunc(touched, func(c int32) bool { return !s.small[c] && s.scratch[c] != 0 })
	if !large {
		for i := 0; i < len(touched); i++ {
			r := s.reducer[touched[i]]
			if r < 0 || s.scratch[touched[i]] == 0 {
				continue
			}
			times := s.scratch[touched[i]]
			for j, c := range s.smalls[r].at {
				s.scratch[c] = minus(s.scratch[c], mul(times, s.smalls[r].entry[j]))
				if !in[c] {
					in[c] = true
					touched = append(touched, c)
				}
			}
		}
	}
	slices.Sort(touched)
	out := row{}
	for _, c := range touched {
		if s.scratch[c] != 0 {
			out.at, out.entry = append(out.at, c), append(out.entry, s.scratch[c])
		}
		s.scratch[c] = 0
	}
	return out
}

// addSmall adds a reduced vector of small columns, and says which rows are new or others
// for it.
func (s *system) addSmall(v row) (changed []int32) {
	v.scale(v.at[0])
	at := int32(len(s.smalls))
	changed = append(changed, at)
	for _, r := range slices.Clone(s.within[v.pivot]) {
		old := s.smalls[r]
		s.unlink(r)
		s.smalls[r] = old.less(v)
		s.link(r)
		changed = append(changed, r)
		s.undo = append(s.undo, func() {
			s.unlink(r)
			s.smalls[r] = old
			s.link(r)
		})
	}
	s.smalls = append(s.smalls, v)
	s.reducer[v.pivot] = at
	s.link(at)
	s.undo = append(s.undo, func() {
		s.unlink(at)
		s.reducer[v.pivot] = -1
		s.smalls = s.smalls[:at]
	})
	return changed
}

func (s *system) link(r int32) {
	for _, c := range s.smalls[r].at {
		s.within[c] = append(s.within[c], r)
	}
}

func (s *system) unlink(r int32) {
	for _, c := range s.smalls[r].at {
		i := slices.Index(s.within[c], r)
		s.within[c] = slices.Delete(s.within[c], i, i+1)
	}
}

// reveals says whether a protected group can be worked out from the rows of small columns
// that hang together with one of them. Others cannot take part: what they have in common
// with nobody else would be left.
func (s *system) reveals(from int32) bool {
	f := search{system: s, rows: []row{s.smalls[from]}}
	seen, number := map[int32]bool{from: true}, map[int32]int32{}
	for i := 0; i < len(f.rows); i++ {
		r := &f.rows[i]
		here := make([]int32, len(r.at))
		for j, c := range r.at {
			for _, with := range s.within[c] {
				if !seen[with] {
					seen[with] = true
					f.rows = append(f.rows, s.smalls[with])
				}
			}
			at, ok := number[c]
			if !ok {
				at = int32(len(f.sum))
				number[c] = at
				f.sum, f.left = append(f.sum, 0), append(f.left, 0)
				f.counts, f.changes = append(f.counts, s.value[c]), append(f.changes, s.change[c])
				if s.change[c] {
					f.below += min(s.value[c], 0)
				}
			}
			f.left[at]++
			here[j] = at
		}
		f.rows[i].at = here
	}
	return f.find(0)
}

// search goes through the sums of rows that are indicators of groups. Its columns are those of
// its rows, numbered anew.
type search struct {
	*system
	rows    []row
	counts  []int64 // of columns, from here on
	changes []bool
	sum     []uint64 // of the rows taken
	left    []int    // rows that are not decided on
	n       int64    // what the columns count that are decided on and in the group
	first   bool     // one of them is not a change
	below   int64    // negative changes that are not decided on
	steps   int
}

func (f *search) find(i int) bool {
	if f.steps++; f.steps > maxSearch {
		return true
	}
	if f.n+f.below >= f.k {
		return false // more rows only add to it
	}
	if i == len(f.rows) {
		return f.few(f.n, f.first) // taking no row is no group, and not few
	}
	r := &f.rows[i]
	for _, take := range []bool{true, false} {
		n, first, below := f.n, f.first, f.below
		good := true
		for j, c := range r.at {
			if take {
				f.sum[c] = plus(f.sum[c], r.entry[j])
			}
			if f.left[c]--; f.left[c] > 0 {
				continue
			}
			if f.changes[c] {
				f.below -= min(f.counts[c], 0)
			}
			switch f.sum[c] {
			case 0:
			case 1:
				f.n += f.counts[c]
				f.first = f.first || !f.changes[c]
			default:
				good = false
			}
		}
		found := good && f.find(i+1)
		for j, c := range r.at {
			if take {
				f.sum[c] = minus(f.sum[c], r.entry[j])
			}
			f.left[c]++
		}
		f.n, f.first, f.below = n, first, below
		if found {
			return true
		}
	}
	return false
}

// scale makes the entry of a column 1, and that column the pivot.
func (r *row) scale(pivot int32) {
	i, _ := slices.BinarySearch(r.at, pivot)
	by := inverse(r.entry[i])
	for j := range r.entry {
		r.entry[j] = mul(r.entry[j], by)
	}
	r.pivot = pivot
}

// less is the row without the pivot of another.
func (r row) less(v row) row {
	i, _ := slices.BinarySearch(r.at, v.pivot)
	times := r.entry[i]
	out := row{pivot: r.pivot}
	add := func(c int32, x uint64) {
		if x != 0 {
			out.at, out.entry = append(out.at, c), append(out.entry, x)
		}
	}
	for i, j := 0, 0; i < len(r.at) || j < len(v.at); {
		switch {
		case j == len(v.at) || i < len(r.at) && r.at[i] < v.at[j]:
			add(r.at[i], r.entry[i])
			i++
		case i == len(r.at) || v.at[j] < r.at[i]:
			add(v.at[j], minus(0, mul(times, v.entry[j])))
			j++
		default:
			add(r.at[i], minus(r.entry[i], mul(times, v.entry[j])))
			i, j = i+1, j+1
		}
	}
	return out
}

// heap gives the smallest number first.
type heap []int32

func (h *heap) push(x int32) {
	*h = append(*h, x)
	for i := len(*h) - 1; i > 0 && (*h)[i] < (*h)[(i-1)/2]; i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

func (h *heap) pop() int32 {
	old := *h
	top, n := old[0], len(old)-1
	old[0] = old[n]
	*h = old[:n]
	for i := 0; ; {
		least := i
		for _, c := range []int{2*i + 1, 2*i + 2} {
			if c < n && old[c] < old[least] {
				least = c
			}
		}
		if least == i {
			return top
		}
		old[i], old[least] = old[least], old[i]
		i = least
	}
}
