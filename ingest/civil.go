package ingest

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// CivilNumbers judges whether the values of a column are Danish civil registration
// numbers (CPR). The zero value has seen nothing. It is one rule for every way in.
//
// A value has the form of one if it is ten digits DDMMYYSSSS that begin with a day of
// the century that the seventh digit tells, where 60 may be added to the day, as in
// replacement numbers; or nine digits, as whole numbers lose a zero in front. Blanks around it,
// a dash, blank, dot or slash behind the sixth digit, and decimals that are 0, do not count.
//
//   - With a hyphen in a text, one value is enough: nothing else is written so.
//   - Else chance has to be ruled out, as other ids have ten digits too. Let n be the
//     distinct values of nine or ten digits of which the first two are a day, k those
//     of them with the form, and c those of the k whose check digit (modulo 11) is right. Ids
//     without meaning have a month behind the day in 12 of 100 cases, and a right check
//     digit in 1 of 11. The column is refused if n D(k/n, 0.13) or
//     n D(c/n, 0.13/11) is more than ln(4e9), where D(x, p) = x ln(x/p) + (1-x) ln((1-x)/(1-p))
//     is the relative entropy: by the bound of [hoeffding1963] either happens by chance less
//     than once in 4e9 columns. 0.13 in place of 0.12 leaves room for ids of which small
//     digits are more frequent (amounts of money, for instance).
//   - Numbers that count up, or begin with a year or the code of a municipality, have few
//     different days. So the k values must have 0.8 times as many different days of the
//     year as k values of all 366 would have, 366 (1 - exp(-k/366)). Few ids that begin with
//     day and month, or year and month, cannot be told from dates of birth, and are refused.
//
// So a column of civil registration numbers alone is found from 5 values on, or 11 without
// right check digits; among 10,000 other ten-digit ids some 90 with right check digits
// are. Fewer cannot be told from chance without a hyphen. Of a column that tells citizens apart
// (Citizens), two are enough if every value has the form: so few random ids do in 1 of
// 700 columns, but nobody's register has so few citizens.
type CivilNumbers struct {
	// Citizens is set by who looks at a column of persons.
	Citizens   bool
	Looked     int64 // values that were looked at
	Others     int64 // without the form
	Days       int64 // n
	Dates      int64 // k
	Checked    int64 // c
	Hyphenated int64 // texts with the form and a hyphen, or that hold one
	days       [12 * 31]bool
	different  int // of days
}

