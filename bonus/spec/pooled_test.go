package spec_test

import (
	"context"
	"fmt"
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
