package ingest

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// A file has the bytes that the library writes of the same values when it is given
// them one by one.
func TestColumnsAreWrittenAsTheirValues(t *testing.T) {
	same := func(t require.TestingT, table *Table) {
		var got, want bytes.Buffer
		require.NoError(t, table.WriteParquet(&got))
		require.NoError(t, writeValues(table, &want))
		require.True(t, bytes.Equal(want.Bytes(), got.Bytes()), "%d rows", table.Rows())
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SampledFrom([]int{0, 1, 2, 63, 100, 4095, 4096, 4097, 9000}).Draw(t, "rows")
		seed, nulls := rapid.Uint64().Draw(t, "seed"), rapid.SampledFrom([]uint64{1, 2, 3, 5000, math.MaxUint64}).Draw(t, "nulls")
		same(t, mixedTable(rows, seed, nulls))
	})
	same(t, mixedTable(2*tableGroup+5, 1, 3))
	same(t, mixedTable(tableGroup, 1, math.MaxUint64))
	same(t, largeTable(tableGroup+1))
}

// A table that is made as it is written is written as one that is held.
func TestPartsAreWrittenAsTheWhole(t *testing.T) {
	for _, rows := range []int{0, 1, firstRows + 1, tableGroup, 2*tableGroup + 7} {
		held := mixedTable(rows, 3, 4)
		part := func(from, to int) []Column {
			out := make([]Column, len(held.Columns))
			for k, c := range held.Columns {
				out[k] = Column{Name: c.Name, Doc: c.Doc}
				switch {
				case c.Ints != nil:
					out[k].Ints = c.Ints[from:to]
				case c.Floats != nil:
					out[k].Floats = c.Floats[from:to]
				case c.Dates != nil:
					out[k].Dates = c.Dates[from:to]
				case c.Bools != nil:
					out[k].Bools = c.Bools[from:to]
				case c.Texts != nil:
					out[k].Texts = c.Texts[from:to]
				default:
					out[k].Factor = &effect.Factor{Codes: c.Factor.Codes[from:to], Levels: c.Factor.Levels}
				}
			}
			return out
		}
		made := &Table{Name: held.Name, Columns: part(0, 0), Part: part, Length: rows}
		require.Equal(t, rows, made.Rows())
		for _, write := range []func(*Table, io.Writer) error{(*Table).WriteParquet, (*Table).WriteCSV} {
			var got, want bytes.Buffer
			require.NoError(t, write(held, &want))
			require.NoError(t, write(made, &got))
			require.True(t, bytes.Equal(want.Bytes(), got.Bytes()), "%d rows", rows)
		}
		_, err := ToRows[struct {
			C int64 `col:"c1"`
		}](made)
		require.ErrorIs(t, err, ErrTable)
		require.ErrorIs(t, NewDataset(DefaultOptions()).AddTable(Participations, "made", made), ErrTable)
	}
	short := &Table{Name: "short", Columns: []Column{{Name: "n", Ints: []int64{}}}, Length: 5}
	short.Part = func(from, to int) []Column { return []Column{{Name: "n", Ints: make([]int64, min(to-from, 3))}} }
	require.ErrorIs(t, short.WriteParquet(io.Discard), ErrTable)
	require.ErrorIs(t, short.WriteCSV(io.Discard), ErrTable)
}

// mixedTable has columns of every kind; about one row in nulls is null.
func mixedTable(rows int, seed, nulls uint64) *Table {
	at := func(i int) uint64 { // splitmix64
		z := seed + uint64(i+1)*0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		return z ^ z>>31
	}
	null := func(i int) bool { return at(i)>>7%nulls == 0 }
	levels := []string{"zebra", "", "a", "Å", "long enough to be cut off in the page index", "b"}
	factor := func(levels []string, code func(i int) int) Column {
		f := &effect.Factor{Codes: make([]int32, rows), Levels: levels}
		for i := range f.Codes {
			if f.Codes[i] = int32(code(i) % len(levels)); null(i) {
				f.Codes[i] = -1
			}
		}
		return Column{Factor: f}
	}
	texts := func(of func(i int) string) Column {
		return Column{Texts: gather(rows, func(i int) string {
			if null(i) {
				return ""
			}
			return of(i)
		})}
	}
	many := gather(max(rows, 1), func(i int) string { return fmt.Sprintf("%x", at(i)) })
	t := &Table{Name: "mixed", Columns: []Column{
		{Ints: gather(rows, func(i int) int64 { return int64(at(i)) })},
		{Ints: gather(rows, func(i int) int64 { return int64(i) })},
		{Floats: gather(rows, func(i int) float64 {
			if null(i) {
				return math.NaN()
			}
			return float64(int64(at(i))) / 1e6
		})},
		{Dates: gather(rows, func(i int) effect.Date {
			if null(i) {
				return effect.NoDate
			}
			return effect.Date(at(i) % 10_000)
		})},
		{Bools: gather(rows, func(i int) bool { return at(i)%2 == 0 })},
		factor(levels, func(i int) int { return int(at(i) % 6) }),
		factor(levels[:1], func(int) int { return 0 }),
		factor(many, func(i int) int { return i }),
		factor(many, func(i int) int { return i / 3 }),
		texts(func(i int) string { return many[i] }),
		texts(func(i int) string { return levels[at(i)%6] }),
		{Floats: gather(rows, func(int) float64 { return math.NaN() })},
		{Dates: gather(rows, func(int) effect.Date { return effect.NoDate })},
	}}
	for i := range t.Columns {
		t.Columns[i].Name = fmt.Sprintf("c%d", i)
	}
	return t
}

