package jobeffekt

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDanishOrder sorts as ICU does: testdata/reference/danish_order.R.
func TestDanishOrder(t *testing.T) {
	b, err := os.ReadFile("testdata/reference/danish_order.txt")
	require.NoError(t, err)
	want := strings.Split(strings.TrimSpace(string(b)), "\n")[1:]
	require.Greater(t, len(want), 140)
	got := slices.Clone(want)
	slices.Sort(got)
	slices.SortFunc(got, danish())
	assert.Equal(t, want, got)
	slices.Reverse(got)
	slices.SortFunc(got, danish())
	assert.Equal(t, want, got)
}

// TestDanishTies: what differs in letters' case, or in how it is encoded, goes by
// its bytes.
func TestDanishTies(t *testing.T) {
	for _, in := range [][]string{
		{"FANØ", "Fanø", "fanØ", "fanø"},
		{"A\u030Arhus", "\u00C5rhus", "Aarhus", "aarhus"}, // Å as two signs or one, then Aa
		{"Læsø", "Læsø"},
	} {
		got := slices.Clone(in)
		slices.Reverse(got)
		slices.SortFunc(got, danish())
		assert.Equal(t, in, got)
	}
	compare := danish()
	assert.Zero(t, compare("Fanø", "Fanø"))
	for _, pair := range [][2]string{{"Odense", "Aabenraa"}, {"Ærø", "Ødense"}, {"Øster", "Aalborg"}, {"Aabenraa", "Aalborg"}, {"Aalborg", "Aarhus"}, {"Zealand", "Ærø"}, {"", "A"}} {
		assert.Negative(t, compare(pair[0], pair[1]), pair)
		assert.Positive(t, compare(pair[1], pair[0]), pair)
	}
}
