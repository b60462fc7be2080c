package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// civil draws a civil registration number of ten digits; with check, one whose check digit is right.
func civil(r *rand.Rand, check bool) string {
	for {
		day, month := 1+r.IntN(31), 1+r.IntN(12)
		s := fmt.Sprintf("%02d%02d%02d%04d", day, month, r.IntN(100), r.IntN(4000))
		d, _, _ := civilDigits([]byte(s))
		if _, date, _ := civilDay(d); date && (!check || civilCheck(d)) {
			return s
		}
	}
}

func judge(ids ...string) *CivilNumbers {
	c := &CivilNumbers{}
	for _, id := range ids {
		c.Add(effect.TextID(id))
	}
	return c
}

// Forms, by hand: days, months, leap years by century, replacement numbers, what stands between.
func TestCivilForm(t *testing.T) {
	for text, want := range map[string]string{
		"0101701234": "0101701234", "010170-1234": "0101701234", "101701234": "0101701234", " 010170-1234 ": "0101701234",
		"010170 1234": "0101701234", "010170 - 1234": "0101701234", "010170.1234": "0101701234", "6101701234": "6101701234", "9112701234": "9112701234",
		"2902041234": "2902041234", // 1904
		"2902004000": "2902004000", // 2000: the seventh digit is 4
		"2902001234": "",           // 1900 was no leap year
		"2902051234": "", "3104701234": "", "3002701234": "", "0013701234": "", "0100701234": "", "3201701234": "", "9201701234": "",
		"0001701234": "", "10170123": "", "01017012345": "", "01017-01234": "", "010170-123": "", "A101701234": "", "": "",
		"10170-1234": "", "001701234": "",
		"101701234.0": "0101701234", "0101701230.00": "0101701230", "101701234.5": "", "101701234.0.0": "", // as numbers with decimals are written
		"\u00a0010170\u20131234 ": "0101701234", "010170\u20111234": "0101701234", "010170\u00a01234": "0101701234", "010170\xff1234": "", // other blanks and dashes
	} {
		ten, ok := canonicalCivil([]byte(text))
		assert.Equal(t, want != "", ok, "%q", text)
		if ok {
			assert.Equal(t, want, string(ten[:]), "%q", text)
		}
	}
	for text, want := range map[string]bool{
		"010170-1234": true, "CPR 010170-1234, Hansen": true, "x610170-1234": true, "1010170-1234": false, "010170-12345": false,
		"310470-1234": false, "010170 1234": false, "0101701234": false, "-": false, "010170-": false,
	} {
		assert.Equal(t, want, holdsHyphenated([]byte(text)), "%q", text)
	}
	// The check digit of 0707614285, worked out by hand: 0*4+7*3+0*2+7*7+6*6+1*5+4*4+2*3+8*2+5 = 154 = 14 * 11.
	d, _, _ := civilDigits([]byte("0707614285"))
	assert.True(t, civilCheck(d))
}

