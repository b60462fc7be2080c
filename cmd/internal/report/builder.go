package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/words"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// builder makes the pages of a publication in one language. Sections read from it what the
// report is about. It is not for concurrent use.
type builder struct {
	p    *jobeffekt.Publication
	o    Options
	l    *words.Language
	html *template.Template

	about     []string          // municipalities the report is about, in alphabetical order of their names
	providers []string          // providers under the agreements, or all of about where there are none; by id
	outcomes  []string          // those that terms pay on first, effects before others
	method    string            // the main one
	names     map[string]string // of providers, by id

	benchmark  []benchmarkRow  // of the main method
	comparison []comparisonRow // of the main method
	lines      []lineRow
	gate       []gateRow
	totals     []totalRow

	err error // the first of reading tables, which no section has to look at
}

// count is a number of citizens as a publication has it: NaN where it may not be shown.
type count = float64

// figures are those of a publication's table about effects: NaN where Refusal says why there
// is none, or where Suppressed is not empty and it may not be shown. Of such a row other
// figures may stand.
type figures struct {
	N          count          `col:"n"`
	Observed   float64        `col:"observed"`
	NCompared  count          `col:"n_compared"`
	Expected   float64        `col:"expected"`
	Difference float64        `col:"difference"`
	Low        float64        `col:"low"`
	High       float64        `col:"high"`
	Confidence float64        `col:"confidence"`
	Verdict    effect.Verdict `col:"verdict"`
	Refusal    string         `col:"refusal"`
	Suppressed string         `col:"suppressed"`
}

// rated says whether there is a verdict to tell.
func (f figures) rated() bool {
	return f.Verdict != effect.NotRated && f.Verdict != "" && !math.IsNaN(f.Difference)
}

// withheld says whether the verdict, and whether there is one, may not be shown.
func (f figures) withheld() bool {
	return f.Suppressed != "" && f.Verdict != effect.NotRated && !f.rated()
}

// benchmarkRow is a row of the table benchmark.
type benchmarkRow struct {
	Outcome      string      `col:"outcome"`
	Unit         effect.Unit `col:"unit"`
	Municipality string      `col:"municipality"`
	Scheme       string      `col:"match_scheme"`
	Group        string      `col:"match_group"`
	Provider     string      `col:"provider_id"`
	Package      string      `col:"package_id"`
	Method       string      `col:"method"`
	Part         effect.Part `col:"part"`
	figures
}

// comparisonRow is a row of the table comparison.
type comparisonRow struct {
	View         effect.View `col:"view"`
	Of           string      `col:"of"`
	Period       string      `col:"period"`
	Outcome      string      `col:"outcome"`
	Unit         effect.Unit `col:"unit"`
	Municipality string      `col:"municipality"`
	Scheme       string      `col:"match_scheme"`
	Group        string      `col:"match_group"`
	Package      string      `col:"package_id"`
	Method       string      `col:"method"`
	Part         effect.Part `col:"part"`
	figures
}

// lineRow is a row of the table settlement. Its amount is a number, NaN where suppressed.
type lineRow struct {
	ID           string         `col:"line"`
	Agreement    string         `col:"agreement_id"`
	Provider     string         `col:"provider_id"`
	Period       string         `col:"period"`
	Clause       string         `col:"clause"`
	Outcome      string         `col:"outcome"`
	Municipality string         `col:"municipality"`
	Group        string         `col:"match_group"`
	Package      string         `col:"package_id"`
	Cases        count          `col:"cases"`
	Amount       float64        `col:"amount_ore"`
	Currency     bonus.Currency `col:"currency"`
	Reason       string         `col:"reason"`
	Standing     string         `col:"standing"`
	StandingWhy  string         `col:"standing_why"`
	Text         string         `col:"text"`
	Section      string         `col:"section"`
	Source       string         `col:"source"`
	Suppressed   string         `col:"suppressed"`
}

