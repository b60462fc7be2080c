package municipal_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// made is n municipalities with three conditions on very different scales.
func made(n int) ([]municipal.Municipality, []string) {
	out := make([]municipal.Municipality, n)
	for i := range out {
		a, b, c := math.Sin(float64(3*i+1)), math.Cos(float64(i*i)), math.Mod(float64(i*i*7), 11)
		out[i] = municipal.Municipality{
			Name: fmt.Sprintf("m%03d", (i*37)%n), Weight: 1000 + float64((i*7919)%50000),
			Observed:   7 + a - 0.5*b + 0.1*c + math.Sin(float64(i*i*i)),
			Conditions: []float64{0.3 + 0.01*a, 250000 + 10000*b, c},
		}
	}
	return out, []string{"share_unskilled", "income", "rank_of_land"}
}

// TestExpectIsARefit compares with a fit of all the others by themselves, also of
// one that lies far from them.
func TestExpectIsARefit(t *testing.T) {
	for _, weighted := range []bool{false, true} {
		all, conditions := made(41)
		all[11].Conditions[2] = 2000
		o := municipal.DefaultExpect()
		o.Weighted = weighted
		got, err := municipal.Expect(all, conditions, o)
		require.NoError(t, err)
		for i, own := range all {
			var data, y []float64
			row := func(m municipal.Municipality) []float64 {
				return []float64{1, m.Conditions[0], m.Conditions[1] / 1e5, m.Conditions[2]}
			}
			weight := func(m municipal.Municipality) float64 {
				if weighted {
					return m.Weight
				}
				return 1
			}
			for j, m := range all {
				if j == i {
					continue
				}
				for _, v := range row(m) {
					data = append(data, v*math.Sqrt(weight(m)))
				}
				y = append(y, m.Observed*math.Sqrt(weight(m)))
			}
			fit, err := regress.Linear(context.Background(), regress.Matrix{N: len(y), P: 4, Data: data}, y)
			require.NoError(t, err)
			x := row(own)
			inverse := 0.0
			for k, v := range fit.Influence(x) {
				inverse += v * x[k]
			}
			df := len(y) - 4
			se := math.Sqrt(fit.Deviance / float64(df) * (1/weight(own) + inverse))
			assert.InEpsilon(t, fit.Predict(x), got[i].Share, 1e-9, own.Name)
			assert.InEpsilon(t, se, got[i].SE, 1e-9, own.Name)
			assert.Equal(t, df, got[i].DF)
			assert.InEpsilon(t, got[i].Share+interval.StudentT(float64(df), 0.95)*se, got[i].High, 1e-9)
			assert.InEpsilon(t, 2*got[i].Share, got[i].Low+got[i].High, 1e-12)
		}
	}
}

func TestExpectDoesNotSeeItsOwnShare(t *testing.T) {
	all, conditions := made(30)
	before, err := municipal.Expect(all, conditions, municipal.DefaultExpect())
	require.NoError(t, err)
	all[4].Observed = 900
	after, err := municipal.Expect(all, conditions, municipal.DefaultExpect())
	require.NoError(t, err)
	assert.InEpsilon(t, before[4].Share, after[4].Share, 1e-9)
	assert.InEpsilon(t, before[4].SE, after[4].SE, 1e-9)
	assert.Greater(t, math.Abs(before[5].Share-after[5].Share), 0.1, "the others do see it")
}

func TestExpectInAnyOrder(t *testing.T) {
	all, conditions := made(30)
	want, err := municipal.Expect(all, conditions, municipal.DefaultExpect())
	require.NoError(t, err)
	turned, kept := slices.Clone(all), slices.Clone(all)
	slices.Reverse(turned)
	got, err := municipal.Expect(turned, conditions, municipal.DefaultExpect())
	require.NoError(t, err)
	slices.Reverse(got)
	assert.Equal(t, want, got)
	slices.Reverse(turned)
	assert.Equal(t, kept, turned, "the argument is not changed")
}

