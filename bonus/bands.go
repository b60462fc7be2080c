package bonus

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Bands make the price depend on how many a provider has in a settlement period,
// or so far in the year or under the agreement: an accelerator, an incentive above
// a level, a discount for many.
//
// All that counts under the clause for one provider, over all match groups and
// packages, stands in the order of days, then of referral, then of participation
// id; what was reached in earlier periods comes first. Each step begins at a
// boundary: its from, times the cases or the profile where it is a share. With
// marginal, what lies above a boundary, up to and with the next, is paid by the
// step; a quantity that lies across one is divided there. With slab, all of the
// period is paid by the last step whose boundary the sum has reached by the end
// of the period; earlier periods stay as they were.
//
// So each unit has one band, lines are exact, and the entries say which case is
// in which line. A payment in instalments keeps the band of its event.
type Bands struct {
	Of    BandsOf    `yaml:"of" doc:"what the boundaries are counted in: quantity, share_of_cases (of those referred to the provider in that time whose package the clause pays for) or share_of_profile"`
	Mode  BandMode   `yaml:"mode" doc:"marginal (each step pays what lies above its boundary) or slab (all at the step that is reached)"`
	Over  BandsOver  `yaml:"over,omitempty" doc:"since when is counted: period (the settlement period, if left out), year (so far in the calendar year) or agreement (so far)"`
	Steps []BandStep `yaml:"steps" jsonschema:"minItems=1" doc:"the steps, in the order of their boundaries; the first begins at 0"`
}

// BandStep is a step of the price: an amount in place of the unit price, or a
// factor on it.
type BandStep struct {
	From   Decimal  `yaml:"from" doc:"where the step begins"`
	Amount *Ore     `yaml:"amount,omitempty" doc:"kroner for one, in place of the unit price"`
	Times  *Decimal `yaml:"times,omitempty" doc:"what the unit price is multiplied by; 0 pays nothing"`
}

// What bands are counted in, how, and over which time.
type (
	BandsOf   string
	BandMode  string
	BandsOver string
)

// The names of the parts of bands.
const (
	OfQuantity       BandsOf   = "quantity"
	OfShareOfCases   BandsOf   = "share_of_cases"
	OfShareOfProfile BandsOf   = "share_of_profile"
	Marginal         BandMode  = "marginal"
	Slab             BandMode  = "slab"
	BandsOfPeriod    BandsOver = "period"
	BandsOfYear      BandsOver = "year"
	BandsOfAgreement BandsOver = "agreement"
)

// Names lists what boundaries are counted in.
func (BandsOf) Names() []string {
	return []string{string(OfQuantity), string(OfShareOfCases), string(OfShareOfProfile)}
}

// Names lists the modes.
func (BandMode) Names() []string { return []string{string(Marginal), string(Slab)} }

// Names lists the times.
func (BandsOver) Names() []string {
	return []string{string(BandsOfPeriod), string(BandsOfYear), string(BandsOfAgreement)}
}

// Expected is a number of the profile: what was expected of a provider in a
// settlement period. That of a named provider holds before that of any.
type Expected struct {
	Period   effect.Period `yaml:"period" doc:"settlement period, as in 2008H1"`
	Provider string        `yaml:"provider,omitempty" doc:"provider_id; every provider if left out"`
	Number   Decimal       `yaml:"number" doc:"how many were expected"`
}

// priced says whether every step has an amount of its own.
func (b *Bands) priced() bool {
	return b != nil && !slices.ContainsFunc(b.Steps, func(s BandStep) bool { return s.Amount == nil })
}

func (b *Bands) check(c *checker, path string) {
	if b.Of == OfShareOfProfile && len(c.t.Profile) == 0 {
		c.fault(path+".of", "the terms have no profile: say what was expected under profile")
	}
	for i := range b.Steps {
		x, at := &b.Steps[i], fmt.Sprintf("%s.steps[%d]", path, i)
		switch _, err := newFraction(x.From.Rat()); {
		case err != nil || x.From.Rat().Sign() < 0:
			c.fault(at+".from", "%s is no boundary", x.From)
		case i == 0 && x.From.Rat().Sign() != 0:
			c.fault(at+".from", "the first step begins at 0: say what is paid below %s, also where that is nothing (times: 0)", x.From)
		case i > 0 && x.From.Rat().Cmp(b.Steps[i-1].From.Rat()) <= 0:
			c.fault(at+".from", "steps stand in the order of their boundaries, and %s is not above %s", x.From, b.Steps[i-1].From)
		}
		switch {
		case (x.Amount == nil) == (x.Times == nil):
			c.fault(at, "give the step an amount or times")
		case x.Amount != nil && *x.Amount < 0:
			c.fault(at+".amount", "the price %s is negative", x.Amount)
		case x.Times != nil && x.Times.Rat().Sign() < 0:
			c.fault(at+".times", "%s is negative", x.Times)
		}
	}
}

