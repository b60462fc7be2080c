package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// batchRows is how many rows are converted at a time: four columns of them fit
// a second-level cache.
const batchRows = 16 << 10

// part is one file, or one set of records in memory, of a table.
type part interface {
	name() string
	// lookup returns the type of a column; ok is false where there is none.
	lookup(column string) (l leaf, ok bool)
	columns() []string
	// units are the pieces that can be read independently, with their rows.
	units() []int64
	// open begins to read the named columns of a unit.
	open(unit int, columns []string) (unitReader, error)
}

// unitReader reads some columns of one unit. It belongs to one goroutine.
type unitReader interface {
	// next returns the next run of values of a column, valid until the next
	// call for that column, or io.EOF.
	next(column int) (run, error)
	close()
}

// run is a page of a column, or the part of an array.
type run struct {
	rows int
	skip int // rows at the front that nobody asked for
	// levels says which rows have a value: those equal to maxLevel. Empty means
	// all of them.
	levels   []byte
	maxLevel byte
	data     encoding.Values // dense values; where dict is set, codes into it
	dict     *dictionary     // nil for plain values
}

// dictionary is the values that a run's codes stand for. The same dictionary
// is the same pointer, so that it is converted once.
type dictionary struct {
	data encoding.Values
	size int
}

// input is one column to read.
type input struct {
	field
	column   string // in the input
	constant *string
	res      resolver
	absent   bool
	key      *PseudonymKey // by which pseudonyms are made of the values; nil for none
	look     *looks        // whether the values are civil registration numbers; nil where nobody asks
	narrow   *narrowing    // of the scan; in the first column, nil for none
	// into says where the values of rows are wanted: they are written there, not to
	// memory that is used again. nil where nobody asks.
	into func(part int, row int64, rows int) vector
}

// batch is a run of rows of a table. It is valid only during the call it is
// handed to.
type batch struct {
	part, unit int
	row        int64 // first row in the part, from 0
	rows       int
	last       bool // of its unit
	cols       []vector
}

// scan reads the columns of every part of a table and hands them over in
// batches: concurrently, in any order, but the batches of one unit by one
// worker in the order of its rows. work makes one worker's function.
func (d *Dataset) scan(ctx context.Context, table string, cols []input, work func() func(*batch) error) error {
	outer := ctx // which is done only when the caller wants no more, while ctx is done with the first error too
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	type unit struct {
		part, index int
		first, rows int64
	}
	units := make(chan unit)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(units)
		for p, part := range d.tables[table] {
			var first int64
			for i, rows := range part.units() {
				if rows == 0 || !d.reads(table, p, i) { // some writers give an empty row group no pages
					first += rows
					continue
				}
				select {
				case units <- unit{p, i, first, rows}:
				case <-ctx.Done():
					return
				}
				first += rows
			}
		}
	})

	total := int64(0)
	for p, part := range d.tables[table] {
		for i, rows := range part.units() {
			if d.reads(table, p, i) {
				total += rows
			}
		}
	}
	for i := range cols {
		if cols[i].look != nil {
			cols[i].look.begin(total)
		}
	}
	count := effect.Count(ctx, "reading "+table, "rows", total)
	workers := d.opt.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		wg.Go(func() {
			r := reader{count: count, cols: make([]columnReader, len(cols)), batch: batch{cols: make([]vector, len(cols))}}
			f := work()
			for u := range units {
				p := d.tables[table][u.part]
				r.batch.part, r.batch.unit, r.batch.row = u.part, u.index, u.first
				if err := r.readUnit(ctx, p, u.index, u.rows, cols, f); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := effect.Stopped(outer); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.identifiable(table, cols)
}

// reader is the scratch of one worker.
type reader struct {
	batch batch
	cols  []columnReader
	more  bool // of the unit, after the rows that are being read
	count *effect.Counted
}

func (r *reader) readUnit(ctx context.Context, p part, unit int, rows int64, cols []input, f func(*batch) error) error {
	var names []string
	for i := range cols {
		names = r.cols[i].reset(p, &cols[i], names)
		r.cols[i].of = r.batch.part
	}
	var u unitReader
	some, narrow := narrowed(cols).unit(r.batch.part, unit)
	err := protect(func() (err error) {
		if narrow {
			u, err = p.(*parquetPart).openSome(unit, names, some)
		} else {
			u, err = p.open(unit, names)
		}
		return err
	})
	if err != nil {
		return fileError(p, unit, "", err)
	}
	defer u.close()
	if !narrow {
		return r.readRows(ctx, p, u, unit, rows, cols, f)
	}
	first := r.batch.row
	defer func() { r.more = false }()
	for _, s := range some.spans {
		rows -= s.to - s.from
	}
	r.count.Add(rows) // that are passed over
	if len(some.spans) == 0 {
		// Nothing of it is read, which its sink wants to know.
		for i, v := range r.batch.cols {
			r.batch.cols[i] = v.slice(0, 0)
		}
		r.batch.rows, r.batch.last = 0, true
		return f(&r.batch)
	}
	for k, s := range some.spans {
		r.more = k+1 < len(some.spans)
		if err := protect(func() error { return u.(*parquetUnit).seek(s.from) }); err != nil {
			return fileError(p, unit, "", err)
		}
		for i := range r.cols {
			r.cols[i].restart()
		}
		r.batch.row = first + s.from
		if err := r.readRows(ctx, p, u, unit, s.to-s.from, cols, f); err != nil {
			return err
		}
	}
	return nil
}

// readRows reads the next rows of a unit.
func (r *reader) readRows(ctx context.Context, p part, u unitReader, unit int, rows int64, cols []input, f func(*batch) error) error {
	for done := int64(0); done < rows; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n := int(min(batchRows, rows-done))
		for i := range cols {
			c := &r.cols[i]
			if c.in.absent {
				continue
			}
			if c.in.into != nil {
				c.scratch = c.in.into(r.batch.part, r.batch.row, n)
			}
			err := protect(func() (err error) {
				r.batch.cols[i], err = c.read(u, n)
				return err
			})
			if err != nil {
				return fileError(p, unit, c.in.column, err)
			}
		}
		r.batch.rows, r.batch.last = n, done+int64(n) == rows && !r.more
		if err := f(&r.batch); err != nil {
			return err
		}
		done += int64(n)
		r.batch.row += int64(n)
		r.count.Add(int64(n))
	}
	return nil
}

// protect turns a panic into an error: the Parquet library panics on some
// damaged pages. What it panics with is left out, as it can hold bytes of the data.
func protect(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = ErrCorrupt
		}
	}()
	return f()
}

