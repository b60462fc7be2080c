package jobeffekt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// The whole of a folder, by name.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != jobeffekt.LockName && !e.IsDir() {
			out[e.Name()] = string(read(t, filepath.Join(folder, e.Name())))
		}
	}
	return out
}

// When each file of a folder was written.
func written(t *testing.T, folder string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for name := range contents(t, folder) {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		out[name] = info.ModTime().UnixNano()
	}
	return out
}

// sameFolder says by name which files differ.
func sameFolder(t *testing.T, want, got map[string]string) {
	t.Helper()
	assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	for name := range want {
		assert.True(t, want[name] == got[name], "%s differs", name)
	}
}

// nightly is a small world with a run file that asks for everything, but for what
// cannot stand beside something else.
func nightly(t *testing.T) *jobeffekt.Config {
	t.Helper()
	folder := t.TempDir()
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality = 150, 10, 1
	require.NoError(t, jobeffekt.Synth(context.Background(), filepath.Join(folder, "data"), o, ""))
	run := `data: data
out: results
as_of: 2010-06-30
formats: [csv]
input:
  fixed: [sex, birth_date, education, origin]
cohort: {period: 2008}
outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment, self_employment], at: 26 weeks}
  - {name: employed_13w, kind: state_at, states: [ordinary_employment, self_employment], at: 13 weeks}
  - {name: sustained_13w, kind: sustained, states: [ordinary_employment], weeks: 13, max_gap: 7, within: 52 weeks}
peers: {conditions: [unemployment_pct, low_education_pct], year: 2007, k: 5}
compare:
  methods: [strata]
  covariates: [sex, age]
  classes: [{covariate: age, cuts: [40]}]
  min_n: 5
views: {of: [total, channel]}
spending: {outcome: employed_26w, in_house_bid: provider}
ranking:
  - {name: on_benefit, observed: on_benefit_pct, conditions: [unemployment_pct], year: 2008, better: low}
before_after: {outcomes: [employed_26w], since: {"751": 2008-07-01}, periods: quarters, min_before: 1, min_cases: 5}
sensitivity: {}
terms: [terms.yaml]
`
	terms := string(read(t, filepath.Join(demo, "terms.yaml")))
	at := strings.Index(terms, "      - id: effect")
	require.Positive(t, at, "the demonstration reads differently")
	terms = terms[:at] + strings.NewReplacer(
		"method: balance", "method: strata", "        conditions: {job_oriented: true}\n", "", "package: P1, ", "",
		"            - {match_group: 4, package: P2, amount: 40000}\n", "", "            - {match_group: 5, package: P2, amount: 60000}\n", "",
	).Replace(terms[at:])
	for name, text := range map[string]string{"jobeffekt.yaml": run, "terms.yaml": terms} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	c, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
	require.NoError(t, err)
	return c
}

func TestSecondNight(t *testing.T) {
	t.Parallel()
	c := nightly(t)
	var did []jobeffekt.Progress
	var parts []string
	c.Progress = func(p jobeffekt.Progress) {
		if p.Within {
			parts = append(parts, p.Did)
			return
		}
		did = append(did, p)
	}
	c.Keep = true
	first, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Empty(t, first.Kept)
	before, times := contents(t, c.ResultsFolder()), written(t, c.ResultsFolder())

	second, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	all := []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle}
	assert.Equal(t, all, second.Kept)
	sameFolder(t, before, contents(t, c.ResultsFolder()))
	assert.Equal(t, times, written(t, c.ResultsFolder()), "nothing is written again")
	assert.Equal(t, first.Summary(), second.Summary())
	assert.Equal(t, first.Standing(), second.Standing())
	assert.Equal(t, fmt.Sprint(first.Settlement.Lines), fmt.Sprint(second.Settlement.Lines), "by which a gate stops a command")
	assert.Nil(t, second.Observations)

	require.Len(t, did, 10)
	for k, what := range []string{jobeffekt.DidInputs, "measure", "estimate", "benchmark", "settle"} {
		assert.Equal(t, what, did[k].Did)
		assert.False(t, did[k].Kept)
		assert.Equal(t, jobeffekt.Progress{Did: what, Kept: k > 0}, did[5+k])
	}
	assert.Equal(t, len(first.Estimates), did[2].Cells)
	assert.Positive(t, did[1].Rows)
	figures := jobeffekt.DidFigures
	assert.Equal(t, []string{jobeffekt.DidRead, jobeffekt.DidObserve, figures, figures, figures, figures}, parts, "of the first night alone")

	// Not asked to keep, it does everything, with the same bytes.
	c.Keep = false
	again, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Empty(t, again.Kept)
	sameFolder(t, before, contents(t, c.ResultsFolder()))
}

