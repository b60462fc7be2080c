package effect_test

import (
	"context"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// one observes outcomes of a single case, referred on day 0, long after.
func one(t require.TestingT, spells []spell, outcomes ...effect.Outcome) *effect.Observations {
	places := effect.NewFactor([]string{"1"})
	l := life{
		cases: &effect.Cases{
			ID: effect.NewIDs(effect.NumberID(1)), Person: []int32{0}, Persons: effect.NewIDs(effect.NumberID(1)), Referral: []effect.Date{0},
			Municipality: places, MatchScheme: places, MatchGroup: places,
		},
		study: effect.Study{AsOf: 5000, RegistersReach: 5000, Cohort: effect.Cohort{Period: effect.Period{Start: 0, End: 1}}, Outcomes: outcomes},
	}
	return observe(t, l, spells)
}

func TestMeasuresThatMakeNoSense(t *testing.T) {
	work, year := effect.Employment, effect.Weeks(52)
	run := effect.Sustained{States: work, Weeks: 13, Within: year}
	for name, m := range map[string]effect.Measure{
		"share: no window":         effect.ShareIn{States: work},
		"share: portion":           effect.ShareIn{States: work, Within: year, AtLeast: 1.1},
		"share: not a number":      effect.ShareIn{States: work, Within: year, AtLeast: math.NaN()},
		"share: no states":         effect.ShareIn{Within: year},
		"weeks: short":             effect.WeeksIn{States: work, Within: effect.Span{Days: 6}},
		"weeks: many":              effect.WeeksIn{States: work, Within: year, AtLeast: 53},
		"weeks: days":              effect.WeeksIn{States: work, Within: year, MinDays: 8},
		"weeks: in and out":        effect.WeeksIn{States: work, Within: year, Without: work},
		"weeks: beside and out":    effect.WeeksIn{States: work, Within: year, Without: effect.Benefits, Beside: effect.Benefits},
		"weeks: without the dead":  effect.WeeksIn{States: work, Within: year, Without: effect.States(effect.Dead)},
		"weeks: no states":         effect.WeeksIn{Within: year},
		"amount: of days":          effect.AmountIn{States: work, Within: year},
		"amount: no window":        effect.AmountIn{States: work, Of: effect.OfHours},
		"amount: below 0":          effect.AmountIn{States: work, Of: effect.OfHours, Within: year, AtLeast: -1},
		"amount: not a number":     effect.AmountIn{States: work, Of: effect.OfKroner, Within: year, AtLeast: math.NaN()},
		"amount: no states":        effect.AmountIn{Of: effect.OfKroner, Within: year},
		"time: no window":          effect.TimeTo{States: work},
		"time: no states":          effect.TimeTo{Within: year},
		"time: no name":            effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{States: effect.Benefits}}},
		"time: name taken":         effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{Name: "dead", States: effect.Benefits}}},
		"time: exit of no states":  effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{Name: "a"}}},
		"time: exit to the event":  effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{Name: "a", States: work}}},
		"time: order":              effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{"b", effect.States(effect.Leave)}, {"a", effect.States(effect.Pension)}}},
		"time: same name":          effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{"a", effect.States(effect.Leave)}, {"a", effect.States(effect.Pension)}}},
		"time: same states":        effect.TimeTo{States: work, Within: year, Exits: []effect.Exit{{"a", effect.States(effect.Leave)}, {"b", effect.States(effect.Leave)}}},
		"relapse: no run":          effect.Relapse{Back: effect.Benefits, After: year},
		"relapse: no states":       effect.Relapse{Run: run, After: year},
		"relapse: no time":         effect.Relapse{Run: run, Back: effect.Benefits},
		"relapse: long":            effect.Relapse{Run: run, Back: effect.Benefits, After: effect.Weeks(1), AtLeast: 8},
		"number: no column":        effect.Number{},
		"number: threshold":        effect.Number{Column: "mark", AtLeast: math.Inf(1)},
		"number: no such column":   effect.Number{Column: "mark"},
		"threshold of no sense":    effect.Reaching{Measure: effect.ShareIn{States: work}},
		"threshold of a no column": effect.Reaching{Measure: effect.Number{Column: "mark"}},
	} {
		_, err := effect.NewObserver(effect.Study{AsOf: 5000, Outcomes: []effect.Outcome{{Name: "a", Measure: m}}}, &effect.Cases{})
		assert.ErrorIs(t, err, effect.ErrOutcome, name)
	}
}

