package bonus_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

func limited(limits string) people {
	return people{more: half + "    limits: [" + limits + "]\n"}
}

// amounts writes what each provider is paid in each period, line by line.
func amounts(s *bonus.Settlement) []string {
	var out []string
	for _, l := range s.Lines {
		id := strings.Split(l.ID, "/")
		out = append(out, fmt.Sprintf("%s %s %s %s", l.Provider, l.Period, strings.Split(id[3], "@")[0], l.Amount))
	}
	return out
}

func TestClawback(t *testing.T) {
	p := people{clause: `        clawback: {section: "3", reached: relapsed, share: 0.5, within: 6 months}`, terms: `attribution: {section: "7", credit: last}`}
	observed := stays(
		stay{id: "1", job: "2008-03-01", back: "2008-09-01"},                         // six months after, to the day
		stay{id: "2", job: "2008-03-01", back: "2008-09-02"},                         // a day later
		stay{id: "3", job: "2008-03-01", back: "2008-02-28"},                         // before
		stay{id: "4", person: "p", pkg: "P2", job: "2008-03-01", back: "2008-03-01"}, // on the day; credited to south
		stay{id: "5", person: "p", provider: "south", referral: "2008-02-20"},
		stay{id: "6", job: "2009-12-01", back: "2010-01-01"}, // after as_of
		stay{id: "7", back: "2008-04-01"},                    // nothing was paid
	)
	s := settle(t, p.read(t), bonus.Facts{Observations: observed})
	require.Equal(t, []string{
		"A-1/north/2008H1/job@2008-01-01/match5_2004/1/P1 3 x 3 = 3000.00",
		"A-1/north/2008H2/job.clawback@2008-01-01/match5_2004/1/P1 1 x -0.5 = -500.00",
		"A-1/north/2009H2/job@2008-01-01/match5_2004/1/P1 1 x 1 = 1000.00",
		"A-1/south/2008H1/job@2008-01-01/match5_2004/1/P1 1 x 1 = 1000.00",
		"A-1/south/2008H1/job.clawback@2008-01-01/match5_2004/1/P1 1 x -0.5 = -500.00",
	}, paid(s))
	require.Contains(t, entered(s), "A-1 job.clawback south: case 5 on 2008-03-01 x -0.5")
	require.Equal(t, map[string]string{"1": "taken_back", "5": "taken_back"}, rules(s, "job.clawback"))
	text, err := s.ExplainCase("1")
	require.NoError(t, err)
	require.Contains(t, text.String(), "clause job.clawback: what was paid is taken back (taken_back), in line A-1/north/2008H2/job.clawback")
	why, err := s.Explain("A-1/north/2008H2/job.clawback@2008-01-01/match5_2004/1/P1")
	require.NoError(t, err)
	require.Contains(t, why.String(), "section 3")

	// In instalments, what was paid is taken back on the day of the relapse, and what
	// falls due later on its own day.
	parts := people{clause: "          instalments: [{share: 0.5, after: 0 days}, {share: 0.5, after: 6 months}]\n" + `        clawback: {section: "3", reached: relapsed}`}
	s = settle(t, parts.read(t), bonus.Facts{Observations: stays(stay{id: "1", job: "2008-03-01", back: "2008-07-01"})})
	require.Equal(t, []string{
		"A-1 job north: case 1 on 2008-03-01 x 0.5", "A-1 job north: case 1 on 2008-09-01 x 0.5",
		"A-1 job.clawback north: case 1 on 2008-07-01 x -0.5", "A-1 job.clawback north: case 1 on 2008-09-01 x -0.5",
	}, entered(s))
	total := bonus.Ore(0)
	for _, l := range s.Lines {
		total += l.Amount
	}
	require.Zero(t, total)

	// At the indexed price that was paid.
	dear := people{terms: "indexation: {section: \"6\", by: period, factors: [{from: 2008-07-01, factor: 2}], round: {unit: 0.01, mode: half_up}}", clause: `        clawback: {section: "3", reached: relapsed}`}
	s = settle(t, dear.read(t), bonus.Facts{Observations: stays(stay{id: "1", job: "2008-03-01", back: "2008-07-01"})})
	require.Equal(t, []string{"north 2008H1 job 1000.00", "north 2008H2 job.clawback -1000.00"}, amounts(s))

	src := people{clause: `        clawback: {section: "3", reached: gone}`}
	require.ErrorContains(t, faults(t, bonus.Facts{Observations: observed}, src.read(t)), `the clawback of clause job needs the outcome "gone"`)
	// A relapse may take back although nothing is ever paid on one.
	known := bonus.Known{Outcomes: map[string]effect.Unit{"job": effect.UnitShare, "relapsed": effect.UnitShare}, DescribedOutcomes: []string{"relapsed"}}
	require.NoError(t, p.read(t).Check(known))
}

