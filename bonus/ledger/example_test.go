package ledger_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/effect"
)

// A settlement is proposed by one person, booked by another, and never changed afterwards.
func Example() {
	terms, err := bonus.ParseTerms("terms.yaml", []byte(`agreement: A-1
title: Framework agreement
source: {document: "Framework agreement (invented)", dated: 2007-12-01}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2012-01-01
packages: [{id: P1, name: Job search with a coach, job_oriented: true}]
periods: half_year
applies_by: referral
rounding: {unit: 0.01, mode: half_up, stage: line}
settlement:
  section: "10"
  accepted_by: controller
  pay_within: 45 days
  objection: 30 days
  final: 12 months
  limitation: 36 months
  corrections: set_off
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: job
        section: "8.2"
        text: A price for each citizen who has worked for 13 weeks in a row
        measure: {reached: sustained_13w}
        schedule: {unit_prices: [{match_group: 1, package: P1, amount: 4000}]}
`))
	if err != nil {
		log.Fatal(err)
	}
	seal, err := terms.Seal(0, effect.NewDate(2007, 12, 14), "N. N.", "head of finance")
	if err != nil {
		log.Fatal(err)
	}
	if terms, err = terms.Sealed("terms.seal.yaml", []byte("agreement: A-1\nseals:\n"+seal.Text())); err != nil {
		log.Fatal(err)
	}
	// What a run gives: here one line about one citizen.
	version := effect.NewDate(2008, 1, 1)
	settled := &ledger.Settled{
		Terms: []*bonus.Terms{terms}, AsOf: effect.NewDate(2008, 12, 31), From: version, To: effect.NewDate(2008, 12, 31),
		Inputs: "inputs", RunFile: "run file", Manifest: "manifest",
		Settlement: &bonus.Settlement{
			Lines: []bonus.Line{{
				ID: "A-1/north/2008H2/job@2008-01-01/match5_2004/1/P1", Agreement: "A-1", Provider: "north", Period: "2008H2", Clause: "job", Version: version,
				Outcome: "sustained_13w", MatchScheme: "match5_2004", MatchGroup: "1", Package: "P1", Cases: 1, Quantity: "1", UnitPrice: 4000_00, Amount: 4000_00,
				Currency: bonus.DKK, Standing: bonus.StandingSealed, TermsSHA256: terms.SHA256,
			}},
			Entries: []bonus.Entry{{Line: "A-1/north/2008H2/job@2008-01-01/match5_2004/1/P1", Participation: "a", On: effect.NewDate(2008, 9, 1), Quantity: "1"}},
		},
	}

	ctx := context.Background()
	folder, err := os.MkdirTemp("", "jobeffekt-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	o := ledger.Default()
	o.Create = true
	l, err := ledger.Open(ctx, filepath.Join(folder, "ledger.db"), o)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	proposed, err := l.Propose(ctx, settled, "2008H2", ledger.Person{Name: "P. P.", Role: "caseworker", On: effect.NewDate(2009, 1, 10)})
	if err != nil {
		log.Fatal(err)
	}
	controller := ledger.Person{Name: "C. C.", Role: "controller", On: effect.NewDate(2009, 1, 12)}
	if _, err := l.Book(ctx, settled, "2008H2", proposed.Hash, controller); err != nil {
		log.Fatal(err)
	}
	booked, err := l.Lines(ctx, ledger.Query{})
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range booked {
		fmt.Println(b.Provider, b.Period, b.Amount)
	}
	again, err := l.Propose(ctx, settled, "2008H2", controller)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("nothing to add:", again.Same())
	// Output:
	// north 2008H2 4000.00
	// nothing to add: true
}
