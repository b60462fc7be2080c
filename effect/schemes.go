package effect

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Crosswalk declares which match group of one scheme stands for which of another.
// It is applied once, as the rows are read, to everything that has a match group:
// participations, caseload and aggregated outcomes of peers. Several groups may
// become one; one never becomes several, as nobody could say who goes where.
type Crosswalk struct {
	From, To string            // schemes
	Groups   map[string]string // group of From: group of To
}

// Recorded is the match scheme and group of every case as the input holds them,
// where a crosswalk moved some of them.
type Recorded struct{ MatchScheme, MatchGroup Factor }

// ErrSchemes is wrapped by the error about a municipality and its peers whose
// cases have match groups of different schemes only.
var ErrSchemes = errors.New("effect: match schemes do not meet")

// CheckSchemes finds the municipalities with cases of the cohort under a scheme
// that none of their peers have cases or aggregated outcomes under, while the
// peers do have some under another. Every comparison of such cases would be
// refused for want of comparators, as if nobody were there, although the same citizens may only be
// numbered otherwise. The error wraps [ErrSchemes], and names each municipality,
// the schemes and what to do. Peers without any case or outcome are no fault of the schemes.
// Where some peers share the scheme, the others do not enter its comparisons.
func (d Design) CheckSchemes(obs *Observations) error {
	schemes := map[string]map[string]bool{}
	add := func(municipality, scheme string) {
		if schemes[municipality] == nil {
			schemes[municipality] = map[string]bool{}
		}
		schemes[municipality][scheme] = true
	}
	c := obs.Cases
	type pair struct{ municipality, scheme int32 }
	seen := map[pair]bool{}
	for i := range c.Len() {
		if len(obs.Results) > 0 && obs.Results[0].Reason[i].OutsideCohort() {
			continue
		}
		p := pair{c.Municipality.Codes[i], c.MatchScheme.Codes[i]}
		if !seen[p] {
			seen[p] = true
			add(c.Municipality.At(i), c.MatchScheme.At(i))
		}
	}
	records := slices.Sorted(maps.Keys(schemes))
	for _, s := range d.Strata {
		add(s.Municipality, s.MatchScheme)
	}
	var errs []error
	for _, m := range records {
		of := map[string]bool{}
		for _, p := range d.Peers[m] {
			if p != m {
				maps.Copy(of, schemes[p])
			}
		}
		if len(of) == 0 {
			continue
		}
		for _, scheme := range slices.Sorted(maps.Keys(schemes[m])) {
			if !of[scheme] {
				errs = append(errs, fmt.Errorf("%w: municipality %s has cases under %s, its peers only under %s; declare a crosswalk from one scheme to the other, or a period within one scheme",
					ErrSchemes, m, scheme, strings.Join(slices.Sorted(maps.Keys(of)), ", ")))
			}
		}
	}
	return errors.Join(errs...)
}
