package bonus_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

const watched = `periods: half_year
upkeep:
  section: "3"
  volume: [{year: 2009, amount: 2000000}, {year: 2008, amount: 1000000}, {year: 2012, amount: 500000}]
  ceiling: 6000000
  options: [{until: 2013-01-01, notice_by: 2011-06-30}]
  notice: 3 months
  warn_at: 0.8
`

// Figures of testdata/reference/reconcile.py, which walks through the days.
func TestUpkeep(t *testing.T) {
	terms := readTerms(t, "periods: half_year\n", watched)
	src, err := os.ReadFile("../testdata/reference/reconcile.json")
	require.NoError(t, err)
	var reference struct {
		Upkeep []struct {
			AsOf   effect.Date `json:"as_of"`
			Bought map[int]string
			Rows   [][5]any
		}
	}
	require.NoError(t, json.Unmarshal(src, &reference))
	require.Len(t, reference.Upkeep, 16)
	codes := map[string]int{}
	for _, c := range reference.Upkeep {
		facts := bonus.Facts{Observations: observe(row{id: "1"}), PurchasesFrom: bonus.FromInvoices}
		facts.Observations.AsOf = c.AsOf
		for year, amount := range c.Bought {
			facts.Purchases = append(facts.Purchases, bonus.Purchase{Agreement: "A-1", Year: year, Amount: amount}, bonus.Purchase{Agreement: "A-2", Year: year, Amount: "1"})
		}
		s := settle(t, terms, facts)
		require.Len(t, s.Upkeep, len(c.Rows))
		var wants, warns []string
		for i, want := range c.Rows {
			got := s.Upkeep[i]
			usedUp := ""
			if want[4] != nil {
				usedUp = want[4].(string)
			}
			require.Equal(t, []any{want[0], want[1], want[3], usedUp}, []any{got.What, got.Of, got.State, got.UsedUp.String()}, "%s %v", c.AsOf, c.Bought)
			require.Equal(t, "3", got.Section)
			if want[2] == nil {
				require.True(t, math.IsNaN(got.Share))
				require.Empty(t, got.Agreed+got.Used+string(got.From))
			} else {
				require.InDelta(t, want[2].(float64), got.Share, 1e-8)
				require.Equal(t, bonus.FromInvoices, got.From)
			}
			if got.State == bonus.UpkeepNear || got.State == bonus.UpkeepReached || got.State == bonus.UpkeepPassed && got.What == bonus.UpkeepEnd {
				wants = append(wants, "upkeep_"+got.What)
			}
		}
		for _, w := range s.Warnings {
			if strings.HasPrefix(w.Code, "upkeep_") {
				warns = append(warns, w.Code)
				codes[w.Code]++
			}
		}
		require.Equal(t, wants, warns, c.AsOf)
	}
	for _, code := range []string{bonus.WarnVolume, bonus.WarnCeiling, bonus.WarnOption, bonus.WarnEnd} {
		require.Positive(t, codes[code], code)
	}
}

// Without invoices or prices, what was settled stands in, and says so.
func TestUpkeepBySettled(t *testing.T) {
	terms := readTerms(t, "periods: half_year\n", strings.ReplaceAll(watched, "1000000", "5000.50"))
	facts := bonus.Facts{Observations: observe(row{id: "1", job: "2008-06-01"}, row{id: "2", job: "2008-12-01"})}
	s := settle(t, terms, facts)
	total := bonus.Ore(0)
	for _, l := range s.Lines {
		total += l.Amount
	}
	require.Positive(t, total)
	volume := s.Upkeep[slices.IndexFunc(s.Upkeep, func(r bonus.UpkeepRow) bool { return r.Of == "2008" })]
	require.Equal(t, bonus.FromSettled, volume.From)
	used, err := strconv.ParseFloat(volume.Used, 64)
	require.NoError(t, err)
	require.InDelta(t, float64(total)/100, used, 1e-9)
	require.Equal(t, bonus.UpkeepReached, volume.State)
	require.Contains(t, s.Warnings[len(s.Warnings)-1].Text, "the bonus alone")

	// Where prices tell, those that nobody knows are told too.
	facts.PurchasesFrom, facts.Purchases = bonus.FromPrices, []bonus.Purchase{{Agreement: "A-1", Year: 2008, Amount: "4500", Unknown: 2}}
	s = settle(t, terms, facts)
	require.Equal(t, bonus.UpkeepShort, s.Upkeep[0].State)
	require.EqualValues(t, 2, s.Upkeep[0].Unknown)
	facts.Observations.AsOf--
	s = settle(t, terms, facts)
	require.Contains(t, s.Warnings[len(s.Warnings)-1].Text, "4500 of 5000.50 kr. are bought, by the prices of the participations referred, and of 2 participations nobody knows the price")
	facts.Purchases[0].Amount = "1e3"
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
	require.ErrorIs(t, err, bonus.ErrFacts)
}

// Every fault at once. A seal does not cover the key: it decides no payment.
func TestUpkeepFaults(t *testing.T) {
	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	parse := func(upkeep string) error {
		_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(string(src), "periods: half_year\n", "periods: half_year\nupkeep: "+upkeep+"\n", 1)))
		return err
	}
	require.NoError(t, parse(`{section: "3", notice: 90 days}`))
	err = parse(`{section: "3", notice: 90 days, warn_at: 1.5, ceiling: 10, volume: [{year: 2008, amount: -5}, {year: 2008, amount: 18}, {year: 2007, amount: 8}], options: [{until: 2008-01-01, notice_by: 2007-12-31}]}`)
	for _, want := range []string{
		"upkeep.warn_at", "upkeep.ceiling: the volumes of the years add up to more", "volume[0].amount: the volume -5.00 is not above 0", "volume[1].year: the year 2008 stands twice",
		"volume[2].year: the agreement and its options run from 2008", "options[0].until", "options[0].notice_by",
	} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, parse(`{section: "3", notice: 90 days, warn_at: 0.5, ceiling: 0}`), "the ceiling 0.00 is not above 0")
	require.ErrorContains(t, parse(`{section: "3", notice: 90 days, ceiling: 5}`), "add warn_at")
	require.ErrorContains(t, parse(`{section: "3", notice: 90 days, warn_at: 0.5}`), "neither a volume nor a ceiling")
	require.ErrorContains(t, parse(`{notice: 90 days}`), "section")
	plain, kept := readTerms(t), readTerms(t, "periods: half_year\n", watched)
	require.Equal(t, string(plain.Canonical(0, day("2009-01-01"))), string(kept.Canonical(0, day("2009-01-01"))))
}
