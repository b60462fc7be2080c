package jobeffekt

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A new table has to say what of it may leave the house.
func TestEveryTableSaysWhatMayLeave(t *testing.T) {
	what := outwards()
	for _, name := range allTables() {
		require.Contains(t, what, name)
	}
	require.Len(t, what, len(allTables()))
}
