package effect_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// spy is a method that remembers who was compared with whom, and expects the
// plain mean of the comparators.
type spy struct{ seen *sync.Map }

func newSpy() spy { return spy{&sync.Map{}} }

func (s spy) out(key string) []int32 {
	v, _ := s.seen.Load(key)
	rows, _ := v.([]int32)
	return rows
}

func (spy) Name() string   { return "spy" }
func (spy) Uses() []string { return []string{"age", "mood"} }

func (s spy) Expect(_ context.Context, c *effect.Comparison) (effect.Expectation, error) {
	s.seen.Store(fmt.Sprintf("%s %s %s", c.Cell.Municipality, c.Cell.Provider, c.Comparators), c.Out)
	n := float64(len(c.Out))
	weights, out, in, mean := make([]float64, len(c.Out)), make([]float64, len(c.Out)), make([]float64, len(c.In)), 0.0
	for _, i := range c.Out {
		mean += c.Y[i] / n
	}
	for k := range c.Out {
		weights[k], out[k] = 1/n, mean
	}
	for k := range in {
		in[k] = mean
	}
	return c.Linear(effect.Linear{Weights: weights, FittedOut: out, FittedIn: in}), nil
}

// city is one case of an invented table: municipality, provider, person, value.
type city struct {
	municipality, provider string
	person                 int32
	value                  float64
}

func observations(rows []city) *effect.Observations {
	c := &effect.Cases{}
	r := effect.Result{Outcome: "job", Unit: effect.UnitShare}
	var places, providers, one []string
	for i, row := range rows {
		c.ID.Append(effect.NumberID(int64(i)))
		c.Person = append(c.Person, row.person)
		c.Referral = append(c.Referral, effect.Date(100-i))
		places, providers, one = append(places, row.municipality), append(providers, row.provider), append(one, "1")
		r.Status, r.Reason, r.Complete, r.Followed = append(r.Status, effect.NotReached), append(r.Reason, effect.NoReason), append(r.Complete, true), append(r.Followed, i%4 != 0)
		r.Value, r.WindowEnd, r.ReachedOn = append(r.Value, row.value), append(r.WindowEnd, 200), append(r.ReachedOn, effect.NoDate)
	}
	c.Persons = effect.NumberIDs(make([]int64, len(rows)))
	c.Municipality, c.Provider, c.MatchScheme, c.MatchGroup = effect.NewFactor(places), effect.NewFactor(providers), effect.NewFactor(one), effect.NewFactor(one)
	c.Covariates = []effect.Covariate{{Name: "age", Number: make([]float64, len(rows)), Dated: true}, {Name: "mood", Number: make([]float64, len(rows))}}
	return &effect.Observations{AsOf: 300, Cases: c, Results: []effect.Result{r}}
}

// Who is left out of the comparators: the provider and the members of its
// consortium wherever they work, the persons of the cell, and a person's later
// participations.
func TestLeaveOuts(t *testing.T) {
	obs := observations([]city{
		{"H", "p", 0, 1},  // 0
		{"H", "p", 1, 0},  // 1
		{"H", "q", 2, 1},  // 2
		{"H", "", 3, 0},   // 3 own project
		{"H", "k", 4, 0},  // 4 kin of p
		{"A", "p", 5, 1},  // 5 p elsewhere
		{"A", "k", 6, 1},  // 6 kin of p elsewhere
		{"A", "r", 7, 1},  // 7
		{"A", "r", 0, 1},  // 8 a person of the cell
		{"A", "s", 9, 0},  // 9 the person's later participation, in row 10 (referred earlier)
		{"A", "r", 9, 1},  // 10
		{"A", "", 11, 0},  // 11
		{"B", "s", 12, 1}, // 12 not a peer
	})
	s := spy{&sync.Map{}}
	d := effect.DefaultDesign()
	d.MinN, d.Peers = 2, map[string][]string{"H": {"A", "H"}}
	d.Kin = map[string][]string{"p": {"k", "p"}, "k": {"k", "p"}}
	d.Also = []effect.Comparators{effect.OtherProviders, effect.OwnProjects}
	_, err := effect.Estimates(context.Background(), obs, d, []effect.Method{s})
	require.NoError(t, err)
	assert.Equal(t, []int32{7, 10, 11}, s.out("H p peers"))
	assert.Equal(t, []int32{2, 3}, s.out("H p home"))
	assert.Equal(t, []int32{2}, s.out("H p other_providers"))
	assert.Equal(t, []int32{3}, s.out("H p own_projects"))
	// In A, persons of the cell r (0, 7, 9) are nobody's comparators for it.
	assert.Equal(t, []int32{5, 6, 11}, s.out("A r home"))
	assert.Nil(t, s.out("A r peers"), "no peers were chosen for A, so there is nothing to ask")

	// With every participation kept, a person can be there twice.
	d.Repeats = true
	_, err = effect.Estimates(context.Background(), obs, d, []effect.Method{s})
	require.NoError(t, err)
	assert.Equal(t, []int32{7, 9, 10, 11}, s.out("H p peers"))
}

