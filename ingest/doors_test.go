package ingest

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// A moment is a day with or without a time of day.
type moment struct {
	day  int
	noon bool
}

// drawn is a column of a random table: cells are nil, int64, string, float64,
// bool or moment.
type drawn struct {
	name  string
	cells []any
}

func drawColumn(t *rapid.T, name string, n int, cell *rapid.Generator[any], nulls bool) drawn {
	if nulls {
		cell = rapid.OneOf(cell, cell, cell, cell, cell, cell, rapid.Just[any](nil))
	}
	return drawn{name, rapid.SliceOfN(cell, n, n).Draw(t, name)}
}

// drawID draws small numbers, or texts among which some are bad.
func drawID(t *rapid.T, name string, n, distinct int, bad bool) drawn {
	number := rapid.Map(rapid.IntRange(-2, distinct), func(i int) any { return int64(i) })
	if rapid.Bool().Draw(t, name+" as text") {
		number = rapid.Map(rapid.IntRange(-2, distinct), func(i int) any {
			s := strconv.Itoa(i)
			switch {
			case bad && i == 0:
				return []string{"", "\xff", strings.Repeat("x", 100)}[distinct%3]
			case i%3 == 0:
				return "æ" + s
			}
			return s
		})
	}
	return drawColumn(t, name, n, number, bad)
}

func drawDate(t *rapid.T, name string, n int, nulls bool) drawn {
	odd := rapid.IntRange(0, 9).Draw(t, name+" odd") == 0
	return drawColumn(t, name, n, rapid.Map(rapid.IntRange(0, 400), func(i int) any {
		m := moment{day: 13000 + i}
		if odd && i%50 == 0 {
			m.day = int(effect.LastDate) + i/200
		}
		m.noon = odd && i%50 == 1
		return m
	}), nulls)
}

func drawWorld(t *rapid.T) map[string][]drawn {
	n, m, k := rapid.IntRange(1, 60).Draw(t, "participations"), rapid.IntRange(1, 40).Draw(t, "persons"), rapid.IntRange(1, 300).Draw(t, "spells")
	bad := rapid.Bool().Draw(t, "bad")
	number := rapid.OneOf(rapid.Just[any](math.NaN()), rapid.Just[any](math.Inf(-1)), rapid.Map(rapid.IntRange(-5, 5), func(i int) any { return float64(i) / 4 }))
	names := rapid.SampledFrom([]any{"a", "b", "", "ø"})
	truth := rapid.Map(rapid.Bool(), func(b bool) any { return b })
	codes := []any{"cash_benefit", "education", "leave", "x1"}
	if bad {
		codes = append(codes, "", "dead\xff")
	}
	return map[string][]drawn{
		Participations: {
			drawID(t, "participation_id", n, 50, bad), drawID(t, "person_id", n, 12, false),
			drawID(t, "municipality", n, 3, false), drawID(t, "match_scheme", n, 1, false), drawID(t, "match_group", n, 4, false),
			drawDate(t, "referral_date", n, bad), drawID(t, "provider_id", n, 3, bad),
			drawDate(t, "start_date", n, true), drawDate(t, "end_date", n, true),
			drawColumn(t, "completed", n, truth, true), drawColumn(t, "price", n, number, true),
		},
		Persons: {
			drawID(t, "person_id", m, 14, false), drawDate(t, "valid_from", m, bad), drawColumn(t, "origin", m, names, true),
			drawDate(t, "birth_date", m, true),
		},
		Spells: {
			drawID(t, "person_id", k, 14, bad), drawColumn(t, "state", k, rapid.SampledFrom(codes), bad),
			drawDate(t, "start_date", k, bad), drawDate(t, "end_date", k, true),
		},
	}
}

func worldOptions() Options {
	opt := DefaultOptions()
	opt.MaxRejectShare = 1
	opt.Limits.TextBytes = 50
	opt.Workers = 3
	opt.Covariates = []string{"completed", "origin", "age", "price", "birth_date"}
	opt.FixedCovariates = []string{"origin"}
	opt.States = map[string]effect.State{"x1": effect.Dead}
	return opt
}

