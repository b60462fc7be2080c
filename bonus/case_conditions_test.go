package bonus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

func conditions(text string) people { return people{clause: "        conditions: {" + text + "}"} }

func TestLatestDay(t *testing.T) {
	observed := stays(
		stay{id: "1", referral: "2008-02-29", job: "2008-08-29"}, // six months after, to the day
		stay{id: "2", referral: "2008-02-28", job: "2008-08-29"},
		stay{id: "3", referral: "2008-06-01", job: "2008-10-01"},
		stay{id: "4", referral: "2008-06-01", job: "2008-10-02"},
		stay{id: "5", referral: "2008-06-01"},
	)
	observed.Results[0].Status[4] = effect.Pending
	s := settle(t, conditions("latest: {by: 2008-10-01, within: 6 months}").read(t), bonus.Facts{Observations: observed})
	require.Equal(t, map[string]string{"1": "counted", "2": "too_late", "3": "counted", "4": "too_late", "5": "too_late"}, rules(s, "job"), "what is open still can no longer count")
	s = settle(t, conditions("latest: {by: 2010-10-01}").read(t), bonus.Facts{Observations: observed})
	require.Equal(t, map[string]string{"1": "counted", "2": "counted", "3": "counted", "4": "counted", "5": "pending"}, rules(s, "job"))
	text, err := settle(t, conditions("latest: {within: 2 months}").read(t), bonus.Facts{Observations: observed}).ExplainCase("1")
	require.NoError(t, err)
	require.Contains(t, text.String(), "it would have counted had it come by then (too_late)")
}

// A provider answers for weeks 14 to 51: days 91 to 356 after the referral.
func TestWeeksByDuration(t *testing.T) {
	after := func(days int) string { return (day("2008-02-01") + effect.Date(days)).String() }
	observed := stays(
		stay{id: "1", job: after(90)}, stay{id: "2", job: after(91)}, stay{id: "3", job: after(356)}, stay{id: "4", job: after(357)},
		stay{id: "5", person: "p", job: after(100)}, stay{id: "6", person: "p", provider: "south", referral: after(50), job: after(141)},
	)
	s := settle(t, conditions("weeks: {from: 14, to: 51, since: referral}").read(t), bonus.Facts{Observations: observed})
	require.Equal(t, map[string]string{"1": "outside_weeks", "2": "counted", "3": "counted", "4": "outside_weeks", "5": "counted", "6": "already_paid"}, rules(s, "job"))
	s = settle(t, conditions("weeks: {from: 20, since: first_referral}").read(t), bonus.Facts{Observations: observed})
	require.Equal(t, "outside_weeks", rules(s, "job")["5"])
	require.Equal(t, "counted", rules(s, "job")["6"], "week 21 of the citizen's first referral, week 14 of its own")
	// Who does not answer for the week is not credited either.
	last := conditions("weeks: {from: 14, to: 51, since: referral}")
	last.terms = `attribution: {section: "7", credit: last}`
	s = settle(t, last.read(t), bonus.Facts{Observations: observed})
	require.Equal(t, "counted", rules(s, "job")["5"], "on day 100, week 8 of the second provider")
}

func TestEvidence(t *testing.T) {
	observed := stays(
		stay{id: "1", job: "2009-06-30"}, stay{id: "2", job: "2009-06-30"}, stay{id: "3", job: "2009-06-30"},
		stay{id: "4", job: "2009-10-01"}, stay{id: "5", job: "2009-09-30"}, stay{id: "6"},
	)
	proof := func(id, kind, on string) bonus.Evidence {
		return bonus.Evidence{Participation: effect.TextID(id), Kind: kind, On: day(on)}
	}
	s := settle(t, conditions("evidence: {kind: payslip, within: 3 months}").read(t), bonus.Facts{Observations: observed, Evidence: []bonus.Evidence{
		proof("1", "payslip", "2009-12-01"), proof("1", "payslip", "2009-09-30"), // the last day; a later one does no harm
		proof("2", "payslip", "2009-10-01"), // a day late
		proof("3", "contract", "2009-07-01"),
		proof("4", "payslip", "2010-01-01"), // after as_of, and still in time
		proof("6", "payslip", "2009-07-01"), // of nothing
	}})
	require.Equal(t, map[string]string{
		"1": "counted", "2": "evidence_missing", "3": "evidence_missing", "4": "evidence_pending", "5": "evidence_missing", "6": "not_reached",
	}, rules(s, "job"))
}

