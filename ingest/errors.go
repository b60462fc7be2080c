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
	ErrEncrypted   = errors.New("the file is encrypted")
	ErrCompression = errors.New("the compression is not supported")
	ErrLimit       = errors.New("a limit is passed")
	ErrCorrupt     = errors.New("the file is damaged")
	ErrChanged     = errors.New("the file changed after it was opened")
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
	return fmt.Sprintf("ingest: %d columns cannot be read (map them under Columns, or correct the export):\n  %s",
		len(lines), strings.Join(lines, "\n  "))
}

// UnmappedState is a code of the input that no state is given for.
type UnmappedState struct {
	Code string
	Rows int64
}

// UnmappedStatesError lists every unmapped state code of a table with its rows,
// in the order of the codes. Codes are no personal data.
type UnmappedStatesError struct {
	Table string
	Codes []UnmappedState
}

func (e *UnmappedStatesError) Error() string {
	const most = 50 // the rest is in Codes
	var parts []string
	for _, c := range e.Codes[:min(most, len(e.Codes))] {
		parts = append(parts, fmt.Sprintf("%q (%d rows)", c.Code, c.Rows))
	}
	if more := len(e.Codes) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("ingest: %s: state codes that are not mapped: %s (map each under States; ignore is a state)",
		e.Table, strings.Join(parts, ", "))
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
