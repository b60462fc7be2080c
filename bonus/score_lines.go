package bonus

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ScoreFigure is the name of the figure that stands in for the score of a clause
// in periods of which the cases are not there any more, as it was published then.
func ScoreFigure(clause string) string { return "score:" + clause }

// scored is a provider's score in a period.
type scored struct {
	provider string
	value    *big.Rat // nil where there is none
	n        int64    // cases, or the smallest n of the figures; -1 where unknown
	unrated  string   // why it is not rated, "" where it is
	rating   int      // from 1; 0 without
	steps    []Step
	gate     []GateRow
	reasons  []string // why an effect in it may not be paid on

	// Of a score that is a share of cases, counted or handed in: reached, out of how many, and what a
	// share of 1 is worth. sharing is 0 for other scores.
	reached float64 // a figure's share is rounded, and so no whole number of cases
	sharing int64
	worth   *big.Rat
}

// rated says whether the score can be compared with others.
func (x *scored) rated() bool { return x.unrated == "" && x.value != nil }

func (x *scored) step(what string, value *big.Rat, unit, section string) {
	x.steps = append(x.steps, Step{What: what, Value: exactText(value), Unit: unit, Section: section})
}

// scoreClause is a clause with a score in one version.
type scoreClause struct{ terms, version, index int32 }

// newScorers prepares the scores of all clauses, so that each case can be counted
// when it is judged.
func (s *settler) newScorers() error {
	s.scorers = map[scoreClause]*scorer{}
	for ti, t := range s.terms {
		periods := t.periodsOver(s.obs.AsOf)
		t.eachClause(func(v, c int, clause *Clause) {
			if clause.Measure.Score != nil {
				at := scoreClause{int32(ti), int32(v), int32(c)}
				s.scorers[at] = newScorer(s, at, periods)
			}
		})
	}
	for _, x := range s.scorers {
		for _, of := range x.results {
			for _, r := range of {
				if x.by() == DayWindowEnd && len(r.WindowEnd) != s.cases.Len() {
					return fmt.Errorf("%w: outcome %s does not have the end of each case's window", ErrFacts, r.Outcome)
				}
			}
		}
	}
	return nil
}

// scores works out the scores of all clauses, when the cases have been counted,
// and what follows from them.
func (s *settler) scores() {
	for ti, t := range s.terms {
		history := map[string][]periodScores{}
		t.eachClause(func(v, c int, clause *Clause) {
			x := s.scorers[scoreClause{int32(ti), int32(v), int32(c)}]
			if x == nil {
				return
			}
			for k, period := range x.periods {
				rows := x.all(k)
				if clause.Decision != nil {
					history[clause.ID] = append(history[clause.ID], periodScores{x, period, rows})
				} else {
					x.lines(k, rows)
				}
			}
			x.missingFaults()
		})
		for _, id := range slices.Sorted(maps.Keys(history)) {
			s.decide(history[id])
		}
	}
	for r, o := range s.origin {
		x := s.scorers[scoreClause{s.termsOf(o.at), o.version, o.clause}]
		if o.version >= 0 && x != nil && s.rows[r].Rule == RuleCounted {
			s.rows[r].Line = x.lineOf[tallyKey{s.cases.Provider.CodeAt(int(o.at)), x.firstPeriod(x.day(o.at))}]
		}
	}
}

// periodsOver are the settlement periods of an agreement that are over by a day:
// that day is the last of them, or later.
func (t *Terms) periodsOver(day effect.Date) (out []effect.Period) {
	for p := t.Periods.Period(t.Starts); p.End <= day+1; p = t.Periods.Period(p.End) {
		out = append(out, p)
	}
	return out
}

// scoreVersion is the index of the version in force on the first day of a
// period, -1 for none.
func (t *Terms) scoreVersion(p effect.Period) int {
	day := t.inside(p.Start)
	return slices.IndexFunc(t.Versions, func(v Version) bool { return v.ValidFrom <= day && day < v.end() })
}

// scorer works out the scores of one clause of one version.
type scorer struct {
	*settler
	at      scoreClause
	t       *Terms
	clause  *Clause
	score   *Score
	path    string          // of the score in the terms
	periods []effect.Period // those of the version that are over
	from    []effect.Date   // by period: first day of the cases that count in it

	results [][]*effect.Result // by part
	tallies map[tallyKey]*caseTally
	first   map[int32]effect.Date // by provider: first referral under the agreement
	lineOf  map[tallyKey]string   // by provider and period
	missing map[missingFigure][]string
}

