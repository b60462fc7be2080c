package interval

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Exact returns the Clopper-Pearson interval of a proportion x/n: the shares at
// which x or more, and x or fewer, have probability (1 - confidence)/2. They are
// quantiles of Beta(x, n-x+1) and Beta(x+1, n-x). The interval holds its
// confidence whatever the share, and is wider than it needs to be; [Wilson] is
// the default. At x = 0 the lower limit is 0, at x = n the upper one is 1. Both
// are NaN unless n > 0, 0 <= x <= n and 0 < confidence < 1.
// Source: clopperpearson1934.
func Exact(x, n, confidence float64) (low, high float64) {
	if !(n > 0 && x >= 0 && x <= n && confidence > 0 && confidence < 1) {
		return math.NaN(), math.NaN()
	}
	tail := (1 - confidence) / 2
	low, high = 0, 1
	if x > 0 {
		low = mathext.InvRegIncBeta(x, n-x+1, tail)
	}
	if x < n {
		high = mathext.InvRegIncBeta(x+1, n-x, 1-tail)
	}
	return low, high
}

// Garwood returns the exact interval of the mean of a Poisson count x: the means
// at which x or more, and x or fewer, have probability (1 - confidence)/2. They
// are quantiles of the gamma distribution with x and with x + 1 as shape. At
// x = 0 the lower limit is 0. Both are NaN unless x >= 0 is finite and
// 0 < confidence < 1. Source: garwood1936.
func Garwood(x, confidence float64) (low, high float64) {
	if !(x >= 0 && confidence > 0 && confidence < 1) || math.IsInf(x, 0) {
		return math.NaN(), math.NaN()
	}
	tail := (1 - confidence) / 2
	if x > 0 {
		low = mathext.GammaIncRegInv(x, tail)
	}
	return low, mathext.GammaIncRegCompInv(x+1, tail)
}

// Byar returns Byar's approximation to the interval of [Garwood]:
//
//	x (1 - 1/(9x) - z/(3 sqrt x))^3,  y (1 - 1/(9y) + z/(3 sqrt y))^3,  y = x + 1
//
// with z the normal quantile of the confidence. At x = 0 the lower limit is 0,
// and so it is where the cube would be negative. Both are NaN where those of
// Garwood are. Source: breslowday1987.
func Byar(x, confidence float64) (low, high float64) {
	z := Normal(confidence)
	if !(x >= 0) || math.IsInf(x, 0) || math.IsNaN(z) {
		return math.NaN(), math.NaN()
	}
	cube := func(n, z float64) float64 {
		root := max(0, 1-1/(9*n)+z/(3*math.Sqrt(n)))
		return n * root * root * root
	}
	if x > 0 {
		low = cube(x, -z)
	}
	return low, cube(x+1, z)
}

// fewCounts is the count under which Byar's approximation gives way to the
// exact interval.
const fewCounts = 10

// Poisson returns the interval of the mean of a count: [Garwood] under 10,
// [Byar] from 10 on. It is meant for outcomes rarer than 10 % of the cases;
// of others it overstates the variance by 1/(1-p).
func Poisson(x, confidence float64) (low, high float64) {
	if x < fewCounts {
		return Garwood(x, confidence)
	}
	return Byar(x, confidence)
}

// Ratio returns observed over expected with its interval: the limits of
// [Poisson] for the observed count over the expected one, which is taken as
// known. All are NaN unless expected > 0 is finite and observed >= 0.
func Ratio(observed, expected, confidence float64) (ratio, low, high float64) {
	low, high = Poisson(observed, confidence)
	if !(expected > 0) || math.IsInf(expected, 0) || math.IsNaN(low) {
		return math.NaN(), math.NaN(), math.NaN()
	}
	return observed / expected, low / expected, high / expected
}

// TwoSided returns P(|T| >= |t|) for Student's t with df degrees of freedom,
// which need not be whole and may be infinite; from ten million on it is that of
// the normal distribution. It is computed as a tail, and so tells 1e-30 from 0.
// It is NaN unless df > 0 and t is a number; at an infinite t it is 0.
func TwoSided(t, df float64) float64 {
	switch {
	case !(df > 0) || math.IsNaN(t):
		return math.NaN()
	case df >= 1e7:
		return math.Erfc(math.Abs(t) / math.Sqrt2)
	}
	// With x = df/(df + t^2) the tail is I_x(df/2, 1/2). Only above |t| = 1 is it
	// the smaller of the two, and worked out as it stands.
	if t*t < 1 {
		return 1 - mathext.RegIncBeta(0.5, df/2, t*t/(df+t*t))
	}
	return mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}

// Score returns the z that a standard normal variable exceeds in size with
// probability p, with the sign of t: the normal score of a two-sided p-value.
// It is 0 at p = 1, infinite at p = 0, and NaN unless 0 <= p <= 1.
func Score(p, t float64) float64 {
	if !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	if p == 1 {
		return 0
	}
	return math.Copysign(mathext.NormalQuantile(p/2), t)
}

// DerSimonianLaird estimates the variance tau^2 between units whose estimates d
// have known sampling variances v by moments, in one step:
//
//	(Q - (k-1)) / (sum w - sum w^2 / sum w),  w = 1/v,  Q = sum w (d - m)^2
//
// with m the mean weighted by w; 0 where Q is below k - 1. It is NaN with fewer
// than two units, a variance that is not positive or a value that is not finite.
// [PauleMandel] solves the same for weights that take tau^2 into account.
// Source: dersimonianlaird1986.
func DerSimonianLaird(d, v []float64) float64 {
	if len(d) < 2 || len(d) != len(v) {
		return math.NaN()
	}
	var sw, sw2, swd, q float64
	for i := range d {
		if math.IsNaN(d[i]-d[i]) || math.IsNaN(v[i]-v[i]) || v[i] <= 0 {
			return math.NaN()
		}
		w := 1 / v[i]
		sw += w
		sw2 += float64(w * w)
		swd += float64(w * d[i])
	}
	for i := range d {
		q += (d[i] - swd/sw) * (d[i] - swd/sw) / v[i]
	}
	return max(0, (q-float64(len(d)-1))/(sw-sw2/sw))
}
