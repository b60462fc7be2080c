package jobeffekt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

const demo = "cmd/jobeffekt/demo"

// job copies the demonstration's run file and terms to a new folder, which
// reads the demonstration's data. It leaves all methods but strata out, which take
// most of the time; the examples have them.
func job(t *testing.T, change ...string) *jobeffekt.Config {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"jobeffekt.yaml", "terms.yaml"} {
		b, err := os.ReadFile(filepath.Join(demo, name))
		require.NoError(t, err)
		text := strings.NewReplacer(
			"methods: [balance, regression, strata]", "methods: [strata]", "method: balance", "method: strata", "sensitivity: {}", "",
			"  balance:\n    ladder: [[{covariate: referral_quarter}]]   # exact where it can be\n    also: [squares, zeros]\n", "",
		).Replace(string(b))
		// What stands beside the benchmark has tests of its own.
		text = strings.Replace(text, "  recorded: peers.choice.yaml   # before any outcome was computed\n", "", 1)
		if from, to := strings.Index(text, "views: "), strings.Index(text, "terms: [terms.yaml]"); from >= 0 {
			text = text[:from] + text[to:]
		}
		if from, to := strings.Index(text, "  - name: time_to_job"), strings.Index(text, "\npeers: "); from >= 0 {
			text = text[:from] + text[to:]
		}
		if from, to := strings.Index(text, "upkeep: "), strings.Index(text, "versions:\n"); from >= 0 {
			text = text[:from] + text[to:]
		}
		require.NotContains(t, text, "recorded", "the demonstration reads differently")
		require.NotContains(t, text, "method: balance", "the demonstration reads differently")
		require.NotContains(t, text, "ladder", "the demonstration reads differently")
		for i := 0; i+1 < len(change); i += 2 {
			text = strings.ReplaceAll(text, change[i], change[i+1])
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	c, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
	require.NoError(t, err)
	c.Data, err = filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	return c
}

func results(t *testing.T, c *jobeffekt.Config) map[string]string {
	t.Helper()
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	out := map[string]string{}
	for _, r := range m.Results {
		out[r.Path] = r.SHA256
	}
	return out
}

func TestRunStepByStepEqualsRun(t *testing.T) {
	t.Parallel()
	whole := job(t)
	want, err := jobeffekt.Run(context.Background(), whole)
	require.NoError(t, err)
	steps := job(t)
	for _, s := range []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle} {
		got, err := jobeffekt.RunStep(context.Background(), steps, s)
		require.NoError(t, err)
		if s == jobeffekt.StepSettle {
			sameCases(t, want.Observations, got.Observations)
			continue
		}
		sameObservations(t, want.Observations, got.Observations)
	}
	assert.Equal(t, results(t, whole), results(t, steps))
	differences, err := jobeffekt.Verify(context.Background(), steps.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, differences)

	// Measuring again takes back what was made of the old figures.
	_, err = jobeffekt.RunStep(context.Background(), steps, jobeffekt.StepMeasure)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(steps.ResultsFolder(), "settlement.parquet"))
	assert.NoFileExists(t, filepath.Join(steps.ResultsFolder(), "settlement.csv"))
	_, err = jobeffekt.RunStep(context.Background(), steps, jobeffekt.StepSettle)
	assert.ErrorIs(t, err, jobeffekt.ErrManifest)
}

