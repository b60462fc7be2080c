package bonus

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Limit is the most that is paid, or the least. Those in force for a settlement
// period are those of the latest version that began by its first day. A version
// that gives no limit lifts that of the one before, so that the lines of a period
// are sealed only where this version is, also where nothing is taken off.
//
// A limit works in one of two places:
//
//   - On entries, before they are lines: limits of quantity and of cases, and every
//     limit per person. Entries are taken in the order of days; one that goes beyond
//     the limit shrinks to what is left, and one with nothing left is not paid
//     (RuleOverLimit). A limit of an amount per person shrinks it to what is left
//     over its price. Of a limit of cases, one already paid for goes on counting.
//   - On rounded amounts, in lines of its own: cap takes off what is above Most,
//     floor adds what is missing to Least, carried moves what is negative into the
//     next period, small takes off a sum under UnpaidUnder. They apply one after
//     the other as they stand; each sees what those before it have left.
//
// What is limited over a year or the agreement is added up over settlement periods
// in the order of time; a limit with the same per, over, of and clauses in a later
// version goes on from there. A cap takes off at most what a period pays: what
// earlier periods were paid stays.
//
// A new limit is a name of Per, Over or Of, its rules in check, and its place in
// limitEntries or in apply.
type Limit struct {
	Section string    `yaml:"section" doc:"section of the source that limits what is paid"`
	Per     LimitPer  `yaml:"per" doc:"whose payments are limited: person, provider, or agreement (all providers together)"`
	Over    LimitOver `yaml:"over" doc:"over which time: period (a settlement period), year (the calendar year that the settlement period begins in) or agreement"`
	Of      LimitOf   `yaml:"of,omitempty" doc:"amount (kroner; if left out), quantity (what the clauses count) or cases (how many cases are paid for)"`
	Clauses []string  `yaml:"clauses,omitempty" doc:"the clauses whose payments are added up, with what their clawbacks take back; all if left out"`
	Most    *Decimal  `yaml:"most,omitempty" doc:"the most that is paid: kroner, or a number"`
	Least   *Decimal  `yaml:"least,omitempty" doc:"the least that a provider with lines in a period is paid in it, in kroner"`
	// CarryForward makes Least 0 a debt rather than a gift.
	CarryForward bool     `yaml:"carry_forward,omitempty" doc:"of least: 0: what is negative in a settlement period is taken off in the provider's next ones"`
	UnpaidUnder  *Decimal `yaml:"unpaid_under,omitempty" doc:"a sum of a provider in a settlement period above 0 and under this many kroner is not paid"`
}

// LimitPer says whose payments a limit adds up, LimitOver over which time, LimitOf
// what of them.
type (
	LimitPer  string
	LimitOver string
	LimitOf   string
)

// Whose payments, over which time, and what of them.
const (
	PerPerson     LimitPer  = "person"
	PerProvider   LimitPer  = "provider"
	OfAgreement   LimitPer  = "agreement"
	OverPeriod    LimitOver = "period"
	OverYear      LimitOver = "year"
	OverAgreement LimitOver = "agreement"
	LimitAmount   LimitOf   = "amount"
	LimitQuantity LimitOf   = "quantity"
	LimitCases    LimitOf   = "cases"
)

// Names lists whose payments can be limited.
func (LimitPer) Names() []string {
	return []string{string(PerPerson), string(PerProvider), string(OfAgreement)}
}

// Names lists the times over which payments can be limited.
func (LimitOver) Names() []string {
	return []string{string(OverPeriod), string(OverYear), string(OverAgreement)}
}

// Names lists what can be limited.
func (LimitOf) Names() []string {
	return []string{string(LimitAmount), string(LimitQuantity), string(LimitCases)}
}

// What stands for a clause in the lines that limits make.
const (
	capClause     = "cap"
	floorClause   = "floor"
	carriedClause = "carried"
	smallClause   = "small"
)

// limitClauses are what stands for a clause in the lines of limits.
func limitClauses() []string { return []string{capClause, floorClause, carriedClause, smallClause} }

