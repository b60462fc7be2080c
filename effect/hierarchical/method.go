package hierarchical

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/integrate/quad"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/columns"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Group says what has an intercept of its own.
type Group string

// The groups. All own projects of a municipality are one provider there.
const (
	ByMunicipality Group = "municipality"
	ByProvider     Group = "provider"
)

// Names lists the groups.
func (Group) Names() []string { return []string{string(ByMunicipality), string(ByProvider)} }

// Method is a random-intercept logistic regression on the comparators and
// prediction on the cell. Start from [Default].
//
//	expected = mean over the cell of E[expit(x'b + SD u)],  u ~ N(0, 1)
//
// with b and SD from [Logistic] on the comparators alone: what the cell's citizens
// would achieve with a comparator group drawn at random, the intercept integrated
// over its distribution (40 Gauss-Hermite points), not set to its average. Small
// groups so count for more than their size, and large ones for less. With one
// group (citizens at home, by municipality) it is plain logistic regression, with
// the warning one_group.
//
// Columns, names that few comparators have and comparators that tell nothing about
// the cell are treated as by the method regression. It needs an outcome that is a
// share; others are refused with not_a_share. Other refusals: no_cases,
// no_comparators, n_below_minimum (one case covered), too_few_covered,
// needs_microdata, and those of [Logistic].
//
// Weights are the derivatives of the expectation in the outcomes, by the
// penalised likelihood at the fitted SD; the estimation of SD itself adds nothing
// to them. Residuals are taken from the integrated prediction, so that
// municipalities still differ in them.
type Method struct {
	Covariates   []string
	Group        Group
	MaxUncovered float64
}

// Default gives each municipality an intercept, and refuses a cell of which more
// than a fifth has no comparators.
func Default(covariates ...string) Method {
	return Method{Covariates: covariates, Group: ByMunicipality, MaxUncovered: 0.2}
}

// Name is "hierarchical".
func (Method) Name() string { return "hierarchical" }

// Uses lists the covariates.
func (m Method) Uses() []string { return m.Covariates }

// fewComparators is how many comparators a name needs to count as known.
const fewComparators = 5

// groups numbers the groups of rows in the order in which they come.
func (g Group) groups(cases *effect.Cases, rows []int32) (of []int32, n int) {
	type key struct{ municipality, provider int32 }
	seen := map[key]int32{}
	for _, i := range rows {
		k := key{municipality: cases.Municipality.Codes[i]}
		if g == ByProvider {
			if len(cases.Provider.Codes) > 0 && cases.Provider.Codes[i] >= 0 {
				k = key{-1, cases.Provider.Codes[i]}
			} else {
				k.provider = -1
			}
		}
		at, ok := seen[k]
		if !ok {
			at = int32(len(seen))
			seen[k] = at
		}
		of = append(of, at)
	}
	return of, len(seen)
}

// Expect fits the comparators and predicts the cell.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	if err := columns.Check(c); err != nil {
		return effect.Expectation{}, err
	}
	if c.Unit != effect.UnitShare {
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNotShare, Why: "a logistic regression needs an outcome that is reached or not", Cure: "use the regression method"}
	}
	given := len(c.In)
	c, covered, aside := columns.Support(c, m.Covariates, func(t columns.Tally) (in, out bool) {
		exact := t.Cell == 0 && (t.Ones == 0 || t.Ones == t.Out)
		return t.Out < fewComparators, t.Out < fewComparators || exact
	})
	if err := columns.Uncovered(len(c.In), given, m.MaxUncovered, "has characteristics that no comparator has"); err != nil {
		return effect.Expectation{}, err
	}
	// Columns of the cell that no comparator has are none: nobody is left who needs
	// one.
	x, err := columns.Matrix(ctx, c, m.Covariates, slices.Concat(c.Out, c.In))
	if err != nil {
		return effect.Expectation{}, err
	}
	if err := effect.Stopped(ctx); err != nil {
		return effect.Expectation{}, err
	}
	out, in := x.Rows(0, len(c.Out)), x.Rows(len(c.Out), x.N)
	y := make([]float64, len(c.Out))
	for k, i := range c.Out {
		y[k] = c.Y[i]
	}
	group, groups := m.Group.groups(c.Cases, c.Out)
	fit, err := Logistic(ctx, out, y, group, groups)
	if err != nil {
		return effect.Expectation{}, err
	}
	mean := newAverage(fit.SD)
	linear := effect.Linear{Weights: make([]float64, out.N), FittedOut: make([]float64, out.N), FittedIn: make([]float64, in.N)}
	gradient := make([]float64, in.P)
	for k := range linear.FittedIn {
		row := in.Row(k)
		p, slope := mean.of(fit.Predict(row))
		linear.FittedIn[k] = p
		for j, v := range row {
			gradient[j] += slope * v / float64(in.N)
		}
	}
	shift, ok := fit.shift(ctx, out, group, groups)
	if !ok {
		return effect.Expectation{}, notConverged()
	}
	influence := shift(gradient)
	slopes := make([]float64, out.N)
	for k := range linear.Weights {
		linear.FittedOut[k], slopes[k] = mean.of(fit.Predict(out.Row(k)))
		linear.Weights[k] = influence(k)
	}
	e := c.Linear(linear)
	e.Visible = visible(&e, c, out, linear.Weights, slopes, shift)
	e.Covered, e.Rank, e.Columns = covered, fit.Rank, out.P
	if aside {
		e.Warnings = append(e.Warnings, "comparators_set_aside")
	}
	if fit.Rank < out.P {
		e.Warnings = append(e.Warnings, "aliased_columns_set_aside")
	}
	if groups == 1 {
		e.Warnings = append(e.Warnings, "one_group")
	}
	return e, nil
}

