package bonus

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Conditions say for which cases a clause pays. All must hold.
//
// They are asked in three places. Those about a package and a case (JobOriented,
// Latest, Weeks, Evidence) are asked first: who fails one is credited with nothing.
// Unless looks at what else the citizen counts in. Those about a provider
// (Indicators, Figures) come when it is known who is credited, and keep that
// provider from being paid, so that nobody gains by what another lacks.
//
// A condition about a package is a field here and its test in allow; one about a
// case a field and its test in misses; one about a provider a field and its test in
// lacks. An effect is about many cases together, so that a condition about single
// cases is a fault beside it: shares in effect_lines.go would have to split the cases
// behind an effect by it.
type Conditions struct {
	JobOriented *bool `yaml:"job_oriented,omitempty" doc:"only packages that are (true) or are not (false) job-oriented"`
	// Indicators keep a provider's cases in a municipality from being paid while an
	// indicator of gaming is above its limit there, all match groups together.
	Indicators map[Indicator]Decimal `yaml:"indicators,omitempty" doc:"indicator of gaming: the highest share that a provider may have of it in a municipality; one that was not evaluated keeps the clause from paying"`
	Figures    []FigureLimit         `yaml:"figures,omitempty" doc:"figures about the provider, as its users' satisfaction, that must lie within limits; one that is missing keeps the clause from paying"`
	Latest     *Latest               `yaml:"latest,omitempty" doc:"of a clause on cases: the latest day on which it can be reached"`
	Weeks      *WeekWindow           `yaml:"weeks,omitempty" doc:"of a clause on cases: the weeks after referral that a provider answers for"`
	Evidence   *EvidenceOf           `yaml:"evidence,omitempty" doc:"of a clause on cases: the document that must be received"`
	Unless     []string              `yaml:"unless,omitempty" doc:"of a clause on cases: other clauses; a citizen who counts in one of them, on whatever day, does not count here"`
}

// FigureLimit is a condition on a figure about a provider: see [Figure]. It is
// that of the settlement period in which the event or the effect falls.
type FigureLimit struct {
	Figure  string   `yaml:"figure" doc:"name of the figure, as satisfaction, response_rate, inspection, or a name in the table figures"`
	AtLeast *Decimal `yaml:"at_least,omitempty" doc:"lowest value"`
	AtMost  *Decimal `yaml:"at_most,omitempty" doc:"highest value"`
	MinN    int      `yaml:"min_n,omitempty" doc:"fewest persons or cases behind it; one with fewer, or nobody knows how many, is as if it were missing"`
	// Latest takes the figures by their own dates rather than by settlement periods.
	Latest      bool `yaml:"latest,omitempty" doc:"true: the latest figure whose period, or day, is over by the end of the settlement period; left out: the figure of just that settlement period"`
	Consecutive int  `yaml:"consecutive,omitempty" doc:"how many settlement periods in a row, the last of them this one, must be within the limits (with latest: how many figures in a row); 1 if left out"`
}

// Latest is the last day on which something can be reached; of two the earlier.
type Latest struct {
	Section string       `yaml:"section,omitempty" doc:"section of the source that says so, where it is not that of the clause"`
	By      *effect.Date `yaml:"by,omitempty" doc:"the last day, for all"`
	Within  *effect.Span `yaml:"within,omitempty" doc:"the last day is the referral plus this time"`
}

// day is the last day for a case referred on a day.
func (l *Latest) day(referral effect.Date) effect.Date {
	last := effect.LastDate
	if l.By != nil {
		last = *l.By
	}
	if l.Within != nil {
		last = min(last, referral.Add(*l.Within))
	}
	return last
}

// WeekWindow are the weeks after a referral in which an event counts. Week 1 is the
// day of the referral and the six days after it.
type WeekWindow struct {
	Section string    `yaml:"section,omitempty" doc:"section of the source that says so, where it is not that of the clause"`
	From    int       `yaml:"from,omitempty" doc:"first week; 1 if left out"`
	To      *int      `yaml:"to,omitempty" doc:"last week; left out: no last one"`
	Since   WeekSince `yaml:"since" doc:"referral (of the case itself) or first_referral (of the citizen's first case under the agreements that count together)"`
}

