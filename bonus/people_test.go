package bonus_test

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// stay is one case of the tests about who is credited: a citizen at a provider.
// What is left out is filled in as by observe.
type stay struct {
	id, person, agreement, provider, pkg, referral, start, end, role string
	job, back                                                        string // days on which "job" and "relapsed" were reached
	half                                                             string // and "half"
	reason                                                           effect.Reason
}

// stays are observations, as of 2009-12-31, of the outcomes job, half and relapsed.
func stays(list ...stay) *effect.Observations {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b stay) int { return effect.TextID(a.id).Compare(effect.TextID(b.id)) })
	rows := make([]row, len(list))
	for i, x := range list {
		rows[i] = row{id: x.id, person: x.person, agreement: x.agreement, provider: x.provider, pkg: x.pkg, referral: x.referral, job: x.job, reason: x.reason}
	}
	o := observe(rows...)
	o.AsOf = day("2009-12-31")
	o.Results[0].Outcome = "job"
	roles := make([]string, len(list))
	date := func(s string) effect.Date {
		if s == "" {
			return effect.NoDate
		}
		return day(s)
	}
	for k, name := range []string{"half", "relapsed"} {
		r := effect.Result{
			Outcome: name, Unit: effect.UnitShare,
			Reason: o.Results[0].Reason, Complete: o.Results[0].Complete, Status: slices.Clone(o.Results[1].Status), ReachedOn: slices.Clone(o.Results[1].ReachedOn),
		}
		for i, x := range list {
			if on := date([]string{x.half, x.back}[k]); on != effect.NoDate {
				r.Status[i], r.ReachedOn[i] = effect.Reached, on
			}
		}
		o.Results = append(o.Results, r)
	}
	for i, x := range list {
		o.Cases.Start = append(o.Cases.Start, date(x.start))
		o.Cases.End = append(o.Cases.End, date(x.end))
		roles[i] = x.role
	}
	o.Cases.Role = effect.NewFactor(roles)
	return o
}

// people are terms with the clause job, a price of 1000 for P1 and 2000 for P2, and
// what a test adds: keys of the terms, of the clause, and other clauses and limits.
type people struct {
	agreement, terms, clause, more, periods string
}

func (p people) source() string {
	return fmt.Sprintf(`agreement: %s
title: Invented
source: {document: Invented, dated: 2007-12-01}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2012-01-01
packages:
  - {id: P1, name: One, job_oriented: true}
  - {id: P2, name: Two, job_oriented: true}
  - {id: P3, name: Three, job_oriented: false}
periods: %s
applies_by: referral
rounding: {unit: 0.01, mode: half_up, stage: line}
%s
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: job
        section: "1"
        text: A price for each citizen who gets a job
        measure: {reached: job}
        schedule:
          unit_prices:
            - {match_group: 1, package: P1, amount: 1000}
            - {match_group: 1, package: P2, amount: 2000}
%s
%s
`, cmp.Or(p.agreement, "A-1"), cmp.Or(p.periods, "half_year"), p.terms, p.clause, p.more)
}

func (p people) read(t tester) *bonus.Terms {
	t.Helper()
	terms, err := bonus.ParseTerms(cmp.Or(p.agreement, "A-1")+".yaml", []byte(p.source()))
	require.NoError(t, err)
	return terms
}

// half is a second clause, on the outcome half, at 100 and 200.
const half = `      - id: half
        section: "2"
        text: A price for each citizen who gets half a job
        measure: {reached: half}
        schedule: {unit_prices: [{match_group: 1, package: P1, amount: 100}, {match_group: 1, package: P2, amount: 200}]}
`

func settleAll(t tester, f bonus.Facts, terms ...*bonus.Terms) *bonus.Settlement {
	t.Helper()
	s, err := bonus.Settle(context.Background(), terms, f)
	require.NoError(t, err)
	audit(t, s, f, terms...)
	return s
}

// entered writes the entries: clause, case, day and quantity.
func entered(s *bonus.Settlement) []string {
	lines := map[string]bonus.Line{}
	for _, l := range s.Lines {
		lines[l.ID] = l
	}
	var out []string
	for _, e := range s.Entries {
		l := lines[e.Line]
		out = append(out, fmt.Sprintf("%s %s %s: case %s on %s x %s", l.Agreement, l.Clause, l.Provider, e.Participation, e.On, e.Quantity))
	}
	slices.Sort(out)
	return out
}

