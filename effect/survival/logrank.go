package survival

import (
	"cmp"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"gonum.org/v1/gonum/mathext"
)

// Groups says what a log-rank test compares.
type Groups struct {
	Group   []int32 // of each row, by any numbers
	Stratum []int32 // of each row: only rows of one stratum are compared; nil for one stratum
	// Cause is the exit that is tested, the others then being censorings as suits
	// a comparison of rates; 0 for any exit. A difference in the rate of one cause
	// is not a difference in its cumulative incidence.
	Cause uint8
}

// Test is the outcome of a log-rank test.
type Test struct {
	ChiSquare float64
	DF        int
	P         float64 // upper tail of the chi-square distribution, worked out as a tail
	Robust    bool    // whether the variance is the one by persons
	Groups    []GroupTotal
}

// GroupTotal is one group of a test, in the order of their numbers.
type GroupTotal struct {
	Group              int32
	N                  float64 // cases, or their weight
	Observed, Expected float64 // exits
}

// LogRank tests whether groups leave at the same rate on every day. With d of
// the Y at risk leaving on a day, of whom Y_g are of group g,
//
//	O_g - E_g = sum over days (d_g - d Y_g/Y)
//	V_gh      = sum over days d (Y-d)/(Y-1) Y_g/Y (1{g=h} - Y_h/Y)
//	X^2       = (O - E)' V^- (O - E)
//
// summed over strata first; the degrees of freedom are the rank of V. With
// weights, or persons with several rows, V is the sum over persons of the outer
// product of their shares in O - E (the score residuals of Cox regression), and
// X^2 its robust score test. Groups without anybody at risk on a day with exits
// add no degree of freedom.
//
// It is a *effect.Refusal where the data are bad, there is only one group,
// nothing tells the groups apart (no exits, or never two groups at risk), or
// the variance by persons rests on no more persons than degrees of freedom.
// Source: mantel1966, linwei1989.
func LogRank(d Data, by Groups) (*Test, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if len(by.Group) != len(d.Days) || by.Stratum != nil && len(by.Stratum) != len(d.Days) {
		return nil, &effect.Refusal{Code: RefusalLengths, Why: "groups or strata differ in length from the data", Cure: "give every case a group"}
	}
	if int(by.Cause) > d.Causes {
		return nil, &effect.Refusal{Code: RefusalCause, Why: "the cause to test is not declared", Cure: "choose one of the causes, or 0 for any exit"}
	}
	rows, groups := d.contenders(by)
	if len(groups) < 2 {
		return nil, &effect.Refusal{Code: RefusalOneGroup, Why: "there is only one group", Cure: "give two groups or more"}
	}
	several := d.several()
	t := &Test{Robust: d.Weight != nil || len(several) > 0, Groups: make([]GroupTotal, len(groups))}
	for g, id := range groups {
		t.Groups[g].Group = id
	}
	size := len(groups)
	model, robust := make([]float64, size*size), make([]float64, size*size)
	gross := 0.0 // the trace of robust, were all rows persons of their own
	persons, shares := make([]float64, len(several)*size), make([]float64, size)
	for len(rows) > 0 {
		end := slices.IndexFunc(rows, func(r contender) bool { return r.stratum != rows[0].stratum })
		if end < 0 {
			end = len(rows)
		}
		t.stratum(rows[:end], model, func(r contender, share []float64) {
			to := shares
			if k, ok := slices.BinarySearch(several, r.person); ok && d.Person != nil {
				to = persons[k*size:][:size]
			} else {
				clear(to)
			}
			for g := range to {
				to[g] += r.weight * share[g]
				gross += r.weight * share[g] * r.weight * share[g]
			}
			if &to[0] == &shares[0] {
				outer(robust, 1, to, to)
			}
		})
		rows = rows[end:]
	}
	for ; len(persons) > 0; persons = persons[size:] {
		outer(robust, 1, persons[:size], persons[:size])
	}
	u := make([]float64, size)
	for g, total := range t.Groups {
		u[g] = total.Observed - total.Expected
	}
	if t.Robust {
		t.ChiSquare, t.DF = quadratic(robust, u, gross)
	} else {
		t.ChiSquare, t.DF = quadratic(model, u, 0)
	}
	switch {
	case t.DF == 0:
		return nil, &effect.Refusal{Code: effect.RefusalNoVariation, Why: "there are no exits while two groups are at risk, or persons do not differ", Cure: "compare groups with exits, or widen the cohort"}
	case t.Robust && newTally(d).persons <= t.DF:
		return nil, &effect.Refusal{Code: effect.RefusalFewCases, Why: "there are too few persons to tell the variance from", Cure: "widen the cohort"}
	}
	t.P = ChiSquareTail(t.ChiSquare, t.DF)
	return t, nil
}

// contender is a row of a log-rank test.
type contender struct {
	stratum, day, person int32
	group                int
	exit                 bool
	weight               float64
}

