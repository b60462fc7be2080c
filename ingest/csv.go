package ingest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ReadFile reads one table from a Parquet or a CSV file, whoever wrote it, as the
// ending of its name says: .parquet or .csv, in letters of either case. The rows
// come in the order of the file. Columns hold whole numbers, numbers, dates, truth
// values or text (as Factor, with sorted levels); one of whole numbers with nulls
// is one of numbers, one of truth values with nulls is text. Numbers in Parquet
// stored in 32 bits are the shortest decimal that they stand for, so that 6.3 is 6.3.
//
// CSV is UTF-8, with a byte order mark or without, cells as RFC 4180 quotes them,
// and begins with a line of names, each there once, none empty or a number. Cells
// are separated by semicolons where the line of names has one outside quotes, else
// by commas. Spaces around a cell do not count, an empty cell is null, and lines
// without any character are left out. The kind of a column is told from all of its
// cells:
//
//   - whole numbers within 2^53, with a sign or none. One with a zero in front, as
//     0751, is a code, and its column text;
//   - numbers, also as 1.5e-3, finite. Up to 15 digits the shortest decimal of the
//     number is the decimal of the cell;
//   - dates as 2008-12-31, truth values as true and false in letters of either
//     case;
//   - text, if any cell is something else, or none is anything.
//
// Decimals have a point. With semicolons, a column that is numbers only if its
// decimal mark is a comma has that, and points in it group digits by three, as in
// 1.234,5. A column of numbers as 1.234, of which both marks make something, follows
// the other columns of the file; where they say nothing, or not the same, it is left
// as text rather than guessed at.
//
// What is wrong with a file is a [FileError] that names line and column, and wraps
// [ErrFormat], [ErrCSV], [ErrEmptyFile], [ErrLimit] or a cause of Parquet; a
// Parquet table that does not fit is an [ErrTable]. A column of civil registration
// numbers is an [IdentifiableError]. No error repeats a cell, as it may be an identifier.
func ReadFile(ctx context.Context, path string, limits Limits) (*Table, error) {
	t, err := readEither(ctx, path, limits)
	if err != nil {
		return nil, err
	}
	if err := t.identifiable(path); err != nil {
		return nil, err
	}
	return t, nil
}

// readEither is ReadFile, whoever its rows are of.
func readEither(ctx context.Context, path string, limits Limits) (*Table, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet":
		return readTable(ctx, path, limits, true, nil)
	case ".csv":
		b, err := readWhole(path, limits)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(path)
		return parseCSV(ctx, path, strings.TrimSuffix(name, filepath.Ext(name)), b, limits)
	}
	return nil, &FileError{path, "", ErrFormat, "give a file whose name ends in .parquet or .csv"}
}

func readWhole(path string, limits Limits) ([]byte, error) {
	at, name := local(path)
	src, err := at.source(name, ErrCSV)
	if err != nil {
		return nil, err
	}
	f, err := src.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limits.CSVBytes+1))
	if err == nil {
		_, err = src.unchanged()
	}
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limits.CSVBytes {
		return nil, &FileError{path, "", fmt.Errorf("%w: more than %d bytes", ErrLimit, limits.CSVBytes), "raise Limits.CSVBytes, or give Parquet"}
	}
	return b, nil
}

// csvFault is a fault with its place.
func csvFault(path string, line, column int, err error, cure string) error {
	where := fmt.Sprintf("line %d", line)
	if column > 0 {
		where += fmt.Sprintf(", column %d", column)
	}
	return &FileError{path, where, err, cure}
}

