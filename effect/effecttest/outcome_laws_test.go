package effecttest_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/matching"
	"github.com/jobeffekt/jobeffekt/effect/regress"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/weighting"
)

// An amount in other units, from another zero, has the expectation in these units
// from this zero and the variances in their square, by every method that is linear
// in the outcome. Every case twice has the expectation of every case once, and a
// covariate given twice changes no figure.
func TestLawsOfAmounts(t *testing.T) {
	names := []string{"age", "educ", "race", "married", "nodegree", "re74", "re75"}
	read := func() *effect.Comparison {
		file, err := os.Open("../../testdata/reference/lalonde_614.csv")
		require.NoError(t, err)
		defer file.Close()
		return effecttest.Lalonde(t, file, 4)
	}
	classes := []effect.Class{{Covariate: "age", Cuts: []float64{22, 28}}, {Covariate: "married"}, {Covariate: "nodegree"}}
	for k := range classes[1:] { // indicators are numbers here
		classes[k+1].Cuts = []float64{0.5}
	}
	for _, m := range []struct {
		method, twice effect.Method
		drawn         bool // neighbours are counted: with every case twice, or by another score, they are others
	}{
		{balance.Default(names...), balance.Default(append(names, "again")...), false},
		{strata.Default(classes...), strata.Default(append(classes, effect.Class{Covariate: "again", Cuts: []float64{22, 28}})...), false},
		{regress.Default(names...), regress.Default(append(names, "again")...), false},
		{weighting.Default(names...), weighting.Default(append(names, "again")...), false},
		{weighting.Augmented(names...), weighting.Augmented(append(names, "again")...), false},
		{matching.Default(names...), matching.Default(append(names, "again")...), true},
	} {
		t.Run(m.method.Name(), func(t *testing.T) {
			c := read()
			want, err := m.method.Expect(context.Background(), c)
			require.NoError(t, err)

			moved := read()
			for i := range moved.Y {
				moved.Y[i] = 40000 - 3*moved.Y[i]
			}
			got, err := m.method.Expect(context.Background(), moved)
			require.NoError(t, err)
			assert.InEpsilon(t, 40000-3*want.Expected, got.Expected, 1e-9)
			assert.InEpsilon(t, 40000-3*want.Observed, got.Observed, 1e-9)
			assert.InEpsilon(t, 9*want.VarCell, got.VarCell, 1e-7)
			assert.InEpsilon(t, 9*want.VarComparators, got.VarComparators, 1e-7)
			assert.InEpsilon(t, want.EffectiveN, got.EffectiveN, 1e-9)

			again := read()
			age, _ := again.Covariate("age")
			again.Cases.Covariates = append(again.Cases.Covariates, effect.Covariate{Name: "again", Number: slices.Clone(age.Number)})
			got, err = m.twice.Expect(context.Background(), again)
			require.NoError(t, err)
			if !m.drawn {
				assert.InEpsilon(t, want.Expected, got.Expected, 1e-7)
				assert.InEpsilon(t, want.VarComparators, got.VarComparators, 1e-5)
			}

			double := read()
			n := int32(len(double.Y))
			double.Y = append(double.Y, double.Y...)
			for _, i := range slices.Clone(double.In) {
				double.In = append(double.In, i+n)
			}
			for _, i := range slices.Clone(double.Out) {
				double.Out = append(double.Out, i+n)
			}
			double.Repeats = true // the same persons
			double.Cases.Person = append(double.Cases.Person, double.Cases.Person...)
			double.Cases.Municipality.Codes = append(double.Cases.Municipality.Codes, double.Cases.Municipality.Codes...)
			for k := range double.Cases.Covariates {
				cov := &double.Cases.Covariates[k]
				cov.Number, cov.Factor.Codes = append(cov.Number, cov.Number...), append(cov.Factor.Codes, cov.Factor.Codes...)
			}
			got, err = m.method.Expect(context.Background(), double)
			require.NoError(t, err)
			assert.InEpsilon(t, want.Expected, got.Expected, 1e-7)
			assert.InEpsilon(t, want.Observed, got.Observed, 1e-12)
			if !m.drawn {
				assert.InEpsilon(t, want.VarCell, got.VarCell, 1e-9, "the same persons say nothing new")
			}
		})
	}
}
