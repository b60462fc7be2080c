package survival_test

import (
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/effect/survival"
)

// Eight citizens: five came into work (cause 1), one left the country (cause 2), two are
// still waiting.
func eight() survival.Data {
	return survival.Data{Days: []int32{20, 35, 35, 60, 80, 90, 120, 120}, Cause: []uint8{1, 1, 2, 1, 1, 1, 0, 0}, Causes: 2}
}

// How long do citizens wait, whatever ends it?
func ExampleKaplanMeier() {
	curve, err := survival.KaplanMeier(eight(), survival.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	waiting := curve.At(0, 60)
	fmt.Printf("still waiting after 60 days: %.3f, 95 %% from %.3f to %.3f\n", waiting.Value, waiting.Low, waiting.High)
	fmt.Printf("half of them no longer wait after %.0f days\n", curve.Median().Value)
	// Output:
	// still waiting after 60 days: 0.500, 95 % from 0.152 to 0.775
	// half of them no longer wait after 70 days
}

// Who leaves the country does not come into work: the causes are told apart.
func ExampleAalenJohansen() {
	curve, err := survival.AalenJohansen(eight(), survival.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	for state, name := range []string{"waiting", "in work", "abroad"} {
		fmt.Printf("%-8s %.3f\n", name, curve.At(state, 90).Value)
	}
	// Output:
	// waiting  0.250
	// in work  0.625
	// abroad   0.125
}
