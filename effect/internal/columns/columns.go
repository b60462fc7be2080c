// Package columns lays covariates out as the columns of a model with a constant,
// and finds the cases and comparators that have nobody of their like on the other
// side.
package columns

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Matrix lays out rows of cases as a constant and the columns of the comparison's
// frame (effect.Frame), but for columns that are 0 in all of the rows: names that
// none of them has. The errors are those of the frame.
func Matrix(ctx context.Context, c *effect.Comparison, covariates []string, rows []int32) (regress.Matrix, error) {
	frame, err := c.Frame(ctx, covariates, nil)
	if err != nil {
		return regress.Matrix{}, err
	}
	some := make([]bool, frame.X.P)
	for _, i := range rows {
		for p, v := range frame.X.Row(int(frame.Row(i))) {
			some[p] = some[p] || v != 0
		}
	}
	var kept []int
	for p, yes := range some {
		if yes {
			kept = append(kept, p)
		}
	}
	x := regress.Matrix{N: len(rows), P: 1 + len(kept), Data: make([]float64, len(rows)*(1+len(kept)))}
	dense.Chunks(ctx, len(rows), func(_, lo, hi int) {
		for k := lo; k < hi; k++ {
			from, to := frame.X.Row(int(frame.Row(rows[k]))), x.Row(k)
			to[0] = 1
			for n, p := range kept {
				to[1+n] = from[p]
			}
		}
	})
	return x, nil
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
				code = func(i int32) int { return known(cov.Number[i]) }
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

func known(x float64) int {
	if math.IsNaN(x) {
		return 0
	}
	return 1
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
