package regress_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

func TestLawsFirth(t *testing.T) {
	m := regress.Default("age", "sex", "education")
	m.Firth = true
	effecttest.Laws(t, m)
}

// firthFigures is testdata/reference/firth.json, made by firth.py: a root of the
// gradient of the penalised likelihood, by scipy.
func firthFigures(t *testing.T) (r struct {
	Line      coefs   `json:"line"`
	AllEvents coefs   `json:"all_events"`
	NoEvents  coefs   `json:"no_events"`
	Lalonde   coefs   `json:"lalonde"`
	GComp     figures `json:"gcomp"`
},
) {
	b, err := os.ReadFile("../../testdata/reference/firth.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	return r
}

type coefs struct {
	Coef     []float64
	Deviance float64
}

func (want coefs) check(t *testing.T, f *regress.Fit, err error) {
	t.Helper()
	require.NoError(t, err)
	for k := range want.Coef {
		assert.InDelta(t, want.Coef[k], f.Coef[k], 1e-8*math.Max(math.Abs(want.Coef[k]), 1e-4))
	}
	assert.InEpsilon(t, want.Deviance, f.Deviance, 1e-8)
}

func line(y ...float64) (regress.Matrix, []float64) {
	x := regress.Matrix{N: len(y), P: 2}
	for i := range y {
		x.Data = append(x.Data, 1, float64(i+1))
	}
	return x, y
}

func TestFirth(t *testing.T) {
	want := firthFigures(t)
	f, err := unhurried(regress.Firth)(line(0, 0, 0, 0, 1, 1, 1, 1))
	want.Line.check(t, f, err)
	f, err = unhurried(regress.Firth)(line(1, 1, 1, 1, 1, 1, 1, 1))
	want.AllEvents.check(t, f, err)
	f, err = unhurried(regress.Firth)(line(0, 0, 0, 0, 0, 0, 0, 0))
	want.NoEvents.check(t, f, err)
	column, _ := lalonde(t)
	f, err = regress.Firth(context.Background(), model(t), column("treat"))
	want.Lalonde.check(t, f, err)
}

// With a parameter for every row, or one for all, Firth's estimate is that of
// half a success and half a failure more for each parameter.
func TestFirthSaturated(t *testing.T) {
	x := regress.Matrix{N: 3, P: 4, Data: []float64{1, 0, 0, 7, 1, 1, 0, -2, 1, 0, 1, 5}}
	f, err := regress.Firth(context.Background(), x, []float64{0, 1, 1})
	require.NoError(t, err)
	assert.Equal(t, 3, f.Rank)
	assert.True(t, math.IsNaN(f.Coef[3]))
	for i, want := range []float64{0.25, 0.75, 0.75} {
		assert.InEpsilon(t, want, regress.Expit(f.Predict(x.Row(i))), 1e-9)
	}
	f, err = regress.Firth(context.Background(), regress.Matrix{N: 1, P: 1, Data: []float64{2}}, []float64{1})
	require.NoError(t, err)
	assert.InEpsilon(t, math.Log(3)/2, f.Coef[0], 1e-9)
	ones := make([]float64, 40)
	for i := range ones {
		ones[i] = 1
	}
	y := make([]float64, 40)
	copy(y, ones[:7])
	f, err = regress.Firth(context.Background(), regress.Matrix{N: 40, P: 1, Data: ones}, y)
	require.NoError(t, err)
	assert.InEpsilon(t, 7.5/41, regress.Expit(f.Coef[0]), 1e-9)
}

func TestFirthGComputation(t *testing.T) {
	m := regress.Default(covariates...)
	m.Firth = true
	want := firthFigures(t).GComp
	e, err := m.Expect(context.Background(), comparison(t, effect.UnitShare))
	require.NoError(t, err)
	assert.InEpsilon(t, want.Expected, e.Expected, 1e-8)
	assert.InEpsilon(t, want.VarComparators, e.VarComparators, 1e-7)
	assert.InEpsilon(t, want.VarCell, e.VarCell, 1e-8)
	assert.InEpsilon(t, want.SumW, e.Municipalities[0].Weight, 1e-8)
	assert.InEpsilon(t, want.EffectiveN, e.EffectiveN, 1e-7)
	assert.Equal(t, []string{"firth"}, e.Warnings)
	// Days are not touched by it.
	got, err := m.Expect(context.Background(), comparison(t, effect.UnitDays))
	require.NoError(t, err)
	plain, err := regress.Default(covariates...).Expect(context.Background(), comparison(t, effect.UnitDays))
	require.NoError(t, err)
	assert.Equal(t, plain, got)
}

// Where the outcome is separated the method refuses and says by what; Firth has
// an answer.
func TestMethodUnderSeparation(t *testing.T) {
	for name, c := range map[string]struct {
		covariate func(c *effect.Comparison) effect.Covariate
		why       string
	}{
		"a level that both have": {func(c *effect.Comparison) effect.Covariate {
			names := make([]string, len(c.Y))
			for i := range names {
				names[i] = []string{"common", "other"}[i%2]
			}
			some := 0
			for _, i := range c.Out {
				if c.Y[i] == 1 && some < 12 {
					names[i], some = "rare", some+1
				}
			}
			names[c.In[0]] = "rare"
			return effect.Covariate{Name: "education", Factor: effect.NewFactor(names)}
		}, "education = rare separates those"},
		"the most frequent level": {func(c *effect.Comparison) effect.Covariate {
			names := make([]string, len(c.Y))
			for i := range names {
				names[i] = []string{"most", "few", "fewer"}[min(int(c.Y[i])*(i%3), 2)]
			}
			for _, i := range c.Out {
				if c.Y[i] == 1 {
					names[i] = "most"
				} else {
					names[i] = []string{"few", "fewer", "few"}[i%3]
				}
			}
			some := 0
			for _, i := range c.Out {
				if c.Y[i] == 1 && some < 20 {
					names[i], some = []string{"few", "fewer"}[some%2], some+1
				}
			}
			return effect.Covariate{Name: "education", Factor: effect.NewFactor(names)}
		}, "education = most separates those"},
		"a number": {func(c *effect.Comparison) effect.Covariate {
			x := make([]float64, len(c.Y))
			for i := range x {
				x[i] = float64(i%10) + 20*c.Y[i]
			}
			return effect.Covariate{Name: "score", Number: x}
		}, "score separates those"},
		"a missing number": {func(c *effect.Comparison) effect.Covariate {
			x, some := make([]float64, len(c.Y)), 0
			for i := range x {
				x[i] = float64(i * i % 17)
			}
			for _, i := range c.Out {
				if c.Y[i] == 0 && some < 9 {
					x[i], some = math.NaN(), some+1
				}
			}
			x[c.In[0]] = math.NaN()
			return effect.Covariate{Name: "score", Number: x}
		}, "score = missing separates those"},
	} {
		t.Run(name, func(t *testing.T) {
			comparison := comparison(t, effect.UnitShare)
			added := c.covariate(comparison)
			comparison.Cases.Covariates = append(comparison.Cases.Covariates, added)
			m := regress.Default("age", "educ", added.Name)
			_, err := m.Expect(context.Background(), comparison)
			r, ok := effect.AsRefusal(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, effect.RefusalSeparation, r.Code)
			assert.Contains(t, r.Why, c.why)
			assert.Contains(t, r.Cure, "Firth")
			m.Firth = true
			e, err := m.Expect(context.Background(), comparison)
			require.NoError(t, err)
			assert.Greater(t, e.Expected, 0.0)
			assert.Less(t, e.Expected, 1.0)
			assert.Contains(t, e.Warnings, "firth")
		})
	}
}
