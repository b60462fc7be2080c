package effect

import (
	"fmt"
	"math"
)

// Number is a numeric covariate of the case as its outcome, such as a mark or a
// saving that stands on the participation's row. It is known, and its window
// ends, KnownAfter after the clock; the person must be there until then. A case
// without the number is not analysed (ReasonNoValue). It is reached, on the day
// it is known, when it is AtLeast or more.
type Number struct {
	Column     string
	KnownAfter Span
	AtLeast    float64
}

// Unit is UnitNumber.
func (m Number) Unit() Unit { return UnitNumber }

// Absence is false.
func (Number) Absence() bool { return false }

// Watches is the number.
func (m Number) Watches() []Watch { return []Watch{{Of: OfNumber, Column: m.Column}} }

// Days is [clock, clock + KnownAfter).
func (m Number) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is clock + KnownAfter.
func (m Number) Closes(clock Date) Date { return clock.Add(m.KnownAfter) }

// Read takes the number.
func (m Number) Read(s *Sight) Reading {
	v := s.Numbers[0]
	switch {
	case math.IsNaN(v) && s.Closed:
		r := Unread()
		r.Reason, r.Unknown = ReasonNoValue, true
		return r
	case !s.Closed:
		return Unread()
	case v >= m.AtLeast:
		return reading(v, m.Closes(s.Clock))
	}
	return reading(v, NoDate)
}

// Validate refuses no column, a negative span and a threshold that is no number.
func (m Number) Validate() error {
	if m.Column == "" || m.KnownAfter.Months < 0 || m.KnownAfter.Days < 0 || math.IsNaN(m.AtLeast) || math.IsInf(m.AtLeast, 0) {
		return fmt.Errorf("%w: a number needs its column, and at_least must be a number", ErrOutcome)
	}
	return nil
}
