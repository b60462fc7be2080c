package effect

import (
	"math"
	"math/big"
)

// exactSum is a sum of finite numbers that loses nothing, so that it is the same in
// whatever order they come: what each addition rounds off is kept in parts
// (shewchuk1997). The zero value is 0.
type exactSum struct {
	top   float64    // the sum, each step rounded
	parts []float64  // what top rounded off; none overlaps another, the smallest first
	huge  *big.Float // numbers whose sum may not be finite, exactly
	lost  bool       // one of them was not finite
}

// Beyond hugeNumber a sum of 2^63 numbers need not be finite.
const (
	hugeNumber = 0x1p900
	exactBits  = 2300 // from 2^1087 down to 2^-1074, with room
)

func (s *exactSum) add(x float64) {
	if !(math.Abs(x) <= hugeNumber) {
		if s.lost = s.lost || x-x != 0; s.lost {
			return
		}
		s.addBig(new(big.Float).SetPrec(exactBits).SetFloat64(x))
		return
	}
	sum, lost := twoSum(s.top, x)
	s.top = sum
	if lost != 0 {
		s.keep(lost)
	}
}

func (s *exactSum) addBig(x *big.Float) {
	if s.huge == nil {
		s.huge = new(big.Float).SetPrec(exactBits)
	}
	s.huge.Add(s.huge, x)
}

// twoSum is a + b rounded, and what that lost.
func twoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	of := sum - a
	return sum, (a - (sum - of)) + (b - of)
}

// keep adds to the parts.
func (s *exactSum) keep(x float64) {
	n := 0
	for _, p := range s.parts {
		sum, lost := twoSum(x, p)
		if lost != 0 {
			s.parts[n] = lost
			n++
		}
		x = sum
	}
	s.parts = s.parts[:n]
	if x != 0 || n == 0 {
		s.parts = append(s.parts, x)
	}
}

// join adds another sum.
func (s *exactSum) join(o *exactSum) {
	s.add(o.top)
	for _, p := range o.parts {
		s.add(p)
	}
	if o.huge != nil {
		s.addBig(o.huge)
	}
	s.lost = s.lost || o.lost
}

// over is the sum divided by n, rounded once; n is 1 or more. It is NaN where a
// number was not finite.
func (s *exactSum) over(n int64) float64 {
	if s.lost {
		return nan
	}
	if len(s.parts) == 0 && s.huge == nil && n < 1<<53 {
		return s.top / float64(n)
	}
	total := new(big.Float).SetPrec(exactBits).SetFloat64(s.top)
	for _, p := range s.parts {
		total.Add(total, new(big.Float).SetFloat64(p))
	}
	if s.huge != nil {
		total.Add(total, s.huge)
	}
	// Of so many bits that rounding twice cannot differ: a quotient of numbers of
	// 2,300 and 63 bits does not lie nearer to the middle of two floats.
	q, _ := new(big.Float).SetPrec(2*exactBits).Quo(total, new(big.Float).SetInt64(n)).Float64()
	return q
}
