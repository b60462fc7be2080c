package effect_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

func observed(t *testing.T) *effect.Observations {
	o := world.Default()
	o.Persons, o.Municipalities = 300, 6
	study := effecttest.Study()
	study.Outcomes = append(study.Outcomes,
		effect.Outcome{Name: "weeks", Measure: effect.WeeksIn{States: effect.Employment, Within: effect.Weeks(52)}, Dated: true},
		effect.Outcome{Name: "time", Measure: effect.TimeTo{States: effect.Employment, Within: effect.Weeks(52)}})
	obs := effecttest.FromWorld(t, o).Observe(t, study)
	obs.Cases.Recorded = &effect.Recorded{MatchScheme: obs.Cases.MatchScheme, MatchGroup: obs.Cases.MatchGroup}
	return obs
}

// Every column of cases and results is taken along, whatever columns there come
// to be: a field with an entry for each case must have one for each drawn case,
// and the right one.
func TestResampleTakesEveryColumn(t *testing.T) {
	obs := observed(t)
	n := obs.Cases.Len()
	require.Greater(t, n, 300)
	lists := [][]int32{{7}, {3, 4}, {7}, {0}}
	rows := []int32{7, 3, 4, 7, 0}
	got := obs.Resample(lists)
	skipped := map[string]bool{"Cases.ID": true, "Cases.Person": true, "Cases.Persons": true, "Cases.Covariates": true, "Cases.Placebo": true}
	columns := 0
	var walk func(path string, was, is reflect.Value)
	walk = func(path string, was, is reflect.Value) {
		switch {
		case skipped[path]:
		case was.Kind() == reflect.Pointer && !was.IsNil():
			require.False(t, is.IsNil(), "%s is not taken along", path)
			if d, ok := was.Interface().(*effect.Dates); ok {
				columns++
				for k, i := range rows {
					assert.Equal(t, d.Of(int(i)), is.Interface().(*effect.Dates).Of(k)[:len(d.Of(int(i))):len(d.Of(int(i)))], path)
				}
				return
			}
			walk(path, was.Elem(), is.Elem())
		case was.Kind() == reflect.Struct:
			for f := range was.NumField() {
				if was.Type().Field(f).IsExported() {
					walk(path+"."+was.Type().Field(f).Name, was.Field(f), is.Field(f))
				}
			}
		case was.Kind() == reflect.Slice && was.Len() == n:
			require.Equal(t, len(rows), is.Len(), "%s is not taken along", path)
			columns++
			for k, i := range rows {
				want, have := was.Index(int(i)).Interface(), is.Index(k).Interface()
				if x, ok := want.(float64); ok && math.IsNaN(x) {
					assert.True(t, math.IsNaN(have.(float64)), path)
					continue
				}
				assert.Equal(t, want, have, path)
			}
		}
	}
	walk("Cases", reflect.ValueOf(obs.Cases), reflect.ValueOf(got.Cases))
	for k := range obs.Results {
		walk("Results."+obs.Results[k].Outcome, reflect.ValueOf(obs.Results[k]), reflect.ValueOf(got.Results[k]))
	}
	assert.Greater(t, columns, 40)
	assert.Equal(t, []int32{0, 1, 1, 2, 3}, got.Cases.Person, "who is drawn twice is two citizens")
	assert.Equal(t, 4, got.Cases.Persons.Len())
	assert.Equal(t, effect.NumberID(5), got.Cases.ID.At(4))
	assert.Equal(t, obs.AsOf, got.AsOf)
	assert.Equal(t, 0, obs.Resample(nil).Cases.Len())
}

