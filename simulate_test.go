package jobeffekt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// effectTerms pay on the effect alone, through a gate that is open wherever there
// is a figure.
func effectTerms(t *testing.T, name, agreement, clause string, change ...string) *bonus.Terms {
	t.Helper()
	terms, err := bonus.ParseTerms(name, []byte(strings.NewReplacer(change...).Replace(fmt.Sprintf(`
agreement: %s
title: Effect alone
source: {document: Invented, dated: 2007-11-15}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2011-12-31
packages:
  - {id: P1, name: Job search with a coach, job_oriented: true}
  - {id: P2, name: Company placement, job_oriented: true}
  - {id: P3, name: Clarification, job_oriented: false}
periods: half_year
applies_by: referral
rounding: {unit: 0.01, mode: half_up, stage: line}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: effect
        section: "1"
        text: Extra citizens in work
        measure: {effect: employed_26w, part: provider, method: strata}
        conditions: {job_oriented: true}
        schedule:
          unit_prices:
            - {match_group: 4, package: P1, amount: 40000}
            - {match_group: 4, package: P2, amount: 40000}
            - {match_group: 5, package: P1, amount: 60000}
            - {match_group: 5, package: P2, amount: 60000}
%s
`, agreement, clause))))
	require.NoError(t, err)
	return terms
}

const (
	openGate = "        gate: {require: {n: 1}, multiplicity: none}\n"
	holmGate = "        gate: {require: {n: 1}, multiplicity: holm}\n    limits: [{section: \"2\", per: provider, over: period, most: 400000}]\n"
)

// quick is a simulation that draws only.
func quick(draws int) jobeffekt.Simulation {
	o := jobeffekt.DefaultSimulation()
	o.Draws, o.Volumes, o.Replay, o.Sensitivity = draws, nil, false, false
	return o
}

func simulate(t *testing.T, c *jobeffekt.Config, o jobeffekt.Simulation, terms ...*bonus.Terms) (*jobeffekt.Simulated, error) {
	t.Helper()
	ds, err := ingest.OpenFolder(c.DataFolder(), c.IngestOptions())
	require.NoError(t, err)
	return jobeffekt.Simulate(context.Background(), ds, c, terms, o)
}

// row finds a provider's row over all years.
func row(t *testing.T, s *jobeffekt.Simulated, terms, provider string, truth jobeffekt.Truth, volume float64) jobeffekt.SimulationRow {
	t.Helper()
	for _, r := range s.Rows {
		if r.Terms == terms && r.Provider == provider && r.Truth == truth && r.Volume == volume && r.Year == "" {
			return r
		}
	}
	require.FailNow(t, "no such row", "%s %s %s", terms, provider, truth)
	return jobeffekt.SimulationRow{}
}