// tallyKey is a provider in a period.
type tallyKey struct {
	provider int32
	period   int
}

// caseTally counts a provider's cases in a period.
type caseTally struct {
	n     int64
	parts []partTally
}

type partTally struct{ n, reached int64 }

// missingFigure is a figure that a place in the terms needs.
type missingFigure struct{ path, figure string }

func newScorer(s *settler, at scoreClause, periods []effect.Period) *scorer {
	t, clause, path := s.clauseAt(at.terms, at.version, at.index)
	x := &scorer{
		settler: s, at: at, t: t, clause: clause, score: clause.Measure.Score, path: path + ".measure.score",
		tallies: map[tallyKey]*caseTally{}, first: map[int32]effect.Date{}, lineOf: map[tallyKey]string{}, missing: map[missingFigure][]string{},
	}
	for _, p := range periods {
		if t.scoreVersion(p) != int(at.version) {
			continue
		}
		from := p.Start
		if c := x.score.Cases; c != nil && c.Months != nil {
			from = p.End.AddMonths(-*c.Months)
		}
		x.periods, x.from = append(x.periods, p), append(x.from, from)
	}
	for i := range x.score.Parts {
		var of []*effect.Result
		for _, name := range x.score.Parts[i].Results {
			r, _ := s.obs.Result(name)
			of = append(of, r)
		}
		x.results = append(x.results, of)
	}
	return x
}

// by is the day by which cases count.
func (x *scorer) by() ScoreDay {
	if x.score.Cases == nil {
		return DayReferral
	}
	return x.score.Cases.By
}

// day is the day by which a case counts, NoDate where it has none.
func (x *scorer) day(i int32) effect.Date {
	switch x.by() {
	case DayStart:
		if x.cases.Start == nil {
			return effect.NoDate
		}
		return x.cases.Start[i]
	case DayWindowEnd:
		last := effect.NoDate
		for _, of := range x.results {
			for _, r := range of {
				if end := r.WindowEnd[i]; end != effect.NoDate && (last == effect.NoDate || end-1 > last) {
					last = end - 1
				}
			}
		}
		return last
	}
	return x.cases.Referral[i]
}

// rule is what a case is to the score, whatever the period.
func (x *scorer) rule(i int32) string {
	if why := x.cohortReason(i); why != effect.NoReason {
		return RuleExcluded + ":" + why.String()
	}
	pkg := x.cases.Package.CodeAt(int(i))
	if offer := x.offer(x.at.terms, pkg); offer != nil && !x.clause.Conditions.allow(offer) {
		return RulePackageNotEligible
	}
	// Whom none of the outcomes can be told of is not there to be counted.
	told, why := true, ""
	for _, of := range x.results {
		for _, r := range of {
			told = false
			reason, status := r.Reason[i], r.Status[i]
			switch {
			case status == effect.Reached:
				return x.dated(i)
			case reason == effect.ReasonLeft || status == effect.Left:
				why = RuleLeft
			case reason != effect.NoReason && reason != effect.ReasonPending:
				why = RuleExcluded + ":" + reason.String()
			case status == effect.Excluded:
				why = RuleExcluded
			default:
				return x.dated(i)
			}
		}
	}
	if told {
		return x.dated(i)
	}
	return why
}

// dated is the rule of a case that counts if it has a day.
func (x *scorer) dated(i int32) string {
	if x.day(i) == effect.NoDate {
		return RuleNotStarted
	}
	return RuleCounted
}

// judge counts a case of the agreement that has a provider, and returns its rule;
// ok is false where the score is not about cases, or not about this one's day.
func (x *scorer) judge(i int32) (rule string, ok bool) {
	provider := x.cases.Provider.CodeAt(int(i))
	if first, known := x.first[provider]; !known || x.cases.Referral[i] < first {
		x.first[provider] = x.cases.Referral[i]
	}
	if rule = x.rule(i); rule != RuleCounted {
		return rule, x.score.ofCases()
	}
	day := x.day(i)
	mine := x.t.scoreVersion(x.settler.period(x.t, day)) == int(x.at.version)
	rule = RulePending
	for k := x.firstPeriod(day); k < len(x.periods) && x.from[k] <= day; k++ {
		key := tallyKey{provider, k}
		if x.tallies[key] == nil {
			x.tallies[key] = &caseTally{parts: make([]partTally, len(x.score.Parts))}
		}
		x.tallies[key].add(x, i, k)
		rule, mine = RuleCounted, true
	}
	if pkg := x.cases.Package.CodeAt(int(i)); rule == RuleCounted && x.score.ofCases() && x.offer(x.at.terms, pkg) == nil {
		x.undeclared[undeclared{x.at.terms, x.at.version, x.at.index, pkg}]++
	}
	return rule, mine && x.score.ofCases()
}

