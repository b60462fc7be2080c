package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

func newLedger() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger propose|book|show|runs|verify|erase",
		Short: "Book settlements, correct them later, and show and verify what was booked",
		Long: `The ledger is one file. A settlement period is booked in two acts by two persons:
one proposes what a settlement says, the other, in the role that the terms name under
settlement.accepted_by, accepts the hash of it, and by that books it. Later settlements
that say otherwise are booked as corrections with the next period. Nothing is ever
overwritten. Days are taken as given: the program knows no clock.`,
		Example: `  jobeffekt ledger propose results --ledger ledger.db --period 2010H1 --name "P. P." --role caseworker --on 2010-07-10
  jobeffekt ledger book results --ledger ledger.db --period 2010H1 --accept HASH --name "C. C." --role controller --on 2010-07-12`,
		Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("say what to do with the ledger: propose, book, show, runs, verify or erase")}
		},
	}
	c.AddCommand(newLedgerBook("propose"), newLedgerBook("book"), newLedgerShow(), newLedgerRuns(), newLedgerVerify(), newLedgerErase())
	for _, sub := range c.Commands() {
		usage(sub)
	}
	return c
}

// person is who does something with a ledger.
type person struct{ name, role, on string }

func (p *person) add(c *cobra.Command, does string) {
	c.Flags().StringVar(&p.name, "name", "", "who "+does)
	c.Flags().StringVar(&p.role, "role", "", "in which role")
	c.Flags().StringVar(&p.on, "on", "", "on which day")
}

func (p *person) given() (ledger.Person, error) {
	if p.name == "" || p.role == "" || p.on == "" {
		return ledger.Person{}, usageError{errors.New("--name, --role and --on say who does it, and when")}
	}
	on, err := effect.ParseDate(p.on)
	if err != nil {
		return ledger.Person{}, usageError{fmt.Errorf("--on: %w", err)}
	}
	return ledger.Person{Name: p.name, Role: p.role, On: on}, nil
}

// booking are the flags of whatever books.
type booking struct {
	person
	ledger, period, accept, agreement string
}

// book proposes what a results folder holds, or books it where a hash is accepted.
func (b *booking) book(ctx context.Context, out io.Writer, folder string) error {
	by, err := b.given()
	if err != nil {
		return err
	}
	s, err := jobeffekt.ReadForLedger(ctx, folder)
	if err != nil {
		return err
	}
	if b.agreement != "" {
		at := slices.IndexFunc(s.Terms, func(t *bonus.Terms) bool { return t.Agreement == b.agreement })
		if at < 0 {
			return usageError{fmt.Errorf("--agreement: the settlement has no terms of %s", b.agreement)}
		}
		s.Terms = s.Terms[at : at+1]
	}
	l, err := jobeffekt.OpenLedger(ctx, b.ledger, true)
	if err != nil {
		return err
	}
	defer l.Close()
	var r *ledger.Receipt
	if b.accept == "" {
		r, err = l.Propose(ctx, s, b.period, by)
	} else {
		r, err = l.Book(ctx, s, b.period, b.accept, by)
	}
	if err != nil {
		return err
	}
	receipt(out, r, s)
	if b.accept == "" && !r.Same() {
		fmt.Fprintf(out, "\nNothing is booked yet. Somebody else accepts it with:\n  jobeffekt ledger book %s --ledger %s --period %s --accept %s --name NAME --role ROLE --on DAY\n", folder, b.ledger, b.period, r.Hash)
	}
	fmt.Fprintf(out, "\nThe ledger has %d rows and the head %s\n", r.Head.Rows, r.Head.Hash)
	return nil
}

