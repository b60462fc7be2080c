package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who has the key makes the pseudonym of an identifier again, from the standard input.
func TestPseudonymCommand(t *testing.T) {
	folder := t.TempDir()
	run := filepath.Join(folder, "jobeffekt.yaml")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "key"), []byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"), 0o600))
	require.NoError(t, os.WriteFile(run, []byte(`data: data
out: results
as_of: 2010-06-30
input: {pseudonyms: {key_file: key}}
cohort: {period: 2008}
outcomes: [{name: employed_26w, kind: state_at, states: [ordinary_employment], at: 26 weeks}]
compare: {methods: [strata], classes: [{covariate: sex}]}
`), 0o600))
	pseudonyms := func(in string, more ...string) (string, error) {
		c := newPseudonym()
		var out bytes.Buffer
		c.SetIn(strings.NewReader(in))
		c.SetOut(&out)
		c.SetErr(&out)
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs(append([]string{run}, more...))
		err := c.ExecuteContext(context.Background())
		return out.String(), err
	}
	// testdata/reference/pseudonyms.json, by Python.
	out, err := pseudonyms("17\n010170-1234\n0101701234\n")
	require.NoError(t, err)
	lines := strings.Fields(out)
	require.Len(t, lines, 3)
	assert.Contains(t, fileText(t, "../../../testdata/reference/pseudonyms.json"), `"17": "`+lines[0]+`"`)
	assert.Equal(t, lines[1], lines[2])
	for _, in := range []string{"17\n\n18\n", strings.Repeat("8", 70_000)} {
		_, err = pseudonyms(in)
		require.ErrorContains(t, err, "of the standard input")
		assert.NotContains(t, err.Error(), "17")
	}
	_, err = pseudonyms("17", "--column", "participation_id")
	require.ErrorContains(t, err, "asks for no pseudonyms")
	var key pseudonymFlags
	key.file, key.env = "a", "b"
	_, err = key.key()
	require.ErrorAs(t, err, &usageError{})
}
