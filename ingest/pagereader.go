package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The Parquet library believes what pages say of themselves: how far they unfold, how
// long a run of equal values is, how many differences follow. A page of some bytes can
// so ask for gigabytes, which no recover catches. Pages are therefore read here: every
// claim is held against the limits and the header before memory is asked for it, and the
// library decodes only what has passed.

// pageWindow is how much of a column chunk is read at a time where its pages are small.
const pageWindow = 128 << 10

// pageReader reads the pages of a column chunk. It belongs to one goroutine.
type pageReader struct {
	file     *reading
	limits   Limits
	codec    format.CompressionCodec
	typ      parquet.Type
	kind     encoding.Kind
	maxLevel byte
	at, end  int64       // bytes of the chunk that are left
	where    *chunkPages // nil where every page is read
	next     int         // page that comes next, where where is known
	skip     int         // rows of it that nobody asked for
	dictAt   int64       // of the dictionary's page, where where is known; 0 for none
	dict     *dictionary
	held     *int64 // bytes of the pages that are open, of all columns
	page, of int64  // of them, this column's page and its dictionary
	*pageMemory
}

// hold counts what a page takes, before memory is asked for it: its bytes as they are and
// unfolded, its values, and what is null. What held the page before is let go.
func (p *pageReader) hold(was *int64, h *format.PageHeader, rows int) error {
	*p.held -= *was
	*was = int64(h.CompressedPageSize) + 2*int64(h.UncompressedPageSize) + 9*int64(rows)
	if *p.held += *was; *p.held > p.limits.RowGroupBytes {
		return fmt.Errorf("%w: open pages of more than %d bytes", ErrLimit, p.limits.RowGroupBytes)
	}
	return nil
}

// pageMemory is used again for other columns.
type pageMemory struct {
	window       []byte // bytes of the file from windowAt on
	windowAt     int64
	raw, plain   []byte
	dictPlain    []byte
	levels       []byte
	values       []byte
	offsets      []uint32
	codes        []int32
	zstd         *zstd.Decoder
	gzip         *gzip.Reader
	brotli       *brotli.Reader
	input        inputBytes
	dictionaries struct {
		values  []byte
		offsets []uint32
	}
}

// pageMemories keeps what was used, for who opens the next columns.
type pageMemories struct{ pool sync.Pool }

func (p *pageMemories) get() *pageMemory {
	if p != nil {
		if m, ok := p.pool.Get().(*pageMemory); ok {
			return m
		}
	}
	return &pageMemory{}
}

// put gives memory back, but not that of a page larger than most.
func (p *pageMemories) put(m *pageMemory) {
	const most = 8 << 20
	if p == nil || cap(m.raw)+cap(m.plain)+cap(m.dictPlain)+cap(m.levels)+cap(m.values)+4*cap(m.offsets)+4*cap(m.codes)+cap(m.dictionaries.values)+4*cap(m.dictionaries.offsets) > most {
		return
	}
	m.window = m.window[:0]
	p.pool.Put(m)
}

// inputBytes is a reader of bytes that are in memory.
type inputBytes struct{ b []byte }

func (r *inputBytes) Read(b []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.b)
	r.b = r.b[n:]
	return n, nil
}

func (r *inputBytes) ReadByte() (byte, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b, nil
}

// damaged is an [ErrCorrupt] that says why.
func damaged(why string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(why, args...))
}

// passed is an [ErrLimit].
func passed(why string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLimit, fmt.Sprintf(why, args...))
}

// seek goes to a row; where is known.
func (p *pageReader) seek(row int64) {
	p.next, _ = p.where.covering(rowSpan{row, row + 1})
	p.skip = int(row - p.where.first[p.next])
}

