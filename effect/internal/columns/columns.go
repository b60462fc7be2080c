// Package columns lays covariates out as the columns of a model, and finds the
// cases and comparators that have nobody of their like on the other side. It
// follows the rules of the method regression.
package columns

import (
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Column is one column of a model as a function of the case.
type Column func(i int32) float64

// Of lays out the columns for the rows given: a constant first. A covariate of
// numbers is one column, centred and scaled on the rows, and where values are
// missing (NaN) an indicator of that, with the number at the mean; a number that
// is constant up to rounding has no column. A covariate of names is one indicator
// for each name of the rows, a missing name being one of them, but the most
// frequent (ties: the first in the order of names). An infinite number refuses
// with not_finite; a covariate that is not there is an error.
func Of(cases *effect.Cases, names []string, rows []int32) ([]Column, error) {
	out := []Column{func(int32) float64 { return 1 }}
	for _, name := range names {
		cov, ok := cases.Covariate(name)
		if !ok {
			return nil, fmt.Errorf("effect: the cases have no covariate %q", name)
		}
		if cov.Number == nil {
			out = append(out, indicators(cov.Factor, rows)...)
			continue
		}
		columns, finite := number(cov.Number, rows)
		if !finite {
			return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "a covariate is infinite", Cure: "check the covariates"}
		}
		out = append(out, columns...)
	}
	return out, nil
}

func indicators(f effect.Factor, rows []int32) (out []Column) {
	codes := f.Codes
	seen, base := make([]int, len(f.Levels)+1), 0 // code + 1; 0 is missing
	for _, i := range rows {
		seen[codes[i]+1]++
	}
	for k, n := range seen {
		if n > seen[base] {
			base = k
		}
	}
	for k, n := range seen {
		if k != base && n > 0 {
			out = append(out, func(i int32) float64 { return indicator(int(codes[i])+1 == k) })
		}
	}
	return out
}

func number(x []float64, rows []int32) (out []Column, finite bool) {
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
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return nil, false
	}
	if n < float64(len(rows)) {
		out = append(out, func(i int32) float64 { return indicator(math.IsNaN(x[i])) })
	}
	if scale > 1e-12*math.Abs(mean) {
		out = append(out, func(i int32) float64 {
			if math.IsNaN(x[i]) {
				return 0
			}
			return (x[i] - mean) / scale
		})
	}
	return out, true
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Rows returns the columns of the rows given, row after row.
func Rows(columns []Column, rows []int32) []float64 {
	out := make([]float64, len(rows)*len(columns))
	for k, i := range rows {
		for p, f := range columns {
			out[k*len(columns)+p] = f(i)
		}
	}
	return out
}

// Tally counts who shares a name: cases of the cell, comparators, and those of
// them whose outcome is 1. Of a covariate of numbers there are two names, known
// and missing.
type Tally struct{ Cell, Out, Ones int }

// Support leaves out the cases of the cell and the comparators whose name, in
// some covariate, the rule leaves out, until there are none. Covered is parallel
// to c.In, nil when all of it is left; aside says whether comparators were left
// out.
func Support(c *effect.Comparison, names []string, rule func(Tally) (in, out bool)) (less *effect.Comparison, covered []bool, aside bool) {
	out := *c
	for again := true; again; {
		again = false
		for _, name := range names {
			cov, ok := c.Covariate(name)
			if !ok {
				continue // whoever lays out the columns says so
			}
			code := func(i int32) int { return int(cov.Factor.Codes[i]) + 1 }
			if cov.Number != nil {
				code = func(i int32) int { return int(indicator(!math.IsNaN(cov.Number[i]))) }
			}
			tallies := make([]Tally, len(cov.Factor.Levels)+2)
			for _, i := range out.In {
				tallies[code(i)].Cell++
			}
			for _, i := range out.Out {
				tallies[code(i)].Out++
				if c.Y[i] == 1 {
					tallies[code(i)].Ones++
				}
			}
			dropIn := func(i int32) bool { in, _ := rule(tallies[code(i)]); return in }
			dropOut := func(i int32) bool { _, out := rule(tallies[code(i)]); return out }
			if slices.ContainsFunc(out.In, dropIn) {
				out.In, again = slices.DeleteFunc(slices.Clone(out.In), dropIn), true
			}
			if slices.ContainsFunc(out.Out, dropOut) {
				out.Out, again, aside = slices.DeleteFunc(slices.Clone(out.Out), dropOut), true, true
			}
		}
	}
	if len(out.In) < len(c.In) {
		covered = make([]bool, len(c.In))
		for k, i := range c.In {
			_, covered[k] = slices.BinarySearch(out.In, i)
		}
	}
	return &out, covered, aside
}

// Check refuses a comparison that no method which needs records can answer: no
// cases, no comparators, comparators known in aggregate only, or an outcome that
// is not finite.
func Check(c *effect.Comparison) error {
	switch {
	case len(c.In) == 0:
		return &effect.Refusal{Code: effect.RefusalNoCases, Why: "the cell has no case", Cure: "choose a later as_of or an earlier cohort"}
	case len(c.Strata) > 0:
		return &effect.Refusal{Code: effect.RefusalNeedsMicro, Why: "some peers are known by aggregated strata only", Cure: "use the strata method"}
	case len(c.Out) == 0:
		return &effect.Refusal{Code: effect.RefusalNoComparators, Why: "nobody is left to compare with", Cure: "declare other comparators or peers"}
	}
	for _, rows := range [][]int32{c.In, c.Out} {
		for _, i := range rows {
			if math.IsNaN(c.Y[i] - c.Y[i]) {
				return &effect.Refusal{Code: effect.RefusalNotFinite, Why: "an outcome is not finite", Cure: "check the outcome"}
			}
		}
	}
	return nil
}

// Uncovered refuses when fewer than two of n cases are covered, or more than the
// share most is not; why says in words what the others lack.
func Uncovered(covered, n int, most float64, why string) error {
	share := 1 - float64(covered)/float64(n)
	switch {
	case share > most:
		return &effect.Refusal{Code: effect.RefusalUncovered, Why: fmt.Sprintf("%.0f %% of the cell %s", 100*share, why), Cure: "drop or coarsen covariates, or declare more peers"}
	case covered == 0:
		return &effect.Refusal{Code: effect.RefusalNoComparators, Why: "every case of the cell " + why, Cure: "drop or coarsen covariates, or declare more peers"}
	case covered == 1:
		return &effect.Refusal{Code: effect.RefusalFewCases, Why: "one case has no variance", Cure: "wait for more cases, or look at a wider cell"}
	}
	return nil
}
