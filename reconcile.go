package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Settled is what a provider has earned in a settlement period under an agreement:
// a line of a settlement, or what a ledger has booked.
type Settled struct {
	Agreement, Provider, Period string
	Amount                      bonus.Ore
}

// SettledLines are the lines of a settlement as what was earned.
func SettledLines(lines []bonus.Line) []Settled {
	out := make([]Settled, len(lines))
	for i, l := range lines {
		out[i] = Settled{l.Agreement, l.Provider, l.Period, l.Amount}
	}
	return out
}

// BookedAccounts are what a ledger has booked as what was earned: for each booking of
// one of the agreements what is to be paid less what is claimed back, with the
// corrections of earlier periods in the period that they were booked with.
func BookedAccounts(accounts []ledger.BookedAccount, agreements ...string) []Settled {
	var out []Settled
	for _, a := range accounts {
		if slices.Contains(agreements, a.Agreement) {
			out = append(out, Settled{a.Agreement, a.Provider, a.Period, a.Pay - a.Claimed})
		}
	}
	return out
}

// Books are what is set side by side: who was referred, what was earned, invoiced
// and paid.
type Books struct {
	Terms    []*bonus.Terms // of the agreements that are reconciled
	Cases    *effect.Cases
	Settled  []Settled
	Invoices []ingest.Invoice // nil where there is no such table
	Payments []ingest.Payment // nil where there is no such table
}

// Reconciliation is what [Reconcile] found.
type Reconciliation struct {
	// Rows are by agreement, provider and settlement period.
	Rows []ReconciledRow
	// Documents are invoices and payments that somebody should look at.
	Documents []DocumentRow
}

// ReconciledRow sets what was invoiced and paid beside what was earned, for a
// provider in a settlement period under an agreement. Sums are exact. An invoice or
// a payment counts in the settlement period that its own period lies in.
type ReconciledRow struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	Provider  string `col:"provider_id" doc:"provider"`
	Period    string `col:"period" doc:"settlement period"`
	Referrals int64  `col:"n_referrals" doc:"participations referred in the period, of the cohort or not"`
	Starts    int64  `col:"n_starts" doc:"courses that began in the period"`
	Settled   string `col:"settled_dkk" doc:"what was earned by the settlement, or is to be paid by the ledger, in kroner, an exact decimal"`
	VAT       string `col:"vat_dkk" doc:"value added tax that comes on top of it, where the terms say so, rounded to the ore; invoices and payments are taken to be with it"`

	Invoices         int64  `col:"n_invoices" doc:"invoices for the period, credit notes among them"`
	WithoutReferrals int64  `col:"n_invoices_without_referrals" doc:"those whose own period has no referral; results are often invoiced after the referrals, so that this alone is no fault"`
	Invoiced         string `col:"invoiced_dkk" doc:"what was invoiced, in kroner, an exact decimal; null without a table of invoices"`
	InvoicedMore     string `col:"invoiced_difference_dkk" doc:"invoiced - (settled + vat)"`
	InvoicedState    string `col:"invoiced_state" doc:"agrees, invoiced_more, invoiced_less, not_invoiced, or nothing_settled (invoiced, though nothing was earned); null without a table of invoices"`

	Payments  int64  `col:"n_payments" doc:"payments for the period, what was paid back among them"`
	Paid      string `col:"paid_dkk" doc:"what was paid, in kroner, an exact decimal; null without a table of payments"`
	PaidMore  string `col:"paid_difference_dkk" doc:"paid - (settled + vat)"`
	PaidState string `col:"paid_state" doc:"agrees, overpaid, underpaid, not_paid, or nothing_settled (paid, though nothing was earned); null without a table of payments"`
}

// How what was invoiced or paid compares with what was earned.
const (
	StateAgrees         = "agrees"
	StateInvoicedMore   = "invoiced_more"
	StateInvoicedLess   = "invoiced_less"
	StateNotInvoiced    = "not_invoiced"
	StateOverpaid       = "overpaid"
	StateUnderpaid      = "underpaid"
	StateNotPaid        = "not_paid"
	StateNothingSettled = "nothing_settled"
)

