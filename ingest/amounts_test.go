package ingest

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

type paidSpell struct {
	Person   int64    `parquet:"person_id"`
	State    string   `parquet:"state,dict"`
	Start    int32    `parquet:"start_date,date"`
	End      *int32   `parquet:"end_date,date"`
	Hours    *float64 `parquet:"hours_per_week"`
	Amount   *float64 `parquet:"amount"`
	Employer string   `parquet:"employer_id"`
}

// Hours, amounts and employers are read where they are asked for, and only there.
func TestSpellAmounts(t *testing.T) {
	dir := t.TempDir()
	end := new(int32(13010))
	writeRows(t, filepath.Join(dir, "spells.parquet"), []paidSpell{
		{1, "flex_job", 13000, end, new(37.5), new(1000.25), "9"},
		{2, "flex_job", 13000, end, nil, nil, ""},
		{2, "flex_job", 13001, end, new(-1.0), nil, "x"},
		{2, "flex_job", 13002, end, new(168.1), nil, "x"},
		{2, "flex_job", 13003, end, new(0.0), new(-0.01), "x"},
		{2, "flex_job", 13004, end, new(168.0), new(2e10), "x"},
		{2, "flex_job", 13005, end, new(math.Inf(1)), nil, "x"},
		{1, "flex_job", 13006, end, nil, new(math.NaN()), "x"},
		{3, "flex_job", 13007, end, new(-1.0), nil, "x"}, // an orphan is not looked at
	})
	cases := &effect.Cases{Persons: effect.NewIDs(effect.NumberID(1), effect.NumberID(2))}
	lines := func(employers []effect.ID, change func(*Options)) (*Dataset, []string) {
		opt := testOptions()
		opt.MaxRejectShare = 1
		change(&opt)
		d, err := OpenFolder(dir, opt)
		require.NoError(t, err)
		require.NoError(t, d.Check(context.Background()))
		var mu sync.Mutex
		var out []string
		require.NoError(t, d.Spells(context.Background(), cases, employers, func(s effect.Spells) error {
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, opt.Hours, s.Hours != nil)
			require.Equal(t, opt.Amounts, s.Amount != nil)
			require.Equal(t, employers != nil, s.Employer != nil)
			for i := range s.Person {
				line := fmt.Sprint(s.Person[i], " ", int32(s.Start[i]))
				if opt.Hours {
					line += fmt.Sprint(" ", s.Hours[i])
				}
				if opt.Amounts {
					line += fmt.Sprint(" ", s.Amount[i])
				}
				if employers != nil {
					line += fmt.Sprint(" ", s.Employer[i])
				}
				out = append(out, line)
			}
			return nil
		}))
		slices.Sort(out)
		return d, out
	}
	d, all := lines([]effect.ID{effect.NumberID(7), effect.NumberID(9), effect.TextID("a")}, func(o *Options) { o.Hours, o.Amounts = true, true })
	require.Equal(t, []string{"0 13000 37.5 1000.25 1", "1 13000 NaN NaN -1"}, all)
	require.Equal(t, []Reject{
		{Row: 3, Column: "hours_per_week", Cause: "number is out of range"},
		{Row: 4, Column: "hours_per_week", Cause: "number is out of range"},
		{Row: 5, Column: "amount", Cause: "number is out of range"},
		{Row: 6, Column: "amount", Cause: "number is out of range"},
		{Row: 7, Column: "hours_per_week", Cause: "number is not finite"},
		{Row: 8, Column: "amount", Cause: "number is not finite"},
	}, causes(d, Spells))
	_, plain := lines(nil, func(*Options) {})
	require.Len(t, plain, 8, "what is not read cannot be bad")
	_, hours := lines(nil, func(o *Options) {
		o.Hours, o.Constants = true, map[string]map[string]string{Spells: {"hours_per_week": "30"}}
	})
	require.Len(t, hours, 8)
	require.Equal(t, "0 13000 30", hours[0])
}

// A column that an outcome needs must be there; that of employers need not be.
func TestSpellAmountsMissing(t *testing.T) {
	dir := t.TempDir()
	writeRows(t, filepath.Join(dir, "spells.parquet"), []testSpell{{"1", "flex_job", 13000, nil}})
	opt := testOptions()
	opt.Hours, opt.Amounts = true, true
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	var schema *SchemaError
	require.ErrorAs(t, d.Check(context.Background()), &schema)
	require.Len(t, schema.Problems, 2)
	require.ErrorContains(t, schema, "hours_per_week")
	opt.Hours, opt.Amounts = false, false
	d, err = OpenFolder(dir, opt)
	require.NoError(t, err)
	one := []effect.ID{effect.NumberID(1)}
	require.NoError(t, d.Spells(context.Background(), &effect.Cases{Persons: effect.NewIDs(one...)}, one, func(s effect.Spells) error {
		require.Nil(t, s.Employer)
		return nil
	}))
}