// North had the citizen for 30 days and saw the job reached; south was the latest,
// for 20 days before the job and 70 after; west's course never began, east came later.
func citizen() *effect.Observations {
	return stays(
		stay{id: "1", person: "p", provider: "north", referral: "2008-02-01", start: "2008-02-01", end: "2008-03-02", job: "2008-05-21", role: "delivery"},
		stay{id: "2", person: "p", provider: "south", referral: "2008-05-01", start: "2008-05-01", end: "2008-08-01", job: "2008-06-21", role: "authority"},
		stay{id: "3", person: "p", provider: "west", referral: "2008-04-01", role: "delivery"},
		stay{id: "4", person: "p", provider: "east", referral: "2008-05-22", start: "2008-05-22", job: "2008-06-30", role: "delivery"},
	)
}

func TestCredit(t *testing.T) {
	for _, c := range []struct {
		attribution string
		entries     []string
		rules       map[string]string
	}{
		{"", []string{"A-1 job north: case 1 on 2008-05-21 x 1"}, map[string]string{"1": "counted", "2": "already_paid", "3": "not_reached", "4": "already_paid"}},
		{"credit: first", []string{"A-1 job north: case 1 on 2008-05-21 x 1"}, map[string]string{"1": "counted", "2": "already_paid", "3": "not_reached", "4": "already_paid"}},
		{"credit: last", []string{"A-1 job south: case 2 on 2008-05-21 x 1"}, map[string]string{"1": "credited_to_another", "2": "counted", "3": "not_reached", "4": "credited_to_another"}},
		{"credit: longest", []string{"A-1 job north: case 1 on 2008-05-21 x 1"}, map[string]string{"1": "counted", "2": "credited_to_another", "3": "not_reached", "4": "credited_to_another"}},
		// 30 and 20 of 50 days.
		{"credit: split_days", []string{"A-1 job north: case 1 on 2008-05-21 x 0.6", "A-1 job south: case 2 on 2008-05-21 x 0.4"}, map[string]string{"1": "counted", "2": "counted", "3": "not_reached", "4": "credited_to_another"}},
		{"credit: role, role: delivery", []string{"A-1 job west: case 3 on 2008-05-21 x 1"}, map[string]string{"1": "credited_to_another", "2": "credited_to_another", "3": "counted", "4": "credited_to_another"}},
		{"credit: role, role: authority", []string{"A-1 job south: case 2 on 2008-05-21 x 1"}, map[string]string{"1": "credited_to_another", "2": "counted", "3": "not_reached", "4": "credited_to_another"}},
	} {
		p := people{}
		if c.attribution != "" {
			p.terms = `attribution: {section: "7", ` + c.attribution + "}"
		}
		s := settle(t, p.read(t), bonus.Facts{Observations: citizen()})
		require.Equal(t, c.entries, entered(s), c.attribution)
		require.Equal(t, c.rules, rules(s, "job"), c.attribution)
	}
}

