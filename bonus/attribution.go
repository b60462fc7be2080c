package bonus

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Attribution says which provider is credited where several had a citizen, and how
// often one citizen is paid for. Terms without it pay the first case that counts,
// once for each clause.
//
// A citizen's event is the first entry of the clause (or of all clauses, with
// PerAgreement), over the agreement and those of Across: by day, then agreement
// id, then day of referral, then participation id, then the clauses in the order
// of the terms. One event is paid; the others get a rule. Of a sum (weeks, days)
// every entry of the case that the event comes from is one, each credited by its
// own day.
//
// The cases that can be credited are the citizen's under the same agreements that
// were referred on or before the day of the event, have a provider, and for which
// the clause of that id, in the version that applies to them on that day, could
// pay: package and the conditions on cases hold. It does not matter whether they
// reached the outcome themselves: what is reached is the citizen's. Nor does it
// matter whether the provider's figures and indicators let it be paid: what is
// credited to such a provider is not paid, to nobody.
type Attribution struct {
	Section  string   `yaml:"section" doc:"section of the source that says who is credited"`
	Credit   Credit   `yaml:"credit" doc:"who is credited with what a citizen reached: first (the case that reached it first), last (the latest referred by then), longest (the one with most days of course by then), split_days (all, by days of course until then) or role (the latest referred case with the role)"`
	Role     CaseRole `yaml:"role,omitempty" doc:"of credit role: delivery or authority"`
	Payments Payments `yaml:"payments,omitempty" doc:"per_clause (if left out): a citizen is paid for once for each clause; per_agreement: once under the agreement, whatever the clause"`
	// Across must be said alike by all: an agreement that names another is named
	// by it, with the same credit, role and payments.
	Across []string `yaml:"across,omitempty" doc:"other agreements whose cases of the citizen count together with those of this one; their terms must name this one too, and be settled with it"`
}

// Credit says which of a citizen's cases an event is credited to.
type Credit string

// The credits. Days of course are those of [start, end), up to the event; a course
// without a first day has none, one without an end goes on.
const (
	// CreditFirst is the case whose own outcome is the event.
	CreditFirst Credit = "first"
	// CreditLast is the latest referred, ties by the later participation id.
	CreditLast Credit = "last"
	// CreditLongest is the one with most days of course, ties by the earlier
	// referral, then by the earlier participation id.
	CreditLongest Credit = "longest"
	// CreditSplit gives each its days of course over all days of course, exactly; with
	// no days at all it is CreditLast.
	CreditSplit Credit = "split_days"
	// CreditRole is CreditLast of the cases with the role. Without any, nothing is
	// paid (RuleNoRole).
	CreditRole Credit = "role"
)

// Names lists the credits.
func (Credit) Names() []string {
	return []string{string(CreditFirst), string(CreditLast), string(CreditLongest), string(CreditSplit), string(CreditRole)}
}

// Payments says how often one citizen is paid for.
type Payments string

// How often.
const (
	PerClause    Payments = "per_clause"
	PerAgreement Payments = "per_agreement"
)

// Names lists how often.
func (Payments) Names() []string { return []string{string(PerClause), string(PerAgreement)} }

// CaseRole is what a provider does in a case.
type CaseRole string

// The roles.
const (
	RoleDelivery  CaseRole = "delivery"
	RoleAuthority CaseRole = "authority"
)

// Names lists the roles.
func (CaseRole) Names() []string { return []string{string(RoleDelivery), string(RoleAuthority)} }

// EveryCase says whether the terms need every case of a citizen, and not only the
// first: the cohort must then take each.
func (t *Terms) EveryCase() bool {
	return t.Attribution != nil && t.Attribution.Credit != CreditFirst
}

// PaysEffects says whether a clause is about a figure of many cases.
func (t *Terms) PaysEffects() bool {
	figures := false
	t.eachClause(func(_, _ int, clause *Clause) { figures = figures || !clause.Measure.OfCases() })
	return figures
}

// perAgreement says whether a citizen is paid for once whatever the clause.
func (t *Terms) perAgreement() bool {
	return t.Attribution != nil && t.Attribution.Payments == PerAgreement
}