// Weeks that terms pay for are read back from their table, and a blinded run does
// not write it.
func TestDatedWeeks(t *testing.T) {
	t.Parallel()
	const weeks = "  - {name: weeks_in_work, kind: weeks_in, states: [ordinary_employment], within: 52 weeks, dated: true}\n"
	change := []string{
		"outcomes:\n", "outcomes:\n" + weeks,
		"measure: {reached: sustained_13w}", "measure: {sum: weeks_in_work}",
	}
	whole := job(t, change...)
	want, err := jobeffekt.Run(context.Background(), whole)
	require.NoError(t, err)
	r, ok := want.Observations.Result("weeks_in_work")
	require.True(t, ok)
	require.NotEmpty(t, r.Dates.On)
	n := 0.0
	for i, v := range r.Value {
		if r.Complete[i] {
			assert.Len(t, r.Dates.Of(i), int(v))
		}
		n += float64(len(r.Dates.Of(i)))
	}
	require.Positive(t, n)
	paid := big.NewRat(0, 1)
	for _, e := range want.Settlement.Entries {
		q, _ := new(big.Rat).SetString(e.Quantity)
		paid.Add(paid, q)
	}
	require.Positive(t, paid.Sign())

	steps := job(t, change...)
	for _, s := range []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle} {
		got, err := jobeffekt.RunStep(context.Background(), steps, s)
		require.NoError(t, err)
		if s == jobeffekt.StepSettle {
			sameCases(t, want.Observations, got.Observations)
			continue
		}
		sameObservations(t, want.Observations, got.Observations)
	}
	assert.Equal(t, results(t, whole), results(t, steps))
	assert.FileExists(t, filepath.Join(steps.ResultsFolder(), "outcome_dates.parquet"))

	blinded := job(t, change...)
	blinded.Blinded = true
	_, err = jobeffekt.Run(context.Background(), blinded)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(blinded.ResultsFolder(), "outcome_dates.parquet"))
	assert.NoFileExists(t, filepath.Join(blinded.ResultsFolder(), "outcome_dates.csv"))

	undated := job(t, append(change, ", dated: true", "")...)
	_, err = jobeffekt.Run(context.Background(), undated)
	assert.ErrorContains(t, err, "let the outcome have dated: true in the run file")
}

// sameCases compares what a settlement knows of the cases: neither covariates, the
// placebo nor signals are read back for it.
func sameCases(t *testing.T, want, got *effect.Observations) {
	t.Helper()
	assert.Empty(t, got.Cases.Covariates)
	assert.Nil(t, got.Cases.Placebo)
	assert.Nil(t, got.Signals)
	less := *want.Cases
	less.Covariates, less.Placebo = nil, nil
	for i, pair := range [][2]any{{less, *got.Cases}, {want.Results, got.Results}, {want.Attrition, got.Attrition}} {
		require.True(t, fmt.Sprint(pair[0]) == fmt.Sprint(pair[1]), "part %d", i)
	}
}

// sameObservations compares what was measured with what was read back from the
// tables. It goes by texts, as missing numbers are not equal to themselves.
func sameObservations(t *testing.T, want, got *effect.Observations) {
	t.Helper()
	require.NotNil(t, want.Cases.Placebo)
	require.NotNil(t, got.Cases.Placebo)
	require.NotNil(t, got.Signals)
	parts := func(o *effect.Observations) []any {
		cases := *o.Cases
		cases.Placebo = nil
		return []any{*o.Cases.Placebo, *o.Signals, cases, o.Results, o.Attrition}
	}
	for i, w := range parts(want) {
		require.True(t, fmt.Sprint(w) == fmt.Sprint(parts(got)[i]), "part %d", i)
	}
}

// The same rows in another order, cut into other parts, read by another number
// of goroutines: the same bytes of every result table.
func TestSameBytes(t *testing.T) {
	c := job(t)
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	want := results(t, c)

	for _, procs := range []int{1, 2, 16} {
		other := job(t)
		other.Data = shuffled(t, c.Data, uint64(procs))
		old := runtime.GOMAXPROCS(procs)
		_, err := jobeffekt.Run(context.Background(), other)
		runtime.GOMAXPROCS(old)
		require.NoError(t, err)
		assert.Equal(t, want, results(t, other), "%d processors", procs)
	}
}

