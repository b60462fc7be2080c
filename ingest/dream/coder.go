package dream

import (
	"bytes"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// coder numbers the codes of a panel as they are met: 0 is an empty week, and the
// others follow. It belongs to one goroutine.
type coder struct {
	m        *Map
	small    [1024]uint16 // of the codes below 1024: 1 + the number, 0 for none yet
	others   map[effect.ID]int32
	codes    []effect.ID
	meanings []meaning
	monthly  []bool // what the code means depends on the month
}

// meaning is what a code stands for.
type meaning struct {
	state  uint8
	ends   uint8 // endsFlag, or 0
	beside bool  // work beside it may count
	mapped bool
}

func newCoder(m *Map) *coder {
	c := &coder{m: m, others: map[effect.ID]int32{}}
	state := noState
	if s, err := effect.ParseState(string(m.EmptyWeek)); err == nil {
		state = uint8(s)
	}
	c.codes = make([]effect.ID, 1) // that of an empty week is not told
	c.meanings = []meaning{{state: state, mapped: true}}
	c.monthly = []bool{true}
	return c
}

// Limits of codes that cannot be codes, so that wrong columns do not fill memory.
const (
	mostCodes    = 1 << 14
	longestCode  = 40
	tooLongCode  = "(text of more than 40 bytes)"
	tooManyCodes = "(more than 16,384 different codes)"
)

// Number is the number of a whole number.
func (c *coder) Number(n int64) int32 {
	if n < 0 || n >= int64(len(c.small)) {
		return c.of(effect.NumberID(n))
	}
	if c.small[n] == 0 {
		c.small[n] = uint16(1 + c.of(effect.NumberID(n)))
	}
	return int32(c.small[n]) - 1
}

// Text is the number of a text. Blanks around a code are no part of it.
func (c *coder) Text(b []byte) int32 {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return 0
	case len(b) > longestCode:
		b = []byte(tooLongCode)
	}
	id := effect.TextID(string(b))
	if n, ok := id.Number(); ok {
		return c.Number(n)
	}
	return c.of(id)
}

func (c *coder) of(id effect.ID) int32 {
	if k, ok := c.others[id]; ok {
		return k
	}
	if among(c.m.Empty, id) {
		return 0
	}
	if len(c.codes) == mostCodes-1 {
		id = effect.TextID(tooManyCodes)
	} else if len(c.codes) == mostCodes {
		return mostCodes - 1
	}
	k := int32(len(c.codes))
	x := meaning{state: noState}
	if e := c.m.entry(id); e != nil {
		x = meaning{state: uint8(e.State), mapped: true}
		if among(c.m.Ends, id) {
			x.ends = endsFlag
		}
		x.beside = c.m.Beside.Work == BesideFromGrad && slices.Contains(c.m.Beside.States, e.State)
	}
	c.codes, c.meanings = append(c.codes, id), append(c.meanings, x)
	c.monthly = append(c.monthly, x.beside || x.state == uint8(effect.OrdinaryEmployment))
	c.others[id] = k
	return k
}

// presence is the coder of industries: 1 for one, 0 for none, which are blank
// text and 0.
type presence struct{}

func (presence) Number(n int64) int32 {
	if n == 0 {
		return 0
	}
	return 1
}

func (presence) Text(b []byte) int32 {
	if len(bytes.Trim(b, " \t0")) == 0 {
		return 0
	}
	return 1
}
