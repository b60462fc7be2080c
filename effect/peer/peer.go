// Package peer chooses the municipalities that one is compared with, from
// framework conditions alone: no outcome is looked at.
//
// A way of being close is a name ([By]), a line in ways and a file of its own:
// distance.go, expected.go and ward.go have those there are. What was chosen,
// and how it hangs on each condition, is told by [Conditions] and [Stability].
package peer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// By is a way in which municipalities are close.
type By string

// The ways. Listed is that of peers that were declared one by one, which is
// never chosen by.
const (
	Euclidean     By = "euclidean"
	Mahalanobis   By = "mahalanobis"
	ExpectedShare By = "expected_share"
	Ward          By = "ward"
	Listed        By = "list"
)

// way is a way of being close that can be chosen by.
type way struct {
	by By
	of func(*table) closeness
}

// ways are all there are.
var ways = [...]way{
	{Euclidean, euclidean},
	{Mahalanobis, mahalanobis},
	{ExpectedShare, expectedShare},
	{Ward, ward},
}

// Names lists the ways that can be chosen by.
func (By) Names() []string {
	var out []string
	for _, w := range ways {
		out = append(out, string(w.by))
	}
	return out
}

// Municipality is what is known of a municipality.
type Municipality struct {
	ID       string
	Size     float64   // population; read where [Options].MinSize asks for it
	Values   []float64 // framework conditions, in the order of [Options].Conditions
	Expected float64   // share expected from framework conditions; for [ExpectedShare]
}

// Options say how peers are chosen. Start from [Default].
type Options struct {
	By By
	// Conditions names the framework conditions. They are those of the distance, or,
	// with [ExpectedShare], those that the expected share rests on: none where it
	// was given.
	Conditions []string
	// K is how many peers each municipality gets: the K nearest. With [Ward] all
	// others of the cluster are peers, and there must be K or more.
	K        int
	Clusters int // for [Ward], 2 or more
	// MinSize is the size under which a municipality is nobody's peer; 0 for none.
	MinSize float64
	Exclude []string // nobody's peers
	For     []string // those who get peers; nil for all
}

// Default is the standardised Euclidean distance on the conditions given, with
// the fewest peers that a comparison can rest on.
func Default(conditions ...string) Options {
	return Options{By: Euclidean, Conditions: conditions, K: effect.MinPeers}
}

// Peer is one municipality chosen for another.
type Peer struct {
	Municipality string  `col:"municipality" doc:"municipality that is compared"`
	Peer         string  `col:"peer" doc:"municipality it is compared with"`
	Rank         int64   `col:"rank" doc:"1 for the nearest; 0 when the list was declared"`
	Distance     float64 `col:"distance" doc:"how far they are apart: in standard deviations of the framework conditions (euclidean, ward), the same with their correlations taken out (mahalanobis), or in the unit of the share (expected_share); null when the list was declared"`
	Conditions   string  `col:"conditions" doc:"framework conditions used, separated by semicolons"`
	By           By      `col:"by" doc:"way of being close: euclidean, mahalanobis, expected_share, ward, or list when the list was declared"`
}

// ErrPeers is wrapped by errors about peers that cannot be chosen.
var ErrPeers = errors.New("peer: peer municipalities cannot be chosen")

// Codes of faults, beside [effect.RefusalNoVariation] for a condition or an
// expected share that is the same everywhere.
const (
	RefusalOptions   = "options"       // the options contradict each other or lack something
	RefusalNoValue   = "value_missing" // a municipality has no finite value
	RefusalTwice     = "twice"         // a municipality, or a condition, is there more than once
	RefusalUnknown   = "unknown"       // a municipality that is named is not among those given
	RefusalFewPeers  = "too_few_peers" // fewer candidates than peers asked for
	RefusalCollinear = "collinear"     // conditions before it determine a condition
	RefusalFewRows   = "too_few_rows"  // too few municipalities for a covariance of so many conditions
	RefusalTooMany   = "too_many_rows" // more municipalities than can be clustered
	RefusalNotFinite = "not_finite"    // a distance is beyond the range of numbers
)

