package beforeafter

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// sample is one group and its controls, with what changed between two periods.
type sample struct {
	n     int   // units of the whole panel
	unit  []int // places in the panel
	d     []float64
	w     []float64 // weights
	delta []float64 // Y_t - Y_b
	x     [][]float64
}

func (s *sample) add(p *Panel, u int, treated bool, delta float64) {
	d, w := 0.0, 1.0
	if treated {
		d = 1
	}
	if p.Weight != nil {
		w = p.Weight[u]
	}
	s.unit, s.d, s.w, s.delta = append(s.unit, u), append(s.d, d), append(s.w, w), append(s.delta, delta)
	if len(p.Covariates) > 0 {
		s.x = append(s.x, p.X[u])
	}
}

// model is the constant and the covariates, centred and scaled, without columns
// that those before them determine.
func (s *sample) model(ctx context.Context) dense.Matrix {
	n, p := len(s.unit), 1
	if len(s.x) > 0 {
		p += len(s.x[0])
	}
	x := dense.Matrix{N: n, P: p, Data: make([]float64, n*p)}
	column := make([]float64, n)
	for k := range p {
		size := 0.0
		for i := range n {
			if column[i] = 1; k > 0 {
				column[i] = s.x[i][k-1]
			}
			size = max(size, math.Abs(column[i]))
		}
		// A power of two changes no digit, and keeps squares from becoming infinite or 0.
		_, power := math.Frexp(size)
		var sum, squares float64
		for i := range n {
			column[i] = math.Ldexp(column[i], -power)
			sum += column[i] / float64(n)
		}
		for i := range n {
			squares += (column[i] - sum) * (column[i] - sum) / float64(n)
		}
		scale := math.Sqrt(squares)
		for i := range n {
			switch {
			case k == 0:
				x.Data[i*p] = 1
			case scale > 1e-12*math.Abs(sum): // else constant but for rounding, which tells nothing
				x.Data[i*p+k] = (column[i] - sum) / scale
			}
		}
	}
	kept := dense.Independent(dense.Gram(ctx, x, s.w), 1e-10)
	out := dense.Matrix{N: n, P: len(kept)}
	for i := range n {
		for _, k := range kept {
			out.Data = append(out.Data, x.Row(i)[k])
		}
	}
	return out
}

// fitted is an effect with its influence function over all units of the panel.
type fitted struct {
	att        float64
	inf        []float64
	propensity float64
	columns    int
}

