package jobeffekt_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

// What the run file says of confidence, outcomes and the placebo is held against
// the terms before anything is read.
func TestRunFileAgainstTerms(t *testing.T) {
	const confidence = "let compare.confidence be 0.95"
	for _, test := range []struct {
		change func(*jobeffekt.Config)
		want   string
	}{
		{func(*jobeffekt.Config) {}, ""},
		{func(c *jobeffekt.Config) { c.Compare.Confidence = 0.95 }, ""},
		{func(c *jobeffekt.Config) { c.Compare.Confidence = 0.5 }, confidence},
		{func(c *jobeffekt.Config) { c.Compare.Confidence = 0.99 }, confidence},
		{func(c *jobeffekt.Config) { c.History = &jobeffekt.History{Placebo: new(1)} }, "is about 26 weeks before referral, and the run file has 1: let history.placebo be 26"},
		{func(c *jobeffekt.Config) { c.History = &jobeffekt.History{Placebo: new(0)} }, "and the run file has 0"},
		{func(c *jobeffekt.Config) { outcome(t, c, "employed_26w").Better = "low" }, "less is better in the run file: say better: low"},
		{func(c *jobeffekt.Config) {
			a := outcome(t, c, "sustained_13w")
			after := effect.Span{}
			require.NoError(t, after.UnmarshalText([]byte("26 weeks")))
			a.Kind, a.Back, a.After = jobeffekt.KindRelapse, []effect.State{effect.CashBenefit}, &after
		}, `pays on the outcome "sustained_13w", which is for description only`},
	} {
		c := job(t)
		test.change(c)
		err := jobeffekt.Check(context.Background(), c)
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, test.want)
	}
}

func outcome(t *testing.T, c *jobeffekt.Config, name string) *jobeffekt.Asked {
	t.Helper()
	for i := range c.Outcomes {
		if c.Outcomes[i].Name == name {
			return &c.Outcomes[i]
		}
	}
	require.Fail(t, "no such outcome", name)
	return nil
}