// However a spell is cut by windows, its days sum to its amount.
func TestAmountOfASpell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ore := rapid.Int64Range(0, 1_000_000_00).Draw(t, "ore")
		start, n := rapid.IntRange(0, 50).Draw(t, "start"), rapid.IntRange(1, 400).Draw(t, "days")
		s := spell{state: effect.SelfEmployment, start: effect.Date(start), end: effect.Date(start + n), amount: float64(ore) / 100, hours: 37}
		cut := rapid.IntRange(1, 500).Draw(t, "cut")
		in := func(of effect.Quantity, days int) effect.Outcome {
			return effect.Outcome{Name: string(rune('a'+of)) + string(rune('0'+days)), Measure: effect.AmountIn{States: effect.Employment, Of: of, Within: effect.Span{Days: days}}}
		}
		obs := one(t, []spell{s}, in(effect.OfKroner, cut), in(effect.OfKroner, 501), in(effect.OfHours, 502))
		require.InDelta(t, s.amount, obs.Results[1].Value[0], 1e-6)
		require.InDelta(t, 37*float64(n)/7, obs.Results[2].Value[0], 1e-6)
		// floor(ore x days / n) øre have fallen on the days before the cut.
		days := int64(min(max(cut-start, 0), n))
		part := new(big.Int).Div(new(big.Int).Mul(big.NewInt(ore), big.NewInt(days)), big.NewInt(int64(n)))
		require.InDelta(t, float64(part.Int64())/100, obs.Results[0].Value[0], 1e-6)
	})
}

// 16 hours a week for 26 weeks are 416 hours: reached on the last of 182 days,
// and on no day of 181.
func TestHoursThreshold(t *testing.T) {
	enough := effect.Outcome{Name: "enough", Measure: effect.Reaching{Measure: effect.AmountIn{States: effect.Employment, Of: effect.OfHours, Within: effect.Weeks(52), AtLeast: 16 * 26}}}
	for days, want := range map[int]float64{182: 1, 181: 0} {
		r := one(t, []spell{{state: effect.OrdinaryEmployment, start: 10, end: effect.Date(10 + days), hours: 16}}, enough).Results[0]
		assert.Equal(t, want, r.Value[0])
		assert.Equal(t, effect.UnitShare, r.Unit)
		assert.Equal(t, want == 1, r.ReachedOn[0] == 191)
		assert.True(t, r.Followed[0])
	}
	r := one(t, []spell{{state: effect.OrdinaryEmployment, start: 10, end: effect.NoDate, hours: math.NaN()}}, enough).Results[0]
	assert.Equal(t, effect.NotReached, r.Status[0])
	assert.False(t, r.Followed[0], "hours that nobody told are not 0 hours")
}

// Full and partial self-support share no week: what full weeks must be without,
// partial ones must have beside.
func TestSelfSupport(t *testing.T) {
	support := effect.Benefits | effect.States(effect.FlexJob, effect.WageSubsidy)
	full := effect.Outcome{Name: "full", Measure: effect.WeeksIn{
		States: effect.Employment | effect.States(effect.SelfSupport), MinDays: 7, Without: support, Within: effect.Weeks(156),
	}}
	partial := effect.Outcome{Name: "partial", Measure: effect.WeeksIn{
		States: effect.Employment | effect.States(effect.FlexJob), Beside: support, Within: effect.Weeks(156),
	}}
	weeks := func(state effect.State, from, to int) spell {
		return spell{state: state, start: effect.Date(7 * from), end: effect.Date(7 * to)}
	}
	obs := one(t, []spell{
		weeks(effect.CashBenefit, 0, 10),
		weeks(effect.OrdinaryEmployment, 8, 20),  // 2 weeks beside the benefit, 10 alone
		weeks(effect.FlexJob, 20, 25),            // 5 weeks partly
		weeks(effect.SelfSupport, 25, 27),        // 2 weeks fully
		weeks(effect.SelfEmployment, 150, 1_000), // 6 weeks before the cap
	}, full, partial)
	assert.Equal(t, 18.0, obs.Results[0].Value[0])
	assert.Equal(t, 7.0, obs.Results[1].Value[0])
	assert.Equal(t, effect.UnitWeeks, obs.Results[0].Unit)

	// IMPACT60: at most 156 weeks, whatever comes after.
	obs = one(t, []spell{weeks(effect.OrdinaryEmployment, 0, 500)}, full, partial)
	assert.Equal(t, 156.0, obs.Results[0].Value[0])
	assert.Equal(t, 0.0, obs.Results[1].Value[0])

	rapid.Check(t, func(t *rapid.T) {
		var spells []spell
		for range rapid.IntRange(0, 12).Draw(t, "spells") {
			from := rapid.IntRange(-30, 1200).Draw(t, "from")
			spells = append(spells, spell{
				state: effect.State(rapid.IntRange(0, int(effect.SelfSupport)).Draw(t, "state")),
				start: effect.Date(from), end: effect.Date(from + rapid.IntRange(1, 300).Draw(t, "days")),
			})
		}
		obs := one(t, spells, full, partial)
		require.LessOrEqual(t, obs.Results[0].Value[0]+obs.Results[1].Value[0], 156.0)
	})
}

