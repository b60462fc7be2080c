package bonus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// ErrFacts is wrapped by the error about facts that no settlement can be made
// from: no observations, columns of different lengths, the same figure twice.
var ErrFacts = errors.New("bonus: facts cannot be used")

// Facts are what is known: the outcomes of each case, and the figures and
// diagnostics of each cell. They are only read.
type Facts struct {
	Observations *effect.Observations
	Benchmark    []effect.BenchmarkRow // needed by effect clauses only
	Diagnostics  []effect.Diagnostic
	Indicators   []watch.Row // needed by conditions on indicators only
	Figures      []Figure    // needed by clauses that look at figures only
	Evidence     []Evidence  // needed by conditions on evidence only
	// Purchases are needed by upkeep only, and PurchasesFrom says what tells them;
	// "" where nothing does, and then what is settled stands in for them.
	Purchases     []Purchase
	PurchasesFrom PurchaseSource
	// Acceptance is what was decided on the diagnostics before the effects were
	// seen; nil where nobody was asked.
	Acceptance *Acceptance
	// Opening is what providers owed before the first settlement period of these
	// facts, under terms whose limits carry forward what is negative.
	Opening []Balance
}

// Settle works out what each terms file pays on the facts. Terms must be about
// different agreements; cases of other agreements are left alone.
//
// What cases have started or reached is paid in the settlement period it was reached in, an
// effect in the one that as_of lies in. Every case of an agreement gets a
// [CaseLine] for each clause of its version, with the first rule that holds of:
// outside_agreement, no_provider, no_version_in_force, excluded,
// package_not_eligible, earlier_case, too_late, outside_weeks, evidence_pending,
// evidence_missing, not_reached, pending, left, not_started, not_followed, counts_in,
// already_paid, credited_to_another, no_case_with_role, paid_under_another_clause,
// paid_under_another_agreement, indicator, figure_missing, figure, over_limit,
// not_due, counted.
//
// Where a gate asks for Holm, the family is every figure with a verdict that an
// effect line of the settlement rests on, of all terms, whether or not its own
// clause asks for Holm or its gate is open; a figure that two clauses pay on
// counts once. The p is two-sided, by Student's t with the figure's own degrees
// of freedom, as its interval is; it passes at or below 1 - confidence.
//
// The error is a [*Faults] with everything that is missing or ambiguous, and
// then nothing is settled; or it wraps [ErrFacts], [ErrOverflow] or the error
// of ctx. The result is the same whatever order rows and terms come in.
func Settle(ctx context.Context, terms []*Terms, f Facts) (*Settlement, error) {
	s, err := newSettler(terms, f)
	if err != nil {
		return nil, err
	}
	if err := s.newScorers(); err != nil {
		return nil, err
	}
	if err := s.newEstimates(ctx); err != nil {
		return nil, err
	}
	if err := s.judgeCases(ctx); err != nil {
		return nil, err
	}
	if err := s.caseLines(); err != nil {
		return nil, err
	}
	if err := s.effectLines(ctx); err != nil {
		return nil, err
	}
	s.effectsOfProviders()
	s.scores()
	s.dividePools()
	s.countedFaults()
	s.attributionFaults()
	if err := s.faults.Err(); err != nil {
		return nil, err
	}
	if err := s.amounts(); err != nil {
		return nil, err
	}
	out := s.settlement()
	rows, warnings, err := s.upkeep(out.Lines)
	out.Upkeep, out.Warnings = rows, append(out.Warnings, warnings...)
	return out, err
}

