package effect

import "slices"

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

// The spans that signals are counted over, in days.
const (
	signalWindow = 364
	signalGap    = 7
	signalFollow = 7 * 156
)

// Employers says which employers are a provider's own.
type Employers struct {
	IDs []ID // ascending and distinct: Spells.Employer is an index into them
	// Of lists, for each provider, indices of the employers that belong to it or to
	// a member of its consortium.
	Of map[string][]int32
}

// OwnEmployers gathers the employers of the members, whenever they were members,
// with those of the providers that [Kinship] puts beside them.
func OwnEmployers(members []Membership) Employers {
	e := Employers{Of: map[string][]int32{}}
	for _, m := range members {
		e.IDs = append(e.IDs, m.Employers...)
	}
	slices.SortFunc(e.IDs, ID.Compare)
	e.IDs = slices.Compact(e.IDs)
	of := map[string][]int32{}
	for _, m := range members {
		for _, id := range m.Employers {
			k, _ := slices.BinarySearchFunc(e.IDs, id, ID.Compare)
			of[m.Provider] = append(of[m.Provider], int32(k))
		}
	}
	for provider, kin := range Kinship(members) {
		var all []int32
		for _, p := range kin {
			all = append(all, of[p]...)
		}
		if len(all) > 0 {
			slices.Sort(all)
			e.Of[provider] = slices.Compact(all)
		}
	}
	return e
}

// The watches of the signals.
func subsidised() Watch { return Watch{States: States(WageSubsidy, WorkPlacement)} }
func ordinary() Watch   { return Watch{States: States(OrdinaryEmployment)} }
func ownWork() Watch    { return Watch{States: Employment, Of: ofOwnDays} }

// planSignals lays out what the signals need.
func (o *Observer) planSignals() {
	o.addLane(AtReferral, Watch{States: Employment}, -signalGap-1, signalFollow)
	o.addLane(AtReferral, subsidised(), 0, signalWindow+signalGap+1)
	o.addLane(AtReferral, ordinary(), 0, signalWindow+signalGap+1)
	if o.study.Employers == nil {
		return
	}
	o.addLane(AtReferral, ownWork(), 0, signalWindow)
	o.own = make([][]int32, len(o.cases.Provider.Levels))
	for code, provider := range o.cases.Provider.Levels {
		o.own[code] = o.study.Employers.Of[provider]
	}
}

// owns says whether an employer is of a case's provider or its consortium.
func (o *Observer) owns(i, employer int32) bool {
	if employer < 0 || len(o.cases.Provider.Codes) == 0 || o.cases.Provider.Codes[i] < 0 {
		return false
	}
	_, found := slices.BinarySearch(o.own[o.cases.Provider.Codes[i]], employer)
	return found
}

// newSignals makes the columns.
func (o *Observer) newSignals(n int) *Signals {
	s := &Signals{
		InCohort: make([]bool, n), RunStart: make([]Date, n), RunDays: make([]int32, n), RunEnd: make([]Date, n),
		SubsidisedDays: make([]int32, n), RecodedDays: make([]int32, n), AfterSubsidy: make([]bool, n), EmployedDays: make([]int32, n),
	}
	if o.study.Employers != nil {
		s.OwnEmployerDays = make([]int32, n)
	}
	return s
}

// signalLanes are the lanes that signals are read off.
type signalLanes struct{ work, helped, job, own *lane }

func (o *Observer) findSignals() *signalLanes {
	return &signalLanes{
		work:   o.find(AtReferral, Watch{States: Employment}, -signalGap-1, signalFollow),
		helped: o.find(AtReferral, subsidised(), 0, signalWindow+signalGap+1),
		job:    o.find(AtReferral, ordinary(), 0, signalWindow+signalGap+1),
		own:    o.find(AtReferral, ownWork(), 0, signalWindow),
	}
}

// signal fills one row.
func (o *Observer) signal(s *Signals, lanes *signalLanes, b *block, slot, i int32) {
	s.InCohort[i] = true
	at := o.cases.Referral[i]
	work := o.days(b, slot, lanes.work, at)
	s.RunStart[i], s.RunDays[i], s.RunEnd[i] = firstRun(work, at, o.study.AsOf+1)
	until := at + signalWindow
	s.EmployedDays[i] = int32(work.Count(at, until))
	helped, job := o.days(b, slot, lanes.helped, at), o.days(b, slot, lanes.job, at)
	s.SubsidisedDays[i] = int32(helped.Count(at, until))
	for from, to := range job.Runs(at, until) {
		s.RecodedDays[i] += int32(helped.Count(from, to))
	}
	for _, ended := range helped.Runs(at, until+signalGap+1) {
		for from := range job.Runs(ended, min(until, ended)+signalGap+1) {
			// A job that went on at the end of the subsidy began before it.
			if ended <= until && !job.Has(from-1) {
				s.AfterSubsidy[i] = true
			}
		}
	}
	if s.OwnEmployerDays != nil {
		s.OwnEmployerDays[i] = int32(o.days(b, slot, lanes.own, at).Count(at, until))
	}
}

// firstRun is the first run of work that starts on or after a day, within the
// window: its start, days worked and end, NoDate while it goes on at the limit or
// at the end of what is followed.
func firstRun(work DayView, at, limit Date) (start Date, days int32, end Date) {
	start, end = NoDate, NoDate
	for from, to := range work.Runs(at-signalGap-1, at+signalFollow) {
		if end == NoDate || from-end > signalGap {
			if days > 0 && start >= at {
				break
			}
			start, days = from, 0
		}
		days, end = days+int32(to-from), to
	}
	switch {
	case start < at || start >= at+signalWindow:
		return NoDate, 0, NoDate
	case end == min(limit, at+signalFollow):
		end = NoDate
	}
	return start, days, end
}
