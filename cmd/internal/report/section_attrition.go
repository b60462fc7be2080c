package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/chart"
)

// attritionRow is a row of the table attrition.
type attritionRow struct {
	whom
	Package    string `col:"package_id"`
	Step       int64  `col:"step"`
	Reason     string `col:"reason"`
	N          count  `col:"n"`
	Suppressed string `col:"suppressed"`
}

// The reasons that are none: what was read, and what the figures are about.
const (
	reasonRead     = "read"
	reasonAnalysed = "analysed"
)

// attritionData is what the section shows: from those read to those analysed.
type attritionData struct {
	Outcome string
	Reasons []string // why some are not among the analysed, in the order of the steps
	Lines   []attritionLine
}

type attritionLine struct {
	Name, Read string
	Left       []string // by Reasons
	Analysed   string
	Share      string
	Bar        template.HTML
}

// attrition shows how many of those referred the figures are about, and why the others are
// not.
func (b *builder) attrition() (section, bool) {
	if len(b.outcomes) == 0 {
		return section{}, false
	}
	list := slices.DeleteFunc(rows[attritionRow](b, jobeffekt.TableAttrition), func(r attritionRow) bool {
		return r.Outcome != b.outcomes[0] || r.Package != "" || !b.ours(r.whom)
	})
	if len(list) == 0 {
		return section{}, false
	}
	slices.SortStableFunc(list, func(x, y attritionRow) int { return cmp.Compare(x.Step, y.Step) })
	var reasons []string
	for _, r := range list {
		if r.Reason != reasonRead && r.Reason != reasonAnalysed && !slices.Contains(reasons, r.Reason) {
			reasons = append(reasons, r.Reason)
		}
	}
	slices.SortStableFunc(list, func(x, y attritionRow) int { return b.cells(x.whom, y.whom) })
	d := attritionData{Outcome: b.outcome(b.outcomes[0])}
	for _, reason := range reasons {
		d.Reasons = append(d.Reasons, b.l.Code("left", reason))
	}
	least, most := math.NaN(), math.NaN()
	for len(list) > 0 {
		end := slices.IndexFunc(list, func(r attritionRow) bool { return r.whom != list[0].whom })
		if end < 0 {
			end = len(list)
		}
		of := list[:end]
		list = list[end:]
		// A reason without a row is true of nobody; one that may not be shown says so.
		number := func(reason string) (count, string) {
			if at := slices.IndexFunc(of, func(r attritionRow) bool { return r.Reason == reason }); at >= 0 {
				return of[at].N, of[at].Suppressed
			}
			return 0, ""
		}
		line := attritionLine{Name: b.whose(of[0].whom)}
		read, why := number(reasonRead)
		line.Read = b.count(read, why)
		for _, reason := range reasons {
			line.Left = append(line.Left, b.count(number(reason)))
		}
		analysed, why := number(reasonAnalysed)
		line.Analysed = b.count(analysed, why)
		if share := analysed / read; !math.IsNaN(share) && !math.IsInf(share, 0) {
			if math.IsNaN(least) {
				least, most = share, share
			}
			least, most = math.Min(least, share), math.Max(most, share)
			line.Share, line.Bar = b.l.Percent(share, 0), chart.Bar(share)
		}
		d.Lines = append(d.Lines, line)
	}
	lead := b.T("attrition.unknown")
	switch low, high := b.l.Percent(least, 0), b.l.Percent(most, 0); {
	case math.IsNaN(least):
	case low == high:
		lead = b.T("attrition.all", "share", low)
	default:
		lead = b.T("attrition.lead", "least", low, "most", high)
	}
	return b.section("attrition", lead, d), true
}