// A course of competing risks, told day by day.
func TestTimeTo(t *testing.T) {
	m := effect.Outcome{Name: "job", Measure: effect.TimeTo{States: effect.Employment, Within: effect.Weeks(52), Exits: []effect.Exit{
		{Name: "education", States: effect.States(effect.Education)}, {Name: "pension", States: effect.States(effect.Pension)},
	}}}
	at := func(state effect.State, day int) spell {
		return spell{state: state, start: effect.Date(day), end: effect.Date(day + 3)}
	}
	for name, c := range map[string]struct {
		spells []spell
		event  string
		days   int32
		value  float64
		status effect.Status
	}{
		"job":                  {[]spell{at(effect.SelfEmployment, 40), at(effect.Education, 50)}, "reached", 40, 40, effect.Reached},
		"at once":              {[]spell{at(effect.SelfEmployment, -2)}, "reached", 0, 0, effect.Reached},
		"exit first":           {[]spell{at(effect.SelfEmployment, 40), at(effect.Pension, 30)}, "pension", 30, 364, effect.NotReached},
		"same day":             {[]spell{at(effect.SelfEmployment, 30), at(effect.Pension, 30)}, "reached", 30, 30, effect.Reached},
		"exits by name":        {[]spell{at(effect.Education, 30), at(effect.Pension, 30)}, "education", 30, 364, effect.NotReached},
		"nothing":              {nil, "", 364, 364, effect.NotReached},
		"after the window":     {[]spell{at(effect.SelfEmployment, 364)}, "", 364, 364, effect.NotReached},
		"dead":                 {[]spell{at(effect.Dead, 20), at(effect.SelfEmployment, 20)}, "dead", 20, math.NaN(), effect.Left},
		"abroad":               {[]spell{at(effect.Emigrated, 20), at(effect.SelfEmployment, 30)}, "", 20, math.NaN(), effect.Left},
		"abroad after an exit": {[]spell{at(effect.Emigrated, 20), at(effect.Education, 10)}, "education", 10, 364, effect.Left},
	} {
		r := one(t, c.spells, m).Results[0]
		assert.Equal(t, c.event, r.Event.At(0), name)
		assert.Equal(t, c.days, r.Days[0], name)
		assert.Equal(t, c.status, r.Status[0], name)
		assert.True(t, c.value == r.Value[0] || math.IsNaN(c.value) && math.IsNaN(r.Value[0]), "%s: %v", name, r.Value[0])
		assert.Equal(t, c.status != effect.Left, r.Complete[0], name)
	}
}

// Who never completed a run is not at risk, and is counted so.
func TestRelapse(t *testing.T) {
	m := effect.Outcome{Name: "back", Measure: effect.Relapse{
		Run: effect.Sustained{States: effect.Employment, Weeks: 13, Within: effect.Weeks(26)}, Back: effect.Benefits, After: effect.Weeks(26), AtLeast: 7,
	}}
	job := spell{state: effect.OrdinaryEmployment, start: 7, end: 7 + 91}
	for name, c := range map[string]struct {
		spells  []spell
		value   float64
		reason  effect.Reason
		reached effect.Date
	}{
		"no job":               {nil, math.NaN(), effect.ReasonNotAtRisk, effect.NoDate},
		"short job":            {[]spell{{state: effect.OrdinaryEmployment, start: 7, end: 97}}, math.NaN(), effect.ReasonNotAtRisk, effect.NoDate},
		"stays":                {[]spell{job}, 0, effect.NoReason, effect.NoDate},
		"back":                 {[]spell{job, {state: effect.CashBenefit, start: 100, end: 200}}, 1, effect.NoReason, 106},
		"for six days":         {[]spell{job, {state: effect.CashBenefit, start: 100, end: 106}}, 0, effect.NoReason, effect.NoDate},
		"on benefit all along": {[]spell{job, {state: effect.CashBenefit, start: 0, end: 200}}, 1, effect.NoReason, 104},
		"too late":             {[]spell{job, {state: effect.CashBenefit, start: 98 + 182 - 6, end: 400}}, 0, effect.NoReason, effect.NoDate},
		"dies when it is over": {[]spell{{state: effect.Dead, start: 26*7 + 91, end: effect.NoDate}}, math.NaN(), effect.ReasonNotAtRisk, effect.NoDate},
		"dies on its last day": {[]spell{{state: effect.Dead, start: 26*7 + 90, end: effect.NoDate}}, math.NaN(), effect.ReasonLeft, effect.NoDate},
		"dies first":           {[]spell{{state: effect.Dead, start: 60, end: effect.NoDate}}, math.NaN(), effect.ReasonLeft, effect.NoDate},
	} {
		obs := one(t, c.spells, m)
		r := obs.Results[0]
		assert.Equal(t, c.reason, r.Reason[0], name)
		assert.Equal(t, c.reached, r.ReachedOn[0], name)
		assert.True(t, c.value == r.Value[0] || math.IsNaN(c.value) && math.IsNaN(r.Value[0]), "%s: %v", name, r.Value[0])
		assert.Equal(t, c.reason == effect.NoReason, r.Complete[0], name)
		if c.reason == effect.ReasonNotAtRisk {
			assert.Equal(t, "not_at_risk", obs.Attrition[1].Step, name)
			assert.Equal(t, effect.Excluded, r.Status[0], name)
		}
	}
}

