package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
)

// Problem is something in a ledger that is not as it was written.
type Problem struct {
	Row   int64  `col:"row" doc:"number of the row in the ledger; 0 where no row is meant"`
	Table string `col:"table" doc:"table of the row"`
	What  string `col:"what" doc:"what is wrong"`
}

// Report is what a look at a whole ledger found.
type Report struct {
	Head     Head // keep it elsewhere: see Verify
	Bookings int64
	Problems []Problem
}

// Verify goes through every row, works out every hash again, and finds rows and
// columns that were changed, taken away, put in or moved, rules of the tables that
// were lifted, bookings that are not what was accepted, and sums that do not add up.
//
// Somebody who can write to the file can also work out all hashes again, and can cut
// off whole runs at the end. So the head should be kept elsewhere: with head given,
// Verify says whether the ledger still begins with what it held when that was its
// head. An erased case is no problem.
//
// The error wraps [ErrBusy] or that of ctx; what is wrong with the ledger is in the
// report.
func (l *Ledger) Verify(ctx context.Context, head string) (*Report, error) {
	v := &verifier{l: l, ctx: ctx, report: &Report{}, keys: map[[2]string]*keyState{}, carried: map[string]map[string]bonus.Ore{}}
	err := l.reading(ctx, func() error { return v.verify(strings.ToLower(head)) })
	if code(err) == sqliteCorrupt {
		v.problem(0, "", "SQLite cannot read the file: it is damaged")
		return v.report, nil
	}
	if err != nil {
		return nil, err
	}
	return v.report, nil
}

type verifier struct {
	l      *Ledger
	ctx    context.Context // of one call of Verify
	report *Report

	run     int64                   // row of the last run
	booking *verifying              // that is being read, nil between bookings
	kept    []string                // contents of the bookings that were accepted together
	hash    string                  // that was accepted for them
	keys    map[[2]string]*keyState // by agreement and key
	carried map[string]map[string]bonus.Ore
}

// keyState is what was last booked under a key.
type keyState struct {
	quantity string
	amount   bonus.Ore
}

// verifying is a booking whose rows are being read.
type verifying struct {
	booking  Booking
	content  *content
	lines    map[int64]bool
	accounts map[string]*Account // as the lines say
	found    map[string]bool
}

func (v *verifier) problem(row int64, table, format string, args ...any) {
	v.report.Problems = append(v.report.Problems, Problem{row, table, fmt.Sprintf(format, args...)})
}

func (v *verifier) verify(head string) error {
	if whole, err := v.schema(); err != nil || !whole {
		return err
	}
	var checked string
	if err := v.l.conn.QueryRowContext(v.ctx, "PRAGMA quick_check(1)").Scan(&checked); err != nil {
		return err
	}
	if checked != "ok" {
		v.problem(0, "", "SQLite finds the file damaged: %s", checked)
	}
	found, err := v.chain(head)
	if err != nil {
		return err
	}
	if err := v.caseKeys(); err != nil {
		return err
	}
	if head != "" && !found {
		v.problem(0, "", "the ledger does not begin with what it held when its head was %s: its end was cut off, or it was written anew", head)
	}
	return nil
}

