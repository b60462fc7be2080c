package jobeffekt_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// everyKind is outcomes of every kind, as a run file has them.
const everyKind = `outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment, self_employment], at: 26 weeks}
  - {name: days_employed_52w, kind: days_in, states: [ordinary_employment, self_employment], within: 52 weeks}
  - {name: sustained_13w, kind: sustained, states: [ordinary_employment, self_employment], weeks: 13, max_gap: 7, within: 52 weeks}
  - {name: off, kind: not_in_states_at, states: [cash_benefit], at: 26 weeks}
  - {name: share, kind: share_in, states: [ordinary_employment], within: 26 weeks, at_least: 0.5}
  - {name: half, kind: share_in, states: [ordinary_employment], within: 26 weeks, at_least: 0.5, count: reached}
  - name: full
    kind: weeks_in
    states: [ordinary_employment, self_employment, self_support]
    days: 7
    without: [flex_job, wage_subsidy, cash_benefit, unemployment_benefit, sickness_benefit]
    within: 52 weeks
  - name: partial
    kind: weeks_in
    states: [ordinary_employment, self_employment, flex_job]
    beside: [flex_job, wage_subsidy, cash_benefit, unemployment_benefit, sickness_benefit]
    within: 52 weeks
  - {name: hours, kind: hours_in, states: [ordinary_employment], within: 52 weeks}
  - {name: enough_hours, kind: hours_in, states: [ordinary_employment], within: 52 weeks, at_least: 416, count: reached}
  - {name: earnings, kind: earnings_in, states: [ordinary_employment], within: 52 weeks, at_least: 100.5}
  - {name: time_to_job, kind: time_to, states: [ordinary_employment], within: 52 weeks, exits: {education: [education], benefit: [sickness_benefit]}}
  - {name: relapse, kind: relapse, states: [ordinary_employment], weeks: 13, within: 26 weeks, back: [cash_benefit, unemployment_benefit], after: 26 weeks}
  - {name: mark, kind: number, column: age, known_after: 30 days, at_least: 30}
`

// everyOutcome is the job with every kind of outcome. The demonstration has hours;
// every spell gets 5,000 kroner.
func everyOutcome(t *testing.T, change ...string) *jobeffekt.Config {
	c := job(t)
	b, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	text := regexp.MustCompile(`(?ms)^outcomes:\n.*?^peers:`).ReplaceAllString(string(b), everyKind+"\npeers:")
	text = strings.Replace(text, "\ninput:\n", "\ninput:\n  constants: {spells: {amount: 5000}, providers: {employer_ids: E0001 E0002 E0061;E0062}}\n", 1)
	require.NoError(t, os.WriteFile(c.Path, []byte(strings.NewReplacer(change...).Replace(text)), 0o600))
	data := c.Data
	c, err = jobeffekt.LoadConfig(c.Path)
	require.NoError(t, err)
	c.Data = data
	return c
}

func TestEveryKindOfOutcome(t *testing.T) {
	t.Parallel()
	c := everyOutcome(t)
	require.NoError(t, jobeffekt.Check(context.Background(), c))
	want, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	got, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepBenchmark)
	require.NoError(t, err)
	sameObservations(t, want.Observations, got.Observations)
	var untold []ingest.Count
	for _, n := range want.Counts {
		if n.Name == "cases_with_untold_amounts" {
			untold = append(untold, n)
		}
	}
	require.Len(t, untold, 1)
	assert.Positive(t, untold[0].Rows, "open spells have no amount")

	own := int32(0)
	for i, days := range want.Observations.Signals.OwnEmployerDays {
		own += days
		require.LessOrEqual(t, days, want.Observations.Signals.EmployedDays[i])
	}
	assert.Positive(t, own)

	result := func(name string) *effect.Result {
		r, ok := want.Observations.Result(name)
		require.True(t, ok, name)
		return r
	}
	complete := 0
	for i, ok := range result("hours").Complete {
		if !ok {
			continue
		}
		complete++
		at := func(name string) float64 { return result(name).Value[i] }
		require.Equal(t, at("share") >= 0.5-1e-12, at("half") == 1)
		require.Equal(t, at("hours") >= 416, at("enough_hours") == 1)
		require.LessOrEqual(t, at("full")+at("partial"), 52.0)
		require.Equal(t, at("mark") >= 30, result("mark").Status[i] == effect.Reached)
		require.False(t, math.IsNaN(at("time_to_job")))
	}
	assert.Positive(t, complete)
	for name, unit := range map[string]effect.Unit{
		"share": effect.UnitPortion, "half": effect.UnitShare, "full": effect.UnitWeeks, "hours": effect.UnitHours, "enough_hours": effect.UnitShare,
		"earnings": effect.UnitKroner, "time_to_job": effect.UnitDays, "relapse": effect.UnitShare, "mark": effect.UnitNumber,
	} {
		assert.Equal(t, unit, result(name).Unit, name)
	}
	assert.Contains(t, fmt.Sprint(result("time_to_job").Event.Levels), "reached")
	assert.Contains(t, fmt.Sprint(want.Observations.Attrition), "not_at_risk")
}

