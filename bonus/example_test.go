package bonus_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Two citizens of one provider, of whom one has worked for 13 weeks in a row.
func ExampleSettle() {
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
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: sustained-job
        section: "8.2"
        text: A price for each citizen who has worked for 13 weeks in a row
        measure: {reached: sustained_13w}
        schedule: {unit_prices: [{match_group: 1, package: P1, amount: 4000}]}
`))
	if err != nil {
		log.Fatal(err)
	}
	both := func(name string) effect.Factor { return effect.NewFactor([]string{name, name}) }
	cases := &effect.Cases{
		Person: []int32{0, 1}, Referral: []effect.Date{effect.NewDate(2008, 2, 1), effect.NewDate(2008, 3, 1)},
		Municipality: both("Byen"), MatchScheme: both("match5_2004"), MatchGroup: both("1"), Provider: both("north"), Agreement: both("A-1"), Package: both("P1"),
	}
	for _, id := range []string{"a", "b"} {
		cases.ID.Append(effect.TextID(id))
		cases.Persons.Append(effect.TextID(id))
	}
	settled, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, bonus.Facts{Observations: &effect.Observations{
		AsOf: effect.NewDate(2009, 6, 30), Cases: cases,
		Results: []effect.Result{{
			Outcome: "sustained_13w", Unit: effect.UnitShare, Status: []effect.Status{effect.Reached, effect.NotReached},
			Reason: []effect.Reason{effect.NoReason, effect.NoReason}, ReachedOn: []effect.Date{effect.NewDate(2008, 9, 1), effect.NoDate}, Complete: []bool{true, true},
		}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range settled.Lines {
		fmt.Println(l.Provider, l.Period, l.Cases, l.Amount, l.Currency)
	}
	why, err := settled.ExplainCase("b")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(why)
	// Output:
	// north 2008H2 1 4000.00 DKK
	// Case b
	//   clause sustained-job: not counted: the outcome was not reached in its window (not_reached)
}
