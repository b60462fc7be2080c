package profile

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/strata"
)

// LeagueOptions says how a league table is made. Start from [DefaultLeague].
type LeagueOptions struct {
	Direct     strata.Direct
	Confidence float64 // of the intervals of means and ranks
	// LowIsBetter lists the outcomes of which less is better, as weeks on a
	// benefit.
	LowIsBetter []string
}

// DefaultLeague classifies by the classes, with the limits of
// [strata.DefaultDirect] and intervals at 95 %.
func DefaultLeague(classes ...effect.Class) LeagueOptions {
	return LeagueOptions{Direct: strata.DefaultDirect(classes...), Confidence: 0.95}
}

// LeagueRow is one provider among the others of its municipality and match
// group, on a target common to all of them. It is a row of the table league.
type LeagueRow struct {
	Outcome string      `col:"outcome" doc:"outcome"`
	Unit    effect.Unit `col:"unit" doc:"what the figures count, as in benchmark"`
	effect.Cell
	N            int64   `col:"n" doc:"cases in the cell with a complete window"`
	Observed     float64 `col:"observed" doc:"mean outcome of those n cases as they are; not to be compared between providers"`
	TargetN      int64   `col:"target_n" doc:"cases of the common target: all with a complete window in the municipality's match group"`
	Covered      float64 `col:"target_covered" doc:"share of the target in the strata that all ranked cells have; the figures are about these"`
	Uncovered    float64 `col:"uncovered" doc:"share of the target in strata without cases of this cell"`
	NCompared    int64   `col:"n_compared" doc:"cases of the cell in the strata compared"`
	Standardised float64 `col:"standardised" doc:"directly standardised mean: what the cell would have achieved with the citizens of the target"`
	SE           float64 `col:"standard_error" doc:"standard error of the standardised mean, from the persons"`
	DF           float64 `col:"df" doc:"Satterthwaite degrees of freedom of the interval"`
	Low          float64 `col:"low" doc:"lower limit of the standardised mean; of shares not under 0"`
	High         float64 `col:"high" doc:"upper limit of the standardised mean; of shares not over 1"`
	Confidence   float64 `col:"confidence" doc:"confidence of the intervals"`
	Better       Better  `col:"better" doc:"high or low: what rank 1 means"`
	Ranked       int64   `col:"ranked" doc:"cells that are ranked together"`
	Rank         float64 `col:"rank" doc:"rank of the standardised mean, 1 for the best, shared by equal ones; null where not ranked"`
	RankLow      float64 `col:"rank_low" doc:"best rank of the rank interval: 1 and the number of cells shown to be better, by tests adjusted by Holm"`
	RankHigh     float64 `col:"rank_high" doc:"worst rank of the rank interval"`
	ExpectedRank float64 `col:"rank_expected" doc:"1 and the sum over the others of the probability that they are truly better"`
	Refusal      string  `col:"refusal" doc:"why the cell is not ranked (a code), empty where it is"`
}

// Codes of refusals of a league table.
const (
	RefusalNoClasses = "no_classes" // nothing to standardise by
	RefusalAlone     = "nobody_to_rank_with"
)

// League ranks the providers of each municipality and match group, own projects
// among them, by what each would have achieved with the same citizens: all
// analysed cases of the municipality's match group. It takes cases, not
// estimates, because only directly standardised figures may be ranked; see
// [strata.Direct] and [OnTarget].
//
// The standard errors are widened to t/z, so that ranks know how well they are
// known themselves. Within one municipality the labour market is the same, and
// there is no spread between municipalities to add. A person counts in a cell as
// often as analysed, with errors clustered on person.
//
// Without classes nothing is standardised and every row is refused. Rows come by
// outcome (as declared), municipality, match scheme, match group and provider,
// own projects first. Figures are rounded to nine significant digits. It is an
// error when the classes cannot be made of the cases or the options are out of
// their range.
func League(obs *effect.Observations, o LeagueOptions) ([]LeagueRow, error) {
	if math.IsNaN(interval.Normal(o.Confidence)) {
		return nil, notFinite()
	}
	var out []LeagueRow
	for k := range obs.Results {
		for _, g := range groups(obs.Cases, &obs.Results[k]) {
			rows, err := g.league(obs.Cases, &obs.Results[k], o)
			if err != nil {
				return nil, err
			}
			out = append(out, rows...)
		}
	}
	return out, nil
}

// market is the analysed cases of a municipality's match group by cell.
type market struct {
	all   []int32
	cells []effect.Cell
	rows  [][]int32
}

