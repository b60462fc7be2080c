package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Arranged is a dataset on its way to being written anew, so that questions about
// some municipalities find what they need in few pages (see Options.Municipalities).
//
// Every person is in one cluster: the municipalities that participations and caseload
// name for it, in the order of their names with "+" between them; "" for who is in
// neither table. Each row of the tables written anew has its person's cluster in a
// column of that name, null where nobody can tell the person. Rows are sorted:
//
//   - participations by municipality, referral_date and participation_id,
//   - caseload by municipality, person_id and start_date,
//   - spells by cluster, person_id and start_date, persons by cluster, person_id
//     and valid_from,
//
// and then by every other column, so that the same rows make the same bytes whatever
// order they came in. The persons and their clusters are held in memory, and of each
// table some hundred thousand rows at a time.
type Arranged struct {
	d        *Dataset
	persons  *personIndex
	cluster  []string // of each person
	clusters string   // SHA-256 of both
	scratch  Scratch
	// How much is sorted in memory, in a row group, and on a page.
	rows, group int64
	page        int
	dictionary  int64
}

// Scratch is where rows lie between being read and being written, as files that are
// gone when they are put back.
type Scratch = parquet.BufferPool

const (
	// sortRows is how many rows are sorted in memory.
	sortRows = 256 << 10
	// arrangedGroup is how many rows make a row group, and arrangedPage how many bytes
	// of values a page: some 4,000 rows, so that a municipality takes few rows of
	// others along.
	arrangedGroup = 1 << 20
	arrangedPage  = 16 << 10
	// arrangedDictionary is how many bytes of distinct values a row group may have
	// before they are written out: who reads one page reads them all.
	arrangedDictionary = 64 << 10
	// boundBytes is how long a text in the index of pages may be.
	boundBytes = 64
)

// ErrNested is wrapped by errors about columns that cannot be written anew.
var ErrNested = errors.New("columns that are nested, repeated or of an unknown type cannot be arranged")

// Arrange reads who is in which cluster. A dataset of Arrow records, without
// participations, or with tables that cannot be written anew, is an error that names
// every column at fault. Options.Municipalities is not looked at.
func (d *Dataset) Arrange(ctx context.Context, scratch Scratch) (*Arranged, error) {
	if !d.Has(Participations) {
		return nil, fmt.Errorf("ingest: %w: %s", ErrNoTable, Participations)
	}
	a := &Arranged{d: d, scratch: scratch, rows: sortRows, group: arrangedGroup, page: arrangedPage, dictionary: arrangedDictionary}
	var errs []error
	for _, table := range a.Tables() {
		_, problems := d.plan(table, nil)
		if len(problems) > 0 {
			errs = append(errs, &SchemaError{problems})
		}
		errs = append(errs, d.arrangeable(table))
	}
	for _, table := range tables() {
		if d.Has(table) && !slices.Contains(a.Tables(), table) {
			errs = append(errs, d.copyable(table))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return a, a.readClusters(ctx)
}

// Tables lists the tables that are written anew; the others can be copied.
func (a *Arranged) Tables() (tables []string) {
	for _, t := range []string{Caseload, Participations, Persons, Spells} {
		if a.d.Has(t) {
			tables = append(tables, t)
		}
	}
	return tables
}

// copyable finds columns of a table that is copied of which pseudonyms should be made.
func (d *Dataset) copyable(table string) error {
	var errs []error
	for _, f := range contract(table) {
		_, there := d.tables[table][0].lookup(d.inputName(table, f.name))
		if there && (d.pseudonymized(table, f.name) || table == Providers && f.name == "employer_ids" && d.opt.pseudonyms(employerColumn)) {
			errs = append(errs, &FileError{
				d.tables[table][0].name(), fmt.Sprintf("column %q", d.inputName(table, f.name)),
				errors.New("it is to hold pseudonyms, and the table is only copied"), "leave the column out of those of which pseudonyms are made until the arranged data are read",
			})
		}
	}
	return errors.Join(errs...)
}

// pseudonymColumn is the column of the contract that a column of the input is, where
// pseudonyms are made of it.
func (d *Dataset) pseudonymColumn(table, column string) (string, bool) {
	for _, f := range contract(table) {
		if d.inputName(table, f.name) == column && d.pseudonymized(table, f.name) {
			return f.name, true
		}
	}
	return "", false
}

// arrangeable finds columns of a table that cannot be written anew.
func (d *Dataset) arrangeable(table string) error {
	var errs []error
	parts := d.tables[table]
	for k, part := range parts {
		p, ok := part.(*parquetPart)
		if !ok {
			return fmt.Errorf("ingest: %s: only files can be arranged", part.name())
		}
		fail := func(column string, err error, cure string) {
			errs = append(errs, &FileError{p.path, fmt.Sprintf("column %q", column), err, cure})
		}
		_, ours := p.arranged()
		for _, c := range p.parquet.Root().Columns() {
			name := c.Name()
			switch l, _ := p.lookup(name); {
			case !c.Leaf() || c.Repeated() || l.class == classOther && !storable(c):
				fail(name, ErrNested, "leave it out, or make it flat")
			case name == clusterColumn && !ours:
				fail(name, errors.New("a dataset that is arranged has a column of this name"), "rename it, or leave it out")
			}
		}
		if k == 0 {
			continue
		}
		first := parts[0].(*parquetPart)
		for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(first.names, p.names)))) {
			x, y := first.parquet.Root().Column(name), p.parquet.Root().Column(name)
			if name != clusterColumn && (x == nil || y == nil || x.Optional() != y.Optional() || x.Leaf() && y.Leaf() && x.Type().String() != y.Type().String()) {
				fail(name, fmt.Errorf("it is not the same in %s", first.path), "export the parts alike")
			}
		}
	}
	return errors.Join(errs...)
}

