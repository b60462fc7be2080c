package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/jobeffekt/jobeffekt/effect"
)

// narrowing is what a scan passes over because nobody asks for it: rows on pages of
// which the index of the file shows that they hold none of the values wanted of a
// column. Rows that are read may be wanted or not. Pages that hold a null in the
// column are always read, so that bad rows are found.
type narrowing struct {
	units  map[[2]int]some // by part and unit, those of which not all is read
	unread int64           // rows that are passed over
}

// some is the rows to read of a unit, and where the pages of its columns are.
type some struct {
	spans []rowSpan
	pages map[string]*chunkPages
}

// unit is what is read of a unit; ok is false where that is all of it.
func (n *narrowing) unit(part, unit int) (s some, ok bool) {
	if n != nil {
		s, ok = n.units[[2]int{part, unit}]
	}
	return s, ok
}

// spans are the rows to read of a unit that has some.
func (n *narrowing) spans(part, unit int, rows int64) []rowSpan {
	if s, ok := n.unit(part, unit); ok {
		return s.spans
	}
	return []rowSpan{{0, rows}}
}

// only is the values wanted of one column: numbers where it holds whole numbers,
// texts where it holds text. Where it holds something else, nothing is passed over.
type only struct {
	column  string   // in the input
	numbers []int64  // ascending
	texts   []string // ascending, by bytes
}

// onlyIDs are identifiers wanted of a column.
func onlyIDs(column string, ids []effect.ID) only {
	o := only{column: column, texts: []string{}}
	for _, id := range ids {
		if n, ok := id.Number(); ok {
			o.numbers = append(o.numbers, n)
		}
		o.texts = append(o.texts, id.String())
	}
	slices.Sort(o.numbers)
	slices.Sort(o.texts)
	return o
}

// rowSpan is the rows [from, to) of a unit.
type rowSpan struct{ from, to int64 }

// narrowed is the narrowing of the columns of a scan, nil for none.
func narrowed(cols []input) *narrowing {
	if len(cols) == 0 {
		return nil
	}
	return cols[0].narrow
}

// narrow prepares the reading of a table where the options choose municipalities.
// Participations and caseload are theirs; of persons and spells, the rows of the
// persons that the first column looks for.
func (d *Dataset) narrow(ctx context.Context, table string, cols []input) error {
	if len(d.opt.Municipalities) == 0 {
		return nil
	}
	var wanted []only
	if index, ok := cols[0].res.(*personIndex); ok {
		if cols[0].constant == nil && cols[0].key == nil { // a file's index tells nothing of pseudonyms
			wanted = append(wanted, only{column: cols[0].column, numbers: index.nums})
		}
		clusters, arranged, err := d.clusters(ctx, index)
		if err != nil {
			return err
		}
		if own := d.arrangement(table); clusters != nil && own != "" && own == arranged {
			wanted = append(wanted, only{column: clusterColumn, texts: clusters})
		}
	} else if k := municipalityOf(table, cols); k >= 0 {
		if cols[k].constant == nil {
			wanted = append(wanted, onlyIDs(cols[k].column, d.chosen()))
		}
	} else {
		return nil
	}
	var err error
	cols[0].narrow, err = d.passOver(ctx, table, cols, wanted)
	return err
}