// The draws give what a second computation gives (testdata/reference/simulate.py:
// the same figures, numpy's own draws), and what the formula of WithoutEffect
// gives, to four standard errors of 300 draws. Holm and a limit pay less, never more.
func TestSimulateAgainstNumpy(t *testing.T) {
	t.Parallel()
	var want struct {
		Figures []struct {
			Provider, Group, Package string
			Difference, SE, DF       float64
			N                        int64
		}
		Rows []struct {
			Truth                                jobeffekt.Truth
			Gate, Provider                       string
			Limit, Mean, SD, Chance, P95, Missed float64
		}
	}
	b, err := os.ReadFile("testdata/reference/simulate.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	c := job(t)
	open, holm := effectTerms(t, "open.yaml", "A-751", openGate), effectTerms(t, "holm.yaml", "A-751", holmGate)
	ds, err := ingest.OpenFolder(c.DataFolder(), c.IngestOptions())
	require.NoError(t, err)
	r, err := jobeffekt.Evaluate(context.Background(), ds, c, open)
	require.NoError(t, err)
	for _, f := range want.Figures {
		k := slices.IndexFunc(r.Benchmark, func(b effect.BenchmarkRow) bool {
			return b.Outcome == "employed_26w" && b.Part == effect.Provider && b.Provider == f.Provider && b.MatchGroup == f.Group && b.Package == f.Package
		})
		require.GreaterOrEqual(t, k, 0)
		row := r.Benchmark[k]
		require.Equal(t, []float64{f.Difference, f.SE, f.DF, float64(f.N)}, []float64{row.Difference, row.SE, row.DF, float64(row.NCompared)}, "the reference is about these figures")
	}
	o := quick(300)
	o.Relevant = map[string]float64{"employed_26w": 0.15}
	o.Others = []jobeffekt.OtherTerms{{Terms: holm}}
	s, err := simulate(t, c, o, open)
	require.NoError(t, err)
	n := float64(o.Draws)
	compared := 0
	for _, w := range want.Rows {
		name := map[string]string{"open 0": "open.yaml", "holm 400000": "holm.yaml"}[fmt.Sprint(w.Gate, " ", w.Limit)]
		if name == "" {
			continue
		}
		compared++
		got := row(t, s, name, w.Provider, w.Truth, 1)
		at := fmt.Sprint(name, " ", w.Provider, " ", w.Truth)
		assert.InDelta(t, w.Mean, got.Mean, 4*w.SD/math.Sqrt(n)+1, at)
		assert.InDelta(t, w.Chance, got.ChancePaid, 4*math.Sqrt(w.Chance*(1-w.Chance)/n)+0.5/n, at)
		if w.Truth == jobeffekt.TruthRelevant {
			assert.InDelta(t, w.Missed, got.ChanceMissed, 4*math.Sqrt(w.Missed*(1-w.Missed)/n)+0.5/n, at)
		} else if w.Truth == jobeffekt.TruthNone {
			assert.True(t, math.IsNaN(got.ChanceMissed), "there is none to miss")
			assert.InDelta(t, got.Mean, got.MeanWithout+got.MeanLimits, 0.01, "all of it is paid for no effect")
			assert.InDelta(t, 0.0963121094, got.ExpectedChance, 1e-9, "1 - 0.975^4")
			if name == "open.yaml" {
				assert.InDelta(t, got.ExpectedChance, got.ChanceWithout, 4*math.Sqrt(0.0963*0.9037/n))
				assert.InDelta(t, got.ExpectedWithout, got.MeanWithout, 4*w.SD/math.Sqrt(n))
			}
		}
	}
	assert.Equal(t, 18, compared)
	for _, d := range s.Differences {
		assert.Equal(t, "open.yaml", d.Against)
		assert.Zero(t, d.ChanceMore, "Holm and a limit never pay more on the same draw")
		if d.Provider == "" && d.Year == "" {
			assert.Positive(t, d.ChanceLess)
			assert.LessOrEqual(t, d.High, 0.0)
		}
	}
	assert.Equal(t, bonus.StandingRetrospective, s.Standing)
	assert.Contains(t, s.Summary(), "retrospective terms: nothing here is booked.")
}

// The same seed gives the same bytes for any number of workers, and another seed
// others. The draws add up to the rows.
func TestSimulateIsReproducible(t *testing.T) {
	t.Parallel()
	c := job(t)
	terms, err := c.LoadTerms()
	require.NoError(t, err)
	written := func(workers int, seed uint64) (string, *jobeffekt.Simulated) {
		o := quick(30)
		o.Workers, o.Seed, o.KeepDraws, o.Volumes = workers, seed, true, []float64{0.5}
		s, err := simulate(t, c, o, terms...)
		require.NoError(t, err)
		var b bytes.Buffer
		for _, table := range s.Tables() {
			require.NoError(t, table.WriteCSV(&b))
		}
		return b.String() + s.Summary(), s
	}
	one, s := written(1, 7)
	three, _ := written(3, 7)
	assert.Equal(t, one, three)
	other, _ := written(3, 8)
	assert.NotEqual(t, one, other)

	sum, draws := 0.0, map[int64]bool{}
	for _, d := range s.Draws {
		if d.Provider == "L751-2" && d.Truth == jobeffekt.TruthMeasured && d.Volume == 1 {
			sum += float64(d.Amount) / 100
			draws[d.Draw] = true
		}
	}
	assert.Len(t, draws, 30)
	assert.InEpsilon(t, row(t, s, "terms.yaml", "L751-2", jobeffekt.TruthMeasured, 1).Mean, sum/30, 1e-8)
	// With half the citizens about half the reached outcomes are paid, before limits.
	reached := func(volume float64) float64 {
		r := row(t, s, "terms.yaml", "L751-3", jobeffekt.TruthMeasured, volume)
		return r.Mean - r.MeanEffects - r.MeanLimits
	}
	assert.InEpsilon(t, reached(1)/2, reached(0.5), 0.1)
}

// Terms of another agreement and other years pay on the same draws what the same
// words pay under their own.
func TestSimulateOtherYears(t *testing.T) {
	t.Parallel()
	c := job(t)
	own := effectTerms(t, "own.yaml", "A-751", openGate)
	draft := effectTerms(t, "draft.yaml", "A-2012", openGate)
	draft.Starts, draft.Ends = draft.Starts.AddMonths(48), draft.Ends.AddMonths(48)
	draft.Versions[0].ValidFrom = draft.Starts
	o := quick(20)
	o.Others = []jobeffekt.OtherTerms{{Terms: draft, Instead: "A-751", Months: 48}}
	s, err := simulate(t, c, o, own)
	require.NoError(t, err)
	require.NotEmpty(t, s.Differences)
	for _, d := range s.Differences {
		assert.Equal(t, "A-751", d.Agreement, "the cases are those of the data")
		assert.Empty(t, d.Year)
		assert.Zero(t, d.Mean)
		assert.Zero(t, d.SD)
	}
	years := map[string]bool{}
	for _, r := range s.Totals {
		years[r.Terms+" "+r.Year] = true
	}
	assert.True(t, years["own.yaml 2010"])
	assert.True(t, years["draft.yaml 2014"])

	// Without terms in the run file the first of the others take their place.
	alone, err := simulate(t, c, o)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(row(t, s, "draft.yaml", "L751-1", jobeffekt.TruthMeasured, 1)), fmt.Sprint(row(t, alone, "draft.yaml", "L751-1", jobeffekt.TruthMeasured, 1)))
}

