package ingest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/ingest"
)

func TestTalliesAddUp(t *testing.T) {
	reject := func(file string, row int64) ingest.Reject {
		return ingest.Reject{Table: ingest.Spells, File: file, Row: row, Column: "state", Cause: "required, but null"}
	}
	a := &ingest.SpellTally{Rows: 5, Orphans: 1, Empty: 1, Used: 1, Unmapped: []ingest.UnmappedState{{Code: "y", Rows: 1}}, Rejects: []ingest.Reject{reject("b", 2)}}
	b := &ingest.SpellTally{Rows: 7, Orphans: 2, Used: 2, Unmapped: []ingest.UnmappedState{{Code: "x", Rows: 1}, {Code: "y", Rows: 2}}, Rejects: []ingest.Reject{reject("b", 1), reject("a", 9)}}
	want := &ingest.SpellTally{
		Rows: 12, Orphans: 3, Empty: 1, Used: 3, Unmapped: []ingest.UnmappedState{{Code: "x", Rows: 1}, {Code: "y", Rows: 3}},
		Rejects: []ingest.Reject{reject("a", 9), reject("b", 1), reject("b", 2)},
	}
	for _, order := range [][]*ingest.SpellTally{{a, b}, {b, a}} {
		got := &ingest.SpellTally{}
		got.Add(order...)
		assert.Equal(t, want, got)
	}
}

// A tally of another table is no account of this one.
func TestTallyOfAnotherTable(t *testing.T) {
	ds, err := ingest.OpenFolder("../cmd/jobeffekt/demo/data", ingest.DefaultOptions())
	require.NoError(t, err)
	file := ""
	for _, f := range ds.SpellFiles() {
		file = ds.Files()[f.Input]
		require.Len(t, f.Groups, 1)
		assert.Less(t, f.Groups[0].To, f.Footer.From)
		assert.Equal(t, f.Bytes, f.Footer.To)
	}
	good := ingest.Reject{Table: ingest.Spells, File: file, Row: 3, Column: "state", Cause: "required, but null"}
	for name, change := range map[string]func(*ingest.Reject){
		"file": func(r *ingest.Reject) { r.File = "other" }, "column": func(r *ingest.Reject) { r.Column = "states" },
		"cause": func(r *ingest.Reject) { r.Cause = "bad" }, "no cause": func(r *ingest.Reject) { r.Cause = "" }, "row": func(r *ingest.Reject) { r.Row = 0 },
	} {
		r := good
		change(&r)
		assert.Error(t, ds.CloseSpells(&ingest.SpellTally{Rows: 1000, Rejects: []ingest.Reject{r}}), name)
		assert.Empty(t, ds.Counts())
	}
	require.NoError(t, ds.CloseSpells(&ingest.SpellTally{Rows: 1000, Rejects: []ingest.Reject{good}}))
	assert.Equal(t, []ingest.Reject{good}, ds.Rejects())

	none, err := ingest.OpenFolder(t.TempDir(), ingest.DefaultOptions())
	require.NoError(t, err)
	assert.ErrorIs(t, none.CloseSpells(&ingest.SpellTally{}), ingest.ErrNoTable)
	_, err = none.ObserveGroups(context.Background(), nil, nil, nil)
	assert.ErrorIs(t, err, ingest.ErrNoTable)
}
