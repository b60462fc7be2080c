package bonus_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// What is allowed ends where the terms say it does: the last value that is allowed
// is, and the first that is not is a fault that names it.
func TestWhereTermsEnd(t *testing.T) {
	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	for key, values := range map[string]struct{ good, bad []string }{
		"upkeep: {section: \"3\", notice: 90 days, ceiling: 100, warn_at: X}":               {[]string{"0.001", "0.5", "1"}, []string{"0", "-0.5", "1.001"}},
		"upkeep: {section: \"3\", notice: 90 days, warn_at: 0.5, ceiling: X}":               {[]string{"0.01", "100"}, []string{"0", "-0.01", "-100"}},
		"upkeep: {section: \"3\", notice: 90 days, warn_at: 0.5, volume: [X]}":              {[]string{"{year: 2008, amount: 0.01}"}, []string{"{year: 2008, amount: 0}", "{year: 2007, amount: 1}"}},
		"vat: {treatment: excluded, rate: X}":                                               {[]string{"0", "0.25", "1"}, []string{"-0.1", "1.01", "25"}},
		"vat: {treatment: included, rate: X}":                                               {[]string{"0", "1"}, []string{"-0.5", "1.5"}},
		"upkeep: {section: \"3\", notice: 90 days, warn_at: 0.5, ceiling: 10, volume: [X]}": {[]string{"{year: 2008, amount: 10}", "{year: 2008, amount: 9.99}"}, []string{"{year: 2008, amount: 10.01}"}},
	} {
		parse := func(value string) error {
			text := strings.Replace(key, "X", value, 1)
			_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(string(src), "periods: half_year\n", "periods: half_year\n"+text+"\n", 1)))
			return err
		}
		at, _, _ := strings.Cut(key, ":")
		for _, value := range values.good {
			require.NoError(t, parse(value), "%s with %s", key, value)
		}
		for _, value := range values.bad {
			require.ErrorContains(t, parse(value), at+".", "%s with %s", key, value)
		}
	}
	for text, says := range map[string]string{
		"vat: {treatment: exempt, rate: 0.25}": "has no rate",
		"vat: {treatment: excluded}":           "give the rate",
		"vat: {treatment: included}":           "give the rate",
	} {
		_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(string(src), "periods: half_year\n", "periods: half_year\n"+text+"\n", 1)))
		require.ErrorContains(t, err, says)
	}
	_, err = bonus.ParseTerms("terms.yaml", []byte(strings.Replace(string(src), "periods: half_year\n", "periods: half_year\nvat: {treatment: exempt}\n", 1)))
	require.NoError(t, err)
}

// A score that is exactly what is asked for is enough, and one that is exactly where a
// rating begins has it.
func TestScoresAtTheirLimits(t *testing.T) {
	points := func(provider, value string) bonus.Figure {
		return bonus.Figure{Name: "points", Provider: provider, Period: "2008", N: -1, Value: value}
	}
	facts := oneEach([]string{"a", "b", "c"}, points("a", "0.5"), points("b", "0.4999"), points("c", "0.7"))
	lines := settle(t, scoreTerms(t, "0.01", `        measure: {score: {parts: [{name: a, figure: points}]}}
        schedule: {threshold: {at_least: 0.5}, unit_prices: [{amount: 100}]}
`), facts).Lines
	require.Equal(t, []bonus.Ore{5000, 0, 7000}, []bonus.Ore{lines[0].Amount, lines[1].Amount, lines[2].Amount})
	require.Equal(t, bonus.ReasonUnder, lines[1].Reason)

	s := settle(t, scoreTerms(t, "0.01", `        measure: {score: {parts: [{name: a, figure: points}], ratings: [0.5, 0.7]}}
        schedule: {unit_prices: [{amount: 100}]}
`), facts)
	var ratings []string
	for _, step := range s.Steps {
		if step.What == "rating" {
			ratings = append(ratings, step.Value)
		}
	}
	require.Equal(t, []string{"2", "1", "3"}, ratings)
}

