package bonus

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// ProviderExplanation is where a provider stands in a settlement: how far each
// line is from what its clause asks for, what more would bring, and what the
// limits leave. Nothing in it is about another provider.
type ProviderExplanation struct {
	Provider string
	AsOf     effect.Date
	Lines    []Line     // the provider's lines of all settlement periods
	Margins  []Margin   // of effect lines, in the order of the lines
	Further  []Further  // of clauses on cases, in the order of agreements and clauses
	Ceilings []Headroom // of the settlement periods with lines
	// Decisions are about the provider, without naming another.
	Decisions []Decided
}

// Margin is how far a line is from one thing that its clause asks for.
type Margin struct {
	Line   string `col:"line" doc:"line"`
	What   string `col:"what" doc:"diagnostic of the gate, or the figure that is paid on"`
	Now    string `col:"now" doc:"value, exactly as in the tables; empty where there is none"`
	Passes string `col:"passes" doc:"at_least, at_most or above the threshold"`
	Asked  string `col:"asked" doc:"threshold of the terms"`
	// Spare is the distance to the threshold: what could still be lost, or, below
	// 0, what is missing.
	Spare  string `col:"spare" doc:"distance to the threshold, below 0 where it is not met; empty where nothing was measured"`
	Holds  bool   `col:"holds" doc:"whether it lets the line be paid"`
	Needed string `col:"needed" doc:"what would make it hold, empty where it does"`
}

// MarginKind says what a margin is about.
type MarginKind string

// What margins are about.
const (
	MarginOfGate   MarginKind = "gate"   // a diagnostic of the gate, or the acceptance
	MarginOfFigure MarginKind = "figure" // the figure that is paid on
	MarginOfBand   MarginKind = "band"   // the next band
)

// Kind is what the margin is about.
func (m *Margin) Kind() MarginKind {
	switch of := effect.DiagnosticName(m.What); {
	case m.What == stepBandSum:
		return MarginOfBand
	case of == GateHolm, of == GateAcceptance, slices.Contains(of.Names(), m.What):
		return MarginOfGate
	}
	return MarginOfFigure
}

// Further is what further citizens would bring who reach what a clause counts.
type Further struct {
	Agreement  string `col:"agreement_id" doc:"agreement"`
	Clause     string `col:"clause" doc:"clause"`
	MatchGroup string `col:"match_group" doc:"match group"`
	Package    string `col:"package_id" doc:"offer package"`
	Open       int64  `col:"open" doc:"the provider's citizens who have not reached it"`
	Citizens   int64  `col:"citizens" doc:"how many of them more would reach it on as_of"`
	Amount     Ore    `col:"amount_ore" doc:"what the provider would be paid more in all, in ore, after every limit"`
}

// Headroom is what a limit leaves a provider, exactly: in kroner, or in what the
// clauses count.
type Headroom struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	Section   string `col:"section" doc:"section of the source"`
	Period    string `col:"period" doc:"settlement period, up to which it is used"`
	Over      string `col:"over" doc:"the time that the limit is over: period, year or agreement"`
	Of        string `col:"of" doc:"what it limits: amount, quantity or cases"`
	Limit     string `col:"limit" doc:"the most"`
	Used      string `col:"used" doc:"what is used of it"`
	Left      string `col:"left" doc:"what is left of it"`
	TakenOff  string `col:"taken_off" doc:"amount that the limit has taken off in the period, below 0"`
}

// further are the numbers of citizens that are looked at.
func further() []int { return []int{1, 2, 5, 10, 20, 50, 100} }

// ExplainProvider says where a provider stands. The terms and facts are those
// that were settled. What further citizens would bring is settled again with the
// provider's own open cases as if they had reached it on as_of, so that every
// schedule, limit and rounding counts. The error wraps [ErrNotFound] for a
// provider without a line or case, or is that of [Settle].
func (s *Settlement) ExplainProvider(ctx context.Context, provider string, terms []*Terms, f Facts) (*ProviderExplanation, error) {
	if f.Observations == nil || f.Observations.Cases == nil {
		return nil, fmt.Errorf("%w: there are no observations", ErrFacts)
	}
	e := &ProviderExplanation{Provider: provider, AsOf: f.Observations.AsOf}
	for _, l := range s.Lines {
		if l.Provider == provider {
			e.Lines = append(e.Lines, l)
		}
	}
	if c := f.Observations.Cases.Provider.Code(provider); len(e.Lines) == 0 && c < 0 {
		return nil, fmt.Errorf("%w: there is no line and no case of provider %q", ErrNotFound, provider)
	}
	for _, d := range s.Decisions {
		if d.Provider == provider {
			d.Best = "" // another provider
			e.Decisions = append(e.Decisions, d)
		}
	}
	e.margins(s, terms, f)
	e.ceilings(s, terms)
	return e, e.ladder(ctx, s, terms, f)
}

