package effect_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

func dayOrNone(t *testing.T, s string) effect.Date {
	t.Helper()
	if s == "" {
		return effect.NoDate
	}
	return day(t, s)
}

// spellsOf makes a caseload of lines "person municipality group start end", sorted.
func spellsOf(t *testing.T, persons []effect.ID, lines ...[5]string) *effect.Caseload {
	l := &effect.Caseload{Persons: effect.NewIDs(persons...)}
	var municipality, scheme, group []string
	for _, x := range lines {
		for i, id := range persons {
			if id == effect.TextID(x[0]) {
				l.Person = append(l.Person, int32(i))
			}
		}
		municipality, scheme, group = append(municipality, x[1]), append(scheme, "s"), append(group, x[2])
		l.Start, l.End = append(l.Start, dayOrNone(t, x[3])), append(l.End, dayOrNone(t, x[4]))
	}
	l.Municipality, l.MatchScheme, l.MatchGroup = effect.NewFactor(municipality), effect.NewFactor(scheme), effect.NewFactor(group)
	return l
}

// Who is a control in which month, counted by hand.
func TestControls(t *testing.T) {
	id := effect.NumberID
	load := spellsOf(
		t, []effect.ID{id(1), id(2), id(3), id(7), id(8)},
		[5]string{"1", "H", "4", "2007-11-20", "2008-03-15"}, // January, February; on 15 March it is over
		[5]string{"2", "H", "4", "2008-01-16", ""},           // from February until referred on 15 April
		[5]string{"2", "A", "5", "2008-02-01", "2008-03-01"}, // the same February: the first spell counts
		[5]string{"3", "H", "4", "2008-01-01", "2008-07-01"}, // an offer runs until 1 June; referred before the spell
		[5]string{"7", "H", "4", "2008-05-15", "2008-05-16"}, // one day, the right one
		[5]string{"8", "H", "4", "2008-01-01", "2008-03-01"}, // referred on 1 February, so a control of January alone:
		[5]string{"8", "H", "5", "2008-03-01", "2008-06-01"}, // another group is no other time on benefit
		[5]string{"8", "H", "5", "2008-06-10", "2008-06-20"}, // after a break it is
	)
	cases := &effect.Cases{
		ID: effect.NewIDs(id(50), id(51), id(52), id(53)), Person: []int32{0, 1, 3, 2}, Persons: effect.NewIDs(id(2), id(3), id(8), id(9)),
		Referral: []effect.Date{day(t, "2008-04-15"), day(t, "2007-12-01"), day(t, "2008-01-01"), day(t, "2008-02-01")},
		End:      []effect.Date{effect.NoDate, day(t, "2008-06-01"), effect.NoDate, day(t, "2008-02-20")},
	}
	period, err := effect.ParsePeriod("2008H1")
	require.NoError(t, err)
	c := load.Controls(cases, period)
	var got []string
	for i := range c.Len() {
		got = append(got, fmt.Sprint(c.ID.At(i), " ", c.Persons.At(int(c.Person[i])), " ", c.Referral[i], " ", c.Municipality.At(i), c.MatchGroup.At(i), c.Provider.At(i)))
	}
	assert.Equal(t, []string{
		"1@2008-01 1 2008-01-15 H4", "1@2008-02 1 2008-02-15 H4",
		"2@2008-02 2 2008-02-15 H4", "2@2008-03 2 2008-03-15 H4",
		"3@2008-06 3 2008-06-15 H4",
		"7@2008-05 7 2008-05-15 H4",
		"8@2008-01 8 2008-01-15 H4", "8@2008-06 8 2008-06-15 H5",
	}, got)
	assert.Equal(t, effect.NewIDs(id(1), id(2), id(3), id(7), id(8), id(9)), c.Persons)
	assert.Zero(t, (&effect.Caseload{}).Controls(cases, period).Len())
}

// aligned is a plain mean that claims to adjust for what controls need.
type aligned struct{ spy }

func (aligned) Uses() []string { return []string{effect.ReferralMonth, effect.ElapsedBenefit} }

