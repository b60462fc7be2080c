package jobeffekt_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// reference reads a table of testdata/reference, by columns of text.
func csvOf(t *testing.T, name string) []map[string]string {
	t.Helper()
	table, err := ingest.ReadFile(context.Background(), filepath.Join("testdata", "reference", "reconcile_"+name+".csv"), ingest.DefaultLimits())
	require.NoError(t, err)
	out := make([]map[string]string, table.Rows())
	for i := range out {
		out[i] = map[string]string{}
		for k := range table.Columns {
			out[i][table.Columns[k].Name] = table.Columns[k].Cell(i)
		}
	}
	return out
}

func dateOf(t *testing.T, s string) effect.Date {
	t.Helper()
	if s == "" {
		return effect.NoDate
	}
	d, err := effect.ParseDate(s)
	require.NoError(t, err)
	return d
}

// booksOf are the data of testdata/reference/reconcile.py.
func booksOf(t *testing.T) jobeffekt.Books {
	t.Helper()
	quarter := &bonus.Decimal{}
	require.NoError(t, quarter.UnmarshalText([]byte("0.25")))
	b := jobeffekt.Books{Terms: []*bonus.Terms{
		{Agreement: "A-1", Periods: bonus.HalfYear}, {Agreement: "A-2", Periods: bonus.Month, VAT: &bonus.VAT{Treatment: bonus.VATExcluded, Rate: quarter}},
	}, Cases: &effect.Cases{}}
	var agreements, providers []string
	for _, r := range csvOf(t, "cases") {
		b.Cases.ID.Append(effect.TextID(r["participation_id"]))
		agreements, providers = append(agreements, r["agreement_id"]), append(providers, r["provider_id"])
		b.Cases.Referral, b.Cases.Start = append(b.Cases.Referral, dateOf(t, r["referral_date"])), append(b.Cases.Start, dateOf(t, r["start_date"]))
	}
	b.Cases.Agreement, b.Cases.Provider = effect.NewFactor(agreements), effect.NewFactor(providers)
	for _, r := range csvOf(t, "settled") {
		ore, err := strconv.ParseInt(r["amount_ore"], 10, 64)
		require.NoError(t, err)
		b.Settled = append(b.Settled, jobeffekt.Settled{Agreement: r["agreement_id"], Provider: r["provider_id"], Period: r["period"], Amount: bonus.Ore(ore)})
	}
	for _, r := range csvOf(t, "invoices") {
		b.Invoices = append(b.Invoices, ingest.Invoice{ID: r["id"], Agreement: r["agreement_id"], Provider: r["provider_id"], Period: r["period"], Date: dateOf(t, r["date"]), Amount: r["amount_dkk"]})
	}
	for _, r := range csvOf(t, "payments") {
		b.Payments = append(b.Payments, ingest.Payment{ID: r["id"], Agreement: r["agreement_id"], Provider: r["provider_id"], Period: r["period"], Date: dateOf(t, r["date"]), Amount: r["amount_dkk"]})
	}
	return b
}

type reconcileReference struct {
	Rows      [][]any
	Documents [][4]string
	Control   []struct {
		N          int
		Seed       uint64
		Each       bool
		Confidence float64
		Drawn      []int
		Rows       [][]any
	}
}

func readReconcile(t *testing.T) (r reconcileReference) {
	t.Helper()
	require.NoError(t, json.Unmarshal(read(t, "testdata/reference/reconcile.json"), &r))
	return r
}

