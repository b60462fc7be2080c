package jobeffekt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// spellRow is a row of spells as these tests write it.
type spellRow struct {
	Person   int64    `parquet:"person_id"`
	State    string   `parquet:"state,dict"`
	Start    int32    `parquet:"start_date,date"`
	End      *int32   `parquet:"end_date,optional,date"`
	Hours    *float64 `parquet:"hours_per_week,optional"`
	Employer string   `parquet:"employer_id,dict"`
}

// spellRows reads the spells of the demonstration.
func spellRows(t require.TestingT) []spellRow {
	table, err := ingest.ReadTable(context.Background(), filepath.Join(demo, "data", "spells", "part-00001.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	out := make([]spellRow, table.Rows())
	for i := range out {
		r := spellRow{Person: table.Column("person_id").Ints[i], State: cell(table.Column("state"), i), Start: int32(table.Column("start_date").Dates[i])}
		if end := int32(table.Column("end_date").Dates[i]); effect.Date(end) != effect.NoDate {
			r.End = &end
		}
		if hours := table.Column("hours_per_week").Floats[i]; hours >= 0 {
			r.Hours = &hours
		}
		r.Employer = cell(table.Column("employer_id"), i)
		out[i] = r
	}
	return out
}

// writeSpells writes the table spells as files of row groups of so many rows.
func writeSpells(t require.TestingT, data string, rows []spellRow, files ...[]int) {
	require.NoError(t, os.RemoveAll(filepath.Join(data, "spells")))
	require.NoError(t, os.MkdirAll(filepath.Join(data, "spells"), 0o700))
	for i, groups := range files {
		f, err := os.Create(filepath.Join(data, "spells", fmt.Sprintf("p-%03d.parquet", i)))
		require.NoError(t, err)
		w := parquet.NewGenericWriter[spellRow](f, parquet.Compression(&parquet.Zstd))
		for _, n := range groups {
			_, err := w.Write(rows[:n])
			require.NoError(t, err)
			require.NoError(t, w.Flush())
			rows = rows[n:]
		}
		require.NoError(t, w.Close())
		require.NoError(t, f.Close())
	}
	require.Empty(t, rows)
}

// inParts is the configuration with the spells in three files of four, one and three
// row groups, and one without rows; in no order, so that persons cross parts.
func inParts(t *testing.T, c *jobeffekt.Config) *jobeffekt.Config {
	t.Helper()
	rows := spellRows(t)
	r := rand.New(rand.NewPCG(5, 6))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for i := 50; i < len(rows); i += len(rows) / 7 { // some are bad
		end := rows[i].Start - 1
		rows[i].End = &end
	}
	data := t.TempDir()
	require.NoError(t, os.CopyFS(data, os.DirFS(c.Data)))
	n := len(rows)
	writeSpells(t, data, rows, []int{100, n / 4, 7, n / 5}, []int{n / 10}, []int{}, []int{1, n/10 + 3, n - 100 - n/4 - 7 - n/5 - n/10 - 1 - n/10 - 3})
	other := *c
	other.Data = data
	return &other
}

// mapAll maps each piece of parts to a partial of its own.
func mapAll(t require.TestingT, c *jobeffekt.Config, folder string, pieces ...[]jobeffekt.Part) (out []string) {
	for i, parts := range pieces {
		to := filepath.Join(folder, fmt.Sprintf("%d.partial", i))
		_, err := jobeffekt.MapParts(context.Background(), c, parts, to)
		require.NoError(t, err)
		out = append(out, to)
	}
	return out
}

// folderOf is what a results folder holds, the manifest too.
func folderOf(t require.TestingT, c *jobeffekt.Config) map[string]string {
	out := map[string]string{}
	entries, err := os.ReadDir(c.ResultsFolder())
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() == jobeffekt.LockName {
			continue
		}
		b, err := os.ReadFile(filepath.Join(c.ResultsFolder(), e.Name()))
		require.NoError(t, err)
		out[e.Name()] = string(b)
	}
	return out
}

func sameResults(t require.TestingT, want, got map[string]string) {
	for name, b := range want {
		require.True(t, got[name] == b, "%s differs", name)
	}
	require.Len(t, got, len(want))
}

// split is a way to observe eight row groups in parts.
type split struct {
	pieces [][]jobeffekt.Part // each for a map
	tree   []int              // how many of those that are left are merged at a time, before the reduce
}

// splits draws one, given all row groups.
func splits(all []jobeffekt.Part) *rapid.Generator[split] {
	return rapid.Custom(func(t *rapid.T) split {
		var s split
		s.pieces = make([][]jobeffekt.Part, rapid.IntRange(1, len(all)).Draw(t, "maps"))
		for _, p := range rapid.Permutation(all).Draw(t, "order of parts") {
			k := rapid.IntRange(0, len(s.pieces)-1).Draw(t, "map")
			s.pieces[k] = append(s.pieces[k], p)
		}
		s.pieces = slices.DeleteFunc(s.pieces, func(p []jobeffekt.Part) bool { return len(p) == 0 })
		for left := len(s.pieces); left > 1 && rapid.Bool().Draw(t, "merge"); {
			k := rapid.IntRange(1, left).Draw(t, "together")
			s.tree = append(s.tree, k)
			left -= k - 1
		}
		return s
	})
}

// Any split of spells, merged in any tree, gives the bytes of one run: of every table
// and of the manifest. Partials of the same parts are the same bytes, however they came
// about.
func TestReduceEqualsMeasure(t *testing.T) {
	t.Parallel()
	c := inParts(t, job(t))
	checkSplits(t, c, 8)
	got := folderOf(t, c)
	require.Contains(t, got, "cells.parquet")
	require.Contains(t, got["rejects.csv"], "spells/p-003.parquet")

	// The other steps go on from a reduce, to the bytes of one run.
	for _, s := range []jobeffekt.Step{jobeffekt.StepEstimate, jobeffekt.StepBenchmark, jobeffekt.StepSettle} {
		_, err := jobeffekt.RunStep(context.Background(), c, s)
		require.NoError(t, err)
	}
	whole := *c
	whole.Out = t.TempDir()
	_, err := jobeffekt.Run(context.Background(), &whole)
	require.NoError(t, err)
	assert.Equal(t, results(t, &whole), results(t, c))
	differences, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, differences)
}

