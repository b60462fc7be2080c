package balance_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/balance"
)

// second is another implementation of the whole method for one class: coordinate
// ascent on the dual with bisection, and weighted least squares by elimination.
// It returns weights, residuals and leverages.
func second(t *testing.T, p balance.Problem, y []float64) (w, residual, leverage []float64) {
	t.Helper()
	n, width := p.X.N, p.X.P
	lambda := make([]float64, width)
	eta := make([]float64, n)
	base := func(i int) float64 {
		if p.Base == nil {
			return 1
		}
		return p.Base[i]
	}
	w = make([]float64, n)
	mean := func(k int, by float64) (m, sum float64) {
		for i := range n {
			w[i] = base(i) * math.Exp(eta[i]+by*(p.X.Row(i)[k]-p.Target[k]))
			sum += w[i]
			m += w[i] * (p.X.Row(i)[k] - p.Target[k])
		}
		return m / sum, sum
	}
	for sweep := 0; ; sweep++ {
		require.Less(t, sweep, 20_000, "coordinate ascent takes too long")
		worst := 0.0
		for k := range width {
			m, _ := mean(k, 0)
			worst = max(worst, math.Abs(m))
			low, high := -1.0, 1.0
			for range 60 {
				mid := (low + high) / 2
				if m, _ := mean(k, mid); m > 0 {
					high = mid
				} else {
					low = mid
				}
			}
			lambda[k] += low
			for i := range n {
				eta[i] += low * (p.X.Row(i)[k] - p.Target[k])
			}
		}
		if worst < 1e-11 {
			break
		}
	}
	_, sum := mean(0, 0)
	for i := range w {
		w[i] /= sum
	}
	// Rows of the regression: a constant and the columns about the target.
	row := func(i int) []float64 {
		out := []float64{1}
		for k, v := range p.X.Row(i) {
			out = append(out, v-p.Target[k])
		}
		return out
	}
	// Gauss-Jordan on (X'WX | X'WY, I).
	q := width + 1
	a := make([][]float64, q)
	for j := range a {
		a[j] = make([]float64, 2*q+1)
		a[j][q+1+j] = 1
	}
	for i := range n {
		r := row(i)
		for j := range q {
			for k := range q {
				a[j][k] += w[i] * r[j] * r[k]
			}
			a[j][q] += w[i] * r[j] * y[i]
		}
	}
	for j := range q {
		pivot := a[j][j]
		for k := range a[j] {
			a[j][k] /= pivot
		}
		for l := range a {
			if f := a[l][j]; l != j {
				for k := range a[l] {
					a[l][k] -= f * a[j][k]
				}
			}
		}
	}
	for i := range n {
		r, fitted, h := row(i), 0.0, 0.0
		for j := range q {
			fitted += a[j][q] * r[j]
			for k := range q {
				h += w[i] * r[j] * a[j][q+1+k] * r[k]
			}
		}
		residual, leverage = append(residual, y[i]-fitted), append(leverage, h)
	}
	return w, residual, leverage
}
