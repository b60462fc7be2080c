package world_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/world"
)

// What is on a channel is what its participations cost, to the nearest thousand,
// and the total is more than the channels together.
func TestSpending(t *testing.T) {
	o := world.Default()
	o.Persons, o.Municipalities = 2000, 3
	w, err := world.New(o)
	require.NoError(t, err)
	whole, parts := w.Spending(), w.Spending()
	b := w.Block(1, 2001)
	whole.Add(b.Participations)
	parts.Add(b.Participations[1000:])
	parts.Add(b.Participations[:1000])
	require.Equal(t, whole.Rows(), parts.Rows())

	prices := 0.0
	for _, p := range b.Participations {
		if p.ProviderID != "" && p.Municipality == "751" && p.Referral.Time().Year() == 2008 {
			prices += p.Price
		}
	}
	channels, total := 0.0, 0.0
	for _, e := range whole.Rows() {
		if e.Municipality != "751" || e.Year != 2008 {
			continue
		}
		switch e.Channel {
		case "provider":
			assert.InDelta(t, prices, e.Amount, 501)
			fallthrough
		case "own":
			channels += e.Amount
		case "total":
			total = e.Amount
		}
	}
	assert.Greater(t, total, channels)
	assert.Positive(t, channels)
}
