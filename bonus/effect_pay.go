package bonus

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// effectLine is a line of an effect that waits to be paid: Holm judges all cells
// of a settlement together.
type effectLine struct {
	*draft
	key      figureKey
	row      *effect.BenchmarkRow
	measured map[effect.DiagnosticName]*effect.Diagnostic
	price    Ore

	why     []string // why it may not be paid on
	outside bool     // the provider does not meet the conditions
	paid    *big.Rat // the figure that is paid, as an improvement
	chance  *big.Rat
	pooled  *pooled // of all lines that stand in for each other
}

// payEffects judges the figures and gives the lines their quantities.
func (s *settler) payEffects() {
	adjusted := s.holm()
	for _, x := range s.effects {
		p, ok := adjusted[x.key]
		if !ok {
			p = math.NaN()
		}
		x.judge(p, s.facts.Acceptance)
		x.outside = len(s.lacks(x.terms, x.clause, place{x.Municipality, x.Provider}, x.period)) > 0
	}
	poolEffects(s.effects)
	for _, x := range s.effects {
		x.pay(s)
		s.drafts = append(s.drafts, x.draft)
	}
}

// holm adjusts the p of every rated figure behind the lines for all of them.
func (s *settler) holm() map[figureKey]float64 {
	out := map[figureKey]float64{}
	var keys []figureKey
	var p []float64
	for _, x := range s.effects {
		r := x.row
		if _, twice := out[x.key]; twice || r.Refusal != "" || r.Verdict == effect.NotRated || !(r.SE > 0) || !(r.DF > 0) || math.IsNaN(r.Difference) {
			continue
		}
		out[x.key] = math.NaN()
		keys, p = append(keys, x.key), append(p, interval.TwoSided(r.Difference/r.SE, r.DF))
	}
	adjusted, err := profile.Holm(p)
	for i, key := range keys {
		if err == nil { // a p outside 0 to 1 would be a fault of TwoSided: nothing passes then
			out[key] = effect.Round(adjusted[i])
		}
	}
	return out
}

// judge says whether a figure may be paid on, and which it is.
func (x *effectLine) judge(adjusted float64, acceptance *Acceptance) {
	d, row, clause := x.draft, x.row, x.clause
	var shut []string
	d.gate, shut = clause.Gate.judge(x.measured)
	if clause.Gate.Multiplicity == Holm {
		g := holmRow(adjusted, row.Confidence)
		d.gate = append(d.gate, g)
		if !g.Accepted {
			shut = append(shut, string(g.Diagnostic))
		}
	}
	var unaccepted bool
	if by := clause.Gate.Acceptance; by != nil {
		g := acceptance.row(by.Role)
		d.gate, unaccepted = append(d.gate, g), !g.Accepted
	}
	limit, _, _, _ := x.cautious()
	x.paid = figure(limit)
	if clause.PayOn == Point || clause.PayOn == Probability {
		x.paid = figure(row.Difference)
	}
	if clause.Measure.Better == Low && x.paid != nil {
		x.paid.Neg(x.paid)
	}
	x.chance = figure(clause.chance(row))
	switch {
	case row.Refusal != "":
		x.why = append(x.why, ReasonRefusal+":"+row.Refusal)
	case row.Verdict == effect.NotRated:
		x.why = append(x.why, ReasonNotRated)
	case x.paid == nil || row.NCompared < 0 || clause.PayOn == Probability && x.chance == nil:
		x.why = append(x.why, ReasonNoFigure)
	}
	if len(shut) > 0 {
		x.why = append(x.why, ReasonGate+":"+strings.Join(shut, ","))
	}
	if unaccepted {
		x.why = append(x.why, ReasonNotAccepted)
	}
}

// cautious is the limit of the interval towards no improvement, and what it and an
// improvement are called; worse says that it is a negative effect that counts.
func (x *effectLine) cautious() (limit float64, name, gain string, worse bool) {
	low, row := x.clause.Measure.Better == Low, x.row
	limit, name, gain = row.Low, "lower limit of the difference", "extra "
	if low {
		gain = "fewer "
	}
	// A negative effect counts by the limit that is nearest to none at all.
	worse = x.clause.Negative == NegativeCounts && x.clause.PayOn == LowerLimit && (!low && row.High < 0 || low && row.Low > 0)
	if low != worse {
		limit, name = row.High, "upper limit of the difference"
	}
	return limit, name, gain, worse
}

