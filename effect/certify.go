package effect

import (
	"math"
)

// imbalance is how far the weighted comparators are from the cell in what the
// method adjusts for, worked out from nothing but the weights.
type imbalance struct {
	means         float64 // worst |SMD| of the covariates themselves
	worst         float64 // worst |SMD| of these, their squares, zeros and pairwise products
	worstOf       string  // which it is
	varianceRatio float64 // worst ratio of variances of the numbers, 1 or more
}

// certify works out, from the weights alone, what a method's certificate says of
// them: the effective number of comparators, the largest share of the weight and
// the balance reached. It shares no code with the methods. Where some comparators
// are known in aggregate only, the balance is not known (NaN).
func (e *Expectation) certify(c *Comparison, uses []string) imbalance {
	unknown := imbalance{nan, nan, "", nan}
	if e.Weights == nil {
		return unknown
	}
	var sum, squares, largest float64
	for _, w := range e.Weights {
		sum += w
		squares += w * w
		largest = max(largest, math.Abs(w))
	}
	if sum == 0 {
		return unknown
	}
	e.EffectiveN, e.MaxWeight = sum*sum/squares, largest/math.Abs(sum)
	in := c.In
	if e.Covered != nil {
		in = c.Restrict(e.Covered).In
	}
	weights := make([]float64, len(e.Weights))
	for k, w := range e.Weights {
		weights[k] = w / sum
	}
	b := balance{in: in, out: e.Out, weights: weights}
	for _, name := range uses {
		if cov, ok := c.Covariate(name); ok {
			b.add(cov)
		}
	}
	return b.worst()
}

// balance compares columns between a cell and weighted comparators.
type balance struct {
	in, out []int32
	weights []float64 // sum to 1
	columns []balanced
}

// balanced is a column: a number less its mean in the cell, or an indicator.
type balanced struct {
	name      string
	covariate int // columns of one covariate have no products with each other
	indicator bool
	main      bool // takes part in products
	in, out   []float64
}

func (b *balance) column(name string, covariate int, indicator, main bool, value func(int32) float64) {
	col := balanced{name: name, covariate: covariate, indicator: indicator, main: main}
	var sum float64
	for _, i := range b.in {
		sum += value(i)
	}
	centre := sum / float64(len(b.in))
	read := func(rows []int32) []float64 {
		out := make([]float64, len(rows))
		for k, i := range rows {
			out[k] = value(i) - centre
		}
		return out
	}
	col.in, col.out = read(b.in), read(b.out)
	b.columns = append(b.columns, col)
}

func (b *balance) add(cov *Covariate) {
	id := len(b.columns)
	some := func(test func(int32) bool) bool {
		for _, rows := range [][]int32{b.in, b.out} {
			for _, i := range rows {
				if test(i) {
					return true
				}
			}
		}
		return false
	}
	indicator := func(name string, main bool, test func(int32) bool) {
		if some(test) {
			b.column(name, id, true, main, func(i int32) float64 {
				if test(i) {
					return 1
				}
				return 0
			})
		}
	}
	if x := cov.Number; x != nil {
		var sum, n float64
		for _, i := range b.in {
			if !math.IsNaN(x[i]) {
				sum += x[i]
				n++
			}
		}
		mean := sum / max(n, 1)
		b.column(cov.Name, id, false, true, func(i int32) float64 {
			if math.IsNaN(x[i]) {
				return 0
			}
			return x[i] - mean
		})
		indicator(cov.Name+"=missing", true, func(i int32) bool { return math.IsNaN(x[i]) })
		indicator(cov.Name+"=0", false, func(i int32) bool { return x[i] == 0 })
		return
	}
	for code := int32(-1); int(code) < len(cov.Factor.Levels); code++ {
		name := cov.Name + "=missing"
		if code >= 0 {
			name = cov.Name + "=" + cov.Factor.Levels[code]
		}
		indicator(name, true, func(i int32) bool { return cov.Factor.Codes[i] == code })
	}
}

// worst looks at every column, and at the products of columns of different
// covariates and the squares of numbers. All are centred on the cell, so that
// the answer does not depend on the origin or scale of a number. A difference is
// divided by the standard deviation in the cell (for an indicator
// sqrt(p(1 - p))) or, where the cell has none, among the comparators.
func (b *balance) worst() imbalance {
	if len(b.columns) == 0 {
		return imbalance{nan, nan, "", nan}
	}
	r := imbalance{varianceRatio: 1}
	note := func(smd float64, name string) {
		if smd > r.worst || r.worstOf == "" {
			r.worst, r.worstOf = smd, name
		}
	}
	product := make([][]float64, 2)
	for j, a := range b.columns {
		smd, ratio := b.compare(a.in, a.out, a.indicator)
		if a.main {
			r.means = max(r.means, smd)
		}
		note(smd, a.name)
		if !a.indicator {
			r.varianceRatio = max(r.varianceRatio, ratio)
		}
		if !a.main {
			continue
		}
		for _, z := range b.columns[j:] {
			square := z.name == a.name
			if !z.main || square && a.indicator || !square && z.covariate == a.covariate {
				continue
			}
			product[0], product[1] = times(product[0], a.in, z.in), times(product[1], a.out, z.out)
			smd, _ := b.compare(product[0], product[1], false)
			if square {
				note(smd, a.name+"^2")
			} else {
				note(smd, a.name+" x "+z.name)
			}
		}
	}
	return r
}

func times(dst, a, b []float64) []float64 {
	dst = dst[:0]
	for k, x := range a {
		dst = append(dst, x*b[k])
	}
	return dst
}

// compare returns the absolute standardised difference of the means of a column
// and the ratio of its variances, turned to be 1 or more.
func (b *balance) compare(in, out []float64, indicator bool) (smd, ratio float64) {
	n := float64(len(in))
	var meanIn, meanOut, squaresIn, squaresOut float64
	for _, x := range in {
		meanIn += x / n
	}
	for k, x := range out {
		meanOut += b.weights[k] * x
	}
	for _, x := range in {
		squaresIn += (x - meanIn) * (x - meanIn) / n
	}
	for k, x := range out {
		squaresOut += b.weights[k] * (x - meanOut) * (x - meanOut)
	}
	varIn, varOut := squaresIn, squaresOut
	if !indicator && n > 1 {
		varIn *= n / (n - 1)
	}
	// Rounding leaves a trace of what is equal.
	const trace = 1e-12
	difference := math.Abs(meanIn - meanOut)
	scale := math.Sqrt(varIn)
	if scale <= trace*(1+math.Abs(meanOut)) {
		scale = math.Sqrt(max(varOut, 0))
	}
	switch {
	case difference <= trace*(1+scale):
	case scale > 0:
		smd = difference / scale
	default:
		smd = math.Inf(1)
	}
	switch {
	case varIn <= trace && math.Abs(varOut) <= trace:
		ratio = 1
	case varIn <= trace || varOut <= trace:
		ratio = math.Inf(1)
	default:
		ratio = max(varIn/varOut, varOut/varIn)
	}
	return smd, ratio
}
