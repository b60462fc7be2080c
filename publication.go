package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Publication is what of a results folder may leave the house: every table that is about
// groups of citizens, with what tells of few of them taken out, and none that has a row
// for a citizen. Reports, provider's pages, workbooks, exported tables and metrics are made
// of nothing else.
//
// Counts of citizens are numbers in its tables, not whole numbers, so that they can be
// null. What was taken out is null, never 0, and the column [SuppressedColumn] of the row
// says why.
type Publication struct {
	Folder   string    // the results folder
	Manifest *Manifest // of the results
	MinCount int64     // the count under which nothing is shown
	Config   *Config   // the run file
	Terms    []*bonus.Terms
	// Municipalities are names by code, where the data have them.
	Municipalities map[string]string
	// Experience is what providers wrote, in the order of the dataset.
	Experience []ingest.Statement
	// Recorded says that a record remembers what went out, so that publications are
	// protected together; Earlier is how many went out before this one.
	Recorded bool
	Earlier  int
	// Tables are in the order in which the steps write them.
	Tables []*ingest.Table
}

// SuppressedColumn is the last column of every table of a [Publication] from which figures
// can be taken out. It is empty where none was.
const SuppressedColumn = "suppressed"

// Suppressed stands in [SuppressedColumn] where figures of a row were taken out: it tells
// of fewer citizens than may be shown, or what may not be shown could be worked out from
// it and others. Which of the two is not told, as it would give away that a count is small.
const Suppressed = "disclosure_control"

