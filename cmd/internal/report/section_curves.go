package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/chart"
)

// curveRow is a row of the table curves. A publication has it on few days, and not where
// a day would tell of few citizens: days differ between providers, and who had few has none.
type curveRow struct {
	whom
	Package  string  `col:"package_id"`
	Cause    string  `col:"cause"`
	Day      int64   `col:"day"`
	AtRisk   count   `col:"at_risk"`
	Estimate float64 `col:"estimate"`
	Low      float64 `col:"low"`
	High     float64 `col:"high"`
}

// causeReached is how the time ends that the outcome is about.
const causeReached = "reached"

// curvesData is what the section shows.
type curvesData struct {
	Outcome string
	Panels  []panel  // how fast the outcome is reached, by match group
	Exits   []panel  // against the other ways out, by provider
	Causes  []string // in the order of the table's columns
	Horizon string
	Lines   []curveLine
}

// panel is a picture with its heading.
type panel struct {
	Name    string
	Picture template.HTML
}

type curveLine struct {
	Name     string
	Shares   []string // by Causes
	Interval string   // of the first
	Note     string
}

// single is the curves of a provider's citizens of a match group.
type single struct {
	whom
	causes map[string][]curveRow
}

// last is the last row of a cause that tells its height; its Estimate is NaN where none does.
func (s single) last(cause string) curveRow {
	for _, r := range slices.Backward(s.causes[cause]) {
		if !math.IsNaN(r.Estimate) {
			return r
		}
	}
	return curveRow{Estimate: math.NaN(), Low: math.NaN(), High: math.NaN()}
}

// curves shows how fast citizens come into work, with the other ways out taken into account.
func (b *builder) curves() (section, bool) {
	all := slices.DeleteFunc(rows[curveRow](b, jobeffekt.TableCurves), func(r curveRow) bool { return r.Package != "" || !b.ours(r.whom) })
	// One outcome: the first of the report's that has curves.
	for _, name := range b.outcomes {
		if slices.ContainsFunc(all, func(r curveRow) bool { return r.Outcome == name }) {
			all = slices.DeleteFunc(all, func(r curveRow) bool { return r.Outcome != name })
			break
		}
	}
	if len(all) == 0 {
		return section{}, false
	}
	slices.SortStableFunc(all, func(x, y curveRow) int {
		return cmp.Or(b.cells(x.whom, y.whom), cmp.Compare(x.Day, y.Day))
	})
	var list []single
	var days []int64
	causes := []string{causeReached}
	for _, r := range all {
		if n := len(list); n == 0 || list[n-1].whom != r.whom {
			list = append(list, single{r.whom, map[string][]curveRow{}})
		}
		s := list[len(list)-1]
		s.causes[r.Cause] = append(s.causes[r.Cause], r)
		if !slices.Contains(causes, r.Cause) {
			causes = append(causes, r.Cause)
		}
		days = append(days, r.Day)
	}
	// Who has figures elsewhere and no curve had too few citizens for one.
	for _, r := range b.benchmark {
		c := whom{all[0].Outcome, r.Municipality, r.Scheme, r.Group, r.Provider}
		if r.Package == "" && b.ours(c) && !slices.ContainsFunc(list, func(s single) bool { return s.whom == c }) {
			list = append(list, single{c, nil})
		}
	}
	slices.SortStableFunc(list, func(x, y single) int { return b.cells(x.whom, y.whom) })
	slices.Sort(causes[1:])
	slices.Sort(days)
	days = slices.Compact(days)
	ticks, weeks := dayTicks(days)

	d := curvesData{Outcome: b.outcome(all[0].Outcome), Horizon: b.days(days[len(days)-1])}
	for _, cause := range causes {
		d.Causes = append(d.Causes, capital(b.cause(cause)))
	}
	for len(list) > 0 {
		end := slices.IndexFunc(list, func(s single) bool {
			return s.Scheme != list[0].Scheme || s.Group != list[0].Group || s.Municipality != list[0].Municipality
		})
		if end < 0 {
			end = len(list)
		}
		group := list[:end]
		list = list[end:]
		for of := range slices.Chunk(group, chart.MostLines) {
			title := b.T("curves.panel", "outcome", d.Outcome, "group", lower(b.group(of[0].whom)))
			p := b.curvePicture(fmt.Sprintf("curves-%d", len(d.Panels)+1), title, ticks, weeks)
			var says []string
			for _, s := range of {
				if s.causes == nil {
					continue
				}
				p.Curves = append(p.Curves, b.curve(b.inPicture(s.whom), s.causes[causeReached]))
				if r := s.last(causeReached); !math.IsNaN(r.Estimate) {
					says = append(says, b.T("curves.after", "share", b.l.Percent(r.Estimate, 0), "provider", b.provider(s.Provider), "time", b.days(r.Day)))
				}
			}
			if !slices.ContainsFunc(p.Curves, func(c chart.Curve) bool {
				return slices.ContainsFunc(c.Points, func(k chart.Known) bool { return k.AtRisk != "" })
			}) {
				p.AtRisk = "" // all of them are withheld
			}
			if p.Desc = b.l.List(says); len(says) == 0 {
				continue
			}
			d.Panels = append(d.Panels, panel{b.group(of[0].whom), p.Draw()})
		}
		for _, s := range group {
			// The widest ways out beside the one that is asked for.
			others := slices.Clone(causes[1:])
			slices.SortStableFunc(others, func(x, y string) int { return cmp.Compare(s.last(y).Estimate, s.last(x).Estimate) })
			p := b.curvePicture(fmt.Sprintf("exits-%d", len(d.Exits)+1), b.T("curves.exits", "who", b.whose(s.whom)), ticks, weeks)
			var says []string
			until := d.Horizon // or where these curves end
			for _, cause := range append([]string{causeReached}, others[:min(len(others), chart.MostLines-1)]...) {
				p.Curves = append(p.Curves, b.curve(capital(b.cause(cause)), s.causes[cause]))
				if r := s.last(cause); !math.IsNaN(r.Estimate) {
					says, until = append(says, b.cause(cause)+" "+b.l.Percent(r.Estimate, 0)), b.days(r.Day)
				}
			}
			p.AtRisk = "" // as above
			p.Desc = b.T("curves.unknown")
			line := curveLine{Name: b.whose(s.whom)}
			if len(says) > 0 {
				p.Desc = b.T("curves.shares", "time", until, "list", b.l.List(says))
				d.Exits = append(d.Exits, panel{b.whose(s.whom), p.Draw()})
				for _, cause := range causes {
					line.Shares = append(line.Shares, b.share(s.last(cause).Estimate))
				}
				r := s.last(causeReached)
				if !math.IsNaN(r.Low) && !math.IsNaN(r.High) {
					line.Interval = b.T("effects.interval", "low", b.l.Percent(r.Low, 1), "high", b.l.Percent(r.High, 1))
				}
				if r.Day != days[len(days)-1] {
					line.Name += " (" + b.T("curves.until", "time", b.days(r.Day)) + ")"
				}
			} else {
				line.Note = b.T("page.withheld")
			}
			d.Lines = append(d.Lines, line)
		}
	}
	return b.section("curves", b.curvesLead(all, days), d), true
}

