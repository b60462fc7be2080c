package bonus

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// Measure says what a clause counts. Exactly one of Referred, Started, Reached,
// Sum, Effect and Score is given. The first four count cases, and make entries; an
// effect and a score are one figure of many cases.
//
// A new measure of cases is a field here, its rules in check and what it finds in
// find. One of figures is a field here, its rules in check, a file that turns
// facts into drafts of lines (as effect_lines.go does) and a call of it in Settle.
type Measure struct {
	// Referred and Started count citizens by the day of referral, and by the day on
	// which the course began.
	Referred bool `yaml:"referred,omitempty" doc:"true: count the citizens who were referred, on the day of the referral"`
	Started  bool `yaml:"started,omitempty" doc:"true: count the citizens who started, on the first day of the course"`
	// Reached counts citizens who reached an outcome: each once per agreement
	// and clause, on the first day reached, whether or not the window is over.
	Reached string `yaml:"reached,omitempty" doc:"count the citizens who reached this outcome, each once per agreement"`
	// Or are outcomes that count like Reached: what is reached first counts.
	Or []string `yaml:"or,omitempty" doc:"of a reached outcome: others that count as well; the first that is reached counts"`
	// Sum adds up what the outcome counts. Single weeks count as they come, in the
	// settlement period of their last day; any other sum counts once, on the last
	// day of its window, when that is complete.
	Sum string `yaml:"sum,omitempty" doc:"add up what this outcome counts: days, hours, kroner, or weeks as they come"`
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
	// Score is one number for a provider and a settlement period.
	Score *Score `yaml:"score,omitempty" doc:"one number for each provider and settlement period, made of figures, counts of reached outcomes and effects"`
}

// Outcome is the outcome that the measure is about, the first of several; "" for
// a measure that needs none.
func (m *Measure) Outcome() string { return m.Reached + m.Sum + m.Effect }

// Outcomes are all outcomes that the measure needs.
func (m *Measure) Outcomes() []string {
	if m.Score != nil {
		return m.Score.outcomes()
	}
	if m.Outcome() == "" {
		return nil
	}
	return append([]string{m.Outcome()}, m.Or...)
}

// outcomes names the outcomes of the measure in a sentence.
func (m *Measure) outcomes() string { return strings.Join(m.Outcomes(), " or ") }

// OfCases says whether the measure counts cases one by one, rather than being a
// figure of many.
func (m *Measure) OfCases() bool { return m.Effect == "" && m.Score == nil }

// find is what a case has of the measure: the rule that its outcomes alone give
// it, and the day on which it counts.
func (m *Measure) find(s *settler, i int32) (rule string, reason effect.Reason, on effect.Date) {
	asOf := s.obs.AsOf
	switch {
	case m.Referred || m.Started:
		on, rule = s.cases.Referral[i], RuleCounted
		if m.Started {
			if on = effect.NoDate; s.cases.Start != nil {
				on = s.cases.Start[i]
			}
			if rule = RuleNotStarted; on != effect.NoDate {
				rule = RuleCounted
			}
		}
		if why := s.cohortReason(i); why != effect.NoReason {
			return RuleExcluded, why, asOf
		}
		if rule == RuleCounted && on > asOf {
			rule = RulePending
		}
	case m.Sum != "":
		return m.findSum(s, i)
	default:
		for k := range 1 + len(m.Or) {
			name := m.Outcome()
			if k > 0 {
				name = m.Or[k-1]
			}
			r, _ := s.obs.Result(name)
			if other := m.rule(r, i, asOf); k == 0 || better(other, r.ReachedOn[i], rule, on) {
				rule, reason, on = other, r.Reason[i], r.ReachedOn[i]
			}
		}
	}
	if rule != RuleCounted || m.Effect != "" {
		on = asOf
	}
	return rule, reason, on
}

// better says whether what one outcome says of a case comes before what another
// says: reached before not, the earlier day before the later, and an outcome that
// can still be reached before one that cannot.
func better(rule string, on effect.Date, other string, than effect.Date) bool {
	rank := func(rule string) int {
		return slices.Index([]string{RuleCounted, RulePending, RuleNotFollowed, RuleNotReached, RuleLeft, RuleExcluded}, rule)
	}
	return cmp.Or(cmp.Compare(rank(rule), rank(other)), cmp.Compare(on, than)) < 0
}

func (m *Measure) check(c *checker, path string, clause *Clause) {
	given := 0
	for _, is := range []bool{m.Referred, m.Started, m.Reached != "", m.Sum != "", m.Effect != "", m.Score != nil} {
		if is {
			given++
		}
	}
	if len(m.Or) > 0 && m.Reached == "" {
		c.fault(path+".measure.or", "or belongs to a reached outcome")
	}
	for i, name := range m.Or {
		if name == m.Reached || slices.Contains(m.Or[:i], name) {
			c.fault(fmt.Sprintf("%s.measure.or[%d]", path, i), "%s stands twice", name)
		}
	}
	switch {
	case given != 1:
		c.fault(path+".measure", "give one of referred, started, reached, sum, effect and score")
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
	case m.Score != nil:
		m.Score.check(c, path+".measure.score", clause)
	default:
		if m.Part != "" || m.Method != "" || m.Better != "" || m.Confidence != nil {
			c.fault(path+".measure", "part, method, better and confidence belong to an effect")
		}
		if clause.PayOn != "" || clause.Probability != nil || clause.Above != nil {
			c.fault(path+".pay_on", "pay_on belongs to an effect: cases are counted, not estimated")
		}
		if clause.Gate != nil {
			c.fault(path+".gate", "a gate belongs to an effect: cases are counted, not estimated")
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
