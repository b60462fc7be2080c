package bonus

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Gate says what must hold before an effect is paid: every diagnostic that it
// requires passes its threshold, and what else it asks for holds.
type Gate struct {
	// Standard fills in, when the terms are read, the thresholds of [Standard] that
	// Require does not give, Holm where Multiplicity is not given, and, for the
	// provider's part, which lies within one municipality, the acceptance of peers
	// and effective_peers as not applicable.
	Standard bool                   `yaml:"standard,omitempty" doc:"require every diagnostic, at the standard threshold where require gives no other; min_detectable_effect and placebo have none and must be given"`
	Require  map[Diagnostic]Decimal `yaml:"require,omitempty" doc:"threshold of each diagnostic that must pass"`
	// AcceptNotApplicable names the diagnostics that may also have no meaning.
	AcceptNotApplicable []Diagnostic `yaml:"accept_not_applicable,omitempty" doc:"required diagnostics that pass also where they do not apply"`
	Multiplicity        Multiplicity `yaml:"multiplicity,omitempty" doc:"holm (if left out and standard is true) or none (if left out otherwise): whether the difference must stand when all paid cells of the settlement are judged together"`
	Acceptance          *AcceptedBy  `yaml:"acceptance,omitempty" doc:"pay only when the diagnostics were accepted before the effects were seen"`
}

// AcceptedBy says who must have accepted the diagnostics of a blinded run.
type AcceptedBy struct {
	Role string `yaml:"role" doc:"role in which the diagnostics are accepted"`
}

// Multiplicity says how a gate takes account of the other paid cells.
type Multiplicity string

// The ways. The family of Holm's step-down procedure (source: holm1979) is every
// rated figure that the settlement could pay on, whatever the clause: see
// [Settle].
const (
	NoMultiplicity Multiplicity = "none"
	Holm           Multiplicity = "holm"
)

// Names lists the ways.
func (Multiplicity) Names() []string { return []string{string(NoMultiplicity), string(Holm)} }

// The rows of a gate that are no diagnostics of one figure.
const (
	GateHolm       effect.DiagnosticName = "holm"       // Holm's adjusted p of the difference
	GateAcceptance effect.DiagnosticName = "acceptance" // what was decided on the diagnostics
)

// Standard is the threshold that a standard gate has for a diagnostic, and
// whether it has one. The placebo's margin and the minimum detectable effect are
// what the parties hold to be relevant: they have none. Nor has peers, which
// effective_peers implies.
func Standard(d Diagnostic) (Decimal, bool) {
	text := map[effect.DiagnosticName]string{
		effect.DiagN: "30", effect.DiagFollowUp: "0.95", effect.DiagUncovered: "0.10", effect.DiagDatedCovariates: "1",
		effect.DiagOverlap: "1", effect.DiagMaxWeight: "0.05", effect.DiagEffectivePeers: "4",
		effect.DiagBalance: "0.1", effect.DiagVarianceRatio: "2", effect.DiagLeft: "0.05", effect.DiagNoClock: "0.05",
	}[effect.DiagnosticName(d)]
	return Decimal{text}, text != ""
}

// Diagnostic names a diagnostic that a gate can require.
type Diagnostic effect.DiagnosticName

// Names lists the diagnostics in the order of [effect.DiagnosticNames].
func (Diagnostic) Names() []string {
	var names []string
	for _, n := range effect.DiagnosticNames() {
		names = append(names, string(n))
	}
	return names
}

// GateState is how a required diagnostic ended.
type GateState string

// The states. Only Pass opens a gate, and NotApplicable where the terms accept it.
const (
	Pass          GateState = "PASS"
	Fail          GateState = "FAIL"
	NotEvaluated  GateState = "NOT_EVALUATED"
	NotApplicable GateState = "NOT_APPLICABLE"
)

