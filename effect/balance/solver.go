package balance

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

const (
	tolerance     = 1e-10  // greatest imbalance, in standard deviations
	leastWeight   = 1e-140 // its square is a float too, for variances of municipalities
	maxIterations = 100
	aliased       = 1e-11 // share of a column's squared length that its predecessors leave
	sampleRows    = 1024  // rows for each column from which a first Hessian is taken
	edge          = 1e-12 // rounding, as a share of a column's size
)

// solver holds the comparators in the order of their classes.
type solver struct {
	Problem
	n     int       // comparators asked about
	order []int32   // position among the comparators
	rows  []int32   // row of X
	base  []float64 // nil for ones
	from  []int     // of each class, where it starts; one more at the end

	candidates []int     // columns that vary within a class
	sd         []float64 // of every column
	perSD      []float64 // 1/sd, 0 where the column is constant

	lambda  []float64 // per unit of every column
	e       []float64 // q exp(x'lambda - shift of the class)
	shift   []float64 // of each class
	mass    []float64 // of each class, the sum of e
	mean    [][]float64
	score   []float64 // weighted mean less target, in standard deviations
	dual    float64
	kept    []int
	steps   int
	reduced bool
	room    *room // kept from one Hessian to the next
}

func newSolver(p Problem) (*solver, error) {
	s := &solver{Problem: p, n: p.X.N}
	if p.Rows != nil {
		s.n = len(p.Rows)
	}
	if s.Share == nil {
		s.Share = []float64{1}
	}
	for _, t := range p.Target {
		if math.IsNaN(t - t) {
			return nil, notFinite("a mean to be reached")
		}
	}
	for _, b := range p.Base {
		if math.IsNaN(b-b) || b < 0 {
			return nil, notFinite("a base weight")
		}
	}
	class := func(k int) int {
		if p.Class == nil {
			return 0
		}
		return int(p.Class[k])
	}
	used := func(k int) bool { return (p.Base == nil || p.Base[k] > 0) && s.Share[class(k)] > 0 }
	s.from = make([]int, len(s.Share)+1)
	for k := range s.n {
		if used(k) {
			s.from[class(k)+1]++
		}
	}
	for c, share := range s.Share {
		if s.from[c+1] == 0 && share > 0 {
			return nil, &effect.Refusal{Code: effect.RefusalNoComparators, Why: "a class of the cell has no comparators", Cure: "declare fewer or coarser classes, or more peers"}
		}
		s.from[c+1] += s.from[c]
	}
	at, total := slices.Clone(s.from), s.from[len(s.Share)]
	s.order, s.rows = make([]int32, total), make([]int32, total)
	if p.Base != nil {
		s.base = make([]float64, total)
	}
	for k := range s.n {
		if !used(k) {
			continue
		}
		c := class(k)
		to := at[c]
		at[c]++
		s.order[to], s.rows[to] = int32(k), int32(k)
		if p.Rows != nil {
			s.rows[to] = p.Rows[k]
		}
		if p.Base != nil {
			s.base[to] = p.Base[k]
		}
	}
	return s, nil
}

func notFinite(what string) error {
	return &effect.Refusal{Code: effect.RefusalNotFinite, Why: what + " is not finite", Cure: "check the covariates"}
}

// each calls f with every class that has comparators and its range.
func (s *solver) each(f func(class, lo, hi int)) {
	for c := range s.Share {
		if lo, hi := s.from[c], s.from[c+1]; lo < hi {
			f(c, lo, hi)
		}
	}
}

// reduce measures the columns, finds targets out of reach, and leaves only the
// comparators that can carry weight: where a target is the least value among the
// comparators, those who have it.
func (s *solver) reduce(ctx context.Context) error {
	for {
		low, high, err := s.measure(ctx)
		if err != nil {
			return err
		}
		s.candidates = s.candidates[:0]
		var outside, face []int
		for k, t := range s.Target {
			var lo, hi, size float64
			s.each(func(c, _, _ int) {
				lo += s.Share[c] * low[c][k]
				hi += s.Share[c] * high[c][k]
				size = max(size, math.Abs(low[c][k]), math.Abs(high[c][k]))
			})
			switch {
			case t < lo-edge*size || t > hi+edge*size:
				outside = append(outside, k)
			case hi-lo <= edge*size:
			case t <= lo+edge*(hi-lo) || t >= hi-edge*(hi-lo):
				face = append(face, k)
			default:
				s.candidates = append(s.candidates, k)
			}
		}
		switch {
		case len(outside) > 0:
			return s.cannot("lies outside the range of the comparators", outside)
		case len(face) == 0:
			return nil
		}
		s.reduced = true
		s.drop(func(c int, row []float64) bool {
			for _, k := range face {
				limit, lo, hi := 0.0, low[c][k], high[c][k]
				if s.Target[k] <= s.middle(k, low, high) {
					limit = lo
				} else {
					limit = hi
				}
				if math.Abs(row[k]-limit) > edge*max(math.Abs(lo), math.Abs(hi)) {
					return true
				}
			}
			return false
		})
	}
}

