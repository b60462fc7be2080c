package report

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// What a workbook can hold.
const (
	maxSheetRows    = excelize.TotalRows
	maxSheetColumns = excelize.MaxColumns
	maxCellUnits    = excelize.TotalCellChars // in UTF-16
	maxSheetName    = excelize.MaxSheetNameLength
	maxExact        = 999_999_999_999_999 // whole numbers beyond 15 digits are rounded by spreadsheets
	maxDecimal      = 15                  // characters of a decimal that it keeps
	firstSerial     = 61                  // 1900-03-01: before it spreadsheets count a day that never was
)

// ErrWorkbook is wrapped by errors about tables that no workbook can hold.
var ErrWorkbook = errors.New("workbook")

// wasCut ends a text that is longer than a cell can hold.
const wasCut = " [cut: longer than a cell can hold; the CSV has it all]"

// contentsSheet is the first sheet of a workbook.
const contentsSheet = "Contents"

// workbook is the workbook with a sheet for each table.
func workbook(p *jobeffekt.Publication) []file {
	return []file{{"tables.xlsx", func(_ context.Context, w io.Writer) error { return writeWorkbook(w, p) }}}
}

// writeWorkbook writes the tables of a publication as one XLSX workbook: a sheet of contents,
// a sheet of what the columns mean, and a sheet a table. Cells are numbers, dates, truth
// values or texts; a text is never taken for a formula. A figure that is missing or withheld
// is an empty cell. The same publication makes the same bytes.
//
// A table with more than 1,048,575 rows goes to several sheets; one with more than 16,384
// columns is an error that wraps [ErrWorkbook].
func writeWorkbook(w io.Writer, p *jobeffekt.Publication) (err error) {
	book, err := newBook(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.file.Close()) }()
	names := map[string]bool{}
	words := dictionary(p.Tables)
	first := sheetName(contentsSheet, names)
	if err := book.file.SetSheetName(book.file.GetSheetName(0), first); err != nil {
		return fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	contents := &ingest.Table{Name: "contents"}
	var sheet, table, about []string
	var rows, columns, withheld []int64
	for _, t := range append([]*ingest.Table{words}, p.Tables...) {
		what, hidden := "What every column of every table means", int64(0)
		if t != words {
			info, _ := jobeffekt.ResultTable(t.Name)
			what = info.About
		}
		if c := t.Column(jobeffekt.SuppressedColumn); c != nil {
			for i := range t.Rows() {
				if c.Cell(i) != "" {
					hidden++
				}
			}
		}
		sheets, err := book.add(t, names, maxSheetRows-1)
		if err != nil {
			return err
		}
		sheet, table, about = append(sheet, strings.Join(sheets, ", ")), append(table, t.Name), append(about, what)
		rows, columns, withheld = append(rows, int64(t.Rows())), append(columns, int64(len(t.Columns))), append(withheld, hidden)
	}
	contents.Columns = []ingest.Column{
		{Name: "sheet", Texts: sheet},
		{Name: "table", Texts: table},
		{Name: "rows", Ints: rows},
		{Name: "columns", Ints: columns},
		{Name: "rows with withheld figures", Ints: withheld},
		{Name: "what it holds", Texts: about},
	}
	if err := book.contents(first, contents, p); err != nil {
		return err
	}
	return book.write(w)
}

// book is a workbook that is being made.
type book struct {
	file   *excelize.File
	styles map[style]int
}

// style is how cells look.
type style struct {
	bold, header bool
	format       string
}

func newBook(p *jobeffekt.Publication) (*book, error) {
	b := &book{file: excelize.NewFile(), styles: map[style]int{}}
	// The day of the results, not that of the making: the same results make the same file.
	day := p.Manifest.AsOf.String() + "T00:00:00Z"
	if err := b.file.SetDocProps(&excelize.DocProperties{Creator: "jobeffekt", LastModifiedBy: "jobeffekt", Title: "Results as of " + p.Manifest.AsOf.String(), Created: day, Modified: day}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	if err := b.file.SetDefaultFont("Calibri"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	return b, nil
}

// style is the number under which the workbook knows how cells look.
func (b *book) style(s style) (int, error) {
	if id, ok := b.styles[s]; ok {
		return id, nil
	}
	look := &excelize.Style{}
	if s.bold || s.header {
		look.Font = &excelize.Font{Bold: true}
	}
	if s.header {
		look.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E7E6E6"}}
		look.Alignment = &excelize.Alignment{Vertical: "top"}
		look.Border = []excelize.Border{{Type: "bottom", Color: "7F7F7F", Style: 1}}
	}
	if s.format != "" {
		look.CustomNumFmt = &s.format
	}
	id, err := b.file.NewStyle(look)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	b.styles[s] = id
	return id, nil
}

// add writes a table to a sheet of its own, or to several of at most so many rows, and
// returns their names.
func (b *book) add(t *ingest.Table, names map[string]bool, most int) (sheets []string, err error) {
	if len(t.Columns) > maxSheetColumns {
		return nil, fmt.Errorf("%w: the table %s has %d columns, and a sheet holds %d; use its CSV or Parquet file", ErrWorkbook, t.Name, len(t.Columns), maxSheetColumns)
	}
	for from := 0; from < max(t.Rows(), 1); from += most {
		name := sheetName(t.Name, names)
		sheets = append(sheets, name)
		if _, err := b.file.NewSheet(name); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrWorkbook, t.Name, err)
		}
		if err := b.fill(name, t, from, min(from+most, t.Rows()), 1, nil); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrWorkbook, t.Name, err)
		}
	}
	return sheets, nil
}

