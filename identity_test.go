package jobeffekt_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// changed copies a dataset with one table changed.
func changed(t *testing.T, data, name string, change func(*ingest.Table)) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(data)))
	path := filepath.Join(folder, name+".parquet")
	if parts, _ := filepath.Glob(filepath.Join(folder, name, "*.parquet")); len(parts) > 0 {
		require.Len(t, parts, 1)
		path = parts[0]
	}
	table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
	require.NoError(t, err)
	change(table)
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, table.WriteParquet(f))
	require.NoError(t, f.Close())
	return folder
}

// rewrite changes the texts of a column; texts is given the row.
func rewrite(c *ingest.Column, n int, text func(i int, was string) string) {
	out := make([]string, n)
	for i := range out {
		out[i] = text(i, cell(c, i))
	}
	f := effect.NewFactor(out)
	*c = ingest.Column{Name: c.Name, Doc: c.Doc, Factor: &f}
}

// numbered gives rows the scheme of 2010 where at says so, with group 2 for 4 and
// 3 for 5.
func numbered(at func(municipality string) bool) func(*ingest.Table) {
	return func(table *ingest.Table) {
		municipality := table.Column("municipality")
		new := func(i int) bool { return at(cell(municipality, i)) }
		rewrite(table.Column("match_scheme"), table.Rows(), func(i int, was string) string {
			if new(i) {
				return "match3_2010"
			}
			return was
		})
		rewrite(table.Column("match_group"), table.Rows(), func(i int, was string) string {
			if new(i) {
				return map[string]string{"4": "2", "5": "3"}[was]
			}
			return was
		})
	}
}

const crosswalk = `crosswalk:
  - {from: match5_2004, to: match3_2010, groups: {"1": "1", "2": "1", "3": "1", "4": "2", "5": "3"}}
peers:`

// Where one municipality numbers its citizens otherwise, a job without a crosswalk
// stops; with one it has every figure of the job whose input is numbered alike.
func TestCrosswalk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	alike, mixed := edge(t), edge(t, "peers:", crosswalk)
	data := withCaseload(t, alike.Data)
	all := func(string) bool { return true }
	alike.Data = changed(t, changed(t, data, "participations", numbered(all)), "caseload", numbered(all))
	home := func(m string) bool { return m == "751" }
	mixed.Data = changed(t, changed(t, data, "participations", numbered(home)), "caseload", numbered(home))

	silent := edge(t)
	silent.Data = mixed.Data
	_, err := jobeffekt.Run(ctx, silent)
	require.ErrorIs(t, err, effect.ErrSchemes)
	require.ErrorContains(t, err, "municipality 751 has cases under match3_2010, its peers only under match5_2004")
	require.ErrorContains(t, err, "declare a crosswalk")

	want, err := jobeffekt.Run(ctx, alike)
	require.NoError(t, err)
	got, err := jobeffekt.Run(ctx, mixed)
	require.NoError(t, err)
	was, is := results(t, alike), results(t, mixed)
	assert.NotContains(t, was, "crosswalk.parquet")
	assert.Contains(t, is, "crosswalk.parquet")
	maps.DeleteFunc(is, func(name, _ string) bool { return strings.HasPrefix(name, "crosswalk") })
	for _, name := range []string{"cases.parquet", "summary.txt"} { // which tell of the crosswalk
		assert.NotEqual(t, was[name], is[name])
		delete(was, name)
		delete(is, name)
	}
	assert.Equal(t, was, is)
	require.NotEmpty(t, want.Estimates)

	// What the input holds stays to be seen.
	cases := got.Observations.Cases
	moved := int64(0)
	for i := range cases.Len() {
		recorded, group := cases.Recorded.MatchScheme.At(i), cases.Recorded.MatchGroup.At(i)
		assert.Equal(t, "match3_2010", cases.MatchScheme.At(i))
		assert.Equal(t, cases.Municipality.At(i) == "751", recorded == "match3_2010")
		if recorded == "match5_2004" {
			moved++
			assert.Equal(t, map[string]string{"4": "2", "5": "3"}[group], cases.MatchGroup.At(i))
		}
	}
	counted := int64(0)
	for _, m := range got.Crosswalk {
		if m.Table == ingest.Participations {
			counted += m.Rows
		}
	}
	assert.Equal(t, moved, counted)
	for _, line := range []string{
		"Match groups moved by the crosswalk of the run file (rows)", "from group to group caseload participations",
		"match5_2004 1 match3_2010 1 0 0", "match5_2004 4 match3_2010 2 ",
	} {
		assert.Contains(t, strings.Join(strings.Fields(got.Summary()), " "), line)
	}

	// The steps one by one read it back.
	before := results(t, mixed)
	for _, s := range []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark} {
		_, err := jobeffekt.RunStep(ctx, mixed, s)
		require.NoError(t, err)
	}
	assert.Equal(t, before, results(t, mixed))

	// A group without a counterpart stops the run.
	short := edge(t, "peers:", strings.ReplaceAll(crosswalk, `, "5": "3"`, ""))
	short.Data = mixed.Data
	_, err = jobeffekt.Run(ctx, short)
	var unmapped *ingest.UnmappedGroupsError
	require.ErrorAs(t, err, &unmapped)
	require.Len(t, unmapped.Groups, 1)
	assert.Equal(t, "5", unmapped.Groups[0].Group)
	assert.Positive(t, unmapped.Groups[0].Rows)
}

