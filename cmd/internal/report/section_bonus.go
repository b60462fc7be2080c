package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// bonusData is what was earned, by which clause, and what was stopped.
type bonusData struct {
	Agreements []agreementData
}

// agreementData is the settlement of an agreement.
type agreementData struct {
	Title    string
	Clauses  []clauseData
	Caption  string
	Rows     []earned // by provider and period, after each provider its sum, at last all
	Stopped  []stopped
	Standing string
	Withheld bool
}

// clauseData is a clause or a limit: a column of the table.
type clauseData struct{ ID, Name, Text string }

// earned is a row of amounts.
type earned struct {
	Provider, Period string
	Amounts          []template.HTML
	Sum              template.HTML
	IsSum            bool
}

// stopped is a line that the gate kept from being paid, and why.
type stopped struct {
	Provider, Period, Who, Clause string
	Why                           []string
}

// written is a sum in words: what is known of it, and that more is withheld.
func (b *builder) written(s sum) template.HTML {
	switch {
	case s.lines == 0:
		return ""
	case s.withheld == s.lines:
		return template.HTML(`<span class="none">` + template.HTMLEscapeString(b.T("page.hidden")) + `</span>`)
	case s.withheld > 0:
		return template.HTML(template.HTMLEscapeString(b.amount(s.ore)) + ` <span class="none">` + template.HTMLEscapeString(b.T("bonus.and_withheld")) + `</span>`)
	}
	return template.HTML(template.HTMLEscapeString(b.amount(s.ore)))
}

// bonus shows what every provider earned in every settlement period, by clause, with what
// limits took off, and what the gate stopped.
func (b *builder) bonus() (section, bool) {
	var d bonusData
	if len(b.lines) == 0 {
		return section{}, false
	}
	all := b.settle("", "", "")
	for _, t := range b.p.Terms {
		if a := b.settled(t); len(a.Rows) > 0 {
			d.Agreements = append(d.Agreements, a)
		}
	}
	if all.withheld == all.lines {
		all.ore = math.NaN()
	}
	lead := b.T("bonus.lead", "amount", b.amount(all.ore), "n", all.lines)
	if all.withheld > 0 && all.withheld < all.lines {
		lead += " " + b.T("bonus.lead_withheld", "n", all.withheld)
	}
	if all.stopped > 0 {
		lead += " " + b.T("bonus.lead_stopped", "n", all.stopped)
	}
	s := b.section("bonus", lead, d)
	return s, true
}

// settled is the settlement of one agreement.
func (b *builder) settled(t *bonus.Terms) agreementData {
	a := agreementData{Title: short(t.Title), Caption: b.T("bonus.caption", "agreement", short(t.Title))}
	lines := slices.DeleteFunc(slices.Clone(b.lines), func(l lineRow) bool { return l.Agreement != t.Agreement })
	if len(lines) == 0 {
		return a
	}
	a.Standing = b.standing(lines[0].Standing)
	for _, l := range lines {
		if !slices.ContainsFunc(a.Clauses, func(c clauseData) bool { return c.ID == l.Clause }) {
			a.Clauses = append(a.Clauses, clauseData{ID: l.Clause, Name: b.called(t, l.Clause, l.Section), Text: short(cmp.Or(l.Text, l.Clause))})
		}
	}
	// Clauses in the order of the terms, limits behind them.
	at := func(id string) int {
		i := 0
		for _, v := range t.Versions {
			for _, c := range v.Clauses {
				if i++; c.ID == id {
					return i
				}
			}
		}
		return math.MaxInt
	}
	slices.SortStableFunc(a.Clauses, func(x, y clauseData) int { return cmp.Or(cmp.Compare(at(x.ID), at(y.ID)), strings.Compare(x.ID, y.ID)) })
	ids := []string{}
	periods := map[string][]string{}
	for _, l := range lines {
		if !slices.Contains(ids, l.Provider) {
			ids = append(ids, l.Provider)
		}
		if !slices.Contains(periods[l.Provider], l.Period) {
			periods[l.Provider] = append(periods[l.Provider], l.Period)
		}
	}
	row := func(id, p string, e earned) {
		sums := make([]sum, len(a.Clauses))
		for _, l := range lines {
			if (id == "" || l.Provider == id) && (p == "" || l.Period == p) {
				sums[slices.IndexFunc(a.Clauses, func(c clauseData) bool { return c.ID == l.Clause })].add(l)
			}
		}
		e.Sum = b.written(b.settle(t.Agreement, id, p))
		for _, s := range sums {
			e.Amounts = append(e.Amounts, b.written(s))
			a.Withheld = a.Withheld || s.withheld > 0
		}
		a.Rows = append(a.Rows, e)
	}
	for _, id := range b.alphabetical(ids) {
		for _, p := range periods[id] {
			row(id, p, earned{Provider: b.provider(id), Period: b.l.Period(p)})
		}
		if len(periods[id]) > 1 {
			row(id, "", earned{Provider: b.provider(id), Period: b.T("bonus.all_periods"), IsSum: true})
		}
	}
	if len(ids) > 1 {
		row("", "", earned{Provider: b.T("bonus.all_providers"), IsSum: true})
	}
	for _, l := range lines {
		if b.stops(l) {
			a.Stopped = append(a.Stopped, stopped{
				Provider: b.provider(l.Provider), Period: b.l.Period(l.Period), Who: b.cases(l.Group, l.Package), Clause: b.called(t, l.Clause, l.Section), Why: b.why(l),
			})
		}
	}
	return a
}