// fill writes the rows [from, to) of a table to a sheet, whose header stands in a row, below
// some lines.
func (b *book) fill(sheet string, t *ingest.Table, from, to, header int, lines [][]any) error {
	if len(t.Columns) == 0 {
		return nil
	}
	last, err := excelize.CoordinatesToCellName(len(t.Columns), max(header+to-from, header+1))
	if err != nil {
		return err
	}
	// Some programs read no further than this says.
	if err := b.file.SetSheetDimension(sheet, "A1:"+last); err != nil {
		return err
	}
	out, err := b.file.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	formats, exact := make([]int, len(t.Columns)), make([]bool, len(t.Columns))
	byRow := t.Column("unit") != nil
	for k := range t.Columns {
		c := &t.Columns[k]
		if err := out.SetColWidth(k+1, k+1, width(c, from, to)); err != nil {
			return err
		}
		exact[k] = measureOf(t.Name, c, byRow).unit != ""
		if formats[k], err = b.style(style{format: format(t.Name, c, byRow)}); err != nil {
			return err
		}
	}
	frozen := &excelize.Panes{Freeze: true, YSplit: header, TopLeftCell: "A" + strconv.Itoa(header+1), ActivePane: "bottomLeft"}
	if err := out.SetPanes(frozen); err != nil {
		return err
	}
	for k, line := range lines {
		if err := out.SetRow("A"+strconv.Itoa(k+1), line); err != nil {
			return err
		}
	}
	head, err := b.style(style{header: true})
	if err != nil {
		return err
	}
	row := make([]any, len(t.Columns))
	for k, c := range t.Columns {
		row[k] = excelize.Cell{StyleID: head, Value: inText(c.Name)}
	}
	if err := out.SetRow("A"+strconv.Itoa(header), row); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		for k := range t.Columns {
			row[k] = nil
			if v := value(&t.Columns[k], i, exact[k]); v != nil {
				row[k] = excelize.Cell{StyleID: formats[k], Value: v}
			}
		}
		if err := out.SetRow("A"+strconv.Itoa(header+1+i-from), row); err != nil {
			return err
		}
	}
	// The filter must stand before the sheet's end is written.
	if err := b.file.AutoFilter(sheet, "A"+strconv.Itoa(header)+":"+last, nil); err != nil {
		return err
	}
	return out.Flush()
}

