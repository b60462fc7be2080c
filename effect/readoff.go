package effect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Expect says that a unit of spells, as a part of a table that is read at once, may
// hold some of the persons [from, to) and of no others. All units are expected before the
// first spell is added; of persons that no unit was expected for, spells may be
// added until the end.
func (o *Observer) Expect(from, to int) {
	o.open++
	for k := range o.blocksOf(from, to) {
		o.blocks[k].units++
	}
}

// Done says that all spells of a unit that was expected have been added. A block of
// persons whose last unit it was is read off at once, and its days are given back: so
// spells that stand in the order of persons need the days of a few persons at a time,
// and spells in no order those of the whole cohort. What is read off is the same. It
// may be called by several goroutines at once.
func (o *Observer) Done(from, to int) {
	var ready []int32
	o.opened.Lock()
	o.open--
	for k := range o.blocksOf(from, to) {
		if o.blocks[k].units--; o.blocks[k].units == 0 {
			ready = append(ready, int32(k))
		}
	}
	// What is left at the end is read off by all processors.
	last := o.open == 0
	o.opened.Unlock()
	if last || len(ready) == 0 {
		return
	}
	if o.kept != nil {
		for _, k := range ready {
			o.keep(k)
		}
		return
	}
	o.prepare()
	t := o.sheet.borrow()
	for _, k := range ready {
		o.settle(k, t)
	}
	o.sheet.giveBack(t)
}

// blocksOf are the blocks of the persons [from, to).
func (o *Observer) blocksOf(from, to int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for k := from >> blockBits; from < to && k <= (to-1)>>blockBits && yield(k); k++ {
		}
	}
}

// sheet is what is read off, block by block: a row of every case, unless only
// cells are asked for, and the cells.
type sheet struct {
	asks    []asked
	columns []historyColumn
	past    []*lane // of each column
	lagged  []*lane // of each column before the placebo's weeks
	placebo *lane
	signals *signalLanes
	cells   cellIndex
	late    atomic.Bool // of some case it is not known yet whether it was followed

	mu    sync.Mutex
	spare []*tally
	all   []*tally

	out      *Observations // nil where only cells are asked for
	history  []Covariate
	gathered []*gathering // by outcome
}

// asked is an outcome, and where what it watches stands.
type asked struct {
	Outcome
	watches []watched
	abroad  *lane
	spans   spans
	events  *names // nil for what is not [Timed]
	codes   []int32
}

// spans are what a measure reads and when it closes, by the day of the clock: cases
// are many, days few.
type spans struct {
	first Date
	list  []daySpan
}

type daySpan struct{ from, to, ends Date }

// newSpans asks the measure once for every day on which the clock stands.
func newSpans(m Measure, clock []Date) spans {
	first, last := Date(math.MaxInt32), NoDate
	for _, d := range clock {
		if d != NoDate {
			first, last = min(first, d), max(last, d)
		}
	}
	if first > last {
		return spans{}
	}
	s := spans{first, make([]daySpan, last-first+1)}
	for _, d := range clock {
		if d == NoDate {
			continue
		}
		if span := &s.list[d-first]; *span == (daySpan{}) {
			from, to := m.Days(d)
			*span = daySpan{from, to, m.Closes(d)}
		}
	}
	return s
}

// watched is what a measure watches, found once for all cases.
type watched struct {
	Watch
	lane    *lane
	numbers []float64 // of OfNumber
}

