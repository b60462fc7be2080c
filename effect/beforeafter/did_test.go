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
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// mpdta reads testdata/reference/mpdta.csv: log teen employment of 500 counties,
// with log population as covariate lpop.
func mpdta(t *testing.T) *beforeafter.Panel {
	t.Helper()
	f, err := os.Open("../../testdata/reference/mpdta.csv")
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return v
	}
	var rows []beforeafter.Row
	for _, l := range lines[1:] {
		r := beforeafter.Row{Unit: l[0], Period: int(number(l[1])), Since: int(number(l[2])), Y: number(l[5]), X: []float64{number(l[4])}}
		if r.Since == 0 {
			r.Since = beforeafter.Never
		}
		rows = append(rows, r)
	}
	p, err := beforeafter.FromRows([]string{"lpop"}, rows)
	require.NoError(t, err)
	require.Equal(t, 500, len(p.Units))
	require.Equal(t, []int{2003, 2004, 2005, 2006, 2007}, p.Periods)
	return p
}

// bare is the panel without covariates.
func bare(p *beforeafter.Panel) *beforeafter.Panel {
	out := *p
	out.Covariates, out.X = nil, nil
	return &out
}

func estimateDiD(t *testing.T, o beforeafter.DiD, p *beforeafter.Panel) *beforeafter.Differences {
	t.Helper()
	d, err := o.Estimate(context.Background(), p)
	require.NoError(t, err)
	return d
}

// The figures of R's did, from its package; the CSV is rounded.
func TestMpdta(t *testing.T) {
	d := estimateDiD(t, beforeafter.DefaultDiD(), bare(mpdta(t)))
	want := []float64{
		-0.0105032462210, -0.0704231581032, -0.1372587388894, -0.1008113630854,
		0.0065201124242, -0.0027508187505, -0.0045946069529, -0.0412244715462,
		0.0305066555833, -0.0027258928861, -0.0310871193897, -0.0260544107192,
	}
	require.Len(t, d.Effects, len(want))
	for i, w := range want {
		assert.InDelta(t, w, d.Effects[i].Effect, 2e-6)
	}
	assert.InDelta(t, 0.0232510363682, d.Effects[0].SE, 2e-6)
	assert.Equal(t, beforeafter.Simple, d.Averages[0].Kind)
	assert.InDelta(t, -0.0399512751552, d.Averages[0].Effect, 2e-6)
	assert.Equal(t, []beforeafter.GroupSize{{2004, 20}, {2006, 40}, {2007, 131}}, d.Groups)
	assert.Equal(t, 309, d.Never)
	assert.Empty(t, d.Warnings)
	// The same p-value is printed by summary(att_gt(...)) of R's did 2.1.2: 0.16812.
	assert.Equal(t, 5, d.PreTrend.DF)
	assert.InDelta(t, 0.16812, d.PreTrend.P, 1e-5)
}