// What the settlement dates add is what a run settles in the end; nothing is paid
// twice. Other peers and volumes are told beside it.
func TestSimulateReplayAndSensitivity(t *testing.T) {
	t.Parallel()
	c := job(t)
	terms, err := c.LoadTerms()
	require.NoError(t, err)
	ds, err := ingest.OpenFolder(c.DataFolder(), c.IngestOptions())
	require.NoError(t, err)
	r, err := jobeffekt.Evaluate(context.Background(), ds, c, terms...)
	require.NoError(t, err)
	want := map[string]bonus.Ore{}
	for _, l := range r.Settlement.Lines {
		want[l.Provider] += l.Amount
	}
	o := quick(20)
	o.Replay, o.Sensitivity, o.Volumes = true, true, []float64{2}
	o.Budget = 1_000_000_00
	s, err := simulate(t, c, o, terms...)
	require.NoError(t, err)
	sum, last, dates := map[string]bonus.Ore{}, map[string]bonus.Ore{}, []string{}
	for _, x := range s.Replays {
		sum[x.Provider] += x.Change
		last[x.Provider] = x.Settled
		assert.Equal(t, sum[x.Provider], x.Settled)
		if !slices.Contains(dates, x.AsOf.String()) {
			dates = append(dates, x.AsOf.String())
		}
	}
	assert.Equal(t, want, last)
	assert.Equal(t, []string{"2008-06-30", "2008-12-31", "2009-06-30", "2009-12-31", "2010-06-30"}, dates)

	kinds := map[string]int{}
	for _, x := range s.Sensitivity {
		if x.Provider == "" {
			kinds[x.Variation]++
			continue
		}
		if x.Variation == jobeffekt.VaryMain {
			assert.InDelta(t, float64(want[x.Provider])/100, x.Amount, 0.001)
		}
		assert.Empty(t, x.Note)
	}
	assert.Equal(t, map[string]int{"main": 1, "peer": 8, "k": 2, "volume": 1}, kinds)
	over := 0
	for _, x := range s.Totals {
		if x.Truth == jobeffekt.TruthMeasured && x.Volume == 1 && x.Year == "2009" {
			over++
			assert.InDelta(t, 1, x.ChanceOver, 0.05, "2009 alone costs some 1.8 million")
			assert.InDelta(t, x.Mean-1e6, x.MeanOver, 20_000)
			assert.InDelta(t, 1e6, x.Budget, 0)
		}
	}
	assert.Equal(t, 1, over)
	assert.Contains(t, s.Summary(), "chance of more")
}

// Worlds like the data, in which nobody has an effect: how often somebody is paid
// all the same. With JOBEFFEKT_FULL=1 it is held against the formula, which the
// figures' own standard errors make.
func TestSimulateWorlds(t *testing.T) {
	t.Parallel()
	worlds := 2
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		worlds = 60
	}
	c := job(t)
	o := quick(20)
	o.Worlds, o.WorldSD = worlds, 0.8
	o.Relevant = map[string]float64{"employed_26w": 0.05}
	s, err := simulate(t, c, o, effectTerms(t, "effect.yaml", "A-751", openGate))
	require.NoError(t, err)
	missed := 0
	for _, provider := range []string{"L751-1", "L751-2", "L751-3"} {
		none, some := row(t, s, "effect.yaml", provider, jobeffekt.TruthNoWorld, 1), row(t, s, "effect.yaml", provider, jobeffekt.TruthWorld, 1)
		assert.Equal(t, int64(worlds), none.Draws)
		assert.InDelta(t, none.Mean, none.MeanWithout, 0.01, "in these worlds all is paid for no effect")
		assert.InDelta(t, 0.0963, none.ExpectedChance, 0.001)
		assert.Positive(t, none.ExpectedWithout)
		assert.True(t, math.IsNaN(some.ExpectedChance))
		if !math.IsNaN(some.ChanceMissed) {
			missed++
		}
		if worlds > 50 {
			assert.InDelta(t, none.ExpectedChance, none.ChanceWithout, 4*math.Sqrt(0.0963*0.9037/float64(worlds)), provider)
			assert.Greater(t, some.Mean, none.Mean)
		}
		t.Logf("%s: %d worlds without effect pay in %.3f, by formula %.3f; %.0f kr., by formula %.0f kr.", provider, worlds, none.ChanceWithout, none.ExpectedChance, none.MeanWithout, none.ExpectedWithout)
	}
	assert.Positive(t, missed)
	assert.Contains(t, strings.Join(s.Notes, "\n"), "8,000 citizens in 12 municipalities")
}

