package bonus

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Reasons tell what would have made cases count, from the terms and the facts
// that were settled. They are made by [NewReasons], and are read-only.
type Reasons struct {
	terms []*Terms
	f     Facts
	cases map[int32][]int32 // of each person
	// Discreet leaves out the dates of a citizen's cases at other providers.
	Discreet bool
}

// NewReasons prepares to explain cases. Without observations nothing more than
// the rules is told.
func NewReasons(terms []*Terms, f Facts) *Reasons {
	r := &Reasons{terms: terms, f: f, cases: map[int32][]int32{}}
	if f.Observations == nil || f.Observations.Cases == nil {
		return r
	}
	for i, p := range f.Observations.Cases.Person {
		r.cases[p] = append(r.cases[p], int32(i))
	}
	return r
}

// Why adds to each clause by which a case did not count what would have made it
// count, with the dates that matter. Other cases of the citizen are told by their
// dates, never by their ids. A clause of which nothing more is known keeps its
// rule alone, and so do all where the case is not among the facts.
//
// A new rule has its sentence in ruleText, and here what would have changed it.
func (r *Reasons) Why(e CaseExplanation) CaseExplanation {
	if r.f.Observations == nil || r.f.Observations.Cases == nil {
		return e
	}
	w := why{Reasons: r, c: r.f.Observations.Cases}
	id := effect.TextID(e.Participation)
	at, ok := w.c.ID.Find(id)
	if !ok {
		return e
	}
	w.at = int32(at)
	k := slices.IndexFunc(r.terms, func(t *Terms) bool { return t.Agreement == w.c.Agreement.At(at) })
	if k < 0 {
		return e
	}
	w.t = r.terms[k]
	out := CaseExplanation{Participation: e.Participation, Clauses: slices.Clone(e.Clauses), Needed: make([]string, len(e.Clauses)), Entries: e.Entries}
	for i := range out.Clauses {
		out.Needed[i] = w.needed(&out.Clauses[i])
	}
	return out
}

// why is a case with what is known of it.
type why struct {
	*Reasons
	c  *effect.Cases
	t  *Terms
	at int32
}

// clause is the clause of a row in the version that the case is under.
func (w *why) clause(row *CaseLine) *Clause {
	asOf := w.f.Observations.AsOf
	var out *Clause
	w.t.eachClause(func(v, _ int, c *Clause) {
		if c.ID == row.Clause && (out == nil || w.t.versionFor(w.c.Referral[w.at], asOf) == v) {
			out = c
		}
	})
	return out
}

