package jobeffekt_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
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
	"github.com/jobeffekt/jobeffekt/ingest"
)

// year2008 is a cohort of one calendar year.
func year2008() effect.Period {
	p, err := effect.ParsePeriod("2008")
	if err != nil {
		panic(err)
	}
	return p
}

// spentOn is a participation for the tests of spending.
type spentOn struct {
	municipality, channel string
	day                   effect.Date
	reason                effect.Reason
	reached               bool
}

func people(rows ...spentOn) *effect.Observations {
	var municipality, channel []string
	c, r := &effect.Cases{}, effect.Result{Outcome: "work", Unit: effect.UnitShare}
	for i, x := range rows {
		municipality, channel = append(municipality, x.municipality), append(channel, x.channel)
		c.ID.Append(effect.NumberID(int64(i)))
		c.Referral = append(c.Referral, x.day)
		value := 0.0
		if x.reached {
			value = 1
		}
		r.Reason, r.Complete, r.Value = append(r.Reason, x.reason), append(r.Complete, x.reason == effect.NoReason), append(r.Value, value)
	}
	c.Municipality, c.Channel = effect.NewFactor(municipality), effect.NewFactor(channel)
	return &effect.Observations{Cases: c, Results: []effect.Result{r}}
}

// some makes n alike participations of which k reached the outcome.
func some(n, k int, x spentOn) (out []spentOn) {
	for i := range n {
		x.reached = i < k
		out = append(out, x)
	}
	return out
}

// told is a row of the table comparison for a channel of H, or with "total" for all.
func told(channel string, n int64, difference, low, high float64) effect.ComparisonRow {
	r := effect.ComparisonRow{
		View: effect.ViewChannel, Of: channel, Outcome: "work", Municipality: "H", MatchScheme: "a", MatchGroup: effect.All, Method: "m", Part: effect.Total,
		Figures: effect.Figures{N: n, NCompared: n, Difference: difference, Low: low, High: high, Confidence: 0.95, Verdict: effect.NoDifference},
	}
	if channel == "total" {
		r.View, r.Of = effect.ViewTotal, effect.All
	}
	return r
}

func spending(t *testing.T, obs *effect.Observations, compared []effect.ComparisonRow, expenses ...ingest.Expense) []jobeffekt.SpendingRow {
	t.Helper()
	rows, err := jobeffekt.SpendingRows(expenses, obs, compared, "work", "m", year2008())
	require.NoError(t, err)
	return rows
}

func expense(channel, amount string) ingest.Expense {
	return ingest.Expense{Municipality: "H", Year: 2008, Channel: channel, Amount: amount}
}

// What two cities said they spent, in testdata/spend.
func TestSpendingOfTwoCities(t *testing.T) {
	f, err := os.Open("testdata/spend/cities.csv")
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var expenses []ingest.Expense
	for _, l := range lines[1:] {
		year, err := strconv.ParseInt(l[1], 10, 64)
		require.NoError(t, err)
		expenses = append(expenses, ingest.Expense{Municipality: l[0], Year: year, Channel: l[2], Amount: l[3]})
	}
	var got []string
	for _, r := range spending(t, people(), nil, expenses...) {
		got = append(got, fmt.Sprintf("%s %d %s %s %.6f %s %s", r.Municipality, r.Year, r.Channel, r.Amount, r.Share, r.Note, r.NoParticipation))
	}
	assert.Equal(t, []string{
		"461 2008 provider 23000000 NaN  no_participations",
		"461 2008 own 55000000 NaN  no_participations",
		"461 2008 sum_of_parts 78000000 NaN no_total no_total",
		"751 2007 provider 118000000 0.432234  period_not_the_year",
		"751 2007 own 104000000 0.380952  period_not_the_year",
		"751 2007 total 273000000 1.000000  period_not_the_year",
		"751 2007 not_attributed 51000000 0.186813  not_attributed",
	}, got)
}

