package balance_test

import (
	"context"
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
)

func TestLaws(t *testing.T) {
	m := balance.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52")
	m.Ladder = [][]effect.Class{{{Covariate: "sex"}, {Covariate: "age", Cuts: []float64{30, 50}}}, {{Covariate: "sex"}}}
	effecttest.Laws(t, m, effecttest.NotAdditive)
}

var numbers = []string{"age", "educ", "married", "nodegree", "re74", "re75"}

// lalonde sets the treated of testdata/reference/lalonde_614.csv against the
// untreated, by re78.
func lalonde(t testing.TB) *effect.Comparison {
	t.Helper()
	f, err := os.Open("../../testdata/reference/lalonde_614.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	column := map[string][]string{}
	for k, h := range rows[0] {
		for _, r := range rows[1:] {
			column[h] = append(column[h], r[k])
		}
	}
	number := func(name string) (out []float64) {
		for _, s := range column[name] {
			v, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			out = append(out, v)
		}
		return out
	}
	c := &effect.Comparison{Cases: &effect.Cases{}, Unit: effect.UnitDays, Y: number("re78")}
	places := make([]string, len(c.Y))
	for i, v := range number("treat") {
		places[i] = string(rune('A' + i%7))
		c.Cases.Person = append(c.Cases.Person, int32(i))
		if v == 1 {
			c.In = append(c.In, int32(i))
		} else {
			c.Out = append(c.Out, int32(i))
		}
	}
	c.Cases.Municipality = effect.NewFactor(places)
	c.Cases.Covariates = []effect.Covariate{{Name: "race", Factor: effect.NewFactor(column["race"])}}
	for _, name := range numbers {
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: name, Number: number(name)})
	}
	return c
}

func covariates() []string { return append([]string{"race"}, numbers...) }

func TestLalonde(t *testing.T) {
	c := lalonde(t)
	m := balance.Default(covariates()...)
	e, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, 1273.26181391, e.Observed-e.Expected, 1e-9)
	assert.InEpsilon(t, 98.4578344244, e.EffectiveN, 1e-9)
	assert.InEpsilon(t, 9.42044612165, e.MaxWeight*429, 1e-9)
	m.Also = []effect.Term{effect.Squares}
	e, err = m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, 1068.0890259, e.Observed-e.Expected, 1e-8)
	assert.InEpsilon(t, 34.3197059929, e.EffectiveN, 1e-8)
}
