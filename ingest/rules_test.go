package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

type testParticipation struct {
	ID       string `parquet:"participation_id,dict"`
	Person   int64  `parquet:"person_id"`
	City     int32  `parquet:"kommune"`
	Group    string `parquet:"match_group,dict"`
	Referral int32  `parquet:"referral_date,date"`
	End      *int32 `parquet:"end_date,date"`
	Start    *int32 `parquet:"start_date,date"`
}

type testPerson struct {
	Person int64   `parquet:"person_id"`
	From   *int32  `parquet:"valid_from,date"`
	Class  *string `parquet:"class,dict"`
}

type testSpell struct {
	Person string `parquet:"person_id"`
	State  string `parquet:"state,dict"`
	Start  int32  `parquet:"start_date,date"`
	End    *int32 `parquet:"end_date,date"`
}

func testOptions() Options {
	opt := DefaultOptions()
	opt.MaxRejectShare = 1
	opt.Columns = map[string]map[string]string{Participations: {"municipality": "kommune"}}
	opt.Constants = map[string]map[string]string{Participations: {"match_scheme": "match5_2004", "provider_id": "P9"}}
	return opt
}

func goodParticipations() []testParticipation {
	return []testParticipation{
		{"b", 2, 101, "1", 13000, nil, nil},
		{"7", 1, 147, "2", 13010, new(int32(13030)), new(int32(13020))},
		{"a", 2, 101, "3", 13020, nil, nil},
	}
}

// counted picks the counts of a table by name.
func counted(d *Dataset, table string) map[string]int64 {
	out := map[string]int64{}
	for _, c := range d.Counts() {
		if c.Table == table {
			out[c.Name] = c.Rows
		}
	}
	return out
}

// causes are the rejects of a table as row, column and cause.
func causes(d *Dataset, table string) []Reject {
	var out []Reject
	for _, r := range d.Rejects() {
		if r.Table == table {
			out = append(out, Reject{Row: r.Row, Column: r.Column, Cause: r.Cause})
		}
	}
	return out
}

func TestCasesRules(t *testing.T) {
	dir := t.TempDir()
	rows := goodParticipations()
	rows = append(rows, rows[0], rows[0], // counted once
		testParticipation{"c", 3, 101, "1", 13000, nil, nil}, testParticipation{"c", 3, 101, "1", 13001, nil, nil}, // conflict
		testParticipation{"d", 3, 101, "1", 13000, new(int32(13010)), new(int32(13011))}, // ends before it starts
		testParticipation{"e", 3, 101, "", 13000, nil, nil},                              // empty
		testParticipation{"a", 2, 101, "3", int32(effect.LastDate) + 1, nil, nil},        // outside, and no conflict with a
	)
	writeRows(t, filepath.Join(dir, "participations.parquet"), rows)
	d, err := OpenFolder(dir, testOptions())
	require.NoError(t, err)
	c, err := d.Cases(context.Background())
	require.NoError(t, err)
	require.Equal(t, []string{
		"7,1,147,match5_2004,2,P9,,,,,2005-08-15,2005-08-25,2005-09-04",
		"a,2,101,match5_2004,3,P9,,,,,2005-08-25,,",
		"b,2,101,match5_2004,1,P9,,,,,2005-08-05,,",
	}, caseLines(c))
	require.Equal(t, effect.NewIDs(effect.NumberID(1), effect.NumberID(2)), c.Persons)
	require.Equal(t, []int32{-1, -1, -1}, c.Role.Codes)
	require.Equal(t, map[string]int64{"read": 10, "rejected": 5, "duplicates": 2}, counted(d, Participations))
	require.Equal(t, []Reject{
		{Row: 6, Column: "participation_id", Cause: "the same key occurs with different content"},
		{Row: 7, Column: "participation_id", Cause: "the same key occurs with different content"},
		{Row: 8, Column: "end_date", Cause: "end is before start"},
		{Row: 9, Column: "match_group", Cause: "required, but empty"},
		{Row: 10, Column: "referral_date", Cause: "date is outside 1900-01-01..2200-12-31"},
	}, causes(d, Participations))

	opt := testOptions()
	opt.MaxRejectShare = 0.49
	d, err = OpenFolder(dir, opt)
	require.NoError(t, err)
	_, err = d.Cases(context.Background())
	require.ErrorIs(t, err, ErrTooManyRejects)
	var limit *RejectLimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, RejectLimitError{Participations, 5, 10, 0.49}, *limit)
	require.Len(t, d.Rejects(), 5)
}

