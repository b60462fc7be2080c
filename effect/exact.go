package effect

import (
	"math"
	"math/big"
)

// exactSum is a sum of finite numbers that loses nothing, so that it is the same in
// whatever order they come: what each addition rounds off is kept in parts
// (shewchuk1997). The zero value is 0.
type exactSum struct {
	top, low float64    // the sum, each step rounded, and likewise what top rounded off
	rest     *exactRest // nil as long as low rounded nothing off
}

// exactRest is what two numbers do not hold.
type exactRest struct {
	parts []float64  // what low rounded off; none overlaps another, the smallest first
	huge  *big.Float // numbers whose sum may not be finite, exactly
	lost  bool       // a number was not finite
}

// Beyond hugeNumber a sum of 2^63 numbers need not be finite.
const (
	hugeNumber = 0x1p900
	exactBits  = 2300 // from 2^1087 down to 2^-1074, with room
)

func (s *exactSum) add(x float64) {
	if !(math.Abs(x) <= hugeNumber) {
		r := s.more()
		if r.lost = r.lost || x-x != 0; !r.lost {
			r.addBig(new(big.Float).SetPrec(exactBits).SetFloat64(x))
		}
		return
	}
	sum, lost := twoSum(s.top, x)
	s.top = sum
	if lost != 0 {
		if s.low, lost = twoSum(s.low, lost); lost != 0 {
			s.more().keep(lost)
		}
	}
}

func (s *exactSum) more() *exactRest {
	if s.rest == nil {
		s.rest = &exactRest{}
	}
	return s.rest
}

func (r *exactRest) addBig(x *big.Float) {
	if r.huge == nil {
		r.huge = new(big.Float).SetPrec(exactBits)
	}
	r.huge.Add(r.huge, x)
}

// twoSum is a + b rounded, and what that lost.
func twoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	of := sum - a
	return sum, (a - (sum - of)) + (b - of)
}

// keep adds to the parts.
func (r *exactRest) keep(x float64) {
	n := 0
	for _, p := range r.parts {
		sum, lost := twoSum(x, p)
		if lost != 0 {
			r.parts[n] = lost
			n++
		}
		x = sum
	}
	r.parts = append(r.parts[:n], x)
}

// join adds another sum.
func (s *exactSum) join(o *exactSum) {
	s.add(o.top)
	s.add(o.low)
	if o.rest == nil {
		return
	}
	for _, p := range o.rest.parts {
		s.add(p)
	}
	r := s.more()
	if r.lost = r.lost || o.rest.lost; o.rest.huge != nil {
		r.addBig(o.rest.huge)
	}
}

// over is the sum divided by n, rounded once; n is 1 or more. It is NaN where a
// number was not finite.
func (s *exactSum) over(n int64) float64 {
	if s.low == 0 && s.rest == nil && n < 1<<53 {
		return s.top / float64(n)
	}
	r := s.more()
	if r.lost {
		return nan
	}
	total := new(big.Float).SetPrec(exactBits).SetFloat64(s.top)
	total.Add(total, new(big.Float).SetFloat64(s.low))
	for _, p := range r.parts {
		total.Add(total, new(big.Float).SetFloat64(p))
	}
	if r.huge != nil {
		total.Add(total, r.huge)
	}
	// Of so many bits that rounding twice cannot differ: a quotient of numbers of
	// 2,300 and 63 bits does not lie nearer to the middle of two floats.
	q, _ := new(big.Float).SetPrec(2*exactBits).Quo(total, new(big.Float).SetInt64(n)).Float64()
	return q
}