// middle is halfway between the least and the greatest mean that column k can
// have.
func (s *solver) middle(k int, low, high [][]float64) (mid float64) {
	s.each(func(c, _, _ int) { mid += s.Share[c] * (low[c][k]/2 + high[c][k]/2) })
	return mid
}

// drop leaves out comparators.
func (s *solver) drop(out func(class int, row []float64) bool) {
	to, from := 0, slices.Clone(s.from)
	for c := range s.Share {
		lo, hi := from[c], from[c+1]
		s.from[c] = to
		for i := lo; i < hi; i++ {
			if out(c, s.X.Row(int(s.rows[i]))) {
				continue
			}
			s.order[to], s.rows[to] = s.order[i], s.rows[i]
			if s.base != nil {
				s.base[to] = s.base[i]
			}
			to++
		}
	}
	s.from[len(s.Share)] = to
	s.order, s.rows = s.order[:to], s.rows[:to]
	if s.base != nil {
		s.base = s.base[:to]
	}
}

// measure returns the least and greatest values of every column in every class,
// and fills in the standard deviations over all comparators.
func (s *solver) measure(ctx context.Context) (low, high [][]float64, err error) {
	p := s.X.P
	low, high = make([][]float64, len(s.Share)), make([][]float64, len(s.Share))
	sums := make([]float64, 2*p+1)
	var mu sync.Mutex // least and greatest are the same in whatever order they meet
	s.each(func(c, lo, hi int) {
		low[c] = slices.Clone(s.X.Row(int(s.rows[lo])))
		high[c] = slices.Clone(low[c])
		part := dense.Sum(ctx, hi-lo, 2*p+1, func(sum []float64, a, b int) {
			first := s.X.Row(int(s.rows[lo+a]))
			least, most, plain, square := slices.Clone(first), slices.Clone(first), sum[:p], sum[p:2*p]
			for i := lo + a; i < lo+b; i++ {
				q := 1.0
				if s.base != nil {
					q = s.base[i]
				}
				sum[2*p] += q
				for k, x := range s.X.Row(int(s.rows[i])) {
					if x < least[k] {
						least[k] = x
					}
					if x > most[k] {
						most[k] = x
					}
					d := x - s.Target[k]
					plain[k] += q * d
					square[k] += q * d * d
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for k := range p {
				low[c][k], high[c][k] = min(low[c][k], least[k]), max(high[c][k], most[k])
			}
		})
		for k, v := range part {
			sums[k] += v
		}
	})
	s.sd, s.perSD = make([]float64, p), make([]float64, p)
	for k := range p {
		mean := sums[k] / sums[2*p]
		if math.IsNaN(sums[p+k] - sums[p+k]) {
			if err := effect.Stopped(ctx); err != nil {
				return nil, nil, err
			}
			return nil, nil, notFinite("a covariate")
		}
		if s.sd[k] = math.Sqrt(max(0, sums[p+k]/sums[2*p]-mean*mean)); s.sd[k] > 0 {
			s.perSD[k] = 1 / s.sd[k]
		}
	}
	return low, high, nil
}

// cannot is the refusal that names up to three columns.
func (s *solver) cannot(why string, columns []int) error {
	var names []string
	for n, k := range columns {
		if n == 3 {
			names = append(names, fmt.Sprintf("%d more", len(columns)-n))
			break
		}
		name := fmt.Sprintf("column %d", k+1)
		if k < len(s.Names) {
			name = s.Names[k]
		}
		names = append(names, name)
	}
	return &effect.Refusal{
		Code: effect.RefusalCannotBalance,
		Why:  "the cell's mean of " + strings.Join(names, ", ") + " " + why,
		Cure: "drop or coarsen what is named, use coarser classes, or declare more peers",
	}
}

// evaluate works out the dual, its score and the weights at lambda. It says false
// when they overflow.
func (s *solver) evaluate(ctx context.Context, lambda []float64) bool {
	p := s.X.P
	s.steps++
	s.dual = -dense.Dot(lambda, s.Target)
	clear(s.score)
	ok := true
	s.each(func(c, lo, hi int) {
		shift := s.shift[c]
		sum := dense.Sum(ctx, hi-lo, p+1, func(sum []float64, a, b int) {
			mean, mass, i := sum[:p], 0.0, lo+a
			for ; i+3 < lo+b; i += 4 {
				x0, x1 := s.X.Row(int(s.rows[i])), s.X.Row(int(s.rows[i+1]))
				x2, x3 := s.X.Row(int(s.rows[i+2])), s.X.Row(int(s.rows[i+3]))
				e0, e1 := math.Exp(dense.Dot(x0, lambda)-shift), math.Exp(dense.Dot(x1, lambda)-shift)
				e2, e3 := math.Exp(dense.Dot(x2, lambda)-shift), math.Exp(dense.Dot(x3, lambda)-shift)
				if s.base != nil {
					e0, e1, e2, e3 = e0*s.base[i], e1*s.base[i+1], e2*s.base[i+2], e3*s.base[i+3]
				}
				s.e[i], s.e[i+1], s.e[i+2], s.e[i+3] = e0, e1, e2, e3
				mass += (e0 + e1) + (e2 + e3)
				for k := range mean {
					if k < len(x0) && k < len(x1) && k < len(x2) && k < len(x3) {
						mean[k] += (x0[k]*e0 + x1[k]*e1) + (x2[k]*e2 + x3[k]*e3)
					}
				}
			}
			for ; i < lo+b; i++ {
				row := s.X.Row(int(s.rows[i]))
				e := math.Exp(dense.Dot(row, lambda) - shift)
				if s.base != nil {
					e *= s.base[i]
				}
				s.e[i] = e
				mass += e
				for k, x := range row {
					mean[k] += e * x
				}
			}
			sum[p] += mass
		})
		s.mass[c] = sum[p]
		ok = ok && sum[p] > 0 && !math.IsInf(sum[p], 1)
		s.dual += s.Share[c] * (shift + math.Log(sum[p]))
		for k := range p {
			s.mean[c][k] = sum[k] / sum[p]
			s.score[k] += s.Share[c] * s.mean[c][k]
		}
	})
	for k := range s.score {
		s.score[k] -= s.Target[k]
		if s.sd[k] > 0 {
			s.score[k] /= s.sd[k]
		}
	}
	return ok && !math.IsNaN(s.dual-s.dual)
}

// recentre keeps the sums of e near 1 at the current lambda.
func (s *solver) recentre() {
	for c, m := range s.mass {
		if m > 0 {
			s.shift[c] += math.Log(m)
		}
	}
}

// norm is the largest score of the columns.
func (s *solver) norm(columns []int) (worst float64) {
	for _, k := range columns {
		worst = max(worst, math.Abs(s.score[k]))
	}
	return worst
}

// room is where a Hessian is worked out: a block of standardised rows, their
// weights, and their products.
type room struct {
	z        Matrix
	w        []float64
	products *dense.Products
}

func newRoom(width int) *room {
	const n = dense.BlockRows
	return &room{Matrix{N: n, P: width, Data: make([]float64, n*width)}, make([]float64, n), dense.NewProducts(width)}
}

// hessian is that of the dual over the columns, in their standard deviations: the
// weighted covariance within the classes, from every stride-th comparator.
func (s *solver) hessian(ctx context.Context, columns []int, stride int) dense.Sym {
	out := dense.NewSym(len(columns))
	s.each(func(c, lo, hi int) {
		m := (hi - lo + stride - 1) / stride
		width := len(columns)
		products := dense.Width(width)
		sum := dense.Sum(ctx, m, products+1, func(sum []float64, a, b int) {
			r := s.room
			if r == nil || r.z.P != width || b-a < m {
				r = newRoom(width)
			}
			if b-a == m {
				s.room = r // nobody else is at it
			}
			for ; a < b; a += dense.BlockRows {
				block := r.z.Rows(0, min(dense.BlockRows, b-a))
				for i := range block.N {
					at := lo + (a+i)*stride
					r.w[i] = s.e[at]
					sum[products] += r.w[i]
					s.standard(block.Row(i), c, s.rows[at], columns)
				}
				r.products.Add(sum, block, r.w)
			}
		})
		for j, row := range dense.Unpack(sum, width) {
			for k, v := range row {
				out[j][k] += s.Share[c] * v / sum[products]
			}
		}
	})
	return out
}

// standard writes the columns of row k of X, less their weighted means in a
// class and in standard deviations, to z.
func (s *solver) standard(z []float64, class int, k int32, columns []int) {
	row, mean := s.X.Row(int(k)), s.mean[class]
	for j, p := range columns {
		z[j] = (row[p] - mean[p]) * s.perSD[p]
	}
}

// solve minimises the dual until the score of every candidate is at most tol.
func (s *solver) solve(ctx context.Context, tol float64) error {
	p, n := s.X.P, len(s.rows)
	s.lambda, s.score = make([]float64, p), make([]float64, p)
	s.e = make([]float64, n)
	s.shift, s.mass, s.mean = make([]float64, len(s.Share)), make([]float64, len(s.Share)), make([][]float64, len(s.Share))
	for c := range s.mean {
		s.mean[c] = make([]float64, p)
		s.shift[c] = math.Log(max(1, float64(s.from[c+1]-s.from[c])))
	}
	stride := max(1, n/(sampleRows*max(8, p)))
	if stride > 1 {
		s.guess(ctx, 4*stride)
	}
	if !s.evaluate(ctx, s.lambda) {
		// The guess leads nowhere.
		clear(s.lambda)
		s.evaluate(ctx, s.lambda)
	}
	s.recentre()
	var factor dense.Cholesky
	var past memory
	fresh := false // whether the Hessian is of this lambda
	refresh := func(stride int, rank bool) bool {
		past, fresh = nil, true
		h := s.hessian(ctx, s.candidates, stride)
		if rank {
			s.kept = s.kept[:0]
			for _, k := range dense.Independent(h, aliased) {
				s.kept = append(s.kept, s.candidates[k])
			}
		}
		at := make([]int, len(s.kept))
		for j, k := range s.kept {
			at[j], _ = slices.BinarySearch(s.candidates, k)
		}
		var ok bool
		factor, ok = dense.Factor(dense.Sub(h, at))
		return ok
	}
	ok := refresh(stride, true)
	for it := 0; it < maxIterations; it++ {
		if err := effect.Stopped(ctx); err != nil {
			return err
		}
		if s.norm(s.candidates) <= tol {
			return nil
		}
		if !ok || s.norm(s.kept) <= tol {
			// The Hessian is singular, or a column set aside does not follow the others:
			// the sample may have shown too little.
			if stride == 1 {
				break
			}
			stride = 1
			ok = refresh(stride, true)
			continue
		}
		if it > 8 && s.unbounded(ctx) {
			break
		}
		g := make([]float64, len(s.kept))
		for j, k := range s.kept {
			g[j] = s.score[k]
		}
		d := past.direction(factor, g)
		before, dual, slope := s.norm(s.kept), s.dual, dense.Dot(g, d)
		step, trial, moved := 1.0, make([]float64, p), false
		for range 40 {
			if ctx.Err() != nil {
				break // there is no better
			}
			copy(trial, s.lambda)
			for j, k := range s.kept {
				trial[k] += step * d[j] * s.perSD[k]
			}
			if s.evaluate(ctx, trial) {
				rounding := 1e-13 * (1 + math.Abs(dual))
				if s.dual <= dual+1e-4*step*slope || s.dual <= dual+rounding && s.norm(s.kept) < before {
					moved = true
					break
				}
			}
			step /= 2
		}
		if !moved {
			s.evaluate(ctx, s.lambda)
			if fresh && stride == 1 {
				break
			}
			if fresh {
				stride = 1
			}
			ok = refresh(stride, false)
			continue
		}
		copy(s.lambda, trial)
		s.recentre()
		pair := move{by: make([]float64, len(g)), score: make([]float64, len(g))}
		for j, k := range s.kept {
			pair.by[j], pair.score[j] = step*d[j], s.score[k]-g[j]
		}
		past = append(past, pair)
		// A step that does not bring a digit shows that the Hessian is another by now;
		// one with a fresh Hessian, that the sample does not tell it.
		after := s.norm(s.kept)
		if after > 0.1*before && after > tol {
			if fresh && step == 1 && after > 0.5*before && len(past) > 1 {
				stride = 1
			}
			ok = refresh(stride, false)
		} else {
			fresh = false
		}
	}
	if err := effect.Stopped(ctx); err != nil {
		return err
	}
	if s.norm(s.candidates) <= tol {
		return nil
	}
	var off []int
	for _, k := range s.candidates {
		if math.Abs(s.score[k]) > tol {
			off = append(off, k)
		}
	}
	slices.SortStableFunc(off, func(a, b int) int { return cmp.Compare(math.Abs(s.score[b]), math.Abs(s.score[a])) })
	return s.cannot("cannot be reached by positive weights of the comparators, all means at once", off)
}

// guess sets lambda to the solution for every stride-th comparator, to three
// digits. Where there is none lambda stays.
func (s *solver) guess(ctx context.Context, stride int) {
	small := *s
	small.rows, small.base, small.from = nil, nil, make([]int, len(s.from))
	for c := range s.Share {
		for i := s.from[c]; i < s.from[c+1]; i += stride {
			small.rows = append(small.rows, s.rows[i])
			if s.base != nil {
				small.base = append(small.base, s.base[i])
			}
		}
		small.from[c+1] = len(small.rows)
	}
	// Of the columns, those that vary in the sample.
	if low, high, err := small.measure(ctx); err == nil {
		small.candidates = slices.DeleteFunc(slices.Clone(s.candidates), func(k int) bool {
			lo, hi := 0.0, 0.0
			small.each(func(c, _, _ int) { lo, hi = lo+s.Share[c]*low[c][k], hi+s.Share[c]*high[c][k] })
			return !(lo < s.Target[k] && s.Target[k] < hi)
		})
	}
	small.kept = nil
	if small.solve(ctx, 1e-3) == nil {
		copy(s.lambda, small.lambda)
	}
}

// unbounded says whether the dual falls without end along lambda, which proves
// that no weights reach the targets: every comparator lies on one side of them.
func (s *solver) unbounded(ctx context.Context) bool {
	most := -dense.Dot(s.lambda, s.Target)
	size := math.Abs(most)
	s.each(func(c, lo, hi int) {
		largest := math.Inf(-1)
		for i := lo; i < hi; i++ {
			largest = max(largest, dense.Dot(s.X.Row(int(s.rows[i])), s.lambda))
		}
		most += s.Share[c] * largest
		size += math.Abs(largest)
	})
	return most < -1e-9*size
}

// weights puts the solution together.
func (s *solver) weights() *Weights {
	out := &Weights{
		Weights: make([]float64, s.n), Lambda: make([]float64, s.X.P), Kept: s.kept, Columns: len(s.candidates),
		Iterations: s.steps, ScoreNorm: s.norm(s.candidates), Face: s.reduced, s: s,
	}
	for k := range out.Lambda {
		out.Lambda[k] = math.NaN()
	}
	for _, k := range s.kept {
		out.Lambda[k] = s.lambda[k]
	}
	s.each(func(c, lo, hi int) {
		for i := lo; i < hi; i++ {
			// A weight too small for a float is one still: which are too small differs between
			// machines, and who the comparators are must not.
			s.e[i] *= s.Share[c] / s.mass[c]
			if s.base == nil || s.base[i] > 0 {
				s.e[i] = max(s.e[i], leastWeight)
			}
			out.Weights[s.order[i]] = s.e[i]
		}
	})
	return out
}

// move is one step and what it changed in the score.
type move struct{ by, score []float64 }

// memory are the steps since the Hessian was taken, the oldest first.
type memory []move

// direction is minus the inverse Hessian, corrected by the steps, times the
// score: the two loops of L-BFGS. Source: nocedal1980.
func (m memory) direction(h dense.Cholesky, score []float64) []float64 {
	d, a := slices.Clone(score), make([]float64, len(m))
	for k := len(m) - 1; k >= 0; k-- {
		curve := dense.Dot(m[k].by, m[k].score)
		if !(curve > 0) {
			continue
		}
		a[k] = dense.Dot(m[k].by, d) / curve
		for j := range d {
			d[j] -= a[k] * m[k].score[j]
		}
	}
	d = h.Solve(d)
	for k := range m {
		curve := dense.Dot(m[k].by, m[k].score)
		if !(curve > 0) {
			continue
		}
		b := dense.Dot(m[k].score, d) / curve
		for j := range d {
			d[j] += (a[k] - b) * m[k].by[j]
		}
	}
	for j := range d {
		d[j] = -d[j]
	}
	return d
}
