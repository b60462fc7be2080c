package spec_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
)

// TestPooledNeedsConditions: lines stand in for each other only where all of them
// may be paid on. Together they reach (14.4 + 9.6) / (160 + 160) = 0.075; the
// indicator, at most 0.1, opens or shuts the line of one municipality.
func TestPooledNeedsConditions(t *testing.T) {
	text := strings.Replace(read(t, "../../testdata/terms/peterborough.yaml"), "        pay_on: point\n",
		"        pay_on: point\n        conditions: {indicators: {repeated_referral: 0.1}}\n", 1)
	terms, err := bonus.ParseTerms("terms.yaml", []byte(text))
	require.NoError(t, err)
	for indicator, total := range map[string]string{
		"n: 100, count: 10":            "24000",
		"n: 100, count: 11":            "0",
		"not_evaluated: nobody looked": "0",
	} {
		s, err := spec.Parse("spec.yaml", []byte(fmt.Sprintf(`
terms: terms.yaml
outcomes: [{name: reconvictions, unit: number}]
case: {provider: one-service, municipality: Peterborough, referral: 2010-10-01, package: C1}
scenarios:
  - it: pays together
    as_of: 2012-12-31
    given:
      cases: [{case: a, times: 100}, {case: b, times: 100, municipality: Ely}]
      effects:
        - {package: C1, observed: 1.456, expected: 1.6, se: 0.1}
        - {package: C1, municipality: Ely, observed: 1.504, expected: 1.6, se: 0.1}
      indicators:
        - {indicator: repeated_referral, n: 100, count: 0}
        - {indicator: repeated_referral, municipality: Ely, %s}
    expect: {total: %s}
`, indicator, total)))
		require.NoError(t, err)
		failures, err := s.Run(context.Background(), terms)
		require.NoError(t, err)
		require.Empty(t, failures, indicator)
	}
}

// TestPoolOfEffects: of two municipalities' figures one has a shut gate, so that
// the other takes the pool; the chance of sharing in it without any effect is told
// for both, 1 - 0.5 x 0.5 on the point, and no amount, which rests on the others.
func TestPoolOfEffects(t *testing.T) {
	text := read(t, "../../testdata/terms/peterborough.yaml")
	text = text[:strings.Index(text, "        schedule:")] + "        schedule: {pool: {amount: 100}}\n"
	terms, err := bonus.ParseTerms("terms.yaml", []byte(text))
	require.NoError(t, err)
	s, err := spec.Parse("spec.yaml", []byte(`
terms: terms.yaml
outcomes: [{name: reconvictions, unit: number}]
case: {provider: one-service, municipality: Peterborough, referral: 2010-10-01, package: C1}
scenarios:
  - it: divides the pool among those whose gate is open
    as_of: 2012-12-31
    given:
      cases: [{case: a, times: 100}, {case: b, times: 100, municipality: Ely}]
      effects:
        - {package: C1, observed: 1.456, expected: 1.6, se: 0.1}
        - {package: C1, municipality: Ely, observed: 1, expected: 1.6, se: 0.1, unmeasured: [n]}
    expect:
      lines:
        - {amount: 0, reason: "gate:n"}
        - {amount: 100}
`))
	require.NoError(t, err)
	failures, err := s.Run(context.Background(), terms)
	require.NoError(t, err)
	require.Empty(t, failures)
	all, f, err := s.Facts(0, terms)
	require.NoError(t, err)
	settled, err := bonus.Settle(context.Background(), all, f)
	require.NoError(t, err)
	without := settled.WithoutEffect()
	require.Len(t, without, 1)
	require.InDelta(t, 0.75, without[0].Chance, 1e-12)
	require.True(t, math.IsNaN(without[0].Amount))
}
