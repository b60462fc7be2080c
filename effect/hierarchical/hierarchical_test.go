package hierarchical_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

func TestLaws(t *testing.T) {
	effecttest.Laws(t, hierarchical.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"))
}

func TestLawsByProvider(t *testing.T) {
	m := hierarchical.Default("age", "weeks_employed_52")
	m.Group = hierarchical.ByProvider
	effecttest.Laws(t, m)
}

type data struct {
	x      regress.Matrix
	y      []float64
	group  []int32
	groups int
}

func (d *data) add(y float64, group int32, row ...float64) {
	d.x.N, d.x.P, d.x.Data = d.x.N+1, len(row), append(d.x.Data, row...)
	d.y, d.group, d.groups = append(d.y, y), append(d.group, group), max(d.groups, int(group)+1)
}

func (d *data) fit() (*hierarchical.Fit, error) {
	return hierarchical.Logistic(context.Background(), d.x, d.y, d.group, d.groups)
}

// cbpp is lme4's data, one row an animal, with the figures of
// testdata/reference/lme4.R.
func cbpp(t *testing.T) (d *data, want struct {
	Cbpp                           struct{ Herd, Period, Size, Incidence []int }
	Coef                           []float64
	SD, LogLik, Binomial           float64
	Intercept, Predicted, Expected []float64
},
) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/lme4.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	d = &data{}
	for k, herd := range want.Cbpp.Herd {
		row := []float64{1, 0, 0, 0}
		if p := want.Cbpp.Period[k]; p > 1 {
			row[p-1] = 1
		}
		for n := range want.Cbpp.Size[k] {
			y := 0.0
			if n < want.Cbpp.Incidence[k] {
				y = 1
			}
			d.add(y, int32(herd-1), row...)
		}
	}
	return d, want
}

// R 4.2.2, lme4 1.1.31: glmer(cbind(incidence, size - incidence) ~ period +
// (1 | herd), cbpp, binomial), tightly optimised. lme4 counts binomial
// coefficients in its log likelihood, which are constants.
func TestCbpp(t *testing.T) {
	d, want := cbpp(t)
	profiles, fit, err := hierarchical.PredictedExpected(context.Background(), d.x, d.y, d.group, d.groups)
	require.NoError(t, err)
	for k, coef := range want.Coef {
		assert.InDelta(t, coef, fit.Coef[k], 1e-6)
	}
	assert.InDelta(t, want.SD, fit.SD, 1e-6)
	assert.InDelta(t, want.LogLik, fit.LogLik+want.Binomial, 1e-8)
	// The quoted figures, made by others.
	assert.InDelta(t, -1.39853, fit.Coef[0], 1e-4)
	assert.InDelta(t, 0.64226, fit.SD, 1e-4)
	assert.InDelta(t, -92.0262819, fit.LogLik+want.Binomial, 1e-4)
	for g := range profiles {
		assert.InDelta(t, want.Intercept[g], fit.Intercept[g], 1e-5)
		assert.InEpsilon(t, want.Predicted[g], profiles[g].Predicted, 1e-5)
		assert.InEpsilon(t, want.Expected[g], profiles[g].Expected, 1e-5)
		// Between 1 and observed over expected.
		raw, ratio := profiles[g].Observed/profiles[g].Expected, profiles[g].Ratio
		assert.GreaterOrEqual(t, (raw-ratio)*(ratio-1), 0.0)
	}
}

// A second implementation of the Laplace likelihood: modes by bisection on the
// score. The fit is at least as likely as any point around it, and its own
// likelihood is this one.
func TestBruteForce(t *testing.T) {
	d, _ := cbpp(t)
	fit, err := d.fit()
	require.NoError(t, err)
	value := func(coef []float64, sd float64) float64 {
		total := 0.0
		for g := range int32(d.groups) {
			at := func(u float64) (value, slope, h float64) {
				value, slope, h = -u*u/2, -u, 1
				for i, own := range d.group {
					if own != g {
						continue
					}
					eta := sd * u
					for k, c := range coef {
						eta += c * d.x.Row(i)[k]
					}
					p := 1 / (1 + math.Exp(-eta))
					value += d.y[i]*math.Log(p) + (1-d.y[i])*math.Log(1-p)
					slope += sd * (d.y[i] - p)
					h += sd * sd * p * (1 - p)
				}
				return value, slope, h
			}
			low, high := -50.0, 50.0
			for range 200 {
				if _, slope, _ := at((low + high) / 2); slope > 0 {
					low = (low + high) / 2
				} else {
					high = (low + high) / 2
				}
			}
			v, _, h := at(low)
			total += v - math.Log(h)/2
		}
		return total
	}
	best := value(fit.Coef, fit.SD)
	assert.InDelta(t, best, fit.LogLik, 1e-9)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		size := math.Pow(10, -3*rng.Float64())
		coef := append([]float64(nil), fit.Coef...)
		for k := range coef {
			coef[k] += size * rng.NormFloat64()
		}
		assert.Less(t, value(coef, math.Abs(fit.SD+size*rng.NormFloat64())), best)
	}
}

