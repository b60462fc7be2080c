package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// CellTable is what became of the cohort, cell by cell.
type CellTable struct {
	AsOf           effect.Date
	Participations int
	Cells          []effect.CellRow
	Counts         []ingest.Count
	Rejects        []ingest.Reject
}

// Cells reads and observes as [Measure] does, but keeps only the cells: no row of a
// participation, no covariates but those that are an outcome, no placebo, no signals. The cells
// are those of [effect.Observations.Cells]. The dataset must have been opened with the
// options of [Config.CellOptions], or of [Config.IngestOptions].
func Cells(ctx context.Context, ds *ingest.Dataset, c *Config) (*CellTable, error) {
	read := c.readCells()
	cases, _, err := read.readCases(ctx, ds)
	if err != nil {
		return nil, err
	}
	o, err := effect.NewObserver(read.cellStudy(), cases)
	if err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidRead, Within: true})
	if err := ds.Observe(ctx, cases, nil, o); err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidObserve, Within: true})
	t := &CellTable{AsOf: c.AsOf, Participations: cases.Len()}
	if t.Cells, err = o.Cells(ctx); err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidFigures, Within: true})
	t.Counts, t.Rejects = append(ds.Counts(), read.unobserved(o)...), ds.Rejects()
	return t, nil
}

// cellStudy is the study without what no cell tells.
func (c *Config) cellStudy() effect.Study {
	s := c.Study()
	s.CellsOnly, s.Placebo, s.Signals = true, 0, false
	return s
}

// readCells is the configuration as far as cells need it read.
func (c *Config) readCells() *Config {
	other := *c
	other.Compare.Also = nil
	return &other
}

// CellOptions are [Config.IngestOptions] without the covariates that no cell tells.
func (c *Config) CellOptions() ingest.Options {
	o := c.IngestOptions()
	o.Covariates = slices.Compact(slices.Sorted(slices.Values(c.numbers())))
	return o
}

// RunCells writes the table of cells that the step measure writes, to the byte, with
// counts, rejects and a manifest that names no step: nothing can be done on from it. It
// refuses a folder that holds results of a step, and a blinded run.
func RunCells(ctx context.Context, c *Config) (*CellTable, error) {
	if c.Path == "" {
		return nil, fmt.Errorf("%w: results in files need a configuration that was read from one; use Cells for one made in memory", ErrConfig)
	}
	if c.Blinded {
		return nil, fmt.Errorf("%w: cells show outcomes, which a blinded run does not; leave out blinded, or the cells", ErrConfig)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := c.checkFolders(); err != nil {
		return nil, err
	}
	out := c.resolve(c.Out)
	if err := c.keepBlinded(out); err != nil {
		return nil, err
	}
	if err := onlyCells(out, c.Out); err != nil {
		return nil, err
	}
	data, err := c.openData(ctx, c.CellOptions())
	if err != nil {
		return nil, err
	}
	f, err := newFiles(out)
	if err != nil {
		return nil, err
	}
	defer f.cleanup()
	alone := *c // nothing is compared or settled
	alone.Terms, alone.Accepted, alone.Peers = nil, "", nil
	job := &job{c: &alone, out: out, data: data, result: &Result{AsOf: c.AsOf}}
	m := &Manifest{Format: 1, Program: ThisProgram(), AsOf: c.AsOf, Steps: []Step{}}
	// Inputs are described while they are read: the dataset refuses a file that changed
	// since it was opened to both.
	described := make(chan error, 1)
	hashing, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { described <- job.describe(hashing, m) }()
	t, err := Cells(ctx, data, c)
	if err == nil {
		err = <-described
	} else {
		if c.Input.Checksums == "" {
			cancel()
		}
		if e := <-described; errors.Is(e, ErrChecksum) {
			err = e // what could not be read is not what it should be
		}
	}
	if err != nil {
		f.cleanup() // the rejects may go to this folder, which is locked for f
		return nil, job.saveRejects(err)
	}
	if t.Rejects, err = job.named(t.Rejects); err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidInputs, Within: true}) // what was left of it
	for _, table := range []*ingest.Table{rowTable(TableCells, t.Cells), rowTable(TableCounts, t.Counts), rowTable(TableRejects, t.Rejects)} {
		if err := f.table(ctx, table, c.Formats); err != nil {
			return nil, err
		}
	}
	m.Results = append(m.Results, f.results...)
	if err := job.steady(ctx, m, f.began()); err != nil {
		return nil, err
	}
	return t, f.publish(m)
}

// onlyCells refuses a folder with results of a step: the cells would take their
// manifest away.
func onlyCells(folder, name string) error {
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return fmt.Errorf("%w: out (%s) is no folder; name one under out", ErrConfig, name)
	}
	if _, err := os.Stat(filepath.Join(folder, ManifestName)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	m, err := readManifest(folder)
	if err == nil && len(m.Steps) == 0 {
		return nil
	}
	return fmt.Errorf("%w: out (%s) holds results of steps, which cells alone would replace; name another folder under out", ErrConfig, name)
}
