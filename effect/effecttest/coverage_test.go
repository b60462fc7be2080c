package effecttest_test

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// In worlds whose municipalities differ and whose providers add nothing, the
// intervals of the total and of the provider's part cover 0 about as often as
// they say. The short version tells a broken interval from a sound one. With
// JOBEFFEKT_FULL=1 the coverage is told to about 0.01. The worlds' municipalities
// differ much and react differently to the same effect.
func TestCoverage(t *testing.T) {
	worlds, slack, peers := 40, 0.11, []int{8}
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		worlds, slack, peers = 1000, 0.05, []int{4, 8, 15}
	}
	method := strata.Default(
		effect.Class{Covariate: "age", Cuts: []float64{30, 50}},
		effect.Class{Covariate: "weeks_employed_52", Cuts: []float64{0.1, 13}},
		effect.Class{Covariate: "education"},
	)
	for _, k := range peers {
		covered, persons, n, bias, squares := map[effect.Part]int{}, 0, 0, 0.0, 0.0
		for seed := range worlds {
			o := world.Default()
			o.Seed, o.Municipalities, o.Persons, o.FocalShare = uint64(seed+1), k+1, 250*(k+2), 0.25
			o.MatchGroups, o.ProvidersPerMunicipality = []string{"4"}, 2
			o.ProviderSD, o.MunicipalitySD = 0, 0.3
			d := effecttest.FromWorld(t, o)
			obs := d.Observe(t, effecttest.Study())
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
					if z := math.Abs(e.Difference) / math.Sqrt(e.VarCell+e.VarComparators); z <= 1.959963984540054 {
						persons++
					}
				}
			}
			for _, b := range effect.Benchmark(rows) {
				if b.Provider != "L751-1" || b.Outcome != world.Employed26 || b.Part == effect.Municipality {
					continue
				}
				require.Empty(t, b.Refusal)
				if b.Low <= 0 && 0 <= b.High {
					covered[b.Part]++
				}
				if b.Part == effect.Total {
					n++
					bias += b.Difference
					squares += b.Difference * b.Difference
				}
			}
		}
		share := func(x int) float64 { return float64(x) / float64(n) }
		t.Logf("k = %d, %d worlds: total %.3f, provider part %.3f, with the person-level terms alone %.3f, mean difference %.4f (spread %.4f)",
			k, n, share(covered[effect.Total]), share(covered[effect.Provider]), share(persons), bias/float64(n), math.Sqrt(squares/float64(n)))
		assert.InDelta(t, 0.95, share(covered[effect.Total]), slack)
		assert.InDelta(t, 0.95, share(covered[effect.Provider]), slack)
		assert.InDelta(t, 0, bias/float64(n), 3*math.Sqrt(squares/float64(n))/math.Sqrt(float64(n)))
	}
}

// The interval of a sum over match groups holds no less often than it says, where
// a municipality's effect is the same in each group, which is the worst case for
// it: the errors that come from the peers then add as they are.
func TestCoverageOfSums(t *testing.T) {
	worlds, slack := 40, 0.11
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		worlds, slack = 500, 0.03
	}
	method := strata.Default(
		effect.Class{Covariate: "age", Cuts: []float64{30, 50}},
		effect.Class{Covariate: "weeks_employed_52", Cuts: []float64{0.1, 13}},
		effect.Class{Covariate: "education"},
	)
	covered, n, width := 0, 0, map[bool]float64{}
	for seed := range worlds {
		o := world.Default()
		o.Seed, o.Municipalities, o.Persons, o.FocalShare = uint64(seed+1), 9, 4000, 0.25
		o.MatchGroups, o.ProvidersPerMunicipality = []string{"3", "4", "5"}, 2
		o.ProviderSD, o.MunicipalitySD = 0, 0.3
		d := effecttest.FromWorld(t, o)
		obs := d.Observe(t, effecttest.Study())
		design := effect.DefaultDesign()
		design.Peers = map[string][]string{"751": nil}
		for _, m := range obs.Cases.Municipality.Levels {
			if m != "751" {
				design.Peers["751"] = append(design.Peers["751"], m)
			}
		}
		rows, err := effect.Views(context.Background(), obs, design, d.Members, []effect.View{effect.ViewTotal}, "", []effect.Method{method})
		require.NoError(t, err)
		for _, r := range rows {
			if r.Municipality != "751" || r.Outcome != world.Employed26 || r.Part != effect.Total {
				continue
			}
			require.Empty(t, r.Refusal)
			width[r.MatchGroup == effect.All] += r.High - r.Low
			if r.MatchGroup != effect.All {
				continue
			}
			n++
			if r.Low <= 0 && 0 <= r.High {
				covered++
			}
		}
	}
	share := float64(covered) / float64(n)
	t.Logf("%d worlds: a sum over match groups covers %.3f; its interval is %.3f wide, those of its cells %.3f", n, share, width[true]/float64(n), width[false]/float64(3*n))
	assert.GreaterOrEqual(t, share, 0.95-slack)
}
