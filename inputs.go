package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Supplied is what the dataset tells, besides cases and spells, that terms may ask
// for. Nothing in it became known after as_of.
type Supplied struct {
	// Figures are about providers: those of the tables satisfaction, inspections and
	// figures, sorted by name, provider and period.
	Figures []bonus.Figure
	// Evidence is about participations of the dataset, sorted by participation, kind
	// and day.
	Evidence []bonus.Evidence
}

// The figures that are made of the tables satisfaction and inspections.
const (
	FigureSatisfaction = "satisfaction"  // mean of the answers to nine digits, n the answers; none where nobody answered
	FigureResponseRate = "response_rate" // answers / persons asked to nine digits, n the persons asked; none where nobody was asked or it is not told
	FigureInspection   = "inspection"    // grade of a day, without a value where it is no number or there are two
)

// supply reads the small tables about providers and cases, as far as they are
// there, so that their bad rows are known before anything is made of the good ones.
// The counts are of good rows that are left out.
func supply(ctx context.Context, ds *ingest.Dataset, asOf effect.Date, cases *effect.Cases) (*Supplied, []ingest.Count, error) {
	surveys, err := rowsOf[ingest.Survey](ctx, ds, ingest.Satisfaction)
	if err != nil {
		return nil, nil, err
	}
	inspections, err := rowsOf[ingest.Inspection](ctx, ds, ingest.Inspections)
	if err != nil {
		return nil, nil, err
	}
	figures, err := rowsOf[ingest.Figure](ctx, ds, ingest.Figures)
	if err != nil {
		return nil, nil, err
	}
	proofs, err := rowsOf[ingest.Proof](ctx, ds, ingest.Evidence)
	if err != nil {
		return nil, nil, err
	}
	// What becomes of these is worked out beside the settlement.
	if _, err := rowsOf[ingest.Statement](ctx, ds, ingest.Experience); err != nil {
		return nil, nil, err
	}
	if _, err := rowsOf[ingest.Invoice](ctx, ds, ingest.Invoices); err != nil {
		return nil, nil, err
	}
	for _, f := range figures {
		made := map[string]string{FigureSatisfaction: ingest.Satisfaction, FigureResponseRate: ingest.Satisfaction, FigureInspection: ingest.Inspections}[f.Name]
		if made != "" && ds.Has(made) {
			return nil, nil, fmt.Errorf("%w: table %s has a figure %q, which is made of the table %s; give it another name there, or leave one of the two out", ErrConfig, ingest.Figures, f.Name, made)
		}
	}
	s, counts := &Supplied{}, []ingest.Count{}
	begun := func(period string) bool {
		p, err := effect.ParsePeriod(period)
		return err == nil && p.Start <= asOf
	}
	surveys = known(&counts, ds, ingest.Satisfaction, surveys, func(r ingest.Survey) bool { return begun(r.Period) })
	inspections = known(&counts, ds, ingest.Inspections, inspections, func(r ingest.Inspection) bool { return r.On <= asOf })
	figures = known(&counts, ds, ingest.Figures, figures, func(r ingest.Figure) bool { return begun(r.Period) })
	proofs = known(&counts, ds, ingest.Evidence, proofs, func(r ingest.Proof) bool { return r.ReceivedOn <= asOf })
	s.Figures = providerFigures(surveys, inspections, figures)
	if !ds.Has(ingest.Evidence) {
		return s, counts, nil
	}
	for _, p := range proofs {
		id := effect.TextID(p.Participation)
		if _, found := cases.ID.Find(id); found {
			s.Evidence = append(s.Evidence, bonus.Evidence{Participation: id, Kind: p.Kind, On: p.ReceivedOn})
		}
	}
	counts = append(counts, ingest.Count{
		Table: ingest.Evidence, Name: "orphans", Rows: int64(len(proofs) - len(s.Evidence)),
		Rule: "documents about participations that the dataset does not have are not used",
	})
	return s, counts, nil
}

// rowsOf reads a table, where the dataset has it.
func rowsOf[T ingest.Row](ctx context.Context, ds *ingest.Dataset, table string) ([]T, error) {
	if !ds.Has(table) {
		return nil, nil
	}
	return ingest.Rows[T](ctx, ds)
}

// known keeps the rows that were known by as_of, and counts the others.
func known[T any](counts *[]ingest.Count, ds *ingest.Dataset, table string, rows []T, by func(T) bool) []T {
	if !ds.Has(table) {
		return nil
	}
	n := len(rows)
	rows = slices.DeleteFunc(rows, func(r T) bool { return !by(r) })
	*counts = append(*counts, ingest.Count{
		Table: table, Name: "after_as_of", Rows: int64(n - len(rows)),
		Rule: "rows of a day, or of a period that begins, after as_of are not used: nobody knew them then",
	})
	return rows
}

