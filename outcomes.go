package jobeffekt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Kind is a kind of outcome as run files name it.
type Kind string

// The kinds of outcomes.
const (
	KindStateAt    Kind = "state_at"
	KindNotStateAt Kind = "not_in_states_at"
	KindDaysIn     Kind = "days_in"
	KindSustained  Kind = "sustained"
)

// kind is what a run file must and may say of a kind of outcome, and the
// measure that it means.
type kind struct {
	name       Kind
	needs, may []string // keys of Asked
	measure    func(Asked) effect.Measure
}

// kinds lists the kinds. A new one is an entry here, its keys in Asked and given,
// and a measure in effect.
func kinds() []kind {
	stateAt := func(not bool) func(Asked) effect.Measure {
		return func(a Asked) effect.Measure {
			return effect.StateAt{States: effect.States(a.States...), At: *a.At, Not: not}
		}
	}
	return []kind{
		{KindStateAt, []string{"at"}, nil, stateAt(false)},
		{KindNotStateAt, []string{"at"}, nil, stateAt(true)},
		{KindDaysIn, []string{"within"}, []string{"at_least"}, func(a Asked) effect.Measure {
			return effect.DaysIn{States: effect.States(a.States...), Within: *a.Within, AtLeast: a.AtLeast}
		}},
		{KindSustained, []string{"within", "weeks"}, []string{"max_gap"}, func(a Asked) effect.Measure {
			return effect.Sustained{States: effect.States(a.States...), Weeks: a.Weeks, MaxGap: a.MaxGap, Within: *a.Within}
		}},
	}
}

// Names lists the kinds.
func (Kind) Names() []string {
	var out []string
	for _, k := range kinds() {
		out = append(out, string(k.name))
	}
	return out
}

// Asked is an outcome as a run file declares it.
type Asked struct {
	Name    string         `yaml:"name" doc:"name of the outcome, as terms and tables use it"`
	Kind    Kind           `yaml:"kind" doc:"state_at, not_in_states_at, days_in or sustained"`
	States  []effect.State `yaml:"states" doc:"the wanted states"`
	Clock   effect.Clock   `yaml:"clock,omitempty" doc:"what the time counts from: referral (if left out), start or end of the course"`
	At      *effect.Span   `yaml:"at,omitempty" doc:"state_at, not_in_states_at: time from the clock"`
	Within  *effect.Span   `yaml:"within,omitempty" doc:"days_in: the window; sustained: the span within which the run must start"`
	AtLeast int            `yaml:"at_least,omitempty" doc:"days_in: days that make the outcome reached; left out: 1"`
	Weeks   int            `yaml:"weeks,omitempty" doc:"sustained: length of the run"`
	MaxGap  int            `yaml:"max_gap,omitempty" doc:"sustained: longest gap, in days, that joins a run"`
	Better  profile.Better `yaml:"better,omitempty" doc:"what a league table puts first: high (if left out), or low where less is better, as for days on benefit"`
}

// given lists the keys of an outcome that some kinds have and others do not, in
// order, and whether they are given.
func (a Asked) given() []struct {
	key string
	set bool
} {
	return []struct {
		key string
		set bool
	}{
		{"at", a.At != nil}, {"within", a.Within != nil}, {"weeks", a.Weeks != 0}, {"at_least", a.AtLeast != 0}, {"max_gap", a.MaxGap != 0},
	}
}

// outcome is the outcome that is asked for; faults say what keeps it from being
// measured.
func (a Asked) outcome() (out effect.Outcome, faults []string) {
	i := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == a.Kind })
	if i < 0 {
		return out, []string{fmt.Sprintf("there is no kind of outcome %q%s", a.Kind, strict.Suggest(string(a.Kind), a.Kind.Names()))}
	}
	k := kinds()[i]
	for _, g := range a.given() {
		switch needed := slices.Contains(k.needs, g.key); {
		case needed && !g.set:
			faults = append(faults, fmt.Sprintf("a %s outcome needs %s", a.Kind, g.key))
		case g.set && !needed && !slices.Contains(k.may, g.key):
			faults = append(faults, fmt.Sprintf("a %s outcome has no %s", a.Kind, g.key))
		}
	}
	if a.Better != "" && !slices.Contains(a.Better.Names(), string(a.Better)) {
		faults = append(faults, fmt.Sprintf("better is high or low, not %q", string(a.Better)))
	}
	if len(faults) > 0 {
		return out, faults
	}
	out = effect.Outcome{Name: a.Name, Clock: cmp.Or(a.Clock, effect.AtReferral), Measure: k.measure(a)}
	if err := out.Measure.Validate(); err != nil {
		return out, []string{strings.TrimPrefix(err.Error(), effect.ErrOutcome.Error()+": ")}
	}
	return out, nil
}
