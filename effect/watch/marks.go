package watch

import (
	"cmp"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

const (
	returnDays  = 28 // a referral so soon after the last is a return
	exitDays    = 28 // an end so soon after the payment date is an exit
	groupDays   = 90 // an earlier referral so long ago tells the match group
	groupBefore = 28 // the day before referral on which the caseload tells it
	aroundWeeks = 2  // bunching is looked for so near a threshold
	aroundN     = 5  // and cells so near the minimum n
	shortGap    = 7  // what effect.Signals joins
)

// each marks the cases that hold says something about.
func each(f *Facts, keep func(int32) bool, holds func(int32) (known, yes bool)) marks {
	m := make(marks, f.Observations.Cases.Len())
	for i := range m {
		if !keep(int32(i)) {
			continue
		}
		switch known, yes := holds(int32(i)); {
		case known && yes:
			m[i] = hit
		case known:
			m[i] = plain
		}
	}
	return m
}

func markRedated(f *Facts, _ Design) (marks, string) {
	c := f.Observations.Cases
	if !slices.ContainsFunc(c.Start, func(d effect.Date) bool { return d != effect.NoDate }) {
		return nil, NoStarts
	}
	return each(f, inPeriod(f.Observations), func(i int32) (bool, bool) {
		return c.Start[i] != effect.NoDate, c.Start[i] != effect.NoDate && c.Start[i] < c.Referral[i]
	}), ""
}

// history calls visit for every case, a person's in the order of their referrals
// (ties by id), with what the person's earlier cases are.
func history(c *effect.Cases, visit func(i int32, earlier []int32)) {
	order := make([]int32, c.Len())
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(c.Person[a], c.Person[b]), cmp.Compare(c.Referral[a], c.Referral[b]), cmp.Compare(a, b))
	})
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && c.Person[order[to]] == c.Person[order[from]] {
			to++
		}
		for k := from; k < to; k++ {
			visit(order[k], order[from:k])
		}
		from = to
	}
}

// offerer is who made an offer: a provider, or the own projects of a
// municipality.
type offerer struct{ provider, municipality int32 }

func offererOf(c *effect.Cases, i int32) offerer {
	p := c.Provider.CodeAt(int(i))
	if p >= 0 {
		return offerer{p, -1}
	}
	return offerer{-1, c.Municipality.CodeAt(int(i))}
}

func markReturned(f *Facts, _ Design) (marks, string) {
	c := f.Observations.Cases
	returned := make([]bool, c.Len())
	until := map[offerer]effect.Date{} // the last day on which a referral is a return
	history(c, func(i int32, earlier []int32) {
		if len(earlier) == 0 {
			clear(until)
		}
		by := offererOf(c, i)
		last, before := until[by]
		returned[i] = before && c.Referral[i] <= last
		day := c.Referral[i] + returnDays
		if len(c.End) > 0 && c.End[i] != effect.NoDate {
			day = max(day, c.End[i]+returnDays)
		}
		if !before || day > last {
			until[by] = day
		}
	})
	return each(f, inPeriod(f.Observations), func(i int32) (bool, bool) { return true, returned[i] }), ""
}

// agreement is the agreement of a case; its municipality stands for a missing
// one.
type agreement struct{ agreement, municipality int32 }

func agreementOf(c *effect.Cases, i int32) agreement {
	if a := c.Agreement.CodeAt(int(i)); a >= 0 {
		return agreement{a, -1}
	}
	return agreement{-1, c.Municipality.CodeAt(int(i))}
}

func markRepeated(f *Facts, d Design) (marks, string) {
	c := f.Observations.Cases
	again := make([]bool, c.Len())
	type key struct {
		offerer
		agreement
	}
	met := map[key]bool{}
	kin := kinOf(d, c)
	history(c, func(i int32, earlier []int32) {
		if len(earlier) == 0 {
			clear(met)
		}
		by, under := offererOf(c, i), agreementOf(c, i)
		for p := range kin[by.provider] {
			again[i] = again[i] || met[key{offerer{p, by.municipality}, under}]
		}
		met[key{by, under}] = true
	})
	return each(f, inPeriod(f.Observations), func(i int32) (bool, bool) { return true, again[i] }), ""
}

func markSister(f *Facts, d Design) (marks, string) {
	if d.Identities == nil {
		return nil, NoProviders
	}
	c := f.Observations.Cases
	sister := make([]bool, c.Len())
	met := map[int32]bool{}
	history(c, func(i int32, earlier []int32) {
		if len(earlier) == 0 {
			clear(met)
		}
		by := c.Provider.CodeAt(int(i))
		if by < 0 {
			return
		}
		for p := range met {
			sister[i] = sister[i] || d.Identities.Sisters(c.Provider.Levels[p], c.Provider.Levels[by], c.Referral[i])
		}
		met[by] = true
	})
	return each(f, inPeriod(f.Observations), func(i int32) (bool, bool) { return c.Provider.CodeAt(int(i)) >= 0, sister[i] }), ""
}

// kinOf lists the kin of every provider and, at -1, of own projects.
func kinOf(d Design, c *effect.Cases) map[int32]map[int32]bool {
	out := map[int32]map[int32]bool{-1: d.kin(c, -1)}
	for p := range c.Provider.Levels {
		out[int32(p)] = d.kin(c, int32(p))
	}
	return out
}

// inCohort keeps the cases that signals were read for; nil where there are none.
func inCohort(s *effect.Signals) func(int32) bool {
	return func(i int32) bool { return s.InCohort[i] }
}

