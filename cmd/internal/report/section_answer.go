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
	Asked     string   // the question: which outcome, against whom
	Short     []string // the answer in a line a provider
	Blinded   bool
	Providers []providerAnswer
	Total     string // what is settled, all together
	Certainty string // the confidence of the intervals
	Peers     bool
}

// providerAnswer is what is said of a provider.
type providerAnswer struct {
	id    string
	Name  string
	Says  []saying
	Money string
}

// saying is one sentence about citizens of a provider.
type saying struct {
	Who     string // match group
	Short   string // between which limits the difference lies, the verdict and n
	Text    string // what was seen and expected, and between which limits the difference lies
	Verdict string
	Mark    string // a shape for the verdict, beside its words
	figures figures
}

// answer is what the first screen shows: what can be said of each provider, in sentences.
func (b *builder) answer() template.HTML {
	d := answerData{Blinded: b.p.Manifest.Blinded, Peers: b.compared()}
	if len(b.outcomes) > 0 {
		with := "answer.peers"
		if !d.Peers {
			with = "answer.home"
		}
		d.Asked = b.T("answer.asked", "outcome", b.outcome(b.outcomes[0]), "with", b.T(with)) + b.direction(b.outcomes[0])
	}
	for _, id := range b.alphabetical(b.providers) {
		d.Providers = append(d.Providers, providerAnswer{id: id, Name: b.provider(id), Says: b.says(id), Money: b.bonusOf(id)})
	}
	for _, p := range d.Providers {
		d.Short = append(d.Short, b.inShort(p, b.pooled(p.id))...)
	}
	if len(d.Providers) > mostInShort {
		d.Short = b.counted(d.Providers)
	}
	if len(b.lines) > 0 && len(d.Providers) != 1 {
		d.Total = b.money(b.settle("", "", ""))
	}
	d.Certainty = b.l.Percent(b.confidence(), places(100*b.confidence()))
	return b.render("answer", d)
}

// mostInShort is how many providers the answer names one by one before it counts them.
const mostInShort = 6

// inShort is what is said of a provider in a line: the sentence about all its citizens
// together, or the verdicts of its match groups.
func (b *builder) inShort(p providerAnswer, pooled []saying) []string {
	// What is withheld of all of them may be told of each match group.
	if len(p.Says) > 0 && slices.ContainsFunc(pooled, func(s saying) bool { return s.figures.withheld() }) {
		pooled = nil
	}
	if len(pooled) == 0 && len(p.Says) == 1 {
		pooled = p.Says
	}
	var out []string
	for _, s := range pooled {
		name := p.Name
		if len(pooled) > 1 {
			name += ", " + lower(s.Who)
		}
		out = append(out, b.T("answer.short", "provider", name, "says", s.Short))
	}
	if len(out) > 0 || len(p.Says) == 0 {
		return out
	}
	var order []string
	who := map[string][]string{}
	for _, s := range p.Says {
		v := cmp.Or(s.Verdict, b.T("page.hidden"))
		if who[v] == nil {
			order = append(order, v)
		}
		who[v] = append(who[v], lower(s.Who))
	}
	for _, v := range order {
		out = append(out, b.T("answer.verdict", "verdict", v, "who", b.l.List(who[v])))
	}
	return []string{b.T("answer.short", "provider", p.Name, "says", b.l.List(out))}
}

// counted are the verdicts of many providers, counted.
func (b *builder) counted(of []providerAnswer) []string {
	var n verdicts
	for _, p := range of {
		for _, s := range p.Says {
			n.add(s.figures)
		}
	}
	return []string{b.lead(n)}
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

// says are the sentences about a provider's citizens, by match group.
func (b *builder) says(provider string) []saying {
	var out []saying
	for _, r := range b.benchmark {
		if len(b.outcomes) > 0 && r.Provider == provider && r.Package == "" && r.Outcome == b.outcomes[0] && r.Part == b.part() && slices.Contains(b.about, r.Municipality) {
			out = append(out, b.saying(b.who(r.Group, r.Municipality, r.Scheme), r.figures, r.Unit))
		}
	}
	return out
}

// pooled are the sentences about a provider's citizens of all match groups together, one for
// each scheme and municipality; none where the run has not seen them together.
func (b *builder) pooled(provider string) []saying {
	var out []saying
	for _, r := range b.comparison {
		if len(b.outcomes) > 0 && r.View == effect.ViewProvider && r.Of == provider && r.Period == "" && r.Package == "" && r.Group == effect.All && r.Outcome == b.outcomes[0] &&
			r.Part == b.part() && slices.Contains(b.about, r.Municipality) {
			out = append(out, b.saying(b.who(r.Group, r.Municipality, r.Scheme), r.figures, r.Unit))
		}
	}
	return out
}

// saying is the sentence about figures.
func (b *builder) saying(who string, f figures, u effect.Unit) saying {
	s, n := saying{Who: who, Verdict: b.verdict(f), Mark: mark(f), figures: f}, b.count(f.N, f.Suppressed)
	switch {
	case f.withheld():
		s.Verdict = ""
		s.Text = b.T("answer.withheld")
		s.Short = b.T("page.withheld")
	case !f.rated():
		s.Text = b.T("answer.not_rated", "n", n, "why", b.refusal(f))
		s.Short = b.T("answer.short_not_rated", "verdict", s.Verdict, "why", b.refusal(f), "n", n)
	default:
		between := b.between(f, u)
		s.Text = b.T("answer.difference", "between", between)
		if !math.IsNaN(f.N + f.Observed + f.Expected) {
			s.Text = b.T("answer.says", "n", n, "observed", b.level(f.Observed, u, 0), "expected", b.level(f.Expected, u, 0)) + " " + s.Text
		}
		s.Short = b.T("answer.short_says", "between", between, "verdict", s.Verdict, "n", n)
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

// money says what was settled, how final that is, and what was stopped; nothing where there
// are no lines.
func (b *builder) money(s sum) string {
	if s.lines == 0 {
		return ""
	}
	standing, _, _ := strings.Cut(b.p.Manifest.Standing, ", ")
	if s.withheld == s.lines {
		s.ore = math.NaN()
	}
	out := []string{b.T("answer.money", "amount", b.amount(s.ore), "standing", b.standing(standing))}
	if s.withheld > 0 && s.withheld < s.lines {
		out = append(out, b.T("answer.lines_withheld", "n", s.withheld))
	}
	if s.stopped > 0 {
		out = append(out, b.T("answer.stopped", "n", s.stopped, "of", s.lines))
	}
	return strings.Join(out, " ")
}

// bonusOf is the money of a provider as a sentence; nothing where no line is about it.
func (b *builder) bonusOf(provider string) string {
	said := b.money(b.settle("", provider, ""))
	if said == "" {
		return ""
	}
	return b.T("answer.bonus", "amount", said)
}

// gated says whether a gate or its like keeps a line with this reason from being paid.
func gated(reason string) bool { return (&bonus.Line{Reason: reason}).Gated() }
