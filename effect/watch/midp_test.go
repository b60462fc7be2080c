package watch

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Figures are those of testdata/reference/watch.R (R 4.2.2, phyper and dhyper).
func TestMidP(t *testing.T) {
	b, err := os.ReadFile("../../testdata/reference/watch.json")
	require.NoError(t, err)
	var want struct {
		MidP []float64 `json:"mid_p"`
	}
	require.NoError(t, json.Unmarshal(b, &want))
	for k, x := range [][2]tally{
		{{20, 5}, {60, 3}}, {{10, 0}, {40, 4}}, {{10, 10}, {50, 40}}, {{4000, 30}, {150000, 900}}, {{2, 2}, {3, 0}},
	} {
		assert.InEpsilon(t, want.MidP[k], midP(x[0], x[1]), 1e-9, "%v", x)
	}
	assert.InDelta(t, 0.5, midP(tally{7, 0}, tally{9, 0}), 1e-15, "nobody counted: nothing but this count can be")
	assert.InDelta(t, 0.5, midP(tally{7, 7}, tally{9, 9}), 1e-15)
	assert.True(t, math.IsNaN(midP(tally{}, tally{9, 1})))
	assert.True(t, math.IsNaN(midP(tally{9, 1}, tally{})))

	// Every table with these margins, by counting subsets: the chances of at least
	// x and of exactly x add up to those of the next one.
	const n, no, hits = 6, 7, 5
	choose := func(n, k int64) float64 {
		c := 1.0
		for i := range k {
			c = c * float64(n-i) / float64(i+1)
		}
		return c
	}
	above := 0.0
	for x := int64(hits); x >= 0; x-- {
		at := choose(hits, x) * choose(n+no-hits, n-x) / choose(n+no, n)
		assert.InEpsilon(t, above+at/2, midP(tally{n, x}, tally{no, hits - x}), 1e-12)
		above += at
	}
}