// world is all that reading gives, as text.
type world struct {
	cases, spells []string
	dated         []bool
	counts        []Count
	rejects       []Reject
	err           string
}

func readWorld(t require.TestingT, d *Dataset) world {
	ctx := context.Background()
	require.NoError(t, d.Check(ctx))
	c, err := d.Cases(ctx)
	if err != nil {
		return world{err: err.Error()}
	}
	w := world{cases: caseLines(c)}
	for _, cov := range c.Covariates {
		w.dated = append(w.dated, cov.Dated)
	}
	lines := make(chan []string, 1)
	lines <- nil
	err = d.Spells(ctx, c, nil, func(s effect.Spells) error {
		all := <-lines
		for i, p := range s.Person {
			all = append(all, strings.Join([]string{c.Persons.At(int(p)).String(), s.State[i].String(), s.Start[i].String(), s.End[i].String()}, ","))
		}
		lines <- all
		return nil
	})
	require.NoError(t, err)
	w.spells = <-lines
	slices.Sort(w.spells)
	w.counts, w.rejects = d.Counts(), d.Rejects()
	return w
}

// TestDoors reads random tables through Parquet and through Arrow: cases,
// spells, counts and rejects are the same up to the name of the file. Shuffled
// and cut into parts, they give the same cases, spells and counts.
func TestDoors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tables := drawWorld(t)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		dir, err := os.MkdirTemp("", "doors")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		inMemory, parts := NewDataset(worldOptions()), NewDataset(worldOptions())
		for table, cols := range tables {
			family := families(r, cols)
			writeDrawn(t, r, filepath.Join(dir, table+".parquet"), cols, family)
			require.NoError(t, inMemory.AddArrow(table, drawnRecord(r, cols, family), drawnRecord(r, nil2(cols), family)))
			order := r.Perm(len(cols[0].cells))
			cut := r.IntN(len(order) + 1)
			require.NoError(t, parts.AddArrow(table, drawnRecord(r, take(cols, order[:cut]), family)))
			require.NoError(t, parts.AddArrow(table, drawnRecord(r, take(cols, order[cut:]), family)))
		}
		d, err := OpenFolder(dir, worldOptions())
		require.NoError(t, err)
		a, b, c := readWorld(t, d), readWorld(t, inMemory), readWorld(t, parts)
		for i := range a.rejects {
			a.rejects[i].File = b.rejects[i].File
		}
		require.Equal(t, a, b)
		require.Len(t, c.rejects, len(a.rejects))
		a.rejects, c.rejects = nil, nil
		require.Equal(t, a, c)
	})
}

// nil2 is a table of the same columns without rows.
func nil2(cols []drawn) []drawn { return take(cols, nil) }

func take(cols []drawn, rows []int) []drawn {
	out := make([]drawn, len(cols))
	for i, c := range cols {
		out[i].name = c.name
		out[i].cells = gather(len(rows), func(k int) any { return c.cells[rows[k]] })
	}
	return out
}

// families draws what both doors have to agree on: "date" or "timestamp" for
// moments, by column.
func families(r *rand.Rand, cols []drawn) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		// For columns that are null throughout.
		switch {
		case c.name == "completed":
			out[i] = "bool"
		case c.name == "price":
			out[i] = "float"
		case !strings.Contains(c.name, "date") && c.name != "valid_from":
			out[i] = "text"
		}
		for _, cell := range c.cells {
			switch cell.(type) {
			case int64:
				out[i] = "int"
			case string:
				out[i] = "text"
			case float64:
				out[i] = "float"
			case bool:
				out[i] = "bool"
			case moment:
				if out[i] == "" {
					out[i] = []string{"date", "timestamp"}[r.IntN(2)]
				}
			}
		}
	}
	return out
}