// Amounts that overflow a day stop at its largest, whatever the order.
func TestDailyAmountsSaturate(t *testing.T) {
	var spells []spell
	for range 3 {
		spells = append(spells, spell{state: effect.OrdinaryEmployment, start: 0, end: 1, amount: effect.MaxAmount})
	}
	m := effect.Outcome{Name: "a", Measure: effect.AmountIn{States: effect.Employment, Of: effect.OfKroner, Within: effect.Weeks(1)}}
	assert.Equal(t, float64(math.MaxInt32)/100, one(t, spells, m).Results[0].Value[0])
}

func TestUntold(t *testing.T) {
	m := effect.Outcome{Name: "a", Measure: effect.AmountIn{States: effect.Employment, Of: effect.OfHours, Within: effect.Weeks(1)}}
	study := effect.Study{AsOf: 5000, RegistersReach: 5000, Cohort: effect.Cohort{Period: effect.Period{Start: 0, End: 1}}, Outcomes: []effect.Outcome{m}}
	places := effect.NewFactor([]string{"1"})
	cases := &effect.Cases{
		ID: effect.NewIDs(effect.NumberID(1)), Person: []int32{0}, Persons: effect.NewIDs(effect.NumberID(1)), Referral: []effect.Date{0},
		Municipality: places, MatchScheme: places, MatchGroup: places,
	}
	for name, c := range map[string]struct {
		state effect.State
		start effect.Date
		want  int
	}{
		"at once":            {effect.OrdinaryEmployment, 0, 1},
		"on the last day":    {effect.OrdinaryEmployment, 6, 1},
		"when it is over":    {effect.OrdinaryEmployment, 7, 0}, // days are kept for longer than the window
		"in no state of its": {effect.CashBenefit, 0, 0},
	} {
		o, err := effect.NewObserver(study, cases)
		require.NoError(t, err)
		o.Add(effect.Spells{Person: []int32{0}, State: []effect.State{c.state}, Start: []effect.Date{c.start}, End: []effect.Date{effect.NoDate}})
		assert.Equal(t, c.want, o.Untold(), name)
		obs, err := o.Observations(context.Background())
		require.NoError(t, err)
		assert.Equal(t, c.want, o.Untold(), name)
		assert.Equal(t, c.want == 0, obs.Results[0].Followed[0], name)
	}
}

// A provider's own employers are those of its consortium too, and nobody else's.
func TestOwnEmployers(t *testing.T) {
	number, text := effect.NumberID, effect.TextID
	e := effect.OwnEmployers([]effect.Membership{
		{Provider: "A", Consortium: "K", From: 0, To: effect.NoDate, Employers: []effect.ID{text("x"), number(2)}},
		{Provider: "B", Consortium: "K", From: 0, To: effect.NoDate, Employers: []effect.ID{number(2), number(1)}},
		{Provider: "C", From: 0, To: effect.NoDate, Employers: []effect.ID{number(3)}},
		{Provider: "D", From: 0, To: effect.NoDate},
	})
	assert.Equal(t, []effect.ID{number(1), number(2), number(3), text("x")}, e.IDs)
	assert.Equal(t, map[string][]int32{"A": {0, 1, 3}, "B": {0, 1, 3}, "C": {2}}, e.Of)
}