// schema holds the tables and their rules against those of a new ledger, and says
// whether the rows can be read at all.
func (v *verifier) schema() (whole bool, err error) {
	want := map[string]string{}
	for i := range migrations {
		for _, statement := range migrations[i]() {
			if words := strings.Fields(statement); words[0] == "CREATE" {
				want[words[2]] = statement
			}
		}
	}
	rows, err := v.l.conn.QueryContext(v.ctx, "SELECT type, name, ifnull(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
	if err != nil {
		return false, err
	}
	defer rows.Close()
	whole = true
	for rows.Next() {
		var kind, name, text string
		if err := scan(rows, &kind, &name, &text); err != nil {
			return false, err
		}
		switch made, ok := want[name]; {
		case !ok:
			v.problem(0, name, "the %s is none of a ledger's", kind)
		case made != text:
			v.problem(0, name, "the %s is not as the program made it", kind)
			whole = whole && kind != "table"
		}
		delete(want, name)
	}
	for _, t := range migrations[0]() {
		words := strings.Fields(t)
		if words[0] != "CREATE" || want[words[2]] == "" {
			continue
		}
		v.problem(0, words[2], "the %s was taken away", strings.ToLower(words[1]))
		whole = whole && words[1] != "TABLE"
	}
	return whole, rows.Err()
}

// caseKeys finds cases that were put in another's place in the table of keys, and keys
// that were put in, or taken away by other means than [Ledger.Erase]: every key stands
// with a case that was booked, and each that is missing has an erasure.
func (v *verifier) caseKeys() error {
	rows, err := v.l.conn.QueryContext(v.ctx, "SELECT participation, secret, case_key FROM case_keys")
	if err != nil {
		return err
	}
	defer rows.Close()
	wrong := 0
	for rows.Next() {
		var participation, key string
		var secret []byte
		if err := scan(rows, &participation, &secret, &key); err != nil {
			return err
		}
		if keyOf(secret, participation) != key {
			wrong++
		}
	}
	if wrong > 0 {
		v.problem(0, "case_keys", "%d keys do not belong to the cases that they stand with", wrong)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, q := range []struct{ query, says string }{
		{"SELECT count(*) FROM case_keys WHERE case_key NOT IN (SELECT case_key FROM cases)", "%d keys stand with no case that was booked"},
		{"SELECT (SELECT count(*) FROM (SELECT case_key FROM cases EXCEPT SELECT case_key FROM case_keys)) - (SELECT count(*) FROM runs WHERE outcome = '" + RunErased + "')", "%d cases more have no key than were erased"},
	} {
		var n int64
		if err := v.l.conn.QueryRowContext(v.ctx, q.query).Scan(&n); err != nil {
			return err
		}
		if n != 0 {
			v.problem(0, "case_keys", q.says, n)
		}
	}
	return nil
}

// cursor goes through the rows of a table.
type cursor struct {
	rows   *sql.Rows
	table  int
	at     map[string]int // of a column in values
	row    int64
	values []any
	to     []any // where a row is scanned to, but for its hash
	hash   []byte
	done   bool
}

func (c *cursor) next() error {
	if c.done = !c.rows.Next(); c.done {
		return c.rows.Err()
	}
	var hash any
	if c.to == nil {
		c.to = append(c.to, &c.row)
		for i := range c.values {
			c.to = append(c.to, &c.values[i])
		}
	}
	if err := scan(c.rows, append(c.to, &hash)...); err != nil {
		return err
	}
	c.hash, _ = hash.([]byte)
	return nil
}

// chain goes through all rows in the order of their numbers, and reports whether the
// head was found.
func (v *verifier) chain(head string) (found bool, err error) {
	var cursors [len(tables)]*cursor
	for i, t := range tables {
		rows, err := v.l.conn.QueryContext(v.ctx, "SELECT row, "+strings.Join(t.names(), ", ")+", hash FROM "+t.name+" ORDER BY row")
		if err != nil {
			return false, err
		}
		defer rows.Close()
		cursors[i] = &cursor{rows: rows, table: i, at: map[string]int{}, values: make([]any, len(t.names()))}
		for k, name := range t.names() {
			cursors[i].at[name] = k
		}
		if err := cursors[i].next(); err != nil {
			return false, err
		}
	}
	var last [len(tables)]int64
	var scratch []byte
	row, before, known := int64(0), make([]byte, sha256.Size), true
	ended := true // whether the last row was that of a run
	for {
		var c *cursor
		for _, x := range cursors {
			if !x.done && (c == nil || x.row < c.row) {
				c = x
			}
		}
		if c == nil {
			break
		}
		name := tables[c.table].name
		switch {
		case c.row == row:
			v.problem(c.row, name, "two rows have its number")
		case c.row < 1:
			v.problem(c.row, name, "no row of a ledger has its number")
		case c.row == row+2:
			v.problem(row+1, "", "the row is gone")
			known = false
		case c.row != row+1:
			v.problem(row+1, "", "the rows %d to %d are gone", row+1, c.row-1)
			known = false
		}
		var want []byte
		want, scratch = rowHash(scratch, before, c.table, c.row, c.values)
		if known && !bytes.Equal(want, c.hash) {
			v.problem(c.row, name, "the row, or its place, is not as it was written")
		}
		// The rows after it are judged by what stands here.
		row, before, known, last[c.table] = c.row, bytes.Clone(c.hash), true, c.row
		found = found || hex.EncodeToString(before) == head
		v.meaning(c)
		ended = c.table == tableRuns
		if err := c.next(); err != nil {
			return false, err
		}
	}
	v.endBooking()
	v.endAccepted()
	if !ended {
		v.problem(row, "", "the ledger ends in the middle of a run: rows after it are gone")
	}
	for i, t := range tables {
		var ever int64
		if err := v.l.conn.QueryRowContext(v.ctx, "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = ?", t.name).Scan(&ever); err != nil {
			return false, err
		}
		if ever != last[i] {
			v.problem(last[i], t.name, "the table had rows up to number %d, and now ends at %d", ever, last[i])
		}
	}
	v.report.Head = Head{Rows: row, Hash: hex.EncodeToString(before)}
	return found, nil
}

// value is that of a column. As a text it is "" and as a number 0 where it is of
// another kind, which the hash tells.
func (c *cursor) value(column string) any {
	if i, ok := c.at[column]; ok {
		return c.values[i]
	}
	return nil
}

func (c *cursor) text(column string) string {
	s, _ := c.value(column).(string)
	return s
}

func (c *cursor) number(column string) int64 {
	n, _ := c.value(column).(int64)
	return n
}

// meaning holds a row against those before it.
func (v *verifier) meaning(c *cursor) {
	name := tables[c.table].name
	if c.table == tableRuns {
		v.endBooking()
		v.endAccepted()
		if rows := c.number("rows"); rows != c.row-v.run {
			v.problem(c.row, name, "the run added %d rows, and there are %d", rows, c.row-v.run)
		}
		v.run = c.row
		return
	}
	if c.table == tableBlocked {
		v.endBooking()
		return
	}
	if c.table == tableBookings {
		v.endBooking()
		v.report.Bookings++
		b := &verifying{content: newContent(), lines: map[int64]bool{}, accounts: map[string]*Account{}, found: map[string]bool{}}
		b.booking = Booking{Row: c.row, Agreement: c.text("agreement_id"), Content: c.text("content"), Accepted: c.text("accepted"), Corrections: c.text("corrections")}
		if same(c.text("prepared_by"), c.text("accepted_by")) {
			v.problem(c.row, name, "who prepared the booking has accepted it")
		}
		for provider, carried := range v.carried[b.booking.Agreement] {
			b.accounts[provider] = &Account{Provider: provider, Opening: carried}
		}
		v.carried[b.booking.Agreement] = map[string]bonus.Ore{}
		v.booking = b
	}
	b := v.booking
	if b == nil {
		v.problem(c.row, name, "the row belongs to no booking")
		return
	}
	b.content.add(c.table, c.values)
	switch c.table {
	case tableLines:
		v.line(c, b)
	case tableCases:
		if !b.lines[c.number("line")] {
			v.problem(c.row, name, "the case belongs to no line of the booking")
		}
		return
	case tableAccounts:
		v.account(c, b)
	case tableBookings:
		return
	}
	if c.number("booking") != b.booking.Row {
		v.problem(c.row, name, "the row names another booking than that which it stands in")
	}
}

// line holds a line against what was booked under its key before.
func (v *verifier) line(c *cursor, b *verifying) {
	b.lines[c.row] = true
	before, now, amount := bonus.Ore(c.number("amount_before_ore")), bonus.Ore(c.number("amount_now_ore")), bonus.Ore(c.number("amount_ore"))
	if d, err := sub(now, before); err != nil || d != amount {
		v.problem(c.row, "lines", "the amount is not the difference of what it says")
	}
	key := [2]string{b.booking.Agreement, c.text("key")}
	k := v.keys[key]
	if k == nil {
		k = &keyState{quantity: "0"}
		v.keys[key] = k
	}
	if k.amount != before || k.quantity != c.text("quantity_before") {
		v.problem(c.row, "lines", "what it says was booked before is not what was")
	}
	provider := c.text("provider_id")
	if b.accounts[provider] == nil && c.text("kind") != KindTooLate {
		b.accounts[provider] = &Account{Provider: provider}
	}
	a, err := b.accounts[provider], error(nil)
	switch c.text("kind") {
	case KindBooked:
		a.Lines, err = add(a.Lines, amount, nil)
	case KindCorrection:
		a.Corrections, err = add(a.Corrections, amount, nil)
	case KindTooLate:
		return
	default:
		v.problem(c.row, "lines", "no line is of the kind %q", c.text("kind"))
	}
	if err != nil {
		v.problem(c.row, "lines", "the sum is too large")
	}
	k.amount, k.quantity = now, c.text("quantity")
}

// account holds an account against the lines.
func (v *verifier) account(c *cursor, b *verifying) {
	provider := c.text("provider_id")
	b.found[provider] = true
	want := cmp.Or(b.accounts[provider], &Account{})
	if err := want.close(bonus.Corrections(b.booking.Corrections), nil); err != nil {
		v.problem(c.row, "accounts", "the sum is too large")
	}
	want.Provider, want.Booking = provider, c.number("booking")
	wanted := values(nil, *want)
	for i, name := range tables[tableAccounts].names() {
		if c.values[i] != wanted[i] {
			v.problem(c.row, "accounts", "%s is not what the lines add up to", name)
		}
	}
	v.carried[b.booking.Agreement][provider] = bonus.Ore(c.number("carried_ore"))
	if c.number("carried_ore") == 0 {
		delete(v.carried[b.booking.Agreement], provider)
	}
}

// endBooking closes the booking that was read.
func (v *verifier) endBooking() {
	b := v.booking
	if b == nil {
		return
	}
	v.booking = nil
	for provider := range b.accounts {
		if !b.found[provider] {
			v.problem(b.booking.Row, "bookings", "a provider with lines has no account in the booking")
			break
		}
	}
	if b.content.sum() != b.booking.Content {
		v.problem(b.booking.Row, "bookings", "what is booked is not what its hash says")
	}
	if v.hash != b.booking.Accepted {
		v.endAccepted()
	}
	v.hash, v.kept = b.booking.Accepted, append(v.kept, b.booking.Content)
}

// endAccepted closes the bookings that were accepted together.
func (v *verifier) endAccepted() {
	if v.kept != nil && accepted(v.kept) != v.hash {
		v.problem(0, "bookings", "what was accepted is not what was booked")
	}
	v.kept, v.hash = nil, ""
}