// firstPeriod is the index of the first period that is not over before a day.
func (x *scorer) firstPeriod(day effect.Date) int {
	k, _ := slices.BinarySearchFunc(x.periods, day, func(p effect.Period, d effect.Date) int { return cmp.Compare(p.End, d+1) })
	return k
}

// add counts a case in a period.
func (t *caseTally) add(x *scorer, i int32, k int) {
	t.n++
	for p := range x.score.Parts {
		part := &x.score.Parts[p]
		c := x.cases
		if part.MatchGroup != "" && (c.MatchGroup.At(int(i)) != part.MatchGroup || c.MatchScheme.At(int(i)) != x.t.MatchScheme) ||
			part.Package != "" && c.Package.At(int(i)) != part.Package {
			continue
		}
		t.parts[p].n++
		for _, r := range x.results[p] {
			if on := r.ReachedOn[i]; r.Status[i] == effect.Reached && on != effect.NoDate && on < x.periods[k].End && (!r.Absence || r.Followed[i]) {
				t.parts[p].reached++
			}
		}
	}
}

// all are the scores of a period, by provider.
func (x *scorer) all(k int) []*scored {
	codes := map[string]int32{}
	for c, name := range x.cases.Provider.Levels {
		if _, ok := x.first[int32(c)]; ok {
			codes[name] = int32(c)
		}
	}
	var out []*scored
	for _, provider := range slices.Sorted(maps.Keys(codes)) {
		t := x.tallies[tallyKey{codes[provider], k}]
		if x.score.estimated() && x.periods[k].End-1 != x.obs.AsOf {
			t = nil // what an effect was then is not known, but for a score that was given
			if _, ok := x.book.For(ScoreFigure(x.clause.ID), provider, x.periods[k]); !ok {
				continue
			}
		}
		if t == nil {
			if !x.given(provider, x.periods[k]) {
				continue
			}
			t = &caseTally{parts: make([]partTally, len(x.score.Parts))}
		}
		out = append(out, x.one(k, provider, codes[provider], t))
	}
	return out
}

// given says whether a provider has a figure of its own that the score looks at.
func (x *scorer) given(provider string, period effect.Period) bool {
	if x.score.estimated() && x.estimatedFor(provider) {
		return true
	}
	for _, name := range append(x.score.figures(), ScoreFigure(x.clause.ID)) {
		if f, ok := x.book.For(name, provider, period); ok && f.Value != "" {
			return true
		}
	}
	return false
}

// figures are the names of the figures that the score looks at.
func (m *Score) figures() (out []string) {
	add := func(operands ...*Operand) {
		for _, o := range operands {
			if o != nil && o.figure != "" {
				out = append(out, o.figure)
			}
		}
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Figure != "" {
			out = append(out, p.Figure)
		}
		add(p.Above, p.Weight)
		for j := range p.Scales {
			add(&p.Scales[j].From, &p.Scales[j].To)
		}
	}
	add(m.Times)
	if m.Divide != nil {
		add(m.Divide.By)
	}
	return out
}

// look finds a figure of a provider, or one of all providers, which has none.
func (s *settler) look(name, provider string, period effect.Period) (Figure, bool) {
	for _, of := range []string{provider, ""} {
		if f, ok := s.book.For(name, of, period); ok && f.Value != "" {
			return f, true
		}
	}
	return Figure{}, false
}

// scoring is one score while it is worked out.
type scoring struct {
	*scorer
	*scored
	period effect.Period
	tally  *caseTally
	bad    bool // a fault was found, so that no value is made up
}