func (w *why) needed(row *CaseLine) string {
	rule, detail, _ := strings.Cut(row.Rule, ":")
	obs, referral := w.f.Observations, w.c.Referral[w.at]
	switch rule {
	case RuleCounted:
		return ""
	case RuleOutsideAgreement:
		return fmt.Sprintf("referred on %s; referrals from %s on and before %s are under the agreement", referral, w.t.Starts, w.t.Ends)
	case RuleNoProvider:
		return "the participation has no provider: it is one of the municipality's own projects, which nobody is paid for"
	case RuleNoVersion:
		var in []string
		for i := range w.t.Versions {
			in = append(in, fmt.Sprintf("from %s up to %s", w.t.Versions[i].ValidFrom, w.t.Until(i)))
		}
		return fmt.Sprintf("referred on %s; the versions are in force %s", referral, strings.Join(in, ", "))
	case RuleExcluded:
		if text := w.excluded(detail, row); text != "" {
			return text
		}
	case RuleEarlierCase:
		return w.earlier("the first was referred on %s, outside the referrals that are measured%s; that one alone could be paid for")
	}
	c := w.clause(row)
	if c == nil {
		return ""
	}
	switch rule {
	case RulePackageNotEligible:
		var pay []string
		for i := range w.t.Packages {
			if c.Conditions.allow(&w.t.Packages[i]) {
				pay = append(pay, w.t.Packages[i].ID)
			}
		}
		return fmt.Sprintf("the case is in package %s; the clause pays for %s", w.c.Package.At(int(w.at)), cmp.Or(strings.Join(pay, ", "), "none"))
	case RuleNotStarted:
		return fmt.Sprintf("it counts on the first day of the course; none is known up to %s", obs.AsOf)
	case RuleIndicator:
		return w.indicators(c, detail)
	case RuleAlreadyPaid:
		return w.alreadyPaid(c)
	case RuleCreditedToAnother, RuleNoRole, RuleOtherClause, RuleOtherAgreement:
		return w.attributed(rule, c)
	case RuleTooLate, RuleOutsideWeeks, RuleEvidenceMissing, RuleEvidencePending:
		return w.conditions(rule, c)
	case RuleFigure, RuleFigureMissing:
		return w.figures(c, detail)
	case RuleOverLimit:
		return w.overLimit(c)
	case RuleNotDue:
		return w.notDue(c)
	case RuleNotReached, RulePending, RuleLeft, RuleNotFollowed:
		if c.Measure.Score != nil && rule == RulePending {
			return fmt.Sprintf("a score is made when the settlement period is over in which the case counts, which was not so by %s", obs.AsOf)
		}
		var out []string
		for _, name := range c.Measure.Outcomes() {
			if r, ok := obs.Result(name); ok {
				out = append(out, w.outcome(r, c))
			}
		}
		if rule == RulePending && len(out) == 0 {
			out = append(out, fmt.Sprintf("the day on which it counts lies after %s", obs.AsOf))
		}
		return strings.Join(out, "; or ")
	}
	return ""
}

// outcome says what one outcome of the case lacks to count.
func (w *why) outcome(r *effect.Result, c *Clause) string {
	i, asOf := w.at, w.f.Observations.AsOf
	window, last := "its window", ""
	if len(r.WindowEnd) > 0 && r.WindowEnd[i] != effect.NoDate {
		last = (r.WindowEnd[i] - 1).String()
		window = fmt.Sprintf("its window, whose last day is %s", last)
	}
	on := effect.NoDate
	if len(r.ReachedOn) > 0 {
		on = r.ReachedOn[i]
	}
	value := ""
	if r.Unit != effect.UnitShare && len(r.Value) > 0 && figure(r.Value[i]) != nil {
		value = fmt.Sprintf(" (it is %s %s)", text(r.Value[i]), r.Unit)
	}
	switch {
	case c.Measure.Effect != "" && r.Reason[i] == effect.ReasonLeft, r.Status[i] == effect.Left:
		return fmt.Sprintf("%s: the citizen died or emigrated within %s; who counts was there for all of it, or reached it before", r.Outcome, window)
	case c.Measure.Effect != "" && r.Reason[i] == effect.ReasonPending:
		return fmt.Sprintf("%s counts once %s is over; figures are as of %s", r.Outcome, window, asOf)
	case on != effect.NoDate && on > asOf:
		return fmt.Sprintf("%s was reached on %s, after %s, up to which is settled", r.Outcome, on, asOf)
	case r.Absence && on != effect.NoDate && len(r.Followed) > 0 && !r.Followed[i]:
		return fmt.Sprintf("%s was reached on %s by being in none of the states; for that the registers must know the citizen and reach %s", r.Outcome, on, cmp.Or(last, "so far"))
	case r.Status[i] == effect.Pending:
		return fmt.Sprintf("%s counts if it is reached within %s; it was not by %s%s", r.Outcome, window, asOf, value)
	case on != effect.NoDate:
		return fmt.Sprintf("%s was reached on %s, and %s", r.Outcome, on, strings.Replace(window, "its window, whose last day is", "the last day of its window was", 1))
	}
	return fmt.Sprintf("%s had to be reached within %s%s%s", r.Outcome, window, value, w.firstJob())
}

