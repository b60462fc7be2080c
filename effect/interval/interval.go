// Package interval holds confidence intervals and the quantiles they need, as
// plain functions. Quantiles are taken at full precision, never as 1.96.
package interval

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Normal returns z with P(|Z| <= z) = confidence for a standard normal Z. It is
// NaN unless 0 < confidence < 1.
func Normal(confidence float64) float64 {
	if !(confidence > 0 && confidence < 1) {
		return math.NaN()
	}
	return math.Sqrt2 * math.Erfinv(confidence)
}

// StudentT returns t with P(|T| <= t) = confidence for Student's t with df
// degrees of freedom, which need not be whole. It is NaN unless df > 0 and
// 0 < confidence < 1. From ten million degrees of freedom on it is the normal
// quantile, from which it then differs by less than 1e-7.
func StudentT(df, confidence float64) float64 {
	switch {
	case !(df > 0) || !(confidence > 0 && confidence < 1):
		return math.NaN()
	case df >= 1e7:
		return Normal(confidence)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile((1 + confidence) / 2)
}

// Wilson returns the score interval of a proportion x/n, with z the normal
// quantile of the confidence:
//
//	(2x + z^2 -/+ z sqrt(z^2 + 4x(1 - x/n))) / (2(n + z^2))
//
// It lies in [0, 1]. Both limits are NaN unless n > 0 and 0 <= x <= n.
// Source: wilson1927.
func Wilson(x, n, confidence float64) (low, high float64) {
	z := Normal(confidence)
	if !(n > 0 && x >= 0 && x <= n) || math.IsNaN(z) {
		return math.NaN(), math.NaN()
	}
	mid, half, scale := 2*x+z*z, z*math.Sqrt(z*z+4*x*(1-x/n)), 2*(n+z*z)
	return max(0, (mid-half)/scale), min(1, (mid+half)/scale)
}

// Newcombe returns the difference x1/n1 - x2/n2 of two independent proportions
// with its hybrid score interval, built from the Wilson limits of each. All are
// NaN where a Wilson interval is. Source: newcombe1998, method 10.
func Newcombe(x1, n1, x2, n2, confidence float64) (difference, low, high float64) {
	l1, u1 := Wilson(x1, n1, confidence)
	l2, u2 := Wilson(x2, n2, confidence)
	if math.IsNaN(l1) || math.IsNaN(l2) {
		return math.NaN(), math.NaN(), math.NaN()
	}
	p1, p2 := x1/n1, x2/n2
	d := p1 - p2
	return d, d - math.Hypot(p1-l1, u2-p2), d + math.Hypot(u1-p1, p2-l2)
}

// PauleMandel estimates the variance tau^2 between units whose estimates d have
// known sampling variances v: the root of
//
//	sum (d_i - m)^2 / (v_i + tau^2) = k - 1,  m the mean weighted by 1/(v_i + tau^2)
//
// or 0 when the left side is below k - 1 already at tau^2 = 0. It is NaN with
// fewer than two units, a negative variance, or a value that is not finite or
// has no finite square. A zero variance is legal. The root is bisected to the last bit.
// Source: paulemandel1982.
func PauleMandel(d, v []float64) float64 { return generalizedQ(d, v, float64(len(d)-1)) }

// PauleMandelMedian is the median-unbiased form of [PauleMandel]: the left side
// is set to the median of the chi-square distribution with k - 1 degrees of
// freedom in place of its mean, so that the estimate is as often too high as too
// low. With few units the plain form is too low more often than not.
// Source: viechtbauer2021.
func PauleMandelMedian(d, v []float64) float64 {
	if len(d) < 2 {
		return math.NaN()
	}
	return generalizedQ(d, v, distuv.ChiSquared{K: float64(len(d) - 1)}.Quantile(0.5))
}

// generalizedQ solves sum (d_i - m)^2 / (v_i + tau^2) = q for tau^2.
func generalizedQ(d, v []float64, q float64) float64 {
	if len(d) < 2 || len(d) != len(v) {
		return math.NaN()
	}
	for i := range d {
		if math.IsNaN(d[i]-d[i]) || math.IsNaN(v[i]-v[i]) || v[i] < 0 {
			return math.NaN()
		}
	}
	excess := func(tau2 float64) float64 {
		var sw, swd float64
		for i := range d {
			w := 1 / (v[i] + tau2)
			sw += w
			swd += w * d[i]
		}
		m, sum := swd/sw, 0.0
		for i := range d {
			sum += (d[i] - m) * (d[i] - m) / (v[i] + tau2)
		}
		return sum - q
	}
	// At tau^2 = k range^2 / q the left side is at most q, so the root lies under it.
	width := slices.Max(d) - slices.Min(d)
	a, b := 0.0, float64(len(d))*width*width/min(q, 1)
	if math.IsInf(b, 0) {
		return math.NaN()
	}
	// Not a number where a variance is 0; then the root is looked for.
	if excess(0) <= 0 {
		return 0
	}
	for {
		mid := a + (b-a)/2
		if mid <= a || mid >= b {
			return a
		}
		if excess(mid) > 0 {
			a = mid
		} else {
			b = mid
		}
	}
}
