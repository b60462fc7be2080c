package effect_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Of 1, 2, 3 and 6 the mean is 3 and the mean squared deviation 14/4; neither the
// magnitude nor missing numbers change more than the scale.
func TestMoments(t *testing.T) {
	nan := math.NaN()
	for _, scale := range []float64{1, -7, 1e300 / 8, 1e-300, 3e-310} {
		c := effect.Covariate{Number: []float64{1 * scale, nan, 2 * scale, 99, 3 * scale, 6 * scale}}
		known, mean, deviation := c.Moments([]int32{0, 1, 2, 4, 5})
		assert.Equal(t, 4, known)
		assert.InEpsilon(t, 3*scale, mean, 1e-12)
		assert.InEpsilon(t, math.Sqrt(3.5)*math.Abs(scale), deviation, 1e-12)
	}
	c := effect.Covariate{Number: []float64{nan, 0, math.Inf(-1), 5}}
	known, mean, deviation := c.Moments([]int32{0})
	assert.Equal(t, [3]float64{0, 0, 0}, [3]float64{float64(known), mean, deviation})
	known, mean, deviation = c.Moments([]int32{0, 1})
	assert.Equal(t, [3]float64{1, 0, 0}, [3]float64{float64(known), mean, deviation})
	_, mean, deviation = c.Moments([]int32{1, 2, 3})
	assert.True(t, math.IsNaN(mean) && math.IsNaN(deviation))
}

// A covariate is adjusted for whatever its magnitude, and refused where it is
// infinite: it is never dropped in silence.
func TestRegressionOfAnyMagnitude(t *testing.T) {
	fit := func(change func(x float64) float64) (effect.Expectation, error) {
		obs := town()
		age := obs.Cases.Covariates[0].Number
		for i := range age {
			age[i] = change(age[i])
		}
		c := &effect.Comparison{Cases: obs.Cases, Unit: effect.UnitDays}
		for i := range int32(obs.Cases.Len()) {
			c.Y = append(c.Y, float64(i%7)+float64(i%2))
			if obs.Cases.Provider.At(int(i)) == "p" {
				c.In = append(c.In, i)
			} else {
				c.Out = append(c.Out, i)
			}
		}
		return regress.Default("age").Expect(context.Background(), c)
	}
	want, err := fit(func(x float64) float64 { return x })
	require.NoError(t, err)
	for _, scale := range []float64{1e300, 1e160, 1e-160, 1e-300} {
		got, err := fit(func(x float64) float64 { return x * scale })
		require.NoError(t, err)
		assert.InEpsilon(t, want.Expected, got.Expected, 1e-9, scale)
		assert.Equal(t, want.Rank, got.Rank)
	}
	_, err = fit(func(x float64) float64 {
		if x == 30 {
			return math.Inf(1)
		}
		return x
	})
	refusal, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalNotFinite, refusal.Code)
}
