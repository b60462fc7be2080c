package jobeffekt_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// The whole way once: Parquet, run file and terms in; tables, settlement and an
// explanation out.
func Example() {
	c, err := jobeffekt.LoadConfig("cmd/jobeffekt/demo/jobeffekt.yaml")
	if err != nil {
		log.Fatal(err)
	}
	if c.Out, err = os.MkdirTemp("", "jobeffekt-example-"); err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(c.Out)

	r, err := jobeffekt.Run(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range r.Settlement.Lines {
		if l.Provider == "L751-2" && l.Period == "2010H1" {
			fmt.Println(l.Amount, l.ID)
		}
	}
	e, err := r.Settlement.Explain("A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P2/751")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print("\n", e)
	// Output:
	// 0.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P1/751
	// 0.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P2/751
	// 0.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P1/751
	// 386948.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P2/751
	// 12000.00 A-751/L751-2/2010H1/sustained-job@2008-01-01/match5_2004/4/P1
	//
	// A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P2/751
	// 386948.00 kr. to L751-2 for 2010H1 (provisional, sealed)
	//
	//   A price for each citizen in work at 26 weeks beyond what similar citizens achieve with others in the city
	//   section 8.4 of Framework agreement 2008, annex 4 (invented), 2007-11-15; version in force from 2008-01-01
	//   sealed on 2007-12-14 by the head of finance
	//   terms sha256 3172219a6a0ea5f7eb0240d6422f691c1ab6076e8637ed61a595eb8b40dc8550
	//
	// Cases of match group 5 (match5_2004), package P2 in 751, over all periods
	//   117  counted                  the case counts
	//   3    excluded:not_first       the citizen has an earlier case under the agreement
	//   3    excluded:outside_period  referred outside the period that is measured
	//
	// Gate
	//   n                      117            at least 30    PASS
	//   min_detectable_effect  0.111603626    at most 0.15   PASS
	//   balance                0.243301458    at most 0.25   PASS
	//   variance_ratio         1.00862069     at most 2      PASS
	//   overlap                5.55200319     at least 1     PASS
	//   max_weight             0.00720858089  at most 0.05   PASS
	//   uncovered_share        0              at most 0.1    PASS
	//   placebo                0.0567176598   at most 0.1    PASS
	//   follow_up              1              at least 0.95  PASS
	//   left_share             0              at most 0.05   PASS
	//   no_clock_share         0              at most 0.05   PASS
	//   dated_covariates       1              at least 1     PASS
	//   holm                   0.00878219202  at most 0.05   PASS
	//
	// Steps
	//   1   observed, all 117 cases                                                                     0.256410256 share      8.4
	//   2   expected of the 117 cases that have comparators                                             0.123075567 share      8.4
	//   3   difference of those 117, provider part, by balance                                          0.13333469 share       8.4
	//   4   lower limit of the difference, confidence 0.95                                              0.0551208199 share     8.4
	//   5   cases that have comparators                                                                 117 citizens           8.4
	//   6   extra citizens = lower limit of the difference (not under 0) x cases that have comparators  6.4491359283 citizens  8.4
	//   7   price of one                                                                                60000.00 kr.           8.4
	//   8   quantity x price                                                                            386948.155698 kr.      8.4
	//   9   rounded to 1.00 kr., half_up                                                                386948.00 kr.          rounding
	//   10  if the provider had no effect: chance of being paid all the same, before gate and limit     0.025 share            pay_on
	//   11  if the provider had no effect: mean amount paid, before gate and limit                      2707.78473 kr.         pay_on
	//
	// All lines of the provider in the period
	//   0.00 kr.       A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P1/751
	//   0.00 kr.       A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P2/751
	//   0.00 kr.       A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P1/751
	//   386948.00 kr.  A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P2/751
	//   12000.00 kr.   A-751/L751-2/2010H1/sustained-job@2008-01-01/match5_2004/4/P1
	//   398948.00 kr.  sum
}

// A service that holds a dataset asks for one figure, without files.
func ExampleEvaluate() {
	c, err := jobeffekt.LoadConfig("cmd/jobeffekt/demo/jobeffekt.yaml")
	if err != nil {
		log.Fatal(err)
	}
	// It asks for no more than it shows.
	c.Compare.Methods, c.Compare.Balance = []jobeffekt.MethodName{jobeffekt.Regression}, jobeffekt.BalanceOptions{}
	c.Views, c.Sensitivity = nil, nil
	ds, err := ingest.OpenFolder("cmd/jobeffekt/demo/data", c.IngestOptions())
	if err != nil {
		log.Fatal(err)
	}
	r, err := jobeffekt.Evaluate(context.Background(), ds, c)
	if err != nil {
		log.Fatal(err)
	}
	cell := effect.Cell{Municipality: "751", MatchScheme: "match5_2004", MatchGroup: "5", Provider: "L751-2"}
	for _, b := range r.Benchmark {
		if b.Cell == cell && b.Outcome == "employed_26w" && b.Method == "regression" {
			fmt.Printf("%-12s %6.3f [%6.3f, %6.3f] %s\n", b.Part, b.Difference, b.Low, b.High, b.Verdict)
		}
	}
	// Output:
	// total         0.066 [-0.009,  0.142] no_difference_shown
	// municipality -0.056 [-0.128,  0.016] no_difference_shown
	// provider      0.122 [ 0.076,  0.168] higher_made_probable
}
