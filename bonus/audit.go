package bonus

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Audited is what came of working a line out again.
type Audited struct {
	Line    string `col:"line" doc:"line"`
	From    string `col:"from" doc:"what the line was worked out again from: entries, figures, lines or steps"`
	Differs string `col:"differs" doc:"what comes out otherwise; empty where the line is as it should be"`
}

// What a line is worked out again from.
const (
	FromEntries = "entries" // the cases behind it and the terms
	FromFigures = "figures" // the benchmark, the diagnostics and the terms
	FromLines   = "lines"   // the lines that a limit is about, and the terms
	FromSteps   = "steps"   // its own last steps: what comes before them rests on others
)

// Audit works every line of a settlement, or of a part of it with all lines of
// some providers, out again, in the order of the lines: the quantity from the
// entries or from the benchmark, the price from the terms, the gate from what was
// measured, the rounding, and limits of a provider in a settlement period.
//
// What rests on other providers is taken as it stands: Holm's adjusted p in the
// gate, the acceptance, indicators of gaming and figures that keep a line from
// being paid, who is credited for a case; and of a line of another kind the exact
// amount in its steps, of which only the rounding is done again. A gate that lets
// more pass than the terms do, an entry without a line and a line twice are
// found too.
func (s *Settlement) Audit(terms []*Terms, f Facts) []Audited {
	a := auditor{s: s, terms: terms, f: f, steps: map[string][]Step{}, entries: map[string][]Entry{}, gate: map[string][]GateRow{}}
	for _, x := range s.Steps {
		a.steps[x.Line] = append(a.steps[x.Line], x)
	}
	for _, x := range s.Entries {
		a.entries[x.Line] = append(a.entries[x.Line], x)
	}
	for _, x := range s.Gate {
		a.gate[x.Line] = append(a.gate[x.Line], x)
	}
	return a.audit()
}

// auditor holds an audit while it is made.
type auditor struct {
	s       *Settlement
	terms   []*Terms
	f       Facts
	steps   map[string][]Step
	entries map[string][]Entry
	gate    map[string][]GateRow
	effects []*effectLine
	judged  []*again // parallel to effects
}

// again is a line that was worked out again.
type again struct {
	*draft
	line *Line // as it stands
	out  *Audited
	// limit says that it is the line of a limit.
	limit bool
}

func (a *auditor) audit() []Audited {
	out := make([]Audited, len(a.s.Lines))
	type key struct{ agreement, provider, period string }
	groups, known := map[key][]*again{}, map[string]bool{}
	var order []key
	for i := range a.s.Lines {
		l := &a.s.Lines[i]
		out[i].Line = l.ID
		x := a.line(l, &out[i])
		if known[l.ID] {
			x.differ("the line stands twice")
		}
		known[l.ID] = true
		k := key{l.Agreement, l.Provider, l.Period}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], x)
	}
	a.payAgain()
	periods := map[key][][]*again{} // by agreement and provider, in the order of time
	var accounts []key
	for _, k := range order {
		a.round(groups[k])
		of := key{agreement: k.agreement, provider: k.provider}
		if periods[of] == nil {
			accounts = append(accounts, of)
		}
		periods[of] = append(periods[of], groups[k])
	}
	for _, k := range accounts {
		a.limits(periods[k])
	}
	for _, e := range a.s.Entries {
		if !known[e.Line] {
			known[e.Line] = true // once
			out = append(out, Audited{e.Line, FromEntries, "its entries belong to no line"})
		}
	}
	return out
}

// differ notes what comes out otherwise.
func (x *again) differ(format string, args ...any) {
	x.out.Differs = strings.TrimPrefix(x.out.Differs+"; "+fmt.Sprintf(format, args...), "; ")
}

// same compares one thing of the line.
func (x *again) same(what, stands, comes string) {
	if stands != comes {
		x.differ("%s is %s and comes out as %s", what, cmp.Or(stands, "empty"), cmp.Or(comes, "empty"))
	}
}

