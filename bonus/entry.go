package bonus

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Entry is a part of a line that one case stands for: one citizen who reached
// an outcome, so many weeks, half of a payment, or something that is taken
// back. The entries of a line sum to its quantity. A line of an effect or a
// score has none: it is about all cases of its cell together.
type Entry struct {
	Line          string      `col:"line" doc:"line that the case counts in"`
	Participation string      `col:"participation_id" doc:"case"`
	On            effect.Date `col:"on" doc:"day on which it counts, which lies in the line's settlement period"`
	Quantity      string      `col:"quantity" doc:"how much of the line's quantity the case is, exactly; negative where something is taken back"`
}

// entry is an [Entry] before lines are made. The stages of a clause on cases go
// from entries to entries, each in a file of its own: what the measure found, who
// is credited, what is taken back, what the limits leave of it, on which days it
// is paid.
type entry struct {
	row, at         int32 // in rows and cases
	terms           int32
	version, clause int32
	provider        int32 // who is credited: a code of the cases' providers
	on              effect.Date
	quantity        fraction
	by              int32       // the case whose outcome it is, also where another is credited
	since           effect.Date // the day of the event, also where it is paid later
	takenBack       bool        // by the clawback of the clause
}

// compareEntries is the order in which a citizen's entries are judged: by day,
// then by agreement, then by the day of referral, then by participation id, then by
// clause.
func (s *settler) compareEntries(a, b entry) int {
	c := s.cases
	return cmp.Or(cmp.Compare(c.Person[a.at], c.Person[b.at]), s.compareDays(a, b))
}

// compareDays is that order without the citizens.
func (s *settler) compareDays(a, b entry) int {
	c := s.cases
	return cmp.Or(
		cmp.Compare(a.on, b.on), cmp.Compare(a.terms, b.terms),
		cmp.Compare(c.Referral[a.at], c.Referral[b.at]), c.ID[a.at].Compare(c.ID[b.at]),
		cmp.Compare(a.version, b.version), cmp.Compare(a.clause, b.clause),
	)
}

// caseLines turns what the cases of each clause have reached into lines. Each
// stage goes from entries to entries.
func (s *settler) caseLines() error {
	s.unless()
	entries, err := s.attributed()
	if err != nil {
		return err
	}
	entries = s.ofProviders(entries)
	if entries, err = s.limitEntries(entries); err != nil {
		return err
	}
	if entries, err = s.takeBack(entries); err != nil {
		return err
	}
	s.enterLines(entries)
	return nil
}

// enterLines gathers entries into lines and prices them.
func (s *settler) enterLines(entries []entry) {
	type lineKey struct {
		terms, version, clause, provider, scheme, group, pkg int32
		start                                                effect.Date
		takenBack                                            bool
	}
	type sum struct {
		*draft
		quantity *big.Rat
	}
	c, lines := s.cases, map[lineKey]sum{}
	for _, x := range entries {
		t := s.terms[x.terms]
		period := s.period(t, x.on)
		k := lineKey{x.terms, x.version, x.clause, x.provider, code(&c.MatchScheme, x.at), code(&c.MatchGroup, x.at), code(&c.Package, x.at), period.Start, x.takenBack}
		line, ok := lines[k]
		if !ok {
			cell := s.cell(-1, k.scheme, k.group, k.provider, k.pkg)
			line = sum{newDraft(t, int(k.version), int(k.clause), cell, period), new(big.Rat)}
			if k.takenBack {
				line.takesBack(int(k.version))
			}
			lines[k] = line
		}
		line.Cases++
		line.quantity.Add(line.quantity, x.quantity.rat())
		line.entries = append(line.entries, x)
		s.inLine(x, line.ID)
	}
	for k, line := range lines {
		price, ok := line.clause.Schedule.price(line.terms, line.MatchScheme, line.MatchGroup, line.Package)
		if !ok {
			s.unpriced[unpriced{k.terms, k.version, k.clause, line.MatchScheme, line.MatchGroup, line.Package}] += line.Cases
			continue
		}
		what, unit := line.clause.Measure.counts()
		if k.takenBack {
			what = "taken back for " + what
		}
		line.priced(line.quantity, price, what, unit)
		s.drafts = append(s.drafts, line.draft)
	}
}

// inLine notes in the row of a case that it counts, and in which line: the first of
// several.
func (s *settler) inLine(x entry, line string) {
	if x.takenBack {
		s.rows = append(s.rows, CaseLine{Participation: s.cases.ID[x.at].String(), Clause: s.clauseOf(x).ID + clawbackSuffix, Rule: RuleTakenBack, Line: line})
		s.origin = append(s.origin, origin{x.at, x.version, x.clause})
		s.unsorted = true
		return
	}
	row := &s.rows[x.row]
	if row.Rule = RuleCounted; row.Line == "" {
		row.Line = line
	}
}

// entryRows are the entries of a line, in the order of days and cases.
func (s *settler) entryRows(d *draft) []Entry {
	c := s.cases
	slices.SortFunc(d.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.on, b.on), c.ID[a.at].Compare(c.ID[b.at]), cmp.Compare(a.quantity.num*b.quantity.den, b.quantity.num*a.quantity.den))
	})
	out := make([]Entry, len(d.entries))
	for i, x := range d.entries {
		quantity := "1"
		if x.quantity != whole(1) {
			quantity = exactText(x.quantity.rat())
		}
		out[i] = Entry{Line: d.ID, Participation: c.ID[x.at].String(), On: x.on, Quantity: quantity}
	}
	return out
}

// counts says what a quantity of the measure is, and in which unit.
func (m *Measure) counts() (what, unit string) {
	switch {
	case m.Referred:
		return "citizens who were referred", "citizens"
	case m.Started:
		return "citizens who started", "citizens"
	}
	return fmt.Sprintf("citizens who reached %s", m.outcomes()), "citizens"
}

// priced gives the line its quantity and what that is worth, exactly.
func (d *draft) priced(quantity *big.Rat, price Ore, what, unit string) {
	d.Quantity, d.UnitPrice = exactText(quantity), price
	d.exact = new(big.Rat).Mul(quantity, price.Rat())
	d.step(what, d.Quantity, unit, d.Section)
	d.step("price of one", price.String(), "kr.", d.Section)
	d.step("quantity x price", exactText(d.exact), "kr.", d.Section)
	switch {
	case d.Reason != "":
	case quantity.Sign() == 0:
		d.Reason = ReasonNotAbove
	case price == 0:
		d.Reason = ReasonFree
	}
}
