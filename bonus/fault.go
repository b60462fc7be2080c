package bonus

import (
	"fmt"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Faults is the error that lists everything that is wrong with terms, or with
// settling them on the facts. It names no person and no case.
type Faults = strict.Faults

// Fault is one thing that is wrong, and where in the terms.
type Fault = strict.Fault

// FaultCode names a kind of fault for programs and tests.
type FaultCode = strict.Code

// The kinds of faults that [ParseTerms] finds.
const (
	FaultSyntax        = strict.Syntax        // not YAML, or YAML that terms do not use
	FaultUnknownKey    = strict.UnknownKey    // a key that terms do not have
	FaultDuplicateKey  = strict.DuplicateKey  // a key given twice
	FaultMissing       = strict.Missing       // a required key is missing or empty
	FaultValue         = strict.Value         // a value of the wrong kind, or not one of the names allowed
	FaultContradiction = strict.Contradiction // values that contradict each other
)

// The kinds of faults that [Settle] finds.
const (
	FaultAgreement   FaultCode = "agreement_twice"    // two terms files for one agreement
	FaultCurrency    FaultCode = "currency_mix"       // terms of two currencies are settled together
	FaultOutcome     FaultCode = "outcome_missing"    // a clause needs an outcome that nobody observed, or that is for description only
	FaultFigure      FaultCode = "figure_missing"     // a clause needs an effect that nobody computed
	FaultTogether    FaultCode = "not_together"       // what terms that count together say of each other, or need of the cohort
	FaultStale       FaultCode = "figure_stale"       // an effect is about other cases than those observed
	FaultPrice       FaultCode = "price_missing"      // no price for a group and package that has counted cases
	FaultPackage     FaultCode = "package_undeclared" // cases whose package is missing or not in the terms
	FaultProfile     FaultCode = "profile_missing"    // no number for a provider and period that bands are shares of
	FaultInseparable FaultCode = "inseparable"        // an effect mixes cases that the terms treat differently
)

// count writes a number of things.
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