func TestPersonLimits(t *testing.T) {
	observed := stays(
		stay{id: "1", person: "p", job: "2008-03-01", half: "2008-02-15"}, stay{id: "2", person: "q", job: "2008-03-01"},
		stay{id: "3", person: "r", job: "2008-09-01", half: "2008-02-15", pkg: "P2"},
	)
	for _, c := range []struct {
		limit string
		want  []string
		rules map[string]string
	}{
		// In the order of days: half comes first and takes one of the one and a half.
		{
			`{section: "9", per: person, over: agreement, of: quantity, most: 1.5}`,
			[]string{"A-1 half north: case 1 on 2008-02-15 x 1", "A-1 half north: case 3 on 2008-02-15 x 1", "A-1 job north: case 1 on 2008-03-01 x 0.5", "A-1 job north: case 2 on 2008-03-01 x 1", "A-1 job north: case 3 on 2008-09-01 x 0.5"},
			map[string]string{"1": "counted", "2": "counted", "3": "counted"},
		},
		{
			`{section: "9", per: person, over: period, of: quantity, most: 1}`,
			[]string{"A-1 half north: case 1 on 2008-02-15 x 1", "A-1 half north: case 3 on 2008-02-15 x 1", "A-1 job north: case 2 on 2008-03-01 x 1", "A-1 job north: case 3 on 2008-09-01 x 1"},
			map[string]string{"1": "over_limit", "2": "counted", "3": "counted"},
		},
		{
			`{section: "9", per: person, over: year, of: quantity, most: 0.25, clauses: [job]}`,
			[]string{"A-1 half north: case 1 on 2008-02-15 x 1", "A-1 half north: case 3 on 2008-02-15 x 1", "A-1 job north: case 1 on 2008-03-01 x 0.25", "A-1 job north: case 2 on 2008-03-01 x 0.25", "A-1 job north: case 3 on 2008-09-01 x 0.25"},
			map[string]string{"1": "counted", "2": "counted", "3": "counted"},
		},
		// In kroner: of 1000 and 100, and of 2000 and 200.
		{
			`{section: "9", per: person, over: agreement, most: 500}`,
			[]string{"A-1 half north: case 1 on 2008-02-15 x 1", "A-1 half north: case 3 on 2008-02-15 x 1", "A-1 job north: case 1 on 2008-03-01 x 0.4", "A-1 job north: case 2 on 2008-03-01 x 0.5", "A-1 job north: case 3 on 2008-09-01 x 0.15"},
			map[string]string{"1": "counted", "2": "counted", "3": "counted"},
		},
	} {
		s := settle(t, limited(c.limit).read(t), bonus.Facts{Observations: observed})
		require.Equal(t, c.want, entered(s), c.limit)
		require.Equal(t, c.rules, rules(s, "job"), c.limit)
	}
}

