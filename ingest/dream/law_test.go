package dream_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// kindsOf are outcomes of every kind.
func kindsOf() []effect.Outcome {
	work := effect.States(effect.OrdinaryEmployment)
	out := []effect.Outcome{
		{Name: "at", Measure: effect.StateAt{States: work, At: effect.Span{Days: 40}}},
		{Name: "at month", Measure: effect.StateAt{States: effect.States(effect.Education), At: effect.Span{Months: 2}}},
		{Name: "not", Measure: effect.StateAt{States: effect.Benefits, At: effect.Span{Days: 70}, Not: true}},
		{Name: "days", Measure: effect.DaysIn{States: work, Within: effect.Span{Days: 100}, AtLeast: 10}},
		{Name: "sustained", Measure: effect.Sustained{States: work, Weeks: 3, MaxGap: 7, Within: effect.Span{Days: 60}}},
		{Name: "share", Measure: effect.ShareIn{States: work, Within: effect.Span{Months: 2}, AtLeast: 0.3}},
		{Name: "full weeks", Measure: effect.WeeksIn{States: work, MinDays: 7, Without: effect.Benefits, Within: effect.Span{Months: 3}}},
		{Name: "part weeks", Measure: effect.WeeksIn{States: work, MinDays: 2, Beside: effect.Benefits, Within: effect.Span{Months: 3}}},
		{Name: "supported", Measure: effect.WeeksIn{States: effect.States(effect.SelfSupport, effect.OrdinaryEmployment), Within: effect.Span{Months: 2}}},
		{Name: "hours", Measure: effect.AmountIn{States: work, Of: effect.OfHours, Within: effect.Span{Days: 90}, AtLeast: 100.5}},
		{Name: "earnings", Measure: effect.AmountIn{States: work, Of: effect.OfKroner, Within: effect.Span{Days: 70}, AtLeast: 333.33}},
		{Name: "enough", Measure: effect.Reaching{Measure: effect.AmountIn{States: work, Of: effect.OfHours, Within: effect.Span{Days: 50}, AtLeast: 60}}},
		{Name: "time", Measure: effect.TimeTo{States: work, Within: effect.Span{Months: 3}, Exits: []effect.Exit{
			{Name: "education", States: effect.States(effect.Education)}, {Name: "pension", States: effect.States(effect.Pension)},
		}}},
		{Name: "relapse", Measure: effect.Relapse{
			Run: effect.Sustained{States: work, Weeks: 2, Within: effect.Span{Days: 60}}, Back: effect.Benefits, After: effect.Span{Months: 1}, AtLeast: 5,
		}},
	}
	for _, s := range effect.StateNames() {
		state, _ := effect.ParseState(s)
		if state != effect.Dead && state != effect.Emigrated && state != effect.Ignore {
			out = append(out, effect.Outcome{Name: s, Measure: effect.DaysIn{States: effect.States(state), Within: effect.Span{Days: 120}}})
		}
	}
	return out
}

// oneWeek is what somebody did in a week: a state or none, and work or none.
type oneWeek struct {
	state effect.State
	none  bool    // no state but perhaps work
	hours float64 // 0 for no work, NaN for untold hours
	code  string  // as in the panel
}

