package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Settled is a settlement and what is known of how it was made. It is only read.
type Settled struct {
	Settlement *bonus.Settlement
	Terms      []*bonus.Terms // what it was settled by, with their seals
	AsOf       effect.Date
	From, To   effect.Date // first and last day of the referrals that were measured
	// Inputs, RunFile and Manifest are the SHA-256 of the dataset's files, of the run
	// file and of the manifest of the results, as texts.
	Inputs, RunFile, Manifest string
}

// Plan is what is to be booked under an agreement.
type Plan struct {
	Booking  Booking
	Versions []Version
	Lines    []PlannedLine
	Accounts []Account
	Balances []Balance
	Blocked  []Blocked
	// Same says that the period is booked and that there is nothing to add.
	Same bool
	// Exits counts the cases that are taken back: by a correction after the day on
	// which they were to be paid, or by a line that takes back by the terms.
	Exits int64
}

// PlannedLine is a line with the cases behind it.
type PlannedLine struct {
	Line
	Cases []PlannedCase
}

// PlannedCase is a case before it has a key.
type PlannedCase struct {
	Case
	Participation string // "" where it was erased
}

// planner works out what is to be booked under one agreement.
type planner struct {
	settled *Settled
	terms   *bonus.Terms
	period  effect.Period // that is to be closed
	on      effect.Date
	state   *state
	keys    *caseKeys

	plan    *Plan
	periods map[string]effect.Period
	refused []error
}

// current is a line of the settlement that can be booked now.
type current struct {
	line    *bonus.Line
	key     string
	entries []*bonus.Entry
}

func (p *planner) refuse(code, cure, format string, args ...any) {
	p.refused = append(p.refused, &Refusal{Code: code, Agreement: p.terms.Agreement, Period: p.period.Name, Why: fmt.Sprintf(format, args...), Cure: cure})
}

