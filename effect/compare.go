package effect

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// StratumTotal is one line of aggregated outcomes: what a municipality may
// lawfully hand over in place of its citizens' records.
type StratumTotal struct {
	Municipality string
	MatchScheme  string
	MatchGroup   string
	Outcome      string
	Period       string   // calendar quarter of the referrals, as 2008Q3
	Classes      []string // labels in the order of the declared classes
	N            int64
	Sum          float64 // of the outcome
	SumSquares   float64 // of the outcome
}

// Comparison is one cell and its comparators for one outcome. A method reads
// it and changes nothing.
type Comparison struct {
	Outcome     string
	Unit        Unit
	Cell        Cell
	Comparators Comparators
	Cases       *Cases
	Y           []float64 // outcome of every case; meaningful at In and Out
	In          []int32   // the cell's cases, ascending
	Out         []int32   // the comparators, ascending
	// Strata are aggregated comparators of municipalities whose records are not
	// in Cases. A method that needs records refuses when there are any.
	Strata []StratumTotal
	// Repeats says that a person may occur more than once in In or Out.
	Repeats bool

	frames *frames // shared with the other comparisons of [Estimates]; nil for one made by hand
	shared *shared // with comparisons of the same people for other outcomes; nil where there are none
}

// Covariate returns the named covariate of the cases.
func (c *Comparison) Covariate(name string) (*Covariate, bool) { return c.Cases.Covariate(name) }

// Covariate returns the named covariate.
func (c *Cases) Covariate(name string) (*Covariate, bool) {
	for i := range c.Covariates {
		if c.Covariates[i].Name == name {
			return &c.Covariates[i], true
		}
	}
	return nil, false
}

// Restrict returns the comparison with only the cell's cases that keep marks.
func (c *Comparison) Restrict(keep []bool) *Comparison {
	out := *c
	out.In, out.shared = nil, nil
	for k, i := range c.In {
		if keep[k] {
			out.In = append(out.In, i)
		}
	}
	return &out
}

// Linear is the answer of a method that is, or is linearised to, a weighted sum
// over records: Expected changes by Weights[k] when the outcome of comparator
// Out[k] changes by one.
type Linear struct {
	Weights   []float64 // of the comparators, parallel to Out
	FittedOut []float64 // fitted outcomes of the comparators
	FittedIn  []float64 // expected outcomes of the cell's cases, parallel to In
	// Leverage is how far each comparator pulls its own fitted value. Its residual
	// is taken as r/(1 - h) (HC3); nil takes residuals as they are.
	// Source: mackinnonwhite1985.
	Leverage []float64
	// Influence, where not nil, is what each comparator adds to the error of the
	// expectation, in place of its weight times its residual: for weights that are
	// themselves estimated. FittedOut and Leverage are then not used.
	Influence []float64
}

// Linear turns the weights and fitted values of records into an expectation. It
// sums in the order of the cases.
func (c *Comparison) Linear(l Linear) Expectation {
	e := Expectation{N: len(c.In), Comparators: len(c.Out), Converged: true, Out: c.Out, Weights: l.Weights}
	resid := make([]float64, len(c.In))
	for k, i := range c.In {
		e.Observed += c.Y[i]
		e.Expected += l.FittedIn[k]
		resid[k] = c.Y[i] - l.FittedIn[k]
	}
	e.Observed /= float64(len(c.In))
	e.Expected /= float64(len(c.In))
	e.VarCell = c.MeanVariance(c.In, resid)

	parts := map[int32]*MunicipalityPart{}
	influence := make([]float64, len(c.Out))
	for k, i := range c.Out {
		m := c.Cases.Municipality.Codes[i]
		p := parts[m]
		if p == nil {
			p = &MunicipalityPart{Municipality: c.Cases.Municipality.Levels[m]}
			parts[m] = p
		}
		w := l.Weights[k]
		switch {
		case l.Influence != nil:
			influence[k] = l.Influence[k]
		case l.Leverage != nil:
			influence[k] = w * (c.Y[i] - l.FittedOut[k]) / (1 - l.Leverage[k])
		default:
			influence[k] = w * (c.Y[i] - l.FittedOut[k])
		}
		p.N++
		p.Weight += w
		p.Residual += influence[k]
		p.SumSquares += float64(influence[k] * influence[k])
		p.SumWeights2 += float64(w * w)
		e.MaxWeight = max(e.MaxWeight, math.Abs(w))
	}
	for _, p := range parts {
		e.Municipalities = append(e.Municipalities, *p)
	}
	e.Finish()
	e.VarComparators += c.Repeated(c.Out, influence)
	return e
}

