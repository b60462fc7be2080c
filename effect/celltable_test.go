package effect

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// wholeMean is the mean by rational numbers.
func wholeMean(values []float64) float64 {
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, new(big.Rat).SetFloat64(v))
	}
	mean, _ := sum.Quo(sum, big.NewRat(int64(len(values)), 1)).Float64()
	return mean
}

func TestExactSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(
			rapid.Map(rapid.IntRange(-3650, 3650), func(days int) float64 { return float64(days) / 7 }),
			rapid.Map(rapid.IntRange(-9, 9), func(n int) float64 { return float64(n) }),
			rapid.SampledFrom([]float64{1e16, -1e16, 0.1, 1e-300, 5e-324, 1e300, -1e300, math.MaxFloat64, -math.MaxFloat64}),
		), 1, 60).Draw(t, "values")
		order := rand.New(rand.NewPCG(1, uint64(len(values)))).Perm(len(values))
		var one, a, b exactSum
		for k, i := range order {
			one.add(values[i])
			if k%3 == 0 {
				a.add(values[i])
			} else {
				b.add(values[i])
			}
		}
		b.join(&a)
		want := wholeMean(values)
		// A sum that a float does not hold is rounded once on its way to the mean, whatever the order.
		assert.Equal(t, want, one.over(int64(len(values))))
		assert.Equal(t, want, b.over(int64(len(values))))
	})
	var s exactSum
	s.add(math.Inf(1))
	s.add(1)
	assert.True(t, math.IsNaN(s.over(2)), "a number that is none leaves no mean")
}

// town is many persons in many blocks, with spells in the order of persons.
func town(persons int) (Study, *Cases, Spells) {
	rng := rand.New(rand.NewPCG(7, 8))
	c := &Cases{}
	var places, groups, providers []string
	var s Spells
	name := func(prefix string, n int) string { return prefix + string(rune('A'+rng.IntN(n))) }
	for p := range persons {
		c.Persons.Append(NumberID(int64(3 * p)))
		for range rng.IntN(3) {
			c.ID.Append(NumberID(int64(c.ID.Len())))
			c.Person = append(c.Person, int32(p))
			referral := Date(1000 + rng.IntN(400))
			c.Referral = append(c.Referral, referral)
			start := NoDate
			if rng.IntN(4) > 0 {
				start = referral + Date(rng.IntN(30))
			}
			c.Start, c.End = append(c.Start, start), append(c.End, NoDate)
			places, groups, providers = append(places, name("M", 3)), append(groups, name("", 2)), append(providers, name("P", 4))
			if rng.IntN(9) == 0 {
				providers[len(providers)-1] = ""
			}
		}
		states := []State{CashBenefit, OrdinaryEmployment, SelfEmployment, Education, Emigrated, Dead, WageSubsidy}
		day := Date(500)
		for range rng.IntN(8) {
			state := states[rng.IntN(len(states))]
			if (state == Dead || state == Emigrated) && rng.IntN(5) > 0 {
				state = CashBenefit
			}
			end := day + Date(1+rng.IntN(200))
			s.Person, s.State, s.Start, s.End = append(s.Person, int32(p)), append(s.State, state), append(s.Start, day), append(s.End, end)
			s.Hours, s.Employer = append(s.Hours, []float64{37, 12.5, math.NaN()}[rng.IntN(3)]), append(s.Employer, int32(rng.IntN(3)-1))
			day = end + Date(rng.IntN(60))
		}
	}
	// Spells of an order other than that of the cases.
	c.Municipality, c.MatchScheme, c.MatchGroup, c.Provider = NewFactor(places), NewFactor(slices.Repeat([]string{"s"}, len(places))), NewFactor(groups), NewFactor(providers)
	study := Study{
		AsOf: 1700, Signals: true, Placebo: 12, RegistersReach: NoDate,
		Employers: &Employers{IDs: []ID{NumberID(1), NumberID(2)}, Of: map[string][]int32{"PA": {0}}},
		Cohort:    Cohort{Period: Period{Start: 1050, End: 1390}, Take: TakeFirst},
		History:   History{Weeks: []int{26, 52}, ElapsedMax: 60, ElapsedGap: 28},
		Outcomes: []Outcome{
			{Name: "at", Measure: StateAt{States: Employment, At: Span{Days: 182}}},
			{Name: "days", Clock: AtStart, Measure: DaysIn{States: Employment, Within: Span{Days: 364}}},
			{Name: "hours", Measure: AmountIn{States: Employment, Of: OfHours, Within: Span{Days: 100}}},
			{Name: "weeks", Measure: WeeksIn{States: Employment, Within: Span{Days: 280}}, Dated: true},
			{Name: "time", Measure: TimeTo{States: Employment, Within: Span{Months: 6}, Exits: []Exit{{Name: "education", States: States(Education)}}}},
			{Name: "not", Measure: StateAt{States: Benefits, At: Span{Days: 400}, Not: true}},
		},
	}
	return study, c, s
}

