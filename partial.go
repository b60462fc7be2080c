package jobeffekt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// A partial is: the magic, the format and the length of the header (8 bytes each, the
// low one first), the header as JSON, the states of the observers, the SHA-256 of all
// that, and the end.
const (
	partialMagic  = "jobeffekt partial\n"
	partialEnd    = "\nend of partial\n"
	partialFormat = 1
	partialTail   = sha256.Size + len(partialEnd)
)

// What one partial may claim, and one reduce be given, so that a damaged or hostile file
// fails instead of exhausting memory. What the observed days take is bounded by the cohort.
const (
	maxPartialHeader = 256 << 20 // bytes
	maxPartials      = 1_000_000
)

// partialHeader is what a partial says of itself. It has one way to say it, so that
// partials of the same parts are the same bytes.
type partialHeader struct {
	Program Program     `json:"program"`
	Build   string      `json:"build"` // what the program must be the same in
	RunFile string      `json:"run_file"`
	AsOf    effect.Date `json:"as_of"`
	// Pseudonyms are those made of persons.
	Pseudonyms *Pseudonymised `json:"pseudonyms,omitempty"`
	Inputs     []Source       `json:"inputs"` // all but spells, from the dataset's folder
	Spells     []mappedFile   `json:"spells"` // those with parts, in the order of the dataset
	Rows       int64          `json:"rows"`
	Orphans    int64          `json:"orphans"`
	Empty      int64          `json:"empty"`
	Used       int64          `json:"used"`
	// Unmapped and Rejects are judged by the reduce.
	Unmapped []ingest.UnmappedState `json:"unmapped,omitempty"`
	Rejects  []rejectedRows         `json:"rejects,omitempty"`
}

// mappedFile is a file of spells as it was when parts of it were mapped.
type mappedFile struct {
	Path   string   `json:"path"` // from the dataset's folder
	Bytes  int64    `json:"bytes"`
	Groups int      `json:"row_groups"`
	Footer string   `json:"footer_sha256"`
	Parts  [][2]int `json:"parts"` // ascending, with something between them; [0,0] where there is no row group
	// Whole is the SHA-256 of the file. Whoever maps the first row group tells it, and the
	// others need not read the file for it.
	Whole string `json:"sha256,omitempty"`
	// Pages are the SHA-256 of the pages of row groups: of all where the first is among the
	// parts, else of the parts'; none where the file is mapped whole. They show that a file
	// changed between one map and the next.
	Pages []string `json:"pages_sha256,omitempty"`
}

// whole says whether all row groups are mapped.
func (f *mappedFile) whole() bool {
	return len(f.Parts) == 1 && f.Parts[0] == [2]int{0, f.Groups}
}

// first says whether the first row group is, by which the file's hash comes.
func (f *mappedFile) first() bool { return len(f.Parts) > 0 && f.Parts[0][0] == 0 }

// told lists the row groups that Pages are of.
func (f *mappedFile) told() (out []int) {
	switch {
	case f.whole():
	case f.first():
		for g := range f.Groups {
			out = append(out, g)
		}
	default:
		for _, p := range f.Parts {
			for g := p[0]; g < p[1]; g++ {
				out = append(out, g)
			}
		}
	}
	return out
}

// rejectedRows are the rows of one file that were rejected for the same reason.
type rejectedRows struct {
	File   int     `json:"file"` // of Spells
	Column string  `json:"column"`
	Cause  string  `json:"cause"`
	Rows   []int64 `json:"rows"` // ascending
}

// put puts a tally into the header; named gives the file's place among Spells.
func (h *partialHeader) put(t *ingest.SpellTally, named func(file string) int) {
	h.Rows, h.Orphans, h.Empty, h.Used, h.Unmapped = t.Rows, t.Orphans, t.Empty, t.Used, t.Unmapped
	type key struct {
		file          int
		column, cause string
	}
	at := map[key]int{}
	for _, r := range t.Rejects {
		k := key{named(r.File), r.Column, r.Cause}
		i, ok := at[k]
		if !ok {
			i = len(h.Rejects)
			at[k] = i
			h.Rejects = append(h.Rejects, rejectedRows{File: k.file, Column: k.column, Cause: k.cause})
		}
		h.Rejects[i].Rows = append(h.Rejects[i].Rows, r.Row)
	}
	slices.SortFunc(h.Rejects, func(a, b rejectedRows) int {
		if a.File != b.File {
			return a.File - b.File
		}
		return strings.Compare(a.Column+"\x00"+a.Cause, b.Column+"\x00"+b.Cause)
	})
}

// tally is the way back; file gives the name that the dataset knows a path by.
func (h *partialHeader) tally(file func(path string) string) *ingest.SpellTally {
	t := &ingest.SpellTally{Rows: h.Rows, Orphans: h.Orphans, Empty: h.Empty, Used: h.Used, Unmapped: h.Unmapped}
	for _, r := range h.Rejects {
		name := file(h.Spells[r.File].Path)
		for _, row := range r.Rows {
			t.Rejects = append(t.Rejects, ingest.Reject{Table: ingest.Spells, File: name, Row: row, Column: r.Column, Cause: r.Cause})
		}
	}
	return t
}

