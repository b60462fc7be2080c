// Package propensity models who is in the cell rather than among its comparators:
// the logistic regression of being in the cell on the covariates. It is what
// matching and weighting on the propensity score share.
package propensity

import (
	"context"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/columns"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Model is a fitted propensity model. Its slices are parallel to the In and Out
// of its comparison.
type Model struct {
	*effect.Comparison        // with those alone who have their like on the other side
	Covered            []bool // of the cell as it was given; nil means all
	Given              int    // cases of the cell as it was given
	XIn, XOut          regress.Matrix
	EtaIn, EtaOut      []float64 // linear predictors: log odds of being in the cell
	Fit                *regress.Fit
	Warnings           []string
}

// New fits the model. Cases with a name, or a missing number, that no comparator
// has are left uncovered, and comparators with one that nobody in the cell has are
// set aside: nobody is their like. With most as the largest share of the cell
// that may be uncovered it refuses as columns.Check and columns.Uncovered do, and
// with separation where the covariates tell the cell from its comparators: then
// nobody is comparable.
func New(ctx context.Context, c *effect.Comparison, covariates []string, most float64) (*Model, error) {
	if err := columns.Check(c); err != nil {
		return nil, err
	}
	m := &Model{Given: len(c.In)}
	var aside bool
	m.Comparison, m.Covered, aside = columns.Support(c, covariates, func(t columns.Tally) (bool, bool) { return t.Out == 0, t.Cell == 0 })
	if err := columns.Uncovered(len(m.In), len(c.In), most, "has characteristics that no comparator has"); err != nil {
		return nil, err
	}
	rows := append(append(make([]int32, 0, len(m.In)+len(m.Out)), m.In...), m.Out...)
	x, err := columns.Matrix(ctx, m.Comparison, covariates, rows)
	if err != nil {
		return nil, err
	}
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	cell := make([]float64, len(rows))
	for k := range m.In {
		cell[k] = 1
	}
	m.Fit, err = regress.Logistic(ctx, x, cell)
	if r, ok := effect.AsRefusal(err); ok && r.Code == effect.RefusalSeparation {
		return nil, &effect.Refusal{
			Code: effect.RefusalSeparation,
			Why:  "the covariates tell the cell from its comparators, so nobody is comparable",
			Cure: "drop or coarsen the covariate that tells them apart, or choose other comparators",
		}
	}
	if err != nil {
		return nil, err
	}
	eta, n := make([]float64, x.N), len(m.In)
	for i := range eta {
		eta[i] = m.Fit.Predict(x.Row(i))
	}
	m.EtaIn, m.EtaOut = eta[:n], eta[n:]
	m.XIn, m.XOut = x.Rows(0, n), x.Rows(n, x.N)
	if aside {
		m.Warnings = append(m.Warnings, "comparators_set_aside")
	}
	if m.Fit.Rank < x.P {
		m.Warnings = append(m.Warnings, "aliased_columns_set_aside")
	}
	return m, nil
}

// Complete adds to an answer what the model has to tell of it.
func (m *Model) Complete(e *effect.Expectation) {
	e.Covered, e.Rank, e.Columns = m.Covered, m.Fit.Rank, m.XIn.P
	e.Warnings = append(e.Warnings, m.Warnings...)
}
