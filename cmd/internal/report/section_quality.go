package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

// qualityData is what citizens and inspectors say.
type qualityData struct {
	Periods     []string // of surveys, in words
	Surveys     []surveyRow
	Others      []string // mean of all other providers, by period; empty where that would tell of one
	HasOthers   bool
	Inspections []inspectionRow
	Grades      string // mean of the latest grades of others; empty where that would tell of one
}

// surveyRow is a provider's surveys, by period.
type surveyRow struct {
	Provider string
	Cells    []surveyCell
}

// surveyCell is one survey, or why it is not shown.
type surveyCell struct {
	Period, Mean, Answers, Rate string
	None                        string
}

// inspectionRow is an inspection, or that there was none.
type inspectionRow struct{ Provider, On, Grade, Note, None string }

// figureRow is a row of the table figures.
type figureRow struct {
	Figure     string `col:"figure"`
	Provider   string `col:"provider_id"`
	Period     string `col:"period"`
	N          count  `col:"n"`
	Value      string `col:"value"`
	Suppressed string `col:"suppressed"`
}

// value is a figure's number; NaN where it has none.
func (f figureRow) value() float64 {
	if x, err := strconv.ParseFloat(f.Value, 64); err == nil {
		return x
	}
	return math.NaN()
}

// fewestOthers is of how many other providers a mean is told: of fewer, one of them could work
// out another's.
const fewestOthers = 3

// quality shows satisfaction (mean, n, response rate) and inspections of each provider.
func (b *builder) quality() (section, bool) {
	d, latest := b.surveys()
	d.Inspections = b.inspections()
	if len(d.Periods) == 0 && d.Inspections == nil {
		return section{}, false
	}
	if d.Inspections != nil {
		d.Grades = b.grades()
	}
	lead := b.T("quality.no_surveys")
	if len(d.Periods) > 0 {
		lead = b.T("quality.lead", "period", d.Periods[len(d.Periods)-1], "list", strings.Join(latest, "; "))
	}
	return b.section("quality", lead, d), true
}

// surveys are those of the providers that the page is about, and what is said of the latest
// of each.
func (b *builder) surveys() (qualityData, []string) {
	var d qualityData
	mean, rate := map[[2]string]figureRow{}, map[[2]string]figureRow{}
	var periods []string
	all := rows[figureRow](b, jobeffekt.TableFigures)
	for _, f := range all {
		switch f.Figure {
		case jobeffekt.FigureSatisfaction:
			mean[[2]string{f.Provider, f.Period}] = f
			if slices.Contains(b.providers, f.Provider) && !slices.Contains(periods, f.Period) {
				periods = append(periods, f.Period)
			}
		case jobeffekt.FigureResponseRate:
			rate[[2]string{f.Provider, f.Period}] = f
		}
	}
	slices.SortFunc(periods, func(x, y string) int {
		p, _ := effect.ParsePeriod(x)
		q, _ := effect.ParsePeriod(y)
		return cmp.Or(cmp.Compare(p.End, q.End), cmp.Compare(p.Start, q.Start), strings.Compare(x, y))
	})
	var latest []string
	for _, p := range periods {
		d.Periods = append(d.Periods, b.l.Period(p))
		sum, n := 0.0, 0
		for _, f := range all {
			if f.Figure == jobeffekt.FigureSatisfaction && f.Period == p && !slices.Contains(b.providers, f.Provider) && !math.IsNaN(f.value()) {
				sum, n = sum+f.value(), n+1
			}
		}
		others := b.T("quality.too_few")
		if n >= fewestOthers {
			others, d.HasOthers = b.T("quality.others_of", "mean", b.l.Number(sum/float64(n), 2), "n", n), true
		}
		d.Others = append(d.Others, others)
	}
	for _, id := range b.alphabetical(b.providers) {
		row := surveyRow{Provider: b.provider(id)}
		for i, p := range periods {
			c := surveyCell{Period: d.Periods[i]}
			switch f, ok := mean[[2]string{id, p}]; {
			case !ok:
				c.None = b.T("quality.none")
			case f.Suppressed != "" && math.IsNaN(f.value()):
				c.None = b.T("page.withheld")
			case math.IsNaN(f.value()):
				c.None = b.T("page.missing")
			default:
				c.Mean, c.Answers, c.Rate = b.l.Number(f.value(), 2), b.count(f.N, f.Suppressed), b.T("quality.rate_unknown")
				if r, ok := rate[[2]string{id, p}]; ok && r.Suppressed != "" && math.IsNaN(r.value()) {
					c.Rate = b.T("page.withheld")
				} else if ok && !math.IsNaN(r.value()) {
					c.Rate = b.l.Percent(r.value(), 0)
				}
			}
			row.Cells = append(row.Cells, c)
		}
		if k := len(row.Cells) - 1; k >= 0 {
			said := row.Cells[k].None
			if said == "" {
				said = b.T("quality.answered", "mean", row.Cells[k].Mean, "answers", row.Cells[k].Answers)
			}
			latest = append(latest, row.Provider+" "+said)
		}
		d.Surveys = append(d.Surveys, row)
	}
	return d, latest
}

// grades is the mean of the latest grades of other providers, as far as grades are numbers.
func (b *builder) grades() string {
	latest := map[string]figureRow{}
	var ids []string
	for _, f := range rows[figureRow](b, jobeffekt.TableFigures) {
		if f.Figure != jobeffekt.FigureInspection || slices.Contains(b.providers, f.Provider) || math.IsNaN(f.value()) {
			continue
		}
		if _, ok := latest[f.Provider]; !ok {
			ids = append(ids, f.Provider)
		}
		if f.Period >= latest[f.Provider].Period { // days, which sort as texts
			latest[f.Provider] = f
		}
	}
	if len(ids) < fewestOthers {
		return ""
	}
	sum := 0.0
	for _, id := range ids {
		sum += latest[id].value()
	}
	return b.T("quality.grades", "mean", b.l.Number(sum/float64(len(ids)), 1), "n", len(ids))
}

// inspections are those of each provider by day; a row without one for who was never
// inspected. None where nobody was.
func (b *builder) inspections() []inspectionRow {
	type followUpRow struct {
		Provider string      `col:"provider_id"`
		On       effect.Date `col:"inspected_on"`
		Grade    string      `col:"grade"`
		Note     string      `col:"note"`
	}
	type key struct {
		provider string
		on       effect.Date
	}
	seen := map[key]bool{}
	of := map[string][]inspectionRow{}
	for _, r := range rows[followUpRow](b, jobeffekt.TableFollowUp) {
		if k := (key{r.Provider, r.On}); r.On != effect.NoDate && !seen[k] {
			seen[k] = true
			of[r.Provider] = append(of[r.Provider], inspectionRow{Provider: b.provider(r.Provider), On: b.l.Date(r.On), Grade: short(r.Grade), Note: cut(oneLine(r.Note), longestNote)})
		}
	}
	if len(of) == 0 {
		return nil
	}
	var out []inspectionRow
	for _, id := range b.alphabetical(b.providers) {
		if len(of[id]) == 0 {
			of[id] = []inspectionRow{{Provider: b.provider(id), None: b.T("quality.not_inspected")}}
		}
		out = append(out, of[id]...)
	}
	return out
}

// longestNote is how many characters of an inspector's note are shown.
const longestNote = 600