// prepare makes the sheet.
func (o *Observer) prepare() {
	o.prepared.Do(func() {
		s := &sheet{columns: o.study.History.columns(), cells: o.cases.cells(false)}
		for _, outcome := range o.study.Outcomes {
			a := asked{Outcome: outcome, spans: newSpans(outcome.Measure, o.clock(outcome.Clock))}
			from, to := measureDays(outcome.Measure)
			for _, w := range outcome.Measure.Watches() {
				x := watched{Watch: w}
				if w.Of == OfNumber {
					c, _ := o.cases.Covariate(w.Column)
					x.numbers = c.Number
				} else {
					x.lane = o.find(outcome.Clock, w, from, to)
				}
				a.watches = append(a.watches, x)
			}
			a.abroad = o.find(outcome.Clock, Watch{States: States(Emigrated)}, from, to)
			s.asks = append(s.asks, a)
		}
		lag := o.study.Placebo
		for _, c := range s.columns {
			w := Watch{States: c.states}
			s.past = append(s.past, o.find(AtReferral, w, -7*c.weeks, 0))
			s.lagged = append(s.lagged, o.find(AtReferral, w, -7*(c.weeks+lag), -7*lag))
		}
		s.placebo = o.find(AtReferral, Watch{States: Employment}, -7*lag, 0)
		if !o.study.CellsOnly {
			o.lay(s)
		}
		o.sheet = s
	})
}

// lay makes the columns of what is read off of every case.
func (o *Observer) lay(s *sheet) {
	n := o.cases.Len()
	cases := *o.cases
	cases.Covariates = append(slices.Clone(cases.Covariates), blank(s.columns, n)...)
	s.history = cases.Covariates[len(cases.Covariates)-len(s.columns):]
	if weeks := o.study.Placebo; weeks > 0 {
		cases.Placebo = &Placebo{Weeks: weeks, Value: make([]float64, n), Covariates: blank(s.columns, n)}
	}
	s.out = &Observations{AsOf: o.study.AsOf, Period: o.study.Cohort.Period, Cases: &cases}
	s.gathered = make([]*gathering, len(s.asks))
	for k := range s.asks {
		a := &s.asks[k]
		s.out.Results = append(s.out.Results, Result{
			Outcome: a.Name, Unit: a.Measure.Unit(), Absence: a.Measure.Absence(),
			Status: make([]Status, n), Reason: make([]Reason, n), Value: make([]float64, n),
			ReachedOn: make([]Date, n), WindowEnd: make([]Date, n),
			Complete: make([]bool, n), Followed: make([]bool, n),
		})
		if _, timed := a.Measure.(Timed); timed {
			s.out.Results[k].Days, a.codes, a.events = make([]int32, n), make([]int32, n), &names{}
		}
		if a.Dated {
			s.gathered[k] = newGathering(n, len(o.blocks))
		}
	}
	if o.study.Signals {
		s.out.Signals, s.signals = o.newSignals(n), o.findSignals()
	}
}

// blank makes columns of numbers for the history.
func blank(columns []historyColumn, n int) []Covariate {
	var out []Covariate
	for _, c := range columns {
		out = append(out, Covariate{Name: c.name, Number: make([]float64, n), Dated: true})
	}
	return out
}

// find returns the lane that holds a watch for the days, nil where there is none.
func (o *Observer) find(clock Clock, watch Watch, from, to int) *lane {
	for i := range o.lanes {
		l := &o.lanes[i]
		if l.clock == clock && l.watch == watch && l.from <= from && to <= l.to {
			return l
		}
	}
	return nil
}

// borrow returns a tally that no other worker has.
func (s *sheet) borrow() *tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := len(s.spare) - 1; k >= 0 {
		t := s.spare[k]
		s.spare = s.spare[:k]
		return t
	}
	cells := len(s.cells.list)
	t := &tally{cohort: make([]int64, cells), figures: make([]figure, cells*len(s.asks)), days: make([]int64, cells*len(s.columns))}
	for k := range s.asks {
		w := len(s.asks[k].watches)
		t.sights = append(t.sights, Sight{Days: make([]DayView, w), Amounts: make([]AmountView, w), Numbers: make([]float64, w)})
	}
	s.all = append(s.all, t)
	return t
}

func (s *sheet) giveBack(t *tally) {
	s.mu.Lock()
	s.spare = append(s.spare, t)
	s.mu.Unlock()
}

