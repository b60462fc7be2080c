//go:build !windows

package ingest

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Nobody waits for a pipe into which nobody writes.
func TestPipesAreNoFiles(t *testing.T) {
	for _, name := range []string{"pipe.csv", "pipe.parquet"} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		done := make(chan error, 1)
		go func() {
			_, err := ReadFile(context.Background(), path, DefaultLimits())
			done <- err
		}()
		select {
		case err := <-done:
			var file *FileError
			require.ErrorAs(t, err, &file)
			require.ErrorContains(t, err, "not a regular file")
		case <-time.After(10 * time.Second):
			t.Fatal("it waits")
		}
	}
}
