package jobeffekt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// files are results on their way to a folder: each is written whole to a
// temporary file, and none stands under its own name before all are written.
//
// While they are written the folder is locked, so that two runs cannot mix.
type files struct {
	folder  string
	lock    *whole.Lock
	pending []*whole.File
	results []Source
}

// LockName is the file by which a run keeps others out of its folder, and says who
// it is. It may stay behind, and means nothing then: a lock lives as long as its process.
const LockName = ".jobeffekt.lock"

// ErrBusy says that another run is writing to the same folder.
var ErrBusy = errors.New("another run is writing to this folder; wait for it, or name another folder")

// BusyError is the [ErrBusy] of a folder, with who writes to it as far as that can be told.
type BusyError struct {
	By string // "process 4711 on HOST", or empty
}

func (e *BusyError) Error() string {
	if e.By == "" {
		return ErrBusy.Error()
	}
	return fmt.Sprintf("%s (it is %s; the lock goes when that process ends, however it ends)", ErrBusy, e.By)
}

func (e *BusyError) Unwrap() error { return ErrBusy }

// taken says what came of taking a lock.
func taken(err error) error {
	if held, ok := errors.AsType[*whole.HeldError](err); ok {
		return &BusyError{held.By}
	}
	return err
}

func newFiles(folder string) (*files, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("results folder: %w", whole.Cure(err, filepath.Dir(folder)))
	}
	f := &files{folder: folder}
	var err error
	if f.lock, err = whole.Take(filepath.Join(folder, LockName)); err != nil {
		if err = taken(err); errors.Is(err, ErrBusy) {
			return nil, fmt.Errorf("results folder %s: %w", folder, err)
		}
		return nil, fmt.Errorf("results folder: %w", err)
	}
	// A run that was killed leaves temporary files.
	if err := whole.Sweep(folder, temporary); err != nil {
		f.cleanup()
		return nil, fmt.Errorf("results folder: %w", err)
	}
	return f, nil
}

// began is when the lock was taken, by the clock of the folder's file system: the library
// reads no other.
func (f *files) began() time.Time {
	info, err := os.Stat(filepath.Join(f.folder, LockName))
	if err != nil {
		return time.Time{} // everything is later
	}
	return info.ModTime()
}

// temporary says whether a file is a result in the making, that this package left behind.
func temporary(base string) bool {
	of := func(name string) bool { return whole.Temporary(base, name) }
	return of(ManifestName) || of(SummaryName) || of(AcceptanceName) ||
		slices.ContainsFunc(allTables(), func(t string) bool { return of(t+".parquet") || of(t+".csv") })
}

// cleanup drops what was not published and lets others in.
func (f *files) cleanup() {
	for _, p := range f.pending {
		_ = p.Drop() // best effort: what is left is a temporary file
	}
	f.pending = nil
	if f.lock != nil {
		_ = f.lock.Close() // the process's end would release it too
		f.lock = nil
	}
}

// write adds a file. Only files named as results enter the manifest's list.
func (f *files) write(name string, result bool, fill func(io.Writer) error) error {
	p, err := whole.Create(filepath.Join(f.folder, name))
	if err != nil {
		return fmt.Errorf("result %s: %w", name, err)
	}
	f.pending = append(f.pending, p)
	h := newHasher(p)
	if err := fill(h); err != nil {
		return fmt.Errorf("result %s: %w", name, err)
	}
	if result {
		f.results = append(f.results, h.source(name))
	}
	return nil
}

// table adds a result table in parquet and the formats asked for.
func (f *files) table(ctx context.Context, t *ingest.Table, formats []Format) error {
	if err := effect.Stopped(ctx); err != nil {
		return err
	}
	if err := f.write(t.Name+".parquet", true, t.WriteParquet); err != nil {
		return err
	}
	if slices.Contains(formats, CSV) {
		return f.write(t.Name+".csv", true, t.WriteCSV)
	}
	return nil
}

// errLost says that the folder is no longer the one in which the lock was taken.
var errLost = errors.New("it was removed or replaced while the run went: nothing is published; run again, and leave it where it is")

// publish puts everything under its own name. First the disk has all of it, so that a disk
// that is full leaves the folder as it was. Then the old manifest goes, so that a folder cut off halfway shows that it
// holds no finished results; then come the files, and the manifest last. Each of the three lasts
// before the next begins. Tables that the manifest does not name would be
// taken for some of it, and are removed. Where there is no file and the manifest stands
// there already, it stays.
func (f *files) publish(m *Manifest) (err error) {
	slices.SortFunc(m.Results, func(a, b Source) int { return slices.Compare([]string{a.Path}, []string{b.Path}) })
	if m.Sum, err = m.sum(); err != nil {
		return err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return err
	}
	if f.lock != nil && f.lock.Lost() {
		return fmt.Errorf("results folder %s: %w", f.folder, errLost)
	}
	name := filepath.Join(f.folder, ManifestName)
	if now, err := os.ReadFile(name); err != nil || len(f.pending) > 0 || !bytes.Equal(now, text.Bytes()) {
		err := f.write(ManifestName, false, func(w io.Writer) error {
			_, err := w.Write(text.Bytes())
			return err
		})
		if err != nil {
			return err
		}
		if err := f.finish(); err != nil {
			return err
		}
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return whole.Cure(err, f.folder)
		}
		if err := whole.SyncFolder(f.folder); err != nil {
			return f.halfway(err)
		}
	}
	for _, t := range allTables() {
		for _, name := range []string{t + ".parquet", t + ".csv"} {
			if slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == name }) {
				continue
			}
			if err := os.Remove(filepath.Join(f.folder, name)); err != nil && !os.IsNotExist(err) {
				return f.halfway(err)
			}
		}
	}
	if n := len(f.pending); n > 0 {
		last := f.pending[n-1]
		f.pending = f.pending[:n-1]
		err := f.publishPending()
		if f.pending = append(f.pending, last); err == nil {
			err = f.publishPending()
		}
		if err != nil {
			return f.halfway(err)
		}
	}
	// What an earlier run that stopped left is about rows that are read now.
	for _, name := range []string{TableRejects + ".parquet", TableRejects + ".csv", LockName, ""} {
		err := os.Remove(filepath.Join(f.folder, stoppedFolder, name))
		if err != nil && name != "" && !os.IsNotExist(err) {
			return err
		}
	}
	return whole.SyncFolder(filepath.Dir(f.folder)) // which it may be new in
}

// halfway is an error after the old manifest went.
func (f *files) halfway(err error) error {
	return fmt.Errorf("results folder %s: moving the results to their place failed, and it holds no finished ones now; run again: %w", f.folder, whole.Cure(err, f.folder))
}

// stoppedFolder holds the rejects of a run that stopped in a folder with results.
const stoppedFolder = "stopped"

// finish waits until the disk has what was written.
func (f *files) finish() error {
	for _, p := range f.pending {
		if err := p.Finish(); err != nil {
			return fmt.Errorf("results folder: %w", err)
		}
	}
	return nil
}

// publishPending puts what was written under its own name, to last.
func (f *files) publishPending() error {
	for _, p := range f.pending {
		if err := p.Publish(); err != nil {
			return fmt.Errorf("results folder: %w", err)
		}
	}
	f.pending = nil
	return whole.SyncFolder(f.folder)
}
