package jobeffekt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// PaidCase is a participation that a provider was paid for under an agreement, by
// one line or several.
type PaidCase struct {
	Agreement, Provider, Participation string
	Clauses                            []string    // by which it was paid, sorted
	On                                 effect.Date // first day on which it counted
	Amount                             *big.Rat    // kroner, above 0
}

// PaidCases are the cases that the lines of a settlement were paid for, each with
// what it was paid: of a line with amount a and quantity q that of an entry with
// quantity e is a e/q, exactly. Limits, and lines that are about all cases of a cell
// together, as of an effect, are in no case's amount. Cases that were not paid, or
// whose payment was taken back, are left out. They are sorted by agreement, provider
// and participation.
func PaidCases(s *bonus.Settlement) ([]PaidCase, error) {
	lines := map[string]*bonus.Line{}
	for i := range s.Lines {
		lines[s.Lines[i].ID] = &s.Lines[i]
	}
	type key struct{ agreement, provider, participation string }
	cases, clauses := map[key]*PaidCase{}, map[key]map[string]bool{}
	for _, e := range s.Entries {
		l := lines[e.Line]
		if l == nil {
			return nil, fmt.Errorf("%w: an entry names a line that the settlement does not have; settle again", ErrTables)
		}
		if err := inKroner(l.Agreement, l.Currency); err != nil {
			return nil, err
		}
		of, ok := new(big.Rat).SetString(l.Quantity)
		part, also := new(big.Rat).SetString(e.Quantity)
		if !ok || !also {
			return nil, fmt.Errorf("%w: a quantity of the settlement is no number; settle again", ErrTables)
		}
		if of.Sign() == 0 || l.Amount == 0 {
			continue
		}
		k := key{l.Agreement, l.Provider, e.Participation}
		c := cases[k]
		if c == nil {
			c = &PaidCase{Agreement: k.agreement, Provider: k.provider, Participation: k.participation, On: e.On, Amount: new(big.Rat)}
			cases[k], clauses[k] = c, map[string]bool{}
		}
		c.On, clauses[k][l.Clause] = min(c.On, e.On), true
		c.Amount.Add(c.Amount, part.Mul(part, of.Quo(l.Amount.Rat(), of)))
	}
	var out []PaidCase
	for k, c := range cases {
		if c.Amount.Sign() > 0 {
			c.Clauses = slices.Sorted(maps.Keys(clauses[k]))
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, PaidCase.compare)
	return out, nil
}

func (c PaidCase) compare(d PaidCase) int {
	return cmp.Or(
		effect.TextID(c.Agreement).Compare(effect.TextID(d.Agreement)), effect.TextID(c.Provider).Compare(effect.TextID(d.Provider)),
		effect.TextID(c.Participation).Compare(effect.TextID(d.Participation)),
	)
}

// Control says how cases are drawn for the control of their evidence. The zero value draws
// none.
type Control struct {
	N           int    // cases; all where there are fewer
	Seed        uint64 // another seed gives another sample
	PerProvider bool   // N of each provider under an agreement, rather than N of all
}

// Sample draws cases without replacement, each with the same chance (within its
// provider, where PerProvider is set): those with the lowest SHA-256 of the text
//
//	SEED/AGREEMENT/PROVIDER/PARTICIPATION
//
// so that anybody can draw them again, and cases that are paid later do not move
// those drawn before but at the edge. They are sorted as paid. Not a positive N is an
// error that wraps [effect.ErrDesign].
func Sample(paid []PaidCase, c Control) ([]PaidCase, error) {
	if c.N < 1 {
		return nil, fmt.Errorf("%w: a sample has 1 case or more", effect.ErrDesign)
	}
	type ticket struct {
		PaidCase
		hash [sha256.Size]byte
	}
	tickets := make([]ticket, len(paid))
	for i, p := range paid {
		tickets[i] = ticket{p, sha256.Sum256(fmt.Appendf(nil, "%d/%s/%s/%s", c.Seed, p.Agreement, p.Provider, p.Participation))}
	}
	slices.SortFunc(tickets, func(a, b ticket) int {
		return cmp.Or(bytes.Compare(a.hash[:], b.hash[:]), a.compare(b.PaidCase))
	})
	var out []PaidCase
	drawn := map[contract]int{}
	for _, t := range tickets {
		of := contract{}
		if c.PerProvider {
			of = contract{t.Agreement, t.Provider}
		}
		if drawn[of] < c.N {
			drawn[of]++
			out = append(out, t.PaidCase)
		}
	}
	slices.SortFunc(out, PaidCase.compare)
	return out, nil
}

// ControlRow is a case whose evidence is to be looked at. It names the
// participation, as the controller must find the file: the table is for the
// controller alone.
type ControlRow struct {
	Agreement     string      `col:"agreement_id" doc:"agreement"`
	Provider      string      `col:"provider_id" doc:"provider who was paid"`
	Participation string      `col:"participation_id" doc:"participation that was paid for"`
	Clauses       string      `col:"clauses" doc:"clauses by which it was paid, with commas between them"`
	On            effect.Date `col:"counted_on" doc:"first day on which it counted"`
	Amount        string      `col:"amount_dkk" doc:"what was paid for it, in kroner, rounded to the ore; before limits"`
}

// ControlTable lists a sample.
func ControlTable(sample []PaidCase) *ingest.Table {
	out := make([]ControlRow, len(sample))
	for i, c := range sample {
		out[i] = ControlRow{c.Agreement, c.Provider, c.Participation, strings.Join(c.Clauses, ","), c.On, c.Amount.FloatString(2)}
	}
	return caseTable("control", out, func(r ControlRow) string { return r.Participation })
}

// Findings reads what a controller found: a table with the columns participation_id
// and ok, which is true where the evidence holds what was paid for, and false where
// it does not or there is none; also 1 and 0, yes and no. Every case of the sample
// has one finding, and nothing else has any: whoever leaves out what is hard to find
// has no sample. All faults come at once, with rows but without ids; the error
// wraps [effect.ErrDesign].
func Findings(t *ingest.Table, sample []PaidCase) (map[string]bool, error) {
	id, ok := t.Column("participation_id"), t.Column("ok")
	if id == nil || ok == nil {
		return nil, fmt.Errorf("%w: the table of findings needs the columns participation_id and ok", effect.ErrDesign)
	}
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{effect.ErrDesign}, args...)...))
	}
	drawn := map[string]bool{}
	for _, c := range sample {
		drawn[c.Participation] = true
	}
	out, others := map[string]bool{}, 0
	for i := range t.Rows() {
		p := effect.TextID(id.Cell(i)).String()
		if !drawn[p] {
			others++
			continue
		}
		var found bool
		switch strings.ToLower(ok.Cell(i)) {
		case "true", "1", "yes":
			found = true
		case "false", "0", "no":
		default:
			fault("row %d has no finding that can be read: ok is true or false, and false where the evidence could not be found", i+1)
			continue
		}
		if before, again := out[p]; again && before != found {
			fault("row %d says otherwise than an earlier row of the same case", i+1)
		}
		out[p] = found
	}
	if others > 0 {
		fault("%d rows are about cases that were not drawn; give the same size, seed and results folder as when the sample was drawn", others)
	}
	if missing := len(drawn) - len(out); missing > 0 && len(errs) == 0 {
		fault("%d of the %d cases drawn have no finding; write false for one whose evidence could not be found", missing, len(drawn))
	}
	return out, errors.Join(errs...)
}