func TestUnless(t *testing.T) {
	p := conditions("unless: [half]")
	p.more = half
	s := settle(t, p.read(t), bonus.Facts{Observations: stays(
		stay{id: "1", job: "2008-06-01"}, stay{id: "2", job: "2008-06-01", half: "2009-06-01"}, stay{id: "3", half: "2008-06-01"},
		stay{id: "4", person: "p", job: "2008-06-01"}, stay{id: "5", person: "p", half: "2008-06-01"},
	)})
	require.Equal(t, map[string]string{"1": "counted", "2": "counts_in:half", "3": "not_reached", "4": "counts_in:half", "5": "not_reached"}, rules(s, "job"))
	require.Equal(t, []string{"A-1 half north: case 2 on 2009-06-01 x 1", "A-1 half north: case 3 on 2008-06-01 x 1", "A-1 half north: case 5 on 2008-06-01 x 1", "A-1 job north: case 1 on 2008-06-01 x 1"}, entered(s))
}

func figure(name, provider, period string, n int64, value string) bonus.Figure {
	return bonus.Figure{Name: name, Provider: provider, Period: period, N: n, Value: value}
}

func TestFiguresOfProviders(t *testing.T) {
	observed := stays(stay{id: "1", job: "2008-03-01"}, stay{id: "2", job: "2008-08-01"}, stay{id: "3", provider: "south", job: "2008-08-01"})
	for _, c := range []struct {
		condition string
		figures   []bonus.Figure
		want      map[string]string
	}{
		{"{figure: satisfaction, at_least: 3.5}", nil, map[string]string{"1": "figure_missing:satisfaction", "2": "figure_missing:satisfaction", "3": "figure_missing:satisfaction"}},
		{
			"{figure: satisfaction, at_least: 3.5, min_n: 20}",
			[]bonus.Figure{figure("satisfaction", "north", "2008H1", 20, "3.5"), figure("satisfaction", "north", "2008H2", 50, "3.499"), figure("satisfaction", "south", "2008H2", 19, "5")},
			map[string]string{"1": "counted", "2": "figure:satisfaction", "3": "figure_missing:satisfaction"},
		},
		{
			"{figure: satisfaction, at_least: 3, consecutive: 2}",
			[]bonus.Figure{figure("satisfaction", "north", "2007H2", -1, "3"), figure("satisfaction", "north", "2008H1", -1, "4"), figure("satisfaction", "north", "2008H2", -1, "2"), figure("satisfaction", "south", "2008H2", -1, "4")},
			map[string]string{"1": "counted", "2": "figure:satisfaction", "3": "figure_missing:satisfaction"},
		},
		{
			// The latest inspection by the end of the settlement period; a grade that is no
			// number is none.
			"{figure: inspection, at_most: 2, latest: true}, {figure: response_rate, at_least: 0.5, latest: true}",
			[]bonus.Figure{
				figure("inspection", "north", "2008-06-30", -1, "2"), figure("inspection", "north", "2008-07-01", -1, "3"), figure("inspection", "south", "2008-01-15", -1, ""),
				figure("response_rate", "north", "2007", 40, "0.5"), figure("response_rate", "south", "2008", 40, "0.5"),
			},
			map[string]string{"1": "counted", "2": "figure:inspection", "3": "figure_missing:inspection"},
		},
	} {
		s := settle(t, conditions("figures: ["+c.condition+"]").read(t), bonus.Facts{Observations: observed, Figures: c.figures})
		require.Equal(t, c.want, rules(s, "job"), c.condition)
	}
}

func TestFiguresKeepEffectsFromPaying(t *testing.T) {
	terms := readTerms(t, "conditions: {job_oriented: true}", "conditions: {job_oriented: true, figures: [{figure: satisfaction, at_least: 3.5}, {figure: response_rate, at_least: 0.4}]}")
	b := measured(nil)
	facts := bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	const line = "A-1/north/2008H2/effect@2008-01-01/match5_2004/1/(all)/Byen "
	require.Equal(t, []string{line + "200 x 0 = 0.00 figure_missing:satisfaction,response_rate"}, paid(settle(t, terms, facts)))
	facts.Figures = []bonus.Figure{figure("satisfaction", "north", "2008H2", 30, "3.4")}
	s := settle(t, terms, facts)
	require.Equal(t, []string{line + "200 x 0 = 0.00 figure_missing:response_rate; figure:satisfaction"}, paid(s))
	require.True(t, s.Lines[0].Gated())
	facts.Figures = []bonus.Figure{figure("satisfaction", "north", "2008H2", 30, "3.5"), figure("response_rate", "north", "2008H2", 30, "0.4")}
	require.Equal(t, []string{line + "200 x 3.397530864 = 67950.62"}, paid(settle(t, terms, facts)))
}
