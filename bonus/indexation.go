package bonus

import (
	"fmt"
	"math/big"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Indexation multiplies every price, also that of a band, by the factor in force
// on a day, and rounds it. Before the first factor begins, prices stand as they
// are written. Factors are not multiplied with each other: each is against the
// prices in the terms. A line never mixes factors.
type Indexation struct {
	Section string        `yaml:"section" doc:"section of the source that says so"`
	By      AppliesBy     `yaml:"by" doc:"the day that chooses the factor: referral, or the first day of the settlement period that the line belongs to"`
	Factors []IndexFactor `yaml:"factors" jsonschema:"minItems=1" doc:"the factors, in the order of time, each against the prices in the terms"`
	Round   IndexRounding `yaml:"round" doc:"how an indexed price is rounded"`
}

// IndexFactor is what prices are multiplied by from a day on.
type IndexFactor struct {
	From   effect.Date `yaml:"from" doc:"first day on which the factor is in force"`
	Factor Decimal     `yaml:"factor" doc:"what the prices in the terms are multiplied by, above 0"`
}

// IndexRounding says how an indexed price is rounded.
type IndexRounding struct {
	Unit Ore          `yaml:"unit" doc:"what an indexed price is a whole multiple of: 0.01, 1"`
	Mode RoundingMode `yaml:"mode" doc:"half_up, half_even or down"`
}

// noFactor stands for the time before the first factor, and for no indexation.
const noFactor int32 = -1

// at is the index of the factor in force on a day.
func (x *Indexation) at(day effect.Date) int32 {
	best := noFactor
	if x != nil {
		for i := range x.Factors {
			if x.Factors[i].From <= day {
				best = int32(i)
			}
		}
	}
	return best
}

// factorFor is the factor of a case referred on one day, for a settlement period.
func (t *Terms) factorFor(referral effect.Date, period effect.Period) int32 {
	if t.Indexation != nil && t.Indexation.By == ByReferral {
		return t.Indexation.at(referral)
	}
	return t.Indexation.at(period.Start)
}

// price is a price with its factor.
func (x *Indexation) price(p Ore, factor int32) (Ore, error) {
	if factor == noFactor {
		return p, nil
	}
	r := Rounding{Unit: x.Round.Unit, Mode: x.Round.Mode}
	return r.Round(new(big.Rat).Mul(p.Rat(), x.Factors[factor].Factor.Rat()))
}

func (x *Indexation) check(c *checker) {
	if x == nil {
		return
	}
	for i, f := range x.Factors {
		at := fmt.Sprintf("indexation.factors[%d]", i)
		if f.Factor.Rat().Sign() <= 0 {
			c.fault(at+".factor", "%s is no factor: it lies above 0", f.Factor)
		}
		if i > 0 && f.From <= x.Factors[i-1].From {
			c.fault(at+".from", "factors stand in the order of time, and %s is not after %s", f.From, x.Factors[i-1].From)
		}
	}
	Rounding{Unit: x.Round.Unit}.checkUnit(c, "indexation.round")
	if x.By == ByReferral {
		c.t.eachClause(func(v, i int, clause *Clause) {
			if !clause.Measure.OfCases() {
				c.fault("indexation.by", "clause %s is a figure of many cases, which were referred on many days: let by be period", clause.ID)
			}
		})
	}
}

// checkPrices says which prices have no indexed price that fits.
func (x *Indexation) checkPrices(c *checker, path string, s *Schedule) {
	if x == nil {
		return
	}
	for i := range x.Factors {
		for _, p := range s.prices {
			if _, err := x.price(p.Amount, int32(i)); err != nil {
				c.fault(path, "the price %s times %s does not fit", p.Amount, x.Factors[i].Factor)
			}
		}
		if s.Bands == nil {
			continue
		}
		for _, b := range s.Bands.Steps {
			if b.Amount == nil {
				continue
			}
			if _, err := x.price(*b.Amount, int32(i)); err != nil {
				c.fault(path, "the price %s times %s does not fit", b.Amount, x.Factors[i].Factor)
			}
		}
	}
}

// VAT says how value added tax stands to the amounts. It changes none of them: it
// stands beside the lines, for whoever pays them.
type VAT struct {
	Treatment VATTreatment `yaml:"treatment" doc:"exempt, excluded (it comes on top) or included (it is in the amounts)"`
	Rate      *Decimal     `yaml:"rate,omitempty" doc:"its rate, as 0.25; needed unless exempt"`
}

// VATTreatment is how value added tax stands to an amount.
type VATTreatment string

// The treatments.
const (
	VATExempt   VATTreatment = "exempt"
	VATExcluded VATTreatment = "excluded"
	VATIncluded VATTreatment = "included"
)

// Names lists the treatments.
func (VATTreatment) Names() []string {
	return []string{string(VATExempt), string(VATExcluded), string(VATIncluded)}
}

// String is how a line has it, as in "excluded 0.25"; "" for terms that say nothing.
func (v *VAT) String() string {
	switch {
	case v == nil:
		return ""
	case v.Rate == nil:
		return string(v.Treatment)
	}
	return fmt.Sprintf("%s %s", v.Treatment, v.Rate)
}

func (v *VAT) check(c *checker) {
	switch {
	case v == nil:
	case v.Treatment == VATExempt && v.Rate != nil:
		c.fault("vat.rate", "what is exempt has no rate")
	case v.Treatment != VATExempt && v.Rate == nil:
		c.fault("vat", "give the rate, as in rate: 0.25")
	case v.Rate != nil && (v.Rate.Rat().Sign() < 0 || v.Rate.Rat().Cmp(one()) > 0):
		c.fault("vat.rate", "%s is no rate: it lies between 0 and 1", v.Rate)
	}
}
