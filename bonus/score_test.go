package bonus_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The reference of testdata/reference/score.py, which works everything out once
// more in Python's fractions.
type reference struct {
	HRRP []struct{ FY, PAF string }
	// Rusta has the scores of the published contracts.
	Rusta     []struct{ Period, Contract, Score string }
	Exchanges []struct {
		Bases           []int64
		Scores, Amounts []string
		Withhold, Unit  string
	}
	Pools []struct {
		Amount, Unit     string
		Weights, Amounts []string
	}
	Scores []struct {
		Score   json.RawMessage
		Figures map[string]struct {
			Value string
			N     int64
		}
		Value string
	}
	Luck []struct {
		N        []int
		Reached  int
		Distance map[string]string
		Chance   float64
	}
}

func readReference(t *testing.T) (r reference) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(read(t, "../testdata/reference/score.json")), &r))
	return r
}

// scoreTerms are terms of one clause, said in YAML from measure on.
func scoreTerms(t tester, unit, clause string) *bonus.Terms {
	t.Helper()
	terms, err := bonus.ParseTerms("score.yaml", []byte(scoreText(unit, clause)))
	require.NoError(t, err)
	return terms
}

func scoreText(unit, clause string) string {
	return `agreement: A-1
title: Terms with a score
source: {document: Invented, dated: 2007-12-01}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2012-01-01
packages: [{id: P1, name: Job search, job_oriented: true}]
periods: year
applies_by: referral
rounding: {unit: ` + unit + `, mode: half_up, stage: line}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: s
        section: "1"
        text: A score
` + clause
}

// oneEach are facts of one case for each provider, with figures.
func oneEach(providers []string, figures ...bonus.Figure) bonus.Facts {
	var rows []row
	for i, p := range providers {
		rows = append(rows, row{id: fmt.Sprint(i), provider: p})
	}
	return bonus.Facts{Observations: observe(rows...), Figures: figures}
}

func rat(t tester, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	require.True(t, ok, s)
	return r
}

// ore is a number of kroner in øre.
func ore(t tester, s string) bonus.Ore {
	t.Helper()
	r := rat(t, s)
	r.Mul(r, big.NewRat(100, 1))
	require.True(t, r.IsInt(), s)
	return bonus.Ore(r.Num().Int64())
}

// TestScoresAgainstFractions draws scores of every kind of part but cases, and
// compares them with a second implementation.
func TestScoresAgainstFractions(t *testing.T) {
	notRated := 0
	for i, x := range readReference(t).Scores {
		terms := scoreTerms(t, "0.01", fmt.Sprintf("        measure: {score: %s}\n        schedule: {unit_prices: [{amount: 1}]}\n", x.Score))
		var figures []bonus.Figure
		for name, f := range x.Figures {
			figures = append(figures, bonus.Figure{Name: name, Provider: "north", Period: "2008", N: f.N, Value: f.Value})
		}
		figures = append(figures, bonus.Figure{Name: "f0", Provider: "north", Period: "2007", N: 1, Value: "1"})
		lines := settle(t, terms, oneEach([]string{"north"}, figures...)).Lines
		require.Len(t, lines, 1)
		if x.Value == "" {
			require.Equal(t, bonus.ReasonNotRated, lines[0].Reason, i)
			notRated++
			continue
		}
		require.Equal(t, rat(t, x.Value), rat(t, lines[0].Quantity), "%d: %s", i, x.Score)
	}
	require.Positive(t, notRated)
}

