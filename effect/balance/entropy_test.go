package balance_test

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
)

// problem is n comparators of p correlated numbers, half of them indicators, and
// the means of a cell that is somewhat unlike them.
func problem(n, p int) balance.Problem {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(p)))
	x := balance.Matrix{N: n, P: p, Data: make([]float64, n*p)}
	for i := range n {
		row, common := x.Row(i), rng.NormFloat64()
		for k := range row {
			row[k] = (rng.NormFloat64() + common) / math.Sqrt2
			if k%2 == 1 {
				row[k] = float64(min(1, int(math.Exp(row[k])/3)))
			}
		}
	}
	out := balance.Problem{X: x, Target: make([]float64, p)}
	const cell = 10_000
	for range cell {
		common := rng.NormFloat64() + 0.3
		for k := range p {
			v := (rng.NormFloat64() + common) / math.Sqrt2
			if k%2 == 1 {
				v = float64(min(1, int(math.Exp(v)/3)))
			}
			out.Target[k] += v / cell
		}
	}
	return out
}

func TestLarge(t *testing.T) {
	p := problem(200_000, 20)
	w, err := balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	t.Log(w.Iterations, w.ScoreNorm, w.Columns, len(w.Kept))
	assert.LessOrEqual(t, w.ScoreNorm, 1e-10)
	sums := make([]float64, p.X.P+1)
	for i, v := range w.Weights {
		sums[p.X.P] += v
		for k, x := range p.X.Row(i) {
			sums[k] += v * x
		}
	}
	assert.InDelta(t, 1, sums[p.X.P], 1e-12)
	for k, want := range p.Target {
		assert.InDelta(t, want, sums[k], 1e-9)
	}
}

func BenchmarkEntropy(b *testing.B) {
	p := problem(990_000, 30)
	b.ReportAllocs()
	for b.Loop() {
		w, err := balance.Entropy(context.Background(), p)
		require.NoError(b, err)
		b.ReportMetric(float64(w.Iterations), "passes")
	}
}

// The same bytes for one processor and for several, with a Hessian from a sample.
func TestProcessors(t *testing.T) {
	p := problem(100_000, 6)
	want, err := balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	got, err := balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	assert.Equal(t, want.Weights, got.Weights)
	assert.Equal(t, want.Lambda, got.Lambda)
}

// Every row twice at half its base weight is the row once.
func TestHalfWeight(t *testing.T) {
	p := problem(500, 4)
	want, err := balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	twice := p
	twice.Rows = nil
	for i := range int32(p.X.N) {
		twice.Rows, twice.Base = append(twice.Rows, i, i), append(twice.Base, 0.5, 0.5)
	}
	got, err := balance.Entropy(context.Background(), twice)
	require.NoError(t, err)
	for i, w := range want.Weights {
		assert.InDelta(t, w, got.Weights[2*i]+got.Weights[2*i+1], 1e-12)
	}
	// A base weight of 0 leaves a row out.
	for i := range p.X.N {
		twice.Base[2*i], twice.Base[2*i+1] = 1, 0
	}
	got, err = balance.Entropy(context.Background(), twice)
	require.NoError(t, err)
	for i, w := range want.Weights {
		assert.InDelta(t, w, got.Weights[2*i], 1e-12)
		assert.Zero(t, got.Weights[2*i+1])
	}
}

// An indicator so rare that a sample of the rows holds none of it, one that only
// looks like another in the sample, and one that is another's copy.
func TestRareColumns(t *testing.T) {
	p := problem(120_000, 4)
	wide := balance.Problem{X: balance.Matrix{N: p.X.N, P: 7}, Target: append(append([]float64{}, p.Target...), 2e-4, p.Target[1]+1e-4, p.Target[0])}
	for i := range p.X.N {
		row := p.X.Row(i)
		rare, almost := 0.0, row[1]
		if i%10_007 == 1 {
			rare = 1
		}
		if i%9_001 == 3 {
			almost = 1 - almost
		}
		wide.X.Data = append(wide.X.Data, append(append([]float64{}, row...), rare, almost, row[0])...)
	}
	w, err := balance.Entropy(context.Background(), wide)
	require.NoError(t, err)
	assert.Len(t, w.Kept, 6)
	assert.Equal(t, 7, w.Columns)
	assert.True(t, math.IsNaN(w.Lambda[6]))
	share := 0.0
	for i, v := range w.Weights {
		share += v * wide.X.Row(i)[4]
	}
	assert.InDelta(t, 2e-4, share, 1e-11)
}

