package dream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// panel is a table of text, as people write it down: the first line names the
// columns, and - is an empty cell.
type panel []string

func (p panel) cells() (names []string, rows [][]string) {
	for i, line := range p {
		f := strings.Fields(line)
		if i == 0 {
			names = f
			continue
		}
		rows = append(rows, f)
	}
	return names, rows
}

// table is the panel with columns of numbers as doubles, as SAS has them, and of
// text.
func (p panel) table(t testing.TB, text ...string) *ingest.Table {
	names, rows := p.cells()
	out := &ingest.Table{Name: "panel"}
	for k, name := range names {
		c := ingest.Column{Name: name}
		switch {
		case slices.Contains(text, name):
			c.Texts = make([]string, len(rows))
		case k == 0:
			c.Ints = make([]int64, len(rows))
		default:
			c.Floats = make([]float64, len(rows))
		}
		for i, row := range rows {
			var x float64
			_, err := fmt.Sscan(row[k], &x)
			switch {
			case c.Texts != nil && row[k] != "-":
				c.Texts[i] = row[k]
			case c.Texts != nil:
			case k == 0:
				require.NoError(t, err)
				c.Ints[i] = int64(x)
			case row[k] == "-":
				c.Floats[i] = math.NaN()
			default:
				require.NoError(t, err)
				c.Floats[i] = x
			}
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

func write(t require.TestingT, path string, table *ingest.Table) string {
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, table.WriteParquet(f))
	require.NoError(t, f.Close())
	return path
}

func open(t require.TestingT, path string) *ingest.Panel {
	p, err := ingest.OpenPanel(path, ingest.DefaultLimits())
	require.NoError(t, err)
	return p
}

// spells writes down what Convert hands over: person state start..end hours.
func spells(t testing.TB, path string, m *dream.Map, opt dream.Options) ([]string, *dream.Report, error) {
	t.Helper()
	var out []string
	r, err := dream.Convert(context.Background(), open(t, path), m, opt, func(b *dream.Block) error {
		s := b.Spells
		for i, p := range s.Person {
			line := fmt.Sprintf("%s %s %s..%s", b.Persons[p], s.State[i], s.Start[i], s.End[i])
			if s.Hours != nil && !math.IsNaN(s.Hours[i]) {
				line += fmt.Sprintf(" %gh", s.Hours[i])
			}
			out = append(out, line)
		}
		return nil
	})
	return out, r, err
}

func of(t testing.TB, p panel, m *dream.Map) ([]string, *dream.Report) {
	t.Helper()
	out, r, err := spells(t, write(t, filepath.Join(t.TempDir(), "panel.parquet"), p.table(t)), m, dream.DefaultOptions())
	require.NoError(t, err)
	return out, r
}

// Every Monday of the years that two digits can mean, held against the ISO weeks
// of Go's package time.
func TestWeeks(t *testing.T) {
	var long []int
	for d := effect.NewDate(1990, 1, 1); d < effect.NewDate(2089, 12, 31); d += 7 { // 1 January 1990 was a Monday
		year, week := d.Time().ISOWeek()
		monday, ok := dream.Monday(year, week)
		require.True(t, ok)
		require.Equal(t, d, monday)
		require.Equal(t, time.Monday, monday.Time().Weekday())
		assert.Equal(t, fmt.Sprintf("y_%02d%02d", year%100, week), dream.WeekName(monday))
		if week == 53 {
			long = append(long, year)
			_, ok := dream.Monday(year, 54)
			assert.False(t, ok)
		}
	}
	assert.Subset(t, long, []int{1992, 1998, 2004, 2009, 2015, 2020, 2026})
	assert.Len(t, long, 18, "71 of 400 years have 53 weeks")
	for year := 1990; year < 2090; year++ {
		_, ok := dream.Monday(year, 53)
		assert.Equal(t, slices.Contains(long, year), ok, year)
		_, ok = dream.Monday(year, 0)
		assert.False(t, ok)
	}
	for two, year := range map[int]int{90: 1990, 99: 1999, 0: 2000, 8: 2008, 89: 2089} {
		assert.Equal(t, year, dream.Year(two))
	}
}

// Lives worked out by hand. Week 1 of 2009 begins on Monday 29 December 2008 and
// belongs to January; week 5, from 26 January, has its Thursday on the 29th and
// belongs to January too; week 6 is February's.
func TestLives(t *testing.T) {
	m := dream.DefaultMap()
	out, r := of(t, panel{
		"pnr y_0901 y_0902 y_0903 y_0904 y_0905 y_0906 y_0907 branche_2009_01 branche_2009_02 grad_2009_01 grad_2009_02",
		"1   731    731    -      -      730    111    0      10             10             1.0          0.5",
		"2   -      -      -      -      -      -      -      -              -              -            -",
		"3   -      -      -      -      -      -      -      0              10             0            -",
		"4   -      -      999    -      -      -      -      -              -              -            -",
		"5   997    -      -      -      -      -      -      -              10             -            0.25",
		"6   730    998    998    -      730    -      -      -              -              -            -",
	}, m)
	assert.Equal(t, []string{
		"1 cash_benefit 2008-12-29..2009-01-12", "1 ordinary_employment 2009-01-12..2009-01-26 37h", "1 cash_benefit 2009-01-26..2009-02-02",
		"1 unemployment_benefit 2009-02-02..2009-02-09", "1 ordinary_employment 2009-02-09..2009-02-16 18.5h",
		"2 self_support 2008-12-29..2009-02-16",
		"3 self_support 2008-12-29..2009-02-02", "3 ordinary_employment 2009-02-02..2009-02-16",
		"4 self_support 2008-12-29..2009-01-12", "4 dead 2009-01-12..2009-02-16",
		"5 emigrated 2008-12-29..2009-02-02", "5 ordinary_employment 2009-02-02..2009-02-16 9.25h",
		"6 cash_benefit 2008-12-29..2009-01-05", "6 pension 2009-01-05..2009-01-26", "6 cash_benefit 2009-01-26..2009-02-02", "6 self_support 2009-02-02..2009-02-16",
	}, out)
	assert.Equal(t, "2008-12-29", r.First.String())
	assert.Equal(t, "2009-02-16", r.End.String())
	for name, want := range map[string]int64{
		dream.CountPersons: 6, dream.CountWeeks: 42, dream.CountCoded: 10, dream.CountBeside: 0, dream.CountEmpty: 32,
		dream.CountWorked: 3 + 2 + 2, dream.CountFilled: 4 + 4 + 1, dream.CountBare: 7 + 5 + 2 + 2, dream.CountUnknown: 0,
		dream.CountUntold: 2, dream.CountSpells: 16, dream.CountWithout: 0, dream.CountAfterDeath: 0,
	} {
		assert.Equal(t, want, r.Count(name), name)
	}
	assert.Equal(t, []dream.StateWeeks{
		{effect.OrdinaryEmployment, 7},
		{effect.CashBenefit, 5},
		{effect.UnemploymentBenefit, 1},
		{effect.Pension, 3},
		{effect.SelfSupport, 16},
		{effect.Emigrated, 5},
		{effect.Dead, 5},
	}, r.States)
	var codes []string
	for _, c := range r.Codes {
		codes = append(codes, fmt.Sprintf("%s %s %d", c.Code, c.State, c.Weeks))
	}
	assert.Equal(t, []string{
		"111 unemployment_benefit 1", "730 cash_benefit 3", "731 cash_benefit 2", "997 emigrated 1", "998 pension 2", "999 dead 1",
	}, codes)
	assert.Empty(t, r.Unread)
}

// Week 53, and the turn of the century.
func TestLongYear(t *testing.T) {
	m := dream.DefaultMap()
	m.OutsideMonths = dream.OutsideUnknown
	out, r := of(t, panel{"pnr y_0952 y_0953 y_1001", "1 - 730 -", "2 730 730 730"}, m)
	assert.Equal(t, []string{"1 cash_benefit 2009-12-28..2010-01-04", "2 cash_benefit 2009-12-21..2010-01-11"}, out)
	assert.Equal(t, int64(2), r.Count(dream.CountUnknown))
	out, _ = of(t, panel{"pnr y_9951 y_9952 y_0001", "1 730 730 730", "2 730 - 111"}, m)
	assert.Equal(t, []string{
		"1 cash_benefit 1999-12-20..2000-01-10", "2 cash_benefit 1999-12-20..1999-12-27", "2 unemployment_benefit 2000-01-03..2000-01-10",
	}, out)
	// Week 53 of 2009, from 28 December, has its Thursday on the 31st: December's income is its, January's is not.
	out, _ = of(t, panel{"pnr y_0953 y_1001 grad_2009_12 grad_2010_01", "1 - - 1 0", "2 - - 0 1"}, dream.DefaultMap())
	assert.Equal(t, []string{
		"1 ordinary_employment 2009-12-28..2010-01-04 37h", "1 self_support 2010-01-04..2010-01-11",
		"2 self_support 2009-12-28..2010-01-04", "2 ordinary_employment 2010-01-04..2010-01-11 37h",
	}, out)
	out, _ = of(t, panel{"pnr y_8952", "1 730"}, m)
	assert.Equal(t, []string{"1 cash_benefit 2089-12-26..2090-01-02"}, out)
}

// What shows income, and work beside a benefit.
func TestIncome(t *testing.T) {
	p := panel{
		"pnr y_0901 y_0902 branche_2009_01 grad_2009_01",
		"1 - 730 10 0.5", "2 - 730 10 -", "3 - 730 - 0.2", "4 - 730 10 0", "5 - 890 10 0.5",
	}
	first := func(m *dream.Map) (work, beside string) {
		require.NoError(t, m.Validate())
		out, r := of(t, p, m)
		for _, line := range out {
			f := strings.Fields(line)
			if f[1] == "ordinary_employment" {
				work += f[0]
				if strings.Contains(f[2], "..2009-01-12") {
					beside += f[0]
				}
			}
		}
		assert.Equal(t, int64(len(beside)), r.Count(dream.CountBeside))
		assert.Equal(t, int64(len(work)), r.Count(dream.CountWorked))
		return work, beside
	}
	for income, want := range map[dream.Income]string{dream.IncomeEither: "12345", dream.IncomeBoth: "15", dream.IncomeBranche: "1245", dream.IncomeGrad: "135"} {
		m := dream.DefaultMap()
		m.Income = income
		work, beside := first(m)
		assert.Equal(t, want, work, income)
		assert.Empty(t, beside)
	}
	m := dream.DefaultMap()
	m.Beside.Work, m.Beside.LeastDegree = dream.BesideFromGrad, 0.2
	_, beside := first(m)
	assert.Equal(t, "13", beside, "sickness benefit is not among the states")
	m.Beside.LeastDegree = 0.21
	_, beside = first(m)
	assert.Equal(t, "1", beside)

	// Work goes on beside the benefit as one spell, and the benefit is a spell of its own.
	out, _ := of(t, p[:2], m)
	assert.Equal(t, []string{"1 ordinary_employment 2008-12-29..2009-01-12 18.5h", "1 cash_benefit 2009-01-05..2009-01-12"}, out)

	// Percent; hours left out.
	m = dream.DefaultMap()
	m.FullDegree = 50
	out, _ = of(t, panel{"pnr y_0901 grad_2009_01", "1 - 40"}, m)
	assert.Equal(t, []string{"1 ordinary_employment 2008-12-29..2009-01-05 29.6h"}, out)
	m.FullHours = 0
	out, _ = of(t, panel{"pnr y_0901 grad_2009_01", "1 - 40"}, m)
	assert.Equal(t, []string{"1 ordinary_employment 2008-12-29..2009-01-05"}, out)
}

// Hours that change with the month are spells of their own; a code can mean work.
func TestHours(t *testing.T) {
	m := dream.DefaultMap()
	m.Codes = append(m.Codes, dream.Entry{Codes: dream.Codes(5, 5), State: effect.OrdinaryEmployment})
	out, r := of(t, panel{
		"pnr y_0904 y_0905 y_0906 y_0907 branche_2009_01 grad_2009_01 branche_2009_02 grad_2009_02",
		"1 - - - - 1 1 1 1", "2 - - - - 1 0.4 1 0.4001", "3 - - - - 1 0.4 1 0.3", "4 5 5 5 - 0 0 1 0.3", "5 - 5 - - 1 0.5 1 0.5",
	}, m)
	assert.Equal(t, []string{
		"1 ordinary_employment 2009-01-19..2009-02-16 37h",
		"2 ordinary_employment 2009-01-19..2009-02-16 14.8h", // hours are told to the hundredth
		"3 ordinary_employment 2009-01-19..2009-02-02 14.8h", "3 ordinary_employment 2009-02-02..2009-02-16 11.1h",
		"4 ordinary_employment 2009-01-19..2009-02-02", "4 ordinary_employment 2009-02-02..2009-02-16 11.1h",
		"5 ordinary_employment 2009-01-19..2009-02-16 18.5h",
	}, out)
	assert.Equal(t, int64(2), r.Count(dream.CountUntold))
}

// An empty week can be no spell, and what ends the observation may be empty.
func TestEmptyWeeks(t *testing.T) {
	m := dream.DefaultMap()
	m.EmptyWeek, m.Ends = dream.NoSpell, nil
	out, r := of(t, panel{"pnr y_0901 y_0902 y_0903 branche_2009_01", "1 - - - -", "2 997 - 730 -", "3 999 - 730 -", "4 999 - 999 -"}, m)
	assert.Equal(t, []string{
		"2 emigrated 2008-12-29..2009-01-05", "2 cash_benefit 2009-01-12..2009-01-19", "3 dead 2008-12-29..2009-01-05", "3 cash_benefit 2009-01-12..2009-01-19",
		"4 dead 2008-12-29..2009-01-05", "4 dead 2009-01-12..2009-01-19",
	}, out)
	assert.Equal(t, int64(1), r.Count(dream.CountWithout))
	assert.Equal(t, int64(0), r.Count(dream.CountFilled))
	assert.Equal(t, int64(1), r.Count(dream.CountAfterDeath))
	m.EmptyWeek = "self_support"
	_, r = of(t, panel{"pnr y_0901 y_0902 branche_2009_01", "4 999 - -"}, m)
	assert.Equal(t, int64(0), r.Count(dream.CountAfterDeath), "an empty week is no return")
	m = dream.DefaultMap()
	_, r = of(t, panel{
		"pnr y_0901 y_0902 y_0903 y_0904 y_0905 y_0906 branche_2009_01 branche_2009_02",
		"1 999 - 730 - - - - 1", "2 999 - - - - - - -", "3 999 999 999 999 999 - - 1",
	}, m)
	assert.Equal(t, int64(2), r.Count(dream.CountAfterDeath), "a code, and income, after death")
}

// Whatever the physical types, the spells are the same: those of text with blanks,
// of whole numbers of either size, of floats, with nulls and pages of any length.
func TestTypes(t *testing.T) {
	names := []string{"branche_2009_01", "branche_2009_02", "grad_2009_01", "grad_2009_02", "pnr", "y_0904", "y_0905", "y_0906", "y_0907"}
	const rows = 500
	cell := func(i, k int) float64 { // NaN is empty
		x := (i*7 + k*13) % 29
		switch name := names[k]; {
		case name == "pnr":
			return float64(10*i + 3)
		case strings.HasPrefix(name, "branche"):
			return []float64{math.NaN(), 0, 412000, 10100}[x%4]
		case strings.HasPrefix(name, "grad"):
			return []float64{math.NaN(), 0, 1, 1}[x%4]
		}
		return []float64{math.NaN(), 0, 730, 111, 730, 999, 881}[(x+i/50)%7]
	}
	var want []string
	for _, kind := range []string{"double", "float", "int32", "int64", "decimal", "text", "padded"} {
		for _, dictionary := range []bool{true, false} {
			group := parquet.Group{}
			for _, name := range names {
				node := map[string]parquet.Node{
					"double": parquet.Leaf(parquet.DoubleType), "float": parquet.Leaf(parquet.FloatType), "int32": parquet.Int(32), "int64": parquet.Int(64),
					"decimal": parquet.Decimal(2, 18, parquet.Int64Type), "text": parquet.String(), "padded": parquet.String(),
				}[kind]
				switch {
				case name == "pnr" && kind != "text":
					node = parquet.Int(64)
				case strings.HasPrefix(name, "grad") && kind != "float":
					node = parquet.Leaf(parquet.DoubleType)
				}
				if dictionary {
					node = parquet.Encoded(node, &parquet.RLEDictionary)
				}
				group[name] = parquet.Optional(node)
			}
			path := filepath.Join(t.TempDir(), "panel.parquet")
			f, err := os.Create(path)
			require.NoError(t, err)
			w := parquet.NewGenericWriter[any](f, parquet.NewSchema("panel", group), parquet.MaxRowsPerRowGroup(170), parquet.PageBufferSize(256))
			for i := range rows {
				row := make(parquet.Row, len(names))
				for k := range names {
					x := cell(i, k)
					var v parquet.Value
					switch group[names[k]].Type().Kind() {
					case parquet.Double:
						v = parquet.DoubleValue(x)
					case parquet.Float:
						v = parquet.FloatValue(float32(x))
					case parquet.Int32:
						v = parquet.Int32Value(int32(x))
					case parquet.Int64:
						if kind == "decimal" && k != 4 {
							x *= 100
						}
						v = parquet.Int64Value(int64(x))
					default:
						s := fmt.Sprint(int(x))
						if x != x {
							s = ""
						}
						if kind == "padded" {
							s = fmt.Sprintf("%8s ", s)
						}
						v = parquet.ByteArrayValue([]byte(s))
					}
					level := 1
					if x != x && (strings.HasPrefix(kind, "int") || kind == "decimal" || i%2 == 0 || names[k][0] == 'g') {
						v, level = parquet.Value{}, 0
					}
					row[k] = v.Level(0, level, k)
				}
				_, err := w.WriteRows([]parquet.Row{row})
				require.NoError(t, err)
			}
			require.NoError(t, w.Close())
			require.NoError(t, f.Close())
			for _, block := range []int{1 << 17, 170, 100, 7} {
				opt := dream.DefaultOptions()
				opt.ReadPersons, opt.BlockPersons, opt.Workers = block, 1+block/3, 1+block%3
				got, _, err := spells(t, path, dream.DefaultMap(), opt)
				require.NoError(t, err)
				if want == nil {
					want = got
					require.Greater(t, len(want), rows)
				}
				require.Equal(t, want, got, "%s, %d rows at a time", kind, block)
			}
		}
	}
}

// The same bytes for any number of workers, and parts of a folder are read in the
// order of their names.
func TestWorkers(t *testing.T) {
	dir := t.TempDir()
	for k, name := range []string{"a", "b", "c"} {
		p := panel{"pnr y_0901 y_0902 y_0903 branche_2009_01"}
		for i := range 40 {
			p = append(p, fmt.Sprintf("%d %d - %d %d", 100*k+i, []int{0, 730}[i%2], []int{0, 111, 999}[i%3], i%5%2))
		}
		write(t, filepath.Join(dir, name+".parquet"), p.table(t))
	}
	write(t, filepath.Join(dir, "_passed_over.parquet"), panel{"x", "1"}.table(t))
	var want []string
	var report *dream.Report
	for _, workers := range []int{1, 2, 16} {
		opt := dream.DefaultOptions()
		opt.Workers, opt.ReadPersons, opt.BlockPersons = workers, 9, 5
		got, r, err := spells(t, dir, dream.DefaultMap(), opt)
		require.NoError(t, err)
		if want == nil {
			want, report = got, r
		}
		assert.Equal(t, want, got)
		assert.Equal(t, report, r)
	}
	assert.True(t, strings.HasPrefix(want[0], "0 ") && strings.HasPrefix(want[len(want)-1], "239 "))
	assert.Equal(t, int64(120), report.Count(dream.CountPersons))
}

// Every problem with the columns comes at once.
func TestColumns(t *testing.T) {
	dir := t.TempDir()
	faults := func(text []string, head string, change ...func(*dream.Map)) []string {
		row := strings.Repeat("1 ", len(strings.Fields(head)))
		m := dream.DefaultMap()
		for _, f := range change {
			f(m)
		}
		_, _, err := spells(t, write(t, filepath.Join(dir, "panel.parquet"), panel{head, row}.table(t, text...)), m, dream.DefaultOptions())
		var columns *dream.ColumnsError
		if !errors.As(err, &columns) {
			require.NoError(t, err)
			return nil
		}
		require.ErrorIs(t, err, dream.ErrPanel)
		var out []string
		for _, p := range columns.Problems {
			out = append(out, fmt.Sprintf("%s %s", p.Fault, p.Column))
			assert.Contains(t, err.Error(), p.What)
			assert.True(t, columns.Has(p.Fault))
		}
		return out
	}
	unknown := func(m *dream.Map) {
		m.OutsideMonths = dream.OutsideUnknown
		m.Codes = append(m.Codes, dream.Entry{Codes: dream.Codes(1, 1)})
	}
	for head, want := range map[string][]string{
		"pnr y_0901 y_0902":                                   nil,
		"pnr y_901 y_0902":                                    nil, // the zero of 09 is lost
		"PNR Y_0901 y_0902":                                   nil,
		"pnr y_0902 y_0901":                                   {"out_of_order y_0901"},
		"pnr y_0901 Y_0901":                                   {"twice Y_0901"},
		"pnr y_0901 y_901":                                    {"twice y_901"},
		"pnr PNR y_0901":                                      {"twice PNR"},
		"pnr y_0951 y_0952 y_0953 y_0954 y_1001":              {"no_such_week y_0954"},
		"pnr y_0852 y_0853 y_0901":                            {"no_such_week y_0853"},
		"pnr y_0900 y_0901":                                   {"no_such_week y_0900"},
		"pnr y_0901 y_0903 y_0907":                            {"missing_weeks y_0903", "missing_weeks y_0907"},
		"pnr y_9952 y_0002":                                   {"missing_weeks y_0002"},
		"pnr y_0952 y_1001":                                   {"missing_weeks y_1001"},
		"pnr y_0852 y_0901":                                   nil,
		"id y_0901":                                           {"no_person_column "},
		"pnr week":                                            {"no_weeks "},
		"pnr y_0901 branche_2009_01 branche_2009_03":          {"missing_month branche_2009_02"},
		"pnr y_0901 grad_2009_01 grad_2009_13":                {"no_such_month grad_2009_13"},
		"pnr y_0901 grad_2009_02 grad_2009_01":                {"out_of_order grad_2009_01"},
		"pnr y_0901 grad_2009_01 GRAD_2009_1 branche_2008_12": {"twice GRAD_2009_1"},
		"pnr y_0901 y_0903 y_0902 y_0853 Y_0901 grad_2009_01 grad_2009_03 zzz": {"out_of_order y_0902", "no_such_week y_0853", "twice Y_0901", "missing_month grad_2009_02"},
	} {
		assert.Equal(t, want, faults(nil, head, unknown), head)
	}
	assert.Equal(t, []string{"wrong_type grad_2009_01"}, faults([]string{"grad_2009_01"}, "pnr y_0901 grad_2009_01", unknown))

	// Weeks whose month has no column.
	assert.Equal(t, []string{"weeks_outside_months y_0906"}, faults(nil, "pnr y_0905 y_0906 branche_2009_01"))
	assert.Equal(t, []string{"weeks_outside_months y_0905"}, faults(nil, "pnr y_0905 branche_2009_01", func(m *dream.Map) { m.Income = dream.IncomeGrad }))
	assert.Equal(t, []string{"weeks_outside_months y_0905"}, faults(nil, "pnr y_0905 branche_2009_01", func(m *dream.Map) { m.Beside.Work = dream.BesideFromGrad }))
	assert.Nil(t, faults(nil, "pnr y_0905 branche_2009_01 grad_2009_01", func(m *dream.Map) {
		unknown(m)
		m.OutsideMonths, m.Income, m.Beside.Work = dream.OutsideRefuse, dream.IncomeBoth, dream.BesideFromGrad
	}))

	_, r, err := spells(t, write(t, filepath.Join(dir, "panel.parquet"), panel{"pnr sex y_0901 branche_2009_01 branche_2009_02 y_1 grad_x", "1 1 730 1 1 1 1"}.table(t)), dream.DefaultMap(), dream.DefaultOptions())
	require.NoError(t, err)
	assert.Equal(t, []string{"sex", "y_1", "grad_x", "branche_2009_02"}, r.Unread)
}

func TestWrongTypes(t *testing.T) {
	dir := t.TempDir()
	table := &ingest.Table{Name: "panel", Columns: []ingest.Column{
		{Name: "pnr", Floats: []float64{1}}, {Name: "y_0901", Dates: []effect.Date{1}}, {Name: "branche_2009_01", Bools: []bool{true}}, {Name: "grad_2009_01", Bools: []bool{true}},
	}}
	_, _, err := spells(t, write(t, filepath.Join(dir, "a.parquet"), table), dream.DefaultMap(), dream.DefaultOptions())
	var columns *dream.ColumnsError
	require.ErrorAs(t, err, &columns)
	require.Len(t, columns.Problems, 4)
	for _, p := range columns.Problems {
		assert.Equal(t, dream.WrongType, p.Fault, p.Column)
	}

	// Parts that differ.
	parts := t.TempDir()
	write(t, filepath.Join(parts, "a.parquet"), panel{"pnr y_0901 y_0902 branche_2009_01", "1 730 730 1"}.table(t))
	write(t, filepath.Join(parts, "b.parquet"), panel{"pnr y_0901 branche_2009_01 grad_2009_01", "2 730 1 1"}.table(t, "pnr"))
	_, _, err = spells(t, parts, dream.DefaultMap(), dream.DefaultOptions())
	require.ErrorAs(t, err, &columns)
	var got []string
	for _, p := range columns.Problems {
		got = append(got, fmt.Sprintf("%s %s %s", p.Fault, filepath.Base(p.File), p.Column))
	}
	assert.Equal(t, []string{"parts_differ b.parquet y_0902", "parts_differ a.parquet grad_2009_01", "parts_differ b.parquet pnr"}, got)
}

// A panel without rows is refused; one in which nothing ever happened is an empty
// table.
func TestNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.parquet")
	_, _, err := spells(t, write(t, path, panel{"pnr y_0901 branche_2009_01"}.table(t)), dream.DefaultMap(), dream.DefaultOptions())
	require.ErrorIs(t, err, dream.ErrPanel)
	m := dream.DefaultMap()
	m.EmptyWeek = dream.NoSpell
	write(t, path, panel{"pnr y_0901 branche_2009_01", "1 - -", "2 - -"}.table(t))
	calls := 0
	r, err := dream.Convert(context.Background(), open(t, path), m, dream.DefaultOptions(), func(b *dream.Block) error {
		calls++
		table := b.Table()
		assert.Equal(t, 0, table.Rows())
		return table.WriteParquet(io.Discard)
	})
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
	assert.Equal(t, int64(2), r.Count(dream.CountWithout))
}

// What is wrong in the rows comes at once too, with counts and places and without
// any identifier.
func TestRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.parquet")
	convert := func(p panel, text ...string) error {
		out, r, err := spells(t, write(t, path, p.table(t, text...)), dream.DefaultMap(), dream.DefaultOptions())
		if err != nil {
			assert.Nil(t, r)
			assert.Empty(t, out)
			require.ErrorIs(t, err, dream.ErrPanel)
		}
		return err
	}
	p := panel{
		"pnr y_0901 y_0902 y_0903 grad_2009_01",
		"secretA 730 17 17 1", "secretB 730 x1 730 -0.5", "- 730 17 730 inf", "secretA 5 17 730 5", "secretC 730 - 0 0.1",
	}
	err := convert(p, "pnr", "y_0902")
	var persons *dream.PersonsError
	require.ErrorAs(t, err, &persons)
	assert.Equal(t, &dream.PersonsError{Rows: 5, Missing: 1, Twice: 1, First: []dream.Place{{File: path, Row: 3}, {File: path, Row: 4}}}, persons)
	var unmapped *dream.UnmappedError
	require.ErrorAs(t, err, &unmapped)
	assert.Equal(t, []dream.Unmapped{{Code: "5", Weeks: 1}, {Code: "17", Weeks: 4}, {Code: "x1", Weeks: 1}}, unmapped.Codes)
	var degrees *dream.DegreesError
	require.ErrorAs(t, err, &degrees)
	assert.Equal(t, []dream.BadDegrees{{Column: "grad_2009_01", Rows: 3}}, degrees.Columns, "5 x 37 hours are more than a week has")
	assert.NotContains(t, err.Error(), "secret")
	assert.Contains(t, err.Error(), `"17" (4 weeks)`)
	long := &dream.UnmappedError{Codes: []dream.Unmapped{{Code: "17", Weeks: 4}, {Code: "0101701234", Weeks: 1}, {Code: "secretA", Weeks: 1}}}
	assert.Contains(t, long.Error(), `"17" (4 weeks), 2 codes of more than 6 characters, not shown`)

	// The same person in another row group, far away and out of order; far apart in files of any size.
	many := panel{"pnr y_0901 grad_2009_01"}
	for i := range 3000 {
		many = append(many, fmt.Sprintf("%d 730 1", (i*1237)%2999))
	}
	require.ErrorAs(t, convert(many), &persons)
	assert.Equal(t, int64(1), persons.Twice)
	assert.Equal(t, int64(3000), persons.First[0].Row)
	opt := dream.DefaultOptions()
	opt.ReadPersons = 7
	_, _, err = spells(t, path, dream.DefaultMap(), opt)
	require.ErrorAs(t, err, &persons)
	assert.Equal(t, int64(3000), persons.First[0].Row)
	require.NoError(t, convert(many[:3000]))

	// Civil registration numbers, as text and as numbers that lost a zero. Others of ten digits are not.
	for _, ids := range [][]string{{"0101701234", "3112991234"}, {"010170-1234", "311299-1234"}, {"101701234", "3112991234"}} {
		text := []string{"pnr"}
		if ids[0][0] != '0' {
			text = nil
		}
		err := convert(panel{"pnr y_0901 grad_2009_01", ids[0] + " 730 1", ids[1] + " 730 1"}, text...)
		require.ErrorAs(t, err, &persons)
		assert.Equal(t, int64(2), persons.CPR)
		assert.NotContains(t, err.Error(), ids[1])
	}
	require.NoError(t, convert(panel{"pnr y_0901 grad_2009_01", "4501701234 730 1", "3113991234 730 1", "3112991234 730 1"}))

	// Many codes may be anything: none is repeated.
	codes := panel{"pnr y_0901 grad_2009_01"}
	for i := range 20_000 {
		codes = append(codes, fmt.Sprintf("%d %d 1", i, 100_000+i))
	}
	err = convert(codes)
	require.ErrorAs(t, err, &unmapped)
	assert.LessOrEqual(t, len(unmapped.Codes), 16_384)
	assert.Less(t, len(err.Error()), 200)
	var weeks int64
	for _, c := range unmapped.Codes {
		weeks += c.Weeks
	}
	assert.Equal(t, int64(20_000), weeks, "every week is told")
}

