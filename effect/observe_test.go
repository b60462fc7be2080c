package effect_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// spell is one row of a life, as a test writes it.
type spell struct {
	person     int32
	state      effect.State
	start, end effect.Date
	hours      float64
	amount     float64
	employer   int32 // index, -1 for none that matters
}

// life is cases and spells that a property test draws. Days run from 0.
type life struct {
	cases  *effect.Cases
	spells []spell
	study  effect.Study
}

func outcomes() []effect.Outcome {
	work := effect.Employment
	return []effect.Outcome{
		{Name: "at", Measure: effect.StateAt{States: work, At: effect.Span{Days: 40}}},
		{Name: "at month", Measure: effect.StateAt{States: work, At: effect.Span{Months: 2}}},
		{Name: "not", Measure: effect.StateAt{States: effect.Benefits, At: effect.Span{Days: 70}, Not: true}},
		{Name: "days", Measure: effect.DaysIn{States: work, Within: effect.Span{Days: 100}, AtLeast: 10}},
		{Name: "days from start", Clock: effect.AtStart, Measure: effect.DaysIn{States: effect.States(effect.OrdinaryEmployment), Within: effect.Span{Months: 3}}},
		{Name: "sustained", Measure: effect.Sustained{States: work, Weeks: 3, MaxGap: 4, Within: effect.Span{Days: 50}}},
		{Name: "no gap", Measure: effect.Sustained{States: work, Weeks: 2, Within: effect.Span{Days: 30}}},
		{Name: "share", Measure: effect.ShareIn{States: work, Within: effect.Span{Months: 2}, AtLeast: 0.3}},
		{Name: "any share", Clock: effect.AtStart, Measure: effect.ShareIn{States: work, Within: effect.Span{Days: 30}}},
		{Name: "weeks", Measure: effect.WeeksIn{States: work, Within: effect.Span{Days: 60}, AtLeast: 2}, Dated: true},
		{Name: "full weeks", Measure: effect.WeeksIn{States: work, MinDays: 7, Without: effect.Benefits, Within: effect.Span{Months: 3}}},
		{Name: "part weeks", Measure: effect.WeeksIn{States: work, MinDays: 2, Beside: effect.Benefits, Within: effect.Span{Months: 3}}, Dated: true},
		{Name: "hours", Measure: effect.AmountIn{States: work, Of: effect.OfHours, Within: effect.Span{Days: 70}, AtLeast: 100.5}},
		{Name: "all hours", Clock: effect.AtStart, Measure: effect.AmountIn{States: effect.States(effect.OrdinaryEmployment), Of: effect.OfHours, Within: effect.Span{Months: 1}}},
		{Name: "earnings", Measure: effect.AmountIn{States: work, Of: effect.OfKroner, Within: effect.Span{Days: 70}, AtLeast: 333.33}},
		{Name: "enough", Measure: effect.Reaching{Measure: effect.AmountIn{States: work, Of: effect.OfKroner, Within: effect.Span{Days: 50}, AtLeast: 1000}}},
		{Name: "time", Measure: effect.TimeTo{States: work, Within: effect.Span{Months: 3}, Exits: []effect.Exit{
			{Name: "education", States: effect.States(effect.Education)}, {Name: "sick", States: effect.States(effect.SicknessBenefit)},
		}}},
		{Name: "time alone", Measure: effect.TimeTo{States: effect.States(effect.SelfEmployment), Within: effect.Span{Days: 80}}},
		{Name: "relapse", Measure: effect.Relapse{
			Run: effect.Sustained{States: work, Weeks: 1, MaxGap: 2, Within: effect.Span{Days: 40}}, Back: effect.Benefits, After: effect.Span{Months: 1}, AtLeast: 5,
		}},
		{Name: "mark", Measure: effect.Number{Column: "mark", KnownAfter: effect.Span{Days: 30}, AtLeast: 5}},
		{Name: "mark at once", Clock: effect.AtStart, Measure: effect.Reaching{Measure: effect.Number{Column: "mark", AtLeast: 1}}},
	}
}

