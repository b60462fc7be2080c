package effect_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// viewed is a small world with consortia, ready for views.
func viewed(t *testing.T) (*effecttest.Data, *effect.Observations, effect.Design) {
	o := world.Default()
	o.Persons, o.Municipalities, o.ProvidersPerMunicipality = 4000, 6, 3
	data := effecttest.FromWorld(t, o)
	return data, data.Observe(t, effecttest.Study()), allPeers(data)
}

// allPeers compares every municipality with all the others.
func allPeers(data *effecttest.Data) effect.Design {
	d := effect.DefaultDesign()
	d.Kin = effect.Kinship(data.Members)
	d.Peers = map[string][]string{}
	all := data.Cases().Municipality.Levels
	for _, m := range all {
		d.Peers[m] = slices.DeleteFunc(slices.Clone(all), func(other string) bool { return other == m })
	}
	return d
}

func byAgeSex() effect.Method {
	return strata.Default(effect.Class{Covariate: "age", Cuts: []float64{35}}, effect.Class{Covariate: "sex"})
}

func views(t *testing.T, obs *effect.Observations, d effect.Design, members []effect.Membership, every effect.Every, of ...effect.View) []effect.ComparisonRow {
	t.Helper()
	rows, err := effect.Views(context.Background(), obs, d, members, of, every, []effect.Method{byAgeSex()})
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	return rows
}

// The view of providers is the benchmark, figure for figure, with sums beside it.
func TestViewOfProvidersIsTheBenchmark(t *testing.T) {
	data, obs, d := viewed(t)
	d.ByPackage = true
	estimates, err := effect.Estimates(context.Background(), obs, d, []effect.Method{byAgeSex()})
	require.NoError(t, err)
	want := map[string]string{}
	for _, b := range effect.Benchmark(estimates) {
		want[fmt.Sprint(b.Outcome, b.Cell, b.Part)] = fmt.Sprint(b.Figures)
	}
	seen := 0
	for _, r := range views(t, obs, d, data.Members, "", effect.ViewProvider) {
		if r.Municipality == effect.All || r.MatchGroup == effect.All {
			continue
		}
		cell := effect.Cell{Municipality: r.Municipality, MatchScheme: r.MatchScheme, MatchGroup: r.MatchGroup, Provider: r.Of, Package: r.Package}
		require.Equal(t, want[fmt.Sprint(r.Outcome, cell, r.Part)], fmt.Sprint(r.Figures), "%v", cell)
		seen++
	}
	assert.Len(t, want, seen)
}

// What all of a municipality's citizens achieve, worked out by hand from the
// cases: strata of age and sex within each match group, summed over the groups.
func TestViewOfAllByHand(t *testing.T) {
	data, obs, d := viewed(t)
	rows := views(t, obs, d, data.Members, "", effect.ViewTotal)
	age, _ := obs.Cases.Covariate("age")
	sex, _ := obs.Cases.Covariate("sex")
	r, _ := obs.Result(world.Employed26)
	type stratum struct {
		group, sex string
		old        bool
	}
	type sums struct{ n, y float64 }
	checked := 0
	for _, row := range rows {
		if row.Outcome != r.Outcome || row.MatchGroup != effect.All || row.Part != effect.Total {
			continue
		}
		in, out := map[stratum]sums{}, map[stratum]sums{}
		met := map[string]bool{} // a person counts once among a municipality's comparators of a group
		own := map[string]bool{}
		key := func(i int) string { return fmt.Sprint(obs.Cases.MatchGroup.At(i), obs.Cases.Person[i]) }
		for i, ok := range r.Complete {
			if ok && obs.Cases.Municipality.At(i) == row.Municipality {
				own[key(i)] = true
			}
		}
		order := make([]int, 0, len(r.Complete))
		for i := range r.Complete {
			order = append(order, i)
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(obs.Cases.Referral[a] - obs.Cases.Referral[b]) })
		for _, i := range order {
			if !r.Complete[i] {
				continue
			}
			s := stratum{obs.Cases.MatchGroup.At(i), sex.Factor.At(i), age.Number[i] >= 35}
			of := in
			if m := obs.Cases.Municipality.At(i); m != row.Municipality {
				if own[key(i)] || met[m+key(i)] {
					continue
				}
				met[m+key(i)] = true
				of = out
			}
			of[s] = sums{of[s].n + 1, of[s].y + r.Value[i]}
		}
		n, observed, expected := 0.0, 0.0, 0.0
		for s, a := range in {
			require.Positive(t, out[s].n)
			n += a.n
			observed += a.y
			expected += a.n * out[s].y / out[s].n
		}
		require.EqualValues(t, n, row.N)
		require.InDelta(t, observed/n, row.Observed, 1e-8)
		require.InDelta(t, expected/n, row.Expected, 1e-7)
		require.InDelta(t, (observed-expected)/n, row.Difference, 1e-7)
		checked++
	}
	assert.Equal(t, 6, checked)
	for _, row := range rows {
		if row.Part == effect.Provider {
			assert.Equal(t, effect.RefusalNoHome, row.Refusal, "nobody else is at home")
		}
	}
}

