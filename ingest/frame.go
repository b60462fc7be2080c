package ingest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Reject is one bad row. It names no value of the data.
type Reject struct {
	Table  string `col:"table" doc:"table of the contract"`
	File   string `col:"file" doc:"input file"`
	Row    int64  `col:"row" doc:"row in the file, from 1"`
	Column string `col:"column" doc:"column as the contract names it"`
	Cause  string `col:"cause" doc:"why the row cannot be used"`
}

// Count is how many rows of a table met a rule.
type Count struct {
	Table string `col:"table" doc:"table of the contract"`
	Name  string `col:"count" doc:"what is counted"`
	Rows  int64  `col:"rows" doc:"rows counted"`
	Rule  string `col:"rule" doc:"what is done with such rows"`
}

// cause is why a row is rejected.
type cause uint8

const (
	causeNone cause = iota
	causeNull
	causeEmpty
	causeLong
	causeInvalid
	causeClock
	causeOutside
	causeText
	causeInfinite
	causeFraction
	causeOrder
	causeConflict
	causePeriod
	causeChannel
	causeDigits
	causeRange
	causeOverlap
	causeDecimal
	causeAnswers
)

func (c cause) String() string {
	return [...]string{
		"", "required, but null", "required, but empty", "text over the limit of length", "text is not UTF-8",
		"timestamp is not at midnight", "date is outside 1900-01-01..2200-12-31",
		"text is not a date written as 2008-12-31", "number is not finite", "number is not whole",
		"end is before start", "the same key occurs with different content",
		"not a period written as 2008, 2008H1, 2008Q3 or 2008-09", "not a channel of spend",
		"amount has more digits than can be kept", "number is out of range",
		"holds on a day on which another row says otherwise",
		"text is not a decimal such as 0.984", "fewer persons asked than answers",
	}[c]
}

func (f *field) optional() bool { return !f.required || f.nullable }

// ofCode is the cause for a code; optional columns may be null or empty.
func (f *field) ofCode(code int32) cause {
	switch {
	case code >= 0 || f.optional() && (code == codeNull || code == codeEmpty):
		return causeNone
	case code == codeNull:
		return causeNull
	case code == codeEmpty:
		return causeEmpty
	case code == codeLong && (f.want == wantAmount || f.want == wantDecimal):
		return causeDigits
	case code == codeLong:
		return causeLong
	case code == codeInfinite:
		return causeInfinite
	case code == codeOther && f.want == wantPeriod:
		return causePeriod
	case code == codeOther && f.want == wantDecimal:
		return causeDecimal
	case code == codeOther:
		return causeChannel
	}
	return causeInvalid
}

// ofDate is the cause for a date; optional columns may be null.
func (f *field) ofDate(v int32) cause {
	switch {
	case v > dateText || f.optional() && v == int32(effect.NoDate):
		return causeNone
	case v == int32(effect.NoDate):
		return causeNull
	case v == dateClock:
		return causeClock
	case v == dateText:
		return causeText
	}
	return causeOutside
}

// ofNumber is the cause for a number; optional columns may be null.
func (f *field) ofNumber(v float64) cause {
	switch {
	case math.IsInf(v, 0):
		return causeInfinite
	case math.IsNaN(v):
		if f.optional() {
			return causeNone
		}
		return causeNull
	case f.want == wantWhole && (v != math.Trunc(v) || math.Abs(v) > 1<<53): // beyond, not every number can be told
		return causeFraction
	}
	return causeNone
}

// reject is a Reject in little room: there can be as many as rows.
type reject struct {
	row    int64
	part   int32
	column int16 // of the inputs
	cause  cause
}

// account is what happened to the rows of a table.
type account struct {
	table   string
	columns []string
	parts   []part
	counts  []Count
	rejects []reject
	moves   []Move
	unread  int64 // rows that were passed over, which count as read
}

func (d *Dataset) newAccount(table string, cols []input) *account {
	return &account{table: table, columns: gather(len(cols), func(i int) string { return cols[i].name }), parts: d.tables[table]}
}

func (a *account) count(name string, rows int64, rule string) {
	a.counts = append(a.counts, Count{a.table, name, rows, rule})
}

