package disclosure_test

import (
	"fmt"

	"github.com/jobeffekt/jobeffekt/effect/disclosure"
)

// Three groups and their sum. The second counts 2, so it is withheld; with the sum told, one
// more has to be, or the 2 could be worked out.
func ExampleDecide() {
	counts := []int64{40, 2, 17}
	p := disclosure.Problem{MinCount: 5}
	p.Items = append(p.Items, disclosure.Item{Groups: [][]int32{{0, 1, 2}}}) // the sum stands first
	for i, n := range counts {
		p.Atoms = append(p.Atoms, disclosure.Atom{Counts: []int64{n}})
		p.Items = append(p.Items, disclosure.Item{Groups: [][]int32{{int32(i)}}})
	}
	fmt.Println(disclosure.Decide(p))
	// Output:
	// [true true false false]
}