func TestExchangesAgainstFractions(t *testing.T) {
	for i, x := range readReference(t).Exchanges {
		terms := scoreTerms(t, x.Unit, fmt.Sprintf(`        measure: {score: {parts: [{name: a, figure: points}]}}
        schedule: {exchange: {base: base, withhold: %s, intercept: -1, slope: budget_neutral}}
`, x.Withhold))
		var providers []string
		var figures []bonus.Figure
		for k := range x.Bases {
			p := fmt.Sprintf("p%d", k)
			providers = append(providers, p)
			figures = append(figures, bonus.Figure{Name: "base", Provider: p, Period: "2008", N: -1, Value: fmt.Sprint(x.Bases[k])},
				bonus.Figure{Name: "points", Provider: p, Period: "2008", N: -1, Value: x.Scores[k]})
		}
		lines := settle(t, terms, oneEach(providers, figures...)).Lines
		require.Len(t, lines, len(providers))
		var total bonus.Ore
		for k, l := range lines {
			require.Equal(t, ore(t, x.Amounts[k]), l.Amount, "%d: %s", i, l.Provider)
			total += l.Amount
		}
		require.Zero(t, total)
	}
}

func TestPoolsAgainstFractions(t *testing.T) {
	for i, x := range readReference(t).Pools {
		terms := scoreTerms(t, x.Unit, "        measure: {score: {parts: [{name: a, figure: points}]}}\n        schedule: {pool: {amount: "+x.Amount+"}}\n")
		var providers []string
		var figures []bonus.Figure
		for k := range x.Weights {
			p := fmt.Sprintf("p%d", k)
			providers = append(providers, p)
			figures = append(figures, bonus.Figure{Name: "points", Provider: p, Period: "2008", N: -1, Value: x.Weights[k]})
		}
		for k, l := range settle(t, terms, oneEach(providers, figures...)).Lines {
			require.Equal(t, ore(t, x.Amounts[k]), l.Amount, "%d: %s", i, l.Provider)
		}
	}
}

// TestPublishedScores makes the cases of every contract in the published sample of
// Rusta och matcha and expects its score, to three decimals, and that just those
// under 18 participants have no rating.
func TestPublishedScores(t *testing.T) {
	file := "../testdata/terms/rusta-och-matcha-score.yaml"
	terms, err := bonus.ParseTerms(file, []byte(read(t, file)))
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(read(t, "../testdata/reference/rusta_och_matcha_sample.csv"))).ReadAll()
	require.NoError(t, err)
	at := func(r []string, name string) string { return r[slices.Index(rows[0], name)] }
	n := func(r []string, name string) int {
		x, err := strconv.Atoi(at(r, name))
		require.NoError(t, err)
		return x
	}
	scores := map[string]string{}
	for _, x := range readReference(t).Rusta {
		scores[x.Contract] = x.Score
	}
	for _, r := range rows[1:] {
		period, referral := "2025H1", "2025-01-15"
		if at(r, "period") == "2025-11-01" {
			period, referral = "2025H2", "2025-08-15"
		}
		var list []row
		var first, second []bool
		for _, level := range []string{"a", "b", "c"} {
			for k := range n(r, "participants_"+level) {
				list = append(list, row{
					id: fmt.Sprint(len(list)), agreement: "ROM", pkg: "ROM", provider: at(r, "contract"), group: strings.ToUpper(level), referral: referral,
				})
				first, second = append(first, k < n(r, "rr1_"+level)), append(second, k < n(r, "rr2_"+level))
			}
		}
		list = append(list, row{id: fmt.Sprint(len(list)), agreement: "ROM", pkg: "ROM", provider: at(r, "contract"), group: "A", referral: "2024-01-02"})
		first, second = append(first, false), append(second, false)
		obs := observe(list...)
		obs.AsOf = map[string]effect.Date{"2025H1": day("2025-06-30"), "2025H2": day("2025-12-31")}[period]
		scheme := make([]string, len(list))
		for i := range scheme {
			scheme[i] = "rom_levels"
		}
		obs.Cases.MatchScheme = effect.NewFactor(scheme)
		obs.Results = nil
		for name, reached := range map[string][]bool{"first_result": first, "second_result": second} {
			result := effect.Result{Outcome: name, Unit: effect.UnitShare}
			for i := range obs.Cases.Len() {
				k, err := strconv.Atoi(obs.Cases.ID.At(int(i)).String())
				require.NoError(t, err)
				status, on := effect.NotReached, effect.NoDate
				if reached[k] {
					status, on = effect.Reached, obs.AsOf
				}
				result.Status, result.ReachedOn = append(result.Status, status), append(result.ReachedOn, on)
				result.Reason, result.Complete, result.WindowEnd = append(result.Reason, effect.NoReason), append(result.Complete, true), append(result.WindowEnd, obs.AsOf)
			}
			obs.Results = append(obs.Results, result)
		}
		var figures []bonus.Figure
		for p := range map[string]bool{"2024H1": true, period: true} {
			for _, level := range []string{"a", "b", "c"} {
				figures = append(figures, bonus.Figure{Name: "weight_" + level, Period: p, N: -1, Value: at(r, "weight_"+level)})
			}
		}
		s := settle(t, terms, bonus.Facts{Observations: obs, Figures: figures})
		i := slices.IndexFunc(s.Decisions, func(d bonus.Decided) bool { return d.Period == period })
		require.GreaterOrEqual(t, i, 0)
		d := s.Decisions[i]
		require.Equal(t, rat(t, at(r, "score")), rat(t, d.Value), d.Provider)
		require.Equal(t, rat(t, scores[d.Provider]), rat(t, d.Value), d.Provider)
		require.EqualValues(t, n(r, "participants"), d.N)
		rating := at(r, "rating")
		if rating == "null" {
			rating = "0"
		}
		require.Equal(t, rating, fmt.Sprint(d.Rating), d.Provider)
		require.Equal(t, rating == "0", d.N < 18)
	}
}

