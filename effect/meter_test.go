package effect_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

func TestMeter(t *testing.T) {
	ctx := context.Background()
	effect.Count(ctx, "reading", "rows", 10).Add(3) // nobody asks

	m := &effect.Meter{}
	assert.Nil(t, m.Now())
	metered := effect.WithMeter(ctx, m)
	first := effect.Count(metered, "reading", "rows", 10)
	first.Add(3)
	first.Add(4)
	require.Same(t, first, m.Now())
	assert.Equal(t, int64(7), m.Now().Done())
	assert.Equal(t, int64(10), m.Now().Of)

	// A part of a part is not told, and a part of the same name is another.
	effect.Count(effect.WithMeter(metered, nil), "comparing", "cells", 5).Add(1)
	require.Same(t, first, m.Now())
	second := effect.Count(metered, "reading", "rows", 10)
	assert.NotSame(t, first, m.Now())
	assert.Zero(t, second.Done())
}
