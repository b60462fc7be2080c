package dream_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

func TestDefaultMap(t *testing.T) {
	m := dream.DefaultMap()
	require.NoError(t, m.Validate())
	got, err := dream.ParseMap("codes.yaml", dream.Template())
	require.NoError(t, err)
	assert.Equal(t, m, got, "the file to edit is the standard map")
	for _, e := range m.Codes {
		assert.True(t, e.Believed, "%s: nothing has been held against the register's own list", e.Codes)
	}
}

func TestCodeRange(t *testing.T) {
	for text, want := range map[string]dream.CodeRange{
		"997": dream.Codes(997, 997), "730-739": dream.Codes(730, 739), "0": dream.Codes(0, 0), " 5 ": dream.Codes(5, 5),
		"A1": {Text: "A1"}, "007": {Text: "007"}, ".": {Text: "."}, "a-b": {Text: "a-b"}, "-3": {Text: "-3"}, "1-2-3": {Text: "1-2-3"},
	} {
		var r dream.CodeRange
		require.NoError(t, r.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, r, text)
		assert.Equal(t, strings.TrimSpace(text), r.String())
	}
	var r dream.CodeRange
	require.ErrorIs(t, r.UnmarshalText([]byte("739-730")), dream.ErrMap)
}

const rest = "\nempty_week: none\nincome: either\noutside_months: unknown\nbeside: {work: none}\nfull_degree: 1\nfull_hours: 37\n"

// Of ranges that hold a code the narrowest counts; text codes are codes too.
func TestParseMap(t *testing.T) {
	m, err := dream.ParseMap("m.yaml", []byte(`codes:
  - {codes: 1-999, state: ignore}
  - {codes: 730-739, state: cash_benefit}
  - {codes: 734, state: wage_subsidy}
  - {codes: A1, state: leave}
empty: [0, "."]`+rest))
	require.NoError(t, err)
	got, r, err := spells(t, write(t, t.TempDir()+"/panel.parquet",
		panel{"pnr y_0901 y_0902 y_0903 y_0904 y_0905 y_0906", "1 733 734 735 A1 . 8"}.table(t, "y_0901", "y_0902", "y_0903", "y_0904", "y_0905", "y_0906")), m, dream.DefaultOptions())
	require.NoError(t, err)
	var states []string
	for _, line := range got {
		states = append(states, strings.Fields(line)[1])
	}
	assert.Equal(t, []string{"cash_benefit", "wage_subsidy", "cash_benefit", "leave", "ignore"}, states)
	assert.Equal(t, []dream.CodeWeeks{
		{Code: "8", State: effect.Ignore, Weeks: 1},
		{Code: "733", State: effect.CashBenefit, Weeks: 1},
		{Code: "734", State: effect.WageSubsidy, Weeks: 1},
		{Code: "735", State: effect.CashBenefit, Weeks: 1},
		{Code: "A1", State: effect.Leave, Weeks: 1},
	}, r.Codes)
	assert.Equal(t, int64(1), r.Count(dream.CountUnknown))
}

func TestMapFaults(t *testing.T) {
	for src, want := range map[string]string{
		"codes: [{codes: 1-5, state: leave}, {codes: 4-9, state: leave}]" + rest:                                                    "m.yaml:1:38: codes[1]: 4-9 overlaps 1-5 and neither lies inside the other",
		"codes: [{codes: 1-5, state: leave}, {codes: 1-5, state: dead}]" + rest:                                                     "codes[1]: 1-5 stands twice",
		"codes: [{codes: A, state: leave}, {codes: A, state: dead}]" + rest:                                                         "codes[1]: A stands twice",
		"codes: [{codes: 9-1, state: leave}]" + rest:                                                                                "runs backwards; write 1-9",
		"codes: [{codes: 1, state: leve}]" + rest:                                                                                   `did you mean "leave"?`,
		"codes: [{codes: 1, state: leave, was: x}]" + rest:                                                                          "unknown key",
		"codes: [{codes: 0, state: leave}]\nempty: [0]" + rest:                                                                      "0 also stands under empty",
		"codes: [{codes: 1-5, state: leave}]\nends: [4-6]" + rest:                                                                   "ends[0]: 4-6 has no state under codes",
		"codes: [{codes: 1, state: leave}]":                                                                                         "income is missing",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "none", "ordinary_employment", 1):                               "an empty week without income is not employment",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "work: none", "work: from_grad", 1):                             "given where work is from_grad",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "work: none", "work: none, least_degree: -1", 1):                "beside.least_degree: it should be 0 or more",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "{work: none", "{work: none, states: [ordinary_employment]", 1): "which is work itself",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "full_degree: 1", "full_degree: 0", 1):                          "full_degree: it should be more than 0",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "37", "169", 1):                                                 "full_hours: it should be from 0 to 168",
		"codes: [{codes: 1, state: leave}]" + strings.Replace(rest, "either", "any", 1):                                             "not one of the names allowed here",
	} {
		_, err := dream.ParseMap("m.yaml", []byte(src))
		var faults *strict.Faults
		require.ErrorAs(t, err, &faults, src)
		assert.Contains(t, err.Error(), want)
	}
	_, err := dream.ParseMap("m.yaml", []byte("codes: [{codes: 9-1, state: leve}]"+strings.Replace(rest, "either", "any", 1)))
	var faults *strict.Faults
	require.ErrorAs(t, err, &faults)
	assert.Len(t, faults.List, 3, "all at once")
	m := dream.DefaultMap()
	m.FullDegree, m.Income = 0, ""
	require.ErrorIs(t, m.Validate(), dream.ErrMap)
	assert.ErrorContains(t, m.Validate(), "full_degree")
	assert.ErrorContains(t, m.Validate(), "income")
}
