package effect_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// stateOf is what an observer of the life writes of the spells.
func stateOf(t require.TestingT, l life, spells []spell) []byte {
	o, err := effect.NewObserver(l.study, l.cases)
	require.NoError(t, err)
	add(o, spells)
	return written(t, o)
}

func written(t require.TestingT, o *effect.Observer) []byte {
	var b bytes.Buffer
	require.NoError(t, o.WriteState(&b))
	return b.Bytes()
}

func addState(o *effect.Observer, states ...[]byte) error {
	var errs []error
	for _, s := range states {
		r := bufio.NewReader(bytes.NewReader(append(bytes.Clone(s), "what follows"...)))
		err := o.AddState(r)
		if err == nil {
			if rest, _ := r.Peek(4); string(rest) != "what" {
				err = errors.New("more or less was read than was written")
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// However the spells are split, the states add up to what one observer of all sees
// and writes; a state added to nothing is itself.
func TestStatesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t)
		want, whole := observe(t, l, l.spells), stateOf(t, l, l.spells)
		pieces := make([][]spell, rapid.IntRange(1, 4).Draw(t, "pieces"))
		for _, s := range l.spells {
			k := rapid.IntRange(0, len(pieces)-1).Draw(t, "piece")
			pieces[k] = append(pieces[k], s)
		}
		var states [][]byte
		for _, p := range pieces {
			states = append(states, stateOf(t, l, rapid.Permutation(p).Draw(t, "order")))
		}
		o, err := effect.NewObserver(l.study, l.cases)
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "begun") { // one piece is seen here, the others come from elsewhere
			add(o, pieces[0])
			states = states[1:]
		}
		require.NoError(t, addState(o, rapid.Permutation(states).Draw(t, "arrival")...))
		require.Equal(t, whole, written(t, o))
		assert.Equal(t, len(whole), len(written(t, o)))
		got, err := o.Observations(context.Background())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(want.Results, want.Cases.Covariates, want.Attrition), fmt.Sprint(got.Results, got.Cases.Covariates, got.Attrition))
		require.Equal(t, want.Signals, got.Signals)
	})
}

// crowd is a life of many persons, so that blocks of them meet; every third has no
// spell.
func crowd(persons int) life {
	r := rand.New(rand.NewPCG(1, 2))
	l := life{cases: &effect.Cases{}, study: effect.Study{
		AsOf: 900, RegistersReach: effect.NoDate, Outcomes: outcomes()[:19], Signals: true,
		Cohort:  effect.Cohort{Period: effect.Period{Start: -600, End: 600}, Take: effect.TakeEach},
		History: effect.History{Weeks: []int{4}},
	}}
	var places []string
	for p := range persons {
		l.cases.Persons = append(l.cases.Persons, effect.NumberID(int64(p)))
		for range 1 + r.IntN(2) {
			l.cases.ID = append(l.cases.ID, effect.NumberID(int64(len(l.cases.ID))))
			l.cases.Person = append(l.cases.Person, int32(p))
			l.cases.Referral = append(l.cases.Referral, effect.Date(r.IntN(1000)-400))
			places = append(places, "1")
		}
		if p%3 == 0 {
			continue
		}
		for range 1 + r.IntN(4) {
			from := effect.Date(r.IntN(1200) - 600)
			state := []effect.State{effect.OrdinaryEmployment, effect.CashBenefit, effect.Emigrated, effect.Dead}[min(3, r.IntN(40)/13)]
			l.spells = append(l.spells, spell{int32(p), state, from, from + effect.Date(r.IntN(300)), 20 + float64(r.IntN(20)), float64(r.IntN(100_000)), -1})
		}
	}
	l.cases.Start, l.cases.End = l.cases.Referral, l.cases.Referral
	l.cases.Municipality, l.cases.MatchScheme, l.cases.MatchGroup = effect.NewFactor(places), effect.NewFactor(places), effect.NewFactor(places)
	l.cases.Provider = effect.NewFactor(places)
	return l
}

func TestStatesOfManyPersons(t *testing.T) {
	l := crowd(5000)
	want, whole := observe(t, l, l.spells), stateOf(t, l, l.spells)
	few := stateOf(t, l, l.spells[:5])
	assert.Less(t, len(few), 2000, "a state of a few spells is small, whatever the cohort")
	var states [][]byte
	for k := range 3 {
		var piece []spell
		for i := k; i < len(l.spells); i += 3 {
			piece = append(piece, l.spells[i])
		}
		states = append(states, stateOf(t, l, piece))
	}
	o, err := effect.NewObserver(l.study, l.cases)
	require.NoError(t, err)
	require.NoError(t, addState(o, states[2], states[0], states[1]))
	require.True(t, bytes.Equal(whole, written(t, o)))
	got, err := o.Observations(context.Background())
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(want.Results), fmt.Sprint(got.Results))
	assert.Equal(t, want.Signals, got.Signals)
}

func TestStateOfSomethingElse(t *testing.T) {
	l := crowd(50)
	state := stateOf(t, l, l.spells)
	for name, change := range map[string]func(*life){
		"as_of":    func(l *life) { l.study.AsOf++ },
		"outcomes": func(l *life) { l.study.Outcomes = l.study.Outcomes[:3] },
		"history":  func(l *life) { l.study.History = effect.History{} },
		"cohort":   func(l *life) { l.study.Cohort.Period.End = 100 },
		"days": func(l *life) {
			c := *l.cases
			c.Referral = append([]effect.Date{c.Referral[0] + 1}, c.Referral[1:]...)
			l.cases = &c
		},
		"persons": func(l *life) {
			c := *l.cases
			c.Persons = append(c.Persons, effect.NumberID(1e6))
			l.cases = &c
		},
	} {
		other := l
		change(&other)
		o, err := effect.NewObserver(other.study, other.cases)
		require.NoError(t, err)
		assert.ErrorIs(t, addState(o, state), effect.ErrPartial, name)
	}
	for n := range state {
		o, err := effect.NewObserver(l.study, l.cases)
		require.NoError(t, err)
		require.ErrorIs(t, o.AddState(bufio.NewReader(bytes.NewReader(state[:n]))), effect.ErrPartial, "cut to %d bytes", n)
	}
}

// Whatever the bytes, a state is refused or added: nothing panics, and no memory
// is taken on a claim.
func FuzzState(f *testing.F) {
	l := crowd(6)
	whole := stateOf(f, l, l.spells)
	head := whole[:32]
	f.Add(whole[32:])
	f.Add(stateOf(f, l, nil)[32:])
	f.Add([]byte{0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, rest []byte) {
		o, err := effect.NewObserver(l.study, l.cases)
		require.NoError(t, err)
		if err := o.AddState(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), rest...)))); err != nil {
			require.ErrorIs(t, err, effect.ErrPartial)
			return
		}
		// What was taken can be written, and comes back the same.
		again, err := effect.NewObserver(l.study, l.cases)
		require.NoError(t, err)
		state := written(t, o)
		require.NoError(t, addState(again, state))
		require.True(t, bytes.Equal(state, written(t, again)))
	})
}
