package profile_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

func classes() []effect.Class {
	return []effect.Class{{Covariate: "age", Cuts: []float64{35, 50}}, {Covariate: "sex"}}
}

func benchmark(t *testing.T) ([]effect.BenchmarkRow, *effect.Observations) {
	t.Helper()
	o := world.Default()
	data := effecttest.FromWorld(t, o)
	obs := data.Observe(t, effecttest.Study())
	d := effect.DefaultDesign()
	d.Kin, d.ByPackage, d.Peers = effect.Kinship(data.Members), true, map[string][]string{}
	for _, m := range obs.Cases.Municipality.Levels {
		for _, p := range obs.Cases.Municipality.Levels {
			if p != m {
				d.Peers[m] = append(d.Peers[m], p)
			}
		}
	}
	estimates, err := effect.Estimates(context.Background(), obs, d, []effect.Method{strata.Default(classes()...)})
	require.NoError(t, err)
	return effect.Benchmark(estimates), obs
}

func TestRowsOfAWorld(t *testing.T) {
	b, _ := benchmark(t)
	rows, err := profile.Rows(b, profile.DefaultOptions())
	require.NoError(t, err)
	byFamily := map[profile.Family][]profile.Row{}
	wanted := 0
	for _, r := range b {
		if _, placebo := effect.PlaceboOf(r.Outcome); !placebo && r.Part != effect.Municipality {
			wanted++
		}
	}
	require.Len(t, rows, wanted)
	rated := 0
	for _, r := range rows {
		f := profile.Family{Outcome: r.Outcome, Unit: r.Unit, Method: r.Method, Part: r.Part, MatchScheme: r.MatchScheme, MatchGroup: r.MatchGroup, Package: r.Package}
		if r.Refusal != "" {
			assert.True(t, math.IsNaN(r.Z) && math.IsNaN(r.P) && math.IsNaN(r.Shrunken) && r.Position == "" && r.Rated == 0)
			continue
		}
		rated++
		byFamily[f] = append(byFamily[f], r)
	}
	require.Greater(t, rated, 20)
	for f, family := range byFamily {
		var p, d, v []float64
		for _, r := range family {
			require.EqualValues(t, len(family), r.Rated, f)
			p, d, v = append(p, r.P), append(d, r.Difference), append(v, r.SE*r.SE)
			assert.InEpsilon(t, interval.TwoSided(r.Difference/r.SE, r.DF), r.P, 1e-8)
			// Outside 95 % says what the verdict says.
			half := interval.StudentT(r.DF, 0.95) * r.SE
			assert.Equal(t, math.Abs(r.Difference) > half, r.Position != profile.Inside)
		}
		holm, err := profile.Holm(p)
		require.NoError(t, err)
		for k, r := range family {
			assert.InEpsilon(t, holm[k], r.Holm, 1e-8)
			assert.LessOrEqual(t, r.BH, r.Holm)
			assert.GreaterOrEqual(t, r.BH, r.P)
			if len(family) == 1 {
				assert.True(t, math.IsNaN(r.Tau2) && math.IsNaN(r.Dispersion) && r.Adjusted == "")
				continue
			}
			tau2 := interval.PauleMandel(d, v)
			assert.InDelta(t, tau2, r.Tau2, 1e-8*tau2)
			assert.InDelta(t, tau2/(tau2+v[k])*d[k], r.Shrunken, 1e-8*math.Abs(d[k]))
			assert.Equal(t, tau2 == 0, math.IsNaN(r.Low))
		}
	}

	// Another order of rows: the same figures.
	mixed := slices.Clone(b)
	slices.Reverse(mixed)
	back, err := profile.Rows(mixed, profile.DefaultOptions())
	require.NoError(t, err)
	slices.Reverse(back)
	for i := range rows {
		assert.Equal(t, fmt.Sprint(rows[i]), fmt.Sprint(back[i]))
	}
}

func row(cell string, difference, se, df float64) effect.BenchmarkRow {
	return effect.BenchmarkRow{
		Outcome: "work", Unit: effect.UnitShare, Cell: effect.Cell{Municipality: "A", MatchScheme: "s", MatchGroup: "4", Provider: cell},
		Method: "strata", Part: effect.Provider,
		Figures: effect.Figures{N: 100, NCompared: 100, Difference: difference, SE: se, DF: df, Confidence: 0.95},
	}
}

