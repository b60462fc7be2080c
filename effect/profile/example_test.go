package profile_test

import (
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// Which providers stand out from what chance makes around the share of all?
func ExampleShares() {
	inWork, citizens := []float64{12, 30, 9, 55}, []float64{40, 110, 60, 120}
	target := (12.0 + 30 + 9 + 55) / (40 + 110 + 60 + 120)
	funnel, err := profile.Shares(inWork, citizens, target, profile.DefaultFunnel())
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range funnel.Points {
		fmt.Printf("%.2f  z %5.2f  %s\n", p.Value, p.Z, p.Position)
	}
	// Output:
	// 0.30  z -0.29  inside_95
	// 0.27  z -1.11  inside_95
	// 0.15  z -3.17  outside_99.8
	// 0.46  z  3.09  outside_99.8
}

// Three p-values of one family: what each is when all are looked at together.
func ExampleHolm() {
	together, err := profile.Holm([]float64{0.01, 0.04, 0.03})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(together)
	// Output:
	// [0.03 0.06 0.06]
}

// How sure are the places of four nearly equal providers?
func ExampleRanks() {
	ranks, err := profile.Ranks([]profile.OnTarget{{Mean: 0.31, SE: 0.02}, {Mean: 0.28, SE: 0.02}, {Mean: 0.27, SE: 0.03}, {Mean: 0.12, SE: 0.02}}, profile.DefaultRank())
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range ranks {
		fmt.Printf("place %d, truly between %d and %d\n", r.Rank, r.Low, r.High)
	}
	// Output:
	// place 1, truly between 1 and 3
	// place 2, truly between 1 and 3
	// place 3, truly between 1 and 3
	// place 4, truly between 4 and 4
}
