package bonus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
)

// What would have made a case count is told with the dates and figures that matter.
func TestWhyOfPeople(t *testing.T) {
	june := stay{id: "1", referral: "2008-02-01", job: "2008-06-01"}
	withHalf := conditions("unless: [half]")
	withHalf.more = half
	attribution := func(key string) people { return people{terms: `attribution: {section: "7", ` + key + "}"} }
	for _, c := range []struct {
		terms people
		list  []stay
		facts bonus.Facts
		want  string
	}{
		{conditions("latest: {within: 3 months}"), []stay{june}, bonus.Facts{}, "it counts on 2008-06-01; for a referral on 2008-02-01 the last day on which it counts is 2008-05-01"},
		{conditions("weeks: {from: 20, to: 51, since: referral}"), []stay{june}, bonus.Facts{}, "referred on 2008-02-01; it counts from 2008-06-13 to 2009-01-22, in weeks 20 to 51"},
		{conditions("weeks: {from: 30, since: first_referral}"), []stay{june}, bonus.Facts{}, "first referred on 2008-02-01; it counts from 2008-08-22 on, in week 30"},
		{conditions("evidence: {kind: payslip, within: 2 months}"), []stay{june}, bonus.Facts{}, "a document of kind payslip had to be received by 2008-08-01; none was by 2009-12-31"},
		{conditions("evidence: {kind: payslip, within: 2 years}"), []stay{june}, bonus.Facts{}, "a document of kind payslip has to be received by 2010-06-01"},
		{withHalf, []stay{{id: "1", job: "2008-06-01", half: "2008-07-01"}}, bonus.Facts{}, "the citizen counts in clause half; who counts there"},
		{
			conditions("figures: [{figure: satisfaction, at_least: 3.5, min_n: 20, consecutive: 2}, {figure: inspection, at_most: 2, latest: true}]"),
			[]stay{june},
			bonus.Facts{Figures: []bonus.Figure{figure("satisfaction", "north", "2008H1", 25, "3.4"), figure("inspection", "north", "2008-05-01", -1, "2")}},
			"the provider's satisfaction for 2008H1 is 3.4 (of 25), and must be at least 3.5, of 20 or more, 2 times in a row",
		},
		{attribution("credit: last"), []stay{{id: "1", person: "p", job: "2008-06-01"}, {id: "2", person: "p", provider: "south", referral: "2008-03-01"}}, bonus.Facts{}, "credited is the case of the citizen that was referred last, up to the day"},
		{attribution("credit: role, role: authority"), []stay{june}, bonus.Facts{}, "credited is the case with the role authority, and none of the citizen's"},
		{limited(`{section: "9", per: provider, over: agreement, of: cases, most: 1}`), []stay{june, {id: "0", job: "2008-05-01"}}, bonus.Facts{}, "a limit was used up by what came before it"},
		{
			func() people { p := attribution("credit: first, payments: per_agreement"); p.more = half; return p }(),
			[]stay{{id: "1", job: "2008-06-01", half: "2008-05-01"}},
			bonus.Facts{},
			"something else of the citizen came first",
		},
	} {
		c.facts.Observations = stays(c.list...)
		terms := c.terms.read(t)
		s := settle(t, terms, c.facts)
		e, err := s.ExplainCase("1")
		require.NoError(t, err)
		text := bonus.NewReasons([]*bonus.Terms{terms}, c.facts).Why(e).String()
		require.Contains(t, text, c.want)
		require.NotContains(t, text, "south", "nobody else's provider is named")
	}
}
