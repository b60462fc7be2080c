package effect

import (
	"math"
	"slices"
	"strings"
)

// placeboPrefix begins the name of a placebo in place of an outcome's.
const placeboPrefix = "placebo:"

// PlaceboOf returns the outcome that a row is the placebo of. A placebo is the
// comparison of an outcome made again, over the same cases and with the same
// method, on the portion of the weeks before referral spent in work, adjusting for
// nothing but what was known before those weeks. Whatever it shows is no
// effect: it tells how far the citizens compared were apart already.
func PlaceboOf(outcome string) (string, bool) { return strings.CutPrefix(outcome, placeboPrefix) }

// lagged are the cases as they were known when the weeks of the placebo began:
// covariates from history as they stood then, those declared fixed and the
// calendar as they are. What else is known at the referral could tell of the weeks
// just before it, and is missing for everybody.
func (c *Cases) lagged() *Cases {
	before := *c
	before.Covariates = slices.Clone(c.Covariates)
	for i := range before.Covariates {
		cov := &before.Covariates[i]
		k := slices.IndexFunc(c.Placebo.Covariates, func(l Covariate) bool { return l.Name == cov.Name })
		switch {
		case k >= 0:
			*cov = c.Placebo.Covariates[k]
		case cov.Fixed || cov.Name == ReferralQuarter || cov.Name == ReferralMonth:
		case cov.Number != nil:
			cov.Number = slices.Repeat([]float64{nan}, c.Len())
		default:
			cov.Factor = Factor{Codes: slices.Repeat([]int32{-1}, c.Len())}
		}
	}
	return &before
}

// placebo is the result that the placebo of a result is estimated from.
func (c *Cases) placebo(r *Result) *Result {
	out := *r
	out.Outcome, out.Unit, out.Absence, out.Value = placeboPrefix+r.Outcome, UnitPortion, false, c.Placebo.Value
	out.Complete = make([]bool, len(r.Complete))
	for i, ok := range r.Complete {
		out.Complete[i] = ok && !math.IsNaN(out.Value[i])
	}
	return &out
}
