package ingest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// benchData is a dataset to measure with: that of JOBEFFEKT_BENCH, or a small
// one of its own.
func benchData(b *testing.B) *Dataset {
	b.Helper()
	dir := os.Getenv("JOBEFFEKT_BENCH")
	if dir == "" {
		dir = b.TempDir()
		var participations []testParticipation
		var spells []goodSpell
		states := []string{"cash_benefit", "ordinary_employment", "education"}
		for p := range int64(20_000) {
			participations = append(participations, testParticipation{ID: effect.NumberID(p).String(), Person: 3 * p, City: 101, Group: "1", Referral: 13000})
			for k := range int32(20) {
				spells = append(spells, goodSpell{3 * p, states[(int32(p)+k)%3], 12000 + 90*k, new(12090 + 90*k)})
			}
		}
		t := &testing.T{}
		zstd := parquet.Compression(&parquet.Zstd)
		writeRows(t, filepath.Join(dir, "participations.parquet"), participations, zstd, parquet.MaxRowsPerRowGroup(100_000))
		writeRows(t, filepath.Join(dir, "spells.parquet"), spells, zstd, parquet.MaxRowsPerRowGroup(100_000))
	}
	opt := DefaultOptions()
	if os.Getenv("JOBEFFEKT_BENCH") == "" {
		opt = testOptions()
	}
	d, err := OpenFolder(dir, opt)
	require.NoError(b, err)
	return d
}

func BenchmarkSpells(b *testing.B) {
	d := benchData(b)
	cases, err := d.Cases(context.Background())
	require.NoError(b, err)
	var rows atomic.Int64
	for b.Loop() {
		require.NoError(b, d.Spells(context.Background(), cases, nil, func(s effect.Spells) error {
			rows.Add(int64(len(s.Person)))
			return nil
		}))
	}
	b.ReportMetric(float64(rows.Load())/b.Elapsed().Seconds(), "spells/s")
}

func BenchmarkCases(b *testing.B) {
	d := benchData(b)
	for b.Loop() {
		_, err := d.Cases(context.Background())
		require.NoError(b, err)
	}
}

func BenchmarkWriteParquet(b *testing.B) {
	table := largeTable(500_000)
	for b.Loop() {
		require.NoError(b, table.WriteParquet(io.Discard))
	}
	b.ReportMetric(float64(b.N)*float64(table.Rows())/b.Elapsed().Seconds(), "rows/s")
}
