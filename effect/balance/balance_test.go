package balance_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
)

func TestLaws(t *testing.T) {
	m := balance.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52")
	m.Ladder = [][]effect.Class{{{Covariate: "sex"}, {Covariate: "age", Cuts: []float64{30, 50}}}, {{Covariate: "sex"}}}
	effecttest.Laws(t, m, effecttest.NotAdditive)
}

var numbers = []string{"age", "educ", "married", "nodegree", "re74", "re75"}

// lalonde is the training programme, in seven municipalities.
func lalonde(t testing.TB) *effect.Comparison {
	t.Helper()
	f, err := os.Open("../../testdata/reference/lalonde_614.csv")
	require.NoError(t, err)
	defer f.Close()
	return effecttest.Lalonde(t, f, 7)
}

func covariates() []string { return append([]string{"race"}, numbers...) }

func TestLalonde(t *testing.T) {
	c := lalonde(t)
	m := balance.Default(covariates()...)
	e, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, 1273.26181391, e.Observed-e.Expected, 1e-9)
	assert.InEpsilon(t, 98.4578344244, e.EffectiveN, 1e-9)
	assert.InEpsilon(t, 9.42044612165, e.MaxWeight*429, 1e-9)
	m.Also = []effect.Term{effect.Squares}
	e, err = m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, 1068.0890259, e.Observed-e.Expected, 1e-8)
	assert.InEpsilon(t, 34.3197059929, e.EffectiveN, 1e-8)
}

// figures are those of testdata/reference/balance.py and balance.R.
type figures struct {
	ATT        float64 `json:"att"`
	EffectiveN float64 `json:"effective_n"`
	MaxWeight  float64 `json:"max_weight"`
	VarCell    float64 `json:"var_cell"`
	HC0, HC3   float64
	Sandwich   float64 // by a stacked M-estimation sandwich; Python only
}

func reference(t *testing.T, name string) (out struct{ Plain, Squares, Joint figures }) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/" + name)
	require.NoError(t, err)
	var r struct {
		Plain, Squares figures
		Joint          figures `json:"race_by_married"`
	}
	require.NoError(t, json.Unmarshal(b, &r))
	out.Plain, out.Squares, out.Joint = r.Plain, r.Squares, r.Joint
	return out
}

func expect(t *testing.T, m balance.Method, c *effect.Comparison) effect.Expectation {
	t.Helper()
	e, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	return e
}

// Python and R agree with each other, and the method with both: the balance of
// covariates, of squares too, and within exact joint classes.
func TestReference(t *testing.T) {
	plain := balance.Default(covariates()...)
	squares, joint := plain, plain
	squares.Also = []effect.Term{effect.Squares}
	joint.Ladder = [][]effect.Class{{{Covariate: "race"}, {Covariate: "married", Cuts: []float64{0.5}}}}
	for _, file := range []string{"balance.json", "balance_r.json"} {
		r := reference(t, file)
		for _, c := range []struct {
			m    balance.Method
			want figures
			rank int
			rung string
		}{
			{plain, r.Plain, 9, ""},
			{squares, r.Squares, 13, ""},
			{joint, r.Joint, 11, "race, married"},
		} {
			e := expect(t, c.m, lalonde(t))
			assert.InEpsilon(t, c.want.ATT, e.Observed-e.Expected, 1e-9)
			assert.InEpsilon(t, c.want.EffectiveN, e.EffectiveN, 1e-8)
			assert.InEpsilon(t, c.want.MaxWeight, e.MaxWeight, 1e-8)
			assert.InEpsilon(t, c.want.VarCell, e.VarCell, 1e-8)
			assert.InEpsilon(t, c.want.HC3, e.VarComparators, 1e-6)
			assert.Equal(t, c.rank, e.Rank)
			assert.Equal(t, c.rung, e.Rung)
			assert.True(t, e.Converged)
			assert.LessOrEqual(t, e.ScoreNorm, 1e-10)
			assert.Nil(t, e.Covered)
		}
	}
}

