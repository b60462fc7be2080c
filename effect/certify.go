package effect

import (
	"context"
	"maps"
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
// the balance reached. It shares no code with the methods. A person who occurs
// several times counts once, with all of the weight. followed says of whom the
// registers tell what happened. Where some comparators are known in aggregate
// only, neither balance nor follow-up is known (NaN).
func (e *Expectation) certify(ctx context.Context, c *Comparison, uses []string, followed []bool) {
	in := c.In
	if e.Covered != nil {
		in = c.Restrict(e.Covered).In
	}
	e.persons, e.balance, e.followed = c.Persons(in), imbalance{nan, nan, "", nan}, nan
	e.equalIn = equalOutcomes(c.Y, in)
	var sum, squares, largest, known float64
	byPerson := map[int32]float64{}
	for k, w := range e.Weights {
		sum += w
		if followed[e.Out[k]] {
			known += w
		}
		if c.Repeats {
			byPerson[c.Cases.Person[e.Out[k]]] += w
			continue
		}
		squares += float64(w * w)
		largest = max(largest, math.Abs(w))
	}
	for _, person := range slices.Sorted(maps.Keys(byPerson)) {
		w := byPerson[person]
		squares += float64(w * w)
		largest = max(largest, math.Abs(w))
	}
	if sum == 0 {
		return
	}
	e.equalOut = equalOutcomes(c.Y, e.Out)
	e.EffectiveN, e.MaxWeight, e.followed = sum*sum/squares, largest/math.Abs(sum), known/sum
	weights := make([]float64, len(e.Weights))
	for k, w := range e.Weights {
		weights[k] = w / sum
	}
	e.balance = c.reached(ctx, uses, in, e.Out, weights)
}

// equalOutcomes says whether all rows have the same outcome. It is true of none.
func equalOutcomes(y []float64, rows []int32) bool {
	for _, i := range rows {
		if y[i] != y[rows[0]] {
			return false
		}
	}
	return true
}

// measures are the covariates of a match group as columns of numbers, by which
// cells and their comparators are held against each other. They are made once for
// a group, apart from the frames that methods use, and worked out anew where they
// are read: no copy of the cases is kept.
type measures struct {
	columns []measure
}

// measure is one column: a number (in standard deviations of the group from its
// mean, 0 where missing) or an indicator.
type measure struct {
	name      string
	covariate int  // columns of one covariate have no products with each other
	gaps      bool // a number that some case misses
	main      bool // takes part in products
	kind      measureKind
	cov       *Covariate
	code      int32   // of the name that is indicated
	mean      float64 // of the number in the group
	scale     float64
}

type measureKind int

const (
	measureNumber  measureKind = iota
	measureName                // indicates one name
	measureMissing             // indicates that the number is missing
	measureZero                // indicates that it is 0
)

// at is the column's value of case i.
func (c *measure) at(i int32) float64 {
	switch c.kind {
	case measureName:
		return indicator(c.cov.Factor.Codes[i] == c.code)
	case measureMissing:
		return indicator(math.IsNaN(c.cov.Number[i]))
	case measureZero:
		return indicator(c.cov.Number[i] == 0)
	}
	if x := c.cov.Number[i]; !math.IsNaN(x) {
		return (x - c.mean) / c.scale
	}
	return 0
}

// centred is the same less the centre. A missing number stays at 0, as if it were
// at the centre.
func (c *measure) centred(i int32, centre float64) float64 {
	if c.gaps && math.IsNaN(c.cov.Number[i]) {
		return 0
	}
	return c.at(i) - centre
}

// measures returns the columns of the covariates for the comparison's cases.
func (c *Comparison) measures(covariates []string) *measures {
	if c.frames == nil {
		return newMeasures(c.Cases, slices.Concat(c.In, c.Out), covariates)
	}
	return c.frames.measured(c.Cell, covariates)
}

func newMeasures(cases *Cases, rows []int32, covariates []string) *measures {
	m := &measures{}
	for id, name := range covariates {
		if cov, ok := cases.Covariate(name); ok {
			m.add(cov, id, rows)
		}
	}
	return m
}

func (m *measures) add(cov *Covariate, id int, rows []int32) {
	indicate := func(c measure) bool {
		c.covariate, c.cov = id, cov
		some := slices.ContainsFunc(rows, func(i int32) bool { return c.at(i) == 1 })
		if some {
			m.columns = append(m.columns, c)
		}
		return some
	}
	if cov.Number == nil {
		for code := int32(-1); int(code) < len(cov.Factor.Levels); code++ {
			name := cov.Name + "=missing"
			if code >= 0 {
				name = cov.Name + "=" + cov.Factor.Levels[code]
			}
			indicate(measure{name: name, kind: measureName, code: code, main: true})
		}
		return
	}
	_, mean, scale := cov.Moments(rows)
	if scale == 0 {
		scale = 1
	}
	gaps := indicate(measure{name: cov.Name + "=missing", kind: measureMissing, main: true})
	m.columns = append(m.columns, measure{name: cov.Name, covariate: id, gaps: gaps, main: true, kind: measureNumber, cov: cov, mean: mean, scale: scale})
	indicate(measure{name: cov.Name + "=0", kind: measureZero})
}

// balance holds a cell against weighted comparators, in every column and in the
// products of columns of different covariates and the squares of numbers.
// Columns are centred on the cell, so that the answer does not depend on the
// origin of a number. A difference is divided by the standard deviation in the
// cell (for an indicator sqrt(p(1 - p))) or, where the cell has none, among the
// comparators.
func (m *measures) balance(ctx context.Context, in, out []int32, weights []float64) imbalance {
	p := len(m.columns)
	if p == 0 {
		return imbalance{nan, nan, "", nan}
	}
	n := float64(len(in))
	centre := make([]float64, p)
	for k := range m.columns {
		c, known := &m.columns[k], n
		for _, i := range in {
			centre[k] += c.at(i)
			if c.gaps && math.IsNaN(c.cov.Number[i]) {
				known--
			}
		}
		centre[k] /= max(known, 1)
	}
	uniform := slices.Repeat([]float64{1 / n}, len(in))
	meanIn, productIn := m.moments(ctx, in, uniform, centre)
	meanOut, productOut := m.moments(ctx, out, weights, centre)
	// squareIn is the mean of the squared product in the cell.
	inside := dense.Matrix{N: len(in), P: p, Data: make([]float64, len(in)*p)}
	m.lay(inside, in, centre)
	squareIn := func(j, k int) (sum float64) {
		for i := range inside.N {
			x := inside.Data[i*p+j] * inside.Data[i*p+k]
			sum += x * x / n
		}
		return sum
	}
	varOut := func(j, k int) (sum float64) {
		a, b, mean := &m.columns[j], &m.columns[k], productOut[j][k]
		for n, w := range weights {
			x := float64(a.centred(out[n], centre[j])*b.centred(out[n], centre[k])) - mean
			sum += float64(w * x * x)
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
		inVar, outVar := productIn[j][j]-float64(meanIn[j]*meanIn[j]), productOut[j][j]-float64(meanOut[j]*meanOut[j])
		if a.kind == measureNumber {
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
			if !z.main || k == j && a.kind != measureNumber || k != j && z.covariate == a.covariate {
				continue
			}
			mean := productIn[j][k]
			smd := standardised(mean-productOut[j][k], scatter(squareIn(j, k), mean)*unbiased, func() float64 { return varOut(j, k) })
			if k == j {
				note(smd, a.name+"^2")
			} else {
				note(smd, a.name+" x "+z.name)
			}
		}
	}
	// A difference without any spread to measure it by has no size; a gate that
	// asks for it stays shut.
	for _, v := range []*float64{&r.means, &r.worst, &r.varianceRatio} {
		if math.IsInf(*v, 0) {
			*v = nan
		}
	}
	return r
}

// lay writes the rows of cases less the centre to x.
func (m *measures) lay(x dense.Matrix, rows []int32, centre []float64) {
	for k := range m.columns {
		m.columns[k].lay(x.Data[k:], x.P, rows, centre[k])
	}
}

// lay writes the centred values of cases to every step-th place.
func (c *measure) lay(to []float64, step int, rows []int32, centre float64) {
	if c.kind == measureName {
		codes, with, without := c.cov.Factor.Codes, 1-centre, 0-centre
		for n, i := range rows {
			v := without
			if codes[i] == c.code {
				v = with
			}
			to[n*step] = v
		}
		return
	}
	if c.kind == measureNumber {
		x, mean, scale := c.cov.Number, c.mean, c.scale
		for n, i := range rows {
			v := (x[i]-mean)/scale - centre
			if v != v && math.IsNaN(x[i]) { // missing
				v = 0
			}
			to[n*step] = v
		}
		return
	}
	for n, i := range rows {
		to[n*step] = c.centred(i, centre)
	}
}

// moments are the weighted sums of the centred columns and of their products. The
// rows are centred in blocks, so that no copy of all comparators is made.
func (m *measures) moments(ctx context.Context, rows []int32, weights, centre []float64) ([]float64, dense.Sym) {
	p := len(m.columns)
	width := dense.Width(p)
	sum := dense.Sum(ctx, len(rows), width+p, func(sum []float64, lo, hi int) {
		g, data := dense.NewProducts(p), make([]float64, dense.BlockRows*p)
		for ; lo < hi; lo += dense.BlockRows {
			x := dense.Matrix{N: min(dense.BlockRows, hi-lo), P: p}
			x.Data = data[:x.N*p]
			m.lay(x, rows[lo:lo+x.N], centre)
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

// scatter is the variance of what has a mean and a mean square. Where all but rounding of
// the square is the mean's it is 0: rounding differs between machines, and a difference
// over it has any size.
func scatter(square, mean float64) float64 {
	if v := square - float64(mean*mean); v > 1e-12*square {
		return v
	}
	return 0
}

// standardised is an absolute difference over the standard deviation of the cell
// or, where that is 0, of the comparators.
func standardised(difference, inVar float64, outVar func() float64) float64 {
	difference = math.Abs(difference)
	if difference <= trace {
		return 0
	}
	if inVar <= trace*trace {
		inVar = outVar()
	}
	if inVar > trace*trace {
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