// settle reads block k off and gives its days back.
func (o *Observer) settle(k int32, t *tally) {
	s, b := o.sheet, &o.blocks[k]
	b.Lock()
	defer b.Unlock()
	if b.settled {
		return
	}
	from, to := o.slots(k)
	for slot := from; slot < to; slot++ {
		i := o.caseOf[slot]
		cell := int(s.cells.of[i])
		t.cohort[cell]++
		figures := t.figures[cell*len(s.asks) : (cell+1)*len(s.asks)]
		days := t.days[cell*len(s.columns) : (cell+1)*len(s.columns)]
		at := o.cases.Referral[i]
		for c := range s.columns {
			v := o.past(b, slot, s.past[c], &s.columns[c], at)
			days[c] += int64(v)
			if s.out != nil {
				s.history[c].Number[i] = float64(v) / 7
			}
		}
		for a := range s.asks {
			row := o.read(&s.asks[a], &t.sights[a], b, slot, i)
			if row.reason == NoReason {
				f := &figures[a]
				f.n++
				f.sum.add(row.value)
				if row.status == Reached {
					f.reached++
				}
			}
			if s.out == nil {
				continue
			}
			s.put(a, i, &row)
			if row.followed && row.to-1 > Date(o.reach.Load()) {
				s.late.Store(true)
			}
			if g := s.gathered[a]; g != nil && (row.reason == NoReason || row.reason == ReasonLeft || row.reason == ReasonPending) {
				g.add(s.asks[a].Measure.(Dating), &t.sights[a], k, i)
			}
		}
		if s.out != nil {
			o.beside(s, b, slot, i)
		}
	}
	o.told.Add(int64(o.untold(k)))
	b.settled, b.lanes = true, 0
	if b.words != nil || b.daily != nil {
		o.spare.give(b)
	}
}

// beside reads the placebo and the signals.
func (o *Observer) beside(s *sheet, b *block, slot, i int32) {
	if p := s.out.Cases.Placebo; p != nil {
		days, at := Date(7*p.Weeks), o.cases.Referral[i]
		p.Value[i] = float64(o.days(b, slot, s.placebo, at).Count(at-days, at)) / float64(days)
		for c := range s.columns {
			p.Covariates[c].Number[i] = float64(o.past(b, slot, s.lagged[c], &s.columns[c], at-days)) / 7
		}
	}
	if s.signals != nil {
		o.signal(s.out.Signals, s.signals, b, slot, i)
	}
}

// days returns the days of a slot in a lane whose clock stands on a day.
func (o *Observer) days(b *block, slot int32, l *lane, clock Date) DayView {
	if l == nil || b.words == nil || b.lanes&l.bit == 0 {
		return DayView{} // nothing is watched, or no spell fell on it
	}
	at := (int(slot)-b.base)*o.stride + l.offset
	return DayView{words: b.words[at : at+l.words()], base: clock + Date(l.from)}
}

// amounts is days for hours and kroner.
func (o *Observer) amounts(b *block, slot int32, l *lane, clock Date) AmountView {
	if l == nil || b.daily == nil {
		return AmountView{}
	}
	at := (int(slot)-b.base)*o.depth + l.offset
	return AmountView{days: b.daily[at : at+l.to-l.from], base: clock + Date(l.from)}
}

// past reads a column of the history, in days, as it stood on a day.
func (o *Observer) past(b *block, slot int32, l *lane, c *historyColumn, on Date) int {
	if b.words == nil || l == nil || b.lanes&l.bit == 0 {
		return 0 // on no day
	}
	return c.read(o.days(b, slot, l, o.cases.Referral[o.caseOf[slot]]), on, o.study.History.ElapsedGap)
}

// row is what became of one outcome of one case.
type row struct {
	status       Status
	reason       Reason
	value        float64
	reached, end Date
	complete     bool
	followed     bool // as far as the case tells; the registers must reach to-1 too
	to           Date // the day after the last that is read
	time         int32
	event        string
}

// put writes a row.
func (s *sheet) put(a int, i int32, row *row) {
	r := &s.out.Results[a]
	r.Status[i], r.Reason[i], r.Value[i] = row.status, row.reason, row.value
	r.ReachedOn[i], r.WindowEnd[i] = row.reached, row.end
	r.Complete[i], r.Followed[i] = row.complete, row.followed
	if r.Days != nil {
		r.Days[i], s.asks[a].codes[i] = row.time, s.asks[a].events.code(row.event)
	}
}