// The bound is one: for every number of values that is looked at, the smallest number that
// is refused has a probability below 1e-9 / 2, summed exactly (by logarithms of binomial
// coefficients) at the share that ids without meaning have.
func TestCivilChance(t *testing.T) {
	lg := func(n int) float64 { v, _ := math.Lgamma(float64(n + 1)); return v }
	tail := func(k, n int, p float64) (sum float64) {
		for i := n; i >= k; i-- {
			sum += math.Exp(lg(n) - lg(i) - lg(n-i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
		}
		return sum
	}
	for n := 1; n <= mostLooks; n += 1 + n/50 {
		for _, p := range []float64{civilMonths, civilMonths / civilDigit} {
			k := 0
			for ; k <= n && !unlikely(int64(k), int64(n), p); k++ {
			}
			if k <= n {
				assert.Less(t, tail(k, n, p), 5e-10, "%d of %d at %g", k, n, p)
				assert.Greater(t, tail(k, n, p), 1e-14, "%d of %d at %g: the bound is not far off", k, n, p)
			}
		}
	}
	assert.True(t, unlikely(11, 11, civilMonths) && !unlikely(10, 10, civilMonths))
	assert.True(t, unlikely(5, 5, civilMonths/civilDigit) && !unlikely(4, 4, civilMonths/civilDigit))
}

// Ids of many other kinds are never taken for civil registration numbers, and such
// numbers are found among them when they are few.
func TestCivilNumbers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 4))
	others := map[string]func(i int) string{
		"ten random digits":         func(int) string { return fmt.Sprintf("%010d", r.Int64N(1e10)) },
		"ten digits without a zero": func(int) string { return fmt.Sprint(1e9 + r.Int64N(9e9)) },
		"nine random digits":        func(int) string { return fmt.Sprint(1e8 + r.Int64N(9e8)) },
		"amounts in øre":            func(int) string { return fmt.Sprint(int64(math.Exp(18 + 5*r.Float64()))) },
		"numbers that count up":     func(i int) string { return fmt.Sprint(1_010_100_000 + 700*i) },
		"nine digits that count up": func(i int) string { return fmt.Sprint(100_000_000 + 700*i) },
		"production units":          func(int) string { return fmt.Sprint(1_000_000_000 + r.Int64N(30_000_000)) },
		"year and number":           func(int) string { return fmt.Sprintf("%d%06d", 2006+r.IntN(5), r.IntN(1e6)) },
		"year, month, day and number": func(int) string {
			return fmt.Sprintf("%02d%02d%02d%04d", 1+r.IntN(12), 1+r.IntN(12), 1+r.IntN(28), r.IntN(1e4))
		},
		"municipality and number": func(int) string {
			return fmt.Sprintf("0%03d%06d", []int{101, 147, 201, 210, 306, 410, 461, 510, 561, 607, 707, 751, 810, 851}[r.IntN(14)], r.IntN(1e6))
		},
		"seconds since 1970":            func(int) string { return fmt.Sprint(1_100_000_000 + r.Int64N(200_000_000)) },
		"eight digits":                  func(int) string { return fmt.Sprintf("%08d", r.IntN(1e8)) },
		"hexadecimal":                   func(int) string { return fmt.Sprintf("%032x", r.Uint64()) },
		"six and four that are no days": func(int) string { return fmt.Sprintf("%06d-%04d", 320_000+r.IntN(280_000), r.IntN(1e4)) },
	}
	sizes := []int{1, 2, 5, 11, 20, 60, 200, 1000, 10_000}
	for name, draw := range others {
		for _, n := range sizes {
			if name == "year, month, day and number" && n < 200 {
				continue // few ids that begin with a date cannot be told from dates of birth
			}
			for range max(3, min(300, 20_000/n)) {
				ids := make([]string, n)
				for i := range ids {
					ids[i] = draw(i)
				}
				assert.False(t, judge(ids...).Evident(), "%s: %d of them", name, n)
			}
		}
	}
	for _, c := range []struct {
		others, civil int
		check         bool
	}{{0, 5, true}, {0, 11, false}, {0, 3000, false}, {100, 20, true}, {1000, 60, true}, {10_000, 120, true}, {10_000, 400, false}} {
		var ids []string
		for range c.others {
			ids = append(ids, others["ten random digits"](0))
		}
		found := 0
		for range 50 {
			mixed := append([]string{}, ids...)
			for range c.civil {
				mixed = append(mixed, civil(r, c.check))
			}
			if judge(mixed...).Evident() {
				found++
			}
		}
		assert.Greater(t, found, 40, "%+v", c)
	}
	// Beside ids of another form they do not drown, and with a hyphen one is enough.
	ids := []string{"0101701234", "1207614285", "2303551111", "0404404444", "1505501234", "0606661234", "2707771234", "0808881234", "1909991234", "1010101234", "3011221234"}
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("P%04d", i))
	}
	assert.True(t, judge(ids...).Evident())
	assert.True(t, judge("a", "b", "010170-1234").Evident())
	persons := judge("0101701234", "1207614285")
	assert.False(t, persons.Evident())
	persons.Citizens = true
	assert.True(t, persons.Evident())
}

