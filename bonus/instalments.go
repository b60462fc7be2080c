package bonus

import (
	"fmt"
	"math/big"

	"github.com/jobeffekt/jobeffekt/effect"
)

// maxUnits bounds how many units are left out, and how many make a payment.
const maxUnits = 100_000

// Instalment is a part of each payment, on a day after the event: the same day so
// many calendar months on, or the last of that month (31 August and 3 months is 30
// November), or so many days on. One whose day is after as_of is not there yet.
type Instalment struct {
	Share   Decimal     `yaml:"share" doc:"part of each payment, above 0"`
	After   effect.Span `yaml:"after" doc:"time from the event, as in 3 months; 0 days for at once"`
	Section string      `yaml:"section,omitempty" doc:"section of the source; that of the clause if left out"`

	share fraction
}

func checkInstalments(c *checker, path string, list []Instalment) {
	total := new(big.Rat)
	for i := range list {
		x, at := &list[i], fmt.Sprintf("%s.instalments[%d]", path, i)
		var err error
		if x.share, err = newFraction(x.Share.Rat()); err != nil || x.share.num <= 0 {
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

// full leaves of each citizen's units those beyond the first so many, and of these
// the full payments: the day that completes one has it, and what is over counts on.
// What several share of a day's units they share of its payment. The entries are of
// one clause, by citizen and day.
func (s *settler) full(entries []entry) ([]entry, error) {
	kept, person := entries[:0], int32(-1)
	var units, over fraction // so far, and of those beyond what no payment was made for
	for from, to := 0, 0; from < len(entries); from = to {
		first := entries[from]
		schedule := &s.clauseOf(first).Schedule
		if p := s.cases.Person[first.at]; p != person {
			person, units, over = p, whole(0), whole(0)
		}
		day, all := whole(0), units // the units of the day, and those up to it
		for to = from; to < len(entries); to++ {
			x := &entries[to]
			if s.cases.Person[x.at] != person || x.on != first.on {
				break
			}
			var err error
			if day, err = day.plus(x.quantity); err != nil {
				return nil, err
			}
			if all, err = all.plus(x.quantity); err != nil {
				return nil, err
			}
		}
		full, err := day, error(nil)
		if schedule.Beyond != nil {
			if full, err = all.beyond(*schedule.Beyond, units); err != nil {
				return nil, err
			}
		}
		units = all
		if schedule.Every != nil {
			if over, err = over.plus(full); err != nil {
				return nil, err
			}
			n := over.floor() / int64(*schedule.Every)
			if over, err = over.plus(whole(-n * int64(*schedule.Every))); err != nil {
				return nil, err
			}
			full = whole(n)
		}
		for _, x := range entries[from:to] {
			if to-from == 1 {
				x.quantity = full
			} else if x.quantity, err = newFraction(new(big.Rat).Quo(new(big.Rat).Mul(x.quantity.rat(), full.rat()), day.rat())); err != nil {
				return nil, err
			}
			if x.quantity.num > 0 {
				kept = append(kept, x)
			}
		}
	}
	return kept, nil
}

// beyond is how much of f lies above n, of what was not there before.
func (f fraction) beyond(n int, before fraction) (fraction, error) {
	from := before
	if whole(int64(n)).compare(from) > 0 {
		from = whole(int64(n))
	}
	if f.compare(from) <= 0 {
		return whole(0), nil
	}
	return f.plus(from.neg())
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
	out := make([]entry, 0, 2*len(entries))
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
			var err error
			if part.quantity, err = x.quantity.times(list[k].share); err != nil {
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

// notDue says what is missing before something is due: so many units more, or the
// day of the first instalment.
func (w *why) notDue(c *Clause) string {
	m, s, obs := &c.Measure, &c.Schedule, w.f.Observations
	var on effect.Date
	switch {
	case m.Sum != "":
		r, ok := obs.Result(m.Sum)
		if !ok {
			return ""
		}
		need := 1
		if s.Every != nil {
			need = *s.Every
		}
		if s.Beyond != nil {
			need += *s.Beyond
		}
		if !r.Dates.Kept() {
			if value := figure(r.Value[w.at]); value == nil || value.Cmp(big.NewRat(int64(need), 1)) < 0 {
				return fmt.Sprintf("%s %s of %s; the first payment needs %d", text(r.Value[w.at]), r.Unit, m.Sum, need)
			}
			on = r.WindowEnd[w.at] - 1
			break
		}
		days := r.Dates.Of(int(w.at))
		if len(days) < need {
			return fmt.Sprintf("%s of %s by %s; the first payment needs %d", count(int64(len(days)), "week"), m.Sum, obs.AsOf, need)
		}
		on = days[need-1]
	default:
		on = w.event(w.at, c)
	}
	if on == effect.NoDate || len(s.Instalments) == 0 {
		return ""
	}
	return fmt.Sprintf("it counts on %s; the first instalment is due on %s, after %s", on, on.Add(s.Instalments[0].After), obs.AsOf)
}
