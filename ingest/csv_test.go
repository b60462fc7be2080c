package ingest

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// csvTable reads CSV from a file.
func csvTable(t *testing.T, content string) (*Table, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return ReadFile(context.Background(), path, DefaultLimits())
}

// cell tells a column's kind and its cells as they are written.
func told(c *Column) (kind string, cells []string) {
	for i := range c.len() {
		cells = append(cells, c.Cell(i))
	}
	return c.kind(), cells
}

func TestCSVColumns(t *testing.T) {
	for name, test := range map[string]struct {
		content, kind string
		want          []string
	}{
		"whole":                        {"a\n1\n-2\n+3\n", "whole numbers", []string{"1", "-2", "3"}},
		"whole with null":              {"a,b\n1,x\n,x\n", "numbers", []string{"1", ""}},
		"codes with zeros in front":    {"a\n0751\n101\n", "text", []string{"0751", "101"}},
		"more than numbers can tell":   {"a\n9007199254740993\n1\n", "text", []string{"9007199254740993", "1"}},
		"the last that they can":       {"a\n9007199254740992\n-0\n", "whole numbers", []string{"9007199254740992", "0"}},
		"numbers":                      {"a\n6.30\n-.5\n2.\n1e-3\n7\n", "numbers", []string{"6.3", "-0.5", "2", "0.001", "7"}},
		"minus zero":                   {"a\n-0.0\n1.5\n", "numbers", []string{"0", "1.5"}},
		"infinite":                     {"a\n1e999\n1\n", "text", []string{"1e999", "1"}},
		"words for numbers":            {"a\nNaN\n1\n", "text", []string{"NaN", "1"}},
		"not Go's numbers":             {"a\n0x10\n1_000\n", "text", []string{"0x10", "1_000"}},
		"a decimal comma with commas":  {"a,b\n\"6,3\",1\n", "text", []string{"6,3"}},
		"a decimal comma":              {"a;b\n6,3;x\n7;y\n-0,05;z\n", "numbers", []string{"6.3", "7", "-0.05"}},
		"grouped by points":            {"a;b\n1.234,5;x\n12.345.678;y\n0;z\n", "numbers", []string{"1234.5", "12345678", "0"}},
		"grouped whole numbers":        {"a;b\n1.250;6,5\n850;7,5\n", "whole numbers", []string{"1250", "850"}},
		"a mark in each column":        {"a;b\n7.4;6,5\n8;7,5\n", "numbers", []string{"7.4", "8"}},
		"both marks in a column":       {"a;b\n7.4;6\n7,5;7\n", "text", []string{"7.4", "7,5"}},
		"columns that disagree":        {"a;b;c\n1.250;7.4;6,5\n850;8;7,5\n", "text", []string{"1.250", "850"}},
		"as other columns have it":     {"a;b\n1.250;7.4\n850;8\n", "numbers", []string{"1.25", "850"}},
		"a list is not a number":       {"a;b\n1.250;1,2\n850;1 and 2\n", "text", []string{"1.250", "850"}},
		"grouped more than once":       {"a;b\n1.250.000;x\n1.250;y\n", "whole numbers", []string{"1250000", "1250"}},
		"grouped wrongly":              {"a;b\n12.50.000;1,5\n1250;2\n", "text", []string{"12.50.000", "1250"}},
		"not knowable":                 {"a;b\n1.250;x\n850;y\n", "text", []string{"1.250", "850"}},
		"decimal points, semicolons":   {"a;b\n1.250;x\n0.85;y\n", "numbers", []string{"1.25", "0.85"}},
		"three decimals, commas":       {"a,b\n1.250,x\n850,y\n", "numbers", []string{"1.25", "850"}},
		"dates":                        {"a\n2008-12-31\n2009-01-01\n", "dates", []string{"2008-12-31", "2009-01-01"}},
		"dates with null":              {"a,b\n2008-12-31,1\n,1\n", "dates", []string{"2008-12-31", ""}},
		"no such date":                 {"a\n2008-12-31\n2009-02-30\n", "text", []string{"2008-12-31", "2009-02-30"}},
		"truth values":                 {"a\ntrue\nFALSE\n", "truth values", []string{"true", "false"}},
		"truth values with null":       {"a,b\nTrue,1\n,1\n", "text", []string{"True", ""}},
		"mixed":                        {"a\n1\nx\n", "text", []string{"1", "x"}},
		"nothing":                      {"a,b\n,1\n,2\n", "text", []string{"", ""}},
		"no rows":                      {"a,b\n", "text", nil},
		"no line break at the end":     {"a\n1", "whole numbers", []string{"1"}},
		"a byte order mark":            {"\xEF\xBB\xBFa,b\r\nx,1\r\n", "text", []string{"x"}},
		"quotes":                       {"\"a\"\n\"x, \"\"y\"\"\n z\"\n", "text", []string{"x, \"y\"\n z"}},
		"spaces around":                {" a ;b\n 1 ;x\n2;y\n", "whole numbers", []string{"1", "2"}},
		"a quoted semicolon":           {"a,\"b;c\"\n1,2\n", "whole numbers", []string{"1"}},
		"a comma in a name":            {"a;b, c\n1;2\n", "whole numbers", []string{"1"}},
		"empty lines":                  {"\n\na;b\n\n1,5;2\n\n", "numbers", []string{"1.5"}},
		"an exponent with a comma":     {"a;b\n1,5E2;2\n", "numbers", []string{"150"}},
		"signs and marks only":         {"a\n-\n1\n", "text", []string{"-", "1"}},
		"quotes are not part of names": {"\"a\",b\n\"1\",2\n", "whole numbers", []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := csvTable(t, test.content)
			require.NoError(t, err)
			require.NoError(t, table.check())
			assert.Equal(t, "table", table.Name)
			require.NotNil(t, table.Column("a"))
			kind, cells := told(table.Column("a"))
			assert.Equal(t, test.kind, kind)
			assert.Equal(t, test.want, cells)
		})
	}
}