// onEntries says whether the limit works on entries rather than on amounts.
func (l *Limit) onEntries() bool { return l.Per == PerPerson || l.of() != LimitAmount }

func (l *Limit) of() LimitOf { return cmp.Or(l.Of, LimitAmount) }

func (l *Limit) check(c *checker, path string, v *Version) {
	if l.Most == nil && l.Least == nil && l.UnpaidUnder == nil {
		c.fault(path, "no limit is given: add most, least or unpaid_under, or leave the entry out")
	}
	kroner := func(key string, d *Decimal) {
		if d == nil || l.of() != LimitAmount {
			return
		}
		amount, err := ParseOre(d.String())
		switch unit := c.t.Rounding.Unit; {
		case err != nil:
			c.fault(path+"."+key, "%s", err)
		case amount < 0:
			c.fault(path+"."+key, "the limit %s is negative", amount)
		case int64(amount)%unit.size() != 0 && l.Per != PerPerson:
			c.fault(path+"."+key, "the limit %s is not a whole %s, to which amounts are rounded", amount, unit)
		}
	}
	kroner("most", l.Most)
	kroner("least", l.Least)
	kroner("unpaid_under", l.UnpaidUnder)
	if l.of() != LimitAmount && l.Most != nil {
		switch r := l.Most.Rat(); {
		case r.Sign() < 0:
			c.fault(path+".most", "the limit %s is negative", l.Most)
		case l.of() == LimitCases && !r.IsInt():
			c.fault(path+".most", "%s is no number of cases", l.Most)
		}
	}
	for key, given := range map[string]bool{"least": l.Least != nil, "unpaid_under": l.UnpaidUnder != nil} {
		if given && (l.Per != PerProvider || l.Over != OverPeriod || l.of() != LimitAmount) {
			c.fault(path+"."+key, "%s is about the amount of a provider in a settlement period: it needs per: provider and over: period", key)
		}
	}
	if l.UnpaidUnder != nil && l.UnpaidUnder.Rat().Sign() == 0 {
		c.fault(path+".unpaid_under", "no sum above 0 is under 0")
	}
	switch {
	case !l.CarryForward:
	case l.Least == nil || l.Least.Rat().Sign() != 0:
		c.fault(path+".carry_forward", "what is carried forward is what is under 0: give least: 0")
	case len(l.Clauses) > 0:
		c.fault(path+".clauses", "what is carried forward is a provider's whole sum: leave clauses out")
	}
	var ids []string
	for i := range v.Clauses {
		ids = append(ids, v.Clauses[i].ID)
	}
	for i, id := range l.Clauses {
		at := fmt.Sprintf("%s.clauses[%d]", path, i)
		switch k := slices.Index(ids, id); {
		case k < 0:
			c.fault(at, "the version has no clause %q%s", id, strict.Suggest(id, ids))
		case slices.Contains(l.Clauses[:i], id):
			c.fault(at, "clause %q stands twice", id)
		case l.onEntries() && !v.Clauses[k].Measure.OfCases():
			c.fault(at, "clause %q is about a figure of many cases, and this limit about single ones", id)
		}
	}
}

// checkFloors looks for caps below floors.
func (v *Version) checkFloors(c *checker, path string) {
	for i := range v.Limits {
		most := &v.Limits[i]
		if most.Most == nil || most.onEntries() {
			continue
		}
		for j := range v.Limits {
			least := &v.Limits[j]
			if least.Least == nil || most.Most.Rat().Cmp(least.Least.Rat()) >= 0 || !overlap(most.Clauses, least.Clauses) {
				continue
			}
			c.fault(fmt.Sprintf("%s.limits[%d].most", path, i), "the most that is paid, %s, is below the least, %s, of limits[%d]", most.Most, least.Least, j)
		}
	}
}

// overlap says whether two lists of clauses have one in common; an empty list is all.
func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(id string) bool { return slices.Contains(b, id) })
}

// ore is a limit of amounts, in øre.
func ore(d *Decimal) Ore {
	amount, _ := ParseOre(d.String()) // check has read it
	return amount
}

// scope names what a limit adds up: limits of several versions with the same name
// go on from each other.
type scope struct {
	per     LimitPer
	over    LimitOver
	of      LimitOf
	clauses string
}