// doublyRobust is the estimator of Sant'Anna and Zhao for panels, with logistic
// propensities, a linear regression on the controls and weights that sum to 1, and
// its influence function.
func (s *sample) doublyRobust(ctx context.Context, ceiling float64, minControls int) (f fitted, refusal *effect.Refusal) {
	x := s.model(ctx)
	f.columns, f.propensity = x.P, math.NaN()
	n := float64(x.N)
	outside, controls := make([]float64, x.N), 0
	for i, d := range s.d {
		outside[i] = s.w[i] * (1 - d)
		if d == 0 {
			controls++
		}
	}
	gram := dense.Gram(ctx, x, outside)
	line, ok := dense.Factor(gram)
	if controls < x.P-1+minControls || !ok || len(dense.Independent(gram, 1e-10)) < x.P {
		return f, &effect.Refusal{
			Code: RefusalFewControls, Why: fmt.Sprintf("%d controls do not carry a regression of %d columns", controls, x.P),
			Cure: "use fewer covariates, or more units to compare with",
		}
	}
	p, information, refusal := propensities(ctx, x, s.d, s.w)
	for _, v := range p {
		f.propensity = math.Max(v, zero(f.propensity))
	}
	if refusal == nil && f.propensity >= ceiling {
		refusal = &effect.Refusal{
			Code: RefusalNoOverlap, Why: fmt.Sprintf("a unit has a probability of %.4g of being in the group, so that nobody of its like is left to compare with", f.propensity),
			Cure: "use fewer covariates, or units that are more alike",
		}
	}
	if refusal != nil {
		return f, refusal
	}
	coef := line.Solve(dense.Cross(ctx, x, times(outside, s.delta)))
	// A second pass on the residuals repairs what the normal equations lose.
	rest := residuals(ctx, s.delta, x, coef)
	for k, v := range line.Solve(dense.Cross(ctx, x, times(outside, rest))) {
		coef[k] += v
	}
	rest = residuals(ctx, s.delta, x, coef)

	treated, like := make([]float64, x.N), make([]float64, x.N) // weights of the group, and of its controls
	for i, d := range s.d {
		treated[i] = s.w[i] * d
		like[i] = outside[i] * p[i] / (1 - p[i])
	}
	ofTreated, ofLike := total(treated)/n, total(like)/n
	inside, counter := dense.Dot(treated, rest)/n/ofTreated, dense.Dot(like, rest)/n/ofLike
	f.att = inside - counter

	// What the two fits add: the gradients of the effect in their coefficients, times
	// (X'WX/n)^-1, times each unit's score.
	fromLine, fromOdds := dense.Cross(ctx, x, treated), make([]float64, x.N)
	for k, v := range dense.Cross(ctx, x, like) {
		fromLine[k] = fromLine[k]/ofTreated - v/ofLike
	}
	for i := range fromOdds {
		fromOdds[i] = like[i] * (rest[i] - counter) / ofLike
	}
	pullLine := dense.Mul(ctx, nil, x, line.Solve(fromLine))
	pullOdds := dense.Mul(ctx, nil, x, information.Solve(dense.Cross(ctx, x, fromOdds)))
	f.inf = make([]float64, s.n)
	for i, u := range s.unit {
		v := treated[i]*(rest[i]-inside)/ofTreated - fromOdds[i] - outside[i]*rest[i]*pullLine[i] - s.w[i]*(s.d[i]-p[i])*pullOdds[i]
		f.inf[u] = v * float64(s.n) / n
	}
	return f, nil
}

// propensities fits the probability of being in the group by weighted logistic
// regression: Newton's method with step halving, until no linear predictor moves by
// more than 1e-10. It returns the information too. Covariates that tell the group
// from its controls have no estimate, and are refused.
func propensities(ctx context.Context, x dense.Matrix, d, w []float64) (p []float64, information dense.Cholesky, refusal *effect.Refusal) {
	beta := make([]float64, x.P)
	look := func(beta []float64) (p, curve []float64, deviance float64) {
		eta := dense.Mul(ctx, nil, x, beta)
		p, curve = make([]float64, x.N), make([]float64, x.N)
		for i, e := range eta {
			p[i] = 1 / (1 + math.Exp(-e))
			curve[i] = w[i] * p[i] * (1 - p[i])
			deviance += w[i] * (math.Log1p(math.Exp(-math.Abs(e))) + max(e, 0) - d[i]*e)
		}
		return p, curve, deviance
	}
	p, curve, deviance := look(beta)
	for range 60 {
		if ctx.Err() != nil {
			break
		}
		var ok bool
		if information, ok = dense.Factor(dense.Gram(ctx, x, curve)); !ok {
			break
		}
		score := make([]float64, x.N)
		for i := range score {
			score[i] = w[i] * (d[i] - p[i])
		}
		step := information.Solve(dense.Cross(ctx, x, score))
		farthest := 0.0
		for _, v := range dense.Mul(ctx, nil, x, step) {
			farthest = max(farthest, math.Abs(v))
		}
		for range 40 {
			if ctx.Err() != nil {
				break // there is no better
			}
			trial := make([]float64, x.P)
			for k := range trial {
				trial[k] = beta[k] + step[k]
			}
			next, bend, value := look(trial)
			if value <= deviance+1e-12*(math.Abs(deviance)+1) {
				beta, p, curve, deviance = trial, next, bend, value
				break
			}
			for k := range step {
				step[k] /= 2
			}
		}
		if farthest <= 1e-10 {
			return p, information, nil
		}
	}
	return p, nil, &effect.Refusal{Code: effect.RefusalSeparation, Why: "the covariates tell the units with the change from the others, so that there is nobody of their like to compare with", Cure: "use fewer covariates, or units that are more alike"}
}

