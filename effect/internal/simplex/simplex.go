// Package simplex finds the weights, none negative and with the sum 1, whose
// average of points comes nearest to a target: the quadratic program of a
// synthetic control, solved by a finite active-set method and certified.
package simplex

import (
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
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
	span   [][]float64 // orthonormal directions in which they cannot change
	null   [][]float64 // those orthogonal to them, in which they can
}

// Nearest minimises ||y - Xw||, where column j of X is points[j], over the w with
// w >= 0 and sum w = 1. Points have the length of y; there must be at least one,
// and every number must be finite. Multiplying a coordinate of y and of all
// points by sqrt(v) weights it by v. The same points in another order give the
// same bytes, in that order.
//
// With d_j = x_j - y the weights are u / sum u for the u >= 0 that minimise
// ||D u||^2 + (1'u - 1)^2, by the active-set method of Lawson and Hanson on a QR
// factor that is updated. Source: lawson1974, chapter 23.
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
// at most 2. A distance up to zero is rounding.
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
	vectors, rank := axes(rows)
	s.Rank, s.span, s.null = rank, vectors[:rank], vectors[rank:]
	if s.Rank < s.Active {
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

// least is the c'w of the optimal weights for which sign c'w is least.
func (s *Solution) least(c []float64, sign float64) float64 {
	part := make([]float64, len(s.face))
	for i, j := range s.face {
		part[i] = c[j]
	}
	w, value := s.center, dot(part, s.center)
	slope := slices.Clone(part) // of which only what lies along null moves anything
	for range 2 {
		for _, direction := range s.span {
			along := dot(direction, slope)
			for i := range slope {
				slope[i] -= along * direction[i]
			}
		}
	}
	length := norm(slope)
	if s.Rank == s.Active || length <= rounding*norm(part) {
		return value
	}
	const far, most = 2, 1000 // no two weights are farther apart than the root of 2
	for range most {
		q := slices.Clone(w)
		for i := range q {
			q[i] -= sign * far * slope[i] / length
		}
		next := s.project(q)
		gained := sign * (value - dot(part, next))
		if !(gained > rounding*length) {
			break
		}
		// On in the same direction as far as it goes: along an edge that is nearly level
		// the steps are short. What rounding adds to that is projected away.
		on := 1e4
		for i := range w {
			if w[i]-next[i] > tiny {
				on = min(on, next[i]/(w[i]-next[i]))
			}
		}
		for i := range q {
			q[i] = next[i] + on*(next[i]-w[i])
		}
		if q = s.project(q); sign*dot(part, q) < sign*dot(part, next) {
			next = q
		}
		w, value = next, dot(part, next)
	}
	return value
}

// project returns the weights nearest to q among those of the face that reach
// the same average.
func (s *Solution) project(q []float64) []float64 {
	w, ok := s.byNewton(q)
	if !ok {
		w = s.byLeastDistance(q)
	}
	normalise(w)
	return w
}

// byNewton projects by the dual: the weights are the positive part of q + span'm
// for an m that gives them the components of center along span, a root of
// piecewise linear equations and the least point of a convex function. Its steps
// cost little where there are many more points than coordinates. It says false
// where they do not end at the root.
func (s *Solution) byNewton(q []float64) (w []float64, ok bool) {
	r, enough := len(s.span), 1e-15*float64(len(q))
	wanted, m := make([]float64, r), make([]float64, r)
	for k, direction := range s.span {
		wanted[k] = dot(direction, s.center)
		m[k] = wanted[k] - dot(direction, q)
	}
	// at returns the weights of m, what they lack, and the value of the function.
	at := func(m []float64) (w, lack []float64, value float64) {
		w, lack = slices.Clone(q), make([]float64, r)
		for k, direction := range s.span {
			for i := range w {
				w[i] += m[k] * direction[i]
			}
		}
		for i := range w {
			w[i] = max(0, w[i])
		}
		for k, direction := range s.span {
			lack[k] = wanted[k] - dot(direction, w)
		}
		return w, lack, dot(w, w)/2 - dot(wanted, m)
	}
	w, lack, value := at(m)
	for range 100 {
		if norm(lack) <= enough {
			return w, true
		}
		h := dense.NewSym(r)
		for k := range r {
			for l := range k + 1 {
				for i, v := range w {
					if v > 0 {
						h[k][l] += s.span[k][i] * s.span[l][i]
					}
				}
				h[l][k] = h[k][l]
			}
			h[k][k] += rounding // no direction is longer than 1
		}
		factor, ok := dense.Factor(h)
		if !ok {
			return nil, false
		}
		step, found := factor.Solve(lack), false
		for length := 1.0; length > 1e-6 && !found; length /= 2 {
			next := slices.Clone(m)
			for k := range next {
				next[k] += length * step[k]
			}
			w2, lack2, value2 := at(next)
			if found = value2 < value || norm(lack2) < norm(lack)/2; found {
				m, w, lack, value = next, w2, lack2, value2
			}
		}
		if !found {
			break
		}
	}
	return w, norm(lack) <= 10*enough
}

// byLeastDistance projects by the problem min ||x|| with N x >= h, where w =
// center + null v with w >= 0, and the non-negative least squares that are its
// dual. Source: lawson1974, chapter 23.4.
func (s *Solution) byLeastDistance(q []float64) []float64 {
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