// A provider is paid for at most two citizens a year, in the order of days; a case
// that is paid for goes on counting.
func TestCapOnCases(t *testing.T) {
	observed := stays(
		stay{id: "1", job: "2008-05-01"}, stay{id: "2", job: "2008-04-01"}, stay{id: "3", job: "2008-04-15", half: "2008-03-01"},
		stay{id: "4", job: "2009-01-01"}, stay{id: "5", provider: "south", job: "2008-09-01"},
	)
	s := settle(t, limited(`{section: "9", per: provider, over: year, of: cases, most: 2}`).read(t), bonus.Facts{Observations: observed})
	require.Equal(t, map[string]string{"1": "over_limit", "2": "counted", "3": "counted", "4": "counted", "5": "counted"}, rules(s, "job"))
	s = settle(t, limited(`{section: "9", per: agreement, over: agreement, of: cases, most: 3, clauses: [job]}`).read(t), bonus.Facts{Observations: observed})
	require.Equal(t, map[string]string{"1": "counted", "2": "counted", "3": "counted", "4": "over_limit", "5": "over_limit"}, rules(s, "job"))
}

func TestLimitsOfAmounts(t *testing.T) {
	observed := stays(
		stay{id: "1", job: "2008-03-01"}, stay{id: "2", job: "2008-03-01", half: "2008-03-01"}, stay{id: "3", job: "2008-09-01"}, stay{id: "4", job: "2009-03-01"},
		stay{id: "5", provider: "south", half: "2008-03-01"}, stay{id: "6", provider: "south", half: "2008-09-01"}, stay{id: "7", provider: "west", job: "2008-03-01", pkg: "P2"},
	)
	for _, c := range []struct {
		limits string
		want   []string
	}{
		{`{section: "9", per: provider, over: agreement, most: 2500}`, []string{
			"north 2008H1 half 100.00", "north 2008H1 job 2000.00", "north 2008H2 job 1000.00", "north 2008H2 cap -600.00", "north 2009H1 job 1000.00", "north 2009H1 cap -1000.00",
			"south 2008H1 half 100.00", "south 2008H2 half 100.00", "west 2008H1 job 2000.00",
		}},
		{`{section: "9", per: provider, over: year, most: 2500}`, []string{
			"north 2008H1 half 100.00", "north 2008H1 job 2000.00", "north 2008H2 job 1000.00", "north 2008H2 cap -600.00", "north 2009H1 job 1000.00",
			"south 2008H1 half 100.00", "south 2008H2 half 100.00", "west 2008H1 job 2000.00",
		}},
		// Two limits of one version: on one clause, then on all.
		{`{section: "9", per: provider, over: period, most: 1500, clauses: [job]}, {section: "10", per: provider, over: period, most: 1550}`, []string{
			"north 2008H1 half 100.00", "north 2008H1 job 2000.00", "north 2008H1 cap-1 -500.00", "north 2008H1 cap-2 -50.00", "north 2008H2 job 1000.00", "north 2009H1 job 1000.00",
			"south 2008H1 half 100.00", "south 2008H2 half 100.00", "west 2008H1 job 2000.00", "west 2008H1 cap-1 -500.00",
		}},
		{`{section: "9", per: provider, over: period, least: 150}`, []string{
			"north 2008H1 half 100.00", "north 2008H1 job 2000.00", "north 2008H2 job 1000.00", "north 2009H1 job 1000.00",
			"south 2008H1 half 100.00", "south 2008H1 floor 50.00", "south 2008H2 half 100.00", "south 2008H2 floor 50.00", "west 2008H1 job 2000.00",
		}},
		{`{section: "9", per: provider, over: period, unpaid_under: 100.01}`, []string{
			"north 2008H1 half 100.00", "north 2008H1 job 2000.00", "north 2008H2 job 1000.00", "north 2009H1 job 1000.00",
			"south 2008H1 half 100.00", "south 2008H1 small -100.00", "south 2008H2 half 100.00", "south 2008H2 small -100.00", "west 2008H1 job 2000.00",
		}},
		// 2100, 100 and 2000 of 4200 share 100.01: 50.005, 2.3811..., 47.6238... kr.; in øre
		// 5000, 238 and 4762, and the øre left over goes to the remainder 0.5 before 0.381 and 0.119.
		// What is left of the year afterwards is nothing.
		{`{section: "9", per: agreement, over: year, most: 100.01}`, []string{
			"north 2008H1 half 100.00", "north 2008H1 job 2000.00", "north 2008H1 cap -2049.99", "north 2008H2 job 1000.00", "north 2008H2 cap -1000.00", "north 2009H1 job 1000.00", "north 2009H1 cap -899.99",
			"south 2008H1 half 100.00", "south 2008H1 cap -97.62", "south 2008H2 half 100.00", "south 2008H2 cap -100.00", "west 2008H1 job 2000.00", "west 2008H1 cap -1952.38",
		}},
	} {
		require.Equal(t, c.want, amounts(settle(t, limited(c.limits).read(t), bonus.Facts{Observations: observed})), c.limits)
	}
}

