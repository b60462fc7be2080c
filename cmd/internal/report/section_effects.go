package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// effectsData are the forest plots, each a table whose rows have a picture.
type effectsData struct {
	Forests []forest
	Chance  string // how often luck alone makes a verdict
	Hushed  bool   // some rows have a difference without the numbers behind it
}

// forest is one outcome against one kind of comparators.
type forest struct {
	ID      string
	Caption string
	Axis    template.HTML
	Rows    []forestRow
	First   bool // seen without being asked for
}

// forestRow is a provider's citizens of one match group.
type forestRow struct {
	Provider, Group, N, Observed, Expected, Difference, Interval, Verdict string
	Mark                                                                  string
	Note                                                                  string // why there are no figures
	Picture                                                               template.HTML
}

// effects shows every provider and match group as a forest plot: the paid outcomes first,
// against the peers and against others at home.
func (b *builder) effects() (section, bool) {
	var d effectsData
	var n verdicts
	parts := []effect.Part{effect.Total, effect.Provider}
	if !b.compared() {
		parts = parts[1:]
	}
	for _, outcome := range b.outcomes {
		for _, part := range parts {
			rows := slices.DeleteFunc(slices.Clone(b.benchmark), func(r benchmarkRow) bool {
				return r.Outcome != outcome || r.Part != part || r.Package != "" || !slices.Contains(b.about, r.Municipality) || !slices.Contains(b.providers, r.Provider)
			})
			if len(rows) == 0 {
				continue
			}
			f := b.forest(fmt.Sprintf("forest-%d", len(d.Forests)+1), outcome, part, rows)
			f.First = len(d.Forests) == 0
			d.Forests = append(d.Forests, f)
			d.Hushed = d.Hushed || slices.ContainsFunc(rows, func(r benchmarkRow) bool { return !r.withheld() && r.rated() && math.IsNaN(r.N) })
			if f.First {
				for _, r := range rows {
					n.add(r.figures)
				}
			}
		}
	}
	if len(d.Forests) == 0 {
		return section{}, false
	}
	d.Chance = b.T("effects.chance", "chance", b.l.Percent(1-b.confidence(), places(100*(1-b.confidence()))))
	s := b.section("effects", b.lead(n), d)
	s.Open = true
	return s, true
}

// verdicts counts them.
type verdicts struct{ all, higher, lower, none, notRated, withheld int }

func (v *verdicts) add(f figures) {
	v.all++
	switch {
	case f.withheld():
		v.withheld++
	case !f.rated():
		v.notRated++
	case f.Verdict == effect.Higher:
		v.higher++
	case f.Verdict == effect.Lower:
		v.lower++
	default:
		v.none++
	}
}

// lead says how many verdicts there are of each kind; those that are not rated and those that
// are withheld are told apart.
func (b *builder) lead(n verdicts) string {
	out := b.T("effects.lead", "all", n.all, "higher", n.higher, "lower", n.lower, "none", n.none, "not_rated", n.notRated)
	if n.withheld > 0 {
		out += " " + b.T("effects.withheld", "n", n.withheld)
	}
	return out
}

// confidence is that of the intervals.
func (b *builder) confidence() float64 { return cmp.Or(b.p.Config.Compare.Confidence, 0.95) }

