package jobeffekt

import (
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// blind takes the effects out of a result. What stays is what the diagnostics
// rest on: counts, weights, the placebo, which is about the time before referral,
// and the standard error with its degrees of freedom, of which the minimum
// detectable effect is made. The result's tables are replaced, not changed.
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
		// The variance of a share tells the share.
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
		r.Gates, r.Settlement = r.Settlement.Blinded(), nil
	}
}

func blindFigures(f *effect.Figures) {
	f.Observed, f.Expected, f.Difference, f.Low, f.High, f.Verdict = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), ""
}
