package jobeffekt_test

import (
	"context"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// withUpkeep adds the key to the terms of a job.
func withUpkeep(t *testing.T, c *jobeffekt.Config) {
	t.Helper()
	path := filepath.Join(filepath.Dir(c.Path), "terms.yaml")
	text := string(read(t, path))
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(text, "periods: half_year\n", `periods: half_year
upkeep:
  section: "12"
  volume: [{year: 2008, amount: 1000000}]
  ceiling: 1200000
  notice: 6 months
  warn_at: 0.75
`, 1)), 0o600))
}

// billed makes a table of invoices.
func billed(t *testing.T, of ...ingest.Invoice) *ingest.Table {
	t.Helper()
	table := rows(t, ingest.Invoices, of...)
	amounts := make([]float64, len(of))
	for i, x := range of {
		r, ok := new(big.Rat).SetString(x.Amount)
		require.True(t, ok)
		amounts[i], _ = r.Float64()
	}
	*table.Column("amount_dkk") = ingest.Column{Name: "amount_dkk", Floats: amounts}
	return table
}

func TestFollowUp(t *testing.T) {
	t.Parallel()
	ctx, date := context.Background(), effect.NewDate
	c := job(t)
	withUpkeep(t, c)
	none := math.NaN()
	invoice := func(id, period string, on effect.Date, amount string) ingest.Invoice {
		return ingest.Invoice{ID: id, Agreement: "A-751", Provider: "L751-1", Period: period, Date: on, Amount: amount}
	}
	c.Data = withTables(
		t, c.Data,
		rows(t, ingest.Satisfaction, survey("L751-1", "2008", 4.25, 40, 60), survey("L751-1", "2009H1", 4.5, 30, none), survey("L751-9", "2009H1", 1, 30, 60)),
		rows(
			t, ingest.Inspections, inspection("L751-1", date(2008, 9, 15), "B", "late"), inspection("L751-1", date(2009, 3, 1), "A", ""), inspection("L751-1", date(2009, 3, 1), "C", "mould"),
			inspection("L751-2", date(2007, 9, 15), "A", "before the agreement"), inspection("L751-2", date(2010, 7, 1), "F", "after as_of"),
		),
		rows(t, ingest.Experience, ingest.Statement{Provider: "L751-1", Period: "2008", Text: "x"}, ingest.Statement{Provider: "L751-1", Period: "2008-12", Text: "y"}, ingest.Statement{Provider: "L751-1", Period: "2010", Text: "not over"}),
		billed(t, invoice("1", "2008H1", date(2008, 7, 1), "600000"), invoice("2", "2008H2", date(2009, 1, 1), "150000.50"), invoice("3", "2009", date(2010, 1, 1), "20"), invoice("4", "2010", date(2010, 7, 1), "9")),
	)
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	find := func(provider, period string) jobeffekt.FollowUpRow {
		k := slices.IndexFunc(r.FollowUp, func(x jobeffekt.FollowUpRow) bool { return x.Provider == provider && x.Period == period })
		require.GreaterOrEqual(t, k, 0)
		return r.FollowUp[k]
	}
	require.Len(t, r.FollowUp, 15, "three providers with lines in five periods, one of them surveyed")
	first := find("L751-1", "2008H1")
	require.True(t, math.IsNaN(first.Satisfaction) && math.IsNaN(first.ResponseRate) && math.IsNaN(first.Higher))
	require.Equal(t, effect.NoDate, first.InspectedOn)
	second := find("L751-1", "2008H2")
	require.Equal(t, []any{4.25, "2008", 40.0, 0.666666667, date(2008, 9, 15), "B", "late", int64(2)}, []any{second.Satisfaction, second.Survey, second.Answers, second.ResponseRate, second.InspectedOn, second.Grade, second.Note, second.Experiences})
	third := find("L751-1", "2009H1")
	require.Equal(t, []any{4.5, "2009H1", 30.0, date(2009, 3, 1), "A; C", "mould", int64(0)}, []any{third.Satisfaction, third.Survey, third.Answers, third.InspectedOn, third.Grade, third.Note, third.Experiences})
	require.True(t, math.IsNaN(third.ResponseRate))
	last, other := find("L751-1", "2010H1"), find("L751-2", "2010H1")
	require.Equal(t, "A; C", last.Grade)
	require.Equal(t, "A", other.Grade, "the latest by then, whenever it was")
	var settled, total bonus.Ore
	lines := int64(0)
	for _, x := range r.FollowUp {
		settled += x.Settled
		lines += x.Lines
	}
	for _, l := range r.Settlement.Lines {
		total += l.Amount
	}
	require.Equal(t, total, settled)
	require.EqualValues(t, len(r.Settlement.Lines), lines)
	require.Positive(t, last.Gated)
	n := 0.0
	for _, b := range r.Benchmark {
		_, placebo := effect.PlaceboOf(b.Outcome)
		if b.Provider == "L751-1" && !placebo && b.Part == effect.Total && b.Package == "" && b.Method == "strata" {
			n++
		}
	}
	require.Positive(t, n)
	require.Equal(t, n, last.Higher+last.NoDifference+last.Lower+last.NotRated)

	require.Regexp(t, `A-751 +L751-1 +2010H1 +4\.50 +30 +- +2009H1 +2009-03-01 +A; C +19,500\.00`, r.Summary())

	// Upkeep by what was invoiced by as_of.
	states := map[string]string{}
	for _, u := range r.Settlement.Upkeep {
		require.Equal(t, "A-751", u.Agreement)
		states[u.What+" "+u.Used+" "+string(u.From)] = u.State
	}
	require.Equal(t, map[string]string{"volume 750000.5 invoices": "short", "ceiling 750020.5 invoices": "open", "end  ": "open"}, states)

	want := results(t, c)
	require.Contains(t, want, "follow_up.parquet")
	require.Contains(t, want, "upkeep.parquet")
	_, err = jobeffekt.RunStep(ctx, c, jobeffekt.StepSettle)
	require.NoError(t, err)
	require.Equal(t, want, results(t, c))
	again, err := jobeffekt.ReadSettlement(ctx, c.ResultsFolder())
	require.NoError(t, err)
	require.Len(t, again.Upkeep, 3)

	// The settlement's books.
	s, err := jobeffekt.OpenSettlement(ctx, c.Path)
	require.NoError(t, err)
	books, rejects, err := s.Books(ctx, "", "")
	require.NoError(t, err)
	require.Empty(t, rejects)
	require.Nil(t, books.Payments)
	found, err := jobeffekt.Reconcile(*books)
	require.NoError(t, err)
	k := slices.IndexFunc(found.Rows, func(x jobeffekt.ReconciledRow) bool { return x.Provider == "L751-1" && x.Period == "2008H2" })
	require.Equal(t, []any{"150000.5", int64(1), "invoiced_less"}, []any{found.Rows[k].Invoiced, found.Rows[k].Invoices, found.Rows[k].InvoicedState})
	require.Equal(t, "several_periods", found.Documents[0].Problem)

	withUpkeep(t, c)
	_, err = jobeffekt.OpenSettlement(ctx, c.ResultsFolder())
	require.ErrorContains(t, err, "terms.yaml is not as it was when this was settled")
	c.Out = "elsewhere"
	_, err = jobeffekt.OpenSettlement(ctx, c.ResultsFolder())
	require.ErrorIs(t, err, jobeffekt.ErrManifest)

	// The terms as they were, without the key twice.
	path := filepath.Join(filepath.Dir(c.Path), "terms.yaml")
	text := string(read(t, path))
	at := strings.LastIndex(text, "upkeep:\n")
	require.NoError(t, os.WriteFile(path, []byte(text[:strings.Index(text, "upkeep:\n")]+text[at:]), 0o600))
	c.Blinded, c.Out = true, "blinded"
	blind, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	require.Empty(t, blind.FollowUp)
	require.NotContains(t, results(t, c), "follow_up.parquet")
	require.NotContains(t, results(t, c), "upkeep.parquet")
}

