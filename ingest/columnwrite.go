package ingest

import (
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// The Parquet library takes columns as values of any type, three words each. Here
// a value is the number of a row, and the library's buffers are wrapped so that
// they take that row, and those that follow it, from the column: in one copy.

// rowWriter tells the buffers of a table what its rows hold.
type rowWriter struct {
	table *Table
	first []Column  // with firstRows rows or more, if there are as many
	parts []stretch // of each row group while it is written
}

func newRowWriter(t *Table) (*rowWriter, error) {
	first, err := t.stretch(0, min(firstRows, t.Rows()))
	return &rowWriter{t, first.columns, make([]stretch, (t.Rows()+tableGroup-1)/tableGroup)}, err
}

// at is the column that holds a row, and its row there.
func (w *rowWriter) at(column, row int) (c *Column, i int) {
	p := &w.parts[row/tableGroup]
	return &p.columns[column], row - p.from
}

// columnType is the type of a column, whose buffers are filled from it.
type columnType struct {
	parquet.Type
	rows   *rowWriter
	column int
}

func (t columnType) NewColumnBuffer(columnIndex, numValues int) parquet.ColumnBuffer {
	return &columnBuffer{ColumnBuffer: t.Type.NewColumnBuffer(columnIndex, numValues), rows: t.rows, column: t.column}
}

func (t columnType) NewDictionary(columnIndex, numValues int, data encoding.Values) parquet.Dictionary {
	d := t.Type.NewDictionary(columnIndex, numValues, data)
	if t.rows.first[t.column].Factor == nil {
		return textDictionary{d, t}
	}
	return newLevelDictionary(d, t)
}

// columnBuffer is a buffer that takes row numbers.
type columnBuffer struct {
	parquet.ColumnBuffer
	rows   *rowWriter
	column int
	texts  []parquet.Value // scratch
}

// WriteValues takes as many rows as there are values, from the row on that is the
// first of them. None of them is null.
func (b *columnBuffer) WriteValues(rows []parquet.Value) (int, error) {
	c, from := b.rows.at(b.column, int(rows[0].Int64()))
	to := from + len(rows)
	switch {
	case c.Ints != nil:
		return b.ColumnBuffer.(parquet.Int64Writer).WriteInt64s(c.Ints[from:to])
	case c.Floats != nil:
		return b.ColumnBuffer.(parquet.DoubleWriter).WriteDoubles(c.Floats[from:to])
	case c.Dates != nil:
		return b.ColumnBuffer.(parquet.Int32Writer).WriteInt32s(dayNumbers(c.Dates[from:to]))
	case c.Bools != nil:
		return b.ColumnBuffer.(parquet.BooleanWriter).WriteBooleans(c.Bools[from:to])
	}
	b.texts = b.texts[:0]
	for i := from; i < to; i++ {
		text := c.text(i)
		b.texts = append(b.texts, parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(text), len(text)))) // it is copied
	}
	return b.ColumnBuffer.WriteValues(b.texts)
}

// dayNumbers are dates as the whole numbers that they are.
func dayNumbers(dates []effect.Date) []int32 {
	return unsafe.Slice((*int32)(unsafe.SliceData(dates)), len(dates))
}

// textDictionary is the dictionary of a column of texts.
type textDictionary struct {
	parquet.Dictionary
	of columnType
}

func (d textDictionary) Type() parquet.Type {
	return columnType{d.Dictionary.Type(), d.of.rows, d.of.column}
}

// levelDictionary is the dictionary of a factor: it holds the levels that a row
// group has, in the order in which they come.
type levelDictionary struct {
	parquet.Dictionary
	typ    columnType
	names  []string // of the levels
	index  []int32  // level -> 1 + index in the dictionary, 0 for none
	rank   []int32  // level -> place among the levels as texts in order
	levels []int32  // index -> level
}

func newLevelDictionary(d parquet.Dictionary, t columnType) *levelDictionary {
	names := t.rows.first[t.column].Factor.Levels
	out := &levelDictionary{Dictionary: d, typ: t, names: names, index: make([]int32, len(names)), rank: make([]int32, len(names))}
	order := gather(len(names), func(i int) int32 { return int32(i) })
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(names[a], names[b]) })
	for r, level := range order {
		out.rank[level] = int32(r)
	}
	return out
}

func (d *levelDictionary) Reset() {
	d.Dictionary.Reset()
	clear(d.index)
	d.levels = d.levels[:0]
}

func (d *levelDictionary) Type() parquet.Type { return levelType{d.Dictionary.Type(), d} }

