package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// SpecName is the file with the executable examples of a terms file: beside it,
// with .spec.yaml in place of .yaml.
func SpecName(terms string) string {
	return strings.TrimSuffix(strings.TrimSuffix(terms, ".yaml"), ".yml") + ".spec.yaml"
}

// IsSpec says whether a file's name is that of a spec.
func IsSpec(path string) bool {
	return strings.HasSuffix(path, ".spec.yaml") || strings.HasSuffix(path, ".spec.yml")
}

// IsTerms says whether a file is terms rather than a run file, by its keys. It is
// false for a file that cannot be read.
func IsTerms(path string) bool {
	src, err := readUpTo(path, MaxTextBytes)
	return err == nil && slices.Contains(strict.Keys(src), "agreement")
}

// FailedSpecs is the error about scenarios of which the terms do something else.
type FailedSpecs struct {
	Failures []spec.Failure // in the order of the files
	Of       int            // scenarios that were run
}

// Error lists the failures with their tables.
func (f *FailedSpecs) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d scenarios fail", len(f.Failures), f.Of)
	for _, x := range f.Failures {
		b.WriteString("\n" + strings.TrimSuffix(x.String(), "\n"))
	}
	return b.String()
}

// CheckSpec reads a spec and the terms that it names, which lie beside it, runs
// every scenario and returns how many there are. The error is a [*FailedSpecs]
// where the terms do something else, a [*bonus.Faults] about either file, or
// wraps [ErrConfig] where one cannot be read.
func CheckSpec(ctx context.Context, path string) (int, error) {
	src, err := readUpTo(path, MaxTextBytes)
	if err != nil {
		return 0, fmt.Errorf("%w: spec: %w", ErrConfig, err)
	}
	s, err := spec.Parse(filepath.Base(path), src)
	if err != nil {
		return 0, err
	}
	var terms []*bonus.Terms
	var errs []error
	for _, name := range append([]string{s.Terms}, s.Also...) {
		t, err := ReadTerms(filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
		terms, errs = append(terms, t), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	failures, err := s.Run(ctx, terms...)
	if err != nil {
		return 0, err
	}
	if len(failures) > 0 {
		return len(s.Scenarios), &FailedSpecs{failures, len(s.Scenarios)}
	}
	return len(s.Scenarios), nil
}

// CheckTerms checks terms files without a run file, and runs the spec beside each
// where there is one. It returns how many scenarios hold, and the faults of all
// files together.
func CheckTerms(ctx context.Context, paths ...string) (scenarios int, err error) {
	var errs []error
	for _, path := range paths {
		if _, err := ReadTerms(path); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := os.Stat(SpecName(path)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		n, err := CheckSpec(ctx, SpecName(path))
		scenarios, errs = scenarios+n, append(errs, err)
	}
	return scenarios, errors.Join(errs...)
}

// CheckSpecs runs the specs beside the terms that the configuration names and
// returns how many scenarios hold, as [CheckTerms] does.
func (c *Config) CheckSpecs(ctx context.Context) (scenarios int, err error) {
	var paths []string
	for _, path := range c.Terms {
		paths = append(paths, c.resolve(path))
	}
	return CheckTerms(ctx, paths...)
}