// Sums are sums of cases, and their errors lie between what independent cells
// and cells with everything in common would have.
func TestSumsOfCells(t *testing.T) {
	data, obs, d := viewed(t)
	rows := views(t, obs, d, data.Members, "", effect.ViewChannel, effect.ViewProvider)
	type key struct {
		view                                effect.View
		of, outcome, municipality, package_ string
		part                                effect.Part
	}
	cells := map[key][]effect.ComparisonRow{}
	for _, r := range rows {
		if r.MatchGroup != effect.All && r.Municipality != effect.All {
			k := key{r.View, r.Of, r.Outcome, r.Municipality, r.Package, r.Part}
			cells[k] = append(cells[k], r)
			k.municipality = effect.All
			cells[k] = append(cells[k], r)
		}
	}
	groups := 0
	for _, r := range rows {
		if r.MatchGroup != effect.All {
			continue
		}
		of := cells[key{r.View, r.Of, r.Outcome, r.Municipality, r.Package, r.Part}]
		if slices.ContainsFunc(of, func(c effect.ComparisonRow) bool { return c.Refusal != "" }) || r.Refusal != "" {
			continue // cells too small to be shown are in the sum
		}
		var n, difference, independent, common float64
		for _, c := range of {
			n += float64(c.NCompared)
			difference += float64(c.NCompared) * c.Difference
			independent += float64(c.NCompared) * float64(c.NCompared) * c.SE * c.SE
			common += float64(c.NCompared) * c.SE
		}
		require.EqualValues(t, n, r.NCompared)
		require.InDelta(t, difference/n, r.Difference, 1e-7*max(1, math.Abs(r.Difference)))
		require.GreaterOrEqual(t, r.SE, math.Sqrt(independent)/n*(1-1e-8))
		require.LessOrEqual(t, r.SE, common/n*1.1) // the design effect of repeated persons comes on top
		groups++
	}
	assert.Greater(t, groups, 20)
}

// A provider's cells in two municipalities are summed, and its citizens there
// are not compared with each other.
func TestSumOverMunicipalities(t *testing.T) {
	data, _, _ := viewed(t)
	// The first provider of the second municipality is that of the first.
	first, second := data.Participations[0].Municipality, ""
	var providers [2]string
	for _, p := range data.Participations {
		switch {
		case p.ProviderID == "":
		case p.Municipality == first && providers[0] == "":
			providers[0] = p.ProviderID
		case p.Municipality != first && second == "":
			second, providers[1] = p.Municipality, p.ProviderID
		}
	}
	for i := range data.Participations {
		if p := &data.Participations[i]; p.ProviderID == providers[1] {
			p.ProviderID = providers[0]
		}
	}
	obs, d := data.Observe(t, effecttest.Study()), allPeers(data)
	found := 0
	for _, r := range views(t, obs, d, data.Members, "", effect.ViewProvider) {
		if r.Municipality != effect.All {
			continue
		}
		assert.Equal(t, providers[0], r.Of)
		if r.MatchGroup == effect.All && r.Outcome == world.Employed26 && r.Part == effect.Total {
			found++
			n := int64(0)
			for i, ok := range obs.Results[0].Complete {
				if ok && obs.Cases.Provider.At(i) == providers[0] {
					n++
				}
			}
			assert.Equal(t, n, r.N)
			assert.Empty(t, r.Refusal)
			assert.Greater(t, r.SE, 0.0)
		}
	}
	assert.Equal(t, 1, found)
}

