package jobeffekt_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Each long part of a job counts as many as it said there are, also where rows are
// passed over because other municipalities are asked for.
func TestLongPartsAreCounted(t *testing.T) {
	rows := int64(0)
	for _, municipalities := range [][]string{nil, {"751"}} {
		c := job(t)
		c.Cohort.Municipalities = municipalities
		ctx, m := context.Background(), &effect.Meter{}
		metered := effect.WithMeter(ctx, m)
		ds, err := c.OpenData(ctx)
		require.NoError(t, err)
		cases, err := ds.Cases(metered)
		require.NoError(t, err)
		require.NoError(t, ds.Observe(metered, cases, nil))
		spells := m.Now()
		assert.Equal(t, "reading spells", spells.What)
		assert.Positive(t, spells.Of)
		assert.Equal(t, spells.Of, spells.Done())
		if rows == 0 {
			rows = spells.Of
		}
		assert.Equal(t, rows, spells.Of, "rows that are passed over count too")

		if municipalities != nil {
			continue
		}
		measured, err := jobeffekt.Measure(ctx, ds, c)
		require.NoError(t, err)
		e, err := jobeffekt.Estimate(metered, ds, c, measured.Observations)
		require.NoError(t, err)
		cells := m.Now()
		assert.Equal(t, "comparing", cells.What)
		assert.Equal(t, cells.Of, cells.Done())
		assert.GreaterOrEqual(t, int64(len(e.Estimates)), cells.Of, "a comparison has a row for each set of comparators")
	}
}
