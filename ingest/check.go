package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/internal/nearest"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Check says whether every column that the contract and the options want can be
// read from the tables that are there: nil, or a [SchemaError] that names every
// column that is missing, has the wrong type, is nested or repeated, or differs
// between the parts of a table. It reads no rows.
func (d *Dataset) Check(ctx context.Context) error {
	var problems []SchemaProblem
	for _, table := range tables() {
		if err := effect.Stopped(ctx); err != nil {
			return err
		}
		if d.Has(table) {
			_, p := d.plan(table, nil)
			problems = append(problems, p...)
		}
	}
	problems = append(problems, d.checkOptions()...)
	if len(problems) > 0 {
		return &SchemaError{problems}
	}
	return nil
}

// checkOptions finds options about tables and columns that do not exist.
func (d *Dataset) checkOptions() []SchemaProblem {
	var problems []SchemaProblem
	for what, byTable := range map[string]map[string]map[string]string{
		"mapping of columns": d.opt.Columns, "constants": d.opt.Constants,
	} {
		for table, columns := range byTable {
			c := contract(table)
			if c == nil {
				problems = append(problems, SchemaProblem{
					Table: table, File: what, Column: table, Input: table, Problem: "no such table",
					Expected: strings.Join(tables(), ", "), Nearest: nearest.Of(table, tables()),
				})
				continue
			}
			if table == Municipalities || table == PeerStrata {
				continue // these have further columns of any name
			}
			known := slices.Concat(names(c), d.opt.Covariates, []string{birthDate})
			for column := range columns {
				if !slices.Contains(known, column) {
					problems = append(problems, SchemaProblem{
						Table: table, File: what, Column: column, Input: column, Problem: "no such column of " + table,
						Expected: "a column of the contract or a covariate", Nearest: nearest.Of(column, known),
					})
				}
			}
		}
	}
	slices.SortFunc(problems, func(a, b SchemaProblem) int { return strings.Compare(a.String(), b.String()) })
	return problems
}

func names(c []field) []string {
	out := make([]string, len(c))
	for i, f := range c {
		out[i] = f.name
	}
	return out
}

// plan lists what to read of a table: the columns of the contract in their
// order, then the further ones.
func (d *Dataset) plan(table string, extra []field) ([]input, []SchemaProblem) {
	want := slices.Concat(contract(table), extra)
	switch table {
	case Participations:
		want = append(want, d.covariates(Participations)...)
	case Persons:
		want = append(want, d.covariates(Persons)...)
	case Municipalities:
		want = append(want, d.conditions()...)
	}
	cols := make([]input, len(want))
	var problems []SchemaProblem
	for i, f := range want {
		if table == Spells {
			var wanted bool
			if f, wanted = d.spellField(f); !wanted {
				cols[i] = input{field: f, column: d.inputName(table, f.name), absent: true}
				continue
			}
		}
		p := d.find(table, f, &cols[i])
		problems = append(problems, p...)
	}
	return cols, problems
}

// find resolves one column of a table.
func (d *Dataset) find(table string, f field, in *input) (problems []SchemaProblem) {
	in.field, in.column = f, d.inputName(table, f.name)
	if d.pseudonymized(table, f.name) {
		in.key = d.opt.Pseudonyms
	}
	if in.want.mayIdentify() && !d.trusted { // with a key, parts that say that they hold pseudonyms
		in.look = &looks{citizens: f.name == "person_id"}
	}
	if c, ok := d.opt.Constants[table][f.name]; ok {
		in.constant = &c
		if in.want == wantCovariate {
			in.want = wantText
		}
		if !in.want.parses(c) {
			problems = []SchemaProblem{{
				Table: table, File: "constants", Column: f.name, Input: f.name,
				Problem: "the constant does not fit", Expected: in.want.String(),
			}}
		}
		if in.look != nil && in.key == nil && civilConstant(c) {
			problems = append(problems, SchemaProblem{
				Table: table, File: "constants", Column: f.name, Input: f.name,
				Problem: "the constant has the form of a civil registration number (CPR)", Expected: "a value that tells nobody's identity",
			})
		}
	} else {
		problems = d.findInput(table, in)
	}
	if in.key != nil {
		problems = append(problems, d.checkMade(table, in)...)
	}
	switch in.want {
	case wantID, wantText, wantPeriod, wantChannel:
		in.res = newInterner(in.want, d.opt.Limits.TextBytes)
	case wantAmount, wantDecimal:
		in.res = newInterner(in.want, maxAmount)
	}
	return problems
}

