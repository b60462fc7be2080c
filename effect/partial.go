package effect

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// ErrPartial is wrapped by the errors about the written state of an observer.
var ErrPartial = errors.New("state of an observer")

// stateFormat changes with the bytes that WriteState writes, or with what they mean.
const stateFormat = 1

// WriteState writes what the observer has seen, so that an observer of the same
// cases and study elsewhere can add it: by person with a spell, runs of days and of
// amounts. Its size is that of the spells which count, united, and does not grow with the
// cohort. The same spells give the same bytes, whatever their order and split. Nothing may
// be added meanwhile. After [Observer.Observations] nothing is left to write.
func (o *Observer) WriteState(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	head := o.fingerprint()
	head = binary.AppendVarint(head, int64(o.reach.Load()))
	named := byte(0)
	if o.employers.Load() {
		named = 1
	}
	_, err := out.Write(append(head, named))
	last, payload := -1, []byte(nil)
	for k := range o.blocks {
		if payload = o.appendBlock(payload[:0], int32(k)); len(payload) == 0 || err != nil {
			continue
		}
		var frame []byte
		frame = binary.AppendUvarint(frame, uint64(k-last))
		frame = binary.AppendUvarint(frame, uint64(len(payload)))
		if _, err = out.Write(frame); err == nil {
			_, err = out.Write(payload)
		}
		last = k
	}
	if err == nil {
		err = out.WriteByte(0)
	}
	if err == nil {
		err = out.Flush()
	}
	return err
}

// AddState adds what WriteState wrote of an observer of the same cases and study;
// the spells of both then count, as after [Observer.Merge]. It reads up to the end of
// the state and no further. Bytes that are no such state, or one of other
// cases or another study, are an error that wraps ErrPartial; what the observer holds
// is then worth nothing. What it allocates is bounded by the cases, whatever the bytes
// claim. Nothing else may be added meanwhile.
func (o *Observer) AddState(r *bufio.Reader) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrPartial, why) }
	head := make([]byte, sha256.Size)
	if _, err := io.ReadFull(r, head); err != nil {
		return bad("it is cut short")
	}
	if !bytes.Equal(head, o.fingerprint()) {
		return bad("it is of other cases, of another study or of another format")
	}
	reach, err := binary.ReadVarint(r)
	if err != nil || reach < math.MinInt32 || reach > math.MaxInt32 {
		return bad("it is cut short or damaged")
	}
	raise(&o.reach, int32(reach))
	switch named, err := r.ReadByte(); {
	case err != nil || named > 1:
		return bad("it is cut short or damaged")
	case named == 1:
		o.employers.Store(true)
	}
	var payload []byte
	for k := -1; ; {
		gap, err := binary.ReadUvarint(r)
		switch {
		case err != nil:
			return bad("it is cut short")
		case gap == 0:
			return nil
		case gap > uint64(len(o.blocks)-1-k):
			return bad("it has persons who are not among the cases")
		}
		k += int(gap)
		size, err := binary.ReadUvarint(r)
		if err != nil || size > uint64(o.mostBytes(int32(k))) {
			return bad("it is cut short or damaged")
		}
		if uint64(cap(payload)) < size {
			payload = make([]byte, size)
		}
		payload = payload[:size]
		if _, err := io.ReadFull(r, payload); err != nil {
			return bad("it is cut short")
		}
		if !o.addBlock(int32(k), payload) {
			return bad("it is damaged")
		}
	}
}

// fingerprint tells observers apart whose states do not add up: by what they keep of a case,
// and by whom and which days they keep it for.
func (o *Observer) fingerprint() []byte {
	h := sha256.New()
	b := bufio.NewWriter(h) // a hash never fails
	fmt.Fprintln(b, stateFormat, o.study.AsOf, len(o.cases.Persons), len(o.caseOf))
	for _, l := range o.lanes {
		fmt.Fprintf(b, "%q %d %d %d %d\n", l.clock, l.watch.States, l.watch.Of, l.from, l.to)
	}
	var row []byte
	for _, i := range o.caseOf {
		row = binary.LittleEndian.AppendUint32(row[:0], uint32(o.cases.Person[i]))
		for _, c := range [...]Clock{AtReferral, AtStart, AtEnd} {
			row = binary.LittleEndian.AppendUint32(row, uint32(o.anchor(c, i)))
		}
		_, _ = b.Write(row)
	}
	_ = b.Flush()
	return h.Sum(nil)
}

// mostBytes is more than a block's payload can take.
func (o *Observer) mostBytes(k int32) int {
	from, to := o.personsOf(k)
	slots := int(o.first[to] - o.first[from])
	// A person has a gap and a day of death; a slot an end; a lane its number and a count;
	// and two words of bits make at most 64 runs, of a byte or two, and a day an amount of
	// a length and a value.
	const number = binary.MaxVarintLen32
	return number + int(to-from)*2*number + slots*(1+2*number*len(o.lanes)+64*number*o.stride+2*number*o.depth)
}

// personsOf are the persons [from, to) of a block.
func (o *Observer) personsOf(k int32) (from, to int32) {
	return k << blockBits, min((k+1)<<blockBits, int32(len(o.cases.Persons)))
}

