package effect_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// A column of identifiers is a slice of them in less room.
func TestIDsAreASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.OneOf(
			rapid.Map(rapid.Int64Range(-3, 9), effect.NumberID), rapid.Map(rapid.Int64(), effect.NumberID),
			rapid.Map(rapid.SampledFrom([]string{"a", "b", "007", "7"}), effect.TextID),
		)
		if rapid.Bool().Draw(t, "numbers only") {
			one = rapid.Map(rapid.Int64Range(-1<<40, 1<<40), effect.NumberID)
		}
		list := rapid.SliceOf(one).Draw(t, "ids")
		more := rapid.SliceOf(one).Draw(t, "more")
		ids := effect.NewIDs(list...)
		slice := func(c effect.IDs) []effect.ID {
			out := make([]effect.ID, 0, c.Len())
			for i, id := range c.All() {
				require.Equal(t, c.At(i), id)
				out = append(out, id)
			}
			return out
		}
		require.Equal(t, append([]effect.ID{}, list...), slice(ids))
		require.Equal(t, append(append([]effect.ID{}, list...), more...), slice(ids.Concat(effect.NewIDs(more...))))
		require.Equal(t, slices.Repeat(slice(ids), 3), slice(ids.Repeat(3)))
		require.True(t, ids.Equal(effect.GatherIDs(len(list), func(i int) effect.ID { return list[i] })))
		to := rapid.IntRange(0, len(list)).Draw(t, "to")
		from := rapid.IntRange(0, to).Draw(t, "from")
		require.True(t, effect.NewIDs(list[from:to]...).Equal(ids.Slice(from, to)))
		require.Equal(t, slices.Equal(list, more), ids.Equal(effect.NewIDs(more...)))

		want := slices.Clone(list)
		slices.SortFunc(want, effect.ID.Compare)
		want = slices.Compact(want)
		distinct, place := ids.Index()
		require.True(t, effect.NewIDs(want...).Equal(distinct))
		require.Len(t, place, len(list))
		for i, id := range list {
			k, ok := distinct.Find(id)
			require.True(t, ok)
			require.Equal(t, []any{k, id}, []any{int(place[i]), want[k]})
		}
		for _, id := range more {
			k, ok := slices.BinarySearchFunc(want, id, effect.ID.Compare)
			row, found := distinct.Find(id)
			require.Equal(t, []any{k, ok}, []any{row, found})
		}
	})
}

// Rows are sorted by key and otherwise stay in order, whatever the span of keys.
func TestSortRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]*rapid.Generator[int64]{rapid.Int64(), rapid.Int64Range(-5, 5), rapid.Int64Range(0, 5000), rapid.Just(int64(7))}).Draw(t, "span")
		keys := rapid.SliceOf(key).Draw(t, "keys")
		var rows []int32
		for i := range keys {
			if rapid.IntRange(0, 4).Draw(t, "left out") > 0 {
				rows = append(rows, int32(i))
			}
		}
		want := slices.Clone(rows)
		slices.SortStableFunc(want, func(a, b int32) int { return effect.NumberID(keys[a]).Compare(effect.NumberID(keys[b])) })
		assert.Equal(t, want, effect.SortRows(rows, keys))
	})
}