// fileError says where reading failed, unless err does.
func fileError(p part, unit int, column string, err error) error {
	if _, ok := errors.AsType[*FileError](err); ok {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated
	}
	if errors.Is(err, errValues) || errors.Is(err, errCode) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	where := fmt.Sprintf("row group %d", unit)
	if column != "" {
		where += fmt.Sprintf(", column %q", column)
	}
	cure := "export the file again"
	switch {
	case errors.Is(err, ErrLimit):
		cure = "raise Limits.PageBytes, Limits.PageRows or Limits.RowGroupBytes, or write smaller pages"
	case errors.Is(err, ErrCompression):
		cure = "export with ZSTD, SNAPPY, GZIP or no compression"
	}
	return &FileError{p.name(), where, err, cure}
}

// Columns that no unit reader is asked for.
const (
	constantColumn = -1 - iota
	nullColumn
)

// columnReader turns the runs of one column into vectors of any length.
type columnReader struct {
	in    *input
	conv  converter
	of    int   // part of the table
	next  int64 // values before the next one that is looked at
	index int   // among the columns of the unit reader, or one of those below
	run   run
	row   int // rows of the run that are used
	value int // values of the run that are used

	dict    *dictionary // converted in lut
	lut     vector
	scratch vector
}

// reset prepares for a unit of a part and returns names with the column added.
func (c *columnReader) reset(p part, in *input, names []string) []string {
	c.in, c.run, c.row, c.value, c.dict, c.next = in, run{}, 0, 0, nil, 0
	if in.absent {
		return names
	}
	if in.constant != nil {
		c.index = constantColumn
		text := []byte(*in.constant)
		data := encoding.ByteArrayValues(text, []uint32{0, uint32(len(text))})
		c.conv = c.converter(leaf{class: classText, kind: encoding.ByteArray, scale: -1}, "")
		c.run = run{rows: math.MaxInt, dict: &dictionary{data, 1}}
		return names
	}
	l, _ := p.lookup(in.column) // it is there: the plan is made for all parts
	by := ""
	if in.key != nil {
		by = madeBy(p, in.column)
	}
	c.conv = c.converter(l, by)
	if l.class == classNull {
		c.index = nullColumn
		return names
	}
	c.index = len(names)
	return append(names, in.column)
}

// converter is that of the input, for values that were made into pseudonyms by a key, or
// by none.
func (c *columnReader) converter(l leaf, by string) converter {
	conv := converter{leaf: l, want: c.in.want, res: c.in.res}
	if c.in.key != nil && by == "" {
		conv.pseudo = newPseudonymizer(c.in.key, c.in.name)
	}
	return conv
}

// restart forgets what is left of a run, after the unit reader went elsewhere.
func (c *columnReader) restart() {
	if c.in != nil && !c.in.absent && c.index >= 0 {
		c.run, c.row, c.value = run{}, 0, 0
	}
}

func (c *columnReader) read(u unitReader, n int) (vector, error) {
	out := resize(&c.scratch, n, c.conv.form())
	if c.index == nullColumn {
		fill(out, c.in.want)
		return out, nil
	}
	for done := 0; done < n; {
		for c.row == c.run.rows {
			var err error
			if c.run, err = u.next(c.index); err != nil {
				return out, err
			}
			c.row, c.value = c.run.skip, c.run.skip
			if len(c.run.levels) > 0 {
				c.value = bytes.Count(c.run.levels[:c.run.skip], []byte{c.run.maxLevel})
			}
		}
		k := min(n-done, c.run.rows-c.row)
		if err := c.part(out.slice(done, done+k)); err != nil {
			return out, err
		}
		done += k
	}
	return out, nil
}

