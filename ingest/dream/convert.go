package dream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Options say how a panel is read. Start from [DefaultOptions].
type Options struct {
	// Person names the column of persons; case does not count.
	Person string
	// Workers is how many goroutines read; 0 is GOMAXPROCS. Results do not depend
	// on it.
	Workers int
	// ReadPersons is how many persons a worker reads at a time at most: memory
	// follows it. The rows of a larger row group are read more than once.
	ReadPersons int
	// BlockPersons is how many persons are handed over at a time at most.
	BlockPersons int
	// Pseudonyms is the key by which pseudonyms are made of persons, as those of the
	// column person_id of a dataset; nil: persons are what the panel says.
	Pseudonyms *ingest.PseudonymKey
}

// DefaultOptions reads persons from the column pnr, 131,072 at a time, and hands
// over 32,768 at a time.
func DefaultOptions() Options {
	return Options{Person: "pnr", ReadPersons: 1 << 17, BlockPersons: 1 << 15}
}

// Block is the spells of consecutive persons of the panel, in the order of the
// panel; those of a person by start, a benefit before work of the same week. It
// is valid only during the call it is handed to.
type Block struct {
	Persons []effect.ID
	// Spells have Person as an index into Persons, and Hours unless the map leaves
	// hours out. Spells of one state do not touch or overlap, except that work of
	// other weekly hours is a spell of its own.
	Spells effect.Spells
	whole  bool
	key    *ingest.PseudonymKey
}

// Table is the block as the table spells of the contract.
func (b *Block) Table() *ingest.Table {
	person := ingest.Column{Name: "person_id", Doc: "person, as in the panel"}
	if b.key != nil {
		person.Doc, person.PseudonymsBy = "pseudonym of the person of the panel", b.key.Fingerprint()
	}
	if b.whole {
		person.Ints = make([]int64, len(b.Spells.Person))
		for i, p := range b.Spells.Person {
			person.Ints[i], _ = b.Persons[p].Number()
		}
	} else {
		person.Factor = &effect.Factor{Codes: b.Spells.Person, Levels: make([]string, len(b.Persons))}
		for i, id := range b.Persons {
			person.Factor.Levels[i] = id.String()
		}
	}
	state := &effect.Factor{Codes: make([]int32, len(b.Spells.State)), Levels: effect.StateNames()}
	for i, s := range b.Spells.State {
		state.Codes[i] = int32(s)
	}
	t := &ingest.Table{Name: ingest.Spells, Columns: []ingest.Column{
		person,
		{Name: "state", Doc: "canonical state", Factor: state},
		{Name: "start_date", Doc: "Monday of the first week", Dates: b.Spells.Start},
		{Name: "end_date", Doc: "Monday after the last week", Dates: b.Spells.End},
	}}
	if b.Spells.Hours != nil {
		t.Columns = append(t.Columns, ingest.Column{
			Name: "hours_per_week", Doc: "weekly hours of work from the month's employment degree; null where it is not told and for other states than work",
			Floats: b.Spells.Hours,
		})
	}
	return t
}

// Convert reads a panel and hands its spells to sink, block by block in the order
// of the panel; sink is called by one goroutine at a time, and an error from it
// stops the reading and is returned.
//
// The errors about the panel wrap [ErrPanel]: [ColumnsError], before anything is
// read; then, all that apply joined, [PersonsError], [UnmappedError] and
// [DegreesError], for which the whole panel is read. Sink is not called once one of
// them is known, and what it was given before is then worth nothing. A map that
// makes no sense is an error that wraps [ErrMap]; damaged files are
// *ingest.FileError.
func Convert(ctx context.Context, panel *ingest.Panel, m *Map, opt Options, sink func(*Block) error) (*Report, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("dream: %w", err)
	}
	if opt.Person == "" || opt.ReadPersons < 1 || opt.ReadPersons > math.MaxInt32 || opt.BlockPersons < 1 {
		return nil, errors.New("dream: the options need a column of persons, and to read and hand over at least one person at a time")
	}
	layout, err := readLayout(panel, m, opt.Person)
	if err != nil {
		return nil, err
	}
	c := &conversion{
		panel: panel, m: m, layout: layout, key: opt.Pseudonyms, blocks: panel.Blocks(opt.ReadPersons), size: opt.BlockPersons,
		total: totals{byCode: map[effect.ID]int64{}, bad: map[month]int64{}},
	}
	persons, err := checkPersons(ctx, c)
	if err != nil {
		return nil, err
	}
	c.void = persons != nil
	if err := c.run(ctx, cmp.Or(max(0, opt.Workers), runtime.GOMAXPROCS(0)), sink); err != nil {
		return nil, err
	}
	var errs []error
	if c.total.persons == 0 {
		errs = append(errs, fmt.Errorf("dream: %w: it has no rows", ErrPanel))
	}
	if persons != nil {
		errs = append(errs, persons)
	}
	errs = append(errs, c.total.problems(m)...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c.report(), nil
}