// DocumentRow is an invoice or a payment with a problem; one with several has
// several rows.
type DocumentRow struct {
	Table     string      `col:"table" doc:"invoices or payments"`
	ID        string      `col:"id" doc:"invoice or payment"`
	Agreement string      `col:"agreement_id" doc:"agreement, as the document says"`
	Provider  string      `col:"provider_id" doc:"provider, as the document says"`
	Period    string      `col:"period" doc:"period, as the document says"`
	Date      effect.Date `col:"date" doc:"day of the document"`
	Amount    string      `col:"amount_dkk" doc:"amount in kroner, an exact decimal"`
	Problem   string      `col:"problem" doc:"no_terms, unknown_agreement or several_periods (then it counts in no row of the reconciliation); unknown_provider, no_referral_yet, before_period, nothing_settled, same_amount"`
	SameAs    string      `col:"same_as" doc:"of same_amount: the first document of the same provider, period and amount"`
}

// What can be wrong with a document. With one of the first three it has no place
// among the rows.
const (
	ProblemNoTerms          = "no_terms"          // the agreement has cases, and no terms in the run
	ProblemUnknownAgreement = "unknown_agreement" // neither cases nor terms know the agreement
	ProblemSeveralPeriods   = "several_periods"   // its period is not within one settlement period
	ProblemUnknownProvider  = "unknown_provider"  // nobody was referred to the provider under the agreement, and nothing was earned
	ProblemNoReferralYet    = "no_referral_yet"   // an invoice for a period by whose end nobody had been referred
	ProblemBeforePeriod     = "before_period"     // dated before its period began
	ProblemNothingSettled   = "nothing_settled"   // a payment for a settlement period in which nothing was earned
	ProblemSameAmount       = "same_amount"       // the same agreement, provider, period and amount as another
)

// Reconcile sets what was invoiced and paid beside what was earned. A row stands
// for every agreement with terms, provider and settlement period in which somebody
// was referred, a course began, something was earned, or a document falls. All
// documents of a table together are the sum of the rows and of those that have no
// place there. Rows are by agreement, provider and period, documents by table and
// id; the result does not depend on the order of what is given. Amounts and periods
// that are none, and terms that are not in kroner, as invoices and payments are, are
// errors that wrap [effect.ErrDesign].
func Reconcile(b Books) (*Reconciliation, error) {
	r := &reconciler{
		terms: map[string]*bonus.Terms{}, referrals: map[contract][]effect.Date{}, cases: map[string]bool{}, earned: map[contract]bool{},
		lines: map[reconciledKey]*reconciled{}, periods: map[periodDay]effect.Period{},
	}
	for _, t := range b.Terms {
		if err := inKroner(t.Agreement, t.Currency); err != nil {
			return nil, err
		}
		r.terms[t.Agreement] = t
	}
	if b.Cases == nil {
		return nil, fmt.Errorf("%w: there are no cases to hold invoices and payments against", effect.ErrDesign)
	}
	r.count(b.Cases)
	for _, s := range b.Settled {
		t, p, err := r.settled(s)
		if err != nil {
			return nil, err
		}
		l := r.line(contract{s.Agreement, s.Provider}, t, p.Start)
		l.settled.Add(&l.settled, s.Amount.Rat())
		r.earned[contract{s.Agreement, s.Provider}] = true
	}
	var docs []document
	for _, d := range b.Invoices {
		docs = append(docs, document{row: DocumentRow{ingest.Invoices, d.ID, d.Agreement, d.Provider, d.Period, d.Date, d.Amount, "", ""}})
	}
	for _, d := range b.Payments {
		docs = append(docs, document{row: DocumentRow{ingest.Payments, d.ID, d.Agreement, d.Provider, d.Period, d.Date, d.Amount, "", ""}})
	}
	slices.SortFunc(docs, func(a, b document) int {
		return cmp.Or(cmp.Compare(a.row.Table, b.row.Table), effect.TextID(a.row.ID).Compare(effect.TextID(b.row.ID)))
	})
	for i := range docs {
		if err := r.place(&docs[i]); err != nil {
			return nil, err
		}
	}
	out := &Reconciliation{Rows: r.rows(b.Invoices != nil, b.Payments != nil)}
	first := map[DocumentRow]string{}
	for i := range docs {
		out.Documents = append(out.Documents, r.problems(&docs[i], first)...)
	}
	return out, nil
}

// inKroner says whether an agreement is settled in the currency of the tables.
func inKroner(agreement string, c bonus.Currency) error {
	if cmp.Or(c, bonus.DKK) != bonus.DKK {
		return fmt.Errorf("%w: agreement %s is settled in %s, and invoices and payments are in kroner; reconcile it apart, by other means", effect.ErrDesign, agreement, c)
	}
	return nil
}

