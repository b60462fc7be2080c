package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// FollowUpRow sets what participants and inspectors say of a provider in a settlement
// period beside what was earned and what the effects are: a row of the table
// follow_up. What is said of a period is the latest that was known at its end: the
// survey that ends last, the last inspection.
type FollowUpRow struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	Provider  string `col:"provider_id" doc:"provider"`
	Period    string `col:"period" doc:"settlement period"`

	Satisfaction float64 `col:"satisfaction" doc:"mean of the answers in the latest survey that ends by the end of the period; null without one"`
	Survey       string  `col:"survey_period" doc:"period of that survey"`
	Answers      float64 `col:"n_answers" doc:"its answers"`
	ResponseRate float64 `col:"response_rate" doc:"its answers / persons asked; null where these are not told"`

	InspectedOn effect.Date `col:"inspected_on" doc:"day of the latest inspection by the end of the period; null without one"`
	Grade       string      `col:"grade" doc:"its grade; of several on a day all, with semicolons between them"`
	Note        string      `col:"note" doc:"its note; of several on a day all, with semicolons between them"`
	Experiences int64       `col:"n_experiences" doc:"rows of the table experience whose period ends in the settlement period"`

	Settled bonus.Ore `col:"settled_ore" doc:"what was earned, in ore"`
	Lines   int64     `col:"n_lines" doc:"lines of the settlement"`
	Gated   int64     `col:"n_lines_stopped" doc:"lines that the gate, a missing acceptance or an indicator of gaming keeps from being paid"`

	Higher       float64 `col:"n_higher_made_probable" doc:"figures of the main method (outcome, municipality, match group) with this verdict, against the peers, or against others at home where there are none; only in the period that as_of lies in. Outcomes of which less is better, as time_to, are not counted"`
	NoDifference float64 `col:"n_no_difference_shown" doc:"figures with this verdict"`
	Lower        float64 `col:"n_lower_made_probable" doc:"figures with this verdict"`
	NotRated     float64 `col:"n_not_rated" doc:"figures that are not rated"`
}

// follows says whether the dataset has what is told beside the settlement.
func follows(ds *ingest.Dataset) bool {
	return ds.Has(ingest.Satisfaction) || ds.Has(ingest.Inspections) || ds.Has(ingest.Experience)
}