// receipt prints what was proposed or booked.
func receipt(out io.Writer, r *ledger.Receipt, s *ledger.Settled) {
	for i, p := range r.Plans {
		b, run := &p.Booking, r.Runs[i]
		if p.Same {
			fmt.Fprintf(out, "%s, %s: booked already, nothing new; this was run %d on these inputs.\n", b.Agreement, b.Period, run.Nth)
			continue
		}
		fmt.Fprintf(out, "%s, %s: %s on %s, in %s\n", b.Agreement, b.Period, run.Outcome, run.On, b.Currency)
		for _, l := range p.Lines {
			fmt.Fprintf(out, "  %-10s %14s  %s", l.Kind, l.Amount, l.Line.Line)
			if l.Kind == ledger.KindBooked && l.Reason != "" {
				fmt.Fprintf(out, "  (%s)", l.Reason)
			}
			fmt.Fprintln(out)
			if l.Kind == ledger.KindBooked {
				continue
			}
			fmt.Fprintf(out, "    quantity %s, now %s; amount %s, now %s", l.QuantityBefore, l.Quantity, l.AmountBefore, l.AmountNow)
			if l.Corrects != "" && l.Corrects != l.Line.Line {
				fmt.Fprintf(out, "; in place of %s", l.Corrects)
			}
			if l.Reason != "" {
				fmt.Fprintf(out, "; %s", l.Reason)
			}
			fmt.Fprintln(out)
			for _, c := range p.CasesOf(&l) {
				fmt.Fprintf(out, "    %s\n", c)
			}
		}
		for _, a := range p.Accounts {
			fmt.Fprintf(out, "  %s: carried here %s, lines %s, corrections %s, due %s; to be paid %s", a.Provider, a.Opening, a.Lines, a.Corrections, a.Due, a.Pay)
			if a.Carried != 0 {
				fmt.Fprintf(out, ", carried on %s", a.Carried)
			}
			if a.Claimed != 0 {
				fmt.Fprintf(out, ", claimed %s", a.Claimed)
			}
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "  payment by %s, objections until %s, corrections until %s, claims until %s\n", b.PaymentDue, b.ObjectionsTil, b.Final, b.Limitation)
		if run.Blocked > 0 {
			fmt.Fprintf(out, "  %d lines of the period are blocked; run %d on these inputs\n", run.Blocked, run.Nth)
		}
		for _, t := range s.Terms {
			if t.Agreement == b.Agreement && b.AcceptedBy == "" {
				fmt.Fprintf(out, "  to be accepted by the %s: %s\n", t.Settlement.AcceptedBy, r.Hash)
			}
		}
	}
}