func TestCreditAtItsEdges(t *testing.T) {
	credit := func(c string) *bonus.Terms {
		return people{terms: `attribution: {section: "7", credit: ` + c + "}"}.read(t)
	}
	entries := func(terms *bonus.Terms, list ...stay) []string {
		return entered(settle(t, terms, bonus.Facts{Observations: stays(list...)}))
	}
	// Referred on the day of the event counts, a day later not.
	onTheDay := stay{id: "2", person: "p", provider: "south", referral: "2008-05-21"}
	first := stay{id: "1", person: "p", referral: "2008-02-01", job: "2008-05-21"}
	require.Equal(t, []string{"A-1 job south: case 2 on 2008-05-21 x 1"}, entries(credit("last"), first, onTheDay))
	onTheDay.referral = "2008-05-22"
	require.Equal(t, []string{"A-1 job north: case 1 on 2008-05-21 x 1"}, entries(credit("last"), first, onTheDay))
	// A package that the clause does not pay for is credited with nothing; a project of
	// the municipality's own has no provider.
	oriented := people{terms: `attribution: {section: "7", credit: last}`, clause: "        conditions: {job_oriented: true}"}.read(t)
	require.Equal(t, []string{"A-1 job north: case 1 on 2008-05-21 x 1"}, entries(oriented, first,
		stay{id: "2", person: "p", provider: "south", referral: "2008-03-01", pkg: "P3"}, stay{id: "3", person: "p", provider: none, referral: "2008-03-01"}))
	// The price is that of the case that is credited.
	s := settle(t, credit("last"), bonus.Facts{Observations: stays(first, stay{id: "2", person: "p", provider: "south", referral: "2008-03-01", pkg: "P2"})})
	require.Equal(t, []string{"A-1/south/2008H1/job@2008-01-01/match5_2004/1/P2 1 x 1 = 2000.00"}, paid(s))
	// Nobody was there for a day: the last. Two were referred on one day: the later id
	// is last, the earlier one longest.
	twins := []stay{{id: "1", person: "p", job: "2008-05-21"}, {id: "2", person: "p", provider: "south"}}
	for c, want := range map[string]string{"split_days": "south: case 2", "last": "south: case 2", "longest": "north: case 1"} {
		require.Equal(t, []string{"A-1 job " + want + " on 2008-05-21 x 1"}, entries(credit(c), twins...), c)
	}
	// Thirds stay thirds, and sum to one.
	s = settle(t, credit("split_days"), bonus.Facts{Observations: stays(
		stay{id: "1", person: "p", start: "2008-05-01", end: "2008-05-02", job: "2008-05-21"}, stay{id: "2", person: "p", provider: "south", start: "2008-05-01", end: "2008-05-03"},
	)})
	require.Equal(t, []string{"A-1 job north: case 1 on 2008-05-21 x 1/3", "A-1 job south: case 2 on 2008-05-21 x 2/3"}, entered(s))
	require.Equal(t, bonus.Ore(33333), s.Lines[0].Amount)
	require.Equal(t, bonus.Ore(66667), s.Lines[1].Amount)
	// Nobody has the role.
	s = settle(t, credit("role, role: authority"), bonus.Facts{Observations: stays(first)})
	require.Empty(t, s.Lines)
	require.Equal(t, map[string]string{"1": "no_case_with_role"}, rules(s, "job"))
	// A citizen whose first case lies before the period that is measured is settled with
	// those of that period; a case after it is one like any other.
	s = settle(t, credit("last"), bonus.Facts{Observations: stays(first, stay{id: "0", person: "p", referral: "2008-01-02", reason: effect.ReasonOutsidePeriod})})
	require.Equal(t, map[string]string{"0": "excluded:outside_period", "1": "earlier_case"}, rules(s, "job"))
	s = settle(t, credit("last"), bonus.Facts{Observations: stays(first, stay{id: "2", provider: "south", person: "p", referral: "2008-05-02", reason: effect.ReasonOutsidePeriod})})
	require.Equal(t, map[string]string{"1": "credited_to_another", "2": "counted"}, rules(s, "job"))
	// Observations of first cases only cannot say who was last.
	found := faults(t, bonus.Facts{Observations: stays(first, stay{id: "2", person: "p", referral: "2008-03-01", reason: effect.ReasonNotFirst})}, credit("last"))
	require.ErrorContains(t, found, "observe again with cohort.take: each")
	// What the provider who is credited lacks is nobody's gain.
	figures := people{terms: `attribution: {section: "7", credit: last}`, clause: "        conditions: {figures: [{figure: satisfaction, at_least: 3.5}]}"}.read(t)
	s = settle(t, figures, bonus.Facts{Observations: citizen(), Figures: []bonus.Figure{{Name: "satisfaction", Provider: "north", Period: "2008H1", N: 10, Value: "4"}}})
	require.Empty(t, s.Lines)
	require.Equal(t, map[string]string{"1": "credited_to_another", "2": "figure_missing:satisfaction", "3": "not_reached", "4": "credited_to_another"}, rules(s, "job"))
}