// WeekSince says which referral weeks are counted from.
type WeekSince string

// The referrals.
const (
	SinceReferral      WeekSince = "referral"
	SinceFirstReferral WeekSince = "first_referral"
)

// Names lists the referrals.
func (WeekSince) Names() []string { return []string{string(SinceReferral), string(SinceFirstReferral)} }

// EvidenceOf is a document that must be received about the case that reached the
// event, at the latest on the day of the event plus Within. It may come before the
// event; what comes after as_of is not there.
type EvidenceOf struct {
	Section string      `yaml:"section,omitempty" doc:"section of the source that says so, where it is not that of the clause"`
	Kind    string      `yaml:"kind" doc:"kind of the document, as in the table evidence"`
	Within  effect.Span `yaml:"within" doc:"the last day on which it can be received is the event plus this time"`
}

// Indicator names an indicator of gaming: see [watch.Indicator].
type Indicator watch.Indicator

// Names lists the indicators.
func (Indicator) Names() []string { return watch.Indicator("").Names() }

// allow says whether cases in a package can be paid for.
func (c *Conditions) allow(p *OfferPackage) bool {
	return c.JobOriented == nil || *c.JobOriented == *p.JobOriented
}

func (c *Conditions) check(k *checker, path string, clause *Clause) {
	for _, name := range Indicator("").Names() {
		limit, ok := c.Indicators[Indicator(name)]
		if r := limit.Rat(); ok && (r.Sign() < 0 || r.Cmp(big.NewRat(1, 1)) > 0) {
			k.fault(path+".indicators."+name, "%s is no limit of a share, which lies between 0 and 1", limit)
		}
	}
	for i, f := range c.Figures {
		at := fmt.Sprintf("%s.figures[%d]", path, i)
		switch {
		case f.AtLeast == nil && f.AtMost == nil:
			k.fault(at, "give at_least, at_most or both")
		case f.AtLeast != nil && f.AtMost != nil && f.AtLeast.Rat().Cmp(f.AtMost.Rat()) > 0:
			k.fault(at+".at_most", "nothing is at least %s and at most %s", f.AtLeast, f.AtMost)
		}
		if f.MinN < 0 {
			k.fault(at+".min_n", "%d is negative", f.MinN)
		}
		if f.Consecutive < 0 {
			k.fault(at+".consecutive", "%d is negative", f.Consecutive)
		}
	}
	if l := c.Latest; l != nil && l.By == nil && l.Within == nil {
		k.fault(path+".latest", "give by (a date), within (a time after the referral) or both")
	}
	if w := c.Weeks; w != nil {
		switch {
		case w.From < 0 || w.To != nil && *w.To < 1:
			k.fault(path+".weeks", "weeks are numbered from 1")
		case w.From == 0 && w.To == nil:
			k.fault(path+".weeks", "give from, to or both")
		case w.To != nil && *w.To < w.From:
			k.fault(path+".weeks.to", "the last week %d comes before the first, %d", *w.To, w.From)
		}
	}
	if clause.Measure.Score != nil && len(c.Indicators) > 0 {
		k.fault(path+".indicators", "an indicator of gaming is of a provider in a municipality, and a score is of all its cases")
	}
	if clause.Measure.OfCases() {
		return
	}
	for key, given := range map[string]bool{"latest": c.Latest != nil, "weeks": c.Weeks != nil, "evidence": c.Evidence != nil, "unless": len(c.Unless) > 0} {
		if given {
			k.fault(path+"."+key, "%s is about single cases, and this clause is about a figure of many", key)
		}
	}
}

