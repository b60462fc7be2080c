package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// edge is a job of the demonstration that only describes, with further changes.
func edge(t *testing.T, change ...string) *jobeffekt.Config {
	t.Helper()
	return job(t, append([]string{"terms: [terms.yaml]", "", "formats: [csv]", ""}, change...)...)
}

// timed is an outcome of time beside the others.
const timed = "  - {name: to_work, kind: time_to, states: [ordinary_employment], within: 26 weeks}\npeers:"

// A cell whose cases all lie outside the cohort has no curve, and stops nothing.
func TestCellsWithoutTimes(t *testing.T) {
	c := edge(t, "period: 2008 ", "from: 2008-01-01\n  to: 2008-01-05 ", "peers:", timed)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	cells := map[effect.Cell]bool{}
	for _, row := range r.Curves {
		cells[row.Cell] = true
	}
	all := 0
	for range r.Observations.Cases.InCells(true) {
		all++
	}
	assert.NotEmpty(t, cells)
	assert.Less(t, len(cells), all)
}

// without copies a dataset and takes every row out of a table.
func without(t *testing.T, data, name string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(data)))
	paths, err := filepath.Glob(filepath.Join(folder, name, "*.parquet"))
	require.NoError(t, err)
	if len(paths) == 0 {
		paths = []string{filepath.Join(folder, name+".parquet")}
	}
	for _, path := range paths {
		table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
		require.NoError(t, err)
		for k := range table.Columns {
			empty(&table.Columns[k])
		}
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, table.WriteParquet(f))
		require.NoError(t, f.Close())
	}
	return folder
}

// empty takes the rows of a column away.
func empty(c *ingest.Column) {
	c.Ints, c.Floats, c.Texts, c.Dates, c.Bools = c.Ints[:0], c.Floats[:0], c.Texts[:0], c.Dates[:0], c.Bools[:0]
	if c.Factor != nil {
		c.Factor = &effect.Factor{}
	}
}

// Tables without a row are written and read back as such: with no participation
// at all, and with nobody on benefit without an offer.
func TestNoRows(t *testing.T) {
	t.Parallel()
	steps := func(c *jobeffekt.Config) *jobeffekt.Result {
		whole, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		want := results(t, c)
		for _, s := range []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark} {
			r, err := jobeffekt.RunStep(context.Background(), c, s)
			require.NoError(t, err)
			assert.Len(t, r.Observations.Results, len(c.Outcomes))
		}
		assert.Equal(t, want, results(t, c))
		return whole
	}
	number := "  - {name: mark, kind: number, column: age, at_least: 30, count: reached}\n"
	c := edge(t, "peers:", number+timed)
	c.Peers, c.Data = nil, without(t, c.Data, "participations")
	assert.Zero(t, steps(c).Observations.Cases.Len())

	c = edge(t, "period: 2008 ", "from: 2008-01-01\n  to: 2008-01-05 ", "also: [own_projects]", "also: [without_offer]")
	c.Data = without(t, withCaseload(t, c.Data), "caseload")
	assert.Zero(t, steps(c).Observations.Controls.Cases.Len())
}