// TestReference compares with testdata/reference/did.json, made by did.py with
// csdid 0.4.3: every way of asking, with standard errors.
func TestReference(t *testing.T) {
	type averages struct {
		Overall []float64  `json:"overall"`
		At      []float64  `json:"at"`
		Att     []float64  `json:"att"`
		SE      []*float64 `json:"se"`
	}
	var ref struct {
		Cases []struct {
			Controls     string              `json:"controls"`
			Base         beforeafter.Base    `json:"base"`
			Anticipation int                 `json:"anticipation"`
			Covariates   bool                `json:"covariates"`
			Weighted     bool                `json:"weighted"`
			Late         bool                `json:"late"`
			Group        []float64           `json:"group"`
			Period       []float64           `json:"period"`
			Att          []float64           `json:"att"`
			SE           []*float64          `json:"se"`
			Averages     map[string]averages `json:"averages"`
		} `json:"cases"`
	}
	b, err := os.ReadFile("../../testdata/reference/did.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &ref))
	require.Len(t, ref.Cases, 36)
	for _, c := range ref.Cases {
		t.Run(fmt.Sprint(c.Controls, c.Base, c.Anticipation, c.Covariates, c.Weighted, c.Late), func(t *testing.T) {
			p, o := mpdta(t), beforeafter.DefaultDiD()
			if c.Weighted {
				for _, unit := range p.Units {
					id, _ := strconv.Atoi(unit)
					p.Weight = append(p.Weight, 1+float64(id%7)/3)
				}
			}
			if !c.Covariates {
				p = bare(p)
			}
			if c.Late {
				keep := make([]bool, len(p.Units))
				for u, since := range p.Since {
					keep[u] = since != beforeafter.Never
				}
				p = p.Keep(keep)
			}
			if o.Base, o.Anticipation = c.Base, c.Anticipation; c.Controls == "notyettreated" {
				o.Controls = beforeafter.NotYetTreated
			}
			d := estimateDiD(t, o, p)
			require.Len(t, d.Effects, len(c.Att))
			near := func(effect float64, se *float64, f beforeafter.Figure, what ...any) {
				t.Helper()
				require.Nil(t, f.Refusal, what...)
				assert.InDelta(t, effect, f.Effect, 1e-9, what...)
				if se == nil {
					assert.Zero(t, f.SE, what...)
				} else {
					assert.InDelta(t, *se, f.SE, 1e-9, what...)
				}
			}
			for i, e := range d.Effects {
				assert.Equal(t, [2]float64{c.Group[i], c.Period[i]}, [2]float64{float64(e.Group), float64(e.Period)})
				near(c.Att[i], c.SE[i], e.Figure, e.Group, e.Period)
			}
			compare := func(kind beforeafter.Kind, want averages, d *beforeafter.Differences) {
				t.Helper()
				at := []float64{}
				for _, a := range d.Averages {
					if a.Kind != kind {
						continue
					}
					if a.Overall {
						near(want.Overall[0], &want.Overall[1], a.Figure, kind)
						continue
					}
					k := len(at)
					at = append(at, float64(a.At))
					near(want.Att[k], want.SE[k], a.Figure, kind, a.At)
				}
				assert.Equal(t, want.At, at)
			}
			for name, kind := range map[string]beforeafter.Kind{"simple": beforeafter.Simple, "dynamic": beforeafter.Event, "group": beforeafter.ByGroup, "calendar": beforeafter.ByPeriod} {
				compare(kind, c.Averages[name], d)
			}
			if want, ok := c.Averages["balanced"]; ok {
				o.Through = 1
				compare(beforeafter.Event, want, estimateDiD(t, o, p))
			}
		})
	}
}

// world is a panel of a few units with a covariate that moves the outcome over
// time, and two groups with effects of their own: 1 + periods since the change, and
// half of it.
func world(seed uint64, never, first, second int, trend float64) *beforeafter.Panel {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &beforeafter.Panel{Periods: []int{1, 2, 3, 4, 5, 6}, Covariates: []string{"x"}}
	for u := range never + first + second {
		since, x, level := beforeafter.Never, rng.NormFloat64(), 3*rng.NormFloat64()
		switch {
		case u < first:
			since = 4
		case u < first+second:
			since = 5
		}
		if since != beforeafter.Never {
			x += 0.5
		}
		var y []float64
		for _, t := range p.Periods {
			v := level + 0.3*float64(t) + trend*x*float64(t) + rng.NormFloat64()
			if t >= since {
				v += float64(1+t-since) * map[int]float64{4: 1, 5: 0.5}[since]
			}
			y = append(y, v)
		}
		p.Units, p.Since = append(p.Units, fmt.Sprintf("%03d", u)), append(p.Since, since)
		p.Y, p.X = append(p.Y, y), append(p.X, []float64{x})
	}
	return p
}

// Without covariates an effect is the difference between two mean changes.
func TestBruteForce(t *testing.T) {
	p := bare(world(1, 12, 6, 7, 0))
	for _, controls := range []beforeafter.Controls{beforeafter.NeverTreated, beforeafter.NotYetTreated} {
		o := beforeafter.DefaultDiD()
		o.Controls = controls
		d := estimateDiD(t, o, p)
		require.Len(t, d.Effects, 10)
		for _, e := range d.Effects {
			base := e.Group - 1
			if e.Period < e.Group {
				base = e.Period - 1
			}
			assert.Equal(t, base, e.Base)
			var in, out []float64
			for u, since := range p.Since {
				change := p.Y[u][e.Period-1] - p.Y[u][base-1]
				switch {
				case since == e.Group:
					in = append(in, change)
				case since == beforeafter.Never, controls == beforeafter.NotYetTreated && since > e.Period:
					out = append(out, change)
				}
			}
			m, v := moments(in)
			n, w := moments(out)
			assert.Equal(t, [2]int{len(in), len(out)}, [2]int{e.Treated, e.Controls})
			assert.InDelta(t, m-n, e.Effect, 1e-12)
			assert.InDelta(t, math.Sqrt(v/float64(len(in))+w/float64(len(out))), e.SE, 1e-12)
			if controls == beforeafter.NeverTreated {
				// Welch's degrees of freedom, and half the interval by unbiased variances.
				a, b := v/float64(len(in)-1), w/float64(len(out)-1)
				assert.InEpsilon(t, (a+b)*(a+b)/(a*a/float64(len(in)-1)+b*b/float64(len(out)-1)), e.DF, 1e-9)
				assert.InEpsilon(t, interval.StudentT(e.DF, 0.95)*math.Sqrt(a+b), (e.High-e.Low)/2, 1e-9)
			}
		}
	}
}

// moments are the mean and the variance around it, divided by n.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, variance
}

