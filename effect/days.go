package effect

import (
	"iter"
	"math"
	"math/bits"
	"sync/atomic"
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
	n := 0
	for a, b := range v.Runs(from, to) {
		n += int(b - a)
	}
	return n
}

// Runs yields the runs of marked days [from, to) inside [from, to), in order.
func (v DayView) Runs(from, to Date) iter.Seq2[Date, Date] {
	return func(yield func(Date, Date) bool) {
		i, end := max(0, int(from)-int(v.base)), min(64*len(v.words), int(to)-int(v.base))
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

// lane is one bitmap of days that the observer keeps for a case: the days in
// any of the states, from `from` to `to` days after the clock's day.
type lane struct {
	clock    Clock
	states   StateSet
	from, to int
	offset   int // in words, within the case's words
}

func (l lane) words() int { return (l.to - l.from + 63) / 64 }

// mark sets the bits [i, j). Several goroutines may mark the same words:
// a union does not depend on the order.
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
		atomic.OrUint64(&words[k], mask)
	}
}