// clauseOf finds the clause and the terms of a line; nil where it has none, as
// the line of a limit.
func clauseOf(l *Line, terms []*Terms) (*Terms, *Clause) {
	for _, t := range terms {
		if t.Agreement != l.Agreement {
			continue
		}
		for v := range t.Versions {
			if t.Versions[v].ValidFrom != l.Version {
				continue
			}
			for c := range t.Versions[v].Clauses {
				if t.Versions[v].Clauses[c].ID == strings.TrimSuffix(l.Clause, clawbackSuffix) {
					return t, &t.Versions[v].Clauses[c]
				}
			}
		}
		return t, nil
	}
	return nil, nil
}

// rowOf is the benchmark row that an effect line rests on, nil where there is
// none.
func rowOf(l *Line, c *Clause, f Facts) *effect.BenchmarkRow {
	cell := effect.Cell{Municipality: l.Municipality, MatchScheme: l.MatchScheme, MatchGroup: l.MatchGroup, Provider: l.Provider, Package: l.Package}
	for i := range f.Benchmark {
		r := &f.Benchmark[i]
		if r.Outcome == c.Measure.Effect && r.Method == c.Measure.Method && r.Part == effect.Part(c.Measure.Part) && r.Cell == cell {
			return r
		}
	}
	return nil
}

// margins are those of the provider's effect lines, and of lines in bands the
// distance to the next.
func (e *ProviderExplanation) margins(s *Settlement, terms []*Terms, f Facts) {
	var family []*effect.BenchmarkRow
	for i := range s.Lines {
		if _, c := clauseOf(&s.Lines[i], terms); c != nil && c.Measure.Effect != "" {
			if r := rowOf(&s.Lines[i], c, f); r != nil && !slices.Contains(family, r) && judged(r) {
				family = append(family, r)
			}
		}
	}
	for i := range e.Lines {
		l := &e.Lines[i]
		_, c := clauseOf(l, terms)
		if c != nil && c.Schedule.Bands != nil {
			e.nextBand(s, l)
		}
		if c == nil || c.Measure.Effect == "" {
			continue
		}
		row := rowOf(l, c, f)
		for _, g := range s.Gate {
			if g.Line == l.ID {
				e.Margins = append(e.Margins, gateMargin(&g, c, row, family))
			}
		}
		if row != nil {
			e.Margins = append(e.Margins, paidMargin(l, c, row))
		}
	}
}

// nextBand is how far a line is from the next band, if there is one.
func (e *ProviderExplanation) nextBand(s *Settlement, l *Line) {
	m := Margin{Line: l.ID, What: stepBandSum, Passes: "at_least"}
	for _, step := range s.Steps {
		switch {
		case step.Line != l.ID:
		case step.What == stepBandSum:
			m.Now = step.Value
		case step.What == stepNextBand:
			m.Asked = step.Value
		}
	}
	now, known := new(big.Rat).SetString(m.Now)
	next, more := new(big.Rat).SetString(m.Asked)
	if !known || !more {
		return
	}
	m.Spare = exactText(now.Sub(now, next))
	m.Needed = exactText(now.Neg(now)) + " more for the next band"
	if now.Sign() == 0 {
		m.Needed = "one more for the next band" // marginal: it begins above the boundary
	}
	e.Margins = append(e.Margins, m)
}

// judged says whether Holm judges a figure.
func judged(r *effect.BenchmarkRow) bool {
	return r.Refusal == "" && r.Verdict != effect.NotRated && r.SE > 0 && r.DF > 0 && !math.IsNaN(r.Difference)
}

// gateMargin is that of one diagnostic.
func gateMargin(g *GateRow, c *Clause, row *effect.BenchmarkRow, family []*effect.BenchmarkRow) Margin {
	m := Margin{Line: g.Line, What: string(g.Diagnostic), Passes: g.Passes, Holds: g.Accepted, Needed: g.Reason}
	if g.Passes == "" { // the acceptance is no measurement
		if g.Accepted {
			m.Needed = ""
		}
		return m
	}
	m.Asked = text(g.Threshold)
	now, asked := figure(g.Measured), figure(g.Threshold)
	if now == nil || asked == nil {
		if g.Accepted {
			m.Needed = ""
		}
		return m
	}
	m.Now = exactText(now)
	spare := new(big.Rat).Sub(now, asked)
	if g.Passes == "at_most" {
		spare.Neg(spare)
	}
	m.Spare = exactText(spare)
	switch {
	case g.Accepted:
		m.Needed = ""
	case g.Diagnostic == GateHolm:
		m.Needed = holmNeeded(c, row, family)
	case g.Passes == "at_most":
		m.Needed = fmt.Sprintf("%s lower by %s", g.Diagnostic, exactText(spare.Neg(spare)))
	default:
		m.Needed = fmt.Sprintf("%s higher by %s", g.Diagnostic, exactText(spare.Neg(spare)))
	}
	return m
}

