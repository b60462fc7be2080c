package ingest

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Panel is a table with very many columns, as one Parquet file or a folder of
// parts *.parquet, to be read in blocks of rows, one column after another. It
// holds footers only; no file stays open.
type Panel struct {
	parts  []*parquetPart
	limits Limits
}

// PanelColumn is a column of a part of a panel, and as what it can be read.
type PanelColumn struct {
	Name, Type       string
	Code, Number, ID bool
	Whole            bool // its values are whole numbers
}

// PanelBlock is consecutive rows of one part.
type PanelBlock struct {
	Part   int
	First  int64 // first row in the part, from 0
	Rows   int
	pieces []piece
}

// piece is consecutive rows of one row group.
type piece struct {
	group      int
	from, rows int64
}

// A Coder numbers the codes of a column. Numbers are from 0.
type Coder interface {
	Number(n int64) int32
	Text(b []byte) int32
}

// OpenPanel opens a file, or the files *.parquet of a folder in the order of their
// names; names that begin with . or _ are passed over. A file that cannot be read
// as Parquet is a [FileError].
func OpenPanel(path string, limits Limits) (*Panel, error) {
	at, name := local(path)
	info, err := at.stat(name)
	if err != nil {
		return nil, err
	}
	files := []string{name}
	if info.IsDir() {
		at = folder(path)
		if files, err = at.parquetFiles(".", limits); err != nil {
			return nil, err
		}
	}
	p := &Panel{limits: limits}
	for _, file := range files {
		part, err := openParquet(at, file, limits)
		if err != nil {
			return nil, err
		}
		p.parts = append(p.parts, part)
	}
	return p, nil
}

// Unchanged looks at the files again, after they were read: one that is
// not as it was is a [FileError] that wraps [ErrChanged].
func (p *Panel) Unchanged() error {
	for _, part := range p.parts {
		if _, err := part.unchanged(); err != nil {
			return err
		}
	}
	return nil
}

// Parts lists the files of the panel.
func (p *Panel) Parts() []string {
	out := make([]string, len(p.parts))
	for i, part := range p.parts {
		out[i] = part.path
	}
	return out
}

// Columns lists the columns of a part, in the order of the file.
func (p *Panel) Columns(part int) []PanelColumn {
	var out []PanelColumn
	for _, name := range p.parts[part].names {
		l, _ := p.parts[part].lookup(name)
		out = append(out, PanelColumn{
			Name: name, Type: l.name, Whole: l.class == classInteger,
			Code: wantCode.accepts(l.class), Number: wantFloat.accepts(l.class) && l.class != classBool, ID: wantID.accepts(l.class),
		})
	}
	return out
}

// Blocks cuts the panel into blocks of at most some rows: whole row groups of one
// part, as many as fit, or pieces of a row group that is larger. The columns of a
// row group that is cut are read from its start for every piece.
func (p *Panel) Blocks(most int) []PanelBlock {
	var out []PanelBlock
	for i, part := range p.parts {
		var b PanelBlock
		first := int64(0)
		flush := func() {
			if b.Rows > 0 {
				out = append(out, b)
			}
			b = PanelBlock{Part: i, First: first}
		}
		flush()
		for group, rows := range part.rows {
			if int64(b.Rows)+rows > int64(most) {
				flush()
			}
			for from := int64(0); from < rows; from += int64(most) {
				n := min(int64(most), rows-from)
				b.pieces = append(b.pieces, piece{group, from, n})
				b.Rows += int(n)
				first += n
				if rows > int64(most) {
					flush()
				}
			}
		}
		flush()
	}
	return out
}

// PanelReader reads columns of a panel. It belongs to one goroutine.
type PanelReader struct {
	panel *Panel
	col   columnReader
	ids   idList
	key   *PseudonymKey // of identifiers that are read
}

// Reader returns a reader of the panel.
func (p *Panel) Reader() *PanelReader { return &PanelReader{panel: p} }

// Codes reads a column of codes: whole numbers, text, or numbers of whatever type,
// of which the whole ones are told to the coder as such and the others as text.
// dst, as long as the block, gets the coder's numbers, and -1 for null and for
// what is not a number (NaN).
func (r *PanelReader) Codes(b *PanelBlock, column string, coder Coder, dst []int32) error {
	return r.read(b, column, wantCode, coderResolver{coder}, vector{ints: dst})
}

