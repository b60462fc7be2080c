package ingest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

type testGroup struct {
	ID       int64  `parquet:"participation_id"`
	Person   int64  `parquet:"person_id"`
	City     string `parquet:"municipality"`
	Scheme   string `parquet:"match_scheme"`
	Group    string `parquet:"match_group"`
	Referral int32  `parquet:"referral_date,date"`
}

type testLoad struct {
	Person int64  `parquet:"person_id"`
	City   string `parquet:"municipality"`
	Scheme string `parquet:"match_scheme"`
	Group  string `parquet:"match_group"`
	Start  int32  `parquet:"start_date,date"`
}

type testStratum struct {
	City    string  `parquet:"municipality"`
	Scheme  string  `parquet:"match_scheme"`
	Group   string  `parquet:"match_group"`
	Outcome string  `parquet:"outcome"`
	Period  string  `parquet:"period"`
	N       int64   `parquet:"n"`
	Sum     float64 `parquet:"sum"`
	Squares float64 `parquet:"sum_squares"`
}

// fiveToThree is a crosswalk of the schemes of 2004 and 2010.
func fiveToThree() []effect.Crosswalk {
	return []effect.Crosswalk{{From: "match5_2004", To: "match3_2010", Groups: map[string]string{"1": "1", "2": "1", "3": "1", "4": "2", "5": "3"}}}
}

