package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Head is the end of the chain. Whoever keeps it elsewhere can see later whether
// the ledger still begins with what it held then.
type Head struct {
	Rows int64  // number of the last row, 0 in an empty ledger
	Hash string // of the last row, which depends on every row before it
}

// rowHash is SHA-256 over the hash of the row before, the number of the table,
// the number of the row, and each value with its kind and length, in the order of
// the columns.
func rowHash(scratch []byte, before []byte, table int, row int64, values []any) ([]byte, []byte) {
	b := append(scratch[:0], before...)
	b = append(b, byte(table))
	b = binary.BigEndian.AppendUint64(b, uint64(row))
	for _, v := range values {
		b = encode(b, v)
	}
	h := sha256.Sum256(b)
	return h[:], b
}

// encode appends a value with its kind and length. What no column of a ledger holds
// gets a kind of its own, so that it hashes to something else.
func encode(b []byte, v any) []byte {
	switch x := v.(type) {
	case int64:
		b = append(b, 'i')
		return binary.BigEndian.AppendUint64(b, uint64(x))
	case string:
		b = append(b, 's')
		b = binary.AppendUvarint(b, uint64(len(x)))
		return append(b, x...)
	case []byte:
		b = append(b, 'b')
		b = binary.AppendUvarint(b, uint64(len(x)))
		return append(b, x...)
	}
	return append(append(b, '?'), fmt.Sprintf("%T %v", v, v)...)
}

// head is the end of the chain as it is stored.
func (l *Ledger) head(ctx context.Context) (row int64, hash []byte, err error) {
	hash = make([]byte, sha256.Size) // before the first row
	for _, t := range tables {
		var r int64
		var h []byte
		switch err := l.conn.QueryRowContext(ctx, "SELECT row, hash FROM "+t.name+" ORDER BY row DESC LIMIT 1").Scan(&r, &h); {
		case err == sql.ErrNoRows:
		case err != nil:
			return 0, nil, err
		case r > row:
			row, hash = r, h
		}
	}
	return row, hash, nil
}

// batch is how many rows go into the file by one statement.
const batch = 200

// writer adds rows to the chain, in a transaction that is open.
type writer struct {
	l       *Ledger
	ctx     context.Context // of the transaction, which the writer does not outlive
	row     int64           // of the last row added
	hash    []byte
	first   int64 // row before the first that the writer adds
	pending [len(tables)][]any
	full    [len(tables)]*sql.Stmt
	scratch []byte
	args    []any
}

func (l *Ledger) newWriter(ctx context.Context) (*writer, error) {
	w := &writer{l: l, ctx: ctx}
	var err error
	if w.row, w.hash, err = l.head(ctx); err != nil {
		return nil, err
	}
	w.first = w.row
	return w, nil
}

// add adds a row and returns its number.
func (w *writer) add(table int, row any) (int64, error) {
	w.row++
	w.args = values(w.args[:0], row)
	w.hash, w.scratch = rowHash(w.scratch, w.hash, table, w.row, w.args)
	p := append(append(append(w.pending[table], w.row), w.args...), w.hash)
	w.pending[table] = p
	if len(p) < batch*(len(w.args)+2) {
		return w.row, nil
	}
	if w.full[table] == nil {
		var err error
		if w.full[table], err = w.l.conn.PrepareContext(w.ctx, insertion(table, batch)); err != nil {
			return 0, err
		}
	}
	_, err := w.full[table].ExecContext(w.ctx, p...)
	w.pending[table] = p[:0]
	return w.row, err
}

// insertion is the statement that adds n rows to a table.
func insertion(table, n int) string {
	one := "(" + repeat("?", len(tables[table].names())+2) + ")"
	return "INSERT INTO " + tables[table].name + " VALUES " + repeat(one, n)
}

// flush writes the rows that wait.
func (w *writer) flush() error {
	for t, p := range w.pending {
		if len(p) > 0 {
			if _, err := w.l.conn.ExecContext(w.ctx, insertion(t, len(p)/(len(tables[t].names())+2)), p...); err != nil {
				return err
			}
			w.pending[t] = p[:0]
		}
	}
	return nil
}

// close frees the statements.
func (w *writer) close() {
	for _, s := range w.full {
		if s != nil {
			_ = s.Close()
		}
	}
}

// end is the head after the rows that were added.
func (w *writer) end() Head { return Head{w.row, hex.EncodeToString(w.hash)} }

// transact adds rows in one transaction, all of them or none.
func (l *Ledger) transact(ctx context.Context, do func(w *writer) error) (Head, error) {
	var end Head
	err := l.locked(ctx, func() error {
		w, err := l.newWriter(ctx)
		if err != nil {
			return err
		}
		defer w.close()
		if err := do(w); err != nil {
			return err
		}
		end = w.end()
		return w.flush()
	})
	return end, err
}

// repeat is a list of n texts with commas between them.
func repeat(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s+", ", n), ", ") }
