package ingest

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Every number is found at its place, close by others or far away, and no other is.
func TestPersonIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(
			rapid.Int64Range(-200, 200), rapid.Int64Range(1_000_000, 1_000_900),
			rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, 0, 1 << 40}),
		)
		nums := rapid.SliceOfN(number, 0, 60).Draw(t, "nums")
		slices.Sort(nums)
		nums = slices.Compact(nums)
		var ids effect.IDs
		for _, n := range nums {
			ids.Append(effect.NumberID(n))
		}
		p := newPersonIndex(ids, 100)
		for i, n := range nums {
			require.Equal(t, int32(i), p.number(n))
		}
		for _, n := range rapid.SliceOfN(number, 0, 60).Draw(t, "others") {
			if !slices.Contains(nums, n) {
				require.Equal(t, codeUnknown, p.number(n))
			}
		}
		if len(nums) > 0 {
			for d := int64(-130); d <= 130; d++ { // around the ends
				for _, n := range []int64{nums[0] + d, nums[len(nums)-1] + d} {
					if !slices.Contains(nums, n) {
						require.Equal(t, codeUnknown, p.number(n))
					}
				}
			}
		}
	})
}