func (a *Attribution) check(c *checker) {
	if a == nil {
		return
	}
	a.Payments = cmp.Or(a.Payments, PerClause)
	switch {
	case a.Credit == CreditRole && a.Role == "":
		c.fault("attribution", "credit by role needs the role, as in role: delivery")
	case a.Credit != CreditRole && a.Role != "":
		c.fault("attribution.role", "role belongs to credit: role")
	}
	for i, other := range a.Across {
		at := fmt.Sprintf("attribution.across[%d]", i)
		switch {
		case other == c.t.Agreement:
			c.fault(at, "%q is the agreement of these terms: name the others", other)
		case slices.Contains(a.Across[:i], other):
			c.fault(at, "agreement %q stands twice", other)
		}
	}
	c.t.eachClause(func(v, k int, clause *Clause) {
		if !clause.Measure.OfCases() && a.Credit != CreditFirst {
			c.fault(fmt.Sprintf("versions[%d].clauses[%d].measure", v, k), "clause %s is about figures of citizens' first cases, and credit: %s needs every case: put the clause in terms of its own, settled in a run of its own", clause.ID, a.Credit)
		}
	})
}

// Together says what terms that are settled in one run say of each other and do
// not agree on: nil, or a [*Faults] with every place. [Settle] asks it too.
func Together(terms []*Terms) error {
	var faults strict.Gathered
	byAgreement := map[string]*Terms{}
	for _, t := range terms {
		byAgreement[t.Agreement] = t
	}
	for _, t := range terms {
		if first := terms[0]; t.Currency != first.Currency {
			faults.Add(t.doc, "currency", FaultCurrency, "the terms are in %s, and %s, which is settled with them, in %s: amounts of two currencies do not add up; settle them apart", t.Currency, first.File, first.Currency)
		}
		a := t.Attribution
		if a == nil {
			continue
		}
		for i, name := range a.Across {
			path := fmt.Sprintf("attribution.across[%d]", i)
			other := byAgreement[name]
			switch {
			case other == nil:
				faults.Add(t.doc, path, FaultTogether, "no terms of agreement %q are settled with these, and a citizen is paid for once under both: give both files%s", name, strict.Suggest(name, agreements(terms)))
			case other.Attribution == nil || !slices.Contains(other.Attribution.Across, t.Agreement):
				faults.Add(t.doc, path, FaultTogether, "the terms of agreement %q in %s do not name %q under across: both must say so", name, other.File, t.Agreement)
			case !slices.Equal(a.group(t.Agreement), other.Attribution.group(name)):
				faults.Add(t.doc, path, FaultTogether, "these terms count together %s, and those in %s %s: all must name the same agreements", strings.Join(a.group(t.Agreement), ", "), other.File, strings.Join(other.Attribution.group(name), ", "))
			case a.Payments != PerAgreement && !t.sharesClause(other):
				faults.Add(t.doc, path, FaultTogether, "a citizen is paid for once for each clause, and no clause has an id that one of agreement %q has, so that nobody would be: give clauses for the same result one id, or say payments: per_agreement", name)
			case a.Credit != other.Attribution.Credit || a.Role != other.Attribution.Role || a.Payments != other.Attribution.Payments:
				faults.Add(t.doc, path, FaultTogether, "credit, role and payments differ from those in %s: what is counted together is credited by one rule", other.File)
			}
		}
	}
	return faults.Err()
}

// sharesClause says whether a clause on cases stands, by its id, in other terms too.
func (t *Terms) sharesClause(other *Terms) (shares bool) {
	ids := map[string]bool{}
	t.eachClause(func(_, _ int, c *Clause) { ids[c.ID] = ids[c.ID] || c.Measure.OfCases() })
	other.eachClause(func(_, _ int, c *Clause) { shares = shares || ids[c.ID] && c.Measure.OfCases() })
	return shares
}

func agreements(terms []*Terms) (out []string) {
	for _, t := range terms {
		out = append(out, t.Agreement)
	}
	return out
}

// group are the agreements that count together, in order.
func (a *Attribution) group(own string) []string {
	return slices.Sorted(slices.Values(append([]string{own}, a.Across...)))
}

// findGroups gives each terms the first of those that it counts together with.
func (s *settler) findGroups() {
	for i, t := range s.terms {
		first := i
		if t.Attribution != nil {
			first = slices.IndexFunc(s.terms, func(o *Terms) bool { return o.Agreement == t.Attribution.group(t.Agreement)[0] })
		}
		s.group = append(s.group, int32(max(first, 0)))
	}
}

// payee is what one payment of a citizen is for: a clause, or "" for any, of the
// agreements that count together.
type payee struct {
	group  int32
	clause string
}

