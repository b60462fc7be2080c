// Package weighting compares a cell with comparators weighted by the propensity
// score: the methods "ipw" and "aipw", and overlap weights as information. All
// are for comparison with others' practice and for description; nothing is paid
// on them.
package weighting

import (
	"context"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
	"github.com/jobeffekt/jobeffekt/effect/internal/propensity"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Method is inverse-probability weighting to the cell. Start from [Default] or
// [Augmented].
//
// With p(x) the probability of being in the cell rather than among the
// comparators, by logistic regression on Covariates, comparator j weighs
//
//	w_j = p_j/(1-p_j) / sum of p/(1-p) over the comparators
//
// (normalised: Hajek), and
//
//	ipw:  expected = sum of w_j Y_j
//	aipw: expected = mean of m(x) over the cell + sum of w_j (Y_j - m(x_j))
//
// where m is the regression of the outcome on the same covariates among the
// comparators alone, logistic for shares and linear for other units. Standard
// errors come from the influence functions, those of the propensity model and of
// m included; that of the propensity model belongs to the cell on the cell's side
// and to the comparators on theirs.
//
// Cases with a name, or a missing number, that no comparator has are uncovered
// and counted; beyond MaxUncovered of the cell the method refuses. Other refusals:
// no_cases, no_comparators, n_below_minimum (one case covered), needs_microdata
// (aggregated comparators), separation (the covariates tell the cell from its
// comparators; or, for aipw, who reached the outcome), no_variation (aipw: all
// comparators have the same outcome), not_finite.
// Sources: rosenbaumrubin1983, robins1994, hirano2003, lunceforddavidian2004.
type Method struct {
	Covariates   []string
	Augment      bool // aipw
	MaxUncovered float64
}

// Default is inverse-probability weighting. It refuses a cell of which more than
// a fifth has no comparators.
func Default(covariates ...string) Method {
	return Method{Covariates: covariates, MaxUncovered: 0.2}
}

// Augmented is Default with an outcome model beside the weights.
func Augmented(covariates ...string) Method {
	m := Default(covariates...)
	m.Augment = true
	return m
}

// Name is "ipw", or "aipw" with an outcome model.
func (m Method) Name() string {
	if m.Augment {
		return "aipw"
	}
	return "ipw"
}

// Uses lists the covariates.
func (m Method) Uses() []string { return m.Covariates }

// outcome is a model of the comparators' outcomes; without one it fits 0.
type outcome struct {
	in, out   []float64                      // fitted
	slope     []float64                      // of out in the linear predictor
	moves     bool                           // whether there is one
	shift     func(rows []float64) []float64 // of the coefficients, by outcomes moved by one in rows of this sum
	influence []float64                      // of each comparator's residual on expected, through m
}

// Expect weights the comparators to the cell.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	model, err := propensity.New(ctx, c, m.Covariates, m.MaxUncovered)
	if err != nil {
		return effect.Expectation{}, err
	}
	w := make([]float64, len(model.Out))
	odds := 0.0
	for k, eta := range model.EtaOut {
		w[k] = math.Exp(eta)
		odds += w[k]
	}
	for k := range w {
		w[k] /= odds
	}
	if err := effect.Stopped(ctx); err != nil {
		return effect.Expectation{}, err
	}
	var o *outcome
	if m.Augment {
		if o, err = augment(ctx, model, w); err != nil {
			return effect.Expectation{}, err
		}
	} else {
		o = none(model)
	}

	// The weighted mean of what m leaves, and its gradient in the propensity model.
	n, x := float64(len(model.In)), model.XOut
	rest, gradient := 0.0, make([]float64, x.P)
	for k, i := range model.Out {
		rest += w[k] * (model.Y[i] - o.out[k])
	}
	for k, i := range model.Out {
		r := w[k] * (model.Y[i] - o.out[k] - rest)
		for p, v := range x.Row(k) {
			gradient[p] += r * v
		}
	}
	pull := model.Fit.Influence(gradient)
	linear := effect.Linear{
		Weights: make([]float64, len(w)), Influence: make([]float64, len(w)), FittedIn: make([]float64, len(model.In)),
	}
	for k, i := range model.Out {
		r := model.Y[i] - o.out[k]
		linear.Weights[k] = w[k] + o.influence[k]
		linear.Influence[k] = w[k]*(r-rest) + o.influence[k]*r - regress.Expit(model.EtaOut[k])*dense.Dot(pull, x.Row(k))
	}
	residual := make([]float64, len(model.In))
	for k, i := range model.In {
		linear.FittedIn[k] = o.in[k] + rest
		residual[k] = model.Y[i] - o.in[k] - n*regress.Expit(-model.EtaIn[k])*dense.Dot(pull, model.XIn.Row(k))
	}
	e := model.Linear(linear)
	e.VarCell = model.MeanVariance(model.In, residual)
	e.Visible = visible(&e, model, w, o)
	model.Complete(&e)
	return e, nil
}

