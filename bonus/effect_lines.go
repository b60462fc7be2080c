package bonus

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// figureKey names a benchmark row.
type figureKey struct {
	outcome, method string
	part            effect.Part
	cell            effect.Cell
}

// figures are the benchmark rows and diagnostics by what they are about.
type figures struct {
	rows        map[figureKey]*effect.BenchmarkRow
	diagnostics map[figureKey]map[effect.DiagnosticName]*effect.Diagnostic
	// byPackage holds the keys, without their package, of the cells that were
	// estimated by package.
	byPackage map[figureKey]bool
	// made are the methods and parts that each outcome was estimated by.
	made map[string][]string
}

func newFigures(f Facts) (*figures, error) {
	out := &figures{
		rows: map[figureKey]*effect.BenchmarkRow{}, byPackage: map[figureKey]bool{}, made: map[string][]string{},
		diagnostics: map[figureKey]map[effect.DiagnosticName]*effect.Diagnostic{},
	}
	for i := range f.Benchmark {
		row := &f.Benchmark[i]
		key := figureKey{row.Outcome, row.Method, row.Part, row.Cell}
		if out.rows[key] != nil {
			return nil, fmt.Errorf("%w: two benchmark rows for the %s part of %s by %s in one cell", ErrFacts, row.Part, row.Outcome, row.Method)
		}
		out.rows[key] = row
		if row.Package != "" {
			key.cell.Package = ""
			out.byPackage[key] = true
		}
		made := fmt.Sprintf("%s (%s)", row.Method, row.Part)
		if !slices.Contains(out.made[row.Outcome], made) {
			out.made[row.Outcome] = append(out.made[row.Outcome], made)
			slices.Sort(out.made[row.Outcome])
		}
	}
	for i := range f.Diagnostics {
		d := &f.Diagnostics[i]
		key := figureKey{d.Outcome, d.Method, d.Part, d.Cell}
		if out.diagnostics[key] == nil {
			out.diagnostics[key] = map[effect.DiagnosticName]*effect.Diagnostic{}
		}
		if out.diagnostics[key][d.Name] != nil {
			return nil, fmt.Errorf("%w: diagnostic %s stands twice for the %s part of %s by %s in one cell", ErrFacts, d.Name, d.Part, d.Outcome, d.Method)
		}
		out.diagnostics[key][d.Name] = d
	}
	return out, nil
}

// share is a part of a cell that the terms treat alike: cases with a complete
// window, of one package, agreement and version (-1 where no version applies).
type share struct {
	agreement, pkg, version int32
	n                       int64
}

// cellCodes is a cell of all packages.
type cellCodes struct{ municipality, scheme, group, provider int32 }

// shares splits the cases with a complete window by cell, and each cell into
// what the terms treat alike.
func (s *settler) shares(ctx context.Context, r *effect.Result) (map[cellCodes][]share, error) {
	type key struct {
		cellCodes
		agreement, pkg, version int32
	}
	c, n := s.cases, map[key]int64{}
	for i := range int32(c.Len()) {
		if i%stopEvery == 0 && ctx.Err() != nil {
			return nil, effect.Stopped(ctx)
		}
		provider := c.Provider.CodeAt(int(i))
		if !r.Complete[i] || provider < 0 {
			continue
		}
		version := int32(-1)
		if ti := s.termsOf(i); ti >= 0 && s.terms[ti].covers(c.Referral[i]) {
			version = int32(s.terms[ti].versionFor(c.Referral[i], s.obs.AsOf))
		}
		n[key{
			cellCodes{c.Municipality.CodeAt(int(i)), c.MatchScheme.CodeAt(int(i)), c.MatchGroup.CodeAt(int(i)), provider},
			c.Agreement.CodeAt(int(i)), c.Package.CodeAt(int(i)), version,
		}]++
	}
	out := map[cellCodes][]share{}
	for k, n := range n {
		out[k.cellCodes] = append(out[k.cellCodes], share{k.agreement, k.pkg, k.version, n})
	}
	return out, nil
}

