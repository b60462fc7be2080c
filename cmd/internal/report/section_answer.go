package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// answerData is what the first screen says.
type answerData struct {
	Asked     string // the question: which outcome, against whom
	Blinded   bool
	Providers []providerAnswer
	Total     string // what is settled, all together
	Certainty string // the confidence of the intervals
	Peers     bool
}

// providerAnswer is what is said of a provider.
type providerAnswer struct {
	Name  string
	Says  []saying
	Money string
}

// saying is one sentence about citizens of a provider.
type saying struct {
	Who     string // match group; empty for all together
	Text    string // what was seen and expected, and between which limits the difference lies
	Verdict string
	Mark    string // a shape for the verdict, beside its words
}

// answer is what the first screen shows: what can be said of each provider, in sentences.
func (b *builder) answer() template.HTML {
	d := answerData{Blinded: b.p.Manifest.Blinded, Peers: b.compared()}
	if len(b.outcomes) > 0 {
		with := "answer.peers"
		if !d.Peers {
			with = "answer.home"
		}
		d.Asked = b.T("answer.asked", "outcome", b.outcome(b.outcomes[0]), "with", b.T(with))
	}
	for _, id := range b.alphabetical(b.providers) {
		d.Providers = append(d.Providers, providerAnswer{Name: b.provider(id), Says: b.says(id), Money: b.money(func(l lineRow) bool { return l.Provider == id })})
	}
	if len(b.lines) > 0 {
		d.Total = b.money(func(lineRow) bool { return true })
	}
	d.Certainty = b.l.Percent(b.confidence(), places(100*b.confidence()))
	return b.render("answer", d)
}

// alphabetical are providers by what they are called.
func (b *builder) alphabetical(ids []string) []string {
	out := slices.Clone(ids)
	slices.SortFunc(out, func(x, y string) int {
		return cmp.Or(b.l.Compare(b.provider(x), b.provider(y)), strings.Compare(x, y))
	})
	return out
}

// compared says whether there are peers to be compared with.
func (b *builder) compared() bool { return b.p.Table(jobeffekt.TablePeers) != nil }

// part is the part of a difference that the report tells first: from the peers, or from
// others at home where there are none.
func (b *builder) part() effect.Part {
	if b.compared() {
		return effect.Total
	}
	return effect.Provider
}

// says are the sentences about a provider's citizens: all match groups of a scheme together
// where the run has that, else each match group.
func (b *builder) says(provider string) []saying {
	var out []saying
	if len(b.outcomes) == 0 {
		return nil
	}
	for _, r := range b.comparison {
		if r.View == effect.ViewProvider && r.Of == provider && r.Period == "" && r.Package == "" && r.Group == effect.All && r.Outcome == b.outcomes[0] &&
			r.Part == b.part() && slices.Contains(b.about, r.Municipality) {
			out = append(out, b.saying("", r.Municipality, r.figures, r.Unit))
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, r := range b.benchmark {
		if r.Provider == provider && r.Package == "" && r.Outcome == b.outcomes[0] && r.Part == b.part() && slices.Contains(b.about, r.Municipality) {
			out = append(out, b.saying(r.Group, r.Municipality, r.figures, r.Unit))
		}
	}
	return out
}

// saying is the sentence about figures.
func (b *builder) saying(group, municipality string, f figures, u effect.Unit) saying {
	s := saying{Verdict: b.verdict(f), Mark: mark(f)}
	if group != "" {
		s.Who = b.T("page.group", "group", short(group))
	}
	if len(b.about) > 1 {
		s.Who = strings.TrimPrefix(s.Who+", "+b.municipality(municipality), ", ")
	}
	switch {
	case f.Suppressed != "":
		s.Verdict = ""
		s.Text = b.T("answer.withheld")
	case !f.rated():
		s.Text = b.T("answer.not_rated", "n", f.N, "why", b.refusal(f))
	default:
		s.Text = b.T("answer.says", "n", f.N, "observed", b.level(f.Observed, u, 0), "expected", b.level(f.Expected, u, 0), "between", b.between(f, u))
	}
	return s
}

// refusal says why there is no verdict.
func (b *builder) refusal(f figures) string {
	if f.Refusal == "" {
		return b.T("page.missing")
	}
	return b.l.Code("refusal", f.Refusal)
}

// mark is a shape for a verdict, which the words beside it say too.
func mark(f figures) string {
	if !f.rated() {
		return "–"
	}
	switch f.Verdict {
	case effect.Higher:
		return "▲"
	case effect.Lower:
		return "▼"
	}
	return "○"
}

// money says what was settled on the lines that are asked for, how final that is, and what
// was stopped; nothing where there are no such lines.
func (b *builder) money(of func(lineRow) bool) string {
	var sum float64
	lines, stopped, withheld := 0, 0, 0
	for _, l := range b.lines {
		if !of(l) {
			continue
		}
		lines++
		if gated(l.Reason) {
			stopped++
		}
		if math.IsNaN(l.Amount) {
			withheld++
			continue
		}
		sum += l.Amount
	}
	if lines == 0 {
		return ""
	}
	standing, _, _ := strings.Cut(b.p.Manifest.Standing, ", ")
	out := []string{b.T("answer.money", "amount", b.amount(sum), "standing", b.standing(standing))}
	if stopped > 0 {
		out = append(out, b.T("answer.stopped", "n", stopped, "of", lines))
	}
	if withheld > 0 {
		out = append(out, b.T("answer.lines_withheld", "n", withheld))
	}
	return strings.Join(out, " ")
}

// gated says whether a gate or its like keeps a line with this reason from being paid.
func gated(reason string) bool { return (&bonus.Line{Reason: reason}).Gated() }
