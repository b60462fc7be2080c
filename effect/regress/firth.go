package regress

import (
	"context"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// firthIterations is more than maxIterations: the steps take the leverages as
// fixed, so that they close in by a steady factor.
const firthIterations = 500

// Firth fits the probability that y is 1 by Firth's penalised likelihood,
// log L(b) + log det(X'WX)/2 with W = p(1-p), the likelihood under Jeffreys'
// prior. Its score is
//
//	X'(y - p + h(1/2 - p)),  h = diagonal of W^1/2 X (X'WX)^-1 X' W^1/2,
//
// which removes the first term of the bias and has a finite root even where the
// columns separate the outcomes or all y are equal. Steps take h as it is, are
// halved until the penalised likelihood does not fall, and end when the linear
// predictor of no row moves by more than 1e-9. The predicted probabilities are drawn towards 1/2, so
// their mean over the rows is not the mean of y. Deviance is -2 log L, without the
// penalty. With n = 0 or only columns of zeros the rank is 0.
//
// It refuses with not_finite when a value is not finite, or y neither 0 nor 1,
// and with not_converged; lengths that do not fit are [ErrShape]. Source:
// firth1993, heinzeschemper2002.
func Firth(ctx context.Context, x Matrix, y []float64) (*Fit, error) {
	lengths, err := check(ctx, x, y)
	if err != nil {
		return nil, err
	}
	if _, err := count(y); err != nil {
		return nil, err
	}
	c := newClimb(x, y, rank(ctx, x, lengths))
	c.look(ctx, c.step)
	converged := c.firth(ctx)
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	if converged {
		return c.fit(), nil
	}
	return nil, &effect.Refusal{Code: effect.RefusalNotConverged, Why: "Firth's penalised likelihood did not converge", Cure: "use fewer covariates or coarser classes"}
}

// firth climbs the penalised likelihood, and says whether it came to rest.
func (c *climb) firth(ctx context.Context) bool {
	penalised := func() (float64, bool) {
		factor, ok := dense.Factor(dense.Sub(dense.Gram(ctx, c.x, c.weight), c.kept))
		if !ok {
			return math.Inf(1), false
		}
		c.factor = factor
		return c.deviance - factor.LogDet(), true
	}
	value, ok := penalised()
	if !ok {
		return false
	}
	residual, curve := make([]float64, c.x.N), make([]float64, c.x.N)
	for c.iterations = 1; c.iterations <= firthIterations && ctx.Err() == nil; c.iterations++ {
		for i, pull := range c.fit().pulls(ctx, c.x) {
			h := pull * c.weight[i]
			residual[i] = h * (0.5 - Expit(c.eta[i]))
			curve[i] = c.weight[i] * (1 + h)
		}
		score := dense.Cross(ctx, c.x, residual)
		for k, v := range c.score {
			score[k] += v
		}
		// With h held fixed the score's slope is X'W(1+h)X. Without the h, steps go too
		// far where rows decide their own fitted values, by up to twice.
		slope, ok := dense.Factor(dense.Sub(dense.Gram(ctx, c.x, curve), c.kept))
		if !ok {
			return false
		}
		c.step = spread(slope.Solve(pick(score, c.kept)), c.kept, c.x.P)
		farthest := c.look(ctx, c.step)
		if math.IsNaN(farthest) {
			return false
		}
		for halvings := 0; ; halvings++ {
			next, ok := penalised()
			if ok && next <= value+1e-9*(math.Abs(value)+1) {
				value = next
				break
			}
			if halvings == 40 || ctx.Err() != nil {
				return false
			}
			for k := range c.step {
				c.step[k] /= 2
			}
			c.look(ctx, c.step)
		}
		c.accept(c.step)
		if farthest <= tolerance {
			return true
		}
	}
	return false
}
