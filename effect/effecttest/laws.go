package effecttest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// small is a world in which every law can be seen and a test is quick.
func small() world.Options {
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality = 3000, 6, 2
	return o
}

// design compares every municipality with all the others.
func design(d *Data) effect.Design {
	out := effect.DefaultDesign()
	out.Kin = effect.Kinship(d.Members)
	out.Peers = map[string][]string{}
	all := d.Cases().Municipality.Levels
	for _, m := range all {
		out.Peers[m] = slices.DeleteFunc(slices.Clone(all), func(other string) bool { return other == m })
	}
	out.Also = []effect.Comparators{effect.OwnProjects, effect.OtherProviders}
	return out
}

func estimates(t *testing.T, d *Data, m effect.Method) []effect.Estimate {
	t.Helper()
	out, err := effect.Estimates(context.Background(), d.Observe(t, Study()), design(d), []effect.Method{m})
	require.NoError(t, err)
	return out
}

// same requires two tables of estimates to be equal to the last written digit.
func same(t *testing.T, want, got []effect.Estimate) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		// NaN is not equal to itself; as text it is.
		require.Equal(t, text(want[i]), text(got[i]))
	}
}

// Exemption is a law that a method obeys in a weaker form.
type Exemption string

// NotAdditive is for methods whose expectation is not linear in the cell's cases,
// as where weights are exponential in its means: the expectations of the halves of
// a provider, split at random, add up to second order in how the halves differ.
// They are held to a tenth of the standard error of the whole.
const NotAdditive Exemption = "not_additive"

