package peer_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
)

// options are those of k nearest by a way.
func options(by peer.By, k int, conditions ...string) peer.Options {
	o := peer.Default(conditions...)
	o.By, o.K = by, k
	return o
}

// small is a municipality with conditions only.
func small(id string, values ...float64) peer.Municipality {
	return peer.Municipality{ID: id, Values: values}
}

// Three conditions cannot hide a fault in a worked example: two columns with
// standard deviations 2 and 10 over four municipalities.
//
//	A (0, 0), B (2, 10), C (4, 20), D (2, 10)
//	means 2 and 10, sums of squares 8 and 200, s^2 = 8/3 and 200/3
//	d(A, B)^2 = 4/(8/3) + 100/(200/3) = 1.5 + 1.5 = 3, d(A, C)^2 = 12, d(B, D) = 0
func TestEuclideanByHand(t *testing.T) {
	all := []peer.Municipality{small("C", 4, 20), small("A", 0, 0), small("D", 2, 10), small("B", 2, 10)}
	got, err := peer.Choose(all, options(peer.Euclidean, 2, "x", "y"))
	require.NoError(t, err)
	want := []peer.Peer{
		{"A", "B", 1, math.Sqrt(3), "x;y", "euclidean"}, // a tie with D goes by id
		{"A", "D", 2, math.Sqrt(3), "x;y", "euclidean"},
		{"B", "D", 1, 0, "x;y", "euclidean"},
		{"B", "A", 2, math.Sqrt(3), "x;y", "euclidean"},
		{"C", "B", 1, math.Sqrt(3), "x;y", "euclidean"},
		{"C", "D", 2, math.Sqrt(3), "x;y", "euclidean"},
		{"D", "B", 1, 0, "x;y", "euclidean"},
		{"D", "A", 2, math.Sqrt(3), "x;y", "euclidean"},
	}
	require.Len(t, got, len(want))
	for i := range want {
		assert.InDelta(t, want[i].Distance, got[i].Distance, 1e-8)
		got[i].Distance = want[i].Distance
		assert.Equal(t, want[i], got[i])
	}
	assert.Equal(t, "C", all[0].ID, "the argument is left as it was")
}

// reference is the table of 98 municipalities and what R says of it.
type reference struct {
	Conditions   []string
	Municipality []string
	Euclidean    chosen
	Mahalanobis  chosen
	Expected     chosen `json:"expected_share"`
	Ward         struct {
		Heights  []float64
		Clusters map[string][]int
	}
}

type chosen struct {
	Distance [][]float64 // of the first five municipalities
	Nearest  [][]string  // eight of each
}

func readReference(t *testing.T) (reference, []peer.Municipality) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/peers.json")
	require.NoError(t, err)
	var ref reference
	require.NoError(t, json.Unmarshal(b, &ref))
	f, err := os.Open("../../testdata/reference/peers_98.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Equal(t, append(append([]string{"municipality", "population"}, ref.Conditions...), "expected_pct"), rows[0])
	var all []peer.Municipality
	for _, row := range rows[1:] {
		var x []float64
		for _, text := range row[1:] {
			v, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			x = append(x, v)
		}
		all = append(all, peer.Municipality{ID: row[0], Size: x[0], Values: x[1:5], Expected: x[5]})
	}
	require.Len(t, all, 98)
	return ref, all
}

// By R 4.2.2: dist(scale(x)), mahalanobis, and the differences of the expected
// shares (testdata/reference/peers.R).
func TestDistancesAsInR(t *testing.T) {
	ref, all := readReference(t)
	for by, want := range map[peer.By]chosen{peer.Euclidean: ref.Euclidean, peer.Mahalanobis: ref.Mahalanobis, peer.ExpectedShare: ref.Expected} {
		got, err := peer.Choose(all, options(by, 8, ref.Conditions...))
		require.NoError(t, err)
		require.Len(t, got, 98*8)
		for i, p := range got {
			a := i / 8
			assert.Equal(t, ref.Municipality[a], p.Municipality)
			assert.Equal(t, want.Nearest[a][i%8], p.Peer, "%s of %s", by, p.Municipality)
			assert.EqualValues(t, i%8+1, p.Rank)
			if a < len(want.Distance) {
				assert.InDelta(t, want.Distance[a][slices.Index(ref.Municipality, p.Peer)], p.Distance, 1e-8)
			}
		}
	}
}

