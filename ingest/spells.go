package ingest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Spells reads the spells of the persons who occur in the cases and hands them
// to sink in batches: the person as an index into cases.Persons, the state, and
// [start, end) with NoDate for an end that is open. Sink is called from several
// goroutines at once, in any order, and the slices are its own only during the
// call; an error from it stops the reading and is returned.
//
// Rows of other persons are counted only. A spell that ends on the day it starts
// covers no day: it is counted, and not handed over. A state code that is not
// mapped is counted over the whole table and then returned as an
// [UnmappedStatesError]; what sink was given is then worth nothing. The other
// errors are those of [Dataset.Cases].
func (d *Dataset) Spells(ctx context.Context, cases *effect.Cases, sink func(person []int32, state []effect.State, start, end []effect.Date) error) error {
	if !d.Has(Spells) {
		return fmt.Errorf("ingest: %w: %s", ErrNoTable, Spells)
	}
	cols, problems := d.plan(Spells, nil)
	if len(problems) > 0 {
		return &SchemaError{problems}
	}
	states := newStateIndex(d.opt.States, d.opt.Limits.TextBytes)
	cols[0].res, cols[1].res = newPersonIndex(cases.Persons, d.opt.Limits.TextBytes), states
	acc := d.newAccount(Spells, cols)
	var mu sync.Mutex
	var total spellCounts
	err := d.scan(ctx, Spells, cols, func() func(*batch) error {
		var s spellBatch
		return func(b *batch) error {
			n := s.sift(b, cols)
			mu.Lock()
			total.add(&s.spellCounts)
			acc.rejects = append(acc.rejects, s.rejects...)
			mu.Unlock()
			if n == 0 {
				return nil
			}
			return sink(s.person[:n], s.state[:n], s.start[:n], s.end[:n])
		}
	})
	if err != nil {
		return err
	}
	acc.count("orphans", total.orphans, orphanRule)
	acc.count("empty", total.empty, emptyRule)
	acc.count("used", total.used, "spells handed to the observation of outcomes")
	err = d.close(acc, total.rows)
	if len(total.unmapped) > 0 {
		return states.unmappedError(total.unmapped)
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
	rejects    []reject
	person     []int32
	state      []effect.State
	start, end []effect.Date
}

// sift copies the spells to hand over to the front of the scratch and returns
// how many there are.
func (s *spellBatch) sift(b *batch, cols []input) int {
	if s.person == nil {
		s.person, s.state = make([]int32, batchRows), make([]effect.State, batchRows)
		s.start, s.end = make([]effect.Date, batchRows), make([]effect.Date, batchRows)
	}
	s.rejects, s.unmapped = s.rejects[:0], s.unmapped[:0]
	s.spellCounts = spellCounts{rows: int64(b.rows), unmapped: s.unmapped}
	reject := func(i, col int, why cause) {
		s.rejects = append(s.rejects, reject{b.row + int64(i), int32(b.part), int16(col), why})
	}
	none := int32(effect.NoDate)
	person, state, start := b.cols[0].ints[:b.rows], b.cols[1].ints[:b.rows], b.cols[2].ints[:b.rows]
	end := b.cols[3].ints // nil where there is no such column
	n := 0
	for i, p := range person {
		st, from, to := state[i], start[i], none
		if end != nil {
			to = end[i]
		}
		switch {
		case st >= firstUnmapped:
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
		default:
			s.person[n], s.state[n] = p, effect.State(st)
			s.start[n], s.end[n] = effect.Date(from), effect.Date(to)
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