func TestOnePaymentAcrossAgreements(t *testing.T) {
	terms := func(attribution string, others ...string) []*bonus.Terms {
		var out []*bonus.Terms
		for i, other := range others {
			out = append(out, people{agreement: fmt.Sprint("A-", i+1), terms: fmt.Sprintf("attribution: {section: \"7\", %s, across: [%s]}", attribution, other), more: half}.read(t))
		}
		return out
	}
	observed := stays(
		stay{id: "1", person: "p", agreement: "A-1", referral: "2008-03-01", job: "2008-06-01", half: "2008-07-01"},
		stay{id: "2", person: "p", agreement: "A-2", provider: "south", referral: "2008-02-01", job: "2008-06-01", half: "2008-05-01"},
		stay{id: "3", person: "p", agreement: "A-2", provider: "west", referral: "2008-07-02"},
	)
	both := terms("credit: first", "A-2", "A-1")
	s := settleAll(t, bonus.Facts{Observations: observed}, both...)
	require.Equal(t, []string{"A-1 job north: case 1 on 2008-06-01 x 1", "A-2 half south: case 2 on 2008-05-01 x 1"}, entered(s), "one for each clause, ties by agreement")
	require.Equal(t, map[string]string{"1": "counted", "2": "paid_under_another_agreement", "3": "not_reached"}, rules(s, "job"))
	s = settleAll(t, bonus.Facts{Observations: observed}, terms("credit: first, payments: per_agreement", "A-2", "A-1")...)
	require.Equal(t, []string{"A-2 half south: case 2 on 2008-05-01 x 1"}, entered(s), "one for all clauses")
	require.Equal(t, map[string]string{"1": "paid_under_another_agreement", "2": "paid_under_another_clause", "3": "not_reached"}, rules(s, "job"))
	s = settleAll(t, bonus.Facts{Observations: observed}, terms("credit: last", "A-2", "A-1")...)
	require.Equal(t, []string{"A-1 half north: case 1 on 2008-05-01 x 1", "A-1 job north: case 1 on 2008-06-01 x 1"}, entered(s), "the latest referred, under its own agreement")

	// Clauses that stand for the same result under two ids would both pay.
	renamed, err := bonus.ParseTerms("A-2.yaml", []byte(strings.NewReplacer("id: job\n", "id: placed\n", "id: half\n", "id: part\n").Replace(
		people{agreement: "A-2", terms: `attribution: {section: "7", credit: last, across: [A-1]}`, more: half}.source())))
	require.NoError(t, err)

	for name, list := range map[string][]*bonus.Terms{
		"no clause has an id":        {terms("credit: last", "A-2")[0], renamed},
		"do not name":                {terms("credit: last", "A-2")[0], people{agreement: "A-2"}.read(t)},
		"no terms of agreement":      terms("credit: last", "A-2"),
		"credit, role and payments ": {terms("credit: last", "A-2")[0], terms("credit: first", "A-2", "A-1")[1]},
		"all must name the same":     terms("credit: last", "A-2, A-3", "A-1", "A-1"),
	} {
		require.ErrorContains(t, bonus.Together(list), name)
		require.ErrorContains(t, faults(t, bonus.Facts{Observations: observed}, list...), name)
	}
	require.NoError(t, bonus.Together(both))
}

