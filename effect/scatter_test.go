package effect

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The square of a number that takes two values, as often each, is the same for all: what is
// left of its variance is rounding, and is none.
func TestScatterOfWhatDoesNotVary(t *testing.T) {
	for _, d := range []float64{1, 0.1, 1.0 / 3, 1e-4, 7e5} {
		x := d * d
		square := x * x
		for range 100 { // the last digits of a mean of squares
			assert.Zero(t, scatter(square, x), d)
			square = math.Nextafter(square, math.Inf(1))
		}
		assert.InEpsilon(t, x*x, scatter(2*x*x, x), 1e-12)
	}
	assert.Zero(t, scatter(0, 0))
}