// TestPaymentFactors reads the factors of the mock reports off the steps of
// us-hrrp.spec.yaml's figures: 1 less the score.
func TestPaymentFactors(t *testing.T) {
	terms, err := bonus.ParseTerms("us-hrrp.yaml", []byte(read(t, "../testdata/terms/us-hrrp.yaml")))
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(read(t, "../testdata/reference/hrrp_fy2020_fy2023.csv"))).ReadAll()
	require.NoError(t, err)
	want := map[string]string{"2020": "0.984", "2023": "0.9956"}
	for _, x := range readReference(t).HRRP {
		require.Equal(t, rat(t, want[x.FY]), rat(t, x.PAF))
		figures := []bonus.Figure{{Name: "base_payment", Provider: "north", Period: x.FY, N: -1, Value: "1"}}
		for _, r := range rows[1:] {
			if r[0] != x.FY {
				continue
			}
			measure, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(r[1], "/", "_")), " ")
			n, err := strconv.ParseInt(r[2], 10, 64)
			if err != nil {
				n = -1
			}
			for name, value := range map[string]string{"err_" + measure: r[5], "peer_median_" + measure: r[6], "ratio_" + measure: r[8], "neutrality": r[9]} {
				v, ok := new(big.Rat).SetString(value)
				f := bonus.Figure{Name: name, Provider: "north", Period: x.FY, N: -1}
				if ok {
					f.Value = v.FloatString(20)
				}
				if strings.HasPrefix(name, "err_") {
					f.N = n
				}
				if name != "neutrality" || r[1] == "AMI" {
					figures = append(figures, f)
				}
			}
		}
		facts := bonus.Facts{Observations: observe(row{id: "1", agreement: "HRRP", pkg: "IPPS", referral: x.FY + "-02-01"}), Figures: figures}
		facts.Observations.AsOf = day(x.FY + "-12-31")
		s := settle(t, terms, facts)
		found := ""
		for _, step := range s.Steps {
			if strings.HasPrefix(step.What, "factor of the base") {
				found = step.Value
			}
		}
		require.Equal(t, want[x.FY], found)
	}
}

