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
// covariates from history and the day up to which the registers count. The zero value asks for nothing, and its
// day is 1970-01-01: there is none that would do for all.
type Study struct {
	AsOf     Date // inclusive: the last day that counts
	Cohort   Cohort
	Outcomes []Outcome
	History  History
	// Placebo is how many weeks before referral employment is read, together with
	// the history as it stood before them: see [Placebo]. 0 reads neither.
	Placebo int
	// Signals asks for the signals of gaming. Employers, for its column of own
	// employers, may be nil.
	Signals   bool
	Employers *Employers
	// CellsOnly keeps no row of a case: [Observer.Cells] is then all there is to ask for.
	CellsOnly bool
	// RegistersReach is the last day the registers are complete for. NoDate
	// takes it from the data: the last day, up to as_of, on which a spell of
	// the cases begins or ends.
	RegistersReach Date
}

// Spells are spells of persons of the cases, in columns of equal length. They
// may overlap and come in any order.
type Spells struct {
	Person     []int32 // index into Cases.Persons; a row of anybody else, below 0, is passed over
	State      []State
	Start, End []Date // [Start, End), with End NoDate while open
	// Hours are hours a week, from 0 to 168; NaN where unknown, nil where not read.
	Hours []float64
	// Amount is kroner in the whole spell, from 0 to [MaxAmount]; NaN where unknown,
	// nil where not read. It falls on the spell's days in equal parts, to the øre:
	// the days up to the d-th of n have floor(amount x d / n). The amount of a spell that is
	// still open cannot be spread, and counts as unknown.
	Amount []float64
	// Employer is an index into Study.Employers.IDs, -1 for any other and for none;
	// nil where not read.
	Employer []int32
}

// MaxHours is the most hours a week, MaxAmount the most kroner, that a spell may
// have.
const (
	MaxHours  = 168
	MaxAmount = 1e10
)

// Observer takes spells and reads off, per case, its outcomes and its history.
// It keeps one bitmap of days per case and set of states, an amount for each day
// where an outcome counts hours or kroner, and no spell: its memory is bounded by
// the cohort (see [Observer.StateBytes]), whatever the number of spells and their
// order. What observers of the same cases and study saw adds up, by way of
// [Observer.WriteState]: days by union, amounts by addition.
type Observer struct {
	study    Study
	cases    *Cases
	excluded []Reason // why a case is not in the cohort

	lanes   []lane
	ways    [numStates][]way // lanes that watch a state
	watched StateSet         // states that a lane watches, and death
	stride  int              // words per slot
	depth   int              // amounts per slot
	slotOf  []int32          // case -> slot, -1 outside the cohort
	caseOf  []int32          // slot -> case; slots are in the order of persons
	first   []int32          // person -> first slot
	blocks  []block          // of blockPersons persons each
	spare   spares
	kept    [][]byte // blocks as they are written; nil where they are read off
	seen    []uint32 // bit per person: occurs in the spells
	deadOn  []int32  // per person: first day of death, MaxInt32 for none
	reach   atomic.Int32

	own       [][]int32   // provider code -> indices of its own employers
	employers atomic.Bool // the spells name employers

	prepared sync.Once
	sheet    *sheet // what is read off; nil before the first block is
	open     int    // units that are not done
	opened   sync.Mutex
	strayed  atomic.Bool  // a spell came after its person was settled
	told     atomic.Int64 // cases of settled blocks with untold amounts
}

// block holds the days of the cases of some persons, made when the first spell
// falls on one of them: neighbours in a sorted table, so that one lock serves many
// spells, and what no spell has touched takes no room.
type block struct {
	sync.Mutex
	base  int      // slot that the block begins with
	words []uint64 // stride for each of its slots
	daily []uint32 // depth for each: amounts

	// lanes has the bits of the lanes that may hold a day: many states never occur.
	lanes uint64

	units   int  // that may still hold spells of its persons
	settled bool // read off; its days are given back
}

// blockPersons is how many persons share a block.
const (
	blockBits    = 10
	blockPersons = 1 << blockBits
)

// touch makes room for days in any lane of block k, which is locked.
func (o *Observer) touch(k int32) *block {
	b := o.room(k)
	b.lanes = ^uint64(0)
	return b
}

// room makes room for the days of block k. Who marks them says in which lanes.
func (o *Observer) room(k int32) *block {
	b := &o.blocks[k]
	switch {
	case b.settled:
		o.strayed.Store(true)
	case b.words == nil && b.daily == nil:
		from, to := o.slots(k)
		b.base = int(from)
		b.words, b.daily = o.spare.take(o.stride*int(to-from), o.depth*int(to-from))
	}
	return b
}