// inputName is the input's name for a contract column.
func (d *Dataset) inputName(table, column string) string {
	if name, ok := d.opt.Columns[table][column]; ok {
		return name
	}
	return column
}

// findInput looks a column up in every part of the table.
func (d *Dataset) findInput(table string, in *input) (problems []SchemaProblem) {
	fail := func(p part, problem, expected, found string) {
		s := SchemaProblem{
			Table: table, File: p.name(), Column: in.name, Input: in.column,
			Problem: problem, Expected: expected, Found: found,
		}
		if found == "" {
			s.Nearest = nearest.Of(in.column, p.columns())
		}
		problems = append(problems, s)
	}
	_, mapped := d.opt.Columns[table][in.name]
	parts := d.tables[table]
	var first *leaf // that has a class
	var firstIn part
	missing := 0
	for _, p := range parts {
		l, ok := p.lookup(in.column)
		switch {
		case !ok:
			missing++
		case !in.want.accepts(l.class):
			problem := "wrong type"
			if strings.HasPrefix(l.name, "a nested") {
				problem = "nested or repeated"
			}
			fail(p, problem, in.want.String(), l.name)
		case l.class == classNull:
		case first == nil:
			first, firstIn = &l, p
		case first.class.group() != l.class.group():
			fail(p, "parts differ", fmt.Sprintf("%s as in %s", first.name, firstIn.name()), l.name)
		}
	}
	in.absent = missing == len(parts)
	if missing > 0 && (in.required || mapped || !in.absent) {
		for _, p := range parts {
			if _, ok := p.lookup(in.column); !ok {
				problem := "missing"
				if !in.absent {
					problem = "missing in this part only"
				}
				fail(p, problem, in.want.String(), "")
			}
		}
	}
	if in.want == wantCovariate {
		in.want = wantNumber
		if first != nil && first.class == classText {
			in.want = wantText
		}
	}
	return problems
}

// group is what the parts of a table must agree on.
func (c class) group() class {
	if c == classInteger {
		return classNumber
	}
	return c
}

const (
	ageCovariate = "age"
	birthDate    = "birth_date"
)

// sourceOf is the table to read a covariate from. One that is nowhere is wanted
// from persons, so that it is reported there, or from participations if there
// are no persons.
func (d *Dataset) sourceOf(covariate string) string {
	if d.hasColumn(Participations, covariate) || !d.Has(Persons) {
		return Participations
	}
	return Persons
}

// covariates lists the covariates to read from participations or persons, in
// the order of the options.
func (d *Dataset) covariates(table string) []field {
	var out []field
	for _, name := range d.opt.Covariates {
		if d.sourceOf(name) != table {
			continue
		}
		f := field{name, wantCovariate, true, true}
		if name == ageCovariate && table == Persons && d.derivesAge() {
			f = field{birthDate, wantDate, true, true}
		}
		out = append(out, f)
	}
	return out
}

// derivesAge says whether age is to be had from birth_date only.
func (d *Dataset) derivesAge() bool {
	return !d.hasColumn(Persons, ageCovariate) && d.hasColumn(Persons, birthDate)
}

func (d *Dataset) hasColumn(table, column string) bool {
	if _, ok := d.opt.Constants[table][column]; ok {
		return true
	}
	for _, p := range d.tables[table] {
		if _, ok := p.lookup(d.inputName(table, column)); ok {
			return true
		}
	}
	return false
}

// conditions lists the numeric columns of municipalities beyond the contract's,
// by the name of the contract where the options map one.
func (d *Dataset) conditions() []field {
	known := map[string]bool{}
	for _, f := range contract(Municipalities) {
		known[d.inputName(Municipalities, f.name)] = true
	}
	named := map[string]string{}
	for name, column := range d.opt.Columns[Municipalities] {
		named[column] = name
	}
	found := map[string]bool{}
	for _, p := range d.tables[Municipalities] {
		for _, column := range p.columns() {
			l, _ := p.lookup(column)
			if known[column] || l.class.group() != classNumber {
				continue
			}
			if name, ok := named[column]; ok {
				column = name
			}
			found[column] = true
		}
	}
	var out []field
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, field{name: name, want: wantNumber})
	}
	return out
}