// operand is a number of the terms or of a figure; nil where there is no such
// figure, which is then a fault if it must be.
func (x *scoring) operand(o *Operand, path string, must bool) *big.Rat {
	if o.figure == "" {
		return o.number.Rat()
	}
	f, ok := x.look(o.figure, x.provider, x.period)
	if ok {
		return f.Rat()
	}
	x.lacks(path, o.figure, must)
	return nil
}

// lacks notes a figure that is not there, which is a fault if it must be or the
// terms do not say what becomes of a part without it.
func (x *scoring) lacks(path, figure string, must bool) {
	if must || x.score.Missing == "" {
		key := missingFigure{path, figure}
		x.missing[key] = append(x.missing[key], fmt.Sprintf("%s for %s", x.provider, x.period.Name))
		x.bad = true
	}
}

func (x *scorer) missingFaults() {
	for _, key := range slices.SortedFunc(maps.Keys(x.missing), func(a, b missingFigure) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.figure, b.figure))
	}) {
		who := x.missing[key]
		more := ""
		if len(who) > 5 {
			who, more = who[:5], fmt.Sprintf(" and %d more", len(who)-5)
		}
		x.faults.Add(x.t.doc, key.path, FaultFigure, "clause %s needs %s, which nobody has given: of provider %s%s", x.clause.ID, key.figure, strings.Join(who, ", "), more)
	}
}

// fault is a fault about the provider in the period.
func (x *scoring) fault(path, format string, args ...any) {
	x.faults.Add(x.t.doc, path, FaultFigure, "clause %s, provider %s, %s: %s", x.clause.ID, x.provider, x.period.Name, fmt.Sprintf(format, args...))
	x.bad = true
}

// one is the score of one provider in one period.
func (x *scorer) one(k int, provider string, code int32, t *caseTally) *scored {
	out := &scored{provider: provider, n: -1}
	sc := &scoring{scorer: x, scored: out, period: x.periods[k], tally: t}
	if f, ok := x.book.For(ScoreFigure(x.clause.ID), provider, sc.period); ok && f.Value != "" {
		out.value, out.n = f.Rat(), f.N
		out.step("score, as it was given", out.value, "score", x.clause.Section)
	} else {
		sc.work()
	}
	sc.rate(code)
	return out
}

// item is what is added up: a part, or the mean of a domain's.
type item struct {
	name          string
	weight, value *big.Rat // value nil where it is missing
}

// work works the score out.
func (x *scoring) work() {
	m, section := x.score, x.clause.Section
	if m.ofCases() {
		x.n = x.tally.n
	}
	parts := make([]item, len(m.Parts))
	for i := range m.Parts {
		p, path := &m.Parts[i], fmt.Sprintf("%s.parts[%d]", x.path, i)
		parts[i] = item{p.Name, x.weight(p, path), x.points(i, path)}
		if parts[i].weight == nil {
			parts[i].weight, parts[i].value = new(big.Rat), nil
		}
		switch {
		case parts[i].value != nil:
			x.step(p.Name, parts[i].value, "points", section)
			x.step(p.Name+": weight", parts[i].weight, "", section)
		case m.Missing == MissingNotRated:
			x.unrated = cmp.Or(x.unrated, p.Name+" is missing")
		default:
			x.step(p.Name+" is missing", new(big.Rat), "points", section)
		}
	}
	sum, ok := x.sum(x.items(parts))
	if !ok || x.bad {
		return
	}
	if d := m.Divide; d != nil {
		by := new(big.Rat)
		if d.Cases != nil {
			by.Mul(d.Cases.Rat(), new(big.Rat).SetInt64(x.tally.n))
			x.step(fmt.Sprintf("%s x %s", d.Cases, count(x.tally.n, "case")), by, "", section)
		} else if by = x.operand(d.By, x.path+".divide.by", true); by == nil {
			return
		} else {
			x.step("divided by "+d.By.String(), by, "", section)
		}
		switch {
		case by.Sign() == 0 && d.Cases != nil:
			x.unrated = cmp.Or(x.unrated, "it has no cases")
			return
		case by.Sign() == 0:
			x.fault(x.path+".divide.by", "the score is divided by %s, which is 0", d.By)
			return
		}
		sum = sum.Quo(sum, by)
	}
	if m.Times != nil {
		times := x.operand(m.Times, x.path+".times", true)
		if times == nil {
			return
		}
		x.step("times "+m.Times.String(), times, "", section)
		sum = sum.Mul(sum, times)
	}
	if m.Most != nil && sum.Cmp(m.Most.Rat()) > 0 {
		x.step("before it was limited to "+m.Most.String(), sum, "score", section)
		sum = m.Most.Rat()
	}
	if m.Least != nil && sum.Cmp(m.Least.Rat()) < 0 {
		x.step("before it was raised to "+m.Least.String(), sum, "score", section)
		sum = m.Least.Rat()
	}
	if m.Round != nil {
		x.step("before it was rounded to "+count(int64(m.Round.Decimals), "decimal")+", "+string(m.Round.Mode), sum, "score", section)
	}
	x.scored.value = m.Round.of(sum)
	x.step("score", x.scored.value, "score", section)
	x.share()
}

