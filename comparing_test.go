package jobeffekt_test

import (
	"bytes"
	"context"
	"fmt"
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

// changedRun is the small world with a text of the run file or the terms changed, done whole;
// its results folder.
func changedRun(t *testing.T, file, old, new string, more ...func(*jobeffekt.Config)) string {
	t.Helper()
	c := nightly(t)
	if file != "" {
		path := filepath.Join(filepath.Dir(c.Path), file)
		text := string(read(t, path))
		require.Contains(t, text, old)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(text, old, new, 1)), 0o600))
		var err error
		c, err = jobeffekt.LoadConfig(c.Path)
		require.NoError(t, err)
	}
	for _, change := range more {
		change(c)
	}
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	return c.ResultsFolder()
}

// table reads a table of a results folder.
func tableIn(t *testing.T, folder, name string) *ingest.Table {
	t.Helper()
	out, err := ingest.ReadTable(context.Background(), filepath.Join(folder, name+".parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	return out
}

// Pairs of runs that differ by one known thing, and what must be told of each.
func TestChanges(t *testing.T) {
	ctx := context.Background()
	before := changedRun(t, "", "", "")
	compare := func(after string) *jobeffekt.Changed {
		t.Helper()
		c, err := jobeffekt.Changes(ctx, before, after)
		require.NoError(t, err)
		again, err := jobeffekt.Changes(ctx, before, after)
		require.NoError(t, err)
		require.Equal(t, c.Summary(), again.Summary(), "the same folders, the same words")
		require.Equal(t, fmt.Sprint(c.Rows), fmt.Sprint(again.Rows))
		// What a table says of its rows adds up to the differences.
		n := map[string][3]int{}
		for _, r := range c.Rows {
			counts := n[r.Table]
			switch r.Change {
			case "row_gone":
				counts[0]++
			case "row_new":
				counts[1]++
			}
			n[r.Table] = counts
		}
		for _, table := range c.Tables {
			if table.Before >= 0 && table.After >= 0 {
				assert.Equal(t, table.After-table.Before, table.New-table.Gone, table.Table)
				assert.Equal(t, n[table.Table], [3]int{table.Gone, table.New}, table.Table)
			}
		}
		return c
	}
	// touched are the steps in which a table differs.
	touched := func(c *jobeffekt.Changed) (out []jobeffekt.Step) {
		for _, table := range c.Tables {
			if !table.Same() && !slices.Contains(out, table.Step) {
				out = append(out, table.Step)
			}
		}
		return out
	}
	told := func(c *jobeffekt.Changed) string { return strings.Join(strings.Fields(c.Summary()), " ") }

	t.Run("nothing", func(t *testing.T) {
		c := compare(changedRun(t, "", "", ""))
		assert.False(t, c.Differ())
		assert.Empty(t, c.Causes)
		assert.Empty(t, c.Rows)
		assert.True(t, strings.HasSuffix(c.Summary(), "\nNothing differs.\n"))
	})

	t.Run("a comment of the run file", func(t *testing.T) {
		c := compare(changedRun(t, "jobeffekt.yaml", "data: data\n", "data: data  # with a comment\n"))
		assert.False(t, c.Differ())
		assert.Empty(t, c.Causes)
	})

	t.Run("a price", func(t *testing.T) {
		after := changedRun(t, "terms.yaml", "amount: 4000}", "amount: 4321}")
		c := compare(after)
		assert.Equal(t, []jobeffekt.Cause{{
			Kind: jobeffekt.CauseTerms, What: "terms.yaml: versions[2008-01-01].clauses[sustained-job].schedule.unit_prices[4 P1].amount", Before: "4000", After: "4321", From: jobeffekt.StepSettle,
		}}, c.Causes)
		assert.Equal(t, []jobeffekt.Step{jobeffekt.StepSettle}, touched(c))
		// The differences of the amounts add up to the difference of the totals.
		total := func(folder string) (sum int64) {
			for _, v := range tableIn(t, folder, jobeffekt.TableSettlement).Column("amount_ore").Ints {
				sum += v
			}
			return sum
		}
		sum := 0.0
		for _, r := range c.Rows {
			if r.Table == jobeffekt.TableSettlement && r.Column == "amount_ore" {
				sum += r.Difference
				assert.Contains(t, r.Key, "line=")
				assert.Contains(t, r.Key, "/sustained-job@")
			}
		}
		require.NotZero(t, sum)
		assert.Equal(t, float64(total(after)-total(before)), sum)
		assert.Contains(t, told(c), "One thing differs, so all of it comes of that: the terms.")
		assert.Contains(t, told(c), "in all, these lines")
	})

	t.Run("a key of the run file", func(t *testing.T) {
		c := compare(changedRun(t, "jobeffekt.yaml", "min_n: 5", "min_n: 500"))
		assert.Equal(t, []jobeffekt.Cause{{Kind: jobeffekt.CauseRunFile, What: "compare.min_n", Before: "5", After: "500", From: jobeffekt.StepEstimate}}, c.Causes)
		assert.Equal(t, jobeffekt.StepEstimate, touched(c)[0])
		assert.Contains(t, told(c), "The first step whose tables differ is estimate (estimates)")
		assert.Contains(t, told(c), ", then not rated: ")
	})

	t.Run("an outcome left out", func(t *testing.T) {
		c := compare(changedRun(t, "jobeffekt.yaml", "  - {name: employed_13w, kind: state_at, states: [ordinary_employment, self_employment], at: 13 weeks}\n", ""))
		require.Len(t, c.Causes, 1)
		assert.Equal(t, jobeffekt.Cause{
			Kind: jobeffekt.CauseRunFile, What: "outcomes[employed_13w]", Before: "name: employed_13w, kind: state_at, states: [ordinary_employment, self_employment], at: 13 weeks", After: "(left out)", From: jobeffekt.StepMeasure,
		}, c.Causes[0])
		for _, r := range c.Rows {
			if r.Table == jobeffekt.TableOutcomes {
				require.Equal(t, "row_gone", r.Change)
				require.Contains(t, r.Key, "outcome=employed_13w")
			}
		}
	})

	t.Run("a later day", func(t *testing.T) {
		early := changedRun(t, "", "", "", func(c *jobeffekt.Config) { c.AsOf = effect.NewDate(2008, 12, 1) })
		c, err := jobeffekt.Changes(ctx, early, before)
		require.NoError(t, err)
		assert.Equal(t, []jobeffekt.Cause{{Kind: jobeffekt.CauseAsOf, What: "last day that counts", Before: "2008-12-01", After: "2010-06-30", From: jobeffekt.StepMeasure}}, c.Causes)
		assert.Contains(t, told(c), "cases from pending to reached")
		assert.NotContains(t, told(c), "cases from reached to pending")
		assert.Contains(t, told(c), "One thing differs, so all of it comes of that: the last day that counts.")
	})

	t.Run("spells of one citizen", func(t *testing.T) {
		outcomes, cases := tableIn(t, before, jobeffekt.TableOutcomes), tableIn(t, before, jobeffekt.TableCases)
		person, participation := "", ""
		for i := range outcomes.Rows() {
			if outcomes.Column("outcome").Cell(i) == "employed_26w" && outcomes.Column("status").Cell(i) == "reached" {
				participation = outcomes.Column("participation_id").Cell(i)
				break
			}
		}
		require.NotEmpty(t, participation)
		of := map[string]int{}
		for i := range cases.Rows() {
			of[cases.Column("person_id").Cell(i)]++
			if cases.Column("participation_id").Cell(i) == participation {
				person = cases.Column("person_id").Cell(i)
			}
		}
		c := compare(changedRun(t, "", "", "", func(c *jobeffekt.Config) {
			path := filepath.Join(filepath.Dir(c.Path), "data", "spells", "part-00001.parquet")
			table, err := ingest.ReadTable(ctx, path, ingest.DefaultLimits())
			require.NoError(t, err)
			var keep []int
			for i := range table.Rows() {
				if table.Column("person_id").Cell(i) != person || !strings.Contains(table.Column("state").Cell(i), "employment") {
					keep = append(keep, i)
				}
			}
			require.Less(t, len(keep), table.Rows())
			var b bytes.Buffer
			require.NoError(t, table.Take(keep).WriteParquet(&b))
			require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		}))
		require.Len(t, c.Causes, 1)
		assert.Equal(t, "spells/part-00001.parquet", c.Causes[0].What)
		assert.Equal(t, jobeffekt.CauseData, c.Causes[0].Kind)
		assert.Contains(t, told(c), fmt.Sprintf("0 cases are gone, 0 are new, and %d have an outcome that is not as it was", of[person]))
		assert.Contains(t, told(c), fmt.Sprintf("employed_26w: %d cases from reached to not reached", of[person]))
		ids := map[string]bool{}
		for _, r := range c.Rows {
			if r.Table == jobeffekt.TableOutcomes {
				require.Equal(t, "changed", r.Change)
				id, _, _ := strings.Cut(r.Key, ";")
				ids[id] = true
			}
		}
		assert.Len(t, ids, of[person])
		_, said, _ := strings.Cut(c.Summary(), "\n\n") // behind the names of the folders, which may hold any number
		assert.NotContains(t, said, participation, "a summary names no citizen")
	})

	t.Run("a run file that was edited afterwards", func(t *testing.T) {
		after := changedRun(t, "jobeffekt.yaml", "min_n: 5", "min_n: 6", func(c *jobeffekt.Config) {})
		path := filepath.Join(filepath.Dir(after), "jobeffekt.yaml")
		require.NoError(t, os.WriteFile(path, append(read(t, path), "# later\n"...), 0o600))
		c := compare(after)
		require.Len(t, c.Causes, 1)
		assert.Contains(t, c.Causes[0].After, "no longer as it was")
	})
}

// What is no results folder, or not as it was written, is refused by name.
func TestChangesRefuses(t *testing.T) {
	ctx := context.Background()
	a, b := changedRun(t, "", "", ""), changedRun(t, "jobeffekt.yaml", "min_n: 5", "min_n: 6")
	none := t.TempDir()
	_, err := jobeffekt.Changes(ctx, a, none)
	require.ErrorIs(t, err, jobeffekt.ErrManifest)
	require.ErrorContains(t, err, none)
	path := filepath.Join(b, jobeffekt.TableEstimates+".parquet")
	require.NoError(t, os.WriteFile(path, append(read(t, path), 0), 0o600))
	_, err = jobeffekt.Changes(ctx, a, b)
	require.ErrorIs(t, err, jobeffekt.ErrManifest)
	require.ErrorContains(t, err, jobeffekt.TableEstimates)
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = jobeffekt.Changes(stopped, a, b)
	require.ErrorIs(t, err, context.Canceled)
}

// The keys of every table tell its rows apart.
func TestKeysOfTables(t *testing.T) {
	folder := changedRun(t, "", "", "")
	for _, info := range jobeffekt.ResultTables() {
		if _, err := os.Stat(filepath.Join(folder, info.Name+".parquet")); err != nil {
			continue
		}
		table := tableIn(t, folder, info.Name)
		var names []string
		for _, c := range table.Columns {
			names = append(names, c.Name)
		}
		key, seen := info.KeyOf(names), map[string]bool{}
		require.NotEmpty(t, key, info.Name)
		for i := range table.Rows() {
			var cells []string
			for _, name := range key {
				cells = append(cells, table.Column(name).Cell(i))
			}
			id := fmt.Sprintf("%q", cells)
			require.False(t, seen[id], "%s: %s is there twice", info.Name, id)
			seen[id] = true
		}
	}
}
