package weighting_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/weighting"
)

// The halves of a provider have propensity models of their own: their
// expectations add within a tenth of a standard error.
func TestLaws(t *testing.T) {
	names := []string{"age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"}
	t.Run("ipw", func(t *testing.T) { effecttest.Laws(t, weighting.Default(names...), effecttest.NotAdditive) })
	t.Run("aipw", func(t *testing.T) { effecttest.Laws(t, weighting.Augmented(names...), effecttest.NotAdditive) })
}

// lalonde is the training programme, in four municipalities; as a share, whether
// anything was earned.
func lalonde(t *testing.T, unit effect.Unit) *effect.Comparison {
	t.Helper()
	f, err := os.Open("../../testdata/reference/lalonde_614.csv")
	require.NoError(t, err)
	defer f.Close()
	c := effecttest.Lalonde(t, f, 4)
	c.Unit = unit
	for i, y := range c.Y {
		if unit == effect.UnitShare && y > 0 {
			c.Y[i] = 1
		}
	}
	return c
}

func covariates() []string {
	return []string{"age", "educ", "race", "married", "nodegree", "re74", "re75"}
}

type figures struct {
	Observed       float64 `json:"observed"`
	Expected       float64 `json:"expected"`
	Effect         float64 `json:"effect"`
	SE             float64 `json:"se"`
	VarCell        float64 `json:"var_cell"`
	VarComparators float64 `json:"var_comparators"`
}

// reference is testdata/reference/desc.json, made by desc.R.
func reference(t *testing.T) map[effect.Unit]map[string]figures {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/desc.json")
	require.NoError(t, err)
	var all struct {
		Amount map[string]figures `json:"amount"`
		Share  map[string]figures `json:"share"`
	}
	require.NoError(t, json.Unmarshal(b, &all))
	return map[effect.Unit]map[string]figures{effect.UnitDays: all.Amount, effect.UnitShare: all.Share}
}

// R 4.2.2: estimates, and variances from stacked estimating equations.
func TestReference(t *testing.T) {
	for unit, want := range reference(t) {
		c := lalonde(t, unit)
		for _, m := range []weighting.Method{weighting.Default(covariates()...), weighting.Augmented(covariates()...)} {
			e, err := m.Expect(context.Background(), c)
			require.NoError(t, err)
			w := want[m.Name()]
			assert.InEpsilon(t, w.Expected, e.Expected, 1e-9)
			assert.InEpsilon(t, w.Effect, e.Observed-e.Expected, 1e-8)
			assert.InEpsilon(t, w.VarCell, e.VarCell, 1e-6)
			assert.InEpsilon(t, w.VarComparators, e.VarComparators, 1e-6)
			assert.Equal(t, 9, e.Rank)
			assert.Equal(t, 429, e.Comparators)
		}
		o, err := weighting.Overlap(context.Background(), c, covariates()...)
		require.NoError(t, err)
		w := want["overlap"]
		assert.InEpsilon(t, w.Observed, o.Observed, 1e-9)
		assert.InEpsilon(t, w.Expected, o.Expected, 1e-9)
		assert.InEpsilon(t, w.SE, o.SE, 1e-6)
	}
}

// The figures of testdata/reference/README.md, made by others.
func TestQuotedFigures(t *testing.T) {
	c := lalonde(t, effect.UnitDays)
	for want, m := range map[float64]weighting.Method{1214.07122089: weighting.Default(covariates()...), 1231.04431635: weighting.Augmented(covariates()...)} {
		e, err := m.Expect(context.Background(), c)
		require.NoError(t, err)
		assert.InEpsilon(t, want, e.Observed-e.Expected, 1e-7)
	}
}

// The published weights are the derivatives of the expectation in the outcomes,
// and the visible share is what their definition says, by changing outcomes.
func TestWeightsAreDerivatives(t *testing.T) {
	for _, unit := range []effect.Unit{effect.UnitDays, effect.UnitShare} {
		for _, m := range []weighting.Method{weighting.Default(covariates()...), weighting.Augmented(covariates()...)} {
			if unit == effect.UnitShare && m.Augment {
				continue // outcomes of a logistic model cannot move a little
			}
			c := lalonde(t, unit)
			base, err := m.Expect(context.Background(), c)
			require.NoError(t, err)
			for _, k := range []int{0, 17, 400} {
				moved := *c
				moved.Y = append([]float64(nil), c.Y...)
				moved.Y[c.Out[k]] += 10
				e, err := m.Expect(context.Background(), &moved)
				require.NoError(t, err)
				assert.InDelta(t, 10*base.Weights[k], e.Expected-base.Expected, 1e-9*math.Abs(base.Expected))
			}
			// Residuals by municipality are linear in the outcomes: d = M b.
			mean := func(y []float64) (out []float64) {
				moved := *c
				moved.Y = y
				e, err := m.Expect(context.Background(), &moved)
				require.NoError(t, err)
				for _, p := range e.Municipalities {
					out = append(out, p.Residual/p.Weight)
				}
				return out
			}
			at := mean(c.Y)
			matrix := make([][]float64, len(at))
			for l := range at {
				y := append([]float64(nil), c.Y...)
				for _, i := range c.Out {
					if int(c.Cases.Municipality.Codes[i]) == l {
						y[i]++
					}
				}
				after := mean(y)
				for j := range after {
					matrix[j] = append(matrix[j], after[j]-at[j])
				}
			}
			want := effect.Visible(len(at), func(j, l int) float64 {
				lost := -matrix[j][l]
				if j == l {
					lost++
				}
				return lost
			})
			assert.InEpsilon(t, want, base.Visible, 1e-6)
		}
	}
}