// Figures of testdata/reference/reconcile.py: joins and sums by DuckDB 2.0.0.
func TestReconcile(t *testing.T) {
	b, want := booksOf(t), readReconcile(t)
	r, err := jobeffekt.Reconcile(b)
	require.NoError(t, err)
	var rows []string
	for _, w := range want.Rows {
		rows = append(rows, fmt.Sprint(w...))
	}
	var got []string
	for _, x := range r.Rows {
		got = append(got, fmt.Sprint(
			x.Agreement, x.Provider, x.Period, float64(x.Referrals), float64(x.Starts), x.Settled, x.VAT, float64(x.Invoices), float64(x.WithoutReferrals), x.Invoiced, x.InvoicedMore, x.InvoicedState,
			float64(x.Payments), x.Paid, x.PaidMore, x.PaidState,
		))
	}
	require.Equal(t, rows, got)
	var documents [][4]string
	for _, d := range r.Documents {
		documents = append(documents, [4]string{d.Table, d.ID, d.Problem, d.SameAs})
	}
	slices.SortFunc(documents, func(a, b [4]string) int { return slices.Compare(a[:], b[:]) })
	require.Equal(t, want.Documents, documents)

	// The order of what is given does not matter.
	mixed, rng := b, rand.New(rand.NewPCG(1, 2))
	mixed.Terms, mixed.Settled, mixed.Invoices, mixed.Payments = slices.Clone(b.Terms), slices.Clone(b.Settled), slices.Clone(b.Invoices), slices.Clone(b.Payments)
	slices.Reverse(mixed.Terms)
	rng.Shuffle(len(mixed.Settled), func(i, j int) { mixed.Settled[i], mixed.Settled[j] = mixed.Settled[j], mixed.Settled[i] })
	slices.Reverse(mixed.Invoices)
	slices.Reverse(mixed.Payments)
	again, err := jobeffekt.Reconcile(mixed)
	require.NoError(t, err)
	require.Equal(t, r, again)

	// A table that is not there is not a table without rows.
	b.Payments = nil
	r, err = jobeffekt.Reconcile(b)
	require.NoError(t, err)
	require.Empty(t, r.Rows[0].PaidState+r.Rows[0].Paid+r.Rows[0].PaidMore)
	b.Payments = []ingest.Payment{}
	r, err = jobeffekt.Reconcile(b)
	require.NoError(t, err)
	k := slices.IndexFunc(r.Rows, func(x jobeffekt.ReconciledRow) bool { return x.Settled == "5000" })
	require.Equal(t, []string{"0", "-5000", "not_paid"}, []string{r.Rows[k].Paid, r.Rows[k].PaidMore, r.Rows[k].PaidState})

	for _, settled := range []jobeffekt.Settled{{"A-1", "north", "2008", 1}, {"A-1", "north", "2008-13", 1}, {"A-8", "north", "2008H1", 1}} {
		b.Settled = []jobeffekt.Settled{settled}
		_, err = jobeffekt.Reconcile(b)
		require.ErrorIs(t, err, effect.ErrDesign)
	}
	foreign := b
	foreign.Settled, foreign.Terms = nil, []*bonus.Terms{{Agreement: "A-1", Periods: bonus.HalfYear, Currency: bonus.SEK}}
	_, err = jobeffekt.Reconcile(foreign)
	require.ErrorContains(t, err, "settled in SEK")
	b.Settled = nil
	for _, amount := range []string{"1/3", "1e3", "x", ""} {
		b.Invoices = []ingest.Invoice{{ID: "1", Agreement: "A-1", Provider: "north", Period: "2008H1", Amount: amount}}
		_, err = jobeffekt.Reconcile(b)
		require.ErrorIs(t, err, effect.ErrDesign)
	}
}

// What a ledger has booked stands in for the settlement.
func TestReconcileBooked(t *testing.T) {
	account := func(agreement, period string, pay, claimed bonus.Ore) ledger.BookedAccount {
		return ledger.BookedAccount{Agreement: agreement, Period: period, Account: ledger.Account{Provider: "north", Pay: pay, Claimed: claimed, Carried: -5}}
	}
	got := jobeffekt.BookedAccounts([]ledger.BookedAccount{account("A-1", "2008H1", 100, 0), account("A-1", "2008H2", 0, 30), account("A-9", "2008H1", 7, 0)}, "A-1", "A-2")
	require.Equal(t, []jobeffekt.Settled{{Agreement: "A-1", Provider: "north", Period: "2008H1", Amount: 100}, {Agreement: "A-1", Provider: "north", Period: "2008H2", Amount: -30}}, got)
}

