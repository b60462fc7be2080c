package beforeafter_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
)

// referral is one participation in a made-up history.
type referral struct {
	municipality, scheme, group, channel string
	day                                  effect.Date
	value                                float64
	reason                               effect.Reason
	unfollowed                           bool
}

func observations(rows []referral) *effect.Observations {
	n := len(rows)
	c := &effect.Cases{}
	r := effect.Result{Outcome: "job"}
	var municipality, scheme, group, channel []string
	for i := range n {
		x := rows[i]
		c.ID.Append(effect.NumberID(int64(i)))
		c.Referral = append(c.Referral, x.day)
		municipality, scheme, group, channel = append(municipality, x.municipality), append(scheme, x.scheme), append(group, x.group), append(channel, x.channel)
		r.Reason, r.Value = append(r.Reason, x.reason), append(r.Value, x.value)
		r.Complete, r.Followed = append(r.Complete, x.reason == effect.NoReason), append(r.Followed, !x.unfollowed)
	}
	c.Municipality, c.MatchScheme, c.MatchGroup = effect.NewFactor(municipality), effect.NewFactor(scheme), effect.NewFactor(group)
	c.Channel = effect.NewFactor(channel)
	return &effect.Observations{Cases: c, Results: []effect.Result{r}}
}

func day(s string) effect.Date {
	d, err := effect.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// history is 12 referrals a quarter in each of three municipalities, 2006 to 2008.
func history(change func(x *referral) (keep bool)) *effect.Observations {
	var rows []referral
	for _, m := range []string{"461", "751", "851"} {
		for q := range 12 {
			for k := range 12 {
				x := referral{m, "match5_2004", "4", "provider", effect.NewDate(2006, 1, 1).AddMonths(3*q + k%3), float64((k + q) % 2), effect.NoReason, false}
				if change == nil || change(&x) {
					rows = append(rows, x)
				}
			}
		}
	}
	return observations(rows)
}

func asked() beforeafter.Observed {
	o := beforeafter.DefaultObserved()
	o.Outcome, o.MatchScheme, o.MatchGroup = "job", "match5_2004", "4"
	o.Cohort = effect.Period{Start: day("2006-01-01"), End: day("2009-01-01")}
	o.Since = map[string]effect.Date{"461": day("2008-01-01")}
	return o
}

func TestObserved(t *testing.T) {
	c, err := asked().Panel(history(func(x *referral) bool {
		return x.municipality != "851" || x.day < day("2008-10-01")
	}))
	require.NoError(t, err)
	assert.Equal(t, []string{"461", "751"}, c.Panel.Units)
	assert.Equal(t, []string{"851"}, c.Incomplete)
	assert.Empty(t, c.Lacks)
	require.Len(t, c.Panel.Periods, 12)
	assert.Equal(t, "2006Q1", beforeafter.Quarters.Label(c.Panel.Periods[0]))
	assert.Equal(t, []int{beforeafter.Quarters.Of(day("2008-02-01")), beforeafter.Never}, c.Panel.Since)
	assert.Equal(t, 0.5, c.Panel.Y[0][3])
	assert.Equal(t, 12, c.Cases[1][11])

	// Windows still open end the panel; who was not analysed does not count.
	c, err = asked().Panel(history(func(x *referral) bool {
		if x.day >= day("2008-07-01") {
			x.reason = effect.ReasonPending
		}
		if x.day < day("2006-02-01") {
			x.reason = effect.ReasonLeft
		}
		return true
	}))
	require.NoError(t, err)
	assert.Equal(t, "2006Q2", beforeafter.Quarters.Label(c.Panel.Periods[0]), "8 cases are too few")
	assert.Equal(t, "2008Q2", beforeafter.Quarters.Label(c.Panel.Periods[len(c.Panel.Periods)-1]))

	o := asked()
	o.From, o.Among, o.Calendar, o.MinBefore = day("2007-01-01"), []string{"851"}, beforeafter.HalfYears, 2
	c, err = o.Panel(history(nil))
	require.NoError(t, err)
	assert.Equal(t, []string{"461", "851"}, c.Panel.Units)
	assert.Len(t, c.Panel.Periods, 4)
	o.Exclude = []string{"851"}
	c, err = o.Panel(history(nil))
	require.NoError(t, err)
	assert.Equal(t, []string{"461"}, c.Panel.Units)
}

// Everything that keeps before and after from being compared is told: what,
// where, and since when data exist.
func TestNotComparable(t *testing.T) {
	in := func(x *referral, from, to string) bool { return x.day >= day(from) && x.day < day(to) }
	for name, c := range map[string]struct {
		ask    func(o *beforeafter.Observed)
		data   func(x *referral) bool
		codes  []string
		from   string
		reason string
	}{
		"the case of 2008": {
			nil, func(x *referral) bool { return x.municipality != "461" || x.day >= day("2007-10-01") },
			[]string{beforeafter.LackRecorded},
			"2007-10-01",
			"Before and after cannot be compared: in municipality 461 participations are recorded since 2007-10-01 only, and the change came 2008-01-01; at least 4 quarters before it are needed.",
		},
		"nothing recorded": {
			nil, func(x *referral) bool { return x.municipality != "461" },
			[]string{beforeafter.LackRecorded},
			"", "no participation of match group 4 (match5_2004) is recorded",
		},
		"another scheme": {
			nil, func(x *referral) bool {
				if x.day < day("2007-07-01") {
					x.scheme, x.group = "match12", "2"
				}
				return true
			},
			[]string{beforeafter.LackScheme},
			"2007-07-01", "carry another match scheme than match5_2004 in 2007Q1, 2007Q2",
		},
		"the cohort": {
			func(o *beforeafter.Observed) { o.Cohort.Start = day("2008-01-01") }, func(x *referral) bool {
				if x.day < day("2008-01-01") {
					x.reason = effect.ReasonOutsidePeriod
				}
				return true
			},
			[]string{beforeafter.LackCohort},
			"2008-01-01", "the cohort's period begins 2008-01-01",
		},
		"the periods": {
			func(o *beforeafter.Observed) { o.From = day("2007-07-01") }, nil,
			[]string{beforeafter.LackBefore},
			"2007-07-01", "the periods compared begin 2007-07-01",
		},
		"the deliverer": {
			nil, func(x *referral) bool {
				if x.day < day("2008-01-01") {
					x.channel = ""
				}
				return true
			},
			[]string{beforeafter.LackDeliverer},
			"2008-01-01", "who delivered an offer is recorded since 2008-01-01 only",
		},
		"the registers, as declared": {
			func(o *beforeafter.Observed) { o.RegistersFrom = day("2007-04-01") }, nil,
			[]string{beforeafter.LackRegisters},
			"2007-04-01", "the registers tell of outcomes since 2007-04-01 only",
		},
		"the registers, as seen": {
			nil, func(x *referral) bool {
				if x.day < day("2007-07-01") {
					x.value = 0
				}
				return true
			},
			[]string{beforeafter.LackRegisters},
			"2007-07-01", "no outcome of anybody referred before 2007-07-01",
		},
		"follow-up": {
			nil, func(x *referral) bool { x.unfollowed = in(x, "2007-04-01", "2007-05-01"); return true },
			[]string{beforeafter.LackFollowed},
			"", "the follow-up of under 95 % of the cases is known in 2007Q2",
		},
		"few cases": {
			func(o *beforeafter.Observed) { o.MinCases = 11 }, func(x *referral) bool {
				return !in(x, "2007-05-01", "2007-06-01") && !in(x, "2008-08-01", "2008-09-01")
			},
			[]string{beforeafter.LackCases},
			"", "fewer than 11 cases with a complete window are known in 2007Q2, 2008Q3",
		},
		"nothing after": {
			nil, func(x *referral) bool {
				if x.day >= day("2008-01-01") {
					x.reason = effect.ReasonPending
				}
				return true
			},
			[]string{beforeafter.LackAfter},
			"", "no period from the change on has complete windows",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := asked()
			if c.ask != nil {
				c.ask(&o)
			}
			_, err := o.Panel(history(c.data))
			none, ok := beforeafter.AsNotComparable(fmt.Errorf("wrapped: %w", err))
			require.True(t, ok, "%v", err)
			var codes []string
			for _, l := range none.Lacks {
				codes = append(codes, l.Code)
				assert.Equal(t, "461", l.Municipality)
				assert.Equal(t, day("2008-01-01"), l.Change)
			}
			assert.Equal(t, c.codes, codes)
			assert.Equal(t, c.from, none.Lacks[0].From.String())
			assert.ErrorContains(t, err, c.reason)
		})
	}
	// One municipality that lacks something does not keep another from being compared.
	o := asked()
	o.Since["751"] = day("2008-04-01")
	c, err := o.Panel(history(func(x *referral) bool { return x.municipality != "461" || x.day >= day("2007-10-01") }))
	require.NoError(t, err)
	assert.Equal(t, []string{"751", "851"}, c.Panel.Units)
	require.Len(t, c.Lacks, 1)
	assert.Equal(t, "461", c.Lacks[0].Municipality)

	for _, bad := range []func(*beforeafter.Observed){
		func(o *beforeafter.Observed) { o.Outcome = "other" }, func(o *beforeafter.Observed) { o.Calendar = beforeafter.Numbers },
		func(o *beforeafter.Observed) { o.Since = nil }, func(o *beforeafter.Observed) { o.MinCases = 0 }, func(o *beforeafter.Observed) { o.MinBefore = 0 },
	} {
		o := asked()
		bad(&o)
		_, err := o.Panel(history(nil))
		require.ErrorIs(t, err, beforeafter.ErrOptions)
		require.False(t, errors.As(err, new(*beforeafter.NotComparable)))
	}
}

func TestCalendar(t *testing.T) {
	for name, want := range map[string]beforeafter.Calendar{"2008": beforeafter.Years, "2008H1": beforeafter.HalfYears, "2008Q3": beforeafter.Quarters, "2008-09": beforeafter.Months} {
		c, err := beforeafter.CalendarOf(name)
		require.NoError(t, err)
		assert.Equal(t, want, c)
		p, err := effect.ParsePeriod(name)
		require.NoError(t, err)
		n := c.Of(p.Start)
		assert.Equal(t, name, c.Label(n))
		assert.Equal(t, p.Start, c.Start(n))
		assert.Equal(t, p.End, c.Start(n+1))
		assert.Equal(t, n, c.Of(p.End-1))
	}
	_, err := beforeafter.CalendarOf("2008Q5")
	require.Error(t, err)
	assert.Equal(t, "7", beforeafter.Numbers.Label(7))
	assert.Empty(t, beforeafter.Quarters.Label(beforeafter.Never))
	assert.Equal(t, "periods", beforeafter.Numbers.Word())
}