func newLedgerBook(what string) *cobra.Command {
	var b booking
	short, does := "Show what would be booked for a settlement period, and record it as proposed", "proposes"
	long := `Reads a results folder and shows what would be booked for the settlement period: lines,
corrections of what was booked before with the cases behind them, and what is to be
paid to each provider. The hash of all that is printed, for somebody else to accept
with ledger book. Nothing is booked yet.`
	if what == "book" {
		short, does = "Accept what somebody else has proposed, and book it", "accepts"
		long = `Books a settlement period in one transaction, if the hash is that of what somebody else
has proposed, whoever accepts has the role that the terms name, the terms were sealed
in time, the period is over and the one before it is booked. A refusal is recorded too,
and says what is missing. Booked again on the same inputs, nothing is added.`
	}
	c := &cobra.Command{
		Use:   what + " FOLDER",
		Short: short,
		Long:  long,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case b.ledger == "" || b.period == "":
				return usageError{errors.New("--ledger and --period say where and what to book")}
			case what == "book" && b.accept == "":
				return usageError{errors.New("--accept is the hash that propose has shown")}
			}
			return b.book(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	c.Flags().StringVar(&b.ledger, "ledger", "", "file of the ledger; it is made where it is not there")
	c.Flags().StringVar(&b.period, "period", "", "settlement period, as in 2010H1")
	c.Flags().StringVar(&b.agreement, "agreement", "", "only this agreement; all of the settlement at once if left out")
	if what == "book" {
		c.Flags().StringVar(&b.accept, "accept", "", "hash of what was proposed")
	}
	b.person.add(c, does)
	return c
}

// afterRun are the flags by which a run is recorded in a ledger, and booked.
type afterRun struct{ booking }

func (a *afterRun) add(c *cobra.Command, books bool) {
	c.Flags().StringVar(&a.ledger, "ledger", "", "file of the ledger in which the run is recorded; it is made where it is not there")
	if books {
		c.Flags().StringVar(&a.period, "book", "", "settlement period to propose for booking, or to book with --accept")
		c.Flags().StringVar(&a.accept, "accept", "", "with --book: hash that somebody else has proposed and that is accepted")
		c.Flags().StringVar(&a.agreement, "agreement", "", "with --book: only this agreement")
		a.person.add(c, "runs it, or accepts")
	}
}

// check says what is missing before anything is computed.
func (a *afterRun) check(blinded bool) error {
	switch {
	case a.ledger != "" && blinded:
		return usageError{errors.New("--ledger: a blinded run settles nothing that could be recorded")}
	case a.period != "" && a.ledger == "":
		return usageError{errors.New("--book needs --ledger, the file to book in")}
	case a.period == "" && (a.accept != "" || a.agreement != ""):
		return usageError{errors.New("--accept and --agreement belong to --book")}
	case a.period != "":
		_, err := a.given()
		return err
	}
	return nil
}

// do records the run of a folder, or books it.
func (a *afterRun) do(ctx context.Context, out io.Writer, folder string) error {
	switch {
	case a.ledger == "":
		return nil
	case a.period != "":
		fmt.Fprintln(out)
		return a.book(ctx, out, folder)
	}
	s, err := jobeffekt.ReadForLedger(ctx, folder)
	if err != nil {
		return err
	}
	by := ledger.Person{Name: a.name, Role: a.role, On: effect.NoDate}
	if a.on != "" {
		if by.On, err = effect.ParseDate(a.on); err != nil {
			return usageError{fmt.Errorf("--on: %w", err)}
		}
	}
	l, err := jobeffekt.OpenLedger(ctx, a.ledger, true)
	if err != nil {
		return err
	}
	defer l.Close()
	head, err := l.Record(ctx, s, by)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Recorded in %s as provisional; it has %d rows and the head %s\n", a.ledger, head.Rows, head.Hash)
	return nil
}

// query are the flags that choose rows.
func addQuery(c *cobra.Command, q *ledger.Query, provider bool) {
	c.Flags().StringVar(&q.Agreement, "agreement", "", "only this agreement")
	c.Flags().StringVar(&q.Period, "period", "", "only this settlement period, of the line or of its booking")
	if provider {
		c.Flags().StringVar(&q.Provider, "provider", "", "only this provider")
	}
}

// show prints rows of a ledger as a table.
func show[T any](cmd *cobra.Command, p *printing, name, path string, rows func(context.Context, *ledger.Ledger) ([]T, error)) error {
	if err := p.check(path); err != nil {
		return err
	}
	l, err := jobeffekt.OpenLedger(cmd.Context(), path, false)
	if err != nil {
		return err
	}
	defer l.Close()
	all, err := rows(cmd.Context(), l)
	if err != nil {
		return err
	}
	t, err := ingest.FromRows(name, all)
	if err != nil {
		return err
	}
	if p.out == "" {
		shorten(t)
	}
	return p.write(cmd, t)
}

// shorten shows hashes by their first digits.
func shorten(t *ingest.Table) {
	for _, c := range t.Columns {
		for i, s := range c.Texts {
			if b, err := hex.DecodeString(s); err == nil && len(b) == sha256.Size {
				c.Texts[i] = s[:12]
			}
		}
	}
}

func newLedgerShow() *cobra.Command {
	var q ledger.Query
	var p printing
	var what string
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "List what was booked: lines, the cases behind them, accounts, or bookings",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch what {
			case "lines":
				return show(cmd, &p, "ledger_lines", args[0], func(ctx context.Context, l *ledger.Ledger) ([]ledger.BookedLine, error) { return l.Lines(ctx, q) })
			case "cases":
				return show(cmd, &p, "ledger_cases", args[0], func(ctx context.Context, l *ledger.Ledger) ([]ledger.BookedCase, error) { return l.Cases(ctx, q) })
			case "accounts":
				return show(cmd, &p, "ledger_accounts", args[0], func(ctx context.Context, l *ledger.Ledger) ([]ledger.BookedAccount, error) { return l.Accounts(ctx, q) })
			case "bookings":
				return show(cmd, &p, "ledger_bookings", args[0], func(ctx context.Context, l *ledger.Ledger) ([]ledger.Booking, error) { return l.Bookings(ctx, q) })
			}
			return usageError{fmt.Errorf("--what %q: it is lines, cases, accounts or bookings", what)}
		},
	}
	c.Flags().StringVar(&what, "what", "lines", "lines, cases, accounts or bookings")
	addQuery(c, &q, true)
	p.add(c)
	return c
}

