package effect

// Diagnostics measures, for every row of the benchmark, what its payment may
// depend on. Only the estimates are needed.
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
	var out []Diagnostic
	for _, b := range benchmark {
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
			case DiagDatedCovariates:
				d.Value = c.Dated
			case DiagUncovered:
				if b.Refusal == "" {
					d.Value = Round(1 - float64(b.NCompared)/float64(b.N))
				}
			case DiagOverlap:
				if b.Refusal == "" {
					d.Value = Round(c.EffectiveN / max(50, float64(b.NCompared)))
				}
			case DiagMaxWeight:
				if b.Refusal == "" {
					d.Value = c.MaxWeight
				}
			case DiagPeers, DiagEffectivePeers:
				switch {
				case b.Part == Provider:
					d.NotApplicable = "the provider's part lies within one municipality"
				case b.Refusal != "":
				case name == DiagPeers:
					d.Value = float64(c.Municipalities)
				default:
					d.Value = Round(1 / c.SumW2)
				}
			}
			out = append(out, d)
		}
	}
	return out
}