func refusal(t *testing.T, err error) string {
	t.Helper()
	r, ok := effect.AsRefusal(err)
	require.True(t, ok, "%v", err)
	return r.Code
}

func TestDegenerate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	// Groups that are alike, more so than chance makes them: SD is 0, and the fit
	// that of plain logistic regression.
	alike := &data{}
	for i := range 800 {
		alike.add(float64(i/8%2), int32(i%8), 1, float64(i%5))
	}
	fit, err := alike.fit()
	require.NoError(t, err)
	assert.Zero(t, fit.SD)
	plain, err := regress.Logistic(context.Background(), alike.x, alike.y)
	require.NoError(t, err)
	for k := range plain.Coef {
		assert.InDelta(t, plain.Coef[k], fit.Coef[k], 1e-9)
	}
	assert.InDelta(t, -plain.Deviance/2, fit.LogLik, 1e-9)
	assert.Equal(t, make([]float64, 8), fit.Intercept)
	// One group, or groups without rows: nothing to tell apart.
	one := &data{}
	for range 100 {
		one.add(float64(rng.IntN(2)), 2, 1)
	}
	one.groups = 5
	profiles, fit, err := hierarchical.PredictedExpected(context.Background(), one.x, one.y, one.group, one.groups)
	require.NoError(t, err)
	assert.Zero(t, fit.SD)
	assert.True(t, math.IsNaN(profiles[0].Ratio))
	assert.InDelta(t, 1, profiles[2].Ratio, 1e-9)
	// A column twice.
	twice := &data{}
	for range 300 {
		g := int32(rng.IntN(6))
		v := rng.NormFloat64()
		y := 0.0
		if rng.Float64() < 1/(1+math.Exp(-v-float64(g-3))) {
			y = 1
		}
		twice.add(y, g, 1, v, 2*v)
	}
	fit, err = twice.fit()
	require.NoError(t, err)
	assert.Equal(t, 2, fit.Rank)
	assert.True(t, math.IsNaN(fit.Coef[2]))
	assert.Greater(t, fit.SD, 0.5)
}

func TestRefusals(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for name, c := range map[string]struct {
		want string
		make func(d *data)
	}{
		"n = 0": {effect.RefusalNoVariation, func(*data) {}},
		"n = 1": {effect.RefusalNoVariation, func(d *data) { d.add(1, 0, 1) }},
		"no events": {effect.RefusalNoVariation, func(d *data) {
			for i := range 50 {
				d.add(0, int32(i%5), 1)
			}
		}},
		"all events": {effect.RefusalNoVariation, func(d *data) {
			for i := range 50 {
				d.add(1, int32(i%5), 1)
			}
		}},
		"not finite": {effect.RefusalNotFinite, func(d *data) {
			for i := range 50 {
				d.add(float64(i%2), int32(i%5), 1, math.NaN())
			}
		}},
		"neither 0 nor 1": {effect.RefusalNotFinite, func(d *data) {
			for i := range 50 {
				d.add(float64(i%3), int32(i%5), 1)
			}
		}},
		"a covariate that separates": {effect.RefusalSeparation, func(d *data) {
			for i := range 60 {
				d.add(float64(i/30), int32(i%5), 1, float64(i)+rng.Float64()/2)
			}
		}},
		"groups that differ without limit": {effect.RefusalSeparation, func(d *data) {
			for i := range 4000 {
				d.add(float64(i%10/5), int32(i%10), 1)
			}
		}},
	} {
		d := &data{}
		c.make(d)
		_, err := d.fit()
		assert.Equal(t, c.want, refusal(t, err), name)
	}
}

