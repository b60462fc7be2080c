package profile

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// reference reads testdata/reference/profile.json, which profile.py made with
// SciPy 1.17.1.
func reference[T any](t *testing.T, name string) (out T) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/profile.json")
	require.NoError(t, err)
	all := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(b, &all))
	require.NoError(t, json.Unmarshal(all[name], &out))
	return out
}

func near(t *testing.T, want, got, rel float64, what ...any) {
	t.Helper()
	assert.InDelta(t, want, got, rel*math.Abs(want), what...)
}

func refused(t *testing.T, code string, err error) {
	t.Helper()
	var r *effect.Refusal
	require.ErrorAs(t, err, &r)
	assert.Equal(t, code, r.Code)
}

var nan = math.NaN()

func TestFunnelOnLogScale(t *testing.T) {
	o, e := []float64{100, 150, 180, 80, 120, 225}, []float64{108, 112, 165, 95, 100, 220}
	f, err := Ratios(o, e, nil, DefaultFunnel())
	require.NoError(t, err)
	// The published figures; NumPy gives the same digits and more.
	near(t, 2.948033, f.Phi, 1e-7)
	near(t, 0.019477530578, f.Tau2, 1e-10)
	near(t, 0.7173067511646, f.Points[0].AdjustedLimits.Low95, 1e-12)
	near(t, 1.3941037058085, f.Points[0].AdjustedLimits.High95, 1e-12)
	ref := reference[struct {
		Z    []float64
		Phi  float64
		Tau2 float64
	}](t, "funnel_log")
	near(t, ref.Phi, f.Phi, 1e-13)
	near(t, ref.Tau2, f.Tau2, 1e-12)
	for i, p := range f.Points {
		near(t, ref.Z[i], p.Z, 1e-12)
		near(t, e[i], p.Weight, 1e-12)
		assert.False(t, p.Half)
	}
	// log(150/112) sqrt(112) = 3.0917 is just beyond 99.8 %, whose z is 3.0902; with
	// over-dispersion it is inside.
	assert.Equal(t, []Position{Inside, Outside998, Inside, Inside, Inside, Inside}, positions(f, false))
	assert.Equal(t, []Position{Inside, Inside, Inside, Inside, Inside, Inside}, positions(f, true))
	assert.Zero(t, f.Pulled)

	// The curve goes through the limits of the points.
	low, high := f.Limits(1/math.Sqrt(108), math.Inf(1), 0.95, true)
	assert.Equal(t, []float64{f.Points[0].AdjustedLimits.Low95, f.Points[0].AdjustedLimits.High95}, []float64{low, high})
}

func positions(f Funnel, adjusted bool) (out []Position) {
	for _, p := range f.Points {
		if adjusted {
			out = append(out, p.AdjustedPosition)
		} else {
			out = append(out, p.Position)
		}
	}
	return out
}

func TestFunnelWinsorised(t *testing.T) {
	ref := reference[struct {
		X, N, Z           []float64
		Target, Phi, Tau2 float64
		Pulled            int
		Limits            []float64 `json:"limits998_40"`
	}](t, "funnel_arcsine")
	f, err := Shares(ref.X, ref.N, ref.Target, FunnelOptions{Winsorise: 0.1})
	require.NoError(t, err)
	near(t, ref.Phi, f.Phi, 1e-10)
	near(t, ref.Tau2, f.Tau2, 1e-9)
	assert.Equal(t, ref.Pulled, f.Pulled)
	for i, p := range f.Points {
		near(t, ref.Z[i], p.Z, 1e-11)
	}
	low, high := f.Limits(1/(2*math.Sqrt(40)), math.Inf(1), Alarm, true)
	near(t, ref.Limits[0], low, 1e-9)
	near(t, ref.Limits[1], high, 1e-9)

	// The correction is consistent: the quantiles of a standard normal have phi 1
	// whatever is pulled in, and without it winsorising would make them less.
	var d, se []float64
	const k = 20000
	for i := range k {
		d, se = append(d, math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/k-1)), append(se, 1)
	}
	for _, share := range []float64{0, 0.05, 0.1, 0.3} {
		f, err := Differences(d, se, nil, 0, FunnelOptions{Winsorise: share})
		require.NoError(t, err)
		assert.InDelta(t, 1, f.Phi, 1e-3, share)
		assert.InDelta(t, 0, f.Tau2, 1e-3, share)
	}
	assert.InDelta(t, 0.7, pulledSquare(0.1), 0.05)
}