// followUp makes the rows of each provider under an agreement with terms, by
// agreement, provider and period: of every period with lines, and of every other up
// to as_of in which something is said of the provider.
func (c *Config) followUp(ctx context.Context, ds *ingest.Dataset, terms []*bonus.Terms, m *Measured, b *Benchmarked, s *bonus.Settlement) ([]FollowUpRow, error) {
	if !follows(ds) {
		return nil, nil
	}
	asOf := m.Observations.AsOf
	inspections, err := rowsOf[ingest.Inspection](ctx, ds, ingest.Inspections)
	if err != nil {
		return nil, err
	}
	statements, err := rowsOf[ingest.Statement](ctx, ds, ingest.Experience)
	if err != nil {
		return nil, err
	}
	book, err := bonus.NewFigureBook(m.Figures)
	if err != nil {
		return nil, err
	}
	type key struct {
		contract
		start effect.Date
	}
	rows := map[key]*FollowUpRow{}
	row := func(k contract, t *bonus.Terms, day effect.Date) *FollowUpRow {
		p := t.Periods.Period(day)
		at := key{k, p.Start}
		if rows[at] == nil {
			nan := math.NaN()
			rows[at] = &FollowUpRow{
				Agreement: k.agreement, Provider: k.provider, Period: p.Name, Satisfaction: nan, Answers: nan, ResponseRate: nan, InspectedOn: effect.NoDate,
				Higher: nan, NoDifference: nan, Lower: nan, NotRated: nan,
			}
		}
		return rows[at]
	}
	byAgreement := map[string]*bonus.Terms{}
	for _, t := range terms {
		byAgreement[t.Agreement] = t
	}
	for i := range s.Lines {
		l := &s.Lines[i]
		p, err := effect.ParsePeriod(l.Period)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", TableSettlement, err)
		}
		r := row(contract{l.Agreement, l.Provider}, byAgreement[l.Agreement], p.Start)
		r.Settled += l.Amount
		r.Lines++
		if l.Gated() {
			r.Gated++
		}
	}
	// What is said of a provider, by the last day it is about.
	said := map[string][]effect.Date{}
	for _, f := range m.Figures {
		if f.Name == FigureSatisfaction || f.Name == FigureResponseRate {
			p, err := f.Of()
			if err != nil {
				return nil, err
			}
			said[f.Provider] = append(said[f.Provider], p.End-1)
		}
	}
	inspected := map[string][]ingest.Inspection{}
	for _, x := range inspections {
		said[x.Provider] = append(said[x.Provider], x.On)
		inspected[x.Provider] = append(inspected[x.Provider], x)
	}
	learnt := map[string][]effect.Date{}
	for _, x := range statements {
		p, err := effect.ParsePeriod(x.Period)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", ingest.Experience, err)
		}
		said[x.Provider] = append(said[x.Provider], p.End-1)
		learnt[x.Provider] = append(learnt[x.Provider], p.End-1)
	}
	for k := range contracts(m.Observations.Cases) {
		if t := byAgreement[k.agreement]; t != nil {
			for _, day := range said[k.provider] {
				if t.Starts <= day && day <= asOf {
					row(k, t, day)
				}
			}
		}
	}
	verdicts := c.verdicts(b)
	var out []FollowUpRow
	for _, k := range slices.SortedFunc(maps.Keys(rows), func(a, b key) int {
		return cmp.Or(effect.TextID(a.agreement).Compare(effect.TextID(b.agreement)), effect.TextID(a.provider).Compare(effect.TextID(b.provider)), cmp.Compare(a.start, b.start))
	}) {
		r, period := rows[k], byAgreement[k.agreement].Periods.Period(k.start)
		end := min(period.End-1, asOf)
		if surveys := book.UpTo(FigureSatisfaction, k.provider, end); len(surveys) > 0 {
			r.survey(book, &surveys[0])
		}
		r.inspection(inspected[k.provider], end)
		for _, day := range learnt[k.provider] {
			if period.Contains(day) && day <= asOf {
				r.Experiences++
			}
		}
		if period.Contains(asOf) {
			n := verdicts[k.provider]
			r.Higher, r.NoDifference, r.Lower, r.NotRated = n[effect.Higher], n[effect.NoDifference], n[effect.Lower], n[effect.NotRated]
		}
		out = append(out, *r)
	}
	return out, nil
}

// contracts are the providers under each agreement.
func contracts(c *effect.Cases) map[contract]bool {
	out := map[contract]bool{}
	for i := range c.Len() {
		if k := (contract{c.Agreement.At(i), c.Provider.At(i)}); k.agreement != "" && k.provider != "" {
			out[k] = true
		}
	}
	return out
}

// survey fills in the latest survey.
func (r *FollowUpRow) survey(book *bonus.FigureBook, latest *bonus.Figure) {
	r.Satisfaction, r.Survey, r.Answers = number(latest.Rat()), latest.Period, float64(latest.N)
	if p, err := latest.Of(); err == nil {
		if rate, ok := book.For(FigureResponseRate, r.Provider, p); ok {
			r.ResponseRate = number(rate.Rat())
		}
	}
}

// number is a decimal as a figure; NaN for none.
func number(x *big.Rat) float64 {
	if x == nil {
		return math.NaN()
	}
	v, _ := x.Float64()
	return v
}

// inspection fills in the latest inspection up to a day.
func (r *FollowUpRow) inspection(all []ingest.Inspection, day effect.Date) {
	var grades, notes []string
	for _, x := range all { // by day
		if x.On > day {
			break
		}
		if x.On != r.InspectedOn {
			r.InspectedOn, grades, notes = x.On, nil, nil
		}
		if !slices.Contains(grades, x.Grade) {
			grades = append(grades, x.Grade)
		}
		if x.Note != "" {
			notes = append(notes, x.Note)
		}
	}
	r.Grade, r.Note = strings.Join(grades, "; "), strings.Join(notes, "; ")
}

