package effect_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// A covariate of very many names is refused before anything is fitted to it.
func TestTooManyColumns(t *testing.T) {
	obs := six()
	names := make([]string, obs.Cases.Len())
	for i := range names {
		names[i] = fmt.Sprint("name ", i)
	}
	obs.Cases.Covariates = []effect.Covariate{{Name: "street", Factor: effect.NewFactor(names)}}
	c := &effect.Comparison{Cases: obs.Cases, Y: obs.Results[0].Value, In: []int32{0, 1, 2}}
	for i := range int32(obs.Cases.Len()) - 3 {
		c.Out = append(c.Out, i+3)
	}
	_, err := c.Frame(context.Background(), []string{"street"}, nil)
	refusal, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalTooManyColumns, refusal.Code)
}
