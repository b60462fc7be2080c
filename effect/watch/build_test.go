package watch_test

import (
	"fmt"

	"github.com/jobeffekt/jobeffekt/effect"
)

// row is one participation of a test. Days are counted from 2008-01-01; a start
// or end of 0 is unknown.
type row struct {
	person                          string // "" for somebody new
	mun, group, provider, agreement string
	pkg                             string
	referral, start, end            int
	outside                         effect.Reason // why it is not in the cohort
	open                            bool          // the window is not complete
	runStart, runDays, runEnd, work int
	recoded, own                    int
	afterSubsidy                    bool
	reached                         int // day of the sustained outcome
}

// builder makes observations of rows.
type builder struct{ rows []row }

func newBuilder() *builder { return &builder{} }

func (b *builder) add(r row) { b.rows = append(b.rows, r) }

const firstDay = effect.Date(13879) // 2008-01-01

func day(n int) effect.Date {
	if n == 0 {
		return effect.NoDate
	}
	return firstDay + effect.Date(n)
}

// observations has the outcomes y, with the values given, and lasting.
func (b *builder) observations(unit effect.Unit, y []float64) *effect.Observations {
	n := len(b.rows)
	c := &effect.Cases{}
	text := func(at func(row) string) effect.Factor {
		names := make([]string, n)
		for i, r := range b.rows {
			names[i] = at(r)
		}
		return effect.NewFactor(names)
	}
	c.Municipality = text(func(r row) string { return r.mun })
	c.MatchScheme = text(func(row) string { return "s" })
	c.MatchGroup = text(func(r row) string {
		if r.group == "" {
			return "4"
		}
		return r.group
	})
	c.Provider = text(func(r row) string { return r.provider })
	c.Agreement = text(func(r row) string { return r.agreement })
	c.Package = text(func(r row) string { return r.pkg })
	persons := map[string]int32{}
	result := effect.Result{Outcome: "y", Unit: unit, Value: make([]float64, n), Reason: make([]effect.Reason, n), Complete: make([]bool, n)}
	lasting := effect.Result{Outcome: "lasting", Unit: effect.UnitShare, Reason: make([]effect.Reason, n), ReachedOn: make([]effect.Date, n)}
	s := &effect.Signals{OwnEmployerDays: make([]int32, n), SubsidisedDays: make([]int32, n)}
	for i, r := range b.rows {
		person := r.person
		if person == "" {
			person = fmt.Sprint("nobody else ", i)
		}
		p, ok := persons[person]
		if !ok {
			p = int32(c.Persons.Len())
			persons[person] = p
			c.Persons.Append(effect.NumberID(int64(p)))
		}
		c.ID.Append(effect.NumberID(int64(i)))
		c.Person = append(c.Person, p)
		c.Referral = append(c.Referral, firstDay+effect.Date(r.referral))
		c.Start, c.End = append(c.Start, day(r.start)), append(c.End, day(r.end))
		result.Reason[i], lasting.Reason[i] = r.outside, r.outside
		result.Complete[i] = r.outside == effect.NoReason && !r.open
		if y != nil {
			result.Value[i] = y[i]
		}
		lasting.ReachedOn[i] = day(r.reached)
		s.InCohort = append(s.InCohort, r.outside == effect.NoReason)
		s.RunStart, s.RunEnd = append(s.RunStart, day(r.runStart)), append(s.RunEnd, day(r.runEnd))
		s.RunDays, s.EmployedDays = append(s.RunDays, int32(r.runDays)), append(s.EmployedDays, int32(r.work))
		s.RecodedDays, s.AfterSubsidy = append(s.RecodedDays, int32(r.recoded)), append(s.AfterSubsidy, r.afterSubsidy)
		s.OwnEmployerDays[i] = int32(r.own)
	}
	return &effect.Observations{AsOf: firstDay + 900, Cases: c, Results: []effect.Result{result, lasting}, Signals: s}
}