// By R 4.2.2: cutree(hclust(dist(scale(x)), "ward.D2"), k).
func TestWardAsInR(t *testing.T) {
	ref, all := readReference(t)
	for clusters, want := range ref.Ward.Clusters {
		o := options(peer.Ward, 1, ref.Conditions...)
		o.Clusters, _ = strconv.Atoi(clusters)
		got, err := peer.Choose(all, o)
		for _, f := range faults(err) { // who is alone in its cluster has no peers
			require.Len(t, f.Municipalities, 1)
			require.Equal(t, peer.RefusalFewPeers, f.Code)
		}
		peers := map[string][]peer.Peer{}
		for _, p := range got {
			peers[p.Municipality] = append(peers[p.Municipality], p)
		}
		for i, m := range ref.Municipality {
			var others, found []string
			for j, other := range ref.Municipality {
				if i != j && want[i] == want[j] {
					others = append(others, other)
				}
			}
			for _, p := range peers[m] {
				found = append(found, p.Peer)
			}
			assert.ElementsMatch(t, others, found, "%s in %s clusters", m, clusters)
			assert.True(t, slices.IsSortedFunc(peers[m], func(a, b peer.Peer) int { return cmp.Compare(a.Distance, b.Distance) }))
		}
	}
}

// world draws municipalities whose conditions hang together.
func world(seed uint64, n, p int) ([]peer.Municipality, []string) {
	rng := rand.New(rand.NewPCG(seed, 5))
	var all []peer.Municipality
	var names []string
	for j := range p {
		names = append(names, fmt.Sprintf("x%d", j))
	}
	for i := range n {
		m := peer.Municipality{ID: fmt.Sprintf("m%02d", i), Size: 1000 + 50000*rng.Float64(), Expected: 10 + rng.NormFloat64()}
		z := rng.NormFloat64()
		for range p {
			m.Values = append(m.Values, 20+3*z+2*rng.NormFloat64())
		}
		all = append(all, m)
	}
	return all, names
}

// The distance of Mahalanobis is the Euclidean one of any uncorrelated coordinates,
// and so the same after any affine map of the conditions.
func TestMahalanobisIsAffineInvariant(t *testing.T) {
	all, names := world(1, 40, 3)
	want, err := peer.Choose(all, options(peer.Mahalanobis, 39, names...))
	require.NoError(t, err)
	turned := slices.Clone(all)
	for i, m := range all {
		x := m.Values
		turned[i].Values = []float64{1000*x[0] - 7, 2*x[1] + 0.5*x[0] - 3*x[2], x[2] - 0.01*x[1]}
	}
	got, err := peer.Choose(turned, options(peer.Mahalanobis, 39, names...))
	require.NoError(t, err)
	for i := range want {
		assert.Equal(t, want[i].Peer, got[i].Peer)
		assert.InEpsilon(t, want[i].Distance, got[i].Distance, 1e-7)
	}
}

// With two conditions of correlation r in standard deviations u and v,
// d^2 = (u^2 - 2 r u v + v^2)/(1 - r^2).
func TestMahalanobisOfTwo(t *testing.T) {
	all, names := world(2, 30, 2)
	got, err := peer.Choose(all, options(peer.Mahalanobis, 29, names...))
	require.NoError(t, err)
	n, mean, s := float64(len(all)), [2]float64{}, [3]float64{}
	for _, m := range all {
		mean[0], mean[1] = mean[0]+m.Values[0]/n, mean[1]+m.Values[1]/n
	}
	for _, m := range all {
		x, y := m.Values[0]-mean[0], m.Values[1]-mean[1]
		s[0], s[1], s[2] = s[0]+x*x/(n-1), s[1]+y*y/(n-1), s[2]+x*y/(n-1)
	}
	r := s[2] / math.Sqrt(s[0]*s[1])
	at := func(id string) []float64 {
		return all[slices.IndexFunc(all, func(m peer.Municipality) bool { return m.ID == id })].Values
	}
	for _, p := range got {
		u, v := (at(p.Peer)[0]-at(p.Municipality)[0])/math.Sqrt(s[0]), (at(p.Peer)[1]-at(p.Municipality)[1])/math.Sqrt(s[1])
		assert.InEpsilon(t, math.Sqrt((u*u-2*r*u*v+v*v)/(1-r*r)), p.Distance, 1e-8)
	}
}

