package watch_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/watch"
)

func facts(b *builder) watch.Facts {
	return watch.Facts{Observations: b.observations(effect.UnitShare, nil), Sustained: "lasting", Outcome: "y"}
}

func count(t *testing.T, f watch.Facts, d watch.Design) []watch.Row {
	t.Helper()
	rows, err := watch.Count(context.Background(), f, d)
	require.NoError(t, err)
	return rows
}

// find returns the row of an indicator in municipality H.
func find(t *testing.T, rows []watch.Row, name watch.Indicator, group, provider string) watch.Row {
	t.Helper()
	for _, r := range rows {
		if r.Indicator == name && r.Municipality == "H" && r.MatchGroup == group && r.Provider == provider {
			return r
		}
	}
	require.Fail(t, "no such row", "%s %s %s", name, group, provider)
	return watch.Row{}
}

// tally is n and count as watch counts them, of provider A in municipality H.
func tally(t *testing.T, b *builder, name watch.Indicator, change ...func(*watch.Facts, *watch.Design)) string {
	t.Helper()
	f, d := facts(b), watch.Default()
	for _, c := range change {
		c(&f, &d)
	}
	r := find(t, count(t, f, d), name, "", "A")
	require.Empty(t, r.NotEvaluated)
	return fmt.Sprintf("%d of %d", r.Count, r.N)
}

