package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt/demo"
	"github.com/jobeffekt/jobeffekt/effect"
)

func TestMain(m *testing.M) {
	flag.Parse()
	register()
	beam.Init()
	os.Exit(m.Run())
}

// cut writes the demonstration to a folder, its spells shuffled over so many files
// of so many row groups each, so that the spells of most persons lie in several parts.
func cut(t *testing.T, files, groups int) (runFile string) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, demo.Files))
	whole := filepath.Join(folder, "data", "spells", "part-00001.parquet")
	schema, rows := readRows(t, whole)
	require.NoError(t, os.Remove(whole))
	r := rand.New(rand.NewPCG(6, 2026))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for i := range files {
		var b bytes.Buffer
		w := parquet.NewWriter(&b, schema)
		mine := rows[len(rows)*i/files : len(rows)*(i+1)/files]
		for g := range groups {
			_, err := w.WriteRows(mine[len(mine)*g/groups : len(mine)*(g+1)/groups])
			require.NoError(t, err)
			require.NoError(t, w.Flush())
		}
		require.NoError(t, w.Close())
		name := filepath.Join(folder, "data", "spells", fmt.Sprintf("file-%d.parquet", i))
		require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
	}
	return filepath.Join(folder, "jobeffekt.yaml")
}

func readRows(t *testing.T, name string) (*parquet.Schema, []parquet.Row) {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	f, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	rows := make([]parquet.Row, 0, f.NumRows())
	for _, group := range f.RowGroups() {
		from := group.Rows()
		buffer := make([]parquet.Row, 1000)
		for {
			n, err := from.ReadRows(buffer)
			for _, row := range buffer[:n] {
				rows = append(rows, row.Clone())
			}
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
		require.NoError(t, from.Close())
	}
	require.Len(t, rows, int(f.NumRows()))
	return f.Schema(), rows
}

// contents are the files of a folder by name.
func contents(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	require.NoError(t, fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == jobeffekt.LockName { // the lock says who holds it
			return err
		}
		all[name], err = os.ReadFile(filepath.Join(folder, name))
		return err
	}))
	return all
}

// same requires the same files with the same bytes.
func same(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	require.NotEmpty(t, want)
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	for name := range want {
		assert.Truef(t, bytes.Equal(want[name], got[name]), "%s differs", name)
	}
}

// command builds jobeffekt of the folder beside this one.
func command(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "jobeffekt")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./cmd/jobeffekt")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// Prism runs in this process: the same tables and manifest, byte for byte, as the
// command measure, whether a part is a file or a few row groups; and a job that is
// done again overwrites its partials and results with the same bytes.
func TestPrism(t *testing.T) {
	runFile := cut(t, 3, 4)
	results := filepath.Join(filepath.Dir(runFile), "results")
	out, err := exec.Command(command(t), "measure", runFile).CombinedOutput()
	require.NoError(t, err, "%s", out)
	want := contents(t, results)
	job := Job{Partials: filepath.Join(t.TempDir(), "partials")}
	measured := func(groups, parts int) map[string][]byte {
		require.NoError(t, os.RemoveAll(results))
		var said bytes.Buffer
		require.NoError(t, run(t.Context(), job, groups, []string{runFile}, &said))
		assert.Equal(t, fmt.Sprintf("Parts of spells measured: %d\n\nResults are in %s\n", parts, results), said.String())
		same(t, want, contents(t, results))
		return contents(t, job.Partials)
	}
	assert.Len(t, measured(3, 6), 6)
	require.NoError(t, os.RemoveAll(job.Partials))
	whole := measured(0, 3)
	assert.Len(t, whole, 3)
	same(t, whole, measured(0, 3)) // over what stands there
}

// What stands on the command line replaces what stands in the run file, for every worker.
func TestReplaced(t *testing.T) {
	runFile := cut(t, 2, 1)
	data := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Rename(filepath.Join(filepath.Dir(runFile), "data"), data))
	out := t.TempDir()
	job := Job{Partials: t.TempDir(), AsOf: "2010-05-31", Data: data, Out: out}
	require.NoError(t, run(t.Context(), job, 0, []string{runFile}, io.Discard))
	got := contents(t, out)

	c, err := jobeffekt.LoadConfig(runFile)
	require.NoError(t, err)
	assert.NoDirExists(t, c.ResultsFolder())
	c.AsOf, err = effect.ParseDate("2010-05-31")
	require.NoError(t, err)
	c.Data, c.Out = data, out // as the manifest names the data from the results, the same folder
	require.NoError(t, os.RemoveAll(out))
	_, err = jobeffekt.RunStep(t.Context(), c, jobeffekt.StepMeasure)
	require.NoError(t, err)
	same(t, contents(t, out), got)
}

// A part that no worker was given is missed by name, and nothing is written.
func TestPartMissing(t *testing.T) {
	job := Job{RunFile: cut(t, 3, 1), Partials: t.TempDir()}
	c, parts, err := job.plan(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, parts, 3)
	err = beamx.Run(t.Context(), job.pipeline(parts[:2]))
	require.ErrorContains(t, err, "file-2.parquet")
	assert.NoFileExists(t, filepath.Join(c.ResultsFolder(), jobeffekt.ManifestName))
}

// So is one whose file is gone when its worker looks for it.
func TestFileGone(t *testing.T) {
	job := Job{RunFile: cut(t, 3, 1), Partials: t.TempDir()}
	c, parts, err := job.plan(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(filepath.Dir(job.RunFile), "data", "spells", "file-1.parquet")))
	err = beamx.Run(t.Context(), job.pipeline(parts))
	require.ErrorContains(t, err, "file-1.parquet")
	assert.NoFileExists(t, filepath.Join(c.ResultsFolder(), jobeffekt.ManifestName))
}

func TestUsage(t *testing.T) {
	runFile := cut(t, 1, 1)
	for name, x := range map[string]struct {
		job    Job
		groups int
		args   []string
		usage  bool
		says   string
	}{
		"no run file":       {Job{Partials: "x"}, 0, nil, true, "one run file"},
		"flags after it":    {Job{Partials: "x"}, 0, []string{"jobeffekt.yaml", "--groups"}, true, "after the flags"},
		"no partials":       {Job{}, 0, []string{"jobeffekt.yaml"}, true, "--partials"},
		"negative groups":   {Job{Partials: "x"}, -1, []string{"jobeffekt.yaml"}, true, "--groups"},
		"no such run file":  {Job{Partials: "x"}, 0, []string{"missing.yaml"}, false, "missing.yaml"},
		"as_of that is not": {Job{Partials: "x", AsOf: "june"}, 0, []string{runFile}, true, "--as-of"},
		"data at a URL":     {Job{Partials: "x", Data: "s3://bucket/folder"}, 0, []string{runFile}, false, "s3://bucket/folder is a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), x.job, x.groups, x.args, io.Discard)
			require.ErrorContains(t, err, x.says)
			assert.Equal(t, x.usage, errors.As(err, new(usageError)))
		})
	}
}
