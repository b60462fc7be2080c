package jobeffekt

import (
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// blind takes the effects out of a result. What stays is what the diagnostics
// rest on: counts, weights, and the placebo, which is about the time before
// referral. The standard error goes, as the variance of a share tells the share;
// the minimum detectable effect, a diagnostic made of it, stays and tells it. The
// result's tables are replaced, not changed.
func (r *Result) blind() {
	r.Blinded = true
	r.Observations = &effect.Observations{AsOf: r.Observations.AsOf, Cases: r.Observations.Cases, Attrition: r.Observations.Attrition}
	r.Strata = nil
	r.Estimates = slices.Clone(r.Estimates)
	for i := range r.Estimates {
		e := &r.Estimates[i]
		if _, placebo := effect.PlaceboOf(e.Outcome); placebo {
			continue
		}
		blindFigures(&e.Figures)
		warnings := strings.Split(e.Warnings, ";")
		e.Warnings = strings.Join(slices.DeleteFunc(warnings, func(w string) bool { return w == allOutcomesEqual }), ";")
		e.VarCell, e.VarComparators, e.Sigma2B, e.VarPeer = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	}
	r.Benchmarked = Benchmarked{Benchmark: slices.Clone(r.Benchmark), Diagnostics: r.Diagnostics}
	for i := range r.Benchmark {
		b := &r.Benchmark[i]
		if _, placebo := effect.PlaceboOf(b.Outcome); !placebo {
			blindFigures(&b.Figures)
		}
	}
	if r.Settlement != nil {
		r.Gates, r.Settlement, r.FollowUp = r.Settlement.Blinded(), nil, nil
	}
}

// allOutcomesEqual is the warning of [effect.Estimate] that tells of outcomes.
const allOutcomesEqual = "all_outcomes_equal"

func blindFigures(f *effect.Figures) {
	f.SE, f.DF = math.NaN(), math.NaN()
	f.Observed, f.Expected, f.Difference, f.Low, f.High, f.Verdict = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), ""
}