// contract is a provider under an agreement.
type contract struct{ agreement, provider string }

type reconciledKey struct {
	contract
	start effect.Date
}

// reconciled is a row before it is written.
type reconciled struct {
	period                               effect.Period
	settled, invoiced, paid              big.Rat
	referrals, starts                    int64
	invoices, withoutReferrals, payments int64
}

// document is an invoice or a payment.
type document struct {
	row    DocumentRow
	amount *big.Rat
	period effect.Period
	line   *reconciled // nil where it has no place
	why    string      // why it has none
}

type reconciler struct {
	terms     map[string]*bonus.Terms
	referrals map[contract][]effect.Date // days with one, ascending
	cases     map[string]bool            // agreements of cases
	earned    map[contract]bool          // providers with a line, be it of 0
	lines     map[reconciledKey]*reconciled
	periods   map[periodDay]effect.Period
}

type periodDay struct {
	terms *bonus.Terms
	day   effect.Date
}

// line is the row of a settlement period that a day lies in.
func (r *reconciler) line(c contract, t *bonus.Terms, day effect.Date) *reconciled {
	d := periodDay{t, day}
	p, ok := r.periods[d]
	if !ok { // naming a period costs more than looking it up
		p = t.Periods.Period(day)
		r.periods[d] = p
	}
	k := reconciledKey{c, p.Start}
	if r.lines[k] == nil {
		r.lines[k] = &reconciled{period: p}
	}
	return r.lines[k]
}

// count counts who was referred, and whose courses began.
func (r *reconciler) count(c *effect.Cases) {
	type codes struct{ agreement, provider int32 }
	type days struct{ referral, start map[effect.Date]int64 }
	seen := map[codes]days{}
	for i := range c.Len() {
		k := codes{c.Agreement.CodeAt(i), c.Provider.CodeAt(i)}
		d, ok := seen[k]
		if !ok {
			d = days{map[effect.Date]int64{}, map[effect.Date]int64{}}
			seen[k] = d
		}
		d.referral[c.Referral[i]]++
		if len(c.Start) > 0 && c.Start[i] != effect.NoDate {
			d.start[c.Start[i]]++
		}
	}
	for k, d := range seen { // counts are whole numbers, so that the order does not matter
		if k.agreement < 0 {
			continue
		}
		agreement := c.Agreement.Levels[k.agreement]
		r.cases[agreement] = true
		t := r.terms[agreement]
		if t == nil || k.provider < 0 || c.Provider.Levels[k.provider] == "" {
			continue
		}
		of := contract{agreement, c.Provider.Levels[k.provider]}
		for day, n := range d.referral {
			r.line(of, t, day).referrals += n
			r.referrals[of] = append(r.referrals[of], day)
		}
		for day, n := range d.start {
			r.line(of, t, day).starts += n
		}
		slices.Sort(r.referrals[of])
	}
}

// settled finds the place of what was earned.
func (r *reconciler) settled(s Settled) (*bonus.Terms, effect.Period, error) {
	p, err := effect.ParsePeriod(s.Period)
	t := r.terms[s.Agreement]
	switch {
	case err != nil:
		return nil, p, fmt.Errorf("%w: a settled period: %w", effect.ErrDesign, err)
	case t == nil:
		return nil, p, fmt.Errorf("%w: something was settled under agreement %s, whose terms are not given", effect.ErrDesign, s.Agreement)
	case t.Periods.Period(p.Start) != p:
		return nil, p, fmt.Errorf("%w: %s was settled under agreement %s, whose terms settle by the %s", effect.ErrDesign, s.Period, s.Agreement, t.Periods)
	}
	return t, p, nil
}

