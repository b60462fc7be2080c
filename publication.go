package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
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
	// ManifestSHA256 is the hash of the manifest's file, as it was read.
	ManifestSHA256 string
	MinCount       int64   // the count under which nothing is shown
	Config         *Config // the run file
	Terms          []*bonus.Terms
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

	record     *record // nil where none is kept
	remembered []recordRow
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
	open     []string // columns that are shown whatever is taken out: what the row is about
	// counts are columns that give counts away. Of what is hushed (see [between]) they alone
	// are taken out, and other numbers have three digits; nil: all are, but for the open ones.
	counts []string
	// rough are columns that are told to the nearest multiple of twice the count under
	// which nothing is: how many there are to compare with, which the methods choose.
	rough []string
	// asks asks for the counts that its figures give away; nil where it tells of nobody.
	asks func(figures)
	// then asks for what depends on what was told of the cases.
	then func(figures)
}

// outwards is what may leave the house of each table. What the settlement pays for is known
// to m.
func outwards(m money) map[string]outward {
	cell := []string{"outcome", "unit", "municipality", "match_scheme", "match_group", "provider_id", "package_id"}
	with := func(more ...string) []string { return append(slices.Clone(cell), more...) }
	internal := outward{internal: true}
	open := outward{} // it tells of no citizens
	// Variances and degrees of freedom are made of a number and a share.
	counting := []string{
		"n", "observed", "n_compared", "expected", "persons", "target_n", "target_covered", "uncovered", "df", "var_cell", "var_comparators", "var_between", "df_cell",
		"df_comparators", "df_between", "sigma2_between", "var_peer", "follow_up", "left_share", "no_clock_share",
	}
	comparators := []string{"n_comparators", "effective_n", "df_comparators"}
	return map[string]outward{
		TableRejects: internal, TableCases: internal, TableOutcomes: internal, TableDates: internal, TableSignals: internal,
		TableControls: internal, TableControlled: internal, TableEvidence: internal, TableCaseLines: internal, TableEntries: internal,
		TableSteps: internal,
		// Its classes are of a few citizens each: what is exchanged between municipalities is
		// agreed on between them.
		TablePeerStrata: internal,
		TableCovariates: open, TablePeers: open, TablePeerValues: open, TableStability: open, TableRanking: open,

		TableCounts:      {open: []string{"table", "count", "rule"}, asks: figures.counts},
		TableAttrition:   {open: with("step", "reason"), asks: figures.attrition},
		TableCells:       {open: with("kind", "name"), asks: figures.cells},
		TableProviders:   {open: []string{"provider_id", "valid_from", "valid_to", "name", "consortium_id", "in_house", "problem"}, asks: figures.providers},
		TableCrosswalk:   {open: []string{"table", "from_scheme", "from_group", "to_scheme", "to_group"}, asks: alone("rows")},
		TableFigures:     {open: []string{"figure", "provider_id", "period"}, asks: figures.surveyed},
		TableEstimates:   {open: with("method", "comparators", "support", "confidence"), counts: counting, rough: comparators, asks: figures.compared},
		TableBenchmark:   {open: with("method", "part", "confidence"), counts: counting, asks: figures.compared},
		TableDiagnostics: {open: with("method", "part", "diagnostic", "not_applicable"), asks: figures.diagnostics},
		TableComparison:  {open: with("view", "of", "period", "method", "part", "confidence"), counts: counting, rough: comparators, asks: figures.compared},
		TableSpending:    {open: []string{"municipality", "year", "channel", "amount_dkk", "share_of_total", "note", "outcome", "match_scheme", "method", "confidence"}, asks: figures.spending},
		TableProfile:     {open: with("method", "part", "family_cells", "phi", "dispersion", "tau2", "tau2_frozen", "confidence"), counts: counting, asks: figures.compared},
		TableLeague:      {open: with("confidence", "better", "ranked"), counts: counting, asks: figures.compared},
		TableSensitivity: {open: with("part", "variation", "what"), counts: counting, asks: figures.compared},
		TableCurves:      {open: with("cause", "day"), asks: figures.curves},
		TableCreaming:    {open: with("stage", "compared_with", "fitted_on", "confidence"), rough: []string{"n_compared_with", "n_fitted"}, asks: figures.creaming},
		TableDeciles:     {open: with("decile"), asks: func(figures) {}, then: figures.deciles},
		TableParking:     {open: with("confidence"), counts: []string{"n"}, asks: figures.parking, then: figures.thirds},
		TableIndicators:  {open: with("indicator", "compared_with", "meaning", "confidence", "not_evaluated"), asks: func(figures) {}, then: figures.indicators},

		// Means and differences of whole municipalities, and how they were made.
		TableBeforeAfter: open, TableSynthetic: open, TableDonors: open, TablePlacebos: open,
		TableGaps: {open: []string{"outcome", "match_scheme", "match_group", "unit", "period"}, asks: figures.gaps},

		TableSettlement:  {open: []string{"line", "agreement_id", "provider_id", "period", "cohort_from", "cohort_to", "clause", "version", "outcome", "municipality", "match_scheme", "match_group", "package_id", "unit_price_ore", "vat", "currency", "standing", "standing_why", "text", "section", "source", "terms_sha256"}, asks: m.settlement},
		TablePaid:        {open: []string{"agreement_id", "provider_id", "period", "currency"}, asks: m.totals},
		TableGate:        {open: []string{"line", "diagnostic", "passes", "threshold", "state", "accepted", "reason"}, asks: m.gate},
		TableGatePreview: {open: []string{"line", "diagnostic", "passes", "threshold", "state", "accepted", "reason"}, asks: m.gate},
		TableCounted:     {open: []string{"agreement_id", "clause", "municipality", "match_scheme", "match_group", "provider_id", "package_id", "rule"}, asks: m.rules},
		TableCarried:     {open: []string{"agreement_id", "provider_id"}, asks: m.carried},
		TableDecisions:   {open: []string{"decision", "agreement_id", "provider_id", "period", "clause", "version", "then", "state", "since", "standing", "text", "section"}, asks: m.decisions},
		TableUpkeep:      {open: []string{"agreement_id", "what", "of", "by", "agreed", "used_by", "state", "section"}, asks: m.upkeep},
		TableFollowUp:    {open: []string{"agreement_id", "provider_id", "period", "survey_period", "inspected_on", "grade", "note", "n_experiences", "n_lines", "n_lines_stopped", "n_higher_made_probable", "n_no_difference_shown", "n_lower_made_probable", "n_not_rated"}, asks: m.followUp},
	}
}

