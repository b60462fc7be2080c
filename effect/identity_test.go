package effect_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// renamed is a provider that changes its name and consortium on day 100, and is
// unknown from day 200 to 300.
func renamed() []effect.Membership {
	return []effect.Membership{
		{Provider: "A", Name: "Old", Consortium: "K", From: 0, To: 100},
		{Provider: "A", Name: "New", Consortium: "L", From: 100, To: 200},
		{Provider: "A", Consortium: "L", From: 300, To: effect.NoDate, InHouse: true},
		{Provider: "B", Name: "Other", Consortium: "L", From: 150, To: 180},
		{Provider: "B", Name: "Gone", From: 180, To: 180},
	}
}

func TestWhoAProviderIs(t *testing.T) {
	x := effect.NewIdentities(renamed())
	for _, c := range []struct {
		provider string
		day      effect.Date
		want     string
	}{
		{"A", -1, "A"}, // no line yet: the id
		{"A", 0, "Old"},
		{"A", 99, "Old"},
		{"A", 100, "New"}, // ends are exclusive
		{"A", 200, "A"},
		{"A", 300, "A"}, // a line without a name
		{"B", 180, "B"}, // a line of no day
		{"C", 0, "C"},
		{effect.OwnProvider, 0, effect.OwnProvider},
	} {
		assert.Equal(t, c.want, x.Name(c.provider, c.day), "%s on day %d", c.provider, c.day)
	}
	_, known := x.At("A", 200)
	assert.False(t, known)
	line, known := x.At("A", 300)
	assert.True(t, known)
	assert.True(t, line.InHouse)

	for day, want := range map[effect.Date]bool{149: false, 150: true, 179: true, 180: false, 99: false} {
		assert.Equal(t, want, x.Sisters("A", "B", day), "day %d", day)
		assert.Equal(t, want, x.Sisters("B", "A", day), "day %d", day)
	}
	assert.False(t, x.Sisters("A", "A", 150), "nobody is its own sister")
	assert.False(t, x.Sisters("A", "C", 150))

	var nobody *effect.Identities
	assert.Equal(t, "A", nobody.Name("A", 0))
	assert.False(t, nobody.Sisters("A", "B", 150))
}

// Sisters on some day are the kin of comparisons, and only they.
func TestSistersAreKin(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	var members []effect.Membership
	for range 60 {
		m := effect.Membership{Provider: fmt.Sprint(rng.IntN(8)), From: effect.Date(rng.IntN(30)), To: effect.NoDate}
		if rng.IntN(3) > 0 {
			m.To = m.From + effect.Date(rng.IntN(6))
		}
		if rng.IntN(4) > 0 {
			m.Consortium = fmt.Sprint("K", rng.IntN(3))
		}
		members = append(members, m)
	}
	x, kin, sisters := effect.NewIdentities(members), effect.Kinship(members), 0
	for a := range 8 {
		for b := range 8 {
			some := a == b
			for day := effect.Date(0); day < 40; day++ {
				some = some || x.Sisters(fmt.Sprint(a), fmt.Sprint(b), day)
			}
			assert.Equal(t, some, slices.Contains(kin[fmt.Sprint(a)], fmt.Sprint(b)), "%d and %d", a, b)
			if some {
				sisters++
			}
		}
	}
	assert.Greater(t, sisters, 8)
	assert.Less(t, sisters, 64)
}

// referrals is a cohort of referrals given as provider, channel and day.
type referral struct {
	provider, channel string
	day               effect.Date
	reason            effect.Reason
}

func cohortOf(rows ...referral) *effect.Observations {
	var provider, channel, same []string
	c, r := &effect.Cases{}, effect.Result{Outcome: "y"}
	for i, x := range rows {
		provider, channel, same = append(provider, x.provider), append(channel, x.channel), append(same, "m")
		c.ID.Append(effect.NumberID(int64(i)))
		c.Persons.Append(effect.NumberID(int64(i)))
		c.Person = append(c.Person, int32(i))
		c.Referral, r.Reason = append(c.Referral, x.day), append(r.Reason, x.reason)
	}
	c.Provider, c.Channel = effect.NewFactor(provider), effect.NewFactor(channel)
	c.Municipality, c.MatchScheme, c.MatchGroup = effect.NewFactor(same), effect.NewFactor(same), effect.NewFactor(same)
	return &effect.Observations{Cases: c, Results: []effect.Result{r}}
}

