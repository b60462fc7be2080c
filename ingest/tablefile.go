package ingest

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

const (
	// tableGroup is how many rows of a table make a row group.
	tableGroup = 128 << 10
	// firstRows is how many rows say how a column of text is stored.
	firstRows = 1000
	// Keys of the file's metadata.
	tableKey = "jobeffekt.table"
	docKey   = "jobeffekt.doc." // followed by the column's name
)

// ordered is a group whose fields keep their order; those of parquet.Group are
// sorted by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o *ordered) Fields() []parquet.Field { return o.fields }

// order puts the fields in the order of the names.
func (o *ordered) order(names []string) {
	byName := map[string]parquet.Field{}
	for _, f := range o.Group.Fields() {
		byName[f.Name()] = f
	}
	for _, name := range names {
		o.fields = append(o.fields, byName[name])
	}
}

// WriteParquet writes the table as Parquet: zstd, page checksums, page index,
// row groups of 131,072 rows, the docs of columns and the table's name as
// metadata of the file. The same table makes the same bytes.
func (t *Table) WriteParquet(w io.Writer) error {
	if err := t.check(); err != nil {
		return err
	}
	rows, err := newRowWriter(t)
	if err != nil {
		return err
	}
	schema := &ordered{Group: parquet.Group{}}
	options := []parquet.WriterOption{
		parquet.Compression(&parquet.Zstd), parquet.CreatedBy(application, "", ""),
		parquet.KeyValueMetadata(tableKey, t.Name),
	}
	for k := range t.Columns {
		c := &t.Columns[k]
		schema.Group[c.Name] = rows.node(k)
		if c.Doc != "" {
			options = append(options, parquet.KeyValueMetadata(docKey+c.Name, c.Doc))
		}
		if c.PseudonymsBy != "" {
			options = append(options, parquet.KeyValueMetadata(pseudonymsKey+c.Name, c.PseudonymsBy))
		}
	}
	schema.order(gather(len(t.Columns), func(i int) string { return t.Columns[i].Name }))
	out := parquet.NewGenericWriter[any](w, append(options, parquet.NewSchema(t.Name, schema))...)

	// Row groups are encoded side by side and written in their order.
	type done struct {
		group *parquet.ConcurrentRowGroupWriter
		err   error
	}
	var pending []chan done
	defer func() { // who gives up waits for those that are encoding: they read the table
		for _, ch := range pending {
			<-ch
		}
	}()
	commit := func() error {
		d := <-pending[0]
		pending = pending[1:]
		if d.err == nil {
			_, d.err = d.group.Commit()
		}
		if d.err != nil {
			return fmt.Errorf("ingest: %s: %w", t.Name, d.err)
		}
		return nil
	}
	for from := 0; from < t.Rows(); from += tableGroup {
		if len(pending) == runtime.GOMAXPROCS(0) {
			if err := commit(); err != nil {
				return err
			}
		}
		ch := make(chan done, 1)
		pending = append(pending, ch)
		group := out.BeginRowGroup()
		go func() { ch <- done{group, rows.encode(group, from, min(from+tableGroup, t.Rows()))} }()
	}
	for len(pending) > 0 {
		if err := commit(); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("ingest: %s: %w", t.Name, err)
	}
	return nil
}

// node is the type under which a column is stored.
func (w *rowWriter) node(column int) parquet.Node {
	c := &w.first[column]
	leaf := func(n parquet.Node, enc encoding.Encoding) parquet.Node {
		n = parquet.Leaf(columnType{n.Type(), w, column})
		if enc != nil {
			n = parquet.Encoded(n, enc)
		}
		return n
	}
	switch {
	case c.Ints != nil:
		return leaf(parquet.Int(64), &parquet.DeltaBinaryPacked)
	case c.Floats != nil:
		return parquet.Optional(leaf(parquet.Leaf(parquet.DoubleType), nil))
	case c.Dates != nil:
		return parquet.Optional(leaf(parquet.Date(), &parquet.DeltaBinaryPacked))
	case c.Bools != nil:
		return leaf(parquet.Leaf(parquet.BooleanType), nil)
	case c.repeats(w.table.Rows()):
		return parquet.Optional(leaf(parquet.String(), &parquet.RLEDictionary))
	}
	return parquet.Optional(leaf(parquet.String(), &parquet.DeltaLengthByteArray))
}

