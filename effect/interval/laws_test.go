package interval

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func allNaN(t *testing.T, what any, values ...float64) {
	t.Helper()
	for _, v := range values {
		assert.True(t, math.IsNaN(v), what)
	}
}

func pair(a, b float64) []float64 { return []float64{a, b} }

func triple(a, b, c float64) []float64 { return []float64{a, b, c} }

// Every function says where it is not a number. At the edge itself, just outside,
// and half a step outside: a wrong edge would give a figure that looks like one.
func TestOutsideNothingIsANumber(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []float64{0, 1, -0.5, 1.5, nan} {
		allNaN(t, c, Normal(c), StudentT(5, c), StudentT(1e8, c))
		allNaN(t, c, slices.Concat(pair(Wilson(3, 10, c)), pair(Exact(3, 10, c)), pair(Garwood(3, c)), pair(Byar(3, c)),
			pair(Poisson(30, c)), triple(Ratio(3, 2, c)), triple(Newcombe(1, 2, 1, 2, c)))...)
	}
	for _, share := range [][2]float64{{0, 0}, {-0.5, 5}, {2.5, 2}, {3, 2}, {-0.5, -0.5}, {-0.5, -0.25}, {0, -0.5}, {nan, 2}, {1, nan}} {
		x, n := share[0], share[1]
		allNaN(t, share, slices.Concat(pair(Wilson(x, n, 0.95)), pair(Exact(x, n, 0.95)), triple(Newcombe(x, n, 1, 2, 0.95)),
			triple(Newcombe(1, 2, x, n, 0.95)))...)
	}
	for _, x := range []float64{-0.5, -1, inf, -inf, nan} {
		allNaN(t, x, slices.Concat(pair(Garwood(x, 0.95)), pair(Byar(x, 0.95)), pair(Poisson(x, 0.95)), triple(Ratio(x, 2, 0.95)))...)
	}
	for _, e := range []float64{0, -0.5, inf, nan} {
		allNaN(t, e, triple(Ratio(3, e, 0.95))...)
	}
	for _, df := range []float64{0, -0.5, nan} {
		allNaN(t, df, StudentT(df, 0.95), TwoSided(1, df))
	}
	for _, p := range []float64{-0.5, 1.5, nan} {
		allNaN(t, p, Score(p, 1))
	}
	for _, between := range []func(d, v []float64) float64{DerSimonianLaird, PauleMandel, PauleMandelMedian} {
		for _, bad := range [][2][]float64{
			{{}, {}},
			{{1}, {1}},
			{{1, 2}, {1}},
			{{1}, {1, 2}},
			{{1, 2, nan}, {1, 1, 1}},
			{{1, 2, inf}, {1, 1, 1}},
			{{1, 2, 3}, {1, 1, nan}},
			{{1, 2, 3}, {1, 1, inf}},
			{{1, 2, 3}, {1, 1, -0.25}},
			{{inf, 2, 3}, {nan, 1, 1}},
		} {
			allNaN(t, bad, between(bad[0], bad[1]))
		}
	}
	allNaN(t, "a variance of 0 has no weight", DerSimonianLaird([]float64{1, 2, 3}, []float64{1, 1, 0}))
	allNaN(t, "no finite square", PauleMandel([]float64{0, 1e200}, []float64{1, 1}))
}

// The smallest inputs that are allowed have figures in closed form.
func TestSmallestInputs(t *testing.T) {
	const tail = 0.025
	z := Normal(0.95)
	for _, n := range []float64{0.5, 1, 2, 3, 17, 200} {
		// None of n: (1 - p)^n = tail. All of n: p^n = tail.
		low, high := Exact(0, n, 0.95)
		assert.Equal(t, 0.0, low, n)
		near(t, 1-math.Pow(tail, 1/n), high, 1e-9, n)
		low, high = Exact(n, n, 0.95)
		near(t, math.Pow(tail, 1/n), low, 1e-9, n)
		assert.Equal(t, 1.0, high, n)
		// Wilson's limits solve |x/n - p| = z sqrt(p (1 - p)/n).
		low, high = Wilson(0, n, 0.95)
		assert.InDelta(t, 0, low, 1e-15, n)
		near(t, z*z/(n+z*z), high, 1e-12, n)
		low, high = Wilson(n, n, 0.95)
		near(t, n/(n+z*z), low, 1e-12, n)
		assert.InDelta(t, 1, high, 1e-15, n)
	}
	low, _ := Exact(0.5, 1, 0.95)
	assert.Greater(t, low, 0.0)
	// One event: P(0) = 1 - tail, and P(0) + P(1) = tail.
	low, high := Garwood(1, 0.95)
	near(t, -math.Log(1-tail), low, 1e-10)
	near(t, tail, math.Exp(-high)*(1+high), 1e-9)
	// Half an event: the quantile of chi-square with one degree of freedom, halved.
	low, _ = Garwood(0.5, 0.95)
	near(t, Normal(tail)*Normal(tail)/2, low, 1e-9)
	// Byar's formula, written out.
	low, high = Byar(1, 0.95)
	near(t, math.Pow(1-1.0/9-z/3, 3), low, 1e-12)
	near(t, 2*math.Pow(1-1.0/18+z/(3*math.Sqrt2), 3), high, 1e-12)
	low, high = Byar(0.9, 0.95)
	near(t, 0.9*math.Pow(1-1/8.1-z/(3*math.Sqrt(0.9)), 3), low, 1e-11)
	assert.Greater(t, high, low)
	low, _ = Byar(0.1, 0.95) // 1 - 1/0.9 - z/(3 sqrt 0.1) is negative
	assert.Equal(t, 0.0, low)
	ratio, low, high := Ratio(0.5, 0.25, 0.95)
	l, h := Garwood(0.5, 0.95)
	assert.Equal(t, []float64{2, 4 * l, 4 * h}, []float64{ratio, low, high})
	ratio, _, _ = Ratio(0, 1, 0.95)
	assert.Equal(t, 0.0, ratio)
}