// A cell is compared with the controls of its municipality and group in the
// months in which its citizens were referred, its own citizens of earlier months
// among them, by methods that adjust for month and duration.
func TestWithoutOffer(t *testing.T) {
	const n = 60
	var rows []city
	for i := range n {
		rows = append(rows, city{"H", "p", int32(i), float64(i % 2)})
	}
	for i := range n {
		rows = append(rows, city{"H", "q", int32(n + i), float64(i % 3 / 2)})
	}
	obs := observations(rows)
	months := make([]string, 2*n)
	number := func(i int) effect.ID { return effect.NumberID(int64(i)) }
	obs.Cases.ID, obs.Cases.Persons = effect.GatherIDs(2*n, number), effect.GatherIDs(2*n, number)
	for i := range months {
		obs.Cases.Referral[i] = day(t, "2008-02-10")
		months[i] = "2008-02"
	}
	describe := func(c *effect.Cases, months []string) {
		c.Covariates = []effect.Covariate{
			{Name: effect.ReferralMonth, Factor: effect.NewFactor(months), Dated: true},
			{Name: effect.ElapsedBenefit, Number: make([]float64, c.Len()), Dated: true},
			{Name: "age", Number: make([]float64, c.Len())},
			{Name: "mood", Number: make([]float64, c.Len())},
		}
	}
	describe(obs.Cases, months)

	var persons []effect.ID
	var lines [][5]string
	for i := range 200 {
		persons = append(persons, effect.NumberID(int64(i)))
		place := []string{"H", "A"}[i/160]
		lines = append(lines, [5]string{fmt.Sprint(i), place, "1", "2008-01-01", "2008-03-20"})
	}
	load := spellsOf(t, persons, lines...)
	var one []string
	for range lines {
		one = append(one, "1")
	}
	load.MatchScheme = effect.NewFactor(one)
	late := *obs.Cases
	late.End = nil
	period, _ := effect.ParsePeriod("2008")
	controls := load.Controls(&late, period)
	var of []string
	r := effect.Result{Outcome: "job", Unit: effect.UnitShare}
	reached, february := 0.0, 0.0
	for i := range controls.Len() {
		month := controls.Referral[i].Month()
		of = append(of, month)
		v := float64(controls.Person[i] % 5 / 4)
		r.Status, r.Reason, r.Complete, r.Followed = append(r.Status, effect.NotReached), append(r.Reason, effect.NoReason), append(r.Complete, true), append(r.Followed, true)
		r.Value, r.WindowEnd, r.ReachedOn = append(r.Value, v), append(r.WindowEnd, 200), append(r.ReachedOn, effect.NoDate)
		if month == "2008-02" && controls.Municipality.At(i) == "H" {
			reached, february = reached+v, february+1
		}
	}
	describe(controls, of)

	d := effect.DefaultDesign()
	d.Also = []effect.Comparators{effect.WithoutOffer}
	_, err := effect.Estimates(context.Background(), obs, d, []effect.Method{aligned{}})
	require.ErrorIs(t, err, effect.ErrDesign, "there are no controls")

	obs.Controls = &effect.Observations{AsOf: obs.AsOf, Cases: controls, Results: []effect.Result{r}}
	of2 := func(m effect.Method) effect.Estimate {
		estimates, err := effect.Estimates(context.Background(), obs, d, []effect.Method{m})
		require.NoError(t, err)
		for _, e := range estimates {
			if e.Comparators == effect.WithoutOffer && e.Provider == "p" {
				return e
			}
		}
		t.Fatal("no row")
		return effect.Estimate{}
	}
	e := of2(aligned{newSpy()})
	require.Empty(t, e.Refusal)
	// 0 to 119 are referred on 10 February: none of them is a control of February,
	// and 120 to 159 are the others in H.
	assert.Equal(t, 40.0, february)
	assert.Equal(t, int64(40), e.NComparators)
	assert.InEpsilon(t, reached/february, e.Expected, 1e-8)
	assert.Equal(t, effect.RefusalNotAligned, of2(newSpy()).Refusal)

	// The other comparisons are as if there were no controls.
	with, err := effect.Estimates(context.Background(), obs, d, []effect.Method{newSpy()})
	require.NoError(t, err)
	obs.Controls, d.Also = nil, nil
	without, err := effect.Estimates(context.Background(), obs, d, []effect.Method{newSpy()})
	require.NoError(t, err)
	var others []effect.Estimate
	for _, e := range with {
		if e.Comparators != effect.WithoutOffer {
			others = append(others, e)
		}
	}
	assert.Equal(t, fmt.Sprint(without), fmt.Sprint(others))
}