// asked is how a key of the run file is changed, and the step that is done again first.
type asked struct {
	first  jobeffekt.Step
	before func(*jobeffekt.Config) // what the first night has too
	change func(*jobeffekt.Config)
}

// changes are one for every key of the run file.
func changes(t *testing.T) map[string]asked {
	const m, e, b, s = jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle
	type conf = jobeffekt.Config
	day := func(text string) *effect.Date {
		d, err := effect.ParseDate(text)
		require.NoError(t, err)
		return &d
	}
	shares := func(c *conf) {
		c.Peers = &jobeffekt.Peers{By: peer.ExpectedShare, Conditions: []string{"unemployment_pct"}, Share: "on_benefit_pct", Year: 2007, K: 5}
	}
	pseudonyms := func(file string) func(*conf) {
		return func(c *conf) {
			path := filepath.Join(filepath.Dir(c.Path), file)
			if _, err := os.Stat(path); err != nil {
				require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("0a", 31)+"ff\n"), 0o600))
			}
			c.Input.Pseudonyms = &jobeffekt.Pseudonyms{KeyFile: file}
		}
	}
	history := func(c *conf) { c.History = &jobeffekt.History{Weeks: []int{26}} }
	also := func(name jobeffekt.MethodName) func(*conf) {
		return func(c *conf) { c.Compare.Methods = append(c.Compare.Methods, name) }
	}
	no := false
	few := 0.05
	alone := func(c *conf) { c.Terms = nil }
	return map[string]asked{
		"data": {"", nil, func(c *conf) {
			to := filepath.Join(t.TempDir(), "elsewhere")
			require.NoError(t, os.CopyFS(to, os.DirFS(c.DataFolder())))
			c.Data = to
		}},
		"out":     {m, nil, func(c *conf) { c.Out = "others" }},
		"as_of":   {m, nil, func(c *conf) { c.AsOf -= 100 }},
		"formats": {m, nil, func(c *conf) { c.Formats = nil }},

		"input.columns": {m, nil, func(c *conf) { c.Input.Columns = map[string]map[string]string{"persons": {"education": "origin"}} }},
		"input.constants": {m, nil, func(c *conf) {
			c.Input.Constants = map[string]map[string]string{"participations": {"channel": "provider"}}
		}},
		"input.states":           {m, nil, func(c *conf) { c.Input.States = map[string]effect.State{"education": effect.CashBenefit} }},
		"input.fixed":            {m, nil, func(c *conf) { c.Input.Fixed = []string{"birth_date"} }},
		"input.max_reject_share": {m, nil, func(c *conf) { c.Input.MaxRejectShare = &few }},
		"input.checksums": {"", nil, func(c *conf) {
			to := filepath.Join(t.TempDir(), "SHA256SUMS")
			writeSums(t, c, to)
			c.Input.Checksums = to
		}},
		"input.pseudonyms.key_file": {"", pseudonyms("a"), func(c *conf) {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(c.Path), "a"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.Path), "b"), text, 0o600))
			c.Input.Pseudonyms = &jobeffekt.Pseudonyms{KeyFile: "b"} // the same key in another place
		}},
		"input.pseudonyms.key_env": {m, pseudonyms("a"), func(c *conf) { // another key in the same place
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.Path), "a"), []byte(strings.Repeat("1f", 31)+"00\n"), 0o600))
		}},
		"input.pseudonyms.columns": {m, pseudonyms("a"), func(c *conf) { c.Input.Pseudonyms.Columns = []string{"person_id", "participation_id"} }},
		"input.registers_reach":    {m, nil, func(c *conf) { c.Input.RegistersReach = day("2009-06-30") }},

		"cohort.municipalities": {m, nil, func(c *conf) {
			c.Cohort.Municipalities = []string{"751", "461", "851", "730", "561", "630", "621", "615", "791"}
			c.Peers, c.BeforeAfter = nil, nil
		}},
		"cohort.period": {m, nil, func(c *conf) { c.Cohort.Period.End -= 90 }},
		"cohort.from": {m, nil, func(c *conf) {
			c.Cohort.Period, c.Cohort.From, c.Cohort.To = effect.Period{}, day("2008-02-01"), day("2009-01-01")
		}},
		"cohort.to": {m, nil, func(c *conf) {
			c.Cohort.Period, c.Cohort.From, c.Cohort.To = effect.Period{}, day("2008-01-01"), day("2008-11-01")
		}},
		"cohort.take": {m, alone, func(c *conf) { c.Cohort.Take = effect.TakeLast }},
		"outcomes":    {m, nil, func(c *conf) { c.Outcomes[1].Better = "low" }},
		"crosswalk": {m, alone, func(c *conf) {
			c.Crosswalk = []jobeffekt.Crosswalk{{From: "match5_2004", To: "other", Groups: map[string]string{"1": "a", "2": "a", "3": "b", "4": "b", "5": "b"}}}
		}},
		"history.weeks":       {m, history, func(c *conf) { c.History.Weeks = []int{13} }},
		"history.elapsed_max": {m, history, func(c *conf) { c.History.ElapsedMax, c.History.ElapsedGap = 100, 28 }},
		"history.elapsed_gap": {m, func(c *conf) { history(c); c.History.ElapsedMax, c.History.ElapsedGap = 100, 28 }, func(c *conf) { c.History.ElapsedGap = 7 }},
		"history.placebo":     {m, func(c *conf) { history(c); alone(c) }, func(c *conf) { c.History.Placebo = new(int) }},
		"signals":             {m, nil, func(c *conf) { c.Signals = &no }},
		"areas":               {m, nil, func(c *conf) { c.Areas, c.Spending = jobeffekt.Areas{"both": {"851", "461"}}, nil }},

		"peers.by":         {m, nil, func(c *conf) { c.Peers.By = peer.Mahalanobis }},
		"peers.conditions": {m, nil, func(c *conf) { c.Peers.Conditions = []string{"non_western_pct"} }},
		"peers.year":       {m, nil, func(c *conf) { c.Peers.Year = 2008 }},
		"peers.k":          {m, nil, func(c *conf) { c.Peers.K = 6 }},
		"peers.clusters": {m, nil, func(c *conf) {
			c.Peers = &jobeffekt.Peers{By: peer.Ward, Conditions: []string{"low_education_pct"}, Year: 2007, Clusters: 2}
		}},
		"peers.share":    {m, shares, func(c *conf) { c.Peers.Share = "low_education_pct" }},
		"peers.expected": {m, shares, func(c *conf) { c.Peers.Expected, c.Peers.Share, c.Peers.Conditions = "on_benefit_pct", "", nil }},
		"peers.min_size": {m, nil, func(c *conf) { c.Peers.K, c.Peers.MinSize = 4, 60000 }},
		"peers.exclude":  {m, nil, func(c *conf) { c.Peers.Exclude = []string{"751"} }},
		"peers.list": {m, nil, func(c *conf) {
			c.Peers = &jobeffekt.Peers{List: map[string][]string{"751": {"730", "461", "851", "621"}}}
		}},
		"peers.recorded": {m, nil, func(c *conf) {
			chosen, err := jobeffekt.ChoosePeers(context.Background(), c)
			require.NoError(t, err)
			_, _, err = jobeffekt.RecordPeers(c, chosen, "N. N.", "head", *day("2007-12-01"))
			require.NoError(t, err)
			c.Peers.Recorded = jobeffekt.ChoicesName
		}},

		"compare.methods":             {e, nil, func(c *conf) { c.Compare.Methods = append(c.Compare.Methods, jobeffekt.Regression) }},
		"compare.covariates":          {m, nil, func(c *conf) { c.Compare.Covariates = []string{"age", "education"} }},
		"compare.balance.ladder":      {m, also(jobeffekt.Balance), func(c *conf) { c.Compare.Balance.Ladder = [][]jobeffekt.Class{{{Covariate: "education"}}} }},
		"compare.balance.also":        {e, also(jobeffekt.Balance), func(c *conf) { c.Compare.Balance.Also = []effect.Term{effect.Squares} }},
		"compare.classes":             {m, nil, func(c *conf) { c.Compare.Classes[0].Cuts = []float64{30} }},
		"compare.also":                {m, nil, func(c *conf) { c.Compare.Also = []effect.Comparators{effect.OwnProjects} }},
		"compare.by_package":          {e, nil, func(c *conf) { c.Compare.ByPackage = true }},
		"compare.min_n":               {e, nil, func(c *conf) { c.Compare.MinN = 4 }},
		"compare.confidence":          {e, alone, func(c *conf) { c.Compare.Confidence = 0.9 }},
		"compare.firth":               {e, also(jobeffekt.Regression), func(c *conf) { c.Compare.Firth = true }},
		"compare.matching.neighbours": {e, also(jobeffekt.Matching), func(c *conf) { c.Compare.Matching = &jobeffekt.Neighbours{Neighbours: 2} }},
		"compare.matching.caliper":    {e, also(jobeffekt.Matching), func(c *conf) { c.Compare.Matching = &jobeffekt.Neighbours{Caliper: 0.5} }},
		"compare.matching.exact": {m, also(jobeffekt.Matching), func(c *conf) {
			c.Compare.Matching = &jobeffekt.Neighbours{Exact: []jobeffekt.Class{{Covariate: "sex"}}}
		}},
		"compare.intercepts":    {e, also(jobeffekt.Hierarchical), func(c *conf) { c.Compare.Intercepts = hierarchical.ByProvider }},
		"compare.max_uncovered": {e, nil, func(c *conf) { c.Compare.MaxUncovered = &few }},

		"views.of":              {b, nil, func(c *conf) { c.Views.Of = []effect.View{effect.ViewTotal} }},
		"views.every":           {b, nil, func(c *conf) { c.Views.Every = effect.EveryHalfYear }},
		"spending.outcome":      {m, nil, func(c *conf) { c.Spending.Outcome = "employed_13w" }},
		"spending.in_house_bid": {m, nil, func(c *conf) { c.Spending.InHouseBid = "own" }},
		"sensitivity.peers":     {b, nil, func(c *conf) { c.Sensitivity.Peers = &no }},
		"sensitivity.dropouts":  {b, nil, func(c *conf) { c.Sensitivity.Dropouts = &no }},
		"sensitivity.windows":   {b, nil, func(c *conf) { c.Sensitivity.Windows = map[string][]string{"employed_26w": {"employed_13w"}} }},
		"watch.outcome":         {b, nil, func(c *conf) { c.Watch = &jobeffekt.Watch{Outcome: "employed_13w"} }},
		"watch.covariates":      {m, nil, func(c *conf) { c.Watch = &jobeffekt.Watch{Covariates: []string{"sex"}} }},
		"watch.sustained":       {b, nil, func(c *conf) { c.Watch = &jobeffekt.Watch{Sustained: "sustained_13w"} }},
		"ranking":               {m, nil, func(c *conf) { c.Rankings[0].Name = "benefits" }},
		"terms": {s, nil, func(c *conf) {
			other := strings.ReplaceAll(string(read(t, filepath.Join(filepath.Dir(c.Path), "terms.yaml"))), "4000}", "5000}")
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.Path), "other.yaml"), []byte(other), 0o600))
			c.Terms = []string{"other.yaml"}
		}},
		"blinded":              {m, nil, func(c *conf) { c.Blinded, c.Out = true, "blinded" }},
		"disclosure.min_count": {"", nil, func(c *conf) { c.Disclosure = &jobeffekt.Disclosure{MinCount: 10} }},
		"disclosure.record":    {"", nil, func(c *conf) { c.Disclosure = &jobeffekt.Disclosure{Record: "published.parquet"} }},

		"accepted": {s, nil, func(c *conf) {
			blinded := *c
			blinded.Blinded, blinded.Out, blinded.Keep = true, "blinded", false
			_, err := jobeffekt.Run(context.Background(), &blinded)
			require.NoError(t, err)
			c.Accepted = "blinded"
		}},

		"before_after.outcomes":           {b, nil, func(c *conf) { c.BeforeAfter.Outcomes = []string{"employed_13w"} }},
		"before_after.since":              {b, nil, func(c *conf) { c.BeforeAfter.Since = map[string]effect.Date{"751": *day("2008-10-01")} }},
		"before_after.methods":            {b, nil, func(c *conf) { c.BeforeAfter.Methods = []jobeffekt.BeforeAfterMethod{jobeffekt.MethodSynthetic} }},
		"before_after.periods":            {b, nil, func(c *conf) { c.BeforeAfter.Periods = jobeffekt.PeriodMonths }},
		"before_after.from":               {b, nil, func(c *conf) { c.BeforeAfter.From = day("2008-04-01") }},
		"before_after.match_scheme":       {b, nil, func(c *conf) { c.BeforeAfter.MatchScheme = "match5_2004" }},
		"before_after.match_groups":       {b, nil, func(c *conf) { c.BeforeAfter.MatchGroups = []string{"4"} }},
		"before_after.controls":           {b, nil, func(c *conf) { c.BeforeAfter.Controls = beforeafter.NotYetTreated }},
		"before_after.base":               {b, nil, func(c *conf) { c.BeforeAfter.Base = beforeafter.Universal }},
		"before_after.anticipation":       {b, nil, func(c *conf) { c.BeforeAfter.Anticipation = 1 }},
		"before_after.conditions":         {m, nil, func(c *conf) { c.BeforeAfter.Conditions, c.BeforeAfter.Year = []string{"unemployment_pct"}, 2007 }},
		"before_after.year":               {m, func(c *conf) { c.BeforeAfter.Conditions, c.BeforeAfter.Year = []string{"unemployment_pct"}, 2007 }, func(c *conf) { c.BeforeAfter.Conditions, c.BeforeAfter.Year = nil, 0 }},
		"before_after.among":              {b, nil, func(c *conf) { c.BeforeAfter.Among = []string{"730", "461", "851"} }},
		"before_after.exclude":            {b, nil, func(c *conf) { c.BeforeAfter.Exclude = []string{"730"} }},
		"before_after.min_cases":          {b, nil, func(c *conf) { c.BeforeAfter.MinCases = 6 }},
		"before_after.min_before":         {b, nil, func(c *conf) { c.BeforeAfter.MinBefore = 2 }},
		"before_after.min_municipalities": {b, nil, func(c *conf) { c.BeforeAfter.MinUnits = 2 }},
		"before_after.registers_from":     {b, nil, func(c *conf) { c.BeforeAfter.RegistersFrom = day("2006-01-01") }},
	}
}