// plans works out what is to be booked for a settlement period, by agreement. The
// error joins a [*Refusal] for every fault.
func (l *Ledger) plans(ctx context.Context, s *Settled, period string, on effect.Date) ([]*Plan, *caseKeys, error) {
	at, err := effect.ParsePeriod(period)
	if err != nil {
		return nil, nil, &Refusal{Code: RefusedNoPeriod, Period: period, Why: err.Error(), Cure: "name a settlement period of the terms"}
	}
	terms := slices.Clone(s.Terms)
	slices.SortFunc(terms, func(a, b *bonus.Terms) int { return cmp.Compare(a.Agreement, b.Agreement) })
	keys, err := l.caseKeys(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []*Plan
	var refused []error
	for _, t := range terms {
		if t.Periods.Period(at.Start).Name != at.Name {
			continue // its periods have another length
		}
		p := &planner{settled: s, terms: t, period: at, on: on, keys: keys, plan: &Plan{}, periods: map[string]effect.Period{}}
		if p.state, err = l.stateOf(ctx, t.Agreement); err != nil {
			return nil, nil, err
		}
		if err := p.make(); err != nil {
			return nil, nil, err
		}
		out = append(out, p.plan)
		refused = append(refused, p.refused...)
	}
	if len(out) == 0 {
		return nil, nil, &Refusal{Code: RefusedNoPeriod, Period: period, Why: fmt.Sprintf("%s is no settlement period of the terms at hand", period), Cure: "name a period of the length that the terms have under periods"}
	}
	return out, keys, errors.Join(refused...)
}

// make fills in the plan, or what keeps it from being booked. The error is of a
// settlement that no ledger can book.
func (p *planner) make() error {
	t, s := p.terms, p.settled
	p.plan.Booking = Booking{
		Agreement: t.Agreement, Currency: string(t.Currency), Period: p.period.Name, PeriodEnd: p.period.End - 1, AsOf: s.AsOf, CohortFrom: s.From, CohortTo: s.To, BookedOn: p.on,
		TermsSHA256: t.SHA256, RunFile: s.RunFile, Manifest: s.Manifest, Inputs: s.Inputs,
	}
	if t.Settlement == nil {
		p.refuse(RefusedNoCalendar, "add the key settlement to a new version's terms, and seal them", "%s has no key settlement, which says who accepts what is booked and when it is paid and closed", t.File)
		return nil
	}
	b, d := &p.plan.Booking, t.Settlement.Deadlines(p.period, p.on)
	b.Corrections = string(t.Settlement.Corrections)
	b.PaymentDue, b.ObjectionsTil, b.Final, b.Limitation = d.PaymentDue, d.ObjectionUntil, d.Final, d.Limitation
	lines, err := p.current()
	if err != nil {
		return err
	}
	b.Settlement = fingerprint(lines)
	p.plan.Blocked = p.blocked()
	if old := p.state.byPeriod[p.period.Name]; old != nil && old.Settlement == b.Settlement {
		p.plan.Same = true
		return nil
	}
	p.check(lines)
	if len(p.refused) > 0 {
		return nil
	}
	if err := p.differences(lines); err != nil {
		return err
	}
	if p.state.byPeriod[p.period.Name] != nil {
		if p.plan.Same = len(p.plan.Lines) == 0; !p.plan.Same {
			p.refuse(RefusedClosed, "book the next period by the same settlement: what differs becomes corrections there", "it is booked, and %d of its lines and those before it differ from what was booked", len(p.plan.Lines))
		}
		return nil
	}
	if err := p.balances(); err != nil {
		return err
	}
	if err := p.accounts(); err != nil {
		return err
	}
	p.plan.Booking.Content = p.plan.content()
	return nil
}

// periodOf is the settlement period of a name that a line has.
func (p *planner) periodOf(name string) (effect.Period, error) {
	at, ok := p.periods[name]
	if !ok {
		var err error
		if at, err = effect.ParsePeriod(name); err != nil {
			return at, fmt.Errorf("%w: a line of agreement %s has the period %q", bonus.ErrFacts, p.terms.Agreement, name)
		}
		p.periods[name] = at
	}
	return at, nil
}

// key is what a line is known by later, and whether it is an effect, which belongs
// to its cohort rather than to a settlement period.
func (p *planner) key(line *bonus.Line) (key string, effectOf bool) {
	for v := range p.terms.Versions {
		if p.terms.Versions[v].ValidFrom != line.Version {
			continue
		}
		for c := range p.terms.Versions[v].Clauses {
			if clause := &p.terms.Versions[v].Clauses[c]; clause.ID == line.Clause && clause.Measure.Effect != "" {
				parts := strings.Split(line.ID, "/") // a / in a name is written otherwise
				if len(parts) > 2 {
					parts[2] = cohortPrefix + p.settled.From.String()
				}
				return strings.Join(parts, "/"), true
			}
		}
	}
	return line.ID, false
}

// cohortPrefix stands before the first day of a cohort where a line's id has its
// period, which begins with a digit.
const cohortPrefix = "from "

// cohortOf is the first day of the cohort in a key, "" where it is of a period.
func cohortOf(key string) string {
	parts := strings.Split(key, "/")
	if len(parts) > 2 {
		if from, ok := strings.CutPrefix(parts[2], cohortPrefix); ok {
			return from
		}
	}
	return ""
}

// current are the lines of the agreement up to the period, by key. An effect that
// the settlement puts into a later period is decided there.
func (p *planner) current() ([]*current, error) {
	var out []*current
	lines := p.settled.Settlement.Lines
	byLine := make(map[string]*current, len(lines))
	for i := range lines {
		line := &lines[i]
		if line.Agreement != p.terms.Agreement {
			continue
		}
		at, err := p.periodOf(line.Period)
		if err != nil {
			return nil, err
		}
		key, ofEffect := p.key(line)
		if at.Start > p.period.Start || ofEffect && at.Start != p.period.Start {
			byLine[line.ID] = nil
			continue
		}
		c := &current{line: line, key: key}
		byLine[line.ID] = c
		out = append(out, c)
	}
	for i := range p.settled.Settlement.Entries {
		e := &p.settled.Settlement.Entries[i]
		if c := byLine[e.Line]; c != nil {
			c.entries = append(c.entries, e)
		}
	}
	slices.SortFunc(out, func(a, b *current) int { return cmp.Compare(a.key, b.key) })
	for i := 1; i < len(out); i++ {
		if out[i-1].key == out[i].key {
			return nil, fmt.Errorf("%w: two lines of the settlement are known by %s", bonus.ErrFacts, out[i].key)
		}
	}
	return out, nil
}

// fingerprint is a hash of lines and of the days and quantities behind them, in the
// order of their keys.
func fingerprint(lines []*current) string {
	h := sha256.New()
	var b []byte
	for _, c := range lines {
		b = b[:0]
		for _, v := range []any{c.key, c.line.ID, c.line.Cases, int64(c.line.UnitPrice), c.line.Quantity, int64(c.line.Amount), c.line.Reason, int64(len(c.entries))} {
			b = encode(b, v)
		}
		h.Write(b)
		slices.SortFunc(c.entries, func(a, b *bonus.Entry) int {
			return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Quantity, b.Quantity))
		})
		for _, e := range c.entries {
			b = encode(encode(b[:0], int64(e.On)), e.Quantity)
			h.Write(b)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// blocked are the lines of the period that a gate keeps from being paid.
func (p *planner) blocked() (out []Blocked) {
	lines := p.settled.Settlement.Lines
	for i := range lines {
		if l := &lines[i]; l.Agreement == p.terms.Agreement && l.Period == p.period.Name && l.Gated() {
			out = append(out, Blocked{Line: l.ID, Reason: l.Reason})
		}
	}
	slices.SortFunc(out, func(a, b Blocked) int { return cmp.Compare(a.Line, b.Line) })
	return out
}

// check finds everything that keeps the period from being booked.
func (p *planner) check(lines []*current) {
	s, last := p.settled, p.state.last()
	if p.period.End <= p.terms.Starts {
		p.refuse(RefusedOrder, "name a period of the agreement", "it ends before the agreement starts on %s", p.terms.Starts)
	}
	if s.AsOf < p.period.End-1 {
		p.refuse(RefusedNotOver, fmt.Sprintf("settle with as_of %s or later; until then figures are provisional", p.period.End-1), "it was settled by what was known on %s, before its last day, %s", s.AsOf, p.period.End-1)
	}
	if p.on < s.AsOf {
		p.refuse(RefusedDate, "give the day on which it is done", "the day given, %s, lies before as_of, %s", p.on, s.AsOf)
	}
	if last != nil {
		if p.period.End-1 < last.PeriodEnd {
			p.refuse(RefusedOrder, "book the period after that; what is settled otherwise for this one becomes corrections there", "%s, which is later, is booked", last.Period)
		}
		if s.AsOf < last.AsOf {
			p.refuse(RefusedOlder, fmt.Sprintf("settle with as_of %s or later", last.AsOf), "it was settled by what was known on %s, and %s was booked by what was known on %s", s.AsOf, last.Period, last.AsOf)
		}
		if p.on < last.BookedOn {
			p.refuse(RefusedOlder, "give the day on which it is done", "the day given, %s, lies before %s, when %s was booked", p.on, last.BookedOn, last.Period)
		}
	}
	p.checkOrder(lines, last)
	p.checkSeals(lines)
	p.checkVersions()
	p.checkCohort()
}

// checkOrder looks for an earlier period that has lines and was never closed.
func (p *planner) checkOrder(lines []*current, last *Booking) {
	open := map[string]effect.Date{}
	for _, c := range lines {
		at := p.periods[c.line.Period]
		if at.Start < p.period.Start && (last == nil || at.End-1 > last.PeriodEnd) {
			open[at.Name] = at.Start
		}
	}
	if len(open) > 0 {
		names := slices.SortedFunc(maps.Keys(open), func(a, b string) int { return cmp.Compare(open[a], open[b]) })
		p.refuse(RefusedOrder, "book "+names[0]+" first", "earlier periods have lines and are not booked: %s", strings.Join(names, ", "))
	}
}

// checkSeals refuses lines whose terms were not sealed in time; without lines it
// looks at the versions in force in the period.
func (p *planner) checkSeals(lines []*current) {
	const cure = "nothing that the terms pay retrospectively is booked; only a version sealed before its first referral is"
	why := map[string]int{}
	for _, c := range lines {
		if c.line.Standing != bonus.StandingSealed {
			why[c.line.StandingWhy]++
		}
	}
	for _, w := range slices.Sorted(maps.Keys(why)) {
		p.refuse(RefusedRetrospective, cure, "%d of its lines are retrospective: %s", why[w], w)
	}
	if len(lines) > 0 {
		return
	}
	for v := range p.terms.Versions {
		if sealed, w := p.terms.Standing(v); !sealed && p.terms.Versions[v].ValidFrom < p.period.End && p.period.Start < p.terms.Until(v) {
			p.refuse(RefusedRetrospective, cure, "the terms are retrospective: %s", w)
		}
	}
}

// checkVersions refuses terms in which a version that was booked under reads
// otherwise now.
func (p *planner) checkVersions() {
	seen := map[effect.Date]bool{}
	for _, v := range p.state.versions {
		if seen[v.Version] {
			continue
		}
		seen[v.Version] = true
		at := slices.IndexFunc(p.terms.Versions, func(x bonus.Version) bool { return x.ValidFrom == v.Version })
		if p.terms.Reading(at) != v.Reading {
			p.refuse(RefusedRepriced, "put the text back, and give the change a version of its own", "lines were booked under the version valid from %s, which reads otherwise in %s now, or is not there: what was booked keeps its price", v.Version, p.terms.File)
		}
	}
}

// checkCohort holds the referrals that were measured against those of what was
// booked.
func (p *planner) checkCohort() {
	s := p.settled
	span := func(from, to effect.Date) string { return fmt.Sprintf("%s to %s", from, to) }
	if s.From == effect.NoDate || s.To < s.From {
		p.refuse(RefusedCohort, "name the cohort's period in the run file", "nothing says which referrals were measured")
		return
	}
	told := map[string]bool{}
	refuse := func(cure, format string, args ...any) {
		if why := fmt.Sprintf(format, args...); !told[why] {
			told[why] = true
			p.refuse(RefusedCohort, cure, "%s", why)
		}
	}
	for _, key := range p.state.order {
		k := p.state.keys[key]
		if k.by == nil {
			continue
		}
		from, to := k.by.CohortFrom, k.by.CohortTo
		wide := "let cohort.period in the run file begin on " + min(from, s.From).String() + " and end on " + max(to, s.To).String() + " or later"
		switch {
		case cohortOf(key) == "" && (s.From > from || s.To < to):
			refuse(wide, "lines of counted cases were booked of referrals from %s, and the settlement measured those from %s: cases that it does not look at would seem to have vanished", span(from, to), span(s.From, s.To))
		case cohortOf(key) != "" && from == s.From && s.To < to:
			refuse(wide, "effects were booked of referrals from %s, and the settlement measured those from %s only", span(from, to), span(s.From, s.To))
		case cohortOf(key) != "" && from != s.From && from <= s.To && s.From <= to:
			refuse(fmt.Sprintf("measure referrals from %s on, which replaces what was booked, or from the day after %s on, which adds to it", from, to),
				"effects were booked of referrals from %s, and the settlement measured those from %s: the same cases would be paid for twice", span(from, to), span(s.From, s.To))
		}
	}
}

// differences makes the lines: what is new, and what differs from what was booked.
func (p *planner) differences(lines []*current) error {
	p.plan.Lines = make([]PlannedLine, 0, len(lines))
	for _, c := range lines {
		if err := p.difference(c.key, c); err != nil {
			return err
		}
	}
	// What was booked and is not there any more. Effects are decided in the period of
	// as_of, and those of another cohort are no concern of this settlement.
	effects := p.terms.Periods.Period(p.settled.AsOf).Start == p.period.Start
	for _, key := range p.state.order {
		_, there := slices.BinarySearchFunc(lines, key, func(c *current, key string) int { return cmp.Compare(c.key, key) })
		from := cohortOf(key)
		if there || from != "" && (!effects || from != p.settled.From.String()) {
			continue
		}
		if err := p.difference(key, nil); err != nil {
			return err
		}
	}
	starts := map[string]effect.Date{}
	for _, l := range p.plan.Lines {
		at, err := p.periodOf(l.Period)
		if err != nil {
			return err
		}
		starts[l.Period] = at.Start
	}
	slices.SortFunc(p.plan.Lines, func(a, b PlannedLine) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Provider, b.Provider), cmp.Compare(starts[a.Period], starts[b.Period]), cmp.Compare(a.Key, b.Key))
	})
	p.lineVersions()
	return nil
}

