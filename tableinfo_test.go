package jobeffekt

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every table says what it is about and by what its rows are told apart.
func TestResultTables(t *testing.T) {
	seen := map[string]bool{}
	for _, info := range ResultTables() {
		assert.NotEmpty(t, info.About, info.Name)
		assert.NotEmpty(t, info.Key, info.Name)
		assert.False(t, seen[info.Name], info.Name)
		seen[info.Name] = true
	}
	_, known := ResultTable("no_such_table")
	assert.False(t, known)
	strata, _ := ResultTable(TablePeerStrata)
	assert.Equal(t, []string{"period", "age"}, strata.KeyOf([]string{"period", "n", "sum", "sum_squares", "age", SuppressedColumn}))
}
