package command

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt/demo"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// typed runs a command line.
func asTyped(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = execute(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// world is a small dataset, each table changed before it is written.
func changedWorld(t *testing.T, change func(*ingest.Table)) string {
	t.Helper()
	was, folder := filepath.Join(t.TempDir(), "was"), filepath.Join(t.TempDir(), "data")
	code, _, text := asTyped(t, "synth", was, "--persons", "300", "--municipalities", "4", "--providers", "1", "-q")
	require.Equal(t, exitDone, code, text)
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, filepath.WalkDir(was, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".parquet")
		if parent := filepath.Base(filepath.Dir(path)); parent != "was" {
			name = parent // its only part
		}
		if name == "truth" {
			return nil
		}
		table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
		require.NoError(t, err)
		table.Name = name
		change(table)
		return jobeffekt.WriteTable(filepath.Join(folder, name+".parquet"), table)
	}))
	return folder
}

func renamed(t *ingest.Table, names ...string) {
	for k := 0; k+1 < len(names); k += 2 {
		if c := t.Column(names[k]); c != nil {
			c.Name = names[k+1]
		}
	}
}

// recoded gives the values of a column other names.
func recoded(t *ingest.Table, column string, names ...string) {
	c := t.Column(column)
	if c == nil {
		return
	}
	of := strings.NewReplacer(names...)
	for i := range c.Texts {
		c.Texts[i] = of.Replace(c.Texts[i])
	}
	if c.Factor != nil {
		c.Factor.Levels = slices.Clone(c.Factor.Levels)
		for i := range c.Factor.Levels {
			c.Factor.Levels[i] = of.Replace(c.Factor.Levels[i])
		}
	}
}

// Columns and codes in Danish that mean one thing are mapped, and the job is done as it stands;
// its results are those of the same data in the words of the contract.
func TestInitReadsDanishNames(t *testing.T) {
	plain := changedWorld(t, func(*ingest.Table) {})
	danish := changedWorld(t, func(table *ingest.Table) {
		if table.Name == ingest.Participations {
			renamed(table, "participation_id", "forløb_id", "referral_date", "Henvisningsdato", "match_group", "matchgruppe", "provider_id", "leverandør", "agreement_id", "rammeaftale", "package_id", "tilbudspakke")
		}
		renamed(table, "person_id", "borger_id", "municipality", "kommune", "start_date", "startdato", "end_date", "slutdato", "year", "år")
		if table.Name == ingest.Spells {
			renamed(table, "state", "tilstand")
			recoded(table, "tilstand", "ordinary_employment", "Ordinær beskæftigelse", "cash_benefit", "Kontanthjælp", "sickness_benefit", "sygedagpenge")
		}
		if table.Name == ingest.Persons {
			renamed(table, "birth_date", "fødselsdato")
		}
	})
	cells := func(data string) string {
		out := filepath.Join(t.TempDir(), "job")
		code, stdout, stderr := asTyped(t, "init", data, "--out", out)
		require.Equal(t, exitDone, code, stderr)
		assert.NotContains(t, stdout, "fewer")
		code, _, stderr = asTyped(t, "run", filepath.Join(out, runFileName), "-q")
		require.Equal(t, exitDone, code, stderr)
		return fileText(t, filepath.Join(out, "results", "cells.csv"))
	}
	want, got := cells(plain), cells(danish)
	assert.Equal(t, want, got)

	out := filepath.Join(t.TempDir(), "job")
	code, _, stderr := asTyped(t, "init", danish, "--out", out)
	require.Equal(t, exitDone, code, stderr)
	run := fileText(t, filepath.Join(out, runFileName))
	for _, line := range []string{
		`      referral_date: Henvisningsdato`, `      municipality: kommune`, `      year: "år"`, `      birth_date: "fødselsdato"`,
		`    "Ordinær beskæftigelse": ordinary_employment`, `    "Kontanthjælp": cash_benefit`,
		`      end_date: slutdato   # QUESTION: is it the first day no longer in it?`,
	} {
		assert.Contains(t, run, line)
	}
}