// difference makes the line of a key, if anything of it differs from what was booked.
func (p *planner) difference(key string, c *current) error {
	was := p.state.keys[key]
	known := was != nil && was.by != nil
	if !known && c == nil {
		return nil
	}
	line := Line{Kind: KindBooked, Key: key, QuantityBefore: "0", Quantity: "0"}
	if known {
		b := was.line
		line.Kind, line.Line, line.Corrects = KindCorrection, b.Line, b.Line
		line.Provider, line.Period, line.Clause = b.Provider, b.Period, b.Clause
		line.UnitPrice, line.QuantityBefore, line.AmountBefore = b.UnitPrice, b.Quantity, b.AmountNow
	}
	var entries []*bonus.Entry
	if c != nil {
		l := c.line
		line.Line, line.Provider, line.Period, line.Clause = l.ID, l.Provider, l.Period, l.Clause
		line.Cases, line.UnitPrice, line.Quantity, line.AmountNow, line.Reason = l.Cases, l.UnitPrice, cmp.Or(l.Quantity, "0"), l.Amount, l.Reason
		entries = c.entries
	}
	at, err := p.periodOf(line.Period)
	if err != nil {
		return err
	}
	if line.Amount, err = sub(line.AmountNow, line.AmountBefore); err != nil {
		return err
	}
	cases, err := p.caseDifferences(entries, was)
	if err != nil {
		return err
	}
	closed := at.Start < p.period.Start || p.state.byPeriod[at.Name] != nil
	if known && line.Amount == 0 && line.Quantity == line.QuantityBefore && len(cases) == 0 ||
		!known && closed && line.Amount == 0 && len(cases) == 0 {
		return nil
	}
	if !known && closed {
		line.Kind = KindCorrection // of a period that was closed without it
	}
	d := p.deadlines(at)
	switch {
	case p.on > d.Limitation:
		line.Kind, line.Reason = KindTooLate, fmt.Sprintf("claims of %s lapsed after %s", at.Name, d.Limitation)
	case line.Kind == KindCorrection && p.on > d.Final:
		line.Kind, line.Reason = KindTooLate, fmt.Sprintf("%s was finally closed after %s", at.Name, d.Final)
	}
	if line.Kind == KindTooLate && was != nil && was.late != nil && was.late.AmountNow == line.AmountNow && was.late.Quantity == line.Quantity {
		return nil // it is listed already
	}
	if line.Kind == KindBooked || line.Kind == KindCorrection && p.on > d.PaymentDue {
		for i := range cases {
			if less(cases[i].Now, cases[i].Before) {
				p.plan.Exits++
			}
		}
	}
	p.plan.Lines = append(p.plan.Lines, PlannedLine{Line: line, Cases: cases})
	return nil
}

