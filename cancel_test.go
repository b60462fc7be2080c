package jobeffekt_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/parquet-go/parquet-go"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/matching"
	"github.com/jobeffekt/jobeffekt/effect/regress"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/effect/weighting"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// errEnough is why these tests stop.
var errEnough = errors.New("enough of it")

// watched is a context that counts how often it is looked at, and stops itself at one of
// the looks. Contexts made of it look at it too.
type watched struct {
	context.Context
	stop  context.CancelCauseFunc
	at    int64 // the look that stops it; 0 for none
	looks atomic.Int64

	mu      sync.Mutex
	ready   func() // called when the call begins, which some works prepare first
	began   time.Time
	last    time.Time
	longest time.Duration // between two looks, or since the last
}

func newWatched(at int64) *watched {
	ctx, stop := context.WithCancelCause(context.Background())
	return &watched{Context: ctx, stop: stop, at: at, began: time.Now(), last: time.Now()}
}

// prepared says that a work has what it is called with, and begins.
func prepared(ctx context.Context) {
	w := ctx.(*watched)
	w.mu.Lock()
	w.began, w.last, w.longest = time.Now(), time.Now(), 0
	w.mu.Unlock()
	if w.ready != nil {
		w.ready()
	}
}

func (w *watched) look() {
	if n := w.looks.Add(1); n == w.at {
		w.stop(errEnough)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.longest, w.last = max(w.longest, now.Sub(w.last)), now
}

func (w *watched) Err() error            { w.look(); return w.Context.Err() }
func (w *watched) Done() <-chan struct{} { w.look(); return w.Context.Done() }

// work is a call of one exported function.
type work struct {
	name     string // package.Function or package.Type.Method
	do       func(ctx context.Context) error
	prepares bool // calls prepared
	// left is what a call that was stopped may have left behind and must not have; nil
	// for what writes nothing.
	left func() []string
}

// filesIn are the files below a folder, but for locks.
func filesIn(folder string) (names []string) {
	_ = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != jobeffekt.LockName {
			names = append(names, path)
		}
		return nil
	})
	return names
}

// stoppable is a job, and what its functions are called with.
type stoppable struct {
	t       *testing.T
	folder  string
	persons int
	rows    int   // of matrices
	shared  []any // what the calls are given, and must leave as it is
}

// config is the job with results in a folder of its own.
func (s *stoppable) config(out string) *jobeffekt.Config {
	c, err := jobeffekt.LoadConfig(filepath.Join(s.folder, "jobeffekt.yaml"))
	require.NoError(s.t, err)
	c.Out = out
	return c
}

func (s *stoppable) write(name, text string) {
	require.NoError(s.t, os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600))
}

func (s *stoppable) prepare() {
	ctx := context.Background()
	_, err := example(s.folder)
	require.NoError(s.t, err)
	require.NoError(s.t, os.RemoveAll(filepath.Join(s.folder, "data")))
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality, o.FocalShare = s.persons, 6, 2, 0.4
	require.NoError(s.t, jobeffekt.Synth(ctx, filepath.Join(s.folder, "data"), o, "751"))
	s.write("jobeffekt.yaml", `data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: sustained_13w, kind: sustained, states: [ordinary_employment], weeks: 13, max_gap: 7, within: 52 weeks}
compare:
  methods: [balance, strata]
  covariates: [sex, age, match_group]
  classes: [{covariate: sex}]
sensitivity: {}
views: {of: [total]}
peers: {list: {"751": ["461", "851", "730", "561", "630"]}}
watch: {outcome: sustained_13w, covariates: [sex, age]}
terms: [terms.yaml]
formats: [csv]
`)
	terms, err := os.ReadFile(filepath.Join(s.folder, "terms.yaml"))
	require.NoError(s.t, err)
	s.write("terms.yaml", strings.Replace(string(terms), "versions:\n", "settlement: {section: \"10\", accepted_by: controller, pay_within: 45 days, objection: 30 days, final: 12 months, limitation: 36 months, corrections: set_off}\nversions:\n", 1))
	_, err = jobeffekt.SealTerms(filepath.Join(s.folder, "terms.yaml"), effect.NoDate, effect.NewDate(2007, 12, 14), "N. N.", "head of finance")
	require.NoError(s.t, err)
	s.write("terms.spec.yaml", `terms: terms.yaml
outcomes: [{name: sustained_13w}]
case: {provider: L751-1, match_group: 4, package: P1, referral: 2008-02-01}
scenarios:
  - it: pays for a citizen who stays in work
    as_of: 2010-06-30
    given:
      cases:
        - case: a
          outcomes: {sustained_13w: {on: 2008-07-01}}
    expect: {total: 4000}
`)
}

