package bonus

import (
	"cmp"
	"math/big"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// Measure says what a clause counts. Exactly one of Reached and Effect is given.
//
// A new measure is a field here, its rules in check, a file that turns facts
// into drafts of lines (as reached.go and effects.go do) and a call of it in
// Settle.
type Measure struct {
	// Reached counts citizens who reached an outcome: each once per agreement
	// and clause, on the first day reached, whether or not the window is over.
	Reached string `yaml:"reached,omitempty" doc:"count the citizens who reached this outcome, each once per agreement"`
	// Effect counts what would not have happened without the provider: the
	// difference of a benchmark row times the cases it is about.
	Effect string `yaml:"effect,omitempty" doc:"count what was achieved in this outcome beyond what similar citizens achieve: extra citizens, or extra days for an outcome in days"`
	Part   Part   `yaml:"part,omitempty" doc:"of an effect: provider (against others in the municipality) or total (against the peer municipalities)"`
	Method string `yaml:"method,omitempty" doc:"of an effect: the method of estimation"`
	// Better says which way is an improvement. With Low, what is paid for is how
	// far the outcome lies below what similar citizens have: days on benefit saved.
	Better Better `yaml:"better,omitempty" doc:"of an effect: high (if left out) when more of the outcome is better, low when less is, as for days on benefit"`
	// Confidence is that of the interval whose limit is paid on, and of Holm. It is
	// filled in for an effect, and nil for a reached outcome. A narrower interval
	// pays more, so it is part of the terms, and no figure with another is paid on.
	Confidence *Decimal `yaml:"confidence,omitempty" doc:"of an effect: the confidence of its interval, above 0 and under 1; 0.95 if left out. The run file must have the same"`
}

// Outcome is the outcome that the measure is about.
func (m *Measure) Outcome() string { return m.Reached + m.Effect }

func (m *Measure) check(c *checker, path string, clause *Clause) {
	switch {
	case (m.Reached == "") == (m.Effect == ""):
		c.fault(path+".measure", "give one of reached and effect")
	case m.Effect != "":
		if m.Part == "" {
			c.fault(path+".measure", "an effect needs part: provider or total")
		}
		if m.Method == "" {
			c.fault(path+".measure", "an effect needs the method of estimation, as in method: regression")
		}
		if clause.PayOn == "" {
			clause.PayOn = LowerLimit
		}
		m.Better = cmp.Or(m.Better, High)
		if m.Confidence == nil {
			m.Confidence = &Decimal{defaultConfidence}
		}
		if r := m.Confidence.Rat(); r.Sign() <= 0 || r.Cmp(big.NewRat(1, 1)) >= 0 {
			c.fault(path+".measure.confidence", "%s is no confidence: it lies above 0 and under 1", m.Confidence)
		}
		if clause.Gate == nil {
			c.fault(path+".measure", "an effect is paid only through a gate: give the clause one, as in gate: {require: {n: 30}}")
		} else {
			clause.Gate.check(c, path+".gate", m.Part)
		}
		clause.checkProbability(c, path)
	default:
		if m.Part != "" || m.Method != "" || m.Better != "" || m.Confidence != nil {
			c.fault(path+".measure", "part, method, better and confidence belong to an effect")
		}
		if clause.PayOn != "" || clause.Probability != nil || clause.Above != nil {
			c.fault(path+".pay_on", "pay_on belongs to an effect: a reached outcome is counted, not estimated")
		}
		if clause.Gate != nil {
			c.fault(path+".gate", "a gate belongs to an effect: a reached outcome is counted, not estimated")
		}
	}
}

// defaultConfidence is that of an effect, if the terms do not say.
const defaultConfidence = "0.95"

// hasConfidence says whether a figure's interval has the confidence of the
// measure, both with the digits of the tables.
func (m *Measure) hasConfidence(x float64) bool {
	want, _ := m.Confidence.Rat().Float64()
	given := figure(x)
	return given != nil && given.Cmp(figure(want)) == 0
}

// Better says which way of an outcome is an improvement.
type Better = profile.Better

// The ways. High is meant where terms say nothing.
const (
	High = profile.High
	Low  = profile.Low
)

// PayOn says which figure of an uncertain effect is paid.
type PayOn string

// What can be paid on. Paying on the point pays about 0.4 standard errors to a
// provider without any effect.
const (
	LowerLimit PayOn = "lower_limit" // the cautious limit: where less is better, the upper one
	Point      PayOn = "point"
	// Probability pays the point where the true improvement lies above a level with
	// at least a stated probability, by Student's t, and else nothing.
	Probability PayOn = "probability"
)

// Names lists what can be paid on.
func (PayOn) Names() []string {
	return []string{string(LowerLimit), string(Point), string(Probability)}
}

// Part is a part of a difference that a provider can be paid for. What the
// municipality adds is none.
type Part effect.Part

// Names lists the parts.
func (Part) Names() []string { return []string{string(effect.Provider), string(effect.Total)} }
