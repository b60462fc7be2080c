package jobeffekt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// ErrRecord is wrapped by errors about the record of what went out before.
var ErrRecord = errors.New("record of what was published")

// recordRow is a row of the record: a count of citizens as it was at a publication, or
// something that it told, which is a sum of such counts. It names no citizen.
type recordRow struct {
	Publication int64  `col:"publication" doc:"from 1, in the order in which they went out"`
	Results     string `col:"results" doc:"hash of the manifest of the results"`
	MinCount    int64  `col:"min_count" doc:"count under which nothing was shown"`
	Family      string `col:"family" doc:"outcome, or counts that belong together"`
	Kind        string `col:"kind" doc:"count: what an atom counted; told: a sum of atoms that was told"`
	Key         string `col:"key" doc:"labels of the atom, or terms of the sum"`
	N           int64  `col:"n" doc:"citizens of the atom; 0 for told"`
}

// The kinds of a recordRow.
const (
	recordCount = "count"
	recordTold  = "told"
)

// record is what went out before, as it was read.
type record struct {
	path string
	hash string // of the file as it was read, "" where there was none
	rows []recordRow
	// until is how many publications stand before this one, and there that this one
	// stands in the record.
	until int
	there bool
	heads []string // by publication; see [RecordHead]
}

// RecordHead is the head of the record of what went out: how many publications it remembers,
// and a hash of each over the hash of the one before. It stands beside the record, in the file
// of its name and [HeadSuffix], and in the publication that was remembered last, so that a
// record that is gone, shortened or changed is found out.
type RecordHead struct {
	Publications int    `json:"publications"`
	SHA256       string `json:"sha256"`
}

// HeadSuffix is added to the name of a record for the file that holds its [RecordHead].
const HeadSuffix = ".head"

// chain is the hash of each publication of rows over the hash of the one before, which is
// first for the first of them.
func chain(first string, rows []recordRow) (heads []string) {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Publication == rows[0].Publication {
			n++
		}
		text, _ := json.Marshal(rows[:n]) // strings and numbers alone
		sum := sha256.Sum256(append([]byte(first), text...))
		first = hex.EncodeToString(sum[:])
		heads, rows = append(heads, first), rows[n:]
	}
	return heads
}

// knows says whether the record remembers what a head says.
func (r *record) knows(h RecordHead) bool {
	return h.Publications >= 1 && h.Publications <= len(r.heads) && r.heads[h.Publications-1] == h.SHA256
}

// readHead reads the head that stands beside the record; nil where there is none.
func (r *record) readHead() (*RecordHead, error) {
	text, err := os.ReadFile(r.path + HeadSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var h RecordHead
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRecord, filepath.Base(r.path)+HeadSuffix, err)
	}
	return &h, nil
}