// leftOut is the row of a case that an outcome is not read of.
func leftOut(why Reason) row {
	return row{reason: why, value: nan, reached: NoDate, end: NoDate, time: NoTime}
}

// read tells what became of one outcome of a slot.
func (o *Observer) read(a *asked, sight *Sight, b *block, slot, i int32) row {
	clock := o.anchor(a.Clock, i)
	if clock == NoDate {
		return leftOut(ReasonNoClock)
	}
	m := a.Measure
	span := &a.spans.list[clock-a.spans.first]
	from, to, ends := span.from, span.to, span.ends
	// Death is for good; a stay abroad matters only on the days that are read.
	p := o.cases.Person[i]
	died := Date(o.deadOn[p])
	leftOn := died
	if abroad := o.days(b, slot, a.abroad, clock).First(from, to); abroad != NoDate {
		leftOn = min(leftOn, abroad)
	}
	left := leftOn < to
	sight.End = o.study.AsOf + 1
	sight.Clock, sight.Closed, sight.Left, sight.Dead = clock, ends <= o.study.AsOf, NoDate, left && died == leftOn
	if left {
		sight.Left = leftOn
	}
	for k := range a.watches {
		switch w := &a.watches[k]; {
		case w.Of == OfNumber:
			sight.Numbers[k] = w.numbers[i]
		case w.Of.amounts():
			sight.Amounts[k] = o.amounts(b, slot, w.lane, clock)
		default:
			sight.Days[k] = o.days(b, slot, w.lane, clock)
		}
	}
	got := m.Read(sight)
	if left && got.Reached != NoDate && leftOn <= got.Reached {
		got.Value, got.Reached = nan, NoDate // nobody reaches anything after leaving
	}
	out := row{
		reason: got.Reason, value: nan, reached: NoDate, end: NoDate, to: to,
		followed: o.seen[p>>5]&(1<<(p&31)) != 0 && !got.Unknown, time: got.Time, event: got.Event,
	}
	if got.Reason != NoReason {
		if got.Reason != ReasonNotAtRisk {
			out.end = ends
		}
		return out
	}
	out.value, out.reached, out.end = got.Value, got.Reached, ends
	out.complete = sight.Closed && !left
	switch {
	case got.Reached != NoDate:
		out.status = Reached
	case left:
		out.status = Left
	case !sight.Closed:
		out.status = Pending
	default:
		out.status = NotReached
	}
	switch {
	case left:
		out.reason = ReasonLeft
	case !sight.Closed:
		out.reason = ReasonPending
	}
	return out
}

// finish reads off what is left, on all processors, and adds the tallies up.
func (o *Observer) finish(ctx context.Context) (*tally, error) {
	o.prepare()
	err := chunks(ctx, len(o.blocks), 1, func(lo, hi int) {
		t := o.sheet.borrow()
		for k := lo; k < hi; k++ {
			o.settle(int32(k), t)
		}
		o.sheet.giveBack(t)
	})
	if err != nil {
		return nil, err
	}
	if o.strayed.Load() {
		return nil, fmt.Errorf("%w: a spell was added of a person of whom none was expected any more", ErrOutcome)
	}
	all := o.sheet.borrow()
	for _, t := range o.sheet.all {
		if t != all {
			all.join(t)
			*t = tally{}
		}
	}
	o.sheet.all, o.sheet.spare = []*tally{all}, []*tally{all}
	return all, nil
}

// Cells reads off what became of the cohort, cell by cell: what [Observations.Cells]
// has. Nothing may be added meanwhile, or afterwards.
func (o *Observer) Cells(ctx context.Context) ([]CellRow, error) {
	t, err := o.finish(ctx)
	if err != nil {
		return nil, err
	}
	return o.sheet.rows(t), nil
}

