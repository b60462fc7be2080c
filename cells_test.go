package jobeffekt_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// The cells alone are those of the whole step, to the byte.
func TestCellsAlone(t *testing.T) {
	ctx := context.Background()
	c := job(t, "outcomes:\n", "outcomes:\n  - {name: time, kind: time_to, states: [ordinary_employment], within: 52 weeks, exits: {education: [education]}}\n")
	_, err := jobeffekt.RunStep(ctx, c, jobeffekt.StepMeasure)
	require.NoError(t, err)
	whole := filepath.Join(c.ResultsFolder(), "cells.parquet")
	want, err := os.ReadFile(whole)
	require.NoError(t, err)

	_, err = jobeffekt.RunCells(ctx, c)
	require.ErrorIs(t, err, jobeffekt.ErrConfig, "the results of the step are kept")
	c.Out = t.TempDir()
	// What a run that was cut off left is no table of the cells.
	require.NoError(t, os.WriteFile(filepath.Join(c.Out, "outcomes.parquet"), []byte("old"), 0o600))
	var did []string
	c.Progress = func(p jobeffekt.Progress) { did = append(did, p.Did) }
	for range 2 { // over cells, too
		table, err := jobeffekt.RunCells(ctx, c)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(c.Out, "cells.parquet"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.Positive(t, table.Participations)
		rows, err := ingest.ReadTable(ctx, filepath.Join(c.Out, "cells.parquet"), ingest.DefaultLimits())
		require.NoError(t, err)
		back, err := ingest.ToRows[effect.CellRow](rows)
		require.NoError(t, err)
		require.Len(t, back, len(table.Cells))
	}
	assert.Equal(t, []string{jobeffekt.DidRead, jobeffekt.DidObserve, jobeffekt.DidFigures, jobeffekt.DidInputs}, did[:4])
	entries, err := os.ReadDir(c.Out)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != jobeffekt.LockName {
			names = append(names, e.Name())
		}
	}
	assert.Equal(t, []string{"cells.csv", "cells.parquet", "counts.csv", "counts.parquet", "manifest.json", "rejects.csv", "rejects.parquet"}, names)
	_, err = jobeffekt.RunStep(ctx, c, jobeffekt.StepEstimate)
	require.ErrorIs(t, err, jobeffekt.ErrManifest, "nothing goes on from cells")
	require.ErrorContains(t, err, "it holds the cells alone")

	c.Out = c.Path
	_, err = jobeffekt.RunCells(ctx, c)
	require.ErrorContains(t, err, "is no folder")

	c.Blinded = true
	_, err = jobeffekt.RunCells(ctx, c)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
}

// A blinded run tells no cell.
func TestNoCellsInABlindedRun(t *testing.T) {
	t.Parallel()
	c := job(t)
	c.Blinded = true
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Empty(t, r.Observations.Cells)
	assert.NoFileExists(t, filepath.Join(c.ResultsFolder(), "cells.parquet"))
}
