package peer

import (
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// maxClustered is how many municipalities can be clustered: their distances are
// held two and two.
const maxClustered = 5000

// ward puts municipalities into clusters by Ward's minimum variance on the
// standardised conditions, and ranks the members by their Euclidean distance. It
// begins with every municipality by itself and joins, again and again, the two
// clusters whose distance is least, until Clusters are left. The distances start
// as Euclidean and go on by the update of Lance and Williams
//
//	d^2(k, i+j) = ((n_i + n_k) d^2(k, i) + (n_j + n_k) d^2(k, j) - n_k d^2(i, j)) / (n_i + n_j + n_k)
//
// so that those two are joined whose sum of squares around their mean grows least.
// Squared distances that agree to nine significant digits are ties; of these the pair
// goes first that stands first by the least id of the one and then of the other.
// Source: ward1963; murtaghlegendre2014 for the update (there Ward2, which is
// ward.D2 of R's hclust).
func ward(t *table) closeness {
	c := euclidean(t)
	n := len(t.all)
	switch {
	case t.o.Clusters < 2:
		t.fault(RefusalOptions, nil, "", "", "the number of clusters must be 2 or more")
	case t.o.Clusters > n:
		t.fault(RefusalOptions, nil, "", "", "%d municipalities cannot be cut into %d clusters", n, t.o.Clusters)
	case n > maxClustered:
		t.fault(RefusalTooMany, nil, "", "choose by distance", "%d municipalities are more than the %d that can be clustered", n, maxClustered)
	default:
		w := newTree(n, c.distance)
		for range n - t.o.Clusters {
			w.join()
		}
		c.cluster = w.of
	}
	return c
}

// tree is a clustering in progress. A cluster has the number of its first member.
type tree struct {
	of      []int       // cluster of each
	size    []float64   // of each cluster, 0 for one that was joined to another
	squares [][]float64 // squared distance of two clusters, below the diagonal
	rounded [][]float64 // the same, as they are compared
	nearest []int       // of each cluster, among those before it; -1 for none
	heights []float64   // distance of the clusters joined, in the order of joining
}

func newTree(n int, distance func(a, b int) float64) *tree {
	w := &tree{of: make([]int, n), size: make([]float64, n), nearest: make([]int, n), squares: make([][]float64, n), rounded: make([][]float64, n)}
	for i := range n {
		w.of[i], w.size[i] = i, 1
		w.squares[i], w.rounded[i] = make([]float64, i), make([]float64, i)
		for j := range i {
			d := distance(i, j)
			w.set(i, j, d*d)
		}
		w.look(i)
	}
	return w
}

// set notes the squared distance of two clusters.
func (w *tree) set(a, b int, square float64) {
	a, b = max(a, b), min(a, b)
	w.squares[a][b], w.rounded[a][b] = square, effect.Round(square)
}

func (w *tree) square(a, b int) float64 { return w.squares[max(a, b)][min(a, b)] }

// look finds the nearest of the clusters before one; of several the first.
func (w *tree) look(a int) {
	w.nearest[a] = -1
	for b, d := range w.rounded[a] {
		if w.size[b] > 0 && (w.nearest[a] < 0 || d < w.rounded[a][w.nearest[a]]) {
			w.nearest[a] = b
		}
	}
}

// before says whether the pair of a and its nearest goes before that of b: by
// distance, then by the first of the pair, then by the second.
func (w *tree) before(a, b int) bool {
	x, y := w.rounded[a][w.nearest[a]], w.rounded[b][w.nearest[b]]
	if x != y {
		return x < y
	}
	if w.nearest[a] != w.nearest[b] {
		return w.nearest[a] < w.nearest[b]
	}
	return a < b
}

// join joins the two clusters that are nearest. There must be two.
func (w *tree) join() {
	j := -1
	for a := range w.of {
		if w.size[a] > 0 && w.nearest[a] >= 0 && (j < 0 || w.before(a, j)) {
			j = a
		}
	}
	i := w.nearest[j]
	between, ni, nj := w.square(i, j), w.size[i], w.size[j]
	w.heights = append(w.heights, math.Sqrt(between))
	for k, nk := range w.size {
		if nk > 0 && k != i && k != j {
			// Between equal municipalities rounding can lead below 0.
			w.set(k, i, max(0, ((ni+nk)*w.square(k, i)+(nj+nk)*w.square(k, j)-nk*between)/(ni+nj+nk)))
		}
	}
	w.size[i], w.size[j] = ni+nj, 0
	for m, c := range w.of {
		if c == j {
			w.of[m] = i
		}
	}
	for k, nk := range w.size {
		switch {
		case nk == 0 || k < i:
		case k == i || w.nearest[k] == i || w.nearest[k] == j:
			w.look(k)
		default: // the joined cluster may have come nearer, or tie and stand before
			d, now := w.rounded[k][i], w.rounded[k][w.nearest[k]]
			if d < now || d == now && i < w.nearest[k] {
				w.nearest[k] = i
			}
		}
	}
}
