package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
)

// stopper stops the work as soon as something is printed.
type stopper struct{ stop context.CancelFunc }

func (s stopper) Write(b []byte) (int, error) { s.stop(); return len(b), nil }

// A demonstration that is stopped as it makes the report says that the results stand.
func TestDemoStoppedAtTheReport(t *testing.T) {
	folder := t.TempDir()
	run := "data: data\nout: results\nas_of: 2010-06-30\ncohort: {period: 2008}\noutcomes:\n  - {name: employed, kind: state_at, states: [ordinary_employment], at: 26 weeks}\ncompare: {methods: [strata], classes: [{covariate: sex}]}\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "jobeffekt.yaml"), []byte(run), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := runDemo(ctx, stopper{stop}, folder)
	require.ErrorIs(t, err, context.Canceled)
	done, ok := errors.AsType[doneError](err)
	require.True(t, ok, err)
	assert.Contains(t, done.what, "no report was written")
	assert.FileExists(t, filepath.Join(folder, "results", jobeffekt.ManifestName))
	assert.NoDirExists(t, filepath.Join(folder, "report"))
}
