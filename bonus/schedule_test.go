package bonus_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

// oneClause reads terms with one clause, whose measure and schedule are given, and more
// keys of the terms.
func oneClause(t tester, measure, schedule, more string) *bonus.Terms {
	t.Helper()
	terms, err := bonus.ParseTerms("terms.yaml", []byte(oneClauseText(measure, schedule, more)))
	require.NoError(t, err)
	return terms
}

func oneClauseText(measure, schedule, more string) string {
	return fmt.Sprintf(`agreement: A-1
title: One clause
source: {document: Terms of a test, dated: 2007-12-01}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2012-01-01
packages:
  - {id: P1, name: Job search, job_oriented: true}
  - {id: P2, name: Company placement, job_oriented: true}
periods: quarter
applies_by: referral
rounding: {unit: 0.01, mode: half_up, stage: line}
%s
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: c
        section: "1"
        text: The clause
        measure: %s
        schedule: %s
`, more, measure, schedule)
}

// jobs are as many cases as there are days, each with a job on its day.
func jobs(provider string, days ...string) (out []row) {
	for i, d := range days {
		out = append(out, row{id: fmt.Sprintf("%s-%02d", provider, i), provider: provider, job: d})
	}
	return out
}

// short writes the lines as provider, period, rest of the id, quantity, price, times
// and amount.
func short(s *bonus.Settlement) (out []string) {
	for _, l := range s.Lines {
		_, rest, _ := strings.Cut(l.ID, "match5_2004/")
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s x %s x %s = %s %s", l.Provider, l.Period, rest, l.Quantity, l.UnitPrice, l.Times, l.Amount, l.Reason)))
	}
	return out
}

// Of prices that fit, the one that says most holds.
func TestPricesThatSayMostHold(t *testing.T) {
	terms := oneClause(t, "{reached: sustained_13w}", "{unit_prices: [{amount: 1}, {match_group: 4, amount: 2}, {package: P2, amount: 3}, {match_group: 4, package: P2, amount: 4}, {match_scheme: match3_2010, amount: 9}, {match_scheme: match3_2010, package: P2, amount: 9}]}", "")
	job := "2008-04-01"
	s := settle(t, terms, bonus.Facts{Observations: observe(
		row{id: "a", job: job}, row{id: "b", group: "4", job: job}, row{id: "c", pkg: "P2", job: job}, row{id: "d", group: "4", pkg: "P2", job: job}, row{id: "e", group: "5", job: job},
	)})
	require.Equal(t, []string{
		"north 2008Q2 1/P1: 1 x 1.00 x 1 = 1.00", "north 2008Q2 1/P2: 1 x 3.00 x 1 = 3.00", "north 2008Q2 4/P1: 1 x 2.00 x 1 = 2.00",
		"north 2008Q2 4/P2: 1 x 4.00 x 1 = 4.00", "north 2008Q2 5/P1: 1 x 1.00 x 1 = 1.00",
	}, short(s))
}

// All of a period is paid at the step that its sum has reached: at the boundary, not
// one below it. Each period and provider stands alone, and earlier periods stay.
func TestSlabs(t *testing.T) {
	const bands = "{unit_prices: [{amount: 100}], bands: {of: quantity, mode: slab, over: %s, steps: [{from: 0, times: 1}, {from: 2, amount: 90}, {from: 3, times: 0.8}]}}"
	facts := func() bonus.Facts {
		rows := jobs("north", "2008-04-01", "2008-04-02", "2008-07-01", "2008-07-02", "2008-07-03")
		return bonus.Facts{Observations: observe(append(rows, jobs("south", "2008-06-30")...)...)}
	}
	require.Equal(t, []string{
		"north 2008Q2 1/P1/band-2: 2 x 90.00 x 1 = 180.00", "north 2008Q3 1/P1/band-3: 3 x 100.00 x 0.8 = 240.00", "south 2008Q2 1/P1/band-1: 1 x 100.00 x 1 = 100.00",
	}, short(settle(t, oneClause(t, "{reached: sustained_13w}", fmt.Sprintf(bands, "period"), ""), facts())))
	for _, over := range []string{"year", "agreement"} {
		rows := jobs("north", "2008-04-01", "2008-07-01", "2008-07-02")
		require.Equal(t, []string{"north 2008Q2 1/P1/band-1: 1 x 100.00 x 1 = 100.00", "north 2008Q3 1/P1/band-3: 2 x 100.00 x 0.8 = 160.00"},
			short(settle(t, oneClause(t, "{reached: sustained_13w}", fmt.Sprintf(bands, over), ""), bonus.Facts{Observations: observe(rows...)})))
	}
}