// TestLuck holds the chance beside a decision against all counts gone through.
func TestLuck(t *testing.T) {
	for _, x := range readReference(t).Luck {
		kind := "points"
		if x.Distance[kind] == "" {
			kind = "percent"
		}
		terms := scoreTerms(t, "0.01", fmt.Sprintf(`        measure: {score: {parts: [{name: share, results: [sustained_13w], share: true}]}}
        decision: {then: dropped, lowest: true, under_best_by: {%s: %s}}
`, kind, x.Distance[kind]))
		var rows []row
		reached := x.Reached
		for p, n := range x.N {
			for range n {
				r := row{id: fmt.Sprint(len(rows)), provider: fmt.Sprintf("p%d", p)}
				if reached > 0 {
					r.job = "2008-08-01"
					reached--
				}
				rows = append(rows, r)
			}
		}
		decided := settle(t, terms, bonus.Facts{Observations: observe(rows...)}).Decisions
		require.Len(t, decided, len(x.N))
		for _, d := range decided {
			require.InDelta(t, x.Chance, d.Chance, 1e-9)
		}
	}
}

// TestShareDifference: Newcombe's interval of 56/70 - 48/80
// is 0.0524 to 0.3339 (Newcombe 1998, table II, example a, method 10). The standard
// error is sqrt(0.8 x 0.2/70 + 0.6 x 0.4/80).
func TestShareDifference(t *testing.T) {
	terms := scoreTerms(t, "0.01", `        measure: {score: {parts: [{name: share, results: [sustained_13w], share: true, weight: 100}]}}
        decision: {then: dropped, lowest: true}
`)
	var rows []row
	for i := range 150 {
		r := row{id: fmt.Sprint(i), provider: "best"}
		if i >= 70 {
			r.provider = "worst"
		}
		if i < 56 || i >= 70 && i < 118 {
			r.job = "2008-08-01"
		}
		rows = append(rows, r)
	}
	counted := settle(t, terms, bonus.Facts{Observations: observe(rows...)}).Decisions
	d := counted[1]
	require.Equal(t, "-20", d.Difference)
	require.InDelta(t, -33.39, d.Low, 0.005)
	require.InDelta(t, -5.24, d.High, 0.005)
	require.InDelta(t, 7.2702918, d.SE, 1e-6)

	// Handed in as shares of 70 and 80, they are as sure.
	terms = scoreTerms(t, "0.01", `        measure: {score: {parts: [{name: share, figure: job, share: true, weight: 100}]}}
        decision: {then: dropped, lowest: true}
`)
	figures := []bonus.Figure{{Name: "job", Provider: "best", Period: "2008", N: 70, Value: "0.8"}, {Name: "job", Provider: "worst", Period: "2008", N: 80, Value: "0.6"}}
	given := settle(t, terms, oneEach([]string{"best", "worst"}, figures...)).Decisions
	for i := range given {
		require.Equal(t, fmt.Sprint(counted[i].SE, counted[i].Low, counted[i].High, counted[i].State, counted[i].N), fmt.Sprint(given[i].SE, given[i].Low, given[i].High, given[i].State, given[i].N))
	}
	figures[0].Value = "80"
	_, err := bonus.Settle(t.Context(), []*bonus.Terms{terms}, oneEach([]string{"best", "worst"}, figures...))
	require.ErrorContains(t, err, "figure job is 80, which is no share")
	figures[0].N = -2
	_, err = bonus.Settle(t.Context(), []*bonus.Terms{terms}, oneEach([]string{"best", "worst"}, figures...))
	require.ErrorIs(t, err, bonus.ErrFacts)
}

