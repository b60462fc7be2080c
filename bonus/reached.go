package bonus

import (
	"cmp"
	"maps"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// reachedLines turns reached outcomes into lines: a citizen's first under an
// agreement and clause. Of several on one day that of the earliest referral
// counts, and of several of those that with the lowest participation id.
func (s *settler) reachedLines() {
	keys := slices.SortedFunc(maps.Keys(s.reached), func(a, b clauseKey) int {
		return cmp.Or(cmp.Compare(a.terms, b.terms), cmp.Compare(a.id, b.id))
	})
	for _, key := range keys {
		s.reachedClause(key, s.reached[key])
		delete(s.reached, key)
	}
}

func (s *settler) reachedClause(key clauseKey, candidates []candidate) {
	t, c := s.terms[key.terms], s.cases
	s.periods = map[effect.Date]effect.Period{}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(c.Person[a.at], c.Person[b.at]), cmp.Compare(a.on, b.on), cmp.Compare(c.Referral[a.at], c.Referral[b.at]), c.ID[a.at].Compare(c.ID[b.at]))
	})
	type lineKey struct {
		version, clause, provider, scheme, group, pkg int32
		start                                         effect.Date
	}
	lines := map[lineKey]*draft{}
	for i, x := range candidates {
		if i > 0 && c.Person[candidates[i-1].at] == c.Person[x.at] {
			s.rows[x.row].Rule = RuleAlreadyPaid
			continue
		}
		o, period := s.origin[x.row], s.period(t, x.on)
		k := lineKey{
			o.version, o.clause, code(&c.Provider, x.at), code(&c.MatchScheme, x.at), code(&c.MatchGroup, x.at),
			code(&c.Package, x.at), period.Start,
		}
		d := lines[k]
		if d == nil {
			cell := s.cell(-1, k.scheme, k.group, k.provider, k.pkg)
			d = newDraft(t, int(k.version), int(k.clause), cell, period)
			lines[k] = d
		}
		d.Cases++
		s.rows[x.row].Line = d.ID
	}
	for k, d := range lines {
		price, ok := d.clause.Schedule.price(t, d.MatchScheme, d.MatchGroup, d.Package)
		if !ok {
			s.unpriced[unpriced{key.terms, k.version, k.clause, d.MatchScheme, d.MatchGroup, d.Package}] += d.Cases
			continue
		}
		d.priced(new(big.Rat).SetInt64(d.Cases), price, "citizens who reached "+d.Outcome, "citizens")
		s.drafts = append(s.drafts, d)
	}
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