// shuffled writes the dataset in another order of rows, in parts of different
// sizes, and returns its folder.
func shuffled(t *testing.T, data string, seed uint64) string {
	t.Helper()
	out := t.TempDir()
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, name := range []string{"participations", "spells", "persons", "municipalities", "providers", "satisfaction", "inspections", "experience"} {
		paths, _ := filepath.Glob(filepath.Join(data, name, "*.parquet"))
		if paths == nil {
			paths = []string{filepath.Join(data, name+".parquet")}
		}
		require.Len(t, paths, 1)
		table, err := ingest.ReadTable(context.Background(), paths[0], ingest.DefaultLimits())
		require.NoError(t, err)
		order := rng.Perm(table.Rows())
		folder := filepath.Join(out, name)
		require.NoError(t, os.Mkdir(folder, 0o700))
		for part := 0; len(order) > 0; part++ {
			n := 1 + rng.IntN(len(order))
			piece := table.Take(order[:n])
			order = order[n:]
			var b bytes.Buffer
			require.NoError(t, piece.WriteParquet(&b))
			// Names sort differently from the order of writing.
			require.NoError(t, os.WriteFile(filepath.Join(folder, string(rune('a'+rng.IntN(26)))+string(rune('a'+part))+".parquet"), b.Bytes(), 0o600))
		}
	}
	return out
}

func TestVerifyFindsChanges(t *testing.T) {
	t.Parallel()
	c := job(t)
	c.Data = shuffled(t, c.Data, 7)
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	out := c.ResultsFolder()

	// A result that was edited.
	path := filepath.Join(out, "settlement.csv")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(b, "x"...), 0o600))
	d, err := jobeffekt.Verify(context.Background(), out)
	require.NoError(t, err)
	assert.Equal(t, []jobeffekt.Difference{{Path: "settlement.csv", What: "changed since the results were written"}}, d)
	require.NoError(t, os.WriteFile(path, b, 0o600))

	// An input that was edited.
	inputs, _ := filepath.Glob(filepath.Join(c.Data, "persons", "*.parquet"))
	require.NoError(t, os.Remove(inputs[0]))
	d, err = jobeffekt.Verify(context.Background(), out)
	require.NoError(t, err)
	require.Len(t, d, 1)
	assert.Equal(t, "missing", d[0].What)

	// No manifest, no results.
	require.NoError(t, os.Remove(filepath.Join(out, jobeffekt.ManifestName)))
	_, err = jobeffekt.Verify(context.Background(), out)
	assert.ErrorIs(t, err, jobeffekt.ErrManifest)
}

// A manifest that is doctored together with a result does not pass: the figures
// are made again.
func TestVerifyMakesFiguresAgain(t *testing.T) {
	t.Parallel()
	c := job(t)
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	out := c.ResultsFolder()
	m, err := jobeffekt.ReadManifest(out)
	require.NoError(t, err)
	k := slices.IndexFunc(m.Results, func(s jobeffekt.Source) bool { return s.Path == "rejects.csv" })
	require.NoError(t, os.WriteFile(filepath.Join(out, "rejects.csv"), []byte("x"), 0o600))
	// printf x | sha256sum
	m.Results[k] = jobeffekt.Source{Path: "rejects.csv", Bytes: 1, SHA256: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
	b, err := json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(out, jobeffekt.ManifestName), b, 0o600))
	d, err := jobeffekt.Verify(context.Background(), out)
	require.NoError(t, err)
	assert.Equal(t, []jobeffekt.Difference{{Path: "rejects.csv", What: "not made again with the same bytes"}}, d)
}