func TestFunnelOfDifferencesAgreesWithIntervals(t *testing.T) {
	d, se, df := []float64{0.3, 0.2, -0.5, 0.001}, []float64{0.1, 0.1, 0.2, 0.1}, []float64{3, 300, 40, 3}
	f, err := Differences(d, se, df, 0, DefaultFunnel())
	require.NoError(t, err)
	// t of 3 with 3 df: p = 0.058, so inside, where z = 3 would be outside.
	assert.Equal(t, []Position{Inside, Outside95, Outside95, Inside}, positions(f, false))
	for i, p := range f.Points {
		half := interval.StudentT(df[i], 0.95) * se[i]
		assert.Equal(t, p.Position != Inside, math.Abs(d[i]) > half)
		near(t, half, p.Limits.High95, 1e-14)
		near(t, interval.TwoSided(d[i]/se[i], df[i]), interval.TwoSided(p.Z, math.Inf(1)), 1e-9)
		assert.GreaterOrEqual(t, p.AdjustedLimits.High95, p.Limits.High95)
		assert.Greater(t, p.Limits.High998, p.Limits.High95)
	}
	// Known standard errors: plain z.
	f, err = Differences(d, se, nil, 0.1, DefaultFunnel())
	require.NoError(t, err)
	near(t, 2, f.Points[0].Z, 1e-14)
	// So far out that the tail is no number: t itself.
	f, err = Differences([]float64{1000}, []float64{1}, []float64{1e5}, 0, DefaultFunnel())
	require.NoError(t, err)
	assert.False(t, math.IsInf(f.Points[0].Z, 0))
}

func TestFunnelEdges(t *testing.T) {
	// Nothing observed: half a case, and below what chance makes of 20 expected.
	f, err := Ratios([]float64{0, 20}, []float64{20, 20}, []float64{400, 400}, DefaultFunnel())
	require.NoError(t, err)
	assert.True(t, f.Points[0].Half)
	assert.Equal(t, 0.0, f.Points[0].Value)
	near(t, math.Log(0.5/20)*math.Sqrt(20), f.Points[0].Z, 1e-14)
	assert.Equal(t, Outside998, f.Points[0].Position)

	// One point has a z but no over-dispersion.
	f, err = Shares([]float64{30}, []float64{40}, 0.5, DefaultFunnel())
	require.NoError(t, err)
	assert.Equal(t, Outside998, f.Points[0].Position)
	assert.Equal(t, Position(""), f.Points[0].AdjustedPosition)
	assert.True(t, math.IsNaN(f.Tau2) && math.IsNaN(f.Points[0].AdjustedLimits.Low95))

	// Limits of shares stay shares.
	f, err = Shares([]float64{0, 1}, []float64{2, 2}, 0.02, DefaultFunnel())
	require.NoError(t, err)
	assert.Equal(t, 0.0, f.Points[0].Limits.Low998)
	assert.LessOrEqual(t, f.Points[0].Limits.High998, 1.0)

	_, err = Ratios([]float64{30}, []float64{25}, []float64{100}, DefaultFunnel())
	refused(t, RefusalNotRare, err)
	_, err = Shares(nil, nil, 0.5, DefaultFunnel())
	refused(t, effect.RefusalNoCases, err)
	for _, fault := range []func() (Funnel, error){
		func() (Funnel, error) { return Shares([]float64{1}, []float64{0}, 0.5, DefaultFunnel()) },
		func() (Funnel, error) { return Shares([]float64{3}, []float64{2}, 0.5, DefaultFunnel()) },
		func() (Funnel, error) { return Shares([]float64{nan}, []float64{2}, 0.5, DefaultFunnel()) },
		func() (Funnel, error) { return Shares([]float64{1}, []float64{2}, 0, DefaultFunnel()) },
		func() (Funnel, error) { return Shares([]float64{1}, []float64{2}, nan, DefaultFunnel()) },
		func() (Funnel, error) { return Shares([]float64{1}, []float64{2}, 0.5, FunnelOptions{Winsorise: 0.5}) },
		func() (Funnel, error) { return Shares([]float64{1}, []float64{2}, 0.5, FunnelOptions{Winsorise: nan}) },
		func() (Funnel, error) { return Ratios([]float64{1}, []float64{0}, nil, DefaultFunnel()) },
		func() (Funnel, error) { return Ratios([]float64{-1}, []float64{2}, nil, DefaultFunnel()) },
		func() (Funnel, error) { return Ratios([]float64{1}, []float64{2}, []float64{}, DefaultFunnel()) },
		func() (Funnel, error) { return Differences([]float64{1}, []float64{0}, nil, 0, DefaultFunnel()) },
		func() (Funnel, error) {
			return Differences([]float64{1}, []float64{1}, []float64{0}, 0, DefaultFunnel())
		},
		func() (Funnel, error) { return Differences([]float64{nan}, []float64{1}, nil, 0, DefaultFunnel()) },
		func() (Funnel, error) { return Differences([]float64{1, 2}, []float64{1}, nil, 0, DefaultFunnel()) },
	} {
		_, err := fault()
		refused(t, effect.RefusalNotFinite, err)
	}
}

