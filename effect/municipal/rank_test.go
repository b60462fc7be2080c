package municipal_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

const kept = "../../testdata/reference/"

// ministry is the ministry's table: testdata/reference/README.md.
func ministry(t *testing.T) (rows []map[string]string) {
	t.Helper()
	f, err := os.Open(kept + "benchmark_y30r21_2022qmat02_total.csv")
	require.NoError(t, err)
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, r := range records[1:] {
		row := map[string]string{}
		for k, name := range records[0] {
			row[name] = r[k]
		}
		rows = append(rows, row)
	}
	require.Len(t, rows, 98)
	return rows
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// TestExpectIsR compares with R's lm and predict, each municipality left out:
// testdata/reference/municipal.R.
func TestExpectIsR(t *testing.T) {
	type row struct {
		Municipality                   string
		Share, SE, Low, High, Leverage float64
		DF                             int
	}
	var want struct{ Plain, Weighted []row }
	b, err := os.ReadFile(kept + "municipal.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	var all []municipal.Municipality
	for _, r := range ministry(t) {
		all = append(all, municipal.Municipality{
			Name: r["municipality"], Observed: number(t, r["observed_pct"]), Weight: number(t, r["expected_n"]),
			Conditions: []float64{number(t, r["expected_pct"]), number(t, r["expected_n"])},
		})
	}
	for _, test := range []struct {
		o    municipal.ExpectOptions
		want []row
	}{
		{municipal.DefaultExpect(), want.Plain},
		{municipal.ExpectOptions{Weighted: true, Confidence: 0.9}, want.Weighted},
	} {
		got, err := municipal.Expect(all, []string{"expected_pct", "expected_n"}, test.o)
		require.NoError(t, err)
		require.Len(t, test.want, len(got))
		for i, w := range test.want {
			require.Equal(t, w.Municipality, all[i].Name)
			assert.InEpsilon(t, w.Share, got[i].Share, 1e-10, w.Municipality)
			assert.InEpsilon(t, w.SE, got[i].SE, 1e-10, w.Municipality)
			assert.InEpsilon(t, w.Low, got[i].Low, 1e-10, w.Municipality)
			assert.InEpsilon(t, w.High, got[i].High, 1e-10, w.Municipality)
			assert.InEpsilon(t, w.Leverage, got[i].Leverage, 1e-9, w.Municipality)
			assert.Equal(t, w.DF, got[i].DF)
		}
	}
}

// figuresOf are shares that are given, without uncertainty.
func figuresOf(shares ...float64) []municipal.Figure {
	var out []municipal.Figure
	for i := 0; i < len(shares); i += 2 {
		out = append(out, municipal.Figure{Municipality: fmt.Sprintf("m%02d", i/2), Observed: shares[i], Expected: shares[i+1], N: math.NaN(), SE: math.NaN(), DF: math.Inf(1)})
	}
	return out
}

// TestRankOfTheMinistry: places by difference in points, ascending. Ties are in
// the order of the table here; the Danish order is the root package's.
func TestRankOfTheMinistry(t *testing.T) {
	rows := ministry(t)
	place := map[string]int{}
	var figures []municipal.Figure
	for i, r := range rows {
		place[r["municipality"]] = i
		f := figuresOf(number(t, r["observed_pct"]), number(t, r["expected_pct"]))[0]
		f.Municipality = r["municipality"]
		figures = append(figures, f)
	}
	slices.Reverse(figures)
	o := municipal.DefaultRank(profile.Low)
	o.Compare = func(a, b string) int { return cmp.Compare(place[a], place[b]) }
	got, err := municipal.Rank(figures, o)
	require.NoError(t, err)
	for i, r := range rows {
		assert.Equal(t, r["municipality"], got[i].Municipality)
		assert.Equal(t, r["rank"], strconv.FormatInt(got[i].Rank, 10))
		assert.Equal(t, number(t, r["difference_pp"]), got[i].Difference, "to the last bit")
		assert.True(t, math.IsNaN(got[i].Low) && math.IsNaN(got[i].SE) && math.IsNaN(got[i].RankLow) && math.IsNaN(got[i].RankExpected))
	}
}

func TestDifferenceIsThatOfTheDecimals(t *testing.T) {
	assert.Equal(t, -1.1, municipal.Difference(6.3, 7.4)) // 6.3 - 7.4 is -1.1000000000000005
	assert.Equal(t, 0.1, municipal.Difference(0.3, 0.2))
	assert.Equal(t, -2e-9, municipal.Difference(1e-9, 3e-9))
	assert.Equal(t, 1e20, municipal.Difference(1e20, 0.5), "the nearest number")
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.True(t, math.IsNaN(municipal.Difference(bad, 1)))
		assert.True(t, math.IsNaN(municipal.Difference(1, bad)))
	}
	rapid.Check(t, func(t *rapid.T) {
		// Whole numbers of hundredths: their difference is exact in whole numbers.
		a, b := rapid.Int64Range(-1e9, 1e9).Draw(t, "a"), rapid.Int64Range(-1e9, 1e9).Draw(t, "b")
		want, _ := big.NewRat(a-b, 100).Float64()
		x, _ := strconv.ParseFloat(fmt.Sprintf("%de-2", a), 64)
		y, _ := strconv.ParseFloat(fmt.Sprintf("%de-2", b), 64)
		if got := municipal.Difference(x, y); got != want {
			t.Fatalf("%v - %v: %v, not %v", x, y, got, want)
		}
	})
}

// TestRankTies: differences that tie as decimals tie, whatever the floats do;
// the places are distinct, in the order asked for, and the same for any order of
// the rows.
func TestRankTies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 25).Draw(t, "n")
		low := rapid.Bool().Draw(t, "low")
		known := rapid.Bool().Draw(t, "known")
		var figures []municipal.Figure
		cents := map[string]int64{}
		for i := range n {
			expected := rapid.Int64Range(100, 2000).Draw(t, "expected")
			difference := rapid.Int64Range(-3, 3).Draw(t, "difference")
			f := municipal.Figure{
				Municipality: fmt.Sprintf("%c%02d", "zy"[i%2], i), N: math.NaN(), SE: math.NaN(), DF: math.Inf(1),
				Expected: float64(expected) / 100, Observed: float64(expected+difference) / 100,
			}
			if known {
				f.SE = float64(rapid.IntRange(0, 3).Draw(t, "se")) / 100
			}
			cents[f.Municipality] = difference
			figures = append(figures, f)
		}
		o := municipal.DefaultRank(profile.High)
		sign := int64(-1)
		if low {
			o.Better, sign = profile.Low, 1
		}
		// Backwards by number, so that it is not the order of the bytes.
		o.Compare = func(a, b string) int { return strings.Compare(b[1:], a[1:]) }
		want := slices.Clone(figures)
		slices.SortFunc(want, func(a, b municipal.Figure) int {
			return cmp.Or(cmp.Compare(sign*cents[a.Municipality], sign*cents[b.Municipality]), o.Compare(a.Municipality, b.Municipality))
		})
		got, err := municipal.Rank(rapid.Permutation(figures).Draw(t, "order"), o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := municipal.Rank(figures, o)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(again) {
			t.Fatalf("another order of the rows: %v, not %v (%v)", again, got, err)
		}
		for i, r := range got {
			if r.Municipality != want[i].Municipality || r.Rank != int64(i+1) {
				t.Fatalf("place %d: %s at %d, not %s", i+1, r.Municipality, r.Rank, want[i].Municipality)
			}
			if known && !(r.RankLow <= float64(r.Rank) && float64(r.Rank) <= r.RankHigh && r.RankLow >= 1 && r.RankHigh <= float64(n)) {
				t.Fatalf("the rank %d lies outside its interval, %g to %g", r.Rank, r.RankLow, r.RankHigh)
			}
		}
	})
}

