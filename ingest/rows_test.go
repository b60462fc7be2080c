package ingest

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// sheet makes columns of rows of cells, and the family of each: that of its
// first cell that is not null.
func sheet(names string, rows ...[]any) (cols []drawn, family []string) {
	for i, name := range strings.Fields(names) {
		c, kind := drawn{name: name}, ""
		for _, row := range rows {
			c.cells = append(c.cells, row[i])
			if row[i] == nil || kind != "" {
				continue
			}
			switch row[i].(type) {
			case int64:
				kind = "int"
			case string:
				kind = "text"
			case float64:
				kind = "float"
			case moment:
				kind = "timestamp"
			}
		}
		cols, family = append(cols, c), append(family, kind)
	}
	return cols, family
}

func row(cells ...any) []any {
	for i, c := range cells {
		if n, ok := c.(int); ok {
			cells[i] = int64(n)
		}
	}
	return cells
}

// readAny hides the type of the rows.
func readAny[T Row](ctx context.Context, d *Dataset) (any, error) { return Rows[T](ctx, d) }

func readCaseload(ctx context.Context, d *Dataset) (any, error) {
	b, err := d.Caseload(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i := range b.Len() {
		lines = append(lines, strings.Join([]string{
			b.Persons.At(int(b.Person[i])).String(), b.Municipality.At(i), b.MatchScheme.At(i), b.MatchGroup.At(i), b.Start[i].String(), b.End[i].String(),
		}, ","))
	}
	return lines, nil
}

// contents is a table with every good, bad and repeated row that its rules tell
// apart, and what reading it gives.
type contents struct {
	table, columns string
	rows           [][]any
	read           func(context.Context, *Dataset) (any, error)
	want           any
	rejects        []Reject
	counts         map[string]int64
}

func nineTables() []contents {
	day := func(n int) moment { return moment{day: n} }
	long := strings.Repeat("x", 51)
	const (
		conflict = "the same key occurs with different content"
		period   = "not a period written as 2008, 2008H1, 2008Q3 or 2008-09"
		null     = "required, but null"
		noText   = "required, but empty"
		tooLong  = "text over the limit of length"
		notUTF8  = "text is not UTF-8"
		clock    = "timestamp is not at midnight"
		outside  = "date is outside 1900-01-01..2200-12-31"
		infinite = "number is not finite"
		digits   = "amount has more digits than can be kept"

		noDecimal  = "text is not a decimal such as 0.984"
		outOfRange = "number is out of range"
	)
	ledger := [][]any{
		row("b", "A1", 7, "2008Q3", day(14000), 5000.0),
		row("10", "A1", 7, "2008", day(14001), -0.05),
		row("9", "A2", 7, "2008-09", day(14000), 796.5),
		row("b", "A1", 7, "2008Q3", day(14000), 5000.0), // twice
		row("c", "A1", 7, "2008H1", day(14000), 1.0),
		row("c", "A1", 7, "2008H1", day(14000), 1.01),
		row(nil, "A1", 7, "2008H1", day(14000), 1.0),
		row("", "A1", 7, "2008H1", day(14000), 1.0),
		row("d", nil, 7, "2008H1", day(14000), 1.0),
		row("d", "A1", nil, "2008H1", day(14000), 1.0),
		row("d", "A1", 7, "2008H3", day(14000), 1.0),
		row("d", "A1", 7, "", day(14000), 1.0),
		row("d", "A1", 7, "2008H1", moment{14000, true}, 1.0),
		row("d", "A1", 7, "2008H1", day(int(effect.LastDate)+1), 1.0),
		row("d", "A1", 7, "2008H1", nil, 1.0),
		row("d", "A1", 7, "2008H1", day(14000), nil),
		row("d", "A1", 7, "2008H1", day(14000), math.Inf(-1)),
		row("d", "A1", 7, "2008H1", day(14000), math.NaN()),
		row("d", "A1", 7, "2008H1", day(14000), 1e40),
		row("d", "A1", 7, "2008H1", day(14000), 1e-300),
	}
	ledgerRejects := []Reject{
		{Row: 5, Column: "id", Cause: conflict},
		{Row: 6, Column: "id", Cause: conflict},
		{Row: 7, Column: "id", Cause: null},
		{Row: 8, Column: "id", Cause: noText},
		{Row: 9, Column: "agreement_id", Cause: null},
		{Row: 10, Column: "provider_id", Cause: null},
		{Row: 11, Column: "period", Cause: period},
		{Row: 12, Column: "period", Cause: noText},
		{Row: 13, Column: "date", Cause: clock},
		{Row: 14, Column: "date", Cause: outside},
		{Row: 15, Column: "date", Cause: null},
		{Row: 16, Column: "amount_dkk", Cause: null},
		{Row: 17, Column: "amount_dkk", Cause: infinite},
		{Row: 18, Column: "amount_dkk", Cause: infinite},
		{Row: 19, Column: "amount_dkk", Cause: digits},
		{Row: 20, Column: "amount_dkk", Cause: digits},
	}
	const ledgerColumns = "id agreement_id provider_id period date amount_dkk"
	return []contents{
		{
			Caseload, "person_id municipality match_scheme match_group start_date end_date",
			[][]any{
				row(9, 147, "m", "2", day(14000), day(14010)),
				row(10, 147, "m", "2", day(14000), nil),
				row(9, 101, "m", "2", day(14005), day(14020)), // overlaps
				row(9, 147, "m", "2", day(14000), day(14010)), // twice
				row(9, 147, "m", "1", day(14000), day(14010)), // another group
				row(9, 147, "m", "2", day(14000), nil),
				row(9, 147, "m", "2", day(14000), day(14000)), // no day
				row(9, 147, "m", "2", day(14000), day(13999)),
				row(nil, 147, "m", "2", day(14000), nil),
				row(9, nil, "m", "2", day(14000), nil),
				row(9, 147, "", "2", day(14000), nil),
				row(9, 147, "m", long, day(14000), nil),
				row(9, 147, "m", "2", nil, nil),
				row(9, 147, "m", "2", day(14000), moment{14001, true}),
				row(9, 147, "m", "\xff", day(14000), day(14000)), // bad before it is empty
			},
			readCaseload,
			[]string{
				"9,147,m,2,2008-05-01,", "9,147,m,1,2008-05-01,2008-05-11", "9,147,m,2,2008-05-01,2008-05-11", "9,101,m,2,2008-05-06,2008-05-21",
				"10,147,m,2,2008-05-01,",
			},
			[]Reject{
				{Row: 8, Column: "end_date", Cause: "end is before start"},
				{Row: 9, Column: "person_id", Cause: null},
				{Row: 10, Column: "municipality", Cause: null},
				{Row: 11, Column: "match_scheme", Cause: noText},
				{Row: 12, Column: "match_group", Cause: tooLong},
				{Row: 13, Column: "start_date", Cause: null},
				{Row: 14, Column: "end_date", Cause: clock},
				{Row: 15, Column: "match_group", Cause: notUTF8},
			},
			map[string]int64{"read": 15, "rejected": 8, "empty": 1, "duplicates": 1},
		},
		{
			Satisfaction, "provider_id period mean n invited",
			[][]any{
				row("P2", "2008Q3", 4.25, 40.0, 50.0),
				row("P1", "2009", 3.5, 20.0, nil),
				row("P1", "2008Q3", 3.5, 20.0, 31.0),
				row("P1", "2009", 3.5, 20.0, nil), // twice
				row("P3", "2008", 3.5, 20.0, nil),
				row("P3", "2008", 3.5, 21.0, nil),
				row(nil, "2008", 3.5, 20.0, nil),
				row("P4", "2008-13", 3.5, 20.0, nil),
				row("P4", nil, 3.5, 20.0, nil),
				row("P4", "2008", nil, 20.0, nil),
				row("P4", "2008", math.Inf(1), 20.0, nil),
				row("P4", "2008", 3.5, nil, nil),
				row("P4", "2008", 3.5, 20.5, nil),
				row("P4", "2008", 3.5, 20.0, 20.5),
				row("P4", "2008", 3.5, -1.0, 20.0),
				row("P4", "2008", 3.5, 1.0, -1.0),
				row("P4", "2008", 3.5, 20.0, 19.0),
				row("P5", "2008", 3.5, 20.0, 20.0),
			},
			readAny[Survey],
			[]Survey{{"P1", "2009", 3.5, 20, math.NaN()}, {"P1", "2008Q3", 3.5, 20, 31}, {"P2", "2008Q3", 4.25, 40, 50}, {"P5", "2008", 3.5, 20, 20}},
			[]Reject{
				{Row: 5, Column: "provider_id", Cause: conflict},
				{Row: 6, Column: "provider_id", Cause: conflict},
				{Row: 7, Column: "provider_id", Cause: null},
				{Row: 8, Column: "period", Cause: period},
				{Row: 9, Column: "period", Cause: null},
				{Row: 10, Column: "mean", Cause: null},
				{Row: 11, Column: "mean", Cause: infinite},
				{Row: 12, Column: "n", Cause: null},
				{Row: 13, Column: "n", Cause: "number is not whole"},
				{Row: 14, Column: "invited", Cause: "number is not whole"},
				{Row: 15, Column: "n", Cause: outOfRange},
				{Row: 16, Column: "invited", Cause: outOfRange},
				{Row: 17, Column: "invited", Cause: "fewer persons asked than answers"},
			},
			map[string]int64{"read": 18, "rejected": 13, "duplicates": 1},
		},
		{
			Inspections, "provider_id inspected_on grade note",
			[][]any{
				row(12, day(14000), "B", "late"),
				row(3, day(14001), "A", nil),
				row(12, day(14000), "A", nil), // twice a day
				row(12, day(14000), "B", "late"),
				row(12, day(14000), "A", ""), // no note either
				row(nil, day(14000), "A", nil),
				row(12, nil, "A", nil),
				row(12, moment{14000, true}, "A", nil),
				row(12, day(14000), nil, nil),
				row(12, day(14000), "", nil),
				row(12, day(14000), "A", long),
				row(12, day(14000), "A", "\xff"),
			},
			readAny[Inspection],
			[]Inspection{{"3", 14001, "A", ""}, {"12", 14000, "A", ""}, {"12", 14000, "B", "late"}},
			[]Reject{
				{Row: 6, Column: "provider_id", Cause: null},
				{Row: 7, Column: "inspected_on", Cause: null},
				{Row: 8, Column: "inspected_on", Cause: clock},
				{Row: 9, Column: "grade", Cause: null},
				{Row: 10, Column: "grade", Cause: noText},
				{Row: 11, Column: "note", Cause: tooLong},
				{Row: 12, Column: "note", Cause: notUTF8},
			},
			map[string]int64{"read": 12, "rejected": 7, "duplicates": 2},
		},
		{
			Experience, "provider_id period text", // years as numbers
			[][]any{
				row("P1", 2009, "good"), row("P1", 2008, "slow"), row("P1", 2008, "Ærlig"), row("P1", 2009, "good"),
				row("", 2008, "x"), row("P1", 20080, "x"), row("P1", 1899, "x"), row("P1", nil, "x"), row("P1", 2008, nil), row("P1", 2008, long),
			},
			readAny[Statement],
			[]Statement{{"P1", "2008", "slow"}, {"P1", "2008", "Ærlig"}, {"P1", "2009", "good"}},
			[]Reject{
				{Row: 5, Column: "provider_id", Cause: noText},
				{Row: 6, Column: "period", Cause: period},
				{Row: 7, Column: "period", Cause: period},
				{Row: 8, Column: "period", Cause: null},
				{Row: 9, Column: "text", Cause: null},
				{Row: 10, Column: "text", Cause: tooLong},
			},
			map[string]int64{"read": 10, "rejected": 6, "duplicates": 1},
		},
		{
			Spend, "municipality year channel amount_dkk",
			[][]any{
				row(147, 2008, "total", 900), row(101, 2009, "own", 0), row(101, 2008, "provider", math.MaxInt64), row(101, 2008, "other", -3),
				row(147, 2008, "total", 900), row(147, 2008, "own", 1), row(147, 2008, "own", 2),
				row(nil, 2008, "own", 1), row(101, nil, "own", 1), row(101, 2008, "in_house_bid", 1), row(101, 2008, nil, 1), row(101, 2008, "", 1),
				row(101, 2008, "own", nil),
			},
			readAny[Expense],
			[]Expense{
				{"101", 2008, ChannelOther, "-3"},
				{"101", 2008, effect.ChannelProvider, "9223372036854775807"},
				{"101", 2009, effect.ChannelOwn, "0"},
				{"147", 2008, ChannelTotal, "900"},
			},
			[]Reject{
				{Row: 6, Column: "municipality", Cause: conflict},
				{Row: 7, Column: "municipality", Cause: conflict},
				{Row: 8, Column: "municipality", Cause: null},
				{Row: 9, Column: "year", Cause: null},
				{Row: 10, Column: "channel", Cause: "not a channel of spend"},
				{Row: 11, Column: "channel", Cause: null},
				{Row: 12, Column: "channel", Cause: noText},
				{Row: 13, Column: "amount_dkk", Cause: null},
			},
			map[string]int64{"read": 13, "rejected": 8, "duplicates": 1},
		},
		{
			Figures, "figure provider_id period n value", // decimals as text
			[][]any{
				row("ratio", "P1", "2009", 30.0, "0.9840"), row("ratio", "P1", "2008", nil, "-0"), row("base", "P1", "2008", 0.0, "1000000.05"),
				row("ratio", "P1", "2009", 30.0, "0.984"), // the same number
				row("ratio", "P2", "2009", 30.0, "1"), row("ratio", "P2", "2009", 30.0, "1.1"),
				row(nil, "P1", "2009", 30.0, "1"), row("ratio", "", "2009", 30.0, "1") /* of all providers */, row("ratio", "P1", "09", 30.0, "1"),
				row("ratio", "P1", "2007", -1.0, "1"), row("ratio", "P1", "2007", 0.5, "1"), row("ratio", "P1", "2007", 1.0, nil),
				row("ratio", "P1", "2007", 1.0, ""), row("ratio", "P1", "2007", 1.0, "1e3"), row("ratio", "P1", "2007", 1.0, "1,5"),
				row("ratio", "P1", "2007", 1.0, ".5"), row("ratio", "P1", "2007", 1.0, "5."), row("ratio", "P1", "2007", 1.0, "1/3"),
				row("ratio", "P1", "2007", 1.0, "+1"), row("ratio", "P1", "2007", 1.0, strings.Repeat("1", 41)),
			},
			readAny[Figure],
			[]Figure{{"base", "P1", "2008", 0, "1000000.05"}, {"ratio", "", "2009", 30, "1"}, {"ratio", "P1", "2008", math.NaN(), "0"}, {"ratio", "P1", "2009", 30, "0.984"}},
			[]Reject{
				{Row: 5, Column: "figure", Cause: conflict},
				{Row: 6, Column: "figure", Cause: conflict},
				{Row: 7, Column: "figure", Cause: null},
				{Row: 9, Column: "period", Cause: period},
				{Row: 10, Column: "n", Cause: outOfRange},
				{Row: 11, Column: "n", Cause: "number is not whole"},
				{Row: 12, Column: "value", Cause: null},
				{Row: 13, Column: "value", Cause: noText},
				{Row: 14, Column: "value", Cause: noDecimal},
				{Row: 15, Column: "value", Cause: noDecimal},
				{Row: 16, Column: "value", Cause: noDecimal},
				{Row: 17, Column: "value", Cause: noDecimal},
				{Row: 18, Column: "value", Cause: noDecimal},
				{Row: 19, Column: "value", Cause: noDecimal},
				{Row: 20, Column: "value", Cause: digits},
			},
			map[string]int64{"read": 20, "rejected": 15, "duplicates": 1},
		},
		{
			Evidence, "participation_id kind received_on", // days as text
			[][]any{
				row(90, "plan", "2008-12-31"), row(5, "plan", "2008-12-31"), row(90, "contract", "2009-01-01"), row(5, "plan", "2008-12-31"),
				row(nil, "plan", "2008-12-31"), row(5, "", "2008-12-31"), row(5, "plan", "31.12.2008"), row(5, "plan", nil),
			},
			readAny[Proof],
			[]Proof{{"5", "plan", 14244}, {"90", "contract", 14245}, {"90", "plan", 14244}},
			[]Reject{
				{Row: 5, Column: "participation_id", Cause: null},
				{Row: 6, Column: "kind", Cause: noText},
				{Row: 7, Column: "received_on", Cause: "text is not a date written as 2008-12-31"},
				{Row: 8, Column: "received_on", Cause: null},
			},
			map[string]int64{"read": 8, "rejected": 4, "duplicates": 1},
		},
		{
			Invoices, ledgerColumns, ledger, readAny[Invoice],
			[]Invoice{
				{"9", "A2", "7", "2008-09", 14000, "796.5"}, {"10", "A1", "7", "2008", 14001, "-0.05"}, {"b", "A1", "7", "2008Q3", 14000, "5000"},
			},
			ledgerRejects,
			map[string]int64{"read": 20, "rejected": 16, "duplicates": 1},
		},
		{
			Payments, ledgerColumns, ledger, readAny[Payment],
			[]Payment{
				{"9", "A2", "7", "2008-09", 14000, "796.5"}, {"10", "A1", "7", "2008", 14001, "-0.05"}, {"b", "A1", "7", "2008Q3", 14000, "5000"},
			},
			ledgerRejects,
			map[string]int64{"read": 20, "rejected": 16, "duplicates": 1},
		},
	}
}

// TestNineTables reads every table from Parquet, from Arrow, and from Arrow
// shuffled and cut in two parts.
func TestNineTables(t *testing.T) {
	ctx := context.Background()
	opt := DefaultOptions()
	opt.MaxRejectShare = 1
	opt.Limits.TextBytes = 50
	for _, c := range nineTables() {
		t.Run(c.table, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			cols, family := sheet(c.columns, c.rows...)
			dir := t.TempDir()
			writeDrawn(t, r, filepath.Join(dir, c.table+".parquet"), cols, family)
			file, err := OpenFolder(dir, opt)
			require.NoError(t, err)
			inMemory := NewDataset(opt)
			require.NoError(t, inMemory.AddArrow(c.table, drawnRecord(r, cols, family)))
			for _, d := range []*Dataset{file, inMemory} {
				require.NoError(t, d.Check(ctx))
				got, err := c.read(ctx, d)
				require.NoError(t, err)
				requireSame(t, c.want, got)
				require.Equal(t, c.rejects, causes(d, c.table))
				require.Equal(t, c.counts, counted(d, c.table))
			}
			for range 5 {
				order := r.Perm(len(c.rows))
				cut := r.IntN(len(order) + 1)
				d := NewDataset(opt)
				require.NoError(t, d.AddArrow(c.table, drawnRecord(r, take(cols, order[:cut]), family)))
				require.NoError(t, d.AddArrow(c.table, drawnRecord(r, take(cols, order[cut:]), family)))
				got, err := c.read(ctx, d)
				require.NoError(t, err)
				requireSame(t, c.want, got)
				require.Equal(t, c.counts, counted(d, c.table))
			}

			strict := opt
			strict.MaxRejectShare = 0.01
			d, err := OpenFolder(dir, strict)
			require.NoError(t, err)
			_, err = c.read(ctx, d)
			require.ErrorIs(t, err, ErrTooManyRejects)
			require.Equal(t, c.rejects, causes(d, c.table))
			_, err = c.read(ctx, NewDataset(opt))
			require.ErrorIs(t, err, ErrNoTable)

			// A table without rows is one.
			d = NewDataset(strict)
			require.NoError(t, d.AddArrow(c.table, drawnRecord(r, nil2(cols), family)))
			got, err := c.read(ctx, d)
			require.NoError(t, err)
			require.Empty(t, got)
		})
	}
}

