package store

import (
	"context"
	"io"
	"io/fs"
	"sync"

	"github.com/jobeffekt/jobeffekt/ingest"
)

// file is an open object. It belongs to one goroutine; those that fetch its pieces are
// its own.
type file struct {
	*folder
	info   *info
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup

	at     int64    // of Read
	pieces []*piece // of the plan, ascending
	loose  *piece   // the last one that no plan told of
	kept   int64    // bytes of pieces that are held
	clock  int
}

// piece is bytes of a file that one request gets.
type piece struct {
	ingest.Range
	done chan struct{} // nil: not asked for; closed when data or err are there
	data []byte
	err  error
	used int
}

// Stat is the file as it was first looked at.
func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close ends what is being fetched.
func (f *file) Close() error {
	f.cancel()
	f.group.Wait()
	f.pieces, f.loose = nil, nil
	return nil
}

// Plan takes note of what will be read: see [ingest.Planner].
func (f *file) Plan(ranges []ingest.Range) {
	before := f.pieces
	f.pieces, f.kept = nil, 0
	for k := 0; k < len(ranges); {
		r := ranges[k]
		for k++; k < len(ranges) && ranges[k].From-r.To <= f.o.Gap; k++ {
			r.To = ranges[k].To
		}
		for ; r.From < r.To; r.From += f.o.Piece {
			f.pieces = append(f.pieces, &piece{Range: ingest.Range{From: r.From, To: min(r.From+f.o.Piece, r.To)}})
		}
	}
	// What was asked for is not asked for again.
	for k, p := range f.pieces {
		for _, old := range before {
			if old.Range == p.Range && old.done != nil {
				f.pieces[k] = old
				f.kept += old.To - old.From
			}
		}
	}
}

// Read reads on from where it stopped; the whole file is planned for, if nothing is.
func (f *file) Read(b []byte) (int, error) {
	if f.at >= f.info.size {
		return 0, io.EOF
	}
	if f.pieces == nil {
		f.Plan([]ingest.Range{{From: f.at, To: f.info.size}})
	}
	p, err := f.piece(f.at, 1)
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: f.info.name, Err: err}
	}
	n := copy(b, p.data[f.at-p.From:])
	f.at += int64(n)
	return n, nil
}

// ReadAt reads from pieces that are held or fetched now.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "read", Path: f.info.name, Err: fs.ErrInvalid}
	}
	for n := 0; ; {
		if n == len(b) {
			return n, nil
		}
		if off >= f.info.size {
			return n, io.EOF
		}
		p, err := f.piece(off, len(b)-n)
		if err != nil {
			return n, &fs.PathError{Op: "read", Path: f.info.name, Err: err}
		}
		k := copy(b[n:], p.data[off-p.From:])
		n, off = n+k, off+int64(k)
	}
}

// piece returns a piece with the byte at off; want is how many from there are asked for.
func (f *file) piece(off int64, want int) (*piece, error) {
	f.clock++
	next := f.info.size // where the plan goes on
	for k, p := range f.pieces {
		if off >= p.To {
			continue
		}
		if off < p.From {
			next = p.From
			break
		}
		p.used = f.clock
		for _, q := range f.pieces[k:min(k+1+f.o.Ahead, len(f.pieces))] {
			if q.done == nil {
				q.used = f.clock
				f.kept += q.To - q.From
				f.start(q)
			}
		}
		<-p.done
		f.drop(p)
		return p, p.err
	}
	if p := f.loose; p == nil || off < p.From || off >= p.To {
		to := min(max(off+int64(want), off+f.o.Least), off+f.o.Piece, next)
		f.loose = &piece{Range: ingest.Range{From: off, To: to}}
		f.start(f.loose)
	}
	<-f.loose.done
	return f.loose, f.loose.err
}

// start begins to fetch a piece.
func (f *file) start(p *piece) {
	p.done = make(chan struct{})
	f.group.Go(func() {
		defer close(p.done)
		data := make([]byte, p.To-p.From)
		if p.err = f.fetch(f.ctx, f.info, p.From, data); p.err == nil {
			p.data = data
		}
	})
}

// drop lets go of the pieces that were used longest ago, but not of the one in use.
func (f *file) drop(inUse *piece) {
	for f.kept > f.o.Keep {
		var oldest *piece
		for _, p := range f.pieces {
			if p.done != nil && p != inUse && (oldest == nil || p.used < oldest.used) {
				select {
				case <-p.done:
					oldest = p
				default: // it is still on its way
				}
			}
		}
		if oldest == nil {
			return
		}
		oldest.done, oldest.data, oldest.err = nil, nil, nil
		f.kept -= oldest.To - oldest.From
	}
}

// listing is an open folder.
type listing struct {
	folder *folder
	info   *info
	left   []fs.DirEntry
	read   bool
}

// Stat is the folder.
func (l *listing) Stat() (fs.FileInfo, error) { return l.info, nil }

// Close does nothing.
func (l *listing) Close() error { return nil }

// Read is refused: a folder has no bytes.
func (l *listing) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: l.info.name, Err: fs.ErrInvalid}
}

// ReadDir lists the next n entries, or all that are left.
func (l *listing) ReadDir(n int) (out []fs.DirEntry, err error) {
	if !l.read {
		if l.left, err = l.folder.ReadDir(l.info.name); err != nil {
			return nil, err
		}
		l.read = true
	}
	if n > 0 && len(l.left) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(l.left) {
		n = len(l.left)
	}
	out, l.left = l.left[:n], l.left[n:]
	return out, nil
}
