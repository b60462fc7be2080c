package spec

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Case is a participation, or many alike. A value of none is missing in the
// data. What is left out is that of the key case of the spec, and else what
// stands in brackets.
type Case struct {
	ID           string   `yaml:"case,omitempty" doc:"name of the case, as participation_id"`
	Times        *int     `yaml:"times,omitempty" doc:"how many cases are like this one, named NAME-1, NAME-2, ..., each a citizen of its own (1)"`
	Person       string   `yaml:"person,omitempty" doc:"citizen (one of its own for each case)"`
	Municipality string   `yaml:"municipality,omitempty" doc:"municipality responsible at referral (Byen)"`
	MatchScheme  string   `yaml:"match_scheme,omitempty" doc:"numbering of the match group (that of the terms)"`
	MatchGroup   string   `yaml:"match_group,omitempty" doc:"match group at referral (1)"`
	Provider     string   `yaml:"provider,omitempty" doc:"provider (north)"`
	Agreement    string   `yaml:"agreement,omitempty" doc:"agreement (that of the terms)"`
	Package      string   `yaml:"package,omitempty" doc:"offer package (the first of the terms)"`
	Channel      string   `yaml:"channel,omitempty" doc:"provider, own or in_house_bid (provider)"`
	Role         string   `yaml:"role,omitempty" doc:"delivery or authority (delivery)"`
	Referral     *Day     `yaml:"referral,omitempty" doc:"day of referral (the first of the agreement)"`
	Start        *Day     `yaml:"start,omitempty" doc:"first day of the course (none)"`
	End          *Day     `yaml:"end,omitempty" doc:"first day after the course (none)"`
	Outside      *Outside `yaml:"outside,omitempty" doc:"why the case is none of the cohort's: outside_period, not_first or not_last"`
	// Outcomes that are left out have a window that is over and were not reached.
	Outcomes map[string]Observed `yaml:"outcomes,omitempty" doc:"what became of each outcome; one that is left out was not reached, and its window is over"`
}

// Observed is what became of one outcome of a case.
type Observed struct {
	On     *effect.Date `yaml:"on,omitempty" doc:"day on which it was reached"`
	Status Status       `yaml:"status,omitempty" doc:"reached, not_reached, pending, left or excluded; if left out reached where a day is given, and else not_reached"`
	Reason Reason       `yaml:"reason,omitempty" doc:"of excluded: no_clock, no_value or not_at_risk"`
	Value  *float64     `yaml:"value,omitempty" doc:"what the outcome counts; if left out 1 where it was reached and 0 where not"`
	Window *effect.Date `yaml:"window_end,omitempty" doc:"first day after the window; if left out as_of, so that the window is over; after as_of it is open"`
	// Weeks are those of an outcome in weeks, which are then dated.
	Weeks    []Weeks `yaml:"weeks,omitempty" doc:"of an outcome in weeks: the weeks that count, in order; value is then their number"`
	Followed *bool   `yaml:"followed,omitempty" doc:"false: the registers do not know the citizen or do not reach so far; true if left out"`
}

// Weeks are weeks in a row that count.
type Weeks struct {
	Ends  effect.Date `yaml:"ends" doc:"last day of the first week"`
	Times *int        `yaml:"times,omitempty" doc:"how many weeks in a row (1)"`
}

// days are the last days of the weeks, up to as_of.
func (o Observed) days(asOf effect.Date) (out []effect.Date) {
	for _, w := range o.Weeks {
		n := 1
		if w.Times != nil {
			n = *w.Times
		}
		for k := range n {
			if on := w.Ends + effect.Date(7*k); on <= asOf {
				out = append(out, on)
			}
		}
	}
	return out
}

// Status is the name of an [effect.Status].
type Status string

// Names lists the statuses.
func (Status) Names() []string {
	var out []string
	for s := effect.Excluded; s <= effect.Left; s++ {
		out = append(out, s.String())
	}
	return out
}

// Reason is why an outcome of a case is not measured.
type Reason string

// Names lists the reasons.
func (Reason) Names() []string {
	return []string{effect.ReasonNoClock.String(), effect.ReasonNoValue.String(), effect.ReasonNotAtRisk.String()}
}

// Outside is why a case is none of the cohort's.
type Outside string

// Names lists the reasons.
func (Outside) Names() []string {
	return []string{effect.ReasonOutsidePeriod.String(), effect.ReasonNotFirst.String(), effect.ReasonNotLast.String()}
}

// over is the case with what it leaves out taken from another.
func (c Case) over(from Case) Case {
	text := func(own, other string) string { return cmp.Or(own, other) }
	c.Person, c.Municipality = text(c.Person, from.Person), text(c.Municipality, from.Municipality)
	c.MatchScheme, c.MatchGroup = text(c.MatchScheme, from.MatchScheme), text(c.MatchGroup, from.MatchGroup)
	c.Provider, c.Agreement, c.Package = text(c.Provider, from.Provider), text(c.Agreement, from.Agreement), text(c.Package, from.Package)
	c.Channel, c.Role = text(c.Channel, from.Channel), text(c.Role, from.Role)
	c.Times, c.Outside = cmp.Or(c.Times, from.Times), cmp.Or(c.Outside, from.Outside)
	c.Referral, c.Start, c.End = cmp.Or(c.Referral, from.Referral), cmp.Or(c.Start, from.Start), cmp.Or(c.End, from.End)
	outcomes := maps.Clone(from.Outcomes)
	if outcomes == nil {
		outcomes = map[string]Observed{}
	}
	maps.Copy(outcomes, c.Outcomes)
	c.Outcomes = outcomes
	return c
}

