package jobeffekt_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// ministry is the table of the ministry, by name of column.
func ministry(t *testing.T) (names []string, rows [][]string) {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(read(t, "testdata/reference/benchmark_y30r21_2022qmat02_total.csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 99)
	return records[0], records[1:]
}

// table reads CSV as the command does.
func table(t *testing.T, content string) *ingest.Table {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	out, err := ingest.ReadFile(context.Background(), path, ingest.DefaultLimits())
	require.NoError(t, err)
	return out
}

// given is the ministry's table without its differences and ranks, the rows by
// name: as CSV with a comma or a semicolon, names and cells quoted or not.
func given(t *testing.T, comma rune, quoted bool) string {
	t.Helper()
	names, rows := ministry(t)
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(b[0], a[0]) })
	var out strings.Builder
	for _, row := range append([][]string{names}, rows...) {
		var cells []string
		for k, cell := range row {
			if strings.HasPrefix(names[k], "difference") || names[k] == "rank" {
				continue
			}
			if comma == ';' && row[0] != names[0] {
				cell = strings.Replace(cell, ".", ",", 1)
			}
			if quoted {
				cell = `"` + cell + `"`
			}
			cells = append(cells, cell)
		}
		out.WriteString(strings.Join(cells, string(comma)) + "\r\n")
	}
	return out.String()
}

func ministryQuery() jobeffekt.RankQuery {
	q := jobeffekt.DefaultRankQuery()
	q.Municipality, q.Observed, q.Expected, q.Better = "municipality", "observed_pct", "expected_pct", profile.Low
	q.Difference, q.Also = "difference_pp", []jobeffekt.Also{{Observed: "observed_n", Expected: "expected_n", Difference: "difference_n"}}
	return q
}

// TestRankTheMinistry: the ministry's table comes out column for column, row for
// row, from CSV of both kinds and from Parquet.
func TestRankTheMinistry(t *testing.T) {
	names, rows := ministry(t)
	parquet := filepath.Join(t.TempDir(), "given.parquet")
	require.NoError(t, jobeffekt.WriteTable(parquet, table(t, given(t, ',', false))))
	stored, err := ingest.ReadFile(context.Background(), parquet, ingest.DefaultLimits())
	require.NoError(t, err)
	for name, in := range map[string]*ingest.Table{
		"csv": table(t, given(t, ',', false)), "semicolons": table(t, "\xEF\xBB\xBF"+given(t, ';', true)), "parquet": stored,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := jobeffekt.RankTable(in, ministryQuery())
			require.NoError(t, err)
			var columns []string
			for k := range got.Columns {
				columns = append(columns, got.Columns[k].Name)
				assert.NotEmpty(t, got.Columns[k].Doc)
			}
			require.Equal(t, names, columns)
			require.Equal(t, len(rows), got.Rows())
			for i, row := range rows {
				for k, cell := range row {
					// 9.0 and 9 are the same number.
					if v, err := strconv.ParseFloat(cell, 64); err == nil {
						cell = strconv.FormatFloat(v, 'f', -1, 64)
					}
					require.Equal(t, cell, got.Columns[k].Cell(i), "row %d, %s", i+1, names[k])
				}
			}
		})
	}
}

// cells are a column of the result.
func cells(t *testing.T, table *ingest.Table, name string) (out []string) {
	t.Helper()
	c := table.Column(name)
	require.NotNil(t, c, name)
	for i := range table.Rows() {
		out = append(out, c.Cell(i))
	}
	return out
}

const other = `"Område";Andel;"Forventet andel";År;Antal;"Hele, nej"
Hele landet;10,0;10,0;2021;9000;1
Aarhus;7,1;7,0;2021;1.000;x
Århus Å;7,2;7,1;2021;2.000;x
Ærø;10,3;10,2;2021;300;x
Øster Hurup;0,4;0,3;2021;400;x
Zürich;0,9;0,8;2021;500;x
Zyrup;8,3;8,2;2021;600;x
"Høje-Taastrup";5,35;5,30;2021;700;x
Høje Taastrup;5,30;5,35;2021;800;x
Fanø;1,1;9,1;2022;900;x
`

func otherQuery() jobeffekt.RankQuery {
	q := jobeffekt.DefaultRankQuery()
	q.Municipality, q.Observed, q.Expected, q.Better = "Område", "Andel", "Forventet andel", profile.High
	q.YearColumn, q.Year, q.Without = "År", "2021", []string{"Hele landet"}
	return q
}

