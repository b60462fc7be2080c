package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// What a plan says is kept, a run keeps, whatever changed; and a plan writes nothing.
func TestPlanIsWhatRunDoes(t *testing.T) {
	c := nightly(t)
	c.Keep = true
	change := func(file, from, to string) {
		path := filepath.Join(filepath.Dir(c.Path), file)
		text := string(read(t, path))
		require.Contains(t, text, from)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)), 0o600))
		var err error
		c, err = jobeffekt.LoadConfig(c.Path)
		require.NoError(t, err)
		c.Keep = true
	}
	for _, night := range []struct {
		change func()
		kept   int
		why    string // the first step that is done is
	}{
		{func() {}, 0, "there are no results to keep"},
		{func() {}, 4, ""},
		{func() { change("terms.yaml", "amount: 4000}", "amount: 4001}") }, 3, "changed terms or seals"},
		{func() { change("jobeffekt.yaml", "k: 5", "k: 6") }, 0, "a changed run file"},
		{func() { change("jobeffekt.yaml", "sensitivity: {}", "sensitivity: {peers: false}") }, 2, "a changed run file"},
		{func() {
			require.NoError(t, os.WriteFile(filepath.Join(c.ResultsFolder(), "estimates.parquet"), nil, 0o600))
		}, 1, "its tables were changed or are missing"},
		{func() { c.Keep = false }, 0, "every step is asked for"},
	} {
		night.change()
		before := map[string]string{}
		if _, err := os.Stat(c.ResultsFolder()); err == nil {
			before = contents(t, c.ResultsFolder())
		}
		p, err := jobeffekt.Plan(context.Background(), c)
		require.NoError(t, err)
		if _, err := os.Stat(c.ResultsFolder()); err == nil {
			sameFolder(t, before, contents(t, c.ResultsFolder()))
		} else {
			require.Empty(t, before)
		}
		var kept []jobeffekt.Step
		first := ""
		for _, s := range p.Steps {
			if s.Kept {
				require.Empty(t, first, "no step is kept after one that is done")
				kept = append(kept, s.Step)
				assert.Empty(t, s.Why)
			} else if first == "" {
				first = s.Why
			}
		}
		r, err := jobeffekt.Run(context.Background(), c)
		require.NoError(t, err)
		assert.ElementsMatch(t, r.Kept, kept, night.why)
		assert.Equal(t, night.why, first)
		assert.Len(t, kept, night.kept, night.why)
		assert.Equal(t, len(before) > 0, p.Replaces > 0)
		c.Keep = true
	}
	p, err := jobeffekt.Plan(context.Background(), c)
	require.NoError(t, err)
	for _, table := range p.Tables {
		assert.Positive(t, table.Rows, table.Name)
		assert.Positive(t, table.Bytes, table.Name)
	}

	// Codes that stand for no state are found as a run finds them.
	c.Input.Constants = map[string]map[string]string{ingest.Spells: {"state": "K17"}}
	_, err = jobeffekt.Plan(context.Background(), c)
	require.ErrorContains(t, err, `"K17"`)
	_, run := jobeffekt.Run(context.Background(), c)
	require.EqualError(t, run, err.Error())
}
