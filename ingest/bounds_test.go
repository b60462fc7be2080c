package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// noted is a sink that remembers what it was told.
type noted struct {
	mu       sync.Mutex
	expected []span
	done     []span
	persons  []int32
	early    bool // a spell came before all units were expected
}

func (n *noted) Expect(from, to int) {
	n.early = n.early || len(n.persons) > 0
	n.expected = append(n.expected, span{from, to})
}

func (n *noted) Add(s effect.Spells) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range s.Person {
		if p >= 0 {
			n.persons = append(n.persons, p)
		}
	}
}

func (n *noted) Done(from, to int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done = append(n.done, span{from, to})
}

func sortSpans(s []span) []span {
	slices.SortFunc(s, func(a, b span) int { return slices.Compare([]int{a.from, a.to}, []int{b.from, b.to}) })
	return s
}

type textSpell struct {
	Person string `parquet:"person_id"`
	State  string `parquet:"state,dict"`
	Start  int32  `parquet:"start_date,date"`
	End    *int32 `parquet:"end_date,date"`
}

// Row groups of 64 rows tell which persons they hold, as numbers and as texts.
func TestUnitsTellTheirPersons(t *testing.T) {
	const persons = 200
	for _, as := range []string{"numbers", "texts of one length", "texts of other lengths", "texts that are no numbers"} {
		var ids []effect.ID
		name := func(p int) string {
			switch as {
			case "texts of one length":
				return strconv.Itoa(1000 + 3*p)
			case "texts that are no numbers":
				return fmt.Sprintf("p%04d", 3*p)
			}
			return strconv.Itoa(3 * p)
		}
		var order []int
		for p := range persons {
			if p%4 != 0 {
				ids = append(ids, effect.TextID(name(p)))
			}
			order = append(order, p)
		}
		slices.SortFunc(ids, effect.ID.Compare)
		if as == "texts of other lengths" {
			slices.SortFunc(order, func(a, b int) int { return slices.Compare([]byte(name(a)), []byte(name(b))) })
		}
		path := filepath.Join(t.TempDir(), "spells.parquet")
		var numbers []goodSpell
		var texts []textSpell
		rows := 0
		for _, p := range order {
			for k := range int32(5) {
				numbers = append(numbers, goodSpell{int64(3 * p), "education", 12000 + 10*k, new(12005 + 10*k)})
				texts = append(texts, textSpell{name(p), "education", 12000 + 10*k, new(12005 + 10*k)})
			}
			if p%4 != 0 {
				rows += 5
			}
		}
		if as == "numbers" {
			writeRows(t, path, numbers)
		} else {
			writeRows(t, path, texts)
		}
		open := func() *Dataset {
			d, err := OpenFolder(filepath.Dir(path), DefaultOptions())
			require.NoError(t, err)
			return d
		}
		var n noted
		d := open()
		require.NoError(t, d.Observe(context.Background(), &effect.Cases{Persons: effect.NewIDs(ids...)}, nil, &n))
		assert.Len(t, n.persons, rows, as)
		assert.False(t, n.early, as)
		assert.Len(t, n.expected, 16, as)
		assert.Equal(t, sortSpans(n.expected), sortSpans(n.done), as)
		widest, sum := 0, 0
		for _, s := range n.expected {
			widest, sum = max(widest, s.to-s.from), sum+s.to-s.from
		}
		if as != "texts of other lengths" { // "30" lies between "297" and "303"
			assert.LessOrEqual(t, widest, 14, as)
			assert.LessOrEqual(t, sum, len(ids)+32, as)
		}

		// Statistics that tell of other persons than there are.
		d = open()
		stats := &d.tables[Spells][0].(*parquetPart).parquet.Metadata().RowGroups[8].Columns[0].MetaData.Statistics
		if as == "numbers" {
			stats.MaxValue = binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(stats.MaxValue)-3)
		} else {
			stats.MaxValue = stats.MinValue
		}
		err := d.Observe(context.Background(), &effect.Cases{Persons: effect.NewIDs(ids...)}, nil, &noted{})
		wrong := &FileError{}
		require.ErrorAs(t, err, &wrong, as)
		require.ErrorIs(t, err, ErrCorrupt)
		assert.Equal(t, `row group 8, column "person_id"`, wrong.Where)
		for _, id := range ids {
			if s := id.String(); len(s) > 2 {
				require.NotContains(t, wrong.Where+wrong.Err.Error()+wrong.Cure, s)
			}
		}

		// None, or of no sense: every unit may hold everybody.
		for _, change := range []func(){
			func() { stats.MinValue, stats.MaxValue = nil, nil },
			func() { stats.MinValue = stats.MinValue[:0] },
		} {
			d = open()
			for u := range d.tables[Spells][0].units() {
				stats = &d.tables[Spells][0].(*parquetPart).parquet.Metadata().RowGroups[u].Columns[0].MetaData.Statistics
				change()
			}
			n = noted{}
			require.NoError(t, d.Observe(context.Background(), &effect.Cases{Persons: effect.NewIDs(ids...)}, nil, &n))
			for _, s := range n.expected {
				require.Equal(t, span{0, len(ids)}, s)
			}
		}
		// A constant is no column of the file.
		opt := DefaultOptions()
		opt.Constants = map[string]map[string]string{Spells: {"person_id": ids[7].String()}}
		d, err = OpenFolder(filepath.Dir(path), opt)
		require.NoError(t, err)
		n = noted{}
		require.NoError(t, d.Observe(context.Background(), &effect.Cases{Persons: effect.NewIDs(ids...)}, nil, &n))
		assert.Len(t, n.persons, 1000)
	}
}

// Whoever's id lies between two texts is in their span.
func TestTextSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.Map(rapid.Int64Range(-120, 1300), func(n int64) string { return strconv.FormatInt(n, 10) }),
			rapid.SampledFrom([]string{"", "0012", "012", "1a", "p1", "p2", "-", "-x", "9223372036854775807", "1234567890123456789", "-9223372036854775808", "99999999999999999999"}),
			rapid.StringMatching(`[0-9a]{1,4}`),
		)
		var ids []effect.ID
		for _, s := range rapid.SliceOfN(text, 0, 40).Draw(t, "ids") {
			if s != "" {
				ids = append(ids, effect.TextID(s))
			}
		}
		slices.SortFunc(ids, effect.ID.Compare)
		ids = slices.Compact(ids)
		least, most := text.Draw(t, "least"), text.Draw(t, "most")
		s := textSpan(least, most, effect.NewIDs(ids...))
		require.GreaterOrEqual(t, s.from, 0)
		require.LessOrEqual(t, s.from, s.to)
		require.LessOrEqual(t, s.to, len(ids))
		for i, id := range ids {
			if text := id.String(); least <= text && text <= most {
				require.True(t, s.from <= i && i < s.to, "%q..%q: %q is at %d, outside %v", least, most, text, i, s)
			}
		}
	})
}
