package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
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
}

// readRecord reads the record of what was published before results; an empty one where
// there is no file.
func readRecord(ctx context.Context, path, results string, minCount int64) (*record, error) {
	r := &record{path: path}
	src, err := hashFile(path, filepath.Base(path))
	switch {
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

// of is what a publication is remembered by.
func (r *record) of(families []*family, results string, minCount int64) (out []recordRow) {
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
			if f.told[i] {
				told = append(told, f.claims[i].key)
			}
		}
		slices.Sort(told)
		row.Kind, row.N = recordTold, 0
		for _, row.Key = range told {
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
	lock := flock.New(filepath.Join(filepath.Dir(r.path), LockName), flock.SetPermissions(0o600))
	switch free, err := lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRecord, err)
	case !free:
		return fmt.Errorf("%s: %w", filepath.Base(r.path), ErrBusy)
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
	to, err := newPending(r.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := rowTable("published", append(now.rows, p.remembered...)).WriteParquet(to); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrRecord, err), to.drop())
	}
	return to.publish()
}
