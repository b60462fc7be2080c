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
		terms := scoreTerms(t, "ore", fmt.Sprintf("        measure: {score: %s}\n        schedule: {unit_prices: [{amount: 1}]}\n", x.Score))
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
				k, err := strconv.Atoi(obs.Cases.ID[i].String())
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
		terms := scoreTerms(t, "ore", fmt.Sprintf(`        measure: {score: {parts: [{name: share, results: [sustained_13w], share: true}]}}
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
	terms := scoreTerms(t, "ore", `        measure: {score: {parts: [{name: share, results: [sustained_13w], share: true, weight: 100}]}}
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
	d := settle(t, terms, bonus.Facts{Observations: observe(rows...)}).Decisions[1]
	require.Equal(t, "-20", d.Difference)
	require.InDelta(t, -33.39, d.Low, 0.005)
	require.InDelta(t, -5.24, d.High, 0.005)
	require.InDelta(t, 7.2702918, d.SE, 1e-6)
}

// TestScoresAsAWhole: whatever providers are called and in whatever order they
// come, a pool and a budget-neutral exchange sum exactly, and other units of all
// scores change nothing in a pool.
func TestScoresAsAWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "providers")
		unit := rapid.SampledFrom([]string{"ore", "krone"}).Draw(t, "unit")
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
	terms := scoreTerms(t, "ore", `        measure:
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
	facts = oneEach([]string{"north"}, f("x", "1"), f("y", "0"), f("w", "2"), f("lo", "1"), f("hi", "1"))
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	require.ErrorContains(t, err, "lo and hi are both 1")
	facts.Figures[4].Value = "3"
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
