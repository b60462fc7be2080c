package ingest

import (
	"errors"
	"fmt"
	"strings"
)

// The causes that a [FileError] wraps.
var (
	ErrEmptyFile   = errors.New("the file is empty")
	ErrTruncated   = errors.New("the file is cut short")
	ErrNotParquet  = errors.New("the file is not Parquet")
	ErrCSV         = errors.New("the file is not a CSV table")
	ErrFormat      = errors.New("the file is neither Parquet nor CSV")
	ErrEncrypted   = errors.New("the file is encrypted")
	ErrCompression = errors.New("the compression is not supported")
	ErrLimit       = errors.New("a limit is passed")
	ErrCorrupt     = errors.New("the file is damaged")
	ErrChanged     = errors.New("the file changed after it was opened")
	ErrNoReaderAt  = errors.New("its file system cannot read at an offset (io.ReaderAt)")
)

// ErrTooManyRejects is wrapped by [RejectLimitError].
var ErrTooManyRejects = errors.New("too many rows were rejected")

// ErrNoTable is wrapped by the error about a table that the dataset lacks.
var ErrNoTable = errors.New("the dataset has no such table")

// FileError says what is wrong with an input file, where and what to do. It
// holds no value of the data.
type FileError struct {
	File  string
	Where string // row group and column, "" for the file as a whole
	Err   error
	Cure  string
}

func (e *FileError) Error() string {
	where := e.File
	if e.Where != "" {
		where += ", " + e.Where
	}
	return fmt.Sprintf("ingest: %s: %v (%s)", where, e.Err, e.Cure)
}

func (e *FileError) Unwrap() error { return e.Err }

// SchemaProblem is one column that cannot be read as the contract wants it.
type SchemaProblem struct {
	Table    string
	File     string
	Column   string // as the contract names it
	Input    string // as the input should name it
	Problem  string // missing, wrong type, nested or repeated, parts differ, unknown
	Expected string
	Found    string // type found, "" where the column is missing
	Nearest  string // the most similar column name in the file, "" for none
}

// String says where the column is, what is wrong with it and what was expected.
func (p SchemaProblem) String() string {
	s := fmt.Sprintf("%s: column %q", p.File, p.Input)
	if p.Input != p.Column {
		s += fmt.Sprintf(" (%s)", p.Column)
	}
	s += ": " + p.Problem + ", expected " + p.Expected
	if p.Found != "" {
		s += ", found " + p.Found
	}
	if p.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", p.Nearest)
	}
	return s
}

// SchemaError names every problem with the columns of the tables looked at.
type SchemaError struct{ Problems []SchemaProblem }

func (e *SchemaError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return fmt.Sprintf("ingest: %s cannot be read as the contract wants (map the columns' names, or correct the export):\n  %s",
		plural(len(lines), "column"), strings.Join(lines, "\n  "))
}

// UnmappedState is a code of the input that no state is given for.
type UnmappedState struct {
	Code string
	Rows int64
}

// UnmappedStatesError lists every unmapped state code of a table with its rows,
// in the order of the codes. A column of codes holds no personal data; one that
// is no column of codes may, so Error repeats a hundred at most and else none.
type UnmappedStatesError struct {
	Table string
	Codes []UnmappedState
}

func (e *UnmappedStatesError) Error() string {
	// No register has so many codes. They may be identifiers, from a column that
	// was mapped to state by mistake, and are not repeated.
	const most = 100
	if len(e.Codes) > most {
		return fmt.Sprintf("ingest: %s: %d different codes in the column state are not mapped: is it the column of states?", e.Table, len(e.Codes))
	}
	var parts []string
	for _, c := range e.Codes {
		parts = append(parts, fmt.Sprintf("%q (%s)", c.Code, plural(int(c.Rows), "row")))
	}
	return fmt.Sprintf("ingest: %s: state codes that are not mapped: %s (map each to a state; ignore is one)",
		e.Table, strings.Join(parts, ", "))
}

// UnmappedGroup is a match group of the input that a crosswalk does not move.
type UnmappedGroup struct {
	Scheme, Group string
	Rows          int64
}

// UnmappedGroupsError lists the match groups of a table that belong to a scheme
// which a crosswalk leaves, and for which it gives no group, with their rows, by
// scheme and group. Error repeats a hundred at most, and else none: they may be
// identifiers.
type UnmappedGroupsError struct {
	Table  string
	Groups []UnmappedGroup
}

func (e *UnmappedGroupsError) Error() string {
	const most = 100
	if len(e.Groups) > most {
		return fmt.Sprintf("ingest: %s: %d different match groups are not in the crosswalk: is it the column of match groups?", e.Table, len(e.Groups))
	}
	var parts []string
	for _, g := range e.Groups {
		parts = append(parts, fmt.Sprintf("%q of %s (%s)", g.Group, g.Scheme, plural(int(g.Rows), "row")))
	}
	return fmt.Sprintf("ingest: %s: match groups that are not in the crosswalk: %s (say for each which group of the other scheme it stands for, or leave such rows out of the data)",
		e.Table, strings.Join(parts, ", "))
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// RejectLimitError says that too large a share of a table's rows is bad. The
// rejects themselves remain to be had from [Dataset.Rejects].
type RejectLimitError struct {
	Table          string
	Rejected, Rows int64
	MaxShare       float64
}

func (e *RejectLimitError) Error() string {
	return fmt.Sprintf("ingest: %s: %d of %d rows are rejected, more than the share of %g that is allowed (look at the rejects, mend the rows, or allow a larger share)",
		e.Table, e.Rejected, e.Rows, e.MaxShare)
}

func (e *RejectLimitError) Unwrap() error { return ErrTooManyRejects }
