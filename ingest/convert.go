package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// class is what the values of an input column can stand for.
type class uint8

const (
	classOther class = iota
	classInteger
	classNumber
	classText
	classDate
	classBool
	classNull // a column without values, which some writers give no type
)

// leaf is the type of an input column, from either door.
type leaf struct {
	class class
	name  string        // for messages
	kind  encoding.Kind // physical type
	// unsigned marks integers to be read without sign.
	unsigned bool
	perDay   int64 // ticks per day of a timestamp; 0 for a DATE
	scale    int   // of a decimal; -1 for what is none
}

// Codes of vectors: values from 0 are levels of a resolver, negative ones say
// why there is no level.
const (
	codeNull     int32 = -1 - iota
	codeEmpty          // empty text
	codeLong           // text over the limit
	codeInvalid        // not UTF-8
	codeOther          // no name that the contract allows
	codeInfinite       // not a finite number
	codeUnknown        // not among the persons looked for
)

// Dates of vectors that are no dates, besides effect.NoDate for null.
const (
	dateClock   = int32(effect.NoDate) + 1 + iota // not at midnight
	dateOutside                                   // outside FirstDate..LastDate
	dateText                                      // text that is no date
)

// vector is one column of a batch: codes, days or truth values in ints, numbers
// in floats, or identifiers in ids. Null is codeNull, effect.NoDate or NaN. Not a
// number and infinities in the input are +Inf.
//
// An identifier is the whole number that it is. The last 2^32 whole numbers stand
// for the codes: see codeID.
type vector struct {
	ints   []int32
	floats []float64
	ids    []int64
}

// form says which of the slices of a vector is used.
type form uint8

const (
	formCodes form = iota
	formNumbers
	formIDs
)

// formOf is the form of a column: identifiers are kept as they are where no
// resolver looks for known ones.
func formOf(w want, res resolver) form {
	if w.numeric() {
		return formNumbers
	}
	if _, ok := res.(*interner); ok && w == wantID {
		return formIDs
	}
	return formCodes
}

// slice returns rows [i, j).
func (v vector) slice(i, j int) vector {
	switch {
	case v.floats != nil:
		return vector{floats: v.floats[i:j]}
	case v.ids != nil:
		return vector{ids: v.ids[i:j]}
	}
	return vector{ints: v.ints[i:j]}
}

// firstCode is the first whole number that stands for a code: after all others,
// as texts come after numbers.
const firstCode = math.MaxInt64 - math.MaxUint32

// codeID is the whole number that stands for a code: levels, which are texts and
// numbers from firstCode on, come first.
func codeID(code int32) int64 { return firstCode + int64(uint32(code)) }

// idCode is the code that a whole number stands for, if it does.
func idCode(n int64) (code int32, ok bool) {
	return int32(uint32(n - firstCode)), n >= firstCode
}

// A resolver turns identifiers and names into codes.
type resolver interface {
	number(n int64) int32
	text(b []byte) int32
}

// interner is the resolver that numbers the distinct values it meets. It may be
// shared: convert locks it while it resolves.
type interner struct {
	sync.Mutex
	want    want // says which names are known
	maxText int
	nums    map[int64]int32
	texts   map[string]int32
	levels  []effect.ID
}

func newInterner(w want, maxText int) *interner {
	return &interner{want: w, maxText: maxText, nums: map[int64]int32{}, texts: map[string]int32{}}
}

func (in *interner) number(n int64) int32 {
	if c, ok := in.nums[n]; ok {
		return c
	}
	c := in.add(effect.NumberID(n))
	if c >= 0 {
		in.nums[n] = c
	}
	return c
}

// add makes a level of an identifier that has none, if the contract knows it.
func (in *interner) add(id effect.ID) int32 {
	if !in.want.knows(id) {
		return codeOther
	}
	in.levels = append(in.levels, id)
	return int32(len(in.levels) - 1)
}

