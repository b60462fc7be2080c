package bonus_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
)

func indicator(provider string, name watch.Indicator, count, n int64) watch.Row {
	return watch.Row{Indicator: name, Who: watch.Who{Municipality: "Byen", Provider: provider}, N: n, Count: count}
}

func TestIndicatorsKeepFromPaying(t *testing.T) {
	const condition = "conditions: {job_oriented: true}"
	terms := readTerms(t, condition, "conditions: {job_oriented: true, indicators: {repeated_referral: 0.1, redated: 0.05}}")
	observed := observe(
		row{id: "1", job: "2008-06-01"}, row{id: "2", job: "2008-06-01", provider: "south"},
		row{id: "3", job: "2008-06-01", provider: "south", pkg: "P3"}, row{id: "4", provider: "south"},
	)
	group := indicator("south", watch.RepeatedReferral, 0, 10) // of one match group: not what is asked
	group.MatchScheme, group.MatchGroup = "match5_2004", "1"
	quiet := indicator("north", watch.Redated, 0, 0)
	unknown := indicator("south", watch.Redated, 0, 0)
	unknown.NotEvaluated = watch.NoStarts
	for _, c := range []struct {
		rows         []watch.Row
		north, south string
	}{
		{
			[]watch.Row{
				indicator("north", watch.RepeatedReferral, 1, 10), quiet, // at the limit; looked for, and nothing there
				group, indicator("south", watch.RepeatedReferral, 2, 10), indicator("south", watch.Redated, 5, 100),
			},
			bonus.RuleCounted, "indicator:repeated_referral",
		},
		{
			[]watch.Row{quiet, indicator("south", watch.RepeatedReferral, 0, 10), unknown},
			"indicator:repeated_referral", "indicator:redated", // nobody counted it; it could not be counted
		},
		{nil, "indicator:redated,repeated_referral", "indicator:redated,repeated_referral"},
	} {
		s := settle(t, terms, bonus.Facts{Observations: observed, Indicators: c.rows})
		rules := map[string]string{}
		for _, l := range s.Cases {
			if l.Clause == "sustained-job" {
				rules[l.Participation] = l.Rule
			}
		}
		require.Equal(t, map[string]string{"1": c.north, "2": c.south, "3": bonus.RulePackageNotEligible, "4": bonus.RuleNotReached}, rules)
		text, err := s.ExplainCase("2")
		require.NoError(t, err)
		require.Contains(t, text.String(), "indicator of gaming")
	}
	for edit, want := range map[string]string{
		"conditions: {indicators: {redated: 1.5}}": "no limit of a share",
		"conditions: {indicators: {redate: 0.5}}":  "redated",
	} {
		src, err := os.ReadFile("testdata/terms.yaml")
		require.NoError(t, err)
		_, err = bonus.ParseTerms("terms.yaml", []byte(strings.ReplaceAll(string(src), condition, edit)))
		require.ErrorContains(t, err, want)
	}
}

func TestIndicatorsKeepEffectsFromPaying(t *testing.T) {
	terms := readTerms(t, "conditions: {job_oriented: true}", "conditions: {job_oriented: true, indicators: {bunching_13w: 0.5}}")
	b := measured(nil)
	facts := bonus.Facts{Observations: observe(cell200(func(int, *row) {})...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	const line = "A-1/north/2008H2/effect@2008-01-01/match5_2004/1/(all)/Byen "
	// As in TestEffect: 67950.62 kr. where nothing keeps it from being paid.
	facts.Indicators = []watch.Row{indicator("north", watch.Bunching13, 5, 10)}
	require.Equal(t, []string{line + "200 x 3.397530864 = 67950.62"}, paid(settle(t, terms, facts)))
	facts.Indicators = []watch.Row{indicator("north", watch.Bunching13, 6, 10)}
	s := settle(t, terms, facts)
	require.Equal(t, []string{line + "200 x 0 = 0.00 indicator:bunching_13w"}, paid(s))
	require.True(t, s.Lines[0].Stopped(bonus.ReasonIndicator))
	facts.Indicators = nil
	require.Equal(t, []string{line + "200 x 0 = 0.00 indicator:bunching_13w"}, paid(settle(t, terms, facts)))
	facts.Diagnostics = nil
	require.Contains(t, paid(settle(t, terms, facts))[0], "; indicator:bunching_13w", "after what else keeps it")
}
