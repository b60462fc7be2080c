package ledger

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// version is that of the file's tables, which stands in its user_version.
const version = 1

// application is the application_id of a ledger's file: "JELG".
const application = 0x4a454c47

// migrations[i] brings a file of version i to version i+1. An entry is never
// changed once it was published: what it made is there.
var migrations = [version]func() []string{first}

// first makes the tables of version 1.
func first() []string {
	return append([]string{
		"PRAGMA application_id = " + fmt.Sprint(application),
		`CREATE TABLE case_keys (
  participation TEXT NOT NULL PRIMARY KEY,
  secret BLOB NOT NULL,
  case_key TEXT NOT NULL
) STRICT, WITHOUT ROWID`,
		`CREATE TRIGGER case_keys_no_update BEFORE UPDATE ON case_keys BEGIN SELECT RAISE(ABORT, 'a key stays with its case'); END`,
	}, chainedTables()...)
}

// chainedTables are the statements that make the tables whose rows form the chain.
func chainedTables() (out []string) {
	for _, t := range tables {
		var cols strings.Builder
		for _, c := range strings.Fields(t.columns) {
			name, kind, _ := strings.Cut(c, ":")
			fmt.Fprintf(&cols, "  %s %s NOT NULL,\n", name, kind)
		}
		out = append(out,
			fmt.Sprintf("CREATE TABLE %s (\n  row INTEGER PRIMARY KEY AUTOINCREMENT,\n%s  hash BLOB NOT NULL\n) STRICT", t.name, cols.String()),
			fmt.Sprintf("CREATE TRIGGER %[1]s_no_update BEFORE UPDATE ON %[1]s BEGIN SELECT RAISE(ABORT, 'rows of the ledger are never changed'); END", t.name),
			fmt.Sprintf("CREATE TRIGGER %[1]s_no_delete BEFORE DELETE ON %[1]s BEGIN SELECT RAISE(ABORT, 'rows of the ledger are never taken away'); END", t.name),
		)
	}
	return out
}

// table is one whose rows form the chain: its columns of version 1, but for row
// and hash, in the order in which they are hashed.
type table struct{ name, columns string }

// The tables of the chain. Their number in this list is part of the hash of a row.
const (
	tableBookings = iota
	tableVersions
	tableLines
	tableCases
	tableAccounts
	tableBalances
	tableBlocked
	tableRuns
)

var tables = [...]table{
	{"bookings", `agreement_id:TEXT currency:TEXT period:TEXT period_end:TEXT as_of:TEXT cohort_from:TEXT cohort_to:TEXT booked_on:TEXT
		prepared_by:TEXT prepared_role:TEXT accepted_by:TEXT accepted_role:TEXT accepted:TEXT content:TEXT settlement:TEXT
		terms_sha256:TEXT run_file:TEXT manifest:TEXT inputs:TEXT corrections:TEXT
		payment_due:TEXT objections_until:TEXT final:TEXT limitation:TEXT`},
	{"versions", "booking:INTEGER version:TEXT reading:TEXT"},
	{"lines", `booking:INTEGER kind:TEXT key:TEXT line:TEXT corrects:TEXT provider_id:TEXT period:TEXT clause:TEXT cases:INTEGER unit_price_ore:INTEGER
		quantity_before:TEXT quantity:TEXT amount_before_ore:INTEGER amount_now_ore:INTEGER amount_ore:INTEGER reason:TEXT`},
	{"cases", `line:INTEGER case_key:TEXT on_day:TEXT before:TEXT now:TEXT`},
	{"accounts", `booking:INTEGER provider_id:TEXT opening_ore:INTEGER lines_ore:INTEGER corrections_ore:INTEGER due_ore:INTEGER
		set_off_ore:INTEGER pay_ore:INTEGER carried_ore:INTEGER claimed_ore:INTEGER`},
	{"balances", "booking:INTEGER provider_id:TEXT amount_ore:INTEGER"},
	{"blocked", "run:INTEGER line:TEXT reason:TEXT"},
	{"runs", `run:INTEGER outcome:TEXT agreement_id:TEXT period:TEXT as_of:TEXT on_day:TEXT name:TEXT role:TEXT content:TEXT
		inputs:TEXT run_file:TEXT terms_sha256:TEXT manifest:TEXT nth:INTEGER blocked:INTEGER exits:INTEGER why:TEXT rows:INTEGER`},
}

// names are the columns of a table but for row and hash.
func (t table) names() (out []string) {
	for _, c := range strings.Fields(t.columns) {
		name, _, _ := strings.Cut(c, ":")
		out = append(out, name)
	}
	return out
}

// selection is the start of a query of all columns but the hash.
func (t table) selection() string {
	return "SELECT row, " + strings.Join(t.names(), ", ") + " FROM " + t.name
}

// values are the fields of a row but for its number, as they are stored: dates as
// 2006-01-02, amounts in øre.
func values(dst []any, row any) []any {
	v := reflect.ValueOf(row)
	for i := 1; i < v.NumField(); i++ {
		switch x := v.Field(i).Interface().(type) {
		case int64:
			dst = append(dst, x)
		case string:
			dst = append(dst, x)
		case bonus.Ore:
			dst = append(dst, int64(x))
		case effect.Date:
			dst = append(dst, x.String())
		default:
			panic("ledger: a row has a field that cannot be stored")
		}
	}
	return dst
}

// day scans a date.
type day struct{ d *effect.Date }

// Scan reads what values writes.
func (s day) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("%w: a day is no text", ErrDamaged)
	}
	if err := s.d.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// targets are where the columns of a row are scanned to, its number first.
func targets(row any) (out []any) {
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		switch x := v.Field(i).Addr().Interface().(type) {
		case *effect.Date:
			out = append(out, day{x})
		default:
			out = append(out, x)
		}
	}
	return out
}
