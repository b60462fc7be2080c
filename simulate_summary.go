package jobeffekt

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/internal/plain"
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
	return plain.Lines(b.String())
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

// listing is a part of the summary with a row for each of several things. The terms
// stand in front where there are several, and rows beyond those that a summary has are
// counted alone.
type listing struct {
	b       *strings.Builder
	w       *tabwriter.Writer
	several bool
	table   string // where all rows stand
	n       int
}

// list begins a part under its title.
func (s *Simulated) list(b *strings.Builder, table, title string, head ...string) *listing {
	fmt.Fprintf(b, "\n%s (%s)\n", title, s.Unit)
	l := &listing{b: b, w: columns(b), several: s.several(), table: table}
	l.write("terms", head)
	return l
}

func (l *listing) row(terms string, cells ...string) {
	if l.n++; l.n <= maxSummaryCells {
		l.write(plain.Line(terms), cells)
	}
}

func (l *listing) write(terms string, cells []string) {
	if l.several {
		cells = append([]string{terms}, cells...)
	}
	fmt.Fprintln(l.w, "  "+strings.Join(cells, "\t"))
}

func (l *listing) end() {
	l.w.Flush()
	if l.n > maxSummaryCells {
		fmt.Fprintf(l.b, "  and %d more in %s.parquet\n", l.n-maxSummaryCells, l.table)
	}
}

func (s *Simulated) writeTotals(b *strings.Builder) {
	l := s.list(b, TableSimulationTotal, "What an agreement would cost, all periods together",
		"agreement", "true effects", "mean", "5 %", "half", "95 %", "limits take off", "paid for no effect")
	for _, r := range s.Totals {
		if r.Year == "" {
			l.row(r.Terms, plain.Line(r.Agreement), meant(r.Truth, r.Volume),
				wholes(r.Mean), wholes(r.P5), wholes(r.Median), wholes(r.P95), wholes(-r.MeanLimits), wholes(r.MeanWithout))
		}
	}
	l.end()
}

func (s *Simulated) writeYears(b *strings.Builder) {
	budget := slices.ContainsFunc(s.Totals, func(r SimulationTotal) bool { return !math.IsNaN(r.Budget) })
	head := []string{"agreement", "year", "mean", "5 %", "95 %", "most", "chance that a limit cuts"}
	if budget {
		head = append(head, "budget", "chance of more", "mean above it")
	}
	l := s.list(b, TableSimulationTotal, "By calendar year, true effects as measured", head...)
	for _, r := range s.Totals {
		if r.Truth != TruthMeasured || r.Volume != 1 || r.Year == "" && !budget {
			continue
		}
		cells := []string{plain.Line(r.Agreement), cmp.Or(r.Year, "all"), wholes(r.Mean), wholes(r.P5), wholes(r.P95), wholes(r.Most), percent(r.ChanceLimited)}
		if budget {
			cells = append(cells, wholes(r.Budget), percent(r.ChanceOver), wholes(r.MeanOver))
		}
		l.row(r.Terms, cells...)
	}
	l.end()
}

func (s *Simulated) writeProviders(b *strings.Builder) {
	l := s.list(b, TableSimulation, "What each provider would be paid, all periods together",
		"provider", "true effects", "mean", "5 %", "95 %", "of it for effects", "chance of pay for no effect", "chance that a relevant effect goes unpaid")
	for _, r := range s.Rows {
		if r.Year == "" && r.Volume == 1 {
			l.row(r.Terms, plain.Line(r.Provider), meant(r.Truth, r.Volume),
				wholes(r.Mean), wholes(r.P5), wholes(r.P95), wholes(r.MeanEffects), percent(r.ChanceWithout), percent(r.ChanceMissed))
		}
	}
	l.end()
	b.WriteString("  For effects: before limits. A chance of pay for no effect is that of a provider with no effect in the cell paid for, or less.\n")
}

// writeWithout shows the formula beside the draws.
func (s *Simulated) writeWithout(b *strings.Builder) {
	if !slices.ContainsFunc(s.Rows, func(r SimulationRow) bool { return !math.IsNaN(r.ExpectedChance) }) {
		return
	}
	l := s.list(b, TableSimulation, "What effect clauses would pay a provider without any effect",
		"provider", "how", "chance by formula, before the gate", "chance in the draws", "mean by formula, before gate and limits", "mean in the draws")
	for _, r := range s.Rows {
		if r.Year != "" || r.Truth != TruthNone && r.Truth != TruthNoWorld || math.IsNaN(r.ExpectedChance) {
			continue
		}
		what := "drawn"
		if r.Truth == TruthNoWorld {
			what = fmt.Sprintf("%d worlds", r.Draws)
		}
		l.row(r.Terms, plain.Line(r.Provider), what,
			percent(r.ExpectedChance), percent(r.ChanceWithout), wholes(r.ExpectedWithout), wholes(r.MeanWithout))
	}
	l.end()
}

func (s *Simulated) writeDifferences(b *strings.Builder) {
	if len(s.Differences) == 0 {
		return
	}
	l := s.list(b, TableSimulationDiff, fmt.Sprintf("Other terms less %s, on the same draws, all periods together", plain.Line(s.names[0])),
		"provider", "true effects", "mean", "95 % interval of the mean", "5 %", "95 %", "pay more", "pay less")
	for _, r := range s.Differences {
		if r.Year == "" {
			l.row(r.Terms, plain.Line(cmp.Or(r.Provider, "all")), meant(r.Truth, 1), wholes(r.Mean), wholes(r.Low)+" to "+wholes(r.High),
				wholes(r.P5), wholes(r.P95), percent(r.ChanceMore), percent(r.ChanceLess))
		}
	}
	l.end()
}

func (s *Simulated) writeReplays(b *strings.Builder) {
	if len(s.Replays) == 0 {
		return
	}
	l := s.list(b, TableSimulationReplay, "The settlement dates again, with what was known on each",
		"date", "provider", "to pay on it", "settled by it", "of it for effects, before limits", "lines stopped")
	whole := func(o bonus.Ore) string { return wholes(float64(o) / 100) }
	for _, r := range s.Replays {
		l.row(r.Terms, r.AsOf.String(), plain.Line(r.Provider), whole(r.Change), whole(r.Settled), whole(r.Effects), fmt.Sprint(r.Stopped))
	}
	l.end()
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
	head := []string{"what"}
	for _, p := range who {
		head = append(head, plain.Line(cmp.Or(p, "all")))
	}
	l := s.list(b, TableSimulationVary, "If it had been done otherwise: change of what is paid", head...)
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
		cells := []string{plain.Line(what)}
		for _, p := range who {
			text := "-"
			for _, r := range at[k] {
				if r.Provider == p {
					text = wholes(r.Change)
				}
			}
			cells = append(cells, text)
		}
		l.row(k.terms, cells...)
	}
	l.end()
	for _, k := range order {
		for _, r := range at[k] {
			if r.Provider == "" && r.Note != "" {
				b.WriteString(wrapped(fmt.Sprintf("  %s %s: %s", k.variation, k.what, r.Note)))
			}
		}
	}
}
