package ledger_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// victim is the environment variable that makes this program book into the ledger
// that it names, until it is killed.
const victim = "LEDGER_TEST_VICTIM"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		if err := bookForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// plain is a tester where there is no test.
type plain struct{}

func (plain) Helper()                   {}
func (plain) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (plain) FailNow()                  { panic("failed") }

// many are cases of a half-year.
func many(n int) (jobs []job) {
	for i := range n {
		jobs = append(jobs, job{id: fmt.Sprint(i), provider: fmt.Sprint("p", i%50), on: "2008-03-01"})
	}
	return jobs
}

// bookForever proposes and books 2008H1 under agreement after agreement.
func bookForever(path string) error {
	ctx, o := context.Background(), ledger.Default()
	o.Create = true
	l, err := ledger.Open(ctx, path, o)
	if err != nil {
		return err
	}
	jobs := many(2000)
	for i := 0; ; i++ {
		s := settle(plain{}, seal(plain{}, readTerms(plain{}, "AGREEMENT", fmt.Sprint("A-", i))), "2008-06-30", jobs, nil)
		p, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
		if err != nil {
			return err
		}
		if p.Same() {
			continue // by one that was killed before
		}
		if _, err := l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10")); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// A program that is killed at any instant leaves the ledger as before a booking or
// as after it.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	kills := 12
	if testing.Short() {
		kills = 3
	}
	booked := int64(0)
	for i := range kills {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), victim+"="+path)
		require.NoError(t, c.Start())
		time.Sleep(time.Duration(40+37*i) * time.Millisecond)
		require.NoError(t, c.Process.Kill())
		_ = c.Wait()
		o := ledger.Default()
		o.Create = true
		l, err := ledger.Open(context.Background(), path, o)
		require.NoError(t, err)
		r := whole(t, l)
		require.GreaterOrEqual(t, r.Bookings, booked, "what was booked stays")
		booked = r.Bookings
		bookings, err := l.Bookings(context.Background(), ledger.Query{})
		require.NoError(t, err)
		for _, b := range bookings {
			cases, err := l.Cases(context.Background(), ledger.Query{Agreement: b.Agreement})
			require.NoError(t, err)
			require.Len(t, cases, 2000, "a booking is there whole")
			break // verify has seen that the others are what was accepted
		}
		require.NoError(t, l.Close())
	}
	if !testing.Short() {
		require.Positive(t, booked)
	}
}

// A context that ends while a ledger is written leaves it as before.
func TestStopped(t *testing.T) {
	l, _ := open(t)
	terms := seal(t, readTerms(t))
	s := settle(t, terms, "2008-06-30", many(3000), nil)
	p, err := l.Propose(context.Background(), s, "2008H1", preparer("2008-07-10"))
	require.NoError(t, err)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*500*time.Microsecond)
		_, err := l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10"))
		cancel()
		r := whole(t, l)
		if err == nil {
			require.EqualValues(t, 1, r.Bookings)
			return
		}
		require.Zero(t, r.Bookings)
	}
	_, err = l.Book(context.Background(), s, "2008H1", p.Hash, controller("2008-07-10"))
	require.NoError(t, err)
	require.EqualValues(t, 1, whole(t, l).Bookings)
}

// Of two who write at once, one waits, or fails cleanly.
func TestTwoAtOnce(t *testing.T) {
	l, path := open(t)
	ctx := context.Background()
	db := raw(t, path)
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	require.NoError(t, err)

	o := ledger.Default()
	o.Wait = 50 * time.Millisecond
	hasty, err := ledger.Open(ctx, path, o)
	require.NoError(t, err)
	defer hasty.Close()
	s := settle(t, seal(t, readTerms(t)), "2008-06-30", h1, nil)
	_, err = hasty.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
	require.ErrorIs(t, err, ledger.ErrBusy)
	_, err = hasty.Verify(ctx, "")
	require.NoError(t, err, "who reads is not kept out")

	done := make(chan error)
	go func() {
		_, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	_, err = conn.ExecContext(ctx, "COMMIT")
	require.NoError(t, err)
	require.NoError(t, <-done, "who waits comes next")
	whole(t, l)

	// Many at once, each with a connection of its own.
	errs := make(chan error)
	for i := range 6 {
		go func() {
			l, err := ledger.Open(ctx, path, ledger.Default())
			if err == nil {
				s := settle(plain{}, seal(plain{}, readTerms(plain{}, "AGREEMENT", fmt.Sprint("B-", i))), "2008-06-30", h1, nil)
				var p *ledger.Receipt
				if p, err = l.Propose(ctx, s, "2008H1", preparer("2008-07-10")); err == nil {
					_, err = l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10"))
				}
				_ = l.Close()
			}
			errs <- err
		}()
	}
	for range 6 {
		require.NoError(t, <-errs)
	}
	require.EqualValues(t, 6, whole(t, l).Bookings)
}
