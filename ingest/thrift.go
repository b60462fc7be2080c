package ingest

import (
	"encoding/binary"
	"fmt"
)

// walker reads the compact protocol of Thrift, as far as is needed to see that
// every length fits the bytes that are there, before a decoder trusts it.
type walker struct {
	b   []byte
	pos int
	bad bool
	// least is how many bytes the structures in lists take at least, as they occur in
	// Parquet. Each becomes hundreds in memory, also one without a field.
	least uint64
	// visit gets the whole numbers and list sizes with the ids of the enclosing
	// field and of their own.
	visit func(parent, id int16, v int64)
}

func (w *walker) byte() byte {
	if w.pos >= len(w.b) {
		w.bad = true
		return 0
	}
	w.pos++
	return w.b[w.pos-1]
}

func (w *walker) uvarint() uint64 {
	v, n := binary.Uvarint(w.b[w.pos:])
	if n <= 0 {
		w.bad = true
		return 0
	}
	w.pos += n
	return v
}

func (w *walker) varint() int64 {
	v := w.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (w *walker) skip(n uint64) {
	if n > uint64(len(w.b)-w.pos) {
		w.bad = true
		return
	}
	w.pos += int(n)
}

const maxThriftDepth = 32

func (w *walker) structure(parent int16, depth int) {
	var id int16
	for !w.bad {
		head := w.byte()
		if head == 0 || w.bad {
			return
		}
		if delta := int16(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int16(w.varint())
		}
		w.value(head&0xf, parent, id, depth)
	}
}

func (w *walker) value(kind byte, parent, id int16, depth int) {
	if depth > maxThriftDepth {
		w.bad = true
		return
	}
	switch kind {
	case 1, 2: // a truth value, held in the field's head
	case 3:
		w.byte()
	case 4, 5, 6:
		v := w.varint()
		if w.visit != nil {
			w.visit(parent, id, v)
		}
	case 7:
		w.skip(8)
	case 8:
		w.skip(w.uvarint())
	case 9, 10:
		head := w.byte()
		size := uint64(head >> 4)
		if size == 15 {
			size = w.uvarint()
		}
		if size > uint64(len(w.b)-w.pos) { // every element takes a byte or more
			w.bad = true
			return
		}
		if w.visit != nil {
			w.visit(parent, id, int64(size))
		}
		if head&0xf == 12 {
			each := uint64(6)
			if parent == 4 && id == 1 { // a column chunk
				each = 24
			}
			if w.least += each * size; w.least > uint64(len(w.b))+1024 {
				w.bad = true
				return
			}
		}
		for i := uint64(0); i < size && !w.bad; i++ {
			if elem := head & 0xf; elem <= 2 {
				w.byte()
			} else {
				w.value(elem, -1, id, depth+1)
			}
		}
	case 12:
		w.structure(id, depth+1)
	default: // maps do not occur in Parquet
		w.bad = true
	}
}

// checkFooter checks lengths and limits of the bytes of a footer.
func checkFooter(b []byte, limits Limits) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: it has no footer", ErrTruncated)
	}
	var columns, groups int64
	w := walker{b: b, visit: func(parent, id int16, v int64) {
		switch {
		case parent == 0 && id == 2:
			columns = v
		case parent == 0 && id == 4:
			groups = v
		}
	}}
	w.structure(0, 0)
	switch {
	case w.bad:
		return fmt.Errorf("%w: its footer makes no sense", ErrCorrupt)
	case columns > int64(limits.Columns):
		return fmt.Errorf("%w: %d columns", ErrLimit, columns)
	case groups > int64(limits.RowGroups):
		return fmt.Errorf("%w: %d row groups", ErrLimit, groups)
	}
	return nil
}