// pay gives a line that was judged its quantity and what that is worth.
func (x *effectLine) pay(s *settler) {
	d, row, clause, reasons := x.draft, x.row, x.clause, x.why
	limit, cautious, gain, worse := x.cautious()
	name := cautious
	if clause.PayOn == Point || clause.PayOn == Probability {
		name = "difference"
	}
	if clause.Measure.Better == Low && x.paid != nil {
		name = "-(" + name + ")"
	}
	unit := "citizens"
	if row.Unit != effect.UnitShare {
		unit = string(row.Unit)
	}
	what := gain + unit
	figures := []struct {
		what  string
		value float64
	}{
		{fmt.Sprintf("observed, all %d cases", row.N), row.Observed},
		{fmt.Sprintf("expected of the %d cases that have comparators", row.NCompared), row.Expected},
		{fmt.Sprintf("difference of those %d, %s part, by %s", row.NCompared, row.Part, row.Method), row.Difference},
		{fmt.Sprintf("%s, confidence %s", cautious, text(row.Confidence)), limit},
	}
	for _, f := range figures {
		d.step(f.what, text(f.value), string(row.Unit), d.Section)
	}
	if clause.PayOn == Probability {
		d.step(fmt.Sprintf("probability that the true improvement is above %s, where %s is asked for", clause.above(), clause.Probability), text(clause.chance(row)), "share", d.Section)
		if len(reasons) == 0 && x.chance.Cmp(clause.Probability.Rat()) < 0 {
			reasons = append(reasons, ReasonUnlikely)
		}
	}
	d.step("cases that have comparators", fmt.Sprint(row.NCompared), "citizens", d.Section)
	together := false
	if len(reasons) == 0 {
		var pays bool
		if pays, together = x.threshold(); !pays {
			reasons = append(reasons, ReasonUnder)
		}
	}
	quantity := new(big.Rat)
	d.Reason = strings.Join(reasons, "; ")
	if d.Reason != "" {
		d.step("not paid: "+d.Reason, "0", unit, d.Section)
		what = "paid for"
	} else {
		clip := " (not under 0)"
		switch {
		case together, clause.Negative == NegativeCounts && clause.PayOn == Point:
			clip = ""
		case clause.Negative == NegativeCounts:
			clip = " (0 where the interval holds 0)"
		}
		if x.paid.Sign() > 0 || worse || clip == "" {
			quantity.Mul(x.paid, new(big.Rat).SetInt64(row.NCompared))
		}
		what += " = " + name + clip + " x cases that have comparators"
	}
	if clause.Schedule.Pool != nil {
		s.intoPool(d, quantity, what, unit)
		d.withoutEffect(row)
		return
	}
	d.priced(quantity, x.price, what, unit)
	d.withoutEffect(row)
}

// withoutEffect notes what the line would pay a provider without any effect.
func (d *draft) withoutEffect(row *effect.BenchmarkRow) {
	chance, amount := d.clause.WithoutEffect(row.Figures)
	kroner, _ := new(big.Rat).Mul(d.UnitPrice.Rat(), d.times()).Float64()
	amount = effect.Round(amount * float64(row.NCompared) * kroner)
	if d.clause.Schedule.Pool != nil {
		amount = math.NaN() // what a share in a pool is worth, the others decide
	}
	d.notes = append(d.notes,
		Step{What: noteChanceWithout, Value: text(effect.Round(chance)), Unit: "share", Section: "pay_on"},
		Step{What: noteAmountWithout, Value: text(amount), Unit: "kr.", Section: "pay_on"},
	)
}

