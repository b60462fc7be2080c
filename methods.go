package jobeffekt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/matching"
	"github.com/jobeffekt/jobeffekt/effect/regress"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/effect/weighting"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// MethodName is the name of a method of estimation.
type MethodName string

// The methods.
const (
	Balance      MethodName = "balance"
	Strata       MethodName = "strata"
	Regression   MethodName = "regression"
	Matching     MethodName = "matching"     // for description
	IPW          MethodName = "ipw"          // for description
	AIPW         MethodName = "aipw"         // for description
	Hierarchical MethodName = "hierarchical" // for description
)

// method is a method of estimation as run files name it.
type method struct {
	name  MethodName
	needs string // key of Compare that it cannot do without
	given func(Compare) bool
	make  func(Compare) effect.Method
	// describes says that nothing is ever paid on the method: it is there for
	// comparison with others' practice.
	describes bool
}

// methods lists the methods. A new one is an entry here and a room or file under
// effect.
func methods() []method {
	covariates := func(c Compare) bool { return len(c.Covariates) > 0 }
	return []method{
		{Balance, "covariates", covariates, func(c Compare) effect.Method {
			m := balance.Default(c.Covariates...)
			m.Also = c.Balance.Also
			for _, rung := range c.Balance.Ladder {
				m.Ladder = append(m.Ladder, classes(rung))
			}
			c.limit(&m.MaxUncovered)
			return m
		}, false},
		{Strata, "classes", func(c Compare) bool { return len(c.Classes) > 0 }, func(c Compare) effect.Method {
			m := strata.Default(classes(c.Classes)...)
			c.limit(&m.MaxUncovered)
			return m
		}, false},
		{Regression, "covariates", covariates, func(c Compare) effect.Method {
			m := regress.Default(c.Covariates...)
			m.Firth = c.Firth
			c.limit(&m.MaxUncovered)
			return m
		}, false},
		{Matching, "covariates", covariates, func(c Compare) effect.Method {
			m := matching.Default(c.Covariates...)
			if asked := c.Matching; asked != nil {
				m.Neighbours = cmp.Or(asked.Neighbours, m.Neighbours)
				m.Caliper, m.Exact = asked.Caliper, classes(asked.Exact)
			}
			c.limit(&m.MaxUncovered)
			return m
		}, true},
		{IPW, "covariates", covariates, func(c Compare) effect.Method {
			m := weighting.Default(c.Covariates...)
			c.limit(&m.MaxUncovered)
			return m
		}, true},
		{AIPW, "covariates", covariates, func(c Compare) effect.Method {
			m := weighting.Augmented(c.Covariates...)
			c.limit(&m.MaxUncovered)
			return m
		}, true},
		{Hierarchical, "covariates", covariates, func(c Compare) effect.Method {
			m := hierarchical.Default(c.Covariates...)
			m.Group = cmp.Or(c.Intercepts, m.Group)
			c.limit(&m.MaxUncovered)
			return m
		}, true},
	}
}

// limit sets the share of a cell that may lack comparators, where it is given.
func (c Compare) limit(uncovered *float64) {
	if c.MaxUncovered != nil {
		*uncovered = *c.MaxUncovered
	}
}

// Names lists the methods.
func (MethodName) Names() []string {
	var out []string
	for _, m := range methods() {
		out = append(out, string(m.name))
	}
	return out
}

// chosen are the names of the methods: balance where none is named.
func (c Compare) chosen() []MethodName {
	if len(c.Methods) == 0 {
		return []MethodName{Balance}
	}
	return c.Methods
}

// Methods are the methods of estimation that the configuration names. A name
// that Validate refuses has none.
func (c *Config) Methods() []effect.Method {
	var out []effect.Method
	for _, name := range c.Compare.chosen() {
		for _, m := range methods() {
			if m.name == name {
				out = append(out, m.make(c.Compare))
			}
		}
	}
	return out
}

// maxConfidence is the greatest confidence of an interval: beyond it the tails of
// the distributions are not known well enough.
const maxConfidence = 0.9999

