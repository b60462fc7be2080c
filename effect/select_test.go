package effect_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// A case is taken if no other of the same person and agreement comes before it, by
// a comparison of all pairs.
func TestSelectTakesOneOfEachAgreement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "cases")
		c := &effect.Cases{Persons: effect.NewIDs(effect.NumberID(1), effect.NumberID(2), effect.NumberID(3))}
		var agreements, places []string
		for i := range n {
			c.ID.Append(effect.NumberID(int64(i)))
			c.Person = append(c.Person, rapid.Int32Range(0, 2).Draw(t, "person"))
			c.Referral = append(c.Referral, effect.Date(rapid.IntRange(-2, 5).Draw(t, "referral")))
			agreements = append(agreements, rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "agreement"))
			places = append(places, rapid.SampledFrom([]string{"H", "K"}).Draw(t, "municipality"))
		}
		c.Agreement, c.Municipality = effect.NewFactor(agreements), effect.NewFactor(places)
		if rapid.Bool().Draw(t, "no agreements") {
			c.Agreement, agreements = effect.Factor{}, make([]string, n)
		}
		take := rapid.SampledFrom([]effect.Take{effect.TakeFirst, effect.TakeLast, effect.TakeEach}).Draw(t, "take")
		period := effect.Period{Start: 0, End: 4}
		reasons := effect.Cohort{Period: period, Take: take}.Select(c)
		for i := range n {
			want := effect.NoReason
			if !period.Contains(c.Referral[i]) {
				want = effect.ReasonOutsidePeriod
			}
			for j := range n {
				same := c.Person[i] == c.Person[j] && agreements[i] == agreements[j] && (agreements[i] != "" || places[i] == places[j])
				if want != effect.NoReason || i == j || !same || !period.Contains(c.Referral[j]) {
					continue
				}
				before := c.Referral[j] < c.Referral[i] || c.Referral[j] == c.Referral[i] && j < i
				switch {
				case take == effect.TakeFirst && before:
					want = effect.ReasonNotFirst
				case take == effect.TakeLast && !before:
					want = effect.ReasonNotLast
				}
			}
			require.Equal(t, want, reasons[i])
		}
	})
}
