package ingest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
)

// TableSize is how large a table of a dataset is, as its files say without being read.
type TableSize struct {
	Name        string
	Files       int
	Rows, Bytes int64
}

// Sizes are those of the tables that are there, by name.
func (d *Dataset) Sizes() []TableSize {
	var out []TableSize
	for _, table := range tables() {
		if !d.Has(table) {
			continue
		}
		s := TableSize{Name: table, Files: len(d.tables[table])}
		for _, p := range d.tables[table] {
			for _, rows := range p.units() {
				s.Rows += rows
			}
			if p, ok := p.(*parquetPart); ok {
				s.Bytes += p.size
			}
		}
		out = append(out, s)
	}
	return out
}

// ContractColumn is a column of the data contract.
type ContractColumn struct {
	Name     string
	Required bool   // a table that is there must have it
	Want     string // what is accepted, in words
}

// Contract lists the columns that are read of a table, in their order; nil for a table
// that is none of the contract. Some tables may have further ones; see docs/data.md.
func Contract(table string) []ContractColumn {
	var out []ContractColumn
	for _, f := range contract(table) {
		out = append(out, ContractColumn{f.name, f.required, f.want.String()})
	}
	return out
}

// Tables lists the tables of the contract, by name.
func Tables() []string { return tables() }

// InputColumn is a column of a table as it lies in the input.
type InputColumn struct {
	Name   string
	Type   string // what the file says of it, in words
	Number bool   // a number, whole or not
	Text   bool
	Date   bool
	// Fits lists the columns of the contract whose type it has.
	Fits []string
}

// InputColumns lists the columns of a table by the first of its parts, in their order.
func (d *Dataset) InputColumns(table string) []InputColumn {
	if !d.Has(table) {
		return nil
	}
	part := d.tables[table][0]
	var out []InputColumn
	for _, name := range part.columns() {
		l, _ := part.lookup(name)
		c := InputColumn{Name: name, Type: l.name, Number: l.class.group() == classNumber, Text: l.class == classText, Date: l.class == classDate}
		for _, f := range contract(table) {
			if f.want.accepts(l.class) && l.class != classNull {
				c.Fits = append(c.Fits, f.name)
			}
		}
		out = append(out, c)
	}
	return out
}

// InputValue is a value of a column and how many rows have it.
type InputValue struct {
	Value string
	Rows  int64
}

// ErrManyValues says that a column has more values than were asked for.
var ErrManyValues = errors.New("the column has more values")

// InputValues counts the values of a column of the input, of text or whole numbers: the most
// frequent first, equal ones by value. A column with more values than most is an error that
// wraps [ErrManyValues], and is not read to its end: so the identifiers of persons are
// never listed. Rows without a value are not counted.
func (d *Dataset) InputValues(ctx context.Context, table, column string, most int) ([]InputValue, error) {
	in := newInterner(wantText, d.opt.Limits.TextBytes)
	counts, err := d.countCodes(ctx, table, column, field{name: column, want: wantText, required: true}, in, func() error {
		in.Lock()
		defer in.Unlock()
		if len(in.levels) > most {
			return ErrManyValues
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []InputValue
	for code, n := range counts {
		if n > 0 {
			out = append(out, InputValue{in.levels[code].String(), n})
		}
	}
	slices.SortFunc(out, func(a, b InputValue) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value))
	})
	return out, nil
}

// InputDates is the first and the last day of a column of dates of the input; both are
// [effect.NoDate] where no row has one.
func (d *Dataset) InputDates(ctx context.Context, table, column string) (first, last effect.Date, err error) {
	first, last = effect.NoDate, effect.NoDate
	cols := make([]input, 1)
	if problems := d.plain().find(table, field{name: column, want: wantDate, required: true}, &cols[0]); len(problems) > 0 {
		return first, last, &SchemaError{problems}
	}
	var mu sync.Mutex
	err = d.scan(ctx, table, cols, func() func(*batch) error {
		return func(b *batch) error {
			from, to := effect.NoDate, effect.NoDate
			for _, day := range asDates(b.cols[0].ints[:b.rows]) {
				if int32(day) <= dateText {
					continue // none, or no date
				}
				if from == effect.NoDate || day < from {
					from = day
				}
				if to == effect.NoDate || day > to {
					to = day
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if from != effect.NoDate && (first == effect.NoDate || from < first) {
				first = from
			}
			if to != effect.NoDate && (last == effect.NoDate || to > last) {
				last = to
			}
			return nil
		}
	})
	return first, last, err
}

// CheckStates says whether every code of the column state of spells stands for a state, as a
// run would: else the error is an [UnmappedStatesError]. It reads that column alone. Where
// citizens of some municipalities are asked about, a run looks at their codes alone, and
// nothing is said here.
func (d *Dataset) CheckStates(ctx context.Context) error {
	if len(d.opt.Municipalities) > 0 || !d.Has(Spells) {
		return nil
	}
	states := newStateIndex(d.opt.States, d.opt.Limits.TextBytes)
	counts, err := d.countCodes(ctx, Spells, "", field{name: "state", want: wantState, required: true}, states, func() error { return nil })
	if err != nil || len(counts) <= firstUnmapped {
		return err
	}
	return states.unmappedError(counts[firstUnmapped:])
}

// plain is the dataset as it lies in the input, without mapping.
func (d *Dataset) plain() *Dataset {
	return &Dataset{opt: Options{Limits: d.opt.Limits, Workers: d.opt.Workers}, tables: d.tables, trusted: d.trusted}
}

// countCodes counts the rows of each code that a resolver gives for the values of a column:
// that of the input, or where that is empty that of the contract. again is called now and
// then, and ends the reading by an error.
func (d *Dataset) countCodes(ctx context.Context, table, column string, f field, res resolver, again func() error) ([]int64, error) {
	cols := make([]input, 1)
	of := d
	if column != "" {
		of = d.plain()
	}
	if problems := of.find(table, f, &cols[0]); len(problems) > 0 {
		return nil, &SchemaError{problems}
	}
	cols[0].res = res
	var mu sync.Mutex
	var counts []int64
	err := of.scan(ctx, table, cols, func() func(*batch) error {
		var mine []int64
		return func(b *batch) error {
			clear(mine)
			for _, code := range b.cols[0].ints[:b.rows] {
				if code < 0 {
					continue
				}
				for int(code) >= len(mine) {
					mine = append(mine, 0)
				}
				mine[code]++
			}
			mu.Lock()
			for len(counts) < len(mine) {
				counts = append(counts, 0)
			}
			for code, n := range mine {
				counts[code] += n
			}
			mu.Unlock()
			return again()
		}
	})
	return counts, err
}