// close counts the rejects, keeps the account and says whether there are too
// many of them among the rows.
func (d *Dataset) close(a *account, rows int64) error {
	slices.SortFunc(a.rejects, func(x, y reject) int {
		return cmp.Or(cmp.Compare(x.part, y.part), cmp.Compare(x.row, y.row))
	})
	rows += a.unread
	rejected := int64(len(a.rejects))
	a.counts = slices.Insert(a.counts, 0,
		Count{a.table, "read", rows, "every row of the table"},
		Count{a.table, "rejected", rejected, "bad rows are left out and listed; past the limit the run stops"})
	d.mu.Lock()
	d.results[a.table] = a
	d.mu.Unlock()
	if float64(rejected) > d.opt.MaxRejectShare*float64(rows) {
		return &RejectLimitError{a.table, rejected, rows, d.opt.MaxRejectShare}
	}
	return nil
}

// note adds a count to a table that was read.
func (d *Dataset) note(table, name string, rows int64, rule string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.results[table].count(name, rows, rule)
}

// Counts says, for each table read so far, how many rows met which rule, in a
// fixed order. Reading a table again replaces its counts.
func (d *Dataset) Counts() []Count {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Count
	for _, table := range tables() {
		if a := d.results[table]; a != nil {
			out = append(out, a.counts...)
		}
	}
	return out
}

// Rejects lists the bad rows of the tables read so far, sorted by table, part
// and row; each row once, with the first column that is bad.
func (d *Dataset) Rejects() []Reject {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Reject
	for _, table := range tables() {
		a := d.results[table]
		if a == nil {
			continue
		}
		for _, r := range a.rejects {
			out = append(out, Reject{table, a.parts[r.part].name(), r.row + 1, a.columns[r.column], r.cause.String()})
		}
	}
	return out
}

// frame is a whole table in memory.
type frame struct {
	*account
	columns []input
	rows    int
	cols    []vector
	bad     []bool
	starts  []start
	// whole says that the rows that are asked for are all of them in their order, so
	// that columns are handed over and not copied. It is set once no more is needed
	// of the frame than that.
	whole bool
	none  []int32 // see missing
}

// start is where consecutive rows of a part begin in a frame.
type start struct {
	at, part int
	row      int64
}

// at is where a row of a part is in the frame.
func (f *frame) at(part int, row int64) int {
	k := sort.Search(len(f.starts), func(k int) bool {
		s := f.starts[k]
		return s.part > part || s.part == part && s.row > row
	}) - 1
	return f.starts[k].at + int(row-f.starts[k].row)
}

// load reads all of a table and rejects the rows that are bad by themselves.
func (d *Dataset) load(ctx context.Context, table string, extra []field, prepare func([]input)) (*frame, error) {
	if !d.Has(table) {
		return nil, fmt.Errorf("ingest: %w: %s", ErrNoTable, table)
	}
	cols, problems := d.plan(table, extra)
	if len(problems) > 0 {
		return nil, &SchemaError{problems}
	}
	if prepare != nil {
		prepare(cols)
	}
	if err := d.narrow(ctx, table, cols); err != nil {
		return nil, err
	}
	f := &frame{account: d.newAccount(table, cols), columns: cols, cols: make([]vector, len(cols))}
	if err := f.measure(); err != nil {
		return nil, err
	}
	if err := f.credible(d.opt.Limits); err != nil {
		return nil, err
	}
	for i := range cols {
		if !cols[i].absent {
			resize(&f.cols[i], f.rows, formOf(cols[i].want, cols[i].res))
			cols[i].into = func(part int, row int64, rows int) vector {
				at := f.at(part, row)
				return f.cols[i].slice(at, at+rows)
			}
		}
	}
	err := d.scan(ctx, table, cols, func() func(*batch) error { return func(*batch) error { return nil } })
	if err != nil {
		return nil, err
	}
	f.bad = make([]bool, f.rows)
	if k := municipalityOf(table, cols); k >= 0 && len(d.opt.Municipalities) > 0 {
		f.dropElsewhere(k, d.chosen())
	}
	for i := range cols {
		if _, ok := cols[i].res.(*personIndex); ok {
			f.dropOrphans(i)
		}
	}
	// Most columns are without a fault, which all processors see at once. Those that
	// are not are checked in order, as a row is rejected for the first of them.
	faults := make([]bool, len(cols))
	each(len(cols), func(i int) { faults[i] = !f.faultless(i) })
	for i, may := range faults {
		if may {
			f.checkColumn(i)
		}
	}
	return f, nil
}

