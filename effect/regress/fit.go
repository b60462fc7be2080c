// Package regress fits linear and logistic regressions and, as the method
// "regression", predicts from comparators what a cell would have achieved.
//
// A fit never looks converged when it is not: a logistic fit iterates until the
// linear predictor of every row stands still, and separation is told from slow
// convergence by a direction that separates.
package regress

import (
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Matrix is n rows of p columns, row after row. A model's constant is a column
// like any other.
type Matrix struct {
	N, P int
	Data []float64
}

// Row returns row i; it shares memory with the matrix.
func (x Matrix) Row(i int) []float64 { return x.Data[i*x.P : (i+1)*x.P] }

// Fit is a fitted regression.
type Fit struct {
	// Coef has one coefficient per column; NaN for a column set aside because
	// the columns before it determine it.
	Coef       []float64
	Rank       int
	Iterations int
	Deviance   float64 // logistic: -2 log likelihood; linear: residual sum of squares

	kept   []int
	factor lower // Cholesky factor of X'WX over the kept columns
}

const (
	tolerance     = 1e-9 // greatest move of a linear predictor that counts as standing still
	maxIterations = 60
	aliased       = 1e-12 // share of a column's squared length that its predecessors leave
)

// Linear fits y by least squares. It refuses with not_finite when a value is
// not finite. With n = 0 or only null columns the rank is 0 and every fitted
// value is 0.
func Linear(x Matrix, y []float64) (*Fit, error) {
	if err := finite(x, y); err != nil {
		return nil, err
	}
	f := &Fit{kept: independent(x)}
	f.Rank = len(f.kept)
	beta := make([]float64, f.Rank)
	// A second pass on the residuals repairs what the normal equations lose.
	for range 2 {
		residual := make([]float64, x.N)
		for i := range residual {
			residual[i] = y[i] - dot(x.Row(i), f.kept, beta)
		}
		f.factor, _ = cholesky(gram(x, f.kept, nil))
		step := f.factor.solve(cross(x, f.kept, residual))
		for k := range beta {
			beta[k] += step[k]
		}
	}
	for i, v := range y {
		r := v - dot(x.Row(i), f.kept, beta)
		f.Deviance += r * r
	}
	f.Iterations, f.Coef = 1, f.spread(x.P, beta)
	return f, nil
}

// Logistic fits the probability that y is 1 by maximum likelihood: Newton's
// method with step halving. y must be 0 or 1. It refuses, as *effect.Refusal:
//
//   - no_variation when all y are equal,
//   - separation when some direction of the columns separates the ones from the
//     zeros, completely or nearly: the estimate then lies at infinity,
//   - not_converged when neither that nor convergence could be shown,
//   - not_finite when a value is not finite.
func Logistic(x Matrix, y []float64) (*Fit, error) {
	if err := finite(x, y); err != nil {
		return nil, err
	}
	ones := 0
	for _, v := range y {
		if v == 1 {
			ones++
		} else if v != 0 {
			return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "an outcome of a logistic regression is neither 0 nor 1", Cure: "use an outcome that is a share"}
		}
	}
	if ones == 0 || ones == len(y) {
		return nil, &effect.Refusal{Code: effect.RefusalNoVariation, Why: "all comparators have the same outcome", Cure: "use the strata method, or more comparators"}
	}
	f := &Fit{kept: independent(x)}
	f.Rank = len(f.kept)
	beta := make([]float64, f.Rank)
	eta, move := make([]float64, x.N), make([]float64, x.N)
	weight, residual := make([]float64, x.N), make([]float64, x.N)
	f.Deviance = deviance(y, eta)
	for f.Iterations = 1; f.Iterations <= maxIterations; f.Iterations++ {
		for i, e := range eta {
			p := Expit(e)
			weight[i], residual[i] = p*(1-p), y[i]-p
		}
		var ok bool
		if f.factor, ok = cholesky(gram(x, f.kept, weight)); !ok {
			break // the information is gone: fitted values are 0 and 1
		}
		step := f.factor.solve(cross(x, f.kept, residual))
		largest := 0.0
		for i := range move {
			move[i] = dot(x.Row(i), f.kept, step)
			largest = max(largest, math.Abs(move[i]))
		}
		if largest <= tolerance {
			f.Coef = f.spread(x.P, beta)
			return f, nil
		}
		if math.IsNaN(largest) {
			break
		}
		scale := 1.0
		for range 40 {
			for i := range eta {
				eta[i] += scale * move[i]
			}
			d := deviance(y, eta)
			// Near the optimum the deviance moves by rounding alone.
			if d <= f.Deviance+1e-9*(math.Abs(f.Deviance)+1) {
				f.Deviance = d
				break
			}
			for i := range eta {
				eta[i] -= scale * move[i]
			}
			scale /= 2
		}
		for k := range beta {
			beta[k] += scale * step[k]
		}
		if f.Iterations >= 12 && separates(y, eta, move) {
			return nil, separation()
		}
	}
	if separates(y, eta, move) {
		return nil, separation()
	}
	return nil, &effect.Refusal{Code: effect.RefusalNotConverged, Why: "the logistic regression did not converge", Cure: "use fewer covariates or coarser classes"}
}

