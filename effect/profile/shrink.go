package profile

import (
	"cmp"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// ShrinkOptions says what is believed of a figure before it is seen. Start from
// [DefaultShrink].
type ShrinkOptions struct {
	Prior float64 // mean of the true values: no difference
	// Tau2 is the variance of the true values, frozen from an earlier period, as
	// it must be where pay depends on the answer; NaN estimates it from the
	// figures by Paule and Mandel.
	Tau2       float64
	Benchmark  float64 // Above is the probability of more than this
	Confidence float64 // of the intervals
}

// DefaultShrink draws towards no difference, as far as the figures themselves
// say.
func DefaultShrink() ShrinkOptions { return ShrinkOptions{Tau2: math.NaN(), Confidence: 0.95} }

// Shrunken is figures with what is left of them when luck is taken off.
type Shrunken struct {
	Tau2   float64
	Frozen bool
	// Mean is the mean of the figures weighted by 1/(se^2 + tau2), and MeanSE its
	// standard error: how well the prior's mean fits.
	Mean, MeanSE float64
	// PriorInDoubt says that Prior lies outside the interval of Mean: the figures
	// as a whole lie elsewhere than they are drawn to.
	PriorInDoubt bool
	Figures      []Posterior // in the order given
}

// Posterior is one shrunken figure.
type Posterior struct {
	Mean, SD    float64
	Low, High   float64 // NaN where tau2 is 0
	Above       float64 // probability that the true value is above the benchmark
	Reliability float64 // tau2/(tau2 + se^2): 0 for nothing but luck, 1 for none
}

// RefusalFewFigures is the code for too few figures to tell their spread.
const RefusalFewFigures = "fewer_than_2_figures"

// Shrink draws figures d with standard errors se towards the prior's mean mu.
// With B = tau2/(tau2 + se^2), the reliability,
//
//	posterior mean = mu + B (d - mu),  posterior variance = B se^2
//
// which is normal, so the interval and the probability above the benchmark
// follow. They take tau2 as known: with few figures they are too sure.
//
// tau2, if not frozen, is that of Paule and Mandel, about the figures' own mean.
// Where it is 0 the figures tell nothing apart: every posterior is the prior, has
// no interval, and Above is 1, 0, or 1/2 where the benchmark is the prior's mean.
//
// It refuses without figures, where d is not finite or se not finite and
// positive, where a frozen tau2 is negative, and for one figure without a
// frozen tau2. Sources: paulemandel1982, morris1983.
func Shrink(d, se []float64, o ShrinkOptions) (Shrunken, error) {
	z := interval.Normal(o.Confidence)
	s := Shrunken{Tau2: o.Tau2, Frozen: !math.IsNaN(o.Tau2)}
	if len(d) != len(se) || math.IsNaN(z) || o.Tau2 < 0 || math.IsInf(o.Tau2, 0) || math.IsNaN(o.Prior-o.Prior) || math.IsNaN(o.Benchmark) {
		return Shrunken{}, notFinite()
	}
	order := make([]int, len(d))
	for i := range d {
		order[i] = i
		if math.IsNaN(d[i]-d[i]) || !(se[i] > 0) || math.IsInf(se[i], 0) {
			return Shrunken{}, notFinite()
		}
	}
	switch {
	case len(d) == 0:
		return Shrunken{}, noFigures()
	case len(d) == 1 && !s.Frozen:
		return Shrunken{}, &effect.Refusal{Code: RefusalFewFigures, Why: "the spread of one figure cannot be told", Cure: "freeze the variance of an earlier period, or look at a wider family"}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(d[a], d[b]), cmp.Compare(se[a], se[b])) })
	var sd, sv []float64
	for _, i := range order {
		sd, sv = append(sd, d[i]), append(sv, se[i]*se[i])
	}
	if !s.Frozen {
		s.Tau2 = interval.PauleMandel(sd, sv)
	}
	var sw, swd float64
	for i := range sd {
		w := 1 / (sv[i] + s.Tau2)
		sw += w
		swd += w * sd[i]
	}
	s.Mean, s.MeanSE = swd/sw, math.Sqrt(1/sw)
	s.PriorInDoubt = math.Abs(s.Mean-o.Prior) > z*s.MeanSE
	for i := range d {
		b := s.Tau2 / (s.Tau2 + se[i]*se[i])
		p := Posterior{Mean: o.Prior + b*(d[i]-o.Prior), SD: math.Sqrt(b) * se[i], Low: math.NaN(), High: math.NaN(), Reliability: b}
		p.Above = above(p.Mean, p.SD, o.Benchmark)
		if p.SD > 0 {
			p.Low, p.High = p.Mean-z*p.SD, p.Mean+z*p.SD
		}
		s.Figures = append(s.Figures, p)
	}
	return s, nil
}

// above is P(X > x) for a normal X, with half of P(X = x) where X is fixed.
func above(mean, sd, x float64) float64 {
	switch {
	case sd > 0:
		return math.Erfc((x-mean)/(sd*math.Sqrt2)) / 2
	case mean > x:
		return 1
	case mean < x:
		return 0
	}
	return 0.5
}