// each does f for every i below n, on all processors.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				f(i)
			}
		})
	}
	wg.Wait()
}

// faultless says of some columns that no row is bad by them, at a glance.
func (f *frame) faultless(col int) bool {
	v := f.cols[col]
	switch f.columns[col].want {
	case wantFloat, wantNumber, wantWhole, wantBool:
		return false
	case wantDate:
		bad := int32(0) // below 0 once a row is: what is no date, or null, lies far below all dates
		const dates = 1 << 30
		for _, x := range v.ints {
			bad |= x + dates
		}
		return bad >= 0
	}
	for _, x := range v.ids {
		if _, coded := idCode(x); coded {
			return false
		}
	}
	bad := int32(0)
	for _, x := range v.ints {
		bad |= x
	}
	return bad >= 0
}

// measure counts the rows to read, as the parts claim to have them.
func (f *frame) measure() error {
	rows := int64(0)
	narrow := narrowed(f.columns)
	for part, p := range f.parts {
		f.starts = append(f.starts, start{int(rows), part, 0})
		first := int64(0)
		for unit, n := range p.units() {
			spans := narrow.spans(part, unit, n)
			for _, s := range spans {
				if len(spans) > 1 || s.to-s.from != n {
					f.starts = append(f.starts, start{int(rows), part, first + s.from})
				}
				if rows += s.to - s.from; n > math.MaxInt32 || rows > math.MaxInt32 {
					return &FileError{p.name(), "", fmt.Errorf("%w: more than %d rows in a table that is held in memory", ErrLimit, math.MaxInt32), "read fewer rows at a time"}
				}
			}
			if first += n; narrow != nil {
				f.starts = append(f.starts, start{int(rows), part, first}) // rows before it may be missing
			}
		}
	}
	if f.rows = int(rows); narrow != nil {
		f.unread = narrow.unread
	}
	return nil
}

// credible refuses more rows than the files can have, before memory is asked for them.
func (f *frame) credible(limits Limits) error {
	bytes := int64(0)
	for _, p := range f.parts {
		file, ok := p.(*parquetPart)
		if !ok {
			return nil // rows in memory
		}
		bytes += file.size
	}
	if len(f.parts) > 0 && limits.manyRows(int64(f.rows), bytes) {
		return tooManyRows(f.parts[0].name(), int64(f.rows), bytes)
	}
	return nil
}

func tooManyRows(file string, rows, bytes int64) error {
	return &FileError{file, "", passed("%d rows in %d bytes", rows, bytes), "raise Limits.RowsPerByte if the rows are really there"}
}

// dropOrphans sets the rows of unknown persons aside, whatever else they hold.
func (f *frame) dropOrphans(col int) {
	n := f.unread
	for i, c := range f.cols[col].ints {
		if c == codeUnknown {
			f.bad[i] = true
			n++
		}
	}
	f.count("orphans", n, orphanRule)
}

const orphanRule = "rows of persons without a participation are not used, nor checked further"

// checkColumn rejects the rows in which a column is bad. Columns are checked in
// order, and a row is rejected once.
func (f *frame) checkColumn(col int) {
	c := &f.columns[col].field
	v := f.cols[col]
	switch c.want {
	case wantFloat:
	case wantNumber, wantWhole:
		for i, x := range v.floats {
			f.reject(i, col, c.ofNumber(x))
		}
	case wantDate:
		for i, x := range v.ints {
			f.reject(i, col, c.ofDate(x))
		}
	case wantBool:
		for i, x := range v.ints {
			if x == codeNull && !c.optional() {
				f.reject(i, col, causeNull)
			}
		}
	default:
		for i, x := range v.ints {
			if x >= 0 {
				continue
			}
			f.reject(i, col, c.ofCode(x))
			if x == codeEmpty {
				v.ints[i] = codeNull
			}
		}
		for i, x := range v.ids {
			code, ok := idCode(x)
			if !ok || code >= 0 {
				continue
			}
			f.reject(i, col, c.ofCode(code))
			if code == codeEmpty {
				v.ids[i] = codeID(codeNull)
			}
		}
	}
}

