package jobeffekt

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
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
	KindShareIn    Kind = "share_in"
	KindWeeksIn    Kind = "weeks_in"
	KindHoursIn    Kind = "hours_in"
	KindEarningsIn Kind = "earnings_in"
	KindSustained  Kind = "sustained"
	KindTimeTo     Kind = "time_to"
	KindRelapse    Kind = "relapse"
	KindNumber     Kind = "number"
)

// What an outcome with a threshold counts.
const (
	CountAmount  Counted = "amount"
	CountReached Counted = "reached"
)

// Counted says what an outcome with a threshold counts: the amount, or 1 for who
// reached the threshold and 0 for who did not.
type Counted string

// Names lists the choices.
func (Counted) Names() []string { return []string{string(CountAmount), string(CountReached)} }

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
		return func(a Asked) effect.Measure { return effect.StateAt{States: a.states(), At: *a.At, Not: not} }
	}
	amountIn := func(of effect.Quantity) func(Asked) effect.Measure {
		return func(a Asked) effect.Measure {
			return effect.AmountIn{States: a.states(), Of: of, Within: *a.Within, AtLeast: a.AtLeast}
		}
	}
	within, threshold := []string{"states", "within"}, []string{"at_least", "count"}
	sustained := func(a Asked) effect.Sustained {
		return effect.Sustained{States: a.states(), Weeks: a.Weeks, MaxGap: a.MaxGap, Within: *a.Within}
	}
	return []kind{
		{KindStateAt, []string{"states", "at"}, nil, stateAt(false)},
		{KindNotStateAt, []string{"states", "at"}, nil, stateAt(true)},
		{KindDaysIn, within, threshold, func(a Asked) effect.Measure {
			return effect.DaysIn{States: a.states(), Within: *a.Within, AtLeast: int(a.AtLeast)}
		}},
		{KindShareIn, within, threshold, func(a Asked) effect.Measure {
			return effect.ShareIn{States: a.states(), Within: *a.Within, AtLeast: a.AtLeast}
		}},
		{KindWeeksIn, within, append([]string{"days", "without", "beside", "dated"}, threshold...), func(a Asked) effect.Measure {
			return effect.WeeksIn{
				States: a.states(), MinDays: a.Days, Without: effect.States(a.Without...), Beside: effect.States(a.Beside...),
				Within: *a.Within, AtLeast: int(a.AtLeast),
			}
		}},
		{KindHoursIn, within, threshold, amountIn(effect.OfHours)},
		{KindEarningsIn, within, threshold, amountIn(effect.OfKroner)},
		{KindSustained, []string{"states", "within", "weeks"}, []string{"max_gap"}, func(a Asked) effect.Measure { return sustained(a) }},
		{KindTimeTo, within, []string{"exits"}, func(a Asked) effect.Measure {
			m := effect.TimeTo{States: a.states(), Within: *a.Within}
			for _, name := range slices.Sorted(maps.Keys(a.Exits)) {
				m.Exits = append(m.Exits, effect.Exit{Name: name, States: effect.States(a.Exits[name]...)})
			}
			return m
		}},
		{KindRelapse, []string{"states", "within", "weeks", "back", "after"}, []string{"max_gap", "days"}, func(a Asked) effect.Measure {
			return effect.Relapse{Run: sustained(a), Back: effect.States(a.Back...), After: *a.After, AtLeast: cmp.Or(a.Days, defaultBackDays)}
		}},
		{KindNumber, []string{"column"}, append([]string{"known_after"}, threshold...), func(a Asked) effect.Measure {
			m := effect.Number{Column: a.Column, AtLeast: a.AtLeast}
			if a.KnownAfter != nil {
				m.KnownAfter = *a.KnownAfter
			}
			return m
		}},
	}
}