func drawLife(t *rapid.T) life {
	persons := rapid.IntRange(1, 5).Draw(t, "persons")
	asOf, until, longest := rapid.IntRange(450, 700).Draw(t, "as_of"), 720, 40
	if rapid.IntRange(0, 3).Draw(t, "far") == 0 {
		asOf, until, longest = 1900, 1850, 600
	}
	l := life{cases: &effect.Cases{}, study: effect.Study{
		AsOf: effect.Date(asOf), Signals: true, Employers: &effect.Employers{
			IDs: []effect.ID{effect.NumberID(1), effect.NumberID(2), effect.NumberID(3)}, Of: map[string][]int32{"A": {0}, "B": {0, 2}},
		}, Outcomes: outcomes(), RegistersReach: effect.NoDate,
		Cohort:  effect.Cohort{Period: effect.Period{Start: 400, End: 600}, Take: effect.TakeEach},
		History: effect.History{Weeks: []int{4, 10}, ElapsedMax: 30, ElapsedGap: 5},
		Placebo: rapid.SampledFrom([]int{0, 3, 12, 40}).Draw(t, "placebo"),
	}}
	for p := range persons {
		l.cases.Persons.Append(effect.NumberID(int64(p)))
	}
	n := rapid.IntRange(1, 8).Draw(t, "cases")
	places, mark, providers := make([]string, n), []float64{}, make([]string, n)
	for i := range n {
		places[i] = "1"
		providers[i] = rapid.SampledFrom([]string{"", "A", "B", "C"}).Draw(t, "provider")
		l.cases.ID.Append(effect.NumberID(int64(i)))
		l.cases.Person = append(l.cases.Person, int32(rapid.IntRange(0, persons-1).Draw(t, "person")))
		referral := effect.Date(rapid.IntRange(380, 610).Draw(t, "referral"))
		l.cases.Referral = append(l.cases.Referral, referral)
		start := effect.NoDate
		if rapid.Bool().Draw(t, "starts") {
			start = referral + effect.Date(rapid.IntRange(0, 30).Draw(t, "wait"))
		}
		mark = append(mark, rapid.SampledFrom([]float64{math.NaN(), 0, 3, 5, 12}).Draw(t, "mark"))
		l.cases.Start, l.cases.End = append(l.cases.Start, start), append(l.cases.End, effect.NoDate)
	}
	l.cases.Municipality, l.cases.MatchScheme, l.cases.MatchGroup = effect.NewFactor(places), effect.NewFactor(places), effect.NewFactor(places)
	l.cases.Covariates = []effect.Covariate{{Name: "mark", Number: mark}}
	l.cases.Provider = effect.NewFactor(providers)
	states := []effect.State{effect.WageSubsidy, effect.WorkPlacement, effect.OrdinaryEmployment, effect.OrdinaryEmployment, effect.SelfEmployment, effect.CashBenefit, effect.SicknessBenefit, effect.Education, effect.Ignore}
	for range rapid.IntRange(0, 40).Draw(t, "spells") {
		s := spell{person: int32(rapid.IntRange(0, persons-1).Draw(t, "who")), state: rapid.SampledFrom(states).Draw(t, "state")}
		s.start = effect.Date(rapid.IntRange(300, until).Draw(t, "from"))
		s.end = s.start + effect.Date(rapid.IntRange(0, longest).Draw(t, "length"))
		s.employer = int32(rapid.IntRange(-1, 2).Draw(t, "employer"))
		s.hours = rapid.SampledFrom([]float64{math.NaN(), 0, 12.5, 37, 37, 37.01, 168}).Draw(t, "hours")
		s.amount = rapid.SampledFrom([]float64{math.NaN(), 0, 0.01, 100, 333.33, 12_345.67, 1e10}).Draw(t, "amount")
		switch rapid.IntRange(0, 30).Draw(t, "end") {
		case 0:
			s.end = effect.NoDate
		case 1:
			s.state = effect.Emigrated
		case 2:
			s.state = effect.Dead
		}
		l.spells = append(l.spells, s)
	}
	return l
}