// conversion is one call of Convert.
type conversion struct {
	panel  *ingest.Panel
	m      *Map
	layout *layout
	blocks []ingest.PanelBlock // as they are read
	size   int                 // of the blocks that are handed over
	key    *ingest.PseudonymKey
	void   bool // nothing is handed over

	mu    sync.Mutex
	total totals
}

// totals are the counts of all blocks.
type totals struct {
	persons, without int64
	weeks            [sorts]int64
	byState          [64]int64
	untold           int64 // weeks of work without hours
	afterDeath       int64
	spells           int64
	byCode           map[effect.ID]int64
	bad              map[month]int64
}

// problems are what the reading found wrong, nil for nothing.
func (t *totals) problems(m *Map) (errs []error) {
	var unmapped []effect.ID
	for code := range t.byCode {
		if m.entry(code) == nil {
			unmapped = append(unmapped, code)
		}
	}
	if len(unmapped) > 0 {
		slices.SortFunc(unmapped, effect.ID.Compare)
		e := &UnmappedError{}
		for _, code := range unmapped {
			e.Codes = append(e.Codes, Unmapped{code.String(), t.byCode[code]})
		}
		errs = append(errs, e)
	}
	if len(t.bad) > 0 {
		e := &DegreesError{}
		for _, k := range sortedKeys(t.bad) {
			e.Columns = append(e.Columns, BadDegrees{gradKind.prefix() + k.String(), t.bad[k]})
		}
		errs = append(errs, e)
	}
	return errs
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// run reads as many blocks side by side as there are workers, and hands over what
// came of them in their order. A worker keeps what it has read until its turn comes.
func (c *conversion) run(ctx context.Context, workers int, sink func(*Block) error) error {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type job struct {
		block int
		done  chan *Block
	}
	workers = max(1, min(workers, len(c.blocks)))
	all := int64(0)
	for i := range c.blocks {
		all += int64(c.blocks[i].Rows)
	}
	count := effect.Count(ctx, "converting the panel", "persons", all)
	jobs := make(chan job)
	queue := make(chan chan *Block, workers)
	go func() {
		defer close(queue)
		defer close(jobs)
		for i := range c.blocks {
			j := job{i, make(chan *Block)}
			select {
			case jobs <- j:
				queue <- j.done // there is room: no more jobs are under way than workers
			case <-ctx.Done():
				return
			}
		}
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	for range workers {
		wg.Go(func() {
			w := newWorker(c)
			for j := range jobs {
				if err := w.convert(ctx, &c.blocks[j.block], j.done); err != nil {
					cancel(err)
				}
				count.Add(int64(c.blocks[j.block].Rows))
				close(j.done)
			}
		})
	}
	for done := range queue {
		for b := range done {
			if c.stopped() || ctx.Err() != nil {
				continue
			}
			if err := sink(b); err != nil {
				cancel(err)
			}
		}
	}
	if err := effect.Stopped(outer); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// stopped says whether something is known for which the panel is refused.
func (c *conversion) stopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.void
}

// worker is the scratch of one goroutine.
type worker struct {
	c       *conversion
	reader  *ingest.PanelReader
	lives   lives
	codes   []int32
	branche []int32
	grad    []float64
	starts  []int32
	out     [2]Block // used in turn
	turn    int
}

func newWorker(c *conversion) *worker {
	w := &worker{c: c, reader: c.panel.Reader()}
	w.lives.m, w.lives.codes = c.m, newCoder(c.m)
	return w
}

// convert reads a block and hands over its spells, in blocks of the size asked for.
func (w *worker) convert(ctx context.Context, in *ingest.PanelBlock, done chan<- *Block) error {
	bad, err := w.read(ctx, in)
	if err != nil {
		return err
	}
	ids, err := w.reader.IDs(in, w.c.layout.sheets[in.Part].person, w.c.key, w.codes)
	if err != nil {
		return err
	}
	w.account(bad)
	for from := 0; from < in.Rows; from += w.c.size {
		b := &w.out[w.turn]
		w.turn = 1 - w.turn // what was handed over before may be in use still
		w.lay(b, ids, from, min(from+w.c.size, in.Rows))
		select {
		case done <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// read follows the persons of a block through all weeks, and says how many degrees
// of which months make no sense.
func (w *worker) read(ctx context.Context, in *ingest.PanelBlock) (bad map[month]int64, err error) {
	l := &w.lives
	layout, sheet := w.c.layout, w.c.layout.sheets[in.Part]
	w.codes = grow(w.codes, in.Rows)
	l.begin(in.Rows)
	l.tally = tally{byCode: make([]int64, len(l.codes.codes))}
	bad = map[month]int64{}
	for i, monday := range layout.weeks {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		of := layout.months[i]
		newMonth := i == 0 || of != layout.months[i-1]
		if newMonth {
			n, err := w.month(in, sheet, of, layout.told[i])
			if err != nil {
				return nil, err
			}
			if n > 0 {
				bad[of] = n
			}
		}
		if err := w.reader.Codes(in, sheet.name(weekKind, int(monday)), l.codes, w.codes); err != nil {
			return nil, err
		}
		l.week(i, newMonth, w.codes)
	}
	l.finish(len(layout.weeks))
	return bad, nil
}

// month reads the columns of a month.
func (w *worker) month(in *ingest.PanelBlock, s *sheet, of month, told bool) (bad int64, err error) {
	w.lives.told = false
	if !told {
		return 0, nil
	}
	var branche []int32
	var grad []float64
	if name := s.name(brancheKind, int(of)); name != "" && w.c.m.Income != IncomeGrad {
		w.branche = grow(w.branche, in.Rows)
		branche = w.branche
		if err := w.reader.Codes(in, name, presence{}, branche); err != nil {
			return 0, err
		}
	}
	if name := s.name(gradKind, int(of)); name != "" {
		w.grad = grow(w.grad, in.Rows)
		grad = w.grad
		if err := w.reader.Numbers(in, name, grad); err != nil {
			return 0, err
		}
	}
	return w.lives.month(branche, grad), nil
}

// lay puts the spells of the rows [from, to) in the order of persons. Those of a
// person were opened in the order of weeks, and stay in it.
func (w *worker) lay(out *Block, ids []effect.ID, from, to int) {
	l := &w.lives
	rows := to - from
	out.whole, out.key = w.c.layout.whole && w.c.key == nil, w.c.key
	out.Persons = grow(out.Persons, rows)
	for i, k := range w.codes[from:to] {
		out.Persons[i] = effect.ID{} // a panel with such rows is refused
		if k >= 0 {
			out.Persons[i] = ids[k]
		}
	}
	w.starts = grow(w.starts, rows+1)
	clear(w.starts)
	for i := range l.spells {
		if row := int(l.spells[i].row) - from; uint(row) < uint(rows) {
			w.starts[row+1]++
		}
	}
	for i := range rows {
		w.starts[i+1] += w.starts[i]
	}
	n := int(w.starts[rows])
	s := &out.Spells
	s.Person, s.State = grow(s.Person, n), grow(s.State, n)
	s.Start, s.End = grow(s.Start, n), grow(s.End, n)
	if l.m.FullHours > 0 {
		s.Hours = grow(s.Hours, n)
	}
	first := w.c.layout.weeks[0]
	for i := range l.spells {
		x := &l.spells[i]
		row := int(x.row) - from
		if uint(row) >= uint(rows) {
			continue
		}
		at := w.starts[row]
		w.starts[row]++
		s.Person[at], s.State[at] = int32(row), effect.State(x.state)
		s.Start[at], s.End[at] = first+7*effect.Date(x.start), first+7*effect.Date(x.end)
		if s.Hours != nil {
			s.Hours[at] = math.NaN()
			if x.hours != noHours {
				s.Hours[at] = float64(x.hours) / 100
			}
		}
	}
}

// account adds the counts of a block.
func (w *worker) account(bad map[month]int64) {
	l, c := &w.lives, w.c
	var byState [64]int64
	var untold int64
	for i := range l.spells {
		x := &l.spells[i]
		weeks := int64(x.end - x.start)
		byState[x.state] += weeks
		if x.state == uint8(effect.OrdinaryEmployment) && x.hours == noHours {
			untold += weeks
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.total
	t.persons += int64(l.rows)
	t.without += l.without
	t.untold += untold
	t.spells += int64(len(l.spells))
	t.afterDeath += l.afterDeath
	for i, n := range l.weeks {
		t.weeks[i] += n
	}
	for i, n := range byState {
		t.byState[i] += n
	}
	for k, n := range l.byCode {
		if n > 0 && k > 0 {
			t.byCode[l.codes.codes[k]] += n
			c.void = c.void || !l.codes.meanings[k].mapped
		}
	}
	for k, n := range bad {
		t.bad[k] += n
		c.void = true
	}
}