// part fills dst from the current run.
func (c *columnReader) part(dst vector) error {
	n := max(len(dst.ints), len(dst.floats), len(dst.ids))
	values := n
	var levels []byte
	if len(c.run.levels) > 0 {
		levels = c.run.levels[c.row : c.row+n]
		values = bytes.Count(levels, []byte{c.run.maxLevel})
	}
	if err := c.values(dst.slice(0, values), c.value, c.value+values); err != nil {
		return err
	}
	c.row += n
	c.value += values
	switch {
	case values == n:
	case dst.floats != nil:
		spread(dst.floats, levels, c.run.maxLevel, values, math.NaN())
	case dst.ids != nil:
		spread(dst.ids, levels, c.run.maxLevel, values, codeID(codeNull))
	default:
		spread(dst.ints, levels, c.run.maxLevel, values, nullOf(c.in.want))
	}
	return nil
}

// spread moves the values at the front of dst to the rows that have one, and
// sets the others to null. It goes from the end, so that none is overwritten before
// it has moved, and without branches, which nulls here and there would mislead.
func spread[T int32 | float64 | int64](dst []T, levels []byte, maxLevel byte, values int, null T) {
	choice := [2]T{null}
	levels = levels[:len(dst)]
	i := len(dst) - 1
	for ; values > 0 && i >= values; i-- {
		choice[1] = dst[values-1]
		has := 0
		if levels[i] == maxLevel {
			has = 1
		}
		dst[i] = choice[has]
		values -= has
	}
	if values == 0 {
		for ; i >= 0; i-- {
			dst[i] = null
		}
	}
}

// values fills dst with the dense values [from, to) of the current run.
func (c *columnReader) values(dst vector, from, to int) error {
	if c.in.look != nil && c.index >= 0 && c.conv.pseudo == nil {
		c.in.look.look(c.of, &c.next, c.conv.leaf, &c.run, from, to)
	}
	if c.run.dict == nil {
		return c.conv.convert(dst, &c.run.data, from, to)
	}
	if c.dict != c.run.dict {
		lut := resize(&c.lut, c.run.dict.size, c.conv.form())
		if err := c.conv.convert(lut, &c.run.dict.data, 0, c.run.dict.size); err != nil {
			return err
		}
		c.dict = c.run.dict
	}
	if c.index == constantColumn {
		for i := range dst.ints {
			dst.ints[i] = c.lut.ints[0]
		}
		for i := range dst.floats {
			dst.floats[i] = c.lut.floats[0]
		}
		for i := range dst.ids {
			dst.ids[i] = c.lut.ids[0]
		}
		return nil
	}
	codes := c.run.data.Int32()
	if len(codes) < to {
		return errValues
	}
	codes = codes[from:to]
	switch {
	case dst.floats != nil:
		return look(dst.floats, c.lut.floats[:c.run.dict.size], codes)
	case dst.ids != nil:
		return look(dst.ids, c.lut.ids[:c.run.dict.size], codes)
	}
	return look(dst.ints, c.lut.ints[:c.run.dict.size], codes)
}

var errCode = errors.New("a value lies outside the page's dictionary")

// look writes the values that codes stand for. It is most of the work on a column, so
// it is written so that the compiler sees that nothing can lie outside.
func look[T int32 | int64 | float64](dst, lut []T, codes []int32) error {
	dst = dst[:len(codes)]
	for i, code := range codes {
		c := uint(uint32(code))
		if c >= uint(len(lut)) {
			return errCode
		}
		dst[i] = lut[c]
	}
	return nil
}

// fill sets every row to null.
func fill(dst vector, w want) {
	for i := range dst.floats {
		dst.floats[i] = math.NaN()
	}
	for i := range dst.ids {
		dst.ids[i] = codeID(codeNull)
	}
	null := nullOf(w)
	for i := range dst.ints {
		dst.ints[i] = null
	}
}

// nullOf is what stands for null among whole numbers.
func nullOf(w want) int32 {
	if w == wantDate {
		return int32(effect.NoDate)
	}
	return codeNull
}

// resize returns n rows of the vector's memory, which grows as needed.
func resize(v *vector, n int, f form) vector {
	switch f {
	case formNumbers:
		v.floats = room(v.floats, n)
		return vector{floats: v.floats}
	case formIDs:
		v.ids = room(v.ids, n)
		return vector{ids: v.ids}
	}
	v.ints = room(v.ints, n)
	return vector{ints: v.ints}
}

// room returns n of a slice whose values do not matter; it is not nil.
func room[T any](s []T, n int) []T {
	if s == nil || cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
