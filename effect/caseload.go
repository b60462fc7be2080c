package effect

import (
	"cmp"
	"slices"
)

// Caseload are spells on benefit, of everybody, whether something was offered or
// not: one entry per spell [Start, End), sorted by person, start and end (open
// ones first), then by the names. It is read-only once made.
type Caseload struct {
	Person       []int32 // index into Persons
	Persons      IDs     // distinct persons, ascending
	Municipality Factor
	MatchScheme  Factor
	MatchGroup   Factor
	Start, End   []Date // End is NoDate while open
}

// Len is the number of spells.
func (l *Caseload) Len() int { return len(l.Person) }

// controlDay is the day of a month on which people on benefit are looked at.
const controlDay = 15

// Controls are the people on benefit without an offer, as cases with whom
// citizens referred in the same month can be compared: one for each person and
// each month of the period on whose 15th the person is on the caseload, and up
// to then had no referral in that unbroken time on benefit and no offer still running. The 15th
// takes the place of the referral. Who is referred later stays a control of the
// months before: to leave such persons out would leave out those who stay on
// benefit. Of overlapping spells of a person the first counts.
//
// Persons of the result are those of the caseload and of the cases together.
func (l *Caseload) Controls(cases *Cases, period Period) *Cases {
	persons, number := l.Persons.Concat(cases.Persons).Index()
	out := &Cases{Persons: persons}
	onLoad, referred := number[:l.Persons.Len()], number[l.Persons.Len():]
	type offer struct{ referral, end Date }
	offers := map[int32][]offer{}
	for i, p := range cases.Person {
		o := offer{referral: cases.Referral[i], end: NoDate}
		if len(cases.End) > 0 {
			o.end = cases.End[i]
		}
		k := referred[p]
		offers[k] = append(offers[k], o)
	}
	type control struct {
		id     ID
		person int32
		spell  int
		day    Date
	}
	began := l.runs()
	var rows []control
	for s, p := range l.Person {
		person := onLoad[p]
		start, end := max(l.Start[s], period.Start), period.End
		if l.End[s] != NoDate {
			end = min(end, l.End[s])
		}
		for day := firstControlDay(start); day < end; day = day.Add(Span{Months: 1}) {
			taken := slices.ContainsFunc(offers[person], func(o offer) bool {
				return o.referral <= day && (o.referral >= began[s] || o.end == NoDate || o.end > day)
			})
			if !taken {
				rows = append(rows, control{TextID(l.Persons.At(int(p)).String() + "@" + day.Month()), person, s, day})
			}
		}
	}
	// Of two spells that cover the same day the first counts.
	slices.SortStableFunc(rows, func(a, b control) int { return cmp.Or(a.id.Compare(b.id), cmp.Compare(a.spell, b.spell)) })
	rows = slices.CompactFunc(rows, func(a, b control) bool { return a.id == b.id })

	n := len(rows)
	names := func(f *Factor) Factor {
		var out []string
		for _, r := range rows {
			out = append(out, f.At(r.spell))
		}
		return NewFactor(out)
	}
	none := func() Factor { return Factor{Codes: slices.Repeat([]int32{-1}, n)} }
	out.Municipality, out.MatchScheme, out.MatchGroup = names(&l.Municipality), names(&l.MatchScheme), names(&l.MatchGroup)
	out.Provider, out.Agreement, out.Package, out.Channel, out.Role = none(), none(), none(), none(), none()
	for _, r := range rows {
		out.ID.Append(r.id)
		out.Person, out.Referral = append(out.Person, r.person), append(out.Referral, r.day)
	}
	out.Start, out.End = slices.Repeat([]Date{NoDate}, n), slices.Repeat([]Date{NoDate}, n)
	return out
}

// runs returns, for every spell, the day on which the person's unbroken time on
// benefit began: a change of municipality or group begins a new spell, but no new
// time on benefit.
func (l *Caseload) runs() []Date {
	out := make([]Date, l.Len())
	end := NoDate // of the run so far
	for s, p := range l.Person {
		out[s] = l.Start[s]
		if s > 0 && l.Person[s-1] == p && l.Start[s] <= end {
			out[s] = out[s-1]
		} else {
			end = l.Start[s]
		}
		if l.End[s] == NoDate {
			end = LastDate
		}
		end = max(end, l.End[s])
	}
	return out
}

// firstControlDay is the first 15th of a month on or after a day.
func firstControlDay(d Date) Date {
	year, month, _ := d.Time().Date()
	day := NewDate(year, month, controlDay)
	if day < d {
		day = day.Add(Span{Months: 1})
	}
	return day
}

// join puts controls behind the cases, so that one comparison can hold both. It
// returns the observations together; the first n cases are those of o.
func (o *Observations) join(controls *Observations) *Observations {
	a, b := o.Cases, controls.Cases
	c := &Cases{ID: a.ID.Concat(b.ID), Referral: slices.Concat(a.Referral, b.Referral), Start: slices.Concat(a.Start, b.Start), End: slices.Concat(a.End, b.End)}
	persons, number := a.Persons.Concat(b.Persons).Index()
	c.Persons = persons
	for _, p := range a.Person {
		c.Person = append(c.Person, number[p])
	}
	for _, p := range b.Person {
		c.Person = append(c.Person, number[a.Persons.Len()+int(p)])
	}
	names := func(x, y *Factor) Factor {
		out := make([]string, 0, a.Len()+b.Len())
		for i := range a.Len() {
			out = append(out, x.At(i))
		}
		for i := range b.Len() {
			out = append(out, y.At(i))
		}
		return NewFactor(out)
	}
	c.Municipality, c.MatchScheme, c.MatchGroup = names(&a.Municipality, &b.Municipality), names(&a.MatchScheme, &b.MatchScheme), names(&a.MatchGroup, &b.MatchGroup)
	c.Provider, c.Agreement, c.Package = names(&a.Provider, &b.Provider), names(&a.Agreement, &b.Agreement), names(&a.Package, &b.Package)
	covariates := func(x, y []Covariate) []Covariate {
		var out []Covariate
		for i, cov := range x {
			if cov.Number != nil {
				cov.Number = slices.Concat(cov.Number, y[i].Number)
			} else {
				cov.Factor = names(&cov.Factor, &y[i].Factor)
			}
			out = append(out, cov)
		}
		return out
	}
	c.Covariates = covariates(a.Covariates, b.Covariates)
	if a.Placebo != nil && b.Placebo != nil {
		c.Placebo = &Placebo{a.Placebo.Weeks, slices.Concat(a.Placebo.Value, b.Placebo.Value), covariates(a.Placebo.Covariates, b.Placebo.Covariates)}
	}
	out := &Observations{AsOf: o.AsOf, Cases: c}
	for k := range o.Results {
		r, s := o.Results[k], &controls.Results[k]
		r.Status, r.Reason = slices.Concat(r.Status, s.Status), slices.Concat(r.Reason, s.Reason)
		r.Value, r.Complete, r.Followed = slices.Concat(r.Value, s.Value), slices.Concat(r.Complete, s.Complete), slices.Concat(r.Followed, s.Followed)
		r.ReachedOn, r.WindowEnd = slices.Concat(r.ReachedOn, s.ReachedOn), slices.Concat(r.WindowEnd, s.WindowEnd)
		out.Results = append(out.Results, r)
	}
	return out
}
