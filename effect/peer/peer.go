// Package peer chooses the municipalities that one is compared with, from
// framework conditions alone: no outcome is looked at.
package peer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Municipality is a municipality's framework conditions, in the order of the
// condition names that go with them.
type Municipality struct {
	ID     string
	Values []float64
}

// Peer is one municipality chosen for another.
type Peer struct {
	Municipality string  `col:"municipality" doc:"municipality that is compared"`
	Peer         string  `col:"peer" doc:"municipality it is compared with"`
	Rank         int64   `col:"rank" doc:"1 for the nearest; 0 when the list was declared"`
	Distance     float64 `col:"distance" doc:"standardised Euclidean distance on the framework conditions; null when the list was declared"`
	Conditions   string  `col:"conditions" doc:"framework conditions used, separated by semicolons"`
}

// ErrPeers is wrapped by errors about peers that cannot be chosen.
var ErrPeers = errors.New("peer: peer municipalities cannot be chosen")

// Nearest chooses, for every municipality, the k nearest others by standardised
// Euclidean distance
//
//	d(a, b) = sqrt(sum over conditions of ((a_j - b_j)/s_j)^2)
//
// with s_j the standard deviation (n - 1) of condition j over all the
// municipalities given. A municipality is never its own peer. Ties go by
// municipality id. Those in exclude are nobody's peers, but get peers
// themselves. All faults are named at once, wrapping ErrPeers: a value that is
// missing, a condition without variation, fewer candidates than k, the same
// municipality twice. The rows are sorted by municipality and rank.
func Nearest(all []Municipality, conditions []string, k int, exclude []string) ([]Peer, error) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Municipality) int { return strings.Compare(a.ID, b.ID) })
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrPeers}, args...)...))
	}
	if k < 1 || len(conditions) == 0 {
		fault("k must be 1 or more, and at least one framework condition declared")
	}
	for i, m := range all {
		if i > 0 && all[i-1].ID == m.ID {
			fault("municipality %s occurs twice", m.ID)
		}
		for j, name := range conditions {
			if j >= len(m.Values) || math.IsNaN(m.Values[j]-m.Values[j]) {
				fault("municipality %s has no value of %s", m.ID, name)
			}
		}
	}
	for _, id := range exclude {
		if !slices.ContainsFunc(all, func(m Municipality) bool { return m.ID == id }) {
			fault("excluded municipality %s is not in the table of municipalities", id)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	scale := make([]float64, len(conditions))
	n := float64(len(all))
	for j, name := range conditions {
		mean, sum := 0.0, 0.0
		for _, m := range all {
			mean += m.Values[j]
		}
		mean /= n
		for _, m := range all {
			sum += (m.Values[j] - mean) * (m.Values[j] - mean)
		}
		scale[j] = math.Sqrt(sum / (n - 1))
		if !(scale[j] > 1e-12*math.Abs(mean)) {
			fault("%s is the same in every municipality and cannot tell them apart", name)
		}
	}
	var out []Peer
	for _, a := range all {
		var near []Peer
		for _, b := range all {
			if a.ID == b.ID || slices.Contains(exclude, b.ID) {
				continue
			}
			d := 0.0
			for j := range conditions {
				z := (a.Values[j] - b.Values[j]) / scale[j]
				d += z * z
			}
			near = append(near, Peer{Municipality: a.ID, Peer: b.ID, Distance: math.Sqrt(d), Conditions: strings.Join(conditions, ";")})
		}
		if len(near) < k {
			fault("municipality %s has %d candidates where %d peers are asked for", a.ID, len(near), k)
			continue
		}
		// Candidates come in the order of their ids, so a stable sort settles ties.
		slices.SortStableFunc(near, func(x, y Peer) int { return cmp.Compare(x.Distance, y.Distance) })
		for r := range near[:k] {
			near[r].Rank = int64(r + 1)
			out = append(out, near[r])
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}