// Somebody whose later referral to the cell's provider is no case of the cohort
// stays a comparator: leaving such persons out would leave out those who failed.
func TestLaterReferralsDoNotTakeComparatorsAway(t *testing.T) {
	rows := []city{{"H", "p", 0, 1}, {"H", "p", 1, 0}, {"H", "p", 2, 0}, {"H", "q", 2, 0}, {"H", "q", 3, 1}}
	obs := observations(rows)
	r := &obs.Results[0]
	r.Status[2], r.Reason[2], r.Complete[2], r.WindowEnd[2] = effect.Excluded, effect.ReasonNotFirst, false, effect.NoDate
	s := spy{&sync.Map{}}
	d := effect.DefaultDesign()
	d.MinN = 2
	_, err := effect.Estimates(context.Background(), obs, d, []effect.Method{s})
	require.NoError(t, err)
	assert.Equal(t, []int32{3, 4}, s.out("H p home"))

	// One that is pending does: the person is in the cell.
	r.Status[2], r.Reason[2] = effect.Pending, effect.ReasonPending
	_, err = effect.Estimates(context.Background(), obs, d, []effect.Method{s})
	require.NoError(t, err)
	assert.Equal(t, []int32{4}, s.out("H p home"))
}

func TestKinship(t *testing.T) {
	day := func(n int) effect.Date { return effect.Date(n) }
	kin := effect.Kinship([]effect.Membership{
		{Provider: "a", Consortium: "x", From: day(0), To: day(100)},
		{Provider: "b", Consortium: "x", From: day(50), To: effect.NoDate},
		{Provider: "c", Consortium: "x", From: day(100), To: day(200)},
		{Provider: "d", From: day(0), To: effect.NoDate},
		{Provider: "e", From: day(0), To: effect.NoDate},
	})
	assert.Equal(t, map[string][]string{
		"a": {"a", "b"},
		"b": {"a", "b", "c"}, // a and c were never members on the same day
		"c": {"b", "c"},
		"d": {"d"},
		"e": {"e"},
	}, kin)
}

// six municipalities with the provider's citizens in H; shares 0.8 for p, 0.5
// for the others at home, 0.4 to 0.6 elsewhere.
func six() *effect.Observations {
	var rows []city
	add := func(municipality, provider string, n, reached int) {
		for i := range n {
			v := 0.0
			if i < reached {
				v = 1
			}
			rows = append(rows, city{municipality, provider, int32(len(rows)), v})
		}
	}
	add("H", "p", 50, 40)
	add("H", "q", 60, 30)
	for i, m := range []string{"A", "B", "C", "D", "E"} {
		add(m, "x"+m, 100, 40+5*i)
	}
	return observations(rows)
}

func rowsOf(t *testing.T, obs *effect.Observations, d effect.Design) (estimates []effect.Estimate, benchmark map[effect.Part]effect.BenchmarkRow, diagnostics map[effect.Part]map[effect.DiagnosticName]effect.Diagnostic) {
	t.Helper()
	estimates, err := effect.Estimates(context.Background(), obs, d, []effect.Method{spy{&sync.Map{}}})
	require.NoError(t, err)
	benchmark, diagnostics = map[effect.Part]effect.BenchmarkRow{}, map[effect.Part]map[effect.DiagnosticName]effect.Diagnostic{}
	all := effect.Benchmark(estimates)
	for _, b := range all {
		if b.Provider == "p" {
			benchmark[b.Part] = b
		}
	}
	for _, x := range effect.Diagnostics(estimates, all) {
		if x.Provider == "p" {
			if diagnostics[x.Part] == nil {
				diagnostics[x.Part] = map[effect.DiagnosticName]effect.Diagnostic{}
			}
			diagnostics[x.Part][x.Name] = x
		}
	}
	return estimates, benchmark, diagnostics
}

