package dense_test

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

func random(n, p int) (x dense.Matrix, w []float64) {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(p)))
	x = dense.Matrix{N: n, P: p, Data: make([]float64, n*p)}
	for i := range x.Data {
		x.Data[i] = rng.NormFloat64()
	}
	w = make([]float64, n)
	for i := range w {
		w[i] = rng.Float64() - 0.2
	}
	return x, w
}

// exact is X'WX in rational arithmetic.
func exact(x dense.Matrix, w []float64, j, k int) float64 {
	sum := new(big.Rat)
	for i := range x.N {
		row, v := x.Row(i), new(big.Rat).SetInt64(1)
		if w != nil {
			v.SetFloat64(w[i])
		}
		v.Mul(v, new(big.Rat).SetFloat64(row[j]))
		sum.Add(sum, v.Mul(v, new(big.Rat).SetFloat64(row[k])))
	}
	out, _ := sum.Float64()
	return out
}

func TestProducts(t *testing.T) {
	for _, n := range []int{0, 1, 2, 127, 128, 129, 300} {
		for p := range 8 {
			x, w := random(n, p)
			ones, weighted := dense.Gram(context.Background(), x, nil), dense.Gram(context.Background(), x, w)
			require.Len(t, ones, p)
			cross, ax := dense.Cross(context.Background(), x, w), dense.Mul(context.Background(), nil, x, make([]float64, p))
			require.Len(t, ax, n)
			for j := range p {
				for k := range p {
					assert.InDelta(t, exact(x, nil, j, k), ones[j][k], 1e-12)
					assert.InDelta(t, exact(x, w, j, k), weighted[j][k], 1e-12)
				}
				unit, want := make([]float64, p), 0.0
				unit[j] = 1
				ax = dense.Mul(context.Background(), ax, x, unit)
				for i, v := range ax {
					assert.Equal(t, x.Row(i)[j], v)
					want += v * w[i]
				}
				assert.InDelta(t, want, cross[j], 1e-12)
			}
		}
	}
}

// Longer than a chunk: the sums of chunks are put together, in the same way on
// any number of processors.
func TestSameBytesOnAnyNumberOfProcessors(t *testing.T) {
	x, w := random(8192*5+77, 7)
	b := []float64{1, -2, 3, -4, 5, -6, 7}
	type all struct {
		gram       dense.Sym
		cross, mul []float64
	}
	run := func(procs int) all {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		return all{dense.Gram(context.Background(), x, w), dense.Cross(context.Background(), x, w), dense.Mul(context.Background(), nil, x, b)}
	}
	one := run(1)
	require.Equal(t, one, run(2))
	require.Equal(t, one, run(7))
	for _, at := range [][2]int{{0, 0}, {6, 1}} {
		assert.InDelta(t, exact(x, w, at[0], at[1]), one.gram[at[0]][at[1]], 1e-10)
	}
	for _, i := range []int{0, 8191, 8192, x.N - 1} {
		want := 0.0
		for k, v := range x.Row(i) {
			want += v * b[k]
		}
		assert.InDelta(t, want, one.mul[i], 1e-12)
	}
}

// Every row is visited once, in chunks that do not overlap.
func TestChunks(t *testing.T) {
	for _, n := range []int{0, 1, 8191, 8192, 8193, 50000} {
		seen := make([]int, n)
		dense.Chunks(context.Background(), n, func(chunk, lo, hi int) {
			assert.Equal(t, chunk*8192, lo)
			for i := lo; i < hi; i++ {
				seen[i]++
			}
		})
		for _, s := range seen {
			require.Equal(t, 1, s)
		}
		sum := dense.Sum(context.Background(), n, 1, func(sum []float64, lo, hi int) { sum[0] += float64(hi - lo) })
		assert.Equal(t, []float64{float64(n)}, sum)
	}
}

func TestIndependent(t *testing.T) {
	x := dense.Matrix{N: 4, P: 6, Data: []float64{
		1, 0, 2, 5, 1e-9, 0,
		1, 0, 2, 1, 2e-9, 1,
		1, 0, 2, 0, 5e-9, 2,
		1, 0, 2, 7, 1e-9, -4,
	}}
	a := dense.Gram(context.Background(), x, nil)
	// Zeros and a multiple of the first go; the scale of a column does not matter;
	// four rows have no room for a fifth.
	assert.Equal(t, []int{0, 3, 4, 5}, dense.Independent(a, 1e-12))
	kept := dense.Sub(a, []int{5, 0})
	assert.Equal(t, dense.Sym{{a[5][5], a[5][0]}, {a[0][5], a[0][0]}}, kept)
	assert.Empty(t, dense.Independent(dense.NewSym(3), 1e-12))
	assert.Empty(t, dense.Independent(dense.Sym{{math.NaN()}}, 1e-12))
	assert.Empty(t, dense.Independent(dense.Sym{{math.Inf(1)}}, 1e-12))
}

func TestFactor(t *testing.T) {
	x, _ := random(50, 6)
	a := dense.Gram(context.Background(), x, nil)
	l, ok := dense.Factor(a)
	require.True(t, ok)
	for i := range a {
		for j := range i + 1 {
			assert.InDelta(t, a[i][j], dense.Dot(l[j], l[i]), 1e-12)
		}
	}
	b := []float64{1, 2, 3, 4, 5, 6}
	z := l.Solve(b)
	for i := range a {
		assert.InDelta(t, b[i], dense.Dot(a[i], z), 1e-11)
	}
	half := l.Half(nil, b)
	assert.InEpsilon(t, dense.Dot(b, z), dense.Dot(half, half), 1e-12)
	assert.Equal(t, []float64{1, 2, 3, 4, 5, 6}, b)
	assert.Equal(t, half, l.Half(b, b))
	// det of {{4, 2}, {2, 3}} is 8.
	l, ok = dense.Factor(dense.Sym{{4, 2}, {2, 3}})
	require.True(t, ok)
	assert.InEpsilon(t, math.Log(8), l.LogDet(), 1e-15)
	empty, ok := dense.Factor(dense.Sym{})
	assert.True(t, ok)
	assert.Empty(t, empty.Solve(nil))
	for _, bad := range []dense.Sym{{{0}}, {{-1}}, {{1, 1}, {1, 1}}, {{math.NaN()}}, {{math.Inf(1)}}, {{1, math.NaN()}, {math.NaN(), 1}}} {
		_, ok = dense.Factor(bad)
		assert.False(t, ok, "%v", bad)
	}
}

// The hot loop of every fit: about 2 GFMA/s on one core of a busy 2-core cloud
// machine (products counted for one half, as needed).
func BenchmarkGram(b *testing.B) {
	x, w := random(1_000_000, 30)
	for _, procs := range []int{1, 2} {
		b.Run(string(rune('0'+procs)), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for b.Loop() {
				dense.Gram(context.Background(), x, w)
			}
			b.ReportMetric(float64(b.N)*float64(x.N)*30*31/2/b.Elapsed().Seconds()/1e9, "GFMA/s")
		})
	}
}

func BenchmarkPasses(b *testing.B) {
	x, w := random(1_000_000, 30)
	b.Run("Cross", func(b *testing.B) {
		for b.Loop() {
			dense.Cross(context.Background(), x, w)
		}
	})
	b.Run("Mul", func(b *testing.B) {
		for b.Loop() {
			dense.Mul(context.Background(), w, x, x.Row(0))
		}
	})
}
