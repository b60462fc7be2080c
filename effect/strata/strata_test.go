package strata_test

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
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

func classes() []effect.Class {
	return []effect.Class{
		{Covariate: "age", Cuts: []float64{30, 50}},
		{Covariate: "weeks_employed_52", Cuts: []float64{0.1, 13}},
		{Covariate: "sex"},
	}
}

func TestLaws(t *testing.T) { effecttest.Laws(t, strata.Default(classes()...)) }

// A cell of four and six comparators, small enough to work out by hand. Classes:
// sex. Cell: f f f m with outcomes 1 0 1 0. Comparators: f in A 1 0, f in B 1 1,
// m in A 0, m in B 1.
//
//	means: f 3/4, m 1/2; expected 3/4*3/4 + 1/4*1/2 = 11/16; observed 1/2
//	own variances: f (4*3/16)/3 = 1/4, m (2*1/4)/1 = 1/2; pooled (3/4 + 1/2)/4 = 5/16,
//	which strata with fewer than 5 comparators have at least: f 5/16, m 1/2
//	V(comparators) = (3/4)^2/4 * 5/16 + (1/4)^2/2 * 1/2 = 45/1024 + 16/1024 = 61/1024
//	residuals of the cell: 1/4 -3/4 1/4 -1/2, mean -3/16, deviations 7/16 -9/16 7/16 -5/16,
//	V(cell) = (49 + 81 + 49 + 25)/256 / (4*3) = 204/3072 = 17/256
func byHand() *effect.Comparison {
	cases := &effect.Cases{
		Person:       []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		Municipality: effect.NewFactor([]string{"H", "H", "H", "H", "A", "A", "B", "B", "A", "B"}),
		Covariates:   []effect.Covariate{{Name: "sex", Factor: effect.NewFactor([]string{"f", "f", "f", "m", "f", "f", "f", "f", "m", "m"})}},
	}
	return &effect.Comparison{
		Cases: cases, Unit: effect.UnitShare, Y: []float64{1, 0, 1, 0, 1, 0, 1, 1, 0, 1},
		In: []int32{0, 1, 2, 3}, Out: []int32{4, 5, 6, 7, 8, 9},
	}
}

func TestByHand(t *testing.T) {
	e, err := strata.Default(effect.Class{Covariate: "sex"}).Expect(context.Background(), byHand())
	require.NoError(t, err)
	assert.Equal(t, 0.5, e.Observed)
	assert.InEpsilon(t, 11.0/16, e.Expected, 1e-15)
	assert.InEpsilon(t, 17.0/256, e.VarCell, 1e-14)
	assert.InEpsilon(t, 61.0/1024, e.VarComparators, 1e-14)
	// Weights: f 3/16 four times, m 1/8 twice: sum 1, squares 4*9/256 + 2/64.
	assert.InEpsilon(t, 1/(36.0/256+2.0/64), e.EffectiveN, 1e-14)
	assert.InEpsilon(t, 3.0/16, e.MaxWeight, 1e-15)
	require.Len(t, e.Municipalities, 2)
	a := e.Municipalities[0]
	assert.Equal(t, "A", a.Municipality)
	assert.Equal(t, 3, a.N)
	assert.InEpsilon(t, 0.5, a.Weight, 1e-15)
	// Both municipalities have the same mix, so all of their difference shows.
	assert.InEpsilon(t, 1.0, e.Visible, 1e-14)
	// A: f (1 + 0 - 2*3/4) * 3/16, m (0 - 1/2) * 1/8
	assert.InEpsilon(t, -0.5*3/16-0.5/8, a.Residual, 1e-14)
}

func TestEveryStratumOfOneIsRefused(t *testing.T) {
	c := byHand()
	c.Out = []int32{4, 8}
	_, err := strata.Default(effect.Class{Covariate: "sex"}).Expect(context.Background(), c)
	r, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalNoVariation, r.Code)
}

func TestUncovered(t *testing.T) {
	c := byHand()
	c.Out = []int32{4, 5, 6, 7} // nobody like the m
	m := strata.Default(effect.Class{Covariate: "sex"})
	_, err := m.Expect(context.Background(), c)
	r, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalUncovered, r.Code)
	m.MaxUncovered = 0.25
	e, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, []bool{true, true, true, false}, e.Covered)
	assert.InEpsilon(t, 2.0/3, e.Observed, 1e-15)
	assert.InEpsilon(t, 3.0/4, e.Expected, 1e-15)
	c.Out = nil
	c.Strata = []effect.StratumTotal{{Municipality: "A", Classes: []string{"x"}, N: 10, Sum: 5, SumSquares: 5}}
	_, err = m.Expect(context.Background(), c)
	r, ok = effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalNoComparators, r.Code)
}