// TestRankIntervals: limits from Student's t, rank intervals from the pairwise
// tests of profile.Ranks, which are tested there.
func TestRankIntervals(t *testing.T) {
	figures := figuresOf(1, 9, 5, 5.05, 5, 5, 9, 1)
	for i, se := range []float64{0.5, 0.4, 0, 0.3} {
		figures[i].SE, figures[i].DF = se, []float64{3, 30, math.Inf(1), 1e9}[i]
	}
	got, err := municipal.Rank(figures, municipal.DefaultRank(profile.Low))
	require.NoError(t, err)
	// m00 is shown to be first and m03 last; the two between are not told apart.
	for i, want := range [][2]float64{{1, 1}, {2, 3}, {2, 3}, {4, 4}} {
		assert.Equal(t, want, [2]float64{got[i].RankLow, got[i].RankHigh}, got[i].Municipality)
	}
	assert.InDelta(t, -8-interval.StudentT(3, 0.95)*0.5, got[0].Low, 1e-8)
	assert.InDelta(t, -8+interval.StudentT(3, 0.95)*0.5, got[0].High, 1e-8)
	assert.Equal(t, 3.0, got[0].DF)
	assert.Equal(t, [2]float64{0, 0}, [2]float64{got[2].Low, got[2].High}, "known exactly")
	assert.True(t, math.IsNaN(got[2].DF), "known: no end of degrees of freedom")
	var drawn []profile.OnTarget
	for _, f := range figures {
		drawn = append(drawn, profile.OnTarget{Mean: municipal.Difference(f.Observed, f.Expected), SE: f.SE * interval.StudentT(f.DF, 0.95) / interval.Normal(0.95)})
	}
	ranks, err := profile.Ranks(drawn, profile.RankOptions{Better: profile.Low, Confidence: 0.95})
	require.NoError(t, err)
	for i, r := range ranks { // the figures stand in the order of their ranks
		assert.Equal(t, effect.Round(r.Expected), got[i].RankExpected)
	}
}