// The same with everything that is observed: hours, kroner, own employers, dated weeks, and
// the people without an offer beside the cases.
func TestReduceEqualsMeasureOfEverything(t *testing.T) {
	t.Parallel()
	c := everyOutcome(t, "also: [own_projects]", "also: [own_projects, without_offer]", "formats: [csv]", "", "period: 2008", "period: 2008-09")
	c.Data = withCaseload(t, c.Data)
	c = inParts(t, c)
	checkSplits(t, c, 3)
	require.Contains(t, folderOf(t, c), "controls.parquet")
}

// checkSplits draws so many splits. What the last reduce made stays in the results folder.
func checkSplits(t *testing.T, c *jobeffekt.Config, n int) {
	t.Helper()
	_, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepMeasure)
	require.NoError(t, err)
	want := folderOf(t, c)
	groups, err := jobeffekt.Parts(context.Background(), c, 1)
	require.NoError(t, err)
	require.Len(t, groups, 9)
	whole := readFile(t, mapAll(t, c, t.TempDir(), groups)[0])
	for i := range n {
		s := splits(groups).Example(i)
		folder := t.TempDir()
		partials := mapAll(t, c, folder, s.pieces...)
		for k, n := range s.tree {
			to := filepath.Join(folder, fmt.Sprintf("merged-%d.partial", k))
			_, err := jobeffekt.MergePartials(context.Background(), c, partials[:n], to)
			require.NoError(t, err)
			partials = append(partials[n:], to)
		}
		require.NoError(t, os.RemoveAll(c.ResultsFolder()))
		_, err = jobeffekt.Reduce(context.Background(), c, partials)
		require.NoError(t, err)
		sameResults(t, want, folderOf(t, c))

		last := filepath.Join(folder, "last.partial")
		_, err := jobeffekt.MergePartials(context.Background(), c, partials, last)
		require.NoError(t, err)
		require.True(t, bytes.Equal(whole, readFile(t, last)), "split %d: %v", i, s)
	}
}

// wrong is what a reduce says is wrong with partials.
func wrong(t require.TestingT, c *jobeffekt.Config, partials ...string) []jobeffekt.PartialProblem {
	_, err := jobeffekt.Reduce(context.Background(), c, partials)
	var e *jobeffekt.PartialError
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, jobeffekt.ErrPartial)
	require.NoFileExists(t, filepath.Join(c.ResultsFolder(), jobeffekt.ManifestName))
	for _, p := range e.Problems {
		require.NotEmpty(t, p.Why)
		require.NotEmpty(t, p.Cure)
	}
	return e.Problems
}

