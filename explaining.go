package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
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
	if _, err := j.load(ctx, m, steps()[:slices.Index(steps(), StepSettle)], nil); err != nil {
		return nil, err
	}
	acceptance, err := j.c.acceptance(ctx, j.result.Diagnostics)
	if err != nil {
		return nil, err
	}
	if err := m.stands(folder); err != nil {
		return nil, err
	}
	return &Background{Terms: j.terms, Facts: settled(j.result.Measured, j.result.Benchmarked, acceptance), job: j}, nil
}

// ExplainLine explains a line of the folder's settlement with what lies behind an
// effect: its parts, and its citizens by the classes that the run file declares
// under compare.classes, beside the comparators of the same class.
func (b *Background) ExplainLine(s *bonus.Settlement, line string) (bonus.Explanation, error) {
	e, err := s.Explain(line)
	if err != nil {
		return e, err
	}
	strata, err := b.strata(&e.Line)
	if err != nil {
		return e, err
	}
	return e.Behind(b.Terms, b.Facts, strata), nil
}

// strata sets the citizens of an effect line beside its comparators, class by
// class; nil for another line, and where no classes are declared.
func (b *Background) strata(l *bonus.Line) ([]bonus.Stratum, error) {
	declared := b.job.c.Compare.Classes
	r, ok := b.Facts.Observations.Result(l.Outcome)
	if l.Municipality == "" || len(declared) == 0 || !ok {
		return nil, nil
	}
	c := b.Facts.Observations.Cases
	classifier, err := effect.Classify(c, classes(declared))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTables, err)
	}
	comparator := b.comparators(l)
	found := map[int]*bonus.Stratum{}
	sums := map[int]*[2]float64{}
	for i := range int32(c.Len()) {
		if !r.Complete[i] || c.MatchScheme.At(int(i)) != l.MatchScheme || c.MatchGroup.At(int(i)) != l.MatchGroup || math.IsNaN(r.Value[i]) {
			continue
		}
		own := c.Municipality.At(int(i)) == l.Municipality && c.Provider.At(int(i)) == l.Provider && (l.Package == "" || c.Package.At(int(i)) == l.Package)
		if !own && !comparator(int(i)) {
			continue
		}
		key := classifier.Key(i)
		if found[key] == nil {
			labels := classifier.Labels(i)
			for k, class := range declared {
				labels[k] = class.Covariate + " " + labels[k]
			}
			found[key], sums[key] = &bonus.Stratum{Line: l.ID, Classes: strings.Join(labels, ", ")}, &[2]float64{}
		}
		x, side := found[key], 1
		if own {
			x.N++
			side = 0
		} else {
			x.NComparators++
		}
		sums[key][side] += r.Value[i]
	}
	var out []bonus.Stratum
	for key, x := range found {
		if x.N == 0 {
			continue
		}
		x.Observed, x.Expected = effect.Round(sums[key][0]/float64(x.N)), math.NaN()
		if x.NComparators > 0 {
			x.Expected = effect.Round(sums[key][1] / float64(x.NComparators))
		}
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b bonus.Stratum) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Classes, b.Classes)) })
	return out, nil
}

// comparators says who is compared with the citizens of a line: those of others
// in the municipality for the provider's part, else those of the peers; never of
// the provider or a member of its consortium.
func (b *Background) comparators(l *bonus.Line) func(i int) bool {
	var members []effect.Membership
	for _, p := range b.job.result.Providers {
		members = append(members, effect.Membership{Provider: p.Provider, Consortium: p.Consortium, From: p.From, To: p.To})
	}
	kin := append(effect.Kinship(members)[l.Provider], l.Provider)
	where := map[string]bool{}
	for _, t := range b.Terms {
		for _, v := range t.Versions {
			for _, c := range v.Clauses {
				if t.Agreement == l.Agreement && v.ValidFrom == l.Version && c.ID == l.Clause && effect.Part(c.Measure.Part) == effect.Provider {
					where[l.Municipality] = true
				}
			}
		}
	}
	if len(where) == 0 {
		for _, p := range b.job.result.Peers {
			where[p.Peer] = where[p.Peer] || p.Municipality == l.Municipality
		}
	}
	c := b.Facts.Observations.Cases
	return func(i int) bool { return where[c.Municipality.At(i)] && !slices.Contains(kin, c.Provider.At(i)) }
}

// OutcomeText says how the run file defines an outcome, "" for one it does not
// have.
func (b *Background) OutcomeText(name string) string {
	for _, a := range b.job.c.Outcomes {
		if a.Name == name {
			return a.text()
		}
	}
	return ""
}
