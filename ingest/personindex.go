package ingest

import (
	"math/bits"
	"sort"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect"
)

// personIndex is the resolver that finds persons among those of the cases. It
// belongs to no goroutine.
type personIndex struct {
	maxText int
	nums    []int64 // the numbers among the ids, ascending, which come first
	texts   map[string]int32

	// Where the numbers lie close to each other: a bit for each whole number from
	// the first on, and how many are set in the words before.
	words  []uint64
	before []int32

	// Else, for numbers in no order: open addressing, made when it is needed. A slot
	// is a place in nums, -1 for none.
	once  sync.Once
	slots []int32
	shift uint
}

// closely is how many whole numbers there may be for each that is an id, where a bit
// for each takes no more room than a table of slots.
const closely = 64

func newPersonIndex(ids effect.IDs, maxText int) *personIndex {
	p := &personIndex{maxText: maxText}
	nums, ok := ids.Numbers()
	if !ok {
		nums, p.texts = nil, map[string]int32{}
		for i, id := range ids.All() {
			if n, ok := id.Number(); ok {
				nums = append(nums, n)
			} else {
				p.texts[id.String()] = int32(i)
			}
		}
	}
	p.nums = nums
	if len(nums) == 0 {
		return p
	}
	if span := uint64(nums[len(nums)-1] - nums[0]); span/closely < uint64(len(nums)) {
		p.words, p.before = make([]uint64, span/64+1), make([]int32, span/64+1)
		for _, n := range nums {
			k := uint64(n - nums[0])
			p.words[k/64] |= 1 << (k % 64)
		}
		for w := range len(p.words) - 1 {
			p.before[w+1] = p.before[w] + int32(bits.OnesCount64(p.words[w]))
		}
	}
	return p
}

func (p *personIndex) number(n int64) int32 {
	if len(p.nums) == 0 {
		return codeUnknown
	}
	if p.words != nil {
		k := uint64(n - p.nums[0])
		if n < p.nums[0] || k/64 >= uint64(len(p.words)) {
			return codeUnknown
		}
		word, bit := p.words[k/64], uint64(1)<<(k%64)
		if word&bit == 0 {
			return codeUnknown
		}
		return p.before[k/64] + int32(bits.OnesCount64(word&(bit-1)))
	}
	p.once.Do(p.spread)
	for s := p.slot(n); ; s = (s + 1) % len(p.slots) {
		switch i := p.slots[s]; {
		case i < 0:
			return codeUnknown
		case p.nums[i] == n:
			return i
		}
	}
}

// spread makes the slots.
func (p *personIndex) spread() {
	size := uint(1)
	for 1<<size < 2*len(p.nums) {
		size++
	}
	p.shift = 64 - size
	p.slots = make([]int32, 1<<size)
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
}

// slot is where the search for a number begins. The factor is 2^64 divided by
// the golden ratio, which spreads numbers that follow each other.
func (p *personIndex) slot(n int64) int { return int(uint64(n) * 0x9E3779B97F4A7C15 >> p.shift) }

// seeker returns number for a run of rows: in a table in the order of its persons
// it goes on from the last one that was found, and needs no slots.
func (p *personIndex) seeker() func(n int64) int32 {
	if p.words != nil {
		return p.number
	}
	const most = 64 // long ways in a run: rows in no order have more
	at, far := 0, 0 // the numbers before at are smaller than the last one sought
	return func(n int64) int32 {
		if far > most {
			return p.number(n)
		}
		if at > 0 && p.nums[at-1] >= n {
			at = 0
			far++
		}
		step := 1
		for at+step < len(p.nums) && p.nums[at+step] < n {
			at += step
			step *= 2
		}
		if step > 8 {
			far++
		}
		end := min(at+step, len(p.nums))
		from := at
		at += sort.Search(end-from, func(k int) bool { return p.nums[from+k] >= n })
		if at < len(p.nums) && p.nums[at] == n {
			return int32(at)
		}
		return codeUnknown
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
