package jobeffekt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// someHeader is a header with everything in it.
func someHeader() *partialHeader {
	return &partialHeader{
		Program: Program{Module: "m", Version: "v1.0.0", Go: "go1.26", Platform: "linux/amd64"}, Build: "v1.0.0 go1.26",
		RunFile: "aa", AsOf: effect.NewDate(2010, 6, 30), Inputs: []Source{{Path: "participations.parquet", Bytes: 7, SHA256: "bb"}},
		Spells: []mappedFile{
			{Path: "spells/a.parquet", Bytes: 9, Groups: 4, Footer: "cc", Parts: [][2]int{{0, 1}, {3, 4}}, Whole: "dd", Pages: []string{"0", "1", "2", "3"}},
			{Path: "spells/b.parquet", Bytes: 9, Groups: 4, Footer: "ee", Parts: [][2]int{{2, 4}}, Pages: []string{"2", "3"}},
			{Path: "spells/c.parquet", Bytes: 9, Groups: 2, Footer: "ff", Parts: [][2]int{{0, 2}}, Whole: "gg"},
			{Path: "spells/d.parquet", Bytes: 9, Parts: [][2]int{{0, 0}}, Footer: "hh", Whole: "ii"},
		},
		Rows: 9, Orphans: 3, Empty: 1, Used: 3, Unmapped: []ingest.UnmappedState{{Code: "x", Rows: 1}},
		Rejects: []rejectedRows{{File: 1, Column: "state", Cause: "required, but null", Rows: []int64{3, 5}}},
	}
}

func somePartial(t require.TestingT, to string) []byte {
	_, err := writePartial(to, someHeader(), func(w io.Writer) error {
		_, err := io.WriteString(w, "days of persons")
		return err
	})
	require.NoError(t, err)
	b, err := os.ReadFile(to)
	require.NoError(t, err)
	return b
}

// Every byte of a partial matters: with one of its bits flipped, or cut anywhere, it is refused.
func TestEveryByteOfAPartial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.partial")
	whole := somePartial(t, path)
	p, problem, err := openPartial(context.Background(), path)
	require.NoError(t, err)
	require.Nil(t, problem)
	assert.Equal(t, *someHeader(), p.header)
	assert.Equal(t, "days of persons", string(whole[p.states.From:p.states.To]))
	refused := func(b []byte, why string, k int) {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		_, problem, err := openPartial(context.Background(), path)
		require.NoError(t, err)
		require.NotNil(t, problem, "%s %d", why, k)
		require.Equal(t, path, problem.Partial)
		require.NotEmpty(t, problem.Cure)
	}
	for k := range whole {
		b := bytes.Clone(whole)
		b[k] ^= 1 << (k % 8)
		refused(b, "flipped", k)
		refused(whole[:k], "cut to", k)
	}
	refused(append(bytes.Clone(whole), 0), "longer by", 1)
}

// What a reader of a partial sees while it is replaced is an error, not half of each.
func TestPartialThatIsReplacedWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.partial")
	somePartial(t, path)
	p, problem, err := openPartial(context.Background(), path)
	require.NoError(t, err)
	require.Nil(t, problem)
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
	_, err = (&pieces{p, p.states.From}).Read(make([]byte, 4))
	assert.ErrorIs(t, err, errPartialChanged)
}

// What a map that died left behind is cleared away; what another one is writing is not.
func TestAbandonedPartials(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.partial")
	for _, name := range []string{".a.partial.jobeffekt-123", ".a.partial.jobeffekt-456", ".a.partial", ".a.partial2024", ".b.partial.jobeffekt-7"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600))
	}
	busy := flock.New(filepath.Join(folder, ".a.partial.jobeffekt-456"))
	free, err := busy.TryLock()
	require.NoError(t, err)
	require.True(t, free)
	defer busy.Close()
	somePartial(t, path)
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{".a.partial", ".a.partial.jobeffekt-456", ".a.partial2024", ".b.partial.jobeffekt-7", "a.partial"}, names)

	// Nor does one that fails leave anything.
	_, err = writePartial(filepath.Join(folder, "c.partial"), someHeader(), func(io.Writer) error { return io.ErrShortWrite })
	require.ErrorIs(t, err, io.ErrShortWrite)
	after, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, after, len(entries))
}

// Whatever the bytes, they are a partial or refused: nothing panics, and nothing is
// believed that was not signed.
func FuzzPartial(f *testing.F) {
	folder := f.TempDir()
	whole := somePartial(f, filepath.Join(folder, "seed.partial"))
	body := whole[len(partialMagic) : len(whole)-partialTail]
	f.Add(body, true)
	f.Add(body, false)
	huge := bytes.Clone(body)
	binary.LittleEndian.PutUint64(huge[8:], 1<<60)
	f.Add(huge, true)
	f.Fuzz(func(t *testing.T, body []byte, signed bool) {
		b := append([]byte(partialMagic), body...)
		if signed {
			sum := sha256.Sum256(b)
			b = append(append(b, sum[:]...), partialEnd...)
		}
		path := filepath.Join(t.TempDir(), "a.partial")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		p, problem, err := openPartial(context.Background(), path)
		require.NoError(t, err)
		require.True(t, (p == nil) == (problem != nil))
		if p == nil {
			return
		}
		require.True(t, signed || bytes.HasSuffix(body, []byte(partialEnd)))
		require.LessOrEqual(t, p.states.From, p.states.To)
		for i := range p.header.Spells {
			file := &p.header.Spells[i]
			require.Len(t, file.Pages, len(file.told()))
		}
		t2 := p.header.tally(func(path string) string { return path })
		require.GreaterOrEqual(t, t2.Rows, int64(0))
	})
}

// A released version says which library a program holds; a folder or a fork in its place does not.
func TestWhichLibrary(t *testing.T) {
	const library, nested = "github.com/jobeffekt/jobeffekt", "github.com/jobeffekt/jobeffekt/cmd/x"
	folder := &debug.Module{Path: "../fork", Version: "(devel)"}
	for _, x := range []struct {
		name  string
		info  debug.BuildInfo
		shows string
	}{
		{"the command", debug.BuildInfo{Main: debug.Module{Path: library, Version: "v1.2.0"}}, "v1.2.0"},
		{"another program", debug.BuildInfo{Main: debug.Module{Path: "example.org/x", Version: "v9.0.0"}, Deps: []*debug.Module{{Path: library, Version: "v1.2.0"}}}, "v1.2.0"},
		{"another program with a changed library", debug.BuildInfo{Main: debug.Module{Path: "example.org/x", Version: "v9.0.0"}, Deps: []*debug.Module{{Path: library, Version: "v1.2.0", Replace: folder}}}, "(devel)"},
		{"a command in a module of its own", debug.BuildInfo{Main: debug.Module{Path: nested, Version: "v1.3.0"}, Deps: []*debug.Module{{Path: library, Version: "v0.0.0", Replace: folder}}}, "v1.3.0"},
	} {
		p := ThisProgram()
		p.Version = "(devel)"
		p.builtBy(&x.info)
		require.Equal(t, x.shows, p.Version, x.name)
	}
}
