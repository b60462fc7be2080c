package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// ErrTableFormat says that a file's name does not end as a table's.
var ErrTableFormat = errors.New("a table is written to a file whose name ends in .parquet or .csv")

// CheckTablePath says whether [WriteTable] knows what to write to a file of that
// name: the ending is .parquet or .csv, in letters of either case. Else it is
// [ErrTableFormat].
func CheckTablePath(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet", ".csv":
		return nil
	}
	return fmt.Errorf("%w, not to %s", ErrTableFormat, filepath.Base(path))
}

// WriteTable writes a table to a file, as the ending of its name says: see
// [CheckTablePath], [ingest.Table.WriteParquet] and [ingest.Table.WriteCSV]. The
// file is written whole or not at all, replaces one that is there, and is readable
// by its owner only. The folder must exist.
func WriteTable(path string, t *ingest.Table) error {
	if err := CheckTablePath(path); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("table %s: there is a folder, or something else that is no file, of this name; give another", filepath.Base(path))
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("table %s: %w; make its folder, or give another", filepath.Base(path), err)
	}
	write := t.WriteParquet
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		write = t.WriteCSV
	}
	p, err := whole.Replace(path)
	if err != nil {
		return fmt.Errorf("table %s: %w", filepath.Base(path), err)
	}
	if err = write(p); err == nil {
		err = p.Publish()
	}
	if err != nil {
		_ = p.Drop() // best effort: what is left is a temporary file
		return fmt.Errorf("table %s: %w", filepath.Base(path), err)
	}
	return whole.SyncFolder(filepath.Dir(path))
}

// WriteTables writes tables that belong together into a folder, as NAME.parquet and in
// the formats asked for, in place of those of the same names; the folder is made where
// it is not there. Those that were there are gone before the first of
// the new stands in its place, so that tables of two runs never stand together. The
// error wraps [ErrBusy] where somebody else writes to the folder.
func WriteTables(ctx context.Context, folder string, formats []Format, tables ...*ingest.Table) error {
	if err := effect.Stopped(ctx); err != nil {
		return err
	}
	f, err := newFiles(folder)
	if err != nil {
		return err
	}
	defer f.cleanup()
	err = whole.Sweep(folder, func(name string) bool {
		return slices.ContainsFunc(tables, func(t *ingest.Table) bool {
			return whole.Temporary(name, t.Name+".parquet") || whole.Temporary(name, t.Name+".csv")
		})
	})
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := f.table(ctx, t, formats); err != nil {
			return err
		}
	}
	if err := f.finish(); err != nil {
		return err
	}
	for _, t := range tables {
		for _, name := range []string{t.Name + ".parquet", t.Name + ".csv"} {
			if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return whole.Cure(err, folder)
			}
		}
	}
	return f.publishPending()
}