// defaultBackDays is how many days back make a relapse, if not said.
const defaultBackDays = 7

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
	Name       string                    `yaml:"name" doc:"name of the outcome, as terms and tables use it"`
	Kind       Kind                      `yaml:"kind" doc:"state_at, not_in_states_at, days_in, share_in, weeks_in, hours_in, earnings_in, sustained, time_to, relapse or number"`
	States     []effect.State            `yaml:"states,omitempty" doc:"the wanted states; every kind but number needs them"`
	Clock      effect.Clock              `yaml:"clock,omitempty" doc:"what the time counts from: referral (if left out), start or end of the course"`
	At         *effect.Span              `yaml:"at,omitempty" doc:"state_at, not_in_states_at: time from the clock"`
	Within     *effect.Span              `yaml:"within,omitempty" doc:"the window; sustained, relapse: the span within which the run must start"`
	AtLeast    float64                   `yaml:"at_least,omitempty" doc:"how much makes the outcome reached, in days, weeks, hours, kroner, as a portion (share_in) or in the number's unit; left out: anything, and of a number 0"`
	Count      Counted                   `yaml:"count,omitempty" doc:"amount (if left out), or reached: 1 for who reached at_least and 0 for who did not"`
	Weeks      int                       `yaml:"weeks,omitempty" doc:"sustained, relapse: length of the run"`
	MaxGap     int                       `yaml:"max_gap,omitempty" doc:"sustained, relapse: longest gap, in days, that joins a run"`
	Days       int                       `yaml:"days,omitempty" doc:"weeks_in: days of a week that must be in the states (left out: 1); relapse: days back that make one (left out: 7)"`
	Without    []effect.State            `yaml:"without,omitempty" doc:"weeks_in: states in which no day of the week may be"`
	Beside     []effect.State            `yaml:"beside,omitempty" doc:"weeks_in: states in which a day of the week must be too"`
	Dated      bool                      `yaml:"dated,omitempty" doc:"weeks_in: true keeps the last day of each week that counts, for terms that pay for weeks, and writes them to outcome_dates.parquet"`
	Exits      map[string][]effect.State `yaml:"exits,omitempty" doc:"time_to: {name: [states]} that end the time otherwise"`
	Back       []effect.State            `yaml:"back,omitempty" doc:"relapse: the states to come back to"`
	After      *effect.Span              `yaml:"after,omitempty" doc:"relapse: the span after the run in which somebody may come back"`
	Column     string                    `yaml:"column,omitempty" doc:"number: numeric column of participations or persons"`
	KnownAfter *effect.Span              `yaml:"known_after,omitempty" doc:"number: time from the clock after which it is known; left out: at once"`
	Better     profile.Better            `yaml:"better,omitempty" doc:"what a league table puts first: high, or low where less is better, as for days on benefit; left out: low for time_to and relapse, high for others"`
}

// text is the definition as the run file has it, without its name.
func (a Asked) text() string {
	var out []string
	v := reflect.ValueOf(a)
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "name" || v.Field(i).IsZero() {
			continue
		}
		x := v.Field(i)
		if x.Kind() == reflect.Pointer {
			x = x.Elem()
		}
		out = append(out, fmt.Sprintf("%s %v", key, x.Interface()))
	}
	return strings.Join(out, ", ")
}

// better is the direction in which the outcome is to be read.
func (a Asked) better() profile.Better {
	if a.Better == "" && (a.Kind == KindTimeTo || a.Kind == KindRelapse) {
		return profile.Low
	}
	return cmp.Or(a.Better, profile.High)
}

func (a Asked) states() effect.StateSet { return effect.States(a.States...) }

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
		{"states", a.States != nil},
		{"at", a.At != nil},
		{"within", a.Within != nil},
		{"weeks", a.Weeks != 0},
		{"at_least", a.AtLeast != 0},
		{"count", a.Count != ""},
		{"max_gap", a.MaxGap != 0},
		{"days", a.Days != 0},
		{"without", a.Without != nil},
		{"beside", a.Beside != nil},
		{"dated", a.Dated},
		{"exits", a.Exits != nil},
		{"back", a.Back != nil},
		{"after", a.After != nil},
		{"column", a.Column != ""},
		{"known_after", a.KnownAfter != nil},
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
	if whole := a.Kind == KindDaysIn || a.Kind == KindWeeksIn; whole && a.AtLeast != math.Trunc(a.AtLeast) {
		faults = append(faults, "at_least must be a whole number of days or weeks")
	}
	if a.Count == CountReached && a.AtLeast == 0 {
		faults = append(faults, "to count who reached the threshold, give at_least")
	}
	if a.Dated && a.Count == CountReached {
		faults = append(faults, "who reached a threshold of weeks is no sum of them: an outcome that is dated counts the weeks")
	}
	if len(faults) > 0 {
		return out, faults
	}
	out = effect.Outcome{Name: a.Name, Clock: cmp.Or(a.Clock, effect.AtReferral), Measure: k.measure(a), Dated: a.Dated}
	if a.Count == CountReached {
		out.Measure = effect.Reaching{Measure: out.Measure}
	}
	if err := out.Measure.Validate(); err != nil {
		return out, []string{strings.TrimPrefix(err.Error(), effect.ErrOutcome.Error()+": ")}
	}
	return out, nil
}

// outcomeNames lists the outcomes that are asked for.
func (c *Config) outcomeNames() []string {
	out := make([]string, len(c.Outcomes))
	for i, a := range c.Outcomes {
		out[i] = a.Name
	}
	return out
}