// checkUnless looks for clauses that are not there, and for two that each leave
// out who counts in the other.
func (c *checker) checkUnless() {
	except := map[string][]string{}
	c.t.eachClause(func(_, _ int, clause *Clause) {
		except[clause.ID] = append(except[clause.ID], clause.Conditions.Unless...)
	})
	c.t.eachClause(func(v, k int, clause *Clause) {
		for i, id := range clause.Conditions.Unless {
			at := fmt.Sprintf("versions[%d].clauses[%d].conditions.unless[%d]", v, k, i)
			var ids []string
			found := false
			for j := range c.t.Versions[v].Clauses {
				other := &c.t.Versions[v].Clauses[j]
				if ids = append(ids, other.ID); other.ID == id {
					found = true
					if !other.Measure.OfCases() {
						c.fault(at, "clause %q is about a figure of many cases: nobody counts in it", id)
					}
				}
			}
			switch {
			case !found:
				c.fault(at, "the version has no clause %q%s", id, strict.Suggest(id, ids))
			case id == clause.ID:
				c.fault(at, "a clause cannot leave out who counts in itself")
			case leadsTo(except, id, clause.ID):
				c.fault(at, "clause %s leaves out who counts in %s, which leaves out who counts in %[1]s: one of the two must come first", clause.ID, id)
			}
		}
	})
}

// leadsTo says whether one clause rests on another, at once or by way of others.
func leadsTo(except map[string][]string, from, to string) bool {
	seen, next := map[string]bool{}, []string{from}
	for len(next) > 0 {
		id := next[0]
		next = next[1:]
		if id == to {
			return true
		}
		if !seen[id] {
			seen[id] = true
			next = append(next, except[id]...)
		}
	}
	return false
}

// place is a provider in a municipality.
type place struct{ municipality, provider string }

// indicators are the rows about providers in all match groups together.
func indicators(rows []watch.Row) map[place]map[watch.Indicator]*watch.Row {
	out := map[place]map[watch.Indicator]*watch.Row{}
	for i := range rows {
		r := &rows[i]
		p := place{r.Municipality, r.Provider}
		if r.MatchScheme != "" || r.MatchGroup != "" || r.Provider == "" || r.Provider == effect.OwnProvider {
			continue
		}
		if out[p] == nil {
			out[p] = map[watch.Indicator]*watch.Row{}
		}
		out[p][r.Indicator] = r
	}
	return out
}

