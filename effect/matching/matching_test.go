package matching_test

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/matching"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// The halves of a provider have propensity models of their own, and a nearest
// neighbour jumps: their expectations add within a standard error.
func TestLaws(t *testing.T) {
	names := []string{"age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"}
	t.Run("nearest", func(t *testing.T) { effecttest.Laws(t, matching.Default(names...), effecttest.Jumps) })
	t.Run("exact, 5 inside a caliper", func(t *testing.T) {
		m := matching.Default("age", "weeks_employed_52")
		m.Neighbours, m.Caliper, m.MaxUncovered = 5, 0.25, 0.5
		m.Exact = []effect.Class{{Covariate: "sex"}, {Covariate: "age", Cuts: []float64{40}}}
		effecttest.Laws(t, m, effecttest.Jumps)
	})
}

// lalonde sets the treated of testdata/reference/lalonde_614.csv against the
// untreated, who are said to be of four municipalities. With order, rows stand
// in that order.
func lalonde(t *testing.T, order func(n int) []int) *effect.Comparison {
	t.Helper()
	f, err := os.Open("../../testdata/reference/lalonde_614.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	head, rows := rows[0], rows[1:]
	where := make([]string, len(rows))
	for i := range rows {
		where[i] = string(rune('A' + i%4))
	}
	if order != nil {
		old, names := slices.Clone(rows), slices.Clone(where)
		for to, from := range order(len(rows)) {
			rows[to], where[to] = old[from], names[from]
		}
	}
	text := func(name string) (out []string) {
		k := slices.Index(head, name)
		for _, r := range rows {
			out = append(out, r[k])
		}
		return out
	}
	numbers := func(name string) (out []float64) {
		for _, s := range text(name) {
			v, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			out = append(out, v)
		}
		return out
	}
	c := &effect.Comparison{Cases: &effect.Cases{}, Unit: effect.UnitDays, Y: numbers("re78")}
	for i, treated := range numbers("treat") {
		c.Cases.Person = append(c.Cases.Person, int32(i))
		if treated == 1 {
			c.In = append(c.In, int32(i))
		} else {
			c.Out = append(c.Out, int32(i))
		}
	}
	c.Cases.Municipality = effect.NewFactor(where)
	c.Cases.Covariates = []effect.Covariate{
		{Name: "race", Factor: effect.NewFactor(text("race"))},
		{Name: "wed", Factor: effect.NewFactor(text("married"))},
	}
	for _, name := range []string{"age", "educ", "married", "nodegree", "re74", "re75"} {
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: name, Number: numbers(name)})
	}
	return c
}

func standard() matching.Method {
	return matching.Default("age", "educ", "race", "married", "nodegree", "re74", "re75")
}

// variants are the matchings of desc.R, by its names.
func variants() map[string]matching.Method {
	out := map[string]matching.Method{}
	add := func(name string, k int, caliper float64, exact ...effect.Class) {
		m := standard()
		m.Neighbours, m.Caliper, m.Exact, m.MaxUncovered = k, caliper, exact, 0.5
		out[name] = m
	}
	add("nearest", 1, 0)
	add("three", 3, 0)
	add("caliper", 1, 0.01)
	add("exact", 1, 0, effect.Class{Covariate: "married", Cuts: []float64{0.5}})
	add("exact_caliper", 2, 0.05, effect.Class{Covariate: "race"})
	return out
}

