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
	out := entries[:0]
	for from, to := 0, 0; from < len(entries); from = to {
		for to = from + 1; to < len(entries) && entries[to].terms == entries[from].terms; to++ {
		}
		t := s.terms[entries[from].terms]
		u := newUsage(s, t, which)
		for _, x := range entries[from:to] {
			kept, err := u.cut(&x)
			if err != nil {
				return nil, err
			}
			if !kept {
				s.rows[x.row].Rule = RuleOverLimit
				continue
			}
			for _, k := range u.about[x.version][x.clause] {
				u.use(k, &x)
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// usage is what limits on entries have left of some terms: what they say, looked up
// once because every entry asks, and what was used up.
type usage struct {
	s      *settler
	t      *Terms
	scopes []scope
	about  [][][]int32      // version, clause -> the scopes that add it up
	limits [][]mostOf       // by version, as they stand
	used   map[usedBy]tally // quantities, kroner or cases
	cases  map[usedCase]bool
	prices map[priced]tally
}

// mostOf is the most of a scope.
type mostOf struct {
	scope int32
	most  tally
}

// usedBy is who used up something of a scope, in which stretch of time.
type usedBy struct {
	scope, who int32
	since      effect.Date
}

// usedCase is a case that was paid for.
type usedCase struct {
	usedBy
	at int32
}

// priced is what the price of an entry hangs on.
type priced struct {
	version, clause, scheme, group, pkg, factor int32
	band                                        int16
}

func newUsage(s *settler, t *Terms, which func(scope) bool) *usage {
	u := &usage{s: s, t: t, used: map[usedBy]tally{}, cases: map[usedCase]bool{}, prices: map[priced]tally{}}
	u.scopes = slices.DeleteFunc(t.scopes(true), func(k scope) bool { return !which(k) })
	for v := range t.Versions {
		version := &t.Versions[v]
		about, limits := make([][]int32, len(version.Clauses)), []mostOf(nil)
		for k, scope := range u.scopes {
			for c := range version.Clauses {
				if scope.about(version.Clauses[c].ID) {
					about[c] = append(about[c], int32(k))
				}
			}
		}
		for i := range version.Limits {
			if l := &version.Limits[i]; l.onEntries() && l.Most != nil && which(l.scope()) {
				limits = append(limits, mostOf{int32(slices.Index(u.scopes, l.scope())), newTallyOf(l.Most.Rat())})
			}
		}
		u.about, u.limits = append(u.about, about), append(u.limits, limits)
	}
	return u
}

func (u *usage) usedBy(k int32, x *entry) usedBy {
	by := usedBy{scope: k, since: u.scopes[k].stretch(u.s.period(u.t, x.on))}
	switch u.scopes[k].per {
	case PerPerson:
		by.who = u.s.cases.Person[x.at]
	case PerProvider:
		by.who = x.provider
	}
	return by
}

// use adds an entry to what is used up.
func (u *usage) use(k int32, x *entry) {
	by := u.usedBy(k, x)
	if u.scopes[k].of == LimitCases {
		if u.cases[usedCase{by, x.at}] {
			return
		}
		u.cases[usedCase{by, x.at}] = true
	}
	sum, ok := u.used[by]
	if !ok {
		sum = newTally()
	}
	sum.addTally(u.asked(k, x))
	u.used[by] = sum
}

// asked is how much an entry uses of a scope.
func (u *usage) asked(k int32, x *entry) tally {
	switch u.scopes[k].of {
	case LimitCases:
		return tally{small: whole(1)}
	case LimitQuantity:
		return tally{small: x.quantity}
	}
	price := u.price(x)
	if price.rest == nil {
		if amount, err := price.small.times(x.quantity); err == nil {
			return tally{small: amount}
		}
	}
	return newTallyOf(new(big.Rat).Mul(price.rat(), x.quantity.rat()))
}

// price is what one of an entry's quantity is paid, in kroner. An entry without a
// price, which is a fault when lines are made, is worth nothing.
func (u *usage) price(x *entry) tally {
	c := u.s.cases
	key := priced{
		x.version, x.clause, c.MatchScheme.CodeAt(int(x.at)), c.MatchGroup.CodeAt(int(x.at)), c.Package.CodeAt(int(x.at)),
		u.s.factorOf(x), x.band,
	}
	if known, ok := u.prices[key]; ok {
		return known
	}
	clause := u.s.clauseOf(*x)
	price, _ := clause.Schedule.price(u.t, c.MatchScheme.Level(key.scheme), c.MatchGroup.Level(key.group), c.Package.Level(key.pkg))
	if b := clause.Schedule.Bands; b != nil && b.Steps[x.band].Amount != nil {
		price = *b.Steps[x.band].Amount
	}
	if key.factor != noFactor {
		price, _ = u.t.Indexation.price(price, key.factor) // that it fits was checked with the terms
	}
	times := (&draft{clause: clause, band: x.band}).times()
	u.prices[key] = newTallyOf(times.Mul(times, price.Rat()))
	return u.prices[key]
}

// cut shrinks an entry to what the limits of its period leave of it; kept is false
// where that is nothing.
func (u *usage) cut(x *entry) (kept bool, err error) {
	for _, l := range u.limits[u.t.limitsFor(u.s.period(u.t, x.on))] {
		if !slices.Contains(u.about[x.version][x.clause], l.scope) {
			continue
		}
		by, ofCases := u.usedBy(l.scope, x), u.scopes[l.scope].of == LimitCases
		if ofCases && u.cases[usedCase{by, x.at}] {
			continue
		}
		already, ok := u.used[by]
		if !ok {
			already = newTally()
		}
		asked := u.asked(l.scope, x)
		if !already.exceeds(asked, l.most) {
			continue
		}
		left := l.most.rat()
		if left.Sub(left, already.rat()).Sign() <= 0 || ofCases {
			return false, nil
		}
		share := left.Quo(left, asked.rat())
		if x.quantity, err = newFraction(share.Mul(share, x.quantity.rat())); err != nil {
			return false, err
		}
	}
	return true, nil
}
