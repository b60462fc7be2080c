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
	"strings"

	"github.com/gofrs/flock"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// files are results on their way to a folder: each is written whole to a
// temporary file, and none stands under its own name before all are written.
//
// While they are written the folder is locked, so that two runs cannot mix.
type files struct {
	folder  string
	lock    *flock.Flock
	pending []*pending
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

// me is this process, as others are told of it.
func me() string {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Sprintf("process %d\n", os.Getpid())
	}
	return fmt.Sprintf("process %d on %s\n", os.Getpid(), host)
}

// holder is who wrote to a lock, if it is something that me writes.
func holder(lock string) string {
	f, err := os.Open(lock)
	if err != nil {
		return ""
	}
	defer f.Close()
	var process int
	var host string
	if n, _ := fmt.Fscanf(io.LimitReader(f, 1000), "process %d on %s", &process, &host); n == 0 {
		return ""
	}
	if host == "" {
		return fmt.Sprintf("process %d", process)
	}
	return fmt.Sprintf("process %d on %s", process, host)
}

func newFiles(folder string) (*files, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("results folder: %w", err)
	}
	f := &files{folder: folder, lock: flock.New(filepath.Join(folder, LockName), flock.SetPermissions(0o600))}
	switch free, err := f.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("results folder: %w", err)
	case !free:
		return nil, fmt.Errorf("results folder %s: %w", folder, &BusyError{holder(f.lock.Path())})
	}
	// Who holds it is for people: that another holds it is known by the lock alone.
	_ = os.WriteFile(f.lock.Path(), []byte(me()), 0o600)
	// A run that was killed leaves temporary files; nobody else writes here now.
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if temporary(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	if err != nil {
		f.cleanup()
		return nil, fmt.Errorf("results folder: %w", err)
	}
	return f, nil
}

// temporary says whether a file is one that this package left behind: a dot, the
// name of a result, and digits.
func temporary(base string) bool {
	name := strings.TrimRight(strings.TrimPrefix(base, "."), "0123456789")
	return "."+name != base && strings.HasPrefix(base, ".") && (name == ManifestName || name == SummaryName || name == AcceptanceName ||
		slices.ContainsFunc(allTables(), func(t string) bool { return name == t+".parquet" || name == t+".csv" }))
}

// cleanup drops what was not published and lets others in.
func (f *files) cleanup() {
	for _, p := range f.pending {
		_ = p.drop() // best effort: what is left is a temporary file
	}
	if f.lock != nil {
		_ = f.lock.Close() // the process's end would release it too
	}
}

// write adds a file. Only files named as results enter the manifest's list.
func (f *files) write(name string, result bool, fill func(io.Writer) error) error {
	p, err := newPending(filepath.Join(f.folder, name))
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

// publish puts everything under its own name: first the old manifest goes, so
// that a folder cut off halfway shows that it holds no finished results, then
// come the files, and the manifest last. Tables that the manifest does not name would be
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
	name := filepath.Join(f.folder, ManifestName)
	if now, err := os.ReadFile(name); err != nil || len(f.pending) > 0 || !bytes.Equal(now, text.Bytes()) {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return err
		}
		err := f.write(ManifestName, false, func(w io.Writer) error {
			_, err := w.Write(text.Bytes())
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, t := range allTables() {
		for _, name := range []string{t + ".parquet", t + ".csv"} {
			if slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == name }) {
				continue
			}
			if err := os.Remove(filepath.Join(f.folder, name)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	if err := f.publishPending(); err != nil {
		return err
	}
	// What an earlier run that stopped left is about rows that are read now.
	for _, name := range []string{TableRejects + ".parquet", TableRejects + ".csv", LockName, ""} {
		err := os.Remove(filepath.Join(f.folder, stoppedFolder, name))
		if err != nil && name != "" && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// stoppedFolder holds the rejects of a run that stopped in a folder with results.
const stoppedFolder = "stopped"

// publishPending puts what was written under its own name.
func (f *files) publishPending() error {
	for _, p := range f.pending {
		if err := p.publish(); err != nil {
			return fmt.Errorf("results folder: %w", err)
		}
	}
	f.pending = nil
	return nil
}