// span returns bytes of the file, valid until the next call; within says where what is
// read ahead may reach to.
func (p *pageReader) span(at, n, within int64) ([]byte, error) {
	if from := at - p.windowAt; from >= 0 && from+n <= int64(len(p.window)) {
		return p.window[from : from+n], nil
	}
	if n > pageWindow/2 {
		p.raw = room(p.raw, int(n))
		_, err := p.file.ReadAt(p.raw, at)
		return p.raw, p.ended(err, n)
	}
	p.window = room(p.window, int(min(max(within-at, n), pageWindow)))
	p.windowAt = at
	got, err := p.file.ReadAt(p.window, at)
	if p.window = p.window[:got]; int64(got) < n {
		return nil, p.ended(err, -1)
	}
	return p.window[:n], nil
}

// ended is what an error means of a read of n bytes, all of which should be there.
func (p *pageReader) ended(err error, n int64) error {
	switch {
	case p.file.failed != nil:
		return p.file.failed
	case err == nil, err == io.EOF && n >= 0 && n == int64(len(p.raw)) && p.end <= p.file.size:
		return nil
	}
	return ErrTruncated
}

// header reads the header of a page at a place, no further than to end.
func (p *pageReader) header(at, end int64) (h format.PageHeader, size int64, err error) {
	for n := min(int64(256), end-at); ; n = min(4*n, end-at) {
		b, err := p.span(at, n, end)
		if err != nil {
			return h, 0, err
		}
		w := walker{b: b}
		w.structure(0, 0)
		if !w.bad {
			if thrift.Unmarshal(&thrift.CompactProtocol{}, b[:w.pos], &h) != nil {
				return h, 0, damaged("a page header makes no sense")
			}
			size = int64(w.pos)
			break
		}
		if n == end-at || n >= 1<<20 { // statistics can be long
			return h, 0, damaged("a page header makes no sense")
		}
	}
	compressed, uncompressed := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	rows := int64(max(h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues, h.DictionaryPageHeader.V.NumValues))
	switch {
	case compressed < 0 || uncompressed < 0 || at+size+compressed > end,
		h.DataPageHeader.V.NumValues < 0, h.DictionaryPageHeader.V.NumValues < 0,
		h.DataPageHeaderV2.V.NumValues < 0, h.DataPageHeaderV2.V.NumRows != h.DataPageHeaderV2.V.NumValues:
		return h, 0, damaged("a page header makes no sense")
	case compressed > p.limits.PageBytes || uncompressed > p.limits.PageBytes:
		return h, 0, passed("a page of %d bytes", max(compressed, uncompressed))
	case rows > p.limits.PageRows:
		return h, 0, passed("a page of %d rows", rows)
	}
	return h, size, nil
}

// body reads the bytes of a page as they lie in the file.
func (p *pageReader) body(h *format.PageHeader, at, end int64) ([]byte, error) {
	b, err := p.span(at, int64(h.CompressedPageSize), end)
	if err == nil && h.CRC != 0 && crc32.ChecksumIEEE(b) != uint32(h.CRC) {
		err = damaged("a page does not have the checksum that it was written with")
	}
	return b, err
}

// read reads the next page of rows, or io.EOF.
func (p *pageReader) read() (run, error) {
	if p.where != nil {
		if p.next >= len(p.where.from) {
			return run{}, io.EOF
		}
		if p.dict == nil && p.dictAt != 0 {
			p.at, p.end = p.dictAt, p.where.from[0]
			if r, err := p.step(); err != nil || p.dict == nil || r.rows != 0 {
				return run{}, damaged("there is no dictionary where it should be")
			}
		}
		p.at, p.end = p.where.from[p.next], p.where.to[p.next]
	}
	for p.at < p.end {
		r, err := p.step()
		if err != nil {
			return run{}, err
		}
		if p.where != nil {
			if int64(r.rows) != p.where.first[p.next+1]-p.where.first[p.next] {
				return run{}, damaged("the index does not tell of a page")
			}
			r.skip, p.skip = p.skip, 0
			p.next++
			return r, nil
		}
		if r.rows > 0 {
			return r, nil
		}
	}
	return run{}, io.EOF
}

