package dream_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// BenchmarkConvert reads the panel of JOBEFFEKT_PANEL (see bench/dream), or a small
// one of its own.
func BenchmarkConvert(b *testing.B) {
	path := os.Getenv("JOBEFFEKT_PANEL")
	if path == "" {
		p := panel{"pnr y_0901 y_0902 y_0903 y_0904 branche_2009_01 grad_2009_01"}
		for i := range 5000 {
			p = append(p, fmt.Sprintf("%d %d - %d 111 %d %g", i, []int{0, 730}[i%2], []int{0, 111, 890}[i%3], i%5%2, float64(i%5%2)/2))
		}
		path = write(b, filepath.Join(b.TempDir(), "panel.parquet"), p.table(b))
	}
	sheet, err := ingest.OpenPanel(path, ingest.DefaultLimits())
	require.NoError(b, err)
	var persons, weeks int64
	for b.Loop() {
		r, err := dream.Convert(context.Background(), sheet, dream.DefaultMap(), dream.DefaultOptions(), func(*dream.Block) error { return nil })
		require.NoError(b, err)
		persons += r.Count(dream.CountPersons)
		weeks += r.Count(dream.CountWeeks)
	}
	b.ReportMetric(float64(persons)/b.Elapsed().Seconds(), "persons/s")
	b.ReportMetric(float64(weeks)/b.Elapsed().Seconds(), "weeks/s")
}