// groups are the markets of an outcome, in the order of their names.
func groups(c *effect.Cases, r *effect.Result) []*market {
	type key [4]int32
	index := map[key][]int32{}
	for i, ok := range r.Complete {
		if ok {
			k := key{c.Municipality.Codes[i], c.MatchScheme.Codes[i], c.MatchGroup.Codes[i], -1}
			if len(c.Provider.Codes) > 0 {
				k[3] = c.Provider.Codes[i]
			}
			index[k] = append(index[k], int32(i))
		}
	}
	keys := make([]key, 0, len(index))
	for k := range index {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int { return slices.Compare(a[:], b[:]) })
	var out []*market
	for n, k := range keys {
		if n == 0 || [3]int32(k[:3]) != [3]int32(keys[n-1][:3]) {
			out = append(out, &market{})
		}
		m, rows := out[len(out)-1], index[k]
		i := int(rows[0])
		m.cells = append(m.cells, effect.Cell{
			Municipality: c.Municipality.At(i), MatchScheme: c.MatchScheme.At(i), MatchGroup: c.MatchGroup.At(i),
			Provider: cmp.Or(c.Provider.At(i), effect.OwnProvider),
		})
		m.rows = append(m.rows, rows)
		m.all = append(m.all, rows...)
	}
	return out
}

func (m *market) league(c *effect.Cases, r *effect.Result, o LeagueOptions) ([]LeagueRow, error) {
	nan := math.NaN()
	better := High
	if slices.Contains(o.LowIsBetter, r.Outcome) {
		better = Low
	}
	var s strata.Standardised
	if len(o.Direct.Classes) > 0 {
		var err error
		if s, err = o.Direct.Standardise(c, r.Value, r.Unit, strata.Target{Cases: m.all}, m.rows); err != nil {
			return nil, err
		}
	}
	out := make([]LeagueRow, len(m.cells))
	var ranked []int
	var figures []OnTarget
	for k, cell := range m.cells {
		sum := 0.0
		for _, i := range m.rows[k] {
			sum += r.Value[i]
		}
		n := float64(len(m.rows[k]))
		row := LeagueRow{
			Outcome: r.Outcome, Unit: r.Unit, Cell: cell, N: int64(n), Observed: effect.Round(sum / n), TargetN: int64(len(m.all)),
			Covered: nan, Uncovered: nan, Standardised: nan, SE: nan, DF: nan, Low: nan, High: nan, Confidence: o.Confidence,
			Better: better, Rank: nan, RankLow: nan, RankHigh: nan, ExpectedRank: nan, Refusal: RefusalNoClasses,
		}
		if len(o.Direct.Classes) > 0 {
			f := s.Figures[k]
			row.Uncovered, row.Refusal = effect.Round(f.Uncovered), ""
			if f.Refusal != nil {
				row.Refusal = f.Refusal.Code
			} else {
				row.Covered, row.NCompared = effect.Round(s.Covered), int64(f.NCompared)
				row.Standardised, row.SE, row.DF = effect.Round(f.Mean), effect.Round(math.Sqrt(f.Variance)), effect.Round(f.DF)
				t := interval.StudentT(row.DF, o.Confidence)
				row.Low, row.High = effect.Round(row.Standardised-t*row.SE), effect.Round(row.Standardised+t*row.SE)
				if r.Unit == effect.UnitShare || r.Unit == effect.UnitPortion {
					row.Low, row.High = max(0, row.Low), min(1, row.High)
				}
				ranked = append(ranked, k)
				figures = append(figures, OnTarget{row.Standardised, row.SE * t / interval.Normal(o.Confidence)})
			}
		}
		out[k] = row
	}
	if len(ranked) < 2 {
		for _, k := range ranked {
			out[k].Ranked, out[k].Refusal = 1, RefusalAlone
		}
		return out, nil
	}
	ranks, err := Ranks(figures, RankOptions{Better: better, Confidence: o.Confidence})
	var refused *effect.Refusal
	if errors.As(err, &refused) {
		for _, k := range ranked {
			out[k].Refusal = refused.Code
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for n, k := range ranked {
		row, rank := &out[k], ranks[n]
		row.Ranked, row.Rank, row.RankLow, row.RankHigh = int64(len(ranked)), float64(rank.Rank), float64(rank.Low), float64(rank.High)
		row.ExpectedRank = effect.Round(rank.Expected)
	}
	return out, nil
}
