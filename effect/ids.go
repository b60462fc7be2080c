package effect

import (
	"cmp"
	"iter"
	"slices"
	"sort"
)

// IDs is a column of identifiers. Whole numbers take eight bytes each and no
// pointer; only a column that has texts keeps texts. The zero IDs has no rows.
// A column is not changed once it is made.
type IDs struct {
	numbers []int64
	texts   []string // "" for a number; nil where there are numbers only
}

// NewIDs makes a column of identifiers.
func NewIDs(ids ...ID) IDs {
	var c IDs
	c.Append(ids...)
	return c
}

// Append adds rows to a column that is being made.
func (c *IDs) Append(ids ...ID) {
	for _, id := range ids {
		if id.text != "" && c.texts == nil {
			c.texts = make([]string, len(c.numbers), cap(c.numbers)+1)
		}
		c.numbers = append(c.numbers, id.num)
		if c.texts != nil {
			c.texts = append(c.texts, id.text)
		}
	}
}

// NumberIDs is a column of whole numbers. It keeps the slice.
func NumberIDs(numbers []int64) IDs {
	if len(numbers) == 0 {
		return IDs{}
	}
	return IDs{numbers: numbers}
}

// GatherIDs makes a column of n rows, of which at tells the identifiers.
func GatherIDs(n int, at func(i int) ID) IDs {
	if n == 0 {
		return IDs{}
	}
	c := IDs{numbers: make([]int64, 0, n)}
	for i := range n {
		c.Append(at(i))
	}
	return c
}

// Len is the number of rows.
func (c IDs) Len() int { return len(c.numbers) }

// At is the identifier of row i.
func (c IDs) At(i int) ID {
	if c.texts == nil {
		return ID{num: c.numbers[i]}
	}
	return ID{num: c.numbers[i], text: c.texts[i]}
}

// All yields every row with its identifier.
func (c IDs) All() iter.Seq2[int, ID] {
	return func(yield func(int, ID) bool) {
		for i := range c.numbers {
			if !yield(i, c.At(i)) {
				return
			}
		}
	}
}

// Numbers are the rows as whole numbers; ok is false where one of them is a text.
// They are the column's own and must not be changed.
func (c IDs) Numbers() (numbers []int64, ok bool) { return c.numbers, c.texts == nil }

// Compare orders the identifiers of two rows.
func (c IDs) Compare(i, j int) int {
	if c.texts == nil {
		return cmp.Compare(c.numbers[i], c.numbers[j])
	}
	return c.At(i).Compare(c.At(j))
}

// Equal says whether both columns have the same identifiers in the same order.
func (c IDs) Equal(other IDs) bool {
	return slices.Equal(c.numbers, other.numbers) && slices.Equal(c.texts, other.texts)
}

// Slice is rows [from, to).
func (c IDs) Slice(from, to int) IDs {
	switch {
	case from == to:
		return IDs{}
	case c.texts == nil:
		return IDs{numbers: c.numbers[from:to:to]}
	}
	return GatherIDs(to-from, func(i int) ID { return c.At(from + i) })
}

// Concat is the rows of both, one after the other.
func (c IDs) Concat(other IDs) IDs {
	if c.texts == nil && other.texts == nil {
		return NumberIDs(slices.Concat(c.numbers, other.numbers))
	}
	return GatherIDs(c.Len()+other.Len(), func(i int) ID {
		if i < c.Len() {
			return c.At(i)
		}
		return other.At(i - c.Len())
	})
}

// Repeat is the column so many times over, one after the other.
func (c IDs) Repeat(count int) IDs {
	out := IDs{numbers: slices.Repeat(c.numbers, count)}
	if c.texts != nil {
		out.texts = slices.Repeat(c.texts, count)
	}
	return out
}

// Find returns the row of an identifier in a column that is ascending, and
// whether it is there.
func (c IDs) Find(id ID) (row int, ok bool) {
	if c.texts == nil && id.text == "" {
		return slices.BinarySearch(c.numbers, id.num)
	}
	return sort.Find(c.Len(), func(i int) int { return id.Compare(c.At(i)) })
}

// Index returns the distinct identifiers of the column, ascending, and for every
// row its place among them.
func (c IDs) Index() (distinct IDs, place []int32) {
	if c.texts == nil {
		numbers, place := index(c.numbers, cmp.Compare, func(rows []int32) []int32 { return SortRows(rows, c.numbers) })
		return NumberIDs(numbers), place
	}
	list := make([]ID, c.Len())
	for i := range list {
		list[i] = c.At(i)
	}
	ids, place := index(list, ID.Compare, func(rows []int32) []int32 {
		slices.SortFunc(rows, func(a, b int32) int { return list[a].Compare(list[b]) })
		return rows
	})
	return NewIDs(ids...), place
}

func index[T comparable](keys []T, compare func(a, b T) int, sorted func(rows []int32) []int32) (distinct []T, place []int32) {
	place = make([]int32, len(keys))
	if slices.IsSortedFunc(keys, compare) {
		count := min(len(keys), 1)
		for i := 1; i < len(keys); i++ {
			if keys[i] != keys[i-1] {
				count++
			}
		}
		distinct = make([]T, 0, count)
		for i, key := range keys {
			if i == 0 || key != keys[i-1] {
				distinct = append(distinct, key)
			}
			place[i] = int32(len(distinct) - 1)
		}
		return distinct, place
	}
	rows := make([]int32, len(keys))
	for i := range rows {
		rows[i] = int32(i)
	}
	for _, r := range sorted(rows) {
		if n := len(distinct); n == 0 || distinct[n-1] != keys[r] {
			distinct = append(distinct, keys[r])
		}
		place[r] = int32(len(distinct) - 1)
	}
	return slices.Clip(distinct), place
}

// SortRows returns the rows in the order of their keys; equal ones stay in the
// order in which they come. It may use the memory of rows for its result. The
// time is that of some passes over the rows, of 11 bits each of the span of keys.
func SortRows[T ~int32 | ~int64](rows []int32, keys []T) []int32 {
	if len(rows) == 0 {
		return rows
	}
	least, most := keys[rows[0]], keys[rows[0]]
	for _, r := range rows {
		least, most = min(least, keys[r]), max(most, keys[r])
	}
	const bits = 11
	span, out := uint64(int64(most)-int64(least)), make([]int32, len(rows))
	for shift := 0; shift < 64 && span>>shift > 0; shift += bits {
		var starts [1<<bits + 1]int32
		digit := func(r int32) uint64 { return uint64(int64(keys[r])-int64(least)) >> shift & (1<<bits - 1) }
		for _, r := range rows {
			starts[digit(r)+1]++
		}
		for d := range 1 << bits {
			starts[d+1] += starts[d]
		}
		for _, r := range rows {
			d := digit(r)
			out[starts[d]] = r
			starts[d]++
		}
		rows, out = out, rows
	}
	return rows
}