// scope is that of a limit.
func (l *Limit) scope() scope {
	return scope{l.Per, l.Over, l.of(), strings.Join(slices.Sorted(slices.Values(l.Clauses)), ",")}
}

// about says whether the scope adds up a clause.
func (l scope) about(clause string) bool {
	return l.clauses == "" || slices.Contains(strings.Split(l.clauses, ","), strings.TrimSuffix(clause, clawbackSuffix))
}

// stretch names the time that a scope is over, and that a settlement period is in.
func (l scope) stretch(p effect.Period) effect.Date {
	switch l.over {
	case OverYear:
		year, _, _ := p.Start.Time().Date()
		return effect.NewDate(year, 1, 1)
	case OverPeriod:
		return p.Start
	}
	return effect.NoDate
}

// scopes are what the limits of all versions add up, each once.
func (t *Terms) scopes(onEntries bool) (out []scope) {
	for v := range t.Versions {
		for i := range t.Versions[v].Limits {
			l := &t.Versions[v].Limits[i]
			if k := l.scope(); l.onEntries() == onEntries && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

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
		return cmp.Or(cmp.Compare(a.terms, b.terms), s.compareDays(a, b), cmp.Compare(a.band, b.band), cmp.Compare(a.instalment, b.instalment))
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

// amounts rounds the lines of each provider and settlement period and applies
// the limits to their sums, agreement by agreement and in the order of time.
func (s *settler) amounts() error {
	type key struct {
		agreement string
		start     effect.Date
	}
	groups := map[key]map[string][]*draft{}
	for _, d := range s.drafts {
		k := key{d.Agreement, d.period.Start}
		if groups[k] == nil {
			groups[k] = map[string][]*draft{}
		}
		groups[k][d.Provider] = append(groups[k][d.Provider], d)
	}
	order := slices.SortedFunc(maps.Keys(groups), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.agreement, b.agreement), cmp.Compare(a.start, b.start))
	})
	accounts, err := s.accounts()
	if err != nil {
		return err
	}
	for _, k := range order {
		a := accounts[k.agreement]
		a.lines, a.providers = groups[k], slices.Sorted(maps.Keys(groups[k]))
		for _, provider := range a.providers {
			lines := a.lines[provider]
			a.period, a.version = lines[0].period, a.terms.limitsFor(lines[0].period)
			for _, d := range lines {
				d.standUnder(a.version)
			}
			slices.SortFunc(lines, func(x, y *draft) int { return cmp.Compare(x.ID, y.ID) })
			if err := round(lines); err != nil {
				return fmt.Errorf("agreement %s, provider %s, period %s: %w", k.agreement, provider, a.period.Name, err)
			}
		}
		if err := a.close(); err != nil {
			return fmt.Errorf("agreement %s, period %s: %w", k.agreement, a.period.Name, err)
		}
		s.drafts = append(s.drafts, a.made...)
		a.made = nil
	}
	// Whoever adds up the table must not overflow either.
	var all []Ore
	for _, d := range s.drafts {
		all = append(all, d.Amount)
	}
	if _, err := sum(all...); err != nil {
		return err
	}
	for _, t := range s.terms {
		if t.carries() && s.carried == nil {
			s.carried = []Balance{}
		}
		a := accounts[t.Agreement]
		for _, provider := range slices.Sorted(maps.Keys(a.owed)) {
			if a.owed[provider] != 0 {
				s.carried = append(s.carried, Balance{t.Agreement, provider, a.owed[provider]})
			}
		}
	}
	return nil
}

// account is what was paid under an agreement, while its settlement periods are
// gone through in the order of time.
type account struct {
	terms *Terms
	owed  map[string]Ore // by provider, carried forward: 0 or less
	paid  map[paidTo]Ore // what limits over a year or the agreement add up

	// Of the settlement period at hand.
	period    effect.Period
	version   int // whose limits are in force
	providers []string
	lines     map[string][]*draft // by provider, with the lines of limits
	made      []*draft            // the lines of limits
}