// WithoutEffect says what a clause pays where the true difference is 0 and the
// figure has the standard error s and the degrees of freedom v of f: the chance
// that something is paid, and the mean quantity for one case, in the outcome's
// unit. The estimate is then s T, with T of Student's t with v degrees of
// freedom, and what is paid is
//
//	lower_limit:  s max(0, T - c),            c the quantile of the interval
//	point:        s max(0, T)
//	probability:  s T where T >= k, else 0,   k = max(0, above/s + the quantile of probability)
//
// so that with the density g and the tail S of Student's t
//
//	E (T - c)+      = (v + c^2)/(v - 1) g(c) - c S(c)
//	E T [T >= k]    = (v + k^2)/(v - 1) g(k)
//
// and with a threshold c, 0 and k are at least where what is paid reaches it: in the first
// two rows (T - c) [T >= k] with k = c + at_least/s, at_least times what is expected where it
// is relative. With else_pooled the threshold is left out, since a line can be paid without
// reaching it: then both are the most that there can be.
//
// On the point that is about 0.4 standard errors. Where negative results count, what
// is paid and what is taken off have the same mean, and the mean is 0. The gate, Holm, the limit and
// rounding are left out: they can only make both less, but for rounding. Both
// are NaN without a standard error or the probability that is asked for, and the mean also unless v > 1, where it has
// no finite value.
func (c *Clause) WithoutEffect(f effect.Figures) (chance, mean float64) {
	s, v := f.SE, f.DF
	if !(s > 0) || !(v > 0) || math.IsInf(s, 0) || c.PayOn == Probability && c.Probability == nil {
		return math.NaN(), math.NaN()
	}
	from, off := 0.0, 0.0
	switch c.PayOn {
	case Probability:
		above, _ := c.aboveRat().Float64()
		p, _ := c.Probability.Rat().Float64()
		from = max(0, above/s+quantile(p, v))
	case Point:
	default:
		from = quantile((1+f.Confidence)/2, v)
		off = from
	}
	if t := c.Schedule.Threshold; t != nil && t.ElsePooled == nil {
		least, _ := t.AtLeast.Rat().Float64()
		if t.Relative {
			if f.Expected <= 0 {
				return 0, 0 // there is nothing that it is a share of, and so no payment
			}
			least *= f.Expected
		}
		from = max(from, off+least/s)
	}
	chance = tail(from, v)
	if !(v > 1) {
		return chance, math.NaN()
	}
	if c.Negative == NegativeCounts {
		return chance, 0
	}
	scale := 1.0 // its limit, where v is too large to tell
	if v < manyDF {
		scale = (v + float64(from*from)) / (v - 1)
	}
	return chance, s * (float64(scale*density(from, v)) - float64(off*chance))
}

// chance is the probability that the true improvement is above what the clause
// asks for, with the figure's difference, standard error and degrees of freedom
// in Student's t: P(T < (improvement - above)/SE). NaN without a figure, and for
// clauses that do not pay on it.
func (c *Clause) chance(row *effect.BenchmarkRow) float64 {
	if c.PayOn != Probability || !(row.SE > 0) || !(row.DF > 0) {
		return math.NaN()
	}
	improvement := row.Difference
	if c.Measure.Better == Low {
		improvement = -improvement
	}
	above, _ := c.aboveRat().Float64()
	return effect.Round(tail((above-improvement)/row.SE, row.DF))
}

// above is the improvement that must be probable, as it was written.
func (c *Clause) above() string {
	if c.Above == nil {
		return "0"
	}
	return c.Above.String()
}

func (c *Clause) aboveRat() *big.Rat {
	if c.Above == nil {
		return new(big.Rat)
	}
	return c.Above.Rat()
}

func (clause *Clause) checkProbability(c *checker, path string) {
	switch {
	case clause.PayOn != Probability:
		if clause.Probability != nil || clause.Above != nil {
			c.fault(path+".pay_on", "probability and above belong to pay_on: probability")
		}
	case clause.Probability == nil:
		c.fault(path+".pay_on", "give the probability that is asked for, as in probability: 0.9")
	case clause.Probability.Rat().Sign() <= 0 || clause.Probability.Rat().Cmp(big.NewRat(1, 1)) >= 0:
		c.fault(path+".probability", "%s is no probability to ask for: it lies between 0 and 1", clause.Probability)
	case clause.aboveRat().Sign() < 0:
		c.fault(path+".above", "%s is negative: a worse outcome is no improvement, also where less is better", clause.Above)
	}
}

// manyDF is a number of degrees of freedom from which on Student's t is taken as
// normal: they then differ by less than a part in ten million.
const manyDF = 1e7

// tail is P(T >= x) for Student's t with v degrees of freedom.
func tail(x, v float64) float64 {
	if x < 0 {
		return 1 - tail(-x, v)
	}
	return interval.TwoSided(x, v) / 2
}

// density is that of Student's t.
func density(x, v float64) float64 {
	if v >= manyDF {
		return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
	}
	a, _ := math.Lgamma((v + 1) / 2)
	b, _ := math.Lgamma(v / 2)
	return math.Exp(a-b-(v+1)/2*math.Log1p(x*x/v)) / math.Sqrt(v*math.Pi)
}

// quantile is the x with P(T < x) = p.
func quantile(p, v float64) float64 {
	switch {
	case p < 0.5:
		return -interval.StudentT(v, 1-2*p)
	case p > 0.5:
		return interval.StudentT(v, 2*p-1)
	}
	return 0
}
