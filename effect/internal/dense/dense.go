// Package dense is the linear algebra of the fits: a matrix of rows, its cross
// products on all processors, and small symmetric systems.
//
// Every sum runs over chunks of a fixed size that are combined in a fixed tree,
// so the same matrix gives the same bytes for any number of processors. A value
// that is not finite makes results that are not finite; the callers refuse such
// values first.
//
// Work over many rows takes a context and is left between two chunks once that is
// done. What comes of it is then not a number: the callers look at the context before
// they tell of a result, and before they tell of its lack.
package dense

import (
	"context"
	"math"
)

// Matrix is N rows of P columns, row after row: len(Data) = N*P. A model's
// constant is a column like any other.
type Matrix struct {
	N, P int
	Data []float64
}

// Row returns row i; it shares memory with the matrix.
func (x Matrix) Row(i int) []float64 { return x.Data[i*x.P : (i+1)*x.P] }

// Rows returns rows lo..hi-1; they share memory with the matrix.
func (x Matrix) Rows(lo, hi int) Matrix {
	return Matrix{N: hi - lo, P: x.P, Data: x.Data[lo*x.P : hi*x.P]}
}

// Sym is a symmetric matrix with both halves filled.
type Sym [][]float64

// NewSym returns p rows and columns of zeros.
func NewSym(p int) Sym {
	out, data := make(Sym, p), make([]float64, p*p)
	for j := range out {
		out[j] = data[j*p : (j+1)*p : (j+1)*p]
	}
	return out
}

// Sub returns the rows and columns of a given, in their order.
func Sub(a Sym, kept []int) Sym {
	out := NewSym(len(kept))
	for j, c := range kept {
		for k, d := range kept {
			out[j][k] = a[c][d]
		}
	}
	return out
}

// Dot is the scalar product of a and the first len(a) values of b.
func Dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// Mul writes X b, one value a row, to dst and returns it; a nil dst is made. b
// has a value for each column.
func Mul(ctx context.Context, dst []float64, x Matrix, b []float64) []float64 {
	if dst == nil {
		dst = make([]float64, x.N)
	}
	Chunks(ctx, x.N, func(_, lo, hi int) { Dots(dst[lo:hi], x.Rows(lo, hi), b) })
	return dst
}

// Dots writes X b to dst on the caller's goroutine. A row's value does not depend
// on the rows beside it.
func Dots(dst []float64, x Matrix, b []float64) {
	p, i := x.P, 0
	b = b[:p]
	for ; i+3 < x.N; i += 4 {
		rows := x.Data[i*p : (i+4)*p]
		r0, r1, r2, r3 := rows[:len(b)], rows[p:][:len(b)], rows[2*p:][:len(b)], rows[3*p:][:len(b)]
		var s0, s1, s2, s3 float64
		for k, v := range b {
			s0 += v * r0[k]
			s1 += v * r1[k]
			s2 += v * r2[k]
			s3 += v * r3[k]
		}
		dst[i], dst[i+1], dst[i+2], dst[i+3] = s0, s1, s2, s3
	}
	for ; i < x.N; i++ {
		dst[i] = 0
		for k, v := range x.Row(i) {
			dst[i] += v * b[k]
		}
	}
}

// Cross is X'r, one value a column. r has a value for each row.
func Cross(ctx context.Context, x Matrix, r []float64) []float64 {
	return Sum(ctx, x.N, x.P, func(sum []float64, lo, hi int) { AddCross(sum, x.Rows(lo, hi), r[lo:hi]) })
}

// AddCross adds X'r to sum on the caller's goroutine, for use in [Sum] where r
// is worked out on the way.
func AddCross(sum []float64, x Matrix, r []float64) {
	p, i := x.P, 0
	sum = sum[:p]
	for ; i+3 < x.N; i += 4 {
		rows := x.Data[i*p : (i+4)*p]
		a, b, c, d := rows[:len(sum)], rows[p:][:len(sum)], rows[2*p:][:len(sum)], rows[3*p:][:len(sum)]
		ra, rb, rc, rd := r[i], r[i+1], r[i+2], r[i+3]
		for k := range sum {
			sum[k] += (a[k]*ra + b[k]*rb) + (c[k]*rc + d[k]*rd)
		}
	}
	for ; i < x.N; i++ {
		for k, v := range x.Row(i) {
			sum[k] += v * r[i]
		}
	}
}

