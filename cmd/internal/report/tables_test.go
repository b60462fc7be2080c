package report

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt/demo"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// demonstration is the publication of the demonstration, made once.
func demonstration(t *testing.T) *jobeffekt.Publication {
	t.Helper()
	p, err := demonstrated()
	require.NoError(t, err)
	return p
}

var demonstrated = sync.OnceValues(func() (*jobeffekt.Publication, error) {
	folder, err := os.MkdirTemp("", "jobeffekt-report-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := os.CopyFS(folder, demo.Files); err != nil {
		return nil, err
	}
	c, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
	if err != nil {
		return nil, err
	}
	if _, err := jobeffekt.Run(context.Background(), c); err != nil {
		return nil, err
	}
	return jobeffekt.ReadPublication(context.Background(), c.ResultsFolder(), 5)
})

// small is a publication of one table, with everything that a cell may hold.
func small(tables ...*ingest.Table) *jobeffekt.Publication {
	asOf, _ := effect.ParseDate("2010-06-30")
	return &jobeffekt.Publication{MinCount: 5, Tables: tables, Manifest: &jobeffekt.Manifest{AsOf: asOf, Standing: "provisional, retrospective", Program: jobeffekt.Program{Module: "jobeffekt", Version: "v1"}}}
}

func hostile() []string {
	return []string{
		"", "=1+1", "+45", "-2", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1+1", "\r=1", "a;=1+1", "a\n=1+1", "a|+b", "ＡＢ", "＝1", "<b>&\"'</b>",
		"x\x00y\x07\u202Ez\ufffe", "_x0041_", " lead and trail ", strings.Repeat("ø", 40_000), strings.Repeat("😀", 20_000), "\"=1+1", "-796.5", "1e5", "NaN", "bad\xffutf8",
	}
}

func hostileTable() *ingest.Table {
	texts := hostile()
	n := len(texts)
	t := &ingest.Table{Name: "hostile", Columns: []ingest.Column{
		{Name: "=name", Doc: "=doc | <i>", Texts: texts},
		{Name: "n", Doc: "count", Ints: make([]int64, n)},
		{Name: "value", Doc: "value", Floats: make([]float64, n)},
		{Name: "on", Doc: "day", Dates: make([]effect.Date, n)},
		{Name: "yes", Doc: "truth", Bools: make([]bool, n)},
	}}
	f := effect.NewFactor(texts)
	t.Columns = append(t.Columns, ingest.Column{Name: "factor", Doc: "names", Factor: &f})
	for i := range n {
		t.Columns[1].Ints[i], t.Columns[2].Floats[i], t.Columns[3].Dates[i], t.Columns[4].Bools[i] = int64(i), float64(i)+0.25, effect.Date(14000+i), i%2 == 0
	}
	t.Columns[1].Ints[1] = 1 << 60
	t.Columns[2].Floats[2], t.Columns[2].Floats[3] = math.NaN(), math.Inf(1)
	t.Columns[3].Dates[4], t.Columns[3].Dates[5], t.Columns[3].Dates[6] = effect.NoDate, effect.FirstDate, -25508
	return t
}

// Whatever a text holds, a spreadsheet that opens the CSV sees no cell that begins as a
// formula, by comma or by semicolon.
func TestNoFormulaInCSV(t *testing.T) {
	var b bytes.Buffer
	table := hostileTable()
	require.NoError(t, guarded(table).WriteCSV(&b))
	require.Equal(t, hostileTable().Columns[0].Texts, table.Columns[0].Texts, "the table itself stays as it is")
	records, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, len(hostile())+1)
	for i, record := range records[1:] {
		for _, k := range []int{0, 5} {
			for _, cell := range strings.FieldsFunc(record[k], func(r rune) bool { return r == ';' || r == '\n' || r == '|' }) {
				cell = strings.TrimLeft(cell, "\" ")
				if !number(cell) {
					assert.False(t, cell != "" && strings.ContainsRune("=+-@\t\r＝", []rune(cell)[0]), "%q", hostile()[i])
				}
			}
		}
	}
	at := func(s string) string { return records[1+slices.Index(hostile(), s)][0] }
	assert.Equal(t, "'=1+1", at("=1+1"))
	assert.Equal(t, "-796.5", at("-796.5"), "a number stays one")
	assert.Equal(t, "-2", at("-2"))
	assert.Equal(t, "a;'=1+1", at("a;=1+1"))
	assert.Equal(t, "\"'=1+1", at("\"=1+1"))
	assert.Equal(t, "?=1+1", at("\t=1+1"))
	assert.Equal(t, "x?y??z\ufffe", at("x\x00y\x07\u202Ez\ufffe"))
	assert.Equal(t, "bad?utf8", at("bad\xffutf8"))
}

