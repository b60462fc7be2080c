package bonus_test

import (
	"math/big"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseOre(t *testing.T) {
	for s, want := range map[string]bonus.Ore{
		"5000": 500000, "5000.5": 500050, "0.05": 5, "-0.05": -5, "007.10": 710, "92233720368547758.07": 9223372036854775807,
	} {
		got, err := bonus.ParseOre(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "-", ".", "5.", ".5", "1e3", "1/2", "0x10", "1_000", "1.000,50", "5.001", "+5", " 5", "NaN", "٣"} {
		_, err := bonus.ParseOre(s)
		require.ErrorIs(t, err, bonus.ErrMoney, s)
	}
	_, err := bonus.ParseOre("92233720368547758.08")
	require.ErrorIs(t, err, bonus.ErrOverflow)
}

// Rounding agrees with what the modes say in words, worked out another way: as
// the whole unit that is nearest, or nearest on the side of zero, looked for
// among the units around the truncated value.
func TestRounding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num, den := rapid.Int64Range(-1e12, 1e12).Draw(t, "num"), rapid.SampledFrom([]int64{1, 2, 3, 7, 100, 200, 1000, 20000}).Draw(t, "den")
		kroner := big.NewRat(num, den)
		unit := rapid.SampledFrom([]bonus.Ore{1, 5, 100, 10000}).Draw(t, "unit")
		mode := rapid.SampledFrom(bonus.RoundingMode("").Names()).Draw(t, "mode")
		got, err := bonus.Rounding{Unit: unit, Mode: bonus.RoundingMode(mode)}.Round(kroner)
		require.NoError(t, err)

		size := int64(unit)
		units := new(big.Rat).Mul(kroner, big.NewRat(100, size))
		f, _ := units.Float64()
		var best *big.Int
		for n := int64(f) - 2; n <= int64(f)+2; n++ {
			c := big.NewInt(n)
			distance := func(x *big.Int) *big.Rat {
				d := new(big.Rat).Sub(units, new(big.Rat).SetInt(x))
				return d.Abs(d)
			}
			if mode == "down" {
				if new(big.Rat).Abs(new(big.Rat).SetInt(c)).Cmp(new(big.Rat).Abs(units)) <= 0 && c.Sign()*units.Sign() >= 0 && (best == nil || c.CmpAbs(best) > 0) {
					best = c
				}
				continue
			}
			if best == nil || distance(c).Cmp(distance(best)) < 0 ||
				distance(c).Cmp(distance(best)) == 0 && (mode == "half_up" && c.CmpAbs(best) > 0 || mode == "half_even" && c.Bit(0) == 0) {
				best = c
			}
		}
		require.Equal(t, best.Int64()*size, int64(got), "%s kr. to %s, %s", kroner, unit, mode)
	})
	_, err := bonus.Rounding{Unit: 1, Mode: bonus.HalfUp}.Round(big.NewRat(1<<62, 1))
	require.ErrorIs(t, err, bonus.ErrOverflow)
}