// paidTo is whom something was paid to, in which stretch of time; "" is all.
type paidTo struct {
	scope
	provider string
	since    effect.Date
}

// accounts are opened with what providers owe already.
func (s *settler) accounts() (map[string]*account, error) {
	out := map[string]*account{}
	for _, t := range s.terms {
		out[t.Agreement] = &account{terms: t, owed: map[string]Ore{}, paid: map[paidTo]Ore{}}
	}
	for _, b := range s.facts.Opening {
		a := out[b.Agreement]
		switch {
		case a == nil:
			return nil, fmt.Errorf("%w: there is an opening balance under agreement %q, and no terms of it: settle them too, or leave the balance out", ErrFacts, b.Agreement)
		case b.Amount > 0:
			return nil, fmt.Errorf("%w: the opening balance of provider %s under agreement %q is above 0, and only what a provider owes is carried", ErrFacts, b.Provider, b.Agreement)
		case !a.terms.carries():
			return nil, fmt.Errorf("%w: provider %s owes something under agreement %q, whose limits carry nothing forward: add a limit {least: 0, carry_forward: true}", ErrFacts, b.Provider, b.Agreement)
		}
		if _, twice := a.owed[b.Provider]; twice {
			return nil, fmt.Errorf("%w: provider %s has two opening balances under agreement %q", ErrFacts, b.Provider, b.Agreement)
		}
		a.owed[b.Provider] = b.Amount
	}
	return out, nil
}

// carries says whether any version carries something forward.
func (t *Terms) carries() bool {
	return slices.ContainsFunc(t.Versions, func(v Version) bool {
		return slices.ContainsFunc(v.Limits, func(l Limit) bool { return l.CarryForward })
	})
}

