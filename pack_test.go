package jobeffekt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// named is the dataset with participation ids that can be told from any number,
// and the provider of each.
func named(t *testing.T, data string) (folder string, provider map[string]string) {
	t.Helper()
	out := t.TempDir()
	require.NoError(t, os.CopyFS(out, os.DirFS(data)))
	paths, err := filepath.Glob(filepath.Join(out, "participations*"))
	require.NoError(t, err)
	if info, err := os.Stat(paths[0]); err == nil && info.IsDir() {
		paths, err = filepath.Glob(filepath.Join(paths[0], "*.parquet"))
		require.NoError(t, err)
	}
	provider = map[string]string{}
	for _, path := range paths {
		table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
		require.NoError(t, err)
		id, by := table.Column("participation_id"), table.Column("provider_id")
		texts := make([]string, len(id.Ints))
		for i, n := range id.Ints {
			texts[i] = fmt.Sprintf("case%06dx", n)
			if by.Factor != nil {
				provider[texts[i]] = by.Factor.At(i)
			} else {
				provider[texts[i]] = by.Texts[i]
			}
		}
		*id = ingest.Column{Name: id.Name, Doc: id.Doc, Texts: texts}
		var b bytes.Buffer
		require.NoError(t, table.WriteParquet(&b))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	}
	return out, provider
}

func TestProvidersPack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := job(t)
	var owner map[string]string
	c.Data, owner = named(t, c.Data)
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	// The run file says where the data are, relative to itself.
	providers := map[string]bool{}
	for _, p := range owner {
		if p != "" {
			providers[p] = true
		}
	}
	require.Greater(t, len(providers), 5)
	for _, provider := range []string{"L751-1", "L751-2"} {
		to := filepath.Join(t.TempDir(), "pack")
		require.NoError(t, jobeffekt.WritePack(ctx, c.ResultsFolder(), provider, to, jobeffekt.DefaultMinCount))
		v, err := jobeffekt.VerifyPack(ctx, to)
		require.NoError(t, err)
		require.Empty(t, v.Differences)
		total := bonus.Ore(0)
		for _, l := range r.Settlement.Lines {
			if l.Provider == provider {
				total += l.Amount
			}
		}
		require.Positive(t, total)
		require.Equal(t, total, v.Total)
		require.True(t, v.Holds(), v.Lines)

		// Nothing of another provider: no id, no case, in any file, as text or in a table.
		entries, err := os.ReadDir(to)
		require.NoError(t, err)
		seen := 0
		for _, e := range entries {
			path := filepath.Join(to, e.Name())
			text := string(read(t, path))
			if strings.HasSuffix(path, ".parquet") {
				table, err := ingest.ReadTable(ctx, path, ingest.DefaultLimits())
				require.NoError(t, err)
				require.Nil(t, table.Column("person_id"), e.Name())
				var b bytes.Buffer
				require.NoError(t, table.WriteCSV(&b))
				text = b.String()
			}
			for other := range providers {
				if other != provider {
					require.NotContains(t, text, other, e.Name())
				}
			}
			for id, of := range owner {
				if of == provider {
					seen += strings.Count(text, id)
				} else if strings.Contains(text, id) {
					t.Fatalf("%s holds a case of another provider", e.Name())
				}
			}
		}
		require.Positive(t, seen, "its own cases are there")

		again := filepath.Join(t.TempDir(), "pack.zip")
		require.NoError(t, jobeffekt.WritePack(ctx, c.ResultsFolder(), provider, again, jobeffekt.DefaultMinCount))
		z, err := jobeffekt.VerifyPack(ctx, again)
		require.NoError(t, err)
		require.Equal(t, v.SHA256, z.SHA256, "a folder and a zip file of the same pack")
	}
	withheld(t, c.ResultsFolder())
	forgedPacks(t, c.ResultsFolder())

	require.ErrorIs(t, jobeffekt.WritePack(ctx, c.ResultsFolder(), "L751-1", t.TempDir(), 5), jobeffekt.ErrPack, "a folder that is there")
	require.ErrorIs(t, jobeffekt.WritePack(ctx, c.ResultsFolder(), "L751-1", filepath.Join(t.TempDir(), "p"), -1), jobeffekt.ErrPack)
	nobody := filepath.Join(t.TempDir(), "p")
	require.ErrorIs(t, jobeffekt.WritePack(ctx, c.ResultsFolder(), "nobody", nobody, 5), bonus.ErrNotFound)
	require.NoDirExists(t, nobody)
	_, err = jobeffekt.VerifyPack(ctx, c.ResultsFolder())
	require.ErrorIs(t, err, jobeffekt.ErrPack, "a results folder is no pack")
	_, err = jobeffekt.VerifyPack(ctx, filepath.Join(c.ResultsFolder(), "summary.txt"))
	require.ErrorIs(t, err, jobeffekt.ErrPack)
}

