package regress_test

import (
	"context"

	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// unhurried is a fit under a context that goes on, of what one call returns.
func unhurried[T any](fit func(context.Context, regress.Matrix, []float64) (*T, error)) func(regress.Matrix, []float64) (*T, error) {
	return func(x regress.Matrix, y []float64) (*T, error) { return fit(context.Background(), x, y) }
}