// requireSame takes NaN for equal to itself.
func requireSame(t *testing.T, want, got any) {
	t.Helper()
	if surveys, ok := got.([]Survey); ok {
		for i, s := range surveys {
			w := want.([]Survey)[i]
			require.Equal(t, math.IsNaN(w.Invited), math.IsNaN(s.Invited))
			if math.IsNaN(w.Invited) {
				surveys[i].Invited, want.([]Survey)[i].Invited = 0, 0
				defer func() { want.([]Survey)[i].Invited = math.NaN() }()
			}
		}
	}
	if figures, ok := got.([]Figure); ok {
		for i, f := range figures {
			w := want.([]Figure)[i]
			require.Equal(t, math.IsNaN(w.N), math.IsNaN(f.N))
			if math.IsNaN(w.N) {
				figures[i].N, want.([]Figure)[i].N = 0, 0
				defer func() { want.([]Figure)[i].N = math.NaN() }()
			}
		}
	}
	require.Equal(t, want, got)
}

// TestWithoutOptional reads the tables that have optional columns without them,
// and a column as a constant.
func TestWithoutOptional(t *testing.T) {
	ctx := context.Background()
	opt := DefaultOptions()
	opt.Columns = map[string]map[string]string{Caseload: {"person_id": "pnr"}}
	opt.Constants = map[string]map[string]string{
		Caseload: {"match_scheme": "match5_2004"}, Spend: {"channel": "total", "amount_dkk": "12.50", "year": "2008"}, Experience: {"period": "2008H1"},
	}
	d := NewDataset(opt)
	r := rand.New(rand.NewPCG(1, 2))
	add := func(table, columns string, rows ...[]any) {
		cols, family := sheet(columns, rows...)
		require.NoError(t, d.AddArrow(table, drawnRecord(r, cols, family)))
	}
	add(Caseload, "pnr municipality match_group start_date", row(2, 101, "1", moment{14000, false}), row(1, 101, "1", moment{14000, false}), row(1, 101, "1", moment{14000, false}))
	add(Satisfaction, "provider_id period mean n", row("P1", 2008, 4, 10))
	add(Inspections, "provider_id inspected_on grade", row("P1", moment{14000, false}, 7))
	add(Spend, "municipality", row(101))
	add(Experience, "provider_id text", row("P1", "x"))
	require.NoError(t, d.Check(ctx))
	lines, err := readCaseload(ctx, d)
	require.NoError(t, err)
	require.Equal(t, []string{"1,101,match5_2004,1,2008-05-01,", "2,101,match5_2004,1,2008-05-01,"}, lines)
	surveys, err := Rows[Survey](ctx, d)
	require.NoError(t, err)
	require.True(t, math.IsNaN(surveys[0].Invited))
	inspections, err := Rows[Inspection](ctx, d)
	require.NoError(t, err)
	require.Equal(t, []Inspection{{"P1", 14000, "7", ""}}, inspections)
	expenses, err := Rows[Expense](ctx, d)
	require.NoError(t, err)
	require.Equal(t, []Expense{{"101", 2008, "total", "12.5"}}, expenses)
	statements, err := Rows[Statement](ctx, d)
	require.NoError(t, err)
	require.Equal(t, "2008H1", statements[0].Period)

	opt.Constants[Spend]["channel"], opt.Constants[Experience]["period"] = "in_house_bid", "2008H3"
	err = d.Check(ctx)
	require.ErrorContains(t, err, `"channel": the constant does not fit, expected a channel of spend (provider, own, other, total)`)
	require.ErrorContains(t, err, `"period": the constant does not fit, expected a period`)
}