// close applies the limits in force to the settlement period, and remembers what it
// paid.
func (a *account) close() error {
	limits := a.terms.Versions[a.version].Limits
	for i := range limits {
		if limits[i].onEntries() {
			continue
		}
		if err := a.apply(i, &limits[i]); err != nil {
			return err
		}
	}
	for _, k := range a.terms.scopes(false) {
		for _, provider := range a.providers {
			now, err := a.sum(k, provider)
			if err != nil {
				return err
			}
			to := a.paidTo(k, provider)
			if a.paid[to], err = sum(a.paid[to], now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *account) paidTo(k scope, provider string) paidTo {
	if k.per == OfAgreement {
		provider = ""
	}
	return paidTo{k, provider, k.stretch(a.period)}
}

// sum is what a provider is paid in the period, of what a scope adds up, by the lines
// there are. The line of a limit about some clauses is one of theirs; that of a limit
// about all belongs to none in particular.
func (a *account) sum(k scope, provider string) (Ore, error) {
	var amounts []Ore
	for _, d := range a.lines[provider] {
		if d.clause == nil && (k.clauses == "" || k.clauses == d.about) || d.clause != nil && k.about(d.Clause) {
			amounts = append(amounts, d.Amount)
		}
	}
	return sum(amounts...)
}

// apply applies one limit to all providers of the period.
func (a *account) apply(i int, l *Limit) error {
	if l.Per == OfAgreement {
		return a.ceiling(i, l)
	}
	for _, provider := range a.providers {
		k := l.scope()
		now, err := a.sum(k, provider)
		if err != nil {
			return err
		}
		if l.Most != nil {
			before := a.paid[a.paidTo(k, provider)]
			left, err := minus(ore(l.Most), before)
			if err != nil {
				return err
			}
			if left = max(left, 0); now > left {
				a.add(i, l, provider, capClause, left-now, now, before)
				now = left
			}
		}
		if l.Least != nil {
			if now, err = a.floor(i, l, provider, now); err != nil {
				return err
			}
		}
		if l.UnpaidUnder != nil && now > 0 && now < ore(l.UnpaidUnder) {
			a.add(i, l, provider, smallClause, -now, now, 0)
		}
	}
	return nil
}

// floor brings the sum of a provider up to the least that is paid, and returns it.
func (a *account) floor(i int, l *Limit, provider string, now Ore) (Ore, error) {
	if !l.CarryForward {
		least := ore(l.Least)
		missing, err := minus(least, now)
		if err == nil && missing > 0 {
			a.add(i, l, provider, floorClause, missing, now, 0)
			now = least
		}
		return now, err
	}
	owed := a.owed[provider]
	left, err := sum(now, owed)
	if err != nil {
		return 0, err
	}
	a.owed[provider] = min(left, 0)
	paid := max(left, 0)
	amount, err := minus(paid, now)
	if err == nil && amount != 0 {
		a.add(i, l, provider, carriedClause, amount, now, owed)
	}
	return paid, err
}

// ceiling brings the sum of all providers down to the most that is paid under the
// agreement. What is left goes to those with a sum above 0 in proportion to it: each
// gets its share rounded down to the unit of the rounding, and what is left over goes
// by units to those with the largest remainders, ties by provider id. What one
// provider owes in the period makes no room for another in it.
func (a *account) ceiling(i int, l *Limit) error {
	k := l.scope()
	sums := map[string]Ore{}
	var above []Ore
	for _, provider := range a.providers {
		now, err := a.sum(k, provider)
		if err != nil {
			return err
		}
		if sums[provider] = now; now > 0 {
			above = append(above, now)
		}
	}
	earned, err := sum(above...)
	if err != nil {
		return err
	}
	before := a.paid[a.paidTo(k, "")]
	left, err := minus(ore(l.Most), before)
	if err != nil {
		return err
	}
	if left = max(left, 0); earned <= left {
		return nil
	}
	unit := a.terms.Rounding.Unit.size()
	// What earlier versions paid can leave less than a whole unit over; it stays unpaid.
	units := int64(left) / unit
	type portion struct {
		provider string
		units    int64
		rest     *big.Int
	}
	var portions []portion
	given := int64(0)
	for _, provider := range a.providers {
		if sums[provider] <= 0 {
			continue
		}
		share := new(big.Int).Mul(big.NewInt(units), big.NewInt(int64(sums[provider])))
		whole, rest := new(big.Int).QuoRem(share, big.NewInt(int64(earned)), new(big.Int))
		portions = append(portions, portion{provider, whole.Int64(), rest})
		given += whole.Int64()
	}
	byRest := make([]int, len(portions))
	for j := range byRest {
		byRest[j] = j
	}
	slices.SortStableFunc(byRest, func(x, y int) int { return portions[y].rest.Cmp(portions[x].rest) })
	for j := range units - given {
		portions[byRest[j]].units++
	}
	for _, p := range portions {
		if amount := Ore(p.units*unit) - sums[p.provider]; amount != 0 {
			d := a.add(i, l, p.provider, capClause, amount, sums[p.provider], before)
			d.step("sum of all providers above 0", earned.String(), "kr.", "")
			d.step("left under the limit for all", left.String(), "kr.", l.Section)
		}
	}
	return nil
}

// add makes the line of a limit.
func (a *account) add(i int, l *Limit, provider, clause string, amount, now, before Ore) *draft {
	v := &a.terms.Versions[a.version]
	d := &draft{terms: a.terms, period: a.period, applied: i + 1, limit: clause, about: l.scope().clauses, Line: Line{
		Agreement: a.terms.Agreement, Provider: provider, Period: a.period.Name, Clause: clause,
		Version: v.ValidFrom, Amount: amount, Section: l.Section, Text: l.text(clause),
	}}
	if a.several(clause) {
		d.limit += "-" + strconv.Itoa(i+1)
	}
	d.complete(a.version)
	d.step(fmt.Sprintf("sum of %s", count(int64(len(a.lines[provider])), "line")), now.String(), "kr.", "")
	switch clause {
	case capClause:
		if l.Over != OverPeriod {
			d.step("paid before in the same "+string(l.Over), before.String(), "kr.", "")
		}
		d.step("the most that is paid in a "+string(l.Over), ore(l.Most).String(), "kr.", l.Section)
		d.step("taken off", amount.String(), "kr.", l.Section)
	case floorClause:
		d.step("the least that is paid in a period", ore(l.Least).String(), "kr.", l.Section)
		d.step("added", amount.String(), "kr.", l.Section)
	case carriedClause:
		d.step("carried into this period", before.String(), "kr.", l.Section)
		d.step("carried into the next", a.owed[provider].String(), "kr.", l.Section)
		d.step("what makes the sum what is paid now", amount.String(), "kr.", l.Section)
	case smallClause:
		d.step("sums under this are not paid", ore(l.UnpaidUnder).String(), "kr.", l.Section)
		d.step("taken off", amount.String(), "kr.", l.Section)
	}
	a.lines[provider] = append(a.lines[provider], d)
	a.made = append(a.made, d)
	return d
}

// several says whether more than one limit in force can make lines of a kind.
func (a *account) several(clause string) bool {
	n := 0
	for _, l := range a.terms.Versions[a.version].Limits {
		if l.onEntries() {
			continue
		}
		switch clause {
		case capClause:
			if l.Most != nil {
				n++
			}
		case smallClause:
			if l.UnpaidUnder != nil {
				n++
			}
		default:
			if l.Least != nil && l.CarryForward == (clause == carriedClause) {
				n++
			}
		}
	}
	return n > 1
}

// text says in a sentence what a line of the limit is.
func (l *Limit) text(clause string) string {
	over := map[LimitOver]string{OverPeriod: "in a settlement period", OverYear: "in a calendar year", OverAgreement: "under the agreement"}[l.Over]
	of := ""
	if len(l.Clauses) > 0 {
		of = " for " + strings.Join(l.Clauses, ", ")
	}
	switch clause {
	case floorClause:
		return "The least that a provider is paid" + of + " in a settlement period"
	case carriedClause:
		return "What a provider owes is carried into its next settlement periods"
	case smallClause:
		return "A sum that is too small is not paid"
	}
	if l.Per == OfAgreement {
		return "The most that all providers together are paid" + of + " " + over
	}
	return "The most that a provider is paid" + of + " " + over
}

// minus subtracts amounts; the error wraps ErrOverflow.
func minus(a, b Ore) (Ore, error) {
	d := new(big.Int).Sub(big.NewInt(int64(a)), big.NewInt(int64(b)))
	if !d.IsInt64() {
		return 0, fmt.Errorf("%w: a difference of two amounts", ErrOverflow)
	}
	return Ore(d.Int64()), nil
}

// round gives the lines their amounts. Under StageTotal their exact sum is
// rounded once; each line gets its own amount rounded towards less, and what is left
// over goes by units to the lines with the largest remainders, ties in the
// order of the lines.
func round(lines []*draft) error {
	r := lines[0].terms.Rounding
	how := fmt.Sprintf("rounded to %s, %s", r.Unit, r.Mode)
	if r.Stage == StageTotal {
		exact, down := new(big.Rat), Rounding{Unit: r.Unit, Mode: towardsLess}
		rest := make(map[*draft]*big.Rat, len(lines))
		var given []Ore
		for _, d := range lines {
			amount, err := down.Round(d.exact)
			if err != nil {
				return err
			}
			d.Amount, given = amount, append(given, amount)
			rest[d] = new(big.Rat).Sub(d.exact, amount.Rat())
			exact.Add(exact, d.exact)
		}
		total, err := r.Round(exact)
		if err != nil {
			return err
		}
		already, err := sum(given...)
		if err != nil {
			return err
		}
		byRest := slices.Clone(lines)
		slices.SortStableFunc(byRest, func(a, b *draft) int { return rest[b].Cmp(rest[a]) })
		for i := range int64(total-already) / r.Unit.size() {
			byRest[i].Amount += Ore(r.Unit.size())
		}
		how = fmt.Sprintf("share of the total %s %s, %s", total, lines[0].Currency.Unit(), how)
	}
	for _, d := range lines {
		if r.Stage == StageLine {
			amount, err := r.Round(d.exact)
			if err != nil {
				return err
			}
			d.Amount = amount
		}
		d.step(how, d.Amount.String(), "kr.", "rounding")
		if d.Amount == 0 && d.Reason == "" {
			d.Reason = ReasonRounded
		}
	}
	return nil
}