// step reads what lies next; a page without rows, as a dictionary's is, gives none.
func (p *pageReader) step() (run, error) {
	h, size, err := p.header(p.at, p.end)
	if err != nil {
		return run{}, err
	}
	if rows := int(h.DictionaryPageHeader.V.NumValues); h.Type == format.DictionaryPage {
		err = p.hold(&p.of, &h, rows)
	} else {
		err = p.hold(&p.page, &h, int(max(h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues)))
	}
	if err != nil {
		return run{}, err
	}
	b, err := p.body(&h, p.at+size, p.end)
	if err != nil {
		return run{}, err
	}
	p.at += size + int64(h.CompressedPageSize)
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		if p.dict != nil {
			return run{}, damaged("a column has two dictionaries")
		}
		return run{}, p.dictionary(&h, b)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return p.first(&h, b)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		return p.second(&h, b)
	case h.Type == format.IndexPage:
		return run{}, nil
	}
	return run{}, damaged("a page is of no known type")
}

// dictionary keeps the values that later pages refer to.
func (p *pageReader) dictionary(h *format.PageHeader, b []byte) (err error) {
	n := int(h.DictionaryPageHeader.V.NumValues)
	//lint:ignore SA1019 writers of the first version of the format still name it
	if enc := h.DictionaryPageHeader.V.Encoding; enc != format.Plain && enc != format.PlainDictionary {
		return damaged("a dictionary is not plain")
	}
	b, err = p.unfold(&p.dictPlain, b, int(h.UncompressedPageSize))
	if err != nil {
		return err
	}
	if p.codec == format.Uncompressed { // the memory of the page is used again
		p.dictPlain = append(p.dictPlain[:0], b...)
		b = p.dictPlain
	}
	values, err := p.plainValues(b, n, &p.dictionaries.values, &p.dictionaries.offsets)
	if err == nil {
		p.dict = &dictionary{values, n}
	}
	return err
}

// first reads a data page of the first version.
func (p *pageReader) first(h *format.PageHeader, b []byte) (run, error) {
	v := &h.DataPageHeader.V
	b, err := p.unfold(&p.plain, b, int(h.UncompressedPageSize))
	if err != nil {
		return run{}, err
	}
	r := run{rows: int(v.NumValues), maxLevel: p.maxLevel}
	n := r.rows
	if p.maxLevel > 0 {
		if v.DefinitionLevelEncoding != format.RLE {
			return run{}, damaged("what is null is told in an encoding that no writer uses")
		}
		if len(b) < 4 {
			return run{}, damaged("a page is too short")
		}
		size := int64(binary.LittleEndian.Uint32(b))
		if size > int64(len(b)-4) {
			return run{}, damaged("a page is too short")
		}
		if n, err = p.readLevels(&r, b[4:4+size]); err != nil {
			return run{}, err
		}
		b = b[4+size:]
	}
	return p.data(r, n, v.Encoding, b)
}

// second reads a data page of the second version.
func (p *pageReader) second(h *format.PageHeader, b []byte) (run, error) {
	v := &h.DataPageHeaderV2.V
	repeated, defined := int64(v.RepetitionLevelsByteLength), int64(v.DefinitionLevelsByteLength)
	if repeated < 0 || defined < 0 || repeated+defined > int64(len(b)) || repeated+defined > int64(h.UncompressedPageSize) {
		return run{}, damaged("a page header makes no sense")
	}
	r := run{rows: int(v.NumValues), maxLevel: p.maxLevel}
	n := r.rows
	var err error
	if p.maxLevel > 0 {
		if n, err = p.readLevels(&r, b[repeated:repeated+defined]); err != nil {
			return run{}, err
		}
	}
	b = b[repeated+defined:]
	if !v.IsCompressed.Valid || v.IsCompressed.V {
		if b, err = p.unfold(&p.plain, b, int(h.UncompressedPageSize)-int(repeated+defined)); err != nil {
			return run{}, err
		}
	}
	return p.data(r, n, v.Encoding, b)
}

