package ingest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
)

// spells hands over the spells of each batch, even where there are none; see
// [Dataset.Observe].
func (d *Dataset) spells(ctx context.Context, cases *effect.Cases, employers []effect.ID, sink func(*batch, effect.Spells) error) error {
	if !d.Has(Spells) {
		return fmt.Errorf("ingest: %w: %s", ErrNoTable, Spells)
	}
	cols, problems := d.plan(Spells, nil)
	if len(problems) > 0 {
		return &SchemaError{problems}
	}
	states := newStateIndex(d.opt.States, d.opt.Limits.TextBytes)
	cols[0].res, cols[1].res = newPersonIndex(cases.Persons, d.opt.Limits.TextBytes), states
	if employers == nil {
		cols[employerCol].absent = true
	}
	cols[employerCol].res = newPersonIndex(effect.NewIDs(employers...), d.opt.Limits.TextBytes)
	if err := d.narrow(ctx, Spells, cols); err != nil {
		return err
	}
	acc := d.newAccount(Spells, cols)
	var mu sync.Mutex
	var total spellCounts
	err := d.scan(ctx, Spells, cols, func() func(*batch) error {
		var s spellBatch
		return func(b *batch) error {
			if b.rows == 0 { // all of a unit was passed over
				return sink(b, effect.Spells{})
			}
			s.rejects = s.rejects[:0]
			spells, ok := s.whole(b)
			if !ok {
				spells = s.front(s.sift(b, cols))
			}
			mu.Lock()
			total.add(&s.spellCounts)
			acc.rejects = append(acc.rejects, s.rejects...)
			mu.Unlock()
			return sink(b, spells)
		}
	})
	if err != nil {
		return err
	}
	if n := narrowed(cols); n != nil {
		total.rows, total.orphans = total.rows+n.unread, total.orphans+n.unread
	}
	var unmapped error
	if len(total.unmapped) > 0 {
		unmapped = states.unmappedError(total.unmapped)
	}
	return d.closeSpells(acc, total, unmapped)
}

// closeSpells keeps what became of the rows of spells, and judges it.
func (d *Dataset) closeSpells(acc *account, total spellCounts, unmapped error) error {
	acc.count("orphans", total.orphans, orphanRule)
	acc.count("empty", total.empty, emptyRule)
	acc.count("used", total.used, "spells handed to the observation of outcomes")
	err := d.close(acc, total.rows)
	if unmapped != nil {
		return unmapped
	}
	return err
}

// spellCounts are the counts of rows by rule.
type spellCounts struct {
	rows, orphans, empty, used int64
	unmapped                   []int64 // by number of the unmapped code
}

func (c *spellCounts) add(o *spellCounts) {
	c.rows += o.rows
	c.orphans += o.orphans
	c.empty += o.empty
	c.used += o.used
	for i, n := range o.unmapped {
		c.addUnmapped(i, n)
	}
}

func (c *spellCounts) addUnmapped(i int, n int64) {
	for len(c.unmapped) <= i {
		c.unmapped = append(c.unmapped, 0)
	}
	c.unmapped[i] += n
}

// spellBatch is the scratch of one worker, and what it found in one batch.
type spellBatch struct {
	spellCounts
	rejects []reject
	spells  effect.Spells
}

// Where the columns of the contract stand.
const (
	hoursCol = 4 + iota
	amountCol
	employerCol
)

// spellField is a column of spells as the options want it.
func (d *Dataset) spellField(f field) (_ field, wanted bool) {
	switch f.name {
	case hoursColumn:
		f.required, f.nullable = d.opt.Hours, true
		return f, d.opt.Hours
	case amountColumn:
		f.required, f.nullable = d.opt.Amounts, true
		return f, d.opt.Amounts
	}
	return f, true
}

// front is the first n spells of the scratch.
func (s *spellBatch) front(n int) effect.Spells {
	b := s.spells
	b.Person, b.State, b.Start, b.End = b.Person[:n], b.State[:n], b.Start[:n], b.End[:n]
	if b.Hours != nil {
		b.Hours = b.Hours[:n]
	}
	if b.Amount != nil {
		b.Amount = b.Amount[:n]
	}
	if b.Employer != nil {
		b.Employer = b.Employer[:n]
	}
	return b
}

// ofAmount is the cause for hours or kroner, of which null is allowed.
func ofAmount(v, most float64) cause {
	switch {
	case math.IsInf(v, 0):
		return causeInfinite
	case v < 0 || v > most:
		return causeRange
	}
	return causeNone
}

// whole is the batch as it is, where no row is to be left out or counted but for
// being of another person: the check is one loop without a branch. ok is false otherwise.
func (s *spellBatch) whole(b *batch) (spells effect.Spells, ok bool) {
	if b.cols[3].ints == nil || b.cols[hoursCol].floats != nil || b.cols[amountCol].floats != nil || b.cols[employerCol].ints != nil {
		return spells, false
	}
	if s.spells.State == nil {
		s.spells.State = make([]effect.State, batchRows)
	}
	const never, dates = 1 << 29, 1 << 30 // every date lies between them, on either side of 0
	person, states := b.cols[0].ints[:b.rows], s.spells.State[:b.rows]
	state, start, end := b.cols[1].ints[:b.rows], b.cols[2].ints[:b.rows], b.cols[3].ints[:b.rows]
	var bad, orphans int32 // bad is below 0 once a row is
	for i, p := range person {
		st, from, to := state[i], start[i], end[i]
		states[i] = effect.State(st)
		if to == int32(effect.NoDate) {
			to = never
		}
		orphans -= p >> 31
		// An orphan's code is the smallest of those below 0. What is no date lies far below all dates.
		bad |= p&^(p-codeUnknown-1) | st | (firstUnmapped - 1 - st) | (from + dates) | (to - from - 1) | (to + dates)
	}
	if bad < 0 {
		return spells, false
	}
	s.spellCounts = spellCounts{rows: int64(b.rows), orphans: int64(orphans), used: int64(b.rows) - int64(orphans)}
	return effect.Spells{Person: person, State: states, Start: asDates(start), End: asDates(end)}, true
}