// providerFigures are the figures of three tables.
func providerFigures(surveys []ingest.Survey, inspections []ingest.Inspection, figures []ingest.Figure) []bonus.Figure {
	var out []bonus.Figure
	for _, r := range surveys {
		if r.N > 0 {
			out = append(out, bonus.Figure{Name: FigureSatisfaction, Provider: r.Provider, Period: r.Period, N: r.N, Value: written(r.Mean)})
		}
		if r.Invited > 0 {
			out = append(out, bonus.Figure{Name: FigureResponseRate, Provider: r.Provider, Period: r.Period, N: int64(r.Invited), Value: written(float64(r.N) / r.Invited)})
		}
	}
	// Rows of one provider and day stand together.
	var last *bonus.Figure
	for _, r := range inspections {
		f := bonus.Figure{Name: FigureInspection, Provider: r.Provider, Period: r.On.String(), N: -1, Value: r.Grade}
		value := f.Rat()
		if value == nil {
			f.Value = ""
		}
		if last != nil && last.Provider == f.Provider && last.Period == f.Period {
			if was := last.Rat(); was == nil || value == nil || was.Cmp(value) != 0 {
				last.Value = "" // nobody can say which of the two grades counts
			}
			continue
		}
		out = append(out, f)
		last = &out[len(out)-1]
	}
	for _, r := range figures {
		f := bonus.Figure{Name: r.Name, Provider: r.Provider, Period: r.Period, N: -1, Value: r.Value}
		if !math.IsNaN(r.N) {
			f.N = int64(r.N)
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b bonus.Figure) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), effect.TextID(a.Provider).Compare(effect.TextID(b.Provider)), cmp.Compare(a.Period, b.Period))
	})
	return out
}

// written is a number as a decimal of nine significant digits.
func written(x float64) string {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(x, 'g', 9, 64))
	return decimal(r)
}

// evidenceTable holds documents, with ids in the form that the table of cases has.
func evidenceTable(rows []bonus.Evidence) *ingest.Table {
	kinds, days := make([]string, len(rows)), make([]effect.Date, len(rows))
	for i, r := range rows {
		kinds[i], days[i] = r.Kind, r.On
	}
	kind := effect.NewFactor(kinds)
	return &ingest.Table{Name: TableEvidence, Columns: []ingest.Column{
		idColumn("participation_id", "participation", effect.GatherIDs(len(rows), func(i int) effect.ID { return rows[i].Participation })),
		{Name: "kind", Doc: "kind of document, as the terms name it", Factor: &kind},
		{Name: "received_on", Doc: "day on which it was received", Dates: days},
	}}
}

// readEvidence is the inverse of evidenceTable.
func readEvidence(t *ingest.Table) ([]bonus.Evidence, error) {
	p := &picker{table: t}
	id, kind, days := ids(p.column("participation_id")), p.factor("kind"), p.column("received_on").Dates
	if len(p.errs) > 0 {
		return nil, p.errs[0]
	}
	out := make([]bonus.Evidence, id.Len())
	for i := range out {
		out[i] = bonus.Evidence{Participation: id.At(i), Kind: kind.At(i), On: days[i]}
	}
	return out, nil
}

// suppliedTables are the result tables of what the dataset supplies.
func suppliedTables(ds *ingest.Dataset) (tables []string) {
	if ds.Has(ingest.Satisfaction) || ds.Has(ingest.Inspections) || ds.Has(ingest.Figures) {
		tables = append(tables, TableFigures)
	}
	if ds.Has(ingest.Evidence) {
		tables = append(tables, TableEvidence)
	}
	return tables
}

// tables are the result tables of what the dataset supplies.
func (s *Supplied) tables(ds *ingest.Dataset) []*ingest.Table {
	made := map[string]*ingest.Table{TableFigures: rowTable(TableFigures, s.Figures), TableEvidence: evidenceTable(s.Evidence)}
	var out []*ingest.Table
	for _, name := range suppliedTables(ds) {
		out = append(out, made[name])
	}
	return out
}

// loadSupplied reads back what supply made, as far as it is among the results.
func loadSupplied(ctx context.Context, folder string, results []Source) (s Supplied, err error) {
	for _, table := range []string{TableFigures, TableEvidence} {
		if !slices.ContainsFunc(results, func(r Source) bool { return r.Path == table+".parquet" }) {
			continue
		}
		t, err := readTable(ctx, folder, table)
		if err != nil {
			return s, err
		}
		if table == TableFigures {
			s.Figures, err = ingest.ToRows[bonus.Figure](t)
		} else {
			s.Evidence, err = readEvidence(t)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}