// figures are all numbers of a result in a row, effects before standard errors.
func figures(d *beforeafter.Differences) (effects, errors []float64) {
	for _, e := range d.Effects {
		effects, errors = append(effects, e.Effect), append(errors, e.SE)
	}
	for _, a := range d.Averages {
		effects, errors = append(effects, a.Effect), append(errors, a.SE)
	}
	return effects, errors
}

// text is everything a value holds; NaN is equal to NaN.
func text(v any) string { return fmt.Sprintf("%+v", v) }

func TestLaws(t *testing.T) {
	base, o := world(2, 20, 8, 9, 0.4), beforeafter.DefaultDiD()
	o.Controls = beforeafter.NotYetTreated
	d := estimateDiD(t, o, base)
	effects, errors := figures(d)
	require.NotContains(t, fmt.Sprint(effects, errors), "NaN")
	same := func(p *beforeafter.Panel, scale, scaleSE float64) *beforeafter.Differences {
		t.Helper()
		got := estimateDiD(t, o, p)
		e, s := figures(got)
		require.Len(t, e, len(effects))
		for i := range e {
			assert.InDelta(t, scale*effects[i], e[i], 1e-9)
			assert.InDelta(t, scaleSE*errors[i], s[i], 1e-9)
		}
		return got
	}
	vary := func(change func(u int, p *beforeafter.Panel)) *beforeafter.Panel {
		p := world(2, 20, 8, 9, 0.4)
		for u := range p.Units {
			change(u, p)
		}
		return p
	}
	// Units in another order: the same bytes, and the argument is as it was.
	p := world(2, 20, 8, 9, 0.4)
	order := rand.New(rand.NewPCG(3, 3)).Perm(len(p.Units))
	q := &beforeafter.Panel{Periods: p.Periods, Covariates: p.Covariates}
	for _, u := range order {
		q.Units, q.Since, q.Y, q.X = append(q.Units, p.Units[u]), append(q.Since, p.Since[u]), append(q.Y, p.Y[u]), append(q.X, p.X[u])
	}
	first := q.Units[0]
	assert.Equal(t, text(*d), text(*estimateDiD(t, o, q)))
	assert.Equal(t, first, q.Units[0])
	assert.Equal(t, world(2, 20, 8, 9, 0.4), base)

	same(vary(func(u int, p *beforeafter.Panel) { // a level of each unit, a period's common shift, and a scale
		for i := range p.Y[u] {
			p.Y[u][i] = 7*p.Y[u][i] + 100*float64(u) + float64(i*i)
		}
	}), 7, 7)
	same(vary(func(u int, p *beforeafter.Panel) { p.X[u][0] = 1e6 - 3*p.X[u][0] }), 1, 1)
	twice := vary(func(u int, p *beforeafter.Panel) { p.X[u] = append(p.X[u], 2-p.X[u][0]) })
	twice.Covariates = []string{"x", "again"}
	assert.Equal(t, 2, same(twice, 1, 1).Effects[0].Columns)
	same(vary(func(u int, p *beforeafter.Panel) { p.Weight = append(p.Weight, 2.5) }), 1, 1)
	// Every unit twice is every unit at double weight, with half the variance.
	double := world(2, 20, 8, 9, 0.4)
	for u, unit := range base.Units {
		double.Units, double.Since = append(double.Units, unit+" again"), append(double.Since, base.Since[u])
		double.Y, double.X = append(double.Y, base.Y[u]), append(double.X, base.X[u])
	}
	same(double, 1, 1/math.Sqrt2)
	// A unit that had the change from the first period on takes no part.
	more := world(2, 20, 8, 9, 0.4)
	more.Units, more.Since = append(more.Units, "early"), append(more.Since, 1)
	more.Y, more.X = append(more.Y, []float64{9, 9, 9, 9, 9, 9}), append(more.X, []float64{0})
	assert.Equal(t, []string{"early"}, same(more, 1, 1).Early)
	// With one group and units that never change there is nobody not yet treated.
	one := world(4, 15, 9, 0, 0)
	never := beforeafter.DefaultDiD()
	assert.Equal(t, text(*estimateDiD(t, never, one)), text(*estimateDiD(t, o, one)))
}