// parseCSV reads a CSV file that is in memory.
func parseCSV(ctx context.Context, path, name string, b []byte, limits Limits) (*Table, error) {
	b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))
	if len(b) == 0 {
		return nil, &FileError{path, "", ErrEmptyFile, "export the file again"}
	}
	if err := checkBytes(path, b); err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	semicolons := separator(b) == ';'
	if semicolons {
		r.Comma = ';'
	}
	names, err := r.Read()
	if err != nil {
		return nil, syntax(path, err)
	}
	names = slices.Clone(names)
	line, _ := r.FieldPos(0)
	if err := checkNames(path, line, names, limits); err != nil {
		return nil, err
	}
	cells := make([][]string, len(names))
	for rows := 0; ; rows++ {
		if rows%4096 == 0 && ctx.Err() != nil {
			return nil, effect.Stopped(ctx)
		}
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, syntax(path, err)
		}
		line, _ := r.FieldPos(0)
		if len(record) != len(names) {
			return nil, csvFault(path, line, 0, fmt.Errorf("%w: %s where the line of names has %d", ErrCSV, plural(len(record), "cell"), len(names)),
				"put quotes around cells that hold the separator; decimals have a comma only in files with semicolons")
		}
		for k, cell := range record {
			if len(cell) > limits.TextBytes {
				line, _ := r.FieldPos(k)
				return nil, csvFault(path, line, k+1, fmt.Errorf("%w: a cell of %d bytes", ErrLimit, len(cell)), "raise Limits.TextBytes, or look for a quote that is not closed")
			}
			cells[k] = append(cells[k], strings.TrimSpace(cell))
		}
	}
	marks := make([]byte, len(names))
	var comma, point bool
	for k, column := range cells {
		marks[k] = mark(column, semicolons)
		comma, point = comma || marks[k] == ',', point || marks[k] == '.'
	}
	t := &Table{Name: name}
	for k, column := range cells {
		switch {
		case marks[k] != either:
		case comma && !point:
			marks[k] = ','
		case point && !comma:
			marks[k] = '.'
		}
		t.Columns = append(t.Columns, typed(names[k], column, marks[k]))
	}
	return t, nil
}

// checkBytes finds what no text of a table holds.
func checkBytes(path string, b []byte) error {
	at := bytes.IndexByte(b, 0)
	what, cure := "a byte 0", "save it as CSV in UTF-8"
	if at < 0 {
		if utf8.Valid(b) {
			return nil
		}
		what = "text that is not UTF-8"
		for at = 0; ; {
			r, n := utf8.DecodeRune(b[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
	}
	return csvFault(path, 1+bytes.Count(b[:at], []byte("\n")), 0, fmt.Errorf("%w: %s", ErrCSV, what), cure)
}

// separator is a semicolon where the line of names has one outside quotes, else a
// comma.
func separator(b []byte) byte {
	quoted, begun := false, false
	for _, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			return ';'
		case c == '\n' && begun:
			return ','
		}
		// The parser leaves out lines without any character in front, too.
		begun = begun || c != '\n' && c != '\r'
	}
	return ','
}

// syntax places an error of the parser; its messages hold no cell.
func syntax(path string, err error) error {
	if errors.Is(err, io.EOF) {
		return &FileError{path, "", ErrEmptyFile, "export the file again"}
	}
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return &FileError{path, "", fmt.Errorf("%w: %w", ErrCSV, err), "export the file again"}
	}
	return &FileError{
		path, fmt.Sprintf("line %d, byte %d", p.Line, p.Column), fmt.Errorf("%w: %w", ErrCSV, p.Err),
		"put quotes around cells that hold a quote, and write the quote itself twice",
	}
}

// checkNames trims the line of names and finds what cannot be one. It tells places,
// not names: the line may be a row of data.
func checkNames(path string, line int, names []string, limits Limits) error {
	if len(names) > limits.Columns {
		return csvFault(path, line, 0, fmt.Errorf("%w: %d columns", ErrLimit, len(names)), "raise Limits.Columns, or give fewer columns")
	}
	seen := map[string]int{}
	for k, name := range names {
		name = strings.TrimSpace(name)
		names[k] = name
		_, isDate := day(name)
		fault := func(what string) error {
			return csvFault(path, line, k+1, fmt.Errorf("%w: %s", ErrCSV, what), "begin the file with a line of names, each there once")
		}
		switch first, twice := seen[name]; {
		case len(name) > limits.TextBytes:
			return csvFault(path, line, k+1, fmt.Errorf("%w: a name of %d bytes", ErrLimit, len(name)), "raise Limits.TextBytes, or look for a quote that is not closed")
		case name == "":
			return fault("a column without a name")
		case numeral(name, '.') != "" || numeral(name, ',') != "" || isDate:
			return fault("a number or a date where a name should be, as if there were no line of names")
		case strings.ContainsFunc(name, unicode.IsControl):
			return fault("a name with a line break or another control character in it")
		case twice:
			return fault(fmt.Sprintf("the same name as column %d", first+1))
		}
		seen[name] = k
	}
	return nil
}