// TestScoresAsAWhole: whatever providers are called and in whatever order they
// come, a pool and a budget-neutral exchange sum exactly, and other units of all
// scores change nothing in a pool.
func TestScoresAsAWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "providers")
		unit := rapid.SampledFrom([]string{"0.01", "1"}).Draw(t, "unit")
		var providers []string
		var figures, scaled []bonus.Figure
		some := false
		for i := range n {
			p := fmt.Sprintf("p%d", i)
			providers = append(providers, p)
			score := rapid.Int64Range(0, 1000).Draw(t, "score")
			some = some || score > 0
			base := bonus.Figure{Name: "base", Provider: p, Period: "2008", N: -1, Value: fmt.Sprint(rapid.Int64Range(1, 1_000_000).Draw(t, "base"))}
			points := bonus.Figure{Name: "points", Provider: p, Period: "2008", N: -1, Value: fmt.Sprint(score)}
			figures = append(figures, base, points)
			points.Value = fmt.Sprint(score * 7)
			scaled = append(scaled, base, points)
		}
		pool := scoreTerms(t, unit, fmt.Sprintf("        measure: {score: {parts: [{name: a, figure: points}]}}\n        schedule: {pool: {amount: %d}}\n", rapid.Int64Range(0, 10_000).Draw(t, "pool")))
		exchange := scoreTerms(t, unit, "        measure: {score: {parts: [{name: a, figure: points}]}}\n        schedule: {exchange: {base: base, withhold: 0.02, intercept: -1, slope: budget_neutral}}\n")
		for _, terms := range []*bonus.Terms{pool, exchange} {
			s := settle(t, terms, oneEach(providers, figures...))
			var total bonus.Ore
			for _, l := range s.Lines {
				total += l.Amount
				require.Equal(t, l.Amount == 0, l.Reason != "", l.Reason)
			}
			want := bonus.Ore(0)
			if p := terms.Versions[0].Clauses[0].Schedule.Pool; p != nil && some {
				want = p.Amount
			}
			require.Equal(t, want, total)
			mixed := oneEach(rapid.Permutation(providers).Draw(t, "order"), rapid.Permutation(figures).Draw(t, "figures")...)
			require.Equal(t, s.Lines, settle(t, terms, mixed).Lines)
			other := settle(t, terms, oneEach(providers, scaled...))
			for i, l := range other.Lines {
				require.Equal(t, s.Lines[i].Amount, l.Amount, "the shares are what they were")
			}
		}
	})
}

// TestWhatNobodyGave: a period that is not over has no score, a provider without
// cases or figures in it none either, and every missing figure is a fault.
func TestWhatNobodyGave(t *testing.T) {
	terms := scoreTerms(t, "0.01", `        measure:
          score:
            parts: [{name: a, figure: x, above: y, weight: w, scales: [{from: lo, to: hi, points: 1}]}]
            times: z
            divide: {by: v}
        schedule: {exchange: {base: base, slope: 1}}
`)
	facts := oneEach([]string{"north", "south"})
	_, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	var found *bonus.Faults
	require.ErrorAs(t, err, &found)
	require.Len(t, found.List, 2, "weight and value: without them the rest is not looked at")
	f := func(name, value string) bonus.Figure {
		return bonus.Figure{Name: name, Provider: "north", Period: "2008", N: -1, Value: value}
	}
	facts = oneEach([]string{"north"}, f("x", "1"), f("y", "0"), f("w", "2"), f("lo", "1"), f("hi", "3"))
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	require.ErrorContains(t, err, "score.divide.by: clause s needs v, which nobody has given: of provider north for 2008")
	facts.Figures = append(facts.Figures, f("v", "0"), f("z", "1"))
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	require.ErrorContains(t, err, "the score is divided by v, which is 0")
	facts.Figures[5].Value = "2"
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	require.ErrorContains(t, err, "schedule.exchange.base: clause s needs base, which nobody has given")

	facts.Observations.AsOf = day("2008-12-30")
	s := settle(t, terms, facts)
	require.Empty(t, s.Lines, "the year is not over")
	require.Empty(t, s.Cases, "a score of figures is about no case")
}

// Cases of two versions share one pool, which must then be of one size.
func TestPoolOfTwoVersions(t *testing.T) {
	text := func(second string) string {
		clause := "        measure: {reached: sustained_13w}\n        schedule: {pool: {amount: %s}}\n"
		return strings.Replace(scoreText("0.01", fmt.Sprintf(clause, "100")), "  - valid_from: 2008-01-01\n", "  - valid_from: 2008-01-01\n    valid_to: 2008-03-01\n", 1) +
			"  - valid_from: 2008-03-01\n    clauses:\n      - id: s\n        section: \"1\"\n        text: A score\n" + fmt.Sprintf(clause, second)
	}
	facts := bonus.Facts{Observations: observe(
		row{id: "1", job: "2008-06-01"}, row{id: "2", job: "2008-07-01", referral: "2008-04-01"}, row{id: "3", job: "2008-07-01", referral: "2008-04-01"},
	)}
	terms, err := bonus.ParseTerms("t.yaml", []byte(text("100")))
	require.NoError(t, err)
	lines := settle(t, terms, facts).Lines
	require.Len(t, lines, 2)
	require.EqualValues(t, []bonus.Ore{3333, 6667}, []bonus.Ore{lines[0].Amount, lines[1].Amount})
	terms, err = bonus.ParseTerms("t.yaml", []byte(text("99")))
	require.NoError(t, err)
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	require.ErrorContains(t, err, "clause s divides 100.00 in 2008 by the version from 2008-01-01 and 99.00 by that from 2008-03-01")
}

