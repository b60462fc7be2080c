package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// resultsOf lists the tables that each step writes.
func resultsOf(s Step) []string {
	switch s {
	case StepMeasure:
		return []string{TableRejects, TableCounts, TableAttrition, TableCases, TableCovariates, TableOutcomes, TablePeerStrata}
	case StepEstimate:
		return []string{TablePeers, TableEstimates}
	case StepBenchmark:
		return []string{TableBenchmark, TableDiagnostics}
	default:
		return []string{TableSettlement, TableSteps, TableGate, TableCounted, TableCaseLines}
	}
}

// steps lists the steps in order.
func steps() []Step { return []Step{StepMeasure, StepEstimate, StepBenchmark, StepSettle} }

// SummaryName is the file of a results folder with the summary in words.
const SummaryName = "summary.txt"

// Run does the whole job that a configuration describes and writes its tables,
// a summary and the manifest to the folder c.Out: whole, or not at all. Files in
// the folder that are no results of this program are left alone.
//
// When too many rows are bad, the rejects are still written to rejects.parquet,
// without a manifest, and in a subfolder stopped if the folder holds results.
func Run(ctx context.Context, c *Config) (*Result, error) { return run(ctx, c, steps()) }

// RunStep does one step, starting from the tables of the steps before it in
// c.Out, and removes the tables of the steps after it: they were made of other
// figures. The run file must be the one those tables were made by; as_of is
// theirs.
func RunStep(ctx context.Context, c *Config, s Step) (*Result, error) {
	if !slices.Contains(steps(), s) {
		return nil, fmt.Errorf("%w: there is no step %q", ErrConfig, s)
	}
	return run(ctx, c, []Step{s})
}

func run(ctx context.Context, c *Config, todo []Step) (_ *Result, err error) {
	out := c.resolve(c.Out)
	job := &job{c: c, out: out, result: &Result{AsOf: c.AsOf}}
	if job.terms, err = c.loadTerms(); err != nil {
		return nil, err
	}
	if err := c.checkNeeds(job.terms); err != nil {
		return nil, err
	}
	if job.data, err = ingest.OpenFolder(c.resolve(c.Data), c.IngestOptions()); err != nil {
		return nil, err
	}
	m := &Manifest{Format: 1, Program: program(), AsOf: c.AsOf, Standing: bonus.Standing}
	var before []Step
	if first := slices.Index(steps(), todo[0]); first > 0 {
		before = steps()[:first]
		if m, err = job.load(ctx, before); err != nil {
			return nil, err
		}
	}
	f, err := newFiles(out)
	if err != nil {
		return nil, err
	}
	defer f.cleanup()
	for _, s := range todo {
		if s == StepSettle && len(job.terms) == 0 {
			if len(todo) == 1 {
				return nil, fmt.Errorf("%w: there is nothing to settle: the run file names no terms", ErrConfig)
			}
			continue
		}
		if err := job.step(ctx, s); err != nil {
			if s == StepMeasure {
				err = job.saveRejects(err)
			}
			return nil, err
		}
		for _, t := range job.tables(s) {
			if err := f.table(ctx, t, c.Formats); err != nil {
				return nil, err
			}
		}
		m.Steps = append(m.Steps, s)
	}
	err = f.write(SummaryName, true, func(w io.Writer) error {
		_, err := io.WriteString(w, job.result.Summary())
		return err
	})
	if err != nil {
		return nil, err
	}
	m.Results = append(m.Results, f.results...)
	if err := job.describe(m); err != nil {
		return nil, err
	}
	var stale []string
	for _, s := range steps() {
		if !slices.Contains(m.Steps, s) {
			for _, t := range resultsOf(s) {
				stale = append(stale, t+".parquet")
			}
		}
		for _, t := range resultsOf(s) {
			if !slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == t+".csv" }) {
				stale = append(stale, t+".csv")
			}
		}
	}
	return job.result, f.publish(m, stale)
}

// job is a run in progress.
type job struct {
	c      *Config
	out    string
	terms  []*bonus.Terms
	data   *ingest.Dataset
	result *Result
}

func (j *job) step(ctx context.Context, s Step) error {
	r := j.result
	switch s {
	case StepMeasure:
		m, err := Measure(ctx, j.data, j.c)
		if err != nil {
			return err
		}
		r.Measured = *m
	case StepEstimate:
		e, err := Estimate(ctx, j.data, j.c, r.Observations)
		if err != nil {
			return err
		}
		r.Estimated = *e
	case StepBenchmark:
		r.Benchmarked = Benchmark(r.Estimates)
	case StepSettle:
		var err error
		if r.Settlement, err = Settle(ctx, j.terms, r.Observations, r.Benchmarked); err != nil {
			return err
		}
	}
	return nil
}