func (in *interner) text(b []byte) int32 {
	if c, ok := in.texts[string(b)]; ok {
		return c
	}
	if c := checkText(b, in.maxText); c < 0 {
		return c
	}
	id := effect.TextID(string(b))
	if n, ok := id.Number(); ok {
		return in.number(n)
	}
	c := in.add(id)
	if c >= 0 {
		in.texts[id.String()] = c
	}
	return c
}

// id is what stands for a whole number among identifiers. The interner is locked
// if the number is one from firstCode on.
func (in *interner) id(n int64) int64 {
	if n < firstCode {
		return n
	}
	return codeID(in.number(n))
}

// textID is id for a text. The interner is locked.
func (in *interner) textID(b []byte) int64 {
	if c, ok := in.texts[string(b)]; ok {
		return codeID(c)
	}
	if checkText(b, in.maxText) == 0 {
		if n, ok := effect.TextID(string(b)).Number(); ok {
			return in.id(n)
		}
	}
	return codeID(in.text(b))
}

func checkText(b []byte, maxText int) int32 {
	switch {
	case len(b) == 0:
		return codeEmpty
	case len(b) > maxText:
		return codeLong
	case !utf8.Valid(b):
		return codeInvalid
	}
	return 0
}

// converter turns physical values of one leaf into a vector.
type converter struct {
	leaf leaf
	want want
	res  resolver // for identifiers, names and states
	// pseudo makes pseudonyms of identifiers; nil where they stay what they are.
	pseudo *pseudonymizer
}

// form is that of the vectors that the converter fills.
func (c *converter) form() form { return formOf(c.want, c.res) }

// numeric says whether the vector holds floats.
func (w want) numeric() bool { return w == wantNumber || w == wantWhole || w == wantFloat }

// convert writes the dense values [from, to) of data to dst.
func (c *converter) convert(dst vector, data *encoding.Values, from, to int) error {
	switch {
	case c.pseudo != nil:
		return c.pseudonyms(dst, data, from, to)
	case dst.ids != nil:
		return c.ids(dst.ids, data, from, to)
	case c.want.numeric():
		return c.floats(dst.floats, data, from, to)
	case c.want == wantDate:
		return c.dates(dst.ints, data, from, to)
	case c.want == wantBool && c.leaf.class == classText: // a constant of the options
		return eachText(data, from, to, func(b []byte) int32 {
			if v, _ := strconv.ParseBool(string(b)); v {
				return 1
			}
			return 0
		}, dst.ints)
	case c.want == wantBool:
		bits := data.Boolean()
		for i := range dst.ints {
			dst.ints[i] = int32(bits[(from+i)/8] >> ((from + i) % 8) & 1)
		}
		return nil
	}
	if l, ok := c.res.(sync.Locker); ok {
		l.Lock()
		defer l.Unlock()
	}
	return c.codes(dst.ints, data, from, to)
}

// ids takes whole numbers as they are; only what is none needs the interner.
func (c *converter) ids(dst []int64, data *encoding.Values, from, to int) error {
	in := c.res.(*interner)
	switch {
	case c.leaf.class == classText:
		in.Lock()
		defer in.Unlock()
		return eachText(data, from, to, in.textID, dst)
	case c.leaf.kind == encoding.Int32 && c.leaf.unsigned:
		widen(dst, data.Uint32()[from:to])
	case c.leaf.kind == encoding.Int32:
		widen(dst, data.Int32()[from:to])
	case c.leaf.kind == encoding.Int64:
		// An unsigned number over the largest int64 comes out negative.
		copy(dst, data.Int64()[from:to])
		for i, n := range dst {
			if n < firstCode && (n >= 0 || !c.leaf.unsigned) {
				continue
			}
			in.Lock()
			if n < 0 {
				dst[i] = in.textID(strconv.AppendUint(nil, uint64(n), 10))
			} else {
				dst[i] = in.id(n)
			}
			in.Unlock()
		}
	default:
		in.Lock()
		defer in.Unlock()
		return eachDecimal(data, c.leaf, from, to, func(i int, v *big.Int) {
			if v.IsInt64() {
				dst[i] = in.id(v.Int64())
			} else {
				dst[i] = in.textID([]byte(v.String()))
			}
		})
	}
	return nil
}