// Every pair of municipality, scheme and group of the input, before and after.
func TestCrosswalk(t *testing.T) {
	dir := t.TempDir()
	cases := []testGroup{
		{1, 1, "H", "match5_2004", "5", 13000},
		{2, 2, "H", "match5_2004", "1", 13000},
		{3, 3, "H", "match3_2010", "2", 13000},
		{4, 4, "P", "match5_2004", "3", 13000},
		{5, 5, "P", "other", "5", 13000},
		{6, 6, "P", "match5_2004", "5", 13000},
	}
	writeRows(t, filepath.Join(dir, "participations.parquet"), append(cases, cases[0])) // one row twice
	writeRows(t, filepath.Join(dir, "caseload.parquet"), []testLoad{{1, "H", "match5_2004", "4", 12000}, {9, "H", "match3_2010", "1", 12000}})
	writeRows(t, filepath.Join(dir, "peer_strata.parquet"), []testStratum{
		{"Q", "match5_2004", "1", "job", "2008", 10, 4, 4}, {"Q", "match5_2004", "2", "job", "2008", 6, 1, 1}, {"Q", "other", "1", "job", "2008", 3, 1, 1},
	})
	ctx := context.Background()
	open := func(walks ...effect.Crosswalk) *Dataset {
		opt := DefaultOptions()
		opt.Crosswalk = walks
		d, err := OpenFolder(dir, opt)
		require.NoError(t, err)
		return d
	}
	groups := func(n int, scheme, group *effect.Factor) (out []string) {
		for i := range n {
			out = append(out, scheme.At(i)+" "+group.At(i))
		}
		return out
	}

	plain := open()
	c, err := plain.Cases(ctx)
	require.NoError(t, err)
	require.Nil(t, c.Recorded)
	require.Empty(t, plain.Moves())
	recorded := []string{"match5_2004 5", "match5_2004 1", "match3_2010 2", "match5_2004 3", "other 5", "match5_2004 5"}
	require.Equal(t, recorded, groups(6, &c.MatchScheme, &c.MatchGroup))

	d := open(fiveToThree()...)
	c, err = d.Cases(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"match3_2010 3", "match3_2010 1", "match3_2010 2", "match3_2010 1", "other 5", "match3_2010 3"}, groups(6, &c.MatchScheme, &c.MatchGroup))
	require.Equal(t, []string{"match3_2010", "other"}, c.MatchScheme.Levels, "sorted and in use")
	require.Equal(t, []string{"1", "2", "3", "5"}, c.MatchGroup.Levels)
	require.Equal(t, recorded, groups(6, &c.Recorded.MatchScheme, &c.Recorded.MatchGroup))
	load, err := d.Caseload(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"match3_2010 2", "match3_2010 1"}, groups(2, &load.MatchScheme, &load.MatchGroup))
	strata, err := d.PeerStrata(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"match3_2010 1 10", "match3_2010 1 6", "other 1 3"}, []string{
		fmt.Sprint(strata[0].MatchScheme, " ", strata[0].MatchGroup, " ", strata[0].N), fmt.Sprint(strata[1].MatchScheme, " ", strata[1].MatchGroup, " ", strata[1].N),
		fmt.Sprint(strata[2].MatchScheme, " ", strata[2].MatchGroup, " ", strata[2].N),
	})
	move := func(table, from, to string, rows int64) Move {
		return Move{table, "match5_2004", from, "match3_2010", to, rows}
	}
	require.Equal(t, []Move{
		move(Caseload, "1", "1", 0), move(Caseload, "2", "1", 0), move(Caseload, "3", "1", 0), move(Caseload, "4", "2", 1), move(Caseload, "5", "3", 0),
		move(Participations, "1", "1", 1), move(Participations, "2", "1", 0), move(Participations, "3", "1", 1), move(Participations, "4", "2", 0), move(Participations, "5", "3", 2),
		move(PeerStrata, "1", "1", 1), move(PeerStrata, "2", "1", 1), move(PeerStrata, "3", "1", 0), move(PeerStrata, "4", "2", 0), move(PeerStrata, "5", "3", 0),
	}, d.Moves())
	_, controls, err := open(fiveToThree()...).CasesAndControls(ctx, effect.Period{Start: 13000, End: 13100})
	require.NoError(t, err)
	require.Positive(t, controls.Len())
	require.Equal(t, []string{"match3_2010"}, controls.MatchScheme.Levels, "controls are moved with the caseload")

	// The same from rows in another order, in parts, by another number of goroutines.
	other := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(other, Participations), 0o755))
	parts := [][]testGroup{{cases[5], cases[1], cases[0]}, {cases[4], cases[0]}, {cases[3], cases[2]}}
	for i, rows := range parts {
		writeRows(t, filepath.Join(other, "participations", fmt.Sprintf("%d.parquet", i)), rows)
	}
	opt := DefaultOptions()
	opt.Crosswalk, opt.Workers = fiveToThree(), 3
	again, err := OpenFolder(other, opt)
	require.NoError(t, err)
	same, err := again.Cases(ctx)
	require.NoError(t, err)
	require.Equal(t, c, same)
	require.Equal(t, d.Moves()[5:10], again.Moves())

	// Groups that are left out stop the run, each with its rows.
	partly := effect.Crosswalk{From: "match5_2004", To: "match3_2010", Groups: map[string]string{"1": "1"}}
	var unmapped *UnmappedGroupsError
	_, err = open(partly).Cases(ctx)
	require.ErrorAs(t, err, &unmapped)
	require.Equal(t, UnmappedGroupsError{Participations, []UnmappedGroup{{"match5_2004", "3", 1}, {"match5_2004", "5", 2}}}, *unmapped)
	require.ErrorContains(t, err, `"3" of match5_2004 (1 row), "5" of match5_2004 (2 rows)`)
	_, err = open(partly).Caseload(ctx)
	require.ErrorContains(t, err, `caseload: match groups that are not in the crosswalk: "4"`)
	_, err = open(partly).PeerStrata(ctx, nil)
	require.ErrorContains(t, err, `peer_strata: match groups that are not in the crosswalk: "2"`)
	many := &UnmappedGroupsError{Table: Participations, Groups: make([]UnmappedGroup, 101)}
	many.Groups[100].Group = "010190-1234"
	require.NotContains(t, many.Error(), "010190", "what may be identifiers is not repeated")
}

type testIdentity struct {
	ID         string  `parquet:"provider_id"`
	From       int32   `parquet:"valid_from,date"`
	To         *int32  `parquet:"valid_to,date"`
	Name       *string `parquet:"name"`
	Consortium *string `parquet:"consortium_id"`
	InHouse    *bool   `parquet:"in_house"`
	Employers  *string `parquet:"employer_ids"`
}