// writeValues writes a table value by value, through nothing of our own.
func writeValues(t *Table, w io.Writer) error {
	schema := &ordered{Group: parquet.Group{}}
	options := []parquet.WriterOption{
		parquet.Compression(&parquet.Zstd), parquet.CreatedBy("jobeffekt", "", ""),
		parquet.KeyValueMetadata(tableKey, t.Name),
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		schema.Group[c.Name] = plainNode(c)
		if c.Doc != "" {
			options = append(options, parquet.KeyValueMetadata(docKey+c.Name, c.Doc))
		}
	}
	byName := map[string]parquet.Field{}
	for _, f := range schema.Group.Fields() {
		byName[f.Name()] = f
	}
	for i := range t.Columns {
		schema.fields = append(schema.fields, byName[t.Columns[i].Name])
	}
	out := parquet.NewGenericWriter[any](w, append(options, parquet.NewSchema(t.Name, schema))...)

	for from := 0; from < t.Rows(); from += tableGroup {
		to := min(from+tableGroup, t.Rows())
		group := out.BeginRowGroup()
		for k, w := range group.ColumnWriters() {
			value := plainValues(&t.Columns[k], k)
			for i := from; i < to; {
				var scratch []parquet.Value
				for ; i < to && len(scratch) < 4096; i++ {
					scratch = append(scratch, value(i))
				}
				if _, err := w.WriteRowValues(scratch); err != nil {
					return err
				}
			}
		}
		if _, err := group.Commit(); err != nil {
			return err
		}
	}
	return out.Close()
}

func plainNode(c *Column) parquet.Node {
	switch {
	case c.Ints != nil:
		return parquet.Encoded(parquet.Int(64), &parquet.DeltaBinaryPacked)
	case c.Floats != nil:
		return parquet.Optional(parquet.Leaf(parquet.DoubleType))
	case c.Dates != nil:
		return parquet.Optional(parquet.Encoded(parquet.Date(), &parquet.DeltaBinaryPacked))
	case c.Bools != nil:
		return parquet.Leaf(parquet.BooleanType)
	case c.repeats(c.len()):
		return parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary))
	}
	return parquet.Optional(parquet.Encoded(parquet.String(), &parquet.DeltaLengthByteArray))
}

func plainValues(c *Column, column int) func(row int) parquet.Value {
	null := parquet.Value{}.Level(0, 0, column)
	text := func(s string) parquet.Value {
		if s == "" {
			return null
		}
		return parquet.ByteArrayValue([]byte(s)).Level(0, 1, column)
	}
	switch {
	case c.Ints != nil:
		return func(i int) parquet.Value { return parquet.Int64Value(c.Ints[i]).Level(0, 0, column) }
	case c.Bools != nil:
		return func(i int) parquet.Value { return parquet.BooleanValue(c.Bools[i]).Level(0, 0, column) }
	case c.Floats != nil:
		return func(i int) parquet.Value {
			if math.IsNaN(c.Floats[i]) {
				return null
			}
			return parquet.DoubleValue(c.Floats[i]).Level(0, 1, column)
		}
	case c.Dates != nil:
		return func(i int) parquet.Value {
			if c.Dates[i] == effect.NoDate {
				return null
			}
			return parquet.Int32Value(int32(c.Dates[i])).Level(0, 1, column)
		}
	case c.Texts != nil:
		return func(i int) parquet.Value { return text(c.Texts[i]) }
	}
	levels := make([]parquet.Value, len(c.Factor.Levels))
	for i, s := range c.Factor.Levels {
		levels[i] = text(s)
	}
	return func(i int) parquet.Value {
		if code := c.Factor.Codes[i]; code >= 0 {
			return levels[code]
		}
		return null
	}
}
