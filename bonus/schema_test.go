package bonus_test

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
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

// Every key of terms, and every name that one can have, stands in the code of the
// documents that explain terms.
func TestEveryKeyIsDocumented(t *testing.T) {
	schema, err := bonus.Schema()
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(schema, &tree))
	names := map[string]bool{}
	var walk func(any)
	walk = func(x any) {
		switch x := x.(type) {
		case []any:
			for _, y := range x {
				walk(y)
			}
		case map[string]any:
			keys, _ := x["properties"].(map[string]any)
			for name := range keys {
				names[name] = true
			}
			values, _ := x["enum"].([]any)
			for _, value := range values {
				if name, ok := value.(string); ok {
					names[name] = true
				}
			}
			for _, y := range x {
				walk(y)
			}
		}
	}
	walk(tree)
	require.Greater(t, len(names), 200)
	words := map[string]bool{}
	for _, file := range []string{"../docs/terms.md", "../docs/ledger.md", "../docs/gaming.md"} {
		for _, code := range regexp.MustCompile("(?s)```.*?```|`[^`\n]+`").FindAllString(read(t, file), -1) {
			for _, word := range regexp.MustCompile(`\w+`).FindAllString(code, -1) {
				words[word] = true
			}
		}
	}
	for name := range names {
		require.True(t, words[name], "docs/terms.md says nothing of %s", name)
	}
}
