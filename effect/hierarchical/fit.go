// Package hierarchical fits logistic regressions in which every group, a
// municipality or a provider, has an intercept of its own drawn from a normal
// distribution. It gives predicted over expected outcomes by group
// ([PredictedExpected]) and, for comparison with others' practice and for
// description, the method "hierarchical". Nothing is paid on either.
package hierarchical

import (
	"context"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Fit is a fitted random-intercept logistic regression:
//
//	logit P(y = 1) = x'Coef + SD u_g,  u_g ~ N(0, 1)
type Fit struct {
	// Coef has one coefficient per column; NaN for a column set aside because
	// the columns before it determine it.
	Coef []float64
	SD   float64 // of the intercepts; 0 where they do not differ more than chance makes them
	// Intercept is each group's deviation SD u_g from the average intercept, at the
	// mode; 0 for a group without rows.
	Intercept  []float64
	LogLik     float64 // of the Laplace approximation
	Rank       int
	Iterations int

	kept []int
}

const (
	maxIterations = 100
	still         = 1e-8 // greatest Newton step, in standard errors, that counts as standing still
	wide          = 25.0 // standard deviation of log odds beyond which groups simply differ without limit
)

// Logistic fits the model by maximum likelihood, with the integral over each
// group's intercept by Laplace's approximation:
//
//	log L = sum over groups of  max over u of [sum y eta - log(1+exp(eta)) - u^2/2]  -  log(h)/2
//	h     = 1 + SD^2 sum p(1-p)  at that u
//
// The modes are found by Newton's method to rounding, and the coefficients and SD
// by Newton's method with step halving on the exact gradient. A constant is a
// column of x like any other; y is 0 or 1; group numbers the groups 0, 1, ...,
// groups - 1. With fewer than two groups that have rows SD is 0: there is no
// telling them apart. The log likelihood leaves binomial coefficients out, as of
// single trials. Sources: breslowclayton1993, bates2015.
//
// It refuses, as *effect.Refusal, as regress.Logistic does, with separation also
// where the groups' intercepts differ without limit (in almost every group all
// outcomes are equal), and with not_converged when no maximum was reached. Lengths that
// do not fit, and numbers of groups that are none, are regress.ErrShape.
func Logistic(ctx context.Context, x regress.Matrix, y []float64, group []int32, groups int) (*Fit, error) {
	if groups < 0 || len(group) != x.N || slices.ContainsFunc(group, func(g int32) bool { return g < 0 || int(g) >= groups }) {
		return nil, regress.ErrShape
	}
	start, err := regress.Logistic(ctx, x, y)
	if err != nil {
		return nil, err
	}
	f := &Fit{Rank: start.Rank, Intercept: make([]float64, groups)}
	l := &likelihood{y: y, group: group, u: make([]float64, groups), n: make([]int, groups)}
	for _, g := range group {
		l.n[g]++
	}
	psi := []float64{} // coefficients of the kept columns, then SD
	for c, b := range start.Coef {
		if !math.IsNaN(b) {
			f.kept, psi = append(f.kept, c), append(psi, b)
		}
	}
	for i := range x.N {
		for _, c := range f.kept {
			l.x = append(l.x, x.Row(i)[c])
		}
	}
	l.p, l.eta = len(f.kept), make([]float64, x.N)
	some := 0
	for _, n := range l.n {
		if n > 0 {
			some++
		}
	}
	if some < 2 {
		f.LogLik, _ = l.at(ctx, append(psi, 0))
	} else {
		psi, err = l.maximise(ctx, append(psi, 0.5), f)
		if stopped := effect.Stopped(ctx); stopped != nil {
			return nil, stopped
		}
		if err != nil {
			return nil, err
		}
		f.SD = math.Abs(psi[l.p])
		for g, u := range l.u {
			f.Intercept[g] = psi[l.p] * u
		}
	}
	f.Coef = make([]float64, x.P)
	for c := range f.Coef {
		f.Coef[c] = math.NaN()
	}
	for k, c := range f.kept {
		f.Coef[c] = psi[k]
	}
	return f, nil
}

// Predict returns the linear predictor of a row at the average intercept.
func (f *Fit) Predict(row []float64) float64 {
	sum := 0.0
	for _, k := range f.kept {
		sum += row[k] * f.Coef[k]
	}
	return sum
}

// likelihood is the Laplace log likelihood and the room it is worked out in.
type likelihood struct {
	x     []float64 // kept columns, row after row
	p     int
	y     []float64
	group []int32
	n     []int     // rows of each group
	u     []float64 // modes; the start of the next search
	eta   []float64
}

func (l *likelihood) row(i int) []float64 { return l.x[i*l.p : (i+1)*l.p] }

// at returns the log likelihood and its gradient at coefficients and SD, and
// leaves the modes in u. When ctx is done the likelihood is not a number.
func (l *likelihood) at(ctx context.Context, psi []float64) (value float64, gradient []float64) {
	sd := psi[l.p]
	if ctx.Err() != nil {
		return math.NaN(), make([]float64, l.p+1)
	}
	for i := range l.eta {
		l.eta[i] = dense.Dot(l.row(i), psi[:l.p])
	}
	l.modes(ctx, sd)
	groups := len(l.u)
	// Sums over a group's rows: w = p(1-p), its slope w' = w(1-2p), the residual;
	// and of w x and w' x.
	w, w1, r := make([]float64, groups), make([]float64, groups), make([]float64, groups)
	wx, w1x := make([]float64, groups*l.p), make([]float64, groups*l.p)
	gradient = make([]float64, l.p+1)
	for i, g := range l.group {
		eta := l.eta[i] + sd*l.u[g]
		p, q := regress.Expit(eta), regress.Expit(-eta)
		v := p * q
		v1 := v * (q - p)
		w[g] += v
		w1[g] += v1
		r[g] += l.y[i] - p
		if l.y[i] == 1 {
			eta = -eta
		}
		value -= max(eta, 0) + math.Log1p(math.Exp(-math.Abs(eta)))
		at := int(g) * l.p
		for k, c := range l.row(i) {
			gradient[k] += (l.y[i] - p) * c
			wx[at+k] += v * c
			w1x[at+k] += v1 * c
		}
	}
	for g, u := range l.u {
		h := 1 + sd*sd*w[g]
		value -= (u*u + math.Log(h)) / 2
		// u moves with the coefficients and SD; the log of h with all of them.
		hu := sd * sd * sd * w1[g]
		for k := range l.p {
			du := -sd * wx[g*l.p+k] / h
			gradient[k] -= (sd*sd*w1x[g*l.p+k] + hu*du) / h / 2
		}
		du := (r[g] - sd*u*w[g]) / h
		gradient[l.p] += u*r[g] - (2*sd*w[g]+sd*sd*u*w1[g]+hu*du)/h/2
	}
	return value, gradient
}

// modes finds every group's most likely u by Newton's method. The function is
// concave; a step is halved until its slope no longer changes sign by more than
// it falls.
func (l *likelihood) modes(ctx context.Context, sd float64) {
	groups := len(l.u)
	done := make([]bool, groups)
	slope, h := make([]float64, groups), make([]float64, groups)
	last, step := make([]float64, groups), make([]float64, groups)
	for g := range last {
		last[g] = math.Inf(1)
	}
	for range maxIterations {
		if ctx.Err() != nil {
			return
		}
		for g, u := range l.u {
			slope[g], h[g] = -u, 1
		}
		for i, g := range l.group {
			if done[g] {
				continue
			}
			eta := l.eta[i] + sd*l.u[g]
			p, q := regress.Expit(eta), regress.Expit(-eta)
			slope[g] += sd * (l.y[i] - p)
			h[g] += sd * sd * p * q
		}
		all := true
		for g := range l.u {
			if done[g] {
				continue
			}
			if math.Abs(slope[g]) > last[g] {
				// The step went too far.
				step[g] /= 2
				l.u[g] -= step[g]
			} else {
				last[g], step[g] = math.Abs(slope[g]), slope[g]/h[g]
				l.u[g] += step[g]
			}
			done[g] = math.Abs(step[g]) <= 1e-13*(1+math.Abs(l.u[g]))
			all = all && done[g]
		}
		if all {
			return
		}
	}
}

// maximise climbs from a start to the maximum. The curvature comes from central
// differences of the exact gradient.
func (l *likelihood) maximise(ctx context.Context, psi []float64, f *Fit) ([]float64, error) {
	unbounded := &effect.Refusal{
		Code: effect.RefusalSeparation, Why: "in almost every group all outcomes are equal, so that the groups differ without limit",
		Cure: "use larger groups, or the strata method",
	}
	value, gradient := l.at(ctx, psi)
	var factor dense.Cholesky
	last := math.Inf(1)
	for f.Iterations = 1; f.Iterations <= maxIterations; f.Iterations++ {
		if factor == nil {
			if factor = l.curvature(ctx, psi); factor == nil {
				return nil, notConverged()
			}
		}
		step := factor.Solve(gradient)
		decrement := dense.Dot(step, gradient)
		scale, improved := 1.0, false
		for range 40 {
			if ctx.Err() != nil {
				break // there is no better
			}
			next := slices.Clone(psi)
			for k := range next {
				next[k] += scale * step[k]
			}
			// Near the maximum the likelihood moves by rounding alone.
			if v, g := l.at(ctx, next); v >= value-1e-12*math.Abs(value) {
				psi, value, gradient, improved = next, v, g, true
				break
			}
			scale /= 2
		}
		if math.Abs(psi[l.p]) > wide {
			return nil, unbounded
		}
		if !improved {
			return nil, notConverged()
		}
		if scale == 1 && decrement >= 0 && decrement <= still*still {
			f.LogLik = value
			if math.Abs(psi[l.p]) < 1e-5 {
				psi[l.p] = 0 // a maximum at the bound, where the slope is 0
				f.LogLik, _ = l.at(ctx, psi)
			}
			return psi, nil
		}
		// The curvature is kept for as long as it serves.
		if scale < 1 || decrement > last/100 {
			factor = nil
		}
		last = decrement
	}
	return nil, notConverged()
}

// curvature is the factor of minus the second derivatives of the log likelihood.
// Where it bends up, a ridge turns the step to the gradient; nil where none does.
func (l *likelihood) curvature(ctx context.Context, psi []float64) dense.Cholesky {
	hessian := dense.NewSym(len(psi))
	for k := range psi {
		// The step is small beside the scale on which the likelihood bends.
		by := 1e-4 * math.Max(1e-2, math.Abs(psi[k]))
		up, down := slices.Clone(psi), slices.Clone(psi)
		up[k] += by
		down[k] -= by
		_, a := l.at(ctx, up)
		_, b := l.at(ctx, down)
		for j := range psi {
			d := (b[j] - a[j]) / (4 * by)
			hessian[j][k] += d
			hessian[k][j] += d
		}
	}
	factor, ok := dense.Factor(hessian)
	for ridge := 1e-3; !ok && ridge < 1e12; ridge *= 4 {
		for k := range hessian {
			hessian[k][k] += ridge * (1 + math.Abs(hessian[k][k]))
		}
		factor, ok = dense.Factor(hessian)
	}
	if !ok {
		return nil
	}
	return factor
}

func notConverged() error {
	return &effect.Refusal{Code: effect.RefusalNotConverged, Why: "the random-intercept regression did not converge", Cure: "use fewer covariates or coarser classes"}
}
