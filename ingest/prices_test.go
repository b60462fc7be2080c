package ingest

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

func participationsWith(prices ...float64) *Table {
	n := len(prices)
	t := &Table{Columns: []Column{
		{Name: "participation_id"}, {Name: "person_id"}, {Name: "municipality"}, {Name: "match_scheme"}, {Name: "match_group"}, {Name: "referral_date"}, {Name: "agreement_id"}, {Name: "price"},
	}}
	for i := range n {
		t.Columns[0].Ints, t.Columns[1].Ints = append(t.Columns[0].Ints, int64(i)), append(t.Columns[1].Ints, 1)
		for k := 2; k < 5; k++ {
			t.Columns[k].Texts = append(t.Columns[k].Texts, "x")
		}
		t.Columns[5].Dates = append(t.Columns[5].Dates, effect.NewDate(2008, 12, 30)+effect.Date(i))
		t.Columns[6].Texts = append(t.Columns[6].Texts, []string{"A", "9", "A", ""}[i%4])
		t.Columns[7].Floats = append(t.Columns[7].Floats, prices[i])
	}
	return t
}

func TestPrices(t *testing.T) {
	ctx := context.Background()
	data := func(table *Table) *Dataset {
		d := NewDataset(DefaultOptions())
		require.NoError(t, d.AddTable(Participations, "participations.csv", table))
		return d
	}
	d := data(participationsWith(0.1, 7, 0.2, 1000, 0.3, math.NaN(), 0.7, 1000, 12))
	require.True(t, d.HasPrices())
	_, err := d.Cases(ctx)
	require.NoError(t, err)
	counts := d.Counts()
	// The rows of A are referred on 12-30, 01-01, 01-03, 01-05 and 01-07; those of 9
	// on 12-31 and, without a price, on 01-04.
	got, err := d.Prices(ctx, effect.NewDate(2009, 1, 6))
	require.NoError(t, err)
	require.Equal(t, []Priced{{"9", 2008, "7", 0}, {"9", 2009, "0", 1}, {"A", 2008, "0.1", 0}, {"A", 2009, "1.2", 0}}, got)
	require.Equal(t, counts, d.Counts(), "reading prices leaves the counts as they are")

	_, err = data(participationsWith(1, math.Inf(1))).Prices(ctx, effect.LastDate)
	require.ErrorContains(t, err, "1 price cannot be read")
	without := participationsWith(1)
	without.Columns = without.Columns[:7]
	require.False(t, data(without).HasPrices())
}

// A table in memory reads as the same table in Parquet does, with its label in place
// of the file.
func TestAddTable(t *testing.T) {
	ctx := context.Background()
	table := &Table{Columns: []Column{
		{Name: "id", Texts: []string{"b", "10", "", "c", "d"}},
		{Name: "agreement_id", Ints: []int64{1, 2, 3, 4, 5}},
		{Name: "provider_id", Factor: new(effect.NewFactor([]string{"P", "", "P", "P", "Q"}))},
		{Name: "period", Texts: []string{"2008", "2008", "2008", "2008H3", "2008-09"}},
		{Name: "date", Dates: []effect.Date{14000, 14000, 14000, 14000, effect.NoDate}},
		{Name: "amount_dkk", Floats: []float64{-0.05, 1, 1, 1, 1}},
		{Name: "paid", Bools: make([]bool, 5)},
	}}
	opt := DefaultOptions()
	opt.MaxRejectShare = 1
	memory := NewDataset(opt)
	require.NoError(t, memory.AddTable(Payments, "paid.csv", table))
	require.NoError(t, memory.Check(ctx))
	rows, err := Rows[Payment](ctx, memory)
	require.NoError(t, err)
	require.Equal(t, []Payment{{"b", "1", "P", "2008", 14000, "-0.05"}}, rows)
	require.Equal(t, []Reject{
		{Payments, "paid.csv", 2, "provider_id", "required, but null"},
		{Payments, "paid.csv", 3, "id", "required, but null"},
		{Payments, "paid.csv", 4, "period", "not a period written as 2008, 2008H1, 2008Q3 or 2008-09"},
		{Payments, "paid.csv", 5, "date", "required, but null"},
	}, memory.Rejects())

	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "payments.parquet"))
	require.NoError(t, err)
	require.NoError(t, table.WriteParquet(f))
	require.NoError(t, f.Close())
	file, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	same, err := Rows[Payment](ctx, file)
	require.NoError(t, err)
	require.Equal(t, rows, same)

	require.ErrorIs(t, memory.AddTable("paymentz", "x", table), ErrNoTable)
	require.ErrorIs(t, memory.AddTable(Payments, "x", &Table{Columns: []Column{{Name: "id"}}}), ErrTable)
}
