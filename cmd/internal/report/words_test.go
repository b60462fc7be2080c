package report

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/cmd/internal/report/words"
)

// Every text that the pages ask for is there, and every text that is there is asked for: by
// its key, or as the word for a code, a name or a title.
func TestEveryTextIsUsed(t *testing.T) {
	var source strings.Builder
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".html"}, filepath.Ext(path)) {
			return err
		}
		b, err := os.ReadFile(path)
		source.Write(b)
		return err
	}))
	text := source.String()
	asked := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:\bT\(|\bt )"([a-z]+\.[A-Za-z0-9_]+)"`).FindAllStringSubmatch(text, -1) {
		asked[m[1]] = true
	}
	for _, m := range regexp.MustCompile("[\"`]([a-z]+\\.[a-z0-9_]+)[\"`]").FindAllStringSubmatch(text, -1) {
		asked[m[1]] = true
	}
	// The beginning of a key that a code completes: T("spending.each_"+…).
	var begun []string
	for _, m := range regexp.MustCompile(`"([a-z]+\.[a-z0-9_]*)"\s*\+`).FindAllStringSubmatch(text, -1) {
		begun = append(begun, m[1])
		delete(asked, m[1])
	}
	// A prefix that is put before a code: Code("verdict", …), T("peers."+by).
	codes := map[string]bool{"date": true}
	for _, m := range regexp.MustCompile(`\bCode\("([a-z]+)"|\bcode "([a-z]+)"|"([a-z]+)\."\s*\+`).FindAllStringSubmatch(text, -1) {
		for _, prefix := range m[1:] {
			codes[prefix] = true
		}
	}
	l, err := words.New("da")
	require.NoError(t, err)
	for _, key := range l.Keys() {
		prefix, name, _ := strings.Cut(key, ".")
		completes := func(start string) bool { return strings.HasPrefix(key, start) }
		assert.True(t, asked[key] || slices.ContainsFunc(begun, completes) || codes[prefix] || name == "title" || strings.HasPrefix(key, "methods.limit"), "no page says %s", key)
	}
	for key := range asked {
		prefix, _, _ := strings.Cut(key, ".")
		if file := filepath.Join("words", "da", prefix+".yaml"); strings.Contains(text, `T("`+key+`"`) || strings.Contains(text, `t "`+key+`"`) {
			assert.True(t, l.Has(key), "%s has no %s", file, key)
		}
	}
}