func observe(t require.TestingT, l life, spells []spell) *effect.Observations {
	o, err := effect.NewObserver(l.study, l.cases)
	require.NoError(t, err)
	add(o, spells)
	obs, err := o.Observations(context.Background())
	require.NoError(t, err)
	return obs
}

func add(o *effect.Observer, spells []spell) {
	for _, s := range spells {
		o.Add(effect.Spells{
			Person: []int32{s.person}, State: []effect.State{s.state}, Start: []effect.Date{s.start}, End: []effect.Date{s.end},
			Hours: []float64{s.hours}, Amount: []float64{s.amount}, Employer: []int32{s.employer},
		})
	}
}

// Every outcome and covariate equals what a day-by-day reading of the same life
// gives, and neither the order of spells, nor goroutines, nor merging of partial
// observations changes anything.
func TestObserverAgainstDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t)
		got := observe(t, l, l.spells)
		for i := range l.cases.Len() {
			for k, out := range l.study.Outcomes {
				want := bruteForce(l, i, out)
				r := &got.Results[k]
				have := row{r.Status[i], r.Reason[i], r.Value[i], r.ReachedOn[i], r.WindowEnd[i], r.Complete[i], r.Followed[i], effect.NoTime, "", nil}
				require.Equal(t, out.Dated, r.Dates.Kept())
				if out.Dated {
					have.on = r.Dates.Of(i)
				}
				if r.Days != nil {
					have.days, have.event = r.Days[i], r.Event.At(i)
				}
				require.Equal(t, fmt.Sprint(want), fmt.Sprint(have), "case %d, %s, referred %d, as of %d", i, out.Name, l.cases.Referral[i], l.study.AsOf)
			}
			checkHistory(t, l, got, i)
			checkPlacebo(t, l, got, i)
			checkSignals(t, l, got.Signals, i)
		}

		shuffled := rapid.Permutation(l.spells).Draw(t, "order")
		require.Equal(t, fmt.Sprint(got.Results, got.Attrition), fmt.Sprint(observe(t, l, shuffled).Results, got.Attrition))
	})
}

type row struct {
	status         effect.Status
	reason         effect.Reason
	value          float64
	reached, ends  effect.Date
	complete, know bool
	days           int32
	event          string
	on             []effect.Date // where the outcome is dated
}

