package simplex

import (
	"math"
	"slices"
)

// nonNegative returns the u >= 0 that minimises ||E u - f||, where E has the
// columns given, and the residual f - E u. Where several do, it is one of them
// that has independent columns. Source: lawson1974, chapter 23.3.
func nonNegative(columns [][]float64, f []float64) (u, rest []float64) {
	n := len(columns)
	u = make([]float64, n)
	var in triangle
	lengths, blocked := make([]float64, n), make([]bool, n)
	for j, c := range columns {
		lengths[j] = norm(c)
	}
	for range 100 + 10*n {
		rest = residual(columns, u, f)
		// The column that would help most, in units of its length.
		best, gain := -1, norm(f)
		for j, v := range u {
			gain += v * lengths[j]
		}
		gain *= 1e-15 // under which it is rounding
		for j, c := range columns {
			if u[j] == 0 && !blocked[j] && lengths[j] > 0 {
				if g := dot(c, rest) / lengths[j]; g > gain {
					best, gain = j, g
				}
			}
		}
		if best < 0 {
			break
		}
		if !in.add(best, columns[best]) {
			blocked[best] = true
			continue
		}
		if v := in.solve(f); !(v[len(v)-1] > 0) {
			// Rounding only: it would leave again at once.
			in.drop(len(v)-1, columns)
			blocked[best] = true
			continue
		}
		for len(in.at) > 0 {
			v := in.solve(f)
			step, first := 1.0, -1
			for k, j := range in.at {
				if v[k] <= 0 && (first < 0 || u[j] < step*(u[j]-v[k])) {
					step, first = u[j]/(u[j]-v[k]), j
				}
			}
			if first < 0 {
				for k, j := range in.at {
					u[j] = v[k]
				}
				break
			}
			for k, j := range in.at {
				u[j] += step * (v[k] - u[j])
			}
			u[first] = 0
			for k := len(in.at) - 1; k >= 0; k-- {
				if u[in.at[k]] <= 0 {
					u[in.at[k]] = 0
					in.drop(k, columns)
				}
			}
		}
		clear(blocked)
	}
	return u, residual(columns, u, f)
}

func residual(columns [][]float64, u, f []float64) []float64 {
	out := slices.Clone(f)
	for j, v := range u {
		if v > 0 {
			for t := range out {
				out[t] -= v * columns[j][t]
			}
		}
	}
	return out
}

// triangle is the QR factor of the columns at, in that order.
type triangle struct {
	at []int
	q  [][]float64 // orthonormal
	r  [][]float64 // r[k] has k+1 values: column k in terms of q
}

// add puts a column last; it says false, and does nothing, when the columns
// before determine it.
func (a *triangle) add(j int, column []float64) bool {
	v, r, length := slices.Clone(column), make([]float64, len(a.q)+1), norm(column)
	for range 2 { // once more: a first pass leaves rounding along the others
		for k, q := range a.q {
			along := dot(q, v)
			r[k] += along
			for t := range v {
				v[t] -= along * q[t]
			}
		}
	}
	left := norm(v)
	if !(left > aliased*length) {
		return false
	}
	for t := range v {
		v[t] /= left
	}
	r[len(a.q)] = left
	a.at, a.q, a.r = append(a.at, j), append(a.q, v), append(a.r, r)
	return true
}

// drop takes out the k-th column.
func (a *triangle) drop(k int, columns [][]float64) {
	after := slices.Clone(a.at[k+1:])
	a.at, a.q, a.r = a.at[:k], a.q[:k], a.r[:k]
	for _, j := range after {
		a.add(j, columns[j])
	}
}

// solve returns the coefficients of the columns, in their order, that come
// nearest to f.
func (a *triangle) solve(f []float64) []float64 {
	v := make([]float64, len(a.q))
	for k, q := range a.q {
		v[k] = dot(q, f)
	}
	for k := len(v) - 1; k >= 0; k-- {
		v[k] /= a.r[k][k]
		for i := range k {
			v[i] -= v[k] * a.r[k][i]
		}
	}
	return v
}

// axes returns orthonormal vectors of which the first span the rows given, and
// the rest what is orthogonal to them; rank is how many are the first. Reflections
// bring the rows, the longest remaining first, to the coordinates.
func axes(rows [][]float64) (vectors [][]float64, rank int) {
	n := len(rows[0])
	left := make([][]float64, len(rows))
	longest := 0.0
	for i, r := range rows {
		left[i] = slices.Clone(r)
		longest = max(longest, norm(r))
	}
	var mirrors [][]float64
	for k := 0; k < min(len(rows), n); k++ {
		best := k
		for i := k; i < len(rows); i++ {
			if norm(left[i][k:]) > norm(left[best][k:]) {
				best = i
			}
		}
		left[k], left[best] = left[best], left[k]
		length := norm(left[k][k:])
		if !(length > aliased*longest) {
			break
		}
		v := make([]float64, n)
		copy(v[k:], left[k][k:])
		v[k] += math.Copysign(length, v[k])
		scale := norm(v)
		for i := range v {
			v[i] /= scale
		}
		mirrors = append(mirrors, v)
		for i := k; i < len(rows); i++ {
			reflect(left[i], v)
		}
	}
	for k := range n {
		e := make([]float64, n)
		e[k] = 1
		for m := len(mirrors) - 1; m >= 0; m-- {
			reflect(e, mirrors[m])
		}
		vectors = append(vectors, e)
	}
	return vectors, len(mirrors)
}

// reflect mirrors x in the plane orthogonal to the unit vector v.
func reflect(x, v []float64) {
	along := 2 * dot(v, x)
	for i := range x {
		x[i] -= along * v[i]
	}
}