func TestStoppable(t *testing.T) {
	if testing.Short() {
		t.Skip("it counts looks at the context, which the race detector does not change: TestCalls is for that")
	}
	full := os.Getenv("JOBEFFEKT_FULL") != ""
	s := &stoppable{t: t, folder: t.TempDir(), persons: 900, rows: 30_000}
	if full {
		s.persons, s.rows = 900_000, 900_000
		if n := os.Getenv("JOBEFFEKT_CANCEL_PERSONS"); n != "" {
			var err error
			s.persons, err = strconv.Atoi(n)
			require.NoError(t, err)
			s.rows = s.persons
		}
	}
	s.prepare()
	all := s.works()
	only := os.Getenv("JOBEFFEKT_CANCEL_ONLY")
	var report []string
	var given uint64
	if !full {
		given = fingerprint(s.shared)
	}
	for _, w := range all {
		if !strings.Contains(w.name, only) {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			s.t = t
			before := runtime.NumGoroutine()
			whole := newWatched(0)
			require.NoError(t, w.do(whole))
			took, looks := time.Since(whole.began), whole.looks.Load()
			whole.longest = max(whole.longest, time.Since(whole.last))
			settle(t, before)

			slowest := time.Duration(0)
			stops := []int64{0, 1, looks / 4, looks / 2, looks - 1}
			slices.Sort(stops)
			for _, at := range slices.Compact(stops) {
				if at > looks || at < 0 {
					continue
				}
				ctx := newWatched(at)
				if at == 0 { // before it begins
					ctx.stop(errEnough)
				}
				err := w.do(ctx)
				done := ctx.Context.Err() != nil
				settle(t, before)
				if !done {
					require.NoError(t, err) // it went another way, and was not stopped
					continue
				}
				// The last look may be the one after which there is nothing left to do.
				if err == nil && at >= looks-1 && at > 0 {
					continue
				}
				require.ErrorIs(t, err, context.Canceled, "stopped at look %d of %d", at, looks)
				require.ErrorIs(t, err, errEnough, "stopped at look %d of %d", at, looks)
				// Every goroutine may look once or a few times more, and a database for each row that it had
				// read ahead, but none goes on.
				after := ctx.looks.Load() - at
				assert.LessOrEqual(t, after, int64(100+10*runtime.GOMAXPROCS(0)), "looks after it was stopped at look %d of %d", at, looks)
				if w.left != nil {
					require.Empty(t, w.left(), "left behind, stopped at look %d of %d", at, looks)
				}
			}
			if !full {
				require.Equal(t, given, fingerprint(s.shared), "an argument was changed")
			}
			if full { // by the clock
				for _, part := range []time.Duration{0, took / 4, took / 2, took * 3 / 4} {
					ctx := newWatched(0)
					at := make(chan time.Time, 1)
					var timer *time.Timer
					ctx.ready = func() { timer = time.AfterFunc(part, func() { at <- time.Now(); ctx.stop(errEnough) }) }
					if !w.prepares {
						ctx.ready()
					}
					err := w.do(ctx)
					if end := time.Now(); !timer.Stop() {
						if was := <-at; err != nil {
							slowest = max(slowest, end.Sub(was))
						}
					}
					settle(t, before)
				}
				report = append(report, fmt.Sprintf("%s %d %d %d %d", w.name, took.Milliseconds(), looks, whole.longest.Milliseconds(), slowest.Milliseconds()))
				t.Log(report[len(report)-1])
			}
		})
	}
	s.t = t
	t.Run("every function is there", func(t *testing.T) { everyContext(t, all) })
	if full && only == "" && !t.Failed() {
		s.record(report)
	}
}

// settle waits until the goroutines of a call are gone.
func settle(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
}

// record keeps what was measured.
func (s *stoppable) record(report []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "# How fast work stops\n\nWritten by `JOBEFFEKT_FULL=1 go test -run TestStoppable .`; do not edit. %s on %s/%s, %d processors; %d citizens, matrices of %d rows.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), s.persons, s.rows)
	b.WriteString("Every exported function that takes a context is called whole, and then stopped at the beginning and after a quarter, a half and three quarters of that time.\n\n")
	b.WriteString("| function | whole call, ms | looks at the context | longest between two looks, ms | longest from stop to return, ms |\n|---|---:|---:|---:|---:|\n")
	for _, r := range report {
		b.WriteString("| " + strings.Join(strings.Fields(r), " | ") + " |\n")
	}
	require.NoError(s.t, os.MkdirAll("docs/trust", 0o755))
	require.NoError(s.t, os.WriteFile("docs/trust/cancel.md", []byte(b.String()), 0o644))
}

