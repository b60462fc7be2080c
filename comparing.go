package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Changed is what differs between two results folders, and what it can come of. It holds
// the figures in full, and is as internal as the folders are.
type Changed struct {
	Before, After string // the folders, as they were given
	// Causes are what the results were made of and by, where that differs. Empty: the results
	// should be the same.
	Causes []Cause
	// Tables are those that one of the folders has, in the order of the steps.
	Tables []TableChange
	// Rows are the differences, table after table.
	Rows []ChangedRow

	before, after *side
	told          tellings
}

// CauseKind says what a [Cause] is about.
type CauseKind string

// What results are made of and by.
const (
	CauseProgram  CauseKind = "program"
	CauseAsOf     CauseKind = "as_of"
	CauseData     CauseKind = "data"     // a file of the dataset
	CauseRunFile  CauseKind = "run_file" // a key of the run file
	CauseTerms    CauseKind = "terms"    // a key of terms
	CauseSeals    CauseKind = "seals"
	CauseAccepted CauseKind = "accepted" // what was decided on a blinded run
	CauseRecorded CauseKind = "recorded" // the recorded choice of peers
	CauseWhole    CauseKind = "whole"    // which steps were done, blinded or not, published under which threshold
)

// Cause is one thing that two results were not made of alike.
type Cause struct {
	Kind CauseKind
	// What it is: a file, or the key of a run file or of terms.
	What string
	// Before and After are its values; "" where there is none. Of a file they are told from
	// the hash alone: changed, or not there.
	Before, After string
	// From is the first step that it can make a difference in.
	From Step
}

// TableChange counts what differs in one table. Rows are matched by the columns of
// [TableInfo.Key].
type TableChange struct {
	Table               string
	Step                Step
	Before, After       int // rows; -1 where the folder has no such table
	Gone, New, Modified int // rows
	// Columns are those in which rows were modified, in the order of the table.
	Columns []string
	// ColumnsGone and ColumnsNew are those that one of the tables lacks.
	ColumnsGone, ColumnsNew []string
}

// Same says whether nothing differs.
func (t TableChange) Same() bool {
	return t.Before == t.After && t.Gone == 0 && t.New == 0 && t.Modified == 0 && len(t.ColumnsGone) == 0 && len(t.ColumnsNew) == 0
}

// ChangedRow is one difference between two tables: a row that is gone or new, a figure of a
// row that is in both, or a column or table that one of them lacks.
type ChangedRow struct {
	Table      string  `col:"table" doc:"result table"`
	Step       string  `col:"step" doc:"step that writes it"`
	Change     string  `col:"change" doc:"row_gone, row_new, changed, column_gone, column_new, table_gone or table_new"`
	Key        string  `col:"key" doc:"which row: the columns that tell rows apart, as name=value, with semicolons between them"`
	Column     string  `col:"column" doc:"column that differs; empty where the row, or the table, is gone or new"`
	Before     string  `col:"before" doc:"value before, as CSV has it"`
	After      string  `col:"after" doc:"value after"`
	Difference float64 `col:"difference" doc:"after less before, of numbers; null where one of them is missing"`
}

// The kinds of a [ChangedRow].
const (
	rowGone, rowNew, rowChanged = "row_gone", "row_new", "changed"
	columnGone, columnNew       = "column_gone", "column_new"
	tableGone, tableNew         = "table_gone", "table_new"
)

// side is one of the folders that are compared.
type side struct {
	folder    string
	tables    string // folder of the tables
	published bool
	manifest  *Manifest
	minCount  int64
}