// R 4.2.2, brute force over all pairs in testdata/reference/desc.R; MatchIt
// 4.5.1 for the propensity score that the caliper is measured on.
func TestReference(t *testing.T) {
	b, err := os.ReadFile("../../testdata/reference/desc.json")
	require.NoError(t, err)
	want := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(b, &want))
	for name, m := range variants() {
		var w struct {
			Covered     int     `json:"covered"`
			Effect      float64 `json:"effect"`
			Comparators int     `json:"comparators"`
			EffectiveN  float64 `json:"effective_n"`
			MaxWeight   float64 `json:"max_weight"`
		}
		require.NoError(t, json.Unmarshal(want[name], &w))
		e, err := m.Expect(context.Background(), lalonde(t, nil))
		require.NoError(t, err)
		assert.InEpsilon(t, w.Effect, e.Observed-e.Expected, 1e-10, name)
		assert.Equal(t, w.Covered, e.N, name)
		assert.Equal(t, w.Comparators, e.Comparators, name)
		assert.InEpsilon(t, w.EffectiveN, e.EffectiveN, 1e-10, name)
		assert.InEpsilon(t, w.MaxWeight, e.MaxWeight, 1e-10, name)
		covered := 0
		for _, c := range e.Covered {
			if c {
				covered++
			}
		}
		if e.Covered != nil {
			assert.Equal(t, w.Covered, covered, name)
		}
	}
}

// The figure of testdata/reference/README.md, made by others: all ties averaged.
func TestQuotedFigure(t *testing.T) {
	e, err := standard().Expect(context.Background(), lalonde(t, nil))
	require.NoError(t, err)
	assert.InEpsilon(t, 1968.79971586, e.Observed-e.Expected, 1e-11)
	assert.Equal(t, 88, e.Comparators)
}

// Whatever order the rows stand in, the figures are the same.
func TestOrderOfRows(t *testing.T) {
	for name, m := range variants() {
		want, err := m.Expect(context.Background(), lalonde(t, nil))
		require.NoError(t, err)
		for seed := range uint64(5) {
			got, err := m.Expect(context.Background(), lalonde(t, func(n int) []int { return rand.New(rand.NewPCG(seed, 1)).Perm(n) }))
			require.NoError(t, err)
			for _, x := range [][2]float64{
				{want.Observed, got.Observed},
				{want.Expected, got.Expected},
				{want.VarCell, got.VarCell},
				{want.VarComparators, got.VarComparators},
				{want.EffectiveN, got.EffectiveN},
				{want.Visible, got.Visible},
			} {
				assert.InEpsilon(t, x[0], x[1], 1e-10, name)
			}
			assert.Equal(t, want.Comparators, got.Comparators)
			assert.Equal(t, want.N, got.N)
		}
	}
}

// discrete makes cases with one covariate of a few values, so that scores tie.
func discrete(rng *rand.Rand, n, values int) *effect.Comparison {
	c := &effect.Comparison{Cases: &effect.Cases{}, Unit: effect.UnitDays}
	x, class, where := make([]float64, n), make([]string, n), make([]string, n)
	for i := range n {
		x[i], class[i], where[i] = float64(rng.IntN(values)), string(rune('a'+rng.IntN(2))), string(rune('A'+rng.IntN(4)))
		c.Y, c.Cases.Person = append(c.Y, 10*rng.NormFloat64()+x[i]), append(c.Cases.Person, int32(i))
		if rng.Float64() < 0.2+0.3*x[i]/float64(values) {
			c.In = append(c.In, int32(i))
		} else {
			c.Out = append(c.Out, int32(i))
		}
	}
	c.Cases.Municipality = effect.NewFactor(where)
	c.Cases.Covariates = []effect.Covariate{{Name: "x", Number: x}, {Name: "class", Factor: effect.NewFactor(class)}}
	return c
}

// A second implementation over all pairs: every figure of the answer, with ties
// and classes, by what the doc comment says.
func TestBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 40 {
		c := discrete(rng, 60+rng.IntN(60), 2+rng.IntN(40))
		m := matching.Default("x")
		m.Neighbours, m.MaxUncovered = 1+rng.IntN(4), 1
		if rng.IntN(2) == 0 {
			m.Caliper = 0.05 + rng.Float64()/4
		}
		if rng.IntN(2) == 0 {
			m.Exact = []effect.Class{{Covariate: "class"}}
		}
		e, err := m.Expect(context.Background(), c)
		require.NoError(t, err)
		brute(t, c, m, e)
	}
}

