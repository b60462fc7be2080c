package ingest

import (
	"context"
	"errors"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Spells hands each batch that Observe reads to a function, without the rows of other
// persons. It may be called from several goroutines at once.
func (d *Dataset) Spells(ctx context.Context, cases *effect.Cases, employers []effect.ID, each func(effect.Spells) error) error {
	s := &eachBatch{each: each}
	err := d.Observe(ctx, cases, employers, s)
	return errors.Join(err, s.err)
}

type eachBatch struct {
	each func(effect.Spells) error
	mu   sync.Mutex
	err  error
}

func (*eachBatch) Expect(int, int) {}
func (*eachBatch) Done(int, int)   {}

func (e *eachBatch) Add(s effect.Spells) {
	if s = ofCases(s); len(s.Person) == 0 {
		return
	}
	err := e.each(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = errors.Join(e.err, err)
}

// ofCases are the spells of persons of the cases.
func ofCases(s effect.Spells) (out effect.Spells) {
	for i, p := range s.Person {
		if p < 0 {
			continue
		}
		out.Person, out.State = append(out.Person, p), append(out.State, s.State[i])
		out.Start, out.End = append(out.Start, s.Start[i]), append(out.End, s.End[i])
		if s.Hours != nil {
			out.Hours = append(out.Hours, s.Hours[i])
		}
		if s.Amount != nil {
			out.Amount = append(out.Amount, s.Amount[i])
		}
		if s.Employer != nil {
			out.Employer = append(out.Employer, s.Employer[i])
		}
	}
	return out
}