// Every column of a dataset that may hold them is looked at: identifiers and texts of
// every table, covariates, constants; in Parquet, with and without dictionaries, as whole numbers, as
// numbers of R, and in Arrow. No error repeats one.
func TestIdentifiableColumns(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 5))
	const n = 40
	ids, plain := make([]string, n), make([]string, n)
	numbers, floats := make([]int64, n), make([]float64, n)
	days := make([]effect.Date, n)
	for i := range ids {
		ids[i], plain[i] = civil(r, i%2 == 0), fmt.Sprintf("x%d", i)
		numbers[i], _ = strconv.ParseInt(ids[i], 10, 64)
		floats[i], days[i] = float64(numbers[i]), 14_000
	}
	factor := func(list []string) *effect.Factor { f := effect.NewFactor(list); return &f }
	table := func(name string, replace Column) *Table {
		tab := &Table{Name: name}
		for _, f := range contract(name) {
			c := Column{Name: f.name}
			switch f.want {
			case wantDate:
				c.Dates = days
			case wantNumber, wantAmount, wantFloat:
				c.Floats = make([]float64, n)
			case wantWhole:
				c.Ints = make([]int64, n)
			case wantBool:
				c.Bools = make([]bool, n)
			case wantPeriod:
				c.Texts = slicesRepeat("2008", n)
			case wantChannel:
				c.Texts = slicesRepeat("own", n)
			case wantDecimal:
				c.Texts = slicesRepeat("1.5", n)
			default:
				c.Texts = plain
			}
			if c.Name == replace.Name {
				c = replace
			}
			tab.Columns = append(tab.Columns, c)
		}
		if tab.Column(replace.Name) == nil {
			tab.Columns = append(tab.Columns, replace)
		}
		return tab
	}
	read := func(tab *Table, opt Options) error {
		ds := NewDataset(opt)
		require.NoError(t, ds.AddTable(tab.Name, "rows", tab))
		states := func(cols []input) {
			if tab.Name == Spells {
				cols[1].res = newStateIndex(nil, 100)
			}
		}
		_, fromRows := ds.load(context.Background(), tab.Name, nil, states)
		folder := t.TempDir()
		writeTo(t, filepath.Join(folder, tab.Name+".parquet"), tab)
		ds, err := OpenFolder(folder, opt)
		require.NoError(t, err)
		_, fromFile := ds.load(context.Background(), tab.Name, nil, states)
		assert.Equal(t, fromRows == nil, fromFile == nil)
		if fromFile != nil {
			assert.NotContains(t, fromFile.Error(), ids[0])
		}
		return fromFile
	}
	opt := DefaultOptions()
	opt.MaxRejectShare, opt.Hours, opt.Amounts = 1, true, true
	looked := 0
	for _, name := range tables() {
		require.NoError(t, read(table(name, Column{Name: "none", Texts: plain}), opt), name)
		for _, f := range contract(name) {
			if !f.want.mayIdentify() {
				continue
			}
			looked++
			for _, c := range []Column{{Name: f.name, Texts: ids}, {Name: f.name, Ints: numbers}, {Name: f.name, Factor: factor(ids)}} {
				var identifiable *IdentifiableError
				require.ErrorAs(t, read(table(name, c), opt), &identifiable, "%s.%s", name, f.name)
				assert.Equal(t, [3]any{name, f.name, f.name}, [3]any{identifiable.Table, identifiable.Column, identifiable.Input})
				assert.Equal(t, [2]int64{n, n}, [2]int64{identifiable.Found, identifiable.Looked})
			}
			with := opt
			with.Constants = map[string]map[string]string{name: {f.name: ids[3]}}
			var schema *SchemaError
			require.ErrorAs(t, read(table(name, Column{Name: "none", Texts: plain}), with), &schema, "%s.%s", name, f.name)
			assert.NotContains(t, schema.Error(), ids[3])
		}
	}
	assert.Greater(t, looked, 40)
	// Covariates, of either kind.
	with := opt
	with.Covariates = []string{"spouse"}
	for _, c := range []Column{{Name: "spouse", Texts: ids}, {Name: "spouse", Ints: numbers}, {Name: "spouse", Floats: floats}} {
		var identifiable *IdentifiableError
		require.ErrorAs(t, read(table(Participations, c), with), &identifiable)
		require.NoError(t, read(table(Participations, c), opt), "a column that is not read")
	}
	// A file that says that it holds pseudonyms, and holds none.
	under := opt
	under.Pseudonyms, _ = ParsePseudonymKey(bytes.Repeat([]byte("9a0b"), 16))
	under.PseudonymColumns = []string{"person_id"}
	for _, c := range []Column{{Name: "person_id", Texts: ids}, {Name: "person_id", Ints: numbers}} {
		require.NoError(t, read(table(Participations, c), under))
		c.PseudonymsBy = under.Pseudonyms.Fingerprint()
		folder := t.TempDir()
		writeTo(t, filepath.Join(folder, "participations.parquet"), table(Participations, c))
		ds, err := OpenFolder(folder, under)
		require.NoError(t, err)
		_, err = ds.load(context.Background(), Participations, nil, nil)
		var identifiable *IdentifiableError
		require.ErrorAs(t, err, &identifiable)
	}
	// A table of others in one file.
	for _, c := range []Column{{Name: "spouse", Texts: ids}, {Name: "spouse", Ints: numbers}, {Name: "spouse", Floats: floats}} {
		path := filepath.Join(t.TempDir(), "one.parquet")
		writeTo(t, path, &Table{Name: "one", Columns: []Column{c}})
		var identifiable *IdentifiableError
		_, err := ReadFile(context.Background(), path, DefaultLimits())
		require.ErrorAs(t, err, &identifiable)
	}
}

func slicesRepeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// Pseudonyms: what they are, by hand and by another program; and that the same person is
// the same in every table, type, file and door.
func TestPseudonym(t *testing.T) {
	key, err := ParsePseudonymKey([]byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"))
	require.NoError(t, err)
	// Python: hmac.new(bytes(range(32)), b"jobeffekt person_id 1\0" + b"17", "sha256").hexdigest()[:32], and so on
	// (testdata/reference/pseudonyms.py).
	for id, want := range pseudonymsOfPython(t) {
		assert.Equal(t, want, key.Pseudonym("person_id", effect.TextID(id)).String(), id)
	}
	same := func(a, b string) bool {
		return key.Pseudonym("person_id", effect.TextID(a)) == key.Pseudonym("person_id", effect.TextID(b))
	}
	assert.True(t, same("0101701234", "010170-1234") && same("101701234", "0101701234") && same("3112991234", "311299-1234"))
	assert.False(t, same("017", "17"))
	assert.NotEqual(t, key.Pseudonym("person_id", effect.NumberID(17)), key.Pseudonym("participation_id", effect.NumberID(17)))
	assert.Equal(t, "pseudonym key "+key.Fingerprint(), fmt.Sprint(key))
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", key, key, key, key), "0a0b")
	for _, bad := range []string{"", "\n", "00", "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", fmt.Sprintf("%064d", 0)} {
		_, err := ParsePseudonymKey([]byte(bad))
		require.ErrorIs(t, err, ErrPseudonymKey)
		if len(bad) > 2 {
			assert.NotContains(t, err.Error(), bad[:4]+bad[4:min(len(bad), 8)])
		}
	}
}

func TestPseudonymsAsTheyAreRead(t *testing.T) {
	t.Parallel()
	key, err := ParsePseudonymKey([]byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(8, 6))
	const n = 300
	ids, numbers := make([]string, n), make([]int64, n)
	want := map[string]bool{}
	for i := range ids {
		ids[i] = civil(r, false)
		if i%3 == 0 && i > 0 {
			ids[i] = ids[i-1]
		}
		numbers[i], _ = strconv.ParseInt(ids[i], 10, 64)
		want[key.Pseudonym("person_id", effect.TextID(ids[i])).String()] = true
	}
	days, text := make([]effect.Date, n), slicesRepeat("a", n)
	part := make([]int64, n)
	hyphens := make([]string, n)
	for i := range days {
		days[i], part[i], hyphens[i] = effect.Date(14_000+i), int64(i), ids[i][:6]+"-"+ids[i][6:]
	}
	hyphenated := effect.NewFactor(hyphens)
	cases := func(person Column) *Table {
		person.Name = "person_id"
		return &Table{Name: Participations, Columns: []Column{
			{Name: "participation_id", Ints: part},
			person,
			{Name: "municipality", Texts: text},
			{Name: "match_scheme", Texts: text},
			{Name: "match_group", Texts: text},
			{Name: "referral_date", Dates: days},
		}}
	}
	opt := DefaultOptions()
	opt.Pseudonyms, opt.PseudonymColumns = key, []string{"person_id"}
	var first *effect.Cases
	for _, c := range []Column{{Texts: ids}, {Ints: numbers}, {Texts: hyphens}, {Factor: &hyphenated}} {
		tab := cases(c)
		folder := t.TempDir()
		writeTo(t, filepath.Join(folder, "participations.parquet"), tab)
		file, err := OpenFolder(folder, opt)
		require.NoError(t, err)
		memory := NewDataset(opt)
		require.NoError(t, memory.AddTable(Participations, "rows", tab))
		for _, ds := range []*Dataset{file, memory} {
			got, err := ds.Cases(context.Background())
			require.NoError(t, err)
			if first == nil {
				first = got
				require.Equal(t, len(want), got.Persons.Len())
				for _, id := range got.Persons.All() {
					assert.True(t, want[id.String()])
				}
			}
			assert.True(t, first.Persons.Equal(got.Persons))
			assert.Equal(t, first.Person, got.Person)
		}
	}
	// Spells of the same persons, in the order of their raw ids, as whole numbers with statistics.
	folder := t.TempDir()
	writeTo(t, filepath.Join(folder, "participations.parquet"), cases(Column{Texts: hyphens}))
	spells := &Table{Name: Spells, Columns: []Column{
		{Name: "person_id", Ints: numbers}, {Name: "state", Texts: slicesRepeat("cash_benefit", n)}, {Name: "start_date", Dates: days},
	}}
	writeTo(t, filepath.Join(folder, "spells.parquet"), spells)
	count := func(folder string, opt Options) map[string]int64 {
		ds, err := OpenFolder(folder, opt)
		require.NoError(t, err)
		c, err := ds.Cases(context.Background())
		require.NoError(t, err)
		sink := &spellCounter{}
		require.NoError(t, ds.Observe(context.Background(), c, nil, sink))
		out := map[string]int64{"added": sink.n.Load(), "persons": int64(c.Persons.Len())}
		for _, x := range ds.Counts() {
			out[x.Table+" "+x.Name] = x.Rows
		}
		return out
	}
	all := count(folder, opt)
	assert.Equal(t, int64(n), all["added"])
	assert.Zero(t, all["spells orphans"])
	some := opt
	some.Municipalities = []string{"a"}
	assert.Equal(t, int64(n), count(folder, some)["added"])

	// An arranged dataset holds pseudonyms, says so, and they stay what they are; another key is refused.
	ds, err := OpenFolder(folder, opt)
	require.NoError(t, err)
	arranged := t.TempDir()
	arrangeTo(t, ds, arranged, 4096, 1000, 100)
	for _, o := range []Options{opt, DefaultOptions(), some} {
		got := count(arranged, o)
		assert.Equal(t, int64(n), got["added"])
		assert.Equal(t, all["persons"], got["persons"])
	}
	back, err := ReadTable(context.Background(), filepath.Join(arranged, "spells.parquet"), DefaultLimits())
	require.NoError(t, err)
	for _, level := range back.Column("person_id").Factor.Levels {
		assert.True(t, want[level])
	}
	other := opt
	other.Pseudonyms, err = ParsePseudonymKey([]byte("ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	require.NoError(t, err)
	ds, err = OpenFolder(arranged, other)
	require.NoError(t, err)
	var schema *SchemaError
	require.ErrorAs(t, ds.Check(context.Background()), &schema)

	// Arrow dictionaries of integers.
	b := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.PrimitiveTypes.Int64}).(*array.Int64DictionaryBuilder)
	for _, v := range numbers {
		require.NoError(t, b.Append(v))
	}
	column := b.NewArray()
	load := NewDataset(opt)
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "person_id", Type: column.DataType()}}, nil), []arrow.Array{column}, n)
	require.NoError(t, load.AddArrow(Persons, rec))
	f, err := load.load(context.Background(), Persons, nil, nil)
	require.NoError(t, err)
	for i := range ids {
		id, ok := f.id(0, int32(i))
		require.True(t, ok)
		assert.Equal(t, key.Pseudonym("person_id", effect.TextID(ids[i])), id)
	}
}

// pseudonymsOfPython are the pseudonyms of person ids under the key of bytes 0 to 31.
func pseudonymsOfPython(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../testdata/reference/pseudonyms.json")
	require.NoError(t, err)
	var out map[string]string
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func writeTo(t *testing.T, path string, tab *Table) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, tab.WriteParquet(&b))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
}

type spellCounter struct{ n atomic.Int64 } // workers share it

func (c *spellCounter) Expect(int, int)     {}
func (c *spellCounter) Done(int, int)       {}
func (c *spellCounter) Add(s effect.Spells) { c.n.Add(int64(len(s.Person))) }