func TestCarryForward(t *testing.T) {
	p := people{clause: `        clawback: {section: "3", reached: relapsed}`, more: "    limits: [{section: \"9\", per: provider, over: period, least: 0, carry_forward: true}]\n"}
	observed := stays(
		stay{id: "1", job: "2008-03-01", back: "2008-07-01"}, stay{id: "2", job: "2008-03-01", back: "2008-07-01", pkg: "P2"},
		stay{id: "3", job: "2009-01-01"}, stay{id: "4", job: "2009-07-01"}, stay{id: "5", job: "2009-07-01"},
		stay{id: "6", provider: "south", job: "2009-01-01"},
	)
	s := settle(t, p.read(t), bonus.Facts{Observations: observed})
	require.Equal(t, []string{
		"north 2008H1 job 1000.00", "north 2008H1 job 2000.00",
		"north 2008H2 job.clawback -1000.00", "north 2008H2 job.clawback -2000.00", "north 2008H2 carried 3000.00",
		"north 2009H1 job 1000.00", "north 2009H1 carried -1000.00", "north 2009H2 job 2000.00", "north 2009H2 carried -2000.00",
		"south 2009H1 job 1000.00",
	}, amounts(s))
	require.Equal(t, []bonus.Balance{}, s.Carried, "all is set off")
	s = settle(t, p.read(t), bonus.Facts{Observations: observed, Opening: []bonus.Balance{{"A-1", "north", -50050}, {"A-1", "east", -700}, {"A-1", "south", -25}}})
	require.Equal(t, []bonus.Balance{{"A-1", "east", -700}}, s.Carried, "east has no lines to set off against")
	require.Contains(t, amounts(s), "north 2008H1 carried -500.50")
	require.Contains(t, amounts(s), "north 2009H2 carried -2000.00")
	require.Contains(t, amounts(s), "south 2009H1 carried -0.25")

	for what, opening := range map[string][]bonus.Balance{
		"no terms of it": {{"A-2", "north", -1}}, "above 0": {{"A-1", "north", 1}}, "two opening balances": {{"A-1", "north", -1}, {"A-1", "north", -1}},
	} {
		_, err := bonus.Settle(t.Context(), []*bonus.Terms{p.read(t)}, bonus.Facts{Observations: observed, Opening: opening})
		require.ErrorIs(t, err, bonus.ErrFacts)
		require.ErrorContains(t, err, what)
	}
	_, err := bonus.Settle(t.Context(), []*bonus.Terms{people{}.read(t)}, bonus.Facts{Observations: observed, Opening: []bonus.Balance{{"A-1", "north", -1}}})
	require.ErrorContains(t, err, "carry nothing forward")
}

// What does not fit is an error.
func TestCarryingOverflows(t *testing.T) {
	p := people{clause: "          penalty: true", more: "    limits: [{section: \"9\", per: provider, over: period, least: 0, carry_forward: true}]\n"}
	for owed, fits := range map[bonus.Ore]bool{math.MinInt64 + 100_000: true, math.MinInt64 + 99_999: false} {
		_, err := bonus.Settle(t.Context(), []*bonus.Terms{p.read(t)}, bonus.Facts{
			Observations: stays(stay{id: "1", job: "2008-03-01"}), Opening: []bonus.Balance{{Agreement: "A-1", Provider: "north", Amount: owed}},
		})
		if fits {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, bonus.ErrOverflow)
	}
}