// readRecord reads the record of what was published before results; an empty one where
// there is no file, and no head of one.
func readRecord(ctx context.Context, path, results string, minCount int64) (*record, error) {
	r := &record{path: path}
	head, err := r.readHead()
	if err != nil {
		return nil, err
	}
	src, err := hashFile(path, filepath.Base(path))
	switch {
	case errors.Is(err, fs.ErrNotExist) && head != nil:
		return nil, fmt.Errorf("%w: %s is gone, and remembered %d publications: restore it, or name a new file under disclosure.record", ErrRecord, filepath.Base(path), head.Publications)
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	r.hash = src.SHA256
	t, err := ingest.ReadTable(ctx, path, ingest.DefaultLimits())
	if err == nil {
		r.rows, err = ingest.ToRows[recordRow](t)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; without it nobody knows what went out before: restore it, or name a new file under disclosure.record", ErrRecord, filepath.Base(path), err)
	}
	// A record that is longer than its head was written just before a machine stopped.
	if r.heads = chain("", r.rows); len(r.heads) > 1 && head == nil || head != nil && !r.knows(*head) {
		return nil, fmt.Errorf("%w: %s is not the one that %s beside it is the head of: restore both as they were, or name a new file under disclosure.record", ErrRecord, filepath.Base(path), filepath.Base(path)+HeadSuffix)
	}
	for _, row := range r.rows {
		if row.Publication < int64(r.until) || row.Publication > int64(r.until)+1 || row.Kind != recordCount && row.Kind != recordTold || row.N < 0 {
			return nil, fmt.Errorf("%w: %s is not as it was written: restore it, or name a new file under disclosure.record", ErrRecord, filepath.Base(path))
		}
		if row.Results == results && row.MinCount == minCount {
			// It went out already: what it was then, it is now.
			r.there, r.until = true, int(row.Publication)-1
			break
		}
		r.until = int(row.Publication)
	}
	return r, nil
}

// before gives a family what earlier publications told of it.
func (r *record) before(f *family) {
	f.before = nil
	for t := range r.until {
		p := published{counts: map[string]int64{}}
		for _, row := range r.rows {
			switch {
			case row.Publication != int64(t)+1 || row.Family != f.name:
			case row.Kind == recordCount:
				p.counts[row.Key] = row.N
			default:
				p.keys = append(p.keys, row.Key)
			}
		}
		f.before = append(f.before, p)
	}
}

// beforeBetween gives what outcomes tell of each other the counts of earlier publications.
func (r *record) beforeBetween(b *between) {
	b.before = nil
	name := b.name()
	for t := range r.until {
		counts := map[string]int64{}
		for _, row := range r.rows {
			if row.Publication == int64(t)+1 && row.Family == name && row.Kind == recordCount {
				counts[row.Key] = row.N
			}
		}
		b.before = append(b.before, counts)
	}
}

// of is what a publication is remembered by.
func (r *record) of(families []*family, all *between, results string, minCount int64) (out []recordRow) {
	row := recordRow{Publication: int64(r.until) + 1, Results: results, MinCount: minCount}
	for _, f := range families {
		row.Family = f.name
		counts := map[string]int64{}
		for _, a := range f.atoms {
			if a.n > 0 || a.hidden {
				counts[strings.Join(a.labels, "\x00")] = a.n
			}
		}
		row.Kind = recordCount
		for _, key := range slices.Sorted(maps.Keys(counts)) {
			row.Key, row.N = key, counts[key]
			out = append(out, row)
		}
		var told []string
		for i := range f.told {
			if f.told[i] && (f.hushed == nil || !f.hushed[i]) {
				told = append(told, f.claims[i].key)
			}
		}
		slices.Sort(told)
		row.Kind, row.N = recordTold, 0
		for _, row.Key = range told {
			out = append(out, row)
		}
	}
	if all == nil || len(all.families) < 2 {
		return out
	}
	row.Family, row.Kind = all.name(), recordCount
	for _, key := range slices.Sorted(maps.Keys(all.index)) {
		if n := all.atoms[all.index[key]].n; n > 0 {
			row.Key, row.N = key, n
			out = append(out, row)
		}
	}
	return out
}

// Record remembers that the publication went out, in the file that the run file names under
// disclosure.record; without that key it does nothing. It is called just before the
// publication takes its place. The same publication twice is remembered once. The file is written whole or not at
// all, for its owner alone. [ErrBusy] says that somebody else is writing it; where another
// publication was recorded since this one was read the error wraps [ErrRecord]: read it again,
// and publish that.
func (p *Publication) Record(ctx context.Context) error {
	if err := effect.Stopped(ctx); err != nil {
		return err
	}
	if p.record == nil {
		return nil
	}
	r := p.record
	lock, err := whole.Take(filepath.Join(filepath.Dir(r.path), LockName))
	if err = taken(err); errors.Is(err, ErrBusy) {
		return fmt.Errorf("%s: %w", filepath.Base(r.path), err)
	} else if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	defer lock.Close()
	now, err := readRecord(ctx, r.path, p.Manifest.Sum, p.MinCount)
	switch {
	case err != nil:
		return err
	case now.there:
		return nil
	case now.hash != r.hash:
		return fmt.Errorf("%w: something else was published since this publication was made: make it again", ErrRecord)
	}
	if len(p.remembered) == 0 {
		return nil
	}
	var rows bytes.Buffer
	if err := rowTable("published", append(now.rows, p.remembered...)).WriteParquet(&rows); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := whole.Write(r.path, 0o600, rows.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	b, err := json.Marshal(p.Head())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := whole.Write(r.path+HeadSuffix, 0o600, append(b, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return nil
}

// Head is the head of the record when it remembers this publication; nil where none is kept.
func (p *Publication) Head() *RecordHead {
	r := p.record
	switch {
	case r == nil:
		return nil
	case r.there:
		return &RecordHead{r.until + 1, r.heads[r.until]}
	}
	before := ""
	if r.until > 0 {
		before = r.heads[r.until-1]
	}
	heads := chain(before, p.remembered)
	if len(heads) == 0 { // nothing of citizens went out
		return nil
	}
	return &RecordHead{r.until + len(heads), heads[len(heads)-1]}
}

// Follows says that the record remembers an earlier publication, which is known by its folder;
// the error wraps [ErrRecord] where it does not. What was published without a record is
// remembered by none.
func (p *Publication) Follows(earlier *Published) error {
	switch h := earlier.Record; {
	case h == nil:
		return nil
	case p.record == nil:
		return fmt.Errorf("%w: the publication that would be replaced is remembered in a record, and disclosure.record names none: name it", ErrRecord)
	case !p.record.knows(*h):
		return fmt.Errorf("%w: %s does not remember the publication that would be replaced: restore it, or publish into another folder", ErrRecord, filepath.Base(p.record.path))
	}
	return nil
}
