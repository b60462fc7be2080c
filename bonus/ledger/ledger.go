package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jobeffekt/jobeffekt/effect"
)

// The errors of a ledger's file.
var (
	// ErrBusy says that another program held the file for longer than this one waited.
	ErrBusy = errors.New("another program is writing to the ledger; nothing was written here: try again when it is done")
	// ErrNewer says that the file was made by a newer version of the program.
	ErrNewer = errors.New("the ledger was made by a newer version of the program; use that one")
	// ErrNotLedger says that the file is something else than a ledger.
	ErrNotLedger = errors.New("the file is no ledger; name one, or a file that is not there yet")
	// ErrDisk says that the file, or its folder, could not be read or written. The ledger is as it was.
	ErrDisk = errors.New("the ledger could not be read or written, and is as it was: see that its disk has room and that its folder may be written to")
	// ErrDamaged says that the file holds what no ledger does.
	ErrDamaged = errors.New("the ledger is damaged; see what ledger verify says, and go back to a copy")
)

// Refusal says why something is not booked. Nothing was changed but for the record
// of the run.
type Refusal struct {
	Code      string // stable: see below
	Agreement string
	Period    string
	Why       string // one sentence or more
	Cure      string // what to do about it
}

func (r *Refusal) Error() string {
	where := ""
	if r.Agreement != "" {
		where = fmt.Sprintf("agreement %s, %s: ", r.Agreement, r.Period)
	}
	return fmt.Sprintf("not booked (%s): %s%s: %s", r.Code, where, r.Why, r.Cure)
}

// The codes of refusals.
const (
	RefusedNoCalendar    = "no_calendar"      // the terms have no key settlement
	RefusedNoPeriod      = "no_period"        // no terms at hand have such a settlement period
	RefusedNotOver       = "period_not_over"  // as_of lies before the last day of the period
	RefusedOlder         = "older_settlement" // as_of, or the day, lies before that of what was booked
	RefusedOrder         = "out_of_order"     // a later period is booked, or an earlier one is not
	RefusedClosed        = "period_closed"    // the period is booked, and what is settled now differs
	RefusedRetrospective = "retrospective"    // the terms were not sealed in time
	RefusedCohort        = "cohort"           // the referrals measured do not fit those of what was booked
	RefusedRepriced      = "terms_changed"    // a version under which lines were booked reads otherwise
	RefusedNotProposed   = "not_proposed"     // nobody has proposed what is accepted
	RefusedChanged       = "changed"          // what would be booked is not what was proposed
	RefusedSamePerson    = "same_person"      // who prepared it cannot accept it
	RefusedRole          = "wrong_role"       // another role must accept it
	RefusedDate          = "date"             // a day lies before what it is about
	RefusedPerson        = "no_name"          // a name or a role is missing
)

// Options say how a ledger is opened. Start from [Default].
type Options struct {
	Driver string        // name under which the program registered its driver for SQLite
	Wait   time.Duration // how long to wait for another program that writes
	Create bool          // make the file if it is not there
}

// Default opens a ledger that is there by the driver "sqlite", and waits for ten
// seconds.
func Default() Options { return Options{Driver: "sqlite", Wait: 10 * time.Second} }

// Ledger is an open file. It is for one goroutine at a time; several programs can
// have the same file open.
type Ledger struct {
	db   *sql.DB
	conn *sql.Conn
}

// Open opens a ledger, makes its tables in a new or empty file where Create says
// so, and brings those of an older version up to date, in one transaction. The
// error wraps [ErrNotLedger], [ErrNewer] or [ErrBusy].
//
// The file has a rollback journal and is synchronous to the disk: a program or a
// machine that stops leaves it as before a booking or as after it. What is taken
// away is overwritten with zeros.
func Open(ctx context.Context, path string, o Options) (*Ledger, error) {
	mode := "rw"
	if o.Create {
		mode = "rwc"
	}
	db, err := sql.Open(o.Driver, "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)+"?mode="+mode)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{db: db}
	if err := l.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", ended(ctx, busy(err))), l.Close())
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context, o Options) (err error) {
	if l.conn, err = l.db.Conn(ctx); err != nil {
		return err
	}
	for _, pragma := range []string{
		fmt.Sprintf("busy_timeout = %d", o.Wait.Milliseconds()),
		"synchronous = EXTRA", "secure_delete = ON", "trusted_schema = OFF", "temp_store = MEMORY", "cache_size = -32768",
	} {
		if _, err := l.conn.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return notLedger(err)
		}
	}
	have, err := l.version(ctx)
	switch {
	case err != nil:
		return err
	case have == version:
		return nil
	case have > version:
		return fmt.Errorf("%w: its tables have version %d, and this program knows %d", ErrNewer, have, version)
	case have == 0 && !o.Create:
		return fmt.Errorf("%w: it is empty", ErrNotLedger)
	}
	return l.migrate(ctx)
}

