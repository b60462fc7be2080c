package effect

import "fmt"

// Relapse asks, of those who had a sustained run of work, whether they came
// back: on at least AtLeast days (0 is taken as 1) within After of the day after the run's
// completion they were in the states of Back, whether or not they worked
// besides. The value is 1 or 0; reached is the day that makes it so many.
//
// Who did not complete a run in its window is not at risk and not analysed
// (ReasonNotAtRisk). The full window is that of the run and After; until the run is complete
// there is no value.
//
// It describes. Who completes a run is itself an outcome of the treatment, so a
// difference in relapse between two groups is not the effect on comparable people.
type Relapse struct {
	Run     Sustained
	Back    StateSet
	After   Span
	AtLeast int
}

// Unit is UnitShare.
func (m Relapse) Unit() Unit { return UnitShare }

// Absence is false.
func (Relapse) Absence() bool { return false }

// Watches are the days of the run's states, and of Back.
func (m Relapse) Watches() []Watch { return []Watch{{States: m.Run.States}, {States: m.Back}} }

// Days is the full window.
func (m Relapse) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is the run's window, and After.
func (m Relapse) Closes(clock Date) Date { return m.Run.Closes(clock).Add(m.After) }

// Read looks for the run, and then for days in Back.
func (m Relapse) Read(s *Sight) Reading {
	r := Unread()
	done, closes := m.Run.completed(s.Days[0], s.Clock), m.Run.Closes(s.Clock)
	left := s.Left != NoDate
	switch {
	case done != NoDate && !(left && s.Left <= done):
		_, r.Reached = s.Days[1].Tally(done+1, (done + 1).Add(m.After), max(1, m.AtLeast))
		r.Value = 0
		if r.Reached != NoDate {
			r.Value = 1
		}
	case done == NoDate && closes < s.End && !(left && s.Left < closes):
		r.Reason = ReasonNotAtRisk
	}
	return r
}

// Validate refuses a run that makes no sense, no states to come back to, no time
// for it, and a threshold longer than that.
func (m Relapse) Validate() error {
	if err := m.Run.Validate(); err != nil {
		return err
	}
	if m.After.MaxDays() <= 0 || m.AtLeast < 0 || m.AtLeast > m.After.MaxDays() {
		return fmt.Errorf("%w: relapse needs a span after the run, and at_least between 0 and its days", ErrOutcome)
	}
	return checkWatched(m.Back)
}