// storable says whether the library can write a column of this type.
func storable(c *parquet.Column) bool {
	return protect(func() error {
		if c.Type().Kind() < 0 {
			return ErrCorrupt
		}
		c.Type().NewColumnBuffer(0, 1)
		return nil
	}) == nil
}

// readClusters reads the persons of participations and caseload.
func (a *Arranged) readClusters(ctx context.Context) error {
	const none = -1
	person, municipality := newInterner(wantText, a.d.opt.Limits.TextBytes), newInterner(wantText, a.d.opt.Limits.TextBytes)
	var of []int32 // the set of each person
	var sets [][]int32
	type step struct{ set, municipality int32 }
	next := map[step]int32{} // what a set becomes with a municipality
	index := map[string]int32{}
	with := func(set, m int32) int32 {
		to, ok := next[step{set, m}]
		if ok {
			return to
		}
		var members []int32
		if set != none {
			members = sets[set]
		}
		if k, in := slices.BinarySearch(members, m); !in {
			members = slices.Insert(slices.Clone(members), k, m)
		}
		key := fmt.Sprint(members)
		if to, ok = index[key]; !ok {
			to = int32(len(sets))
			index[key] = to
			sets = append(sets, members)
		}
		next[step{set, m}] = to
		return to
	}
	var mu sync.Mutex
	for _, table := range []string{Participations, Caseload} {
		if !a.d.Has(table) {
			continue
		}
		cols := make([]input, 2)
		for i, f := range []field{{name: "person_id", want: wantText, required: true}, {name: "municipality", want: wantText, required: true}} {
			if problems := a.d.find(table, f, &cols[i]); len(problems) > 0 {
				return &SchemaError{problems}
			}
		}
		cols[0].res, cols[1].res = person, municipality
		err := a.d.scan(ctx, table, cols, func() func(*batch) error {
			return func(b *batch) error {
				mu.Lock()
				defer mu.Unlock()
				for i, p := range b.cols[0].ints {
					if p < 0 {
						continue
					}
					for int(p) >= len(of) {
						of = append(of, none)
					}
					if m := b.cols[1].ints[i]; m >= 0 {
						of[p] = with(of[p], m)
					}
				}
				return nil
			}
		})
		if err != nil {
			return err
		}
	}
	names := make([]string, len(sets))
	for i, members := range sets {
		var each []string
		for _, m := range members {
			each = append(each, municipality.levels[m].String())
		}
		slices.Sort(each)
		names[i] = strings.Join(each, "+")
	}
	order := make([]int32, len(of))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return person.levels[x].Compare(person.levels[y]) })
	ids := make([]effect.ID, len(order))
	a.cluster = make([]string, len(order))
	h := sha256.New()
	for i, k := range order {
		ids[i] = person.levels[k]
		if of[k] != none {
			a.cluster[i] = names[of[k]]
		}
		fmt.Fprintf(h, "%q %q\n", ids[i].String(), a.cluster[i])
	}
	a.clusters = hex.EncodeToString(h.Sum(nil))
	a.persons = newPersonIndex(effect.NewIDs(ids...), a.d.opt.Limits.TextBytes)
	return nil
}

