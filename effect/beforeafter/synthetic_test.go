package beforeafter_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
)

// table reads a CSV file of testdata/reference as rows by column.
func table(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	f, err := os.Open("../../testdata/reference/" + name)
	require.NoError(t, err)
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, r := range records[1:] {
		row := map[string]string{}
		for k, column := range records[0] {
			row[column] = r[k]
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// prop99 is cigarette packs per head in 39 states; California raised its tax in
// 1989.
func prop99(t *testing.T) *beforeafter.Panel {
	var rows []beforeafter.Row
	for _, r := range table(t, "prop99_california.csv") {
		row := beforeafter.Row{Unit: r["State"], Period: int(number(t, r["Year"])), Y: number(t, r["PacksPerCapita"]), Since: beforeafter.Never}
		if row.Unit == "California" {
			row.Since = 1989
		}
		rows = append(rows, row)
	}
	p, err := beforeafter.FromRows(nil, rows)
	require.NoError(t, err)
	return p
}

// madeUp is synthetic_panel.csv, made by synthetic.py.
func madeUp(t *testing.T) *beforeafter.Panel {
	var rows []beforeafter.Row
	for _, r := range table(t, "synthetic_panel.csv") {
		row := beforeafter.Row{
			Unit: r["unit"], Period: int(number(t, r["period"])), Y: number(t, r["outcome"]), Since: beforeafter.Never,
			X: []float64{number(t, r["density"]), number(t, r["seniors"])},
		}
		if r["since"] != "" {
			row.Since = int(number(t, r["since"]))
		}
		rows = append(rows, row)
	}
	p, err := beforeafter.FromRows([]string{"density", "seniors"}, rows)
	require.NoError(t, err)
	return p
}

// figures are those of one unit in synthetic.json.
type syntheticFigures struct {
	Unit     string
	ATT      float64
	Before   float64 `json:"rmspe_before"`
	After    float64 `json:"rmspe_after"`
	Ratio    float64
	Rank     int64
	Gaps     []float64
	Weights  map[string]float64
	Without  map[string]float64
	Placebos map[string]struct {
		ATT    float64
		Before float64 `json:"rmspe_before"`
		Ratio  float64
	}
	Backdated struct {
		Since  int64
		ATT    float64
		Before float64 `json:"rmspe_before"`
	}
}

// synthetics is synthetic.json, made by synthetic.py: the optimum of each
// quadratic program in rational arithmetic, its conditions checked exactly.
func synthetics(t *testing.T) (r struct {
	Prop99     syntheticFigures
	Panel      []syntheticFigures
	Predictors syntheticFigures
	Several    struct {
		Y              [][]float64
		Before         int
		Weights        []float64
		ATT, Low, High float64
	}
},
) {
	b, err := os.ReadFile("../../testdata/reference/synthetic.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	return r
}

func controlOf(t *testing.T, o beforeafter.Synthetic, p *beforeafter.Panel) *beforeafter.SyntheticControls {
	t.Helper()
	out, err := o.Estimate(context.Background(), p)
	require.NoError(t, err)
	return out
}

// near is a relative tolerance: rows have nine significant digits.
func near(t *testing.T, want, got float64, what ...any) {
	t.Helper()
	assert.InDelta(t, want, got, 2e-8*math.Abs(want)+1e-12, what...)
}

func (want syntheticFigures) check(t *testing.T, got *beforeafter.SyntheticControls) {
	t.Helper()
	k := slices.IndexFunc(got.Units, func(r beforeafter.SyntheticRow) bool { return r.Unit == want.Unit })
	require.GreaterOrEqual(t, k, 0)
	row := got.Units[k]
	require.NoError(t, row.Err())
	near(t, want.ATT, row.ATT)
	near(t, want.Before, row.RMSPEBefore)
	near(t, want.After, row.RMSPEAfter)
	near(t, want.Ratio, row.Ratio)
	assert.Equal(t, want.Rank, row.Rank)
	assert.EqualValues(t, len(want.Placebos)+1, row.Ranked)
	near(t, float64(want.Rank)/float64(row.Ranked), row.P)
	assert.Equal(t, want.Backdated.Since, row.BackdatedTo)
	near(t, want.Backdated.ATT, row.BackdatedATT)
	near(t, want.Backdated.Before, row.BackdatedFit)
	assert.LessOrEqual(t, row.KKTGap, 1e-11)
	assert.Equal(t, row.Active, row.ActiveRank)
	assert.EqualValues(t, len(want.Weights), row.Active)
	assert.Equal(t, []float64{row.ATT, row.ATT}, []float64{row.OptimalLow, row.OptimalHigh})

	var gaps []float64
	for _, g := range got.Gaps {
		if g.Unit == want.Unit {
			gaps = append(gaps, g.Gap)
			assert.InDelta(t, g.Observed-g.Synthetic, g.Gap, 1e-6)
		}
	}
	require.Len(t, gaps, len(want.Gaps))
	for i := range gaps {
		assert.InDelta(t, want.Gaps[i], gaps[i], 1e-7)
	}

	seen, low, high, last := 0, math.Inf(1), math.Inf(-1), 1.0
	for _, d := range got.Donors {
		if d.Unit != want.Unit {
			continue
		}
		seen++
		assert.InDelta(t, want.Weights[d.Donor], d.Weight, 1e-9)
		near(t, want.Without[d.Donor], d.WithoutATT)
		low, high = min(low, want.Without[d.Donor]), max(high, want.Without[d.Donor])
		assert.LessOrEqual(t, d.Weight, last)
		last = d.Weight
	}
	assert.Len(t, want.Weights, seen)
	near(t, low, row.WithoutLow)
	near(t, high, row.WithoutHigh)

	seen = 0
	for _, p := range got.Placebos {
		if p.Unit != want.Unit || p.Placebo == want.Unit {
			continue
		}
		seen++
		w, ok := want.Placebos[p.Placebo]
		require.True(t, ok)
		near(t, w.ATT, p.ATT, p.Placebo)
		near(t, w.Before, p.RMSPEBefore, p.Placebo)
		near(t, w.Ratio, p.Ratio, p.Placebo)
	}
	assert.Len(t, want.Placebos, seen)
}

func TestProp99(t *testing.T) {
	o := beforeafter.DefaultSynthetic()
	o.Backdate = 5
	got := controlOf(t, o, prop99(t))
	synthetics(t).Prop99.check(t, got)

	// Figures of somebody else's exact simplex QP, to 1e-7; a default solver's ATT is
	// -19.6197.
	require.Len(t, got.Units, 1)
	row := got.Units[0]
	assert.InEpsilon(t, -19.513629772, row.ATT, 1e-7)
	assert.InEpsilon(t, 1.65640021075, row.RMSPEBefore, 1e-7)
	assert.InEpsilon(t, 154.752825452, row.Ratio, 1e-7)
	assert.Equal(t, []int64{3, 39}, []int64{row.Rank, row.Ranked})
	for i, want := range []struct {
		state  string
		weight float64
	}{
		{"Utah", .393908},
		{"Montana", .231840},
		{"Nevada", .204923},
		{"Connecticut", .109090},
		{"New Hampshire", .045429},
		{"Colorado", .014811},
	} {
		assert.Equal(t, want.state, got.Donors[i].Donor)
		assert.InDelta(t, want.weight, got.Donors[i].Weight, 5e-7)
	}
	var first []string
	for _, p := range got.Placebos[:3] {
		first = append(first, p.Placebo)
	}
	assert.Equal(t, []string{"Missouri", "Virginia", "California"}, first)
	assert.Equal(t, []int64{19, 12, 38, 6}, []int64{row.Before, row.After, row.Donors, row.Weighted})
	assert.Empty(t, row.Warnings)

	// 3/39 is more than 5 %: an effect of 0 is not rejected. One of 12.9 % is.
	assert.Less(t, row.Low, row.ATT)
	assert.Positive(t, row.High)
	o.Confidence = 1 - 3.0/39
	row = controlOf(t, o, prop99(t)).Units[0]
	assert.Negative(t, row.High)
}

// The limits of the constant effect, beside the definition: the effect is taken
// off the unit's outcomes after the change, and the panel estimated anew.
func TestConstantEffect(t *testing.T) {
	p := prop99(t)
	o := beforeafter.DefaultSynthetic()
	o.Confidence = 0.9 // 39 units: rejected at rank 3 or less
	row := controlOf(t, o, p).Units[0]
	rank := func(effect float64) int64 {
		q := *p
		q.Y = slices.Clone(p.Y)
		u := slices.Index(p.Units, "California")
		q.Y[u] = slices.Clone(p.Y[u])
		for t, period := range p.Periods {
			if period >= 1989 {
				q.Y[u][t] -= effect
			}
		}
		return controlOf(t, o, &q).Units[0].Rank
	}
	for _, limit := range []struct{ at, in float64 }{{row.Low, 1}, {row.High, -1}} {
		assert.Greater(t, rank(limit.at+1e-6*limit.in), int64(3))
		assert.LessOrEqual(t, rank(limit.at-1e-6*limit.in), int64(3))
	}
}

func TestMadeUpPanel(t *testing.T) {
	o := beforeafter.DefaultSynthetic()
	o.Backdate = 4
	got := controlOf(t, o, madeUp(t))
	want := synthetics(t)
	require.Len(t, got.Units, 3)
	for _, w := range want.Panel {
		w.check(t, got)
	}
	assert.Equal(t, []int64{23, 2, 0}, []int64{got.Units[0].Donors, got.Units[0].Changed, got.Units[0].Left})
	// U17 has the change in the first period.
	assert.Equal(t, "U17", got.Units[2].Unit)
	r, ok := effect.AsRefusal(got.Units[2].Err())
	require.True(t, ok)
	assert.Equal(t, beforeafter.RefusalNoBefore, r.Code)
	assert.True(t, math.IsNaN(got.Units[2].ATT))

	o.Predictors = []beforeafter.Predictor{{Covariate: "density", Weight: 2}, {Covariate: "seniors", Weight: 0.5}}
	got = controlOf(t, o, madeUp(t))
	near(t, want.Predictors.ATT, got.Units[0].ATT)
	near(t, want.Predictors.Before, got.Units[0].RMSPEBefore)
	assert.Len(t, want.Predictors.Weights, int(got.Units[0].Weighted))
	for _, d := range got.Donors {
		if d.Unit == "U04" {
			assert.InDelta(t, want.Predictors.Weights[d.Donor], d.Weight, 1e-8)
		}
	}

	// Covariates alone: two numbers of U04 are met by many weights.
	o.OutcomeWeight = 0
	o.MaxPreFit = 9
	row := controlOf(t, o, madeUp(t)).Units[0]
	assert.Contains(t, row.Warnings, beforeafter.WarnNotUnique)
	assert.Less(t, row.OptimalLow, row.ATT)
	assert.Greater(t, row.OptimalHigh, row.ATT)
}

// panel makes one of outcomes by unit, of which the first changes at period
// before.
func panelOf(y [][]float64, before int) *beforeafter.Panel {
	p := &beforeafter.Panel{Y: y}
	for t := range y[0] {
		p.Periods = append(p.Periods, t)
	}
	for u := range y {
		p.Units = append(p.Units, string(rune('A'+u)))
		p.Since = append(p.Since, beforeafter.Never)
	}
	p.Since[0] = before
	return p
}

// Where many weights fit exactly, those with the least sum of squares are taken,
// and the range of the effect over all of them told.
func TestWeightsAreNotUnique(t *testing.T) {
	want := synthetics(t).Several
	o := beforeafter.DefaultSynthetic()
	o.MinBefore = 2
	got := controlOf(t, o, panelOf(want.Y, want.Before))
	row := got.Units[0]
	near(t, want.ATT, row.ATT)
	near(t, want.Low, row.OptimalLow)
	near(t, want.High, row.OptimalHigh)
	assert.Zero(t, row.RMSPEBefore)
	assert.True(t, math.IsNaN(row.Ratio))
	assert.Equal(t, []int64{5, 3, 5}, []int64{row.Active, row.ActiveRank, row.Weighted})
	assert.Equal(t, "perfect_prefit;att_differs_by_weights;too_few_placebos", row.Warnings)
	for _, d := range got.Donors {
		assert.InDelta(t, want.Weights[d.Donor[0]-'B'], d.Weight, 1e-9)
	}
}

// random is a panel with two factors; the first unit is 0.5, 0.3 and 0.2 of three
// donors, plus noise, and 3 more from the change on.
func random(rng *rand.Rand, donors, before, after int, noise float64) *beforeafter.Panel {
	y := make([][]float64, donors+1)
	y[0] = make([]float64, before+after)
	for u := range donors {
		level, a, b := 50+10*rng.NormFloat64(), rng.Float64(), rng.Float64()
		for k := range before + after {
			f := float64(k)
			y[u+1] = append(y[u+1], level+a*f+8*b*math.Sin(f/3)+rng.NormFloat64())
		}
	}
	for k := range y[0] {
		y[0][k] = 0.5*y[1][k] + 0.3*y[2][k] + 0.2*y[3][k] + noise*rng.NormFloat64()
		if k >= before {
			y[0][k] += 3
		}
	}
	return panelOf(y, before)
}

// An exact average of donors: no misfit, and the gap is the effect.
func TestExactAverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		row := controlOf(t, beforeafter.DefaultSynthetic(), random(rng, 12, 20, 6, 0))
		assert.Zero(t, row.Units[0].RMSPEBefore)
		assert.InDelta(t, 3, row.Units[0].ATT, 1e-9)
		assert.EqualValues(t, 1, row.Units[0].Rank)
		assert.True(t, math.IsNaN(row.Units[0].Ratio))
		for _, g := range row.Gaps {
			want := 0.0
			if g.After {
				want = 3
			}
			assert.InDelta(t, want, g.Gap, 1e-9)
		}
		for i, w := range []float64{0.5, 0.3, 0.2} {
			assert.Equal(t, string(rune('B'+i)), row.Donors[i].Donor)
			assert.InDelta(t, w, row.Donors[i].Weight, 1e-9)
		}
		assert.Len(t, row.Donors, 3)
	}
}

// The order of the units changes no byte. What all units share in a period, and
// the unit of measurement, change no weight.
func TestSyntheticLaws(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	o := beforeafter.DefaultSynthetic()
	o.Backdate, o.DropWorse = 3, 20
	for trial := range 6 {
		p := random(rng, 10+trial, 4+3*trial, 5, 0.5)
		if trial == 2 {
			p.Y[4] = slices.Clone(p.Y[3]) // two donors that are the same
		}
		before, err := json.Marshal(p)
		require.NoError(t, err)
		base := controlOf(t, o, p)
		after, err := json.Marshal(p)
		require.NoError(t, err)
		assert.Equal(t, before, after)

		at := rng.Perm(len(p.Units))
		moved := &beforeafter.Panel{Periods: p.Periods}
		for _, u := range at {
			moved.Units, moved.Y, moved.Since = append(moved.Units, p.Units[u]), append(moved.Y, p.Y[u]), append(moved.Since, p.Since[u])
		}
		same(t, base, controlOf(t, o, moved), 0)

		// Other names: the same figures under them.
		named := *p
		named.Units = slices.Clone(p.Units)
		slices.Reverse(named.Units)
		again := controlOf(t, o, &named)
		near(t, base.Units[0].ATT, again.Units[0].ATT)
		near(t, base.Units[0].Ratio, again.Units[0].Ratio)
		assert.Equal(t, base.Units[0].Rank, again.Units[0].Rank)

		shifted, scaled := *p, *p
		shifted.Y, scaled.Y = nil, nil
		for u := range p.Y {
			a, b := slices.Clone(p.Y[u]), slices.Clone(p.Y[u])
			for k := range a {
				a[k] += 100 * math.Cos(float64(k))
				b[k] *= 1000
			}
			shifted.Y, scaled.Y = append(shifted.Y, a), append(scaled.Y, b)
		}
		same(t, base, controlOf(t, o, &shifted), 1e-7)
		big := controlOf(t, o, &scaled)
		near(t, 1000*base.Units[0].ATT, big.Units[0].ATT)
		near(t, 1000*base.Units[0].Low, big.Units[0].Low)
		near(t, base.Units[0].Ratio, big.Units[0].Ratio)
		for k := range base.Donors {
			near(t, base.Donors[k].Weight, big.Donors[k].Weight)
		}
	}
}

// same compares all, or with a tolerance what does not depend on levels.
func same(t *testing.T, a, b *beforeafter.SyntheticControls, tolerance float64) {
	t.Helper()
	if tolerance == 0 {
		// As text, in which what is not known is equal to itself.
		assert.Equal(t, fmt.Sprintf("%+v", *a), fmt.Sprintf("%+v", *b))
		return
	}
	assert.InDelta(t, a.Units[0].ATT, b.Units[0].ATT, tolerance)
	assert.InDelta(t, a.Units[0].RMSPEBefore, b.Units[0].RMSPEBefore, tolerance)
	assert.InEpsilon(t, a.Units[0].PreFit, b.Units[0].PreFit, tolerance)
	assert.InDelta(t, a.Units[0].BackdatedATT, b.Units[0].BackdatedATT, tolerance)
	assert.Equal(t, a.Units[0].Rank, b.Units[0].Rank)
	require.Len(t, b.Donors, len(a.Donors))
	for k := range a.Donors {
		assert.Equal(t, a.Donors[k].Donor, b.Donors[k].Donor)
		assert.InDelta(t, a.Donors[k].Weight, b.Donors[k].Weight, tolerance)
	}
}

// Placebos that fit worse than declared are listed and not ranked.
func TestDropWorse(t *testing.T) {
	o := beforeafter.DefaultSynthetic()
	all := controlOf(t, o, prop99(t))
	o.DropWorse = 5
	got := controlOf(t, o, prop99(t))
	limit := 5 * all.Units[0].RMSPEBefore * all.Units[0].RMSPEBefore
	kept, ahead := 0, 0
	for _, p := range all.Placebos {
		if p.RMSPEBefore*p.RMSPEBefore <= limit {
			kept++
			if p.Ratio >= all.Units[0].Ratio {
				ahead++
			}
		}
	}
	assert.Less(t, kept, 39)
	assert.EqualValues(t, kept, got.Units[0].Ranked)
	assert.EqualValues(t, ahead, got.Units[0].Rank)
	assert.Len(t, got.Placebos, 39)
	for i, p := range got.Placebos {
		assert.Equal(t, i >= kept, p.Rank == 0)
	}
	assert.Equal(t, all.Units[0].ATT, got.Units[0].ATT)
}

// Placebos by hand: three donors of one number before the change, so that every
// synthetic control is known. Equal ratios share the last of their ranks.
func TestRanks(t *testing.T) {
	o := beforeafter.DefaultSynthetic()
	o.MinBefore, o.MaxPreFit, o.MaxOutside = 1, math.Inf(1), math.Inf(1)
	// A is 1 above the nearest donor D, and 2 above it after. B is 1 under its nearest
	// donor C, and 2 under it after. C is the mean of B and D before, and 1/2 above it
	// after. D is 1 above C before and after.
	p := panelOf([][]float64{{4, 6}, {1, 1}, {2, 3}, {3, 4}}, 1)
	got := controlOf(t, o, p)
	row := got.Units[0]
	assert.Equal(t, 2.0, row.ATT)
	assert.Equal(t, 4.0, row.Ratio)
	var names []string
	var ranks []int64
	for _, r := range got.Placebos {
		names, ranks = append(names, r.Placebo), append(ranks, r.Rank)
	}
	assert.Equal(t, []string{"C", "A", "B", "D"}, names)
	assert.Equal(t, []int64{1, 3, 3, 4}, ranks)
	assert.Equal(t, 0.75, row.P)
	assert.True(t, math.IsNaN(got.Placebos[0].Ratio))
	assert.Equal(t, 0.5, got.Placebos[0].ATT)
	assert.Equal(t, "rests_on_one_donor;too_few_placebos", drop(row.Warnings, beforeafter.WarnWeakFit))
	assert.True(t, math.IsNaN(row.Low))
	assert.Equal(t, "D", got.Donors[0].Donor)
	assert.Equal(t, 3.0, got.Donors[0].WithoutATT)

	// At 75 % confidence one of four may be left: any effect is less extreme than C.
	o.Confidence = 0.75
	assert.True(t, math.IsNaN(controlOf(t, o, p).Units[0].Low))
	// At 50 % the second placebo counts, with a ratio of 4: a constant effect of 2 -/+ 2.
	o.Confidence = 0.5
	row = controlOf(t, o, p).Units[0]
	assert.Equal(t, []float64{0, 4}, []float64{row.Low, row.High})
}

// drop takes a code out of a list of warnings.
func drop(warnings, code string) string {
	list := slices.DeleteFunc(strings.Split(warnings, ";"), func(w string) bool { return w == code })
	return strings.Join(list, ";")
}

func TestDonors(t *testing.T) {
	p := prop99(t)
	o := beforeafter.DefaultSynthetic()
	o.LeaveOut = []string{"Utah"}
	without := controlOf(t, o, p)
	all := controlOf(t, beforeafter.DefaultSynthetic(), p)
	assert.Equal(t, all.Donors[0].WithoutATT, without.Units[0].ATT)
	assert.Equal(t, []int64{37, 1, 38}, []int64{without.Units[0].Donors, without.Units[0].Left, without.Units[0].Ranked})

	o = beforeafter.DefaultSynthetic()
	o.Donors = []string{"Utah", "Montana", "Nevada", "Connecticut", "New Hampshire", "Colorado"}
	few := controlOf(t, o, p)
	assert.Equal(t, all.Units[0].ATT, few.Units[0].ATT)
	assert.Equal(t, []int64{6, 32, 7}, []int64{few.Units[0].Donors, few.Units[0].Left, few.Units[0].Ranked})
	assert.Equal(t, beforeafter.WarnFewPlacebos, few.Units[0].Warnings)

	// A donor that changes itself is none, and counted.
	p.Since[slices.Index(p.Units, "Utah")] = 1995
	two := controlOf(t, beforeafter.DefaultSynthetic(), p)
	assert.Equal(t, without.Units[0].ATT, two.Units[0].ATT)
	assert.Equal(t, []int64{37, 1}, []int64{two.Units[0].Donors, two.Units[0].Changed})
	// Utah lies below every other state in all of the years before 1995.
	r, ok := effect.AsRefusal(two.Units[1].Err())
	require.True(t, ok)
	assert.Equal(t, beforeafter.RefusalNotComparable, r.Code)
	assert.Equal(t, 1.0, two.Units[1].Outside)
	assert.Contains(t, r.Why, "below every donor in 25 of 25 periods before the change (1970, 1971, 1972, 1973, 1974 and 20 more)")
	for _, g := range two.Gaps {
		assert.Equal(t, "California", g.Unit)
	}
}

func TestSyntheticRefusals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	nan := math.NaN()
	base := func() *beforeafter.Panel { return random(rng, 8, 10, 4, 0.5) }
	for code, c := range map[string]func(o *beforeafter.Synthetic) *beforeafter.Panel{
		beforeafter.RefusalNoChange: func(*beforeafter.Synthetic) *beforeafter.Panel {
			p := base()
			p.Since[0] = 14 // after the last period
			return p
		},
		beforeafter.RefusalFewDonors: func(o *beforeafter.Synthetic) *beforeafter.Panel {
			o.Donors = []string{"B"}
			return base()
		},
		beforeafter.RefusalMissing: func(*beforeafter.Synthetic) *beforeafter.Panel {
			p := base()
			p.Y[3][2], p.Y[5][12] = nan, nan
			return p
		},
	} {
		o := beforeafter.DefaultSynthetic()
		p := c(&o)
		out, err := o.Estimate(context.Background(), p)
		assert.Nil(t, out)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok, code)
		assert.Equal(t, code, r.Code)
		assert.NotEmpty(t, r.Cure)
		if code == beforeafter.RefusalMissing {
			assert.Equal(t, "2 outcomes are missing: D in period 2, F in period 12", r.Why)
			o.LeaveOut = []string{"D", "F"}
			assert.NoError(t, controlOf(t, o, p).Units[0].Err())
		}
	}

	// Two periods before the change, and a unit far above all donors.
	o := beforeafter.DefaultSynthetic()
	p := base()
	p.Since[0] = 2
	row := controlOf(t, o, p).Units[0]
	assert.Equal(t, beforeafter.RefusalFewBefore, row.Refusal)
	assert.True(t, math.IsNaN(row.ATT))
	p = base()
	for k := range p.Y[0] {
		p.Y[0][k] += 500
	}
	out := controlOf(t, o, p)
	row = out.Units[0]
	assert.Equal(t, beforeafter.RefusalNotComparable, row.Refusal)
	assert.Equal(t, 1.0, row.Outside)
	assert.Greater(t, row.PreFit, 1.0)
	assert.True(t, math.IsNaN(row.ATT) && math.IsNaN(row.P))
	assert.Empty(t, out.Placebos)
	o.MaxOutside = 1
	row = controlOf(t, o, p).Units[0]
	assert.Equal(t, beforeafter.RefusalNotComparable, row.Refusal)
	assert.Contains(t, row.Why, "times the spread between donors")
	o.MaxPreFit = math.Inf(1)
	row = controlOf(t, o, p).Units[0]
	assert.NoError(t, row.Err())
	assert.Contains(t, row.Warnings, beforeafter.WarnWeakFit)

	p = base()
	p.Y[0][13] = 1e200
	assert.Equal(t, effect.RefusalNotFinite, controlOf(t, beforeafter.DefaultSynthetic(), p).Units[0].Refusal)

	// Donors that are all the same, and a unit that is not.
	flat := panelOf([][]float64{{1, 2, 3, 4}, {5, 5, 5, 5}, {5, 5, 5, 5}}, 3)
	o = beforeafter.DefaultSynthetic()
	o.MaxOutside = 1
	row = controlOf(t, o, flat).Units[0]
	assert.Equal(t, beforeafter.RefusalNotComparable, row.Refusal)
	assert.True(t, math.IsNaN(row.PreFit))

	// Units that are all the same, but for a last digit.
	alike := panelOf([][]float64{{0.1 + 0.2, 0.3, 0.3, 4}, {0.3, 0.3, 0.3, 0.3}, {0.3, 0.3, 0.3, 0.3}}, 3)
	row = controlOf(t, o, alike).Units[0]
	assert.Equal(t, effect.RefusalNoVariation, row.Refusal)
	assert.True(t, math.IsNaN(row.ATT))

	o = beforeafter.DefaultSynthetic()
	o.Backdate = 8
	row = controlOf(t, o, base()).Units[0]
	assert.Contains(t, row.Warnings, beforeafter.WarnNotBackdated)
	assert.Zero(t, row.BackdatedTo)
	assert.True(t, math.IsNaN(row.BackdatedATT))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := o.Estimate(ctx, base())
	assert.ErrorIs(t, err, context.Canceled)
	_, err = o.Estimate(context.Background(), &beforeafter.Panel{})
	assert.ErrorIs(t, err, beforeafter.ErrPanel)
	for i, change := range []func(o *beforeafter.Synthetic){
		func(o *beforeafter.Synthetic) { o.Donors = []string{"nobody"} },
		func(o *beforeafter.Synthetic) { o.LeaveOut = []string{"nobody"} },
		func(o *beforeafter.Synthetic) { o.Predictors = []beforeafter.Predictor{{"nothing", 1}} },
		func(o *beforeafter.Synthetic) { o.OutcomeWeight = 0 },
		func(o *beforeafter.Synthetic) { o.OutcomeWeight = nan },
		func(o *beforeafter.Synthetic) { o.MinBefore = 0 },
		func(o *beforeafter.Synthetic) { o.MinDonors = 0 },
		func(o *beforeafter.Synthetic) { o.MaxPreFit = nan },
		func(o *beforeafter.Synthetic) { o.MaxOutside = -1 },
		func(o *beforeafter.Synthetic) { o.DropWorse = -1 },
		func(o *beforeafter.Synthetic) { o.Backdate = -1 },
		func(o *beforeafter.Synthetic) { o.Confidence = 1 },
		func(*beforeafter.Synthetic) {},
	} {
		o := beforeafter.DefaultSynthetic()
		change(&o)
		_, err := o.Estimate(context.Background(), base())
		if i == 12 {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, beforeafter.ErrOptions, i)
		}
	}
}

// A unit drawn from the same world as its donors, without a change, is told to be
// among the 10 % most extreme in 10 % of worlds.
func TestPlaceboLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const worlds = 300
	low, refused := 0, 0
	for range worlds {
		y := make([][]float64, 20)
		for u := range y {
			level, a := 5*rng.NormFloat64(), rng.NormFloat64()
			for k := range 18 {
				y[u] = append(y[u], level+a*math.Sin(float64(k)/3)+rng.NormFloat64())
			}
		}
		o := beforeafter.DefaultSynthetic()
		o.MaxPreFit, o.MaxOutside = math.Inf(1), math.Inf(1)
		row := controlOf(t, o, panelOf(y, 12)).Units[0]
		if row.Refusal != "" {
			refused++
		}
		if row.P <= 0.1 {
			low++
		}
	}
	assert.Zero(t, refused)
	// Binomial with 300 and 0.1: 30, standard deviation 5.2.
	assert.InDelta(t, 30, low, 16)
}