// reject rejects row i of the frame, unless it is already or there is no cause.
func (f *frame) reject(i, col int, why cause) {
	if why == causeNone || f.bad[i] {
		return
	}
	f.bad[i] = true
	s := f.starts[sort.Search(len(f.starts), func(k int) bool { return f.starts[k].at > i })-1]
	f.rejects = append(f.rejects, reject{s.row + int64(i-s.at), int32(s.part), int16(col), why})
}

// checkOrder rejects the rows that end before they start.
func (f *frame) checkOrder(start, end int) {
	if start < 0 || end < 0 { // the input lacks one of them
		return
	}
	from, to := f.cols[start].ints, f.cols[end].ints
	none := int32(effect.NoDate)
	for i := range to {
		if from[i] != none && to[i] != none && to[i] < from[i] {
			f.reject(i, end, causeOrder)
		}
	}
}

// checkCounts rejects the rows in which a column of counts is below 0.
func (f *frame) checkCounts(col int) {
	if col < 0 { // the input lacks it
		return
	}
	for i, n := range f.cols[col].floats {
		if n < 0 {
			f.reject(i, col, causeRange)
		}
	}
}

// checkAnswers rejects the rows that have more answers than persons asked.
func (f *frame) checkAnswers(answers, asked int) {
	if asked < 0 { // the input lacks it
		return
	}
	for i, n := range f.cols[asked].floats {
		if n < f.cols[answers].floats[i] {
			f.reject(i, asked, causeAnswers)
		}
	}
}

// index is the place of a column among the inputs, -1 if it is not there.
func (f *frame) index(name string) int {
	return slices.IndexFunc(f.columns, func(in input) bool { return in.name == name && !in.absent })
}

// rank renumbers the codes of a column, so that they are in the order of the
// identifiers they stand for. It does so once.
func (f *frame) rank(col int) {
	in, ok := f.columns[col].res.(*interner)
	if !ok || slices.IsSortedFunc(in.levels, effect.ID.Compare) {
		return
	}
	type level struct {
		id  effect.ID
		old int32
	}
	levels := make([]level, len(in.levels))
	for i, id := range in.levels {
		levels[i] = level{id, int32(i)}
	}
	slices.SortFunc(levels, func(a, b level) int { return a.id.Compare(b.id) })
	rank := make([]int32, len(levels))
	for i, l := range levels {
		in.levels[i], rank[l.old] = l.id, int32(i)
	}
	for i, c := range f.cols[col].ints {
		if c >= 0 {
			f.cols[col].ints[i] = rank[c]
		}
	}
	for i, n := range f.cols[col].ids {
		if c, ok := idCode(n); ok && c >= 0 {
			f.cols[col].ids[i] = codeID(rank[c])
		}
	}
}