// called is a clause or limit as a column is called, with its section.
func (b *builder) called(t *bonus.Terms, id, section string) string {
	name := short(id)
	if key := "bonus." + id; b.l.Has(key) && !hasClause(t, id) {
		name = b.T(key)
	}
	return b.T("bonus.section", "clause", name, "section", short(section))
}

// hasClause says whether the terms have a clause of the name; else it is that of a limit.
func hasClause(t *bonus.Terms, id string) bool {
	for _, v := range t.Versions {
		if slices.ContainsFunc(v.Clauses, func(c bonus.Clause) bool { return c.ID == id }) {
			return true
		}
	}
	return false
}

// why says what kept a line from being paid, each diagnostic with what was measured and what
// the terms ask for.
func (b *builder) why(l lineRow) []string {
	var out []string
	for reason := range strings.SplitSeq(l.Reason, "; ") {
		code, of, _ := strings.Cut(reason, ":")
		if code != bonus.ReasonGate && code != "" { // none where it is withheld
			text := b.l.Code("reason", code)
			if of != "" {
				text += ": " + short(strings.ReplaceAll(of, "_", " "))
			}
			out = append(out, text)
		}
	}
	for _, g := range b.gate {
		if g.Line == l.ID && !g.Accepted {
			out = append(out, b.diagnostic(g))
		}
	}
	return out
}

// diagnostic is a diagnostic that did not pass, in words.
func (b *builder) diagnostic(g gateRow) string {
	name := b.l.Code("diagnostic", string(g.Diagnostic))
	switch {
	case g.Suppressed != "" && math.IsNaN(g.Measured):
		return b.T("bonus.hidden", "diagnostic", name, "threshold", b.measured(g.Diagnostic, g.Threshold))
	case g.State == bonus.NotApplicable || g.State == bonus.NotEvaluated || math.IsNaN(g.Measured):
		return b.T("bonus.untold", "diagnostic", name)
	case g.Passes == "at_least":
		return b.T("bonus.at_least", "diagnostic", name, "measured", b.measured(g.Diagnostic, g.Measured), "threshold", b.measured(g.Diagnostic, g.Threshold))
	}
	return b.T("bonus.at_most", "diagnostic", name, "measured", b.measured(g.Diagnostic, g.Measured), "threshold", b.measured(g.Diagnostic, g.Threshold))
}

// measured is a value of a diagnostic: a share as a percentage, a number with the decimals
// that tell it apart from its threshold.
func (b *builder) measured(d effect.DiagnosticName, x float64) string {
	switch d {
	case effect.DiagUncovered, effect.DiagFollowUp, effect.DiagLeft, effect.DiagNoClock, effect.DiagDatedCovariates, effect.DiagMaxWeight:
		return b.l.Percent(x, 1)
	case effect.DiagN, effect.DiagPeers:
		return b.l.Count(x)
	}
	return b.l.Number(x, 2)
}