// unfold decompresses a page to the size that its header claims, and to no more.
func (p *pageReader) unfold(to *[]byte, b []byte, size int) ([]byte, error) {
	wrong := func() ([]byte, error) {
		return nil, damaged("a page does not unfold to the size that its header claims")
	}
	// An empty page need not be stored as the format of the compression wants it.
	if p.codec == format.Uncompressed || size == 0 && len(b) == 0 {
		return b, nil
	}
	// What is claimed beyond all compression is not asked for. Other kinds tell how much they hold.
	var err error
	p.input.b = b
	switch p.codec {
	case format.Snappy:
		if n, bad := snappy.DecodedLen(b); bad != nil || n != size || n > 32*len(b) {
			return wrong()
		}
		*to = room(*to, size)
		_, err = snappy.Decode(*to, b)
	case format.Zstd:
		var h zstd.Header
		if h.Decode(b) != nil || h.HasFCS && h.FrameContentSize > uint64(size) {
			return wrong()
		}
		if p.zstd == nil {
			if p.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true)); err != nil {
				return nil, err
			}
		}
		if h.HasFCS && h.FrameContentSize == uint64(size) && size <= 1<<20 {
			*to = room(*to, size)
			var out []byte
			if out, err = p.zstd.DecodeAll(b, (*to)[:0:size]); len(out) != size {
				return wrong()
			}
			break
		}
		// Memory follows what is there: a small page may claim much.
		for have := min(size, max(1<<20, 16*len(b))); ; have = min(size, 8*have) {
			*to = room(*to, have)
			var out []byte
			if out, err = p.zstd.DecodeAll(b, (*to)[:0:have]); errors.Is(err, zstd.ErrDecoderSizeExceeded) && have < size {
				continue
			}
			if len(out) != size {
				return wrong()
			}
			*to = out
			break
		}
	case format.Gzip:
		if size > 1040*len(b) { // no deflate holds more
			return wrong()
		}
		if p.gzip == nil {
			p.gzip, err = gzip.NewReader(&p.input)
		} else {
			err = p.gzip.Reset(&p.input)
		}
		if err == nil {
			err = filled(to, p.gzip, size)
		}
	case format.Brotli:
		if p.brotli == nil {
			p.brotli = brotli.NewReader(&p.input)
		} else {
			err = p.brotli.Reset(&p.input)
		}
		if err == nil {
			err = filled(to, p.brotli, size)
		}
	default:
		return nil, fmt.Errorf("%w: %v", ErrCompression, p.codec)
	}
	if err != nil {
		return wrong()
	}
	return (*to)[:size], nil
}

// filled reads bytes to the end of a reader, of which there must be so many. Memory
// follows what comes.
func filled(to *[]byte, r io.Reader, size int) error {
	if cap(*to) < size {
		*to = make([]byte, 0, min(size, 1<<20))
	}
	b := (*to)[:0]
	for len(b) < size {
		if len(b) == cap(b) {
			more := make([]byte, len(b), min(size, 4*cap(b)))
			copy(more, b)
			b = more
		}
		n, err := io.ReadFull(r, b[len(b):min(size, cap(b))])
		if b = b[:len(b)+n]; err != nil {
			return err
		}
	}
	*to = b
	var one [1]byte
	if n, err := io.ReadFull(r, one[:]); n > 0 || err != io.EOF {
		return ErrCorrupt
	}
	return nil
}

// readLevels reads which rows of a page have a value, and counts them.
func (p *pageReader) readLevels(r *run, b []byte) (int, error) {
	var err error
	if p.levels, err = unpackBits(p.levels, b, r.rows); err != nil {
		return 0, err
	}
	r.levels = p.levels
	n := 0
	for _, l := range p.levels {
		n += int(l)
	}
	return n, nil
}

// unpackBits reads n values of one bit, in runs, as bytes.
func unpackBits(dst, b []byte, n int) ([]byte, error) {
	short := damaged("a page has fewer values than its header claims")
	// Runs are cheap: memory is asked for what the first walk has found.
	total := 0
	_, err := runs(b, 1, n, func(count int, _ []byte, _ bool) error {
		total += count
		return nil
	})
	if err != nil {
		return dst, err
	}
	if total < n {
		return dst, short
	}
	dst = room(dst, n)
	at := 0
	_, err = runs(b, 1, n, func(count int, of []byte, packed bool) error {
		part := dst[at:min(at+count, n)]
		at += len(part)
		if packed {
			for i := range part {
				part[i] = of[i/8] >> (i % 8) & 1
			}
			return nil
		}
		if of[0] > 1 {
			return damaged("a level is neither 0 nor 1")
		}
		for i := range part {
			part[i] = of[0]
		}
		return nil
	})
	return dst, err
}

