package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// Spells appear whole or not at all, in parts that do not depend on the workers, and
// the dataset reads them.
func TestConvertDream(t *testing.T) {
	dir := t.TempDir()
	const persons = 1000
	panel := &ingest.Table{Name: "panel", Columns: []ingest.Column{
		{Name: "pnr", Ints: make([]int64, persons)},
		{Name: "y_0953", Ints: make([]int64, persons)},
		{Name: "y_1001", Ints: make([]int64, persons)},
		{Name: "grad_2009_12", Floats: make([]float64, persons)},
		{Name: "grad_2010_01", Floats: make([]float64, persons)},
	}}
	for i := range int64(persons) {
		panel.Columns[0].Ints[i] = i + 1
		panel.Columns[1].Ints[i] = []int64{0, 730, 999}[i%3]
		panel.Columns[4].Floats[i] = float64(i % 2)
	}
	path := filepath.Join(dir, "panel.parquet")
	save := func() {
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, panel.WriteParquet(f))
		require.NoError(t, f.Close())
	}
	save()
	var want [][]byte
	for _, workers := range []int{1, 2, 16} {
		folder := filepath.Join(t.TempDir(), "data")
		opt := dream.DefaultOptions()
		opt.Workers, opt.ReadPersons, opt.BlockPersons = workers, 600, 300
		r, err := jobeffekt.ConvertDream(context.Background(), path, folder, dream.DefaultMap(), opt)
		require.NoError(t, err)
		assert.Equal(t, int64(persons), r.Count(dream.CountPersons))
		parts, err := filepath.Glob(filepath.Join(folder, "spells", "*"))
		require.NoError(t, err)
		require.Len(t, parts, 4)
		var got [][]byte
		for _, p := range parts {
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			got = append(got, b)
		}
		if want == nil {
			want = got
		}
		assert.Equal(t, want, got, "%d workers", workers)
		d, err := ingest.OpenFolder(folder, ingest.DefaultOptions())
		require.NoError(t, err)
		assert.True(t, d.Has(ingest.Spells))
		require.NoError(t, d.Check(context.Background()))
		_, err = jobeffekt.ConvertDream(context.Background(), path, folder, dream.DefaultMap(), opt)
		require.ErrorIs(t, err, jobeffekt.ErrNotEmpty)
	}

	// A file in place of the folder is no folder that is not empty.
	_, err := jobeffekt.ConvertDream(context.Background(), path, path, dream.DefaultMap(), dream.DefaultOptions())
	require.ErrorContains(t, err, "not a directory")
	assert.NotErrorIs(t, err, jobeffekt.ErrNotEmpty)

	// A code in the last row that the map lacks: nothing is left, not even of the blocks before it.
	panel.Columns[2].Ints[persons-1] = 5
	save()
	folder := filepath.Join(dir, "data")
	opt := dream.DefaultOptions()
	opt.BlockPersons = 300
	_, err = jobeffekt.ConvertDream(context.Background(), path, folder, dream.DefaultMap(), opt)
	require.ErrorIs(t, err, dream.ErrPanel)
	assert.NoDirExists(t, folder)
	// A folder that was there stays, as it was.
	require.NoError(t, os.Mkdir(folder, 0o700))
	_, err = jobeffekt.ConvertDream(context.Background(), path, folder, dream.DefaultMap(), opt)
	require.ErrorIs(t, err, dream.ErrPanel)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, left)
}
