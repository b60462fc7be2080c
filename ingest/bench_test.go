package ingest

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

func TestBig(t *testing.T) {
	dir := os.Getenv("BIG")
	if dir == "" {
		t.Skip()
	}
	opt := DefaultOptions()
	opt.Covariates = []string{"age", "female", "education", "origin"}
	ctx := context.Background()
	t0 := time.Now()
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	require.NoError(t, d.Check(ctx))
	t.Log("open", time.Since(t0))
	t0 = time.Now()
	c, err := d.Cases(ctx)
	require.NoError(t, err)
	t.Log("cases", c.Len(), time.Since(t0))
	for range 3 {
		t0 = time.Now()
		var n, sum atomic.Int64
		require.NoError(t, d.Spells(ctx, c, func(p []int32, s []effect.State, a, b []effect.Date) error {
			n.Add(int64(len(p)))
			var x int64
			for i := range a {
				x += int64(b[i] - a[i])
			}
			sum.Add(x)
			return nil
		}))
		t.Log("spells", n.Load(), sum.Load(), time.Since(t0))
	}
	t.Log(d.Counts())
}