func TestIndicatorsByHand(t *testing.T) {
	// A and B are of one consortium for good; D of it until day 100, and C of
	// another from day 50.
	members := []effect.Membership{
		{Provider: "A", Consortium: "K", From: day(-900), To: effect.NoDate},
		{Provider: "B", Consortium: "K", From: day(-900), To: effect.NoDate},
		{Provider: "D", Consortium: "K", From: day(-900), To: day(100)},
		{Provider: "C", From: day(-900), To: day(50)},
		{Provider: "C", Consortium: "L", From: day(50), To: effect.NoDate},
	}
	kin := func(_ *watch.Facts, d *watch.Design) {
		d.Kin, d.Identities = effect.Kinship(members), effect.NewIdentities(members)
	}
	a := func(r row) row { // by provider A in H
		r.mun, r.provider = "H", "A"
		return r
	}
	by := func(provider string, r row) row {
		r.mun, r.provider = "H", provider
		return r
	}
	for _, c := range []struct {
		why    string
		name   watch.Indicator
		rows   []row
		change []func(*watch.Facts, *watch.Design)
		want   string
	}{
		{
			"a start before referral counts, on the day of it not; without a start nothing is known", watch.Redated,
			[]row{a(row{referral: 10, start: 9}), a(row{referral: 10, start: 10}), a(row{referral: 10, start: 20}), a(row{referral: 10})},
			nil, "1 of 3",
		},
		{
			"referrals outside the period are not counted, those that are not the first are", watch.Redated,
			[]row{a(row{referral: 10, start: 9, outside: effect.ReasonOutsidePeriod}), a(row{referral: 10, start: 9, outside: effect.ReasonNotFirst})},
			nil, "1 of 1",
		},
		{
			"a job from the day of referral, or work but no new job", watch.InWork,
			[]row{
				a(row{referral: 10, runStart: 10, work: 5}), a(row{referral: 10, runStart: 11, work: 5}), a(row{referral: 10, work: 5}),
				a(row{referral: 10}), a(row{referral: 10, work: 5, outside: effect.ReasonNotFirst}),
			},
			nil, "2 of 4",
		},
		{
			"28 days after the referral is a return, 29 not", watch.Returned,
			[]row{
				a(row{person: "p", referral: 10}), a(row{person: "p", referral: 38}), a(row{person: "p", referral: 67}),
				a(row{person: "q", referral: 50}), // another person
			},
			nil, "1 of 4",
		},
		{
			"28 days after the end too, and while the course goes on; an earlier course may be the longest", watch.Returned,
			[]row{
				a(row{person: "p", referral: 10, start: 11, end: 300}), a(row{person: "p", referral: 100, start: 101, end: 110}),
				a(row{person: "p", referral: 328}), a(row{person: "p", referral: 400}),
			},
			nil, "2 of 4",
		},
		{
			"to another provider is no return; what was before the period is looked back on", watch.Returned,
			[]row{
				by("B", row{person: "p", referral: 10}), a(row{person: "p", referral: 15}),
				a(row{person: "q", referral: 10, outside: effect.ReasonOutsidePeriod}), a(row{person: "q", referral: 12}),
			},
			nil, "1 of 2",
		},
		{
			"on the same day, by id", watch.Returned,
			[]row{a(row{person: "p", referral: 10}), a(row{person: "p", referral: 10})},
			nil, "1 of 2",
		},
		{
			"again under the agreement, however late", watch.RepeatedReferral,
			[]row{
				a(row{person: "p", referral: 10, agreement: "R"}), a(row{person: "p", referral: 500, agreement: "R"}),
				a(row{person: "p", referral: 600, agreement: "S"}), a(row{person: "q", referral: 10, agreement: "R"}),
			},
			nil, "1 of 4",
		},
		{
			"by the municipality where there is no agreement", watch.RepeatedReferral,
			[]row{a(row{person: "p", referral: 10}), a(row{person: "p", referral: 500}), {person: "q", mun: "G", provider: "A", referral: 10}, a(row{person: "q", referral: 20})},
			nil, "1 of 3",
		},
		{
			"by another provider only in its consortium", watch.RepeatedReferral,
			[]row{by("B", row{person: "p", referral: 10}), a(row{person: "p", referral: 20}), by("C", row{person: "q", referral: 10}), a(row{person: "q", referral: 20})},
			[]func(*watch.Facts, *watch.Design){kin},
			"1 of 2",
		},
		{
			"between sisters, not to the same again", watch.SisterReferral,
			[]row{
				by("B", row{person: "p", referral: 10}), a(row{person: "p", referral: 20}),
				a(row{person: "q", referral: 10}), a(row{person: "q", referral: 20}),
				by("C", row{person: "r", referral: 10}), a(row{person: "r", referral: 20}),
			},
			[]func(*watch.Facts, *watch.Design){kin},
			"1 of 4",
		},
		{
			"who is of the consortium on the day of the referral: on the last day, and not on the day after", watch.SisterReferral,
			[]row{
				by("D", row{person: "p", referral: 10}), a(row{person: "p", referral: 99}),
				by("D", row{person: "q", referral: 10}), a(row{person: "q", referral: 100}),
				by("D", row{person: "r", referral: 10, outside: effect.ReasonOutsidePeriod}), by("C", row{person: "r", referral: 30}), a(row{person: "r", referral: 60}),
				by("E", row{person: "s", referral: 10}), a(row{person: "s", referral: 60}), // nobody knows E
			},
			[]func(*watch.Facts, *watch.Design){kin},
			"2 of 4",
		},
		{
			"77 to 104 days of a job that ended; 91 and more are counted", watch.Bunching13,
			[]row{
				a(row{runDays: 76, runEnd: 99}), a(row{runDays: 77, runEnd: 99}), a(row{runDays: 90, runEnd: 99}), a(row{runDays: 91, runEnd: 99}),
				a(row{runDays: 104, runEnd: 199}), a(row{runDays: 105, runEnd: 199}), a(row{runDays: 95}),
			},
			nil, "2 of 4",
		},
		{
			"168 to 195 days, 182 and more", watch.Bunching26,
			[]row{a(row{runDays: 167, runEnd: 200}), a(row{runDays: 168, runEnd: 200}), a(row{runDays: 182, runEnd: 200}), a(row{runDays: 195, runEnd: 200}), a(row{runDays: 196, runEnd: 200})},
			nil, "2 of 3",
		},
		{
			"over 28 days after, going on, over later, reached in another job, never, and too late to know", watch.ExitAfterPayment,
			[]row{
				a(row{reached: 100, runStart: 9, runEnd: 128}), a(row{reached: 100, runStart: 9}), a(row{reached: 100, runStart: 9, runEnd: 129}),
				a(row{reached: 100, runStart: 9, runEnd: 80}), a(row{reached: 100, runStart: 101, runEnd: 120}), a(row{runStart: 9, runEnd: 50}),
				a(row{reached: 870, runStart: 700, runEnd: 890}), a(row{reached: 865, runStart: 700, runEnd: 866}),
			},
			nil, "2 of 4",
		},
		{
			"of those with work", watch.Recoded,
			[]row{a(row{work: 9, recoded: 1}), a(row{work: 9, afterSubsidy: true}), a(row{work: 9}), a(row{recoded: 1})},
			nil, "2 of 3",
		},
		{
			"of those with work", watch.OwnEmployer,
			[]row{a(row{work: 9, own: 1}), a(row{work: 9}), a(row{})},
			nil, "1 of 2",
		},
		{
			"another group within 90 days, the same, too long ago; own or another's referral", watch.LateRegrouping,
			[]row{
				by("B", row{person: "p", referral: 10, group: "5"}), a(row{person: "p", referral: 100, group: "4"}),
				a(row{person: "q", referral: 10, group: "4"}), a(row{person: "q", referral: 20, group: "4"}),
				by("B", row{person: "r", referral: 10, group: "5"}), a(row{person: "r", referral: 101, group: "4"}),
			},
			nil, "1 of 2",
		},
		{
			"the group in the caseload 28 days before: another, one of two the same, ended, open later", watch.LateRegrouping,
			[]row{a(row{person: "p", referral: 100}), a(row{person: "q", referral: 100}), a(row{person: "r", referral: 100}), a(row{person: "s", referral: 100})},
			[]func(*watch.Facts, *watch.Design){func(f *watch.Facts, _ *watch.Design) {
				// The first person of the caseload has no case.
				f.Caseload = &effect.Caseload{
					Persons:     effect.NewIDs(effect.NumberID(-1), effect.NumberID(0), effect.NumberID(1), effect.NumberID(2), effect.NumberID(3)),
					Person:      []int32{0, 1, 1, 2, 2, 3, 4},
					MatchScheme: effect.NewFactor([]string{"s", "other", "s", "s", "s", "s", "s"}),
					MatchGroup:  effect.NewFactor([]string{"4", "4", "5", "5", "4", "5", "5"}),
					Start:       []effect.Date{day(1), day(1), day(72), day(1), day(2), day(1), day(73)},
					End:         []effect.Date{effect.NoDate, effect.NoDate, effect.NoDate, day(300), day(300), day(72), effect.NoDate},
				}
			}},
			"1 of 2",
		},
	} {
		b := newBuilder()
		for _, r := range c.rows {
			b.add(r)
		}
		assert.Equal(t, c.want, tally(t, b, c.name, c.change...), "%s: %s", c.name, c.why)
	}
}

