package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Receipt is what was proposed or booked.
type Receipt struct {
	// Hash is what somebody else has to accept, or has accepted; "" where there is
	// nothing to add.
	Hash  string
	Plans []*Plan // by agreement
	Runs  []Run   // as recorded, parallel to Plans
	Head  Head    // end of the ledger afterwards
}

// Same says that everything was booked before and nothing was added but the record
// of the run.
func (r *Receipt) Same() bool {
	return !slices.ContainsFunc(r.Plans, func(p *Plan) bool { return !p.Same })
}

// Propose works out what would be booked for a settlement period under every
// agreement whose terms have it, and records it as proposed. Nothing is booked
// before somebody else accepts the hash: see [Ledger.Book].
//
// The error joins a [*Refusal] for every reason why it cannot be booked, which are
// recorded too, or wraps [ErrBusy], bonus.ErrFacts or bonus.ErrOverflow.
func (l *Ledger) Propose(ctx context.Context, s *Settled, period string, by Person) (*Receipt, error) {
	return l.attempt(ctx, s, period, by, func(w *writer, r *Receipt, _ *caseKeys) error {
		return l.runs(w, s, r, RunProposed, by)
	})
}

// Book books a settlement period under every agreement whose terms have it, in one
// transaction. The hash is that of a proposal which somebody else has made; it is
// accepted by this call, and holds only while what would be booked is what was
// proposed. With inputs that are booked already nothing is added, whatever the hash.
//
// The error is as that of [Ledger.Propose].
func (l *Ledger) Book(ctx context.Context, s *Settled, period, hash string, by Person) (*Receipt, error) {
	return l.attempt(ctx, s, period, by, func(w *writer, r *Receipt, keys *caseKeys) error {
		prepared, err := l.proposal(ctx, s, r, strings.ToLower(hash), by)
		if err != nil {
			return err
		}
		for _, p := range r.Plans {
			if p.Same {
				continue
			}
			b := &p.Booking
			b.PreparedBy, b.PreparedRole = prepared.Name, prepared.Role
			b.AcceptedBy, b.AcceptedRole, b.Accepted = by.Name, by.Role, r.Hash
			if err := l.assign(ctx, keys, p); err != nil {
				return err
			}
			if err := w.plan(p); err != nil {
				return err
			}
		}
		return l.runs(w, s, r, RunBooked, by)
	})
}

// Record notes a run that asked nothing of the ledger: for each agreement, what its
// gates kept from being paid in the settlement period of as_of.
func (l *Ledger) Record(ctx context.Context, s *Settled, by Person) (Head, error) {
	return l.transact(ctx, func(w *writer) error {
		for _, t := range s.Terms {
			p := &planner{settled: s, terms: t, period: t.Periods.Period(s.AsOf)}
			run := s.run(t.Agreement, p.period.Name, RunSettled, by)
			run.Terms = t.SHA256
			if err := w.record(run, p.blocked()); err != nil {
				return err
			}
		}
		return nil
	})
}

// run begins the record of a run.
func (s *Settled) run(agreement, period, outcome string, by Person) *Run {
	return &Run{
		Outcome: outcome, Agreement: agreement, Period: period, AsOf: s.AsOf, On: by.On, Name: by.Name, Role: by.Role,
		Inputs: s.Inputs, RunFile: s.RunFile, Manifest: s.Manifest,
	}
}

// attempt plans a booking and does the rest, in one transaction; a refusal is
// recorded in another.
func (l *Ledger) attempt(ctx context.Context, s *Settled, period string, by Person, do func(*writer, *Receipt, *caseKeys) error) (*Receipt, error) {
	r := &Receipt{}
	var err error
	if letters(by.Name) == "" || letters(by.Role) == "" || by.On == effect.NoDate {
		err = &Refusal{Code: RefusedPerson, Period: period, Why: "a name, a role or a day is missing", Cure: "say who does it, in which role, on which day"}
	} else {
		r.Head, err = l.transact(ctx, func(w *writer) error {
			var keys *caseKeys
			if r.Plans, keys, err = l.plans(ctx, s, period, by.On); err != nil {
				return err
			}
			if r.Same() {
				return l.runs(w, s, r, RunSame, by)
			}
			var contents []string
			for _, p := range r.Plans {
				if !p.Same {
					contents = append(contents, p.Booking.Content)
				}
			}
			r.Hash = accepted(contents)
			return do(w, r, keys)
		})
	}
	if err == nil {
		return r, nil
	}
	if refusals := refusalsOf(err); len(refusals) > 0 {
		if e := l.recordRefusals(ctx, s, period, by, refusals); e != nil {
			return nil, fmt.Errorf("%w; and it could not be recorded: %w", err, e)
		}
	}
	return nil, err
}

// refusalsOf are the refusals that an error joins.
func refusalsOf(err error) (out []*Refusal) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, refusalsOf(e)...)
		}
		return out
	}
	var r *Refusal
	if errors.As(err, &r) {
		out = append(out, r)
	}
	return out
}

