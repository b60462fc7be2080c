package bonus

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Schedule says what a quantity is worth, and when. Its parts know nothing of
// each other:
//
//   - unit_prices or price_list: the price of one, by match group and package
//   - share: the part of that price that the clause pays
//   - beyond: of a citizen's units, only those after the first so many
//   - every: one payment for each full so many of these
//   - bands: a price, or a factor on it, by how many there are
//   - instalments: parts of a payment on later days
//   - penalty: the amount is taken off
//   - threshold: what the figure of an effect or a score must be at least
//   - exchange or pool, in place of a price: see there
//
// A line is worth quantity x price x times: beyond, every and instalments are in
// the quantity, indexation in the price, and share, the band and the sign in times.
//
// A new part is a field here, its rules in check, and its arithmetic in a file of
// its own: a stage from entries to entries (as every and instalments), or a place
// in worth.
type Schedule struct {
	UnitPrices []UnitPrice `yaml:"unit_prices,omitempty" jsonschema:"minItems=1" doc:"price of one by match group and package"`
	// PriceList is the id of a price list of the version, in place of UnitPrices.
	PriceList   string       `yaml:"price_list,omitempty" doc:"in place of unit_prices: the id of a price list of the version, of which several clauses take shares"`
	Share       *Decimal     `yaml:"share,omitempty" doc:"the part of the price that the clause pays, above 0 and at most 1; 1 if left out"`
	Beyond      *int         `yaml:"beyond,omitempty" doc:"of a citizen's units, only those after the first so many, counted on over the periods"`
	Every       *int         `yaml:"every,omitempty" doc:"one payment for each full so many of a citizen's units, counted on over the periods: 4 pays for each full four weeks"`
	Bands       *Bands       `yaml:"bands,omitempty" doc:"a price, or a factor on the price, by how many the provider has"`
	Instalments []Instalment `yaml:"instalments,omitempty" doc:"parts of each payment, on days after the event; their shares sum to 1"`
	Penalty     bool         `yaml:"penalty,omitempty" doc:"true: the amount is taken off"`
	// Threshold keeps a line from being paid whose figure is too small.
	Threshold *Threshold `yaml:"threshold,omitempty" doc:"of an effect or a score: what the figure must be at least to be paid at all"`
	// Exchange and Pool stand in place of prices.
	Exchange *Exchange `yaml:"exchange,omitempty" doc:"in place of prices, for a score: a straight line from the score to a share of an amount"`
	Pool     *Pool     `yaml:"pool,omitempty" doc:"in place of prices: an amount that is divided among the providers in proportion to what the clause measures"`

	prices []UnitPrice // those given, or those of the list
}

// UnitPrice is the price of one for a match group and package. A match group or
// package that is left out stands for any. Of the prices that fit, the one that
// says most holds; that there is one is checked when the terms are read. A group
// and package that no price fits has none.
type UnitPrice struct {
	MatchScheme string `yaml:"match_scheme,omitempty" doc:"numbering the match group belongs to; that of the terms if left out, and any where there is no match group either"`
	MatchGroup  string `yaml:"match_group,omitempty" doc:"match group at referral; any if left out"`
	Package     string `yaml:"package,omitempty" doc:"offer package; any if left out"`
	Amount      Ore    `yaml:"amount" doc:"kroner for one"`
}

// PriceList is a list of prices that stands once, for clauses that take shares of
// one price.
type PriceList struct {
	ID         string      `yaml:"id" doc:"short name of the list"`
	UnitPrices []UnitPrice `yaml:"unit_prices" jsonschema:"minItems=1" doc:"price of one by match group and package"`
}

// of is what the price is about: match scheme, match group and package, "" for any.
func (p *UnitPrice) of(t *Terms) [3]string {
	scheme := p.MatchScheme
	if p.MatchGroup != "" {
		scheme = cmp.Or(scheme, t.MatchScheme)
	}
	return [3]string{scheme, p.MatchGroup, p.Package}
}

// within says whether all that a is about, b is about as well.
func within(a, b [3]string) bool {
	for k := range a {
		if b[k] != "" && a[k] != b[k] {
			return false
		}
	}
	return true
}

// both is what two prices are about at once; ok is false where that is nothing.
func both(a, b [3]string) (out [3]string, ok bool) {
	for k := range a {
		if a[k] != "" && b[k] != "" && a[k] != b[k] {
			return out, false
		}
		out[k] = cmp.Or(a[k], b[k])
	}
	return out, true
}

// price finds the price of one: the most specific that fits.
func (s *Schedule) price(t *Terms, scheme, group, offer string) (Ore, bool) {
	best, found := -1, [3]string{}
	for i := range s.prices {
		if of := s.prices[i].of(t); within([3]string{scheme, group, offer}, of) && (best < 0 || within(of, found)) {
			best, found = i, of
		}
	}
	if best < 0 {
		return 0, false
	}
	return s.prices[best].Amount, true
}

// share is the part of the price that the clause pays.
func (s *Schedule) share() *big.Rat {
	if s.Share == nil {
		return big.NewRat(1, 1)
	}
	return s.Share.Rat()
}

// one is 1.
func one() *big.Rat { return big.NewRat(1, 1) }

