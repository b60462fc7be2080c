package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Inspected is what a dataset tells of itself, from which somebody can write a run file.
// It holds names and counts, never the identifier of a person or a participation.
type Inspected struct {
	Tables  []ingest.TableSize
	Columns []InspectedColumn // columns of the contract that have another name, or none, in the input
	// Cases say what participations are about; empty where a column that they need is missing.
	Participations int
	ReferredFirst  effect.Date // effect.NoDate where there are none
	ReferredLast   effect.Date
	Municipalities []ingest.InputValue // with how many participations, the most first
	Groups         []InspectedGroup
	Providers      []ingest.InputValue // the empty one: the municipality's own projects
	Agreements     []InspectedAgreement
	Channels       []ingest.InputValue
	Packages       bool // some participation has one

	States     []InspectedState // codes of spells, the most frequent first
	SpellsLast effect.Date      // the last day on which a spell begins: so far the registers reach at least
	// Covariates are columns of persons, or of participations where there are no persons,
	// that can be adjusted for: numbers, and texts of at most 30 values.
	Covariates []string
	Dated      bool     // persons have valid_from
	Fixed      []string // of the covariates, and birth_date: what cannot change
	Conditions []string // numeric columns of municipalities, but for the population
	Years      []string // that municipalities have conditions of, the last first
	Notes      []string // what was seen and is of no use, or cannot be told, in sentences
}

// InspectedColumn is a column of the contract that has not its own name in the input.
type InspectedColumn struct {
	Table, Column string
	Input         string   // the column that it is believed to be; empty where nobody can say
	Required      bool     // a run cannot do without it
	Candidates    []string // where Input is empty: columns of a fitting type
}

// InspectedState is a code of spells.
type InspectedState struct {
	Code  string
	Rows  int64
	Known bool // State is what it is believed to be, or what it says
	State effect.State
}

// InspectedGroup is a match group of a scheme and its participations.
type InspectedGroup struct {
	Scheme, Group string
	N             int64
}

// InspectedAgreement is an agreement, as far as its participations tell it.
type InspectedAgreement struct {
	ID                 string
	N                  int64
	Scheme             string // of most of its participations
	Groups, Packages   []string
	First, Last        effect.Date // referrals
	WithoutPackage     int64
	Municipalities     []string
	OtherSchemes       bool
	participationsWith map[string]int64
}

// ErrNoDataset says that a folder holds no table of the data contract.
var ErrNoDataset = errors.New("no dataset")

// The most values that are listed of what participations are about, of a covariate and of the codes of spells.
const (
	maxInspected       = 2000
	maxInspectedLevels = 30
	maxInspectedStates = 400
)

// Inspect looks at a folder as a dataset: which tables and columns there are, what the columns
// are that have other names than those of the contract, as far as that is sure (names in
// English and Danish that mean one thing, of a type that fits), and what participations and spells
// are about. Nothing is guessed: what is not sure is left to be asked. A folder without a
// table of the contract is an error that wraps [ErrNoDataset].
func Inspect(ctx context.Context, folder string) (*Inspected, error) {
	opt := ingest.DefaultOptions()
	opt.MaxRejectShare = 1
	ds, err := ingest.OpenFolder(folder, opt)
	if err != nil {
		return nil, err
	}
	in := &Inspected{Tables: ds.Sizes(), ReferredFirst: effect.NoDate, ReferredLast: effect.NoDate, SpellsLast: effect.NoDate}
	if len(in.Tables) == 0 {
		return nil, fmt.Errorf("%w in %s: it holds no table of the data contract%s (docs/data.md lists them; each is NAME.parquet, or a folder NAME of parts)", ErrNoDataset, folder, otherFiles(folder))
	}
	for _, need := range []string{ingest.Participations, ingest.Spells} {
		if !ds.Has(need) {
			in.Notes = append(in.Notes, fmt.Sprintf("There is no table %s, which every job needs%s.", need, otherFiles(folder)))
		}
	}
	columns := map[string]map[string]string{}
	for _, table := range in.Tables {
		in.mapColumns(ds, table.Name, columns)
	}
	opt.Columns = columns
	if ds, err = ingest.OpenFolder(folder, opt); err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context, *ingest.Dataset, func(table, column string) string) error{
		in.lookAtCases, in.lookAtSpells, in.lookAtPersons, in.lookAtMunicipalities,
	} {
		err := look(ctx, ds, func(table, column string) string {
			if name := columns[table][column]; name != "" {
				return name
			}
			return column
		})
		if err != nil {
			return nil, err
		}
	}
	return in, nil
}

// otherFiles names what lies in a folder and is no table of the contract.
func otherFiles(folder string) string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		base := strings.TrimSuffix(e.Name(), ".parquet")
		if strings.HasPrefix(base, ".") || slices.Contains(ingest.Tables(), base) || !e.IsDir() && filepath.Ext(e.Name()) != ".parquet" {
			continue
		}
		name := fmt.Sprintf("%q", e.Name())
		if table := tableNamed(base); table != "" {
			name += " (is it " + table + "? Then call it so)"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if n := len(names); n > 10 {
		names, more = names[:10], fmt.Sprintf(" and %d more", n-10)
	}
	return "; there are " + strings.Join(names, ", ") + more
}

