package bonus

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Sums are exact where machine integers no longer hold them, and a sum that was
// copied is left alone.
func TestTallyIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Custom(func(t *rapid.T) *big.Rat {
			size := rapid.SampledFrom([]int64{10, 1 << 20, 1 << 62}).Draw(t, "size")
			r := big.NewRat(rapid.Int64Range(-size, size).Draw(t, "num"), rapid.Int64Range(1, size).Draw(t, "den"))
			if rapid.Bool().Draw(t, "wide") {
				r.Mul(r, big.NewRat(1<<62, 3))
			}
			return r
		})
		sum, want := newTally(), new(big.Rat)
		for _, x := range rapid.SliceOfN(number, 0, 6).Draw(t, "numbers") {
			most := newTallyOf(number.Draw(t, "most"))
			more := new(big.Rat).Add(want, x)
			require.Equal(t, more.Cmp(most.rat()) > 0, sum.exceeds(newTallyOf(x), most))
			require.Zero(t, want.Cmp(sum.rat()), "asking changes nothing")
			sum.addTally(newTallyOf(x))
			want = more
			require.Zero(t, want.Cmp(sum.rat()))
		}
		require.Equal(t, want.Cmp(want) > 0, sum.exceeds(newTally(), newTallyOf(want)))
	})
}