// TestRequiredOnly reads tables without a single optional column.
func TestRequiredOnly(t *testing.T) {
	dir := t.TempDir()
	writeRows(t, filepath.Join(dir, "participations.parquet"), []struct {
		ID       int64 `parquet:"participation_id"`
		Person   int64 `parquet:"person_id"`
		City     int32 `parquet:"municipality"`
		Group    int32 `parquet:"match_group"`
		Referral int32 `parquet:"referral_date,date"`
	}{{5, 1, 101, 1, 13000}})
	writeRows(t, filepath.Join(dir, "spells.parquet"), []struct {
		Person int64  `parquet:"person_id"`
		State  string `parquet:"state"`
		Start  int32  `parquet:"start_date,date"`
	}{{1, "pension", 13000}})
	writeRows(t, filepath.Join(dir, "providers.parquet"), []struct {
		ID   int64 `parquet:"provider_id"`
		From int32 `parquet:"valid_from,date"`
	}{{1, 13000}})
	opt := testOptions()
	opt.Columns, opt.Constants[Participations] = nil, map[string]string{"match_scheme": "match5_2004"}
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	c, err := d.Cases(context.Background())
	require.NoError(t, err)
	require.Equal(t, []string{"5,1,101,match5_2004,1,,,,,,2005-08-05,,"}, caseLines(c))
	require.Equal(t, []string{"1,pension,2005-08-05,"}, spellLines(t, d, c))
	members, err := d.Providers(context.Background())
	require.NoError(t, err)
	require.Equal(t, []effect.Membership{{Provider: "1", From: 13000, To: effect.NoDate, InHouseUnknown: true}}, members)
}

func TestPersonRules(t *testing.T) {
	dir := t.TempDir()
	writeRows(t, filepath.Join(dir, "participations.parquet"), goodParticipations())
	x, y, z := new("x"), new("y"), new("z")
	writeRows(t, filepath.Join(dir, "persons.parquet"), []testPerson{
		{2, new(int32(13020)), y},                            // holds on its first day
		{2, new(int32(12000)), x},                            //
		{1, new(int32(12000)), x}, {1, new(int32(12000)), z}, // conflict
		{99, new(int32(12000)), z}, {99, nil, z}, // orphans, whatever else
		{2, nil, z},               // undated among dated
		{2, new(int32(12000)), x}, // twice
		{2, new(int32(13021)), z}, // after every referral
	})
	opt := testOptions()
	opt.Covariates = []string{"class"}
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	c, err := d.Cases(context.Background())
	require.NoError(t, err)
	require.Equal(t, effect.Covariate{Name: "class", Dated: true, Factor: effect.Factor{Codes: []int32{-1, 1, 0}, Levels: []string{"x", "y"}}}, c.Covariates[0])
	require.Equal(t, map[string]int64{"read": 9, "rejected": 3, "orphans": 2, "duplicates": 1, "without_person": 1}, counted(d, Persons))
	require.Equal(t, []Reject{
		{Row: 3, Column: "person_id", Cause: "the same key occurs with different content"},
		{Row: 4, Column: "person_id", Cause: "the same key occurs with different content"},
		{Row: 7, Column: "valid_from", Cause: "required, but null"},
	}, causes(d, Persons))

	// Without valid_from only declared columns are dated.
	writeRows(t, filepath.Join(dir, "persons.parquet"), []struct {
		Person int64  `parquet:"person_id"`
		Class  string `parquet:"class"`
		Sex    string `parquet:"sex"`
	}{{1, "x", "k"}, {2, "y", "m"}})
	opt.Covariates, opt.FixedCovariates = []string{"sex", "class"}, []string{"sex"}
	d, err = OpenFolder(dir, opt)
	require.NoError(t, err)
	c, err = d.Cases(context.Background())
	require.NoError(t, err)
	require.True(t, c.Covariates[0].Dated && c.Covariates[0].Fixed)
	require.False(t, c.Covariates[1].Dated || c.Covariates[1].Fixed)
	require.Equal(t, "k", c.Covariates[0].Factor.At(0))
}

