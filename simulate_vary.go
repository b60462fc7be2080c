package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
)

// The ways in which a payment is looked at again.
const (
	VaryMain   = "main"
	VaryPeer   = "peer"
	VaryK      = "k"
	VaryWindow = "window"
	VaryVolume = "volume"
)

// vary says what the providers would be paid with other peers, over other windows
// and with other numbers of citizens.
func (s *simulation) vary(ctx context.Context) error {
	for _, set := range s.sets {
		if set.main != nil {
			s.varied(set, VaryMain, "", *set.main, "")
		}
	}
	effects := slices.ContainsFunc(s.sets, func(set *termsSet) bool { return len(set.effects()) > 0 })
	if s.c.Peers != nil && effects && s.Simulation.Sensitivity {
		if err := s.varyPeers(ctx); err != nil {
			return err
		}
	}
	if s.Simulation.Sensitivity {
		if err := s.varyWindows(ctx); err != nil {
			return err
		}
	}
	s.varyVolumes()
	return nil
}

// varied adds a row for each provider, and one for all together.
func (s *simulation) varied(set *termsSet, variation, what string, t tally, note string) {
	all := []tally{*set.main, t}
	for _, k := range payees(all) {
		if k.year != "" {
			continue
		}
		row := SimulationVariation{Terms: set.name, Agreement: k.agreement, Provider: k.provider, Variation: variation, What: what, Note: note}
		row.Amount, row.Change = effect.Round(float64(t[k].total)/100), effect.Round(float64(t[k].total-(*set.main)[k].total)/100)
		if note != "" {
			row.Amount, row.Change = math.NaN(), math.NaN()
		}
		s.out.Sensitivity = append(s.out.Sensitivity, row)
	}
}