// Every cell reads back as what it was, with its type, and none is a formula.
func TestWorkbook(t *testing.T) {
	table := hostileTable()
	var b bytes.Buffer
	require.NoError(t, writeWorkbook(&b, small(table)))
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"Contents", "dictionary", "hostile"}, f.GetSheetList())
	raw := excelize.Options{RawCellValue: true}
	for i, s := range append([]string{table.Columns[0].Name}, hostile()...) {
		cell := "A" + strconv.Itoa(i+1)
		formula, err := f.GetCellFormula("hostile", cell)
		require.NoError(t, err)
		assert.Empty(t, formula)
		got, err := f.GetCellValue("hostile", cell, raw)
		require.NoError(t, err)
		if utf16Len(s) > maxCellUnits {
			assert.Equal(t, maxCellUnits, utf16Len(got))
			assert.True(t, strings.HasSuffix(got, wasCut))
			assert.True(t, strings.HasPrefix(s, strings.TrimSuffix(got, wasCut)))
			continue
		}
		assert.Equal(t, inText(s), got)
		if s != "" {
			kind, err := f.GetCellType("hostile", cell)
			require.NoError(t, err)
			assert.Equal(t, excelize.CellTypeInlineString, kind)
		}
	}
	assert.Equal(t, "=1+1", inText("=1+1"), "as it is: a cell of text needs no apostrophe")
	assert.Equal(t, "x?y??z?", inText("x\x00y\x07\u202Ez\ufffe"))
	for cell, want := range map[string]string{
		"B3": "1152921504606846976", "B4": "2", "C2": "0.25", "C4": "", "C5": "+Inf", "D2": strconv.Itoa(14000 + 25569), "D6": "", "D7": "1900-01-01", "D8": "61", "E2": "1", "E3": "0",
	} {
		got, err := f.GetCellValue("hostile", cell, raw)
		require.NoError(t, err)
		assert.Equal(t, want, got, cell)
	}
	shown, err := f.GetCellValue("hostile", "D2")
	require.NoError(t, err)
	assert.Equal(t, effect.Date(14000).String(), shown, "a day is shown as one")
	panes, err := f.GetPanes("hostile")
	require.NoError(t, err)
	assert.True(t, panes.Freeze && panes.YSplit == 1)
	xml := entry(t, b.Bytes(), "xl/worksheets/sheet3.xml")
	assert.Contains(t, xml, `<autoFilter ref="$A$1:$F$`+strconv.Itoa(len(hostile())+1)+`"`)
	assert.NotContains(t, xml, "<f>")
	assert.Contains(t, xml, `<dimension ref="A1:F`+strconv.Itoa(len(hostile())+1)+`"`)
	value, err := f.GetCellValue("Contents", "B1")
	require.NoError(t, err)
	assert.Equal(t, "2010-06-30", value)
}

// entry is a file in a zip.
func entry(t *testing.T, b []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	r, err := z.Open(name)
	require.NoError(t, err)
	defer r.Close()
	var out bytes.Buffer
	_, err = out.ReadFrom(r)
	require.NoError(t, err)
	return out.String()
}