// attributed are the entries that are credited to somebody.
func (s *settler) attributed() ([]entry, error) {
	together, n := map[payee][]entry{}, 0
	for key, entries := range s.entries {
		n += len(entries)
		p := payee{s.group[key.terms], key.id}
		if s.terms[key.terms].perAgreement() {
			p.clause = ""
		}
		if together[p] == nil {
			together[p] = entries
		} else {
			together[p] = append(together[p], entries...)
		}
	}
	s.entries = nil
	keys := make([]payee, 0, len(together))
	for p := range together {
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b payee) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.clause, b.clause)) })
	var out []entry
	if len(keys) > 1 {
		out = make([]entry, 0, n)
	}
	for _, p := range keys {
		entries := together[p]
		delete(together, p)
		slices.SortFunc(entries, s.compareEntries)
		kept, err := s.attribute(entries)
		if err != nil {
			return nil, err
		}
		if len(keys) == 1 {
			out = kept
		} else {
			out = append(out, kept...)
		}
	}
	return out, nil
}

// attribute keeps one payment for each citizen and says whom it is credited to.
// The entries are of one payee and in order.
func (s *settler) attribute(entries []entry) ([]entry, error) {
	person := func(i int) int32 { return s.cases.Person[entries[i].at] }
	kept := entries[:0]
	var more blocks // what is credited to others can be more than there was
	for from, to := 0, 0; from < len(entries); from = to {
		for to = from + 1; to < len(entries) && person(to) == person(from); to++ {
		}
		event := entries[from]
		credit := CreditFirst
		if s.terms[event.terms].EveryCase() {
			credit = s.terms[event.terms].Attribution.Credit
		}
		events := 0
		for _, x := range entries[from:to] {
			switch {
			case x.terms != event.terms:
				s.rows[x.row].Rule = RuleOtherAgreement
			case s.clauseOf(x).ID != s.clauseOf(event).ID:
				s.rows[x.row].Rule = RuleOtherClause
			case x.at == event.at:
				events++
			case credit == CreditFirst:
				s.rows[x.row].Rule = RuleAlreadyPaid
			default:
				s.rows[x.row].Rule = RuleCreditedToAnother
			}
		}
		for k := from; k < to; k++ {
			x := entries[k]
			if x.at != event.at || x.terms != event.terms || s.clauseOf(x).ID != s.clauseOf(event).ID {
				continue
			}
			if credit == CreditFirst {
				kept = append(kept, x)
				continue
			}
			s.rows[x.row].Rule = RuleCreditedToAnother
			shared, err := s.credited(x, credit)
			if err != nil {
				return nil, err
			}
			if len(shared) == 0 {
				s.rows[x.row].Rule = RuleNoRole
			}
			for _, x := range shared {
				more.add(x)
			}
		}
	}
	for _, b := range more {
		for _, x := range b {
			s.rows[x.row].Rule = RuleCounted
		}
	}
	if len(more) == 0 {
		return kept, nil
	}
	return slices.Concat(append(blocks{kept}, more...)...), nil
}

