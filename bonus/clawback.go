package bonus

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Clawback takes back what was paid for a citizen who relapses. For each entry that
// was paid, with the case that reached it in Reached on or after the day of the
// event, there is an entry of minus Share times its quantity: on the day of the
// relapse, or on the day of payment where that is later, as of an instalment. It
// stands in a line of its own (clause id and ".clawback") at the price that was
// paid, of the provider who was credited, in the settlement period of its day. The
// outcome may be of a kind that nothing is paid on, such as relapse.
type Clawback struct {
	Section string       `yaml:"section" doc:"section of the source that says so"`
	Reached string       `yaml:"reached" doc:"the outcome whose reaching takes the payment back, as a relapse"`
	Share   *Decimal     `yaml:"share,omitempty" doc:"how much is taken back, above 0 and at most 1; 1 if left out"`
	Within  *effect.Span `yaml:"within,omitempty" doc:"the last day of a relapse that takes back is the event plus this time; left out: any"`
}

// clawbackSuffix follows the id of a clause in the lines that take back.
const clawbackSuffix = ".clawback"

func (b *Clawback) check(c *checker, path string, clause *Clause) {
	if b == nil {
		return
	}
	if b.Share == nil {
		b.Share = &Decimal{"1"}
	}
	if r := b.Share.Rat(); r.Sign() <= 0 || r.Cmp(big.NewRat(1, 1)) > 0 {
		c.fault(path+".share", "%s is no share to take back: it lies above 0 and is at most 1", b.Share)
	}
	if m := &clause.Measure; b.Reached == m.Reached || slices.Contains(m.Or, b.Reached) {
		c.fault(path+".reached", "%s is what is paid for: all of it would be taken back at once", b.Reached)
	}
	if !clause.Measure.OfCases() {
		c.fault(path, "clawback takes back what was paid for single cases, and this clause is about a figure of many")
	}
}

// takeBack adds the entries that take back. The entries that it is given are paid.
func (s *settler) takeBack(entries []entry) ([]entry, error) {
	for _, x := range entries[:len(entries):len(entries)] {
		b := s.clauseOf(x).Clawback
		if b == nil {
			continue
		}
		r, _ := s.obs.Result(b.Reached)
		on := r.ReachedOn[x.by]
		switch {
		case r.Status[x.by] != effect.Reached || on == effect.NoDate || on > s.obs.AsOf, on < x.since:
			continue
		case b.Within != nil && on > x.since.Add(*b.Within):
			continue
		}
		share, err := newFraction(b.Share.Rat())
		if err == nil {
			x.quantity, err = x.quantity.times(share)
		}
		if err != nil {
			return nil, err
		}
		x.quantity = x.quantity.neg()
		x.paid, x.on, x.takenBack = x.on, max(on, x.on), true
		entries = append(entries, x)
	}
	return entries, nil
}

// takesBack makes the line one of the clawback of its clause.
func (d *draft) takesBack(version int) {
	b := d.clause.Clawback
	d.Clause += clawbackSuffix
	d.Outcome, d.Section = b.Reached, b.Section
	d.Text = fmt.Sprintf("What is taken back where %s is reached: %s", b.Reached, d.clause.Text)
	d.complete(version)
}

// Negative says what becomes of an effect that is worse than expected.
type Negative string

// NegativeCounts takes something off for it; otherwise it pays nothing. On the point,
// the quantity is then the negative difference; on the lower limit, it is the limit of
// the interval that is nearest to 0 where the whole interval is worse than none, and 0
// where it holds 0, so that doubt is nobody's loss.
const NegativeCounts Negative = "counts"

// Names lists what can become of it.
func (Negative) Names() []string { return []string{string(NegativeCounts)} }

func (clause *Clause) checkNegative(c *checker, path string, v *Version) {
	if clause.Negative == "" {
		return
	}
	if clause.Measure.Effect == "" {
		c.fault(path+".negative", "negative belongs to an effect")
		return
	}
	if clause.PayOn == Probability {
		c.fault(path+".negative", "pay_on: probability asks for a probable improvement, and a negative effect is none: pay on the lower limit or the point")
		return
	}
	for _, l := range v.Limits {
		if l.Least != nil {
			return
		}
	}
	c.fault(path+".negative", "a negative effect counts only where the version says what becomes of a negative sum: add a limit with least, as in limits: [{section, per: provider, over: period, least: 0, carry_forward: true}]")
}
