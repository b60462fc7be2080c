package simplex_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/internal/simplex"
)

// gauss solves a square system, or says false when it is singular.
func gauss(a [][]float64, b []float64) ([]float64, bool) {
	n := len(b)
	for k := range n {
		best := k
		for i := k; i < n; i++ {
			if math.Abs(a[i][k]) > math.Abs(a[best][k]) {
				best = i
			}
		}
		if math.Abs(a[best][k]) < 1e-9 {
			return nil, false
		}
		a[k], a[best], b[k], b[best] = a[best], a[k], b[best], b[k]
		for i := range n {
			if i == k {
				continue
			}
			f := a[i][k] / a[k][k]
			for j := k; j < n; j++ {
				a[i][j] -= f * a[k][j]
			}
			b[i] -= f * b[k]
		}
	}
	for k := range b {
		b[k] /= a[k][k]
	}
	return b, true
}

func average(x [][]float64, w []float64) []float64 {
	out := make([]float64, len(x[0]))
	for j := range x {
		for t := range out {
			out[t] += w[j] * x[j][t]
		}
	}
	return out
}

func distance(a, b []float64) float64 {
	sum := 0.0
	for t := range a {
		sum += (a[t] - b[t]) * (a[t] - b[t])
	}
	return math.Sqrt(sum)
}

// supports calls f with every solution of the equations
//
//	[X_S'X_S 1; 1' 0] (w, m) = (X_S'y, 1)
//
// over sets S of points that has no negative weight: the vertices of every set of
// solutions are among them.
func supports(x [][]float64, y []float64, f func(w []float64)) {
	for set := 1; set < 1<<len(x); set++ {
		var s []int
		for j := range x {
			if set>>j&1 == 1 {
				s = append(s, j)
			}
		}
		a, b := make([][]float64, len(s)+1), make([]float64, len(s)+1)
		a[len(s)] = make([]float64, len(s)+1)
		for i, p := range s {
			a[i] = make([]float64, len(s)+1)
			for k, q := range s {
				for t := range y {
					a[i][k] += x[p][t] * x[q][t]
				}
			}
			for t := range y {
				b[i] += x[p][t] * y[t]
			}
			a[i][len(s)], a[len(s)][i] = 1, 1
		}
		b[len(s)] = 1
		v, ok := gauss(a, b)
		if !ok {
			continue
		}
		w := make([]float64, len(x))
		for i, p := range s {
			w[p] = v[i]
			ok = ok && v[i] >= -1e-10
		}
		if ok {
			f(w)
		}
	}
}

// problem draws points and a target; of whole numbers, many problems have points
// that coincide, and weights that are not unique.
func problem(rng *rand.Rand, n, periods int, whole bool) (x [][]float64, y, c []float64) {
	draw := func() float64 {
		if whole {
			return float64(rng.IntN(4))
		}
		return rng.NormFloat64()
	}
	for range n {
		row := make([]float64, periods)
		for t := range row {
			row[t] = draw()
		}
		x, c = append(x, row), append(c, draw())
	}
	for range periods {
		y = append(y, draw())
	}
	return x, y, c
}

// Every support of up to seven points is tried: none comes nearer, the weights
// have the least norm of all that come as near, and no other has a sum outside
// the range.
func TestBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	several := 0
	for trial := range 600 {
		n, periods := 1+rng.IntN(7), 1+rng.IntN(5)
		x, y, c := problem(rng, n, periods, trial%2 == 0)
		s := simplex.Nearest(x, y)
		require.LessOrEqual(t, s.Gap, 1e-12)
		sum := 0.0
		for _, w := range s.Weights {
			require.GreaterOrEqual(t, w, 0.0)
			sum += w
		}
		require.InDelta(t, 1, sum, 1e-14)
		require.InDelta(t, distance(average(x, s.Weights), y), s.Distance, 1e-12)

		best := math.Inf(1)
		supports(x, y, func(w []float64) { best = math.Min(best, distance(average(x, w), y)) })
		require.InDelta(t, best, s.Distance, 1e-10)

		low, high, count := math.Inf(1), math.Inf(-1), 0
		at := average(x, s.Weights)
		supports(x, y, func(w []float64) {
			if distance(average(x, w), at) > 1e-8 {
				return
			}
			value, along := 0.0, 0.0
			for j := range w {
				value += c[j] * w[j]
				along += s.Weights[j] * (w[j] - s.Weights[j])
			}
			// The origin's nearest point of a convex set is on no solution's far side.
			require.GreaterOrEqual(t, along, -1e-9)
			low, high, count = math.Min(low, value), math.Max(high, value), count+1
		})
		require.Positive(t, count)
		a, b := s.Range(c)
		require.InDelta(t, low, a, 1e-8)
		require.InDelta(t, high, b, 1e-8)
		if high-low > 1e-6 {
			several++
			require.Less(t, s.Rank, s.Active)
		}
	}
	assert.Greater(t, several, 80)
}

