package peer

import (
	"math"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// column is how one condition is standardised: (value * factor - mean) / scale.
// The factor is a power of two, so that numbers of any magnitude keep their
// digits.
type column struct{ factor, mean, scale float64 }

// constant is the standard deviation, as a part of the mean, up to which a
// condition counts as the same everywhere.
const constant = 1e-12

// columnOf measures one number of all municipalities: mean and standard deviation
// (n - 1). It says whether the number varies.
func (t *table) columnOf(value func(Municipality) float64) (c column, varies bool) {
	largest, n := 0.0, float64(len(t.all))
	for _, m := range t.all {
		largest = max(largest, math.Abs(value(m)))
	}
	if unknown(largest) || largest == 0 {
		return column{1, largest, math.NaN()}, false
	}
	_, exponent := math.Frexp(largest)
	c.factor = math.Ldexp(1, -max(-1000, min(exponent, 1000)))
	for _, m := range t.all {
		c.mean += value(m) * c.factor
	}
	c.mean /= n
	sum := 0.0
	for _, m := range t.all {
		d := value(m)*c.factor - c.mean
		sum += d * d
	}
	c.scale = math.Sqrt(sum / (n - 1))
	return c, c.scale > constant*math.Abs(c.mean)
}

// standardise measures the conditions, and finds those that tell nothing.
func (t *table) standardise() {
	for j, name := range t.o.Conditions {
		c, varies := t.columnOf(func(m Municipality) float64 {
			if j >= len(m.Values) {
				return math.NaN()
			}
			return m.Values[j]
		})
		t.columns = append(t.columns, c)
		// An expected share is told apart by itself, not by what it rests on.
		if !varies && t.o.By != ExpectedShare {
			t.fault(effect.RefusalNoVariation, nil, name, "leave it out", "%s is the same in every municipality and cannot tell them apart", name)
		}
	}
}

// apart is the difference of two municipalities in a condition, b less a, in
// standard deviations.
func (t *table) apart(a, b, j int) float64 {
	c := t.columns[j]
	return (t.all[b].Values[j]*c.factor - t.all[a].Values[j]*c.factor) / c.scale
}

// euclidean is the standardised Euclidean distance
//
//	d(a, b) = sqrt(sum over conditions of ((a_j - b_j)/s_j)^2)
//
// with s_j the standard deviation (n - 1) of condition j over all municipalities.
func euclidean(t *table) closeness {
	return closeness{distance: func(a, b int) float64 {
		d := 0.0
		for j := range t.columns {
			z := t.apart(a, b, j)
			d += z * z
		}
		return math.Sqrt(d)
	}}
}

// ownVariance is the part of a condition's variance that the conditions before it
// do not determine, under which it counts as their combination; a coefficient of
// a standardised condition counts from combined on.
const ownVariance, combined = 1e-8, 1e-6

// mahalanobis is the Mahalanobis distance [mahalanobis1936]
//
//	d(a, b) = sqrt((a - b)' S^-1 (a - b))
//
// with S the covariance (n - 1) of the conditions over all municipalities. S is
// factored as correlations, R = L L', so that units do not matter; a condition of
// whose variance less than 1e-8 is left when those before it are known is a
// fault that names these.
// Source: mahalanobis1936.
func mahalanobis(t *table) closeness {
	n, p := len(t.all), len(t.columns)
	if n <= p {
		t.fault(RefusalFewRows, nil, "", "leave conditions out", "%d municipalities are too few for the covariance of %d conditions: %d or more are needed", n, p, p+1)
		return closeness{}
	}
	z := make([][]float64, n)
	for i, m := range t.all {
		z[i] = make([]float64, p)
		for j, c := range t.columns {
			z[i][j] = (m.Values[j]*c.factor - c.mean) / c.scale
		}
	}
	factor := make([][]float64, p) // rows of L, nil for a condition that others determine
	for j := range factor {
		row := make([]float64, j+1)
		own := 1.0
		for k := range j {
			if factor[k] == nil {
				continue
			}
			r := 0.0
			for i := range z {
				r += z[i][k] * z[i][j]
			}
			r /= float64(n - 1)
			for l := range k {
				r -= factorAt(factor, k, l) * row[l]
			}
			row[k] = r / factor[k][k]
			own -= row[k] * row[k]
		}
		if !(own > ownVariance) {
			t.determined(j, row, factor)
			continue
		}
		row[j] = math.Sqrt(own)
		factor[j] = row
	}
	if len(t.faults) > 0 {
		return closeness{}
	}
	// With L y = z the distance of two is the plain one of their y.
	for i := range z {
		for j, row := range factor {
			for k := range j {
				z[i][j] -= row[k] * z[i][k]
			}
			z[i][j] /= row[j]
		}
	}
	return closeness{distance: func(a, b int) float64 {
		d := 0.0
		for j := range z[a] {
			d += (z[a][j] - z[b][j]) * (z[a][j] - z[b][j])
		}
		return math.Sqrt(d)
	}}
}

// factorAt is an entry of the factor; a condition that was left out has none.
func factorAt(factor [][]float64, k, l int) float64 {
	if factor[l] == nil {
		return 0
	}
	return factor[k][l]
}

// determined names the conditions of which condition j is a combination: those
// with a coefficient in its regression on the ones before it, L' b = row.
func (t *table) determined(j int, row []float64, factor [][]float64) {
	b := make([]float64, j)
	var of []string
	for k := j - 1; k >= 0; k-- {
		if factor[k] == nil {
			continue
		}
		b[k] = row[k]
		for l := k + 1; l < j; l++ {
			if factor[l] != nil {
				b[k] -= factor[l][k] * b[l]
			}
		}
		b[k] /= factor[k][k]
	}
	for k, v := range b {
		if math.Abs(v) > combined {
			of = append(of, t.o.Conditions[k])
		}
	}
	name := t.o.Conditions[j]
	t.fault(RefusalCollinear, nil, name, "leave one of them out", "%s is a combination of %s, so that the covariance is singular", name, strings.Join(of, ", "))
}
