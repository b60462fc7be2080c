package watch_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

func TestDebug(t *testing.T) {
	o := world.Demo()
	o.Selection = 0.5
	o.Persons = 20000
	d := effecttest.FromWorld(t, o)
	obs := d.Observe(t, effecttest.Study())
	design := watch.Default()
	design.Kin = effect.Kinship(d.Members)
	design.Peers = map[string][]string{"751": {"461", "851", "730", "561", "630", "621"}}
	c, err := watch.Creaming(context.Background(), obs, design, world.Employed26, []string{"age", "education", "origin", "sex", "weeks_employed_52", "weeks_on_sickness_benefit_52"})
	require.NoError(t, err)
	for _, r := range c.Creaming {
		if r.Municipality == "751" {
			t.Logf("%s %s %s n=%d %.4f v %.4f d=%.4f [%.4f %.4f] std %.3f since %.4f [%.4f %.4f] %s %d %s", r.MatchGroup, r.Provider, r.Stage, r.N, r.Chance, r.ChanceAgainst, r.Difference, r.Low, r.High, r.Standard, r.Since, r.SinceLow, r.SinceHigh, r.FittedOn, r.NFitted, r.Refusal)
		}
	}
	for _, r := range c.Parking {
		if r.Municipality == "751" {
			t.Logf("%+v", r)
		}
	}
	for _, r := range c.Deciles {
		if r.Municipality == "751" && r.Provider == "L751-2" {
			t.Logf("%+v", r)
		}
	}
	_, _, _ = math.Pi, slices.Max[[]int], assert.Equal
}
