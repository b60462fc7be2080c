package ledger_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Whatever appears, vanishes and changes between settlements: what is booked under
// each key adds up to what the last settlement says, the cases behind it are those
// of the last settlement, rows that were booked never change, accounts add up,
// the same again adds nothing, and the ledger verifies.
func TestWhateverComesLate(t *testing.T) {
	terms := seal(t, readTerms(t, "final: 12 months", "final: 120 months", "limitation: 36 months", "limitation: 120 months"))
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx, o := context.Background(), ledger.Default()
		o.Create = true
		n++
		l, err := ledger.Open(ctx, fmt.Sprintf("%s/%d.db", dir, n), o)
		require.NoError(t, err)
		defer l.Close()
		jobs, effects := map[string]job{}, map[string]bonus.Ore{}
		var before []ledger.BookedLine
		var carried bonus.Ore
		for period := terms.Periods.Period(terms.Starts); period.Start < day("2010-01-01"); period = terms.Periods.Period(period.End) {
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				id := fmt.Sprint(rapid.IntRange(1, 12).Draw(t, "case"))
				if _, there := jobs[id]; there && rapid.Bool().Draw(t, "vanishes") {
					delete(jobs, id)
					continue
				}
				jobs[id] = job{
					id: id, provider: rapid.SampledFrom([]string{"north", "south", "øst & vest"}).Draw(t, "provider"),
					on:       (terms.Starts + effect.Date(rapid.IntRange(0, int(period.End-terms.Starts)-1).Draw(t, "day"))).String(),
					quantity: fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "quantity")),
				}
			}
			if rapid.Bool().Draw(t, "an effect") {
				effects[rapid.SampledFrom([]string{"north", "south"}).Draw(t, "effect of")] = bonus.Ore(rapid.Int64Range(0, 5).Draw(t, "effect") * 1000_00)
			}
			if rapid.IntRange(0, 4).Draw(t, "no effects") == 0 {
				clear(effects)
			}
			if id := fmt.Sprint(rapid.IntRange(1, 40).Draw(t, "erased")); rapid.Bool().Draw(t, "erases") {
				_, err := l.Erase(ctx, id, controller(period.Start.String()))
				require.NoError(t, err)
			}
			on := period.End + effect.Date(rapid.IntRange(0, 100).Draw(t, "booked after"))
			var list []job
			for _, id := range slices.Sorted(maps.Keys(jobs)) {
				list = append(list, jobs[id])
			}
			s := settle(t, terms, (period.End - 1).String(), list, effects)
			r := book(t, l, s, period.Name, on.String())
			whole(t, l)

			// The last settlement, by key.
			want := map[string]bonus.Ore{}
			for _, line := range s.Settlement.Lines {
				want[keyOf(line)] += line.Amount
			}
			got := map[string]bonus.Ore{}
			lines, err := l.Lines(ctx, ledger.Query{})
			require.NoError(t, err)
			var total bonus.Ore
			for _, line := range lines {
				require.NotEqual(t, ledger.KindTooLate, line.Kind)
				got[line.Key] += line.Amount
				total += line.Amount
			}
			for key, amount := range got {
				require.Equal(t, want[key], amount, key)
			}
			for key, amount := range want {
				require.Equal(t, amount, got[key], key)
			}
			require.True(t, slices.Equal(before, lines[:len(before)]), "what was booked stays")
			before = lines

			// The cases behind the lines.
			quantities := map[string]int{}
			for _, e := range s.Settlement.Entries {
				quantities[fmt.Sprint(e.Line, e.On, e.Quantity)]++
			}
			cases, err := l.Cases(ctx, ledger.Query{})
			require.NoError(t, err)
			type at struct {
				line, key string
				on        effect.Date
			}
			state := map[at]string{}
			for _, c := range cases {
				k := at{c.Of, c.Case.Case, c.On}
				require.Equal(t, c.Before, or(state[k], "0"))
				state[k] = c.Now
			}
			for k, q := range state {
				if q != "0" {
					quantities[fmt.Sprint(k.line, k.on, q)]--
				}
			}
			for what, left := range quantities {
				require.Zero(t, left, what)
			}

			// What is due adds up to what is booked.
			var opening, paid bonus.Ore
			for _, a := range r.Plans[0].Accounts {
				require.Equal(t, a.Due, a.Opening+a.Lines+a.Corrections)
				require.Equal(t, a.Due, a.Pay+a.Carried-a.Claimed)
				require.True(t, a.Pay == 0 || a.Carried == 0)
				opening += a.Opening
			}
			require.Equal(t, carried, opening)
			accounts, err := l.Accounts(ctx, ledger.Query{})
			require.NoError(t, err)
			carried = 0
			for _, a := range accounts {
				paid += a.Pay
				if a.Period == period.Name {
					carried += a.Carried
				}
			}
			require.Equal(t, total, paid+carried)

			again, err := l.Propose(ctx, s, period.Name, preparer(on.String()))
			require.NoError(t, err)
			require.True(t, again.Same())
		}
	})
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// keyOf is a line's key in the cohort of settle.
func keyOf(l bonus.Line) string {
	if l.Clause != "effect" {
		return l.ID
	}
	return l.Agreement + "/" + l.Provider + "/from 2008-01-01/" + l.ID[len(l.Agreement)+len(l.Provider)+len(l.Period)+3:]
}
