package ledger_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// filled is a ledger with three bookings, corrections and a balance that is carried.
func filled(t *testing.T) string {
	t.Helper()
	l, path := open(t)
	terms := seal(t, readTerms(t))
	s := settle(t, terms, "2008-06-30", h1, map[string]bonus.Ore{"north": 3000_00, "south": 0})
	s.Settlement.Carried = []bonus.Balance{{Agreement: "A-1", Provider: "south", Amount: -5}}
	book(t, l, s, "2008H1", "2008-07-10")
	late := []job{h1[0], {id: "4", provider: "south", on: "2008-06-02"}, {id: "5", provider: "south", on: "2008-09-01"}}
	book(t, l, settle(t, terms, "2008-12-31", late, map[string]bonus.Ore{"north": 1000_00}), "2008H2", "2009-01-10")
	more := append(late, job{id: "6", provider: "north", on: "2009-02-01", quantity: "30"})
	book(t, l, settle(t, terms, "2009-06-30", more, map[string]bonus.Ore{"north": 1000_00}), "2009H1", "2009-06-30")
	whole(t, l)
	return path
}

// altered copies a ledger, does something to the copy with the rules of its tables
// lifted and put back, and verifies it.
func altered(t *testing.T, path, head string, do func(*sql.DB)) *ledger.Report {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, os.WriteFile(copied, b, 0o600))
	db := raw(t, copied)
	rows, err := db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	require.NoError(t, err)
	rules := map[string]string{}
	for rows.Next() {
		var name, text string
		require.NoError(t, rows.Scan(&name, &text))
		rules[name] = text
	}
	require.NoError(t, rows.Err())
	for name := range rules {
		_, err := db.Exec("DROP TRIGGER " + name)
		require.NoError(t, err)
	}
	do(db)
	for _, text := range rules {
		_, err := db.Exec(text)
		require.NoError(t, err)
	}
	l, err := ledger.Open(context.Background(), copied, ledger.Default())
	require.NoError(t, err)
	defer l.Close()
	r, err := l.Verify(context.Background(), head)
	require.NoError(t, err)
	return r
}

func run(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.Exec(statement, args...)
	require.NoError(t, err)
}

// The rules of the tables keep rows from being changed or taken away, and where they
// are lifted, every change of every column of every row is found.
func TestEveryChangeIsFound(t *testing.T) {
	path := filled(t)
	db := raw(t, path)
	rows, err := db.Query("SELECT m.name, c.name, c.type FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'")
	require.NoError(t, err)
	type column struct{ table, name, kind string }
	var columns []column
	for rows.Next() {
		var c column
		require.NoError(t, rows.Scan(&c.table, &c.name, &c.kind))
		columns = append(columns, c)
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(columns), 70)
	for _, c := range columns {
		_, err := db.Exec(fmt.Sprintf("UPDATE %s SET %s = %s", c.table, c.name, c.name))
		require.Error(t, err, "%s.%s", c.table, c.name)
		if c.table == "case_keys" {
			continue
		}
		_, err = db.Exec("DELETE FROM " + c.table)
		require.ErrorContains(t, err, "never taken away")
		var n int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM "+c.table).Scan(&n))
		require.Positive(t, n, c.table)
		other := map[string]string{"TEXT": "|| 'x'", "INTEGER": "+ 1000", "BLOB": "|| x'00'"}[c.kind]
		for at := range n {
			report := altered(t, path, "", func(db *sql.DB) {
				value := c.name + other
				if c.kind == "BLOB" {
					value = "CAST(" + value + " AS BLOB)"
				}
				run(t, db, fmt.Sprintf("UPDATE %s SET %s = %s WHERE row = (SELECT row FROM %s ORDER BY row LIMIT 1 OFFSET %d)", c.table, c.name, value, c.table, at))
			})
			require.NotEmpty(t, report.Problems, "%s.%s of row %d", c.table, c.name, at)
			if testing.Short() || at == 1 {
				break // one row in each column suffices beside the next test
			}
		}
	}
}