// lacks says whether a column that a run needs has no name in the input.
func (in *Inspected) lacks(table string) bool {
	return slices.ContainsFunc(in.Columns, func(c InspectedColumn) bool { return c.Table == table && c.Required && c.Input == "" })
}

// mapColumns finds the columns of the contract in a table.
func (in *Inspected) mapColumns(ds *ingest.Dataset, table string, columns map[string]map[string]string) {
	there := ds.InputColumns(table)
	named := func(name string) bool {
		return slices.ContainsFunc(there, func(c ingest.InputColumn) bool { return c.Name == name })
	}
	taken := func(c ingest.InputColumn) bool {
		for _, of := range ingest.Contract(table) {
			if of.Name == c.Name {
				return true
			}
		}
		return false
	}
	want := ingest.Contract(table)
	if table == ingest.Persons {
		want = append(want, ingest.ContractColumn{Name: "birth_date"})
	}
	for _, column := range want {
		if named(column.Name) {
			continue
		}
		var means, fits []string
		for _, c := range there {
			if taken(c) || column.Name != "birth_date" && !slices.Contains(c.Fits, column.Name) {
				continue
			}
			fits = append(fits, c.Name)
			if columnNamed(table, column.Name, c.Name) {
				means = append(means, c.Name)
			}
		}
		switch {
		case len(means) == 1:
			if columns[table] == nil {
				columns[table] = map[string]string{}
			}
			columns[table][column.Name] = means[0]
			in.Columns = append(in.Columns, InspectedColumn{Table: table, Column: column.Name, Input: means[0], Required: column.Required})
		case column.Required, len(means) > 1:
			if len(means) > 1 {
				fits = means
			}
			in.Columns = append(in.Columns, InspectedColumn{Table: table, Column: column.Name, Required: column.Required, Candidates: fits})
		}
	}
}