// With aggregated strata in place of the peers' records the figures are the same.
func TestViewsFromStrata(t *testing.T) {
	data, _, _ := viewed(t)
	// One participation a person, as a municipality hands over its strata.
	seen := map[int64]bool{}
	data.Participations = slices.DeleteFunc(data.Participations, func(p world.Participation) bool {
		again := seen[p.PersonID]
		seen[p.PersonID] = true
		return again
	})
	obs, d := data.Observe(t, effecttest.Study()), allPeers(data)
	home := data.Participations[0].Municipality
	totals, err := strata.Totals(obs, byAgeSex().(strata.Method).Classes)
	require.NoError(t, err)
	lawful := *data
	lawful.Participations = slices.DeleteFunc(slices.Clone(data.Participations), func(p world.Participation) bool { return p.Municipality != home })
	at := map[int64]bool{}
	for _, p := range lawful.Participations {
		at[p.PersonID] = true
	}
	lawful.Spells = slices.DeleteFunc(slices.Clone(data.Spells), func(s world.Spell) bool { return !at[s.PersonID] })
	other := d
	other.Strata = slices.DeleteFunc(totals, func(s effect.StratumTotal) bool { return s.Municipality == home })
	compared := 0
	want := map[string]effect.Figures{}
	for _, r := range views(t, obs, d, nil, effect.EveryHalfYear, effect.ViewTotal, effect.ViewChannel) {
		want[fmt.Sprint(r.View, r.Of, r.Period, r.Outcome, r.Municipality, r.MatchGroup, r.Package, r.Part)] = r.Figures
	}
	for _, r := range views(t, lawful.Observe(t, effecttest.Study()), other, nil, effect.EveryHalfYear, effect.ViewTotal, effect.ViewChannel) {
		w, ok := want[fmt.Sprint(r.View, r.Of, r.Period, r.Outcome, r.Municipality, r.MatchGroup, r.Package, r.Part)]
		require.True(t, ok)
		require.Equal(t, w.Refusal, r.Refusal, "%+v", r)
		require.Equal(t, w.N, r.N)
		if w.Refusal != "" {
			continue
		}
		require.InEpsilon(t, w.Expected, r.Expected, 1e-7)
		require.InEpsilon(t, w.SE, r.SE, 1e-6)
		require.Equal(t, w.Verdict, r.Verdict)
		compared++
	}
	assert.Greater(t, compared, 20)
}

// Through time: a quarter's citizens are compared with those referred in the same
// quarter, and the quarters' cases add up to the whole.
func TestViewsThroughTime(t *testing.T) {
	data, obs, d := viewed(t)
	n := map[string]map[string]int64{}
	for _, r := range views(t, obs, d, data.Members, effect.EveryQuarter, effect.ViewConsortium, effect.ViewRole) {
		if r.Part != effect.Total || r.Outcome != world.Days52 {
			continue
		}
		k := fmt.Sprint(r.View, r.Of, r.Municipality, r.MatchGroup)
		if n[k] == nil {
			n[k] = map[string]int64{}
		}
		n[k][r.Period] += r.N
	}
	require.NotEmpty(t, n)
	for k, by := range n {
		assert.Equal(t, by[""], by["2008Q1"]+by["2008Q2"]+by["2008Q3"]+by["2008Q4"], k)
	}
}

// The members of a consortium are one cell, by the membership of the day.
func TestViewOfConsortia(t *testing.T) {
	data, obs, d := viewed(t)
	mid := effect.NewDate(2008, 7, 1)
	var providers []string
	home := data.Participations[0].Municipality
	for _, p := range data.Participations {
		if p.Municipality == home && p.ProviderID != "" && !slices.Contains(providers, p.ProviderID) {
			providers = append(providers, p.ProviderID)
		}
	}
	slices.Sort(providers)
	start := effect.NewDate(2007, 1, 1)
	members := []effect.Membership{
		{Provider: providers[0], Consortium: "K", From: start, To: effect.NoDate},
		{Provider: providers[1], From: start, To: mid},
		{Provider: providers[1], Consortium: "K", From: mid, To: effect.NoDate},
	}
	want := map[string]int64{}
	r, _ := obs.Result(world.Employed26)
	for i, ok := range r.Complete {
		if !ok || obs.Cases.Municipality.At(i) != home {
			continue
		}
		of := obs.Cases.Provider.At(i)
		if of == providers[0] || of == providers[1] && obs.Cases.Referral[i] >= mid {
			of = "K"
		}
		if of == "" {
			of = effect.OwnProvider
		}
		want[of]++
	}
	got := map[string]int64{}
	for _, row := range views(t, obs, d, members, "", effect.ViewConsortium) {
		if row.Municipality == home && row.MatchGroup == effect.All && row.Outcome == r.Outcome && row.Part == effect.Total && row.Package == "" {
			got[row.Of] += row.N
		}
	}
	assert.Equal(t, want, got)
	assert.Positive(t, got[providers[1]])

	members[2].Consortium = providers[2] // which is a provider of its own
	_, err := effect.Views(context.Background(), obs, d, members, []effect.View{effect.ViewConsortium}, "", []effect.Method{byAgeSex()})
	require.ErrorIs(t, err, effect.ErrDesign)
}