// deadlines are the dates of a period as they stand in its booking, and as the terms
// say now where it has none.
func (p *planner) deadlines(at effect.Period) bonus.Deadlines {
	if b := p.state.byPeriod[at.Name]; b != nil {
		return bonus.Deadlines{PaymentDue: b.PaymentDue, ObjectionUntil: b.ObjectionsTil, Final: b.Final, Limitation: b.Limitation}
	}
	return p.terms.Settlement.Deadlines(at, p.on)
}

// caseDifferences are the cases of which a line counts another quantity than was
// booked. A case whose key was erased is taken for one of the settlement that has
// no key, and the same day and quantity.
func (p *planner) caseDifferences(entries []*bonus.Entry, was *booked) (out []PlannedCase, err error) {
	left := map[caseDay]bool{} // booked cases that the settlement has not been seen to have
	var before map[caseDay]string
	if was != nil && was.by != nil {
		before = was.cases
		for c := range before {
			left[c] = true
		}
	}
	slices.SortFunc(entries, func(a, b *bonus.Entry) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Participation, b.Participation))
	})
	var unknown []PlannedCase
	for i := 0; i < len(entries); {
		c := PlannedCase{Case{On: entries[i].On, Before: "0"}, entries[i].Participation}
		for ; i < len(entries) && entries[i].On == c.On && entries[i].Participation == c.Participation; i++ {
			if c.Now, err = plus(c.Now, entries[i].Quantity); err != nil {
				return nil, fmt.Errorf("%w: a case of line %s: %w", bonus.ErrFacts, entries[i].Line, err)
			}
		}
		if c.Case.Case = p.keys.of[c.Participation]; c.Case.Case == "" {
			if c.Now != "0" {
				unknown = append(unknown, c)
			}
			continue
		}
		day := caseDay{c.Case.Case, c.On}
		delete(left, day)
		if c.Before = cmp.Or(before[day], "0"); c.Before != c.Now {
			out = append(out, c)
		}
	}
	type like struct {
		on       effect.Date
		quantity string
	}
	erased := map[like][]caseDay{}
	for c := range left {
		if p.keys.alive[c.key] == "" {
			k := like{c.on, before[c]}
			erased[k] = append(erased[k], c)
		}
	}
	for _, of := range erased {
		slices.SortFunc(of, func(a, b caseDay) int { return cmp.Compare(a.key, b.key) })
	}
	for _, c := range unknown {
		k := like{c.On, c.Now}
		if of := erased[k]; len(of) > 0 {
			delete(left, of[0])
			erased[k] = of[1:]
			continue
		}
		out = append(out, c)
	}
	for c := range left {
		out = append(out, PlannedCase{Case: Case{Case: c.key, On: c.on, Before: before[c], Now: "0"}, Participation: p.keys.alive[c.key]})
	}
	sortCases(out)
	return out, nil
}

