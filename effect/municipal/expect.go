package municipal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Municipality is a municipality's observed share and its framework conditions.
type Municipality struct {
	Name     string
	Observed float64 // a share, in any unit that all of them have: parts of 1, or per cent
	// Weight is the population that the share is of; read only where
	// [ExpectOptions].Weighted asks for it.
	Weight     float64
	Conditions []float64 // in the order of the names that go with them
}

// ExpectOptions says how expected shares are worked out. Start from
// [DefaultExpect].
type ExpectOptions struct {
	// Weighted weighs each municipality by its population: the variance of a share
	// around its expectation is then taken as sigma^2/weight. Otherwise every
	// municipality counts the same.
	Weighted   bool
	Confidence float64 // of the intervals, between 0 and 1
}

// DefaultExpect counts every municipality the same, with intervals at 95 %.
func DefaultExpect() ExpectOptions { return ExpectOptions{Confidence: 0.95} }

// Expected is what the other municipalities lead one to expect of one.
type Expected struct {
	Share float64 // in the unit of the observed shares; not held within 0 and 1
	// SE is the standard error of observed - expected: the error of the line that
	// the others give, and the spread of municipalities around it, since one's own
	// is one more draw.
	SE        float64
	DF        int     // of SE: the others less the coefficients
	Low, High float64 // prediction interval of the share, Share -/+ t SE
	Leverage  float64 // of the municipality in the regression over all of them, from 0 to 1
}

// Codes of refusals.
const (
	RefusalMissing      = "value_missing"
	RefusalTwice        = "municipality_twice"
	RefusalNoConditions = "no_conditions"
	RefusalTooFew       = "too_few_municipalities"
	RefusalCollinear    = "conditions_collinear"
	RefusalAlone        = "alone_in_its_conditions"
)

// lonely is what must be left of 1 - leverage for the others to say something of
// a municipality.
const lonely = 1e-8

// Expect works out, for every municipality i, the share expected of it from its
// framework conditions and the least squares line through all the others:
//
//	b(-i)  = argmin over b of sum over j != i of w_j (y_j - a - x_j b)^2
//	share  = a(-i) + x_i b(-i)
//	SE^2   = s^2(-i) (1/w_i + z_i' (Z'WZ)(-i)^-1 z_i),  z = (1, x)
//	s^2(-i) = sum over j != i of w_j (y_j - z_j b(-i))^2 / df,  df = n - 1 - 1 - conditions
//
// with w = 1, or the population where [ExpectOptions].Weighted asks for it, and a
// t interval with df degrees of freedom. A municipality's own share is not used
// for its expectation. The result is parallel to all and does not depend on the
// order of the rows. A line that goes through all the others has SE 0.
//
// Every fault is named, a [effect.Refusal] for each kind: a value or a positive
// weight missing or not finite ([RefusalMissing]), a municipality without a name
// or there twice ([RefusalTwice]), no condition ([RefusalNoConditions]), a
// condition that is the same everywhere ([effect.RefusalNoVariation]), fewer
// municipalities than coefficients and two ([RefusalTooFew]; none at all too), a condition that
// those before it determine ([RefusalCollinear]), and a municipality without which
// the others do not determine the line, as the only one with a condition above 0
// ([RefusalAlone]).
// Source: cookweisberg1982 for leaving one out by its leverage.
func Expect(all []Municipality, conditions []string, o ExpectOptions) ([]Expected, error) {
	if math.IsNaN(interval.Normal(o.Confidence)) {
		return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "the confidence does not lie between 0 and 1", Cure: "0.95 is usual"}
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(all[a].Name, all[b].Name) })
	sorted := make([]Municipality, len(all))
	for k, i := range order {
		sorted[k] = all[i]
		if !o.Weighted {
			sorted[k].Weight = 1
		}
	}
	if err := whole(sorted, conditions); err != nil {
		return nil, err
	}
	z, y, err := design(sorted, conditions)
	if err != nil {
		return nil, err
	}
	// A country has some hundred municipalities: a fit is over before anybody could stop it.
	fit, err := regress.Linear(context.Background(), z, y)
	if err != nil {
		return nil, err
	}
	if fit.Rank < z.P {
		return nil, collinear(fit, conditions)
	}
	df := z.N - 1 - z.P
	t := interval.StudentT(float64(df), o.Confidence)
	residual := make([]float64, z.N)
	for k := range residual {
		residual[k] = y[k] - fit.Predict(z.Row(k))
	}
	out := make([]Expected, len(all))
	var alone []string
	for k, i := range order {
		// Leaving row k out moves the coefficients by pull times its own residual.
		pull := fit.Influence(z.Row(k))
		h := dot(pull, z.Row(k))
		if !(1-h > lonely) {
			alone = append(alone, without(z, y, k, sorted[k].Name, conditions))
			continue
		}
		move, squares := residual[k]/(1-h), 0.0
		for j, r := range residual {
			if j != k {
				r += dot(pull, z.Row(j)) * move
				squares += r * r
			}
		}
		w := sorted[k].Weight
		e := Expected{
			Share: sorted[k].Observed - move/math.Sqrt(w), DF: df, Leverage: h,
			// With h the leverage among all of them, z_i'(Z'WZ)(-i)^-1 z_i is h/(1-h)/w_i.
			SE: math.Sqrt(squares / float64(df) / w / (1 - h)),
		}
		e.Low, e.High = e.Share-t*e.SE, e.Share+t*e.SE
		out[i] = e
	}
	if len(alone) > 0 {
		return nil, &effect.Refusal{
			Code: RefusalAlone, Why: "the other municipalities do not determine what to expect: " + strings.Join(alone, "; "),
			Cure: "leave out the condition, or the municipality",
		}
	}
	return out, nil
}

