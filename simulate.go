package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// ErrSimulation is wrapped by errors about terms that cannot be tried out on the
// data. ErrSimulationOptions is wrapped by the error that names every option of a
// [Simulation] that makes no sense.
var (
	ErrSimulation        = errors.New("simulation")
	ErrSimulationOptions = errors.New("simulation")
)

// Simulation says how terms are tried out before they are agreed on. Start from
// [DefaultSimulation].
type Simulation struct {
	// Draws is how often citizens and figures are drawn, from 20 to 100,000. A chance of
	// 5 % is then told to 2 sqrt(0.05 x 0.95 / Draws): 1.4 points with 1,000.
	Draws int
	Seed  uint64
	// Volumes are the numbers of citizens, as multiples of those in the data, with
	// which the distribution is made once more; each from 0.1 to 10.
	Volumes []float64
	// Relevant is, for an outcome, the true improvement that a provider should be
	// paid for, in the outcome's unit. An outcome that it does not name has the
	// smallest min_detectable_effect that a gate requires of it.
	Relevant map[string]float64
	// Budget is what may be paid under an agreement in a year; 0 for what the terms
	// tell under upkeep, if they do.
	Budget bonus.Ore
	// Others are terms that are set beside those of the run file, on the same draws.
	Others []OtherTerms
	// Replay settles the past again, Sensitivity looks at other peers and windows.
	Replay, Sensitivity bool
	// Worlds is how many simulated worlds the whole job is done on, for each of two
	// truths; 0 for none, at most 10,000.
	Worlds int
	// WorldSD is the standard deviation of the providers' true effects in those
	// worlds in which they have some: see world.Options.ProviderSD.
	WorldSD float64
	// KeepDraws keeps the amounts of every draw.
	KeepDraws bool
	// Workers is how many draws are made at a time; it changes no result. 0 is the
	// number of processors.
	Workers int
}

// DefaultSimulation makes 1,000 draws, also with half and with twice the
// citizens, and no worlds.
func DefaultSimulation() Simulation {
	return Simulation{Draws: 1000, Seed: 1, Volumes: []float64{0.5, 2}, Replay: true, Sensitivity: true, WorldSD: 0.25}
}

// OtherTerms are terms that are tried on the cases of an agreement.
type OtherTerms struct {
	Terms *bonus.Terms
	// Instead is the agreement_id in the data whose cases they are tried on; "" for
	// the terms' own.
	Instead string
	// Months moves every day of the data so many months ahead, or back where it is
	// negative, so that terms of other years can be tried. Terms of other agreements
	// are then left out of the settlement.
	Months int
}

// Truth is what is taken to be true of the providers' effects.
type Truth string

// The truths. In the first three the figures are drawn around what is true of each
// cell, with the standard error and degrees of freedom that were measured; in
// the last two, worlds are.
const (
	TruthMeasured Truth = "as_measured"     // each cell's true difference is the one measured
	TruthNone     Truth = "no_effect"       // no cell has any
	TruthRelevant Truth = "relevant_effect" // each cell has the smallest improvement that is relevant
	TruthNoWorld  Truth = "world_no_effect" // worlds in which no provider has any effect
	TruthWorld    Truth = "world_effects"   // worlds in which they differ
)

// Distribution describes amounts over draws, in the unit of the terms' currency:
// kroner, where it is DKK. So are all amounts of a simulation that are no whole ore.
type Distribution struct {
	Draws     int64   `col:"draws" doc:"draws, or simulated worlds"`
	Mean      float64 `col:"mean" doc:"mean amount, in the unit of the currency, as kroner"`
	MeanError float64 `col:"mean_error" doc:"standard error of the mean from the number of draws: standard deviation / sqrt(draws)"`
	SD        float64 `col:"sd" doc:"standard deviation of the amount"`
	P5        float64 `col:"p5" doc:"amount that 5 % of the draws do not exceed: the smallest with at least that share at or below it"`
	Median    float64 `col:"p50" doc:"the same for 50 %"`
	P95       float64 `col:"p95" doc:"the same for 95 %"`
	Most      float64 `col:"most" doc:"largest amount of all draws"`
}

