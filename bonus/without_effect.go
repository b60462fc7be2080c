package bonus

import (
	"math"
	"strconv"

	"github.com/jobeffekt/jobeffekt/effect"
)

// The notes of an effect line that say what it would pay without effect.
const (
	noteChanceWithout = "if the provider had no effect: chance of being paid all the same, before gate and limit"
	noteAmountWithout = "if the provider had no effect: mean amount paid, before gate and limit"
)

// Without says what an effect clause would pay a provider without any effect.
type Without struct {
	Agreement, Clause, Provider string
	Lines                       int64   // of the clause, for the provider
	Told                        int64   // of them, those with a figure that tells it
	Chance                      float64 // that one or more of them pay, were they independent of each other; before gates and limits
	Amount                      float64 // mean amount of all of them, in kroner, before gates, limits and rounding
}

// WithoutEffect adds up what the effect lines of the settlement say of a provider
// without any effect (see [Clause.WithoutEffect]), by clause and provider in the order of
// the lines. With the chances p of the lines,
//
//	Chance = 1 - product of (1 - p),   Amount = sum of the means
//
// over the lines that tell them. Both are NaN where none does, and Amount also
// where one of them has no finite mean. It needs Lines and Steps alone.
func (s *Settlement) WithoutEffect() []Without {
	type key struct{ agreement, clause, provider string }
	keys := map[string]key{}
	for i := range s.Lines {
		keys[s.Lines[i].ID] = key{s.Lines[i].Agreement, s.Lines[i].Clause, s.Lines[i].Provider}
	}
	var out []Without
	at := map[key]int{}
	for _, step := range s.Steps {
		if step.What != noteChanceWithout && step.What != noteAmountWithout {
			continue
		}
		k := keys[step.Line]
		if _, ok := at[k]; !ok {
			at[k] = len(out)
			out = append(out, Without{Agreement: k.agreement, Clause: k.clause, Provider: k.provider, Chance: 1})
		}
		w := &out[at[k]]
		x, err := strconv.ParseFloat(step.Value, 64)
		switch {
		case step.What == noteChanceWithout && err != nil:
			w.Lines++
		case step.What == noteChanceWithout:
			w.Lines++
			w.Told++
			w.Chance *= 1 - x // none of them pays
		case err == nil:
			w.Amount += x
		case w.Told > 0 && w.Told == w.Lines: // a chance without a mean
			w.Amount = math.NaN()
		}
	}
	for i := range out {
		w := &out[i]
		w.Chance, w.Amount = effect.Round(1-w.Chance), effect.Round(w.Amount)
		if w.Told == 0 {
			w.Chance, w.Amount = math.NaN(), math.NaN()
		}
	}
	return out
}
