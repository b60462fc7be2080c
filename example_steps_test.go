package jobeffekt_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// example is a job about a small simulated world in a folder: 600 citizens in six
// municipalities, and terms that pay for citizens who work for 13 weeks in a row.
func example(folder string) (*jobeffekt.Config, error) {
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality, o.FocalShare = 600, 6, 2, 0.4
	if err := jobeffekt.Synth(context.Background(), filepath.Join(folder, "data"), o, ""); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"jobeffekt.yaml": `data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: sustained_13w, kind: sustained, states: [ordinary_employment], weeks: 13, max_gap: 7, within: 52 weeks}
compare:
  methods: [strata]
  classes: [{covariate: sex}]
terms: [terms.yaml]
formats: [csv]
`,
		"terms.yaml": `agreement: A-751
title: Framework agreement
source: {document: "Framework agreement (invented)", dated: 2007-11-15}
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
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: sustained-job
        section: "8.2"
        text: A price for each citizen who has worked for 13 weeks in a row
        measure: {reached: sustained_13w}
        schedule: {unit_prices: [{match_group: 4, amount: 4000}, {match_group: 5, amount: 7500}]}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
}

// A run into a folder, what of it may leave the house, and a look whether it is as it was.
func ExampleReadPublication() {
	folder, err := os.MkdirTemp("", "jobeffekt-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	c, err := example(folder)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := jobeffekt.Run(ctx, c); err != nil {
		log.Fatal(err)
	}
	p, err := jobeffekt.ReadPublication(ctx, c.ResultsFolder(), 5)
	if err != nil {
		log.Fatal(err)
	}
	type row struct {
		Provider   string  `col:"provider_id"`
		Group      string  `col:"match_group"`
		Outcome    string  `col:"outcome"`
		Part       string  `col:"part"`
		N          float64 `col:"n"`
		Observed   float64 `col:"observed"` // NaN where it is withheld
		Suppressed string  `col:"suppressed"`
	}
	rows, err := ingest.ToRows[row](p.Table(jobeffekt.TableBenchmark))
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range rows {
		if strings.HasPrefix(r.Provider, "L851") && r.Outcome == "sustained_13w" && r.Part == string(effect.Total) {
			fmt.Println(r.Provider, r.Group, r.N, r.Observed, r.Suppressed)
		}
	}
	fmt.Println("cases may leave the house:", p.Table(jobeffekt.TableCases) != nil)
	differences, err := jobeffekt.Verify(ctx, c.ResultsFolder())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("differences when it is made again:", len(differences))
	// Output:
	// L851-1 4 10 NaN disclosure_control
	// L851-2 4 9 NaN disclosure_control
	// L851-1 5 20 0.4
	// L851-2 5 27 0.222222222
	// cases may leave the house: false
	// differences when it is made again: 0
}

// The steps one by one, in memory: each starts from what the one before it gave.
func ExampleMeasure() {
	folder, err := os.MkdirTemp("", "jobeffekt-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	c, err := example(folder)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	ds, err := c.OpenData(ctx)
	if err != nil {
		log.Fatal(err)
	}
	terms, err := c.LoadTerms()
	if err != nil {
		log.Fatal(err)
	}
	measured, err := jobeffekt.Measure(ctx, ds, c)
	if err != nil {
		log.Fatal(err)
	}
	estimated, err := jobeffekt.Estimate(ctx, ds, c, measured.Observations)
	if err != nil {
		log.Fatal(err)
	}
	benchmarked, err := jobeffekt.Benchmark(ctx, ds, c, measured.Observations, *estimated)
	if err != nil {
		log.Fatal(err)
	}
	settled, err := jobeffekt.Settle(ctx, ds, terms, *measured, *benchmarked, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(measured.Observations.Cases.Len(), "cases")
	for _, b := range benchmarked.Benchmark {
		if b.Municipality == "751" && b.Part == effect.Provider && b.Outcome == "sustained_13w" && b.Verdict != effect.NotRated {
			fmt.Printf("%s %s: %+.3f, 95 %% from %+.3f to %+.3f: %s\n", b.Provider, b.MatchGroup, b.Difference, b.Low, b.High, b.Verdict)
		}
	}
	paid := map[string]bonus.Ore{}
	for _, l := range settled.Lines {
		paid[l.Provider] += l.Amount
	}
	fmt.Println("L751-1", paid["L751-1"], "L751-2", paid["L751-2"])
	// Output:
	// 624 cases
	// (own) 4: -0.077, 95 % from -0.282 to +0.128: no_difference_shown
	// L751-1 4: +0.057, 95 % from -0.154 to +0.269: no_difference_shown
	// L751-2 4: -0.001, 95 % from -0.196 to +0.194: no_difference_shown
	// (own) 5: -0.011, 95 % from -0.196 to +0.174: no_difference_shown
	// L751-1 5: +0.159, 95 % from -0.024 to +0.342: no_difference_shown
	// L751-2 5: -0.130, 95 % from -0.296 to +0.037: no_difference_shown
	// L751-1 211500.00 L751-2 151500.00
}

// What do the terms cost, and how much of that is chance?
func ExampleSimulate() {
	folder, err := os.MkdirTemp("", "jobeffekt-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	c, err := example(folder)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	ds, err := c.OpenData(ctx)
	if err != nil {
		log.Fatal(err)
	}
	terms, err := c.LoadTerms()
	if err != nil {
		log.Fatal(err)
	}
	o := jobeffekt.DefaultSimulation()
	o.Draws, o.Replay, o.Sensitivity, o.Volumes = 20, false, false, nil
	s, err := jobeffekt.Simulate(ctx, ds, c, terms, o)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range s.Rows {
		if r.Truth == jobeffekt.TruthMeasured && r.Year == "" {
			fmt.Printf("%s: %.0f kr. on average, sd %.0f\n", r.Provider, r.Mean, r.SD)
		}
	}
	// Output:
	// L751-1: 226550 kr. on average, sd 27684
	// L751-2: 152200 kr. on average, sd 21840
}

// A ministry's table of shares, ranked by how far each lies from what was expected.
func ExampleRankTable() {
	table, err := ingest.FromRows("shares", []struct {
		Municipality string  `col:"name"`
		Observed     float64 `col:"share"`
		Expected     float64 `col:"expected"`
	}{{"Byen", 0.062, 0.07}, {"Havnen", 0.081, 0.07}, {"Bakken", 0.045, 0.05}})
	if err != nil {
		log.Fatal(err)
	}
	q := jobeffekt.DefaultRankQuery()
	q.Municipality, q.Observed, q.Expected, q.Better = "name", "share", "expected", "low"
	ranked, err := jobeffekt.RankTable(table, q)
	if err != nil {
		log.Fatal(err)
	}
	for i := range ranked.Rows() {
		fmt.Println(ranked.Column("rank").Cell(i), ranked.Column("name").Cell(i), ranked.Column("difference").Cell(i))
	}
	// Output:
	// 1 Byen -0.008
	// 2 Bakken -0.005
	// 3 Havnen 0.011
}
