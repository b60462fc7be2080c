package effect

import (
	"fmt"
	"math"
)

// ShareIn is the portion of the days of [clock, clock + Within) in the states,
// from 0 to 1: the union of spells, as in [DaysIn]. It is reached on the day that
// makes the portion AtLeast, or on the first such day where AtLeast is 0. While
// the window is open, the value is that of the days so far over the whole window.
type ShareIn struct {
	States  StateSet
	Within  Span
	AtLeast float64
}

// Unit is UnitPortion.
func (m ShareIn) Unit() Unit { return UnitPortion }

// Absence is false.
func (ShareIn) Absence() bool { return false }

// Watches are the days in States.
func (m ShareIn) Watches() []Watch { return []Watch{{States: m.States}} }

// Days is [clock, clock + Within).
func (m ShareIn) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is clock + Within.
func (m ShareIn) Closes(clock Date) Date { return clock.Add(m.Within) }

// Read counts the days.
func (m ShareIn) Read(s *Sight) Reading {
	from, to := m.Days(s.Clock)
	window := float64(to - from)
	// 0.7 x 10 days is a little over 7 in floating point.
	need := math.Ceil(m.AtLeast*window - 1e-9)
	total, reached := s.Days[0].Tally(from, to, max(1, int(need)))
	return reading(float64(total)/window, reached)
}

// Validate refuses no states, no window and a portion outside [0, 1].
func (m ShareIn) Validate() error {
	if m.Within.MaxDays() <= 0 || !(m.AtLeast >= 0 && m.AtLeast <= 1) {
		return fmt.Errorf("%w: share_in needs a window, and at_least between 0 and 1", ErrOutcome)
	}
	return checkWatched(m.States)
}