func TestTamperingIsFound(t *testing.T) {
	path := filled(t)
	db := raw(t, path)
	var rows int
	require.NoError(t, db.QueryRow("SELECT max(row) FROM runs").Scan(&rows))
	l, err := ledger.Open(context.Background(), path, ledger.Default())
	require.NoError(t, err)
	head := whole(t, l).Head
	require.NoError(t, l.Close())

	require.Empty(t, altered(t, path, head.Hash, func(*sql.DB) {}).Problems, "nothing was done")
	tables := []string{"bookings", "versions", "lines", "cases", "accounts", "balances", "blocked", "runs"}
	// Any row taken away.
	for row := 1; row <= rows; row++ {
		r := altered(t, path, "", func(db *sql.DB) {
			for _, table := range tables {
				run(t, db, "DELETE FROM "+table+" WHERE row = ?", row)
			}
		})
		require.NotEmpty(t, r.Problems, "row %d", row)
	}
	// The end cut off anywhere is found, unless whole runs are and SQLite's own count of
	// rows is set back: then only a head that was kept finds it.
	for last := range rows {
		cut := func(forget bool) func(*sql.DB) {
			return func(db *sql.DB) {
				for _, table := range tables {
					run(t, db, "DELETE FROM "+table+" WHERE row > ?", last)
					if forget {
						run(t, db, "UPDATE sqlite_sequence SET seq = (SELECT ifnull(max(row), 0) FROM "+table+") WHERE name = ?", table)
					}
				}
			}
		}
		require.NotEmpty(t, altered(t, path, "", cut(false)).Problems, "cut off after %d", last)
		require.NotEmpty(t, altered(t, path, head.Hash, cut(true)).Problems, "cut off after %d", last)
	}
	for name, do := range map[string]func(*sql.DB){
		"put in": func(db *sql.DB) {
			run(t, db, "INSERT INTO lines SELECT (SELECT max(row) + 1 FROM runs), booking, kind, key, line, corrects, provider_id, period, clause, cases, unit_price_ore, quantity_before, quantity, amount_before_ore, amount_now_ore, amount_ore, reason, hash FROM lines LIMIT 1")
		},
		"two that changed places": func(db *sql.DB) {
			run(t, db, "CREATE TEMP TABLE swapped AS SELECT row FROM lines ORDER BY row LIMIT 2")
			run(t, db, "UPDATE lines SET row = -row WHERE row IN (SELECT row FROM swapped)")
			run(t, db, "UPDATE lines SET row = (SELECT sum(row) FROM swapped) + row WHERE row < 0")
		},
		"two with one number": func(db *sql.DB) {
			run(t, db, "UPDATE runs SET row = row - 1 WHERE row = (SELECT max(row) FROM runs)")
		},
		"a column more": func(db *sql.DB) { run(t, db, "ALTER TABLE lines ADD COLUMN note TEXT") },
		"a column less": func(db *sql.DB) { run(t, db, "ALTER TABLE lines DROP COLUMN reason") },
		"a table more":  func(db *sql.DB) { run(t, db, "CREATE TABLE notes (note TEXT)") },
		"a table less":  func(db *sql.DB) { run(t, db, "DROP TABLE balances"); run(t, db, "CREATE TABLE balances (row)") },
		"a case in another's place": func(db *sql.DB) {
			run(t, db, "UPDATE case_keys SET participation = 'x' || participation WHERE participation = '1'")
		},
		"a case whose key is gone, and no erasure": func(db *sql.DB) {
			run(t, db, "DELETE FROM case_keys WHERE participation = '1'")
		},
		"a key of a case that was never booked": func(db *sql.DB) {
			key := sha256.Sum256([]byte("secretother"))
			run(t, db, "INSERT INTO case_keys VALUES ('other', CAST('secret' AS BLOB), ?)", hex.EncodeToString(key[:12]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, altered(t, path, "", do).Problems)
		})
	}
	// A rule that stays lifted is found too.
	run(t, db, "DROP TRIGGER lines_no_delete")
	l, err = ledger.Open(context.Background(), path, ledger.Default())
	require.NoError(t, err)
	defer l.Close()
	r, err := l.Verify(context.Background(), "")
	require.NoError(t, err)
	require.Equal(t, []ledger.Problem{{Table: "lines_no_delete", What: "the trigger was taken away"}}, r.Problems)
}