// contenders are the rows that carry weight, by stratum and day, and the groups
// that they are of.
func (d Data) contenders(by Groups) (rows []contender, groups []int32) {
	for i, g := range by.Group {
		if d.weight(i) > 0 {
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	for i, g := range by.Group {
		if d.weight(i) == 0 {
			continue
		}
		r := contender{day: d.Days[i], weight: d.weight(i), exit: d.Cause[i] > 0 && (by.Cause == 0 || d.Cause[i] == by.Cause)}
		r.group, _ = slices.BinarySearch(groups, g)
		if by.Stratum != nil {
			r.stratum = by.Stratum[i]
		}
		if d.Person != nil {
			r.person = d.Person[i]
		}
		rows = append(rows, r)
	}
	exit := func(r contender) int {
		if r.exit {
			return 1
		}
		return 0
	}
	slices.SortFunc(rows, func(a, b contender) int {
		return cmp.Or(cmp.Compare(a.stratum, b.stratum), cmp.Compare(a.day, b.day), cmp.Compare(a.group, b.group),
			cmp.Compare(exit(a), exit(b)), cmp.Compare(a.weight, b.weight), cmp.Compare(a.person, b.person))
	})
	return rows, groups
}

// stratum adds one stratum's rows to the totals and to the variance, and hands
// over each row's share in O - E per unit of its weight.
func (t *Test) stratum(rows []contender, variance []float64, share func(contender, []float64)) {
	size := len(t.Groups)
	type day struct {
		from, to int
		at, d    []float64 // by group: at risk, exits
	}
	var days []day
	for i := range rows {
		if i == 0 || rows[i].day != rows[i-1].day {
			days = append(days, day{from: i, at: make([]float64, size), d: make([]float64, size)})
		}
		days[len(days)-1].to = i + 1
	}
	later := make([]float64, size)
	for j := len(days) - 1; j >= 0; j-- {
		for _, r := range rows[days[j].from:days[j].to] {
			later[r.group] += r.weight
			if r.exit {
				days[j].d[r.group] += r.weight
			}
		}
		copy(days[j].at, later)
	}
	for g := range t.Groups {
		t.Groups[g].N += later[g]
	}
	hazard, expected := 0.0, make([]float64, size) // sums of d/Y and of d Y_g/Y^2
	out := make([]float64, size)
	for _, x := range days {
		y, d := 0.0, 0.0
		for g := range size {
			y += x.at[g]
			d += x.d[g]
		}
		hazard += d / y
		for g := range size {
			part := x.at[g] / y
			expected[g] += d / y * part
			t.Groups[g].Observed += x.d[g]
			t.Groups[g].Expected += d * part
			if d == 0 || y <= 1 {
				continue
			}
			for h := range size {
				same := 0.0
				if g == h {
					same = 1
				}
				variance[g*size+h] += d * (y - d) / (y - 1) * part * (same - x.at[h]/y)
			}
		}
		for _, r := range rows[x.from:x.to] {
			for g := range size {
				own := 0.0
				if r.group == g {
					own = 1
				}
				out[g] = expected[g] - own*hazard
				if r.exit {
					out[g] += own - x.at[g]/y
				}
			}
			share(r, out)
		}
	}
}

// quadratic is u' V^- u and the rank of V, by Cholesky's factorisation with the
// largest pivot first. Pivots that are rounding beside the largest, or beside
// gross, are none. V is changed.
func quadratic(v, u []float64, gross float64) (x2 float64, rank int) {
	size := len(u)
	u = slices.Clone(u)
	largest := gross
	for g := range size {
		largest = max(largest, v[g*size+g])
	}
	used := make([]bool, size)
	for range size {
		p := -1
		for g := range size {
			if !used[g] && v[g*size+g] > 1e-10*largest && (p < 0 || v[g*size+g] > v[p*size+p]) {
				p = g
			}
		}
		if p < 0 {
			break
		}
		used[p], rank = true, rank+1
		x2 += u[p] * u[p] / v[p*size+p]
		for g := range size {
			if used[g] {
				continue
			}
			f := v[g*size+p] / v[p*size+p]
			u[g] -= f * u[p]
			for h := range size {
				if !used[h] {
					v[g*size+h] -= f * v[p*size+h]
				}
			}
		}
	}
	return x2, rank
}

// ChiSquareTail is the chance that a chi-square variable with df degrees of
// freedom exceeds x, worked out as a tail so that it keeps its digits far out:
// the regularised upper incomplete gamma function at df/2 and x/2. It is 1 for x
// at or below 0, and NaN for df under 1 or x NaN.
func ChiSquareTail(x float64, df int) float64 {
	switch {
	case df < 1 || math.IsNaN(x):
		return math.NaN()
	case x <= 0:
		return 1
	}
	return mathext.GammaIncRegComp(float64(df)/2, x/2)
}