func brute(t *testing.T, c *effect.Comparison, m matching.Method, e effect.Expectation) {
	t.Helper()
	x, _ := c.Covariate("x")
	class, _ := c.Covariate("class")
	design, in := regress.Matrix{P: 2}, []float64{}
	all := slices.Concat(c.In, c.Out)
	for k, i := range all {
		design.N++
		design.Data = append(design.Data, 1, x.Number[i])
		in = append(in, 0)
		if k < len(c.In) {
			in[k] = 1
		}
	}
	fit, err := regress.Logistic(context.Background(), design, in)
	require.NoError(t, err)
	score, sum, squares := map[int32]float64{}, 0.0, 0.0
	for _, i := range all {
		score[i] = regress.Expit(fit.Predict([]float64{1, x.Number[i]}))
		sum += score[i]
	}
	for _, s := range score {
		squares += math.Pow(s-sum/float64(len(all)), 2)
	}
	limit := m.Caliper * math.Sqrt(squares/float64(len(all)-1))
	if m.Caliper == 0 {
		limit = math.Inf(1)
	}
	const tie = 1e-9
	nearest := func(i int32, k int, limit float64, exact bool) (out []int32) {
		type near struct {
			d  float64
			at int32
		}
		var pool []near
		for _, j := range c.Out {
			if d := math.Abs(score[i] - score[j]); d <= limit+tie && (!exact || class.Factor.Codes[i] == class.Factor.Codes[j]) {
				pool = append(pool, near{d, j})
			}
		}
		slices.SortFunc(pool, func(a, b near) int { return cmp.Compare(a.d, b.d) })
		for n, p := range pool {
			if n < k || p.d <= pool[k-1].d+tie {
				out = append(out, p.at)
			}
		}
		return out
	}
	mean := func(rows []int32) float64 {
		sum := 0.0
		for _, i := range rows {
			sum += c.Y[i] / float64(len(rows))
		}
		return sum
	}
	exact := len(m.Exact) > 0
	local := func(i int32) []int32 {
		if own := nearest(i, 5, math.Inf(1), exact); len(own) >= 5 {
			return own
		}
		return nearest(i, 5, math.Inf(1), false)
	}
	w := map[int32]float64{}
	var covered []int32
	observed, expected := 0.0, 0.0
	for _, i := range c.In {
		if j := nearest(i, m.Neighbours, limit, exact); len(j) > 0 {
			covered = append(covered, i)
			observed += c.Y[i]
			expected += mean(j)
			for _, k := range j {
				w[k] += 1 / float64(len(j))
			}
		}
	}
	n := float64(len(covered))
	require.Equal(t, len(covered), e.N)
	assert.InDelta(t, observed/n, e.Observed, 1e-9)
	assert.InDelta(t, expected/n, e.Expected, 1e-9)
	assert.Len(t, w, e.Comparators)
	variance := 0.0
	for j, weight := range w {
		near := local(j)
		g := float64(len(near))
		variance += math.Pow(weight/n*(c.Y[j]-mean(near)), 2) * g / (g - 1)
	}
	assert.InEpsilon(t, variance, e.VarComparators, 1e-9)
	var residuals []float64
	for _, i := range covered {
		residuals = append(residuals, c.Y[i]-mean(local(i)))
	}
	assert.InEpsilon(t, c.MeanVariance(covered, residuals), e.VarCell, 1e-9)

	// What is left of municipality effects: residuals of outcomes that are 1 in
	// one municipality.
	code := func(i int32) int32 { return c.Cases.Municipality.Codes[i] }
	names := make([]int32, len(e.Municipalities))
	for k, p := range e.Municipalities {
		names[k] = c.Cases.Municipality.Code(p.Municipality)
	}
	visible := effect.Visible(len(names), func(a, b int) float64 {
		left, total := 0.0, 0.0
		for j, weight := range w {
			if code(j) != names[a] {
				continue
			}
			near, share := local(j), 0.0
			for _, k := range near {
				if code(k) == names[b] {
					share += 1 / float64(len(near))
				}
			}
			own := 0.0
			if a == b {
				own = 1
			}
			g := float64(len(near))
			left += weight * (own - share) * math.Sqrt(g/(g-1))
			total += weight
		}
		if a == b {
			return 1 - left/total
		}
		return -left / total
	})
	assert.InEpsilon(t, visible, e.Visible, 1e-8)
}