func TestSplitAroundN(t *testing.T) {
	b := newBuilder()
	for pkg, n := range map[string]int{"24": 24, "25": 25, "29": 29, "30": 30, "34": 34, "35": 35} {
		for range n {
			b.add(row{mun: "H", provider: "A", pkg: pkg})
		}
		b.add(row{mun: "H", provider: "A", pkg: pkg, open: true})
	}
	assert.Equal(t, "2 of 4", tally(t, b, watch.SplitAroundN))
	assert.Equal(t, "2 of 3", tally(t, b, watch.SplitAroundN, func(_ *watch.Facts, d *watch.Design) { d.MinN = 35 }))
}

// comparison has redated starts: n and count by municipality, provider, group.
func comparison() *builder {
	b := newBuilder()
	add := func(mun, provider, group string, n, count int) {
		for i := range n {
			r := row{mun: mun, provider: provider, group: group, referral: 10, start: 12}
			if i < count {
				r.start = 5
			}
			b.add(r)
		}
	}
	add("H", "A", "4", 10, 4)
	add("H", "A", "5", 10, 1)
	add("H", "B", "4", 20, 2) // of A's consortium
	add("H", "C", "4", 30, 3)
	add("H", "C", "5", 5, 1)
	add("H", "", "5", 15, 2)
	add("P", "A", "4", 40, 4)
	add("Q", "D", "4", 50, 25)
	return b
}

func TestWhoIsComparedWithWhom(t *testing.T) {
	d := watch.Default()
	members := []effect.Membership{{Provider: "A", Consortium: "K", To: effect.NoDate}, {Provider: "B", Consortium: "K", To: effect.NoDate}}
	d.Kin, d.Identities = effect.Kinship(members), effect.NewIdentities(members)
	d.Peers = map[string][]string{"H": {"P", "H", "nowhere"}}
	rows := count(t, facts(comparison()), d)
	for _, c := range []struct {
		group, provider, against string
		n, count, no, counto     int64
	}{
		{"", "A", watch.AgainstHome, 20, 5, 50, 6},
		{"4", "A", watch.AgainstHome, 10, 4, 30, 3},
		{"5", "A", watch.AgainstHome, 10, 1, 20, 3},
		{"4", "C", watch.AgainstHome, 30, 3, 30, 6},
		{"", effect.OwnProvider, watch.AgainstHome, 15, 2, 75, 11},
		{"", "", watch.AgainstPeers, 90, 13, 40, 4},
		{"4", "", watch.AgainstPeers, 60, 9, 40, 4},
		{"5", "", watch.AgainstPeers, 30, 4, 0, 0},
	} {
		r := find(t, rows, watch.Redated, c.group, c.provider)
		assert.Equal(t, c.against, r.Against)
		assert.Equal(t, [4]int64{c.n, c.count, c.no, c.counto}, [4]int64{r.N, r.Count, r.NAgainst, r.CountAgainst}, "%q %q", c.group, c.provider)
		diff, low, high := interval.Newcombe(float64(c.count), float64(c.n), float64(c.counto), float64(c.no), 0.95)
		if c.no == 0 {
			assert.True(t, math.IsNaN(r.Difference) && math.IsNaN(r.Low) && math.IsNaN(r.MidP) && math.IsNaN(r.ShareAgainst))
			assert.InDelta(t, float64(c.count)/float64(c.n), r.Share, 1e-9)
			continue
		}
		assert.Equal(t, [3]float64{effect.Round(diff), effect.Round(low), effect.Round(high)}, [3]float64{r.Difference, r.Low, r.High})
		assert.InDelta(t, float64(c.n)*float64(c.counto)/float64(c.no), r.Expected, 1e-7)
		assert.Equal(t, watch.Redated.Meaning(), r.Meaning)
	}
	// Nobody else at home: the peers; without declared ones, everywhere else.
	for _, r := range rows {
		if r.Indicator == watch.Redated && r.Municipality == "Q" && r.Provider == "D" && r.MatchGroup == "4" {
			assert.Equal(t, watch.AgainstOthers, r.Against)
			assert.Equal(t, [2]int64{100, 13}, [2]int64{r.NAgainst, r.CountAgainst})
		}
	}
}