// Columns of numbers without a decimal mark of their own.
const (
	noMark = byte(0)   // whole numbers, or not numbers
	either = byte('?') // numbers as 1.234, of which both marks make something, but not the same
)

// mark is the decimal mark of the numbers of a column, by its cells alone.
func mark(cells []string, semicolons bool) byte {
	comma, point, differ := semicolons, true, false
	for _, s := range cells {
		if s == "" {
			continue
		}
		c, p := numeral(s, ','), numeral(s, '.')
		comma, point = comma && c != "", point && p != ""
		differ = differ || c != p
		if !comma && !point {
			return noMark
		}
	}
	switch {
	case !differ:
		return noMark
	case comma && point:
		return either
	case comma:
		return ','
	}
	return '.'
}

// typed makes a column of cells, whose numbers have the mark.
func typed(name string, cells []string, mark byte) Column {
	c := Column{Name: name}
	blank, whole, numbers, dates, truths := 0, true, mark != either, true, true
	for _, s := range cells {
		if s == "" {
			blank++
			continue
		}
		if numbers {
			n := numeral(s, mark)
			_, err := strconv.ParseFloat(n, 64)
			numbers = err == nil
			if isDigits(strings.TrimLeft(n, "+-")) {
				v, err := strconv.ParseInt(n, 10, 64)
				numbers = err == nil && v >= -1<<53 && v <= 1<<53
			} else {
				whole = false
			}
			if digits := strings.TrimLeft(n, "+-"); len(digits) > 1 && digits[0] == '0' && isDigits(digits[1:2]) {
				numbers = false
			}
		}
		if dates {
			_, dates = day(s)
		}
		truths = truths && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false"))
	}
	value := func(i int) float64 {
		v, err := strconv.ParseFloat(numeral(cells[i], mark), 64)
		if err != nil {
			return math.NaN() // an empty cell
		}
		return v + 0 // never -0
	}
	switch {
	case len(cells) == blank:
	case numbers && whole && blank == 0:
		c.Ints = gather(len(cells), func(i int) int64 { return int64(value(i)) })
		return c
	case numbers:
		c.Floats = gather(len(cells), value)
		return c
	case dates:
		c.Dates = gather(len(cells), func(i int) effect.Date { d, _ := day(cells[i]); return d })
		return c
	case truths && blank == 0:
		c.Bools = gather(len(cells), func(i int) bool { return strings.EqualFold(cells[i], "true") })
		return c
	}
	f := effect.NewFactor(cells)
	c.Factor = &f
	return c
}

// day reads a date written as 2008-12-31, and "" as none.
func day(s string) (effect.Date, bool) {
	if s == "" {
		return effect.NoDate, false
	}
	d, err := effect.ParseDate(s)
	return d, err == nil
}

// numeral returns a decimal number as Go writes it, "" for what is none: digits
// with the decimal mark, a sign or none, an exponent or none. With a comma as mark,
// points may group the digits before it by three.
func numeral(s string, mark byte) string {
	body, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if exponent != "" && !isDigits(strings.TrimLeft(exponent[:1], "+-")+exponent[1:]) || exponent == "" && len(body) != len(s) {
		return ""
	}
	sign := ""
	if body != "" && (body[0] == '-' || body[0] == '+') {
		sign, body = body[:1], body[1:]
	}
	front, back, marked := strings.Cut(body, string(mark))
	if mark == ',' && strings.Contains(front, ".") {
		groups := strings.Split(front, ".")
		for i, g := range groups {
			if !isDigits(g) || len(g) > 3 || i > 0 && len(g) < 3 || i == 0 && g[0] == '0' {
				return ""
			}
		}
		front = strings.Join(groups, "")
	}
	if front == "" && back == "" || front != "" && !isDigits(front) || back != "" && !isDigits(back) {
		return ""
	}
	out := sign + front
	if marked {
		out += "." + back
	}
	if exponent != "" {
		out += "e" + exponent
	}
	return out
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