// weight is that of a part, nil where a figure that it is was not given.
func (x *scoring) weight(p *ScorePart, path string) *big.Rat {
	if p.Weight == nil {
		return big.NewRat(1, 1)
	}
	// With a weight that nobody knows there is no telling what the others get.
	return x.operand(p.Weight, path+".weight", x.score.Missing == MissingReallocate)
}

// points are those of a part, nil where it is missing.
func (x *scoring) points(i int, path string) *big.Rat {
	p, section := &x.score.Parts[i], x.clause.Section
	var v *big.Rat
	n := int64(-1)
	switch {
	case p.Figure != "":
		f, ok := x.look(p.Figure, x.provider, x.period)
		if !ok {
			x.lacks(path+".figure", p.Figure, false)
			return nil
		}
		v, n = f.Rat(), f.N
		if n >= 0 && !x.score.ofCases() && (x.n < 0 || n < x.n) {
			x.n = n
		}
		if n < 0 && p.MinN != nil {
			x.fault(path+".min_n", "figure %s has no n, and at least %d is asked for", p.Figure, *p.MinN)
			return nil
		}
		x.step(p.Name+": "+p.Figure, v, "", section)
		if p.Share && (v.Sign() < 0 || v.Cmp(one()) > 0) {
			x.fault(path+".share", "figure %s is %s, which is no share", p.Figure, f.Value)
			return nil
		}
	case p.Results != nil:
		t := x.tally.parts[i]
		v, n = new(big.Rat).SetInt64(t.reached), t.n
		x.step(p.Name+": reached "+strings.Join(p.Results, " and "), v, "results", section)
		if p.Share {
			x.step(p.Name+": cases", new(big.Rat).SetInt64(n), "cases", section)
			if n == 0 {
				return nil
			}
			v = big.NewRat(t.reached, n)
			x.step(p.Name+": share", v, "share", section)
		}
	default:
		if v, n = x.estimate(p, path); v == nil {
			return nil
		}
	}
	if p.MinN != nil && n < int64(*p.MinN) {
		x.step(fmt.Sprintf("%s: n, of which at least %d are asked for", p.Name, *p.MinN), new(big.Rat).SetInt64(n), "cases", section)
		return nil
	}
	if p.Above != nil {
		above := x.operand(p.Above, path+".above", false)
		if above == nil {
			return nil
		}
		x.step(p.Name+": only above "+p.Above.String(), above, "", section)
		if v = new(big.Rat).Sub(v, above); v.Sign() < 0 {
			v = new(big.Rat)
		}
	}
	if len(p.Scales) > 0 {
		v = x.scales(p, path, v)
	}
	if v == nil {
		return nil
	}
	return p.Round.of(v)
}

// scales are the most points that a scale gives, nil where none can be told.
func (x *scoring) scales(p *ScorePart, path string, v *big.Rat) (best *big.Rat) {
	for j := range p.Scales {
		sc, at := &p.Scales[j], fmt.Sprintf("%s.scales[%d]", path, j)
		from, to := x.operand(&sc.From, at+".from", false), x.operand(&sc.To, at+".to", false)
		if from == nil || to == nil {
			continue
		}
		points := new(big.Rat)
		if sc.leads(from, to) {
			points = sc.of(v, from, to)
		}
		x.step(fmt.Sprintf("%s: points from %s to %s", p.Name, exactText(from), exactText(to)), points, "points", x.clause.Section)
		if best == nil || points.Cmp(best) > 0 {
			best = points
		}
	}
	return best
}

