package effect

import (
	"errors"
	"fmt"
)

// Clock says which day of a participation an outcome counts from.
type Clock string

// The clocks. Referral is the default: dropouts and no-shows stay in.
const (
	AtReferral Clock = "referral"
	AtStart    Clock = "start"
	AtEnd      Clock = "end"
)

// Names lists the clocks.
func (Clock) Names() []string { return []string{string(AtReferral), string(AtStart), string(AtEnd)} }

// Outcome is one question asked of every case.
type Outcome struct {
	Name    string
	Clock   Clock // "" is AtReferral
	Measure Measure
	// Dated asks for the days on which the outcome counted: see [Result.Dates]. Only
	// a [Dating] measure has them.
	Dated bool
}

// Measure is one kind of outcome. It says what it must see and reads its value
// off that. A new kind of outcome is one file with one Measure in it.
//
// A measure sees only days up to as_of; a day after it counts as a day outside
// every state. Implementations are values and safe for concurrent use.
type Measure interface {
	// Unit says what the value counts.
	Unit() Unit
	// Watches lists what the measure reads of a case. What is seen of each stands
	// at the same place in [Sight].
	Watches() []Watch
	// Days is the run of days [from, to) that the measure reads, given the
	// clock. A person who dies or is abroad on one of them has left.
	Days(clock Date) (from, to Date)
	// Closes is the clock plus the full window: the outcome may be used in an
	// effect when Closes(clock) <= as_of.
	Closes(clock Date) Date
	// Read tells what became of one case. It keeps nothing of the sight.
	Read(s *Sight) Reading
	// Absence says that the outcome is reached by being in none of the states. A
	// person of whom the registers tell nothing then looks as if it were reached.
	Absence() bool
	// Validate returns an error wrapping ErrOutcome about options that make no
	// sense.
	Validate() error
}

// Timed is a Measure whose readings have a time and an event.
type Timed interface {
	Measure
	// Timed does nothing: it tells the kind from others.
	Timed()
}

// Watch is one thing that a measure must see of a case: the days in some states,
// what the spells of these states amount to day by day, or a number on the row.
// A watch of no states sees nothing.
type Watch struct {
	States StateSet
	Of     Quantity
	Column string // the covariate, for OfNumber
}

// Quantity is what a watch sees.
type Quantity uint8

// OfDays sees on which days a spell of the states holds. OfHours and OfKroner see
// what such spells amount to on each day: spells that overlap add up.
// OfNumber sees a numeric covariate of the case.
const (
	OfDays Quantity = iota
	OfHours
	OfKroner
	OfNumber
	ofOwnDays // days at an employer of the provider's own
)

// amounts says whether the quantity is an amount on each day.
func (q Quantity) amounts() bool { return q == OfHours || q == OfKroner }

// scale is how many of the units that an amount is counted in make one: an hour
// is kept as hundredths of an hour a week on each day, a krone as øre.
func (q Quantity) scale() float64 {
	if q == OfHours {
		return 700
	}
	return 100
}

// Sight is what a measure is shown of one case. Days, Amounts and Numbers have
// an entry for each of its watches, empty or 0 where the watch is of another
// quantity.
type Sight struct {
	Clock  Date
	Closed bool // the full window has ended by as_of
	End    Date // as_of + 1: nothing is known from this day on
	// Left is the first of the days read on which the person was dead or abroad;
	// NoDate where there is none. Dead says that it was death.
	Left Date
	Dead bool

	Days    []DayView
	Amounts []AmountView
	Numbers []float64
}

// Reading is what a measure tells of one case. Start from [Unread].
type Reading struct {
	Value   float64 // so far, where the window is open; NaN where there is none
	Reached Date    // the first day on which the outcome was reached, or NoDate
	// Reason is ReasonNoValue or ReasonNotAtRisk where the measure takes the case
	// out.
	Reason Reason
	// Unknown says that the data leave out part of what would be counted.
	Unknown bool
	// Time and Event are those of a [Timed] measure: days from the clock to the
	// event, or, with Event "", to the day on which the case was censored.
	Time  int32
	Event string
}

// Unread is a reading without a value, reached on no day.
func Unread() Reading { return Reading{Value: nan, Reached: NoDate} }

// reading is the value with the day on which the outcome was reached.
func reading(value float64, reached Date) Reading { return Reading{Value: value, Reached: reached} }

// ErrOutcome is wrapped by errors about the declaration of an outcome.
var ErrOutcome = errors.New("effect: outcome cannot be measured as declared")

func checkWatched(set StateSet) error {
	switch {
	case set == 0:
		return fmt.Errorf("%w: no states given", ErrOutcome)
	case set.Has(Ignore) || set.Has(Dead) || set.Has(Emigrated):
		return fmt.Errorf("%w: ignore, dead and emigrated are not states to be in", ErrOutcome)
	}
	return nil
}

