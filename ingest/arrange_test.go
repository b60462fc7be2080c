package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// arrangeTo writes the citizens' tables of a dataset anew, on pages of some rows.
func arrangeTo(t require.TestingT, d *Dataset, dir string, page int, rows, group int64) {
	a, err := d.Arrange(context.Background(), parquet.NewFileBufferPool(dir, ".sort-*"))
	require.NoError(t, err)
	a.page, a.rows, a.group, a.dictionary = page, rows, group, int64(page)
	for _, table := range a.Tables() {
		var b bytes.Buffer
		n, err := a.WriteTable(context.Background(), table, &b)
		require.NoError(t, err)
		want := int64(0)
		for _, p := range d.tables[table] {
			for _, rows := range p.units() {
				want += rows
			}
		}
		require.Equal(t, want, n)
		require.NoError(t, os.WriteFile(filepath.Join(dir, table+".parquet"), b.Bytes(), 0o600))
	}
}

// blind takes the indexes of pages from a dataset, so that every row is read.
func blind(d *Dataset) *Dataset {
	for _, parts := range d.tables {
		for _, part := range parts {
			if p, ok := part.(*parquetPart); ok {
				for _, g := range p.parquet.Metadata().RowGroups {
					for k := range g.Columns {
						g.Columns[k].OffsetIndexOffset = 0
					}
				}
			}
		}
	}
	return d
}