// What cannot be balanced is refused, and named.
func TestCannotBalance(t *testing.T) {
	line := func(target ...float64) balance.Problem {
		p := balance.Problem{X: balance.Matrix{N: 50, P: 2}, Target: target, Names: []string{"first", "second"}}
		for i := range p.X.N {
			v := float64(i) / 10
			p.X.Data = append(p.X.Data, v, v*v)
		}
		return p
	}
	_, err := balance.Entropy(context.Background(), line(9, 4))
	why := refused(t, effect.RefusalCannotBalance, err)
	assert.Contains(t, why, "first")
	assert.NotContains(t, why, "second", "only what is out of reach is named")
	// A mean of 2 and a mean square of 1 are each in range, but a mean square is
	// never below the squared mean.
	_, err = balance.Entropy(context.Background(), line(2, 1))
	assert.Contains(t, refused(t, effect.RefusalCannotBalance, err), "second")
	// Near the edge but within it there are weights.
	w, err := balance.Entropy(context.Background(), line(2, 4.2))
	require.NoError(t, err)
	assert.LessOrEqual(t, w.ScoreNorm, 1e-10)
	// A column that is another's copy with another target.
	p := line(2, 3)
	for i := range p.X.N {
		p.X.Row(i)[1] = p.X.Row(i)[0]
	}
	_, err = balance.Entropy(context.Background(), p)
	refused(t, effect.RefusalCannotBalance, err)
	// Constant among the comparators.
	p = line(2, 3)
	for i := range p.X.N {
		p.X.Row(i)[1] = 7
	}
	_, err = balance.Entropy(context.Background(), p)
	assert.Contains(t, refused(t, effect.RefusalCannotBalance, err), "second")
	p.Target[1] = 7
	w, err = balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	assert.Equal(t, []int{0}, w.Kept)
	// A class of the cell without comparators.
	p = line(2, 5)
	p.Class, p.Share = make([]int32, p.X.N), []float64{0.5, 0.5}
	_, err = balance.Entropy(context.Background(), p)
	refused(t, effect.RefusalNoComparators, err)
}

func TestBadInput(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e308} {
		p := problem(30, 2)
		p.X.Data[17] = bad
		_, err := balance.Entropy(context.Background(), p)
		refused(t, effect.RefusalNotFinite, err)
	}
	p := problem(30, 2)
	p.Target[1] = math.NaN()
	_, err := balance.Entropy(context.Background(), p)
	refused(t, effect.RefusalNotFinite, err)
	for _, bad := range []float64{math.NaN(), -1, math.Inf(1)} {
		p = problem(30, 2)
		p.Base = make([]float64, 30)
		p.Base[3] = bad
		_, err = balance.Entropy(context.Background(), p)
		refused(t, effect.RefusalNotFinite, err)
	}
	_, err = balance.Entropy(context.Background(), balance.Problem{X: balance.Matrix{P: 1}, Target: []float64{1}})
	refused(t, effect.RefusalNoComparators, err)
	// One comparator balances itself and nothing else.
	one := balance.Problem{X: balance.Matrix{N: 1, P: 1, Data: []float64{3}}, Target: []float64{3}}
	w, err := balance.Entropy(context.Background(), one)
	require.NoError(t, err)
	assert.Equal(t, []float64{1}, w.Weights)
	one.Target[0] = 3.001
	_, err = balance.Entropy(context.Background(), one)
	refused(t, effect.RefusalCannotBalance, err)
}

// A comparator far from the cell keeps a weight above 0, however small: which are so far
// that a float cannot hold it differs between machines, and who the comparators are must
// not. One whose base weight is 0 has none. The weights of 0 and 1 are those that give the
// mean 1e-3, as exp(1000 lambda) = 1e-3000 is nothing beside them.
func TestWeightsBelowFloats(t *testing.T) {
	p := balance.Problem{
		X: balance.Matrix{N: 4, P: 1, Data: []float64{0, 1, 1000, 1000}}, Base: []float64{1, 1, 1, 0}, Target: []float64{1e-3},
	}
	w, err := balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	assert.InDelta(t, 0.999, w.Weights[0], 1e-6)
	assert.InDelta(t, 0.001, w.Weights[1], 1e-6)
	assert.Positive(t, w.Weights[2])
	assert.Less(t, w.Weights[2], 1e-200)
	assert.Zero(t, w.Weights[3])
}