func TestProviderRows(t *testing.T) {
	obs := cohortOf(
		referral{"A", "provider", 0, 0}, referral{"A", "provider", 99, 0}, referral{"A", "in_house_bid", 100, 0}, referral{"A", "provider", 200, effect.ReasonPending},
		referral{"A", "in_house_bid", 300, 0}, referral{"A", "provider", 301, 0}, referral{"A", "", 302, 0}, referral{"A", "own", 400, 0},
		referral{"A", "provider", 50, effect.ReasonOutsidePeriod}, referral{"A", "provider", 50, effect.ReasonNotFirst},
		referral{"C", "in_house_bid", 0, 0}, referral{"C", "own", 0, 0},
		referral{"", "own", 0, 0}, referral{"", "provider", 0, 0}, referral{"", "", 0, 0},
		referral{"D", "provider", 0, effect.ReasonOutsidePeriod},
	)
	none := effect.NoDate
	own := effect.ProviderRow{Provider: effect.OwnProvider, From: none, To: none, N: 3, Contradict: 1}
	want := []effect.ProviderRow{
		own,
		{Provider: "A", From: 0, To: 100, Name: "Old", Consortium: "K", InHouse: "no", N: 2},
		{Provider: "A", From: 100, To: 200, Name: "New", Consortium: "L", InHouse: "no", N: 1, Contradict: 1},
		{Provider: "A", From: 300, To: none, Consortium: "L", InHouse: "yes", N: 4, Contradict: 2},
		{Provider: "A", From: none, To: none, N: 1, Problem: effect.ProviderOutside},
		{Provider: "C", From: none, To: none, N: 2, Contradict: 1, Problem: effect.ProviderUnknown},
	}
	assert.Equal(t, want, effect.ProviderRows(obs, renamed()))

	shuffled := renamed()
	slices.Reverse(shuffled)
	assert.Equal(t, want, effect.ProviderRows(obs, shuffled), "whatever the order of the lines")

	// Names can be had from the rows again.
	assert.Equal(t, "New", effect.IdentitiesOf(want).Name("A", 150))
	assert.Equal(t, "A", effect.IdentitiesOf(want).Name("A", 250))
	back, ok := effect.IdentitiesOf(want).At("A", 300)
	assert.True(t, ok && back.InHouse && !back.InHouseUnknown)

	// Without a table nobody is called unknown; where nobody told whether a
	// provider is in house, no channel contradicts but own.
	rows := effect.ProviderRows(obs, nil)
	require.Len(t, rows, 3)
	assert.Equal(t, effect.ProviderRow{Provider: "A", From: none, To: none, N: 8, Contradict: 1, Problem: effect.ProviderNoTable}, rows[1])
	untold := renamed()
	for i := range untold {
		untold[i].InHouseUnknown, untold[i].InHouse = true, false
	}
	rows = effect.ProviderRows(obs, untold)
	assert.Equal(t, "", rows[3].InHouse)
	assert.EqualValues(t, 0, rows[2].Contradict)
	assert.EqualValues(t, 1, rows[3].Contradict)
	assert.Empty(t, effect.ProviderRows(cohortOf(), renamed()))
}

// In a world whose providers are renamed and form consortia, every case of the
// cohort falls into one line, and no channel contradicts.
func TestProviderRowsInAWorld(t *testing.T) {
	o := world.Default()
	o.Persons, o.Municipalities = 4000, 6
	data := effecttest.FromWorld(t, o)
	obs := data.Observe(t, effecttest.Study())
	rows := effect.ProviderRows(obs, data.Members)
	n, renamed := int64(0), 0
	for i, r := range rows {
		assert.Empty(t, r.Problem)
		assert.Zero(t, r.Contradict)
		n += r.N
		if i > 0 && rows[i-1].Provider == r.Provider {
			renamed++
			assert.NotEqual(t, rows[i-1].Name, r.Name)
		}
	}
	cohort := int64(0)
	for _, reason := range obs.Results[0].Reason {
		if !reason.OutsideCohort() {
			cohort++
		}
	}
	assert.Equal(t, cohort, n)
	assert.Positive(t, renamed)
}

func TestCheckSchemes(t *testing.T) {
	obs := func(rows ...[2]string) *effect.Observations {
		var municipality, scheme, group []string
		c, r := &effect.Cases{}, effect.Result{Outcome: "y"}
		for i, x := range rows {
			municipality, scheme, group = append(municipality, x[0]), append(scheme, x[1]), append(group, "1")
			c.ID.Append(effect.NumberID(int64(i)))
			r.Reason = append(r.Reason, effect.NoReason)
		}
		c.Municipality, c.MatchScheme, c.MatchGroup = effect.NewFactor(municipality), effect.NewFactor(scheme), effect.NewFactor(group)
		return &effect.Observations{Cases: c, Results: []effect.Result{r}}
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"P", "Q"}, "X": {"P"}}
	for _, c := range []struct {
		why    string
		rows   [][2]string
		strata []effect.StratumTotal
		want   []string // parts of the error; nil for none
	}{
		{"one scheme", [][2]string{{"H", "a"}, {"P", "a"}, {"Q", "b"}}, nil, nil},
		{"peers without anything", [][2]string{{"H", "a"}}, nil, nil},
		{"another scheme", [][2]string{{"H", "a"}, {"P", "b"}, {"Q", "c"}}, nil, []string{"municipality H has cases under a, its peers only under b, c", "crosswalk", "period"}},
		{"a second scheme at home only", [][2]string{{"H", "a"}, {"H", "b"}, {"P", "b"}}, nil, []string{"municipality H has cases under a, its peers only under b"}},
		{"strata of the scheme", [][2]string{{"H", "a"}, {"P", "b"}}, []effect.StratumTotal{{Municipality: "Q", MatchScheme: "a"}}, nil},
		{"strata of another scheme", [][2]string{{"H", "a"}}, []effect.StratumTotal{{Municipality: "Q", MatchScheme: "b"}}, []string{"under a, its peers only under b"}},
		{"who is no peer says nothing", [][2]string{{"H", "a"}, {"Z", "b"}}, nil, nil},
		{"each municipality is named", [][2]string{{"H", "a"}, {"X", "a"}, {"P", "b"}}, nil, []string{"municipality H", "municipality X"}},
	} {
		d.Strata = c.strata
		err := d.CheckSchemes(obs(c.rows...))
		if c.want == nil {
			assert.NoError(t, err, c.why)
			continue
		}
		require.ErrorIs(t, err, effect.ErrSchemes, c.why)
		for _, part := range c.want {
			assert.ErrorContains(t, err, part, c.why)
		}
	}
	d.Strata = nil
	outside := obs([2]string{"H", "a"}, [2]string{"P", "b"})
	outside.Results[0].Reason[0] = effect.ReasonOutsidePeriod
	assert.NoError(t, d.CheckSchemes(outside), "cases outside the cohort are compared with nobody")
}
