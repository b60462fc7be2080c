package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
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
