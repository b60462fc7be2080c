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
)

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
	unit := max(1, int64(a.terms.Rounding.Unit))
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

// stepCarried is the step that says what was carried into a period.
const stepCarried = "carried into this period"

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
		d.step(stepCarried, before.String(), "kr.", l.Section)
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
	how := fmt.Sprintf("rounded to %s, %s", r.to(lines[0].Currency), r.Mode)
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
		for i := range int64((total - already) / max(1, r.Unit)) {
			byRest[i].Amount += max(1, r.Unit)
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