// A table that no sheet holds goes to several, and one that no workbook holds is an error.
func TestWorkbookLimits(t *testing.T) {
	wide := &ingest.Table{Name: "wide"}
	for k := range maxSheetColumns + 1 {
		wide.Columns = append(wide.Columns, ingest.Column{Name: "c" + strconv.Itoa(k), Ints: []int64{1}})
	}
	require.ErrorIs(t, writeWorkbook(&bytes.Buffer{}, small(wide)), ErrWorkbook)
	b, err := newBook(small())
	require.NoError(t, err)
	long := &ingest.Table{Name: "a_name_that_is_longer_than_31_signs", Columns: []ingest.Column{{Name: "n", Ints: []int64{1, 2, 3, 4, 5}}}}
	taken := map[string]bool{}
	sheets, err := b.add(long, taken, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"a_name_that_is_longer_than_31_s", "a_name_that_is_longer_than_31_2", "a_name_that_is_longer_than_31_3"}, sheets)
	last, err := b.file.GetCellValue(sheets[2], "A2")
	require.NoError(t, err)
	assert.Equal(t, "5", last)
	assert.Equal(t, "History_2", sheetName("History", map[string]bool{}), "Excel keeps the name for itself")
	assert.Equal(t, "A_B_2", sheetName("A/B", map[string]bool{"a_b": true}))
}

// Exact decimals, which tables hold as texts, can be added up in a workbook.
func TestWorkbookOfDecimals(t *testing.T) {
	var b bytes.Buffer
	amounts := []string{"1250.5", "-3", "", "1.23456789012345678", "=1+1", "12-3"}
	require.NoError(t, writeWorkbook(&b, small(&ingest.Table{Name: jobeffekt.TableSpending, Columns: []ingest.Column{{Name: "amount_dkk", Texts: amounts}, {Name: "municipality", Texts: []string{"751", "751", "751", "751", "751", "751"}}}})))
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	defer f.Close()
	for i, want := range []excelize.CellType{excelize.CellTypeNumber, excelize.CellTypeNumber, excelize.CellTypeUnset, excelize.CellTypeInlineString, excelize.CellTypeInlineString, excelize.CellTypeInlineString} {
		cell := strconv.Itoa(i + 2)
		got, err := f.GetCellType(jobeffekt.TableSpending, "A"+cell)
		require.NoError(t, err)
		if want == excelize.CellTypeNumber && got == excelize.CellTypeUnset { // numbers are what has no type
			raw, err := f.GetCellValue(jobeffekt.TableSpending, "A"+cell, excelize.Options{RawCellValue: true})
			require.NoError(t, err)
			assert.Equal(t, amounts[i], raw)
			continue
		}
		assert.Equal(t, want, got, amounts[i])
		code, err := f.GetCellType(jobeffekt.TableSpending, "B"+cell)
		require.NoError(t, err)
		assert.Equal(t, excelize.CellTypeInlineString, code, "a code is no number")
	}
}

// The whole demonstration: the same bytes each time, a sheet a table, and every number as it
// is in the table.
func TestWorkbookOfTheDemonstration(t *testing.T) {
	whole := demonstration(t)
	p := small()
	for _, table := range whole.Tables {
		if table.Rows() < 1000 { // of the longer ones nothing else happens, and reading them back is slow
			p.Tables = append(p.Tables, table)
		}
	}
	require.Greater(t, len(p.Tables), 10)
	var b, again bytes.Buffer
	require.NoError(t, writeWorkbook(&b, p))
	require.NoError(t, writeWorkbook(&again, p))
	require.True(t, bytes.Equal(b.Bytes(), again.Bytes()), "the same publication, the same bytes")
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	defer f.Close()
	require.Len(t, f.GetSheetList(), len(p.Tables)+2)
	for _, table := range p.Tables {
		rows, err := f.GetRows(sheetName(table.Name, map[string]bool{}), excelize.Options{RawCellValue: true})
		require.NoError(t, err)
		require.Len(t, rows, table.Rows()+1, table.Name)
		for i, row := range rows[1:] {
			for k := range table.Columns {
				c, got := &table.Columns[k], ""
				if k < len(row) {
					got = row[k]
				}
				exact := (c.Texts != nil || c.Factor != nil) && measureOf(table.Name, c, false).unit != "" && number(c.Cell(i)) && len(c.Cell(i)) <= maxDecimal
				if (c.Floats != nil || exact) && got != "" {
					v, err := strconv.ParseFloat(got, 64)
					require.NoError(t, err)
					want, err := strconv.ParseFloat(c.Cell(i), 64)
					require.NoError(t, err)
					require.Equal(t, want, v)
				} else if c.Dates == nil && c.Bools == nil {
					require.Equal(t, c.Cell(i), got, "%s.%s", table.Name, c.Name)
				}
			}
		}
	}
	foreign(t, b.Bytes(), p)
}

