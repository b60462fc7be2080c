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

	"github.com/jobeffekt/jobeffekt/effect"
)

const malformed = "../testdata/malformed"

type goodSpell struct {
	Person int64  `parquet:"person_id"`
	State  string `parquet:"state,dict"`
	Start  int32  `parquet:"start_date,date"`
	End    *int32 `parquet:"end_date,date"`
}

// malformedPersons are the persons of the malformed files; none of their
// numbers may ever be in a message.
var malformedPersons = effect.NewIDs(effect.NumberID(7700012345), effect.NumberID(7700067890))

func goodSpells() []goodSpell {
	var out []goodSpell
	for i := range int32(100) {
		out = append(out, goodSpell{7700012345 + 55545*int64(i/50), []string{"cash_benefit", "education"}[i%2], 12000 + 10*i, new(12010 + 10*i)})
	}
	return out
}

// writeMalformed makes the files, one defect each.
func writeMalformed(t *testing.T) {
	t.Helper()
	at := func(name string) string { return filepath.Join(malformed, name+".parquet") }
	put := func(name string, b []byte) { require.NoError(t, os.WriteFile(at(name), b, 0o644)) }
	zstd := parquet.Compression(&parquet.Zstd)

	writeRows(t, at("good"), goodSpells(), zstd)
	good, err := os.ReadFile(at("good"))
	require.NoError(t, err)
	put("empty", nil)
	put("truncated", good[:len(good)*2/3])
	put("tail_only", good[len(good)/2:])
	put("not_parquet", []byte("person_id,state,start_date\n7700012345,cash_benefit,2008-01-01\n"))
	put("huge_footer", append(binary.LittleEndian.AppendUint32([]byte("PAR1\x15\x00\x15\x00\x15\x00\x15\x00\x00"), 0xFFFFFFF0), "PAR1"...))
	put("encrypted_footer", append(bytes.Clone(good[:len(good)-4]), "PARE"...))
	f, err := parquet.OpenFile(bytes.NewReader(good), int64(len(good)))
	require.NoError(t, err)
	meta := f.Metadata().RowGroups[0].Columns
	flipped := bytes.Clone(good)
	for i := range 8 {
		flipped[meta[0].MetaData.DataPageOffset+int64(i)] ^= 0xA5
	}
	put("page_header", flipped)
	flipped = bytes.Clone(good)
	flipped[meta[2].MetaData.DataPageOffset+meta[2].MetaData.TotalCompressedSize-3] ^= 0x10
	put("page_data", flipped)
	// A list in the footer that claims 2^31 entries: the header of the list of
	// schema elements is the first in the footer.
	footer := len(good) - 8 - int(binary.LittleEndian.Uint32(good[len(good)-8:]))
	list := footer + bytes.IndexByte(good[footer:], 0x19) + 1
	huge := append(bytes.Clone(good[:list]), 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07)
	huge = append(huge, good[list+1:len(good)-8]...)
	huge = binary.LittleEndian.AppendUint32(huge, uint32(len(huge)-footer))
	put("huge_list", append(huge, "PAR1"...))
	writeRows(t, at("lz4"), goodSpells(), parquet.Compression(&parquet.Lz4Raw))
	writeRows(t, at("missing_column"), []struct {
		Person int64  `parquet:"person_id"`
		Status string `parquet:"statee,dict"`
		Start  int32  `parquet:"Start_Date,date"`
	}{{7700012345, "education", 12000}}, zstd)
	writeRows(t, at("mistyped_column"), []struct {
		Person float64 `parquet:"person_id"`
		State  string  `parquet:"state,dict"`
		Start  int32   `parquet:"start_date"`
		End    bool    `parquet:"end_date"`
	}{{7700012345, "education", 12000, true}}, zstd)
	writeRows(t, at("nested_column"), []struct {
		Person int64                 `parquet:"person_id"`
		State  []string              `parquet:"state"`
		Start  struct{ Day float64 } `parquet:"start_date"`
	}{{7700012345, []string{"education"}, struct{ Day float64 }{1}}}, zstd)
}

// readMalformed opens, checks and reads one file as the table of spells.
func readMalformed(t *testing.T, content []byte) error {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "spells.parquet"), content, 0o644))
	opt := DefaultOptions()
	opt.MaxRejectShare = 1
	d, err := OpenFolder(dir, opt)
	if err != nil {
		return err
	}
	if err := d.Check(context.Background()); err != nil {
		return err
	}
	return d.Spells(context.Background(), &effect.Cases{Persons: malformedPersons}, nil,
		func(effect.Spells) error { return nil })
}

