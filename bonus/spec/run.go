package spec

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Failure is a scenario of which the terms do something else.
type Failure struct {
	File string
	Line int    // of the scenario, from 1
	It   string // its sentence
	Text string // what was expected and what came, as tables
}

// String is the failure with its place.
func (f Failure) String() string {
	return fmt.Sprintf("%s:%d: it %s\n%s", f.File, f.Line, f.It, f.Text)
}

// Run settles every scenario with the terms, the first of which are those that
// the spec is of, and returns those that fail, in the order of the file. Seals
// beside the terms do not count: a scenario has its own. The error is that of
// ctx.
func (s *Spec) Run(ctx context.Context, terms ...*bonus.Terms) ([]Failure, error) {
	var out []Failure
	for i := range s.Scenarios {
		x := &s.Scenarios[i]
		text, err := s.run(ctx, x, terms)
		if err != nil {
			return nil, err
		}
		if text != "" {
			at := s.place(fmt.Sprintf("scenarios[%d]", i))
			out = append(out, Failure{File: at.File, Line: at.Line, It: x.It, Text: text})
		}
	}
	return out, nil
}

// run is what is wrong with a scenario, "" where nothing is.
func (s *Spec) run(ctx context.Context, x *Scenario, terms []*bonus.Terms) (string, error) {
	if len(terms) == 0 {
		return "", errors.New("spec: there are no terms")
	}
	terms, f, err := s.facts(x, terms)
	if err != nil {
		return "  " + err.Error() + "\n", nil
	}
	settlement, err := bonus.Settle(ctx, terms, f)
	if ctx.Err() != nil {
		return "", effect.Stopped(ctx)
	}
	var differ []*sheet
	if err != nil || len(x.Expect.Faults) > 0 {
		if t := x.faults(err); t.differs() {
			differ = append(differ, t)
		}
	} else {
		differ = x.compare(settlement)
	}
	var b strings.Builder
	for _, t := range differ {
		b.WriteString(t.String())
	}
	return b.String(), nil
}

// Facts are what a scenario, by its place in the file, is settled on: the terms
// with the scenario's seals, and the facts.
func (s *Spec) Facts(scenario int, terms ...*bonus.Terms) ([]*bonus.Terms, bonus.Facts, error) {
	if scenario < 0 || scenario >= len(s.Scenarios) {
		return nil, bonus.Facts{}, fmt.Errorf("%s has %d scenarios, and none at %d", s.File, len(s.Scenarios), scenario)
	}
	return s.facts(&s.Scenarios[scenario], terms)
}
