package bonus

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// limitQuantities applies the limits of quantities and cases, to what is paid for.
func (s *settler) limitQuantities(entries []entry) ([]entry, error) {
	return s.limitEntries(entries, func(k scope) bool { return k.of != LimitAmount })
}

// limitAmounts applies the limits of amounts per person, to payments on their days.
func (s *settler) limitAmounts(entries []entry) ([]entry, error) {
	return s.limitEntries(entries, func(k scope) bool { return k.of == LimitAmount })
}

// limitEntries applies limits that work on entries, in the order of days.
func (s *settler) limitEntries(entries []entry, which func(scope) bool) ([]entry, error) {
	limited := slices.ContainsFunc(s.terms, func(t *Terms) bool { return slices.ContainsFunc(t.scopes(true), which) })
	if !limited {
		return entries, nil
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.terms, b.terms), s.compareDays(&a, &b), cmp.Compare(a.band, b.band), cmp.Compare(a.instalment, b.instalment))
	})
	var out []entry
	for from, to := 0, 0; from < len(entries); from = to {
		for to = from + 1; to < len(entries) && entries[to].terms == entries[from].terms; to++ {
		}
		t := s.terms[entries[from].terms]
		used := usage{quantity: map[usedBy]*big.Rat{}, cases: map[usedBy]map[int32]bool{}}
		scopes := slices.DeleteFunc(t.scopes(true), func(k scope) bool { return !which(k) })
		for _, x := range entries[from:to] {
			kept, err := s.cut(&x, &used, which)
			if err != nil {
				return nil, err
			}
			if !kept {
				s.rows[x.row].Rule = RuleOverLimit
				continue
			}
			for _, k := range scopes {
				if k.about(s.clauseOf(x).ID) {
					s.use(&used, k, &x)
				}
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// usedBy is who used up something of a limit, in which stretch of time.
type usedBy struct {
	scope
	who   int32
	since effect.Date
}

// usage is what was used up: quantities or kroner, and cases.
type usage struct {
	quantity map[usedBy]*big.Rat
	cases    map[usedBy]map[int32]bool
}

func (s *settler) usedBy(k scope, x *entry) usedBy {
	by := usedBy{scope: k, since: k.stretch(s.period(s.terms[x.terms], x.on))}
	switch k.per {
	case PerPerson:
		by.who = s.cases.Person[x.at]
	case PerProvider:
		by.who = x.provider
	}
	return by
}

// use adds an entry to what is used up.
func (s *settler) use(used *usage, k scope, x *entry) {
	by := s.usedBy(k, x)
	if k.of == LimitCases {
		if used.cases[by] == nil {
			used.cases[by] = map[int32]bool{}
		}
		used.cases[by][x.at] = true
		return
	}
	if used.quantity[by] == nil {
		used.quantity[by] = new(big.Rat)
	}
	used.quantity[by].Add(used.quantity[by], s.ofLimit(k, x))
}

// ofLimit is how much an entry uses of a limit of quantities or amounts.
func (s *settler) ofLimit(k scope, x *entry) *big.Rat {
	if k.of == LimitQuantity {
		return x.quantity.rat()
	}
	return new(big.Rat).Mul(s.worth(x), x.quantity.rat())
}

// worth is what one of an entry's quantity is paid, in kroner. An entry without a
// price, which is a fault when lines are made, is worth nothing.
func (s *settler) worth(x *entry) *big.Rat {
	c, t, clause := s.cases, s.terms[x.terms], s.clauseOf(*x)
	price, _ := clause.Schedule.price(t, level(&c.MatchScheme, code(&c.MatchScheme, x.at)), level(&c.MatchGroup, code(&c.MatchGroup, x.at)), level(&c.Package, code(&c.Package, x.at)))
	if b := clause.Schedule.Bands; b != nil && b.Steps[x.band].Amount != nil {
		price = *b.Steps[x.band].Amount
	}
	if factor := s.factorOf(x); factor != noFactor {
		price, _ = t.Indexation.price(price, factor) // that it fits was checked with the terms
	}
	d := draft{clause: clause, band: x.band}
	return d.times().Mul(d.times(), price.Rat())
}

// cut shrinks an entry to what the limits of its period leave of it; kept is false
// where that is nothing.
func (s *settler) cut(x *entry, used *usage, which func(scope) bool) (kept bool, err error) {
	t := s.terms[x.terms]
	limits := t.Versions[t.limitsFor(s.period(t, x.on))].Limits
	for i := range limits {
		l := &limits[i]
		k := l.scope()
		if !l.onEntries() || !which(k) || l.Most == nil || !k.about(s.clauseOf(*x).ID) {
			continue
		}
		by := s.usedBy(k, x)
		if k.of == LimitCases {
			if cases := used.cases[by]; !cases[x.at] && big.NewRat(int64(len(cases)), 1).Cmp(l.Most.Rat()) >= 0 {
				return false, nil
			}
			continue
		}
		left := l.Most.Rat()
		if already := used.quantity[by]; already != nil {
			left.Sub(left, already)
		}
		asked := s.ofLimit(k, x)
		if asked.Cmp(left) <= 0 {
			continue
		}
		if left.Sign() <= 0 {
			return false, nil
		}
		share := left.Quo(left, asked)
		if x.quantity, err = newFraction(share.Mul(share, x.quantity.rat())); err != nil {
			return false, err
		}
	}
	return true, nil
}
