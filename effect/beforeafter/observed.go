package beforeafter

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Observed says how a panel is made of observations: municipalities over periods
// of referral, of one match scheme and group, with the mean of one outcome. Start
// from [DefaultObserved].
type Observed struct {
	Outcome, MatchScheme, MatchGroup string
	Calendar                         Calendar
	Cohort                           effect.Period // whose referrals were analysed
	From                             effect.Date   // periods begin here at the earliest; NoDate for the cohort's beginning
	// Since is the day of the change by municipality. The period it lies in is the
	// first with the change.
	Since map[string]effect.Date
	// Among are the municipalities that may be compared with; nil stands for all.
	// Exclude may not.
	Among, Exclude []string
	// RegistersFrom is the first day that the registers tell of; NoDate where that is
	// not declared.
	RegistersFrom effect.Date
	// MinCases is how many cases with a complete window a municipality needs in every
	// period, and MinBefore how many such periods before the change.
	MinCases, MinBefore int
	// MinFollowed is the share of the cases of a period whose follow-up must be known.
	MinFollowed float64
}

// DefaultObserved takes quarters, 10 cases in each, 4 quarters before the change,
// and 95 % of the cases followed.
func DefaultObserved() Observed {
	return Observed{Calendar: Quarters, From: effect.NoDate, RegistersFrom: effect.NoDate, MinCases: 10, MinBefore: 4, MinFollowed: 0.95}
}

// Compared is a panel of municipalities that can be compared.
type Compared struct {
	Panel *Panel
	Cases [][]int // cases behind each outcome of the panel
	// Lacks are the municipalities with the change that cannot be compared, and why;
	// they are not in the panel.
	Lacks []Lack
	// Incomplete are municipalities without the change that lack cases in some
	// period; they are not in the panel.
	Incomplete []string
}

// What a municipality's time before the change can lack: the codes of [Lack].
const (
	LackRecorded  = "not_recorded"           // participations before a day are not in the data
	LackScheme    = "other_match_scheme"     // they carry another match scheme
	LackDeliverer = "deliverer_not_recorded" // neither provider nor channel is known of them
	LackRegisters = "registers_begin_late"   // the registers do not reach back to their windows
	LackFollowed  = "not_followed"           // too few of them are known to the registers
	LackCohort    = "cohort_begins_late"     // the run file's cohort leaves them out
	LackCases     = "too_few_cases"          // too few in some period
	LackAfter     = "no_period_after"        // no period from the change on has complete windows
	LackBefore    = "first_period_too_late"  // the periods asked for begin too late
)

// Lack is one thing that is missing for a municipality to be compared.
type Lack struct {
	Municipality string
	Code         string
	Change       effect.Date
	// From is since when comparable data exist; NoDate where none do, or it is not
	// about that.
	From effect.Date
	// Why is the reason as part of a sentence.
	Why string
}

// NotComparable is the error of a comparison that data do not allow: what is
// missing, where, and since when data exist.
type NotComparable struct {
	Outcome, MatchScheme, MatchGroup string
	Lacks                            []Lack // by municipality; at least one
	Needed                           string // periods before the change that are needed, as in 4 quarters
}

// CodeNotComparable is the refusal code of a [NotComparable] in tables.
const CodeNotComparable = "not_comparable"

// listedLacks is how many municipalities a sentence names.
const listedLacks = 5

// Error says it in one sentence.
func (e *NotComparable) Error() string {
	var parts []string
	for i, l := range e.Lacks {
		if i > 0 && e.Lacks[i-1].Municipality == l.Municipality {
			parts[len(parts)-1] += " and " + l.Why
		} else {
			parts = append(parts, "in municipality "+l.Municipality+" "+l.Why)
		}
		if i+1 == len(e.Lacks) || e.Lacks[i+1].Municipality != l.Municipality {
			parts[len(parts)-1] += ", and the change came " + l.Change.String()
		}
	}
	if n := len(parts); n > listedLacks {
		parts = append(parts[:listedLacks], fmt.Sprintf("and %d more municipalities lack something", n-listedLacks))
	}
	return "Before and after cannot be compared: " + strings.Join(parts, "; ") + "; at least " + e.Needed + " before it are needed."
}

// tally is what is known of a municipality in a period.
type tally struct {
	complete, followed, deliverer int // of the match group, with a complete window
	sum                           float64
	own, other                    int // of any group: with the match scheme, with another
}

// mixed says whether more than a twentieth of the cases carry another match scheme.
func (t tally) mixed() bool { return 20*t.other > t.own+t.other }

