package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	d := NewDataset(opt)
	if _, err := os.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	for _, table := range tables() {
		files, err := partFiles(dir, table, opt.Limits)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			p, err := openParquet(file, opt.Limits)
			if err != nil {
				return nil, err
			}
			d.tables[table] = append(d.tables[table], p)
			d.files = append(d.files, file)
		}
	}
	return d, nil
}

// partFiles lists the files of a table in the order of their names.
func partFiles(dir, table string, limits Limits) ([]string, error) {
	file, folder := filepath.Join(dir, table+".parquet"), filepath.Join(dir, table)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	noFolder := err != nil
	// Spark writes a folder NAME.parquet.
	if info, err := os.Stat(file); err == nil {
		if !noFolder {
			return nil, &FileError{file, "", errors.New("the table is there twice, as a file and as a folder"), "remove one of them"}
		}
		if !info.IsDir() {
			return []string{file}, nil
		}
		if entries, err = os.ReadDir(file); err != nil {
			return nil, fmt.Errorf("ingest: %w", err)
		}
		folder = file
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ingest: %w", err)
	} else if noFolder {
		return nil, nil
	}
	return parquetFiles(folder, entries, limits)
}

// parquetPart is one Parquet file, of which only the footer is held.
type parquetPart struct {
	path   string
	size   int64
	footer int64 // its bytes
	mtime  time.Time
	file   *parquet.File
	limits Limits
	rows   []int64 // of each row group
	names  []string
	leaves map[string]leaf
}