// What cannot be counted says so, and is no share of 0.
func TestNotEvaluated(t *testing.T) {
	b := newBuilder()
	b.add(row{mun: "H", provider: "A", referral: 10})
	f := facts(b)
	f.Observations.Signals, f.Sustained, f.Outcome = nil, "", ""
	f.Observations.Cases.Package.Codes = nil
	rows := count(t, f, watch.Default())
	for name, why := range map[watch.Indicator]string{
		watch.Redated: watch.NoStarts, watch.InWork: watch.NoSignals, watch.Returned: "", watch.RepeatedReferral: "",
		watch.SisterReferral: watch.NoProviders, watch.Bunching13: watch.NoSignals, watch.Bunching26: watch.NoSignals,
		watch.ExitAfterPayment: watch.NoSustained, watch.Recoded: watch.NoSignals, watch.OwnEmployer: watch.NoSignals,
		watch.LateRegrouping: watch.NoEarlier, watch.SplitAroundN: watch.NoOutcome,
	} {
		r := find(t, rows, name, "4", "A")
		assert.Equal(t, why, r.NotEvaluated, name)
		assert.Equal(t, why != "", math.IsNaN(r.Share), name)
	}
	f = facts(b)
	f.Observations.Signals.OwnEmployerDays = nil
	f.Observations.Cases.Package.Codes = nil
	rows = count(t, f, watch.Default())
	assert.Equal(t, watch.NoEmployers, find(t, rows, watch.OwnEmployer, "", "").NotEvaluated)
	assert.Equal(t, watch.NoPackages, find(t, rows, watch.SplitAroundN, "", "").NotEvaluated)
	f.Observations.Signals = nil
	assert.Equal(t, watch.NoSignals, find(t, count(t, f, watch.Default()), watch.ExitAfterPayment, "", "").NotEvaluated)

	assert.Empty(t, count(t, facts(newBuilder()), watch.Default()))
	f.Outcome = "z"
	_, err := watch.Count(context.Background(), f, watch.Default())
	require.ErrorIs(t, err, effect.ErrDesign)
	bad := watch.Default()
	bad.MinN = 1
	_, err = watch.Count(context.Background(), facts(b), bad)
	require.ErrorIs(t, err, effect.ErrDesign)
}

func TestIndicatorNames(t *testing.T) {
	names := watch.Indicator("").Names()
	assert.Len(t, names, 12)
	seen := map[string]bool{}
	for _, name := range names {
		assert.False(t, seen[name])
		seen[name] = true
		assert.NotEmpty(t, watch.Indicator(name).Meaning())
	}
	assert.Empty(t, watch.Indicator("none").Meaning())
}

// Rows come sorted, and the same whatever the order of participations.
func TestOrderOfIndicators(t *testing.T) {
	b := comparison()
	d := watch.Default()
	members := []effect.Membership{{Provider: "A", Consortium: "K", To: effect.NoDate}, {Provider: "B", Consortium: "K", To: effect.NoDate}}
	d.Kin, d.Identities = effect.Kinship(members), effect.NewIdentities(members)
	want := fmt.Sprint(count(t, facts(b), d))
	reversed := newBuilder()
	for i := range b.rows {
		reversed.add(b.rows[len(b.rows)-1-i])
	}
	assert.Equal(t, want, fmt.Sprint(count(t, facts(reversed), d)))
}