// Nothing is lost: rows and documents without a place make the sum of a table.
func TestReconcileAddsUp(t *testing.T) {
	b := booksOf(t)
	rapid.Check(t, func(t *rapid.T) {
		books := b
		books.Payments = nil
		periods := []string{"2007H2", "2008", "2008H1", "2008Q3", "2008-03", "2009-02"}
		sum := new(big.Rat)
		for i := range rapid.IntRange(0, 30).Draw(t, "payments") {
			amount := fmt.Sprintf("%.2f", float64(rapid.IntRange(-500, 500).Draw(t, "amount"))/4)
			x, _ := new(big.Rat).SetString(amount)
			sum.Add(sum, x)
			books.Payments = append(books.Payments, ingest.Payment{
				ID: fmt.Sprint("p", i), Agreement: rapid.SampledFrom([]string{"A-1", "A-2", "A-3", "A-4"}).Draw(t, "agreement"),
				Provider: rapid.SampledFrom([]string{"north", "south", "7", "east"}).Draw(t, "provider"), Period: rapid.SampledFrom(periods).Draw(t, "period"), Amount: amount,
			})
		}
		r, err := jobeffekt.Reconcile(books)
		require.NoError(t, err)
		add := func(s string) {
			if s != "" {
				x, ok := new(big.Rat).SetString(s)
				require.True(t, ok)
				sum.Sub(sum, x)
			}
		}
		n := 0
		for _, x := range r.Rows {
			add(x.Paid)
			n += int(x.Payments)
		}
		for _, d := range r.Documents {
			if d.Table == ingest.Payments && (d.Problem == jobeffekt.ProblemNoTerms || d.Problem == jobeffekt.ProblemUnknownAgreement || d.Problem == jobeffekt.ProblemSeveralPeriods) {
				add(d.Amount)
				n++
			}
		}
		require.Zero(t, sum.Sign(), sum)
		require.Equal(t, len(books.Payments), n)
	})
}

// Figures of testdata/reference/reconcile.py: SHA-256 by hashlib, limits by SciPy
// 1.17.1 (stats.beta.ppf and isf), kroner in exact fractions.
func TestControlOfEvidence(t *testing.T) {
	var paid []jobeffekt.PaidCase
	for _, r := range csvOf(t, "paid") {
		amount, ok := new(big.Rat).SetString(r["amount_dkk"])
		require.True(t, ok)
		paid = append(paid, jobeffekt.PaidCase{Agreement: r["agreement_id"], Provider: r["provider_id"], Participation: r["participation_id"], Amount: amount})
	}
	// As PaidCases sorts them.
	slices.SortFunc(paid, func(a, b jobeffekt.PaidCase) int {
		return cmp.Or(effect.TextID(a.Provider).Compare(effect.TextID(b.Provider)), effect.TextID(a.Participation).Compare(effect.TextID(b.Participation)))
	})
	all, err := ingest.ReadFile(context.Background(), "testdata/reference/reconcile_findings.csv", ingest.DefaultLimits())
	require.NoError(t, err)
	for _, want := range readReconcile(t).Control {
		c := jobeffekt.Control{N: want.N, Seed: want.Seed, PerProvider: want.Each}
		shuffled := slices.Clone(paid)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		sample, err := jobeffekt.Sample(shuffled, c)
		require.NoError(t, err)
		var drawn []int
		found := &ingest.Table{Columns: []ingest.Column{{Name: "participation_id", Texts: []string{}}, {Name: "ok", Texts: []string{}}}}
		for _, p := range sample {
			id, err := strconv.Atoi(p.Participation)
			require.NoError(t, err)
			drawn = append(drawn, id)
			ok := "no"
			if all.Column("ok").Bools[slices.Index(all.Column("participation_id").Ints, int64(id))] {
				ok = "Yes"
			}
			found.Columns[0].Texts, found.Columns[1].Texts = append(found.Columns[0].Texts, p.Participation), append(found.Columns[1].Texts, ok)
		}
		slices.Sort(drawn)
		require.Equal(t, want.Drawn, drawn)
		findings, err := jobeffekt.Findings(found, sample)
		require.NoError(t, err)
		rows, err := jobeffekt.ErrorRates(paid, sample, findings, c, want.Confidence)
		require.NoError(t, err)
		require.Len(t, rows, len(want.Rows))
		for i, w := range want.Rows {
			r := rows[i]
			require.Equal(t, []any{w[0], w[1], w[2], w[3], w[7], w[8]}, []any{r.Provider, float64(r.Paid), float64(r.N), float64(r.Errors), r.PaidDKK, r.KnownDKK})
			for k, got := range []float64{r.Rate, r.Low, r.High} {
				if w[4+k] == nil {
					require.True(t, math.IsNaN(got))
					require.Empty(t, r.Implied+r.ImpliedMax)
					continue
				}
				require.InEpsilon(t, 1+w[4+k].(float64), 1+got, 3e-9)
			}
			for k, got := range []string{r.Implied, r.ImpliedMax} {
				if w[9+k] == "" {
					require.Empty(t, got)
					continue
				}
				a, err := strconv.ParseFloat(w[9+k].(string), 64)
				require.NoError(t, err)
				b, err := strconv.ParseFloat(got, 64)
				require.NoError(t, err)
				require.InDelta(t, a, b, 0.0101) // a limit's last digit is worth less than an ore here
			}
		}
		if want.N >= len(paid) { // everybody was looked at
			require.Equal(t, rows[len(rows)-1].KnownDKK, rows[len(rows)-1].Implied)
			require.Equal(t, rows[len(rows)-1].KnownDKK, rows[len(rows)-1].ImpliedMax)
		}
	}
	_, err = jobeffekt.Sample(paid, jobeffekt.Control{})
	require.ErrorIs(t, err, effect.ErrDesign)
	_, err = jobeffekt.ErrorRates(paid, nil, nil, jobeffekt.Control{N: 1}, 1)
	require.ErrorIs(t, err, effect.ErrDesign)
}

