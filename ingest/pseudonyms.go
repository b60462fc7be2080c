package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// PseudonymKey makes pseudonyms of identifiers. Whoever has the key can make the
// pseudonym of an identifier again; nobody can find the identifier of a pseudonym
// without the key, and with it only by trying identifiers. No mapping is kept. It may be used by
// several goroutines, and prints as its fingerprint alone.
type PseudonymKey struct{ secret []byte }

// PseudonymKeyBytes is how many bytes a key has at least.
const PseudonymKeyBytes = 32

// ErrPseudonymKey is wrapped by errors about keys, none of which shows the key.
var ErrPseudonymKey = errors.New("the key of pseudonyms cannot be used")

// ParsePseudonymKey reads a key of 64 hexadecimal digits or more, two for each byte, as
// `openssl rand -hex 32` writes one. A line break at the end does not count.
func ParsePseudonymKey(text []byte) (*PseudonymKey, error) {
	for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	secret := make([]byte, hex.DecodedLen(len(text)))
	switch _, err := hex.Decode(secret, text); {
	case len(text) == 0:
		return nil, fmt.Errorf("%w: it is empty; make one by `openssl rand -hex 32`", ErrPseudonymKey)
	case err != nil:
		return nil, fmt.Errorf("%w: it is not written in hexadecimal digits, two for each byte; make one by `openssl rand -hex 32`", ErrPseudonymKey)
	case len(secret) < PseudonymKeyBytes:
		return nil, fmt.Errorf("%w: it has %d bytes, and needs %d; make one by `openssl rand -hex 32`", ErrPseudonymKey, len(secret), PseudonymKeyBytes)
	case slices.Max(secret) == slices.Min(secret):
		return nil, fmt.Errorf("%w: all its bytes are the same; make one by `openssl rand -hex 32`", ErrPseudonymKey)
	}
	return &PseudonymKey{secret}, nil
}

// Fingerprint tells keys apart without telling the key: eight hexadecimal digits of the
// HMAC of a fixed text.
func (k *PseudonymKey) Fingerprint() string {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte("jobeffekt fingerprint 1"))
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// String is the fingerprint, in words, so that no log shows the key.
func (k *PseudonymKey) String() string { return "pseudonym key " + k.Fingerprint() }

// GoString is String.
func (k *PseudonymKey) GoString() string { return k.String() }

// Pseudonym is what stands for an identifier of a column of the contract: the first 128
// bits of the HMAC-SHA256 of "jobeffekt COLUMN 1", a byte 0 and the identifier's text, as 32
// lower-case hexadecimal digits. The text of a whole number is its decimal, so that 17 and
// "17" are the same; that of what has the form of a civil registration number
// (see [CivilNumbers]) is its ten digits, so that 101701234, "0101701234" and "010170-1234"
// are the same. Any other text is its bytes.
func (k *PseudonymKey) Pseudonym(column string, id effect.ID) effect.ID {
	m := newPseudonymizer(k, column)
	return effect.TextID(string(m.of([]byte(id.String()))))
}

// Canonical is the identifier whose text a pseudonym is made of: identifiers with the same one
// have the same pseudonym.
func (k *PseudonymKey) Canonical(id effect.ID) effect.ID {
	if ten, ok := canonicalCivil([]byte(id.String())); ok {
		return effect.TextID(string(ten[:]))
	}
	return id
}

