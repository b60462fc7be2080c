package command

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
)

// disk mounts a file system of some bytes on a folder, and returns what gives it another size.
func disk(t *testing.T, folder string, bytes int64) (resize func(bytes int64)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	require.NoError(t, os.MkdirAll(folder, 0o700))
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprint("size=", bytes)); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) })
	return func(bytes int64) {
		require.NoError(t, syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, fmt.Sprint("size=", bytes)))
	}
}

// used is how much of a file system is taken.
func used(t *testing.T, folder string) int64 {
	t.Helper()
	var s syscall.Statfs_t
	require.NoError(t, syscall.Statfs(folder, &s))
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

const roomy = 64 << 20

// A disk that is full leaves what stands there whole, says where and what to do, and with
// more room the same command makes what it always does.
func TestDiskFull(t *testing.T) {
	if !full() {
		t.Skip("it takes a minute: JOBEFFEKT_FULL=1, or .ci/faults")
	}
	folder, hash := proposed(t, 1000)
	mnt := filepath.Join(folder, "mnt")
	resize := disk(t, mnt, roomy)
	tries := 2
	if full() {
		tries = 12
	}
	var kept strings.Builder
	check := func(name string, what []string, args, undo []string, same bool) {
		t.Run(name, func(t *testing.T) {
			resize(roomy)
			before, first := tree(t, mnt), used(t, mnt)
			does(t, folder, args...)
			after, last := tree(t, mnt), used(t, mnt)
			// What is needed at most is not known: halve and double what it came to.
			failed, tried := 0, 0
			for i := range tries {
				resize(roomy)
				if undo != nil {
					does(t, folder, undo...)
				} else {
					for n := range after {
						if _, had := before[n]; !had {
							require.NoError(t, os.RemoveAll(filepath.Join(mnt, strings.Split(n, "/")[0])))
						}
					}
				}
				now := tree(t, mnt)
				base := used(t, mnt)
				resize(base + max(last-first, 64<<10)*int64(i)/int64(tries) + 4096)
				tried++
				c := program(folder, args...)
				var said bytes.Buffer
				c.Stderr = &said
				if c.Run() == nil {
					continue
				}
				failed++
				assert.Equal(t, exitFailed, c.ProcessState.ExitCode())
				for _, s := range what {
					assert.Contains(t, said.String(), s)
				}
				left := tree(t, mnt)
				delete(left, "ledger.db-journal")
				for n := range left {
					assert.False(t, making(n), "%s is left", n)
				}
				assert.True(t, fmt.Sprint(now) == fmt.Sprint(left), "what stood there is not as it was")
				if same {
					resize(roomy)
					does(t, folder, args...)
					assert.True(t, fmt.Sprint(after) == fmt.Sprint(tree(t, mnt)), "with room it is not as it would have been")
				}
			}
			require.Positive(t, failed)
			fmt.Fprintf(&kept, "| %s | %d | %d |\n", name, tried, failed)
		})
	}
	full := []string{"no space left on device", "make room for", "mnt"}
	check("run, into a new folder", full, []string{"run", "jobeffekt.yaml", "-q", "--out", "mnt/results"}, nil, true)
	check("run, over earlier results", full, []string{"run", "jobeffekt.yaml", "-q", "--out", "mnt/results"}, []string{"run", "jobeffekt.yaml", "-q", "--out", "mnt/results", "--as-of", "2008-05-31"}, true)
	require.NoError(t, os.RemoveAll(filepath.Join(mnt, "results")))
	check("report", full, []string{"report", "results", "--out", "mnt/publication"}, nil, true)
	require.NoError(t, os.RemoveAll(filepath.Join(mnt, "publication")))

	b, err := os.ReadFile(filepath.Join(folder, "ledger.db"))
	require.NoError(t, err)
	path := filepath.Join(mnt, "ledger.db")
	book := append([]string{"ledger", "book", "results", "--ledger", "mnt/ledger.db", "--period", "2008H1"}, accepts(hash)...)
	failed := 0
	for i := range tries {
		resize(roomy)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		was := booked(t, path)
		resize(used(t, mnt) + int64(i)*2*4096)
		c := program(folder, book...)
		var said bytes.Buffer
		c.Stderr = &said
		if c.Run() == nil {
			continue
		}
		failed++
		assert.Contains(t, said.String(), "the ledger could not be read or written, and is as it was")
		assert.Equal(t, was, booked(t, path))
		resize(roomy)
		does(t, folder, book...)
		assert.NotEqual(t, was, booked(t, path))
	}
	require.Positive(t, failed)
	fmt.Fprintf(&kept, "| ledger book | %d | %d |\n", tries, failed)
	keep(t, func(k *strings.Builder) {
		fmt.Fprintf(k, "## A disk that is full\n\nA file system in memory, of several sizes.\n\n| command | sizes tried | too small |\n|---|---:|---:|\n%s\nEach failure: exit code 1, the message says where and what to do, what stood there is byte for byte as it was, and with more room the same command makes the same bytes.\n", kept.String())
	})
}

// nobody is who may read everything here and write nothing.
func nobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
}