func none(model *propensity.Model) *outcome {
	n := len(model.Out)
	zeros := make([]float64, n)
	return &outcome{
		in: make([]float64, len(model.In)), out: zeros, slope: zeros, influence: zeros,
		shift: func(rows []float64) []float64 { return make([]float64, len(rows)) },
	}
}

// augment fits m among the comparators, with the columns of the propensity model.
func augment(ctx context.Context, model *propensity.Model, w []float64) (*outcome, error) {
	y := make([]float64, len(model.Out))
	for k, i := range model.Out {
		y[k] = model.Y[i]
	}
	fit, err, link := (*regress.Fit)(nil), error(nil), func(eta float64) (p, slope float64) { return eta, 1 }
	if model.Unit == effect.UnitShare {
		fit, err = regress.Logistic(ctx, model.XOut, y)
		link = func(eta float64) (p, slope float64) { p = regress.Expit(eta); return p, p * (1 - p) }
	} else {
		fit, err = regress.Linear(ctx, model.XOut, y)
	}
	if err != nil {
		return nil, err
	}
	o := &outcome{
		in: make([]float64, len(model.In)), out: make([]float64, len(y)), slope: make([]float64, len(y)), moves: true,
		shift: fit.Influence, influence: make([]float64, len(y)),
	}
	gradient := make([]float64, model.XOut.P)
	for k := range o.in {
		row := model.XIn.Row(k)
		p, slope := link(fit.Predict(row))
		o.in[k] = p
		for c, v := range row {
			gradient[c] += slope * v / float64(len(o.in))
		}
	}
	for k := range y {
		row := model.XOut.Row(k)
		o.out[k], o.slope[k] = link(fit.Predict(row))
		for c, v := range row {
			gradient[c] -= w[k] * o.slope[k] * v
		}
	}
	influence := fit.Influence(gradient)
	for k := range y {
		o.influence[k] = dense.Dot(influence, model.XOut.Row(k))
	}
	return o, nil
}

// visible is the share of the variation between municipalities that is left in
// the influences: those of outcomes that are 1 in municipality l and 0 elsewhere,
// summed over the comparators of j.
func visible(e *effect.Expectation, model *propensity.Model, w []float64, o *outcome) float64 {
	index := map[string]int{}
	for k, p := range e.Municipalities {
		index[p.Municipality] = k
	}
	k, x := len(e.Municipalities), model.XOut
	vectors := func() [][]float64 {
		out := make([][]float64, k)
		for j := range out {
			out[j] = make([]float64, x.P)
		}
		return out
	}
	// Sums over a municipality's comparators of x times: 1, w, p, slope w, slope
	// (w + influence).
	plain, weighted, chance, sloped, both := vectors(), vectors(), vectors(), vectors(), vectors()
	sumW := make([]float64, k)
	for n, i := range model.Out {
		j, p := index[model.Cases.Municipality.At(int(i))], regress.Expit(model.EtaOut[n])
		sumW[j] += w[n]
		for c, v := range x.Row(n) {
			plain[j][c] += v
			weighted[j][c] += w[n] * v
			chance[j][c] += p * v
			sloped[j][c] += o.slope[n] * w[n] * v
			both[j][c] += o.slope[n] * (w[n] + o.influence[n]) * v
		}
	}
	left := make([][]float64, k) // [l][j]
	for l := range k {
		left[l] = make([]float64, k)
		moved := o.shift(plain[l]) // the linear predictor of m, by the effect of l
		rest := sumW[l]
		for j := range k {
			rest -= dense.Dot(moved, sloped[j])
		}
		gradient := make([]float64, x.P)
		for c := range gradient {
			gradient[c] = weighted[l][c]
			for j := range k {
				gradient[c] -= rest * weighted[j][c]
			}
		}
		if o.moves {
			for n := range model.Out {
				row := x.Row(n)
				d := w[n] * o.slope[n] * dense.Dot(moved, row)
				for c, v := range row {
					gradient[c] -= d * v
				}
			}
		}
		pull := model.Fit.Influence(gradient)
		for j := range k {
			left[l][j] = -sumW[j]*rest - dense.Dot(moved, both[j]) - dense.Dot(pull, chance[j])
		}
		left[l][l] += e.Municipalities[l].Weight
	}
	return effect.Visible(k, func(j, l int) float64 {
		lost := -left[l][j] / e.Municipalities[j].Weight
		if j == l {
			lost++
		}
		return lost
	})
}