// A score of cases over months counts each case in every period that its day
// belongs to, and its entry in the first.
func TestScoresOverMonths(t *testing.T) {
	terms, err := bonus.ParseTerms("t.yaml", []byte(strings.Replace(scoreText("0.01", `        measure: {score: {cases: {by: start, months: 12}, parts: [{name: results, results: [sustained_13w]}], divide: {cases: 1}}}
        schedule: {unit_prices: [{amount: 100}]}
`), "periods: year", "periods: half_year", 1)))
	require.NoError(t, err)
	facts := bonus.Facts{Observations: observe(
		row{id: "1", job: "2008-07-15"}, row{id: "2"}, row{id: "3", job: "2008-12-31"}, row{id: "4"}, row{id: "5"},
	)}
	facts.Observations.Cases.Start = []effect.Date{day("2008-06-30"), day("2008-07-01"), day("2008-07-01"), day("2009-01-01"), effect.NoDate}
	s := settle(t, terms, facts)
	require.Len(t, s.Lines, 2)
	// By 30 June case 1 had started and not yet reached it; by 31 December 2 of 3 had.
	require.Equal(t, []string{"2008H1", "0", "2008H2", "2/3"}, []string{s.Lines[0].Period, s.Lines[0].Quantity, s.Lines[1].Period, s.Lines[1].Quantity})
	require.EqualValues(t, []int64{1, 3}, []int64{s.Lines[0].Cases, s.Lines[1].Cases})
	require.EqualValues(t, 6667, s.Lines[1].Amount)
	rules := map[string]string{}
	for _, c := range s.Cases {
		rules[c.Participation] = c.Rule + " " + c.Line
	}
	require.Equal(t, map[string]string{
		"1": "counted A-1/north/2008H1/s@2008-01-01", "2": "counted A-1/north/2008H2/s@2008-01-01", "3": "counted A-1/north/2008H2/s@2008-01-01",
		"4": "pending ", "5": "not_started ",
	}, rules)
}

// TestLuckOfTheImpossible: nobody lies further under the best than a share can, however
// far is written.
func TestLuckOfTheImpossible(t *testing.T) {
	for _, points := range []string{"1", "2.5", "9223372036854775807", "999999999999999999999"} {
		terms := scoreTerms(t, "0.01", "        measure: {score: {parts: [{name: share, results: [sustained_13w], share: true}]}}\n        decision: {then: dropped, under_best_by: {points: "+points+"}}\n")
		for _, d := range settle(t, terms, bonus.Facts{Observations: observe(row{id: "1", provider: "a", job: "2008-08-01"}, row{id: "2", provider: "b"})}).Decisions {
			require.Equal(t, bonus.DecisionNotMet, d.State)
			require.Zero(t, d.Chance)
		}
	}
}

// BenchmarkScores: a share and a decision about a million cases of twenty providers,
// four half-years.
func BenchmarkScores(b *testing.B) {
	const n = 1_000_000
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{id: fmt.Sprint(i), provider: fmt.Sprint("provider", i%20), referral: (day("2008-01-01") + effect.Date(i%700)).String(), job: (day("2008-03-01") + effect.Date(i%900)).String()}
	}
	facts := bonus.Facts{Observations: observe(rows...)}
	facts.Observations.AsOf = day("2009-12-31")
	text := strings.Replace(scoreText("0.01", "        measure: {score: {cases: {by: referral, months: 12}, parts: [{name: share, results: [sustained_13w], share: true}]}}\n        decision: {then: dropped, lowest: true, under_best_by: {points: 0.025}}\n"), "periods: year", "periods: half_year", 1)
	terms, err := bonus.ParseTerms("t.yaml", []byte(text))
	require.NoError(b, err)
	for b.Loop() {
		settle(b, terms, facts)
	}
}