// effectLines turns benchmark rows into lines, one for each cell that a clause
// is about.
func (s *settler) effectLines(ctx context.Context) error {
	known, err := newFigures(s.facts)
	if err != nil {
		return err
	}
	shares := map[string]map[cellCodes][]share{}
	counted := map[countedKey]string{}
	for ti, t := range s.terms {
		t.eachClause(func(v, c int, clause *Clause) {
			if clause.Measure.Effect == "" || err != nil {
				return
			}
			if shares[clause.Measure.Effect] == nil {
				r, _ := s.obs.Result(clause.Measure.Effect)
				if shares[clause.Measure.Effect], err = s.shares(ctx, r); err != nil {
					return
				}
			}
			e := effectClause{settler: s, known: known, counted: counted, unlike: map[string]int64{}, terms: int32(ti), version: int32(v), index: int32(c), clause: clause}
			e.settle(shares[clause.Measure.Effect])
		})
	}
	if err != nil {
		return err
	}
	s.payEffects()
	for r, o := range s.origin {
		if o.version >= 0 && s.rows[r].Rule == RuleCounted && s.rows[r].Line == "" {
			s.rows[r].Line = counted[countedKey{s.codes(o.at), s.cases.Package.CodeAt(int(o.at)), s.termsOf(o.at), o.version, o.clause}]
		}
	}
	return nil
}

func (s *settler) codes(i int32) cellCodes {
	c := s.cases
	return cellCodes{c.Municipality.CodeAt(int(i)), c.MatchScheme.CodeAt(int(i)), c.MatchGroup.CodeAt(int(i)), c.Provider.CodeAt(int(i))}
}

// countedKey finds the line that a case counts in.
type countedKey struct {
	cellCodes
	pkg, terms, version, clause int32
}

// effectClause settles one clause of one version.
type effectClause struct {
	*settler
	known                 *figures
	counted               map[countedKey]string
	terms, version, index int32
	clause                *Clause
	uncomputed            int64            // cells without a figure
	unlike                map[string]int64 // cells whose figure has another confidence, by that
}

// mine says whether a share of a cell is what the clause pays for.
func (e *effectClause) mine(x share) bool {
	if x.agreement < 0 || e.of[x.agreement] != e.terms || x.version != e.version {
		return false
	}
	offer := e.offer(e.terms, x.pkg)
	return offer != nil && e.clause.Conditions.allow(offer)
}

func (e *effectClause) settle(cells map[cellCodes][]share) {
	for codes, parts := range cells {
		key := figureKey{e.clause.Measure.Effect, e.clause.Measure.Method, effect.Part(e.clause.Measure.Part), e.cell(codes.municipality, codes.scheme, codes.group, codes.provider, -1)}
		if !e.known.byPackage[key] {
			if slices.ContainsFunc(parts, e.mine) {
				e.line(codes, key, parts)
			}
			continue
		}
		byPackage := map[int32][]share{}
		for _, x := range parts {
			byPackage[x.pkg] = append(byPackage[x.pkg], x)
		}
		for pkg, parts := range byPackage {
			if slices.ContainsFunc(parts, e.mine) {
				key.cell.Package = e.cases.Package.Level(pkg)
				e.line(codes, key, parts)
			}
		}
	}
	if e.uncomputed > 0 {
		m := &e.clause.Measure
		t, _, path := e.clauseAt(e.terms, e.version, e.index)
		e.faults.Add(t.doc, path+".measure", FaultFigure, "clause %s needs the %s part of the effect on %s by %s, which nobody computed for %s with cases%s",
			e.clause.ID, m.Part, m.Effect, m.Method, count(e.uncomputed, "cell"), strict.Suggest(fmt.Sprintf("%s (%s)", m.Method, m.Part), e.known.made[m.Effect]))
	}
	for _, confidence := range slices.Sorted(maps.Keys(e.unlike)) {
		t, _, path := e.clauseAt(e.terms, e.version, e.index)
		want := e.clause.Measure.Confidence
		e.faults.Add(t.doc, path+".measure.confidence", FaultFigure, "clause %s pays on intervals with confidence %s, and %s has them with %s: estimate again with that of the terms",
			e.clause.ID, want, count(e.unlike[confidence], "cell"), confidence)
	}
}

