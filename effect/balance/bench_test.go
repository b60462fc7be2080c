package balance_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
)

// study is 300 cells (10 providers in each of 30 municipalities) of 200 cases in
// one match group, with 10 covariates: two of names and eight of numbers, which
// are whole numbers under 4 or draws from a continuum.
func study(whole bool) (*effect.Observations, effect.Design, []string) {
	const providers, each = 10, 200
	municipalities := 30
	if testing.Short() {
		municipalities = 4
	}
	rng := rand.New(rand.NewPCG(7, 8))
	n := municipalities * providers * each
	c := &effect.Cases{}
	r := effect.Result{Outcome: "work", Unit: effect.UnitShare}
	var places, names, sex, school []string
	numbers := make([][]float64, 8)
	for i := range n {
		m, p := i/(providers*each), i/each%providers
		c.ID.Append(effect.NumberID(int64(i)))
		c.Persons.Append(effect.NumberID(int64(i)))
		c.Person = append(c.Person, int32(i))
		c.Referral = append(c.Referral, effect.NewDate(2008, 1, 1))
		places, names = append(places, fmt.Sprintf("m%02d", m)), append(names, fmt.Sprintf("p%02d-%d", m, p))
		sex, school = append(sex, []string{"f", "m"}[rng.IntN(2)]), append(school, []string{"a", "b", "c"}[rng.IntN(3)])
		lift := 0.1 * float64(p%3)
		for k := range numbers {
			v := rng.NormFloat64() + lift
			if whole {
				v = float64(max(0, min(1, int(v+0.5))))
			}
			numbers[k] = append(numbers[k], v)
		}
		r.Complete, r.Followed = append(r.Complete, true), append(r.Followed, true)
		r.Reason, r.Status = append(r.Reason, effect.NoReason), append(r.Status, effect.Reached)
		r.WindowEnd, r.ReachedOn = append(r.WindowEnd, effect.NewDate(2009, 1, 1)), append(r.ReachedOn, effect.NoDate)
		r.Value = append(r.Value, float64(rng.IntN(2)))
	}
	one := make([]string, n)
	for i := range one {
		one[i] = "4"
	}
	c.Municipality, c.Provider = effect.NewFactor(places), effect.NewFactor(names)
	c.MatchScheme, c.MatchGroup = effect.NewFactor(one), effect.NewFactor(one)
	c.Covariates = []effect.Covariate{{Name: "sex", Factor: effect.NewFactor(sex)}, {Name: "school", Factor: effect.NewFactor(school)}}
	covariates := []string{"sex", "school"}
	for k, x := range numbers {
		name := fmt.Sprintf("x%d", k)
		covariates = append(covariates, name)
		c.Covariates = append(c.Covariates, effect.Covariate{Name: name, Number: x})
	}
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{}
	for _, m := range c.Municipality.Levels {
		for _, other := range c.Municipality.Levels {
			if m != other {
				d.Peers[m] = append(d.Peers[m], other)
			}
		}
	}
	return &effect.Observations{AsOf: effect.NewDate(2009, 6, 30), Cases: c, Results: []effect.Result{r}}, d, covariates
}

func BenchmarkCells(b *testing.B) {
	for _, whole := range []bool{true, false} {
		obs, d, covariates := study(whole)
		methods := []effect.Method{balance.Default(covariates...)}
		one := &effect.Comparison{Cases: obs.Cases, Unit: effect.UnitShare, Y: obs.Results[0].Value}
		for i := range int32(obs.Cases.Len()) {
			switch {
			case i < 200:
				one.In = append(one.In, i)
			case i >= 2000:
				one.Out = append(one.Out, i)
			}
		}
		b.Run(fmt.Sprintf("patterns=%t/cells=1", whole), func(b *testing.B) {
			for b.Loop() {
				_, err := methods[0].Expect(context.Background(), one)
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("patterns=%t/cells=%d", whole, 10*len(obs.Cases.Municipality.Levels)), func(b *testing.B) {
			for b.Loop() {
				_, err := effect.Estimates(context.Background(), obs, d, methods)
				require.NoError(b, err)
			}
		})
	}
}