// What lies above a boundary is paid by the next step, in the order of days, then of
// referral, then of participation id, over all groups and packages together.
func TestMarginalBands(t *testing.T) {
	terms := oneClause(t, "{reached: sustained_13w}", "{unit_prices: [{amount: 100}, {match_group: 4, amount: 300}], bands: {of: quantity, mode: marginal, over: year, steps: [{from: 0, times: 1}, {from: 2, times: 1.5}]}}", "")
	s := settle(t, terms, bonus.Facts{Observations: observe(
		row{id: "late", job: "2008-07-02"},
		row{id: "b", group: "4", job: "2008-07-01"}, row{id: "a", job: "2008-07-01"}, row{id: "early", referral: "2008-01-15", job: "2008-07-01"},
	)})
	require.Equal(t, []string{
		"north 2008Q3 1/P1/band-1: 2 x 100.00 x 1 = 200.00", "north 2008Q3 1/P1/band-2: 1 x 100.00 x 1.5 = 150.00", "north 2008Q3 4/P1/band-2: 1 x 300.00 x 1.5 = 450.00",
	}, short(s))
	var first []string
	for _, e := range s.Entries[:2] {
		first = append(first, e.Participation)
	}
	require.Equal(t, []string{"early", "a"}, first, "referred earlier, then the lower id")
}

// A provider is told how far the next band is: of slab at its boundary, of marginal
// above it, and nothing past the last.
func TestNextBand(t *testing.T) {
	const bands = "{unit_prices: [{amount: 100}], bands: {of: quantity, mode: %s, steps: [{from: 0, times: 1}, {from: 2, times: 1.5}]}}"
	for _, x := range []struct {
		mode string
		n    int
		want []string
	}{
		{"slab", 1, []string{"1 of 2, -1: 1 more for the next band"}},
		{"slab", 2, nil},
		{"marginal", 2, []string{"2 of 2, 0: one more for the next band"}},
		{"marginal", 3, nil},
	} {
		terms, facts := oneClause(t, "{reached: sustained_13w}", fmt.Sprintf(bands, x.mode), ""), bonus.Facts{Observations: observe(jobs("north", slices.Repeat([]string{"2008-08-01"}, x.n)...)...)}
		e, err := settle(t, terms, facts).ExplainProvider(context.Background(), "north", []*bonus.Terms{terms}, facts)
		require.NoError(t, err)
		var got []string
		for _, m := range e.Margins {
			got = append(got, fmt.Sprintf("%s of %s, %s: %s", m.Now, m.Asked, m.Spare, m.Needed))
		}
		require.Equal(t, x.want, got, "%s with %d", x.mode, x.n)
	}
}

// A provider to whom nobody was referred in the time has no share of anything: all
// it reached is past every boundary.
func TestBandsOfCasesWithoutCases(t *testing.T) {
	terms := oneClause(t, "{reached: sustained_13w}", "{unit_prices: [{amount: 100}], bands: {of: share_of_cases, mode: marginal, steps: [{from: 0, times: 0}, {from: 0.5, times: 1}]}}", "")
	s := settle(t, terms, bonus.Facts{Observations: observe(
		row{id: "before", referral: "2008-03-31", job: "2008-08-01"},
		row{id: "a", referral: "2008-04-01", job: "2008-06-01"}, row{id: "b", referral: "2008-06-30", provider: "north"}, row{id: "other", referral: "2008-05-01", provider: "south"},
	)})
	require.Equal(t, []string{"north 2008Q2 1/P1/band-1: 1 x 100.00 x 0 = 0.00 price_is_0", "north 2008Q3 1/P1/band-2: 1 x 100.00 x 1 = 100.00"}, short(s), "half of the two who were referred is one")
}

// A penalty is taken off, and a share and a factor multiply.
func TestPenaltyAndShare(t *testing.T) {
	terms := oneClause(t, "{reached: sustained_13w}", "{unit_prices: [{amount: 99.99}], share: 0.333, penalty: true, bands: {of: quantity, mode: slab, steps: [{from: 0, times: 2}]}}", "vat: {treatment: excluded, rate: 0.25}")
	s := settle(t, terms, bonus.Facts{Observations: observe(jobs("north", "2008-04-01")...)})
	require.Equal(t, []string{"north 2008Q2 1/P1/band-1: 1 x 99.99 x -0.666 = -66.59"}, short(s)) // 66.59334
	require.Equal(t, "excluded 0.25", s.Lines[0].VAT)
	var steps []string
	for _, x := range s.Steps {
		steps = append(steps, strings.TrimSpace(fmt.Sprint(x.What, ": ", x.Value, " ", x.Unit)))
	}
	require.Equal(t, []string{
		"band 1 of 1, slab, begins at: 0", "citizens who reached sustained_13w: 1 citizens", "price of one: 99.99 kr.", "share of the price: 0.333", "factor of band 1: 2", "a penalty is taken off: -1",
		"quantity x price x 0.333 x 2 x -1: -66.59334 kr.", "rounded to 0.01 kr., half_up: -66.59 kr.",
	}, steps)
}

