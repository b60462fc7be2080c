//go:build linux || darwin

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// The tests of this file end, fill, and disturb real processes. JOBEFFEKT_FULL=1 makes them
// large, and JOBEFFEKT_BINARY names the program that is tried in place of the test's own
// (.ci/faults sets both, and keeps what JOBEFFEKT_FAULTS names: docs/trust/faults.md).

// full says whether the tests are large.
func full() bool { return os.Getenv("JOBEFFEKT_FULL") != "" }

// program is a command line as a process of its own, in a folder.
func program(folder string, args ...string) *exec.Cmd {
	name := "jobeffekt"
	if b := os.Getenv("JOBEFFEKT_BINARY"); b != "" {
		name = b
	}
	c := exec.Command(name, args...)
	c.Dir = folder
	c.Env = append(os.Environ(), "TMPDIR="+filepath.Join(folder, "tmp"))
	return c
}

// does runs it to its end, which has to be good, and returns its output.
func does(t *testing.T, folder string, args ...string) string {
	t.Helper()
	var out, err bytes.Buffer
	c := program(folder, args...)
	c.Stdout, c.Stderr = &out, &err
	require.NoError(t, c.Run(), "%v: %s", args, &err)
	return out.String()
}

// fails runs it to its end, which has to be bad, and returns its exit code and what it says.
func fails(t *testing.T, c *exec.Cmd) (int, string) {
	t.Helper()
	var out bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &out
	}
	c.Stderr = &out
	require.Error(t, c.Run(), "%v", c.Args)
	return c.ProcessState.ExitCode(), out.String()
}

const faultsRun = `data: data
out: results
as_of: 2008-06-30
input: {fixed: [sex, birth_date, education, origin]}
cohort: {period: 2008}
outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment, self_employment], at: 26 weeks}
  - {name: sustained_13w, kind: sustained, states: [ordinary_employment, self_employment], weeks: 13, max_gap: 7, within: 52 weeks}
peers: {year: 2007, k: 4, conditions: [unemployment_pct, low_education_pct]}
compare:
  methods: [strata]
  classes: [{covariate: age, cuts: [30, 50]}, {covariate: weeks_employed_52, cuts: [0.1, 13]}]
  by_package: true
disclosure: {record: published.parquet}
terms: [terms.yaml]
formats: [csv]
`

const faultsTerms = `agreement: A-751
title: An agreement
source: {document: "Invented", dated: 2007-11-15}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2011-12-31
packages:
  - {id: P1, name: Job search with a coach, job_oriented: true}
  - {id: P2, name: Company placement, job_oriented: true}
  - {id: P3, name: Clarification, job_oriented: false}
periods: half_year
applies_by: referral
rounding: {unit: 1, mode: half_up, stage: line}
settlement: {section: "10", accepted_by: controller, pay_within: 45 days, objection: 30 days, final: 12 months, limitation: 36 months, corrections: set_off}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: sustained-job
        section: "8.2"
        text: A price for each citizen who has worked for 13 weeks in a row
        measure: {reached: sustained_13w}
        conditions: {job_oriented: true}
        schedule:
          unit_prices:
            - {match_group: 4, package: P1, amount: 4000}
            - {match_group: 4, package: P2, amount: 4500}
            - {match_group: 5, package: P1, amount: 7500}
            - {match_group: 5, package: P2, amount: 8250.50}
`

// seals says who seals, proposes and accepts.
func seals() []string {
	return []string{"--name", "N. N.", "--role", "head of finance", "--on", "2007-12-14"}
}

func proposes() []string {
	return []string{"--period", "2008H1", "--name", "P. P.", "--role", "caseworker", "--on", "2008-07-10"}
}

func accepts(hash string) []string {
	return []string{"--accept", hash, "--name", "C. C.", "--role", "controller", "--on", "2008-07-12"}
}

// proposed is a folder with a dataset, run file, sealed terms, results, and a ledger in which a
// booking is proposed, and the hash of that.
func proposed(t *testing.T, persons int) (folder, hash string) {
	t.Helper()
	folder = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "tmp"), 0o700))
	does(t, folder, "synth", "data", "--persons", fmt.Sprint(persons), "--municipalities", "6", "-q")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "jobeffekt.yaml"), []byte(faultsRun), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "terms.yaml"), []byte(faultsTerms), 0o600))
	does(t, folder, append([]string{"seal", "terms.yaml"}, seals()...)...)
	does(t, folder, "run", "jobeffekt.yaml", "-q")
	said := does(t, folder, append([]string{"ledger", "propose", "results", "--ledger", "ledger.db"}, proposes()...)...)
	found := regexp.MustCompile(`to be accepted by the controller: ([0-9a-f]{64})`).FindStringSubmatch(said)
	require.Len(t, found, 2, said)
	return folder, found[1]
}