// rowTexts are the rows of files as text, sorted, without some columns.
func rowTexts(t require.TestingT, path string, without ...string) []string {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	file, err := parquet.OpenFile(f, info.Size())
	require.NoError(t, err)
	var names []string
	for _, c := range file.Root().Columns() {
		names = append(names, c.Name())
	}
	order := slices.Sorted(slices.Values(names))
	var out []string
	for _, g := range file.RowGroups() {
		rows := g.Rows()
		buf := make([]parquet.Row, 1)
		for {
			n, err := rows.ReadRows(buf)
			if n == 1 {
				line := ""
				for _, name := range order {
					if !slices.Contains(without, name) {
						v := buf[0][slices.Index(names, name)]
						line += fmt.Sprintf("%s=%v %q;", name, v.Kind(), v.String())
					}
				}
				out = append(out, line)
			}
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		require.NoError(t, rows.Close())
	}
	slices.Sort(out)
	return out
}

// kinds are rejects without the places of their rows.
func kinds(rejects []Reject) []Reject {
	out := slices.Clone(rejects)
	for i := range out {
		out[i].File, out[i].Row = "", 0
	}
	slices.SortFunc(out, func(a, b Reject) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}

func openData(t require.TestingT, dir string, opt Options) *Dataset {
	d, err := OpenFolder(dir, opt)
	require.NoError(t, err)
	return d
}

// TestArranged writes random datasets anew and reads random municipalities of them:
// as they were, arranged, with and without passing over pages, and as shuffled
// records. Cases, spells, counts and the sorts of rejects are the same; between files
// with the same rows, all rejects. They are also those of data that never had the
// rows of others, but for the counts. Arranged files hold the rows that there were.
func TestArranged(t *testing.T) {
	passedOver, clustered := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tables := drawWorld(t)
		n := len(tables[Participations][0].cells)
		tables[Participations][2] = drawID(t, "municipality", n, 5, rapid.Bool().Draw(t, "bad municipality"))
		if rapid.Bool().Draw(t, "bad person") {
			tables[Participations][1] = drawID(t, "person_id", n, 13, true)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		dir, err := os.MkdirTemp("", "arranged")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		was, arranged, again, alone := filepath.Join(dir, "was"), filepath.Join(dir, "arranged"), filepath.Join(dir, "again"), filepath.Join(dir, "alone")
		for _, folder := range []string{was, arranged, again, alone} {
			require.NoError(t, os.Mkdir(folder, 0o700))
		}
		var chosen []string
		var ids []effect.ID
		for i := -2; i <= 5; i++ {
			for _, name := range []string{fmt.Sprint(i), fmt.Sprint("æ", i)} {
				if r.IntN(3) == 0 {
					chosen, ids = append(chosen, name), append(ids, effect.TextID(name))
				}
			}
		}
		if len(chosen) == 0 {
			chosen, ids = []string{"1"}, []effect.ID{effect.NumberID(1)}
		}
		narrow := worldOptions()
		narrow.Municipalities = chosen
		shuffled := NewDataset(narrow)
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			cols := tables[table]
			family := families(r, cols)
			writeDrawn(t, r, filepath.Join(was, table+".parquet"), cols, family)
			order := r.Perm(len(cols[0].cells))
			cut := r.IntN(len(order) + 1)
			require.NoError(t, shuffled.AddArrow(table, drawnRecord(r, take(cols, order[:cut]), family)))
			require.NoError(t, shuffled.AddArrow(table, drawnRecord(r, take(cols, order[cut:]), family)))
			if table == Participations {
				var own []int
				for i, cell := range cols[2].cells {
					if cell == nil || cell == "" || slices.Contains(ids, effect.TextID(fmt.Sprint(cell))) {
						own = append(own, i)
					}
				}
				cols = take(cols, own)
			}
			writeDrawn(t, r, filepath.Join(alone, table+".parquet"), cols, family)
		}
		arrangeTo(t, openData(t, was, narrow), arranged, oneOf(r, 16, 64, 300), oneOf[int64](r, 5, 1000), oneOf[int64](r, 20, 1000))
		for table := range tables {
			require.Equal(t, rowTexts(t, filepath.Join(was, table+".parquet")), rowTexts(t, filepath.Join(arranged, table+".parquet"), clusterColumn))
		}
		// Arranged once more, of other parts, nothing changes.
		arrangeTo(t, openData(t, arranged, worldOptions()), again, 64, 1000, 1000)
		for table := range tables {
			require.Equal(t, rowTexts(t, filepath.Join(arranged, table+".parquet")), rowTexts(t, filepath.Join(again, table+".parquet")))
		}

		full := readWorld(t, blind(openData(t, was, narrow)))
		indexed := readWorld(t, openData(t, was, narrow))
		require.Equal(t, full, indexed)
		d := openData(t, arranged, narrow)
		passing := readWorld(t, d)
		require.Equal(t, readWorld(t, blind(openData(t, arranged, narrow))), passing)
		others := []world{passing, readWorld(t, shuffled)}
		for _, w := range others {
			require.Equal(t, kinds(full.rejects), kinds(w.rejects))
			w.rejects = full.rejects
			require.Equal(t, full, w)
		}
		own := readWorld(t, openData(t, alone, worldOptions()))
		require.Equal(t, own.cases, full.cases)
		require.Equal(t, own.spells, full.spells)

		everything := readWorld(t, openData(t, was, worldOptions()))
		w := readWorld(t, openData(t, arranged, worldOptions()))
		require.Equal(t, kinds(everything.rejects), kinds(w.rejects))
		w.rejects = everything.rejects
		require.Equal(t, everything, w)

		for _, a := range d.results {
			if a.unread > 0 {
				passedOver++
			}
		}
		if c, err := d.Cases(context.Background()); err == nil {
			clusters, _, err := d.clusters(context.Background(), newPersonIndex(c.Persons, 50))
			require.NoError(t, err)
			if len(clusters) > 0 {
				clustered++
			}
		}
	})
	require.Greater(t, passedOver, ofDraws(50))
	require.Greater(t, clustered, ofDraws(30))
}

// ofDraws is how many of something random worlds have at least: n, or with -short, where a
// fifth as many are drawn, a tenth of it.
func ofDraws(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// counting is a file system that counts the bytes that are read of its files.
type counting struct {
	fs.FS
	bytes *atomic.Int64
}

type countingFile struct {
	fs.File
	bytes *atomic.Int64
}

func (c counting) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if info, _ := fs.Stat(c.FS, name); err != nil || info.IsDir() {
		return f, err
	}
	return countingFile{f, c.bytes}, err
}

func (f countingFile) ReadAt(b []byte, off int64) (int, error) {
	f.bytes.Add(int64(len(b)))
	return f.File.(io.ReaderAt).ReadAt(b, off)
}

// askOne reads the cases of a municipality and their spells, and returns the bytes
// that it took, those of opening the files apart.
func askOne(t require.TestingT, dir, municipality string, whole bool, covariates ...string) (bytes, cases, spells int64) {
	opt := DefaultOptions()
	opt.Municipalities, opt.Covariates = []string{municipality}, covariates
	var read, n atomic.Int64
	d, err := OpenFS(counting{os.DirFS(dir), &read}, dir, opt)
	require.NoError(t, err)
	if whole {
		blind(d)
	}
	read.Store(0)
	c, err := d.Cases(context.Background())
	require.NoError(t, err)
	require.NoError(t, d.Spells(context.Background(), c, nil, func(s effect.Spells) error {
		n.Add(int64(len(s.Person)))
		return nil
	}))
	return read.Load(), int64(c.Len()), n.Load()
}

