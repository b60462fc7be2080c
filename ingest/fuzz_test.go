package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// requireTyped is that an error has a documented type.
func requireTyped(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.NotEmpty(t, causeOf(err), "%T %v", err, err)
	}
}

// requireLittle is that something asked for no more than some bytes of memory.
func requireLittle(t *testing.T, most uint64, do func()) {
	t.Helper()
	before := asked()
	do()
	require.Less(t, asked()-before, most)
}

// FuzzParquet: whatever the bytes of a file, it is read to the end or refused with a
// documented error.
func FuzzParquet(f *testing.F) {
	for _, pattern := range []string{malformed + "/*.parquet", histories + "/*/spells*.parquet", histories + "/*/spells/*.parquet"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			b, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		requireLittle(t, 256<<20, func() {
			opt := DefaultOptions()
			opt.MaxRejectShare = 1
			opt.States = historyStates()
			d, err := OpenFS(fstest.MapFS{"spells.parquet": {Data: b, Mode: 0o600}}, "data", opt)
			if err == nil {
				if err = d.Check(context.Background()); err == nil {
					err = d.Spells(context.Background(), &effect.Cases{Persons: malformedPersons}, nil, func(effect.Spells) error { return nil })
				}
			}
			requireTyped(t, err)
			if err != nil {
				requireNoPerson(t, err)
			}
			path := filepath.Join(t.TempDir(), "spells.parquet")
			require.NoError(t, os.WriteFile(path, b, 0o600))
			if table, err := ReadFile(context.Background(), path, DefaultLimits()); err == nil {
				require.NoError(t, table.check())
			} else if !errors.Is(err, ErrTable) {
				requireTyped(t, err)
			}
		})
	})
}

// FuzzFooter: a footer that passes the check is opened in memory that its size bounds.
func FuzzFooter(f *testing.F) {
	good, err := os.ReadFile(filepath.Join(malformed, "good.parquet"))
	require.NoError(f, err)
	from := len(good) - 8 - int(good[len(good)-8]) - int(good[len(good)-7])<<8
	f.Add(good[from : len(good)-8])
	f.Fuzz(func(t *testing.T, footer []byte) {
		requireLittle(t, 1<<20+200*uint64(len(footer)), func() {
			file := slices.Concat([]byte("PAR1"), footer, []byte{byte(len(footer)), byte(len(footer) >> 8), byte(len(footer) >> 16), 0}, []byte("PAR1"))
			_, err := OpenFS(fstest.MapFS{"spells.parquet": {Data: file, Mode: 0o600}}, "data", DefaultOptions())
			requireTyped(t, err)
		})
	})
}

// pageOf is a page as it lies in a file.
func pageOf(h format.PageHeader, body []byte) []byte {
	h.CompressedPageSize = int32(len(body))
	b, err := thrift.Marshal(&thrift.CompactProtocol{}, &h)
	if err != nil {
		panic(err)
	}
	return append(b, body...)
}

// readPages reads pages that lie in memory, to the end.
func readPages(b []byte, codec format.CompressionCodec, typ parquet.Type, maxLevel byte, limits Limits) (runs int, err error) {
	held := int64(0)
	p := &pageReader{
		file: &reading{source: &source{size: int64(len(b))}, at: bytes.NewReader(b)}, held: &held, limits: limits, codec: codec,
		typ: typ, kind: encoding.Kind(typ.Kind()) + encoding.Boolean, maxLevel: maxLevel, end: int64(len(b)), pageMemory: &pageMemory{},
	}
	for {
		var r run
		err := protect(func() (err error) {
			r, err = p.read()
			return err
		})
		if err == io.EOF {
			return runs, nil
		}
		if err != nil {
			return runs, err
		}
		runs++
		if r.levels != nil && len(r.levels) != r.rows {
			return runs, errors.New("levels of another length than the page")
		}
	}
}

func pageTypes() []parquet.Type {
	return []parquet.Type{
		parquet.BooleanType, parquet.Int32Type, parquet.Int64Type, parquet.Int96Type, parquet.FloatType, parquet.DoubleType,
		parquet.ByteArrayType, parquet.FixedLenByteArrayType(7), parquet.String().Type(), parquet.Date().Type(),
	}
}