func TestCrosswalkFaults(t *testing.T) {
	for _, c := range []struct{ walks, want string }{
		{`[{from: a, to: b, groups: {"1": "2"}}, {from: b, to: c, groups: {"2": "3"}}]`, "crosswalk[0].to"},
		{`[{from: a, to: b, groups: {"1": "2"}}, {from: b, to: a, groups: {"2": "3"}}]`, "b is left by another crosswalk"},
		{`[{from: a, to: b, groups: {"1": "2"}}, {from: a, to: c, groups: {"2": "3"}}]`, "a is left by another crosswalk already"},
		{`[{from: a, to: a, groups: {"1": "2"}}]`, "a scheme does not stand for itself"},
		{`[{from: a, to: "", groups: {"1": "2"}}]`, "is empty"},
		{`[{from: a, groups: {"1": "2"}}]`, "to is missing"},
		{`[{from: a, to: b, groups: {}}]`, "nothing is given"},
		{`[{from: a, to: b, groups: {"1": ""}}]`, "the value is empty"},
		{`[{from: a, to: b, groups: {"1": "2", "1": "3"}}]`, "the key stands twice"},
		{`[{from: a, to: b, groups: {1: "2", "1": "3"}}]`, "the key stands twice"},
		{`[{from: a, to: b, group: {"1": "2"}}]`, "did you mean"},
	} {
		folder := t.TempDir()
		text := "crosswalk: " + c.walks + "\n" + string(read(t, filepath.Join(demo, "jobeffekt.yaml")))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "jobeffekt.yaml"), []byte(text), 0o600))
		_, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
		assert.ErrorContains(t, err, c.want, c.walks)
	}
	c := job(t)
	c.Crosswalk = []jobeffekt.Crosswalk{
		{From: "a", To: "z", Groups: map[string]string{"1": "1"}}, {From: "b", To: "z", Groups: map[string]string{"1": "1"}},
	}
	require.NoError(t, c.Validate(), "two schemes may become one")

	// Of a configuration made in memory nothing else has looked at the values.
	c.Crosswalk = []jobeffekt.Crosswalk{{From: "a"}, {From: "b", To: "z", Groups: map[string]string{"1": ""}}}
	err := c.Validate()
	require.ErrorContains(t, err, "name the scheme")
	require.ErrorContains(t, err, "say for each group of a")
	require.ErrorContains(t, err, "a match group has a name")
}

// Cases of unknown providers and of days on which nobody knows who a provider was
// are counted and told; a wrong channel too.
func TestWhoTheProvidersAre(t *testing.T) {
	t.Parallel()
	c := edge(t)
	plain, err := jobeffekt.Evaluate(context.Background(), open(t, c), c)
	require.NoError(t, err)
	assert.NotContains(t, plain.Summary(), "leaves doubt")
	first := map[string]int64{}
	n := int64(0)
	for _, row := range plain.Providers {
		assert.Empty(t, row.Problem)
		assert.Zero(t, row.Contradict)
		first[row.Provider] += row.N
		n += row.N
	}
	cohort := int64(0)
	for _, reason := range plain.Observations.Results[0].Reason {
		if !reason.OutsideCohort() {
			cohort++
		}
	}
	require.Equal(t, cohort, n)

	// L751-1 is unknown before a day of 2008, L751-2 for good, and L461-1 is said to be in house.
	since := effect.NewDate(2008, 5, 1)
	c.Data = changed(t, c.Data, "providers", func(table *ingest.Table) {
		id, house := table.Column("provider_id"), table.Column("in_house")
		for i := range table.Rows() {
			switch cell(id, i) {
			case "L751-1":
				table.Column("valid_from").Dates[i] = since
				table.Column("valid_to").Dates[i] = effect.NoDate
			case "L461-1":
				house.Bools[i] = !house.Bools[i]
			}
		}
		rewrite(id, table.Rows(), func(i int, was string) string {
			if was == "L751-2" {
				return "Lost"
			}
			return was
		})
	})
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	found := map[string]int64{}
	for _, row := range r.Providers {
		if row.Problem != "" {
			found[row.Provider+" "+row.Problem] = row.N
		}
		if row.Contradict > 0 {
			found[row.Provider+" contradicts"] = row.Contradict
		}
	}
	before := int64(0)
	for i := range r.Observations.Cases.Len() {
		if r.Observations.Cases.Provider.At(i) == "L751-1" && !r.Observations.Results[0].Reason[i].OutsideCohort() && r.Observations.Cases.Referral[i] < since {
			before++
		}
	}
	require.Positive(t, before)
	assert.Equal(t, map[string]int64{"L751-1 outside_validity": before, "L751-2 not_in_table": first["L751-2"], "L461-1 contradicts": first["L461-1"]}, found)
	summary := strings.Join(strings.Fields(r.Summary()), " ")
	assert.Contains(t, summary, fmt.Sprintf("no validity of the provider holds %d L751-1 %d", before, before))
	assert.Contains(t, summary, fmt.Sprintf("the table providers does not have %d L751-2 %d", first["L751-2"], first["L751-2"]))
	assert.Contains(t, summary, fmt.Sprintf("otherwise than who the provider is %d L461-1", first["L461-1"]))

	again, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepBenchmark)
	require.NoError(t, err)
	assert.Equal(t, r.Summary(), again.Summary())
}