// bruteForce reads an outcome off an array of days, by the words of the data
// contract.
func bruteForce(l life, i int, out effect.Outcome) row {
	r := row{value: math.NaN(), reached: effect.NoDate, ends: effect.NoDate, days: effect.NoTime}
	referral := l.cases.Referral[i]
	if referral < 400 || referral >= 600 {
		r.reason = effect.ReasonOutsidePeriod
		return r
	}
	clock := referral
	if out.Clock == effect.AtStart {
		clock = l.cases.Start[i]
	}
	if clock == effect.NoDate {
		r.reason = effect.ReasonNoClock
		return r
	}
	in := func(set effect.StateSet, d effect.Date) bool {
		return d <= l.study.AsOf && slices.ContainsFunc(l.spells, func(s spell) bool {
			return s.person == l.cases.Person[i] && set.Has(s.state) && s.start <= d && (s.end == effect.NoDate || d < s.end)
		})
	}
	leaves := func(day effect.Date) (dead, gone bool) {
		for _, s := range l.spells {
			dead = dead || s.person == l.cases.Person[i] && s.state == effect.Dead && s.start <= min(day, l.study.AsOf)
		}
		return dead, dead || in(effect.States(effect.Emigrated), day)
	}
	runAt := func(m effect.Sustained) effect.Date {
		last := clock.Add(m.Within) + effect.Date(7*m.Weeks+m.MaxGap) - 1
		// A run starts on a worked day before the limit; try each.
		for s := clock; s < clock.Add(m.Within); s++ {
			worked, gap := 0, 0
			for d := s; d <= last && gap <= m.MaxGap; d++ {
				if !in(m.States, d) {
					gap++
					if d == s {
						break
					}
					continue
				}
				gap = 0
				worked++
				if worked == 7*m.Weeks {
					return d
				}
			}
		}
		return effect.NoDate
	}
	unknown := false
	var first, last effect.Date // days that matter, inclusive
	measure, share := out.Measure, false
	if m, ok := measure.(effect.Reaching); ok {
		measure, share = m.Measure, true
	}
	switch m := measure.(type) {
	case effect.ShareIn:
		first, last, r.ends = clock, clock.Add(m.Within)-1, clock.Add(m.Within)
		window, n := float64(last-first+1), 0.0
		for d := first; d <= last; d++ {
			if in(m.States, d) {
				n++
				if r.reached == effect.NoDate && n/window >= m.AtLeast-1e-12 {
					r.reached = d
				}
			}
		}
		r.value = n / window
	case effect.WeeksIn:
		first, last, r.ends = clock, clock.Add(m.Within)-1, clock.Add(m.Within)
		r.value = 0
		for week := 0; clock+effect.Date(7*week+6) <= min(last, l.study.AsOf); week++ {
			n, without, beside := 0, 0, 0
			for d := clock + effect.Date(7*week); d < clock+effect.Date(7*week+7); d++ {
				n, without, beside = n+count(in(m.States, d)), without+count(in(m.Without, d)), beside+count(in(m.Beside, d))
			}
			if n >= max(1, m.MinDays) && without == 0 && (m.Beside == 0 || beside > 0) {
				if out.Dated {
					r.on = append(r.on, clock+effect.Date(7*week+6))
				}
				r.value++
				if r.value == float64(max(1, m.AtLeast)) {
					r.reached = clock + effect.Date(7*week+6)
				}
			}
		}
	case effect.AmountIn:
		first, last, r.ends = clock, clock.Add(m.Within)-1, clock.Add(m.Within)
		total, unit := big.NewInt(0), 100.0
		if m.Of == effect.OfHours {
			unit = 700
		}
		for d := first; d <= min(last, l.study.AsOf); d++ {
			day := big.NewInt(0)
			for _, s := range l.spells {
				if s.person != l.cases.Person[i] || !m.States.Has(s.state) || d < s.start || s.end != effect.NoDate && d >= s.end {
					continue
				}
				switch {
				case m.Of == effect.OfHours && math.IsNaN(s.hours), m.Of == effect.OfKroner && (math.IsNaN(s.amount) || s.end == effect.NoDate):
					unknown = true
				case m.Of == effect.OfHours:
					day.Add(day, big.NewInt(int64(math.Round(s.hours*100))))
				default:
					whole, n := big.NewInt(int64(math.Round(s.amount*100))), int64(s.end-s.start)
					upto := func(k int64) *big.Int {
						v := new(big.Int).Mul(whole, big.NewInt(k))
						return v.Div(v, big.NewInt(n))
					}
					one := new(big.Int).Sub(upto(int64(d-s.start)+1), upto(int64(d-s.start)))
					day.Add(day, one)
				}
			}
			if most := big.NewInt(1<<31 - 1); day.Cmp(most) > 0 {
				day = most
			}
			total.Add(total, day)
			if sum, _ := new(big.Float).SetInt(total).Float64(); r.reached == effect.NoDate && sum > 0 && sum >= m.AtLeast*unit-1e-6 {
				r.reached = d
			}
		}
		sum, _ := new(big.Float).SetInt(total).Float64()
		r.value = sum / unit
	case effect.TimeTo:
		first, last, r.ends = clock, clock.Add(m.Within)-1, clock.Add(m.Within)
		r.days = int32(max(0, min(r.ends, l.study.AsOf+1)-clock))
		gone := false
		for d := clock; d <= last && d <= l.study.AsOf && r.event == "" && !gone; d++ {
			var dead bool
			dead, gone = leaves(d)
			switch {
			case dead:
				r.event = "dead"
			case gone:
			case in(m.States, d):
				r.event, r.reached = "reached", d
			default:
				for _, e := range m.Exits {
					if in(e.States, d) {
						r.event = e.Name
						break
					}
				}
			}
			if r.event != "" || gone {
				r.days = int32(d - clock)
			}
		}
		if dead, _ := leaves(clock - 1); dead { // before the clock, which may lie past as_of
			r.days, r.event = 0, "dead"
		}
		switch {
		case r.event == "reached":
			r.value = float64(r.days)
		case r.event == "education" || r.event == "sick" || r.ends <= l.study.AsOf && r.event == "" && !gone:
			r.value = float64(r.ends - clock)
		}
	case effect.Relapse:
		closes := clock.Add(m.Run.Within) + effect.Date(7*m.Run.Weeks+m.Run.MaxGap)
		r.ends = closes.Add(m.After)
		first, last = clock, r.ends-1
		done, gone := runAt(m.Run), effect.Date(math.MaxInt32)
		for d := last; d >= clock; d-- {
			if _, g := leaves(d); g {
				gone = d
			}
		}
		switch {
		case done != effect.NoDate && done < gone:
			days := 0
			for d := done + 1; d < (done + 1).Add(m.After); d++ {
				if in(m.Back, d) {
					days++
					if days == m.AtLeast {
						r.reached = d
					}
				}
			}
			r.value = float64(count(r.reached != effect.NoDate))
		case done == effect.NoDate && closes <= l.study.AsOf && gone >= closes:
			r.reason = effect.ReasonNotAtRisk
		}
	case effect.Number:
		first, last, r.ends = clock, clock.Add(m.KnownAfter)-1, clock.Add(m.KnownAfter)
		mark := l.cases.Covariates[0].Number[i]
		switch {
		case r.ends > l.study.AsOf:
		case math.IsNaN(mark):
			r.reason, unknown = effect.ReasonNoValue, true
		default:
			r.value = mark
			if mark >= m.AtLeast {
				r.reached = r.ends
			}
		}
	case effect.StateAt:
		day := clock.Add(m.At)
		first, last, r.ends = day, day, day
		if day <= l.study.AsOf {
			r.value = 0
			if in(m.States, day) != m.Not {
				r.value, r.reached = 1, day
			}
		}
	case effect.DaysIn:
		first, last, r.ends = clock, clock.Add(m.Within)-1, clock.Add(m.Within)
		r.value = 0
		for d := first; d <= last; d++ {
			if in(m.States, d) {
				r.value++
				if r.value == float64(max(1, m.AtLeast)) {
					r.reached = d
				}
			}
		}
	case effect.Sustained:
		r.ends = clock.Add(m.Within) + effect.Date(7*m.Weeks+m.MaxGap)
		first, last, r.value = clock, r.ends-1, 0
		if r.reached = runAt(m); r.reached != effect.NoDate {
			r.value = 1
		}
	}
	if share && !math.IsNaN(r.value) {
		r.value = float64(count(r.reached != effect.NoDate))
	}
	closed, left, seen := r.ends <= l.study.AsOf, false, false
	reach, leftOn := effect.NoDate, effect.Date(math.MaxInt32)
	for _, s := range l.spells {
		if s.start <= l.study.AsOf {
			reach = max(reach, s.start)
		}
		if s.end != effect.NoDate && s.end <= l.study.AsOf+1 {
			reach = max(reach, s.end-1)
		}
		if s.person != l.cases.Person[i] {
			continue
		}
		seen = true
		if s.state == effect.Dead && s.start <= l.study.AsOf {
			leftOn = min(leftOn, s.start)
		}
	}
	for d := first; d <= last; d++ {
		if in(effect.States(effect.Emigrated), d) {
			leftOn = min(leftOn, d)
		}
	}
	left = leftOn <= last
	r.on = slices.DeleteFunc(r.on, func(d effect.Date) bool { return left && d >= leftOn })
	if left && leftOn <= r.reached {
		r.value, r.reached = math.NaN(), effect.NoDate
	}
	r.know = seen && last <= reach && !unknown
	if r.reason != effect.NoReason {
		r.value, r.reached = math.NaN(), effect.NoDate
		if r.reason == effect.ReasonNotAtRisk {
			r.ends = effect.NoDate
		}
		return r
	}
	switch {
	case left:
		r.reason = effect.ReasonLeft
	case !closed:
		r.reason = effect.ReasonPending
	}
	switch {
	case r.reached != effect.NoDate:
		r.status = effect.Reached
	case left:
		r.status = effect.Left
	case !closed:
		r.status = effect.Pending
	default:
		r.status = effect.NotReached
	}
	r.complete = closed && !left
	return r
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func checkHistory(t *rapid.T, l life, obs *effect.Observations, i int) {
	value := func(name string) float64 {
		c, ok := obs.Cases.Covariate(name)
		require.True(t, ok, name)
		require.True(t, c.Dated)
		return c.Number[i]
	}
	checkPast(t, l, i, l.cases.Referral[i], value)
}

func checkPlacebo(t *rapid.T, l life, obs *effect.Observations, i int) {
	p := obs.Cases.Placebo
	if l.study.Placebo == 0 {
		require.Nil(t, p)
		return
	}
	require.Equal(t, l.study.Placebo, p.Weeks)
	var names []string
	for _, c := range p.Covariates {
		require.True(t, c.Dated)
		names = append(names, c.Name)
	}
	require.Equal(t, l.study.History.Names(), append(names, effect.ReferralQuarter, effect.ReferralMonth))
	referral, days, worked := l.cases.Referral[i], 7*l.study.Placebo, 0
	for d := referral - effect.Date(days); d < referral; d++ {
		if slices.ContainsFunc(l.spells, func(s spell) bool {
			return s.person == l.cases.Person[i] && effect.Employment.Has(s.state) && s.start <= d && (s.end == effect.NoDate || d < s.end)
		}) && d <= l.study.AsOf {
			worked++
		}
	}
	if l.study.Cohort.Period.Contains(referral) {
		require.Equal(t, float64(worked)/float64(days), p.Value[i])
	} else {
		require.True(t, math.IsNaN(p.Value[i]))
	}
	checkPast(t, l, i, referral-effect.Date(days), func(name string) float64 {
		return p.Covariates[slices.Index(names, name)].Number[i]
	})
}

// checkPast compares the history as it stood on a day with a reading by days.
func checkPast(t *rapid.T, l life, i int, on effect.Date, value func(name string) float64) {
	if !l.study.Cohort.Period.Contains(l.cases.Referral[i]) {
		require.True(t, math.IsNaN(value("weeks_employed_4")))
		return
	}
	in := func(set effect.StateSet, d effect.Date) bool {
		return d <= l.study.AsOf && slices.ContainsFunc(l.spells, func(s spell) bool {
			return s.person == l.cases.Person[i] && set.Has(s.state) && s.start <= d && (s.end == effect.NoDate || d < s.end)
		})
	}
	for _, weeks := range []int{4, 10} {
		for name, set := range map[string]effect.StateSet{"on_cash_benefit": effect.States(effect.CashBenefit), "on_sickness_benefit": effect.States(effect.SicknessBenefit), "employed": effect.Employment} {
			days := 0
			for d := on - effect.Date(7*weeks); d < on; d++ {
				if in(set, d) {
					days++
				}
			}
			require.Equal(t, float64(days)/7, value(fmt.Sprintf("weeks_%s_%d", name, weeks)))
		}
	}
	start, gap := on, 0
	for d := on - 1; d >= on-7*30 && gap <= 5; d-- {
		if in(effect.Benefits, d) {
			start, gap = d, 0
		} else {
			gap++
		}
	}
	require.Equal(t, float64(on-start)/7, value("elapsed_benefit_weeks"))
}

// checkSignals compares the signals with a reading by days.
func checkSignals(t *rapid.T, l life, s *effect.Signals, i int) {
	referral := l.cases.Referral[i]
	require.Equal(t, l.study.Cohort.Period.Contains(referral), s.InCohort[i])
	if !s.InCohort[i] {
		require.Equal(t, []any{effect.NoDate, effect.NoDate, int32(0), int32(0)}, []any{s.RunStart[i], s.RunEnd[i], s.RunDays[i], s.EmployedDays[i]})
		return
	}
	when := func(ok func(spell) bool) func(effect.Date) bool {
		return func(d effect.Date) bool {
			return d <= l.study.AsOf && slices.ContainsFunc(l.spells, func(s spell) bool {
				return s.person == l.cases.Person[i] && ok(s) && s.start <= d && (s.end == effect.NoDate || d < s.end)
			})
		}
	}
	in := func(set effect.StateSet) func(effect.Date) bool {
		return when(func(s spell) bool { return set.Has(s.state) })
	}
	work, ordinary := in(effect.Employment), in(effect.States(effect.OrdinaryEmployment))
	subsidised := in(effect.States(effect.WageSubsidy, effect.WorkPlacement))
	own := when(func(s spell) bool {
		return effect.Employment.Has(s.state) && s.employer >= 0 && slices.Contains(l.study.Employers.Of[l.cases.Provider.At(i)], s.employer)
	})
	var worked, helped, both, mine int32
	after := false
	for d := referral; d < referral+364; d++ {
		worked, helped = worked+int32(count(work(d))), helped+int32(count(subsidised(d)))
		both, mine = both+int32(count(ordinary(d) && subsidised(d))), mine+int32(count(own(d)))
		if subsidised(d) && !subsidised(d+1) && !ordinary(d) {
			for gap := range effect.Date(8) {
				if ordinary(d + 1 + gap) {
					after = true
				}
			}
		}
		if subsidised(d) && !subsidised(d+1) && ordinary(d) { // a job that began before, and may be followed by another
			for gap := effect.Date(1); gap < 8; gap++ {
				after = after || ordinary(d+1+gap) && !ordinary(d+gap)
			}
		}
	}
	require.Equal(t, []any{worked, helped, both, after}, []any{s.EmployedDays[i], s.SubsidisedDays[i], s.RecodedDays[i], s.AfterSubsidy[i]})
	if len(l.spells) == 0 {
		require.Nil(t, s.OwnEmployerDays, "no spell named an employer")
	} else {
		require.Equal(t, mine, s.OwnEmployerDays[i])
	}

	start, end, days := effect.NoDate, effect.NoDate, int32(0)
	for d := referral; d < referral+364 && start == effect.NoDate; d++ {
		fresh := work(d)
		for back := effect.Date(1); back <= 8; back++ {
			fresh = fresh && !work(d-back)
		}
		if fresh {
			start = d
		}
	}
	if start != effect.NoDate {
		for d, off := start, 0; d < referral+7*156 && d <= l.study.AsOf && off <= 7; d++ {
			if off++; work(d) {
				days, end, off = days+1, d+1, 0
			}
		}
		if end == referral+7*156 || end == l.study.AsOf+1 {
			end = effect.NoDate
		}
	}
	require.Equal(t, []any{start, end, days}, []any{s.RunStart[i], s.RunEnd[i], s.RunDays[i]}, "referred %d", referral)
}

// The attrition of every outcome and cell sums from read to analysed.
func TestAttritionSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t)
		l.study.Cohort.Take = rapid.SampledFrom([]effect.Take{effect.TakeFirst, effect.TakeLast, effect.TakeEach}).Draw(t, "take")
		obs := observe(t, l, l.spells)
		for _, out := range l.study.Outcomes {
			read, rest, analysed := int64(0), int64(0), int64(0)
			for _, a := range obs.Attrition {
				switch {
				case a.Outcome != out.Name:
				case a.Step == "read":
					read += a.N
				default:
					rest += a.N
					if a.Step == "analysed" {
						analysed += a.N
					}
				}
			}
			require.Equal(t, int64(l.cases.Len()), read)
			require.Equal(t, read, rest)
			r, _ := obs.Result(out.Name)
			complete := int64(0)
			for _, c := range r.Complete {
				if c {
					complete++
				}
			}
			require.Equal(t, complete, analysed)
		}
	})
}