// TestDecimals reads the same values through every type that can hold them: text
// and a DECIMAL exactly, floats with nine significant digits.
func TestDecimals(t *testing.T) {
	ctx := context.Background()
	opt := DefaultOptions()
	opt.Constants = map[string]map[string]string{Figures: {"figure": "ratio", "provider_id": "P1"}}
	for _, c := range []struct {
		typ  arrow.DataType
		json string
		want []string
	}{
		{arrow.PrimitiveTypes.Int16, `[5000, -1, 0]`, []string{"5000", "-1", "0"}},
		{arrow.PrimitiveTypes.Float32, `[6.3, -0.05, 0]`, []string{"6.3", "-0.05", "0"}},
		{arrow.PrimitiveTypes.Float64, `[0.30000000000000004, -0.0, 0.6666666666666666, 123456789.5]`, []string{"0.3", "0", "0.666666667", "123456790"}},
		{&arrow.Decimal128Type{Precision: 20, Scale: 12}, `["0.984000000000", "0.123456789012"]`, []string{"0.984", "0.123456789012"}},
		{arrow.BinaryTypes.String, `["0.9840", "-0.123456789012", "007"]`, []string{"0.984", "-0.123456789012", "7"}},
	} {
		a, _, err := array.FromJSON(memory.DefaultAllocator, c.typ, strings.NewReader(c.json))
		require.NoError(t, err)
		periods := array.NewInt32Builder(memory.DefaultAllocator)
		for i := range a.Len() {
			periods.Append(int32(2000 + i))
		}
		d := NewDataset(opt)
		require.NoError(t, d.AddArrow(Figures, array.NewRecord(arrow.NewSchema([]arrow.Field{
			{Name: "period", Type: arrow.PrimitiveTypes.Int32}, {Name: "value", Type: c.typ},
		}, nil), []arrow.Array{periods.NewArray(), a}, int64(a.Len()))))
		rows, err := Rows[Figure](ctx, d)
		require.NoError(t, err)
		require.Equal(t, c.want, gather(len(rows), func(i int) string { return rows[i].Value }), c.typ.String())
	}
	opt.Constants[Figures]["value"] = "1e3"
	d := NewDataset(opt)
	cols, family := sheet("period", row(2008))
	require.NoError(t, d.AddArrow(Figures, drawnRecord(rand.New(rand.NewPCG(1, 2)), cols, family)))
	require.ErrorContains(t, d.Check(ctx), "the constant does not fit, expected a decimal")
	opt.Constants[Figures]["value"] = "0.9840"
	rows, err := Rows[Figure](ctx, d)
	require.NoError(t, err)
	require.Equal(t, "0.984", rows[0].Value)
}

