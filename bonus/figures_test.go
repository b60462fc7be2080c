package bonus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

func TestFigureBook(t *testing.T) {
	f := func(name, period, value string) bonus.Figure {
		return bonus.Figure{Name: name, Provider: "north", Period: period, N: -1, Value: value}
	}
	book, err := bonus.NewFigureBook([]bonus.Figure{
		f("ratio", "2008", "1"), f("ratio", "2008H2", "2"), f("ratio", "2009-01", "3"), f("ratio", "2008-09", "0.10"),
		f("inspection", "2008-12-31", "4"), f("inspection", "2009-01-01", ""),
	})
	require.NoError(t, err)
	values := func(name string, day effect.Date) (out []string) {
		for _, f := range book.UpTo(name, "north", day) {
			out = append(out, f.Value)
		}
		return out
	}
	end := effect.NewDate(2008, 12, 31)
	require.Equal(t, []string{"2", "1", "0.10"}, values("ratio", end))
	require.Equal(t, []string{"0.10"}, values("ratio", end-1))
	require.Equal(t, []string{"3", "2", "1", "0.10"}, values("ratio", effect.NewDate(2009, 1, 31)))
	require.Equal(t, []string{"4"}, values("inspection", end))
	require.Equal(t, []string{"", "4"}, values("inspection", end+1), "the latest inspection has no grade that is a number")
	require.Empty(t, book.UpTo("ratio", "south", end))
	period, err := effect.ParsePeriod("2008H2")
	require.NoError(t, err)
	got, ok := book.For("ratio", "north", period)
	require.True(t, ok)
	require.Equal(t, "2/1", got.Rat().String())
	_, ok = book.For("ratio", "north", effect.Period{Start: period.Start, End: period.End + 1})
	require.False(t, ok)
	for _, bad := range [][]bonus.Figure{
		{f("ratio", "2008", "1"), f("ratio", "2008", "2")}, {f("ratio", "2008", "1e3")}, {f("ratio", "2008", "1/3")}, {f("ratio", "200809", "1")},
	} {
		_, err := bonus.NewFigureBook(bad)
		require.ErrorIs(t, err, bonus.ErrFacts)
	}
}