// Without invoices, the prices of participations tell what was bought.
func TestUpkeepByPrices(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := job(t)
	withUpkeep(t, c)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(c.Data)))
	paths, err := filepath.Glob(filepath.Join(folder, "participations", "*.parquet"))
	require.NoError(t, err)
	want, unknown := 0.0, int64(0)
	for _, path := range paths {
		table, err := ingest.ReadTable(ctx, path, ingest.DefaultLimits())
		require.NoError(t, err)
		price := make([]float64, table.Rows())
		for i := range price {
			price[i] = 0.25 * float64(i%5)
			if i%7 == 0 {
				price[i] = math.NaN()
			}
			if table.Column("agreement_id").Cell(i) != "A-751" || table.Column("referral_date").Dates[i].Time().Year() != 2008 {
				continue
			}
			if i%7 == 0 {
				unknown++
			} else {
				want += price[i]
			}
		}
		*table.Column("price") = ingest.Column{Name: "price", Floats: price} // which the demonstration has
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, table.WriteParquet(f))
		require.NoError(t, f.Close())
	}
	for _, name := range []string{ingest.Satisfaction, ingest.Inspections, ingest.Experience} {
		require.NoError(t, os.Remove(filepath.Join(folder, name+".parquet")))
	}
	c.Data = folder
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	volume := r.Settlement.Upkeep[0]
	require.Equal(t, bonus.FromPrices, volume.From)
	require.Equal(t, unknown, volume.Unknown)
	x, ok := new(big.Rat).SetString(volume.Used)
	require.True(t, ok)
	require.Zero(t, x.Cmp(new(big.Rat).SetFloat64(want)), "quarters add up exactly")
	require.NotContains(t, results(t, c), "follow_up.parquet")
}
