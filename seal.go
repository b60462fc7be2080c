package jobeffekt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// SealsName is the file with the seals of a terms file: beside it, with
// .seal.yaml in place of .yaml.
func SealsName(terms string) string {
	return strings.TrimSuffix(strings.TrimSuffix(terms, ".yaml"), ".yml") + ".seal.yaml"
}

// readSeals reads the seals beside a terms file, where there are any.
func readSeals(t *bonus.Terms, path string) (*bonus.Terms, error) {
	src, err := readUpTo(SealsName(path), MaxTextBytes)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return t, nil
	case err != nil:
		return nil, fmt.Errorf("%w: seals: %w", ErrConfig, err)
	}
	return t.Sealed(SealsName(t.File), src)
}

// ReadTerms reads a terms file with the seals beside it.
func ReadTerms(path string) (*bonus.Terms, error) {
	src, err := readUpTo(path, MaxTextBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: terms: %w", ErrConfig, err)
	}
	t, err := bonus.ParseTerms(filepath.Base(path), src)
	if err != nil {
		return nil, err
	}
	return readSeals(t, path)
}

// SealTerms seals versions of a terms file, in the file that [SealsName] names,
// and returns the seals that were added: of the version valid from a day, or, with
// effect.NoDate, of every version that has no seal that holds and can still be
// sealed. The day of the seal is taken as given. The error wraps bonus.ErrSeal
// where nothing can be sealed. Earlier entries stay as they are.
func SealTerms(path string, version, on effect.Date, name, role string) ([]bonus.Seal, error) {
	t, err := ReadTerms(path)
	if err != nil {
		return nil, err
	}
	if version != effect.NoDate && !slices.ContainsFunc(t.Versions, func(v bonus.Version) bool { return v.ValidFrom == version }) {
		return nil, fmt.Errorf("%w: the terms have no version valid from %s", bonus.ErrSeal, version)
	}
	var added []bonus.Seal
	var text strings.Builder
	var late error
	for i, v := range t.Versions {
		sealed, _ := t.Standing(i)
		if sealed || version != effect.NoDate && v.ValidFrom != version {
			continue
		}
		s, err := t.Seal(i, on, name, role)
		if err != nil {
			late = errors.Join(late, err)
			continue
		}
		added = append(added, s)
		text.WriteString(s.Text())
	}
	switch {
	case len(added) == 0 && late != nil:
		return nil, late
	case len(added) == 0:
		return nil, fmt.Errorf("%w: every version asked for has one that holds", bonus.ErrSeal)
	}
	head := fmt.Sprintf("# Seals of %s. A seal makes its version payable; see docs/terms.md of jobeffekt.\nagreement: %q\nseals:\n", filepath.Base(path), t.Agreement)
	return added, appendEntries(SealsName(path), head, text.String(), func(name string, src []byte) (int, error) {
		again, err := t.Sealed(name, src)
		if err != nil {
			return 0, err
		}
		return len(again.Seals.Seals), nil
	})
}

// readText reads a file of text that people keep. A folder, a pipe and a file that
// holds a byte 0 are errors that show nothing of what is in them.
func readText(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is a folder, or something else that is no file", filepath.Base(path))
	}
	src, err := readUpTo(path, MaxTextBytes)
	if err == nil && bytes.IndexByte(src, 0) >= 0 {
		return nil, fmt.Errorf("%s holds a byte 0, which no text has; is it the right file?", filepath.Base(path))
	}
	return src, err
}

// appendEntries adds entries at the end of a file whose last key is a list, or
// makes the file. It is written whole or not at all, and only when the entries
// are read back from it; count reads a text and says how many entries it has. The
// folder is locked meanwhile, so that of two who add none is lost; who comes second
// gets [ErrBusy]. A link is followed.
func appendEntries(path, head, entries string, count func(name string, src []byte) (int, error)) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s: %w; make its folder first, or name another", filepath.Base(path), err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	lock, err := whole.Take(filepath.Join(filepath.Dir(path), LockName))
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), taken(err))
	}
	defer lock.Close()
	src, err := readText(path)
	before := 0
	switch {
	case errors.Is(err, os.ErrNotExist):
		src = []byte(head)
	case err != nil:
		return err
	default:
		if before, err = count(filepath.Base(path), src); err != nil {
			return err
		}
		if len(src) > 0 && src[len(src)-1] != '\n' {
			src = append(src, '\n')
		}
	}
	src = append(src, entries...)
	if n, err := count(filepath.Base(path), src); err != nil || n <= before {
		return fmt.Errorf("%s cannot be added to, because its list does not stand last and in lines; add this by hand:\n%s", filepath.Base(path), entries)
	}
	if err := whole.Write(path, 0o600, src); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}