// Numbers reads a column of numbers. dst, as long as the block, gets them, and NaN
// for null and for what is not a number.
func (r *PanelReader) Numbers(b *PanelBlock, column string, dst []float64) error {
	return r.read(b, column, wantFloat, nil, vector{floats: dst})
}

// IDs reads a column of identifiers. dst, as long as the block, gets for each row
// its place among the ids, or a negative number where the row has no identifier or
// one that is too long or not UTF-8. The ids are valid until the next call; one may
// be among them more than once. With a key they are pseudonyms, as those of person_id.
func (r *PanelReader) IDs(b *PanelBlock, column string, key *PseudonymKey, dst []int32) ([]effect.ID, error) {
	r.ids = idList{ids: r.ids.ids[:0], maxText: r.panel.limits.TextBytes}
	r.key = key
	err := r.read(b, column, wantID, &r.ids, vector{ints: dst})
	r.key = nil
	return r.ids.ids, err
}

// read fills dst with a column of a block.
func (r *PanelReader) read(b *PanelBlock, column string, w want, res resolver, dst vector) error {
	part := r.panel.parts[b.Part]
	in := input{field: field{name: column, want: w}, column: column, res: res, key: r.key}
	if r.key != nil {
		in.name = "person_id"
	}
	at := 0
	for _, piece := range b.pieces {
		var u unitReader
		err := protect(func() (err error) {
			u, err = part.open(piece.group, r.col.reset(part, &in, nil))
			return err
		})
		if err == nil {
			err = protect(func() error {
				if err := r.col.skip(u, int(piece.from)); err != nil {
					return err
				}
				r.col.scratch = dst.slice(at, at+int(piece.rows))
				_, err := r.col.read(u, int(piece.rows))
				return err
			})
			u.close()
		}
		if err != nil {
			return fileError(part, piece.group, column, err)
		}
		at += int(piece.rows)
	}
	return nil
}

// skip passes over rows of a unit.
func (c *columnReader) skip(u unitReader, rows int) error {
	if c.index == nullColumn {
		return nil
	}
	for rows > 0 {
		for c.row == c.run.rows {
			var err error
			if c.run, err = u.next(c.index); err != nil {
				return err
			}
			c.row, c.value = 0, 0
		}
		n := min(rows, c.run.rows-c.row)
		values := n
		if len(c.run.levels) > 0 {
			values = 0
			for _, l := range c.run.levels[c.row : c.row+n] {
				if l == c.run.maxLevel {
					values++
				}
			}
		}
		c.row += n
		c.value += values
		rows -= n
	}
	return nil
}

// coderResolver is the resolver of codes.
type coderResolver struct{ Coder }

func (c coderResolver) number(n int64) int32 { return c.Number(n) }
func (c coderResolver) text(b []byte) int32  { return c.Text(b) }

// idList is the resolver that lists the identifiers it meets.
type idList struct {
	ids     []effect.ID
	maxText int
}

func (l *idList) number(n int64) int32 { return l.add(effect.NumberID(n)) }

func (l *idList) text(b []byte) int32 {
	if c := checkText(b, l.maxText); c < 0 {
		return c
	}
	return l.add(effect.TextID(string(b)))
}

func (l *idList) add(id effect.ID) int32 {
	l.ids = append(l.ids, id)
	return int32(len(l.ids) - 1)
}

// parquetFiles lists the parts of a folder in the order of their names.
func (p place) parquetFiles(folder string, limits Limits) ([]string, error) {
	entries, err := p.list(folder)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries { // sorted by name
		name := e.Name()
		if strings.HasSuffix(name, ".parquet") && name[0] != '.' && name[0] != '_' {
			files = append(files, path.Join(folder, name))
		}
	}
	switch {
	case len(files) == 0:
		return nil, &FileError{p.full(folder), "", errors.New("the folder holds no *.parquet file"), "remove the folder, or put the parts in it"}
	case len(files) > limits.Files:
		return nil, &FileError{p.full(folder), "", fmt.Errorf("%w: more than %d parts", ErrLimit, limits.Files), "raise Limits.Files, or write fewer parts"}
	}
	return files, nil
}