// runs walks the runs of values of a width in bits until there are n, and returns how many
// bytes they take. A run that reaches further than packing in groups explains is damage.
func runs(b []byte, width, n int, each func(count int, of []byte, packed bool) error) (int, error) {
	at := 0
	for done := 0; done < n; {
		head, k := binary.Uvarint(b[at:])
		if k <= 0 {
			return 0, damaged("a page has fewer values than its header claims")
		}
		at += k
		count, size := head>>1, (width+7)/8
		if count == 0 { // no value follows, as the library has it
			continue
		}
		packed := head&1 != 0
		if packed {
			if count > uint64(len(b)) && width > 0 || count > 1<<28 {
				return 0, damaged("a run is longer than its page")
			}
			size = int(count) * width
			count *= 8
		}
		// Some writers fill up the last groups of packed values.
		if slack := uint64(n - done); count > slack && (!packed || count > slack+1024) {
			return 0, damaged("a run has more values than its page")
		}
		if size > len(b)-at {
			// The last group may be cut to the bytes that hold its values.
			if left := n - done; !packed || (left*width+7)/8 > len(b)-at {
				return 0, damaged("a run is longer than its page")
			}
			size = len(b) - at
		}
		if err := each(int(count), b[at:at+size], packed); err != nil {
			return 0, err
		}
		at += size
		done += int(count)
	}
	return at, nil
}

// data reads the n values of a page that are not null.
func (p *pageReader) data(r run, n int, enc format.Encoding, b []byte) (run, error) {
	if n == 0 {
		// Nothing is stored, in whatever way: no code is looked up.
		r.data, r.dict = encoding.Int32Values(nil), p.dict
		if p.dict == nil {
			none := []uint32{0}
			r.data, _ = p.ofKind(nil, none, 0)
		}
		return r, nil
	}
	var err error
	switch enc {
	case format.Plain:
		r.data, err = p.plainValues(b, n, &p.values, &p.offsets)
	//lint:ignore SA1019 as in dictionary
	case format.PlainDictionary, format.RLEDictionary:
		r.data, err = p.indexes(b, n)
		r.dict = p.dict
	case format.RLE:
		r.data, err = p.booleans(b, n)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray, format.DeltaByteArray:
		r.data, err = p.deltas(b, n, enc)
	case format.ByteStreamSplit:
		size := p.width()
		if size == 0 || len(b) != n*size {
			return run{}, damaged("a page has another size than its values")
		}
		r.data, err = p.decode(b, n, enc)
	default:
		return run{}, damaged("values are in an encoding that is not known")
	}
	return r, err
}

// width is how many bytes a value takes, 0 where they differ.
func (p *pageReader) width() int {
	switch p.kind {
	case encoding.Int32, encoding.Float:
		return 4
	case encoding.Int64, encoding.Double:
		return 8
	case encoding.Int96:
		return 12
	case encoding.FixedLenByteArray:
		return p.typ.Length()
	}
	return 0
}

// ofKind are values of the column's kind.
func (p *pageReader) ofKind(b []byte, offsets []uint32, n int) (encoding.Values, error) {
	switch p.kind {
	case encoding.Boolean:
		return encoding.BooleanValues(b), nil
	case encoding.Int32:
		return encoding.Int32ValuesFromBytes(b), nil
	case encoding.Int64:
		return encoding.Int64ValuesFromBytes(b), nil
	case encoding.Int96:
		return encoding.Int96ValuesFromBytes(b), nil
	case encoding.Float:
		return encoding.FloatValuesFromBytes(b), nil
	case encoding.Double:
		return encoding.DoubleValuesFromBytes(b), nil
	case encoding.ByteArray:
		return encoding.ByteArrayValues(b, offsets), nil
	case encoding.FixedLenByteArray:
		return encoding.FixedLenByteArrayValues(b, p.typ.Length()), nil
	}
	return encoding.Values{}, damaged("values are of no known type")
}

