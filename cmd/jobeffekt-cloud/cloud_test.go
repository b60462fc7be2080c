package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt-cloud/store"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// demo is the dataset of the demonstration.
const demo = "../jobeffekt/demo/data"

// measured is what the run file of these tests asks: all that needs spells.
const measured = `
data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment], at: 26 weeks}
compare: {covariates: [age, elapsed_benefit_weeks]}
`

// job is a run file in a folder of its own.
func job(t testing.TB, data string) *jobeffekt.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jobeffekt.yaml")
	require.NoError(t, os.WriteFile(path, []byte(measured), 0o600))
	c, err := jobeffekt.LoadConfig(path)
	require.NoError(t, err)
	c.Data, c.Open = data, store.DefaultOptions().Open
	return c
}

// tables are the hashes of what a step wrote.
func tables(t *testing.T, c *jobeffekt.Config) map[string]string {
	t.Helper()
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	out := map[string]string{}
	for _, r := range m.Results {
		out[r.Path] = r.SHA256
	}
	return out
}

// absolute is a folder of this machine as a URL.
func absolute(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	return "file://" + filepath.ToSlash(dir)
}

// measuredHere is the step measure of the demonstration, from its folder.
func measuredHere(t *testing.T) *jobeffekt.Config {
	t.Helper()
	here := job(t, "")
	var err error
	here.Data, err = filepath.Abs(demo)
	require.NoError(t, err)
	_, err = jobeffekt.RunStep(context.Background(), here, jobeffekt.StepMeasure)
	require.NoError(t, err)
	return here
}

// The same bytes come out of a folder, the folder as a URL, and a store.
func TestSameBytes(t *testing.T) {
	ctx := context.Background()
	d := open(t)
	d.upload(t, demo, "some/data")
	here := measuredHere(t)
	for _, url := range []string{absolute(t, demo), d.url("some/data")} {
		there := job(t, url)
		_, err := jobeffekt.RunStep(ctx, there, jobeffekt.StepMeasure)
		require.NoError(t, err)
		require.Equal(t, tables(t, here), tables(t, there), url)
		m, err := jobeffekt.ReadManifest(there.ResultsFolder())
		require.NoError(t, err)
		require.Equal(t, url, m.Data)
		differences, err := jobeffekt.VerifyFrom(ctx, there.ResultsFolder(), there.Open)
		require.NoError(t, err)
		require.Empty(t, differences)

		// Past one machine: each part by whoever comes, from the store.
		spread := job(t, url)
		parts, err := jobeffekt.Parts(ctx, spread, 1)
		require.NoError(t, err)
		var partials []string
		for i, part := range parts {
			partials = append(partials, filepath.Join(t.TempDir(), itoa(i)+".partial"))
			_, err := jobeffekt.MapParts(ctx, spread, []jobeffekt.Part{part}, partials[i])
			require.NoError(t, err)
		}
		_, err = jobeffekt.Reduce(ctx, spread, partials)
		require.NoError(t, err)
		require.Equal(t, tables(t, here), tables(t, spread), url)
	}
}

// Both file systems are what io/fs wants, and list what lies there.
func TestFileSystem(t *testing.T) {
	ctx := context.Background()
	d := open(t)
	d.upload(t, demo, "data")
	d.put(t, "data/spells/", nil)       // the marker that some programs make of a folder
	d.put(t, "database/x.parquet", nil) // another folder whose name begins alike
	names := []string{"municipalities.parquet", "spells/part-00001.parquet", "persons/part-00001.parquet"}
	for _, url := range []string{absolute(t, demo), d.url("data/"), d.url("/data")} {
		fsys, err := store.DefaultOptions().Open(ctx, url)
		require.NoError(t, err)
		require.NoError(t, fstest.TestFS(fsys, names...), url)
		_, err = fsys.Open("base/x.parquet")
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	whole, err := store.DefaultOptions().Open(ctx, d.url(""))
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(whole, "data/spells/part-00001.parquet", "database/x.parquet"))
}