// Table is the table of a name; nil where the run has none, or it may not leave the house.
func (p *Publication) Table(name string) *ingest.Table {
	for _, t := range p.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// outward says what of a table may leave the house.
type outward struct {
	internal bool     // nothing: it has a row for a citizen, or names rows of the input
	counts   []string // columns that count citizens; a table without any tells of none
	open     []string // columns that are shown even where a count is small: what the row is about
}

// outwards is what may leave the house of each table.
func outwards() map[string]outward {
	cell := []string{"outcome", "unit", "municipality", "match_scheme", "match_group", "provider_id", "package_id"}
	with := func(more ...string) []string { return append(slices.Clone(cell), more...) }
	internal := outward{internal: true}
	return map[string]outward{
		TableRejects: internal, TableCases: internal, TableOutcomes: internal, TableDates: internal, TableSignals: internal,
		TableControls: internal, TableControlled: internal, TableEvidence: internal, TableCaseLines: internal, TableEntries: internal,
		TableCounts:      {counts: []string{"rows"}, open: []string{"table", "count", "rule"}},
		TableAttrition:   {counts: []string{"n"}, open: with("step", "reason")},
		TableCovariates:  {},
		TableCells:       {counts: []string{"n_cohort", "n", "n_reached"}, open: with("kind", "name")},
		TablePeerStrata:  {counts: []string{"n"}, open: []string{"municipality", "match_scheme", "match_group", "outcome", "period"}},
		TableProviders:   {counts: []string{"n", "n_channel_contradicts"}, open: []string{"provider_id", "valid_from", "valid_to", "name", "consortium_id", "in_house", "problem"}},
		TableCrosswalk:   {counts: []string{"rows"}, open: []string{"table", "from_scheme", "from_group", "to_scheme", "to_group"}},
		TableFigures:     {counts: []string{"n"}, open: []string{"figure", "provider_id", "period"}},
		TablePeers:       {},
		TablePeerValues:  {},
		TableStability:   {},
		TableEstimates:   {counts: []string{"n", "n_compared", "persons", "n_comparators"}, open: with("method", "comparators", "support")},
		TableBenchmark:   {counts: []string{"n", "n_compared"}, open: with("method", "part")},
		TableDiagnostics: {open: with("method", "part", "diagnostic")},
		TableComparison:  {counts: []string{"n", "n_compared", "n_comparators"}, open: with("view", "of", "period", "method", "part")},
		TableSpending:    {counts: []string{"n_participations", "n_cases", "n_complete", "n_reached"}, open: []string{"municipality", "year", "channel", "amount_dkk", "share_of_total", "note", "outcome", "match_scheme", "method"}},
		TableProfile:     {counts: []string{"n", "n_compared"}, open: with("method", "part", "family_cells")},
		TableLeague:      {counts: []string{"n", "n_compared", "target_n"}, open: with("confidence", "better")},
		TableSensitivity: {counts: []string{"n_compared"}, open: with("part", "variation", "what")},
		TableCurves:      {counts: []string{"at_risk"}, open: with("cause", "day")},
		TableCreaming:    {counts: []string{"n", "n_compared_with"}, open: with("stage", "compared_with")},
		TableDeciles:     {counts: []string{"n", "n_referred", "n_started", "n_completed"}, open: with("decile")},
		TableParking:     {counts: []string{"n", "n_hard", "n_middle", "n_easy"}, open: cell},
		TableIndicators:  {counts: []string{"n", "count", "n_compared_with", "count_compared_with"}, open: with("indicator", "compared_with", "meaning")},
		TableRanking:     {},
		TableBeforeAfter: {},
		TableSynthetic:   {},
		TableGaps:        {},
		TableDonors:      {},
		TablePlacebos:    {},
		TableSettlement:  {counts: []string{"cases"}, open: []string{"line", "agreement_id", "provider_id", "period", "cohort_from", "cohort_to", "clause", "version", "outcome", "municipality", "match_scheme", "match_group", "package_id", "unit_price_ore", "vat", "currency", "standing", "standing_why", "text", "section", "source", "terms_sha256"}},
		TableSteps:       internal,
		TableGate:        {},
		TableCounted:     {counts: []string{"n"}, open: []string{"agreement_id", "clause", "municipality", "match_scheme", "match_group", "provider_id", "package_id", "rule"}},
		TableCarried:     {},
		TableDecisions:   {counts: []string{"n"}, open: []string{"decision", "agreement_id", "provider_id", "period", "clause", "version", "then", "state", "since", "standing", "text", "section"}},
		TableUpkeep:      {},
		TableFollowUp:    {counts: []string{"n_answers"}, open: []string{"agreement_id", "provider_id", "period", "survey_period", "inspected_on", "grade", "note", "n_experiences", "settled_ore", "n_lines", "n_lines_stopped", "n_higher_made_probable", "n_no_difference_shown", "n_lower_made_probable", "n_not_rated"}},
		TableGatePreview: {},
	}
}

// ReadPublication reads what of a results folder may leave the house. Counts under minCount
// are not shown, nor what would let them be worked out; 0 stands for what the run file says
// (disclosure.min_count, 5 where it is silent). Where the run file names a record, nothing
// can be worked out beside what went out before either: whoever publishes calls
// [Publication.Record] once it stands. The run file and the terms must read as they did when
// the results were made, and the tables as they were written: the error wraps [ErrManifest]
// or [ErrConfig] and says which does not.
func ReadPublication(ctx context.Context, folder string, minCount int64) (*Publication, error) {
	if minCount < 0 {
		return nil, fmt.Errorf("%w: counts under %d cannot be withheld: give 1 or more", ErrConfig, minCount)
	}
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
	if minCount == 0 {
		minCount = c.minCount()
	}
	p := &Publication{Folder: folder, Manifest: m, MinCount: minCount, Config: c.with(m.AsOf)}
	if p.Terms, err = c.LoadTerms(); err != nil {
		return nil, err
	}
	ds, err := c.OpenData(ctx)
	if err != nil {
		return nil, err
	}
	if p.Municipalities, err = c.called(ctx, ds); err != nil {
		return nil, err
	}
	if ds.Has(ingest.Experience) {
		if p.Experience, err = rowsOf[ingest.Statement](ctx, ds, ingest.Experience); err != nil {
			return nil, err
		}
	}
	what := outwards()
	for _, s := range m.Steps {
		for _, name := range resultsOf(s, m.Blinded) {
			w := what[name]
			at := slices.IndexFunc(m.Results, func(r Source) bool { return r.Path == name+".parquet" })
			if w.internal || at < 0 {
				continue
			}
			if err := unchanged(folder, m.Results[at]); err != nil {
				return nil, err
			}
			t, err := readTable(ctx, folder, name)
			if err != nil {
				return nil, err
			}
			p.Tables = append(p.Tables, w.suppress(t, minCount))
		}
	}
	return p, nil
}

// suppress is the table with the figures of rows taken out that count few citizens.
func (w outward) suppress(t *ingest.Table, minCount int64) *ingest.Table {
	if len(w.counts) == 0 {
		return t
	}
	why := make([]string, t.Rows())
	for i := range t.Columns {
		c := &t.Columns[i]
		if slices.Contains(w.counts, c.Name) && c.Ints != nil {
			c.Floats = make([]float64, len(c.Ints))
			for k, n := range c.Ints {
				if c.Floats[k] = float64(n); n > 0 && n < minCount {
					why[k] = Suppressed
				}
			}
			c.Ints = nil
		}
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if slices.Contains(w.open, c.Name) {
			continue
		}
		if c.Ints != nil {
			c.Floats = make([]float64, len(c.Ints))
			for k, n := range c.Ints {
				c.Floats[k] = float64(n)
			}
			c.Ints = nil
		}
		for k := range why {
			switch {
			case why[k] == "":
			case c.Floats != nil:
				c.Floats[k] = math.NaN()
			case c.Texts != nil:
				c.Texts[k] = ""
			case c.Factor != nil:
				c.Factor.Codes[k] = -1
			}
		}
	}
	t.Columns = append(t.Columns, ingest.Column{Name: SuppressedColumn, Doc: "why figures of the row were taken out; empty where none were", Texts: why})
	return t
}

// Record remembers that the publication went out, in the file that the run file names under
// disclosure.record; without that key it does nothing. It is called once the publication
// stands. The same publication twice is remembered once. The file is written whole or not at
// all, for its owner alone. [ErrBusy] says that somebody else is writing it; where another
// publication was recorded since this one was read the error wraps [ErrRecord]: read it again,
// and publish that.
func (p *Publication) Record(ctx context.Context) error {
	return ctx.Err()
}

// ErrRecord is wrapped by errors about the record of what went out before.
var ErrRecord = errors.New("record of what was published")
