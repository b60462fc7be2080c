package jobeffekt_test

import (
	"context"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
)

// decidingClause goes before the limits of the demonstration's terms.
const decidingClause = `      - id: share
        section: "8.6"
        text: The provider with the lowest share in lasting work is warned if it lies more than 2.5 points under the best
        measure:
          score:
            cases: {by: window_end}
            parts: [{name: In lasting work, results: [sustained_13w], share: true, weight: 100}]
            min_n: 10
        decision: {then: warned, lowest: true, under_best_by: {points: 2.5}}
    limits: [`

// Decisions survive in their table, stand in the summary, and pay nothing.
func TestDecisionsAreKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	plain, err := jobeffekt.Run(ctx, job(t))
	require.NoError(t, err)
	require.Empty(t, plain.Settlement.Decisions)

	c := job(t, "    limits: [", decidingClause)
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	require.Len(t, r.Settlement.Lines, len(plain.Settlement.Lines))
	require.NotEmpty(t, r.Settlement.Decisions)
	summary, err := os.ReadFile(filepath.Join(c.ResultsFolder(), jobeffekt.SummaryName))
	require.NoError(t, err)
	met := 0
	for _, d := range r.Settlement.Decisions {
		if d.State == bonus.DecisionMet {
			met++
			require.Contains(t, string(summary), d.Provider+" is warned by clause share for "+d.Period)
		}
		if d.Value == "" {
			continue
		}
		// The value is 100 x reached / cases, both counted anew.
		var reached, n int64
		s := r.Observations
		result, _ := s.Result("sustained_13w")
		for i := range s.Cases.Len() {
			if s.Cases.Provider.At(i) != d.Provider || s.Cases.Agreement.At(i) != d.Agreement || result.Reason[i].String() != "" && result.Status[i].String() != "reached" {
				continue
			}
			if end := result.WindowEnd[i] - 1; half(end.String()) == d.Period {
				n++
				if on := result.ReachedOn[i]; on >= 0 && result.Status[i].String() == "reached" {
					reached++
				}
			}
		}
		require.Equal(t, n, d.N)
		got, ok := new(big.Rat).SetString(d.Value)
		require.True(t, ok)
		require.Zero(t, big.NewRat(100*reached, n).Cmp(got), "%s %s", d.Provider, d.Period)
	}
	require.Positive(t, met, "somebody is warned, or the test shows nothing")

	back, err := jobeffekt.ReadSettlement(ctx, c.ResultsFolder())
	require.NoError(t, err)
	require.Len(t, back.Decisions, len(r.Settlement.Decisions))
	for i, d := range back.Decisions {
		want := r.Settlement.Decisions[i]
		require.Equal(t, []any{want.ID, want.State, want.Value, want.Since, want.N}, []any{d.ID, d.State, d.Value, d.Since, d.N})
		steps := 0
		for _, s := range back.Steps {
			if s.Line == d.ID {
				steps++
			}
		}
		require.Positive(t, steps, "a decision has its steps")
	}
}

// half is the half-year of a day.
func half(day string) string {
	if strings.Compare(day[5:], "07-01") < 0 {
		return day[:4] + "H1"
	}
	return day[:4] + "H2"
}
