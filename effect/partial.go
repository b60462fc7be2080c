package effect

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
)

// ErrPartial is wrapped by the errors about the written state of an observer.
var ErrPartial = errors.New("state of an observer")

// stateFormat changes with the bytes that WriteState writes, or with what they mean.
const stateFormat = 1

// StateError says which of several states cannot be added, and why.
type StateError struct {
	State int // its place among those given
	Why   string
}

func (e *StateError) Error() string { return fmt.Sprintf("%v: %s", ErrPartial, e.Why) }

func (e *StateError) Unwrap() error { return ErrPartial }

// WriteState writes what the observer has seen, so that an observer of the same
// cases and study elsewhere can add it: by person with a spell, runs of days and of
// amounts. Its size is that of the spells which count, united, and does not grow with the
// cohort. The same spells give the same bytes, whatever their order and split. Nothing may
// be added meanwhile, and persons that were read off are an error that wraps ErrPartial.
func (o *Observer) WriteState(w io.Writer) error {
	if o.strayed.Load() {
		return fmt.Errorf("%w: a spell came after its person was done", ErrPartial)
	}
	out := o.newStateWriter(w)
	for k := range o.blocks {
		if o.kept != nil && o.kept[k] != nil {
			if err := out.write(int32(k), o.kept[k]); err != nil {
				return err
			}
			continue
		}
		if o.blocks[k].settled {
			return fmt.Errorf("%w: it was read off already", ErrPartial)
		}
		if err := out.block(int32(k)); err != nil {
			return err
		}
	}
	return out.close()
}

// KeepState says that the observer is there for WriteState alone. Persons that no unit
// that is expected can hold any more (see [Observer.Done]) are then put into the form in
// which they are written, in place of being read off, so that the days of few are held at a
// time. It is called before the first spell is added.
func (o *Observer) KeepState() { o.kept = make([][]byte, len(o.blocks)) }

// keep puts block k into the form in which it is written and gives its days back.
func (o *Observer) keep(k int32) {
	b := &o.blocks[k]
	b.Lock()
	defer b.Unlock()
	o.kept[k] = slices.Clip(o.appendBlock([]byte{}, k))
	b.settled = true
	if b.words != nil || b.daily != nil {
		o.spare.give(b)
	}
}