// Fault is one reason why peers cannot be chosen. It is an [ErrPeers] and an
// [effect.Refusal].
type Fault struct {
	effect.Refusal
	Municipalities []string // whom it concerns; nil for all
	Condition      string   // "" where it is about none
}

func (f *Fault) Error() string {
	text := ErrPeers.Error() + ": " + f.Why
	if f.Cure != "" {
		text += " (" + f.Cure + ")"
	}
	return text
}

func (f *Fault) Unwrap() []error { return []error{ErrPeers, &f.Refusal} }

// table is what a way works on: the municipalities in the order of their ids,
// each once, with every value that the options ask for.
type table struct {
	o       Options
	all     []Municipality
	columns []column
	faults  []*Fault
}

// closeness is what a way makes of a table: how far two municipalities are
// apart and, where peers come from one's own cluster, which that is.
type closeness struct {
	distance func(a, b int) float64
	cluster  []int
}

func (t *table) fault(code string, who []string, condition, cure, format string, args ...any) {
	t.faults = append(t.faults, &Fault{
		Refusal: effect.Refusal{Code: code, Why: fmt.Sprintf(format, args...), Cure: cure}, Municipalities: who, Condition: condition,
	})
}

// err is what was found wrong, joined.
func (t *table) err() error {
	errs := make([]error, len(t.faults))
	for i, f := range t.faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// Choose chooses peers by framework conditions: with [Euclidean], [Mahalanobis]
// and [ExpectedShare] the K nearest others, with [Ward] all others of one's
// cluster. Distances, covariances and clusters are those of all municipalities
// given, also of those that are nobody's peers.
//
// A municipality is never its own peer. Those in Exclude, and those under
// MinSize, are nobody's peers, but get some. Distances are rounded to nine
// significant digits, as tables hold them, before they are ranked; ties go by
// municipality id. The rows are sorted by municipality and rank and do not
// depend on the order of the municipalities.
//
// The error joins a [*Fault] for everything that is wrong: options that lack
// something; a municipality or condition given twice; a value that is missing or
// not finite; a condition that is the same everywhere; a condition that others
// determine ([Mahalanobis]); a name in Exclude or For that is not among the
// municipalities; fewer candidates than K. With faults of the last kind alone,
// which name the municipalities they concern, the peers of the others are
// returned beside the error.
func Choose(all []Municipality, o Options) ([]Peer, error) {
	t := newTable(all, o)
	if len(t.faults) > 0 {
		return nil, t.err()
	}
	k := slices.IndexFunc(ways[:], func(w way) bool { return w.by == o.By })
	if k < 0 {
		t.fault(RefusalOptions, nil, "", "use "+strings.Join(o.By.Names(), ", "), "there is no way of being close called %q", o.By)
		return nil, t.err()
	}
	c := ways[k].of(t)
	if len(t.faults) > 0 {
		return nil, t.err()
	}
	out := t.choose(c)
	return out, t.err()
}

// newTable sorts the municipalities and finds what is wrong with them, whatever
// the way.
func newTable(all []Municipality, o Options) *table {
	t := &table{o: o, all: sorted(all)}
	if len(all) == 0 {
		t.fault(RefusalFewPeers, nil, "", "", "there are no municipalities")
	}
	if o.K < 1 {
		t.fault(RefusalOptions, nil, "", "", "k must be 1 or more")
	}
	if len(o.Conditions) == 0 && o.By != ExpectedShare {
		t.fault(RefusalOptions, nil, "", "", "at least one framework condition must be declared")
	}
	if !(o.MinSize >= 0) || math.IsInf(o.MinSize, 0) {
		t.fault(RefusalOptions, nil, "", "", "the least size must be a number, 0 or more")
	}
	for j, name := range o.Conditions {
		if slices.Contains(o.Conditions[:j], name) {
			t.fault(RefusalTwice, nil, name, "", "framework condition %s is named twice", name)
		}
	}
	for i, m := range t.all {
		who := []string{m.ID}
		if i > 0 && t.all[i-1].ID == m.ID {
			t.fault(RefusalTwice, who, "", "", "municipality %s occurs twice", m.ID)
		}
		for j, name := range o.Conditions {
			if o.By != ExpectedShare && (j >= len(m.Values) || unknown(m.Values[j])) {
				t.fault(RefusalNoValue, who, name, "", "municipality %s has no value of %s", m.ID, name)
			}
		}
		if o.By == ExpectedShare && unknown(m.Expected) {
			t.fault(RefusalNoValue, who, "", "", "municipality %s has no expected share", m.ID)
		}
		if o.MinSize > 0 && unknown(m.Size) {
			t.fault(RefusalNoValue, who, "", "", "municipality %s has no population, by which small ones are left out", m.ID)
		}
	}
	for _, named := range []struct {
		ids  []string
		what string
	}{{o.Exclude, "excluded municipality"}, {o.For, "municipality"}} {
		for _, id := range named.ids {
			if _, found := t.find(id); !found {
				t.fault(RefusalUnknown, []string{id}, "", "", "%s %s is not in the table of municipalities", named.what, id)
			}
		}
	}
	if len(t.faults) == 0 {
		t.standardise()
	}
	return t
}

// sorted are the municipalities in the order of their ids.
func sorted(all []Municipality) []Municipality {
	out := slices.Clone(all)
	slices.SortFunc(out, func(a, b Municipality) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// find is the place of a municipality.
func (t *table) find(id string) (int, bool) {
	return slices.BinarySearchFunc(t.all, id, func(m Municipality, id string) int { return strings.Compare(m.ID, id) })
}

// choose takes the nearest, or all others of the cluster.
func (t *table) choose(c closeness) (out []Peer) {
	joined := strings.Join(t.o.Conditions, ";")
	barred := make([]bool, len(t.all))
	for b, m := range t.all {
		barred[b] = t.o.MinSize > 0 && m.Size < t.o.MinSize || slices.Contains(t.o.Exclude, m.ID)
	}
	small := map[int][]string{} // clusters with too few, and who needs peers in them
	for a, m := range t.all {
		if t.o.For != nil && !slices.Contains(t.o.For, m.ID) {
			continue
		}
		var near []Peer
		for b, other := range t.all {
			if a == b || barred[b] || c.cluster != nil && c.cluster[a] != c.cluster[b] {
				continue
			}
			d := effect.Round(c.distance(a, b))
			if unknown(d) {
				t.fault(RefusalNotFinite, []string{m.ID}, "", "give the numbers in a larger unit", "municipalities %s and %s are further apart than numbers go", m.ID, other.ID)
			}
			near = append(near, Peer{Municipality: m.ID, Peer: other.ID, Distance: d, Conditions: joined, By: t.o.By})
		}
		switch {
		case len(near) < t.o.K && c.cluster != nil:
			small[c.cluster[a]] = append(small[c.cluster[a]], m.ID)
			continue
		case len(near) < t.o.K:
			t.fault(RefusalFewPeers, []string{m.ID}, "", "ask for fewer, or exclude fewer", "municipality %s has %d candidates where %d peers are asked for", m.ID, len(near), t.o.K)
			continue
		case c.cluster == nil:
			// Candidates come in the order of their ids, so a stable sort settles ties.
			slices.SortStableFunc(near, func(x, y Peer) int { return cmp.Compare(x.Distance, y.Distance) })
			near = near[:t.o.K]
		default:
			slices.SortStableFunc(near, func(x, y Peer) int { return cmp.Compare(x.Distance, y.Distance) })
		}
		for r := range near {
			near[r].Rank = int64(r + 1)
			out = append(out, near[r])
		}
	}
	t.smallClusters(c.cluster, small, barred)
	return out
}

// smallClusters names the clusters in which somebody finds too few peers.
func (t *table) smallClusters(cluster []int, small map[int][]string, barred []bool) {
	for k := range t.all {
		who, found := small[k]
		if !found {
			continue
		}
		var members []string
		usable := 0
		for i, m := range t.all {
			if cluster[i] == k {
				members = append(members, m.ID)
				if !barred[i] {
					usable++
				}
			}
		}
		t.fault(RefusalFewPeers, who, "", "cut into fewer clusters, or choose by distance", "the cluster of municipalities %s has %d that can be peers: too few for %s, who need %d others",
			strings.Join(members, ", "), usable, strings.Join(who, ", "), t.o.K)
	}
}

func unknown(x float64) bool { return math.IsNaN(x - x) }
