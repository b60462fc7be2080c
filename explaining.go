package jobeffekt

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
)

// Background is what a settlement in a results folder was made of: its terms and
// the facts that they were settled on, read back from the tables.
type Background struct {
	Terms []*bonus.Terms
	Facts bonus.Facts

	job *job
}

// ReadBackground reads what the settlement of a results folder was made of. The
// run file and the terms must lie where the manifest says and read as they did,
// and the tables of the steps before must be as they were written: the error,
// which wraps [ErrManifest] or [ErrConfig], says which is not.
func ReadBackground(ctx context.Context, folder string) (*Background, error) {
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	c, err := LoadConfig(filepath.Join(folder, filepath.FromSlash(m.RunFile.Path)))
	if err != nil {
		return nil, err
	}
	if c.source.SHA256 != m.RunFile.SHA256 {
		return nil, fmt.Errorf("%w: the run file has changed since the results were made", ErrManifest)
	}
	j := &job{c: c, out: folder, result: &Result{AsOf: m.AsOf}}
	if j.terms, err = c.LoadTerms(); err != nil {
		return nil, err
	}
	for _, t := range j.terms {
		if !slices.ContainsFunc(m.Terms, func(s Source) bool { return s.SHA256 == t.SHA256 }) {
			return nil, fmt.Errorf("%w: the terms %s have changed since they were settled", ErrManifest, t.File)
		}
	}
	// What the tables were made of is what the manifest says: it is not read again.
	if _, err := j.load(ctx, m, steps()[:slices.Index(steps(), StepSettle)]); err != nil {
		return nil, err
	}
	acceptance, err := j.c.acceptance(ctx, j.result.Diagnostics)
	if err != nil {
		return nil, err
	}
	return &Background{Terms: j.terms, Facts: settled(j.result.Measured, j.result.Benchmarked, acceptance), job: j}, nil
}
