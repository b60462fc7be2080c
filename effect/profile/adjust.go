package profile

import (
	"cmp"
	"math"
	"slices"
)

// Holm returns the p-values adjusted so that the chance of one false finding in
// the whole family stays under the level that they are held against, whatever
// the p-values have to do with each other. With p sorted upwards,
//
//	adjusted_i = max over j <= i of min(1, (m - j + 1) p_j)
//
// The family is the m values that are numbers: a NaN is a test that was not
// made, and stays NaN. Equal p-values get equal answers. A value outside 0 to 1
// is refused. The answer stands in the order of p, which is not changed.
//
// The family is for the caller to say. For pay it is all the cells that a
// settlement pays on. Source: holm1979.
func Holm(p []float64) ([]float64, error) {
	out, order, err := ordered(p)
	highest := 0.0
	for rank, i := range order {
		highest = max(highest, min(1, float64(len(order)-rank)*p[i]))
		out[i] = highest
	}
	return out, err
}

// BenjaminiHochberg returns the p-values adjusted so that the expected share of
// false ones among the findings stays under the level that they are held
// against, for independent or positively dependent p-values: for screens, not for
// pay. With p sorted upwards,
//
//	adjusted_i = min over j >= i of min(1, m p_j / j)
//
// NaN, ties and refusals are as with [Holm].
// Source: benjaminihochberg1995.
func BenjaminiHochberg(p []float64) ([]float64, error) {
	out, order, err := ordered(p)
	lowest := 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		lowest = min(lowest, float64(len(order))/float64(rank+1)*p[i])
		out[i] = lowest
	}
	return out, err
}

// ordered returns an answer of NaN and the places of the numbers in p, upwards.
func ordered(p []float64) (out []float64, order []int, err error) {
	for _, v := range p {
		if v < 0 || v > 1 {
			return nil, nil, notFinite()
		}
	}
	for i, v := range p {
		out = append(out, math.NaN())
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	return out, order, nil
}
