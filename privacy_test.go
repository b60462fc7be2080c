package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// docs/privacy.md says of every table that is read, and of every table that is written, what it holds.
func TestPrivacyPageNamesEveryTable(t *testing.T) {
	page := string(read(t, "docs/privacy.md"))
	section := func(title string) string {
		_, after, ok := strings.Cut(page, "\n## "+title+"\n")
		require.True(t, ok, title)
		text, _, _ := strings.Cut(after, "\n## ")
		return text
	}
	input, results := section("What is read, and why"), section("What the results hold")
	for _, table := range ingest.Tables() {
		assert.Contains(t, input, "| `"+table+"` |")
	}
	for _, column := range ingest.PseudonymColumns() {
		assert.Contains(t, input, "`"+column+"`", "a column of identity")
	}
	for _, table := range jobeffekt.ResultTables() {
		assert.Contains(t, results, "| `"+table.Name+"` |")
	}
	// Every proof that is named is a test.
	tests := ""
	for _, folder := range []string{".", "ingest", "bonus/ledger", "cmd/internal/command"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		require.NoError(t, err)
		for _, f := range files {
			tests += string(read(t, f))
		}
	}
	proofs := regexp.MustCompile("`(Test\\w+)(\\*?)`").FindAllStringSubmatch(page, -1)
	require.Greater(t, len(proofs), 10, "the page reads differently")
	for _, proof := range proofs {
		end := "("
		if proof[2] != "" {
			end = "" // a name that tests begin with
		}
		assert.Contains(t, tests, "\nfunc "+proof[1]+end)
	}
}

// A key that cannot be used is an error that names its place and does not show it, before
// any data are read.
func TestPseudonymKeyIsRefused(t *testing.T) {
	folder := t.TempDir()
	good := strings.Repeat("7b", 31) + "01"
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	refused := func(path, env, place, why string) {
		t.Helper()
		_, err := jobeffekt.ReadPseudonymKey(path, env)
		var e *jobeffekt.KeyError
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, ingest.ErrPseudonymKey)
		assert.Equal(t, place, e.Place)
		assert.Contains(t, err.Error(), why)
		assert.NotContains(t, err.Error(), "7b7b")
	}
	for name, x := range map[string][2]string{
		"empty": {"", "it is empty"}, "short": {good[:62], "it has 31 bytes, and needs 32"}, "text": {good[:62] + "xy", "hexadecimal"}, "same": {strings.Repeat("7b", 32), "the same"},
		"long": {strings.Repeat(good, 100), "too long"},
	} {
		path := file(name, x[0], 0o600)
		refused(path, "", path, x[1])
	}
	missing := filepath.Join(folder, "missing")
	refused(missing, "", missing, "name the file")
	refused(folder, "", folder, "")
	if runtime.GOOS != "windows" {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644} {
			path := file("open", good, mode)
			refused(path, "", path, "others than its owner can read it")
		}
	}
	const variable = "JOBEFFEKT_TEST_KEY"
	refused("", variable, "environment variable "+variable, "it is not set")
	t.Setenv(variable, good[:60])
	refused("", variable, "environment variable "+variable, "30 bytes")
	t.Setenv(variable, good)
	a, err := jobeffekt.ReadPseudonymKey("", variable)
	require.NoError(t, err)
	b, err := jobeffekt.ReadPseudonymKey(file("good", good+"\n", 0o400), "")
	require.NoError(t, err)
	assert.Equal(t, a.Fingerprint(), b.Fingerprint())

	// A run says so before it looks for the data, and so does everything that opens them.
	run := filepath.Join(folder, "jobeffekt.yaml")
	text := `data: nowhere
out: results
as_of: 2010-06-30
input: {pseudonyms: {key_file: missing}}
cohort: {period: 2008}
outcomes: [{name: employed_26w, kind: state_at, states: [ordinary_employment], at: 26 weeks}]
compare: {methods: [strata], classes: [{covariate: sex}]}
`
	require.NoError(t, os.WriteFile(run, []byte(text), 0o600))
	c, err := jobeffekt.LoadConfig(run)
	require.NoError(t, err)
	var e *jobeffekt.KeyError
	_, err = jobeffekt.Run(context.Background(), c)
	require.ErrorAs(t, err, &e)
	_, err = c.OpenData(context.Background())
	require.ErrorAs(t, err, &e)
	_, err = jobeffekt.Arrange(context.Background(), c, filepath.Join(folder, "arranged"))
	require.ErrorAs(t, err, &e)
	_, err = c.Pseudonym("")
	require.ErrorAs(t, err, &e)
	_, err = c.Pseudonym("participation_id")
	require.ErrorIs(t, err, jobeffekt.ErrConfig)

	for from, why := range map[string]string{
		"{}": "say where the key lies", "{key_file: a, key_env: B}": "one place", "{key_env: 'a=b'}": "not the key",
		"{key_file: a, columns: [municipality]}": "pseudonyms are made of", "{key_file: a, columns: [person_id, person_id]}": "twice", "{key_file: a, columns: [id]}": "name person_id too",
	} {
		_, err := jobeffekt.ParseConfig("x.yaml", []byte(strings.Replace(text, "{key_file: missing}", from, 1)))
		require.ErrorContains(t, err, why, from)
	}
	for _, where := range [][2]string{{strings.Repeat("9a", 32), ""}, {"", strings.Repeat("9a", 32)}} {
		_, err := jobeffekt.ReadPseudonymKey(where[0], where[1])
		require.ErrorIs(t, err, ingest.ErrPseudonymKey)
		require.NotContains(t, err.Error(), "9a9a")
	}
}

// Results of other keys are told apart: they are not gone on from, nor joined, and the manifest has the
// fingerprint alone.
func TestResultsOfAnotherKey(t *testing.T) {
	t.Parallel()
	c := nightly(t)
	folder := filepath.Dir(c.Path)
	text := string(read(t, c.Path))
	key := func(last string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "key"), []byte(strings.Repeat("0d", 31)+last), 0o600))
	}
	key("01")
	require.NoError(t, os.WriteFile(c.Path, []byte(strings.Replace(text, "input:\n", "input:\n  pseudonyms: {key_file: key, columns: [participation_id, person_id]}\n", 1)), 0o600))
	c, err := jobeffekt.LoadConfig(c.Path)
	require.NoError(t, err)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	k, err := jobeffekt.ReadPseudonymKey(filepath.Join(folder, "key"), "")
	require.NoError(t, err)
	assert.Equal(t, &jobeffekt.Pseudonymised{Columns: []string{"participation_id", "person_id"}, Key: k.Fingerprint()}, m.Pseudonyms)
	assert.NotContains(t, string(read(t, filepath.Join(c.ResultsFolder(), "manifest.json"))), "0d0d0d")
	pseudonym, err := c.Pseudonym("participation_id")
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, id := range r.Observations.Cases.ID.All() {
		ids[id.String()] = true
	}
	assert.True(t, ids[pseudonym("1")] || ids[pseudonym("10")], "the first cases of the world")
	_, raw := effect.TextID(r.Observations.Cases.ID.At(0).String()).Number()
	assert.False(t, raw)
	diff, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, diff)

	key("02")
	_, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepEstimate)
	require.ErrorIs(t, err, jobeffekt.ErrManifest)
	require.ErrorContains(t, err, "other pseudonyms")
	diff, err = jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.NotEmpty(t, diff)
}
