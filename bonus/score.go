package bonus

import (
	"fmt"
	"math/big"
	"slices"
)

// Score is one number for a provider and a settlement period: a weighted sum of
// parts,
//
//	score = clamp(sum over parts of weight x value / divide x times), rounded
//
// exact but for the roundings that it says. It is made when the period is over,
// for each provider with cases in it, under the version in force on the period's
// first day. With domains, the value of a domain is the mean of its parts by
// weight, and the sum is over domains.
//
// A part is a figure of the provider, a count or share of reached outcomes, or
// an effect. What is common to all of them (above, scales, rounding, weight) is
// said in the same way whatever the part is.
type Score struct {
	Parts   []ScorePart   `yaml:"parts" jsonschema:"minItems=1" doc:"what is added up"`
	Domains []ScoreDomain `yaml:"domains,omitempty" doc:"parts that are averaged before they are added up"`
	Cases   *ScoreCases   `yaml:"cases,omitempty" doc:"which cases count for a period; those referred in it if left out"`
	Missing Missing       `yaml:"missing,omitempty" doc:"what becomes of a part without a figure, or under its min_n: nothing, reallocate or not_rated; if left out, a missing figure is a fault"`
	Divide  *ScoreDivide  `yaml:"divide,omitempty" doc:"what the sum is divided by"`
	Times   *Operand      `yaml:"times,omitempty" doc:"what it is then multiplied by: a number, or the name of a figure"`
	Least   *Decimal      `yaml:"least,omitempty" doc:"the least that the score can be"`
	Most    *Decimal      `yaml:"most,omitempty" doc:"the most that the score can be"`
	Round   *RoundTo      `yaml:"round,omitempty" doc:"rounding of the score; none if left out"`
	// MinN and MinMonths: under them a provider is not rated. The score stands all
	// the same, because terms may look at it.
	MinN      *int `yaml:"min_n,omitempty" doc:"under so many cases (of a score without cases: the smallest n of its figures) a provider is not rated"`
	MinMonths *int `yaml:"min_months,omitempty" doc:"a provider is not rated until so many calendar months after its first referral under the agreement have passed by the end of the period"`
	// Ratings are boundaries: a score at or above k of them has the rating k + 1.
	Ratings []Decimal `yaml:"ratings,omitempty" doc:"boundaries between ratings, ascending: a score at or above k of them has the rating k + 1"`
}

// ScorePart is one part of a score. Exactly one of Figure, Results, Effect and
// Ratio is given. Its points are
//
//	value of the figure, count, share, effect or ratio
//	max(0, value - above), where above is given
//	the most that one of the scales gives for it, where scales are given
//	rounded, where round is given
type ScorePart struct {
	Name   string `yaml:"name" doc:"what people call the part"`
	Figure string `yaml:"figure,omitempty" doc:"name of a figure of the provider for the period"`
	// Results counts each case once for each of the outcomes that it reached.
	Results []string `yaml:"results,omitempty" doc:"outcomes: how many of them the cases have reached, each case once for each"`
	Share   bool     `yaml:"share,omitempty" doc:"of results: true divides by the cases of the part. Of a figure: true says that it is a share, from 0 to 1, of its n, so that a decision on it can be told from luck"`
	Effect  string   `yaml:"effect,omitempty" doc:"outcome: the mean difference from what similar citizens achieve"`
	Ratio   string   `yaml:"ratio,omitempty" doc:"outcome: observed / expected"`
	Part    Part     `yaml:"part,omitempty" doc:"of an effect or ratio: provider or total"`
	Method  string   `yaml:"method,omitempty" doc:"of an effect or ratio: the method of estimation"`
	// MatchGroup and Package narrow the cases of results.
	MatchGroup string   `yaml:"match_group,omitempty" doc:"of results: only cases of this match group, in the scheme of the terms"`
	Package    string   `yaml:"package,omitempty" doc:"of results: only cases of this package"`
	Above      *Operand `yaml:"above,omitempty" doc:"only what the value is above this counts: a number, or the name of a figure"`
	Scales     []Scale  `yaml:"scales,omitempty" doc:"scales that give points for the value; the one that gives most counts"`
	Round      *RoundTo `yaml:"round,omitempty" doc:"rounding of the part; none if left out"`
	Weight     *Operand `yaml:"weight,omitempty" doc:"a number, or the name of a figure; 1 if left out"`
	MinN       *int     `yaml:"min_n,omitempty" doc:"under so many cases, or so small an n of the figure, the part is missing"`
	Domain     string   `yaml:"domain,omitempty" doc:"name of the domain that the part belongs to"`
}

// ScoreDomain is a group of parts that weighs as one.
type ScoreDomain struct {
	Name   string  `yaml:"name" doc:"name of the domain, which its parts give"`
	Weight Decimal `yaml:"weight" doc:"weight of the mean of its parts"`
}

