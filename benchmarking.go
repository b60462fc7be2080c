package jobeffekt

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/effect/survival"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Benchmarked is what the fourth step makes of observations and estimates: the
// parts of every difference, what a payment may depend on, and what is told
// beside them. Terms pay on Benchmark, and judge Diagnostics and Indicators.
type Benchmarked struct {
	Benchmark   []effect.BenchmarkRow
	Diagnostics []effect.Diagnostic
	Comparison  []effect.ComparisonRow  // citizens seen together in other ways than by provider
	Spending    []SpendingRow           // what was spent, beside its citizens and their effects
	Profile     []profile.Row           // each cell among those of its family
	League      []profile.LeagueRow     // a municipality's providers on one common target
	Sensitivity []effect.SensitivityRow // the same differences looked at in other ways
	Curves      []survival.Row          // who has left by which day, by outcomes of time
	Rankings    []RankingRow            // municipalities by observed less expected share
	BeforeAfter *BeforeAndAfter         // nil where nobody asked for it
	Watched

	names map[string]string // of municipalities, as far as they are known
}

// called is a municipality with its name, for the summary.
func (b *Benchmarked) called(municipality string) string {
	return named(municipality, b.names[municipality])
}

// Sensitivity says in which other ways differences are looked at.
type Sensitivity struct {
	Peers    *bool               `yaml:"peers,omitempty" doc:"without each peer in turn; left out: true"`
	Dropouts *bool               `yaml:"dropouts,omitempty" doc:"without those who never started; left out: true"`
	Windows  map[string][]string `yaml:"windows,omitempty" doc:"outcome: [outcomes that ask the same over another window]"`
}

// checkSensitivity finds windows of outcomes that are not asked for, or that do not
// ask the same.
func (c *Config) checkSensitivity(fault func(path, format string, args ...any)) {
	if c.Sensitivity == nil {
		return
	}
	names, units := c.outcomeNames(), map[string]effect.Unit{}
	for _, a := range c.Outcomes {
		if out, faults := a.outcome(); faults == nil {
			units[a.Name] = out.Measure.Unit()
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(c.Sensitivity.Windows)) {
		at := "sensitivity.windows." + outcome
		if !slices.Contains(names, outcome) {
			fault(at, "there is no outcome %q%s", outcome, strict.Suggest(outcome, names))
		}
		for i, name := range c.Sensitivity.Windows[outcome] {
			at := fmt.Sprintf("%s[%d]", at, i)
			switch of, is := units[outcome], units[name]; {
			case !slices.Contains(names, name):
				fault(at, "there is no outcome %q%s", name, strict.Suggest(name, names))
			case name == outcome:
				fault(at, "an outcome is not another window of itself")
			case of != "" && is != "" && of != is:
				fault(at, "%s counts %s and %s counts %s, so that their differences cannot be set beside each other", name, is, outcome, of)
			}
		}
	}
}

// Benchmark splits the differences into their parts, measures what a payment may
// depend on, and tells what stands beside them.
func Benchmark(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations, e Estimated) (*Benchmarked, error) {
	b := &Benchmarked{Benchmark: effect.Benchmark(e.Estimates)}
	b.Diagnostics = effect.Diagnostics(e.Estimates, b.Benchmark)
	for _, step := range []func() error{
		func() (err error) {
			b.names, err = c.called(ctx, ds)
			return err
		},
		func() error { return b.compare(ctx, ds, c, obs, e) },
		func() error { return b.spend(ctx, ds, c, obs, e) },
		func() error { return b.profile(c, obs) },
		func() error { return b.vary(ctx, ds, c, obs, e) },
		func() error { return b.curves(c, obs) },
		func() (err error) {
			b.Rankings, err = c.rank(ctx, ds)
			return err
		},
		func() (err error) {
			b.BeforeAfter, err = CompareBeforeAfter(ctx, ds, c, obs)
			return err
		},
		func() error {
			w, err := Watching(ctx, ds, c, obs, e.Peers)
			if err == nil {
				b.Watched = *w
			}
			return err
		},
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// profile sets the cells among each other, and ranks the providers of each
// municipality on a common target, by the classes of the run file. It uses the
// minimum n, the confidence and the share uncovered that the comparison does.
func (b *Benchmarked) profile(c *Config, obs *effect.Observations) (err error) {
	rows, league := profile.DefaultOptions(), profile.DefaultLeague(classes(c.Compare.Classes)...)
	if c.Compare.Confidence != 0 {
		rows.Confidence, league.Confidence = c.Compare.Confidence, c.Compare.Confidence
	}
	if c.Compare.MinN != 0 {
		league.Direct.MinN = c.Compare.MinN
	}
	if c.Compare.MaxUncovered != nil {
		league.Direct.MaxUncovered = *c.Compare.MaxUncovered
	}
	for _, a := range c.Outcomes {
		if a.better() == profile.Low {
			league.LowIsBetter = append(league.LowIsBetter, a.Name)
		}
	}
	if b.Profile, err = profile.Rows(b.Benchmark, rows); err != nil {
		return fmt.Errorf("table %s: %w", TableProfile, err)
	}
	if b.League, err = profile.League(obs, league); err != nil {
		return fmt.Errorf("table %s: %w", TableLeague, err)
	}
	return nil
}

// vary looks at the differences in other ways, where the run file asks for it.
func (b *Benchmarked) vary(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations, e Estimated) error {
	if c.Sensitivity == nil {
		return nil
	}
	s := effect.DefaultSensitivity()
	s.Windows = c.Sensitivity.Windows
	if p := c.Sensitivity.Peers; p != nil {
		s.Peers = *p
	}
	if d := c.Sensitivity.Dropouts; d != nil {
		s.Dropouts = *d
	}
	members, aggregated, _, err := reference(ctx, ds, c)
	if err != nil {
		return err
	}
	b.Sensitivity, err = s.Band(ctx, obs, c.design(e.Peers, members, aggregated), c.Methods(), b.Benchmark)
	return err
}

// curveDays is how far the days of a curve in the table lie apart.
const curveDays = 28

// curves draws, for every outcome of time and every cell, who has left by which
// day and how.
func (b *Benchmarked) curves(c *Config, obs *effect.Observations) error {
	for k := range obs.Results {
		r := &obs.Results[k]
		if r.Days == nil {
			continue
		}
		window := c.window(r.Outcome)
		for cell, rows := range obs.Cases.InCells(c.Compare.ByPackage) {
			o := survival.DefaultOptions()
			if c.Compare.Confidence != 0 {
				o.Confidence = c.Compare.Confidence
			}
			d, causes, err := survival.Take(r, obs.Cases.Person, rows, nil)
			var more []survival.Row
			if err == nil {
				more, err = survival.Rows(r.Outcome, cell, causes, d, survival.Every(curveDays, window), o)
			}
			// A cell without a case with a time has no curve.
			if refusal, ok := effect.AsRefusal(err); ok && refusal.Code == effect.RefusalNoCases {
				continue
			} else if err != nil {
				return fmt.Errorf("table %s: %w", TableCurves, err)
			}
			b.Curves = append(b.Curves, more...)
		}
	}
	return nil
}

// window is the shortest that the window of an outcome of time can be, in days.
func (c *Config) window(outcome string) int32 {
	for _, a := range c.Outcomes {
		if a.Name == outcome && a.Within != nil {
			return int32(a.Within.MinDays())
		}
	}
	return 0
}