// Observations reads off what became of every case. The covariates of the
// cases are followed by those from history. Nothing may be added meanwhile, or
// afterwards. It returns an error wrapping ErrOutcome where the study asks for cells only.
func (o *Observer) Observations(ctx context.Context) (*Observations, error) {
	if o.study.CellsOnly {
		return nil, fmt.Errorf("%w: a study of cells only keeps no cases", ErrOutcome)
	}
	t, err := o.finish(ctx)
	if err != nil {
		return nil, err
	}
	s := o.sheet
	out, cases := s.out, s.out.Cases
	out.Cells = s.rows(t)
	reach := o.study.RegistersReach
	if reach == NoDate {
		reach = Date(o.reach.Load())
	}
	check := s.late.Load() || o.study.RegistersReach != NoDate
	err = chunks(ctx, cases.Len(), chunkSize, func(lo, hi int) {
		for i := int32(lo); i < int32(hi); i++ {
			if o.slotOf[i] < 0 {
				o.leaveOut(s, i)
				continue
			}
			for k := 0; k < len(s.asks) && check; k++ {
				if r := &out.Results[k]; r.Followed[i] {
					in := &s.asks[k].spans
					r.Followed[i] = in.list[o.anchor(s.asks[k].Clock, i)-in.first].to-1 <= reach
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for k := range s.asks {
		r := &out.Results[k]
		if r.Days != nil {
			r.Event = s.asks[k].events.factor(s.asks[k].codes)
		}
		if s.gathered[k] != nil {
			r.Dates = s.gathered[k].dates(o)
		}
		out.Attrition = append(out.Attrition, attrition(&s.cells, r)...)
	}
	if out.Signals != nil && !o.employers.Load() {
		out.Signals.OwnEmployerDays = nil
	}
	quarters, months := calendar(cases.Referral)
	cases.Covariates = append(cases.Covariates,
		Covariate{Name: ReferralQuarter, Factor: quarters, Dated: true},
		Covariate{Name: ReferralMonth, Factor: months, Dated: true})
	return out, nil
}

// leaveOut writes the rows of a case outside the cohort.
func (o *Observer) leaveOut(s *sheet, i int32) {
	none := leftOut(o.excluded[i])
	for k := range s.asks {
		s.put(k, i, &none)
	}
	for c := range s.history {
		s.history[c].Number[i] = nan
	}
	if p := s.out.Cases.Placebo; p != nil {
		p.Value[i] = nan
		for c := range p.Covariates {
			p.Covariates[c].Number[i] = nan
		}
	}
	if g := s.out.Signals; g != nil {
		g.RunStart[i], g.RunEnd[i] = NoDate, NoDate
	}
}

// calendar are the quarters and the months of days, as names.
func calendar(days []Date) (quarters, months Factor) {
	named := map[Date][2]int32{} // days are few, cases many
	var q, m names
	quarters.Codes, months.Codes = make([]int32, len(days)), make([]int32, len(days))
	last, codes := NoDate, [2]int32{-1, -1}
	for i, d := range days {
		if d != last || i == 0 {
			var ok bool
			if codes, ok = named[d]; !ok {
				codes = [2]int32{q.code(d.Quarter()), m.code(d.Month())}
				named[d] = codes
			}
			last = d
		}
		quarters.Codes[i], months.Codes[i] = codes[0], codes[1]
	}
	return q.factor(quarters.Codes), m.factor(months.Codes)
}

// names numbers names as they come. It may be used by several goroutines at once.
type names struct {
	mu   sync.Mutex
	list atomic.Pointer[[]string]
}

// code is the number of a name, -1 of "".
func (n *names) code(name string) int32 {
	if name == "" {
		return -1
	}
	if list := n.list.Load(); list != nil {
		if k := slices.Index(*list, name); k >= 0 {
			return int32(k)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	if old := n.list.Load(); old != nil {
		if k := slices.Index(*old, name); k >= 0 {
			return int32(k)
		}
		list = slices.Clone(*old)
	}
	list = append(list, name)
	n.list.Store(&list)
	return int32(len(list) - 1)
}

// factor is the column of these codes, with its levels in order.
func (n *names) factor(codes []int32) Factor {
	f := Factor{Codes: codes}
	if list := n.list.Load(); list != nil {
		f.Levels = slices.Clone(*list)
	}
	f.Sort()
	return f
}
