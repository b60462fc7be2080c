package jobeffekt_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
)

func TestSimTmp(t *testing.T) {
	c := job(t)
	terms, err := c.LoadTerms()
	require.NoError(t, err)
	ds, err := ingest.OpenFolder(c.Data, c.IngestOptions())
	require.NoError(t, err)
	o := jobeffekt.DefaultSimulation()
	o.Draws = 300
	o.Worlds = 0
	began := time.Now()
	s, err := jobeffekt.Simulate(context.Background(), ds, c, terms, o)
	require.NoError(t, err)
	t.Log(time.Since(began))
	for _, r := range s.Replays[:0] {
		t.Logf("%+v", r)
	}
	for _, r := range s.Sensitivity[:0] {
		t.Logf("%+v", r)
	}
	for _, r := range s.Rows {
		if r.Truth < "world" {
			continue
		}
		if r.Year == "" {
			t.Logf("%+v", r)
		}
	}
	for _, r := range s.Totals[:0] {
		t.Logf("%+v", r)
	}
}
