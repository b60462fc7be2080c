package bonus

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// ErrMoney is wrapped by every error about the text of an amount or a number.
var ErrMoney = errors.New("bonus: not an exact number")

// ErrOverflow says that an amount does not fit in an int64 of øre.
var ErrOverflow = errors.New("bonus: amount too large")

// Ore is an amount of money in øre, a hundredth of a krone. Between two amounts
// in Ore the arithmetic is exact (big.Rat), with one rounding where the terms
// put it.
type Ore int64

// ParseOre reads an amount in kroner with a point and at most two decimals, as
// in 5000, 796.5 or -0.05. It has no thousands separator and no exponent.
func ParseOre(s string) (Ore, error) {
	if !plain(s, 2) {
		return 0, fmt.Errorf("%w: %q is not an amount such as 5000.00, with at most two decimals", ErrMoney, s)
	}
	r, _ := new(big.Rat).SetString(s)
	return toOre(r)
}

// plain says whether s is digits with an optional minus and at most the given
// number of decimals. It keeps out what big.Rat reads besides: exponents,
// fractions, underscores, other bases.
func plain(s string, decimals int) bool {
	whole, frac, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return len(s) <= 40 && digits(whole) && (!point || digits(frac) && len(frac) <= decimals)
}

// toOre converts an amount in kroner that is a whole number of øre.
func toOre(kroner *big.Rat) (Ore, error) {
	r := new(big.Rat).Mul(kroner, big.NewRat(100, 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("%w: %s does not fit", ErrOverflow, exactText(kroner))
	}
	return Ore(r.Num().Int64()), nil
}

// Rat is the amount in kroner.
func (o Ore) Rat() *big.Rat { return big.NewRat(int64(o), 100) }

// String writes the amount in kroner with two decimals.
func (o Ore) String() string { return o.Rat().FloatString(2) }

// MarshalText writes what UnmarshalText reads.
func (o Ore) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what ParseOre reads.
func (o *Ore) UnmarshalText(b []byte) error {
	v, err := ParseOre(string(b))
	if err == nil {
		*o = v
	}
	return err
}

// Decimal is a number kept as it was written: a threshold of 0.95 is exactly
// 95/100. The zero Decimal is 0.
type Decimal struct{ text string }

// Rat is the number, exactly.
func (d Decimal) Rat() *big.Rat {
	r, ok := new(big.Rat).SetString(d.text)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// String is the number as it was written.
func (d Decimal) String() string {
	if d.text == "" {
		return "0"
	}
	return d.text
}

// MarshalText writes what UnmarshalText reads.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// maxDecimals is how many decimals a Decimal may have: more than any threshold
// needs, few enough to be read.
const maxDecimals = 12

// UnmarshalText reads digits with an optional minus, a point and up to 12 decimals.
func (d *Decimal) UnmarshalText(b []byte) error {
	if !plain(string(b), maxDecimals) {
		return fmt.Errorf("%w: %q is not a plain decimal number such as 0.95", ErrMoney, b)
	}
	d.text = string(b)
	return nil
}

// figure is a number of the tables as it is written there, with nine
// significant digits, so that money never depends on float bits. It is nil for
// a number that is not finite.
func figure(x float64) *big.Rat {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(x, 'g', 9, 64))
	return r
}

// exactText writes a number exactly: as a decimal if it has a finite one, else
// as a fraction.
func exactText(r *big.Rat) string {
	digits, exact := r.FloatPrec()
	if !exact {
		return r.RatString()
	}
	return r.FloatString(digits)
}

// Rounding says to what, how and when exact amounts are rounded. Rounding
// happens once.
type Rounding struct {
	Unit  Ore           `yaml:"unit" doc:"what amounts are whole multiples of: 0.01, 1, 100"`
	Mode  RoundingMode  `yaml:"mode" doc:"half_up (a half goes away from zero), half_even, or down (towards zero)"`
	Stage RoundingStage `yaml:"stage" doc:"line: every line is rounded; total: the sum of a provider's lines in a period is rounded once and the lines share it, each rounded down and the rest given by largest remainder, ties in the order of the lines"`
}

// The names a Rounding is made of.
type (
	RoundingMode  string
	RoundingStage string
)

// What can be rounded to, how and when.
const (
	HalfUp   RoundingMode = "half_up"
	HalfEven RoundingMode = "half_even"
	Down     RoundingMode = "down"
	// towardsLess is no mode of terms: it leaves something over to be given out, also
	// of what is taken off.
	towardsLess RoundingMode  = "towards_less"
	StageLine   RoundingStage = "line"
	StageTotal  RoundingStage = "total"
)

// Names lists the modes.
func (RoundingMode) Names() []string { return []string{string(HalfUp), string(HalfEven), string(Down)} }

// Names lists the stages.
func (RoundingStage) Names() []string { return []string{string(StageLine), string(StageTotal)} }

// to says what is rounded to in a step, as in 1.00 kr.
func (r Rounding) to(c Currency) string { return r.Unit.String() + " " + c.Unit() }

// checkUnit finds a unit that nothing is a multiple of.
func (r Rounding) checkUnit(c *checker, path string) {
	if r.Unit <= 0 {
		c.fault(path+".unit", "amounts are rounded to whole multiples of the unit, and %s is none: write 0.01 or 1", r.Unit)
	}
}

// Round rounds an amount in kroner to a whole multiple of the unit, which is an øre
// where none above 0 is given. The error wraps ErrOverflow.
func (r Rounding) Round(kroner *big.Rat) (Ore, error) {
	unit := big.NewRat(max(1, int64(r.Unit)), 100)
	whole := toWhole(new(big.Rat).Quo(kroner, unit), r.Mode)
	return toOre(unit.Mul(unit, new(big.Rat).SetInt(whole)))
}

// toWhole rounds to a whole number.
func toWhole(q *big.Rat, mode RoundingMode) *big.Int {
	num := new(big.Int).Abs(q.Num())
	whole, rest := new(big.Int).QuoRem(num, q.Denom(), new(big.Int))
	half := rest.Lsh(rest, 1).Cmp(q.Denom())
	if mode == towardsLess {
		if q.Sign() < 0 && rest.Sign() != 0 {
			whole.Add(whole, big.NewInt(1))
		}
	} else if mode != Down && (half > 0 || half == 0 && (mode == HalfUp || whole.Bit(0) == 1)) {
		whole.Add(whole, big.NewInt(1))
	}
	if q.Sign() < 0 {
		whole.Neg(whole)
	}
	return whole
}

// sum adds amounts; the error wraps ErrOverflow.
func sum(amounts ...Ore) (Ore, error) {
	total := new(big.Int)
	for _, a := range amounts {
		total.Add(total, big.NewInt(int64(a)))
	}
	if !total.IsInt64() {
		return 0, fmt.Errorf("%w: a sum of %d amounts", ErrOverflow, len(amounts))
	}
	return Ore(total.Int64()), nil
}
