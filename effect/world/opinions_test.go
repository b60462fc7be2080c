package world_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/world"
)

func TestOpinions(t *testing.T) {
	o := world.Demo()
	w := newWorld(t, o)
	b := w.Block(1, int64(o.Persons)+1)
	whole, parts := w.Surveys(), w.Surveys()
	whole.Add(b.Participations)
	parts.Add(b.Participations[1000:])
	parts.Add(b.Participations[:1000])
	surveys := whole.Rows()
	untold := func(rows []world.Survey) []world.Survey {
		rows = slices.Clone(rows)
		for i := range rows {
			if math.IsNaN(rows[i].Invited) {
				rows[i].Invited = -1
			}
		}
		return rows
	}
	require.Equal(t, untold(surveys), untold(parts.Rows()))

	ended := map[string]float64{}
	for _, p := range b.Participations {
		if p.ProviderID == "L751-2" && !math.IsNaN(p.Price) && p.End > 0 {
			ended[(p.End - 1).String()[:4]]++
		}
	}
	few, unknown := 0, 0
	for _, s := range surveys {
		assert.True(t, 1 <= s.Mean && s.Mean <= 5, "%v", s)
		assert.Contains(t, []string{"2008", "2009"}, s.Period, "2010 was not over")
		if math.IsNaN(s.Invited) {
			unknown++
		} else {
			assert.LessOrEqual(t, float64(s.N), s.Invited)
		}
		if s.N < 5 {
			few++
		}
		if s.ProviderID == "L751-2" {
			assert.Equal(t, ended[s.Period], s.Invited)
		}
		assert.False(t, s.ProviderID == "L751-1" && s.Period == "2008")
	}
	// Of 36 providers, three of each.
	assert.Equal(t, []int{3, 6, 36*2 - 3}, []int{few, unknown, len(surveys)})

	for _, x := range w.Inspections() {
		assert.LessOrEqual(t, x.On, o.Extracted)
		assert.NotEqual(t, "L751-2", x.ProviderID)
		assert.Contains(t, x.Note, "(opdigtet)")
	}
	texts := w.Experience()
	assert.Len(t, texts, 2*(36-3))

	// One more municipality moves nothing of those before.
	o.Municipalities++
	grown := newWorld(t, o)
	assert.Equal(t, texts, grown.Experience()[:len(texts)])
	assert.Equal(t, w.Inspections(), grown.Inspections()[:len(w.Inspections())])
}
