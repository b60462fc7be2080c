// Package simplex finds the weights, none negative and with the sum 1, whose
// average of points comes nearest to a target: the quadratic program of a
// synthetic control, solved by a finite active-set method and certified.
package simplex

import (
	"math"
	"slices"
)

// Tolerance is the [Solution.Gap] up to which a solution counts as solved.
const Tolerance = 1e-8

const (
	// bound is how near, as a share of the farthest point's distance, the hull's
	// supporting plane must come to a point for it to count as on the face. A point
	// too many does no harm: it gets no weight where it would spoil the average.
	bound = 1e-10
	// aliased is the share of a column's length that must be left beside the others
	// for it to count as independent of them.
	aliased = 1e-10
	// tiny is the weight below which a weight is rounding.
	tiny = 1e-12
	// rounding is the share of the largest number given under which a distance is
	// rounding.
	rounding = 1e-12
)

// Solution is the weights that come nearest and their certificate.
//
// The average Xw that comes nearest is unique; the weights need not be. Among all
// weights that reach it these are the ones with the smallest sum of squares,
// which are unique: the order of the points permutes the weights and changes
// nothing else.
type Solution struct {
	Weights []float64 // in the order of the points; 0 is exact
	// Distance is ||y - Xw||. It is exactly 0 when y lies in the hull of the points,
	// to within 1e-12 of the largest number given.
	Distance float64
	// Gap bounds what is left to gain: no weights come nearer than Distance less
	// Gap times the distance of the nearest single point. It is the duality gap
	// max over j of (y-Xw)'(x_j - Xw) over the Distance, or the Distance itself
	// where that is smaller, as a share of the nearest point's distance; 0 when
	// the target is in the hull.
	Gap float64
	// Active is how many points can carry weight: those on the face of the hull
	// that is nearest to y; all points when y lies in the hull. Rank is how many of
	// them are affinely independent. Where Rank = Active the weights are unique.
	Active, Rank int

	face   []int       // the active points
	center []float64   // the weights of the active points, in their order
	null   [][]float64 // orthonormal directions in which they can change together
}

// Nearest minimises ||y - Xw||, where column j of X is points[j], over the w with
// w >= 0 and sum w = 1. Points have the length of y; there must be at least one,
// and every number must be finite. Multiplying a coordinate of y and of all
// points by sqrt(v) weights it by v. The same points in another order give the
// same bytes, in that order.
//
// With d_j = x_j - y the weights are u / sum u for the u >= 0 that minimise
// ||D u||^2 + (1'u - 1)^2, by the active-set method of Lawson and Hanson on a QR
// factor that is updated. Source: lawson1974, chapter 23; wolfe1976.
func Nearest(points [][]float64, y []float64) Solution {
	n, largest := len(points), 0.0
	for _, x := range append(slices.Clone(points), y) {
		for _, v := range x {
			largest = max(largest, math.Abs(v))
		}
	}
	// A power of two, so that nothing is rounded, and squares neither overflow nor
	// vanish.
	_, exponent := math.Frexp(largest)
	d := make([][]float64, n) // the points about the target
	for j, x := range points {
		d[j] = make([]float64, len(y))
		for t := range y {
			d[j][t] = math.Ldexp(x[t], -exponent) - math.Ldexp(y[t], -exponent)
		}
	}
	// The order of the points is that of their numbers, so that no rounding depends
	// on the order in which they came.
	order := make([]int, n)
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(d[a], d[b]) })
	sorted := make([][]float64, n)
	for k, j := range order {
		sorted[k] = d[j]
	}
	s := solve(sorted, rounding*math.Sqrt(float64(len(y))))
	s.Distance = math.Ldexp(s.Distance, exponent)
	back := make([]float64, n)
	for k, j := range order {
		back[j] = s.Weights[k]
	}
	s.Weights = back
	for i, k := range s.face {
		s.face[i] = order[k]
	}
	return s
}

