package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

const (
	// mutantMemory is what reading one mutant may ask for in all, also what is let go again.
	mutantMemory = 64 << 20
	mutantTime   = 20 * time.Second
)

// tally is what came of the mutants of one writer.
type tally struct {
	mutants, refused, same, other int
	causes                        map[string]int
	slowest                       time.Duration
	most                          uint64
}

// mutant damages bytes in one of many ways; more is another file of the same kind.
func mutant(r *rand.Rand, good, more []byte) []byte {
	b := bytes.Clone(good)
	at := r.IntN(len(b))
	tail := len(b) - min(len(b), 8)
	if bytes.HasPrefix(b, []byte("PAR1")) {
		footer := max(4, tail-int(binary.LittleEndian.Uint32(b[tail:])))
		switch r.IntN(3) { // as much in the footer, of which there is less, as elsewhere
		case 0:
			at = footer + r.IntN(len(b)-footer)
		case 1: // headers of pages
			if f, err := parquet.OpenFile(bytes.NewReader(good), int64(len(good)), parquet.SkipPageIndex(true)); err == nil && len(f.Metadata().RowGroups) > 0 {
				columns := f.Metadata().RowGroups[r.IntN(len(f.Metadata().RowGroups))].Columns
				c := &columns[r.IntN(len(columns))].MetaData
				at = int(c.DataPageOffset)
				if c.DictionaryPageOffset != 0 && r.IntN(2) == 0 {
					at = int(c.DictionaryPageOffset)
				}
				at = min(at+r.IntN(40), len(b)-1)
			}
		}
	}
	switch r.IntN(8) {
	case 0, 1: // bits
		for range 1 + r.IntN(3) {
			b[at] ^= 1 << r.IntN(8)
			at = min(len(b)-1, at+r.IntN(16))
		}
	case 2: // bytes
		with := []byte{0, 0xFF, 0x80, byte(r.Uint32())}[r.IntN(4)]
		for i := at; i < min(len(b), at+1+r.IntN(32)); i++ {
			b[i] = with
		}
	case 3: // numbers as they are stored in a footer
		for i, v := range [][]byte{{0xFE, 0xFF, 0xFF, 0xFF, 0x0F}, {0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}, {0x80, 0x80, 0x80, 0x80, 0x08}}[r.IntN(4)] {
			if at+i < len(b) {
				b[at+i] = v
			}
		}
	case 4: // numbers as they are stored elsewhere
		var v [8]byte
		binary.LittleEndian.PutUint64(v[:], []uint64{0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62, 1<<64 - 1, 0}[r.IntN(6)])
		copy(b[at:], v[:4<<r.IntN(2)])
	case 5: // cut
		b = b[:at]
		if r.IntN(2) == 0 {
			b = append(b, good[tail:]...)
		}
	case 6: // of another file
		from := r.IntN(len(more))
		n := min(1+r.IntN(200), len(more)-from, len(b)-at)
		copy(b[at:at+n], more[from:])
	case 7: // twice, or left out
		n := min(1+r.IntN(64), len(b)-at)
		if r.IntN(2) == 0 {
			b = slices.Concat(b[:at+n], b[at:])
		} else {
			b = slices.Concat(b[:at], b[at+n:])
		}
	}
	return b
}

// asked is how many bytes of memory were asked for since the program began.
func asked() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// readHistory reads all of a dataset, as lines.
func readHistory(fsys fstest.MapFS) ([]string, error) {
	opt := truthOptions()
	opt.MaxRejectShare = 1
	opt.States = historyStates()
	d, err := OpenFS(fsys, "data", opt)
	if err != nil {
		return nil, err
	}
	if err := d.Check(context.Background()); err != nil {
		return nil, err
	}
	c, err := d.Cases(context.Background())
	if err != nil {
		return nil, err
	}
	out := caseLines(c)
	spells := make(chan []string, 64)
	done := make(chan error)
	go func() {
		done <- d.Spells(context.Background(), c, nil, func(s effect.Spells) error {
			var lines []string
			for i, p := range s.Person {
				lines = append(lines, fmt.Sprintf("%s,%s,%s,%s", c.Persons.At(int(p)), s.State[i], s.Start[i], s.End[i]))
			}
			spells <- lines
			return nil
		})
		close(spells)
	}()
	var all []string
	for finished := false; !finished; {
		select {
		case lines, ok := <-spells:
			if finished = !ok; ok {
				all = append(all, lines...)
			}
		case err = <-done:
			done = nil
		}
	}
	if done != nil {
		err = <-done
	}
	slices.Sort(all)
	return append(out, all...), err
}