// firstJob tells the first run of work after the referral, where it was looked
// for.
func (w *why) firstJob() string {
	g, i := w.f.Observations.Signals, w.at
	switch {
	case g == nil || !g.InCohort[i]:
		return ""
	case g.RunStart[i] == effect.NoDate:
		return "; no unsupported work began in the year after the referral"
	case g.RunEnd[i] == effect.NoDate:
		return fmt.Sprintf("; the first run of unsupported work after the referral began on %s and still went on, after %s", g.RunStart[i], count(int64(g.RunDays[i]), "day"))
	}
	return fmt.Sprintf("; the first run of unsupported work after the referral went from %s to %s, %s", g.RunStart[i], g.RunEnd[i]-1, count(int64(g.RunDays[i]), "day"))
}

// excluded says why a case is not measured.
func (w *why) excluded(reason string, row *CaseLine) string {
	why, _ := effect.ParseReason(reason)
	obs, referral := w.f.Observations, w.c.Referral[w.at]
	switch why {
	case effect.ReasonOutsidePeriod:
		if obs.Period.End <= obs.Period.Start {
			return fmt.Sprintf("referred on %s, outside the referrals that are measured", referral)
		}
		return fmt.Sprintf("referred on %s; referrals from %s on and before %s are measured", referral, obs.Period.Start, obs.Period.End)
	case effect.ReasonNotFirst:
		return w.earlier("the first was referred on %s%s; that one is measured")
	case effect.ReasonNoClock:
		return "the day from which the outcome is counted, the first or the last of the course, must be given"
	}
	return ""
}

// earlier tells the first case of the citizen under the agreement.
func (w *why) earlier(format string) string {
	first := int32(-1)
	for _, i := range w.cases[w.c.Person[w.at]] {
		if i != w.at && w.c.Agreement.CodeAt(int(i)) == w.c.Agreement.CodeAt(int(w.at)) && (first < 0 || w.c.Referral[i] < w.c.Referral[first]) {
			first = i
		}
	}
	if first < 0 || w.hidden(first) {
		return ""
	}
	return fmt.Sprintf(format, w.c.Referral[first], w.elsewhere(first))
}

// hidden says whether nothing may be told of another case.
func (w *why) hidden(i int32) bool { return w.Discreet && w.elsewhere(i) != "" }

// elsewhere says that a case is another provider's, without saying whose.
func (w *why) elsewhere(i int32) string {
	if w.c.Provider.CodeAt(int(i)) != w.c.Provider.CodeAt(int(w.at)) {
		return " to another provider"
	}
	return ""
}

// alreadyPaid tells the case of the citizen that reached it first.
func (w *why) alreadyPaid(c *Clause) string {
	first, on := int32(-1), effect.NoDate
	for _, i := range w.cases[w.c.Person[w.at]] {
		if i == w.at || w.c.Agreement.CodeAt(int(i)) != w.c.Agreement.CodeAt(int(w.at)) {
			continue
		}
		day := w.first(i, c)
		if day != effect.NoDate && (first < 0 || day < on) {
			first, on = i, day
		}
	}
	own := w.first(w.at, c)
	if first < 0 || own == effect.NoDate || w.hidden(first) {
		return ""
	}
	return fmt.Sprintf("it counts here on %s, and on %s in another case of the citizen, referred on %s%s; a citizen is paid for once", own, on, w.c.Referral[first], w.elsewhere(first))
}

// attributed tells who is credited, or what a citizen is paid for, by the terms. It
// tells nothing of the citizen's other cases.
func (w *why) attributed(rule string, c *Clause) string {
	a := w.t.Attribution
	if a == nil {
		return ""
	}
	switch rule {
	case RuleOtherClause, RuleOtherAgreement:
		on := w.event(w.at, c)
		if on == effect.NoDate {
			return ""
		}
		together := ""
		if len(a.Across) > 0 {
			together = " under " + strings.Join(a.group(w.t.Agreement), ", ") + " together"
		}
		return fmt.Sprintf("it counts here on %s; section %s pays for what a citizen reached first%s, and for that alone", on, a.Section, together)
	}
	return fmt.Sprintf("section %s credits %s", a.Section, map[Credit]string{
		CreditFirst:   "the case that reached it first",
		CreditLast:    "the case that was referred last, by the day on which it was reached",
		CreditLongest: "the case with most days of course, by the day on which it was reached",
		CreditSplit:   "each case by its days of course, up to the day on which it was reached; this one has none",
		CreditRole:    fmt.Sprintf("the case with the role %s that was referred last, by the day on which it was reached", a.Role),
	}[cmp.Or(a.Credit, CreditFirst)])
}

