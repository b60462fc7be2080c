package world_test

import (
	"context"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

func newWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	w, err := world.New(o)
	require.NoError(t, err)
	return w
}

// plain replaces what is not equal to itself.
func plain(b world.Block) world.Block {
	for i := range b.Spells {
		if math.IsNaN(b.Spells[i].Hours) {
			b.Spells[i].Hours = -1
		}
	}
	for i := range b.Participations {
		if math.IsNaN(b.Participations[i].Price) {
			b.Participations[i].Price = -1
		}
	}
	return b
}

func TestSameSeedSameWorld(t *testing.T) {
	o := world.Demo()
	first := plain(newWorld(t, o).Block(1, 501))
	assert.Equal(t, first, plain(newWorld(t, o).Block(1, 501)))

	o.Persons *= 1000
	grown := newWorld(t, o)
	assert.Equal(t, first, plain(grown.Block(1, 501)), "a life does not depend on how many others there are")

	one := plain(grown.Block(500, 501))
	assert.Equal(t, first.Persons[499:], one.Persons, "nor on the order of generation")
	assert.Equal(t, first.Spells[len(first.Spells)-len(one.Spells):], one.Spells)

	o.Seed++
	assert.NotEqual(t, first, plain(newWorld(t, o).Block(1, 501)))
	assert.Empty(t, grown.Block(9, 9).Spells)
	assert.Empty(t, grown.Block(8_000_001, 8_000_009).Persons)
}

