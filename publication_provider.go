package jobeffekt

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// ProviderSteps is what of a [bonus.ProviderExplanation] may leave the house beside a
// publication: what a provider lacks for the next step, told only where nothing can be worked
// out of it that the publication withholds. The margins of gates stand in the publication's
// own table settlement_gate.
type ProviderSteps struct {
	Provider string
	Margins  []bonus.Margin   // of the figures that are paid on, and of the next bands
	Ceilings []bonus.Headroom // Used, Left and TakenOff are empty where they are withheld
	Further  []FurtherStep
}

// FurtherStep is what further citizens would bring who reach what a clause counts.
type FurtherStep struct {
	Agreement, Clause, MatchGroup, Package string

	Open  float64 // the provider's citizens who have not reached it; NaN where withheld
	Steps []FurtherAmount
	// Withheld says that the amounts could tell of what is withheld; Steps is empty then.
	Withheld bool
}

// FurtherAmount is what so many more citizens would bring, after every limit.
type FurtherAmount struct {
	Citizens int64
	Amount   bonus.Ore
}

// Steps says what providers lack for their next steps, in the order asked for. It settles
// again for each, as [bonus.Settlement.ExplainProvider] does. A provider without a line or a
// case has none. The errors are those of [ReadBackground].
//
// What is withheld: margins of a line that is withheld, or whose figure is; what a limit
// leaves where a line is withheld that counts towards it, as the amount would follow; the
// open citizens where one of the counts that they are the sum of is withheld; and what
// further citizens would bring where those are, or any amount of the provider under the
// agreement is.
func (p *Publication) Steps(ctx context.Context, providers []string) ([]ProviderSteps, error) {
	if p.Table(TableSettlement) == nil || len(providers) == 0 {
		return nil, nil
	}
	lines, err := ingest.ToRows[outwardLine](p.Table(TableSettlement))
	if err != nil {
		return nil, err
	}
	s, err := ReadSettlement(ctx, p.Folder)
	if err != nil {
		return nil, err
	}
	back, err := ReadBackground(ctx, p.Folder)
	if err != nil {
		return nil, err
	}
	var out []ProviderSteps
	for _, id := range providers {
		if !slices.ContainsFunc(lines, func(l outwardLine) bool { return l.Provider == id }) {
			out = append(out, ProviderSteps{Provider: id})
			continue
		}
		e, err := s.ExplainProvider(ctx, id, back.Terms, back.Facts)
		if err != nil {
			return nil, err
		}
		steps, err := p.outwardSteps(e, lines)
		if err != nil {
			return nil, err
		}
		out = append(out, steps)
	}
	return out, nil
}

// outwardLine is what of a published line says whether it is withheld.
type outwardLine struct {
	ID        string  `col:"line"`
	Agreement string  `col:"agreement_id"`
	Provider  string  `col:"provider_id"`
	Period    string  `col:"period"`
	Amount    float64 `col:"amount_ore"`
}

// outwardTotal is what a provider was paid in a period, where that is told.
type outwardTotal struct {
	Agreement string  `col:"agreement_id"`
	Provider  string  `col:"provider_id"`
	Period    string  `col:"period"`
	Amount    float64 `col:"amount_ore"`
}

