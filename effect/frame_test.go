package effect_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// frameCases are six cases, of whom the last is in no comparison.
func frameCases() *effect.Comparison {
	return &effect.Comparison{
		Cases: &effect.Cases{
			Person: []int32{0, 1, 2, 3, 4, 5},
			Covariates: []effect.Covariate{
				{Name: "sex", Factor: effect.NewFactor([]string{"f", "m", "f", "", "f", "x"})},
				{Name: "age", Number: []float64{1, 3, 0, math.NaN(), 4, 100}},
			},
		},
		In: []int32{0, 4}, Out: []int32{1, 2, 3},
	}
}

// By hand: the known ages 1 3 0 4 have mean 2 and variance (1+1+4+4)/4 = 2.5; f
// is the most frequent sex.
func TestFrame(t *testing.T) {
	c := frameCases()
	f, err := c.Frame(context.Background(), []string{"sex", "age"}, []effect.Term{effect.Products, effect.Squares, effect.Zeros})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"sex = missing", "sex = m", "age = missing", "age", "age squared", "age = 0",
		"sex = missing x age = missing", "sex = m x age = missing", "sex = missing x age", "sex = m x age",
	}, f.Names)
	assert.False(t, f.Folded)
	z := func(age float64) float64 { return (age - 2) / math.Sqrt(2.5) }
	for i, want := range [][]float64{
		{0, 0, 0, z(1), z(1) * z(1), 0, 0, 0, 0, 0},
		{0, 1, 0, z(3), z(3) * z(3), 0, 0, 0, 0, z(3)},
		{0, 0, 0, z(0), z(0) * z(0), 1, 0, 0, 0, 0},
		{1, 0, 1, 0, 0, 0, 1, 0, 0, 0},
		{0, 0, 0, z(4), z(4) * z(4), 0, 0, 0, 0, 0},
	} {
		assert.InDeltaSlice(t, want, f.X.Row(int(f.Row(int32(i)))), 1e-15, "case %d", i)
	}
	assert.EqualValues(t, -1, f.Row(5))
}

// Cases that are alike in all covariates share a row, in the order of the cases;
// 0 and -0 are alike, and so are all missing numbers.
func TestFrameFolds(t *testing.T) {
	c := &effect.Comparison{Cases: &effect.Cases{Person: make([]int32, 10_000)}}
	x := make([]float64, 10_000)
	for i := range x {
		x[i] = []float64{0, math.Copysign(0, -1), 2, math.NaN(), math.Float64frombits(0x7ff8000000000123)}[i%5]
		c.Out = append(c.Out, int32(i))
	}
	c.Cases.Covariates = []effect.Covariate{{Name: "x", Number: x}}
	f, err := c.Frame(context.Background(), []string{"x"}, nil)
	require.NoError(t, err)
	require.True(t, f.Folded)
	assert.Equal(t, 3, f.X.N)
	for i := range int32(10_000) {
		assert.EqualValues(t, []int32{0, 0, 1, 2, 2}[i%5], f.Row(i))
	}
	// Nothing to fold by: all cases are one pattern.
	f, err = c.Frame(context.Background(), nil, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, f.X.N)
	assert.Zero(t, f.X.P)
	// A continuum is not folded.
	for i := range x {
		x[i] = float64(i)
	}
	f, err = c.Frame(context.Background(), []string{"x"}, nil)
	require.NoError(t, err)
	assert.False(t, f.Folded)
	assert.Equal(t, 10_000, f.X.N)
}

func TestFrameErrors(t *testing.T) {
	c := frameCases()
	_, err := c.Frame(context.Background(), []string{"none"}, nil)
	assert.ErrorContains(t, err, `no covariate "none"`)
	c.Cases.Covariates[1].Number[2] = math.Inf(1)
	_, err = c.Frame(context.Background(), []string{"age"}, nil)
	r, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalNotFinite, r.Code)
	// No rows: no columns of names, and a number that is 0 everywhere.
	c.In, c.Out = nil, nil
	f, err := c.Frame(context.Background(), []string{"sex", "age"}, nil)
	require.NoError(t, err)
	assert.Zero(t, f.X.N)
}