func TestMisdeclaredClasses(t *testing.T) {
	c := byHand()
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "age", Number: make([]float64, 10)})
	for _, class := range []effect.Class{{Covariate: "none"}, {Covariate: "age"}, {Covariate: "sex", Cuts: []float64{1}}, {Covariate: "age", Cuts: []float64{2, 1}}} {
		_, err := strata.Default(class).Expect(context.Background(), c)
		assert.Error(t, err)
		_, refused := effect.AsRefusal(err)
		assert.False(t, refused, "a declaration that makes no sense is an error, not a refusal")
	}
}

func TestAggregatedWithOtherCuts(t *testing.T) {
	c := byHand()
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "age", Number: make([]float64, 10)})
	c.Strata = []effect.StratumTotal{{Municipality: "C", Classes: []string{"<25"}, N: 10, Sum: 5, SumSquares: 5}}
	_, err := strata.Default(effect.Class{Covariate: "age", Cuts: []float64{30}}).Expect(context.Background(), c)
	assert.ErrorContains(t, err, `the class "<25" of age, where the declared cuts make <30, >=30, missing`)
}

func TestMissingIsAClass(t *testing.T) {
	c := byHand()
	c.Cases.Covariates = []effect.Covariate{{Name: "age", Number: []float64{math.NaN(), math.NaN(), 20, 30, math.NaN(), 20, math.NaN(), 30, 29, 31}}}
	e, err := strata.Default(effect.Class{Covariate: "age", Cuts: []float64{30}}).Expect(context.Background(), c)
	require.NoError(t, err)
	// missing: 1 1; under 30: 0 0; 30 and over: 1 1
	assert.InEpsilon(t, 0.5*1+0.25*0+0.25*1, e.Expected, 1e-15)
}

// Aggregated outcomes in place of the peers' records give the same figures.
func TestAggregatedEqualsRecords(t *testing.T) {
	o := world.Default()
	o.Persons, o.Municipalities = 4000, 7
	data := effecttest.FromWorld(t, o)
	obs := data.Observe(t, effecttest.Study())
	totals, err := strata.Totals(obs, classes())
	require.NoError(t, err)

	home := "751"
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{home: slices.DeleteFunc(slices.Clone(obs.Cases.Municipality.Levels), func(m string) bool { return m == home })}
	method := []effect.Method{strata.Default(classes()...)}
	want, err := effect.Estimates(context.Background(), obs, d, method)
	require.NoError(t, err)

	own := *data
	own.Participations = slices.DeleteFunc(slices.Clone(data.Participations), func(p world.Participation) bool { return p.Municipality != home })
	persons := map[int64]bool{}
	for _, p := range own.Participations {
		persons[p.PersonID] = true
	}
	own.Spells = slices.DeleteFunc(slices.Clone(data.Spells), func(s world.Spell) bool { return !persons[s.PersonID] })
	d.Strata = slices.DeleteFunc(totals, func(s effect.StratumTotal) bool { return s.Municipality == home })
	got, err := effect.Estimates(context.Background(), own.Observe(t, effecttest.Study()), d, method)
	require.NoError(t, err)

	compared := 0
	for _, w := range want {
		if w.Municipality != home {
			continue
		}
		for _, g := range got {
			if g.Outcome == w.Outcome && g.Cell == w.Cell && g.Comparators == w.Comparators && g.Support == w.Support {
				compared++
				if w.Comparators == effect.Peers && w.Refusal == "" {
					assert.Equal(t, "aggregated_comparators", g.Warnings)
					g.Warnings = w.Warnings
					assert.True(t, math.IsNaN(g.WorstSMD), "aggregates tell neither how covariates are balanced within their classes nor who was followed")
					g.MeanSMD, g.WorstSMD, g.WorstTerm, g.VarianceRatio, g.FollowUpOut = w.MeanSMD, w.WorstSMD, w.WorstTerm, w.VarianceRatio, w.FollowUpOut
				}
				// As text, because NaN is not equal to itself.
				assert.Equal(t, fmt.Sprintf("%+v", w), fmt.Sprintf("%+v", g))
			}
		}
	}
	assert.Greater(t, compared, 20)
}

func TestRecordsAndStrataOfOneMunicipalityAreRefused(t *testing.T) {
	o := world.Default()
	o.Persons, o.Municipalities = 500, 5
	obs := effecttest.FromWorld(t, o).Observe(t, effecttest.Study())
	d := effect.DefaultDesign()
	d.Strata = []effect.StratumTotal{{Municipality: "751"}}
	_, err := effect.Estimates(context.Background(), obs, d, []effect.Method{strata.Default(classes()...)})
	assert.ErrorIs(t, err, effect.ErrDesign)
}