// StateAt is status at t: reached when a spell of one of the states covers the
// day clock + At; with Not, when none does. The value is 1 or 0 (NaN while the
// day lies ahead). Only a death by that day, or a stay abroad on it, leaves.
type StateAt struct {
	States StateSet
	At     Span
	Not    bool
}

// Unit is UnitShare.
func (m StateAt) Unit() Unit { return UnitShare }

// Absence is Not.
func (m StateAt) Absence() bool { return m.Not }

// Watches are the days in States.
func (m StateAt) Watches() []Watch { return []Watch{{States: m.States}} }

// Days is the one day clock + At.
func (m StateAt) Days(clock Date) (from, to Date) { return clock.Add(m.At), clock.Add(m.At) + 1 }

// Closes is clock + At.
func (m StateAt) Closes(clock Date) Date { return clock.Add(m.At) }

// Read looks at the one day.
func (m StateAt) Read(s *Sight) Reading {
	day := s.Clock.Add(m.At)
	switch {
	case !s.Closed:
		return Unread()
	case s.Days[0].Has(day) != m.Not:
		return reading(1, day)
	}
	return reading(0, NoDate)
}

// Validate refuses an empty set of states.
func (m StateAt) Validate() error { return checkWatched(m.States) }

// DaysIn counts days in the states within [clock, clock + Within): the union,
// so that overlapping spells count once. It is reached on the day that makes
// AtLeast days (0 is taken as 1). The value is the days so far.
type DaysIn struct {
	States  StateSet
	Within  Span
	AtLeast int
}

// Unit is UnitDays.
func (m DaysIn) Unit() Unit { return UnitDays }

// Absence is false.
func (DaysIn) Absence() bool { return false }

// Watches are the days in States.
func (m DaysIn) Watches() []Watch { return []Watch{{States: m.States}} }

// Days is [clock, clock + Within).
func (m DaysIn) Days(clock Date) (from, to Date) { return clock, clock.Add(m.Within) }

// Closes is clock + Within.
func (m DaysIn) Closes(clock Date) Date { return clock.Add(m.Within) }

// Read counts the days.
func (m DaysIn) Read(s *Sight) Reading {
	total, reached := s.Days[0].Tally(s.Clock, s.Clock.Add(m.Within), max(1, m.AtLeast))
	return reading(float64(total), reached)
}

// Validate refuses no states, no window and a threshold longer than it.
func (m DaysIn) Validate() error {
	if m.Within.MaxDays() <= 0 || m.AtLeast < 0 || m.AtLeast > m.Within.MaxDays() {
		return fmt.Errorf("%w: days_in needs a window, and at_least between 0 and its length", ErrOutcome)
	}
	return checkWatched(m.States)
}

// Sustained is a run of Weeks weeks in the states that starts in
// [clock, clock + Within). A gap of at most MaxGap days joins a run and does not
// count as worked: 7 x Weeks days must be worked. The full window is Within + 7 x
// Weeks + MaxGap days, in which the run must be complete; days before the clock
// do not count. The value is 1 or 0; reached is the day that completes the run.
type Sustained struct {
	States StateSet
	Weeks  int
	MaxGap int // days
	Within Span
}

// Unit is UnitShare.
func (m Sustained) Unit() Unit { return UnitShare }

// Absence is false.
func (Sustained) Absence() bool { return false }

// Watches are the days in States.
func (m Sustained) Watches() []Watch { return []Watch{{States: m.States}} }

// Days is the full window.
func (m Sustained) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is clock + Within + 7 x Weeks + MaxGap.
func (m Sustained) Closes(clock Date) Date {
	return clock.Add(m.Within) + Date(7*m.Weeks+m.MaxGap)
}

// Read looks for the first run that is long enough.
func (m Sustained) Read(s *Sight) Reading {
	day := m.completed(s.Days[0], s.Clock)
	if day == NoDate {
		return reading(0, NoDate)
	}
	return reading(1, day)
}

// completed is the day that completes the run, or NoDate.
func (m Sustained) completed(d DayView, clock Date) Date {
	limit, need := clock.Add(m.Within), 7*m.Weeks
	worked, last := 0, NoDate
	for from, to := range d.Runs(clock, m.Closes(clock)) {
		if last == NoDate || int(from-last) > m.MaxGap {
			if from >= limit {
				break
			}
			worked = 0
		}
		if worked+int(to-from) >= need {
			return from + Date(need-worked-1)
		}
		worked, last = worked+int(to-from), to
	}
	return NoDate
}

// Validate refuses no states, no weeks, a negative gap and no start window.
func (m Sustained) Validate() error {
	if m.Weeks <= 0 || m.Weeks > 520 || m.MaxGap < 0 || m.MaxGap > 3650 || m.Within.MaxDays() <= 0 {
		return fmt.Errorf("%w: sustained needs 1 to 520 weeks, a gap of 0 days or more, and a span within which the run must start", ErrOutcome)
	}
	return checkWatched(m.States)
}
