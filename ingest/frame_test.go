package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// idRow is a participation whose identifiers have a type of their own.
type idRow[T any] struct {
	ID       *T     `parquet:"participation_id,optional"`
	Person   *T     `parquet:"person_id,optional"`
	City     int32  `parquet:"municipality"`
	Scheme   string `parquet:"match_scheme,dict"`
	Group    string `parquet:"match_group,dict"`
	Referral int32  `parquet:"referral_date,date"`
}

// Identifiers of every type, at the ends of the numbers and among those that stand
// for codes, are read as a map of them would hold them: in order, each once.
func TestIdentifiersAreReadAsAMapHoldsThem(t *testing.T) {
	dir := t.TempDir()
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 7, firstCode - 1, firstCode, firstCode + 1, math.MaxInt64 - 1, math.MaxInt64}
	t.Run("int64", func(t *testing.T) {
		identifiers(t, dir, rapid.SampledFrom(edges), effect.NumberID)
	})
	t.Run("ascending int64", func(t *testing.T) {
		next := int64(-40)
		identifiers(t, dir, rapid.Custom(func(t *rapid.T) int64 {
			next += rapid.Int64Range(1, 3).Draw(t, "step")
			return next
		}), effect.NumberID)
	})
	t.Run("int32", func(t *testing.T) {
		identifiers(t, dir, rapid.SampledFrom([]int32{math.MinInt32, -1, 0, 7, math.MaxInt32}), func(n int32) effect.ID { return effect.NumberID(int64(n)) })
	})
	t.Run("uint32", func(t *testing.T) {
		identifiers(t, dir, rapid.SampledFrom([]uint32{0, 7, math.MaxInt32, math.MaxUint32}), func(n uint32) effect.ID { return effect.NumberID(int64(n)) })
	})
	t.Run("uint64", func(t *testing.T) {
		identifiers(t, dir, rapid.SampledFrom([]uint64{0, 7, firstCode, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}), func(n uint64) effect.ID {
			return effect.TextID(strconv.FormatUint(n, 10))
		})
	})
	t.Run("text", func(t *testing.T) {
		texts := []string{"a", "b", "007", "-0", "18446744073709551615", "9223372036854775808", " 7"}
		for _, n := range edges {
			texts = append(texts, strconv.FormatInt(n, 10))
		}
		identifiers(t, dir, rapid.SampledFrom(texts), effect.TextID)
	})
}

func identifiers[T any](t *testing.T, dir string, value *rapid.Generator[T], of func(T) effect.ID) {
	rapid.Check(t, func(rt *rapid.T) {
		optional := rapid.Custom(func(t *rapid.T) *T {
			if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
				return nil
			}
			return new(value.Draw(t, "id"))
		})
		var rows []idRow[T]
		for range rapid.IntRange(1, 150).Draw(rt, "rows") {
			rows = append(rows, idRow[T]{optional.Draw(rt, "participation"), optional.Draw(rt, "person"), 101, "s", rapid.SampledFrom([]string{"1", "1", "1", "2"}).Draw(rt, "group"), 13000})
		}
		writeRows(t, filepath.Join(dir, "participations.parquet"), rows)
		opt := DefaultOptions()
		opt.MaxRejectShare = 1
		d, err := OpenFolder(dir, opt)
		require.NoError(rt, err)
		c, err := d.Cases(context.Background())
		require.NoError(rt, err)

		type content struct {
			person effect.ID
			group  string
		}
		held, clash, persons := map[effect.ID][]content{}, map[effect.ID]bool{}, map[effect.ID]bool{}
		rejected := int64(0)
		for _, r := range rows {
			if r.ID == nil || r.Person == nil {
				rejected++
				continue
			}
			id, is := of(*r.ID), content{of(*r.Person), r.Group}
			clash[id] = clash[id] || len(held[id]) > 0 && held[id][0] != is
			held[id] = append(held[id], is)
		}
		var want []string
		ids := make([]effect.ID, 0, len(held))
		for id, of := range held {
			if clash[id] {
				rejected += int64(len(of))
				continue
			}
			ids = append(ids, id)
			persons[of[0].person] = true
		}
		slices.SortFunc(ids, effect.ID.Compare)
		for _, id := range ids {
			want = append(want, fmt.Sprint(id, held[id][0]))
		}
		var got []string
		for i, id := range c.ID.All() {
			got = append(got, fmt.Sprint(id, content{c.Persons.At(int(c.Person[i])), c.MatchGroup.At(i)}))
		}
		require.Equal(rt, want, got)
		require.Equal(rt, len(persons), c.Persons.Len())
		for p := 1; p < c.Persons.Len(); p++ {
			require.Negative(rt, c.Persons.Compare(p-1, p))
		}
		require.Equal(rt, rejected, counted(d, Participations)["rejected"])
	})
}

// A file that claims rows which it does not have takes no memory for them.
func TestClaimedRowsTakeNoMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.parquet")
	writeRows(t, file, goodParticipations())
	load := func(rows int64) error {
		at, name := local(file)
		p, err := openParquet(at, name, DefaultLimits())
		require.NoError(t, err)
		p.rows[0] = rows
		for i := range p.parquet.Metadata().RowGroups[0].Columns {
			p.parquet.Metadata().RowGroups[0].Columns[i].MetaData.NumValues = rows
		}
		d := NewDataset(testOptions())
		d.tables[Participations] = []part{p}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = d.load(context.Background(), Participations, nil, nil)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		return err
	}
	require.NoError(t, load(3))
	for rows, want := range map[int64]error{1 << 30: ErrLimit, math.MaxInt32 + 1: ErrLimit, math.MaxInt64: ErrLimit} {
		err := load(rows)
		require.ErrorIs(t, err, want)
		_, ok := errors.AsType[*FileError](err)
		require.True(t, ok)
	}
}
