package ingest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Table is a named result in columns of equal length, in the order in which
// they are written.
type Table struct {
	Name    string
	Columns []Column
	// Part makes the columns of the rows [from, to) of a table that is written and
	// never held; nil for one that is held. Such a table has Length rows, and its
	// Columns are those of Part(0, 0): without rows, with all levels. Part may be
	// called by several goroutines at once.
	Part   func(from, to int) []Column
	Length int
}

// Column is a named vector. Exactly one of the vectors is set; in a table
// without rows it is empty, not nil.
type Column struct {
	Name string
	Doc  string
	// PseudonymsBy is the fingerprint of the key by which its values are pseudonyms, ""
	// for others. A Parquet file keeps it, so that they are not made into pseudonyms again.
	PseudonymsBy string

	Ints   []int64
	Floats []float64     // NaN is null
	Texts  []string      // "" is null
	Dates  []effect.Date // effect.NoDate is null
	Bools  []bool
	Factor *effect.Factor // names by code; code -1 and the level "" are null
}

// ErrTable is wrapped by errors about tables whose columns do not fit together
// or do not fit the rows that are wanted of them.
var ErrTable = errors.New("the table does not fit")

// Rows is the number of rows.
func (t *Table) Rows() int {
	if t.Part != nil {
		return t.Length
	}
	if len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].len()
}

// Take is a table of some rows of one that is held, in the order given. It shares the names
// of factors with it, and nothing else.
func (t *Table) Take(rows []int) *Table {
	out := &Table{Name: t.Name, Columns: make([]Column, len(t.Columns))}
	for k, c := range t.Columns {
		n := Column{Name: c.Name, Doc: c.Doc, PseudonymsBy: c.PseudonymsBy}
		switch {
		case c.Ints != nil:
			n.Ints = chosen(c.Ints, rows)
		case c.Floats != nil:
			n.Floats = chosen(c.Floats, rows)
		case c.Dates != nil:
			n.Dates = chosen(c.Dates, rows)
		case c.Bools != nil:
			n.Bools = chosen(c.Bools, rows)
		case c.Factor != nil:
			n.Factor = &effect.Factor{Codes: chosen(c.Factor.Codes, rows), Levels: c.Factor.Levels}
		default:
			n.Texts = chosen(c.Texts, rows)
		}
		out.Columns[k] = n
	}
	return out
}

func chosen[V any](from []V, rows []int) []V {
	return gather(len(rows), func(i int) V { return from[rows[i]] })
}

// Column returns the column of a name, nil if there is none.
func (t *Table) Column(name string) *Column {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

func (c *Column) len() int {
	if c.Factor != nil {
		return len(c.Factor.Codes)
	}
	return len(c.Ints) + len(c.Floats) + len(c.Texts) + len(c.Dates) + len(c.Bools)
}

// kind names the vector that is set, "" unless it is exactly one.
func (c *Column) kind() string {
	kind, n := "", 0
	for _, v := range []struct {
		name string
		set  bool
	}{
		{"whole numbers", c.Ints != nil},
		{"numbers", c.Floats != nil},
		{"text", c.Texts != nil || c.Factor != nil},
		{"dates", c.Dates != nil},
		{"truth values", c.Bools != nil},
	} {
		if v.set {
			kind = v.name
			n++
		}
	}
	if n != 1 || c.Texts != nil && c.Factor != nil {
		return ""
	}
	return kind
}

// check says whether every column has one vector, a name of its own and as many
// rows as the others.
func (t *Table) check() error {
	seen := map[string]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		switch {
		case c.kind() == "":
			return fmt.Errorf("ingest: %w: %s: column %q has not exactly one vector", ErrTable, t.Name, c.Name)
		case c.Name == "" || seen[c.Name]:
			return fmt.Errorf("ingest: %w: %s: column name %q is empty or there twice", ErrTable, t.Name, c.Name)
		case t.Part == nil && c.len() != t.Rows():
			return fmt.Errorf("ingest: %w: %s: column %q has %d rows, the first column %d", ErrTable, t.Name, c.Name, c.len(), t.Rows())
		}
		seen[c.Name] = true
		if f := c.Factor; f != nil {
			for _, code := range f.Codes {
				if int(code) >= len(f.Levels) || code < -1 {
					return fmt.Errorf("ingest: %w: %s: column %q has a code without a level", ErrTable, t.Name, c.Name)
				}
			}
		}
	}
	return nil
}

// stretch is some rows of a table, from one on.
type stretch struct {
	columns []Column
	from    int
}

// stretch is the rows [from, to), or all of a table that is held.
func (t *Table) stretch(from, to int) (stretch, error) {
	if t.Part == nil {
		return stretch{t.Columns, 0}, nil
	}
	p := Table{Name: t.Name, Columns: t.Part(from, to)}
	if err := p.check(); err != nil {
		return stretch{}, err
	}
	if p.Rows() != to-from || len(p.Columns) != len(t.Columns) {
		return stretch{}, fmt.Errorf("ingest: %w: %s: a part has %d rows and %d columns, not %d and %d", ErrTable, t.Name, p.Rows(), len(p.Columns), to-from, len(t.Columns))
	}
	return stretch{p.Columns, from}, nil
}

// text is what a column of text holds in a row.
func (c *Column) text(row int) string {
	if c.Factor != nil {
		return c.Factor.At(row)
	}
	return c.Texts[row]
}

// member is a field of a row type that is a column.
type member struct {
	index     []int // as reflect.Value.FieldByIndex takes it
	name, doc string
	typ       reflect.Type
}

