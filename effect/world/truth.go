package world

import (
	"context"
	"fmt"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// The outcomes of Truth, all on ordinary and self-employment and counted from
// the first referral.
const (
	Employed26 = "employed_26w"      // share employed on day 182
	Employed52 = "employed_52w"      // share employed on day 364
	Days52     = "days_employed_52w" // mean days employed in the 364 days from referral
)

// Truth is what is true of one outcome of one cell: means, over the citizens
// first referred to it, of what each was to expect on the day of referral,
// given that he or she neither dies nor emigrates before the window closes.
// Nothing in it depends on how the citizens' lives then went. It is a row of
// the table truth.
type Truth struct {
	Outcome string      `col:"outcome" doc:"employed_26w, employed_52w or days_employed_52w"`
	Unit    effect.Unit `col:"unit" doc:"share or days"`
	effect.Cell
	N       int64   `col:"n" doc:"citizens first referred to the cell, no-shows and dropouts included"`
	With    float64 `col:"mean_with" doc:"mean with the provider's effect"`
	Without float64 `col:"mean_without" doc:"mean without it, in the same municipality"`
	Average float64 `col:"mean_average" doc:"mean without it and without the municipality's own effect, under the same framework conditions"`
	// Home and Peers are what a comparison adjusted for all that drives the lives
	// estimates: they carry the effects of those the citizens are compared with.
	Home         float64 `col:"mean_home" doc:"mean with the effects of the other providers and own projects of the municipality, as such citizens are referred to them; null where there are none"`
	Peers        float64 `col:"mean_peers" doc:"mean in the peer municipalities, as such citizens are found and referred there, the provider's consortium left out; null where there are none"`
	Provider     float64 `col:"provider_effect" doc:"mean_with - mean_without"`
	Municipality float64 `col:"municipality_effect" doc:"mean_without - mean_average"`
	Drawn        float64 `col:"log_odds" doc:"the provider's effect on the log-odds of finding a job in a week; 0 for own projects"`
}

// Truth returns the truth about the cells of one municipality, or of all with
// "", by municipality and then match group in the order of the options, own
// projects before providers, all packages before each. The peers are all other
// municipalities, or those given (less the cell's own). It is exact: the
// distribution over states is followed week by week for every citizen. Unknown
// codes and an ended context are errors.
func (w *World) Truth(ctx context.Context, municipality string, peers ...string) ([]Truth, error) {
	known := map[string]bool{}
	for i := range w.places {
		known[w.places[i].Code] = true
	}
	chosen := map[string]bool{}
	for _, code := range peers {
		if !known[code] {
			return nil, fmt.Errorf("world: the world has no peer municipality %q", code)
		}
		chosen[code] = true
	}
	if municipality != "" && !known[municipality] {
		return nil, fmt.Errorf("world: the world has no municipality %q", municipality)
	}
	t := tally{curves: map[lawKey]curve{}, cells: map[cellKey]*sums{}}
	var c citizen
	for id := int64(1); id <= int64(w.o.Persons); id++ {
		if id%blockPersons == 1 && ctx.Err() != nil {
			return nil, effect.Stopped(ctx)
		}
		w.refer(&c, id)
		if municipality == "" || c.place.Code == municipality {
			t.add(w, &c, func(p *place) bool { return p != c.place && (len(peers) == 0 || chosen[p.Code]) })
		}
	}
	var rows []Truth
	for m := range w.places {
		p := &w.places[m]
		for g := range w.o.MatchGroups {
			for q := range p.choices {
				for k := -1; k < len(w.o.Packages); k++ {
					if s := t.cells[cellKey{p, g, q, k}]; s != nil {
						rows = append(rows, w.truth(p, g, q, k, s)...)
					}
				}
			}
		}
	}
	return rows, nil
}

// lawKey is all that a citizen's curve depends on.
type lawKey struct {
	find, lose float64
	old        bool
}

type cellKey struct {
	place                *place
	group, choice, offer int // offer -1 for all packages together
}

// moments are the expected values of the three outcomes.
type moments [3]float64

func (m *moments) add(by float64, v moments) {
	for i := range m {
		m[i] += by * v[i]
	}
}

type sums struct {
	n                                   int64
	with, without, average, home, peers moments
}

type tally struct {
	curves map[lawKey]curve // citizens alike share their curve
	cells  map[cellKey]*sums
}

func (t *tally) expect(c *citizen, find float64) moments {
	k := lawKey{find, c.lose, c.age == oldest}
	v, ok := t.curves[k]
	if !ok {
		var l law
		l.of(k.find, k.lose, k.old)
		v = l.curve()
		t.curves[k] = v
	}
	// Week j starts offset + 7(j-1) days after referral, so days 182 and 364 lie
	// in weeks 26 and 52, and of week 52 only 7 - offset days come before day 364.
	return moments{v.at26, v.at52, 7*v.weeks51 + float64(7-c.offset)*v.at52}
}

func (t *tally) add(w *World, c *citizen, peer func(*place) bool) {
	own := &c.place.choices[c.choice]
	here := c.find * c.place.conditions * c.place.factor
	s := sums{
		n: 1, with: t.expect(c, here*c.factor(own)), without: t.expect(c, here),
		average: t.expect(c, c.find*c.place.conditions),
	}
	var home, peers mixture
	for q := range c.place.choices {
		if other := &c.place.choices[q]; q != c.choice && !together(own, other) {
			home.add(other.weights[c.points], t.expect(c, here*c.factor(other)))
		}
	}
	for m := range w.places {
		p := &w.places[m]
		if !peer(p) {
			continue
		}
		there := c.find * p.conditions * p.factor
		total := 0.0
		for q := range p.choices {
			total += p.choices[q].weights[c.points]
		}
		// How many such citizens live there; only education and origin differ
		// between municipalities.
		alike := p.share * p.education[c.education] * p.origin[c.origin] / total
		for q := range p.choices {
			if other := &p.choices[q]; !together(own, other) {
				peers.add(alike*other.weights[c.points], t.expect(c, there*c.factor(other)))
			}
		}
	}
	s.home, s.peers = home.mean(), peers.mean()
	t.put(cellKey{c.place, c.group, c.choice, -1}, &s)
	if c.choice > 0 {
		t.put(cellKey{c.place, c.group, c.choice, c.offer}, &s)
	}
}

func (t *tally) put(k cellKey, s *sums) {
	into := t.cells[k]
	if into == nil {
		into = &sums{}
		t.cells[k] = into
	}
	into.n++
	into.with.add(1, s.with)
	into.without.add(1, s.without)
	into.average.add(1, s.average)
	into.home.add(1, s.home)
	into.peers.add(1, s.peers)
}

// together says whether two choices are members of one consortium.
func together(a, b *choice) bool { return a.ConsortiumID != "" && a.ConsortiumID == b.ConsortiumID }

// mixture is a weighted mean in the making; without weight it is NaN.
type mixture struct {
	weight float64
	sum    moments
}

func (m *mixture) add(weight float64, v moments) {
	m.weight += weight
	m.sum.add(weight, v)
}

func (m *mixture) mean() moments {
	if m.weight == 0 {
		return moments{math.NaN(), math.NaN(), math.NaN()}
	}
	var out moments
	out.add(1/m.weight, m.sum)
	return out
}

func (w *World) truth(p *place, group, choice, offer int, s *sums) []Truth {
	cell := effect.Cell{Municipality: p.Code, MatchScheme: w.o.MatchScheme, MatchGroup: w.o.MatchGroups[group], Provider: effect.OwnProvider}
	if choice > 0 {
		cell.Provider = p.choices[choice].ID
	}
	if offer >= 0 {
		cell.Package = w.o.Packages[offer].ID
	}
	n := float64(s.n)
	var rows []Truth
	for i, outcome := range [...]string{Employed26, Employed52, Days52} {
		unit := effect.UnitShare
		if outcome == Days52 {
			unit = effect.UnitDays
		}
		rows = append(rows, Truth{
			Outcome: outcome, Unit: unit, Cell: cell, N: s.n,
			With: s.with[i] / n, Without: s.without[i] / n, Average: s.average[i] / n,
			Home: s.home[i] / n, Peers: s.peers[i] / n,
			Provider: (s.with[i] - s.without[i]) / n, Municipality: (s.without[i] - s.average[i]) / n,
			Drawn: p.choices[choice].effect,
		})
	}
	return rows
}