// curvesLead says between which shares the outcome is reached, on the latest of the days on
// which it is told of most.
func (b *builder) curvesLead(all []curveRow, days []int64) string {
	var best []curveRow
	for _, day := range days {
		of := slices.DeleteFunc(slices.Clone(all), func(r curveRow) bool {
			return r.Cause != causeReached || r.Day != day || day == 0 || math.IsNaN(r.Estimate)
		})
		if len(of) > 0 && len(of) >= len(best) {
			best = of
		}
	}
	if len(best) == 0 {
		return b.T("curves.unknown")
	}
	slices.SortStableFunc(best, func(x, y curveRow) int { return cmp.Compare(x.Estimate, y.Estimate) })
	low, high := best[0], best[len(best)-1]
	if len(best) == 1 {
		return b.T("curves.one", "time", b.days(low.Day), "share", b.l.Percent(low.Estimate, 0), "who", b.whose(low.whom), "outcome", lower(b.outcome(low.Outcome)))
	}
	return b.T("curves.lead", "time", b.days(low.Day), "least", b.l.Percent(low.Estimate, 0), "most", b.l.Percent(high.Estimate, 0), "outcome", lower(b.outcome(low.Outcome)), "n", len(best))
}

func (b *builder) share(x float64) string {
	if math.IsNaN(x) {
		return b.T("page.missing")
	}
	return b.l.Percent(x, 1)
}

// cause is how a time ended, in words.
func (b *builder) cause(c string) string {
	if c == causeReached {
		return b.T("curves.reached")
	}
	return b.l.Code("state", c)
}

// days is a time from the clock in words.
func (b *builder) days(n int64) string {
	if n%7 == 0 {
		return b.T("span.weeks", "n", n/7)
	}
	return b.T("span.days", "n", n)
}

// curvePicture is a picture of curves without any yet.
func (b *builder) curvePicture(id, title string, ticks []float64, weeks bool) chart.Curves {
	x := chart.Axis{Label: b.T("curves.days"), Format: func(v float64) string { return b.l.Count(v) }}
	if weeks {
		x = chart.Axis{Label: b.T("curves.weeks"), Format: func(v float64) string { return b.l.Count(v / 7) }}
	}
	return chart.Curves{
		Picture: chart.Picture{ID: id, Title: title},
		X:       x, Y: chart.Axis{Label: b.T("curves.y"), Format: func(v float64) string { return b.l.Number(100*v, places(100*v)) }},
		Ticks: ticks, AtRisk: b.T("curves.at_risk"),
	}
}

func (b *builder) curve(label string, of []curveRow) chart.Curve {
	c := chart.Curve{Label: label}
	for _, r := range of {
		s := chart.Known{X: float64(r.Day), Y: r.Estimate}
		if !math.IsNaN(r.AtRisk) {
			s.AtRisk = b.l.Count(r.AtRisk)
		}
		c.Points = append(c.Points, s)
	}
	return c
}

// dayTicks are 0 and four of the days that the curves are told on, about a quarter of the
// time apart, the last among them; weeks says whether all are whole weeks.
func dayTicks(days []int64) (at []float64, weeks bool) {
	at, weeks = []float64{0}, true
	last := days[len(days)-1]
	for k := int64(1); k <= 4; k++ {
		nearest := slices.MinFunc(days, func(x, y int64) int { return cmp.Compare(abs(4*x-k*last), abs(4*y-k*last)) })
		if float64(nearest) > at[len(at)-1] {
			at = append(at, float64(nearest))
			weeks = weeks && nearest%7 == 0
		}
	}
	return at, weeks
}

func abs(x int64) int64 { return max(x, -x) }
