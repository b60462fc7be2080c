package survival

import (
	"math"
	"slices"
	"sort"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Curve is the chance of every state by day. It belongs to the caller.
type Curve struct {
	// Steps are the days on which anybody left or was censored, ascending.
	Steps   []Step
	options Options
	causes  int
	sure    bool        // two persons or more, so that there is a standard error
	area    [][]float64 // by step and state: days spent in the state until then
	cov     [][]float64 // by step: covariance of the coordinates, packed by rows
	gross   [][]float64 // by step: their standard deviations, were all rows persons of their own
}

// Step is one day of a curve.
type Step struct {
	Day      int32
	AtRisk   float64   // not gone before the day: cases, or their weight
	Events   []float64 // exits on the day by cause; cause k stands at k-1
	Censored float64   // on the day, after its exits
	// States are the chances at the end of the day: 0 of still waiting (the
	// survival curve), k of having left by cause k. They sum to 1.
	States []Figure
}

// Survival is the chance of not having left by the end of the day.
func (s Step) Survival() Figure { return s.States[0] }

// KaplanMeier is the curve of leaving by any cause: state 0 is the Kaplan-Meier
// estimate with Greenwood's standard error, state 1 its complement. Causes are
// put together, never treated as censorings.
//
// It is a *effect.Refusal where there are no cases, columns differ in length, a
// time is negative or too long, a cause is not declared, a weight is missing,
// negative or infinite, or the options have no meaning. With one person there is
// an estimate without standard error. At 0 and 1, and where the standard error
// is 0, there are no limits. The standard error at S = 0 is 0, as that of a share. Source: kaplanmeier1958,
// greenwood1926.
func KaplanMeier(d Data, o Options) (*Curve, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Causes > 1 {
		d.Cause = slices.Clone(d.Cause)
		for i := range d.Cause {
			d.Cause[i] = min(d.Cause[i], 1)
		}
		d.Causes = 1
	}
	return AalenJohansen(d, o)
}

// AalenJohansen is the curve of leaving by each of competing causes: state k is
// the cumulative incidence of cause k. It refuses what KaplanMeier refuses, and
// has its values in the same cases; state 0 is the same. A cause without exits
// has the chance 0, without limits. Source: aalenjohansen1978.
func AalenJohansen(d Data, o Options) (*Curve, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return newTally(d).curve(o), nil
}

// What one row contributes to every figure of the curve (its influence, per
// unit of weight) is linear in 2K+2 coordinates that stay as they are once the
// row has left:
//
//	u(S, t)             = a S(t)
//	u(F_k, t)           = a F_k(t) + c_k
//	u(days in 0 to t)   = a A_0(t) + b_0            A_s(t): mean days in s to t
//	u(days in k to t)   = a A_k(t) + c_k t + b_k
//
// and that move together for all who are at risk. So the covariance over persons
// follows from sums: M over what has left, N and Q over what is at risk. The
// whole is linear in the number of rows.
type coordinates struct{ causes int }

func (c coordinates) size() int   { return 2*c.causes + 2 }
func (c coordinates) c(k int) int { return k }                // k from 1
func (c coordinates) b(s int) int { return c.causes + 1 + s } // s from 0
func (t *tally) curve(o Options) *Curve {
	k, at := t.causes, coordinates{t.causes}
	width, size, steps := k+1, at.size(), len(t.days)
	out := &Curve{Steps: make([]Step, steps), options: o, causes: k, sure: t.persons > 1}

	// At risk and staying, added up from the end: differences would not be exact.
	risk, stay := make([]float64, steps), make([]float64, steps)
	singles := make([]float64, steps+1) // squared weight of persons with one row, at risk
	later := 0.0
	for j := steps - 1; j >= 0; j-- {
		stay[j] = later + t.weight[j*width]
		risk[j] = stay[j]
		singles[j] = singles[j+1]
		for s := range width {
			if s > 0 {
				risk[j] += t.weight[j*width+s]
			}
			singles[j] += t.square[j*width+s]
		}
		later = risk[j]
	}

	p, area, moved := make([]float64, width), make([]float64, width), make([]float64, width)
	p[0] = 1
	g := make([]float64, size) // coordinates of those at risk
	leave := make([][]float64, width)
	for s := range leave {
		leave[s] = make([]float64, size)
	}
	m, n, q := make([]float64, size*size), make([]float64, size), 0.0
	rows, waiting := make([]float64, size), 0.0  // the diagonal of m, and q, were all rows persons of their own
	gone := make([]float64, len(t.cluster)*size) // of persons with several rows: what has left
	left := slices.Clone(t.cluster)              // and the weight at risk
	for _, w := range left {
		q += w * w
	}
	for _, r := range t.repeat {
		waiting += r.weight * r.weight
	}
	flat := make([]float64, steps*width)
	events := make([]float64, steps*k)
	figures := make([]Figure, steps*width)
	packed := size * (size + 1) / 2
	cov, gross := make([]float64, steps*packed), make([]float64, steps*size)
	rest, last := t.repeat, int32(0)
	for j, day := range t.days {
		for s := range width {
			area[s] += p[s] * float64(day-last)
		}
		last = day
		before, d := p[0], 0.0
		for s := 1; s < width; s++ {
			d += t.weight[j*width+s]
			moved[s] = before * (t.weight[j*width+s] / risk[j])
			p[s] += moved[s]
		}
		if p[0] = before * (stay[j] / risk[j]); stay[j] == 0 {
			p[0] = 0
		}
		// jump is what the day adds to the coordinates of a row at risk that stays
		// (cause 0) or leaves by a cause.
		jump := func(cause int, da float64, to []float64) {
			copy(to, g)
			to[0] += da
			to[at.b(0)] -= da * area[0]
			for s := 1; s < width; s++ {
				dc := -moved[s]/risk[j] - da*p[s]
				if s == cause {
					dc += before / risk[j]
				}
				to[at.c(s)] += dc
				to[at.b(s)] -= da*area[s] + dc*float64(day)
			}
		}
		for s := 1; s < width; s++ {
			jump(s, -1/risk[j], leave[s])
		}
		if clear(leave[0]); stay[j] > 0 {
			jump(0, d/(risk[j]*stay[j]), leave[0])
		}
		copy(g, leave[0])

		went := func(s int, square float64) {
			for a, x := range leave[s] {
				rows[a] += square * x * x
			}
		}
		for s := range width {
			outer(m, t.square[j*width+s], leave[s], leave[s])
			went(s, t.square[j*width+s])
		}
		for ; len(rest) > 0 && rest[0].day == day; rest = rest[1:] {
			r := rest[0]
			x, w, theta := gone[int(r.person)*size:][:size], left[r.person], leave[r.cause]
			outer(m, r.weight, x, theta)
			outer(m, r.weight, theta, x)
			outer(m, r.weight*r.weight, theta, theta)
			for a := range x {
				n[a] -= w * x[a]
				x[a] += r.weight * theta[a]
				n[a] += (w - r.weight) * x[a]
			}
			went(int(r.cause), r.weight*r.weight)
			waiting -= r.weight * r.weight
			left[r.person] -= r.weight
			q += left[r.person]*left[r.person] - w*w
		}
		v := cov[j*packed:][:0:packed]
		for a := range size {
			for b := range a + 1 {
				v = append(v, m[a*size+b]+n[a]*g[b]+g[a]*n[b]+(singles[j+1]+q)*g[a]*g[b])
			}
		}
		out.cov = append(out.cov, v)
		for a, x := range rows {
			gross[j*size+a] = math.Sqrt(x + max(singles[j+1]+waiting, 0)*g[a]*g[a])
		}
		out.gross = append(out.gross, gross[j*size:][:size])
		copy(flat[j*width:], area)
		out.area = append(out.area, flat[j*width:][:width])
		copy(events[j*k:], t.weight[j*width+1:][:k])
		step := Step{Day: day, AtRisk: risk[j], Events: events[j*k:][:k:k], Censored: t.weight[j*width], States: figures[j*width:][:width:width]}
		for s := range width {
			gradient := make([]float64, size)
			gradient[0] = p[s]
			if s > 0 {
				gradient[at.c(s)] = 1
			}
			step.States[s] = o.probability(min(p[s], 1), out.se(j, gradient))
		}
		out.Steps[j] = step
	}
	return out
}

// outer adds f x y' to a square matrix by rows.
func outer(m []float64, f float64, x, y []float64) {
	if f == 0 {
		return
	}
	for a := range x {
		for b := range y {
			m[a*len(x)+b] += f * x[a] * y[b]
		}
	}
}

// se is the standard error, after step j, of a figure with this gradient over
// the coordinates.
func (c *Curve) se(j int, gradient []float64) float64 {
	if !c.sure {
		return math.NaN()
	}
	v, size, i := 0.0, 0.0, 0
	for a, x := range gradient {
		size += math.Abs(x) * c.gross[j][a]
		for b, y := range gradient[:a+1] {
			term := x * y * c.cov[j][i]
			if a != b {
				term *= 2
			}
			v += term
			i++
		}
	}
	if !(v > 1e-13*size*size) { // what is left is rounding
		return 0
	}
	return math.Sqrt(v)
}

// step is the number of the last step on or before a day, -1 where there is
// none; known is false on days after the last step while some had not left.
func (c *Curve) step(day int32) (j int, known bool) {
	j = sort.Search(len(c.Steps), func(i int) bool { return c.Steps[i].Day > day }) - 1
	return j, j < len(c.Steps)-1 || c.Steps[j].Day == day || c.Steps[j].States[0].Value == 0
}

// At is the chance of a state (0 waiting, k gone by cause k) at the end of a
// day. Before the first step state 0 has the chance 1, without limits. Past the
// last day of follow-up all is NaN, unless everybody has left. A state that does
// not exist and a negative day are NaN.
func (c *Curve) At(state int, day int32) Figure {
	if state < 0 || state > c.causes || day < 0 {
		return unknown()
	}
	j, known := c.step(day)
	switch {
	case !known:
		return unknown()
	case j < 0:
		return c.start(state)
	}
	return c.Steps[j].States[state]
}

// start is the chance of a state before the first step.
func (c *Curve) start(state int) Figure {
	f := Figure{0, 0, math.NaN(), math.NaN()}
	if state == 0 {
		f.Value = 1
	}
	if !c.sure {
		f.SE = math.NaN()
	}
	return f
}

// AtRisk is how many (or what weight) had not left before a day; 0 past the
// last step.
func (c *Curve) AtRisk(day int32) float64 {
	j := sort.Search(len(c.Steps), func(i int) bool { return c.Steps[i].Day >= day })
	if j == len(c.Steps) {
		return 0
	}
	return c.Steps[j].AtRisk
}

// Median is Quantile(0.5).
func (c *Curve) Median() Figure { return c.Quantile(0.5) }

// Quantile is the day by which a share (between 0 and 1) has left: the first
// step with S <= 1 - share, or where S equals it to 1.5e-8, the middle of the
// days on which it does. Low and High are where the lower and upper limit of S
// do so: the days that the interval of S does not exclude. There is no standard
// error. What the curve or a limit does not reach is NaN, as is all for a share
// outside 0 to 1. Source: brookmeyercrowley1982.
func (c *Curve) Quantile(share float64) Figure {
	out := unknown()
	if !(share > 0 && share < 1) {
		return out
	}
	out.Value = c.crossing(1-share, func(f Figure) float64 { return f.Value })
	out.Low = c.crossing(1-share, func(f Figure) float64 { return f.Low })
	out.High = c.crossing(1-share, func(f Figure) float64 { return f.High })
	return out
}

func (c *Curve) crossing(level float64, of func(Figure) float64) float64 {
	const near = 1.4901161193847656e-08 // square root of the machine's epsilon, as in survival
	for i := range c.Steps {
		y := of(c.Steps[i].States[0])
		if !(y < level+near) { // NaN is not below
			continue
		}
		day := float64(c.Steps[i].Day)
		if math.Abs(y-level) < near {
			for _, s := range c.Steps[i+1:] {
				if of(s.States[0]) < y {
					return (day + float64(s.Day)) / 2
				}
			}
		}
		return day
	}
	return math.NaN()
}

// RestrictedTime is the mean number of days spent in a state from day 0 to the
// horizon, the integral of its chance: for state 0 the restricted mean time
// until leaving, for state k the mean time lost to cause k. Over all states it
// sums to the horizon. The interval is the normal one; there is none where the
// standard error is 0. It is a *effect.Refusal
// for a state that does not exist, a negative horizon, and one past the
// follow-up while some had not left. With one person there is no standard error.
// Source: irwin1949, andersen2013.
func (c *Curve) RestrictedTime(state int, horizon int32) (Figure, error) {
	if state < 0 || state > c.causes {
		return Figure{}, &effect.Refusal{Code: RefusalState, Why: "the curve has no such state", Cure: "0 is waiting, 1 to the number of causes are the causes"}
	}
	j, known := c.step(horizon)
	if horizon < 0 || !known {
		return Figure{}, &effect.Refusal{Code: RefusalFollowUp, Why: "nobody is followed to the horizon", Cure: "choose a horizon within the follow-up"}
	}
	if j < 0 {
		f := c.start(state)
		f.Value *= float64(horizon)
		return f, nil
	}
	at := coordinates{c.causes}
	area := c.area[j][state] + c.Steps[j].States[state].Value*float64(horizon-c.Steps[j].Day)
	gradient := make([]float64, at.size())
	gradient[0], gradient[at.b(state)] = area, 1
	if state > 0 {
		gradient[at.c(state)] = float64(horizon)
	}
	return normal(area, c.se(j, gradient), c.options.Confidence), nil
}
