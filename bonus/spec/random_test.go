package spec_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
)

// TestRandomSettlements settles random terms on random cases, and compares every
// provider's amount of every settlement period, clause and limit with a second
// implementation in exact fractions, which was written from docs/terms.md:
// testdata/reference/settle_random.py.
func TestRandomSettlements(t *testing.T) {
	file := "../../testdata/reference/settle_random.json"
	if other := os.Getenv("SETTLE_RANDOM"); other != "" {
		file = other
	}
	var worlds []struct {
		Seed        int
		Terms, Spec string
		Amounts     map[string]int64 // ore
		Owed        map[string]int64
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, file)), &worlds))
	require.NotEmpty(t, worlds)
	paid := 0
	for _, w := range worlds {
		t.Run(fmt.Sprint(w.Seed), func(t *testing.T) {
			terms, err := bonus.ParseTerms("terms.yaml", []byte(w.Terms))
			require.NoError(t, err)
			s, err := spec.Parse("spec.yaml", []byte(w.Spec))
			require.NoError(t, err)
			all, f, err := s.Facts(0, terms)
			require.NoError(t, err)
			settled, err := bonus.Settle(context.Background(), all, f)
			require.NoError(t, err)
			amounts, owed := map[string]int64{}, map[string]int64{}
			add := func(key string, amount int64) {
				if amounts[key] += amount; amounts[key] == 0 {
					delete(amounts, key)
				}
			}
			for _, l := range settled.Lines {
				add(l.Provider+"/"+l.Period+"/"+l.Clause, int64(l.Amount))
			}
			for _, b := range settled.Carried {
				owed[b.Provider] = -int64(b.Amount)
			}
			require.Equal(t, w.Amounts, amounts)
			require.Equal(t, w.Owed, owed)
			paid += len(amounts)
		})
	}
	require.Greater(t, paid, len(worlds), "most of them pay something")
}
