//go:build linux || darwin

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
)

// begun starts a run in a process of its own and waits until it has the lock. It is
// stopped there until somebody lets it go on.
func begun(t *testing.T, run, results string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	c := exec.Command("jobeffekt", "run", run, "--again")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	holds := fmt.Sprintf("process %d on ", c.Process.Pid)
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(filepath.Join(results, jobeffekt.LockName))
		return strings.HasPrefix(string(b), holds)
	}, time.Minute, time.Millisecond, "it has no lock")
	require.NoError(t, c.Process.Signal(syscall.SIGSTOP))
	return c, &stderr
}

// left are the files of a folder, but for the lock.
func left(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != jobeffekt.LockName {
			names = append(names, e.Name())
		}
	}
	return names
}

// Two runs in one folder, killed runs and stopped runs, each a process of its own.
func TestTwoProcesses(t *testing.T) {
	folder := t.TempDir()
	execute := func(args ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		return execute(context.Background(), args, &stdout, &stderr), stderr.String()
	}
	code, text := execute("synth", filepath.Join(folder, "data"), "--persons", "4000", "--municipalities", "8")
	require.Equal(t, exitDone, code, text)
	run, results := filepath.Join(folder, "run.yaml"), filepath.Join(folder, "results")
	require.NoError(t, os.WriteFile(run, []byte(`data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment], at: 26 weeks}
compare: {methods: [regression], covariates: [sex, age]}
`), 0o600))

	first, _ := begun(t, run, results)
	for _, more := range [][]string{nil, {"--dry-run"}} {
		code, text = execute(append([]string{"run", run}, more...)...)
		assert.Equal(t, exitFailed, code)
		assert.Contains(t, text, results)
		assert.Contains(t, text, fmt.Sprintf("another run is writing to this folder; wait for it, or name another folder (it is process %d on ", first.Process.Pid))
	}

	// One that is killed stands in nobody's way.
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())

	// One that is told to end does, and leaves nothing.
	for signal, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		second, stderr := begun(t, run, results)
		require.NoError(t, second.Process.Signal(signal))
		require.NoError(t, second.Process.Signal(syscall.SIGCONT))
		failed, ok := errors.AsType[*exec.ExitError](second.Wait())
		require.True(t, ok)
		assert.Equal(t, want, failed.ExitCode())
		assert.Contains(t, stderr.String(), "jobeffekt: stopped; no result was written\n")
		assert.Empty(t, left(t, results))
	}

	code, text = execute("run", run)
	require.Equal(t, exitDone, code, text)
	assert.Contains(t, left(t, results), jobeffekt.ManifestName)
}
