package ledger

import (
	"context"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Query chooses rows; what is "" chooses all, and so does the
// zero value.
type Query struct {
	Agreement string
	Provider  string
	Period    string // of the line, or that it was booked with
}

func (q *Query) booking(b *Booking) bool { return q.Agreement == "" || q.Agreement == b.Agreement }

func (q *Query) provider(id string) bool { return q.Provider == "" || q.Provider == id }

func (q *Query) line(b *Booking, l *Line) bool {
	return q.provider(l.Provider) && (q.Period == "" || q.Period == b.Period || q.Period == l.Period)
}

// BookedLine is a line with the booking that it stands in.
type BookedLine struct {
	Agreement string      `col:"agreement_id" doc:"agreement"`
	With      string      `col:"booked_with" doc:"settlement period that it was booked with"`
	BookedOn  effect.Date `col:"booked_on" doc:"day of the booking"`
	Line
	Corrections string `col:"corrections" doc:"what becomes of what the provider owes: set_off (in the next period) or claim"`
	TermsSHA256 string `col:"terms_sha256" doc:"hash of the terms file that it was booked by"`
}

// BookedCase is a case with the line that it stands behind.
type BookedCase struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	With      string `col:"booked_with" doc:"settlement period that the line was booked with"`
	Kind      string `col:"kind" doc:"booked, correction, or too_late: shown and not paid"`
	Of        string `col:"of" doc:"line of the settlement"`
	Case
	Participation string `col:"participation_id" doc:"the case; empty where it was erased"`
}

// BookedAccount is an account with the booking that it stands in.
type BookedAccount struct {
	Agreement string      `col:"agreement_id" doc:"agreement"`
	Period    string      `col:"period" doc:"settlement period that was closed"`
	BookedOn  effect.Date `col:"booked_on" doc:"day of the booking"`
	Account
	PaymentDue    effect.Date `col:"payment_due" doc:"day by which it is to be paid"`
	ObjectionsTil effect.Date `col:"objections_until" doc:"last day on which the provider can object"`
}

// RecordedRun is a run with what those before it on the same inputs tell of it.
type RecordedRun struct {
	Run
	Opened int64 `col:"opened" doc:"lines that were blocked in an earlier run on the same inputs for the period, and are not in this one"`
}

// Bookings lists what was closed, in the order of time.
func (l *Ledger) Bookings(ctx context.Context, q Query) (out []Booking, err error) {
	return out, l.reading(ctx, func() error {
		return eachRow(ctx, l, tableBookings, 0, rowsEnd, func(b *Booking) error {
			if q.booking(b) && (q.Period == "" || q.Period == b.Period) {
				out = append(out, *b)
			}
			return nil
		})
	})
}

// each calls do with every booking that the query asks for and the row before which
// its rows end.
func (l *Ledger) each(ctx context.Context, q *Query, do func(b *Booking, end int64) error) error {
	return l.reading(ctx, func() error {
		bookings, ends, err := l.bookingsOf(ctx, q.Agreement)
		for i := range bookings {
			if err == nil {
				err = do(&bookings[i], ends[i])
			}
		}
		return err
	})
}

// Lines lists what was booked, in the order of time.
func (l *Ledger) Lines(ctx context.Context, q Query) (out []BookedLine, err error) {
	return out, l.each(ctx, &q, func(b *Booking, end int64) error {
		return eachRow(ctx, l, tableLines, b.Row, end, func(line *Line) error {
			if q.line(b, line) {
				out = append(out, BookedLine{b.Agreement, b.Period, b.BookedOn, *line, b.Corrections, b.TermsSHA256})
			}
			return nil
		})
	})
}

// Cases lists the cases behind the lines that the query asks for.
func (l *Ledger) Cases(ctx context.Context, q Query) (out []BookedCase, err error) {
	var keys *caseKeys
	return out, l.each(ctx, &q, func(b *Booking, end int64) (err error) {
		if keys == nil {
			if keys, err = l.caseKeys(ctx); err != nil {
				return err
			}
		}
		of := map[int64]Line{}
		err = eachRow(ctx, l, tableLines, b.Row, end, func(line *Line) error {
			if q.line(b, line) {
				of[line.Row] = *line
			}
			return nil
		})
		if err != nil {
			return err
		}
		return eachRow(ctx, l, tableCases, b.Row, end, func(c *Case) error {
			if line, ok := of[c.Line]; ok {
				out = append(out, BookedCase{b.Agreement, b.Period, line.Kind, line.Line, *c, keys.alive[c.Case]})
			}
			return nil
		})
	})
}

// Accounts lists what each provider was due by each booking.
func (l *Ledger) Accounts(ctx context.Context, q Query) (out []BookedAccount, err error) {
	return out, l.each(ctx, &q, func(b *Booking, end int64) error {
		return eachRow(ctx, l, tableAccounts, b.Row, end, func(a *Account) error {
			if q.provider(a.Provider) && (q.Period == "" || q.Period == b.Period) {
				out = append(out, BookedAccount{b.Agreement, b.Period, b.BookedOn, *a, b.PaymentDue, b.ObjectionsTil})
			}
			return nil
		})
	})
}

// Runs lists the runs, in the order of time.
func (l *Ledger) Runs(ctx context.Context, q Query) (out []RecordedRun, err error) {
	return out, l.reading(ctx, func() error {
		blocked := map[int64][]string{}
		err := eachRow(ctx, l, tableBlocked, 0, rowsEnd, func(b *Blocked) error {
			blocked[b.Run] = append(blocked[b.Run], b.Line)
			return nil
		})
		if err != nil {
			return err
		}
		type on struct{ agreement, period, inputs string }
		shut := map[on]map[string]bool{} // lines that were blocked in any run so far
		return eachRow(ctx, l, tableRuns, 0, rowsEnd, func(r *Run) error {
			run := RecordedRun{Run: *r}
			if r.Outcome != RunErased {
				k := on{r.Agreement, r.Period, r.Inputs}
				if shut[k] == nil {
					shut[k] = map[string]bool{}
				}
				now := map[string]bool{}
				for _, line := range blocked[r.Run] {
					now[line], shut[k][line] = true, true
				}
				run.Opened = int64(len(shut[k]) - len(now))
			}
			if (q.Agreement == "" || q.Agreement == r.Agreement) && (q.Period == "" || q.Period == r.Period) {
				out = append(out, run)
			}
			return nil
		})
	})
}

// BlockedLines lists the lines that gates kept from being paid, by run.
func (l *Ledger) BlockedLines(ctx context.Context) (out []Blocked, err error) {
	return out, l.reading(ctx, func() error {
		out, err = rowsOf[Blocked](ctx, l, tableBlocked, 0, rowsEnd)
		return err
	})
}