// leads says whether from lies before to, on the way to what is better.
func (s *Scale) leads(from, to *big.Rat) bool {
	if s.From.figure == "" && s.To.figure == "" {
		return true // which way round is said by the numbers themselves
	}
	if s.Better == Low {
		from, to = to, from
	}
	return from.Cmp(to) < 0
}

// of are the points for a value.
func (s *Scale) of(v, from, to *big.Rat) *big.Rat {
	full := s.Points.Rat()
	if s.Full != nil {
		full = s.Full.Rat()
	}
	part := new(big.Rat).Sub(v, from)
	part.Quo(part, new(big.Rat).Sub(to, from))
	if part.Sign() < 0 {
		return new(big.Rat)
	}
	if part.Cmp(big.NewRat(1, 1)) >= 0 {
		return full
	}
	part.Mul(part, s.Points.Rat())
	if s.Plus != nil {
		part.Add(part, s.Plus.Rat())
	}
	part = s.Round.of(part)
	if part.Sign() < 0 {
		return new(big.Rat)
	}
	if part.Cmp(full) > 0 {
		return full
	}
	return part
}

// items are the parts without a domain, and the means of the domains, in the
// order in which they are first named.
func (x *scoring) items(parts []item) (out []item) {
	m, at := x.score, map[string]int{}
	for i := range m.Parts {
		name := m.Parts[i].Domain
		if name == "" {
			out = append(out, parts[i])
			continue
		}
		if _, ok := at[name]; ok {
			continue
		}
		at[name] = len(out)
		var all, have, sum big.Rat
		missing := true
		for j := range m.Parts {
			if p := parts[j]; m.Parts[j].Domain == name {
				all.Add(&all, p.weight)
				if p.value != nil {
					have.Add(&have, p.weight)
					sum.Add(&sum, new(big.Rat).Mul(p.weight, p.value))
					missing = false
				}
			}
		}
		d := slices.IndexFunc(m.Domains, func(d ScoreDomain) bool { return d.Name == name })
		it := item{name: name, weight: m.Domains[d].Weight.Rat()}
		by := &have
		if m.Missing != MissingReallocate {
			by = &all
		}
		switch {
		case missing:
		case by.Sign() == 0:
			x.fault(fmt.Sprintf("%s.domains[%d]", x.path, d), "the weights of the domain %s sum to 0", name)
		default:
			it.value = new(big.Rat).Quo(&sum, by)
			x.step(name+": mean of its parts", it.value, "points", x.clause.Section)
		}
		out = append(out, it)
	}
	return out
}

// sum adds the items up by weight; ok is false where there is no telling.
func (x *scoring) sum(items []item) (*big.Rat, bool) {
	all, have, sum := new(big.Rat), new(big.Rat), new(big.Rat)
	missing := 0
	for _, it := range items {
		all.Add(all, it.weight)
		if it.value == nil {
			missing++
			continue
		}
		have.Add(have, it.weight)
		sum.Add(sum, new(big.Rat).Mul(it.weight, it.value))
	}
	section := x.clause.Section
	switch {
	case x.bad:
		return nil, false
	case missing > 0 && x.score.Missing == MissingNotRated:
		x.unrated = cmp.Or(x.unrated, "a part is missing")
		return nil, false
	case missing == len(items) && x.score.Missing != MissingNothing:
		x.unrated = cmp.Or(x.unrated, "no part has a value")
		return nil, false
	case missing > 0 && x.score.Missing == MissingReallocate:
		if have.Sign() == 0 {
			x.fault(x.path+".parts", "the weights of the parts that there are sum to 0")
			return nil, false
		}
		factor := new(big.Rat).Quo(all, have)
		for _, it := range items {
			if it.value != nil {
				x.step(it.name+": weight, with those of missing parts", new(big.Rat).Mul(it.weight, factor), "", section)
			}
		}
		sum.Mul(sum, factor)
	case missing > 0 && x.score.Missing == "":
		// A share of no cases, or fewer than min_n: what the terms do not foresee.
		x.unrated = cmp.Or(x.unrated, "a part is missing")
		return nil, false
	}
	x.step("sum by weight", sum, "", section)
	return sum, true
}

