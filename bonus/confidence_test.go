package bonus_test

import (
	"math"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

// The confidence decides how much is paid, so the sealed terms have it, and the
// run cannot choose another.
func TestConfidenceIsPartOfTheTerms(t *testing.T) {
	const measure = "method: regression}"
	terms, at90 := readTerms(t), readTerms(t, measure, "method: regression, confidence: 0.9}")
	require.Contains(t, string(terms.Canonical(0, terms.Until(0))), `"confidence":"0.95"`)
	same := readTerms(t, measure, "method: regression, confidence: 0.950}")
	s := seal(t, terms, 0, "2007-12-31")
	require.Equal(t, s, seal(t, same, 0, "2007-12-31"), "the default written out is the same terms")
	require.NotEqual(t, s.SHA256, seal(t, at90, 0, "2007-12-31").SHA256)

	known := bonus.Known{
		Outcomes: map[string]effect.Unit{"sustained_13w": effect.UnitShare, "employed_26w": effect.UnitShare},
		Methods:  []string{"regression"}, ByPackage: true,
	}
	for _, test := range []struct {
		terms *bonus.Terms
		run   float64
		want  string
	}{
		{terms, 0, ""},
		{terms, 0.95, ""},
		{same, 0.95, ""},
		{at90, 0.9, ""},
		{terms, 0.5, "terms.yaml:33:9: versions[0].clauses[1].measure.confidence: clause effect pays on intervals with confidence 0.95, and the run file has 0.5: let compare.confidence be 0.95"},
		{at90, 0.95, "terms.yaml:33:77: versions[0].clauses[1].measure.confidence: clause effect pays on intervals with confidence 0.9, and the run file has 0.95: let compare.confidence be 0.9"},
	} {
		known.Confidence = test.run
		if err := test.terms.Check(known); test.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.want)
		}
	}

	for confidence, want := range map[float64]string{0.5: "1 cell has them with 0.5", 0.95000001: "with 0.95000001", math.NaN(): "with (none)", 0: "with 0"} {
		b := measured(func(b *effect.BenchmarkRow) { b.Confidence = confidence })
		facts := bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
		found := faults(t, facts, terms)
		require.True(t, found.Has(bonus.FaultFigure))
		require.ErrorContains(t, found, want)
	}
	b := measured(func(b *effect.BenchmarkRow) { b.Confidence = 0.9 })
	facts := bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	require.NotZero(t, settle(t, at90, facts).Lines[0].Amount)

	for edit, want := range map[string]string{
		"method: regression, confidence: 1}":    "1 is no confidence: it lies above 0 and under 1",
		"method: regression, confidence: 0}":    "0 is no confidence",
		"method: regression, confidence: -0.5}": "-0.5 is no confidence",
	} {
		_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(source(t), measure, edit, 1)))
		require.ErrorContains(t, err, want)
	}
	_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(source(t), "{reached: sustained_13w}", "{reached: sustained_13w, confidence: 0.9}", 1)))
	require.ErrorContains(t, err, "part, method, better and confidence belong to an effect")
}