// Overlap weights leave no difference in any covariate of the model: a property
// of the logistic score equations. The weights of ipw leave little.
func TestOverlapBalancesExactly(t *testing.T) {
	c := lalonde(t, effect.UnitDays)
	for _, name := range []string{"age", "educ", "re74"} {
		x, _ := c.Covariate(name)
		balance := *c
		balance.Y = x.Number
		o, err := weighting.Overlap(context.Background(), &balance, covariates()...)
		require.NoError(t, err)
		assert.InEpsilon(t, o.Observed, o.Expected, 1e-9, name)
	}
}

// Where nothing is adjusted for, every weight is the same and the figures are
// those of two means: sums of squares over n(n-1) and n^2.
func TestWithoutCovariates(t *testing.T) {
	c := lalonde(t, effect.UnitDays)
	e, err := weighting.Default().Expect(context.Background(), c)
	require.NoError(t, err)
	mean, squares := 0.0, 0.0
	for _, i := range c.Out {
		mean += c.Y[i] / float64(len(c.Out))
	}
	for _, i := range c.Out {
		squares += (c.Y[i] - mean) * (c.Y[i] - mean)
	}
	assert.InEpsilon(t, mean, e.Expected, 1e-12)
	assert.InEpsilon(t, squares/math.Pow(float64(len(c.Out)), 2), e.VarComparators, 1e-10)
	assert.InEpsilon(t, 429.0, e.EffectiveN, 1e-12)
	o, err := weighting.Overlap(context.Background(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, e.Observed-e.Expected, o.Difference, 1e-10)
	// A constant covariate tells nothing.
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "constant", Number: make([]float64, len(c.Y))})
	constant, err := weighting.Default("constant").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, e.Expected, constant.Expected)
	assert.Equal(t, e.VarComparators, constant.VarComparators)
}

// In samples of one world whose true effect is 0 the standard errors are the
// spread of the estimates.
func TestStandardErrors(t *testing.T) {
	const worlds, n = 400, 500
	for _, unit := range []effect.Unit{effect.UnitDays, effect.UnitShare} {
		for _, m := range []weighting.Method{weighting.Default("x"), weighting.Augmented("x")} {
			rng := rand.New(rand.NewPCG(3, 4))
			sum, squares, variance := 0.0, 0.0, 0.0
			for range worlds {
				c := &effect.Comparison{Cases: &effect.Cases{}, Unit: unit}
				x, where := make([]float64, n), make([]string, n)
				for i := range n {
					x[i], where[i] = rng.NormFloat64(), "A"
					y := x[i] + rng.NormFloat64()
					if unit == effect.UnitShare {
						if y > 0 {
							y = 1
						} else {
							y = 0
						}
					}
					c.Y, c.Cases.Person = append(c.Y, y), append(c.Cases.Person, int32(i))
					if rng.Float64() < 1/(1+math.Exp(1-0.7*x[i])) {
						c.In = append(c.In, int32(i))
					} else {
						c.Out = append(c.Out, int32(i))
					}
				}
				c.Cases.Municipality = effect.NewFactor(where)
				c.Cases.Covariates = []effect.Covariate{{Name: "x", Number: x}}
				e, err := m.Expect(context.Background(), c)
				require.NoError(t, err)
				d := e.Observed - e.Expected
				sum, squares, variance = sum+d, squares+d*d, variance+e.VarCell+e.VarComparators
			}
			mean := sum / worlds
			spread := squares/worlds - mean*mean
			assert.InDelta(t, 0, mean, 3*math.Sqrt(spread/worlds))
			// The spread of 400 worlds is itself known to 7 % in variance.
			assert.InEpsilon(t, spread, variance/worlds, 0.25)
		}
	}
}

func refusal(t *testing.T, err error) string {
	t.Helper()
	r, ok := effect.AsRefusal(err)
	require.True(t, ok, "%v", err)
	return r.Code
}