// again settles every set on other figures and, unless change is nil, on changed
// observations. A set that cannot be
// settled so has rows that say why.
func (s *simulation) again(ctx context.Context, variation, what string, change func(*effect.Observations) *effect.Observations, benchmark []effect.BenchmarkRow, diagnostics []effect.Diagnostic) error {
	for _, set := range s.sets {
		facts := set.facts(nil, benchmark, diagnostics)
		if change != nil {
			facts.Observations = change(facts.Observations)
		}
		settled, err := bonus.Settle(ctx, set.terms, facts)
		if err != nil {
			var faults *bonus.Faults
			if !errors.As(err, &faults) {
				return err
			}
			s.varied(set, variation, what, *set.main, "cannot be settled: "+firstLine(err))
			continue
		}
		s.varied(set, variation, what, *set.tally(settled, nil), "")
	}
	return nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// varyPeers leaves each peer of the municipalities that are paid in out in turn,
// and takes two peers fewer and two more.
func (s *simulation) varyPeers(ctx context.Context) error {
	members, aggregated, conditions, err := reference(ctx, s.ds, s.c)
	if err != nil {
		return err
	}
	paid := map[string]bool{}
	for i := range s.pool.rows {
		paid[s.pool.rows[i].Municipality] = true
	}
	settle := func(variation, what string, peers []peer.Peer) error {
		peers = slices.DeleteFunc(slices.Clone(peers), func(p peer.Peer) bool { return !paid[p.Municipality] })
		estimates, err := effect.Estimates(ctx, s.obs, s.c.design(peers, members, aggregated), s.c.Methods())
		if err != nil {
			return err
		}
		benchmark := effect.Benchmark(estimates)
		return s.again(ctx, variation, what, nil, benchmark, effect.Diagnostics(estimates, benchmark))
	}
	var out []string
	for _, p := range s.e.Peers {
		if paid[p.Municipality] && !slices.Contains(out, p.Peer) {
			out = append(out, p.Peer)
		}
	}
	slices.Sort(out)
	for _, name := range out {
		less := slices.DeleteFunc(slices.Clone(s.e.Peers), func(p peer.Peer) bool { return p.Peer == name })
		if err := settle(VaryPeer, name, less); err != nil {
			return err
		}
	}
	if !s.c.choosesPeers() || s.c.Peers.K == 0 {
		return nil
	}
	known := inCohort(s.obs.Cases, s.obs.Results[0].Reason)
	for _, k := range []int{s.c.Peers.K - 2, s.c.Peers.K + 2} {
		if k < effect.MinPeers || k >= len(known) {
			continue
		}
		c, p := *s.c, *s.c.Peers
		p.K, p.Recorded, c.Peers = k, "", &p
		chosen, err := choosePeers(&c, conditions, known, aggregated)
		if err != nil {
			return err
		}
		if err := settle(VaryK, strconv.Itoa(k), chosen.Peers); err != nil {
			return err
		}
	}
	return nil
}

// varyWindows pays on the outcomes that ask the same over another window, where
// the run file names them.
func (s *simulation) varyWindows(ctx context.Context) error {
	for _, outcome := range slices.Sorted(maps.Keys(s.windows)) {
		paid := slices.ContainsFunc(s.sets, func(set *termsSet) bool {
			return slices.ContainsFunc(set.terms, func(t *bonus.Terms) bool {
				for clause := range clausesOf(t) {
					if slices.Contains(clause.Measure.Outcomes(), outcome) {
						return true
					}
				}
				return false
			})
		})
		if !paid {
			continue
		}
		for _, other := range s.windows[outcome] {
			var benchmark []effect.BenchmarkRow
			for _, r := range s.b.Benchmark {
				if r.Outcome != outcome {
					benchmark = append(benchmark, r)
				}
				if r.Outcome == other {
					r.Outcome = outcome
					benchmark = append(benchmark, r)
				}
			}
			var diagnostics []effect.Diagnostic
			for _, d := range s.b.Diagnostics {
				if d.Outcome != outcome {
					diagnostics = append(diagnostics, d)
				}
				if d.Outcome == other {
					d.Outcome = outcome
					diagnostics = append(diagnostics, d)
				}
			}
			instead := func(o *effect.Observations) *effect.Observations {
				obs := *o
				obs.Results = slices.Clone(obs.Results)
				if r, ok := o.Result(other); ok {
					for k := range obs.Results {
						if obs.Results[k].Outcome == outcome {
							obs.Results[k] = *r
							obs.Results[k].Outcome = outcome
						}
					}
				}
				return &obs
			}
			if err := s.again(ctx, VaryWindow, fmt.Sprintf("%s in place of %s", other, outcome), instead, benchmark, diagnostics); err != nil {
				return err
			}
		}
	}
	return nil
}

// varyVolumes sets the means over the draws with other numbers of citizens beside
// that with those of the data.
func (s *simulation) varyVolumes() {
	type key struct {
		terms string
		payee payee
	}
	main := map[key]float64{}
	var rows []SimulationVariation
	add := func(terms string, k payee, truth Truth, volume, mean float64) {
		if truth != TruthMeasured || k.year != "" {
			return
		}
		if volume == 1 {
			main[key{terms, k}] = mean
			return
		}
		rows = append(rows, SimulationVariation{
			Terms: terms, Agreement: k.agreement, Provider: k.provider, Variation: VaryVolume, What: multiple(volume),
			Amount: mean, Change: effect.Round(mean - main[key{terms, k}]),
		})
	}
	for _, r := range s.out.Totals {
		add(r.Terms, payee{r.Agreement, "", r.Year}, r.Truth, r.Volume, r.Mean)
	}
	for _, r := range s.out.Rows {
		add(r.Terms, payee{r.Agreement, r.Provider, r.Year}, r.Truth, r.Volume, r.Mean)
	}
	slices.SortStableFunc(rows, func(a, b SimulationVariation) int {
		return cmp.Or(
			cmp.Compare(slices.Index(s.out.names, a.Terms), slices.Index(s.out.names, b.Terms)), cmp.Compare(a.What, b.What),
			cmp.Compare(a.Agreement, b.Agreement), cmp.Compare(a.Provider, b.Provider),
		)
	})
	s.out.Sensitivity = append(s.out.Sensitivity, rows...)
}