// tree is what every file of a folder holds, but for locks, which mean nothing when nobody holds them.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil || filepath.Ext(path) == ".lock" {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") || filepath.Dir(name) == "tmp" {
				out[name+"/"] = "" // a folder in the making, or for temporary files
			}
			return nil
		}
		b, err := os.ReadFile(path)
		out[name] = string(b)
		return err
	}))
	return out
}

// making says whether a file of a tree is one in the making, which no reader takes for a result.
func making(name string) bool {
	return strings.HasPrefix(name, "tmp/") || slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
}

// copied is a copy of a folder.
func copied(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// victim is a command line that writes.
type victim struct {
	name   string
	args   []string
	kills  int
	before func(t *testing.T, folder string) // of the folder of proposed
	ledger bool                              // it writes to ledger.db
	once   bool                              // done again it is refused, as what it makes is there
	env    string
	// when says from when on it is killed, in place of any time.
	when func(folder string) bool
}

func victims(hash string) []victim {
	few := 8
	runs := 200
	if !full() {
		few, runs = 0, 4
	}
	gone := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			for _, n := range names {
				require.NoError(t, os.RemoveAll(filepath.Join(folder, n)))
			}
		}
	}
	// Results that differ from those that a run will make.
	earlier := func(t *testing.T, folder string) {
		does(t, folder, "run", "jobeffekt.yaml", "-q", "--as-of", "2008-05-31")
	}
	ledgered := func(args ...string) []string { return append(args, proposes()...) }
	return []victim{
		{name: "run, into a new folder", args: []string{"run", "jobeffekt.yaml", "-q"}, kills: runs / 2, before: gone("results")},
		{name: "run, over earlier results", args: []string{"run", "jobeffekt.yaml", "-q"}, kills: runs / 2, before: earlier},
		{name: "run, as it moves its results", args: []string{"run", "jobeffekt.yaml", "-q"}, kills: 5 * few, before: earlier, when: func(folder string) bool {
			_, err := os.Lstat(filepath.Join(folder, "results", jobeffekt.ManifestName))
			return err != nil
		}},
		{name: "report, as it moves", args: []string{"report", "results", "--out", "publication", "--only", "csv,report"}, kills: 2 * few, before: func(t *testing.T, folder string) {
			does(t, folder, "report", "results", "--out", "publication", "--only", "csv")
		}, when: func(folder string) bool {
			_, err := os.Lstat(filepath.Join(folder, "publication", "report.da.html"))
			_, gone := os.Lstat(filepath.Join(folder, "publication"))
			return err == nil || gone != nil
		}},
		{name: "ledger book", args: append([]string{"ledger", "book", "results", "--ledger", "ledger.db", "--period", "2008H1"}, accepts(hash)...), kills: runs, ledger: true},
		{name: "ledger book, as it writes", args: append([]string{"ledger", "book", "results", "--ledger", "ledger.db", "--period", "2008H1"}, accepts(hash)...), kills: 10 * few, ledger: true, when: func(folder string) bool {
			_, err := os.Lstat(filepath.Join(folder, "ledger.db-journal"))
			return err == nil
		}},
		{name: "ledger propose, a new ledger", args: ledgered("ledger", "propose", "results", "--ledger", "ledger.db"), kills: few, before: gone("ledger.db"), ledger: true},
		{name: "settle --book", args: append([]string{"settle", "jobeffekt.yaml", "--ledger", "ledger.db", "--book", "2008H1"}, accepts(hash)...), kills: few, ledger: true},
		{name: "report, over an earlier one", args: []string{"report", "results", "--out", "publication"}, kills: 3 * few, before: func(t *testing.T, folder string) {
			does(t, folder, "report", "results", "--out", "publication", "--only", "csv")
		}},
		{name: "measure", args: []string{"measure", "jobeffekt.yaml", "-q"}, kills: few, before: gone("results")},
		{name: "map", args: []string{"map", "jobeffekt.yaml", "-q", "--part", "spells/part-00001.parquet", "--to", "a.partial"}, kills: few},
		{name: "reduce", args: []string{"reduce", "jobeffekt.yaml", "a.partial", "-q"}, kills: few, before: func(t *testing.T, folder string) {
			does(t, folder, "map", "jobeffekt.yaml", "-q", "--part", "spells/part-00001.parquet", "--to", "a.partial")
			gone("results")(t, folder)
		}},
		{name: "arrange", args: []string{"arrange", "jobeffekt.yaml", "--out", "arranged", "-q"}, kills: few, once: true},
		{name: "synth", args: []string{"synth", "world", "--persons", "200", "--municipalities", "4", "-q"}, kills: few, once: true},
		{name: "seal", args: append([]string{"seal", "terms.yaml"}, seals()...), kills: few, before: gone("terms.seal.yaml"), once: true},
		{name: "peers --record", args: []string{"peers", "jobeffekt.yaml", "--record", "--name", "N. N.", "--role", "controller", "--on", "2008-06-01"}, kills: few, once: true},
		{name: "compare --out", args: []string{"compare", "before", "results", "--out", "changes.csv"}, kills: few, before: func(t *testing.T, folder string) {
			does(t, folder, "run", "jobeffekt.yaml", "-q", "--as-of", "2008-05-31", "--out", "before")
		}},
		{name: "simulate --out", args: []string{"simulate", "jobeffekt.yaml", "-q", "--draws", "20", "--replay=false", "--sensitivity=false", "--out", "simulated"}, kills: few},
		{name: "init", args: []string{"init", "data", "--out", "drafted"}, kills: few, once: true},
		{name: "man", args: []string{"man", "pages"}, kills: few, env: "SOURCE_DATE_EPOCH=0"},
		{name: "verify", args: []string{"verify", "results"}, kills: few},
	}
}

