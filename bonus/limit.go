package bonus

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Limits are the most that is paid. Those in force for a settlement period are
// those of the latest version that began by its first day. A version that gives
// no limit lifts that of the one before, so that the lines of a period are sealed
// only where this version is, also where nothing is taken off.
//
// A new limit is a field here, its rules in check, and a line of its own in cap.
type Limits struct {
	Section string `yaml:"section" doc:"section of the source that limits what is paid"`
	Period  *Ore   `yaml:"period,omitempty" doc:"the most a provider is paid under the agreement in a settlement period, in kroner"`
}

// capClause stands for a clause in the lines that a limit makes.
const capClause = "cap"

func (l *Limits) check(c *checker, path string) {
	if l.Period == nil {
		if l.Section != "" {
			c.fault(path, "no limit is given: add period, or leave limits out")
		}
		return
	}
	if *l.Period < 0 {
		c.fault(path+".period", "the limit %s is negative", *l.Period)
	}
	if unit := c.t.Rounding.Unit; int64(*l.Period)%unit.size() != 0 {
		c.fault(path+".period", "the limit %s is not a whole %s, to which amounts are rounded", *l.Period, unit)
	}
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
		how = fmt.Sprintf("share of the total %s kr., %s", total, how)
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

// cap adds a line that brings the sum of the lines down to the limit of a
// version, where it is above, and returns the sum that is left.
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
	limits := &version.Limits
	if limits.Period == nil || total <= *limits.Period {
		return total, nil
	}
	d := &draft{terms: first.terms, period: first.period, Line: Line{
		Agreement: first.Agreement, Provider: first.Provider, Period: first.Period, Clause: capClause,
		Version: version.ValidFrom, Amount: *limits.Period - total, Section: limits.Section,
		Text: "The most that a provider is paid in a settlement period",
	}}
	d.complete(at)
	d.step(fmt.Sprintf("sum of %s", count(int64(len(lines)), "line")), total.String(), "kr.", "")
	d.step("the most that is paid in a period", limits.Period.String(), "kr.", limits.Section)
	d.step("taken off", d.Amount.String(), "kr.", limits.Section)
	s.drafts = append(s.drafts, d)
	return *limits.Period, nil
}