// place adds a document to the row it belongs to.
func (r *reconciler) place(d *document) (err error) {
	var ok bool
	if d.amount, ok = exactDecimal(d.row.Amount); !ok {
		return fmt.Errorf("%w: an amount in %s is not a decimal", effect.ErrDesign, d.row.Table)
	}
	d.row.Amount = decimal(d.amount)
	if d.period, err = effect.ParsePeriod(d.row.Period); err != nil {
		return fmt.Errorf("%w: table %s: %w", effect.ErrDesign, d.row.Table, err)
	}
	t := r.terms[d.row.Agreement]
	switch {
	case t == nil && r.cases[d.row.Agreement]:
		d.why = ProblemNoTerms
		return nil
	case t == nil:
		d.why = ProblemUnknownAgreement
		return nil
	case t.Periods.Period(d.period.Start).End < d.period.End:
		d.why = ProblemSeveralPeriods
		return nil
	}
	k := contract{d.row.Agreement, d.row.Provider}
	d.line = r.line(k, t, d.period.Start)
	if d.row.Table == ingest.Payments {
		d.line.payments++
		d.line.paid.Add(&d.line.paid, d.amount)
		return nil
	}
	d.line.invoices++
	d.line.invoiced.Add(&d.line.invoiced, d.amount)
	if !r.referred(k, d.period.Start, d.period.End) {
		d.line.withoutReferrals++
	}
	return nil
}

// referred says whether somebody was referred from a day on and before another.
func (r *reconciler) referred(k contract, from, to effect.Date) bool {
	days := r.referrals[k]
	at, _ := slices.BinarySearch(days, from)
	return at < len(days) && days[at] < to
}

// problems are the rows of what is wrong with a document; first remembers the first
// of those that are alike.
func (r *reconciler) problems(d *document, first map[DocumentRow]string) (out []DocumentRow) {
	add := func(problem, sameAs string) {
		row := d.row
		row.Problem, row.SameAs = problem, sameAs
		out = append(out, row)
	}
	if d.why != "" {
		add(d.why, "")
	}
	if k := (contract{d.row.Agreement, d.row.Provider}); r.terms[k.agreement] != nil {
		known := len(r.referrals[k]) > 0
		switch {
		case !known && !r.earned[k]:
			add(ProblemUnknownProvider, "")
		case known && d.row.Table == ingest.Invoices && d.period.End <= r.referrals[k][0]:
			add(ProblemNoReferralYet, "")
		}
	}
	if d.row.Date < d.period.Start {
		add(ProblemBeforePeriod, "")
	}
	if d.row.Table == ingest.Payments && d.line != nil && d.line.settled.Sign() == 0 {
		add(ProblemNothingSettled, "")
	}
	alike := d.row
	alike.ID, alike.Date = "", 0
	if id, again := first[alike]; again {
		add(ProblemSameAmount, id)
	} else {
		first[alike] = d.row.ID
	}
	return out
}

func (r *reconciler) rows(invoices, payments bool) []ReconciledRow {
	keys := slices.SortedFunc(maps.Keys(r.lines), func(a, b reconciledKey) int {
		return cmp.Or(effect.TextID(a.agreement).Compare(effect.TextID(b.agreement)), effect.TextID(a.provider).Compare(effect.TextID(b.provider)), cmp.Compare(a.start, b.start))
	})
	var out []ReconciledRow
	for _, k := range keys {
		l := r.lines[k]
		vat := onTop(r.terms[k.agreement], &l.settled)
		due := new(big.Rat).Add(&l.settled, vat)
		row := ReconciledRow{
			Agreement: k.agreement, Provider: k.provider, Period: l.period.Name, Referrals: l.referrals, Starts: l.starts, Settled: decimal(&l.settled), VAT: decimal(vat),
			Invoices: l.invoices, WithoutReferrals: l.withoutReferrals, Payments: l.payments,
		}
		if invoices {
			row.Invoiced, row.InvoicedMore = decimal(&l.invoiced), decimal(new(big.Rat).Sub(&l.invoiced, due))
			row.InvoicedState = compared(due, &l.invoiced, l.invoices, StateInvoicedMore, StateInvoicedLess, StateNotInvoiced)
		}
		if payments {
			row.Paid, row.PaidMore = decimal(&l.paid), decimal(new(big.Rat).Sub(&l.paid, due))
			row.PaidState = compared(due, &l.paid, l.payments, StateOverpaid, StateUnderpaid, StateNotPaid)
		}
		out = append(out, row)
	}
	return out
}

// onTop is the value added tax that comes on top of an amount, rounded to the øre, a
// half away from zero.
func onTop(t *bonus.Terms, amount *big.Rat) *big.Rat {
	if t.VAT == nil || t.VAT.Treatment != bonus.VATExcluded {
		return new(big.Rat)
	}
	vat, _ := new(big.Rat).SetString(new(big.Rat).Mul(amount, t.VAT.Rate.Rat()).FloatString(2))
	return vat
}