func historyStates() map[string]effect.State {
	return map[string]effect.State{
		"0": effect.OrdinaryEmployment, "1": effect.SelfEmployment, "2": effect.WageSubsidy, "3": effect.Education,
		"4": effect.CashBenefit, "5": effect.SicknessBenefit, "6": effect.SelfSupport,
	}
}

// causeOf is the documented type of an error, "" where it has none.
func causeOf(err error) string {
	for _, c := range []struct {
		is   error
		name string
	}{
		{ErrEmptyFile, "empty"},
		{ErrTruncated, "cut short"},
		{ErrNotParquet, "not Parquet"},
		{ErrEncrypted, "encrypted"},
		{ErrCompression, "compression"},
		{ErrLimit, "a limit"},
		{ErrCorrupt, "damaged"},
		{ErrCSV, "not a CSV table"},
		{ErrTooManyRejects, "too many rejects"},
		{ErrNoTable, "no such table"},
	} {
		if errors.Is(err, c.is) {
			return c.name
		}
	}
	var schema *SchemaError
	var states *UnmappedStatesError
	var groups *UnmappedGroupsError
	switch {
	case errors.As(err, &schema):
		return "columns"
	case errors.As(err, &states), errors.As(err, &groups):
		return "unmapped codes"
	}
	return ""
}

// add tells what came of one mutant.
func (c *tally) add(t *testing.T, what string, ids []string, read func() (same bool, err error)) {
	t.Helper()
	began, before := time.Now(), asked()
	same, err := read()
	took, memory := time.Since(began), asked()-before
	c.mutants++
	c.slowest, c.most = max(c.slowest, took), max(c.most, memory)
	require.Less(t, took, mutantTime, what)
	require.Less(t, memory, uint64(mutantMemory), what)
	switch {
	case err != nil:
		cause := causeOf(err)
		require.NotEmpty(t, cause, "%s: %T %v", what, err, err)
		for _, id := range ids {
			require.NotContains(t, err.Error(), id, what)
		}
		c.refused++
		if c.causes == nil {
			c.causes = map[string]int{}
		}
		c.causes[cause]++
	case same:
		c.same++
	default:
		c.other++
	}
}

// written writes tallies as a table for docs/trust, if it is asked for.
func writeTallies(t *testing.T, name string, all map[string]*tally) {
	folder := os.Getenv("JOBEFFEKT_MUTANTS")
	if folder == "" {
		return
	}
	var b strings.Builder
	sum := tally{causes: map[string]int{}}
	row := func(name string, c *tally) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d ms | %.1f MiB |\n", name, c.mutants, c.refused, c.same, c.other, c.slowest.Milliseconds(), float64(c.most)/(1<<20))
	}
	fmt.Fprintln(&b, "| written by | mutants | refused | read the same | read, other values | slowest | most memory asked for |\n|---|---:|---:|---:|---:|---:|---:|")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		row(name, c)
		sum.mutants, sum.refused, sum.same, sum.other = sum.mutants+c.mutants, sum.refused+c.refused, sum.same+c.same, sum.other+c.other
		sum.slowest, sum.most = max(sum.slowest, c.slowest), max(sum.most, c.most)
		for cause, n := range c.causes {
			sum.causes[cause] += n
		}
	}
	row("**all**", &sum)
	var causes []string
	for _, cause := range slices.SortedFunc(maps.Keys(sum.causes), func(a, b string) int { return cmp.Or(cmp.Compare(sum.causes[b], sum.causes[a]), cmp.Compare(a, b)) }) {
		causes = append(causes, fmt.Sprintf("%s %d", cause, sum.causes[cause]))
	}
	fmt.Fprintf(&b, "\nRefused because: %s.\n", strings.Join(causes, ", "))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".part"), []byte(b.String()), 0o644))
}