// The residuals of the weighted regression are the influence of both steps: their
// squares (without leverages) are the variance of the stacked sandwich, in which
// balancing and means are estimated together.
func TestTwoStepVariance(t *testing.T) {
	c := lalonde(t)
	e := expect(t, balance.Default(covariates()...), c)
	n1 := float64(len(c.In))
	_, residual, leverage := second(t, laidOut(c), outcomes(c))
	hc0, hc3 := 0.0, 0.0
	for k := range c.Out {
		v := e.Weights[k] * residual[k]
		hc0 += v * v
		hc3 += v * v / (1 - leverage[k]) / (1 - leverage[k])
	}
	assert.InEpsilon(t, reference(t, "balance.json").Plain.Sandwich, e.VarCell*(n1-1)/n1+hc0, 1e-6)
	assert.InEpsilon(t, hc3, e.VarComparators, 1e-7)
}

// laidOut is the problem of lalonde's comparators, laid out by the test itself.
func laidOut(c *effect.Comparison) balance.Problem {
	width := 8
	p := balance.Problem{X: balance.Matrix{N: len(c.Out), P: width}, Target: make([]float64, width)}
	rows := func(list []int32) (out [][]float64) {
		for _, i := range list {
			race := c.Cases.Covariates[0].Factor.At(int(i))
			row := []float64{0, 0}
			switch race {
			case "hispan":
				row[0] = 1
			case "white":
				row[1] = 1
			}
			for k := range numbers {
				row = append(row, c.Cases.Covariates[k+1].Number[i])
			}
			row[6], row[7] = row[6]/5000, row[7]/5000
			row[2], row[3] = row[2]/10, row[3]/3
			out = append(out, row)
		}
		return out
	}
	for _, row := range rows(c.In) {
		for k, v := range row {
			p.Target[k] += v / float64(len(c.In))
		}
	}
	for _, row := range rows(c.Out) {
		p.X.Data = append(p.X.Data, row...)
	}
	return p
}

func outcomes(c *effect.Comparison) (y []float64) {
	for _, i := range c.Out {
		y = append(y, c.Y[i])
	}
	return y
}

// Another implementation, and a numerical derivative: the weighted mean moves by
// w (Y - m) with the logarithm of a comparator's base weight.
func TestSecondImplementation(t *testing.T) {
	c := lalonde(t)
	p, y := laidOut(c), outcomes(c)
	w, residual, _ := second(t, p, y)
	got, err := balance.Entropy(context.Background(), p)
	require.NoError(t, err)
	e := expect(t, balance.Default(covariates()...), c)
	for i := range w {
		assert.InDelta(t, w[i], got.Weights[i], 1e-9)
		assert.InDelta(t, w[i], e.Weights[i], 1e-9)
	}
	mean := func(i int, up float64) (sum float64) {
		p := p
		p.Base = make([]float64, p.X.N)
		for k := range p.Base {
			p.Base[k] = 1
		}
		p.Base[i] = math.Exp(up)
		w, err := balance.Entropy(context.Background(), p)
		require.NoError(t, err)
		for k, v := range w.Weights {
			sum += v * y[k]
		}
		return sum
	}
	for i := 0; i < p.X.N; i += 40 {
		slope := (mean(i, 1e-3) - mean(i, -1e-3)) / 2e-3
		assert.InDelta(t, w[i]*residual[i], slope, 1e-4)
	}
}

// refused requires a refusal with a code, and returns why.
func refused(t *testing.T, code string, err error) string {
	t.Helper()
	r, ok := effect.AsRefusal(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, r.Code)
	require.NotEmpty(t, r.Cure)
	return r.Why
}

