package bonus

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// estimated says whether an effect is part of the score. Effects are told as of a
// day: such a score is made for the settlement period that ends on as_of alone.
func (m *Score) estimated() bool {
	return slices.ContainsFunc(m.Parts, func(p ScorePart) bool { return p.estimated() })
}

// estimates are the benchmark rows of a settlement and the cases behind them, for
// scores.
type estimates struct {
	known  *figures
	shares map[string]map[cellCodes][]share
}

// newEstimates reads the benchmark where a score has an effect as a part.
func (s *settler) newEstimates(ctx context.Context) error {
	for _, x := range s.scorers {
		for i := range x.score.Parts {
			p := &x.score.Parts[i]
			if !p.estimated() {
				continue
			}
			if s.estimates == nil {
				known, err := newFigures(s.facts)
				if err != nil {
					return err
				}
				s.estimates = &estimates{known, map[string]map[cellCodes][]share{}}
			}
			name := p.outcomes()[0]
			if s.estimates.shares[name] == nil {
				r, _ := s.obs.Result(name)
				shares, err := s.shares(ctx, r)
				if err != nil {
					return err
				}
				s.estimates.shares[name] = shares
			}
		}
	}
	return nil
}

// estimate is the effect or the ratio of a part over all cells of the provider,
//
//	effect = sum of n x difference / sum of n
//	ratio  = sum of n x (expected + difference) / sum of n x expected
//
// with n the cases that have comparators, and the sum of these; nil where it is
// missing. The gate is judged for each cell.
func (x *scoring) estimate(p *ScorePart, path string) (v *big.Rat, n int64) {
	known, name := x.estimates.known, p.outcomes()[0]
	var keys []figureKey
	cases := map[figureKey]int64{}
	for codes, parts := range x.estimates.shares[name] {
		if x.cases.Provider.Level(codes.provider) != x.provider {
			continue
		}
		all := figureKey{name, p.Method, effect.Part(p.Part), x.cell(codes.municipality, codes.scheme, codes.group, codes.provider, -1)}
		split := map[figureKey][]share{}
		for _, s := range parts {
			key := all
			if known.byPackage[all] {
				key.cell.Package = x.cases.Package.Level(s.pkg)
			}
			split[key] = append(split[key], s)
		}
		for key, parts := range split {
			if !slices.ContainsFunc(parts, x.mine) {
				continue
			}
			keys = append(keys, key)
			for _, s := range parts {
				cases[key] += s.n
				if !x.mine(s) {
					x.faults.Add(x.t.doc, path, FaultInseparable, "the effect of provider %s in %s, match group %s of %s, mixes cases: %s are not of the agreement, or of a package that the clause leaves out; set by_package in the run file",
						key.cell.Provider, key.cell.Municipality, key.cell.MatchGroup, key.cell.MatchScheme, count(s.n, "case"))
					x.bad = true
				}
			}
		}
	}
	slices.SortFunc(keys, func(a, b figureKey) int { return compareCells(a.cell, b.cell) })
	sum, of := new(big.Rat), new(big.Rat)
	missing := len(keys) == 0
	for _, key := range keys {
		row := known.rows[key]
		where := fmt.Sprintf("%s, %s %s%s", key.cell.Municipality, key.cell.MatchScheme, key.cell.MatchGroup, strings.TrimSuffix(", package "+key.cell.Package, ", package "))
		switch {
		case row == nil:
			x.lacks(path, fmt.Sprintf("the %s part of the effect on %s by %s in %s", p.Part, name, p.Method, where), true)
			continue
		case row.Refusal == "" && row.N != cases[key]:
			x.faults.Add(x.t.doc, path, FaultStale, "the effect of provider %s in %s is about %s, but %d have a complete window in the observations: estimate again", x.provider, where, count(row.N, "case"), cases[key])
			x.bad = true
			continue
		}
		x.judgeCell(known, key, where)
		difference, expected := figure(row.Difference), figure(row.Expected)
		if row.Refusal != "" || row.Verdict == effect.NotRated || difference == nil || expected == nil || row.NCompared < 0 {
			x.steps = append(x.steps, Step{What: p.Name + ": no figure in " + where, Value: "0", Section: x.clause.Section})
			missing = true
			continue
		}
		x.step(p.Name+": difference in "+where, difference, string(row.Unit), x.clause.Section)
		x.step(p.Name+": expected there", expected, string(row.Unit), x.clause.Section)
		x.step(p.Name+": cases that have comparators there", new(big.Rat).SetInt64(row.NCompared), "cases", x.clause.Section)
		weight := new(big.Rat).SetInt64(row.NCompared)
		n += row.NCompared
		if p.Effect != "" {
			sum.Add(sum, difference.Mul(difference, weight))
			of.Add(of, weight)
			continue
		}
		sum.Add(sum, difference.Mul(difference.Add(difference, expected), weight))
		of.Add(of, expected.Mul(expected, weight))
	}
	if missing || of.Sign() <= 0 {
		return nil, n
	}
	return sum.Quo(sum, of), n
}