func TestSpendingRatios(t *testing.T) {
	in := effect.NewDate(2008, 3, 1)
	at := func(channel string, day effect.Date, reason effect.Reason) spentOn {
		return spentOn{municipality: "H", channel: channel, day: day, reason: reason}
	}
	rows := slices.Concat(
		some(300, 120, at("provider", in, 0)), some(10, 0, at("provider", in, effect.ReasonNotFirst)), some(7, 0, at("provider", in, effect.ReasonLeft)),
		some(100, 30, at("own", in, 0)), some(5, 5, at("another", in, 0)),
		some(40, 40, at("provider", effect.NewDate(2009, 1, 1), effect.ReasonOutsidePeriod)), some(40, 40, spentOn{municipality: "P", channel: "provider", day: in}),
	)
	compared := []effect.ComparisonRow{
		told("provider", 300, 0.05, 0.01, 0.09), told("own", 100, -0.02, -0.1, 0.06), told("total", 405, 0.03, 0.002, 0.058),
	}
	// Others that are not meant: another part, method, municipality, group, outcome, period.
	for _, change := range []func(*effect.ComparisonRow){
		func(r *effect.ComparisonRow) { r.Part = effect.Provider },
		func(r *effect.ComparisonRow) { r.Method = "n" },
		func(r *effect.ComparisonRow) { r.Municipality = "P" },
		func(r *effect.ComparisonRow) { r.MatchGroup = "4" },
		func(r *effect.ComparisonRow) { r.Outcome = "days" },
		func(r *effect.ComparisonRow) { r.Period = "2008" },
		func(r *effect.ComparisonRow) { r.Package = "X" },
		func(r *effect.ComparisonRow) { r.MatchScheme, r.N = "b", 0 },
	} {
		r := told("provider", 99, 0.5, 0.4, 0.6)
		change(&r)
		compared = append(compared, r)
	}
	expenses := []ingest.Expense{expense("own", "9007199254740993.01"), expense("provider", "3000000.005"), expense("other", "0.1"), expense("total", "9007199260000000")}
	got := map[string]jobeffekt.SpendingRow{}
	list := spending(t, people(rows...), compared, expenses...)
	var order []string
	for _, r := range list {
		got[r.Channel] = r
		order = append(order, r.Channel)
	}
	require.Equal(t, []string{"provider", "own", "other", "total", "not_attributed"}, order)

	p := got["provider"]
	assert.Equal(t, []float64{317, 307, 300, 120}, []float64{p.Participations, p.Cases, p.Complete, p.Reached})
	assert.InEpsilon(t, 3000000.005/317, p.PerParticipation, 5e-9)
	assert.InEpsilon(t, 3000000.005/120, p.PerReached, 5e-9)
	assert.Equal(t, 200000.0, p.PerExtra, "3,000,000.005/(300 x 0.05) to nine digits")
	assert.InEpsilon(t, 3000000.005/(300*0.09), p.PerExtraLow, 5e-9)
	assert.InEpsilon(t, 3000000.005/(300*0.01), p.PerExtraHigh, 5e-9)
	assert.Equal(t, []string{"", "", ""}, []string{p.NoParticipation, p.NoReached, p.NoExtra})
	assert.Equal(t, "a", p.MatchScheme)

	own := got["own"]
	assert.Equal(t, "9007199254740993.01", own.Amount, "an amount that no float holds")
	assert.Equal(t, jobeffekt.NoCostIntervalZero, own.NoExtra)
	assert.True(t, math.IsNaN(own.PerExtra) && math.IsNaN(own.PerExtraLow) && math.IsNaN(own.PerExtraHigh))
	assert.InEpsilon(t, 9007199254740993.01/30, own.PerReached, 5e-9)

	total := got["total"]
	assert.Equal(t, []float64{422, 412, 405, 155}, []float64{total.Participations, total.Cases, total.Complete, total.Reached}, "those of a channel without money too")
	assert.InEpsilon(t, 9007199260000000/(405*0.03), total.PerExtra, 5e-9)
	assert.Equal(t, 1.0, total.Share)
	assert.Equal(t, "0.1", got["other"].Amount)
	assert.Equal(t, jobeffekt.NoCostNoCitizens, got["other"].NoExtra)
	assert.Equal(t, "2259006.885", got["not_attributed"].Amount, "9007199260000000 - 9007199254740993.01 - 3000000.005 - 0.1")

	// Lines and rows of the comparison in any order.
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		e, c := slices.Clone(expenses), slices.Clone(compared)
		rng.Shuffle(len(e), func(i, j int) { e[i], e[j] = e[j], e[i] })
		rng.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		assert.Equal(t, fmt.Sprint(list), fmt.Sprint(spending(t, people(rows...), c, e...)))
	}
}

