package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// A table that changes after it was described, before or after it is read, stops the run, and nothing
// is published.
func TestInputsChangeWhileTheyAreRead(t *testing.T) {
	folder := t.TempDir()
	o := world.Default()
	o.Persons, o.Municipalities = 300, 4
	require.NoError(t, jobeffekt.Synth(context.Background(), filepath.Join(folder, "data"), o, ""))
	path := filepath.Join(folder, "run.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment], at: 26 weeks}
compare: {methods: [strata], classes: [{covariate: sex}]}
`), 0o600))
	file := filepath.Join(folder, "data", "spells", "part-00001.parquet")
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	other := append([]byte{}, src...)
	other[len(other)/2] ^= 1
	// rewrite changes a byte, and sets the time back.
	rewrite := func(t *testing.T) {
		info, err := os.Stat(file)
		require.NoError(t, err)
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteAt(other, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, os.Chtimes(file, time.Time{}, info.ModTime()))
	}
	for name, change := range map[string]func(*testing.T){
		"appended to": func(t *testing.T) {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
			require.NoError(t, err)
			_, err = f.Write([]byte{0})
			require.NoError(t, err)
			require.NoError(t, f.Close())
		},
		"cut short": func(t *testing.T) { require.NoError(t, os.Truncate(file, 100)) },
		"removed":   func(t *testing.T) { require.NoError(t, os.Remove(file)) },
		"rewritten": rewrite,
		"replaced by a rename": func(t *testing.T) {
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file+".new", other, 0o600))
			require.NoError(t, os.Chtimes(file+".new", time.Time{}, info.ModTime()))
			require.NoError(t, os.Rename(file+".new", file))
		},
	} {
		for _, when := range []string{jobeffekt.DidInputs, string(jobeffekt.StepMeasure), string(jobeffekt.StepEstimate)} {
			t.Run(name+", after "+when, func(t *testing.T) {
				require.NoError(t, os.RemoveAll(file))
				require.NoError(t, os.WriteFile(file, src, 0o600))
				c, err := jobeffekt.LoadConfig(path)
				require.NoError(t, err)
				done := false
				c.Progress = func(p jobeffekt.Progress) {
					if p.Did == when && !p.Within && !done {
						done = true
						change(t)
					}
				}
				_, err = jobeffekt.Run(context.Background(), c)
				require.True(t, done)
				require.Error(t, err)
				if when != jobeffekt.DidInputs || name != "rewritten" && name != "removed" { // then it may be found to be damaged, or gone, first
					require.ErrorIs(t, err, ingest.ErrChanged)
				}
				left, err := os.ReadDir(filepath.Join(folder, "results"))
				require.NoError(t, err)
				assert.Len(t, left, 1, "the lock alone")
			})
		}
	}

	// Who links to a file, as backups do, changes nothing of what it holds.
	require.NoError(t, os.WriteFile(file, src, 0o600))
	c, err := jobeffekt.LoadConfig(path)
	require.NoError(t, err)
	c.Progress = func(p jobeffekt.Progress) {
		if p.Did == jobeffekt.DidInputs {
			require.NoError(t, os.Link(file, filepath.Join(folder, "backup")))
		}
	}
	_, err = jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
}