// The interval holds what it says over simulated panels with few units; and a
// covariate that moves the outcome misleads whoever does not adjust for it.
func TestCoverage(t *testing.T) {
	const panels = 400
	o := beforeafter.DefaultDiD()
	truth := (8*(1.0+2+3)/3*3 + 6*(0.5+1.0)) / (8*3 + 6*2)
	var held, heldFirst, heldSmall, rejected, plain int
	var bias, naive float64
	for seed := range uint64(panels) {
		p := world(seed+100, 25, 8, 6, 0.5)
		d := estimateDiD(t, o, p)
		a := d.Averages[0]
		bias += (a.Effect - truth) / panels
		if a.Low <= truth && truth <= a.High {
			held++
		}
		for _, e := range d.Effects {
			if e.Group == 4 && e.Period == 4 && e.Low <= 1 && 1 <= e.High {
				heldFirst++
			}
		}
		naive += (estimateDiD(t, o, bare(p)).Averages[0].Effect - truth) / panels
		small := estimateDiD(t, o, bare(world(seed+900, 5, 5, 0, 0)))
		if s := small.Averages[0]; s.Low <= 2 && 2 <= s.High {
			heldSmall++
		}
		few := estimateDiD(t, o, bare(world(seed+500, 7, 6, 6, 0))).PreTrend
		require.Equal(t, 5, few.DF)
		if few.PFew < 0.05 {
			rejected++
		}
		if few.P < 0.05 {
			plain++
		}
	}
	t.Logf("average %.3f, first %.3f, five and five %.3f, rejected %.3f (chi-square %.3f), bias %.3f, without the covariate %.3f",
		float64(held)/panels, float64(heldFirst)/panels, float64(heldSmall)/panels, float64(rejected)/panels, float64(plain)/panels, bias, naive)
	for _, n := range []int{held, heldFirst, heldSmall} {
		assert.InDelta(t, 0.95, float64(n)/panels, 0.03)
	}
	assert.InDelta(t, 0.05, float64(rejected)/panels, 0.03)
	assert.Greater(t, plain, 2*rejected, "the chi-square distribution is for many units")
	assert.InDelta(t, 0, bias, 0.06)
	assert.Greater(t, naive, 0.2)
}

