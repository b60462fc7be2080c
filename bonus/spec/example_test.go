package spec_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
)

// A sentence about terms, tried on them: it promises one job too many.
func ExampleSpec_Run() {
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
	s, err := spec.Parse("terms.spec.yaml", []byte(`terms: terms.yaml
outcomes: [{name: sustained_13w}]
case: {provider: north, package: P1, municipality: Byen, match_group: 1, referral: 2008-02-01}
scenarios:
  - it: pays for each citizen who came to stay
    as_of: 2009-06-30
    given: {cases: [{case: a, outcomes: {sustained_13w: {on: 2008-09-01}}}, {case: b, outcomes: {sustained_13w: {status: not_reached}}}]}
    expect: {lines: [{provider: north, clause: sustained-job, cases: 2, amount: 8000}]}
`))
	if err != nil {
		log.Fatal(err)
	}
	failures, err := s.Run(context.Background(), terms)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range failures {
		fmt.Println(f)
	}
	// Output:
	// terms.spec.yaml:5: it pays for each citizen who came to stay
	//   lines (- expected, + found)
	//            provider  period  clause         cases  quantity  amount   reason
	//     -      north             sustained-job  2                8000.00
	//     +      north     2008H2  sustained-job  1      1         4000.00
}