// pageBytes are the bytes of the pages, dictionaries too, that askOne reads, and of
// all pages of the same columns.
func pageBytes(t require.TestingT, dir, municipality string, covariates ...string) (read, all int64) {
	opt := DefaultOptions()
	opt.Municipalities, opt.Covariates = []string{municipality}, covariates
	d := openData(t, dir, opt)
	c, err := d.Cases(context.Background())
	require.NoError(t, err)
	for _, table := range []string{Participations, Persons, Spells} {
		cols, problems := d.plan(table, nil)
		require.Empty(t, problems)
		cols = slices.DeleteFunc(cols, func(in input) bool { return in.absent || in.name == employerColumn })
		if table != Participations {
			cols[0].res = newPersonIndex(c.Persons, 100)
		}
		require.NoError(t, d.narrow(context.Background(), table, cols))
		for k, part := range d.tables[table] {
			p := part.(*parquetPart)
			for unit := range p.rows {
				some, narrow := cols[0].narrow.unit(k, unit)
				for _, in := range cols {
					m := &p.parquet.Metadata().RowGroups[unit].Columns[p.parquet.Root().Column(in.column).Index()].MetaData
					all += m.TotalCompressedSize
					pages := some.pages[in.column]
					if !narrow {
						read += m.TotalCompressedSize
					} else if len(some.spans) > 0 && m.DictionaryPageOffset != 0 {
						read += pages.from[0] - m.DictionaryPageOffset
					}
					last := 0
					for _, s := range some.spans {
						i, j := pages.covering(s)
						for i = max(i, last); i < j; i++ {
							read += pages.to[i] - pages.from[i]
							last = i + 1
						}
					}
				}
			}
		}
	}
	return read, all
}

// A nation of 50 municipalities, of whose citizens one in ten was referred in two,
// spread over the files: whoever asks about one of them reads a small part. Twice its
// share of the bytes is what the ends of pages and the citizens of two cost at most.
func TestNarrowReadsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("counts bytes")
	}
	type participation struct {
		ID           int64  `parquet:"participation_id"`
		Person       int64  `parquet:"person_id"`
		Municipality int64  `parquet:"municipality"`
		Scheme       string `parquet:"match_scheme,dict"`
		Group        string `parquet:"match_group,dict"`
		Referral     int32  `parquet:"referral_date,date"`
	}
	type person struct {
		Person int64 `parquet:"person_id"`
		Age    int64 `parquet:"age_then"`
	}
	dir, arranged := t.TempDir(), t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	var participations []participation
	var spells []goodSpell
	var persons []person
	for p := range int64(10_000) {
		home := r.Int64N(50)
		participations = append(participations, participation{2 * p, p, home, "s", "1", 13000 + r.Int32N(1000)})
		if r.IntN(10) == 0 {
			participations = append(participations, participation{2*p + 1, p, r.Int64N(50), "s", "1", 13000 + r.Int32N(1000)})
		}
		persons = append(persons, person{p, r.Int64N(50)})
		for k := range int32(10) {
			spells = append(spells, goodSpell{p, "education", 12000 + 90*k + r.Int32N(50), new(12090 + 90*k)})
		}
	}
	writeRows(t, filepath.Join(dir, "participations.parquet"), participations)
	writeRows(t, filepath.Join(dir, "spells.parquet"), spells)
	writeRows(t, filepath.Join(dir, "persons.parquet"), persons)
	arrangeTo(t, openData(t, dir, DefaultOptions()), arranged, 1024, 100_000, 100_000)

	_, cases, of := askOne(t, arranged, "7", true, "age_then")
	some, all := pageBytes(t, arranged, "7", "age_then")
	_, casesThen, ofThen := askOne(t, arranged, "7", false, "age_then")
	require.Equal(t, []int64{cases, of}, []int64{casesThen, ofThen})
	require.Greater(t, cases, int64(150))
	share := float64(some) / float64(all)
	require.Less(t, share, 0.1, "%d of %d bytes", some, all)

	// Whatever a slow file system is told of beforehand is all that is read.
	outside, plans := 0, 0
	opt := DefaultOptions()
	opt.Municipalities, opt.Workers = []string{"7"}, 1
	far := fstest.MapFS{}
	for _, name := range []string{"participations.parquet", "spells.parquet"} {
		b, err := os.ReadFile(filepath.Join(arranged, name))
		require.NoError(t, err)
		far[name] = &fstest.MapFile{Data: b}
	}
	d, err := OpenFS(planned{FS: far, outside: &outside, plans: &plans}, "far", opt)
	require.NoError(t, err)
	c, err := d.Cases(context.Background())
	require.NoError(t, err)
	require.NoError(t, d.Spells(context.Background(), c, nil, func(effect.Spells) error { return nil }))
	require.Zero(t, outside)
	require.Positive(t, plans)
}