// The interval of methods.md 3, worked out by hand for plain means:
//
//	V(cell) = 0.8*0.2/49, V(home) = 0.5*0.5/60, peers: mean 0.5, V = sum r^2/500^2 = 0.5*0.5/500
//	five peers of 100: d = -0.1 .. 0.1, v = pooled 0.25/100 each, equal, so that
//	sigma2 = 0.025/q - 0.0025 with 0.025 the sum of d^2 and q the median of
//	chi-square(4), 3.3566939800333224 (SciPy 1.17.1: stats.chi2.ppf(0.5, 4)); sum w^2 = 1/5
//	V(total) = 0.16/49 + 0.25/500 + 1.2 sigma2
//	df = V^2/((0.16/49)^2/49 + 0.0005^2/500 + (1.2 sigma2)^2/(4 sigma2/(sigma2 + 0.0025))),
//	500 being the effective number of comparators, to which the spy fits nothing
func TestParts(t *testing.T) {
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, b, diagnostics := rowsOf(t, six(), d)

	total := b[effect.Total]
	assert.InEpsilon(t, 0.3, total.Difference, 1e-8)
	sigma2 := 0.025/3.3566939800333224 - 0.0025
	v := 0.16/49 + 0.25/500 + sigma2*1.2
	assert.InEpsilon(t, math.Sqrt(v), total.SE, 1e-8)
	assert.InEpsilon(t, v*v/(0.16/49*0.16/49/49+0.0005*0.0005/500+1.2*sigma2*1.2*(sigma2+0.0025)/4), total.DF, 1e-7)
	// SciPy 1.17.1: stats.t.ppf(0.975, 6.981641761197859) = 2.3658852922023743
	assert.InEpsilon(t, 0.3-2.3658852922023743*math.Sqrt(v), total.Low, 1e-7)
	assert.Equal(t, effect.Higher, total.Verdict)

	provider := b[effect.Provider]
	assert.InEpsilon(t, 0.3, provider.Difference, 1e-8)
	assert.InEpsilon(t, math.Sqrt(0.16/49+0.25/60), provider.SE, 1e-8, "within one municipality there is no spread between them")

	municipality := b[effect.Municipality]
	assert.InDelta(t, 0, municipality.Difference, 1e-9)
	assert.InEpsilon(t, math.Sqrt(0.25/60+0.25/500+sigma2*1.2), municipality.SE, 1e-8)
	assert.Equal(t, effect.NoDifference, municipality.Verdict)

	got := diagnostics[effect.Total]
	assert.Equal(t, 50.0, got[effect.DiagN].Value)
	assert.Equal(t, 0.74, got[effect.DiagFollowUp].Value) // every fourth of 50 is not followed: 13
	assert.Equal(t, 0.0, got[effect.DiagUncovered].Value)
	assert.Equal(t, 5.0, got[effect.DiagPeers].Value)
	assert.Equal(t, 0.5, got[effect.DiagDatedCovariates].Value, "age is dated, mood is not")
	assert.NotEmpty(t, diagnostics[effect.Provider][effect.DiagPeers].NotApplicable)
}

func TestFewerThanFourPeersAreRefused(t *testing.T) {
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C"}}
	_, b, diagnostics := rowsOf(t, six(), d)
	for _, part := range []effect.Part{effect.Total, effect.Municipality} {
		assert.Equal(t, effect.RefusalFewPeers, b[part].Refusal)
		assert.Equal(t, effect.NotRated, b[part].Verdict)
		assert.True(t, math.IsNaN(b[part].Difference), "a refusal has no figure")
	}
	assert.Equal(t, 0.8, b[effect.Total].Observed, "what was observed stands")
	assert.Empty(t, b[effect.Provider].Refusal, "the provider's part needs no peers")
	assert.True(t, math.IsNaN(diagnostics[effect.Total][effect.DiagPeers].Value), "not evaluated")
}

