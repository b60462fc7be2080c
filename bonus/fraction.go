package bonus

import (
	"fmt"
	"math/big"
	"math/bits"
)

// fraction is an exact quantity of a case, small enough for machine integers:
// a share is written in the terms with a few decimals.
type fraction struct{ num, den int64 }

// whole is a number of things.
func whole(n int64) fraction { return fraction{n, 1} }

// rat is the fraction, exactly.
func (f fraction) rat() *big.Rat { return big.NewRat(f.num, f.den) }

// sign is -1, 0 or 1.
func (f fraction) sign() int {
	switch {
	case f.num < 0:
		return -1
	case f.num > 0:
		return 1
	}
	return 0
}

// fractionOf is an exact number as a fraction, in its lowest terms. The error wraps
// [ErrOverflow].
func fractionOf(r *big.Rat) (fraction, error) {
	if !r.Num().IsInt64() || !r.Denom().IsInt64() {
		return fraction{}, fmt.Errorf("%w: a quantity of a case has more digits than are kept", ErrOverflow)
	}
	return fraction{r.Num().Int64(), r.Denom().Int64()}, nil
}

// times multiplies. The error wraps [ErrOverflow].
func (f fraction) times(g fraction) (fraction, error) {
	if f == whole(1) && g.num >= 0 && g.num < 1<<31 && g.den < 1<<31 {
		d := gcd(g.num, g.den)
		return fraction{g.num / d, g.den / d}, nil
	}
	return fractionOf(new(big.Rat).Mul(f.rat(), g.rat()))
}

// gcd of two numbers that are not negative, not both 0.
func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// compare orders fractions.
func (f fraction) compare(g fraction) int {
	if f.den == g.den {
		switch {
		case f.num < g.num:
			return -1
		case f.num > g.num:
			return 1
		}
		return 0
	}
	if f.num >= 0 && g.num >= 0 {
		ah, al := bits.Mul64(uint64(f.num), uint64(g.den))
		bh, bl := bits.Mul64(uint64(g.num), uint64(f.den))
		switch {
		case ah < bh || ah == bh && al < bl:
			return -1
		case ah == bh && al == bl:
			return 0
		}
		return 1
	}
	return f.rat().Cmp(g.rat())
}