// What cannot be simulated is an error that says why.
func TestSimulateRefuses(t *testing.T) {
	t.Parallel()
	c := job(t)
	own := effectTerms(t, "own.yaml", "A-751", openGate)
	bad := quick(1)
	bad.Volumes, bad.Worlds, bad.WorldSD, bad.Budget, bad.Workers = []float64{1, 0.01, 2, 2}, -1, 3, -5, -1
	bad.Relevant = map[string]float64{"nothing": 0.1, "employed_26w": -1}
	bad.Others = []jobeffekt.OtherTerms{{Terms: own, Months: 5000}}
	_, err := simulate(t, c, bad, own)
	require.ErrorIs(t, err, jobeffekt.ErrSimulationOptions)
	for _, text := range []string{
		"1 draws", "a volume of 1 is", "a volume of 0.01", "stands twice", "-1 worlds", "a standard deviation of 3",
		"the budget -0.05 is negative", "-1 workers", `no outcome "nothing"`, "-1 is no improvement", "moving the data by 5000 months",
	} {
		assert.ErrorContains(t, err, text)
	}
	_, err = simulate(t, c, quick(100))
	require.ErrorIs(t, err, jobeffekt.ErrSimulation)
	assert.ErrorContains(t, err, "no terms to try")

	strange := effectTerms(t, "strange.yaml", "A-7751", openGate)
	o := quick(20)
	o.Others = []jobeffekt.OtherTerms{{Terms: strange}}
	_, err = simulate(t, c, o, own)
	require.ErrorIs(t, err, jobeffekt.ErrSimulation)
	assert.ErrorContains(t, err, `no case of the data has the agreement "A-7751"`)
	taken := effectTerms(t, "taken.yaml", "A-461", openGate)
	o.Others = []jobeffekt.OtherTerms{{Terms: taken, Instead: "A-751"}}
	_, err = simulate(t, c, o, own)
	require.ErrorIs(t, err, jobeffekt.ErrSimulation)
	assert.ErrorContains(t, err, "the data have cases of agreement \"A-461\" too")
	late := effectTerms(t, "late.yaml", "A-751", openGate)
	late.Starts, late.Ends = late.Starts.AddMonths(60), late.Ends.AddMonths(60)
	o.Others = []jobeffekt.OtherTerms{{Terms: late}}
	_, err = simulate(t, c, o, own)
	require.ErrorIs(t, err, jobeffekt.ErrSimulation)
	assert.ErrorContains(t, err, "late.yaml: the agreement runs from 2013-01-01 to 2016-12-30")
	assert.ErrorContains(t, err, "move the days of the data")

	blind := *c
	blind.Blinded = true
	_, err = simulate(t, &blind, quick(100), own)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	ds, err := ingest.OpenFolder(c.DataFolder(), c.IngestOptions())
	require.NoError(t, err)
	_, err = jobeffekt.Simulate(ended, ds, c, []*bonus.Terms{own}, quick(100))
	require.ErrorIs(t, err, context.Canceled)
}

// Where less is better, a relevant improvement is a lower outcome.
func TestSimulateLessIsBetter(t *testing.T) {
	t.Parallel()
	c := job(t)
	o := quick(20)
	o.Relevant = map[string]float64{"employed_26w": 0.15}
	s, err := simulate(t, c, o, effectTerms(t, "less.yaml", "A-751", strings.Replace(openGate, "gate:", "pay_on: point\n        gate:", 1), "method: strata", "method: strata, better: low"))
	require.NoError(t, err)
	for _, provider := range []string{"L751-1", "L751-2", "L751-3"} {
		r := row(t, s, "less.yaml", provider, jobeffekt.TruthRelevant, 1)
		assert.Zero(t, r.ChanceMissed, "0.15 is three standard errors or more, in four cells")
		assert.Zero(t, r.ChanceWithout)
		assert.Greater(t, r.Mean, 500_000.0)
	}
	// The third provider harms, so that there is less of the outcome.
	assert.Greater(t, row(t, s, "less.yaml", "L751-3", jobeffekt.TruthMeasured, 1).Mean, row(t, s, "less.yaml", "L751-2", jobeffekt.TruthMeasured, 1).Mean)
}