// outwardSteps takes out of an explanation what could tell of what the publication withholds.
func (p *Publication) outwardSteps(e *bonus.ProviderExplanation, lines []outwardLine) (ProviderSteps, error) {
	out := ProviderSteps{Provider: e.Provider}
	withheld := func(of func(outwardLine) bool) bool {
		return slices.ContainsFunc(lines, func(l outwardLine) bool {
			return l.Provider == e.Provider && math.IsNaN(l.Amount) && of(l)
		})
	}
	var totals []outwardTotal
	if t := p.Table(TablePaid); t != nil {
		var err error
		if totals, err = ingest.ToRows[outwardTotal](t); err != nil {
			return out, err
		}
	}
	// What is told as a total is told as what a limit has used too.
	told := func(h *bonus.Headroom) bool {
		used, err := bonus.ParseOre(h.Used)
		return err == nil && slices.ContainsFunc(totals, func(t outwardTotal) bool {
			return t.Agreement == h.Agreement && t.Provider == e.Provider && t.Period == h.Period && t.Amount == float64(used)
		})
	}
	figures, err := p.withheldFigures(e)
	if err != nil {
		return out, err
	}
	for _, m := range e.Margins {
		if m.Kind() == bonus.MarginOfGate || figures[m.Line] || withheld(func(l outwardLine) bool { return l.ID == m.Line }) {
			continue
		}
		// A position among bands counts citizens of earlier periods too.
		if m.Kind() == bonus.MarginOfBand && withheld(func(outwardLine) bool { return true }) {
			continue
		}
		out.Margins = append(out.Margins, m)
	}
	for _, h := range e.Ceilings {
		if !told(&h) && withheld(func(l outwardLine) bool {
			return l.Agreement == h.Agreement && (l.Period == h.Period || h.Over != string(bonus.OverPeriod))
		}) {
			h.Used, h.Left, h.TakenOff = "", "", ""
		}
		out.Ceilings = append(out.Ceilings, h)
	}
	open, err := p.openCounts(e.Provider)
	if err != nil {
		return out, err
	}
	for _, f := range e.Further {
		at := len(out.Further) - 1
		if at < 0 || out.Further[at].Agreement != f.Agreement || out.Further[at].Clause != f.Clause || out.Further[at].MatchGroup != f.MatchGroup || out.Further[at].Package != f.Package {
			step := FurtherStep{Agreement: f.Agreement, Clause: f.Clause, MatchGroup: f.MatchGroup, Package: f.Package}
			o, ok := open[step.key()]
			step.Open = float64(f.Open)
			if !ok || o != step.Open {
				step.Open, step.Withheld = math.NaN(), true
			}
			step.Withheld = step.Withheld || withheld(func(l outwardLine) bool { return l.Agreement == f.Agreement })
			out.Further = append(out.Further, step)
			at++
		}
		if !out.Further[at].Withheld {
			out.Further[at].Steps = append(out.Further[at].Steps, FurtherAmount{f.Citizens, f.Amount})
		}
	}
	return out, nil
}

func (f *FurtherStep) key() [4]string {
	return [4]string{f.Agreement, f.Clause, f.MatchGroup, f.Package}
}

// openCounts are the provider's citizens who have not reached what clauses count, as the
// published counts tell them; nothing is told of those of which a part is withheld.
func (p *Publication) openCounts(provider string) (map[[4]string]float64, error) {
	type row struct {
		Agreement  string  `col:"agreement_id"`
		Clause     string  `col:"clause"`
		MatchGroup string  `col:"match_group"`
		Provider   string  `col:"provider_id"`
		Package    string  `col:"package_id"`
		Rule       string  `col:"rule"`
		N          float64 `col:"n"`
	}
	out, hidden := map[[4]string]float64{}, map[[4]string]bool{}
	t := p.Table(TableCounted)
	if t == nil {
		return out, nil
	}
	rows, err := ingest.ToRows[row](t)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Provider != provider || r.Rule != bonus.RuleNotReached && r.Rule != bonus.RulePending {
			continue
		}
		k := [4]string{r.Agreement, r.Clause, r.MatchGroup, r.Package}
		out[k] += r.N
		hidden[k] = hidden[k] || math.IsNaN(r.N)
	}
	for k, is := range hidden {
		if is {
			delete(out, k)
		}
	}
	return out, nil
}

// withheldFigures are the lines whose effect the publication withholds.
func (p *Publication) withheldFigures(e *bonus.ProviderExplanation) (map[string]bool, error) {
	type row struct {
		Outcome string `col:"outcome"`
		effect.Cell
		Low        float64 `col:"low"`
		Suppressed string  `col:"suppressed"`
	}
	out := map[string]bool{}
	t := p.Table(TableBenchmark)
	if t == nil {
		return out, nil
	}
	rows, err := ingest.ToRows[row](t)
	if err != nil {
		return nil, err
	}
	for i := range e.Lines {
		l := &e.Lines[i]
		cell := effect.Cell{Municipality: l.Municipality, MatchScheme: l.MatchScheme, MatchGroup: l.MatchGroup, Provider: l.Provider, Package: l.Package}
		out[l.ID] = slices.ContainsFunc(rows, func(r row) bool {
			return r.Outcome == l.Outcome && r.Cell == cell && r.Suppressed != "" && math.IsNaN(r.Low)
		})
	}
	return out, nil
}

// surveyed asks of the table figures: each by itself, and of a response rate also how many
// answered and how many did not.
func (x figures) surveyed() {
	x.alone("n")
	for i := range x.t.Rows() {
		if x.at("figure", i) != FigureResponseRate {
			continue
		}
		rate, err := strconv.ParseFloat(x.at("value", i), 64)
		asked := x.whole("n", i)
		if answers := int64(math.Round(rate * float64(asked))); err == nil && (x.few(answers) || x.few(asked-answers)) {
			x.never(i)
		}
	}
}
