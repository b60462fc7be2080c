package main

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt-cloud/store"
	"github.com/jobeffekt/jobeffekt/effect"
)

// BenchmarkStore reads a dataset from a store that answers after 30 ms, as the step measure
// does: once whole, as for its hashes, and the columns asked for. The folder is that
// of JOBEFFEKT_STORE_DATA, or else the demonstration's.
func BenchmarkStore(b *testing.B) {
	data := os.Getenv("JOBEFFEKT_STORE_DATA")
	if data == "" {
		data = demo
	}
	d := open(b)
	d.upload(b, data, "data")
	d.latency = 30 * time.Millisecond
	c := job(b, d.url("data"))
	c.Cohort = jobeffekt.Cohort{From: new(effect.NewDate(2006, 1, 1)), To: new(effect.NewDate(2010, 1, 1)), Take: effect.TakeEach}
	for _, what := range []string{"hashes", "columns"} {
		b.Run(what, func(b *testing.B) {
			ctx := context.Background()
			for b.Loop() {
				fsys, err := store.DefaultOptions().Open(ctx, c.Data)
				require.NoError(b, err)
				c.Open = func(context.Context, string) (fs.FS, error) { return fsys, nil }
				ds, err := c.OpenData(ctx)
				require.NoError(b, err)
				d.forget()
				if what == "columns" {
					_, err = jobeffekt.Measure(ctx, ds, c)
					require.NoError(b, err)
					continue
				}
				for i := range ds.Files() {
					readFile(b, ds, i)
				}
			}
			b.ReportMetric(float64(d.count()[http.MethodGet]), "gets")
			b.ReportMetric(float64(d.sent())/1e6, "MB")
		})
	}
}