// FuzzPages: whatever a page holds, in any encoding and compression, takes memory that the
// limits bound.
func FuzzPages(f *testing.F) {
	for codec := range uint8(7) {
		for enc := range uint8(10) {
			f.Add(codec, enc, enc, enc, int32(100), int32(100), []byte{8, 1, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c'}, []byte("\x80\x01\x04\x64\x02\x00\x00\x00\x00\x00"))
		}
	}
	f.Add(uint8(0), uint8(8), uint8(1), uint8(8), int32(100), int32(4), []byte{1, 0, 0, 0}, []byte{1, 0xC8, 1, 0})
	f.Fuzz(func(t *testing.T, codec, enc, kind, shape uint8, n, size int32, dict, body []byte) {
		requireLittle(t, mutantMemory, func() { requireTyped(t, fuzzedPages(codec, enc, kind, shape, n, size, dict, body)) })
	})
}

// fuzzedPages reads a dictionary, or none, and a page, of any kind, encoding and compression.
func fuzzedPages(codec, enc, kind, shape uint8, n, size int32, dict, body []byte) error {
	limits := DefaultLimits()
	limits.PageBytes, limits.PageRows, limits.RowGroupBytes = 1<<20, 1<<16, 8<<20
	e := format.Encoding(enc % 10)
	data := format.PageHeader{Type: format.DataPage, UncompressedPageSize: size}
	if shape&1 == 0 {
		data.DataPageHeader = thrift.New(format.DataPageHeader{NumValues: n, Encoding: e, DefinitionLevelEncoding: format.RLE})
	} else {
		data.Type = format.DataPageV2
		data.DataPageHeaderV2 = thrift.New(format.DataPageHeaderV2{NumValues: n, NumRows: n, Encoding: e, DefinitionLevelsByteLength: int32(shape >> 3)})
	}
	var file []byte
	if shape&2 != 0 {
		file = pageOf(format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: size, DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: n})}, dict)
	}
	file = append(file, pageOf(data, body)...)
	types := pageTypes()
	_, err := readPages(file, format.CompressionCodec(codec%8), types[int(kind)%len(types)], shape>>2&1, limits)
	return err
}

// TestMutantsPages reads pages whose data are drawn and which no compression hides: numbers as
// runs, differences and lengths begin with, among bytes at random.
func TestMutantsPages(t *testing.T) {
	all := map[string]*tally{"pages, drawn": {}}
	for i := range mutantCount(200_000, 4_000) {
		r := rand.New(rand.NewPCG(12, uint64(i)))
		draw := func() (b []byte) {
			for range r.IntN(12) {
				switch r.IntN(4) {
				case 0:
					b = binary.AppendUvarint(b, r.Uint64()>>r.IntN(64))
				case 1:
					b = binary.AppendUvarint(b, []uint64{128, 4, 1, 100, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 62, 200}[r.IntN(9)])
				case 2:
					b = append(b, make([]byte, r.IntN(64))...)
				case 3:
					b = binary.LittleEndian.AppendUint32(b, []uint32{0, 1, 9, 100, 1<<31 - 1, 1 << 31, 1<<32 - 1}[r.IntN(7)])
				}
			}
			return b
		}
		body, dict := draw(), draw()
		n, size := []int32{0, 1, 8, 100, 1 << 16}[r.IntN(5)], int32(len(body))
		if r.IntN(4) == 0 {
			size = []int32{0, 1, 1 << 20, 1<<31 - 1, -1}[r.IntN(5)]
		}
		codec, enc, kind, shape := uint8(0), uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32())
		if r.IntN(4) == 0 {
			codec = uint8(r.Uint32())
		}
		all["pages, drawn"].add(t, fmt.Sprintf("page %d", i), nil, func() (bool, error) {
			return false, fuzzedPages(codec, enc, kind, shape, n, size, dict, body)
		})
	}
	writeTallies(t, "5-pages", all)
}

