package municipal

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/profile"
)

// Figure is a municipality's observed share beside the one expected of it.
type Figure struct {
	Municipality       string
	N                  float64 // population that the share is of; NaN where not known
	Observed, Expected float64 // in one unit
	SE                 float64 // of observed - expected; NaN where not known
	DF                 float64 // degrees of freedom of SE; +Inf where it is known
}

// RankOptions says how municipalities are ranked. Start from [DefaultRank].
type RankOptions struct {
	Better     profile.Better // which difference has rank 1; it has no default
	Confidence float64        // of the intervals, between 0 and 1
	// Compare is the order of municipalities whose differences are equal; nil is the
	// order of the bytes of their names, which also settles what Compare does not.
	Compare func(a, b string) int
}

// DefaultRank has intervals at 95 %, for shares of which better is so.
func DefaultRank(better profile.Better) RankOptions {
	return RankOptions{Better: better, Confidence: 0.95}
}

// Row is a municipality's place.
type Row struct {
	Municipality string         `col:"municipality" doc:"municipality"`
	N            float64        `col:"n" doc:"population that the share is of; null where not given"`
	Observed     float64        `col:"observed" doc:"observed share"`
	Expected     float64        `col:"expected" doc:"expected share: given, or by regression on framework conditions over all other municipalities"`
	Difference   float64        `col:"difference" doc:"observed - expected, exactly as decimals"`
	SE           float64        `col:"standard_error" doc:"of the difference: of the prediction of one more municipality, or of chance in a population of n; null where not known"`
	DF           float64        `col:"df" doc:"degrees of freedom of the standard error; null where it is not known or has no end of them"`
	Low          float64        `col:"low" doc:"lower limit of the difference"`
	High         float64        `col:"high" doc:"upper limit of the difference"`
	Confidence   float64        `col:"confidence" doc:"confidence of the intervals"`
	Better       profile.Better `col:"better" doc:"high or low: which difference has rank 1"`
	Rank         int64          `col:"rank" doc:"place by difference, 1 for the best; equal differences in alphabetical order"`
	RankLow      float64        `col:"rank_low" doc:"best rank of the rank interval: 1 and the number of municipalities shown to be better, by tests adjusted by Holm; null where the standard error is"`
	RankHigh     float64        `col:"rank_high" doc:"worst rank of the rank interval"`
	RankExpected float64        `col:"rank_expected" doc:"1 and the sum over the others of the probability that they are truly better"`
}

// RefusalDirection is the code for a direction that is not declared.
const RefusalDirection = "no_direction"

// Rank gives each municipality its place by difference = observed - expected, the
// lowest difference first where low is better. The difference is that of the
// shortest decimals of the two figures, as they are printed: 6.3 - 7.4 is -1.1.
// Places are distinct: equal differences go by [RankOptions].Compare, and then by
// the bytes of the names. The rows come by rank, the same in any order of the
// figures.
//
// Limits are difference -/+ t SE with DF degrees of freedom. Rank intervals are
// those of [profile.Ranks] on the differences with SE widened to t/z: they hold
// the true place with at least the confidence, each by itself. It takes the
// differences as independent; those of [Expect] share one line, which matters
// little among many municipalities. An SE from [Expect] holds the spread of
// municipalities around the line, so that two are told apart only where that
// spread does not explain them.
//
// Without an SE for any, the limits and rank intervals are NaN (null in a table).
// It refuses without a direction ([RefusalDirection]), without figures
// ([effect.RefusalNoCases]), a municipality without a name or there twice
// ([RefusalTwice]), an observed or expected share that is missing, and an SE that
// is missing of some or negative ([RefusalMissing]), and a difference beyond all
// numbers ([effect.RefusalNotFinite]), all of them named. With an
// SE, more than [profile.MaxRanked] are refused.
// Source: mogstad2024 for rank intervals.
func Rank(figures []Figure, o RankOptions) ([]Row, error) {
	z := interval.Normal(o.Confidence)
	switch {
	case o.Better != profile.High && o.Better != profile.Low:
		return nil, &effect.Refusal{Code: RefusalDirection, Why: "it is not declared which difference is better", Cure: "declare better as low (shares on benefits) or high"}
	case math.IsNaN(z):
		return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "the confidence does not lie between 0 and 1", Cure: "0.95 is usual"}
	case len(figures) == 0:
		return nil, &effect.Refusal{Code: effect.RefusalNoCases, Why: "there is no municipality to rank", Cure: "look at the year and at the rows left out"}
	}
	known := slices.ContainsFunc(figures, func(f Figure) bool { return !math.IsNaN(f.SE) })
	if err := rankable(figures, known); err != nil {
		return nil, err
	}
	rows, exact := make([]Row, len(figures)), make([]*big.Rat, len(figures))
	order := make([]int, len(figures))
	var beyond []string
	for i, f := range figures {
		exact[i] = exactly(f.Observed, f.Expected)
		d, _ := exact[i].Float64()
		if math.IsInf(d, 0) {
			beyond = append(beyond, f.Municipality)
		}
		order[i], rows[i] = i, Row{
			Municipality: f.Municipality, N: f.N, Observed: f.Observed, Expected: f.Expected, Difference: d,
			SE: math.NaN(), DF: math.NaN(), Low: math.NaN(), High: math.NaN(), Confidence: o.Confidence, Better: o.Better,
			RankLow: math.NaN(), RankHigh: math.NaN(), RankExpected: math.NaN(),
		}
	}
	if len(beyond) > 0 {
		slices.Sort(beyond)
		return nil, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "observed and expected share are too far apart for a number: " + strings.Join(beyond, ", "), Cure: "look at the unit of the shares"}
	}
	slices.SortFunc(order, func(a, b int) int {
		c := exact[a].Cmp(exact[b])
		if o.Better == profile.High {
			c = -c
		}
		if c == 0 && o.Compare != nil {
			c = o.Compare(figures[a].Municipality, figures[b].Municipality)
		}
		if c == 0 {
			c = strings.Compare(figures[a].Municipality, figures[b].Municipality)
		}
		return c
	})
	out, drawn := make([]Row, len(rows)), make([]profile.OnTarget, len(rows))
	for k, i := range order {
		out[k] = rows[i]
		r := &out[k]
		r.Rank = int64(k + 1)
		if !known {
			continue
		}
		t := interval.StudentT(figures[i].DF, o.Confidence)
		r.SE = effect.Round(figures[i].SE)
		if !math.IsInf(figures[i].DF, 1) {
			r.DF = figures[i].DF
		}
		r.Low, r.High = effect.Round(r.Difference-t*figures[i].SE), effect.Round(r.Difference+t*figures[i].SE)
		drawn[k] = profile.OnTarget{Mean: r.Difference, SE: figures[i].SE * t / z}
	}
	if !known {
		return out, nil
	}
	ranks, err := profile.Ranks(drawn, profile.RankOptions{Better: o.Better, Confidence: o.Confidence})
	if err != nil {
		return nil, err
	}
	for k, r := range ranks {
		out[k].RankLow, out[k].RankHigh, out[k].RankExpected = float64(r.Low), float64(r.High), effect.Round(r.Expected)
	}
	return out, nil
}

