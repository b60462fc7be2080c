package bonus

import (
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// summed says whether what an outcome counts can be added up case by case.
func summed(unit effect.Unit) bool {
	return slices.Contains([]effect.Unit{effect.UnitDays, effect.UnitWeeks, effect.UnitHours, effect.UnitKroner}, unit)
}

// needsDates says whether the single things an outcome counts are paid for as
// they come, and not when the window is over: weeks are.
func needsDates(unit effect.Unit) bool { return unit == effect.UnitWeeks }

// findSum is what a case has of a sum: the rule, and the first day on which
// something of it counts. Weeks count on their last day, as they come, up to the
// day on which the person left. Any other sum counts once, on the last day of its
// window, when that is complete.
func (m *Measure) findSum(s *settler, i int32) (rule string, reason effect.Reason, on effect.Date) {
	r, _ := s.obs.Result(m.Sum)
	reason = r.Reason[i]
	switch {
	case reason != effect.NoReason && reason != effect.ReasonPending && reason != effect.ReasonLeft:
		return RuleExcluded, reason, s.obs.AsOf
	case r.Dates.Kept() && len(r.Dates.Of(int(i))) > 0:
		return RuleCounted, reason, r.Dates.Of(int(i))[0]
	case !r.Dates.Kept() && r.Complete[i] && r.Value[i] > 0:
		return RuleCounted, reason, r.WindowEnd[i] - 1
	case r.Complete[i]:
		rule = RuleNotReached
	case reason == effect.ReasonLeft:
		rule = RuleLeft
	default:
		rule = RulePending
	}
	return rule, reason, s.obs.AsOf
}

// piece is a part of a case's sum: what falls into one settlement period.
type piece struct {
	on       effect.Date // the last day that counts in it
	quantity fraction
}

// piecesIn are the parts of what a case has of a clause that belong to a version;
// where the case does not count it is one part without a day, in the version that
// is in force as of the event. They are valid until the next call.
func (s *settler) piecesIn(i int32, version int, clause *Clause, rule string, event effect.Date) ([]piece, error) {
	m, t, referral := &clause.Measure, s.terms[s.termsOf(i)], s.cases.Referral[i]
	out := s.found[:0]
	if m.Sum == "" || rule != RuleCounted {
		if t.versionFor(referral, event) != version {
			return nil, nil
		}
		s.found = append(out, piece{event, whole(1)})
		return s.found, nil
	}
	r, _ := s.obs.Result(m.Sum)
	if !r.Dates.Kept() {
		if t.versionFor(referral, event) != version {
			return nil, nil
		}
		q, err := newFraction(figure(r.Value[i]))
		s.found = append(out, piece{event, q})
		return s.found, err
	}
	end, mine, byDay := effect.NoDate, false, s.byDay(t, clause)
	for _, on := range r.Dates.Of(int(i)) {
		if on >= end || byDay {
			end = s.period(t, on).End
			if mine = t.versionFor(referral, on) == version; mine {
				out = append(out, piece{on, whole(0)})
			}
		}
		if mine {
			last := &out[len(out)-1]
			last.on, last.quantity.num = on, last.quantity.num+1
		}
	}
	s.found = out
	return out, nil
}
