// Package regress fits linear and logistic regressions and, as the method
// "regression", predicts from comparators what a cell would have achieved.
//
// A fit never looks converged when it is not: a logistic fit iterates until the
// linear predictor of every row stands still, and separation is told from slow
// convergence by a direction that separates, and named by its columns. [Firth]
// has an estimate even then. [Clustered] and its kin give linear coefficients
// standard errors that allow for rows that belong together.
//
// Sums run over chunks of a fixed size that are put together in a fixed order,
// so a fit is the same bytes on any number of processors.
package regress

import (
	"context"
	"errors"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// Matrix is N rows of P columns, row after row: len(Data) = N*P. A model's
// constant is a column like any other.
type Matrix = dense.Matrix

// ErrShape is wrapped by errors about arguments whose lengths do not belong
// together.
var ErrShape = errors.New("regress: lengths do not belong together")

// Fit is a fitted regression.
type Fit struct {
	// Coef has one coefficient per column; NaN for a column set aside because
	// the columns before it determine it.
	Coef       []float64
	Rank       int
	Iterations int
	Deviance   float64 // logistic: -2 log likelihood; linear: residual sum of squares

	kept   []int
	beta   []float64      // Coef with 0 for columns set aside
	factor dense.Cholesky // of X'WX over the kept columns
}

const (
	tolerance     = 1e-9 // greatest move of a linear predictor that counts as standing still
	maxIterations = 60
	aliased       = 1e-12 // share of a column's squared length that its predecessors leave
)

// Linear fits y by least squares. Columns that those before them determine are
// set aside. With n = 0 or only columns of zeros the rank is 0 and every fitted
// value is 0; with as many independent columns as rows the fit is exact, which
// says nothing about another row. It refuses with not_finite when a value, or the
// square of one, is not finite; lengths that do not fit are [ErrShape].
func Linear(ctx context.Context, x Matrix, y []float64) (*Fit, error) {
	if _, err := check(ctx, x, y); err != nil {
		return nil, err
	}
	gram := dense.Gram(ctx, x, nil)
	kept := dense.Independent(gram, aliased)
	f := &Fit{Rank: len(kept), Iterations: 1, kept: kept, beta: make([]float64, x.P)}
	f.factor, _ = dense.Factor(dense.Sub(gram, kept))
	residual := make([]float64, x.N)
	copy(residual, y)
	// A second pass on the residuals repairs what the normal equations lose.
	for range 2 {
		for k, v := range f.factor.Solve(pick(dense.Cross(ctx, x, residual), kept)) {
			f.beta[kept[k]] += v
		}
		f.Deviance = dense.Sum(ctx, x.N, 1, func(sum []float64, lo, hi int) {
			for i := lo; i < hi; i++ {
				residual[i] = y[i] - dense.Dot(f.beta, x.Row(i))
				sum[0] += residual[i] * residual[i]
			}
		})[0]
	}
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	return f.finish(), nil
}

// finish fills Coef from beta.
func (f *Fit) finish() *Fit {
	f.Coef = make([]float64, len(f.beta))
	for k := range f.Coef {
		f.Coef[k] = math.NaN()
	}
	for _, k := range f.kept {
		f.Coef[k] = f.beta[k]
	}
	return f
}

// Predict returns the linear predictor of a row, columns set aside left out.
func (f *Fit) Predict(row []float64) float64 { return dense.Dot(f.beta, row) }

// Influence returns, for the gradient g of a prediction in the coefficients
// (one entry per column), the vector h = (X'WX)^-1 g, one entry per column and 0
// for columns set aside: the prediction changes by x'h when the outcome of row x
// changes by one.
func (f *Fit) Influence(g []float64) []float64 {
	return spread(f.factor.Solve(pick(g, f.kept)), f.kept, len(f.beta))
}

// pulls returns x'(X'WX)^-1 x of every row.
func (f *Fit) pulls(ctx context.Context, x Matrix) []float64 {
	out := make([]float64, x.N)
	dense.Chunks(ctx, x.N, func(_, lo, hi int) {
		z := make([]float64, len(f.kept))
		for i := lo; i < hi; i++ {
			row := x.Row(i)
			for k, c := range f.kept {
				z[k] = row[c]
			}
			f.factor.Half(z, z)
			out[i] = dense.Dot(z, z)
		}
	})
	return out
}

// pick returns the values at the places kept.
func pick(values []float64, kept []int) []float64 {
	out := make([]float64, len(kept))
	for k, c := range kept {
		out[k] = values[c]
	}
	return out
}

// spread puts values at the places kept of p zeros.
func spread(values []float64, kept []int, p int) []float64 {
	out := make([]float64, p)
	for k, c := range kept {
		out[c] = values[k]
	}
	return out
}

// squares are the squared lengths of the columns.
func squares(ctx context.Context, x Matrix) []float64 {
	return dense.Sum(ctx, x.N, x.P, func(sum []float64, lo, hi int) {
		for i := lo; i < hi; i++ {
			for k, v := range x.Row(i) {
				sum[k] += v * v
			}
		}
	})
}

// check refuses what cannot be fitted, and returns the squared lengths of the
// columns: a value that is not finite, or whose square is not, shows there.
func check(ctx context.Context, x Matrix, y []float64) (lengths []float64, err error) {
	if x.N < 0 || x.P < 0 || len(x.Data) != x.N*x.P || len(y) != x.N {
		return nil, ErrShape
	}
	lengths = squares(ctx, x)
	for _, values := range [][]float64{lengths, squares(ctx, Matrix{N: len(y), P: 1, Data: y})} {
		for _, v := range values {
			if math.IsNaN(v - v) {
				if err := effect.Stopped(ctx); err != nil {
					return nil, err
				}
				return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "a value in the regression is not finite, or too large to be squared", Cure: "check the covariates and the outcome"}
			}
		}
	}
	return lengths, nil
}
