package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// resultsOf lists the tables that each step writes.
func resultsOf(s Step, blinded bool) []string {
	switch {
	case s == StepMeasure && blinded:
		return []string{TableRejects, TableCounts, TableAttrition, TableProviders, TableCrosswalk, TableCases, TableCovariates}
	case s == StepBenchmark && blinded:
		return []string{TableBenchmark, TableDiagnostics}
	case s == StepSettle && blinded:
		return []string{TableGatePreview}
	}
	var out []string
	for _, t := range ResultTables() {
		if t.Step == s && t.Name != TableGatePreview {
			out = append(out, t.Name)
		}
	}
	return out
}

// onRequest says whether a table is written only where something asks for it.
func onRequest(table string) bool {
	t, _ := ResultTable(table)
	return t.onRequest
}

// allTables lists the tables that any run writes.
func allTables() (all []string) {
	for _, t := range ResultTables() {
		all = append(all, t.Name)
	}
	return all
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
//
// With c.Keep a step is not done whose tables stand in the folder as this run would write
// them: the manifest has its key (see [StepKey]), and the tables are as they were written.
// Nor are they written again, and the folder is the same byte for byte as without c.Keep.
// Inputs and tables are still hashed. The first step that has to be done is done with all
// that come after it, and a blinded run is done whole; see also [Result.Kept].
func Run(ctx context.Context, c *Config) (*Result, error) { return run(ctx, c, steps()) }

// RunStep does one step, starting from the tables of the steps before it in
// c.Out, and removes the tables of the steps after it: they were made of other
// figures. The run file must be the one those tables were made by; as_of is
// theirs.
func RunStep(ctx context.Context, c *Config, s Step) (*Result, error) {
	if !slices.Contains(steps(), s) {
		return nil, fmt.Errorf("%w: there is no step %q", ErrConfig, s)
	}
	if c.Blinded {
		return nil, fmt.Errorf("%w: steps show effects, so that a blinded run is done as a whole: use run", ErrConfig)
	}
	return run(ctx, c, []Step{s})
}

// run does the steps. Where there are partials, they stand for the table spells.
func run(ctx context.Context, c *Config, todo []Step, partials ...string) (_ *Result, err error) {
	if c.Path == "" {
		return nil, fmt.Errorf("%w: results in files need a configuration that was read from one; use Evaluate for one made in memory", ErrConfig)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := c.checkFolders(); err != nil {
		return nil, err
	}
	out := c.resolve(c.Out)
	job := &job{c: c, out: out, result: &Result{AsOf: c.AsOf}}
	if job.terms, err = c.LoadTerms(); err != nil {
		return nil, err
	}
	if err := c.checkTerms(job.terms); err != nil {
		return nil, err
	}
	if job.data, err = c.openData(ctx, c.readBy(StepMeasure).IngestOptions()); err != nil {
		return nil, err
	}
	if len(partials) > 0 {
		if err := job.open(ctx, partials); err != nil {
			return nil, err
		}
	}
	f, err := newFiles(out)
	if err != nil {
		return nil, err
	}
	defer f.cleanup()
	// Inputs are described before they are read. The dataset refuses a file that
	// changed since it was opened, so what is read is what is described.
	m := &Manifest{Format: 1, Program: ThisProgram(), AsOf: c.AsOf, Blinded: c.Blinded}
	if err := job.describe(ctx, m); err != nil {
		return nil, err
	}
	first := slices.Index(steps(), todo[0])
	if first > 0 {
		if m, err = job.load(ctx, m, steps()[:first], todo); err != nil {
			return nil, err
		}
	}
	if err := c.keepBlinded(out); err != nil {
		return nil, err
	}
	if len(job.terms) == 0 && slices.Contains(todo, StepSettle) {
		if len(todo) == 1 {
			return nil, fmt.Errorf("%w: there is nothing to settle: the run file names no terms", ErrConfig)
		}
		todo = todo[:len(todo)-1]
	}
	c.progress(Progress{Did: DidInputs})
	whole := false // everything stands there already
	if first == 0 && len(todo) > 1 {
		m.Keys = job.keys(m, todo)
		if todo, whole, err = job.keep(ctx, m, todo); err != nil {
			return nil, err
		}
	}
	write := func(s Step) error {
		p := Progress{Did: string(s)}
		for _, t := range job.tables(s) {
			if err := f.table(ctx, t, c.Formats); err != nil {
				return err
			}
			p.Rows += t.Rows()
		}
		if s == StepEstimate {
			p.Cells = len(job.result.Estimates)
			for i := range job.result.Estimates {
				if job.result.Estimates[i].Refusal != "" {
					p.Refusals++
				}
			}
		}
		c.progress(p)
		return nil
	}
	for _, s := range todo {
		if err := job.step(ctx, s); err != nil {
			if s == StepMeasure {
				f.cleanup() // the rejects may go to this folder, which is locked for f
				err = job.saveRejects(err)
			}
			return nil, err
		}
		m.Steps = append(m.Steps, s)
		if b := job.result.BeforeAfter; s == StepBenchmark && b != nil && len(m.Keys) > 0 && !c.Blinded {
			m.Keys[len(m.Steps)-1].Words = b.Words
		}
		c.progress(Progress{Did: DidFigures, Within: true})
		if c.Blinded {
			continue // nothing is written before the effects are taken out
		}
		if err := write(s); err != nil {
			return nil, err
		}
	}
	if c.Blinded && !whole {
		job.result.blind()
		for _, s := range m.Steps {
			if err := write(s); err != nil {
				return nil, err
			}
		}
	}
	if !whole {
		m.Standing = job.result.Standing()
		err = f.write(SummaryName, true, func(w io.Writer) error {
			_, err := io.WriteString(w, job.result.Summary())
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	m.Results = append(m.Results, f.results...)
	if err := job.steady(ctx, m, f.began()); err != nil {
		return nil, err
	}
	return job.result, f.publish(m)
}

// job is a run in progress.
type job struct {
	c      *Config
	out    string
	terms  []*bonus.Terms
	data   *ingest.Dataset
	result *Result

	mapping  *mapping // of a reduce, with its partials
	partials *partialSet
}

func (j *job) step(ctx context.Context, s Step) error {
	r, c := j.result, j.c.readBy(s)
	switch s {
	case StepMeasure:
		m, err := j.measure(ctx, c)
		if err != nil {
			return err
		}
		if m.Rejects, err = j.named(m.Rejects); err != nil {
			return err
		}
		r.Measured = *m
	case StepEstimate:
		e, err := Estimate(ctx, j.data, c, r.Observations)
		if err != nil {
			return err
		}
		r.Estimated = *e
	case StepBenchmark:
		b, err := Benchmark(ctx, j.data, c, r.Observations, r.Estimated)
		if err != nil {
			return err
		}
		r.Benchmarked = *b
	case StepSettle:
		acceptance, err := c.acceptance(ctx, r.Diagnostics)
		if err != nil {
			return err
		}
		if r.Settlement, err = Settle(ctx, j.data, j.terms, r.Measured, r.Benchmarked, acceptance); err != nil {
			return err
		}
		if r.FollowUp, err = c.followUp(ctx, j.data, j.terms, &r.Measured, &r.Benchmarked, r.Settlement); err != nil {
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
		t := []*ingest.Table{rowTable(TableRejects, r.Rejects), rowTable(TableCounts, r.Counts), rowTable(TableAttrition, r.Observations.Attrition), rowTable(TableProviders, r.Providers)}
		if len(j.c.Crosswalk) > 0 {
			t = append(t, rowTable(TableCrosswalk, r.Crosswalk))
		}
		if !r.Blinded {
			t = append(t, rowTable(TableCells, r.Observations.Cells), outcomeTable(r.Observations), strataTable(r.Strata, r.Classes))
			if dates := dateTable(r.Observations); dates != nil {
				t = append(t, dates)
			}
			if r.Observations.Signals != nil {
				t = append(t, signalTable(r.Observations))
			}
			if r.Observations.Controls != nil {
				t = append(t, controlTables(r.Observations.Controls)...)
			}
			t = append(t, r.Supplied.tables(j.data)...)
		}
		return append(t, caseTables(r.Observations.Cases)...)
	case StepEstimate:
		return []*ingest.Table{
			rowTable(TablePeers, r.Peers), rowTable(TablePeerValues, r.PeerConditions), rowTable(TableStability, r.PeerStability),
			rowTable(TableEstimates, r.Estimates),
		}
	case StepBenchmark:
		t := []*ingest.Table{rowTable(TableBenchmark, r.Benchmark), rowTable(TableDiagnostics, r.Diagnostics)}
		if r.Blinded {
			return t
		}
		if len(r.Rankings) > 0 {
			t = append(t, rowTable(TableRanking, r.Rankings))
		}
		t = append(t, rowTable(TableComparison, r.Comparison))
		if j.c.Spending != nil {
			t = append(t, rowTable(TableSpending, r.Spending))
		}
		t = append(t, r.BeforeAfter.tables()...)
		return append(t,
			rowTable(TableProfile, r.Profile), rowTable(TableLeague, r.League),
			rowTable(TableSensitivity, r.Sensitivity), rowTable(TableCurves, r.Curves),
			rowTable(TableCreaming, r.Creaming), rowTable(TableDeciles, r.Deciles), rowTable(TableParking, r.Parking),
			rowTable(TableIndicators, r.Indicators),
		)
	default:
		if r.Blinded {
			return []*ingest.Table{rowTable(TableGatePreview, r.Gates)}
		}
		t := settlementTables(r.Settlement)
		if follows(j.data) {
			t = append(t, rowTable(TableFollowUp, r.FollowUp))
		}
		return t
	}
}

func settlementTables(s *bonus.Settlement) []*ingest.Table {
	tables := []*ingest.Table{
		rowTable(TableSettlement, s.Lines),
		caseTable(TableEntries, s.Entries, func(e bonus.Entry) string { return e.Participation }),
		rowTable(TableSteps, s.Steps), rowTable(TableGate, s.Gate), rowTable(TableCounted, s.Counts),
		caseTable(TableCaseLines, s.Cases, func(c bonus.CaseLine) string { return c.Participation }),
	}
	if s.Carried != nil {
		tables = append(tables, rowTable(TableCarried, s.Carried))
	}
	if len(s.Decisions) > 0 {
		tables = append(tables, rowTable(TableDecisions, s.Decisions))
	}
	if len(s.Upkeep) > 0 {
		tables = append(tables, rowTable(TableUpkeep, s.Upkeep))
	}
	return tables
}

// saveRejects writes the rejects of a run that stopped, so that somebody can
// see what was wrong with the rows, and returns why it stopped.
func (j *job) saveRejects(why error) error {
	if !errors.Is(why, ingest.ErrTooManyRejects) {
		return why
	}
	rejects, err := j.named(j.data.Rejects())
	if err != nil {
		return errors.Join(why, err)
	}
	folder := j.c.Out
	if _, err := os.Stat(filepath.Join(j.out, ManifestName)); err == nil {
		// The results of an earlier run stay as they are.
		folder = filepath.Join(folder, stoppedFolder)
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

// named are the rejects with their files named from the dataset's folder, so
// that the same rows make the same table wherever the job is run from.
func (j *job) named(rejects []ingest.Reject) ([]ingest.Reject, error) {
	for k := range rejects {
		var err error
		if rejects[k].File, err = relative(j.c.resolve(j.c.Data), rejects[k].File); err != nil {
			return nil, err
		}
	}
	return rejects, nil
}

// load reads the tables of earlier steps back for the steps that are left, and returns
// their manifest, reduced to those steps. It refuses tables that were made by another
// run file or of other data than now describes, or that are not as they were written.
func (j *job) load(ctx context.Context, now *Manifest, before, left []Step) (*Manifest, error) {
	m, err := ReadManifest(j.out)
	if err != nil {
		return nil, err
	}
	for _, s := range before {
		if !slices.Contains(m.Steps, s) {
			return nil, fmt.Errorf("%w: the step %s has not been done; do it first", ErrManifest, s)
		}
	}
	switch {
	case m.Blinded:
		return nil, fmt.Errorf("%w: its tables are of a blinded run and hold no effects to go on from; run the job without blinded, into another folder", ErrManifest)
	case now.RunFile.SHA256 != m.RunFile.SHA256:
		return nil, fmt.Errorf("%w: the tables were made by another version of the run file; start again from measure", ErrManifest)
	case now.Pseudonyms.text() != m.Pseudonyms.text():
		return nil, fmt.Errorf("%w: the tables hold other pseudonyms (%s, and now %s); start again from measure", ErrManifest, m.Pseudonyms.text(), now.Pseudonyms.text())
	case now.Data != m.Data || !slices.Equal(now.Inputs, m.Inputs):
		return nil, fmt.Errorf("%w: the tables were made of other data than there are now; start again from measure", ErrManifest)
	}
	j.c = j.c.with(m.AsOf)
	j.result.AsOf = m.AsOf
	m.Steps, m.Terms, m.Seals, m.Accepted, m.Program = slices.Clone(before), now.Terms, now.Seals, now.Accepted, now.Program
	m.Recorded = now.Recorded
	m.Keys = m.Keys[:min(len(m.Keys), len(before))]
	keep := []Source{}
	for _, s := range before {
		keep = append(keep, m.of(s)...)
	}
	m.Results = keep
	for _, r := range keep {
		if err := unchanged(j.out, r); err != nil {
			return nil, err
		}
	}
	return m, j.read(ctx, m, left)
}

// read reads back what the steps of a manifest made, as far as the steps that are left
// and the summary need it. Without steps left, everything that an explanation needs.
func (j *job) read(ctx context.Context, m *Manifest, left []Step) (err error) {
	r := j.result
	// A settlement knows cases by who they are and what became of them alone.
	lean := len(left) > 0 && left[0] == StepSettle
	study := j.c.Study()
	tables := map[string]*ingest.Table{}
	for _, name := range []string{TableCases, TableCovariates, TableOutcomes, TableAttrition, TableRejects, TableCounts} {
		switch {
		case lean && name == TableCovariates:
			continue
		case lean && name == TableCases:
			tables[name], err = ingest.ReadColumns(ctx, filepath.Join(j.out, name+".parquet"), ingest.DefaultLimits(), func(column string) bool {
				return column != placeboColumn && !strings.HasPrefix(column, covariatePrefix) && !strings.HasPrefix(column, laggedPrefix)
			})
		default:
			tables[name], err = readTable(ctx, j.out, name)
		}
		if err != nil {
			return err
		}
	}
	if j.c.signals() && !lean {
		if tables[TableSignals], err = readTable(ctx, j.out, TableSignals); err != nil {
			return err
		}
	}
	if r.Observations, err = readObservations(study, tables[TableCases], tables[TableCovariates], tables[TableOutcomes], tables[TableSignals], tables[TableAttrition]); err != nil {
		return err
	}
	if slices.ContainsFunc(study.Outcomes, func(o effect.Outcome) bool { return o.Dated }) {
		dates, err := readTable(ctx, j.out, TableDates)
		if err != nil {
			return err
		}
		if err := readDates(study, r.Observations, dates); err != nil {
			return err
		}
	}
	if j.c.controls() && !lean {
		for _, name := range []string{TableControls, TableControlled} {
			if tables[name], err = readTable(ctx, j.out, name); err != nil {
				return err
			}
		}
		if r.Observations.Controls, err = readObservations(study, tables[TableControls], tables[TableCovariates], tables[TableControlled], nil, nil); err != nil {
			return err
		}
	}
	if r.Rejects, err = ingest.ToRows[ingest.Reject](tables[TableRejects]); err != nil {
		return err
	}
	if r.Counts, err = ingest.ToRows[ingest.Count](tables[TableCounts]); err != nil {
		return err
	}
	if r.Providers, err = readRows[effect.ProviderRow](ctx, j.out, TableProviders); err != nil {
		return err
	}
	if r.Supplied, err = loadSupplied(ctx, j.out, m.Results); err != nil {
		return err
	}
	if len(j.c.Crosswalk) > 0 {
		if r.Crosswalk, err = readRows[ingest.Move](ctx, j.out, TableCrosswalk); err != nil {
			return err
		}
	}
	if slices.Contains(m.Steps, StepEstimate) {
		if r.Peers, err = readRows[peer.Peer](ctx, j.out, TablePeers); err != nil {
			return err
		}
		if r.Recorded, err = j.c.compareRecorded(r.Peers); err != nil {
			return err
		}
		if r.Estimates, err = readRows[effect.Estimate](ctx, j.out, TableEstimates); err != nil {
			return err
		}
	}
	if slices.Contains(m.Steps, StepBenchmark) {
		return j.readBenchmarked(ctx, m)
	}
	return nil
}

// readBenchmarked reads back what a settlement rests on, and what the summary tells of
// the step benchmark. The tables that neither looks at are not read.
func (j *job) readBenchmarked(ctx context.Context, m *Manifest) (err error) {
	r := j.result
	if r.Benchmark, err = readRows[effect.BenchmarkRow](ctx, j.out, TableBenchmark); err != nil {
		return err
	}
	if r.Indicators, err = readRows[watch.Row](ctx, j.out, TableIndicators); err != nil {
		return err
	}
	if r.Diagnostics, err = readRows[effect.Diagnostic](ctx, j.out, TableDiagnostics); err != nil {
		return err
	}
	if r.Comparison, err = readRows[effect.ComparisonRow](ctx, j.out, TableComparison); err != nil {
		return err
	}
	if j.c.Spending != nil {
		if r.Spending, err = readRows[SpendingRow](ctx, j.out, TableSpending); err != nil {
			return err
		}
	}
	if len(j.c.Rankings) > 0 {
		if r.Rankings, err = readRows[RankingRow](ctx, j.out, TableRanking); err != nil {
			return err
		}
	}
	if at := slices.IndexFunc(m.Keys, func(k StepKey) bool { return k.Step == StepBenchmark }); at >= 0 && j.c.BeforeAfter != nil {
		r.BeforeAfter = &BeforeAndAfter{Words: m.Keys[at].Words, since: j.c.BeforeAfter.Since}
	}
	if j.data != nil {
		r.Benchmarked.names, err = j.c.called(ctx, j.data)
	}
	return err
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

// unchanged says whether a result is as it was written.
func unchanged(folder string, r Source) error {
	now, err := hashFile(filepath.Join(folder, r.Path), r.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if now != r {
		return fmt.Errorf("%w: %s is not as it was written; do its step again", ErrManifest, r.Path)
	}
	return nil
}

// keepBlinded refuses effects in the folder of a blinded run, whose diagnostics
// are decided on, or were.
func (c *Config) keepBlinded(out string) error {
	if c.Blinded {
		return nil
	}
	_, err := os.Stat(filepath.Join(out, AcceptanceName))
	m, read := ReadManifest(out)
	if err == nil || read == nil && m.Blinded {
		return fmt.Errorf("%w: out (%s) holds a blinded run, or what was decided on one, which is kept; name another folder under out", ErrConfig, c.Out)
	}
	return nil
}

// describe fills in what the results are made of: the run file and terms as they
// were parsed, the inputs as they are before they are read.
func (j *job) describe(ctx context.Context, m *Manifest) (err error) {
	m.RunFile = j.c.source
	if m.RunFile.Path, err = relative(j.out, j.c.Path); err != nil {
		return err
	}
	if m.Data, err = relative(j.out, j.c.resolve(j.c.Data)); err != nil {
		return err
	}
	for i, t := range j.c.Terms {
		s := Source{Bytes: j.terms[i].Bytes, SHA256: j.terms[i].SHA256}
		if s.Path, err = relative(j.out, j.c.resolve(t)); err != nil {
			return err
		}
		m.Terms = append(m.Terms, s)
		if seals := j.terms[i].Seals; seals != nil {
			s = Source{Bytes: seals.Bytes, SHA256: seals.SHA256}
			if s.Path, err = relative(j.out, SealsName(j.c.resolve(t))); err != nil {
				return err
			}
			m.Seals = append(m.Seals, s)
		}
	}
	if m.Accepted, err = j.c.acceptanceSources(j.out); err != nil {
		return err
	}
	if m.Recorded, err = j.c.recordedSources(j.out); err != nil {
		return err
	}
	if m.Pseudonyms, err = j.c.pseudonymised(); err != nil {
		return err
	}
	given, err := j.c.readSums(ctx)
	if err != nil {
		return err
	}
	if given != nil {
		if given.source.Path, err = relative(j.out, j.c.resolve(j.c.Input.Checksums)); err != nil {
			return err
		}
		m.Checksums = []Source{given.source}
	}
	if m.Inputs, err = inputSources(ctx, j.out, j.data, j.mapped()); err != nil || given == nil {
		return err
	}
	return given.match(j.data.Files(), m.Inputs, true)
}

// steady says whether what the manifest describes is still what it describes, after it
// was read. The run file, terms and seals are described as they were parsed.
func (j *job) steady(ctx context.Context, m *Manifest, began time.Time) error {
	accepted, errAccepted := j.c.acceptanceSources(j.out)
	recorded, errRecorded := j.c.recordedSources(j.out)
	if err := errors.Join(errAccepted, errRecorded); err != nil {
		return err
	}
	if !slices.Equal(accepted, m.Accepted) || !slices.Equal(recorded, m.Recorded) {
		return fmt.Errorf("%w: what was accepted, or the recorded peers, changed while the job was done; run again", ErrConfig)
	}
	return steady(ctx, j.data, m.Inputs, began)
}

// checkFolders refuses results in the folder of the dataset, where they would be
// taken for input.
func (c *Config) checkFolders() error {
	if isURL(c.Out) {
		return fmt.Errorf("%w: out is a URL, and results go to a folder: name one, and copy it where it should be", ErrConfig)
	}
	inside, err := c.amongData(c.resolve(c.Out))
	if err != nil {
		return err
	}
	if inside {
		return fmt.Errorf("%w: out (%s) lies in the dataset's folder, where results would be taken for input", ErrConfig, c.Out)
	}
	return nil
}