// drawWeeks draws a life that is the same through a week, and in which all weeks of
// a month without a benefit are alike.
func drawWeeks(t *rapid.T, m *dream.Map, weeks []effect.Date) (life []oneWeek, grad, branche map[string]string) {
	beside := map[effect.State]bool{}
	if m.Beside.Work == dream.BesideFromGrad {
		for _, s := range m.Beside.States {
			beside[s] = true
		}
	}
	codes := map[effect.State]string{
		effect.CashBenefit: "731", effect.UnemploymentBenefit: "111", effect.Education: "651", effect.SicknessBenefit: "890", effect.FlexJob: "771",
		effect.ResourceCourse: "810", effect.Leave: "881", effect.Rehabilitation: "760", effect.EducationBenefit: "140", effect.Pension: "611",
		effect.Emigrated: "997", effect.Dead: "999",
	}
	drawState := rapid.SampledFrom([]effect.State{
		effect.CashBenefit, effect.CashBenefit, effect.UnemploymentBenefit, effect.Education, effect.SicknessBenefit, effect.FlexJob, effect.ResourceCourse,
		effect.Leave, effect.Rehabilitation, effect.EducationBenefit, effect.Pension, effect.Emigrated,
	})
	grad, branche = map[string]string{}, map[string]string{}
	nothing := oneWeek{none: true}
	if m.EmptyWeek != dream.NoSpell {
		s, _ := effect.ParseState(string(m.EmptyWeek))
		nothing = oneWeek{state: s}
	}
	hours, left, last := 0.0, 0, ""
	var state, ended effect.State
	empty, once, dead, filling := true, false, false, false
	for _, monday := range weeks {
		thursday := (monday + 3).Time()
		key := fmt.Sprintf("%04d_%02d", thursday.Year(), int(thursday.Month()))
		if key != last { // a month's income
			last = key
			hours = rapid.SampledFrom([]float64{0, 0, 37, 37, 18.5, 9.25, math.NaN()}).Draw(t, "hours")
			if dead {
				hours = 0
			}
			grad[key], branche[key] = fmt.Sprint(hours/37*m.FullDegree), "10"
			switch {
			case hours != hours:
				grad[key] = "-"
			case hours == 0:
				grad[key], branche[key] = rapid.SampledFrom([]string{"-", "0"}).Draw(t, "no degree"), "-"
			case rapid.Bool().Draw(t, "without industry"):
				branche[key] = "0"
			}
		}
		if left == 0 {
			left = rapid.IntRange(1, 15).Draw(t, "length")
			empty, once = rapid.Bool().Draw(t, "empty"), rapid.Bool().Draw(t, "told once")
			state = drawState.Draw(t, "state")
			if dead = dead || rapid.IntRange(0, 15).Draw(t, "dies") == 0; dead {
				empty, state = false, effect.Dead
			}
			once = once && len(m.Ends) > 0 && (state == effect.Dead || state == effect.Emigrated)
		}
		left--
		w := oneWeek{state: state, code: codes[state]}
		switch {
		case !empty:
			if beside[state] && hours > 0 {
				w.hours = hours
			}
			filling, ended = len(m.Ends) > 0 && (state == effect.Dead || state == effect.Emigrated), state
			empty = once // the rest of the stretch
		case hours != 0:
			w, filling = oneWeek{none: true, hours: hours, code: "-"}, false
		case filling: // the state goes on
			w = oneWeek{state: ended, code: "-"}
		default:
			w = nothing
			w.code = "-"
		}
		life = append(life, w)
	}
	return life, grad, branche
}