func (c *checker) profile() {
	type key struct{ period, provider string }
	seen := map[key]int{}
	for i, x := range c.t.Profile {
		at := fmt.Sprintf("profile[%d]", i)
		if c.t.Periods.Period(x.Period.Start) != x.Period {
			c.fault(at+".period", "%s is no settlement period of the terms, which are of a %s", x.Period.Name, c.t.Periods)
		}
		if x.Number.Rat().Sign() < 0 {
			c.fault(at+".number", "%s is negative", x.Number)
		}
		k := key{x.Period.Name, x.Provider}
		if j, twice := seen[k]; twice {
			c.fault(at, "the period and provider have a number already, in profile[%d]", j)
			continue
		}
		seen[k] = i
	}
}

// since is the first day of the time that bands are counted over: that of a
// settlement period, and none before that in which the agreement starts, of which
// nothing is there and no profile is asked for.
func (b *Bands) since(t *Terms, period effect.Period) effect.Date {
	first := min(t.Periods.Period(t.Starts).Start, period.Start)
	switch b.Over {
	case BandsOfYear:
		return max(Year.Period(period.Start).Start, first)
	case BandsOfAgreement:
		return first
	}
	return period.Start
}

// expected is the profile of a provider in the settlement periods from a day to
// the end of a period. It is nil where one of them has none, and names that.
func (t *Terms) expected(provider string, since effect.Date, to effect.Period) (sum *big.Rat, missing string) {
	sum = new(big.Rat)
	for p := t.Periods.Period(since); p.Start < to.End; p = t.Periods.Period(p.End) {
		best := -1
		for i, x := range t.Profile {
			if x.Period == p && (x.Provider == provider || x.Provider == "" && best < 0) {
				best = i
				if x.Provider != "" {
					break
				}
			}
		}
		if best < 0 {
			return nil, p.Name
		}
		sum.Add(sum, t.Profile[best].Number.Rat())
	}
	return sum, ""
}

// bandKey is a provider in a settlement period under a clause.
type bandKey struct {
	terms, version, clause, provider int32
	start                            effect.Date
}

// banded gives each entry of a clause its band. Entries that lie across a boundary
// are divided.
func (s *settler) banded(entries []entry) ([]entry, error) {
	has := false
	for _, x := range entries {
		has = has || s.clauseOf(x).Schedule.Bands != nil
	}
	if !has {
		return entries, nil
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if c := cmp.Compare(a.provider, b.provider); c != 0 {
			return c
		}
		return s.compareDays(&a, &b)
	})
	out := make([]entry, 0, len(entries))
	bounds := map[bandKey][]fraction{}
	type sum struct {
		start effect.Date
		of    fraction
	}
	var earlier []sum // of the provider's earlier periods
	for from := 0; from < len(entries); {
		first := entries[from]
		period := s.period(s.terms[first.terms], first.on)
		to := from
		for to < len(entries) && entries[to].provider == first.provider && period.Contains(entries[to].on) {
			to++
		}
		if from == 0 || entries[from-1].provider != first.provider {
			earlier = earlier[:0]
		}
		// A clause can count over another time, or have no bands, in another version.
		since, before := map[*Bands]effect.Date{}, map[effect.Date]fraction{}
		for _, x := range entries[from:to] {
			b := s.clauseOf(x).Schedule.Bands
			if b == nil {
				out = append(out, x)
				continue
			}
			if _, ok := since[b]; ok {
				continue
			}
			since[b] = b.since(s.terms[x.terms], period)
			so := whole(0)
			for _, p := range earlier {
				if p.start < since[b] {
					continue
				}
				var err error
				if so, err = so.plus(p.of); err != nil {
					return nil, err
				}
			}
			before[since[b]] = so
		}
		all := whole(0)
		for _, x := range entries[from:to] {
			var err error
			if all, err = all.plus(x.quantity); err != nil {
				return nil, err
			}
		}
		for _, day := range slices.Sorted(maps.Keys(before)) {
			place := before[day]
			total, err := place.plus(all)
			if err != nil {
				return nil, err
			}
			for _, x := range entries[from:to] {
				b := s.clauseOf(x).Schedule.Bands
				end, err := place.plus(x.quantity)
				if err != nil {
					return nil, err
				}
				if b != nil && since[b] == day {
					k := bandKey{x.terms, x.version, x.clause, x.provider, period.Start}
					if _, ok := bounds[k]; !ok {
						if bounds[k], err = s.bounds(k, period); err != nil {
							return nil, err
						}
						if s.bandSums == nil {
							s.bandSums = map[bandKey]fraction{}
						}
						s.bandSums[k] = total
					}
					if out, err = divide(out, x, b.Mode, bounds[k], place, total); err != nil {
						return nil, err
					}
				}
				place = end
			}
		}
		earlier = append(earlier, sum{period.Start, all})
		from = to
	}
	return out, nil
}