// TestAmounts reads the same amounts through every type that can hold them: the
// decimal is exact, and the same whatever the type.
func TestAmounts(t *testing.T) {
	ctx := context.Background()
	whole, cents := []string{"5000", "-1", "0"}, []string{"5000", "796.5", "-0.05", "0"}
	read := func(d *Dataset, err error) []string {
		t.Helper()
		require.NoError(t, err)
		rows, err := Rows[Expense](ctx, d)
		require.NoError(t, err)
		return gather(len(rows), func(i int) string { return rows[i].Amount })
	}
	constants := DefaultOptions()
	constants.Constants = map[string]map[string]string{Spend: {"municipality": "101", "channel": "total"}}

	inParquet := func(path string) (*Dataset, error) { return OpenFolder(filepath.Dir(path), constants) }
	path := filepath.Join(t.TempDir(), "spend.parquet")
	writeAmounts(t, path, []int32{500000, 79650, -5, 0}, func(n int32) any {
		return struct {
			Year   int32 `parquet:"year"`
			Amount int32 `parquet:"amount_dkk,decimal(2:9)"`
		}{0, n}
	})
	require.Equal(t, cents, read(inParquet(path)))
	writeAmounts(t, path, []int64{50000000, 7965000, -500, 0, 12345678901234567}, func(n int64) any {
		return struct {
			Year   int32 `parquet:"year"`
			Amount int64 `parquet:"amount_dkk,decimal(4:18)"`
		}{0, n}
	})
	require.Equal(t, append(cents, "1234567890123.4567"), read(inParquet(path)))
	writeAmounts(t, path, []uint64{math.MaxUint64}, func(n uint64) any {
		return struct {
			Year   int32  `parquet:"year"`
			Amount uint64 `parquet:"amount_dkk"`
		}{0, n}
	})
	require.Equal(t, []string{"18446744073709551615"}, read(inParquet(path)))
	writeAmounts(t, path, []float32{5000, 796.5, -0.05, float32(math.Copysign(0, -1)), 0.1}, func(n float32) any {
		return struct {
			Year   int32   `parquet:"year"`
			Amount float32 `parquet:"amount_dkk"`
		}{0, n}
	})
	require.Equal(t, append(cents, "0.1"), read(inParquet(path)))

	mem := memory.DefaultAllocator
	for _, c := range []struct {
		typ  arrow.DataType
		json string
		want []string
	}{
		{arrow.PrimitiveTypes.Int16, `[5000, -1, 0]`, whole},
		{arrow.PrimitiveTypes.Int64, `[5000, -1, 0]`, whole},
		{arrow.PrimitiveTypes.Float32, `[5000, 796.5, -0.05, 0, 0.1]`, append(cents, "0.1")},
		{arrow.PrimitiveTypes.Float64, `[5000, 796.5, -0.05, -0.0, 0.30000000000000004]`, append(cents, "0.30000000000000004")},
		{&arrow.Decimal128Type{Precision: 12, Scale: 2}, `["5000.00", "796.50", "-0.05", "0.00"]`, cents},
		{&arrow.Decimal128Type{Precision: 20, Scale: 0}, `["5000", "-1", "0"]`, whole},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Float64}, `[5000, 796.5, -0.05, 0]`, cents},
	} {
		a, _, err := array.FromJSON(mem, c.typ, strings.NewReader(c.json))
		require.NoError(t, err)
		d := NewDataset(constants)
		require.NoError(t, d.AddArrow(Spend, amountRecord(a)))
		require.Equal(t, c.want, read(d, nil), c.typ.String())
	}
	widest := array.NewDecimal128Builder(mem, &arrow.Decimal128Type{Precision: 38, Scale: 37})
	n, err := decimal128.FromString("-1."+strings.Repeat("1", 37), 38, 37)
	require.NoError(t, err)
	widest.Append(n)
	d := NewDataset(constants)
	require.NoError(t, d.AddArrow(Spend, amountRecord(widest.NewArray())))
	require.Equal(t, []string{"-1." + strings.Repeat("1", 37)}, read(d, nil))

	// Text is no amount.
	a, _, err := array.FromJSON(mem, arrow.BinaryTypes.String, strings.NewReader(`["5000"]`))
	require.NoError(t, err)
	d = NewDataset(constants)
	require.NoError(t, d.AddArrow(Spend, amountRecord(a)))
	_, err = Rows[Expense](ctx, d)
	require.ErrorContains(t, err, `"amount_dkk": wrong type, expected an amount (DECIMAL or another number), found utf8`)
}