// verdicts counts the figures of each provider by verdict. An outcome of which less is
// better is left out: its higher figures would stand among those that are good.
func (c *Config) verdicts(b *Benchmarked) map[string]map[effect.Verdict]float64 {
	part := effect.Provider
	if c.Peers != nil {
		part = effect.Total
	}
	low := map[string]bool{}
	for _, a := range c.Outcomes {
		low[a.Name] = a.better() == profile.Low
	}
	out := map[string]map[effect.Verdict]float64{}
	for i := range b.Benchmark {
		r := &b.Benchmark[i]
		if _, placebo := effect.PlaceboOf(r.Outcome); placebo || low[r.Outcome] || r.Part != part || r.Package != "" || r.Method != c.Methods()[0].Name() {
			continue
		}
		if out[r.Provider] == nil {
			out[r.Provider] = map[effect.Verdict]float64{}
		}
		out[r.Provider][r.Verdict]++
	}
	return out
}

// purchases are what was bought under agreements whose terms ask for it: by invoices
// where the dataset has them, else by the prices of participations. Nothing in them
// was not known by as_of.
func purchases(ctx context.Context, ds *ingest.Dataset, terms []*bonus.Terms, asOf effect.Date) (out []bonus.Purchase, from bonus.PurchaseSource, err error) {
	if !slices.ContainsFunc(terms, func(t *bonus.Terms) bool { return t.Upkeep != nil }) {
		return nil, "", nil
	}
	switch {
	case ds.Has(ingest.Invoices):
		for _, t := range terms {
			if t.Upkeep == nil {
				continue
			}
			if err := inKroner(t.Agreement, t.Currency); err != nil {
				return nil, "", fmt.Errorf("upkeep: %w", err)
			}
		}
		rows, err := ingest.Rows[ingest.Invoice](ctx, ds)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rows {
			p, err := effect.ParsePeriod(r.Period)
			if err != nil {
				return nil, "", fmt.Errorf("table %s: %w", ingest.Invoices, err)
			}
			if r.Date <= asOf {
				out = append(out, bonus.Purchase{Agreement: r.Agreement, Year: p.Start.Time().Year(), Amount: r.Amount})
			}
		}
		return out, bonus.FromInvoices, nil
	case ds.HasPrices():
		sums, err := ds.Prices(ctx, asOf)
		for _, s := range sums {
			out = append(out, bonus.Purchase{Agreement: s.Agreement, Year: s.Year, Amount: s.Amount, Unknown: s.Unknown})
		}
		return out, bonus.FromPrices, err
	}
	return nil, "", nil
}

// writeFollowUp shows the latest that participants and inspectors say of each
// provider beside what was earned.
func (r *Result) writeFollowUp(b *strings.Builder) {
	var latest []FollowUpRow
	for i, row := range r.FollowUp {
		if i+1 == len(r.FollowUp) || r.FollowUp[i+1].Agreement != row.Agreement || r.FollowUp[i+1].Provider != row.Provider {
			latest = append(latest, row)
		}
	}
	if len(latest) == 0 {
		return
	}
	fmt.Fprintf(b, "\nWhat participants and inspectors say, at the end of the latest period\n")
	w := columns(b)
	fmt.Fprintf(w, "  agreement\tprovider\tperiod\tsatisfaction\tanswers\tresponse rate\tasked about\tinspected\tgrade\tearned\n")
	for i, row := range latest {
		if i == maxSummaryCells {
			fmt.Fprintf(w, "  and %d more in %s.parquet\n", len(latest)-i, TableFollowUp)
			break
		}
		satisfaction, answers, rate := "-", "-", "-"
		if row.Survey != "" {
			satisfaction, answers = strconv.FormatFloat(row.Satisfaction, 'f', 2, 64), thousands(int64(row.Answers))
		}
		if !math.IsNaN(row.ResponseRate) {
			rate = strconv.FormatFloat(100*row.ResponseRate, 'f', 0, 64) + " %"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Agreement, row.Provider, row.Period, satisfaction, answers, rate,
			cmp.Or(row.Survey, "-"), cmp.Or(row.InspectedOn.String(), "-"), cmp.Or(plain.Line(row.Grade), "-"), grouped(row.Settled.String()))
	}
	w.Flush()
}