// Leaving a forged table out of the manifest does not help, nor does adding one,
// nor other words about the standing.
func TestVerifyFindsForgery(t *testing.T) {
	t.Parallel()
	c := job(t)
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	out := c.ResultsFolder()
	path := filepath.Join(out, jobeffekt.ManifestName)
	good := read(t, path)
	doctor := func(change func(*jobeffekt.Manifest)) {
		var m jobeffekt.Manifest
		require.NoError(t, json.Unmarshal(good, &m))
		change(&m)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
	without := func(name string) func(*jobeffekt.Manifest) {
		return func(m *jobeffekt.Manifest) {
			m.Results = slices.DeleteFunc(m.Results, func(s jobeffekt.Source) bool { return s.Path == name })
		}
	}
	doctor(without("settlement.parquet"))
	_, err = jobeffekt.Verify(context.Background(), out)
	assert.ErrorIs(t, err, jobeffekt.ErrManifest)
	_, err = jobeffekt.ReadSettlement(context.Background(), out)
	assert.ErrorIs(t, err, jobeffekt.ErrManifest)

	for name, change := range map[string]func(*jobeffekt.Manifest){
		"settlement.csv":       without("settlement.csv"),
		jobeffekt.SummaryName:  without(jobeffekt.SummaryName),
		jobeffekt.ManifestName: func(m *jobeffekt.Manifest) { m.Standing = "booked, final" },
	} {
		doctor(change)
		d, err := jobeffekt.Verify(context.Background(), out)
		require.NoError(t, err)
		require.NotEmpty(t, d, name)
		assert.Equal(t, name, d[0].Path)
	}
	for _, steps := range [][]jobeffekt.Step{{}, {jobeffekt.StepSettle}, {"measure", "bogus"}} {
		doctor(func(m *jobeffekt.Manifest) { m.Steps = steps })
		_, err = jobeffekt.Verify(context.Background(), out)
		assert.ErrorIs(t, err, jobeffekt.ErrManifest)
	}
	require.NoError(t, os.WriteFile(path, good, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(out, "settlement_final.csv"), []byte("x"), 0o600))
	d, err := jobeffekt.Verify(context.Background(), out)
	require.NoError(t, err)
	assert.Equal(t, []jobeffekt.Difference{{Path: "settlement_final.csv", What: "not named in the manifest"}}, d)
}

// A step does not go on from tables that were edited, or made of other data.
func TestStepsRefuseOtherTables(t *testing.T) {
	c := job(t)
	source := c.Data
	c.Data = shuffled(t, source, 3)
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)

	path := filepath.Join(c.ResultsFolder(), "benchmark.parquet")
	good := read(t, path)
	require.NoError(t, os.WriteFile(path, append(good[:len(good):len(good)], 0), 0o600))
	_, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepSettle)
	assert.ErrorContains(t, err, "benchmark.parquet is not as it was written")
	_, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepBenchmark)
	require.NoError(t, err, "the step makes its own table again")

	other := *c
	other.Data = shuffled(t, source, 4)
	_, err = jobeffekt.RunStep(context.Background(), &other, jobeffekt.StepSettle)
	assert.ErrorContains(t, err, "made of other data")
	require.NoError(t, os.Remove(glob(t, filepath.Join(c.Data, "providers", "*.parquet"))))
	_, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepEstimate)
	assert.ErrorContains(t, err, "made of other data")
}

func glob(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths[0]
}

// Two runs in one folder: the second is refused, and the first is not harmed.
func TestTwoRunsAtOnce(t *testing.T) {
	c := job(t)
	require.NoError(t, os.MkdirAll(c.ResultsFolder(), 0o700))
	lock := flock.New(filepath.Join(c.ResultsFolder(), jobeffekt.LockName))
	held, err := lock.TryLock()
	require.NoError(t, err)
	require.True(t, held)
	_, err = jobeffekt.Run(context.Background(), c)
	assert.ErrorIs(t, err, jobeffekt.ErrBusy)
	require.NoError(t, lock.Close())
	_, err = jobeffekt.Run(context.Background(), c)
	assert.NoError(t, err)
}

// What a killed run left behind goes with the next one; other files stay.
func TestLeftoversGo(t *testing.T) {
	c := job(t)
	out := c.ResultsFolder()
	require.NoError(t, os.MkdirAll(out, 0o700))
	for _, name := range []string{".cases.parquet.jobeffekt-123", ".cases.csv.jobeffekt-4", ".manifest.json.jobeffekt-9", ".cases.csv2024", "cases.txt", ".hidden"} {
		require.NoError(t, os.WriteFile(filepath.Join(out, name), nil, 0o600))
	}
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	for name, stays := range map[string]bool{".cases.parquet.jobeffekt-123": false, ".cases.csv.jobeffekt-4": false, ".manifest.json.jobeffekt-9": false, ".cases.csv2024": true, "cases.txt": true, ".hidden": true} {
		_, err := os.Stat(filepath.Join(out, name))
		assert.Equal(t, stays, err == nil, name)
	}
}

