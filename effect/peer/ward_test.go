package peer

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// points is a clustering of points by their plain distance.
func points(x [][]float64) *tree {
	return newTree(len(x), func(a, b int) float64 {
		sum := 0.0
		for j := range x[a] {
			sum += (x[a][j] - x[b][j]) * (x[a][j] - x[b][j])
		}
		return math.Sqrt(sum)
	})
}

// By R 4.2.2: hclust(dist(scale(x)), "ward.D2")$height, all 97 of them.
func TestHeightsAsInR(t *testing.T) {
	b, err := os.ReadFile("../../testdata/reference/peers.json")
	require.NoError(t, err)
	var ref struct{ Ward struct{ Heights []float64 } }
	require.NoError(t, json.Unmarshal(b, &ref))
	f, err := os.Open("../../testdata/reference/peers_98.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	tab := &table{o: Default(rows[0][2:6]...)}
	for _, row := range rows[1:] {
		m := Municipality{ID: row[0]}
		for _, text := range row[2:6] {
			v, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			m.Values = append(m.Values, v)
		}
		tab.all = append(tab.all, m)
	}
	tab.standardise()
	w := newTree(len(tab.all), euclidean(tab).distance)
	for range len(tab.all) - 1 {
		w.join()
	}
	require.Len(t, w.heights, len(ref.Ward.Heights))
	for i, h := range ref.Ward.Heights {
		assert.InEpsilon(t, h, w.heights[i], 1e-9)
	}
}

// Ward's own words: join those two whose sum of squares around their mean grows
// least, worked out from the members each time, all pairs in the order of their
// first members. The height of a joining is the root of twice that growth.
func TestWardByBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for round := range 60 {
		n, p := 2+rng.IntN(14), 1+rng.IntN(3)
		x := make([][]float64, n)
		for i := range x {
			for range p {
				v := rng.NormFloat64()
				if round%2 == 0 { // with ties and equal points
					v = float64(rng.IntN(4))
				}
				x[i] = append(x[i], v)
			}
		}
		clusters := make([][]int, n)
		for i := range clusters {
			clusters[i] = []int{i}
		}
		w := points(x)
		for len(clusters) > 1 {
			a, b, least := -1, -1, math.Inf(1)
			for i := range clusters {
				for j := range i {
					d := squares(x, slices.Concat(clusters[i], clusters[j])) - squares(x, clusters[i]) - squares(x, clusters[j])
					if d < least-1e-9 || math.Abs(d-least) <= 1e-9 && (j < a || j == a && i < b) {
						a, b, least = j, i, d
					}
				}
			}
			clusters[a] = slices.Sorted(slices.Values(slices.Concat(clusters[a], clusters[b])))
			clusters = slices.Delete(clusters, b, b+1)
			w.join()
			assert.InDelta(t, math.Sqrt(max(0, 2*least)), w.heights[len(w.heights)-1], 1e-7)
			for _, members := range clusters {
				for _, m := range members {
					require.Equal(t, members[0], w.of[m], fmt.Sprint(clusters))
				}
			}
		}
	}
}

// squares is the sum of squares of points around their mean.
func squares(x [][]float64, members []int) (sum float64) {
	for j := range x[0] {
		mean := 0.0
		for _, m := range members {
			mean += x[m][j] / float64(len(members))
		}
		for _, m := range members {
			sum += (x[m][j] - mean) * (x[m][j] - mean)
		}
	}
	return sum
}

func TestTooManyToCluster(t *testing.T) {
	tab := &table{o: Options{Clusters: 2}, all: make([]Municipality, maxClustered+1)}
	ward(tab)
	require.Len(t, tab.faults, 1)
	assert.ErrorContains(t, tab.faults[0], "5001 municipalities are more than the 5000 that can be clustered")
}