// line works out what comes before the rounding.
func (a *auditor) line(l *Line, out *Audited) *again {
	x := &again{draft: &draft{Line: *l}, line: l, out: out}
	out.From = FromSteps
	t, c := clauseOf(l, a.terms)
	if t == nil {
		x.differ("there are no terms of its agreement")
		return x
	}
	x.draft.terms = t
	switch {
	case l.TermsSHA256 != t.SHA256:
		x.differ("it was settled under other terms than there are")
		return x
	case slices.Contains(limitClauses(), l.Clause):
		x.limit = true
		a.last(x)
		return x
	case c == nil:
		x.differ("the terms have no such clause")
		return x
	case c.Measure.Score != nil || c.Schedule.Pool != nil:
		x.clause = c
		a.sumEntries(x)
		a.last(x)
	case len(a.entries[l.ID]) > 0:
		out.From = FromEntries
		if d := a.rebuild(l, t, c); d != nil {
			x.draft = d
			a.priceAgain(x)
		} else {
			x.differ("its name does not fit its clause, cell and period")
		}
	case c.Measure.Effect != "":
		out.From = FromFigures
		if d := a.rebuild(l, t, c); d != nil {
			x.draft = d
			a.judgeAgain(x)
		} else {
			x.differ("its name does not fit its clause, cell and period")
		}
	default:
		x.clause = c
		a.last(x)
	}
	return x
}

// rebuild makes the draft of a line anew: the band and the index factor are those
// that give its name.
func (a *auditor) rebuild(l *Line, t *Terms, c *Clause) *draft {
	period, err := effect.ParsePeriod(l.Period)
	if err != nil {
		return nil
	}
	v := slices.IndexFunc(t.Versions, func(v Version) bool { return v.ValidFrom == l.Version })
	at := slices.IndexFunc(t.Versions[v].Clauses, func(other Clause) bool { return other.ID == c.ID })
	cell := effect.Cell{Municipality: l.Municipality, MatchScheme: l.MatchScheme, MatchGroup: l.MatchGroup, Provider: l.Provider, Package: l.Package}
	bands, factors := 1, []int32{noFactor}
	if c.Schedule.Bands != nil {
		bands = len(c.Schedule.Bands.Steps)
	}
	if t.Indexation != nil {
		for i := range t.Indexation.Factors {
			factors = append(factors, int32(i))
		}
	}
	for band := range bands {
		for _, factor := range factors {
			d := newDraftAt(t, v, at, cell, period, int16(band), factor)
			if strings.HasSuffix(l.Clause, clawbackSuffix) && d.clause.Clawback != nil {
				d.takesBack(v)
			}
			if d.ID == l.ID {
				return d
			}
		}
	}
	return nil
}

// priceAgain gives a line of cases its quantity and price.
func (a *auditor) priceAgain(x *again) {
	quantity, cases := a.sumEntries(x)
	price, ok := x.clause.Schedule.price(x.draft.terms, x.line.MatchScheme, x.line.MatchGroup, x.line.Package)
	if !ok && !x.clause.Schedule.Bands.priced() {
		x.differ("the terms have no price for it")
		return
	}
	x.priced(quantity, price, "", "")
	x.Cases = cases
}

// sumEntries adds up the entries of a line, each of which must count in its
// settlement period, and counts its cases.
func (a *auditor) sumEntries(x *again) (quantity *big.Rat, n int64) {
	quantity = new(big.Rat)
	cases := map[string]bool{}
	period, err := effect.ParsePeriod(x.line.Period)
	for _, e := range a.entries[x.line.ID] {
		q, ok := new(big.Rat).SetString(e.Quantity)
		switch {
		case !ok:
			x.differ("an entry has a quantity that is no number")
			continue
		case err != nil || !period.Contains(e.On):
			x.differ("an entry counts on %s, outside the settlement period", e.On)
		}
		cases[e.Participation] = true
		quantity.Add(quantity, q)
	}
	if len(cases) > 0 {
		x.same("the quantity", x.line.Quantity, exactText(quantity))
	}
	return quantity, int64(len(cases))
}