// distinct returns the good rows in the order of the key columns, each key
// once. Rows that are the same in every column read count once; where rows of
// one key differ, all of them are rejected. Neither depends on the order of rows.
func (f *frame) distinct(keys ...int) []int32 {
	for _, k := range keys {
		f.rank(k)
	}
	rows := make([]int32, 0, f.rows)
	for i, bad := range f.bad {
		if !bad {
			rows = append(rows, int32(i))
		}
	}
	const rule = "rows equal in every column read count once; a key with different content is rejected"
	// Keys that rise with every row need neither order nor a search.
	if f.rises(keys[0], rows) {
		f.count("duplicates", 0, rule)
		return rows
	}
	compare := func(a, b int32) int {
		for _, k := range keys {
			if c := f.cols[k].compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	}
	if !slices.IsSortedFunc(rows, compare) {
		if slices.ContainsFunc(keys, func(k int) bool { return f.cols[k].floats != nil }) {
			slices.SortFunc(rows, compare)
		} else {
			for _, k := range slices.Backward(keys) {
				switch v := &f.cols[k]; {
				case v.ids != nil:
					rows = effect.SortRows(rows, v.ids)
				case v.ints != nil:
					rows = effect.SortRows(rows, v.ints)
				}
			}
		}
	}
	out := rows[:0]
	var duplicates int64
	for i := 0; i < len(rows); {
		j, same := i+1, true
		for ; j < len(rows) && compare(rows[i], rows[j]) == 0; j++ {
			for _, v := range f.cols {
				same = same && v.compare(rows[i], rows[j]) == 0
			}
		}
		if same {
			duplicates += int64(j - i - 1)
			out = append(out, rows[i])
		} else {
			for _, r := range rows[i:j] {
				f.reject(int(r), keys[0], causeConflict)
			}
		}
		i = j
	}
	f.count("duplicates", duplicates, rule)
	return out
}

// rises says whether a column of codes or identifiers is larger in every row than
// in the one before.
func (f *frame) rises(col int, rows []int32) bool {
	switch v := &f.cols[col]; {
	case v.ids != nil:
		return rises(v.ids, rows)
	case v.ints != nil:
		return rises(v.ints, rows)
	}
	return false
}

func rises[T int32 | int64](keys []T, rows []int32) bool {
	for k := 1; k < len(rows); k++ {
		if keys[rows[k]] <= keys[rows[k-1]] {
			return false
		}
	}
	return true
}

// unambiguous returns the rows, which are in the order of key and first day, but
// for those that hold on a day on which another row of the same key differs in one
// of the columns: all of these are rejected. A row that ends on its first day holds
// on none. A column of -1 is not there, and a row without an end holds for good.
func (f *frame) unambiguous(rows []int32, key, from, to int, columns ...int) []int32 {
	end := func(r int32) int32 {
		if to < 0 || f.cols[to].ints[r] == int32(effect.NoDate) {
			return math.MaxInt32
		}
		return f.cols[to].ints[r]
	}
	same := func(a, b int32) bool {
		return !slices.ContainsFunc(columns, func(c int) bool { return c >= 0 && f.cols[c].compare(a, b) != 0 })
	}
	starts := f.cols[from].ints
	// Of the rows before (and then behind) one it is enough to know the nearest of
	// all, and the nearest of those that differ from it: one of the two differs from
	// the row, if any row does.
	clash := make([]bool, len(rows))
	sweep := func(order []int, nearer func(a, b int32) bool, meets func(other, row int32) bool) {
		first, second := int32(-1), int32(-1)
		for n, k := range order {
			r := rows[k]
			if n > 0 && f.cols[key].compare(rows[order[n-1]], r) != 0 {
				first, second = -1, -1
			}
			if end(r) == starts[r] {
				continue
			}
			for _, o := range []int32{first, second} {
				clash[k] = clash[k] || o >= 0 && !same(o, r) && meets(o, r)
			}
			switch {
			case first < 0 || same(first, r):
				if first < 0 || nearer(r, first) {
					first = r
				}
			case nearer(r, first):
				first, second = r, first
			case second < 0 || nearer(r, second):
				second = r
			}
		}
	}
	order := gather(len(rows), func(i int) int { return i })
	sweep(order, func(a, b int32) bool { return end(a) > end(b) }, func(before, r int32) bool { return end(before) > starts[r] })
	slices.Reverse(order)
	sweep(order, func(a, b int32) bool { return starts[a] < starts[b] }, func(behind, r int32) bool { return starts[behind] < end(r) })
	out := make([]int32, 0, len(rows))
	for k, r := range rows {
		if clash[k] {
			f.reject(int(r), from, causeOverlap)
		} else {
			out = append(out, r)
		}
	}
	return out
}

func (v *vector) compare(a, b int32) int {
	if v.floats != nil {
		return cmp.Compare(v.floats[a], v.floats[b])
	}
	if v.ids != nil {
		return cmp.Compare(v.ids[a], v.ids[b])
	}
	if v.ints == nil {
		return 0
	}
	return cmp.Compare(v.ints[a], v.ints[b])
}

// id is the identifier or name of a row, if it has one.
func (f *frame) id(col int, row int32) (id effect.ID, ok bool) {
	v := &f.cols[col]
	var code int32
	if v.ids != nil {
		if code, ok = idCode(v.ids[row]); !ok {
			return effect.NumberID(v.ids[row]), true
		}
	} else {
		code = v.ints[row]
	}
	if code < 0 {
		return effect.ID{}, false
	}
	return f.columns[col].res.(*interner).levels[code], true
}

// text returns a name of a row, "" where it is missing.
func (f *frame) text(col int, row int32) string {
	if col < 0 {
		return ""
	}
	id, ok := f.id(col, row)
	if !ok {
		return ""
	}
	return id.String()
}

// ids gathers a column of identifiers, of which no row is missing.
func (f *frame) ids(col int, rows []int32) effect.IDs {
	if len(f.columns[col].res.(*interner).levels) > 0 {
		return effect.GatherIDs(len(rows), func(i int) effect.ID {
			id, _ := f.id(col, rows[i])
			return id
		})
	}
	return effect.NumberIDs(rowsOfColumn(f, &f.cols[col].ids, rows, 0))
}

// rowsOfColumn gathers the rows of a column; a row of -1 is null. If they are all rows of
// the frame in order, it hands the column over.
func rowsOfColumn[T any](f *frame, column *[]T, rows []int32, null T) []T {
	if f.whole && len(rows) == len(*column) {
		return *column
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		if r >= 0 {
			out[i] = (*column)[r]
		} else {
			out[i] = null
		}
	}
	return out
}

// dates gathers a date column, NoDate where it is absent.
func (f *frame) dates(col int, rows []int32) []effect.Date {
	if col < 0 {
		return slices.Repeat([]effect.Date{effect.NoDate}, len(rows))
	}
	return asDates(rowsOfColumn(f, &f.cols[col].ints, rows, int32(effect.NoDate))) // nothing else holds the column
}

// asDates are numbers of days as dates, in the same memory: a date is an int32.
func asDates(days []int32) []effect.Date {
	return unsafe.Slice((*effect.Date)(unsafe.SliceData(days)), len(days))
}

// factor gathers a column of names; every code is -1 where it is absent. A row
// of -1 has no value.
func (f *frame) factor(col int, rows []int32) effect.Factor {
	if col < 0 {
		return f.missing(len(rows))
	}
	if f.cols[col].ids != nil {
		return effect.NewFactor(gather(len(rows), func(i int) string {
			if rows[i] < 0 {
				return ""
			}
			return f.text(col, rows[i])
		}))
	}
	ids := f.columns[col].res.(*interner).levels
	codes := rowsOfColumn(f, &f.cols[col].ints, rows, codeNull)
	// Levels that are in use, in the order of their names.
	used, order := make([]bool, len(ids)), make([]int32, 0, len(ids))
	for _, c := range codes {
		if c >= 0 {
			used[c] = true
		}
	}
	names := make([]string, len(ids))
	for c, id := range ids {
		if used[c] {
			names[c], order = id.String(), append(order, int32(c))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(names[a], names[b]) })
	out, rank := effect.Factor{Codes: codes}, make([]int32, len(ids))
	for r, c := range order {
		out.Levels, rank[c] = append(out.Levels, names[c]), int32(r)
	}
	for i, c := range codes {
		if c >= 0 {
			codes[i] = rank[c]
		} else {
			codes[i] = -1
		}
	}
	return out
}

// missing is a column of names that are all missing. Such columns share their codes.
func (f *frame) missing(rows int) effect.Factor {
	if len(f.none) != rows {
		f.none = slices.Repeat([]int32{-1}, rows)
	}
	return effect.Factor{Codes: f.none}
}

// numbers gathers a column of numbers, NaN where it is absent or a row is -1.
func (f *frame) numbers(col int, rows []int32) []float64 {
	if col < 0 {
		return slices.Repeat([]float64{math.NaN()}, len(rows))
	}
	return rowsOfColumn(f, &f.cols[col].floats, rows, math.NaN())
}

// result makes a table of rows of the frame, with every column that was wanted:
// one that is absent is null throughout.
func (f *frame) result(name string, rows []int32) *Table {
	t := &Table{Name: name, Columns: make([]Column, len(f.columns))}
	for k := range f.columns {
		in, v := &f.columns[k], f.cols[k]
		c := Column{Name: in.name}
		switch col := f.index(in.name); {
		case in.want == wantWhole && !in.optional():
			c.Ints = gather(len(rows), func(i int) int64 { return int64(v.floats[rows[i]]) })
		case in.want.numeric():
			c.Floats = f.numbers(col, rows)
		case in.want == wantDate:
			c.Dates = f.dates(col, rows)
		case in.want == wantBool:
			c.Bools = gather(len(rows), func(i int) bool { return v.ints != nil && v.ints[rows[i]] == 1 })
		default:
			factor := f.factor(col, rows)
			c.Factor = &factor
		}
		t.Columns[k] = c
	}
	return t
}