// Finish orders the municipalities and derives the variance of the comparators,
// the effective number and the largest weight share from them.
func (e *Expectation) Finish() {
	slices.SortFunc(e.Municipalities, func(a, b MunicipalityPart) int { return cmp.Compare(a.Municipality, b.Municipality) })
	var sum, sum2 float64
	e.VarComparators = 0
	for _, p := range e.Municipalities {
		e.VarComparators += p.SumSquares
		sum += p.Weight
		sum2 += p.SumWeights2
	}
	if sum != 0 {
		e.EffectiveN = sum * sum / sum2
		e.MaxWeight /= math.Abs(sum)
	}
}

// MeanVariance is the variance of the mean of n values over rows, clustered on
// person: g/(g - 1) times the sum of squared deviations over n^2, the deviations
// of one of the g persons added up first. NaN under two persons.
func (c *Comparison) MeanVariance(rows []int32, values []float64) float64 {
	n := float64(len(rows))
	mean := 0.0
	for _, v := range values {
		mean += v
	}
	mean /= n
	dev, sum := make([]float64, len(values)), 0.0
	for k, v := range values {
		dev[k] = v - mean
		sum += float64(dev[k] * dev[k])
	}
	g := float64(c.Persons(rows))
	if g < 2 {
		return nan
	}
	return (sum + c.Repeated(rows, dev)) / (n * n) * g / (g - 1)
}

// Persons is how many persons the rows are about.
func (c *Comparison) Persons(rows []int32) int {
	if !c.Repeats {
		return len(rows)
	}
	seen := make(map[int32]bool, len(rows))
	for _, i := range rows {
		seen[c.Cases.Person[i]] = true
	}
	return len(seen)
}

// Repeated is what clustering on person adds to the sum of squares of values:
// the sum over persons of (sum of values)^2 less the sum of their squares. It
// is 0 where every person occurs once.
func (c *Comparison) Repeated(rows []int32, values []float64) float64 {
	if !c.Repeats {
		return 0
	}
	order := make([]int, len(rows))
	for k := range order {
		order[k] = k
	}
	person := func(k int) int32 { return c.Cases.Person[rows[k]] }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(person(a), person(b)) })
	extra := 0.0
	for k := 0; k < len(order); {
		sum, squares, p := 0.0, 0.0, person(order[k])
		for ; k < len(order) && person(order[k]) == p; k++ {
			v := values[order[k]]
			sum += v
			squares += float64(v * v)
		}
		extra += float64(sum*sum) - squares
	}
	return extra
}

// Round rounds a figure to nine significant digits, half to even: the form in
// which figures are written, compared and settled. NaN and infinities stay.
//
// Where a figure is a tie between two decimals, its last bit decides. That is why the
// sums of this package, and those of written figures elsewhere, are of products that are
// converted, float64(x*y): Go then rounds them on every machine, where it may else fuse
// them with the sum on some.
func Round(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	v, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', 8, 64), 64)
	if err != nil {
		return x
	}
	return v
}

// Kinship returns, for every provider, the providers that must be left out of
// its comparators: itself, and those that belong to a consortium with it on
// some common day. [Identities.Sisters] looks at one day.
func Kinship(members []Membership) map[string][]string {
	ends := func(m Membership) Date {
		if m.To == NoDate {
			return LastDate
		}
		return m.To
	}
	kin := map[string][]string{}
	add := func(a, b string) {
		if !slices.Contains(kin[a], b) {
			kin[a] = append(kin[a], b)
		}
	}
	byConsortium := map[string][]Membership{}
	for _, m := range members {
		add(m.Provider, m.Provider)
		if m.Consortium != "" {
			byConsortium[m.Consortium] = append(byConsortium[m.Consortium], m)
		}
	}
	for _, group := range byConsortium {
		for _, a := range group {
			for _, b := range group {
				if max(a.From, b.From) < min(ends(a), ends(b)) {
					add(a.Provider, b.Provider)
				}
			}
		}
	}
	for _, list := range kin {
		slices.Sort(list)
	}
	return kin
}