// open opens the data of a job.
func open(t *testing.T, c *jobeffekt.Config) *ingest.Dataset {
	t.Helper()
	ds, err := ingest.OpenFolder(c.Data, c.IngestOptions())
	require.NoError(t, err)
	return ds
}

// A referral to a former sister is none to a sister.
func TestSistersOfTheDay(t *testing.T) {
	t.Parallel()
	c := edge(t)
	count := func() (n, counted int64) {
		r, err := jobeffekt.Evaluate(context.Background(), open(t, c), c)
		require.NoError(t, err)
		for _, row := range r.Indicators {
			if row.Indicator == watch.SisterReferral && row.Provider == "" && row.MatchGroup == "" {
				n, counted = n+row.N, counted+row.Count
			}
		}
		return n, counted
	}
	// All providers form one consortium, for good and until September 2008.
	together := func(table *ingest.Table) {
		rewrite(table.Column("consortium_id"), table.Rows(), func(int, string) string { return "K" })
	}
	data := c.Data
	c.Data = changed(t, data, "providers", together)
	n, always := count()
	require.Positive(t, always)
	c.Data = changed(t, data, "providers", func(table *ingest.Table) {
		together(table)
		for i, to := range table.Column("valid_to").Dates {
			if to == effect.NoDate {
				table.Column("valid_to").Dates[i] = effect.NewDate(2008, 9, 1)
			}
		}
	})
	m, until := count()
	assert.Equal(t, n, m)
	assert.Less(t, until, always)
}

// Groups that become one in the peers' aggregated outcomes give what they give in
// records.
func TestCrosswalkOfAggregates(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	merged := "crosswalk:\n  - {from: match5_2004, to: two, groups: {\"4\": ready, \"5\": ready}}\npeers:"
	alone := func(c *jobeffekt.Config) { // without consortia, which aggregates do not name
		folder := t.TempDir()
		require.NoError(t, os.CopyFS(folder, os.DirFS(c.Data)))
		require.NoError(t, os.Remove(filepath.Join(folder, "providers.parquet")))
		c.Data = folder
	}
	handing := edge(t)
	alone(handing)
	_, err := jobeffekt.Run(ctx, handing)
	require.NoError(t, err)

	records := edge(t, "peers:", merged)
	records.Data = handing.Data
	want, err := jobeffekt.Evaluate(ctx, open(t, records), records)
	require.NoError(t, err)

	aggregated := edge(t, "peers:", merged)
	aggregated.Data = changed(t, handing.Data, "participations", func(table *ingest.Table) {
		keep := []int{}
		for i := range table.Rows() {
			if cell(table.Column("municipality"), i) == "751" {
				keep = append(keep, i)
			}
		}
		*table = *table.Take(keep)
	})
	handed, err := ingest.ReadTable(ctx, filepath.Join(handing.ResultsFolder(), "peer_strata.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	keep := []int{}
	for i := range handed.Rows() {
		if cell(handed.Column("municipality"), i) != "751" {
			keep = append(keep, i)
		}
	}
	f, err := os.Create(filepath.Join(aggregated.Data, "peer_strata.parquet"))
	require.NoError(t, err)
	require.NoError(t, handed.Take(keep).WriteParquet(f))
	require.NoError(t, f.Close())
	got, err := jobeffekt.Evaluate(ctx, open(t, aggregated), aggregated)
	require.NoError(t, err)

	figures := func(r *jobeffekt.Result) map[string]effect.Figures {
		out := map[string]effect.Figures{}
		for _, e := range r.Estimates {
			if _, placebo := effect.PlaceboOf(e.Outcome); !placebo && e.Municipality == "751" && e.Comparators == effect.Peers && e.Support == effect.SupportOwn {
				out[fmt.Sprint(e.Outcome, e.Cell)] = e.Figures
			}
		}
		return out
	}
	w, g := figures(want), figures(got)
	require.Len(t, g, len(w))
	told := 0
	for k, x := range w {
		y := g[k]
		require.Equal(t, x.Refusal, y.Refusal, k)
		if x.Refusal != "" {
			continue
		}
		told++
		assert.Equal(t, x.N, y.N)
		assert.InDelta(t, x.Expected, y.Expected, 1e-6*math.Max(1, math.Abs(x.Expected)), k)
		assert.InEpsilon(t, x.SE, y.SE, 1e-6, k)
	}
	assert.Positive(t, told)
}