// divide appends an entry that begins at a place, in the parts that bands with
// these boundaries make of it.
func divide(out []entry, x entry, mode BandMode, bounds []fraction, place, total fraction) ([]entry, error) {
	if len(bounds) == 0 {
		return out, nil // the faults say why
	}
	if mode == Slab {
		for int(x.band)+1 < len(bounds) && total.compare(bounds[x.band+1]) >= 0 {
			x.band++
		}
		return append(out, x), nil
	}
	for int(x.band)+1 < len(bounds) {
		room, err := bounds[x.band+1].plus(place.neg())
		if err != nil {
			return nil, err
		}
		if x.quantity.compare(room) <= 0 {
			break
		}
		if room.num > 0 {
			part := x
			part.quantity = room
			if x.quantity, err = x.quantity.plus(room.neg()); err != nil {
				return nil, err
			}
			out, place = append(out, part), bounds[x.band+1]
		}
		x.band++
	}
	return append(out, x), nil
}

// bounds are the boundaries of a clause's bands for a provider in a period; none
// where a number is missing, which is a fault.
func (s *settler) bounds(k bandKey, period effect.Period) ([]fraction, error) {
	t, clause, path := s.clauseAt(k.terms, k.version, k.clause)
	b := clause.Schedule.Bands
	base := s.bandBase(k, period)
	if base == nil {
		_, missing := t.expected(s.cases.Provider.Levels[k.provider], b.since(t, period), period)
		s.faults.Add(t.doc, path+".schedule.bands", FaultProfile, "clause %s needs what was expected of provider %s in %s: give the profile a number for the period",
			clause.ID, s.cases.Provider.Levels[k.provider], missing)
		return nil, nil
	}
	out := make([]fraction, len(b.Steps))
	for i, x := range b.Steps {
		var err error
		if out[i], err = newFraction(new(big.Rat).Mul(x.From.Rat(), base)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bandBase is what the steps of bands are shares of: 1 for a quantity, the cases
// referred, or the profile; nil where the profile is missing.
func (s *settler) bandBase(k bandKey, period effect.Period) *big.Rat {
	t, clause, _ := s.clauseAt(k.terms, k.version, k.clause)
	b := clause.Schedule.Bands
	switch b.Of {
	case OfShareOfCases:
		return new(big.Rat).SetInt64(s.referred(k, b.since(t, period), period.End))
	case OfShareOfProfile:
		sum, _ := t.expected(s.cases.Provider.Levels[k.provider], b.since(t, period), period)
		return sum
	}
	return one()
}

// referred is how many cases of a provider in the cohort, in packages that a
// clause pays for, were referred under the agreement in [from, to).
func (s *settler) referred(k bandKey, from, to effect.Date) (n int64) {
	_, clause, _ := s.clauseAt(k.terms, k.version, k.clause)
	of := bandKey{terms: k.terms, version: k.version, clause: k.clause}
	if s.referrals == nil {
		s.referrals = map[bandKey]map[int32]map[effect.Date]int64{}
	}
	if s.referrals[of] == nil {
		days := map[int32]map[effect.Date]int64{}
		for i := range int32(s.cases.Len()) {
			provider := s.cases.Provider.CodeAt(int(i))
			if s.termsOf(i) != k.terms || provider < 0 || !s.terms[k.terms].covers(s.cases.Referral[i]) || s.cohortReason(i) != effect.NoReason {
				continue
			}
			if offer := s.offer(k.terms, s.cases.Package.CodeAt(int(i))); offer == nil || !clause.Conditions.allow(offer) {
				continue
			}
			if days[provider] == nil {
				days[provider] = map[effect.Date]int64{}
			}
			days[provider][s.cases.Referral[i]]++
		}
		s.referrals[of] = days
	}
	for day, count := range s.referrals[of][k.provider] {
		if from <= day && day < to {
			n += count
		}
	}
	return n
}

// The notes that say how far a provider is from the next band.
const (
	stepBandSum  = "counted for the bands by the end of the period"
	stepNextBand = "the next band begins at"
)

// bandStep says which band a line is in, and from where; and, of the highest that
// is reached, where the next begins.
func (s *settler) bandStep(d *draft, k bandKey) {
	b := d.clause.Schedule.Bands
	if b == nil {
		return
	}
	x := b.Steps[d.band]
	what := fmt.Sprintf("band %d of %d, %s", d.band+1, len(b.Steps), b.Mode)
	if base := s.bandBase(k, d.period); base != nil && len(d.clause.Schedule.Instalments) == 0 {
		if b.Of != OfQuantity {
			what += fmt.Sprintf(": from %s of the %s", x.From, exactText(base))
			if b.Of == OfShareOfCases {
				what += " citizens referred"
			} else {
				what += " of the profile"
			}
		}
		d.step(what+", begins at", exactText(new(big.Rat).Mul(x.From.Rat(), base)), "", d.Section)
		sum, next := s.bandSums[k].rat(), int(d.band)+1
		if next == len(b.Steps) {
			return
		}
		if from := new(big.Rat).Mul(b.Steps[next].From.Rat(), base); sum.Cmp(from) < 0 || sum.Cmp(from) == 0 && b.Mode == Marginal {
			d.notes = append(d.notes,
				Step{What: stepBandSum, Value: exactText(sum), Section: d.Section},
				Step{What: stepNextBand, Value: exactText(from), Section: d.Section})
		}
		return
	}
	d.step(what+" (of the event), begins at", x.From.String(), "", d.Section)
}
