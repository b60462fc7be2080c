package bonus

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/bits"
)

// fraction is an exact quantity of a case, in lowest terms with den above 0: small
// enough for machine integers, since a share is written in the terms with a few
// decimals. What does not fit is an error that wraps [ErrOverflow].
type fraction struct{ num, den int64 }

// whole is a number of things.
func whole(n int64) fraction { return fraction{n, 1} }

// newFraction is a number that must fit.
func newFraction(r *big.Rat) (fraction, error) {
	if n := r.Num(); !n.IsInt64() || n.Int64() == math.MinInt64 || !r.Denom().IsInt64() {
		return fraction{}, fmt.Errorf("%w: a quantity of %s for one case", ErrOverflow, exactText(r))
	}
	return fraction{r.Num().Int64(), r.Denom().Int64()}, nil
}

// rat is the fraction, exactly.
func (f fraction) rat() *big.Rat { return big.NewRat(f.num, f.den) }

// neg is -f.
func (f fraction) neg() fraction { return fraction{-f.num, f.den} }

// floor is the largest whole number that is not above f.
func (f fraction) floor() int64 {
	n := f.num / f.den
	if f.num%f.den < 0 {
		n--
	}
	return n
}

// plus is f + g.
func (f fraction) plus(g fraction) (fraction, error) {
	common := gcd(f.den, g.den)
	a, ok1 := product(f.num, g.den/common)
	b, ok2 := product(g.num, f.den/common)
	den, ok3 := product(f.den/common, g.den)
	num := a + b
	if !ok1 || !ok2 || !ok3 || a > 0 && b > 0 && num < 0 || a < 0 && b < 0 && num >= 0 || num == math.MinInt64 {
		return fraction{}, fmt.Errorf("%w: a sum of quantities", ErrOverflow)
	}
	common = gcd(num, den)
	return fraction{num / common, den / common}, nil
}

// times is f x g.
func (f fraction) times(g fraction) (fraction, error) {
	a, b := gcd(f.num, g.den), gcd(g.num, f.den)
	num, ok1 := product(f.num/a, g.num/b)
	den, ok2 := product(f.den/b, g.den/a)
	if !ok1 || !ok2 {
		return fraction{}, fmt.Errorf("%w: a product of quantities", ErrOverflow)
	}
	return fraction{num, den}, nil
}

// compare is below 0 where f is less than g, 0 where they are the same number.
func (f fraction) compare(g fraction) int {
	sign := cmp.Compare(f.num, 0)
	if c := cmp.Compare(sign, cmp.Compare(g.num, 0)); c != 0 || sign == 0 {
		return c
	}
	a, b := bits.Mul64(size(f.num), size(g.den))
	c, d := bits.Mul64(size(g.num), size(f.den))
	return sign * cmp.Or(cmp.Compare(a, c), cmp.Compare(b, d))
}

// size is the absolute value.
func size(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// product is a x b, and whether it fits with its sign turned as well.
func product(a, b int64) (int64, bool) {
	high, low := bits.Mul64(size(a), size(b))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(low), true
	}
	return int64(low), true
}

// gcd is the greatest common divisor, 1 or more.
func gcd(a, b int64) int64 {
	x, y := size(a), size(b)
	for y != 0 {
		x, y = y, x%y
	}
	return int64(max(x, 1))
}

// tally adds up quantities exactly, with machine integers while they fit.
type tally struct {
	small fraction
	rest  *big.Rat // nil while all fits in small
}

// newTally is a sum of nothing.
func newTally() tally { return tally{small: whole(0)} }

// newTallyOf is a sum of one number.
func newTallyOf(r *big.Rat) tally {
	f, err := newFraction(r)
	if err != nil {
		return tally{whole(0), new(big.Rat).Set(r)}
	}
	return tally{small: f}
}

// addTally adds a sum.
func (t *tally) addTally(x tally) {
	t.add(x.small)
	if x.rest != nil {
		t.rest = new(big.Rat).Add(x.rest, t.rat())
		t.small = whole(0)
	}
}

// exceeds says whether t + x is more than the most.
func (t *tally) exceeds(x, most tally) bool {
	if t.rest == nil && x.rest == nil && most.rest == nil {
		if sum, err := t.small.plus(x.small); err == nil {
			return sum.compare(most.small) > 0
		}
	}
	sum := t.rat()
	return sum.Add(sum, x.rat()).Cmp(most.rat()) > 0
}

// add adds a quantity.
func (t *tally) add(x fraction) {
	sum, err := t.small.plus(x)
	if err == nil {
		t.small = sum
		return
	}
	if t.rest == nil {
		t.rest = new(big.Rat)
	}
	t.rest.Add(t.rest, t.small.rat())
	t.small = x
}

// rat is the sum.
func (t *tally) rat() *big.Rat {
	if t.rest == nil {
		return t.small.rat()
	}
	return new(big.Rat).Add(t.rest, t.small.rat())
}
