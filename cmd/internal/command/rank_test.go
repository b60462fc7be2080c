package command

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// TestRankCommand: the ministry's table, without its differences and ranks and in
// another order of rows, comes out whole as one command, from CSV and from Parquet,
// to CSV, to Parquet and to the terminal.
func TestRankCommand(t *testing.T) {
	b, err := os.ReadFile("../../../testdata/reference/benchmark_y30r21_2022qmat02_total.csv")
	require.NoError(t, err)
	want, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	require.NoError(t, err)
	var input bytes.Buffer
	w := csv.NewWriter(&input)
	rows := slices.Clone(want[1:])
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(b[2], a[2]) })
	for _, r := range append([][]string{want[0]}, rows...) {
		require.NoError(t, w.Write([]string{r[5], r[0], r[2], r[4], r[1]}))
	}
	w.Flush()
	folder := t.TempDir()
	in := map[string]string{"csv": filepath.Join(folder, "in.csv"), "parquet": filepath.Join(folder, "in.parquet")}
	require.NoError(t, os.WriteFile(in["csv"], input.Bytes(), 0o600))
	table, err := ingest.ReadFile(context.Background(), in["csv"], ingest.DefaultLimits())
	require.NoError(t, err)
	require.NoError(t, jobeffekt.WriteTable(in["parquet"], table))

	for _, r := range want[1:] {
		for k, cell := range r {
			if v, err := strconv.ParseFloat(cell, 64); err == nil {
				r[k] = strconv.FormatFloat(v, 'f', -1, 64) // 9.0 and 9 are the same number
			}
		}
	}
	for kind, path := range in {
		t.Run(kind, func(t *testing.T) {
			rank := func(more ...string) (string, string) {
				var stdout, stderr bytes.Buffer
				args := append([]string{
					"rank", path, "--municipality", "municipality", "--observed", "observed_pct", "--expected", "expected_pct", "--better", "low",
					"--difference", "difference_pp", "--also", "observed_n:expected_n:difference_n",
				}, more...)
				require.Equal(t, exitDone, execute(context.Background(), args, &stdout, &stderr), stderr.String())
				return stdout.String(), stderr.String()
			}
			out := filepath.Join(t.TempDir(), "out.csv")
			said, note := rank("--out", out)
			assert.Equal(t, "98 rows are in "+out+"\n", said)
			assert.Contains(t, note, "No intervals")
			b, err := os.ReadFile(out)
			require.NoError(t, err)
			got, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
			require.NoError(t, err)
			require.Equal(t, want, got)

			out = filepath.Join(t.TempDir(), "out.parquet")
			rank("--out", out)
			stored, err := ingest.ReadFile(context.Background(), out, ingest.DefaultLimits())
			require.NoError(t, err)
			for i, r := range want[1:] {
				for k, cell := range r {
					require.Equal(t, cell, stored.Columns[k].Cell(i))
				}
			}

			said, _ = rank()
			lines := strings.Split(strings.TrimSpace(said), "\n")
			require.Len(t, lines, 99)
			for i, r := range want {
				require.Equal(t, r, strings.Fields(lines[i]))
			}
		})
	}
}