// gateRow is a row of the table settlement_gate.
type gateRow struct {
	Line       string                `col:"line"`
	Diagnostic effect.DiagnosticName `col:"diagnostic"`
	Measured   float64               `col:"measured"`
	Threshold  float64               `col:"threshold"`
	Passes     string                `col:"passes"`
	State      bonus.GateState       `col:"state"`
	Accepted   bool                  `col:"accepted"`
	Reason     string                `col:"reason"`
	Suppressed string                `col:"suppressed"`
}

// totalRow is a row of the table settlement_totals: what the lines of a settlement add up to,
// which may be told where some of them may not.
type totalRow struct {
	Agreement string  `col:"agreement_id"`
	Provider  string  `col:"provider_id"` // empty for all
	Period    string  `col:"period"`      // empty for all
	Amount    float64 `col:"amount_ore"`
}

// rows are the rows of a table of the publication; none where it is not there. A table that
// nothing can be taken out of has no column suppressed: its rows have it empty. What does not
// fit is kept as the builder's error.
func rows[T any](b *builder, table string) []T {
	t := b.p.Table(table)
	if t == nil {
		return nil
	}
	if t.Column(jobeffekt.SuppressedColumn) == nil {
		with := *t
		with.Columns = append(slices.Clone(t.Columns), ingest.Column{Name: jobeffekt.SuppressedColumn, Texts: make([]string, t.Rows())})
		t = &with
	}
	out, err := ingest.ToRows[T](t)
	if err != nil && b.err == nil {
		b.err = err
	}
	return out
}

// newBuilder reads what every page is made of.
func newBuilder(p *jobeffekt.Publication, o Options, tag string) (*builder, error) {
	l, err := words.New(tag)
	if err != nil {
		return nil, err
	}
	b := &builder{p: p, o: o, l: l, names: map[string]string{}}
	b.html, err = b.templates()
	if err != nil {
		return nil, err
	}
	b.method = string(jobeffekt.Balance)
	if methods := p.Config.Compare.Methods; len(methods) > 0 {
		b.method = string(methods[0])
	}
	b.benchmark = slices.DeleteFunc(rows[benchmarkRow](b, jobeffekt.TableBenchmark), func(r benchmarkRow) bool { return r.Method != b.method })
	b.comparison = slices.DeleteFunc(rows[comparisonRow](b, jobeffekt.TableComparison), func(r comparisonRow) bool { return r.Method != b.method })
	b.lines, b.gate = rows[lineRow](b, jobeffekt.TableSettlement), rows[gateRow](b, jobeffekt.TableGate)
	slices.SortStableFunc(b.benchmark, func(x, y benchmarkRow) int {
		return cmp.Or(strings.Compare(x.Provider, y.Provider), strings.Compare(x.Municipality, y.Municipality), strings.Compare(x.Scheme, y.Scheme), strings.Compare(x.Group, y.Group))
	})
	slices.SortStableFunc(b.comparison, func(x, y comparisonRow) int {
		return cmp.Or(strings.Compare(x.Municipality, y.Municipality), strings.Compare(x.Scheme, y.Scheme), strings.Compare(x.Group, y.Group))
	})
	b.totals = rows[totalRow](b, jobeffekt.TablePaid)
	slices.SortStableFunc(b.lines, func(x, y lineRow) int {
		return cmp.Or(strings.Compare(x.Period, y.Period), strings.Compare(x.ID, y.ID))
	})
	b.readNames()
	b.readAbout()
	b.readOutcomes()
	return b, b.err
}

// readNames finds what providers are called: a provider that was renamed by its last name.
func (b *builder) readNames() {
	type row struct {
		Provider string      `col:"provider_id"`
		From     effect.Date `col:"valid_from"`
		Name     string      `col:"name"`
	}
	last := map[string]effect.Date{}
	for _, r := range rows[row](b, jobeffekt.TableProviders) {
		if at, ok := last[r.Provider]; r.Name != "" && (!ok || r.From > at) && (r.From == effect.NoDate || r.From <= b.p.Manifest.AsOf) {
			last[r.Provider], b.names[r.Provider] = r.From, r.Name
		}
	}
}