// alone looks at rows that no other adds up with.
func alone(counts ...string) func(figures) {
	return func(x figures) { x.alone(counts...) }
}

// ReadPublication reads what of a results folder may leave the house. Counts under minCount
// are not shown, nor what would let them be worked out; 0 stands for what the run file says
// (disclosure.min_count, 5 where it is silent). Where the run file names a record, nothing
// can be worked out beside what went out before either: whoever publishes calls
// [Publication.Record] just before. The run file and the terms must read as they did when
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
	p := &Publication{Folder: folder, Manifest: m, ManifestSHA256: m.file, MinCount: minCount, Config: c.with(m.AsOf)}
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
	if err := p.disclose(ctx, ds); err != nil {
		return nil, err
	}
	return p, m.stands(folder)
}

// disclose reads the tables, and takes out of them what may not be told.
func (p *Publication) disclose(ctx context.Context, ds *ingest.Dataset) error {
	d, lines, err := p.measured(ctx, ds)
	if err != nil {
		return err
	}
	r := &record{}
	if path := p.Config.recordFile(); path != "" {
		if r, err = readRecord(ctx, path, p.Manifest.Sum, p.MinCount); err != nil {
			return err
		}
		p.record, p.Recorded, p.Earlier = r, true, r.until
	}
	m := money{disclosing: d, lines: lines, rows: map[string]int{}}
	m.veto()
	for i := range lines {
		m.rows[lines[i].ID] = i
	}
	what := outwards(m)
	for _, s := range p.Manifest.Steps {
		for _, name := range resultsOf(s, p.Manifest.Blinded) {
			if w, known := what[name]; !known || w.internal || !p.has(name) {
				continue
			}
			t, err := p.read(ctx, name)
			if err != nil {
				return err
			}
			if name == TableCurves {
				t = d.coarse(t)
			}
			p.Tables = append(p.Tables, t)
			if name == TableSettlement {
				p.Tables = append(p.Tables, paidTable(lines))
			}
		}
	}
	if p.MinCount > 1 || p.record != nil {
		for _, t := range p.Tables {
			if asks := what[t.Name].asks; asks != nil {
				asks(d.of(t))
			}
		}
		for _, f := range d.outcomes {
			r.before(f)
		}
		decideAll(d.outcomes, p.MinCount)
		if d.blinded {
			hush(d.outcomes, rank(d.outcomes, p.Terms))
		}
		if d.between != nil {
			r.beforeBetween(d.between)
			d.between.decide(p.MinCount, rank(d.outcomes, p.Terms))
		}
		for _, t := range p.Tables {
			if then := what[t.Name].then; then != nil {
				then(d.of(t))
			}
		}
		for _, f := range d.trees {
			r.before(f)
			f.decide(p.MinCount)
		}
		p.remembered = r.of(slices.Concat(d.outcomes, d.trees), d.between, p.Manifest.Sum, p.MinCount)
	}
	for _, t := range p.Tables {
		what[t.Name].withhold(t, d.pending, p.MinCount)
	}
	return effect.Stopped(ctx)
}

