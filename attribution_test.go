package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// attributed is the job with terms that have the key attribution, without the clause
// on an effect unless it is asked for.
func attributed(t *testing.T, take, attribution string, effects bool) *jobeffekt.Config {
	c := job(t, "take: first", take, "most: 400000}]", "most: 400000}, {section: \"10\", per: provider, over: period, least: 0, carry_forward: true}]")
	name := filepath.Join(filepath.Dir(c.ResultsFolder()), "terms.yaml")
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	text := strings.Replace(string(b), "versions:\n", attribution+"versions:\n", 1)
	if from, to := strings.Index(text, "      - id: effect"), strings.Index(text, "    limits:"); !effects {
		text = text[:from] + text[to:]
	}
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return c
}

// Whom terms credit and which participations the cohort takes are held against each
// other before anything is computed.
func TestCohortAndAttribution(t *testing.T) {
	const first, last = "attribution: {section: \"7\", credit: first}\n", "attribution: {section: \"7\", credit: last}\n"
	for _, c := range []struct {
		take, attribution string
		effects           bool
		want              string
	}{
		{"take: first", "", true, ""},
		{"take: first", first, true, ""},
		{"take: each", last, false, ""},
		{"take: each", first, false, ""},
		{"take: first", last, false, "credits last of a citizen's providers, which needs every case: say take: each"},
		{"take: each", "", false, "says nothing of attribution, and then only a citizen's first participation is paid on"},
		{"take: each", first, true, "pays on effects, which are those of citizens' first participations"},
		{"take: each", last, true, "credit: last needs every case: put the clause in terms of its own"},
	} {
		err := jobeffekt.Check(context.Background(), attributed(t, c.take, c.attribution, c.effects))
		if c.want == "" {
			require.NoError(t, err, c)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
	b, err := os.ReadFile(filepath.Join(demo, "jobeffekt.yaml"))
	require.NoError(t, err)
	_, err = jobeffekt.ParseConfig("jobeffekt.yaml", []byte(strings.Replace(string(b), "take: first", "take: last", 1)))
	require.ErrorContains(t, err, "a citizen's last participation is never paid on")
}

// A job whose cohort takes each participation settles, and what it wrote reads back.
func TestRunWithAttribution(t *testing.T) {
	t.Parallel()
	c := attributed(t, "take: each", "attribution: {section: \"7\", credit: last}\n", false)
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	s, err := jobeffekt.ReadSettlement(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	require.NotNil(t, s.Carried)
	require.Empty(t, s.Carried)
	require.NotEmpty(t, s.Lines)
	n := map[string]int{}
	for _, row := range s.Cases {
		n[row.Rule]++
	}
	require.Zero(t, n[bonus.RuleExcluded+":"+effect.ReasonNotFirst.String()])
	require.Positive(t, n[bonus.RuleCounted])
}
