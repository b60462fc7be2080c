package bonus

import (
	"math"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Gate says what must hold before an effect is paid: every diagnostic that it
// requires passes its threshold.
type Gate struct {
	Require map[Diagnostic]Decimal `yaml:"require" doc:"threshold of each diagnostic that must pass"`
	// AcceptNotApplicable names the diagnostics that may also have no meaning.
	AcceptNotApplicable []Diagnostic `yaml:"accept_not_applicable,omitempty" doc:"required diagnostics that pass also where they do not apply"`
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

func (g *Gate) check(c *checker, path string) {
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
