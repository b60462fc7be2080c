package bonus

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Limit is the most that is paid, or the least. Those in force for a settlement
// period are those of the latest version that began by its first day. A version
// that gives no limit lifts that of the one before, so that the lines of a period
// are sealed only where this version is, also where nothing is taken off.
//
// A new limit is a name of Per, Over or Of, its rules in check, and a line of its
// own in cap.
type Limit struct {
	Section string    `yaml:"section" doc:"section of the source that limits what is paid"`
	Per     LimitPer  `yaml:"per" doc:"whose payments are limited: provider"`
	Over    LimitOver `yaml:"over" doc:"over which time: period (a settlement period)"`
	Most    *Decimal  `yaml:"most,omitempty" doc:"the most that is paid, in kroner"`
}

// LimitPer says whose payments a limit adds up, LimitOver over which time.
type (
	LimitPer  string
	LimitOver string
)

// Whose payments, and over which time.
const (
	PerProvider LimitPer  = "provider"
	OverPeriod  LimitOver = "period"
)

// Names lists whose payments can be limited.
func (LimitPer) Names() []string { return []string{string(PerProvider)} }

// Names lists the times over which payments can be limited.
func (LimitOver) Names() []string { return []string{string(OverPeriod)} }

// capClause stands for a clause in the lines that a limit makes.
const capClause = "cap"

func (l *Limit) check(c *checker, path string) {
	if l.Most == nil {
		c.fault(path, "no limit is given: add most, or leave the entry out")
		return
	}
	most, err := ParseOre(l.Most.String())
	switch unit := c.t.Rounding.Unit; {
	case err != nil:
		c.fault(path+".most", "%s", err)
	case most < 0:
		c.fault(path+".most", "the limit %s is negative", most)
	case int64(most)%unit.size() != 0:
		c.fault(path+".most", "the limit %s is not a whole %s, to which amounts are rounded", most, unit)
	}
}

// most is a limit of amounts, in øre.
func (l *Limit) most() Ore {
	most, _ := ParseOre(l.Most.String()) // check has read it
	return most
}

// amounts rounds the lines of each provider and settlement period and applies
// the limits to their sum.
func (s *settler) amounts() error {
	type key struct {
		agreement, provider string
		start               effect.Date
	}
	groups := map[key][]*draft{}
	for _, d := range s.drafts {
		k := key{d.Agreement, d.Provider, d.period.Start}
		groups[k] = append(groups[k], d)
	}
	order := slices.SortedFunc(maps.Keys(groups), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.agreement, b.agreement), cmp.Compare(a.provider, b.provider), cmp.Compare(a.start, b.start))
	})
	var totals []Ore
	for _, k := range order {
		lines := groups[k]
		at := lines[0].terms.limitsFor(lines[0].period)
		for _, d := range lines {
			d.standUnder(at)
		}
		slices.SortFunc(lines, func(a, b *draft) int { return cmp.Compare(a.ID, b.ID) })
		total, err := Ore(0), round(lines)
		if err == nil {
			total, err = s.cap(lines, at)
		}
		if err != nil {
			return fmt.Errorf("agreement %s, provider %s, period %s: %w", k.agreement, k.provider, lines[0].Period, err)
		}
		totals = append(totals, total)
	}
	// Whoever adds up the table must not overflow either.
	_, err := sum(totals...)
	return err
}

// round gives the lines their amounts. Under StageTotal their exact sum is
// rounded once; each line gets its own amount rounded down, and what is left
// over goes by units to the lines with the largest remainders, ties in the
// order of the lines.
func round(lines []*draft) error {
	r := lines[0].terms.Rounding
	how := fmt.Sprintf("rounded to %s, %s", r.Unit, r.Mode)
	if r.Stage == StageTotal {
		exact, down := new(big.Rat), Rounding{Unit: r.Unit, Mode: Down}
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

// cap adds a line for each limit of a version that the sum of the lines is above,
// bringing it down to the limit, and returns the sum that is left.
func (s *settler) cap(lines []*draft, at int) (Ore, error) {
	var amounts []Ore
	for _, d := range lines {
		amounts = append(amounts, d.Amount)
	}
	total, err := sum(amounts...)
	if err != nil {
		return 0, err
	}
	first := lines[0]
	version := &first.terms.Versions[at]
	for i := range version.Limits {
		limit := &version.Limits[i]
		most := limit.most()
		if total <= most {
			continue
		}
		d := &draft{terms: first.terms, period: first.period, Line: Line{
			Agreement: first.Agreement, Provider: first.Provider, Period: first.Period, Clause: capClause,
			Version: version.ValidFrom, Amount: most - total, Section: limit.Section,
			Text: "The most that a provider is paid in a settlement period",
		}}
		d.complete(at)
		d.step(fmt.Sprintf("sum of %s", count(int64(len(lines)), "line")), total.String(), "kr.", "")
		d.step("the most that is paid in a period", most.String(), "kr.", limit.Section)
		d.step("taken off", d.Amount.String(), "kr.", limit.Section)
		s.drafts = append(s.drafts, d)
		total = most
	}
	return total, nil
}
