package effect

import (
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
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
func (e *Expectation) certify(c *Comparison, uses []string) {
	in := c.In
	if e.Covered != nil {
		in = c.Restrict(e.Covered).In
	}
	e.persons, e.balance = c.Persons(in), imbalance{nan, nan, "", nan}
	var sum, squares, largest float64
	for _, w := range e.Weights {
		sum += w
		squares += w * w
		largest = max(largest, math.Abs(w))
	}
	if sum == 0 {
		return
	}
	e.EffectiveN, e.MaxWeight = sum*sum/squares, largest/math.Abs(sum)
	weights := make([]float64, len(e.Weights))
	for k, w := range e.Weights {
		weights[k] = w / sum
	}
	e.balance = c.measures(uses).balance(in, e.Out, weights)
}

// measures are the covariates of a match group laid out as columns of numbers, by
// which cells and their comparators are held against each other. They are made
// once for a group, apart from the frames that methods use.
type measures struct {
	columns []measure
	gaps    []int   // columns of numbers that some case misses
	row     []int32 // by case: its row, -1 outside
	values  []float64
}

// measure is one column: a number (in standard deviations of the group from its
// mean, 0 where missing) or an indicator.
type measure struct {
	name      string
	covariate int // columns of one covariate have no products with each other
	missing   int // for a number: the column that indicates that it is missing, -1 where it never is
	indicator bool
	main      bool // takes part in products
	at        func(i int32) float64
}

// measures returns the columns of the covariates for the comparison's cases.
func (c *Comparison) measures(covariates []string) *measures {
	if c.frames == nil {
		return newMeasures(c.Cases, slices.Concat(c.In, c.Out), covariates)
	}
	return c.frames.measured(c.Cell, covariates)
}

func newMeasures(cases *Cases, rows []int32, covariates []string) *measures {
	m := &measures{row: slices.Repeat([]int32{-1}, cases.Len())}
	for k, i := range rows {
		m.row[i] = int32(k)
	}
	for id, name := range covariates {
		if cov, ok := cases.Covariate(name); ok {
			m.add(cov, id, rows)
		}
	}
	m.values = make([]float64, 0, len(rows)*len(m.columns))
	for _, i := range rows {
		for _, c := range m.columns {
			m.values = append(m.values, c.at(i))
		}
	}
	return m
}

func (m *measures) add(cov *Covariate, id int, rows []int32) {
	indicator := func(name string, main bool, test func(int32) bool) bool {
		if !slices.ContainsFunc(rows, test) {
			return false
		}
		m.columns = append(m.columns, measure{name, id, -1, true, main, func(i int32) float64 {
			if test(i) {
				return 1
			}
			return 0
		}})
		return true
	}
	x := cov.Number
	if x == nil {
		for code := int32(-1); int(code) < len(cov.Factor.Levels); code++ {
			name := cov.Name + "=missing"
			if code >= 0 {
				name = cov.Name + "=" + cov.Factor.Levels[code]
			}
			indicator(name, true, func(i int32) bool { return cov.Factor.Codes[i] == code })
		}
		return
	}
	var n, sum, squares float64
	for _, i := range rows {
		if !math.IsNaN(x[i]) {
			n++
			sum += x[i]
		}
	}
	mean := sum / max(n, 1)
	for _, i := range rows {
		if !math.IsNaN(x[i]) {
			squares += (x[i] - mean) * (x[i] - mean)
		}
	}
	scale := math.Sqrt(squares / max(n, 1))
	if scale == 0 {
		scale = 1
	}
	missing := -1
	if indicator(cov.Name+"=missing", true, func(i int32) bool { return math.IsNaN(x[i]) }) {
		missing = len(m.columns) - 1
		m.gaps = append(m.gaps, len(m.columns))
	}
	m.columns = append(m.columns, measure{cov.Name, id, missing, false, true, func(i int32) float64 {
		if math.IsNaN(x[i]) {
			return 0
		}
		return (x[i] - mean) / scale
	}})
	indicator(cov.Name+"=0", false, func(i int32) bool { return x[i] == 0 })
}

// balance holds a cell against weighted comparators, in every column and in the
// products of columns of different covariates and the squares of numbers.
// Columns are centred on the cell, so that the answer does not depend on the
// origin of a number. A difference is divided by the standard deviation in the
// cell (for an indicator sqrt(p(1 - p))) or, where the cell has none, among the
// comparators.
func (m *measures) balance(in, out []int32, weights []float64) imbalance {
	p := len(m.columns)
	if p == 0 {
		return imbalance{nan, nan, "", nan}
	}
	n := float64(len(in))
	centre, known := make([]float64, p), slices.Repeat([]float64{n}, p)
	for _, i := range in {
		row := m.of(i)
		for k, c := range m.columns {
			centre[k] += row[k]
			if c.missing >= 0 {
				known[k] -= row[c.missing]
			}
		}
	}
	for k := range centre {
		centre[k] /= max(known[k], 1)
	}
	uniform := slices.Repeat([]float64{1 / n}, len(in))
	meanIn, productIn := m.moments(in, uniform, centre)
	meanOut, productOut := m.moments(out, weights, centre)
	// squareIn is the mean of the squared product in the cell.
	inside := m.centred(in, centre)
	squareIn := func(j, k int) (sum float64) {
		for i := range inside.N {
			x := inside.Data[i*p+j] * inside.Data[i*p+k]
			sum += x * x / n
		}
		return sum
	}
	varOut := func(j, k int) (sum float64) {
		mean, row := productOut[j][k], make([]float64, p)
		for i, w := range weights {
			m.centre(row, out[i], centre)
			x := row[j]*row[k] - mean
			sum += w * x * x
		}
		return sum
	}
	r := imbalance{varianceRatio: 1}
	note := func(smd float64, name string) {
		// Of terms that mirror each other, as the two sexes do, the first is named.
		if smd > max(trace, r.worst*(1+trace)) {
			r.worstOf = name
		}
		r.worst = max(r.worst, smd)
	}
	unbiased := n / max(n-1, 1)
	for j, a := range m.columns {
		inVar, outVar := productIn[j][j]-meanIn[j]*meanIn[j], productOut[j][j]-meanOut[j]*meanOut[j]
		if !a.indicator {
			inVar *= unbiased
			r.varianceRatio = max(r.varianceRatio, ratio(inVar, outVar))
		}
		smd := standardised(meanIn[j]-meanOut[j], inVar, func() float64 { return outVar })
		note(smd, a.name)
		if !a.main {
			continue
		}
		r.means = max(r.means, smd)
		for k := j; k < p; k++ {
			z := &m.columns[k]
			if !z.main || k == j && a.indicator || k != j && z.covariate == a.covariate {
				continue
			}
			mean := productIn[j][k]
			smd := standardised(mean-productOut[j][k], (squareIn(j, k)-mean*mean)*unbiased, func() float64 { return varOut(j, k) })
			if k == j {
				note(smd, a.name+"^2")
			} else {
				note(smd, a.name+" x "+z.name)
			}
		}
	}
	return r
}

// of is the row of a case; it shares memory.
func (m *measures) of(i int32) []float64 {
	at, p := int(m.row[i]), len(m.columns)
	return m.values[at*p : (at+1)*p]
}

// centre writes the row of a case less the centre. A missing number stays at 0,
// as if it were at the centre.
func (m *measures) centre(to []float64, i int32, centre []float64) {
	row := m.of(i)
	for k, v := range row {
		to[k] = v - centre[k]
	}
	for _, k := range m.gaps {
		if row[m.columns[k].missing] == 1 {
			to[k] = 0
		}
	}
}

// centred are the rows of cases less the centre.
func (m *measures) centred(rows []int32, centre []float64) dense.Matrix {
	p := len(m.columns)
	x := dense.Matrix{N: len(rows), P: p, Data: make([]float64, len(rows)*p)}
	for k, i := range rows {
		m.centre(x.Row(k), i, centre)
	}
	return x
}

// moments are the weighted sums of the centred columns and of their products. The
// rows are centred in blocks, so that no copy of all comparators is made.
func (m *measures) moments(rows []int32, weights, centre []float64) ([]float64, dense.Sym) {
	p := len(m.columns)
	width := dense.Width(p)
	sum := dense.Sum(len(rows), width+p, func(sum []float64, lo, hi int) {
		g, data := dense.NewProducts(p), make([]float64, dense.BlockRows*p)
		for ; lo < hi; lo += dense.BlockRows {
			x := dense.Matrix{N: min(dense.BlockRows, hi-lo), P: p}
			x.Data = data[:x.N*p]
			for k := range x.N {
				m.centre(x.Row(k), rows[lo+k], centre)
			}
			w := weights[lo : lo+x.N]
			g.Add(sum, x, w)
			dense.AddCross(sum[width:], x, w)
		}
	})
	return sum[width:], dense.Unpack(sum, p)
}

// trace is what rounding leaves of figures that are equal, in standard
// deviations.
const trace = 1e-9

// standardised is an absolute difference over the standard deviation of the cell
// or, where that is 0, of the comparators.
func standardised(difference, inVar float64, outVar func() float64) float64 {
	difference = math.Abs(difference)
	if inVar <= trace*trace {
		inVar = outVar()
	}
	switch {
	case difference <= trace:
		return 0
	case inVar > trace*trace:
		return difference / math.Sqrt(inVar)
	}
	return math.Inf(1)
}

// ratio is that of two variances, turned to be 1 or more.
func ratio(a, b float64) float64 {
	switch {
	case a <= trace && math.Abs(b) <= trace:
		return 1
	case a <= trace || b <= trace:
		return math.Inf(1)
	}
	return max(a/b, b/a)
}
