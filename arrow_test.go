package jobeffekt_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// A service that holds the tables in memory gets what the files give.
func TestEvaluateFromArrow(t *testing.T) {
	t.Parallel()
	c := job(t)
	want, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)

	ds := ingest.NewDataset(c.IngestOptions())
	for _, name := range []string{"participations", "spells", "persons", "municipalities", "providers", "satisfaction", "inspections", "experience"} {
		paths, _ := filepath.Glob(filepath.Join(c.Data, name, "*.parquet"))
		if paths == nil {
			paths = []string{filepath.Join(c.Data, name+".parquet")}
		}
		table, err := ingest.ReadTable(context.Background(), paths[0], ingest.DefaultLimits())
		require.NoError(t, err)
		half := table.Rows() / 2
		require.NoError(t, ds.AddArrow(name, record(table, 0, half), record(table, half, table.Rows())))
	}
	terms, err := bonus.ParseTerms("terms.yaml", read(t, filepath.Join(filepath.Dir(c.Path), "terms.yaml")))
	require.NoError(t, err)
	got, err := jobeffekt.Evaluate(context.Background(), ds, c, terms)
	require.NoError(t, err)

	sameObservations(t, want.Observations, got.Observations)
	assert.Equal(t, fmt.Sprint(want.Estimates), fmt.Sprint(got.Estimates))
	assert.Equal(t, fmt.Sprint(want.Benchmark), fmt.Sprint(got.Benchmark))
	assert.Equal(t, fmt.Sprint(want.Settlement), fmt.Sprint(got.Settlement))
	assert.Equal(t, want.Summary(), got.Summary())
}

// record makes an Arrow record of rows [from, to) of a table.
func record(t *ingest.Table, from, to int) arrow.Record {
	var fields []arrow.Field
	var columns []arrow.Array
	for _, c := range t.Columns {
		var b array.Builder
		switch {
		case c.Ints != nil:
			x := array.NewInt64Builder(memory.DefaultAllocator)
			x.AppendValues(c.Ints[from:to], nil)
			b = x
		case c.Floats != nil:
			x := array.NewFloat64Builder(memory.DefaultAllocator)
			for _, v := range c.Floats[from:to] {
				if math.IsNaN(v) {
					x.AppendNull()
				} else {
					x.Append(v)
				}
			}
			b = x
		case c.Dates != nil:
			x := array.NewDate32Builder(memory.DefaultAllocator)
			for _, v := range c.Dates[from:to] {
				if v == effect.NoDate {
					x.AppendNull()
				} else {
					x.Append(arrow.Date32(v))
				}
			}
			b = x
		case c.Bools != nil:
			x := array.NewBooleanBuilder(memory.DefaultAllocator)
			x.AppendValues(c.Bools[from:to], nil)
			b = x
		default:
			x := array.NewStringBuilder(memory.DefaultAllocator)
			for i := from; i < to; i++ {
				if s := c.Factor.At(i); s == "" {
					x.AppendNull()
				} else {
					x.Append(s)
				}
			}
			b = x
		}
		a := b.NewArray()
		fields, columns = append(fields, arrow.Field{Name: c.Name, Type: a.DataType(), Nullable: true}), append(columns, a)
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), columns, int64(to-from))
}