// What is not sure is left open in place of the value, and check says where.
func TestInitAsks(t *testing.T) {
	data := changedWorld(t, func(table *ingest.Table) {
		if table.Name == ingest.Spells {
			recoded(table, "state", "ordinary_employment", "K17")
		}
		if table.Name == ingest.Participations {
			renamed(table, "match_group", "x1", "role", "x2")
		}
	})
	out := t.TempDir()
	code, stdout, stderr := asTyped(t, "init", data, "--out", out)
	require.Equal(t, exitDone, code, stderr)
	assert.Contains(t, stdout, "Marked QUESTION")
	run := filepath.Join(out, runFileName)
	text := fileText(t, run)
	assert.Regexp(t, `(?m)^      match_group: QUESTION   # one of x1, x2`, text)
	assert.Regexp(t, `(?m)^    "K17": QUESTION   # [0-9,]+ rows$`, text)
	code, _, stderr = asTyped(t, "check", run)
	assert.Equal(t, exitFailed, code)
	assert.Regexp(t, `jobeffekt.yaml:[0-9]+:[0-9]+: input.states.K17: "QUESTION"`, stderr)

	// Once the code is answered, the column is asked for.
	require.NoError(t, os.WriteFile(run, []byte(strings.Replace(text, `"K17": QUESTION`, `"K17": ordinary_employment`, 1)), 0o600))
	code, _, stderr = asTyped(t, "check", run)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "QUESTION")
	assert.Contains(t, stderr, "match_group")
}

// Names that are full of YAML and of what moves a cursor are told as they are, harm nothing, and
// no identifier of a person is written.
func TestInitOfHostileNames(t *testing.T) {
	evil := "A\": {x: 1}\n# \u202e=cmd|' /C calc'!A0<script>"
	data := changedWorld(t, func(table *ingest.Table) {
		recoded(table, "agreement_id", "A-751", evil)
		recoded(table, "provider_id", "L751-1", evil+strings.Repeat("x", 10_000))
		if c := table.Column("person_id"); c != nil {
			for i := range c.Ints {
				c.Ints[i] += 7_777_700_000
			}
		}
	})
	out := t.TempDir()
	code, stdout, stderr := asTyped(t, "init", data, "--out", out)
	require.Equal(t, exitDone, code, stderr)
	all := stdout + stderr
	entries, err := os.ReadDir(out)
	require.NoError(t, err)
	for _, e := range entries {
		assert.Regexp(t, `^[A-Za-z0-9_.-]+$`, e.Name())
		all += fileText(t, filepath.Join(out, e.Name()))
	}
	assert.NotContains(t, all, "7777")
	assert.NotContains(t, all, "\u202e")
	assert.NotContains(t, all, strings.Repeat("x", 100))
	code, _, stderr = asTyped(t, "check", filepath.Join(out, runFileName))
	assert.Equal(t, exitDone, code, stderr)
	found := false
	for _, e := range entries {
		if e.Name() != runFileName {
			terms, err := jobeffekt.ReadTerms(filepath.Join(out, e.Name()))
			require.NoError(t, err)
			found = found || terms.Agreement == evil
		}
	}
	assert.True(t, found, "the agreement is the one of the data")
}

// The demonstration, and histories that other programs wrote.
func TestInitOfOtherData(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, demo.Files))
	histories := "../../../testdata/histories"
	entries, err := os.ReadDir(histories)
	require.NoError(t, err)
	looked := 0
	for _, data := range append([]string{filepath.Join(folder, "data")}, func() (out []string) {
		for _, e := range entries {
			if e.IsDir() && e.Name() != "truth" {
				out = append(out, filepath.Join(histories, e.Name()))
			}
		}
		return out
	}()...) {
		looked++
		out := t.TempDir()
		code, _, stderr := asTyped(t, "init", data, "--out", out)
		require.Equal(t, exitDone, code, "%s: %s", data, stderr)
		text := fileText(t, filepath.Join(out, runFileName))
		code, stdout, stderr := asTyped(t, "check", filepath.Join(out, runFileName))
		if regexp.MustCompile(`(?m)^[^#]*: QUESTION`).MatchString(text) {
			assert.Equal(t, exitFailed, code, data)
			assert.Contains(t, stderr, "QUESTION")
			continue
		}
		require.Equal(t, exitDone, code, "%s: %s", data, stderr)
		assert.Contains(t, stdout, "are in order")
	}
	assert.Equal(t, 9, looked-1)
}