// credited are the parts of an event, one for each case that it is credited to.
// Their quantities sum to that of the event. They are valid until the next call.
func (s *settler) credited(event entry, credit Credit) ([]entry, error) {
	c := s.cases
	able := s.able[:0] // by referral, then participation id
	for _, j := range s.casesOf(c.Person[event.at]) {
		if x, ok := s.candidate(event, j); ok {
			able = append(able, x)
		}
	}
	s.able = able
	slices.SortFunc(able, func(a, b entry) int {
		return cmp.Or(cmp.Compare(c.Referral[a.at], c.Referral[b.at]), c.ID.At(int(a.at)).Compare(c.ID.At(int(b.at))))
	})
	if credit == CreditRole {
		role := c.Role.Code(string(s.terms[event.terms].Attribution.Role))
		able = slices.DeleteFunc(able, func(x entry) bool { return role < 0 || c.Role.CodeAt(int(x.at)) != role })
	}
	if len(able) == 0 {
		return nil, nil
	}
	total, most, longest := int64(0), int64(0), 0
	for k, x := range able {
		days := s.courseDays(x.at, event.since)
		total += days
		if days > most {
			most, longest = days, k
		}
	}
	switch {
	case credit == CreditLongest:
		return able[longest : longest+1], nil
	case credit != CreditSplit || total == 0:
		return able[len(able)-1:], nil
	}
	out := able[:0]
	for _, x := range able {
		days := s.courseDays(x.at, event.since)
		if days == 0 {
			continue
		}
		var err error
		if x.quantity, err = x.quantity.times(fraction{days, total}); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// candidate is what the event would be as credited to a case; ok is false where
// the clause cannot pay it for that case.
func (s *settler) candidate(event entry, j int32) (x entry, ok bool) {
	c := s.cases
	ti := s.termsOf(j)
	if ti < 0 || s.group[ti] != s.group[event.terms] || c.Referral[j] > event.since {
		return x, false
	}
	t := s.terms[ti]
	x = event
	x.at, x.terms, x.provider = j, ti, c.Provider.CodeAt(int(j))
	if !t.covers(c.Referral[j]) || x.provider < 0 {
		return x, false
	}
	switch s.cohortReason(j) {
	case effect.ReasonNotFirst, effect.ReasonNotLast:
		s.cutShort[ti] = true
		return x, false
	}
	x.version = int32(t.versionFor(c.Referral[j], event.since))
	if x.version < 0 {
		return x, false
	}
	id := s.clauseOf(event).ID
	x.clause = int32(slices.IndexFunc(t.Versions[x.version].Clauses, func(clause Clause) bool { return clause.ID == id }))
	if x.clause < 0 {
		return x, false
	}
	clause := s.clauseOf(x)
	pkg := c.Package.CodeAt(int(j))
	switch offer := s.offer(ti, pkg); {
	case offer == nil:
		s.undeclared[undeclared{ti, x.version, x.clause, pkg}]++
		return x, false
	case !clause.Conditions.allow(offer) || s.misses(clause, j, RuleCounted, event.since) != "":
		return x, false
	}
	x.row = s.rowOf(x)
	return x, true
}

// courseDays is how many days of the course of a case lie before a day.
func (s *settler) courseDays(i int32, until effect.Date) int64 {
	c := s.cases
	if c.Start == nil || c.Start[i] == effect.NoDate {
		return 0
	}
	if c.End != nil && c.End[i] != effect.NoDate {
		until = min(until, c.End[i])
	}
	return max(0, int64(until)-int64(c.Start[i]))
}

// casesOf are the cases of a person, in the order of their ids.
func (s *settler) casesOf(person int32) []int32 {
	if s.personFrom == nil {
		c := s.cases
		s.personFrom = make([]int32, c.Persons.Len()+1)
		for _, p := range c.Person {
			s.personFrom[p+1]++
		}
		for p := range c.Persons.Len() {
			s.personFrom[p+1] += s.personFrom[p]
		}
		next := slices.Clone(s.personFrom)
		s.personCases = make([]int32, c.Len())
		for i, p := range c.Person {
			s.personCases[next[p]] = int32(i)
			next[p]++
		}
	}
	return s.personCases[s.personFrom[person]:s.personFrom[person+1]]
}

// rowOf is the row of a case under the clause of an entry. A case that is credited
// under a version in which it would not have been judged gets one.
func (s *settler) rowOf(x entry) int32 {
	if s.rowsFrom == nil {
		s.rowsFrom = slices.Repeat([]int32{-1}, s.cases.Len())
		for r := len(s.origin) - 1; r >= 0; r-- {
			s.rowsFrom[s.origin[r].at] = int32(r)
		}
		s.judged = int32(len(s.rows))
	}
	id := s.clauseOf(x).ID
	for r := s.rowsFrom[x.at]; r < s.judged && s.origin[r].at == x.at; r++ {
		if s.rows[r].Clause == id {
			s.origin[r].version, s.origin[r].clause = x.version, x.clause
			return r
		}
	}
	for r := s.judged; r < int32(len(s.rows)); r++ {
		if s.origin[r].at == x.at && s.rows[r].Clause == id {
			return r
		}
	}
	s.rows = append(s.rows, CaseLine{Participation: s.cases.ID.At(int(x.at)).String(), Clause: id, Rule: RuleCounted})
	s.origin = append(s.origin, origin{x.at, x.version, x.clause})
	s.unsorted = true
	return int32(len(s.rows) - 1)
}

// sortRows puts rows that were added at the end in their places.
func (s *settler) sortRows() {
	if !s.unsorted {
		return
	}
	order := make([]int, len(s.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(s.origin[a].at, s.origin[b].at), cmp.Compare(s.origin[a].version, s.origin[b].version), cmp.Compare(s.origin[a].clause, s.origin[b].clause))
	})
	rows, from := make([]CaseLine, len(order)), make([]origin, len(order))
	for i, o := range order {
		rows[i], from[i] = s.rows[o], s.origin[o]
	}
	s.rows, s.origin = rows, from
}

// attributionFaults are about facts that leave out what crediting needs.
func (s *settler) attributionFaults() {
	for ti, t := range s.terms {
		if s.cutShort[int32(ti)] {
			s.faults.Add(t.doc, "attribution.credit", FaultTogether, "credit: %s looks at every case of a citizen, and the observations leave out all but one: observe again with cohort.take: each", t.Attribution.Credit)
		}
	}
}