// A peer so large that the others hardly count tells nothing of their spread.
func TestTokenPeersAreRefused(t *testing.T) {
	obs := six()
	for i := range obs.Cases.Municipality.Codes {
		if m := obs.Cases.Municipality.At(i); m != "H" && i%20 != 0 {
			obs.Cases.Municipality.Codes[i] = obs.Cases.Municipality.Code("A")
		}
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, b, _ := rowsOf(t, obs, d)
	assert.Equal(t, effect.RefusalFewPeers, b[effect.Total].Refusal)
}

func TestFewComparatorsAreRefused(t *testing.T) {
	d := effect.DefaultDesign()
	d.MinComparators = 61
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, b, _ := rowsOf(t, six(), d)
	assert.Empty(t, b[effect.Total].Refusal, "500 peers' citizens are enough")
	assert.Equal(t, effect.RefusalFewComparators, b[effect.Provider].Refusal, "60 at home are not")
	assert.Equal(t, effect.RefusalFewComparators, b[effect.Municipality].Refusal)
}

// One person twice in a cell is not two persons.
func TestPersonsAreClustered(t *testing.T) {
	obs := six()
	for i := range 50 {
		obs.Cases.Person[i] = int32(i / 2)
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, few, _ := rowsOf(t, obs, d)
	assert.Equal(t, effect.RefusalFewCases, few[effect.Provider].Refusal, "25 persons are not 30")
	d.MinN = 25
	estimates, twice, _ := rowsOf(t, obs, d)
	_, once, _ := rowsOf(t, six(), d)
	assert.Greater(t, twice[effect.Provider].SE, 1.15*once[effect.Provider].SE)
	for _, e := range estimates {
		if e.Provider == "p" && e.Comparators == effect.Home {
			assert.Equal(t, int64(25), e.Persons)
		}
	}
}

// Comparators are as many as their persons, however often each occurs.
func TestRepeatedComparatorsAreOnePerson(t *testing.T) {
	obs := six()
	for i := range obs.Cases.Person {
		if obs.Cases.Provider.At(i) == "q" {
			obs.Cases.Person[i] = 50 + int32(i%2) // 60 cases of two persons
		}
	}
	d := effect.DefaultDesign()
	d.Repeats, d.Peers = true, map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, b, _ := rowsOf(t, obs, d)
	assert.Equal(t, effect.RefusalFewComparators, b[effect.Provider].Refusal)
	assert.Empty(t, b[effect.Total].Refusal)
}

// A peer that is named twice is one peer.
func TestPeersCountOnce(t *testing.T) {
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, once, _ := rowsOf(t, six(), d)
	d.Peers["H"] = []string{"A", "B", "B", "H", "C", "D", "E", "E"}
	_, twice, _ := rowsOf(t, six(), d)
	assert.Equal(t, once[effect.Total], twice[effect.Total])
}

// fits is a method whose fitted values differ, as those of a model do.
type fits struct{ spy }

func (f fits) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	e, err := f.spy.Expect(ctx, c)
	e.VarCell, e.VarComparators = e.VarCell+1e-6, e.VarComparators+1e-6
	return e, err
}

// Where all outcomes of a side are the same, its variance is a floor whatever the
// spread of fitted values; where both sides are alike there is no telling.
func TestEqualOutcomes(t *testing.T) {
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	home := func(unit effect.Unit, change func(r *effect.Result, i int, provider string)) effect.Estimate {
		obs := six()
		obs.Results[0].Unit = unit
		for i := range obs.Cases.Len() {
			change(&obs.Results[0], i, obs.Cases.Provider.At(i))
		}
		rows, err := effect.Estimates(context.Background(), obs, d, []effect.Method{fits{newSpy()}})
		require.NoError(t, err)
		for _, e := range rows {
			if e.Provider == "p" && e.Comparators == effect.Home && e.Support == effect.SupportOwn {
				return e
			}
		}
		t.Fatal("no row")
		return effect.Estimate{}
	}
	// 60 at home with 30 times 10 days and 30 times 0: one person's variance is
	// 25 + 60e-6, and that of the mean of 50 a fiftieth of it.
	e := home(effect.UnitDays, func(r *effect.Result, i int, provider string) {
		r.Value[i] *= 10
		if provider == "p" {
			r.Value[i] = 0
		}
	})
	assert.InEpsilon(t, (25+60e-6)/50, e.VarCell, 1e-7)
	assert.Equal(t, "all_outcomes_equal", e.Warnings)
	// One success more and one failure more of 50: p = 1/52.
	e = home(effect.UnitShare, func(r *effect.Result, i int, provider string) {
		if provider == "p" {
			r.Value[i] = 0
		}
	})
	assert.InEpsilon(t, 1.0/52*51/52/50, e.VarCell, 1e-7)
	for _, unit := range []effect.Unit{effect.UnitShare, effect.UnitDays} {
		e = home(unit, func(r *effect.Result, i int, _ string) { r.Value[i] = 0 })
		assert.Equal(t, effect.RefusalNoVariation, e.Refusal, unit)
		assert.Equal(t, effect.NotRated, e.Verdict)
	}
}

// Follow-up is as bad as that of the worse side.
func TestFollowUpOfComparators(t *testing.T) {
	obs := six()
	for i := range obs.Cases.Len() {
		obs.Results[0].Followed[i] = obs.Cases.Provider.At(i) != "q" || i%2 == 0
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, _, diagnostics := rowsOf(t, obs, d)
	assert.Equal(t, 0.5, diagnostics[effect.Provider][effect.DiagFollowUp].Value)
	assert.Equal(t, 1.0, diagnostics[effect.Total][effect.DiagFollowUp].Value)
}

func TestNobodyElseAtHome(t *testing.T) {
	obs := six()
	for i := range obs.Cases.Municipality.Codes {
		if obs.Cases.Provider.At(i) == "q" {
			obs.Cases.Municipality.Codes[i] = obs.Cases.Municipality.Code("A")
		}
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, b, _ := rowsOf(t, obs, d)
	assert.Empty(t, b[effect.Total].Refusal)
	assert.Equal(t, effect.RefusalNoHome, b[effect.Provider].Refusal)
	assert.Equal(t, effect.RefusalNoHome, b[effect.Municipality].Refusal)
}

func TestSmallCellsHaveCountsOnly(t *testing.T) {
	d := effect.DefaultDesign()
	d.MinN = 51
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	estimates, b, _ := rowsOf(t, six(), d)
	assert.Equal(t, effect.RefusalFewCases, b[effect.Total].Refusal)
	assert.EqualValues(t, 50, b[effect.Total].N)
	assert.Equal(t, 0.8, b[effect.Total].Observed)
	for _, e := range estimates {
		if e.Provider == "p" {
			assert.Zero(t, e.NCompared)
			assert.True(t, math.IsNaN(e.Expected))
		}
	}
}

func TestNoVariationIsNotCertainty(t *testing.T) {
	obs := six()
	for i := range obs.Results[0].Value {
		obs.Results[0].Value[i] = 1
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, b, _ := rowsOf(t, obs, d)
	for _, part := range []effect.Part{effect.Total, effect.Provider, effect.Municipality} {
		assert.Equal(t, effect.RefusalNoVariation, b[part].Refusal, part)
		assert.Equal(t, effect.NotRated, b[part].Verdict)
	}
}

// All 50 citizens of the cell reached it: the sample variance is 0, the floor is
// 51/52 * 1/52 / 50.
func TestEqualOutcomesInTheCell(t *testing.T) {
	obs := six()
	for i := range 50 {
		obs.Results[0].Value[i] = 1
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	estimates, b, _ := rowsOf(t, obs, d)
	assert.InEpsilon(t, math.Sqrt(51.0/52/52/50+0.25/60), b[effect.Provider].SE, 1e-8)
	for _, e := range estimates {
		if e.Provider == "p" {
			assert.Equal(t, "all_outcomes_equal", e.Warnings)
		}
	}
}

func TestDesignThatMakesNoSense(t *testing.T) {
	obs := six()
	for _, change := range []func(*effect.Design){
		func(d *effect.Design) { d.MinN = 1 },
		func(d *effect.Design) { d.Confidence = 1 },
		func(d *effect.Design) { d.Confidence = math.NaN() },
	} {
		d := effect.DefaultDesign()
		change(&d)
		_, err := effect.Estimates(context.Background(), obs, d, nil)
		assert.ErrorIs(t, err, effect.ErrDesign)
	}
	obs.Cases.Covariates = nil
	_, err := effect.Estimates(context.Background(), obs, effect.DefaultDesign(), []effect.Method{spy{}})
	assert.ErrorIs(t, err, effect.ErrDesign)
}

func TestRound(t *testing.T) {
	for _, x := range [][2]float64{{1.0 / 3, 0.333333333}, {2.0 / 3, 0.666666667}, {123456789.5, 123456790}, {-0.0000123456789123, -0.0000123456789}, {0, 0}} {
		assert.Equal(t, x[1], effect.Round(x[0]))
	}
	assert.True(t, math.IsNaN(effect.Round(math.NaN())))
	assert.True(t, math.IsInf(effect.Round(math.Inf(-1)), -1))
}