// version is that of the tables, 0 for an empty file.
func (l *Ledger) version(ctx context.Context) (int, error) {
	var have, app, objects int
	for _, q := range []struct {
		query string
		to    *int
	}{{"PRAGMA user_version", &have}, {"PRAGMA application_id", &app}, {"SELECT count(*) FROM sqlite_schema", &objects}} {
		if err := l.conn.QueryRowContext(ctx, q.query).Scan(q.to); err != nil {
			return 0, notLedger(err)
		}
	}
	if app != application && (app != 0 || have != 0 || objects != 0) {
		return 0, ErrNotLedger
	}
	if have < 0 || have == 0 && objects != 0 {
		return 0, fmt.Errorf("%w: it has tables, and none have version %d", ErrDamaged, have)
	}
	return have, nil
}

// migrate brings the tables up to date, in one transaction. Somebody else may have
// done so meanwhile.
func (l *Ledger) migrate(ctx context.Context) error {
	return l.locked(ctx, func() error {
		have, err := l.version(ctx)
		if err != nil {
			return err
		}
		for i := have; i < version; i++ {
			for _, statement := range append(migrations[i](), fmt.Sprintf("PRAGMA user_version = %d", i+1)) {
				if _, err := l.conn.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// locked does something in a transaction that keeps other writers out from its
// start. On an error everything is as before.
func (l *Ledger) locked(ctx context.Context, do func() error) error {
	// What begins and ends a transaction must not be left half done when ctx ends: a
	// beginning that was stopped may have begun, and is undone too.
	whole := context.WithoutCancel(ctx)
	_, err := l.conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	if err == nil {
		if err = do(); err == nil {
			err = effect.Stopped(ctx)
		}
		if err == nil {
			if _, err = l.conn.ExecContext(whole, "COMMIT"); err == nil {
				return nil
			}
		}
	}
	// If it cannot be rolled back the connection is of no use, and its end does it.
	_, _ = l.conn.ExecContext(whole, "ROLLBACK")
	return ended(ctx, busy(err))
}

// reading does something in a transaction that sees one state of the file.
func (l *Ledger) reading(ctx context.Context, do func() error) error {
	whole := context.WithoutCancel(ctx)
	if _, err := l.conn.ExecContext(whole, "BEGIN"); err != nil {
		return busy(err)
	}
	defer func() { _, _ = l.conn.ExecContext(whole, "ROLLBACK") }()
	if err := do(); err != nil {
		return ended(ctx, busy(err))
	}
	return effect.Stopped(ctx) // rows may be missing
}

// ended is err, but effect.Stopped where it says no more than that ctx is done: the
// database knows of that, not of the cause.
func ended(ctx context.Context, err error) error {
	if stopped := effect.Stopped(ctx); stopped != nil && (errors.Is(err, ctx.Err()) || code(err) == sqliteInterrupt) {
		return stopped
	}
	return err
}

// Close closes the file.
func (l *Ledger) Close() error {
	var err error
	if l.conn != nil {
		err = l.conn.Close()
	}
	return errors.Join(err, l.db.Close())
}

// SQLite's result codes that matter here.
const (
	sqliteError     = 1
	sqliteBusy      = 5
	sqliteLocked    = 6
	sqliteReadOnly  = 8
	sqliteInterrupt = 9
	sqliteIO        = 10
	sqliteCorrupt   = 11
	sqliteFull      = 13
	sqliteCantOpen  = 14
	sqliteTooBig    = 18
	sqliteNotADB    = 26
)

// code is SQLite's result code of an error, 0 where it has none.
func code(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code() & 0xff
	}
	return 0
}

// busy wraps what SQLite says of a file that is held by another program, or damaged.
func busy(err error) error {
	switch code(err) {
	case sqliteBusy, sqliteLocked:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case sqliteReadOnly, sqliteIO, sqliteFull, sqliteCantOpen:
		return fmt.Errorf("%w: %w", ErrDisk, err)
	case sqliteError, sqliteCorrupt, sqliteTooBig: // statements are the program's own: a file that they do not fit is not as it was written
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// notLedger wraps what SQLite says of a file that is none of its own.
func notLedger(err error) error {
	if code(err) == sqliteNotADB {
		return fmt.Errorf("%w: %w", ErrNotLedger, err)
	}
	return err
}

// Person is who does something, in which role, on which day.
type Person struct {
	Name string
	Role string
	On   effect.Date // as given: no clock is read
}

// same says whether two names are of the same person: only letters and digits count,
// whatever their case.
func same(a, b string) bool { return strings.EqualFold(letters(a), letters(b)) }

// letters are the letters and digits of a name.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name)
}
