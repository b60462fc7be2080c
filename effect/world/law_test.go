package world

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The recursion against lives lived one by one, deaths and emigration included:
// those who remain have the chances of the recursion. The tolerance is 4.5
// standard errors of the simulated mean (about 1 in 150,000 per comparison).
func TestCurveAgainstSimulation(t *testing.T) {
	for _, c := range []struct {
		find, lose float64
		old        bool
	}{{1, 1, false}, {0.2, 1.6, true}, {6, 0.5, true}, {40, 3, false}} {
		var l law
		l.of(c.find, c.lose, c.old)
		for s := range l.to {
			sum := 0.0
			for _, p := range l.to[s] {
				require.GreaterOrEqual(t, p, 0.0)
				sum += p
			}
			require.InDelta(t, l.out[s], sum, 1e-12)
			require.LessOrEqual(t, l.out[s], 1.0)
		}
		const n = 200_000
		var left, at26, n26, at52, n52, weeks, squares float64
		var lived []uint8
		for i := range n {
			r := draws{key: mix(uint64(i))}
			lived = l.run(lived[:0], &r, 52)
			if lived[25] < emigrated {
				n26++
				at26 += one(lived[25] == work)
			}
			if lived[51] >= emigrated {
				left++
				continue
			}
			n52++
			at52 += one(lived[51] == work)
			sum := 0.0
			for _, s := range lived[:51] {
				sum += one(s == work)
			}
			weeks += sum
			squares += sum * sum
		}
		want := l.curve()
		share := func(p, n float64) float64 { return 4.5 * math.Sqrt(p*(1-p)/n) }
		assert.InDelta(t, want.at26, at26/n26, share(want.at26, n26))
		assert.InDelta(t, want.at52, at52/n52, share(want.at52, n52))
		mean := weeks / n52
		assert.InDelta(t, want.weeks51, mean, 4.5*math.Sqrt((squares/n52-mean*mean)/n52))
		gone := 1 - math.Pow(1-leaveChance, 52)
		assert.InDelta(t, gone, left/n, share(gone, n))
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A weekly effect is on the log-odds: it multiplies the odds of finding a job.
func TestEffectIsOnTheOdds(t *testing.T) {
	var without, with law
	without.of(1, 1, false)
	with.of(exp(0.5), 1, false)
	odds := func(l *law, s int) float64 { return l.to[s][work] / (1 - l.to[s][work]) }
	for _, s := range []int{benefit, subsidy, sick, education, support} {
		assert.InDelta(t, 0.5, math.Log(odds(&with, s)/odds(&without, s)), 1e-8)
	}
	assert.Equal(t, without.to[work], with.to[work])
}

func TestDrawsAreUniform(t *testing.T) {
	// Chi-squared on 256 bins over neighbouring persons: 255 degrees of freedom,
	// 1 in 100,000 beyond 362 (qchisq(1e-5, 255, lower = FALSE) is 362.99).
	w, err := New(Default())
	require.NoError(t, err)
	for stream := range streams {
		const n = 1 << 16
		var bins [256]float64
		for i := range int64(n) {
			r := w.draws(stream, i)
			bins[int(256*r.next())]++
		}
		chi := 0.0
		for _, b := range bins {
			chi += (b - n/256) * (b - n/256) / (n / 256)
		}
		assert.Less(t, chi, 363.0)
	}
}

func BenchmarkBlock(b *testing.B) {
	o := Default()
	o.Persons = 1e9
	w, err := New(o)
	require.NoError(b, err)
	const persons = 1000
	id := int64(1)
	for b.Loop() {
		w.Block(id, id+persons)
		id += persons
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/persons, "ns/person")
}
