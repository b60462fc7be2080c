package ingest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// What is said of the histories is what their text says, whoever wrote them.
func TestInspectHistories(t *testing.T) {
	ctx := context.Background()
	type seen struct {
		rows        int64
		groups      []InputValue
		first, last effect.Date
	}
	var want *seen
	for _, writer := range []string{"duckdb", "duckdb_text_ids", "pyarrow_plain_parts", "pyarrow_dictionary", "polars", "spark", "spark_int96", "parquet_go"} {
		d, err := OpenFolder(histories+"/"+writer, DefaultOptions())
		require.NoError(t, err)
		at := slices.IndexFunc(d.Sizes(), func(s TableSize) bool { return s.Name == Participations })
		got := &seen{rows: d.Sizes()[at].Rows}
		got.groups, err = d.InputValues(ctx, Participations, "match_group", 10)
		require.NoError(t, err)
		got.first, got.last, err = d.InputDates(ctx, Participations, "referral_date")
		require.NoError(t, err)
		sum := int64(0)
		for _, g := range got.groups {
			sum += g.Rows
		}
		assert.Equal(t, got.rows, sum, writer)
		assert.Less(t, got.first, got.last)
		if want == nil {
			want = got
		}
		assert.Equal(t, want, got, writer)

		// Identifiers are never listed.
		_, err = d.InputValues(ctx, Spells, "person_id", 20)
		require.ErrorIs(t, err, ErrManyValues)
		_, err = d.InputValues(ctx, Spells, "nonsense", 20)
		require.ErrorContains(t, err, "nonsense")
	}
	assert.Equal(t, int64(90), want.rows)
	assert.Equal(t, []string{"2", "3", "5", "1", "4"}, []string{want.groups[0].Value, want.groups[1].Value, want.groups[2].Value, want.groups[3].Value, want.groups[4].Value}, "the most frequent first, equal ones by value")
}

// The codes of spells that stand for no state are those that a run stops at.
func TestCheckStates(t *testing.T) {
	ctx := context.Background()
	opt := truthOptions()
	d, err := OpenFolder(histories+"/pyarrow_plain_parts", opt)
	require.NoError(t, err)
	said := d.CheckStates(ctx)
	cases, err := d.Cases(ctx)
	require.NoError(t, err)
	stopped := d.Observe(ctx, cases, nil)
	require.Error(t, stopped)
	require.EqualError(t, said, stopped.Error())
	require.Len(t, said.(*UnmappedStatesError).Codes, 7)

	opt.States = map[string]effect.State{}
	for _, c := range said.(*UnmappedStatesError).Codes {
		opt.States[c.Code] = effect.Ignore
	}
	d, err = OpenFolder(histories+"/pyarrow_plain_parts", opt)
	require.NoError(t, err)
	require.NoError(t, d.CheckStates(ctx))
}