// tables are the tables of a step that was done.
func (j *job) tables(s Step) []*ingest.Table {
	r := j.result
	switch s {
	case StepMeasure:
		t := []*ingest.Table{
			rowTable(TableRejects, r.Rejects), rowTable(TableCounts, r.Counts), rowTable(TableAttrition, r.Observations.Attrition),
			outcomeTable(r.Observations), strataTable(r.Strata, r.Classes),
		}
		return append(t, caseTables(r.Observations.Cases)...)
	case StepEstimate:
		return []*ingest.Table{rowTable(TablePeers, r.Peers), rowTable(TableEstimates, r.Estimates)}
	case StepBenchmark:
		return []*ingest.Table{rowTable(TableBenchmark, r.Benchmark), rowTable(TableDiagnostics, r.Diagnostics)}
	default:
		return settlementTables(r.Settlement)
	}
}

func settlementTables(s *bonus.Settlement) []*ingest.Table {
	return []*ingest.Table{
		rowTable(TableSettlement, s.Lines), rowTable(TableSteps, s.Steps), rowTable(TableGate, s.Gate),
		rowTable(TableCounted, s.Counts), rowTable(TableCaseLines, s.Cases),
	}
}

// saveRejects writes the rejects of a run that stopped, so that somebody can
// see what was wrong with the rows, and returns why it stopped.
func (j *job) saveRejects(why error) error {
	rejects := j.data.Rejects()
	if len(rejects) == 0 || !errors.Is(why, ingest.ErrTooManyRejects) {
		return why
	}
	folder := j.c.Out
	if _, err := os.Stat(filepath.Join(j.out, ManifestName)); err == nil {
		// The results of an earlier run stay as they are.
		folder = filepath.Join(folder, "stopped")
	}
	f, err := newFiles(j.c.resolve(folder))
	if err != nil {
		return errors.Join(why, err)
	}
	defer f.cleanup()
	if err := f.table(context.Background(), rowTable(TableRejects, rejects), j.c.Formats); err != nil {
		return errors.Join(why, err)
	}
	if err := f.publishPending(); err != nil {
		return errors.Join(why, err)
	}
	return fmt.Errorf("%w; they are listed in %s, and input.max_reject_share in the run file says how many are allowed", why, filepath.Join(folder, TableRejects+".parquet"))
}

