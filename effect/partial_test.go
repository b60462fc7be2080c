package effect_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
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

// readers are the states, each with something after it.
func readers(states [][]byte) (out []*bufio.Reader) {
	for _, s := range states {
		out = append(out, bufio.NewReader(bytes.NewReader(append(bytes.Clone(s), "what follows"...))))
	}
	return out
}

// atEnd asks that the states were read and no more.
func atEnd(t require.TestingT, rs []*bufio.Reader) {
	for _, r := range rs {
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "what follows", string(rest))
	}
}

func newObserver(t require.TestingT, l life) *effect.Observer {
	o, err := effect.NewObserver(l.study, l.cases)
	require.NoError(t, err)
	return o
}

// summed is what an observer that adds the states sees, and merged the state it makes of them.
func summed(t require.TestingT, l life, states ...[]byte) *effect.Observations {
	o, rs := newObserver(t, l), readers(states)
	require.NoError(t, o.AddStates(context.Background(), rs))
	atEnd(t, rs)
	got, err := o.Observations(context.Background())
	require.NoError(t, err)
	return got
}

func merged(t require.TestingT, l life, states ...[]byte) []byte {
	var b bytes.Buffer
	rs := readers(states)
	require.NoError(t, newObserver(t, l).MergeStates(context.Background(), &b, rs))
	atEnd(t, rs)
	return b.Bytes()
}

func added(l life, states ...[]byte) error {
	o, err := effect.NewObserver(l.study, l.cases)
	if err != nil {
		return err
	}
	return o.AddStates(context.Background(), readers(states))
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
		states = rapid.Permutation(states).Draw(t, "arrival")
		cut := rapid.IntRange(0, len(states)).Draw(t, "tree")
		require.Equal(t, whole, merged(t, l, states...))
		require.Equal(t, whole, merged(t, l, merged(t, l, states[:cut]...), merged(t, l, states[cut:]...)))
		got := summed(t, l, states...)
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
		l.cases.Persons.Append(effect.NumberID(int64(p)))
		for range 1 + r.IntN(2) {
			l.cases.ID.Append(effect.NumberID(int64(l.cases.ID.Len())))
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
	require.True(t, bytes.Equal(whole, merged(t, l, states[2], states[0], states[1])))
	twice := summed(t, l, states[2], states[0], states[1], states[1])
	require.False(t, fmt.Sprint(want.Results) == fmt.Sprint(twice.Results), "hours add up, so that spells that are seen twice show")
	got := summed(t, l, states[2], states[0], states[1])
	require.True(t, fmt.Sprint(want.Results) == fmt.Sprint(got.Results))
	require.Equal(t, want.Signals, got.Signals)

	o := newObserver(t, l)
	require.NoError(t, o.AddStates(context.Background(), readers(states)))
	assert.ErrorIs(t, o.WriteState(io.Discard), effect.ErrPartial, "it was read off")
}

// Persons that are done are written at once, to the same bytes; a spell that comes after is
// an error, as it would be lost.
func TestStateThatIsKept(t *testing.T) {
	l := crowd(5000)
	slices.SortStableFunc(l.spells, func(a, b spell) int { return cmp.Compare(a.person, b.person) })
	whole := stateOf(t, l, l.spells)
	o := newObserver(t, l)
	o.KeepState()
	units := slices.Collect(slices.Chunk(l.spells, 700))
	persons := func(u []spell) (from, to int) { return int(u[0].person), int(u[len(u)-1].person) + 1 }
	for _, u := range units {
		o.Expect(persons(u))
	}
	for _, u := range units {
		add(o, u)
		o.Done(persons(u))
	}
	require.True(t, bytes.Equal(whole, written(t, o)))
	add(o, l.spells[:1])
	assert.ErrorIs(t, o.WriteState(io.Discard), effect.ErrPartial)
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
			c.Persons = effect.GatherIDs(51, func(i int) effect.ID { return effect.NumberID(int64(i)) })
			l.cases = &c
		},
	} {
		other := l
		change(&other)
		var bad *effect.StateError
		require.ErrorAs(t, added(other, stateOf(t, other, nil), state), &bad, name)
		assert.Equal(t, 1, bad.State)
		assert.ErrorIs(t, bad, effect.ErrPartial)
	}
	for n := range state {
		require.ErrorIs(t, newObserver(t, l).AddStates(context.Background(), []*bufio.Reader{bufio.NewReader(bytes.NewReader(state[:n]))}), effect.ErrPartial, "cut to %d bytes", n)
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
		var b bytes.Buffer
		state := append(bytes.Clone(head), rest...)
		err := newObserver(t, l).MergeStates(context.Background(), &b, []*bufio.Reader{bufio.NewReader(bytes.NewReader(state))})
		if err != nil {
			require.ErrorIs(t, err, effect.ErrPartial)
			require.Error(t, added(l, state))
			return
		}
		// What was taken comes back the same.
		require.NoError(t, added(l, state))
		require.True(t, bytes.Equal(b.Bytes(), merged(t, l, b.Bytes())))
	})
}
