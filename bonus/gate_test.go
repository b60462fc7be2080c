package bonus_test

import (
	"math"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

const standardGate = "standard: true\n          require: {min_detectable_effect: 0.06, placebo: 0.05"

// The standard gate is every diagnostic but peers, with the thresholds of
// methods.md 6; what the terms give goes before it.
func TestStandardGate(t *testing.T) {
	terms := readTerms(t, gateOfTerms, standardGate+", n: 50}")
	g := terms.Versions[0].Clauses[1].Gate
	for _, name := range effect.DiagnosticNames() {
		threshold, required := g.Require[bonus.Diagnostic(name)]
		require.Equal(t, name != effect.DiagPeers, required, name)
		if standard, ok := bonus.Standard(bonus.Diagnostic(name)); ok && name != effect.DiagN {
			require.Equal(t, standard, threshold)
		}
	}
	require.Equal(t, "50", g.Require["n"].String())
	require.Equal(t, "0.06", g.Require["min_detectable_effect"].String())
	require.Equal(t, bonus.Holm, g.Multiplicity)
	require.Equal(t, []bonus.Diagnostic{"effective_peers"}, g.AcceptNotApplicable)
	require.Equal(t, bonus.NoMultiplicity, readTerms(t).Versions[0].Clauses[1].Gate.Multiplicity)

	total := readTerms(t, gateOfTerms, standardGate+", peers: 4}\n          multiplicity: none", "part: provider", "part: total").Versions[0].Clauses[1].Gate
	require.Empty(t, total.AcceptNotApplicable, "against peers they apply")
	require.Equal(t, bonus.NoMultiplicity, total.Multiplicity)

	// Nobody measured: shut. All within: paid.
	b := measured(nil)
	open := map[effect.DiagnosticName]float64{
		effect.DiagOverlap: 1, effect.DiagMaxWeight: 0.05, effect.DiagBalance: 0.1, effect.DiagVarianceRatio: 2, effect.DiagPlacebo: 0.05,
		effect.DiagDetectable: 0.06, effect.DiagLeft: 0.05, effect.DiagNoClock: 0.05,
	}
	diagnostics := diagnosed(b, open)
	for i := range diagnostics {
		if diagnostics[i].Name == effect.DiagEffectivePeers {
			diagnostics[i].Value, diagnostics[i].NotApplicable = math.NaN(), "the provider's part lies within one municipality"
		}
	}
	facts := bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnostics}
	require.Equal(t, []string{"A-1/north/2008H2/effect@2008-01-01/match5_2004/1/(all)/Byen 200 x 3.397530864 = 67950.62"}, paid(settle(t, terms, facts)))
	for name, at := range map[effect.DiagnosticName]float64{
		effect.DiagOverlap: 0.99, effect.DiagMaxWeight: 0.051, effect.DiagBalance: 0.101, effect.DiagVarianceRatio: 2.01, effect.DiagPlacebo: 0.0501,
		effect.DiagDetectable: 0.0601, effect.DiagLeft: 0.0501, effect.DiagNoClock: 0.0501, effect.DiagFollowUp: 0.949, effect.DiagUncovered: 0.101,
		effect.DiagDatedCovariates: 0.9, effect.DiagN: 49, effect.DiagEffectivePeers: 3.9,
	} {
		for i := range diagnostics {
			if diagnostics[i].Name == name {
				old := diagnostics[i]
				for _, bad := range []float64{at, math.NaN()} {
					diagnostics[i].Value, diagnostics[i].NotApplicable = bad, ""
					require.Equal(t, "gate:"+string(name), settle(t, terms, facts).Lines[0].Reason)
				}
				diagnostics[i] = old
			}
		}
	}
}