// passOver finds the pages of a table that hold nothing of what is wanted.
func (d *Dataset) passOver(ctx context.Context, table string, cols []input, wanted []only) (*narrowing, error) {
	n := &narrowing{units: map[[2]int]some{}}
	for k, part := range d.tables[table] {
		p, ok := part.(*parquetPart)
		if !ok || len(wanted) == 0 {
			continue
		}
		var names []string
		for i := range cols {
			var c columnReader
			names = c.reset(p, &cols[i], names)
		}
		f, err := p.source.open()
		if err != nil {
			return nil, err
		}
		f.plan(p.indexRanges(names, wanted)...)
		err = n.passOver(ctx, f, k, p, names, wanted, func(unit int) bool { return d.reads(table, k, unit) })
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return n, nil
}

// passOver finds the pages of a part, an open file.
func (n *narrowing) passOver(ctx context.Context, f *reading, part int, p *parquetPart, columns []string, wanted []only, reads func(unit int) bool) error {
	for unit, rows := range p.rows {
		if !reads(unit) {
			continue
		}
		if ctx.Err() != nil {
			return effect.Stopped(ctx)
		}
		var s some
		ok := false
		err := protect(func() (err error) {
			s, ok, err = p.wanted(f, unit, columns, wanted)
			return err
		})
		if f.failed != nil {
			return f.failed
		}
		if err != nil {
			return fileError(p, unit, "", err)
		}
		if !ok {
			continue
		}
		n.units[[2]int{part, unit}] = s
		for _, s := range s.spans {
			rows -= s.to - s.from
		}
		n.unread += rows
	}
	return nil
}

// indexRanges are where the indexes lie that [parquetPart.wanted] may read.
func (p *parquetPart) indexRanges(columns []string, wanted []only) []Range {
	var out []Range
	add := func(from, size int64) {
		if from > 0 && size > 0 && from+size <= p.size {
			out = append(out, Range{from, from + size})
		}
	}
	for _, g := range p.parquet.Metadata().RowGroups {
		for _, o := range wanted {
			if _, ok := p.lookup(o.column); ok {
				m := &g.Columns[p.parquet.Root().Column(o.column).Index()]
				add(m.ColumnIndexOffset, int64(m.ColumnIndexLength))
				add(m.OffsetIndexOffset, int64(m.OffsetIndexLength))
			}
		}
		for _, name := range columns {
			m := &g.Columns[p.parquet.Root().Column(name).Index()]
			add(m.OffsetIndexOffset, int64(m.OffsetIndexLength))
		}
	}
	return joined(out)
}

// municipalityOf is the place of the column that says whose the rows of a table of
// citizens are, -1 for other tables.
func municipalityOf(table string, cols []input) int {
	if table != Participations && table != Caseload {
		return -1
	}
	return slices.IndexFunc(cols, func(in input) bool { return in.name == "municipality" })
}

// chosen are the municipalities of the options as identifiers.
func (d *Dataset) chosen() []effect.ID {
	out := make([]effect.ID, len(d.opt.Municipalities))
	for i, m := range d.opt.Municipalities {
		out[i] = effect.TextID(m)
	}
	return out
}

// CountElsewhere is the count of rows of municipalities that nobody asked for. They
// count whether they were read or passed over.
const CountElsewhere = "elsewhere"

const elsewhereRule = "rows of other municipalities than those asked for are not used, nor checked further"

// dropElsewhere sets the rows of other municipalities aside, whatever else they hold.
// A row that names none is a bad one.
func (f *frame) dropElsewhere(col int, chosen []effect.ID) {
	n := f.unread
	if col >= 0 {
		levels := f.columns[col].res.(*interner).levels
		for i, c := range f.cols[col].ints {
			if c != codeNull && c != codeEmpty && (c < 0 || !slices.Contains(chosen, levels[c])) {
				f.bad[i] = true
				n++
			}
		}
	}
	f.count(CountElsewhere, n, elsewhereRule)
}

// clusters are the values of the column cluster in the rows of the persons looked
// for, and the arrangement they are of. They are nil unless every one of these
// persons is in the arranged tables participations and caseload, in a row of the
// chosen municipalities that has a cluster.
func (d *Dataset) clusters(ctx context.Context, persons *personIndex) ([]string, string, error) {
	arranged := d.arrangement(Participations)
	if arranged == "" {
		return nil, "", nil
	}
	left := len(persons.nums) + len(persons.texts)
	found, names, whole := make([]bool, left), map[string]bool{}, true
	for _, table := range []string{Participations, Caseload} {
		if left == 0 || !d.Has(table) {
			continue
		}
		if d.arrangement(table) != arranged {
			return nil, "", nil
		}
		cols := make([]input, 3)
		var problems []SchemaProblem
		for i, f := range []field{{name: "person_id", want: wantID}, {name: "municipality", want: wantText}, {name: clusterColumn, want: wantText}} {
			problems = append(problems, d.find(table, f, &cols[i])...)
		}
		if len(problems) > 0 {
			return nil, "", &SchemaError{problems}
		}
		cols[0].res = persons
		var wanted []only
		if cols[1].constant == nil {
			wanted = []only{onlyIDs(cols[1].column, d.chosen())}
		}
		var err error
		if cols[0].narrow, err = d.passOver(ctx, table, cols, wanted); err != nil {
			return nil, "", err
		}
		var mu sync.Mutex
		err = d.scan(ctx, table, cols, func() func(*batch) error {
			return func(b *batch) error {
				mu.Lock()
				defer mu.Unlock()
				in := cols[2].res.(*interner)
				in.Lock() // others may be adding levels
				defer in.Unlock()
				for i, p := range b.cols[0].ints {
					if p < 0 {
						continue
					}
					c := b.cols[2].ints[i]
					if c < 0 && c != codeEmpty {
						whole = false // nobody knows where the rest of this person is
						continue
					}
					if !found[p] {
						found[p] = true
						left--
					}
					if c == codeEmpty {
						names[""] = true
					} else {
						names[in.levels[c].String()] = true
					}
				}
				return nil
			}
		})
		if err != nil {
			return nil, "", err
		}
	}
	if !whole || left > 0 {
		return nil, "", nil
	}
	return append([]string{}, slices.Sorted(maps.Keys(names))...), arranged, nil
}

// clusterColumn is the column that an arranged dataset has beside its own: for every
// person the same text in every row of every table.
const clusterColumn = "cluster"

// arrangedKey is the key of a file's metadata that says how it was arranged.
const arrangedKey = "jobeffekt.arranged"

// arrangement is what an arranged file says of itself.
type arrangement struct {
	Version  int    `json:"version"`
	Person   string `json:"person"`   // column of persons
	Clusters string `json:"clusters"` // SHA-256 of which person is in which cluster
}

const arrangementVersion = 1

// application is who this package says has written its files.
const application = "jobeffekt"

// arrangement returns what tells an arrangement of persons from others, "" where a
// table was not arranged by this package or its parts were not together. Another
// program that changes such a file may keep its metadata, but not who wrote it.
func (d *Dataset) arrangement(table string) string {
	id := ""
	for _, part := range d.tables[table] {
		p, ok := part.(*parquetPart)
		if !ok {
			return ""
		}
		a, ok := p.arranged()
		_, constant := d.opt.Constants[table]["person_id"]
		if !ok || constant || a.Person != d.inputName(table, "person_id") || id != "" && id != a.Clusters {
			return ""
		}
		id = a.Clusters
	}
	return id
}

// arranged is what the file says of its arrangement.
func (p *parquetPart) arranged() (a arrangement, ok bool) {
	text, ok := p.parquet.Lookup(arrangedKey)
	if !ok || !strings.HasPrefix(p.parquet.Metadata().CreatedBy, application+" version") || json.Unmarshal([]byte(text), &a) != nil {
		return a, false
	}
	l, ok := p.lookup(clusterColumn)
	return a, ok && l.class == classText && a.Version == arrangementVersion && a.Clusters != ""
}

// chunkPages is where the pages of a column chunk are.
type chunkPages struct {
	first    []int64 // first row of each page, and the rows of the row group at the end
	from, to []int64 // bytes of each page
}

// covering are the pages [i, j) that hold rows of a span that is not empty.
func (c *chunkPages) covering(s rowSpan) (i, j int) {
	i = sort.Search(len(c.from), func(k int) bool { return c.first[k+1] > s.from })
	j = sort.Search(len(c.from), func(k int) bool { return c.first[k] >= s.to })
	return i, j
}

// wanted finds the rows of a unit that can hold what is wanted, and where the pages
// of the columns to read are; ok is false where that is all rows, or the file does
// not tell.
func (p *parquetPart) wanted(f *reading, unit int, columns []string, wanted []only) (s some, ok bool, err error) {
	all := []rowSpan{{0, p.rows[unit]}}
	s.spans = all
	for _, o := range wanted {
		spans, err := p.spans(f, unit, o)
		if err != nil {
			return s, false, err
		}
		s.spans = meet(s.spans, spans)
	}
	if slices.Equal(s.spans, all) || p.rows[unit] == 0 {
		return s, false, nil
	}
	s.pages = map[string]*chunkPages{}
	for _, name := range columns {
		if len(s.spans) == 0 {
			break
		}
		if s.pages[name], _, err = p.pagesOf(f, unit, name, false); err != nil || s.pages[name] == nil {
			return s, false, err
		}
	}
	return s, true, nil
}

// openSome begins to read some rows of a unit, as open does all of them; see seek.
func (p *parquetPart) openSome(unit int, columns []string, s some) (unitReader, error) {
	u := &parquetUnit{memory: p.memory}
	if len(s.spans) == 0 {
		return u, nil
	}
	f, err := p.source.open()
	if err != nil {
		return nil, err
	}
	u.file = f
	// What is read is told to the file, and checked before the library sees it.
	meta := &p.parquet.Metadata().RowGroups[unit]
	var plan []Range
	of := make([][]Range, len(columns))
	for i, name := range columns {
		pages := s.pages[name]
		if dict := meta.Columns[p.parquet.Root().Column(name).Index()].MetaData.DictionaryPageOffset; dict != 0 {
			of[i] = append(of[i], Range{dict, pages.from[0]})
		}
		last := 0
		for _, s := range s.spans {
			a, b := pages.covering(s)
			if a = max(a, last); a < b {
				of[i] = append(of[i], Range{pages.from[a], pages.to[b-1]})
				last = b
			}
		}
		plan = append(plan, of[i]...)
	}
	f.plan(joined(plan)...)
	for _, name := range columns {
		pages, err := p.pages(u, unit, name, 0, 0)
		if err != nil {
			u.close()
			return nil, err
		}
		pages.where, pages.dictAt = s.pages[name], meta.Columns[p.parquet.Root().Column(name).Index()].MetaData.DictionaryPageOffset
		u.columns = append(u.columns, pages)
	}
	return u, nil
}

// joined are ranges in their order, in one where they touch or overlap.
func joined(ranges []Range) []Range {
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	var out []Range
	for _, r := range ranges {
		if n := len(out); n > 0 && out[n-1].To >= r.From {
			out[n-1].To = max(out[n-1].To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// meet are the rows that are in both of two lists of ascending spans.
func meet(a, b []rowSpan) []rowSpan {
	var out []rowSpan
	for len(a) > 0 && len(b) > 0 {
		if s := (rowSpan{max(a[0].from, b[0].from), min(a[0].to, b[0].to)}); s.from < s.to {
			out = append(out, s)
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// spans are the rows of a unit whose pages can hold what is wanted of a column.
func (p *parquetPart) spans(f *reading, unit int, o only) ([]rowSpan, error) {
	all := []rowSpan{{0, p.rows[unit]}}
	l, ok := p.lookup(o.column)
	if !ok {
		return all, nil
	}
	var holds func(low, high []byte) bool
	var order func(a, b []byte) int
	chunk, ok := p.parquet.RowGroups()[unit].ColumnChunks()[p.parquet.Root().Column(o.column).Index()].(*parquet.FileColumnChunk)
	switch kind := chunk.Type().Kind(); {
	case !ok:
		return all, nil
	case l.class == classText && kind == parquet.ByteArray && o.texts != nil:
		holds = func(low, high []byte) bool { return holdsText(o.texts, string(low), string(high)) }
		order = bytes.Compare
	case l.class == classInteger && !l.unsigned && (kind == parquet.Int32 || kind == parquet.Int64):
		holds = func(low, high []byte) bool {
			a, b := kind.Value(low), kind.Value(high)
			if kind == parquet.Int32 {
				return holdsNumber(o.numbers, int64(a.Int32()), int64(b.Int32()))
			}
			return holdsNumber(o.numbers, a.Int64(), b.Int64())
		}
		order = func(a, b []byte) int { return chunk.Type().Compare(kind.Value(a), kind.Value(b)) }
	default:
		return all, nil
	}
	pages, index, err := p.pagesOf(f, unit, o.column, true)
	if err != nil || pages == nil || index == nil {
		return all, err
	}
	told := p.parquet.Metadata().RowGroups[unit].Columns[chunk.Column()].MetaData.Statistics
	if size := chunk.Type().Length() / 8; l.class == classInteger && (len(told.MinValue) != size || len(told.MaxValue) != size) {
		told.MinValue, told.MaxValue = nil, nil // they make no sense, as in personsOf
	}
	if !agrees(index, told.MinValue, told.MaxValue, order) {
		return nil, &FileError{p.path, fmt.Sprintf("row group %d, column %q", unit, o.column), fmt.Errorf("%w: the index of its pages contradicts itself or the statistics", ErrCorrupt), "export the file again"}
	}
	optional := p.parquet.Root().Column(o.column).Optional()
	out := []rowSpan{}
	for i := range pages.from {
		nulls := optional && (len(index.NullCounts) == 0 || index.NullCounts[i] != 0)
		if !nulls && !index.NullPages[i] && !holds(index.MinValues[i], index.MaxValues[i]) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].to == pages.first[i] {
			out[n-1].to = pages.first[i+1]
		} else {
			out = append(out, rowSpan{pages.first[i], pages.first[i+1]})
		}
	}
	return out, nil
}

// agrees says whether an index can be true: no page ends before it begins, and the pages
// together reach from the smallest to the largest value that the statistics tell,
// where those are not empty. Rows on a page that is passed over are never seen, so that nothing else shows a
// lie. Texts may be cut; see holdsText.
func agrees(index *format.ColumnIndex, least, most []byte, order func(a, b []byte) int) bool {
	below, above := len(least) == 0, len(most) == 0
	for i, null := range index.NullPages {
		if null {
			continue
		}
		low, high := index.MinValues[i], index.MaxValues[i]
		if order(low, high) > 0 && len(high) < shortestCut {
			return false
		}
		below = below || order(low, least) <= 0
		above = above || order(high, most) >= 0 || len(high) >= shortestCut && bytes.HasPrefix(most, high)
	}
	return below && above
}

// holdsNumber says whether one of the ascending numbers lies in [low, high].
func holdsNumber(numbers []int64, low, high int64) bool {
	k, _ := slices.BinarySearch(numbers, low)
	return k < len(numbers) && numbers[k] <= high
}

// holdsText says whether one of the ascending texts lies in [low, high], of which
// both may be cut short. A low that is cut is no larger than before. A high should be
// made larger when it is cut, but a long one of a writer that forgot to is one that
// the texts may begin with.
func holdsText(texts []string, low, high string) bool {
	k, _ := slices.BinarySearch(texts, low)
	return k < len(texts) && (texts[k] <= high || len(high) >= shortestCut && strings.HasPrefix(texts[k], high))
}

// shortestCut is how long texts in an index are at least where writers cut them.
const shortestCut = 16

// pagesOf reads where the pages of a column chunk are and, if asked, what the values
// on them lie between; nil where the file does not tell, or not in a way that can be
// relied on. An index that contradicts itself is an error.
func (p *parquetPart) pagesOf(f *reading, unit int, column string, values bool) (*chunkPages, *format.ColumnIndex, error) {
	at := p.parquet.Root().Column(column).Index()
	meta := &p.parquet.Metadata().RowGroups[unit].Columns[at]
	start, end, ok := p.extent(&meta.MetaData)
	if meta.OffsetIndexOffset == 0 || values && meta.ColumnIndexOffset == 0 || !ok {
		return nil, nil, nil
	}
	wrong := &FileError{p.path, fmt.Sprintf("row group %d, column %q", unit, column), fmt.Errorf("%w: the index of its pages makes no sense", ErrCorrupt), "export the file again"}
	if meta.MetaData.NumValues != p.rows[unit] {
		return nil, nil, wrong
	}
	// The library would trust the lengths that they claim.
	if _, ok := p.indexBytes(f, meta.OffsetIndexOffset, int64(meta.OffsetIndexLength)); !ok {
		return nil, nil, wrong
	}
	chunk := p.parquet.RowGroups()[unit].ColumnChunks()[at].(*parquet.FileColumnChunk)
	offsets, err := chunk.OffsetIndexFrom(f)
	if err != nil {
		return nil, nil, wrong
	}
	c := &chunkPages{}
	n := offsets.NumPages()
	for i := range n {
		from := offsets.Offset(i)
		to := from + offsets.CompressedPageSize(i)
		first := offsets.FirstRowIndex(i)
		if from < start || to <= from || to > end || i == 0 && first != 0 || i > 0 && (from < c.to[i-1] || first <= c.first[i-1]) || first >= p.rows[unit] {
			return nil, nil, wrong
		}
		c.first, c.from, c.to = append(c.first, first), append(c.from, from), append(c.to, to)
	}
	if n == 0 {
		return nil, nil, wrong
	}
	c.first = append(c.first, p.rows[unit])
	switch dict := meta.MetaData.DictionaryPageOffset; {
	case dict == 0 && c.from[0] != meta.MetaData.DataPageOffset:
		return nil, nil, nil // old writers have a dictionary there, and do not say so
	case dict != 0 && dict >= c.from[0]:
		return nil, nil, wrong
	}
	if !values {
		return c, nil, nil
	}
	b, ok := p.indexBytes(f, meta.ColumnIndexOffset, int64(meta.ColumnIndexLength))
	index := &format.ColumnIndex{}
	if !ok || thrift.Unmarshal(&thrift.CompactProtocol{}, b, index) != nil {
		return nil, nil, wrong
	}
	if len(index.NullPages) != n || len(index.MinValues) != n || len(index.MaxValues) != n || len(index.NullCounts) != 0 && len(index.NullCounts) != n {
		return nil, nil, wrong
	}
	return c, index, nil
}

// indexBytes reads a part of a file's page index, whose lengths fit the bytes that
// are there.
func (p *parquetPart) indexBytes(f *reading, from, size int64) ([]byte, bool) {
	if from < 4 || size <= 0 || size > p.limits.FooterBytes || from+size > p.size {
		return nil, false
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, from); err != nil {
		return nil, false
	}
	w := walker{b: b}
	w.structure(0, 0)
	return b, !w.bad
}
