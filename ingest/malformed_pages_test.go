package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/require"
)

// withPages is the good file with other pages in a column.
func withPages(t *testing.T, good []byte, column int, codec format.CompressionCodec, dict bool, pages ...[]byte) []byte {
	t.Helper()
	from := len(good) - 8 - int(binary.LittleEndian.Uint32(good[len(good)-8:]))
	put := bytes.Join(pages, nil)
	file := append(append(bytes.Clone(good[:from]), put...), good[from:]...)
	return footered(t, file, func(m *format.FileMetaData) {
		c := &m.RowGroups[0].Columns[column].MetaData
		c.Codec, c.DataPageOffset, c.DictionaryPageOffset, c.TotalCompressedSize = codec, int64(from), 0, int64(len(put))
		if dict {
			c.DictionaryPageOffset, c.DataPageOffset = int64(from), int64(from+len(pages[0]))
		}
	})
}

// malformedPages are files whose pages ask for what they do not hold, or hold more than
// they say.
func malformedPages(t *testing.T) map[string]struct {
	content []byte
	is      error
	message string
} {
	type file = struct {
		content []byte
		is      error
		message string
	}
	good, err := os.ReadFile(filepath.Join(malformed, "good.parquet"))
	require.NoError(t, err)
	const person, state, start, end = 0, 1, 2, 3
	names := []string{}
	f, err := parquet.OpenFile(bytes.NewReader(good), int64(len(good)))
	require.NoError(t, err)
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name())
	}
	require.Equal(t, []string{"person_id", "state", "start_date", "end_date"}, names)
	data := func(n, size int, enc format.Encoding, body []byte) []byte {
		return pageOf(format.PageHeader{Type: format.DataPage, UncompressedPageSize: int32(size), DataPageHeader: thrift.New(format.DataPageHeader{NumValues: int32(n), Encoding: enc, DefinitionLevelEncoding: format.RLE})}, body)
	}
	dict := func(n int, body []byte) []byte {
		return pageOf(format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: int32(len(body)), DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(n)})}, body)
	}
	uv := func(vs ...uint64) (b []byte) {
		for _, v := range vs {
			b = binary.AppendUvarint(b, v)
		}
		return b
	}
	text := []byte("\x09\x00\x00\x00education")
	zeros := make([]byte, 1<<20)
	packed := func(c interface {
		Encode(dst, src []byte) ([]byte, error)
	}, b []byte,
	) []byte {
		out, err := c.Encode(nil, b)
		require.NoError(t, err)
		return out
	}
	// A footer of structures that take a byte each.
	hollow := footered(t, good, func(*format.FileMetaData) {})
	at := len(hollow) - 8 - int(binary.LittleEndian.Uint32(hollow[len(hollow)-8:]))
	footer := append([]byte{0x15, 2, 0x19, 0x0C, 0x26, 0, 0x19, 0x1C, 0x19, 0xFC}, uv(200_000)...)
	footer = append(footer, make([]byte, 200_010)...)
	hollow = append(binary.LittleEndian.AppendUint32(append(bytes.Clone(hollow[:at]), footer...), uint32(len(footer))), "PAR1"...)
	const plain = format.Uncompressed
	return map[string]file{
		"run_of_codes":       {withPages(t, good, state, plain, true, dict(1, text), data(100, 9, format.RLEDictionary, append([]byte{1}, append(uv(1<<31-2), 0)...))), ErrCorrupt, "more values than its page"},
		"run_of_bits":        {withPages(t, good, state, plain, true, dict(1, text), data(100, 9, format.RLEDictionary, append([]byte{0}, uv(1<<31-1)...))), ErrCorrupt, "a run"},
		"run_of_levels":      {withPages(t, good, end, plain, false, data(100, 9, format.Plain, append([]byte{6, 0, 0, 0}, append(uv(1<<31-2), 1)...))), ErrCorrupt, "more values than its page"},
		"levels_size":        {withPages(t, good, end, plain, false, data(100, 9, format.Plain, []byte{255, 255, 255, 255, 1, 1})), ErrCorrupt, "too short"},
		"differences":        {withPages(t, good, start, plain, false, data(100, 9, format.DeltaBinaryPacked, append(uv(128, 4, 1<<31-1, 0, 0), 0, 0, 0, 0))), ErrCorrupt, "differences"},
		"differences_block":  {withPages(t, good, start, plain, false, data(100, 9, format.DeltaBinaryPacked, append(uv(1<<40, 1, 100, 0, 0), 0, 0, 0, 0))), ErrCorrupt, "differences"},
		"lengths":            {withPages(t, good, state, plain, false, data(100, 9, format.DeltaLengthByteArray, append(uv(128, 4, 1<<31-1, 0, 0), 0, 0, 0, 0))), ErrCorrupt, "differences"},
		"no_dictionary":      {withPages(t, good, state, plain, false, data(100, 9, format.RLEDictionary, []byte{1, 200, 1, 0})), ErrCorrupt, "dictionary that is not there"},
		"beyond_dictionary":  {withPages(t, good, state, plain, true, dict(1, text), data(100, 9, format.RLEDictionary, []byte{8, 200, 1, 7})), ErrCorrupt, "outside"},
		"dictionary_size":    {withPages(t, good, state, plain, true, dict(1<<24, text), data(100, 9, format.RLEDictionary, []byte{1, 200, 1, 0})), ErrCorrupt, "fewer values"},
		"two_dictionaries":   {withPages(t, good, state, plain, true, dict(1, text), dict(1, text), data(100, 9, format.RLEDictionary, []byte{1, 200, 1, 0})), ErrCorrupt, "two dictionaries"},
		"page_values":        {withPages(t, good, person, plain, false, data(100, 800, format.Plain, zeros[:24])), ErrCorrupt, "fewer values"},
		"page_rows":          {withPages(t, good, person, plain, false, data(1<<30, 8, format.Plain, zeros[:8])), ErrLimit, "rows"},
		"page_claims":        {withPages(t, good, person, format.Zstd, false, data(100, 1<<30, format.Plain, zeros[:8])), ErrLimit, "1073741824 bytes"},
		"text_size":          {withPages(t, good, state, plain, false, data(100, 9, format.Plain, append([]byte{255, 255, 255, 255}, zeros[:400]...))), ErrCorrupt, "fewer values"},
		"no_encoding":        {withPages(t, good, person, plain, false, data(100, 800, 77, zeros[:800])), ErrCorrupt, "not known"},
		"zstd_claims_little": {withPages(t, good, person, format.Zstd, false, data(100, 800, format.Plain, packed(&parquet.Zstd, zeros))), ErrCorrupt, "unfold"},
		"zstd_claims_much":   {withPages(t, good, person, format.Zstd, false, data(100, 200<<20, format.Plain, packed(&parquet.Zstd, zeros[:800]))), ErrCorrupt, "unfold"},
		"gzip_claims_little": {withPages(t, good, person, format.Gzip, false, data(100, 800, format.Plain, packed(&parquet.Gzip, zeros))), ErrCorrupt, "unfold"},
		"gzip_claims_much":   {withPages(t, good, person, format.Gzip, false, data(100, 200<<20, format.Plain, packed(&parquet.Gzip, zeros[:800]))), ErrCorrupt, "unfold"},
		"snappy_claims_much": {withPages(t, good, person, format.Snappy, false, data(100, 800, format.Plain, append(uv(1<<32-1), zeros[:9]...))), ErrCorrupt, "unfold"},
		"snappy_both_claim":  {withPages(t, good, person, format.Snappy, false, data(100, 200<<20, format.Plain, append(uv(200<<20), zeros[:9]...))), ErrCorrupt, "unfold"},
		"brotli_more":        {withPages(t, good, person, format.Brotli, false, data(100, 800, format.Plain, packed(&parquet.Brotli, zeros))), ErrCorrupt, "unfold"},
		"brotli_claims_much": {withPages(t, good, person, format.Brotli, false, data(100, 200<<20, format.Plain, packed(&parquet.Brotli, zeros[:800]))), ErrCorrupt, "unfold"},
		"hollow_footer":      {hollow, ErrCorrupt, "footer makes no sense"},
		"rows_without_bytes": {footered(t, good, func(m *format.FileMetaData) {
			m.NumRows += 1<<40 - m.RowGroups[0].NumRows
			m.RowGroups[0].NumRows = 1 << 40
			for i := range m.RowGroups[0].Columns {
				m.RowGroups[0].Columns[i].MetaData.NumValues = 1 << 40
			}
		}), ErrLimit, "rows in"},
	}
}