// settler holds a settlement while it is made.
type settler struct {
	obs    *effect.Observations
	cases  *effect.Cases
	terms  []*Terms // by agreement
	of     []int32  // agreement code -> index into terms, -1 for none
	group  []int32  // by terms: the first of those that count together
	offers [][]*OfferPackage
	facts  Facts

	indicators map[place]map[watch.Indicator]*watch.Row
	evidence   map[evidenceKey]effect.Date

	rows    []CaseLine
	origin  []origin // parallel to rows
	entries map[clauseKey][]entry
	periods map[periodKey]effect.Period
	byDays  map[*Clause]bool

	// The cases of each person and the rows of each case, where attribution or a
	// window asks; judged is how many rows there were then.
	personFrom, personCases, rowsFrom []int32
	judged                            int32
	unsorted                          bool           // rows were added at the end
	cutShort                          map[int32]bool // terms that need cases which the cohort left out
	carried                           []Balance

	seen      []int32 // case -> the line in which it was counted last, of so many marks
	marks     int32
	texts     map[fraction]string
	able      []entry                                     // the cases that the event at hand can be credited to
	found     []piece                                     // what the case at hand has
	referrals map[bandKey]map[int32]map[effect.Date]int64 // by clause, provider and day
	bandSums  map[bandKey]fraction                        // what bands had counted by the end of the period

	book      *FigureBook
	scorers   map[scoreClause]*scorer
	estimates *estimates // for scores
	pools     map[poolKey][]*draft

	drafts        []*draft
	decided       []Decided
	decisionSteps []Step
	effects       []*effectLine // drafts of effects that wait for each other's figures
	undeclared    map[undeclared]int64
	unpriced      map[unpriced]int64
	faults        strict.Gathered
}

// origin is the case and the clause of a row; version is -1 where no clause applies.
type origin struct{ at, version, clause int32 }

// periodKey is a day under terms.
type periodKey struct {
	terms *Terms
	on    effect.Date
}

// clauseKey is a clause in all its versions.
type clauseKey struct {
	terms int32
	id    string
}

// draft is a line before it is rounded.
type draft struct {
	Line
	terms   *Terms
	clause  *Clause
	period  effect.Period
	band    int16    // of the clause's bands
	factor  int32    // of the indexation, or noFactor
	exact   *big.Rat // kroner
	weight  *big.Rat // of its share in a pool
	entries []entry  // the cases behind it, of a clause on cases
	steps   []Step
	notes   []Step // beside the sum: they stand after the steps
	gate    []GateRow
	applied int    // of a limit's line: its place among the limits of the version, from 1
	limit   string // of a limit's line: what stands for the clause in its id
	about   string // of a limit's line: the clauses that the limit is about
}

// step adds a step to the line.
func (d *draft) step(what, value, unit, section string) {
	d.steps = append(d.steps, Step{What: what, Value: value, Unit: unit, Section: section})
}