// Values that contradict each other are found at their place.
func TestContradictions(t *testing.T) {
	work := "states: [ordinary_employment]"
	outcomes := []string{
		"{name: a, kind: state_at, " + work + ", at: 26 weeks}", "{name: b, kind: state_at, " + work + ", at: 52 weeks}",
		"{name: days, kind: days_in, " + work + ", within: 52 weeks}", "{name: run, kind: sustained, " + work + ", weeks: 13, within: 52 weeks}",
	}
	relapse := "{name: back, kind: relapse, " + work + ", weeks: 13, within: 52 weeks, back: [cash_benefit], after: 52 weeks}"
	file := func(compare, more string, added ...string) string {
		return "data: d\nout: o\nas_of: 2010-01-01\ncohort: {period: 2008}\noutcomes: [" + strings.Join(append(slices.Clone(outcomes), added...), ", ") + "]\ncompare: {" + compare + "}\n" + more
	}
	const plain = "covariates: [sex]"
	for _, c := range []struct{ text, want string }{
		{file(plain, "", "{name: 'placebo:a', kind: state_at, "+work+", at: 26 weeks}"), "outcomes[4].name: the placebo of an outcome \"a\" is named so"},
		{file(plain, "blinded: true\n", relapse), "outcomes[4].kind: a blinded run cannot have a relapse"},
		{file(plain, "peers: {list: {'1': ['2', '3', '4', '4', '5']}}\n"), "peers.list.1[3]: this peer stands twice"},
		{file(plain, "peers: {list: {'1': ['2', '3', '4', '4']}}\n"), "peers.list.1: 4 peers or more"},
		{file(plain, "peers: {list: {'1': ['2', '3', '4', '1']}}\n"), "peers.list.1: 4 peers or more"},
		{file(plain, "peers: {list: {'1': ['2', '3', '4', '5', '1']}}\n"), "peers.list.1[4]: a municipality is not its own peer"},
		{file(plain, "history: {weeks: [52, 0]}\n"), "history.weeks[1]: a window is 1 to 5200 weeks long"},
		{file(plain, "history: {weeks: [5201]}\n"), "history.weeks[0]: a window is 1 to 5200 weeks long"},
		{file(plain, "history: {weeks: [52, 26, 52]}\n"), "history.weeks[2]: this window stands twice"},
		{file(plain, "history: {elapsed_max: -1}\n"), "history.elapsed_max: give 0 to 5200 weeks"},
		{file(plain, "history: {elapsed_gap: -1}\n"), "history.elapsed_gap: a break is 0 days or longer"},
		{file("covariates: [sex, origin, sex]", ""), "compare.covariates[2]: this covariate stands twice"},
		{file("methods: [strata], classes: [{covariate: sex}, {covariate: sex}]", ""), "compare.classes[1]: sex stands twice"},
		{file(plain+", balance: {ladder: [[{covariate: sex}], [{covariate: sex}, {covariate: sex}]]}", ""), "compare.balance.ladder[1][1]: sex stands twice"},
		{file(plain+", methods: [regression, balance, regression]", ""), "compare.methods[2]: this method stands twice"},
		{file(plain+", firth: true", ""), "compare.firth: regression is not among the methods"},
		{file(plain+", matching: {neighbours: 2}", ""), "compare.matching: matching is not among the methods"},
		{file(plain+", intercepts: provider", ""), "compare.intercepts: hierarchical is not among the methods"},
		{file(plain+", confidence: 0.99991", ""), "compare.confidence: a confidence lies above 0 and goes up to 0.9999"},
		{file(plain, "sensitivity: {windows: {a: [b, a]}}\n"), "sensitivity.windows.a[1]: an outcome is not another window of itself"},
		{file(plain, "sensitivity: {windows: {a: [days]}}\n"), "sensitivity.windows.a[0]: days counts days and a counts share"},
		{file(plain, "watch: {sustained: a}\n"), "watch.sustained: a is not of the kind sustained"},
	} {
		_, err := jobeffekt.ParseConfig("run.yaml", []byte(c.text))
		assert.ErrorContains(t, err, c.want)
	}
	all := file("covariates: [sex], methods: [regression, matching, hierarchical, strata], classes: [{covariate: sex}], firth: true, matching: {neighbours: 2}, intercepts: provider, confidence: 0.9999",
		"sensitivity: {windows: {a: [b]}}\nwatch: {sustained: run}\nhistory: {weeks: [1, 5200]}\npeers: {list: {'1': ['2', '3', '4', '5']}}\n", relapse)
	_, err := jobeffekt.ParseConfig("run.yaml", []byte(all))
	assert.NoError(t, err)
}

// What the run file declares fixed is told apart from what is only dated, also
// in the tables.
func TestFixedCovariates(t *testing.T) {
	c := edge(t, "period: 2008 ", "from: 2008-01-01\n  to: 2008-01-05 ")
	c.Compare.Covariates = []string{"sex", "age", "weeks_employed_52"}
	fixed := func(s jobeffekt.Step) []string {
		r, err := jobeffekt.RunStep(context.Background(), c, s)
		require.NoError(t, err)
		var out []string
		for _, v := range r.Observations.Cases.Covariates {
			if v.Fixed {
				assert.True(t, v.Dated, v.Name)
				out = append(out, v.Name)
			}
		}
		return out
	}
	assert.Equal(t, []string{"sex", "age", "education"}, fixed(jobeffekt.StepMeasure), "age, as birth_date is; weeks_employed_52 is dated only")
	assert.Equal(t, []string{"sex", "age", "education"}, fixed(jobeffekt.StepEstimate))
	c.Input.Fixed = []string{"sex"}
	assert.Equal(t, []string{"sex"}, fixed(jobeffekt.StepMeasure))
}
