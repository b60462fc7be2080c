package ingest

import (
	"context"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Row is one row of a small table of the contract, as [Rows] reads it. Names and
// identifiers are their canonical text, "" where null; a period is a name that
// [effect.ParsePeriod] reads.
//
// An amount is the exact decimal in kroner, as in -796.5: with a point, without
// an exponent, without zeros at the end and of at most 40 characters. It is that
// of a DECIMAL or a whole number as it stands; a float has the shortest decimal
// that reads back as the same number of its size. Nothing is rounded, so an
// amount can have parts of an øre.
type Row interface {
	Survey | Inspection | Statement | Expense | Figure | Proof | Invoice | Payment
	// source is the table, and how many of its first columns are the key.
	source() (table string, key int)
}

// Survey is a row of the table satisfaction, whose key is provider and period:
// what the participants said of a provider. A negative number of persons, or more
// answers than persons asked, is a bad row.
type Survey struct {
	Provider string  `col:"provider_id" doc:"provider"`
	Period   string  `col:"period" doc:"period in which was asked"`
	Mean     float64 `col:"mean" doc:"mean of the answers, on the scale of the survey"`
	N        int64   `col:"n" doc:"answers"`
	Invited  float64 `col:"invited" doc:"persons asked, a whole number; null where unknown"`
}

// Inspection is a row of the table inspections, of which every column is the
// key: a provider may be inspected more than once a day.
type Inspection struct {
	Provider string      `col:"provider_id" doc:"provider"`
	On       effect.Date `col:"inspected_on" doc:"day of the inspection"`
	Grade    string      `col:"grade" doc:"grade, a name: the terms say what it is worth"`
	Note     string      `col:"note" doc:"note of the inspector"`
}

// Statement is a row of the table experience, of which every column is the key:
// what was learnt of a provider, in words.
type Statement struct {
	Provider string `col:"provider_id" doc:"provider"`
	Period   string `col:"period" doc:"period that is spoken of"`
	Text     string `col:"text" doc:"what was learnt"`
}

// Expense is a row of the table spend, whose key is municipality, year and
// channel: what a municipality spent on offers.
type Expense struct {
	Municipality string `col:"municipality" doc:"municipality"`
	Year         int64  `col:"year" doc:"calendar year"`
	Channel      string `col:"channel" doc:"provider, own, other, or total"`
	Amount       string `col:"amount_dkk" doc:"amount in kroner, an exact decimal"`
}

// Channels of [Expense], besides those of participations that have its names
// ([effect.ChannelProvider], [effect.ChannelOwn]).
const (
	ChannelOther = "other"
	ChannelTotal = "total"
)

// Figure is a row of the table figures, whose key is figure, provider and period: a
// number about a provider that is not worked out here. The value is an exact
// decimal, as amounts are: text as it is written, and a DECIMAL or a whole number as
// it stands; a float has nine significant digits. A negative n is a bad row.
type Figure struct {
	Name     string  `col:"figure" doc:"name of the figure, as the terms call it"`
	Provider string  `col:"provider_id" doc:"provider; null for a figure of all providers, which holds where a provider has none of its own"`
	Period   string  `col:"period" doc:"period that the figure is of"`
	N        float64 `col:"n" doc:"persons or cases behind it, a whole number; null where unknown"`
	Value    string  `col:"value" doc:"value, an exact decimal"`
}

// Proof is a row of the table evidence, of which every column is the key: a
// document that was received about a participation. That there is such a
// participation is not checked.
type Proof struct {
	Participation string      `col:"participation_id" doc:"participation; effect.TextID gives its id"`
	Kind          string      `col:"kind" doc:"kind of document, as the terms name it"`
	ReceivedOn    effect.Date `col:"received_on" doc:"day on which it was received"`
}

// Invoice is a row of the table invoices, whose key is the id.
type Invoice struct {
	ID        string      `col:"id" doc:"invoice"`
	Agreement string      `col:"agreement_id" doc:"agreement under which it is sent"`
	Provider  string      `col:"provider_id" doc:"provider who sends it"`
	Period    string      `col:"period" doc:"period that is invoiced"`
	Date      effect.Date `col:"date" doc:"day of the invoice"`
	Amount    string      `col:"amount_dkk" doc:"amount in kroner, an exact decimal; a credit note is negative"`
}

// Payment is a row of the table payments, whose key is the id.
type Payment struct {
	ID        string      `col:"id" doc:"payment"`
	Agreement string      `col:"agreement_id" doc:"agreement under which it is made"`
	Provider  string      `col:"provider_id" doc:"provider who is paid"`
	Period    string      `col:"period" doc:"period that is paid for"`
	Date      effect.Date `col:"date" doc:"day of the payment"`
	Amount    string      `col:"amount_dkk" doc:"amount in kroner, an exact decimal; what is paid back is negative"`
}

func (Survey) source() (string, int)     { return Satisfaction, 2 }
func (Inspection) source() (string, int) { return Inspections, 4 }
func (Statement) source() (string, int)  { return Experience, 3 }
func (Expense) source() (string, int)    { return Spend, 3 }
func (Figure) source() (string, int)     { return Figures, 3 }
func (Proof) source() (string, int)      { return Evidence, 3 }
func (Invoice) source() (string, int)    { return Invoices, 1 }
func (Payment) source() (string, int)    { return Payments, 1 }

// Rows reads the table that T is a row of, sorted by its key: column after
// column, whole numbers before text and null first. Rows that are the same in
// every column count once; rows of one key that differ are all rejected. The
// result does not depend on the order of rows, on parts or on workers. The errors
// are those of [Dataset.Cases].
func Rows[T Row](ctx context.Context, d *Dataset) ([]T, error) {
	var row T
	table, key := row.source()
	f, err := d.load(ctx, table, nil, nil)
	if err != nil {
		return nil, err
	}
	switch table {
	case Satisfaction:
		answers, asked := f.index("n"), f.index("invited")
		f.checkCounts(answers)
		f.checkCounts(asked)
		f.checkAnswers(answers, asked)
	case Figures:
		f.checkCounts(f.index("n"))
	}
	rows := f.distinct(gather(key, func(i int) int { return i })...)
	if err := d.close(f.account, int64(f.rows)); err != nil {
		return nil, err
	}
	return ToRows[T](f.result(table, rows))
}