func newSettler(terms []*Terms, f Facts) (*settler, error) {
	if f.Observations == nil || f.Observations.Cases == nil {
		return nil, fmt.Errorf("%w: there are no observations", ErrFacts)
	}
	s := &settler{
		obs: f.Observations, cases: f.Observations.Cases, facts: f,
		terms: slices.Clone(terms), entries: map[clauseKey][]entry{},
		undeclared: map[undeclared]int64{}, unpriced: map[unpriced]int64{}, pools: map[poolKey][]*draft{}, cutShort: map[int32]bool{},
		indicators: indicators(f.Indicators), evidence: firstEvidence(f.Evidence),
		periods: map[periodKey]effect.Period{}, byDays: map[*Clause]bool{}, texts: map[fraction]string{},
	}
	var err error
	if s.book, err = NewFigureBook(f.Figures); err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.terms, func(a, b *Terms) int {
		return cmp.Or(cmp.Compare(a.Agreement, b.Agreement), cmp.Compare(a.File, b.File))
	})
	n := s.cases.Len()
	for _, r := range s.obs.Results {
		if len(r.Status) != n || len(r.Reason) != n || len(r.ReachedOn) != n || len(r.Complete) != n || r.Absence && len(r.Followed) != n {
			return nil, fmt.Errorf("%w: outcome %s does not have one row for each of the %d cases", ErrFacts, r.Outcome, n)
		}
	}
	units, dated := map[string]effect.Unit{}, []string{}
	for _, r := range s.obs.Results {
		units[r.Outcome] = r.Unit
		if r.Dates.Kept() {
			dated = append(dated, r.Outcome)
		}
	}
	if found := (*Faults)(nil); errors.As(Together(s.terms), &found) {
		s.faults = append(s.faults, found.List...)
	}
	s.of = slices.Repeat([]int32{-1}, len(s.cases.Agreement.Levels))
	for i, t := range s.terms {
		if i > 0 && s.terms[i-1].Agreement == t.Agreement {
			s.faults.Add(t.doc, "agreement", FaultAgreement, "agreement %q has terms in %s too", t.Agreement, s.terms[i-1].File)
			continue
		}
		if code := s.cases.Agreement.Code(t.Agreement); code >= 0 {
			s.of[code] = int32(i)
		}
		offers := make([]*OfferPackage, len(s.cases.Package.Levels))
		for code, id := range s.cases.Package.Levels {
			offers[code] = t.offer(id)
		}
		s.offers = append(s.offers, offers)
		s.faults = append(s.faults, t.checkOutcomes(units, dated)...)
	}
	s.findGroups()
	// Without the outcomes or with two terms for one agreement, what follows
	// would only add faults that come from these.
	return s, s.faults.Err()
}

// eachClause goes through the clauses of all versions.
func (t *Terms) eachClause(yield func(v, c int, clause *Clause)) {
	for v := range t.Versions {
		for c := range t.Versions[v].Clauses {
			yield(v, c, &t.Versions[v].Clauses[c])
		}
	}
}

// offer is the declared package of a case, nil where there is none.
func (s *settler) offer(terms, pkg int32) *OfferPackage {
	if pkg < 0 {
		return nil
	}
	return s.offers[terms][pkg]
}

// termsOf is the index of the terms that a case is under, -1 for none.
func (s *settler) termsOf(i int32) int32 {
	if a := s.cases.Agreement.CodeAt(int(i)); a >= 0 {
		return s.of[a]
	}
	return -1
}

// stopEvery is how many cases are handled between looks at the context.
const stopEvery = 1 << 16

