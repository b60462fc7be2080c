package balance

import (
	"context"
	"errors"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// ErrShape is returned for a problem whose lengths do not belong together.
var ErrShape = errors.New("balance: lengths do not belong together")

// fits says whether the parts of the problem are of one shape.
func (p *Problem) fits() bool {
	n, classes := p.X.N, max(1, len(p.Share))
	if p.X.N < 0 || p.X.P < 0 || len(p.X.Data) != p.X.N*p.X.P || len(p.Target) != p.X.P {
		return false
	}
	if p.Rows != nil {
		n = len(p.Rows)
		if slices.ContainsFunc(p.Rows, func(r int32) bool { return r < 0 || int(r) >= p.X.N }) {
			return false
		}
	}
	return (p.Base == nil || len(p.Base) == n) && (p.Class == nil || len(p.Class) == n) && (p.Share == nil || len(p.Share) > 0) &&
		!slices.ContainsFunc(p.Class, func(c int32) bool { return c < 0 || int(c) >= classes })
}

// Matrix is N rows of P columns, row after row.
type Matrix = dense.Matrix

// Problem asks for weights under which comparators have given means.
type Problem struct {
	X    Matrix
	Rows []int32 // the rows of X that are comparators; nil stands for all
	// Base are the weights from which the balanced ones shall differ least,
	// parallel to the comparators, 0 or more; nil stands for equal ones. A row that
	// stands for c equal ones has c times their base weight.
	Base []float64
	// Class is the class of each comparator, from 0; nil stands for one class.
	// Share is the total weight of each class, summing to 1; nil stands for {1}.
	Class  []int32
	Share  []float64
	Target []float64 // one mean for each column of X
	Names  []string  // of the columns, for refusals
}

// Weights are balancing weights: the solution of a [Problem].
type Weights struct {
	Weights []float64 // parallel to the comparators, summing to 1
	// Lambda has for each column by how much the logarithm of a weight rises with
	// one unit of it; NaN for a column set aside.
	Lambda []float64
	// Kept are the columns that others before them, and the classes, do not
	// determine; Columns is how many vary among the comparators of a class.
	Kept       []int
	Columns    int
	Iterations int
	// ScoreNorm is the largest difference of a weighted mean from its target, in
	// standard deviations of the comparators. It is at most 1e-10.
	ScoreNorm float64
	// Face says that some comparators have weight 0, because the target of some
	// column is the least or the greatest value that comparators have.
	Face bool

	s *solver
}

// Entropy finds the weights of the comparators that reproduce the target means
// and differ least from the base weights q in the sense of entropy:
//
//	minimise sum w_i log(w_i / q_i)  subject to  sum w_i x_i = target,
//	                                             sum of w in class s = Share[s]
//
// They are w_i = Share[s] q_i exp(x_i'lambda) / sum over the class of the same,
// where lambda minimises the convex dual
//
//	sum over s of Share[s] log(sum over i in s of q_i exp(x_i'lambda)) - target'lambda
//
// by a damped Newton method. The first Hessians are those of every k-th
// comparator, which later steps correct by what the score shows of them (BFGS);
// where that does not advance, Hessians are exact. The score is exact always:
// weights are returned only when every column, also one set aside, is within
// 1e-10 standard deviations of its target.
//
// It refuses, as *effect.Refusal:
//
//   - no_comparators when a class with a share has none,
//   - not_finite when a value, or a base weight, is not finite,
//   - cannot_balance, naming columns, when a target lies outside the range of the
//     comparators, or when the dual has no minimum: no positive weights reach all
//     targets at once.
//
// Lengths that do not belong together, and rows and classes that are not there, are
// [ErrShape]. When ctx is done it ends with effect.Stopped.
//
// A column that is constant among the comparators is set aside when the target is
// that constant, and cannot be balanced when it is not. Where a target is the
// least or greatest value among the comparators, only those who have it get
// weight. Affine changes of columns change no weight. Sums run over chunks of
// fixed size, so the result is the same bytes for any number of processors.
// Source: hainmueller2012.
func Entropy(ctx context.Context, p Problem) (*Weights, error) {
	if !p.fits() {
		return nil, ErrShape
	}
	s, err := newSolver(p)
	if err != nil {
		return nil, err
	}
	if err := s.reduce(ctx); err != nil {
		return nil, err
	}
	if err := s.solve(ctx, tolerance); err != nil {
		return nil, err
	}
	return s.weights(), nil
}
