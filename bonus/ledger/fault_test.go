package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// errFull is what the disk says.
var errFull = errors.New("disk is full")

// failing is a driver whose connections fail once, when left comes to 0.
type failing struct {
	driver.Driver
	left *atomic.Int64
}

func (d failing) Open(name string) (driver.Conn, error) {
	c, err := d.Driver.Open(name)
	return failingConn{c, d.left}, err
}

type failingConn struct {
	driver.Conn
	left *atomic.Int64
}

func (c failingConn) fail() bool { return c.left.Add(-1) == 0 }

func (c failingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.fail() {
		return nil, errFull
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c failingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.fail() {
		return nil, errFull
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c failingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.fail() {
		return nil, errFull
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// Whichever statement fails, the ledger is as before or as after, says what went
// wrong, and goes on.
func TestEveryStatementCanFail(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	var left atomic.Int64
	name := fmt.Sprint("failing ", len(sql.Drivers())) // the test may run several times
	sql.Register(name, failing{db.Driver(), &left})
	require.NoError(t, db.Close())
	o := ledger.Default()
	o.Driver, o.Create = name, true
	ctx := context.Background()
	s := settle(t, seal(t, readTerms(t)), "2008-06-30", many(700), nil)
	failures := 0
	for at := int64(1); ; at++ {
		path := filepath.Join(t.TempDir(), "ledger.db")
		left.Store(at)
		err := func() error {
			l, err := ledger.Open(ctx, path, o)
			if err != nil {
				return err
			}
			defer l.Close()
			p, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
			if err != nil {
				return err
			}
			_, err = l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10"))
			return err
		}()
		ended := left.Load() > 0
		left.Store(0)
		if !ended {
			failures++
		}
		l, e := ledger.Open(ctx, path, o)
		require.NoError(t, e)
		bookings := whole(t, l).Bookings
		if err != nil {
			require.ErrorIs(t, err, errFull, "statement %d", at)
			require.Zero(t, bookings)
			book(t, l, s, "2008H1", "2008-07-10")
			whole(t, l)
		} else {
			require.EqualValues(t, 1, bookings)
		}
		require.NoError(t, l.Close())
		if ended {
			break
		}
	}
	require.Greater(t, failures, 50)
}