// judgeAgain judges the figure of an effect again.
func (a *auditor) judgeAgain(x *again) {
	l, t := x.line, x.draft.terms
	row := rowOf(l, x.clause, a.f)
	if row == nil {
		x.differ("its figure is not among those of the benchmark")
		return
	}
	offer := l.Package
	if offer == "" {
		for i := range t.Packages {
			if x.clause.Conditions.allow(&t.Packages[i]) {
				offer = t.Packages[i].ID
				break
			}
		}
	}
	price, ok := x.clause.Schedule.price(t, l.MatchScheme, l.MatchGroup, offer)
	if !ok {
		x.differ("the terms have no price for it")
		return
	}
	key := figureKey{row.Outcome, row.Method, row.Part, row.Cell}
	e := &effectLine{draft: x.draft, key: key, row: row, price: price, measured: map[effect.DiagnosticName]*effect.Diagnostic{}}
	for i := range a.f.Diagnostics {
		d := &a.f.Diagnostics[i]
		if (figureKey{d.Outcome, d.Method, d.Part, d.Cell}) == key {
			e.measured[d.Name] = d
		}
	}
	adjusted, acceptance := math.NaN(), (*Acceptance)(nil)
	for _, g := range a.gate[l.ID] {
		switch {
		case g.Diagnostic == GateHolm:
			adjusted = g.Measured
		case g.Diagnostic == GateAcceptance && g.Accepted && x.clause.Gate.Acceptance != nil:
			acceptance = &Acceptance{Decisions: []Decision{{Role: x.clause.Gate.Acceptance.Role, Decision: Accepted}}}
		}
	}
	e.judge(adjusted, acceptance)
	e.outside = l.Stopped(ReasonIndicator) || l.Stopped(ReasonFigure) || l.Stopped(ReasonNoFigures)
	a.sameGate(x)
	a.effects, a.judged = append(a.effects, e), append(a.judged, x)
}

// payAgain gives the effects their quantities. Lines that stand in for each other
// are all of one provider.
func (a *auditor) payAgain() {
	poolEffects(a.effects)
	for i, e := range a.effects {
		x := a.judged[i]
		e.pay(nil) // which only a pool would need
		x.Cases = e.row.N
		// What else keeps it from being paid was decided outside the figure.
		stands := x.line.Reason
		if more := strings.TrimPrefix(strings.TrimPrefix(stands, x.Reason), "; "); strings.HasPrefix(stands, x.Reason) && more != "" && more != ReasonRounded {
			x.Reason, x.Quantity, x.exact = stands, "0", new(big.Rat)
		}
	}
}

// sameGate compares the gate with what stands.
func (a *auditor) sameGate(x *again) {
	stands := a.gate[x.line.ID]
	if len(stands) != len(x.gate) {
		x.differ("its gate has %s, and the terms ask for %d", count(int64(len(stands)), "row"), len(x.gate))
		return
	}
	for i, g := range x.gate {
		s := &stands[i]
		if s.Diagnostic == GateAcceptance && g.Diagnostic == GateAcceptance && s.Accepted == g.Accepted {
			continue // who accepted what is not known here
		}
		if s.Diagnostic != g.Diagnostic || s.State != g.State || s.Accepted != g.Accepted || text(s.Measured) != text(g.Measured) || text(s.Threshold) != text(g.Threshold) {
			x.differ("%s in its gate is %s at %s and comes out as %s at %s", s.Diagnostic, s.State, text(s.Measured), g.State, text(g.Measured))
		}
	}
}

// last takes the exact amount of a line from its steps.
func (a *auditor) last(x *again) {
	steps := a.steps[x.line.ID]
	for i := len(steps) - 1; i > 0; i-- {
		if steps[i].Section == sectionRounding {
			if exact, ok := new(big.Rat).SetString(steps[i-1].Value); ok {
				x.exact = exact
			}
			return
		}
	}
	// A line that was not rounded is what one of its steps says.
	if !slices.ContainsFunc(steps, func(step Step) bool { return step.Value == x.line.Amount.String() }) {
		x.differ("its amount is not that of any of its steps")
	}
}

// sectionRounding is the section of the step that rounds.
const sectionRounding = "rounding"

