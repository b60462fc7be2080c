package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// replay settles the terms at every settlement date up to as_of with what was
// known then: spells are cut off at the date, as a run does. What a date adds is
// what is settled by it less what was by the date before, so that an effect that
// is measured again for the same referrals is paid once, and cases that were not
// known in time are paid when they are. Terms for which the days of the data
// were moved have no past to replay.
func (s *simulation) replay(ctx context.Context) error {
	if !s.Replay {
		return nil
	}
	dates := map[effect.Date]bool{}
	var order []effect.Date
	for _, set := range s.sets {
		if set.months != 0 {
			continue
		}
		for _, t := range set.terms {
			for day := max(t.Starts, s.obs.Period.Start); ; {
				end := t.Periods.Period(day).End
				if end-1 > s.obs.AsOf {
					break
				}
				if !dates[end-1] {
					dates[end-1], order = true, append(order, end-1)
				}
				day = end
			}
		}
	}
	slices.Sort(order)
	type at struct {
		set   *termsSet
		payee payee
	}
	before := map[at]bonus.Ore{}
	count := effect.Count(ctx, "settling the past", "dates", int64(len(order)))
	ctx = effect.WithMeter(ctx, nil)
	for _, day := range order {
		m, b := s.m, s.b
		if day != s.obs.AsOf {
			c := s.c.with(day)
			var err error
			if m, err = Measure(ctx, s.ds, c); err != nil {
				return fmt.Errorf("as of %s: %w", day, err)
			}
			e, err := Estimate(ctx, s.ds, c, m.Observations)
			if err != nil {
				return fmt.Errorf("as of %s: %w", day, err)
			}
			if b, err = Benchmark(ctx, s.ds, c, m.Observations, *e); err != nil {
				return fmt.Errorf("as of %s: %w", day, err)
			}
		}
		for _, set := range s.sets {
			due := slices.ContainsFunc(set.terms, func(t *bonus.Terms) bool { return t.Periods.Period(day).End-1 == day && day >= t.Starts })
			if set.months != 0 || !due {
				continue
			}
			then := *set
			if err := then.see(settled(*m, *b, nil)); err != nil {
				return fmt.Errorf("as of %s: %w", day, err)
			}
			settled, err := bonus.Settle(ctx, set.terms, then.base)
			if err != nil {
				return fmt.Errorf("as of %s: %w", day, err)
			}
			total := *set.tally(settled, nil)
			stopped := map[payee]int64{}
			periods := map[string]string{}
			for _, t := range set.terms {
				periods[set.from[t.Agreement]] = t.Periods.Period(day).Name
			}
			for i := range settled.Lines {
				if l := &settled.Lines[i]; l.Gated() {
					stopped[payee{set.from[l.Agreement], l.Provider, ""}]++
				}
			}
			// Who had something before and has no line now is told too.
			for k := range before {
				if _, ok := total[k.payee]; k.set == set && !ok {
					total[k.payee] = paid{}
				}
			}
			for _, k := range payees([]tally{total}) {
				if k.year != "" || k.provider == "" {
					continue
				}
				p := total[k]
				s.out.Replays = append(s.out.Replays, SimulationReplay{
					Terms: set.name, Agreement: k.agreement, Provider: k.provider, Period: periods[k.agreement], AsOf: day,
					Settled: p.total, Change: p.total - before[at{set, k}], Effects: p.effects, Stopped: stopped[k],
				})
				before[at{set, k}] = p.total
			}
		}
		count.Add(1)
	}
	slices.SortStableFunc(s.out.Replays, func(a, b SimulationReplay) int {
		return cmp.Or(
			cmp.Compare(slices.Index(s.out.names, a.Terms), slices.Index(s.out.names, b.Terms)),
			cmp.Compare(a.Agreement, b.Agreement), cmp.Compare(a.AsOf, b.AsOf), cmp.Compare(a.Provider, b.Provider),
		)
	})
	return nil
}