// parts reads names of parts.
func parts(t require.TestingT, names ...string) (out []jobeffekt.Part) {
	for _, n := range names {
		p, err := jobeffekt.ParsePart(n)
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}

// faults are the faults with what they are about, base names of partials.
func faults(problems []jobeffekt.PartialProblem) (out []string) {
	for _, p := range problems {
		at := []string{string(p.Fault)}
		if p.Partial != "" {
			at = append(at, filepath.Base(p.Partial))
		}
		if p.Part != "" {
			at = append(at, p.Part)
		}
		out = append(out, strings.Join(at, ": "))
	}
	return out
}

// forge changes bytes of a partial and signs it anew.
func forge(t require.TestingT, from, to string, change func([]byte) []byte) {
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	const end = "\nend of partial\n"
	body := change(bytes.Clone(b[:len(b)-32-len(end)]))
	sum := sha256.Sum256(body)
	require.NoError(t, os.WriteFile(to, append(append(body, sum[:]...), end...), 0o600))
}

// Everything that does not belong together is refused by name, and all at once.
func TestPartialsThatDoNotBelong(t *testing.T) {
	c := inParts(t, job(t, "formats: [csv]", ""))
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	made := mapAll(t, c, folder, parts(t, "spells/p-000.parquet#0-2"), parts(t, "spells/p-000.parquet#2-4"),
		parts(t, "spells/p-001.parquet", "spells/p-002.parquet", "spells/p-003.parquet"), parts(t, "spells/p-000.parquet#1-3"))
	a, b, rest, over := made[0], made[1], made[2], made[3]
	copied := file("copy.partial")
	text, err := os.ReadFile(b)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(copied, text, 0o600))

	check := func(c *jobeffekt.Config, want []string, partials ...string) {
		t.Helper()
		assert.Equal(t, want, faults(wrong(t, c, partials...)))
	}
	check(c, []string{"missing"})
	check(c, []string{"missing: spells/p-000.parquet#2-4"}, rest, a)
	check(c, []string{"missing: spells/p-000.parquet#0-2", "missing: spells/p-001.parquet#0-1", "missing: spells/p-002.parquet", "missing: spells/p-003.parquet#0-3"}, b)
	check(c, []string{"twice: 1.partial"}, a, b, rest, b)
	check(c, []string{"twice: copy.partial: spells/p-000.parquet#2-4"}, a, b, rest, copied)
	check(c, []string{"twice: 3.partial: spells/p-000.parquet#1-2", "twice: 1.partial: spells/p-000.parquet#2-3"}, a, rest, over, file("1.partial"))

	// Another day, another run file, other tables.
	day := *c
	day.AsOf++
	check(&day, []string{"other as_of: 0.partial", "other as_of: 1.partial", "other as_of: 2.partial"}, a, b, rest)
	src, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file("other.yaml"), append(src, "\n# another\n"...), 0o600))
	require.NoError(t, os.WriteFile(file("terms.yaml"), readFile(t, filepath.Join(filepath.Dir(c.Path), "terms.yaml")), 0o600))
	other, err := jobeffekt.LoadConfig(file("other.yaml"))
	require.NoError(t, err)
	other.Data = c.Data
	check(other, []string{"other run file: 0.partial", "other run file: 1.partial", "other run file: 2.partial"}, a, b, rest)
	moved := *c
	moved.Data = changed(t, c.Data, "participations", func(table *ingest.Table) { table.Column("referral_date").Dates[0]-- })
	problems := wrong(t, &moved, a, b, rest)
	assert.Equal(t, []string{"other inputs: 0.partial", "other inputs: 1.partial", "other inputs: 2.partial"}, faults(problems))
	assert.Contains(t, problems[0].Why, "participations/part-00001.parquet")

	// Another program, another format, a header that claims too much.
	forge(t, b, file("program.partial"), func(b []byte) []byte {
		at := bytes.Index(b, []byte(`"build":"`)) + len(`"build":"`)
		b[at] ^= 1
		return b
	})
	check(c, []string{"other program: program.partial"}, a, file("program.partial"), rest)
	forge(t, b, file("format.partial"), func(b []byte) []byte { b[len("jobeffekt partial\n")]++; return b })
	check(c, []string{"not a partial: format.partial"}, a, file("format.partial"), rest)
	forge(t, b, file("terabytes.partial"), func(b []byte) []byte {
		binary.LittleEndian.PutUint64(b[len("jobeffekt partial\n")+8:], 1<<42)
		return b
	})
	check(c, []string{"damaged: terabytes.partial"}, a, file("terabytes.partial"), rest)
	require.NoError(t, os.WriteFile(file("empty.partial"), nil, 0o600))
	require.NoError(t, os.WriteFile(file("short.partial"), text[:len(text)/2], 0o600))
	damaged := bytes.Clone(text)
	damaged[len(damaged)/2] ^= 4
	require.NoError(t, os.WriteFile(file("damaged.partial"), damaged, 0o600))
	check(c, []string{
		"not a partial: empty.partial", "cut short: short.partial", "damaged: damaged.partial", "cannot be read: none.partial",
		"cannot be read: " + filepath.Base(folder), "not a partial: other.yaml",
	}, a, file("empty.partial"), file("short.partial"), file("damaged.partial"), file("none.partial"), folder, file("other.yaml"))

	// Days that are signed but no days.
	forge(t, b, file("more.partial"), func(b []byte) []byte { return append(b, 0) })
	check(c, []string{"damaged: more.partial"}, a, file("more.partial"), rest)
	forge(t, b, file("less.partial"), func(b []byte) []byte { return b[:len(b)-1] })
	check(c, []string{"damaged: less.partial"}, a, file("less.partial"), rest)

	// The parts themselves.
	_, err = jobeffekt.MapParts(context.Background(), c, parts(t, "spells/p-000.parquet#3-5", "spells/none.parquet", "spells/p-001.parquet", "spells/p-001.parquet#0-1", "spells/p-002.parquet#1-2"), file("none.partial"))
	var e *jobeffekt.PartialError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, []string{
		"unknown part: spells/p-000.parquet#3-5", "unknown part: spells/none.parquet", "unknown part: spells/p-002.parquet#1-2", "twice: spells/p-001.parquet#0-1",
	}, faults(e.Problems))
	assert.NoFileExists(t, file("none.partial"))
	_, err = jobeffekt.Reduce(context.Background(), c, nil)
	require.ErrorContains(t, err, "\n  missing: no partial is given")

	// Neither into the data nor over something else.
	for _, to := range []string{filepath.Join(c.Data, "spells", "x.partial"), file("other.yaml"), folder} {
		_, err = jobeffekt.MapParts(context.Background(), c, parts(t, "spells/p-001.parquet"), to)
		assert.ErrorIs(t, err, jobeffekt.ErrPartial, to)
	}
	blinded := *c
	blinded.Blinded = true
	_, err = jobeffekt.Reduce(context.Background(), &blinded, made[:3])
	assert.ErrorIs(t, err, jobeffekt.ErrConfig)
	_, err = jobeffekt.MapParts(context.Background(), &blinded, parts(t, "spells/p-001.parquet"), file("none.partial"))
	assert.ErrorIs(t, err, jobeffekt.ErrConfig)

	// And what belongs together is reduced, in any order.
	_, err = jobeffekt.Reduce(context.Background(), c, []string{rest, b, a})
	require.NoError(t, err)
}

