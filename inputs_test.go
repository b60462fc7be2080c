package jobeffekt_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// withTables copies a dataset and adds tables.
func withTables(t *testing.T, data string, tables ...*ingest.Table) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(data)))
	for _, table := range tables {
		f, err := os.Create(filepath.Join(folder, table.Name+".parquet"))
		require.NoError(t, err)
		require.NoError(t, table.WriteParquet(f))
		require.NoError(t, f.Close())
	}
	return folder
}

// rows makes an input table of rows.
func rows[T any](t *testing.T, name string, of ...T) *ingest.Table {
	t.Helper()
	table, err := ingest.FromRows(name, of)
	require.NoError(t, err)
	return table
}

func survey(provider, period string, mean float64, n int64, invited float64) ingest.Survey {
	return ingest.Survey{Provider: provider, Period: period, Mean: mean, N: n, Invited: invited}
}

func inspection(provider string, on effect.Date, grade, note string) ingest.Inspection {
	return ingest.Inspection{Provider: provider, On: on, Grade: grade, Note: note}
}

func handedIn(name, provider, period string, n float64, value string) ingest.Figure {
	return ingest.Figure{Name: name, Provider: provider, Period: period, N: n, Value: value}
}

func proof(participation, kind string, on effect.Date) ingest.Proof {
	return ingest.Proof{Participation: participation, Kind: kind, ReceivedOn: on}
}

func figureOf(name, provider, period string, n int64, value string) bonus.Figure {
	return bonus.Figure{Name: name, Provider: provider, Period: period, N: n, Value: value}
}

func TestFiguresAndEvidence(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	date := effect.NewDate
	c := job(t)
	id := func() string {
		ds, err := ingest.OpenFolder(c.Data, c.IngestOptions())
		require.NoError(t, err)
		cases, err := ds.Cases(ctx)
		require.NoError(t, err)
		return cases.ID.At(7).String()
	}()
	none := math.NaN()
	satisfaction := rows(
		t, ingest.Satisfaction, survey("north", "2008H2", 4.25, 40, 60), survey("north", "2009", 3.9999999996, 20, none),
		survey("south", "2008H2", 0, 0, 7), survey("south", "2010H2", 5, 1, 1), survey("south", "2009", 4, 5, 4),
	)
	c.Data = withTables(
		t, c.Data, satisfaction,
		rows(
			t, ingest.Inspections, inspection("north", date(2008, 9, 15), "4", "a"), inspection("north", date(2008, 9, 15), "4.0", "b"),
			inspection("north", date(2009, 9, 15), "4", ""), inspection("north", date(2009, 9, 15), "5", ""),
			inspection("south", date(2009, 9, 15), "good", ""), inspection("south", date(2010, 7, 1), "4", ""),
		),
		rows(t, ingest.Figures, handedIn("ratio", "9", "2008", none, "0.9840"), handedIn("ratio", "10", "2008", 30, "-1"), handedIn("ratio", "10", "2011", 30, "1"), handedIn("weight", "", "2008", none, "0.662991")),
		rows(
			t, ingest.Evidence, proof(id, "contract", date(2008, 12, 31)), proof(id, "contract", date(2010, 7, 1)),
			proof("nobody", "contract", date(2008, 12, 31)), proof(id, "", date(2008, 12, 31)),
		),
	)
	c.Input.MaxRejectShare = new(0.5)
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	figures := []bonus.Figure{
		figureOf("inspection", "north", "2008-09-15", -1, "4"),
		figureOf("inspection", "north", "2009-09-15", -1, ""), // which of the two?
		figureOf("inspection", "south", "2009-09-15", -1, ""), // no number
		figureOf("ratio", "9", "2008", -1, "0.984"),
		figureOf("ratio", "10", "2008", 30, "-1"),
		figureOf("response_rate", "north", "2008H2", 60, "0.666666667"),
		figureOf("response_rate", "south", "2008H2", 7, "0"),
		figureOf("satisfaction", "north", "2008H2", 40, "4.25"),
		figureOf("satisfaction", "north", "2009", 20, "4"),
		figureOf("weight", "", "2008", -1, "0.662991"), // of all providers
	}
	evidence := []bonus.Evidence{{Participation: effect.TextID(id), Kind: "contract", On: date(2008, 12, 31)}}
	require.Equal(t, figures, r.Figures)
	require.Equal(t, evidence, r.Evidence)
	require.Contains(t, r.Rejects, ingest.Reject{Table: "satisfaction", File: "satisfaction.parquet", Row: 5, Column: "invited", Cause: "fewer persons asked than answers"})
	require.Contains(t, r.Rejects, ingest.Reject{Table: "evidence", File: "evidence.parquet", Row: 4, Column: "kind", Cause: "required, but null"})
	left := map[string]int64{}
	for _, n := range r.Counts {
		if n.Name == "after_as_of" || n.Name == "orphans" && n.Table == ingest.Evidence {
			left[n.Table+" "+n.Name] = n.Rows
		}
	}
	require.Equal(t, map[string]int64{
		"satisfaction after_as_of": 1, "inspections after_as_of": 1, "figures after_as_of": 1, "evidence after_as_of": 1, "evidence orphans": 1,
	}, left)

	// Later steps start from the tables.
	want := results(t, c)
	again, err := jobeffekt.RunStep(ctx, c, jobeffekt.StepSettle)
	require.NoError(t, err)
	require.Equal(t, figures, again.Figures)
	require.Equal(t, evidence, again.Evidence)
	require.Equal(t, want, results(t, c))
	require.Contains(t, want, "figures.parquet")
	require.Contains(t, want, "evidence.parquet")

	// What is handed in can tell of effects, too.
	c.Blinded, c.Out = true, "blinded"
	_, err = jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	require.NotContains(t, results(t, c), "figures.parquet")
	require.NotContains(t, results(t, c), "evidence.parquet")

	// A figure has one source.
	c = job(t)
	c.Data = withTables(t, c.Data, satisfaction, rows(t, ingest.Figures, handedIn("response_rate", "9", "2008", none, "0.9")))
	c.Input.MaxRejectShare = new(0.5)
	_, err = jobeffekt.RunStep(ctx, c, jobeffekt.StepMeasure)
	require.ErrorContains(t, err, "table figures has a figure \"response_rate\", which is made of the table satisfaction")
}
