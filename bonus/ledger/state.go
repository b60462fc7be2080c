package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// state is what was booked under an agreement.
type state struct {
	bookings []Booking // in the order of time
	byPeriod map[string]*Booking
	versions []Version
	keys     map[string]*booked
	order    []string // keys in the order in which they were first booked
	accounts []Account
	balances []Balance
}

// booked is what the ledger holds under a key.
type booked struct {
	line  Line // the latest that was booked
	by    *Booking
	cases map[caseDay]string // quantities that are not 0
	late  *Line              // the latest that came too late
}

// caseDay is a case on a day.
type caseDay struct {
	key string
	on  effect.Date
}

// last is the booking of the latest period, nil where nothing was booked.
func (s *state) last() *Booking {
	if len(s.bookings) == 0 {
		return nil
	}
	return &s.bookings[len(s.bookings)-1]
}

// rowsOf reads rows of a table, those after one and before another row.
func rowsOf[T any](ctx context.Context, l *Ledger, table int, after, before int64) (out []T, err error) {
	err = eachRow(ctx, l, table, after, before, func(row *T) error {
		out = append(out, *row)
		return nil
	})
	return out, err
}

// eachRow calls do with the rows of a table, those after one and before another row.
func eachRow[T any](ctx context.Context, l *Ledger, table int, after, before int64, do func(*T) error) error {
	rows, err := l.conn.QueryContext(ctx, tables[table].selection()+" WHERE row > ? AND row < ? ORDER BY row", after, before)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row T
	to := targets(&row)
	for rows.Next() {
		if err := scan(rows, to...); err != nil {
			return err
		}
		if err := do(&row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scan reads the columns of a row. What is said of a value that does not fit its column
// may hold the value, and so is not passed on.
func scan(rows *sql.Rows, to ...any) error {
	err := rows.Scan(to...)
	if err == nil || rows.Err() != nil { // stopped
		return rows.Err()
	}
	return fmt.Errorf("%w: a value is of another type than its column", ErrDamaged)
}

// bookingsOf are the bookings of an agreement, of all where it is "", each with the
// row before which its own rows end.
func (l *Ledger) bookingsOf(ctx context.Context, agreement string) (out []Booking, ends []int64, err error) {
	all, err := rowsOf[Booking](ctx, l, tableBookings, 0, math.MaxInt64)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range all {
		if agreement != "" && b.Agreement != agreement {
			continue
		}
		// The rows of a booking end at the next booking or at what its run recorded.
		var end int64
		const next = `SELECT min(row) FROM (SELECT min(row) AS row FROM bookings WHERE row > ?1
			UNION ALL SELECT min(row) FROM blocked WHERE row > ?1 UNION ALL SELECT min(row) FROM runs WHERE row > ?1)`
		if err := l.conn.QueryRowContext(ctx, next, b.Row).Scan(&end); err != nil {
			return nil, nil, fmt.Errorf("%w: the rows of a booking do not end: %w", ErrDamaged, err)
		}
		out, ends = append(out, b), append(ends, end)
	}
	return out, ends, nil
}

// stateOf reads what was booked under an agreement.
func (l *Ledger) stateOf(ctx context.Context, agreement string) (*state, error) {
	bookings, ends, err := l.bookingsOf(ctx, agreement)
	if err != nil {
		return nil, err
	}
	s := &state{bookings: bookings, byPeriod: map[string]*Booking{}, keys: map[string]*booked{}}
	for i := range s.bookings {
		b := &s.bookings[i]
		s.byPeriod[b.Period] = b
		versions, err := rowsOf[Version](ctx, l, tableVersions, b.Row, ends[i])
		if err != nil {
			return nil, err
		}
		s.versions = append(s.versions, versions...)
		counted := map[int64]*booked{} // lines of the booking that were booked
		err = eachRow(ctx, l, tableLines, b.Row, ends[i], func(line *Line) error {
			k := s.keys[line.Key]
			if k == nil {
				k = &booked{cases: map[caseDay]string{}}
				s.keys[line.Key] = k
				s.order = append(s.order, line.Key)
			}
			if line.Kind == KindTooLate {
				late := *line
				k.late = &late
				return nil
			}
			k.line, k.by, counted[line.Row] = *line, b, k
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = eachRow(ctx, l, tableCases, b.Row, ends[i], func(c *Case) error {
			if k := counted[c.Line]; k != nil {
				if c.Now == "0" {
					delete(k.cases, caseDay{c.Case, c.On})
				} else {
					k.cases[caseDay{c.Case, c.On}] = c.Now
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if i < len(s.bookings)-1 {
			continue
		}
		if s.accounts, err = rowsOf[Account](ctx, l, tableAccounts, b.Row, ends[i]); err != nil {
			return nil, err
		}
		if s.balances, err = rowsOf[Balance](ctx, l, tableBalances, b.Row, ends[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Opening is what limits of the terms carried from the last settlement that was
// booked under an agreement, by provider; empty where nothing was.
func (l *Ledger) Opening(ctx context.Context, agreement string) (out []bonus.Balance, err error) {
	err = l.reading(ctx, func() error {
		bookings, ends, err := l.bookingsOf(ctx, agreement)
		if err != nil || len(bookings) == 0 {
			return err
		}
		last := len(bookings) - 1
		rows, err := rowsOf[Balance](ctx, l, tableBalances, bookings[last].Row, ends[last])
		for _, r := range rows {
			out = append(out, bonus.Balance{Agreement: agreement, Provider: r.Provider, Amount: r.Amount})
		}
		return err
	})
	return out, err
}