func TestTake(t *testing.T) {
	cases := &effect.Cases{
		ID:       effect.NewIDs(effect.NumberID(1), effect.NumberID(2), effect.NumberID(3), effect.NumberID(4), effect.NumberID(5), effect.NumberID(6)),
		Person:   []int32{0, 0, 0, 0, 1, 0},
		Referral: []effect.Date{20, 10, 10, 12, 11, 5},
		// The fourth has another agreement; the sixth lies before the period.
		Agreement:    effect.NewFactor([]string{"A", "A", "A", "B", "A", "A"}),
		Municipality: effect.NewFactor([]string{"1", "1", "1", "1", "1", "1"}),
		Persons:      effect.NewIDs(effect.NumberID(1), effect.NumberID(2)),
	}
	period := effect.Period{Start: 10, End: 30}
	for take, want := range map[effect.Take][]effect.Reason{
		effect.TakeFirst: {effect.ReasonNotFirst, 0, effect.ReasonNotFirst, 0, 0, effect.ReasonOutsidePeriod},
		effect.TakeLast:  {0, effect.ReasonNotLast, effect.ReasonNotLast, 0, 0, effect.ReasonOutsidePeriod},
		effect.TakeEach:  {0, 0, 0, 0, 0, effect.ReasonOutsidePeriod},
	} {
		assert.Equal(t, want, effect.Cohort{Period: period, Take: take}.Select(cases), take)
	}
}

