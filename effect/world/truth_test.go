package world_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// stratum is all that drives a life, read off the rows.
type stratum struct {
	group, sex, education, origin string
	age, worked                   int
	sick                          bool
}

type observed struct {
	place, provider string
	stratum
	left26, left52 bool
	at26, at52     float64
	days52         float64
}

// observe reads first referrals with their drivers and outcomes off the rows
// alone, the way an analyst would.
func observe(b world.Block) []observed {
	out := make([]observed, len(b.Persons))
	referral := make([]effect.Date, len(b.Persons))
	for _, p := range b.Participations {
		i := p.PersonID - 1
		if referral[i] != 0 {
			continue
		}
		referral[i] = p.Referral
		v := b.Persons[i]
		s := stratum{group: p.MatchGroup, sex: v.Sex, education: v.Education, origin: v.Origin}
		switch age := float64(p.Referral-v.Birth) / 365.25; {
		case age >= 50:
			s.age = 2
		case age >= 30:
			s.age = 1
		}
		out[i] = observed{place: p.Municipality, provider: p.ProviderID, stratum: s}
	}
	worked := make([]int, len(b.Persons))
	for _, s := range b.Spells {
		i := s.PersonID - 1
		o, ref := &out[i], referral[i]
		if s.End == effect.NoDate {
			s.End = effect.LastDate
		}
		within := func(from, to effect.Date) int { return int(max(0, min(s.End, to)-max(s.Start, from))) }
		switch {
		case effect.Employment.Has(s.State):
			worked[i] += within(ref-364, ref)
			o.days52 += float64(within(ref, ref+364))
			o.at26 += float64(within(ref+182, ref+183))
			o.at52 += float64(within(ref+364, ref+365))
		case s.State == effect.SicknessBenefit:
			o.sick = o.sick || within(ref-364, ref) > 0
		case s.State == effect.Dead || s.State == effect.Emigrated:
			o.left26, o.left52 = o.left26 || s.Start <= ref+182, o.left52 || s.Start <= ref+364
		}
	}
	for i := range out {
		switch {
		case worked[i] >= 91:
			out[i].worked = 2
		case worked[i] > 0:
			out[i].worked = 1
		}
	}
	return out
}

// strong is a world in which selection matters much, with two municipalities.
func strong() world.Options {
	o := world.Default()
	o.Persons, o.Municipalities, o.LateShare, o.Selection = 300_000, 2, 0, 0.5
	o.Effects = map[string]float64{
		"751": -0.2, "461": 0.15, "L751-1": 0, "L751-2": 0.6, "L751-3": -0.5, "L461-1": 0.3, "L461-2": 0.1, "L461-3": -0.2,
	}
	return o
}

// The rows of a large world against the truth. Given the citizens, the observed
// mean has expectation Truth.With; its standard error is at most that of n
// independent draws around the mean. 4.5 of them are 1 in 150,000 for each of
// the 48 figures.
func TestRowsHaveTheTruth(t *testing.T) {
	o := strong()
	w := newWorld(t, o)
	rows, err := w.Truth(t.Context(), "")
	require.NoError(t, err)
	people := observe(w.Block(1, int64(o.Persons)+1))
	pooled := map[string]*[4]float64{} // n, sum, sum of squares, sum of expectations
	for _, r := range rows {
		if r.Package != "" {
			continue
		}
		var n, all, sum, squares float64
		for i := range people {
			p := &people[i]
			if p.place != r.Cell.Municipality || p.group != r.MatchGroup || named(p.provider) != r.Cell.Provider {
				continue
			}
			all++
			y, left := p.at26, p.left26
			switch r.Outcome {
			case world.Employed52:
				y, left = p.at52, p.left52
			case world.Days52:
				y, left = p.days52, p.left52
			}
			if !left {
				n++
				sum += y
				squares += y * y
			}
		}
		mean := sum / n
		assert.Equal(t, float64(r.N), all)
		assert.InDelta(t, r.With, mean, 4.5*math.Sqrt((squares/n-mean*mean)/n), "%v", r)
		if pooled[r.Outcome] == nil {
			pooled[r.Outcome] = new([4]float64)
		}
		for i, v := range [...]float64{n, sum, squares, n * r.With} {
			pooled[r.Outcome][i] += v
		}
		assert.InDelta(t, r.Provider, r.With-r.Without, 1e-9)
		assert.InDelta(t, r.Municipality, r.Without-r.Average, 1e-9)
	}
	for outcome, p := range pooled {
		mean := p[1] / p[0]
		assert.InDelta(t, p[3]/p[0], mean, 4.5*math.Sqrt((p[2]/p[0]-mean*mean)/p[0]), outcome)
	}
}