// AddStates adds what WriteState wrote of observers of the same cases and study; the
// spells of all then count: days by union, amounts by addition. Persons are read off as
// soon as all states have told of them, so that the days of few are held at a time;
// nothing can be added afterwards. Each reader is left at the end of its state. Bytes
// that are no such state, or one of other cases or another study, are a [StateError];
// what the observer holds is then worth nothing. What is allocated is bounded by the
// cases, whatever the bytes claim.
func (o *Observer) AddStates(ctx context.Context, states []*bufio.Reader) error {
	outer := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	o.prepare()
	type job struct {
		k     int32
		parts []blockState
	}
	jobs := make(chan job)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			t := o.sheet.borrow()
			defer o.sheet.giveBack(t)
			for j := range jobs {
				if err := o.addBlock(j.k, j.parts); err != nil {
					stop(err)
					continue
				}
				o.settle(j.k, t)
			}
		})
	}
	err := o.eachBlock(states, func(k int32, parts []blockState) error {
		select {
		case jobs <- job{k, parts}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(jobs)
	wg.Wait()
	if err := Stopped(outer); err != nil {
		return err
	}
	return cmp.Or(err, context.Cause(ctx))
}

// MergeStates writes one state of several, as WriteState would of an observer that saw
// the spells of all. The observer must be new, and is used up. Errors are those of
// AddStates.
func (o *Observer) MergeStates(ctx context.Context, w io.Writer, states []*bufio.Reader) error {
	var out *stateWriter
	err := o.eachBlock(states, func(k int32, parts []blockState) error {
		if err := Stopped(ctx); err != nil {
			return err
		}
		if out == nil {
			out = o.newStateWriter(w) // what stands at the head of the states is known now
		}
		if err := o.addBlock(k, parts); err != nil {
			return err
		}
		err := out.block(k)
		o.blocks[k].settled = true
		o.spare.give(&o.blocks[k])
		return err
	})
	if err != nil {
		return err
	}
	if out == nil {
		out = o.newStateWriter(w)
	}
	return out.close()
}

// stateWriter writes a state, block by block.
type stateWriter struct {
	o       *Observer
	w       *bufio.Writer
	last    int32
	payload []byte
	frame   []byte
}

func (o *Observer) newStateWriter(w io.Writer) *stateWriter {
	out := &stateWriter{o: o, w: bufio.NewWriterSize(w, 1<<16), last: -1}
	head := binary.AppendVarint(o.fingerprint(), int64(o.reach.Load()))
	named := byte(0)
	if o.employers.Load() {
		named = 1
	}
	_, _ = out.w.Write(append(head, named)) // an error stays until the writer is flushed
	return out
}

// block writes a block that has a person with a spell.
func (s *stateWriter) block(k int32) error {
	s.payload = s.o.appendBlock(s.payload[:0], k)
	return s.write(k, s.payload)
}

// write writes what appendBlock made of a block.
func (s *stateWriter) write(k int32, payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	s.frame = binary.AppendUvarint(s.frame[:0], uint64(k-s.last))
	s.frame = binary.AppendUvarint(s.frame, uint64(len(payload)))
	s.last = k
	_, _ = s.w.Write(s.frame)
	_, err := s.w.Write(payload)
	return err
}

func (s *stateWriter) close() error {
	_ = s.w.WriteByte(0)
	return s.w.Flush()
}

// blockState is what one state holds of a block.
type blockState struct {
	state   int
	payload []byte
}

// eachBlock reads states side by side and hands over what they hold of each block, in
// the order of blocks. What stands at the heads of all is added before the first.
func (o *Observer) eachBlock(states []*bufio.Reader, f func(k int32, parts []blockState) error) error {
	own := o.fingerprint()
	next := make([][]int32, len(o.blocks)) // states whose next block it is
	bad := func(i int, why string) error { return &StateError{i, why} }
	const short = "it is cut short or damaged"
	// after notes which block a state goes on with.
	after := func(i int, k int32) error {
		gap, err := binary.ReadUvarint(states[i])
		switch {
		case err != nil:
			return bad(i, short)
		case gap > uint64(len(o.blocks)-1-int(k)):
			return bad(i, "it has persons who are not among the cases")
		case gap > 0:
			next[k+int32(gap)] = append(next[k+int32(gap)], int32(i))
		}
		return nil
	}
	for i, r := range states {
		head := make([]byte, sha256.Size)
		if _, err := io.ReadFull(r, head); err != nil {
			return bad(i, short)
		}
		if !bytes.Equal(head, own) {
			return bad(i, "it is of other cases, of another study or of another format")
		}
		reach, err := binary.ReadVarint(r)
		if err != nil || reach < math.MinInt32 || reach > math.MaxInt32 {
			return bad(i, short)
		}
		raise(&o.reach, int32(reach))
		switch named, err := r.ReadByte(); {
		case err != nil || named > 1:
			return bad(i, short)
		case named == 1:
			o.employers.Store(true)
		}
		if err := after(i, -1); err != nil {
			return err
		}
	}
	for k := range next {
		var parts []blockState
		for _, i := range next[k] {
			size, err := binary.ReadUvarint(states[i])
			if err != nil || size > uint64(o.mostBytes(int32(k))) {
				return bad(int(i), short)
			}
			payload := make([]byte, size)
			if _, err := io.ReadFull(states[i], payload); err != nil {
				return bad(int(i), short)
			}
			parts = append(parts, blockState{int(i), payload})
			if err := after(int(i), int32(k)); err != nil {
				return err
			}
		}
		next[k] = nil
		if len(parts) > 0 {
			if err := f(int32(k), parts); err != nil {
				return err
			}
		}
	}
	return nil
}

// fingerprint tells observers apart whose states do not add up: by what they keep of a case,
// and by whom and which days they keep it for.
func (o *Observer) fingerprint() []byte {
	h := sha256.New()
	b := bufio.NewWriter(h) // a hash never fails
	fmt.Fprintln(b, stateFormat, o.study.AsOf, o.cases.Persons.Len(), len(o.caseOf))
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
	first, end := o.slots(k)
	slots := int(end - first)
	// A person has a gap and a day of death; a slot an end; a lane its number and a count;
	// and two words of bits make at most 64 runs, of a byte or two, and a day an amount of
	// a length and a value.
	const number = binary.MaxVarintLen32
	return number + int(to-from)*2*number + slots*(1+2*number*len(o.lanes)+64*number*o.stride+2*number*o.depth)
}

// personsOf are the persons [from, to) of a block.
func (o *Observer) personsOf(k int32) (from, to int32) {
	return k << blockBits, min((k+1)<<blockBits, int32(o.cases.Persons.Len()))
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

// addBlock is the way back, of all states.
func (o *Observer) addBlock(k int32, parts []blockState) error {
	for _, part := range parts {
		if !o.addPart(k, part.payload) {
			return &StateError{part.state, "it is damaged"}
		}
	}
	return nil
}

// addPart returns false for bytes that appendBlock cannot have written.
func (o *Observer) addPart(k int32, payload []byte) bool {
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
			if !o.addSlot(block, int(slot)-block.base, &in) {
				return false
			}
		}
	}
	return !in.bad && len(in.b) == 0
}

// addSlot adds the lanes of one slot.
func (o *Observer) addSlot(b *block, at int, in *varints) bool {
	for li := -1; ; {
		gap := int(in.next(uint64(len(o.lanes) - 1 - li)))
		if gap == 0 {
			return !in.bad
		}
		li += gap
		if l := &o.lanes[li]; l.watch.Of.amounts() {
			in.addAmounts(b.daily[at*o.depth+l.offset:][:l.to-l.from])
		} else {
			in.addRuns(b.words[at*o.stride+l.offset:], l.to-l.from)
		}
	}
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
