package jobeffekt

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
)

// Summary says in words and short tables what came of a simulation, for those who
// prepare an agreement. It ends in a newline. Amounts are whole kroner; the tables
// have them to the øre.
func (s *Simulated) Summary() string {
	var b strings.Builder
	draws := int64(0)
	for _, r := range s.Totals {
		if r.Truth == TruthMeasured {
			draws = r.Draws
		}
	}
	fmt.Fprintf(&b, "Simulated as of %s, %s draws, seed %d. %s terms: nothing here is booked.\n", s.AsOf, thousands(draws), s.seed, sentence(s.Standing))
	b.WriteString(wrapped("Citizens and figures are drawn, and the terms settle each draw. Between 5 % and 95 % lie nine draws in ten."))
	for _, n := range s.Notes {
		b.WriteString(wrapped(n))
	}
	s.writeTotals(&b)
	s.writeYears(&b)
	s.writeProviders(&b)
	s.writeWithout(&b)
	s.writeDifferences(&b)
	s.writeReplays(&b)
	s.writeVariations(&b)
	return shown(b.String())
}

// wholes writes an amount without what comes after the decimal mark.
func wholes(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return grouped(fmt.Sprintf("%.0f", math.Round(x)+0)) // + 0: no minus before a zero
}

// percent writes a share in per cent.
func percent(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}

// meant is a scenario in words.
func meant(t Truth, volume float64) string {
	words := map[Truth]string{
		TruthMeasured: "as measured", TruthNone: "none at all", TruthRelevant: "just relevant",
		TruthNoWorld: "none at all (worlds)", TruthWorld: "differing (worlds)",
	}[t]
	if volume != 1 {
		words += fmt.Sprintf(", citizens x %s", multiple(volume))
	}
	return words
}

func (s *Simulated) several() bool { return len(s.names) > 1 }

// of names the terms where there are several.
func (s *Simulated) of(terms string) string {
	if s.several() {
		return "  " + oneLine(terms) + "\t"
	}
	return "  "
}

func (s *Simulated) writeTotals(b *strings.Builder) {
	fmt.Fprintf(b, "\nWhat an agreement would cost, all periods together (%s)\n", s.Unit)
	w := columns(b)
	head := "agreement\ttrue effects\tmean\t5 %\thalf\t95 %\tlimits take off\tpaid for no effect\n"
	if s.several() {
		head = "terms\t" + head
	}
	fmt.Fprint(w, "  "+head)
	for _, r := range s.Totals {
		if r.Year == "" {
			fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.of(r.Terms), oneLine(r.Agreement), meant(r.Truth, r.Volume),
				wholes(r.Mean), wholes(r.P5), wholes(r.Median), wholes(r.P95), wholes(-r.MeanLimits), wholes(r.MeanWithout))
		}
	}
	w.Flush()
}

