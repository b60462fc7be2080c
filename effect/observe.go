package effect

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Study says what is asked of the cases: the cohort, the outcomes, the
// covariates from history and the day up to which the registers count.
type Study struct {
	AsOf     Date // inclusive: the last day that counts
	Cohort   Cohort
	Outcomes []Outcome
	History  History
	// Placebo is how many weeks before referral employment is read, together with
	// the history as it stood before them: see [Placebo]. 0 reads neither.
	Placebo int
	// RegistersReach is the last day the registers are complete for. NoDate
	// takes it from the data: the last day, up to as_of, on which a spell of
	// the cases begins or ends.
	RegistersReach Date
}

// Observer takes spells and reads off, per case, its outcomes and its history.
// It keeps one bitmap of days per case and set of states, and no spell: its
// memory is bounded by the cohort (see [Observer.StateBytes]), whatever the
// number of spells and their order. Two observers of the same cases and study
// that saw different spells merge by union.
type Observer struct {
	study    Study
	cases    *Cases
	excluded []Reason // why a case is not in the cohort

	lanes   []lane
	byState [numStates][]int // lanes that watch a state
	stride  int              // words per slot
	slotOf  []int32          // case -> slot, -1 outside the cohort
	caseOf  []int32          // slot -> case
	first   []int32          // person -> first entry of slots
	slots   []int32          // slots by person
	words   []uint64
	seen    []uint32 // bit per person: occurs in the spells
	deadOn  []int32  // per person: first day of death, MaxInt32 for none
	reach   atomic.Int32
}

// NewObserver prepares to observe the cases. It returns an error wrapping
// ErrOutcome when the study makes no sense.
func NewObserver(study Study, cases *Cases) (*Observer, error) {
	study.Outcomes = slices.Clone(study.Outcomes)
	o := &Observer{study: study, cases: cases}
	if err := o.plan(); err != nil {
		return nil, err
	}
	o.excluded = study.Cohort.Select(cases)
	o.slotOf = make([]int32, cases.Len())
	o.first = make([]int32, len(cases.Persons)+1)
	for i, why := range o.excluded {
		o.slotOf[i] = -1
		if why == NoReason {
			o.slotOf[i] = int32(len(o.caseOf))
			o.caseOf = append(o.caseOf, int32(i))
			o.first[cases.Person[i]+1]++
		}
	}
	for p := range cases.Persons {
		o.first[p+1] += o.first[p]
	}
	o.slots = make([]int32, len(o.caseOf))
	at := slices.Clone(o.first)
	for slot, i := range o.caseOf {
		p := cases.Person[i]
		o.slots[at[p]] = int32(slot)
		at[p]++
	}
	o.words = make([]uint64, o.stride*len(o.caseOf))
	o.seen = make([]uint32, (len(cases.Persons)+31)/32)
	o.deadOn = make([]int32, len(cases.Persons))
	for p := range o.deadOn {
		o.deadOn[p] = math.MaxInt32
	}
	o.reach.Store(int32(NoDate))
	return o, nil
}

