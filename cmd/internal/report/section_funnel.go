package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/chart"
	"github.com/jobeffekt/jobeffekt/effect"
)

// whom is what a row of most tables is about.
type whom struct {
	Outcome      string `col:"outcome"`
	Municipality string `col:"municipality"`
	Scheme       string `col:"match_scheme"`
	Group        string `col:"match_group"`
	Provider     string `col:"provider_id"`
}

// ours says whether the report is about the provider there, or about the municipality's own
// projects.
func (b *builder) ours(c whom) bool {
	return slices.Contains(b.about, c.Municipality) && (c.Provider == effect.OwnProvider || slices.Contains(b.providers, c.Provider))
}

// cells compares by match group and place, then by what providers are called, own projects
// last.
func (b *builder) cells(x, y whom) int {
	own := func(c whom) int {
		if c.Provider == effect.OwnProvider {
			return 1
		}
		return 0
	}
	return cmp.Or(strings.Compare(x.Scheme, y.Scheme), strings.Compare(x.Group, y.Group), cmp.Compare(own(x), own(y)),
		b.l.Compare(b.provider(x.Provider), b.provider(y.Provider)), strings.Compare(x.Provider, y.Provider), strings.Compare(x.Municipality, y.Municipality))
}

// group is which citizens a row is about, beside their provider. A row of all match groups
// has none.
func (b *builder) group(c whom) string {
	return b.who(cmp.Or(c.Group, effect.All), c.Municipality, c.Scheme)
}

// whose is a provider and which of its citizens.
func (b *builder) whose(c whom) string { return b.provider(c.Provider) + ", " + lower(b.group(c)) }

// inPicture is what a provider is called in a picture, where there is little room.
func (b *builder) inPicture(c whom) string {
	name := b.provider(c.Provider)
	if c.Provider == effect.OwnProvider {
		name = b.T("funnel.own")
	}
	if len(b.about) > 1 {
		name += ", " + b.municipality(c.Municipality)
	}
	return name
}

// gathered names each provider once, with its citizens that rows are about.
func (b *builder) gathered(cells []whom) string {
	var names []string
	of := map[string][]string{}
	for _, c := range cells {
		name := b.provider(c.Provider)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if who := lower(b.group(c)); !slices.Contains(of[name], who) {
			of[name] = append(of[name], who)
		}
	}
	for i, name := range names {
		names[i] += " (" + b.l.List(of[name]) + ")"
	}
	return b.l.List(names)
}

// The limits of a funnel: the normal scores of two-sided 5 and 0.2 %.
const (
	score95  = 1.959963984540054
	score998 = 3.090232306167813
)

// mostNamed is how many markers of one funnel have their names beside them.
const mostNamed = 10

// funnelRow is a row of the table profile.
type funnelRow struct {
	whom
	Unit       effect.Unit `col:"unit"`
	Package    string      `col:"package_id"`
	Method     string      `col:"method"`
	Part       effect.Part `col:"part"`
	NCompared  count       `col:"n_compared"`
	Difference float64     `col:"difference"`
	Error      float64     `col:"standard_error"`
	Z          float64     `col:"z"`
	Funnel     string      `col:"funnel"`
	Adjusted   string      `col:"funnel_adjusted"`
	Refusal    string      `col:"refusal"`
	Suppressed string      `col:"suppressed"`
}

// score is the standard error that the limits of a normal distribution are about: in the
// picture lies outside them who does in the table, whose p-value is Student's.
func (r funnelRow) score() float64 {
	if s := r.Difference / r.Z; r.Z != 0 && !math.IsNaN(s) && !math.IsInf(s, 0) {
		return s
	}
	return r.Error
}

// told says whether the row has its place: of a row in which something was taken out, other
// figures may stand.
func (r funnelRow) told() bool {
	return r.Funnel != "" && !math.IsNaN(r.Difference) && !math.IsNaN(r.score())
}

// outside says which way a row lies outside the limits of chance: 1 above, -1 below, 0 not.
func (r funnelRow) outside() int {
	if r.Funnel == "inside_95" || !r.told() {
		return 0
	}
	return cmp.Compare(r.Difference, 0)
}

// funnelData is what the section shows: a funnel for each match group.
type funnelData struct {
	Funnels []funnel
	Outcome string
}

type funnel struct {
	Group   string
	Picture template.HTML
	Light   string // what the light markers are, and how many are not drawn
	Rows    []funnelLine
}

// funnelLine is one of those that the report is about.
type funnelLine struct {
	Name, N, Difference, Funnel, Adjusted string
	Note                                  string // why there are no figures
}

