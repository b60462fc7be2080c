package effecttest_test

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// The same worlds as in TestCoverage, by balance on a ladder. With the terms of
// the persons alone the provider's part, which needs no more, shows whether the
// error of the two steps is right.
func TestBalanceCoverage(t *testing.T) {
	worlds, slack, peers := 40, 0.11, []int{8}
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		worlds, slack, peers = 1000, 0.05, []int{4, 8, 15}
	}
	method := balance.Default("age", "sex", "education", "origin", "weeks_employed_52", "weeks_on_sickness_benefit_52")
	method.Also = []effect.Term{effect.Squares, effect.Zeros}
	// Outcomes in these worlds follow classes of age and of work before referral, as
	// they do in life: means and squares of numbers alone leave a bias of 0.003.
	age := effect.Class{Covariate: "age", Cuts: []float64{30, 50}}
	work := effect.Class{Covariate: "weeks_employed_52", Cuts: []float64{0.1, 13}}
	method.Ladder = [][]effect.Class{{age, work}, {work}}
	for _, k := range peers {
		covered, n, rungs := map[effect.Part]int{}, map[effect.Part]int{}, map[string]int{}
		var bias, squares, ses, total float64
		for seed := range worlds {
			o := world.Default()
			o.Seed, o.Municipalities, o.Persons, o.FocalShare = uint64(seed+1), k+1, 250*(k+2), 0.25
			o.MatchGroups, o.ProvidersPerMunicipality = []string{"4"}, 2
			o.ProviderSD, o.MunicipalitySD = 0, 0.3
			obs := effecttest.FromWorld(t, o).Observe(t, effecttest.Study())
			design := effect.DefaultDesign()
			design.Peers = map[string][]string{"751": nil}
			for _, m := range obs.Cases.Municipality.Levels {
				if m != "751" {
					design.Peers["751"] = append(design.Peers["751"], m)
				}
			}
			rows, err := effect.Estimates(context.Background(), obs, design, []effect.Method{method})
			require.NoError(t, err)
			for _, e := range rows {
				if e.Provider == "L751-1" && e.Outcome == world.Employed26 && e.Comparators == effect.Peers && e.Support == effect.SupportOwn {
					rungs[e.Rung]++
				}
			}
			for _, b := range effect.Benchmark(rows) {
				if b.Provider != "L751-1" || b.Outcome != world.Employed26 || b.Part == effect.Municipality || b.Refusal != "" {
					continue
				}
				n[b.Part]++
				if b.Low <= 0 && 0 <= b.High {
					covered[b.Part]++
				}
				if b.Part == effect.Total {
					total += b.Difference
				}
				if b.Part == effect.Provider {
					bias += b.Difference
					squares += b.Difference * b.Difference
					ses += b.SE
				}
			}
		}
		share := func(p effect.Part) float64 { return float64(covered[p]) / float64(n[p]) }
		m := float64(n[effect.Provider])
		t.Logf("k = %d, %d and %d of %d worlds: total %.3f (mean %.4f), provider part %.3f (mean %.4f, spread %.4f, mean standard error %.4f), rungs %v",
			k, n[effect.Total], n[effect.Provider], worlds, share(effect.Total), total/float64(n[effect.Total]), share(effect.Provider), bias/m, math.Sqrt(squares/m), ses/m, rungs)
		assert.Greater(t, m, 0.8*float64(worlds), "balance refuses too often")
		assert.InDelta(t, 0.95, share(effect.Total), slack)
		assert.InDelta(t, 0.95, share(effect.Provider), slack)
		assert.InDelta(t, 0, bias/m, 3*math.Sqrt(squares)/m)
	}
}