// rankable finds what keeps figures from being ranked.
func rankable(figures []Figure, known bool) error {
	sorted := slices.Clone(figures)
	slices.SortFunc(sorted, func(a, b Figure) int { return strings.Compare(a.Municipality, b.Municipality) })
	var twice, observed, expected, se []string
	for k, f := range sorted {
		switch {
		case f.Municipality == "":
			twice = append(twice, "a municipality has no name")
		case k > 0 && f.Municipality == sorted[k-1].Municipality:
			twice = append(twice, f.Municipality+" is there more than once")
		}
		if unknown(f.Observed) {
			observed = append(observed, f.Municipality)
		}
		if unknown(f.Expected) {
			expected = append(expected, f.Municipality)
		}
		if known && (unknown(f.SE) || f.SE < 0 || !(f.DF > 0)) {
			se = append(se, f.Municipality)
		}
	}
	var missing []string
	for _, m := range []struct {
		what  string
		names []string
	}{{"observed share", observed}, {"expected share", expected}, {"standard error", se}} {
		if len(m.names) > 0 {
			missing = append(missing, fmt.Sprintf("the %s of %s", m.what, strings.Join(m.names, ", ")))
		}
	}
	return together(faults(slices.Compact(twice), missing))
}

// decimal is the shortest decimal that reads back as the same number, exactly.
func decimal(x float64) *big.Rat {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(x, 'g', -1, 64)) // of a finite number
	return r
}

// Binomial is the standard error of a share observed in a population of n, from
// chance alone: unit sqrt(p (1-p)/n), with p = share/unit and unit 1 for parts of
// 1 and 100 for per cent. Where p is 0 or 1, half a case is put in its place, since
// nothing is known exactly that is known of n persons. It is NaN unless n > 0 and
// p lies within 0 and 1.
func Binomial(share, n, unit float64) float64 {
	p := share / unit
	if !(n > 0 && p >= 0 && p <= 1) || math.IsInf(n, 1) {
		return math.NaN()
	}
	p = min(max(p, 0.5/max(n, 1)), 1-0.5/max(n, 1))
	return unit * math.Sqrt(p*(1-p)/n)
}

// Difference is observed - expected of the shortest decimals of the two, as they
// are printed: 6.3 and 7.4 make -1.1, where the numbers themselves make
// -1.1000000000000005. It is NaN where one is not finite.
func Difference(observed, expected float64) float64 {
	if unknown(observed) || unknown(expected) {
		return math.NaN()
	}
	d, _ := exactly(observed, expected).Float64()
	return d
}

func exactly(observed, expected float64) *big.Rat {
	return new(big.Rat).Sub(decimal(observed), decimal(expected))
}

// Figures sets observed shares beside what [Expect] gave for them, in its order,
// rounded to nine significant digits.
func Figures(all []Municipality, expected []Expected) []Figure {
	out := make([]Figure, len(all))
	for i, e := range expected {
		out[i] = Figure{
			Municipality: all[i].Name, N: math.NaN(), Observed: all[i].Observed, Expected: effect.Round(e.Share),
			SE: e.SE, DF: float64(e.DF),
		}
	}
	return out
}