// ErrorRow is how many of the cases that were paid for have no evidence that holds,
// and what that implies in kroner.
//
// With x errors among n of N paid cases the limits of the rate are those of Clopper
// and Pearson (source: clopperpearson1934), two-sided, within what is possible in a
// population of N of which x are known to be errors and n - x are known not to be:
// from x/N to (N - n + x)/N. In kroner a rate r implies what was paid for the errors
// that were found, and of what was paid for the cases that were not drawn the part
// (r N - x)/(N - n), as if errors there were as large as the mean case.
//
// The total of a sample of each provider is weighted: its rate is the sum of N_h/N
// x_h/n_h over the k providers, its limits the sums of N_h/N times the providers'
// limits at confidence 1 - (1 - confidence)/k (Bonferroni), so that it holds its
// confidence, and is wide; likewise in kroner.
type ErrorRow struct {
	Agreement  string  `col:"agreement_id" doc:"agreement; empty for the total"`
	Provider   string  `col:"provider_id" doc:"provider; empty for the total"`
	Paid       int64   `col:"n_paid" doc:"cases paid for: the population"`
	N          int64   `col:"n" doc:"cases drawn and looked at"`
	Errors     int64   `col:"n_errors" doc:"of these, cases whose evidence does not hold"`
	Rate       float64 `col:"error_rate" doc:"share of errors; null where no case was drawn"`
	Low        float64 `col:"low" doc:"lower limit of its interval"`
	High       float64 `col:"high" doc:"upper limit of its interval"`
	Confidence float64 `col:"confidence" doc:"confidence of the interval, two-sided"`
	PaidDKK    string  `col:"paid_dkk" doc:"what was paid for the cases, in kroner, rounded to the ore; before limits"`
	KnownDKK   string  `col:"known_dkk" doc:"of that, what was paid for the errors found"`
	Implied    string  `col:"implied_dkk" doc:"what the rate implies that was paid without evidence, in kroner, rounded to the ore; null where no case was drawn"`
	ImpliedMax string  `col:"implied_high_dkk" doc:"what the upper limit implies"`
	How        string  `col:"how" doc:"drawn_of_all or drawn_of_each: one sample of all cases, or one of each provider"`
}