// solve is Nearest of the origin for points in canonical order whose numbers are
// at most 2. A distance of zero or less is rounding.
func solve(d [][]float64, zero float64) Solution {
	s := Solution{Weights: make([]float64, len(d))}
	near, far := math.Inf(1), zero
	for _, x := range d {
		near, far = min(near, norm(x)), max(far, norm(x))
	}
	// In units of the distance itself the least squares tell best how it can shrink.
	var z []float64
	unit := max(near, zero)
	for range 2 {
		s.Weights, _ = nonNegative(lifted(d, unit), last(len(d[0])+1))
		normalise(s.Weights)
		z = average(d, s.Weights)
		if unit = norm(z); unit <= zero {
			clear(z)
			break
		}
	}
	for j := range d {
		if s.Weights[j] > 0 || dot(z, d[j])-dot(z, z) <= bound*norm(z)*far {
			s.face = append(s.face, j)
			s.center = append(s.center, s.Weights[j])
		}
	}
	// What the weights of the face's points must keep: a row for each coordinate of
	// the average, and one for their sum.
	columns, rows := lifted(d, far), make([][]float64, len(d[0])+1)
	for t := range rows {
		for _, j := range s.face {
			rows[t] = append(rows[t], columns[j][t])
		}
	}
	s.Active = len(s.face)
	s.null = complement(rows)
	s.Rank = s.Active - len(s.null)
	if len(s.null) > 0 {
		s.center = s.project(make([]float64, s.Active))
		clear(s.Weights)
		for i, j := range s.face {
			s.Weights[j] = s.center[i]
		}
		z = average(d, s.Weights)
	}

	s.Distance = norm(z)
	if s.Distance <= zero {
		s.Distance = 0
		return s
	}
	for j := range d {
		s.Gap = max(s.Gap, (dot(z, z)-dot(z, d[j]))/s.Distance)
	}
	s.Gap = min(s.Gap, s.Distance) / max(near, zero)
	return s
}

// Range returns the least and the largest sum of c_j w_j over all weights that
// come as near as the solution does; c has a value for each point. Both are the
// solution's own where the weights are unique.
//
// The linear program is solved by steps down c that are projected back, which
// end at a solution after finitely many steps. Source: ferris1991.
func (s *Solution) Range(c []float64) (low, high float64) {
	return s.least(c, 1), s.least(c, -1)
}

// least is the least sum of sign c_j w_j, times sign.
func (s *Solution) least(c []float64, sign float64) float64 {
	part, mean := make([]float64, len(s.face)), 0.0
	for i, j := range s.face {
		part[i] = c[j]
		mean += c[j] / float64(len(s.face))
	}
	w, value := s.center, dot(part, s.center)
	slope := make([]float64, len(part))
	for i := range part {
		slope[i] = sign * (part[i] - mean)
	}
	length := norm(slope)
	if len(s.null) == 0 || length == 0 {
		return value
	}
	const far, most = 10, 1000 // steps are long beside the simplex, so that few are needed
	for range most {
		q := slices.Clone(w)
		for i := range q {
			q[i] -= far * slope[i] / length
		}
		next := s.project(q)
		gained := sign * (value - dot(part, next))
		if !(gained > rounding*length) {
			break
		}
		w, value = next, dot(part, next)
	}
	return value
}

// project returns the weights nearest to q among those of the face that reach
// the same average: w = center + null v with w >= 0. It is the least-distance
// problem min ||x|| with N x >= h, by the non-negative least squares that is its
// dual. Source: lawson1974, chapter 23.4.
func (s *Solution) project(q []float64) []float64 {
	n, k := s.Active, len(s.null)
	w := slices.Clone(s.center)
	for _, direction := range s.null {
		var along float64
		for i := range q {
			along += direction[i] * (q[i] - s.center[i])
		}
		for i := range w {
			w[i] += along * direction[i]
		}
	}
	if slices.Min(w) < -tiny {
		columns := make([][]float64, n)
		for i := range columns {
			columns[i] = make([]float64, k+1)
			for m, direction := range s.null {
				columns[i][m] = direction[i]
			}
			if norm(columns[i]) <= aliased {
				clear(columns[i]) // rounding only: this weight cannot change
				continue
			}
			columns[i][k] = -w[i]
		}
		_, rest := nonNegative(columns, last(k+1))
		for m, direction := range s.null {
			for i := range w {
				w[i] -= rest[m] / rest[k] * direction[i]
			}
		}
	}
	normalise(w)
	return w
}

// normalise sets weights that are rounding to 0 and makes the sum 1.
func normalise(w []float64) {
	for pass := range 2 {
		sum := 0.0
		for _, v := range w {
			sum += v
		}
		for j := range w {
			w[j] /= sum
			if pass == 0 && !(w[j] > tiny) {
				w[j] = 0
			}
		}
	}
}

// lifted are points as columns of the least squares: in units of unit, with a one
// for the sum of the weights.
func lifted(d [][]float64, unit float64) [][]float64 {
	out := make([][]float64, len(d))
	for j := range d {
		for _, v := range d[j] {
			out[j] = append(out[j], v/unit)
		}
		out[j] = append(out[j], 1)
	}
	return out
}

// last is zeros with a one at the end.
func last(n int) []float64 {
	out := make([]float64, n)
	out[n-1] = 1
	return out
}

func average(d [][]float64, w []float64) []float64 {
	out := make([]float64, len(d[0]))
	for j, v := range w {
		if v > 0 {
			for t := range out {
				out[t] += v * d[j][t]
			}
		}
	}
	return out
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func norm(a []float64) float64 { return math.Sqrt(dot(a, a)) }