// TestRankOfExpected: a municipality that its conditions do not explain is told
// from most others, and the printed figures subtract exactly.
func TestRankOfExpected(t *testing.T) {
	all, conditions := made(41)
	all[10].Observed += 25
	expected, err := municipal.Expect(all, conditions, municipal.DefaultExpect())
	require.NoError(t, err)
	figures := municipal.Figures(all, expected)
	got, err := municipal.Rank(figures, municipal.DefaultRank(profile.Low))
	require.NoError(t, err)
	last := got[40]
	assert.Equal(t, all[10].Name, last.Municipality)
	assert.Equal(t, 41.0, last.RankHigh)
	assert.Greater(t, last.RankLow, 35.0)
	for _, r := range got {
		assert.Equal(t, municipal.Difference(r.Observed, r.Expected), r.Difference)
		assert.Equal(t, effect.Round(r.Expected), r.Expected)
		assert.Equal(t, 36.0, r.DF)
	}
}

func TestRankRefuses(t *testing.T) {
	plain := municipal.DefaultRank(profile.Low)
	for name, test := range map[string]struct {
		code, names string
		figures     []municipal.Figure
		o           municipal.RankOptions
	}{
		"no direction":  {municipal.RefusalDirection, "", figuresOf(1, 2), municipal.RankOptions{Confidence: 0.95}},
		"no confidence": {effect.RefusalNotFinite, "", figuresOf(1, 2), municipal.RankOptions{Better: profile.Low}},
		"nobody":        {effect.RefusalNoCases, "", nil, plain},
		"missing":       {municipal.RefusalMissing, "the observed share of m00, m02; for the expected share of m01", figuresOf(math.NaN(), 1, 2, math.Inf(1), math.Inf(-1), 3, 4, 4), plain},
		"twice":         {municipal.RefusalTwice, "m00 is there more than once", append(figuresOf(1, 2), figuresOf(1, 2, 3, 4)...), plain},
		"nameless":      {municipal.RefusalTwice, "no name", []municipal.Figure{{Observed: 1, SE: math.NaN()}}, plain},
		"some errors":   {municipal.RefusalMissing, "the standard error of m01", []municipal.Figure{{Municipality: "m00", SE: 1, DF: 2}, {Municipality: "m01", SE: math.NaN(), DF: 2}}, plain},
		"negative":      {municipal.RefusalMissing, "the standard error of m00", []municipal.Figure{{Municipality: "m00", SE: -1, DF: 2}}, plain},
		"beyond":        {effect.RefusalNotFinite, "too far apart for a number: m00", figuresOf(1.7e308, -1.7e308, 2, 1), plain},
		"no df":         {municipal.RefusalMissing, "the standard error of m00", []municipal.Figure{{Municipality: "m00", SE: 1}}, plain},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := municipal.Rank(test.figures, test.o)
			require.Error(t, err)
			assert.Nil(t, got)
			refusal, ok := effect.AsRefusal(err)
			require.True(t, ok)
			assert.Equal(t, test.code, refusal.Code)
			assert.ErrorContains(t, err, test.names)
		})
	}
}

func TestBinomial(t *testing.T) {
	assert.InEpsilon(t, math.Sqrt(0.3*0.7/50), municipal.Binomial(0.3, 50, 1), 1e-15)
	assert.InEpsilon(t, 100*math.Sqrt(0.3*0.7/50), municipal.Binomial(30, 50, 100), 1e-14)
	assert.InEpsilon(t, math.Sqrt(0.01*0.99/50), municipal.Binomial(0, 50, 1), 1e-14, "half a case of 50")
	assert.InEpsilon(t, math.Sqrt(0.01*0.99/50), municipal.Binomial(1, 50, 1), 1e-14)
	for _, bad := range [][3]float64{{0.3, 0, 1}, {0.3, -1, 1}, {-0.1, 5, 1}, {1.1, 5, 1}, {101, 5, 100}, {math.NaN(), 5, 1}, {0.3, math.NaN(), 1}, {0.3, math.Inf(1), 1}} {
		assert.True(t, math.IsNaN(municipal.Binomial(bad[0], bad[1], bad[2])), bad)
	}
}