// Days move by calendar months and back; what is no day stays none.
func TestMoved(t *testing.T) {
	obs := observed(t)
	ahead := obs.Moved(48)
	assert.Equal(t, effect.NewDate(2014, 6, 30), ahead.AsOf)
	assert.Equal(t, effect.NewDate(2012, 1, 1), ahead.Period.Start)
	assert.Equal(t, effect.NewDate(2013, 1, 1), ahead.Period.End)
	never := 0
	for i, d := range obs.Cases.Start {
		if d == effect.NoDate {
			never++
			assert.Equal(t, effect.NoDate, ahead.Cases.Start[i])
			continue
		}
		assert.Equal(t, d.AddMonths(48), ahead.Cases.Start[i])
	}
	assert.Positive(t, never)
	dated := 0
	for i, on := range obs.Results[2].Dates.On {
		dated++
		assert.Equal(t, on.AddMonths(48), ahead.Results[2].Dates.On[i])
	}
	assert.Positive(t, dated)
	// 29 February is the last day of February elsewhere.
	leap := *obs
	leap.AsOf = effect.NewDate(2008, 2, 29)
	assert.Equal(t, effect.NewDate(2009, 2, 28), leap.Moved(12).AsOf)
	leap.AsOf = effect.NewDate(2009, 6, 30)
	assert.Equal(t, effect.NewDate(2009, 12, 31), leap.Moved(6).AsOf, "the end of a period stays one")
	assert.Equal(t, effect.NewDate(2010, 6, 30), obs.AsOf, "nothing is changed")
}

// At another volume the difference stays, the persons' part of the variance is
// divided and the municipalities' is not. The expected numbers follow from the
// formula of AtVolume by hand.
func TestAtVolume(t *testing.T) {
	e := effect.Estimate{
		Outcome: "x", Unit: effect.UnitShare, Comparators: effect.Peers, Support: effect.SupportOwn,
		Figures:     effect.Figures{N: 41, Observed: 0.5, NCompared: 39, Expected: 0.4, Difference: 0.1, Confidence: 0.95},
		Certificate: effect.Certificate{Persons: 40, NComparators: 200, EffectiveN: 150, MaxWeight: 0.02, Municipalities: 8, VarCell: 0.006, VarComparators: 0.002, Sigma2B: 0.001, VarPeer: 0.003, SumW2: 0.25, Rank: 3},
	}
	same := effect.AtVolume([]effect.Estimate{e}, 1, 30)[0]
	twice := effect.AtVolume([]effect.Estimate{e}, 2, 30)[0]
	assert.InEpsilon(t, math.Sqrt(0.008+0.001*1.25), same.SE, 1e-8)
	assert.InEpsilon(t, math.Sqrt(0.004+0.001*1.25), twice.SE, 1e-8)
	assert.Equal(t, []int64{82, 78, 80, 400, 8}, []int64{twice.N, twice.NCompared, twice.Persons, twice.NComparators, twice.Municipalities})
	assert.InDelta(t, 0.1, twice.Difference, 0)
	assert.InEpsilon(t, 0.01, twice.MaxWeight, 1e-9)
	assert.InEpsilon(t, 0.002, twice.VarPeer, 1e-9, "0.001 + 0.002/2")
	// Satterthwaite by hand: parts 0.003 with 79, 0.001 with 300 - 3 and 0.00125 with 7 x 0.001/0.002 degrees of freedom.
	v := 0.003 + 0.001 + 0.00125
	assert.InEpsilon(t, v*v/(0.003*0.003/79+0.001*0.001/297+0.00125*0.00125/3.5), twice.DF, 1e-8)
	assert.Less(t, twice.High-twice.Low, same.High-same.Low)

	half := effect.AtVolume([]effect.Estimate{e}, 0.5, 30)[0]
	assert.Equal(t, effect.RefusalFewCases, half.Refusal, "20 persons are fewer than 30")
	assert.Equal(t, effect.NotRated, half.Verdict)
	assert.True(t, math.IsNaN(half.SE))
	assert.Equal(t, int64(21), half.N, "20.5 rounds away from zero")
	for _, by := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		assert.Equal(t, effect.RefusalNoCases, effect.AtVolume([]effect.Estimate{e}, by, 30)[0].Refusal)
	}
	assert.Equal(t, int64(41), e.N, "the estimates given are not changed")
}