// PseudonymColumns are the columns of the contract of which pseudonyms can be made: the
// identifiers. The same column is the same in every table; the ids of providers.employer_ids
// are those of employer_id.
func PseudonymColumns() []string {
	var out []string
	for _, table := range tables() {
		for _, f := range contract(table) {
			if f.want == wantID && !slices.Contains(out, f.name) {
				out = append(out, f.name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// pseudonyms says whether pseudonyms are made of a column of the contract.
func (o *Options) pseudonyms(column string) bool {
	return o.Pseudonyms != nil && slices.Contains(o.PseudonymColumns, column)
}

// pseudonymized says whether they are made of a column of a table.
func (d *Dataset) pseudonymized(table, column string) bool {
	return d.opt.pseudonyms(column) && slices.ContainsFunc(contract(table), func(f field) bool { return f.name == column && f.want == wantID })
}

// pseudonymizer makes the pseudonyms of one column. It belongs to one goroutine.
type pseudonymizer struct {
	mac    hash.Hash
	prefix []byte
	sum    [sha256.Size]byte
	text   [32]byte
}

func newPseudonymizer(k *PseudonymKey, column string) *pseudonymizer {
	return &pseudonymizer{mac: hmac.New(sha256.New, k.secret), prefix: append([]byte("jobeffekt "+column+" 1"), 0)}
}

// of is the pseudonym of an identifier's text, valid until the next call.
func (m *pseudonymizer) of(text []byte) []byte {
	m.mac.Reset()
	m.mac.Write(m.prefix)
	if ten, ok := canonicalCivil(text); ok {
		m.mac.Write(ten[:])
	} else {
		m.mac.Write(text)
	}
	hex.Encode(m.text[:], m.mac.Sum(m.sum[:0])[:len(m.text)/2])
	return m.text[:]
}

// pseudonyms fills dst with what stands for the values [from, to): the pseudonyms are
// resolved as the texts of the input would be. Of rows of one person that stand together
// the pseudonym is made once.
func (c *converter) pseudonyms(dst vector, data *encoding.Values, from, to int) error {
	if l, ok := c.res.(sync.Locker); ok {
		l.Lock()
		defer l.Unlock()
	}
	limit := mostText(c.res)
	pseudonym := func(text []byte) []byte {
		if checkText(text, limit) < 0 {
			return text // what is no identifier says why by itself
		}
		return c.pseudo.of(text)
	}
	if dst.ids != nil {
		in := c.res.(*interner)
		return eachAsText(c.leaf, data, from, to, func(text []byte) int64 { return in.textID(pseudonym(text)) }, dst.ids)
	}
	return eachAsText(c.leaf, data, from, to, func(text []byte) int32 { return c.res.text(pseudonym(text)) }, dst.ints)
}

// eachAsText is eachText, of whole numbers by their decimals too.
func eachAsText[T int32 | int64](l leaf, data *encoding.Values, from, to int, f func([]byte) T, dst []T) error {
	var room [24]byte
	switch {
	case l.class == classText:
		return eachText(data, from, to, f, dst)
	case l.kind == encoding.Int32 && l.unsigned:
		neighbours(dst, data.Uint32()[from:to], func(v uint32) T { return f(strconv.AppendUint(room[:0], uint64(v), 10)) })
	case l.kind == encoding.Int32:
		neighbours(dst, data.Int32()[from:to], func(v int32) T { return f(strconv.AppendInt(room[:0], int64(v), 10)) })
	case l.kind == encoding.Int64 && l.unsigned:
		neighbours(dst, data.Uint64()[from:to], func(v uint64) T { return f(strconv.AppendUint(room[:0], v, 10)) })
	case l.kind == encoding.Int64:
		neighbours(dst, data.Int64()[from:to], func(v int64) T { return f(strconv.AppendInt(room[:0], v, 10)) })
	default:
		return eachDecimal(data, l, from, to, func(i int, v *big.Int) { dst[i] = f(v.Append(room[:0], 10)) })
	}
	return nil
}

// neighbours calls f for every distinct neighbour.
func neighbours[V comparable, T int32 | int64](dst []T, src []V, f func(V) T) {
	for i, v := range src {
		if i > 0 && v == src[i-1] {
			dst[i] = dst[i-1]
		} else {
			dst[i] = f(v)
		}
	}
}

// mostText is how long a text may be for a resolver.
func mostText(r resolver) int {
	switch r := r.(type) {
	case *interner:
		return r.maxText
	case *personIndex:
		return r.maxText
	case *idList:
		return r.maxText
	}
	return DefaultLimits().TextBytes
}

// pseudonymsKey begins the keys of a file's metadata that say of a column that its values are
// pseudonyms, and by which key: its fingerprint. The name of the column follows.
const pseudonymsKey = "jobeffekt.pseudonyms."

// madeBy is the fingerprint of the key by which the values of a column were made into
// pseudonyms before they were written, "" where they were not. Another program that changes
// such a file may keep its metadata, but not who wrote it.
func madeBy(p part, column string) string {
	file, ok := p.(*parquetPart)
	if !ok || !strings.HasPrefix(file.parquet.Metadata().CreatedBy, application+" version") {
		return ""
	}
	by, _ := file.parquet.Lookup(pseudonymsKey + column)
	return by
}

// checkMade finds parts whose column holds pseudonyms by another key.
func (d *Dataset) checkMade(table string, in *input) (problems []SchemaProblem) {
	for _, p := range d.tables[table] {
		if by := madeBy(p, in.column); by != "" && by != in.key.Fingerprint() {
			problems = append(problems, SchemaProblem{
				Table: table, File: p.name(), Column: in.name, Input: in.column, Problem: "it holds pseudonyms by another key",
				Expected: "identifiers, or pseudonyms by the key " + in.key.Fingerprint(), Found: "pseudonyms by the key " + by,
			})
		}
	}
	return problems
}