func (c *converter) codes(dst []int32, data *encoding.Values, from, to int) error {
	switch {
	case c.want == wantDecimal && c.leaf.class == classText:
		return eachText(data, from, to, c.written, dst)
	case c.want == wantDecimal && c.leaf.class == classNumber:
		return c.amounts(dst, data, from, to)
	case c.want == wantCode && c.leaf.class == classNumber && c.leaf.scale < 0:
		c.floatCodes(dst, data, from, to)
		return nil
	case (c.want == wantAmount || c.want == wantCode && c.leaf.class == classNumber) && c.leaf.class != classInteger:
		return c.amounts(dst, data, from, to)
	}
	if c.leaf.class == classText {
		return eachText(data, from, to, c.res.text, dst)
	}
	switch c.leaf.kind {
	case encoding.Int32:
		if c.leaf.unsigned {
			resolve(dst, data.Uint32()[from:to], c.res)
		} else {
			resolve(dst, data.Int32()[from:to], c.res)
		}
		return nil
	case encoding.Int64:
		if !c.leaf.unsigned {
			resolve(dst, data.Int64()[from:to], c.res)
			return nil
		}
		for i, v := range data.Uint64()[from:to] {
			if v <= math.MaxInt64 {
				dst[i] = c.res.number(int64(v))
			} else {
				dst[i] = c.res.text(strconv.AppendUint(nil, v, 10))
			}
		}
		return nil
	}
	return eachDecimal(data, c.leaf, from, to, func(i int, v *big.Int) {
		if v.IsInt64() {
			dst[i] = c.res.number(v.Int64())
		} else {
			dst[i] = c.res.text([]byte(v.String()))
		}
	})
}

// written resolves the text of a decimal.
func (c *converter) written(b []byte) int32 {
	if len(b) == 0 || len(b) > maxAmount {
		return checkText(b, maxAmount)
	}
	r, ok := writtenDecimal(string(b))
	if !ok {
		return codeOther
	}
	digits, _ := r.FloatPrec()
	return c.res.text([]byte(r.FloatString(digits)))
}