// members lists the columns of a row type: the exported fields with a tag col,
// and those of embedded structs in their place.
func members(t reflect.Type) ([]member, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("ingest: %w: rows of type %v are no structs", ErrTable, t)
	}
	var out []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, tagged := f.Tag.Lookup("col")
		switch {
		case tagged && f.IsExported():
			out = append(out, member{[]int{i}, name, f.Tag.Get("doc"), f.Type})
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			inner, err := members(f.Type)
			if err != nil {
				return nil, err
			}
			for _, m := range inner {
				m.index = append([]int{i}, m.index...)
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// FromRows makes a table of rows: each field with a tag `col:"name"` is a
// column, whose tag doc describes it; embedded structs count as their fields.
// Fields are strings, whole numbers, floats, booleans or effect.Date, or types
// made from them; any other is an error, as is a name that is there twice.
func FromRows[T any](name string, rows []T) (*Table, error) {
	fields, err := members(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	t := &Table{Name: name, Columns: make([]Column, len(fields))}
	values := reflect.ValueOf(rows)
	for k, m := range fields {
		c := Column{Name: m.name, Doc: m.doc}
		at := func(i int) reflect.Value { return values.Index(i).FieldByIndex(m.index) }
		switch kind := m.typ.Kind(); {
		case m.typ == reflect.TypeFor[effect.Date]():
			c.Dates = gather(len(rows), func(i int) effect.Date { return effect.Date(at(i).Int()) })
		case kind == reflect.String:
			c.Texts = gather(len(rows), func(i int) string { return at(i).String() })
		case kind == reflect.Bool:
			c.Bools = gather(len(rows), func(i int) bool { return at(i).Bool() })
		case reflect.Zero(m.typ).CanInt():
			c.Ints = gather(len(rows), func(i int) int64 { return at(i).Int() })
		case reflect.Zero(m.typ).CanFloat():
			c.Floats = gather(len(rows), func(i int) float64 { return at(i).Float() })
		default:
			return nil, fmt.Errorf("ingest: %w: %s: field %q has type %v, which is no column", ErrTable, name, m.name, m.typ)
		}
		t.Columns[k] = c
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

func gather[V any](n int, at func(int) V) []V {
	out := make([]V, n)
	for i := range out {
		out[i] = at(i)
	}
	return out
}

// ToRows is the inverse of [FromRows]. Columns that no field asks for are left
// out. A column that is missing or of another kind, or a number that does not
// fit its field, is an error; whole numbers fit fields of floats.
func ToRows[T any](t *Table) ([]T, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if t.Part != nil {
		return nil, fmt.Errorf("ingest: %w: %s is not held", ErrTable, t.Name)
	}
	fields, err := members(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	rows := make([]T, t.Rows())
	values := reflect.ValueOf(rows)
	for _, m := range fields {
		c := t.Column(m.name)
		if c == nil {
			return nil, fmt.Errorf("ingest: %w: %s: there is no column %q", ErrTable, t.Name, m.name)
		}
		zero := reflect.Zero(m.typ)
		date := m.typ == reflect.TypeFor[effect.Date]()
		ok := true
		for i := range rows {
			v := values.Index(i).FieldByIndex(m.index)
			switch {
			case date && c.Dates != nil:
				v.SetInt(int64(c.Dates[i]))
			case date:
				ok = false
			case zero.Kind() == reflect.String && (c.Texts != nil || c.Factor != nil):
				v.SetString(c.text(i))
			case zero.Kind() == reflect.Bool && c.Bools != nil:
				v.SetBool(c.Bools[i])
			case zero.CanInt() && c.Ints != nil && !v.OverflowInt(c.Ints[i]):
				v.SetInt(c.Ints[i])
			case zero.CanFloat() && c.Floats != nil:
				v.SetFloat(c.Floats[i])
			case zero.CanFloat() && c.Ints != nil:
				v.SetFloat(float64(c.Ints[i]))
			default:
				ok = false
			}
			if !ok {
				return nil, fmt.Errorf("ingest: %w: %s: column %q of %s does not fit a field of type %v", ErrTable, t.Name, m.name, c.kind(), m.typ)
			}
		}
	}
	return rows, nil
}

// WriteCSV writes the table as RFC 4180 with a line of names: null is empty,
// dates are 2008-12-31, truth values true and false, and numbers the shortest
// decimal that reads back as the same number.
func (t *Table) WriteCSV(w io.Writer) error {
	if err := t.check(); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	record := make([]string, len(t.Columns))
	for k := range t.Columns {
		record[k] = t.Columns[k].Name
	}
	if err := out.Write(record); err != nil {
		return fmt.Errorf("ingest: %s: %w", t.Name, err)
	}
	for from := 0; from < t.Rows(); from += tableGroup {
		to := min(from+tableGroup, t.Rows())
		p, err := t.stretch(from, to)
		if err != nil {
			return err
		}
		for i := from; i < to; i++ {
			for k := range p.columns {
				record[k] = p.columns[k].Cell(i - p.from)
			}
			if err := out.Write(record); err != nil {
				return fmt.Errorf("ingest: %s: %w", t.Name, err)
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("ingest: %s: %w", t.Name, err)
	}
	return nil
}

// Cell is the value of a row as [Table.WriteCSV] writes it, "" for null.
func (c *Column) Cell(row int) string {
	switch {
	case c.Ints != nil:
		return strconv.FormatInt(c.Ints[row], 10)
	case c.Dates != nil:
		return c.Dates[row].String()
	case c.Bools != nil:
		return strconv.FormatBool(c.Bools[row])
	case c.Floats != nil:
		v := c.Floats[row]
		if math.IsNaN(v) {
			return ""
		}
		if a := math.Abs(v); a == 0 || a >= 1e-6 && a < 1e15 {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return c.text(row)
}