// BenchmarkNarrow asks about a municipality of the dataset in JOBEFFEKT_ARRANGED,
// such as jobeffekt arrange makes of bench/generate.mjs: its time, and the bytes that
// it reads, indexes and all, beside those of all pages of the same columns.
func BenchmarkNarrow(b *testing.B) {
	dir := os.Getenv("JOBEFFEKT_ARRANGED")
	if dir == "" {
		b.Skip("JOBEFFEKT_ARRANGED names no dataset")
	}
	pages, all := pageBytes(b, dir, "101", "age", "education")
	var some, cases, spells int64
	for b.Loop() {
		some, cases, spells = askOne(b, dir, "101", false, "age", "education")
	}
	b.ReportMetric(100*float64(pages)/float64(all), "%pages")
	b.ReportMetric(100*float64(some)/float64(all), "%bytes") // indexes and headers too
	b.ReportMetric(float64(cases), "cases")
	b.ReportMetric(float64(spells), "spells")
}

// States that only spells of others have stop a run over all, and none about some;
// so it is however the files are arranged.
func TestStatesOfOthers(t *testing.T) {
	dir, arranged := t.TempDir(), t.TempDir()
	writeRows(t, filepath.Join(dir, "participations.parquet"), goodParticipations())
	writeRows(t, filepath.Join(dir, "spells.parquet"), []testSpell{{"1", "known", 13000, nil}, {"2", "leave", 13000, nil}, {"9", "nobody", 13000, nil}})
	opt := testOptions()
	opt.States = map[string]effect.State{"known": effect.Leave}
	arrangeTo(t, openData(t, dir, opt), arranged, 16, 1, 1)
	for _, folder := range []string{dir, arranged} {
		for _, of := range []struct {
			chosen []string
			states map[string]effect.State
			codes  []UnmappedState
		}{
			{nil, nil, []UnmappedState{{"known", 1}, {"nobody", 1}}},
			{nil, opt.States, []UnmappedState{{"nobody", 1}}},
			{[]string{"101"}, nil, nil},
			{[]string{"147"}, nil, []UnmappedState{{"known", 1}}},
		} {
			opt := opt
			opt.Municipalities, opt.States = of.chosen, of.states
			d := openData(t, folder, opt)
			c, err := d.Cases(context.Background())
			require.NoError(t, err)
			err = d.Spells(context.Background(), c, nil, func(effect.Spells) error { return nil })
			if of.codes == nil {
				require.NoError(t, err)
				continue
			}
			var unmapped *UnmappedStatesError
			require.ErrorAs(t, err, &unmapped)
			require.Equal(t, of.codes, unmapped.Codes)
		}
	}
}

