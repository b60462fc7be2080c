package regress

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// separation refuses a logistic fit whose outcome the named covariates separate.
func separation(names []string) error {
	list, verb := strings.Join(names, ", "), "separate"
	if len(names) == 1 {
		verb = "separates"
	}
	return &effect.Refusal{
		Code: effect.RefusalSeparation,
		Why:  fmt.Sprintf("%s %s those who reached the outcome from those who did not, so the logistic estimate does not exist", list, verb),
		Cure: "drop or coarsen what separates, use the strata method, or ask for Firth's penalised likelihood",
	}
}

// separates says whether the direction of the last Newton step separates: no
// row moves against its outcome and some row, already fitted as 0 or 1, keeps
// moving by about one unit a step, which Newton's method does only on its way to
// infinity, while the rows that are not separated have come to rest. Where a
// maximum exists, rows still move both ways, or none moves any more.
func separates(y, eta, move []float64) bool {
	against, along := 0.0, 0.0
	for i, m := range move {
		if y[i] == 0 {
			m = -m
		}
		against = max(against, -m)
		if math.Abs(eta[i]) > 8 {
			along = max(along, m)
		}
	}
	return along > 0.5 && against < 1e-6
}

// separating returns the columns that a separating direction rests on: those
// whose coefficient times range is at least a tenth of the largest. Where some
// of them separate by themselves, only these. A column that does not vary is no
// answer unless there is no other.
func separating(x Matrix, y, direction []float64) []int {
	limits := make([][2][2]float64, x.P) // of each column and outcome: lowest, highest
	for k := range limits {
		limits[k] = [2][2]float64{{math.Inf(1), math.Inf(-1)}, {math.Inf(1), math.Inf(-1)}}
	}
	for i, v := range y {
		for k, value := range x.Row(i) {
			l := &limits[k][int(v)]
			l[0], l[1] = min(l[0], value), max(l[1], value)
		}
	}
	part, largest := make([]float64, x.P), 0.0
	for k, l := range limits {
		part[k] = math.Abs(direction[k]) * (max(l[0][1], l[1][1]) - min(l[0][0], l[1][0]))
		largest = max(largest, part[k])
	}
	out, alone := []int{}, []int{}
	for k, l := range limits {
		if part[k] >= largest/10 {
			out = append(out, k)
			if part[k] > 0 && (l[0][1] <= l[1][0] || l[1][1] <= l[0][0]) {
				alone = append(alone, k)
			}
		}
	}
	if len(alone) > 0 {
		out = alone
	}
	return slices.Clip(out)
}