// has says whether the results have a table.
func (p *Publication) has(name string) bool {
	return slices.ContainsFunc(p.Manifest.Results, func(r Source) bool { return r.Path == name+".parquet" })
}

// read reads a table of the results, which has to be as it was written.
func (p *Publication) read(ctx context.Context, name string) (*ingest.Table, error) {
	at := slices.IndexFunc(p.Manifest.Results, func(r Source) bool { return r.Path == name+".parquet" })
	if err := unchanged(p.Folder, p.Manifest.Results[at]); err != nil {
		return nil, err
	}
	return readTable(ctx, p.Folder, name)
}

// withhold takes out of a table what may not be told.
func (w outward) withhold(t *ingest.Table, pending []pendingFigures, minCount int64) {
	if w.asks == nil {
		return
	}
	why := make([]string, t.Rows())
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Ints != nil && !slices.Contains(w.open, c.Name) {
			c.Floats = make([]float64, len(c.Ints))
			for k, n := range c.Ints {
				c.Floats[k] = float64(n)
			}
			c.Ints = nil
		}
		if c := &t.Columns[i]; minCount > 1 && slices.Contains(w.rough, c.Name) {
			for k, v := range c.Floats {
				c.Floats[k] = math.RoundToEven(v/float64(2*minCount)) * float64(2*minCount)
			}
		}
	}
	for _, p := range pending {
		if p.table != t {
			continue
		}
		hushed := false
		if p.of != nil && p.of.told[p.claim] {
			if hushed = p.of.hushed != nil && p.of.hushed[p.claim]; !hushed {
				continue
			}
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			if slices.Contains(w.open, c.Name) || p.columns != nil && !slices.Contains(p.columns, c.Name) {
				continue
			}
			took := false // what was null tells nothing, and nothing was taken out
			switch {
			case hushed && w.counts != nil && !slices.Contains(w.counts, c.Name):
				if c.Floats != nil {
					c.Floats[p.row] = coarsely(c.Floats[p.row])
				}
			case c.Floats != nil:
				took = !math.IsNaN(c.Floats[p.row])
				c.Floats[p.row] = math.NaN()
			case c.Texts != nil:
				took = c.Texts[p.row] != ""
				c.Texts[p.row] = ""
			case c.Factor != nil:
				took = c.Factor.Codes[p.row] >= 0
				c.Factor.Codes[p.row] = -1
			case c.Dates != nil:
				took = c.Dates[p.row] != effect.NoDate
				c.Dates[p.row] = effect.NoDate
			}
			if took {
				why[p.row] = Suppressed
			}
		}
	}
	t.Columns = append(t.Columns, ingest.Column{Name: SuppressedColumn, Doc: "why figures of the row were taken out; empty where none were", Texts: why})
}