// With every comparator a neighbour, matching is the difference of two means.
func TestAllNeighbours(t *testing.T) {
	c := lalonde(t, nil)
	m := standard()
	m.Neighbours = len(c.Out)
	e, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	sum := 0.0
	for _, i := range c.Out {
		sum += c.Y[i]
	}
	assert.InEpsilon(t, sum/429, e.Expected, 1e-12)
	assert.InEpsilon(t, 429.0, e.EffectiveN, 1e-10)
	m.Neighbours = 10 * len(c.Out) // those there are
	more, err := m.Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, e.Expected, more.Expected)
	// Nothing to tell cases apart: one tie of all.
	none, err := matching.Default().Expect(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, e.Expected, none.Expected, 1e-12)
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "constant", Number: make([]float64, len(c.Y))})
	constant, err := matching.Default("constant").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, none.Expected, constant.Expected)
}

func refusal(t *testing.T, err error) string {
	t.Helper()
	r, ok := effect.AsRefusal(err)
	require.True(t, ok, "%v", err)
	return r.Code
}

func TestRefusals(t *testing.T) {
	apart := func(c *effect.Comparison, gap float64) {
		x := make([]float64, len(c.Y))
		for k, i := range c.In {
			x[i] = gap + float64(k%7)
		}
		for k, i := range c.Out {
			x[i] = float64(k % 7)
		}
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "apart", Number: x})
	}
	for name, c := range map[string]struct {
		want   string
		change func(c *effect.Comparison, m *matching.Method)
	}{
		"no cell":        {effect.RefusalNoCases, func(c *effect.Comparison, _ *matching.Method) { c.In = nil }},
		"nobody else":    {effect.RefusalNoComparators, func(c *effect.Comparison, _ *matching.Method) { c.Out = nil }},
		"one case":       {effect.RefusalFewCases, func(c *effect.Comparison, m *matching.Method) { c.In, m.Covariates = c.In[:1], nil }},
		"one comparator": {effect.RefusalFewComparators, func(c *effect.Comparison, m *matching.Method) { c.Out, m.Covariates = c.Out[:1], nil }},
		"aggregated": {effect.RefusalNeedsMicro, func(c *effect.Comparison, _ *matching.Method) {
			c.Strata = []effect.StratumTotal{{Municipality: "B"}}
		}},
		"unknown outcome": {effect.RefusalNotFinite, func(c *effect.Comparison, _ *matching.Method) { c.Y[c.In[0]] = math.NaN() }},
		"infinite": {effect.RefusalNotFinite, func(c *effect.Comparison, _ *matching.Method) {
			age, _ := c.Covariate("age")
			age.Number[c.In[0]] = math.Inf(1)
		}},
		"separated": {effect.RefusalSeparation, func(c *effect.Comparison, m *matching.Method) {
			apart(c, 50)
			m.Covariates = []string{"apart"}
		}},
		"a caliper that leaves nobody": {effect.RefusalUncovered, func(c *effect.Comparison, m *matching.Method) {
			m.Covariates, m.Caliper = []string{"age"}, 1e-6
			x, _ := c.Covariate("age")
			for _, i := range c.Out {
				x.Number[i] += 0.5
			}
		}},
		"a caliper that leaves nobody, whatever share is allowed": {effect.RefusalNoComparators, func(c *effect.Comparison, m *matching.Method) {
			m.Covariates, m.Caliper, m.MaxUncovered = []string{"age"}, 1e-6, 1
			x, _ := c.Covariate("age")
			for _, i := range c.Out {
				x.Number[i] += 0.5
			}
		}},
		"classes that leave too few": {effect.RefusalUncovered, func(c *effect.Comparison, m *matching.Method) {
			m.Covariates, m.Exact = []string{"age"}, []effect.Class{{Covariate: "race"}}
			race, _ := c.Covariate("race")
			c.Out = slices.DeleteFunc(slices.Clone(c.Out), func(i int32) bool { return race.Factor.At(int(i)) == "black" })
		}},
	} {
		comparison, m := lalonde(t, nil), standard()
		c.change(comparison, &m)
		_, err := m.Expect(context.Background(), comparison)
		assert.Equal(t, c.want, refusal(t, err), name)
	}
	for _, change := range []func(m *matching.Method){
		func(m *matching.Method) { m.Neighbours = 0 },
		func(m *matching.Method) { m.Caliper = -1 },
		func(m *matching.Method) { m.Caliper = math.NaN() },
		func(m *matching.Method) { m.Covariates = []string{"nobody"} },
		func(m *matching.Method) { m.Exact = []effect.Class{{Covariate: "age"}} },
	} {
		m := standard()
		change(&m)
		_, err := m.Expect(context.Background(), lalonde(t, nil))
		require.Error(t, err)
		_, refused := effect.AsRefusal(err)
		assert.False(t, refused, "a mistake in the question is no refusal")
	}
}