func readFile(t require.TestingT, path string) []byte {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// A file of spells that is not what it was when it was mapped.
func TestPartThatChanged(t *testing.T) {
	c := inParts(t, job(t, "formats: [csv]", ""))
	folder := t.TempDir()
	made := mapAll(t, c, folder, parts(t, "spells/p-000.parquet#0-2"), parts(t, "spells/p-001.parquet", "spells/p-002.parquet", "spells/p-003.parquet"))
	path := filepath.Join(c.Data, "spells", "p-000.parquet")
	was := readFile(t, path)

	// A byte of a page changes before the other part is mapped: of the hours of the last
	// row that has them, which neither the size nor the footer tells.
	f, err := parquet.OpenFile(bytes.NewReader(was), int64(len(was)))
	require.NoError(t, err)
	pages := f.Metadata().RowGroups[3].Columns[4].MetaData
	now := bytes.Clone(was)
	now[pages.DataPageOffset+pages.TotalCompressedSize-9] ^= 1
	require.NoError(t, os.WriteFile(path, now, 0o600))
	late := filepath.Join(folder, "late.partial")
	_, err = jobeffekt.MapParts(context.Background(), c, parts(t, "spells/p-000.parquet#2-4"), late)
	require.NoError(t, err)
	assert.Equal(t, []string{"part changed: late.partial: spells/p-000.parquet#3-4"}, faults(wrong(t, c, append(made, late)...)))
	_, err = jobeffekt.MergePartials(context.Background(), c, []string{late, made[0]}, filepath.Join(folder, "merged.partial"))
	require.ErrorIs(t, err, jobeffekt.ErrPartial)

	// The size, and the footer.
	require.NoError(t, os.WriteFile(path, was, 0o600))
	rows := spellRows(t)
	writeSpells(t, c.Data, rows, []int{len(rows)})
	problems := wrong(t, c, append(made, late)...)
	assert.Equal(t, []string{
		"part changed: 0.partial: spells/p-000.parquet", "unknown part: 1.partial: spells/p-001.parquet", "unknown part: 1.partial: spells/p-002.parquet",
		"unknown part: 1.partial: spells/p-003.parquet", "part changed: late.partial: spells/p-000.parquet",
	}, faults(problems))
}

// Rejected rows and unmapped codes are judged over all parts, as one run judges them.
func TestReduceJudgesRows(t *testing.T) {
	c := inParts(t, job(t, "formats: [csv]", "", "\ninput:\n", "\ninput:\n  max_reject_share: 0.00001\n"))
	_, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepMeasure)
	require.ErrorIs(t, err, ingest.ErrTooManyRejects)
	want, text := folderOf(t, c), err.Error()
	require.Contains(t, want, "rejects.parquet")
	require.NoError(t, os.RemoveAll(c.ResultsFolder()))
	groups, err := jobeffekt.Parts(context.Background(), c, 2)
	require.NoError(t, err)
	partials := mapAll(t, c, t.TempDir(), groups[1:], groups[:1])
	_, err = jobeffekt.Reduce(context.Background(), c, partials)
	require.ErrorIs(t, err, ingest.ErrTooManyRejects)
	assert.Equal(t, text, err.Error())
	sameResults(t, want, folderOf(t, c))

	c = inParts(t, job(t, "formats: [csv]", ""))
	rows := spellRows(t)
	for i := 0; i < len(rows); i += 1000 {
		rows[i].State = fmt.Sprintf("code %d", i%3)
	}
	writeSpells(t, c.Data, rows, []int{1500, len(rows) - 1500})
	_, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepMeasure)
	var one, reduced *ingest.UnmappedStatesError
	require.ErrorAs(t, err, &one)
	partials = mapAll(t, c, t.TempDir(), parts(t, "spells/p-000.parquet#1-2"), parts(t, "spells/p-000.parquet#0-1"))
	_, err = jobeffekt.Reduce(context.Background(), c, partials)
	require.ErrorAs(t, err, &reduced)
	assert.Equal(t, one, reduced)
}