// recordRefusals notes why nothing was booked, under each agreement that would have
// been booked with those that were refused.
func (l *Ledger) recordRefusals(ctx context.Context, s *Settled, period string, by Person, refusals []*Refusal) error {
	at, unknown := effect.ParsePeriod(period)
	_, err := l.transact(ctx, func(w *writer) error {
		for _, t := range s.Terms {
			if unknown == nil && len(s.Terms) > 1 && t.Periods.Period(at.Start).Name != at.Name && refusals[0].Code != RefusedNoPeriod {
				continue // its periods have another length
			}
			var why []string
			for _, r := range refusals {
				if r.Agreement == "" || r.Agreement == t.Agreement {
					why = append(why, r.Code+": "+r.Why)
				}
			}
			if why == nil {
				why = []string{"another agreement, which was to be booked with it, was refused"}
			}
			run := s.run(t.Agreement, period, RunRefused, by)
			run.Terms, run.Why = t.SHA256, strings.Join(why, "; ")
			p := &planner{settled: s, terms: t, period: effect.Period{Name: period}}
			if err := w.record(run, p.blocked()); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// proposal finds who proposed what is accepted, and refuses an acceptance that does
// not hold.
func (l *Ledger) proposal(ctx context.Context, s *Settled, r *Receipt, hash string, by Person) (prepared Person, err error) {
	first := &r.Plans[slices.IndexFunc(r.Plans, func(p *Plan) bool { return !p.Same })].Booking
	refuse := func(code, cure, format string, args ...any) (Person, error) {
		return Person{}, &Refusal{Code: code, Agreement: first.Agreement, Period: first.Period, Why: fmt.Sprintf(format, args...), Cure: cure}
	}
	const again = "propose it again, and accept the hash that is shown"
	var mine, found bool
	err = eachRow(ctx, l, tableRuns, 0, rowsEnd, func(run *Run) error {
		if run.Outcome != RunProposed || run.Content != hash || run.Agreement != first.Agreement || run.Period != first.Period {
			return nil
		}
		if found = true; same(run.Name, by.Name) {
			mine = true
		} else {
			prepared = Person{run.Name, run.Role, run.On}
		}
		return nil
	})
	switch {
	case err != nil:
		return Person{}, err
	case !found:
		return refuse(RefusedNotProposed, again, "nobody has proposed what has the hash given")
	case hash != r.Hash:
		return refuse(RefusedChanged, again, "what would be booked is not what was proposed: the settlement, the terms, or what was booked before has changed since")
	case prepared.Name == "" && mine:
		return refuse(RefusedSamePerson, "let somebody else accept it", "who proposed it cannot accept it")
	case by.On < prepared.On:
		return refuse(RefusedDate, "give the day of the acceptance", "it is accepted on %s, before it was proposed on %s", by.On, prepared.On)
	}
	var wrong []error
	for _, p := range r.Plans {
		t := s.Terms[slices.IndexFunc(s.Terms, func(t *bonus.Terms) bool { return t.Agreement == p.Booking.Agreement })]
		if !p.Same && !strings.EqualFold(t.Settlement.AcceptedBy, by.Role) {
			wrong = append(wrong, &Refusal{
				Code: RefusedRole, Agreement: t.Agreement, Period: p.Booking.Period,
				Why: fmt.Sprintf("it was accepted in the role %q, and the terms ask for the %s", by.Role, t.Settlement.AcceptedBy), Cure: "let the " + t.Settlement.AcceptedBy + " accept it",
			})
		}
	}
	return prepared, errors.Join(wrong...)
}

// plan adds what is booked under an agreement.
func (w *writer) plan(p *Plan) (err error) {
	if p.Booking.Row, err = w.add(tableBookings, p.Booking); err != nil {
		return err
	}
	b := p.Booking.Row
	for i := range p.Versions {
		p.Versions[i].Booking = b
		if p.Versions[i].Row, err = w.add(tableVersions, p.Versions[i]); err != nil {
			return err
		}
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		l.Booking = b
		if l.Row, err = w.add(tableLines, l.Line); err != nil {
			return err
		}
		for j := range l.Cases {
			c := &l.Cases[j].Case
			c.Line = l.Row
			if c.Row, err = w.add(tableCases, *c); err != nil {
				return err
			}
		}
	}
	for i := range p.Accounts {
		p.Accounts[i].Booking = b
		if p.Accounts[i].Row, err = w.add(tableAccounts, p.Accounts[i]); err != nil {
			return err
		}
	}
	for i := range p.Balances {
		p.Balances[i].Booking = b
		if p.Balances[i].Row, err = w.add(tableBalances, p.Balances[i]); err != nil {
			return err
		}
	}
	return nil
}

// runs records what became of a run under each agreement.
func (l *Ledger) runs(w *writer, s *Settled, r *Receipt, outcome string, by Person) error {
	for _, p := range r.Plans {
		run := s.run(p.Booking.Agreement, p.Booking.Period, outcome, by)
		run.Terms = p.Booking.TermsSHA256
		if p.Same {
			run.Outcome = RunSame
		} else {
			run.Content, run.Exits = r.Hash, p.Exits
		}
		if err := w.record(run, p.Blocked); err != nil {
			return err
		}
		r.Runs = append(r.Runs, *run)
	}
	return nil
}

// record adds the lines that a run found blocked, and then the run, which ends what
// it added to the ledger.
func (w *writer) record(run *Run, blocked []Blocked) error {
	// What waits must be there to be counted.
	if err := w.flush(); err != nil {
		return err
	}
	const count = "SELECT ifnull(max(run), 0) + 1, count(CASE WHEN outcome <> ? AND agreement_id = ? AND period = ? AND inputs = ? THEN 1 END) + 1 FROM runs"
	if err := w.l.conn.QueryRowContext(w.ctx, count, RunErased, run.Agreement, run.Period, run.Inputs).Scan(&run.Run, &run.Nth); err != nil {
		return err
	}
	run.Blocked = int64(len(blocked))
	for i := range blocked {
		blocked[i].Run = run.Run
		var err error
		if blocked[i].Row, err = w.add(tableBlocked, blocked[i]); err != nil {
			return err
		}
	}
	run.Rows = w.row + 1 - w.first
	var err error
	run.Row, err = w.add(tableRuns, *run)
	w.first = w.row
	return err
}