// contents fills the first sheet: what the workbook is of, then its sheets.
func (b *book) contents(sheet string, t *ingest.Table, p *jobeffekt.Publication) error {
	bold, err := b.style(style{bold: true})
	if err != nil {
		return err
	}
	day, err := b.style(style{format: dateFormat})
	if err != nil {
		return err
	}
	m := p.Manifest
	line := func(name string, v any) []any { return []any{excelize.Cell{StyleID: bold, Value: name}, v} }
	lines := [][]any{
		line("Results as of", excelize.Cell{StyleID: day, Value: dateValue(m.AsOf)}),
		line("Standing", inText(m.Standing)),
		line("Withheld", fmt.Sprintf("Counts under %d, and what would let them be worked out: such a cell is empty, never 0, and the column %s of its row says why.", p.MinCount, jobeffekt.SuppressedColumn)),
		line("Made by", inText(m.Program.Module+" "+m.Program.Version)),
		line("Run file, SHA-256", m.RunFile.SHA256),
		{},
	}
	if err := b.fill(sheet, t, 0, t.Rows(), len(lines)+1, lines); err != nil {
		return fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	return nil
}

// write writes the workbook as a zip file whose entries are in the order of their names and
// carry no time.
func (b *book) write(w io.Writer) error {
	b.file.SetZipWriter(func(w io.Writer) excelize.ZipWriter { return &sortedZip{w: w} })
	if err := b.file.Write(w); err != nil {
		return fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	return nil
}

// sortedZip writes entries when all are there, in the order of their names: the library
// writes the sheets in the order of a map.
type sortedZip struct {
	w       io.Writer
	entries []*zipEntry
}

type zipEntry struct {
	name string
	bytes.Buffer
}

func (z *sortedZip) Create(name string) (io.Writer, error) {
	e := &zipEntry{name: name}
	z.entries = append(z.entries, e)
	return e, nil
}

// AddFS is not called; the library asks that it be there.
func (z *sortedZip) AddFS(fs.FS) error { return errors.ErrUnsupported }

func (z *sortedZip) Close() error {
	// What the other entries are comes first, as in files of other programs.
	const types = "[Content_Types].xml"
	slices.SortFunc(z.entries, func(a, b *zipEntry) int {
		return cmp.Or(-cmp.Compare(btoi(a.name == types), btoi(b.name == types)), strings.Compare(a.name, b.name))
	})
	out := zip.NewWriter(z.w)
	// The numbers of a sheet shrink to a tenth either way; the best way takes three times as long.
	out.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, e := range z.entries {
		to, err := out.Create(e.name)
		if err != nil {
			return err
		}
		if _, err := e.WriteTo(to); err != nil {
			return err
		}
	}
	return out.Close()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// value is what a cell holds; nil for an empty one. Where the texts of a column are exact
// decimals, those that a spreadsheet keeps as they are become numbers.
func value(c *ingest.Column, i int, exact bool) any {
	switch {
	case c.Ints != nil:
		if v := c.Ints[i]; v <= maxExact && v >= -maxExact {
			return v
		}
	case c.Floats != nil:
		switch v := c.Floats[i]; {
		case math.IsNaN(v):
			return nil
		case !math.IsInf(v, 0):
			return v
		}
	case c.Bools != nil:
		return c.Bools[i]
	case c.Dates != nil:
		if c.Dates[i] == effect.NoDate {
			return nil
		}
		return dateValue(c.Dates[i])
	}
	s := inText(c.Cell(i))
	if s == "" {
		return nil
	}
	if exact && len(strings.Trim(s, "-.0123456789")) == 0 && len(s) <= maxDecimal {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v
		}
	}
	return s
}

// dateValue is a day as spreadsheets count them, or its text where they count wrong.
func dateValue(d effect.Date) any {
	const epoch = 25569 // 1970-01-01
	if n := int64(d) + epoch; n >= firstSerial {
		return n
	}
	return d.String()
}

// inText is a text that a cell can hold.
func inText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0xFFFE || r == 0xFFFF { // which XML does not allow
			return '?'
		}
		return r
	}, plain.Lines(s))
	units := 0
	for at, r := range s {
		units += utf16.RuneLen(r)
		if units <= maxCellUnits {
			continue
		}
		// Too long: as much as leaves place for the words that say so.
		units, s = units-utf16.RuneLen(r), s[:at]
		for units > maxCellUnits-len(wasCut) {
			r, size := utf8.DecodeLastRuneInString(s)
			units, s = units-utf16.RuneLen(r), s[:len(s)-size]
		}
		return s + wasCut
	}
	return s
}

const dateFormat = "yyyy-mm-dd"

// format is the number format of a column, "" for one without. Shares stay shares, so that
// a value is the one that the other files have; formats change how much of it is shown.
func format(table string, c *ingest.Column, byRow bool) string {
	switch m := measureOf(table, c, byRow); {
	case c.Dates != nil:
		return dateFormat
	case m.unit == "":
		return ""
	case m.unit == "count" || strings.HasPrefix(m.unit, "persons or cases"):
		if c.Name == "effective_n" || c.Name == "events" || c.Name == "at_risk" || c.Name == "expected" {
			return "#,##0.0"
		}
		return "#,##0"
	case m.unit == "kroner":
		return "#,##0.00"
	case strings.HasPrefix(m.unit, "øre"):
		return "#,##0"
	case c.Ints != nil:
		return "0"
	case c.Floats == nil:
		return ""
	case m.unit == "degrees of freedom":
		return "0.0"
	}
	return "0.0000"
}

// width is a column's width in signs: as wide as its name and first values need, within
// bounds.
func width(c *ingest.Column, from, to int) float64 {
	const least, most, looked = 8, 44, 200
	w := utf8.RuneCountInString(c.Name) + 4 // and the arrow of the filter
	if c.Texts != nil || c.Factor != nil {
		for i := from; i < min(to, from+looked); i++ {
			w = max(w, utf8.RuneCountInString(c.Cell(i))+1)
		}
	} else {
		w = max(w, 12)
	}
	return float64(min(max(w, least), most))
}

// sheetName is a name for a sheet that none of the others has, in letters of either case: of
// at most 31 UTF-16 units, without the signs that sheets may not have.
func sheetName(table string, taken map[string]bool) string {
	base := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]'`, r) || r == '\n' {
			return '_'
		}
		return r
	}, plain.Lines(table))
	base = cmp.Or(base, "table")
	for n := 1; ; n++ {
		end := ""
		if n > 1 {
			end = "_" + strconv.Itoa(n)
		}
		name := base
		for utf16Len(name)+len(end) > maxSheetName {
			_, size := utf8.DecodeLastRuneInString(name)
			name = name[:len(name)-size]
		}
		name += end
		if key := strings.ToLower(name); !taken[key] && key != "history" { // which Excel keeps for itself
			taken[key] = true
			return name
		}
	}
}

func utf16Len(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
