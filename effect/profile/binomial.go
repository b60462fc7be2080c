package profile

import (
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// MaxTrials is the largest number of trials that [NewPoissonBinomial] takes.
const MaxTrials = 200_000

// RefusalTooMany is the code for more figures than a method takes.
const RefusalTooMany = "too_many_figures"

// PoissonBinomial is the distribution of the number of successes in independent
// trials with probabilities of their own.
type PoissonBinomial struct {
	n    int
	from int       // the first number that mass is about
	mass []float64 // the rest is under 1e-280 and taken as 0
}

// NewPoissonBinomial works the distribution out by adding trial after trial, in
// the order of their probabilities: only sums of positive numbers, so that far
// tails are as exact as the middle (down to 1e-270). Without trials the number
// is 0. A probability that is NaN or outside 0 to 1, and more than [MaxTrials],
// is refused. Source: hong2013.
func NewPoissonBinomial(p []float64) (*PoissonBinomial, error) {
	if len(p) > MaxTrials {
		return nil, &effect.Refusal{Code: RefusalTooMany, Why: "there are too many trials for the exact distribution", Cure: "screen smaller cells"}
	}
	for _, q := range p {
		if !(q >= 0 && q <= 1) {
			return nil, notFinite()
		}
	}
	sorted := slices.Clone(p)
	slices.Sort(sorted)
	d := &PoissonBinomial{n: len(p), mass: make([]float64, 1, len(p)+1)}
	d.mass[0] = 1
	for _, q := range sorted {
		d.mass = append(d.mass, 0)
		for s := len(d.mass) - 1; s > 0; s-- {
			d.mass[s] = d.mass[s]*(1-q) + d.mass[s-1]*q
		}
		d.mass[0] *= 1 - q
		// What is cut off is too small to count in any sum that is left.
		const nothing = 1e-280
		cut := 0
		for d.mass[cut] < nothing {
			cut++
		}
		d.from, d.mass = d.from+cut, d.mass[cut:]
		for d.mass[len(d.mass)-1] < nothing {
			d.mass = d.mass[:len(d.mass)-1]
		}
	}
	return d, nil
}

// N is the number of trials.
func (d *PoissonBinomial) N() int { return d.n }

// Mass is P(S = k), 0 outside 0 to N.
func (d *PoissonBinomial) Mass(k int) float64 {
	if k < d.from || k >= d.from+len(d.mass) {
		return 0
	}
	return d.mass[k-d.from]
}

// Upper is P(S >= k), summed from the far end.
func (d *PoissonBinomial) Upper(k int) float64 {
	sum := 0.0
	for i := len(d.mass) - 1; i >= max(0, k-d.from); i-- {
		sum += d.mass[i]
	}
	return min(1, sum)
}

// Lower is P(S <= k), summed from the far end.
func (d *PoissonBinomial) Lower(k int) float64 {
	sum := 0.0
	for i := range min(len(d.mass), k-d.from+1) {
		sum += d.mass[i]
	}
	return min(1, sum)
}

// MidUpper is P(S > k) + P(S = k)/2, and MidLower is P(S < k) + P(S = k)/2: they
// add to 1.
func (d *PoissonBinomial) MidUpper(k int) float64 { return d.Upper(k+1) + d.Mass(k)/2 }

// MidLower is P(S < k) + P(S = k)/2.
func (d *PoissonBinomial) MidLower(k int) float64 { return d.Lower(k-1) + d.Mass(k)/2 }

// MidP is the two-sided mid-P of k successes: twice the smaller of [PoissonBinomial.MidUpper] and
// [PoissonBinomial.MidLower], at most 1.
func (d *PoissonBinomial) MidP(k int) float64 {
	return min(1, 2*min(d.MidUpper(k), d.MidLower(k)))
}

// Screen is the two-sided mid-P of a number of successes among cases with the
// predicted probabilities p: small where more, or fewer, reached the outcome than
// was predicted. It is a screen and not a verdict, because it takes the
// predictions as known and the cases as independent: it knows nothing of the
// spread between municipalities and of the error of the model. It is NaN where
// [NewPoissonBinomial] refuses p and where observed is under 0 or above the
// number of cases; without cases it is 1.
func Screen(p []float64, observed int) (midP float64) {
	d, err := NewPoissonBinomial(p)
	if err != nil || observed < 0 || observed > len(p) {
		return math.NaN()
	}
	return d.MidP(observed)
}