// holmNeeded is the difference with which a figure would stand among all, if
// nothing else changed: its standard error, and the other figures.
func holmNeeded(c *Clause, row *effect.BenchmarkRow, family []*effect.BenchmarkRow) string {
	at := slices.Index(family, row)
	if at < 0 {
		return "the figure is not rated, and so not among those judged together"
	}
	sign := 1.0
	if c.Measure.Better == Low {
		sign = -1
	}
	p := make([]float64, len(family))
	for i, r := range family {
		p[i] = interval.TwoSided(r.Difference/r.SE, r.DF)
	}
	passes := func(difference float64) bool {
		p[at] = interval.TwoSided(difference/row.SE, row.DF)
		adjusted, err := profile.Holm(p)
		return err == nil && effect.Round(adjusted[at]) <= effect.Round(1-row.Confidence)
	}
	low, high := max(0, sign*row.Difference), row.SE
	for range 60 {
		if high > low && passes(sign*high) {
			break
		}
		high *= 2
	}
	for range 60 {
		if middle := (low + high) / 2; passes(sign * middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return fmt.Sprintf("a difference of %s rather than %s, with the same standard error and the same figures of the other cells", text(effect.Round(sign*high)), text(row.Difference))
}

// paidMargin is that of the figure which is paid on.
func paidMargin(l *Line, c *Clause, row *effect.BenchmarkRow) Margin {
	m := Margin{Line: l.ID, Passes: "above", Asked: "0"}
	value := row.Low
	if m.What = "lower limit of the difference"; c.Measure.Better == Low {
		m.What, value = "upper limit of the difference, with its sign turned", -row.High
	}
	if c.PayOn != LowerLimit {
		m.What, value = "difference", row.Difference
		if c.Measure.Better == Low {
			m.What, value = "difference, with its sign turned", -row.Difference
		}
	}
	now := figure(value)
	if row.Refusal != "" || now == nil {
		m.Needed = "a figure: " + cmp.Or(strings.ReplaceAll(row.Refusal, "_", " "), "there is none")
		return m
	}
	if t := c.Schedule.Threshold; t != nil {
		if t.Relative {
			m.What += " / expected"
		}
		m.Passes, m.Asked = "at_least", t.AtLeast.String()
		if now = t.measured(now, row); now == nil {
			m.Needed = "an expected value above 0"
			return m
		}
		spare := new(big.Rat).Sub(now, t.AtLeast.Rat())
		m.Now, m.Spare, m.Holds = exactText(now), exactText(spare), spare.Sign() >= 0
		if !m.Holds {
			m.Needed = exactText(spare.Neg(spare)) + " more"
			if t.ElsePooled != nil {
				m.Needed += fmt.Sprintf(", or %s of all lines of the provider together", t.ElsePooled)
			}
		}
		return m
	}
	m.Now, m.Spare, m.Holds = exactText(now), exactText(now), now.Sign() > 0
	if !m.Holds {
		m.Needed = fmt.Sprintf("more than %s better, with the same standard error", exactText(new(big.Rat).Neg(now)))
	}
	if c.PayOn == Probability && m.Holds {
		chance := figure(c.chance(row))
		m.What = fmt.Sprintf("probability that the true improvement is above %s", c.above())
		m.Passes, m.Asked, m.Holds, m.Now, m.Spare = "at_least", exactText(c.Probability.Rat()), false, "", ""
		if chance != nil {
			spare := new(big.Rat).Sub(chance, c.Probability.Rat())
			m.Now, m.Spare, m.Holds = exactText(chance), exactText(spare), spare.Sign() >= 0
		}
		if above, _ := c.aboveRat().Float64(); !m.Holds && row.SE > 0 && row.DF > 0 {
			p, _ := c.Probability.Rat().Float64()
			m.Needed = fmt.Sprintf("an improvement of %s rather than %s, with the same standard error", text(effect.Round(above+float64(quantile(p, row.DF)*row.SE))), text(value))
		}
	}
	return m
}

// ceilings are what the limits of a provider leave in its settlement
// periods. What is limited for persons and for all providers together is in no one's
// hands alone.
func (e *ProviderExplanation) ceilings(s *Settlement, terms []*Terms) {
	for _, t := range terms {
		seen := map[string]bool{}
		for i := range e.Lines {
			l := &e.Lines[i]
			if l.Agreement != t.Agreement || seen[l.Period] {
				continue
			}
			seen[l.Period] = true
			period, err := effect.ParsePeriod(l.Period)
			if err != nil {
				continue
			}
			limits := t.Versions[t.limitsFor(period)].Limits
			for k := range limits {
				if h, ok := e.headroom(s, t, &limits[k], period); ok {
					e.Ceilings = append(e.Ceilings, h)
				}
			}
		}
	}
}

// headroom is what one limit leaves, by the end of a settlement period.
func (e *ProviderExplanation) headroom(s *Settlement, t *Terms, limit *Limit, period effect.Period) (Headroom, bool) {
	if limit.Most == nil || limit.Per != PerProvider {
		return Headroom{}, false
	}
	h := Headroom{Agreement: t.Agreement, Section: limit.Section, Period: period.Name, Over: string(limit.Over), Of: string(limit.of()), Limit: limit.Most.String()}
	k, used, off, counted := limit.scope(), new(big.Rat), new(big.Rat), map[string]bool{}
	for _, l := range e.Lines {
		of, err := effect.ParsePeriod(l.Period)
		if err != nil || l.Agreement != t.Agreement || of.Start > period.Start || k.stretch(of) != k.stretch(period) {
			continue
		}
		ofLimit := slices.Contains(limitClauses(), l.Clause)
		mine := l.Clause == capClause && l.Section == limit.Section
		switch {
		case ofLimit && (!mine && k.clauses != "" || limit.onEntries()), !ofLimit && !k.about(l.Clause):
			continue
		case limit.of() == LimitAmount:
			used.Add(used, l.Amount.Rat())
		case limit.of() == LimitQuantity:
			if q, ok := new(big.Rat).SetString(l.Quantity); ok {
				used.Add(used, q)
			}
		}
		counted[l.ID] = true
		if mine && of == period {
			off.Add(off, l.Amount.Rat())
		}
	}
	if limit.of() == LimitCases {
		cases := map[string]bool{}
		for _, x := range s.Entries {
			if counted[x.Line] {
				cases[x.Participation] = true
			}
		}
		used.SetInt64(int64(len(cases)))
	}
	h.Used, h.Left, h.TakenOff = exactText(used), exactText(new(big.Rat).Sub(limit.Most.Rat(), used)), exactText(off)
	return h, true
}

// ladder settles again with more citizens who reached what each clause counts.
func (e *ProviderExplanation) ladder(ctx context.Context, s *Settlement, terms []*Terms, f Facts) error {
	type key struct{ agreement, clause, group, pkg string }
	open, c := map[key][]int32{}, f.Observations.Cases
	var keys []key
	for _, row := range s.Cases {
		if row.Rule != RuleNotReached && row.Rule != RulePending {
			continue
		}
		at, ok := c.ID.Find(effect.TextID(row.Participation))
		if !ok || c.Provider.At(at) != e.Provider {
			continue
		}
		k := key{c.Agreement.At(at), row.Clause, c.MatchGroup.At(at), c.Package.At(at)}
		if reachable(terms, k.agreement, k.clause) == nil {
			continue
		}
		if open[k] == nil {
			keys = append(keys, k)
		}
		open[k] = append(open[k], int32(at))
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.agreement, b.agreement), cmp.Compare(a.clause, b.clause), cmp.Compare(a.group, b.group), cmp.Compare(a.pkg, b.pkg))
	})
	now, err := e.paid(s)
	if err != nil {
		return err
	}
	for _, k := range keys {
		outcome := reachable(terms, k.agreement, k.clause)
		for _, n := range further() {
			if n > len(open[k]) {
				break
			}
			again, err := Settle(ctx, terms, reached(f, outcome, open[k][:n]))
			if err != nil {
				return err
			}
			then, err := e.paid(again)
			if err != nil {
				return err
			}
			e.Further = append(e.Further, Further{k.agreement, k.clause, k.group, k.pkg, int64(len(open[k])), int64(n), then - now})
		}
	}
	return nil
}

