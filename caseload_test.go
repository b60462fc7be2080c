package jobeffekt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// withCaseload copies a dataset and adds the table caseload: every spell of a
// benefit that counts for it, in the municipality and group of the person's
// first participation in the table.
func withCaseload(t *testing.T, data string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(data)))
	read := func(name string) *ingest.Table {
		path := filepath.Join(data, name+".parquet")
		if parts, _ := filepath.Glob(filepath.Join(data, name, "*.parquet")); len(parts) > 0 {
			require.Len(t, parts, 1)
			path = parts[0]
		}
		table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
		require.NoError(t, err)
		return table
	}
	participations, spells := read("participations"), read("spells")
	at := map[int64]int{}
	for i, p := range participations.Column("person_id").Ints {
		if _, ok := at[p]; !ok {
			at[p] = i
		}
	}
	text := func(c *ingest.Column, i int) string {
		if c.Factor != nil {
			return c.Factor.At(i)
		}
		return c.Texts[i]
	}
	var persons []int64
	var municipality, scheme, group []string
	var start, end []effect.Date
	for i, p := range spells.Column("person_id").Ints {
		state, err := effect.ParseState(text(spells.Column("state"), i))
		k, ok := at[p]
		if err != nil || !ok || !effect.Benefits.Has(state) {
			continue
		}
		persons = append(persons, p)
		municipality = append(municipality, text(participations.Column("municipality"), k))
		scheme = append(scheme, text(participations.Column("match_scheme"), k))
		group = append(group, text(participations.Column("match_group"), k))
		start, end = append(start, spells.Column("start_date").Dates[i]), append(end, spells.Column("end_date").Dates[i])
	}
	require.Greater(t, len(persons), 1000)
	f, err := os.Create(filepath.Join(folder, "caseload.parquet"))
	require.NoError(t, err)
	require.NoError(t, (&ingest.Table{Name: "caseload", Columns: []ingest.Column{
		{Name: "person_id", Ints: persons},
		{Name: "municipality", Texts: municipality},
		{Name: "match_scheme", Texts: scheme},
		{Name: "match_group", Texts: group},
		{Name: "start_date", Dates: start},
		{Name: "end_date", Dates: end},
	}}).WriteParquet(f))
	require.NoError(t, f.Close())
	return folder
}

// The comparison with people on benefit without an offer, from files: the same
// bytes step by step, other comparisons untouched, and made again by verify.
func TestWithoutOffer(t *testing.T) {
	t.Parallel()
	change := []string{
		"    - {covariate: education}", "    - {covariate: referral_month}\n    - {covariate: elapsed_benefit_weeks, cuts: [52]}",
		"    - {covariate: age, cuts: [30, 50]}", "", "formats: [csv]", "",
		"by_package: true", "by_package: true\n  max_uncovered: 0.5",
	}
	plain := job(t, change...)
	without, err := jobeffekt.Run(context.Background(), plain)
	require.NoError(t, err)

	c := job(t, append(change, "also: [own_projects]", "also: [own_projects, without_offer]")...)
	_, err = jobeffekt.Run(context.Background(), c)
	require.ErrorIs(t, err, ingest.ErrNoTable, "there is no caseload")

	c.Data = withCaseload(t, plain.Data)
	with, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	compared := 0
	var others []effect.Estimate
	for _, e := range with.Estimates {
		if e.Comparators != effect.WithoutOffer {
			others = append(others, e)
		} else if e.Refusal == "" {
			compared++
		}
	}
	assert.Greater(t, compared, 5)
	same(t, without.Estimates, others)
	want := results(t, c)
	assert.Contains(t, want, "controls.parquet")
	assert.Contains(t, want, "control_outcomes.parquet")

	for _, s := range []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle} {
		_, err := jobeffekt.RunStep(context.Background(), c, s)
		require.NoError(t, err)
	}
	assert.Equal(t, want, results(t, c))

	// A run that does not ask for them takes their tables away.
	later := *c
	later.Compare.Also = nil
	_, err = jobeffekt.Run(context.Background(), &later)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(c.ResultsFolder(), "controls.parquet"))
}

// same compares estimates by text, as missing numbers are not equal to
// themselves.
func same(t *testing.T, want, got []effect.Estimate) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, fmt.Sprint(want[i]), fmt.Sprint(got[i]))
	}
}
