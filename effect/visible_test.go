package effect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/jobeffekt/jobeffekt/effect"
)

func TestVisible(t *testing.T) {
	// All lose the same mean: differences stay whole.
	assert.InEpsilon(t, 1.0, effect.Visible(4, func(_, l int) float64 { return []float64{0.4, 0.3, 0.2, 0.1}[l] }), 1e-12)
	// A covariate that tells the municipality takes all of it.
	assert.InDelta(t, 0, effect.Visible(4, func(j, l int) float64 {
		if j == l {
			return 1
		}
		return 0
	}), 1e-12)
	// Half of one's own effect: I - I/2, centred, has squared length (k-1)/4.
	assert.InEpsilon(t, 0.25, effect.Visible(5, func(j, l int) float64 {
		if j == l {
			return 0.5
		}
		return 0
	}), 1e-12)
	assert.Equal(t, 1.0, effect.Visible(1, nil))
}