// TestRankAnotherTable: differences of 0.1 tie as decimals, though the floats
// differ, and the Danish alphabet orders them.
func TestRankAnotherTable(t *testing.T) {
	got, err := jobeffekt.RankTable(table(t, other), otherQuery())
	require.NoError(t, err)
	assert.Equal(t, []string{"Zürich", "Zyrup", "Ærø", "Øster Hurup", "Aarhus", "Århus Å", "Høje-Taastrup", "Høje Taastrup"}, cells(t, got, "Område"))
	assert.Equal(t, []string{"0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.05", "-0.05"}, cells(t, got, "difference"))
	assert.Equal(t, []string{"1", "2", "3", "4", "5", "6", "7", "8"}, cells(t, got, "rank"))
	assert.Equal(t, slices.Repeat([]string{"2021"}, 8), cells(t, got, "År"))
	assert.Nil(t, got.Column("rank_low"), "nothing says how uncertain they are")

	q := otherQuery()
	q.N = "Antal"
	got, err = jobeffekt.RankTable(table(t, other), q)
	require.NoError(t, err)
	assert.Equal(t, "1000", cells(t, got, "Antal")[4])
	// Aarhus: 7.1 % of 1000.
	se := 100 * math.Sqrt(0.071*0.929/1000)
	assert.Equal(t, fmt.Sprint(effect.Round(se)), cells(t, got, "standard_error")[4])
	assert.Equal(t, "1", cells(t, got, "rank_low")[4])
	assert.Equal(t, "8", cells(t, got, "rank_high")[4])
}

// TestRankByConditions: the command's figures are those of municipal.Expect and
// municipal.Rank.
func TestRankByConditions(t *testing.T) {
	in := table(t, given(t, ',', false))
	q := ministryQuery()
	q.Expected, q.Conditions, q.Weight, q.Also, q.Confidence = "", []string{"expected_pct", "expected_n"}, "expected_n", nil, 0.9
	got, err := jobeffekt.RankTable(in, q)
	require.NoError(t, err)
	var all []municipal.Municipality
	for i := range in.Rows() {
		expected, n := in.Column("expected_pct").Floats[i], float64(in.Column("expected_n").Ints[i])
		all = append(all, municipal.Municipality{Name: in.Column("municipality").Cell(i), Observed: in.Column("observed_pct").Floats[i], Weight: n, Conditions: []float64{expected, n}})
	}
	expected, err := municipal.Expect(all, q.Conditions, municipal.ExpectOptions{Weighted: true, Confidence: 0.9})
	require.NoError(t, err)
	at := slices.Index(cells(t, got, "municipality"), "Fanø")
	fano := slices.IndexFunc(all, func(m municipal.Municipality) bool { return m.Name == "Fanø" })
	assert.Equal(t, effect.Round(expected[fano].Share), got.Column("expected").Floats[at])
	assert.Equal(t, municipal.Difference(all[fano].Observed, effect.Round(expected[fano].Share)), got.Column("difference_pp").Floats[at])
	assert.Equal(t, effect.Round(expected[fano].SE), got.Column("standard_error").Floats[at])
	assert.Equal(t, 94.0, got.Column("df").Floats[at])
	assert.True(t, slices.IsSorted(got.Column("difference_pp").Floats))
	for i := range got.Rows() {
		rank := float64(got.Column("rank").Ints[i])
		assert.True(t, got.Column("rank_low").Floats[i] <= rank && rank <= got.Column("rank_high").Floats[i])
	}
}

