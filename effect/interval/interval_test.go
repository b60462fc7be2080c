package interval

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SciPy 1.17.1 and statsmodels 0.15.0: testdata/reference/interval.py and its
// output interval.json.
func TestProportions(t *testing.T) {
	low, high := Wilson(65, 100, 0.95)
	assert.InEpsilon(t, 0.5525444329688796, low, 1e-12)
	assert.InEpsilon(t, 0.7363575175690247, high, 1e-12)
	d, low, high := Newcombe(56, 70, 48, 80, 0.95)
	assert.InEpsilon(t, 0.2, d, 1e-12)
	assert.InEpsilon(t, 0.05243147240236498, low, 1e-12)
	assert.InEpsilon(t, 0.33387265403690614, high, 1e-12)

	low, high = Wilson(0, 10, 0.95)
	assert.Equal(t, 0.0, low)
	assert.Greater(t, high, 0.2)
	for _, bad := range [][2]float64{{1, 0}, {3, 2}, {-1, 2}, {math.NaN(), 2}} {
		low, high = Wilson(bad[0], bad[1], 0.95)
		assert.True(t, math.IsNaN(low) && math.IsNaN(high), bad)
	}
}

func TestQuantiles(t *testing.T) {
	assert.InEpsilon(t, 1.959963984540054, Normal(0.95), 1e-14) // stats.norm.ppf(0.975)
	assert.InEpsilon(t, 3.1824463052837078, StudentT(3, 0.95), 1e-10)
	assert.InEpsilon(t, 2.5705818356363146, StudentT(5, 0.95), 1e-10)
	assert.InEpsilon(t, 12.706204736174694, StudentT(1, 0.95), 1e-10)
	assert.InEpsilon(t, 1.9623390808264083, StudentT(1000, 0.95), 1e-10)
	assert.InEpsilon(t, StudentT(9.99e6, 0.95), StudentT(1e7, 0.95), 1e-6)
	for _, bad := range [][2]float64{{0, 0.95}, {-1, 0.95}, {3, 0}, {3, 1}, {math.NaN(), 0.95}} {
		assert.True(t, math.IsNaN(StudentT(bad[0], bad[1])), bad)
	}
}

// The 13 trials of the BCG vaccine (Colditz 1994, metafor's dat.bcg); the
// log risk ratio's tau^2 is 0.318068452205 solved exactly.
func TestPauleMandelBCG(t *testing.T) {
	d, v := bcg()
	assert.InEpsilon(t, 0.318068452205, PauleMandel(d, v), 1e-11)
}

func bcg() (d, v []float64) {
	trials := [][4]float64{
		{4, 119, 11, 128},
		{6, 300, 29, 274},
		{3, 228, 11, 209},
		{62, 13536, 248, 12619},
		{33, 5036, 47, 5761},
		{180, 1361, 372, 1079},
		{8, 2537, 10, 619},
		{505, 87886, 499, 87892},
		{29, 7470, 45, 7232},
		{17, 1699, 65, 1600},
		{186, 50448, 141, 27197},
		{5, 2493, 3, 2338},
		{27, 16886, 29, 17825},
	}
	for _, x := range trials {
		n1, n2 := x[0]+x[1], x[2]+x[3]
		d = append(d, math.Log(x[0]/n1/(x[2]/n2)))
		v = append(v, 1/x[0]-1/n1+1/x[2]-1/n2)
	}
	return d, v
}

// metafor 3.8.1, rma(method = "PMM"): testdata/reference/pmm.R and its output.
func TestPauleMandelMedian(t *testing.T) {
	text, err := os.ReadFile("../../testdata/reference/pmm.json")
	require.NoError(t, err)
	var sets map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &sets))
	for _, name := range []string{"bcg", "four", "alike"} {
		var x struct {
			D, V    []float64
			PM, PMM float64
		}
		require.NoError(t, json.Unmarshal(sets[name], &x))
		assert.InDelta(t, x.PM, PauleMandel(x.D, x.V), 1e-6*x.PM, name)
		assert.InDelta(t, x.PMM, PauleMandelMedian(x.D, x.V), 1e-6*x.PMM, name)
	}
	assert.True(t, math.IsNaN(PauleMandelMedian([]float64{1}, []float64{1})))
	// With equal variances: sum of squares over the median of chi-square(2), 2 ln 2, less v.
	assert.InEpsilon(t, 8/(2*math.Ln2)-1, PauleMandelMedian([]float64{0, 2, 4}, []float64{1, 1, 1}), 1e-9)
}

func TestPauleMandelEdges(t *testing.T) {
	assert.Equal(t, 0.0, PauleMandel([]float64{1, 1, 1}, []float64{1, 2, 3}))
	assert.Equal(t, 0.0, PauleMandel([]float64{1, 1.1}, []float64{1, 1}))
	assert.True(t, math.IsNaN(PauleMandel([]float64{1}, []float64{1})))
	assert.True(t, math.IsNaN(PauleMandel([]float64{1, math.Inf(1)}, []float64{1, 1})))
	assert.True(t, math.IsNaN(PauleMandel([]float64{1, 2}, []float64{1, -1})))
	// With equal variances the root is the sample variance less v.
	assert.InEpsilon(t, 4-1.0, PauleMandel([]float64{0, 2, 4}, []float64{1, 1, 1}), 1e-12)
	// A unit known exactly (v = 0) must not divide by zero: sample variance 4.
	assert.InEpsilon(t, 4.0, PauleMandel([]float64{0, 2, 4}, []float64{0, 0, 0}), 1e-12)
}