// readAbout finds the municipalities and providers that the report is about: those whose
// agreements are settled.
func (b *builder) readAbout() {
	type row struct {
		Municipality string `col:"municipality"`
		Provider     string `col:"provider_id"`
		N            count  `col:"n_cohort"`
	}
	cells := rows[row](b, jobeffekt.TableCells)
	type counted struct {
		Municipality string `col:"municipality"`
		Provider     string `col:"provider_id"`
	}
	settled, at := map[string]bool{}, map[string]bool{}
	for _, l := range b.lines {
		settled[l.Provider] = true
		if l.Municipality != "" {
			at[l.Municipality] = true
		}
	}
	for _, c := range rows[counted](b, jobeffekt.TableCounted) {
		settled[c.Provider], at[c.Municipality] = true, true
	}
	delete(settled, "")
	delete(at, "")
	if len(b.o.Municipalities) > 0 {
		at = map[string]bool{}
		for _, m := range b.o.Municipalities {
			at[m] = true
		}
	} else if len(at) == 0 {
		for _, c := range cells {
			if len(settled) == 0 || settled[c.Provider] {
				at[c.Municipality] = true
			}
		}
	}
	for m := range at {
		b.about = append(b.about, m)
	}
	slices.SortFunc(b.about, func(x, y string) int {
		return cmp.Or(b.l.Compare(b.municipality(x), b.municipality(y)), strings.Compare(x, y))
	})
	known := map[string]bool{}
	for _, c := range cells {
		if at[c.Municipality] && c.Provider != "" && c.Provider != effect.OwnProvider && (len(settled) == 0 || settled[c.Provider]) && !known[c.Provider] {
			known[c.Provider] = true
			b.providers = append(b.providers, c.Provider)
		}
	}
	slices.Sort(b.providers)
}

// readOutcomes puts the outcomes into the order in which they matter: those whose effects are
// paid, those that are paid when reached, the others, each as the run file has them.
func (b *builder) readOutcomes() {
	add := func(name string) {
		asked := slices.ContainsFunc(b.p.Config.Outcomes, func(a jobeffekt.Asked) bool { return a.Name == name })
		if asked && !slices.Contains(b.outcomes, name) {
			b.outcomes = append(b.outcomes, name)
		}
	}
	for _, of := range []func(bonus.Measure) string{func(m bonus.Measure) string { return m.Effect }, func(m bonus.Measure) string { return m.Reached }, func(m bonus.Measure) string { return m.Sum }} {
		for _, t := range b.p.Terms {
			for _, v := range t.Versions {
				for _, c := range v.Clauses {
					add(of(c.Measure))
				}
			}
		}
	}
	for _, a := range b.p.Config.Outcomes {
		add(a.Name)
	}
}

// T is a text of the language.
func (b *builder) T(key string, args ...any) string { return b.l.T(key, args...) }

// municipality is what a municipality is called: its name, or its code where the data have
// no name for it.
func (b *builder) municipality(code string) string {
	return short(cmp.Or(b.p.Municipalities[code], code))
}

// provider is what a provider is called: its name, or its id where the data have none.
func (b *builder) provider(id string) string {
	if id == effect.OwnProvider {
		return b.T("page.own")
	}
	return short(cmp.Or(b.names[id], id))
}

// offer is an offer package by its name, or its id where the terms have none.
func (b *builder) offer(id string) string {
	for _, t := range b.p.Terms {
		for _, p := range t.Packages {
			if p.ID == id && p.Name != "" {
				return short(p.Name)
			}
		}
	}
	return short(id)
}