func TestSpendingReasons(t *testing.T) {
	in := effect.NewDate(2008, 12, 31)
	good := some(50, 20, spentOn{municipality: "H", channel: "provider", day: in})
	figures := told("provider", 50, 0.1, 0.02, 0.2)
	refused := told("provider", 50, math.NaN(), math.NaN(), math.NaN())
	refused.Refusal, refused.Verdict = effect.RefusalFewPeers, effect.NotRated
	second := figures
	second.MatchScheme = "b"
	for _, c := range []struct {
		why      string
		rows     []spentOn
		compared []effect.ComparisonRow
		expense  ingest.Expense
		want     [3]string // for a participation, for one in work, for an extra one
	}{
		{"all told", good, []effect.ComparisonRow{figures}, expense("provider", "100"), [3]string{}},
		{"nothing was spent", good, []effect.ComparisonRow{figures}, expense("provider", "0"), [3]string{}},
		{"nobody referred", nil, nil, expense("provider", "100"), [3]string{"no_participations", "no_participations", "no_participations"}},
		{"another year", good, []effect.ComparisonRow{figures}, ingest.Expense{Municipality: "H", Year: 2009, Channel: "provider", Amount: "1"}, [3]string{"period_not_the_year", "period_not_the_year", "period_not_the_year"}},
		{"no year at all", good, []effect.ComparisonRow{figures}, ingest.Expense{Municipality: "H", Year: -5, Channel: "provider", Amount: "1"}, [3]string{"period_not_the_year", "period_not_the_year", "period_not_the_year"}},
		{"money for nobody named", good, []effect.ComparisonRow{figures}, expense("other", "1"), [3]string{"channel_other", "channel_other", "channel_other"}},
		{"whose money is the in-house bid's", append(some(1, 1, spentOn{municipality: "H", channel: "in_house_bid", day: in}), good...), []effect.ComparisonRow{figures}, expense("provider", "1"), [3]string{"in_house_bid_unplaced", "in_house_bid_unplaced", "in_house_bid_unplaced"}},
		{"an in-house bid of another year", append(some(1, 1, spentOn{municipality: "H", channel: "in_house_bid", day: in + 1}), good...), []effect.ComparisonRow{figures}, expense("provider", "1"), [3]string{}},
		{"an in-house bid, all money", append(some(1, 1, spentOn{municipality: "H", channel: "in_house_bid", day: in}), good...), []effect.ComparisonRow{told("total", 51, 0.1, 0.02, 0.2)}, expense("total", "1"), [3]string{}},
		{"negative", good, []effect.ComparisonRow{figures}, expense("provider", "-0.01"), [3]string{"amount_negative", "amount_negative", "amount_negative"}},
		{"a window open", append(some(1, 0, spentOn{municipality: "H", channel: "provider", day: in, reason: effect.ReasonPending}), good...), []effect.ComparisonRow{figures}, expense("provider", "100"), [3]string{"", "windows_open", "windows_open"}},
		{"nobody in work", some(50, 0, spentOn{municipality: "H", channel: "provider", day: in}), []effect.ComparisonRow{told("provider", 50, -0.3, -0.4, -0.2)}, expense("provider", "100"), [3]string{"", "nobody_in_work", "fewer_in_work"}},
		{"fewer", good, []effect.ComparisonRow{told("provider", 50, -0.3, -0.4, -0.2)}, expense("provider", "100"), [3]string{"", "", "fewer_in_work"}},
		{"perhaps none", good, []effect.ComparisonRow{told("provider", 50, 0.1, -0.01, 0.2)}, expense("provider", "100"), [3]string{"", "", "interval_holds_zero"}},
		{"from none", good, []effect.ComparisonRow{told("provider", 50, 0.1, 0, 0.2)}, expense("provider", "100"), [3]string{"", "", "interval_holds_zero"}},
		{"to none", good, []effect.ComparisonRow{told("provider", 50, -0.1, -0.2, 0)}, expense("provider", "100"), [3]string{"", "", "interval_holds_zero"}},
		{"refused", good, []effect.ComparisonRow{refused}, expense("provider", "100"), [3]string{"", "", "not_rated"}},
		{"not compared", good, nil, expense("provider", "100"), [3]string{"", "", "no_comparison"}},
		{"two schemes", good, []effect.ComparisonRow{figures, second}, expense("provider", "100"), [3]string{"", "", "several_schemes"}},
	} {
		rows := spending(t, people(c.rows...), c.compared, c.expense)
		require.NotEmpty(t, rows, c.why)
		r := rows[0]
		assert.Equal(t, c.want, [3]string{r.NoParticipation, r.NoReached, r.NoExtra}, c.why)
		for k, x := range []float64{r.PerParticipation, r.PerReached, r.PerExtra} {
			assert.Equal(t, c.want[k] != "", math.IsNaN(x), "%s: a figure, or why there is none", c.why)
		}
		assert.Equal(t, math.IsNaN(r.PerExtra), math.IsNaN(r.PerExtraLow) && math.IsNaN(r.PerExtraHigh), c.why)
	}

	// In a cohort of two years each has the comparison and the citizens of its own.
	both := effect.Period{Start: effect.NewDate(2008, 1, 1), End: effect.NewDate(2010, 1, 1)}
	later := told("provider", 10, 0.2, 0.1, 0.3)
	later.Period = "2009"
	whole := figures
	figures.Period = "2008"
	rows, err := jobeffekt.SpendingRows(
		[]ingest.Expense{expense("provider", "100"), {Municipality: "H", Year: 2009, Channel: "provider", Amount: "100"}, {Municipality: "H", Year: 2010, Channel: "provider", Amount: "100"}},
		people(append(some(10, 10, spentOn{municipality: "H", channel: "provider", day: effect.NewDate(2009, 1, 1)}), good...)...), []effect.ComparisonRow{whole, figures, later}, "work", "m", both)
	require.NoError(t, err)
	require.Len(t, rows, 6)
	assert.Equal(t, []float64{100 / (50 * 0.1), 100 / (10 * 0.2)}, []float64{rows[0].PerExtra, rows[2].PerExtra})
	assert.Equal(t, "period_not_the_year", rows[4].NoExtra)

	above := spending(t, people(), nil, expense("provider", "2.5"), expense("own", "1.75"), expense("total", "4"))
	last := above[len(above)-1]
	assert.Equal(t, []string{"not_attributed", "-0.25", "parts_above_total"}, []string{last.Channel, last.Amount, last.Note})
	assert.Equal(t, -0.0625, last.Share)
	alone := spending(t, people(), nil, expense("total", "0"))
	require.Len(t, alone, 1, "without parts nothing is left over")
	assert.True(t, math.IsNaN(alone[0].Share))
	assert.Empty(t, spending(t, people(), nil))

	_, err = jobeffekt.SpendingRows(nil, people(), nil, "other", "m", year2008())
	require.ErrorIs(t, err, effect.ErrDesign)
	for _, amount := range []string{"", "1/3", "1e9", "x", "0x1", "1_0"} {
		_, err := jobeffekt.SpendingRows([]ingest.Expense{expense("own", amount)}, people(), nil, "work", "m", year2008())
		require.ErrorIs(t, err, effect.ErrDesign, amount)
	}
}

