package effect

import (
	"cmp"
	"fmt"
	"slices"
)

// Exit is a way out that competes with the event of a [TimeTo].
type Exit struct {
	Name   string
	States StateSet
}

// The events of a [TimeTo] beside its exits.
const (
	EventReached = "reached"
	EventDead    = "dead"
)

// TimeTo is the time, in days, from the clock to the first day in the states,
// within [clock, clock + Within). A person who is in them on the clock's day has
// the time 0.
//
// The first day in an exit's states, or of death, ends the time otherwise: the
// event is then never reached. A stay abroad, as_of and the window's end censor
// it. On the same day, leaving (by death or abroad) comes before the event, and the event before exits;
// exits go by name. So time and event are those of a study of competing
// risks.
//
// The value, for effects, is the restricted time: the days to the event, and the
// whole window for who did not reach it in the window or left by an exit; NaN while the window is
// open, and for who died or went abroad before. They are left out of effects, as with every outcome.
type TimeTo struct {
	States StateSet
	Exits  []Exit // by name
	Within Span
}

// Timed marks the kind.
func (TimeTo) Timed() {}

// Unit is UnitDays.
func (m TimeTo) Unit() Unit { return UnitDays }

// Absence is false.
func (TimeTo) Absence() bool { return false }

// Watches are the days in States, and in those of each exit.
func (m TimeTo) Watches() []Watch {
	out := []Watch{{States: m.States}}
	for _, e := range m.Exits {
		out = append(out, Watch{States: e.States})
	}
	return out
}

// Days is [clock, clock + Within).
func (m TimeTo) Days(clock Date) (from, to Date) { return clock, m.Closes(clock) }

// Closes is clock + Within.
func (m TimeTo) Closes(clock Date) Date { return clock.Add(m.Within) }

// Read finds what came first.
func (m TimeTo) Read(s *Sight) Reading {
	from, to := m.Days(s.Clock)
	event, at := "", max(from, min(to, s.End))
	if s.Left != NoDate {
		at = max(from, s.Left)
		if s.Dead {
			event = EventDead
		}
	}
	r := Unread()
	if day := s.Days[0].First(from, at); day != NoDate {
		event, at, r.Reached = EventReached, day, day
	}
	for k, e := range m.Exits {
		if day := s.Days[k+1].First(from, at); day != NoDate {
			event, at, r.Reached = e.Name, day, NoDate
		}
	}
	r.Event, r.Time = event, int32(at-from)
	switch {
	case event == EventReached:
		r.Value = float64(r.Time)
	case event != "" && event != EventDead || s.Closed && s.Left == NoDate:
		r.Value = float64(to - from)
	}
	return r
}

// Validate refuses no states, no window, exits that are not in the order of
// their names, and states that belong to two of them.
func (m TimeTo) Validate() error {
	if m.Within.MaxDays() <= 0 {
		return fmt.Errorf("%w: time_to needs a window", ErrOutcome)
	}
	if !slices.IsSortedFunc(m.Exits, func(a, b Exit) int { return cmp.Compare(a.Name, b.Name) }) {
		return fmt.Errorf("%w: exits must be in the order of their names", ErrOutcome)
	}
	taken := m.States
	for i, e := range m.Exits {
		switch {
		case e.Name == "" || e.Name == EventReached || e.Name == EventDead || i > 0 && e.Name == m.Exits[i-1].Name:
			return fmt.Errorf("%w: exits need names of their own, other than reached and dead (%q)", ErrOutcome, e.Name)
		case taken&e.States != 0:
			return fmt.Errorf("%w: a state of exit %q is also one of the event or of another exit", ErrOutcome, e.Name)
		}
		if err := checkWatched(e.States); err != nil {
			return err
		}
		taken |= e.States
	}
	return checkWatched(m.States)
}
