package jobeffekt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// OpenLedger opens the file of a ledger, and makes it where create says so, for its
// owner alone to read. The program must have registered a driver for SQLite under
// the name "sqlite".
func OpenLedger(ctx context.Context, path string, create bool) (*ledger.Ledger, error) {
	o := ledger.Default()
	if create {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	} else if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("ledger: %w; name one that is there", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("ledger: %s: %w", path, ledger.ErrNotLedger)
	}
	o.Create = create
	l, err := ledger.Open(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// ReadForLedger reads a results folder as a ledger books it. The tables, the run file
// and the terms with their seals must be as the manifest says; the error wraps
// [ErrManifest].
func ReadForLedger(ctx context.Context, folder string) (*ledger.Settled, error) {
	s := &ledger.Settled{}
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	if s.Settlement, err = ReadSettlement(ctx, folder); err != nil {
		return nil, err
	}
	for _, f := range slices.Concat([]Source{m.RunFile}, m.Terms, m.Seals) {
		now, err := hashFile(filepath.Join(folder, filepath.FromSlash(f.Path)), f.Path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrManifest, err)
		}
		if now != f {
			return nil, fmt.Errorf("%w: %s is not as it was when this was settled; settle again", ErrManifest, f.Path)
		}
	}
	c, err := LoadConfig(filepath.Join(folder, filepath.FromSlash(m.RunFile.Path)))
	if err != nil {
		return nil, err
	}
	for _, t := range m.Terms {
		terms, err := ReadTerms(filepath.Join(folder, filepath.FromSlash(t.Path)))
		if err != nil {
			return nil, err
		}
		s.Terms = append(s.Terms, terms)
	}
	if err := m.stands(folder); err != nil {
		return nil, err
	}
	cohort := c.Study().Cohort.Period
	s.AsOf, s.From, s.To = m.AsOf, cohort.Start, cohort.End-1
	s.RunFile, s.Manifest, s.Inputs = m.RunFile.SHA256, m.file, inputsHash(m.Inputs)
	return s, nil
}

// inputsHash is one hash of what the files of a dataset hold, wherever they lie.
func inputsHash(inputs []Source) string {
	var all []string
	for _, s := range inputs {
		all = append(all, s.SHA256)
	}
	slices.Sort(all)
	h := sha256.New()
	for _, s := range all {
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}