// leaves are the keys of a struct that people write, down to lists, dictionaries and
// single values.
func leaves(of reflect.Type, under string) (out []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		var more []string
		if inner.Kind() == reflect.Struct {
			more = leaves(inner, under+key+".")
		}
		if out = append(out, more...); len(more) == 0 {
			out = append(out, under+key)
		}
	}
	return out
}

// Whatever key of the run file is changed, the first step done is the first that reads
// it, and the folder is that of a run from the beginning. That steps see no key that only
// later ones read leaves what they make as it is: Evaluate shows them all.
func TestEveryKeyIsReadByItsStep(t *testing.T) {
	t.Parallel()
	table := changes(t)
	assert.Equal(t, slices.Sorted(slices.Values(leaves(reflect.TypeFor[jobeffekt.Config](), ""))), slices.Sorted(maps.Keys(table)), "a key of the run file needs a line in changes, and in firstReads if not all steps read it")
	base := nightly(t)
	base.Keep = true
	_, err := jobeffekt.Run(context.Background(), base)
	require.NoError(t, err)
	all := []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			x := table[key]
			c := nightly(t)
			c.Keep = true
			if x.before != nil {
				x.before(c)
				_, err := jobeffekt.Run(context.Background(), c)
				require.NoError(t, err)
			} else {
				require.NoError(t, os.CopyFS(c.ResultsFolder(), os.DirFS(base.ResultsFolder())))
			}
			x.change(c)
			got, err := jobeffekt.Run(context.Background(), c)
			require.NoError(t, err)
			kept := all
			if len(c.Terms) == 0 {
				kept = all[:3]
			}
			if x.first != "" {
				kept = all[:slices.Index(all, x.first)]
			}
			assert.Equal(t, kept, append([]jobeffekt.Step{}, got.Kept...))

			fresh := *c
			fresh.Keep, fresh.Out = false, "fresh"
			want, err := jobeffekt.Run(context.Background(), &fresh)
			require.NoError(t, err)
			sameFolder(t, contents(t, fresh.ResultsFolder()), contents(t, c.ResultsFolder()))
			assert.Equal(t, want.Summary(), got.Summary())

			terms, err := c.LoadTerms()
			require.NoError(t, err)
			data, err := c.OpenData(context.Background())
			require.NoError(t, err)
			memory, err := jobeffekt.Evaluate(context.Background(), data, c, terms...)
			require.NoError(t, err)
			figures := func(r *jobeffekt.Result) []string {
				out := []string{r.Summary()}
				for _, rows := range []any{
					r.Counts, r.Providers, r.Strata, r.Peers, r.Estimates, r.Benchmark, r.Diagnostics, r.Comparison, r.Spending, r.Profile, r.League, r.Sensitivity,
					r.Creaming, r.Deciles, r.Parking, r.Indicators, r.Rankings, r.Gates,
				} {
					out = append(out, fmt.Sprint(rows))
				}
				lines := []bonus.Line{}
				if r.Settlement != nil {
					lines = r.Settlement.Lines
				}
				return append(out, fmt.Sprint(lines))
			}
			assert.Equal(t, figures(memory), figures(want))
		})
	}
}