func TestFaultsOfGates(t *testing.T) {
	for gate, want := range map[string]string{
		"standard: true": "versions[0].clauses[1].gate.standard: a standard gate has no threshold of its own for min_detectable_effect: give it under require, the smallest effect that is relevant",
		"standard: true\n          require: {min_detectable_effect: 0.05}": "no threshold of its own for placebo",
		"multiplicity: holm": "the gate asks for nothing",
		"require: {n: 30}\n          multiplicity: bonferroni":       `"bonferroni" is not one of the names allowed here`,
		"require: {n: 30}\n          acceptance: {}":                 "role is missing",
		standardGate + "}\n          accept_not_applicable: [peers]": "peers is accepted but not required",
		"require: {n: 30}\n        probability: 0.9":                 "probability and above belong to pay_on: probability",
		"require: {n: 30}\n        above: 0.1":                       "probability and above belong to pay_on: probability",
	} {
		_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(source(t), gateOfTerms, gate, 1)))
		require.ErrorContains(t, err, want, gate)
		require.Regexp(t, `terms.yaml:(35|4\d):\d+: versions\[0\]`, err.Error(), "with its place")
	}
	for keys, want := range map[string]string{
		"":                         "give the probability that is asked for",
		"\n        probability: 1": "1 is no probability to ask for",
		"\n        probability: 0": "0 is no probability to ask for",
		"\n        probability: 0.9\n        above: -0.1": "-0.1 is negative",
	} {
		_, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(source(t), "pay_on: lower_limit", "pay_on: probability"+keys, 1)))
		require.ErrorContains(t, err, want)
	}
}

func source(t tester) string {
	t.Helper()
	return read(t, "testdata/terms.yaml")
}

// What the terms demand, who decided what on which diagnostics, and what comes
// of it: the last decision of the role counts, on these diagnostics only.
func TestAcceptance(t *testing.T) {
	terms := readTerms(t, gateOfTerms, gateOfTerms+"\n          acceptance: {role: controller}")
	b := measured(nil)
	facts := bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	now := strings.Repeat("a", 64)
	by := func(role string, answer bonus.Answer, hash string) bonus.Decision {
		return bonus.Decision{Name: "N. N.", Role: role, On: day("2009-01-10"), Decision: answer, SHA256: hash}
	}
	for _, test := range []struct {
		decisions []bonus.Decision
		state     bonus.GateState
		reason    string
	}{
		{nil, bonus.NotEvaluated, "the controller has decided nothing"},
		{[]bonus.Decision{by("controller", bonus.Accepted, now)}, bonus.Pass, "accepted by the controller on 2009-01-10"},
		{[]bonus.Decision{by("cleaner", bonus.Accepted, now)}, bonus.NotEvaluated, "the controller has decided nothing"},
		{[]bonus.Decision{by("controller", bonus.Accepted, now), by("controller", bonus.Refused, now)}, bonus.Fail, "refused by the controller on 2009-01-10"},
		{[]bonus.Decision{by("controller", bonus.Refused, now), by("controller", bonus.Accepted, now), by("cleaner", bonus.Refused, now)}, bonus.Pass, "accepted by the controller on 2009-01-10"},
		{[]bonus.Decision{by("controller", bonus.Accepted, strings.Repeat("b", 64))}, bonus.Fail, "the controller accepted other diagnostics on 2009-01-10 than there are now: overlap (2)"},
	} {
		facts.Acceptance = &bonus.Acceptance{Decisions: test.decisions, SHA256: now, Changed: "overlap (2)"}
		s := settle(t, terms, facts)
		g := s.Gate[len(s.Gate)-1]
		require.Equal(t, bonus.GateAcceptance, g.Diagnostic)
		require.Equal(t, test.state, g.State)
		require.Equal(t, test.reason, g.Reason)
		want := ""
		if test.state != bonus.Pass {
			want = bonus.ReasonNotAccepted
		}
		require.Equal(t, want, s.Lines[0].Reason)
		require.Equal(t, want != "", s.Lines[0].Gated())
		require.Equal(t, want != "", s.Lines[0].Amount == 0)
	}
	// The latest day counts, wherever it stands; on one day what stands last. Roles
	// are the same whatever the case of their letters.
	on := func(d bonus.Decision, date string) bonus.Decision {
		d.On = day(date)
		return d
	}
	yes, no := by("controller", bonus.Accepted, now), by("controller", bonus.Refused, now)
	for _, test := range []struct {
		decisions []bonus.Decision
		state     bonus.GateState
		reason    string
	}{
		{[]bonus.Decision{on(no, "2009-02-01"), on(yes, "2009-01-31")}, bonus.Fail, "refused by the controller on 2009-02-01"},
		{[]bonus.Decision{on(yes, "2009-02-01"), on(no, "2009-01-31")}, bonus.Pass, "accepted by the controller on 2009-02-01"},
		{[]bonus.Decision{on(no, "2009-01-31"), on(yes, "2009-02-01"), on(no, "2009-01-15")}, bonus.Pass, "accepted by the controller on 2009-02-01"},
		{[]bonus.Decision{on(no, "2009-02-01"), on(yes, "2009-02-01")}, bonus.Pass, "accepted by the controller on 2009-02-01"},
		{[]bonus.Decision{yes, by("Controller", bonus.Refused, now)}, bonus.Fail, "refused by the controller on 2009-01-10"},
		{[]bonus.Decision{by("CONTROLLER", bonus.Accepted, now)}, bonus.Pass, "accepted by the controller on 2009-01-10"},
		{[]bonus.Decision{yes, on(by("cleaner", bonus.Refused, now), "2009-03-01")}, bonus.Pass, "accepted by the controller on 2009-01-10"},
	} {
		facts.Acceptance = &bonus.Acceptance{Decisions: test.decisions, SHA256: now}
		g := settle(t, terms, facts).Gate
		require.Equal(t, test.state, g[len(g)-1].State)
		require.Equal(t, test.state == bonus.Pass, g[len(g)-1].Accepted)
		require.Equal(t, test.reason, g[len(g)-1].Reason)
	}
	facts.Acceptance = nil
	s := settle(t, terms, facts)
	require.Equal(t, bonus.ReasonNotAccepted, s.Lines[0].Reason)
	e, err := s.Explain(s.Lines[0].ID)
	require.NoError(t, err)
	require.Contains(t, e.String(), "the run names no blinded run that the controller has decided on")
	require.Contains(t, e.String(), "Nothing is paid: the diagnostics were not accepted before the effects were seen")
}