func (s *Simulated) writeYears(b *strings.Builder) {
	budget := slices.ContainsFunc(s.Totals, func(r SimulationTotal) bool { return !math.IsNaN(r.Budget) })
	fmt.Fprintf(b, "\nBy calendar year, true effects as measured (%s)\n", s.Unit)
	w := columns(b)
	head := "agreement\tyear\tmean\t5 %\t95 %\tmost\tchance that a limit cuts"
	if s.several() {
		head = "terms\t" + head
	}
	if budget {
		head += "\tbudget\tchance of more\tmean above it"
	}
	fmt.Fprintln(w, "  "+head)
	for _, r := range s.Totals {
		if r.Truth != TruthMeasured || r.Volume != 1 || r.Year == "" && !budget {
			continue
		}
		year := r.Year
		if year == "" {
			year = "all"
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%s\t%s", s.of(r.Terms), oneLine(r.Agreement), year, wholes(r.Mean), wholes(r.P5), wholes(r.P95), wholes(r.Most), percent(r.ChanceLimited))
		if budget {
			fmt.Fprintf(w, "\t%s\t%s\t%s", wholes(r.Budget), percent(r.ChanceOver), wholes(r.MeanOver))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

func (s *Simulated) writeProviders(b *strings.Builder) {
	fmt.Fprintf(b, "\nWhat each provider would be paid, all periods together (%s)\n", s.Unit)
	w := columns(b)
	head := "provider\ttrue effects\tmean\t5 %\t95 %\tof it for effects\tchance of pay for no effect\tchance that a relevant effect goes unpaid\n"
	if s.several() {
		head = "terms\t" + head
	}
	fmt.Fprint(w, "  "+head)
	n := 0
	for _, r := range s.Rows {
		if r.Year != "" || r.Volume != 1 {
			continue
		}
		if n++; n > maxSummaryCells {
			continue
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.of(r.Terms), oneLine(r.Provider), meant(r.Truth, r.Volume),
			wholes(r.Mean), wholes(r.P5), wholes(r.P95), wholes(r.MeanEffects), percent(r.ChanceWithout), percent(r.ChanceMissed))
	}
	w.Flush()
	if n > maxSummaryCells {
		fmt.Fprintf(b, "  and %d more in %s.parquet\n", n-maxSummaryCells, TableSimulation)
	}
	b.WriteString("  For effects: before limits. A chance of pay for no effect is that of a provider with no effect in the cell paid for, or less.\n")
}

// writeWithout shows the formula beside the draws.
func (s *Simulated) writeWithout(b *strings.Builder) {
	if !slices.ContainsFunc(s.Rows, func(r SimulationRow) bool { return !math.IsNaN(r.ExpectedChance) }) {
		return
	}
	fmt.Fprintf(b, "\nWhat effect clauses would pay a provider without any effect (%s)\n", s.Unit)
	w := columns(b)
	head := "provider\thow\tchance by formula, before the gate\tchance in the draws\tmean by formula, before gate and limits\tmean in the draws\n"
	if s.several() {
		head = "terms\t" + head
	}
	fmt.Fprint(w, "  "+head)
	n := 0
	for _, r := range s.Rows {
		if r.Year != "" || r.Truth != TruthNone && r.Truth != TruthNoWorld || math.IsNaN(r.ExpectedChance) {
			continue
		}
		if n++; n > maxSummaryCells {
			continue
		}
		what := "drawn"
		if r.Truth == TruthNoWorld {
			what = fmt.Sprintf("%d worlds", r.Draws)
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%s\n", s.of(r.Terms), oneLine(r.Provider), what,
			percent(r.ExpectedChance), percent(r.ChanceWithout), wholes(r.ExpectedWithout), wholes(r.MeanWithout))
	}
	w.Flush()
	if n > maxSummaryCells {
		fmt.Fprintf(b, "  and %d more in %s.parquet\n", n-maxSummaryCells, TableSimulation)
	}
}

func (s *Simulated) writeDifferences(b *strings.Builder) {
	if len(s.Differences) == 0 {
		return
	}
	fmt.Fprintf(b, "\nOther terms less %s, on the same draws, all periods together (%s)\n", oneLine(s.names[0]), s.Unit)
	w := columns(b)
	fmt.Fprintf(w, "  terms\tprovider\ttrue effects\tmean\t95 %% interval of the mean\t5 %%\t95 %%\tpay more\tpay less\n")
	n := 0
	for _, r := range s.Differences {
		if r.Year != "" {
			continue
		}
		if n++; n > maxSummaryCells {
			continue
		}
		provider := r.Provider
		if provider == "" {
			provider = "all"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s to %s\t%s\t%s\t%s\t%s\n", oneLine(r.Terms), oneLine(provider), meant(r.Truth, 1),
			wholes(r.Mean), wholes(r.Low), wholes(r.High), wholes(r.P5), wholes(r.P95), percent(r.ChanceMore), percent(r.ChanceLess))
	}
	w.Flush()
	if n > maxSummaryCells {
		fmt.Fprintf(b, "  and %d more in %s.parquet\n", n-maxSummaryCells, TableSimulationDiff)
	}
}

func (s *Simulated) writeReplays(b *strings.Builder) {
	if len(s.Replays) == 0 {
		return
	}
	fmt.Fprintf(b, "\nThe settlement dates again, with what was known on each (%s)\n", s.Unit)
	w := columns(b)
	head := "date\tprovider\tto pay on it\tsettled by it\tof it for effects, before limits\tlines stopped\n"
	if s.several() {
		head = "terms\t" + head
	}
	fmt.Fprint(w, "  "+head)
	for i, r := range s.Replays {
		if i == maxSummaryCells {
			fmt.Fprintf(w, "  and %d more in %s.parquet\n", len(s.Replays)-i, TableSimulationReplay)
			break
		}
		whole := func(o bonus.Ore) string { return wholes(float64(o) / 100) }
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%d\n", s.of(r.Terms), r.AsOf, oneLine(r.Provider), whole(r.Change), whole(r.Settled), whole(r.Effects), r.Stopped)
	}
	w.Flush()
}

// writeVariations shows what each way of doing otherwise changes; ways of one kind
// that change nothing share a line.
func (s *Simulated) writeVariations(b *strings.Builder) {
	type key struct{ terms, variation, what string }
	var order []key
	at := map[key][]SimulationVariation{}
	var who []string
	for _, r := range s.Sensitivity {
		k := key{r.Terms, r.Variation, r.What}
		if at[k] == nil {
			order = append(order, k)
		}
		at[k] = append(at[k], r)
		if !slices.Contains(who, r.Provider) {
			who = append(who, r.Provider)
		}
	}
	slices.Sort(who)
	if len(order) == 0 || len(who) > 8 {
		fmt.Fprintf(b, "\nWhat other peers, windows and numbers of citizens would change stands in %s.parquet.\n", TableSimulationVary)
		return
	}
	fmt.Fprintf(b, "\nIf it had been done otherwise: change of what is paid (%s)\n", s.Unit)
	w := columns(b)
	head := "what"
	if s.several() {
		head = "terms\t" + head
	}
	for _, p := range who {
		if p == "" {
			p = "all"
		}
		head += "\t" + oneLine(p)
	}
	fmt.Fprintln(w, "  "+head)
	same := map[key]int{}
	for _, k := range order {
		if !slices.ContainsFunc(at[k], func(r SimulationVariation) bool { return r.Change != 0 }) {
			same[key{k.terms, k.variation, ""}]++
		}
	}
	for _, k := range order {
		if k.variation == VaryMain {
			continue
		}
		what := map[string]string{
			VaryPeer: "without peer " + k.what, VaryK: k.what + " peers", VaryWindow: k.what, VaryVolume: "citizens x " + k.what + ", mean",
		}[k.variation]
		all := key{k.terms, k.variation, ""}
		if !slices.ContainsFunc(at[k], func(r SimulationVariation) bool { return r.Change != 0 }) && same[all] > 1 {
			what = map[string]string{VaryPeer: "without one peer or another", VaryK: "other numbers of peers", VaryWindow: "other windows", VaryVolume: "other numbers of citizens"}[k.variation]
			what = fmt.Sprintf("%s (%d)", what, same[all])
			same[all] = 0
		} else if same[all] == 0 && !slices.ContainsFunc(at[k], func(r SimulationVariation) bool { return r.Change != 0 }) {
			continue
		}
		fmt.Fprintf(w, "%s%s", s.of(k.terms), oneLine(what))
		for _, p := range who {
			text := "-"
			for _, r := range at[k] {
				if r.Provider == p {
					text = wholes(r.Change)
				}
			}
			fmt.Fprintf(w, "\t%s", text)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	for _, k := range order {
		for _, r := range at[k] {
			if r.Provider == "" && r.Note != "" {
				b.WriteString(wrapped(fmt.Sprintf("  %s %s: %s", k.variation, k.what, r.Note)))
			}
		}
	}
}