// sound says whether the header can be one that was written.
func (h *partialHeader) sound() bool {
	if h.Rows < 0 || h.Orphans < 0 || h.Empty < 0 || h.Used < 0 {
		return false
	}
	for i := range h.Spells {
		f := &h.Spells[i]
		if f.Groups < 0 || f.Groups > ingest.DefaultLimits().RowGroups || f.Bytes < 0 || len(f.Parts) == 0 {
			return false
		}
		end := -1
		for _, p := range f.Parts {
			if p[0] <= end || p[1] > f.Groups || p[0] >= p[1] && f.Groups > 0 {
				return false
			}
			end = p[1]
		}
		if len(f.Pages) != len(f.told()) || (f.Whole != "") != f.first() {
			return false
		}
	}
	for _, r := range h.Rejects {
		if r.File < 0 || r.File >= len(h.Spells) {
			return false
		}
	}
	return !slices.ContainsFunc(h.Unmapped, func(u ingest.UnmappedState) bool { return u.Rows < 1 })
}

// partial is a partial that was looked at. Its file is open only while it is read.
type partial struct {
	path   string
	info   os.FileInfo
	header partialHeader
	states ingest.Range
}

// problem is what is wrong with the partial as a whole.
func (p *partial) problem(fault PartialFault, why, cure string) *PartialProblem {
	return &PartialProblem{Fault: fault, Partial: p.path, Why: why, Cure: cure}
}

const mapAgain = "map its parts again"

// openPartial looks at a file: whether it is a partial as it was written, and what it
// says of itself.
func openPartial(ctx context.Context, path string) (*partial, *PartialProblem, error) {
	p := &partial{path: path}
	unread := func(err error) (*partial, *PartialProblem, error) {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = e.Err // the path is said already
		}
		return nil, p.problem(PartialUnread, err.Error(), "give the file that a map wrote"), nil
	}
	damaged := func(why string) (*partial, *PartialProblem, error) {
		return nil, p.problem(PartialDamaged, why, mapAgain), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return unread(err)
	}
	if !info.Mode().IsRegular() {
		return unread(errors.New("it is no regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return unread(err)
	}
	defer f.Close()
	if p.info, err = f.Stat(); err != nil {
		return unread(err)
	}
	size := p.info.Size()
	head := make([]byte, len(partialMagic)+16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return unread(err)
	}
	switch magic := head[:min(n, len(partialMagic))]; {
	case string(magic) != partialMagic[:len(magic)] || size == 0:
		return nil, p.problem(PartialFormat, "it does not begin as a partial does", "give the file that a map wrote"), nil
	case n < len(head) || size < int64(len(head)+partialTail):
		return nil, p.problem(PartialTruncated, fmt.Sprintf("it has %d bytes", size), mapAgain), nil
	}
	if format := binary.LittleEndian.Uint64(head[len(partialMagic):]); format != partialFormat {
		return nil, p.problem(PartialFormat, fmt.Sprintf("it has format %d, where %d is known", format, partialFormat), "map its parts again with this version of the program"), nil
	}
	tail := make([]byte, partialTail)
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return unread(err)
	}
	if string(tail[sha256.Size:]) != partialEnd {
		return nil, p.problem(PartialTruncated, "it does not end as a partial does", mapAgain), nil
	}
	h := sha256.New()
	_, _ = h.Write(head)
	if err := copyTo(ctx, h, io.NewSectionReader(f, int64(len(head)), size-int64(len(head)+len(tail)))); err != nil {
		if ctx.Err() != nil {
			return nil, nil, effect.Stopped(ctx)
		}
		return unread(err)
	}
	if !bytes.Equal(h.Sum(nil), tail[:sha256.Size]) {
		return damaged("it is not as it was written")
	}
	length := binary.LittleEndian.Uint64(head[len(partialMagic)+8:])
	switch {
	case length > uint64(size)-uint64(len(head)+len(tail)):
		return damaged("its header claims more bytes than there are")
	case length > maxPartialHeader:
		return nil, p.problem(PartialLimit, fmt.Sprintf("a header of %d bytes", length), fmt.Sprintf("%d at most are read: map fewer parts at once", maxPartialHeader)), nil
	}
	text := make([]byte, length)
	if _, err := f.ReadAt(text, int64(len(head))); err != nil {
		return unread(err)
	}
	if p.header, err = parseHeader(text); err != nil {
		return damaged("its header makes no sense")
	}
	p.states = ingest.Range{From: int64(len(head)) + int64(length), To: size - int64(len(tail))}
	return p, nil, nil
}

// parseHeader reads a header strictly.
func parseHeader(text []byte) (h partialHeader, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return h, err
	}
	if d.More() || !h.sound() {
		return h, errors.New("no header of a partial")
	}
	return h, nil
}