// line makes the line of one benchmark row, whose cases with a complete window
// are given in parts, or the faults that keep it from being made.
func (e *effectClause) line(codes cellCodes, key figureKey, parts []share) {
	t, _, path := e.clauseAt(e.terms, e.version, e.index)
	where := fmt.Sprintf("provider %s in %s, match group %s of %s", key.cell.Provider, key.cell.Municipality, key.cell.MatchGroup, key.cell.MatchScheme)
	if key.cell.Package != "" {
		where += ", package " + key.cell.Package
	}
	inseparable := func(format string, args ...any) {
		e.faults.Add(t.doc, path+".measure", FaultInseparable, "the effect of %s mixes cases: %s", where, fmt.Sprintf(format, args...))
	}
	indices := map[int32]int32{} // version -> index of this clause in it
	prices := map[Ore]bool{}
	n, kept := int64(0), len(e.faults)
	for _, x := range parts {
		n += x.n
		if x.agreement < 0 || e.of[x.agreement] != e.terms {
			inseparable("%s of the provider's are under another agreement or none; two agreements of one provider in a municipality can be settled only by packages of their own", count(x.n, "case"))
			continue
		}
		if x.version < 0 {
			inseparable("%s were referred outside the agreement's dates or when no version was in force; let the cohort's period in the run file leave them out", count(x.n, "case"))
			continue
		}
		offer := e.offer(e.terms, x.pkg)
		if offer == nil {
			continue // already counted as an undeclared package
		}
		if !e.clause.Conditions.allow(offer) {
			inseparable("%s are in package %s, for which clause %s does not pay; set by_package in the run file", count(x.n, "case"), offer.ID, e.clause.ID)
			continue
		}
		other := slices.IndexFunc(t.Versions[x.version].Clauses, func(c Clause) bool { return reflect.DeepEqual(c, *e.clause) })
		if other < 0 {
			inseparable("%s were referred under a version in which clause %s reads differently or does not stand; set applies_by: period, or estimate the versions' cohorts apart", count(x.n, "case"), e.clause.ID)
			continue
		}
		if t.Versions[x.version].ValidFrom > t.Versions[e.version].ValidFrom {
			return // the same words in a later version: the line is made there
		}
		indices[x.version] = int32(other)
		price, ok := e.clause.Schedule.price(t, key.cell.MatchScheme, key.cell.MatchGroup, offer.ID)
		if !ok && e.clause.Schedule.Pool == nil {
			e.unpriced[unpriced{e.terms, e.version, e.index, key.cell.MatchScheme, key.cell.MatchGroup, offer.ID}] += x.n
		}
		prices[price] = true
	}
	row := e.known.rows[key]
	switch {
	case row == nil:
		e.uncomputed++
	case row.Refusal == "" && !e.clause.Measure.hasConfidence(row.Confidence):
		e.unlike[text(row.Confidence)]++
	case len(prices) > 1:
		inseparable("its packages have different prices; set by_package in the run file")
	case row.Refusal == "" && row.N != n:
		e.faults.Add(t.doc, path+".measure", FaultStale, "the effect of %s is about %s, but %d have a complete window in the observations: estimate again", where, count(row.N, "case"), n)
	case len(e.faults) == kept:
		d := newDraft(t, int(e.version), int(e.index), key.cell, t.Periods.Period(e.obs.AsOf))
		d.Cases = n
		e.effects = append(e.effects, &effectLine{
			draft: d, key: key, row: row, measured: e.known.diagnostics[key], price: slices.Collect(maps.Keys(prices))[0],
		})
		for _, v := range slices.Sorted(maps.Keys(indices)) {
			d.stand(int(v))
		}
		for _, x := range parts {
			e.counted[countedKey{codes, x.pkg, e.terms, x.version, indices[x.version]}] = d.ID
		}
	}
}

// text writes a figure as the tables have it.
func text(x float64) string {
	if r := figure(x); r != nil {
		return exactText(r)
	}
	return "(none)"
}
