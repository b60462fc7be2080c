package world

import (
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

var (
	sexes      = [...]string{"female", "male"}
	educations = [...]string{"H10", "H30", "H50"}
	origins    = [...]string{"danish", "western", "non_western"}
)

// yearDays is the days of the 52 weeks before referral.
const yearDays = 364

// citizen is one person's life. It is reused from person to person.
type citizen struct {
	id                     int64
	place                  *place
	sex, education, origin int
	birth                  effect.Date
	age                    int // under 30, 30 to 49, 50 and over
	insured                bool
	worked, sick           int // class of the days of work, any sickness, in the year before referral
	points                 int
	group                  int
	course
	find, lose float64 // factors, without place and provider

	// weeks[k] is the state in the seven days from first + 7k. The first history
	// weeks were lived before referral; the day of referral lies in the last of them.
	weeks   []uint8
	history int
	first   effect.Date
	offset  int // days from referral to the first week under the law, 1 to 7
}

// course is what one referral leads to.
type course struct {
	referral        effect.Date
	choice, offer   int // indices of place.choices and Options.Packages
	noShow, dropout bool
	start, end      effect.Date
}

// refer decides all there is to know on the day of a citizen's first referral,
// and what course follows.
func (w *World) refer(c *citizen, id int64) {
	r := w.draws(personStream, id)
	*c = citizen{id: id, weeks: c.weeks[:0], history: w.o.HistoryWeeks}
	u := r.next()
	m, _ := slices.BinarySearchFunc(w.places, u, func(p place, u float64) int {
		if p.until <= u {
			return -1
		}
		return 1
	})
	c.place = &w.places[min(m, len(w.places)-1)]
	c.referral = w.o.From + effect.Date(r.upTo(int(w.o.To-w.o.From)))
	c.offset = 1 + r.upTo(7)
	c.first = c.referral + effect.Date(c.offset-7*c.history)
	c.sex = r.upTo(2)
	c.age = pick(r.next(), 0.3, 0.45)
	bounds := [...]int{18, 30, 50, ageMax}
	// Ages are years of 365.25 days; born the day before a bound is past it.
	from, to := (bounds[c.age]*1461+3)/4, (bounds[c.age+1]*1461+3)/4
	c.birth = c.referral - effect.Date(from+r.upTo(to-from))
	c.education = pick(r.next(), c.place.education[:2]...)
	c.origin = pick(r.next(), c.place.origin[:2]...)
	c.insured = r.next() < 0.35

	c.find = findSex[c.sex] * findAge[c.age] * findEducation[c.education] * findOrigin[c.origin]
	c.lose = loseAge[c.age] * loseEducation[c.education]
	w.remember(c)
	c.find *= findWorked[c.worked] * findSick[c.sick]
	c.lose *= loseWorked[c.worked] * loseSick[c.sick]

	c.points = c.worked + c.education + 1 - c.sick
	if c.age < oldest {
		c.points++
	}
	far := 0.5 + 0.15*float64(c.sick) + 0.1*float64(1-c.worked) + float64(0.8*(r.next()-0.5))
	n := len(w.groups)
	c.group = min(max(int(math.Floor(far*float64(n))), 0), n-1)
	c.find *= w.groups[c.group]

	r = w.draws(courseStream, id)
	w.enrol(c, &c.course, &r, 0)
}

// remember lives the history backwards from the week of referral.
func (w *World) remember(c *citizen) {
	var l law
	l.of(c.find, c.lose, false)
	c.weeks = slices.Grow(c.weeks, c.history)[:c.history]
	r := w.draws(historyStream, c.id)
	s := benefit
	worked, sickDays := 0, 0
	for j := range c.history {
		if j > 0 {
			s = l.step(s, r.next())
		}
		c.weeks[c.history-1-j] = uint8(s)
		// The week starts offset - 7 - 7j days after referral: 52 weeks back only
		// its last offset days lie within the year.
		days := 7
		if j == 52 {
			days = c.offset
		} else if j > 52 {
			continue
		}
		switch s {
		case work:
			worked += days
		case sick:
			sickDays += days
		}
	}
	if worked > 0 {
		c.worked = 1
	}
	if worked >= yearDays/4 {
		c.worked = 2
	}
	if sickDays > 0 {
		c.sick = 1
	}
}

// enrol refers the citizen to one of the choices from the given one on. What
// happens in the course does not depend on the choice.
func (w *World) enrol(c *citizen, to *course, r *draws, from int) {
	choices := c.place.choices[from:]
	total := 0.0
	for i := range choices {
		total += choices[i].weights[c.points]
	}
	u := r.next() * total
	to.choice = from + len(choices) - 1
	for i := range choices {
		if u -= choices[i].weights[c.points]; u < 0 {
			to.choice = from + i
			break
		}
	}
	all := w.packages[len(w.packages)-1]
	u = r.next() * all
	for u >= w.packages[to.offer] && to.offer < len(w.packages)-1 {
		to.offer++
	}
	to.noShow = r.next() < w.o.NoShowShare
	to.dropout = r.next() < w.o.DropoutShare && !to.noShow
	to.start = to.referral + effect.Date(7+r.upTo(28))
	weeks := w.o.Packages[to.offer].Weeks
	to.end = to.start + effect.Date(7*weeks)
	if cut := r.upTo(7*weeks - 7); to.dropout {
		to.end = to.start + effect.Date(1+cut)
	}
	if to.noShow {
		to.start, to.end = effect.NoDate, effect.NoDate
	}
}

// factor is what a choice does to the citizen's odds of finding a job.
func (c *citizen) factor(q *choice) float64 {
	switch {
	case c.noShow:
		return 1
	case c.dropout:
		return q.factors[2*c.offer+1]
	}
	return q.factors[2*c.offer]
}

// live runs the weeks from referral until the extraction date or the end.
func (w *World) live(c *citizen) {
	var l law
	l.of(c.find*c.place.conditions*c.place.factor*c.factor(&c.place.choices[c.choice]), c.lose, c.age == oldest)
	r := w.draws(lifeStream, c.id)
	days := int(w.o.Extracted - c.referral - effect.Date(c.offset))
	c.weeks = l.run(c.weeks, &r, days/7+1)
}

// run appends n weeks lived after a week on benefit.
func (l *law) run(weeks []uint8, r *draws, n int) []uint8 {
	s := benefit
	for range n {
		if s < chainStates {
			u := r.next()
			switch {
			case u < deathChance:
				s = dead
			case u < leaveChance:
				s = emigrated
			default:
				s = l.step(s, (u-leaveChance)/(1-leaveChance))
			}
		}
		weeks = append(weeks, uint8(s))
	}
	return weeks
}

// again is the second referral, to a provider, if there is one.
func (w *World) again(c *citizen) (course, bool) {
	if c.choice == 0 {
		return course{}, false
	}
	r := w.draws(againStream, c.id)
	wanted := r.next() < w.o.RepeatShare
	k := c.history - 1 + 13 + r.upTo(38)
	to := course{referral: c.first + effect.Date(7*k+r.upTo(7))}
	if !wanted || to.referral > w.o.Extracted || k >= len(c.weeks) || c.weeks[k] != benefit {
		return course{}, false
	}
	w.enrol(c, &to, &r, 1)
	return to, true
}

func (w *World) participation(c *citizen, to *course, id int64) Participation {
	q := &c.place.choices[to.choice]
	p := Participation{
		ID: id, PersonID: c.id, Municipality: c.place.Code, MatchGroup: w.o.MatchGroups[c.group],
		MatchScheme: w.o.MatchScheme, Referral: to.referral, Channel: effect.ChannelOwn, Role: "delivery",
		Start: effect.NoDate, End: effect.NoDate, Price: math.NaN(),
	}
	if !to.noShow && to.start <= w.o.Extracted {
		p.Start = to.start
		if to.end <= w.o.Extracted {
			p.End, p.Completed = to.end, !to.dropout
		}
	}
	if to.choice == 0 {
		return p
	}
	p.ProviderID, p.AgreementID, p.PackageID = q.ID, "A-"+c.place.Code, w.o.Packages[to.offer].ID
	p.Channel = effect.ChannelProvider
	if q.InHouse {
		p.Channel = effect.ChannelInHouseBid
	}
	if c.place.Code == extendedRole {
		p.Role = "authority"
	}
	p.Price = 0
	if !to.noShow {
		p.Price = math.Round(w.o.Packages[to.offer].Price * (1 + 0.04*float64(to.choice-1)))
	}
	return p
}

// drawsPerWeek spaces the draws about a spell, so that they depend on the week
// it starts in and not on the spells before it.
const drawsPerWeek = 16

// spells appends what the registers show of the weeks.
func (w *World) spells(c *citizen, rows []Spell) []Spell {
	add := func(state effect.State, from, to int, hours float64, employer string, r *draws) {
		start, end := c.first+effect.Date(7*from), c.first+effect.Date(7*to)
		late := r.next() < w.o.LateShare && start > w.o.Extracted-effect.Date(7*w.o.LateWeeks)
		if start > w.o.Extracted || late {
			return
		}
		if end > w.o.Extracted {
			end = effect.NoDate
		}
		rows = append(rows, Spell{c.id, state, start, end, hours, employer})
	}
	register := w.draws(registerStream, c.id)
	for from := 0; from < len(c.weeks); {
		s, to := c.weeks[from], from+1
		for to < len(c.weeks) && c.weeks[to] == s {
			to++
		}
		r := draws{key: register.key, n: uint64(drawsPerWeek * from)}
		state, hours := stateOf[s], math.NaN()
		part := effect.CashBenefit
		if c.insured {
			part = effect.UnemploymentBenefit
		}
		split := r.next() < 0.3 && to-from >= 20
		self, full, beside := r.next() < 0.06, r.next() < 0.6, r.next() < 0.3
		partHours, besideWeeks := 8+r.upTo(25), 4+r.upTo(23)
		employers := [2]string{w.employer(c, &r), w.employer(c, &r)}
		switch {
		case s == benefit:
			state, employers = part, [2]string{}
		case s == work && self:
			state, employers = effect.SelfEmployment, [2]string{}
		case s == work && !full:
			hours = float64(partHours)
		case s == work || s == subsidy:
			hours = 37
		default:
			employers = [2]string{}
		}
		half := to
		if split && (s == benefit || s == work) {
			half = (from + to) / 2 // one state in two spells, as when a case is reassessed or a job changed
		}
		add(state, from, half, hours, employers[0], &r)
		if beside && hours < 37 && from > 0 && c.weeks[from-1] == benefit {
			add(part, from, min(to, from+besideWeeks), math.NaN(), "", &r)
		}
		if half < to {
			add(state, half, to, hours, employers[1], &r)
		}
		from = to
	}
	return rows
}

// employer draws one of the employers of the citizen's municipality.
func (w *World) employer(c *citizen, r *draws) string {
	return w.employers[c.place.index*employersPerPlace+r.upTo(employersPerPlace)]
}

// pick returns which of the intervals of the given lengths u lies in; the last
// takes the rest.
func pick(u float64, lengths ...float64) int {
	for i, p := range lengths {
		if u < p {
			return i
		}
		u -= p
	}
	return len(lengths)
}
