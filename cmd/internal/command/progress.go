package command

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/jobeffekt/jobeffekt/effect"
)

// screen is a terminal with a line of progress, which stands below whatever else is
// written to it.
type screen struct {
	w     io.Writer
	meter *effect.Meter

	mu    sync.Mutex
	of    *effect.Counted // that the bar is of
	since time.Time       // the part began
	bar   *progressbar.ProgressBar
	shown bool          // what the bar writes is
	ended chan struct{} // nil until it is started
	done  chan struct{}
}

// How often the line is drawn, and how long a part takes before it has one.
const (
	drawEvery = 250 * time.Millisecond
	drawFrom  = time.Second
)

// start draws until stop.
func (s *screen) start() {
	s.ended, s.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(s.done)
		tick := time.NewTicker(drawEvery)
		defer tick.Stop()
		for {
			select {
			case <-s.ended:
				return
			case now := <-tick.C:
				s.draw(now)
			}
		}
	}()
}

// stop takes the line away. It may be called without a start.
func (s *screen) stop() {
	if s.ended != nil {
		close(s.ended)
		<-s.done
		s.ended = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// draw draws the line of the part that is being done, if there is one.
func (s *screen) draw(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.meter.Now()
	if c == nil {
		return
	}
	if c != s.of {
		s.clear()
		s.of, s.since, s.bar = c, now, newBar(shown{s}, c)
	}
	done := c.Done()
	if c.Of > 0 && done >= c.Of {
		s.clear()
		return
	}
	s.shown = now.Sub(s.since) >= drawFrom // the bar counts from the start, or its rate would be wrong
	_ = s.bar.Set64(done)                  // a terminal that cannot be written to shows no progress
}

// shown is what the bar writes to.
type shown struct{ s *screen }

func (b shown) Write(text []byte) (int, error) {
	if !b.s.shown {
		return len(text), nil
	}
	return b.s.w.Write(text)
}

// clear takes the line away, if it stands there.
func (s *screen) clear() {
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	s.shown = false
}

// over is a writer to the same terminal, whose text comes above the line of progress.
func (s *screen) over(w io.Writer) io.Writer { return &above{s, w} }

type above struct {
	s *screen
	w io.Writer
}

func (a *above) Write(b []byte) (int, error) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.s.clear()
	return a.w.Write(b)
}

// newBar is a line for a part: what is done, how much of how much, the rate, and the
// time that is left.
func newBar(w io.Writer, c *effect.Counted) *progressbar.ProgressBar {
	of := c.Of
	if of <= 0 {
		of = -1
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(c.What), progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(), progressbar.OptionUseANSICodes(true), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(false), progressbar.OptionSetPredictTime(true),
	}
	if c.Unit == "bytes" {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(c.Unit))
	}
	return progressbar.NewOptions64(of, options...)
}
