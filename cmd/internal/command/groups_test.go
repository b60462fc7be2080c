package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func everyCommand(root *cobra.Command, visit func(*cobra.Command)) {
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			visit(c)
			everyCommand(c, visit)
		}
	}
}

// Every command stands under a heading of --help, says in its first line what it does, and
// has a manual page with its name, usage and flags.
func TestEveryCommandIsTold(t *testing.T) {
	root := newRoot(newTalk(&bytes.Buffer{}, &bytes.Buffer{}))
	folder := t.TempDir()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitDone, execute(context.Background(), []string{"man", folder}, &stdout, &stderr), stderr.String())
	root.InitDefaultHelpCmd()
	n := 0
	everyCommand(root, func(c *cobra.Command) {
		n++
		if c.Parent() == root {
			assert.NotEmpty(t, c.GroupID, "%s stands in no group of groups.go", c.Name())
		}
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.False(t, strings.HasSuffix(c.Short, "."), c.Short)
		page, err := os.ReadFile(filepath.Join(folder, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if c.Name() == "help" {
			return
		}
		require.NoError(t, err)
		assert.Contains(t, string(page), ".SH SYNOPSIS")
		for _, line := range strings.Split(string(page), "\n") {
			assert.NotRegexp(t, `/(root|home|tmp)/`, line, "a manual page of this machine")
		}
	})
	assert.Greater(t, n, 30)
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", ""}, "yaml\nyml\n:8\n"},
		{[]string{"run", "a.yaml", ""}, ":4\n"},
		{[]string{"reduce", "a.yaml", "b", ""}, ":0\n"},
		{[]string{"verify", ""}, ":16\n"},
		{[]string{"rank", ""}, "parquet\ncsv\n:8\n"},
		{[]string{"schema", "t"}, "terms\n:4\n"},
		{[]string{"explain", ""}, ":16\n"},
		{[]string{"explain", t.TempDir(), ""}, ":4\n"},         // it holds no settlement
		{[]string{"explain", "results", "--case", ""}, ":4\n"}, // a participation's identifier is not told
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, exitDone, execute(context.Background(), append([]string{"__complete"}, c.args...), &stdout, &stderr))
		assert.Equal(t, c.want, stdout.String(), c.args)
	}
}
