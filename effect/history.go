package effect

import "fmt"

// History says which covariates are read off a person's spells before the
// referral. They are dated by construction: no day from the referral on counts.
// Start from [DefaultHistory]; the zero value reads none.
type History struct {
	// Weeks are the windows before referral, in weeks, over which weeks on each
	// benefit (weeks_on_<benefit>_<window>) and in unsupported employment
	// (weeks_employed_<window>) are counted. A week is 7 days, so the counts are
	// sevenths.
	Weeks []int
	// ElapsedMax is where elapsed_benefit_weeks stops counting, in weeks. The
	// elapsed duration is the time from the start of the benefit run that
	// reaches the referral; 0 when there is none.
	ElapsedMax int
	// ElapsedGap is the longest break, in days, that a benefit run survives; it
	// is also how long before the referral the run may have ended.
	ElapsedGap int
}

// DefaultHistory looks back 52 weeks, follows the benefit run for up to 260 and
// joins breaks of up to 28 days. referral_quarter and referral_month are always there.
func DefaultHistory() History { return History{Weeks: []int{52}, ElapsedMax: 260, ElapsedGap: 28} }

// Names of covariates. Every case has the quarter and the month of its referral;
// the benefit duration comes with History.ElapsedMax.
const (
	ReferralQuarter = "referral_quarter"
	ReferralMonth   = "referral_month"
	ElapsedBenefit  = "elapsed_benefit_weeks"
)

// maxHistory is the longest window before referral, in weeks.
const maxHistory = 5200

// historyColumn is one covariate that is read off a lane.
type historyColumn struct {
	name    string
	states  StateSet
	weeks   int
	elapsed bool
}

func (h History) columns() []historyColumn {
	var out []historyColumn
	for _, w := range h.Weeks {
		for _, s := range Benefits.List() {
			out = append(out, historyColumn{name: fmt.Sprintf("weeks_on_%s_%d", s, w), states: States(s), weeks: w})
		}
		out = append(out, historyColumn{name: fmt.Sprintf("weeks_employed_%d", w), states: Employment, weeks: w})
	}
	if h.ElapsedMax > 0 {
		out = append(out, historyColumn{name: ElapsedBenefit, states: Benefits, weeks: h.ElapsedMax, elapsed: true})
	}
	return out
}

// Names lists the covariates that the history gives, in their fixed order.
func (h History) Names() []string {
	var out []string
	for _, c := range h.columns() {
		out = append(out, c.name)
	}
	return append(out, ReferralQuarter, ReferralMonth)
}

// read reads the column, in days, as it stood on a day.
func (c historyColumn) read(v DayView, on Date, gap int) int {
	first := on - Date(7*c.weeks)
	switch {
	case !c.elapsed:
		return v.Count(first, on)
	case v.First(max(first, on-Date(min(gap, 7*c.weeks))-1), on) == NoDate:
		return 0 // the last run, if there was one, is over
	}
	start, last := NoDate, NoDate
	for from, to := range v.Runs(first, on) {
		if last == NoDate || int(from-last) > gap {
			start = from
		}
		last = to
	}
	return int(on - start)
}
