package effect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// same compares what holds numbers that are none.
func same(t *testing.T, want, got any) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%#v", want), fmt.Sprintf("%#v", got))
}

// print is all that was observed.
func print(o *Observations) string {
	s := fmt.Sprintf("%v %v %v %v", o.Attrition, o.Cells, *o.Signals, o.Cases.Covariates)
	for _, r := range o.Results {
		s += fmt.Sprintf("%v", r)
	}
	return s + fmt.Sprintf("%v", *o.Cases.Placebo)
}

// unit is some spells, and the persons they may be of.
type unit struct {
	from, to int
	spells   Spells
}

// feed hands units over, several at once, and settles them; with lag, a unit is
// done only some time after its spells.
func feed(o *Observer, units []unit) {
	for _, u := range units {
		o.Expect(u.from, u.to)
	}
	var wg sync.WaitGroup
	next := make(chan unit)
	for range 3 {
		wg.Go(func() {
			for u := range next {
				o.Add(u.spells)
				o.Done(u.from, u.to)
			}
		})
	}
	for _, u := range units {
		next <- u
	}
	close(next)
	wg.Wait()
}

// What is read off does not depend on what is known of the units: nothing, or
// which persons they hold, in whatever order and split.
func TestSettlingEarlyChangesNothing(t *testing.T) {
	const persons = 5000
	study, cases, spells := town(persons)
	plain, err := NewObserver(study, cases)
	require.NoError(t, err)
	plain.Add(spells)
	unseen, untold := plain.Unseen(), plain.Untold()
	want, err := plain.Observations(context.Background())
	require.NoError(t, err)
	require.Positive(t, unseen)
	require.Positive(t, untold)
	require.Equal(t, untold, plain.Untold(), "also once it is read off")
	expected := print(want)

	rng := rand.New(rand.NewPCG(3, 4))
	n := len(spells.Person)
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	split := func(order []int, known bool, most int) (units []unit) {
		for at := 0; at < n; {
			to := min(n, at+1+rng.IntN(most))
			u := unit{0, persons, spells.some(order[at:to])}
			if known {
				u.from, u.to = int(slices.Min(u.spells.Person)), int(slices.Max(u.spells.Person))+1
			}
			units, at = append(units, u), to
		}
		return units
	}
	shuffled := slices.Clone(rows)
	rng.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	backwards := slices.Clone(rows)
	slices.Reverse(backwards)
	for name, units := range map[string][]unit{
		"sorted":             split(rows, true, 3000),
		"small units":        split(rows, true, 50),
		"sorted, untold":     split(rows, false, 3000),
		"shuffled":           split(shuffled, true, 2000),
		"shuffled, small":    split(shuffled, true, 3),
		"backwards":          split(backwards, true, 2500),
		"one unit":           {{0, persons, spells}},
		"none of the others": {{0, 0, spells}},
	} {
		for _, reach := range []Date{NoDate, 1500} {
			study.RegistersReach = reach
			o, err := NewObserver(study, cases)
			require.NoError(t, err)
			if name == "none of the others" {
				o.Add(units[0].spells)
			} else {
				feed(o, units)
			}
			require.Equal(t, unseen, o.Unseen(), name)
			require.Equal(t, untold, o.Untold(), name)
			got, err := o.Observations(context.Background())
			require.NoError(t, err, name)
			if reach == NoDate {
				require.Equal(t, expected, print(got), name)
				continue
			}
			late, err := NewObserver(study, cases)
			require.NoError(t, err)
			late.Add(spells)
			want, err := late.Observations(context.Background())
			require.NoError(t, err)
			require.NotEqual(t, expected, print(want), "the registers' reach tells")
			require.Equal(t, print(want), print(got), name)
		}
	}
}

// Days are held of the persons whose units are read, not of all.
func TestDaysAreGivenBack(t *testing.T) {
	const persons = 20 * blockPersons
	study, cases, spells := town(persons)
	o, err := NewObserver(study, cases)
	require.NoError(t, err)
	var units []unit
	for k := range 20 {
		from, _ := slices.BinarySearch(spells.Person, int32(k)*blockPersons)
		to, _ := slices.BinarySearch(spells.Person, int32(k+1)*blockPersons)
		rows := make([]int, to-from)
		for i := range rows {
			rows[i] = from + i
		}
		units = append(units, unit{k * blockPersons, (k + 1) * blockPersons, spells.some(rows)})
		o.Expect(k*blockPersons, (k+1)*blockPersons)
	}
	for k, u := range units {
		o.Add(u.spells)
		o.Done(u.from, u.to)
		held := 0
		for b := range o.blocks {
			if o.blocks[b].words != nil {
				held++
			}
		}
		if k < 19 {
			require.Zero(t, held)
			require.Len(t, o.spare.words, 1, "the same room serves all")
		}
	}
	_, err = o.Observations(context.Background())
	require.NoError(t, err)
}

// A spell of somebody who was read off is not lost in silence.
func TestASpellThatComesTooLate(t *testing.T) {
	study, cases, spells := town(3000)
	o, err := NewObserver(study, cases)
	require.NoError(t, err)
	o.Expect(0, 1000)
	o.Expect(0, 3000)
	o.Done(0, 1000)
	o.Expect(2000, 3000)
	o.Done(0, 3000)
	o.Add(spells)
	_, err = o.Observations(context.Background())
	assert.ErrorIs(t, err, ErrOutcome)
	_, err = o.Cells(context.Background())
	assert.ErrorIs(t, err, ErrOutcome)
}