// openParquet reads the footer of a file, after it has checked that the footer
// is what it claims to be.
func openParquet(path string, limits Limits) (*parquetPart, error) {
	fail := func(err error, cure string) (*parquetPart, error) { return nil, &FileError{path, "", err, cure} }
	f, err := openRegular(path, ErrNotParquet)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	const again = "export the file again"
	size := info.Size()
	var head [4]byte
	var tail [8]byte
	if size == 0 {
		return fail(ErrEmptyFile, again)
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
	b := make([]byte, footer)
	if _, err := f.ReadAt(b, size-int64(len(tail))-footer); err != nil {
		return fail(err, again)
	}
	if err := checkFooter(b, limits); errors.Is(err, ErrLimit) {
		return fail(err, "raise the limit in Limits, or write a plainer file")
	} else if err != nil {
		return fail(err, again)
	}
	p := &parquetPart{path: path, size: size, footer: footer, mtime: info.ModTime(), limits: limits}
	err = protect(func() (err error) {
		p.file, err = parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrCorrupt, err), again)
	}
	p.describe()
	for i, g := range p.file.Metadata().RowGroups {
		if g.NumRows < 0 {
			return fail(fmt.Errorf("%w: row group %d claims %d rows", ErrCorrupt, i, g.NumRows), again)
		}
		p.rows = append(p.rows, g.NumRows)
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
	for _, c := range p.file.Root().Columns() {
		l := leaf{name: "an unknown type"}
		// The library panics on some types that it cannot store.
		_ = protect(func() error {
			l = parquetLeaf(c)
			return nil
		})
		if c.Leaf() && l.class == classOther {
			// It reads types that it does not know as columns of nulls; only those
			// that say so are.
			for _, e := range p.file.Metadata().Schema {
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
	f, err := os.Open(p.path)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if err := p.same(f); err != nil {
		f.Close()
		return nil, err
	}
	u := &parquetUnit{file: f}
	group := p.file.RowGroups()[unit].ColumnChunks()
	meta := &p.file.Metadata().RowGroups[unit]
	for _, name := range columns {
		index := p.file.Root().Column(name).Index()
		if err := p.checkChunk(f, unit, name, &meta.Columns[index].MetaData); err != nil {
			u.close()
			return nil, err
		}
		pages := group[index].(*parquet.FileColumnChunk).PagesFrom(f)
		u.columns = append(u.columns, parquetColumn{pages: pages, maxLevel: maxLevel(p.file.Root().Column(name))})
	}
	return u, nil
}

func maxLevel(c *parquet.Column) byte {
	if c.Optional() {
		return 1
	}
	return 0
}

func (p *parquetPart) same(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	if info.Size() != p.size || !info.ModTime().Equal(p.mtime) {
		return &FileError{p.path, "", ErrChanged, "run again when the export has finished"}
	}
	return nil
}

type parquetUnit struct {
	file    *os.File
	columns []parquetColumn
}

type parquetColumn struct {
	pages    *parquet.FilePages
	maxLevel byte
	page     parquet.Page
	source   parquet.Dictionary // that dict was made from
	dict     *dictionary
}

func (u *parquetUnit) next(column int) (run, error) {
	c := &u.columns[column]
	parquet.Release(c.page)
	c.page = nil
	page, err := c.pages.ReadPage()
	if err != nil {
		return run{}, err
	}
	c.page = page
	r := run{rows: int(page.NumRows()), levels: page.DefinitionLevels(), maxLevel: c.maxLevel, data: page.Data()}
	if d := page.Dictionary(); d != nil {
		if c.source != d {
			c.source, c.dict = d, &dictionary{d.Page().Data(), d.Len()}
		}
		r.dict = c.dict
	}
	return r, nil
}

func (u *parquetUnit) close() {
	for i := range u.columns {
		parquet.Release(u.columns[i].page)
		u.columns[i].pages.Close()
	}
	u.file.Close()
}

// checkChunk walks the page headers of a column chunk before its pages are
// read: the library allocates whatever a header claims.
func (p *parquetPart) checkChunk(f io.ReaderAt, unit int, column string, meta *format.ColumnMetaData) error {
	fail := func(err error, cure string) error {
		return &FileError{p.path, fmt.Sprintf("row group %d, column %q", unit, column), err, cure}
	}
	const again = "export the file again"
	switch meta.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
	default:
		return fail(fmt.Errorf("%w: %v", ErrCompression, meta.Codec), "export with ZSTD, SNAPPY, GZIP or no compression")
	}
	start := meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		start = meta.DictionaryPageOffset
	}
	end := start + meta.TotalCompressedSize
	if start < 4 || end < start || end > p.size {
		return fail(fmt.Errorf("%w: its pages lie outside the file", ErrTruncated), again)
	}
	if meta.NumValues != p.rows[unit] {
		return fail(fmt.Errorf("%w: it claims %d values in %d rows", ErrCorrupt, meta.NumValues, p.rows[unit]), again)
	}
	var buf [1 << 10]byte
	for at := start; at < end; {
		b := buf[:min(int64(len(buf)), end-at)]
		h, ok := pageHeader{}, false
		for {
			if _, err := f.ReadAt(b, at); err != nil {
				return fail(fmt.Errorf("%w: %w", ErrTruncated, err), again)
			}
			if h, ok = readPageHeader(b); ok || len(b) >= 1<<20 || int64(len(b)) == end-at {
				break
			}
			b = make([]byte, min(int64(4*len(b)), end-at)) // statistics can be long
		}
		at += int64(h.size) + h.compressed
		switch {
		case !ok || h.compressed < 0 || h.uncompressed < 0 || h.values < 0 || at > end:
			return fail(fmt.Errorf("%w: a page header makes no sense", ErrCorrupt), again)
		case h.compressed > p.limits.PageBytes || h.uncompressed > p.limits.PageBytes:
			return fail(fmt.Errorf("%w: a page of %d bytes", ErrLimit, max(h.compressed, h.uncompressed)), "raise Limits.PageBytes, or write smaller pages")
		case h.values > p.limits.PageRows:
			return fail(fmt.Errorf("%w: a page of %d rows", ErrLimit, h.values), "raise Limits.PageRows, or write smaller pages")
		}
	}
	return nil
}
