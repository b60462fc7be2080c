package effect

import (
	"fmt"
	"math"
)

// AmountIn is the hours or kroner that the spells in the states amount to within
// [clock, clock + Within). Spells that overlap add up, so a spell that the data
// hold twice counts twice. An hour a week is a seventh of an hour on each day; a
// spell's kroner fall on its days in equal parts (see [Spells]). It is reached on
// the day that makes AtLeast (0 is taken as any amount). A spell of an unknown
// amount counts for nothing, and the case as not followed.
type AmountIn struct {
	States  StateSet
	Of      Quantity // OfHours or OfKroner
	Within  Span
	AtLeast float64 // hours or kroner
}

// Unit is UnitHours or UnitKroner.
func (m AmountIn) Unit() Unit {
	if m.Of == OfHours {
		return UnitHours
	}
	return UnitKroner
}

// Absence is false.
func (AmountIn) Absence() bool { return false }

// Watches are the amounts of States.
func (m AmountIn) Watches() []Watch { return []Watch{{States: m.States, Of: m.Of}} }

// Days is [clock, clock + Within).
func (m AmountIn) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is clock + Within.
func (m AmountIn) Closes(clock Date) Date { return clock.Add(m.Within) }

// Read adds the days up.
func (m AmountIn) Read(s *Sight) Reading {
	from, to := m.Days(s.Clock)
	// Half an hour or krone may be a little over in floating point.
	need := max(1, int64(math.Ceil(m.AtLeast*m.Of.scale()-1e-6)))
	total, reached := s.Amounts[0].Tally(from, to, need)
	r := reading(float64(total)/m.Of.scale(), reached)
	r.Unknown = s.Amounts[0].Untold(from, to)
	return r
}

// Validate refuses no states, no window, and a threshold below 0 or without
// bounds.
func (m AmountIn) Validate() error {
	if !m.Of.amounts() || m.Within.MaxDays() <= 0 || !(m.AtLeast >= 0 && m.AtLeast <= MaxAmount) {
		return fmt.Errorf("%w: hours_in and earnings_in need a window, and at_least between 0 and %g", ErrOutcome, MaxAmount)
	}
	return checkWatched(m.States)
}
