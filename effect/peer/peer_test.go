package peer_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/peer"
)

// Three conditions cannot hide a fault in a worked example: two columns with
// standard deviations 2 and 10 over four municipalities.
//
//	A (0, 0), B (2, 10), C (4, 20), D (2, 10)
//	means 2 and 10, sums of squares 8 and 200, s^2 = 8/3 and 200/3
//	d(A, B)^2 = 4/(8/3) + 100/(200/3) = 1.5 + 1.5 = 3, d(A, C)^2 = 12, d(B, D) = 0
func TestNearestByHand(t *testing.T) {
	all := []peer.Municipality{{"C", []float64{4, 20}}, {"A", []float64{0, 0}}, {"D", []float64{2, 10}}, {"B", []float64{2, 10}}}
	got, err := peer.Nearest(all, []string{"x", "y"}, 2, nil)
	require.NoError(t, err)
	want := []peer.Peer{
		{"A", "B", 1, math.Sqrt(3), "x;y"}, // a tie with D goes by id
		{"A", "D", 2, math.Sqrt(3), "x;y"},
		{"B", "D", 1, 0, "x;y"},
		{"B", "A", 2, math.Sqrt(3), "x;y"},
		{"C", "B", 1, math.Sqrt(3), "x;y"},
		{"C", "D", 2, math.Sqrt(3), "x;y"},
		{"D", "B", 1, 0, "x;y"},
		{"D", "A", 2, math.Sqrt(3), "x;y"},
	}
	require.Len(t, got, len(want))
	for i := range want {
		assert.InDelta(t, want[i].Distance, got[i].Distance, 1e-12)
		got[i].Distance = want[i].Distance
		assert.Equal(t, want[i], got[i])
	}
	assert.Equal(t, "C", all[0].ID, "the argument is left as it was")
}

// Distances do not depend on the units of a condition.
func TestNearestIsFreeOfUnits(t *testing.T) {
	all := []peer.Municipality{{"1", []float64{3, 5}}, {"2", []float64{4, 1}}, {"3", []float64{9, 2}}, {"4", []float64{1, 7}}}
	want, err := peer.Nearest(all, []string{"x", "y"}, 3, nil)
	require.NoError(t, err)
	for i := range all {
		all[i].Values = []float64{1000*all[i].Values[0] - 7, all[i].Values[1]}
	}
	got, err := peer.Nearest(all, []string{"x", "y"}, 3, nil)
	require.NoError(t, err)
	for i := range want {
		assert.Equal(t, want[i].Peer, got[i].Peer)
		assert.InEpsilon(t, want[i].Distance, got[i].Distance, 1e-12)
	}
}

func TestExcludedAreNobodysPeersButHaveSome(t *testing.T) {
	all := []peer.Municipality{{"1", []float64{1}}, {"2", []float64{2}}, {"3", []float64{3}}}
	got, err := peer.Nearest(all, []string{"x"}, 1, []string{"2"})
	require.NoError(t, err)
	assert.Equal(t, []string{"3", "1", "1"}, []string{got[0].Peer, got[1].Peer, got[2].Peer})
}

func TestFaultsComeAtOnce(t *testing.T) {
	all := []peer.Municipality{{"1", []float64{1, math.NaN()}}, {"2", []float64{2}}, {"2", []float64{2, 2}}}
	_, err := peer.Nearest(all, []string{"x", "y"}, 1, []string{"9"})
	require.ErrorIs(t, err, peer.ErrPeers)
	for _, text := range []string{
		"municipality 1 has no value of y", "municipality 2 has no value of y", "municipality 2 occurs twice",
		"excluded municipality 9 is not in the table",
	} {
		assert.ErrorContains(t, err, text)
	}
	ok := []peer.Municipality{{"1", []float64{1}}, {"2", []float64{2}}, {"3", []float64{2}}}
	_, err = peer.Nearest(ok, []string{"x"}, 3, nil)
	assert.ErrorContains(t, err, "municipality 1 has 2 candidates where 3 peers are asked for")
	_, err = peer.Nearest(ok, []string{"x"}, 0, nil)
	assert.ErrorContains(t, err, "k must be 1 or more")
	same := []peer.Municipality{{"1", []float64{5}}, {"2", []float64{5}}}
	_, err = peer.Nearest(same, []string{"x"}, 1, nil)
	assert.ErrorContains(t, err, "x is the same in every municipality")
}