// over names the indicators that keep a provider's cases in a municipality from
// being paid, in their fixed order, separated by commas; "" for none. One that
// nobody counted does; one that was looked for where there was nothing to count
// does not.
func (c *Conditions) over(known map[place]map[watch.Indicator]*watch.Row, p place) string {
	if len(c.Indicators) == 0 {
		return ""
	}
	var out []string
	for _, name := range Indicator("").Names() {
		limit, ok := c.Indicators[Indicator(name)]
		if !ok {
			continue
		}
		row := known[p][watch.Indicator(name)]
		switch {
		case row == nil, row.NotEvaluated != "":
			out = append(out, name)
		case row.N > 0 && big.NewRat(row.Count, row.N).Cmp(limit.Rat()) > 0:
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// misses is the rule by which a case does not count under a clause on cases although
// it has reached what is counted on a day, or because it can do so no longer; "" where
// the conditions on the case hold.
func (s *settler) misses(clause *Clause, i int32, rule string, on effect.Date) string {
	c := &clause.Conditions
	if l := c.Latest; l != nil {
		last := l.day(s.cases.Referral[i])
		if rule == RuleCounted && on > last || rule == RulePending && s.obs.AsOf > last {
			return RuleTooLate
		}
	}
	if rule != RuleCounted {
		return ""
	}
	if w := c.Weeks; w != nil {
		since := s.cases.Referral[i]
		if w.Since == SinceFirstReferral {
			for _, j := range s.casesOf(s.cases.Person[i]) {
				if ti := s.termsOf(j); ti >= 0 && s.group[ti] == s.group[s.termsOf(i)] && s.terms[ti].covers(s.cases.Referral[j]) {
					since = min(since, s.cases.Referral[j])
				}
			}
		}
		if week := int(on-since)/7 + 1; on < since || week < w.From || w.To != nil && week > *w.To {
			return RuleOutsideWeeks
		}
	}
	return ""
}

// holding leaves of what a case has of a clause what its conditions hold for; where
// that is nothing, it says by which rule.
func (s *settler) holding(clause *Clause, i int32, rule string, found []piece) ([]piece, string) {
	if rule != RuleCounted {
		return found, s.misses(clause, i, rule, effect.NoDate)
	}
	kept, first := found[:0], ""
	for _, p := range found {
		missed := s.misses(clause, i, rule, p.on)
		if missed == "" {
			missed = s.unproved(clause, i, p.on)
		}
		if missed == "" {
			kept = append(kept, p)
		} else if first == "" {
			first = missed
		}
	}
	if len(kept) > 0 {
		first = ""
	}
	return kept, first
}

// byDay says whether the single days of a sum must be told apart, rather than
// gathered by settlement period: where a condition asks of each, an attribution
// looks for the first, bands or a limit of several clauses add them up in the order of
// days, or instalments or a clawback reckon from the day of each.
func (t *Terms) byDay(clause *Clause) bool {
	c, x := &clause.Conditions, &clause.Schedule
	return t.Attribution != nil || c.Latest != nil || c.Weeks != nil || c.Evidence != nil ||
		x.Bands != nil || len(x.Instalments) > 0 || clause.Clawback != nil ||
		slices.ContainsFunc(t.scopes(true), func(k scope) bool { return k.about(clause.ID) && (k.per != PerPerson || k.clauses != clause.ID) })
}

// byDay is what the terms say of a clause; every case asks.
func (s *settler) byDay(t *Terms, clause *Clause) bool {
	is, known := s.byDays[clause]
	if !known {
		is = t.byDay(clause)
		s.byDays[clause] = is
	}
	return is
}

// unproved is the rule by which a case does not count because no document shows
// what it reached on a day; "" where one does.
func (s *settler) unproved(clause *Clause, i int32, on effect.Date) string {
	e := clause.Conditions.Evidence
	if e == nil {
		return ""
	}
	last := on.Add(e.Within)
	if first, ok := s.evidence[evidenceKey{s.cases.ID.At(int(i)).String(), e.Kind}]; ok && first <= min(last, s.obs.AsOf) {
		return ""
	}
	if s.obs.AsOf < last {
		return RuleEvidencePending
	}
	return RuleEvidenceMissing
}

// evidenceKey is a kind of document about a case.
type evidenceKey struct{ participation, kind string }

// firstEvidence is the first day on which each kind of document was received.
func firstEvidence(all []Evidence) map[evidenceKey]effect.Date {
	out := make(map[evidenceKey]effect.Date, len(all))
	for _, e := range all {
		key := evidenceKey{e.Participation.String(), e.Kind}
		if first, ok := out[key]; !ok || e.On < first {
			out[key] = e.On
		}
	}
	return out
}

// unless takes out the entries of citizens who count in another clause, which the
// clause leaves to it. Clauses that others rest on come first.
func (s *settler) unless() {
	persons := map[clauseKey]map[int32]bool{}
	done := map[clauseKey]bool{}
	var settle func(key clauseKey)
	settle = func(key clauseKey) {
		if done[key] {
			return
		}
		done[key] = true
		var others []string
		s.terms[key.terms].eachClause(func(_, _ int, clause *Clause) {
			if clause.ID == key.id {
				others = append(others, clause.Conditions.Unless...)
			}
		})
		if len(others) == 0 {
			return
		}
		for _, id := range others {
			other := clauseKey{key.terms, id}
			settle(other)
			if persons[other] == nil {
				persons[other] = map[int32]bool{}
				for _, x := range s.entries[other] {
					persons[other][s.cases.Person[x.at]] = true
				}
			}
		}
		s.entries[key] = slices.DeleteFunc(s.entries[key], func(x entry) bool {
			for _, id := range s.clauseOf(x).Conditions.Unless {
				if persons[clauseKey{key.terms, id}][s.cases.Person[x.at]] {
					s.rows[x.row].Rule = RuleUnless + ":" + id
					return true
				}
			}
			return false
		})
	}
	for ti, t := range s.terms {
		t.eachClause(func(_, _ int, clause *Clause) { settle(clauseKey{int32(ti), clause.ID}) })
	}
}

// lacks are the conditions of a clause that a provider does not meet, as rules of a
// case and reasons of a line: nothing where all are met.
func (s *settler) lacks(t *Terms, clause *Clause, p place, period effect.Period) (out []string) {
	if over := clause.Conditions.over(s.indicators, p); over != "" {
		out = append(out, RuleIndicator+":"+over)
	}
	var missing, outside []string
	for i := range clause.Conditions.Figures {
		f := &clause.Conditions.Figures[i]
		switch known, ok := s.figureHolds(t, f, p.provider, period); {
		case !known && !slices.Contains(missing, f.Figure):
			missing = append(missing, f.Figure)
		case known && !ok && !slices.Contains(outside, f.Figure):
			outside = append(outside, f.Figure)
		}
	}
	if len(missing) > 0 {
		out = append(out, RuleFigureMissing+":"+strings.Join(missing, ","))
	}
	if len(outside) > 0 {
		out = append(out, RuleFigure+":"+strings.Join(outside, ","))
	}
	return out
}

// figureHolds says whether a provider's figure is known for as many periods as are
// asked for, and whether it is within its limits in all of them.
func (s *settler) figureHolds(t *Terms, f *FigureLimit, provider string, period effect.Period) (known, ok bool) {
	var figures []Figure
	times := max(1, f.Consecutive)
	if f.Latest {
		figures = s.book.UpTo(f.Figure, provider, period.End-1)
	} else {
		for at := period; len(figures) < times; at = t.Periods.Period(at.Start - 1) {
			figure, there := s.book.For(f.Figure, provider, at)
			if !there {
				break
			}
			figures = append(figures, figure)
		}
	}
	if len(figures) < times {
		return false, false
	}
	known, ok = true, true
	for _, figure := range figures[:times] {
		value := figure.Rat()
		if value == nil || f.MinN > 0 && figure.N < int64(f.MinN) {
			known = false
			continue
		}
		ok = ok && (f.AtLeast == nil || value.Cmp(f.AtLeast.Rat()) >= 0) && (f.AtMost == nil || value.Cmp(f.AtMost.Rat()) <= 0)
	}
	return known, ok
}

// ofProviders leaves the entries of providers that meet the conditions on them.
func (s *settler) ofProviders(entries []entry) ([]entry, error) {
	type key struct {
		terms, version, clause, municipality, provider int32
		start                                          effect.Date
	}
	known := map[key]string{}
	return slices.DeleteFunc(entries, func(x entry) bool {
		clause := s.clauseOf(x)
		if len(clause.Conditions.Indicators) == 0 && len(clause.Conditions.Figures) == 0 {
			return false
		}
		t := s.terms[x.terms]
		period := s.period(t, x.on)
		k := key{x.terms, x.version, x.clause, s.cases.Municipality.CodeAt(int(x.at)), x.provider, period.Start}
		rule, judged := known[k]
		if !judged {
			p := place{s.cases.Municipality.Level(k.municipality), s.cases.Provider.Level(k.provider)}
			if lacks := s.lacks(t, clause, p, period); len(lacks) > 0 {
				rule = lacks[0]
			}
			known[k] = rule
		}
		if rule != "" {
			s.rows[x.row].Rule = rule
		}
		return rule != ""
	}), nil
}

// effectsOfProviders takes the payment from effects of providers that do not meet the
// conditions on them. What a provider owes for a negative effect it owes all the same.
func (s *settler) effectsOfProviders() {
	for _, d := range s.drafts {
		if d.clause == nil || d.clause.Measure.OfCases() || d.exact.Sign() < 0 {
			continue
		}
		for _, reason := range s.lacks(d.terms, d.clause, place{d.Municipality, d.Provider}, d.period) {
			d.Reason = strings.TrimPrefix(d.Reason+"; "+reason, "; ")
			d.Quantity, d.exact = "0", new(big.Rat)
			d.step("not paid: "+reason, "0", "kr.", d.Section)
		}
	}
}