// What is not as it was written, or not there, is done again with what comes after it.
func TestKeepsOnlyWhatIsAsItWasWritten(t *testing.T) {
	t.Parallel()
	const m, e, b = jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark
	c := nightly(t)
	c.Keep = true
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	out := c.ResultsFolder()
	want := contents(t, out)
	all := []jobeffekt.Step{m, e, b, jobeffekt.StepSettle}
	for name, x := range map[string]struct {
		spoil func(path string)
		kept  []jobeffekt.Step
	}{
		"cases.parquet":      {func(path string) { require.NoError(t, os.Remove(path)) }, nil},
		"outcomes.csv":       {func(path string) { require.NoError(t, os.WriteFile(path, []byte("outcome\n"), 0o600)) }, nil},
		"estimates.parquet":  {func(path string) { require.NoError(t, os.Truncate(path, 100)) }, all[:1]},
		"diagnostics.csv":    {func(path string) { require.NoError(t, os.Remove(path)) }, all[:2]},
		"settlement.parquet": {func(path string) { require.NoError(t, os.Remove(path)) }, all[:3]},
		"summary.txt":        {func(path string) { require.NoError(t, os.WriteFile(path, []byte("all is well\n"), 0o600)) }, all[:3]},
		"manifest.json":      {func(path string) { require.NoError(t, os.Remove(path)) }, nil},
		"signals.parquet.x": {func(path string) {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			require.NoError(t, os.Remove(path))
		}, all},
	} {
		t.Run(name, func(t *testing.T) {
			x.spoil(filepath.Join(out, name))
			r, err := jobeffekt.Run(context.Background(), c)
			require.NoError(t, err)
			assert.Equal(t, append([]jobeffekt.Step{}, x.kept...), append([]jobeffekt.Step{}, r.Kept...))
			sameFolder(t, want, contents(t, out))
		})
	}

	edits := map[string]func(m *jobeffekt.Manifest){
		"standing": func(m *jobeffekt.Manifest) { m.Standing = "final" },
		"words":    func(m *jobeffekt.Manifest) { m.Keys[0].Words = []string{"All is well."} },
		"a result that is not named": func(m *jobeffekt.Manifest) {
			m.Results = slices.DeleteFunc(m.Results, func(s jobeffekt.Source) bool { return s.Path == "outcomes.csv" })
		},
		"a result that is no table": func(m *jobeffekt.Manifest) {
			m.Results = append(m.Results, jobeffekt.Source{Path: "zebra.parquet"})
		},
	}
	for name, edit := range edits {
		t.Run("edited manifest: "+name, func(t *testing.T) {
			m, err := jobeffekt.ReadManifest(out)
			require.NoError(t, err)
			edit(m)
			b, err := json.MarshalIndent(m, "", "  ")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(out, jobeffekt.ManifestName), b, 0o600))
			r, err := jobeffekt.Run(context.Background(), c)
			require.NoError(t, err)
			assert.Empty(t, r.Kept)
			sameFolder(t, want, contents(t, out))
		})
	}
	t.Run("a table of another run is no result", func(t *testing.T) {
		require.NoError(t, os.WriteFile(filepath.Join(out, "sensitivity.csv"), []byte(want["sensitivity.csv"]), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(out, "crosswalk.csv"), []byte("left over"), 0o600))
		r, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		assert.Equal(t, all, r.Kept)
		sameFolder(t, want, contents(t, out))
	})
	t.Run("a step done alone has no key", func(t *testing.T) {
		_, err := jobeffekt.RunStep(context.Background(), c, e)
		require.NoError(t, err)
		r, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		assert.Equal(t, all[:1], r.Kept)
		sameFolder(t, want, contents(t, out))
	})
	t.Run("changed data", func(t *testing.T) {
		changed := *c
		changed.Data = filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.CopyFS(changed.Data, os.DirFS(c.DataFolder())))
		require.NoError(t, os.Remove(filepath.Join(changed.Data, "spend.parquet")))
		changed.Spending = nil
		r, err := jobeffekt.Run(context.Background(), &changed)
		require.NoError(t, err)
		assert.Empty(t, r.Kept)
	})
	t.Run("terms taken away", func(t *testing.T) {
		c := nightly(t)
		c.Keep = true
		_, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		c.Terms = nil
		r, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		assert.Equal(t, all[:3], r.Kept)
		fresh := *c
		fresh.Keep, fresh.Out = false, "fresh"
		_, err = jobeffekt.Run(context.Background(), &fresh)
		require.NoError(t, err)
		sameFolder(t, contents(t, fresh.ResultsFolder()), contents(t, c.ResultsFolder()))
		again, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		assert.Equal(t, all[:3], again.Kept)
		assert.Nil(t, again.Settlement)
	})
	t.Run("blinded", func(t *testing.T) {
		blinded := *c
		blinded.Blinded, blinded.Out = true, "blinded"
		first, err := jobeffekt.Run(context.Background(), &blinded)
		require.NoError(t, err)
		want := contents(t, blinded.ResultsFolder())
		again, err := jobeffekt.Run(context.Background(), &blinded)
		require.NoError(t, err)
		assert.Equal(t, all, again.Kept)
		assert.Equal(t, first.Summary(), again.Summary())
		assert.True(t, again.Blinded)
		require.NoError(t, os.Remove(filepath.Join(blinded.ResultsFolder(), "diagnostics.parquet")))
		redone, err := jobeffekt.Run(context.Background(), &blinded)
		require.NoError(t, err)
		assert.Empty(t, redone.Kept, "its tables have nothing to go on from")
		sameFolder(t, want, contents(t, blinded.ResultsFolder()))
	})
}