// whole finds what is missing or there twice. The municipalities are sorted.
func whole(all []Municipality, conditions []string) error {
	var errs []error
	var missing, twice []string
	lacking := func(what string, lacks func(Municipality) bool) {
		var names []string
		for _, m := range all {
			if lacks(m) {
				names = append(names, m.Name)
			}
		}
		if len(names) > 0 {
			missing = append(missing, fmt.Sprintf("%s of %s", what, strings.Join(names, ", ")))
		}
	}
	lacking("the observed share", func(m Municipality) bool { return unknown(m.Observed) })
	lacking("a weight above 0", func(m Municipality) bool { return unknown(m.Weight) || m.Weight <= 0 })
	for c, name := range conditions {
		lacking(name, func(m Municipality) bool { return c >= len(m.Conditions) || unknown(m.Conditions[c]) })
	}
	for k, m := range all {
		switch {
		case m.Name == "":
			twice = append(twice, "a municipality has no name")
		case k > 0 && m.Name == all[k-1].Name:
			twice = append(twice, m.Name+" is there more than once")
		}
	}
	switch {
	case len(conditions) == 0:
		errs = append(errs, &effect.Refusal{Code: RefusalNoConditions, Why: "there is no framework condition to expect anything by", Cure: "name at least one, or give the expected shares"})
	case len(all) < len(conditions)+3:
		errs = append(errs, &effect.Refusal{
			Code: RefusalTooFew, Why: fmt.Sprintf("%d municipalities are too few for a line on %d conditions that leaves one of them out", len(all), len(conditions)),
			Cure: fmt.Sprintf("give %d or more municipalities, or fewer conditions", len(conditions)+3),
		})
	}
	return together(append(errs, faults(slices.Compact(twice), missing)...))
}

// faults are the refusals of names that are there twice and of values that are
// missing.
func faults(twice, missing []string) (errs []error) {
	if len(twice) > 0 {
		errs = append(errs, &effect.Refusal{Code: RefusalTwice, Why: strings.Join(twice, "; "), Cure: "give one row for each municipality"})
	}
	if len(missing) > 0 {
		errs = append(errs, &effect.Refusal{
			Code: RefusalMissing, Why: "there is no finite value for " + strings.Join(missing, "; for "),
			Cure: "complete the table, or leave out the condition or the municipality",
		})
	}
	return errs
}

func unknown(x float64) bool { return math.IsNaN(x - x) }

// together is one error as it is, several joined.
func together(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// design lays out the regression: a constant and the conditions, each with mean 0
// and spread 1 so that neither its unit nor its level costs digits, all times the
// root of the weight.
func design(all []Municipality, conditions []string) (z regress.Matrix, y []float64, err error) {
	p := 1 + len(conditions)
	z, y = regress.Matrix{N: len(all), P: p, Data: make([]float64, len(all)*p)}, make([]float64, len(all))
	for k, m := range all {
		z.Row(k)[0], y[k] = math.Sqrt(m.Weight), math.Sqrt(m.Weight)*m.Observed
	}
	var constant []string
	n := float64(len(all))
	for c, name := range conditions {
		low, high, mean, squares := math.Inf(1), math.Inf(-1), 0.0, 0.0
		for _, m := range all {
			v := m.Conditions[c]
			low, high, mean = min(low, v), max(high, v), mean+v/n
		}
		for _, m := range all {
			squares += (m.Conditions[c] - mean) / n * (m.Conditions[c] - mean)
		}
		spread := math.Sqrt(squares)
		// What is left of equal values that are not exact numbers is no variation.
		if !(high > low) || !(spread > 1e-12*max(math.Abs(low), math.Abs(high))) {
			constant = append(constant, name)
			continue
		}
		for k, m := range all {
			z.Row(k)[1+c] = math.Sqrt(m.Weight) * ((m.Conditions[c] - mean) / spread)
		}
	}
	if len(constant) > 0 {
		return z, y, &effect.Refusal{
			Code: effect.RefusalNoVariation, Why: fmt.Sprintf("the same in every municipality, so that nothing can be told from it: %s", strings.Join(constant, ", ")),
			Cure: "leave it out",
		}
	}
	return z, y, nil
}

// collinear names the conditions that those before them determine.
func collinear(fit *regress.Fit, conditions []string) error {
	return &effect.Refusal{
		Code: RefusalCollinear, Why: "determined by the conditions before: " + strings.Join(aliased(fit, conditions), ", "),
		Cure: "leave it out; of shares that add to 1, leave one out",
	}
}

func aliased(fit *regress.Fit, conditions []string) (names []string) {
	for c, name := range conditions {
		if math.IsNaN(fit.Coef[1+c]) {
			names = append(names, name)
		}
	}
	return names
}

// without says which conditions the others do not tell apart when row k is left
// out.
func without(z regress.Matrix, y []float64, k int, name string, conditions []string) string {
	others := regress.Matrix{N: z.N - 1, P: z.P, Data: slices.Concat(z.Data[:k*z.P], z.Data[(k+1)*z.P:])}
	if fit, err := regress.Linear(context.Background(), others, slices.Concat(y[:k], y[k+1:])); err == nil {
		if names := aliased(fit, conditions); len(names) > 0 {
			return fmt.Sprintf("without %s nothing is told of %s", name, strings.Join(names, ", "))
		}
	}
	return name + " lies too far from all the others"
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
