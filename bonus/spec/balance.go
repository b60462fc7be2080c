package spec

import (
	"cmp"

	"github.com/jobeffekt/jobeffekt/bonus"
)

// Balance is a [bonus.Balance]: what a provider owes, which limits carry forward.
type Balance struct {
	Provider  string     `yaml:"provider,omitempty" doc:"provider; that of the key case if left out"`
	Agreement string     `yaml:"agreement,omitempty" doc:"agreement; that of the terms if left out"`
	Amount    *bonus.Ore `yaml:"amount" doc:"kroner, below 0: the provider owes it"`
}

// opening are balances as facts.
func opening(list []Balance, base Case) (out []bonus.Balance) {
	for _, b := range list {
		out = append(out, bonus.Balance{Agreement: cmp.Or(b.Agreement, base.Agreement), Provider: cmp.Or(b.Provider, base.Provider), Amount: *b.Amount})
	}
	return out
}

// carried compares what is carried on, where any is expected.
func (x *Scenario) carried(s *bonus.Settlement) *sheet {
	t := &sheet{title: "carried", columns: []string{"provider", "agreement", "amount"}, otherwise: x.Expect.Some}
	if len(x.Expect.Carried) == 0 {
		return t
	}
	for _, b := range x.Expect.Carried {
		t.want = append(t.want, []string{b.Provider, b.Agreement, optional(b.Amount)})
	}
	for _, b := range s.Carried {
		t.got = append(t.got, []string{b.Provider, b.Agreement, b.Amount.String()})
	}
	return t
}
