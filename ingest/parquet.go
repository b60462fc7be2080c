package ingest

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// OpenFolder opens the tables of a folder: for each table NAME of the contract
// the file NAME.parquet, or the files *.parquet of the folder NAME. It reads
// footers only and keeps no file open. An absent table is no error; see
// [Dataset.Has]. A file that cannot be read as Parquet is a [FileError].
func OpenFolder(dir string, opt Options) (*Dataset, error) {
	return open(folder(dir), opt)
}

// OpenFS opens the tables of a file system, as [OpenFolder] those of a folder. Its
// files must be io.ReaderAt, which those of os.DirFS are and those of an archive are
// not, or the error wraps [ErrNoReaderAt]; they may be [Planner]. Their FileInfo may
// tell a [Version]. name is what the file system is called in errors and by
// [Dataset.Files], before a slash and a file's path: a folder, or a URL without
// credentials. The file system is used from several goroutines, each file by one.
func OpenFS(fsys fs.FS, name string, opt Options) (*Dataset, error) {
	return open(place{fsys, name}, opt)
}

func open(p place, opt Options) (*Dataset, error) {
	d := NewDataset(opt)
	entries, err := p.list(".")
	if err != nil {
		return nil, err
	}
	for _, table := range tables() {
		files, err := p.parts(entries, table, opt.Limits)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			part, err := openParquet(p, file, opt.Limits)
			if err != nil {
				return nil, err
			}
			part.memory = d.memory
			d.tables[table] = append(d.tables[table], part)
			d.files = append(d.files, part.source)
		}
	}
	return d, nil
}

// parts lists the files of a table in the order of their names; entries are those
// of the place. What they do not name is not asked for, as a slow place takes a
// while to say that something is not there.
func (p place) parts(entries []fs.DirEntry, table string, limits Limits) ([]string, error) {
	file := table + ".parquet"
	isThere := func(name string) (fs.FileInfo, error) {
		// Letters of another case may be the same name here.
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), name) }) {
			return nil, nil
		}
		info, err := p.stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return info, err
	}
	single, err := isThere(file)
	if err != nil {
		return nil, err
	}
	many, err := isThere(table)
	if err != nil {
		return nil, err
	}
	switch {
	case single != nil && many != nil:
		return nil, &FileError{p.full(file), "", errors.New("the table is there twice, as a file and as a folder"), "remove one of them"}
	case many != nil:
		return p.parquetFiles(table, limits)
	case single != nil && single.IsDir(): // Spark writes a folder NAME.parquet
		return p.parquetFiles(file, limits)
	case single != nil:
		return []string{file}, nil
	}
	return nil, nil
}

// parquetPart is one Parquet file, of which only the footer is held.
type parquetPart struct {
	*source
	parquet *parquet.File
	footer  int64 // its bytes
	limits  Limits
	memory  *pageMemories
	rows    []int64 // of each row group
	names   []string
	leaves  map[string]leaf
}

// footerGuess is how much of a file's end is planned for before the length of its
// footer is known.
const footerGuess = 64 << 10

