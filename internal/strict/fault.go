package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/internal/nearest"
)

// Code names a kind of fault for programs and tests.
type Code string

// The kinds of faults found in a file's text. A package that reads files can
// have more of its own.
const (
	Syntax        Code = "syntax"        // not YAML, or YAML that these files do not use
	UnknownKey    Code = "unknown_key"   // a key that the file does not have
	DuplicateKey  Code = "duplicate_key" // a key given twice
	Missing       Code = "missing"       // a required key is missing or empty
	Value         Code = "value"         // a value of the wrong kind, or not one of the names allowed
	Contradiction Code = "contradiction" // values that contradict each other
)

// Fault is one thing that is wrong, and where.
type Fault struct {
	Code    Code
	File    string // name given to Decode
	Line    int    // from 1; 0 where no place in the file is meant
	Column  int    // from 1
	Path    string // place in the file, as in versions[0].clauses[1].gate
	Problem string // what is wrong and what to do about it
	Excerpt string // the line of the file
}

// String is the fault with its place and, under it, the line of the file.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Problem)
	if f.Line > 0 {
		fmt.Fprintf(&b, "\n%6d | %s\n       | %s^", f.Line, f.Excerpt, strings.Repeat(" ", f.Column-1))
	}
	return b.String()
}

// Faults is the error that lists every fault found, in the order of the files.
// It names no person and no case.
type Faults struct{ List []Fault }

// maxShown keeps an error readable; List has them all.
const maxShown = 50

func (f *Faults) Error() string {
	var b strings.Builder
	b.WriteString(count(len(f.List), "fault"))
	for i, fault := range f.List {
		if i == maxShown {
			fmt.Fprintf(&b, "\nand %d more", len(f.List)-i)
			break
		}
		b.WriteString("\n" + fault.String())
	}
	return b.String()
}

// Has says whether a fault of the kind is among them.
func (f *Faults) Has(code Code) bool {
	return slices.ContainsFunc(f.List, func(x Fault) bool { return x.Code == code })
}

// Gathered is a list of faults in the making. The zero value is empty.
type Gathered []Fault

// Add notes a fault about a path of a document. A nil document has no places.
func (l *Gathered) Add(doc *Document, path string, code Code, format string, args ...any) {
	f := Fault{Code: code, Path: path, Problem: fmt.Sprintf(format, args...)}
	if doc != nil {
		f.File = doc.name
		if at, ok := doc.find(path); ok {
			f.Line, f.Column, f.Excerpt = at.line, at.column, doc.excerpt(at.line)
		}
	}
	*l = append(*l, f)
}

// Err is nil when there are no faults, else a *Faults in the order of the files.
func (l Gathered) Err() error {
	if len(l) == 0 {
		return nil
	}
	list := slices.Clone(l)
	slices.SortStableFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Problem, b.Problem))
	})
	return &Faults{List: list}
}

// Suggest ends a message about an unknown name: with the nearest name where one
// is near, else with all of them.
func Suggest(name string, names []string) string {
	if near := nearest.Of(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(names) == 0 {
		return "; there are none"
	}
	return "; use " + strings.Join(names, ", ")
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