// On problems too large to enumerate: the gap certifies the distance, from the
// weights alone, and the weights have the least norm.
func TestKKT(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	most := 0
	for trial := range 60 {
		n, periods := 20+rng.IntN(80), 3+rng.IntN(30)
		x, y, _ := problem(rng, n, periods, trial%3 == 0)
		s := simplex.Nearest(x, y)
		at := average(x, s.Weights)
		gap := 0.0
		for j := range x {
			g := 0.0
			for k := range y {
				g += (y[k] - at[k]) * (x[j][k] - at[k])
			}
			gap = math.Max(gap, g)
		}
		require.LessOrEqual(t, gap, 1e-10)
		require.LessOrEqual(t, s.Gap, 1e-12)

		// Weights have the least norm of all that are optimal exactly when no other has
		// a smaller product with them.
		squares := 0.0
		for _, w := range s.Weights {
			squares += w * w
		}
		low, _ := s.Range(s.Weights)
		require.InDelta(t, squares, low, 1e-10)
		most = max(most, s.Active-s.Rank)
	}
	require.Greater(t, most, 20)
}

// What the donors of real panels are like: large levels, a common trend, a
// target that is nearly or exactly an average of a few.
func TestNearlyExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, noise := range []float64{0, 1e-9, 1e-7, 1e-5, 1e-3, 1e-1} {
		for _, level := range []float64{0, 1e3, 1e6} {
			for range 10 {
				const n, periods = 12, 20
				x, y := make([][]float64, n), make([]float64, periods)
				for j := range x {
					for k := range periods {
						x[j] = append(x[j], level+float64(k)+3*rng.NormFloat64())
					}
				}
				for k := range y {
					y[k] = 0.5*x[2][k] + 0.3*x[7][k] + 0.2*x[11][k] + noise*rng.NormFloat64()
				}
				s := simplex.Nearest(x, y)
				require.LessOrEqual(t, s.Gap, simplex.Tolerance, "noise %v level %v", noise, level)
				if noise == 0 {
					require.Zero(t, s.Distance)
				}
				want := []float64{2: 0.5, 7: 0.3, 11: 0.2}
				for j := range want {
					require.InDelta(t, want[j], s.Weights[j], 2*noise+1e-10*math.Max(1, level), "noise %v level %v", noise, level)
				}
			}
		}
	}
}

// Points in another order give the same bytes in that order; coinciding points
// share their weight; a factor changes weights by nothing.
func TestOrderAndScale(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for trial := range 50 {
		x, y, c := problem(rng, 15, 2+trial%12, trial%2 == 0)
		s := simplex.Nearest(x, y)
		low, high := s.Range(c)
		at := rng.Perm(len(x))
		x2, c2 := make([][]float64, len(x)), make([]float64, len(x))
		for k, j := range at {
			x2[k], c2[k] = x[j], c[j]
		}
		s2 := simplex.Nearest(x2, y)
		assert.Equal(t, s.Distance, s2.Distance)
		assert.Equal(t, []int{s.Active, s.Rank}, []int{s2.Active, s2.Rank})
		for k, j := range at {
			require.InDelta(t, s.Weights[j], s2.Weights[k], 1e-12)
		}
		low2, high2 := s2.Range(c2)
		require.InDelta(t, low, low2, 1e-9)
		require.InDelta(t, high, high2, 1e-9)

		for j := range x {
			for k := range x {
				if distance(x[j], x[k]) == 0 {
					require.InDelta(t, s.Weights[j], s.Weights[k], 1e-12)
				}
			}
		}
		for _, factor := range []float64{math.Ldexp(1, 600), math.Ldexp(1, -600), 1e-3} {
			x3, y3 := make([][]float64, len(x)), make([]float64, len(y))
			for j := range x {
				for _, v := range x[j] {
					x3[j] = append(x3[j], v*factor)
				}
			}
			for k := range y {
				y3[k] = y[k] * factor
			}
			s3 := simplex.Nearest(x3, y3)
			for j := range x {
				require.InDelta(t, s.Weights[j], s3.Weights[j], 1e-9)
			}
			require.InDelta(t, s.Distance, s3.Distance/factor, 1e-12)
		}
	}
}

// A single point, the target itself among the points, and points that are all
// the same.
func TestEdges(t *testing.T) {
	s := simplex.Nearest([][]float64{{1, 2}}, []float64{4, 6})
	assert.Equal(t, []float64{1}, s.Weights)
	assert.Equal(t, 5.0, s.Distance)
	assert.Zero(t, s.Gap)

	s = simplex.Nearest([][]float64{{1, 2}, {4, 6}, {9, 3}}, []float64{4, 6})
	assert.InDeltaSlice(t, []float64{0, 1, 0}, s.Weights, 1e-15)
	assert.Zero(t, s.Distance)
	assert.Zero(t, s.Gap)
	assert.Equal(t, 3, s.Rank)

	s = simplex.Nearest([][]float64{{3}, {3}, {3}, {3}}, []float64{3})
	assert.InDeltaSlice(t, []float64{.25, .25, .25, .25}, s.Weights, 1e-15)
	assert.Zero(t, s.Distance)
	assert.Equal(t, []int{4, 1}, []int{s.Active, s.Rank})
	low, high := s.Range([]float64{1, 2, 3, 4})
	assert.InDelta(t, 1, low, 1e-12)
	assert.InDelta(t, 4, high, 1e-12)

	s = simplex.Nearest([][]float64{{0}, {0}}, []float64{0})
	assert.InDeltaSlice(t, []float64{.5, .5}, s.Weights, 1e-15)
}
