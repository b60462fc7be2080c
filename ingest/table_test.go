package ingest

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

type verdict string

type inner struct {
	Share   float64 `col:"share" doc:"a share"`
	Verdict verdict `col:"verdict"`
}

type sample struct {
	N int64 `col:"n" doc:"cases"`
	inner
	Day   effect.Date `col:"day"`
	Small int32       `col:"small"`
	Sure  bool        `col:"sure"`
	Note  string      // no column
}

func samples() []sample {
	return []sample{
		{1, inner{0.1, "higher, \"perhaps\"\n"}, 14000, -3, true, ""},
		{math.MaxInt32, inner{math.NaN(), ""}, effect.NoDate, 4, false, ""},
		{-9007199254740992, inner{math.Inf(-1), "lavere æøå"}, effect.FirstDate, 0, true, ""},
		{0, inner{1e-7, "higher"}, effect.LastDate, 0, false, ""},
		{0, inner{123456789, "higher"}, 0, 0, false, ""},
	}
}

// roundTrip writes a table as Parquet and reads it again.
func roundTrip(t *testing.T, table *Table) *Table {
	t.Helper()
	var a, b bytes.Buffer
	require.NoError(t, table.WriteParquet(&a))
	require.NoError(t, table.WriteParquet(&b))
	require.Equal(t, a.Bytes(), b.Bytes())
	path := filepath.Join(t.TempDir(), "t.parquet")
	require.NoError(t, os.WriteFile(path, a.Bytes(), 0o644))
	back, err := ReadTable(context.Background(), path, DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, table.Name, back.Name)
	f, err := parquet.OpenFile(bytes.NewReader(a.Bytes()), int64(a.Len()))
	require.NoError(t, err)
	for _, g := range f.RowGroups() {
		for _, c := range g.ColumnChunks() {
			_, err := c.OffsetIndex()
			require.NoError(t, err)
		}
	}
	return back
}

func csvOf(t *testing.T, table *Table) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, table.WriteCSV(&b))
	return b.String()
}

func TestTable(t *testing.T) {
	table, err := FromRows("samples", samples())
	require.NoError(t, err)
	require.Equal(t, "n,share,verdict,day,small,sure\r\n"+
		"1,0.1,\"higher, \"\"perhaps\"\"\r\n\",2008-05-01,-3,true\r\n"+
		"2147483647,,,,4,false\r\n"+
		"-9007199254740992,-Inf,lavere æøå,1900-01-01,0,true\r\n"+
		"0,1e-07,higher,2200-12-31,0,false\r\n"+
		"0,123456789,higher,1970-01-01,0,false\r\n", csvOf(t, table))

	back := roundTrip(t, table)
	require.Equal(t, csvOf(t, table), csvOf(t, back))
	require.Equal(t, "a share", back.Column("share").Doc)
	require.Nil(t, back.Column("Note"))
	rows, err := ToRows[sample](back)
	require.NoError(t, err)
	require.True(t, math.IsNaN(rows[1].Share))
	want := samples()
	rows[1].Share, want[1].Share = 0, 0
	require.Equal(t, want, rows)

	empty, err := FromRows("none", []sample{})
	require.NoError(t, err)
	rows, err = ToRows[sample](roundTrip(t, empty))
	require.NoError(t, err)
	require.Empty(t, rows)
	require.Equal(t, "n,share,verdict,day,small,sure\r\n", csvOf(t, empty))

	// The row types of effect and of this package are tables.
	_, err = FromRows("estimates", []effect.Estimate{{}})
	require.NoError(t, err)
	for _, rows := range []func() (*Table, error){
		func() (*Table, error) { return FromRows("counts", []Count{{"t", "n", 1, "r"}}) },
		func() (*Table, error) { return FromRows("rejects", []Reject{{"t", "f", 1, "c", "why"}}) },
	} {
		table, err := rows()
		require.NoError(t, err)
		require.Equal(t, csvOf(t, table), csvOf(t, roundTrip(t, table)))
	}
}