// Affine covariates, a covariate given twice and a constant one, and another order
// of the cases, change nothing but the rank's warning.
func TestSameFigures(t *testing.T) {
	c := lalonde(t)
	want := expect(t, balance.Default(covariates()...), c)
	check := func(name string, got effect.Expectation) {
		assert.InEpsilon(t, want.Expected, got.Expected, 1e-10, name)
		assert.InEpsilon(t, want.VarCell, got.VarCell, 1e-8, name)
		assert.InEpsilon(t, want.VarComparators, got.VarComparators, 1e-7, name)
		assert.InEpsilon(t, want.EffectiveN, got.EffectiveN, 1e-8, name)
		assert.InEpsilon(t, want.Visible, got.Visible, 1e-7, name)
		assert.Equal(t, want.Rank, got.Rank, name)
	}
	age, _ := c.Covariate("age")
	affine := lalonde(t)
	for k := range affine.Cases.Covariates {
		for i := range affine.Cases.Covariates[k].Number {
			affine.Cases.Covariates[k].Number[i] = 1e4 - 30*affine.Cases.Covariates[k].Number[i]
		}
	}
	check("affine", expect(t, balance.Default(covariates()...), affine))

	more := lalonde(t)
	twice, constant := make([]float64, len(c.Y)), make([]float64, len(c.Y))
	for i, v := range age.Number {
		twice[i], constant[i] = 3-2*v, 7
	}
	more.Cases.Covariates = append(more.Cases.Covariates, effect.Covariate{Name: "twice", Number: twice}, effect.Covariate{Name: "constant", Number: constant})
	got := expect(t, balance.Default(append(covariates(), "twice", "constant")...), more)
	check("given twice", got)
	assert.Equal(t, want.Columns+1, got.Columns)
	assert.Contains(t, got.Warnings, "aliased_columns_set_aside")

	// Every case twice at half its weight is every case twice: twice the persons.
	doubled := lalonde(t)
	n := int32(len(c.Y))
	doubled.Y = append(doubled.Y, doubled.Y...)
	for _, i := range c.In {
		doubled.In = append(doubled.In, i+n)
	}
	for _, i := range c.Out {
		doubled.Out = append(doubled.Out, i+n)
	}
	doubled.Cases.Person = append(doubled.Cases.Person, doubled.Cases.Person...)
	doubled.Cases.Municipality.Codes = append(doubled.Cases.Municipality.Codes, doubled.Cases.Municipality.Codes...)
	for k := range doubled.Cases.Covariates {
		v := &doubled.Cases.Covariates[k]
		v.Factor.Codes = append(v.Factor.Codes, v.Factor.Codes...)
		if v.Number != nil {
			v.Number = append(v.Number, v.Number...)
		}
	}
	got = expect(t, balance.Default(covariates()...), doubled)
	assert.InEpsilon(t, want.Expected, got.Expected, 1e-10)
	assert.InEpsilon(t, 2*want.EffectiveN, got.EffectiveN, 1e-9)
	assert.Equal(t, want.Rank, got.Rank)
}

// The ladder: the first rung that holds is used and named, classes have exactly
// the cell's shares, and comparators outside them weigh nothing.
func TestLadder(t *testing.T) {
	c := lalonde(t)
	fine := []effect.Class{{Covariate: "race"}, {Covariate: "age", Cuts: []float64{18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 35, 40, 45}}}
	race := []effect.Class{{Covariate: "race"}}
	m := balance.Default(covariates()...)
	m.Ladder = [][]effect.Class{fine, race}
	e := expect(t, m, c)
	assert.Equal(t, "race", e.Rung, "too much of the cell has no comparators of its age and race")
	shares := map[string][2]float64{}
	for _, i := range c.In {
		name := c.Cases.Covariates[0].Factor.At(int(i))
		s := shares[name]
		s[0] += 1 / float64(len(c.In))
		shares[name] = s
	}
	for k, i := range e.Out {
		name := c.Cases.Covariates[0].Factor.At(int(i))
		s := shares[name]
		s[1] += e.Weights[k]
		shares[name] = s
	}
	require.Len(t, shares, 3)
	for name, s := range shares {
		assert.InDelta(t, s[0], s[1], 1e-12, name)
	}
	m.MaxUncovered = 0.9
	m.MinComparators = 1
	e = expect(t, m, c)
	assert.Equal(t, "race, age", e.Rung)
	assert.Less(t, e.N, len(c.In))
	assert.NotNil(t, e.Covered)
	// All rungs refuse: the last one's refusal counts.
	m.MinComparators = 1000
	_, err := m.Expect(context.Background(), c)
	refused(t, effect.RefusalFewComparators, err)
	m.Ladder = [][]effect.Class{{{Covariate: "none"}}}
	_, err = m.Expect(context.Background(), c)
	assert.ErrorContains(t, err, `no covariate "none"`)
	_, is := effect.AsRefusal(err)
	assert.False(t, is, "a declaration that makes no sense is an error")
}