// More objects than a list's answer has room for.
func TestLongLists(t *testing.T) {
	d := open(t)
	for i := range 1203 {
		d.put(t, "data/spells/part-"+strings.Repeat("0", 4-len(itoa(i)))+itoa(i)+".parquet", []byte("x"))
	}
	d.forget()
	fsys, err := store.DefaultOptions().Open(context.Background(), d.url("data"))
	require.NoError(t, err)
	entries, err := fsys.(interface {
		ReadDir(string) ([]os.DirEntry, error)
	}).ReadDir("spells")
	require.NoError(t, err)
	require.Len(t, entries, 1203)
	require.Equal(t, "part-1202.parquet", entries[1202].Name())
	require.Equal(t, map[string]int{"LIST": 2}, d.count())
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// What a dataset asks of a store: footers in one read, columns together, nothing twice.
func TestRequests(t *testing.T) {
	ctx := context.Background()
	d := open(t)
	d.upload(t, demo, "data")
	c := job(t, demo)
	opt := c.IngestOptions()

	narrow := store.DefaultOptions()
	narrow.Gap, narrow.Least = 0, 1
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(demo, filepath.FromSlash(name)))
		require.NoError(t, err)
		return info.Size()
	}
	d.forget()
	fsys, err := narrow.Open(ctx, d.url("data"))
	require.NoError(t, err)
	ds, err := ingest.OpenFS(fsys, "s3://region/data", opt)
	require.NoError(t, err)
	// Nine files of tables are there, and truth.parquet, which is no table.
	require.Equal(t, 9, len(ds.Files()))
	require.Equal(t, 1+3, d.count()["LIST"], "the folder, and the three that are tables")
	require.Equal(t, 9, d.count()["HEAD"])
	require.LessOrEqual(t, d.count()["GET"], 2*9, "head and footer of each file; of small ones all at once")

	d.forget()
	_, err = jobeffekt.Measure(ctx, ds, c)
	require.NoError(t, err)
	require.Zero(t, d.count()["HEAD"]+d.count()["LIST"], "what was looked at is not looked at again")
	require.Positive(t, d.count()["GET"])
	all := size("spells/part-00001.parquet") + size("participations/part-00001.parquet") + size("persons/part-00001.parquet")
	require.Less(t, d.sent(), all*9/10, "columns that nobody asks for are not read")

	// With gaps and pieces of their standard size, one request a file and row group.
	groups := d.count()["GET"]
	d.forget()
	fsys, err = store.DefaultOptions().Open(ctx, d.url("data"))
	require.NoError(t, err)
	ds, err = ingest.OpenFS(fsys, "s3://region/data", opt)
	require.NoError(t, err)
	d.forget()
	_, err = jobeffekt.Measure(ctx, ds, c)
	require.NoError(t, err)
	require.Less(t, d.count()["GET"], groups)

	// Read whole, as to hash it, in pieces.
	d.forget()
	pieces := store.DefaultOptions()
	pieces.Piece = 100 << 10
	fsys, err = pieces.Open(ctx, d.url("data"))
	require.NoError(t, err)
	ds, err = ingest.OpenFS(fsys, "s3://region/data", opt)
	require.NoError(t, err)
	for i, name := range ds.Files() {
		if !strings.Contains(name, "/spells/") {
			continue
		}
		d.forget()
		b := readFile(t, ds, i)
		want, err := os.ReadFile(filepath.Join(demo, "spells", "part-00001.parquet"))
		require.NoError(t, err)
		require.True(t, string(want) == string(b))
		require.Equal(t, map[string]int{"GET": (len(want) + 100<<10 - 1) / (100 << 10)}, d.count())
		// The last answer is counted when it has gone out, which may be after it came in.
		require.Eventually(t, func() bool { return d.sent() == int64(len(want)) }, 5*time.Second, time.Millisecond)
	}
}

// With little room, pieces are fetched again rather than held, and nothing else changes.
func TestLittleRoom(t *testing.T) {
	ctx := context.Background()
	d := open(t)
	d.upload(t, demo, "data")
	here := measuredHere(t)
	there := job(t, d.url("data"))
	o := store.DefaultOptions()
	o.Piece, o.Least, o.Gap, o.Keep, o.Ahead = 5000, 100, 10, 12_000, 1
	there.Open = o.Open
	_, err := jobeffekt.RunStep(ctx, there, jobeffekt.StepMeasure)
	require.NoError(t, err)
	require.Equal(t, tables(t, here), tables(t, there))
}

// The command takes a URL after --data, says what is wrong with one, and shows no
// credentials.
func TestCommand(t *testing.T) {
	d := open(t)
	d.upload(t, demo, "data")
	c := job(t, "")
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], args...)
		cmd.Env = append(os.Environ(), "JOBEFFEKT_TEST_AS=command", "HOME="+t.TempDir(), "NO_GCE_CHECK=true")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("check", c.Path, "--data", d.url("data"))
	require.NoError(t, err, out)
	require.Contains(t, out, "in order")
	out, err = run("measure", c.Path, "--data", d.url("data"))
	require.NoError(t, err, out)
	require.NotContains(t, out, "WARN")
	out, err = run("verify", c.ResultsFolder())
	require.NoError(t, err, out)
	require.Contains(t, out, "the same bytes")
	out, err = run("check", "--help")
	require.NoError(t, err, out)
	require.Contains(t, out, "jobeffekt-cloud check")

	for data, want := range map[string]string{
		"s3://id:hush@region/data":                      "a user, or a password, before @",
		d.url("data") + "&secret_access_key=hush":       "the URL's secret_access_key is a credential",
		"ftp://region/data":                             "no such store",
		d.url("dat"):                                    "nothing lies there",
		strings.Replace(d.url("data"), "reg", "org", 1): "s3://",
		"s3://region/data?nonsense=hush":                "nonsense",
		"gs://region/data":                              "GOOGLE_APPLICATION_CREDENTIALS",
		"azblob://region/data":                          "AccountName is required (docs/cloud.md",
		"file:///no/such/folder":                        "no such file",
	} {
		out, err := run("check", c.Path, "--data", data)
		require.Error(t, err, out)
		assert.Contains(t, out, want)
		assert.NotContains(t, out, "hush", data)
	}
}
