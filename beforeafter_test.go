package jobeffekt_test

import (
	"context"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/ingest"
)

const beforeAfter = `before_after:
  outcomes: [employed_26w]
  since: {"461": 2008-07-01, "751": 2008-07-01, "851": 2008-07-01}
  methods: [did, synthetic]
  match_groups: ["4"]
  min_cases: 5
  min_before: 2
  min_municipalities: 3
`

func measured(t *testing.T, c *jobeffekt.Config) (*effect.Observations, *ingest.Dataset) {
	t.Helper()
	ds, err := ingest.OpenFolder(c.Data, c.IngestOptions())
	require.NoError(t, err)
	m, err := jobeffekt.Measure(context.Background(), ds, c)
	require.NoError(t, err)
	return m.Observations, ds
}

func TestBeforeAfter(t *testing.T) {
	c := job(t, "terms: [terms.yaml]", beforeAfter)
	obs, ds := measured(t, c)
	got, err := jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.NoError(t, err)
	assert.Empty(t, got.NotComparable)

	// The panel by hand, and its effect by the means of means.
	r, _ := obs.Result("employed_26w")
	type key struct {
		municipality string
		quarter      int
	}
	sum, n := map[key]float64{}, map[key]float64{}
	for i := range obs.Cases.Len() {
		if obs.Cases.MatchGroup.At(i) == "4" && r.Complete[i] {
			k := key{obs.Cases.Municipality.At(i), beforeafter.Quarters.Of(obs.Cases.Referral[i])}
			sum[k] += r.Value[i]
			n[k]++
		}
	}
	second := beforeafter.Quarters.Of(effect.NewDate(2008, 4, 1))
	mean := func(changed bool, quarter int) (out float64) {
		var all []float64
		for k := range maps.Keys(n) {
			if k.quarter == quarter && slices.Contains([]string{"461", "751", "851"}, k.municipality) == changed {
				all = append(all, sum[k]/n[k])
			}
		}
		for _, v := range all {
			out += v / float64(len(all))
		}
		return out
	}
	did := func(quarter int) float64 {
		return mean(true, quarter) - mean(true, second) - mean(false, quarter) + mean(false, second)
	}
	i := slices.IndexFunc(got.Rows, func(r jobeffekt.BeforeAfterRow) bool { return r.Kind == beforeafter.Simple })
	require.GreaterOrEqual(t, i, 0)
	assert.InDelta(t, (did(second+1)+did(second+2))/2, got.Rows[i].Effect, 1e-9)
	assert.Equal(t, effect.UnitShare, got.Rows[i].Unit)
	assert.EqualValues(t, 3, got.Rows[i].Treated)
	assert.Contains(t, strings.Join(got.Words, " "), "A test that finds nothing proves nothing.")
	require.Len(t, got.Units, 3)
	for _, u := range got.Units {
		assert.Equal(t, beforeafter.RefusalFewBefore, u.Refusal)
	}

	// Framework conditions are adjusted for: another effect, by the same cases.
	c.BeforeAfter.Conditions, c.BeforeAfter.Year = []string{"unemployment_pct"}, 2008
	require.ErrorContains(t, c.Validate(), "framework conditions of 2008 may have followed the change in municipality 461")
	adjusted, err := jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.NoError(t, err)
	j := slices.IndexFunc(adjusted.Rows, func(r jobeffekt.BeforeAfterRow) bool { return r.Kind == beforeafter.Simple })
	assert.NotEqual(t, got.Rows[i].Effect, adjusted.Rows[j].Effect)
	assert.Equal(t, got.Rows[i].Treated, adjusted.Rows[j].Treated)
	c.BeforeAfter.Year = 2001
	_, err = jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.ErrorContains(t, err, "no framework conditions for 2001")
	c.BeforeAfter.Conditions, c.BeforeAfter.Year = nil, 0

	// A method that is not there is not taken for one that is.
	c.BeforeAfter.Methods = []jobeffekt.BeforeAfterMethod{"another"}
	_, err = jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	c.BeforeAfter.Methods = []jobeffekt.BeforeAfterMethod{jobeffekt.MethodSynthetic}

	// With enough periods each municipality has a synthetic control.
	c.BeforeAfter.Periods, c.BeforeAfter.MinBefore = jobeffekt.PeriodMonths, 5
	got, err = jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.NoError(t, err)
	for _, u := range got.Units {
		assert.False(t, math.IsNaN(u.KKTGap) || u.KKTGap > 1e-8, "%+v", u)
	}
}

// A change in the first months of what is recorded cannot be compared: a result
// like another.
func TestBeforeAfterNotComparable(t *testing.T) {
	c := job(t, "terms: [terms.yaml]", strings.Replace(beforeAfter, `"461": 2008-07-01`, `"461": 2008-01-01`, 1))
	obs, ds := measured(t, c)
	got, err := jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.NoError(t, err)
	i := slices.IndexFunc(got.Rows, func(r jobeffekt.BeforeAfterRow) bool { return r.Kind == jobeffekt.KindNotComparable })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, "461", got.Rows[i].Municipality)
	assert.Equal(t, effect.NewDate(2008, 1, 1), got.Rows[i].DataSince)
	assert.Equal(t, effect.NotRated, got.Rows[i].Verdict)
	assert.Empty(t, got.NotComparable, "the others are compared, or refused for their number")
	c.BeforeAfter.Since = map[string]effect.Date{"461": effect.NewDate(2008, 1, 1)}
	got, err = jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.NoError(t, err)
	require.Len(t, got.NotComparable, 1)
	assert.ErrorContains(t, got.NotComparable[0], "Before and after cannot be compared: in municipality 461")
	assert.Contains(t, got.NotComparable[0].Error(), "2008-01-01; at least 2 quarters before it are needed.")
	assert.Contains(t, strings.Join(got.Words, "\n"), got.NotComparable[0].Error())

	c.BeforeAfter.Since = map[string]effect.Date{"4611": effect.NewDate(2008, 7, 1)}
	_, err = jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	assert.ErrorContains(t, err, `no participation is of municipality "4611"; did you mean "461"?`)
	c.BeforeAfter.MatchGroups = []string{"9"}
	_, err = jobeffekt.CompareBeforeAfter(context.Background(), ds, c, obs)
	assert.ErrorIs(t, err, jobeffekt.ErrConfig)
}