func TestViewsRefuseWhatTheyDoNotKnow(t *testing.T) {
	_, obs, d := viewed(t)
	_, err := effect.Views(context.Background(), obs, d, nil, []effect.View{"colour"}, "", []effect.Method{byAgeSex()})
	require.ErrorIs(t, err, effect.ErrDesign)
}

// Persons who stand in two match groups widen the sums of those who are compared
// with them, however many others stand in one.
func TestSumsWithComparatorsInSeveralGroups(t *testing.T) {
	data, obs, d := viewed(t)
	at := data.Participations[0].Municipality
	own := map[string][]int{} // own projects there, by match group
	c := obs.Cases
	for i := range c.Person {
		if c.Municipality.At(i) == at && c.ChannelOf(i) == effect.ChannelOwn {
			g := c.MatchGroup.At(i)
			own[g] = append(own[g], i)
		}
	}
	require.Len(t, own, 2)
	cases := *c
	cases.Person = slices.Clone(c.Person)
	a, b := own["4"], own["5"]
	for k := range min(len(a), len(b)) {
		cases.Person[a[k]] = cases.Person[b[k]]
	}
	alone := func(in *effect.Observations) *effect.Observations {
		out := *in
		out.Results = slices.Clone(in.Results)
		for k := range out.Results {
			r := &out.Results[k]
			r.Complete = slices.Clone(r.Complete)
			for i := range r.Complete {
				r.Complete[i] = r.Complete[i] && c.Municipality.At(i) == at
			}
		}
		return &out
	}
	se := func(in *effect.Observations) map[string]float64 {
		out := map[string]float64{}
		for _, r := range views(t, in, d, data.Members, "", effect.ViewChannel) {
			if r.Municipality == at && r.Of == effect.ChannelProvider && r.MatchGroup == effect.All && r.Package == "" && r.Part == effect.Provider {
				require.Empty(t, r.Refusal)
				out[r.Outcome] = r.SE
			}
		}
		return out
	}
	twice := *obs
	twice.Cases = &cases
	once, among, here := se(obs), se(&twice), se(alone(&twice))
	require.NotEmpty(t, among)
	for outcome, v := range among {
		assert.Greater(t, v, once[outcome]*1.001, outcome)
		assert.InDelta(t, here[outcome], v, 1e-8*v, outcome)
	}
}

// Persons without comparators do not help a sum over the minimum, also where some
// person is there twice.
func TestSumsCountWhoIsCompared(t *testing.T) {
	data, obs, d := viewed(t)
	cases := *obs.Cases
	cases.Person = slices.Clone(cases.Person)
	cases.Person[0] = cases.Person[1]
	obs.Cases = &cases
	years := []float64{}
	for age := 19.0; age < 66; age++ {
		years = append(years, age)
	}
	fine := strata.Default(effect.Class{Covariate: "age", Cuts: years}, effect.Class{Covariate: "sex"}, effect.Class{Covariate: "education"})
	of := func(minN int) []effect.ComparisonRow {
		d.MinN = minN
		rows, err := effect.Views(context.Background(), obs, d, data.Members, []effect.View{effect.ViewTotal}, "", []effect.Method{fine})
		require.NoError(t, err)
		return slices.DeleteFunc(rows, func(r effect.ComparisonRow) bool { return r.MatchGroup != effect.All || r.Part != effect.Total })
	}
	looked := 0
	for i, r := range of(2) {
		if r.Refusal == "" && r.NCompared < r.N && looked < 3 {
			again := of(int(r.NCompared) + 1)[i]
			assert.Equal(t, effect.RefusalFewCases, again.Refusal, "%d of %d cases have comparators", r.NCompared, r.N)
			looked++
		}
	}
	assert.Positive(t, looked)
}
