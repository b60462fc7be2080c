package regress

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// Method is regression on the comparators and prediction on the cell
// (g-computation): logistic for outcomes that are shares, linear for all other
// units, portions among them. Start from [Default].
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
// takes residuals as r/(1 - h), h being the leverage (HC3). Where covariates
// separate the outcomes the method refuses and names them.
type Method struct {
	Covariates   []string
	MaxUncovered float64
	// Firth takes [Firth]'s penalised likelihood for shares, which separation does
	// not trouble: nobody is set aside for it. Weights and leverages are those at
	// its estimate; the answer carries the warning "firth". Expectations are drawn a
	// little towards 1/2.
	Firth bool
}

// Default refuses a cell of which more than a fifth has no comparators.
func Default(covariates ...string) Method {
	return Method{Covariates: covariates, MaxUncovered: 0.2}
}

// Name is "regression".
func (Method) Name() string { return "regression" }

// Uses lists the covariates.
func (m Method) Uses() []string { return m.Covariates }

// column is one column of the model.
type column struct {
	covariate, name string // name: "" for a number, else the name it indicates
	at              func(i int32) float64
}

const missing = "missing" // the name of no name, and of no number

// nameOf returns the name that a code stands for.
func nameOf(f effect.Factor, code int32) string {
	if code < 0 {
		return missing
	}
	return f.Levels[code]
}

// model lays out the columns, and says of a case whether the comparators cover
// it.
func (m Method) model(c *effect.Comparison) (columns []column, covered func(int32) bool, err error) {
	columns = []column{{at: func(int32) float64 { return 1 }}}
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
					columns = append(columns, column{name, nameOf(cov.Factor, int32(k-1)), func(i int32) float64 { return indicator(int(codes[i])+1 == k) }})
				}
			}
			tests = append(tests, func(i int32) bool { return seen[codes[i]+1] > 0 })
			continue
		}
		x := cov.Number
		known, mean, scale := cov.Moments(c.Out)
		if math.IsNaN(scale) {
			return nil, nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: fmt.Sprintf("covariate %s holds a number that is not finite", name), Cure: "correct the covariate"}
		}
		some := known < len(c.Out)
		if some {
			columns = append(columns, column{name, missing, func(i int32) float64 { return indicator(math.IsNaN(x[i])) }})
		}
		// A covariate that is constant up to rounding tells nothing.
		if scale > 1e-12*math.Abs(mean) {
			columns = append(columns, column{name, "", func(i int32) float64 {
				if math.IsNaN(x[i]) {
					return 0
				}
				return (x[i] - mean) / scale
			}})
		}
		tests = append(tests, func(i int32) bool {
			return math.IsNaN(x[i]) && some || !math.IsNaN(x[i]) && known > 0
		})
	}
	if err := effect.CheckColumns(len(columns)); err != nil {
		return nil, nil, err
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
				exact := c.Unit == effect.UnitShare && !m.Firth && cell[k] == 0 && (ones[k] == 0 || ones[k] == n[k])
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

func matrix(ctx context.Context, columns []column, rows []int32) Matrix {
	x := Matrix{N: len(rows), P: len(columns), Data: make([]float64, len(rows)*len(columns))}
	dense.Chunks(ctx, x.N, func(_, lo, hi int) {
		for k := lo; k < hi; k++ {
			row := x.Row(k)
			for j, c := range columns {
				row[j] = c.at(rows[k])
			}
		}
	})
	return x
}

// culprits names what separates, in the order of the columns: a number by its
// covariate; a covariate of names by those of its names whose comparators all
// have the same outcome, or where there is none by itself.
func culprits(c *effect.Comparison, columns []column, which []int) []string {
	var out []string
	for _, k := range which {
		covariate := columns[k].covariate
		cov, ok := c.Covariate(covariate)
		switch {
		case !ok:
			out = append(out, "the constant")
		case cov.Number != nil && columns[k].name == "":
			out = append(out, covariate)
		case cov.Number != nil:
			out = append(out, covariate+" = "+missing)
		default:
			n, ones := make([]int, len(cov.Factor.Levels)+1), make([]int, len(cov.Factor.Levels)+1)
			for _, i := range c.Out {
				n[cov.Factor.Codes[i]+1]++
				ones[cov.Factor.Codes[i]+1] += int(c.Y[i])
			}
			found := false
			for code := range n {
				if n[code] > 0 && (ones[code] == 0 || ones[code] == n[code]) {
					found, out = true, append(out, covariate+" = "+nameOf(cov.Factor, int32(code-1)))
				}
			}
			if !found {
				out = append(out, covariate)
			}
		}
	}
	// Several columns of a covariate give the same names; keep the first of each.
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(s string) bool {
		twice := seen[s]
		seen[s] = true
		return twice
	})
}

