package effect

import (
	"fmt"
	"iter"
	"slices"
)

// WeeksIn counts weeks of 7 days from the clock, whole ones within [clock, clock +
// Within), that have at least MinDays days in the states (0 is taken as 1), no day
// in Without, and a day in Beside where it is given. A week counts once it has
// ended by as_of. The outcome is reached on the last day of the week that makes
// AtLeast weeks (0 is taken as 1).
type WeeksIn struct {
	States  StateSet
	MinDays int
	Without StateSet
	Beside  StateSet
	Within  Span
	AtLeast int
}

// Unit is UnitWeeks.
func (m WeeksIn) Unit() Unit { return UnitWeeks }

// Absence is false: a week needs a day in the states.
func (WeeksIn) Absence() bool { return false }

// Watches are the days in States, in Without and in Beside.
func (m WeeksIn) Watches() []Watch {
	return []Watch{{States: m.States}, {States: m.Without}, {States: m.Beside}}
}

// Days is [clock, clock + Within).
func (m WeeksIn) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is clock + Within.
func (m WeeksIn) Closes(clock Date) Date { return clock.Add(m.Within) }

// Read counts the weeks.
func (m WeeksIn) Read(s *Sight) Reading {
	weeks, reached := 0, NoDate
	for last := range m.weeks(s) {
		weeks++
		if weeks == max(1, m.AtLeast) {
			reached = last
		}
	}
	return reading(float64(weeks), reached)
}

// Dates are the last days of the weeks that count.
func (m WeeksIn) Dates(s *Sight, on []Date) []Date { return slices.AppendSeq(on, m.weeks(s)) }

// weeks yields the last day of each week that counts.
func (m WeeksIn) weeks(s *Sight) iter.Seq[Date] {
	return func(yield func(Date) bool) {
		for from, end := s.Clock, min(m.Closes(s.Clock), s.End); from+7 <= end; from += 7 {
			// The weeks before the next marked day have none.
			day := s.Days[0].First(from, end)
			if day == NoDate {
				return
			}
			if from += (day - from) / 7 * 7; from+7 > end {
				return
			}
			to := from + 7
			switch {
			case s.Days[0].Count(from, to) < max(1, m.MinDays):
			case s.Days[1].First(from, to) != NoDate:
			case m.Beside != 0 && s.Days[2].First(from, to) == NoDate:
			case !yield(to - 1):
				return
			}
		}
	}
}

// Validate refuses no states, a window shorter than a week, days that no week
// has, more weeks than the window has, and a state to be in and out of.
func (m WeeksIn) Validate() error {
	weeks := m.Within.MaxDays() / 7
	switch {
	case weeks < 1 || m.AtLeast < 0 || m.AtLeast > weeks:
		return fmt.Errorf("%w: weeks_in needs a window of a week or more, and at_least between 0 and its weeks", ErrOutcome)
	case m.MinDays < 0 || m.MinDays > 7:
		return fmt.Errorf("%w: a week has 1 to 7 days", ErrOutcome)
	case m.States != 0 && m.States&^m.Without == 0 || m.Beside != 0 && m.Beside&^m.Without == 0:
		return fmt.Errorf("%w: no week can be in the states and without them", ErrOutcome)
	}
	for _, set := range []StateSet{m.Without, m.Beside} {
		if set != 0 {
			if err := checkWatched(set); err != nil {
				return err
			}
		}
	}
	return checkWatched(m.States)
}