// What a score and a pool do not go together with.
func TestScoresBesideOtherParts(t *testing.T) {
	const score = "        measure: {score: {parts: [{name: a, figure: points}]}}\n"
	const effects = "        measure: {effect: employed_26w, part: provider, method: balance}\n        gate: {require: {n: 30}}\n        negative: counts\n"
	for clause, says := range map[string]string{
		score + "        conditions: {indicators: {repeated_referral: 0.1}}\n        schedule: {pool: {amount: 5}}\n":                              "conditions.indicators: an indicator is counted in each municipality",
		score + "        conditions: {figures: [{figure: x, at_least: 1}]}\n        decision: {then: dropped, lowest: true}\n":                     "conditions.figures: figures keep a line from being paid, and a decision pays nothing",
		score + "        conditions: {latest: {by: 2009-01-01}}\n        schedule: {pool: {amount: 5}}\n":                                          "latest is about single cases",
		effects + "        schedule: {pool: {amount: 5}}\n":                                                                                        "what is under 0 has no part in a pool",
		effects + "        schedule: {threshold: {at_least: 5}, unit_prices: [{amount: 5}]}\n":                                                     "under a threshold nothing counts, so that nothing negative can",
		"        measure: {reached: sustained_13w}\n        clawback: {section: '1', reached: back}\n        schedule: {pool: {amount: 5}}\n":      "a pool has neither clawback nor negative",
		"        measure: {effect: employed_26w}\n        gate: {require: {n: 30}}\n        decision: {then: dropped, lowest: true}\n":             "a decision is about a score",
		score + "        schedule: {exchange: {base: 5.555, slope: 1}}\n":                                                                          "not an amount such as 5000.00",
		score + "        schedule: {exchange: {base: base, slope: neutral}}\n":                                                                     "neither a plain decimal number such as 2.5 nor budget_neutral",
		"        measure: {score: {parts: [{name: a, figure: points, above: '0,5'}]}}\n        schedule: {pool: {amount: 5}}\n":                    "neither a plain decimal number such as 0.95 nor the name of a figure",
		"        measure: {score: {parts: [{name: a, figure: points}]}, reached: sustained_13w}\n        schedule: {unit_prices: [{amount: 5}]}\n": "give one of referred",
	} {
		_, err := bonus.ParseTerms("t.yaml", []byte(scoreText("0.01", clause)))
		require.ErrorContains(t, err, says, clause)
	}
}

// A figure outside its limits keeps a score from being paid, and from sharing in a
// pool; one that nobody knows does too.
func TestScoresOfProvidersThatFail(t *testing.T) {
	terms := scoreTerms(t, "0.01", `        measure: {score: {parts: [{name: a, figure: points}]}}
        conditions: {figures: [{figure: response_rate, at_least: 0.5}]}
        schedule: {pool: {amount: 100}}
`)
	f := func(name, provider, value string) bonus.Figure {
		return bonus.Figure{Name: name, Provider: provider, Period: "2008", N: -1, Value: value}
	}
	lines := settle(t, terms, oneEach([]string{"a", "b", "c"}, f("points", "a", "1"), f("points", "b", "1"), f("points", "c", "1"),
		f("response_rate", "a", "0.5"), f("response_rate", "b", "0.49"))).Lines
	require.EqualValues(t, []bonus.Ore{10000, 0, 0}, []bonus.Ore{lines[0].Amount, lines[1].Amount, lines[2].Amount})
	require.Equal(t, []string{"figure:response_rate", "figure_missing:response_rate"}, []string{lines[1].Reason, lines[2].Reason})
}