// The phases in which a process was killed, by what it left.
var phases = [...]string{"nothing written yet", "temporary files", "moving into place", "in place", "ended before"}

// phase tells by what a killed command left: before and after are the trees of before it and
// of one that was never disturbed.
func phase(now, before, after map[string]string) int {
	moved, left, news, differ := false, false, 0, 0
	for name := range now {
		left = left || making(name)
	}
	for name, text := range after {
		if before[name] == text {
			continue
		}
		differ++
		if now[name] == text {
			moved = true
		} else {
			news++
		}
	}
	for name := range before {
		_, is := now[name]
		_, stays := after[name]
		moved = moved || !is && stays
	}
	switch {
	case news == 0 && differ > 0:
		return 3
	case moved:
		return 2
	case left:
		return 1
	}
	return 0
}

// booked is what a ledger says, but for its keys and hashes, which differ.
func booked(t *testing.T, path string) string {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return "none"
	}
	ctx := context.Background()
	l, err := jobeffekt.OpenLedger(ctx, path, true)
	require.NoError(t, err)
	defer l.Close()
	r, err := l.Verify(ctx, "")
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	lines, err := l.Lines(ctx, ledger.Query{})
	require.NoError(t, err)
	accounts, err := l.Accounts(ctx, ledger.Query{})
	require.NoError(t, err)
	cases, err := l.Cases(ctx, ledger.Query{})
	require.NoError(t, err)
	for i := range cases {
		cases[i].Case.Case = ""
	}
	runs, err := l.Runs(ctx, ledger.Query{})
	require.NoError(t, err)
	text, err := json.Marshal([]any{lines, accounts, cases, len(runs) > 0})
	require.NoError(t, err)
	return string(text)
}

// Every command that writes is killed at random instants of its time: files are whole, as
// before or as after, and the next of the same kind makes what one that was never disturbed
// does, and leaves nothing else behind.
func TestKilledAtAnyInstant(t *testing.T) {
	template, hash := proposed(t, 1000)
	draw := rand.New(rand.NewPCG(8, 2))
	counts := map[string]*[len(phases)]int{}
	var order []string
	for _, v := range victims(hash) {
		if v.kills == 0 {
			continue
		}
		began := time.Now()
		order = append(order, v.name)
		n := new([len(phases)]int)
		counts[v.name] = n
		t.Run(v.name, func(t *testing.T) { n2 := killed(t, v, template, draw); *n = n2 })
		t.Logf("%s: %v in %v", v.name, *n, time.Since(began).Round(time.Second))
	}
	keep(t, func(b *strings.Builder) {
		fmt.Fprintf(b, "## Killed with SIGKILL at random instants\n\nUniform over the time that the undisturbed command takes, seeded. What the process had come to is told by what it left.\n\n| command | kills | %s |\n|---|---:|%s\n", strings.Join(phases[:], " | "), strings.Repeat("---:|", len(phases)))
		for _, name := range order {
			n := counts[name]
			total := 0
			row := ""
			for _, k := range n {
				total += k
				row += fmt.Sprintf(" %d |", k)
			}
			fmt.Fprintf(b, "| %s | %d |%s\n", name, total, row)
		}
		b.WriteString("\nAfter each: every file under its own name is byte for byte as before or as after the command; where a manifest stands, everything that it names does; the ledger verifies, and has the booking or not; the next command ends well, with the bytes of the undisturbed one and no other file.\n")
	})
}