// Lines of a provider that contradict each other on a day are rejected, all of
// them; others of the provider stay.
func TestProvidersThatContradict(t *testing.T) {
	day := func(n int32) *int32 { return &n }
	name := func(s string) *string { return &s }
	yes := true
	for _, c := range []struct {
		why  string
		rows []testIdentity
		bad  []int64 // rows rejected
	}{
		{"one after the other", []testIdentity{{ID: "A", From: 100, To: day(200), Name: name("a")}, {ID: "A", From: 200, Name: name("b")}}, nil},
		{"another name on a day", []testIdentity{{ID: "A", From: 100, To: day(201), Name: name("a")}, {ID: "A", From: 200, Name: name("b")}}, []int64{1, 2}},
		{"no end, and a new name later", []testIdentity{{ID: "A", From: 100, Name: name("a")}, {ID: "A", From: 200, Name: name("b")}}, []int64{1, 2}},
		{"another consortium", []testIdentity{{ID: "A", From: 100, Consortium: name("K")}, {ID: "A", From: 200, Consortium: name("L")}}, []int64{1, 2}},
		{"in house and unknown", []testIdentity{{ID: "A", From: 100, InHouse: &yes}, {ID: "A", From: 200}}, []int64{1, 2}},
		{"the same again, with other employers", []testIdentity{{ID: "A", From: 100, Name: name("a"), Employers: name("1")}, {ID: "A", From: 200, Name: name("a"), Employers: name("2")}}, nil},
		{"different providers", []testIdentity{{ID: "A", From: 100, Name: name("a")}, {ID: "B", From: 100, Name: name("b")}}, nil},
		{"a line of no day", []testIdentity{{ID: "A", From: 150, To: day(150), Name: name("b")}, {ID: "A", From: 100, Name: name("a")}}, nil},
		{"a long line behind short ones", []testIdentity{
			{ID: "A", From: 100, To: day(900), Name: name("a")}, {ID: "A", From: 200, To: day(300), Name: name("a")}, {ID: "A", From: 800, To: day(801), Name: name("b")}, {ID: "A", From: 900, Name: name("c")},
		}, []int64{1, 3}},
		{"one that clashes with the second nearest", []testIdentity{
			{ID: "A", From: 100, To: day(300), Name: name("b")}, {ID: "A", From: 310, To: day(900), Name: name("a")}, {ID: "A", From: 320, To: day(400), Name: name("b")}, {ID: "A", From: 500, Name: name("a")},
		}, []int64{2, 3}},
	} {
		dir := t.TempDir()
		writeRows(t, filepath.Join(dir, "providers.parquet"), c.rows)
		opt := DefaultOptions()
		opt.MaxRejectShare = 1
		d, err := OpenFolder(dir, opt)
		require.NoError(t, err)
		members, err := d.Providers(context.Background())
		require.NoError(t, err, c.why)
		require.Len(t, members, len(c.rows)-len(c.bad), c.why)
		var bad []int64
		for _, r := range causes(d, Providers) {
			require.Equal(t, Reject{Row: r.Row, Column: "valid_from", Cause: "holds on a day on which another row says otherwise"}, r)
			bad = append(bad, r.Row)
		}
		require.Equal(t, c.bad, bad, c.why)
		if len(c.bad) > 0 {
			opt.MaxRejectShare = 0.01
			d, err = OpenFolder(dir, opt)
			require.NoError(t, err)
			_, err = d.Providers(context.Background())
			require.ErrorIs(t, err, ErrTooManyRejects, "as other bad rows, they stop a run when they are many")
		}
	}
}

// The same by looking at every pair of lines and every day.
func TestProvidersThatContradictByBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	some := 0
	for range 60 {
		var rows []testIdentity
		taken := map[string]bool{}
		for range 1 + rng.IntN(12) {
			r := testIdentity{ID: string(rune('A' + rng.IntN(2))), From: int32(rng.IntN(20))}
			if rng.IntN(5) > 0 {
				end := r.From + int32(rng.IntN(8))
				r.To = &end
			}
			if rng.IntN(3) > 0 {
				name := fmt.Sprint("n", rng.IntN(2))
				r.Name = &name
			}
			if key := fmt.Sprint(r.ID, r.From); !taken[key] {
				taken[key] = true
				rows = append(rows, r)
			}
		}
		holds := func(r testIdentity, day int32) bool { return r.From <= day && (r.To == nil || day < *r.To) }
		called := func(r testIdentity) string {
			if r.Name == nil {
				return ""
			}
			return *r.Name
		}
		var want []int64
		for i, a := range rows {
			clash := false
			for _, b := range rows {
				for day := int32(0); day < 40; day++ {
					clash = clash || a.ID == b.ID && holds(a, day) && holds(b, day) && called(a) != called(b)
				}
			}
			if clash {
				want = append(want, int64(i+1))
			}
		}
		some += len(want)
		dir := t.TempDir()
		writeRows(t, filepath.Join(dir, "providers.parquet"), rows)
		opt := DefaultOptions()
		opt.MaxRejectShare = math.Inf(1)
		d, err := OpenFolder(dir, opt)
		require.NoError(t, err)
		_, err = d.Providers(context.Background())
		require.NoError(t, err)
		var bad []int64
		for _, r := range causes(d, Providers) {
			bad = append(bad, r.Row)
		}
		require.Equal(t, want, bad)
	}
	require.Greater(t, some, 50)
}
