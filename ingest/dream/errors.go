package dream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ErrMap is wrapped by errors about a map that makes no sense.
var ErrMap = errors.New("the code map makes no sense")

// ErrPanel is wrapped by every error about what stands in a panel.
var ErrPanel = errors.New("the panel cannot be converted")

// Fault names what is wrong with a column of the panel.
type Fault string

// The faults of columns.
const (
	NoPerson     Fault = "no_person_column"
	NoWeeks      Fault = "no_weeks"
	NoSuchWeek   Fault = "no_such_week"
	NoSuchMonth  Fault = "no_such_month"
	Twice        Fault = "twice"
	OutOfOrder   Fault = "out_of_order"
	MissingWeeks Fault = "missing_weeks"
	MissingMonth Fault = "missing_month"
	OutsideMonth Fault = "weeks_outside_months"
	WrongType    Fault = "wrong_type"
	PartsDiffer  Fault = "parts_differ"
)

// Problem is one thing that is wrong with the columns of a panel.
type Problem struct {
	Fault  Fault
	File   string
	Column string // "" where no column of the file is meant
	What   string // what is wrong and what to do
}

// String is the problem with its place.
func (p Problem) String() string {
	if p.Column == "" {
		return p.File + ": " + p.What
	}
	return fmt.Sprintf("%s: column %q: %s", p.File, p.Column, p.What)
}

// ColumnsError lists every problem with the columns of a panel.
type ColumnsError struct{ Problems []Problem }

func (e *ColumnsError) Error() string {
	return fmt.Sprintf("dream: %v: %s\n  %s", ErrPanel, plural(len(e.Problems), "problem with its columns", "problems with its columns"),
		strings.Join(list(e.Problems), "\n  "))
}

func (e *ColumnsError) Unwrap() error { return ErrPanel }

// Has says whether a fault is among the problems.
func (e *ColumnsError) Has(f Fault) bool {
	for _, p := range e.Problems {
		if p.Fault == f {
			return true
		}
	}
	return false
}

// maxListed keeps errors readable.
const maxListed = 50

// list is the first things in words, and how many there are beyond them.
func list[T fmt.Stringer](all []T) []string {
	var out []string
	for i, x := range all {
		if i == maxListed {
			return append(out, fmt.Sprintf("and %d more", len(all)-i))
		}
		out = append(out, x.String())
	}
	return out
}

// Place is a row of the panel, from 1.
type Place struct {
	File string
	Row  int64
}

// String names the file and the row.
func (p Place) String() string { return fmt.Sprintf("%s, row %d", p.File, p.Row) }

// PersonsError counts the rows whose person cannot be told: those without an
// identifier, or with one that is no text of a sensible length, and those whose
// person has an earlier row. It holds no identifier.
type PersonsError struct {
	Rows           int64
	Missing, Twice int64
	First          []Place // the first of them, ten at most of each kind
	// CPR is how many identifiers have the form of civil registration numbers, where these
	// are refused, as [ingest.CivilNumbers] judges; else 0.
	CPR int64
}

func (e *PersonsError) Error() string {
	var parts []string
	if e.Missing > 0 {
		parts = append(parts, plural(int(e.Missing), "row has no person id", "rows have no person id"))
	}
	if e.Twice > 0 {
		parts = append(parts, plural(int(e.Twice), "row is of a person who has an earlier row", "rows are of persons who have an earlier row"))
	}
	if e.CPR > 0 {
		parts = append(parts, fmt.Sprintf("%d person ids have the form of civil registration numbers (CPR): give pseudonyms, or a key by which they are made (docs/privacy.md)", e.CPR))
	}
	s := fmt.Sprintf("dream: %v: %s", ErrPanel, strings.Join(parts, "; "))
	if len(e.First) > 0 {
		s += " (the first: " + strings.Join(list(e.First), "; ") + "); a panel has one row for each person: mend the export"
	}
	return s
}

func (e *PersonsError) Unwrap() error { return ErrPanel }

// Unmapped is a code that the map says nothing of.
type Unmapped struct {
	Code  string
	Weeks int64 // weeks of persons
}

// String is the code with its weeks.
func (u Unmapped) String() string {
	return fmt.Sprintf("%q (%s)", u.Code, plural(int(u.Weeks), "week", "weeks"))
}

// UnmappedError lists the codes that the map says nothing of, with the weeks they
// stand in, in the order of the codes.
type UnmappedError struct{ Codes []Unmapped }

func (e *UnmappedError) Error() string {
	// Many different codes may be identifiers, and are not repeated.
	const most = 200
	if len(e.Codes) > most {
		return fmt.Sprintf("dream: %v: %d different codes are not in the code map: are these columns of codes?", ErrPanel, len(e.Codes))
	}
	// A code has three digits. What is much longer may be an identifier.
	const longest = 6
	var parts []string
	long := 0
	for _, c := range e.Codes {
		if len(c.Code) > longest {
			long++
			continue
		}
		parts = append(parts, c.String())
	}
	if long > 0 {
		parts = append(parts, fmt.Sprintf("%s of more than %d characters, not shown", plural(long, "code", "codes"), longest))
	}
	return fmt.Sprintf("dream: %v: codes that are not in the code map: %s (map each to a state; ignore is one)", ErrPanel, strings.Join(parts, ", "))
}

func (e *UnmappedError) Unwrap() error { return ErrPanel }

// BadDegrees is how many degrees of a column make no sense.
type BadDegrees struct {
	Column string
	Rows   int64
}

// String is the column with its rows.
func (b BadDegrees) String() string {
	return fmt.Sprintf("%s (%s)", b.Column, plural(int(b.Rows), "row", "rows"))
}

// DegreesError lists the columns with employment degrees that are negative, not
// finite, or stand for more than 168 hours a week, in the order of months.
type DegreesError struct{ Columns []BadDegrees }

func (e *DegreesError) Error() string {
	return fmt.Sprintf("dream: %v: employment degrees that are negative, infinite or stand for more than %d hours a week: %s (mend them, or give full_degree in the code map)",
		ErrPanel, effect.MaxHours, strings.Join(list(e.Columns), ", "))
}

func (e *DegreesError) Unwrap() error { return ErrPanel }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
