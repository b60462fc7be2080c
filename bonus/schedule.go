package bonus

import (
	"fmt"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Schedule says what a quantity is worth.
//
// A new schedule is a field here, its rules in check, and its arithmetic beside
// price.
type Schedule struct {
	UnitPrices []UnitPrice `yaml:"unit_prices,omitempty" jsonschema:"minItems=1" doc:"price of one by match group and package"`
	// Exchange and Pool stand in place of prices.
	Exchange *Exchange `yaml:"exchange,omitempty" doc:"in place of prices, for a score: a straight line from the score to a share of an amount"`
	Pool     *Pool     `yaml:"pool,omitempty" doc:"in place of prices: an amount that is divided among the providers in proportion to what the clause measures"`
}

// UnitPrice is the price of one for a match group and package. Nothing stands
// for any other: a group and package without a price has none.
type UnitPrice struct {
	MatchScheme string `yaml:"match_scheme,omitempty" doc:"numbering the match group belongs to; that of the terms if left out"`
	MatchGroup  string `yaml:"match_group" doc:"match group at referral"`
	Package     string `yaml:"package" doc:"offer package"`
	Amount      Ore    `yaml:"amount" doc:"kroner for one"`
}

func (p *UnitPrice) scheme(t *Terms) string {
	if p.MatchScheme == "" {
		return t.MatchScheme
	}
	return p.MatchScheme
}

// price finds the price of one.
func (s *Schedule) price(t *Terms, scheme, group, offer string) (Ore, bool) {
	for i := range s.UnitPrices {
		if p := &s.UnitPrices[i]; p.MatchGroup == group && p.Package == offer && p.scheme(t) == scheme {
			return p.Amount, true
		}
	}
	return 0, false
}

func (s *Schedule) check(c *checker, path string, clause *Clause) {
	for i, p := range s.UnitPrices {
		at := fmt.Sprintf("%s.unit_prices[%d]", path, i)
		if p.Amount < 0 {
			c.fault(at+".amount", "the price %s is negative", p.Amount)
		}
		offer := c.t.offer(p.Package)
		switch {
		case offer == nil:
			var ids []string
			for _, o := range c.t.Packages {
				ids = append(ids, o.ID)
			}
			c.fault(at+".package", "package %q is not declared under packages%s", p.Package, strict.Suggest(p.Package, ids))
		case !clause.Conditions.allow(offer):
			c.fault(at+".package", "the conditions of the clause keep package %q out, so this price would never be used", p.Package)
		}
		for j, q := range s.UnitPrices[:i] {
			if p.scheme(c.t) == q.scheme(c.t) && p.MatchGroup == q.MatchGroup && p.Package == q.Package {
				c.fault(at, "the match group and package have a price already, in unit_prices[%d]", j)
			}
		}
	}
}
