package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// ArrangedTable is a table of an arranged dataset.
type ArrangedTable struct {
	Name  string // table of the contract
	Rows  int64  // 0 where it was copied
	Bytes int64  // of its files
	Files int    // that were copied; 0 where it was written anew
}

// Arrange writes the dataset of a configuration anew into a folder, so that runs
// with cohort.municipalities read few of its pages: see [ingest.Arranged] for what is
// written and docs/arrange.md for what that is good for. Of the configuration only
// data and input are looked at. Tables without citizens are copied; files that are
// no table of the contract are not. Results of runs are those of the dataset as it was.
//
// The folder must not exist or be empty, and not lie in the dataset's: else an error
// that wraps [ErrNotEmpty] or [ErrConfig]. It appears whole or not at all: work is
// done in a folder beside it, whose name begins with a dot, which also holds up to
// the size of the largest table for sorting. The other errors are those of
// [ingest.Dataset.Arrange].
func Arrange(ctx context.Context, c *Config, folder string) (_ []ArrangedTable, err error) {
	if isURL(c.Data) {
		return nil, fmt.Errorf("%w: only a dataset in a folder can be arranged; copy it to one, arrange it there, and put the result in its place", ErrConfig)
	}
	data, err := filepath.Abs(c.DataFolder())
	if err != nil {
		return nil, err
	}
	to, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	if to == data || inside(data, to) {
		return nil, fmt.Errorf("%w: the folder %s lies in the dataset's, where it would be taken for input; give another", ErrConfig, folder)
	}
	switch entries, err := os.ReadDir(to); {
	case err == nil && len(entries) > 0:
		return nil, fmt.Errorf("%w: %s; give another folder", ErrNotEmpty, folder)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("the folder of the arranged dataset: %w; give another", err)
	}
	opt := c.IngestOptions()
	opt.Municipalities, opt.Covariates, opt.Hours, opt.Amounts = nil, nil, false, false
	if opt, err = c.keyed(opt); err != nil {
		return nil, err
	}
	ds, err := ingest.OpenFolder(c.DataFolder(), opt)
	if err != nil {
		return nil, err
	}
	if err := c.checkSums(ctx, ds); err != nil {
		return nil, err
	}
	place, err := whole.NewFolder(to)
	if err != nil {
		return nil, fmt.Errorf("the folder of the arranged dataset: %w", taken(err))
	}
	defer func() {
		err = whole.Cure(err, filepath.Dir(to))
		_ = place.Drop() // after the move there is nothing to remove
	}()
	work := place.Path
	room := &scratch{folder: work}
	defer room.close()
	a, err := ds.Arrange(ctx, room)
	if err != nil {
		return nil, err
	}
	var out []ArrangedTable
	for _, table := range a.Tables() {
		t := ArrangedTable{Name: table}
		name := filepath.Join(work, table+".parquet")
		if t.Rows, t.Bytes, err = writeArranged(ctx, a, table, name); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	for _, file := range ds.Files() {
		if err := effect.Stopped(ctx); err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(c.DataFolder(), file)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		table := strings.TrimSuffix(first, ".parquet")
		if slices.Contains(a.Tables(), table) {
			continue
		}
		n, err := copyFile(file, filepath.Join(work, rel))
		if err != nil {
			return nil, err
		}
		k := slices.IndexFunc(out, func(t ArrangedTable) bool { return t.Name == table })
		if k < 0 {
			k, out = len(out), append(out, ArrangedTable{Name: table})
		}
		out[k].Bytes, out[k].Files = out[k].Bytes+n, out[k].Files+1
	}
	room.close()
	if err := untouched(ds); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(x, y ArrangedTable) int { return strings.Compare(x.Name, y.Name) })
	if err := place.Publish(false); err != nil {
		return nil, fmt.Errorf("the folder of the arranged dataset: %w", err)
	}
	return out, nil
}

// inside says whether a path lies below a folder; both are absolute.
func inside(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func writeArranged(ctx context.Context, a *ingest.Arranged, table, name string) (rows, bytes int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	if rows, err = a.WriteTable(ctx, table, f); err != nil {
		return 0, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	return rows, info.Size(), f.Close()
}

// copyFile copies a file to a path whose folder is made.
func copyFile(from, to string) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return 0, err
	}
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	n, err := io.Copy(out, in)
	if err != nil {
		return 0, err
	}
	return n, out.Close()
}

// scratch gives temporary files of a folder. It belongs to one goroutine.
type scratch struct {
	folder string
	files  []*os.File
}

// GetBuffer is a new file. One that cannot be had fails when it is written to.
func (s *scratch) GetBuffer() io.ReadWriteSeeker {
	f, err := os.CreateTemp(s.folder, ".sort-")
	if err != nil {
		return noFile{err}
	}
	s.files = append(s.files, f)
	return f
}

// PutBuffer removes a file.
func (s *scratch) PutBuffer(b io.ReadWriteSeeker) {
	if f, ok := b.(*os.File); ok {
		f.Close()
		os.Remove(f.Name())
		s.files = slices.DeleteFunc(s.files, func(other *os.File) bool { return other == f })
	}
}

func (s *scratch) close() {
	for len(s.files) > 0 {
		s.PutBuffer(s.files[0])
	}
}

// noFile is a file that could not be made.
type noFile struct{ err error }

func (n noFile) Read([]byte) (int, error)       { return 0, n.err }
func (n noFile) Write([]byte) (int, error)      { return 0, n.err }
func (n noFile) Seek(int64, int) (int64, error) { return 0, n.err }
