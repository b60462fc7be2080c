package jobeffekt_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// benefit is a row of the table caseload.
type benefit struct {
	Person       int64       `col:"person_id" doc:"person"`
	Municipality string      `col:"municipality" doc:"municipality"`
	MatchScheme  string      `col:"match_scheme" doc:"scheme"`
	MatchGroup   string      `col:"match_group" doc:"group"`
	Start        effect.Date `col:"start_date" doc:"first day"`
	End          effect.Date `col:"end_date" doc:"day after the last"`
}

func TestWatching(t *testing.T) {
	c := job(t, "terms: [terms.yaml]", "watch: {outcome: sustained_13w, covariates: [origin, age]}")
	data := t.TempDir()
	require.NoError(t, os.CopyFS(data, os.DirFS(c.Data)))
	cases := func() *effect.Cases {
		ds, err := ingest.OpenFolder(c.Data, c.IngestOptions())
		require.NoError(t, err)
		cases, err := ds.Cases(context.Background())
		require.NoError(t, err)
		return cases
	}()
	// Ten persons who were in another match group 28 days before their first
	// referral, ten in the same, and one nobody referred.
	rows := []benefit{{Person: 999_999_999, Municipality: "751", MatchScheme: "match5_2004", MatchGroup: "4", Start: effect.NewDate(2007, 1, 1), End: effect.NoDate}}
	for i := 0; len(rows) < 21; i++ {
		if cases.Municipality.At(i) != "751" || i > 0 && cases.Person[i] == cases.Person[i-1] {
			continue
		}
		id, _ := cases.Persons.At(int(cases.Person[i])).Number()
		b := benefit{id, "751", "match5_2004", cases.MatchGroup.At(i), effect.NewDate(2007, 1, 1), cases.Referral[i] - 20}
		if len(rows) > 10 {
			b.MatchGroup = map[string]string{"4": "5", "5": "4"}[b.MatchGroup]
		}
		rows = append(rows, b)
	}
	table, err := ingest.FromRows(ingest.Caseload, rows)
	require.NoError(t, err)
	f, err := os.Create(filepath.Join(data, "caseload.parquet"))
	require.NoError(t, err)
	require.NoError(t, table.WriteParquet(f))
	require.NoError(t, f.Close())
	c.Data = data

	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	require.NotEmpty(t, r.Creaming)
	for _, row := range r.Creaming {
		require.Equal(t, "sustained_13w", row.Outcome)
		require.Empty(t, row.Refusal)
	}
	completed := 0
	for i := range cases.Len() {
		if cases.Completed.At(i) == effect.Yes {
			completed++
		}
	}
	require.Positive(t, completed)
	counted := 0
	for _, row := range r.Deciles {
		if row.Provider == "" {
			counted += int(row.Completed)
		}
	}
	assert.Positive(t, counted)
	assert.LessOrEqual(t, counted, completed, "the cohort's are some of all")
	regrouped := false
	for _, row := range r.Indicators {
		if row.Indicator != watch.LateRegrouping || row.Municipality != "751" || row.Provider != "" || row.MatchGroup != "" {
			continue
		}
		regrouped = true
		assert.GreaterOrEqual(t, row.N, int64(20))
		assert.GreaterOrEqual(t, row.Count, int64(10))
		assert.Less(t, row.Count, row.N)
	}
	assert.True(t, regrouped)

	// The step alone, from the tables, gives the same.
	before := results(t, c)
	again, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepBenchmark)
	require.NoError(t, err)
	assert.Equal(t, before, results(t, c))
	assert.Len(t, again.Indicators, len(r.Indicators))
	for _, row := range again.Indicators {
		assert.Equal(t, row.NotEvaluated != "", row.NotEvaluated != "" && math.IsNaN(row.Share))
	}
}

func TestWatchNamesOutcomes(t *testing.T) {
	c := job(t)
	c.Watch = &jobeffekt.Watch{Outcome: "employed_26", Sustained: "no"}
	err := c.Validate()
	require.ErrorContains(t, err, `there is no outcome "employed_26"`)
	require.ErrorContains(t, err, "employed_26w")
	require.ErrorContains(t, err, "watch.sustained")
}