// arrowSpells are records of spells as a program may hold them.
func arrowSpells() arrow.Record {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "person_id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "state", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "start_date", Type: arrow.FixedWidthTypes.Date32},
		{Name: "end_date", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	for i := range 5 {
		b.Field(0).(*array.Int64Builder).Append(7700012345)
		if err := b.Field(1).(*array.BinaryDictionaryBuilder).AppendString([]string{"education", "cash_benefit"}[i%2]); err != nil {
			panic(err)
		}
		b.Field(2).(*array.Date32Builder).Append(arrow.Date32(12000 + 10*i))
		b.Field(3).(*array.StringBuilder).Append("2003-01-01")
	}
	return b.NewRecord()
}

// damagedArrow is a record with other bytes in a buffer of a column, and another length, ok
// false where the library of Arrow refuses it. What that makes of files and streams is not
// at issue: records are what comes in.
func damagedArrow(column, buffer int, bytes []byte, length int) (out arrow.Record, ok bool) {
	r := arrowSpells()
	columns := slices.Clone(r.Columns())
	err := protect(func() error {
		d := columns[column].Data().(*array.Data)
		buffers := slices.Clone(d.Buffers())
		buffers[buffer%len(buffers)] = memory.NewBufferBytes(bytes)
		if dict := d.Dictionary(); dict != nil {
			columns[column] = array.MakeFromData(array.NewDataWithDictionary(d.DataType(), length, buffers, -1, 0, dict.(*array.Data)))
		} else {
			columns[column] = array.MakeFromData(array.NewData(d.DataType(), length, buffers, nil, -1, 0))
		}
		out = array.NewRecord(r.Schema(), columns, r.NumRows())
		return nil
	})
	return out, err == nil
}

// readArrow reads records that a program hands over.
func readArrow(records ...arrow.Record) error {
	opt := DefaultOptions()
	opt.MaxRejectShare = 1
	d := NewDataset(opt)
	if err := d.AddArrow(Spells, records...); err != nil {
		return err
	}
	if err := d.Check(context.Background()); err != nil {
		return err
	}
	return d.Spells(context.Background(), &effect.Cases{Persons: malformedPersons}, nil, func(effect.Spells) error { return nil })
}

// FuzzArrow: records whose buffers do not fit them are refused, and nothing else happens.
func FuzzArrow(f *testing.F) {
	f.Add(uint8(1), uint8(1), []byte{0, 1, 0, 1, 120}, 5)
	f.Add(uint8(3), uint8(1), []byte{0, 0, 0, 0, 255, 255, 255, 127}, 5)
	f.Fuzz(func(t *testing.T, column, buffer uint8, b []byte, length int) {
		record, ok := damagedArrow(int(column)%4, int(buffer), b, length)
		if !ok {
			return
		}
		requireLittle(t, mutantMemory, func() {
			err := readArrow(record)
			requireTyped(t, err)
			if err != nil {
				requireNoPerson(t, err)
			}
		})
	})
}

// TestMutantsArrow damages records as they are handed over.
func TestMutantsArrow(t *testing.T) {
	const name = "Arrow, records"
	require.NoError(t, readArrow(arrowSpells()))
	all := map[string]*tally{name: {}}
	for i := range mutantCount(5_000, 150) {
		r := rand.New(rand.NewPCG(10, uint64(i)))
		column := r.IntN(4)
		buffers := arrowSpells().Column(column).Data().Buffers()
		buffer := r.IntN(len(buffers))
		b := []byte{byte(r.Uint32()), byte(r.Uint32())}
		if buffers[buffer] != nil && buffers[buffer].Len() > 0 {
			b = mutant(r, buffers[buffer].Bytes(), buffers[buffer].Bytes())
		}
		record, ok := damagedArrow(column, buffer, b, []int{5, 5, 5, 4, 6, 1 << 20}[r.IntN(6)])
		if !ok {
			record = nil
		}
		all[name].add(t, "mutant", []string{"7700012345", "7700067890"}, func() (bool, error) {
			if record == nil { // by the library of Arrow
				return false, &FileError{"", "", ErrCorrupt, ""}
			}
			return false, readArrow(record)
		})
	}
	writeTallies(t, "3-arrow", all)
}