// SimulationRow says what a provider would be paid in a year. It is a row of the
// table simulation.
type SimulationRow struct {
	Terms     string  `col:"terms" doc:"file of the terms"`
	Agreement string  `col:"agreement_id" doc:"agreement of the cases"`
	Provider  string  `col:"provider_id" doc:"provider"`
	Year      string  `col:"year" doc:"calendar year of the settlement periods; empty for all of them together"`
	Truth     Truth   `col:"truth" doc:"what is true of the effects: as_measured, no_effect, relevant_effect, world_no_effect or world_effects"`
	Volume    float64 `col:"volume" doc:"citizens, as a multiple of those in the data"`
	Distribution
	ChancePaid      float64 `col:"chance_paid" doc:"share of the draws in which anything is paid"`
	MeanEffects     float64 `col:"mean_effects" doc:"mean amount of the effect clauses, before limits"`
	MeanLimits      float64 `col:"mean_limits" doc:"mean amount of the lines of limits: what they take off, negative, and what they carry forward"`
	ChanceWithout   float64 `col:"chance_without_effect" doc:"share of the draws in which an effect clause pays for a cell whose true improvement is 0 or less"`
	MeanWithout     float64 `col:"mean_without_effect" doc:"mean amount that is so paid, before limits"`
	ExpectedChance  float64 `col:"expected_chance" doc:"the chance of that by formula, before gate and limits, were the cells independent: see docs/methods.md; null but for no_effect and world_no_effect with the volume of the data"`
	ExpectedWithout float64 `col:"expected_without_effect" doc:"the mean amount by formula, before gate and limits; null likewise"`
	ChanceMissed    float64 `col:"chance_missed" doc:"of the draws in which some cell has a true improvement that is relevant, the share in which none of those cells is paid for; null where there are none"`
}

// SimulationTotal says what an agreement would cost in a year. It is a row of the
// table simulation_total.
type SimulationTotal struct {
	Terms     string  `col:"terms" doc:"file of the terms"`
	Agreement string  `col:"agreement_id" doc:"agreement of the cases"`
	Year      string  `col:"year" doc:"calendar year of the settlement periods; empty for all of them together"`
	Truth     Truth   `col:"truth" doc:"what is true of the effects, as in the table simulation"`
	Volume    float64 `col:"volume" doc:"citizens, as a multiple of those in the data"`
	Distribution
	MeanWithout   float64 `col:"mean_without_effect" doc:"mean amount that effect clauses pay for cells whose true improvement is 0 or less, before limits"`
	ChanceLimited float64 `col:"chance_limited" doc:"share of the draws in which a limit takes something off"`
	MeanLimits    float64 `col:"mean_limits" doc:"mean amount of the lines of limits: what they take off, negative, and what they carry forward"`
	Budget        float64 `col:"budget" doc:"what may be paid: in the year, or in all the years together; that of the terms' upkeep where nothing else was said; null where nobody says"`
	ChanceOver    float64 `col:"chance_over" doc:"share of the draws in which more is paid; null without a budget"`
	MeanOver      float64 `col:"mean_over" doc:"mean amount above the budget, 0 where it is not exceeded; null without a budget"`
}

// SimulationDifference sets other terms beside those of the run file, on the
// same draws. It is a row of the table simulation_differences.
type SimulationDifference struct {
	Terms     string `col:"terms" doc:"file of the other terms"`
	Against   string `col:"against" doc:"file of the terms of the run file, or the first file given"`
	Agreement string `col:"agreement_id" doc:"agreement of the cases"`
	Provider  string `col:"provider_id" doc:"provider; empty for all together"`
	Year      string `col:"year" doc:"calendar year of the settlement periods; empty for all of them together, and always where the days of the data were moved"`
	Truth     Truth  `col:"truth" doc:"what is true of the effects, as in the table simulation"`
	Distribution
	Low        float64 `col:"mean_low" doc:"lower limit of the 95 % interval of the mean, from the number of draws"`
	High       float64 `col:"mean_high" doc:"its upper limit"`
	ChanceMore float64 `col:"chance_more" doc:"share of the draws in which the other terms pay more"`
	ChanceLess float64 `col:"chance_less" doc:"share of the draws in which they pay less"`
}

