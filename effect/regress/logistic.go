package regress

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// Logistic fits the probability that y is 1 by maximum likelihood: Newton's
// method with step halving, until the linear predictor of no row moves by more
// than 1e-9. y must be 0 or 1. Columns that those before them determine are set
// aside. Long tables start from the fit of every 16th row, and take the
// information matrix of an earlier step while it serves; the estimate rests on
// neither. It refuses, as *effect.Refusal:
//
//   - no_variation when all y are equal, so also with n = 0,
//   - separation when some direction of the columns separates the ones from the
//     zeros, completely or nearly: the estimate then lies at infinity. Why names
//     the columns. [Firth] has an estimate,
//   - not_converged when neither that nor convergence could be shown,
//   - not_finite when a value is not finite, or y neither 0 nor 1.
//
// Lengths that do not fit are [ErrShape].
func Logistic(ctx context.Context, x Matrix, y []float64) (*Fit, error) {
	f, culprits, err := logistic(ctx, x, y)
	if culprits != nil {
		names := make([]string, len(culprits))
		for k, c := range culprits {
			names[k] = fmt.Sprintf("column %d (the first is 0)", c)
		}
		err = separation(names)
	}
	return f, err
}

// logistic is Logistic; under separation it returns the columns that separate.
func logistic(ctx context.Context, x Matrix, y []float64) (f *Fit, culprits []int, err error) {
	lengths, err := check(ctx, x, y)
	if err != nil {
		return nil, nil, err
	}
	ones, err := count(y)
	if err != nil {
		return nil, nil, err
	}
	if ones == 0 || ones == len(y) {
		return nil, nil, &effect.Refusal{Code: effect.RefusalNoVariation, Why: "all comparators have the same outcome", Cure: "use the strata method, or more comparators"}
	}
	c := newClimb(x, y, rank(ctx, x, lengths))
	few, outcomes := head(x, y)
	c.start(ctx, few, outcomes)
	converged := c.run(ctx)
	if err := effect.Stopped(ctx); err != nil {
		return nil, nil, err
	}
	if converged {
		return c.fit(), nil, nil
	}
	move := dense.Mul(ctx, c.trial, x, c.step)
	if separates(y, c.eta, move) {
		return nil, separating(x, y, c.step), nil
	}
	return nil, nil, &effect.Refusal{Code: effect.RefusalNotConverged, Why: "the logistic regression did not converge", Cure: "use fewer covariates or coarser classes"}
}

// count counts the ones, and refuses what is neither 0 nor 1.
func count(y []float64) (ones int, err error) {
	for _, v := range y {
		if v == 1 {
			ones++
		} else if v != 0 {
			return 0, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "an outcome of a logistic regression is neither 0 nor 1", Cure: "use an outcome that is a share"}
		}
	}
	return ones, nil
}

const (
	stride   = 16    // of the rows that a long table starts from
	longRows = 20000 // a table that is long
)

// head returns every 16th row of a long table, and nothing of another.
func head(x Matrix, y []float64) (Matrix, []float64) {
	if x.N < max(longRows, 10*stride*x.P) {
		return Matrix{}, nil
	}
	n := (x.N + stride - 1) / stride
	out, ys := Matrix{N: n, P: x.P, Data: make([]float64, 0, n*x.P)}, make([]float64, 0, n)
	for i := 0; i < x.N; i += stride {
		out.Data, ys = append(out.Data, x.Row(i)...), append(ys, y[i])
	}
	return out, ys
}

// rank returns the columns that those before them do not determine. What a
// column's predecessors leave of it can only grow with more rows: where every
// 16th row leaves enough of every column's whole length, no more need be seen.
func rank(ctx context.Context, x Matrix, lengths []float64) []int {
	if few, _ := head(x, make([]float64, x.N)); few.N > 0 {
		a, enough := dense.Gram(ctx, few, nil), 0.0
		for k, whole := range lengths {
			enough = max(enough, 2*aliased*whole/a[k][k])
		}
		if kept := dense.Independent(a, enough); len(kept) == x.P {
			return kept
		}
	}
	return dense.Independent(dense.Gram(ctx, x, nil), aliased)
}

// climb is a logistic fit on its way up the likelihood. eta, weight, score and
// deviance always belong together.
type climb struct {
	x          Matrix
	y          []float64
	kept       []int
	beta, step []float64 // of all columns; 0 for those set aside
	eta, trial []float64 // linear predictors: here, and where a step leads
	weight     []float64 // p(1-p)
	score      []float64 // X'(y-p), of all columns
	deviance   float64
	factor     dense.Cholesky
	iterations int
}

func newClimb(x Matrix, y []float64, kept []int) *climb {
	return &climb{
		x: x, y: y, kept: kept, beta: make([]float64, x.P), step: make([]float64, x.P),
		eta: make([]float64, x.N), trial: make([]float64, x.N), weight: make([]float64, x.N),
	}
}