// civilDigits are the digits of a value of ten digits, or of nine that lost a zero; split
// says that a mark stood behind the sixth. ok is false for anything else.
func civilDigits(b []byte) (digits [10]byte, split, ok bool) {
	b = bytes.TrimSpace(b)
	if point := bytes.IndexByte(b, '.'); point > 8 { // as a number with decimals is written
		b = bytes.TrimRight(b, "0")
		if len(b) != point+1 {
			return digits, false, false
		}
		b = b[:point]
	}
	n := 0
	for i := 0; i < len(b); {
		if c := b[i]; c >= '0' && c <= '9' {
			if n == 10 {
				return digits, false, false
			}
			digits[n] = c - '0'
			n++
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if n != 6 || r != '.' && r != '/' && !unicode.Is(unicode.Pd, r) && !unicode.IsSpace(r) {
			return digits, false, false
		}
		split = true
		i += size
	}
	if n == 9 && !split && digits[0] != 0 {
		copy(digits[1:], digits[:9])
		digits[0] = 0
		return digits, false, true
	}
	return digits, split, n == 10
}

// civilDay says whether digits begin with a day of a month, and of a year; of the year it
// is the place among 12 months of 31 days.
func civilDay(d [10]byte) (day, date bool, place int) {
	dd, mm := int(10*d[0]+d[1]), int(10*d[2]+d[3])
	if dd > 60 {
		dd -= 60
	}
	if dd < 1 || dd > 31 {
		return false, false, 0
	}
	if mm < 1 || mm > 12 {
		return true, false, 0
	}
	last := [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[mm-1]
	// The only year of the century that cannot be leap, whatever the seventh digit, is 1900.
	if mm == 2 && dd == 29 && (d[4]*10+d[5])%4 != 0 || mm == 2 && dd == 29 && d[4] == 0 && d[5] == 0 && d[6] < 4 {
		last = 28
	}
	return true, dd <= last, 31*(mm-1) + dd - 1
}

// civilCheck says whether the last digit is that of numbers given out before 2007.
func civilCheck(d [10]byte) bool {
	sum := 0
	for i, weight := range [10]int{4, 3, 2, 7, 6, 5, 4, 3, 2, 1} {
		sum += weight * int(d[i])
	}
	return sum%11 == 0
}

// canonicalCivil is the ten digits of a value that has the form of a civil registration
// number, however it is written.
func canonicalCivil(b []byte) (ten [10]byte, ok bool) {
	d, _, ok := civilDigits(b)
	if !ok {
		return ten, false
	}
	if _, ok, _ = civilDay(d); !ok {
		return ten, false
	}
	for i := range d {
		ten[i] = '0' + d[i]
	}
	return ten, true
}

// civilConstant says whether a value that somebody wrote once has the form: one is enough,
// as there is no column to tell it from chance.
func civilConstant(s string) bool {
	_, ok := canonicalCivil([]byte(s))
	return ok || holdsHyphenated([]byte(s))
}

// holdsHyphenated says whether a text holds a civil registration number with a hyphen, with
// no digit beside it.
func holdsHyphenated(b []byte) bool {
	digit := func(i int) bool { return i >= 0 && i < len(b) && b[i] >= '0' && b[i] <= '9' }
	for i := 6; i+4 < len(b); i++ {
		if b[i] != '-' || digit(i-7) || digit(i+5) {
			continue
		}
		if _, ok := canonicalCivil(b[i-6 : i+5]); ok {
			return true
		}
	}
	return false
}

// Add looks at an identifier. Each should be added once.
func (c *CivilNumbers) Add(id effect.ID) {
	c.Looked++
	s := []byte(id.String())
	before := c.Dates
	if holdsHyphenated(s) {
		c.Hyphenated++
		return
	}
	if d, _, ok := civilDigits(s); ok {
		c.add(d)
	}
	c.Others += 1 - (c.Dates - before)
}

func (c *CivilNumbers) add(d [10]byte) {
	day, date, place := civilDay(d)
	if !day {
		return
	}
	c.Days++
	if !date {
		return
	}
	c.Dates++
	if d[0] < 6 && civilCheck(d) {
		c.Checked++
	}
	if !c.days[place] {
		c.days[place] = true
		c.different++
	}
}

// The share of ids whose day is followed by a month, by chance, and what the bound has to
// pass.
const (
	civilMonths = 0.13
	civilDigit  = 11
	civilChance = 4e9
)

// Evident says whether the values are civil registration numbers, or some of them.
func (c *CivilNumbers) Evident() bool {
	if c.Hyphenated > 0 {
		return true
	}
	if float64(c.different) < 0.8*366*-math.Expm1(-float64(c.Dates)/366) {
		return false
	}
	if c.Citizens && c.Others == 0 && c.Dates > 1 {
		return true
	}
	return unlikely(c.Dates, c.Days, civilMonths) || unlikely(c.Checked, c.Days, civilMonths/civilDigit)
}

// unlikely says whether k of n are so many more than the share p that chance is ruled out.
func unlikely(k, n int64, p float64) bool {
	x := float64(k) / float64(n)
	if n == 0 || x <= p {
		return false
	}
	d := x * math.Log(x/p)
	if x < 1 {
		d += (1 - x) * math.Log((1-x)/(1-p))
	}
	return float64(n)*d > math.Log(civilChance)
}

// IdentifiableError says that a column holds civil registration numbers, as [CivilNumbers]
// judges, where pseudonyms are wanted. It holds no value of the data.
type IdentifiableError struct {
	Table  string
	File   string // the first in which one was met
	Column string // as the contract names it
	Input  string // as the input names it
	// Found values of those looked at have the form.
	Found, Looked int64
}

func (e *IdentifiableError) Error() string {
	column := fmt.Sprintf("column %q", e.Input)
	if e.Input != e.Column {
		column += " (" + e.Column + ")"
	}
	what := fmt.Sprintf("%d of %d values looked at have the form of civil registration numbers (CPR)", e.Found, e.Looked)
	return fmt.Sprintf("ingest: %s: %s: %s, the first in %s: nobody may be known by an id; give pseudonyms, let them be made as the data are read (input.pseudonyms in the run file: docs/privacy.md), or leave the column out",
		e.Table, column, what, e.File)
}

// mostLooks is how many values of a column are looked at, evenly over its rows: all of them
// where there are no more.
const mostLooks = 1 << 14

// looks is what was seen of a column that may hold identifiers. Workers share it.
type looks struct {
	citizens bool  // the column tells citizens apart
	stride   int64 // one value in so many is looked at

	mu     sync.Mutex
	looked int64
	others int64               // values without the form
	days   map[uint64]struct{} // ten digits that begin with a day
	hyphen int64
	first  int // part in which a value with the form was met first; -1 for none
}

// begin says how many rows there are.
func (l *looks) begin(rows int64) {
	*l = looks{citizens: l.citizens, stride: (rows + mostLooks - 1) / mostLooks, first: -1, days: map[uint64]struct{}{}}
	l.stride = max(l.stride, 1)
}

// look looks at the values [from, to) of a run, of which one in stride counts; next is
// how many values come before the next one to look at, and is counted on.
func (l *looks) look(part int, next *int64, leaf leaf, r *run, from, to int) {
	n := int64(to - from)
	if *next >= n || l.stride < 1 {
		*next -= n
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := *next
	for ; at < n; at += l.stride {
		i, data := from+int(at), &r.data
		if r.dict != nil {
			codes := r.data.Int32()
			if i >= len(codes) {
				break // the converter says so
			}
			if i, data = int(codes[i]), &r.dict.data; i < 0 || i >= r.dict.size {
				continue
			}
		}
		var room [24]byte
		text, ok := valueText(room[:0], leaf, data, i)
		if !ok {
			l.looked++
			l.others++
			continue
		}
		l.note(part, text, leaf.class == classText)
	}
	*next = at - n
}

// note looks at one value, a text or the decimal of a whole number.
func (l *looks) note(part int, value []byte, text bool) {
	l.looked++
	found := false
	if text && holdsHyphenated(value) {
		l.hyphen++
		found = true
	} else if d, _, ok := civilDigits(value); ok {
		if day, date, _ := civilDay(d); day {
			key := uint64(0)
			for _, digit := range d {
				key = 10*key + uint64(digit)
			}
			l.days[key] = struct{}{}
			found = date
		}
	}
	switch {
	case !found:
		l.others++
	case l.first < 0 || part < l.first:
		l.first = part
	}
}

// valueText is a value as text, where it is text or a whole number.
func valueText(room []byte, l leaf, data *encoding.Values, i int) (text []byte, ok bool) {
	switch {
	case l.class == classText && l.kind == encoding.FixedLenByteArray:
		b, size := data.FixedLenByteArray()
		return b[min(i*size, len(b)):min((i+1)*size, len(b))], true
	case l.class == classText && l.kind == encoding.ByteArray:
		b, offsets := data.ByteArray()
		if i+1 >= len(offsets) {
			return nil, false
		}
		return b[offsets[i]:offsets[i+1]], true
	case l.class == classNumber && l.scale < 0 || l.scale > 0 || l.class == classText:
		var v float64
		switch {
		case l.class == classNumber && l.kind == encoding.Double && i < len(data.Double()):
			v = data.Double()[i]
		case l.class == classNumber && l.kind == encoding.Float && i < len(data.Float()):
			v = float64(data.Float()[i])
		}
		if v != math.Trunc(v) || v < 1e8 || v >= 1e10 {
			return nil, false
		}
		return strconv.AppendInt(room, int64(v), 10), true
	}
	switch l.kind {
	case encoding.Int32:
		if v := data.Int32(); i < len(v) && l.unsigned {
			return strconv.AppendUint(room, uint64(uint32(v[i])), 10), true
		} else if i < len(v) {
			return strconv.AppendInt(room, int64(v[i]), 10), true
		}
	case encoding.Int64:
		if v := data.Int64(); i < len(v) {
			return strconv.AppendInt(room, v[i], 10), true
		}
	case encoding.FixedLenByteArray, encoding.ByteArray: // a DECIMAL without decimals
		if l.class != classInteger {
			return nil, false
		}
		err := eachDecimal(data, l, i, i+1, func(_ int, v *big.Int) { text = v.Append(room, 10) })
		return text, err == nil
	}
	return nil, false
}

// numbers are what was seen, judged as distinct values.
func (l *looks) numbers() *CivilNumbers {
	c := &CivilNumbers{Citizens: l.citizens, Looked: l.looked, Others: l.others, Hyphenated: l.hyphen}
	for key := range l.days {
		var d [10]byte
		for i := range d {
			d[9-i] = byte(key % 10)
			key /= 10
		}
		c.add(d)
	}
	return c
}

// mayIdentify says whether a column is looked at: identifiers, and what of text and numbers
// the contract does not say the meaning of.
func (w want) mayIdentify() bool {
	return slices.Contains([]want{wantID, wantText, wantState, wantCovariate}, w)
}

// identifiable is the first of the columns that holds civil registration numbers, as an
// error, after they were read; nil for none.
func (d *Dataset) identifiable(table string, cols []input) error {
	for i := range cols {
		if err := d.identified(table, &cols[i]); err != nil {
			return err
		}
	}
	return nil
}

// identified is the error of one column.
func (d *Dataset) identified(table string, in *input) error {
	if in.look == nil {
		return nil
	}
	if c := in.look.numbers(); c.Evident() {
		return &IdentifiableError{table, d.tables[table][max(in.look.first, 0)].name(), in.name, in.column, c.Dates + c.Hyphenated, c.Looked}
	}
	return nil
}

// identifiable is the first column of a table of others that holds civil registration
// numbers, as an error; path is its file.
func (t *Table) identifiable(path string) error {
	for k := range t.Columns {
		c := &t.Columns[k]
		seen := &looks{first: -1, days: map[uint64]struct{}{}}
		whole := func(v int64) { seen.note(0, strconv.AppendInt(nil, v, 10), false) }
		switch {
		case c.Factor != nil:
			for _, level := range c.Factor.Levels {
				seen.note(0, []byte(level), true)
			}
		case c.Ints != nil:
			for _, v := range c.Ints {
				whole(v)
			}
		case c.Floats != nil:
			for _, v := range c.Floats {
				if v == math.Trunc(v) && v >= 1e8 && v < 1e10 {
					whole(int64(v))
				}
			}
		}
		if found := seen.numbers(); found.Evident() {
			return &IdentifiableError{t.Name, path, c.Name, c.Name, found.Dates + found.Hyphenated, found.Looked}
		}
	}
	return nil
}