// coarsely is a number to three digits. An error, the limits and a p-value to nine of them are
// made of one number of citizens alone.
func coarsely(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	out, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64) // its own writing
	if out == 1 && v < 1 {
		return 0.999 // a probability is not certain for being told roughly
	}
	return out
}

// measured makes the families of the outcomes, and reads what the settlement pays for.
func (p *Publication) measured(ctx context.Context, ds *ingest.Dataset) (*disclosing, []bonus.Line, error) {
	d := &disclosing{k: p.MinCount, peers: map[string][]string{}}
	if p.has(TablePeers) {
		t, err := p.read(ctx, TablePeers)
		if err != nil {
			return nil, nil, err
		}
		for x, i := d.of(t), 0; i < t.Rows(); i++ {
			d.peers[x.at("municipality", i)] = append(d.peers[x.at("municipality", i)], x.at("peer", i))
		}
	}
	var lines []bonus.Line
	byCase := [2]map[string][]string{{}, {}} // rules and lines
	if p.has(TableSettlement) {
		t, err := p.read(ctx, TableSettlement)
		if err != nil {
			return nil, nil, err
		}
		if lines, err = ingest.ToRows[bonus.Line](t); err != nil {
			return nil, nil, err
		}
		if t, err = p.read(ctx, TableCaseLines); err != nil {
			return nil, nil, err
		}
		x, of := d.of(t), ids(t.Column("participation_id"))
		for i := range t.Rows() {
			id := of.At(i).String()
			byCase[0][id] = append(byCase[0][id], x.at("clause", i)+"/"+x.at("rule", i))
			if line := x.at("line", i); line != "" {
				byCase[1][id] = append(byCase[1][id], line)
			}
		}
		if t, err = p.read(ctx, TableEntries); err != nil {
			return nil, nil, err
		}
		x, of = d.of(t), ids(t.Column("participation_id"))
		for i := range t.Rows() {
			id := of.At(i).String()
			byCase[1][id] = append(byCase[1][id], x.at("line", i))
		}
	}
	if !p.has(TableOutcomes) || !p.has(TableCases) {
		return d, lines, p.blinded(ctx, d)
	}
	tables := map[string]*ingest.Table{}
	for _, name := range []string{TableCases, TableOutcomes, TableAttrition} {
		var err error
		if tables[name], err = p.read(ctx, name); err != nil {
			return nil, nil, err
		}
	}
	obs, err := readObservations(p.Config.Study(), tables[TableCases], nil, tables[TableOutcomes], nil, tables[TableAttrition])
	if err != nil {
		return nil, nil, err
	}
	var members []effect.Membership
	if ds.Has(ingest.Providers) {
		if members, err = ds.Providers(ctx); err != nil {
			return nil, nil, err
		}
	}
	d.outcomes, d.between = familiesOf(obs, members, p.Config, byCase)
	return d, lines, nil
}

// blinded makes the families of the outcomes where no case's is known.
func (p *Publication) blinded(ctx context.Context, d *disclosing) error {
	if !p.has(TableAttrition) {
		return nil
	}
	attrition, err := p.read(ctx, TableAttrition)
	if err != nil {
		return err
	}
	var estimates *ingest.Table
	if p.has(TableEstimates) {
		if estimates, err = p.read(ctx, TableEstimates); err != nil {
			return err
		}
	}
	d.outcomes, d.blinded = d.blindedFamilies(attrition, estimates), true
	return nil
}