// Bytes of the file that were changed are found, or mean nothing: verify then says
// that the rows are as they were written, and they read the same.
func TestDamagedFiles(t *testing.T) {
	path := filled(t)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	read := func(path string) (string, *ledger.Report, error) {
		l, err := ledger.Open(context.Background(), path, ledger.Default())
		if err != nil {
			return "", nil, err
		}
		defer l.Close()
		r, err := l.Verify(context.Background(), "")
		if err != nil {
			return "", nil, err
		}
		lines, err := l.Lines(context.Background(), ledger.Query{})
		return fmt.Sprint(lines), r, err
	}
	want, _, err := read(path)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "copy.db")
	found := 0
	for at := 0; at < len(b); at += 173 {
		other := bytes.Clone(b)
		other[at] ^= 0x41
		require.NoError(t, os.WriteFile(copied, other, 0o600))
		got, report, err := read(copied)
		if err != nil || len(report.Problems) > 0 {
			found++
			continue
		}
		require.Equal(t, want, got, "byte %d", at)
	}
	require.Greater(t, found, 50)
}

// A file of somebody else, of a newer program, or of nothing.
func TestFilesThatAreNoLedger(t *testing.T) {
	folder, ctx := t.TempDir(), context.Background()
	write := func(name string, b []byte) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	_, err := ledger.Open(ctx, filepath.Join(folder, "none.db"), ledger.Default())
	require.Error(t, err)
	require.NoFileExists(t, filepath.Join(folder, "none.db"))
	_, err = ledger.Open(ctx, write("text.db", bytes.Repeat([]byte("no ledger "), 500)), ledger.Default())
	require.ErrorIs(t, err, ledger.ErrNotLedger)
	path := write("other.db", nil)
	run(t, raw(t, path), "CREATE TABLE a (b)")
	_, err = ledger.Open(ctx, path, ledger.Default())
	require.ErrorIs(t, err, ledger.ErrNotLedger)
	path = filled(t)
	run(t, raw(t, path), "PRAGMA user_version = 99")
	_, err = ledger.Open(ctx, path, ledger.Default())
	require.ErrorIs(t, err, ledger.ErrNewer)
	// Tables without a version that makes them.
	for _, none := range []string{"-1", "0"} {
		run(t, raw(t, path), "PRAGMA user_version = "+none)
		_, err = ledger.Open(ctx, path, ledger.Default())
		require.ErrorIs(t, err, ledger.ErrDamaged)
	}
	// An empty file has version 0, and is brought to that of today where a ledger is to
	// be made. To others it is none: it may have been one.
	path = write("empty ?#% ø.db", nil)
	_, err = ledger.Open(ctx, path, ledger.Default())
	require.ErrorIs(t, err, ledger.ErrNotLedger)
	create := ledger.Default()
	create.Create = true
	l, err := ledger.Open(ctx, path, create)
	require.NoError(t, err)
	whole(t, l)
	require.NoError(t, l.Close())
	var version, application int
	db := raw(t, "file:"+filepath.Join(folder, "empty %3f%23%25 ø.db"))
	require.NoError(t, db.QueryRow("PRAGMA user_version").Scan(&version))
	require.NoError(t, db.QueryRow("PRAGMA application_id").Scan(&application))
	require.Equal(t, 1, version)
	require.NotZero(t, application)
	_, err = ledger.Open(ctx, path, ledger.Options{Driver: "nobody"})
	require.ErrorContains(t, err, "nobody")
}
