package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

// arrangeTo writes the citizens' tables of a dataset anew, on pages of some rows.
func arrangeTo(t require.TestingT, d *Dataset, dir string, page int, rows, group int64) {
	a, err := d.Arrange(context.Background(), parquet.NewFileBufferPool(dir, ".sort-*"))
	require.NoError(t, err)
	a.page, a.rows, a.group = page, rows, group
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
	require.Greater(t, passedOver, 50)
	require.Greater(t, clustered, 30)
}