// malformedCSV are files with one defect each, and what is said of it. Whatever
// looks like an identifier in them may never be in a message.
func malformedCSV() map[string]struct {
	content  string
	is       error
	messages []string
} {
	type file = struct {
		content  string
		is       error
		messages []string
	}
	const id = "7700012345"
	return map[string]file{
		"empty":          {"", ErrEmptyFile, nil},
		"only_a_mark":    {"\xEF\xBB\xBF", ErrEmptyFile, nil},
		"only_lines":     {"\r\n\n", ErrEmptyFile, nil},
		"ragged_short":   {"a,b\n1,2\n\"x\n\"," + id + "\n" + id + "\n", ErrCSV, []string{"line 5", "1 cell where the line of names has 2"}},
		"ragged_long":    {"a;b\n1;2\n" + id + ";3;4\n", ErrCSV, []string{"line 3", "3 cells", "separator"}},
		"decimal_comma":  {"a,b\nx,6,3\n", ErrCSV, []string{"line 2", "3 cells", "semicolons"}},
		"same_name":      {"a," + id + "x,b," + id + "x\n1,2,3,4\n", ErrCSV, []string{"line 1, column 4", "same name as column 2"}},
		"same_trimmed":   {"a,b, a\n1,2,3\n", ErrCSV, []string{"line 1, column 3", "same name as column 1"}},
		"no_name":        {"a,,b\n1,2,3\n", ErrCSV, []string{"line 1, column 2", "without a name"}},
		"no_header":      {"Fanø," + id + ",6.3\nSamsø,1,2\n", ErrCSV, []string{"line 1, column 2", "line of names"}},
		"no_header_date": {"Fanø;2008-12-31\n", ErrCSV, []string{"line 1, column 2"}},
		"old_breaks":     {"a,b\r" + id + ",2\r", ErrCSV, []string{"line 1, column 2", "line break"}},
		"latin1":         {"a,b\n1,2\nK\xF8ge," + id + "\n", ErrCSV, []string{"line 3", "not UTF-8"}},
		"utf16":          {"\xFF\xFEa\x00,\x00b\x00\n\x00", ErrCSV, []string{"line 1", "a byte 0", "UTF-8"}},
		"byte_0":         {"a,b\n1," + id + "\x00\n", ErrCSV, []string{"line 2", "a byte 0"}},
		"bare_quote":     {"a,b\n1,2\n" + id + "\"x,3\n", ErrCSV, []string{"line 3", "bare"}},
		"open_quote":     {"a,b\n1,2\n\"" + id + ",3\n4,5\n", ErrCSV, []string{"line ", "quote"}},
		"after_quote":    {"a,b\n\"" + id + "\"x,3\n", ErrCSV, []string{"line 2", "quote"}},
	}
}

func TestMalformedCSV(t *testing.T) {
	files := malformedCSV()
	if *update {
		for name, f := range files {
			require.NoError(t, os.WriteFile(filepath.Join(malformed, name+".csv"), []byte(f.content), 0o644))
		}
	}
	for name, f := range files {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(malformed, name+".csv")
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, f.content, string(kept), "run with -update")
			_, err = ReadFile(context.Background(), path, DefaultLimits())
			require.ErrorIs(t, err, f.is)
			var file *FileError
			require.ErrorAs(t, err, &file)
			require.NotEmpty(t, file.Cure)
			for _, m := range f.messages {
				require.ErrorContains(t, err, m)
			}
			requireNoPerson(t, err)
		})
	}
}

