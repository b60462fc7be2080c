package ingest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// AddArrow adds records as a part of a table of the contract; several calls add
// several parts. The records stay the caller's: the dataset neither retains nor
// releases nor changes them, and they have to live unchanged for as long as the
// dataset is read. Rows in rejects are counted over the records of one call. A
// table that the contract does not have is an [ErrNoTable]; records of different
// schemas are an error.
func (d *Dataset) AddArrow(table string, records ...arrow.Record) error {
	if contract(table) == nil {
		return fmt.Errorf("ingest: %w: %s", ErrNoTable, table)
	}
	if len(records) == 0 {
		return fmt.Errorf("ingest: %s: no records are given", table)
	}
	p := &arrowPart{label: fmt.Sprintf("%s (Arrow, part %d)", table, len(d.tables[table])+1), records: records}
	for _, r := range records {
		if !r.Schema().Equal(records[0].Schema()) {
			return &FileError{p.label, "", errors.New("the records differ in schema"), "add them in separate calls"}
		}
		p.rows = append(p.rows, r.NumRows())
	}
	d.tables[table] = append(d.tables[table], p)
	return nil
}

// AddTable adds a table that is in memory, such as one of [ReadFile], as a part of a
// table of the contract, as AddArrow does; the label stands for it in rejects and
// errors. Null is what [Column] says.
func (d *Dataset) AddTable(table, label string, t *Table) error {
	if err := t.check(); err != nil {
		return err
	}
	if t.Part != nil {
		return fmt.Errorf("ingest: %w: %s is not held", ErrTable, t.Name)
	}
	mem := memory.DefaultAllocator
	fields, columns := make([]arrow.Field, len(t.Columns)), make([]arrow.Array, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		var b array.Builder
		var add func(row int)
		switch {
		case c.Ints != nil:
			x := array.NewInt64Builder(mem)
			b, add = x, func(row int) { x.Append(c.Ints[row]) }
		case c.Floats != nil:
			x := array.NewFloat64Builder(mem)
			b, add = x, func(row int) { x.Append(c.Floats[row]) }
		case c.Dates != nil:
			x := array.NewDate32Builder(mem)
			b, add = x, func(row int) { x.Append(arrow.Date32(c.Dates[row])) }
		case c.Bools != nil:
			x := array.NewBooleanBuilder(mem)
			b, add = x, func(row int) { x.Append(c.Bools[row]) }
		default:
			x := array.NewStringBuilder(mem)
			b, add = x, func(row int) { x.Append(c.text(row)) }
		}
		for row := range t.Rows() {
			if c.null(row) {
				b.AppendNull()
			} else {
				add(row)
			}
		}
		columns[i] = b.NewArray()
		fields[i] = arrow.Field{Name: c.Name, Type: columns[i].DataType(), Nullable: true}
	}
	if err := d.AddArrow(table, array.NewRecord(arrow.NewSchema(fields, nil), columns, int64(t.Rows()))); err != nil {
		return err
	}
	parts := d.tables[table]
	parts[len(parts)-1].(*arrowPart).label = label
	return nil
}

// null says whether a column has no value in a row.
func (c *Column) null(row int) bool {
	switch {
	case c.Floats != nil:
		return math.IsNaN(c.Floats[row])
	case c.Dates != nil:
		return c.Dates[row] == effect.NoDate
	case c.Texts != nil || c.Factor != nil:
		return c.text(row) == ""
	}
	return false
}

// arrowPart is the records of one call of AddArrow; each is a unit.
type arrowPart struct {
	label   string
	records []arrow.Record
	rows    []int64
}

func (p *arrowPart) name() string   { return p.label }
func (p *arrowPart) units() []int64 { return p.rows }

func (p *arrowPart) columns() []string {
	var names []string
	for _, f := range p.records[0].Schema().Fields() {
		names = append(names, f.Name)
	}
	return names
}

func (p *arrowPart) lookup(column string) (leaf, bool) {
	i := p.records[0].Schema().FieldIndices(column)
	if len(i) == 0 {
		return leaf{}, false
	}
	return arrowLeaf(p.records[0].Schema().Field(i[0]).Type), true
}

// arrowLeaf says what the values of a type stand for, and as which physical
// type arrowData hands them over.
func arrowLeaf(t arrow.DataType) leaf {
	l := leaf{name: t.String(), scale: -1}
	switch t := t.(type) {
	case *arrow.NullType:
		l.class = classNull
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type, *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type:
		l.class, l.kind = classInteger, encoding.Int64
	case *arrow.Uint64Type:
		l.class, l.kind, l.unsigned = classInteger, encoding.Int64, true
	case *arrow.Float32Type: // kept apart: its shortest decimal is another
		l.class, l.kind = classNumber, encoding.Float
	case *arrow.Float64Type:
		l.class, l.kind = classNumber, encoding.Double
	case *arrow.BooleanType:
		l.class, l.kind = classBool, encoding.Boolean
	case *arrow.StringType, *arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType:
		l.class, l.kind = classText, encoding.ByteArray
	case *arrow.Date32Type:
		l.class, l.kind = classDate, encoding.Int32
	case *arrow.Date64Type:
		l.class, l.kind, l.perDay = classDate, encoding.Int64, int64(24*time.Hour/time.Millisecond)
	case *arrow.TimestampType:
		l.class, l.kind, l.perDay = classDate, encoding.Int64, int64(24*time.Hour/t.Unit.Multiplier())
	case *arrow.Decimal128Type:
		if t.Scale >= 0 {
			l.class, l.kind, l.scale = classNumber, encoding.ByteArray, int(t.Scale)
		}
		if t.Scale == 0 {
			l.class = classInteger
		}
	case *arrow.DictionaryType:
		value := arrowLeaf(t.ValueType)
		value.name = l.name
		return value
	case arrow.NestedType:
		l.name = "a nested or repeated column"
	}
	return l
}