// works are calls of all functions that take a context.
func (s *stoppable) works() (out []work) {
	t, ctx := s.t, context.Background()
	add := func(name string, do func(ctx context.Context) error) { out = append(out, work{name: name, do: do}) }
	// after adds work that is prepared first.
	after := func(name string, prepare func() func(ctx context.Context) error) {
		out = append(out, work{name: name, prepares: true, do: func(ctx context.Context) error {
			do := prepare()
			prepared(ctx)
			return do(ctx)
		}})
	}
	// into adds work that writes into a folder of its own.
	scratch := t.TempDir()
	n := 0
	into := func(name string, do func(ctx context.Context, folder string) error) {
		var last string
		out = append(out, work{name: name, do: func(ctx context.Context) error {
			_ = os.RemoveAll(last)
			n++
			last = filepath.Join(scratch, strconv.Itoa(n))
			return do(ctx, last)
		}, left: func() []string { return filesIn(last) }})
	}
	results := filepath.Join(s.folder, "results")
	c := s.config(results)
	_, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	ds, err := c.OpenData(ctx)
	require.NoError(t, err)
	m, err := jobeffekt.Measure(ctx, ds, c)
	require.NoError(t, err)
	obs := m.Observations
	e, err := jobeffekt.Estimate(ctx, ds, c, obs)
	require.NoError(t, err)
	b, err := jobeffekt.Benchmark(ctx, ds, c, obs, *e)
	require.NoError(t, err)
	terms, err := c.LoadTerms()
	require.NoError(t, err)
	settled, err := jobeffekt.Settle(ctx, ds, terms, *m, *b, nil)
	require.NoError(t, err)
	facts := bonus.Facts{Observations: obs, Benchmark: b.Benchmark, Diagnostics: b.Diagnostics}

	s.shared = []any{c, obs, e, b, m, terms, settled, facts}

	// The job and its steps.
	into("jobeffekt.Run", func(ctx context.Context, folder string) error {
		_, err := jobeffekt.Run(ctx, s.config(folder))
		return err
	})
	into("jobeffekt.RunStep", func(ctx context.Context, folder string) error {
		_, err := jobeffekt.RunStep(ctx, s.config(folder), jobeffekt.StepMeasure)
		return err
	})
	into("jobeffekt.RunCells", func(ctx context.Context, folder string) error {
		_, err := jobeffekt.RunCells(ctx, s.config(folder))
		return err
	})
	into("jobeffekt.Arrange", func(ctx context.Context, folder string) error {
		_, err := jobeffekt.Arrange(ctx, c, folder)
		return err
	})
	into("jobeffekt.Synth", func(ctx context.Context, folder string) error {
		o := world.Default()
		o.Persons = s.persons
		return jobeffekt.Synth(ctx, folder, o, "")
	})
	add("jobeffekt.Evaluate", func(ctx context.Context) error {
		_, err := jobeffekt.Evaluate(ctx, ds, c, terms...)
		return err
	})
	add("jobeffekt.Measure", func(ctx context.Context) error { _, err := jobeffekt.Measure(ctx, ds, c); return err })
	add("jobeffekt.Estimate", func(ctx context.Context) error { _, err := jobeffekt.Estimate(ctx, ds, c, obs); return err })
	add("jobeffekt.Benchmark", func(ctx context.Context) error { _, err := jobeffekt.Benchmark(ctx, ds, c, obs, *e); return err })
	add("jobeffekt.Settle", func(ctx context.Context) error {
		_, err := jobeffekt.Settle(ctx, ds, terms, *m, *b, nil)
		return err
	})
	add("jobeffekt.Cells", func(ctx context.Context) error { _, err := jobeffekt.Cells(ctx, ds, c); return err })
	add("jobeffekt.Watching", func(ctx context.Context) error {
		_, err := jobeffekt.Watching(ctx, ds, c, obs, e.Peers)
		return err
	})
	add("jobeffekt.Check", func(ctx context.Context) error { return jobeffekt.Check(ctx, c) })
	add("jobeffekt.Config.OpenData", func(ctx context.Context) error { _, err := c.OpenData(ctx); return err })
	add("jobeffekt.Config.CheckSpecs", func(ctx context.Context) error { _, err := c.CheckSpecs(ctx); return err })
	add("jobeffekt.CheckSpec", func(ctx context.Context) error {
		_, err := jobeffekt.CheckSpec(ctx, filepath.Join(s.folder, "terms.spec.yaml"))
		return err
	})
	add("jobeffekt.CheckTerms", func(ctx context.Context) error {
		_, err := jobeffekt.CheckTerms(ctx, filepath.Join(s.folder, "terms.yaml"))
		return err
	})
	add("jobeffekt.Inspect", func(ctx context.Context) error {
		_, err := jobeffekt.Inspect(ctx, filepath.Join(s.folder, "data"))
		return err
	})
	add("jobeffekt.Plan", func(ctx context.Context) error { _, err := jobeffekt.Plan(ctx, c); return err })
	add("jobeffekt.Verify", func(ctx context.Context) error { _, err := jobeffekt.Verify(ctx, results); return err })
	add("jobeffekt.VerifyFrom", func(ctx context.Context) error { _, err := jobeffekt.VerifyFrom(ctx, results, nil); return err })
	add("jobeffekt.Changes", func(ctx context.Context) error { _, err := jobeffekt.Changes(ctx, results, results); return err })
	add("jobeffekt.ReadBackground", func(ctx context.Context) error { _, err := jobeffekt.ReadBackground(ctx, results); return err })
	add("jobeffekt.ReadSettlement", func(ctx context.Context) error { _, err := jobeffekt.ReadSettlement(ctx, results); return err })
	add("jobeffekt.ReadForLedger", func(ctx context.Context) error { _, err := jobeffekt.ReadForLedger(ctx, results); return err })
	add("jobeffekt.ReadPublication", func(ctx context.Context) error {
		_, err := jobeffekt.ReadPublication(ctx, results, 5)
		return err
	})
	p, err := jobeffekt.ReadPublication(ctx, results, 5)
	require.NoError(t, err)
	add("jobeffekt.Publication.Record", p.Record)
	add("jobeffekt.Publication.Steps", func(ctx context.Context) error { _, err := p.Steps(ctx, []string{"L751-1"}); return err })
	into("jobeffekt.WritePack", func(ctx context.Context, folder string) error {
		return jobeffekt.WritePack(ctx, results, "L751-1", folder, 5)
	})
	pack := filepath.Join(s.folder, "pack")
	require.NoError(t, jobeffekt.WritePack(ctx, results, "L751-1", pack, 5))
	add("jobeffekt.VerifyPack", func(ctx context.Context) error { _, err := jobeffekt.VerifyPack(ctx, pack); return err })
	add("jobeffekt.OpenSettlement", func(ctx context.Context) error { _, err := jobeffekt.OpenSettlement(ctx, c.Path); return err })
	add("jobeffekt.OpenSettlementFrom", func(ctx context.Context) error {
		_, err := jobeffekt.OpenSettlementFrom(ctx, c.Path, nil)
		return err
	})
	s.write("invoices.csv", "id,agreement_id,provider_id,period,date,amount_dkk\n1,A-751,L751-1,2008H1,2008-08-01,4000.00\n")
	invoices := filepath.Join(s.folder, "invoices.csv")
	open, err := jobeffekt.OpenSettlement(ctx, c.Path)
	require.NoError(t, err)
	add("jobeffekt.Settlements.Books", func(ctx context.Context) error { _, _, err := open.Books(ctx, invoices, ""); return err })
	add("jobeffekt.Simulate", func(ctx context.Context) error {
		o := jobeffekt.DefaultSimulation()
		o.Draws, o.Sensitivity, o.Replay = 20, false, false
		_, err := jobeffekt.Simulate(ctx, ds, c, terms, o)
		return err
	})
	changed := s.config(results)
	changed.BeforeAfter = &jobeffekt.BeforeAfter{
		Outcomes: []string{"sustained_13w"}, Since: map[string]effect.Date{"461": effect.NewDate(2008, 7, 1), "751": effect.NewDate(2008, 7, 1)},
		Methods: []jobeffekt.BeforeAfterMethod{jobeffekt.MethodDiD, jobeffekt.MethodSynthetic}, MatchGroups: []string{"4"}, MinCases: 1, MinBefore: 1, MinUnits: 2, Periods: jobeffekt.PeriodMonths,
	}
	add("jobeffekt.CompareBeforeAfter", func(ctx context.Context) error {
		_, err := jobeffekt.CompareBeforeAfter(ctx, ds, changed, obs)
		return err
	})
	conditions := s.config(results)
	conditions.Peers = &jobeffekt.Peers{By: "euclidean", Conditions: []string{"unemployment_pct"}, Year: 2008, K: 4}
	_, chosen := jobeffekt.ChoosePeers(ctx, conditions)
	if chosen == nil {
		add("jobeffekt.ChoosePeers", func(ctx context.Context) error { _, err := jobeffekt.ChoosePeers(ctx, conditions); return err })
	} else {
		t.Log(chosen)
	}

	// Map and reduce.
	parts, err := jobeffekt.Parts(ctx, c, 1)
	require.NoError(t, err)
	add("jobeffekt.Parts", func(ctx context.Context) error { _, err := jobeffekt.Parts(ctx, c, 1); return err })
	into("jobeffekt.MapParts", func(ctx context.Context, folder string) error {
		require.NoError(t, os.MkdirAll(folder, 0o700))
		_, err := jobeffekt.MapParts(ctx, c, parts, filepath.Join(folder, "some.partial"))
		return err
	})
	var partials []string
	for i := range parts {
		partials = append(partials, filepath.Join(s.folder, fmt.Sprintf("%d.partial", i)))
		_, err := jobeffekt.MapParts(ctx, c, parts[i:i+1], partials[i])
		require.NoError(t, err)
	}
	into("jobeffekt.MergePartials", func(ctx context.Context, folder string) error {
		require.NoError(t, os.MkdirAll(folder, 0o700))
		_, err := jobeffekt.MergePartials(ctx, c, partials, filepath.Join(folder, "all.partial"))
		return err
	})
	into("jobeffekt.Reduce", func(ctx context.Context, folder string) error {
		_, err := jobeffekt.Reduce(ctx, s.config(folder), partials)
		return err
	})

	// Tables in.
	add("ingest.Dataset.Cases", func(ctx context.Context) error { _, err := ds.Cases(ctx); return err })
	benefits := func() *ingest.Dataset {
		ds, err := c.OpenData(context.Background())
		require.NoError(t, err)
		require.NoError(t, ds.AddTable(ingest.Caseload, "benefits", s.caseload()))
		return ds
	}
	after("ingest.Dataset.CasesAndControls", func() func(context.Context) error {
		ds := benefits()
		return func(ctx context.Context) error { _, _, err := ds.CasesAndControls(ctx, c.Cohort.Period); return err }
	})
	after("ingest.Dataset.Caseload", func() func(context.Context) error {
		ds := benefits()
		return func(ctx context.Context) error { _, err := ds.Caseload(ctx); return err }
	})
	add("ingest.Dataset.Check", func(ctx context.Context) error { return ds.Check(ctx) })
	add("ingest.Dataset.CheckStates", func(ctx context.Context) error { return ds.CheckStates(ctx) })
	add("ingest.Dataset.Providers", func(ctx context.Context) error { _, err := ds.Providers(ctx); return err })
	add("ingest.Dataset.Conditions", func(ctx context.Context) error { _, err := ds.Conditions(ctx); return err })
	strataOf := ingest.NewDataset(c.IngestOptions())
	require.NoError(t, strataOf.AddTable(ingest.PeerStrata, "strata", strataTable(s.rows)))
	add("ingest.Dataset.PeerStrata", func(ctx context.Context) error { _, err := strataOf.PeerStrata(ctx, []string{"sex"}); return err })
	add("ingest.Dataset.Prices", func(ctx context.Context) error { _, err := ds.Prices(ctx, c.AsOf); return err })
	add("ingest.Dataset.InputValues", func(ctx context.Context) error {
		_, err := ds.InputValues(ctx, ingest.Spells, "state", 100)
		return err
	})
	add("ingest.Dataset.InputDates", func(ctx context.Context) error {
		_, _, err := ds.InputDates(ctx, ingest.Spells, "start_date")
		return err
	})
	add("ingest.Rows", func(ctx context.Context) error { _, err := ingest.Rows[ingest.Expense](ctx, ds); return err })
	observer := func() *effect.Observer {
		o, err := effect.NewObserver(c.Study(), obs.Cases)
		require.NoError(t, err)
		return o
	}
	add("ingest.Dataset.Observe", func(ctx context.Context) error { return ds.Observe(ctx, obs.Cases, nil, observer()) })
	var groups []ingest.SpellGroups
	for i, f := range ds.SpellFiles() {
		groups = append(groups, ingest.SpellGroups{File: i, First: 0, Last: len(f.Groups)})
	}
	add("ingest.Dataset.ObserveGroups", func(ctx context.Context) error {
		_, err := ds.ObserveGroups(ctx, groups, obs.Cases, nil, observer())
		return err
	})
	add("ingest.Dataset.Arrange", func(ctx context.Context) error {
		_, err := ds.Arrange(ctx, parquet.NewFileBufferPool(s.folder, "arrange-*"))
		return err
	})
	arranged, err := ds.Arrange(ctx, parquet.NewFileBufferPool(s.folder, "arrange-*"))
	require.NoError(t, err)
	add("ingest.Arranged.WriteTable", func(ctx context.Context) error {
		_, err := arranged.WriteTable(ctx, ingest.Spells, io.Discard)
		return err
	})
	table := filepath.Join(results, "outcomes.parquet")
	add("ingest.ReadFile", func(ctx context.Context) error {
		_, err := ingest.ReadFile(ctx, filepath.Join(results, "outcomes.csv"), ingest.DefaultLimits())
		return err
	})
	into("jobeffekt.WriteTables", func(ctx context.Context, folder string) error {
		require.NoError(t, os.MkdirAll(folder, 0o700))
		cells, err := ingest.ReadTable(context.Background(), filepath.Join(results, "cells.parquet"), ingest.DefaultLimits())
		require.NoError(t, err)
		return jobeffekt.WriteTables(ctx, folder, nil, cells)
	})
	add("ingest.ReadTable", func(ctx context.Context) error {
		_, err := ingest.ReadTable(ctx, table, ingest.DefaultLimits())
		return err
	})
	add("ingest.ReadColumns", func(ctx context.Context) error {
		_, err := ingest.ReadColumns(ctx, table, ingest.DefaultLimits(), func(string) bool { return true })
		return err
	})
	panel := s.dream()
	add("ingest/dream.Convert", func(ctx context.Context) error {
		p, err := ingest.OpenPanel(panel, ingest.DefaultLimits())
		require.NoError(t, err)
		_, err = dream.Convert(ctx, p, dream.DefaultMap(), dream.DefaultOptions(), func(*dream.Block) error { return nil })
		return err
	})
	into("jobeffekt.ConvertDream", func(ctx context.Context, folder string) error {
		_, err := jobeffekt.ConvertDream(ctx, panel, folder, dream.DefaultMap(), dream.DefaultOptions())
		return err
	})

	// What is measured and estimated.
	seen := observer()
	seen.KeepState()
	require.NoError(t, ds.Observe(ctx, obs.Cases, nil, seen))
	var state bytes.Buffer
	require.NoError(t, seen.WriteState(&state))
	states := func() []*bufio.Reader { return []*bufio.Reader{bufio.NewReader(bytes.NewReader(state.Bytes()))} }
	after("effect.Observer.AddStates", func() func(context.Context) error {
		o := observer()
		return func(ctx context.Context) error { return o.AddStates(ctx, states()) }
	})
	after("effect.Observer.MergeStates", func() func(context.Context) error {
		o := observer()
		return func(ctx context.Context) error { return o.MergeStates(ctx, io.Discard, states()) }
	})
	full := func() *effect.Observer {
		o := observer()
		require.NoError(t, o.AddStates(context.Background(), states()))
		return o
	}
	after("effect.Observer.Observations", func() func(context.Context) error {
		o := full()
		return func(ctx context.Context) error { _, err := o.Observations(ctx); return err }
	})
	after("effect.Observer.Cells", func() func(context.Context) error {
		o := observer()
		require.NoError(t, ds.Observe(context.Background(), obs.Cases, nil, o))
		return func(ctx context.Context) error { _, err := o.Cells(ctx); return err }
	})
	design := effect.DefaultDesign()
	design.Peers = map[string][]string{"751": {"461", "851", "730", "561", "630"}}
	methods := c.Methods()
	add("effect.Estimates", func(ctx context.Context) error { _, err := effect.Estimates(ctx, obs, design, methods); return err })
	add("effect.Sensitivity.Band", func(ctx context.Context) error {
		_, err := effect.DefaultSensitivity().Band(ctx, obs, design, methods, b.Benchmark)
		return err
	})
	add("effect.Views", func(ctx context.Context) error {
		_, err := effect.Views(ctx, obs, design, nil, []effect.View{effect.ViewTotal}, "", methods)
		return err
	})
	watching := watch.Default()
	add("effect/watch.Creaming", func(ctx context.Context) error {
		_, err := watch.Creaming(ctx, obs, watching, obs.Results[0].Outcome, []string{"sex", "age"})
		return err
	})
	add("effect/watch.Count", func(ctx context.Context) error {
		_, err := watch.Count(ctx, watch.Facts{Observations: obs, Outcome: obs.Results[0].Outcome}, watching)
		return err
	})
	one := oneCell(obs)
	covariates := []string{"sex", "age", "match_group"}
	add("effect.Comparison.Frame", func(ctx context.Context) error { _, err := one.Frame(ctx, covariates, nil); return err })
	refusable := func(_ effect.Expectation, err error) error {
		if _, ok := effect.AsRefusal(err); ok {
			return nil
		}
		return err
	}
	for name, method := range map[string]effect.Method{
		"balance": balance.Default(covariates...), "regress": regress.Default(covariates...), "matching": matching.Default(covariates...), "weighting": weighting.Augmented(covariates...),
		"hierarchical": hierarchical.Default(covariates...), "strata": strata.Default(),
	} {
		add("effect/"+name+".Method.Expect", func(ctx context.Context) error { return refusable(method.Expect(ctx, one)) })
	}
	add("effect/weighting.Overlap", func(ctx context.Context) error { _, err := weighting.Overlap(ctx, one, covariates...); return err })
	x, y, yes, group := fitData(s.rows)
	for name, fit := range map[string]func(context.Context, regress.Matrix, []float64) (*regress.Fit, error){"Logistic": regress.Logistic, "Firth": regress.Firth} {
		add("effect/regress."+name, func(ctx context.Context) error { _, err := fit(ctx, x, yes); return err })
	}
	add("effect/regress.Linear", func(ctx context.Context) error { _, err := regress.Linear(ctx, x, y); return err })
	add("effect/regress.HC2", func(ctx context.Context) error { _, err := regress.HC2(ctx, x, y); return err })
	add("effect/regress.HC3", func(ctx context.Context) error { _, err := regress.HC3(ctx, x, y); return err })
	add("effect/regress.Clustered", func(ctx context.Context) error { _, err := regress.Clustered(ctx, x, y, group); return err })
	add("effect/hierarchical.Logistic", func(ctx context.Context) error { _, err := hierarchical.Logistic(ctx, x, yes, group, 40); return err })
	add("effect/hierarchical.PredictedExpected", func(ctx context.Context) error {
		_, _, err := hierarchical.PredictedExpected(ctx, x, yes, group, 40)
		return err
	})
	target := make([]float64, x.P)
	for k := range target {
		target[k] = 0.3
	}
	target[0] = 1
	add("effect/balance.Entropy", func(ctx context.Context) error {
		_, err := balance.Entropy(ctx, balance.Problem{X: x, Target: target})
		return err
	})
	add("effect/beforeafter.DiD.Estimate", func(ctx context.Context) error {
		_, err := beforeafter.DefaultDiD().Estimate(ctx, changing(s.rows/100, 8))
		return err
	})
	add("effect/beforeafter.Synthetic.Estimate", func(ctx context.Context) error {
		p := changing(24, 20)
		for u := range p.Since {
			p.Since[u] = beforeafter.Never
		}
		p.Since[0] = 12
		_, err := beforeafter.DefaultSynthetic().Estimate(ctx, p)
		return err
	})
	o := world.Default()
	o.Persons = s.persons * 10
	w, err := world.New(o)
	require.NoError(t, err)
	add("effect/world.World.Blocks", func(ctx context.Context) error {
		for _, err := range w.Blocks(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	add("effect/world.World.Truth", func(ctx context.Context) error { _, err := w.Truth(ctx, "751"); return err })

	// Money.
	add("bonus.Settle", func(ctx context.Context) error { _, err := bonus.Settle(ctx, terms, facts); return err })
	add("bonus.Settlement.ExplainProvider", func(ctx context.Context) error {
		_, err := settled.ExplainProvider(ctx, "L751-1", terms, facts)
		return err
	})
	src, err := os.ReadFile(filepath.Join(s.folder, "terms.spec.yaml"))
	require.NoError(t, err)
	scenarios, err := spec.Parse("terms.spec.yaml", src)
	require.NoError(t, err)
	add("bonus/spec.Spec.Run", func(ctx context.Context) error { _, err := scenarios.Run(ctx, terms...); return err })

	out = append(out, s.booking(results)...)
	out = slices.DeleteFunc(out, func(w work) bool { return w.do == nil })
	slices.SortStableFunc(out, func(a, b work) int { return cmp.Compare(a.name, b.name) })
	return out
}

// booking are the calls of the ledger.
func (s *stoppable) booking(results string) (out []work) {
	ctx := context.Background()
	settled, err := jobeffekt.ReadForLedger(ctx, results)
	require.NoError(s.t, err)
	on, err := effect.ParseDate("2010-07-10")
	require.NoError(s.t, err)
	prepares, controls := ledger.Person{Name: "P", Role: "caseworker", On: on}, ledger.Person{Name: "C", Role: "controller", On: on}
	full, empty := filepath.Join(s.folder, "full.db"), filepath.Join(s.folder, "empty.db")
	const period = "2008H1"
	use := func(path string, create bool, do func(l *ledger.Ledger) error) error {
		l, err := jobeffekt.OpenLedger(ctx, path, create)
		require.NoError(s.t, err)
		err = do(l)
		return errors.Join(err, l.Close())
	}
	require.NoError(s.t, use(empty, true, func(*ledger.Ledger) error { return nil }))
	var hash string
	proposed := filepath.Join(s.folder, "proposed.db")
	require.NoError(s.t, use(proposed, true, func(l *ledger.Ledger) error {
		_, err := l.Propose(ctx, settled, period, prepares)
		return err
	}))
	require.NoError(s.t, use(full, true, func(l *ledger.Ledger) error {
		r, err := l.Propose(ctx, settled, period, prepares)
		require.NoError(s.t, err)
		hash = r.Hash
		_, err = l.Book(ctx, settled, period, hash, controls)
		return err
	}))
	// copied works on a copy, which must be as it was where the work was stopped.
	copied := func(name, of string, do func(ctx context.Context, l *ledger.Ledger) error) {
		path := filepath.Join(s.folder, "copy.db")
		out = append(out, work{name: "bonus/ledger.Ledger." + name, do: func(ctx context.Context) error {
			b, err := os.ReadFile(of)
			require.NoError(s.t, err)
			require.NoError(s.t, os.WriteFile(path, b, 0o600))
			return use(path, false, func(l *ledger.Ledger) error { return do(ctx, l) })
		}, left: func() (left []string) {
			was, is := rowsOf(s.t, of), rowsOf(s.t, path)
			if was != is {
				left = append(left, is)
			}
			return left
		}})
	}
	copied("Propose", empty, func(ctx context.Context, l *ledger.Ledger) error {
		_, err := l.Propose(ctx, settled, period, prepares)
		return err
	})
	copied("Book", proposed, func(ctx context.Context, l *ledger.Ledger) error {
		_, err := l.Book(ctx, settled, period, hash, controls)
		return err
	})
	copied("Record", empty, func(ctx context.Context, l *ledger.Ledger) error {
		_, err := l.Record(ctx, settled, prepares)
		return err
	})
	copied("Erase", full, func(ctx context.Context, l *ledger.Ledger) error {
		_, err := l.Erase(ctx, "1", controls)
		return err
	})
	for name, read := range map[string]func(ctx context.Context, l *ledger.Ledger) error{
		"Bookings": func(ctx context.Context, l *ledger.Ledger) error {
			_, err := l.Bookings(ctx, ledger.Query{})
			return err
		},
		"Lines": func(ctx context.Context, l *ledger.Ledger) error { _, err := l.Lines(ctx, ledger.Query{}); return err },
		"Cases": func(ctx context.Context, l *ledger.Ledger) error { _, err := l.Cases(ctx, ledger.Query{}); return err },
		"Accounts": func(ctx context.Context, l *ledger.Ledger) error {
			_, err := l.Accounts(ctx, ledger.Query{})
			return err
		},
		"Runs":         func(ctx context.Context, l *ledger.Ledger) error { _, err := l.Runs(ctx, ledger.Query{}); return err },
		"BlockedLines": func(ctx context.Context, l *ledger.Ledger) error { _, err := l.BlockedLines(ctx); return err },
		"Opening":      func(ctx context.Context, l *ledger.Ledger) error { _, err := l.Opening(ctx, "A-751"); return err },
		"Verify":       func(ctx context.Context, l *ledger.Ledger) error { _, err := l.Verify(ctx, ""); return err },
	} {
		copied(name, full, read)
	}
	closed := func(l *ledger.Ledger, err error) error {
		if err == nil {
			err = l.Close()
		}
		return err
	}
	out = append(out,
		work{name: "bonus/ledger.Open", do: func(ctx context.Context) error { return closed(ledger.Open(ctx, full, ledger.Default())) }},
		work{name: "jobeffekt.OpenLedger", do: func(ctx context.Context) error { return closed(jobeffekt.OpenLedger(ctx, full, false)) }},
	)
	return out
}

// rowsOf is what a ledger holds.
func rowsOf(t *testing.T, path string) string {
	ctx := context.Background()
	l, err := jobeffekt.OpenLedger(ctx, path, false)
	require.NoError(t, err)
	defer l.Close()
	r, err := l.Verify(ctx, "")
	require.NoError(t, err)
	return fmt.Sprint(*r)
}

// caseload are the first citizens as on benefit.
func (s *stoppable) caseload() *ingest.Table {
	text := func(name, v string) ingest.Column {
		c := ingest.Column{Name: name, Texts: make([]string, s.persons)}
		for i := range c.Texts {
			c.Texts[i] = v
		}
		return c
	}
	persons, since := ingest.Column{Name: "person_id", Ints: make([]int64, s.persons)}, ingest.Column{Name: "start_date", Dates: make([]effect.Date, s.persons)}
	for i := range s.persons {
		persons.Ints[i], since.Dates[i] = int64(i+1), effect.NewDate(2008, 1, 1+i%300)
	}
	return &ingest.Table{Name: ingest.Caseload, Columns: []ingest.Column{persons, text("municipality", "751"), text("match_scheme", "match5_2004"), text("match_group", "4"), since}}
}

// strataTable are aggregated outcomes.
func strataTable(rows int) *ingest.Table {
	text := func(name, v string) ingest.Column {
		c := ingest.Column{Name: name, Texts: make([]string, rows)}
		for i := range c.Texts {
			c.Texts[i] = v
		}
		return c
	}
	periods := text("period", "2008Q1")
	n, sum := ingest.Column{Name: "n", Ints: make([]int64, rows)}, ingest.Column{Name: "sum", Floats: make([]float64, rows)}
	squares := ingest.Column{Name: "sum_squares", Floats: make([]float64, rows)}
	for i := range rows {
		n.Ints[i], sum.Floats[i], squares.Floats[i] = 10, 4, 4
		periods.Texts[i] = fmt.Sprintf("%04dQ%d", 1900+i/4%200, 1+i%4)
	}
	names := text("municipality", "")
	for i := range rows {
		names.Texts[i] = strconv.Itoa(i / 800)
	}
	return &ingest.Table{Name: ingest.PeerStrata, Columns: []ingest.Column{
		names, text("match_scheme", "match5_2004"), text("match_group", "4"), text("outcome", "sustained_13w"), periods, text("sex", "m"), n, sum, squares,
	}}
}

// oneCell is the first provider of 751 in its largest match group, and everybody else there.
func oneCell(obs *effect.Observations) *effect.Comparison {
	r := &obs.Results[0]
	c := &effect.Comparison{Outcome: r.Outcome, Unit: r.Unit, Cases: obs.Cases, Y: r.Value, Comparators: effect.Peers}
	for i, ok := range r.Complete {
		switch {
		case !ok || obs.Cases.MatchGroup.At(i) != "4":
		case obs.Cases.Municipality.At(i) == "751" && obs.Cases.Provider.At(i) == "L751-1":
			c.In = append(c.In, int32(i))
		case obs.Cases.Municipality.At(i) != "751":
			c.Out = append(c.Out, int32(i))
		}
	}
	return c
}

// fitData are a constant and seven columns, and outcomes that depend on them.
func fitData(n int) (x regress.Matrix, y, yes []float64, group []int32) {
	const p = 8
	d := world.NewDraws(1, 2, 3)
	x = regress.Matrix{N: n, P: p, Data: make([]float64, n*p)}
	y, yes, group = make([]float64, n), make([]float64, n), make([]int32, n)
	for i := range n {
		row := x.Row(i)
		row[0] = 1
		for k := 1; k < p; k++ {
			row[k] = d.At(uint64(i*p + k))
			y[i] += row[k] * float64(k)
		}
		if d.At(uint64(i*p)) < 0.2+0.5*row[1] {
			yes[i] = 1
		}
		group[i] = int32(i % 40)
	}
	return x, y, yes, group
}

// changing is a panel of which a third of the units change in the middle.
func changing(units, periods int) *beforeafter.Panel {
	units = max(units, 12)
	d := world.NewDraws(4, 5, 6)
	p := &beforeafter.Panel{}
	for t := range periods {
		p.Periods = append(p.Periods, t)
	}
	for u := range units {
		p.Units, p.Since = append(p.Units, fmt.Sprintf("u%07d", u)), append(p.Since, beforeafter.Never)
		if u%3 == 0 {
			p.Since[u] = periods / 2
		}
		row := make([]float64, periods)
		for t := range row {
			row[t] = d.At(uint64(u*periods+t)) + float64(t)/10
		}
		p.Y = append(p.Y, row)
	}
	return p
}

// dream writes a panel as the register is held, and returns its path.
func (s *stoppable) dream() string {
	n := s.persons
	panel := &ingest.Table{Name: "panel", Columns: []ingest.Column{{Name: "pnr", Ints: make([]int64, n)}}}
	for i := range n {
		panel.Columns[0].Ints[i] = int64(i + 1)
	}
	for week := 1; week <= 40; week++ {
		c := ingest.Column{Name: fmt.Sprintf("y_09%02d", week), Ints: make([]int64, n)}
		for i := range n {
			c.Ints[i] = []int64{0, 730, 730, 999}[(i+week/7)%3]
		}
		panel.Columns = append(panel.Columns, c)
	}
	for month := 1; month <= 10; month++ {
		panel.Columns = append(panel.Columns, ingest.Column{Name: fmt.Sprintf("grad_2009_%02d", month), Floats: make([]float64, n)})
	}
	path := filepath.Join(s.folder, "panel.parquet")
	f, err := os.Create(path)
	require.NoError(s.t, err)
	require.NoError(s.t, panel.WriteParquet(f))
	require.NoError(s.t, f.Close())
	return path
}

// Every exported function that takes a context is one of the works, has it first and does
// not keep it.
func everyContext(t *testing.T, works []work) {
	called := map[string]bool{}
	for _, w := range works {
		called[w.name] = true
	}
	// What only passes a context on, or looks at nothing but it.
	for _, name := range []string{"effect.WithMeter", "effect.Count", "effect.Stopped"} {
		called[name] = true
	}
	missing := map[string]bool{}
	eachFile(t, func(name string, content []byte) {
		if !library(name) {
			return
		}
		f, err := parse(name, content)
		require.NoError(t, err)
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() {
				continue
			}
			full := fullName(name, fn)
			if full == "" {
				continue
			}
			for k, p := range fn.Type.Params.List {
				if sel, ok := p.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
					require.Zero(t, k, "%s: the context comes first", full)
					if !called[full] {
						missing[full] = true
					}
				}
			}
		}
		// A context that is kept ends nothing when its call ends.
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if st, ok := n.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					// Who says of which call the context is lives within that.
					if says := field.Comment.Text(); strings.HasPrefix(says, "of the transaction") || strings.HasPrefix(says, "of one call") {
						continue
					}
					if sel, ok := field.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
						t.Errorf("%s", f.fault(field, "a struct keeps a context; take it as an argument"))
					}
				}
			}
			return true
		})
	})
	require.Empty(t, slices.Sorted(maps.Keys(missing)), "exported functions that take a context, and of which nothing shows that they stop: give each a line in works")
}

// library says whether a file is of a package that others may import.
func library(name string) bool {
	return filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") &&
		!strings.Contains(name, "testdata/") && !strings.Contains("/"+name, "/internal/") && !strings.HasPrefix(name, "cmd/") &&
		!strings.HasPrefix(name, "examples/") && !strings.HasPrefix(name, "tools/") && !strings.HasPrefix(name, "bench/") && !strings.HasPrefix(name, "effect/effecttest/")
}

// fullName is package.Function or package.Type.Method; "" for methods of types that
// nobody outside can name.
func fullName(file string, fn *ast.FuncDecl) string {
	name := filepath.ToSlash(filepath.Dir(file))
	if name == "." {
		name = "jobeffekt"
	}
	if fn.Recv != nil {
		typ := fn.Recv.List[0].Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if index, ok := typ.(*ast.IndexExpr); ok {
			typ = index.X
		}
		id, ok := typ.(*ast.Ident)
		if !ok || !id.IsExported() {
			return ""
		}
		name += "." + id.Name
	}
	return name + "." + fn.Name.Name
}
