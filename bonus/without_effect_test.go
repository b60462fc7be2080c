package bonus_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// What effect lines would pay without effect is added up by clause and provider:
// chances as those of independent lines, amounts as they are. Values by hand.
func TestWithoutEffectAddsUp(t *testing.T) {
	const chance = "if the provider had no effect: chance of being paid all the same, before gate and limit"
	const amount = "if the provider had no effect: mean amount paid, before gate and limit"
	s := &bonus.Settlement{
		Lines: []bonus.Line{
			{ID: "a", Agreement: "A", Clause: "effect", Provider: "north"},
			{ID: "b", Agreement: "A", Clause: "effect", Provider: "north"},
			{ID: "c", Agreement: "A", Clause: "effect", Provider: "south"},
			{ID: "d", Agreement: "A", Clause: "job", Provider: "south"},
			{ID: "e", Agreement: "A", Clause: "heavy", Provider: "south"},
		},
		Steps: []bonus.Step{
			{Line: "a", No: 1, What: "citizens", Value: "3"},
			{Line: "a", No: 2, What: chance, Value: "0.025"},
			{Line: "a", No: 3, What: amount, Value: "1000.5"},
			{Line: "b", No: 1, What: chance, Value: "0.5"},
			{Line: "b", No: 2, What: amount, Value: "2000"},
			{Line: "c", No: 1, What: chance, Value: "(none)"},
			{Line: "c", No: 2, What: amount, Value: "(none)"},
			{Line: "e", No: 1, What: chance, Value: "0.1"},
			{Line: "e", No: 2, What: amount, Value: "(none)"},
		},
	}
	got := s.WithoutEffect()
	assert.Len(t, got, 3)
	assert.Equal(t, bonus.Without{Agreement: "A", Clause: "effect", Provider: "north", Lines: 2, Told: 2, Chance: 0.5125, Amount: 3000.5}, got[0], "1 - 0.975 x 0.5")
	assert.Equal(t, [2]int64{1, 0}, [2]int64{got[1].Lines, got[1].Told})
	assert.True(t, math.IsNaN(got[1].Chance))
	assert.True(t, math.IsNaN(got[1].Amount))
	assert.InDelta(t, 0.1, got[2].Chance, 1e-12)
	assert.True(t, math.IsNaN(got[2].Amount), "a chance without a finite mean")
	assert.Empty(t, (&bonus.Settlement{}).WithoutEffect())
}

// Settle writes the notes that are added up.
func TestWithoutEffectOfASettlement(t *testing.T) {
	b := measured(nil)
	found := settle(t, readTerms(t), bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}).WithoutEffect()
	require.Len(t, found, 1)
	assert.Equal(t, "effect", found[0].Clause)
	assert.InDelta(t, 0.025, found[0].Chance, 1e-9, "the lower limit of a 95 % interval is above 0")
	assert.Greater(t, found[0].Amount, 0.0)
}
