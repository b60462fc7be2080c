package bonus

import (
	"fmt"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ofPeople says what would have made a case count that a condition, a credit or a
// limit keeps out; "" for other rules.
func (w *why) ofPeople(rule, detail string, c *Clause) string {
	obs, referral, on := w.f.Observations, w.c.Referral[w.at], w.event(w.at, c)
	reached := ""
	if on != effect.NoDate {
		reached = fmt.Sprintf("it counts on %s; ", on)
	}
	switch rule {
	case RuleTooLate:
		if c.Conditions.Latest == nil {
			return ""
		}
		return fmt.Sprintf("%sfor a referral on %s the last day on which it counts is %s", reached, referral, c.Conditions.Latest.day(referral))
	case RuleOutsideWeeks:
		return w.weeks(reached, c)
	case RuleEvidencePending, RuleEvidenceMissing:
		e := c.Conditions.Evidence
		if e == nil || on == effect.NoDate {
			return ""
		}
		had := "has"
		if rule == RuleEvidenceMissing {
			had = "had"
		}
		return fmt.Sprintf("%sa document of kind %s %s to be received by %s; none was by %s", reached, e.Kind, had, on.Add(e.Within), obs.AsOf)
	case RuleUnless:
		return fmt.Sprintf("the citizen counts in clause %s; who counts there does not count here, on whatever day", detail)
	case RuleFigure, RuleFigureMissing:
		return w.figures(detail, on, c)
	case RuleCreditedToAnother, RuleNoRole:
		return w.credit(rule, reached)
	case RuleOtherAgreement, RuleOtherClause:
		return reached + "something else of the citizen came first, under the agreements that count together, and a citizen is paid for once"
	case RuleOverLimit:
		return reached + "a limit was used up by what came before it in the order of days"
	}
	return ""
}

// weeks tells the days of the weeks that the provider answers for.
func (w *why) weeks(reached string, c *Clause) string {
	x := c.Conditions.Weeks
	if x == nil {
		return ""
	}
	since, of := w.c.Referral[w.at], "referred"
	if x.Since == SinceFirstReferral {
		of = "first referred"
		for i := range int32(w.c.Len()) {
			if w.c.Person[i] == w.c.Person[w.at] && code(&w.c.Agreement, i) == code(&w.c.Agreement, w.at) {
				since = min(since, w.c.Referral[i])
			}
		}
	}
	from := since + effect.Date(7*(max(1, x.From)-1))
	if x.To == 0 {
		return fmt.Sprintf("%s%s on %s; it counts from %s on, in week %d", reached, of, since, from, max(1, x.From))
	}
	return fmt.Sprintf("%s%s on %s; it counts from %s to %s, in weeks %d to %d", reached, of, since, from, since+effect.Date(7*x.To-1), max(1, x.From), x.To)
}

// figures tells what the provider's figures are and must be.
func (w *why) figures(names string, on effect.Date, c *Clause) string {
	if on == effect.NoDate {
		on = w.f.Observations.AsOf
	}
	period := w.t.Periods.Period(on)
	book, err := NewFigureBook(w.f.Figures)
	if err != nil {
		return ""
	}
	var out []string
	for _, f := range c.Conditions.Figures {
		if !strings.Contains(","+names+",", ","+f.Figure+",") {
			continue
		}
		var must []string
		if f.AtLeast != nil {
			must = append(must, "at least "+f.AtLeast.String())
		}
		if f.AtMost != nil {
			must = append(must, "at most "+f.AtMost.String())
		}
		if f.MinN > 0 {
			must = append(must, fmt.Sprintf("of %d or more", f.MinN))
		}
		if f.Consecutive > 1 {
			must = append(must, fmt.Sprintf("%d times in a row", f.Consecutive))
		}
		figure, ok := book.For(f.Figure, w.c.Provider.At(int(w.at)), period)
		if f.Latest {
			if all := book.UpTo(f.Figure, w.c.Provider.At(int(w.at)), period.End-1); len(all) > 0 {
				figure, ok = all[0], true
			}
		}
		is := "is not known"
		if ok && figure.Value != "" {
			is = "is " + figure.Value
			if figure.N >= 0 {
				is += fmt.Sprintf(" (of %d)", figure.N)
			}
		}
		out = append(out, fmt.Sprintf("the provider's %s for %s %s, and must be %s", f.Figure, period.Name, is, strings.Join(must, ", ")))
	}
	return strings.Join(out, "; ")
}

// credit tells by which rule somebody else is credited, without saying who.
func (w *why) credit(rule, reached string) string {
	a := w.t.Attribution
	if a == nil {
		return ""
	}
	if rule == RuleNoRole {
		return fmt.Sprintf("%scredited is the case with the role %s, and none of the citizen's that was referred by then has it", reached, a.Role)
	}
	who := map[Credit]string{
		CreditLast:    "the case of the citizen that was referred last, up to the day on which it was first reached",
		CreditLongest: "the case of the citizen with most days of course by the day on which it was first reached",
		CreditSplit:   "the citizen's cases with days of course before the day on which it was first reached",
		CreditRole:    fmt.Sprintf("the latest referred case of the citizen with the role %s", a.Role),
	}[a.Credit]
	return fmt.Sprintf("%scredited is %s, and a citizen is paid for once", reached, who)
}