func TestRefusals(t *testing.T) {
	ask := func(change func(c *effect.Comparison) weighting.Method) error {
		c := lalonde(t, effect.UnitShare)
		_, err := change(c).Expect(context.Background(), c)
		return err
	}
	add := func(c *effect.Comparison, name string, at func(i int) float64) {
		x := make([]float64, len(c.Y))
		for i := range x {
			x[i] = at(i)
		}
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: name, Number: x})
	}
	for _, m := range []func(...string) weighting.Method{weighting.Default, weighting.Augmented} {
		for want, change := range map[string]func(c *effect.Comparison) weighting.Method{
			effect.RefusalNoCases:       func(c *effect.Comparison) weighting.Method { c.In = nil; return m("age") },
			effect.RefusalNoComparators: func(c *effect.Comparison) weighting.Method { c.Out = nil; return m("age") },
			effect.RefusalFewCases:      func(c *effect.Comparison) weighting.Method { c.In = c.In[:1]; return m("age") },
			effect.RefusalNeedsMicro: func(c *effect.Comparison) weighting.Method {
				c.Strata = []effect.StratumTotal{{Municipality: "B"}}
				return m("age")
			},
			effect.RefusalNotFinite: func(c *effect.Comparison) weighting.Method { c.Y[c.Out[3]] = math.NaN(); return m("age") },
			// Nobody is comparable: a number that tells the cell from the others.
			effect.RefusalSeparation: func(c *effect.Comparison) weighting.Method {
				in := map[int]bool{}
				for _, i := range c.In {
					in[int(i)] = true
				}
				add(c, "apart", func(i int) float64 {
					if in[i] {
						return 100 + float64(i%7)
					}
					return float64(i % 11)
				})
				return m("apart")
			},
			// A number that only the cell misses.
			effect.RefusalUncovered: func(c *effect.Comparison) weighting.Method {
				missing := map[int]bool{}
				for _, i := range c.In[:60] {
					missing[int(i)] = true
				}
				add(c, "gaps", func(i int) float64 {
					if missing[i] {
						return math.NaN()
					}
					return float64(i % 13)
				})
				return m("gaps")
			},
		} {
			assert.Equal(t, want, refusal(t, ask(change)), want)
		}
		assert.Equal(t, effect.RefusalNotFinite, refusal(t, ask(func(c *effect.Comparison) weighting.Method {
			add(c, "endless", func(i int) float64 { return math.Inf(i%2*2 - 1) })
			return m("endless")
		})))
		_, refused := effect.AsRefusal(ask(func(*effect.Comparison) weighting.Method { return m("nobody") }))
		assert.False(t, refused, "a covariate that is not there is a mistake, no refusal")
	}
	// All comparators alike: a weighted mean exists, an outcome model does not.
	for value := range 2 {
		alike := func(m weighting.Method) (effect.Expectation, error) {
			c := lalonde(t, effect.UnitShare)
			for _, i := range c.Out {
				c.Y[i] = float64(value)
			}
			return m.Expect(context.Background(), c)
		}
		e, err := alike(weighting.Default("age"))
		require.NoError(t, err)
		assert.InDelta(t, float64(value), e.Expected, 1e-12)
		assert.InDelta(t, 0, e.VarComparators, 1e-20)
		_, err = alike(weighting.Augmented("age"))
		assert.Equal(t, effect.RefusalNoVariation, refusal(t, err))
	}
	_, err := weighting.Overlap(context.Background(), &effect.Comparison{Cases: &effect.Cases{}}, "age")
	assert.Equal(t, effect.RefusalNoCases, refusal(t, err))
}

// Few cases without their like are uncovered, counted, and left out of both means.
func TestCoverage(t *testing.T) {
	c := lalonde(t, effect.UnitDays)
	names := make([]string, len(c.Y))
	for i := range names {
		names[i] = "common"
	}
	names[c.In[3]], names[c.Out[0]] = "cell only", "comparators only"
	c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: "name", Factor: effect.NewFactor(names)})
	e, err := weighting.Default("age", "name").Expect(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, 184, e.N)
	assert.Equal(t, 428, e.Comparators)
	assert.Contains(t, e.Warnings, "comparators_set_aside")
	for k, covered := range e.Covered {
		assert.Equal(t, k != 3, covered)
	}
	less := *c
	less.In, less.Out = append(append([]int32(nil), c.In[:3]...), c.In[4:]...), c.Out[1:]
	want, err := weighting.Default("age").Expect(context.Background(), &less)
	require.NoError(t, err)
	assert.InEpsilon(t, want.Expected, e.Expected, 1e-10)
	assert.InEpsilon(t, want.VarCell, e.VarCell, 1e-8)
}