// sortCases puts cases into an order that does not hang on who they are: by day,
// quantities and random key.
func sortCases(cases []PlannedCase) {
	slices.SortStableFunc(cases, func(a, b PlannedCase) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Before, b.Before), cmp.Compare(a.Now, b.Now), cmp.Compare(a.Case.Case, b.Case.Case))
	})
}

// lineVersions notes how the versions read that lines are booked under, unless an
// earlier booking did.
func (p *planner) lineVersions() {
	noted := map[effect.Date]bool{}
	for _, v := range p.state.versions {
		noted[v.Version] = true
	}
	lines := p.settled.Settlement.Lines
	for v := range p.terms.Versions {
		from := p.terms.Versions[v].ValidFrom
		if !noted[from] && slices.ContainsFunc(lines, func(l bonus.Line) bool { return l.Agreement == p.terms.Agreement && l.Version == from }) {
			p.plan.Versions = append(p.plan.Versions, Version{Version: from, Reading: p.terms.Reading(v)})
		}
	}
}

// balances are what limits carry from the period to the next: what they carry from
// the last period of the settlement, without what they took in the periods after this.
func (p *planner) balances() (err error) {
	owed := map[string]bonus.Ore{}
	for _, c := range p.settled.Settlement.Carried {
		if c.Agreement == p.terms.Agreement {
			owed[c.Provider] = c.Amount
		}
	}
	for _, l := range p.settled.Settlement.Lines {
		if l.Agreement != p.terms.Agreement || l.Clause != bonus.CarriedClause {
			continue
		}
		at, wrong := p.periodOf(l.Period)
		if wrong != nil {
			return wrong
		}
		if at.Start > p.period.Start {
			owed[l.Provider], err = add(owed[l.Provider], l.Amount, err)
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(owed)) {
		if owed[provider] != 0 {
			p.plan.Balances = append(p.plan.Balances, Balance{Provider: provider, Amount: owed[provider]})
		}
	}
	return err
}

// accounts works out what each provider is due.
func (p *planner) accounts() (err error) {
	of := map[string]*Account{}
	account := func(provider string) *Account {
		if of[provider] == nil {
			of[provider] = &Account{Provider: provider}
		}
		return of[provider]
	}
	for _, a := range p.state.accounts {
		if a.Carried != 0 {
			account(a.Provider).Opening = a.Carried
		}
	}
	for i := range p.plan.Lines {
		l := &p.plan.Lines[i]
		a := account(l.Provider)
		switch l.Kind {
		case KindBooked:
			a.Lines, err = add(a.Lines, l.Amount, err)
		case KindCorrection:
			a.Corrections, err = add(a.Corrections, l.Amount, err)
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(of)) {
		a := of[provider]
		err = a.close(bonus.Corrections(p.plan.Booking.Corrections), err)
		p.plan.Accounts = append(p.plan.Accounts, *a)
	}
	if err != nil {
		return fmt.Errorf("agreement %s, %s: %w", p.terms.Agreement, p.period.Name, err)
	}
	return nil
}

// close fills in what follows from opening, lines and corrections.
func (a *Account) close(corrections bonus.Corrections, err error) error {
	a.Due, err = add(a.Opening, a.Lines, err)
	a.Due, err = add(a.Due, a.Corrections, err)
	owed, err := add(-a.Opening, -min(a.Corrections, 0), err)
	gained, err := add(a.Lines, max(a.Corrections, 0), err)
	a.SetOff = max(0, min(owed, gained))
	switch {
	case a.Due >= 0:
		a.Pay = a.Due
	case corrections == bonus.SetOff:
		a.Carried = a.Due
	default:
		a.Claimed = -a.Due
	}
	return err
}

// add adds two amounts, unless there was an error; the error wraps bonus.ErrOverflow.
func add(a, b bonus.Ore, err error) (bonus.Ore, error) {
	if err != nil {
		return 0, err
	}
	c := a + b
	if (c > a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%w: a sum of two amounts", bonus.ErrOverflow)
	}
	return c, nil
}

// sub is a difference; the error wraps bonus.ErrOverflow.
func sub(a, b bonus.Ore) (bonus.Ore, error) {
	c := a - b
	if (c < a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%w: a difference of two amounts", bonus.ErrOverflow)
	}
	return c, nil
}

// plus adds two quantities exactly; "" is none.
func plus(a, b string) (string, error) {
	if a == "" && (b == "1" || b == "0") {
		return b, nil
	}
	x, ok := new(big.Rat).SetString(cmp.Or(a, "0"))
	y, fine := new(big.Rat).SetString(b)
	if !ok || !fine {
		return "", fmt.Errorf("%q is no quantity", b)
	}
	x.Add(x, y)
	if digits, exact := x.FloatPrec(); exact {
		return x.FloatString(digits), nil
	}
	return x.RatString(), nil
}

// less compares two quantities; what is none is less than nothing.
func less(a, b string) bool {
	x, _ := new(big.Rat).SetString(a)
	y, ok := new(big.Rat).SetString(b)
	return x != nil && ok && x.Cmp(y) < 0
}

// content is the hash of what is booked: of everything but the numbers of rows, the
// keys of cases, and who booked it, when, and from which files.
func (p *Plan) content() string {
	c := newContent()
	var args []any
	write := func(table int, row any) {
		args = values(args[:0], row)
		c.add(table, args)
	}
	write(tableBookings, p.Booking)
	for _, v := range p.Versions {
		write(tableVersions, v)
	}
	for i := range p.Lines {
		write(tableLines, p.Lines[i].Line)
		for j := range p.Lines[i].Cases {
			write(tableCases, p.Lines[i].Cases[j].Case)
		}
	}
	for _, a := range p.Accounts {
		write(tableAccounts, a)
	}
	for _, x := range p.Balances {
		write(tableBalances, x)
	}
	return c.sum()
}

// content hashes what is booked under an agreement.
type content struct {
	h     hash.Hash
	b     []byte
	known map[int][]bool // by table: the columns that are part of it
}

func newContent() *content {
	c := &content{h: sha256.New(), known: map[int][]bool{}}
	for t, table := range tables {
		for _, name := range table.names() {
			part := name != "booking" && name != "line" && name != "case_key"
			switch t {
			case tableLines:
				part = name != "booking"
			case tableBookings:
				part = slices.Contains([]string{
					"agreement_id", "currency", "period", "period_end", "cohort_from", "cohort_to", "settlement", "terms_sha256", "corrections", "payment_due", "final", "limitation",
				}, name)
			}
			c.known[t] = append(c.known[t], part)
		}
	}
	return c
}

// add adds a row, without its number.
func (c *content) add(table int, values []any) {
	c.b = append(c.b[:0], byte(table))
	for i, v := range values {
		if c.known[table][i] {
			c.b = encode(c.b, v)
		}
	}
	c.h.Write(c.b)
}

func (c *content) sum() string { return hex.EncodeToString(c.h.Sum(nil)) }

// accepted is the hash that somebody accepts: of the contents in the order of the
// agreements, where there are several, and else the content.
func accepted(contents []string) string {
	if len(contents) == 1 {
		return contents[0]
	}
	h := sha256.New()
	for _, c := range contents {
		h.Write([]byte(c))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// CasesOf tells the cases behind a line of a plan that are not as they were booked
// before, one text for each: the case, or its key where it was erased; the day; and
// its quantity before and now.
func (p *Plan) CasesOf(l *PlannedLine) (out []string) {
	for _, c := range l.Cases {
		who := "case " + c.Participation
		if c.Participation == "" {
			who = "case with the key " + c.Case.Case
		}
		what := fmt.Sprintf("%s, now %s", c.Before, c.Now)
		switch "0" {
		case c.Before:
			what = "added with " + c.Now
		case c.Now:
			what = "taken back, " + c.Before
		}
		out = append(out, fmt.Sprintf("%s on %s: %s", who, c.On, what))
	}
	return out
}