func (s *Schedule) check(c *checker, path string, clause *Clause, version *Version) {
	s.prices = s.UnitPrices
	list := slices.IndexFunc(version.PriceLists, func(l PriceList) bool { return l.ID == s.PriceList })
	switch {
	case s.PriceList != "" && len(s.UnitPrices) > 0:
		c.fault(path+".price_list", "give unit_prices or a price_list, not both")
	case s.PriceList != "" && list < 0:
		var ids []string
		for _, l := range version.PriceLists {
			ids = append(ids, l.ID)
		}
		c.fault(path+".price_list", "the version has no price list %q%s", s.PriceList, strict.Suggest(s.PriceList, ids))
	case s.PriceList != "":
		s.prices = version.PriceLists[list].UnitPrices
	case len(s.UnitPrices) == 0 && !s.Bands.priced():
		c.fault(path, "nothing has a price: give unit_prices or a price_list, or bands of which every step has an amount")
	case len(s.UnitPrices) > 0 && s.Bands.priced():
		c.fault(path+".unit_prices", "every step of the bands has an amount of its own, so these prices would never be used")
	}
	checkPrices(c, path, s.UnitPrices)
	for i, p := range s.UnitPrices {
		if offer := c.t.offer(p.Package); offer != nil && !clause.Conditions.allow(offer) {
			c.fault(fmt.Sprintf("%s.unit_prices[%d].package", path, i), "the conditions of the clause keep package %q out, so this price would never be used", p.Package)
		}
	}
	if s.Share != nil && (s.share().Sign() <= 0 || s.share().Cmp(one()) > 0) {
		c.fault(path+".share", "%s is no share of a price: it lies above 0 and is at most 1", s.Share)
	}
	s.checkStages(c, path, clause)
	if s.Bands != nil {
		s.Bands.check(c, path+".bands")
		if !clause.Measure.OfCases() {
			c.fault(path+".bands", "bands belong to what citizens reach one by one, not to a figure of many")
		}
	}
	c.t.Indexation.checkPrices(c, path, s)
}

// checkStages looks at the parts that come before prices.
func (s *Schedule) checkStages(c *checker, path string, clause *Clause) {
	if s.Threshold != nil {
		s.Threshold.check(c, path+".threshold", clause)
	}
	ofCases := clause.Measure.OfCases()
	for _, x := range []struct {
		key   string
		value *int
	}{{"beyond", s.Beyond}, {"every", s.Every}} {
		switch at := path + "." + x.key; {
		case x.value == nil:
		case *x.value < 1 || *x.value > maxUnits:
			c.fault(at, "give a whole number of units from 1 to %d", maxUnits)
		case clause.Measure.Sum == "":
			c.fault(at, "%s belongs to a sum, of which a citizen has many units", x.key)
		}
	}
	if len(s.Instalments) > 0 {
		checkInstalments(c, path, s.Instalments)
		if !ofCases {
			c.fault(path+".instalments", "instalments belong to what citizens reach one by one: a figure of many has no day")
		}
	}
}

// checkPrices looks at a list of prices.
func checkPrices(c *checker, path string, prices []UnitPrice) {
	var ids []string
	for _, o := range c.t.Packages {
		ids = append(ids, o.ID)
	}
	for i := range prices {
		p, at := &prices[i], fmt.Sprintf("%s.unit_prices[%d]", path, i)
		if p.Amount < 0 {
			c.fault(at+".amount", "the price %s is negative", p.Amount)
		}
		if p.Package != "" && !slices.Contains(ids, p.Package) {
			c.fault(at+".package", "package %q is not declared under packages%s", p.Package, strict.Suggest(p.Package, ids))
		}
		for j := range prices[:i] {
			a, b := p.of(c.t), prices[j].of(c.t)
			shared, meet := both(a, b)
			switch {
			case a == b:
				c.fault(at, "the match group and package have a price already, in unit_prices[%d]", j)
			case meet && !within(a, b) && !within(b, a) && !slices.ContainsFunc(prices, func(q UnitPrice) bool { return q.of(c.t) == shared }):
				c.fault(at, "this price and unit_prices[%d] both hold for %s, and neither says more than the other: give that a price of its own", j, about(shared))
			}
		}
	}
}

// about writes what a price is about.
func about(of [3]string) string {
	out := "any match group"
	if of[1] != "" {
		out = "match group " + of[1]
	}
	if of[0] != "" {
		out += " of " + of[0]
	}
	if of[2] != "" {
		out += " in package " + of[2]
	}
	return out
}

// checkLists looks at the price lists of a version, and at what its clauses take
// of each. A clause that pays only unless another does is left out of the sum.
func (c *checker) checkLists(v *Version, path string) {
	for i, l := range v.PriceLists {
		at := fmt.Sprintf("%s.price_lists[%d]", path, i)
		if slices.IndexFunc(v.PriceLists, func(q PriceList) bool { return q.ID == l.ID }) < i {
			c.fault(at+".id", "price list %q stands twice in the version", l.ID)
			continue
		}
		checkPrices(c, at, l.UnitPrices)
		taken, used := new(big.Rat), false
		for j := range v.Clauses {
			clause := &v.Clauses[j]
			if clause.Schedule.PriceList != l.ID {
				continue
			}
			used = true
			if len(clause.Conditions.Unless) == 0 {
				taken.Add(taken, clause.Schedule.share())
			}
		}
		switch {
		case !used:
			c.fault(at, "no clause of the version takes a share of price list %q", l.ID)
		case taken.Cmp(one()) > 0:
			c.fault(at, "the clauses take %s of price list %q together, which is more than all of it", exactText(taken), l.ID)
		}
	}
}
