package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// AcceptanceName is the file of a blinded run's folder in which people record
// whether its diagnostics may be paid on.
const AcceptanceName = "acceptance.yaml"

// Accept records a decision on the diagnostics of a blinded run in its folder.
// The hash is filled in; the day is taken as given, and lies no earlier than the
// as_of of the run. Earlier decisions stay, and
// the last one of a role counts. The error wraps [ErrManifest] where the folder
// is not of a blinded run, or its diagnostics are not as they were written.
func Accept(folder string, d bonus.Decision) error {
	switch {
	case d.Name == "" || d.Role == "":
		return fmt.Errorf("%w: a decision needs a name and a role", ErrConfig)
	case !slices.Contains(bonus.Answer("").Names(), string(d.Decision)):
		return fmt.Errorf("%w: %q is no decision: it is accepted or refused", ErrConfig, d.Decision)
	}
	m, diagnostics, err := blindedDiagnostics(folder)
	if err != nil {
		return err
	}
	if d.On < m.AsOf {
		return fmt.Errorf("%w: a decision on %s lies before the as_of of the blinded run, %s, when there was nothing to decide on; give the day of the decision", ErrConfig, d.On, m.AsOf)
	}
	if err := unchanged(folder, diagnostics); err != nil {
		return err
	}
	d.SHA256 = diagnostics.SHA256
	head := "# What was decided on the diagnostics of this blinded run, in the order of time.\ndecisions:\n"
	return appendEntries(filepath.Join(folder, AcceptanceName), head, d.Text(), func(name string, src []byte) (int, error) {
		all, err := bonus.ParseDecisions(name, src)
		if err != nil {
			return 0, err
		}
		return len(all.Decisions), nil
	})
}

// blindedDiagnostics is the manifest of a blinded run, and the table of
// diagnostics as it names it.
func blindedDiagnostics(folder string) (*Manifest, Source, error) {
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, Source{}, err
	}
	k := slices.IndexFunc(m.Results, func(r Source) bool { return r.Path == TableDiagnostics+".parquet" })
	if !m.Blinded || k < 0 {
		return nil, Source{}, fmt.Errorf("%w: it is not of a blinded run, whose diagnostics are decided on before the effects are seen", ErrManifest)
	}
	return m, m.Results[k], nil
}

// acceptance is what was decided on the diagnostics in the blinded run that the
// run file names, nil where it names none. A blinded run comes before: it looks
// at none.
func (c *Config) acceptance(ctx context.Context, now []effect.Diagnostic) (*bonus.Acceptance, error) {
	if c.Accepted == "" || c.Blinded {
		return nil, nil
	}
	folder := c.resolve(c.Accepted)
	_, then, err := blindedDiagnostics(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: accepted: %w", ErrConfig, err)
	}
	h := newHasher(io.Discard)
	if err := rowTable(TableDiagnostics, now).WriteParquet(h); err != nil {
		return nil, err
	}
	a := &bonus.Acceptance{SHA256: h.source("").SHA256}
	src, err := readUpTo(filepath.Join(folder, AcceptanceName), MaxTextBytes)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return a, nil
	case err != nil:
		return nil, fmt.Errorf("%w: accepted: %w", ErrConfig, err)
	}
	all, err := bonus.ParseDecisions(AcceptanceName, src)
	if err != nil {
		return nil, err
	}
	a.Decisions = all.Decisions
	if then.SHA256 != a.SHA256 && unchanged(folder, then) == nil {
		// Without the old table only that they differ is known.
		if before, err := readRows[effect.Diagnostic](ctx, folder, TableDiagnostics); err == nil {
			a.Changed = changed(before, now)
		}
	}
	return a, nil
}

// changed says by name how many diagnostics differ between two tables.
func changed(before, now []effect.Diagnostic) string {
	type key struct {
		outcome, method string
		cell            effect.Cell
		part            effect.Part
		name            effect.DiagnosticName
	}
	n, old := map[effect.DiagnosticName]int{}, map[key]effect.Diagnostic{}
	of := func(d effect.Diagnostic) key { return key{d.Outcome, d.Method, d.Cell, d.Part, d.Name} }
	for _, d := range before {
		old[of(d)] = d
	}
	for _, d := range now {
		was, ok := old[of(d)]
		same := was.Value == d.Value || was.Value != was.Value && d.Value != d.Value // NaN is as it was
		if !ok || !same || was.NotApplicable != d.NotApplicable {
			n[d.Name]++
		}
		delete(old, of(d))
	}
	for k := range old {
		n[k.name]++
	}
	var out []string
	for _, name := range effect.DiagnosticNames() {
		if n[name] > 0 {
			out = append(out, fmt.Sprintf("%s (%d)", name, n[name]))
		}
	}
	return cmp.Or(strings.Join(out, ", "), "the same figures, written by another version of the program")
}

// acceptanceSources are the files of a blinded run that a settlement rests on.
func (c *Config) acceptanceSources(out string) ([]Source, error) {
	if c.Accepted == "" || c.Blinded {
		return nil, nil
	}
	folder, files := c.resolve(c.Accepted), []string{}
	for _, name := range []string{ManifestName, AcceptanceName} {
		switch _, err := os.Stat(filepath.Join(folder, name)); {
		case err == nil:
			files = append(files, filepath.Join(folder, name))
		case !errors.Is(err, os.ErrNotExist) || name == ManifestName:
			return nil, fmt.Errorf("%w: accepted: %w", ErrConfig, err)
		}
	}
	return sources(out, files)
}
