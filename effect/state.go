package effect

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// State is what a person was doing during a spell: work, a kind of benefit,
// education, gone. Input codes are mapped to these names in the run file.
type State uint8

// The canonical states. Wage-subsidised work is not ordinary employment, and
// education is an outcome of its own.
const (
	OrdinaryEmployment State = iota
	SelfEmployment
	FlexJob
	WageSubsidy
	WorkPlacement
	Offer
	Education
	CashBenefit
	EducationBenefit
	UnemploymentBenefit
	SicknessBenefit
	Rehabilitation
	ResourceCourse
	Leave
	Pension
	SelfSupport
	Emigrated
	Dead
	Ignore // known, and counted for nothing
	numStates
)

var stateNames = [numStates]string{
	"ordinary_employment", "self_employment", "flex_job", "wage_subsidy", "work_placement", "offer", "education",
	"cash_benefit", "education_benefit", "unemployment_benefit", "sickness_benefit", "rehabilitation",
	"resource_course", "leave", "pension", "self_support", "emigrated", "dead", "ignore",
}

// ErrState is wrapped by the error about a name that is no canonical state.
var ErrState = errors.New("effect: unknown state")

// ParseState reads a canonical state's name.
func ParseState(s string) (State, error) {
	for i, name := range stateNames {
		if s == name {
			return State(i), nil
		}
	}
	return Ignore, fmt.Errorf("%w %q: the canonical states are %s", ErrState, s, strings.Join(stateNames[:], ", "))
}

// StateNames lists the canonical states in their fixed order.
func StateNames() []string { return append([]string(nil), stateNames[:]...) }

// String is the state's canonical name.
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Names lists the canonical names.
func (State) Names() []string { return StateNames() }

// MarshalText writes the canonical name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a canonical name.
func (s *State) UnmarshalText(b []byte) error {
	v, err := ParseState(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// StateSet is a set of states.
type StateSet uint32

// Employment is ordinary and self-employment: unsupported work.
// Benefits are the public benefits a citizen can be on while in the target
// group; weeks on each are covariates.
const (
	Employment = StateSet(1<<OrdinaryEmployment | 1<<SelfEmployment)
	Benefits   = StateSet(1<<CashBenefit | 1<<EducationBenefit | 1<<UnemploymentBenefit |
		1<<SicknessBenefit | 1<<Rehabilitation | 1<<ResourceCourse)
)

// States makes a set of the states given.
func States(states ...State) StateSet {
	var set StateSet
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// Has says whether the state is in the set.
func (set StateSet) Has(s State) bool { return set&(1<<s) != 0 }

// List returns the states of the set in their fixed order.
func (set StateSet) List() []State {
	out := make([]State, 0, bits.OnesCount32(uint32(set)))
	for s := range numStates {
		if set.Has(s) {
			out = append(out, s)
		}
	}
	return out
}
