package regress_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// robustFigures is testdata/reference/robust_r.json, made by robust.R with
// sandwich, estimatr and clubSandwich.
func robustFigures(t *testing.T) map[string]map[string][]float64 {
	b, err := os.ReadFile("../../testdata/reference/robust_r.json")
	require.NoError(t, err)
	var raw map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &raw))
	delete(raw, "tool")
	out := map[string]map[string][]float64{}
	for name, r := range raw {
		var v map[string][]float64
		require.NoError(t, json.Unmarshal(r, &v))
		out[name] = v
	}
	return out
}

func design(columns ...[]float64) regress.Matrix {
	x := regress.Matrix{N: len(columns[0]), P: len(columns) + 1}
	for i := range x.N {
		x.Data = append(x.Data, 1)
		for _, c := range columns {
			x.Data = append(x.Data, c[i])
		}
	}
	return x
}

func whole(x []float64) []int32 {
	out := make([]int32, len(x))
	for i, v := range x {
		out[i] = int32(v)
	}
	return out
}

// at makes a column from the values of rows.
func at(n int, f func(i int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func agrees(t *testing.T, want map[string][]float64, got *regress.Robust, err error) {
	t.Helper()
	require.NoError(t, err)
	p := len(got.SE)
	require.Len(t, want["vcov"], p*p)
	for j := range p {
		for k := range p {
			scale := math.Sqrt(want["vcov"][j*p+j] * want["vcov"][k*p+k])
			assert.InDelta(t, want["vcov"][j*p+k], got.Covariance[j][k], 1e-8*scale, "%d %d", j, k)
		}
		assert.InEpsilon(t, math.Sqrt(want["vcov"][j*p+j]), got.SE[j], 1e-8)
		assert.InEpsilon(t, want["df"][j], got.DF[j], 1e-6)
	}
}

func TestRobust(t *testing.T) {
	want := robustFigures(t)
	mpg, x := want["mtcars"]["mpg"], design(want["mtcars"]["hp"])
	cyl := whole(want["mtcars"]["cyl"])
	r, err := regress.HC2(context.Background(), x, mpg)
	agrees(t, want["mtcars_hc2"], r, err)
	assert.InEpsilon(t, want["mtcars_hc2_estimatr"]["se"][1], r.SE[1], 1e-10)
	r, err = regress.HC3(context.Background(), x, mpg)
	agrees(t, want["mtcars_hc3"], r, err)
	r, err = regress.Clustered(context.Background(), x, mpg, cyl)
	agrees(t, want["mtcars_cr2"], r, err)
	assert.Equal(t, 3, r.Clusters)
	assert.InEpsilon(t, want["mtcars_cr2_estimatr"]["df"][1], r.DF[1], 1e-8)

	column, text := lalonde(t)
	re78, age, educ := column("re78"), column("age"), column("educ")
	r, err = regress.HC2(context.Background(), model(t), re78)
	agrees(t, want["lalonde_hc2"], r, err)
	r, err = regress.HC3(context.Background(), model(t), re78)
	agrees(t, want["lalonde_hc3"], r, err)
	n := len(age)
	race := effect.NewFactor(text("race"))
	r, err = regress.Clustered(context.Background(), design(age, educ), re78, race.Codes)
	agrees(t, want["lalonde_cr2_race"], r, err)
	place := at(n, func(i int) float64 { return math.Mod(age[i]*7+educ[i], 11) })
	high := at(n, func(i int) float64 { return indicator(place[i] > 4) })
	own := at(n, func(i int) float64 { return indicator(place[i] == 3) })
	r, err = regress.Clustered(context.Background(), design(age, educ, high), re78, whole(place))
	agrees(t, want["place_cr2"], r, err)
	r, err = regress.Clustered(context.Background(), design(age, educ, high), re78, whole(age))
	agrees(t, want["place_age_cr2"], r, err)
	r, err = regress.Clustered(context.Background(), design(age, own), re78, whole(place))
	agrees(t, want["own_cr2"], r, err)
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Clusters of one row are HC2; labels are labels; a duplicated column changes
// nothing but itself.
func TestClusteredLaws(t *testing.T) {
	column, _ := lalonde(t)
	age, educ, re78 := column("age"), column("educ"), column("re78")
	x, n := design(age, educ), len(age)
	single, err := regress.Clustered(context.Background(), x, re78, whole(at(n, func(i int) float64 { return float64(n - i) })))
	require.NoError(t, err)
	hc2, err := regress.HC2(context.Background(), x, re78)
	require.NoError(t, err)
	assert.Equal(t, hc2, single)
	labels := whole(at(n, func(i int) float64 { return float64(i % 7) }))
	want, err := regress.Clustered(context.Background(), x, re78, labels)
	require.NoError(t, err)
	got, err := regress.Clustered(context.Background(), x, re78, whole(at(n, func(i int) float64 { return 100 - float64(i%7) })))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = regress.Clustered(context.Background(), design(age, age, educ), re78, labels)
	require.NoError(t, err)
	assert.True(t, math.IsNaN(got.SE[2]))
	assert.True(t, math.IsNaN(got.DF[2]))
	assert.True(t, math.IsNaN(got.Covariance[2][1]))
	for k, c := range []int{0, 1, 3} {
		assert.InEpsilon(t, want.SE[k], got.SE[c], 1e-9)
		assert.InEpsilon(t, want.DF[k], got.DF[c], 1e-7)
	}
	// Rows in another order.
	back := regress.Matrix{N: n, P: 3}
	for i := range n {
		back.Data = append(back.Data, x.Row(n-1-i)...)
	}
	slices.Reverse(re78)
	slices.Reverse(labels)
	got, err = regress.Clustered(context.Background(), back, re78, labels)
	require.NoError(t, err)
	for k := range 3 {
		assert.InEpsilon(t, want.SE[k], got.SE[k], 1e-10)
		assert.InEpsilon(t, want.DF[k], got.DF[k], 1e-8)
	}
}

func TestRobustRefusals(t *testing.T) {
	x, y := line(1, 2, 4)
	_, err := regress.Clustered(context.Background(), x, y, []int32{1, 1, 1})
	assert.Equal(t, effect.RefusalFewComparators, refusal(t, err))
	_, err = regress.Clustered(context.Background(), x, y, []int32{1, 1})
	assert.ErrorIs(t, err, regress.ErrShape)
	_, err = regress.HC2(context.Background(), x, []float64{1, math.NaN(), 2})
	assert.Equal(t, effect.RefusalNotFinite, refusal(t, err))
	_, err = regress.HC3(context.Background(), regress.Matrix{P: 2}, nil)
	assert.Equal(t, effect.RefusalFewComparators, refusal(t, err))
	// As many coefficients as rows: no residual, no variance to tell.
	r, err := unhurried(regress.HC2)(line(1, 5))
	require.NoError(t, err)
	assert.InDelta(t, 4, r.Fit.Coef[1], 1e-12)
	for k := range 2 {
		assert.True(t, math.IsNaN(r.SE[k]))
		assert.True(t, math.IsNaN(r.DF[k]))
	}
}