// cases says which citizens a row is about: match group and package.
func (b *builder) cases(group, pkg string) string {
	var out []string
	if group != "" {
		out = append(out, b.T("page.group", "group", short(group)))
	}
	if pkg != "" {
		out = append(out, b.offer(pkg))
	}
	return strings.Join(out, ", ")
}

// longest is how many characters of a name of the data are shown.
const longest = 80

// short is a name of the data on one line, cut where it is longer than any name.
func short(s string) string { return cut(oneLine(s), longest) }

// oneLine is a text without line breaks and runs of spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cut is a text of at most so many characters, with an ellipsis where it was longer.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// paragraphs are a text of people in lines, cut where it is longer than anybody reads.
func paragraphs(s string) []string {
	var out []string
	for line := range strings.SplitSeq(cut(s, longestAccount), "\n") {
		if line = oneLine(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// sum adds amounts of lines up, some of which may be withheld.
type sum struct {
	ore      float64
	lines    int
	withheld int
	stopped  int // by a gate or its like
}

func (s *sum) add(l lineRow) {
	s.lines++
	if math.IsNaN(l.Amount) {
		s.withheld++
		return
	}
	s.ore += l.Amount
}

// settle sums up the lines of an agreement, a provider and a period, of all where they are
// "". Where the publication tells the total, nothing of it is withheld, whatever is of its
// lines.
func (b *builder) settle(agreement, provider, period string) (s sum) {
	for _, t := range b.p.Terms {
		if agreement != "" && t.Agreement != agreement {
			continue
		}
		var part sum
		for _, l := range b.lines {
			if l.Agreement == t.Agreement && (provider == "" || l.Provider == provider) && (period == "" || l.Period == period) {
				if part.add(l); b.stops(l) {
					part.stopped++
				}
			}
		}
		at := slices.IndexFunc(b.totals, func(r totalRow) bool {
			return r.Agreement == t.Agreement && r.Provider == provider && r.Period == period && !math.IsNaN(r.Amount)
		})
		if at >= 0 {
			part.ore, part.withheld = b.totals[at].Amount, 0
		}
		s.ore, s.lines, s.withheld, s.stopped = s.ore+part.ore, s.lines+part.lines, s.withheld+part.withheld, s.stopped+part.stopped
	}
	return s
}

// stops says whether a gate or its like keeps a line from being paid: by its reason, or where
// that may not be shown, by the gate.
func (b *builder) stops(l lineRow) bool {
	return gated(l.Reason) || l.Suppressed != "" && slices.ContainsFunc(b.gate, func(g gateRow) bool { return g.Line == l.ID && !g.Accepted })
}

// amount is a suppressed amount in words, or the amount in the currency.
func (b *builder) amount(ore float64) string {
	if math.IsNaN(ore) {
		return b.T("page.hidden")
	}
	return b.l.Kroner(bonus.Ore(math.Round(ore)))
}

// unless is a figure as say writes it, in words where it may not be shown, as its row has
// something withheld, or is not there.
func (b *builder) unless(x float64, suppressed string, say func(float64) string) string {
	switch {
	case !math.IsNaN(x):
		return say(x)
	case suppressed != "":
		return b.T("page.hidden")
	}
	return b.T("page.missing")
}

// count is a number of citizens, in words where there is none to show.
func (b *builder) count(n count, suppressed string) string { return b.unless(n, suppressed, b.l.Count) }

// verdict is the verdict in the fixed words: not shown where the figures are not.
func (b *builder) verdict(f figures) string {
	if f.withheld() {
		return b.T("page.hidden")
	}
	return b.l.Code("verdict", string(f.Verdict))
}

// standing is the standing of what was settled, in words.
func (b *builder) standing(s string) string {
	var out []string
	for word := range strings.SplitSeq(s, ", ") {
		out = append(out, b.l.Code("standing", strings.ReplaceAll(word, " ", "_")))
	}
	return strings.Join(out, ", ")
}
