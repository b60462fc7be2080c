package regress_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

func TestLaws(t *testing.T) {
	effecttest.Laws(t, regress.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"))
}

// lalonde reads testdata/reference/lalonde_614.csv.
func lalonde(t *testing.T) (column func(string) []float64, text func(string) []string) {
	t.Helper()
	f, err := os.Open("../../testdata/reference/lalonde_614.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	text = func(name string) []string {
		for k, h := range rows[0] {
			if h == name {
				var out []string
				for _, r := range rows[1:] {
					out = append(out, r[k])
				}
				return out
			}
		}
		t.Fatalf("no column %s", name)
		return nil
	}
	column = func(name string) []float64 {
		var out []float64
		for _, s := range text(name) {
			v, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			out = append(out, v)
		}
		return out
	}
	return column, text
}

func model(t *testing.T) regress.Matrix {
	column, text := lalonde(t)
	race := text("race")
	x := regress.Matrix{N: len(race), P: 9}
	for i, r := range race {
		is := func(name string) float64 {
			if r == name {
				return 1
			}
			return 0
		}
		x.Data = append(x.Data, 1, column("age")[i], column("educ")[i], is("hispan"), is("white"),
			column("married")[i], column("nodegree")[i], column("re74")[i], column("re75")[i])
	}
	return x
}

// R 4.2.2: glm(treat ~ age + educ + race + married + nodegree + re74 + re75,
// binomial), race reference black, iterated to convergence.
func TestLogisticLalonde(t *testing.T) {
	column, _ := lalonde(t)
	fit, err := regress.Logistic(context.Background(), model(t), column("treat"))
	require.NoError(t, err)
	for k, want := range []float64{
		-1.66328159482, 0.0157770709858, 0.161306877011, -2.08173411896, -3.06536772923,
		-0.832113271326, 0.707296881080, -7.1776686438e-5, 5.3446447071e-5,
	} {
		assert.InEpsilon(t, want, fit.Coef[k], 1e-7)
	}
	assert.InEpsilon(t, 487.84393131, fit.Deviance, 1e-10)
	assert.Equal(t, 9, fit.Rank)
}

// reference is testdata/reference/regress.json, made by regress.py.
func reference(t *testing.T) (r struct {
	LinearRe78 struct {
		Coef []float64
		RSS  float64
	} `json:"linear_re78"`
	Logistic, Linear figures
},
) {
	b, err := os.ReadFile("../../testdata/reference/regress.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	var g struct {
		Logistic figures `json:"gcomp_logistic"`
		Linear   figures `json:"gcomp_linear"`
	}
	require.NoError(t, json.Unmarshal(b, &g))
	r.Logistic, r.Linear = g.Logistic, g.Linear
	return r
}

type figures struct {
	Expected       float64 `json:"expected"`
	VarCell        float64 `json:"var_cell"`
	VarComparators float64 `json:"var_comparators"`
	SumW           float64 `json:"sum_w"`
	EffectiveN     float64 `json:"effective_n"`
}

func TestLinearLalonde(t *testing.T) {
	column, _ := lalonde(t)
	fit, err := regress.Linear(context.Background(), model(t), column("re78"))
	require.NoError(t, err)
	want := reference(t).LinearRe78
	for k := range want.Coef {
		assert.InEpsilon(t, want.Coef[k], fit.Coef[k], 1e-7)
	}
	assert.InEpsilon(t, want.RSS, fit.Deviance, 1e-10)
}

// comparison sets the treated of lalonde against the untreated.
func comparison(t *testing.T, unit effect.Unit) *effect.Comparison {
	column, text := lalonde(t)
	treat, re78 := column("treat"), column("re78")
	c := &effect.Comparison{Cases: &effect.Cases{}, Unit: unit}
	names := make([]string, len(treat))
	for i := range treat {
		names[i] = "A"
		c.Cases.Person = append(c.Cases.Person, int32(i))
		if treat[i] == 1 {
			c.In = append(c.In, int32(i))
		} else {
			c.Out = append(c.Out, int32(i))
		}
		y := re78[i]
		if unit == effect.UnitShare && y > 0 {
			y = 1
		}
		c.Y = append(c.Y, y)
	}
	c.Cases.Municipality = effect.NewFactor(names)
	c.Cases.Covariates = []effect.Covariate{{Name: "race", Factor: effect.NewFactor(text("race"))}}
	for _, name := range []string{"age", "educ", "married", "nodegree", "re74", "re75"} {
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: name, Number: column(name)})
	}
	return c
}