// Distances do not depend on the units of a condition, whatever its magnitude.
func TestFreeOfUnits(t *testing.T) {
	for _, by := range []peer.By{peer.Euclidean, peer.Mahalanobis, peer.Ward} {
		all, names := world(3, 30, 3)
		o := options(by, 1, names...)
		o.Clusters = 4
		want, err := peer.Choose(all, o)
		require.NoError(t, err)
		for _, factor := range []float64{1e3, 1e-200, 1e290} {
			turned := slices.Clone(all)
			for i, m := range all {
				turned[i].Values = []float64{factor * m.Values[0], m.Values[1] - 7, m.Values[2]}
			}
			got, err := peer.Choose(turned, o)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for i := range want {
				assert.Equal(t, want[i].Peer, got[i].Peer)
				assert.InEpsilon(t, want[i].Distance, got[i].Distance, 1e-7)
			}
		}
	}
}

// Whatever the way and the order: the same rows, never oneself, nobody excluded
// or small, and k of them.
func TestLaws(t *testing.T) {
	all, names := world(4, 40, 3)
	kept := fmt.Sprint(all)
	shuffled := slices.Clone(all)
	rand.New(rand.NewPCG(9, 9)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, name := range peer.By("").Names() {
		o := options(peer.By(name), 3, names...)
		o.Clusters, o.MinSize, o.Exclude = 3, 8000, []string{"m03", "m04"}
		want, err := peer.Choose(all, o)
		require.NoError(t, err, name)
		got, err := peer.Choose(shuffled, o)
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
		assert.Equal(t, kept, fmt.Sprint(all))
		n, left := map[string]int64{}, 0
		for _, m := range all {
			if m.Size < o.MinSize {
				left++
			}
		}
		require.Positive(t, left, "some are small")
		for _, p := range want {
			n[p.Municipality]++
			assert.NotEqual(t, p.Municipality, p.Peer)
			assert.NotContains(t, o.Exclude, p.Peer)
			k := slices.IndexFunc(all, func(m peer.Municipality) bool { return m.ID == p.Peer })
			assert.GreaterOrEqual(t, all[k].Size, o.MinSize)
			assert.Equal(t, n[p.Municipality], p.Rank)
			assert.EqualValues(t, name, p.By)
		}
		assert.Len(t, n, len(all), "also the excluded and the small have peers")
		for _, k := range n {
			assert.GreaterOrEqual(t, k, int64(3))
		}
		// Peers of some are those that they have among all.
		o.For = []string{"m04", "m17"}
		some, err := peer.Choose(all, o)
		require.NoError(t, err)
		assert.Equal(t, slices.DeleteFunc(want, func(p peer.Peer) bool { return !slices.Contains(o.For, p.Municipality) }), some)
	}
}

// Those that are equal in every condition are ties, which go by id; whole numbers
// make many of them.
func TestTiesDoNotHangOnTheOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	for range 20 {
		var all []peer.Municipality
		for i := range 24 {
			all = append(all, peer.Municipality{ID: fmt.Sprintf("m%02d", i), Values: []float64{float64(rng.IntN(3)), float64(rng.IntN(4))}, Expected: float64(rng.IntN(5)) / 10})
		}
		for _, name := range peer.By("").Names() {
			o := options(peer.By(name), 5, "x", "y")
			o.Clusters = 2
			want, wrong := peer.Choose(all, o)
			rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			got, err := peer.Choose(all, o)
			assert.Equal(t, wrong == nil, err == nil)
			assert.Equal(t, want, got, name)
			for i := 1; i < len(got); i++ {
				if a, b := got[i-1], got[i]; a.Municipality == b.Municipality && a.Distance == b.Distance {
					assert.Less(t, a.Peer, b.Peer)
				}
			}
		}
	}
	// 0.3 - 0.1 and 0.5 - 0.3 differ in the last digit of a float, and not as numbers.
	all := []peer.Municipality{{ID: "a", Expected: 0.5}, {ID: "b", Expected: 0.3}, {ID: "c", Expected: 0.1}}
	got, err := peer.Choose(all, options(peer.ExpectedShare, 1))
	require.NoError(t, err)
	assert.Equal(t, "a", got[1].Peer)
}

