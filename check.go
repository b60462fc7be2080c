package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// check finds values that make no sense or contradict each other.
func (c *Config) check(fault func(path, format string, args ...any)) {
	if len(c.Outcomes) == 0 || c.AsOf == effect.NoDate {
		fault("", "as_of and outcomes must be given")
	}
	c.Cohort.check(fault)
	names := map[string]bool{}
	for i, a := range c.Outcomes {
		at := fmt.Sprintf("outcomes[%d]", i)
		if names[a.Name] {
			fault(at+".name", "another outcome has this name")
		}
		names[a.Name] = true
		if of, placebo := effect.PlaceboOf(a.Name); placebo {
			fault(at+".name", "the placebo of an outcome %q is named so, and is told where effects are not; choose another name", of)
		}
		if c.Blinded && a.Kind == KindRelapse {
			fault(at+".kind", "a blinded run cannot have a relapse: who can relapse tells who reached the outcome before it; leave it out of that run")
		}
		_, faults := a.outcome()
		for _, f := range faults {
			fault(at, "%s", f)
		}
	}
	c.checkAreas(fault)
	if c.Peers != nil {
		c.Peers.check(fault)
	}
	c.checkMerged(fault)
	c.checkMunicipalities(fault)
	c.Compare.check(fault)
	c.checkCrosswalk(fault)
	if p := c.Input.Pseudonyms; p != nil {
		p.check(fault)
	}
	c.checkWatch(fault)
	if s := c.Input.MaxRejectShare; s != nil && !(*s >= 0 && *s <= 1) {
		fault("input.max_reject_share", "a share lies between 0 and 1")
	}
	if len(c.Terms) > 0 && c.Cohort.Take == effect.TakeLast {
		fault("cohort.take", "a citizen's last participation is never paid on: those who fail are referred again; it is for description, without terms")
	}
	c.checkHistory(fault)
	c.checkViews(fault)
	c.checkSpending(fault)
	c.checkSensitivity(fault)
	c.checkRankings(fault)
	c.checkBeforeAfter(fault)
	c.checkDisclosure(fault)
	numbers := append(c.history().Names(), "age")
	for _, class := range c.Compare.classified() {
		if len(class.Cuts) == 0 && class.Covariate != effect.ReferralQuarter && class.Covariate != effect.ReferralMonth && slices.Contains(numbers, class.Covariate) {
			fault(class.path, "%s is a number: give the cuts of its classes, as in cuts: [30, 50]", class.Covariate)
		}
	}
}

func (c Cohort) check(fault func(path, format string, args ...any)) {
	switch {
	case (c.Period.Name != "") == (c.From != nil || c.To != nil), (c.From == nil) != (c.To == nil):
		fault("cohort", "give either a period, or both from and to")
	case c.From != nil && *c.From >= *c.To:
		fault("cohort", "to must come after from")
	}
}

// maxWeeks is the longest window before referral.
const maxWeeks = 5200

func (c *Config) checkHistory(fault func(path, format string, args ...any)) {
	if p := c.placebo(); p < 0 || p > 520 {
		fault("history.placebo", "give 0 to 520 weeks; 0 turns it off")
	}
	h := c.history()
	for i, weeks := range h.Weeks {
		at := fmt.Sprintf("history.weeks[%d]", i)
		if weeks < 1 || weeks > maxWeeks {
			fault(at, "a window is 1 to %d weeks long", maxWeeks)
		}
		if slices.Contains(h.Weeks[:i], weeks) {
			fault(at, "this window stands twice")
		}
	}
	if h.ElapsedMax < 0 || h.ElapsedMax > maxWeeks {
		fault("history.elapsed_max", "give 0 to %d weeks; 0 turns it off", maxWeeks)
	}
	if h.ElapsedGap < 0 {
		fault("history.elapsed_gap", "a break is 0 days or longer")
	}
}

// Check validates everything that can be validated without computing: the run
// file, the terms and what they need, and the columns of the dataset. It returns
// every fault found.
func Check(ctx context.Context, c *Config) error {
	if err := errors.Join(c.Validate(), c.checkFolders()); err != nil {
		return err
	}
	terms, err := c.LoadTerms()
	if err == nil {
		err = c.checkTerms(terms)
	}
	data, open := c.OpenData(ctx)
	if open != nil {
		return errors.Join(err, open)
	}
	err = errors.Join(err, data.Check(ctx), c.checkTables(data))
	if err == nil && c.choosesPeers() {
		conditions, read := c.conditions(ctx, data, c.Peers.Year)
		if err = read; err == nil {
			err = c.checkConditions(conditions)
		}
	}
	if b := c.BeforeAfter; err == nil && b != nil && len(b.Conditions) > 0 {
		conditions, read := c.conditions(ctx, data, b.Year)
		if err = read; err == nil {
			err = checkColumns(conditions, b.Year, b.Conditions)
		}
	}
	if c.Peers != nil && c.Peers.Recorded != "" {
		_, read := c.latestChoice()
		err = errors.Join(err, read)
	}
	if err == nil {
		_, err = c.rank(ctx, data) // a few hundred rows tell all that can be wrong with it
	}
	return err
}

// checkTables says which tables the run file needs and the dataset lacks.
func (c *Config) checkTables(data *ingest.Dataset) error {
	var errs []error
	need := func(table, why string) {
		if !data.Has(table) {
			errs = append(errs, fmt.Errorf("%w: the dataset has no table %s, which is needed for %s", ErrConfig, table, why))
		}
	}
	need(ingest.Participations, "every job")
	need(ingest.Spells, "every job")
	if c.choosesPeers() {
		need(ingest.Municipalities, "choosing peers by framework conditions")
	}
	if len(c.Rankings) > 0 {
		need(ingest.Municipalities, "ranking municipalities")
	}
	if c.Spending != nil {
		need(ingest.Spend, "spending")
	}
	if c.BeforeAfter != nil && len(c.BeforeAfter.Conditions) > 0 {
		need(ingest.Municipalities, "adjusting before and after for framework conditions")
	}
	if c.controls() {
		need(ingest.Caseload, "comparing with people without an offer")
	}
	return errors.Join(errs...)
}

// twice finds names that a list has more than once.
func twice[T ~string](fault func(path, format string, args ...any), path string, list []T) {
	for i, name := range list {
		if slices.Contains(list[:i], name) {
			fault(fmt.Sprintf("%s[%d]", path, i), "%s stands twice", name)
		}
	}
}