// share notes what the score is a share of, where it is nothing else.
func (x *scoring) share() {
	m := x.score
	if len(m.Parts) != 1 || m.Divide != nil || len(m.Domains) > 0 || m.Times != nil && m.Times.figure != "" {
		return
	}
	p := &m.Parts[0]
	if len(p.Results) > 1 || !p.Share || p.Above != nil || p.Scales != nil || p.Weight != nil && p.Weight.figure != "" {
		return
	}
	x.worth = big.NewRat(1, 1)
	for _, o := range []*Operand{p.Weight, m.Times} {
		if o != nil {
			x.worth.Mul(x.worth, o.number.Rat())
		}
	}
	t := x.tally.parts[0]
	switch {
	case x.worth.Sign() <= 0:
	case p.Figure == "":
		x.reached, x.sharing = float64(t.reached), t.n
	case x.n > 0:
		f, _ := x.look(p.Figure, x.provider, x.period)
		share, _ := f.Rat().Float64()
		x.reached, x.sharing = share*float64(x.n), x.n
	}
}

// rate says whether the score is rated, and how.
func (x *scoring) rate(provider int32) {
	m, section := x.score, x.clause.Section
	if m.MinN != nil {
		switch {
		case x.scored.value == nil: // there is no score, or a fault says why
		case x.n < 0:
			x.fault(x.path+".min_n", "the score has no n, and at least %d is asked for", *m.MinN)
		case x.n < int64(*m.MinN):
			x.step(fmt.Sprintf("n, under the %d that a rating needs", *m.MinN), new(big.Rat).SetInt64(x.n), "cases", section)
			x.unrated = cmp.Or(x.unrated, fmt.Sprintf("n is under %d", *m.MinN))
		}
	}
	if m.MinMonths != nil {
		if from := x.first[provider].AddMonths(*m.MinMonths); from > x.period.End {
			x.unrated = cmp.Or(x.unrated, fmt.Sprintf("its first referral is less than %d months before the end of the period", *m.MinMonths))
		}
	}
	if !x.rated() || len(m.Ratings) == 0 {
		return
	}
	x.rating = 1
	for _, from := range m.Ratings {
		if x.scored.value.Cmp(from.Rat()) >= 0 {
			x.rating++
		}
	}
	x.step("rating", new(big.Rat).SetInt64(int64(x.rating)), "", section)
}

// lines makes a line for each provider of a period.
func (x *scorer) lines(k int, rows []*scored) {
	drafts := make([]*draft, len(rows))
	for i, row := range rows {
		d := newDraft(x.t, int(x.at.version), int(x.at.index), effect.Cell{Provider: row.provider}, x.periods[k])
		if x.score.ofCases() {
			d.Cases = max(row.n, 0)
		}
		d.steps, d.gate, d.exact, d.Quantity = row.steps, row.gate, new(big.Rat), "0"
		if row.value != nil {
			d.Quantity = exactText(row.value)
		}
		for p := range x.cases.Provider.Levels {
			if x.cases.Provider.Levels[p] == row.provider {
				x.lineOf[tallyKey{int32(p), k}] = d.ID
			}
		}
		x.drafts = append(x.drafts, d)
		drafts[i] = d
		switch schedule := &x.clause.Schedule; {
		case len(row.reasons) > 0:
			d.notPaid(strings.Join(row.reasons, "; "))
		case !row.rated():
			d.step("not rated: "+cmp.Or(row.unrated, "there is no score"), "0", "kr.", d.Section)
			d.Reason = ReasonNotRated
		case len(x.settler.lacks(x.t, x.clause, place{"", row.provider}, x.periods[k])) > 0:
			d.notPaid(strings.Join(x.settler.lacks(x.t, x.clause, place{"", row.provider}, x.periods[k]), "; "))
		case schedule.Threshold != nil && row.value.Cmp(schedule.Threshold.AtLeast.Rat()) < 0:
			d.step("of which at least "+schedule.Threshold.AtLeast.String()+" is asked for", d.Quantity, "score", d.Section)
			d.notPaid(ReasonUnder)
		case schedule.Pool != nil:
			x.intoPool(d, row.value, "score", "score")
		case schedule.Exchange == nil:
			price, ok := schedule.price(x.t, "", "", "")
			if !ok {
				x.unpriced[unpriced{x.at.terms, x.at.version, x.at.index, "", "", ""}]++
				continue
			}
			d.priced(row.value, price, "score", "score")
		}
	}
	if x.clause.Schedule.Exchange != nil {
		x.exchange(k, rows, drafts)
	}
}