func TestMalformed(t *testing.T) {
	if *update {
		writeMalformed(t)
	}
	for _, c := range []struct {
		name     string
		is       error
		messages []string
	}{
		{"good", nil, nil},
		{"empty", ErrEmptyFile, []string{"spells.parquet", "export the file again"}},
		{"truncated", ErrTruncated, []string{"does not end as Parquet does"}},
		{"tail_only", ErrNotParquet, []string{"export the table as Parquet"}},
		{"not_parquet", ErrNotParquet, nil},
		{"huge_footer", ErrTruncated, []string{"its footer claims 4294967280 bytes of 21"}},
		{"huge_list", ErrCorrupt, []string{"its footer makes no sense"}},
		{"encrypted_footer", ErrEncrypted, []string{"without encryption"}},
		{"page_header", ErrCorrupt, []string{`row group 0, column "person_id"`}},
		{"page_data", ErrCorrupt, []string{`row group 0, column "start_date"`, "checksum"}},
		{"lz4", ErrCompression, []string{"LZ4_RAW", "ZSTD"}},
		{"missing_column", nil, []string{
			`"state": missing, expected a state code (text or whole number); did you mean "statee"?`,
			`"start_date": missing, expected a date (DATE, or a timestamp at midnight); did you mean "Start_Date"?`,
		}},
		{"mistyped_column", nil, []string{`"person_id": wrong type, expected an identifier (whole number or text), found DOUBLE`, `"start_date": wrong type`, `"end_date": wrong type`}},
		{"nested_column", nil, []string{`"state": nested or repeated`, `"start_date": nested or repeated`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(malformed, c.name+".parquet"))
			require.NoError(t, err)
			err = readMalformed(t, content)
			if c.name == "good" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
				var file *FileError
				require.ErrorAs(t, err, &file)
				require.NotEmpty(t, file.Cure)
			} else {
				var schema *SchemaError
				require.ErrorAs(t, err, &schema)
				require.Len(t, schema.Problems, len(c.messages))
			}
			for _, m := range c.messages {
				require.ErrorContains(t, err, m)
			}
			requireNoPerson(t, err)
		})
	}
}

// requireNoPerson looks for whole numbers: the name of the folder is random and
// can hold some of their digits.
func requireNoPerson(t *testing.T, err error, about ...any) {
	t.Helper()
	for _, id := range malformedPersons.All() {
		require.NotContains(t, err.Error(), id.String(), about...)
	}
}

// TestFlippedBytes damages every byte of a good file in turn: whatever comes of
// it is a result or an error, never a panic, and no identifier is told.
func TestFlippedBytes(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(malformed, "good.parquet"))
	require.NoError(t, err)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= []byte{0xFF, 0x80, 0x01}[i%3]
		if err := readMalformed(t, bad); err != nil {
			requireNoPerson(t, err, "byte %d", i)
		}
	}
}

// TestLimits sets each limit below what a good file needs.
func TestLimits(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, Spells), 0o755))
	content, err := os.ReadFile(filepath.Join(malformed, "good.parquet"))
	require.NoError(t, err)
	for _, name := range []string{"a.parquet", "b.parquet", "_hidden.parquet", "note.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, Spells, name), content, 0o644))
	}
	for name, set := range map[string]func(*Limits){
		"footer":     func(l *Limits) { l.FooterBytes = 10 },
		"columns":    func(l *Limits) { l.Columns = 2 },
		"row groups": func(l *Limits) { l.RowGroups = 1 },
		"page bytes": func(l *Limits) { l.PageBytes = 10 },
		"page rows":  func(l *Limits) { l.PageRows = 10 },
		"files":      func(l *Limits) { l.Files = 1 },
		"open pages": func(l *Limits) { l.RowGroupBytes = 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			opt := DefaultOptions()
			set(&opt.Limits)
			d, err := OpenFolder(dir, opt)
			if err == nil {
				err = d.Spells(context.Background(), &effect.Cases{Persons: malformedPersons}, nil,
					func(effect.Spells) error { return nil })
			}
			require.ErrorIs(t, err, ErrLimit)
		})
	}
	d, err := OpenFolder(dir, DefaultOptions())
	require.NoError(t, err)
	require.Len(t, d.Files(), 2)

	require.NoError(t, os.WriteFile(filepath.Join(dir, Spells, "a.parquet"), content[:100], 0o644))
	require.ErrorIs(t, d.Spells(context.Background(), &effect.Cases{}, nil, nil), ErrChanged)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "spells.parquet"), content, 0o644))
	_, err = OpenFolder(dir, DefaultOptions())
	require.ErrorContains(t, err, "there twice")
	_, err = OpenFolder(filepath.Join(dir, "none"), DefaultOptions())
	require.ErrorIs(t, err, os.ErrNotExist)
}

// footered is a Parquet file with another footer.
func footered(t *testing.T, file []byte, change func(*format.FileMetaData)) []byte {
	t.Helper()
	from := len(file) - 8 - int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	var m format.FileMetaData
	require.NoError(t, thrift.Unmarshal(&thrift.CompactProtocol{}, file[from:len(file)-8], &m))
	change(&m)
	footer, err := thrift.Marshal(&thrift.CompactProtocol{}, &m)
	require.NoError(t, err)
	out := append(bytes.Clone(file[:from]), footer...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(footer))), "PAR1"...)
}

// Rows that a footer does not own up to are no rows that are quietly left out.
func TestFooterThatHidesRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "good.parquet")
	writeRows(t, path, goodSpells())
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, readMalformed(t, footered(t, good, func(*format.FileMetaData) {})))
	for name, change := range map[string]func(*format.FileMetaData){
		"a row group without rows":   func(m *format.FileMetaData) { m.NumRows -= m.RowGroups[0].NumRows; m.RowGroups[0].NumRows = 0 },
		"a row group that is gone":   func(m *format.FileMetaData) { m.RowGroups = m.RowGroups[1:] },
		"more rows than row groups":  func(m *format.FileMetaData) { m.NumRows++ },
		"fewer rows than row groups": func(m *format.FileMetaData) { m.NumRows-- },
	} {
		require.ErrorIs(t, readMalformed(t, footered(t, good, change)), ErrCorrupt, name)
	}
}
