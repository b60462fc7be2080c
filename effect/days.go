package effect

import (
	"iter"
	"math"
	"math/bits"
)

var nan = math.NaN()

// DayView shows on which days a person was in the watched states. It is a view
// into shared memory: valid during the call it is passed to.
type DayView struct {
	words []uint64
	base  Date // the day of bit 0
}

// Has says whether the day is marked. Days outside the view are not.
func (v DayView) Has(d Date) bool {
	i := int(d) - int(v.base)
	return i >= 0 && i < 64*len(v.words) && v.words[i>>6]&(1<<(i&63)) != 0
}

// Count returns how many days of [from, to) are marked.
func (v DayView) Count(from, to Date) int {
	i, end := v.bits(from, to)
	n := 0
	for ; i < end; i = (i | 63) + 1 {
		n += bits.OnesCount64(v.part(i, end))
	}
	return n
}

// Tally returns how many days of [from, to) are marked, and which of them makes
// it so many; NoDate where they are fewer.
func (v DayView) Tally(from, to Date, need int) (total int, on Date) {
	on = NoDate
	i, end := v.bits(from, to)
	for ; i < end; i = (i | 63) + 1 {
		w := v.part(i, end)
		n := bits.OnesCount64(w)
		if total < need && total+n >= need {
			for range need - total - 1 {
				w &= w - 1 // without the lowest bit
			}
			on = v.base + Date(i&^63+bits.TrailingZeros64(w))
		}
		total += n
	}
	return total, on
}

// First returns the first marked day of [from, to), or NoDate.
func (v DayView) First(from, to Date) Date {
	i, end := v.bits(from, to)
	for ; i < end; i = (i | 63) + 1 {
		if w := v.part(i, end); w != 0 {
			return v.base + Date(i&^63+bits.TrailingZeros64(w))
		}
	}
	return NoDate
}

// bits are the places of the days [from, to).
func (v DayView) bits(from, to Date) (int, int) {
	return max(0, int(from)-int(v.base)), min(64*len(v.words), int(to)-int(v.base))
}

// part is the word of bit i with the bits of [i, end) that it has.
func (v DayView) part(i, end int) uint64 {
	w := v.words[i>>6] & (^uint64(0) << (i & 63))
	if last := i &^ 63; end-last < 64 {
		w &= 1<<uint(end-last) - 1
	}
	return w
}

// Runs yields the runs of marked days [from, to) inside [from, to), in order.
func (v DayView) Runs(from, to Date) iter.Seq2[Date, Date] {
	return func(yield func(Date, Date) bool) {
		i, end := v.bits(from, to)
		for i < end {
			i = v.next(i, end, 0)
			if i >= end {
				return
			}
			j := v.next(i, end, ^uint64(0))
			if !yield(v.base+Date(i), v.base+Date(j)) {
				return
			}
			i = j
		}
	}
}

// next returns the first bit from i on that, with flip, is set, or end. Runs
// look for set bits and for clear ones alike.
func (v DayView) next(i, end int, flip uint64) int {
	for i < end {
		if w := (v.words[i>>6] ^ flip) >> (i & 63); w != 0 {
			return min(end, i+bits.TrailingZeros64(w))
		}
		i = (i | 63) + 1
	}
	return end
}

// AmountView shows what a person's spells amount to on each day: hundredths of
// an hour a week, or øre. It is a view into shared memory, as a [DayView] is.
type AmountView struct {
	days []uint32
	base Date
}

// The sum of a day is kept below 2^31, and the bit above says that a spell of
// that day does not tell its amount.
const (
	maxDaily    = 1<<31 - 1
	untold      = 1 << 31
	hourPercent = 100 // hundredths of an hour
	ore         = 100 // øre of a krone
)

// Tally returns the sum over [from, to), and the first day by which it is so
// much; NoDate where it is less.
func (v AmountView) Tally(from, to Date, need int64) (total int64, on Date) {
	on = NoDate
	for i := max(0, int(from)-int(v.base)); i < min(len(v.days), int(to)-int(v.base)); i++ {
		total += int64(v.days[i] & maxDaily)
		if on == NoDate && total >= need {
			on = v.base + Date(i)
		}
	}
	return total, on
}

// Untold says whether some spell on a day of [from, to) does not tell its amount.
func (v AmountView) Untold(from, to Date) bool {
	for i := max(0, int(from)-int(v.base)); i < min(len(v.days), int(to)-int(v.base)); i++ {
		if v.days[i]&untold != 0 {
			return true
		}
	}
	return false
}

// joinDaily adds to a day. The sum stops at maxDaily, so that it does not depend
// on the order.
func joinDaily(a, b uint32) uint32 {
	return min(a&maxDaily+b&maxDaily, maxDaily) | (a|b)&untold
}

// lane is what the observer keeps for a case of one watch, from `from` to `to`
// days after the clock's day: a bitmap of the days on which it holds, or an
// amount for each day.
type lane struct {
	clock    Clock
	watch    Watch
	from, to int
	offset   int    // within the case's words, or amounts
	bit      uint64 // its own; the lanes from the 64th on share one
}

func (l lane) words() int { return (l.to - l.from + 63) / 64 }

// mark sets the bits [i, j). The block is locked; a union does not depend on the order.
func mark(words []uint64, i, j int) {
	first, last := i>>6, (j-1)>>6
	for k := first; k <= last; k++ {
		mask := ^uint64(0)
		if k == first {
			mask <<= i & 63
		}
		if k == last {
			mask &= ^uint64(0) >> (63 - (j-1)&63)
		}
		words[k] |= mask
	}
}