// start goes to the estimate from fewer rows, or to 0 where there is none that
// is better.
func (c *climb) start(ctx context.Context, few Matrix, y []float64) {
	if few.N > 0 {
		first := newClimb(few, y, rank(ctx, few, squares(ctx, few)))
		fewer, outcomes := head(few, y)
		first.start(ctx, fewer, outcomes)
		first.roughly(ctx)
		from := make([]float64, c.x.P)
		for _, k := range c.kept {
			from[k] = first.beta[k]
		}
		if c.look(ctx, from); c.deviance < 2*math.Ln2*float64(c.x.N) {
			c.accept(from)
			return
		}
	}
	c.look(ctx, c.step)
}

// look sees where the step leads: trial, and there weight, score and deviance.
// It returns the greatest move of a linear predictor, which is NaN when the step
// is. accept goes there.
func (c *climb) look(ctx context.Context, step []float64) (farthest float64) {
	const block = 64
	x := c.x
	var far atomic.Uint64 // bits of numbers that are not negative order as they do
	sum := dense.Sum(ctx, x.N, x.P+1, func(sum []float64, lo, hi int) {
		var residual [block]float64
		moved := uint64(0)
		for ; lo < hi; lo += block {
			rows := x.Rows(lo, min(hi, lo+block))
			dense.Dots(residual[:], rows, step)
			product := 1.0 // of the 1+t: one logarithm for all
			for i, move := range residual[:rows.N] {
				moved = max(moved, math.Float64bits(math.Abs(move)))
				e := c.eta[lo+i] + move
				c.trial[lo+i] = e
				// For and against the outcome, in numbers that lose no digits.
				t := math.Exp(-math.Abs(e))
				p := 1 / (1 + t)
				c.weight[lo+i] = t * p * p
				product *= 1 + t
				sign := 2*c.y[lo+i] - 1
				miss := t * p
				if e *= sign; e < 0 {
					miss = p
					sum[x.P] -= e
				}
				residual[i] = sign * miss
			}
			sum[x.P] += math.Log(product)
			dense.AddCross(sum[:x.P], rows, residual[:rows.N])
		}
		for {
			old := far.Load()
			if moved <= old || far.CompareAndSwap(old, moved) {
				break
			}
		}
	})
	c.score, c.deviance = sum[:x.P], 2*sum[x.P]
	return math.Float64frombits(far.Load())
}

func (c *climb) accept(step []float64) {
	c.eta, c.trial = c.trial, c.eta
	for _, k := range c.kept {
		c.beta[k] += step[k]
	}
}

// run climbs until no linear predictor moves, and says whether it came there.
func (c *climb) run(ctx context.Context) bool {
	last, fresh := math.Inf(1), true
	for c.iterations = 1; c.iterations <= maxIterations; c.iterations++ {
		if fresh && !c.inform(ctx) {
			return false // the information is gone: fitted values are 0 and 1
		}
		farthest, whole := c.forward(ctx)
		shrinks := whole && farthest <= last/20
		switch {
		case math.IsNaN(farthest):
			return false
		case farthest <= tolerance && fresh:
			return true
		case !fresh && shrinks && farthest*farthest/last <= tolerance:
			// The next move would be this small. The last step, with information of its
			// own, is smaller still.
			if !c.inform(ctx) {
				return false
			}
			for k, v := range c.factor.Solve(pick(c.score, c.kept)) {
				c.beta[c.kept[k]] += v
			}
			return true
		case whole && farthest > 0.5 && c.iterations >= 12 && separates(c.y, c.eta, dense.Mul(ctx, c.trial, c.x, c.step)):
			return false
		}
		// A step with the information of an earlier place costs a fraction of one with
		// its own. It serves while moves are short and each far shorter than the last.
		fresh = !whole || farthest > 0.5 || !fresh && !shrinks
		last = farthest
	}
	return false
}

// inform takes the information X'WX of this place.
func (c *climb) inform(ctx context.Context) (ok bool) {
	factor, ok := dense.Factor(dense.Sub(dense.Gram(ctx, c.x, c.weight), c.kept))
	if ok {
		c.factor = factor
	}
	return ok
}

// roughly climbs as far as a place to start from needs: until the deviance gains
// less than chance would.
func (c *climb) roughly(ctx context.Context) {
	for range 12 {
		if !c.inform(ctx) {
			return
		}
		before := c.deviance
		if c.forward(ctx); !(before-c.deviance > 1) {
			return
		}
	}
}

// forward takes a Newton step, halved until the deviance does not rise, and
// returns the greatest move of the whole step and whether it was taken whole.
func (c *climb) forward(ctx context.Context) (farthest float64, whole bool) {
	c.step = spread(c.factor.Solve(pick(c.score, c.kept)), c.kept, c.x.P)
	before := c.deviance
	farthest = c.look(ctx, c.step)
	whole = true
	for range 40 {
		if ctx.Err() != nil {
			break // there is no better
		}
		// Near the optimum the deviance moves by rounding alone.
		if c.deviance <= before+1e-9*(math.Abs(before)+1) {
			break
		}
		whole = false
		for k := range c.step {
			c.step[k] /= 2
		}
		c.look(ctx, c.step)
	}
	c.accept(c.step)
	return farthest, whole
}

func (c *climb) fit() *Fit {
	f := &Fit{Rank: len(c.kept), Iterations: c.iterations, Deviance: c.deviance, kept: c.kept, beta: c.beta, factor: c.factor}
	return f.finish()
}

// Expit is 1/(1+exp(-x)), without overflow.
func Expit(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}