// Lines share a rounded total also where some are taken off.
func TestTotalOfPenalties(t *testing.T) {
	for _, mode := range bonus.RoundingMode("").Names() {
		terms := oneClause(t, "{reached: sustained_13w}", "{unit_prices: [{amount: 0.55}, {match_group: 4, amount: 0.33}, {match_group: 5, amount: 0.10}], penalty: true}", "")
		terms.Rounding = bonus.Rounding{Unit: 100, Mode: bonus.RoundingMode(mode), Stage: bonus.StageTotal}
		job := "2008-04-01"
		s := settle(t, terms, bonus.Facts{Observations: observe(row{id: "a", job: job}, row{id: "b", group: "4", job: job}, row{id: "c", group: "5", job: job})})
		var total bonus.Ore
		for _, l := range s.Lines {
			total += l.Amount
		}
		require.Equal(t, map[string]bonus.Ore{"half_up": -100, "half_even": -100, "down": 0}[mode], total) // of -0.98
	}
}

// The factor in force on the day that chooses it multiplies the price, which is then
// rounded; lines never mix factors.
func TestIndexation(t *testing.T) {
	const more = "indexation: {section: \"6\", by: %s, factors: [{from: 2008-04-01, factor: 1.0215}, {from: 2008-07-02, factor: 1.05}], round: {unit: 1, mode: half_up}}"
	facts := func() bonus.Facts {
		return bonus.Facts{Observations: observe(
			row{id: "a", referral: "2008-03-31", job: "2008-07-10"}, row{id: "b", referral: "2008-04-01", job: "2008-07-11"}, row{id: "c", referral: "2008-07-02", job: "2008-07-12"},
			row{id: "d", referral: "2008-02-01", job: "2008-03-31"},
		)}
	}
	prices := "{unit_prices: [{amount: 1000.50}]}" // x 1.0215 = 1022.01, x 1.05 = 1050.525
	require.Equal(t, []string{"north 2008Q1 1/P1: 1 x 1000.50 x 1 = 1000.50", "north 2008Q3 1/P1/index@2008-04-01: 3 x 1022.00 x 1 = 3066.00"},
		short(settle(t, oneClause(t, "{reached: sustained_13w}", prices, fmt.Sprintf(more, "period")), facts())), "the period began on 1 July")
	s := settle(t, oneClause(t, "{reached: sustained_13w}", prices, fmt.Sprintf(more, "referral")), facts())
	require.Equal(t, []string{
		"north 2008Q1 1/P1: 1 x 1000.50 x 1 = 1000.50", "north 2008Q3 1/P1: 1 x 1000.50 x 1 = 1000.50",
		"north 2008Q3 1/P1/index@2008-04-01: 1 x 1022.00 x 1 = 1022.00", "north 2008Q3 1/P1/index@2008-07-02: 1 x 1051.00 x 1 = 1051.00",
	}, short(s))
	require.Contains(t, fmt.Sprint(s.Steps), "price x 1.05, the factor in force from 2008-07-02, rounded to 1.00 kr., half_up")
}

// A sum of kroner counts once, on the last day of its window, when that is complete.
func TestSumOfKroner(t *testing.T) {
	facts := bonus.Facts{Observations: observe(row{id: "a"}, row{id: "b"}, row{id: "c"}, row{id: "d"})}
	n := facts.Observations.Cases.Len()
	r := effect.Result{
		Outcome: "earned", Unit: effect.UnitKroner, Status: make([]effect.Status, n), Reason: make([]effect.Reason, n), Value: []float64{1234567.89123, 100, 0, 50},
		ReachedOn: make([]effect.Date, n), WindowEnd: []effect.Date{day("2008-10-01"), day("2009-10-01"), day("2008-10-01"), day("2008-10-01")},
		Complete: []bool{true, false, true, false}, Followed: make([]bool, n),
	}
	r.Reason[1], r.Reason[3] = effect.ReasonPending, effect.ReasonLeft
	facts.Observations.Results = append(facts.Observations.Results, r)
	terms := oneClause(t, "{sum: earned}", "{unit_prices: [{amount: 0.10}]}", "")
	s := settle(t, terms, facts)
	require.Equal(t, []string{"north 2008Q3 1/P1: 1234567.89 x 0.10 x 1 = 123456.79"}, short(s), "the window's last day is 30 September; nine digits stand in the tables")
	require.Equal(t, map[string]string{"a": "counted", "b": "pending", "c": "not_reached", "d": "left"}, rules(s, "c"))

	r.Value[0] = math.NaN()
	facts.Observations.Results[2] = r
	s = settle(t, terms, facts)
	require.Empty(t, s.Lines, "a value that is none counts for nothing")
}