// Panel makes the panel. Periods end before the first in which windows of more
// than a twentieth of the match group are still open, and begin with
// the first from which every municipality with the change has MinCases in each. A
// municipality's outcome is the mean over its cases with a complete window.
//
// It checks first that the time before the change is comparable with the time
// after. Municipalities with the change that lack something are left out and told;
// where none is left the error is a *[NotComparable]. Options that make no sense, or
// an outcome that was not observed, wrap [ErrOptions].
func (o Observed) Panel(obs *effect.Observations) (*Compared, error) {
	result, ok := obs.Result(o.Outcome)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: there is no outcome %q", ErrOptions, o.Outcome)
	case o.Calendar == Numbers:
		return nil, fmt.Errorf("%w: observations have dates; choose months, quarters, half-years or years", ErrOptions)
	case len(o.Since) == 0:
		return nil, fmt.Errorf("%w: no municipality has the change", ErrOptions)
	case o.MinCases < 1 || o.MinBefore < 1:
		return nil, fmt.Errorf("%w: at least one case and one period before the change are needed", ErrOptions)
	}
	s := o.survey(obs, result)
	out := &Compared{}
	first := s.first
	type stretch struct {
		municipality string
		since        int
	}
	var changed []stretch
	for _, m := range slices.Sorted(maps.Keys(o.Since)) {
		since := o.Calendar.Of(o.Since[m])
		lacks, from := s.judge(o, m, since)
		if out.Lacks = append(out.Lacks, lacks...); len(lacks) == 0 {
			changed = append(changed, stretch{m, since})
			first = max(first, from)
		}
	}
	if len(changed) == 0 {
		return nil, &NotComparable{o.Outcome, o.MatchScheme, o.MatchGroup, out.Lacks, o.Needed()}
	}
	p := &Panel{Calendar: o.Calendar}
	for t := first; t <= s.last; t++ {
		p.Periods = append(p.Periods, t)
	}
	add := func(m string, since int) bool {
		var y []float64
		var cases []int
		for t := first; t <= s.last; t++ {
			c := s.at(m, t)
			if c.complete < o.MinCases {
				return false
			}
			y, cases = append(y, c.sum/float64(c.complete)), append(cases, c.complete)
		}
		p.Units, p.Y, p.Since = append(p.Units, m), append(p.Y, y), append(p.Since, since)
		out.Cases = append(out.Cases, cases)
		return true
	}
	for _, c := range changed {
		add(c.municipality, c.since)
	}
	for _, m := range s.municipalities {
		if _, changes := o.Since[m]; changes || slices.Contains(o.Exclude, m) || o.Among != nil && !slices.Contains(o.Among, m) {
			continue
		}
		if !add(m, Never) {
			out.Incomplete = append(out.Incomplete, m)
		}
	}
	out.Panel = p
	return out, p.Check()
}

// Needed is how many periods before the change are needed, in words.
func (o Observed) Needed() string {
	word := o.Calendar.Word()
	if o.MinBefore == 1 {
		word = strings.TrimSuffix(word, "s")
	}
	return fmt.Sprintf("%d %s", o.MinBefore, word)
}

// survey is what the observations hold of one match scheme and group.
type survey struct {
	first, last    int // periods that can be told
	municipalities []string
	cells          map[cellKey]*tally
	recorded       map[string]effect.Date // first referral
	delivered      map[string]effect.Date // first referral whose provider or channel is known
	told           map[int]bool           // periods in which some outcome is not 0
}

type cellKey struct {
	municipality string
	period       int
}

func (s *survey) at(m string, t int) tally {
	if c := s.cells[cellKey{m, t}]; c != nil {
		return *c
	}
	return tally{}
}

func (o Observed) survey(obs *effect.Observations, r *effect.Result) *survey {
	c := obs.Cases
	s := &survey{cells: map[cellKey]*tally{}, recorded: map[string]effect.Date{}, delivered: map[string]effect.Date{}, told: map[int]bool{}}
	from, to := o.Cohort.Start, o.Cohort.End
	if o.From != effect.NoDate {
		from = max(from, o.From)
	}
	s.first, s.last = o.Calendar.Of(from), o.Calendar.Of(to)-1
	if o.Calendar.Start(s.first) < from {
		s.first++ // a period that lies only partly in the cohort
	}
	earliest := func(days map[string]effect.Date, m string, d effect.Date) {
		if known, ok := days[m]; !ok || d < known {
			days[m] = d
		}
	}
	referred, open := map[int]int{}, map[int]int{}
	for i, day := range c.Referral {
		if day == effect.NoDate {
			continue
		}
		m, t := c.Municipality.At(i), o.Calendar.Of(day)
		k := cellKey{m, t}
		if s.cells[k] == nil {
			s.cells[k] = &tally{}
		}
		cell := s.cells[k]
		if c.MatchScheme.At(i) != o.MatchScheme {
			cell.other++
			continue
		}
		if cell.own++; c.MatchGroup.At(i) != o.MatchGroup {
			continue
		}
		earliest(s.recorded, m, day)
		known := c.Provider.At(i) != "" || c.Channel.At(i) != ""
		if known {
			earliest(s.delivered, m, day)
		}
		if referred[t]++; r.Reason[i] == effect.ReasonPending {
			open[t]++
		}
		if !r.Complete[i] || math.IsNaN(r.Value[i]) {
			continue
		}
		cell.complete++
		cell.sum += r.Value[i]
		if known {
			cell.deliverer++
		}
		if r.Followed[i] {
			cell.followed++
		}
		if r.Value[i] != 0 {
			s.told[t] = true
		}
	}
	for t, n := range open {
		if 20*n > referred[t] {
			s.last = min(s.last, t-1)
		}
	}
	s.municipalities = slices.Sorted(maps.Keys(s.recorded))
	return s
}