// forgedPacks changes files of a pack, first without and then with the hashes in
// pack.json made to fit.
func forgedPacks(t *testing.T, results string) {
	t.Helper()
	ctx := context.Background()
	fresh := func() string {
		to := filepath.Join(t.TempDir(), "pack")
		require.NoError(t, jobeffekt.WritePack(ctx, results, "L751-2", to, jobeffekt.DefaultMinCount))
		return to
	}
	edit := func(folder, name string, change func(*ingest.Table)) {
		path := filepath.Join(folder, name)
		table, err := ingest.ReadTable(ctx, path, ingest.DefaultLimits())
		require.NoError(t, err)
		change(table)
		var b bytes.Buffer
		require.NoError(t, table.WriteParquet(&b))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		b.Reset()
		require.NoError(t, table.WriteCSV(&b))
		require.NoError(t, os.WriteFile(strings.TrimSuffix(path, ".parquet")+".csv", b.Bytes(), 0o600))
	}
	rehash := func(folder string) {
		var p jobeffekt.Pack
		require.NoError(t, json.Unmarshal(read(t, filepath.Join(folder, jobeffekt.PackName)), &p))
		for i, f := range p.Files {
			p.Files[i] = source(t, filepath.Join(folder, f.Path), f.Path)
		}
		b, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, jobeffekt.PackName), b, 0o600))
	}
	for what, change := range map[string]func(folder string){
		"an amount": func(f string) {
			edit(f, "settlement.parquet", func(t *ingest.Table) { t.Column("amount_ore").Ints[0]++ })
		},
		"an entry": func(f string) {
			edit(f, "settlement_entries.parquet", func(t *ingest.Table) {
				q := t.Column("quantity")
				q.Texts = make([]string, t.Rows())
				for i := range q.Texts {
					q.Texts[i] = "1"
				}
				q.Texts[0], q.Factor = "2", nil
			})
		},
		"the case of an entry": func(f string) {
			edit(f, "settlement_entries.parquet", func(t *ingest.Table) {
				id := t.Column("participation_id")
				if id.Factor != nil {
					id.Texts = make([]string, t.Rows())
					for i := range id.Texts {
						id.Texts[i] = id.Factor.At(i)
					}
					id.Factor = nil
				}
				id.Texts[0] = "somebody"
			})
		},
		"a figure": func(f string) {
			edit(f, "benchmark.parquet", func(t *ingest.Table) {
				for i := range t.Column("low").Floats {
					t.Column("low").Floats[i] += 0.05
				}
			})
		},
		"the gate": func(f string) {
			edit(f, "settlement_gate.parquet", func(t *ingest.Table) { t.Column("threshold").Floats[0]-- })
		},
		"the terms": func(f string) {
			path := filepath.Join(f, "terms-1.yaml")
			require.NoError(t, os.WriteFile(path, bytes.Replace(read(t, path), []byte("amount: 4000"), []byte("amount: 4001"), 1), 0o600))
		},
	} {
		folder := fresh()
		change(folder)
		v, err := jobeffekt.VerifyPack(ctx, folder)
		require.NoError(t, err, what)
		require.False(t, v.Holds(), what)
		require.NotEmpty(t, v.Differences, "%s: the file is told", what)
		rehash(folder)
		v, err = jobeffekt.VerifyPack(ctx, folder)
		require.NoError(t, err, what)
		require.Empty(t, v.Differences, what)
		require.False(t, v.Holds(), "%s: the line does not come out, whatever the hashes say", what)
	}
	// A CSV file that says otherwise than what is worked out again.
	folder := fresh()
	path := filepath.Join(folder, "settlement.csv")
	lines := read(t, path)
	require.NoError(t, os.WriteFile(path, lines[:bytes.LastIndexByte(lines[:len(lines)-1], '\n')+1], 0o600))
	rehash(folder)
	v, err := jobeffekt.VerifyPack(ctx, folder)
	require.NoError(t, err)
	require.False(t, v.Holds())
	require.Equal(t, []jobeffekt.Difference{{Path: "settlement.csv", What: "says otherwise than settlement.parquet"}}, v.Differences)

	folder = fresh()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "extra.csv"), []byte("x"), 0o600))
	require.NoError(t, os.Remove(filepath.Join(folder, "README.md")))
	v, err = jobeffekt.VerifyPack(ctx, folder)
	require.NoError(t, err)
	require.Equal(t, []jobeffekt.Difference{{Path: "README.md", What: "missing"}, {Path: "extra.csv", What: "not named in pack.json"}}, v.Differences)

	// A name that leads out of the pack is refused.
	path = filepath.Join(folder, jobeffekt.PackName)
	require.NoError(t, os.WriteFile(path, bytes.Replace(read(t, path), []byte(`"terms-1.yaml"`), []byte(`"../terms.yaml"`), 1), 0o600))
	_, err = jobeffekt.VerifyPack(ctx, folder)
	require.ErrorIs(t, err, jobeffekt.ErrPack)
}