// A sum needs an outcome that can be added up, and weeks their days; both are said
// with their place.
func TestSumsOfWhatCannotBeAdded(t *testing.T) {
	terms := oneClause(t, "{sum: x}", "{unit_prices: [{amount: 1}]}", "")
	for unit, want := range map[effect.Unit]string{
		effect.UnitShare: "days, weeks, hours and kroner can be added up", effect.UnitPortion: "days, weeks, hours and kroner can be added up", effect.UnitNumber: "days, weeks, hours and kroner can be added up",
		effect.UnitWeeks: "let the outcome have dated: true in the run file", effect.UnitDays: "", effect.UnitHours: "", effect.UnitKroner: "",
	} {
		err := terms.Check(bonus.Known{Outcomes: map[string]effect.Unit{"x": unit}})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "versions[0].clauses[0].measure.sum")
	}
	require.NoError(t, terms.Check(bonus.Known{Outcomes: map[string]effect.Unit{"x": effect.UnitWeeks}, Dated: []string{"x"}}))
}

// A quantity that does not fit is an error, not another number.
func TestQuantitiesThatDoNotFit(t *testing.T) {
	instalments := "{unit_prices: [{amount: 1}], instalments: [{share: 0.000000000001, after: 0 days}, {share: 0.999999999999, after: 1 day}]}"
	facts := bonus.Facts{Observations: observe(row{id: "a"})}
	facts.Observations.Results = append(facts.Observations.Results, effect.Result{
		Outcome: "earned", Unit: effect.UnitKroner, Status: make([]effect.Status, 1), Reason: make([]effect.Reason, 1), Value: []float64{1e10 + 0.1},
		ReachedOn: make([]effect.Date, 1), WindowEnd: []effect.Date{day("2008-10-01")}, Complete: []bool{true}, Followed: make([]bool, 1),
	})
	s := settle(t, oneClause(t, "{sum: earned}", instalments, ""), facts)
	require.Equal(t, []string{"north 2008Q3 1/P1: 0.01 x 1.00 x 1 = 0.01", "north 2008Q4 1/P1: 9999999999.99 x 1.00 x 1 = 9999999999.99"}, short(s))

	for _, value := range []float64{123456789, 1e300} { // with 12 decimals, 9 digits are too many
		facts.Observations.Results[2].Value[0] = value
		_, err := bonus.Settle(context.Background(), []*bonus.Terms{oneClause(t, "{sum: earned}", instalments, "")}, facts)
		require.ErrorIs(t, err, bonus.ErrOverflow)
	}
}

// What is not due yet is explained by what is missing.
func TestWhyNothingIsDue(t *testing.T) {
	why := func(terms *bonus.Terms, facts bonus.Facts) string {
		s := settle(t, terms, facts)
		require.Equal(t, map[string]string{"a": bonus.RuleNotDue}, rules(s, "c"))
		e, err := s.ExplainCase("a")
		require.NoError(t, err)
		return bonus.NewReasons([]*bonus.Terms{terms}, facts).Why(e).Needed[0]
	}
	facts := bonus.Facts{Observations: observe(row{id: "a", job: "2008-11-30"})}
	require.Equal(t, "it counts on 2008-11-30; the first instalment is due on 2009-02-28, after 2008-12-31",
		why(oneClause(t, "{reached: sustained_13w}", "{unit_prices: [{amount: 1}], instalments: [{share: 1, after: 3 months}]}", ""), facts))
	n := 1
	weeks := effect.Result{
		Outcome: "weeks", Unit: effect.UnitWeeks, Status: make([]effect.Status, n), Reason: []effect.Reason{effect.ReasonPending}, Value: []float64{5},
		ReachedOn: []effect.Date{effect.NoDate}, WindowEnd: []effect.Date{day("2010-01-01")}, Complete: make([]bool, n), Followed: make([]bool, n),
		Dates: effect.Dates{First: []int{0, 5}, On: []effect.Date{day("2008-03-02"), day("2008-03-09"), day("2008-03-16"), day("2008-03-23"), day("2008-03-30")}},
	}
	facts.Observations.Results = append(facts.Observations.Results, weeks)
	require.Equal(t, "5 weeks of weeks by 2008-12-31; the first payment needs 6",
		why(oneClause(t, "{sum: weeks}", "{unit_prices: [{amount: 1}], beyond: 2, every: 4}", ""), facts))
	require.Equal(t, "it counts on 2008-03-30; the first instalment is due on 2009-03-30, after 2008-12-31",
		why(oneClause(t, "{sum: weeks}", "{unit_prices: [{amount: 1}], beyond: 4, instalments: [{share: 1, after: 1 year}]}", ""), facts))
}

