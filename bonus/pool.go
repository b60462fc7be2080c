package bonus

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Pool is a fixed amount for each settlement period, divided among all lines of
// the clause in the period, under whichever versions, in proportion to what the clause measures: a score,
// or a quantity. What is under 0 has no part in it.
//
// The shares are whole in the unit of the rounding and sum to the amount
// exactly: each is rounded down, and what is left over goes, a unit at a time, to
// the largest remainders, ties in the order of the lines' ids. Where nothing is above 0 nothing is
// paid.
type Pool struct {
	Amount Ore `yaml:"amount" doc:"kroner that are divided in each settlement period"`
}

// poolKey is a clause in a settlement period, whatever the versions that its lines
// are paid under: they share one pool.
type poolKey struct {
	agreement, clause string
	start             effect.Date
}

// intoPool gives a line its quantity and lets it wait for the others that it
// shares the pool with.
func (s *settler) intoPool(d *draft, quantity *big.Rat, what, unit string) {
	d.Quantity, d.exact, d.weight = exactText(quantity), new(big.Rat), quantity
	d.step(what, d.Quantity, unit, d.Section)
	key := poolKey{d.Agreement, d.Clause, d.period.Start}
	s.pools[key] = append(s.pools[key], d)
}

// dividePools gives the lines in pools their amounts.
func (s *settler) dividePools() {
	for _, lines := range s.pools {
		slices.SortFunc(lines, func(a, b *draft) int { return cmp.Compare(a.ID, b.ID) })
		first := lines[0]
		pool, t := first.clause.Schedule.Pool.Amount.Rat(), first.terms
		if i := slices.IndexFunc(lines, func(d *draft) bool { return d.clause.Schedule.Pool.Amount != first.clause.Schedule.Pool.Amount }); i > 0 {
			s.faults.Add(t.doc, "applies_by", FaultInseparable, "clause %s divides %s in %s by the version from %s and %s by that from %s: with pools of two sizes applies_by must be period",
				first.Clause, first.clause.Schedule.Pool.Amount, first.Period, first.Version, lines[i].clause.Schedule.Pool.Amount, lines[i].Version)
			continue
		}
		total := new(big.Rat)
		for _, d := range lines {
			if d.Reason == "" && d.weight.Sign() > 0 {
				total.Add(total, d.weight)
			}
		}
		var in []*draft
		var exact []*big.Rat
		for _, d := range lines {
			switch {
			case d.Reason != "":
			case total.Sign() == 0:
				d.notPaid(ReasonAllZero)
			case d.weight.Sign() <= 0:
				d.notPaid(ReasonNotAbove)
			default:
				d.step("sum of what is above 0, of "+count(int64(len(lines)), "line"), exactText(total), "", d.Section)
				d.step("the pool", exactText(pool), "kr.", d.Section)
				share := new(big.Rat).Quo(d.weight, total)
				in, exact = append(in, d), append(exact, share.Mul(share, pool))
				d.step("share of the pool", exactText(share), "kr.", d.Section)
				if pool.Sign() == 0 {
					d.Reason = ReasonFree
				}
			}
		}
		if len(in) == 0 {
			continue
		}
		for i, amount := range allot(pool, exact, t.Rounding.Unit) {
			in[i].exact = amount
			in[i].step(fmt.Sprintf("to multiples of %s: rounded down, the rest by largest remainder", t.Rounding.to(t.Currency)), exactText(amount), "kr.", in[i].Section)
		}
	}
}

// allot makes exact amounts whole in a unit, so that they sum to a total that is:
// each is rounded down, and what is left over goes, a unit at a time, to the
// largest remainders, ties in the order given. The exact amounts sum to the total.
func allot(total *big.Rat, exact []*big.Rat, unit Ore) []*big.Rat {
	size := unit.Rat()
	units := make([]*big.Int, len(exact))
	rest := make([]*big.Rat, len(exact))
	order := make([]int, len(exact))
	left := new(big.Rat).Quo(total, size)
	for i, x := range exact {
		in := new(big.Rat).Quo(x, size)
		units[i] = new(big.Int).Div(in.Num(), in.Denom()) // Euclidean: down, also under 0
		whole := new(big.Rat).SetInt(units[i])
		rest[i], order[i] = in.Sub(in, whole), i
		left.Sub(left, whole)
	}
	slices.SortStableFunc(order, func(a, b int) int { return rest[b].Cmp(rest[a]) })
	for k := int64(0); k < left.Num().Int64(); k++ {
		units[order[k]].Add(units[order[k]], big.NewInt(1))
	}
	out := make([]*big.Rat, len(exact))
	for i, n := range units {
		out[i] = new(big.Rat).Mul(size, new(big.Rat).SetInt(n))
	}
	return out
}

func (p *Pool) check(c *checker, path string) {
	switch unit := c.t.Rounding.Unit; {
	case p.Amount < 0:
		c.fault(path+".amount", "the pool %s is negative", p.Amount)
	case unit > 0 && p.Amount%unit != 0:
		c.fault(path+".amount", "the pool %s is no multiple of %s, to which amounts are rounded", p.Amount, unit)
	}
}