func TestShrink(t *testing.T) {
	ref := reference[struct {
		D, SE []float64
		Tau2  float64
		Rows  [][]float64
	}](t, "shrink")
	o := DefaultShrink()
	o.Tau2 = ref.Tau2
	s, err := Shrink(ref.D, ref.SE, o)
	require.NoError(t, err)
	assert.True(t, s.Frozen)
	for i, want := range ref.Rows {
		f := s.Figures[i]
		for k, got := range []float64{f.Reliability, f.Mean, f.Low, f.High, f.Above} {
			near(t, want[k], got, 1e-12)
		}
	}
	// Estimated: the root of Paule and Mandel, whose own figures interval tests.
	d, se := []float64{0, 2, 4}, []float64{1, 1, 1}
	s, err = Shrink(d, se, DefaultShrink())
	require.NoError(t, err)
	near(t, 3, s.Tau2, 1e-12)
	near(t, 0.75, s.Figures[2].Reliability, 1e-12)
	near(t, 3, s.Figures[2].Mean, 1e-12)
	assert.False(t, s.Frozen)
	assert.False(t, s.PriorInDoubt, "mean 2, standard error 2/sqrt 3")

	// Scale and sign: everything in the unit of the figures follows.
	scaled, err := Shrink([]float64{0, -200, -400}, []float64{100, 100, 100}, DefaultShrink())
	require.NoError(t, err)
	for i := range d {
		assert.InDelta(t, -100*s.Figures[i].Mean, scaled.Figures[i].Mean, 1e-9)
		assert.InDelta(t, 1-s.Figures[i].Above, scaled.Figures[i].Above, 1e-12)
		assert.InDelta(t, s.Figures[i].Reliability, scaled.Figures[i].Reliability, 1e-12)
	}
	// Order: the same bytes.
	mixed, err := Shrink([]float64{4, 0, 2}, se, DefaultShrink())
	require.NoError(t, err)
	assert.Equal(t, []Posterior{s.Figures[2], s.Figures[0], s.Figures[1]}, mixed.Figures)
	assert.Equal(t, s.Mean, mixed.Mean)
}