func TestParts(t *testing.T) {
	c := inParts(t, job(t))
	names := func(groups int) (out []string) {
		list, err := jobeffekt.Parts(context.Background(), c, groups)
		require.NoError(t, err)
		for _, p := range list {
			out = append(out, p.String())
		}
		return out
	}
	assert.Equal(t, []string{"spells/p-000.parquet#0-4", "spells/p-001.parquet#0-1", "spells/p-002.parquet", "spells/p-003.parquet#0-3"}, names(0))
	assert.Equal(t, []string{
		"spells/p-000.parquet#0-3", "spells/p-000.parquet#3-4", "spells/p-001.parquet#0-1", "spells/p-002.parquet", "spells/p-003.parquet#0-3",
	}, names(3))
	for _, text := range []string{"a#b.parquet#0-4", "spells.parquet#7-", "spells.parquet", "x#0-1"} {
		p, err := jobeffekt.ParsePart(text)
		require.NoError(t, err)
		assert.Equal(t, text, p.String())
	}
	for _, text := range []string{"", "#0-4", "a#", "a#1", "a#-1-2", "a#2-2", "a#3-2", "a#x-2", "a#1-x", "../a", "/a", "a/../b", "a//b", "a#99999999999999999999-"} {
		_, err := jobeffekt.ParsePart(text)
		assert.Error(t, err, text)
	}
}