// openSide reads what a folder says of itself: the manifest of results, or what was published.
func openSide(folder string) (*side, error) {
	if _, err := os.Stat(filepath.Join(folder, ManifestName)); err == nil || !exists(filepath.Join(folder, PublishedName)) {
		m, err := ReadManifest(folder)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		return &side{folder: folder, tables: folder, manifest: m}, nil
	}
	p, err := ReadPublished(folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	m := &Manifest{Format: 1, Program: p.Program, AsOf: p.AsOf, Standing: p.Standing, Blinded: p.Blinded}
	for _, f := range p.Files {
		if name, ok := strings.CutPrefix(f.Path, "tables/"); ok {
			m.Results = append(m.Results, Source{name, f.Bytes, f.SHA256})
		}
	}
	if !slices.ContainsFunc(m.Results, func(s Source) bool { return path.Ext(s.Path) == ".parquet" }) {
		return nil, fmt.Errorf("%s: %w: it is a publication without Parquet tables; publish it with them, or compare the results folders", folder, ErrManifest)
	}
	return &side{folder: folder, tables: filepath.Join(folder, "tables"), published: true, manifest: m, minCount: p.MinCount}, nil
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

// source is what the folder says of a table; false where it has none.
func (s *side) source(table string) (Source, bool) {
	i := slices.IndexFunc(s.manifest.Results, func(r Source) bool { return r.Path == table+".parquet" })
	if i < 0 {
		return Source{}, false
	}
	return s.manifest.Results[i], true
}

// table reads a table of the folder, which must be as it was written.
func (s *side) table(ctx context.Context, name string) (*ingest.Table, error) {
	r, ok := s.source(name)
	if !ok {
		return nil, nil
	}
	if err := unchanged(s.tables, r); err != nil {
		return nil, fmt.Errorf("%s: %w", s.folder, err)
	}
	t, err := readTable(ctx, s.tables, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.folder, err)
	}
	return t, nil
}

// Changes compares two results folders: first what they were made of, then their tables row
// by row. Two publications with Parquet tables can be compared too. Tables with the same
// bytes are not read. The order of the folders is before and after; nothing in them is
// touched.
//
// The keys of run file and terms are compared as they were read, if the files are still as
// the manifest says; else all that can be told is that they differ. A folder that is no
// results folder, or whose tables are not as they were written, is an error that wraps
// [ErrManifest] and names the folder.
func Changes(ctx context.Context, before, after string) (*Changed, error) {
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	a, errA := openSide(before)
	b, errB := openSide(after)
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	if a.published != b.published {
		return nil, fmt.Errorf("%w: one of them is a publication and the other is not; compare two results folders, or two publications", ErrManifest)
	}
	c := &Changed{Before: before, After: after, before: a, after: b, Rows: []ChangedRow{}, Causes: causes(a, b)}
	for _, info := range append(ResultTables(), publishedTables()...) {
		was, had := a.source(info.Name)
		is, has := b.source(info.Name)
		if !had && !has {
			continue
		}
		if had && has && was.SHA256 == is.SHA256 {
			c.Tables = append(c.Tables, TableChange{Table: info.Name, Step: info.Step})
			continue
		}
		if err := effect.Stopped(ctx); err != nil {
			return nil, err
		}
		old, err := a.table(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		now, err := b.table(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		c.compare(info, old, now)
		if err := c.told.read(info.Name, old, now); err != nil {
			return nil, err
		}
	}
	for _, s := range []*side{a, b} {
		if s.published {
			continue
		}
		if err := s.manifest.stands(s.folder); err != nil {
			return nil, fmt.Errorf("%s: %w", s.folder, err)
		}
	}
	return c, nil
}

// Table is every difference as a table.
func (c *Changed) Table() *ingest.Table { return rowTable("changes", c.Rows) }

// Differ says whether any table differs.
func (c *Changed) Differ() bool {
	return slices.ContainsFunc(c.Tables, func(t TableChange) bool { return !t.Same() })
}

// compare adds what differs between two tables; one of them may be missing.
func (c *Changed) compare(info TableInfo, a, b *ingest.Table) {
	change := TableChange{Table: info.Name, Step: info.Step, Before: -1, After: -1}
	add := func(what, key, column, before, after string, difference float64) {
		c.Rows = append(c.Rows, ChangedRow{info.Name, string(info.Step), what, key, column, before, after, difference})
	}
	defer func() { c.Tables = append(c.Tables, change) }()
	if a != nil {
		change.Before = a.Rows()
	}
	if b != nil {
		change.After = b.Rows()
	}
	if a == nil || b == nil {
		if a == nil {
			change.New = b.Rows()
			add(tableNew, "", "", "", "", math.NaN())
		} else {
			change.Gone = a.Rows()
			add(tableGone, "", "", "", "", math.NaN())
		}
		return
	}
	var names []string
	var left, right []*ingest.Column // of the same name
	for k := range a.Columns {
		other := b.Column(a.Columns[k].Name)
		if other == nil {
			change.ColumnsGone = append(change.ColumnsGone, a.Columns[k].Name)
			add(columnGone, "", a.Columns[k].Name, "", "", math.NaN())
			continue
		}
		names, left, right = append(names, a.Columns[k].Name), append(left, &a.Columns[k]), append(right, other)
	}
	for k := range b.Columns {
		if a.Column(b.Columns[k].Name) == nil {
			change.ColumnsNew = append(change.ColumnsNew, b.Columns[k].Name)
			add(columnNew, "", b.Columns[k].Name, "", "", math.NaN())
		}
	}
	key := info.KeyOf(names)
	var at, rest []int // places of the key's columns, and of the others
	for k, name := range names {
		if slices.Contains(key, name) {
			at = append(at, k)
		} else {
			rest = append(rest, k)
		}
	}
	same := func(i, j int) bool {
		return !slices.ContainsFunc(at, func(k int) bool { return !sameCell(left[k], right[k], i, j) })
	}
	text := func(columns []*ingest.Column, i int) string {
		var b strings.Builder
		for _, k := range at {
			if v := columns[k].Cell(i); v != "" {
				if b.Len() > 0 {
					b.WriteString("; ")
				}
				b.WriteString(names[k] + "=" + v)
			}
		}
		return b.String()
	}
	identity := func(columns []*ingest.Column, i int) string {
		var b strings.Builder
		for _, k := range at {
			v := columns[k].Cell(i)
			fmt.Fprintf(&b, "%d:%s", len(v), v)
		}
		return b.String()
	}
	touched := map[int]bool{}
	pair := func(i, j int) {
		changed := false
		for _, k := range rest {
			if sameCell(left[k], right[k], i, j) {
				continue
			}
			changed, touched[k] = true, true
			add(rowChanged, text(left, i), names[k], left[k].Cell(i), right[k].Cell(j), lessBefore(left[k], right[k], i, j))
		}
		if changed {
			change.Modified++
		}
	}
	// As a rule most rows stand where they stood: what is the same at the front and at the end
	// needs no search.
	n, m := a.Rows(), b.Rows()
	front := 0
	for front < n && front < m && same(front, front) {
		front++
	}
	end := 0
	for end < n-front && end < m-front && same(n-1-end, m-1-end) {
		end++
	}
	places := map[string][]int{}
	for j := front; j < m-end; j++ {
		id := identity(right, j)
		places[id] = append(places[id], j)
	}
	for i := range front {
		pair(i, i)
	}
	matched := make([]bool, m)
	for i := front; i < n-end; i++ {
		id := identity(left, i)
		if js := places[id]; len(js) > 0 {
			places[id], matched[js[0]] = js[1:], true
			pair(i, js[0])
			continue
		}
		change.Gone++
		add(rowGone, text(left, i), "", "", "", math.NaN())
	}
	for i := n - end; i < n; i++ {
		pair(i, i-n+m)
	}
	for j := front; j < m-end; j++ {
		if !matched[j] {
			change.New++
			add(rowNew, text(right, j), "", "", "", math.NaN())
		}
	}
	for k, name := range names {
		if touched[k] {
			change.Columns = append(change.Columns, name)
		}
	}
}

// sameCell says whether two cells hold the same.
func sameCell(a, b *ingest.Column, i, j int) bool {
	switch {
	case a.Ints != nil && b.Ints != nil:
		return a.Ints[i] == b.Ints[j]
	case a.Floats != nil && b.Floats != nil:
		return a.Floats[i] == b.Floats[j] || math.IsNaN(a.Floats[i]) && math.IsNaN(b.Floats[j])
	case a.Dates != nil && b.Dates != nil:
		return a.Dates[i] == b.Dates[j]
	case a.Bools != nil && b.Bools != nil:
		return a.Bools[i] == b.Bools[j]
	}
	return a.Cell(i) == b.Cell(j)
}

// lessBefore is the difference of two cells that hold numbers, NaN where they do not.
func lessBefore(a, b *ingest.Column, i, j int) float64 {
	at := func(c *ingest.Column, i int) float64 {
		switch {
		case c.Ints != nil:
			return float64(c.Ints[i])
		case c.Floats != nil:
			return c.Floats[i]
		}
		return math.NaN()
	}
	return effect.Round(at(b, j) - at(a, i))
}

// firstStep is the first step in which a table differs; "" where none does.
func (c *Changed) firstStep() Step {
	for _, s := range steps() {
		if slices.ContainsFunc(c.Tables, func(t TableChange) bool { return t.Step == s && !t.Same() }) {
			return s
		}
	}
	return ""
}

// able are the causes that can have made a difference in a step: those that reach it.
func (c *Changed) able(s Step) (out []Cause) {
	for _, cause := range c.Causes {
		if slices.Index(steps(), cause.From) <= slices.Index(steps(), s) {
			out = append(out, cause)
		}
	}
	return out
}

// kindsOf are the kinds of causes, each once.
func kindsOf(list []Cause) (out []CauseKind) {
	for _, c := range list {
		if !slices.Contains(out, c.Kind) {
			out = append(out, c.Kind)
		}
	}
	return out
}

// causes lists what two folders were not made of alike.
func causes(a, b *side) (out []Cause) {
	m, n := a.manifest, b.manifest
	add := func(kind CauseKind, from Step, what, before, after string) {
		if before != after {
			out = append(out, Cause{kind, what, before, after, from})
		}
	}
	add(CauseProgram, StepMeasure, "version", m.Program.Version, n.Program.Version)
	add(CauseProgram, StepMeasure, "revision", m.Program.Revision, n.Program.Revision)
	add(CauseProgram, StepMeasure, "Go", m.Program.Go, n.Program.Go)
	add(CauseProgram, StepMeasure, "platform", m.Program.Platform, n.Program.Platform)
	add(CauseAsOf, StepMeasure, "last day that counts", m.AsOf.String(), n.AsOf.String())
	add(CauseWhole, StepMeasure, "blinded", fmt.Sprint(m.Blinded), fmt.Sprint(n.Blinded))
	add(CauseWhole, StepMeasure, "steps done", fmt.Sprint(m.Steps), fmt.Sprint(n.Steps))
	add(CauseRunFile, StepMeasure, "pseudonyms", m.Pseudonyms.text(), n.Pseudonyms.text())
	if a.published {
		add(CauseWhole, StepMeasure, "count under which nothing is shown", fmt.Sprint(a.minCount), fmt.Sprint(b.minCount))
		return out
	}
	under := func(m *Manifest) func(string) string {
		return func(p string) string { return strings.TrimPrefix(p, m.Data+"/") }
	}
	out = append(out, changedFiles(CauseData, StepMeasure, m.Inputs, n.Inputs, under(m), under(n))...)
	out = append(out, changedDocuments(CauseRunFile, a, b, []Source{m.RunFile}, []Source{n.RunFile})...)
	out = append(out, changedFiles(CauseRecorded, StepEstimate, m.Recorded, n.Recorded, path.Base, path.Base)...)
	out = append(out, changedDocuments(CauseTerms, a, b, m.Terms, n.Terms)...)
	out = append(out, changedFiles(CauseSeals, StepSettle, m.Seals, n.Seals, path.Base, path.Base)...)
	return append(out, changedFiles(CauseAccepted, StepSettle, m.Accepted, n.Accepted, path.Base, path.Base)...)
}

// changedFiles lists the files that changed, came or went, told by their names and hashes. The same
// bytes under another name are one line.
func changedFiles(kind CauseKind, from Step, a, b []Source, nameA, nameB func(string) string) (out []Cause) {
	was, is := map[string]string{}, map[string]string{}
	for _, s := range a {
		was[nameA(s.Path)] = s.SHA256
	}
	for _, s := range b {
		is[nameB(s.Path)] = s.SHA256
	}
	moved := map[string]bool{}
	for _, name := range sortedKeys(was) {
		hash := was[name]
		switch now, there := is[name]; {
		case there && now != hash:
			out = append(out, Cause{kind, name, "sha256 " + hash[:min(12, len(hash))], "sha256 " + now[:min(12, len(now))], from})
		case there:
		default:
			to := ""
			for _, other := range sortedKeys(is) {
				if _, both := was[other]; is[other] == hash && !both && !moved[other] {
					to, moved[other] = other, true
					break
				}
			}
			out = append(out, Cause{kind, name, "there", cmp.Or(to, notThere), from})
		}
	}
	for _, name := range sortedKeys(is) {
		if _, both := was[name]; !both && !moved[name] {
			out = append(out, Cause{kind, name, notThere, "there", from})
		}
	}
	return out
}

const notThere = "not there"

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
