package jobeffekt_test

import (
	"context"
	"fmt"
	"go/ast"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/effect/disclosure"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/matching"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/effect/regress"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/survival"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/effect/weighting"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// call is an exported function as it is usually called. A method is written as a function
// whose first argument is what it belongs to.
type call struct {
	name string
	fn   any
	args []any // auto is replaced by a value of the argument's type
}

// auto stands for an argument that the test has at hand.
type auto struct{}

// typical is how functions are called that are given slices, maps, pointers or a context,
// and so could change what is not theirs.
func typical(t *testing.T) []call {
	s := &stoppable{t: t, folder: t.TempDir(), persons: 700, rows: 400}
	s.prepare()
	ctx := context.Background()
	c := s.config(filepath.Join(s.folder, "results"))
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
	members, err := ds.Providers(ctx)
	require.NoError(t, err)
	caseload := ingest.NewDataset(c.IngestOptions())
	require.NoError(t, caseload.AddTable(ingest.Caseload, "benefits", s.caseload()))
	onBenefit, err := caseload.Caseload(ctx)
	require.NoError(t, err)
	design := effect.DefaultDesign()
	design.Peers = c.Peers.List
	cases := obs.Cases
	age, _ := cases.Covariate("age")
	rows := []int32{5, 1, 3, 9, 7, 2}
	one := oneCell(obs)
	x, y, yes, group := fitData(s.rows)
	fit, err := regress.Linear(ctx, x, y)
	require.NoError(t, err)
	random, err := hierarchical.Logistic(ctx, x, yes, group, 40)
	require.NoError(t, err)
	target := make([]float64, x.P)
	for k := range target {
		target[k] = 0.3
	}
	target[0] = 1
	panel := changing(40, 8)
	var panelRows []beforeafter.Row
	for u, unit := range panel.Units {
		for k, period := range panel.Periods {
			panelRows = append(panelRows, beforeafter.Row{Unit: unit, Period: period, Since: panel.Since[u], Y: panel.Y[u][k]})
		}
	}
	classes := []effect.Class{{Covariate: "sex"}}
	classifier, err := effect.Classify(cases, classes)
	require.NoError(t, err)
	places := []municipal.Municipality{}
	near := []peer.Municipality{}
	for k := range 12 {
		f := float64(k)
		places = append(places, municipal.Municipality{Name: fmt.Sprint("m", k), Observed: 0.3 + f*f/1000, Weight: 100 + f, Conditions: []float64{f, math.Mod(f*f, 7)}})
		near = append(near, peer.Municipality{ID: fmt.Sprint("m", k), Size: 50 + f, Values: []float64{f, math.Mod(f*f, 7)}})
	}
	conditions := []string{"a", "b"}
	expected, err := municipal.Expect(places, conditions, municipal.DefaultExpect())
	require.NoError(t, err)
	near2 := peer.Default(conditions...)
	near2.K = 4
	chosen, err := peer.Choose(near, near2)
	require.NoError(t, err)
	shares, half, sizes := []float64{0.1, 0.25, 0.4, 0.02, 0.3}, []float64{0.2, 0.1, 0.15, 0.3, 0.2}, []float64{20, 40, 10, 30, 50}
	counts := []float64{2, 10, 4, 1, 15}
	run := survival.Data{Days: []int32{3, 5, 8, 9, 12}, Cause: []uint8{1, 0, 1, 2, 0}, Causes: 2}
	onTarget := []profile.OnTarget{}
	for k := range shares {
		onTarget = append(onTarget, profile.OnTarget{Mean: shares[k], SE: half[k]})
	}
	table, err := ingest.ReadTable(ctx, filepath.Join(s.folder, "results", "outcomes.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	paid, err := jobeffekt.PaidCases(settled)
	require.NoError(t, err)
	control := jobeffekt.Control{N: 5, Seed: 1}
	src, err := os.ReadFile(filepath.Join(s.folder, "terms.yaml"))
	require.NoError(t, err)
	specSrc, err := os.ReadFile(filepath.Join(s.folder, "terms.spec.yaml"))
	require.NoError(t, err)
	seals, err := os.ReadFile(jobeffekt.SealsName(filepath.Join(s.folder, "terms.yaml")))
	require.NoError(t, err)
	runFile, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	scenarios, err := spec.Parse("terms.spec.yaml", specSrc)
	require.NoError(t, err)
	w, err := world.New(world.Default())
	require.NoError(t, err)
	block := w.Block(1, 200)
	aalborg := effect.NewIdentities(members)
	figures := []bonus.Figure{}
	rank := jobeffekt.DefaultRankQuery()
	covariates := []string{"sex", "age", "match_group"}
	problem := disclosure.Problem{}
	var kroner big.Rat
	kroner.SetString("12.345")

	pool := []any{
		ctx, ds, c, obs, cases, e.Estimates, b.Benchmark, design, c.Methods(), members, facts, terms, settled, one, rows, classes, x, y, group, panel, places, conditions, near, chosen, expected,
		table, io.Discard, m, *m, *e, *b, onBenefit, c.Study(), watch.Default(), effect.DefaultSensitivity(),
		[]effect.View{effect.ViewTotal},
		ingest.DefaultLimits(), paid, control, figures,
		e.Peers, municipal.DefaultExpect(), near2, effect.Every(""), src, shares, &kroner, block.Participations, problem,
	}
	pool = slices.DeleteFunc(pool, func(v any) bool { return v == nil })
	list := []call{
		// Counting and estimating.
		{"effect.Benchmark", effect.Benchmark, nil},
		{"effect.Diagnostics", effect.Diagnostics, nil},
		{"effect.AtVolume", effect.AtVolume, []any{auto{}, 2.0, 30}},
		{"effect.Estimates", effect.Estimates, nil},
		{"effect.Views", effect.Views, nil},
		{"effect.Sensitivity.Band", effect.Sensitivity.Band, nil},
		{"effect.Design.CheckSchemes", effect.Design.CheckSchemes, nil},
		{"effect.Classify", effect.Classify, nil},
		{"effect.Classifier.KeyOf", (*effect.Classifier).KeyOf, []any{classifier, []string{"m"}}},
		{"effect.Cohort.Select", effect.Cohort.Select, []any{c.Study().Cohort, auto{}}},
		{"effect.Caseload.Controls", (*effect.Caseload).Controls, []any{auto{}, auto{}, c.Cohort.Period}},
		{"effect.NewFactor", effect.NewFactor, []any{[]string{"b", "a", "", "b"}}},
		{"effect.Covariate.Moments", (*effect.Covariate).Moments, []any{age, rows}},
		{"effect.Comparison.Restrict", (*effect.Comparison).Restrict, []any{one, make([]bool, len(one.In))}},
		{"effect.Comparison.MeanVariance", (*effect.Comparison).MeanVariance, []any{one, rows, shares[:5]}},
		{"effect.Comparison.Persons", (*effect.Comparison).Persons, nil},
		{"effect.Comparison.Repeated", (*effect.Comparison).Repeated, []any{one, rows[:5], shares}},
		{"effect.Comparison.Linear", (*effect.Comparison).Linear, []any{one, effect.Linear{Weights: make([]float64, len(one.Out)), FittedOut: make([]float64, len(one.Out)), FittedIn: make([]float64, len(one.In))}}},
		{"effect.Comparison.Frame", (*effect.Comparison).Frame, []any{one, ctx, covariates, []effect.Term{effect.Squares}}},
		{"effect.Kinship", effect.Kinship, nil},
		{"effect.EarliestOfPerson", effect.EarliestOfPerson, nil},
		{"effect.NewIdentities", effect.NewIdentities, nil},
		{"effect.ProviderRows", effect.ProviderRows, nil},
		{"effect.IdentitiesOf", effect.IdentitiesOf, []any{effect.ProviderRows(obs, members)}},
		{"effect.Identities.Lines", (*effect.Identities).Lines, []any{aalborg, "L751-1"}},
		{"effect.NumberIDs", effect.NumberIDs, []any{[]int64{3, 1, 2}}},
		{"effect.NewIDs", effect.NewIDs, []any{effect.NumberID(4), effect.TextID("a")}},
		{"effect.SortRows", effect.SortRows[int64], []any{[]int32{2, 0, 1}, []int64{9, 7, 8}}},
		{"effect.NewObserver", effect.NewObserver, nil},
		{"effect.OwnEmployers", effect.OwnEmployers, nil},
		{"effect.Observations.Resample", (*effect.Observations).Resample, []any{obs, [][]int32{{1, 2}, {0, 0, 5}}}},
		{"effect.Observations.Moved", (*effect.Observations).Moved, []any{obs, 3}},
		{"effect/balance.Entropy", balance.Entropy, []any{ctx, balance.Problem{X: x, Target: target}}},
		{"effect/balance.Method.Expect", balance.Method.Expect, []any{balance.Default(covariates...)}},
		{"effect/regress.Method.Expect", regress.Method.Expect, []any{regress.Default(covariates...)}},
		{"effect/matching.Method.Expect", matching.Method.Expect, []any{matching.Default(covariates...)}},
		{"effect/weighting.Method.Expect", weighting.Method.Expect, []any{weighting.Augmented(covariates...)}},
		{"effect/weighting.Overlap", weighting.Overlap, []any{ctx, one, "sex", "age"}},
		{"effect/hierarchical.Method.Expect", hierarchical.Method.Expect, []any{hierarchical.Default(covariates...)}},
		{"effect/strata.Method.Expect", strata.Method.Expect, []any{strata.Default(classes...)}},
		{"effect/strata.Totals", strata.Totals, nil},
		{"effect/strata.Direct.Standardise", strata.Direct.Standardise, []any{strata.DefaultDirect(classes...), cases, one.Y, effect.UnitShare, strata.Target{}, [][]int32{one.In, one.Out}}},
		{"effect/regress.Linear", regress.Linear, nil},
		{"effect/regress.Logistic", regress.Logistic, []any{ctx, x, yes}},
		{"effect/regress.Firth", regress.Firth, []any{ctx, x, yes}},
		{"effect/regress.HC2", regress.HC2, nil},
		{"effect/regress.HC3", regress.HC3, nil},
		{"effect/regress.Clustered", regress.Clustered, []any{ctx, x, y, group}},
		{"effect/regress.Fit.Predict", (*regress.Fit).Predict, []any{fit, x.Row(3)}},
		{"effect/regress.Fit.Influence", (*regress.Fit).Influence, []any{fit, x.Row(3)}},
		{"effect/hierarchical.Logistic", hierarchical.Logistic, []any{ctx, x, yes, group, 40}},
		{"effect/hierarchical.PredictedExpected", hierarchical.PredictedExpected, []any{ctx, x, yes, group, 40}},
		{"effect/hierarchical.Fit.Predict", (*hierarchical.Fit).Predict, []any{random, x.Row(3)}},
		{"effect/beforeafter.DiD.Estimate", beforeafter.DiD.Estimate, []any{beforeafter.DefaultDiD()}},
		{"effect/beforeafter.Synthetic.Estimate", beforeafter.Synthetic.Estimate, []any{beforeafter.DefaultSynthetic()}},
		{"effect/beforeafter.Observed.Panel", beforeafter.Observed.Panel, []any{beforeafter.DefaultObserved()}},
		{"effect/beforeafter.Panel.Check", (*beforeafter.Panel).Check, nil},
		{"effect/beforeafter.Panel.Missing", (*beforeafter.Panel).Missing, nil},
		{"effect/beforeafter.Panel.Keep", (*beforeafter.Panel).Keep, []any{panel, make([]bool, len(panel.Units))}},
		{"effect/beforeafter.Panel.Complete", (*beforeafter.Panel).Complete, nil},
		{"effect/beforeafter.Panel.Sorted", (*beforeafter.Panel).Sorted, nil},
		{"effect/beforeafter.FromRows", beforeafter.FromRows, []any{[]string(nil), panelRows}},
		{"effect/beforeafter.Calendar.FromRows", beforeafter.Calendar.FromRows, []any{beforeafter.Quarters, []string(nil), panelRows}},
		{"effect/interval.DerSimonianLaird", interval.DerSimonianLaird, []any{shares, half}},
		{"effect/interval.PauleMandel", interval.PauleMandel, []any{shares, half}},
		{"effect/interval.PauleMandelMedian", interval.PauleMandelMedian, []any{shares, half}},
		{"effect/municipal.Expect", municipal.Expect, nil},
		{"effect/municipal.Figures", municipal.Figures, nil},
		{"effect/municipal.Rank", municipal.Rank, []any{municipal.Figures(places, expected), municipal.DefaultRank(profile.High)}},
		{"effect/peer.Choose", peer.Choose, nil},
		{"effect/peer.Conditions", peer.Conditions, nil},
		{"effect/peer.Stability", peer.Stability, []any{chosen, conditions, func(string) ([]peer.Peer, error) { return chosen, nil }}},
		{"effect/profile.Holm", profile.Holm, []any{shares}},
		{"effect/profile.BenjaminiHochberg", profile.BenjaminiHochberg, []any{shares}},
		{"effect/profile.NewPoissonBinomial", profile.NewPoissonBinomial, []any{shares}},
		{"effect/profile.Screen", profile.Screen, []any{shares, 2}},
		{"effect/profile.Shares", profile.Shares, []any{counts, sizes, 0.2, profile.DefaultFunnel()}},
		{"effect/profile.Ratios", profile.Ratios, []any{counts, counts, sizes, profile.DefaultFunnel()}},
		{"effect/profile.Differences", profile.Differences, []any{shares, half, sizes, 0.2, profile.DefaultFunnel()}},
		{"effect/profile.League", profile.League, []any{obs, profile.DefaultLeague(classes...)}},
		{"effect/profile.Ranks", profile.Ranks, []any{onTarget, profile.DefaultRank()}},
		{"effect/profile.Shrink", profile.Shrink, []any{shares, half, profile.DefaultShrink()}},
		{"effect/profile.Rows", profile.Rows, []any{auto{}, profile.DefaultOptions()}},
		{"effect/survival.Take", survival.Take, []any{&obs.Results[0], cases.Person, rows, []float64(nil)}},
		{"effect/survival.Rows", survival.Rows, []any{"o", effect.Cell{}, []string{"work", "other"}, run, []int32{1, 5, 9}, survival.DefaultOptions()}},
		{"effect/survival.KaplanMeier", survival.KaplanMeier, []any{run, survival.DefaultOptions()}},
		{"effect/survival.AalenJohansen", survival.AalenJohansen, []any{run, survival.DefaultOptions()}},
		{"effect/survival.LogRank", survival.LogRank, []any{run, survival.Groups{}}},
		{"effect/watch.Creaming", watch.Creaming, []any{ctx, obs, watch.Default(), obs.Results[0].Outcome, []string{"sex", "age"}}},
		{"effect/watch.Count", watch.Count, []any{ctx, watch.Facts{Observations: obs, Outcome: obs.Results[0].Outcome}}},
		{"effect/disclosure.Decide", disclosure.Decide, nil},
		{"effect/world.World.Truth", (*world.World).Truth, []any{w, ctx, "751"}},

		// Money.
		{"bonus.Settle", bonus.Settle, nil},
		{"bonus.Together", bonus.Together, nil},
		{"bonus.Settlement.Audit", (*bonus.Settlement).Audit, nil},
		{"bonus.Settlement.ExplainProvider", (*bonus.Settlement).ExplainProvider, []any{settled, ctx, "L751-1"}},
		{"bonus.Settlement.ExplainCase", (*bonus.Settlement).ExplainCase, []any{settled, settled.Cases[0].Participation}},
		{"bonus.Settlement.Explain", (*bonus.Settlement).Explain, []any{settled, "none"}},
		{"bonus.Settlement.Blinded", (*bonus.Settlement).Blinded, nil},
		{"bonus.NewReasons", bonus.NewReasons, nil},
		{"bonus.CaseExplanation.About", bonus.CaseExplanation.About, []any{bonus.CaseExplanation{}, "o"}},
		{"bonus.Explanation.Behind", bonus.Explanation.Behind, []any{bonus.Explanation{}, auto{}, auto{}, []bonus.Stratum{}}},
		{"bonus.NewFigureBook", bonus.NewFigureBook, nil},
		{"bonus.Rounding.Round", bonus.Rounding.Round, []any{terms[0].Rounding}},
		{"bonus.ParseTerms", bonus.ParseTerms, []any{"terms.yaml", src}},
		{"bonus.Terms.Sealed", (*bonus.Terms).Sealed, []any{terms[0], "seals", seals}},
		{"bonus.Terms.Check", (*bonus.Terms).Check, []any{terms[0], bonus.Known{}}},
		{"bonus.ParseDecisions", bonus.ParseDecisions, []any{"d.yaml", []byte("decisions: []\n")}},
		{"bonus/spec.Parse", spec.Parse, []any{"terms.spec.yaml", specSrc}},
		{"bonus/spec.Spec.Facts", (*spec.Spec).Facts, []any{scenarios, 0, terms[0]}},
		{"bonus/spec.Spec.Run", (*spec.Spec).Run, []any{scenarios, ctx, terms[0]}},

		// The job.
		{"jobeffekt.Evaluate", jobeffekt.Evaluate, []any{ctx, ds, c, terms[0]}},
		{"jobeffekt.Measure", jobeffekt.Measure, nil},
		{"jobeffekt.Estimate", jobeffekt.Estimate, nil},
		{"jobeffekt.Benchmark", jobeffekt.Benchmark, nil},
		{"jobeffekt.Settle", jobeffekt.Settle, []any{ctx, ds, terms, *m, *b, (*bonus.Acceptance)(nil)}},
		{"jobeffekt.Watching", jobeffekt.Watching, nil},
		{"jobeffekt.Cells", jobeffekt.Cells, nil},
		{"jobeffekt.Areas.Expenses", jobeffekt.Areas.Expenses, []any{jobeffekt.Areas{}, []ingest.Expense{}}},
		{"jobeffekt.PeriodNames", jobeffekt.PeriodNames, []any{auto{}, beforeafter.Quarters}},
		{"jobeffekt.ParseConfig", jobeffekt.ParseConfig, []any{"jobeffekt.yaml", runFile}},
		{"jobeffekt.PaidCases", jobeffekt.PaidCases, nil},
		{"jobeffekt.Sample", jobeffekt.Sample, nil},
		{"jobeffekt.ControlTable", jobeffekt.ControlTable, nil},
		{"jobeffekt.Findings", jobeffekt.Findings, []any{jobeffekt.ControlTable(paid)}},
		{"jobeffekt.ErrorRates", jobeffekt.ErrorRates, []any{paid, paid, map[string]bool{}, auto{}, 0.95}},
		{"jobeffekt.PanelOf", jobeffekt.PanelOf, []any{auto{}, jobeffekt.PanelColumns{}}},
		{"jobeffekt.RankTable", jobeffekt.RankTable, []any{auto{}, rank}},
		{"jobeffekt.SettledLines", jobeffekt.SettledLines, []any{settled.Lines}},
		{"jobeffekt.BookedAccounts", jobeffekt.BookedAccounts, []any{[]ledger.BookedAccount{{Agreement: "A"}}, "A"}},
		{"jobeffekt.Reconcile", jobeffekt.Reconcile, []any{booksOf(t)}},
		{"jobeffekt.ParseChoices", jobeffekt.ParseChoices, []any{"peers.yaml", []byte("choices: []\n")}},
		{"jobeffekt.SpendingRows", jobeffekt.SpendingRows, []any{[]ingest.Expense{}, obs, []effect.ComparisonRow{}, "o", "strata", effect.Period{}}},
		{"jobeffekt.TableInfo.KeyOf", jobeffekt.TableInfo.KeyOf, []any{jobeffekt.ResultTables()[0], []string{"outcome"}}},
		{"ingest.ParsePseudonymKey", ingest.ParsePseudonymKey, []any{[]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")}},
		{"ingest.Table.Take", (*ingest.Table).Take, []any{auto{}, []int{2, 0}}},
		{"ingest.Table.WriteCSV", (*ingest.Table).WriteCSV, nil},
		{"ingest.Table.WriteParquet", (*ingest.Table).WriteParquet, nil},
		{"ingest.FromRows", ingest.FromRows[effect.BenchmarkRow], []any{"benchmark", b.Benchmark}},
		{"ingest.ToRows", ingest.ToRows[effect.BenchmarkRow], []any{tabled(t, b.Benchmark)}},
		{"ingest/dream.ParseMap", dream.ParseMap, []any{"map.yaml", dream.Template()}},
	}
	for i := range list {
		list[i].args = fill(t, list[i], pool)
	}
	return list
}

func tabled[T any](t *testing.T, rows []T) *ingest.Table {
	table, err := ingest.FromRows("rows", rows)
	require.NoError(t, err)
	return table
}

// fill completes the arguments of a call.
func fill(t *testing.T, c call, pool []any) (args []any) {
	typ := reflect.TypeOf(c.fn)
	for i := range typ.NumIn() {
		want := typ.In(i)
		if i < len(c.args) {
			if _, missing := c.args[i].(auto); !missing {
				args = append(args, c.args[i])
				continue
			}
		}
		if typ.IsVariadic() && i == typ.NumIn()-1 {
			break
		}
		found := false
		for _, v := range pool {
			if reflect.TypeOf(v).AssignableTo(want) {
				args, found = append(args, v), true
				break
			}
		}
		require.True(t, found, "%s: nothing for argument %d, a %s", c.name, i, want)
	}
	if typ.IsVariadic() && len(c.args) > len(args) {
		args = append(args, c.args[len(args):]...)
	}
	return args
}

// made is what a call returns, as a fingerprint.
func (c call) made(args []any) uint64 {
	in := make([]reflect.Value, len(args))
	typ := reflect.TypeOf(c.fn)
	for i, a := range args {
		if in[i] = reflect.ValueOf(a); a == nil {
			in[i] = reflect.Zero(typ.In(min(i, typ.NumIn()-1)))
		}
	}
	out := reflect.ValueOf(c.fn).Call(in)
	p := printer{seen: map[visit]bool{}}
	for _, v := range out {
		if err, ok := v.Interface().(error); ok {
			p.note(err.Error())
			continue
		}
		p.value(v, 0)
	}
	return p.sum
}

// fingerprint changes when anything does that can be reached from the values.
func fingerprint(values []any) uint64 {
	p := printer{seen: map[visit]bool{}}
	for _, v := range values {
		p.value(reflect.ValueOf(v), 0)
	}
	return p.sum
}

// printer sums up values by what they hold: pointers by what they point to, maps whatever
// their order, functions not at all.
type printer struct {
	sum  uint64
	seen map[visit]bool
}

type visit struct {
	at  uintptr
	typ reflect.Type
}

func (p *printer) note(v any) {
	h := fnv.New64a()
	fmt.Fprint(h, p.sum, v)
	p.sum = h.Sum64()
}

func (p *printer) bits(v uint64) { p.sum = (p.sum ^ v) * 0x100000001b3 }

func (p *printer) value(v reflect.Value, depth int) {
	if !v.IsValid() {
		p.bits(1)
		return
	}
	switch path := v.Type().PkgPath(); {
	case path == "sync" || path == "sync/atomic" || path == "context":
		return // what is kept to be told again
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			p.bits(3)
		} else {
			p.bits(2)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.bits(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.bits(v.Uint())
	case reflect.Float32, reflect.Float64:
		p.bits(math.Float64bits(v.Float()))
	case reflect.String:
		p.bits(uint64(v.Len()))
		for _, b := range []byte(v.String()) {
			p.bits(uint64(b))
		}
	case reflect.Pointer:
		if v.IsNil() {
			p.bits(5)
			return
		}
		at := visit{v.Pointer(), v.Type()}
		if p.seen[at] {
			p.bits(6)
			return
		}
		p.seen[at] = true
		p.value(v.Elem(), depth+1)
	case reflect.Interface:
		if v.IsNil() {
			p.bits(7)
			return
		}
		p.value(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		p.bits(uint64(v.Len()))
		// What lies behind the end belongs to the caller too.
		if v.Kind() == reflect.Slice && v.Cap() > v.Len() && v.Cap()-v.Len() < 64 {
			v = v.Slice(0, v.Cap())
		}
		for i := range v.Len() {
			p.value(v.Index(i), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			p.value(v.Field(i), depth+1)
		}
	case reflect.Map:
		p.bits(uint64(v.Len()))
		all := uint64(0)
		for it := v.MapRange(); it.Next(); {
			one := printer{seen: maps.Clone(p.seen)}
			one.value(it.Key(), depth+1)
			one.value(it.Value(), depth+1)
			all += one.sum
		}
		p.bits(all)
	}
}

// No function changes what it is given, and each returns the same for many callers at once.
// The race run does this too.
func TestCalls(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range typical(t) {
		covered[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Fatalf("%v\n%s", r, first(debug.Stack()))
				}
			}()
			before := fingerprint(c.args)
			want := c.made(c.args)
			require.Equal(t, before, fingerprint(c.args), "an argument was changed")
			for _, callers := range []int{2, 8} {
				got := make([]uint64, callers)
				var wg sync.WaitGroup
				for k := range got {
					wg.Go(func() { got[k] = c.made(c.args) })
				}
				wg.Wait()
				for _, g := range got {
					require.Equal(t, want, g, "%d at once", callers)
				}
			}
			require.Equal(t, before, fingerprint(c.args), "an argument was changed by many at once")
		})
	}
	t.Run("every function is there", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(givers(t))) {
			assert.True(t, covered[name] || exempt(name), "%s is given slices, maps or pointers: a line in typical shows that it leaves them as they are", name)
		}
	})
}

// The fingerprint sees a change of anything, in whatever depth.
func TestFingerprintBites(t *testing.T) {
	type deep struct {
		m map[string][]*float64
		n *deep
	}
	x, y := 1.0, 2.0
	room := make([]int, 2, 4)
	v := &deep{m: map[string][]*float64{"a": {&x}, "b": {&y}}, n: &deep{}}
	last := fingerprint([]any{v, room})
	for _, change := range []func(){
		func() { x = math.NaN() },
		func() { v.m["c"] = nil },
		func() { v.n.n = v },
		func() { room[1] = 1 },
		func() { _ = append(room, 3) }, // behind its end
	} {
		change()
		now := fingerprint([]any{v, room})
		require.NotEqual(t, last, now)
		require.Equal(t, now, fingerprint([]any{v, room}))
		last = now
	}
}

// exempt are functions that change what they are given, as they say.
func exempt(name string) bool {
	return slices.Contains([]string{
		"ingest.PanelReader.Codes", "ingest.PanelReader.Numbers", "ingest.PanelReader.IDs", // write to dst
		"ingest.Dataset.AddTable", "ingest.Dataset.AddArrow", "ingest.Dataset.CloseSpells", "ingest.SpellTally.Add", "effect.Observer.WriteState", // a state of its own
		"effect/world.Surveys.Add", "effect/world.Spending.Add",
		"jobeffekt.WriteTable", "jobeffekt.RecordPeers", "jobeffekt.Publication.Follows", "jobeffekt.PeerChoice.Choice", "jobeffekt.PeerChoice.Text", "jobeffekt.Background.ExplainLine", "bonus/ledger.Plan.CasesOf", // files
	}, name) || strings.HasSuffix(name, ".Read") || strings.HasSuffix(name, ".Dates") || strings.HasSuffix(name, ".UnmarshalText") // what is read is of one call
}

// givers are the exported functions without a context that are given slices, maps or
// pointers beside what they belong to.
func givers(t *testing.T) map[string]bool {
	out := map[string]bool{}
	eachFile(t, func(name string, content []byte) {
		if !library(name) {
			return
		}
		f, err := parse(name, content)
		require.NoError(t, err)
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || fullName(name, fn) == "" {
				continue
			}
			if params := fn.Type.Params.List; len(params) > 0 {
				if sel, ok := params[0].Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
					continue // see TestStoppable
				}
			}
			for _, p := range fn.Type.Params.List {
				switch p.Type.(type) {
				case *ast.ArrayType, *ast.MapType, *ast.StarExpr:
					out[fullName(name, fn)] = true
				}
			}
		}
	})
	return out
}

// A function that returns errors returns one for what it cannot use, or a result; it does
// not panic. Pointers to nothing are left out: they are a mistake in a program, not in data.
func TestBadArguments(t *testing.T) {
	for _, c := range typical(t) {
		typ := reflect.TypeOf(c.fn)
		if typ.NumOut() == 0 || typ.Out(typ.NumOut()-1) != reflect.TypeFor[error]() {
			continue
		}
		if strings.HasPrefix(c.name, "jobeffekt.") && typ.NumIn() > 0 && typ.In(0) == reflect.TypeFor[context.Context]() {
			continue // what a whole job refuses has tests of its own
		}
		t.Run(c.name, func(t *testing.T) {
			for i, a := range c.args {
				if a == nil {
					continue
				}
				for _, bad := range spoilt(reflect.ValueOf(a), 0) {
					args := slices.Clone(c.args)
					args[i] = bad.Interface()
					func() {
						defer func() {
							if r := recover(); r != nil {
								t.Errorf("argument %d, %.200v: %v\n%s", i, bad, r, first(debug.Stack()))
							}
						}()
						c.made(args)
					}()
				}
			}
		})
	}
}

// first is where a panic was.
func first(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			return strings.Join(lines[i+2:min(len(lines), i+8)], "\n")
		}
	}
	return ""
}