// What cannot be written anew is refused, every column by name; what has a type that
// nobody reads stays as it is.
func TestArrangeColumns(t *testing.T) {
	type strange struct {
		testSpell
		Small  uint16           `parquet:"small"`
		Price  int64            `parquet:"price,decimal(2:12)"`
		Key    [16]byte         `parquet:"key,uuid"`
		When   deprecated.Int96 `parquet:"when"`
		Flag   *bool            `parquet:"flag,optional"`
		Note   *string          `parquet:"note,optional,json"`
		Single float32          `parquet:"single"`
		Ticks  int64            `parquet:"ticks,timestamp(microsecond)"`
	}
	dir, arranged := t.TempDir(), t.TempDir()
	writeRows(t, filepath.Join(dir, "participations.parquet"), goodParticipations())
	writeRows(t, filepath.Join(dir, "spells.parquet"), []strange{
		{testSpell{"1", "leave", 13000, nil}, 65535, -5, [16]byte{1}, deprecated.Int96{1, 2, 3}, new(true), new("{}"), float32(math.NaN()), -1},
		{testSpell{"9", "leave", 13001, new(int32(5))}, 0, 1 << 40, [16]byte{}, deprecated.Int96{}, nil, nil, 0.1, 1 << 60},
	})
	d := openData(t, dir, testOptions())
	arrangeTo(t, d, arranged, 16, 10, 10)
	require.Equal(t, rowTexts(t, filepath.Join(dir, "spells.parquet")), rowTexts(t, filepath.Join(arranged, "spells.parquet"), clusterColumn))
	before, after := d.tables[Spells][0].(*parquetPart), openData(t, arranged, testOptions()).tables[Spells][0].(*parquetPart)
	require.Equal(t, append(slices.Clone(before.names), clusterColumn), after.names)
	for _, name := range before.names {
		a, b := before.parquet.Root().Column(name), after.parquet.Root().Column(name)
		require.Equal(t, a.Type().String(), b.Type().String())
		require.Equal(t, a.Optional(), b.Optional())
	}

	type nested struct {
		testSpell
		Tags    []string `parquet:"tags,list"`
		Many    []int64  `parquet:"many"`
		Cluster string   `parquet:"cluster"`
	}
	writeRows(t, filepath.Join(dir, "spells.parquet"), []nested{{testSpell: testSpell{"1", "leave", 13000, nil}, Tags: []string{"a"}}})
	_, err := openData(t, dir, testOptions()).Arrange(context.Background(), parquet.NewBufferPool())
	require.ErrorIs(t, err, ErrNested)
	for _, says := range []string{`column "tags"`, `column "many"`, `column "cluster": a dataset that is arranged has a column of this name`} {
		require.ErrorContains(t, err, says)
	}

	// Parts that differ.
	require.NoError(t, os.Remove(filepath.Join(dir, "spells.parquet")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "spells"), 0o700))
	writeRows(t, filepath.Join(dir, "spells", "a.parquet"), []testSpell{{"1", "leave", 13000, nil}})
	writeRows(t, filepath.Join(dir, "spells", "b.parquet"), []strange{})
	_, err = openData(t, dir, testOptions()).Arrange(context.Background(), parquet.NewBufferPool())
	require.ErrorContains(t, err, `column "small": it is not the same in`)
}