// plainValues are n values as they are.
func (p *pageReader) plainValues(b []byte, n int, values *[]byte, offsets *[]uint32) (encoding.Values, error) {
	short := damaged("a page has fewer values than its header claims")
	switch {
	case p.kind == encoding.ByteArray:
		if n > len(b)/4 {
			return encoding.Values{}, short
		}
		*offsets, *values = room(*offsets, n+1)[:1], (*values)[:0]
		(*offsets)[0] = 0
		for range n {
			if len(b) < 4 {
				return encoding.Values{}, short
			}
			size := int64(binary.LittleEndian.Uint32(b))
			if size > int64(len(b)-4) {
				return encoding.Values{}, short
			}
			*values = append(*values, b[4:4+size]...)
			*offsets = append(*offsets, uint32(len(*values)))
			b = b[4+size:]
		}
		return p.ofKind(*values, *offsets, n)
	case p.kind == encoding.Boolean:
		if (n+7)/8 > len(b) {
			return encoding.Values{}, short
		}
		return p.ofKind(b[:(n+7)/8], nil, n)
	}
	size := p.width()
	if size == 0 || n > len(b)/size {
		return encoding.Values{}, short
	}
	return p.ofKind(b[:n*size], nil, n)
}

// indexes are n places in the dictionary.
func (p *pageReader) indexes(b []byte, n int) (encoding.Values, error) {
	if p.dict == nil {
		return encoding.Values{}, damaged("values refer to a dictionary that is not there")
	}
	if len(b) == 0 {
		return encoding.Values{}, damaged("a page has fewer values than its header claims")
	}
	width := int(b[0])
	if width > 32 {
		return encoding.Values{}, damaged("places in a dictionary have more than 32 bits")
	}
	whole, total := true, 0
	size, err := runs(b[1:], width, n, func(count int, of []byte, packed bool) error {
		whole = whole && (!packed || len(of) == count/8*width)
		total += count
		return nil
	})
	if err != nil {
		return encoding.Values{}, err
	}
	b = b[:1+size]
	p.codes = room(p.codes, total+32)[:0]
	if !whole { // the library wants whole groups
		b = append(bytes.Clone(b), make([]byte, lacking(b, width, n))...)
	}
	p.codes, err = parquet.RLEDictionary.DecodeInt32(p.codes, b)
	if err != nil || len(p.codes) < n {
		return encoding.Values{}, damaged("a page has fewer values than its header claims")
	}
	return encoding.Int32Values(p.codes[:n]), nil
}

// lacking is how many bytes a last group of packed values is short of.
func lacking(b []byte, width, n int) int {
	missing := 0
	_, _ = runs(b[1:], width, n, func(count int, of []byte, packed bool) error {
		if packed {
			missing = count/8*width - len(of)
		}
		return nil
	})
	return missing
}

// booleans are n truth values in runs.
func (p *pageReader) booleans(b []byte, n int) (encoding.Values, error) {
	if p.kind != encoding.Boolean || len(b) < 4 || int64(binary.LittleEndian.Uint32(b)) > int64(len(b)-4) {
		return encoding.Values{}, damaged("a page has fewer values than its header claims")
	}
	var err error
	if p.values, err = unpackBits(p.values, b[4:4+binary.LittleEndian.Uint32(b)], n); err != nil {
		return encoding.Values{}, err
	}
	bitmap := make([]byte, (n+7)/8)
	for i, v := range p.values {
		bitmap[i/8] |= v << (i % 8)
	}
	return p.ofKind(bitmap, nil, n)
}

