package world

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Spending adds up what the participations of a world cost, block by block in any
// order. The channels of a municipality and year do not add to its total: as in
// real accounts, some of it is on none of them.
type Spending struct {
	w     *World
	kr    map[costed]int64
	place map[string]*place
}

type costed struct {
	municipality string
	year         int64
	channel      string
}

// Spending starts without a participation.
func (w *World) Spending() *Spending {
	s := &Spending{w: w, kr: map[costed]int64{}, place: map[string]*place{}}
	for i := range w.places {
		s.place[w.places[i].Code] = &w.places[i]
	}
	return s
}

// Add adds participations, by their year of referral.
func (s *Spending) Add(rows []Participation) {
	for _, p := range rows {
		k := costed{p.Municipality, int64(p.Referral.Time().Year()), effect.ChannelProvider}
		price := p.Price
		if p.ProviderID == "" {
			k.channel, price = effect.ChannelOwn, s.place[p.Municipality].ownCost
		}
		s.kr[k] += int64(math.Round(price))
	}
}

// Rows are the channels and the total of each municipality and year, sorted by
// these.
func (s *Spending) Rows() []Expense {
	sums := map[costed]int64{}
	for k, kr := range s.kr {
		sums[costed{k.municipality, k.year, "total"}] += kr
	}
	for k, kr := range sums {
		sums[k] = kr + int64(float64(kr)*s.place[k.municipality].unallocated)
	}
	maps.Copy(sums, s.kr)
	var out []Expense
	for k, kr := range sums {
		out = append(out, Expense{k.municipality, k.year, k.channel, 1000 * math.Round(float64(kr)/1000)})
	}
	slices.SortFunc(out, func(a, b Expense) int {
		return cmp.Or(cmp.Compare(a.Municipality, b.Municipality), cmp.Compare(a.Year, b.Year), cmp.Compare(a.Channel, b.Channel))
	})
	return out
}