// copyTo copies until the context ends.
func copyTo(ctx context.Context, w io.Writer, r io.Reader) error {
	b := make([]byte, 1<<20)
	for {
		if err := effect.Stopped(ctx); err != nil {
			return err
		}
		n, err := r.Read(b)
		if _, failed := w.Write(b[:n]); failed != nil {
			return failed
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pieces reads the states of a partial and opens its file for each piece, so that
// any number of partials can be read side by side.
type pieces struct {
	*partial
	at int64
}

var errPartialChanged = errors.New("it changed while it was read")

func (p *pieces) Read(b []byte) (int, error) {
	n := min(int64(len(b)), p.states.To-p.at)
	if n == 0 {
		return 0, io.EOF
	}
	f, err := os.Open(p.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return 0, err
	case info.Size() != p.info.Size() || !info.ModTime().Equal(p.info.ModTime()):
		return 0, fmt.Errorf("%w: %s: %w", ErrPartial, p.path, errPartialChanged)
	}
	got, err := f.ReadAt(b[:n], p.at)
	p.at += int64(got)
	return got, err
}

// readers are the states of partials, to be read side by side in little memory.
func readers(list []*partial) (out []*bufio.Reader, each []*pieces) {
	size := min(max(64<<20/max(1, len(list)), 4<<10), 256<<10)
	for _, p := range list {
		piece := &pieces{p, p.states.From}
		each = append(each, piece)
		out = append(out, bufio.NewReaderSize(piece, size))
	}
	return out, each
}

// writePartial writes a partial whole or not at all, and returns its size.
func writePartial(to string, h *partialHeader, states func(io.Writer) error) (bytes int64, err error) {
	text, err := json.Marshal(h)
	if err != nil {
		return 0, err
	}
	if len(text) > maxPartialHeader {
		return 0, fmt.Errorf("%w: what is said of rejected rows and unmapped codes takes %d bytes, and %d at most are read: map fewer parts at once, or mend the rows", ErrPartial, len(text), maxPartialHeader)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	p, err := whole.Replace(to) // what another one is writing now is locked, and stays
	if err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	defer func() {
		if err != nil {
			_ = p.Drop() // best effort: what is left is a temporary file
		}
	}()
	w := bufio.NewWriterSize(p, 1<<20)
	all := newHasher(w)
	head := append([]byte(partialMagic), binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, partialFormat), uint64(len(text)))...)
	if _, err := all.Write(append(head, text...)); err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	if err := states(all); err != nil {
		return 0, err
	}
	if _, err := w.Write(append(all.h.Sum(nil), partialEnd...)); err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	if err := w.Flush(); err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	if err := p.Publish(); err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	if err := whole.SyncFolder(filepath.Dir(to)); err != nil {
		return 0, fmt.Errorf("partial: %w", err)
	}
	return all.n + int64(partialTail), nil
}

// isPartial says whether a file begins as a partial does.
func isPartial(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(partialMagic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == partialMagic
}

// rangeHashes hashes a file whole and some ranges of it in one go.
type rangeHashes struct {
	whole  hash.Hash
	ranges []ingest.Range
	each   []hash.Hash
	at     int64
}

func (r *rangeHashes) Write(b []byte) (int, error) {
	_, _ = r.whole.Write(b) // a hash never fails
	end := r.at + int64(len(b))
	for i, g := range r.ranges {
		if from, to := max(g.From, r.at), min(g.To, end); from < to {
			_, _ = r.each[i].Write(b[from-r.at : to-r.at])
		}
	}
	r.at = end
	return len(b), nil
}

// hashRange is the SHA-256 of some bytes of an input file.
func hashRange(ctx context.Context, ds *ingest.Dataset, file int, of ingest.Range) (string, error) {
	r, err := ds.OpenRange(file, of)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	err = copyTo(ctx, h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// hashMapped fills in the hashes of a file whose parts are known.
func hashMapped(ctx context.Context, ds *ingest.Dataset, at ingest.SpellFile, f *mappedFile) (err error) {
	if f.Footer, err = hashRange(ctx, ds, at.Input, at.Footer); err != nil {
		return err
	}
	told := f.told()
	if !f.first() {
		for _, g := range told {
			sum, err := hashRange(ctx, ds, at.Input, at.Groups[g])
			if err != nil {
				return err
			}
			f.Pages = append(f.Pages, sum)
		}
		return nil
	}
	hashes := &rangeHashes{whole: sha256.New()}
	for _, g := range told {
		hashes.ranges, hashes.each = append(hashes.ranges, at.Groups[g]), append(hashes.each, sha256.New())
	}
	r, err := ds.OpenFile(at.Input)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := copyTo(ctx, hashes, r); err != nil {
		return err
	}
	f.Whole = hex.EncodeToString(hashes.whole.Sum(nil))
	for _, h := range hashes.each {
		f.Pages = append(f.Pages, hex.EncodeToString(h.Sum(nil)))
	}
	return nil
}