// comparison is a cell in one municipality and comparators in others whose
// intercepts differ.
func comparison(seed uint64, municipalities int, sd float64) *effect.Comparison {
	rng := rand.New(rand.NewPCG(seed, 3))
	c := &effect.Comparison{Cases: &effect.Cases{}, Unit: effect.UnitShare}
	var where, providers []string
	var x []float64
	for m := range municipalities + 1 {
		intercept := sd * rng.NormFloat64()
		for k := range 120 {
			v, y, i := rng.NormFloat64(), 0.0, int32(len(c.Y))
			if rng.Float64() < 1/(1+math.Exp(0.5-0.8*v-intercept)) {
				y = 1
			}
			c.Y, x, c.Cases.Person = append(c.Y, y), append(x, v), append(c.Cases.Person, i)
			where, providers = append(where, string(rune('A'+m))), append(providers, []string{"", "P", "Q"}[k%3])
			if m == 0 {
				c.In = append(c.In, i)
			} else {
				c.Out = append(c.Out, i)
			}
		}
	}
	c.Cases.Municipality, c.Cases.Provider = effect.NewFactor(where), effect.NewFactor(providers)
	c.Cases.Covariates = []effect.Covariate{{Name: "x", Number: x}}
	return c
}

// The expectation is the mean over the cell of the prediction averaged over the
// distribution of intercepts: by a fine sum over normal quantiles.
func TestIntegrated(t *testing.T) {
	c := comparison(1, 8, 1.2)
	m := hierarchical.Default("x")
	e, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	x, _ := c.Covariate("x")
	d := &data{}
	for _, i := range c.Out {
		d.add(c.Y[i], c.Cases.Municipality.Codes[i]-1, 1, x.Number[i])
	}
	fit, err := d.fit()
	require.NoError(t, err)
	require.Greater(t, fit.SD, 0.3)
	const points = 20000
	want := 0.0
	for _, i := range c.In {
		for k := range points {
			u := math.Sqrt2 * math.Erfinv(2*(float64(k)+0.5)/points-1)
			want += regress.Expit(fit.Predict([]float64{1, x.Number[i]})+fit.SD*u) / points / float64(len(c.In))
		}
	}
	assert.InDelta(t, want, e.Expected, 1e-6)
	// By provider: 2 of them, and own projects in each of 8 municipalities.
	m.Group = hierarchical.ByProvider
	by, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.NotEqual(t, e.Expected, by.Expected)
	// One municipality: plain logistic regression.
	home := *c
	home.Out = nil
	for _, i := range c.Out {
		if c.Cases.Municipality.At(int(i)) == "B" {
			home.Out = append(home.Out, i)
		}
	}
	one, err := hierarchical.Default("x").Expect(context.Background(), &home)
	require.NoError(t, err)
	plain, err := regress.Default("x").Expect(context.Background(), &home)
	require.NoError(t, err)
	assert.InEpsilon(t, plain.Expected, one.Expected, 1e-9)
	assert.InDeltaSlice(t, plain.Weights, one.Weights, 1e-9)
	assert.Contains(t, one.Warnings, "one_group")
}

// Without differences between groups the method is the method regression.
func TestAlikeGroupsAreRegression(t *testing.T) {
	for seed := range uint64(30) {
		c := comparison(seed, 5, 0)
		e, err := hierarchical.Default("x").Expect(context.Background(), c)
		require.NoError(t, err)
		plain, err := regress.Default("x").Expect(context.Background(), c)
		require.NoError(t, err)
		if math.Abs(e.Expected-plain.Expected) < 1e-9 {
			assert.InDeltaSlice(t, plain.Weights, e.Weights, 1e-8)
			return
		}
	}
	t.Fatal("in half of such worlds the groups differ less than chance makes them")
}

func TestMethodRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		want   string
		change func(c *effect.Comparison)
	}{
		"days":         {effect.RefusalNotShare, func(c *effect.Comparison) { c.Unit = effect.UnitDays }},
		"no cell":      {effect.RefusalNoCases, func(c *effect.Comparison) { c.In = nil }},
		"one case":     {effect.RefusalFewCases, func(c *effect.Comparison) { c.In = c.In[:1] }},
		"nobody else":  {effect.RefusalNoComparators, func(c *effect.Comparison) { c.Out = nil }},
		"aggregated":   {effect.RefusalNeedsMicro, func(c *effect.Comparison) { c.Strata = []effect.StratumTotal{{Municipality: "B"}} }},
		"NaN":          {effect.RefusalNotFinite, func(c *effect.Comparison) { c.Y[c.Out[0]] = math.NaN() }},
		"a few others": {effect.RefusalUncovered, func(c *effect.Comparison) { c.Out = c.Out[:4] }},
		"no events": {effect.RefusalNoVariation, func(c *effect.Comparison) {
			for _, i := range c.Out {
				c.Y[i] = 0
			}
		}},
	} {
		comparison := comparison(1, 5, 0.5)
		c.change(comparison)
		_, err := hierarchical.Default("x").Expect(context.Background(), comparison)
		assert.Equal(t, c.want, refusal(t, err), name)
	}
}
