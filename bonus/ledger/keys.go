package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
)

// caseKeys is the table that says which case has which key.
type caseKeys struct {
	of    map[string]string // participation -> key
	alive map[string]string // key -> participation, where it was not erased
}

// caseKeys reads the keys, as far as there are any.
func (l *Ledger) caseKeys(ctx context.Context) (*caseKeys, error) {
	out := &caseKeys{of: map[string]string{}, alive: map[string]string{}}
	rows, err := l.conn.QueryContext(ctx, "SELECT participation, case_key FROM case_keys")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var participation, key string
		if err := scan(rows, &participation, &key); err != nil {
			return nil, err
		}
		out.of[participation], out.alive[key] = key, participation
	}
	return out, rows.Err()
}

// secretBytes is the length of the random secret of a case.
const secretBytes = 16

// keyOf is the key of a case: the first 24 digits of SHA-256 over its secret and
// its participation id. Without the secret, which goes with the case, it cannot be
// worked out from a participation, nor can a case be put in another's place.
func keyOf(secret []byte, participation string) string {
	h := sha256.Sum256(append(slices.Clone(secret), participation...))
	return hex.EncodeToString(h[:12])
}

// assign gives keys to the cases of a plan that have none, and writes them. Secrets
// are random bytes of SQLite, which seeds them from the system.
func (l *Ledger) assign(ctx context.Context, keys *caseKeys, plan *Plan) error {
	var fresh []string
	for i := range plan.Lines {
		for _, c := range plan.Lines[i].Cases {
			if c.Case.Case == "" && keys.of[c.Participation] == "" {
				fresh = append(fresh, c.Participation)
			}
		}
	}
	slices.Sort(fresh) // the order of the table, whose pages are then written once
	fresh = slices.Compact(fresh)
	const many = 500
	for from := 0; from < len(fresh); from += many {
		part := fresh[from:min(from+many, len(fresh))]
		var random []byte
		if err := l.conn.QueryRowContext(ctx, "SELECT randomblob(?)", secretBytes*len(part)).Scan(&random); err != nil {
			return err
		}
		args := make([]any, 0, 3*len(part))
		for i, participation := range part {
			secret := random[secretBytes*i : secretBytes*(i+1)]
			key := keyOf(secret, participation)
			keys.of[participation] = key
			args = append(args, participation, secret, key)
		}
		if _, err := l.conn.ExecContext(ctx, "INSERT INTO case_keys (participation, secret, case_key) VALUES "+repeat("(?, ?, ?)", len(part)), args...); err != nil {
			return fmt.Errorf("keys of cases: %w", err)
		}
	}
	for i := range plan.Lines {
		cases := plan.Lines[i].Cases
		for j := range cases {
			if cases[j].Case.Case == "" {
				cases[j].Case.Case = keys.of[cases[j].Participation]
			}
		}
		sortCases(cases)
	}
	return nil
}

// Erase takes a case from the table of keys, so that nothing in the ledger says any
// more who it was. What was booked stays as it is, and so does the chain. That it
// was done is recorded, without the case. It reports whether the case had a key.
func (l *Ledger) Erase(ctx context.Context, participation string, by Person) (had bool, err error) {
	if letters(by.Name) == "" || letters(by.Role) == "" {
		return false, &Refusal{Code: RefusedPerson, Why: "a name or a role is missing", Cure: "say who erases, and in which role"}
	}
	_, err = l.transact(ctx, func(w *writer) error {
		r, err := l.conn.ExecContext(ctx, "DELETE FROM case_keys WHERE participation = ?", participation)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if had = n > 0; err != nil || !had {
			return err
		}
		run := &Run{Outcome: RunErased, On: by.On, Name: by.Name, Role: by.Role, AsOf: by.On}
		return w.record(run, nil)
	})
	return had && err == nil, err
}

// rowsEnd is a number that no row has.
const rowsEnd = math.MaxInt64