// 0.07 x 100 days is 7 days, although a little more in floating point.
func TestPortionOfAWindow(t *testing.T) {
	m := effect.Outcome{Name: "a", Measure: effect.ShareIn{States: effect.Employment, Within: effect.Span{Days: 100}, AtLeast: 0.07}}
	assert.Equal(t, effect.Date(6), one(t, []spell{{state: effect.OrdinaryEmployment, start: 0, end: 7}}, m).Results[0].ReachedOn[0])
	assert.Equal(t, effect.NoDate, one(t, []spell{{state: effect.OrdinaryEmployment, start: 0, end: 6}}, m).Results[0].ReachedOn[0])
}

// Signals at the edges of their spans: gaps of 7 and 8 days, the 364th day.
func TestSignalsAtTheEdges(t *testing.T) {
	job := func(state effect.State, from, to int) spell {
		return spell{state: state, start: effect.Date(from), end: effect.Date(to)}
	}
	for name, c := range map[string]struct {
		spells []spell
		start  effect.Date
		days   int32
		end    effect.Date
		after  bool
	}{
		"gap of 7":             {[]spell{job(effect.OrdinaryEmployment, 10, 20), job(effect.SelfEmployment, 27, 30)}, 10, 13, 30, false},
		"gap of 8":             {[]spell{job(effect.OrdinaryEmployment, 10, 20), job(effect.SelfEmployment, 28, 30)}, 10, 10, 20, false},
		"goes on from before":  {[]spell{job(effect.OrdinaryEmployment, -10, -2), job(effect.OrdinaryEmployment, 5, 30)}, effect.NoDate, 0, effect.NoDate, false},
		"began before":         {[]spell{job(effect.OrdinaryEmployment, -10, -3), job(effect.OrdinaryEmployment, 5, 30)}, 5, 25, 30, false},
		"last day":             {[]spell{job(effect.OrdinaryEmployment, 363, 400)}, 363, 37, 400, false},
		"a day late":           {[]spell{job(effect.OrdinaryEmployment, 364, 400)}, effect.NoDate, 0, effect.NoDate, false},
		"to the end":           {[]spell{job(effect.OrdinaryEmployment, 92, 2000)}, 92, 1000, effect.NoDate, false},
		"7 days after subsidy": {[]spell{job(effect.WageSubsidy, 20, 30), job(effect.OrdinaryEmployment, 37, 40)}, 37, 3, 40, true},
		"8 days after subsidy": {[]spell{job(effect.WageSubsidy, 20, 30), job(effect.OrdinaryEmployment, 38, 40)}, 38, 2, 40, false},
		"subsidy of the year":  {[]spell{job(effect.WorkPlacement, 300, 364), job(effect.OrdinaryEmployment, 364, 370)}, effect.NoDate, 0, effect.NoDate, true},
		"subsidy past it":      {[]spell{job(effect.WorkPlacement, 300, 365), job(effect.OrdinaryEmployment, 365, 370)}, effect.NoDate, 0, effect.NoDate, false},
	} {
		places := effect.NewFactor([]string{"1"})
		obs := observe(t, life{
			cases: &effect.Cases{
				ID: effect.NewIDs(effect.NumberID(1)), Person: []int32{0}, Persons: effect.NewIDs(effect.NumberID(1)), Referral: []effect.Date{0},
				Municipality: places, MatchScheme: places, MatchGroup: places,
			},
			study: effect.Study{AsOf: 5000, RegistersReach: 5000, Cohort: effect.Cohort{Period: effect.Period{Start: 0, End: 1}}, Signals: true},
		}, c.spells)
		s := obs.Signals
		assert.Equal(t, []any{c.start, c.days, c.end, c.after}, []any{s.RunStart[0], s.RunDays[0], s.RunEnd[0], s.AfterSubsidy[0]}, name)
		assert.Nil(t, s.OwnEmployerDays, name)
	}
}

// Only weeks tell on which days they counted.
func TestDatesNeedWeeks(t *testing.T) {
	work := effect.Employment
	for _, m := range []effect.Measure{
		effect.DaysIn{States: work, Within: effect.Span{Days: 60}}, effect.Reaching{Measure: effect.WeeksIn{States: work, Within: effect.Span{Days: 60}}},
	} {
		_, err := effect.NewObserver(effect.Study{AsOf: 100, Outcomes: []effect.Outcome{{Name: "x", Measure: m, Dated: true}}}, &effect.Cases{})
		require.ErrorIs(t, err, effect.ErrOutcome)
		require.ErrorContains(t, err, "cannot be dated")
	}
}
