package interval_test

import (
	"fmt"

	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Of 40 citizens 10 came into work: how sure is the share?
func ExampleWilson() {
	low, high := interval.Wilson(10, 40, 0.95)
	fmt.Printf("%.3f, 95 %% from %.3f to %.3f\n", 10.0/40, low, high)
	// Output:
	// 0.250, 95 % from 0.142 to 0.402
}

// Of 40 citizens 10 came into work where 60 of 120 did elsewhere.
func ExampleNewcombe() {
	difference, low, high := interval.Newcombe(10, 40, 60, 120, 0.95)
	fmt.Printf("%+.3f, 95 %% from %+.3f to %+.3f\n", difference, low, high)
	// Output:
	// -0.250, 95 % from -0.389 to -0.074
}

// Twelve came into work where nine were expected.
func ExampleRatio() {
	ratio, low, high := interval.Ratio(12, 9, 0.95)
	fmt.Printf("%.2f times the expected, 95 %% from %.2f to %.2f\n", ratio, low, high)
	// Output:
	// 1.33 times the expected, 95 % from 0.69 to 2.33
}