// some are rows of spells.
func (s Spells) some(rows []int) (out Spells) {
	for _, i := range rows {
		out.Person, out.State, out.Start, out.End = append(out.Person, s.Person[i]), append(out.State, s.State[i]), append(out.Start, s.Start[i]), append(out.End, s.End[i])
		out.Hours, out.Employer = append(out.Hours, s.Hours[i]), append(out.Employer, s.Employer[i])
	}
	return out
}

// The cells are what anybody would count from the rows of the cases.
func TestCellsAreTheCountsOfTheRows(t *testing.T) {
	study, cases, spells := town(3000)
	o, err := NewObserver(study, cases)
	require.NoError(t, err)
	o.Add(spells)
	obs, err := o.Observations(context.Background())
	require.NoError(t, err)
	type key struct {
		Cell
		name string
	}
	values, cohort, reached := map[key][]float64{}, map[Cell]int64{}, map[key]int64{}
	for i := range cases.Len() {
		cell := Cell{cases.Municipality.At(i), cases.MatchScheme.At(i), cases.MatchGroup.At(i), cases.Provider.At(i), ""}
		if cell.Provider == "" {
			cell.Provider = OwnProvider
		}
		if obs.Results[0].Reason[i].OutsideCohort() {
			continue
		}
		cohort[cell]++
		for _, r := range obs.Results {
			if r.Reason[i] == NoReason {
				k := key{cell, r.Outcome}
				values[k] = append(values[k], r.Value[i])
				if r.Status[i] == Reached {
					reached[k]++
				}
			}
		}
		for _, c := range obs.Cases.Covariates {
			if c.Number != nil {
				values[key{cell, c.Name}] = append(values[key{cell, c.Name}], c.Number[i])
			}
		}
	}
	var cells []Cell
	for _, r := range obs.Cells {
		k := key{r.Cell, r.Name}
		require.Equal(t, cohort[r.Cell], r.Cohort, r)
		require.Equal(t, int64(len(values[k])), r.N, r)
		require.Equal(t, reached[k], r.Reached, r)
		if r.N > 0 {
			require.Equal(t, Round(wholeMean(values[k])), r.Mean, r)
		} else {
			require.True(t, math.IsNaN(r.Mean), r)
		}
		if len(cells) == 0 || cells[len(cells)-1] != r.Cell {
			cells = append(cells, r.Cell)
		}
	}
	require.Len(t, cells, len(cohort))
	require.Len(t, obs.Cells, len(cohort)*(len(study.Outcomes)+len(study.History.columns())))
	for _, a := range obs.Attrition {
		if k := (key{a.Cell, a.Outcome}); a.Step == StepAnalysed {
			require.Equal(t, int64(len(values[k])), a.N, "the cells are of those whom the attrition leaves")
		}
	}
	study.CellsOnly = true
	o, err = NewObserver(study, cases)
	require.NoError(t, err)
	o.Add(spells)
	alone, err := o.Cells(context.Background())
	require.NoError(t, err)
	same(t, obs.Cells, alone)
	_, err = o.Observations(context.Background())
	require.ErrorIs(t, err, ErrOutcome)
}

func TestNoCasesNoCells(t *testing.T) {
	study, _, _ := town(0)
	o, err := NewObserver(study, &Cases{})
	require.NoError(t, err)
	obs, err := o.Observations(context.Background())
	require.NoError(t, err)
	assert.Empty(t, obs.Cells)
}