// A limit is where the chance of the observed is the tail it should be, counted by
// adding up probabilities: nothing of beta or gamma functions.
func TestExactLimitsByEnumeration(t *testing.T) {
	choose := func(n, k int) float64 {
		out := 1.0
		for i := range k {
			out = out * float64(n-i) / float64(i+1)
		}
		return out
	}
	for _, c := range []float64{0.5, 0.9, 0.95, 0.99} {
		for n := 1; n <= 12; n++ {
			for x := 0; x <= n; x++ {
				low, high := Exact(float64(x), float64(n), c)
				orMore, orFewer := 0.0, 0.0
				for k := 0; k <= n; k++ {
					if k >= x {
						orMore += choose(n, k) * math.Pow(low, float64(k)) * math.Pow(1-low, float64(n-k))
					}
					if k <= x {
						orFewer += choose(n, k) * math.Pow(high, float64(k)) * math.Pow(1-high, float64(n-k))
					}
				}
				if x > 0 {
					assert.InDelta(t, (1-c)/2, orMore, 1e-9, "%d of %d", x, n)
				}
				if x < n {
					assert.InDelta(t, (1-c)/2, orFewer, 1e-9, "%d of %d", x, n)
				}
				wl, wh := Wilson(float64(x), float64(n), c)
				assert.True(t, wl >= 0 && wl <= float64(x)/float64(n)+1e-15 && wh >= float64(x)/float64(n)-1e-15 && wh <= 1, "%d of %d", x, n)
				// Observed and not observed change places.
				ml, mh := Wilson(float64(n-x), float64(n), c)
				assert.InDelta(t, 1-wh, ml, 1e-14)
				assert.InDelta(t, 1-wl, mh, 1e-14)
			}
		}
		for x := 0; x <= 12; x++ {
			low, high := Garwood(float64(x), c)
			fewer, orFewer, term := 0.0, 0.0, 1.0
			for k := 0; k <= x; k++ {
				if k < x {
					fewer += term * math.Pow(low, float64(k)) * math.Exp(-low)
				}
				orFewer += term * math.Pow(high, float64(k)) * math.Exp(-high)
				term /= float64(k + 1)
			}
			if x > 0 {
				assert.InDelta(t, (1-c)/2, 1-fewer, 1e-9, x)
			}
			assert.InDelta(t, (1-c)/2, orFewer, 1e-9, x)
		}
	}
}

// No share lies outside 0 and 1, not by a rounding either: 0 and 1 themselves are
// written where nobody, or everybody, was observed.
func TestWilsonLiesInside(t *testing.T) {
	for n := 1.0; n <= 2000; n++ {
		for _, c := range []float64{0.5, 0.8, 0.9, 0.95, 0.99} {
			low, high := Wilson(0, n, c)
			inside := low >= 0 && high < 1
			low, high = Wilson(n, n, c)
			assert.True(t, inside && low > 0 && high <= 1, "%v at %v", n, c)
		}
	}
	for x := 1e-20; x < 1; x *= 1.1 { // weighted counts need not be whole
		low, _ := Wilson(x, 10, 0.5)
		assert.GreaterOrEqual(t, low, 0.0, x)
	}
}