// Over many seeds the interval holds the true share of errors at least as often as it
// says, the implied kroner are right in the mean, and every case is drawn as often.
func TestControlHolds(t *testing.T) {
	const all, n, seeds, errs = 120, 30, 700, 18
	var paid []jobeffekt.PaidCase
	findings := map[string]bool{}
	var truth float64
	for i := range all {
		provider := []string{"a", "b"}[i%3/2]
		p := jobeffekt.PaidCase{Agreement: "A", Provider: provider, Participation: fmt.Sprint("case", i), Amount: big.NewRat(int64(100+i%5), 1)}
		paid = append(paid, p)
		findings[p.Participation] = i%7 != 0
		if i%7 == 0 {
			truth += float64(100 + i%5)
		}
	}
	for _, each := range []bool{false, true} {
		held, below, drawn, mean := 0, 0, map[string]int{}, 0.0
		for seed := range uint64(seeds) {
			c := jobeffekt.Control{N: n, Seed: seed, PerProvider: each}
			sample, err := jobeffekt.Sample(paid, c)
			require.NoError(t, err)
			for _, p := range sample {
				drawn[p.Participation]++
			}
			rows, err := jobeffekt.ErrorRates(paid, sample, findings, c, 0.9)
			require.NoError(t, err)
			total := rows[len(rows)-1]
			if total.Low <= float64(errs)/all && float64(errs)/all <= total.High {
				held++
			}
			top, err := strconv.ParseFloat(total.ImpliedMax, 64)
			require.NoError(t, err)
			if truth <= top {
				below++
			}
			point, err := strconv.ParseFloat(total.Implied, 64)
			require.NoError(t, err)
			mean += point / seeds
		}
		require.GreaterOrEqual(t, float64(held), 0.9*seeds)
		require.GreaterOrEqual(t, float64(below), 0.93*seeds)
		require.InEpsilon(t, truth, mean, 0.02)
		// 80 cases of a, 40 of b; six standard deviations of a binomial count.
		for _, p := range paid {
			chance := float64(n) / all
			if each {
				chance = n / map[string]float64{"a": 80, "b": 40}[p.Provider]
			}
			require.InDelta(t, chance*seeds, drawn[p.Participation], 6*math.Sqrt(seeds*chance*(1-chance)))
		}
	}
}

