package bonus

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/nearest"
)

// ErrNotFound says that a settlement has no such line or case.
var ErrNotFound = errors.New("bonus: not in the settlement")

// Explanation is everything behind one line.
type Explanation struct {
	Line   Line
	Steps  []Step
	Gate   []GateRow
	Counts []Count // rules by which the cases of the line's cell ended, over all its periods
	// Decision is set in place of Line, Counts and Period where what was asked for is
	// one.
	Decision *Decided
	Period   []Line // all lines of the provider under the agreement in the period

	// Of an effect, from [Explanation.Behind].
	Parts  []effect.BenchmarkRow // total, municipality and provider, as far as they were estimated
	Strata []Stratum             // the largest first
}

// Explain answers why a line pays what it pays, from the tables alone. The error
// wraps [ErrNotFound] and names the nearest line.
func (s *Settlement) Explain(line string) (Explanation, error) {
	i := slices.IndexFunc(s.Lines, func(l Line) bool { return l.ID == line })
	if e, ok := s.explainDecision(line); ok && i < 0 {
		return e, nil
	}
	if i < 0 {
		ids := make([]string, len(s.Lines))
		for i := range s.Lines {
			ids[i] = s.Lines[i].ID
		}
		hint := nearest.Of(line, ids)
		if hint == "" {
			return Explanation{}, fmt.Errorf("%w: line %q is not one of its %s", ErrNotFound, line, count(int64(len(ids)), "line"))
		}
		return Explanation{}, fmt.Errorf("%w: line %q; did you mean %q?", ErrNotFound, line, hint)
	}
	l := s.Lines[i]
	e := Explanation{Line: l}
	for _, step := range s.Steps {
		if step.Line == line {
			e.Steps = append(e.Steps, step)
		}
	}
	for _, row := range s.Gate {
		if row.Line == line {
			e.Gate = append(e.Gate, row)
		}
	}
	for _, other := range s.Lines {
		if other.Agreement == l.Agreement && other.Provider == l.Provider && other.Period == l.Period {
			e.Period = append(e.Period, other)
		}
	}
	if slices.Contains(limitClauses(), l.Clause) {
		return e, nil
	}
	for _, c := range s.Counts {
		if c.Agreement == l.Agreement && (c.Clause == l.Clause || c.Clause == "" && !strings.HasSuffix(l.Clause, clawbackSuffix)) &&
			c.Provider == l.Provider && c.MatchScheme == l.MatchScheme && c.MatchGroup == l.MatchGroup &&
			(c.Package == l.Package || l.Package == "") && (c.Municipality == l.Municipality || l.Municipality == "") {
			e.Counts = append(e.Counts, c)
		}
	}
	return e, nil
}

// String is the explanation as text.
func (e Explanation) String() string {
	if e.Decision != nil {
		return e.decision()
	}
	var b strings.Builder
	l := e.Line
	fmt.Fprintf(&b, "%s\n%s %s to %s for %s (%s)\n", l.ID, l.Amount, l.Currency.Unit(), l.Provider, l.Period, l.Standing)
	if l.Reason != "" {
		fmt.Fprintf(&b, "Nothing is paid: %s\n", reasonText(l.Reason))
	}
	fmt.Fprintf(&b, "\n  %s\n  section %s of %s; version in force from %s\n  %s\n  terms sha256 %s\n", l.Text, l.Section, l.Source, l.Version, l.StandingWhy, l.TermsSHA256)

	if len(e.Counts) > 0 {
		fmt.Fprintf(&b, "\nCases of match group %s (%s), %s%s, over all periods\n", l.MatchGroup, l.MatchScheme, packageText(l.Package), in(l.Municipality))
		table(&b, func(row func(cells ...string)) {
			for _, c := range addCounts(e.Counts) {
				row(fmt.Sprint(c.N), c.Rule, ruleText(c.Rule))
			}
		})
	}
	if len(e.Gate) > 0 {
		b.WriteString("\nGate\n")
		table(&b, func(row func(cells ...string)) {
			for _, g := range e.Gate {
				state := string(g.State)
				if g.State == NotApplicable && g.Accepted {
					state += ", which the terms accept"
				}
				threshold := "-" // an acceptance is no measurement
				if g.Passes != "" {
					threshold = strings.ReplaceAll(g.Passes, "_", " ") + " " + text(g.Threshold)
				}
				row(string(g.Diagnostic), text(g.Measured), threshold, state, g.Reason)
			}
		})
	}
	e.writeBehind(&b)
	b.WriteString("\nSteps\n")
	table(&b, func(row func(cells ...string)) {
		for _, s := range e.Steps {
			row(fmt.Sprint(s.No), s.What, s.Value+" "+s.Unit, s.Section)
		}
	})
	b.WriteString("\nAll lines of the provider in the period\n")
	table(&b, func(row func(cells ...string)) {
		total := new(big.Rat)
		for _, p := range e.Period {
			total.Add(total, p.Amount.Rat())
			row(p.Amount.String()+" "+l.Currency.Unit(), p.ID)
		}
		row(total.FloatString(2)+" "+l.Currency.Unit(), "sum")
	})
	return b.String()
}