// Sums of money are exact whatever the digits: every amount of every column, as
// whole numbers of the smallest part.
func TestSpendingAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	const scale = 1_000_000
	text := func(n int64) string {
		return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%06d", n/scale, n%scale), "0"), ".")
	}
	for range 200 {
		own, provider, total := rng.Int64N(1e17), rng.Int64N(1e17), rng.Int64N(3e17)
		rows := spending(t, people(), nil, expense("own", text(own)), expense("provider", text(provider)), expense("total", text(total)))
		rest, sum := new(big.Rat), new(big.Rat)
		for _, r := range rows {
			x, ok := new(big.Rat).SetString(r.Amount)
			require.True(t, ok)
			if r.Channel == "total" {
				rest.Add(rest, x)
			} else {
				sum.Add(sum, x)
			}
		}
		require.Zero(t, rest.Cmp(sum), "the parts and what is left make the total")
		left, ok := new(big.Rat).SetString(rows[3].Amount)
		require.True(t, ok)
		require.Zero(t, left.Cmp(big.NewRat(total-own-provider, scale)))
		require.Equal(t, total < own+provider, rows[3].Note == jobeffekt.NotePartsAboveTotal)
	}
}

// withSpend copies a dataset and adds the table spend.
func withSpend(t *testing.T, data string, expenses ...ingest.Expense) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(data)))
	var municipality, channel []string
	var year []int64
	var amount []float64
	for _, e := range expenses {
		x, err := strconv.ParseFloat(e.Amount, 64)
		require.NoError(t, err)
		municipality, channel, year, amount = append(municipality, e.Municipality), append(channel, e.Channel), append(year, e.Year), append(amount, x)
	}
	f, err := os.Create(filepath.Join(folder, "spend.parquet"))
	require.NoError(t, err)
	require.NoError(t, (&ingest.Table{Name: "spend", Columns: []ingest.Column{
		{Name: "municipality", Texts: municipality}, {Name: "year", Ints: year}, {Name: "channel", Texts: channel}, {Name: "amount_dkk", Floats: amount},
	}}).WriteParquet(f))
	require.NoError(t, f.Close())
	return folder
}

