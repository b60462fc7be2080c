package regress

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Method is regression on the comparators and prediction on the cell
// (g-computation): logistic for outcomes that are shares, linear for days.
// Start from [Default].
//
//	expected = mean over the cell of m(x),  m fitted on the comparators alone
//
// A covariate of numbers enters as one column (centred and scaled on the
// comparators) and, where values are missing, an indicator of that with the
// number set to the mean. A covariate of names enters as one indicator for each
// name but the comparators' most frequent. Cases with a name, or a missing
// number, that no comparator has are left uncovered and counted; beyond
// MaxUncovered of the cell the method refuses. Comparators whose name nobody in
// the cell has, and who all have the same outcome of 0 or 1, are set aside: the
// logistic likelihood fits them exactly whatever the other coefficients are. The
// method needs records: aggregated comparators are refused. A name, or a
// missing number, needs 5 comparators to count as known. The comparators' variance
// takes residuals as r/(1 - h), h being the leverage (HC3).
type Method struct {
	Covariates   []string
	MaxUncovered float64
}

// Default refuses a cell of which more than a fifth has no comparators.
func Default(covariates ...string) Method {
	return Method{Covariates: covariates, MaxUncovered: 0.2}
}

// Name is "regression".
func (Method) Name() string { return "regression" }

// Uses lists the covariates.
func (m Method) Uses() []string { return m.Covariates }

// column is one column of the model as a function of the case.
type column func(i int32) float64

// model lays out the columns, and says of a case whether the comparators cover
// it.
func (m Method) model(c *effect.Comparison) (columns []column, covered func(int32) bool, err error) {
	columns = []column{func(int32) float64 { return 1 }}
	var tests []func(int32) bool
	for _, name := range m.Covariates {
		cov, ok := c.Covariate(name)
		if !ok {
			return nil, nil, fmt.Errorf("regress: the cases have no covariate %q", name)
		}
		if cov.Number == nil {
			codes := cov.Factor.Codes
			seen, base := make([]int, len(cov.Factor.Levels)+1), 0 // code + 1; 0 is missing
			for _, i := range c.Out {
				seen[codes[i]+1]++
			}
			for k, n := range seen {
				if n > seen[base] {
					base = k
				}
			}
			for k, n := range seen {
				if k != base && n > 0 {
					columns = append(columns, func(i int32) float64 { return indicator(int(codes[i])+1 == k) })
				}
			}
			tests = append(tests, func(i int32) bool { return seen[codes[i]+1] > 0 })
			continue
		}
		x := cov.Number
		var n, sum, squares float64
		for _, i := range c.Out {
			if !math.IsNaN(x[i]) {
				n++
				sum += x[i]
			}
		}
		mean := sum / max(n, 1)
		for _, i := range c.Out {
			if !math.IsNaN(x[i]) {
				squares += (x[i] - mean) * (x[i] - mean)
			}
		}
		scale := math.Sqrt(squares / max(n, 1))
		missing := n < float64(len(c.Out))
		if missing {
			columns = append(columns, func(i int32) float64 { return indicator(math.IsNaN(x[i])) })
		}
		// A covariate that is constant up to rounding tells nothing.
		if scale > 1e-12*math.Abs(mean) {
			columns = append(columns, func(i int32) float64 {
				if math.IsNaN(x[i]) {
					return 0
				}
				return (x[i] - mean) / scale
			})
		}
		tests = append(tests, func(i int32) bool {
			return math.IsNaN(x[i]) && missing || !math.IsNaN(x[i]) && n > 0
		})
	}
	return columns, func(i int32) bool {
		for _, test := range tests {
			if !test(i) {
				return false
			}
		}
		return true
	}, nil
}

// fewComparators is how many comparators a name needs to count as known.
const fewComparators = 5

// maxLeverage is where a comparator all but decides its own fitted value.
const maxLeverage = 0.99