var covariates = []string{"age", "educ", "race", "married", "nodegree", "re74", "re75"}

func TestGComputation(t *testing.T) {
	for unit, want := range map[effect.Unit]figures{effect.UnitShare: reference(t).Logistic, effect.UnitDays: reference(t).Linear} {
		e, err := regress.Default(covariates...).Expect(context.Background(), comparison(t, unit))
		require.NoError(t, err)
		assert.InEpsilon(t, want.Expected, e.Expected, 1e-9)
		assert.InEpsilon(t, want.VarCell, e.VarCell, 1e-9)
		assert.InEpsilon(t, want.VarComparators, e.VarComparators, 1e-7)
		assert.InEpsilon(t, want.SumW, e.Municipalities[0].Weight, 1e-8)
		if want.EffectiveN != 0 {
			assert.InEpsilon(t, want.EffectiveN, e.EffectiveN, 1e-7)
		}
		assert.Equal(t, 9, e.Rank)
	}
}

// Duplicating a covariate, or one that is constant, changes no figure; the rank
// says so.
func TestAliasedColumns(t *testing.T) {
	c := comparison(t, effect.UnitShare)
	want, err := regress.Default(covariates...).Expect(context.Background(), c)
	require.NoError(t, err)
	age, _ := c.Covariate("age")
	twice := make([]float64, len(age.Number))
	for i, v := range age.Number {
		twice[i] = 3 - 2*v
	}
	c.Cases.Covariates = append(c.Cases.Covariates,
		effect.Covariate{Name: "twice", Number: twice}, effect.Covariate{Name: "constant", Number: make([]float64, len(twice))})
	got, err := regress.Default(append(covariates, "twice", "constant")...).Expect(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, want.Expected, got.Expected, 1e-10)
	assert.InEpsilon(t, want.VarComparators, got.VarComparators, 1e-8)
	assert.Equal(t, want.Rank, got.Rank)
	assert.Equal(t, want.Columns+1, got.Columns)
	assert.Contains(t, got.Warnings, "aliased_columns_set_aside")
}

func refusal(t *testing.T, err error) string {
	t.Helper()
	r, ok := effect.AsRefusal(err)
	require.True(t, ok, "%v", err)
	return r.Code
}

func TestSeparation(t *testing.T) {
	line := func(y ...float64) (regress.Matrix, []float64) {
		x := regress.Matrix{N: len(y), P: 2}
		for i := range y {
			x.Data = append(x.Data, 1, float64(i+1))
		}
		return x, y
	}
	// Complete: ones above, zeros below.
	_, err := unhurried(regress.Logistic)(line(0, 0, 0, 0, 1, 1, 1, 1))
	assert.Equal(t, effect.RefusalSeparation, refusal(t, err))
	// Quasi-complete: a dummy whose ones all have outcome 1.
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := regress.Matrix{N: 400, P: 3}, []float64{}
	for i := range x.N {
		dummy := 0.0
		v := float64(rng.IntN(2))
		if i < 5 {
			dummy, v = 1, 1
		}
		x.Data = append(x.Data, 1, rng.NormFloat64(), dummy)
		y = append(y, v)
	}
	_, err = regress.Logistic(context.Background(), x, y)
	assert.Equal(t, effect.RefusalSeparation, refusal(t, err))
	// One overlapping case and the estimate exists, however steep.
	fit, err := unhurried(regress.Logistic)(line(0, 0, 0, 1, 0, 1, 1, 1))
	require.NoError(t, err)
	assert.Greater(t, fit.Coef[1], 0.5)
	// Nearly separated by a steep slope: many rows, one out of place.
	steep := make([]float64, 2000)
	for i := range steep {
		if i >= 1000 {
			steep[i] = 1
		}
	}
	steep[999], steep[1000] = 1, 0
	_, err = unhurried(regress.Logistic)(line(steep...))
	require.NoError(t, err)
	// Rare outcomes are not separation.
	rare := make([]float64, 5000)
	rare[17], rare[4000] = 1, 1
	_, err = unhurried(regress.Logistic)(line(rare...))
	require.NoError(t, err)
}

