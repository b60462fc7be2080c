package ingest

import (
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// AddTable adds a table in memory as a part of the table of the contract that it
// is named after; several calls add several parts. It is read like a file: the
// columns map, rows are checked and rejected. The table stays the caller's and
// must not change while the dataset is read. A name that the contract does not
// have is an [ErrNoTable], columns that do not fit together an [ErrTable].
func (d *Dataset) AddTable(t *Table) error {
	if contract(t.Name) == nil {
		return fmt.Errorf("ingest: %w: %s", ErrNoTable, t.Name)
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.kind() == "" || c.len() != t.Rows() {
			return fmt.Errorf("ingest: %w: table %s: column %s has no vector, or one of another length than the first", ErrTable, t.Name, c.Name)
		}
	}
	d.tables[t.Name] = append(d.tables[t.Name], &tablePart{fmt.Sprintf("%s (in memory, part %d)", t.Name, len(d.tables[t.Name])+1), t})
	return nil
}

// tablePart is the table of one call of AddTable, as one unit.
type tablePart struct {
	label string
	table *Table
}

func (p *tablePart) name() string   { return p.label }
func (p *tablePart) units() []int64 { return []int64{int64(p.table.Rows())} }

func (p *tablePart) columns() []string {
	var names []string
	for _, c := range p.table.Columns {
		names = append(names, c.Name)
	}
	return names
}

func (p *tablePart) lookup(column string) (leaf, bool) {
	c := p.table.Column(column)
	if c == nil {
		return leaf{}, false
	}
	l := leaf{name: c.kind(), scale: -1}
	switch {
	case c.Ints != nil:
		l.class, l.kind = classInteger, encoding.Int64
	case c.Floats != nil:
		l.class, l.kind = classNumber, encoding.Double
	case c.Dates != nil:
		l.class, l.kind = classDate, encoding.Int32
	case c.Bools != nil:
		l.class, l.kind = classBool, encoding.Boolean
	default:
		l.class, l.kind = classText, encoding.ByteArray
	}
	return l, true
}

func (p *tablePart) open(_ int, columns []string) (unitReader, error) {
	u := &tableUnit{}
	for _, name := range columns {
		u.columns = append(u.columns, tableColumn{column: p.table.Column(name)})
	}
	return u, nil
}

type tableUnit struct{ columns []tableColumn }

func (u *tableUnit) close() {}

type tableColumn struct {
	column *Column
	at     int
	dict   *dictionary
	levels []byte
	dense  dense
}

func (u *tableUnit) next(column int) (run, error) {
	t := &u.columns[column]
	c, from, to := t.column, t.at, min(t.at+batchRows, t.column.len())
	if from == to {
		return run{}, io.EOF
	}
	t.at, t.levels = to, t.levels[:0]
	for i := from; i < to; i++ {
		level := byte(1)
		if c.null(i) {
			level = 0
		}
		t.levels = append(t.levels, level)
	}
	r := run{rows: to - from, levels: t.levels, maxLevel: 1}
	has := func(i int) bool { return t.levels[i-from] == 1 }
	d := &t.dense
	switch {
	case c.Ints != nil:
		r.data = encoding.Int64Values(c.Ints[from:to])
	case c.Floats != nil:
		d.floats = pick(d.floats[:0], from, to, has, func(i int) float64 { return c.Floats[i] })
		r.data = encoding.DoubleValues(d.floats)
	case c.Dates != nil:
		d.ints32 = pick(d.ints32[:0], from, to, has, func(i int) int32 { return int32(c.Dates[i]) })
		r.data = encoding.Int32Values(d.ints32)
	case c.Bools != nil:
		r.data = d.bits(from, to, has, func(i int) bool { return c.Bools[i] })
	case c.Factor != nil:
		if t.dict == nil {
			var own dense
			all := len(c.Factor.Levels)
			t.dict = &dictionary{own.texts(0, all, func(int) bool { return true }, func(i int) string { return c.Factor.Levels[i] }), all}
		}
		d.ints32 = pick(d.ints32[:0], from, to, has, func(i int) int32 { return c.Factor.Codes[i] })
		r.data, r.dict = encoding.Int32Values(d.ints32), t.dict
	default:
		r.data = d.texts(from, to, has, func(i int) string { return c.Texts[i] })
	}
	return r, nil
}

// null says whether a row has no value.
func (c *Column) null(i int) bool {
	switch {
	case c.Floats != nil:
		return math.IsNaN(c.Floats[i])
	case c.Dates != nil:
		return c.Dates[i] == effect.NoDate
	case c.Texts != nil:
		return c.Texts[i] == ""
	case c.Factor != nil:
		return c.Factor.At(i) == ""
	}
	return false
}

// texts gathers the texts of rows [from, to) that there are.
func (d *dense) texts(from, to int, has func(int) bool, at func(int) string) encoding.Values {
	d.bytes, d.offsets = d.bytes[:0], append(d.offsets[:0], 0)
	for i := from; i < to; i++ {
		if has(i) {
			d.bytes = append(d.bytes, at(i)...)
			d.offsets = append(d.offsets, uint32(len(d.bytes)))
		}
	}
	return encoding.ByteArrayValues(d.bytes, d.offsets)
}

// bits gathers the truth values of rows [from, to) that there are, eight to a byte.
func (d *dense) bits(from, to int, has func(int) bool, at func(int) bool) encoding.Values {
	d.bytes = d.bytes[:0]
	n := 0
	for i := from; i < to; i++ {
		if !has(i) {
			continue
		}
		if n%8 == 0 {
			d.bytes = append(d.bytes, 0)
		}
		if at(i) {
			d.bytes[n/8] |= 1 << (n % 8)
		}
		n++
	}
	return encoding.BooleanValues(d.bytes)
}
