package bonus

import (
	"fmt"
	"math/big"

	"github.com/jobeffekt/jobeffekt/effect"
)

// maxEvery bounds how many units make a payment.
const maxEvery = 10_000

// Instalment is a part of each payment, on a day after the event: the same day so
// many calendar months on, or the last of that month (31 August and 3 months is 30
// November), or so many days on. One whose day is after as_of is not there yet.
type Instalment struct {
	Share   Decimal     `yaml:"share" doc:"part of each payment, above 0"`
	After   effect.Span `yaml:"after" doc:"time from the event, as in 3 months; 0 days for at once"`
	Section string      `yaml:"section,omitempty" doc:"section of the source; that of the clause if left out"`
}

func checkInstalments(c *checker, path string, list []Instalment) {
	total := new(big.Rat)
	for i, x := range list {
		at := fmt.Sprintf("%s.instalments[%d]", path, i)
		if _, err := newFraction(x.Share.Rat()); err != nil || x.Share.Rat().Sign() <= 0 {
			c.fault(at+".share", "%s is no share of a payment: it lies above 0 and is at most 1", x.Share)
		}
		if i > 0 && (x.After.MaxDays() <= list[i-1].After.MaxDays()) {
			c.fault(at+".after", "instalments stand in the order of time, and this is not after instalments[%d]", i-1)
		}
		total.Add(total, x.Share.Rat())
	}
	if total.Cmp(one()) != 0 {
		c.fault(path+".instalments", "shares that do not sum: the instalments are %s of a payment together, and must be 1", exactText(total))
	}
}

// full leaves of each citizen's units the full payments of a clause: the entry
// that completes one has it, and what is over counts on. The entries are of one
// clause, by citizen and day.
func (s *settler) full(entries []entry) ([]entry, error) {
	kept, over, person := entries[:0], whole(0), int32(-1)
	for _, x := range entries {
		every := s.clauseOf(x).Schedule.Every
		if p := s.cases.Person[x.at]; p != person {
			person, over = p, whole(0)
		}
		if every == nil {
			kept = append(kept, x)
			continue
		}
		var err error
		if over, err = over.plus(x.quantity); err != nil {
			return nil, err
		}
		n := over.num / over.den / int64(*every)
		if n <= 0 {
			continue
		}
		if over, err = over.plus(whole(-n * int64(*every))); err != nil {
			return nil, err
		}
		x.quantity = whole(n)
		kept = append(kept, x)
	}
	return kept, nil
}

// due turns each payment into its instalments that are due by as_of, each on its
// own day. The version stays that of the event.
func (s *settler) due(entries []entry) ([]entry, error) {
	later := false
	for _, x := range entries {
		later = later || len(s.clauseOf(x).Schedule.Instalments) > 0
	}
	if !later {
		return entries, nil
	}
	out := make([]entry, 0, len(entries))
	for _, x := range entries {
		list := s.clauseOf(x).Schedule.Instalments
		if len(list) == 0 {
			out = append(out, x)
		}
		for k := range list {
			part, on := x, x.on.Add(list[k].After)
			if on > s.obs.AsOf {
				continue
			}
			share, err := newFraction(list[k].Share.Rat())
			if err == nil {
				part.quantity, err = x.quantity.times(share)
			}
			if err != nil {
				return nil, err
			}
			part.on, part.instalment = on, int16(k)
			out = append(out, part)
		}
	}
	return out, nil
}

// instalmentSteps say what the quantity of a line is made of, where it is paid in
// instalments.
func (d *draft) instalmentSteps(unit string) {
	list := d.clause.Schedule.Instalments
	if len(list) == 0 {
		return
	}
	sums := make([]tally, len(list))
	for i := range sums {
		sums[i] = newTally()
	}
	for _, x := range d.entries {
		sums[x.instalment].add(x.quantity)
	}
	for k, x := range list {
		sum := sums[k].rat()
		if sum.Sign() == 0 {
			continue
		}
		all := new(big.Rat).Quo(sum, x.Share.Rat())
		section := x.Section
		if section == "" {
			section = d.Section
		}
		d.step(fmt.Sprintf("instalment %d, %s after: %s x %s", k+1, x.After, exactText(all), x.Share), exactText(sum), unit, section)
	}
}
