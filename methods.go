package jobeffekt

import (
	"fmt"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/regress"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// MethodName is the name of a method of estimation.
type MethodName string

// The methods.
const (
	Strata     MethodName = "strata"
	Regression MethodName = "regression"
)

// method is a method of estimation as run files name it.
type method struct {
	name  MethodName
	needs string // key of Compare that it cannot do without
	given func(Compare) bool
	make  func(Compare) effect.Method
}

// methods lists the methods. A new one is an entry here and a room or file under
// effect.
func methods() []method {
	return []method{
		{Strata, "classes", func(c Compare) bool { return len(c.Classes) > 0 }, func(c Compare) effect.Method {
			m := strata.Default(c.classes()...)
			if c.MaxUncovered != nil {
				m.MaxUncovered = *c.MaxUncovered
			}
			return m
		}},
		{Regression, "covariates", func(c Compare) bool { return len(c.Covariates) > 0 }, func(c Compare) effect.Method {
			m := regress.Default(c.Covariates...)
			if c.MaxUncovered != nil {
				m.MaxUncovered = *c.MaxUncovered
			}
			return m
		}},
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

// Methods are the methods of estimation that the configuration names. A name
// that Validate refuses has none.
func (c *Config) Methods() []effect.Method {
	var out []effect.Method
	for _, name := range c.Compare.Methods {
		for _, m := range methods() {
			if m.name == name {
				out = append(out, m.make(c.Compare))
			}
		}
	}
	return out
}

// check finds methods that are not there or lack what they need.
func (c Compare) check(fault func(path, format string, args ...any)) {
	for i, name := range c.Methods {
		k := slices.IndexFunc(methods(), func(m method) bool { return m.name == name })
		if k < 0 {
			fault(fmt.Sprintf("compare.methods[%d]", i), "there is no method %q%s", name, strict.Suggest(string(name), name.Names()))
		} else if m := methods()[k]; !m.given(c) {
			fault("compare.methods", "%s needs %s", name, m.needs)
		}
	}
	for i, kind := range c.Also {
		if slices.Contains(c.Also[:i], kind) {
			fault(fmt.Sprintf("compare.also[%d]", i), "these comparators stand twice")
		}
	}
	if c.Confidence != 0 && !(c.Confidence > 0 && c.Confidence < 1) {
		fault("compare.confidence", "a confidence lies between 0 and 1, as 0.95")
	}
	if c.MinN < 0 || c.MinN == 1 {
		fault("compare.min_n", "the minimum number of cases is 2 or more")
	}
	if s := c.MaxUncovered; s != nil && !(*s >= 0 && *s <= 1) {
		fault("compare.max_uncovered", "a share lies between 0 and 1")
	}
	for i, class := range c.Classes {
		if !slices.IsSorted(class.Cuts) || len(slices.Compact(slices.Clone(class.Cuts))) < len(class.Cuts) {
			fault(fmt.Sprintf("compare.classes[%d].cuts", i), "cuts must ascend")
		}
	}
}

// classes are the classes of the strata method.
func (c Compare) classes() []effect.Class {
	var out []effect.Class
	for _, class := range c.Classes {
		out = append(out, effect.Class{Covariate: class.Covariate, Cuts: class.Cuts})
	}
	return out
}