// TestExpectScales: other units of the conditions change nothing, other units of
// the share and the weight only the unit.
func TestExpectScales(t *testing.T) {
	all, conditions := made(30)
	o := municipal.DefaultExpect()
	o.Weighted = true
	want, err := municipal.Expect(all, conditions, o)
	require.NoError(t, err)
	for i := range all {
		c := slices.Clone(all[i].Conditions)
		c[0], c[1] = 1e9*c[0]-4, c[1]/1e7+3
		all[i].Conditions = c
		all[i].Observed = all[i].Observed/100 - 1
		all[i].Weight *= 1000
	}
	got, err := municipal.Expect(all, conditions, o)
	require.NoError(t, err)
	for i := range want {
		assert.InDelta(t, want[i].Share/100-1, got[i].Share, 1e-8)
		assert.InEpsilon(t, want[i].SE/100, got[i].SE, 1e-6)
	}
}

func TestExpectRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		code, names string
		harm        func(all []municipal.Municipality, conditions *[]string) []municipal.Municipality
	}{
		"a condition missing": {municipal.RefusalMissing, "income of m001, m002; for rank_of_land of m001", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			for i := range all {
				switch all[i].Name {
				case "m001":
					all[i].Conditions = []float64{1}
				case "m002":
					all[i].Conditions[1] = math.NaN()
				}
			}
			return all
		}},
		"no share": {municipal.RefusalMissing, "the observed share of m003", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			all[slices.IndexFunc(all, func(m municipal.Municipality) bool { return m.Name == "m003" })].Observed = math.Inf(1)
			return all
		}},
		"no weight": {municipal.RefusalMissing, "a weight above 0 of m003", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			all[slices.IndexFunc(all, func(m municipal.Municipality) bool { return m.Name == "m003" })].Weight = 0
			return all
		}},
		"twice": {municipal.RefusalTwice, "m003 is there more than once", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			all[slices.IndexFunc(all, func(m municipal.Municipality) bool { return m.Name == "m004" })].Name = "m003"
			return all
		}},
		"no name": {municipal.RefusalTwice, "no name", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			all[2].Name = ""
			return all
		}},
		"a constant": {effect.RefusalNoVariation, "income", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			for i := range all {
				all[i].Conditions[1] = 0.1
			}
			return all
		}},
		"collinear": {municipal.RefusalCollinear, "rank_of_land", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			for i := range all {
				all[i].Conditions[2] = 3*all[i].Conditions[0] - all[i].Conditions[1]/1e6
			}
			return all
		}},
		"alone": {municipal.RefusalAlone, "without m007 nothing is told of rank_of_land", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			for i := range all {
				all[i].Conditions[2] = 0
				if all[i].Name == "m007" {
					all[i].Conditions[2] = 1
				}
			}
			return all
		}},
		"too far": {municipal.RefusalAlone, "m007", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality {
			all[slices.IndexFunc(all, func(m municipal.Municipality) bool { return m.Name == "m007" })].Conditions[2] = 1e8
			return all
		}},
		"too few":       {municipal.RefusalTooFew, "5 municipalities", func(all []municipal.Municipality, _ *[]string) []municipal.Municipality { return all[:5] }},
		"none":          {municipal.RefusalTooFew, "0 municipalities", func([]municipal.Municipality, *[]string) []municipal.Municipality { return nil }},
		"no conditions": {municipal.RefusalNoConditions, "", func(all []municipal.Municipality, c *[]string) []municipal.Municipality { *c = nil; return all }},
	} {
		t.Run(name, func(t *testing.T) {
			all, conditions := made(30)
			all = test.harm(all, &conditions)
			o := municipal.DefaultExpect()
			o.Weighted = true
			got, err := municipal.Expect(all, conditions, o)
			require.Error(t, err)
			assert.Nil(t, got)
			refusal, ok := effect.AsRefusal(err)
			require.True(t, ok)
			assert.Equal(t, test.code, refusal.Code)
			assert.ErrorContains(t, err, test.names)
		})
	}
	all, conditions := made(6)
	_, err := municipal.Expect(all, conditions, municipal.DefaultExpect())
	require.NoError(t, err, "one degree of freedom is enough")
	_, err = municipal.Expect(all, conditions, municipal.ExpectOptions{})
	assert.Error(t, err, "no confidence")
}