// Lives that keep to weeks and months give the same outcomes of every kind,
// history and follow-up from spells and from the panel made of them. The spells are
// written a week at a time, by code that shares nothing with the conversion.
func TestSameOutcomes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		year := rapid.SampledFrom([]int{1999, 2003, 2004, 2008, 2009, 2014, 2015, 2019, 2020}).Draw(t, "year")
		first, _ := dream.Monday(year, rapid.IntRange(20, 50).Draw(t, "first"))
		weeks := make([]effect.Date, rapid.IntRange(45, 75).Draw(t, "weeks"))
		for i := range weeks {
			weeks[i] = first + effect.Date(7*i)
		}
		m := dream.DefaultMap()
		m.EmptyWeek = rapid.SampledFrom([]dream.EmptyWeek{dream.NoSpell, "self_support", "ignore"}).Draw(t, "empty week")
		m.Beside.Work = rapid.SampledFrom([]dream.BesideWork{dream.BesideNone, dream.BesideFromGrad}).Draw(t, "beside")
		m.FullDegree = rapid.SampledFrom([]float64{1, 100}).Draw(t, "full")
		if rapid.Bool().Draw(t, "no ends") {
			m.Ends = nil
		}

		n := rapid.IntRange(1, 5).Draw(t, "persons")
		cases := &effect.Cases{}
		var direct effect.Spells
		add := func(p int32, s effect.State, from effect.Date, hours float64) {
			direct.Person, direct.State = append(direct.Person, p), append(direct.State, s)
			direct.Start, direct.End, direct.Hours = append(direct.Start, from), append(direct.End, from+7), append(direct.Hours, hours)
		}
		table := &ingest.Table{Name: "panel", Columns: []ingest.Column{{Name: "pnr", Ints: make([]int64, n)}}}
		at := map[string]int{}
		put := func(name, cell string, row int) {
			k, ok := at[name]
			if !ok {
				k = len(table.Columns)
				at[name] = k
				table.Columns = append(table.Columns, ingest.Column{Name: name, Floats: make([]float64, n)})
			}
			x := math.NaN()
			if cell != "-" {
				_, err := fmt.Sscan(cell, &x)
				require.NoError(t, err)
			}
			table.Columns[k].Floats[row] = x
		}
		for p := range n {
			table.Columns[0].Ints[p] = int64(100 + p)
			cases.Persons.Append(effect.NumberID(int64(100 + p)))
			for range rapid.IntRange(1, 2).Draw(t, "cases") {
				cases.ID.Append(effect.NumberID(int64(cases.Len())))
				cases.Person = append(cases.Person, int32(p))
				cases.Referral = append(cases.Referral, first+effect.Date(rapid.IntRange(60, 250).Draw(t, "referral")))
			}
			life, grad, branche := drawWeeks(t, m, weeks)
			for i, w := range life {
				put(dream.WeekName(weeks[i]), w.code, p)
				if !w.none {
					add(int32(p), w.state, weeks[i], math.NaN())
				}
				if w.hours != 0 {
					add(int32(p), effect.OrdinaryEmployment, weeks[i], w.hours)
				}
			}
			for _, monday := range weeks { // in the order of months
				thursday := (monday + 3).Time()
				key := fmt.Sprintf("%04d_%02d", thursday.Year(), int(thursday.Month()))
				put("branche_"+key, branche[key], p)
				put("grad_"+key, grad[key], p)
			}
		}
		places := make([]string, cases.Len())
		cases.Municipality, cases.MatchScheme, cases.MatchGroup = effect.NewFactor(places), effect.NewFactor(places), effect.NewFactor(places)
		cases.Start, cases.End = make([]effect.Date, cases.Len()), make([]effect.Date, cases.Len())
		for i := range cases.Start {
			cases.Start[i], cases.End[i] = effect.NoDate, effect.NoDate
		}
		study := effect.Study{
			AsOf: weeks[len(weeks)-1] + 6, Outcomes: kindsOf(), RegistersReach: effect.NoDate, Placebo: 4, Signals: true,
			Cohort:  effect.Cohort{Period: effect.Period{Start: first, End: first + 400}, Take: effect.TakeEach},
			History: effect.History{Weeks: []int{4, 8}, ElapsedMax: 8, ElapsedGap: 2},
		}
		observe := func(feed func(*effect.Observer)) (*effect.Observations, int) {
			o, err := effect.NewObserver(study, cases)
			require.NoError(t, err)
			feed(o)
			seen, err := o.Observations(context.Background())
			require.NoError(t, err)
			return seen, o.Unseen()
		}
		want, unseen := observe(func(o *effect.Observer) { o.Add(direct) })
		got, unseenToo := observe(func(o *effect.Observer) {
			path := write(t, filepath.Join(dir, "panel.parquet"), table)
			_, err := dream.Convert(context.Background(), open(t, path), m, dream.DefaultOptions(), func(b *dream.Block) error {
				o.Add(b.Spells) // the panel's rows are in the order of the cases' persons
				return nil
			})
			require.NoError(t, err)
		})
		require.Equal(t, unseen, unseenToo)
		require.Equal(t, fmt.Sprintf("%+v", want.Attrition), fmt.Sprintf("%+v", got.Attrition))
		for i := range want.Results {
			require.Equal(t, fmt.Sprintf("%+v", want.Results[i]), fmt.Sprintf("%+v", got.Results[i]))
		}
		require.Equal(t, fmt.Sprintf("%+v", want.Cases.Covariates), fmt.Sprintf("%+v", got.Cases.Covariates))
		require.Equal(t, fmt.Sprintf("%+v", want.Signals), fmt.Sprintf("%+v", got.Signals))
	})
}