func TestShrinkEdges(t *testing.T) {
	// All alike and far from the prior: shrunken all the way, and it says so.
	s, err := Shrink([]float64{1, 1.01, 0.99}, []float64{0.1, 0.1, 0.1}, DefaultShrink())
	require.NoError(t, err)
	assert.Equal(t, 0.0, s.Tau2)
	assert.True(t, s.PriorInDoubt)
	assert.Equal(t, 0.0, s.Figures[0].Mean)
	assert.Equal(t, 0.5, s.Figures[0].Above)
	assert.True(t, math.IsNaN(s.Figures[0].Low) && math.IsNaN(s.Figures[0].High))

	o := DefaultShrink()
	o.Prior, o.Benchmark, o.Tau2 = 1, 0.5, 0
	s, err = Shrink([]float64{3}, []float64{1}, o)
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 1}, []float64{s.Figures[0].Mean, s.Figures[0].Above})

	_, err = Shrink(nil, nil, DefaultShrink())
	refused(t, effect.RefusalNoCases, err)
	_, err = Shrink([]float64{1}, []float64{1}, DefaultShrink())
	refused(t, RefusalFewFigures, err)
	negative := DefaultShrink()
	negative.Tau2 = -1
	_, err = Shrink([]float64{1, 2}, []float64{1, 1}, negative)
	refused(t, effect.RefusalNotFinite, err)
	for _, bad := range [][2][]float64{{{1, 2}, {1, 0}}, {{nan, 2}, {1, 1}}, {{1, 2}, {1, math.Inf(1)}}, {{1, 2}, {1}}} {
		_, err = Shrink(bad[0], bad[1], DefaultShrink())
		refused(t, effect.RefusalNotFinite, err)
	}
	_, err = Shrink([]float64{1, 2}, []float64{1, 1}, ShrinkOptions{Tau2: 1})
	refused(t, effect.RefusalNotFinite, err)
}

func TestRanks(t *testing.T) {
	ref := reference[struct {
		Mean, SD []float64
		Rows     [][]float64
	}](t, "ranks")
	var figures, turned []OnTarget
	for i := range ref.Mean {
		figures = append(figures, OnTarget{ref.Mean[i], ref.SD[i]})
		turned = append(turned, OnTarget{-ref.Mean[i], ref.SD[i]})
	}
	got, err := Ranks(figures, DefaultRank())
	require.NoError(t, err)
	narrower := 0
	for i, r := range got {
		near(t, ref.Rows[i][1], r.Expected, 1e-12, i)
		assert.Equal(t, []float64{ref.Rows[i][0], ref.Rows[i][2], ref.Rows[i][3]}, []float64{float64(r.Rank), float64(r.Low), float64(r.High)}, i)
		if r.High-r.Low < len(got)-1 {
			narrower++
		}
	}
	assert.Equal(t, 5, narrower, "the reference shows something of all but one figure")

	// Less is better: the same places when the signs turn.
	low, err := Ranks(turned, RankOptions{Better: Low, Confidence: 0.95})
	require.NoError(t, err)
	assert.Equal(t, got, low)

	// Order of rows: the same bytes.
	slices.Reverse(figures)
	back, err := Ranks(figures, DefaultRank())
	require.NoError(t, err)
	slices.Reverse(back)
	assert.Equal(t, got, back)
}

