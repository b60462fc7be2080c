package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// worldFS is the histories that DuckDB wrote, as files in memory, and the folder
// itself.
func worldFS(t *testing.T) (fstest.MapFS, string) {
	t.Helper()
	dir := filepath.Join(histories, "duckdb")
	files := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = &fstest.MapFile{Data: b}
		return err
	}))
	return files, dir
}

// planned is a file system whose files note what is planned and read.
type planned struct {
	fs.FS
	outside *int // reads that no plan told of
	plans   *int
	fail    func(off int64) error // nil: never
	version Version
}

type plannedFile struct {
	fs.File
	at     io.ReaderAt
	fs     planned
	ranges []Range
}

type versioned struct {
	fs.FileInfo
	version Version
}

func (v versioned) Sys() any { return v.version }

func (p planned) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if at, ok := f.(io.ReaderAt); ok {
		return &plannedFile{File: f, at: at, fs: p}, nil
	}
	return f, nil
}

func (p planned) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(p.FS, name)
	return versioned{info, p.version}, err
}

func (f *plannedFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return versioned{info, f.fs.version}, err
}

func (f *plannedFile) Plan(ranges []Range) {
	*f.fs.plans++
	f.ranges = ranges
	for i, r := range ranges {
		if r.From >= r.To || i > 0 && r.From < ranges[i-1].To {
			*f.fs.outside++
		}
	}
}

func (f *plannedFile) ReadAt(b []byte, off int64) (int, error) {
	if f.fs.fail != nil {
		if err := f.fs.fail(off); err != nil {
			return 0, err
		}
	}
	inside := false
	for _, r := range f.ranges {
		inside = inside || off >= r.From && off+int64(len(b)) <= r.To
	}
	if !inside {
		*f.fs.outside++
	}
	return f.at.ReadAt(b, off)
}

// A file system gives the same as the folder that it is of, is told before what is
// read of it, and names its files.
func TestOpenFS(t *testing.T) {
	files, dir := worldFS(t)
	want, err := OpenFolder(dir, truthOptions())
	require.NoError(t, err)
	wanted, err := want.Cases(context.Background())
	require.NoError(t, err)

	outside, plans := 0, 0
	d, err := OpenFS(planned{FS: files, outside: &outside, plans: &plans}, "s3://bucket/histories/", truthOptions())
	require.NoError(t, err)
	cases, err := d.Cases(context.Background())
	require.NoError(t, err)
	require.True(t, fmt.Sprintf("%+v", wanted) == fmt.Sprintf("%+v", cases), "cases differ") // NaN is not equal
	require.Positive(t, plans)
	require.Zero(t, outside, "reads that no plan told of")

	require.Len(t, d.Files(), len(want.Files()))
	for i, file := range want.Files() {
		rel, err := filepath.Rel(dir, file)
		require.NoError(t, err)
		require.Equal(t, "s3://bucket/histories/"+filepath.ToSlash(rel), d.Files()[i])
		f, err := d.OpenFile(i)
		require.NoError(t, err)
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.True(t, bytes.Equal(files[filepath.ToSlash(rel)].Data, b))
	}
}

// sequential hides that files can be read at an offset.
type sequential struct{ fs.FS }

func (s sequential) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if info, _ := fs.Stat(s.FS, name); err != nil || info.IsDir() {
		return f, err
	}
	return struct{ fs.File }{f}, nil
}

func TestFileSystemsThatFail(t *testing.T) {
	files, _ := worldFS(t)
	_, err := OpenFS(sequential{files}, "archive.zip", truthOptions())
	require.ErrorIs(t, err, ErrNoReaderAt)
	require.ErrorContains(t, err, "archive.zip")

	_, err = OpenFS(fstest.MapFS{"spells/part-0.csv": {}}, "s3://bucket", truthOptions())
	require.ErrorContains(t, err, "s3://bucket/spells: the folder holds no *.parquet file")
	_, err = OpenFS(fstest.MapFS{"spells/a.parquet": {}, "spells.parquet": {}}, "s3://bucket", truthOptions())
	require.ErrorContains(t, err, "s3://bucket/spells.parquet: the table is there twice")
	_, err = OpenFS(fstest.MapFS{"spells.parquet": {Mode: fs.ModeNamedPipe}}, "s3://bucket", truthOptions())
	require.ErrorContains(t, err, "not a regular file")
	_, err = OpenFolder(filepath.Join(t.TempDir(), "none"), truthOptions())
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, filepath.FromSlash("/none"))

	// Whichever read fails, the failure comes back as it is: neither as damage of the
	// file nor as rows that are not there.
	refused := errors.New("the store refuses")
	reads, last := 0, 1<<30
	fail := func(int64) error {
		if reads++; reads == last {
			return &fs.PathError{Op: "read", Path: "x", Err: refused}
		}
		return nil
	}
	opt := truthOptions()
	opt.Workers = 1
	fsys := planned{FS: files, outside: new(int), plans: new(int), fail: fail}
	d, err := OpenFS(fsys, "s3://bucket", opt)
	require.NoError(t, err)
	_, err = d.Cases(context.Background())
	require.NoError(t, err)
	all := reads
	require.Greater(t, all, 20)
	for last = 1; last <= all; last++ {
		reads = 0
		d, err := OpenFS(fsys, "s3://bucket", opt)
		if err == nil {
			_, err = d.Cases(context.Background())
		}
		require.ErrorIs(t, err, refused, "read %d", last)
		require.NotErrorIs(t, err, ErrTruncated)
		require.NotErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, ".parquet: it could not be read: the store refuses (see that it can be, and run again)")
	}

	// An end of the work is no fault of a file.
	last = 1 << 30
	stopped := planned{FS: files, outside: new(int), plans: new(int), fail: func(int64) error { return context.Canceled }}
	_, err = OpenFS(stopped, "s3://bucket", opt)
	require.ErrorIs(t, err, context.Canceled)
	_, isFile := errors.AsType[*FileError](err)
	require.False(t, isFile)
}

// A file with another size, time or version is another file.
func TestChangedVersion(t *testing.T) {
	for name, change := range map[string]func(*planned, *fstest.MapFile){
		"version": func(p *planned, _ *fstest.MapFile) { p.version = "2" },
		"time":    func(_ *planned, f *fstest.MapFile) { f.ModTime = time.Unix(1, 0) },
		"size":    func(_ *planned, f *fstest.MapFile) { f.Data = append(f.Data[:len(f.Data):len(f.Data)], 0) },
	} {
		t.Run(name, func(t *testing.T) {
			files, _ := worldFS(t)
			fsys := &planned{FS: files, outside: new(int), plans: new(int), version: "1"}
			d, err := OpenFS(fsys, "s3://bucket", truthOptions())
			require.NoError(t, err)
			for _, f := range files {
				change(fsys, f)
			}
			_, err = d.Cases(context.Background())
			require.ErrorIs(t, err, ErrChanged)
			for i := range d.Files() {
				_, err = d.OpenFile(i)
				assert.ErrorIs(t, err, ErrChanged)
			}
		})
	}
}