// An effect that is worse than expected is carried, by the limit nearest to 0.
func TestNegativeEffects(t *testing.T) {
	const limits = `limits: [{section: "9", per: provider, over: period, most: 500000.00}]`
	floor := strings.Replace(limits, "}]", `}, {section: "9a", per: provider, over: period, least: 0, carry_forward: true}]`, 1)
	settled := func(pay string, difference, low, high float64) *bonus.Settlement {
		terms := readTerms(t, limits, floor, "pay_on: lower_limit\n", "pay_on: "+pay+"\n        negative: counts\n")
		b := measured(func(b *effect.BenchmarkRow) { b.Difference, b.Low, b.High = difference, low, high })
		return settle(t, terms, bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)})
	}
	const line, carried = "A-1/north/2008H2/effect@2008-01-01/match5_2004/1/(all)/Byen 200 x ", "A-1/north/2008H2/carried 0 x  = "
	// 160 compared cases at 20000 kr.
	s := settled("point", -0.0625, -0.1, -0.025)
	require.Equal(t, []string{line + "-10 = -200000.00", carried + "200000.00"}, paid(s))
	require.Equal(t, []bonus.Balance{{"A-1", "north", -20000000}}, s.Carried)
	require.Equal(t, []string{line + "-4 = -80000.00", carried + "80000.00"}, paid(settled("lower_limit", -0.0625, -0.1, -0.025)))
	require.Equal(t, []string{line + "0 = 0.00 not_above_0"}, paid(settled("lower_limit", -0.0625, -0.1, 0.025)))
	require.Equal(t, []string{line + "4 = 80000.00"}, paid(settled("lower_limit", 0.0625, 0.025, 0.1)))
	clause := readTerms(t, limits, floor, "pay_on: lower_limit\n", "pay_on: lower_limit\n        negative: counts\n").Versions[0].Clauses[1]
	chance, mean := clause.WithoutEffect(effect.Figures{SE: 1, DF: 100, Confidence: 0.95})
	require.InDelta(t, 0.025, chance, 1e-9)
	require.Zero(t, mean)
}

// Limits hold exactly, whatever they are, and what is carried is neither lost nor
// made: what lines say before it is carried is what is paid, and what is left over.
func TestLimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawLimited(t)
		list, terms, least, over, opening := d.list, d.terms, d.least, d.over, d.opening
		persons, all, each, kroner := d.persons, d.all, d.each, d.kroner
		f := bonus.Facts{Observations: stays(list...), Opening: opening}
		s := settle(t, terms, f)

		person, price := map[string]string{}, map[string]bonus.Ore{}
		for _, x := range list {
			person[x.id] = x.person
		}
		clause := map[string]string{}
		paid, carried := map[string]bonus.Ore{}, bonus.Ore(0)
		added := map[string]bonus.Ore{} // by what the limits of amounts are over, cumulative
		for _, l := range s.Lines {
			clause[l.ID], price[l.ID] = l.Clause, l.UnitPrice
			paid[l.Provider+l.Period] += l.Amount
			if l.Clause == "carried" {
				carried += l.Amount
			}
			period := l.Period
			switch over {
			case "year":
				period = period[:4]
			case "agreement":
				period = ""
			}
			added[l.Provider+"/"+period] += l.Amount
			added["/"+period] += l.Amount
		}
		quantities, kroners := map[string]*big.Rat{}, map[string]*big.Rat{}
		add := func(to map[string]*big.Rat, key string, q *big.Rat) {
			if to[key] == nil {
				to[key] = new(big.Rat)
			}
			to[key].Add(to[key], q)
		}
		for _, e := range s.Entries {
			q, _ := new(big.Rat).SetString(e.Quantity)
			if strings.HasSuffix(clause[e.Line], ".clawback") {
				require.Negative(t, q.Sign())
				continue
			}
			require.Positive(t, q.Sign())
			add(quantities, person[e.Participation], q)
			if clause[e.Line] == "job" {
				add(kroners, person[e.Participation]+e.On.Month(), new(big.Rat).Mul(q, price[e.Line].Rat()))
			}
		}
		for _, q := range quantities {
			require.LessOrEqual(t, q.Cmp(big.NewRat(int64(2*persons+1), 2)), 0)
		}
		for _, q := range kroners {
			require.LessOrEqual(t, q.Cmp(big.NewRat(int64(kroner), 1)), 0)
		}
		for key, amount := range added {
			most := bonus.Ore(100 * each)
			if strings.HasPrefix(key, "/") {
				most = bonus.Ore(100 * all)
			}
			require.LessOrEqual(t, amount, most, key)
		}
		if least != "" {
			for key, amount := range paid {
				require.GreaterOrEqual(t, amount, bonus.Ore(0), key)
			}
		}
		owes, owed := bonus.Ore(0), bonus.Ore(0)
		for _, b := range s.Carried {
			require.Negative(t, int64(b.Amount))
			owes += b.Amount
		}
		for _, b := range opening {
			owed += b.Amount
		}
		require.Equal(t, owed-owes, carried, "what is carried is neither lost nor made")
		again := settle(t, terms, bonus.Facts{Observations: f.Observations, Opening: slices.Clone(opening)})
		require.Equal(t, s, again)
	})
}

