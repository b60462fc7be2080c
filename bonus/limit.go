package bonus

import (
	"cmp"
	"fmt"
	"slices"
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
// limitEntries (limit_entries.go) or in apply (limit_amounts.go).
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
		case unit > 0 && amount%unit != 0 && l.Per != PerPerson:
			c.fault(path+"."+key, "the limit %s is no multiple of %s, to which amounts are rounded", amount, unit)
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
		clause := &v.Clauses[i]
		ids = append(ids, clause.ID)
		if l.Per == PerPerson && l.of() == LimitAmount && clause.Measure.OfCases() && clause.Schedule.Pool != nil && l.scope().about(clause.ID) {
			c.fault(path, "clause %s divides a pool, of which nobody can say what a citizen is worth before it is divided: name other clauses under clauses, or limit quantities", clause.ID)
		}
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