func markInWork(f *Facts, _ Design) (marks, string) {
	s, c := f.Observations.Signals, f.Observations.Cases
	if s == nil {
		return nil, NoSignals
	}
	return each(f, inCohort(s), func(i int32) (bool, bool) {
		return true, s.RunStart[i] == c.Referral[i] || s.RunStart[i] == effect.NoDate && s.EmployedDays[i] > 0
	}), ""
}

func markBunching(weeks int32) func(*Facts, Design) (marks, string) {
	return func(f *Facts, _ Design) (marks, string) {
		s := f.Observations.Signals
		if s == nil {
			return nil, NoSignals
		}
		return each(f, inCohort(s), func(i int32) (bool, bool) {
			over := s.RunDays[i] - 7*weeks // worked past the threshold
			return s.RunEnd[i] != effect.NoDate && -7*aroundWeeks <= over && over < 7*aroundWeeks, over >= 0
		}), ""
	}
}

func markExit(f *Facts, _ Design) (marks, string) {
	s := f.Observations.Signals
	r, ok := f.Observations.Result(f.Sustained)
	switch {
	case !ok:
		return nil, NoSustained
	case s == nil:
		return nil, NoSignals
	}
	return each(f, inCohort(s), func(i int32) (bool, bool) {
		paid := r.ReachedOn[i]
		if paid == effect.NoDate || s.RunStart[i] == effect.NoDate || paid < s.RunStart[i] || s.RunEnd[i] != effect.NoDate && s.RunEnd[i] <= paid {
			return false, false // reached in another job
		}
		// An end shows once a gap longer than what runs join has passed.
		return paid+exitDays+shortGap <= f.Observations.AsOf, s.RunEnd[i] != effect.NoDate && s.RunEnd[i]-paid <= exitDays
	}), ""
}

func markRecoded(f *Facts, _ Design) (marks, string) {
	s := f.Observations.Signals
	if s == nil {
		return nil, NoSignals
	}
	return each(f, inCohort(s), func(i int32) (bool, bool) {
		return s.EmployedDays[i] > 0, s.RecodedDays[i] > 0 || s.AfterSubsidy[i]
	}), ""
}

func markOwnEmployer(f *Facts, _ Design) (marks, string) {
	s := f.Observations.Signals
	switch {
	case s == nil:
		return nil, NoSignals
	case s.OwnEmployerDays == nil:
		return nil, NoEmployers
	}
	c := f.Observations.Cases
	return each(f, inCohort(s), func(i int32) (bool, bool) {
		return s.EmployedDays[i] > 0 && c.Provider.CodeAt(int(i)) >= 0, s.OwnEmployerDays[i] > 0
	}), ""
}

func markRegrouped(f *Facts, _ Design) (marks, string) {
	c := f.Observations.Cases
	known, other := make([]bool, c.Len()), make([]bool, c.Len())
	some := false
	history(c, func(i int32, earlier []int32) {
		for k := len(earlier) - 1; k >= 0; k-- {
			j := earlier[k]
			if c.Referral[i]-c.Referral[j] > groupDays {
				return
			}
			if c.MatchScheme.CodeAt(int(j)) == c.MatchScheme.CodeAt(int(i)) {
				known[i], other[i], some = true, c.MatchGroup.CodeAt(int(j)) != c.MatchGroup.CodeAt(int(i)), true
				return
			}
		}
	})
	if f.Caseload != nil {
		some = regrouped(f.Caseload, c, known, other) || some
	}
	if !some {
		return nil, NoEarlier
	}
	return each(f, inPeriod(f.Observations), func(i int32) (bool, bool) { return known[i], other[i] }), ""
}

// regrouped looks up the group of every case in the caseload, on the day 28 days
// before referral, and says whether it found any. Of overlapping spells of one
// scheme, one with the group at referral is enough for no change.
func regrouped(l *effect.Caseload, c *effect.Cases, known, other []bool) (some bool) {
	for i := range known {
		p, ok := l.Persons.Find(c.Persons.At(int(c.Person[i])))
		if !ok {
			continue
		}
		day, found, same := c.Referral[i]-groupBefore, false, false
		from, _ := slices.BinarySearch(l.Person, int32(p))
		for k := from; k < l.Len() && l.Person[k] == int32(p) && l.Start[k] <= day; k++ {
			if l.End[k] != effect.NoDate && l.End[k] <= day || l.MatchScheme.At(k) != c.MatchScheme.At(i) {
				continue
			}
			found = true
			same = same || l.MatchGroup.At(k) == c.MatchGroup.At(i)
		}
		if found {
			known[i], other[i], some = true, other[i] || !same, true
		}
	}
	return some
}

// splitAround counts, for each cell, its offer packages whose n lies around the
// minimum, and of these those under it.
func splitAround(f *Facts, d Design) (map[cell]tally, string) {
	c := f.Observations.Cases
	r, ok := f.Observations.Result(f.Outcome)
	switch {
	case !ok:
		return nil, NoOutcome
	case len(c.Package.Codes) == 0:
		return nil, NoPackages
	}
	type lot struct {
		cell
		pkg int32
	}
	n := map[lot]int{}
	for i, complete := range r.Complete {
		if complete {
			n[lot{cellOf(c, int32(i)), c.Package.Codes[i]}]++
		}
	}
	out := map[cell]tally{}
	for k, n := range n {
		if d.MinN-aroundN <= n && n < d.MinN+aroundN {
			t := out[k.cell]
			t.n++
			if n < d.MinN {
				t.count++
			}
			out[k.cell] = t
		}
	}
	return out, ""
}
