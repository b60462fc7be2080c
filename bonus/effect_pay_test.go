package bonus_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/stretchr/testify/require"
)

const gateOfTerms = "require: {n: 30, follow_up: 0.95, uncovered_share: 0.10, peers: 4, dated_covariates: 1}\n          accept_not_applicable: [peers]"

func decimal(t tester, text string) *bonus.Decimal {
	t.Helper()
	var d bonus.Decimal
	require.NoError(t, d.UnmarshalText([]byte(text)))
	return &d
}

// without_effect.R integrates each rule over Student's t [R 4.2.2 integrate].
func TestWithoutEffect(t *testing.T) {
	f, err := os.Open("../testdata/reference/without_effect.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 65)
	number := func(s string) float64 {
		x, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return x
	}
	for _, r := range rows[1:] {
		c := bonus.Clause{PayOn: bonus.PayOn(r[0])}
		if c.PayOn == bonus.Probability {
			c.Probability, c.Above = decimal(t, r[3]), decimal(t, r[4])
		}
		chance, mean := c.WithoutEffect(effect.Figures{SE: number(r[2]), DF: number(r[1]), Confidence: 0.95})
		require.InEpsilon(t, number(r[5]), chance, 1e-7, "%v", r)
		require.InEpsilon(t, number(r[6]), mean, 2e-7, "%v", r)
	}
	// "Paying max(0, point) pays 0.4 standard errors": 1/sqrt(2 pi).
	point := bonus.Clause{PayOn: bonus.Point}
	_, mean := point.WithoutEffect(effect.Figures{SE: 1, DF: math.Inf(1), Confidence: 0.95})
	require.InDelta(t, 1/math.Sqrt(2*math.Pi), mean, 1e-15)
	chance, mean := point.WithoutEffect(effect.Figures{SE: 1, DF: 1, Confidence: 0.95})
	require.Equal(t, 0.5, chance)
	require.True(t, math.IsNaN(mean), "with one degree of freedom the mean has no finite value")
	chance, _ = point.WithoutEffect(effect.Figures{SE: math.NaN(), DF: 10, Confidence: 0.95})
	require.True(t, math.IsNaN(chance))
	// A threshold: pt(0.1 x 0.4 / 0.02, 40, lower.tail = FALSE) = 0.02616117 [R 4.2.2].
	point.Schedule.Threshold = &bonus.Threshold{AtLeast: *decimal(t, "0.1"), Relative: true}
	chance, _ = point.WithoutEffect(effect.Figures{SE: 0.02, DF: 40, Expected: 0.4})
	require.InDelta(t, 0.02616117, chance, 5e-9)
	chance, mean = point.WithoutEffect(effect.Figures{SE: 0.02, DF: 40})
	require.Equal(t, [2]float64{}, [2]float64{chance, mean}, "nothing is expected that it could be a share of")
	point.Schedule.Threshold.ElsePooled = decimal(t, "0.05")
	chance, _ = point.WithoutEffect(effect.Figures{SE: 0.02, DF: 40, Expected: 0.4})
	require.Equal(t, 0.5, chance, "others can stand in for it")
}

// The rule itself, simulated by settling figures of a provider without effect:
// T = Z / sqrt(chi^2/v), with chi^2 as a sum of squares.
func TestWithoutEffectSimulated(t *testing.T) {
	const v, se, n, draws = 12, 0.03, 160, 1200
	rng := rand.New(rand.NewPCG(2, 9))
	for _, edits := range [][]string{
		{},
		{"pay_on: lower_limit", "pay_on: point"},
		{"pay_on: lower_limit", "pay_on: probability\n        probability: 0.8\n        above: 0.01"},
		{"pay_on: lower_limit", "pay_on: probability\n        probability: 0.8", "method: regression", "method: regression, better: low"},
		{"pay_on: lower_limit\n        schedule:", "pay_on: lower_limit\n        schedule:\n          threshold: {at_least: 0.01}"},
		{"pay_on: lower_limit\n        schedule:", "pay_on: point\n        schedule:\n          threshold: {at_least: 0.05, relative: true}"},
		{"pay_on: lower_limit\n        schedule:", "pay_on: probability\n        probability: 0.6\n        schedule:\n          threshold: {at_least: 0.02}"},
	} {
		terms := readTerms(t, append(edits, "    limits: [{section: \"9\", per: provider, over: period, most: 500000.00}]\n", "")...)
		obs := observe(cell200(nil)...)
		var paid, total, squares float64
		var s *bonus.Settlement
		for range draws {
			chi2 := 0.0
			for range v {
				z := rng.NormFloat64()
				chi2 += z * z
			}
			difference := se * rng.NormFloat64() / math.Sqrt(chi2/v)
			half := interval.StudentT(v, 0.95) * se
			b := measured(func(b *effect.BenchmarkRow) {
				b.SE, b.DF, b.NCompared, b.Difference, b.Low, b.High = se, v, n, difference, difference-half, difference+half
			})
			s = settle(t, terms, bonus.Facts{Observations: obs, Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)})
			amount, _ := s.Lines[0].Amount.Rat().Float64()
			if amount > 0 {
				paid++
			}
			total, squares = total+amount, squares+amount*amount
		}
		var said []float64
		for _, step := range s.Steps {
			if strings.HasPrefix(step.What, "if the provider had no effect") {
				x, err := strconv.ParseFloat(step.Value, 64)
				require.NoError(t, err)
				said = append(said, x)
			}
		}
		require.Len(t, said, 2)
		// Four standard errors of the simulation.
		require.InDelta(t, paid/draws, said[0], 4*math.Sqrt(said[0]*(1-said[0])/draws), "%v", edits)
		mean := total / draws
		require.InDelta(t, mean, said[1], 4*math.Sqrt((squares/draws-mean*mean)/draws), "%v", edits)
	}
}

