package bonus

import (
	"cmp"
	"fmt"
	"maps"
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
}

// fraction is an exact quantity of a case, small enough for machine integers:
// a share is written in the terms with a few decimals.
type fraction struct{ num, den int64 }

// whole is a number of things.
func whole(n int64) fraction { return fraction{n, 1} }

// rat is the fraction, exactly.
func (f fraction) rat() *big.Rat { return big.NewRat(f.num, f.den) }

// compareEntries is the order in which a citizen's entries of a clause are judged:
// by day, then by the day of referral, then by participation id.
func (s *settler) compareEntries(a, b entry) int {
	c := s.cases
	return cmp.Or(
		cmp.Compare(c.Person[a.at], c.Person[b.at]), cmp.Compare(a.on, b.on),
		cmp.Compare(c.Referral[a.at], c.Referral[b.at]), c.ID[a.at].Compare(c.ID[b.at]),
	)
}

// caseLines turns what the cases of each clause have reached into lines.
func (s *settler) caseLines() {
	keys := slices.SortedFunc(maps.Keys(s.entries), func(a, b clauseKey) int {
		return cmp.Or(cmp.Compare(a.terms, b.terms), cmp.Compare(a.id, b.id))
	})
	for _, key := range keys {
		entries := s.entries[key]
		delete(s.entries, key)
		slices.SortFunc(entries, s.compareEntries)
		s.enterLines(s.attribute(entries))
	}
}

// attribute keeps one payment for each citizen: the first. The entries are of
// one clause and in order.
func (s *settler) attribute(entries []entry) []entry {
	c := s.cases
	kept := entries[:0]
	for i, x := range entries {
		if i > 0 && c.Person[entries[i-1].at] == c.Person[x.at] {
			s.rows[x.row].Rule = RuleAlreadyPaid
			continue
		}
		kept = append(kept, x)
	}
	return kept
}

// enterLines gathers entries of one clause into lines and prices them.
func (s *settler) enterLines(entries []entry) {
	type lineKey struct {
		version, clause, provider, scheme, group, pkg int32
		start                                         effect.Date
	}
	type sum struct {
		*draft
		quantity *big.Rat
	}
	c, lines := s.cases, map[lineKey]sum{}
	s.periods = map[effect.Date]effect.Period{}
	for _, x := range entries {
		t := s.terms[x.terms]
		period := s.period(t, x.on)
		k := lineKey{x.version, x.clause, x.provider, code(&c.MatchScheme, x.at), code(&c.MatchGroup, x.at), code(&c.Package, x.at), period.Start}
		line, ok := lines[k]
		if !ok {
			cell := s.cell(-1, k.scheme, k.group, k.provider, k.pkg)
			line = sum{newDraft(t, int(k.version), int(k.clause), cell, period), new(big.Rat)}
			lines[k] = line
		}
		line.Cases++
		line.quantity.Add(line.quantity, x.quantity.rat())
		line.entries = append(line.entries, x)
		if s.rows[x.row].Line == "" {
			s.rows[x.row].Line = line.ID
		}
	}
	for k, line := range lines {
		if what, unit := line.clause.Measure.counts(); line.clause.Schedule.Pool != nil {
			s.intoPool(line.draft, line.quantity, what, unit)
			s.drafts = append(s.drafts, line.draft)
			continue
		}
		price, ok := line.clause.Schedule.price(line.terms, line.MatchScheme, line.MatchGroup, line.Package)
		if !ok {
			at := entries[0].terms
			s.unpriced[unpriced{at, k.version, k.clause, line.MatchScheme, line.MatchGroup, line.Package}] += line.Cases
			continue
		}
		what, unit := line.clause.Measure.counts()
		line.priced(line.quantity, price, what, unit)
		s.drafts = append(s.drafts, line.draft)
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