// foreign reads the workbook with openpyxl, where that is to be had.
func foreign(t *testing.T, book []byte, p *jobeffekt.Publication) {
	python := os.Getenv("JOBEFFEKT_PYTHON")
	if python == "" {
		t.Log("JOBEFFEKT_PYTHON names no Python with openpyxl: not read by another program")
		return
	}
	path := filepath.Join(t.TempDir(), "tables.xlsx")
	require.NoError(t, os.WriteFile(path, book, 0o600))
	out, err := exec.Command(python, "-c", `
import datetime, openpyxl, sys
book = openpyxl.load_workbook(sys.argv[1])
for sheet in book:
    rows = list(sheet.iter_rows())
    assert sheet.auto_filter.ref and sheet.freeze_panes, sheet.title
    assert all(c.data_type != 'f' for row in rows for c in row), sheet.title
    print(sheet.title, len(rows))
assert isinstance(book['Contents']['B1'].value, datetime.datetime)
assert isinstance(book['providers']['B2'].value, datetime.datetime)
`, path).CombinedOutput()
	require.NoError(t, err, string(out))
	for _, table := range p.Tables {
		assert.Contains(t, string(out), table.Name+" "+strconv.Itoa(table.Rows()+1)+"\n")
	}
}

// Every number of the demonstration lies where the dictionary says, every column has a
// meaning, and every number a unit.
func TestDictionary(t *testing.T) {
	p := demonstration(t)
	rows, err := ingest.ToRows[dictionaryRow](dictionary(p.Tables))
	require.NoError(t, err)
	at := 0
	for _, table := range p.Tables {
		info, known := jobeffekt.ResultTable(table.Name)
		require.True(t, known && info.About != "", table.Name)
		for k := range table.Columns {
			c, r := &table.Columns[k], rows[at]
			at++
			require.Equal(t, table.Name+"."+c.Name, r.Table+"."+r.Column)
			assert.NotEmpty(t, r.Meaning, "%s.%s", r.Table, r.Column)
			assert.NotEmpty(t, r.Missing)
			exact := slices.Contains([]string{"figures.value", "spending.amount_dkk", "settlement.quantity", "settlement.times", "upkeep.agreed", "upkeep.used"}, r.Table+"."+r.Column) // texts
			assert.Equal(t, c.Ints != nil || c.Floats != nil || exact, r.Unit != "", "%s.%s", r.Table, r.Column)
			for i := range table.Rows() {
				v := math.NaN()
				if c.Ints != nil {
					v = float64(c.Ints[i])
				} else if c.Floats != nil {
					v = c.Floats[i]
				}
				require.False(t, v < r.Least || v > r.Most, "%s.%s is %v, and the dictionary says %s", r.Table, r.Column, v, between(r.Least, r.Most))
			}
		}
	}
	require.Equal(t, len(rows), at)
}

// The files: each table in each format, and the dictionary for people and programs.
func TestTableFiles(t *testing.T) {
	p := small(hostileTable())
	paths := func(only ...Part) (out []string) {
		for _, f := range tableFiles(p, Options{Only: only}) {
			out = append(out, f.name)
		}
		return out
	}
	assert.Empty(t, paths(Workbook))
	assert.Equal(t, []string{"tables/hostile.csv", "tables/hostile.parquet", "tables/dictionary.csv", "tables/dictionary.md"}, paths())
	assert.Equal(t, []string{"tables/hostile.parquet", "tables/dictionary.csv", "tables/dictionary.md"}, paths(Parquet))
	for _, f := range append(tableFiles(p, Options{}), workbook(p)...) {
		var b bytes.Buffer
		require.NoError(t, f.write(context.Background(), &b))
		require.NotEmpty(t, b.String(), f.name)
		if f.name == "tables/dictionary.md" {
			assert.Contains(t, b.String(), "| =name | text |  |  | there is none | =doc or &lt;i> |")
		}
	}
}