// A case with a name that fewer than 5 comparators have is uncovered; comparators
// with a name that nobody in the cell has are left out; a missing number needs
// comparators who miss it.
func TestNames(t *testing.T) {
	c := lalonde(t)
	names, miss := make([]string, len(c.Y)), make([]float64, len(c.Y))
	for i := range names {
		names[i] = "common"
	}
	names[c.In[0]], names[c.In[1]] = "cell only", "rare"
	for k := range 4 {
		names[c.Out[k]] = "rare"
	}
	names[c.Out[4]] = "comparators only"
	miss[c.In[2]] = math.NaN()
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "name", Factor: effect.NewFactor(names)}, effect.Covariate{Name: "miss", Number: miss})
	m := balance.Default("age", "name", "miss")
	e := expect(t, m, c)
	assert.Equal(t, len(c.In)-3, e.N)
	for k, covered := range e.Covered {
		assert.Equal(t, k > 2, covered)
	}
	assert.Equal(t, len(c.Out)-5, e.Comparators)
	assert.Contains(t, e.Warnings, "comparators_set_aside")
	m.MaxUncovered = 0.01
	_, err := m.Expect(context.Background(), c)
	assert.Contains(t, refused(t, effect.RefusalUncovered, err), "2 %")
	// Five who miss it are enough, and the weights give them their share.
	for k := 10; k < 15; k++ {
		miss[c.Out[k]] = math.NaN()
	}
	e = expect(t, balance.Default("age", "name", "miss"), c)
	assert.True(t, e.Covered[2])
	share := 0.0
	for k, i := range e.Out {
		if math.IsNaN(miss[i]) {
			share += e.Weights[k]
		}
	}
	assert.InDelta(t, 1/float64(e.N), share, 1e-11)
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	m := balance.Default("age")
	with := func(change func(c *effect.Comparison)) error {
		c := lalonde(t)
		change(c)
		_, err := m.Expect(ctx, c)
		return err
	}
	refused(t, effect.RefusalNeedsMicro, with(func(c *effect.Comparison) { c.Strata = []effect.StratumTotal{{Municipality: "B"}} }))
	refused(t, effect.RefusalNoCases, with(func(c *effect.Comparison) { c.In = nil }))
	refused(t, effect.RefusalNoComparators, with(func(c *effect.Comparison) { c.Out = nil }))
	refused(t, effect.RefusalNoComparators, with(func(c *effect.Comparison) { c.Out = c.Out[:1] }))
	refused(t, effect.RefusalNotFinite, with(func(c *effect.Comparison) { c.Y[c.Out[3]] = math.NaN() }))
	refused(t, effect.RefusalNotFinite, with(func(c *effect.Comparison) { c.Y[c.In[3]] = math.Inf(1) }))
	assert.Contains(t, refused(t, effect.RefusalNotFinite, with(func(c *effect.Comparison) {
		v, _ := c.Covariate("age")
		v.Number[c.Out[0]] = math.Inf(-1)
	})), "age")
	// No overlap: the cell is older than any comparator.
	assert.Contains(t, refused(t, effect.RefusalCannotBalance, with(func(c *effect.Comparison) {
		v, _ := c.Covariate("age")
		for _, i := range c.In {
			v.Number[i] += 100
		}
	})), "age")
	// Fewer comparators than columns.
	m = balance.Default(covariates()...)
	_, err := m.Expect(ctx, func() *effect.Comparison { c := lalonde(t); c.Out = c.Out[:8]; return c }())
	_, ok := effect.AsRefusal(err)
	assert.True(t, ok, "%v", err)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.Expect(cancelled, lalonde(t))
	assert.ErrorIs(t, err, context.Canceled)
}

// One case in the cell, equal outcomes, a constant covariate: documented values.
func TestExtremes(t *testing.T) {
	c := lalonde(t)
	c.In = c.In[5:6]
	e := expect(t, balance.Default("age"), c)
	assert.Equal(t, 1, e.N)
	assert.True(t, math.IsNaN(e.VarCell))
	c = lalonde(t)
	for i := range c.Y {
		c.Y[i] = 3
	}
	e = expect(t, balance.Default(covariates()...), c)
	assert.InEpsilon(t, 3, e.Expected, 1e-12)
	assert.InDelta(t, 0, e.VarComparators, 1e-20)
	c = lalonde(t)
	age, _ := c.Covariate("age")
	for i := range age.Number {
		age.Number[i] = 40
	}
	e = expect(t, balance.Default("age"), c)
	mean := 0.0
	for _, i := range c.Out {
		mean += c.Y[i] / float64(len(c.Out))
	}
	assert.InEpsilon(t, mean, e.Expected, 1e-12, "nothing to balance")
	// Nothing at all to balance by.
	e = expect(t, balance.Default(), c)
	assert.InEpsilon(t, mean, e.Expected, 1e-12)
	assert.Equal(t, 1, e.Rank)
	// All of the cell is married: only the married can weigh.
	c = lalonde(t)
	married, _ := c.Covariate("married")
	c.In = slices.DeleteFunc(slices.Clone(c.In), func(i int32) bool { return married.Number[i] == 0 })
	e = expect(t, balance.Default("married", "age"), c)
	for _, i := range e.Out {
		assert.Equal(t, 1.0, married.Number[i])
	}
	assert.Contains(t, e.Warnings, "comparators_set_aside")
}