func named(provider string) string {
	if provider == "" {
		return effect.OwnProvider
	}
	return provider
}

// The crude difference is far from the truth, exact stratification on the true
// drivers is not: within 4.5 of its standard errors, at home and at the peers.
func TestSelectionBiasesAndAdjustmentRecovers(t *testing.T) {
	o := strong()
	w := newWorld(t, o)
	rows, err := w.Truth(t.Context(), "751")
	require.NoError(t, err)
	people := observe(w.Block(1, int64(o.Persons)+1))
	misled := 0
	for _, r := range rows {
		if r.Package != "" || r.Outcome != world.Employed26 {
			continue
		}
		for _, home := range []bool{true, false} {
			truth := r.With - r.Home
			if !home {
				truth = r.With - r.Peers
			}
			type tally struct{ n, y, m, z float64 }
			strata := map[stratum]*tally{}
			var all tally
			for i := range people {
				p := &people[i]
				if p.group != r.MatchGroup || p.left26 {
					continue
				}
				s := strata[p.stratum]
				if s == nil {
					s = &tally{}
					strata[p.stratum] = s
				}
				switch here := p.place == "751"; {
				case here && named(p.provider) == r.Cell.Provider:
					s.n, s.y = s.n+1, s.y+p.at26
					all.n, all.y = all.n+1, all.y+p.at26
				case here == home:
					s.m, s.z = s.m+1, s.z+p.at26
					all.m, all.z = all.m+1, all.z+p.at26
				}
			}
			var covered, difference, variance float64
			for _, s := range strata {
				if s.n == 0 || s.m == 0 {
					continue
				}
				covered += s.n
				difference += s.y - s.n*s.z/s.m
				// Agresti-Coull shares keep a stratum without variation from claiming certainty.
				p, q := (s.y+1)/(s.n+2), (s.z+1)/(s.m+2)
				variance += s.n*p*(1-p) + s.n*s.n*q*(1-q)/s.m
			}
			require.Greater(t, covered/all.n, 0.995)
			se := math.Sqrt(variance) / covered
			require.Less(t, se, 0.01, "the test has power")
			assert.InDelta(t, truth, difference/covered, 4.5*se+1-covered/all.n, "%v home %v", r.Cell, home)
			p, q := all.y/all.n, all.z/all.m
			if crude := math.Sqrt(p*(1-p)/all.n + q*(1-q)/all.m); math.Abs(p-q-truth) > 6*crude {
				misled++
			}
		}
	}
	assert.GreaterOrEqual(t, misled, 8, "of 16 crude differences, at least those of the providers that select")
}

// What is declared is what acts.
func TestExplicitEffects(t *testing.T) {
	o := world.Demo()
	rows, err := newWorld(t, o).Truth(t.Context(), "751", "461", "851", "730", "751")
	require.NoError(t, err)
	drawn := o
	drawn.Effects = nil
	other, err := newWorld(t, drawn).Truth(t.Context(), "461")
	require.NoError(t, err)
	same, err := newWorld(t, o).Truth(t.Context(), "461")
	require.NoError(t, err)
	for i := range same {
		assert.Equal(t, same[i].With, other[i].With, "an explicit effect moves no other")
	}
	for _, r := range rows {
		assert.Negative(t, r.Municipality)
		switch r.Cell.Provider {
		case "L751-2":
			assert.Equal(t, 0.7, r.Drawn)
			assert.Positive(t, r.Provider)
		case "L751-3":
			assert.Negative(t, r.Provider)
		default:
			assert.Zero(t, r.Provider)
		}
	}
}