func newLedgerRuns() *cobra.Command {
	var q ledger.Query
	var p printing
	var blocked bool
	c := &cobra.Command{
		Use:   "runs FILE",
		Short: "List every run that named the ledger: booked, refused, repeated, blocked by gates",
		Long: `Lists the runs in the order of time. nth counts the runs on the same inputs for the
period; blocked how many of its lines a gate kept from being paid; opened how many lines
were blocked in an earlier run on the same inputs and are not in this one: running again
until a gate passes shows here. exits counts the cases that a booking took back: by a
correction after the day on which they were to be paid, or by the terms. Hashes are
shown by their first digits; --out writes them whole.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if blocked {
				return show(cmd, &p, "ledger_blocked", args[0], func(ctx context.Context, l *ledger.Ledger) ([]ledger.Blocked, error) { return l.BlockedLines(ctx) })
			}
			return show(cmd, &p, "ledger_runs", args[0], func(ctx context.Context, l *ledger.Ledger) ([]ledger.RecordedRun, error) { return l.Runs(ctx, q) })
		},
	}
	c.Flags().BoolVar(&blocked, "blocked", false, "list the lines that were blocked, by the number of the run, in place of the runs")
	addQuery(c, &q, false)
	p.add(c)
	return c
}

func newLedgerVerify() *cobra.Command {
	var head string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Find rows that were changed, taken away, put in or moved",
		Long: `Works out every hash of the ledger again and holds it against what stands there. Keep
the head that it prints elsewhere: with --head it says whether the ledger still begins
with what it held then, which finds also an end that was cut off and a ledger that was
written anew.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := jobeffekt.OpenLedger(cmd.Context(), args[0], false)
			if err != nil {
				return err
			}
			defer l.Close()
			r, err := l.Verify(cmd.Context(), head)
			if err != nil {
				return err
			}
			for _, p := range r.Problems {
				where := strings.TrimSpace(fmt.Sprintf("%s %d", p.Table, p.Row))
				if p.Row == 0 {
					where = p.Table
				}
				fmt.Fprintln(cmd.OutOrStdout(), strings.TrimPrefix(where+": "+p.What, ": "))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rows, %d bookings, head %s\n", r.Head.Rows, r.Bookings, r.Head.Hash)
			if len(r.Problems) > 0 {
				return errors.New("the ledger is not as it was written; what differs is listed above: go back to a copy, and find out who could write to it")
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Every row is as it was written.")
			return nil
		},
	}
	c.Flags().StringVar(&head, "head", "", "head that was kept elsewhere")
	return c
}

func newLedgerErase() *cobra.Command {
	var by person
	var id string
	c := &cobra.Command{
		Use:   "erase FILE",
		Short: "Erase who a case was; what was booked stays",
		Long: `Takes a participation from the table of keys, so that nothing in the ledger says any
more who the case was. Its key, day and quantity stay where they were booked, and verify
still passes. That it was done is recorded, without the case.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if id == "" {
				return usageError{errors.New("--case is the participation_id to erase")}
			}
			who, err := by.given()
			if err != nil {
				return err
			}
			l, err := jobeffekt.OpenLedger(cmd.Context(), args[0], false)
			if err != nil {
				return err
			}
			defer l.Close()
			had, err := l.Erase(cmd.Context(), id, who)
			if err != nil {
				return err
			}
			if !had {
				return errors.New("the ledger knows no such case: it was never booked, or is erased already")
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Erased. Copies of the ledger and the results folders still know the case.")
			return nil
		},
	}
	c.Flags().StringVar(&id, "case", "", "participation_id of the case")
	by.add(c, "erases")
	return c
}
