package report

import (
	"html/template"
	"math"
	"slices"
	"strconv"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/chart"
	"github.com/jobeffekt/jobeffekt/effect"
)

// balanceRow is a row of the table estimates.
type balanceRow struct {
	whom
	Package     string  `col:"package_id"`
	Method      string  `col:"method"`
	Comparators string  `col:"comparators"`
	Support     string  `col:"support"`
	NCompared   count   `col:"n_compared"`
	Mean        float64 `col:"mean_smd"`
	Worst       float64 `col:"worst_smd"`
	Term        string  `col:"worst_term"`
	Refusal     string  `col:"refusal"`
	Suppressed  string  `col:"suppressed"`
}

// balanceData is what the section shows.
type balanceData struct {
	Picture template.HTML
	Lines   []balanceLine
	Limit   string
}

type balanceLine struct {
	Name, Mean, Worst, Term string
	Note                    string
}

// balanceLimit is the threshold that gates have for balance, or the standard one where none
// has or they differ; agreed says which.
func (b *builder) balanceLimit() (limit float64, agreed bool) {
	var of []float64
	for _, g := range b.gate {
		if g.Diagnostic == effect.DiagBalance && !math.IsNaN(g.Threshold) && !slices.Contains(of, g.Threshold) {
			of = append(of, g.Threshold)
		}
	}
	if len(of) == 1 {
		return of[0], true
	}
	standard, _ := bonus.Standard(bonus.Diagnostic(effect.DiagBalance))
	limit, err := strconv.ParseFloat(standard.String(), 64)
	if err != nil {
		return math.NaN(), false
	}
	return limit, false
}

// balance shows how alike the citizens are who are compared, once they are weighted.
func (b *builder) balance() (section, bool) {
	comparators := "peers"
	if b.part() == effect.Provider {
		comparators = "home"
	}
	if len(b.outcomes) == 0 {
		return section{}, false
	}
	list := slices.DeleteFunc(rows[balanceRow](b, jobeffekt.TableEstimates), func(r balanceRow) bool {
		return r.Outcome != b.outcomes[0] || r.Method != b.method || r.Package != "" || r.Comparators != comparators || r.Support != "own" || !b.ours(r.whom)
	})
	if len(list) == 0 {
		return section{}, false
	}
	slices.SortStableFunc(list, func(x, y balanceRow) int { return b.cells(x.whom, y.whom) })
	limit, agreed := b.balanceLimit()
	named := "balance.standard"
	if agreed {
		named = "balance.limit"
	}
	write := func(x float64) string { return b.l.Number(x, 2) }
	d := balanceData{Limit: b.T(named, "limit", b.l.Number(limit, places(limit)))}
	p := chart.Balance{
		Picture: chart.Picture{ID: "balance-picture", Title: b.T("balance.picture")},
		X:       chart.Axis{Label: b.T("balance.x"), Format: func(x float64) string { return b.l.Number(x, places(x)) }},
		Marks:   []chart.Mark{chart.Circle, chart.Diamond}, Names: []string{b.T("balance.mean"), b.T("balance.worst")},
		Limit: limit, LimitName: d.Limit,
	}
	gates := b.balanceOfGates()
	known, within := 0, 0
	worst := math.Inf(-1)
	var at balanceRow
	for _, r := range list {
		line := balanceLine{Name: b.whose(r.whom)}
		if of, ok := gates[r.whom]; ok && math.IsNaN(r.Worst) {
			r.Worst = of // told as a diagnostic, where not beside other figures
		}
		value := r.Worst
		if math.IsNaN(value) {
			value = r.Mean // comparators known in aggregate only
		}
		switch {
		case math.IsNaN(value) && r.Suppressed != "":
			line.Note = b.T("page.withheld")
		case math.IsNaN(value):
			line.Note = b.refusal(figures{Refusal: r.Refusal})
		default:
			known++
			if value <= limit {
				within++
			}
			if value > worst {
				worst, at = value, r
			}
			line.Mean, line.Worst = b.unless(r.Mean, r.Suppressed, write), b.unless(r.Worst, r.Suppressed, write)
			if line.Term = short(r.Term); line.Term == "" {
				line.Term = b.count(math.NaN(), r.Suppressed)
			}
			p.Rows = append(p.Rows, chart.BalanceRow{Label: line.Name, Values: []float64{r.Mean, r.Worst}})
		}
		d.Lines = append(d.Lines, line)
	}
	lead := b.T("balance.unknown")
	if known > 0 {
		lead = b.T("balance.lead", "n", within, "of", known, "limit", lower(d.Limit)) + " " + b.T("balance.least", "who", b.whose(at.whom), "smd", write(worst))
		if silent := len(list) - known; silent > 0 {
			lead += " " + b.T("funnel.unseen", "n", silent)
		}
		p.Desc = lead
		d.Picture = p.Draw()
	}
	return b.section("balance", lead, d), true
}

// balanceOfGates is what gates are held against: the balance of each provider's citizens
// among the diagnostics.
func (b *builder) balanceOfGates() map[whom]float64 {
	type row struct {
		whom
		Package    string                `col:"package_id"`
		Method     string                `col:"method"`
		Part       effect.Part           `col:"part"`
		Diagnostic effect.DiagnosticName `col:"diagnostic"`
		Value      float64               `col:"value"`
	}
	of := map[whom]float64{}
	for _, r := range rows[row](b, jobeffekt.TableDiagnostics) {
		if r.Diagnostic == effect.DiagBalance && r.Method == b.method && r.Part == b.part() && r.Package == "" && !math.IsNaN(r.Value) {
			of[r.whom] = r.Value
		}
	}
	return of
}
