// Package spec reads and runs executable examples of bonus terms: a file beside
// the terms that says, in sentences with figures, what the terms pay on which
// facts. Whoever agrees on terms can read it, and whoever changes them is told
// which sentence no longer holds.
//
//	spec (YAML) --Parse--> Spec --+
//	                              +--Run--> Failures
//	terms -----------------------+
//
// It reads no files and no clock.
//
// Where a new thing goes: a fact of a case is a field of [Case] or [Observed]
// and its place in cases.go; any other fact is a field of [Given] and its place
// in facts (given.go); a new thing to expect is a field of [Expect] and a line
// in compare (expect.go), with the columns that are compared.
package spec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Spec is a file of scenarios. It is made by [Parse] and read-only.
type Spec struct {
	Terms      string     `yaml:"terms" doc:"file of the terms, beside the spec"`
	Also       []string   `yaml:"also,omitempty" doc:"files of other agreements that are settled together with it"`
	Outcomes   []Outcome  `yaml:"outcomes,omitempty" doc:"outcomes that are observed, as in the run file"`
	Confidence float64    `yaml:"confidence,omitempty" doc:"confidence of the effects' intervals; 0.95 if left out"`
	Case       *Case      `yaml:"case,omitempty" doc:"what every case has that does not say otherwise"`
	Scenarios  []Scenario `yaml:"scenarios" jsonschema:"minItems=1" doc:"what the terms pay, one sentence each"`

	// File is the name given to Parse.
	File string `yaml:"-"`

	doc *strict.Document
}

// Outcome is an outcome that is observed of every case.
type Outcome struct {
	Name    string `yaml:"name" doc:"name, as the terms have it"`
	Unit    Unit   `yaml:"unit,omitempty" doc:"what it counts: share (reached or not; if left out), portion, days, weeks, hours, kroner or number"`
	Absence bool   `yaml:"absence,omitempty" doc:"true: reached means being in none of the states"`
}

// Unit is an [effect.Unit].
type Unit effect.Unit

// Names lists the units.
func (Unit) Names() []string {
	return []string{
		string(effect.UnitShare), string(effect.UnitPortion), string(effect.UnitDays), string(effect.UnitWeeks),
		string(effect.UnitHours), string(effect.UnitKroner), string(effect.UnitNumber),
	}
}

// Scenario is one sentence about the terms, with the facts it is about and what
// is to come of them.
type Scenario struct {
	It     string      `yaml:"it" doc:"what the terms do, as a sentence"`
	AsOf   effect.Date `yaml:"as_of" doc:"last day that counts"`
	Cohort *Days       `yaml:"cohort,omitempty" doc:"referrals that are measured; not told if left out"`
	Given  Given       `yaml:"given,omitempty" doc:"the facts"`
	Expect Expect      `yaml:"expect" doc:"what comes of them; what is left out is not looked at"`
}

// Days are a run of days.
type Days struct {
	From effect.Date `yaml:"from" doc:"first day"`
	To   effect.Date `yaml:"to" doc:"first day after them"`
}

// Day is a date, or none.
type Day struct{ effect.Date }

// None stands in a spec for a value that is missing in the data.
const None = "none"

// UnmarshalText reads a date, or none.
func (d *Day) UnmarshalText(b []byte) error {
	if string(b) == None {
		d.Date = effect.NoDate
		return nil
	}
	return d.Date.UnmarshalText(b)
}

// MarshalText writes what UnmarshalText reads.
func (d Day) MarshalText() ([]byte, error) {
	if d.Date == effect.NoDate {
		return []byte(None), nil
	}
	return d.Date.MarshalText()
}