const (
	tile = 3 // columns of a panel: nine sums, three factors and a product fit the registers
	// BlockRows is how many rows of [Products] are worked on at a time: their panels
	// stay in the first cache. A chunk is a whole number of blocks.
	BlockRows = 64
)

// Gram is X'WX, P rows and columns. w has a weight for each row, of any sign;
// nil stands for ones. With n = 0 it is zeros.
func Gram(ctx context.Context, x Matrix, w []float64) Sym {
	sum := Sum(ctx, x.N, Width(x.P), func(sum []float64, lo, hi int) {
		part := w
		if w != nil {
			part = w[lo:hi]
		}
		NewProducts(x.P).Add(sum, x.Rows(lo, hi), part)
	})
	return Unpack(sum, x.P)
}

// Products adds up X'WX on the caller's goroutine, for use in [Sum] where the
// rows are worked out on the way.
//
// Blocks of rows are first laid out in panels of three columns, so that nine
// sums at a time stay in registers while they run down a block. Whether the rows
// come at once or in blocks does not change the bytes of the sum.
type Products struct {
	plain    []float64
	weighted [tile * BlockRows]float64
}

// Width is how many sums the products of p columns need.
func Width(p int) int {
	panels := (p + tile - 1) / tile
	return panels * (panels + 1) / 2 * tile * tile
}

// NewProducts makes room to work out the products of p columns.
func NewProducts(p int) *Products {
	return &Products{plain: make([]float64, (p+tile-1)/tile*tile*BlockRows)}
}

// Add adds X'WX to the first Width(x.P) values of sum; nil weights are ones.
func (g *Products) Add(sum []float64, x Matrix, w []float64) {
	panels := (x.P + tile - 1) / tile
	for lo := 0; lo < x.N; lo += BlockRows {
		rows := min(BlockRows, x.N-lo)
		pack(g.plain, x, lo, rows)
		at := 0
		for j := range panels {
			right := g.plain[j*tile*rows : (j+1)*tile*rows]
			left := right
			if w != nil {
				left = g.weighted[:tile*rows]
				for i, v := range w[lo : lo+rows] {
					from, to := right[tile*i:tile*i+tile], left[tile*i:tile*i+tile]
					to[0], to[1], to[2] = v*from[0], v*from[1], v*from[2]
				}
			}
			for k := range j {
				kernel((*[tile * tile]float64)(sum[at:]), left, g.plain[k*tile*rows:(k+1)*tile*rows])
				at += tile * tile
			}
			diagonal((*[tile * tile]float64)(sum[at:]), left, right)
			at += tile * tile
		}
	}
}

// Unpack writes the sums of products of p columns as a matrix.
func Unpack(sum []float64, p int) Sym {
	out := NewSym(p)
	at := 0
	for j := range (p + tile - 1) / tile {
		for k := range j + 1 {
			for m, v := range sum[at : at+tile*tile] {
				if r, c := j*tile+m/tile, k*tile+m%tile; r < p && c <= r {
					out[r][c], out[c][r] = v, v
				}
			}
			at += tile * tile
		}
	}
	return out
}

// pack lays rows lo.. out as panels: three columns of the first row, of the
// second row, and so on. Columns beyond the last are zeros.
func pack(panels []float64, x Matrix, lo, rows int) {
	for i := range rows {
		row, at := x.Row(lo+i), tile*i
		for len(row) >= tile {
			to := panels[at : at+tile]
			to[0], to[1], to[2] = row[0], row[1], row[2]
			row, at = row[tile:], at+tile*rows
		}
		if len(row) > 0 {
			to := panels[at : at+tile]
			clear(to)
			copy(to, row)
		}
	}
}