func TestRefusals(t *testing.T) {
	o := beforeafter.DefaultDiD()
	code := func(p *beforeafter.Panel) string {
		_, err := o.Estimate(context.Background(), p)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok, "%v", err)
		return r.Code
	}
	p := world(1, 10, 6, 2, 0)
	p.Y[3][2] = math.NaN()
	assert.Equal(t, beforeafter.RefusalMissing, code(p))
	p, left := p.Complete()
	assert.Equal(t, []string{"003"}, left)
	d := estimateDiD(t, o, p)
	assert.Equal(t, []string{"effects_left_out"}, d.Warnings)
	for _, e := range d.Effects {
		if e.Group == 5 {
			assert.Equal(t, beforeafter.RefusalFewTreated, e.Refusal.Code)
			assert.True(t, math.IsNaN(e.Effect))
		} else {
			assert.Nil(t, e.Refusal)
		}
	}
	assert.Equal(t, [3]int{3, 2, 5}, [3]int{d.Averages[0].Cells, d.Averages[0].Left, d.Averages[0].Treated})

	assert.Equal(t, beforeafter.RefusalNoNever, code(world(1, 0, 6, 6, 0)))
	assert.Equal(t, beforeafter.RefusalNoChange, code(world(1, 9, 0, 0, 0)))
	late := world(1, 9, 6, 0, 0)
	for u := range late.Since {
		late.Since[u] = min(late.Since[u], 40)
	}
	for u := range 6 {
		late.Since[u] = 9
	}
	assert.Equal(t, beforeafter.RefusalNoChange, code(late))

	d = estimateDiD(t, o, world(1, 4, 6, 6, 0))
	assert.Equal(t, beforeafter.RefusalFewControls, d.Effects[0].Refusal.Code)
	assert.Equal(t, effect.RefusalNoComparators, d.Averages[0].Refusal.Code)
	assert.NotNil(t, d.PreTrend.Refusal)

	// A covariate that tells the groups from the others, or nearly.
	p = world(1, 12, 6, 6, 0)
	for u, since := range p.Since {
		p.X[u][0] = float64(u % 3)
		if since != beforeafter.Never {
			p.X[u][0] += 10
		}
	}
	assert.Equal(t, effect.RefusalSeparation, estimateDiD(t, o, p).Effects[0].Refusal.Code)
	p = world(1, 400, 6, 6, 0)
	for u, since := range p.Since {
		p.X[u][0] = float64(u%100) / 25
		if since != beforeafter.Never {
			p.X[u][0] = 2 + 98*float64(min(1, u%6))
		}
	}
	e := estimateDiD(t, o, p).Effects[0]
	assert.Equal(t, beforeafter.RefusalNoOverlap, e.Refusal.Code)
	assert.GreaterOrEqual(t, e.Propensity, 0.999)

	p = world(1, 12, 6, 6, 0)
	for u := range p.Y {
		p.Y[u] = []float64{1, 2, 3, 4, 5, 6}
	}
	assert.Equal(t, effect.RefusalNoVariation, estimateDiD(t, o, p).Effects[0].Refusal.Code)

	// What cannot be squared and added up.
	for _, size := range []float64{1e70, 1e200, 1.7e308} {
		p = world(1, 12, 6, 6, 0)
		for u := range p.Y {
			for k := range p.Y[u] {
				p.Y[u][k] *= size
				p.Y[u][k] = max(-1.7e308, min(1.7e308, p.Y[u][k]))
			}
		}
		assert.Equal(t, effect.RefusalNotFinite, code(p))
	}
	p = world(1, 12, 6, 6, 0)
	p.Weight = slices.Repeat([]float64{1e300}, len(p.Units))
	assert.Equal(t, effect.RefusalNotFinite, code(p))

	for _, bad := range []func(*beforeafter.DiD){
		func(o *beforeafter.DiD) { o.Controls = "some" }, func(o *beforeafter.DiD) { o.Base = "" },
		func(o *beforeafter.DiD) { o.Anticipation = -1 }, func(o *beforeafter.DiD) { o.MinTreated = 1 },
		func(o *beforeafter.DiD) { o.MaxPropensity = 0 }, func(o *beforeafter.DiD) { o.Confidence = 95 },
		func(o *beforeafter.DiD) { o.Through = -2 },
	} {
		o := beforeafter.DefaultDiD()
		bad(&o)
		_, err := o.Estimate(context.Background(), world(1, 9, 6, 6, 0))
		require.ErrorIs(t, err, beforeafter.ErrOptions)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := o.Estimate(ctx, world(1, 9, 6, 6, 0))
	require.ErrorIs(t, err, context.Canceled)
}

// A covariate in another unit adjusts for the same, however large or small its
// numbers are; one that tells nothing is said to.
func TestScaleOfCovariates(t *testing.T) {
	o := beforeafter.DefaultDiD()
	want := estimateDiD(t, o, world(1, 30, 8, 8, 0)).Averages[0]
	for _, scale := range []float64{0x1p-700, 0x1p-20, 0x1p20, 0x1p700} {
		p := world(1, 30, 8, 8, 0)
		for u := range p.X {
			p.X[u] = slices.Clone(p.X[u])
			for k := range p.X[u] {
				p.X[u][k] *= scale
			}
		}
		d := estimateDiD(t, o, p)
		assert.Equal(t, [2]float64{want.Effect, want.SE}, [2]float64{d.Averages[0].Effect, d.Averages[0].SE}, "%g", scale)
		assert.NotContains(t, d.Warnings, "covariates_determined")
	}
	p := world(1, 30, 8, 8, 0)
	for u := range p.X {
		p.X[u] = slices.Repeat([]float64{3}, len(p.X[u]))
	}
	d := estimateDiD(t, o, p)
	assert.Contains(t, d.Warnings, "covariates_determined")
	assert.Contains(t, strings.Join(d.Words(p.Calendar, effect.UnitNumber), "\n"), "adjusts for nothing there")
}