// sorting are the columns of the contract by which a table is sorted.
func sorting(table string) []string {
	switch table {
	case Participations:
		return []string{"municipality", "referral_date", "participation_id"}
	case Caseload:
		return []string{"municipality", "person_id", "start_date"}
	case Persons:
		return []string{clusterColumn, "person_id", "valid_from"}
	}
	return []string{clusterColumn, "person_id", "start_date"}
}

// WriteTable writes a table anew, as one Parquet file: zstd, page checksums, page
// index, and all of its columns with their types and nulls. It returns the number of
// rows.
func (a *Arranged) WriteTable(ctx context.Context, table string, w io.Writer) (int64, error) {
	parts := a.d.tables[table]
	first := parts[0].(*parquetPart)
	says, err := json.Marshal(arrangement{arrangementVersion, a.d.inputName(table, "person_id"), a.clusters})
	if err != nil {
		return 0, err
	}
	schema := &ordered{Group: parquet.Group{}}
	var names []string
	var made []parquet.WriterOption
	for _, c := range first.parquet.Root().Columns() {
		if c.Name() != clusterColumn {
			names = append(names, c.Name())
			id := slices.ContainsFunc(contract(table), func(f field) bool { return f.want == wantID && a.d.inputName(table, f.name) == c.Name() })
			schema.Group[c.Name()] = arrangedNode(c, id)
			by := madeBy(first, c.Name())
			if _, makes := a.d.pseudonymColumn(table, c.Name()); makes {
				by = a.d.opt.Pseudonyms.Fingerprint()
				schema.Group[c.Name()] = parquet.Encoded(parquet.String(), &parquet.DeltaLengthByteArray)
				if c.Optional() {
					schema.Group[c.Name()] = parquet.Optional(schema.Group[c.Name()])
				}
			}
			if by != "" {
				made = append(made, parquet.KeyValueMetadata(pseudonymsKey+c.Name(), by))
			}
		}
	}
	schema.Group[clusterColumn] = parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary))
	schema.order(append(slices.Clone(names), clusterColumn))

	by := []string{}
	for _, column := range sorting(table) {
		if column != clusterColumn {
			column = a.d.inputName(table, column)
		}
		if slices.Contains(names, column) || column == clusterColumn {
			by = append(by, column)
		}
	}
	for _, column := range append(slices.Clone(names), clusterColumn) {
		if !slices.Contains(by, column) {
			by = append(by, column)
		}
	}
	order := make([]parquet.SortingColumn, len(by))
	for i, column := range by {
		order[i] = parquet.Ascending(column)
	}
	options := []parquet.WriterOption{
		parquet.NewSchema(table, schema), parquet.Compression(&parquet.Zstd), parquet.CreatedBy(application, "", ""),
		parquet.PageBufferSize(a.page), parquet.DictionaryMaxBytes(a.dictionary), parquet.MaxRowsPerRowGroup(a.group), parquet.ColumnIndexSizeLimit(func([]string) int { return boundBytes }),
		parquet.SortingWriterConfig(parquet.SortingBuffers(a.scratch), parquet.SortingColumns(order...)),
		parquet.KeyValueMetadata(arrangedKey, string(says)),
	}
	options = append(options, made...)
	for _, kv := range first.parquet.Metadata().KeyValueMetadata {
		if kv.Key == tableKey || strings.HasPrefix(kv.Key, docKey) { // what others wrote may be about the columns as they were
			options = append(options, parquet.KeyValueMetadata(kv.Key, kv.Value))
		}
	}
	out := parquet.NewSortingWriter[any](w, a.rows, options...)
	rows, all := int64(0), int64(0)
	for _, p := range parts {
		for _, n := range p.units() {
			all += n
		}
	}
	count := effect.Count(ctx, "sorting "+table, "rows", all)
	copies := a.copies(table, names, all)
	for _, p := range parts {
		for unit, n := range p.units() {
			if n == 0 {
				continue
			}
			codes, err := a.codes(ctx, table, p, unit, n)
			if err == nil {
				err = a.copyRows(ctx, table, p.(*parquetPart), unit, copies, codes, out)
			}
			if ctx.Err() != nil {
				return 0, effect.Stopped(ctx)
			}
			if err != nil {
				return 0, fileError(p, unit, "", err)
			}
			rows += n
			count.Add(n)
		}
	}
	if err := a.d.identifiable(table, copies); err != nil {
		return 0, err
	}
	if err := protect(out.Close); err != nil {
		return 0, fmt.Errorf("ingest: %s: %w", table, err)
	}
	return rows, nil
}