func source(t *testing.T, file, name string) jobeffekt.Source {
	t.Helper()
	b := read(t, file)
	return jobeffekt.Source{Path: name, Bytes: int64(len(b)), SHA256: fmt.Sprintf("%x", sha256.Sum256(b))}
}

// withheld: no class in a pack tells of few, and what was left out is never one
// class alone, nor classes with few comparators together.
func withheld(t *testing.T, results string) {
	t.Helper()
	ctx := context.Background()
	s, err := jobeffekt.ReadSettlement(ctx, results)
	require.NoError(t, err)
	b, err := jobeffekt.ReadBackground(ctx, results)
	require.NoError(t, err)
	gone := 0
	for _, least := range []int64{5, 10} {
		to := filepath.Join(t.TempDir(), "pack")
		require.NoError(t, jobeffekt.WritePack(ctx, results, "L751-2", to, least))
		table, err := ingest.ReadTable(ctx, filepath.Join(to, "strata.parquet"), ingest.DefaultLimits())
		require.NoError(t, err)
		kept, err := ingest.ToRows[bonus.Stratum](table)
		require.NoError(t, err)
		require.NotEmpty(t, kept)
		in := map[string]bonus.Stratum{}
		for _, x := range kept {
			require.GreaterOrEqual(t, x.N, least)
			require.GreaterOrEqual(t, x.NComparators, least)
			reached := math.Round(x.Expected * float64(x.NComparators))
			require.GreaterOrEqual(t, reached, float64(least))
			require.GreaterOrEqual(t, float64(x.NComparators)-reached, float64(least))
			in[x.Line+x.Classes] = x
		}
		for _, l := range s.Lines {
			if l.Provider != "L751-2" || l.Municipality == "" {
				continue
			}
			e, err := b.ExplainLine(s, l.ID)
			require.NoError(t, err)
			require.NotEmpty(t, e.Strata)
			n, out, comparators := int64(0), 0, int64(0)
			for _, x := range e.Strata {
				n += x.N
				if y, ok := in[x.Line+x.Classes]; ok {
					require.Equal(t, x, y)
					continue
				}
				out, comparators = out+1, comparators+x.NComparators
			}
			require.Equal(t, l.Cases, n, "the classes are all citizens of the line")
			require.True(t, out == 0 || out > 1 && comparators >= least, l.ID)
			gone += out
		}
	}
	require.Positive(t, gone)
}