// Where many are alike, they are folded to one pattern: the weights are those of
// the cases one by one.
func TestFolded(t *testing.T) {
	c := lalonde(t)
	for _, name := range []string{"age", "educ"} {
		v, _ := c.Covariate(name)
		for i := range v.Number {
			v.Number[i] = math.Floor(v.Number[i] / 5)
		}
	}
	m := balance.Default("race", "married", "nodegree", "age", "educ")
	m.Ladder = [][]effect.Class{{{Covariate: "married", Cuts: []float64{0.5}}}}
	frame, err := c.Frame(context.Background(), m.Covariates, nil)
	require.NoError(t, err)
	require.True(t, frame.Folded)
	e := expect(t, m, c)
	require.Equal(t, "married", e.Rung)
	p := balance.Problem{X: balance.Matrix{N: len(c.Out), P: 6}, Target: make([]float64, 6)}
	row := func(i int32) []float64 {
		race := c.Cases.Covariates[0].Factor.At(int(i))
		out := make([]float64, 2)
		if race == "hispan" {
			out[0] = 1
		} else if race == "white" {
			out[1] = 1
		}
		for _, name := range m.Covariates[1:] {
			v, _ := c.Covariate(name)
			out = append(out, v.Number[i])
		}
		return out
	}
	for _, i := range c.In {
		for k, v := range row(i) {
			p.Target[k] += v / float64(len(c.In))
		}
	}
	for _, i := range c.Out {
		p.X.Data = append(p.X.Data, row(i)...)
	}
	w, residual, leverage := second(t, p, outcomes(c))
	hc3 := 0.0
	for k := range w {
		assert.InDelta(t, w[k], e.Weights[k], 1e-9)
		v := w[k] * residual[k] / (1 - leverage[k])
		hc3 += v * v
	}
	assert.InEpsilon(t, hc3, e.VarComparators, 1e-6)
}

// A covariate that tells the municipality hides how municipalities differ.
func TestVisible(t *testing.T) {
	c := lalonde(t)
	e := expect(t, balance.Default("age", "educ"), c)
	assert.Greater(t, e.Visible, 0.9)
	rng := rand.New(rand.NewPCG(3, 4))
	labels := make([]string, len(c.Y))
	for i := range labels {
		labels[i] = c.Cases.Municipality.At(i)
		if rng.IntN(20) == 0 {
			labels[i] = string(rune('A' + rng.IntN(7)))
		}
	}
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "label", Factor: effect.NewFactor(labels)})
	e = expect(t, balance.Default("age", "educ", "label"), c)
	assert.Less(t, e.Visible, 0.2)
	m := balance.Default("age", "educ")
	m.Ladder = [][]effect.Class{{{Covariate: "label"}}}
	e = expect(t, m, c)
	assert.Equal(t, "label", e.Rung)
	assert.Less(t, e.Visible, 0.2)
}

// A municipality whose people are so far from the cell that they have no weight says
// nothing, and least of all how much municipalities differ: the figures are those without it,
// and the nearer ones do not jump where its weight is too small for a float.
func TestFarMunicipality(t *testing.T) {
	figures := func(far float64, without bool) effect.Expectation {
		c := lalonde(t)
		age, _ := c.Covariate("age")
		var out []int32
		for _, i := range c.Out {
			if c.Cases.Municipality.At(int(i)) == "G" {
				age.Number[i] += far
				if without {
					continue
				}
			}
			out = append(out, i)
		}
		c.Out = out
		return expect(t, balance.Default("age", "educ"), c)
	}
	without := figures(0, true)
	for _, far := range []float64{3e3, 1e4, 1e5, 1e6} {
		e := figures(far, false)
		assert.Len(t, e.Municipalities, 6, far)
		assert.Equal(t, without.Comparators, e.Comparators, far)
		assert.InEpsilon(t, without.Expected, e.Expected, 1e-9, far)
		assert.InEpsilon(t, without.EffectiveN, e.EffectiveN, 1e-9, far)
		assert.InEpsilon(t, without.Visible, e.Visible, 1e-6, far)
	}
}