func TestRankTableRefuses(t *testing.T) {
	const plain = "m,o,e,n,year,s\nA,1.5,2,10,2021,x\nB,1,2.5,,2021,y\nC,3,1,5,2021,z\n"
	for name, test := range map[string]struct {
		content string
		change  func(*jobeffekt.RankQuery)
		is      error
		want    []string
	}{
		"no such columns": {plain, func(q *jobeffekt.RankQuery) { q.Municipality, q.Expected = "name", "ee" }, jobeffekt.ErrRanking, []string{`no column "name"`, `no column "ee"; did you mean "e"?`, "m, o, e, n, year, s"}},
		"text":            {plain, func(q *jobeffekt.RankQuery) { q.Observed = "s" }, jobeffekt.ErrRanking, []string{`the column "s" does not hold numbers: row 1 is the first that is none`}},
		"not knowable":    {"m;o;e\nA;1.234;2\nB;5;6\n", nil, jobeffekt.ErrRanking, []string{`the column "o" does not hold numbers that can be told`}},
		"both":            {plain, func(q *jobeffekt.RankQuery) { q.Conditions = []string{"n"} }, jobeffekt.ErrRanking, []string{"not both"}},
		"neither":         {plain, func(q *jobeffekt.RankQuery) { q.Expected = "" }, jobeffekt.ErrRanking, []string{"give expected"}},
		"a weight":        {plain, func(q *jobeffekt.RankQuery) { q.Weight = "n" }, jobeffekt.ErrRanking, []string{"weight goes with conditions"}},
		"the same":        {plain, func(q *jobeffekt.RankQuery) { q.Expected = "o" }, jobeffekt.ErrRanking, []string{"the same column"}},
		"itself":          {plain, func(q *jobeffekt.RankQuery) { q.Expected, q.Conditions = "", []string{"o", "e", "e"} }, jobeffekt.ErrRanking, []string{`"o" is the observed share`, `"e" stands twice`}},
		"n missing":       {plain, func(q *jobeffekt.RankQuery) { q.N = "n" }, nil, []string{"without a population above 0 in n", "standard error of B"}},
		"not a share":     {plain, func(q *jobeffekt.RankQuery) { q.N, q.Unit = "e", jobeffekt.Share }, nil, []string{"within 0 and 1", "of A, C"}},
		"which unit":      {"m,o,e,n\nA,0.1,0.2,5\n", func(q *jobeffekt.RankQuery) { q.N = "n" }, jobeffekt.ErrRanking, []string{"give unit as share or percent"}},
		"missing":         {"m,o,e\nA,1,2\nB,,2\nC,3,\nD,,1\n", nil, nil, []string{"the observed share of B, D", "the expected share of C"}},
		"twice":           {"m,o,e\nA,1,2\nB,2,2\nA,3,3\n", nil, nil, []string{"A is there more than once"}},
		"nameless":        {"m,o,e\nA,1,2\n,2,2\n", nil, jobeffekt.ErrRanking, []string{`row 2 has no municipality in the column "m"`}},
		"several years":   {"m,o,e,year\nA,1,2,2021\nA,2,2,2022\n", nil, jobeffekt.ErrRanking, []string{`the column "year" holds several years: say which, as in 2021`}},
		"no such year":    {plain, func(q *jobeffekt.RankQuery) { q.Year = "2020" }, jobeffekt.ErrRanking, []string{"the table has no row of 2020; it has 2021"}},
		"nobody to omit":  {plain, func(q *jobeffekt.RankQuery) { q.Without = []string{"A", "Hele landet"} }, jobeffekt.ErrRanking, []string{`no row of the column "m" is "Hele landet"`}},
		"two of a name":   {plain, func(q *jobeffekt.RankQuery) { q.Difference = "o" }, jobeffekt.ErrRanking, []string{`two columns "o"`}},
		"too many":        {"m,o,e\n" + manyRows(3000), func(q *jobeffekt.RankQuery) { q.Expected, q.Conditions = "", []string{"e"} }, nil, []string{"too_many_figures", "3000 municipalities are more than the 2000"}},
		"no numbers":      {"m,o,e\nA,1,2\nB,NaN,2\n", nil, jobeffekt.ErrRanking, []string{"row 2 is the first that is none"}},
		"no name":         {plain, func(q *jobeffekt.RankQuery) { q.Difference = "" }, jobeffekt.ErrRanking, []string{"needs a name"}},
		"no rows":         {"m,o,e\n", nil, nil, []string{"no municipality to rank"}},
		"no direction":    {plain, func(q *jobeffekt.RankQuery) { q.Better = "" }, nil, []string{municipal.RefusalDirection}},
		"too few":         {plain, func(q *jobeffekt.RankQuery) { q.Expected, q.Conditions = "", []string{"e"} }, nil, []string{municipal.RefusalTooFew}},
	} {
		t.Run(name, func(t *testing.T) {
			q := jobeffekt.DefaultRankQuery()
			q.Municipality, q.Observed, q.Expected, q.Better = "m", "o", "e", profile.Low
			if test.change != nil {
				test.change(&q)
			}
			got, err := jobeffekt.RankTable(table(t, test.content), q)
			require.Error(t, err)
			assert.Nil(t, got)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			} else {
				_, ok := effect.AsRefusal(err)
				require.True(t, ok, err)
			}
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// TestRankFurtherDifferences: nulls in further pairs are nulls in their difference,
// and pairs that are not both whole are exact decimals.
func TestRankFurtherDifferences(t *testing.T) {
	q := jobeffekt.DefaultRankQuery()
	q.Municipality, q.Observed, q.Expected, q.Better = "m", "o", "e", profile.Low
	q.Also = []jobeffekt.Also{{Observed: "a", Expected: "b", Difference: "a-b"}, {Observed: "o", Expected: "b", Difference: "o-b"}}
	_, err := jobeffekt.RankTable(table(t, "m,o,e,a,b\n2,0.3,0.2,7,0.7\n1,0.1,0.4,,5\n"), q)
	require.ErrorContains(t, err, `two columns "b"`)
	q.Also = q.Also[:1]
	got, err := jobeffekt.RankTable(table(t, "m,o,e,a,b\n2,0.3,0.2,7,0.7\n1,0.1,0.4,,5\n"), q)
	require.NoError(t, err)
	assert.Equal(t, []string{"", "6.3"}, cells(t, got, "a-b"))
	assert.Equal(t, []string{"-0.3", "0.1"}, cells(t, got, "difference"))
	assert.NotNil(t, got.Column("m").Ints, "codes stay whole numbers")
}

// TestRankingOfARun: the key ranking, from the run file to the table.
func TestRankingOfARun(t *testing.T) {
	t.Parallel()
	const key = `ranking:
  - {name: unemployment, observed: unemployment_pct, conditions: [low_education_pct, non_western_pct], year: 2008, better: low}
  - {name: given, observed: unemployment_pct, expected: low_education_pct, year: 2008, better: high, n: population}
compare:`
	c := job(t, "compare:", key)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	require.Len(t, r.Rankings, 24)
	written, err := ingest.ReadTable(context.Background(), filepath.Join(c.ResultsFolder(), "ranking.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	back, err := ingest.ToRows[jobeffekt.RankingRow](written)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(r.Rankings), fmt.Sprint(back))
	for i, row := range r.Rankings {
		first := i < 12
		assert.Equal(t, map[bool]string{true: "unemployment", false: "given"}[first], row.Ranking)
		assert.Equal(t, int64(i%12+1), row.Rank)
		assert.Equal(t, municipal.Difference(row.Observed, row.Expected), row.Difference)
		assert.False(t, math.IsNaN(row.RankLow))
		assert.NotEmpty(t, row.Name)
		if i%12 > 0 && first {
			assert.GreaterOrEqual(t, row.Difference, r.Rankings[i-1].Difference)
		}
	}
	summary := strings.Join(strings.Fields(r.Summary()), " ")
	first, last := r.Rankings[0], r.Rankings[11]
	assert.Contains(t, summary, "unemployment, 2008; rank 1 of 12 has the lowest")
	for _, row := range []jobeffekt.RankingRow{first, last} { // with how sure the rank is
		assert.Regexp(t, fmt.Sprintf(`%s \(%s\) [^A-Z]* %d %.0f to %.0f`, row.Name, row.Municipality, row.Rank, row.RankLow, row.RankHigh), summary)
	}
	differences, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, differences)

	c.Blinded, c.Out = true, filepath.Join(t.TempDir(), "blinded")
	blinded, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Empty(t, blinded.Rankings)
	assert.NotContains(t, blinded.Summary(), "unemployment")
	assert.NoFileExists(t, filepath.Join(c.Out, "ranking.parquet"))
}

// A bad row of municipalities is known before anything rests on the good ones,
// also where peers are not chosen by them.
func TestRankingRejects(t *testing.T) {
	ctx := context.Background()
	c := job(t, "terms: [terms.yaml]", "", demoPeers, "  list: {'751': ['561', '615', '740', '657']}\n")
	data, share := t.TempDir(), 0.2
	require.NoError(t, os.CopyFS(data, os.DirFS(c.Data)))
	c.Data, c.Input.MaxRejectShare, c.Rankings, c.BeforeAfter = data, &share, nil, nil
	path := filepath.Join(data, "municipalities.parquet")
	table, err := ingest.ReadTable(ctx, path, ingest.DefaultLimits())
	require.NoError(t, err)
	rows := []int{0}
	for i := range table.Rows() {
		rows = append(rows, i)
	}
	twice := table.Take(rows)
	twice.Column("unemployment_pct").Floats[0]++
	var b bytes.Buffer
	require.NoError(t, twice.WriteParquet(&b))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	rejected := func() (n int) {
		m, err := jobeffekt.Measure(ctx, open(t, c), c)
		require.NoError(t, err)
		for _, r := range m.Rejects {
			if r.Table == ingest.Municipalities {
				n++
			}
		}
		return n
	}
	assert.Zero(t, rejected(), "nothing rests on the table")
	c.Rankings = []jobeffekt.Ranking{{Name: "x", Observed: "unemployment_pct", Conditions: []string{"low_education_pct"}, Year: 2008, Better: profile.Low}}
	assert.Equal(t, 2, rejected())
	c.Rankings, c.BeforeAfter = nil, &jobeffekt.BeforeAfter{
		Outcomes: []string{"employed_26w"}, Since: map[string]effect.Date{"751": effect.NewDate(2008, 7, 1)}, Conditions: []string{"unemployment_pct"}, Year: 2007,
	}
	assert.Equal(t, 2, rejected())
}

// TestRankingsThatCannotBe: what the run file or the table lacks is named.
func TestRankingsThatCannotBe(t *testing.T) {
	for _, test := range []struct{ key, want string }{
		{"{observed: a, expected: b, year: 2008, better: low}", "ranking[0]: name is missing"},
		{"{name: x, expected: b, year: 2008, better: low}", "ranking[0]: observed is missing"},
		{"{name: x, observed: a, expected: b, year: 2008}", "ranking[0]: better is missing"},
		{"{name: x, observed: a, expected: b, better: low}", "ranking[0]: year is missing"},
		{"{name: x, observed: a, year: 2008, better: low}", "ranking[0]: give expected"},
		{"{name: x, observed: a, expected: b, conditions: [c], year: 2008, better: low}", "ranking[0]: give expected or conditions, not both"},
		{"{name: x, observed: a, expected: b, year: 2008, better: lower}", "ranking[0].better"},
		{"{name: x, observed: a, expected: b, year: 2008, better: low}, {name: x, observed: a, expected: b, year: 2009, better: low}", `ranking[1].name: the ranking "x" stands twice`},
	} {
		_, err := jobeffekt.ParseConfig("run.yaml", []byte("data: d\nout: o\nas_of: 2010-01-01\ncohort: {period: 2008}\noutcomes: [{name: a, kind: state_at, states: [ordinary_employment], at: 26 weeks}]\ncompare: {methods: [strata], classes: [{covariate: sex}]}\nranking: ["+test.key+"]\n"))
		assert.ErrorContains(t, err, test.want)
	}
	c := job(t)
	c.Rankings = []jobeffekt.Ranking{{Expected: "b"}}
	for _, want := range []string{"name is missing", "observed is missing", "better (low or high) is missing", "year is missing"} {
		assert.ErrorContains(t, c.Validate(), want, "a configuration made in memory")
	}
	for _, test := range []struct {
		change func(*jobeffekt.Ranking)
		want   string
	}{
		{func(r *jobeffekt.Ranking) { r.Year = 1999 }, "municipalities has no row of 1999; it has 2007, 2008"},
		{func(r *jobeffekt.Ranking) { r.Conditions = []string{"low_education"} }, `no municipality has a value of "low_education" in 2008; did you mean "low_education_pct"?`},
		{func(r *jobeffekt.Ranking) { r.Conditions = append(r.Conditions, "unemployment_pct") }, `"unemployment_pct" is the observed share`},
	} {
		r := jobeffekt.Ranking{Name: "x", Observed: "unemployment_pct", Conditions: []string{"low_education_pct"}, Year: 2008, Better: profile.Low}
		test.change(&r)
		c := job(t)
		c.Rankings = []jobeffekt.Ranking{r}
		err := jobeffekt.Check(context.Background(), c)
		assert.ErrorContains(t, err, test.want)
	}
}

func TestWriteTable(t *testing.T) {
	folder := t.TempDir()
	in := table(t, "a,b\n1,x\n2,\n")
	for _, name := range []string{"t.csv", "t.CSV", "t.parquet"} {
		path := filepath.Join(folder, name)
		require.NoError(t, jobeffekt.WriteTable(path, in))
		require.NoError(t, jobeffekt.WriteTable(path, in), "one that is there is replaced")
		back, err := ingest.ReadFile(context.Background(), path, ingest.DefaultLimits())
		require.NoError(t, err)
		assert.Equal(t, []string{"x", ""}, cells(t, back, "b"))
	}
	require.ErrorIs(t, jobeffekt.WriteTable(filepath.Join(folder, "t.xlsx"), in), jobeffekt.ErrTableFormat)
	bad := &ingest.Table{Columns: []ingest.Column{{Name: "a"}}}
	require.ErrorIs(t, jobeffekt.WriteTable(filepath.Join(folder, "bad.csv"), bad), ingest.ErrTable)
	require.Error(t, jobeffekt.WriteTable(filepath.Join(folder, "none", "t.csv"), in))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "nothing half written is left")
}

func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "M%d,%d,%d\n", i, i%97, i%31)
	}
	return b.String()
}