func oneOf[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

func writeDrawn(t require.TestingT, r *rand.Rand, path string, cols []drawn, family []string) {
	group := parquet.Group{}
	units := make([]time.Duration, len(cols))
	for i, c := range cols {
		var node parquet.Node
		enc := []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary}
		units[i] = oneOf(r, time.Millisecond, time.Microsecond, time.Nanosecond)
		switch family[i] {
		case "int":
			node, enc = oneOf(r, parquet.Int(64), parquet.Leaf(parquet.Int64Type)), append(enc, &parquet.DeltaBinaryPacked)
		case "text":
			node, enc = oneOf(r, parquet.String(), parquet.Leaf(parquet.ByteArrayType)), append(enc, &parquet.DeltaByteArray, &parquet.DeltaLengthByteArray)
		case "float":
			node = parquet.Leaf(parquet.DoubleType)
		case "bool":
			node, enc = parquet.Leaf(parquet.BooleanType), []encoding.Encoding{&parquet.Plain}
		case "timestamp":
			unit := map[time.Duration]parquet.TimeUnit{time.Millisecond: parquet.Millisecond, time.Microsecond: parquet.Microsecond, time.Nanosecond: parquet.Nanosecond}[units[i]]
			node = parquet.TimestampAdjusted(unit, r.IntN(2) == 0)
		default:
			node = parquet.Date()
		}
		node = parquet.Encoded(node, oneOf(r, enc...))
		if !slices.Contains(c.cells, nil) && r.IntN(2) == 0 {
			group[c.name] = node
		} else {
			group[c.name] = parquet.Optional(node)
		}
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	schema := parquet.NewSchema("t", group)
	w := parquet.NewGenericWriter[any](f, schema, parquet.PageBufferSize(oneOf(r, 64, 4096)), parquet.DataPageVersion(oneOf(r, 1, 2)),
		parquet.MaxRowsPerRowGroup(oneOf[int64](r, 7, 50, 1000)), parquet.Compression(oneOf[compress.Codec](r, &parquet.Zstd, &parquet.Snappy, &parquet.Gzip, &parquet.Uncompressed)))
	for row := range cols[0].cells {
		out := make(parquet.Row, len(cols))
		for i, c := range cols {
			leaf, _ := schema.Lookup(c.name)
			level := 0
			if group[c.name].Optional() {
				level = 1
			}
			var v parquet.Value
			switch x := c.cells[row].(type) {
			case nil:
				level = 0
			case int64:
				v = parquet.Int64Value(x)
			case string:
				v = parquet.ByteArrayValue([]byte(x))
			case float64:
				v = parquet.DoubleValue(x)
			case bool:
				v = parquet.BooleanValue(x)
			case moment:
				v = parquet.Int32Value(int32(x.day))
				if family[i] == "timestamp" {
					v = parquet.Int64Value(ticks(x, units[i]))
				}
			}
			out[leaf.ColumnIndex] = v.Level(0, level, leaf.ColumnIndex)
		}
		_, err := w.WriteRows([]parquet.Row{out})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
}

func ticks(m moment, unit time.Duration) int64 {
	perDay := int64(24 * time.Hour / unit)
	n := int64(m.day) * perDay
	if m.noon {
		n += perDay / 2
	}
	return n
}

func drawnRecord(r *rand.Rand, cols []drawn, family []string) arrow.Record {
	var fields []arrow.Field
	var arrays []arrow.Array
	for i, c := range cols {
		unit := arrow.Microsecond
		var typ arrow.DataType
		switch family[i] {
		case "int":
			typ = arrow.PrimitiveTypes.Int64
		case "text":
			typ = arrow.BinaryTypes.String
		case "float":
			typ = arrow.PrimitiveTypes.Float64
		case "bool":
			typ = arrow.FixedWidthTypes.Boolean
		case "timestamp":
			typ = &arrow.TimestampType{Unit: unit}
		default:
			typ = arrow.FixedWidthTypes.Date32
		}
		if (family[i] == "int" || family[i] == "text") && c.name != "state" {
			typ = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: typ}
		}
		b := array.NewBuilder(memory.DefaultAllocator, typ)
		for _, cell := range c.cells {
			switch x := cell.(type) {
			case nil:
				b.AppendNull()
			case int64:
				if d, ok := b.(*array.Int64DictionaryBuilder); ok {
					_ = d.Append(x)
				} else {
					b.(*array.Int64Builder).Append(x)
				}
			case string:
				if d, ok := b.(*array.BinaryDictionaryBuilder); ok {
					_ = d.AppendString(x)
				} else {
					b.(*array.StringBuilder).Append(x)
				}
			case float64:
				b.(*array.Float64Builder).Append(x)
			case bool:
				b.(*array.BooleanBuilder).Append(x)
			case moment:
				if family[i] == "timestamp" {
					b.(*array.TimestampBuilder).Append(arrow.Timestamp(ticks(x, unit.Multiplier())))
				} else {
					b.(*array.Date32Builder).Append(arrow.Date32(x.day))
				}
			}
		}
		arrays = append(arrays, b.NewArray())
		fields = append(fields, arrow.Field{Name: c.name, Type: typ, Nullable: true})
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), arrays, int64(len(cols[0].cells)))
}