// Expect fits the comparators and predicts the cell.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	if len(c.Strata) > 0 {
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNeedsMicro, Why: "some peers are known by aggregated strata only", Cure: "use the strata method"}
	}
	if len(c.In) == 0 {
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNoCases, Why: "the cell has no cases", Cure: "choose a later as_of or an earlier cohort"}
	}
	if len(c.Out) == 0 {
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNoComparators, Why: "nobody is left to compare with", Cure: "declare other comparators or peers"}
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
		if uncovered := 1 - float64(len(c.In))/float64(n); uncovered > m.MaxUncovered || len(c.In) == 0 {
			return effect.Expectation{}, &effect.Refusal{
				Code: effect.RefusalUncovered,
				Why:  fmt.Sprintf("%.0f %% of the cell has characteristics that no comparator has", 100*uncovered),
				Cure: "drop or coarsen covariates, or declare more peers",
			}
		}
	}
	if err := effect.Stopped(ctx); err != nil {
		return effect.Expectation{}, err
	}
	out, in := matrix(ctx, columns, c.Out), matrix(ctx, columns, c.In)
	y := make([]float64, len(c.Out))
	for k, i := range c.Out {
		y[k] = c.Y[i]
	}
	fit, link, slope := (*Fit)(nil), func(e float64) float64 { return e }, func(float64) float64 { return 1 }
	if c.Unit == effect.UnitShare {
		link, slope = Expit, func(p float64) float64 { return p * (1 - p) }
	}
	switch {
	case c.Unit != effect.UnitShare:
		fit, err = Linear(ctx, out, y)
	case m.Firth:
		fit, err = Firth(ctx, out, y)
	default:
		var which []int
		if fit, which, err = logistic(ctx, out, y); which != nil {
			err = separation(culprits(c, columns, which))
		}
	}
	if err != nil {
		return effect.Expectation{}, err
	}
	predict := func(x Matrix) []float64 {
		fitted := dense.Mul(ctx, nil, x, fit.beta)
		for i, e := range fitted {
			fitted[i] = link(e)
		}
		return fitted
	}
	fittedOut, fittedIn := predict(out), predict(in)
	pull := make([]float64, in.N)
	for i, v := range fittedIn {
		pull[i] = slope(v) / float64(in.N)
	}
	weights := dense.Mul(ctx, nil, out, fit.Influence(dense.Cross(ctx, in, pull)))
	// Where a comparator decides its own fitted value there is no telling how far
	// off it is.
	leverage := fit.pulls(ctx, out)
	for i := range leverage {
		leverage[i] *= slope(fittedOut[i])
		if leverage[i] > maxLeverage && math.Abs(weights[i]) > 1e-3/float64(out.N) {
			return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalFewComparators, Why: "some coefficient rests on a single comparator", Cure: "use fewer covariates or coarser classes, or declare more peers"}
		}
		leverage[i] = min(leverage[i], maxLeverage)
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
	if m.Firth && c.Unit == effect.UnitShare {
		e.Warnings = append(e.Warnings, "firth")
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
	shifts := make([][]float64, k)
	for l := range k {
		shifts[l] = fit.Influence(rows[l])
	}
	return effect.Visible(k, func(j, l int) float64 { return dense.Dot(shifts[l], pulls[j]) })
}