func TestRowsByHand(t *testing.T) {
	b := []effect.BenchmarkRow{row("x", 0.04, 0.03, 1e9), row("y", -0.02, 0.02, 1e9), row("z", 0.10, 0.05, 1e9), row("q", math.NaN(), math.NaN(), math.NaN()), row("m", 1, 1, 1)}
	b[3].Refusal, b[3].N = effect.RefusalFewCases, 12
	b[4].Part = effect.Municipality
	o := profile.DefaultOptions()
	o.Frozen = map[profile.Family]float64{{Outcome: "work", Unit: effect.UnitShare, Method: "strata", Part: effect.Provider, MatchScheme: "s", MatchGroup: "4"}: 0.0009}
	rows, err := profile.Rows(b, o)
	require.NoError(t, err)
	require.Len(t, rows, 4)
	// testdata/reference/profile.json, shrink.
	assert.Equal(t, []float64{0.5, 0.02, -0.0215771147, 0.0615771147, 0.827110707},
		[]float64{rows[0].Reliability, rows[0].Shrunken, rows[0].Low, rows[0].High, rows[0].Above})
	assert.True(t, rows[0].Frozen)
	assert.Equal(t, []profile.Position{profile.Inside, profile.Inside, profile.Outside95}, []profile.Position{rows[0].Position, rows[1].Position, rows[2].Position})
	assert.EqualValues(t, 3, rows[2].Rated)
	// z = 4/3, -1, 2: phi is their mean square.
	assert.Equal(t, effect.Round((16.0/9+1+4)/3), rows[0].Phi)
	assert.InDelta(t, 3*0.0455002638, rows[2].Holm, 1e-9) // 2 P(Z > 2)
	assert.Equal(t, effect.RefusalFewCases, rows[3].Refusal)
	assert.EqualValues(t, 12, rows[3].N)
	assert.True(t, math.IsNaN(rows[3].Holm))

	// One cell: an own z, nothing of a family.
	one, err := profile.Rows(b[:1], profile.DefaultOptions())
	require.NoError(t, err)
	assert.Equal(t, effect.Round(4.0/3), one[0].Z)
	assert.Equal(t, one[0].P, one[0].Holm)
	assert.True(t, math.IsNaN(one[0].Shrunken) && math.IsNaN(one[0].Dispersion))
	// With the variance of an earlier period it is shrunken all the same.
	one, err = profile.Rows(b[:1], o)
	require.NoError(t, err)
	assert.Equal(t, 0.02, one[0].Shrunken)

	// All alike and away from 0 says so.
	alike, err := profile.Rows([]effect.BenchmarkRow{row("x", 0.1, 0.02, 50), row("y", 0.11, 0.02, 50)}, profile.DefaultOptions())
	require.NoError(t, err)
	assert.Equal(t, profile.WarnPrior+";"+profile.WarnNoSpread, alike[0].Warnings)

	none, err := profile.Rows(nil, profile.DefaultOptions())
	require.NoError(t, err)
	assert.Empty(t, none)
	o.Confidence = 1
	_, err = profile.Rows(nil, o)
	require.Error(t, err)
	o = profile.DefaultOptions()
	o.Funnel.Winsorise = 0.7
	_, err = profile.Rows(b[:1], o)
	require.Error(t, err)
}

func TestLeagueOfAWorld(t *testing.T) {
	_, obs := benchmark(t)
	o := profile.DefaultLeague(classes()...)
	o.LowIsBetter = []string{world.Days52}
	rows, err := profile.League(obs, o)
	require.NoError(t, err)
	ranked := map[[4]string][]profile.LeagueRow{}
	own := 0
	for _, r := range rows {
		if r.Refusal == "" {
			g := [4]string{r.Outcome, r.Municipality, r.MatchScheme, r.MatchGroup}
			ranked[g] = append(ranked[g], r)
			if r.Provider == effect.OwnProvider {
				own++
			}
			assert.GreaterOrEqual(t, r.NCompared, int64(o.Direct.MinN))
			assert.GreaterOrEqual(t, r.Covered, 0.8)
			assert.True(t, r.Low < r.Standardised && r.Standardised < r.High)
			assert.True(t, 1 <= r.RankLow && r.RankLow <= r.Rank && r.Rank <= r.RankHigh && r.RankHigh <= float64(r.Ranked))
		} else {
			assert.True(t, math.IsNaN(r.Rank) && math.IsNaN(r.RankLow), r.Refusal)
		}
	}
	require.Greater(t, len(ranked), 5)
	require.Positive(t, own, "own projects stand in the table too")
	for g, group := range ranked {
		sum := 0.0
		for _, a := range group {
			sum += a.ExpectedRank
			assert.EqualValues(t, len(group), a.Ranked)
			better := 1.0
			for _, b := range group {
				assert.Equal(t, a.TargetN, b.TargetN, "one target")
				assert.Equal(t, a.Covered, b.Covered, "one target")
				if g[0] == world.Days52 && b.Standardised < a.Standardised || g[0] != world.Days52 && b.Standardised > a.Standardised {
					better++
				}
			}
			assert.Equal(t, better, a.Rank)
		}
		k := float64(len(group))
		assert.InDelta(t, k*(k+1)/2, sum, 1e-6, "expected ranks share out the places")
	}

	// Without classes nothing is on a common target.
	rows, err = profile.League(obs, profile.DefaultLeague())
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	for _, r := range rows {
		assert.Equal(t, profile.RefusalNoClasses, r.Refusal)
		assert.True(t, math.IsNaN(r.Rank) && math.IsNaN(r.Standardised))
		assert.False(t, math.IsNaN(r.Observed))
	}
	_, err = profile.League(obs, profile.DefaultLeague(effect.Class{Covariate: "shoe_size"}))
	require.ErrorContains(t, err, "shoe_size")
	o.Confidence = 0
	_, err = profile.League(obs, o)
	require.Error(t, err)
}
