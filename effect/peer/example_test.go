package peer_test

import (
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/effect/peer"
)

// The two municipalities whose framework conditions are nearest to those of Byen.
func ExampleChoose() {
	all := []peer.Municipality{
		{ID: "Byen", Values: []float64{6.1, 22}},
		{ID: "Havnen", Values: []float64{6.4, 24}},
		{ID: "Bakken", Values: []float64{3.2, 15}},
		{ID: "Engen", Values: []float64{5.0, 21}},
		{ID: "Skoven", Values: []float64{7.9, 31}},
	}
	o := peer.Default("unemployment_pct", "low_education_pct")
	o.K, o.For = 2, []string{"Byen"}
	chosen, err := peer.Choose(all, o)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range chosen {
		fmt.Printf("%d  %-6s  %.2f standard deviations away\n", p.Rank, p.Peer, p.Distance)
	}
	// Output:
	// 1  Havnen  0.39 standard deviations away
	// 2  Engen   0.65 standard deviations away
}
