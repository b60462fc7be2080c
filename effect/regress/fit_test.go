package regress_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// long is a table long enough to start from fewer rows: a constant, numbers, an
// indicator that few rows have and none that the start sees, and a column that
// the first and third determine.
func long(n int, seed uint64) (regress.Matrix, []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	x, y := regress.Matrix{N: n, P: 6, Data: make([]float64, 0, 6*n)}, make([]float64, n)
	for i := range n {
		a, b, c := rng.NormFloat64(), rng.Float64(), indicator(rng.IntN(10) == 0)
		x.Data = append(x.Data, 1, a, b, c, indicator(i%1000 == 7), 3-2*b)
		y[i] = indicator(rng.Float64() < regress.Expit(-1+a-2*b+0.5*c))
	}
	return x, y
}

// plain is Newton's method from 0, written out, with Gaussian elimination.
func plain(x regress.Matrix, y []float64, columns ...int) []float64 {
	p := len(columns)
	b := make([]float64, p)
	for range 12 {
		a := make([][]float64, p)
		for j := range a {
			a[j] = make([]float64, p+1)
		}
		for i := range x.N {
			row, eta := x.Row(i), 0.0
			for k, c := range columns {
				eta += b[k] * row[c]
			}
			fitted := 1 / (1 + math.Exp(-eta))
			for j, c := range columns {
				for k, d := range columns {
					a[j][k] += fitted * (1 - fitted) * row[c] * row[d]
				}
				a[j][p] += row[c] * (y[i] - fitted)
			}
		}
		for j := range p {
			for k := range p {
				if k != j {
					f := a[k][j] / a[j][j]
					for m := range a[k] {
						a[k][m] -= f * a[j][m]
					}
				}
			}
		}
		for j := range b {
			b[j] += a[j][p] / a[j][j]
		}
	}
	return b
}

func TestLongTable(t *testing.T) {
	x, y := long(45_000, 1)
	run := func(procs int) *regress.Fit {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		f, err := regress.Logistic(context.Background(), x, y)
		require.NoError(t, err)
		return f
	}
	f := run(1)
	require.Equal(t, f.Influence(x.Row(3)), run(2).Influence(x.Row(3)))
	require.Equal(t, f.Coef[:5], run(2).Coef[:5], "the same bytes on any number of processors")
	assert.Equal(t, 5, f.Rank)
	assert.True(t, math.IsNaN(f.Coef[5]))
	for k, want := range plain(x, y, 0, 1, 2, 3, 4) {
		assert.InDelta(t, want, f.Coef[k], 1e-11)
	}
	// The start depends on the order of the rows, the estimate does not.
	back := regress.Matrix{N: x.N, P: x.P}
	for i := range x.N {
		back.Data = append(back.Data, x.Row(x.N-1-i)...)
	}
	slices.Reverse(y)
	g, err := regress.Logistic(context.Background(), back, y)
	require.NoError(t, err)
	h, influence := f.Influence(x.Row(0)), g.Influence(x.Row(0))
	for k := range 5 {
		assert.InDelta(t, f.Coef[k], g.Coef[k], 1e-12)
		assert.InDelta(t, h[k], influence[k], 1e-10*math.Abs(h[k]))
	}
	assert.InEpsilon(t, f.Deviance, g.Deviance, 1e-13)
}

// What the start does not see can separate all the same.
func TestLongTableSeparated(t *testing.T) {
	x, y := long(45_000, 2)
	for i := range y {
		if x.Row(i)[4] == 1 {
			y[i] = 1
		}
	}
	_, err := regress.Logistic(context.Background(), x, y)
	r, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalSeparation, r.Code)
	assert.Contains(t, r.Why, "column 4 (the first is 0) separates")
	// Completely, by a number.
	for i := range y {
		y[i] = indicator(x.Row(i)[1] > 0.7)
	}
	_, err = regress.Logistic(context.Background(), x, y)
	r, ok = effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalSeparation, r.Code)
	assert.Contains(t, r.Why, "column 1 (the first is 0) separates")
	// What the start sees as separated need not be.
	x, y = long(45_000, 3)
	for i := 0; i < len(y); i += 16 {
		x.Row(i)[3] = y[i]
	}
	f, err := regress.Logistic(context.Background(), x, y)
	require.NoError(t, err)
	for k, want := range plain(x, y, 0, 1, 2, 3, 4) {
		assert.InDelta(t, want, f.Coef[k], 1e-11)
	}
}

// The fit refuses exactly the tables that a linear program separates, and Firth
// none: testdata/reference/separation.json, made by separation.py.
func TestSeparationIsThatOfALinearProgram(t *testing.T) {
	b, err := os.ReadFile("../../testdata/reference/separation.json")
	require.NoError(t, err)
	var r struct {
		Cases []struct {
			P         int
			X, Y      []float64
			Separated bool
		}
	}
	require.NoError(t, json.Unmarshal(b, &r))
	require.Len(t, r.Cases, 200)
	for i, c := range r.Cases {
		x := regress.Matrix{N: len(c.Y), P: c.P, Data: c.X}
		_, err := regress.Logistic(context.Background(), x, c.Y)
		if c.Separated {
			assert.Equal(t, effect.RefusalSeparation, refusal(t, err), "case %d", i)
		} else {
			assert.NoError(t, err, "case %d", i)
		}
		_, err = regress.Firth(context.Background(), x, c.Y)
		assert.NoError(t, err, "case %d", i)
	}
}