// judgeCases makes the rows of the cases. Reached outcomes that count are
// candidates until it is known which of a citizen's cases was first.
func (s *settler) judgeCases(ctx context.Context) error {
	excluded, outside := map[effect.Reason]string{}, s.outsidePeriod()
	n := s.countRows()
	s.rows, s.origin = make([]CaseLine, 0, n), make([]origin, 0, n)
	found := map[clauseKey]*blocks{}
	for i := range int32(s.cases.Len()) {
		if i%stopEvery == 0 && ctx.Err() != nil {
			return effect.Stopped(ctx)
		}
		ti := s.termsOf(i)
		if ti < 0 {
			continue
		}
		t := s.terms[ti]
		id := s.cases.ID.At(int(i)).String()
		add := func(clause, rule string, v, c int) {
			s.rows = append(s.rows, CaseLine{Participation: id, Clause: clause, Rule: rule})
			s.origin = append(s.origin, origin{i, int32(v), int32(c)})
		}
		if !t.covers(s.cases.Referral[i]) {
			add("", RuleOutsideAgreement, -1, -1)
			continue
		}
		if s.cases.Provider.CodeAt(int(i)) < 0 {
			add("", RuleNoProvider, -1, -1)
			continue
		}
		before, known := len(s.rows), false
		var failed error
		t.eachClause(func(v, c int, clause *Clause) {
			if clause.Measure.Score != nil {
				rule, ok := s.scorers[scoreClause{ti, int32(v), int32(c)}].judge(i)
				if ok {
					add(clause.ID, rule, v, c)
				}
				known = known || !clause.Measure.Score.ofCases()
				return
			}
			rule, reason, event := clause.Measure.find(s, i)
			pieces, err := s.piecesIn(i, v, clause, rule, event)
			if err != nil {
				failed = err
			}
			if len(pieces) == 0 {
				return
			}
			ofCases := clause.Measure.OfCases()
			missed := ""
			if ofCases {
				pieces, missed = s.holding(clause, i, rule, pieces)
			}
			pkg := s.cases.Package.CodeAt(int(i))
			offer := s.offer(ti, pkg)
			switch {
			case rule == RuleExcluded:
				if rule = excluded[reason]; rule == "" {
					rule = strings.TrimSuffix(RuleExcluded+":"+reason.String(), ":")
					excluded[reason] = rule
				}
			case offer != nil && !clause.Conditions.allow(offer):
				rule = RulePackageNotEligible
			case rule == RuleCounted && ofCases && outside[citizen{s.cases.Person[i], s.group[ti]}].before(s.cases, i):
				rule = RuleEarlierCase
			case missed != "":
				rule = missed
			case rule == RuleCounted && offer == nil:
				s.undeclared[undeclared{ti, int32(v), int32(c), pkg}]++
			case rule == RuleCounted && ofCases:
				key := clauseKey{ti, clause.ID}
				if found[key] == nil {
					found[key] = &blocks{}
				}
				for _, p := range pieces {
					found[key].add(entry{
						row: int32(len(s.rows)), at: i, terms: ti, version: int32(v), clause: int32(c),
						provider: s.cases.Provider.CodeAt(int(i)), on: p.on, quantity: p.quantity,
						by: i, since: p.on,
					})
				}
			}
			add(clause.ID, rule, v, c)
		})
		if failed != nil {
			return failed
		}
		if len(s.rows) == before && !known {
			add("", RuleNoVersion, -1, -1)
		}
	}
	for key, b := range found {
		s.entries[key] = slices.Concat(*b...)
		delete(found, key)
	}
	return nil
}

// countRows is about how many rows the cases make, so that they need not grow.
func (s *settler) countRows() (n int) {
	clauses := make([]int, len(s.terms))
	for k, t := range s.terms {
		for i := range t.Versions {
			clauses[k] = max(clauses[k], len(t.Versions[i].Clauses))
		}
	}
	for i := range int32(s.cases.Len()) {
		if ti := s.termsOf(i); ti >= 0 {
			n += clauses[ti]
		}
	}
	return n
}

// citizen is a person under the agreements that count together.
type citizen struct{ person, group int32 }

// earlier is a citizen's first case outside the cohort's period; ok is false
// where there is none.
type earlier struct {
	at int32
	ok bool
}

// before says whether the case comes before another.
func (e earlier) before(c *effect.Cases, i int32) bool {
	return e.ok && cmp.Or(cmp.Compare(c.Referral[e.at], c.Referral[i]), c.ID.At(int(e.at)).Compare(c.ID.At(int(i)))) < 0
}

// cohortReason is why a case is not of the cohort, whatever the outcome;
// NoReason where it is.
func (s *settler) cohortReason(i int32) effect.Reason {
	if len(s.obs.Results) > 0 {
		switch why := s.obs.Results[0].Reason[i]; why {
		case effect.ReasonOutsidePeriod, effect.ReasonNotFirst, effect.ReasonNotLast:
			return why
		}
	}
	return effect.NoReason
}

// outsidePeriod finds the citizens with cases under an agreement that lie
// outside the cohort's period. Only a citizen's first case under the agreement is
// paid on, whichever period it belongs to, so that settlements of two periods
// cannot both pay.
func (s *settler) outsidePeriod() map[citizen]earlier {
	out := map[citizen]earlier{}
	for i := range int32(s.cases.Len()) {
		ti := s.termsOf(i)
		if ti < 0 || s.cohortReason(i) != effect.ReasonOutsidePeriod || !s.terms[ti].covers(s.cases.Referral[i]) {
			continue
		}
		key := citizen{s.cases.Person[i], s.group[ti]}
		if !out[key].ok || !out[key].before(s.cases, i) {
			out[key] = earlier{i, true}
		}
	}
	return out
}