// Scale is a straight line between two values, which may lie either way round:
// 0 before from, then plus + points x (value - from)/(to - from), rounded, not
// under 0 and not above full, and full at to and beyond.
//
// Two numbers say themselves which way round. Where an end is a figure, Better
// does: from a baseline that is at the other end already, or past it, there is no
// way to go, and the scale gives 0 whatever the value.
type Scale struct {
	From   Operand  `yaml:"from" doc:"where points begin: a number, or the name of a figure"`
	To     Operand  `yaml:"to" doc:"where they end: a number, or the name of a figure"`
	Better Better   `yaml:"better,omitempty" doc:"of a scale with a figure at an end: high (if left out), or low where less is better and from lies above to; from an end that is not before the other there are no points"`
	Points Decimal  `yaml:"points" doc:"points from one end to the other"`
	Plus   *Decimal `yaml:"plus,omitempty" doc:"points added between the ends; none if left out"`
	Full   *Decimal `yaml:"full,omitempty" doc:"points at the far end and beyond; points if left out"`
	Round  *RoundTo `yaml:"round,omitempty" doc:"rounding of the points; none if left out"`
}

// ScoreCases says which cases count for a period: those whose day lies in it, or
// in the months that end with it.
type ScoreCases struct {
	By     ScoreDay `yaml:"by" doc:"the day that counts: referral, start (first day of the course) or window_end (last day of the last window of the score's outcomes)"`
	Months *int     `yaml:"months,omitempty" doc:"so many calendar months up to the period's end; the period itself if left out"`
}

// ScoreDay is a day of a case.
type ScoreDay string

// The days by which cases count for a period.
const (
	DayReferral  ScoreDay = "referral"
	DayStart     ScoreDay = "start"
	DayWindowEnd ScoreDay = "window_end"
)

// Names lists the days.
func (ScoreDay) Names() []string {
	return []string{string(DayReferral), string(DayStart), string(DayWindowEnd)}
}

// ScoreDivide is what a score is divided by: exactly one of the two.
type ScoreDivide struct {
	Cases *Decimal `yaml:"cases,omitempty" doc:"this number times the cases of the score"`
	By    *Operand `yaml:"by,omitempty" doc:"a number, or the name of a figure"`
}

// RoundTo is a rounding to so many decimals.
type RoundTo struct {
	Decimals int          `yaml:"decimals" doc:"how many decimals are kept, 0 to 12"`
	Mode     RoundingMode `yaml:"mode" doc:"half_up (a half goes away from zero), half_even, or down (towards zero)"`
}

// Missing says what becomes of a part that has no value.
type Missing string

// What can become of it. Where the terms say nothing, a figure that nobody gave
// is a fault.
const (
	MissingNothing    Missing = "nothing"    // it contributes 0
	MissingReallocate Missing = "reallocate" // its weight goes to the parts that there are, in proportion
	MissingNotRated   Missing = "not_rated"  // the provider is not rated
)

// Names lists what can become of a missing part.
func (Missing) Names() []string {
	return []string{string(MissingNothing), string(MissingReallocate), string(MissingNotRated)}
}

// Operand is a number in the terms, or the name of a figure whose value is one.
// Names begin with a letter.
type Operand struct {
	number Decimal
	figure string
}

// Figure is the name of the figure, "" for a number.
func (o Operand) Figure() string { return o.figure }

// String is the number or the name.
func (o Operand) String() string {
	if o.figure != "" {
		return o.figure
	}
	return o.number.String()
}

// MarshalText writes what UnmarshalText reads, a number without trailing zeros.
func (o Operand) MarshalText() ([]byte, error) {
	if o.figure != "" {
		return []byte(o.figure), nil
	}
	return []byte(exactText(o.number.Rat())), nil
}

// UnmarshalText reads what Decimal reads, or a name of letters, digits, -, _ and
// the like that begins with a letter.
func (o *Operand) UnmarshalText(b []byte) error {
	if isFigureName(string(b)) {
		*o = Operand{figure: string(b)}
		return nil
	}
	*o = Operand{}
	if err := o.number.UnmarshalText(b); err != nil {
		return fmt.Errorf("%w: %q is neither a plain decimal number such as 0.95 nor the name of a figure", ErrMoney, b)
	}
	return nil
}

// isFigureName says whether a text can name a figure in an [Operand].
func isFigureName(s string) bool {
	return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && isName(s)
}

// of rounds a number.
func (r *RoundTo) of(x *big.Rat) *big.Rat {
	if r == nil {
		return x
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(r.Decimals)), nil))
	whole := toWhole(new(big.Rat).Mul(x, scale), r.Mode)
	return new(big.Rat).Quo(new(big.Rat).SetInt(whole), scale)
}

func (r *RoundTo) check(c *checker, path string) {
	if r != nil && (r.Decimals < 0 || r.Decimals > maxDecimals) {
		c.fault(path+".round.decimals", "%d decimals are not 0 to %d", r.Decimals, maxDecimals)
	}
}

// outcomes are those that the score needs, each once, in the order of the parts.
func (m *Score) outcomes() (out []string) {
	for i := range m.Parts {
		p := &m.Parts[i]
		for _, name := range p.outcomes() {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// outcomes are those that a part needs.
func (p *ScorePart) outcomes() []string {
	switch {
	case p.Effect != "":
		return []string{p.Effect}
	case p.Ratio != "":
		return []string{p.Ratio}
	}
	return p.Results
}

// estimated says whether a part is an effect, which is uncertain.
func (p *ScorePart) estimated() bool { return p.Effect != "" || p.Ratio != "" }

// ofCases says whether the score is about cases, rather than about figures alone.
func (m *Score) ofCases() bool {
	return m.Cases != nil || m.Divide != nil && m.Divide.Cases != nil || slices.ContainsFunc(m.Parts, func(p ScorePart) bool { return p.Results != nil })
}
