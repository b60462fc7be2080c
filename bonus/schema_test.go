package bonus_test

import (
	"flag"
	"os"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files of this package")

// golden compares with a file of our own making, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "if the change is meant, run go generate and go test -update")
}

func TestSchemaIsCurrent(t *testing.T) {
	got, err := bonus.Schema()
	require.NoError(t, err)
	golden(t, "terms.schema.json", string(got))
}

func read(t tester, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(b)
}