// Rejects name files from the dataset's folder, so that the table is the same
// wherever the job is run from, and verify can make it again.
func TestVerifyWithRejects(t *testing.T) {
	c := job(t)
	c.Data = broken(t, c.Data, 10)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, "spells/part-00001.parquet", r.Rejects[0].File)
	t.Chdir(t.TempDir())
	d, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, d)
}

// A configuration made in memory is checked as one that was read.
func TestValidate(t *testing.T) {
	c := job(t)
	require.NoError(t, c.Validate())
	assert.Error(t, (&jobeffekt.Config{AsOf: effect.NoDate}).Validate())
	c.Compare.Methods = []jobeffekt.MethodName{"regresion"}
	assert.ErrorContains(t, c.Validate(), `there is no method "regresion"; did you mean "regression"?`)
	_, err := jobeffekt.Evaluate(context.Background(), ingest.NewDataset(c.IngestOptions()), c)
	assert.ErrorContains(t, err, "there is no method")
	c = job(t)
	c.Cohort.From, c.Cohort.Period = &c.AsOf, effect.Period{}
	assert.Error(t, c.Validate())
	c = job(t)
	c.Path = ""
	_, err = jobeffekt.Run(context.Background(), c)
	assert.ErrorIs(t, err, jobeffekt.ErrConfig)
}

// A cancelled run leaves the folder as it was: old results stay whole, and no
// temporary file is left.
func TestCancelledRun(t *testing.T) {
	c := job(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := jobeffekt.Run(ctx, c)
	assert.ErrorIs(t, err, context.Canceled)
	entries, _ := os.ReadDir(c.ResultsFolder())
	for _, e := range entries {
		assert.Equal(t, jobeffekt.LockName, e.Name())
	}

	_, err = jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	want := results(t, c)
	_, err = jobeffekt.Run(ctx, c)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, want, results(t, c))
	entries, err = os.ReadDir(c.ResultsFolder())
	require.NoError(t, err)
	assert.Len(t, entries, len(want)+2, "the results, their manifest and the lock")
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
}