// writeAmounts writes amounts with a year of their own each, in order.
func writeAmounts[T any](t *testing.T, path string, amounts []T, row func(T) any) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	schema := parquet.SchemaOf(row(amounts[0]))
	w := parquet.NewGenericWriter[any](f, schema)
	for i, n := range amounts {
		values := schema.Deconstruct(nil, row(n))
		year, _ := schema.Lookup("year")
		values[year.ColumnIndex] = parquet.Int32Value(int32(2000+i)).Level(0, 0, year.ColumnIndex)
		_, err := w.WriteRows([]parquet.Row{values})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
}

func amountRecord(amounts arrow.Array) arrow.Record {
	years := array.NewInt32Builder(memory.DefaultAllocator)
	for i := range amounts.Len() {
		years.Append(int32(2000 + i))
	}
	return array.NewRecord(arrow.NewSchema([]arrow.Field{
		{Name: "year", Type: arrow.PrimitiveTypes.Int32}, {Name: "amount_dkk", Type: amounts.DataType(), Nullable: true},
	}, nil), []arrow.Array{years.NewArray(), amounts}, int64(amounts.Len()))
}

// TestHostileDecimals reads decimals whose digits would take any time to write
// out.
func TestHostileDecimals(t *testing.T) {
	constants := DefaultOptions()
	constants.MaxRejectShare = 1
	constants.Constants = map[string]map[string]string{Spend: {"municipality": "101", "channel": "total", "year": "2008"}}
	for name, c := range map[string]struct {
		typ   parquet.Type
		scale int
		value parquet.Value
	}{
		"scale":       {parquet.Int64Type, math.MaxInt32, parquet.Int64Value(5)},
		"bytes":       {parquet.ByteArrayType, 2, parquet.ByteArrayValue([]byte(strings.Repeat("7", 100)))},
		"fixed bytes": {parquet.FixedLenByteArrayType(100), 2, parquet.FixedLenByteArrayValue([]byte(strings.Repeat("7", 100)))},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := os.Create(filepath.Join(dir, "spend.parquet"))
			require.NoError(t, err)
			w := parquet.NewGenericWriter[any](f, parquet.NewSchema("t", parquet.Group{"amount_dkk": parquet.Decimal(c.scale, 18, c.typ)}))
			_, err = w.WriteRows([]parquet.Row{{c.value.Level(0, 0, 0)}})
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.NoError(t, f.Close())
			d, err := OpenFolder(dir, constants)
			require.NoError(t, err)
			rows, err := Rows[Expense](context.Background(), d)
			if name == "scale" {
				require.NoError(t, err)
				require.Empty(t, rows)
				require.Equal(t, []Reject{{Row: 1, Column: "amount_dkk", Cause: "amount has more digits than can be kept"}}, causes(d, Spend))
				return
			}
			require.ErrorIs(t, err, ErrLimit)
			require.ErrorContains(t, err, `row group 0, column "amount_dkk"`)
		})
	}
}

