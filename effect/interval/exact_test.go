package interval

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reference reads testdata/reference/profile.json, which profile.py made with
// SciPy 1.17.1.
func reference(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/profile.json")
	require.NoError(t, err)
	out := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func rows(t *testing.T, raw json.RawMessage) (out [][]float64) {
	t.Helper()
	var lines [][]any
	require.NoError(t, json.Unmarshal(raw, &lines))
	for _, line := range lines {
		var row []float64
		for _, v := range line {
			if v == "inf" {
				v = math.Inf(1)
			}
			row = append(row, v.(float64))
		}
		out = append(out, row)
	}
	require.NotEmpty(t, out)
	return out
}

func near(t *testing.T, want, got, rel float64, what ...any) {
	t.Helper()
	assert.InDelta(t, want, got, rel*math.Abs(want), what...)
}

func TestExact(t *testing.T) {
	ref := reference(t)
	for _, r := range rows(t, ref["exact"]) {
		low, high := Exact(r[0], r[1], r[2])
		near(t, r[3], low, 1e-9, r)
		near(t, r[4], high, 1e-9, r)
	}
	for _, r := range rows(t, ref["garwood"]) {
		low, high := Garwood(r[0], r[1])
		near(t, r[2], low, 1e-10, r)
		near(t, r[3], high, 1e-10, r)
	}
	// R 4.2.2, binom.test(65, 100).
	low, high := Exact(65, 100, 0.95)
	near(t, 0.548150638176, low, 1e-11)
	near(t, 0.742706221469, high, 1e-11)
}

func TestCounts(t *testing.T) {
	// Breslow and Day's formula at 65, worked by R 4.2.2: epitools pois.byar
	// uses another variant, so the formula itself is the reference.
	low, high := Byar(65, 0.95)
	near(t, 50.1631877104595, low, 1e-13)
	near(t, 82.84913854594, high, 1e-12)
	ratio, low, high := Ratio(895, 835.883561231, 0.95)
	near(t, 1.07072329390, ratio, 1e-10)
	near(t, 1.00171477126, low, 1e-10)
	near(t, 1.14323328725, high, 1e-10)

	exactLow, exactHigh := Garwood(9, 0.95)
	low, high = Poisson(9, 0.95)
	assert.Equal(t, []float64{exactLow, exactHigh}, []float64{low, high})
	byarLow, byarHigh := Byar(10, 0.95)
	low, high = Poisson(10, 0.95)
	assert.Equal(t, []float64{byarLow, byarHigh}, []float64{low, high})
	// At the change of formula the two agree to a hundredth of the width.
	exactLow, exactHigh = Garwood(10, 0.95)
	assert.InDelta(t, exactLow, byarLow, 0.01*(exactHigh-exactLow))
	assert.InDelta(t, exactHigh, byarHigh, 0.01*(exactHigh-exactLow))

	low, high = Poisson(0, 0.95)
	assert.Equal(t, 0.0, low)
	near(t, -math.Log(0.025), high, 1e-12) // P(0) = exp(-mean)
	low, _ = Byar(0, 0.95)
	assert.Equal(t, 0.0, low)
}

func TestCountEdges(t *testing.T) {
	for _, x := range []float64{-1, math.NaN(), math.Inf(1)} {
		for _, f := range []func(float64, float64) (float64, float64){Garwood, Byar, Poisson} {
			low, high := f(x, 0.95)
			assert.True(t, math.IsNaN(low) && math.IsNaN(high), x)
		}
	}
	for _, c := range []float64{0, 1, math.NaN()} {
		low, high := Poisson(5, c)
		assert.True(t, math.IsNaN(low) && math.IsNaN(high), c)
		low, high = Exact(5, 10, c)
		assert.True(t, math.IsNaN(low) && math.IsNaN(high), c)
	}
	for _, e := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		ratio, low, high := Ratio(5, e, 0.95)
		assert.True(t, math.IsNaN(ratio) && math.IsNaN(low) && math.IsNaN(high), e)
	}
	low, _ := Exact(0, 0, 0.95)
	assert.True(t, math.IsNaN(low))
}

func TestTails(t *testing.T) {
	for _, r := range rows(t, reference(t)["two_sided"]) {
		near(t, r[2], TwoSided(r[0], r[1]), 1e-9, r)
		near(t, r[2], TwoSided(-r[0], r[1]), 1e-9, r)
	}
	assert.Equal(t, 1.0, TwoSided(0, 7))
	assert.Equal(t, 0.0, TwoSided(math.Inf(-1), 7))
	for _, bad := range [][2]float64{{1, 0}, {1, -2}, {math.NaN(), 3}, {1, math.NaN()}} {
		assert.True(t, math.IsNaN(TwoSided(bad[0], bad[1])), bad)
	}
	// A score is the inverse of a tail.
	for _, z := range []float64{-30, -1.96, 0.01, 3, 12} {
		near(t, z, Score(TwoSided(z, math.Inf(1)), z), 1e-10)
	}
	assert.Equal(t, 0.0, Score(1, -1))
	assert.True(t, math.IsNaN(Score(1.5, 1)) && math.IsNaN(Score(math.NaN(), 1)))
}

func TestDerSimonianLaird(t *testing.T) {
	d, v := bcg()
	near(t, 0.308760262862, DerSimonianLaird(d, v), 1e-11)
	assert.Equal(t, 0.0, DerSimonianLaird([]float64{1, 1, 1}, []float64{1, 2, 3}))
	for _, bad := range [][2][]float64{{{1}, {1}}, {{1, 2}, {1, 0}}, {{1, math.NaN()}, {1, 1}}, {{1, 2}, {1}}} {
		assert.True(t, math.IsNaN(DerSimonianLaird(bad[0], bad[1])))
	}
}