func TestPayOnProbability(t *testing.T) {
	// pt((0.0625 - above)/0.02, 100) [R 4.2.2]: 0.9988363 for 0, 0.7333027 for
	// 0.05. The point pays 0.0625 x 160 = 10 citizens, x 20000.
	for _, test := range []struct{ keys, row, want string }{
		{"probability: 0.9", "", "10 = 200000.00"},
		{"probability: 0.999", "", "0 = 0.00 unlikely"},
		{"probability: 0.7\n        above: 0.05", "", "10 = 200000.00"},
		{"probability: 0.75\n        above: 0.05", "", "0 = 0.00 unlikely"},
		{"probability: 0.5\n        above: 0.0625", "", "10 = 200000.00"}, // exactly what is asked for: half of a symmetric distribution lies above its middle
		{"probability: 0.51\n        above: 0.0625", "", "0 = 0.00 unlikely"},
		{"probability: 0.9", "less", "10 = 200000.00"},
		{"probability: 0.1", "worse", "0 = 0.00 unlikely"},
		{"probability: 0.9", "no error", "0 = 0.00 no_figure"},
	} {
		edits := []string{"pay_on: lower_limit", "pay_on: probability\n        " + test.keys, "    limits: [{section: \"9\", per: provider, over: period, most: 500000.00}]\n", ""}
		b := measured(func(b *effect.BenchmarkRow) {
			switch test.row {
			case "less":
				b.Difference, b.Low, b.High = -b.Difference, -b.High, -b.Low
			case "worse":
				b.Difference = -b.Difference
			case "no error":
				b.SE = math.NaN()
			}
		})
		if test.row == "less" {
			edits = append(edits, "method: regression", "method: regression, better: low")
		}
		s := settle(t, readTerms(t, edits...), bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)})
		require.Equal(t, "A-1/north/2008H2/effect@2008-01-01/match5_2004/1/(all)/Byen 200 x "+test.want, paid(s)[0], "%v", test)
		if test.keys == "probability: 0.7\n        above: 0.05" {
			k := slices.IndexFunc(s.Steps, func(s bonus.Step) bool { return strings.HasPrefix(s.What, "probability that") })
			require.Equal(t, "probability that the true improvement is above 0.05, where 0.7 is asked for", s.Steps[k].What)
			require.Equal(t, "0.7333", s.Steps[k].Value[:6])
		}
	}
}

// p.adjust(c(.01, .02, .03, .04, .05, .2), "holm") is .06 .1 .12 .12 .12 .2
// [R 4.2.2].
func TestHolm(t *testing.T) {
	p := []float64{.03, .01, .2, .05, .02, .04}
	want := []float64{.12, .06, .2, .12, .1, .12}
	var rows []row
	var facts bonus.Facts
	add := func(provider string, edit func(*effect.BenchmarkRow)) {
		for _, r := range cell200(nil) {
			r.id, r.person, r.provider = provider+r.id, provider+"p"+r.id, provider
			rows = append(rows, r)
		}
		b := measured(func(b *effect.BenchmarkRow) { b.Provider = provider; edit(b) })
		facts.Benchmark = append(facts.Benchmark, b)
		facts.Diagnostics = append(facts.Diagnostics, diagnosed(b, nil)...)
	}
	for i, x := range p {
		add(fmt.Sprint("provider", i), func(b *effect.BenchmarkRow) {
			// A negative difference is in the family as well: the p is two-sided.
			b.SE, b.DF, b.Difference = 0.02, math.Inf(1), math.Copysign(0.02*interval.Normal(1-x), float64(1-2*(i%2)))
		})
	}
	// Neither is among those judged together.
	add("small", func(b *effect.BenchmarkRow) { b.Verdict = effect.NotRated })
	add("refused", func(b *effect.BenchmarkRow) {
		b.Refusal, b.Verdict, b.SE, b.Difference = effect.RefusalNoHome, effect.NotRated, math.NaN(), math.NaN()
	})
	facts.Observations = observe(rows...)
	s := settle(t, readTerms(t, gateOfTerms, gateOfTerms+"\n          multiplicity: holm"), facts)
	for i := range p {
		k := slices.IndexFunc(s.Gate, func(g bonus.GateRow) bool {
			return g.Diagnostic == bonus.GateHolm && strings.Contains(g.Line, fmt.Sprint("provider", i))
		})
		g := s.Gate[k]
		require.InDelta(t, want[i], g.Measured, 1e-8)
		require.Equal(t, 0.05, g.Threshold)
		require.Equal(t, bonus.Fail, g.State)
	}
	for _, l := range s.Lines {
		if l.Provider == "small" {
			require.Equal(t, "not_rated; gate:holm", l.Reason)
		}
	}
	// Without Holm four of them would have been paid on, or rather those above 0.
	require.Zero(t, s.Lines[0].Amount)

	// One cell alone is its own p.
	one := facts
	one.Observations, one.Benchmark, one.Diagnostics = observe(rows[:200]...), facts.Benchmark[:1], facts.Diagnostics
	s = settle(t, readTerms(t, gateOfTerms, gateOfTerms+"\n          multiplicity: holm"), one)
	k := slices.IndexFunc(s.Gate, func(g bonus.GateRow) bool { return g.Diagnostic == bonus.GateHolm })
	require.InDelta(t, 0.03, s.Gate[k].Measured, 1e-8)
	require.Equal(t, bonus.Pass, s.Gate[k].State)
	blind := s.Blinded()
	require.Equal(t, bonus.NotEvaluated, blind[k].State)
	require.True(t, math.IsNaN(blind[k].Measured), "an adjusted p tells of the effect")
	require.Equal(t, s.Gate[0], blind[0], "what was measured before the effect stays")
}