// SimulationReplay says what would have been settled at a settlement date of the
// past. It is a row of the table simulation_replay.
type SimulationReplay struct {
	Terms     string      `col:"terms" doc:"file of the terms"`
	Agreement string      `col:"agreement_id" doc:"agreement of the cases"`
	Provider  string      `col:"provider_id" doc:"provider"`
	Period    string      `col:"period" doc:"settlement period that ends on the date"`
	AsOf      effect.Date `col:"as_of" doc:"the settlement date: nothing later is known"`
	Settled   bonus.Ore   `col:"settled_ore" doc:"everything that is settled by the date, in ore"`
	Change    bonus.Ore   `col:"change_ore" doc:"what that is more than by the date before, in ore: what is to be paid on the date; negative where something is to be set off"`
	Effects   bonus.Ore   `col:"effects_ore" doc:"of what is settled by the date, that of effect clauses, before limits, in ore"`
	Stopped   int64       `col:"stopped" doc:"lines of the date that a gate, a missing acceptance or an indicator stops"`
}

// SimulationVariation says what a provider would be paid if something had been
// done differently. It is a row of the table simulation_sensitivity. Nothing is
// drawn in it, but for the volumes.
type SimulationVariation struct {
	Terms     string  `col:"terms" doc:"file of the terms"`
	Agreement string  `col:"agreement_id" doc:"agreement of the cases"`
	Provider  string  `col:"provider_id" doc:"provider; empty for all together"`
	Variation string  `col:"variation" doc:"main, peer (without one of the peers), k (another number of peers), window (another window), volume (mean over the draws with another number of citizens)"`
	What      string  `col:"what" doc:"the peer left out, the number of peers, the outcome with the other window, or the multiple of the citizens"`
	Amount    float64 `col:"amount" doc:"what is paid in all periods together"`
	Change    float64 `col:"change" doc:"how much more that is than as measured; for a volume, than the mean over the draws with the citizens of the data"`
	Note      string  `col:"note" doc:"why there is no amount, empty where there is"`
}

// SimulationDraw is what a provider is paid in a year in one draw. It is a row of
// the table simulation_draws.
type SimulationDraw struct {
	Terms     string    `col:"terms" doc:"file of the terms"`
	Agreement string    `col:"agreement_id" doc:"agreement of the cases"`
	Provider  string    `col:"provider_id" doc:"provider"`
	Year      string    `col:"year" doc:"calendar year of the settlement periods"`
	Truth     Truth     `col:"truth" doc:"what is true of the effects, as in the table simulation"`
	Volume    float64   `col:"volume" doc:"citizens, as a multiple of those in the data"`
	Draw      int64     `col:"draw" doc:"draw, or world, from 1"`
	Amount    bonus.Ore `col:"amount_ore" doc:"what is paid, in ore"`
}

// The names of the tables of a simulation.
const (
	TableSimulation       = "simulation"
	TableSimulationTotal  = "simulation_total"
	TableSimulationDiff   = "simulation_differences"
	TableSimulationReplay = "simulation_replay"
	TableSimulationVary   = "simulation_sensitivity"
	TableSimulationDraws  = "simulation_draws"
)

// Simulated is what came of a simulation. Nothing of it is booked.
type Simulated struct {
	AsOf        effect.Date
	Unit        string // of amounts, as kr.
	Standing    string // retrospective, unless every version of the terms is sealed
	Rows        []SimulationRow
	Totals      []SimulationTotal
	Differences []SimulationDifference
	Replays     []SimulationReplay
	Sensitivity []SimulationVariation
	Draws       []SimulationDraw // nil unless KeepDraws
	Notes       []string         // what a reader should know first, in sentences

	seed  uint64
	names []string // of the terms, those of the run file first
}

// Tables are the result tables, in a fixed order; those that nobody asked for are
// not among them.
func (s *Simulated) Tables() []*ingest.Table {
	out := []*ingest.Table{
		rowTable(TableSimulation, s.Rows), rowTable(TableSimulationTotal, s.Totals),
		rowTable(TableSimulationReplay, s.Replays), rowTable(TableSimulationVary, s.Sensitivity),
	}
	if len(s.Differences) > 0 {
		out = append(out, rowTable(TableSimulationDiff, s.Differences))
	}
	if s.Draws != nil {
		out = append(out, rowTable(TableSimulationDraws, s.Draws))
	}
	return out
}

