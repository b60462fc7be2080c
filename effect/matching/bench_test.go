package matching

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/propensity"
)

// After the fit of the propensity score on 30 covariates; bench/matching/matchit.R
// asks MatchIt the same.
func BenchmarkMatching(b *testing.B) {
	b.Run("2,000 against 98,000", func(b *testing.B) { bench(b, 2_000, 98_000) })
	b.Run("10,000 against 990,000", func(b *testing.B) { bench(b, 10_000, 990_000) })
}

func bench(b *testing.B, cell, others int) {
	const p = 30
	rng := rand.New(rand.NewPCG(1, 2))
	n := cell + others
	c := &effect.Comparison{Cases: &effect.Cases{Person: make([]int32, n)}, Unit: effect.UnitDays, Y: make([]float64, n)}
	names, where := []string{}, make([]string, n)
	for i := range n {
		c.Y[i], where[i], c.Cases.Person[i] = rng.NormFloat64(), string(rune('A'+i%8)), int32(i)
		if i < cell {
			c.In = append(c.In, int32(i))
		} else {
			c.Out = append(c.Out, int32(i))
		}
	}
	c.Cases.Municipality = effect.NewFactor(where)
	for k := range p {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
			if i < cell {
				x[i] += 0.1
			}
		}
		names = append(names, strconv.Itoa(k))
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: names[k], Number: x})
	}
	m := Default(names...)
	exact, err := effect.Classify(c.Cases, nil)
	require.NoError(b, err)
	model, err := propensity.New(context.Background(), c, names, 1)
	require.NoError(b, err)
	for b.Loop() {
		_, err := m.match(context.Background(), model, exact)
		require.NoError(b, err)
	}
}
