package jobeffekt

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A new table has to say what of it may leave the house.
func TestEveryTableSaysWhatMayLeave(t *testing.T) {
	what := outwards(money{})
	all := append(allTables(), TablePaid)
	for _, name := range all {
		require.Contains(t, what, name)
	}
	require.Len(t, what, len(all))
}
