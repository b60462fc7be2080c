package jobeffekt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// notOfEverything are the result tables that a run of everything lacks, and where they
// are held to be the same.
func notOfEverything() map[string]string {
	const cure = "made of the table observations or of inputs alone, as the others"
	return map[string]string{
		jobeffekt.TableCrosswalk:   cure,
		jobeffekt.TableControls:    cure,
		jobeffekt.TableControlled:  cure,
		jobeffekt.TableEvidence:    cure,
		jobeffekt.TableSynthetic:   "of another method of before_after, which stands in place of the one that is run",
		jobeffekt.TableGaps:        "as synthetic",
		jobeffekt.TableDonors:      "as synthetic",
		jobeffekt.TablePlacebos:    "as synthetic",
		jobeffekt.TableCarried:     "exact arithmetic on the lines",
		jobeffekt.TableDecisions:   "exact arithmetic on the lines",
		jobeffekt.TableGatePreview: "of blinded runs",
	}
}

// Every table that a run, a simulation or a publication makes has the same bytes whatever
// the number of goroutines at work, the order of rows and how they are cut into files.
// JOBEFFEKT_FULL=1 asks for more: every method, more citizens, more orders. Other machines
// are the business of .ci/machines, which does the same run.
func TestSameBytesOfEverything(t *testing.T) {
	c := nightly(t)
	runs := []int{1, 2, 3, 7, 16}
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		c = everything(t)
		runs = append(runs, 1, 2, 4, 5, 16)
	} else if testing.Short() {
		runs = []int{1, 16}
	}
	want := everyTable(t, c, 1)
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		for _, info := range jobeffekt.ResultTables() {
			_, made := want["result "+info.Name+".parquet"]
			_, told := notOfEverything()[info.Name]
			assert.Equal(t, !told, made, "%s: let testdata/machines/jobeffekt.yaml ask for it, or say in notOfEverything why not", info.Name)
		}
	}
	for k, workers := range runs {
		other := *c
		other.Data = reordered(t, c.DataFolder(), uint64(k+1))
		other.Out = filepath.Join(t.TempDir(), "results")
		old := runtime.GOMAXPROCS(workers)
		got := everyTable(t, &other, workers)
		runtime.GOMAXPROCS(old)
		sameFolder(t, want, got)
	}
}

// everything is the run of .ci/machines.
func everything(t *testing.T) *jobeffekt.Config {
	t.Helper()
	folder := t.TempDir()
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality, o.Seed = 400, 6, 1, 8
	require.NoError(t, jobeffekt.Synth(context.Background(), filepath.Join(folder, "data"), o, ""))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "jobeffekt.yaml"), read(t, "testdata/machines/jobeffekt.yaml"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "terms.yaml"), read(t, filepath.Join(demo, "terms.yaml")), 0o600))
	c, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
	require.NoError(t, err)
	return c
}

// everyTable does the job, publishes it and simulates its terms, and gives a hash of each
// table by name.
func everyTable(t *testing.T, c *jobeffekt.Config, workers int) map[string]string {
	t.Helper()
	ctx := context.Background()
	_, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	out := map[string]string{}
	for name, sum := range results(t, c) {
		out["result "+name] = sum
	}
	add := func(of string, tables []*ingest.Table) {
		for _, table := range tables {
			var b bytes.Buffer
			require.NoError(t, table.WriteParquet(&b))
			out[of+" "+table.Name] = fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
		}
	}
	p, err := jobeffekt.ReadPublication(ctx, c.ResultsFolder(), 3)
	require.NoError(t, err)
	add("published", p.Tables)

	ds, err := c.OpenData(ctx)
	require.NoError(t, err)
	terms, err := jobeffekt.ReadTerms(filepath.Join(filepath.Dir(c.Path), "terms.yaml"))
	require.NoError(t, err)
	o := quick(20)
	o.Workers = workers
	s, err := jobeffekt.Simulate(ctx, ds, c, []*bonus.Terms{terms}, o)
	require.NoError(t, err)
	add("simulated", s.Tables())
	return out
}

// reordered writes a dataset with the rows of every file in another order, cut into files
// of different sizes whose names sort otherwise, and returns its folder.
func reordered(t *testing.T, data string, seed uint64) string {
	t.Helper()
	out := t.TempDir()
	rng := rand.New(rand.NewPCG(seed, 2))
	require.NoError(t, filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		folder := filepath.Join(out, filepath.Dir(rel))
		if filepath.Dir(rel) == "." {
			folder = filepath.Join(out, rel[:len(rel)-len(filepath.Ext(rel))])
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		order := rng.Perm(table.Rows())
		for part := 0; len(order) > 0 || part == 0; part++ {
			n := min(len(order), 1+rng.IntN(len(order)+1))
			var b bytes.Buffer
			if err := table.Take(slices.Clone(order[:n])).WriteParquet(&b); err != nil {
				return err
			}
			order = order[n:]
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%08x.parquet", rng.Uint32())), b.Bytes(), 0o600); err != nil {
				return err
			}
		}
		return nil
	}))
	return out
}