// average is the mean of expit over a normal distribution of intercepts.
type average struct{ at, weight []float64 }

func newAverage(sd float64) average {
	if sd == 0 {
		return average{[]float64{0}, []float64{1}}
	}
	const points = 40
	a := average{make([]float64, points), make([]float64, points)}
	quad.Hermite{}.FixedLocations(a.at, a.weight, math.Inf(-1), math.Inf(1))
	for k := range a.at {
		a.at[k] *= math.Sqrt2 * sd
		a.weight[k] /= math.Sqrt(math.Pi)
	}
	return a
}

// of returns the mean at a linear predictor and its slope there.
func (a average) of(eta float64) (p, slope float64) {
	for k, at := range a.at {
		v := regress.Expit(eta + at)
		p += a.weight[k] * v
		slope += a.weight[k] * v * (1 - v)
	}
	return p, slope
}

// shift returns, for the gradient of a figure in the coefficients, the function
// that gives by how much the figure changes when the outcome of row k changes by
// one: the coefficients of the penalised likelihood
//
//	(X'WX - sum_g s_g s_g' SD^2/h_g)^-1 (x_k - s_g SD^2/h_g),  s_g = sum over g of w x
func (f *Fit) shift(ctx context.Context, x regress.Matrix, group []int32, groups int) (func(gradient []float64) func(k int) float64, bool) {
	p := len(f.kept)
	small := dense.Matrix{N: x.N, P: p}
	for k := range x.N {
		for _, c := range f.kept {
			small.Data = append(small.Data, x.Row(k)[c])
		}
	}
	w, s, h := make([]float64, x.N), make([]float64, groups*p), make([]float64, groups)
	for k, g := range group {
		v := regress.Expit(f.Predict(x.Row(k)) + f.Intercept[g])
		w[k] = v * (1 - v)
		h[g] += f.SD * f.SD * w[k]
		for c, v := range small.Row(k) {
			s[int(g)*p+c] += w[k] * v
		}
	}
	a := dense.Gram(ctx, small, w)
	for g := range h {
		h[g]++
		sum := s[g*p : (g+1)*p]
		for j := range sum {
			for k := range sum {
				a[j][k] -= f.SD * f.SD / h[g] * sum[j] * sum[k]
			}
		}
	}
	factor, ok := dense.Factor(a)
	if !ok {
		return nil, false
	}
	return func(gradient []float64) func(int) float64 {
		of := make([]float64, p)
		for k, c := range f.kept {
			of[k] = gradient[c]
		}
		z := factor.Solve(of)
		less := make([]float64, groups)
		for g := range less {
			less[g] = f.SD * f.SD / h[g] * dense.Dot(s[g*p:(g+1)*p], z)
		}
		return func(k int) float64 { return dense.Dot(small.Row(k), z) - less[group[k]] }
	}, true
}

// visible is the share of the variation between municipalities that the fit
// leaves in the residuals: an effect of municipality l moves the prediction of
// the others' residuals through the coefficients.
func visible(e *effect.Expectation, c *effect.Comparison, x regress.Matrix, weights, slopes []float64, shift func([]float64) func(int) float64) float64 {
	index := map[string]int{}
	for k, p := range e.Municipalities {
		index[p.Municipality] = k
	}
	k := len(e.Municipalities)
	pulls := make([][]float64, k)
	for j := range pulls {
		pulls[j] = make([]float64, x.P)
	}
	for n, i := range c.Out {
		j := index[c.Cases.Municipality.At(int(i))]
		w := weights[n] * slopes[n] / e.Municipalities[j].Weight
		for p, v := range x.Row(n) {
			pulls[j][p] += w * v
		}
	}
	lost := make([][]float64, k)
	for j := range lost {
		lost[j] = make([]float64, k)
		moved := shift(pulls[j])
		for n, i := range c.Out {
			lost[j][index[c.Cases.Municipality.At(int(i))]] += moved(n)
		}
	}
	return effect.Visible(k, func(j, l int) float64 { return lost[j][l] })
}

// Profile is one group's outcomes beside what its intercept and the average one
// predict.
type Profile struct {
	N         int
	Observed  float64 // sum of outcomes
	Predicted float64 // sum of expit(x'b + the group's intercept)
	Expected  float64 // sum of expit(x'b): the average intercept
	// Ratio is Predicted / Expected: above 1 where the group achieves more than
	// the average group would with the same citizens. It lies between 1 and
	// Observed / Expected, nearer to 1 the smaller the group; NaN for a group
	// without rows.
	Ratio float64
}

// PredictedExpected gives each group's predicted over expected outcomes, as in the
// profiling of providers: both sums are over the group's own rows, so ratios of
// groups with different citizens are not to be ranked. Shapes and refusals are
// those of [Logistic]. Source: normand1997.
func PredictedExpected(ctx context.Context, x regress.Matrix, y []float64, group []int32, groups int) ([]Profile, *Fit, error) {
	fit, err := Logistic(ctx, x, y, group, groups)
	if err != nil {
		return nil, nil, err
	}
	out := make([]Profile, groups)
	for i, g := range group {
		p, eta := &out[g], fit.Predict(x.Row(i))
		p.N++
		p.Observed += y[i]
		p.Predicted += regress.Expit(eta + fit.Intercept[g])
		p.Expected += regress.Expit(eta)
	}
	for g := range out {
		out[g].Ratio = out[g].Predicted / out[g].Expected
	}
	return out, fit, nil
}