// table writes aligned rows, indented, without blanks at the end of a line.
func table(b *strings.Builder, fill func(row func(cells ...string))) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fill(func(cells ...string) { fmt.Fprintln(w, "  "+strings.Join(cells, "\t")) })
	w.Flush() // a strings.Builder does not fail
	for line := range strings.Lines(text.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

// addCounts adds up the counts of several cells by rule: counted first, then in
// the order of the names.
func addCounts(counts []Count) []Count {
	var out []Count
	for _, c := range counts {
		i := slices.IndexFunc(out, func(o Count) bool { return o.Rule == c.Rule })
		if i < 0 {
			out = append(out, Count{Rule: c.Rule, N: c.N})
			continue
		}
		out[i].N += c.N
	}
	slices.SortFunc(out, func(a, b Count) int {
		if counted := (b.Rule == RuleCounted); counted || a.Rule == RuleCounted {
			if counted {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Rule, b.Rule)
	})
	return out
}

func packageText(p string) string {
	if p == "" {
		return "all packages"
	}
	return "package " + p
}

func in(municipality string) string {
	if municipality == "" {
		return ""
	}
	return " in " + municipality
}

// reasonText says in words why a line pays nothing.
func reasonText(reason string) string {
	var out []string
	for _, r := range strings.Split(reason, "; ") {
		code, detail, _ := strings.Cut(r, ":")
		out = append(out, map[string]string{
			ReasonRefusal:     "there is no figure (" + detail + ")",
			ReasonNotRated:    "there is too little behind it to be rated",
			ReasonNoFigure:    "the figure to pay on is not a number",
			ReasonGate:        "the gate is shut by " + strings.ReplaceAll(detail, ",", ", "),
			ReasonIndicator:   "indicators of gaming above their limits, or not evaluated: " + strings.ReplaceAll(detail, ",", ", "),
			ReasonFigure:      "figures about the provider outside their limits: " + strings.ReplaceAll(detail, ",", ", "),
			ReasonNoFigures:   "figures about the provider that nobody knows: " + strings.ReplaceAll(detail, ",", ", "),
			ReasonNotAccepted: "the diagnostics were not accepted before the effects were seen",
			ReasonUnlikely:    "an effect is not probable enough",
			ReasonNotAbove:    "the figure to pay on is not above 0",
			ReasonRounded:     "the amount rounds to 0",
			ReasonFree:        "the price is 0",
			ReasonUnder:       "the figure is under what it must be at least",
			ReasonAllZero:     "nothing that shares in it is above 0",
			ReasonEven:        "the exchange gives back exactly what it took",
		}[code])
	}
	return strings.Join(out, "; ")
}

// ruleText says in words by which rule a case counts or does not.
func ruleText(rule string) string {
	code, detail, _ := strings.Cut(rule, ":")
	reason, _ := effect.ParseReason(detail)
	if text := map[effect.Reason]string{
		effect.ReasonOutsidePeriod: "referred outside the period that is measured",
		effect.ReasonNotFirst:      "the citizen has an earlier case under the agreement",
		effect.ReasonNotLast:       "the citizen has a later case under the agreement",
		effect.ReasonNoClock:       "the day from which the outcome is counted is missing",
		effect.ReasonNoValue:       "the number that the outcome is was not given",
		effect.ReasonNotAtRisk:     "the case did not reach what a relapse can follow",
	}[reason]; code == RuleExcluded && text != "" {
		return text
	}
	return map[string]string{
		RuleCounted:            "the case counts",
		RuleNotReached:         "the outcome was not reached in its window",
		RulePending:            "the window is still open",
		RuleNotFollowed:        "the registers do not reach the day, or do not know the citizen, so that being in none of the states cannot be told",
		RuleEarlierCase:        "only a citizen's first case under the agreement is paid on, and an earlier one lies outside the period that is measured",
		RuleNotStarted:         "the course never began",
		RuleLeft:               "the citizen died or emigrated before the window was over",
		RuleExcluded:           "the case is not measured (" + detail + ")",
		RulePackageNotEligible: "the clause does not pay for the case's package",
		RuleIndicator:          "the provider is above the limit of an indicator of gaming, or it was not evaluated (" + detail + ")",
		RuleCreditedToAnother:  "what the citizen reached is credited to another of the citizen's cases, by the credit in the terms; it would have counted had this one been the one that is credited",
		RuleOtherAgreement:     "the citizen is paid for under an agreement that counts together with this one; it would have counted had it come first",
		RuleOtherClause:        "the citizen is paid for once under the agreement, and another clause came first",
		RuleNoRole:             "none of the citizen's cases referred by then has the role that is credited",
		RuleTooLate:            "after the latest day on which it counts; it would have counted had it come by then",
		RuleOutsideWeeks:       "in a week after the referral that the provider does not answer for",
		RuleEvidencePending:    "the document that must show it has not been received; it counts if that comes in time",
		RuleEvidenceMissing:    "the document that must show it was not received in time",
		RuleUnless:             "the citizen counts in clause " + detail + ", and then not here",
		RuleFigure:             "figures about the provider lie outside their limits (" + detail + "); it would have counted had they been within",
		RuleFigureMissing:      "figures about the provider that nobody knows, or with too few behind them (" + detail + ")",
		RuleNotDue:             "it counts, but nothing is due yet: there is no full payment, or the first instalment lies ahead",
		RuleOverLimit:          "a limit was used up by what came before",
		RuleTakenBack:          "what was paid is taken back",
		RuleAlreadyPaid:        "an earlier outcome of the same citizen is paid under the agreement and clause",
		RuleNoProvider:         "the case has no provider",
		RuleNoVersion:          "no version of the terms was in force",
		RuleOutsideAgreement:   "the citizen was referred outside the agreement's dates",
	}[code]
}

// CaseExplanation is what became of one case under each clause.
type CaseExplanation struct {
	Participation string
	Clauses       []CaseLine
	Needed        []string // of each clause what would have made the case count; nil before Why
	Entries       []Entry  // the parts of lines that the case stands for
}

// ExplainCase answers why a case did or did not count. The error wraps
// [ErrNotFound] where the case is under no agreement that was settled; it does
// not repeat the id.
func (s *Settlement) ExplainCase(participation string) (CaseExplanation, error) {
	e := CaseExplanation{Participation: participation}
	for _, c := range s.Cases {
		if c.Participation == participation {
			e.Clauses = append(e.Clauses, c)
		}
	}
	for _, x := range s.Entries {
		if x.Participation == participation {
			e.Entries = append(e.Entries, x)
		}
	}
	if len(e.Clauses) == 0 {
		return e, fmt.Errorf("%w: no case with that participation id is under an agreement of these terms", ErrNotFound)
	}
	return e, nil
}

// String is the explanation as text.
func (e CaseExplanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Case %s\n", e.Participation)
	for i, c := range e.Clauses {
		switch {
		case c.Line != "" && c.Rule != RuleCounted:
			fmt.Fprintf(&b, "  clause %s: %s (%s), in line %s\n", c.Clause, ruleText(c.Rule), c.Rule, c.Line)
		case c.Line != "":
			fmt.Fprintf(&b, "  clause %s: counted, in line %s\n", c.Clause, c.Line)
		case c.Clause == "":
			fmt.Fprintf(&b, "  not counted under any clause: %s (%s)\n", ruleText(c.Rule), c.Rule)
		default:
			fmt.Fprintf(&b, "  clause %s: not counted: %s (%s)\n", c.Clause, ruleText(c.Rule), c.Rule)
		}
		if e.Needed != nil && e.Needed[i] != "" {
			fmt.Fprintf(&b, "    %s\n", e.Needed[i])
		}
	}
	for _, x := range e.Entries {
		fmt.Fprintf(&b, "  it is %s of the quantity of %s, on %s\n", x.Quantity, x.Line, x.On)
	}
	return b.String()
}