// How a sample was drawn.
const (
	DrawnOfAll  = "drawn_of_all"
	DrawnOfEach = "drawn_of_each"
)

// ErrorRates are the errors of each provider under an agreement, and of all together
// in the last row. A sample that is not drawn from paid, or a confidence that does not lie
// between 0 and 1, is an error that wraps effect.ErrDesign.
func ErrorRates(paid, sample []PaidCase, findings map[string]bool, c Control, confidence float64) ([]ErrorRow, error) {
	if !(confidence > 0 && confidence < 1) {
		return nil, fmt.Errorf("%w: a confidence lies between 0 and 1", effect.ErrDesign)
	}
	how := DrawnOfAll
	if c.PerProvider {
		how = DrawnOfEach
	}
	all := &stratum{}
	var order []contract
	of := map[contract]*stratum{}
	for _, p := range paid {
		k := contract{p.Agreement, p.Provider}
		if p.Amount == nil {
			return nil, fmt.Errorf("%w: a case without an amount is no paid case", effect.ErrDesign)
		}
		if of[k] == nil {
			of[k], order = &stratum{}, append(order, k)
		}
		for _, s := range []*stratum{of[k], all} {
			s.paid++
			s.amount.Add(&s.amount, p.Amount)
		}
	}
	for _, p := range sample {
		if of[contract{p.Agreement, p.Provider}] == nil || p.Amount == nil {
			return nil, fmt.Errorf("%w: the sample has a case of a provider and an agreement under which nothing was paid: draw it from the cases that were paid", effect.ErrDesign)
		}
		for _, s := range []*stratum{of[contract{p.Agreement, p.Provider}], all} {
			s.n++
			s.drawn.Add(&s.drawn, p.Amount)
			if !findings[p.Participation] {
				s.errors++
				s.known.Add(&s.known, p.Amount)
			}
		}
	}
	var out []ErrorRow
	for _, k := range order {
		row := of[k].row(confidence)
		row.Agreement, row.Provider, row.How = k.agreement, k.provider, how
		out = append(out, row)
	}
	total := all.row(confidence)
	if c.PerProvider && len(order) > 1 {
		total.Rate, total.Low, total.High = 0, 0, 0
		point, high := new(big.Rat), new(big.Rat)
		for _, k := range order {
			s := of[k]
			rate, lower, upper := s.limits(1 - (1-confidence)/float64(len(order)))
			weight := float64(s.paid) / float64(all.paid)
			total.Rate += float64(weight * rate)
			total.Low += float64(weight * lower)
			total.High += float64(weight * upper)
			point.Add(point, s.implied(rate))
			high.Add(high, s.implied(upper))
		}
		total.Rate, total.Low, total.High = effect.Round(total.Rate), effect.Round(total.Low), effect.Round(total.High)
		total.Implied, total.ImpliedMax = point.FloatString(2), high.FloatString(2)
	}
	total.How = how
	return append(out, total), nil
}

// stratum is a population of paid cases with what was drawn of it.
type stratum struct {
	paid, n, errors      int64
	amount, drawn, known big.Rat // of all, of the cases drawn, of the errors
}

// limits are the rate of errors and the limits of its interval.
func (s *stratum) limits(confidence float64) (rate, low, high float64) {
	if s.n == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	x, n, all := float64(s.errors), float64(s.n), float64(s.paid)
	low, high = interval.Exact(x, n, confidence)
	return effect.Round(x / n), effect.Round(max(low, x/all)), effect.Round(min(high, (all-n+x)/all))
}

// implied is what a rate of errors, as it is written, implies in kroner.
func (s *stratum) implied(rate float64) *big.Rat {
	out := new(big.Rat).Set(&s.known)
	if s.n == s.paid {
		return out
	}
	r, _ := new(big.Rat).SetString(written(rate))
	r.Mul(r, new(big.Rat).SetInt64(s.paid)).Sub(r, new(big.Rat).SetInt64(s.errors)).Quo(r, new(big.Rat).SetInt64(s.paid-s.n))
	rest := new(big.Rat).Sub(&s.amount, &s.drawn)
	return out.Add(out, r.Mul(r, rest))
}

func (s *stratum) row(confidence float64) ErrorRow {
	row := ErrorRow{Paid: s.paid, N: s.n, Errors: s.errors, Confidence: confidence, PaidDKK: s.amount.FloatString(2), KnownDKK: s.known.FloatString(2)}
	row.Rate, row.Low, row.High = s.limits(confidence)
	if s.n > 0 {
		row.Implied, row.ImpliedMax = s.implied(row.Rate).FloatString(2), s.implied(row.High).FloatString(2)
	}
	return row
}
