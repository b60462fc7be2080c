package balance_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/effect/balance"
)

// Five comparators with age and weeks of work. Weighted, they have the means of a cell whose
// citizens are 40 years old on average and have worked for 20 weeks.
func ExampleEntropy() {
	x := balance.Matrix{N: 5, P: 2, Data: []float64{25, 10, 30, 30, 42, 5, 50, 40, 55, 12}}
	w, err := balance.Entropy(context.Background(), balance.Problem{X: x, Target: []float64{40, 20}, Names: []string{"age", "weeks"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", w.Weights)
	// Output:
	// [0.204 0.216 0.188 0.208 0.184]
}