// faults lists the faults in an error.
func faults(err error) []*peer.Fault {
	var out []*peer.Fault
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			var f *peer.Fault
			if errors.As(e, &f) {
				out = append(out, f)
			}
		}
	}
	return out
}

func TestFaultsComeAtOnce(t *testing.T) {
	all := []peer.Municipality{small("1", 1, math.NaN()), small("2", 2), small("2", 2, 2), small("3", 4, math.Inf(1))}
	o := options(peer.Euclidean, 0, "x", "y", "x")
	o.Exclude, o.For = []string{"9"}, []string{"8"}
	_, err := peer.Choose(all, o)
	require.ErrorIs(t, err, peer.ErrPeers)
	for _, text := range []string{
		"municipality 1 has no value of y", "municipality 2 has no value of y", "municipality 3 has no value of y", "municipality 2 occurs twice",
		"excluded municipality 9 is not in the table", "municipality 8 is not in the table", "k must be 1 or more", "framework condition x is named twice",
	} {
		assert.ErrorContains(t, err, text)
	}
	for _, f := range faults(err) {
		refusal, ok := effect.AsRefusal(f)
		require.True(t, ok)
		assert.NotEmpty(t, refusal.Code)
	}
}

func TestFaults(t *testing.T) {
	four := []peer.Municipality{small("1", 1, 1), small("2", 2, 1), small("3", 2, 1), small("4", 7, 1)}
	same := []peer.Municipality{small("1", 5), small("2", 5)}
	sized := func(o peer.Options) peer.Options { o.MinSize = 10; return o }
	cut := func(k, clusters int) peer.Options {
		o := options(peer.Ward, k, "x")
		o.Clusters = clusters
		return o
	}
	barred := options(peer.Euclidean, 1, "x")
	barred.Exclude = []string{"1", "2", "3", "4"}
	far := options(peer.ExpectedShare, 1)
	minus := options(peer.Euclidean, 1, "x")
	minus.MinSize = -1
	for _, c := range []struct {
		all  []peer.Municipality
		o    peer.Options
		code string
		want string
	}{
		{nil, options(peer.Euclidean, 1, "x"), peer.RefusalFewPeers, "there are no municipalities"},
		{four, options(peer.Euclidean, 4, "x"), peer.RefusalFewPeers, "municipality 1 has 3 candidates where 4 peers are asked for"},
		{four, barred, peer.RefusalFewPeers, "municipality 4 has 0 candidates where 1 peers are asked for"},
		{same, options(peer.Euclidean, 1, "x"), effect.RefusalNoVariation, "x is the same in every municipality"},
		{same[:1], options(peer.Euclidean, 1, "x"), effect.RefusalNoVariation, "x is the same in every municipality"},
		{four, options(peer.Mahalanobis, 1, "x", "y"), effect.RefusalNoVariation, "y is the same in every municipality"},
		{four[:2], options(peer.Mahalanobis, 1, "x", "z"), effect.RefusalNoVariation, "z is the same"},
		{four, options(peer.ExpectedShare, 1), effect.RefusalNoVariation, "the expected share is the same in every municipality"},
		{[]peer.Municipality{{ID: "1", Expected: math.NaN()}, {ID: "2"}}, options(peer.ExpectedShare, 1), peer.RefusalNoValue, "municipality 1 has no expected share"},
		{[]peer.Municipality{{ID: "1", Expected: 1.7e308}, {ID: "2", Expected: -1.7e308}}, far, peer.RefusalNotFinite, "municipalities 1 and 2 are further apart than numbers go"},
		{[]peer.Municipality{{ID: "1", Size: math.NaN(), Values: []float64{1}}, small("2", 2)}, sized(options(peer.Euclidean, 1, "x")), peer.RefusalNoValue, "municipality 1 has no population"},
		{four, sized(options(peer.Euclidean, 1, "x")), peer.RefusalFewPeers, "municipality 1 has 0 candidates"},
		{four, minus, peer.RefusalOptions, "the least size must be a number"},
		{four, options(peer.Euclidean, 1), peer.RefusalOptions, "at least one framework condition"},
		{four, options("near", 1, "x"), peer.RefusalOptions, `no way of being close called "near" (use euclidean, mahalanobis, expected_share, ward)`},
		{four, options(peer.Listed, 1, "x"), peer.RefusalOptions, `no way of being close called "list"`},
		{four, cut(1, 1), peer.RefusalOptions, "the number of clusters must be 2 or more"},
		{four, cut(1, 5), peer.RefusalOptions, "4 municipalities cannot be cut into 5 clusters"},
		{four, cut(1, 2), peer.RefusalFewPeers, "the cluster of municipalities 4 has 1 that can be peers: too few for 4, who need 1 others"},
	} {
		_, err := peer.Choose(c.all, c.o)
		require.ErrorIs(t, err, peer.ErrPeers, c.want)
		assert.ErrorContains(t, err, c.want)
		refusal, ok := effect.AsRefusal(err)
		require.True(t, ok)
		assert.Equal(t, c.code, refusal.Code, c.want)
	}
}