// undeclared is where cases of a package that is not in the terms would count.
type undeclared struct{ terms, version, clause, pkg int32 }

// unpriced is where cases count that have no price.
type unpriced struct {
	terms, version, clause int32
	scheme, group, pkg     string
}

// countedFaults turns what was counted while lines were made into faults.
func (s *settler) countedFaults() {
	for k, n := range s.undeclared {
		t, clause, path := s.clauseAt(k.terms, k.version, k.clause)
		what := "have no package"
		if k.pkg >= 0 {
			what = fmt.Sprintf("have package %q, which is not declared under packages", s.cases.Package.Levels[k.pkg])
		}
		s.faults.Add(t.doc, path+".conditions", FaultPackage, "%s would count but %s: nobody can say whether clause %s pays for them", count(n, "case"), what, clause.ID)
	}
	for k, n := range s.unpriced {
		t, clause, path := s.clauseAt(k.terms, k.version, k.clause)
		s.faults.Add(t.doc, path+".schedule.unit_prices", FaultPrice, "clause %s has no price for match group %q of %s in package %q, which has %s",
			clause.ID, k.group, k.scheme, k.pkg, count(n, "counted case"))
	}
}

// clauseAt is a clause with its terms and its place in them.
func (s *settler) clauseAt(terms, version, clause int32) (*Terms, *Clause, string) {
	t := s.terms[terms]
	return t, &t.Versions[version].Clauses[clause], fmt.Sprintf("versions[%d].clauses[%d]", version, clause)
}

// rule is what a case's outcome row alone says: counted, excluded, not_reached,
// pending or left. A reached outcome counts at once, an effect only with a
// complete window.
func (m *Measure) rule(r *effect.Result, i int32, asOf effect.Date) string {
	reason := r.Reason[i]
	switch {
	case reason != effect.NoReason && reason != effect.ReasonPending && reason != effect.ReasonLeft || r.Status[i] == effect.Excluded:
		return RuleExcluded
	case m.Effect != "" && r.Complete[i]:
		return RuleCounted
	case m.Effect != "" && (reason == effect.ReasonLeft || r.Status[i] == effect.Left):
		return RuleLeft
	case m.Effect != "":
		return RulePending
	}
	switch r.Status[i] {
	case effect.Reached:
		if on := r.ReachedOn[i]; on == effect.NoDate || on > asOf {
			return RulePending
		}
		if r.Absence && !r.Followed[i] {
			return RuleNotFollowed
		}
		return RuleCounted
	case effect.Pending:
		return RulePending
	case effect.Left:
		return RuleLeft
	}
	return RuleNotReached
}

// period is the settlement period of a day. Naming a period costs more than
// looking it up, and a settlement asks once for each case.
func (s *settler) period(t *Terms, d effect.Date) effect.Period {
	p, ok := s.periods[periodKey{t, d}]
	if !ok {
		p = t.Periods.Period(d)
		s.periods[periodKey{t, d}] = p
	}
	return p
}

// newDraft makes a line of a clause without its quantity, with the index factor of
// its period.
func newDraft(t *Terms, v, c int, cell effect.Cell, period effect.Period) *draft {
	return newDraftAt(t, v, c, cell, period, 0, t.Indexation.at(period.Start))
}