// funnel shows the report's providers among all: who differs more than chance makes.
func (b *builder) funnel() (section, bool) {
	if len(b.outcomes) == 0 {
		return section{}, false
	}
	all := slices.DeleteFunc(rows[funnelRow](b, jobeffekt.TableProfile), func(r funnelRow) bool {
		return r.Outcome != b.outcomes[0] || r.Method != b.method || r.Part != b.part() || r.Package != ""
	})
	slices.SortStableFunc(all, func(x, y funnelRow) int { return b.cells(x.whom, y.whom) })
	d := funnelData{Outcome: b.outcome(b.outcomes[0])}
	var said []string
	told, inside, silent := 0, 0, 0
	for len(all) > 0 {
		end := slices.IndexFunc(all, func(r funnelRow) bool { return r.Scheme != all[0].Scheme || r.Group != all[0].Group })
		if end < 0 {
			end = len(all)
		}
		family := all[:end]
		all = all[end:]
		if !slices.ContainsFunc(family, func(r funnelRow) bool { return b.ours(r.whom) }) {
			continue
		}
		f, says := b.oneFunnel(len(d.Funnels)+1, family)
		d.Funnels = append(d.Funnels, f)
		said = append(said, says...)
		for _, r := range family {
			switch {
			case !b.ours(r.whom):
			case !r.told():
				silent++
			default:
				if told++; r.outside() == 0 {
					inside++
				}
			}
		}
	}
	if len(d.Funnels) == 0 {
		return section{}, false
	}
	lead := b.T("funnel.nothing")
	switch {
	case told > 0 && len(said) == 0:
		lead = b.T("funnel.none", "n", told)
	case told > 0:
		lead = capital(b.l.List(said)) + ". " + b.T("funnel.inside", "n", inside, "of", told)
	}
	if silent > 0 {
		lead += " " + b.T("funnel.unseen", "n", silent)
	}
	return b.section("funnel", lead, d), true
}

// limitOf is the limit that a row lies outside of.
func (b *builder) limitOf(r funnelRow) string {
	if r.Funnel == "outside_99.8" {
		return b.l.Percent(0.998, 1)
	}
	return b.l.Percent(0.95, 0)
}

func (b *builder) oneFunnel(n int, family []funnelRow) (funnel, []string) {
	unit := family[0].Unit
	what := b.T("between." + string(unit))
	format := func(v float64) string { v = scaled(v, unit); return b.l.Number(v, places(v)) }
	first := family[0].whom
	out := funnel{Group: b.T("page.group", "group", short(first.Group))}
	if b.schemes() > 1 {
		out.Group += " (" + short(first.Scheme) + ")"
	}
	p := chart.Funnel{
		Picture: chart.Picture{ID: fmt.Sprintf("funnel-%d", n), Title: b.T("funnel.picture", "outcome", b.outcome(first.Outcome), "group", lower(out.Group))},
		X:       chart.Axis{Label: b.T("funnel.x", "unit", what), Format: format},
		Y:       chart.Axis{Label: b.T("funnel.y", "unit", what), Format: format},
		Limits:  []chart.Limit{{Label: b.l.Percent(0.95, 0), Times: score95}, {Label: b.l.Percent(0.998, 1), Times: score998}},
	}
	named := 0
	for _, r := range family {
		if b.ours(r.whom) && r.told() {
			named++
		}
	}
	var said []string
	others, unseen := 0, 0
	for _, r := range family {
		point := chart.Point{X: r.score(), Y: r.Difference}
		if !b.ours(r.whom) {
			if !r.told() {
				unseen++
				continue
			}
			others++
			p.Points = append(p.Points, point)
			continue
		}
		line := funnelLine{Name: b.whose(r.whom)}
		switch {
		case !r.told() && r.Suppressed != "":
			line.Note = b.T("answer.withheld")
		case !r.told():
			line.Note = b.l.Code("verdict", string(effect.NotRated)) + ": " + b.refusal(figures{Refusal: r.Refusal})
		default:
			line.N, line.Difference = b.count(r.NCompared, r.Suppressed), b.l.Signed(scaled(r.Difference, unit), 1)
			line.Funnel, line.Adjusted = b.l.Code("limit", r.Funnel), b.l.Code("limit", r.Adjusted)
			if r.Adjusted == "" {
				line.Adjusted = b.T("page.missing")
			}
			key := ""
			switch r.outside() {
			case 1:
				point.Mark, key = chart.Up, "funnel.above"
			case -1:
				point.Mark, key = chart.Down, "funnel.below"
			}
			if key != "" {
				said = append(said, b.T(key, "who", b.whose(r.whom), "limit", b.limitOf(r)))
			}
			point.Label = b.inPicture(r.whom)
			if named > mostNamed && key == "" {
				point.Label = "" // drawn light, but told in the table
			}
			p.Points = append(p.Points, point)
		}
		out.Rows = append(out.Rows, line)
	}
	p.Desc = b.T("funnel.none", "n", named)
	if len(said) > 0 {
		p.Desc = capital(b.l.List(said)) + "."
	}
	if named > 0 || others > 0 {
		out.Picture = p.Draw()
		out.Light = b.T("funnel.light", "n", others)
		if unseen > 0 {
			out.Light += " " + b.T("funnel.unseen", "n", unseen)
		}
	}
	return out, said
}