// Bad rows are rejects with a place and a cause; past the share allowed the run
// stops, and they are there to be read. Earlier results stay.
func TestTooManyRejects(t *testing.T) {
	t.Parallel()
	c := job(t)
	c.Data = broken(t, c.Data, 3000)
	_, err := jobeffekt.Run(context.Background(), c)
	require.ErrorIs(t, err, ingest.ErrTooManyRejects)
	assert.ErrorContains(t, err, "3000 of 97112 rows")
	assert.ErrorContains(t, err, "results/rejects.parquet")
	rejects, err := ingest.ReadTable(context.Background(), filepath.Join(c.ResultsFolder(), "rejects.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, 3000, rejects.Rows())
	assert.NoFileExists(t, filepath.Join(c.ResultsFolder(), jobeffekt.ManifestName))

	share := 0.05
	c.Input.MaxRejectShare = &share
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Len(t, r.Rejects, 3000)
	want := results(t, c)

	share = 0.01
	_, err = jobeffekt.Run(context.Background(), c)
	require.ErrorIs(t, err, ingest.ErrTooManyRejects)
	assert.ErrorContains(t, err, "results/stopped/rejects.parquet")
	assert.FileExists(t, filepath.Join(c.ResultsFolder(), "stopped", "rejects.parquet"))
	assert.Equal(t, want, results(t, c))

	share = 0.05
	_, err = jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Join(c.ResultsFolder(), "stopped"), "it is about rows that are read now")
}

// broken is the dataset with the end of its first n spells before their start.
func broken(t *testing.T, data string, n int) string {
	t.Helper()
	out := t.TempDir()
	require.NoError(t, os.CopyFS(out, os.DirFS(data)))
	path := filepath.Join(out, "spells", "part-00001.parquet")
	table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
	require.NoError(t, err)
	for i := range n {
		table.Column("end_date").Dates[i] = table.Column("start_date").Dates[i] - 1
	}
	var b bytes.Buffer
	require.NoError(t, table.WriteParquet(&b))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return out
}

// An as_of before any window has ended: said so, and nothing paid.
func TestNothingObserved(t *testing.T) {
	c := job(t)
	c.AsOf = effect.NewDate(2007, 12, 31)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Contains(t, r.Summary(), "No outcome can be told yet: no window has ended by 2007-12-31.")
	assert.Contains(t, r.Summary(), "Nothing is paid.")
	for _, l := range r.Settlement.Lines {
		assert.Zero(t, l.Amount)
	}
	assert.NotEmpty(t, r.Settlement.Warnings)
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	assert.Equal(t, c.AsOf, m.AsOf)
}

// What a provider is paid for a reached outcome does not wait for its window,
// but no effect uses the open windows.
func TestAsOfInTheMiddle(t *testing.T) {
	c := job(t)
	c.AsOf = effect.NewDate(2008, 10, 1)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	early := 0
	for _, res := range r.Observations.Results {
		for i := range res.Status {
			if res.Complete[i] {
				require.LessOrEqual(t, res.WindowEnd[i], c.AsOf)
			} else if res.Status[i] == effect.Reached && res.Reason[i] == effect.ReasonPending {
				early++
				require.LessOrEqual(t, res.ReachedOn[i], c.AsOf)
			}
		}
	}
	assert.NotZero(t, early)
}

func TestCheck(t *testing.T) {
	require.NoError(t, jobeffekt.Check(context.Background(), job(t)))

	c := job(t, "sustained_13w\n    kind", "sustained_26w\n    kind", "method: strata", "method: strta")
	err := jobeffekt.Check(context.Background(), c)
	var faults *bonus.Faults
	require.ErrorAs(t, err, &faults)
	assert.ErrorContains(t, err, `terms.yaml:23:19: versions[0].clauses[0].measure.reached: clause sustained-job needs the outcome "sustained_13w", which nobody observes; did you mean "sustained_26w"?`)
	assert.ErrorContains(t, err, `clause effect pays on the method "strta", by which nothing is estimated; did you mean "strata"?`)
	_, err = jobeffekt.Run(context.Background(), c)
	assert.ErrorAs(t, err, &faults)

	c = job(t)
	c.Terms = []string{"terms.yaml", "terms.yaml"}
	assert.ErrorContains(t, jobeffekt.Check(context.Background(), c), "are both terms of agreement A-751")

	c = job(t)
	c.Out = filepath.Join(c.Data, "results")
	assert.ErrorContains(t, jobeffekt.Check(context.Background(), c), "results would be taken for input")

	c = job(t)
	c.Input.Columns = map[string]map[string]string{"spells": {"state": "condition", "person_id": "persn_id"}}
	err = jobeffekt.Check(context.Background(), c)
	var schema *ingest.SchemaError
	require.ErrorAs(t, err, &schema)
	assert.Len(t, schema.Problems, 2, "all at once")

	c = job(t, "unemployment_pct", "unemployed_pct")
	err = jobeffekt.Check(context.Background(), c)
	assert.ErrorContains(t, err, `no municipality has the framework condition "unemployed_pct" in 2007; did you mean "unemployment_pct"?`)

	c = job(t, "by_package: true", "by_package: false")
	assert.ErrorContains(t, jobeffekt.Check(context.Background(), c), "set compare.by_package")

	c = job(t)
	c.Data = t.TempDir()
	err = jobeffekt.Check(context.Background(), c)
	assert.ErrorContains(t, err, "participations")
	assert.ErrorContains(t, err, "municipalities")
}

func TestFaultsOfRunFile(t *testing.T) {
	b, err := os.ReadFile("testdata/runfile/faults.yaml")
	require.NoError(t, err)
	_, err = jobeffekt.ParseConfig("faults.yaml", b)
	golden(t, "testdata/runfile/faults.txt", err.Error())
	b, err = os.ReadFile("testdata/runfile/contradictions.yaml")
	require.NoError(t, err)
	_, err = jobeffekt.ParseConfig("contradictions.yaml", b)
	golden(t, "testdata/runfile/contradictions.txt", err.Error())
}

func TestSchemaIsCurrent(t *testing.T) {
	b, err := jobeffekt.ConfigSchema()
	require.NoError(t, err)
	golden(t, "jobeffekt.schema.json", string(b))
}