// arrangedNode is how a column is stored: its type and whether it may be null are as
// they were. Identifiers are not expected to repeat much.
func arrangedNode(c *parquet.Column, id bool) parquet.Node {
	node := parquet.Leaf(c.Type())
	switch kind := c.Type().Kind(); {
	case kind == parquet.ByteArray && id:
		node = parquet.Encoded(node, &parquet.DeltaLengthByteArray)
	case kind == parquet.ByteArray, kind == parquet.Float, kind == parquet.Double:
		node = parquet.Encoded(node, &parquet.RLEDictionary)
	case kind == parquet.Int32, kind == parquet.Int64:
		node = parquet.Encoded(node, &parquet.DeltaBinaryPacked)
	}
	if c.Optional() {
		return parquet.Optional(node)
	}
	return parquet.Required(node)
}

// codes are the persons of the rows of a unit.
func (a *Arranged) codes(ctx context.Context, table string, p part, unit int, rows int64) ([]int32, error) {
	cols := make([]input, 1)
	if problems := a.d.find(table, field{name: "person_id", want: wantID, required: true}, &cols[0]); len(problems) > 0 {
		return nil, &SchemaError{problems}
	}
	cols[0].res, cols[0].look = a.persons, nil // what is copied is looked at
	out := make([]int32, 0, rows)
	r := reader{cols: make([]columnReader, 1), batch: batch{cols: make([]vector, 1)}}
	err := r.readUnit(ctx, p, unit, rows, cols, func(b *batch) error {
		out = append(out, b.cols[0].ints...)
		return nil
	})
	return out, err
}

// copies are the columns to write anew: what pseudonyms are made of, and what is looked at,
// as all of it goes into files.
func (a *Arranged) copies(table string, names []string, rows int64) []input {
	out := make([]input, len(names))
	for i, name := range names {
		in := &out[i]
		in.name, in.column = name, name
		if column, ok := a.d.pseudonymColumn(table, name); ok {
			in.name, in.key = column, a.d.opt.Pseudonyms
		}
		in.look = &looks{citizens: name == a.d.inputName(table, "person_id")}
		in.look.begin(rows)
	}
	return out
}

// copied is a value of a column on its way to a file.
func (in *input) copied(v parquet.Value, part int, l leaf, made bool, p *pseudonymizer, at *int64) parquet.Value {
	if v.IsNull() {
		return v
	}
	var room [24]byte
	text := room[:0]
	switch {
	case l.class == classText && l.kind == encoding.ByteArray || l.class == classText && l.kind == encoding.FixedLenByteArray:
		text = v.ByteArray()
	case l.class == classInteger && l.kind == encoding.Int32 && l.unsigned:
		text = strconv.AppendUint(text, uint64(v.Uint32()), 10)
	case l.class == classInteger && l.kind == encoding.Int32:
		text = strconv.AppendInt(text, int64(v.Int32()), 10)
	case l.class == classInteger && l.kind == encoding.Int64 && l.unsigned:
		text = strconv.AppendUint(text, v.Uint64(), 10)
	case l.class == classInteger && l.kind == encoding.Int64:
		text = strconv.AppendInt(text, v.Int64(), 10)
	case l.class == classInteger:
		n := new(big.Int).SetBytes(v.ByteArray())
		if b := v.ByteArray(); len(b) > 0 && b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		text = n.Append(text, 10)
	default:
		return v
	}
	if in.key == nil || made { // what says that it holds pseudonyms is looked at too
		if *at--; *at < 0 {
			*at = in.look.stride - 1
			in.look.note(part, text, l.class == classText)
		}
		return v
	}
	if len(text) == 0 {
		return v
	}
	return parquet.ByteArrayValue(bytes.Clone(p.of(text)))
}