// lookAtCases says what participations are about.
func (in *Inspected) lookAtCases(ctx context.Context, ds *ingest.Dataset, name func(table, column string) string) (err error) {
	if !ds.Has(ingest.Participations) {
		return nil
	}
	if in.lacks(ingest.Participations) {
		if !slices.ContainsFunc(in.Columns, func(c InspectedColumn) bool { return c.Column == "referral_date" && c.Input == "" }) {
			in.ReferredFirst, in.ReferredLast, err = ds.InputDates(ctx, ingest.Participations, name(ingest.Participations, "referral_date"))
		}
		return err
	}
	cases, err := ds.Cases(ctx)
	if err != nil {
		return err
	}
	in.Participations = cases.Len()
	count := func(f *effect.Factor) []ingest.InputValue {
		n := map[string]int64{}
		for i := range cases.Len() {
			n[f.At(i)]++
		}
		var out []ingest.InputValue
		for value, rows := range n {
			out = append(out, ingest.InputValue{Value: value, Rows: rows})
		}
		slices.SortFunc(out, func(a, b ingest.InputValue) int {
			if a.Rows != b.Rows {
				return int(b.Rows - a.Rows)
			}
			return strings.Compare(a.Value, b.Value)
		})
		return out
	}
	listed := func(column string, f *effect.Factor) []ingest.InputValue {
		values := count(f)
		if len(values) > maxInspected {
			in.Notes = append(in.Notes, fmt.Sprintf("The column %s of participations has more than %d values, which are not listed: is it that column?", column, maxInspected))
			return nil
		}
		return values
	}
	in.Municipalities, in.Providers, in.Channels = listed("municipality", &cases.Municipality), listed("provider_id", &cases.Provider), listed("channel", &cases.Channel)
	in.Packages = slices.ContainsFunc(cases.Package.Codes, func(code int32) bool { return code >= 0 })
	groups := map[[2]string]int64{}
	agreements := map[string]*InspectedAgreement{}
	schemes := listed("agreement_id", &cases.Agreement)
	for i := range cases.Len() {
		scheme, group, day := cases.MatchScheme.At(i), cases.MatchGroup.At(i), cases.Referral[i]
		groups[[2]string{scheme, group}]++
		if in.ReferredFirst == effect.NoDate || day < in.ReferredFirst {
			in.ReferredFirst = day
		}
		if in.ReferredLast == effect.NoDate || day > in.ReferredLast {
			in.ReferredLast = day
		}
		id := cases.Agreement.At(i)
		if id == "" || schemes == nil {
			continue
		}
		a := agreements[id]
		if a == nil {
			a = &InspectedAgreement{ID: id, First: day, Last: day, participationsWith: map[string]int64{}}
			agreements[id] = a
		}
		a.N++
		a.First, a.Last = min(a.First, day), max(a.Last, day)
		a.participationsWith[scheme]++
		if p := cases.Package.At(i); p == "" {
			a.WithoutPackage++
		} else if !slices.Contains(a.Packages, p) {
			a.Packages = append(a.Packages, p)
		}
		if m := cases.Municipality.At(i); !slices.Contains(a.Municipalities, m) {
			a.Municipalities = append(a.Municipalities, m)
		}
	}
	for of, n := range groups {
		in.Groups = append(in.Groups, InspectedGroup{of[0], of[1], n})
	}
	slices.SortFunc(in.Groups, func(a, b InspectedGroup) int {
		return slices.Compare([]string{a.Scheme, a.Group}, []string{b.Scheme, b.Group})
	})
	if len(in.Groups) > maxInspected {
		in.Notes = append(in.Notes, fmt.Sprintf("There are more than %d match groups, which are not listed: is match_group that column?", maxInspected))
		in.Groups = nil
	}
	for _, a := range agreements {
		for scheme, n := range a.participationsWith {
			if most := a.participationsWith[a.Scheme]; n > most || n == most && scheme < a.Scheme {
				a.Scheme = scheme
			}
		}
		a.OtherSchemes = len(a.participationsWith) > 1
		for _, g := range in.Groups {
			if g.Scheme == a.Scheme {
				a.Groups = append(a.Groups, g.Group)
			}
		}
		slices.Sort(a.Packages)
		slices.Sort(a.Municipalities)
		in.Agreements = append(in.Agreements, *a)
	}
	slices.SortFunc(in.Agreements, func(a, b InspectedAgreement) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

// lookAtSpells says which codes there are and how far the spells reach.
func (in *Inspected) lookAtSpells(ctx context.Context, ds *ingest.Dataset, name func(table, column string) string) error {
	if !ds.Has(ingest.Spells) || in.lacks(ingest.Spells) {
		return nil
	}
	codes, err := ds.InputValues(ctx, ingest.Spells, name(ingest.Spells, "state"), maxInspectedStates)
	switch {
	case errors.Is(err, ingest.ErrManyValues):
		in.Notes = append(in.Notes, fmt.Sprintf("The column %q of spells has more than %d values, which are not listed: is it the column of states?", name(ingest.Spells, "state"), maxInspectedStates))
	case err != nil:
		return err
	}
	for _, c := range codes {
		s := InspectedState{Code: c.Value, Rows: c.Rows}
		s.State, s.Known = stateNamed(c.Value)
		in.States = append(in.States, s)
	}
	_, in.SpellsLast, err = ds.InputDates(ctx, ingest.Spells, name(ingest.Spells, "start_date"))
	return err
}

// lookAtPersons finds covariates.
func (in *Inspected) lookAtPersons(ctx context.Context, ds *ingest.Dataset, name func(table, column string) string) error {
	table := ingest.Persons
	if !ds.Has(table) {
		table = ingest.Participations
	}
	if !ds.Has(table) || in.lacks(table) {
		return nil
	}
	mapped := func(column string) bool {
		return slices.ContainsFunc(in.Columns, func(c InspectedColumn) bool { return c.Table == table && c.Input == column })
	}
	known := func(column string) bool {
		return column == "price" || slices.ContainsFunc(ingest.Contract(table), func(c ingest.ContractColumn) bool { return c.Name == column })
	}
	for _, c := range ds.InputColumns(table) {
		switch {
		case c.Name == name(table, "valid_from") && table == ingest.Persons:
			in.Dated = true
		case c.Name == name(table, "birth_date") && c.Date:
			in.Covariates, in.Fixed = append(in.Covariates, "age"), append(in.Fixed, "birth_date")
		case known(c.Name) || mapped(c.Name):
		case c.Number && table == ingest.Persons:
			in.Covariates = append(in.Covariates, c.Name)
		case c.Text:
			switch values, err := ds.InputValues(ctx, table, c.Name, maxInspectedLevels); {
			case errors.Is(err, ingest.ErrManyValues) || err == nil && len(values) < 2:
			case err != nil:
				return err
			default:
				in.Covariates = append(in.Covariates, c.Name)
			}
		}
	}
	for _, covariate := range in.Covariates {
		if neverChanges(covariate) {
			in.Fixed = append(in.Fixed, covariate)
		}
	}
	return nil
}

// lookAtMunicipalities finds framework conditions.
func (in *Inspected) lookAtMunicipalities(ctx context.Context, ds *ingest.Dataset, name func(table, column string) string) error {
	if !ds.Has(ingest.Municipalities) || in.lacks(ingest.Municipalities) {
		return nil
	}
	for _, c := range ds.InputColumns(ingest.Municipalities) {
		if c.Number && c.Name != name(ingest.Municipalities, "year") && c.Name != name(ingest.Municipalities, "municipality") && c.Name != "population" {
			in.Conditions = append(in.Conditions, c.Name)
		}
	}
	years, err := ds.InputValues(ctx, ingest.Municipalities, name(ingest.Municipalities, "year"), maxInspected)
	if err != nil && !errors.Is(err, ingest.ErrManyValues) {
		return err
	}
	for _, y := range years {
		in.Years = append(in.Years, y.Value)
	}
	slices.Sort(in.Years)
	slices.Reverse(in.Years)
	return nil
}