func TestRankEdges(t *testing.T) {
	one, err := Ranks([]OnTarget{{0.4, 0.1}}, DefaultRank())
	require.NoError(t, err)
	assert.Equal(t, []Rank{{Rank: 1, Expected: 1, Low: 1, High: 1}}, one)

	// Equal figures share a rank, and any of the places may be theirs.
	tied, err := Ranks([]OnTarget{{0.4, 0.1}, {0.4, 0.1}, {0.1, 0}}, DefaultRank())
	require.NoError(t, err)
	assert.Equal(t, []int{1, 1, 3}, []int{tied[0].Rank, tied[1].Rank, tied[2].Rank})
	assert.Equal(t, tied[0], tied[1])
	assert.Equal(t, []int{1, 2}, []int{tied[0].Low, tied[0].High})
	assert.Equal(t, []int{3, 3}, []int{tied[2].Low, tied[2].High})

	// Known exactly: no doubt, and a tie is half a place each.
	sure, err := Ranks([]OnTarget{{2, 0}, {1, 0}, {2, 0}}, DefaultRank())
	require.NoError(t, err)
	assert.Equal(t, Rank{Rank: 3, Expected: 3, Low: 3, High: 3}, sure[1])
	assert.Equal(t, Rank{Rank: 1, Expected: 1.5, Low: 1, High: 2}, sure[0])

	_, err = Ranks(nil, DefaultRank())
	refused(t, effect.RefusalNoCases, err)
	_, err = Ranks(make([]OnTarget, MaxRanked+1), DefaultRank())
	refused(t, RefusalTooMany, err)
	for _, bad := range []OnTarget{{nan, 1}, {1, nan}, {1, -1}, {math.Inf(1), 1}, {1, math.Inf(1)}} {
		_, err = Ranks([]OnTarget{bad, {1, 1}}, DefaultRank())
		refused(t, effect.RefusalNotFinite, err)
	}
	_, err = Ranks([]OnTarget{{1, 1}}, RankOptions{})
	refused(t, effect.RefusalNotFinite, err)
	_, err = Ranks([]OnTarget{{1, 1}}, RankOptions{Better: "most", Confidence: 0.9})
	refused(t, effect.RefusalNotFinite, err)
}

// Rank intervals of figures drawn around true values hold the true rank, however
// close these lie. Where drawing around the figures would hold it in 83 %.
func TestRankIntervalsCover(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const k, draws = 20, 400
	for _, spread := range []float64{0, 0.2, 1, 3} {
		held, wrong := 0, 0
		for range draws {
			figures, truth := make([]OnTarget, k), make([]float64, k)
			for i := range figures {
				truth[i] = spread * r.NormFloat64()
				se := 0.5 + r.Float64()
				figures[i] = OnTarget{truth[i] + se*r.NormFloat64(), se}
			}
			ranks, err := Ranks(figures, DefaultRank())
			require.NoError(t, err)
			for i := range ranks {
				better, equal := 0, 0
				for j := range truth {
					if truth[j] > truth[i] {
						better++
					} else if truth[j] == truth[i] {
						equal++
					}
				}
				// Any of the ranks that equal true values share will do.
				if ranks[i].Low <= better+equal && ranks[i].High >= better+1 {
					held++
				} else {
					wrong++
				}
			}
		}
		share := float64(held) / float64(held+wrong)
		t.Logf("spread %v: %.4f", spread, share)
		assert.GreaterOrEqual(t, share, 0.95, spread)
	}
}

func TestPoissonBinomial(t *testing.T) {
	ref := reference[struct{ P, Mass []float64 }](t, "poisson_binomial")
	d, err := NewPoissonBinomial(ref.P)
	require.NoError(t, err)
	upper, lower := 0.0, 0.0
	for k, m := range ref.Mass {
		assert.InDelta(t, m, d.Mass(k), 1e-15, k)
		lower += m
		assert.InDelta(t, lower, d.Lower(k), 1e-14)
		assert.InDelta(t, 1-upper, d.Upper(k), 1e-14)
		upper += m
		assert.InDelta(t, 1, d.MidUpper(k)+d.MidLower(k), 1e-14)
		assert.InDelta(t, min(1, 2*min(lower-m/2, 1-lower+m/2)), Screen(ref.P, k), 1e-14)
	}
	assert.Equal(t, []float64{0, 0, 0, 1, 1, 0}, []float64{d.Mass(-1), d.Mass(99), d.Lower(-1), d.Lower(99), d.Upper(-5), d.Upper(99)})

	// Tails far below what 1 - CDF could tell, against exact fractions.
	var many []float64
	for i := range 300 {
		many = append(many, (1+float64((37*i)%101))/400)
	}
	exact := reference[map[string]map[string]float64](t, "poisson_binomial_300")
	d, err = NewPoissonBinomial(many)
	require.NoError(t, err)
	for k, want := range exact["upper"] {
		near(t, want, d.Upper(number(t, k)), 1e-12, k)
	}
	for k, want := range exact["lower"] {
		near(t, want, d.Lower(number(t, k)), 1e-12, k)
	}
	assert.Less(t, d.Upper(250), 1e-100)
	// Order: the same bytes, and the list is left as it is.
	before := slices.Clone(many)
	slices.Reverse(many)
	other, err := NewPoissonBinomial(many)
	require.NoError(t, err)
	assert.Equal(t, d, other)
	slices.Reverse(many)
	assert.Equal(t, before, many)
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(s), &n))
	return n
}

