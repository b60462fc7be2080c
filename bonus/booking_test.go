package bonus_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// calendar is a key settlement for terms.yaml.
const calendar = `settlement:
  section: "10"
  accepted_by: controller
  pay_within: 45 days
  objection: 30 days
  final: 12 months
  limitation: 36 months
  corrections: set_off
versions:
`

// Dates are counted from the last day of the period, objections from the booking, in
// calendar months that are clipped.
func TestDeadlines(t *testing.T) {
	b := readTerms(t, "versions:\n", calendar).Settlement
	period := func(name string) effect.Period {
		p, err := effect.ParsePeriod(name)
		require.NoError(t, err)
		return p
	}
	// 31 December + 45 days is 14 February; 15 January + 30 days is 14 February.
	require.Equal(t, bonus.Deadlines{PaymentDue: day("2009-02-14"), ObjectionUntil: day("2009-02-14"), Final: day("2009-12-31"), Limitation: day("2011-12-31")},
		b.Deadlines(period("2008H2"), day("2009-01-15")))
	b.PayWithin, b.Final = effect.Span{Months: 3}, effect.Span{Months: 6}
	// 31 August + 3 months is 30 November; + 6 months 28 February.
	require.Equal(t, bonus.Deadlines{PaymentDue: day("2008-11-30"), ObjectionUntil: day("2008-10-01"), Final: day("2009-02-28"), Limitation: day("2011-08-31")},
		b.Deadlines(period("2008-08"), day("2008-09-01")))
}

func TestFaultsInTheCalendar(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"final before objections end": {"final: 12 months", "final: 2 months", "settlement.final: 2008H1 is finally closed on 2008-08-30, before objections to what is booked on 2008-08-14, when it is to be paid, end on 2008-09-13"},
		"limitation before final":     {"limitation: 36 months", "limitation: 11 months", "settlement.limitation: claims of 2008H1 lapse on 2009-05-30, before it is finally closed on 2009-06-30"},
		"no role":                     {"  accepted_by: controller\n", "", "accepted_by is missing: role of whoever must accept what is booked"},
		"no span":                     {"45 days", "soon", `settlement.pay_within: "soon" is not a span`},
		"no choice":                   {"set_off", "setoff", `settlement.corrections: "setoff" is not one of the names allowed here; did you mean "set_off"?`},
	} {
		t.Run(name, func(t *testing.T) {
			text := replace(t, read(t, "testdata/terms.yaml"), "versions:\n", replace(t, calendar, c.from, c.to))
			_, err := bonus.ParseTerms("terms.yaml", []byte(text))
			var faults *bonus.Faults
			require.ErrorAs(t, err, &faults)
			require.Len(t, faults.List, 1)
			require.ErrorContains(t, err, c.want)
			require.Positive(t, faults.List[0].Line)
		})
	}
}

// The calendar is sealed with the terms; terms without one keep their seals.
func TestCalendarIsSealed(t *testing.T) {
	without, with := readTerms(t), readTerms(t, "versions:\n", calendar)
	other := readTerms(t, "versions:\n", replace(t, calendar, "30 days", "31 days"))
	require.NotContains(t, string(without.Canonical(0, without.Until(0))), `"settlement"`)
	require.Contains(t, string(with.Canonical(0, with.Until(0))), `"settlement":{"accepted_by":"controller","corrections":"set_off","final":"12 months"`)
	require.NotEqual(t, with.Reading(0), other.Reading(0))
	// When a version ends is no part of how it reads.
	require.Equal(t, without.Reading(0), readTerms(t, "valid_to: 2010-01-01", "valid_to: 2009-07-01").Reading(0))
	require.Empty(t, with.Reading(2))
	require.Empty(t, with.Reading(-1))
}

func replace(t *testing.T, text, from, to string) string {
	t.Helper()
	require.Contains(t, text, from)
	return strings.ReplaceAll(text, from, to)
}