// conditions tells the days of the conditions on a case.
func (w *why) conditions(rule string, c *Clause) string {
	on, referral := w.event(w.at, c), w.c.Referral[w.at]
	reached := "it was not reached by then"
	if on != effect.NoDate {
		reached = fmt.Sprintf("it was reached on %s", on)
	}
	switch x := &c.Conditions; {
	case rule == RuleTooLate && x.Latest != nil:
		return fmt.Sprintf("the last day on which it counts is %s; %s", x.Latest.day(referral), reached)
	case rule == RuleOutsideWeeks && x.Weeks != nil && on != effect.NoDate:
		since, which := referral, "the referral"
		if x.Weeks.Since == SinceFirstReferral {
			for _, i := range w.cases[w.c.Person[w.at]] {
				if k := slices.IndexFunc(w.terms, func(t *Terms) bool { return t.Agreement == w.c.Agreement.At(int(i)) }); k >= 0 && w.together(w.terms[k]) && w.terms[k].covers(w.c.Referral[i]) {
					since = min(since, w.c.Referral[i])
				}
			}
			which = "the citizen's first referral"
		}
		from := max(1, x.Weeks.From)
		window := fmt.Sprintf("from week %d, which begins on %s, on", from, since+effect.Date(7*(from-1)))
		if to := x.Weeks.To; to != nil {
			window = fmt.Sprintf("in weeks %d to %d, from %s to %s", from, *to, since+effect.Date(7*(from-1)), since+effect.Date(7**to)-1)
		}
		if w.Discreet && since != referral {
			return ""
		}
		return fmt.Sprintf("it counts %s, counted from %s on %s; it was reached on %s", window, which, since, on)
	case x.Evidence != nil && on != effect.NoDate:
		last := on.Add(x.Evidence.Within)
		received := "none was received by " + w.f.Observations.AsOf.String()
		if day, ok := firstEvidence(w.f.Evidence)[evidenceKey{w.c.ID.At(int(w.at)).String(), x.Evidence.Kind}]; ok {
			received = fmt.Sprintf("one was received on %s", day)
		}
		return fmt.Sprintf("it was reached on %s; a document of kind %s counts if it is received by %s; %s", on, x.Evidence.Kind, last, received)
	}
	return ""
}

// together says whether an agreement counts together with that of the case.
func (w *why) together(t *Terms) bool {
	return t == w.t || w.t.Attribution != nil && slices.Contains(w.t.Attribution.Across, t.Agreement)
}

// figures tells the figures about the provider that are outside their limits.
func (w *why) figures(c *Clause, names string) string {
	book, err := NewFigureBook(w.f.Figures)
	on := w.event(w.at, c)
	if err != nil || on == effect.NoDate {
		return ""
	}
	period := w.t.Periods.Period(on)
	var out []string
	for _, limit := range c.Conditions.Figures {
		if !slices.Contains(strings.Split(names, ","), limit.Figure) {
			continue
		}
		var asked []string
		if limit.AtLeast != nil {
			asked = append(asked, "at least "+limit.AtLeast.String())
		}
		if limit.AtMost != nil {
			asked = append(asked, "at most "+limit.AtMost.String())
		}
		found, ok := book.For(limit.Figure, w.c.Provider.At(int(w.at)), period)
		if limit.Latest {
			list := book.UpTo(limit.Figure, w.c.Provider.At(int(w.at)), period.End-1)
			if ok = len(list) > 0; ok {
				found = list[0]
			}
		}
		now := "is not known for " + period.Name
		if ok {
			now = fmt.Sprintf("is %s for %s", cmp.Or(found.Value, "no number"), found.Period)
			if found.N >= 0 {
				now += fmt.Sprintf(", of %d", found.N)
			}
		}
		must := strings.Join(asked, " and ")
		if limit.MinN > 0 {
			must += fmt.Sprintf(", of %d or more", limit.MinN)
		}
		if limit.Consecutive > 1 {
			must += fmt.Sprintf(", %d times in a row", limit.Consecutive)
		}
		out = append(out, fmt.Sprintf("%s %s, and must be %s", limit.Figure, now, must))
	}
	return strings.Join(out, "; ")
}