// load reads the tables of earlier steps back and returns their manifest,
// reduced to those steps.
func (j *job) load(ctx context.Context, before []Step) (*Manifest, error) {
	m, err := ReadManifest(j.out)
	if err != nil {
		return nil, err
	}
	for _, s := range before {
		if !slices.Contains(m.Steps, s) {
			return nil, fmt.Errorf("%w: the step %s has not been done; do it first", ErrManifest, s)
		}
	}
	now, err := hashFile(j.c.Path, "")
	if err != nil {
		return nil, err
	}
	if now.SHA256 != m.RunFile.SHA256 {
		return nil, fmt.Errorf("%w: the tables were made by another version of the run file; start again from measure", ErrManifest)
	}
	j.c = j.c.with(m.AsOf)
	j.result.AsOf = m.AsOf
	m.Steps = before
	keep := []Source{}
	for _, s := range before {
		for _, t := range resultsOf(s) {
			for _, r := range m.Results {
				if r.Path == t+".parquet" || r.Path == t+".csv" {
					keep = append(keep, r)
				}
			}
		}
	}
	m.Results = keep
	for _, r := range keep {
		if now, err := hashFile(filepath.Join(j.out, r.Path), r.Path); err != nil || now != r {
			return nil, fmt.Errorf("%w: %s is not as it was written; start again from measure: %w", ErrManifest, r.Path, errors.Join(err))
		}
	}
	r := j.result
	tables := map[string]*ingest.Table{}
	for _, name := range []string{TableCases, TableCovariates, TableOutcomes, TableAttrition, TableRejects, TableCounts} {
		if tables[name], err = readTable(ctx, j.out, name); err != nil {
			return nil, err
		}
	}
	if r.Observations, err = readObservations(m.AsOf, tables[TableCases], tables[TableCovariates], tables[TableOutcomes], tables[TableAttrition]); err != nil {
		return nil, err
	}
	if r.Rejects, err = ingest.ToRows[ingest.Reject](tables[TableRejects]); err != nil {
		return nil, err
	}
	if r.Counts, err = ingest.ToRows[ingest.Count](tables[TableCounts]); err != nil {
		return nil, err
	}
	if slices.Contains(before, StepEstimate) {
		if r.Peers, err = readRows[peer.Peer](ctx, j.out, TablePeers); err != nil {
			return nil, err
		}
		if r.Estimates, err = readRows[effect.Estimate](ctx, j.out, TableEstimates); err != nil {
			return nil, err
		}
	}
	if slices.Contains(before, StepBenchmark) {
		if r.Benchmark, err = readRows[effect.BenchmarkRow](ctx, j.out, TableBenchmark); err != nil {
			return nil, err
		}
		if r.Diagnostics, err = readRows[effect.Diagnostic](ctx, j.out, TableDiagnostics); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// with is the configuration with another as_of.
func (c *Config) with(asOf effect.Date) *Config {
	other := *c
	other.AsOf = asOf
	return &other
}

func readTable(ctx context.Context, folder, name string) (*ingest.Table, error) {
	return ingest.ReadTable(ctx, filepath.Join(folder, name+".parquet"), ingest.DefaultLimits())
}

func readRows[T any](ctx context.Context, folder, name string) ([]T, error) {
	t, err := readTable(ctx, folder, name)
	if err != nil {
		return nil, err
	}
	return ingest.ToRows[T](t)
}

// describe fills in what the results were made of.
func (j *job) describe(m *Manifest) error {
	list, err := sources(j.out, []string{j.c.Path})
	if err != nil {
		return err
	}
	m.RunFile = list[0]
	if m.Data, err = relative(j.out, j.c.resolve(j.c.Data)); err != nil {
		return err
	}
	var terms []string
	for _, t := range j.c.Terms {
		terms = append(terms, j.c.resolve(t))
	}
	if m.Terms, err = sources(j.out, terms); err != nil {
		return err
	}
	if !slices.Contains(m.Steps, StepMeasure) || len(m.Inputs) == 0 {
		m.Inputs, err = sources(j.out, j.data.Files())
	}
	return err
}

// ReadSettlement reads the settlement tables of a results folder, to be
// explained.
func ReadSettlement(ctx context.Context, folder string) (*bonus.Settlement, error) {
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(m.Steps, StepSettle) {
		return nil, fmt.Errorf("%w: nothing was settled in it", ErrManifest)
	}
	s := &bonus.Settlement{}
	if s.Lines, err = readRows[bonus.Line](ctx, folder, TableSettlement); err != nil {
		return nil, err
	}
	if s.Steps, err = readRows[bonus.Step](ctx, folder, TableSteps); err != nil {
		return nil, err
	}
	if s.Gate, err = readRows[bonus.GateRow](ctx, folder, TableGate); err != nil {
		return nil, err
	}
	if s.Counts, err = readRows[bonus.Count](ctx, folder, TableCounted); err != nil {
		return nil, err
	}
	s.Cases, err = readRows[bonus.CaseLine](ctx, folder, TableCaseLines)
	return s, err
}

// Difference is one file that Verify found other than the manifest says.
type Difference struct {
	Path string
	What string // changed, missing, or not made again with the same bytes
}

// Verify makes the results of a folder again from what its manifest names, in a
// temporary folder, and compares. It returns what differs: inputs, run file or
// terms that changed, result files that are not as written, and results that
// come out otherwise. Nothing in the folder is touched.
func Verify(ctx context.Context, folder string) ([]Difference, error) {
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	var out []Difference
	for _, s := range slices.Concat([]Source{m.RunFile}, m.Terms, m.Inputs, m.Results) {
		now, err := hashFile(filepath.Join(folder, filepath.FromSlash(s.Path)), s.Path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			out = append(out, Difference{s.Path, "missing"})
		case err != nil:
			return nil, err
		case now != s:
			out = append(out, Difference{s.Path, "changed since the results were written"})
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	c, err := LoadConfig(filepath.Join(folder, filepath.FromSlash(m.RunFile.Path)))
	if err != nil {
		return nil, err
	}
	again, err := os.MkdirTemp("", "jobeffekt-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(again)
	c = c.with(m.AsOf)
	if c.Data, err = filepath.Abs(filepath.Join(folder, filepath.FromSlash(m.Data))); err != nil {
		return nil, err
	}
	c.Out = again
	if _, err := run(ctx, c, m.Steps); err != nil {
		return nil, err
	}
	for _, s := range m.Results {
		now, err := hashFile(filepath.Join(again, s.Path), s.Path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if now != s {
			out = append(out, Difference{s.Path, "not made again with the same bytes"})
		}
	}
	return out, nil
}

// Check validates everything that can be validated without computing: the run
// file, the terms and what they need, and the columns of the dataset. It returns
// every fault found.
func Check(ctx context.Context, c *Config) error {
	terms, err := c.loadTerms()
	if err == nil {
		err = c.checkNeeds(terms)
	}
	data, open := ingest.OpenFolder(c.resolve(c.Data), c.IngestOptions())
	if open != nil {
		return errors.Join(err, open)
	}
	return errors.Join(err, data.Check(ctx), c.checkTables(data))
}

// checkTables says which tables the run file needs and the dataset lacks.
func (c *Config) checkTables(data *ingest.Dataset) error {
	var errs []error
	need := func(table, why string) {
		if !data.Has(table) {
			errs = append(errs, fmt.Errorf("%w: the dataset has no table %s, which is needed for %s", ErrConfig, table, why))
		}
	}
	need(ingest.Participations, "every job")
	need(ingest.Spells, "every job")
	if c.Peers != nil && len(c.Peers.List) == 0 {
		need(ingest.Municipalities, "choosing peers by framework conditions")
	}
	return errors.Join(errs...)
}
