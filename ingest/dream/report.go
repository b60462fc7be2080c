package dream

import (
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Report says what was read and what became of it. A week is one week of one
// person.
type Report struct {
	First, End effect.Date // the weeks of the panel: [First, End)
	Counts     []Count     // in a fixed order
	States     []StateWeeks
	Codes      []CodeWeeks // the codes seen, in their order
	Unread     []string    // columns of the first file that are not used
}

// Count is how many persons, weeks or spells met a rule.
type Count struct {
	Name string
	N    int64
	Rule string
}

// StateWeeks is how many weeks the spells of a state cover.
type StateWeeks struct {
	State effect.State
	Weeks int64
}

// CodeWeeks is how many weeks have a code.
type CodeWeeks struct {
	Code     string
	State    effect.State
	Is       string // in words, as the map has it
	Believed bool   // its meaning is not checked, says the map
	Weeks    int64
}

// Count returns a count by its name, 0 where there is none.
func (r *Report) Count(name string) int64 {
	for _, c := range r.Counts {
		if c.Name == name {
			return c.N
		}
	}
	return 0
}

// Names of counts. The six kinds of weeks from weeks_coded on make up all weeks.
const (
	CountPersons    = "persons"
	CountWeeks      = "weeks"
	CountCoded      = "weeks_coded"
	CountBeside     = "weeks_coded_with_work"
	CountWorked     = "weeks_empty_with_income"
	CountFilled     = "weeks_empty_after_end"
	CountBare       = "weeks_empty_without_income"
	CountUnknown    = "weeks_empty_outside_months"
	CountEmpty      = "weeks_empty"
	CountUntold     = "weeks_of_work_without_hours"
	CountSpells     = "spells"
	CountWithout    = "persons_without_spells"
	CountAfterDeath = "persons_after_death"
)

func (c *conversion) report() *Report {
	t := &c.total
	weeks := c.layout.weeks
	r := &Report{First: weeks[0], End: weeks[len(weeks)-1] + 7}
	var all int64
	for _, n := range t.weeks {
		all += n
	}
	empty := t.weeks[sortWorked] + t.weeks[sortFilled] + t.weeks[sortBare] + t.weeks[sortUnknown]
	bare := "in a month without income: " + string(c.m.EmptyWeek)
	if c.m.EmptyWeek == NoSpell {
		bare = "in a month without income: no spell"
	}
	r.Counts = []Count{
		{CountPersons, t.persons, "rows of the panel"},
		{CountWeeks, all, "persons times columns of weeks"},
		{CountCoded, t.weeks[sortCoded], "with a code, which gives the state"},
		{CountBeside, t.weeks[sortBeside], "with a code, and ordinary_employment beside it (beside.work: " + string(c.m.Beside.Work) + ")"},
		{CountEmpty, empty, "without a code, of which:"},
		{CountWorked, t.weeks[sortWorked], "in a month with income (" + string(c.m.Income) + "): ordinary_employment"},
		{CountFilled, t.weeks[sortFilled], "after a code that ends the observation: its state goes on"},
		{CountBare, t.weeks[sortBare], bare},
		{CountUnknown, t.weeks[sortUnknown], "in a month without columns, so that work is unknown: no spell"},
		{CountUntold, t.untold, "of ordinary_employment whose hours are null: the degree of the month is missing, or full_hours is 0"},
		{CountSpells, t.spells, "runs of weeks in one state"},
		{CountWithout, t.without, "persons of whom no spell is made"},
		{CountAfterDeath, t.afterDeath, "persons who have another code or income after they died; both are kept, and death is for good"},
	}
	for s := range t.byState {
		if t.byState[s] > 0 {
			r.States = append(r.States, StateWeeks{effect.State(s), t.byState[s]})
		}
	}
	var codes []effect.ID
	for code := range t.byCode {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, effect.ID.Compare)
	for _, code := range codes {
		e := c.m.entry(code)
		r.Codes = append(r.Codes, CodeWeeks{code.String(), e.State, e.Is, e.Believed, t.byCode[code]})
	}
	read := map[string]bool{}
	s := c.layout.sheets[0]
	for _, of := range c.layout.months {
		read[s.name(brancheKind, int(of))] = c.m.Income != IncomeGrad
		read[s.name(gradKind, int(of))] = true
	}
	r.Unread = slices.Clone(s.unread)
	for k := brancheKind; k < kinds; k++ {
		for _, col := range s.columns[k] {
			if !read[col.name] {
				r.Unread = append(r.Unread, col.name)
			}
		}
	}
	return r
}
