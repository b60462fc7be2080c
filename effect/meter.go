package effect

import (
	"context"
	"sync/atomic"
)

// Meter says how far the long parts of a job are while they are done: rows that are
// read, cells that are compared. Put it into the context of the job by [WithMeter],
// and look at it with [Meter.Now] as often as you like, from any goroutine: nobody is
// called, and no result depends on it. The zero value is ready.
type Meter struct{ now atomic.Pointer[Counted] }

// Counted is a part of a job of which something is counted. It is another pointer for
// each part, so that two parts of the same name are told apart.
type Counted struct {
	What string // what is done, in words: "reading spells"
	Unit string // what is counted: "rows"
	Of   int64  // how many there are; 0 where nobody knows
	done atomic.Int64
}

type meterKey struct{}

// WithMeter is a context whose jobs are told to the meter; nil: to none, as the parts
// of a part are that is counted itself.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// Count begins a part of which there are so many, 0 where nobody knows. What is done
// is added to what it returns, which is nil, and may be added to, where the context
// has no meter.
func Count(ctx context.Context, what, unit string, of int64) *Counted {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	if m == nil {
		return nil
	}
	c := &Counted{What: what, Unit: unit, Of: of}
	m.now.Store(c)
	return c
}

// Now is the part that began last, nil before the first. It may be done by now.
func (m *Meter) Now() *Counted { return m.now.Load() }

// Add says that n more are done. It may be called from any goroutine.
func (c *Counted) Add(n int64) {
	if c != nil {
		c.done.Add(n)
	}
}

// Done is how many are done.
func (c *Counted) Done() int64 { return c.done.Load() }