// Contrast is a difference between a weighted cell and its weighted comparators.
type Contrast struct {
	N, Comparators            int     // cases and comparators with their like on the other side
	Observed, Expected        float64 // weighted means of the cell and of the comparators
	Difference, SE            float64
	EffectiveIn, EffectiveOut float64 // (sum of weights)^2 / sum of squares
	Rank                      int     // of the propensity model
	Warnings                  []string
}

// Overlap compares a cell with its comparators in the overlap population: cases
// weigh 1-p, the probability of not being in the cell, and comparators p, so that
// those count most who could as well be found on the other side. Means of all
// covariates are then equal on both sides, and no weight is extreme.
//
//	Difference = sum_in (1-p) Y / sum_in (1-p) - sum_out p Y / sum_out p
//
// It is information only, and a function rather than a method: its estimand is
// not the effect for the citizens of the cell but for some of them, more or less,
// so it is no expectation for the cell and has no parts that add. The standard
// error comes from the influence functions, that of the propensity model
// included, clustered on person; it holds no variation between municipalities.
// Refusals are those of [Method] for ipw, with MaxUncovered 1: who has no like on
// the other side has weight 0 by the estimand itself. Source: li2018.
func Overlap(ctx context.Context, c *effect.Comparison, covariates ...string) (Contrast, error) {
	model, err := propensity.New(ctx, c, covariates, 1)
	if err != nil {
		return Contrast{}, err
	}
	type side struct {
		rows           []int32
		x              regress.Matrix
		h              []float64
		sum, mean, eff float64
		gradient       []float64
	}
	// h is the chance of the other side; its slope in the linear predictor is
	// -h(1-h) in the cell and h(1-h) among the comparators.
	newSide := func(rows []int32, x regress.Matrix, eta []float64, sign float64) side {
		s := side{rows: rows, x: x, h: make([]float64, len(rows)), gradient: make([]float64, x.P)}
		squares := 0.0
		for k, i := range rows {
			s.h[k] = regress.Expit(sign * eta[k])
			s.sum += s.h[k]
			squares += s.h[k] * s.h[k]
			s.mean += s.h[k] * model.Y[i]
		}
		s.mean /= s.sum
		s.eff = s.sum * s.sum / squares
		for k, i := range rows {
			d := sign * s.h[k] * (1 - s.h[k]) * (model.Y[i] - s.mean) / s.sum
			for p, v := range x.Row(k) {
				s.gradient[p] += d * v
			}
		}
		return s
	}
	in, out := newSide(model.In, model.XIn, model.EtaIn, -1), newSide(model.Out, model.XOut, model.EtaOut, 1)
	gradient := make([]float64, model.XIn.P)
	for p := range gradient {
		gradient[p] = in.gradient[p] - out.gradient[p]
	}
	pull := model.Fit.Influence(gradient)
	var rows []int32
	var influence []float64
	variance := 0.0
	for _, s := range []struct {
		side
		sign float64
	}{{in, 1}, {out, -1}} {
		for k, i := range s.rows {
			// The score of the propensity model is 1-p in the cell and -p outside: the
			// weight itself, up to its sign.
			v := s.sign * s.h[k] * ((model.Y[i]-s.mean)/s.sum + dense.Dot(pull, s.x.Row(k)))
			rows, influence = append(rows, i), append(influence, v)
			variance += v * v
		}
	}
	variance += model.Repeated(rows, influence)
	return Contrast{
		N: len(in.rows), Comparators: len(out.rows), Observed: in.mean, Expected: out.mean, Difference: in.mean - out.mean,
		SE: math.Sqrt(variance), EffectiveIn: in.eff, EffectiveOut: out.eff, Rank: model.Fit.Rank, Warnings: model.Warnings,
	}, nil
}