// familiesOf are the families of the outcomes, in their order: citizens by who has them, when
// they were referred, and what became of them; and what they are in all of them.
func familiesOf(obs *effect.Observations, members []effect.Membership, c *Config, byCase [2]map[string][]string) (out []*family, all *between) {
	cases, known := obs.Cases, effect.NewIdentities(members)
	labels, of := make([]string, dims), make([][]int32, cases.Len())
	for k := range obs.Results {
		r := &obs.Results[k]
		f := newFamily(r.Outcome)
		halves := map[string][2]bool{} // by what is known beside the outcome: whether some reached it, and some did not
		for i := range cases.Len() {
			provider := cases.Provider.At(i)
			channel := cases.ChannelOf(i)
			spent := channel
			if c.Spending != nil && channel == effect.ChannelInHouseBid && c.Spending.InHouseBid != "" {
				spent = string(c.Spending.InHouseBid)
			}
			consortium := cmp.Or(provider, effect.OwnProvider)
			if m, ok := known.At(provider, cases.Referral[i]); ok && m.Consortium != "" {
				consortium = m.Consortium
			}
			day := cases.Referral[i]
			periods := []string{day.String()[:7]}
			for _, e := range []effect.Every{effect.EveryQuarter, effect.EveryHalfYear, effect.EveryYear} {
				periods = append(periods, e.Of(day).Name)
			}
			labels[dimMunicipality], labels[dimScheme], labels[dimGroup] = cases.Municipality.At(i), cases.MatchScheme.At(i), cases.MatchGroup.At(i)
			labels[dimProvider], labels[dimPackage], labels[dimAgreement] = cmp.Or(provider, effect.OwnProvider), cases.Package.At(i), cases.Agreement.At(i)
			labels[dimChannel], labels[dimRole], labels[dimConsortium], labels[dimSpent] = channel, cmp.Or(cases.Role.At(i), effect.Unknown), consortium, spent
			labels[dimPeriod] = strings.Join(periods, also)
			labels[dimWhy], labels[dimCohort], labels[dimReached] = cmp.Or(r.Reason[i].String(), effect.StepAnalysed), effect.Yes, ""
			if r.Reason[i].OutsideCohort() {
				labels[dimCohort] = effect.No
			}
			if labels[dimEnded] = effect.No; i < len(r.WindowEnd) && r.WindowEnd[i] <= obs.AsOf {
				labels[dimEnded] = effect.Yes
			}
			var stages []string
			if cases.Start[i] != effect.NoDate {
				stages = append(stages, string(watch.StageStarted))
			}
			if cases.Completed.At(i) == effect.Yes {
				stages = append(stages, string(watch.StageCompleted))
			}
			labels[dimStage] = strings.Join(stages, also)
			id := cases.ID.At(i).String()
			for at, d := range []int{dimRule, dimLine} {
				named := slices.Clone(byCase[at][id])
				slices.Sort(named)
				labels[d] = strings.Join(slices.Compact(named), also)
			}
			if r.Reason[i] == effect.NoReason {
				key := strings.Join(labels[:dimWhy], "\x00")
				half := halves[key]
				if labels[dimReached] = effect.No; r.Status[i] == effect.Reached {
					labels[dimReached] = effect.Yes
					half[0] = true
				} else {
					half[1] = true
				}
				halves[key] = half
			}
			of[i] = append(of[i], f.add(1, false, labels...))
		}
		// That nobody reached it, or everybody, is not known by itself.
		for _, key := range slices.Sorted(maps.Keys(halves)) {
			for at, reached := range []string{effect.Yes, effect.No} {
				if !halves[key][at] {
					labels := append(strings.Split(key, "\x00"), make([]string, dims-dimWhy)...)
					labels[dimWhy], labels[dimEnded], labels[dimCohort], labels[dimReached] = effect.StepAnalysed, effect.Yes, effect.Yes, reached
					labels[dimStage] = nobody
					f.add(0, true, labels...)
				}
			}
		}
		out = append(out, f)
	}
	all = newBetween(out)
	for i := range of {
		all.add(1, of[i])
	}
	return out, all
}