// slots are those of block k.
func (o *Observer) slots(k int32) (from, to int32) {
	return o.first[int(k)<<blockBits], o.first[min(int(k+1)<<blockBits, len(o.first)-1)]
}

// spares are the days of blocks that were read off, to be used again.
type spares struct {
	sync.Mutex
	words [][]uint64
	daily [][]uint32
}

// take returns room that is all zero.
func (s *spares) take(words, daily int) ([]uint64, []uint32) {
	s.Lock()
	defer s.Unlock()
	return again(&s.words, words), again(&s.daily, daily)
}

func (s *spares) give(b *block) {
	s.Lock()
	s.words, s.daily = append(s.words, b.words), append(s.daily, b.daily)
	s.Unlock()
	b.words, b.daily = nil, nil
}

// again is a spare that is long enough, or a new one.
func again[T uint32 | uint64](from *[][]T, n int) []T {
	if k := len(*from) - 1; k >= 0 {
		last := (*from)[k]
		*from = (*from)[:k]
		if cap(last) >= n {
			last = last[:n]
			clear(last)
			return last
		}
	}
	return make([]T, n)
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
	o.first = make([]int32, cases.Persons.Len()+1)
	for i, why := range o.excluded {
		o.slotOf[i] = -1
		if why == NoReason {
			o.first[cases.Person[i]+1]++
		}
	}
	for p := range cases.Persons.Len() {
		o.first[p+1] += o.first[p]
	}
	o.caseOf = make([]int32, o.first[cases.Persons.Len()])
	at := slices.Clone(o.first)
	for i, why := range o.excluded {
		if why == NoReason {
			p := cases.Person[i]
			o.slotOf[i], o.caseOf[at[p]] = at[p], int32(i)
			at[p]++
		}
	}
	o.blocks = make([]block, (cases.Persons.Len()+blockPersons-1)>>blockBits)
	o.seen = make([]uint32, (cases.Persons.Len()+31)/32)
	o.deadOn = make([]int32, cases.Persons.Len())
	for p := range o.deadOn {
		o.deadOn[p] = math.MaxInt32
	}
	o.reach.Store(int32(NoDate))
	return o, nil
}

// plan lays out the lanes: one for each clock and watch, as long as the longest
// window that watches it.
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
		if _, dating := out.Measure.(Dating); out.Dated && !dating {
			return fmt.Errorf("%w: outcome %q cannot be dated: only weeks_in tells on which days it counted", ErrOutcome, out.Name)
		}
		if err := out.Measure.Validate(); err != nil {
			return fmt.Errorf("outcome %q: %w", out.Name, err)
		}
		from, to := measureDays(out.Measure)
		for _, w := range out.Measure.Watches() {
			if w.Of != OfNumber {
				o.addLane(out.Clock, w, from, to)
			} else if c, ok := o.cases.Covariate(w.Column); !ok || c.Number == nil {
				return fmt.Errorf("%w: outcome %q is the column %q, which the cases do not have as a number", ErrOutcome, out.Name, w.Column)
			}
		}
		o.addLane(out.Clock, Watch{States: States(Emigrated)}, from, to)
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
		o.addLane(AtReferral, Watch{States: c.states}, -7*c.weeks, 0)
		if lag > 0 {
			o.addLane(AtReferral, Watch{States: c.states}, -7*(c.weeks+lag), -7*lag)
		}
	}
	if lag > 0 {
		o.addLane(AtReferral, Watch{States: Employment}, -7*lag, 0)
	}
	if o.study.Signals {
		o.planSignals()
	}
	for i := range o.lanes {
		l := &o.lanes[i]
		l.bit = 1 << min(i, 63)
		if l.watch.Of.amounts() {
			l.offset = o.depth
			o.depth += l.to - l.from
		} else {
			l.offset = o.stride
			o.stride += l.words()
		}
		for _, s := range l.watch.States.List() {
			o.ways[s] = append(o.ways[s], way{o.clock(l.clock), int32(l.from), int32(l.to), int32(l.offset), l.watch.Of, l.bit})
			o.watched |= States(s)
		}
	}
	o.watched |= States(Dead)
	return nil
}

// way is a lane as spells need it.
type way struct {
	days     []Date // of the clock, by case; empty where no case has it
	from, to int32
	offset   int32
	of       Quantity
	bit      uint64
}

