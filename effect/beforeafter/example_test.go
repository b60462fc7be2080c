package beforeafter_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
)

// Three towns took a new way up in 2008, four never did. Each row is the percentage in work
// in the years 2005 to 2010.
func towns() *beforeafter.Panel {
	return &beforeafter.Panel{
		Units:   []string{"Byen", "Havnen", "Bakken", "Engen", "Skoven", "Dalen", "Heden"},
		Periods: []int{2005, 2006, 2007, 2008, 2009, 2010},
		Y: [][]float64{
			{20.1, 20.9, 22.2, 25.1, 26.2, 27.0},
			{24.3, 25.0, 26.1, 28.9, 30.4, 31.1},
			{18.0, 19.2, 20.1, 22.6, 24.1, 25.2},
			{21.0, 22.1, 22.9, 24.0, 25.2, 25.8},
			{19.2, 20.0, 21.3, 22.1, 22.9, 24.2},
			{25.1, 25.8, 27.0, 28.1, 29.0, 30.1},
			{17.4, 18.6, 19.3, 20.4, 21.5, 22.3},
		},
		Since: []int{2008, 2008, 2008, beforeafter.Never, beforeafter.Never, beforeafter.Never, beforeafter.Never},
	}
}

// What did the change do, if the towns would have moved as the others without it?
func ExampleDiD_Estimate() {
	o := beforeafter.DefaultDiD()
	o.MinTreated, o.MinControls = 3, 4 // few: the interval says what that costs
	found, err := o.Estimate(context.Background(), towns())
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range found.Averages {
		if a.Kind == beforeafter.Simple {
			fmt.Printf("%.2f percentage points, 95 %% from %.2f to %.2f\n", a.Effect, a.Low, a.High)
		}
	}
	// Output:
	// 1.92 percentage points, 95 % from 1.67 to 2.18
}

// One town alone, beside the average of others that was most like it before.
func ExampleSynthetic_Estimate() {
	o := beforeafter.DefaultSynthetic()
	o.MinBefore, o.MinDonors = 3, 4
	found, err := o.Estimate(context.Background(), towns().Keep([]bool{true, false, false, true, true, true, true}))
	if err != nil {
		log.Fatal(err)
	}
	unit := found.Units[0]
	fmt.Printf("%s: %.2f percentage points, rank %d of %d\n", unit.Unit, unit.ATT, unit.Rank, unit.Ranked)
	for _, d := range found.Donors {
		if d.Weight > 0.01 {
			fmt.Printf("  %-6s %.2f\n", d.Donor, d.Weight)
		}
	}
	// Output:
	// Byen: 2.10 percentage points, rank 1 of 5
	//   Skoven 0.84
	//   Dalen  0.16
}
