package bonus

import (
	"fmt"
	"math/big"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Threshold is what the figure that a line rests on must be at least, or the line
// pays nothing: the score, or the figure of an effect that is paid on.
//
// An effect may be told relative to what was expected. With else_pooled the lines
// of a provider under the clause stand in for each other: where none of them
// reaches the threshold of its own, all are paid if what they have together,
//
//	sum of figure x cases / sum of cases   (relative: / sum of expected x cases)
//
// is at least that. They are then paid as they are, also under 0, so that they sum
// to what was achieved together. A line without a figure, with a gate that is shut,
// or of a provider that does not meet the conditions there, keeps the others from
// standing in for each other.
type Threshold struct {
	AtLeast    Decimal  `yaml:"at_least" doc:"what the score, or the figure of an effect that is paid on, must be at least"`
	Relative   bool     `yaml:"relative,omitempty" doc:"of an effect: true divides the figure by what was expected, so that 0.10 is ten percent more, or less where less is better"`
	ElsePooled *Decimal `yaml:"else_pooled,omitempty" doc:"of an effect paid on the point: where no line of the provider reaches at_least, all are paid if together they reach this"`
}

func (t *Threshold) check(c *checker, path string, clause *Clause) {
	m := &clause.Measure
	switch {
	case m.OfCases():
		c.fault(path, "a threshold is of an effect or a score: for what citizens reach one by one use bands, of which the first pays nothing")
	case m.Score != nil && (t.Relative || t.ElsePooled != nil):
		c.fault(path, "relative and else_pooled belong to an effect")
	case clause.Negative != "":
		c.fault(path, "under a threshold nothing counts, so that nothing negative can: leave out threshold or negative")
	case t.ElsePooled != nil && clause.PayOn != Point:
		c.fault(path+".else_pooled", "cells together have no interval of their own, so that else_pooled needs pay_on: point")
	}
}

// pooled is what the lines of a provider under a clause have together.
type pooled struct {
	figure, of *big.Rat // sums over cases
	reached    bool     // one reaches the threshold of its own
	broken     bool     // one has no figure that may be paid on
	n          int64
}

// value is the figure of all, nil where there is none.
func (p *pooled) value() *big.Rat {
	if p.broken || p.of.Sign() <= 0 {
		return nil
	}
	return new(big.Rat).Quo(p.figure, p.of)
}

// measured is the figure that the threshold looks at, nil where there is none.
func (t *Threshold) measured(paid *big.Rat, row *effect.BenchmarkRow) *big.Rat {
	if !t.Relative {
		return paid
	}
	expected := figure(row.Expected)
	if expected == nil || expected.Sign() <= 0 {
		return nil
	}
	return new(big.Rat).Quo(paid, expected)
}

// poolEffects adds up what the effects have together, by agreement, clause, version and
// provider.
func poolEffects(lines []*effectLine) {
	type key struct {
		agreement, clause, provider string
		version                     effect.Date
	}
	all := map[key]*pooled{}
	for _, x := range lines {
		t := x.clause.Schedule.Threshold
		if t == nil {
			continue
		}
		k := key{x.Agreement, x.Clause, x.Provider, x.Version}
		if all[k] == nil {
			all[k] = &pooled{figure: new(big.Rat), of: new(big.Rat)}
		}
		p := all[k]
		x.pooled = p
		p.n++
		if len(x.why) > 0 || x.outside {
			p.broken = true
			continue
		}
		n := new(big.Rat).SetInt64(x.row.NCompared)
		of := big.NewRat(1, 1)
		if t.Relative {
			if of = figure(x.row.Expected); of == nil {
				p.broken = true
				continue
			}
		}
		p.figure.Add(p.figure, new(big.Rat).Mul(x.paid, n))
		p.of.Add(p.of, new(big.Rat).Mul(of, n))
		if v := t.measured(x.paid, x.row); v != nil && v.Cmp(t.AtLeast.Rat()) >= 0 {
			p.reached = true
		}
	}
}

// threshold says whether the line is paid, and whether it is for what all lines
// have together.
func (x *effectLine) threshold() (pays, together bool) {
	t, d := x.clause.Schedule.Threshold, x.draft
	if t == nil {
		return true, false
	}
	unit, word := string(x.row.Unit), "the figure"
	if t.Relative {
		unit, word = "", "the figure / expected"
	}
	v := t.measured(x.paid, x.row)
	if v != nil {
		d.step(word+", of which at least "+t.AtLeast.String()+" is asked for", exactText(v), unit, d.Section)
		if v.Cmp(t.AtLeast.Rat()) >= 0 {
			return true, false
		}
	}
	if t.ElsePooled == nil || x.pooled.reached {
		return false, false
	}
	all := x.pooled.value()
	if all == nil {
		d.step("together with the provider's other lines there is no figure that may be paid on", "0", unit, d.Section)
		return false, false
	}
	d.step(fmt.Sprintf("%s of all %s, of which at least %s is asked for", word, count(x.pooled.n, "line"), t.ElsePooled), exactText(all), unit, d.Section)
	return all.Cmp(t.ElsePooled.Rat()) >= 0, true
}
