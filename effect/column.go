package effect

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// Factor is a column of names: a code for each row into Levels. A code of -1
// is a missing value. Levels are distinct; [Factor.Sort] puts them in order.
type Factor struct {
	Codes  []int32
	Levels []string
}

// At returns the name in row i, "" where it is missing.
func (f *Factor) At(i int) string { return f.Level(f.CodeAt(i)) }

// CodeAt returns the code in row i, -1 where it is missing and where the column
// is not there.
func (f *Factor) CodeAt(i int) int32 {
	if len(f.Codes) == 0 {
		return -1
	}
	return f.Codes[i]
}

// Level returns the name of a code, "" for a missing one.
func (f *Factor) Level(code int32) string {
	if code < 0 {
		return ""
	}
	return f.Levels[code]
}

// Code returns the code of a level, -1 where there is none.
func (f *Factor) Code(level string) int32 { return int32(slices.Index(f.Levels, level)) }

// Sort orders the levels as text, byte by byte, and renumbers the codes, so
// that the column is the same whatever order its rows were read in.
func (f *Factor) Sort() {
	order := make([]int32, len(f.Levels))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(f.Levels[a], f.Levels[b]) })
	if slices.IsSorted(order) {
		return
	}
	levels, rank := make([]string, len(order)), make([]int32, len(order))
	for i, old := range order {
		levels[i], rank[old] = f.Levels[old], int32(i)
	}
	codes := make([]int32, len(f.Codes))
	for i, c := range f.Codes {
		codes[i] = -1
		if c >= 0 {
			codes[i] = rank[c]
		}
	}
	f.Codes, f.Levels = codes, levels
}

// NewFactor makes a sorted factor of names; "" is missing.
func NewFactor(names []string) Factor {
	f := Factor{Codes: make([]int32, len(names))}
	index := map[string]int32{}
	for i, name := range names {
		if name == "" {
			f.Codes[i] = -1
			continue
		}
		c, ok := index[name]
		if !ok {
			c = int32(len(f.Levels))
			index[name] = c
			f.Levels = append(f.Levels, name)
		}
		f.Codes[i] = c
	}
	f.Sort()
	return f
}

// ID is an identifier as input holds it: a whole number, or a text. A text
// that is the canonical decimal form of an int64 is the same ID as the number,
// so a table with numbers joins one with texts. The zero ID is the number 0.
type ID struct {
	num  int64
	text string // "" for a number
}

// NumberID is the ID of a whole number.
func NumberID(n int64) ID { return ID{num: n} }

// TextID is the ID of a text: of the number, if it is one in canonical form.
func TextID(s string) ID {
	if len(s) > 0 && len(s) <= 20 && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
			return ID{num: n}
		}
	}
	return ID{text: s}
}

// Number returns the whole number that the ID is, if it is one.
func (id ID) Number() (int64, bool) { return id.num, id.text == "" }

// String is the canonical decimal text of a number, or the text itself.
func (id ID) String() string {
	if id.text == "" {
		return strconv.FormatInt(id.num, 10)
	}
	return id.text
}

// Compare orders IDs: numbers before texts, numbers by value, texts by bytes.
func (id ID) Compare(other ID) int {
	if (id.text == "") != (other.text == "") {
		if id.text == "" {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(id.num, other.num), cmp.Compare(id.text, other.text))
}

// Moments returns, of the numbers of a covariate that the rows know, how many
// there are, their mean and their standard deviation (of n, not n - 1). With none
// known both are 0; with one that is infinite they are NaN. Numbers of any
// magnitude keep their digits: they are halved and doubled until the largest is
// near 1, which is exact.
func (c *Covariate) Moments(rows []int32) (known int, mean, deviation float64) {
	largest := 0.0
	for _, i := range rows {
		if x := c.Number[i]; !math.IsNaN(x) {
			known++
			largest = max(largest, math.Abs(x))
		}
	}
	if known == 0 || largest == 0 {
		return known, 0, 0
	}
	if math.IsInf(largest, 0) {
		return known, nan, nan
	}
	// Beyond a thousand the factor itself would not be finite; the rest does no harm.
	_, exponent := math.Frexp(largest)
	exponent = max(-1000, min(exponent, 1000))
	factor, n, sum, squares := math.Ldexp(1, -exponent), float64(known), 0.0, 0.0
	for _, i := range rows {
		if x := c.Number[i]; !math.IsNaN(x) {
			sum += float64(x * factor)
		}
	}
	mean = sum / n
	for _, i := range rows {
		if x := c.Number[i]; !math.IsNaN(x) {
			d := float64(x*factor) - mean
			squares += float64(d * d)
		}
	}
	return known, math.Ldexp(mean, exponent), math.Ldexp(math.Sqrt(squares/n), exponent)
}