// Goroutines may add at once (run with -race).
func TestAddConcurrently(t *testing.T) {
	var l life
	rapid.Check(t, func(t *rapid.T) { l = drawLife(t) })
	want := observe(t, l, l.spells)
	o, err := effect.NewObserver(l.study, l.cases)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := k; i < len(l.spells); i += 4 {
				add(o, l.spells[i:i+1])
			}
		})
	}
	wg.Wait()
	got, err := o.Observations(context.Background())
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(want.Results), fmt.Sprint(got.Results))
}

func TestStudyThatMakesNoSense(t *testing.T) {
	base := effect.Study{AsOf: 100, Cohort: effect.Cohort{Period: effect.Period{Start: 0, End: 10}}}
	work := effect.Employment
	for name, study := range map[string]func(*effect.Study){
		"no as_of":   func(s *effect.Study) { s.AsOf = effect.NoDate },
		"no measure": func(s *effect.Study) { s.Outcomes = []effect.Outcome{{Name: "a"}} },
		"no name":    func(s *effect.Study) { s.Outcomes = []effect.Outcome{{Measure: effect.StateAt{States: work}}} },
		"same name": func(s *effect.Study) {
			s.Outcomes = slices.Repeat([]effect.Outcome{{Name: "a", Measure: effect.StateAt{States: work}}}, 2)
		},
		"no states": func(s *effect.Study) { s.Outcomes = []effect.Outcome{{Name: "a", Measure: effect.StateAt{}}} },
		"dead": func(s *effect.Study) {
			s.Outcomes = []effect.Outcome{{Name: "a", Measure: effect.StateAt{States: effect.States(effect.Dead)}}}
		},
		"no window": func(s *effect.Study) {
			s.Outcomes = []effect.Outcome{{Name: "a", Measure: effect.DaysIn{States: work}}}
		},
		"no weeks": func(s *effect.Study) {
			s.Outcomes = []effect.Outcome{{Name: "a", Measure: effect.Sustained{States: work, Within: effect.Weeks(1)}}}
		},
		"negative placebo": func(s *effect.Study) { s.Placebo = -1 },
		"long window":      func(s *effect.Study) { s.History.Weeks = []int{6000} },
	} {
		study2 := base
		study(&study2)
		_, err := effect.NewObserver(study2, &effect.Cases{})
		assert.ErrorIs(t, err, effect.ErrOutcome, name)
	}
}