// mutantCount is how many mutants a test makes: all with JOBEFFEKT_FULL.
func mutantCount(full, few int) int {
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		return full
	}
	return few
}

// TestMutants damages the files of several writers, and reads all of what is left:
// whatever comes of it is a result or a typed error that tells no identifier, in bounded
// time and memory.
func TestMutants(t *testing.T) {
	type dataset struct {
		name  string
		files fstest.MapFS
		names []string
		want  []string
	}
	var sets []dataset
	dirs, err := filepath.Glob(histories + "/*/participations*")
	require.NoError(t, err)
	ids := longIDs(t)
	for _, dir := range dirs {
		dir = filepath.Dir(dir)
		if filepath.Base(dir) == "truth" {
			continue
		}
		d := dataset{name: filepath.Base(dir), files: fstest.MapFS{}}
		require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			d.files[filepath.ToSlash(name)] = &fstest.MapFile{Data: b, Mode: 0o600}
			d.names = append(d.names, filepath.ToSlash(name))
			return err
		}))
		slices.Sort(d.names)
		d.want, err = readHistory(d.files)
		require.NoError(t, err, d.name)
		sets = append(sets, d)
	}
	require.Len(t, sets, 9)
	all := map[string]*tally{}
	n := mutantCount(90_000, 1500)
	if testing.Short() {
		n = 200
	}
	for i := range n {
		r := rand.New(rand.NewPCG(8, uint64(i)))
		d, other := &sets[i%len(sets)], &sets[r.IntN(len(sets))]
		name := d.names[r.IntN(len(d.names))]
		more := other.files[other.names[r.IntN(len(other.names))]].Data
		files := maps.Clone(d.files)
		b := mutant(r, d.files[name].Data, more)
		files[name] = &fstest.MapFile{Data: b, Mode: 0o600}
		if all[d.name] == nil {
			all[d.name] = &tally{}
		}
		all[d.name].add(t, fmt.Sprintf("mutant %d of %s/%s", i, d.name, name), ids, func() (bool, error) {
			got, err := readHistory(files)
			return slices.Equal(got, d.want), err
		})
	}
	writeTallies(t, "1-parquet", all)
}

// longIDs are the identifiers of the histories that no number in a message can be by chance.
func longIDs(t *testing.T) (out []string) {
	for _, row := range readCSV(t, "persons") {
		if id := row["person_id"]; len(id) > 5 {
			out = append(out, id)
		}
	}
	for _, row := range readCSV(t, "participations") {
		if id := row["participation_id"]; len(id) > 5 {
			out = append(out, id)
		}
	}
	return out
}

// TestMutantsCSV does the same to tables of text.
func TestMutantsCSV(t *testing.T) {
	var good [][]byte
	for _, table := range []string{"persons", "participations", "spells"} {
		b, err := os.ReadFile(filepath.Join(histories, "truth", table+".csv"))
		require.NoError(t, err)
		good = append(good, b)
	}
	ids := longIDs(t)
	all := map[string]*tally{"CSV": {}}
	for i := range mutantCount(5_000, 150) {
		r := rand.New(rand.NewPCG(9, uint64(i)))
		src := good[r.IntN(len(good))]
		b := mutant(r, src, good[r.IntN(len(good))])
		all["CSV"].add(t, fmt.Sprintf("mutant %d", i), ids, func() (bool, error) {
			_, err := parseCSV(context.Background(), "table.csv", "table", b, DefaultLimits())
			return bytes.Equal(b, src), err
		})
	}
	writeTallies(t, "2-csv", all)
}