// openParquet reads the footer of a file, after it has checked that the footer
// is what it claims to be.
func openParquet(at place, name string, limits Limits) (*parquetPart, error) {
	src, err := at.source(name, ErrNotParquet)
	if err != nil {
		return nil, err
	}
	fail := func(err error, cure string) (*parquetPart, error) {
		if _, ok := errors.AsType[*FileError](err); ok || errors.Is(err, context.Canceled) {
			return nil, err
		}
		return nil, &FileError{src.path, "", err, cure}
	}
	f, err := src.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const again = "export the file again"
	size := src.size
	var head [4]byte
	var tail [8]byte
	if size == 0 {
		return fail(ErrEmptyFile, again)
	}
	if end := size - footerGuess; end > 4 {
		f.plan(Range{0, 4}, Range{end, size})
	} else {
		f.plan(Range{0, size})
	}
	if _, err := f.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return fail(err, again)
	}
	if string(head[:]) == "PARE" {
		return fail(ErrEncrypted, "export the file without encryption")
	}
	if string(head[:]) != "PAR1" {
		return fail(ErrNotParquet, "export the table as Parquet")
	}
	if size < int64(len(head)+len(tail)) {
		return fail(ErrTruncated, again)
	}
	if _, err := f.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return fail(err, again)
	}
	if string(tail[4:]) == "PARE" {
		return fail(ErrEncrypted, "export the file without encryption")
	}
	if string(tail[4:]) != "PAR1" {
		return fail(fmt.Errorf("%w: it does not end as Parquet does", ErrTruncated), again)
	}
	footer := int64(binary.LittleEndian.Uint32(tail[:4]))
	if footer > size-int64(len(head)+len(tail)) {
		return fail(fmt.Errorf("%w: its footer claims %d bytes of %d", ErrTruncated, footer, size), again)
	}
	if footer > limits.FooterBytes {
		return fail(fmt.Errorf("%w: a footer of %d bytes", ErrLimit, footer), "raise Limits.FooterBytes, or write larger row groups")
	}
	if footer > footerGuess-int64(len(tail)) {
		f.plan(Range{0, 4}, Range{size - int64(len(tail)) - footer, size})
	}
	b := make([]byte, footer)
	if _, err := f.ReadAt(b, size-int64(len(tail))-footer); err != nil {
		return fail(err, again)
	}
	if err := checkFooter(b, limits); errors.Is(err, ErrLimit) {
		return fail(err, "raise the limit in Limits, or write a plainer file")
	} else if err != nil {
		return fail(err, again)
	}
	p := &parquetPart{source: src, footer: footer, limits: limits, memory: &pageMemories{}}
	err = protect(func() (err error) {
		p.parquet, err = parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil && f.failed != nil {
		return nil, f.failed
	}
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrCorrupt, err), again)
	}
	p.describe()
	left := p.parquet.Metadata().NumRows
	for i, g := range p.parquet.Metadata().RowGroups {
		if g.NumRows < 0 {
			return fail(fmt.Errorf("%w: row group %d claims %d rows", ErrCorrupt, i, g.NumRows), again)
		}
		// Nothing is read of a row group without rows, so that nobody would miss its values.
		if g.NumRows == 0 && slices.ContainsFunc(g.Columns, func(c format.ColumnChunk) bool { return c.MetaData.NumValues != 0 }) {
			return fail(fmt.Errorf("%w: row group %d claims values and no row", ErrCorrupt, i), again)
		}
		left -= g.NumRows
		p.rows = append(p.rows, g.NumRows)
	}
	if left != 0 {
		return fail(fmt.Errorf("%w: it claims %d rows, and its row groups %d", ErrCorrupt, p.parquet.Metadata().NumRows, p.parquet.Metadata().NumRows-left), again)
	}
	rows := int64(0)
	for _, n := range p.rows {
		if rows += n; rows < 0 || limits.manyRows(rows, size) {
			return nil, tooManyRows(src.path, max(rows, n), size)
		}
	}
	return p, nil
}

func (p *parquetPart) name() string   { return p.path }
func (p *parquetPart) units() []int64 { return p.rows }

func (p *parquetPart) columns() []string { return p.names }

func (p *parquetPart) lookup(column string) (leaf, bool) {
	l, ok := p.leaves[column]
	return l, ok
}

// describe notes the types of the columns.
func (p *parquetPart) describe() {
	p.leaves = map[string]leaf{}
	for _, c := range p.parquet.Root().Columns() {
		l := leaf{name: "an unknown type"}
		// The library panics on some types that it cannot store.
		_ = protect(func() error {
			l = parquetLeaf(c)
			return nil
		})
		if c.Leaf() && l.class == classOther {
			// It reads types that it does not know as columns of nulls; only those
			// that say so are.
			for _, e := range p.parquet.Metadata().Schema {
				if _, null := e.LogicalType.Value.(*format.NullType); null && e.Name == c.Name() {
					l = leaf{class: classNull, name: "a column without values"}
				}
			}
		}
		p.names = append(p.names, c.Name())
		p.leaves[c.Name()] = l
	}
}

// parquetLeaf says what the values of a column stand for.
func parquetLeaf(c *parquet.Column) leaf {
	if !c.Leaf() || c.Repeated() {
		return leaf{name: "a nested or repeated column"}
	}
	t := c.Type()
	if t.Kind() < 0 {
		return leaf{name: "an unknown type"}
	}
	l := leaf{kind: encoding.Kind(t.Kind()) + encoding.Boolean, scale: -1, name: t.String()}
	var logical format.LogicalTypeValue
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	switch lt := logical.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		l.class = classText
	case *format.DateType:
		l.class = classDate
	case *format.TimestampType:
		if lt.Unit.Value != nil {
			l.class, l.perDay = classDate, int64(24*time.Hour/lt.Unit.Value.Duration())
		}
	case *format.DecimalType:
		l.class, l.scale = classNumber, int(lt.Scale)
		if l.scale == 0 {
			l.class = classInteger
		}
	case *format.IntType:
		l.class, l.unsigned = classInteger, !lt.IsSigned
	case nil:
		switch l.kind {
		case encoding.Boolean:
			l.class = classBool
		case encoding.Int32, encoding.Int64:
			l.class = classInteger
		case encoding.Float, encoding.Double:
			l.class = classNumber
		case encoding.Int96:
			l.class = classDate
		case encoding.ByteArray:
			l.class = classText // old writers leave out that it is text
		}
	}
	return l
}

