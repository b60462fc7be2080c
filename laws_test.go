package jobeffekt_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every law of docs/trust/laws.md has tests that are there, and every method of
// estimation is put to the common laws.
func TestLawsAreTested(t *testing.T) {
	t.Parallel()
	sources := map[string]string{} // by folder: the text of its tests, and of effecttest itself
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") || folder == "effect/effecttest" && strings.HasSuffix(path, ".go") {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sources[folder] += string(b)
		}
		return nil
	}))
	table, err := os.ReadFile("docs/trust/laws.md")
	require.NoError(t, err)
	rows := 0
	for _, line := range strings.Split(string(table), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[1]) == "law" {
			continue
		}
		rows++
		named := regexp.MustCompile("`([\\w./]+)` (\\w+)").FindAllStringSubmatch(cells[2], -1)
		assert.NotEmpty(t, named, line)
		for _, x := range named {
			assert.Regexp(t, `(?m)^func `+x[2]+`\(`, sources[x[1]], "%s: %s has no %s", strings.TrimSpace(cells[1]), x[1], x[2])
		}
	}
	assert.GreaterOrEqual(t, rows, 15, "the table reads differently")

	// A room of a method is imported by methods.go.
	methods, err := os.ReadFile("methods.go")
	require.NoError(t, err)
	rooms := regexp.MustCompile(`"github.com/jobeffekt/jobeffekt/(effect/\w+)"`).FindAllStringSubmatch(string(methods), -1)
	require.GreaterOrEqual(t, len(rooms), 6, "methods.go reads differently")
	for _, room := range rooms {
		assert.Contains(t, sources[room[1]], "effecttest.Laws(", room[1])
	}
}