// credits says again, from the cases alone and case by case, who is credited with
// what: the entries as entered writes them.
func credits(list []stay, credit, role string, perAgreement, across bool) []string {
	type event struct {
		s      stay
		clause string
		on     effect.Date
	}
	persons := map[string]bool{}
	for _, x := range list {
		persons[x.person] = true
	}
	order := []string{"job", "half"}
	before := func(a, b stay) bool {
		return a.referral < b.referral || a.referral == b.referral && effect.TextID(a.id).Compare(effect.TextID(b.id)) < 0
	}
	var out []string
	for person := range persons {
		paid := map[string]event{} // by what can be paid once
		for _, x := range list {
			for k, clause := range order {
				on := []string{x.job, x.half}[k]
				if x.person != person || on == "" {
					continue
				}
				slot := ""
				if !across {
					slot = x.agreement
				}
				if !perAgreement {
					slot += "/" + clause
				}
				now, ok := event{x, clause, day(on)}, false
				if was, there := paid[slot]; !there {
					ok = true
				} else if now.on != was.on {
					ok = now.on < was.on
				} else if x.agreement != was.s.agreement {
					ok = x.agreement < was.s.agreement
				} else if x.id != was.s.id {
					ok = before(x, was.s)
				} // else the clauses stand in order
				if ok {
					paid[slot] = now
				}
			}
		}
		for _, e := range paid {
			var able []stay
			for _, x := range list {
				if x.person == person && (across || x.agreement == e.s.agreement) && day(x.referral) <= e.on {
					able = append(able, x)
				}
			}
			length := func(x stay) int64 {
				n := int64(0)
				if x.start != "" {
					for d := day(x.start); d < e.on && (x.end == "" || d < day(x.end)); d++ {
						n++
					}
				}
				return n
			}
			shares, total := map[string]*big.Rat{}, int64(0)
			var best *stay
			for i := range able {
				x := &able[i]
				total += length(*x)
				if credit == "role" && x.role != role {
					continue
				}
				better := best == nil
				if best != nil {
					switch credit {
					case "longest":
						better = length(*x) > length(*best) || length(*x) == length(*best) && before(*x, *best)
					default:
						better = before(*best, *x)
					}
				}
				if better {
					best = x
				}
			}
			switch {
			case credit == "first":
				shares[e.s.id] = big.NewRat(1, 1)
			case credit == "split_days" && total > 0:
				for _, x := range able {
					if n := length(x); n > 0 {
						shares[x.id] = big.NewRat(n, total)
					}
				}
			case best != nil:
				shares[best.id] = big.NewRat(1, 1)
			}
			for _, x := range list {
				if share := shares[x.id]; share != nil {
					text := share.RatString()
					if digits, exact := share.FloatPrec(); exact {
						text = share.FloatString(digits)
					}
					out = append(out, fmt.Sprintf("%s %s %s: case %s on %s x %s", x.agreement, e.clause, x.provider, x.id, e.on, text))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func drawStays(t *rapid.T) []stay {
	var list []stay
	date := func(name string, never bool) string {
		if never && rapid.IntRange(0, 2).Draw(t, name+" at all") == 0 {
			return ""
		}
		return (day("2008-02-01") + effect.Date(rapid.IntRange(0, 40).Draw(t, name))).String()
	}
	for i := range rapid.IntRange(1, 25).Draw(t, "cases") {
		list = append(list, stay{
			id: fmt.Sprint(i * 7), person: fmt.Sprint("p", rapid.IntRange(1, 6).Draw(t, "person")),
			agreement: rapid.SampledFrom([]string{"A-1", "A-2"}).Draw(t, "agreement"), provider: rapid.SampledFrom([]string{"north", "south", "west"}).Draw(t, "provider"),
			pkg: rapid.SampledFrom([]string{"P1", "P2"}).Draw(t, "package"), role: rapid.SampledFrom([]string{"delivery", "authority", ""}).Draw(t, "role"),
			referral: date("referral", false), start: date("start", true), end: date("end", true), job: date("job", true), half: date("half", true),
		})
	}
	return list
}

// Attribution agrees with a second implementation, and each citizen is paid once:
// what is credited sums to one for each payment.
func TestAttributionAgreesWithBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawStays(t)
		credit := rapid.SampledFrom(bonus.Credit("").Names()).Draw(t, "credit")
		key, role := "credit: "+credit, ""
		if credit == "role" {
			role = "delivery"
			key += ", role: delivery"
		}
		perAgreement, across := rapid.Bool().Draw(t, "per agreement"), rapid.Bool().Draw(t, "across")
		if perAgreement {
			key += ", payments: per_agreement"
		}
		var terms []*bonus.Terms
		for i, other := range []string{"A-2", "A-1"} {
			attribution := fmt.Sprintf("attribution: {section: \"7\", %s}", key)
			if across {
				attribution = strings.TrimSuffix(attribution, "}") + ", across: [" + other + "]}"
			}
			terms = append(terms, people{agreement: fmt.Sprint("A-", i+1), terms: attribution, more: half}.read(t))
		}
		s := settleAll(t, bonus.Facts{Observations: stays(list...)}, terms...)
		require.Equal(t, credits(list, credit, role, perAgreement, across), entered(s))
		person := map[string]string{}
		for _, x := range list {
			person[x.id] = x.person
		}
		sums := map[string]*big.Rat{}
		for _, e := range s.Entries {
			q, _ := new(big.Rat).SetString(e.Quantity)
			i := slices.IndexFunc(s.Lines, func(l bonus.Line) bool { return l.ID == e.Line })
			slot := person[e.Participation]
			if !across {
				slot += "/" + s.Lines[i].Agreement
			}
			if !perAgreement {
				slot += "/" + s.Lines[i].Clause
			}
			if sums[slot] == nil {
				sums[slot] = new(big.Rat)
			}
			sums[slot].Add(sums[slot], q)
		}
		for slot, q := range sums {
			require.Zero(t, q.Cmp(big.NewRat(1, 1)), slot)
		}
		for _, c := range s.Cases {
			require.Equal(t, c.Rule == bonus.RuleCounted, c.Line != "", c.Rule)
		}
	})
}
