package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
)

// The folder has what its marker says, for its owner alone, and is made again to the same
// bytes in place of an earlier one.
func TestFolder(t *testing.T) {
	p, out := smallWorld().publication(t), filepath.Join(t.TempDir(), "new", "out")
	o := Options{Languages: []string{"da", "en"}, Yearly: true, Only: []Part{Committee}}
	require.NoError(t, Write(context.Background(), p, out, o))
	first, err := os.ReadFile(filepath.Join(out, jobeffekt.PublishedName))
	require.NoError(t, err)
	m, err := jobeffekt.ReadPublished(out)
	require.NoError(t, err)
	require.Len(t, m.Files, 2)
	for _, f := range m.Files {
		b, err := os.ReadFile(filepath.Join(out, f.Path))
		require.NoError(t, err)
		sum := sha256.Sum256(b)
		assert.Equal(t, hex.EncodeToString(sum[:]), f.SHA256)
		assert.EqualValues(t, len(b), f.Bytes)
	}
	require.NoError(t, filepath.WalkDir(out, func(_ string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077)
		return nil
	}))
	require.NoError(t, Write(context.Background(), p, out, o))
	second, err := os.ReadFile(filepath.Join(out, jobeffekt.PublishedName))
	require.NoError(t, err)
	assert.Equal(t, string(first), string(second))
	// One of fewer files in its place leaves nothing of the earlier one.
	o.Languages = []string{"da"}
	require.NoError(t, Write(context.Background(), p, out, o))
	assert.NoFileExists(t, filepath.Join(out, "report.en.html"))
	left, err := os.ReadDir(filepath.Dir(out))
	require.NoError(t, err)
	assert.Len(t, left, 1, "nothing is left beside the folder")
}

// What is no publication is not replaced, and what fails leaves what was there.
func TestFolderIsWholeOrNotAtAll(t *testing.T) {
	p, parent := smallWorld().publication(t), t.TempDir()
	other := filepath.Join(parent, "other")
	require.NoError(t, os.Mkdir(other, 0o700))
	require.ErrorIs(t, Write(context.Background(), p, other, Default()), ErrFolder)
	require.NoError(t, os.WriteFile(filepath.Join(other, jobeffekt.PublishedName), []byte(`{"format": 1.5, "title": "of another program"}`), 0o600))
	require.ErrorIs(t, Write(context.Background(), p, other, Default()), ErrFolder, "a file of the name is not enough")
	notFolder := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(notFolder, nil, 0o600))
	require.ErrorIs(t, Write(context.Background(), p, notFolder, Default()), ErrFolder)

	// A file of that name makes no publication, nor does a publication own what others put there.
	thesis := filepath.Join(other, "thesis.txt")
	require.NoError(t, os.WriteFile(thesis, nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(other, jobeffekt.PublishedName), []byte(`{"format": 1, "files": []}`), 0o600))
	require.ErrorIs(t, Write(context.Background(), p, other, Default()), ErrFolder)
	require.NoError(t, os.WriteFile(filepath.Join(other, jobeffekt.PublishedName), []byte(`{"format": 1, "manifest_sha256": "ab", "files": []}`), 0o600))
	require.ErrorContains(t, Write(context.Background(), p, other, Default()), "thesis.txt")
	require.FileExists(t, thesis)

	out := filepath.Join(parent, "out")
	require.NoError(t, writeFolder(context.Background(), p, out, Default(), []file{{"a/b.txt", func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "x"); return err }}}))
	broken := errors.New("broken")
	err := writeFolder(context.Background(), p, out, Default(), []file{{"c.txt", func(context.Context, io.Writer) error { return broken }}})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "c.txt")
	assert.FileExists(t, filepath.Join(out, "a", "b.txt"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, Write(ctx, p, out, Default()), context.Canceled)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Len(t, left, 3)
}

func TestOptions(t *testing.T) {
	require.NoError(t, Default().Check())
	for _, o := range []Options{{}, {Languages: []string{"sv"}}, {Languages: []string{"da", "da"}}, {Languages: []string{"da"}, Only: []Part{"pdf"}}, {Languages: []string{"da"}, Only: []Part{CSV, CSV}}} {
		require.Error(t, o.Check())
		require.Error(t, Write(context.Background(), &jobeffekt.Publication{}, t.TempDir(), o))
	}
}

// Names of files hold only what every system takes, and differ where ids do.
func TestFileName(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"L751-1", "a b", "a/b", "../../etc", "", "..", "æ", "(own)", "a_b"} {
		name := fileName(id)
		assert.Regexp(t, `^[A-Za-z0-9_-]+$`, name)
		assert.NotContains(t, seen, name)
		seen[name] = id
	}
	assert.Equal(t, "L751-1", fileName("L751-1"))
}