const spendKeys = "views: {of: [total, channel]}\nspending: {outcome: employed_26w, in_house_bid: own}\npeers:"

// From files: money, participations and effects meet, the steps read them back, and
// a blinded run tells nothing of it.
func TestSpendingInARun(t *testing.T) {
	// At a low confidence some effects are told apart from nothing.
	c := edge(t, "peers:", spendKeys, "  by_package: true ", "  confidence: 0.5\n  by_package: false ")
	of := func(m, channel, amount string) ingest.Expense {
		return ingest.Expense{Municipality: m, Year: 2008, Channel: channel, Amount: amount}
	}
	c.Data = withSpend(t, c.Data,
		of("751", "provider", "118000000"), of("751", "own", "104000000"), of("751", "total", "273000000"),
		of("461", "own", "55000000"), of("461", "provider", "23000000.5"),
		of("615", "provider", "8000000"), of("615", "total", "8000000"))
	require.NoError(t, jobeffekt.Check(context.Background(), c))
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	require.Len(t, r.Spending, 10)
	result, ok := r.Observations.Result("employed_26w")
	require.True(t, ok)
	withFigure, bids := 0, 0
	for _, row := range r.Spending {
		if row.Channel == jobeffekt.ChannelNotAttributed || row.Channel == jobeffekt.ChannelSumOfParts {
			continue
		}
		// The counts by hand, and the same n as the comparison has.
		n := map[string]float64{}
		cases := r.Observations.Cases
		for i := range cases.Len() {
			if cases.Municipality.At(i) != row.Municipality || cases.Referral[i] < year2008().Start || cases.Referral[i] >= year2008().End ||
				row.Channel != "total" && cases.Channel.At(i) != row.Channel && (row.Channel != "own" || cases.Channel.At(i) != "in_house_bid") {
				continue
			}
			n["all"]++
			if !result.Reason[i].OutsideCohort() {
				n["cohort"]++
			}
			if result.Complete[i] {
				n["complete"]++
				n["reached"] += result.Value[i]
			}
		}
		require.Positive(t, n["complete"])
		assert.Equal(t, []float64{n["all"], n["cohort"], n["complete"], n["reached"]}, []float64{row.Participations, row.Cases, row.Complete, row.Reached})
		if row.Municipality == "461" && row.Channel == "own" {
			bids++
			continue // the table comparison has the in-house bids apart
		}
		at := slices.IndexFunc(r.Comparison, func(x effect.ComparisonRow) bool {
			of := row.Channel
			if of == "total" {
				of = effect.All
			}
			return x.Of == of && x.Municipality == row.Municipality && x.Outcome == "employed_26w" && x.MatchGroup == effect.All && x.Part == effect.Total && x.Period == "" && x.Package == ""
		})
		require.GreaterOrEqual(t, at, 0)
		x := r.Comparison[at]
		assert.EqualValues(t, x.N, row.Complete)
		assert.Equal(t, x.Difference, row.Difference)
		amount, err := strconv.ParseFloat(row.Amount, 64)
		require.NoError(t, err)
		assert.InEpsilon(t, amount/n["reached"], row.PerReached, 1e-8)
		if row.NoExtra == "" {
			withFigure++
			assert.InEpsilon(t, amount/(n["complete"]*x.Difference), row.PerExtra, 1e-8)
			assert.Less(t, row.PerExtraLow, row.PerExtra)
			assert.Less(t, row.PerExtra, row.PerExtraHigh)
		} else {
			assert.Contains(t, []string{jobeffekt.NoCostIntervalZero, jobeffekt.NoCostFewer}, row.NoExtra)
		}
	}
	assert.Positive(t, withFigure)
	assert.Equal(t, 1, bids)
	summary := strings.Join(strings.Fields(r.Summary()), " ")
	assert.Contains(t, summary, "Aarhus (751) 2008 providers 118,000,000 ")
	assert.Contains(t, summary, "Aarhus (751) 2008 not attributed 51,000,000 - - - - - -")
	assert.Contains(t, summary, "Odense (461) 2008 sum of parts 78,000,000.5 - ")
	assert.Contains(t, summary, "need not add up to its total")
	require.True(t, slices.ContainsFunc(r.Comparison, func(row effect.ComparisonRow) bool {
		return row.MatchGroup == effect.All && row.Refusal == "" && row.NCompared < row.N
	}))
	assert.Contains(t, summary, "Some have nobody like them to be compared with.")
	assert.Contains(t, summary, "may be none")
	for _, code := range []string{jobeffekt.NoCostIntervalZero, jobeffekt.NoCostFewer, jobeffekt.NoCostNotAttributed, jobeffekt.NoteNoTotal} {
		assert.NotContains(t, summary, code, "codes are words there")
	}

	// As a part of a longer cohort the year has the same figures.
	longer := *c
	from, to := effect.NewDate(2008, 1, 1), effect.NewDate(2009, 7, 1)
	longer.Cohort = jobeffekt.Cohort{From: &from, To: &to}
	more, err := jobeffekt.Evaluate(context.Background(), open(t, &longer), &longer)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(r.Spending), fmt.Sprint(more.Spending))

	want := results(t, c)
	assert.Contains(t, want, "spending.parquet")
	for _, s := range []jobeffekt.Step{jobeffekt.StepMeasure, jobeffekt.StepEstimate, jobeffekt.StepBenchmark} {
		_, err := jobeffekt.RunStep(context.Background(), c, s)
		require.NoError(t, err)
	}
	assert.Equal(t, want, results(t, c))

	differences, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, differences)

	folder, blinded := blindedRun(t, c)
	assert.NoFileExists(t, filepath.Join(folder, "spending.parquet"))
	assert.Empty(t, blinded.Spending)
	assert.NotContains(t, blinded.Summary(), "What was spent")
	assert.NotContains(t, blinded.Summary(), "kr.")
}

func TestSpendingNeeds(t *testing.T) {
	c := edge(t, "peers:", spendKeys)
	require.NoError(t, c.Validate())
	c.Data = withSpend(t, c.Data, expense("own", "1"))
	require.NoError(t, os.Remove(filepath.Join(c.Data, "spend.parquet")))
	require.ErrorContains(t, jobeffekt.Check(context.Background(), c), "no table spend, which is needed for spending")
	_, err := jobeffekt.Run(context.Background(), c)
	require.ErrorIs(t, err, ingest.ErrNoTable)

	c.Spending.Outcome = "employed_26"
	require.ErrorContains(t, c.Validate(), `there is no outcome "employed_26"`)
	c.Spending.Outcome = "days_employed_52w"
	require.ErrorContains(t, c.Validate(), "does not say who is in work")
	c.Spending.Outcome = "employed_26w"
	require.NoError(t, c.Validate())
	_, err = jobeffekt.ParseConfig("a.yaml", []byte(strings.ReplaceAll(string(read(t, c.Path)), "in_house_bid: own", "in_house_bid: other")))
	require.ErrorContains(t, err, "in_house_bid")
}