// repeats says whether a column of text in a table of so many rows is worth a
// dictionary, judged by its levels or its first rows.
func (c *Column) repeats(rows int) bool {
	if c.Factor != nil {
		size := 0
		for _, level := range c.Factor.Levels {
			size += len(level)
		}
		// What is written is read again: a dictionary is one page, of 4 bytes more a level.
		return 2*len(c.Factor.Levels) < rows && size < 1<<27 && len(c.Factor.Levels) < 1<<23
	}
	first := c.Texts[:min(len(c.Texts), firstRows)]
	seen := map[string]bool{}
	for _, s := range first {
		seen[s] = true
	}
	return 2*len(seen) < len(first)
}

// ReadTable reads a table of results from a Parquet file, whoever wrote it:
// whole numbers, numbers, text (as Factor, with sorted levels), dates and truth
// values, in the order of the file. Whole numbers and truth values may not be
// null, and whole numbers not be beyond 2^53; dates are those that input may
// hold. What does not fit is an [ErrTable], a bad file a [FileError].
func ReadTable(ctx context.Context, path string, limits Limits) (*Table, error) {
	return readTable(ctx, path, limits, false, nil)
}

// ReadColumns is [ReadTable] of the columns that are wanted alone: of the others nothing
// is read.
func ReadColumns(ctx context.Context, path string, limits Limits, wanted func(column string) bool) (*Table, error) {
	return readTable(ctx, path, limits, false, wanted)
}

// readTable is [ReadTable]. If lenient, it takes what others write: whole numbers
// and truth values with nulls, columns without values, and numbers in 32 bits as
// the decimals that they stand for. It reads all columns where wanted is nil.
func readTable(ctx context.Context, path string, limits Limits, lenient bool, wanted func(column string) bool) (*Table, error) {
	at, file := local(path)
	p, err := openParquet(at, file, limits)
	if err != nil {
		return nil, err
	}
	name, _ := p.parquet.Lookup(tableKey)
	if name == "" {
		name = p.parquet.Schema().Name()
	}
	d := NewDataset(Options{Limits: limits, MaxRejectShare: 1})
	d.trusted = true // see ReadFile for those of others
	// The name of a table of the contract would bring the contract's columns in.
	key := "result " + name
	d.tables[key] = []part{p}
	wants := map[class]want{
		classInteger: wantWhole, classNumber: wantFloat, classText: wantText, classDate: wantDate, classBool: wantBool,
	}
	if lenient {
		wants[classNull] = wantText
	}
	var extra []field
	for _, column := range p.columns() {
		if wanted != nil && !wanted(column) {
			continue
		}
		l, _ := p.lookup(column)
		w, ok := wants[l.class]
		if !ok {
			return nil, fmt.Errorf("ingest: %w: %s: column %q is %s", ErrTable, path, column, l.name)
		}
		extra = append(extra, field{column, w, true, lenient || w != wantWhole && w != wantBool})
	}
	f, err := d.load(ctx, key, extra, nil)
	if err == nil {
		_, err = p.unchanged()
	}
	if err != nil {
		return nil, err
	}
	f.whole = true
	t := f.result(name, gather(f.rows, func(i int) int32 { return int32(i) }))
	for k := range t.Columns {
		c := &t.Columns[k]
		c.Doc, _ = p.parquet.Lookup(docKey + c.Name)
		if lenient {
			l, _ := p.lookup(c.Name)
			f.relent(c, l)
		}
		f.cols[k] = vector{}
	}
	if err := d.close(f.account, 0); err != nil {
		r := f.rejects[0]
		return nil, fmt.Errorf("ingest: %w: %s: row %d, column %q: %s", ErrTable, path, r.row+1, extra[r.column].name, r.cause)
	}
	return t, nil
}

// relent gives a column of a file of others its kind: whole numbers and truth
// values where there is no null.
func (f *frame) relent(c *Column, l leaf) {
	switch {
	case l.class == classInteger && !slices.ContainsFunc(c.Floats, math.IsNaN):
		c.Ints, c.Floats = gather(len(c.Floats), func(i int) int64 { return int64(c.Floats[i]) }), nil
	case l.kind == encoding.Float && l.class == classNumber:
		for i, v := range c.Floats {
			c.Floats[i], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
		}
	case l.class == classBool:
		truths := f.cols[f.index(c.Name)].ints
		if !slices.Contains(truths, codeNull) {
			return
		}
		names := gather(len(truths), func(i int) string {
			if truths[i] == codeNull {
				return ""
			}
			return strconv.FormatBool(truths[i] == 1)
		})
		factor := effect.NewFactor(names)
		c.Bools, c.Factor = nil, &factor
	}
}