func TestPaidCases(t *testing.T) {
	line := func(id, provider, clause, quantity string, ore bonus.Ore) bonus.Line {
		return bonus.Line{ID: id, Agreement: "A", Provider: provider, Clause: clause, Quantity: quantity, Amount: ore}
	}
	day := effect.NewDate(2008, 5, 1)
	s := &bonus.Settlement{
		Lines: []bonus.Line{
			line("1", "north", "job", "3", 10000), line("2", "north", "weeks", "3/2", 900), line("3", "north", "cap", "", -50),
			line("4", "south", "job", "0", 0), line("5", "south", "job", "2", 0), line("6", "south", "job", "1", 500), line("7", "south", "effect", "7", 700),
		},
		Entries: []bonus.Entry{
			{Line: "1", Participation: "9", On: day, Quantity: "1"},
			{Line: "1", Participation: "10", On: day + 1, Quantity: "2"},
			{Line: "2", Participation: "9", On: day - 1, Quantity: "2"},
			{Line: "2", Participation: "11", On: day, Quantity: "-1/2"},
			{Line: "4", Participation: "12", On: day, Quantity: "1"},
			{Line: "4", Participation: "13", On: day, Quantity: "-1"},
			{Line: "5", Participation: "12", On: day, Quantity: "2"},
			{Line: "6", Participation: "9", On: day, Quantity: "1"},
		},
	}
	paid, err := jobeffekt.PaidCases(s)
	require.NoError(t, err)
	var got []string
	for _, p := range paid {
		got = append(got, fmt.Sprint(p.Provider, " ", p.Participation, " ", p.Clauses, " ", p.On, " ", p.Amount.RatString()))
	}
	// 100 kr. for 3 is 100/3 for each; 9 kr. for 3/2 is 6 for each, and 11 gives 3 back.
	require.Equal(t, []string{"north 9 [job weeks] 2008-04-30 136/3", "north 10 [job] 2008-05-02 200/3", "south 9 [job] 2008-05-01 5"}, got)
	table := jobeffekt.ControlTable(paid)
	require.Equal(t, []int64{9, 10, 9}, table.Column("participation_id").Ints)
	require.Equal(t, "45.33", table.Column("amount_dkk").Cell(0))
	s.Entries = append(s.Entries, bonus.Entry{Line: "8", Participation: "secret"})
	_, err = jobeffekt.PaidCases(s)
	require.ErrorIs(t, err, jobeffekt.ErrTables)
	require.NotContains(t, err.Error(), "secret")
}

func TestFindings(t *testing.T) {
	sample := []jobeffekt.PaidCase{{Participation: "1"}, {Participation: "2"}, {Participation: "3"}, {Participation: "2"}}
	table := func(ids []int64, ok ...string) *ingest.Table {
		return &ingest.Table{Columns: []ingest.Column{{Name: "participation_id", Ints: ids}, {Name: "ok", Texts: ok}}}
	}
	found, err := jobeffekt.Findings(table([]int64{3, 1, 2, 1}, "TRUE", "0", "yes", "false"), sample)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"1": false, "2": true, "3": true}, found)
	found, err = jobeffekt.Findings(&ingest.Table{Columns: []ingest.Column{{Name: "participation_id", Texts: []string{"1", "2", "3"}}, {Name: "ok", Bools: []bool{true, false, true}}}}, sample)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"1": true, "2": false, "3": true}, found)

	_, err = jobeffekt.Findings(table([]int64{1, 2, 2, 7, 8, 3}, "", "true", "false", "true", "true", "perhaps"), sample)
	require.ErrorIs(t, err, effect.ErrDesign)
	for _, want := range []string{"row 1 has no finding", "row 3 says otherwise", "2 rows are about cases that were not drawn", "row 6 has no finding"} {
		require.ErrorContains(t, err, want)
	}
	_, err = jobeffekt.Findings(table([]int64{1}, "true"), sample)
	require.ErrorContains(t, err, "2 of the 3 cases drawn have no finding")
	_, err = jobeffekt.Findings(&ingest.Table{}, sample)
	require.ErrorContains(t, err, "participation_id and ok")
}

// A million referrals, and a hundred thousand invoices and payments.
func BenchmarkReconcile(b *testing.B) {
	const n, docs = 1_000_000, 100_000
	books := jobeffekt.Books{Terms: []*bonus.Terms{{Agreement: "A", Periods: bonus.Month}}, Cases: &effect.Cases{}}
	agreement, provider := make([]string, n), make([]string, n)
	for i := range n {
		agreement[i], provider[i] = "A", fmt.Sprint("provider", i%50)
		books.Cases.ID.Append(effect.NumberID(int64(i)))
		books.Cases.Referral = append(books.Cases.Referral, effect.NewDate(2005, 1, 1)+effect.Date(i%1400))
	}
	books.Cases.Agreement, books.Cases.Provider = effect.NewFactor(agreement), effect.NewFactor(provider)
	for i := range docs {
		period := fmt.Sprintf("%d-%02d", 2005+i%4, 1+i%12)
		books.Invoices = append(books.Invoices, ingest.Invoice{ID: fmt.Sprint(i), Agreement: "A", Provider: provider[i], Period: period, Amount: fmt.Sprint(i)})
		books.Payments = append(books.Payments, ingest.Payment{ID: fmt.Sprint(i), Agreement: "A", Provider: provider[i], Period: period, Amount: fmt.Sprint(i)})
	}
	for b.Loop() {
		_, err := jobeffekt.Reconcile(books)
		require.NoError(b, err)
	}
}