func TestRefusals(t *testing.T) {
	one := regress.Matrix{N: 3, P: 1, Data: []float64{1, 1, 1}}
	_, err := regress.Logistic(context.Background(), one, []float64{1, 1, 1})
	assert.Equal(t, effect.RefusalNoVariation, refusal(t, err))
	_, err = regress.Logistic(context.Background(), one, []float64{0, 0, 0})
	assert.Equal(t, effect.RefusalNoVariation, refusal(t, err))
	_, err = regress.Logistic(context.Background(), one, []float64{0, 1, math.NaN()})
	assert.Equal(t, effect.RefusalNotFinite, refusal(t, err))
	_, err = regress.Logistic(context.Background(), one, []float64{0, 1, 0.5})
	assert.Equal(t, effect.RefusalNotFinite, refusal(t, err))
	_, err = regress.Linear(context.Background(), regress.Matrix{N: 1, P: 1, Data: []float64{math.Inf(1)}}, []float64{1})
	assert.Equal(t, effect.RefusalNotFinite, refusal(t, err))
	c := comparison(t, effect.UnitShare)
	c.Strata = []effect.StratumTotal{{Municipality: "B"}}
	_, err = regress.Default("age").Expect(context.Background(), c)
	assert.Equal(t, effect.RefusalNeedsMicro, refusal(t, err))
}

// A name that only the cell has leaves its cases uncovered; one that only
// comparators have is no harm. A missing number needs comparators who miss it.
func TestCoverage(t *testing.T) {
	c := comparison(t, effect.UnitShare)
	names := make([]string, len(c.Y))
	numbers := make([]float64, len(c.Y))
	for i := range names {
		names[i] = "common"
	}
	names[c.In[0]], names[c.In[1]], names[c.Out[0]] = "cell only", "cell only", "comparators only"
	numbers[c.In[2]] = math.NaN()
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "name", Factor: effect.NewFactor(names)}, effect.Covariate{Name: "number", Number: numbers})
	e, err := regress.Default("age", "name", "number").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, len(c.In)-3, e.N)
	for k, covered := range e.Covered {
		assert.Equal(t, k > 2, covered)
	}
	m := regress.Default("age", "name", "number")
	m.MaxUncovered = 0.01
	_, err = m.Expect(context.Background(), c)
	assert.Equal(t, effect.RefusalUncovered, refusal(t, err))
}

// Comparators no more numerous than coefficients fit themselves exactly: that
// is no certainty.
func TestSaturatedFitIsRefused(t *testing.T) {
	c := comparison(t, effect.UnitDays)
	c.Out = c.Out[:6]
	// Six comparators and six columns: the constant and five of noise.
	rng, names := rand.New(rand.NewPCG(5, 6)), []string{}
	for k := range 5 {
		x := make([]float64, len(c.Y))
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		names = append(names, strconv.Itoa(k))
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: strconv.Itoa(k), Number: x})
	}
	_, err := regress.Default(names...).Expect(context.Background(), c)
	assert.Equal(t, effect.RefusalFewComparators, refusal(t, err))
}

// A name that fewer than 5 comparators have counts as unknown, and so do the
// few.
func TestRareNamesAreUncovered(t *testing.T) {
	c := comparison(t, effect.UnitDays)
	names := make([]string, len(c.Y))
	for i := range names {
		names[i] = "common"
	}
	names[c.In[0]], names[c.Out[0]], names[c.Out[1]], names[c.Out[2]], names[c.Out[3]] = "rare", "rare", "rare", "rare", "rare"
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "name", Factor: effect.NewFactor(names)})
	e, err := regress.Default("age", "name").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.False(t, e.Covered[0])
	assert.Equal(t, len(c.Out)-4, e.Comparators)
	names[c.Out[4]] = "rare"
	c.Cases.Covariates[len(c.Cases.Covariates)-1].Factor = effect.NewFactor(names)
	e, err = regress.Default("age", "name").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Nil(t, e.Covered)
	assert.Equal(t, len(c.Out), e.Comparators)
}

// A covariate that tells the municipality hides how municipalities differ.
func TestConfoundedWithMunicipality(t *testing.T) {
	c := comparison(t, effect.UnitDays)
	rng := rand.New(rand.NewPCG(3, 4))
	places, labels := make([]string, len(c.Y)), make([]string, len(c.Y))
	for i := range places {
		places[i] = string(rune('A' + rng.IntN(5)))
		labels[i] = places[i]
		if rng.IntN(20) == 0 {
			labels[i] = string(rune('A' + rng.IntN(5)))
		}
	}
	c.Cases.Municipality = effect.NewFactor(places)
	e, err := regress.Default("age", "educ").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Greater(t, e.Visible, 0.9)
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "label", Factor: effect.NewFactor(labels)})
	e, err = regress.Default("age", "educ", "label").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Less(t, e.Visible, 0.1)
}
