package watch

import (
	"context"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

const (
	// minFitted is how many others a chance must be learnt from.
	minFitted = 30
	// minEach is how many of those with a name, or with a missing number, must
	// have reached the outcome, and how many not, for the name to count.
	minEach = 5
)

// model predicts an outcome from covariates: logistic for a share, linear for
// anything else.
//
// A number is one column, centred and scaled; a missing one is the mean, with an
// indicator where enough are missing. A name is an indicator when 5 or more of
// those with it reached the outcome and 5 or more did not (for an outcome that is
// no share: when 5 or more have it); all other names, among them names that
// nobody fitted has, share the place of the most frequent. So every citizen has a
// chance, and no rare name decides one.
type model struct {
	columns []func(int32) float64
	fit     *regress.Fit
	link    func(float64) float64
}

// chance is the predicted outcome of a case.
func (m *model) chance(i int32) float64 {
	row := make([]float64, len(m.columns))
	for k, f := range m.columns {
		row[k] = f(i)
	}
	return m.link(m.fit.Predict(row))
}

// learn fits the outcome of the rows.
func learn(ctx context.Context, cases *effect.Cases, r *effect.Result, covariates []*effect.Covariate, rows []int32) (*model, error) {
	if len(rows) < minFitted {
		return nil, &effect.Refusal{Code: effect.RefusalFewComparators, Why: "too few others to learn the chances from", Cure: "declare peers, or wait for more cases"}
	}
	share := r.Unit == effect.UnitShare
	m := &model{columns: []func(int32) float64{func(int32) float64 { return 1 }}, link: func(x float64) float64 { return x }}
	for _, cov := range covariates {
		m.columns = append(m.columns, layout(cov, r.Value, share, rows)...)
	}
	x := regress.Matrix{N: len(rows), P: len(m.columns)}
	var y []float64
	for _, i := range rows {
		for _, f := range m.columns {
			x.Data = append(x.Data, f(i))
		}
		y = append(y, r.Value[i])
	}
	var err error
	if share {
		m.link = regress.Expit
		m.fit, err = regress.Logistic(ctx, x, y)
	} else {
		m.fit, err = regress.Linear(ctx, x, y)
	}
	return m, err
}

// layout makes the columns of one covariate.
func layout(cov *effect.Covariate, y []float64, share bool, rows []int32) (columns []func(int32) float64) {
	indicator := func(is func(int32) bool) func(int32) float64 {
		return func(i int32) float64 {
			if is(i) {
				return 1
			}
			return 0
		}
	}
	enough := func(n, ones int) bool {
		return n >= minEach && (!share || ones >= minEach && n-ones >= minEach)
	}
	if cov.Number == nil {
		codes := cov.Factor.Codes
		n, ones := make([]int, len(cov.Factor.Levels)+1), make([]int, len(cov.Factor.Levels)+1) // code + 1; 0 is missing
		base := 0
		for _, i := range rows {
			n[codes[i]+1]++
			if y[i] == 1 {
				ones[codes[i]+1]++
			}
		}
		for k := range n {
			if n[k] > n[base] {
				base = k
			}
		}
		for k := range n {
			if k != base && enough(n[k], ones[k]) {
				columns = append(columns, indicator(func(i int32) bool { return int(codes[i])+1 == k }))
			}
		}
		return columns
	}
	x := cov.Number
	missing, ones := 0, 0
	for _, i := range rows {
		if math.IsNaN(x[i]) {
			missing++
			if y[i] == 1 {
				ones++
			}
		}
	}
	_, mean, scale := cov.Moments(rows)
	if enough(missing, ones) {
		columns = append(columns, indicator(func(i int32) bool { return math.IsNaN(x[i]) }))
	}
	if scale > 1e-12*math.Abs(mean) {
		columns = append(columns, func(i int32) float64 {
			if math.IsNaN(x[i]) {
				return 0
			}
			return (x[i] - mean) / scale
		})
	}
	return columns
}
