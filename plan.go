package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// Planned is what a run would do.
type Planned struct {
	Steps  []PlannedStep
	Tables []PlannedTable // of the dataset
	Out    string         // the results folder
	// Replaces are the bytes of the results that stand there and would be replaced: both
	// stand beside each other until the run is done.
	Replaces int64
}

// PlannedStep is a step of a run.
type PlannedStep struct {
	Step Step
	Kept bool
	Why  string // it is done, in words; empty where it is kept
}

// PlannedTable is a table of the dataset that a run would hash, and read where a step is done.
type PlannedTable struct {
	Name        string
	Files       int
	Rows, Bytes int64
}

// Plan says what [Run] would do with a configuration, and writes nothing. It finds every
// fault that [Check] does, and beside those state codes that stand for no state, for which it
// reads a column of spells, and a results folder that another run writes to (which wraps
// [ErrBusy]). It hashes the inputs, as a run does, to say which steps are kept.
func Plan(ctx context.Context, c *Config) (*Planned, error) {
	if c.Path == "" {
		return nil, fmt.Errorf("%w: results in files need a configuration that was read from one", ErrConfig)
	}
	if err := Check(ctx, c); err != nil {
		return nil, err
	}
	out := c.resolve(c.Out)
	job := &job{c: c, out: out, result: &Result{AsOf: c.AsOf}}
	var err error
	if job.terms, err = c.LoadTerms(); err != nil {
		return nil, err
	}
	if job.data, err = c.openData(ctx, c.readBy(StepMeasure).IngestOptions()); err != nil {
		return nil, err
	}
	if err := errors.Join(c.keepBlinded(out), unlocked(out), job.data.CheckStates(ctx)); err != nil {
		return nil, err
	}
	m := &Manifest{Format: 1, Program: ThisProgram(), AsOf: c.AsOf, Blinded: c.Blinded}
	if err := job.describe(ctx, m); err != nil {
		return nil, err
	}
	todo := steps()
	if len(job.terms) == 0 {
		todo = todo[:len(todo)-1]
	}
	m.Keys = job.keys(m, todo)
	p := &Planned{Out: out}
	p.Steps = job.plan(m, todo)
	for _, t := range job.data.Sizes() {
		p.Tables = append(p.Tables, PlannedTable(t))
	}
	if old, err := readManifest(out); err == nil {
		for _, r := range old.Results {
			p.Replaces += r.Bytes
		}
	}
	return p, nil
}

// plan says of each step whether it is kept.
func (j *job) plan(m *Manifest, todo []Step) (out []PlannedStep) {
	old, n, whole := j.standing(m, todo)
	for i, s := range todo {
		p := PlannedStep{Step: s, Kept: whole || i < n}
		switch {
		case p.Kept:
		case !j.c.Keep:
			p.Why = "every step is asked for"
		case old == nil:
			p.Why = "there are no results to keep"
		case i > n:
			p.Why = "the step before it is done"
		default:
			p.Why = j.differs(m, old, s)
		}
		out = append(out, p)
	}
	return out
}

// differs says in words why a step is not kept.
func (j *job) differs(now, old *Manifest, s Step) string {
	var why []string
	add := func(what string, is bool) {
		if is {
			why = append(why, what)
		}
	}
	add("another version of the program", now.Program != old.Program)
	add("another last day", now.AsOf != old.AsOf)
	add("changed data", !slices.Equal(now.Inputs, old.Inputs))
	add("a changed run file", now.RunFile.SHA256 != old.RunFile.SHA256)
	add("changed terms or seals", s == StepSettle && (!slices.Equal(now.Terms, old.Terms) || !slices.Equal(now.Seals, old.Seals)))
	add("another record of peers", !slices.Equal(now.Recorded, old.Recorded))
	add("another acceptance", !slices.Equal(now.Accepted, old.Accepted))
	add("a blinded run, which is done whole", now.Blinded || now.Blinded != old.Blinded)
	add("its tables were changed or are missing", slices.ContainsFunc(old.of(s), func(r Source) bool { return unchanged(j.out, r) != nil }))
	if len(why) == 0 {
		if s == StepSettle {
			return "nothing goes on from a settlement: it is done again beside a summary that changed"
		}
		return "it was made by another build of the program, or in steps"
	}
	return strings.Join(why, ", ")
}

// unlocked says whether nobody writes to a folder. It writes nothing.
func unlocked(folder string) error {
	if err := taken(whole.Free(filepath.Join(folder, LockName))); err != nil {
		return fmt.Errorf("results folder %s: %w", folder, err)
	}
	return nil
}