func TestSeparatingColumns(t *testing.T) {
	why := func(x regress.Matrix, y []float64) string {
		_, err := regress.Logistic(context.Background(), x, y)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok, "%v", err)
		require.Equal(t, effect.RefusalSeparation, r.Code)
		return r.Why
	}
	rng := rand.New(rand.NewPCG(4, 4))
	noise := func() []float64 { return at(200, func(int) float64 { return rng.NormFloat64() }) }
	a, b, c := noise(), noise(), noise()
	y := at(200, func(i int) float64 { return indicator(a[i] > 0.3) })
	assert.Contains(t, why(design(c, a, b), y), "column 2 (the first is 0) separates")
	// Neither alone, but their sum.
	y = at(200, func(i int) float64 { return indicator(a[i]+b[i] > 0) })
	assert.Contains(t, why(design(a, c, b), y), "column 1 (the first is 0), column 3 (the first is 0) separate ")
	// Two indicators, each by itself.
	x := design(at(200, func(i int) float64 { return indicator(i < 6) }), c, at(200, func(i int) float64 { return indicator(i >= 190) }))
	y = at(200, func(i int) float64 { return indicator(i < 6 || i%2 == 0 && i < 190) })
	assert.Contains(t, why(x, y), "column 1 (the first is 0), column 3 (the first is 0) separate ")
}

// Bad input gives a refusal, or the value that the documentation says.
func TestBadInput(t *testing.T) {
	one := func(values ...float64) regress.Matrix { return regress.Matrix{N: len(values), P: 1, Data: values} }
	type fit = func(regress.Matrix, []float64) (*regress.Fit, error)
	fits := map[string]fit{"linear": unhurried(regress.Linear), "logistic": unhurried(regress.Logistic), "firth": unhurried(regress.Firth)}
	const fine = "fine"
	for _, c := range []struct {
		name                    string
		x                       regress.Matrix
		y                       []float64
		linear, logistic, firth string
		rank                    int
	}{
		{"no rows", regress.Matrix{P: 2}, nil, fine, effect.RefusalNoVariation, fine, 0},
		{"no columns", regress.Matrix{N: 3, Data: nil}, []float64{1, 0, 1}, fine, fine, fine, 0},
		{"one row", one(1), []float64{1}, fine, effect.RefusalNoVariation, fine, 1},
		{"all events", one(1, 1, 1), []float64{1, 1, 1}, fine, effect.RefusalNoVariation, fine, 1},
		{"no events", one(1, 1, 1), []float64{0, 0, 0}, fine, effect.RefusalNoVariation, fine, 1},
		{"NaN in a covariate", one(1, math.NaN(), 1), []float64{0, 1, 0}, effect.RefusalNotFinite, effect.RefusalNotFinite, effect.RefusalNotFinite, 0},
		{"NaN in the outcome", one(1, 1, 1), []float64{0, math.NaN(), 0}, effect.RefusalNotFinite, effect.RefusalNotFinite, effect.RefusalNotFinite, 0},
		{"infinity", one(1, math.Inf(-1), 1), []float64{0, 1, 0}, effect.RefusalNotFinite, effect.RefusalNotFinite, effect.RefusalNotFinite, 0},
		{"too large to be squared", one(1, 1e200, 1), []float64{0, 1, 0}, effect.RefusalNotFinite, effect.RefusalNotFinite, effect.RefusalNotFinite, 0},
		{"an outcome between 0 and 1", one(1, 1, 1), []float64{0, 0.5, 1}, fine, effect.RefusalNotFinite, effect.RefusalNotFinite, 1},
		{"a column of zeros", one(0, 0, 0), []float64{0, 1, 1}, fine, fine, fine, 0},
		{"two constants", regress.Matrix{N: 3, P: 2, Data: []float64{1, 5, 1, 5, 1, 5}}, []float64{0, 1, 1}, fine, fine, fine, 1},
		{"a column twice", regress.Matrix{N: 4, P: 3, Data: []float64{1, 2, 2, 1, 3, 3, 1, 4, 4, 1, 5, 5}}, []float64{0, 1, 0, 1}, fine, fine, fine, 2},
		{"more columns than rows", regress.Matrix{N: 2, P: 4, Data: []float64{1, 2, 3, 4, 1, 5, 2, 7}}, []float64{0, 1}, fine, effect.RefusalSeparation, fine, 2},
		{"complete separation", regress.Matrix{N: 4, P: 2, Data: []float64{1, 1, 1, 2, 1, 3, 1, 4}}, []float64{0, 0, 1, 1}, fine, effect.RefusalSeparation, fine, 2},
		{"quasi separation", regress.Matrix{N: 6, P: 2, Data: []float64{1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1}}, []float64{0, 1, 0, 1, 1, 1}, fine, effect.RefusalSeparation, fine, 2},
	} {
		for kind, want := range map[string]string{"linear": c.linear, "logistic": c.logistic, "firth": c.firth} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				f, err := fits[kind](c.x, c.y)
				if want != fine {
					assert.Equal(t, want, refusal(t, err))
					assert.Nil(t, f)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, c.rank, f.Rank)
				missing := 0
				for k, v := range f.Coef {
					assert.False(t, math.IsInf(v, 0))
					if math.IsNaN(v) {
						missing++
						assert.Zero(t, f.Influence(make([]float64, c.x.P))[k])
					}
				}
				assert.Equal(t, c.x.P-c.rank, missing)
				for i := range c.x.N {
					assert.False(t, math.IsNaN(f.Predict(c.x.Row(i))))
				}
				assert.False(t, math.IsNaN(f.Deviance))
			})
		}
	}
	for name, f := range fits {
		_, err := f(one(1, 1), []float64{1})
		assert.ErrorIs(t, err, regress.ErrShape, name)
		_, err = f(regress.Matrix{N: 2, P: 2, Data: []float64{1, 2, 3}}, []float64{1, 0})
		assert.ErrorIs(t, err, regress.ErrShape, name)
	}
	// Rank 0 predicts 0; a saturated linear fit is exact.
	f, err := regress.Linear(context.Background(), one(0, 0), []float64{3, 4})
	require.NoError(t, err)
	assert.Zero(t, f.Predict([]float64{7}))
	assert.InEpsilon(t, 25, f.Deviance, 1e-15)
	f, err = unhurried(regress.Linear)(line(3, 8))
	require.NoError(t, err)
	assert.InDelta(t, 0, f.Deviance, 1e-20)
}

