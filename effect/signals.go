package effect

// Signals are facts about each case, read off its person's spells, in which
// gaming may show: bunching just past a threshold, subsidised work that looks
// ordinary, jobs at the provider's own firms. They accuse nobody. Columns are in
// the order of the cases; a case outside the cohort has 0, false and NoDate.
//
// All days are counted within [referral, referral + 364), up to as_of, unless
// another span is named. Work means unsupported work: see [Employment].
type Signals struct {
	InCohort []bool
	// RunStart is the first day of the first run of work that begins on or after
	// referral, within 364 days; NoDate where there is none. A gap of at most 7
	// days joins a run. A run that was already going on before the referral is
	// not one of them.
	RunStart []Date
	// RunDays is how many days of that run were worked: gaps do not count, as in
	// [Sustained]. It is followed for at most 156 weeks from referral; 0 where
	// there is no run.
	RunDays []int32
	// RunEnd is the first day on which that run was over; NoDate where there is no
	// run, and while it goes on at as_of or at the end of the 156 weeks.
	RunEnd []Date
	// SubsidisedDays are the days in wage_subsidy or work_placement.
	SubsidisedDays []int32
	// RecodedDays are the days in ordinary_employment and, at once, in
	// wage_subsidy or work_placement.
	RecodedDays []int32
	// AfterSubsidy says that ordinary_employment began when subsidised days had
	// ended, after a gap of at most 7 days.
	AfterSubsidy []bool
	// EmployedDays are the days in work.
	EmployedDays []int32
	// OwnEmployerDays are the days in work at an employer that belongs to the
	// provider or a member of its consortium. It is nil where the data do not
	// name employers; 0 for the municipality's own projects.
	OwnEmployerDays []int32
}