// limitedWorld is what drawLimited draws.
type limitedWorld struct {
	list                       []stay
	terms                      *bonus.Terms
	least, over                string
	persons, all, each, kroner int
	opening                    []bonus.Balance
}

// drawLimited draws cases, and terms with every kind of limit, a credit and a clawback.
func drawLimited(t *rapid.T) limitedWorld {
	list := drawStays(t)
	for i := range list {
		list[i].agreement = "A-1"
		if rapid.Bool().Draw(t, "relapse") {
			list[i].back = (day("2008-02-01") + effect.Date(rapid.IntRange(0, 60).Draw(t, "back"))).String()
		}
	}
	unit := rapid.SampledFrom([]bonus.Ore{1, 100}).Draw(t, "unit")
	number := func(name string, top int) int { return rapid.IntRange(0, top).Draw(t, name) }
	persons, all, each := number("person", 3), number("all", 6000), number("each", 3000)
	over := rapid.SampledFrom(bonus.LimitOver("").Names()).Draw(t, "over")
	kroner := number("kroner", 2500)
	limits := fmt.Sprintf(`{section: a, per: person, over: agreement, of: quantity, most: %d.5}, {section: b, per: person, over: period, most: %d, clauses: [job]},
	      {section: c, per: provider, over: %s, most: %d}, {section: d, per: agreement, over: %[3]s, most: %[5]d}`, persons, kroner, over, each, all)
	least := ""
	switch rapid.IntRange(0, 2).Draw(t, "floor") {
	case 1:
		least = `, {section: e, per: provider, over: period, least: 0, carry_forward: true}`
	case 2:
		least = `, {section: e, per: provider, over: period, least: 0}`
	}
	p := people{
		periods: "month", terms: `attribution: {section: "7", credit: ` + rapid.SampledFrom([]string{"first", "last", "split_days"}).Draw(t, "credit") + "}",
		clause: `        clawback: {section: "3", reached: relapsed}`, more: half + "    limits: [" + limits + least + "]\n",
	}
	terms := p.read(t)
	terms.Rounding.Unit = unit
	opening := []bonus.Balance{}
	if strings.Contains(least, "carry") {
		opening = append(opening, bonus.Balance{"A-1", "north", bonus.Ore(-100 * number("opening", 500))})
	}
	return limitedWorld{list, terms, least, over, persons, all, each, kroner, opening}
}

// Rows, levels of a factor and numbers of persons in another order give the same.
func TestOrderOfPeopleDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawLimited(t)
		f := bonus.Facts{Observations: stays(d.list...)}
		want := settle(t, d.terms, bonus.Facts{Observations: f.Observations, Opening: d.opening})
		other := scramble(t, f)
		other.Opening = slices.Clone(d.opening)
		slices.Reverse(other.Opening)
		got := settle(t, d.terms, other)
		require.Equal(t, want.Lines, got.Lines)
		require.Equal(t, want.Entries, got.Entries)
		require.Equal(t, want.Steps, got.Steps)
		require.Equal(t, want.Counts, got.Counts)
		require.Equal(t, want.Carried, got.Carried)
		require.ElementsMatch(t, want.Cases, got.Cases)
	})
}