// FuzzSettle looks for terms that Settle cannot stand: whatever is read as terms is
// settled, or refused in words.
func FuzzSettle(f *testing.F) {
	for _, schedule := range []string{
		"{unit_prices: [{amount: 1}], share: 0.1, instalments: [{share: 1, after: 31 days}]}",
		"{unit_prices: [{amount: 1}], beyond: 2, every: 2, bands: {of: share_of_profile, mode: marginal, over: agreement, steps: [{from: 0, times: 1}, {from: 0.5, amount: 3}]}}",
		"{bands: {of: share_of_cases, mode: slab, steps: [{from: 0, amount: 1}, {from: 0.25, amount: 2}]}, penalty: true}",
	} {
		for _, measure := range []string{"{sum: weeks}", "{reached: job, or: [other]}", "{sum: earned}", "{referred: true}"} {
			f.Add([]byte(oneClauseText(measure, schedule, "profile: [{period: 2008Q1, number: 3}, {period: 2008Q2, number: 3}]\nindexation: {section: \"6\", by: period, factors: [{from: 2008-04-01, factor: 1.02}], round: {unit: 0.01, mode: down}}")))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		terms, err := bonus.ParseTerms("terms.yaml", src)
		if err != nil || len(terms.Packages) > 100 || len(terms.Versions) > 100 {
			return
		}
		s, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, anyFacts(terms))
		if (s == nil) == (err == nil) {
			t.Fatal("a settlement or an error")
		}
		if err == nil {
			for _, l := range s.Lines {
				require.NotEmpty(t, l.ID)
			}
		}
	})
}

// anyFacts are a few cases under an agreement, with every outcome that its clauses
// name, in a unit that they can take.
func anyFacts(terms *bonus.Terms) bonus.Facts {
	var rows []row
	for i := range 8 {
		rows = append(rows, row{
			id: fmt.Sprint(i), person: fmt.Sprint(i / 2), agreement: terms.Agreement, pkg: terms.Packages[i%len(terms.Packages)].ID, group: fmt.Sprint(i % 3),
			referral: (day("2008-01-01") + effect.Date(30*i)).String(), provider: fmt.Sprint("p", i%2),
		})
	}
	facts := bonus.Facts{Observations: observe(rows...)}
	obs := facts.Observations
	obs.Results = nil
	seen := map[string]bool{}
	for _, v := range terms.Versions {
		for _, clause := range v.Clauses {
			for _, name := range clause.Measure.Outcomes() {
				if seen[name] {
					continue
				}
				seen[name] = true
				r := effect.Result{Outcome: name, Unit: effect.UnitShare, Followed: make([]bool, 8), Reason: make([]effect.Reason, 8)}
				if clause.Measure.Sum != "" {
					if r.Unit = effect.UnitWeeks; len(name)%2 == 0 {
						r.Unit = effect.UnitKroner
					}
				}
				if r.Unit == effect.UnitWeeks {
					r.Dates.First = []int{0}
				}
				for i := range 8 {
					on := obs.Cases.Referral[i] + effect.Date(20*i)
					r.Status, r.ReachedOn, r.WindowEnd = append(r.Status, effect.Reached), append(r.ReachedOn, on), append(r.WindowEnd, on+1)
					r.Value, r.Complete = append(r.Value, float64(i)*1234.5678), append(r.Complete, i%3 > 0)
					if r.Unit == effect.UnitWeeks {
						for k := range i {
							r.Dates.On = append(r.Dates.On, on+effect.Date(7*k))
						}
						r.Dates.First = append(r.Dates.First, len(r.Dates.On))
					}
				}
				obs.Results = append(obs.Results, r)
			}
		}
	}
	return facts
}