// plan lays out the lanes: one for each clock and set of states, as long as
// the longest window that watches it.
func (o *Observer) plan() error {
	if o.study.AsOf == NoDate {
		return fmt.Errorf("%w: as_of is missing", ErrOutcome)
	}
	names := map[string]bool{}
	for i, out := range o.study.Outcomes {
		if out.Clock == "" {
			o.study.Outcomes[i].Clock = AtReferral
		}
	}
	for _, out := range o.study.Outcomes {
		switch {
		case out.Name == "" || names[out.Name]:
			return fmt.Errorf("%w: outcome names must be given and distinct (%q)", ErrOutcome, out.Name)
		case out.Measure == nil:
			return fmt.Errorf("%w: outcome %q has no measure", ErrOutcome, out.Name)
		}
		names[out.Name] = true
		if err := out.Measure.Validate(); err != nil {
			return fmt.Errorf("outcome %q: %w", out.Name, err)
		}
		from, to := measureDays(out.Measure)
		o.addLane(out.Clock, out.Measure.Watches(), from, to)
		o.addLane(out.Clock, States(Emigrated), from, to)
	}
	lag := o.study.Placebo
	if lag < 0 || lag > maxHistory {
		return fmt.Errorf("%w: a placebo of %d weeks (0 to %d are possible)", ErrOutcome, lag, maxHistory)
	}
	for _, c := range o.study.History.columns() {
		if c.weeks <= 0 || c.weeks > maxHistory {
			return fmt.Errorf("%w: a history window of %d weeks (1 to %d are possible)", ErrOutcome, c.weeks, maxHistory)
		}
		// One lane for both readings: they overlap or touch in most studies.
		o.addLane(AtReferral, c.states, -7*c.weeks, 0)
		if lag > 0 {
			o.addLane(AtReferral, c.states, -7*(c.weeks+lag), -7*lag)
		}
	}
	if lag > 0 {
		o.addLane(AtReferral, Employment, -7*lag, 0)
	}
	for i := range o.lanes {
		o.lanes[i].offset = o.stride
		o.stride += o.lanes[i].words()
		for _, s := range o.lanes[i].states.List() {
			o.byState[s] = append(o.byState[s], i)
		}
	}
	return nil
}

// measureDays bounds the days a measure reads, counted from the clock, whatever
// day the clock stands on: months differ in length, so both ends get slack.
func measureDays(m Measure) (from, to int) {
	clock := NewDate(2001, 1, 1)
	a, b := m.Days(clock)
	from, to = max(0, int(a-clock)-5), int(b-clock)+5
	return from, to
}

// addLane adds a lane or lengthens the one for the same clock and states. A
// history and an outcome over the same states share a lane only when they
// overlap or touch, so that no days in between are kept for nothing.
func (o *Observer) addLane(clock Clock, states StateSet, from, to int) {
	for i := range o.lanes {
		l := &o.lanes[i]
		if l.clock == clock && l.states == states && from <= l.to+63 && l.from <= to+63 {
			l.from, l.to = min(l.from, from), max(l.to, to)
			return
		}
	}
	o.lanes = append(o.lanes, lane{clock: clock, states: states, from: from, to: to})
}

// StateBytes is what the observer holds per case of the cohort, in bytes,
// beside the cases themselves.
func (o *Observer) StateBytes() int { return 8*o.stride + 8 }

// anchor is the day a lane's clock stands on for a case.
func (o *Observer) anchor(c Clock, i int32) Date {
	var days []Date
	switch c {
	case AtStart:
		days = o.cases.Start
	case AtEnd:
		days = o.cases.End
	default:
		days = o.cases.Referral
	}
	if len(days) == 0 {
		return NoDate
	}
	return days[i]
}

// Add takes spells of persons of the cases: the person's index, the state and
// the days [start, end), with end NoDate while open. Spells come in any order
// and may overlap; days of one state unite. It may be called by several
// goroutines at once and keeps none of the slices.
func (o *Observer) Add(person []int32, state []State, start, end []Date) {
	limit := o.study.AsOf + 1
	reach := NoDate
	for k, p := range person {
		if bit := uint32(1) << (p & 31); atomic.LoadUint32(&o.seen[p>>5])&bit == 0 {
			atomic.OrUint32(&o.seen[p>>5], bit)
		}
		s, e := start[k], end[k]
		if s < limit {
			reach = max(reach, s)
		}
		if e == NoDate || e > limit {
			e = limit
		} else {
			reach = max(reach, e-1)
		}
		if s >= limit {
			continue
		}
		if state[k] == Dead {
			lower(&o.deadOn[p], int32(s))
		}
		lanes := o.byState[state[k]]
		if len(lanes) == 0 || s >= e {
			continue
		}
		for _, slot := range o.slots[o.first[p]:o.first[p+1]] {
			words := o.words[int(slot)*o.stride:]
			for _, li := range lanes {
				l := &o.lanes[li]
				clock := o.anchor(l.clock, o.caseOf[slot])
				if clock == NoDate {
					continue
				}
				i, j := max(int(s-clock), l.from)-l.from, min(int(e-clock), l.to)-l.from
				if i < j {
					mark(words[l.offset:], i, j)
				}
			}
		}
	}
	raise(&o.reach, int32(reach))
}