// All outcomes alike: the expectation is that outcome, without variance.
func TestAllOutcomesAlike(t *testing.T) {
	for value := range 2 {
		c := lalonde(t, nil)
		c.Unit = effect.UnitShare
		for i := range c.Y {
			c.Y[i] = float64(value)
		}
		e, err := standard().Expect(context.Background(), c)
		require.NoError(t, err)
		assert.InDelta(t, float64(value), e.Expected, 1e-12)
		assert.InDelta(t, 0, e.VarComparators+e.VarCell, 1e-20)
	}
}

// In samples of one world whose true effect is 0 the standard errors are about
// the spread of the estimates.
func TestStandardErrors(t *testing.T) {
	const worlds, n = 300, 500
	for _, neighbours := range []int{1, 5} {
		rng := rand.New(rand.NewPCG(5, 6))
		sum, squares, variance := 0.0, 0.0, 0.0
		for range worlds {
			c := &effect.Comparison{Cases: &effect.Cases{}, Unit: effect.UnitDays}
			x, where := make([]float64, n), make([]string, n)
			for i := range n {
				x[i], where[i] = rng.NormFloat64(), "A"
				c.Y, c.Cases.Person = append(c.Y, x[i]+rng.NormFloat64()), append(c.Cases.Person, int32(i))
				if rng.Float64() < 1/(1+math.Exp(1-0.4*x[i])) {
					c.In = append(c.In, int32(i))
				} else {
					c.Out = append(c.Out, int32(i))
				}
			}
			c.Cases.Municipality = effect.NewFactor(where)
			c.Cases.Covariates = []effect.Covariate{{Name: "x", Number: x}}
			m := matching.Default("x")
			m.Neighbours = neighbours
			e, err := m.Expect(context.Background(), c)
			require.NoError(t, err)
			d := e.Observed - e.Expected
			sum, squares, variance = sum+d, squares+d*d, variance+e.VarCell+e.VarComparators
		}
		mean := sum / worlds
		spread := squares/worlds - mean*mean
		t.Logf("%d neighbours: mean %.4f, spread %.5f, estimated %.5f", neighbours, mean, spread, variance/worlds)
		assert.InDelta(t, 0, mean, 0.05)
		assert.InEpsilon(t, spread, variance/worlds, 0.3)
	}
}
