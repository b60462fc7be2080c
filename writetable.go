package jobeffekt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jobeffekt/jobeffekt/ingest"
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
	p, err := newPending(path)
	if err != nil {
		return fmt.Errorf("table %s: %w", filepath.Base(path), err)
	}
	if err = write(p); err == nil {
		err = p.publish()
	}
	if err != nil {
		_ = p.drop() // best effort: what is left is a temporary file
		return fmt.Errorf("table %s: %w", filepath.Base(path), err)
	}
	return nil
}