func lower(p *int32, v int32) {
	for {
		old := atomic.LoadInt32(p)
		if v >= old || atomic.CompareAndSwapInt32(p, old, v) {
			return
		}
	}
}

func raise(p *atomic.Int32, v int32) {
	for {
		old := p.Load()
		if v <= old || p.CompareAndSwap(old, v) {
			return
		}
	}
}

// Merge adds what another observer of the same cases and study has seen.
func (o *Observer) Merge(other *Observer) error {
	if o.cases != other.cases || !slices.Equal(o.lanes, other.lanes) || o.study.AsOf != other.study.AsOf {
		return fmt.Errorf("%w: only observers of the same cases and study merge", ErrOutcome)
	}
	for i, w := range other.words {
		o.words[i] |= w
	}
	for i, w := range other.seen {
		o.seen[i] |= w
	}
	for p, d := range other.deadOn {
		o.deadOn[p] = min(o.deadOn[p], d)
	}
	raise(&o.reach, other.reach.Load())
	return nil
}

// Unseen is how many cases of the cohort have persons of whom no spell was added.
func (o *Observer) Unseen() int {
	n := 0
	for _, i := range o.caseOf {
		if p := o.cases.Person[i]; o.seen[p>>5]&(1<<(p&31)) == 0 {
			n++
		}
	}
	return n
}

// view returns the days of a case in the lane that holds the states and days.
func (o *Observer) view(slot int32, clock Clock, states StateSet, from, to int) DayView {
	for _, l := range o.lanes {
		if l.clock == clock && l.states == states && l.from <= from && to <= l.to {
			at := int(slot)*o.stride + l.offset
			return DayView{
				words: o.words[at : at+l.words()],
				base:  o.anchor(clock, o.caseOf[slot]) + Date(l.from),
			}
		}
	}
	return DayView{}
}

