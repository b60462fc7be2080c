package effect

import (
	"math"

	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// DiagnosticName names a diagnostic.
type DiagnosticName string

// The diagnostics that terms can require.
const (
	DiagN               DiagnosticName = "n"                     // cases in the cell
	DiagDetectable      DiagnosticName = "min_detectable_effect" // effect that the interval would tell from 0 with a chance of 80 %, in the outcome's unit
	DiagBalance         DiagnosticName = "balance"               // worst |SMD| over covariates, their squares, zeros and pairwise products
	DiagVarianceRatio   DiagnosticName = "variance_ratio"        // worst ratio of variances, 1 or more
	DiagOverlap         DiagnosticName = "overlap"               // effective comparators over max(50, cases compared)
	DiagMaxWeight       DiagnosticName = "max_weight"            // largest weight share of one comparator
	DiagPeers           DiagnosticName = "peers"                 // peer municipalities that carry weight
	DiagEffectivePeers  DiagnosticName = "effective_peers"       // effective number of peer municipalities, 1 / sum of squared shares
	DiagUncovered       DiagnosticName = "uncovered_share"       // share of the cell without comparators
	DiagPlacebo         DiagnosticName = "placebo"               // farther limit of the 90 % interval of the difference in work before referral
	DiagFollowUp        DiagnosticName = "follow_up"             // share of ended windows whose follow-up is known, of the cell or its comparators if that is less
	DiagLeft            DiagnosticName = "left_share"            // share of ended windows lost to death or emigration
	DiagNoClock         DiagnosticName = "no_clock_share"        // share of the cohort without a day to count from
	DiagDatedCovariates DiagnosticName = "dated_covariates"      // share of the covariates used that are dated or fixed
)

// diagnostic is what is known of a diagnostic beside its value.
type diagnostic struct {
	name   DiagnosticName
	atMost bool // passes at or below its threshold, not at or above it
	share  bool // lies between 0 and 1
}

func diagnostics() []diagnostic {
	return []diagnostic{
		{DiagN, false, false},
		{DiagDetectable, true, false},
		{DiagBalance, true, false},
		{DiagVarianceRatio, true, false},
		{DiagOverlap, false, false},
		{DiagMaxWeight, true, true},
		{DiagPeers, false, false},
		{DiagEffectivePeers, false, false},
		{DiagUncovered, true, true},
		{DiagPlacebo, true, true},
		{DiagFollowUp, false, true},
		{DiagLeft, true, true},
		{DiagNoClock, true, true},
		{DiagDatedCovariates, false, true},
	}
}

// DiagnosticNames lists the diagnostics in their fixed order.
func DiagnosticNames() []DiagnosticName {
	var out []DiagnosticName
	for _, d := range diagnostics() {
		out = append(out, d.name)
	}
	return out
}

// Names lists the diagnostics.
func (DiagnosticName) Names() []string {
	var out []string
	for _, n := range DiagnosticNames() {
		out = append(out, string(n))
	}
	return out
}

// AtMost says whether the diagnostic passes at or below its threshold; the
// others pass at or above it.
func (n DiagnosticName) AtMost() bool { return n.known().atMost }

// IsShare says whether the diagnostic lies between 0 and 1.
func (n DiagnosticName) IsShare() bool { return n.known().share }

func (n DiagnosticName) known() diagnostic {
	for _, d := range diagnostics() {
		if d.name == n {
			return d
		}
	}
	return diagnostic{}
}

// Power and placeboConfidence are those of methods that regulators use for the
// smallest effect of interest and for equivalence.
const (
	detectablePower   = 0.8
	placeboConfidence = 0.9
)

// Detectable returns the minimum detectable effect: the true difference that an
// interval with this standard error and degrees of freedom would tell from 0
// with a chance of 80 %,
//
//	(t(df, confidence) + t(df, 0.6)) SE
//
// t(df, c) being the quantile with P(|T| <= t) = c, so that the second has 80 %
// of T below it. It takes the true difference to move the distribution without
// changing its shape. NaN where an argument is.
func Detectable(se, df, confidence float64) float64 {
	return (interval.StudentT(df, confidence) + interval.StudentT(df, 2*detectablePower-1)) * se
}

// Diagnostics measures, for every row of the benchmark that is no placebo, what
// its payment may depend on. Only the estimates are needed.
func Diagnostics(estimates []Estimate, benchmark []BenchmarkRow) []Diagnostic {
	type key struct {
		outcome, method string
		cell            Cell
		comparators     Comparators
	}
	certificate := map[key]*Certificate{}
	for i := range estimates {
		e := &estimates[i]
		if e.Support == SupportOwn || e.Refusal == "" {
			certificate[key{e.Outcome, e.Method, e.Cell, e.Comparators}] = &e.Certificate
		}
	}
	type part struct {
		outcome, method string
		cell            Cell
		part            Part
	}
	placebos := map[part]*Figures{}
	for i := range benchmark {
		b := &benchmark[i]
		if of, ok := PlaceboOf(b.Outcome); ok {
			placebos[part{of, b.Method, b.Cell, b.Part}] = &b.Figures
		}
	}
	var out []Diagnostic
	for _, b := range benchmark {
		if _, ok := PlaceboOf(b.Outcome); ok {
			continue
		}
		kind := Peers
		if b.Part == Provider {
			kind = Home
		}
		c := certificate[key{b.Outcome, b.Method, b.Cell, kind}]
		if c == nil {
			continue
		}
		for _, name := range DiagnosticNames() {
			d := Diagnostic{Outcome: b.Outcome, Cell: b.Cell, Method: b.Method, Part: b.Part, Name: name, Value: nan}
			switch name {
			case DiagN:
				d.Value = float64(b.N)
			case DiagFollowUp:
				d.Value = c.FollowUp
			case DiagLeft:
				d.Value = c.LeftShare
			case DiagNoClock:
				d.Value = c.NoClockShare
			case DiagDatedCovariates:
				d.Value = c.Dated
			case DiagPeers, DiagEffectivePeers:
				if b.Part == Provider {
					d.NotApplicable = "the provider's part lies within one municipality"
				}
			}
			if b.Refusal == "" {
				d.Value = ofFigure(name, &b.Figures, c, placebos[part{b.Outcome, b.Method, b.Cell, b.Part}], d)
			}
			out = append(out, d)
		}
	}
	return out
}

// ofFigure measures what can be told of a figure only; other values stay as d
// has them.
func ofFigure(name DiagnosticName, f *Figures, c *Certificate, placebo *Figures, d Diagnostic) float64 {
	if d.NotApplicable != "" {
		return nan
	}
	switch name {
	case DiagFollowUp:
		// Whoever is lost looks like a failure, on either side.
		return min(d.Value, c.FollowUpOut)
	case DiagDetectable:
		return Round(Detectable(f.SE, f.DF, f.Confidence))
	case DiagBalance:
		return c.WorstSMD
	case DiagVarianceRatio:
		return c.VarianceRatio
	case DiagUncovered:
		return Round(1 - float64(f.NCompared)/float64(f.N))
	case DiagOverlap:
		return Round(c.EffectiveN / max(50, float64(f.NCompared)))
	case DiagMaxWeight:
		return c.MaxWeight
	case DiagPeers:
		return float64(c.Municipalities)
	case DiagEffectivePeers:
		return Round(1 / c.SumW2)
	case DiagPlacebo:
		if placebo == nil || placebo.Refusal != "" {
			return nan
		}
		return Round(math.Abs(placebo.Difference) + float64(interval.StudentT(placebo.DF, placeboConfidence)*placebo.SE))
	}
	return d.Value
}