// An index that is damaged makes an error or a result, never a panic; tables of
// another arrangement, or that another program wrote, are read whole.
func TestIndexThatMakesNoSense(t *testing.T) {
	dir, arranged := t.TempDir(), t.TempDir()
	writeRows(t, filepath.Join(dir, "participations.parquet"), goodParticipations())
	var spells []testSpell
	for i := range 200 {
		spells = append(spells, testSpell{fmt.Sprint(i % 5), "leave", int32(13000 + i), nil})
	}
	writeRows(t, filepath.Join(dir, "spells.parquet"), spells)
	arrangeTo(t, openData(t, dir, testOptions()), arranged, 16, 1000, 1000)
	opt := testOptions()
	opt.Municipalities = []string{"101"}
	ask := func() (n int, unread int64, err error) {
		d := openData(t, arranged, opt)
		c, err := d.Cases(context.Background())
		if err != nil {
			return 0, 0, err
		}
		var mu sync.Mutex
		err = d.Spells(context.Background(), c, nil, func(s effect.Spells) error {
			mu.Lock()
			n += len(s.Person)
			mu.Unlock()
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
		cols, problems := d.plan(Spells, nil)
		require.Empty(t, problems)
		cols[0].res = newPersonIndex(c.Persons, 100)
		require.NoError(t, d.narrow(context.Background(), Spells, cols))
		return n, cols[0].narrow.unread, nil
	}
	n, unread, err := ask()
	require.NoError(t, err)
	require.Equal(t, 40, n)
	require.Greater(t, unread, int64(60))

	path := filepath.Join(arranged, "spells.parquet")
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	p := openData(t, arranged, opt).tables[Spells][0].(*parquetPart)
	from, to := p.size, int64(0)
	for _, c := range p.parquet.Metadata().RowGroups[0].Columns {
		from, to = min(from, c.ColumnIndexOffset, c.OffsetIndexOffset), max(to, c.OffsetIndexOffset+int64(c.OffsetIndexLength))
	}
	errors := 0
	for i := from; i < to; i++ {
		bad := bytes.Clone(good)
		bad[i] ^= []byte{0xFF, 0x80, 0x01}[i%3]
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		if _, _, err := ask(); err != nil {
			errors++
		}
	}
	require.Greater(t, errors, 50)

	// Of other clusters.
	require.NoError(t, os.WriteFile(path, good, 0o600))
	rows := goodParticipations()
	rows[1].City = 101
	writeRows(t, filepath.Join(dir, "participations.parquet"), rows)
	other := t.TempDir()
	arrangeTo(t, openData(t, dir, testOptions()), other, 16, 1000, 1000)
	b, err := os.ReadFile(filepath.Join(other, "participations.parquet"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(arranged, "participations.parquet"), b, 0o600))
	n, unread, err = ask()
	require.NoError(t, err)
	require.Equal(t, 80, n)
	require.Zero(t, unread)
}

func TestHoldsText(t *testing.T) {
	texts := []string{"12+7", "7", "long municipality of the north"}
	for _, of := range []struct {
		low, high string
		holds     bool
	}{
		{"", "", false},
		{"", "12", false},
		{"12", "12+7", true},
		{"13", "6", false},
		{"13", "7", true},
		{"7", "7", true},
		{"7+", "8", false},
		{"long municipality of the", "long municipality of the", true}, // cut and not made larger
		{"long municipali", "long municipali", false},                  // too short for that
		{"long municipality of the a", "long municipality of the c", false},
		{"m", "z", false},
	} {
		require.Equal(t, of.holds, holdsText(texts, of.low, of.high), "%s to %s", of.low, of.high)
	}
	for _, of := range []struct {
		low, high int64
		holds     bool
	}{{-9, -6, false}, {-9, -5, true}, {-5, -5, true}, {-4, 2, false}, {3, 3, true}, {math.MinInt64, math.MaxInt64, true}, {8, 9, false}} {
		require.Equal(t, of.holds, holdsNumber([]int64{-5, 3, 7}, of.low, of.high))
	}
	require.False(t, holdsNumber(nil, math.MinInt64, math.MaxInt64))
}

// A page that is passed over is never seen, so that an index which says less than the
// statistics of its row group is an error and not a loss.
func TestIndexThatLies(t *testing.T) {
	dir, arranged := t.TempDir(), t.TempDir()
	writeRows(t, filepath.Join(dir, "participations.parquet"), goodParticipations())
	var spells []testSpell
	for i := range 200 {
		spells = append(spells, testSpell{fmt.Sprint(i % 5), "leave", int32(13000 + i), nil})
	}
	writeRows(t, filepath.Join(dir, "spells.parquet"), spells)
	arrangeTo(t, openData(t, dir, testOptions()), arranged, 16, 1000, 1000)
	opt := testOptions()
	opt.Municipalities = []string{"101"}
	path := filepath.Join(arranged, "spells.parquet")
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	ask := func(low, high string) error {
		lying := footered(t, good, func(m *format.FileMetaData) {
			for k := range m.RowGroups[0].Columns {
				c := &m.RowGroups[0].Columns[k]
				if c.MetaData.PathInSchema[0] == clusterColumn {
					// The index stands where it is: shorter values leave room for the statistics to tell more.
					c.MetaData.Statistics.MinValue, c.MetaData.Statistics.MaxValue = []byte(low), []byte(high)
				}
			}
		})
		require.NoError(t, os.WriteFile(path, lying, 0o600))
		d := openData(t, arranged, opt)
		c, err := d.Cases(context.Background())
		require.NoError(t, err)
		return d.Spells(context.Background(), c, nil, func(effect.Spells) error { return nil })
	}
	require.NoError(t, ask("", "")) // not told
	require.NoError(t, ask("", "1"))
	require.ErrorIs(t, ask("", "~"), ErrCorrupt)

	// What writers cut is no lie.
	index := &format.ColumnIndex{
		NullPages: []bool{false, true, false},
		MinValues: [][]byte{[]byte("long municipality of the n"), nil, []byte("m")},
		MaxValues: [][]byte{[]byte("long municipality of the"), nil, []byte("n municipality of")},
	}
	require.True(t, agrees(index, []byte("long municipality of the north"), []byte("n municipality of the west"), bytes.Compare))
	require.False(t, agrees(index, []byte("k"), []byte("n"), bytes.Compare))
	require.False(t, agrees(index, []byte("m"), []byte("x"), bytes.Compare))
	require.True(t, agrees(index, nil, nil, bytes.Compare))
	index.MinValues[2] = []byte("z")
	require.True(t, agrees(index, nil, nil, bytes.Compare))
	index.MaxValues[2] = []byte("n")
	require.False(t, agrees(index, nil, nil, bytes.Compare))
}