// sift copies the spells to hand over to the front of the scratch and returns
// how many there are.
func (s *spellBatch) sift(b *batch, cols []input) int {
	out := &s.spells
	hours, amount, employer := b.cols[hoursCol].floats, b.cols[amountCol].floats, b.cols[employerCol].ints // nil where not read
	if out.Person == nil {
		out.Person, out.State = make([]int32, batchRows), make([]effect.State, batchRows)
		out.Start, out.End = make([]effect.Date, batchRows), make([]effect.Date, batchRows)
		if hours != nil {
			out.Hours = make([]float64, batchRows)
		}
		if amount != nil {
			out.Amount = make([]float64, batchRows)
		}
		if employer != nil {
			out.Employer = make([]int32, batchRows)
		}
	}
	s.spellCounts = spellCounts{rows: int64(b.rows), unmapped: s.unmapped[:0]}
	reject := func(i, col int, why cause) {
		s.rejects = append(s.rejects, reject{b.row + int64(i), int32(b.part), int16(col), why})
	}
	none := int32(effect.NoDate)
	person, state, start := b.cols[0].ints[:b.rows], b.cols[1].ints[:b.rows], b.cols[2].ints[:b.rows]
	end := b.cols[3].ints        // nil where there is no such column
	all := cols[0].narrow == nil // else nobody asks what the states of others are
	n := 0
	for i, p := range person {
		st, from, to := state[i], start[i], none
		if end != nil {
			to = end[i]
		}
		switch {
		case st >= firstUnmapped && (all || p != codeUnknown):
			s.addUnmapped(int(st-firstUnmapped), 1)
		case p == codeUnknown:
			s.orphans++
		case p < 0:
			reject(i, 0, cols[0].ofCode(p))
		case st < 0:
			reject(i, 1, cols[1].ofCode(st))
		case from <= dateText:
			reject(i, 2, cols[2].ofDate(from))
		case to <= dateText && to != none:
			reject(i, 3, cols[3].ofDate(to))
		case to == from:
			s.empty++
		case to < from && to != none:
			reject(i, 3, causeOrder)
		case hours != nil && ofAmount(hours[i], effect.MaxHours) != causeNone:
			reject(i, hoursCol, ofAmount(hours[i], effect.MaxHours))
		case amount != nil && ofAmount(amount[i], effect.MaxAmount) != causeNone:
			reject(i, amountCol, ofAmount(amount[i], effect.MaxAmount))
		case employer != nil && employer[i] < 0 && employer[i] != codeUnknown && cols[employerCol].ofCode(employer[i]) != causeNone:
			reject(i, employerCol, cols[employerCol].ofCode(employer[i]))
		default:
			out.Person[n], out.State[n] = p, effect.State(st)
			out.Start[n], out.End[n] = effect.Date(from), effect.Date(to)
			if hours != nil {
				out.Hours[n] = hours[i]
			}
			if amount != nil {
				out.Amount[n] = amount[i]
			}
			if employer != nil {
				out.Employer[n] = max(-1, employer[i])
			}
			n++
		}
	}
	s.used = int64(n)
	return n
}

// firstUnmapped is the code of the first unmapped state; those below are states.
const firstUnmapped = 64

// stateIndex is the resolver of state codes.
type stateIndex struct {
	sync.Mutex
	maxText  int
	codes    map[string]int32
	unmapped []string
}

func newStateIndex(states map[string]effect.State, maxText int) *stateIndex {
	s := &stateIndex{maxText: maxText, codes: map[string]int32{}}
	for code, state := range states {
		s.codes[code] = int32(state)
	}
	return s
}

func (s *stateIndex) number(n int64) int32 { return s.text(strconv.AppendInt(nil, n, 10)) }

func (s *stateIndex) text(b []byte) int32 {
	if c, ok := s.codes[string(b)]; ok {
		return c
	}
	if c := checkText(b, s.maxText); c < 0 {
		return c
	}
	if state, err := effect.ParseState(string(b)); err == nil {
		s.codes[string(b)] = int32(state)
		return int32(state)
	}
	c := firstUnmapped + int32(len(s.unmapped))
	s.codes[string(b)] = c
	s.unmapped = append(s.unmapped, string(b))
	return c
}

func (s *stateIndex) unmappedError(rows []int64) error {
	e := &UnmappedStatesError{Table: Spells}
	for i, n := range rows {
		if n > 0 { // a dictionary can hold codes that no row has
			e.Codes = append(e.Codes, UnmappedState{s.unmapped[i], n})
		}
	}
	slices.SortFunc(e.Codes, func(a, b UnmappedState) int { return strings.Compare(a.Code, b.Code) })
	return e
}
