package watch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// covariates are what the world selects by, as far as an analyst sees it.
func covariates() []string {
	return []string{"age", "education", "origin", "sex", "weeks_employed_52", "weeks_on_sickness_benefit_52"}
}

func design(d *effecttest.Data) watch.Design {
	w := watch.Default()
	w.Kin, w.Identities = effect.Kinship(d.Members), effect.NewIdentities(d.Members)
	w.Peers = map[string][]string{"751": {"461", "851", "730", "561", "630", "621"}}
	return w
}

func creaming(t *testing.T, obs *effect.Observations, d watch.Design, outcome string, covariates ...string) *watch.Chances {
	t.Helper()
	c, err := watch.Creaming(context.Background(), obs, d, outcome, covariates)
	require.NoError(t, err)
	return c
}

// In the world of the demonstration provider 1 takes the citizens nearest to
// work, provider 2 those furthest from it, provider 3 and the own projects anyone.
func TestCreamingInAWorld(t *testing.T) {
	o := world.Demo()
	o.Persons, o.Selection = 12_000, 0.5
	data := effecttest.FromWorld(t, o)
	obs := data.Observe(t, effecttest.Study())
	c := creaming(t, obs, design(data), world.Employed26, covariates()...)

	rows, weighted := 0, map[string]float64{}
	for _, r := range c.Creaming {
		require.Empty(t, r.Refusal)
		if r.Municipality != "751" {
			continue
		}
		rows++
		require.Equal(t, watch.AgainstPeers, r.FittedOn)
		if r.Provider != "" {
			weighted[r.MatchGroup+string(r.Stage)] += r.Difference * float64(r.N)
			assert.InDelta(t, r.Chance-r.ChanceAgainst, r.Difference, 1e-8)
		}
		switch r.Provider {
		case "L751-1":
			assert.Greater(t, r.Low, 0.0, "%v %v", r.MatchGroup, r.Stage)
			assert.Greater(t, r.Standard, 0.2)
		case "L751-2":
			assert.Less(t, r.High, 0.0, "%v %v", r.MatchGroup, r.Stage)
			assert.Less(t, r.Standard, -0.2)
		default:
			assert.Less(t, math.Abs(r.Standard), 0.15, "%v %v %v", r.Provider, r.MatchGroup, r.Stage)
		}
		if r.Stage == watch.StageReferred {
			assert.True(t, math.IsNaN(r.Since))
		} else {
			assert.Less(t, math.Abs(r.Since), 0.02, "who drops out is chance")
		}
	}
	assert.Equal(t, 2*5*3, rows, "groups, own projects with three providers and the whole, stages")
	for key, sum := range weighted {
		// Providers of consortia that work at the peers have a model of their own.
		assert.InDelta(t, 0, sum, 5, key)
	}

	whole := map[string]int64{}
	for _, r := range c.Deciles {
		if r.Municipality == "751" && r.Provider == "" {
			whole[r.MatchGroup] += r.Referred
			assert.GreaterOrEqual(t, r.Referred, r.Started)
			assert.GreaterOrEqual(t, r.Started, r.Completed)
		}
	}
	for _, r := range c.Parking {
		if r.Municipality != "751" {
			continue
		}
		assert.True(t, r.Low <= r.Slope && r.Slope <= r.High)
		if r.Provider == "" {
			n := r.NHard + r.NMiddle + r.NEasy
			assert.Equal(t, whole[r.MatchGroup], n)
			assert.InDelta(t, float64(n)/3, float64(r.NHard), 0.02*float64(n), "thirds but for ties")
		}
		if r.Provider == "L751-2" {
			// It adds the same factor in odds for all, and parks nobody.
			assert.Greater(t, r.Slope, 0.01, "so its slope in points is above 0")
			assert.True(t, r.OddsLow < 1 && 1 < r.OddsHigh, "and its slope in odds is not")
		}
	}
}