// reachable are the outcomes of a clause on reached outcomes, nil for any other.
func reachable(terms []*Terms, agreement, clause string) (out []string) {
	for _, t := range terms {
		if t.Agreement != agreement {
			continue
		}
		t.eachClause(func(_, _ int, c *Clause) {
			if c.ID == clause && c.Measure.Reached != "" {
				out = c.Measure.Outcomes()
			}
		})
	}
	return out
}

// paid is what the provider is paid in all.
func (e *ProviderExplanation) paid(s *Settlement) (Ore, error) {
	var amounts []Ore
	for _, l := range s.Lines {
		if l.Provider == e.Provider {
			amounts = append(amounts, l.Amount)
		}
	}
	return sum(amounts...)
}

// reached are the facts as if cases had reached the first of the outcomes on
// as_of.
func reached(f Facts, outcomes []string, cases []int32) Facts {
	obs := *f.Observations
	obs.Results = slices.Clone(obs.Results)
	for k := range obs.Results {
		r := &obs.Results[k]
		if r.Outcome != outcomes[0] {
			continue
		}
		r.Status, r.Reason, r.ReachedOn = slices.Clone(r.Status), slices.Clone(r.Reason), slices.Clone(r.ReachedOn)
		r.Value, r.Followed = slices.Clone(r.Value), slices.Clone(r.Followed)
		for _, i := range cases {
			r.Status[i], r.ReachedOn[i] = effect.Reached, obs.AsOf
			if len(r.Value) > 0 {
				r.Value[i] = 1
			}
			if len(r.Followed) > 0 {
				r.Followed[i] = true
			}
		}
	}
	f.Observations = &obs
	return f
}