// The chance and the mean amount without any effect are those that adding up the
// distribution gives, for one degree of freedom and less up to the normal one.
func TestWithoutEffectByIntegration(t *testing.T) {
	for _, v := range []float64{0.5, 1, 1.5, 4, 1e6, 1e7, math.Inf(1)} {
		for _, payOn := range []bonus.PayOn{bonus.LowerLimit, bonus.Point} {
			c := bonus.Clause{PayOn: payOn}
			f := effect.Figures{SE: 0.25, DF: v, Confidence: 0.9, Difference: 1}
			chance, mean := c.WithoutEffect(f)
			// The density up to a factor that is found by adding it up, on a grid that is even in
			// asinh(x): tails are long where v is small.
			g := func(x float64) float64 {
				if math.IsInf(v, 1) || v >= 1e7 {
					return math.Exp(-x * x / 2)
				}
				return math.Exp(-(v + 1) / 2 * math.Log1p(x*x/v))
			}
			add := func(from float64, of func(float64) float64) (sum float64) {
				const n = 6000
				a, b := math.Asinh(from), math.Asinh(1e12)
				h := (b - a) / n
				for i := range n {
					u := a + (float64(i)+0.5)*h
					sum += of(math.Sinh(u)) * g(math.Sinh(u)) * math.Cosh(u) * h
				}
				return sum
			}
			all := 2 * add(0, func(float64) float64 { return 1 })
			start := 0.0
			if payOn == bonus.LowerLimit { // where 5 % are left
				low, high := 0.0, 1e6
				for range 60 {
					mid := (low + high) / 2
					if x := add(mid, func(float64) float64 { return 1 }) / all; x > 0.05 {
						low = mid
					} else {
						high = mid
					}
				}
				start = low
			}
			want := map[bonus.PayOn]float64{bonus.LowerLimit: 0.05, bonus.Point: 0.5}[payOn]
			require.InDelta(t, want, chance, 1e-6, "%v %v", v, payOn)
			if v <= 1 {
				require.True(t, math.IsNaN(mean), "no finite mean: %v %v", v, payOn)
				continue
			}
			wantMean := 0.25 * add(start, func(x float64) float64 { return x - start }) / all
			tolerance := 1e-4
			if v < 2 {
				tolerance = 2e-2 // what lies beyond the grid
			}
			require.InEpsilon(t, wantMean, mean, tolerance, "%v %v", v, payOn)
		}
	}
	for _, f := range []effect.Figures{{SE: 0, DF: 5}, {SE: 1, DF: 0}, {SE: math.Inf(1), DF: 5}, {SE: math.NaN(), DF: 5}, {SE: 1, DF: math.NaN()}, {SE: -0.5, DF: 5}, {SE: 1, DF: -0.5}} {
		c := bonus.Clause{PayOn: bonus.Point}
		chance, mean := c.WithoutEffect(f)
		require.True(t, math.IsNaN(chance) && math.IsNaN(mean), f)
	}
}

// A figure with less than one degree of freedom is one of the family all the same:
// it makes the others' adjusted p larger.
func TestHolmCountsEveryRatedFigure(t *testing.T) {
	terms := readTerms(t, gateOfTerms, "require: {n: 30}\n          multiplicity: holm")
	north := measured(nil)
	alone := settle(t, terms, bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{north}, Diagnostics: diagnosed(north, nil)})
	p := func(s *bonus.Settlement) float64 {
		for _, g := range s.Gate {
			if g.Diagnostic == bonus.GateHolm && strings.Contains(g.Line, "/north/") {
				return g.Measured
			}
		}
		require.Fail(t, "no Holm")
		return 0
	}
	south := measured(func(b *effect.BenchmarkRow) { b.Cell.Provider, b.DF = "south", 0.5 })
	rows := cell200(nil)
	for i := range rows {
		r := rows[i]
		r.id, r.provider = r.id+"s", "south"
		rows = append(rows, r)
	}
	both := settle(t, terms, bonus.Facts{
		Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{north, south}, Diagnostics: append(diagnosed(north, nil), diagnosed(south, nil)...),
	})
	require.InEpsilon(t, 2*p(alone), p(both), 1e-8)
}