// TestArrowTypes reads one value through every Arrow type that stands for it.
func TestArrowTypes(t *testing.T) {
	mem := memory.DefaultAllocator
	build := func(typ arrow.DataType, json string) arrow.Array {
		a, _, err := array.FromJSON(mem, typ, strings.NewReader(json))
		require.NoError(t, err)
		return a
	}
	row := map[string]arrow.Array{
		"municipality": build(arrow.PrimitiveTypes.Int64, `[101, 101]`), "year": build(arrow.PrimitiveTypes.Uint16, `[2008, 2009]`),
		"name": build(arrow.BinaryTypes.LargeString, `["Ærø", null]`), "nothing": array.NewNull(2),
		"i8": build(arrow.PrimitiveTypes.Int8, `[-7, null]`), "i16": build(arrow.PrimitiveTypes.Int16, `[-7, 1]`), "i32": build(arrow.PrimitiveTypes.Int32, `[-7, 1]`),
		"u8": build(arrow.PrimitiveTypes.Uint8, `[7, 1]`), "u32": build(arrow.PrimitiveTypes.Uint32, `[4294967295, 1]`), "u64": build(arrow.PrimitiveTypes.Uint64, `[9223372036854775808, 1]`),
		"f32": build(arrow.PrimitiveTypes.Float32, `[0.25, 1]`), "f64": build(arrow.PrimitiveTypes.Float64, `[0.1, 1]`),
		"dec": build(&arrow.Decimal128Type{Precision: 20, Scale: 2}, `["-12.34", "1"]`),
		"big": build(&arrow.Decimal128Type{Precision: 38, Scale: 10}, `["12345678901234567890.1234567891", "1"]`),
	}
	var fields []arrow.Field
	var cols []arrow.Array
	for name, a := range row {
		fields = append(fields, arrow.Field{Name: name, Type: a.DataType(), Nullable: true})
		cols = append(cols, a)
	}
	d := NewDataset(DefaultOptions())
	require.NoError(t, d.AddArrow(Municipalities, array.NewRecord(arrow.NewSchema(fields, nil), cols, 2)))
	got, err := d.Conditions(context.Background())
	require.NoError(t, err)
	require.Equal(t, Condition{"101", 2008, "Ærø", map[string]float64{
		"i8": -7, "i16": -7, "i32": -7, "u8": 7, "u32": math.MaxUint32, "u64": 1 << 63, "f32": 0.25, "f64": 0.1,
		"dec": -12.34, "big": 12345678901234567890.1234567891,
	}}, got[0])
	require.NotContains(t, got[1].Values, "i8")
	require.Len(t, got, 2)

	require.ErrorIs(t, d.AddArrow("spell", array.NewRecord(arrow.NewSchema(fields, nil), cols, 2)), ErrNoTable)
	require.Error(t, d.AddArrow(Spells))
}

// TestCancel stops a scan between batches.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d, err := OpenFolder(filepath.Join(histories, "duckdb"), truthOptions())
	require.NoError(t, err)
	c, err := d.Cases(ctx)
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, d.Spells(ctx, c, nil, nil), context.Canceled)
	_, err = d.Cases(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, d.Check(ctx), context.Canceled)
	_, err = ReadTable(ctx, filepath.Join(malformed, "good.parquet"), DefaultLimits())
	require.ErrorIs(t, err, context.Canceled)
	var b bytes.Buffer
	require.NoError(t, (&Table{Name: "t"}).WriteCSV(&b))
}