// spoilt are values in place of a good one: none, not a number, negative, huge, a part
// of it, and the same for each field of a struct.
func spoilt(v reflect.Value, depth int) (out []reflect.Value) {
	of := func(x any) { out = append(out, reflect.ValueOf(x).Convert(v.Type())) }
	switch v.Kind() {
	case reflect.Float64:
		for _, x := range []float64{0, -1, 2, math.NaN(), math.Inf(1), math.Inf(-1), 1e308} {
			of(x)
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		for _, x := range []int64{0, -1, math.MinInt32} {
			of(x)
		}
	case reflect.String:
		for _, x := range []string{"", "\x00", "no such name"} {
			of(x)
		}
	case reflect.Slice:
		out = append(out, reflect.Zero(v.Type()), reflect.MakeSlice(v.Type(), 0, 0))
		if v.Len() > 1 {
			out = append(out, v.Slice(0, v.Len()-1))
		}
		out = append(out, spoiltElements(v, depth)...)
	case reflect.Map:
		out = append(out, reflect.Zero(v.Type()))
	case reflect.Struct:
		out = append(out, reflect.Zero(v.Type()))
		if depth > 1 || v.Type().PkgPath() == "math/big" {
			return out
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			for _, bad := range spoilt(v.Field(i), depth+1) {
				changed := reflect.New(v.Type()).Elem()
				changed.Set(v)
				changed.Field(i).Set(bad)
				out = append(out, changed)
			}
		}
	}
	return out
}

// spoiltElements are slices with every value spoilt in one way.
func spoiltElements(v reflect.Value, depth int) (out []reflect.Value) {
	if v.Len() == 0 {
		return nil
	}
	switch v.Type().Elem().Kind() {
	case reflect.Float64, reflect.String, reflect.Struct:
	default:
		return nil // rows and codes are places: who makes them answers for them
	}
	for k := range spoilt(v.Index(0), depth+1) {
		changed := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		whole := true
		for i := range v.Len() {
			bad := spoilt(v.Index(i), depth+1)
			if whole = whole && k < len(bad); whole {
				changed.Index(i).Set(bad[k])
			}
		}
		if whole {
			out = append(out, changed)
		}
	}
	return out
}