// compared says how the sum of n documents compares with what was earned.
func compared(settled, sum *big.Rat, n int64, more, less, none string) string {
	switch c := sum.Cmp(settled); {
	case c == 0:
		return StateAgrees
	case n == 0:
		return none
	case settled.Sign() == 0:
		return StateNothingSettled
	case c > 0:
		return more
	}
	return less
}

// Settlements is a results folder with a settlement, and what it was made of.
type Settlements struct {
	Folder     string
	Settlement *bonus.Settlement
	Terms      []*bonus.Terms
	Cases      *effect.Cases // only id, agreement, provider, referral and start

	config *Config // whose data are those of the run
}

// OpenSettlement reads a results folder with a settlement; path is the folder, or the
// run file whose results they are. The run file and the terms must be those that the
// results were made of.
func OpenSettlement(ctx context.Context, path string) (*Settlements, error) {
	return OpenSettlementFrom(ctx, path, nil)
}

// OpenSettlementFrom is [OpenSettlement] where the data may be a URL, which open
// opens when their invoices and payments are read; see [Config.Open].
func OpenSettlementFrom(ctx context.Context, path string, open Opener) (*Settlements, error) {
	folder := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		c, err := LoadConfig(path)
		if err != nil {
			return nil, err
		}
		folder = c.ResultsFolder()
	}
	settled, err := ReadForLedger(ctx, folder)
	if err != nil {
		return nil, err
	}
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	s := &Settlements{Folder: folder, Settlement: settled.Settlement, Terms: settled.Terms}
	if s.config, err = LoadConfig(filepath.Join(folder, filepath.FromSlash(m.RunFile.Path))); err != nil {
		return nil, err
	}
	s.config.Open = open
	if s.config.Data, err = m.dataFrom(folder); err != nil {
		return nil, err
	}
	k := slices.IndexFunc(m.Results, func(r Source) bool { return r.Path == TableCases+".parquet" })
	if err := unchanged(folder, m.Results[k]); err != nil {
		return nil, err
	}
	t, err := readTable(ctx, folder, TableCases)
	if err != nil {
		return nil, err
	}
	p := &picker{table: t}
	s.Cases = &effect.Cases{
		ID: ids(p.column("participation_id")), Agreement: p.factor("agreement_id"), Provider: p.factor("provider_id"),
		Referral: p.column("referral_date").Dates, Start: p.column("start_date").Dates,
	}
	return s, errors.Join(p.errs...)
}

// Books reads invoices and payments, each from the file that is named, Parquet or
// CSV, or else from the dataset of the run. Bad rows are left out and returned. Neither
// table there is an error, and so are too many bad rows.
func (s *Settlements) Books(ctx context.Context, invoices, payments string) (*Books, []ingest.Reject, error) {
	ds, err := s.config.OpenData(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := &Books{Terms: s.Terms, Cases: s.Cases, Settled: SettledLines(s.Settlement.Lines)}
	var rejects []ingest.Reject
	var bad, also error
	opt, err := s.config.keyed(s.config.IngestOptions())
	if err != nil {
		return nil, nil, err
	}
	b.Invoices, bad = documents[ingest.Invoice](ctx, ds, ingest.Invoices, invoices, opt, &rejects)
	b.Payments, also = documents[ingest.Payment](ctx, ds, ingest.Payments, payments, opt, &rejects)
	if err := errors.Join(bad, also); err != nil {
		return nil, rejects, err
	}
	if b.Invoices == nil && b.Payments == nil {
		return nil, nil, fmt.Errorf("%w: the dataset has neither invoices nor payments, so that there is nothing to hold the settlement against; add one of the tables, or name a file", ErrConfig)
	}
	return b, rejects, nil
}

// documents reads a table from a file, or from the dataset; nil where it has none.
func documents[T ingest.Row](ctx context.Context, ds *ingest.Dataset, table, path string, opt ingest.Options, rejects *[]ingest.Reject) ([]T, error) {
	if path != "" {
		t, err := ingest.ReadFile(ctx, path, opt.Limits)
		if err != nil {
			return nil, err
		}
		ds = ingest.NewDataset(opt)
		if err := ds.AddTable(table, filepath.Base(path), t); err != nil {
			return nil, err
		}
	}
	if !ds.Has(table) {
		return nil, nil
	}
	rows, err := ingest.Rows[T](ctx, ds)
	for _, r := range ds.Rejects() {
		if r.Table == table {
			*rejects = append(*rejects, r)
		}
	}
	return append([]T{}, rows...), err
}