func times(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i, v := range a {
		out[i] = v * b[i]
	}
	return out
}

func total(a []float64) (sum float64) {
	for _, v := range a {
		sum += v
	}
	return sum
}

func residuals(ctx context.Context, y []float64, x dense.Matrix, coef []float64) []float64 {
	out := dense.Mul(ctx, nil, x, coef)
	for i, v := range out {
		out[i] = y[i] - v
	}
	return out
}

func zero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// preTrend tests the effects before the change together.
func (d *Differences) preTrend(ctx context.Context, e *estimation) (t PreTrend) {
	t.Statistic, t.P, t.Largest, t.PFew, t.DF2 = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
	var att []float64
	var inf [][]float64
	columns := 1
	for i, g := range d.Effects {
		if d.inf[i] == nil || g.Reference || g.Period >= g.Group-e.Anticipation {
			continue
		}
		att, inf, columns = append(att, g.Effect), append(inf, d.inf[i]), max(columns, g.Columns)
		if !(math.Abs(g.Effect) <= math.Abs(t.Largest)) {
			t.Largest = g.Effect
		}
	}
	t.Cells = len(att)
	if t.Cells == 0 {
		t.Refusal = &effect.Refusal{Code: RefusalNoBefore, Why: "no effect before the change can be told, so that nothing says whether the units moved alike before it", Cure: "give more periods before the change"}
		return t
	}
	n := len(inf[0])
	cohort := make([]dense.Matrix, len(e.size)) // influence functions of its units, over n
	for u := range n {
		x := &cohort[e.at[u]]
		x.N, x.P = x.N+1, t.Cells
		for k := range inf {
			x.Data = append(x.Data, inf[k][u]/float64(n))
		}
	}
	v, part := dense.NewSym(t.Cells), make([]dense.Sym, len(cohort))
	for c, x := range cohort {
		part[c] = dense.Gram(ctx, x, nil)
		addTo(v, part[c])
	}
	kept := dense.Independent(v, 1e-9)
	t.DF = len(kept)
	a := make([]float64, len(kept))
	for k, c := range kept {
		a[k] = att[c]
	}
	factor, _ := dense.Factor(dense.Sub(v, kept))
	half := factor.Half(nil, a)
	t.Statistic = dense.Dot(half, half)
	p := float64(t.DF)
	t.P = mathext.GammaIncRegComp(p/2, t.Statistic/2)

	enlarged := dense.NewSym(t.DF)
	for c := range part {
		part[c] = dense.Sub(part[c], kept)
		scale := float64(e.size[c]) / e.free(c, columns)
		for _, row := range part[c] {
			for j := range row {
				row[j] *= scale
			}
		}
		addTo(enlarged, part[c])
	}
	factor, ok := dense.Factor(enlarged)
	if !ok {
		return t
	}
	half = factor.Half(nil, a)
	down := 0.0
	for c, w := range part {
		// L^-1 U_k L^-T has the traces of U_k U^-1.
		for range 2 {
			for _, row := range w {
				factor.Half(row, row)
			}
			for j := range w {
				for k := range j {
					w[j][k], w[k][j] = w[k][j], w[j][k]
				}
			}
		}
		trace, squares := 0.0, 0.0
		for j, row := range w {
			trace += row[j]
			squares += dense.Dot(row, row)
		}
		down += (squares + trace*trace) / e.free(c, columns)
	}
	free := (p + p*p) / down
	if t.DF2 = free - p + 1; t.DF2 < 1 {
		t.DF2 = math.NaN()
		return t
	}
	f := dense.Dot(half, half) * t.DF2 / p / free
	t.PFew = mathext.RegIncBeta(t.DF2/2, p/2, t.DF2/(t.DF2+p*f))
	return t
}

// addTo adds b to a.
func addTo(a, b dense.Sym) {
	for j, row := range b {
		for k, v := range row {
			a[j][k] += v
		}
	}
}
