package whole

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func names(t *testing.T, folder string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// A file in the making is not removed by who sweeps; one that was left is, and nothing else.
func TestFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.csv")
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".a.csv.jobeffekt-123"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".a.csv2024"), nil, 0o600))
	f, err := Replace(path)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(folder, ".a.csv.jobeffekt-123"))
	_, err = f.Write([]byte("one"))
	require.NoError(t, err)
	g, err := Replace(path)
	require.NoError(t, err)
	assert.Len(t, names(t, folder), 3, "the other is written now")
	require.NoError(t, g.Finish())
	require.NoError(t, Sweep(folder, func(name string) bool { return Temporary(name, "a.csv") }))
	require.NoError(t, g.Publish(), "finished and not published yet, it is held too")
	require.NoError(t, f.Publish())
	require.NoError(t, f.Drop())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "one", string(b))
	require.NoError(t, Write(path, 0o644, []byte("two")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
	assert.Equal(t, []string{".a.csv2024", "a.csv"}, names(t, folder))
}

// A folder replaces one; what killed ones left is removed, what they moved away comes back, and two
// at once are one too many.
func TestFolder(t *testing.T) {
	parent := t.TempDir()
	to := filepath.Join(parent, "out")
	for _, left := range []string{".out.jobeffekt-1", ".out.jobeffekt-2.old", ".out-3", ".other.jobeffekt-4"} {
		require.NoError(t, os.Mkdir(filepath.Join(parent, left), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(parent, ".out.jobeffekt-2.old", "a"), []byte("old"), 0o600))
	f, err := NewFolder(to)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(to, "a"), "what was moved away is back")
	var held *HeldError
	_, err = NewFolder(to)
	require.ErrorAs(t, err, &held)
	assert.Contains(t, held.By, fmt.Sprintf("process %d on ", os.Getpid()))
	require.NoError(t, os.WriteFile(filepath.Join(f.Path, "b"), []byte("new"), 0o600))
	require.NoError(t, f.Publish(true))
	assert.Equal(t, []string{"b"}, names(t, to))
	assert.Equal(t, []string{".other.jobeffekt-4", ".out-3", "out"}, names(t, parent))

	f, err = NewFolder(to)
	require.NoError(t, err)
	require.Error(t, f.Publish(false), "it is not empty")
	require.NoError(t, f.Drop())
	require.NoError(t, f.Drop())
	assert.Equal(t, []string{"b"}, names(t, to))
	assert.Len(t, names(t, parent), 3)
}

// Folders for temporary files that nobody holds are removed by the next, and links are not followed.
func TestScratch(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	one, drop, err := Scratch("x")
	require.NoError(t, err)
	left := filepath.Join(parent, "x-17")
	require.NoError(t, os.MkdirAll(left, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(left, ".lock"), nil, 0o600))
	away := filepath.Join(parent, "away")
	require.NoError(t, os.WriteFile(away, []byte("kept"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(parent, "x-18"), 0o700))
	require.NoError(t, os.Symlink(away, filepath.Join(parent, "x-18", ".lock")))
	two, dropTwo, err := Scratch("x")
	require.NoError(t, err)
	assert.NoDirExists(t, left)
	assert.DirExists(t, one)
	require.NoError(t, drop())
	require.NoError(t, dropTwo())
	assert.NoDirExists(t, two)
	b, err := os.ReadFile(away)
	require.NoError(t, err)
	assert.Equal(t, "kept", string(b))
	_, err = Take(filepath.Join(parent, "x-18", ".lock"))
	require.ErrorContains(t, err, "is a link")
}

func TestCure(t *testing.T) {
	for _, e := range []error{syscall.ENOSPC, syscall.EACCES, syscall.EROFS, syscall.EXDEV} {
		err := Cure(&fs.PathError{Op: "write", Path: "a", Err: e}, "FOLDER")
		require.ErrorIs(t, err, e)
		require.ErrorContains(t, err, "FOLDER")
		assert.Equal(t, err, Cure(err, "OTHER"))
	}
	assert.NoError(t, Cure(nil, ""))
	assert.Equal(t, fs.ErrExist, Cure(fs.ErrExist, ""))
}
