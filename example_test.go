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
	e, err := r.Settlement.Explain("A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P1/751")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print("\n", e)
	// Output:
	// 44960.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P1/751
	// 0.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P2/751
	// 487409.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P1/751
	// 371833.00 A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P2/751
	// 12000.00 A-751/L751-2/2010H1/sustained-job@2008-01-01/match5_2004/4/P1
	// -516202.00 A-751/L751-2/2010H1/cap
	//
	// A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P1/751
	// 44960.00 kr. to L751-2 for 2010H1 (provisional, sealed)
	//
	//   A price for each citizen in work at 26 weeks beyond what similar citizens achieve with others in the city
	//   section 8.4 of Framework agreement 2008, annex 4 (invented), 2007-11-15; version in force from 2008-01-01
	//   sealed on 2007-12-14 by the head of finance
	//   terms sha256 a324f0c19b4e9d254008180b2b967e4b9747cc68e796c3df70cfeb23f3d89417
	//
	// Cases of match group 4 (match5_2004), package P1 in 751, over all periods
	//   94  counted             the case counts
	//   5   excluded:not_first  the citizen has an earlier case under the agreement
	//   1   left                the citizen died or emigrated before the window was over
	//
	// Gate
	//   n                 94             at least 30    PASS
	//   overlap           6.95738245     at least 1     PASS
	//   max_weight        0.00275101283  at most 0.05   PASS
	//   peers             (none)         at least 4     NOT_APPLICABLE, which the terms accept  the provider's part lies within one municipality
	//   uncovered_share   0              at most 0.1    PASS
	//   follow_up         1              at least 0.95  PASS
	//   dated_covariates  1              at least 1     PASS
	//
	// Steps
	//   1   observed, all 94 cases                                                                      0.361702128 share      8.4
	//   2   expected of the 94 cases that have comparators                                              0.251231339 share      8.4
	//   3   difference of those 94, provider part, by regression                                        0.110470789 share      8.4
	//   4   lower limit of the difference, confidence 0.95                                              0.0119573554 share     8.4
	//   5   cases that have comparators                                                                 94 citizens            8.4
	//   6   extra citizens = lower limit of the difference (not under 0) x cases that have comparators  1.1239914076 citizens  8.4
	//   7   price of one                                                                                40000.00 kr.           8.4
	//   8   quantity x price                                                                            44959.656304 kr.       8.4
	//   9   rounded to krone, half_up                                                                   44960.00 kr.           rounding
	//   10  if the provider had no effect: chance of being paid all the same, before gate and limit     0.025 share            pay_on
	//   11  if the provider had no effect: mean amount paid, before gate and limit                      1834.89665 kr.         pay_on
	//
	// All lines of the provider in the period
	//   44960.00 kr.    A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P1/751
	//   0.00 kr.        A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/4/P2/751
	//   487409.00 kr.   A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P1/751
	//   371833.00 kr.   A-751/L751-2/2010H1/effect@2008-01-01/match5_2004/5/P2/751
	//   12000.00 kr.    A-751/L751-2/2010H1/sustained-job@2008-01-01/match5_2004/4/P1
	//   -516202.00 kr.  A-751/L751-2/2010H1/cap
	//   400000.00 kr.   sum
}

// A service that holds a dataset asks for one figure, without files.
func ExampleEvaluate() {
	c, err := jobeffekt.LoadConfig("cmd/jobeffekt/demo/jobeffekt.yaml")
	if err != nil {
		log.Fatal(err)
	}
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
	// total         0.066 [ 0.000,  0.132] higher_made_probable
	// municipality -0.056 [-0.114,  0.003] no_difference_shown
	// provider      0.122 [ 0.076,  0.168] higher_made_probable
}
