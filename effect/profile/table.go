package profile

import (
	"math"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Family says which cells are looked at together: those of every municipality
// and provider that share all of these. The cells of an offer package are a
// family of their own beside the cells of all packages, which hold the same
// citizens.
type Family struct {
	Outcome     string
	Unit        effect.Unit
	Method      string
	Part        effect.Part
	MatchScheme string
	MatchGroup  string
	Package     string
}

// Options says how the rows of a profile are made. Start from [DefaultOptions].
type Options struct {
	Funnel FunnelOptions
	// Confidence is that of the shrunken intervals.
	Confidence float64
	// Frozen holds the variance of the true differences of an earlier period, for
	// families where it is not to be told from the figures themselves.
	Frozen map[Family]float64
}

// DefaultOptions leaves z untrimmed, estimates every variance, and has intervals
// at 95 %.
func DefaultOptions() Options {
	return Options{Funnel: DefaultFunnel(), Confidence: 0.95}
}

// Warnings of rows.
const (
	// WarnPrior: the family as a whole differs from no difference, which its
	// figures are shrunken towards.
	WarnPrior = "family_differs_from_zero"
	// WarnNoSpread: the figures of the family differ no more than by chance, and
	// are shrunken all the way.
	WarnNoSpread = "no_spread_in_family"
)

// Row is one cell's difference from its own expectation among those of its
// family. It is a row of the table profile. It has no rank: the differences of
// two cells are about different citizens.
type Row struct {
	Outcome string      `col:"outcome" doc:"outcome"`
	Unit    effect.Unit `col:"unit" doc:"what the figures count, as in benchmark"`
	effect.Cell
	Method      string      `col:"method" doc:"method of estimation"`
	Part        effect.Part `col:"part" doc:"total or provider"`
	Rated       int64       `col:"family_cells" doc:"cells with a figure in the family: those of the same outcome, method, part, match group and package"`
	N           int64       `col:"n" doc:"cases in the cell with a complete window"`
	NCompared   int64       `col:"n_compared" doc:"cases that the difference is about"`
	Difference  float64     `col:"difference" doc:"difference from the cell's own expectation, as in benchmark"`
	SE          float64     `col:"standard_error" doc:"standard error of the difference"`
	DF          float64     `col:"df" doc:"degrees of freedom of the standard error"`
	Z           float64     `col:"z" doc:"difference over standard error, as the normal score of the same two-sided p-value"`
	P           float64     `col:"p_value" doc:"two-sided p-value of no difference, by Student's t"`
	Holm        float64     `col:"p_holm" doc:"p-value adjusted over the family by Holm; a settlement's own family is all cells it pays on"`
	BH          float64     `col:"p_bh" doc:"p-value adjusted over the family by Benjamini and Hochberg, for screens"`
	Position    Position    `col:"funnel" doc:"inside_95, outside_95 or outside_99.8 of what chance makes around no difference; empty where not rated"`
	Adjusted    Position    `col:"funnel_adjusted" doc:"the same with over-dispersion added to the limits; empty where the family has one cell"`
	Phi         float64     `col:"phi" doc:"mean squared z of the family; 1 is what chance alone makes"`
	Dispersion  float64     `col:"dispersion" doc:"variance added to each cell's by over-dispersion; null where the family has one cell"`
	Tau2        float64     `col:"tau2" doc:"variance of the true differences that shrinkage takes, by Paule and Mandel or frozen"`
	Frozen      bool        `col:"tau2_frozen" doc:"tau2 was given and not told from these figures"`
	Reliability float64     `col:"reliability" doc:"tau2/(tau2 + standard_error^2): how much of the difference is kept"`
	Shrunken    float64     `col:"shrunken" doc:"difference drawn towards none by its reliability"`
	Low         float64     `col:"shrunken_low" doc:"lower limit of the shrunken difference; null where tau2 is 0"`
	High        float64     `col:"shrunken_high" doc:"upper limit of the shrunken difference; null where tau2 is 0"`
	Confidence  float64     `col:"confidence" doc:"confidence of the shrunken interval"`
	Above       float64     `col:"probability_above_0" doc:"probability that the true difference is above 0, tau2 taken as known"`
	Warnings    string      `col:"warnings" doc:"codes of what to know, separated by semicolons"`
	Refusal     string      `col:"refusal" doc:"why the cell has no figure and takes no part (a code), empty where it has"`
}

// Rows sets the total and the provider part of every cell of a benchmark among
// those of its [Family]. Rows come in the order of the benchmark's. A cell whose
// row has a refusal, as one under the minimum n has, takes no part: it has a row
// with the reason and no figure. Placebos have no row. Figures start from the benchmark's, which are
// rounded, and are rounded to nine significant digits themselves.
//
// The funnel is that of [Differences] around 0 with the degrees of freedom of
// each row, the shrinkage that of [Shrink] with the standard errors as they
// stand. Both take the cells as independent, though cells may share comparators.
// A family of one cell has neither over-dispersion nor, unless tau2 is frozen,
// shrinkage: NaN. It is an error when options are out of their range.
func Rows(benchmark []effect.BenchmarkRow, o Options) ([]Row, error) {
	nan := math.NaN()
	if math.IsNaN(interval.Normal(o.Confidence)) {
		return nil, notFinite()
	}
	var out []Row
	members := map[Family][]int{}
	var families []Family
	for i := range benchmark {
		b := &benchmark[i]
		if _, placebo := effect.PlaceboOf(b.Outcome); placebo || b.Part != effect.Total && b.Part != effect.Provider {
			continue
		}
		f := Family{b.Outcome, b.Unit, b.Method, b.Part, b.MatchScheme, b.MatchGroup, b.Package}
		r := Row{
			Outcome: b.Outcome, Unit: b.Unit, Cell: b.Cell, Method: b.Method, Part: b.Part, Refusal: b.Refusal, Confidence: o.Confidence,
			N: b.N, NCompared: b.NCompared, Difference: b.Difference, SE: b.SE, DF: b.DF, Z: nan, P: nan, Holm: nan, BH: nan,
			Phi: nan, Dispersion: nan, Tau2: nan, Reliability: nan, Shrunken: nan, Low: nan, High: nan, Above: nan,
		}
		if members[f] == nil {
			families = append(families, f)
			members[f] = []int{}
		}
		if b.Refusal == "" {
			members[f] = append(members[f], len(out))
		}
		out = append(out, r)
	}
	for _, f := range families {
		if err := family(out, members[f], f, o); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// family fills in what the rated cells of one family are among each other.
func family(rows []Row, rated []int, f Family, o Options) error {
	if len(rated) == 0 {
		return nil
	}
	var d, se, df, p []float64
	for _, i := range rated {
		r := &rows[i]
		d, se, df = append(d, r.Difference), append(se, r.SE), append(df, r.DF)
		p = append(p, interval.TwoSided(r.Difference/r.SE, r.DF))
	}
	funnel, err := Differences(d, se, df, 0, o.Funnel)
	if err != nil {
		return err
	}
	holm, err := Holm(p)
	if err != nil {
		return err
	}
	bh, err := BenjaminiHochberg(p)
	if err != nil {
		return err
	}
	shrink := DefaultShrink()
	shrink.Confidence = o.Confidence
	if tau2, ok := o.Frozen[f]; ok {
		shrink.Tau2 = tau2
	}
	var shrunken *Shrunken
	if len(rated) > 1 || !math.IsNaN(shrink.Tau2) {
		s, err := Shrink(d, se, shrink)
		if err != nil {
			return err
		}
		shrunken = &s
	}
	for k, i := range rated {
		r, point := &rows[i], funnel.Points[k]
		r.Rated = int64(len(rated))
		r.Z, r.P, r.Holm, r.BH = effect.Round(point.Z), effect.Round(p[k]), effect.Round(holm[k]), effect.Round(bh[k])
		r.Position, r.Adjusted = point.Position, point.AdjustedPosition
		r.Phi, r.Dispersion = effect.Round(funnel.Phi), effect.Round(funnel.Tau2)
		if shrunken == nil {
			continue
		}
		s := shrunken.Figures[k]
		r.Tau2, r.Frozen, r.Reliability = effect.Round(shrunken.Tau2), shrunken.Frozen, effect.Round(s.Reliability)
		r.Shrunken, r.Low, r.High, r.Above = effect.Round(s.Mean), effect.Round(s.Low), effect.Round(s.High), effect.Round(s.Above)
		var warnings []string
		if shrunken.PriorInDoubt {
			warnings = append(warnings, WarnPrior)
		}
		if shrunken.Tau2 == 0 {
			warnings = append(warnings, WarnNoSpread)
		}
		r.Warnings = strings.Join(warnings, ";")
	}
	return nil
}