// Parse reads and checks a spec; the name stands in messages. The error is a
// [*bonus.Faults] with every fault found.
func Parse(name string, src []byte) (*Spec, error) {
	s := &Spec{File: name}
	doc, faults := strict.Decode(name, src, s)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	s.doc = doc
	c := checker{s: s, outcomes: map[string]bool{}}
	c.spec()
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

//go:generate go test -run ^TestSchemaIsCurrent$ . -update

// Schema is the JSON Schema of a spec, for editors that check and complete YAML.
func Schema() ([]byte, error) {
	return strict.Schema("Executable examples of bonus terms", &Spec{}, func(t reflect.Type) *jsonschema.Schema {
		switch t {
		case reflect.TypeFor[effect.Date]():
			return &jsonschema.Schema{Type: "string", Format: "date"}
		case reflect.TypeFor[Day]():
			return strict.Text(`^([0-9]{4}-[0-9]{2}-[0-9]{2}|none)$`)
		case reflect.TypeFor[bonus.Ore]():
			return strict.Text(`^-?[0-9]+(\.[0-9]{1,2})?$`)
		case reflect.TypeFor[bonus.Decimal]():
			return strict.Text(`^-?[0-9]+(\.[0-9]+)?$`)
		}
		return nil
	})
}

// checker looks for values of a spec that contradict each other.
type checker struct {
	s        *Spec
	outcomes map[string]bool
	faults   strict.Gathered
}

func (c *checker) fault(path, format string, args ...any) {
	c.faults.Add(c.s.doc, path, strict.Contradiction, format, args...)
}

func (c *checker) spec() {
	for i, o := range c.s.Outcomes {
		if c.outcomes[o.Name] {
			c.fault(fmt.Sprintf("outcomes[%d].name", i), "the outcome %q stands twice", o.Name)
		}
		c.outcomes[o.Name] = true
	}
	if x := c.s.Confidence; !(x >= 0 && x < 1) {
		c.fault("confidence", "a confidence lies above 0 and under 1")
	}
	if c.s.Case != nil {
		c.observed("case", c.s.Case)
		if c.s.Case.ID != "" || c.s.Case.Times != nil {
			c.fault("case", "case and times belong to the cases of a scenario")
		}
	}
	said := map[string]int{}
	for i := range c.s.Scenarios {
		x, path := &c.s.Scenarios[i], fmt.Sprintf("scenarios[%d]", i)
		if other, twice := said[x.It]; twice {
			c.fault(path+".it", "scenarios[%d] says the same", other)
		}
		said[x.It] = i
		if x.Cohort != nil && x.Cohort.From >= x.Cohort.To {
			c.fault(path+".cohort", "to must come after from")
		}
		c.given(x, path+".given")
		c.expect(x, path+".expect")
	}
}

func (c *checker) given(x *Scenario, path string) {
	seen := map[string]bool{}
	for i := range x.Given.Cases {
		one, at := &x.Given.Cases[i], fmt.Sprintf("%s.cases[%d]", path, i)
		switch {
		case one.ID == "":
			c.fault(at, "a case needs a name: case")
		case seen[one.ID]:
			c.fault(at+".case", "the case %q stands twice", one.ID)
		}
		seen[one.ID] = true
		c.observed(at, one)
	}
	for i, e := range x.Given.Effects {
		at := fmt.Sprintf("%s.effects[%d]", path, i)
		if e.Outcome != "" {
			c.declared(at+".outcome", e.Outcome)
		}
		if e.Refusal == "" && (e.Observed == nil || e.Expected == nil) {
			c.fault(at, "an effect needs observed and expected, or a refusal")
		}
		if e.Refusal == "" && e.SE == nil && (e.Low == nil || e.High == nil) {
			c.fault(at, "an effect needs its interval, low and high, or the standard error, se, that it is made of")
		}
	}
}

// observed checks a case's outcomes and its number.
func (c *checker) observed(path string, one *Case) {
	for _, name := range slices.Sorted(maps.Keys(one.Outcomes)) {
		o, at := one.Outcomes[name], path+".outcomes."+name
		c.declared(at, name)
		if o.On != nil && o.Status != "" && o.Status != Status(effect.Reached.String()) {
			c.fault(at+".status", "an outcome that was reached on a day is reached, not %s", o.Status)
		}
		c.weeks(at+".weeks", name, o)
	}
	if one.Times != nil && (*one.Times < 1 || *one.Times > maxTimes) {
		c.fault(path+".times", "a case is there once or oftener, and %d times at most", maxTimes)
	}
}

// weeks checks the single weeks of an outcome.
func (c *checker) weeks(path, outcome string, o Observed) {
	i := slices.IndexFunc(c.s.Outcomes, func(x Outcome) bool { return x.Name == outcome })
	if len(o.Weeks) > 0 && i >= 0 && effect.Unit(c.s.Outcomes[i].Unit) != effect.UnitWeeks {
		c.fault(path, "%s does not count weeks: say unit: weeks under outcomes", outcome)
	}
	for k, w := range o.Weeks {
		at := fmt.Sprintf("%s[%d]", path, k)
		if w.Times != nil && (*w.Times < 1 || *w.Times > maxWeeks) {
			c.fault(at+".times", "there are 1 to %d weeks in a row", maxWeeks)
			return
		}
		if k > 0 {
			if days := (Observed{Weeks: o.Weeks[k-1 : k]}).days(effect.LastDate); len(days) > 0 && w.Ends < days[len(days)-1]+7 {
				c.fault(at+".ends", "weeks stand in the order of time and do not overlap")
			}
		}
	}
}

// maxWeeks is how many weeks there can be in a row.
const maxWeeks = 5200

func (c *checker) declared(path, outcome string) {
	if !c.outcomes[outcome] {
		c.faults.Add(c.s.doc, path, bonus.FaultOutcome, "the outcome %q does not stand under outcomes%s", outcome, strict.Suggest(outcome, slices.Sorted(maps.Keys(c.outcomes))))
	}
}

// place is a path of the file as a fault has it.
func (s *Spec) place(path string) strict.Fault {
	var at strict.Gathered
	at.Add(s.doc, path, "", "")
	return at[0]
}