// Simulate tries terms out on the data of a run, before they are agreed on: those
// of the run file, and others beside them. It books and writes nothing.
//
// The job is done once, and the terms are settled again for each draw:
//
//   - Citizens are drawn with replacement from those who are alike in cell,
//     package, agreement and in whose windows are over, so that counts of cases
//     stay what they are and what was reached varies.
//   - Each figure that an effect clause pays on is drawn around what is taken to
//     be true: true difference + SE T, with T of Student's t with the figure's own
//     degrees of freedom, and its interval is moved with it. The errors of cells of
//     one municipality that are compared with its peers share what differs between
//     municipalities; those of two outcomes in one cell are as correlated as the
//     outcomes are. Diagnostics stay as they were measured, and every acceptance
//     that a gate asks for is taken as given.
//   - [bonus.Settle] itself pays: gates, Holm, limits and rounding are those of a run.
//
// All sets of terms are settled on the same draws. Draw i depends on the seed and
// i alone, so that the result is the same for any number of workers.
//
// Errors wrap [ErrSimulationOptions] where options make no sense, [ErrSimulation]
// where the terms do not meet the data, and else are those of [Evaluate]; faults of
// terms come all at once.
func Simulate(ctx context.Context, ds *ingest.Dataset, c *Config, terms []*bonus.Terms, o Simulation) (*Simulated, error) {
	if err := o.check(c); err != nil {
		return nil, err
	}
	if c.Blinded {
		return nil, fmt.Errorf("%w: a simulation shows effects, and the run file is blinded", ErrConfig)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &simulation{Simulation: o, c: c.forSimulation(terms, o.Others), ds: ds, out: &Simulated{AsOf: c.AsOf, seed: o.Seed}}
	if c.Sensitivity != nil {
		s.windows = c.Sensitivity.Windows
	}
	if err := s.prepare(ctx, terms); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.settleMain, s.draw, s.replay, s.vary, s.worlds} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.out, nil
}

func (o *Simulation) check(c *Config) error {
	var bad []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	need(o.Draws >= minDraws && o.Draws <= maxDraws, "%d draws: give from %d to %d", o.Draws, minDraws, maxDraws)
	need(o.Worlds >= 0 && o.Worlds <= maxWorlds, "%d worlds: give from 0 to %d", o.Worlds, maxWorlds)
	need(o.WorldSD >= 0 && o.WorldSD <= 2, "a standard deviation of %v between the providers of worlds: give from 0 to 2", o.WorldSD)
	need(o.Budget >= 0, "the budget %s is negative", o.Budget)
	need(o.Workers >= 0, "%d workers: give 0 or more", o.Workers)
	for i, v := range o.Volumes {
		need(v >= 0.1 && v <= 10, "a volume of %v: give multiples from 0.1 to 10", v)
		need(v != 1, "a volume of 1 is that of the data, which is always there")
		need(!slices.Contains(o.Volumes[:i], v), "the volume %v stands twice", v)
	}
	names := c.outcomeNames()
	for outcome, v := range o.Relevant {
		need(slices.Contains(names, outcome), "relevant: there is no outcome %q in the run file", outcome)
		need(v > 0 && !math.IsInf(v, 0), "relevant: %v is no improvement of %s: give a number above 0, also where less is better", v, outcome)
	}
	for _, t := range o.Others {
		need(t.Months >= -maxMonths && t.Months <= maxMonths, "moving the data by %d months: give at most %d either way", t.Months, maxMonths)
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return fmt.Errorf("%w: %s", ErrSimulationOptions, strings.Join(bad, "; "))
	}
	return nil
}

// The limits of what can be asked for.
const (
	minDraws, maxDraws = 20, 100_000
	maxWorlds          = 10_000
	maxMonths          = 1200
)

// workers is how many draws are made at a time.
func (o *Simulation) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// forSimulation is the configuration with only what the terms pay on: their
// methods, and no table that merely stands beside the benchmark.
func (c *Config) forSimulation(terms []*bonus.Terms, others []OtherTerms) *Config {
	lean := *c
	lean.Views, lean.Spending, lean.BeforeAfter, lean.Rankings, lean.Accepted = nil, nil, nil, nil, ""
	lean.Sensitivity = nil
	watched := false
	var paid []MethodName
	all := slices.Clone(terms)
	for _, o := range others {
		all = append(all, o.Terms)
	}
	for _, m := range c.Compare.Methods {
		for _, t := range all {
			for clause := range clausesOf(t) {
				watched = watched || len(clause.Conditions.Indicators) > 0
				if clause.Measure.Method == string(m) && !slices.Contains(paid, m) {
					paid = append(paid, m)
				}
			}
		}
	}
	if !watched {
		lean.Signals = &watched
	}
	if len(paid) > 0 {
		lean.Compare.Methods = paid
	}
	return &lean
}