// TestCheckEight expects every missing and mistyped column of the eight tables
// at once, through both doors.
func TestCheckEight(t *testing.T) {
	day, r := moment{day: 14000}, rand.New(rand.NewPCG(1, 2))
	dir, inMemory := t.TempDir(), NewDataset(DefaultOptions())
	for table, columns := range map[string]struct {
		names string
		row   []any
	}{
		Caseload:     {"person_id municipality match_grp start_date end_date", row(1.5, day, "1", 2.5, 4)},
		Satisfaction: {"provider_id period mean n invited", row(1.5, 2.5, "4", "20", "30")},
		Inspections:  {"provider_id inspected_at grade note", row("P", day, 7.5, day)},
		Experience:   {"period text", row(day, 1.5)},
		Spend:        {"municipality year channel amount", row(1.5, "2008", day, 5)},
		Evidence:     {"participation_id received_on", row(1.5, 2.5)},
		Invoices:     {"id agreement_id provider_id period amount_dkk", row(1.5, 2.5, 3.5, 2008.0, "5")},
		Payments:     {"agreement_id provider_id period date amount_dkk", row("A", "P", "2008", 3.5, day)},
	} {
		cols, family := sheet(columns.names, columns.row)
		writeDrawn(t, r, filepath.Join(dir, table+".parquet"), cols, family)
		require.NoError(t, inMemory.AddArrow(table, drawnRecord(r, cols, family)))
	}
	file, err := OpenFolder(dir, DefaultOptions())
	require.NoError(t, err)
	for _, d := range []*Dataset{file, inMemory} {
		err := d.Check(context.Background())
		var schema *SchemaError
		require.ErrorAs(t, err, &schema)
		got := map[string][]string{}
		for _, p := range schema.Problems {
			got[p.Table] = append(got[p.Table], p.Column+": "+p.Problem)
		}
		require.Equal(t, map[string][]string{
			Caseload: {
				"person_id: wrong type", "municipality: wrong type", "match_scheme: missing", "match_group: missing",
				"start_date: wrong type", "end_date: wrong type",
			},
			Satisfaction: {"provider_id: wrong type", "period: wrong type", "mean: wrong type", "n: wrong type", "invited: wrong type"},
			Inspections:  {"inspected_on: missing", "grade: wrong type", "note: wrong type"},
			Experience:   {"provider_id: missing", "period: wrong type", "text: wrong type"},
			Spend:        {"municipality: wrong type", "year: wrong type", "channel: wrong type", "amount_dkk: missing"},
			Evidence:     {"participation_id: wrong type", "kind: missing", "received_on: wrong type"},
			Invoices: {
				"id: wrong type", "agreement_id: wrong type", "provider_id: wrong type", "period: wrong type", "date: missing",
				"amount_dkk: wrong type",
			},
			Payments: {"id: missing", "date: wrong type", "amount_dkk: wrong type"},
		}, got)
		require.ErrorContains(t, err, `did you mean "inspected_at"?`)
		_, err = d.Caseload(context.Background())
		require.ErrorAs(t, err, &schema)
		require.Len(t, schema.Problems, 6)
		_, err = Rows[Payment](context.Background(), d)
		require.ErrorAs(t, err, &schema)
		require.Len(t, schema.Problems, 3)
	}
}