// Every condition that others determine is named, with those.
func TestCollinear(t *testing.T) {
	all, names := world(6, 40, 3)
	names = append(names, "sum", "alone", "half")
	rng := rand.New(rand.NewPCG(6, 6))
	for i, m := range all {
		all[i].Values = append(slices.Clone(m.Values), 100-m.Values[0]-m.Values[2], rng.NormFloat64(), 3+m.Values[1]/2)
	}
	_, err := peer.Choose(all, options(peer.Mahalanobis, 4, names...))
	require.ErrorIs(t, err, peer.ErrPeers)
	got := faults(err)
	require.Len(t, got, 2)
	assert.ErrorContains(t, got[0], "sum is a combination of x0, x2, so that the covariance is singular")
	assert.ErrorContains(t, got[1], "half is a combination of x1, so")
	assert.Equal(t, "half", got[1].Condition)
	assert.Equal(t, peer.RefusalCollinear, got[1].Code)

	// Nearly, but not wholly: a distance.
	for i := range all {
		all[i].Values[3] += 0.1 * rng.NormFloat64()
		all[i].Values[5] += 0.1 * rng.NormFloat64()
	}
	_, err = peer.Choose(all, options(peer.Mahalanobis, 4, names...))
	require.NoError(t, err)

	few, names := world(7, 4, 4)
	_, err = peer.Choose(few, options(peer.Mahalanobis, 2, names...))
	assert.ErrorContains(t, err, "4 municipalities are too few for the covariance of 4 conditions: 5 or more are needed")
}

// Only those who find too few peers go without.
func TestTooFewInOneCluster(t *testing.T) {
	all := []peer.Municipality{small("1", 1), small("2", 1.1), small("3", 1.2), small("8", 8), small("9", 8.1)}
	o := options(peer.Ward, 2, "x")
	o.Clusters = 2
	got, err := peer.Choose(all, o)
	require.Len(t, faults(err), 1)
	assert.Equal(t, []string{"8", "9"}, faults(err)[0].Municipalities)
	assert.ErrorContains(t, err, "the cluster of municipalities 8, 9 has 2 that can be peers: too few for 8, 9, who need 2 others")
	assert.Len(t, got, 6)
}