// A decision is read back as it was written, quotes and all.
func TestParseDecisions(t *testing.T) {
	d := bonus.Decision{Name: "N. \"N.\": æøå", Role: "controller", On: day("2009-01-10"), Decision: bonus.Refused, Note: "follow-up: 93 %\nof L1\t#2", SHA256: strings.Repeat("0f", 32)}
	all, err := bonus.ParseDecisions("acceptance.yaml", []byte("decisions:\n"+d.Text()+d.Text()))
	require.NoError(t, err)
	require.Equal(t, []bonus.Decision{d, d}, all.Decisions)
	_, err = bonus.ParseDecisions("acceptance.yaml", []byte("decisions:\n"+strings.Replace(d.Text(), "refused", "maybe", 1)))
	require.ErrorContains(t, err, "acceptance.yaml:5:5: decisions[0].decision")
	_, err = bonus.ParseDecisions("acceptance.yaml", []byte("decisions:\n"+strings.Replace(d.Text(), "0f", "xx", 1)))
	require.ErrorContains(t, err, "a hash is 64 digits")
}

// Nightly figures decide nothing, and say so.
func TestSettlementDate(t *testing.T) {
	facts := bonus.Facts{Observations: observe(row{id: "1", job: "2008-06-01"})}
	require.Empty(t, settle(t, readTerms(t), facts).Warnings)
	facts.Observations.AsOf = day("2008-12-30")
	w := settle(t, readTerms(t), facts).Warnings
	require.Equal(t, []string{bonus.WarnNotSettlementDate}, codes(w))
	require.Equal(t, "2008-12-30 is not the last day of a settlement period, which is 2008-12-31: only figures of that day decide", w[0].Text)
}