// TestFifteenTables opens a folder with every table of the contract, checks it
// and reads all of it.
func TestFifteenTables(t *testing.T) {
	ctx, dir, r := context.Background(), t.TempDir(), rand.New(rand.NewPCG(1, 2))
	day := moment{day: 14000}
	for table, columns := range map[string]struct {
		names string
		row   []any
	}{
		Participations: {"participation_id person_id municipality match_scheme match_group referral_date provider_id", row(5, 1, 101, "m", "2", day, "P1")},
		Spells:         {"person_id state start_date end_date", row(1, "cash_benefit", day, nil)},
		Persons:        {"person_id valid_from sex", row(1, day, "k")},
		Providers:      {"provider_id valid_from name", row("P1", day, "Ærø")},
		Municipalities: {"municipality year population", row(101, 2008, 500000)},
		PeerStrata:     {"municipality match_scheme match_group outcome period n sum sum_squares", row(147, "m", "2", "job", "2008H1", 10, 4.5, 4.5)},
		Caseload:       {"person_id municipality match_scheme match_group start_date end_date", row(1, 101, "m", "2", day, nil)},
		Satisfaction:   {"provider_id period mean n invited", row("P1", "2008H1", 4.5, 10, 12)},
		Inspections:    {"provider_id inspected_on grade note", row("P1", day, "A", nil)},
		Experience:     {"provider_id period text", row("P1", "2008", "good")},
		Spend:          {"municipality year channel amount_dkk", row(101, 2008, "total", 900.25)},
		Evidence:       {"participation_id kind received_on", row(5, "plan", day)},
		Figures:        {"figure provider_id period n value", row("ratio", "P1", "2008", 10, "0.984")},
		Invoices:       {"id agreement_id provider_id period date amount_dkk", row(1, "A1", "P1", "2008-09", day, 12.5)},
		Payments:       {"id agreement_id provider_id period date amount_dkk", row(1, "A1", "P1", "2008-09", day, 12.5)},
	} {
		cols, family := sheet(columns.names, columns.row)
		for i := range family {
			if family[i] == "" {
				family[i] = map[bool]string{true: "timestamp", false: "text"}[strings.HasSuffix(cols[i].name, "_date")]
			}
		}
		writeDrawn(t, r, filepath.Join(dir, table+".parquet"), cols, family)
	}
	opt := DefaultOptions()
	opt.Covariates = []string{"sex"}
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	require.Len(t, tables(), 15)
	require.Len(t, d.Files(), 15)
	require.NoError(t, d.Check(ctx))
	cases, err := d.Cases(ctx)
	require.NoError(t, err)
	require.Len(t, spellLines(t, d, cases), 1)
	_, err = d.Providers(ctx)
	require.NoError(t, err)
	_, err = d.Conditions(ctx)
	require.NoError(t, err)
	_, err = d.PeerStrata(ctx, nil)
	require.NoError(t, err)
	for _, c := range nineTables() {
		got, err := c.read(ctx, d)
		require.NoError(t, err)
		require.Len(t, got, 1, c.table)
	}
	require.Empty(t, d.Rejects())
	read := map[string]bool{}
	for _, c := range d.Counts() {
		if c.Name == "read" {
			require.EqualValues(t, 1, c.Rows, c.Table)
			read[c.Table] = true
		}
	}
	require.Len(t, read, 15)
}