// Tails and quantiles in closed form: one degree of freedom is Cauchy's
// distribution, two are algebraic, and each is the other's inverse.
func TestStudentInClosedForm(t *testing.T) {
	for _, x := range []float64{1e-9, 1e-4, 0.5, 0.999, 1, 1.001, 1.2, 2, 10, 1e4} {
		// Both are told from 1 as well as from 0.
		near(t, 2*math.Atan(1/x)/math.Pi, TwoSided(x, 1), 1e-12, x)
		near(t, 2*math.Atan(x)/math.Pi, 1-TwoSided(x, 1), 1e-6, x)
		near(t, 2/(math.Sqrt(2+x*x)*(math.Sqrt(2+x*x)+x)), TwoSided(x, 2), 1e-12, x)
	}
	for _, df := range []float64{0.5, 1, 2.5, 7, 300} {
		for _, c := range []float64{0.1, 0.5, 0.8, 0.95, 0.999} {
			near(t, 1-c, TwoSided(StudentT(df, c), df), 1e-8, df, c)
		}
	}
	near(t, math.Tan(math.Pi*0.95/2), StudentT(1, 0.95), 1e-9)
	for _, df := range []float64{0.5, 1, 30, 1e8, math.Inf(1)} {
		assert.Equal(t, 0.0, TwoSided(math.Inf(1), df), df)
		assert.Equal(t, 0.0, TwoSided(math.Inf(-1), df), df)
		assert.Equal(t, 1.0, TwoSided(0, df), df)
	}
	// The normal distribution stands in from ten million on, not before.
	normal := TwoSided(2, math.Inf(1))
	near(t, math.Erfc(math.Sqrt2), normal, 1e-14)
	assert.Equal(t, normal, TwoSided(2, 1e7))
	assert.NotEqual(t, normal, TwoSided(2, 1e7-1))
	assert.Equal(t, Normal(0.95), StudentT(1e7, 0.95))
	assert.NotEqual(t, Normal(0.95), StudentT(1e7-1, 0.95))
	assert.Equal(t, Normal(0.95), StudentT(math.Inf(1), 0.95))
}

func TestScoreAtItsEnds(t *testing.T) {
	assert.Equal(t, math.Inf(1), Score(0, 2))
	assert.Equal(t, math.Inf(-1), Score(0, -2))
	// No effect at all has no sign, as -0 would.
	assert.False(t, math.Signbit(Score(1, -1)))
	for _, z := range []float64{1e-6, 0.7, 2.5, 37} {
		near(t, z, Score(math.Erfc(z/math.Sqrt2), 3), 1e-9)
		assert.Equal(t, -Score(0.3, 1), Score(0.3, -1))
	}
}

// With equal variances the moments are in closed form: the sum of squares over
// k - 1, or over the median of chi-square with k - 1 degrees of freedom, less v.
func TestBetweenUnitsInClosedForm(t *testing.T) {
	squares := func(d []float64) (sum float64) {
		m := 0.0
		for _, x := range d {
			m += x / float64(len(d))
		}
		for _, x := range d {
			sum += (x - m) * (x - m)
		}
		return sum
	}
	medians := map[int]float64{
		2: Normal(0.5) * Normal(0.5), // one degree of freedom: a squared normal
		3: 2 * math.Ln2,              // two: an exponential
	}
	for _, d := range [][]float64{{0, 1}, {3, -2}, {0, 0.5, 0, 0.5}, {0, 2, 4}, {-1, 0, 5, 9, 2}, {0, 1e-3}, {1, 2, 100}} {
		for _, share := range []float64{0, 0.001, 0.5, 0.95, 0.999, 1.001, 2} {
			k := len(d)
			v := make([]float64, k)
			for i := range v {
				v[i] = share * squares(d) / float64(k-1)
			}
			want := max(0, squares(d)/float64(k-1)-v[0])
			tolerance := 1e-12 * squares(d)
			if share > 0 {
				assert.InDelta(t, want, DerSimonianLaird(d, v), tolerance, d, share)
			}
			assert.InDelta(t, want, PauleMandel(d, v), tolerance, d, share)
			if q, ok := medians[k]; ok {
				assert.InDelta(t, max(0, squares(d)/q-v[0]), PauleMandelMedian(d, v), 1e-9*squares(d), d, share)
			}
		}
	}
	// Twice the distances and four times the variances are four times tau^2, and a shift is none.
	d, v := bcg()
	d2, v2, d3 := slices.Clone(d), slices.Clone(v), slices.Clone(d)
	for i := range d {
		d2[i], v2[i], d3[i] = 2*d[i], 4*v[i], d[i]+7
	}
	for _, between := range []func(d, v []float64) float64{DerSimonianLaird, PauleMandel, PauleMandelMedian} {
		near(t, 4*between(d, v), between(d2, v2), 1e-12)
		near(t, between(d, v), between(d3, v), 1e-9)
	}
	// One unit known exactly: it is the mean as tau^2 goes to 0. Here the others lie
	// within their errors of it, so that nothing is left between units.
	assert.Equal(t, 0.0, PauleMandel([]float64{0, 0.1, -0.1}, []float64{0, 1, 1}))
	assert.Equal(t, 0.0, PauleMandel([]float64{3, 3}, []float64{0, 0}))
}

// What is solved for is solved: the left side is the right side at the root.
func TestPauleMandelSolves(t *testing.T) {
	d, v := []float64{0, 0.3, 1.5, -0.8, 0.9, 4}, []float64{0.1, 0.5, 0.02, 1, 0.3, 0.2}
	left := func(tau2 float64) (sum float64) {
		sw, swd := 0.0, 0.0
		for i := range d {
			sw += 1 / (v[i] + tau2)
			swd += d[i] / (v[i] + tau2)
		}
		for i := range d {
			sum += (d[i] - swd/sw) * (d[i] - swd/sw) / (v[i] + tau2)
		}
		return sum
	}
	near(t, 5, left(PauleMandel(d, v)), 1e-12)
	near(t, 4.351460191095526, left(PauleMandelMedian(d, v)), 1e-9) // R 4.2.2, qchisq(0.5, 5)
}