// With as many effects before the change as units to tell them, the test goes by
// the rank of their covariance.
func TestPreTrendRank(t *testing.T) {
	p := bare(world(5, 5, 5, 0, 0))
	for u := range p.Y {
		rng := rand.New(rand.NewPCG(uint64(u), 9))
		p.Y[u] = nil
		for range 20 {
			p.Y[u] = append(p.Y[u], rng.NormFloat64())
		}
		p.Since[u] = min(p.Since[u], 19)
	}
	for u := range p.Since {
		if u >= 5 {
			p.Since[u] = beforeafter.Never
		} else {
			p.Since[u] = 19
		}
	}
	p.Periods = nil
	for t := range 20 {
		p.Periods = append(p.Periods, t+1)
	}
	d := estimateDiD(t, beforeafter.DefaultDiD(), p)
	assert.Equal(t, 17, d.PreTrend.Cells)
	assert.Equal(t, 8, d.PreTrend.DF) // ten units less two means
	assert.False(t, math.IsNaN(d.PreTrend.P))
	assert.True(t, math.IsNaN(d.PreTrend.PFew), "five units a side do not carry 8 effects")
	// With one effect it is Welch's test.
	one := *p
	one.Periods, one.Y = []int{17, 18, 19}, nil
	for _, y := range p.Y {
		one.Y = append(one.Y, y[16:19])
	}
	d = estimateDiD(t, beforeafter.DefaultDiD(), &one)
	e := d.Effects[0]
	assert.Equal(t, 18, e.Period)
	require.Equal(t, 1, d.PreTrend.DF)
	root := e.Effect / ((e.High - e.Low) / 2 / interval.StudentT(e.DF, 0.95))
	assert.InEpsilon(t, interval.TwoSided(root, e.DF), d.PreTrend.PFew, 1e-9)
	assert.InEpsilon(t, e.Effect*e.Effect/e.SE/e.SE, d.PreTrend.Statistic, 1e-9)
}

// Where the units moved apart before the change nothing is rated, whatever the
// intervals; where they did not, event times go by the band, and single effects
// have no verdict at all.
func TestVerdicts(t *testing.T) {
	verdicts := func(d *beforeafter.Differences) (rated, unrated, described int) {
		for _, r := range d.Rows(beforeafter.Numbers) {
			if r.Kind == beforeafter.KindPreTrend || r.Kind == beforeafter.Event && r.EventTime < 0 {
				continue
			}
			switch {
			case r.Verdict == "":
				described++
				require.False(t, r.Overall)
				require.NotEqual(t, beforeafter.Event, r.Kind)
			case r.Verdict == effect.NotRated:
				unrated++
				require.Equal(t, beforeafter.RefusalMovedApart, r.Refusal)
				require.False(t, math.IsNaN(r.Effect))
			default:
				rated++
				low, high := r.Low, r.High
				if !r.Overall {
					low, high = r.BandLow, r.BandHigh
				}
				want := effect.NoDifference
				if low > 0 {
					want = effect.Higher
				} else if high < 0 {
					want = effect.Lower
				}
				require.Equal(t, want, r.Verdict)
			}
		}
		return rated, unrated, described
	}
	apart := bare(world(3, 60, 40, 40, 3))
	d := estimateDiD(t, beforeafter.DefaultDiD(), apart)
	require.Less(t, d.PreTrend.PFew, 0.01)
	rated, unrated, described := verdicts(d)
	assert.Zero(t, rated)
	assert.Positive(t, unrated)
	assert.Positive(t, described)
	assert.Contains(t, strings.Join(d.Words(beforeafter.Numbers, ""), " "), "not rated. They did not move alike before the change")

	d = estimateDiD(t, beforeafter.DefaultDiD(), bare(world(3, 60, 40, 40, 0)))
	require.Greater(t, d.PreTrend.PFew, 0.05)
	rated, unrated, _ = verdicts(d)
	assert.Positive(t, rated)
	assert.Zero(t, unrated)
}