// check finds methods that are not there or lack what they need.
func (c Compare) check(fault func(path, format string, args ...any)) {
	for i, name := range c.chosen() {
		k := slices.IndexFunc(methods(), func(m method) bool { return m.name == name })
		if k < 0 {
			fault(fmt.Sprintf("compare.methods[%d]", i), "there is no method %q%s", name, strict.Suggest(string(name), name.Names()))
		} else if slices.Contains(c.chosen()[:i], name) {
			fault(fmt.Sprintf("compare.methods[%d]", i), "this method stands twice")
		} else if m := methods()[k]; !m.given(c) {
			fault("compare.methods", "%s needs %s", name, m.needs)
		}
	}
	for _, option := range []struct {
		key   string
		given bool
		of    MethodName
	}{
		{"firth", c.Firth, Regression}, {"matching", c.Matching != nil, Matching}, {"intercepts", c.Intercepts != "", Hierarchical},
	} {
		if option.given && !slices.Contains(c.chosen(), option.of) {
			fault("compare."+option.key, "%s is not among the methods", option.of)
		}
	}
	for i, name := range c.Covariates {
		if slices.Contains(c.Covariates[:i], name) {
			fault(fmt.Sprintf("compare.covariates[%d]", i), "this covariate stands twice")
		}
	}
	for i, kind := range c.Also {
		if slices.Contains(c.Also[:i], kind) {
			fault(fmt.Sprintf("compare.also[%d]", i), "these comparators stand twice")
		}
	}
	if c.Confidence != 0 && !(c.Confidence > 0 && c.Confidence <= maxConfidence) {
		fault("compare.confidence", "a confidence lies above 0 and goes up to %v, as 0.95", maxConfidence)
	}
	if c.MinN < 0 || c.MinN == 1 {
		fault("compare.min_n", "the minimum number of cases is 2 or more")
	}
	if s := c.MaxUncovered; s != nil && !(*s >= 0 && *s <= 1) {
		fault("compare.max_uncovered", "a share lies between 0 and 1")
	}
	seen := map[string]bool{}
	for _, at := range c.classified() {
		list := at.path[:strings.LastIndex(at.path, "[")]
		if seen[list+" "+at.Covariate] {
			fault(at.path, "%s stands twice", at.Covariate)
		}
		seen[list+" "+at.Covariate] = true
		if cuts := at.Cuts; !slices.IsSorted(cuts) || len(slices.Compact(slices.Clone(cuts))) < len(cuts) {
			fault(at.path+".cuts", "cuts must ascend")
		}
	}
	c.Balance.check(c, fault)
	if m := c.Matching; m != nil {
		if m.Neighbours < 0 {
			fault("compare.matching.neighbours", "a case has one neighbour or more")
		}
		if !(m.Caliper >= 0) {
			fault("compare.matching.caliper", "a caliper is a number of standard deviations, as 0.2")
		}
	}
}

// check finds what makes no sense in how balance is done.
func (b BalanceOptions) check(c Compare, fault func(path, format string, args ...any)) {
	if len(b.Ladder)+len(b.Also) > 0 && !slices.Contains(c.chosen(), Balance) {
		fault("compare.balance", "balance is not among the methods")
	}
	for i, rung := range b.Ladder {
		if len(rung) == 0 {
			fault(fmt.Sprintf("compare.balance.ladder[%d]", i), "a rung needs a class; the match group alone is always the last rung")
		}
	}
	for i, term := range b.Also {
		if slices.Contains(b.Also[:i], term) {
			fault(fmt.Sprintf("compare.balance.also[%d]", i), "this term stands twice")
		}
	}
}

// placed is a class with its place in the run file.
type placed struct {
	Class
	path string
}

// classified are the classes of all methods.
func (c Compare) classified() []placed {
	var out []placed
	for i, class := range c.Classes {
		out = append(out, placed{class, fmt.Sprintf("compare.classes[%d]", i)})
	}
	for i, rung := range c.Balance.Ladder {
		for k, class := range rung {
			out = append(out, placed{class, fmt.Sprintf("compare.balance.ladder[%d][%d]", i, k)})
		}
	}
	if c.Matching != nil {
		for i, class := range c.Matching.Exact {
			out = append(out, placed{class, fmt.Sprintf("compare.matching.exact[%d]", i)})
		}
	}
	return out
}

// classes are the classes of a method.
func classes(list []Class) []effect.Class {
	var out []effect.Class
	for _, class := range list {
		out = append(out, effect.Class{Covariate: class.Covariate, Cuts: class.Cuts})
	}
	return out
}

// payable splits the methods that the configuration names: those that terms can
// pay on, and those that describe only.
func (c Compare) payable() (pay, describe []string) {
	for _, m := range methods() {
		switch {
		case !slices.Contains(c.chosen(), m.name):
		case m.describes:
			describe = append(describe, string(m.name))
		default:
			pay = append(pay, string(m.name))
		}
	}
	return pay, describe
}