// A hundred thousand equal trials are a binomial: SciPy 1.17.1, binom.sf.
func TestPoissonBinomialOfManyCases(t *testing.T) {
	p := slices.Repeat([]float64{0.3}, 100_000)
	d, err := NewPoissonBinomial(p)
	require.NoError(t, err)
	for k, want := range reference[map[string]map[string]float64](t, "binomial_100000")["upper"] {
		near(t, want, d.Upper(number(t, k)), 1e-9, k)
	}
}

func TestPoissonBinomialEdges(t *testing.T) {
	assert.Equal(t, 1.0, Screen(nil, 0))
	d, err := NewPoissonBinomial([]float64{1, 1, 0})
	require.NoError(t, err)
	assert.Equal(t, 1.0, d.Mass(2))
	assert.Equal(t, 1.0, Screen([]float64{1, 1, 0}, 2))
	assert.Equal(t, 0.0, Screen([]float64{1, 1, 0}, 1))
	assert.Equal(t, 3, d.N())
	for _, bad := range [][]float64{{nan}, {-0.1}, {1.1}} {
		_, err := NewPoissonBinomial(bad)
		refused(t, effect.RefusalNotFinite, err)
		assert.True(t, math.IsNaN(Screen(bad, 0)))
	}
	assert.True(t, math.IsNaN(Screen([]float64{0.5}, 2)) && math.IsNaN(Screen([]float64{0.5}, -1)))
	_, err = NewPoissonBinomial(make([]float64, MaxTrials+1))
	refused(t, RefusalTooMany, err)
}

// R 4.2.2, p.adjust: testdata/reference/profile.R and its output profile.txt.
func TestAdjusted(t *testing.T) {
	p := []float64{.01, .02, .03, .04, .05, .2}
	holm, err := Holm(p)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{.06, .1, .12, .12, .12, .2}, holm, 1e-15)
	bh, err := BenjaminiHochberg(p)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{.06, .06, .06, .06, .06, .2}, bh, 1e-15)

	// Ties, values that are missing, 0 and 1.
	q := []float64{.04, .001, nan, .04, .9, .012, 1, .012, nan, 0}
	holm, err = Holm(q)
	require.NoError(t, err)
	bh, err = BenjaminiHochberg(q)
	require.NoError(t, err)
	for i, want := range [][2]float64{
		{.16, .16 / 3}, {.007, .004}, {nan, nan}, {.16, .16 / 3}, {1, 1}, {.072, .024}, {1, 1}, {.072, .024}, {nan, nan}, {0, 0},
	} {
		if math.IsNaN(want[0]) {
			assert.True(t, math.IsNaN(holm[i]) && math.IsNaN(bh[i]))
			continue
		}
		assert.InDelta(t, want[0], holm[i], 1e-15, i)
		assert.InDelta(t, want[1], bh[i], 1e-15, i)
	}
	for _, f := range []func([]float64) ([]float64, error){Holm, BenjaminiHochberg} {
		for _, bad := range []float64{-0.1, 1.1, math.Inf(1)} {
			_, err := f([]float64{0.5, bad})
			refused(t, effect.RefusalNotFinite, err)
		}
		none, err := f(nil)
		require.NoError(t, err)
		assert.Empty(t, none)
		one, err := f([]float64{0.03})
		require.NoError(t, err)
		assert.Equal(t, []float64{0.03}, one)
	}
}