// Laws checks that a method obeys the laws of methods: see the names of the
// subtests. The method must use only covariates of [Data.Cases] and those of
// effect.DefaultHistory.
func Laws(t *testing.T, m effect.Method, exempt ...Exemption) {
	base := FromWorld(t, small())
	want := estimates(t, base, m)
	rated := slices.ContainsFunc(want, func(e effect.Estimate) bool { return e.Verdict == effect.Lower || e.Verdict == effect.Higher })
	require.True(t, rated, "the world must show differences, or the laws hold of nothing")

	t.Run("the order of rows does not matter", func(t *testing.T) {
		d := *base
		d.Participations, d.Spells = slices.Clone(d.Participations), slices.Clone(d.Spells)
		slices.Reverse(d.Participations)
		slices.Reverse(d.Spells)
		same(t, want, estimates(t, &d, m))
	})
	t.Run("ids are labels", func(t *testing.T) {
		// Reversing the ids keeps ties of referral dates apart from the ids: the
		// world has none within a person and agreement.
		d := *base
		d.Participations, d.Spells, d.Persons = slices.Clone(d.Participations), slices.Clone(d.Spells), slices.Clone(d.Persons)
		for i := range d.Participations {
			d.Participations[i].ID = 1e9 - d.Participations[i].ID
			d.Participations[i].PersonID = 1e9 - d.Participations[i].PersonID
		}
		for i := range d.Spells {
			d.Spells[i].PersonID = 1e9 - d.Spells[i].PersonID
		}
		for i := range d.Persons {
			d.Persons[i].ID = 1e9 - d.Persons[i].ID
		}
		got := estimates(t, &d, m)
		require.Len(t, got, len(want))
		for i := range want {
			close(t, want[i].Figures, got[i].Figures, 2e-8)
		}
	})
	t.Run("a person who is never eligible changes nothing", func(t *testing.T) {
		d := *base
		p := d.Participations[0]
		p.ID, p.PersonID, p.Referral = 1e12, 1e12, effect.NewDate(2001, 5, 1)
		d.Participations = append(slices.Clone(d.Participations), p)
		same(t, want, estimates(t, &d, m))
	})
	t.Run("expectations of a split provider add", func(t *testing.T) {
		d := *base
		d.Participations = slices.Clone(d.Participations)
		d.Members = slices.Clone(d.Members)
		const whole, half = "L751-1", "L751-1b"
		for i := range d.Participations {
			if d.Participations[i].ProviderID == whole && i%2 == 0 {
				d.Participations[i].ProviderID = half
			}
		}
		// The halves are kin, so that the comparators stay who they were.
		d.Members = append(d.Members,
			effect.Membership{Provider: whole, Consortium: "halves", From: effect.FirstDate, To: effect.NoDate},
			effect.Membership{Provider: half, Consortium: "halves", From: effect.FirstDate, To: effect.NoDate})
		for _, mem := range base.Members {
			if mem.Consortium == "" {
				continue
			}
			for _, other := range base.Members {
				if other.Provider == whole && other.Consortium == mem.Consortium {
					d.Members = append(d.Members, effect.Membership{Provider: half, Consortium: mem.Consortium, From: other.From, To: other.To})
				}
			}
		}
		sums, tenth := map[string][2]float64{}, map[string]float64{}
		add := func(rows []effect.Estimate, side int) {
			for _, e := range rows {
				if (e.Provider == whole || e.Provider == half) && e.Comparators == effect.Peers && e.Support == effect.SupportOwn && e.Refusal == "" && e.N == e.NCompared {
					key := e.Outcome + e.MatchGroup
					s := sums[key]
					s[side] += float64(e.N) * e.Expected
					sums[key] = s
					if e.Provider == whole && side == 0 {
						tenth[key] = 0.1 * float64(e.N) * e.SE
					}
				}
			}
		}
		add(want, 0)
		add(estimates(t, &d, m), 1)
		require.NotEmpty(t, sums)
		for _, key := range slices.Sorted(maps.Keys(sums)) {
			if slices.Contains(exempt, NotAdditive) {
				assert.InDelta(t, sums[key][0], sums[key][1], tenth[key], key)
				continue
			}
			assert.InEpsilon(t, sums[key][0], sums[key][1], 1e-7, key)
		}
	})
	t.Run("the parts add up to the total", func(t *testing.T) {
		parts := map[string]map[effect.Part]effect.Figures{}
		for _, b := range effect.Benchmark(want) {
			key := b.Outcome + b.Municipality + b.MatchGroup + b.Provider
			if parts[key] == nil {
				parts[key] = map[effect.Part]effect.Figures{}
			}
			parts[key][b.Part] = b.Figures
		}
		found := 0
		for _, p := range parts {
			if p[effect.Municipality].Refusal == "" {
				found++
				assert.InDelta(t, p[effect.Total].Difference, p[effect.Municipality].Difference+p[effect.Provider].Difference, 1e-7*math.Max(1, math.Abs(p[effect.Total].Difference)))
			}
		}
		assert.NotZero(t, found)
	})
	t.Run("the comparison is not changed", func(t *testing.T) {
		obs := base.Observe(t, Study())
		before := text(obs)
		_, err := effect.Estimates(context.Background(), obs, design(base), []effect.Method{m})
		require.NoError(t, err)
		require.Equal(t, before, text(obs))
	})
	t.Run("covariates of the comparators alone cannot help an empty cell", func(t *testing.T) {
		c := &effect.Comparison{Cases: base.Cases(), Unit: effect.UnitShare}
		_, err := m.Expect(context.Background(), c)
		assert.Error(t, err)
	})
}

func close(t *testing.T, want, got effect.Figures, tolerance float64) {
	t.Helper()
	require.Equal(t, want.N, got.N)
	require.Equal(t, want.Verdict, got.Verdict)
	for _, x := range [][2]float64{{want.Expected, got.Expected}, {want.SE, got.SE}, {want.Low, got.Low}, {want.High, got.High}} {
		if math.IsNaN(x[0]) {
			require.True(t, math.IsNaN(x[1]))
			continue
		}
		require.InDelta(t, x[0], x[1], tolerance*math.Max(1, math.Abs(x[0])))
	}
}

func text(v any) string { return fmt.Sprintf("%v", v) }
