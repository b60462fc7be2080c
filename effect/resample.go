package effect

// Resample makes observations of citizens who are drawn from those of o. Each of
// the lists is the cases of one drawn citizen, as indices into o's cases in
// ascending order; whoever is drawn twice is another citizen each time. Cases and
// persons get the numbers 1, 2, ... in the order of the lists. What no settlement
// reads is left out: covariates, the placebo, controls, signals and attrition.
//
// Nothing of o is changed; levels of factors are shared with it. No lists give
// observations without cases.
func (o *Observations) Resample(lists [][]int32) *Observations {
	var rows, person []int32
	for p, list := range lists {
		for _, i := range list {
			rows, person = append(rows, i), append(person, int32(p))
		}
	}
	c, n := o.Cases, len(rows)
	number := func(i int) ID { return NumberID(int64(i + 1)) }
	cases := &Cases{
		ID: GatherIDs(n, number), Person: person, Persons: GatherIDs(len(lists), number),
		Municipality: gatherFactor(c.Municipality, rows), MatchScheme: gatherFactor(c.MatchScheme, rows), MatchGroup: gatherFactor(c.MatchGroup, rows),
		Provider: gatherFactor(c.Provider, rows), Agreement: gatherFactor(c.Agreement, rows), Package: gatherFactor(c.Package, rows),
		Channel: gatherFactor(c.Channel, rows), Role: gatherFactor(c.Role, rows), Completed: gatherFactor(c.Completed, rows),
		Referral: gather(c.Referral, rows), Start: gather(c.Start, rows), End: gather(c.End, rows),
	}
	if r := c.Recorded; r != nil {
		cases.Recorded = &Recorded{MatchScheme: gatherFactor(r.MatchScheme, rows), MatchGroup: gatherFactor(r.MatchGroup, rows)}
	}
	out := &Observations{AsOf: o.AsOf, Period: o.Period, Cases: cases}
	for _, r := range o.Results {
		r.Status, r.Reason, r.Value = gather(r.Status, rows), gather(r.Reason, rows), gather(r.Value, rows)
		r.ReachedOn, r.WindowEnd = gather(r.ReachedOn, rows), gather(r.WindowEnd, rows)
		r.Complete, r.Followed = gather(r.Complete, rows), gather(r.Followed, rows)
		r.Days, r.Event = gather(r.Days, rows), gatherFactor(r.Event, rows)
		r.Dates = r.Dates.gather(rows)
		out.Results = append(out.Results, r)
	}
	return out
}

// gather takes rows of a column; a column that is not there stays so.
func gather[T any](column []T, rows []int32) []T {
	if column == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = column[i]
	}
	return out
}

func gatherFactor(f Factor, rows []int32) Factor {
	if len(f.Codes) == 0 {
		return f
	}
	return Factor{Codes: gather(f.Codes, rows), Levels: f.Levels}
}

// Moved are the observations with every day so many calendar months later, or
// earlier where months is negative; a day that the month does not have becomes its last
// one. Names of periods stay. Nothing of o is changed, and what is not moved is shared
// with it; controls, signals and attrition are left out.
func (o *Observations) Moved(months int) *Observations {
	days := func(column []Date) []Date {
		if column == nil {
			return nil
		}
		out := make([]Date, len(column))
		for i, d := range column {
			if out[i] = d; d != NoDate {
				out[i] = d.AddMonths(months)
			}
		}
		return out
	}
	one := func(d Date) Date { return days([]Date{d})[0] }
	cases := *o.Cases
	cases.Referral, cases.Start, cases.End = days(cases.Referral), days(cases.Start), days(cases.End)
	out := &Observations{AsOf: one(o.AsOf+1) - 1, Period: o.Period, Cases: &cases}
	out.Period.Start, out.Period.End = one(o.Period.Start), one(o.Period.End)
	for _, r := range o.Results {
		r.ReachedOn, r.WindowEnd = days(r.ReachedOn), days(r.WindowEnd)
		r.Dates.On = days(r.Dates.On)
		out.Results = append(out.Results, r)
	}
	return out
}

func (d Dates) gather(rows []int32) Dates {
	if !d.Kept() {
		return d
	}
	out := Dates{First: make([]int, 0, len(rows)+1)}
	for _, i := range rows {
		out.First = append(out.First, len(out.On))
		out.On = append(out.On, d.Of(int(i))...)
	}
	out.First = append(out.First, len(out.On))
	return out
}
