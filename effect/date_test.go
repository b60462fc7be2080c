package effect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

func day(t *testing.T, s string) effect.Date {
	t.Helper()
	d, err := effect.ParseDate(s)
	require.NoError(t, err)
	return d
}

func TestDates(t *testing.T) {
	assert.Equal(t, effect.Date(0), day(t, "1970-01-01"))
	assert.Equal(t, effect.FirstDate, day(t, "1900-01-01"))
	assert.Equal(t, effect.LastDate, day(t, "2200-12-31"))
	assert.Equal(t, "2008-02-29", effect.NewDate(2008, time.February, 29).String())
	assert.Equal(t, "", effect.NoDate.String())
	for _, bad := range []string{"", "2008-13-01", "2008-02-30", "08-01-01", "1899-12-31", "2201-01-01", "2008-1-1"} {
		_, err := effect.ParseDate(bad)
		assert.ErrorIs(t, err, effect.ErrDate, bad)
	}
	assert.Equal(t, "2008Q1", day(t, "2008-03-31").Quarter())
	assert.Equal(t, "2008Q4", day(t, "2008-10-01").Quarter())
}

func TestCalendarMonthsClip(t *testing.T) {
	for _, x := range []struct {
		from   string
		months int
		want   string
	}{
		{"2008-08-31", 3, "2008-11-30"},
		{"2008-01-31", 1, "2008-02-29"},
		{"2009-01-31", 1, "2009-02-28"},
		{"2008-11-30", 3, "2009-02-28"},
		{"2008-02-29", 12, "2009-02-28"},
		{"2008-05-15", -3, "2008-02-15"},
		{"2008-03-31", -1, "2008-02-29"},
	} {
		assert.Equal(t, x.want, day(t, x.from).AddMonths(x.months).String(), x)
	}
	assert.Equal(t, "2008-03-07", day(t, "2008-01-31").Add(effect.Span{Months: 1, Days: 7}).String())
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]effect.Span{
		"26 weeks": {Days: 182}, "1 week": {Days: 7}, "6 months": {Months: 6}, "1 year": {Months: 12}, "10 days": {Days: 10}, "0 days": {},
	} {
		got, err := effect.ParseSpan(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{"", "26", "weeks", "-1 days", "1.5 weeks", "99999 weeks", "3 fortnights", "1 week ago"} {
		_, err := effect.ParseSpan(bad)
		assert.ErrorIs(t, err, effect.ErrDate, bad)
	}
	assert.Equal(t, []string{"26 weeks", "1 month", "10 days", "0 days"},
		[]string{effect.Weeks(26).String(), effect.Span{Months: 1}.String(), effect.Span{Days: 10}.String(), effect.Span{}.String()})
}

func TestPeriods(t *testing.T) {
	for text, want := range map[string][2]string{
		"2008": {"2008-01-01", "2009-01-01"}, "2008H1": {"2008-01-01", "2008-07-01"}, "2008H2": {"2008-07-01", "2009-01-01"},
		"2008Q3": {"2008-07-01", "2008-10-01"}, "2008-09": {"2008-09-01", "2008-10-01"}, "2008-12": {"2008-12-01", "2009-01-01"},
	} {
		p, err := effect.ParsePeriod(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, [2]string{p.Start.String(), p.End.String()}, text)
		assert.True(t, p.Contains(p.Start))
		assert.False(t, p.Contains(p.End))
	}
	for _, bad := range []string{"", "08", "2008H3", "2008Q0", "2008Q5", "2008-13", "2008-9", "2008-00", "2008H", "2008X1", "abcd", "2008Q03", "2008H+1", "2008-+9"} {
		_, err := effect.ParsePeriod(bad)
		assert.ErrorIs(t, err, effect.ErrDate, bad)
	}
}

func TestStates(t *testing.T) {
	for _, name := range effect.State(0).Names() {
		s, err := effect.ParseState(name)
		require.NoError(t, err)
		assert.Equal(t, name, s.String())
	}
	_, err := effect.ParseState("working")
	assert.ErrorIs(t, err, effect.ErrState)
	assert.Equal(t, []effect.State{effect.OrdinaryEmployment, effect.SelfEmployment}, effect.Employment.List())
	assert.False(t, effect.Employment.Has(effect.WageSubsidy), "subsidised work is not ordinary work")
}

func TestIDs(t *testing.T) {
	assert.Equal(t, effect.NumberID(123), effect.TextID("123"))
	assert.NotEqual(t, effect.NumberID(123), effect.TextID("0123"))
	assert.Equal(t, effect.NumberID(-5), effect.TextID("-5"))
	for _, text := range []string{"0123", "+1", "-0", "1e3", "12 ", "99999999999999999999", "abc"} {
		assert.Equal(t, text, effect.TextID(text).String())
		_, number := effect.TextID(text).Number()
		assert.False(t, number, text)
	}
	assert.Negative(t, effect.NumberID(9).Compare(effect.NumberID(10)))
	assert.Negative(t, effect.NumberID(9).Compare(effect.TextID("a")))
}
