package effect

import "math"

// Reaching makes a share of another measure: its value is 1 where that measure
// is reached and 0 where it is not, NaN where it has no value. All else is that
// measure's. Use it for a threshold of hours, kroner, days or weeks.
type Reaching struct{ Measure }

// Unit is UnitShare.
func (m Reaching) Unit() Unit { return UnitShare }

// Read reads the other measure.
func (m Reaching) Read(s *Sight) Reading {
	r := m.Measure.Read(s)
	switch {
	case math.IsNaN(r.Value):
	case r.Reached != NoDate:
		r.Value = 1
	default:
		r.Value = 0
	}
	return r
}