func (p *arrowPart) open(unit int, columns []string) (unitReader, error) {
	r := p.records[unit]
	u := &arrowUnit{}
	for _, name := range columns {
		u.columns = append(u.columns, arrowColumn{array: r.Column(r.Schema().FieldIndices(name)[0])})
	}
	return u, nil
}

type arrowUnit struct{ columns []arrowColumn }

func (u *arrowUnit) close() {}

type arrowColumn struct {
	array  arrow.Array
	at     int
	dict   *dictionary
	levels []byte
	dense  dense
}

func (u *arrowUnit) next(column int) (run, error) {
	c := &u.columns[column]
	from, to := c.at, min(c.at+batchRows, c.array.Len())
	if from == to {
		return run{}, io.EOF
	}
	c.at = to
	valid := c.array.IsValid
	d, isDict := c.array.(*array.Dictionary)
	if isDict {
		valid = func(i int) bool { return d.IsValid(i) && d.Dictionary().IsValid(d.GetValueIndex(i)) }
	}
	r := run{rows: to - from, maxLevel: 1}
	c.levels = c.levels[:0]
	for i := from; i < to; i++ {
		level := byte(0)
		if valid(i) {
			level = 1
		}
		c.levels = append(c.levels, level)
	}
	r.levels = c.levels
	has := func(i int) bool { return c.levels[i-from] == 1 }
	if isDict {
		if c.dict == nil {
			// Entries that are null keep their place; no row that has a value
			// refers to them.
			all := func(int) bool { return true }
			var own dense
			c.dict = &dictionary{own.read(d.Dictionary(), 0, d.Dictionary().Len(), all), d.Dictionary().Len()}
		}
		c.dense.ints32 = pick(c.dense.ints32[:0], from, to, has, func(i int) int32 { return int32(d.GetValueIndex(i)) })
		r.data, r.dict = encoding.Int32Values(c.dense.ints32), c.dict
		return r, nil
	}
	r.data = c.dense.read(c.array, from, to, has)
	return r, nil
}

// dense is memory for the values of a run that are not null.
type dense struct {
	ints32  []int32
	ints64  []int64
	singles []float32
	floats  []float64
	bytes   []byte
	offsets []uint32
}

// pick appends the values of rows [from, to) that there are.
func pick[T any](dst []T, from, to int, has func(int) bool, at func(int) T) []T {
	for i := from; i < to; i++ {
		if has(i) {
			dst = append(dst, at(i))
		}
	}
	return dst
}

// read returns the values of rows [from, to) in the physical type that
// arrowLeaf names for the array's type.
func (d *dense) read(a arrow.Array, from, to int, has func(int) bool) encoding.Values {
	int64s := func(at func(int) int64) encoding.Values {
		d.ints64 = pick(d.ints64[:0], from, to, has, at)
		return encoding.Int64Values(d.ints64)
	}
	texts := func(add func(dst []byte, i int) []byte) encoding.Values {
		d.bytes, d.offsets = d.bytes[:0], append(d.offsets[:0], 0)
		for i := from; i < to; i++ {
			if has(i) {
				d.bytes = add(d.bytes, i)
				d.offsets = append(d.offsets, uint32(len(d.bytes)))
			}
		}
		return encoding.ByteArrayValues(d.bytes, d.offsets)
	}
	switch a := a.(type) {
	case *array.Int8:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Int16:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Int32:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Int64:
		return int64s(a.Value)
	case *array.Uint8:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Uint16:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Uint32:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Uint64: // as bits; the leaf says that they are unsigned
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Date64:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Timestamp:
		return int64s(func(i int) int64 { return int64(a.Value(i)) })
	case *array.Date32:
		d.ints32 = pick(d.ints32[:0], from, to, has, func(i int) int32 { return int32(a.Value(i)) })
		return encoding.Int32Values(d.ints32)
	case *array.Float32:
		d.singles = pick(d.singles[:0], from, to, has, a.Value)
		return encoding.FloatValues(d.singles)
	case *array.Float64:
		d.floats = pick(d.floats[:0], from, to, has, a.Value)
		return encoding.DoubleValues(d.floats)
	case *array.Boolean:
		d.bytes = d.bytes[:0]
		n := 0
		for i := from; i < to; i++ {
			if !has(i) {
				continue
			}
			if n%8 == 0 {
				d.bytes = append(d.bytes, 0)
			}
			if a.Value(i) {
				d.bytes[n/8] |= 1 << (n % 8)
			}
			n++
		}
		return encoding.BooleanValues(d.bytes)
	case *array.Decimal128:
		var v big.Int
		return texts(func(dst []byte, i int) []byte {
			n := a.Value(i)
			v.SetInt64(n.HighBits())
			v.Lsh(&v, 64).Or(&v, new(big.Int).SetUint64(n.LowBits()))
			if v.Sign() < 0 { // as two's complement
				v.Add(&v, new(big.Int).Lsh(big.NewInt(1), 128))
			}
			var b [16]byte
			return append(dst, v.FillBytes(b[:])...)
		})
	case *array.String:
		return texts(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.LargeString:
		return texts(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.Binary:
		return texts(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.LargeBinary:
		return texts(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	}
	panic("unreachable: arrowLeaf gives other types no class")
}