// overLimit names the limits on cases that are about the clause.
func (w *why) overLimit(c *Clause) string {
	on := w.event(w.at, c)
	if on == effect.NoDate {
		on = w.f.Observations.AsOf
	}
	var out []string
	limits := w.t.Versions[w.t.limitsFor(w.t.Periods.Period(on))].Limits
	for i := range limits {
		if l := &limits[i]; l.onEntries() && l.Most != nil && l.scope().about(c.ID) {
			out = append(out, fmt.Sprintf("section %s pays at most %s (%s) for a %s over the %s", l.Section, l.Most, l.of(), l.Per, l.Over))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "; ") + "; what counts on an earlier day comes first"
}

// event is the day on which a clause counts a case, by its own facts alone.
func (w *why) event(i int32, c *Clause) effect.Date {
	switch {
	case c.Measure.Referred:
		return w.c.Referral[i]
	case c.Measure.Started:
		if w.c.Start == nil {
			return effect.NoDate
		}
		return w.c.Start[i]
	}
	on := effect.NoDate
	for _, name := range c.Measure.Outcomes() {
		r, ok := w.f.Observations.Result(name)
		if c.Measure.Sum != "" {
			break // it counts on many days
		}
		if ok && len(r.ReachedOn) > 0 && r.Status[i] == effect.Reached && r.ReachedOn[i] != effect.NoDate && (on == effect.NoDate || r.ReachedOn[i] < on) {
			on = r.ReachedOn[i]
		}
	}
	return on
}

// first is the event; of a sum the first day on which something of it counts.
func (w *why) first(i int32, c *Clause) effect.Date {
	r, ok := w.f.Observations.Result(c.Measure.Sum)
	switch {
	case c.Measure.Sum == "" || !ok:
		return w.event(i, c)
	case r.Dates.Kept() && len(r.Dates.Of(int(i))) > 0:
		return r.Dates.Of(int(i))[0]
	case !r.Dates.Kept() && r.Complete[i] && r.Value[i] > 0:
		return r.WindowEnd[i] - 1
	}
	return effect.NoDate
}

// indicators tells the measured shares of those above their limits.
func (w *why) indicators(c *Clause, names string) string {
	known := indicators(w.f.Indicators)[place{w.c.Municipality.At(int(w.at)), w.c.Provider.At(int(w.at))}]
	var out []string
	for _, name := range strings.Split(names, ",") {
		limit := c.Conditions.Indicators[Indicator(name)]
		for _, row := range known {
			switch {
			case string(row.Indicator) != name:
			case row.NotEvaluated != "" || row.N == 0:
				out = append(out, fmt.Sprintf("%s must be counted (%s)", name, row.NotEvaluated))
			default:
				out = append(out, fmt.Sprintf("%s is %d of %d, and must be at most %s of them: %s", name, row.Count, row.N, limit, floor(limit.Rat(), row.N)))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// floor is the whole part of a share of n.
func floor(share *big.Rat, n int64) string {
	x := new(big.Rat).Mul(share, big.NewRat(n, 1))
	return new(big.Int).Quo(x.Num(), x.Denom()).String()
}

// About says whether one of the clauses is about an outcome.
func (e CaseExplanation) About(outcome string, terms []*Terms) (about bool) {
	for _, t := range terms {
		t.eachClause(func(_, _ int, c *Clause) {
			about = about || slices.Contains(c.Measure.Outcomes(), outcome) && slices.ContainsFunc(e.Clauses, func(x CaseLine) bool { return x.Clause == c.ID })
		})
	}
	return about
}
