package bonus

import (
	"fmt"
	"math/big"
	"strings"
)

// Exchange is a straight line from a score to money, added to or taken off what
// a provider has anyway:
//
//	amount = base x withhold x (intercept + slope x score)
//
// and 1 + amount/base is the factor that the base is then paid with. With the
// slope budget_neutral the providers' amounts sum to exactly 0:
//
//	slope = -intercept x sum of base / sum of (base x score)
//
// over the rated providers of the period.
type Exchange struct {
	Base      Operand  `yaml:"base" doc:"kroner that the exchange is a share of: an amount, or the name of a figure"`
	Withhold  *Decimal `yaml:"withhold,omitempty" doc:"share of the base that is at stake; all of it if left out"`
	Intercept *Decimal `yaml:"intercept,omitempty" doc:"where the line begins, as -1 where the share is withheld first; 0 if left out"`
	Slope     Slope    `yaml:"slope" doc:"what a score of 1 adds: a number, or budget_neutral"`
}

// Slope is a number, or [BudgetNeutral].
type Slope string

// BudgetNeutral is the slope with which nothing is left over and nothing is
// missing.
const BudgetNeutral Slope = "budget_neutral"

// UnmarshalText reads a plain decimal number or budget_neutral.
func (s *Slope) UnmarshalText(b []byte) error {
	if *s = Slope(b); *s == BudgetNeutral {
		return nil
	}
	if !plain(string(b), maxDecimals) {
		return fmt.Errorf("%w: %q is neither a plain decimal number such as 2.5 nor %s", ErrMoney, b, BudgetNeutral)
	}
	return nil
}

// MarshalText writes what UnmarshalText reads, a number without trailing zeros.
func (s Slope) MarshalText() ([]byte, error) {
	if s == BudgetNeutral {
		return []byte(s), nil
	}
	return []byte(exactText(Decimal{string(s)}.Rat())), nil
}

// or is a number of the terms, or what holds where it is left out.
func (d *Decimal) or(n int64) *big.Rat {
	if d == nil {
		return new(big.Rat).SetInt64(n)
	}
	return d.Rat()
}

func (e *Exchange) check(c *checker, path string) {
	if w := e.Withhold.or(1); w.Sign() <= 0 || w.Cmp(one()) > 0 {
		c.fault(path+".withhold", "%s is no share to withhold: it lies above 0 and is at most 1", e.Withhold)
	}
	if e.Base.figure == "" {
		if _, err := ParseOre(e.Base.String()); err != nil {
			c.fault(path+".base", "%s", err)
		} else if e.Base.number.Rat().Sign() < 0 {
			c.fault(path+".base", "the base %s is negative", e.Base)
		}
	}
	if e.Slope == BudgetNeutral && e.Intercept.or(0).Sign() >= 0 {
		c.fault(path+".intercept", "a slope that is %s gives back what the intercept takes, so that this is under 0, as -1", BudgetNeutral)
	}
}

// exchange gives the lines of the rated providers of a period their amounts.
func (x *scorer) exchange(k int, rows []*scored, drafts []*draft) {
	e, section := x.clause.Schedule.Exchange, x.clause.Section
	path := strings.TrimSuffix(x.path, ".measure.score") + ".schedule.exchange"
	type party struct {
		*scored
		*draft
		base *big.Rat
	}
	var in []party
	bases, weighted := new(big.Rat), new(big.Rat)
	for i, row := range rows {
		if drafts[i] == nil || drafts[i].Reason != "" {
			continue
		}
		p := party{row, drafts[i], e.Base.number.Rat()}
		if e.Base.figure != "" {
			f, ok := x.look(e.Base.figure, row.provider, x.periods[k])
			switch {
			case !ok:
				key := missingFigure{path + ".base", e.Base.figure}
				x.missing[key] = append(x.missing[key], fmt.Sprintf("%s for %s", row.provider, x.periods[k].Name))
				continue
			case f.Rat().Sign() < 0:
				x.faults.Add(x.t.doc, path+".base", FaultFigure, "the base %s of provider %s for %s is %s, which is negative", e.Base, row.provider, x.periods[k].Name, f.Value)
				continue
			}
			p.base = f.Rat()
		}
		if e.Slope == BudgetNeutral && row.value.Sign() < 0 {
			x.faults.Add(x.t.doc, path+".slope", FaultFigure, "the score of provider %s for %s is %s: a slope that is %s needs scores that are not under 0", row.provider, x.periods[k].Name, exactText(row.value), BudgetNeutral)
			continue
		}
		bases.Add(bases, p.base)
		weighted.Add(weighted, new(big.Rat).Mul(p.base, row.value))
		in = append(in, p)
	}
	intercept, withhold := e.Intercept.or(0), e.Withhold.or(1)
	slope := Decimal{string(e.Slope)}.Rat()
	if e.Slope == BudgetNeutral {
		slope = new(big.Rat)
		if weighted.Sign() > 0 {
			slope.Quo(new(big.Rat).Mul(new(big.Rat).Neg(intercept), bases), weighted)
		}
	}
	exact := make([]*big.Rat, len(in))
	for i, p := range in {
		d := p.draft
		d.step("base", exactText(p.base), "kr.", section)
		if e.Slope == BudgetNeutral {
			d.step(fmt.Sprintf("sum of the bases of %s", count(int64(len(in)), "rated provider")), exactText(bases), "kr.", section)
			d.step("sum of base x score", exactText(weighted), "kr.", section)
			if weighted.Sign() == 0 {
				d.notPaid(ReasonAllZero)
				exact[i] = new(big.Rat)
				continue
			}
		}
		d.step("slope", exactText(slope), "", section)
		line := new(big.Rat).Mul(slope, p.scored.value)
		line.Add(line, intercept)
		d.step("intercept + slope x score", exactText(line), "", section)
		factor := new(big.Rat).Mul(line, withhold)
		d.step("factor of the base: 1 + "+exactText(withhold)+" x that", exactText(new(big.Rat).Add(one(), factor)), "", section)
		d.exact = factor.Mul(factor, p.base)
		exact[i] = d.exact
		d.step("amount = base x (factor - 1)", exactText(d.exact), "kr.", section)
		if d.exact.Sign() == 0 {
			d.Reason = ReasonEven
		}
	}
	if e.Slope != BudgetNeutral {
		return
	}
	for i, amount := range allot(new(big.Rat), exact, x.t.Rounding.Unit) {
		if d := in[i].draft; weighted.Sign() > 0 {
			d.exact = amount
			d.step(fmt.Sprintf("to multiples of %s, so that all sum to 0: rounded down, the rest by largest remainder", x.t.Rounding.to(x.t.Currency)), exactText(amount), "kr.", section)
		}
	}
}

// notPaid gives a line nothing, with a reason.
func (d *draft) notPaid(reason string) {
	d.Reason, d.exact = reason, new(big.Rat)
	d.step("not paid: "+reason, "0", "kr.", d.Section)
}