func (b *builder) forest(id, outcome string, part effect.Part, rows []benchmarkRow) forest {
	unit := rows[0].Unit
	with := b.T("answer.peers")
	if part == effect.Provider {
		with = b.T("answer.home")
	}
	slices.SortStableFunc(rows, func(x, y benchmarkRow) int {
		return cmp.Or(b.l.Compare(b.provider(x.Provider), b.provider(y.Provider)), strings.Compare(x.Provider, y.Provider), strings.Compare(x.Municipality, y.Municipality), strings.Compare(x.Scheme, y.Scheme), strings.Compare(x.Group, y.Group))
	})
	a := newAxis(rows, unit)
	f := forest{ID: id, Caption: b.T("effects.caption", "outcome", b.outcome(outcome), "with", with) + b.direction(outcome), Axis: b.drawAxis(a)}
	for _, r := range rows {
		row := forestRow{Provider: b.provider(r.Provider), Group: b.who(r.Group, r.Municipality, r.Scheme), N: b.count(r.N, r.Suppressed), Verdict: b.verdict(r.figures), Mark: mark(r.figures)}
		switch {
		case r.withheld():
			row.Note = b.T("answer.withheld")
		case !r.rated():
			row.Note = b.refusal(r.figures)
			if !math.IsNaN(r.Observed) {
				row.Observed = b.level(r.Observed, unit, 1)
			}
		default:
			level := func(x float64) string { return b.level(x, unit, 1) }
			row.Observed, row.Expected = b.unless(r.Observed, r.Suppressed, level), b.unless(r.Expected, r.Suppressed, level)
			row.Difference = b.l.Signed(scaled(r.Difference, unit), 1)
			row.Interval = b.T("effects.interval", "low", b.l.Signed(scaled(r.Low, unit), 1), "high", b.l.Signed(scaled(r.High, unit), 1))
			row.Picture = a.draw(r.figures, unit, row.Provider+", "+row.Group+": "+row.Difference+" ("+row.Interval+"), "+row.Verdict)
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// direction says that less of an outcome is better, where it is.
func (b *builder) direction(outcome string) string {
	for _, a := range b.p.Config.Outcomes {
		if a.Name == outcome && (a.Better == profile.Low || a.Better == "" && (a.Kind == jobeffekt.KindTimeTo || a.Kind == jobeffekt.KindRelapse)) {
			return " " + b.T("effects.low")
		}
	}
	return ""
}

// who says which citizens a row is about, beside their provider: the match group, its scheme
// where there are several, the municipality where the report is about several.
func (b *builder) who(group, municipality, scheme string) string {
	out := b.T("page.group", "group", short(group))
	if group == effect.All {
		out = b.T("page.groups")
	}
	if b.schemes() > 1 && scheme != "" {
		out += " (" + short(scheme) + ")"
	}
	if len(b.about) > 1 {
		out += ", " + b.municipality(municipality)
	}
	return out
}

// schemes is how many schemes of match groups there are.
func (b *builder) schemes() int {
	seen := map[string]bool{}
	for _, r := range b.benchmark {
		seen[r.Scheme] = true
	}
	return len(seen)
}

// axis is what the pictures of a forest share: differences from -reach to reach.
type axis struct{ reach, step float64 }

// The size of a picture in its own units.
const (
	pictureWidth  = 240.0
	pictureHeight = 26.0
	pictureMargin = 9.0
)

// newAxis reaches as far as the intervals do, by steps of 1, 2 or 5 times a power of ten.
func newAxis(rows []benchmarkRow, u effect.Unit) axis {
	most := 0.0
	for _, r := range rows {
		for _, x := range []float64{r.Low, r.High, r.Difference} {
			if x = math.Abs(scaled(x, u)); !math.IsNaN(x) && !math.IsInf(x, 0) && r.rated() {
				most = max(most, x)
			}
		}
	}
	if most == 0 {
		most = 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	step := power
	for _, m := range []float64{0.2, 0.5, 1, 2, 5} {
		if step = m * power; most/step <= 3 {
			break
		}
	}
	return axis{reach: step * math.Ceil(most/step), step: step}
}

func (a axis) x(v float64) float64 {
	v = min(max(v, -a.reach), a.reach)
	return pictureWidth/2 + v/a.reach*(pictureWidth/2-pictureMargin)
}

// draw is the interval with its point: a triangle up or down where a difference is made
// probable, a circle where none is shown.
func (a axis) draw(f figures, u effect.Unit, title string) template.HTML {
	var s strings.Builder
	low, high, at, y := a.x(scaled(f.Low, u)), a.x(scaled(f.High, u)), a.x(scaled(f.Difference, u)), pictureHeight/2
	fmt.Fprintf(&s, `<svg class="forest" role="img" viewBox="0 0 %g %g"><title>%s</title>`, pictureWidth, pictureHeight, template.HTMLEscapeString(title))
	fmt.Fprintf(&s, `<path d="M%.1f 0V%g" stroke="#505a64" stroke-dasharray="3 3"/>`, a.x(0), pictureHeight)
	fmt.Fprintf(&s, `<path d="M%.1f %gH%.1fM%.1f %gv8M%.1f %gv8" stroke="#1b1f24" stroke-width="2" fill="none"/>`, low, y, high, low, y-4, high, y-4)
	switch f.Verdict {
	case effect.Higher:
		fmt.Fprintf(&s, `<path d="M%.1f %gl7 12h-14z" fill="#0b4f6c"/>`, at, y-7)
	case effect.Lower:
		fmt.Fprintf(&s, `<path d="M%.1f %gl7 -12h-14z" fill="#0b4f6c"/>`, at, y+7)
	default:
		fmt.Fprintf(&s, `<circle cx="%.1f" cy="%g" r="5.5" fill="#fff" stroke="#0b4f6c" stroke-width="2.5"/>`, at, y)
	}
	s.WriteString(`</svg>`)
	return template.HTML(s.String())
}

// drawAxis is the scale over the pictures.
func (b *builder) drawAxis(a axis) template.HTML {
	var s strings.Builder
	d := 0
	for x := a.step; x < 1 && d < 4; x *= 10 {
		d++
	}
	fmt.Fprintf(&s, `<svg class="forest" aria-hidden="true" viewBox="0 0 %g 24">`, pictureWidth)
	label := func(v float64, anchor string) {
		fmt.Fprintf(&s, `<text x="%.1f" y="14" font-size="14" text-anchor="%s" fill="#505a64">%s</text><path d="M%.1f 18v6" stroke="#505a64"/>`, a.x(v), anchor, template.HTMLEscapeString(b.l.Signed(v, d)), a.x(v))
	}
	label(-a.reach, "start")
	label(0, "middle")
	label(a.reach, "end")
	s.WriteString(`</svg>`)
	return template.HTML(s.String())
}