// What a provider achieves is in none of its chances, nor is the order of rows.
func TestChanceHasNothingOfTheProvider(t *testing.T) {
	o := world.Demo()
	o.Persons = 3_000
	data := effecttest.FromWorld(t, o)
	obs := data.Observe(t, effecttest.Study())
	// Without peers, others at home are learnt from too.
	for _, peers := range []bool{true, false} {
		d := design(data)
		if !peers {
			d.Peers = nil
		}
		before := creaming(t, obs, d, world.Employed26, covariates()...)
		other := *obs
		other.Results = slices.Clone(obs.Results)
		r := &other.Results[0]
		r.Value = slices.Clone(r.Value)
		for i := range r.Value {
			if obs.Cases.Provider.At(i) == "L751-1" {
				r.Value[i] = 1 - r.Value[i]
			}
		}
		after := creaming(t, &other, d, world.Employed26, covariates()...)
		mine, others := 0, 0
		for k, row := range before.Creaming {
			switch same := fmt.Sprint(row) == fmt.Sprint(after.Creaming[k]); {
			case row.Provider == "L751-1" && row.Municipality == "751":
				require.True(t, same, "%+v", row)
				mine++
			case !same && row.Municipality == "751":
				others++
			}
		}
		assert.Equal(t, 6, mine)
		assert.Equal(t, !peers, others > 0, "others learn from the provider where it is no secret to them")
	}

	shuffled := *data
	shuffled.Participations, shuffled.Spells = slices.Clone(data.Participations), slices.Clone(data.Spells)
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(shuffled.Participations), func(a, b int) {
		shuffled.Participations[a], shuffled.Participations[b] = shuffled.Participations[b], shuffled.Participations[a]
	})
	random.Shuffle(len(shuffled.Spells), func(a, b int) { shuffled.Spells[a], shuffled.Spells[b] = shuffled.Spells[b], shuffled.Spells[a] })
	a := creaming(t, obs, design(data), world.Employed26, covariates()...)
	b := creaming(t, shuffled.Observe(t, effecttest.Study()), design(data), world.Employed26, covariates()...)
	assert.Equal(t, fmt.Sprint(a), fmt.Sprint(b))
}

// figures are those of testdata/reference/watch.R, R 4.2.2 with sandwich 3.0.2.
func figures(t *testing.T) (out struct {
	Difference, SD, Since, Slope, Odds []float64
},
) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/reference/watch.json")
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &all))
	for key, into := range map[string]*[]float64{"difference": &out.Difference, "sd": &out.SD, "since": &out.Since, "slope": &out.Slope, "odds": &out.Odds} {
		require.NoError(t, json.Unmarshal(all[key], into))
	}
	return out
}

func assertFigures(t *testing.T, want []float64, got ...float64) {
	t.Helper()
	for k := range want {
		assert.InEpsilon(t, want[k], got[k], 1e-6)
	}
}

func TestContrastsAndSlopeAgainstR(t *testing.T) {
	want := figures(t)
	b := newBuilder()
	var x, y []float64
	for i := range 200 { // at the peer the outcome is 10 x exactly
		b.add(row{mun: "P", provider: "X"})
		x, y = append(x, float64(i%13)), append(y, float64(10*(i%13)))
	}
	for i := range 120 {
		v := float64(7*i%10 + 1)
		r := row{mun: "H", provider: "A", start: 5, end: 50}
		out := 10*v + float64(i%5)
		if i%3 == 0 && v > 3 || i%11 == 0 {
			r.provider, out = "B", 10*v-(11-v)*(11-v)/4+float64(i%4)
			if i%4 == 3 {
				r.start, r.end = 0, 0
			}
		}
		b.add(r)
		x, y = append(x, v), append(y, out)
	}
	obs := b.observations(effect.UnitNumber, y)
	obs.Cases.Covariates = []effect.Covariate{{Name: "x", Number: x, Dated: true}}
	d := watch.Default()
	d.Peers = map[string][]string{"H": {"P"}}
	c := creaming(t, obs, d, "y", "x")
	seen := 0
	for _, r := range c.Creaming {
		if r.Provider != "B" {
			continue
		}
		seen++
		switch r.Stage {
		case watch.StageReferred:
			assertFigures(t, want.Difference, r.Difference, r.Low, r.High)
			assertFigures(t, []float64{want.Difference[0] / want.SD[0]}, r.Standard)
		default: // without a word about completion an end is taken for it
			assertFigures(t, want.Since, r.Since, r.SinceLow, r.SinceHigh)
		}
	}
	assert.Equal(t, 3, seen)
	for _, r := range c.Parking {
		if r.Provider == "B" {
			assertFigures(t, want.Slope, r.Slope, r.Low, r.High)
			assert.True(t, math.IsNaN(r.Odds))
		}
	}
	// A decile of B by hand: x = 1, the hardest tenth, has i with 7 i mod 10 = 0
	// and i mod 11 = 0: 0 and 110, so y = 10 - 25 + 0 and 10 - 25 + 2.
	for _, r := range c.Deciles {
		if r.Provider == "B" && r.Decile == 1 {
			assert.Equal(t, [4]int64{2, 2, 2, 2}, [4]int64{r.Referred, r.Started, r.Completed, r.N})
			assertFigures(t, []float64{-14, 10, -24}, r.Observed, r.Predicted, r.Residual)
		}
	}
}