// killed kills a command as often as it says, and returns how often in which phase.
func killed(t *testing.T, v victim, template string, draw *rand.Rand) (n [len(phases)]int) {
	start := copied(t, template)
	if v.before != nil {
		v.before(t, start)
	}
	whole := func(folder string) *exec.Cmd {
		c := program(folder, v.args...)
		if v.env != "" {
			c.Env = append(c.Env, v.env)
		}
		return c
	}
	before := tree(t, start)
	undisturbed := copied(t, start)
	var took time.Duration
	for range 2 { // the first reads the program from the disk
		folder := copied(t, start)
		began := time.Now()
		out, err := whole(folder).CombinedOutput()
		took = time.Since(began)
		require.NoError(t, err, string(out))
		undisturbed = folder
	}
	after := tree(t, undisturbed)
	for name := range after {
		require.False(t, making(name), "%s is left by an undisturbed one", name)
	}
	was, is := "", ""
	ledgerFile := func(folder string) string { return filepath.Join(folder, "ledger.db") }
	if v.ledger {
		was, is = booked(t, ledgerFile(start)), booked(t, ledgerFile(undisturbed))
		require.NotEqual(t, was, is)
	}
	for range v.kills {
		folder := copied(t, start)
		c := whole(folder)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, c.Start())
		at := time.Duration(draw.Float64() * float64(took))
		ended := make(chan struct{})
		if v.when != nil {
			at = time.Duration(draw.Float64() * float64(5*time.Millisecond))
			go func() {
				for !v.when(folder) {
					select {
					case <-ended:
						return
					case <-time.After(50 * time.Microsecond):
					}
				}
				time.Sleep(at)
				_ = c.Process.Kill()
			}()
		} else {
			timer := time.AfterFunc(at, func() { _ = c.Process.Kill() })
			defer timer.Stop()
		}
		err := c.Wait()
		close(ended)
		now := tree(t, folder)
		switch {
		case err == nil:
			n[4]++
		case !v.ledger:
			n[phase(now, before, after)]++
		}
		if v.ledger {
			_, writing := now["ledger.db-journal"]
			said := booked(t, ledgerFile(folder)) // which undoes what was begun
			require.Contains(t, []string{was, is}, said, "killed after %v of %v", at, took)
			switch {
			case err == nil:
			case said == is:
				n[3]++
			case writing:
				n[1]++
			default:
				n[0]++
			}
			now = tree(t, folder)
			delete(now, "ledger.db")
			delete(now, "ledger.db-journal")
		}
		for name, text := range now {
			if making(name) {
				continue
			}
			old, had := before[name]
			want, has := after[name]
			require.True(t, had && old == text || has && want == text, "killed after %v of %v: %s is neither as before nor as after", at, took, name)
		}
		for _, results := range []string{"results", "before"} {
			m, err := jobeffekt.ReadManifest(filepath.Join(folder, results))
			if err != nil {
				continue
			}
			// Then verify passes as it does for the undisturbed, which has the same bytes.
			tables := before
			if now[results+"/"+jobeffekt.ManifestName] != before[results+"/"+jobeffekt.ManifestName] {
				tables = after
			}
			for _, s := range m.Results {
				require.Equal(t, tables[results+"/"+s.Path], now[results+"/"+s.Path], s.Path)
			}
		}
		if v.once && phase(now, before, after) == 3 {
			continue
		}
		out, err := whole(folder).CombinedOutput()
		require.NoError(t, err, "killed after %v of %v, and then: %s", at, took, out)
		again := tree(t, folder)
		if v.ledger {
			require.Equal(t, is, booked(t, ledgerFile(folder)))
			delete(again, "ledger.db")
		}
		for name, text := range again {
			want, has := after[name]
			require.True(t, has, "killed after %v of %v: %s is left lying", at, took, name)
			require.True(t, want == text, "killed after %v of %v: %s is not as of one that was never disturbed", at, took, name)
		}
		for name := range after {
			_, has := again[name]
			require.True(t, has || v.ledger && name == "ledger.db", "%s is not there", name)
		}
		require.NoError(t, os.RemoveAll(folder))
	}
	return n
}

// keep adds a part to the results that are kept, where they are asked for.
func keep(t *testing.T, write func(*strings.Builder)) {
	t.Helper()
	path := os.Getenv("JOBEFFEKT_FAULTS")
	if path == "" || t.Failed() {
		return
	}
	var b strings.Builder
	write(&b)
	b.WriteString("\n")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(b.String())
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