// kernel adds the products of two panels to nine sums.
func kernel(sum *[tile * tile]float64, a, b []float64) {
	s0, s1, s2, s3, s4, s5, s6, s7, s8 := sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], sum[6], sum[7], sum[8]
	for len(a) >= tile && len(b) >= tile {
		b0, b1, b2 := b[0], b[1], b[2]
		v := a[0]
		s0 += v * b0
		s1 += v * b1
		s2 += v * b2
		v = a[1]
		s3 += v * b0
		s4 += v * b1
		s5 += v * b2
		v = a[2]
		s6 += v * b0
		s7 += v * b1
		s8 += v * b2
		a, b = a[tile:], b[tile:]
	}
	*sum = [tile * tile]float64{s0, s1, s2, s3, s4, s5, s6, s7, s8}
}

// diagonal is kernel for a panel and itself: only the sums on and below the
// diagonal are filled.
func diagonal(sum *[tile * tile]float64, a, b []float64) {
	s0, s3, s4, s6, s7, s8 := sum[0], sum[3], sum[4], sum[6], sum[7], sum[8]
	for len(a) >= tile && len(b) >= tile {
		b0, b1, b2 := b[0], b[1], b[2]
		s0 += a[0] * b0
		s3 += a[1] * b0
		s4 += a[1] * b1
		s6 += a[2] * b0
		s7 += a[2] * b1
		s8 += a[2] * b2
		a, b = a[tile:], b[tile:]
	}
	*sum = [tile * tile]float64{s0, 0, 0, s3, s4, 0, s6, s7, s8}
}

// Independent returns the columns of X that those before them do not determine,
// ascending, from a = X'X: column j is kept when the kept columns before it leave
// more than the share tolerance of its squared length. Keeping the earlier
// column makes the result independent of scale and easy to explain. A column of
// zeros, or one with a length that is not finite, is not kept.
func Independent(a Sym, tolerance float64) []int {
	var kept []int
	var l [][]float64
	for j := range a {
		row, rest := make([]float64, len(kept), len(kept)+1), a[j][j]
		for k, c := range kept {
			row[k] = (a[j][c] - Dot(row[:k], l[k])) / l[k][k]
			rest -= row[k] * row[k]
		}
		if a[j][j] > 0 && rest > tolerance*a[j][j] && !math.IsInf(rest, 1) {
			kept, l = append(kept, j), append(l, append(row, math.Sqrt(rest)))
		}
	}
	return kept
}

// Cholesky is a lower triangular L with L L' = a; row i has i+1 values.
type Cholesky [][]float64

// singular is the share of a diagonal value that must remain for a matrix to
// count as positive definite.
const singular = 1e-14

// Factor is the Cholesky factor of a. It says false when a is not positive
// definite to working precision, or holds values that are not finite.
func Factor(a Sym) (Cholesky, bool) {
	l := make(Cholesky, len(a))
	for i := range a {
		l[i] = make([]float64, i+1)
		for j := range i {
			l[i][j] = (a[i][j] - Dot(l[i][:j], l[j])) / l[j][j]
		}
		v := a[i][i] - Dot(l[i][:i], l[i])
		if !(v > singular*a[i][i]) || math.IsInf(v, 1) {
			return nil, false
		}
		l[i][i] = math.Sqrt(v)
	}
	return l, true
}

// Half returns z with L z = b, so that z'z = b' a^-1 b. It writes to dst, which
// may be b itself; a nil dst is made.
func (l Cholesky) Half(dst, b []float64) []float64 {
	if dst == nil {
		dst = make([]float64, len(b))
	}
	for i, row := range l {
		dst[i] = (b[i] - Dot(row[:i], dst)) / row[i]
	}
	return dst
}

// Solve returns z with a z = b.
func (l Cholesky) Solve(b []float64) []float64 {
	z := l.Half(nil, b)
	for i := len(l) - 1; i >= 0; i-- {
		z[i] /= l[i][i]
		for k, v := range l[i][:i] {
			z[k] -= v * z[i]
		}
	}
	return z
}

// LogDet is the logarithm of the determinant of a; 0 for a of no rows.
func (l Cholesky) LogDet() float64 {
	sum := 0.0
	for i := range l {
		sum += math.Log(l[i][i])
	}
	return 2 * sum
}
