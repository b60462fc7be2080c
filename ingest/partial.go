package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// SpellFile says where the row groups of a file of the table spells lie.
type SpellFile struct {
	Input  int // its place in [Dataset.Files]
	Bytes  int64
	Groups []Range // the pages of each row group
	Footer Range
}

// SpellFiles describes the files of the table spells, in the order of [Dataset.Files].
func (d *Dataset) SpellFiles() []SpellFile {
	var out []SpellFile
	for _, part := range d.tables[Spells] {
		p, ok := part.(*parquetPart)
		if !ok {
			continue // Arrow records lie in no file
		}
		f := SpellFile{Input: slices.Index(d.files, p.source), Bytes: p.size, Footer: Range{p.size - 8 - p.footer, p.size}}
		for _, g := range p.parquet.Metadata().RowGroups {
			var all Range
			for k := range g.Columns {
				// What lies outside the file is an error where it is read.
				if from, to, ok := p.extent(&g.Columns[k].MetaData); ok && all.To == 0 {
					all = Range{from, to}
				} else if ok {
					all = Range{min(all.From, from), max(all.To, to)}
				}
			}
			f.Groups = append(f.Groups, all)
		}
		out = append(out, f)
	}
	return out
}

// OpenRange opens some bytes of an input file, by its place in [Dataset.Files]; else it
// is [Dataset.OpenFile].
func (d *Dataset) OpenRange(i int, r Range) (io.ReadCloser, error) {
	f, err := d.files[i].open()
	if err != nil {
		return nil, err
	}
	f.plan(r)
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, r.From, r.To-r.From), f}, nil
}

// SpellGroups are row groups [First, Last) of a file of the table spells.
type SpellGroups struct {
	File        int // index into SpellFiles
	First, Last int
}

// reads says whether a row group is read.
func (d *Dataset) reads(table string, file, group int) bool {
	return d.groups == nil || table != Spells || slices.ContainsFunc(d.groups, func(g SpellGroups) bool {
		return g.File == file && g.First <= group && group < g.Last
	})
}

// SpellTally is what became of the rows of some row groups of the table spells.
// Tallies of groups that have none in common add up.
type SpellTally struct {
	Rows    int64 // all
	Orphans int64 // of persons who are not in the cases
	Empty   int64 // that cover no day
	Used    int64 // handed over
	// Unmapped are the state codes without a state, by code.
	Unmapped []UnmappedState
	// Rejects are the bad rows, by file name and row.
	Rejects []Reject
}

// Add adds other tallies.
func (t *SpellTally) Add(others ...*SpellTally) {
	rows := map[string]int64{}
	for _, u := range t.Unmapped {
		rows[u.Code] = u.Rows
	}
	for _, o := range others {
		t.Rows += o.Rows
		t.Orphans += o.Orphans
		t.Empty += o.Empty
		t.Used += o.Used
		t.Rejects = append(t.Rejects, o.Rejects...)
		for _, u := range o.Unmapped {
			rows[u.Code] += u.Rows
		}
	}
	t.Unmapped = nil
	for code, n := range rows {
		t.Unmapped = append(t.Unmapped, UnmappedState{code, n})
	}
	slices.SortFunc(t.Unmapped, func(a, b UnmappedState) int { return strings.Compare(a.Code, b.Code) })
	slices.SortFunc(t.Rejects, func(a, b Reject) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row)) })
}

// ObserveGroups is [Dataset.Observe] of some row groups alone. What became of their rows
// is returned and not judged: neither rejected rows nor unmapped codes are an error here, nor do
// they stand in Counts and Rejects. [Dataset.CloseSpells] does that for the whole table.
//
// Other row groups may hold spells of the same persons, so that sinks that are told that a
// unit is done know so of these row groups alone.
func (d *Dataset) ObserveGroups(ctx context.Context, groups []SpellGroups, cases *effect.Cases, employers []effect.ID, sinks ...Sink) (*SpellTally, error) {
	some := NewDataset(d.opt)
	some.opt.MaxRejectShare = 1
	some.tables, some.files = d.tables, d.files
	some.groups = append([]SpellGroups{}, groups...)
	t := &SpellTally{}
	if err := some.Observe(ctx, cases, employers, sinks...); err != nil {
		unmapped, ok := errors.AsType[*UnmappedStatesError](err)
		if !ok {
			return nil, err
		}
		t.Unmapped = unmapped.Codes
	}
	for _, c := range some.Counts() {
		switch c.Name {
		case "read":
			t.Rows = c.Rows
		case "orphans":
			t.Orphans = c.Rows
		case "empty":
			t.Empty = c.Rows
		case "used":
			t.Used = c.Rows
		}
	}
	t.Rejects = some.Rejects()
	return t, nil
}

// CloseSpells makes the tally of all row groups what became of the table spells, as if
// [Dataset.Observe] had read it: Counts and Rejects have it from then on, and too
// many rejects or unmapped codes are the same errors. A tally that names files or
// columns that the table does not have is an error.
func (d *Dataset) CloseSpells(t *SpellTally) error {
	if !d.Has(Spells) {
		return fmt.Errorf("ingest: %w: %s", ErrNoTable, Spells)
	}
	cols, problems := d.plan(Spells, nil)
	if len(problems) > 0 {
		return &SchemaError{problems}
	}
	acc := d.newAccount(Spells, cols)
	parts, columns, causes := map[string]int32{}, map[string]int16{}, map[string]cause{}
	for i, p := range acc.parts {
		parts[p.name()] = int32(i)
	}
	for i := range cols {
		columns[cols[i].name] = int16(i)
	}
	for c := causeNone + 1; c <= causeAnswers; c++ {
		causes[c.String()] = c
	}
	for _, r := range t.Rejects {
		part, known := parts[r.File]
		column, named := columns[r.Column]
		if !known || !named || causes[r.Cause] == causeNone || r.Row < 1 {
			return fmt.Errorf("ingest: %s: a tally has rejects that the table cannot have", Spells)
		}
		acc.rejects = append(acc.rejects, reject{r.Row - 1, part, column, causes[r.Cause]})
	}
	var unmapped error
	if len(t.Unmapped) > 0 {
		unmapped = &UnmappedStatesError{Table: Spells, Codes: t.Unmapped}
	}
	return d.closeSpells(acc, spellCounts{rows: t.Rows, orphans: t.Orphans, empty: t.Empty, used: t.Used}, unmapped)
}
