package ingest

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Persons are found as a search through all of them finds them: numbers close to
// each other and far apart, in a table in any order, texts among them.
func TestPersonIndexFindsWhatASearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]*rapid.Generator[int64]{
			rapid.Int64Range(-20, 400), rapid.Int64Range(1e9, 4e9), rapid.Int64(),
		}).Draw(t, "span")
		ids := effect.NewIDs(rapid.SliceOf(rapid.Map(number, effect.NumberID)).Draw(t, "ids")...)
		if rapid.Bool().Draw(t, "texts") {
			ids = ids.Concat(effect.NewIDs(rapid.SliceOf(rapid.Map(rapid.SampledFrom([]string{"a", "b", "007"}), effect.TextID)).Draw(t, "text")...))
		}
		ids, _ = ids.Index()
		seek := rapid.SliceOfN(number, 0, 300).Draw(t, "others")
		for _, id := range ids.All() {
			if n, ok := id.Number(); ok {
				seek = append(seek, n)
			}
		}
		seek = rapid.Permutation(seek).Draw(t, "order")
		if rapid.Bool().Draw(t, "sorted") {
			slices.Sort(seek)
		}
		p, got := newPersonIndex(ids, 100), make([]int32, len(seek))
		resolve(got, seek, p)
		for i, n := range seek {
			want := codeUnknown
			if k, ok := ids.Find(effect.NumberID(n)); ok {
				want = int32(k)
			}
			require.Equal(t, []int32{want, want, want}, []int32{got[i], p.number(n), p.text([]byte(effect.NumberID(n).String()))})
		}
		for _, s := range []string{"a", "b", "007", "c"} {
			want := codeUnknown
			if k, ok := ids.Find(effect.TextID(s)); ok {
				want = int32(k)
			}
			require.Equal(t, want, p.text([]byte(s)))
		}
	})
}

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

func BenchmarkPersonIndex(b *testing.B) {
	for name, step := range map[string]int64{"close": 1, "apart": 4001} {
		nums, seek := make([]int64, 750_000), make([]int64, 16<<10)
		for i := range nums {
			nums[i] = int64(i) * step
		}
		b.Run(name+"/make", func(b *testing.B) {
			for b.Loop() {
				newPersonIndex(effect.NumberIDs(nums), 100)
			}
		})
		p := newPersonIndex(effect.NumberIDs(nums), 100)
		dst := make([]int32, len(seek))
		for order, by := range map[string]int{"sorted": 1, "shuffled": 100_003} {
			for i := range seek {
				seek[i] = nums[(i*by)%len(nums)]
			}
			b.Run(name+"/"+order, func(b *testing.B) {
				for b.Loop() {
					resolve(dst, seek, p)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(seek)), "ns/id")
			})
		}
	}
}