// Persons who are there twice are found among any number, however far apart.
func TestTwiceAmongMany(t *testing.T) {
	const n = 600_000 // more than are held at a time
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i) * 7919 % (n + 7) // a step that shares no factor with n + 7
	}
	ids[n-1], ids[n/2] = ids[0], ids[5]
	table := &ingest.Table{Name: "panel", Columns: []ingest.Column{{Name: "pnr", Ints: ids}, {Name: "y_0901", Ints: make([]int64, n)}, {Name: "branche_2009_01", Ints: make([]int64, n)}}}
	path := write(t, filepath.Join(t.TempDir(), "panel.parquet"), table)
	_, _, err := spells(t, path, dream.DefaultMap(), dream.DefaultOptions())
	var persons *dream.PersonsError
	require.ErrorAs(t, err, &persons)
	assert.Equal(t, &dream.PersonsError{Rows: n, Twice: 2, First: []dream.Place{{File: path, Row: n/2 + 1}, {File: path, Row: n}}}, persons)
}

// Damaged files are errors, or other values where the damage cannot be seen; never a
// panic. Files that are cut short are errors.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.parquet")
	p := panel{"pnr y_0901 y_0902 branche_2009_01 grad_2009_01"}
	for i := range 300 {
		p = append(p, fmt.Sprintf("%d %d - 10 %g", i, []int{111, 730, 890}[i%3], float64(i%7)/7))
	}
	good, err := os.ReadFile(write(t, path, p.table(t)))
	require.NoError(t, err)
	convert := func(b []byte) error {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		panel, err := ingest.OpenPanel(path, ingest.DefaultLimits())
		if err != nil {
			return err
		}
		_, err = dream.Convert(context.Background(), panel, dream.DefaultMap(), dream.DefaultOptions(), func(*dream.Block) error { return nil })
		return err
	}
	require.NoError(t, convert(good))
	tried, failed := 0, 0
	for i := 0; i < len(good); i += 5 {
		tried++
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if convert(bad) != nil {
			failed++
		}
		if i%37 == 0 {
			require.Error(t, convert(good[:i]))
		}
	}
	assert.Greater(t, failed, tried/4)
	panel := open(t, write(t, path, p.table(t)))
	write(t, path, p[:200].table(t))
	_, err = dream.Convert(context.Background(), panel, dream.DefaultMap(), dream.DefaultOptions(), func(*dream.Block) error { return nil })
	require.ErrorIs(t, err, ingest.ErrChanged)
}

func TestStops(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "panel.parquet"), panel{"pnr y_0901 grad_2009_01", "1 730 1", "2 730 1", "3 730 1"}.table(t))
	opt := dream.DefaultOptions()
	opt.ReadPersons = 1
	stop := errors.New("stop")
	calls := 0
	_, err := dream.Convert(context.Background(), open(t, path), dream.DefaultMap(), opt, func(*dream.Block) error {
		calls++
		return stop
	})
	require.ErrorIs(t, err, stop)
	assert.Equal(t, 1, calls)
	ctx, cancel := context.WithCancel(context.Background())
	_, err = dream.Convert(ctx, open(t, path), dream.DefaultMap(), opt, func(*dream.Block) error {
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	_, err = dream.Convert(context.Background(), open(t, path), &dream.Map{}, opt, nil)
	require.ErrorIs(t, err, dream.ErrMap)
	_, err = dream.Convert(context.Background(), open(t, path), dream.DefaultMap(), dream.Options{}, nil)
	require.Error(t, err)
	_, err = ingest.OpenPanel(filepath.Join(t.TempDir(), "none"), ingest.DefaultLimits())
	require.ErrorIs(t, err, os.ErrNotExist)
}