func TestBeforeAfterFaults(t *testing.T) {
	c := job(t, "terms: [terms.yaml]", beforeAfter)
	for want, change := range map[string]func(b *jobeffekt.BeforeAfter){
		`there is no outcome "employed_26"; did you mean`: func(b *jobeffekt.BeforeAfter) { b.Outcomes = []string{"employed_26"} },
		"name the outcomes":            func(b *jobeffekt.BeforeAfter) { b.Outcomes = nil },
		"since when each municipality": func(b *jobeffekt.BeforeAfter) { b.Since = nil },
		"461 has the change itself":    func(b *jobeffekt.BeforeAfter) { b.Exclude = []string{"461"} },
		"751 stands twice":             func(b *jobeffekt.BeforeAfter) { b.Among = []string{"751", "751"} },
		"did stands twice":             func(b *jobeffekt.BeforeAfter) { b.Methods = []jobeffekt.BeforeAfterMethod{"did", "did"} },
		"need conditions and year":     func(b *jobeffekt.BeforeAfter) { b.Year = 2006 },
		"give 5 or more":               func(b *jobeffekt.BeforeAfter) { b.MinCases = 4 },
		"give 2 or more":               func(b *jobeffekt.BeforeAfter) { b.MinUnits = 1 },
		"give 0 periods":               func(b *jobeffekt.BeforeAfter) { b.Anticipation = -1 },
		"give 1 period":                func(b *jobeffekt.BeforeAfter) { b.MinBefore = -1 },
		"give the day of the change":   func(b *jobeffekt.BeforeAfter) { b.Since = map[string]effect.Date{"461": effect.NoDate} },
	} {
		other, b := *c, *c.BeforeAfter
		change(&b)
		other.BeforeAfter = &b
		assert.ErrorContains(t, other.Validate(), want)
	}
}

// What is asked for and cannot be found is named, and nothing of it passed over.
func TestBeforeAfterOfNobody(t *testing.T) {
	t.Parallel()
	c := job(t, "terms: [terms.yaml]", beforeAfter)
	for want, change := range map[string]func(c *jobeffekt.Config, b *jobeffekt.BeforeAfter){
		`has match group "9"`: func(_ *jobeffekt.Config, b *jobeffekt.BeforeAfter) { b.MatchGroups = []string{"4", "9"} },
		`no municipality has the framework condition "unemploymnt_pct" in 2007; did you mean`: func(_ *jobeffekt.Config, b *jobeffekt.BeforeAfter) {
			b.Conditions, b.Year = []string{"unemploymnt_pct"}, 2007
		},
		"municipality 461 is in area X; name the area": func(c *jobeffekt.Config, _ *jobeffekt.BeforeAfter) {
			c.Areas = jobeffekt.Areas{"X": {"461", "999"}}
		},
	} {
		other, b := *c, *c.BeforeAfter
		change(&other, &b)
		other.BeforeAfter = &b
		_, err := jobeffekt.Run(context.Background(), &other)
		require.ErrorContains(t, err, want)
	}
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	other, b := *c, *c.BeforeAfter
	b.Conditions, b.Year = []string{"unemployment_pct", "low_education_pct"}, 2007
	other.BeforeAfter, other.Peers = &b, nil
	other.Data = edited(t, data, "municipalities", func(m *ingest.Table) { m.Column("low_education_pct").Floats[in2007(m, "461")] = math.NaN() })
	_, err = jobeffekt.Run(context.Background(), &other)
	assert.ErrorContains(t, err, "municipality 461 lacks low_education_pct of 2007")
	b.Conditions = []string{"nope"}
	assert.ErrorContains(t, jobeffekt.Check(context.Background(), &other), `framework condition "nope"`)
}

// The tables are there where the run file asks for them, and tell no effect in
// a blinded run.
func TestBeforeAfterTables(t *testing.T) {
	t.Parallel()
	c := job(t, "terms: [terms.yaml]", beforeAfter)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(strings.Fields(r.Summary()), " "),
		"Before and after the change in Odense (461) on 2008-07-01, Aarhus (751) on 2008-07-01, Aalborg (851) on 2008-07-01 employed_26w, match group 4 (match5_2004) ")
	table, err := ingest.ReadTable(context.Background(), filepath.Join(c.ResultsFolder(), jobeffekt.TableBeforeAfter+".parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, len(r.BeforeAfter.Rows), table.Rows())
	table, err = ingest.ReadTable(context.Background(), filepath.Join(c.ResultsFolder(), jobeffekt.TableSynthetic+".parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, "2008Q3", cell(table.Column("since"), 0))
	differences, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, differences)

	blinded := job(t, "terms: [terms.yaml]", "blinded: true\n"+beforeAfter)
	r, err = jobeffekt.Run(context.Background(), blinded)
	require.NoError(t, err)
	assert.NotContains(t, r.Summary(), "Before and after")
	for _, name := range []string{jobeffekt.TableBeforeAfter, jobeffekt.TableSynthetic, jobeffekt.TableGaps, jobeffekt.TableDonors, jobeffekt.TablePlacebos} {
		_, err := os.Stat(filepath.Join(blinded.ResultsFolder(), name+".parquet"))
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}