func TestReadFileLimits(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.CSV")
	require.NoError(t, os.WriteFile(path, []byte("a,b\n1,long text\n"), 0o600))
	_, err := ReadFile(context.Background(), path, DefaultLimits())
	require.NoError(t, err)
	for name, set := range map[string]func(*Limits){
		"bytes":   func(l *Limits) { l.CSVBytes = 15 },
		"columns": func(l *Limits) { l.Columns = 1 },
		"text":    func(l *Limits) { l.TextBytes = 8 },
	} {
		t.Run(name, func(t *testing.T) {
			limits := DefaultLimits()
			set(&limits)
			_, err := ReadFile(context.Background(), path, limits)
			require.ErrorIs(t, err, ErrLimit)
			var file *FileError
			require.ErrorAs(t, err, &file)
		})
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err = ReadFile(ctx, path, DefaultLimits())
	require.ErrorIs(t, err, context.Canceled)
	_, err = ReadFile(context.Background(), filepath.Join(dir, "none.csv"), DefaultLimits())
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadFile(context.Background(), filepath.Join(dir, "x.xlsx"), DefaultLimits())
	require.ErrorIs(t, err, ErrFormat)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.csv"), 0o700))
	_, err = ReadFile(context.Background(), filepath.Join(dir, "folder.csv"), DefaultLimits())
	require.Error(t, err)
}

// TestReadFileParquet: what others write, with nulls where they please.
func TestReadFileParquet(t *testing.T) {
	type row struct {
		Name  *string  `parquet:"name,optional"`
		Whole *int32   `parquet:"whole,optional"`
		Full  *int64   `parquet:"full,optional"`
		Short float32  `parquet:"short"`
		Half  *float32 `parquet:"half,optional"`
		Truth *bool    `parquet:"truth,optional"`
		Sure  *bool    `parquet:"sure,optional"`
		Day   *int32   `parquet:"day,optional,date"`
	}
	path := filepath.Join(t.TempDir(), "others.parquet")
	writeRows(t, path, []row{
		{new("Fanø"), new(int32(3)), new(int64(5)), 6.3, new(float32(0.1)), new(true), new(true), new(int32(14000))},
		{nil, nil, new(int64(6)), 7.15, nil, nil, new(false), nil},
	}, parquet.Compression(&parquet.Zstd))
	table, err := ReadFile(context.Background(), path, DefaultLimits())
	require.NoError(t, err)
	for name, want := range map[string]struct {
		kind  string
		cells []string
	}{
		"name": {"text", []string{"Fanø", ""}}, "whole": {"numbers", []string{"3", ""}}, "full": {"whole numbers", []string{"5", "6"}},
		"short": {"numbers", []string{"6.3", "7.15"}}, "half": {"numbers", []string{"0.1", ""}}, "truth": {"text", []string{"true", ""}},
		"sure": {"truth values", []string{"true", "false"}}, "day": {"dates", []string{effect.Date(14000).String(), ""}},
	} {
		kind, cells := told(table.Column(name))
		assert.Equal(t, want.kind, kind, name)
		assert.Equal(t, want.cells, cells, name)
	}
	_, err = ReadTable(context.Background(), path, DefaultLimits())
	require.ErrorIs(t, err, ErrTable, "tables of results have no such nulls")
	_, err = ReadFile(context.Background(), filepath.Join(malformed, "truncated.parquet"), DefaultLimits())
	require.ErrorIs(t, err, ErrTruncated)
	_, err = ReadFile(context.Background(), filepath.Join(malformed, "nested_column.parquet"), DefaultLimits())
	require.ErrorIs(t, err, ErrTable)
}

// FuzzCSV: whatever the bytes are there is a table that fits together, and comes
// back the same from its own CSV, or a typed error without a cell of the file.
func FuzzCSV(f *testing.F) {
	for _, file := range malformedCSV() {
		f.Add([]byte(file.content))
	}
	f.Add([]byte("a;b;c\n1.234,5;2008-12-31;true\n7;;\n"))
	f.Add([]byte("name,x\n\"a \"\"b\"\"\",-1.5e3\n,\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(b []byte) (*Table, error) {
			return parseCSV(context.Background(), "file.csv", "file", b, DefaultLimits())
		}
		table, err := read(b)
		if err != nil {
			var file *FileError
			require.ErrorAs(t, err, &file)
			return
		}
		require.NoError(t, table.check())
		// The parser takes a return and a line break for a line break, and a line
		// without any character for none.
		if bytes.ContainsRune(b, '\r') || len(table.Columns) == 1 {
			return
		}
		again := func(table *Table) *Table {
			var out bytes.Buffer
			require.NoError(t, table.WriteCSV(&out))
			// Names may hold a semicolon, which is quoted then, and cells too.
			back, err := read(out.Bytes())
			require.NoError(t, err, "%q", out.String())
			return back
		}
		first := again(table)
		second := again(first)
		for k := range first.Columns {
			kind, cells := told(&first.Columns[k])
			kind2, cells2 := told(&second.Columns[k])
			require.Equal(t, kind, kind2)
			require.Equal(t, cells, cells2)
			if strings.Contains(kind, "number") {
				for _, v := range first.Columns[k].Floats {
					require.False(t, math.IsInf(v, 0))
				}
			}
		}
	})
}