// TestMalformedPages: what pages claim is not believed, and costs no memory.
func TestMalformedPages(t *testing.T) {
	files := malformedPages(t)
	readme, err := os.ReadFile(filepath.Join(malformed, "README.md"))
	require.NoError(t, err)
	for name, f := range files {
		path := filepath.Join(malformed, name+".parquet")
		if *update {
			require.NoError(t, os.WriteFile(path, f.content, 0o644))
		}
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(readme), "`"+name+"`", "each file has its note in the README")
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			requireLittle(t, 8<<20, func() { err = readMalformed(t, content) })
			require.ErrorIs(t, err, f.is)
			var file *FileError
			require.ErrorAs(t, err, &file)
			require.NotEmpty(t, file.Cure)
			require.ErrorContains(t, err, f.message)
			requireNoPerson(t, err)
		})
	}
	// The other ways of reading find the same.
	_, err = ReadFile(context.Background(), filepath.Join(malformed, "differences.parquet"), DefaultLimits())
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = OpenPanel(filepath.Join(malformed, "rows_without_bytes.parquet"), DefaultLimits())
	require.ErrorIs(t, err, ErrLimit)
}

// TestManyRowsOfNothing: a file of few bytes that does hold many rows, as runs, is read in
// memory that its size bounds, or refused.
func TestManyRowsOfNothing(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(malformed, "good.parquet"))
	require.NoError(t, err)
	// 2^24 rows a page of one run each, as many pages as make a gigabyte of person ids.
	var pages [][]byte
	id := binary.LittleEndian.AppendUint64(nil, 7700012345)
	pages = append(pages, pageOf(format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: 8, DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: 1})}, id))
	for range 8 {
		body := append([]byte{1}, binary.AppendUvarint(nil, 1<<25)...)
		pages = append(pages, pageOf(format.PageHeader{Type: format.DataPage, UncompressedPageSize: int32(len(body) + 1), DataPageHeader: thrift.New(format.DataPageHeader{NumValues: 1 << 24, Encoding: format.RLEDictionary, DefinitionLevelEncoding: format.RLE})}, append(body, 0)))
	}
	file := withPages(t, good, 0, format.Uncompressed, true, pages...)
	file = footered(t, file, func(m *format.FileMetaData) {
		m.NumRows += 8<<24 - m.RowGroups[0].NumRows
		m.RowGroups[0].NumRows = 8 << 24
		for i := range m.RowGroups[0].Columns {
			m.RowGroups[0].Columns[i].MetaData.NumValues = 8 << 24
		}
	})
	requireLittle(t, 8<<20, func() { err = readMalformed(t, file) })
	require.ErrorIs(t, err, ErrLimit)
}