// standard fills in what a standard gate has where the terms give nothing else.
func (g *Gate) standard(c *checker, path string, part Part) {
	require := map[Diagnostic]Decimal{}
	maps.Copy(require, g.Require)
	g.Require = require
	for _, name := range effect.DiagnosticNames() {
		d := Diagnostic(name)
		if _, given := require[d]; given || name == effect.DiagPeers {
			continue
		}
		threshold, ok := Standard(d)
		if !ok {
			c.fault(path+".standard", "a standard gate has no threshold of its own for %s: give it under require, %s", d, standardless(name))
			continue
		}
		require[d] = threshold
	}
	if effect.Part(part) == effect.Provider {
		accept := slices.Clone(g.AcceptNotApplicable)
		for _, name := range []Diagnostic{Diagnostic(effect.DiagPeers), Diagnostic(effect.DiagEffectivePeers)} {
			if _, required := require[name]; required && !slices.Contains(accept, name) {
				accept = append(accept, name)
			}
		}
		g.AcceptNotApplicable = accept
	}
	g.Multiplicity = cmp.Or(g.Multiplicity, Holm)
}

// standardless says what a threshold is that only the parties can give.
func standardless(name effect.DiagnosticName) string {
	switch name {
	case effect.DiagDetectable:
		return "the smallest effect that is relevant, in the outcome's unit"
	case effect.DiagPlacebo:
		return "the margin within which the difference before the referral must lie, as a share of the 26 weeks"
	}
	return "or leave standard out"
}

func (g *Gate) check(c *checker, path string, part Part) {
	switch {
	case g.Standard:
		g.standard(c, path, part)
	case len(g.Require) == 0:
		c.fault(path, "the gate asks for nothing: give require, as in require: {n: 30}, or standard: true")
	}
	g.Multiplicity = cmp.Or(g.Multiplicity, NoMultiplicity)
	for _, name := range effect.DiagnosticNames() {
		threshold, ok := g.Require[Diagnostic(name)]
		if !ok {
			continue
		}
		r := threshold.Rat()
		if r.Sign() < 0 || name.IsShare() && r.Cmp(big.NewRat(1, 1)) > 0 {
			c.fault(path+".require."+string(name), "%s is no threshold for %s: shares lie between 0 and 1, counts are not negative", threshold, name)
		}
	}
	for _, name := range g.AcceptNotApplicable {
		if _, ok := g.Require[name]; !ok {
			c.fault(path+".accept_not_applicable", "%s is accepted but not required", name)
		}
	}
}

// judge holds the measured diagnostics of one figure against the thresholds. It
// returns a row for each that is required, in the order of
// [effect.DiagnosticNames], and the names of those that keep the gate shut.
func (g *Gate) judge(measured map[effect.DiagnosticName]*effect.Diagnostic) (rows []GateRow, shut []string) {
	for _, name := range effect.DiagnosticNames() {
		threshold, ok := g.Require[Diagnostic(name)]
		if !ok {
			continue
		}
		limit, _ := threshold.Rat().Float64()
		row := GateRow{
			Diagnostic: name, Measured: math.NaN(), Passes: "at_least", Threshold: limit,
			State: NotEvaluated, Reason: "nobody measured it",
		}
		if name.AtMost() {
			row.Passes = "at_most"
		}
		if d := measured[name]; d != nil {
			row.Measured = d.Value
			value := figure(d.Value)
			switch {
			case d.NotApplicable != "":
				row.State, row.Reason = NotApplicable, d.NotApplicable
				row.Accepted = slices.Contains(g.AcceptNotApplicable, Diagnostic(name))
			case value != nil:
				row.State, row.Reason = Fail, ""
				order := value.Cmp(threshold.Rat())
				if order == 0 || (order < 0) == name.AtMost() {
					row.State = Pass
				}
			}
		}
		row.Accepted = row.Accepted || row.State == Pass
		if !row.Accepted {
			shut = append(shut, string(name))
		}
		rows = append(rows, row)
	}
	return rows, shut
}