// newDraftAt is newDraft with a band and an index factor.
func newDraftAt(t *Terms, v, c int, cell effect.Cell, period effect.Period, band int16, factor int32) *draft {
	version, clause := &t.Versions[v], &t.Versions[v].Clauses[c]
	d := &draft{terms: t, clause: clause, period: period, band: band, factor: factor, Line: Line{
		Agreement: t.Agreement, Provider: cell.Provider, Period: period.Name,
		Clause: clause.ID, Version: version.ValidFrom, Outcome: clause.Measure.outcomes(),
		Municipality: cell.Municipality, MatchScheme: cell.MatchScheme, MatchGroup: cell.MatchGroup, Package: cell.Package,
		Text: clause.Text, Section: clause.Section,
	}}
	d.complete(v)
	return d
}

// stand gives the line the standing of a version. Of several versions all must
// be sealed, and the first that is not says why.
func (d *draft) stand(version int) {
	sealed, why := d.terms.Standing(version)
	switch {
	case d.Standing == "" && sealed:
		d.Standing, d.StandingWhy = StandingSealed, why
	case d.Standing != StandingRetrospective && !sealed:
		d.Standing, d.StandingWhy = StandingRetrospective, why
	}
}

// standUnder makes a line retrospective where the version whose limits hold for
// its period is not sealed.
func (d *draft) standUnder(version int) {
	if sealed, why := d.terms.Standing(version); !sealed && d.Standing == StandingSealed {
		d.Standing = StandingRetrospective
		d.StandingWhy = "the limits of the period are those of a version that is not sealed: " + why
	}
}

// complete fills in what every line of a version has, and the line's id.
func (d *draft) complete(version int) {
	d.stand(version)
	d.TermsSHA256, d.Currency, d.VAT = d.terms.SHA256, d.terms.Currency, d.terms.VAT.String()
	d.Source = fmt.Sprintf("%s, %s", d.terms.Source.Document, d.terms.Source.Dated)
	parts := []string{d.Agreement, d.Provider, d.Period, d.Clause}
	if d.clause == nil {
		parts[3] = d.limit
	} else {
		parts[3] += "@" + d.Version.String()
	}
	if d.clause != nil && d.clause.Measure.Score == nil {
		parts = append(parts, d.MatchScheme, d.MatchGroup, cmp.Or(d.Package, allPackages))
		if d.Municipality != "" {
			parts = append(parts, d.Municipality)
		}
		if d.clause.Schedule.Bands != nil {
			parts = append(parts, fmt.Sprintf("band-%d", d.band+1))
		}
		if d.factor != noFactor {
			parts = append(parts, "index@"+d.terms.Indexation.Factors[d.factor].From.String())
		}
	}
	escape := strings.NewReplacer("%", "%25", "/", "%2F")
	for i := range parts {
		parts[i] = escape.Replace(parts[i])
	}
	d.ID = strings.Join(parts, "/")
}

// allPackages stands in a line's id for all packages together.
const allPackages = "(all)"

// settlement puts the tables in order.
func (s *settler) settlement() *Settlement {
	slices.SortFunc(s.drafts, func(a, b *draft) int {
		return cmp.Or(cmp.Compare(a.Agreement, b.Agreement), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.period.Start, b.period.Start),
			cmp.Compare(last(a), last(b)), cmp.Compare(a.Clause, b.Clause), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.MatchScheme, b.MatchScheme), cmp.Compare(a.MatchGroup, b.MatchGroup), cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Municipality, b.Municipality), cmp.Compare(a.ID, b.ID))
	})
	out := &Settlement{Carried: s.carried}
	cohort := s.obs.Period
	if cohort.End <= cohort.Start {
		cohort.Start, cohort.End = effect.NoDate, effect.NoDate
	}
	entries := 0
	for _, d := range s.drafts {
		entries += len(d.entries)
	}
	out.Entries = slices.Grow(out.Entries, entries)
	for _, d := range s.drafts {
		d.CohortFrom, d.CohortTo = cohort.Start, cohort.End
		out.Lines = append(out.Lines, d.Line)
		out.Entries = s.entryRows(out.Entries, d)
		for i, step := range slices.Concat(d.steps, d.notes) {
			step.Line, step.No = d.ID, int64(i+1)
			if step.Unit == unitKroner {
				step.Unit = d.Currency.Unit()
			}
			out.Steps = append(out.Steps, step)
		}
		for _, row := range d.gate {
			row.Line = d.ID
			out.Gate = append(out.Gate, row)
		}
	}
	s.sortRows() // entries name rows by their places until here
	out.Cases = s.rows
	out.Decisions, out.Steps = s.decided, append(out.Steps, s.decisionSteps...)
	out.Counts = s.counts()
	out.Warnings = s.warnings(out.Counts)
	return out
}