func separation() error {
	return &effect.Refusal{
		Code: effect.RefusalSeparation,
		Why:  "the covariates separate those who reached the outcome from those who did not, so the logistic estimate does not exist",
		Cure: "drop or coarsen the separating covariate, or use the strata method; Firth's penalised likelihood is the usual fallback",
	}
}

// separates says whether the direction of the last Newton step separates: no
// row moves against its outcome and some row, already fitted as 0 or 1, keeps
// moving by about one unit a step, which Newton's method does only on its way to
// infinity, while the rows that are not separated have come to rest. Where a
// maximum exists, rows still move both ways, or none moves any more.
func separates(y, eta, move []float64) bool {
	against, along := 0.0, 0.0
	for i, m := range move {
		if y[i] == 0 {
			m = -m
		}
		against = max(against, -m)
		if math.Abs(eta[i]) > 8 {
			along = max(along, m)
		}
	}
	return along > 0.5 && against < 1e-6
}

// Expit is 1/(1+exp(-x)), without overflow.
func Expit(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// deviance is -2 log likelihood of a logistic model with linear predictor eta.
func deviance(y, eta []float64) float64 {
	sum := 0.0
	for i, e := range eta {
		if y[i] == 1 {
			e = -e
		}
		sum += max(e, 0) + math.Log1p(math.Exp(-math.Abs(e)))
	}
	return 2 * sum
}

// Predict returns the linear predictor of a row.
func (f *Fit) Predict(row []float64) float64 {
	sum := 0.0
	for _, k := range f.kept {
		sum += row[k] * f.Coef[k]
	}
	return sum
}

// Influence returns, for the gradient g of a prediction in the coefficients
// (one entry per column), the function that gives by how much the prediction
// changes when the outcome of a row changes by one: x'(X'WX)^-1 g.
func (f *Fit) Influence(g []float64) func(row []float64) float64 {
	small := make([]float64, len(f.kept))
	for k, c := range f.kept {
		small[k] = g[c]
	}
	h := f.factor.solve(small)
	return func(row []float64) float64 { return dot(row, f.kept, h) }
}

// leverages returns how far each row pulls its own fitted value: the diagonal
// of W^1/2 X (X'WX)^-1 X' W^1/2, W being the slope at the fitted value.
func (f *Fit) leverages(x Matrix, fitted []float64, slope func(float64) float64) []float64 {
	out, z := make([]float64, x.N), make([]float64, len(f.kept))
	for i := range out {
		row := x.Row(i)
		for k, c := range f.kept {
			z[k] = row[c]
			for m := range k {
				z[k] -= f.factor[k][m] * z[m]
			}
			z[k] /= f.factor[k][k]
			out[i] += z[k] * z[k]
		}
		out[i] *= slope(fitted[i])
	}
	return out
}

func (f *Fit) spread(p int, beta []float64) []float64 {
	out := make([]float64, p)
	for k := range out {
		out[k] = math.NaN()
	}
	for k, c := range f.kept {
		out[c] = beta[k]
	}
	return out
}

func finite(x Matrix, y []float64) error {
	for _, values := range [][]float64{x.Data, y} {
		for _, v := range values {
			if math.IsNaN(v - v) {
				return &effect.Refusal{Code: effect.RefusalNotFinite, Why: "a value in the regression is not finite", Cure: "check the covariates and the outcome"}
			}
		}
	}
	return nil
}

// independent returns the columns that are not determined by those before
// them: Cholesky on the cross products, column by column. Keeping the earlier
// column makes the result independent of scale and easy to explain.
func independent(x Matrix) []int {
	all := make([]int, x.P)
	for k := range all {
		all[k] = k
	}
	a := gram(x, all, nil)
	var kept []int
	l := make([][]float64, 0, x.P)
	for j := range x.P {
		row := make([]float64, len(kept), len(kept)+1)
		rest := a[j][j]
		for k, c := range kept {
			v := a[j][c]
			for m := range k {
				v -= row[m] * l[k][m]
			}
			row[k] = v / l[k][k]
			rest -= row[k] * row[k]
		}
		if a[j][j] > 0 && rest > aliased*a[j][j] {
			kept, l = append(kept, j), append(l, append(row, math.Sqrt(rest)))
		}
	}
	return kept
}

// gram is X'WX over the columns, summed row by row; nil weights are ones.
func gram(x Matrix, columns []int, weights []float64) [][]float64 {
	p := len(columns)
	out := make([][]float64, p)
	for j := range out {
		out[j] = make([]float64, p)
	}
	for i := range x.N {
		row, w := x.Row(i), 1.0
		if weights != nil {
			w = weights[i]
		}
		for j, cj := range columns {
			v := w * row[cj]
			if v == 0 {
				continue
			}
			for k, ck := range columns[:j+1] {
				out[j][k] += v * row[ck]
			}
		}
	}
	for j := range out {
		for k := range j {
			out[k][j] = out[j][k]
		}
	}
	return out
}

func cross(x Matrix, columns []int, r []float64) []float64 {
	out := make([]float64, len(columns))
	for i := range x.N {
		row := x.Row(i)
		for k, c := range columns {
			out[k] += row[c] * r[i]
		}
	}
	return out
}

func dot(row []float64, columns []int, beta []float64) float64 {
	sum := 0.0
	for k, c := range columns {
		sum += row[c] * beta[k]
	}
	return sum
}

// lower is a Cholesky factor.
type lower [][]float64

func cholesky(a [][]float64) (lower, bool) {
	l := make(lower, len(a))
	for i := range a {
		l[i] = make([]float64, i+1)
		for j := range i + 1 {
			v := a[i][j]
			for k := range j {
				v -= l[i][k] * l[j][k]
			}
			if i > j {
				l[i][j] = v / l[j][j]
				continue
			}
			if !(v > 1e-14*a[i][i]) {
				return nil, false
			}
			l[i][i] = math.Sqrt(v)
		}
	}
	return l, true
}

func (l lower) solve(b []float64) []float64 {
	x := make([]float64, len(b))
	for i := range l {
		v := b[i]
		for k := range i {
			v -= l[i][k] * x[k]
		}
		x[i] = v / l[i][i]
	}
	for i := len(l) - 1; i >= 0; i-- {
		v := x[i]
		for k := i + 1; k < len(l); k++ {
			v -= l[k][i] * x[k]
		}
		x[i] = v / l[i][i]
	}
	return x
}