func TestTableErrors(t *testing.T) {
	_, err := FromRows("t", []struct {
		A []int `col:"a"`
	}{})
	require.ErrorIs(t, err, ErrTable)
	_, err = FromRows("t", []int{1})
	require.ErrorIs(t, err, ErrTable)
	_, err = FromRows("t", []struct {
		A int `col:"a"`
		B int `col:"a"`
	}{})
	require.ErrorIs(t, err, ErrTable)
	for name, c := range map[string][]Column{
		"no vector":   {{Name: "a"}},
		"two vectors": {{Name: "a", Ints: []int64{1}, Texts: []string{""}}},
		"length":      {{Name: "a", Ints: []int64{1}}, {Name: "b", Ints: []int64{}}},
		"code":        {{Name: "a", Factor: &effect.Factor{Codes: []int32{0}}}},
		"no name":     {{Ints: []int64{1}}},
	} {
		table := &Table{Name: "t", Columns: c}
		require.ErrorIs(t, table.WriteCSV(nil), ErrTable, name)
		require.ErrorIs(t, table.WriteParquet(nil), ErrTable, name)
	}
	table := &Table{Name: "t", Columns: []Column{{Name: "n", Ints: []int64{1 << 40}}, {Name: "x", Texts: []string{"1"}}}}
	_, err = ToRows[struct {
		N int32 `col:"n"`
	}](table)
	require.ErrorIs(t, err, ErrTable)
	_, err = ToRows[struct {
		X float64 `col:"x"`
	}](table)
	require.ErrorContains(t, err, `column "x" of text does not fit a field of type float64`)
	_, err = ToRows[struct {
		Y float64 `col:"y"`
	}](table)
	require.ErrorContains(t, err, `there is no column "y"`)
	wide, err := ToRows[struct {
		N float64 `col:"n"`
	}](table)
	require.NoError(t, err)
	require.EqualValues(t, 1<<40, wide[0].N)

	path := filepath.Join(t.TempDir(), "t.parquet")
	writeRows(t, path, []struct{ N *int64 }{{nil}})
	_, err = ReadTable(context.Background(), path, DefaultLimits())
	require.ErrorIs(t, err, ErrTable)
	require.ErrorContains(t, err, `row 1, column "N"`)
	writeRows(t, path, []struct{ N int64 }{{1 << 60}})
	_, err = ReadTable(context.Background(), path, DefaultLimits())
	require.ErrorIs(t, err, ErrTable)
	_, err = ReadTable(context.Background(), filepath.Join(malformed, "nested_column.parquet"), DefaultLimits())
	require.ErrorIs(t, err, ErrTable)
	_, err = ReadTable(context.Background(), filepath.Join(malformed, "empty.parquet"), DefaultLimits())
	require.ErrorIs(t, err, ErrEmptyFile)
}

// TestLargeTable writes several row groups, with text under and over what a
// dictionary is good for.
func TestLargeTable(t *testing.T) {
	table := largeTable(2*tableGroup + 77)
	require.Equal(t, csvOf(t, table), csvOf(t, roundTrip(t, table)))
}

func largeTable(n int) *Table {
	ids := make([]string, n)
	f := effect.Factor{Codes: make([]int32, n), Levels: []string{"cash_benefit", "education"}}
	numbers, days, sure, counts := make([]float64, n), make([]effect.Date, n), make([]bool, n), make([]int64, n)
	for i := range n {
		ids[i] = effect.NumberID(int64(i) * 7919).String()
		f.Codes[i] = int32(i*i%7%3) - 1
		numbers[i] = float64(i%1000) / 8
		if i%11 == 0 {
			numbers[i] = math.NaN()
		}
		days[i] = effect.Date(12000 + i%900)
		sure[i] = i%3 == 0
		counts[i] = int64(i)
	}
	return &Table{Name: "large", Columns: []Column{
		{Name: "id", Texts: ids},
		{Name: "state", Factor: &f},
		{Name: "value", Floats: numbers},
		{Name: "reached_on", Dates: days},
		{Name: "complete", Bools: sure},
		{Name: "n", Ints: counts},
	}}
}
