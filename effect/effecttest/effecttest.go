// Package effecttest holds the laws that every method of estimation passes, and
// makes observations of simulated worlds whose true effects are known. A new
// method is done when its test calls [Laws].
package effecttest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// Data are case histories in memory, in rows that a test can change.
type Data struct {
	Participations []world.Participation
	Spells         []world.Spell
	Persons        []world.Person
	Members        []effect.Membership
}

// FromWorld makes the case histories of a world.
func FromWorld(t testing.TB, o world.Options) *Data {
	t.Helper()
	w, err := world.New(o)
	require.NoError(t, err)
	d := &Data{}
	for b, err := range w.Blocks(context.Background()) {
		require.NoError(t, err)
		d.Participations = append(d.Participations, b.Participations...)
		d.Spells = append(d.Spells, b.Spells...)
		d.Persons = append(d.Persons, b.Persons...)
	}
	for _, p := range w.Providers() {
		d.Members = append(d.Members, effect.Membership{Provider: p.ID, Consortium: p.ConsortiumID, Name: p.Name, From: p.From, To: p.To, InHouse: p.InHouse})
	}
	return d
}

// Study asks for employment at 26 weeks and days in work within 52, of the
// participations of 2008.
func Study() effect.Study {
	period, _ := effect.ParsePeriod("2008") // a constant that parses
	return effect.Study{
		AsOf: effect.NewDate(2010, 6, 30), Cohort: effect.Cohort{Period: period, Take: effect.TakeFirst},
		Outcomes: []effect.Outcome{
			{Name: world.Employed26, Measure: effect.StateAt{States: effect.Employment, At: effect.Weeks(26)}},
			{Name: world.Days52, Measure: effect.DaysIn{States: effect.Employment, Within: effect.Weeks(52)}},
		},
		History: effect.DefaultHistory(), RegistersReach: effect.NoDate,
	}
}

// Observe observes the case histories. Participations may come in any order.
func (d *Data) Observe(t testing.TB, study effect.Study) *effect.Observations {
	t.Helper()
	o, err := effect.NewObserver(study, d.Cases())
	require.NoError(t, err)
	d.Add(o)
	obs, err := o.Observations(context.Background())
	require.NoError(t, err)
	return obs
}

// Add gives the spells to an observer of the cases of d.
func (d *Data) Add(o *effect.Observer) {
	cases := d.Cases()
	index := map[effect.ID]int32{}
	for i, id := range cases.Persons.All() {
		index[id] = int32(i)
	}
	for _, s := range d.Spells {
		o.Add(effect.Spells{
			Person: []int32{index[effect.NumberID(s.PersonID)]}, State: []effect.State{s.State},
			Start: []effect.Date{s.Start}, End: []effect.Date{s.End},
		})
	}
}
