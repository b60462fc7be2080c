package bonus

import (
	"github.com/jobeffekt/jobeffekt/effect"
)

// Booking is the calendar by which what the terms pay is booked, and who must
// accept it. Terms without one can be settled, and nothing of it can be booked.
//
// Spans are counted in calendar months and clipped to the month's end, then in
// days: 12 months after 30 June is 30 June, 45 days after 31 December is 14
// February.
type Booking struct {
	Section    string      `yaml:"section" doc:"section of the source that says when what is paid, and until when it can be corrected"`
	AcceptedBy string      `yaml:"accepted_by" doc:"role of whoever must accept what is booked, somebody other than who prepared it"`
	PayWithin  effect.Span `yaml:"pay_within" doc:"what is booked is to be paid so long after the last day of its settlement period, as in 45 days"`
	Objection  effect.Span `yaml:"objection" doc:"the provider can object so long after the day of the booking"`
	Final      effect.Span `yaml:"final" doc:"what was booked for a settlement period is corrected up to so long after its last day, and no longer"`
	Limitation effect.Span `yaml:"limitation" doc:"a claim for a settlement period lapses so long after its last day: what has not been booked by then is shown and not paid"`
	// Corrections says what becomes of what a provider owes.
	Corrections Corrections `yaml:"corrections" doc:"what becomes of a sum that corrections leave the provider owing: set_off (in the next settlement period) or claim (from the provider)"`
}

// Corrections says what becomes of what a provider owes after corrections.
type Corrections string

// What can become of it.
const (
	SetOff Corrections = "set_off" // it is taken off what is due in the next period
	Claim  Corrections = "claim"   // it is claimed at once
)

// Names lists what can become of it.
func (Corrections) Names() []string { return []string{string(SetOff), string(Claim)} }

// Deadlines are the dates of one settlement period. Each is the last day on which
// what it is about can be done.
type Deadlines struct {
	PaymentDue     effect.Date // what is booked is to be paid by then
	ObjectionUntil effect.Date // the provider can object until then
	Final          effect.Date // what was booked is corrected until then
	Limitation     effect.Date // a claim lapses after it
}

// Deadlines works out the dates of a settlement period that is booked on a day:
// the last day of the period plus pay_within, final and limitation, and the day
// of the booking plus objection.
func (b *Booking) Deadlines(p effect.Period, bookedOn effect.Date) Deadlines {
	last := p.End - 1
	return Deadlines{
		PaymentDue: last.Add(b.PayWithin), ObjectionUntil: bookedOn.Add(b.Objection),
		Final: last.Add(b.Final), Limitation: last.Add(b.Limitation),
	}
}

// check finds spans that contradict each other in any settlement period of the
// agreement: a period that is booked on the day on which it is to be paid must
// still be open to objections on the day of its final closing.
func (b *Booking) check(c *checker) {
	const path = "settlement"
	for on := c.t.Starts; on < c.t.Ends; {
		p := c.t.Periods.Period(on)
		on = p.End
		last := p.End - 1
		d := b.Deadlines(p, last.Add(b.PayWithin))
		if d.Final < d.ObjectionUntil {
			c.fault(path+".final", "%s is finally closed on %s, before objections to what is booked on %s, when it is to be paid, end on %s: give a longer final, or shorter pay_within and objection", p.Name, d.Final, d.PaymentDue, d.ObjectionUntil)
		}
		if d.Limitation < d.Final {
			c.fault(path+".limitation", "claims of %s lapse on %s, before it is finally closed on %s: give a longer limitation or a shorter final", p.Name, d.Limitation, d.Final)
		}
		if d.Final < d.ObjectionUntil || d.Limitation < d.Final {
			return // the other periods would say the same
		}
	}
}

// Balance is a sum that a provider carries from one settlement to the next under
// an agreement: negative for what a later settlement takes off.
type Balance struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	Provider  string `col:"provider_id" doc:"provider"`
	Amount    Ore    `col:"amount_ore" doc:"what is carried, in ore; negative for what is taken off later"`
}

// CarriedClause stands for a clause in the lines by which a limit carries a sum from
// one settlement period to the next.
const CarriedClause = carriedClause

// Reading is the hash of a version as it reads, of [Terms.Canonical] without regard
// to when it ends. Two terms files in which a version has the same reading pay the
// same by it. It is "" for an index that no version has.
func (t *Terms) Reading(version int) string {
	if !t.has(version) {
		return ""
	}
	return t.hash(version, t.Versions[version].ValidFrom)
}