// defaults is what a case has of which neither it nor the spec says anything.
func defaults(t *bonus.Terms) Case {
	once := 1
	return Case{
		Municipality: "Byen", MatchScheme: t.MatchScheme, MatchGroup: "1", Provider: "north", Agreement: t.Agreement,
		Package: t.Packages[0].ID, Channel: effect.ChannelProvider, Role: "delivery", Times: &once,
		Referral: &Day{t.Starts}, Start: &Day{effect.NoDate}, End: &Day{effect.NoDate},
	}
}

// cases are the scenario's cases one by one, in the order of their ids.
func (s *Spec) cases(x *Scenario, t *bonus.Terms) []Case {
	base := defaults(t)
	if s.Case != nil {
		base = s.Case.over(base)
	}
	var out []Case
	for _, c := range x.Given.Cases {
		c = c.over(base)
		id, person := c.ID, c.Person
		for i := range *c.Times {
			if *c.Times > 1 {
				c.ID = fmt.Sprintf("%s-%d", id, i+1)
			}
			c.Person = cmp.Or(person, "citizen of "+c.ID)
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Case) int { return effect.TextID(a.ID).Compare(effect.TextID(b.ID)) })
	return out
}

// observe makes observations of cases, which are in the order of their ids.
func (s *Spec) observe(x *Scenario, list []Case) *effect.Observations {
	column := func(get func(*Case) string) effect.Factor {
		names := make([]string, len(list))
		for i := range list {
			if v := get(&list[i]); v != None {
				names[i] = v
			}
		}
		return effect.NewFactor(names)
	}
	person := column(func(c *Case) string { return c.Person })
	cases := &effect.Cases{
		Person:       person.Codes,
		Municipality: column(func(c *Case) string { return c.Municipality }),
		MatchScheme:  column(func(c *Case) string { return c.MatchScheme }),
		MatchGroup:   column(func(c *Case) string { return c.MatchGroup }),
		Provider:     column(func(c *Case) string { return c.Provider }),
		Agreement:    column(func(c *Case) string { return c.Agreement }),
		Package:      column(func(c *Case) string { return c.Package }),
		Channel:      column(func(c *Case) string { return c.Channel }),
		Role:         column(func(c *Case) string { return c.Role }),
	}
	for _, p := range person.Levels {
		cases.Persons.Append(effect.TextID(p))
	}
	for _, c := range list {
		cases.ID.Append(effect.TextID(c.ID))
		cases.Referral = append(cases.Referral, c.Referral.Date)
		cases.Start, cases.End = append(cases.Start, c.Start.Date), append(cases.End, c.End.Date)
	}
	obs := &effect.Observations{AsOf: x.AsOf, Cases: cases}
	if x.Cohort != nil {
		obs.Period = effect.Period{Name: x.Cohort.From.String(), Start: x.Cohort.From, End: x.Cohort.To}
	}
	for _, o := range s.Outcomes {
		r := effect.Result{Outcome: o.Name, Unit: effect.Unit(cmp.Or(o.Unit, Unit(effect.UnitShare))), Absence: o.Absence}
		if r.Unit == effect.UnitWeeks {
			r.Dates = effect.Dates{First: []int{0}}
		}
		for i := range list {
			list[i].Outcomes[o.Name].add(&r, &list[i], x.AsOf)
		}
		obs.Results = append(obs.Results, r)
	}
	return obs
}

// add puts what became of the outcome at the end of a result's columns. A new
// column of [effect.Result] has its place here.
func (o Observed) add(r *effect.Result, c *Case, asOf effect.Date) {
	status, reason, on, window, followed := effect.NotReached, effect.NoReason, effect.NoDate, asOf, true
	if o.On != nil {
		status, on = effect.Reached, *o.On
	}
	if o.Status != "" {
		status, _ = effect.ParseStatus(string(o.Status))
	}
	if o.Window != nil {
		window = *o.Window
	}
	if o.Reason != "" {
		status = effect.Excluded
		reason, _ = effect.ParseReason(string(o.Reason))
	}
	if c.Outside != nil {
		status = effect.Excluded
		reason, _ = effect.ParseReason(string(*c.Outside))
	}
	if o.Followed != nil {
		followed = *o.Followed
	}
	switch {
	case reason != effect.NoReason:
		on = effect.NoDate
	case status == effect.Left:
		reason = effect.ReasonLeft
	case status == effect.Pending || window > asOf:
		if status == effect.NotReached {
			status = effect.Pending
		}
		reason = effect.ReasonPending
		window = max(window, asOf+1)
	}
	value := math.NaN()
	switch {
	case o.Value != nil:
		value = *o.Value
	case status == effect.Reached:
		value = 1
	case status == effect.NotReached:
		value = 0
	}
	if r.Dates.Kept() {
		if days := o.days(asOf); reason == effect.NoReason || reason == effect.ReasonPending || reason == effect.ReasonLeft {
			r.Dates.On = append(r.Dates.On, days...)
			if o.Value == nil {
				value = float64(len(days))
			}
		}
		r.Dates.First = append(r.Dates.First, len(r.Dates.On))
	}
	r.Status, r.Reason, r.Value = append(r.Status, status), append(r.Reason, reason), append(r.Value, value)
	r.ReachedOn, r.WindowEnd = append(r.ReachedOn, on), append(r.WindowEnd, window)
	r.Complete, r.Followed = append(r.Complete, reason == effect.NoReason), append(r.Followed, followed)
}