// of is the index of a level.
func (d *levelDictionary) of(level int32) int32 {
	if d.index[level] == 0 {
		var at [1]int32
		d.Insert(at[:], []parquet.Value{parquet.ByteArrayValue([]byte(d.names[level]))})
		d.index[level], d.levels = at[0]+1, append(d.levels, level)
	}
	return d.index[level] - 1
}

type levelType struct {
	parquet.Type
	dict *levelDictionary
}

func (t levelType) NewColumnBuffer(columnIndex, numValues int) parquet.ColumnBuffer {
	return &levelBuffer{ColumnBuffer: parquet.Int32Type.NewColumnBuffer(columnIndex, numValues), dict: t.dict}
}

// levelBuffer is a buffer of indexes that takes row numbers.
type levelBuffer struct {
	parquet.ColumnBuffer
	dict    *levelDictionary
	indexes []int32 // scratch
}

func (b *levelBuffer) WriteValues(rows []parquet.Value) (int, error) {
	c, from := b.dict.typ.rows.at(b.dict.typ.column, int(rows[0].Int64()))
	b.indexes = room(b.indexes, len(rows))
	for i, level := range c.Factor.Codes[from : from+len(rows)] {
		b.indexes[i] = b.dict.of(level)
	}
	return b.ColumnBuffer.(parquet.Int32Writer).WriteInt32s(b.indexes)
}

func (b *levelBuffer) Dictionary() parquet.Dictionary { return b.dict }

func (b *levelBuffer) Page() parquet.Page { return levelPage{b.ColumnBuffer.Page(), b.dict} }

// levelPage is a page of indexes that knows its first and last text.
type levelPage struct {
	parquet.Page
	dict *levelDictionary
}

func (p levelPage) Dictionary() parquet.Dictionary { return p.dict }

func (p levelPage) Bounds() (least, most parquet.Value, ok bool) {
	data := p.Data()
	indexes := data.Int32()
	if len(indexes) == 0 {
		return least, most, false
	}
	used := make([]bool, len(p.dict.levels))
	for _, i := range indexes {
		used[i] = true
	}
	first, last := indexes[0], indexes[0]
	for i, level := range p.dict.levels {
		if !used[i] {
			continue
		}
		if p.dict.rank[level] < p.dict.rank[p.dict.levels[first]] {
			first = int32(i)
		}
		if p.dict.rank[level] > p.dict.rank[p.dict.levels[last]] {
			last = int32(i)
		}
	}
	return p.dict.Index(first), p.dict.Index(last), true
}

// encode writes rows [from, to) to a row group.
func (w *rowWriter) encode(group *parquet.ConcurrentRowGroupWriter, from, to int) error {
	p, err := w.table.stretch(from, to)
	if err != nil {
		return err
	}
	w.parts[from/tableGroup] = p
	defer func() { w.parts[from/tableGroup] = stretch{} }()
	const chunk = 4096 // rows at a time
	values, nulls := make([]parquet.Value, chunk), make([]bool, chunk)
	for k, out := range group.ColumnWriters() {
		c := &p.columns[k]
		null, level := parquet.Value{}.Level(0, 0, k), 1
		if c.Ints != nil || c.Bools != nil {
			level = 0
		}
		// Of rows that follow each other without a null the first one counts.
		for i := range values {
			values[i] = parquet.Int64Value(0).Level(0, level, k)
		}
		same := true // that all values say so
		for i := from; i < to; i += chunk {
			n := min(chunk, to-i)
			if c.nulls(nulls[:n], i-p.from) || !same {
				same = true
				for j, isNull := range nulls[:n] {
					if isNull {
						values[j], same = null, false
					} else {
						values[j] = parquet.Int64Value(int64(i+j)).Level(0, level, k)
					}
				}
			} else {
				values[0] = parquet.Int64Value(int64(i)).Level(0, level, k)
			}
			if _, err := out.WriteRowValues(values[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// nulls says of the rows from one on which are null, and whether any is.
func (c *Column) nulls(dst []bool, from int) (any bool) {
	to := from + len(dst)
	switch {
	case c.Floats != nil:
		for i, v := range c.Floats[from:to] {
			dst[i] = math.IsNaN(v)
		}
	case c.Dates != nil:
		for i, v := range c.Dates[from:to] {
			dst[i] = v == effect.NoDate
		}
	case c.Texts != nil:
		for i, v := range c.Texts[from:to] {
			dst[i] = v == ""
		}
	case c.Factor != nil:
		empty := c.Factor.Code("")
		for i, v := range c.Factor.Codes[from:to] {
			dst[i] = v < 0 || v == empty
		}
	default:
		clear(dst)
		return false
	}
	return slices.Contains(dst, true)
}