func TestSpellRules(t *testing.T) {
	dir := t.TempDir()
	rows := []testSpell{
		{"1", "cash_benefit", 13000, new(int32(13010))}, {"1", "job", 13010, nil}, {"001", "job", 13000, nil}, // 001 is no number
		{"2", "education", 13000, new(int32(13000))}, {"2", "education", 13000, new(int32(12999))}, {"", "job", 13000, nil},
	}
	writeRows(t, filepath.Join(dir, "spells.parquet"), rows)
	opt := testOptions()
	opt.States = map[string]effect.State{"job": effect.OrdinaryEmployment, "education": effect.Ignore}
	cases := &effect.Cases{Persons: effect.NewIDs(effect.NumberID(1), effect.NumberID(2))}
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	require.Equal(t, []string{"1,cash_benefit,2005-08-05,2005-08-15", "1,ordinary_employment,2005-08-15,"}, spellLines(t, d, cases))
	require.Equal(t, map[string]int64{"read": 6, "rejected": 2, "orphans": 1, "empty": 1, "used": 2}, counted(d, Spells))
	require.Equal(t, []Reject{
		{Row: 5, Column: "end_date", Cause: "end is before start"},
		{Row: 6, Column: "person_id", Cause: "required, but empty"},
	}, causes(d, Spells))

	opt.States = nil
	writeRows(t, filepath.Join(dir, "spells.parquet"), append(rows, testSpell{"1", "arbejde", 13000, nil}))
	d, err = OpenFolder(dir, opt)
	require.NoError(t, err)
	err = d.Spells(context.Background(), cases, nil, func(effect.Spells) error { return nil })
	var unmapped *UnmappedStatesError
	require.ErrorAs(t, err, &unmapped)
	require.Equal(t, []UnmappedState{{"arbejde", 1}, {"job", 3}}, unmapped.Codes)
	require.ErrorContains(t, err, `"job" (3 rows)`)
}

func TestOtherTables(t *testing.T) {
	dir := t.TempDir()
	type provider struct {
		ID         int32   `parquet:"provider_id"`
		From       int32   `parquet:"valid_from,date"`
		To         *int32  `parquet:"valid_to,date"`
		Consortium *string `parquet:"consortium_id"`
		InHouse    *bool   `parquet:"in_house"`
	}
	writeRows(t, filepath.Join(dir, "providers.parquet"), []provider{
		{12, 13000, nil, nil, new(true)}, {3, 13100, nil, new("K1"), nil}, {3, 12000, new(int32(13100)), nil, new(false)}, {3, 12000, new(int32(11000)), nil, nil},
	})
	type year struct {
		Municipality int32    `parquet:"municipality"`
		Year         int32    `parquet:"year"`
		Population   *int64   `parquet:"population"`
		Unemployed   *float32 `parquet:"unemployed_pct"`
		Region       string   `parquet:"region"`
		Merged       bool     `parquet:"merged"`
	}
	writeRows(t, filepath.Join(dir, "municipalities.parquet"), []year{
		{147, 2008, new(int64(95000)), new(float32(2.5)), "H", true},
		{101, 2009, nil, new(float32(3)), "H", true},
		{101, 2008, new(int64(500000)), nil, "H", true},
		{101, 2008, new(int64(500000)), nil, "H", true},
	})
	type stratum struct {
		Municipality string  `parquet:"municipality"`
		Scheme       string  `parquet:"match_scheme"`
		Group        int8    `parquet:"match_group"`
		Outcome      string  `parquet:"outcome"`
		Period       string  `parquet:"period"`
		N            float64 `parquet:"n"`
		Sum          int64   `parquet:"sum"`
		SumSquares   float64 `parquet:"sum_squares"`
		Sex          *string `parquet:"sex"`
		Age          int16   `parquet:"age"`
	}
	writeRows(t, filepath.Join(dir, "peer_strata.parquet"), []stratum{
		{"147", "m", 2, "job", "2008H1", 10, 4, 4, new("k"), 30}, {"147", "m", 2, "job", "2008H1", 12, 5, 5, nil, 30}, {"101", "m", 2, "job", "2008H1", 7.5, 5, 5, nil, 30},
	})
	ctx := context.Background()
	opt := testOptions()
	opt.Columns[Municipalities] = map[string]string{"unemployment": "unemployed_pct"}
	opt.Constants[Providers] = map[string]string{"valid_to": "2100-01-01", "in_house": "true"}
	constants, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	members, err := constants.Providers(ctx)
	require.NoError(t, err)
	require.True(t, members[0].InHouse)
	require.Equal(t, "2100-01-01", members[0].To.String())
	opt.Constants[Providers] = map[string]string{"employer_ids": "17; E1,017"}
	members, err = constants.Providers(ctx)
	require.NoError(t, err)
	require.Equal(t, []effect.ID{effect.NumberID(17), effect.TextID("E1"), effect.TextID("017")}, members[0].Employers)
	opt.Constants[Providers] = map[string]string{"valid_to": "never"}
	_, err = constants.Providers(ctx)
	require.ErrorContains(t, err, `"valid_to": the constant does not fit, expected a date`)
	opt.Constants[Providers] = nil
	opt.Constants[PeerStrata] = map[string]string{"sum_squares": "2.5"}
	strata, err := constants.PeerStrata(ctx, []string{"age", "sex"})
	require.NoError(t, err)
	require.Equal(t, 2.5, strata[0].SumSquares)
	opt.Constants[PeerStrata] = nil

	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	require.NoError(t, d.Check(ctx))

	providers, err := d.Providers(ctx)
	require.NoError(t, err)
	require.Equal(t, []effect.Membership{
		{Provider: "3", From: 12000, To: 13100},
		{Provider: "3", Consortium: "K1", From: 13100, To: effect.NoDate, InHouseUnknown: true},
		{Provider: "12", From: 13000, To: effect.NoDate, InHouse: true},
	}, providers)
	require.Equal(t, []Reject{{Row: 4, Column: "valid_to", Cause: "end is before start"}}, causes(d, Providers))

	conditions, err := d.Conditions(ctx)
	require.NoError(t, err)
	require.Equal(t, []Condition{
		{"101", 2008, "", map[string]float64{"population": 500000}},
		{"101", 2009, "", map[string]float64{"unemployment": 3}},
		{"147", 2008, "", map[string]float64{"population": 95000, "unemployment": 2.5}},
	}, conditions)
	require.EqualValues(t, 1, counted(d, Municipalities)["duplicates"])

	strata, err = d.PeerStrata(ctx, []string{"age", "sex"})
	require.NoError(t, err)
	require.Equal(t, []effect.StratumTotal{
		{Municipality: "147", MatchScheme: "m", MatchGroup: "2", Outcome: "job", Period: "2008H1", N: 12, Sum: 5, SumSquares: 5, Classes: []string{"30", ""}},
		{Municipality: "147", MatchScheme: "m", MatchGroup: "2", Outcome: "job", Period: "2008H1", N: 10, Sum: 4, SumSquares: 4, Classes: []string{"30", "k"}},
	}, strata)
	require.Equal(t, []Reject{{Row: 3, Column: "n", Cause: "number is not whole"}}, causes(d, PeerStrata))
	_, err = d.PeerStrata(ctx, []string{"education"})
	require.ErrorContains(t, err, `"education": missing`)

	_, err = d.Cases(ctx)
	require.ErrorIs(t, err, ErrNoTable)
	require.ErrorIs(t, d.Spells(ctx, &effect.Cases{}, nil, nil), ErrNoTable)
	require.False(t, d.Has(Spells))
	require.True(t, d.Has(Providers))
}