// setAside drops the comparators that tell nothing about the cell, until there
// are none: those whose name, or whose missing number, too few others share, and
// those that a logistic fit would fit exactly without any bearing on the cell.
func (m Method) setAside(c *effect.Comparison) (_ *effect.Comparison, some bool) {
	for again := true; again; {
		again = false
		for _, covariate := range m.Covariates {
			cov, ok := c.Covariate(covariate)
			if !ok {
				continue
			}
			name := func(i int32) int { return int(cov.Factor.Codes[i]) + 1 }
			if cov.Number != nil {
				// A number is known or missing: two names.
				name = func(i int32) int { return int(indicator(!math.IsNaN(cov.Number[i]))) }
			}
			cell, n, ones := make([]int, len(cov.Factor.Levels)+2), make([]int, len(cov.Factor.Levels)+2), make([]int, len(cov.Factor.Levels)+2)
			for _, i := range c.In {
				cell[name(i)]++
			}
			for _, i := range c.Out {
				k := name(i)
				n[k]++
				if c.Y[i] == 1 {
					ones[k]++
				}
			}
			aside := func(k int) bool {
				exact := c.Unit == effect.UnitShare && cell[k] == 0 && (ones[k] == 0 || ones[k] == n[k])
				return n[k] > 0 && (n[k] < fewComparators || exact)
			}
			if !slices.ContainsFunc(c.Out, func(i int32) bool { return aside(name(i)) }) {
				continue
			}
			less := *c
			less.Out = slices.DeleteFunc(slices.Clone(c.Out), func(i int32) bool { return aside(name(i)) })
			c, again, some = &less, true, true
		}
	}
	return c, some
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func matrix(columns []column, rows []int32) Matrix {
	x := Matrix{N: len(rows), P: len(columns), Data: make([]float64, 0, len(rows)*len(columns))}
	for _, i := range rows {
		for _, f := range columns {
			x.Data = append(x.Data, f(i))
		}
	}
	return x
}

// Expect fits the comparators and predicts the cell.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	if len(c.Strata) > 0 {
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNeedsMicro, Why: "some peers are known by aggregated strata only", Cure: "use the strata method"}
	}
	c, aside := m.setAside(c)
	columns, covers, err := m.model(c)
	if err != nil {
		return effect.Expectation{}, err
	}
	covered, all := make([]bool, len(c.In)), true
	for k, i := range c.In {
		covered[k] = covers(i)
		all = all && covered[k]
	}
	if !all {
		n := len(c.In)
		c = c.Restrict(covered)
		if uncovered := 1 - float64(len(c.In))/float64(n); uncovered > m.MaxUncovered {
			return effect.Expectation{}, &effect.Refusal{
				Code: effect.RefusalUncovered,
				Why:  fmt.Sprintf("%.0f %% of the cell has characteristics that no comparator has", 100*uncovered),
				Cure: "drop or coarsen covariates, or declare more peers",
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return effect.Expectation{}, err
	}
	out, in := matrix(columns, c.Out), matrix(columns, c.In)
	y := make([]float64, len(c.Out))
	for k, i := range c.Out {
		y[k] = c.Y[i]
	}
	fit, link, slope := (*Fit)(nil), func(e float64) float64 { return e }, func(float64) float64 { return 1 }
	if c.Unit == effect.UnitShare {
		fit, err = Logistic(out, y)
		link, slope = Expit, func(p float64) float64 { return p * (1 - p) }
	} else {
		fit, err = Linear(out, y)
	}
	if err != nil {
		return effect.Expectation{}, err
	}
	fittedOut, fittedIn, weights := make([]float64, out.N), make([]float64, in.N), make([]float64, out.N)
	gradient := make([]float64, in.P)
	for i := range fittedIn {
		row := in.Row(i)
		fittedIn[i] = link(fit.Predict(row))
		for k, v := range row {
			gradient[k] += slope(fittedIn[i]) * v / float64(in.N)
		}
	}
	influence := fit.Influence(gradient)
	for i := range fittedOut {
		row := out.Row(i)
		fittedOut[i], weights[i] = link(fit.Predict(row)), influence(row)
	}
	// Where a comparator decides its own fitted value there is no telling how far
	// off it is.
	leverage := fit.leverages(out, fittedOut, slope)
	for i, h := range leverage {
		if h > maxLeverage && math.Abs(weights[i]) > 1e-3/float64(out.N) {
			return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalFewComparators, Why: "some coefficient rests on a single comparator", Cure: "use fewer covariates or coarser classes, or declare more peers"}
		}
		leverage[i] = min(h, maxLeverage)
	}
	e := c.Linear(effect.Linear{Weights: weights, FittedOut: fittedOut, FittedIn: fittedIn, Leverage: leverage})
	e.Visible = visible(&e, c, fit, out, weights, fittedOut, slope)
	e.Rank, e.Columns = fit.Rank, out.P
	if !all {
		e.Covered = covered
	}
	if aside {
		e.Warnings = append(e.Warnings, "comparators_set_aside")
	}
	if fit.Rank < out.P {
		e.Warnings = append(e.Warnings, "aliased_columns_set_aside")
	}
	return e, nil
}

// visible is the share of the variation between municipalities that the fit
// leaves in the residuals: an effect of municipality l moves the coefficients by
// (X'WX)^-1 times the sum of its rows.
func visible(e *effect.Expectation, c *effect.Comparison, fit *Fit, x Matrix, weights, fitted []float64, slope func(float64) float64) float64 {
	index := map[string]int{}
	for k, p := range e.Municipalities {
		index[p.Municipality] = k
	}
	k := len(e.Municipalities)
	rows, pulls := make([][]float64, k), make([][]float64, k)
	for j := range k {
		rows[j], pulls[j] = make([]float64, x.P), make([]float64, x.P)
	}
	for n, i := range c.Out {
		j, row := index[c.Cases.Municipality.At(int(i))], x.Row(n)
		w := weights[n] * slope(fitted[n]) / e.Municipalities[j].Weight
		for p, v := range row {
			rows[j][p] += v
			pulls[j][p] += w * v
		}
	}
	shifts := make([]func([]float64) float64, k)
	for l := range k {
		shifts[l] = fit.Influence(rows[l])
	}
	return effect.Visible(k, func(j, l int) float64 { return shifts[l](pulls[j]) })
}
