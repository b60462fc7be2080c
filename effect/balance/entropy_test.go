package balance_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	w, err := balance.Entropy(p)
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
		w, err := balance.Entropy(p)
		require.NoError(b, err)
		b.ReportMetric(float64(w.Iterations), "passes")
	}
}