// String is the explanation as text.
func (e *ProviderExplanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Provider %s, as of %s\n", e.Provider, e.AsOf)
	b.WriteString("\nPaid\n")
	table(&b, func(row func(cells ...string)) {
		total := new(big.Rat)
		for _, l := range e.Lines {
			total.Add(total, l.Amount.Rat())
			row(l.Amount.String()+" kr.", l.ID, l.Reason)
		}
		row(total.FloatString(2)+" kr.", "sum")
	})
	last := ""
	for _, m := range e.Margins {
		if m.Line != last {
			last = m.Line
			fmt.Fprintf(&b, "\nHow far %s is from its thresholds\n", m.Line)
			table(&b, func(row func(cells ...string)) {
				for _, m := range e.Margins {
					if m.Line != last {
						continue
					}
					spare := "to spare " + m.Spare
					if strings.HasPrefix(m.Spare, "-") {
						spare = "missing " + m.Spare[1:]
					} else if m.Spare == "" {
						spare = "-"
					}
					needed := ""
					if m.Needed != "" {
						needed = "needed: " + m.Needed
					}
					row(m.What, cmp.Or(m.Now, "-"), strings.TrimSpace(strings.ReplaceAll(m.Passes, "_", " ")+" "+m.Asked), spare, needed)
				}
			})
		}
	}
	if len(e.Decisions) > 0 {
		b.WriteString("\nDecisions\n")
		table(&b, func(row func(cells ...string)) {
			row("period", "clause", "score", "threshold", "margin", "rank", "state", "if met")
			for _, d := range e.Decisions {
				margin := "-"
				value, ok := new(big.Rat).SetString(d.Value)
				if at, given := new(big.Rat).SetString(d.Threshold); ok && given {
					margin = exactText(value.Sub(value, at))
				}
				row(d.Period, d.Clause, cmp.Or(d.Value, "-"), cmp.Or(d.Threshold, "-"), margin, fmt.Sprint(d.Rank), d.State, d.Then)
			}
		})
	}
	if len(e.Further) > 0 {
		fmt.Fprintf(&b, "\nWhat more citizens would bring who reach it on %s, after every limit\n", e.AsOf)
		table(&b, func(row func(cells ...string)) {
			row("clause", "match group", "package", "open", "more", "kr.", "kr. each")
			for _, x := range e.Further {
				each := new(big.Rat).Quo(x.Amount.Rat(), big.NewRat(x.Citizens, 1))
				row(x.Clause, x.MatchGroup, x.Package, fmt.Sprint(x.Open), fmt.Sprint(x.Citizens), x.Amount.String(), each.FloatString(2))
			}
		})
	}
	if len(e.Ceilings) > 0 {
		b.WriteString("\nWhat the limits leave\n")
		table(&b, func(row func(cells ...string)) {
			row("period", "section", "over", "of", "limit", "used", "left", "taken off")
			for _, h := range e.Ceilings {
				row(h.Period, h.Section, h.Over, h.Of, h.Limit, h.Used, h.Left, h.TakenOff)
			}
		})
	}
	return b.String()
}
