package jobeffekt

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// maxSummaryCells keeps a summary short; the tables have every cell.
const maxSummaryCells = 40

// Summary says in a screenful what the job found: what was read and analysed,
// the verdicts, and what the terms pay. It ends in a newline.
func (r *Result) Summary() string {
	if r.told != "" {
		return r.told
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Results as of %s. %s: nothing here is booked.\n", r.AsOf, sentence(r.Standing()))
	if r.Blinded {
		fmt.Fprintf(&b, "BLINDED: no effect is shown or written, only what a payment would depend on.\n")
	}
	b.WriteString(r.recordedLine())
	if r.Observations != nil {
		r.writeCohort(&b)
		r.writeIdentity(&b)
	}
	r.writeComparison(&b)
	r.writeSpending(&b)
	if r.BeforeAfter != nil {
		var changed []string
		for _, m := range slices.Sorted(maps.Keys(r.BeforeAfter.since)) {
			changed = append(changed, r.called(m)+" on "+r.BeforeAfter.since[m].String())
		}
		b.WriteString("\n" + wrapped("Before and after the change in "+strings.Join(changed, ", ")))
		for _, line := range r.BeforeAfter.Words {
			b.WriteString(wrapped("  " + line))
		}
	}
	r.writeRankings(&b)
	if len(r.Benchmark) > 0 && !r.Blinded {
		r.writeBenchmark(&b)
	}
	if r.Blinded {
		r.writeGates(&b)
	}
	if r.Settlement != nil {
		r.writeSettlement(&b)
		r.writeFollowUp(&b)
	}
	return plain.Lines(b.String())
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// columns starts a table whose columns line up.
func columns(b *strings.Builder) *tabwriter.Writer { return tabwriter.NewWriter(b, 0, 0, 2, ' ', 0) }

func (r *Result) writeCohort(b *strings.Builder) {
	fmt.Fprintf(b, "\nWhat was read\n")
	w := columns(b)
	for _, c := range r.Counts {
		if c.Name == "read" || c.Name == "rejected" || c.Rows > 0 && c.Name != countUnseen && (c.Table == ingest.Participations || c.Table == ingest.Spells) {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", c.Table, c.Name, thousands(c.Rows))
		}
	}
	w.Flush()
	type key struct{ outcome, step string }
	order, n, steps := []string{}, map[key]int64{}, []string{}
	for _, a := range r.Observations.Attrition {
		if !slices.Contains(order, a.Outcome) {
			order = append(order, a.Outcome)
		}
		if !slices.Contains(steps, a.Step) && a.Step != effect.StepRead && a.Step != effect.StepAnalysed {
			steps = append(steps, a.Step)
		}
		n[key{a.Outcome, a.Step}] += a.N
	}
	slices.Sort(steps)
	steps = append([]string{effect.StepRead}, append(steps, effect.StepAnalysed)...)
	fmt.Fprintf(b, "\nFrom participations read to participations analysed\n")
	w = columns(b)
	fmt.Fprintf(w, "  outcome\t%s\n", strings.Join(steps, "\t"))
	analysed := int64(0)
	for _, o := range order {
		fmt.Fprintf(w, "  %s", o)
		for _, s := range steps {
			fmt.Fprintf(w, "\t%s", thousands(n[key{o, s}]))
		}
		fmt.Fprintln(w)
		analysed += n[key{o, effect.StepAnalysed}]
	}
	w.Flush()
	for _, c := range r.Counts {
		if c.Name != countUnseen || c.Rows == 0 {
			continue
		}
		fmt.Fprintf(b, "  Participations of persons who have no spell at all: %s.", thousands(c.Rows))
		if 20*c.Rows > int64(r.Observations.Cases.Len()) {
			fmt.Fprintf(b, " So many mean, as a rule, that the tables do not name persons alike: check person_id.")
		}
		fmt.Fprintln(b)
	}
	if analysed == 0 {
		fmt.Fprintf(b, "  No outcome can be told yet: no window has ended by %s.\n", r.AsOf)
	}
}

// writeBenchmark shows the cells of the providers whose agreements are settled,
// or counts the verdicts where there are none.
func (r *Result) writeBenchmark(b *strings.Builder) {
	// Without peers the provider's part is all there is to tell.
	part, with := effect.Total, "similar citizens of the peer municipalities"
	if len(r.Peers) == 0 {
		part, with = effect.Provider, "similar citizens at other providers and own projects of the municipality"
	}
	fmt.Fprintf(b, "\nVerdicts on the difference from %s (cells)\n", with)
	type key struct{ outcome, method string }
	order, n := []key{}, map[key]map[effect.Verdict]int{}
	for _, row := range r.Benchmark {
		if _, placebo := effect.PlaceboOf(row.Outcome); placebo || row.Part != part || row.Package != "" {
			continue
		}
		k := key{row.Outcome, row.Method}
		if n[k] == nil {
			n[k] = map[effect.Verdict]int{}
			order = append(order, k)
		}
		n[k][row.Verdict]++
	}
	w := columns(b)
	fmt.Fprintf(w, "  outcome\tmethod\thigher made probable\tlower made probable\tno difference shown\tnot rated\n")
	for _, k := range order {
		fmt.Fprintf(w, "  %s\t%s\t%d\t%d\t%d\t%d\n", k.outcome, k.method, n[k][effect.Higher], n[k][effect.Lower], n[k][effect.NoDifference], n[k][effect.NotRated])
	}
	w.Flush()
	if r.Settlement == nil {
		return
	}
	type cellKey struct{ municipality, provider string }
	paid := map[cellKey]bool{}
	outcomes := map[key]bool{}
	for _, l := range r.Settlement.Lines {
		if l.Municipality != "" {
			paid[cellKey{l.Municipality, l.Provider}] = true
			outcomes[key{outcome: l.Outcome}] = true
		}
	}
	rows := slices.DeleteFunc(slices.Clone(r.Benchmark), func(row effect.BenchmarkRow) bool {
		return row.Package != "" || row.Part == effect.Municipality || len(r.Peers) == 0 && row.Part == effect.Total || row.Method != r.Benchmark[0].Method ||
			!paid[cellKey{row.Municipality, row.Provider}] || !outcomes[key{outcome: row.Outcome}]
	})
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\nProviders under the agreements, by %s, all packages together (shares in %%, their differences in percentage points)\n", rows[0].Method)
	partly := false
	w = columns(b)
	fmt.Fprintf(w, "  provider\tgroup\toutcome\tcompared with\tn\tobserved\texpected\tdifference\t%.0f %% interval\tverdict\n", 100*rows[0].Confidence)
	for i, row := range rows {
		if i == maxSummaryCells {
			fmt.Fprintf(w, "  and %d more in benchmark.parquet\n", len(rows)-i)
			break
		}
		with := "peers"
		if row.Part == effect.Provider {
			with = "others at home"
		}
		partly = partly || row.Refusal == "" && row.NCompared < row.N
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", row.Provider, row.MatchGroup, row.Outcome, with, told(row.Figures, row.Unit))
	}
	w.Flush()
	if partly {
		b.WriteString(partlyCompared)
	}
}

// partlyCompared says why the columns of a table do not always add up.
const partlyCompared = "  Some have nobody like them to be compared with. A difference is that of the others: not always observed less expected.\n"

// settled are the municipalities whose agreements are settled; empty where there
// are no terms.
func (r *Result) settled() map[string]bool {
	out := map[string]bool{}
	if r.Settlement != nil {
		for _, l := range r.Settlement.Lines {
			if l.Municipality != "" {
				out[l.Municipality] = true
			}
		}
	}
	return out
}

// writeComparison shows what citizens seen together achieve, all match groups of
// a scheme together, over the whole cohort: in the municipalities whose agreements
// are settled, or in all where there are none.
func (r *Result) writeComparison(b *strings.Builder) {
	settled := r.settled()
	rows := slices.DeleteFunc(slices.Clone(r.Comparison), func(row effect.ComparisonRow) bool {
		return row.View == effect.ViewProvider || row.Period != "" || row.Package != "" || row.MatchGroup != effect.All || row.Municipality == effect.All ||
			row.Method != r.Comparison[0].Method || row.Outcome != r.Comparison[0].Outcome || row.Part == effect.Municipality ||
			len(settled) > 0 && !settled[row.Municipality] || row.View == effect.ViewTotal && row.Part == effect.Provider || row.View != effect.ViewTotal && row.Part == effect.Total && len(r.Peers) == 0
	})
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\nA municipality's citizens together, all match groups: %s by %s (shares in %%, differences in percentage points)\n", rows[0].Outcome, rows[0].Method)
	schemes := slices.ContainsFunc(rows, func(row effect.ComparisonRow) bool { return row.MatchScheme != rows[0].MatchScheme })
	channels, partly := false, false
	w := columns(b)
	fmt.Fprintf(w, "  municipality\tcitizens\tcompared with\tn\tobserved\texpected\tdifference\t%.0f %% interval\tverdict\n", 100*rows[0].Confidence)
	for i, row := range rows {
		if i == maxSummaryCells {
			fmt.Fprintf(w, "  and %d more in %s.parquet\n", len(rows)-i, TableComparison)
			break
		}
		with := "peers"
		if row.Part == effect.Provider {
			with, channels = "others at home", channels || row.View == effect.ViewChannel
		}
		partly = partly || row.Refusal == "" && row.NCompared < row.N
		who := seen(row.View, row.Of)
		if schemes {
			who += ", " + row.MatchScheme
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", r.called(row.Municipality), who, with, told(row.Figures, row.Unit))
	}
	w.Flush()
	if partly {
		b.WriteString(partlyCompared)
	}
	if channels {
		fmt.Fprintf(b, "  Own projects beside \"others at home\" are own projects against providers.\n")
	}
}

// seen says who is seen together in a view.
func seen(v effect.View, of string) string {
	switch {
	case v == effect.ViewTotal:
		return "all"
	case v == effect.ViewChannel && of == effect.ChannelProvider:
		return "at providers"
	case v == effect.ViewChannel && of == effect.ChannelOwn, of == effect.OwnProvider:
		return "in own projects"
	case v == effect.ViewChannel && of == effect.ChannelInHouseBid:
		return "in in-house bids"
	case v == effect.ViewConsortium: // or a provider that is in none
		return of
	}
	return string(v) + " " + of
}

// told are the figures of a row as columns of the summary.
func told(f effect.Figures, u effect.Unit) string {
	interval := figure(f.Low, u) + " to " + figure(f.High, u)
	if f.Refusal != "" {
		interval = "none: " + words(f.Refusal)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", thousands(f.N), figure(f.Observed, u), figure(f.Expected, u), figure(f.Difference, u), interval, words(string(f.Verdict)))
}

func (r *Result) writeSettlement(b *strings.Builder) {
	fmt.Fprintf(b, "\nResults bonus\n")
	type key struct{ agreement, provider, period string }
	order, sum, lines, stopped := []key{}, map[key]bonus.Ore{}, map[key]int{}, map[key]int{}
	for _, l := range r.Settlement.Lines {
		k := key{l.Agreement, l.Provider, l.Period}
		if _, ok := sum[k]; !ok {
			order = append(order, k)
		}
		sum[k] += l.Amount
		lines[k]++
		if l.Gated() {
			stopped[k]++
		}
	}
	total, unit := bonus.Ore(0), bonus.DKK.Unit()
	for _, k := range order {
		total += sum[k]
	}
	if len(order) > 0 {
		unit = r.Settlement.Lines[0].Currency.Unit() // one currency in a settlement
	}
	w := columns(b)
	fmt.Fprintf(w, "  agreement\tprovider\tperiod\tlines\tstopped by the gate\t%s\n", unit)
	for i, k := range order {
		if i == maxSummaryCells {
			fmt.Fprintf(w, "  and %d more in settlement.parquet\n", len(order)-i)
			break
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%d\t%d\t%s\n", k.agreement, k.provider, k.period, lines[k], stopped[k], grouped(sum[k].String()))
	}
	w.Flush()
	if total == 0 {
		fmt.Fprintf(b, "  Nothing is paid.\n")
	} else {
		fmt.Fprintf(b, "  In total %s %s\n", grouped(total.String()), unit)
	}
	r.writeWithout(b, unit)
	for _, d := range r.Settlement.Decisions {
		if d.State == bonus.DecisionMet {
			fmt.Fprintf(b, "  %s: %s is %s by clause %s for %s, since %s", d.Agreement, d.Provider, d.Then, d.Clause, d.Period, d.Since)
			if !math.IsNaN(d.SE) {
				fmt.Fprintf(b, "; the difference from the best lies between %s and %s", written(d.Low), written(d.High))
			}
			if !math.IsNaN(d.Chance) {
				fmt.Fprintf(b, ", and luck alone makes one as large with a chance of %s", written(d.Chance))
			}
			b.WriteString("\n")
		}
	}
	for _, warning := range r.Settlement.Warnings {
		fmt.Fprintf(b, "  %s: %s (%s)\n", warning.Agreement, warning.Text, warning.Code)
	}
}

// writeWithout says, for each effect clause, what it would pay providers without any
// effect: of each clause all its lines together.
func (r *Result) writeWithout(b *strings.Builder, unit string) {
	type key struct{ agreement, clause string }
	var order []key
	all := map[key]bonus.Without{}
	for _, w := range r.Settlement.WithoutEffect() {
		k := key{w.Agreement, w.Clause}
		sum, ok := all[k]
		if !ok {
			order = append(order, k)
		}
		sum.Lines += w.Lines
		if w.Told > 0 {
			sum.Chance = 1 - float64((1-sum.Chance)*(1-w.Chance))
			sum.Told, sum.Amount = sum.Told+w.Told, sum.Amount+w.Amount
		}
		all[k] = sum
	}
	for i, k := range order {
		if i == maxSummaryCells {
			fmt.Fprintf(b, "  and %d more clauses in %s.parquet\n", len(order)-i, TableSteps)
			break
		}
		w := all[k]
		text := fmt.Sprintf("no figure tells what it would pay without any effect (%d lines).", w.Lines)
		if w.Told > 0 {
			mean := "an amount without a finite mean"
			if !math.IsNaN(w.Amount) {
				mean = grouped(fmt.Sprintf("%.0f", w.Amount)) + " " + unit + " on average"
			}
			text = fmt.Sprintf("had no provider any effect, one or more of its %d lines would be paid with a chance of %.1f %%, and %s, before gates and limits.", w.Lines, 100*w.Chance, mean)
		}
		b.WriteString(wrapped("  Clause " + plain.Line(k.clause) + " of " + plain.Line(k.agreement) + ": " + text))
	}
}

// writeGates counts how the required diagnostics ended in the cells that could
// be paid.
func (r *Result) writeGates(b *strings.Builder) {
	if len(r.Gates) == 0 {
		fmt.Fprintf(b, "\nNo gate to judge: no terms pay on an effect that can be told. The diagnostics are in %s.parquet.\n", TableDiagnostics)
		return
	}
	fmt.Fprintf(b, "\nGates, by the thresholds of the terms (lines)\n")
	order, n := []effect.DiagnosticName{}, map[effect.DiagnosticName]map[bonus.GateState]int{}
	shut, lines := map[string]bool{}, map[string]bool{}
	for _, g := range r.Gates {
		if n[g.Diagnostic] == nil {
			n[g.Diagnostic] = map[bonus.GateState]int{}
			order = append(order, g.Diagnostic)
		}
		n[g.Diagnostic][g.State]++
		lines[g.Line] = true
		if !g.Accepted && g.Diagnostic != bonus.GateHolm && g.Diagnostic != bonus.GateAcceptance {
			shut[g.Line] = true
		}
	}
	states := []bonus.GateState{bonus.Pass, bonus.Fail, bonus.NotEvaluated, bonus.NotApplicable}
	w := columns(b)
	fmt.Fprintf(w, "  diagnostic")
	for _, s := range states {
		fmt.Fprintf(w, "\t%s", s)
	}
	fmt.Fprintln(w)
	for _, name := range order {
		fmt.Fprintf(w, "  %s", name)
		for _, s := range states {
			fmt.Fprintf(w, "\t%d", n[name][s])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	fmt.Fprintf(b, "  Of %d lines, %d would be stopped by these; each stands in %s.parquet.\n", len(lines), len(shut), TableGatePreview)
}

// figure writes a share in per cent, days as they are.
func figure(x float64, u effect.Unit) string {
	switch {
	case math.IsNaN(x):
		return "-"
	case u == effect.UnitShare:
		x *= 100
	}
	return fmt.Sprintf("%.1f", x)
}

// words are a code as words.
func words(code string) string { return strings.ReplaceAll(code, "_", " ") }

// thousands writes a count with separators.
func thousands(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// grouped writes a decimal with separators before the point.
func grouped(s string) string {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + fraction
	}
	return s[:len(s)-len(digits)] + whole
}

// summaryWidth is where a line of words is broken.
const summaryWidth = 110

// wrapped breaks a line of words, going on two places further in. It ends in a
// newline.
func wrapped(line string) string {
	text := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(text)]
	var b strings.Builder
	b.WriteString(indent)
	at := len(indent)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > summaryWidth:
			b.WriteString("\n" + indent + "  ")
			at = len(indent) + 2
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String() + "\n"
}