// writtenDecimal reads digits with an optional minus and point. It keeps out what
// big.Rat reads besides: exponents, fractions, underscores, other bases.
func writtenDecimal(s string) (*big.Rat, bool) {
	digits := strings.TrimPrefix(s, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if len(s) > maxAmount || whole == "" || point && frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// amounts resolves numbers that need not be whole by their decimals: those of a
// DECIMAL exactly, those of floats as the shortest that reads back as the same
// number; where a decimal is wanted of a float, to nine significant digits, as
// figures have. Equal numbers have the same decimal, as there are no zeros at its
// end.
func (c *converter) amounts(dst []int32, data *encoding.Values, from, to int) error {
	float := func(v float64, bits int) int32 {
		switch {
		case v-v != 0: // NaN or infinite
			return codeInfinite
		case v == 0: // of either sign
			return c.res.number(0)
		case c.want == wantDecimal:
			if bits == 32 { // the decimal that it stands for
				v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
			}
			v, bits = effect.Round(v), 64
		}
		return c.res.text(strconv.AppendFloat(nil, v, 'f', -1, bits))
	}
	switch {
	case c.leaf.class == classText: // a constant of the options
		return eachText(data, from, to, func(b []byte) int32 {
			v, _ := strconv.ParseFloat(string(b), 64)
			return float(v, 64)
		}, dst)
	case c.leaf.kind == encoding.Float:
		for i, v := range data.Float()[from:to] {
			dst[i] = float(float64(v), 32)
		}
		return nil
	case c.leaf.kind == encoding.Double:
		for i, v := range data.Double()[from:to] {
			dst[i] = float(v, 64)
		}
		return nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(min(c.leaf.scale, maxAmount))), nil)
	return eachDecimal(data, c.leaf, from, to, func(i int, v *big.Int) {
		dst[i] = codeLong
		if c.leaf.scale <= maxAmount {
			r := new(big.Rat).SetFrac(v, unit)
			digits, _ := r.FloatPrec()
			dst[i] = c.res.text([]byte(r.FloatString(digits)))
		}
	})
}

// floatCodes resolves codes that are stored as floats.
func (c *converter) floatCodes(dst []int32, data *encoding.Values, from, to int) {
	if c.leaf.kind == encoding.Float {
		resolveFloats(dst, data.Float()[from:to], c.res)
	} else {
		resolveFloats(dst, data.Double()[from:to], c.res)
	}
}

func resolveFloats[T float32 | float64](dst []int32, src []T, res resolver) {
	last, code := T(math.NaN()), codeNull
	for i, v := range src {
		switch {
		case v != v:
			dst[i] = codeNull
			continue
		case v == last:
		case float64(v) == math.Trunc(float64(v)) && math.Abs(float64(v)) <= 1<<53:
			last, code = v, res.number(int64(v))
		default:
			last, code = v, res.text(strconv.AppendFloat(nil, float64(v), 'f', -1, 64))
		}
		dst[i] = code
	}
}

// resolve remembers the last value: consecutive rows are often one person's.
func resolve[T int32 | int64 | uint32](dst []int32, src []T, res resolver) {
	if len(src) == 0 {
		return
	}
	find := res.number
	if p, ok := res.(*personIndex); ok {
		find = p.seeker()
	}
	last := src[0]
	code := find(int64(last))
	for i, v := range src {
		if v != last {
			last, code = v, find(int64(v))
		}
		dst[i] = code
	}
}

var errValues = errors.New("fewer values than the page declares")

// eachText calls f for every distinct neighbour among the texts [from, to).
func eachText[T int32 | int64](data *encoding.Values, from, to int, f func([]byte) T, dst []T) error {
	var last []byte
	var code T
	put := func(i int, b []byte) {
		if i == 0 || !bytes.Equal(b, last) {
			last, code = b, f(b)
		}
		dst[i] = code
	}
	if data.Kind() == encoding.FixedLenByteArray {
		b, size := data.FixedLenByteArray()
		if to*size > len(b) {
			return errValues
		}
		for i := from; i < to; i++ {
			put(i-from, b[i*size:(i+1)*size])
		}
		return nil
	}
	b, offsets := data.ByteArray()
	if from < to && to >= len(offsets) {
		return errValues
	}
	for i := from; i < to; i++ {
		put(i-from, b[offsets[i]:offsets[i+1]])
	}
	return nil
}

func (c *converter) dates(dst []int32, data *encoding.Values, from, to int) error {
	if c.leaf.class == classText {
		return eachText(data, from, to, func(b []byte) int32 {
			d, err := effect.ParseDate(string(b))
			if err != nil {
				return dateText
			}
			return checkDate(int64(d))
		}, dst)
	}
	switch c.leaf.kind {
	case encoding.Int32:
		const days = int32(effect.LastDate - effect.FirstDate)
		for i, v := range data.Int32()[from:to] {
			if uint32(v-int32(effect.FirstDate)) > uint32(days) {
				v = dateOutside
			}
			dst[i] = v
		}
	case encoding.Int64:
		perDay := c.leaf.perDay
		for i, v := range data.Int64()[from:to] {
			if v%perDay != 0 {
				dst[i] = dateClock
			} else {
				dst[i] = checkDate(v / perDay)
			}
		}
	default: // INT96: nanoseconds of the day and a Julian day
		const unixEpoch = 2_440_588
		for i, v := range data.Int96()[from:to] {
			if v[0] != 0 || v[1] != 0 {
				dst[i] = dateClock
			} else {
				dst[i] = checkDate(int64(v[2]) - unixEpoch)
			}
		}
	}
	return nil
}

func checkDate(d int64) int32 {
	if d < int64(effect.FirstDate) || d > int64(effect.LastDate) {
		return dateOutside
	}
	return int32(d)
}

func (c *converter) floats(dst []float64, data *encoding.Values, from, to int) error {
	switch {
	case c.leaf.class == classDate:
		days := make([]int32, to-from)
		if err := c.dates(days, data, from, to); err != nil {
			return err
		}
		for i, v := range days {
			dst[i] = float64(v)
			if v <= dateText {
				dst[i] = math.Inf(1)
			}
		}
		return nil
	case c.leaf.class == classText: // a constant of the options
		b, _ := data.ByteArray()
		v, err := strconv.ParseFloat(string(b), 64)
		dst[0] = v
		return err
	case c.leaf.class == classBool:
		bits := data.Boolean()
		for i := range dst {
			dst[i] = float64(bits[(from+i)/8] >> ((from + i) % 8) & 1)
		}
		return nil
	case c.leaf.scale >= 0:
		return eachDecimal(data, c.leaf, from, to, func(i int, v *big.Int) { dst[i] = decimal(v, c.leaf.scale) })
	}
	switch c.leaf.kind {
	case encoding.Int32:
		if c.leaf.unsigned {
			widen(dst, data.Uint32()[from:to])
		} else {
			widen(dst, data.Int32()[from:to])
		}
	case encoding.Int64:
		if c.leaf.unsigned {
			widen(dst, data.Uint64()[from:to])
		} else {
			widen(dst, data.Int64()[from:to])
		}
	case encoding.Float:
		widen(dst, data.Float()[from:to])
	default:
		widen(dst, data.Double()[from:to])
	}
	for i, v := range dst {
		if v-v != 0 && c.want != wantFloat { // NaN or infinite
			dst[i] = math.Inf(1)
		}
	}
	return nil
}

func widen[D int64 | float64, T int32 | uint32 | int64 | uint64 | float32 | float64](dst []D, src []T) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// decimal returns v / 10^scale, correctly rounded.
func decimal(v *big.Int, scale int) float64 {
	const exact = 1 << 53
	if v.IsInt64() && scale <= 22 {
		// Both operands are exact, so the division rounds once.
		if n := v.Int64(); n <= exact && n >= -exact {
			return float64(n) / math.Pow10(scale)
		}
	}
	f, err := strconv.ParseFloat(v.String()+"e-"+strconv.Itoa(scale), 64)
	if err != nil {
		return math.Inf(1)
	}
	return f
}

// maxDecimal is how many bytes a decimal may have, twice what is in use: to
// write out a number of any length takes any time.
const maxDecimal = 64

func checkDecimal(size int) error {
	if size > maxDecimal {
		return fmt.Errorf("%w: a decimal of %d bytes", ErrLimit, size)
	}
	return nil
}

// eachDecimal calls f with the unscaled values [from, to) of a decimal column.
func eachDecimal(data *encoding.Values, l leaf, from, to int, f func(i int, v *big.Int)) error {
	var v big.Int
	bigEndian := func(i int, b []byte) {
		v.SetBytes(b)
		if len(b) > 0 && b[0] >= 0x80 {
			v.Sub(&v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		f(i, &v)
	}
	switch l.kind {
	case encoding.Int32:
		for i, n := range data.Int32()[from:to] {
			f(i, v.SetInt64(int64(n)))
		}
	case encoding.Int64:
		for i, n := range data.Int64()[from:to] {
			f(i, v.SetInt64(n))
		}
	case encoding.FixedLenByteArray:
		b, size := data.FixedLenByteArray()
		if to*size > len(b) {
			return errValues
		}
		if err := checkDecimal(size); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			bigEndian(i-from, b[i*size:(i+1)*size])
		}
	case encoding.ByteArray:
		b, offsets := data.ByteArray()
		if from < to && to >= len(offsets) {
			return errValues
		}
		for i := from; i < to; i++ {
			if err := checkDecimal(int(offsets[i+1] - offsets[i])); err != nil {
				return err
			}
			bigEndian(i-from, b[offsets[i]:offsets[i+1]])
		}
	default:
		return fmt.Errorf("%w: a decimal stored as %v", ErrCorrupt, l.kind)
	}
	return nil
}
