package profile

import (
	"cmp"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Scale is the scale on which the points of a funnel are about normal, with a
// standard error that does not depend on the point itself.
type Scale string

// The scales, with the standard error s of a point on them.
const (
	ArcsineRoot Scale = "arcsine_root" // y = asin(sqrt(x/n)), s = 1/(2 sqrt n)
	Log         Scale = "log"          // y = log(O/E), s = 1/sqrt(E)
	Plain       Scale = "plain"        // y = d, s its standard error
)

// Position says where a point lies against the limits of a funnel.
type Position string

// The positions. The limits hold 95 % and 99.8 % of what chance makes.
const (
	Inside     Position = "inside_95"
	Outside95  Position = "outside_95"
	Outside998 Position = "outside_99.8"
)

// The two confidences of a funnel's limits.
const (
	Warning = 0.95
	Alarm   = 0.998
)

// FunnelOptions says how over-dispersion is estimated. Start from
// [DefaultFunnel].
type FunnelOptions struct {
	// Winsorise is the share of the z in each tail that is pulled in to the next z
	// before their squares are summed, so that the points one looks for do not
	// widen the limits that should show them. 0 leaves all as they are; it must be
	// under 0.5.
	Winsorise float64
}

// DefaultFunnel leaves the z untrimmed.
func DefaultFunnel() FunnelOptions { return FunnelOptions{} }

// Funnel is points with the limits that chance sets around a target.
//
// With y and s of the scale, z = (y - target)/s and w = 1/s^2, over-dispersion is
// estimated from the k points as
//
//	phi  = sum z^2 / k
//	tau2 = (k phi - (k - 1)) / (sum w - sum w^2 / sum w), 0 where negative
//
// and adds to the variance of every point. When z are winsorised, the m lowest
// and the m highest, m = floor(k Winsorise), are set to the next, and phi is
// divided by what it would be for standard normal z with the share a = m/k
// pulled in on each side, 1 - 2a - 2 c f(c) + 2 a c^2 with c the upper a-quantile
// and f the density: without that, tau2 would be too small even where all is
// chance.
//
// The target is taken as known. With one point Tau2 and all adjusted figures are
// NaN, and adjusted positions empty. Sources: spiegelhalter2005, spiegelhalter2005handling.
type Funnel struct {
	Scale  Scale
	Target float64 // a share, a ratio or a difference
	Phi    float64 // 1 is what chance alone makes
	Tau2   float64 // added variance, on the scale
	Pulled int     // z that were pulled in, both tails together
	Points []Point // in the order given
}

// Point is one unit in a funnel.
type Point struct {
	Value  float64 // share, ratio or difference
	SE     float64 // on the scale
	Weight float64 // 1/SE^2
	Z      float64
	// Limits are from chance alone, AdjustedLimits with tau2 added, both in the
	// unit of Value.
	Limits, AdjustedLimits     Limits
	Position, AdjustedPosition Position
	// Half says that nothing was observed (O = 0), which has no logarithm: the
	// point's Z is that of half a case, while its Value stays 0.
	Half bool
}

// Limits are the limits of a funnel at 95 and 99.8 %.
type Limits struct{ Low95, High95, Low998, High998 float64 }

// RefusalNotRare is the code for O/E of outcomes that are not rare.
const RefusalNotRare = "not_rare"

// rare is the share up to which counts are taken for Poisson counts.
const rare = 0.1

// Shares is the funnel of proportions x/n around a target share, on the
// arcsine-root scale. The usual target is sum x / sum n. It refuses without
// points, and where n is not positive, x is not within 0 and n, or the target
// not between 0 and 1.
func Shares(x, n []float64, target float64, o FunnelOptions) (Funnel, error) {
	f := Funnel{Scale: ArcsineRoot, Target: target}
	if len(x) != len(n) || !(target > 0 && target < 1) {
		return Funnel{}, notFinite()
	}
	var y []float64
	for i := range x {
		if !(n[i] > 0 && x[i] >= 0 && x[i] <= n[i]) || math.IsInf(n[i], 0) {
			return Funnel{}, notFinite()
		}
		y = append(y, math.Asin(math.Sqrt(x[i]/n[i])))
		f.Points = append(f.Points, Point{Value: x[i] / n[i], SE: 1 / (2 * math.Sqrt(n[i]))})
	}
	return f.fill(y, nil, o)
}

// Ratios is the funnel of observed over expected counts around 1, on the log
// scale with the variance 1/E that a Poisson count has at the target. It is for
// outcomes rarer than 10 % of the cases: of others the limits would be too wide
// by sqrt(1/(1-p)). n holds the cases of each unit, and more than 10 % expected
// among them all is refused; a nil n leaves that to the caller. A unit with
// O = 0 is placed at half a case, see [Point]. It refuses without points, and
// where E is not positive or O negative.
func Ratios(observed, expected, n []float64, o FunnelOptions) (Funnel, error) {
	f := Funnel{Scale: Log, Target: 1}
	if len(observed) != len(expected) || n != nil && len(n) != len(expected) {
		return Funnel{}, notFinite()
	}
	var y []float64
	var sumE, sumN float64
	for i, e := range expected {
		if !(e > 0 && observed[i] >= 0) || math.IsInf(e, 0) || math.IsInf(observed[i], 0) || n != nil && !(n[i] > 0) {
			return Funnel{}, notFinite()
		}
		p := Point{Value: observed[i] / e, SE: 1 / math.Sqrt(e), Half: observed[i] == 0}
		y = append(y, math.Log(p.Value))
		if p.Half {
			y[i] = math.Log(0.5 / e)
		}
		f.Points = append(f.Points, p)
		if n != nil {
			sumE += e
			sumN += n[i]
		}
	}
	if sumE > rare*sumN {
		return Funnel{}, &effect.Refusal{Code: RefusalNotRare, Why: "the outcome is not rarer than 10 % of the cases", Cure: "use a funnel of shares or of differences"}
	}
	return f.fill(y, nil, o)
}

// Differences is the funnel of differences d with standard errors se around a
// target, 0 for differences from an expectation, on their own scale. df are the
// degrees of freedom of the standard errors, or nil where these are known. With
// them the limits of chance are quantiles of Student's t, so that a point lies
// outside 95 % exactly when the 95 % interval of its difference leaves the
// target out; Z is then the normal score of the same two-sided p-value, and
// adjusted limits lie sqrt((t s)^2 + z^2 tau2) away. It refuses without points,
// and where a standard error or df is not positive.
func Differences(d, se, df []float64, target float64, o FunnelOptions) (Funnel, error) {
	f := Funnel{Scale: Plain, Target: target}
	if len(d) != len(se) || df != nil && len(df) != len(d) || math.IsNaN(target-target) {
		return Funnel{}, notFinite()
	}
	for i := range d {
		if math.IsNaN(d[i]-d[i]) || !(se[i] > 0) || math.IsInf(se[i], 0) || df != nil && !(df[i] > 0) {
			return Funnel{}, notFinite()
		}
		f.Points = append(f.Points, Point{Value: d[i], SE: se[i]})
	}
	return f.fill(d, df, o)
}

func notFinite() error {
	return &effect.Refusal{
		Code: effect.RefusalNotFinite, Why: "a figure is missing, infinite or out of its range",
		Cure: "leave out what could not be estimated, and give lists of equal length",
	}
}

func noFigures() error {
	return &effect.Refusal{Code: effect.RefusalNoCases, Why: "there is no figure", Cure: "choose a later as_of or a wider family"}
}

// at is a value on the scale, and back from it.
func (s Scale) at(v float64) float64 {
	switch s {
	case ArcsineRoot:
		return math.Asin(math.Sqrt(v))
	case Log:
		return math.Log(v)
	}
	return v
}

func (s Scale) back(y float64) float64 {
	switch s {
	case ArcsineRoot:
		r := math.Sin(min(max(y, 0), math.Pi/2))
		return r * r
	case Log:
		return math.Exp(y)
	}
	return y
}

// Limits are the limits around the target for a unit with the standard error se
// on the scale (with n cases 1/(2 sqrt n) for shares, with E expected 1/sqrt(E)
// for ratios) and df degrees of freedom (infinite where it is known): the curve
// to draw. Those of shares stay within 0 and 1.
func (f *Funnel) Limits(se, df, confidence float64, adjusted bool) (low, high float64) {
	half := f.half(se, df, confidence, adjusted)
	y := f.Scale.at(f.Target)
	return f.Scale.back(y - half), f.Scale.back(y + half)
}

func (f *Funnel) half(se, df, confidence float64, adjusted bool) float64 {
	half := interval.StudentT(df, confidence) * se
	if adjusted {
		half = math.Hypot(half, interval.Normal(confidence)*math.Sqrt(f.Tau2))
	}
	return half
}

// fill works out everything but Value and SE of the points at y on the scale.
func (f Funnel) fill(y, df []float64, o FunnelOptions) (Funnel, error) {
	k := len(y)
	switch {
	case k == 0:
		return Funnel{}, noFigures()
	case !(o.Winsorise >= 0 && o.Winsorise < 0.5):
		return Funnel{}, &effect.Refusal{Code: effect.RefusalNotFinite, Why: "the share to winsorise is not between 0 and 0.5", Cure: "0.1 is usual, 0 leaves all as they are"}
	}
	freedom := func(i int) float64 {
		if df == nil {
			return math.Inf(1)
		}
		return df[i]
	}
	target := f.Scale.at(f.Target)
	for i := range f.Points {
		p := &f.Points[i]
		p.Weight = 1 / (p.SE * p.SE)
		p.Z = (y[i] - target) / p.SE
		// Far out, where the tail is too small for a number, t is as good as z.
		if tail := interval.TwoSided(p.Z, freedom(i)); freedom(i) < 1e7 && tail > 0 {
			p.Z = interval.Score(tail, p.Z)
		}
	}
	f.disperse(o)
	for i := range f.Points {
		p := &f.Points[i]
		away := math.Abs(y[i] - target)
		p.Limits.Low95, p.Limits.High95 = f.Limits(p.SE, freedom(i), Warning, false)
		p.Limits.Low998, p.Limits.High998 = f.Limits(p.SE, freedom(i), Alarm, false)
		p.AdjustedLimits.Low95, p.AdjustedLimits.High95 = f.Limits(p.SE, freedom(i), Warning, true)
		p.AdjustedLimits.Low998, p.AdjustedLimits.High998 = f.Limits(p.SE, freedom(i), Alarm, true)
		place := func(adjusted bool) Position {
			switch {
			case away > f.half(p.SE, freedom(i), Alarm, adjusted):
				return Outside998
			case away > f.half(p.SE, freedom(i), Warning, adjusted):
				return Outside95
			}
			return Inside
		}
		p.Position = place(false)
		if k > 1 {
			p.AdjustedPosition = place(true)
		}
	}
	return f, nil
}

// disperse estimates over-dispersion. It sums in the order of the z.
func (f *Funnel) disperse(o FunnelOptions) {
	sorted := slices.Clone(f.Points)
	slices.SortFunc(sorted, func(a, b Point) int { return cmp.Or(cmp.Compare(a.Z, b.Z), cmp.Compare(a.Weight, b.Weight)) })
	k := len(sorted)
	m := int(o.Winsorise * float64(k))
	low, high := sorted[m].Z, sorted[k-1-m].Z
	var sw, sw2 float64
	for _, p := range sorted {
		z := min(max(p.Z, low), high)
		f.Phi += z * z
		sw += p.Weight
		sw2 += p.Weight * p.Weight
	}
	f.Pulled = 2 * m
	f.Phi /= float64(k) * pulledSquare(float64(m)/float64(k))
	f.Tau2 = math.NaN()
	if k > 1 {
		f.Tau2 = max(0, (float64(k)*f.Phi-float64(k-1))/(sw-sw2/sw))
	}
}

// pulledSquare is the mean square of a standard normal variable of which the
// share a in each tail is pulled in to the quantile.
func pulledSquare(a float64) float64 {
	if a == 0 {
		return 1
	}
	c := interval.Normal(1 - 2*a)
	return 1 - 2*a - 2*c*math.Exp(-c*c/2)/math.Sqrt(2*math.Pi) + 2*a*c*c
}