// An affine change of the covariates, here one that mixes them, leaves all
// predictions as they are; a column twice does too, and the rank tells.
func TestAffineCovariates(t *testing.T) {
	column, _ := lalonde(t)
	x := model(t)
	changed, twice := regress.Matrix{N: x.N, P: x.P}, regress.Matrix{N: x.N, P: x.P + 1}
	for i := range x.N {
		row := x.Row(i)
		twice.Data = append(append(append(twice.Data, row[:4]...), row[1]), row[4:]...)
		changed.Data = append(changed.Data, row[0])
		for k := 1; k < x.P; k++ {
			changed.Data = append(changed.Data, 40-0.3*row[k]+0.2*row[1+k%8])
		}
	}
	for name, f := range map[string]func(regress.Matrix, []float64) (*regress.Fit, error){"linear": unhurried(regress.Linear), "logistic": unhurried(regress.Logistic), "firth": unhurried(regress.Firth)} {
		y := column("treat")
		if name == "linear" {
			y = column("re78")
		}
		want, err := f(x, y)
		require.NoError(t, err)
		got, err := f(changed, y)
		require.NoError(t, err)
		again, err := f(twice, y)
		require.NoError(t, err)
		assert.Equal(t, want.Rank, again.Rank)
		assert.True(t, math.IsNaN(again.Coef[4]))
		for i := range x.N {
			scale := math.Max(1, math.Abs(want.Predict(x.Row(i))))
			assert.InDelta(t, want.Predict(x.Row(i)), got.Predict(changed.Row(i)), 1e-7*scale, name)
			assert.InDelta(t, want.Predict(x.Row(i)), again.Predict(twice.Row(i)), 1e-8*scale, name)
		}
	}
}

// Scaling and shifting a covariate of numbers changes no figure of the method,
// and a fraction of a window is fitted as days are.
func TestMethodLaws(t *testing.T) {
	for _, unit := range []effect.Unit{effect.UnitShare, effect.UnitDays, effect.UnitPortion} {
		c := comparison(t, unit)
		want, err := regress.Default(covariates...).Expect(context.Background(), c)
		require.NoError(t, err)
		for k := range c.Cases.Covariates {
			if numbers := c.Cases.Covariates[k].Number; numbers != nil {
				c.Cases.Covariates[k].Number = at(len(numbers), func(i int) float64 { return 1000 - 0.01*numbers[i] })
			}
		}
		got, err := regress.Default(covariates...).Expect(context.Background(), c)
		require.NoError(t, err)
		assert.InEpsilon(t, want.Expected, got.Expected, 1e-9)
		assert.InEpsilon(t, want.VarComparators, got.VarComparators, 1e-8)
		if unit == effect.UnitPortion {
			days, err := regress.Default(covariates...).Expect(context.Background(), comparison(t, effect.UnitDays))
			require.NoError(t, err)
			assert.Equal(t, days, want)
			// A linear model follows the scale of the outcome.
			for i := range c.Y {
				c.Y[i] /= 1e5
			}
			part, err := regress.Default(covariates...).Expect(context.Background(), c)
			require.NoError(t, err)
			assert.InEpsilon(t, want.Expected/1e5, part.Expected, 1e-9)
		}
	}
}