// measureDays bounds the days a measure reads, counted from the clock, whatever
// day the clock stands on: months differ in length, so both ends get slack.
func measureDays(m Measure) (from, to int) {
	clock := NewDate(2001, 1, 1)
	a, b := m.Days(clock)
	from, to = max(0, int(a-clock)-5), int(b-clock)+5
	return from, to
}

// addLane adds a lane or lengthens the one for the same clock and watch. A
// history and an outcome over the same states share a lane only when they
// overlap or touch, so that no days in between are kept for nothing.
func (o *Observer) addLane(clock Clock, watch Watch, from, to int) {
	if watch.States == 0 || from >= to {
		return
	}
	for i := range o.lanes {
		l := &o.lanes[i]
		if l.clock == clock && l.watch == watch && from <= l.to+63 && l.from <= to+63 {
			l.from, l.to = min(l.from, from), max(l.to, to)
			return
		}
	}
	o.lanes = append(o.lanes, lane{clock: clock, watch: watch, from: from, to: to})
}

// StateBytes is what the observer holds per case of the cohort, in bytes,
// beside the cases themselves.
func (o *Observer) StateBytes() int { return 8*o.stride + 4*o.depth + 8 }

// clock are the days a clock stands on, by case; none where no case has it.
func (o *Observer) clock(c Clock) []Date {
	switch c {
	case AtStart:
		return o.cases.Start
	case AtEnd:
		return o.cases.End
	}
	return o.cases.Referral
}

// anchor is the day a clock stands on for a case.
func (o *Observer) anchor(c Clock, i int32) Date {
	days := o.clock(c)
	if len(days) == 0 {
		return NoDate
	}
	return days[i]
}

// Add takes spells of persons of the cases. Spells come in any order and may
// overlap; days of one state unite, and amounts add up. It may be called by
// several goroutines at once and keeps none of the columns.
func (o *Observer) Add(b Spells) {
	if b.Employer != nil && !o.employers.Load() {
		o.employers.Store(true)
	}
	o.note(&b)
	// Spells that nobody watches are most of them in many studies, in no order that a
	// processor could guess: so the others are picked out first.
	var picked [1 << 10]int32
	m := marker{o: o, b: &b, limit: o.study.AsOf + 1, at: -1}
	for from := 0; from < len(b.Person); from += len(picked) {
		n := 0
		for i, s := range b.State[from:min(len(b.State), from+len(picked))] {
			picked[n&(len(picked)-1)] = int32(from + i)
			n += int(o.watched >> s & 1)
		}
		for _, k := range picked[:n] {
			m.mark(int(k))
		}
	}
	m.release()
}

// note remembers who occurs in the spells, and how far they reach.
func (o *Observer) note(b *Spells) {
	last := int32(-1)
	for persons := b.Person; len(persons) > 0; {
		n := min(8, len(persons))
		if n == 8 {
			// Spells of one person often stand together.
			p := (*[8]int32)(persons)
			if (p[0]^last)|(p[1]^last)|(p[2]^last)|(p[3]^last)|(p[4]^last)|(p[5]^last)|(p[6]^last)|(p[7]^last) == 0 {
				persons = persons[8:]
				continue
			}
		}
		for _, p := range persons[:n] {
			if p == last || p < 0 {
				continue
			}
			last = p
			if bit := uint32(1) << (p & 31); atomic.LoadUint32(&o.seen[p>>5])&bit == 0 {
				atomic.OrUint32(&o.seen[p>>5], bit)
			}
		}
		persons = persons[n:]
	}
	reach := Date(o.reach.Load())
	if reach >= o.study.AsOf {
		return // further it cannot be
	}
	// Days in (reach, as_of], told by one comparison, as they are few.
	from, room := reach+1, uint32(o.study.AsOf-reach)
	starts, ends := b.Start[:len(b.Person)], b.End[:len(b.Person)]
	for k, p := range b.Person {
		start, last := starts[k], ends[k]-1 // of NoDate a day beyond all others
		if uint32(start-from) < room || uint32(last-from) < room {
			if p < 0 {
				continue
			}
			for _, day := range [2]Date{start, last} {
				if uint32(day-from) < room {
					reach = max(reach, day)
				}
			}
			from, room = reach+1, uint32(o.study.AsOf-reach)
		}
	}
	raise(&o.reach, int32(reach))
}

// marker marks the days of spells, and holds the block that the last one fell on.
type marker struct {
	o     *Observer
	b     *Spells
	limit Date
	held  *block
	at    int32
}

