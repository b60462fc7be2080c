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
	o.Draws = 200
	began := time.Now()
	s, err := jobeffekt.Simulate(context.Background(), ds, c, terms, o)
	require.NoError(t, err)
	t.Log(time.Since(began))
	for _, r := range s.Rows {
		if r.Year == "" {
			t.Logf("%+v", r)
		}
	}
	for _, r := range s.Totals {
		t.Logf("%+v", r)
	}
	for _, r := range s.Clauses {
		t.Logf("%+v", r)
	}
}