// copyRows hands the rows of a unit over to a writer, each with the cluster of its
// person.
func (a *Arranged) copyRows(ctx context.Context, table string, p *parquetPart, unit int, copies []input, codes []int32, out *parquet.SortingWriter[any]) error {
	names := gather(len(copies), func(i int) string { return copies[i].column })
	opened, err := p.open(unit, names)
	if err != nil {
		return err
	}
	u := opened.(*parquetUnit)
	defer u.close()
	const batch = 1024
	type column struct {
		run        run
		kind       parquet.Kind
		row, value int // used of the run
		leaf       leaf
		made       bool // its values are pseudonyms already
		pseudo     *pseudonymizer
		next       int64 // values before the next one that is looked at
	}
	part := slices.Index(a.d.tables[table], part(p))
	columns := make([]column, len(names))
	for k, name := range names {
		c := &columns[k]
		c.kind = p.parquet.Root().Column(name).Type().Kind()
		c.leaf, _ = p.lookup(name)
		if key := copies[k].key; key != nil {
			c.made, c.pseudo = madeBy(p, name) != "", newPseudonymizer(key, copies[k].name)
		}
	}
	width := len(names) + 1
	flat, rows := make([]parquet.Value, batch*width), make([]parquet.Row, 0, batch)
	for len(codes) > 0 {
		if err := effect.Stopped(ctx); err != nil {
			return err
		}
		n := min(batch, len(codes)) // rows that no page ends within, so that its memory stays
		for k := range columns {
			c := &columns[k]
			for c.row == c.run.rows {
				err := protect(func() (err error) {
					c.run, err = u.next(k)
					c.row, c.value = 0, 0
					return err
				})
				if err != nil {
					return fileError(p, unit, names[k], err)
				}
			}
			n = min(n, c.run.rows-c.row)
		}
		rows = rows[:0]
		for k := range columns {
			c := &columns[k]
			err := protect(func() error {
				for i := range n {
					v, level := parquet.Value{}, 0
					if c.run.levels == nil || c.run.levels[c.row] == c.run.maxLevel {
						v, level = copies[k].copied(c.run.stored(c.kind, c.value), part, c.leaf, c.made, c.pseudo, &c.next), int(c.run.maxLevel)
						c.value++
					}
					c.row++
					flat[i*width+k] = v.Level(0, level, k)
				}
				return nil
			})
			if err != nil {
				return fileError(p, unit, names[k], err)
			}
		}
		for i, code := range codes[:n] {
			v := parquet.Value{}.Level(0, 0, width-1)
			switch {
			case code >= 0:
				v = parquet.ByteArrayValue([]byte(a.cluster[code])).Level(0, 1, width-1)
			case code == codeUnknown:
				v = parquet.ByteArrayValue([]byte{}).Level(0, 1, width-1)
			}
			flat[i*width+width-1] = v
			rows = append(rows, flat[i*width:(i+1)*width])
		}
		codes = codes[n:]
		if _, err := out.WriteRows(rows); err != nil {
			return err
		}
	}
	return nil
}

// stored is a value of a run as it is stored. It is valid as long as the run.
func (r *run) stored(kind parquet.Kind, i int) parquet.Value {
	data := &r.data
	if r.dict != nil {
		i, data = int(data.Int32()[i]), &r.dict.data
	}
	switch kind {
	case parquet.Boolean:
		return parquet.BooleanValue(data.Boolean()[i/8]>>(i%8)&1 == 1)
	case parquet.Int32:
		return parquet.Int32Value(data.Int32()[i])
	case parquet.Int64:
		return parquet.Int64Value(data.Int64()[i])
	case parquet.Int96:
		return parquet.Int96Value(data.Int96()[i])
	case parquet.Float:
		return parquet.FloatValue(data.Float()[i])
	case parquet.Double:
		return parquet.DoubleValue(data.Double()[i])
	case parquet.ByteArray:
		b, offsets := data.ByteArray()
		return parquet.ByteArrayValue(b[offsets[i]:offsets[i+1]])
	}
	b, size := data.FixedLenByteArray()
	return parquet.FixedLenByteArrayValue(b[i*size : (i+1)*size])
}