// round rounds the lines of a provider and settlement period, and compares them.
func (a *auditor) round(group []*again) {
	var drafts []*draft
	complete := true
	for _, x := range group {
		switch {
		case x.limit:
		case x.exact == nil:
			complete = false
		default:
			drafts = append(drafts, x.draft)
		}
	}
	if len(drafts) > 0 && (complete || drafts[0].terms.Rounding.Stage == StageLine) {
		slices.SortFunc(drafts, func(a, b *draft) int { return cmp.Compare(a.ID, b.ID) })
		if err := round(drafts); err != nil {
			group[0].differ("%s", err)
		}
	}
	for _, x := range group {
		if x.limit || x.exact == nil {
			continue
		}
		x.same("the amount", x.line.Amount.String(), x.Amount.String())
		if x.out.From != FromSteps {
			if x.out.From == FromFigures {
				x.same("the quantity", x.line.Quantity, x.Quantity)
			}
			x.same("the price of one", x.line.UnitPrice.String(), x.UnitPrice.String())
			x.same("the factor", x.line.Times, x.Times)
			x.same("the number of cases", fmt.Sprint(x.line.Cases), fmt.Sprint(x.Cases))
			x.same("the reason", x.line.Reason, x.Reason)
		}
	}
}

// limits works the lines of limits of a provider under an agreement out again, from
// the amounts that stand, in the order of time. The line of a limit of all
// providers together is taken as it stands.
func (a *auditor) limits(groups [][]*again) {
	first := groups[0][0]
	t, provider := first.draft.terms, first.line.Provider
	if t == nil {
		return
	}
	slices.SortStableFunc(groups, func(x, y []*again) int { return cmp.Compare(start(x), start(y)) })
	acc := &account{terms: t, owed: map[string]Ore{provider: a.opening(groups)}, paid: map[paidTo]Ore{}, providers: []string{provider}}
	for _, group := range groups {
		period, err := effect.ParsePeriod(group[0].line.Period)
		if err != nil {
			group[0].differ("it has no settlement period")
			return
		}
		acc.period, acc.version, acc.made = period, t.limitsFor(period), nil
		acc.lines = map[string][]*draft{}
		stands := map[string]*again{}
		for _, x := range group {
			if x.limit {
				stands[x.line.ID] = x
				continue
			}
			d := *x.draft
			d.Amount = x.line.Amount
			acc.lines[provider] = append(acc.lines[provider], &d)
		}
		if err := a.limitsOf(acc, provider, stands); err != nil {
			group[0].differ("%s", err)
			return
		}
		for _, d := range acc.made {
			x := stands[d.ID]
			if x == nil {
				group[0].differ("a limit of the period takes off %s in a line %s that is not there", d.Amount, d.Clause)
				continue
			}
			x.out.From = FromLines
			x.same("the amount", x.line.Amount.String(), d.Amount.String())
			delete(stands, d.ID)
		}
		for _, x := range group {
			if stands[x.line.ID] == x {
				x.differ("no limit of the period makes such a line")
			}
		}
	}
}

// limitsOf applies the limits of a period, and takes those lines out of the ones
// that stand which rest on other providers.
func (a *auditor) limitsOf(acc *account, provider string, stands map[string]*again) error {
	limits := acc.terms.Versions[acc.version].Limits
	for i := range limits {
		l := &limits[i]
		if l.onEntries() {
			continue
		}
		if l.Per != OfAgreement {
			if err := acc.apply(i, l); err != nil {
				return err
			}
			continue
		}
		// The line as it would be called, with the amount that stands.
		made := acc.made
		d := acc.add(i, l, provider, capClause, 0, 0, 0)
		acc.made = made
		if x := stands[d.ID]; x != nil {
			d.Amount = x.line.Amount
			delete(stands, d.ID)
		}
	}
	for _, k := range acc.terms.scopes(false) {
		now, err := acc.sum(k, provider)
		if err != nil {
			return err
		}
		to := acc.paidTo(k, provider)
		if acc.paid[to], err = sum(acc.paid[to], now); err != nil {
			return err
		}
	}
	return nil
}

// start is the first day of a settlement period.
func start(group []*again) effect.Date {
	period, _ := effect.ParsePeriod(group[0].line.Period)
	return period.Start
}

// opening is what the provider owed at first: as the facts say, or as the first line
// that carries something does.
func (a *auditor) opening(groups [][]*again) Ore {
	l := groups[0][0].line
	for _, b := range a.f.Opening {
		if b.Agreement == l.Agreement && b.Provider == l.Provider {
			return b.Amount
		}
	}
	for _, group := range groups {
		for _, x := range group {
			if x.line.Clause != carriedClause {
				continue
			}
			for _, step := range a.steps[x.line.ID] {
				if step.What == stepCarried {
					owed, _ := ParseOre(step.Value)
					return owed
				}
			}
		}
	}
	return 0
}
