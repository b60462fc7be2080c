package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Version is what FileInfo.Sys returns in a file system whose files have a version,
// as an ETag or a generation: a file with another version has changed, whatever its
// size and time.
type Version string

// Range is the bytes [From, To) of a file.
type Range struct{ From, To int64 }

// Planner is what the files of a slow file system may be beside an io.ReaderAt.
// Before bytes are read, the file is told which will be, so that it can fetch them
// together: ascending ranges that do not overlap, within the file, in place of those
// it was told before. Bytes outside them may still be read.
type Planner interface{ Plan(ranges []Range) }

// place is where files lie, and what it is called in errors: a folder or a URL.
type place struct {
	fs   fs.FS
	name string
}

// folder is a folder of this machine.
func folder(dir string) place { return place{os.DirFS(dir), dir} }

// local is the folder of this machine that a file lies in, and the file's name there.
func local(path string) (place, string) {
	base := filepath.Base(path)
	if base == "." || !fs.ValidPath(base) { // a folder's other names, as ..
		return folder(path), "."
	}
	return folder(filepath.Dir(path)), base
}

// full is what a file is called in errors.
func (p place) full(name string) string {
	switch {
	case name == ".":
		return p.name
	case strings.Contains(p.name, "://"):
		return strings.TrimRight(p.name, "/") + "/" + name
	}
	return filepath.Join(p.name, filepath.FromSlash(name))
}

// fault is an error of the file system, with the file's full name.
func (p place) fault(name string, err error) error {
	if e, ok := err.(*fs.PathError); ok {
		err = &fs.PathError{Op: e.Op, Path: p.full(name), Err: e.Err}
	}
	return fmt.Errorf("ingest: %w", err)
}

func (p place) stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(p.fs, name)
	if err != nil {
		return nil, p.fault(name, err)
	}
	return info, nil
}

func (p place) list(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(p.fs, name)
	if err != nil {
		return nil, p.fault(name, err)
	}
	return entries, nil
}

// source is a file as it was when it was looked at first.
type source struct {
	place
	file    string // in the place
	path    string // in errors
	size    int64
	mtime   time.Time
	touched time.Time // when the system says that its bytes, name or mode were changed last; zero where it does not
	info    fs.FileInfo
	version Version
}

// source looks at a file. One that is a folder, a device or a pipe is an error that
// wraps the cause: opening a pipe waits for somebody who writes to it.
func (p place) source(name string, cause error) (*source, error) {
	info, err := p.stat(name)
	if err != nil {
		return nil, err
	}
	s := &source{place: p, file: name, path: p.full(name), size: info.Size(), mtime: info.ModTime(), touched: touched(info), info: info}
	if !info.Mode().IsRegular() {
		return nil, &FileError{s.path, "", fmt.Errorf("%w: not a regular file", cause), "give a file"}
	}
	s.version, _ = info.Sys().(Version)
	return s, nil
}

// open opens the file, which must be as it was.
func (s *source) open() (*reading, error) {
	f, err := s.fs.Open(s.file)
	if err != nil {
		return nil, s.fault(s.file, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, s.fault(s.file, err)
	}
	if !s.is(info) {
		f.Close()
		return nil, s.changed(ErrChanged)
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		f.Close()
		return nil, &FileError{s.path, "", ErrNoReaderAt, "copy the data to a folder, or take a file system whose files have ReadAt"}
	}
	r := &reading{source: s, file: f, at: at}
	r.planner, _ = f.(Planner)
	return r, nil
}

// is says whether a file is the one that was looked at first, and as it was: its size,
// the time of its last change, its version, and as far as the system tells them which
// file it is.
func (s *source) is(info fs.FileInfo) bool {
	version, _ := info.Sys().(Version)
	return info.Size() == s.size && info.ModTime().Equal(s.mtime) && version == s.version && (s.touched.IsZero() || os.SameFile(s.info, info))
}

// unchanged looks at the file again, after it was read, and says too whether its status changed
// since, as it does with every change of what it holds, but also when somebody links to it.
// Files with a version are never read in another.
func (s *source) unchanged() (moved bool, err error) {
	if s.version != "" {
		return false, nil
	}
	info, err := s.stat(s.file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !s.is(info) {
		return false, s.changed(ErrChanged)
	}
	return err == nil && !touched(info).Equal(s.touched), err
}

func (s *source) changed(err error) error {
	return &FileError{s.path, "", err, "run again when the export has finished"}
}

// reading is an open file. What goes wrong with reading it is a [FileError] that
// says so, as no damage of the file. It belongs to one goroutine.
type reading struct {
	*source
	file    fs.File
	at      io.ReaderAt
	planner Planner
	failed  error // the first failure: a library may take it for something else
}

func (r *reading) Close() error { return r.file.Close() }

func (r *reading) Read(b []byte) (int, error) {
	n, err := r.file.Read(b)
	return n, r.failure(err)
}

func (r *reading) ReadAt(b []byte, off int64) (int, error) {
	n, err := r.at.ReadAt(b, off)
	return n, r.failure(err)
}

// failure tells ends of the file, which mean that it is cut short, from failures.
func (r *reading) failure(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.Is(err, ErrChanged):
		err = r.changed(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("ingest: %s: %w", r.path, err)
	default:
		if e, ok := err.(*fs.PathError); ok {
			err = e.Err // the path is said already
		}
		err = &FileError{r.path, "", fmt.Errorf("it could not be read: %w", err), "see that it can be, and run again"}
	}
	if r.failed == nil {
		r.failed = err
	}
	return err
}

// plan tells the file what will be read.
func (r *reading) plan(ranges ...Range) {
	if r.planner != nil {
		r.planner.Plan(ranges)
	}
}