// estimatedFor says whether a provider has cases behind an effect of the score.
func (x *scorer) estimatedFor(provider string) bool {
	for i := range x.score.Parts {
		if p := &x.score.Parts[i]; p.estimated() {
			for codes, parts := range x.estimates.shares[p.outcomes()[0]] {
				if x.cases.Provider.Level(codes.provider) == provider && slices.ContainsFunc(parts, x.mine) {
					return true
				}
			}
		}
	}
	return false
}

// mine says whether a share of a cell is what the clause is about.
func (x *scorer) mine(s share) bool {
	if s.agreement < 0 || x.settler.of[s.agreement] != x.at.terms {
		return false
	}
	offer := x.offer(x.at.terms, s.pkg)
	return offer != nil && x.clause.Conditions.allow(offer)
}

// judgeCell holds the diagnostics of one figure against the clause's gate.
func (x *scoring) judgeCell(known *figures, key figureKey, where string) {
	gate := x.clause.Gate
	if gate == nil {
		return
	}
	rows, shut := gate.judge(known.diagnostics[key])
	for i := range rows {
		rows[i].Reason = strings.TrimSuffix(where+": "+rows[i].Reason, ": ")
	}
	if by := gate.Acceptance; by != nil && !slices.ContainsFunc(x.gate, func(g GateRow) bool { return g.Passes == "" }) {
		g := x.facts.Acceptance.row(by.Role)
		if rows = append(rows, g); !g.Accepted {
			x.reasons = append(x.reasons, ReasonNotAccepted)
		}
	}
	x.gate = append(x.gate, rows...)
	if len(shut) > 0 {
		reason := ReasonGate + ":" + strings.Join(shut, ",")
		if !slices.Contains(x.reasons, reason) {
			x.reasons = append(x.reasons, reason)
		}
		x.unrated = "the gate is shut in " + where
	}
}

// checkEstimates says what of a score's effects nobody will know.
func (t *Terms) checkEstimates(faults *strict.Gathered, k Known, clause *Clause, path string) {
	for i := range clause.Measure.Score.Parts {
		p := &clause.Measure.Score.Parts[i]
		if !p.estimated() {
			continue
		}
		at := fmt.Sprintf("%s.score.parts[%d]", path, i)
		t.checkMethod(faults, k, clause, p.Method, p.Part, at)
		if t.packagesDiffer(clause) && !k.ByPackage {
			faults.Add(t.doc, at, FaultInseparable, "clause %s treats packages differently, so its effect must be estimated by package: set compare.by_package in the run file", clause.ID)
		}
	}
}

// checkMethod says whether an effect by a method can be paid on.
func (t *Terms) checkMethod(faults *strict.Gathered, k Known, clause *Clause, method string, part Part, path string) {
	switch {
	case slices.Contains(k.Methods, method):
	case slices.Contains(k.Describe, method):
		faults.Add(t.doc, path+".method", FaultFigure, "clause %s pays on the method %q, which is for description only; pay on another", clause.ID, method)
	default:
		faults.Add(t.doc, path+".method", FaultFigure, "clause %s pays on the method %q, by which nothing is estimated%s", clause.ID, method, strict.Suggest(method, k.Methods))
	}
	if effect.Part(part) == effect.Total && !k.Peers {
		faults.Add(t.doc, path+".part", FaultFigure, "clause %s pays on the total difference, which needs peer municipalities", clause.ID)
	}
}

// checkGate looks at the gate of a score, which is judged for each cell of an
// effect in it.
func (m *Score) checkGate(c *checker, path string, clause *Clause) {
	at := strings.TrimSuffix(path, ".measure.score")
	switch {
	case !m.estimated() && (clause.PayOn != "" || clause.Probability != nil || clause.Above != nil):
		c.fault(at+".pay_on", "pay_on belongs to an effect")
	case !m.estimated() && clause.Gate != nil:
		c.fault(at+".gate", "a gate belongs to an effect")
	case !m.estimated():
	case clause.PayOn != Point:
		c.fault(path, "a score takes an effect as it is, not its lower limit: say so with pay_on: point, or pay on the effect itself")
	case clause.Gate == nil:
		c.fault(path, "an effect is paid or decided on only through a gate: give the clause one, as in gate: {require: {n: 30}}")
	}
	if !m.estimated() || clause.Gate == nil {
		return
	}
	parts := map[Part]bool{}
	for _, p := range m.Parts {
		if p.estimated() {
			parts[p.Part] = true
		}
	}
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		clause.Gate.check(c, at+".gate", part)
	}
	if clause.Gate.Multiplicity == Holm {
		c.fault(at+".gate", "holm judges the lines of effects: a score has one line for several of them, so say multiplicity: none and require what must hold")
	}
}
