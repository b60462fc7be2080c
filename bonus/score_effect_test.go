package bonus_test

import (
	"context"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

const effectScore = `        measure:
          score:
            missing: not_rated
            parts:
              - {name: effect, effect: employed_26w, part: provider, method: regression, weight: 100}
              - {name: ratio, ratio: employed_26w, part: provider, method: regression}
        pay_on: point
        gate: {require: {n: 30}}
        schedule: {unit_prices: [{amount: 1}]}
`

// twoCells are facts of a provider in two match groups: 200 and 100 cases with
// differences 0.0625 of 0.4375 and 0.25 of 0.5, over 160 and 40 cases with
// comparators.
func twoCells(edit func(b *effect.BenchmarkRow)) bonus.Facts {
	rows := cell200(nil)
	for i := range 100 {
		rows = append(rows, row{id: "b" + string(rune('a'+i/26)) + string(rune('a'+i%26)), group: "4", complete: true})
	}
	other := measured(func(b *effect.BenchmarkRow) {
		b.MatchGroup, b.N, b.NCompared, b.Expected, b.Difference = "4", 100, 40, 0.5, 0.25
		if edit != nil {
			edit(b)
		}
	})
	f := bonus.Facts{Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{measured(nil), other}}
	f.Diagnostics = append(diagnosed(f.Benchmark[0], nil), diagnosed(other, nil)...)
	return f
}

// An effect in a score is over all cells of the provider:
//
//	effect = (160 x 0.0625 + 40 x 0.25)/200 = 0.1
//	ratio  = (160 x 0.5 + 40 x 0.75)/(160 x 0.4375 + 40 x 0.5) = 110/90
func TestEffectsInAScore(t *testing.T) {
	terms := scoreTerms(t, "0.01", effectScore)
	s := settle(t, terms, twoCells(nil))
	require.Len(t, s.Lines, 1)
	require.Equal(t, rat(t, "101/9"), rat(t, s.Lines[0].Quantity)) // 100 x 0.1 + 11/9
	require.EqualValues(t, 1122, s.Lines[0].Amount)
	require.Len(t, s.Gate, 4, "the gate of each cell, for each part")
	require.Empty(t, s.Lines[0].Reason)

	s = settle(t, terms, twoCells(func(b *effect.BenchmarkRow) { b.Refusal, b.Verdict = "few_comparators", effect.NotRated }))
	require.Equal(t, bonus.ReasonNotRated, s.Lines[0].Reason)
	require.Zero(t, s.Lines[0].Amount)

	shut := twoCells(nil)
	for i := range shut.Diagnostics {
		if d := &shut.Diagnostics[i]; d.MatchGroup == "4" && d.Name == effect.DiagN {
			d.Value = 29
		}
	}
	s = settle(t, terms, shut)
	require.Equal(t, "gate:n", s.Lines[0].Reason)
	require.Zero(t, s.Lines[0].Amount)
	require.True(t, s.Lines[0].Gated())
}

func TestEffectsInAScoreThatNobodyComputed(t *testing.T) {
	terms := scoreTerms(t, "0.01", effectScore)
	fails := func(f bonus.Facts, says string) {
		t.Helper()
		_, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, f)
		require.ErrorContains(t, err, says)
	}
	f := twoCells(nil)
	f.Benchmark = f.Benchmark[:1]
	fails(f, "parts[0]: clause s needs the provider part of the effect on employed_26w by regression in Byen, match5_2004 4, which nobody has given: of provider north for 2008")
	fails(twoCells(func(b *effect.BenchmarkRow) { b.N = 99 }), "is about 99 cases, but 100 have a complete window")

	// An effect is told as of a day, so that only the period which ends then has one.
	f = twoCells(nil)
	f.Observations.AsOf++
	require.Empty(t, settle(t, terms, f).Lines)
}

// Known says before anything is computed what a score's effects need.
func TestCheckScores(t *testing.T) {
	terms := scoreTerms(t, "0.01", effectScore)
	k := bonus.Known{Outcomes: map[string]effect.Unit{"employed_26w": effect.UnitShare}, Methods: []string{"balance"}}
	require.ErrorContains(t, terms.Check(k), `measure.score.parts[0].method: clause s pays on the method "regression", by which nothing is estimated`)
	k.Methods = []string{"regression"}
	require.NoError(t, terms.Check(k))
	k.Outcomes = nil
	require.ErrorContains(t, terms.Check(k), `measure.score.parts[0].effect: clause s needs the outcome "employed_26w"`)
}

// Terms with several versions decide by period: a score has cases of many days.
func TestVersionsOfScores(t *testing.T) {
	_, err := bonus.ParseTerms("t.yaml", []byte(scoreText("0.01", effectScore)+"  - valid_from: 2009-01-01\n    clauses:\n      - {id: x, section: '1', text: x, measure: {started: true}, schedule: {unit_prices: [{amount: 1}]}}\n"))
	require.ErrorContains(t, err, "with more than one version, terms with a score need applies_by: period")
}

func TestExplainDecision(t *testing.T) {
	terms := scoreTerms(t, "0.01", `        measure: {score: {parts: [{name: In work, results: [sustained_13w], share: true, weight: 100}]}}
        decision: {then: dropped, lowest: true, under_best_by: {points: 2.5}}
`)
	var rows []row
	for i := range 40 {
		r := row{id: string(rune('a'+i/26)) + string(rune('a'+i%26)), provider: []string{"north", "south"}[i%2]}
		if i%3 == 0 || i%2 == 0 {
			r.job = "2008-08-01"
		}
		rows = append(rows, r)
	}
	s := settle(t, terms, bonus.Facts{Observations: observe(rows...)})
	e, err := s.Explain("A-1/south/2008/s@2008-01-01")
	require.NoError(t, err)
	golden(t, "testdata/explain_decision.txt", e.String())
}