// Observations reads off what became of every case. The covariates of the
// cases are followed by those from history. Nothing may be added meanwhile.
func (o *Observer) Observations(ctx context.Context) (*Observations, error) {
	n := o.cases.Len()
	cases := *o.cases
	cases.Covariates = slices.Clone(cases.Covariates)
	columns := o.study.History.columns()
	cases.Covariates = append(cases.Covariates, blank(columns, n)...)
	history := cases.Covariates[len(cases.Covariates)-len(columns):]
	if weeks := o.study.Placebo; weeks > 0 {
		cases.Placebo = &Placebo{Weeks: weeks, Value: make([]float64, n), Covariates: blank(columns, n)}
	}
	out := &Observations{AsOf: o.study.AsOf, Cases: &cases}
	for _, outcome := range o.study.Outcomes {
		out.Results = append(out.Results, Result{
			Outcome: outcome.Name, Unit: outcome.Measure.Unit(), Absence: outcome.Measure.Absence(),
			Status: make([]Status, n), Reason: make([]Reason, n), Value: make([]float64, n),
			ReachedOn: make([]Date, n), WindowEnd: make([]Date, n),
			Complete: make([]bool, n), Followed: make([]bool, n),
		})
	}
	reach := o.study.RegistersReach
	if reach == NoDate {
		reach = Date(o.reach.Load())
	}
	err := chunks(ctx, n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			slot := o.slotOf[i]
			for c := range columns {
				history[c].Number[i] = o.past(&columns[c], int32(i), 0)
			}
			if p := cases.Placebo; p != nil {
				p.Value[i] = nan
				if slot >= 0 {
					days := 7 * p.Weeks
					at := cases.Referral[i]
					p.Value[i] = float64(o.view(slot, AtReferral, Employment, -days, 0).Count(at-Date(days), at)) / float64(days)
				}
				for c := range columns {
					p.Covariates[c].Number[i] = o.past(&columns[c], int32(i), p.Weeks)
				}
			}
			for k := range out.Results {
				o.read(&out.Results[k], o.study.Outcomes[k], int32(i), slot, reach)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	quarters := make([]string, n)
	for i, d := range cases.Referral {
		quarters[i] = d.Quarter()
	}
	cases.Covariates = append(cases.Covariates, Covariate{Name: "referral_quarter", Factor: NewFactor(quarters), Dated: true})
	for k := range out.Results {
		out.Attrition = append(out.Attrition, attrition(&cases, &out.Results[k])...)
	}
	return out, nil
}

// blank makes columns of numbers for the history.
func blank(columns []historyColumn, n int) []Covariate {
	var out []Covariate
	for _, c := range columns {
		out = append(out, Covariate{Name: c.name, Number: make([]float64, n), Dated: true})
	}
	return out
}

// past reads a column of the history as it stood so many weeks before referral;
// NaN outside the cohort.
func (o *Observer) past(c *historyColumn, i int32, weeks int) float64 {
	slot := o.slotOf[i]
	if slot < 0 {
		return nan
	}
	v := o.view(slot, AtReferral, c.states, -7*(c.weeks+weeks), -7*weeks)
	return c.read(v, o.cases.Referral[i]-Date(7*weeks), o.study.History.ElapsedGap)
}

// read fills one row of a result.
func (o *Observer) read(r *Result, outcome Outcome, i, slot int32, reach Date) {
	r.Value[i], r.ReachedOn[i], r.WindowEnd[i] = nan, NoDate, NoDate
	if slot < 0 {
		r.Reason[i] = o.excluded[i]
		return
	}
	clock := o.anchor(outcome.Clock, i)
	if clock == NoDate {
		r.Reason[i] = ReasonNoClock
		return
	}
	m := outcome.Measure
	from, to := m.Days(clock)
	ends := m.Closes(clock)
	closed := ends <= o.study.AsOf
	value, reached := m.Read(o.view(slot, outcome.Clock, m.Watches(), int(from-clock), int(to-clock)), clock, closed)
	// Death is for good; a stay abroad matters only on the days that are read.
	leftOn := Date(o.deadOn[o.cases.Person[i]])
	for day := range o.view(slot, outcome.Clock, States(Emigrated), int(from-clock), int(to-clock)).Runs(from, to) {
		leftOn = min(leftOn, day)
		break
	}
	left := leftOn < to
	if reached != NoDate && leftOn <= reached {
		value, reached = nan, NoDate // nobody reaches anything after leaving
	}
	r.Value[i], r.ReachedOn[i], r.WindowEnd[i] = value, reached, ends
	r.Complete[i] = closed && !left
	p := o.cases.Person[i]
	r.Followed[i] = o.seen[p>>5]&(1<<(p&31)) != 0 && to-1 <= reach
	switch {
	case reached != NoDate:
		r.Status[i] = Reached
	case left:
		r.Status[i] = Left
	case !closed:
		r.Status[i] = Pending
	default:
		r.Status[i] = NotReached
	}
	switch {
	case left:
		r.Reason[i] = ReasonLeft
	case !closed:
		r.Reason[i] = ReasonPending
	}
}

// chunks runs f over [0, n) in pieces, on all processors. f must write only to
// its own rows, so the result does not depend on the pieces.
func chunks(ctx context.Context, n int, f func(lo, hi int)) error {
	const size = 8192
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min((n+size-1)/size, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				lo := int(next.Add(1)-1) * size
				if lo >= n {
					return
				}
				f(lo, min(lo+size, n))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
