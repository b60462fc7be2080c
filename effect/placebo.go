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
// nothing from history but what lies before those weeks. Whatever it shows is no
// effect: it tells how far the citizens compared were apart already.
func PlaceboOf(outcome string) (string, bool) { return strings.CutPrefix(outcome, placeboPrefix) }

// lagged are the cases with the covariates from history as they stood when the
// weeks of the placebo began.
func (c *Cases) lagged() *Cases {
	before := *c
	before.Covariates = slices.Clone(c.Covariates)
	for i := range before.Covariates {
		for _, lagged := range c.Placebo.Covariates {
			if lagged.Name == before.Covariates[i].Name {
				before.Covariates[i] = lagged
			}
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