func (m *marker) release() {
	if m.held != nil {
		m.held.Unlock()
	}
}

// mark marks the days of spell k.
func (m *marker) mark(k int) {
	o, b := m.o, m.b
	p, s, e := b.Person[k], b.Start[k], b.End[k]
	if p < 0 || s >= m.limit {
		return
	}
	if e == NoDate || e > m.limit {
		e = m.limit
	}
	if b.State[k] == Dead {
		lower(&o.deadOn[p], int32(s))
	}
	ways := o.ways[b.State[k]]
	if len(ways) == 0 || s >= e {
		return
	}
	if p>>blockBits != m.at {
		m.release()
		m.at = p >> blockBits
		o.blocks[m.at].Lock()
		m.held = o.room(m.at)
	}
	held := m.held
	if held.settled {
		return
	}
	for slot := o.first[p]; slot < o.first[p+1]; slot++ {
		i := o.caseOf[slot]
		in := int(slot) - held.base
		for w := range ways {
			w := &ways[w]
			if len(w.days) == 0 || w.days[i] == NoDate {
				continue
			}
			clock := w.days[i]
			from, to := max(int32(s-clock), w.from)-w.from, min(int32(e-clock), w.to)-w.from
			if from >= to {
				continue
			}
			held.lanes |= w.bit
			switch {
			case w.of == OfDays:
				mark(held.words[in*o.stride+int(w.offset):], int(from), int(to))
			case w.of == ofOwnDays:
				if b.Employer != nil && o.owns(i, b.Employer[k]) {
					mark(held.words[in*o.stride+int(w.offset):], int(from), int(to))
				}
			default:
				days := held.daily[in*o.depth+int(w.offset):]
				b.spread(k, w.of, clock+Date(w.from+from), days[from:to])
			}
		}
	}
}

// spread adds a spell's hours or kroner to days that begin on a day of its own.
func (b *Spells) spread(k int, of Quantity, first Date, days []uint32) {
	amounts, most := b.Hours, float64(MaxHours)
	if of == OfKroner {
		amounts, most = b.Amount, MaxAmount
	}
	if amounts == nil || !(amounts[k] >= 0 && amounts[k] <= most) || of == OfKroner && b.End[k] == NoDate {
		for i := range days {
			days[i] = joinDaily(days[i], untold)
		}
		return
	}
	if of == OfHours {
		v := uint32(math.Round(amounts[k] * hourPercent))
		for i := range days {
			days[i] = joinDaily(days[i], v)
		}
		return
	}
	// At most 10^12 øre times 10^5 days: far below 2^63.
	total, n := int64(math.Round(amounts[k]*ore)), int64(b.End[k]-b.Start[k])
	before := total * int64(first-b.Start[k]) / n
	for i := range days {
		upto := total * int64(first-b.Start[k]+Date(i)+1) / n
		days[i] = joinDaily(days[i], uint32(min(upto-before, maxDaily)))
		before = upto
	}
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

// Untold is how many cases of the cohort have, in the windows of outcomes that
// count hours or kroner, a spell that does not tell them.
func (o *Observer) Untold() int {
	n := int(o.told.Load())
	for k := range o.blocks {
		n += o.untold(int32(k))
	}
	return n
}

// untold is Untold of block k, which is not read off.
func (o *Observer) untold(k int32) (n int) {
	if o.blocks[k].daily == nil {
		return 0
	}
	o.prepare()
	from, to := o.slots(k)
	for slot := from; slot < to; slot++ {
		for a := range o.sheet.asks {
			if o.hides(&o.sheet.asks[a], &o.blocks[k], slot, o.caseOf[slot]) {
				n++
				break
			}
		}
	}
	return n
}

// hides says whether a spell in an outcome's window does not tell its hours or
// kroner. Lanes are longer than the window.
func (o *Observer) hides(a *asked, b *block, slot, i int32) bool {
	clock := o.anchor(a.Clock, i)
	if clock == NoDate {
		return false
	}
	span := &a.spans.list[clock-a.spans.first]
	for k := range a.watches {
		if w := &a.watches[k]; w.Of.amounts() && o.amounts(b, slot, w.lane, clock).Untold(span.from, span.to) {
			return true
		}
	}
	return false
}

// chunkSize is how many cases are read in a piece.
const chunkSize = 8192

// chunks runs f over [0, n) in pieces of a size, on all processors. f must write only to
// its own rows, so the result does not depend on the pieces.
func chunks(ctx context.Context, n, size int, f func(lo, hi int)) error {
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
	return Stopped(ctx)
}