func TestOddsSlopeAgainstR(t *testing.T) {
	want := figures(t)
	b := newBuilder()
	var names []string
	var y []float64
	for m := range 9 { // a share of exactly (m+1)/10 reached it
		for k := range 100 {
			b.add(row{mun: "P", provider: "X"})
			names, y = append(names, fmt.Sprint(m)), append(y, one(k < 10*(m+1)))
		}
	}
	for k := range 300 {
		b.add(row{mun: "H", provider: "A"})
		p := float64(k%9+1) / 10
		names, y = append(names, fmt.Sprint(k%9)), append(y, one(float64(37*k%100)/100 < math.Pow(p, 1.5)))
	}
	obs := b.observations(effect.UnitShare, y)
	obs.Cases.Covariates = []effect.Covariate{{Name: "class", Factor: effect.NewFactor(names), Dated: true}}
	d := watch.Default()
	d.Peers = map[string][]string{"H": {"P"}}
	for _, r := range creaming(t, obs, d, "y", "class").Parking {
		if r.Provider == "A" {
			assertFigures(t, want.Odds, r.Odds, r.OddsLow, r.OddsHigh)
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A provider that leaves its hard citizens alone: at the peers every second
// citizen reaches the outcome, hard or easy, and at B only the easy do.
func TestParkingShows(t *testing.T) {
	b := newBuilder()
	var x, y []float64
	add := func(r row, hard bool, reached bool) {
		b.add(r)
		x, y = append(x, one(!hard)), append(y, one(reached))
	}
	for i := range 400 {
		hard := i%2 == 0
		add(row{mun: "P", provider: "X"}, hard, i%10 < 4 || !hard && i%10 < 7)
		add(row{mun: "H", provider: "A", start: 3}, hard, i%10 < 4 || !hard && i%10 < 7)
		r := row{mun: "H", provider: "B", start: 3}
		if hard && i%20 < 10 {
			r.start = 0
		}
		add(r, hard, !hard && i%10 < 7)
	}
	obs := b.observations(effect.UnitShare, y)
	obs.Cases.Covariates = []effect.Covariate{{Name: "easy", Number: x, Dated: true}}
	d := watch.Default()
	d.Peers = map[string][]string{"H": {"P"}}
	c := creaming(t, obs, d, "y", "easy")
	// With two equal halves, the hard share decile 3 (place 1/4) and the easy
	// decile 8: the slope is the difference of the residuals over 5. Of the hard at
	// the peers i mod 10 is 0 or 2 of 0, 2, 4, 6, 8: a chance of 2/5.
	for _, r := range c.Parking {
		switch r.Provider {
		case "A":
			assert.InDelta(t, 0, r.Slope, 1e-7)
			assert.InDelta(t, 1, r.Odds, 1e-5)
			assert.InDelta(t, 0, r.StartGap, 1e-12)
		case "B":
			assert.InDelta(t, 0.4/5, r.Slope, 1e-7)
			assert.Greater(t, r.Low, 0.0)
			assert.Equal(t, []float64{0.5, 1, 0.5}, []float64{r.HardStart, r.EasyStart, r.StartGap})
			assert.Greater(t, r.StartLow, 0.0)
			assert.Zero(t, r.NMiddle)
		}
	}
}

func TestCreamingWithoutWhatItNeeds(t *testing.T) {
	b := newBuilder()
	var y []float64
	for i := range 20 {
		b.add(row{mun: "H", provider: "A"})
		y = append(y, float64(i%2))
	}
	obs := b.observations(effect.UnitShare, y)
	obs.Cases.Covariates = []effect.Covariate{{Name: "x", Number: make([]float64, 20)}}
	for _, c := range []struct {
		covariates []string
		refusal    string
	}{{nil, watch.RefusalNoCovariates}, {[]string{"x"}, effect.RefusalFewComparators}} {
		out := creaming(t, obs, watch.Default(), "y", c.covariates...)
		require.Len(t, out.Creaming, 6)
		require.Empty(t, out.Deciles)
		for _, r := range out.Creaming {
			assert.Equal(t, c.refusal, r.Refusal)
			assert.True(t, math.IsNaN(r.Chance))
			if r.Stage == watch.StageReferred {
				assert.EqualValues(t, 20, r.N)
			}
		}
		for _, r := range out.Parking {
			assert.Equal(t, c.refusal, r.Refusal)
		}
	}
	empty := newBuilder().observations(effect.UnitShare, nil)
	assert.Empty(t, creaming(t, empty, watch.Default(), "y").Creaming)
	_, err := watch.Creaming(context.Background(), obs, watch.Default(), "z", nil)
	require.ErrorIs(t, err, effect.ErrDesign)
	_, err = watch.Creaming(context.Background(), obs, watch.Default(), "y", []string{"z"})
	require.ErrorIs(t, err, effect.ErrDesign)
	bad := watch.Default()
	bad.Confidence = 1
	_, err = watch.Creaming(context.Background(), obs, bad, "y", nil)
	require.ErrorIs(t, err, effect.ErrDesign)
	stopped, stop := context.WithCancel(context.Background())
	stop()
	_, err = watch.Creaming(stopped, obs, watch.Default(), "y", []string{"x"})
	require.ErrorIs(t, err, context.Canceled)
}