// judge says what a municipality lacks, and from which period on it can be
// compared.
func (s *survey) judge(o Observed, m string, since int) (lacks []Lack, from int) {
	change := o.Since[m]
	lack := func(code string, from effect.Date, why string, args ...any) {
		lacks = append(lacks, Lack{m, code, change, from, fmt.Sprintf(why, args...)})
	}
	need := since - o.MinBefore // first period that must be comparable
	recorded, some := s.recorded[m]
	if !some {
		lack(LackRecorded, effect.NoDate, "no participation of match group %s (%s) is recorded", o.MatchGroup, o.MatchScheme)
		return lacks, 0
	}
	name := func(periods []int) string {
		var out []string
		for _, t := range periods {
			out = append(out, o.Calendar.Label(t))
		}
		return names(out)
	}
	// All that keeps a period before the change from being comparable; the periods
	// from the change on must have cases.
	var scheme, deliverer, followed, few []int
	delivered := s.delivered[m]
	for t := max(need, s.first); t <= s.last; t++ {
		c := s.at(m, t)
		switch {
		case c.mixed():
			scheme = append(scheme, t)
		case t < since && t < o.Calendar.Of(recorded):
			// told once, by the day since when participations are recorded
		case c.complete < o.MinCases:
			few = append(few, t)
		case float64(c.followed) < o.MinFollowed*float64(c.complete):
			followed = append(followed, t)
		case t < since && c.deliverer == 0 && delivered >= o.Calendar.Start(t):
			deliverer = append(deliverer, t)
		}
	}
	fresh := o.Calendar.Of(recorded) > need
	switch {
	case len(scheme) > 0:
		lack(LackScheme, recorded, "participations carry another match scheme than %s in %s, and match schemes are not joined without a crosswalk", o.MatchScheme, name(scheme))
	case fresh:
		lack(LackRecorded, recorded, "participations are recorded since %s only", recorded)
	}
	begin := o.Calendar.Start(s.first)
	switch {
	case s.first <= need:
	case o.From != effect.NoDate && o.From > o.Cohort.Start:
		lack(LackBefore, begin, "the periods compared begin %s", begin)
	case o.Calendar.Start(need) < o.Cohort.Start && !(fresh && recorded >= o.Cohort.Start):
		lack(LackCohort, o.Cohort.Start, "the cohort's period begins %s, so that earlier participations are not analysed", o.Cohort.Start)
	}
	if o.RegistersFrom != effect.NoDate && o.RegistersFrom > o.Calendar.Start(need) {
		lack(LackRegisters, o.RegistersFrom, "the registers tell of outcomes since %s only", o.RegistersFrom)
	} else {
		for t := max(need, s.first); t < since && t <= s.last; t++ {
			if s.at(m, t).complete >= o.MinCases && !s.told[t] {
				next := t + 1
				for next < s.last && !s.told[next] {
					next++
				}
				lack(LackRegisters, o.Calendar.Start(next), "the registers tell of no outcome of anybody referred before %s", o.Calendar.Start(next))
				break
			}
		}
	}
	if len(deliverer) > 0 {
		lack(LackDeliverer, delivered, "who delivered an offer is recorded since %s only", delivered)
	}
	if len(followed) > 0 {
		lack(LackFollowed, effect.NoDate, "the follow-up of under %.0f %% of the cases is known in %s", 100*o.MinFollowed, name(followed))
	}
	if len(few) > 0 {
		lack(LackCases, effect.NoDate, "fewer than %d cases with a complete window are known in %s", o.MinCases, name(few))
	}
	if since > s.last {
		lack(LackAfter, effect.NoDate, "no period from the change on has complete windows")
	}
	// Comparable before need too, as far as every period is.
	from = need
	for from > s.first {
		c := s.at(m, from-1)
		if c.complete < o.MinCases || c.mixed() || float64(c.followed) < o.MinFollowed*float64(c.complete) || c.deliverer == 0 && delivered >= o.Calendar.Start(from-1) || !s.told[from-1] ||
			o.RegistersFrom != effect.NoDate && o.RegistersFrom > o.Calendar.Start(from-1) {
			break
		}
		from--
	}
	return lacks, from
}

// AsNotComparable returns the NotComparable in an error's chain.
func AsNotComparable(err error) (*NotComparable, bool) {
	var n *NotComparable
	ok := errors.As(err, &n)
	return n, ok
}