// deltas are n values as differences, or with their lengths as such.
func (p *pageReader) deltas(b []byte, n int, enc format.Encoding) (encoding.Values, error) {
	text := p.kind == encoding.ByteArray || p.kind == encoding.FixedLenByteArray
	if whole := p.kind == encoding.Int32 || p.kind == encoding.Int64; enc == format.DeltaBinaryPacked && !whole || enc != format.DeltaBinaryPacked && !text {
		return encoding.Values{}, damaged("values are in an encoding that is none of their type")
	}
	rest, narrow, err := skipDeltas(b, n)
	switch {
	case err != nil:
		return encoding.Values{}, err
	case !narrow && p.kind == encoding.Int32:
		// DuckDB writes numbers of 32 bits with differences of 64, which the library takes for other numbers.
		wide, err := parquet.DeltaBinaryPacked.DecodeInt64(make([]int64, 0, n), b)
		if err != nil || len(wide) != n {
			return encoding.Values{}, damaged("the values of a page cannot be decoded")
		}
		return encoding.Int32Values(gather(n, func(i int) int32 { return int32(wide[i]) })), nil
	case !narrow && text:
		return encoding.Values{}, damaged("a length has more than 32 bits")
	}
	if enc == format.DeltaByteArray {
		switch _, narrow, err := skipDeltas(rest, n); {
		case err != nil:
			return encoding.Values{}, err
		case !narrow:
			return encoding.Values{}, damaged("a length has more than 32 bits")
		}
		// Beginnings that values share are stored once.
		shared, err := parquet.DeltaBinaryPacked.DecodeInt32(room(p.codes, n)[:0], b)
		p.codes = shared
		if err != nil || len(shared) != n {
			return encoding.Values{}, damaged("a page has fewer values than its header claims")
		}
		total := int64(len(b))
		for _, s := range shared {
			if total += int64(max(0, s)); total > p.limits.PageBytes {
				return encoding.Values{}, passed("a page of more than %d bytes", p.limits.PageBytes)
			}
		}
	}
	return p.decode(b, n, enc)
}

// decode lets the library decode what was checked.
func (p *pageReader) decode(b []byte, n int, enc format.Encoding) (encoding.Values, error) {
	dst, err := p.ofKind(p.values[:0], room(p.offsets, n+1)[:0], 0)
	if err != nil {
		return dst, err
	}
	values, err := p.typ.Decode(dst, b, parquet.LookupEncoding(enc))
	if err != nil {
		return values, damaged("the values of a page cannot be decoded")
	}
	data, offsets := values.Data()
	p.values = data
	if p.kind == encoding.ByteArray {
		p.offsets = offsets
		if len(offsets) < n+1 {
			return values, damaged("a page has fewer values than its header claims")
		}
	} else if len(data) < n*p.width() {
		return values, damaged("a page has fewer values than its header claims")
	}
	return values, nil
}

// skipDeltas walks n whole numbers as differences in packed blocks, and returns what
// follows; narrow says that the first number and the packed differences have 32 bits at most.
func skipDeltas(b []byte, n int) (rest []byte, narrow bool, err error) {
	bad := func() ([]byte, bool, error) {
		return nil, false, damaged("differences do not fit their page")
	}
	number := func() (uint64, bool) {
		v, k := binary.Uvarint(b)
		if k <= 0 {
			return 0, false
		}
		b = b[k:]
		return v, true
	}
	var head [4]uint64
	for i := range head {
		var ok bool
		if head[i], ok = number(); !ok {
			return bad()
		}
	}
	block, minis, total := head[0], head[1], head[2]
	if total != uint64(n) || block == 0 || block%128 != 0 || block > 1<<16 || minis == 0 || minis > block/32 || block/minis%32 != 0 {
		return bad()
	}
	mini := int(block / minis)
	narrow = head[3] <= math.MaxUint32 // as zigzag
	for left := n - 1; left > 0; {
		if _, ok := number(); !ok || uint64(len(b)) < minis {
			return bad()
		}
		widths := b[:minis]
		b = b[minis:]
		for _, w := range widths {
			if left <= 0 {
				break
			}
			size := mini / 8 * int(w)
			if w > 64 || size > len(b) {
				return bad()
			}
			narrow = narrow && w <= 32
			b = b[size:]
			left -= mini
		}
	}
	return b, narrow, nil
}
