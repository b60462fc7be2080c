package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamregister "github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Job is what every worker is told: the names of files, which mean the same on
// every machine. Each worker reads the run file itself. One that finds another
// run file or other data there makes partials that the reduce refuses by name.
type Job struct {
	RunFile         string
	Partials        string // folder of the partials
	AsOf, Data, Out string // in place of the run file's; "" leaves those
}

// absolute makes the names of a job hold in any folder that a worker starts in. A URL
// stays one, which is refused as such.
func (j *Job) absolute() error {
	for _, name := range []*string{&j.RunFile, &j.Partials, &j.Data, &j.Out} {
		if *name == "" || strings.Contains(*name, "://") {
			continue
		}
		abs, err := filepath.Abs(*name)
		if err != nil {
			return err
		}
		*name = abs
	}
	return nil
}

// config reads the run file with what the job replaces in it.
func (j *Job) config() (*jobeffekt.Config, error) {
	c, err := jobeffekt.LoadConfig(j.RunFile)
	if err != nil {
		return nil, err
	}
	if j.AsOf != "" {
		if c.AsOf, err = effect.ParseDate(j.AsOf); err != nil {
			return nil, usageError{fmt.Errorf("--as-of: %w", err)}
		}
	}
	if j.Data != "" {
		c.Data = j.Data
	}
	if j.Out != "" {
		c.Out = j.Out
	}
	return c, nil
}

// plan reads the run file and cuts the table spells in parts, so that what is wrong
// with them is known before a job is submitted.
func (j *Job) plan(ctx context.Context, groups int) (*jobeffekt.Config, []string, error) {
	c, err := j.config()
	if err != nil {
		return nil, nil, err
	}
	parts, err := jobeffekt.Parts(ctx, c, groups)
	if err != nil {
		return nil, nil, err
	}
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.String()
	}
	return c, names, nil
}

// partial names the file of a part's partial: another one for every part, the same
// one for every attempt.
func (j *Job) partial(part string) string {
	return filepath.Join(j.Partials, url.PathEscape(part)+".partial")
}

// pipeline observes the parts and reduces what they made. One element is a part or
// the name of its partial, never a row, so that a runner moves a few kilobytes.
func (j *Job) pipeline(parts []string) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	// Without a reshuffle, a runner may do all parts in the one place where the list was made.
	elements := beam.Reshuffle(s, beam.CreateList(s, parts))
	partials := beam.ParDo(s.Scope("map"), &mapFn{Job: *j}, elements)
	beam.ParDo0(s.Scope("reduce"), &reduceFn{Job: *j}, beam.GroupByKey(s, partials))
	return p
}

// register makes the functions known to Beam, in the program that submits and in every worker.
func register() {
	beamregister.DoFn3x1[context.Context, string, func(int, string), error](&mapFn{})
	beamregister.DoFn3x1[context.Context, int, func(*string) bool, error](&reduceFn{})
	beamregister.Emitter2[int, string]()
	beamregister.Iter1[string]()
}

// mapFn observes one part and emits the name of its partial, under the one key
// that brings all of them together.
type mapFn struct{ Job Job }

// ProcessElement writes the partial whole or not at all. A worker that dies here is
// replaced, and the part observed again: with the same bytes, in the same file.
func (f *mapFn) ProcessElement(ctx context.Context, part string, emit func(int, string)) error {
	c, err := f.Job.config()
	if err != nil {
		return err
	}
	p, err := jobeffekt.ParsePart(part)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.Job.Partials, 0o700); err != nil { // for those who run the job alone: days of persons
		return err
	}
	to := f.Job.partial(part)
	if _, err := jobeffekt.MapParts(ctx, c, []jobeffekt.Part{p}, to); err != nil {
		return fmt.Errorf("part %s: %w", part, err)
	}
	emit(0, to)
	return nil
}

// reduceFn makes the tables of the step from all partials.
type reduceFn struct{ Job Job }

// ProcessElement writes the results whole or not at all, so that it can be done again too.
func (f *reduceFn) ProcessElement(ctx context.Context, _ int, partials func(*string) bool) error {
	c, err := f.Job.config()
	if err != nil {
		return err
	}
	var names []string
	for name := ""; partials(&name); {
		names = append(names, name)
	}
	slices.Sort(names) // a runner groups in any order
	_, err = jobeffekt.Reduce(ctx, c, names)
	return err
}
