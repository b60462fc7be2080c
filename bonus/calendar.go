package bonus

import (
	"fmt"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// PeriodLength is the length of a settlement period, which starts with the
// calendar year or a part of it.
type PeriodLength string

// The lengths of settlement periods.
const (
	Month    PeriodLength = "month"
	Quarter  PeriodLength = "quarter"
	HalfYear PeriodLength = "half_year"
	Year     PeriodLength = "year"
)

// Names lists the lengths.
func (PeriodLength) Names() []string {
	return []string{string(Month), string(Quarter), string(HalfYear), string(Year)}
}

// Period is the settlement period that a day lies in.
func (l PeriodLength) Period(d effect.Date) effect.Period {
	year, month, _ := d.Time().Date()
	name := fmt.Sprintf("%04d", year)
	switch l {
	case Month:
		name = fmt.Sprintf("%s-%02d", name, month)
	case Quarter:
		name = fmt.Sprintf("%sQ%d", name, (month+2)/3)
	case HalfYear:
		name = fmt.Sprintf("%sH%d", name, (month+5)/6)
	}
	p, _ := effect.ParsePeriod(name) // a name of a valid date's year parses
	return p
}

// AppliesBy says which date chooses the version in force.
type AppliesBy string

// What chooses the version: the day of referral, or the first day of the
// settlement period, moved into the agreement's dates if it lies outside them.
const (
	ByReferral AppliesBy = "referral"
	ByPeriod   AppliesBy = "period"
)

// Names lists what can choose.
func (AppliesBy) Names() []string { return []string{string(ByReferral), string(ByPeriod)} }

// end is the day on which the version stops, far ahead while it is open.
func (v *Version) end() effect.Date {
	if v.ValidTo == nil {
		return math.MaxInt32
	}
	return *v.ValidTo
}

// covers says whether a referral on the day is under the agreement.
func (t *Terms) covers(referral effect.Date) bool { return t.Starts <= referral && referral < t.Ends }

// versionFor is the index of the version for a case referred on one day, of
// which something was reached on another; -1 where no version is in force.
func (t *Terms) versionFor(referral, event effect.Date) int {
	day := referral
	if t.AppliesBy == ByPeriod {
		day = t.inside(t.Periods.Period(event).Start)
	}
	for i := range t.Versions {
		if v := &t.Versions[i]; v.ValidFrom <= day && day < v.end() {
			return i
		}
	}
	return -1
}

// inside moves a day into the agreement's dates.
func (t *Terms) inside(d effect.Date) effect.Date { return max(t.Starts, min(d, t.Ends-1)) }

// limitsFor is the index of the version whose limits hold for a settlement period: the latest
// that began by the period's first day, or the first of all.
func (t *Terms) limitsFor(period effect.Period) int {
	best := 0
	for i := range t.Versions {
		if t.Versions[i].ValidFrom <= t.inside(period.Start) {
			best = i
		}
	}
	return best
}