func TestBlocksAreTheWorld(t *testing.T) {
	o := world.Default()
	o.Persons = 5000
	w := newWorld(t, o)
	var all world.Block
	for b, err := range w.Blocks(t.Context()) {
		require.NoError(t, err)
		all.Persons = append(all.Persons, b.Persons...)
		all.Spells = append(all.Spells, b.Spells...)
		all.Participations = append(all.Participations, b.Participations...)
	}
	assert.Equal(t, plain(w.Block(1, 5001)), plain(all))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range w.Blocks(ctx) {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := w.Truth(ctx, "")
	require.ErrorIs(t, err, context.Canceled)
}

// An earlier extraction shows the same lives, cut off.
func TestExtractionOnlyCuts(t *testing.T) {
	o := world.Demo()
	o.LateWeeks = 0
	late := newWorld(t, o).Block(1, 300)
	o.Extracted -= 200
	early := newWorld(t, o).Block(1, 300)
	assert.Equal(t, days(early.Spells, o.Extracted), days(late.Spells, o.Extracted))
}

// days counts each person's days in each state up to and including a day; where
// a long spell is split in two moves with the view, the days do not.
func days(spells []world.Spell, until effect.Date) map[int64]map[effect.State]int {
	out := map[int64]map[effect.State]int{}
	for _, s := range spells {
		if s.End == effect.NoDate || s.End > until {
			s.End = until + 1
		}
		if s.Start > until {
			continue
		}
		if out[s.PersonID] == nil {
			out[s.PersonID] = map[effect.State]int{}
		}
		out[s.PersonID][s.State] += int(s.End - s.Start)
	}
	return out
}

func TestContract(t *testing.T) {
	o := world.Demo()
	w := newWorld(t, o)
	providers, renamed := map[string]world.Provider{}, 0
	inHouse, consortia := 0, map[string]map[string]bool{}
	for _, p := range w.Providers() {
		if before, ok := providers[p.ID]; ok {
			renamed++
			assert.Equal(t, before.To, p.From)
			assert.NotEqual(t, before.Name, p.Name)
		} else if p.InHouse {
			inHouse++
		}
		providers[p.ID] = p
		if p.ConsortiumID != "" {
			if consortia[p.ConsortiumID] == nil {
				consortia[p.ConsortiumID] = map[string]bool{}
			}
			consortia[p.ConsortiumID][p.ID[:4]] = true
		}
	}
	assert.Len(t, providers, 12*3)
	assert.Positive(t, renamed)
	assert.Equal(t, 1, inHouse)
	for _, cities := range consortia {
		assert.Greater(t, len(cities), 1, "a consortium spans municipalities")
	}
	codes := map[string]bool{}
	for _, m := range w.Municipalities() {
		codes[m.Code] = true
		assert.Contains(t, []int64{2007, 2008, 2009, 2010}, m.Year)
	}
	assert.Len(t, codes, 12)

	b := w.Block(1, int64(o.Persons)+1)
	require.Len(t, b.Persons, o.Persons)
	referral := map[int64]effect.Date{}
	var noShows, dropouts, repeats, own, bids int
	lastID, lastPerson := int64(0), int64(0)
	for _, p := range b.Participations {
		require.Greater(t, p.ID, lastID)
		lastID = p.ID
		require.True(t, codes[p.Municipality])
		require.Equal(t, p.ProviderID == "", p.Channel == effect.ChannelOwn)
		require.Equal(t, p.ProviderID == "", p.AgreementID == "" && p.PackageID == "" && math.IsNaN(p.Price))
		if p.ProviderID != "" {
			v, ok := providers[p.ProviderID]
			require.True(t, ok)
			require.Equal(t, v.InHouse, p.Channel == effect.ChannelInHouseBid)
		} else {
			own++
		}
		if p.Channel == effect.ChannelInHouseBid {
			bids++
		}
		require.LessOrEqual(t, p.Referral, o.Extracted)
		if p.Start == effect.NoDate {
			require.Equal(t, effect.NoDate, p.End)
			noShows++
		} else {
			require.GreaterOrEqual(t, p.Start, p.Referral)
			require.True(t, p.End == effect.NoDate || p.End > p.Start)
		}
		if p.End != effect.NoDate && !p.Completed {
			dropouts++
		}
		if p.PersonID == lastPerson {
			repeats++
			require.Greater(t, p.Referral, referral[p.PersonID])
		} else {
			require.True(t, o.From <= p.Referral && p.Referral < o.To)
			referral[p.PersonID] = p.Referral
		}
		lastPerson = p.PersonID
	}
	n := float64(len(b.Participations))
	assert.InDelta(t, o.NoShowShare, float64(noShows)/n, 0.015)
	assert.InDelta(t, o.DropoutShare*(1-o.NoShowShare), float64(dropouts)/n, 0.02)
	assert.InDelta(t, o.OwnShare, float64(own)/n, 0.05)
	assert.Positive(t, repeats)
	assert.Positive(t, bids)

	var beside, adjacent, open int
	end, state := map[int64]effect.Date{}, map[int64]effect.State{}
	onBenefit := map[int64]bool{}
	start := effect.Date(math.MinInt32)
	for i, s := range b.Spells {
		ref, known := referral[s.PersonID]
		require.True(t, known, "no orphans")
		require.True(t, s.End == effect.NoDate || s.End > s.Start && s.End <= o.Extracted)
		require.True(t, s.Start >= effect.FirstDate && s.Start <= o.Extracted)
		if i > 0 && b.Spells[i-1].PersonID == s.PersonID {
			require.GreaterOrEqual(t, s.Start, start, "in order of start date")
		}
		start = s.Start
		if e, ok := end[s.PersonID]; ok {
			if e == effect.NoDate || e > s.Start {
				require.NotEqual(t, state[s.PersonID], s.State)
				beside++
			} else if e == s.Start && state[s.PersonID] == s.State {
				adjacent++
			}
		}
		end[s.PersonID], state[s.PersonID] = s.End, s.State
		if s.End == effect.NoDate {
			open++
		}
		if effect.Benefits.Has(s.State) && s.Start <= ref && (s.End == effect.NoDate || s.End > ref) {
			onBenefit[s.PersonID] = true
		}
		if work := effect.Employment.Has(s.State); work && !math.IsNaN(s.Hours) {
			require.NotEmpty(t, s.EmployerID)
			require.True(t, s.Hours >= 8 && s.Hours <= 37)
		}
	}
	assert.Positive(t, beside)
	assert.Positive(t, adjacent)
	assert.Positive(t, open)
	assert.Len(t, onBenefit, o.Persons, "everyone is on benefit on the day of referral")
	for _, p := range b.Persons {
		age := float64(referral[p.ID]-p.Birth) / 365.25
		require.True(t, age >= 18 && age < 65)
	}

	truth, err := w.Truth(t.Context(), "751")
	require.NoError(t, err)
	for _, r := range truth {
		if r.Package == "" {
			assert.GreaterOrEqual(t, r.N, int64(150), "the demo's focal cells are large")
		}
	}
}

// Late spells are missing at the stated share, early ones never.
func TestLateRegister(t *testing.T) {
	o := world.Default()
	o.Persons, o.LateShare = 20_000, 0
	whole := newWorld(t, o).Block(1, 20_001).Spells
	o.LateShare = 0.4
	shown := newWorld(t, o).Block(1, 20_001).Spells
	count := func(spells []world.Spell) (early, late float64) {
		for _, s := range spells {
			if s.Start > o.Extracted-effect.Date(7*o.LateWeeks) {
				late++
			} else {
				early++
			}
		}
		return early, late
	}
	early, late := count(whole)
	earlyShown, lateShown := count(shown)
	assert.Equal(t, early, earlyShown)
	require.Greater(t, late, 1000.0)
	assert.InDelta(t, 0.6, lateShown/late, 4.5*math.Sqrt(0.24/late))
}

func TestEveryImpossibleOptionIsNamed(t *testing.T) {
	_, err := world.New(world.Options{})
	require.ErrorIs(t, err, world.ErrOptions)
	for _, name := range []string{"Persons", "Municipalities", "MatchScheme", "MatchGroups", "Packages", "HistoryWeeks", "To (", "OwnShare"} {
		assert.ErrorContains(t, err, name)
	}
	// Every number is judged, also one that is not a number.
	v := reflect.TypeFor[world.Options]()
	for i := range v.NumField() {
		if v.Field(i).Type.Kind() != reflect.Float64 {
			continue
		}
		o := world.Default()
		reflect.ValueOf(&o).Elem().Field(i).SetFloat(math.NaN())
		_, err := world.New(o)
		assert.ErrorContains(t, err, v.Field(i).Name)
	}
	o := world.Default()
	o.Effects = map[string]float64{"L751-9": 1, "751": 0}
	_, err = world.New(o)
	require.ErrorContains(t, err, "L751-9")
	_, err = newWorld(t, world.Default()).Truth(t.Context(), "999")
	require.ErrorContains(t, err, "999")
	_, err = newWorld(t, world.Default()).Truth(t.Context(), "", "998")
	require.ErrorContains(t, err, "998")
}

func TestNobodyElse(t *testing.T) {
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality = 500, 1, 0
	w := newWorld(t, o)
	assert.Empty(t, w.Providers())
	rows, err := w.Truth(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, rows, 2*3)
	for _, r := range rows {
		assert.True(t, math.IsNaN(r.Home) && math.IsNaN(r.Peers))
		assert.Equal(t, effect.OwnProvider, r.Cell.Provider)
		assert.Zero(t, r.Provider)
	}
	o.ProvidersPerMunicipality, o.OwnShare = 1, 0
	for _, p := range newWorld(t, o).Block(1, 501).Participations {
		require.Equal(t, effect.ChannelInHouseBid, p.Channel)
	}
}