// appendBlock adds what is known of the persons of a block; nothing if none has a spell.
//
// A person is the gap from the one before, the day of death (0 for none) and its slots; a slot is
// the gaps between its lanes that are not empty, each with runs, and 0.
func (o *Observer) appendBlock(b []byte, k int32) []byte {
	from, to := o.personsOf(k)
	n := 0
	for p := from; p < to; p += 32 {
		n += bits.OnesCount32(o.seen[p>>5]) // a block begins and ends with a word
	}
	if n == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(n))
	block, last := &o.blocks[k], from-1
	for p := from; p < to; p++ {
		if o.seen[p>>5]&(1<<(p&31)) == 0 {
			continue
		}
		b = binary.AppendUvarint(b, uint64(p-last))
		last = p
		died := uint64(0)
		if d := o.deadOn[p]; d != math.MaxInt32 {
			died = 1 + uint64(uint32(d))
		}
		b = binary.AppendUvarint(b, died)
		for slot := o.first[p]; slot < o.first[p+1]; slot++ {
			in, before := int(slot)-block.base, -1
			for li := range o.lanes {
				l := &o.lanes[li]
				with := len(b)
				b = binary.AppendUvarint(b, uint64(li-before))
				head := len(b)
				switch {
				case !l.watch.Of.amounts() && block.words != nil:
					b = appendRuns(b, block.words[in*o.stride+l.offset:][:l.words()])
				case l.watch.Of.amounts() && block.daily != nil:
					b = appendAmounts(b, block.daily[in*o.depth+l.offset:][:l.to-l.from])
				}
				if len(b) == head {
					b = b[:with]
				} else {
					before = li
				}
			}
			b = append(b, 0)
		}
	}
	return b
}

// addBlock is the way back; it returns false for bytes that appendBlock cannot have
// written.
func (o *Observer) addBlock(k int32, payload []byte) bool {
	in := varints{b: payload}
	from, to := o.personsOf(k)
	block, p := o.touch(k), from-1
	for range in.next(uint64(to - from)) {
		gap := int32(in.next(uint64(to - 1 - p)))
		if gap == 0 {
			return false
		}
		p += gap
		o.seen[p>>5] |= 1 << (p & 31)
		if died := in.next(1 << 32); died != 0 {
			lower(&o.deadOn[p], int32(uint32(died-1)))
		}
		for slot := o.first[p]; slot < o.first[p+1]; slot++ {
			at, li := int(slot)-block.base, -1
			for {
				gap := in.next(uint64(len(o.lanes) - 1 - li))
				if in.bad {
					return false
				}
				if gap == 0 {
					break
				}
				li += int(gap)
				l := &o.lanes[li]
				if l.watch.Of.amounts() {
					in.addAmounts(block.daily[at*o.depth+l.offset:][:l.to-l.from])
				} else {
					in.addRuns(block.words[at*o.stride+l.offset:], l.to-l.from)
				}
			}
		}
	}
	return !in.bad && len(in.b) == 0
}

// appendRuns adds the runs of marked days: how many there are, and for each the days from the
// end of the one before and its length less 1. Nothing where no day is marked.
func appendRuns(b []byte, words []uint64) []byte {
	v, n := DayView{words: words}, 0
	for range v.Runs(0, Date(64*len(words))) {
		n++
	}
	if n == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(n))
	end := Date(0)
	for from, to := range v.Runs(0, Date(64*len(words))) {
		b = binary.AppendUvarint(b, uint64(from-end))
		b = binary.AppendUvarint(b, uint64(to-from-1))
		end = to
	}
	return b
}

// appendAmounts adds runs of days with equal amounts: how many there are up to the last
// that is not 0, and for each its length less 1 and the difference from the one before, as
// kroner spread over days differ by an øre or none. Nothing where there is no amount.
func appendAmounts(b []byte, days []uint32) []byte {
	for len(days) > 0 && days[len(days)-1] == 0 {
		days = days[:len(days)-1]
	}
	n := 0
	for i := range days {
		if i == 0 || days[i] != days[i-1] {
			n++
		}
	}
	if n == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(n))
	before := uint32(0)
	for i := 0; i < len(days); {
		j := i + 1
		for j < len(days) && days[j] == days[i] {
			j++
		}
		b = binary.AppendUvarint(b, uint64(j-i-1))
		b = binary.AppendVarint(b, int64(int32(days[i]-before)))
		before, i = days[i], j
	}
	return b
}

// varints reads numbers from bytes; what comes after a bad one is 0.
type varints struct {
	b   []byte
	bad bool
}

// next is a number that is at most so large.
func (v *varints) next(most uint64) uint64 {
	if len(v.b) > 0 && v.b[0] < 0x80 && uint64(v.b[0]) <= most { // most are small
		x := uint64(v.b[0])
		v.b = v.b[1:]
		return x
	}
	x, n := binary.Uvarint(v.b)
	if n <= 0 || x > most {
		v.b, v.bad = nil, true
		return 0
	}
	v.b = v.b[n:]
	return x
}

// addRuns marks the runs among so many days.
func (v *varints) addRuns(words []uint64, days int) {
	end := uint64(0)
	for range v.next(uint64(days)) {
		from := end + v.next(uint64(days)-end)
		if from == uint64(days) {
			v.bad = true
		}
		if v.bad {
			return
		}
		end = from + 1 + v.next(uint64(days)-from-1)
		mark(words, int(from), int(end))
	}
}

// addAmounts adds the runs of amounts to the days.
func (v *varints) addAmounts(days []uint32) {
	amount := uint32(0)
	for range v.next(uint64(len(days))) {
		if len(days) == 0 {
			v.bad = true
		}
		if v.bad {
			return
		}
		n := 1 + int(v.next(uint64(len(days)-1)))
		step := v.next(math.MaxUint32)
		amount += uint32(step>>1) ^ -uint32(step&1)
		for i := range days[:n] {
			days[i] = joinDaily(days[i], amount)
		}
		days = days[n:]
	}
}
