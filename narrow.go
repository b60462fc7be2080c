package jobeffekt

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jobeffekt/jobeffekt/ingest"
)

// checkMunicipalities finds faults in cohort.municipalities, and what needs the
// citizens of other municipalities.
func (c *Config) checkMunicipalities(fault func(path, format string, args ...any)) {
	chosen := c.Cohort.Municipalities
	if len(chosen) == 0 {
		return
	}
	for i, m := range chosen {
		at := fmt.Sprintf("cohort.municipalities[%d]", i)
		switch a := c.inArea(m); {
		case m == "":
			fault(at, "a municipality needs a name")
		case slices.Contains(chosen[:i], m):
			fault(at, "municipality %s stands twice", m)
		case a != "":
			fault(at, "municipality %s is in area %s; name the area", m, a)
		}
	}
	within := func(at, m string) {
		if !slices.Contains(chosen, m) {
			fault(at, "%s is not in cohort.municipalities, so that its citizens are not read", m)
		}
	}
	if p := c.Peers; p != nil {
		if len(p.List) == 0 {
			fault("peers", "with cohort.municipalities peers cannot be chosen, as the citizens of others are not read: list them (peers.list) with all in cohort.municipalities, or leave one of the two keys out")
		}
		for _, m := range slices.Sorted(maps.Keys(p.List)) {
			within("peers.list."+m, m)
			for i, other := range p.List[m] {
				within(fmt.Sprintf("peers.list.%s[%d]", m, i), other)
			}
		}
	}
	if b := c.BeforeAfter; b != nil {
		if len(b.Among) == 0 {
			fault("before_after", "with cohort.municipalities say which municipalities are compared with (before_after.among), all of them in cohort.municipalities, or leave one of the two keys out")
		}
		for _, m := range slices.Sorted(maps.Keys(b.Since)) {
			within("before_after.since."+m, m)
		}
		for i, m := range b.Among {
			within(fmt.Sprintf("before_after.among[%d]", i), m)
		}
	}
}

// municipalities are those of the cohort as the tables name them: of an area its
// members. nil means all.
func (c *Config) municipalities() (out []string) {
	for _, m := range c.Cohort.Municipalities {
		if members, area := c.Areas[m]; area {
			out = append(out, members...)
		} else {
			out = append(out, m)
		}
	}
	return out
}

// chosen says whether the citizens of a municipality, or area, are read.
func (c *Config) chosen(m string) bool {
	return len(c.Cohort.Municipalities) == 0 || slices.Contains(c.Cohort.Municipalities, m)
}

// checkChosen finds municipalities of the cohort that no participation has. named
// are those of the participations, with areas in place of their members.
func (c *Config) checkChosen(named []string) error {
	var errs []error
	for i, m := range c.Cohort.Municipalities {
		if !slices.Contains(named, m) {
			errs = append(errs, fmt.Errorf("%w: cohort.municipalities[%d]: no participation that can be read in table %s is of %s; give it as the table has it", ErrConfig, i, ingest.Participations, m))
		}
	}
	return errors.Join(errs...)
}