func TestConditions(t *testing.T) {
	all := []peer.Municipality{small("A", 0, 5), small("B", 2, 5), small("C", 4, 5)} // s = 2
	o := options(peer.Euclidean, 1, "x")
	chosen, err := peer.Choose(all, o)
	require.NoError(t, err)
	got := peer.Conditions(all, o, chosen)
	assert.Equal(t, []peer.ConditionRow{{"A", "B", "x", 0, 2, 1}, {"B", "A", "x", 2, 0, -1}, {"C", "B", "x", 4, 2, -1}}, got)

	// By expected shares, a condition that tells nothing has no difference.
	all[0].Expected, all[1].Expected, all[2].Expected = 6, 8, 10
	o = options(peer.ExpectedShare, 1, "x", "y")
	chosen, err = peer.Choose(all, o)
	require.NoError(t, err)
	got = peer.Conditions(all, o, chosen)
	require.Len(t, got, 9)
	assert.Equal(t, peer.ConditionRow{"A", "B", "expected_share", 6, 8, 1}, got[2])
	assert.Equal(t, "y", got[1].Condition)
	assert.True(t, math.IsNaN(got[1].Difference))

	assert.Empty(t, peer.Conditions(all, o, []peer.Peer{{Municipality: "A", Peer: "B", By: peer.Listed}}))
}

// Without x, municipalities are near by y alone.
func TestStability(t *testing.T) {
	all := []peer.Municipality{small("A", 0, 9), small("B", 1, 1), small("C", 20, 8), small("D", 21, 0)}
	o := options(peer.Euclidean, 1, "x", "y")
	chosen, err := peer.Choose(all, o)
	require.NoError(t, err)
	again := func(leftOut string) ([]peer.Peer, error) {
		j := slices.Index(o.Conditions, leftOut)
		less := slices.Clone(all)
		for i := range less {
			less[i].Values = []float64{all[i].Values[1-j]}
		}
		return peer.Choose(less, options(peer.Euclidean, 1, o.Conditions[1-j]))
	}
	got, err := peer.Stability(chosen, o.Conditions, again)
	require.NoError(t, err)
	// Both: A-C by y (1/4.7) beside x (20/11.6); A-B by x (1/11.6) beside y (8/4.7): nearest of A is B (1.70) before C (1.73).
	want := []string{
		"{A x 0 C B }", "{A y 1   }", "{B x 0 D A }", "{B y 1   }", "{C x 0 A D }", "{C y 1   }", "{D x 0 B C }", "{D y 1   }",
	}
	for i, row := range got {
		assert.Equal(t, want[i], fmt.Sprint(row))
	}
	assert.Len(t, got, len(want))

	// A municipality without a choice has the reason; the others have theirs.
	got, err = peer.Stability(chosen, o.Conditions, func(string) ([]peer.Peer, error) {
		return chosen[:1], errors.Join(&peer.Fault{Refusal: effect.Refusal{Code: "one"}}, &peer.Fault{Refusal: effect.Refusal{Code: "two"}}, &effect.Refusal{Code: "one"})
	})
	require.NoError(t, err)
	assert.Equal(t, "{A x 1   }", fmt.Sprint(got[0]))
	assert.True(t, math.IsNaN(got[2].Kept))
	assert.Equal(t, "one;two", got[2].Refusal)
	assert.Empty(t, got[2].Lost)

	broken := errors.New("broken")
	_, err = peer.Stability(chosen, o.Conditions, func(string) ([]peer.Peer, error) { return nil, broken })
	assert.ErrorIs(t, err, broken)

	never := func(string) ([]peer.Peer, error) { panic("not to be asked") }
	for _, none := range []struct {
		chosen     []peer.Peer
		conditions []string
	}{{chosen, o.Conditions[:1]}, {chosen, nil}, {nil, o.Conditions}, {[]peer.Peer{{By: peer.Listed}}, o.Conditions}} {
		got, err := peer.Stability(none.chosen, none.conditions, never)
		require.NoError(t, err)
		assert.Empty(t, got)
	}
}

func TestNames(t *testing.T) {
	assert.Equal(t, "euclidean mahalanobis expected_share ward", strings.Join(peer.By("").Names(), " "))
}