// open opens the file anew, so that a dataset of many parts holds few files.
func (p *parquetPart) open(unit int, columns []string) (unitReader, error) {
	f, err := p.source.open()
	if err != nil {
		return nil, err
	}
	u := &parquetUnit{file: f, memory: p.memory}
	meta := &p.parquet.Metadata().RowGroups[unit]
	var indexes []int
	for _, name := range columns {
		indexes = append(indexes, p.parquet.Root().Column(name).Index())
	}
	f.plan(p.ranges(meta, indexes)...)
	for i, name := range columns {
		start, end, err := p.checkChunk(unit, name, &meta.Columns[indexes[i]].MetaData)
		if err == nil {
			var pages *pageReader
			if pages, err = p.pages(u, unit, name, start, end); err == nil {
				u.columns = append(u.columns, pages)
				continue
			}
		}
		u.close()
		return nil, err
	}
	return u, nil
}

func maxLevel(c *parquet.Column) byte {
	if c.Optional() {
		return 1
	}
	return 0
}

type parquetUnit struct {
	file    *reading
	columns []*pageReader
	memory  *pageMemories
	held    int64 // bytes of the pages that are open
}

// seek goes to a row; where the pages are is then known of every column.
func (u *parquetUnit) seek(row int64) error {
	for _, c := range u.columns {
		c.seek(row)
	}
	return nil
}

func (u *parquetUnit) next(column int) (run, error) {
	return u.columns[column].read()
}

func (u *parquetUnit) close() {
	for _, c := range u.columns {
		u.memory.put(c.pageMemory)
	}
	if u.file != nil {
		u.file.Close()
	}
}

// pages begins to read the pages of a column in the bytes [start, end).
func (p *parquetPart) pages(u *parquetUnit, unit int, column string, start, end int64) (*pageReader, error) {
	c := p.parquet.Root().Column(column)
	meta := &p.parquet.Metadata().RowGroups[unit].Columns[c.Index()].MetaData
	if err := p.checkCodec(unit, column, meta); err != nil {
		return nil, err
	}
	return &pageReader{
		file: u.file, held: &u.held, limits: p.limits, codec: meta.Codec, typ: c.Type(), kind: encoding.Kind(c.Type().Kind()) + encoding.Boolean,
		maxLevel: maxLevel(c), at: start, end: end, pageMemory: p.memory.get(),
	}, nil
}

// extent is where the pages of a column chunk lie; ok is false if not in the file.
func (p *parquetPart) extent(meta *format.ColumnMetaData) (start, end int64, ok bool) {
	start = meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		start = meta.DictionaryPageOffset
	}
	end = start + meta.TotalCompressedSize
	return start, end, start >= 4 && end >= start && end <= p.size
}

// ranges are where the pages of some columns of a row group lie, for a plan.
func (p *parquetPart) ranges(group *format.RowGroup, columns []int) []Range {
	var all, out []Range
	for _, k := range columns {
		if from, to, ok := p.extent(&group.Columns[k].MetaData); ok && from < to {
			all = append(all, Range{from, to})
		}
	}
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	for _, r := range all {
		if len(out) == 0 || out[len(out)-1].To <= r.From { // else a damaged file says that chunks overlap
			out = append(out, r)
		}
	}
	return out
}

// checkChunk says where the pages of a column chunk lie, if that and its values make sense.
func (p *parquetPart) checkChunk(unit int, column string, meta *format.ColumnMetaData) (start, end int64, err error) {
	start, end, ok := p.extent(meta)
	if !ok {
		return 0, 0, p.chunkError(unit, column, fmt.Errorf("%w: its pages lie outside the file", ErrTruncated))
	}
	if meta.NumValues != p.rows[unit] {
		return 0, 0, p.chunkError(unit, column, fmt.Errorf("%w: it claims %d values in %d rows", ErrCorrupt, meta.NumValues, p.rows[unit]))
	}
	return start, end, nil
}

func (p *parquetPart) chunkError(unit int, column string, err error) error {
	cure := "export the file again"
	if errors.Is(err, ErrCompression) {
		cure = "export with ZSTD, SNAPPY, GZIP or no compression"
	}
	return &FileError{p.path, fmt.Sprintf("row group %d, column %q", unit, column), err, cure}
}

func (p *parquetPart) checkCodec(unit int, column string, meta *format.ColumnMetaData) error {
	switch meta.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
		return nil
	}
	return p.chunkError(unit, column, fmt.Errorf("%w: %v", ErrCompression, meta.Codec))
}
