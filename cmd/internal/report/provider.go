package report

import (
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// stepsOf makes what providers lack for their next steps: once for all languages.
type stepsOf struct {
	p    *jobeffekt.Publication
	ids  []string
	made map[string]jobeffekt.ProviderSteps
}

func (s *stepsOf) of(ctx context.Context, id string) (jobeffekt.ProviderSteps, error) {
	if s.made == nil {
		all, err := s.p.Steps(ctx, s.ids)
		if err != nil {
			return jobeffekt.ProviderSteps{}, err
		}
		s.made = map[string]jobeffekt.ProviderSteps{}
		for _, x := range all {
			s.made[x.Provider] = x
		}
	}
	return s.made[id], nil
}

// providerPages are the pages of the providers that are asked for. A page is made of the
// provider's own rows alone: of others it has what its citizens are compared with, and means of
// several providers together.
func (b *builder) providerPages(steps *stepsOf) []file {
	var out []file
	for _, id := range b.pages() {
		out = append(out, file{"providers/" + fileName(id) + "." + b.l.Tag + ".html", func(ctx context.Context, w io.Writer) error {
			s, err := steps.of(ctx, id)
			if err != nil {
				return err
			}
			return b.alone(id).providerPage(w, id, s)
		}})
	}
	return out
}

// pages are the providers who have a page.
func (b *builder) pages() []string {
	if len(b.o.Providers) == 0 {
		return b.providers
	}
	return slices.DeleteFunc(slices.Clone(b.providers), func(id string) bool { return !slices.Contains(b.o.Providers, id) })
}

// alone is the builder with the rows of one provider alone.
func (b *builder) alone(id string) *builder {
	own := *b
	own.providers = []string{id}
	own.benchmark = slices.DeleteFunc(slices.Clone(b.benchmark), func(r benchmarkRow) bool { return r.Provider != id })
	own.comparison = slices.DeleteFunc(slices.Clone(b.comparison), func(r comparisonRow) bool { return r.View != effect.ViewProvider || r.Of != id })
	own.lines = slices.DeleteFunc(slices.Clone(b.lines), func(l lineRow) bool { return l.Provider != id })
	lines := map[string]bool{}
	for _, l := range own.lines {
		lines[l.ID] = true
	}
	// All that the page is about is the provider's alone.
	own.totals = slices.DeleteFunc(slices.Clone(b.totals), func(r totalRow) bool { return r.Provider != id })
	for _, r := range own.totals {
		r.Provider = ""
		own.totals = append(own.totals, r)
	}
	own.gate = slices.DeleteFunc(slices.Clone(b.gate), func(g gateRow) bool { return !lines[g.Line] })
	return &own
}

// providerPage writes the page of the one provider that the builder is about.
func (b *builder) providerPage(w io.Writer, id string, steps jobeffekt.ProviderSteps) error {
	var sections []section
	for _, of := range []func() (section, bool){
		b.effects, b.packages, b.bonus, b.countedCases,
		func() (section, bool) { return b.next(steps) },
		b.quality, b.checking,
	} {
		if s, ok := of(); ok {
			sections = append(sections, s)
		}
	}
	facts := b.facts()
	if name := b.provider(id); name != short(id) {
		facts = append([]fact{{b.T("provider.id"), short(id)}}, facts...)
	}
	return b.write(w, page{
		Title: b.provider(id), Kicker: b.T("provider.page", "about", b.title()), Facts: facts, First: b.answer(), Sections: sections, Foot: b.T("provider.foot"),
	})
}

// made is a section of the provider's page: its words stand in provider.yaml.
func (b *builder) made(name, lead string, data any) section {
	return section{ID: name, Title: b.T("provider." + name), Lead: lead, Body: b.render("provider_"+name, data)}
}

// packageRow is a provider's citizens of a match group and package, beside whom they are
// compared with.
type packageRow struct {
	Who, Package, With, N, Observed, Expected, Difference, Interval, Comparators, Verdict, Mark, Note string
}

// packages shows the effect of each offer package on its own, with how many the citizens are
// compared with: the main outcome.
func (b *builder) packages() (section, bool) {
	type row struct {
		Outcome      string             `col:"outcome"`
		Municipality string             `col:"municipality"`
		Scheme       string             `col:"match_scheme"`
		Group        string             `col:"match_group"`
		Provider     string             `col:"provider_id"`
		Package      string             `col:"package_id"`
		Method       string             `col:"method"`
		Comparators  effect.Comparators `col:"comparators"`
		N            count              `col:"n_comparators"`
		Suppressed   string             `col:"suppressed"`
	}
	compared := map[row]row{}
	key := func(r row) row { r.N, r.Suppressed = 0, ""; return r }
	for _, r := range rows[row](b, jobeffekt.TableEstimates) {
		if slices.Contains(b.providers, r.Provider) && r.Method == b.method {
			compared[key(r)] = r
		}
	}
	var out []packageRow
	withheld := 0
	for _, r := range b.benchmark {
		with, words := effect.Peers, "answer.peers"
		if r.Part == effect.Provider {
			with, words = effect.Home, "answer.home"
		}
		if len(b.outcomes) == 0 || r.Outcome != b.outcomes[0] || r.Package == "" || r.Part == effect.Municipality || !slices.Contains(b.about, r.Municipality) {
			continue
		}
		x := packageRow{Who: b.who(r.Group, r.Municipality, r.Scheme), Package: b.offer(r.Package), With: capital(b.T(words)), N: b.count(r.N, r.Suppressed), Verdict: b.verdict(r.figures), Mark: mark(r.figures)}
		switch {
		case r.withheld():
			x.Note = b.T("page.hidden")
			withheld++
		case !r.rated():
			x.Note = b.refusal(r.figures)
		default:
			level := func(of float64) string { return b.level(of, r.Unit, 1) }
			x.Observed, x.Expected = b.unless(r.Observed, r.Suppressed, level), b.unless(r.Expected, r.Suppressed, level)
			x.Difference = b.l.Signed(scaled(r.Difference, r.Unit), 1)
			x.Interval = b.T("effects.interval", "low", b.l.Signed(scaled(r.Low, r.Unit), 1), "high", b.l.Signed(scaled(r.High, r.Unit), 1))
			x.Comparators = b.T("page.missing")
			if of, ok := compared[row{Outcome: r.Outcome, Municipality: r.Municipality, Scheme: r.Scheme, Group: r.Group, Provider: r.Provider, Package: r.Package, Method: r.Method, Comparators: with}]; ok {
				x.Comparators = b.count(of.N, of.Suppressed)
			}
		}
		out = append(out, x)
	}
	if len(out) == 0 {
		return section{}, false
	}
	if withheld == len(out) {
		return section{ID: "packages", Title: b.T("provider.packages"), Lead: b.T("answer.withheld")}, true
	}
	return b.made("packages", b.T("provider.packages_lead"), struct {
		Caption string
		Rows    []packageRow
	}{b.T("provider.packages_caption", "outcome", b.outcome(b.outcomes[0])), out}), true
}

// countedClause is what a clause counted and what it did not.
type countedClause struct {
	Caption string
	Rows    []casesRow
}

type casesRow struct {
	Who, Counted string
	Others       []string // how many did not count, by why
}

// countedCases says what counted under each clause and what did not, and why.
func (b *builder) countedCases() (section, bool) {
	type row struct {
		Agreement    string `col:"agreement_id"`
		Clause       string `col:"clause"`
		Municipality string `col:"municipality"`
		Scheme       string `col:"match_scheme"`
		Group        string `col:"match_group"`
		Provider     string `col:"provider_id"`
		Package      string `col:"package_id"`
		Rule         string `col:"rule"`
		N            count  `col:"n"`
		Suppressed   string `col:"suppressed"`
	}
	all := slices.DeleteFunc(rows[row](b, jobeffekt.TableCounted), func(r row) bool { return !slices.Contains(b.providers, r.Provider) })
	if len(all) == 0 {
		return section{}, false
	}
	section := map[string]string{}
	for _, l := range b.lines {
		section[l.Agreement+"\x00"+l.Clause] = l.Section
	}
	var out []countedClause
	cell := func(r row) row {
		return row{Agreement: r.Agreement, Clause: r.Clause, Municipality: r.Municipality, Scheme: r.Scheme, Group: r.Group, Provider: r.Provider, Package: r.Package}
	}
	var last row
	for _, r := range all { // as the table has them: by agreement, clause and cell
		if len(out) == 0 || last.Agreement != r.Agreement || last.Clause != r.Clause {
			name := short(r.Clause)
			if s := section[r.Agreement+"\x00"+r.Clause]; s != "" {
				name = b.T("bonus.section", "clause", name, "section", short(s))
			}
			out, last = append(out, countedClause{Caption: b.T("provider.counted_caption", "clause", name)}), row{}
		}
		c := &out[len(out)-1]
		if len(c.Rows) == 0 || cell(last) != cell(r) {
			who := b.cases(r.Group, r.Package)
			if len(b.about) > 1 && r.Municipality != "" {
				who += ", " + b.municipality(r.Municipality)
			}
			c.Rows = append(c.Rows, casesRow{Who: who, Counted: b.l.Count(0)})
		}
		last = r
		at := &c.Rows[len(c.Rows)-1]
		n := b.count(r.N, r.Suppressed)
		if r.Rule == bonus.RuleCounted {
			at.Counted = n
			continue
		}
		at.Others = append(at.Others, b.T("provider.because", "why", b.rule(r.Rule), "count", n))
	}
	return b.made("counted", b.T("provider.counted_lead"), out), true
}

// rule is why a case counted or did not, in words.
func (b *builder) rule(rule string) string {
	code, of, _ := strings.Cut(rule, ":")
	if code == bonus.RuleExcluded {
		return b.l.Code("rule", of)
	}
	if of == "" {
		return b.l.Code("rule", code)
	}
	return b.T("provider.of", "what", b.l.Code("rule", code), "of", short(strings.ReplaceAll(of, "_", " ")))
}

// nextData is what the provider lacks for its next steps.
type nextData struct {
	Lines   []nextLine
	Prices  []nextPrice
	Limits  []nextLimit
	Further bool // whether amounts of further citizens are told
}

// nextLine is how far a line is from what its clause asks for.
type nextLine struct {
	Caption       string
	Lacking, Held []nextRow
	More          string // how many hold
}

type nextRow struct {
	What, Now, Asked, Left string
	Holds                  bool
}

// nextPrice is what one more citizen brings who reaches what a clause counts.
type nextPrice struct{ Clause, Who, Open, Price, One, Ten string }

type nextLimit struct{ Period, Over, Limit, Used, Left string }

// next shows how far every line is from its thresholds, what limits leave and what further
// citizens bring.
func (b *builder) next(steps jobeffekt.ProviderSteps) (section, bool) {
	var d nextData
	lacking := 0
	for _, l := range b.lines {
		if x := b.thresholds(l, steps.Margins); len(x.Lacking)+len(x.Held) > 0 {
			x.More = b.T("provider.held", "n", len(x.Held))
			d.Lines = append(d.Lines, x)
			if len(x.Lacking) > 0 {
				lacking++
			}
		}
	}
	for i := range steps.Further {
		f := &steps.Further[i]
		p := nextPrice{Clause: short(f.Clause), Who: b.cases(f.MatchGroup, f.Package), Open: b.T("page.hidden"), Price: b.price(f), One: b.T("page.hidden"), Ten: b.T("page.hidden")}
		if !math.IsNaN(f.Open) {
			p.Open = b.l.Count(f.Open)
		}
		if !f.Withheld {
			d.Further = true
			of := func(n int64) string {
				for _, s := range f.Steps {
					if s.Citizens == n {
						return b.l.Kroner(s.Amount)
					}
				}
				return b.T("provider.fewer_open")
			}
			p.One, p.Ten = of(1), of(10)
		}
		d.Prices = append(d.Prices, p)
	}
	for _, h := range steps.Ceilings {
		x := nextLimit{Period: b.l.Period(h.Period), Over: b.T("provider.limit", "over", b.l.Code("provider", "over_"+h.Over), "section", short(h.Section)), Used: b.T("page.hidden"), Left: b.T("page.hidden")}
		say := func(s string) string {
			amount, err := bonus.ParseOre(s)
			if h.Of == string(bonus.LimitAmount) && err == nil {
				return b.l.Kroner(amount)
			}
			return s + " " + b.l.Code("provider", "of_"+h.Of)
		}
		x.Limit = say(h.Limit)
		if h.Used != "" {
			x.Used, x.Left = say(h.Used), say(h.Left)
		}
		d.Limits = append(d.Limits, x)
	}
	if len(d.Lines) == 0 && len(d.Prices) == 0 && len(d.Limits) == 0 {
		return section{}, false
	}
	lead := ""
	if len(d.Lines) > 0 {
		lead = b.T("provider.next_lead", "n", len(d.Lines), "lacking", lacking)
	}
	return b.made("next", lead, d), true
}

// thresholds is how far a line is from each thing its clause asks for.
func (b *builder) thresholds(l lineRow, margins []bonus.Margin) nextLine {
	out := nextLine{Caption: b.T("provider.thresholds", "clause", b.T("bonus.section", "clause", short(l.Clause), "section", short(l.Section)), "who", b.cases(l.Group, l.Package), "period", b.l.Period(l.Period), "amount", b.amount(l.Amount))}
	add := func(r nextRow) {
		if r.Holds {
			out.Held = append(out.Held, r)
		} else {
			out.Lacking = append(out.Lacking, r)
		}
	}
	for _, g := range b.gate {
		if g.Line != l.ID {
			continue
		}
		r := nextRow{What: capital(b.l.Code("measure", string(g.Diagnostic))), Holds: g.Accepted, Left: b.T("provider.holds")}
		if g.Passes != "" && !math.IsNaN(g.Threshold) {
			r.Asked = b.T("provider."+g.Passes, "x", b.measured(g.Diagnostic, g.Threshold))
		}
		switch {
		case math.IsNaN(g.Measured) || r.Asked == "":
			r.Now = b.T("page.missing")
			if g.State != bonus.NotApplicable && g.State != bonus.NotEvaluated && g.Passes != "" {
				r.Now = b.T("page.hidden")
			}
			if !g.Accepted {
				r.Left = b.T("provider.fails")
			}
		default:
			r.Now = b.measured(g.Diagnostic, g.Measured)
			if !g.Accepted {
				left := b.measured(g.Diagnostic, math.Abs(g.Measured-g.Threshold))
				if strings.Trim(left, "0.,%\u00a0") == "" {
					left = b.T("provider.little")
				}
				r.Left = b.T("provider.lacks_"+g.Passes, "x", left)
			}
		}
		add(r)
	}
	for _, m := range margins {
		if m.Line == l.ID {
			add(b.margin(l, m))
		}
	}
	return out
}

// margin is the distance of a figure that is paid on, or to the next band.
func (b *builder) margin(l lineRow, m bonus.Margin) nextRow {
	unit := effect.Unit("")
	at := slices.IndexFunc(b.benchmark, func(r benchmarkRow) bool { return r.Outcome == l.Outcome })
	if at >= 0 {
		unit = b.benchmark[at].Unit
	}
	say := func(s string) string {
		x := numberOf(s)
		switch {
		case math.IsNaN(x):
			return b.T("page.missing")
		case m.Kind() == bonus.MarginOfBand, strings.Contains(m.What, " / "):
			return b.l.Number(x, places(x))
		case m.Kind() == bonus.MarginOfFigure && b.payOn(l) == bonus.Probability && m.Passes == "at_least":
			return b.l.Percent(x, 1)
		case unit == effect.UnitShare || unit == effect.UnitPortion:
			return b.T("provider.points", "x", b.l.Signed(100*x, 1))
		}
		return b.T("unit."+string(cmp.Or(unit, effect.Unit("number"))), "x", b.l.Signed(x, 1))
	}
	r := nextRow{What: b.T("provider.band"), Now: say(m.Now), Asked: b.T("provider."+m.Passes, "x", say(m.Asked)), Holds: m.Holds, Left: b.T("provider.holds")}
	if m.Kind() == bonus.MarginOfFigure {
		r.What = b.T("provider.pay_" + string(cmp.Or(b.payOn(l), bonus.LowerLimit)))
	}
	if !m.Holds {
		r.Left = b.T("provider.fails")
		if x := numberOf(m.Spare); !math.IsNaN(x) {
			r.Left = b.T("provider.lacks_at_least", "x", strings.TrimPrefix(say(strings.TrimPrefix(m.Spare, "-")), "+"))
		}
	}
	return r
}

// payOn is which figure the clause of a line pays on.
func (b *builder) payOn(l lineRow) bonus.PayOn {
	for _, t := range b.p.Terms {
		for _, v := range t.Versions {
			for _, c := range v.Clauses {
				if t.Agreement == l.Agreement && c.ID == l.Clause {
					return c.PayOn
				}
			}
		}
	}
	return ""
}

// numberOf is an exact decimal as a number; NaN for none.
func numberOf(s string) float64 {
	return figureRow{Value: s}.value()
}

// price is what the terms pay for one citizen of the latest version of a clause; empty where
// that hangs on more than the match group and the package.
func (b *builder) price(f *jobeffekt.FurtherStep) string {
	for _, t := range b.p.Terms {
		if t.Agreement != f.Agreement {
			continue
		}
		for i := len(t.Versions) - 1; i >= 0; i-- {
			for _, c := range t.Versions[i].Clauses {
				s := c.Schedule
				if c.ID != f.Clause || s.Bands != nil || s.Share != nil || s.Every != nil || s.Beyond != nil || len(s.Instalments) > 0 || s.Penalty {
					continue
				}
				for _, p := range s.UnitPrices {
					if (p.MatchGroup == "" || p.MatchGroup == f.MatchGroup) && (p.Package == "" || p.Package == f.Package) {
						return b.l.Kroner(p.Amount)
					}
				}
			}
		}
	}
	return b.T("provider.by_terms")
}

// checking says how the provider can check its figures, down to the single case.
func (b *builder) checking() (section, bool) {
	if len(b.lines) == 0 {
		return section{}, false
	}
	s := b.made("checking", b.T("provider.checking_lead"), nil)
	s.Open = true
	return s, true
}