func TestOutcomesThatNeedColumns(t *testing.T) {
	c := everyOutcome(t, "amount: 5000", "end_date: 2010-01-01")
	err := jobeffekt.Check(context.Background(), c)
	var schema *ingest.SchemaError
	require.ErrorAs(t, err, &schema)
	assert.ErrorContains(t, err, "amount")

	c = everyOutcome(t, "column: age", "column: education") // names, no numbers
	_, err = jobeffekt.Run(context.Background(), c)
	assert.ErrorIs(t, err, effect.ErrOutcome)
}

func TestOutcomesThatContradict(t *testing.T) {
	for declared, want := range map[string]string{
		"{name: a, kind: days_in, within: 4 weeks}":                                                             "a days_in outcome needs states",
		"{name: a, kind: number, column: m, states: [pension]}":                                                 "a number outcome has no states",
		"{name: a, kind: days_in, states: [pension], within: 4 weeks, at_least: 1.5}":                           "at_least must be a whole number",
		"{name: a, kind: hours_in, states: [pension], within: 4 weeks, count: reached}":                         "give at_least",
		"{name: a, kind: time_to, states: [pension], within: 4 weeks, exits: {dead: [leave]}}":                  "exits need names of their own",
		"{name: a, kind: relapse, states: [pension], within: 4 weeks, weeks: 3, back: [leave]}":                 "a relapse outcome needs after",
		"{name: a, kind: weeks_in, states: [pension], within: 4 weeks, without: [pension]}":                     "no week can be in the states and without them",
		"{name: a, kind: state_at, states: [pension], at: 4 weeks, count: reached}":                             "a state_at outcome has no count",
		"{name: a, kind: days_in, states: [pension], within: 4 weeks, days: 2, beside: [leave], back: [leave]}": "a days_in outcome has no days",
	} {
		_, err := jobeffekt.ParseConfig("a.yaml", []byte("data: d\nout: o\nas_of: 2010-01-01\ncohort: {period: 2008}\noutcomes:\n  - "+declared+"\ncompare: {methods: [strata], classes: [{covariate: sex}]}\n"))
		assert.ErrorContains(t, err, want, declared)
	}
}

// The run files in the documents can be read and name every kind of outcome.
func TestExampleOfRunFile(t *testing.T) {
	text := string(read(t, filepath.Join("docs", "run-file.md")))
	block := regexp.MustCompile("(?s)```yaml\n(data: data.*?)```").FindStringSubmatch(text)
	require.NotNil(t, block)
	c, err := jobeffekt.ParseConfig("run-file.md", []byte(block[1]))
	require.NoError(t, err)
	used := map[jobeffekt.Kind]bool{}
	for _, a := range c.Outcomes {
		used[a.Kind] = true
	}
	for _, recipe := range regexp.MustCompile("(?s)```yaml\n(  - .*?)```").FindAllStringSubmatch(text, -1) {
		c, err := jobeffekt.ParseConfig("run-file.md", []byte("data: d\nout: o\nas_of: 2010-01-01\ncohort: {period: 2008}\noutcomes:\n"+recipe[1]+"compare: {methods: [strata], classes: [{covariate: sex}]}\n"))
		require.NoError(t, err)
		for _, a := range c.Outcomes {
			used[a.Kind] = true
		}
	}
	for _, name := range jobeffekt.Kind("").Names() {
		assert.True(t, strings.Contains(text, "`"+name+"`"), "docs/run-file.md does not name the kind %s", name)
		assert.True(t, used[jobeffekt.Kind(name)], "docs/run-file.md has no example of the kind %s", name)
	}
}