// TestCheck expects every problem of every table at once.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, Spells), 0o755))
	writeRows(t, filepath.Join(dir, Spells, "a.parquet"), goodSpells())
	writeRows(t, filepath.Join(dir, Spells, "b.parquet"), []struct {
		Person string `parquet:"person_id"`
		State  string `parquet:"state"`
		Start  int32  `parquet:"start_date,date"`
	}{{"7", "education", 1}})
	writeRows(t, filepath.Join(dir, "participations.parquet"), goodParticipations())
	opt := testOptions()
	opt.Covariates = []string{"sex"}
	opt.Columns[Participations]["refferal_date"] = "x"
	opt.Columns["spell"] = map[string]string{"a": "b"}
	opt.Columns[Participations]["package_id"] = "pakke"
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	err = d.Check(context.Background())
	var schema *SchemaError
	require.True(t, errors.As(err, &schema))
	var got [][4]string
	for _, p := range schema.Problems {
		got = append(got, [4]string{p.Table, filepath.Base(p.File), p.Column, p.Problem})
	}
	require.Equal(t, [][4]string{
		{Participations, "participations.parquet", "package_id", "missing"},
		{Participations, "participations.parquet", "sex", "missing"},
		{Spells, "b.parquet", "person_id", "parts differ"},
		{Spells, "b.parquet", "end_date", "missing in this part only"},
		{Participations, "mapping of columns", "refferal_date", "no such column of participations"},
		{"spell", "mapping of columns", "spell", "no such table"},
	}, got)
	require.ErrorContains(t, err, `did you mean "referral_date"?`)
	require.ErrorContains(t, err, `did you mean "spells"?`)
	require.ErrorContains(t, err, `column "pakke" (package_id)`)
}
