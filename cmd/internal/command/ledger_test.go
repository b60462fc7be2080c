package command

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// sqlite is a command of the scripts: sqlite FILE STATEMENT..., as somebody does who
// has an editor for SQLite.
func sqlite() {
	db, err := sql.Open("sqlite", os.Args[1])
	for _, statement := range os.Args[2:] {
		if err == nil {
			_, err = db.Exec(statement)
		}
	}
	exit(err)
}

// early is a command of the scripts: early FROM TO writes spells as they were known
// before the last of them came: every fifth is not there yet.
func early() {
	t, err := ingest.ReadFile(context.Background(), os.Args[1], ingest.DefaultLimits())
	if err == nil {
		for k := range t.Columns {
			c := &t.Columns[k]
			c.Ints, c.Floats, c.Texts, c.Bools, c.Dates = most(c.Ints), most(c.Floats), most(c.Texts), most(c.Bools), most(c.Dates)
			if c.Factor != nil {
				c.Factor = &effect.Factor{Levels: c.Factor.Levels, Codes: most(c.Factor.Codes)}
			}
		}
		err = jobeffekt.WriteTable(os.Args[2], t)
	}
	exit(err)
}

func most[T any](all []T) (out []T) {
	for i, x := range all {
		if i%5 != 2 {
			out = append(out, x)
		}
	}
	return out
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// capture is a command of the scripts: capture NAME PATTERN gives a variable what the
// first group of the pattern finds in the output of the last command.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("the output has no %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}