// A folder that may not be written to, or is on a file system that is read only, and files that may not
// be read.
func TestMayNotWrite(t *testing.T) {
	if !full() {
		t.Skip("it takes a minute: JOBEFFEKT_FULL=1, or .ci/faults")
	}
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	folder, hash := proposed(t, 1000)
	for at := folder; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && info.Mode().Perm()&1 == 0 {
			require.NoError(t, os.Chmod(at, info.Mode().Perm()|0o055))
		}
	}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Base(path) != "tmp" {
			err = os.Chmod(path, map[bool]os.FileMode{true: 0o755, false: 0o644}[d.IsDir()])
		}
		return err
	}))
	require.NoError(t, os.Chmod(filepath.Join(folder, "tmp"), 0o777))
	before := tree(t, folder)
	commands := map[string][]string{
		"run":        {"run", "jobeffekt.yaml", "-q", "--as-of", "2008-05-31"},
		"run, new":   {"run", "jobeffekt.yaml", "-q", "--out", "new/results"},
		"report":     {"report", "results", "--out", "publication"},
		"book":       append([]string{"ledger", "book", "results", "--ledger", "ledger.db", "--period", "2008H1"}, accepts(hash)...),
		"new ledger": append([]string{"ledger", "propose", "results", "--ledger", "new.db"}, proposes()...),
		"compare":    {"compare", "results", "results", "--out", "changes.csv"},
		"arrange":    {"arrange", "data", "--out", "arranged"},
		"map":        {"map", "jobeffekt.yaml", "--part", "spells/part-00001.parquet", "--to", "a.partial"},
		"seal":       append([]string{"seal", "terms.yaml", "--version", "2008-01-01"}, seals()...),
		"synth":      {"synth", "world", "--persons", "50", "--municipalities", "3"},
	}
	for name, args := range commands {
		c := program(folder, args...)
		c.SysProcAttr = nobody()
		if err := c.Start(); err != nil {
			t.Skipf("nobody cannot start the program: %v", err)
		}
		_ = c.Wait()
		c = program(folder, args...)
		c.SysProcAttr = nobody()
		code, said := fails(t, c)
		assert.Equal(t, exitFailed, code, name)
		if name != "seal" { // there is nothing to seal
			assert.Regexp(t, "permission denied|could not be read or written", said, name)
			assert.Regexp(t, "give .* to who runs this|is as it was: see", said, name)
		}
		assert.Equal(t, before, tree(t, folder), name)
	}

	// The same for root, where the file system is read only.
	require.NoError(t, os.RemoveAll(filepath.Join(folder, "tmp")))
	require.NoError(t, os.Symlink(os.TempDir(), filepath.Join(folder, "tmp")))
	mnt := t.TempDir()
	if err := syscall.Mount(folder, mnt, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("no folder can be mounted here: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(mnt, syscall.MNT_DETACH)) })
	require.NoError(t, syscall.Mount("", mnt, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for name, args := range commands {
		code, said := fails(t, program(mnt, args...))
		assert.Equal(t, exitFailed, code, name)
		if name != "seal" {
			assert.Regexp(t, "read-only file system|could not be read or written", said, name)
		}
	}

	// A table that may not be read.
	require.NoError(t, os.Chmod(filepath.Join(folder, "data", "spells", "part-00001.parquet"), 0))
	c := program(folder, "run", "jobeffekt.yaml", "-q")
	c.SysProcAttr = nobody()
	code, said := fails(t, c)
	assert.Equal(t, exitFailed, code)
	assert.Regexp(t, `spells.part-00001\.parquet.*permission denied`, said)
}

// Output that nobody can read does not stop the work, and is told by the exit code.
func TestOutputIsLost(t *testing.T) {
	folder, hash := proposed(t, 1000)
	gone, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer gone.Close()
	c := program(folder, "run", "jobeffekt.yaml", "-q", "--as-of", "2008-05-31", "--metrics", "night.prom")
	c.Stdout = gone
	code, said := fails(t, c)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "jobeffekt: what was asked for was done, and standard output could not be written to")
	m, err := jobeffekt.ReadManifest(filepath.Join(folder, "results"))
	require.NoError(t, err)
	assert.Equal(t, "2008-05-31", m.AsOf.String())
	assert.Contains(t, fileText(t, filepath.Join(folder, "night.prom")), "jobeffekt_run_success{run=\"night\"} 1")

	// Who reads went away, as head does: the booking is made.
	does(t, folder, "run", "jobeffekt.yaml", "-q")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	c = program(folder, append([]string{"settle", "jobeffekt.yaml", "-q", "--ledger", "ledger.db", "--book", "2008H1"}, accepts(hash)...)...)
	c.Stdout = w
	was := booked(t, filepath.Join(folder, "ledger.db"))
	code, said = fails(t, c)
	assert.Equal(t, 141, code, said)
	assert.Empty(t, said)
	assert.NotEqual(t, was, booked(t, filepath.Join(folder, "ledger.db")))
}

// A terminal that closes ends the work as SIGTERM does, but for what nohup started; a process
// that is stopped and goes on does as if it never was; a second interrupt ends it at once.
func TestSignals(t *testing.T) {
	folder, _ := proposed(t, 1000)
	results := filepath.Join(folder, "results")
	before := tree(t, results)
	run := filepath.Join(folder, "jobeffekt.yaml")
	c, said := begun(t, run, results)
	require.NoError(t, c.Process.Signal(syscall.SIGHUP))
	require.NoError(t, c.Process.Signal(syscall.SIGCONT))
	if err := c.Wait(); signal.Ignored(syscall.SIGHUP) {
		require.NoError(t, err, "these tests were started by nohup")
	} else {
		require.Error(t, err)
		assert.Equal(t, 129, c.ProcessState.ExitCode())
		assert.Contains(t, said.String(), "stopped; no result was written")
		assert.Equal(t, before, tree(t, results))
	}

	c, _ = begun(t, run, results)
	require.NoError(t, c.Process.Signal(syscall.SIGCONT))
	require.NoError(t, c.Wait())

	c, _ = begun(t, run, results)
	require.NoError(t, c.Process.Signal(syscall.SIGINT))
	require.NoError(t, c.Process.Signal(syscall.SIGCONT))
	time.Sleep(5 * time.Millisecond)
	_ = c.Process.Signal(syscall.SIGINT) // the first may have ended it
	require.Error(t, c.Wait())
	assert.Contains(t, []int{130, -1}, c.ProcessState.ExitCode())

	// The folder goes while a run goes: nothing is published anywhere.
	c, said = begun(t, run, results)
	require.NoError(t, os.Rename(results, results+"-moved"))
	require.NoError(t, os.Mkdir(results, 0o700))
	require.NoError(t, c.Process.Signal(syscall.SIGCONT))
	require.Error(t, c.Wait())
	assert.Equal(t, exitFailed, c.ProcessState.ExitCode(), said.String())
	assert.Empty(t, tree(t, results))
	require.NoError(t, os.Remove(results))

	// A link to a folder of another file system is followed, and stays.
	away, err := os.MkdirTemp("/dev/shm", "jobeffekt-test-")
	require.NoError(t, err)
	defer os.RemoveAll(away)
	require.NoError(t, os.Symlink(away, results))
	does(t, folder, "run", "jobeffekt.yaml", "-q")
	info, err := os.Lstat(results)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink)
	m, err := jobeffekt.ReadManifest(away)
	require.NoError(t, err)
	assert.NotEmpty(t, m.Results)
}

// Two at the same time: one goes before the other, or one is told that the other writes. What
// comes of it is whole, and that of one.
func TestTwoAtTheSameTime(t *testing.T) {
	template, hash := proposed(t, 1000)
	does(t, template, "report", "results", "--out", "publication")
	run := []string{"run", "jobeffekt.yaml", "-q", "--again"}
	report := []string{"report", "results", "--out", "publication"}
	book := append([]string{"ledger", "book", "results", "--ledger", "ledger.db", "--period", "2008H1"}, accepts(hash)...)
	after := tree(t, template)
	times := 1
	if full() {
		times = 5
	}
	rows := ""
	for name, pair := range map[string][2][]string{
		"run and run":       {run, run},
		"run and report":    {run, report},
		"run and measure":   {run, {"measure", "jobeffekt.yaml", "-q"}},
		"book and book":     {book, book},
		"report and report": {report, report},
	} {
		ok, refused := 0, 0
		for range times {
			folder := copied(t, template)
			var wait sync.WaitGroup
			var codes [2]int
			var said [2]bytes.Buffer
			for i, args := range pair {
				wait.Go(func() {
					c := program(folder, args...)
					c.Stderr = &said[i]
					_ = c.Run()
					codes[i] = c.ProcessState.ExitCode()
				})
			}
			wait.Wait()
			for i, code := range codes {
				if code == exitDone {
					ok++
					continue
				}
				refused++
				assert.Equal(t, exitFailed, code, name)
				assert.Regexp(t, "another (run|program) |no manifest.json in it|is not as it was written|no such file|changed after it was opened", said[i].String(), name)
			}
			if name == "book and book" {
				assert.Zero(t, refused, "who comes second waits, and finds it booked")
				assert.NotEqual(t, booked(t, filepath.Join(template, "ledger.db")), booked(t, filepath.Join(folder, "ledger.db")))
				continue
			}
			now := tree(t, folder)
			for n, text := range now {
				assert.False(t, making(n), "%s: %s is left", name, n)
				if name != "run and measure" {
					assert.True(t, text == after[n], "%s: %s differs", name, n)
				}
			}
			if name == "run and measure" { // whichever came last
				differs, err := os.ReadFile(filepath.Join(folder, "results", jobeffekt.ManifestName))
				require.NoError(t, err)
				assert.Contains(t, string(differs), "measure")
			} else {
				assert.Len(t, now, len(after), name)
			}
		}
		rows += fmt.Sprintf("| %s | %d | %d | %d |\n", name, times, ok, refused)
	}
	keep(t, func(k *strings.Builder) {
		fmt.Fprintf(k, "## Two at the same time\n\n| commands | times | processes that ended well | refused |\n|---|---:|---:|---:|\n%s\nEvery folder is whole afterwards, and of one of the two; nothing is booked twice.\n", rows)
	})
}
