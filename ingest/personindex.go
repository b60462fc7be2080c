package ingest

import (
	"math/bits"

	"github.com/jobeffekt/jobeffekt/effect"
)

// personIndex is the resolver that finds persons among those of the cases. It
// is not changed by use.
type personIndex struct {
	maxText int
	nums    []int64 // the numbers among the ids, ascending, which come first
	texts   map[string]int32

	// Where numbers lie close there is a bit for each from the smallest on, and for
	// each word how many persons are before it: little enough to stay near the processor.
	marks []uint64
	ranks []int32
	// Else open addressing: place in nums, -1 for none.
	slots []int32
	shift uint
}

// maxGap is the mean distance of numbers up to which they lie close.
const maxGap = 64

func newPersonIndex(ids effect.IDs, maxText int) *personIndex {
	p := &personIndex{maxText: maxText}
	nums, all := ids.Numbers()
	if p.nums = nums; !all {
		p.nums, p.texts = nil, map[string]int32{}
		for i, id := range ids.All() {
			if n, ok := id.Number(); ok {
				p.nums = append(p.nums, n)
			} else {
				p.texts[id.String()] = int32(i)
			}
		}
	}
	n := uint64(len(p.nums))
	if n == 0 {
		return p
	}
	if reach := uint64(p.nums[n-1] - p.nums[0]); reach/maxGap <= n {
		p.marks, p.ranks = make([]uint64, reach>>6+1), make([]int32, reach>>6+1)
		for _, v := range p.nums {
			at := uint64(v - p.nums[0])
			p.marks[at>>6] |= 1 << (at & 63)
		}
		for k, w := range p.marks[:len(p.marks)-1] {
			p.ranks[k+1] = p.ranks[k] + int32(bits.OnesCount64(w))
		}
		return p
	}
	width := uint(bits.Len64(2*n - 1))
	p.shift = 64 - width
	p.slots = make([]int32, 1<<width)
	for i := range p.slots {
		p.slots[i] = -1
	}
	for i, n := range p.nums {
		s := p.slot(n)
		for p.slots[s] >= 0 {
			s = (s + 1) % len(p.slots)
		}
		p.slots[s] = int32(i)
	}
	return p
}

// slot is where the search for a number begins. The factor is 2^64 divided by
// the golden ratio, which spreads numbers that follow each other.
func (p *personIndex) slot(n int64) int { return int(uint64(n) * 0x9E3779B97F4A7C15 >> p.shift) }

func (p *personIndex) number(n int64) int32 {
	if len(p.nums) == 0 {
		return codeUnknown
	}
	if p.marks != nil {
		at := uint64(n - p.nums[0]) // one below the smallest is far above the largest
		k := at >> 6
		if k >= uint64(len(p.marks)) {
			return codeUnknown
		}
		w, bit := p.marks[k], uint64(1)<<(at&63)
		if w&bit == 0 {
			return codeUnknown
		}
		return p.ranks[k] + int32(bits.OnesCount64(w&(bit-1)))
	}
	for s := p.slot(n); ; s = (s + 1) % len(p.slots) {
		switch i := p.slots[s]; {
		case i < 0:
			return codeUnknown
		case p.nums[i] == n:
			return i
		}
	}
}

func (p *personIndex) text(b []byte) int32 {
	if i, ok := p.texts[string(b)]; ok {
		return i
	}
	if c := checkText(b, p.maxText); c < 0 {
		return c
	}
	if n, ok := effect.TextID(string(b)).Number(); ok {
		return p.number(n)
	}
	return codeUnknown
}