// last puts the lines of limits after the lines they are about, in the order in
// which the limits were applied.
func last(d *draft) int { return d.applied }

// counts adds up the rows of the cases.
func (s *settler) counts() []Count {
	type key struct {
		terms, municipality, scheme, group, provider, pkg int32
		clause, rule                                      string
	}
	c, n := s.cases, map[key]int64{}
	for r, o := range s.origin {
		n[key{
			s.termsOf(o.at), c.Municipality.CodeAt(int(o.at)), c.MatchScheme.CodeAt(int(o.at)), c.MatchGroup.CodeAt(int(o.at)),
			c.Provider.CodeAt(int(o.at)), c.Package.CodeAt(int(o.at)), s.rows[r].Clause, s.rows[r].Rule,
		}]++
	}
	var out []Count
	for k, n := range n {
		out = append(out, Count{
			Agreement: s.terms[k.terms].Agreement, Clause: k.clause, Rule: k.rule, N: n,
			Cell: s.cell(k.municipality, k.scheme, k.group, k.provider, k.pkg),
		})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Agreement, b.Agreement), cmp.Compare(a.Clause, b.Clause), compareCells(a.Cell, b.Cell), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// cell names the cell of five codes.
func (s *settler) cell(municipality, scheme, group, provider, pkg int32) effect.Cell {
	c := s.cases
	return effect.Cell{
		Municipality: c.Municipality.Level(municipality), MatchScheme: c.MatchScheme.Level(scheme), MatchGroup: c.MatchGroup.Level(group),
		Provider: cmp.Or(c.Provider.Level(provider), effect.OwnProvider), Package: c.Package.Level(pkg),
	}
}

func compareCells(a, b effect.Cell) int {
	return cmp.Or(cmp.Compare(a.Municipality, b.Municipality), cmp.Compare(a.MatchScheme, b.MatchScheme),
		cmp.Compare(a.MatchGroup, b.MatchGroup), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Package, b.Package))
}

// warnings finds seals that do not hold, a day on which nothing is decided, and
// the agreements under which nothing was observed.
func (s *settler) warnings(counts []Count) []Warning {
	var out []Warning
	for _, t := range s.terms {
		out = append(out, t.sealWarnings()...)
		if end := t.Periods.Period(s.obs.AsOf).End - 1; s.obs.AsOf != end {
			out = append(out, Warning{t.Agreement, WarnNotSettlementDate, fmt.Sprintf(
				"%s is not the last day of a settlement period, which is %s: only figures of that day decide", s.obs.AsOf, end)})
		}
		cases, observed := int64(0), int64(0)
		for _, c := range counts {
			if c.Agreement != t.Agreement {
				continue
			}
			cases += c.N
			if c.Rule == RuleCounted || c.Rule == RuleAlreadyPaid || c.Rule == RuleNotReached {
				observed += c.N
			}
		}
		switch {
		case cases == 0:
			out = append(out, Warning{t.Agreement, WarnNoCases, "no case has this agreement: nothing is paid; compare agreement in the terms with agreement_id in the data"})
		case observed == 0:
			out = append(out, Warning{t.Agreement, WarnNothingObserved, fmt.Sprintf(
				"by %s no case under the agreement had reached a paid outcome or had a window that was over: nothing is paid", s.obs.AsOf)})
		}
	}
	return out
}
