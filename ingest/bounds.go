package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Sink is what [Dataset.Observe] hands spells to, as an [effect.Observer].
type Sink interface {
	// Expect says that a unit of the table may hold spells of the persons [from, to)
	// of the cases, and of no others of them. It is called for every unit before the first Add.
	Expect(from, to int)
	Add(spells effect.Spells)
	// Done says that the spells of a unit that was expected have all been added.
	Done(from, to int)
}

// Observe reads the spells of the persons who occur in the cases and hands them to the
// sinks in batches, with the hours and amounts that the options ask for. Employers,
// ascending and distinct, are those to tell apart by the column employer_id; where they
// are nil it is not read.
//
// It says which persons a unit of the table may hold: those between the smallest and
// the largest person_id that the statistics of a row group tell, or all of them where
// it has none, or where pseudonyms are made of persons as they are read. So a sink that is handed spells in the order of persons can finish with
// one before it meets the next. Nothing asks whether the table is sorted, and a row of
// a person of the cases outside the statistics of its row group is a [FileError].
//
// Hours outside 0 to [effect.MaxHours] and amounts outside 0 to
// [effect.MaxAmount] are bad rows. A null is NaN.
//
// Rows of other persons are counted only. A spell that ends on the day it starts
// covers no day: it is counted only, too. A state code that is not mapped is counted
// over the whole table and then returned as an [UnmappedStatesError]; what sinks were
// given is then worth nothing. The other errors are those of [Dataset.Cases].
func (d *Dataset) Observe(ctx context.Context, cases *effect.Cases, employers []effect.ID, sinks ...Sink) error {
	bounds := map[[2]int]span{}
	column := d.inputName(Spells, "person_id")
	for p, part := range d.tables[Spells] {
		for u, rows := range part.units() {
			if rows == 0 || !d.reads(Spells, p, u) {
				continue
			}
			s := span{0, cases.Persons.Len()}
			if _, constant := d.opt.Constants[Spells]["person_id"]; !constant && (!d.pseudonymized(Spells, "person_id") || madeBy(part, column) != "") {
				s = personsOf(part, u, column, cases.Persons)
			}
			bounds[[2]int{p, u}] = s
			for _, sink := range sinks {
				sink.Expect(s.from, s.to)
			}
		}
	}
	return d.spells(ctx, cases, employers, func(b *batch, spells effect.Spells) error {
		s := bounds[[2]int{b.part, b.unit}]
		last := int32(-1)
		for _, p := range spells.Person {
			if p == last || p < 0 {
				continue
			}
			if last = p; int(p) < s.from || int(p) >= s.to {
				return &FileError{
					d.tables[Spells][b.part].name(), fmt.Sprintf("row group %d, column %q", b.unit, column),
					fmt.Errorf("%w: a row lies outside the smallest and largest value that its statistics tell", ErrCorrupt), "export the file again",
				}
			}
		}
		for _, sink := range sinks {
			if len(spells.Person) > 0 {
				sink.Add(spells)
			}
			if b.last {
				sink.Done(s.from, s.to)
			}
		}
		return nil
	})
}

// span is places [from, to).
type span struct{ from, to int }

// bounded is an optional way of a part to tell the smallest and the largest value
// of a column in a unit, as Parquet stores them.
type bounded interface {
	bounds(unit int, column string) (least, most []byte, ok bool)
}

func (p *parquetPart) bounds(unit int, column string) (least, most []byte, ok bool) {
	c := p.parquet.Root().Column(column)
	if c == nil || !c.Leaf() {
		return nil, nil, false
	}
	// The older fields of statistics are of no certain order.
	s := &p.parquet.Metadata().RowGroups[unit].Columns[c.Index()].MetaData.Statistics
	return s.MinValue, s.MaxValue, len(s.MinValue) > 0 && len(s.MaxValue) > 0
}

// personsOf are the places of the persons whom a unit may hold. Persons are ascending.
func personsOf(p part, unit int, column string, persons effect.IDs) span {
	all := span{0, persons.Len()}
	of, ok := p.(bounded)
	if !ok {
		return all
	}
	l, ok := p.lookup(column)
	if !ok {
		return all
	}
	least, most, ok := of.bounds(unit, column)
	if !ok {
		return all
	}
	switch {
	case l.class == classText && l.kind == encoding.ByteArray:
		return textSpan(string(least), string(most), persons)
	case l.class != classInteger || l.unsigned:
		return all
	}
	number := func(b []byte) (effect.ID, bool) {
		switch {
		case l.kind == encoding.Int32 && len(b) == 4:
			return effect.NumberID(int64(int32(binary.LittleEndian.Uint32(b)))), true
		case l.kind == encoding.Int64 && len(b) == 8:
			return effect.NumberID(int64(binary.LittleEndian.Uint64(b))), true
		}
		return effect.ID{}, false
	}
	a, ok := number(least)
	b, also := number(most)
	if !ok || !also {
		return all
	}
	s := span{
		sort.Search(persons.Len(), func(i int) bool { return persons.At(i).Compare(a) >= 0 }),
		sort.Search(persons.Len(), func(i int) bool { return persons.At(i).Compare(b) > 0 }),
	}
	return span{s.from, max(s.from, s.to)}
}

// textSpan are the places of the persons whose ids, as texts, lie between two
// texts, byte by byte, and those between them. Ids that are numbers stand before the
// others and in the order of their values: texts of as many digits are in the same
// order.
func textSpan(least, most string, persons effect.IDs) span {
	out := span{persons.Len(), 0}
	widen := func(from, to int) {
		if from < to {
			out = span{min(out.from, from), max(out.to, to)}
		}
	}
	between := func(from, to int) {
		in := persons.Slice(from, to)
		a := sort.Search(in.Len(), func(i int) bool { return in.At(i).String() >= least })
		b := sort.Search(in.Len(), func(i int) bool { return in.At(i).String() > most })
		widen(from+a, from+b)
	}
	at := sort.Search(persons.Len(), func(i int) bool { return persons.At(i).Compare(effect.NumberID(0)) >= 0 })
	widen(0, at) // the order of numbers below zero is another: all of them
	for to := at; at < persons.Len(); at = to {
		digits := len(persons.At(at).String())
		_, number := persons.At(at).Number()
		to = at + sort.Search(persons.Len()-at, func(i int) bool {
			_, also := persons.At(at + i).Number()
			return also != number || number && len(persons.At(at+i).String()) > digits
		})
		between(at, to)
	}
	return span{min(out.from, out.to), out.to}
}
