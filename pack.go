package jobeffekt

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// Pack is the manifest of a provider's pack: a folder or a zip file with what the
// provider's own bonus was worked out from, and nothing about another provider's
// citizens or amounts. It stands in pack.json.
type Pack struct {
	Format   int         `json:"format"`
	Provider string      `json:"provider"`
	AsOf     effect.Date `json:"as_of"`
	Standing string      `json:"standing"` // of the whole settlement
	// Settlement is the SHA-256 of the manifest of the results folder that the pack
	// was made from.
	Settlement string   `json:"settlement"`
	MinCount   int64    `json:"min_count"` // counts under this are withheld from the strata
	Terms      []string `json:"terms"`     // files of the terms, with their seals beside them
	Files      []Source `json:"files"`     // every other file
}

// PackName is the file of a pack with its manifest.
const PackName = "pack.json"

// The tables of a pack that a results folder does not have.
const (
	TablePackCases   = "cases"
	TablePackStrata  = "strata"
	TablePackMargins = "margins"
)

// ErrPack is wrapped by errors about a pack that cannot be made or read.
var ErrPack = errors.New("provider's pack")

// packCase is what became of a provider's own case under a clause.
type packCase struct {
	bonus.CaseLine
	Needed string `col:"needed" doc:"what would have made the case count; empty where it does, where no more is known, and where it hangs on a case of the citizen at another provider"`
}

// WritePack writes the pack of a provider to a new folder, or to a new zip file
// where the name ends in .zip: the provider's lines with their entries, steps and
// gates, its cases with their rules, the benchmark rows, estimates and
// diagnostics of its own cells, the classes behind its effects with counts under
// minCount withheld (0: what the run file says), its margins, the terms with their seals, and a README that
// says how to work the bonus out again. The error wraps [ErrPack] where the name
// is taken or minCount is under 0, and bonus.ErrNotFound for a provider that the
// settlement does not have.
func WritePack(ctx context.Context, folder, provider, to string, minCount int64) error {
	if minCount < 0 {
		return fmt.Errorf("%w: counts under %d cannot be withheld: give 1 or more", ErrPack, minCount)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%w: %s is there already: remove it, or give another name", ErrPack, filepath.Base(to))
	}
	files, err := packFiles(ctx, folder, provider, minCount)
	if err != nil {
		return err
	}
	if strings.EqualFold(filepath.Ext(to), ".zip") {
		return writeZip(to, files)
	}
	return writeFolder(to, files)
}

// packFile is a file of a pack.
type packFile struct {
	name    string
	content []byte
}

// packFiles are the files of a pack, in the order of their names.
func packFiles(ctx context.Context, folder, provider string, minCount int64) ([]packFile, error) {
	s, err := ReadSettlement(ctx, folder)
	if err != nil {
		return nil, err
	}
	b, err := ReadBackground(ctx, folder)
	if err != nil {
		return nil, err
	}
	if minCount == 0 {
		minCount = b.job.c.minCount()
	}
	manifest, err := hashFile(filepath.Join(folder, ManifestName), ManifestName)
	if err != nil {
		return nil, err
	}
	e, err := s.ExplainProvider(ctx, provider, b.Terms, b.Facts)
	if err != nil {
		return nil, err
	}
	own := ofProvider(s, provider, b.Facts.Observations.Cases)
	strata, err := b.allStrata(own.Lines, minCount)
	if err != nil {
		return nil, err
	}
	mine := func(c effect.Cell) bool { return c.Provider == provider }
	tables := append(settlementTables(own),
		rowTable(TableBenchmark, keep(b.Facts.Benchmark, func(r effect.BenchmarkRow) bool { return mine(r.Cell) })),
		rowTable(TableEstimates, keep(b.job.result.Estimates, func(r effect.Estimate) bool {
			return mine(r.Cell) && (r.NComparators == 0 || r.NComparators >= minCount)
		})),
		rowTable(TableDiagnostics, keep(b.Facts.Diagnostics, func(r effect.Diagnostic) bool { return mine(r.Cell) })),
		caseTable(TablePackCases, b.packCases(own), func(c packCase) string { return c.Participation }),
		rowTable(TablePackStrata, strata), rowTable(TablePackMargins, e.Margins),
	)
	var files []packFile
	for _, t := range tables {
		if t.Name == TableCaseLines {
			continue // the table cases holds the same with what was needed
		}
		for ext, write := range map[string]func(io.Writer) error{".parquet": t.WriteParquet, ".csv": t.WriteCSV} {
			var buf bytes.Buffer
			if err := write(&buf); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrPack, err)
			}
			files = append(files, packFile{t.Name + ext, buf.Bytes()})
		}
	}
	p := Pack{Format: 1, Provider: provider, AsOf: e.AsOf, Standing: s.Standing(), Settlement: manifest.SHA256, MinCount: minCount, Terms: []string{}}
	for i, t := range b.Terms {
		if !slices.ContainsFunc(own.Counts, func(c bonus.Count) bool { return c.Agreement == t.Agreement }) && !slices.ContainsFunc(own.Lines, func(l bonus.Line) bool { return l.Agreement == t.Agreement }) {
			continue
		}
		at := b.job.c.resolve(b.job.c.Terms[i])
		name := fmt.Sprintf("terms-%d.yaml", len(p.Terms)+1)
		for _, f := range [][2]string{{at, name}, {SealsName(at), SealsName(name)}} {
			src, err := readUpTo(f[0], MaxTextBytes)
			if errors.Is(err, os.ErrNotExist) && f[0] != at {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%w: terms: %w", ErrPack, err)
			}
			files = append(files, packFile{f[1], src})
		}
		p.Terms = append(p.Terms, name)
	}
	files = append(files, packFile{"provider.txt", []byte(e.String())}, packFile{"README.md", []byte(packReadme(&p, own))})
	slices.SortFunc(files, func(a, b packFile) int { return cmp.Compare(a.name, b.name) })
	for _, f := range files {
		p.Files = append(p.Files, Source{Path: f.name, Bytes: int64(len(f.content)), SHA256: sha(f.content)})
	}
	src, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	}
	return append(files, packFile{PackName, append(src, '\n')}), nil
}

// keep are the rows that are wanted, in their order.
func keep[T any](rows []T, want func(T) bool) []T {
	out := []T{}
	for _, r := range rows {
		if want(r) {
			out = append(out, r)
		}
	}
	return out
}

// ofProvider is the part of a settlement that is about one provider, and its own
// cases.
func ofProvider(s *bonus.Settlement, provider string, c *effect.Cases) *bonus.Settlement {
	cases, lines := map[string]bool{}, map[string]bool{}
	for i := range c.Len() {
		if c.Provider.At(i) == provider {
			cases[c.ID.At(int(i)).String()] = true
		}
	}
	own := &bonus.Settlement{Lines: keep(s.Lines, func(l bonus.Line) bool { return l.Provider == provider })}
	for _, l := range own.Lines {
		lines[l.ID] = true
	}
	for _, d := range s.Decisions {
		if d.Provider == provider {
			d.Best = "" // another provider, or this one
			own.Decisions = append(own.Decisions, d)
		}
	}
	own.Entries = keep(s.Entries, func(e bonus.Entry) bool { return lines[e.Line] })
	own.Steps = keep(s.Steps, func(x bonus.Step) bool { return lines[x.Line] })
	own.Gate = keep(s.Gate, func(g bonus.GateRow) bool { return lines[g.Line] })
	own.Counts = keep(s.Counts, func(c bonus.Count) bool { return c.Provider == provider })
	// A case that counts in a line of another provider is told without the line.
	for _, row := range s.Cases {
		if cases[row.Participation] {
			if !lines[row.Line] {
				row.Line = ""
			}
			own.Cases = append(own.Cases, row)
		}
	}
	return own
}

// packCases are the rules of the provider's cases with what was needed.
func (b *Background) packCases(own *bonus.Settlement) []packCase {
	reasons := bonus.NewReasons(b.Terms, b.Facts)
	reasons.Discreet = true
	out := []packCase{}
	for i := 0; i < len(own.Cases); {
		to := i
		for to < len(own.Cases) && own.Cases[to].Participation == own.Cases[i].Participation {
			to++
		}
		e := reasons.Why(bonus.CaseExplanation{Participation: own.Cases[i].Participation, Clauses: own.Cases[i:to]})
		for k, row := range e.Clauses {
			c := packCase{CaseLine: row}
			if e.Needed != nil {
				c.Needed = e.Needed[k]
			}
			out = append(out, c)
		}
		i = to
	}
	return out
}

// allStrata are the classes behind the effects among lines, with small counts
// withheld.
func (b *Background) allStrata(lines []bonus.Line, minCount int64) ([]bonus.Stratum, error) {
	out := []bonus.Stratum{}
	for i := range lines {
		strata, err := b.strata(&lines[i])
		if err != nil {
			return nil, err
		}
		out = append(out, withhold(strata, minCount)...)
	}
	return out, nil
}

// withhold takes out the strata that tell about few: fewer than so many citizens,
// comparators, or, of an outcome that is reached or not, comparators of either
// kind. What is taken out is never one stratum alone, nor ones with fewer
// comparators together, which a total would give away: the smallest of the others
// go with them.
func withhold(strata []bonus.Stratum, minCount int64) []bonus.Stratum {
	small := func(s *bonus.Stratum) bool {
		if s.N < minCount || s.NComparators < minCount {
			return true
		}
		if s.Expected < 0 || s.Expected > 1 {
			return false
		}
		reached := int64(math.Round(s.Expected * float64(s.NComparators)))
		return reached < minCount || s.NComparators-reached < minCount
	}
	var kept []bonus.Stratum
	out, comparators := 0, int64(0)
	for i := range strata {
		if small(&strata[i]) {
			out, comparators = out+1, comparators+strata[i].NComparators
		} else {
			kept = append(kept, strata[i])
		}
	}
	slices.SortStableFunc(kept, func(a, b bonus.Stratum) int { return cmp.Compare(b.NComparators, a.NComparators) })
	for len(kept) > 0 && out > 0 && (out < 2 || comparators < minCount) {
		last := kept[len(kept)-1]
		kept, out, comparators = kept[:len(kept)-1], out+1, comparators+last.NComparators
	}
	slices.SortFunc(kept, func(a, b bonus.Stratum) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Classes, b.Classes)) })
	return kept
}

// packReadme says what is in a pack and how to work it out again.
func packReadme(p *Pack, own *bonus.Settlement) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Bonus of %s, as of %s

Everything that the bonus of one provider was worked out from: %d lines, their cases,
what was measured, and the terms. Nothing in it is about another provider's citizens
or amounts. The settlement is %s.

Work it out again with

    jobeffekt verify --pack FOLDER-OR-ZIP

or by hand. Each line of settlement is

    amount = quantity x price of one x times, rounded as the terms say

- **Lines of cases.** The quantity is the sum of the line's entries in settlement_entries:
  one row for each case, with its day and how much of it counts. The price stands in the
  terms, by match group and package; times is the share, band or penalty of the clause.
- **Lines of effects.** The quantity is the limit or figure of the line's row in benchmark
  that the terms pay on, not under 0, times the cases that have comparators. It is paid
  only if every row of the line in settlement_gate is accepted: the values stand in
  diagnostics, the thresholds in the terms.
- **Lines of limits** (cap and others) take off what the limits of the terms do not leave.
- settlement_steps has every step from the count to the amount, exactly.

What rests on other providers too is given as a result: Holm's p in the gate, indicators
of gaming, who is credited for a citizen whom several had, and what is shared or limited
among all. "verify --pack" says of each line what it was worked out from.

| file | what it has |
|---|---|
| settlement, settlement_entries, settlement_steps, settlement_gate, settlement_counts | the lines, the cases behind them, the steps, the gates, and how many cases ended by which rule |
| cases | every case of the provider: whether it counted, by which rule, and what would have made it count |
| benchmark, estimates, diagnostics | the figures of the provider's cells, with what they rest on |
| strata | the provider's citizens by class beside their comparators; classes with fewer than %d citizens, comparators, or comparators of either outcome are withheld |
| margins, provider.txt | how far each line is from its thresholds, what more citizens would bring, what the limits leave |
| terms-*.yaml | the terms, and the seals beside them where there are any |
| pack.json | SHA-256 of every file, and of the manifest of the settlement |

The SHA-256 of pack.json tells one pack from another: ask for it by another way.
`, p.Provider, p.AsOf, len(own.Lines), p.Standing, p.MinCount)
	return b.String()
}

// writeFolder writes files into a new folder, whole or not at all.
func writeFolder(to string, files []packFile) (err error) {
	temp, err := whole.NewFolder(to)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPack, taken(err))
	}
	defer temp.Drop()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(temp.Path, f.name), f.content, 0o600); err != nil {
			return fmt.Errorf("%w: %w", ErrPack, whole.Cure(err, filepath.Dir(to)))
		}
	}
	if err := temp.Publish(false); err != nil {
		return fmt.Errorf("%w: %w", ErrPack, err)
	}
	return nil
}

// writeZip writes files into a new zip file, whole or not at all. It has no
// times, so that the same files make the same bytes.
func writeZip(to string, files []packFile) error {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate})
		if err == nil {
			_, err = w.Write(f.content)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPack, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("%w: %w", ErrPack, err)
	}
	if err := whole.Write(to, 0o600, b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", ErrPack, err)
	}
	return nil
}

// VerifiedPack is what came of verifying a pack.
type VerifiedPack struct {
	Pack
	SHA256      string          // of pack.json
	Differences []Difference    // files that are not as pack.json says
	Lines       []bonus.Audited // every line, worked out again
	Total       bonus.Ore       // sum of the lines
}

// Holds says whether every file is as it was and every line comes out again.
func (v *VerifiedPack) Holds() bool {
	return len(v.Differences) == 0 && !slices.ContainsFunc(v.Lines, func(a bonus.Audited) bool { return a.Differs != "" })
}

// VerifyPack reads a pack, a folder or a zip file, compares every file with its
// hash, and works every line out again from the other files: see
// [bonus.Settlement.Audit]. Lines are worked out also where files have changed, so
// that what was changed shows. The error wraps [ErrPack] where the pack cannot be
// read.
func VerifyPack(ctx context.Context, from string) (*VerifiedPack, error) {
	folder := from
	if info, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	} else if !info.IsDir() {
		var drop func() error
		if folder, drop, err = whole.Scratch("jobeffekt-pack"); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPack, err)
		}
		defer drop()
		folder = filepath.Join(folder, "pack") // beside the lock, which is no file of the pack
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPack, err)
		}
		if err := unzip(from, folder); err != nil {
			return nil, err
		}
	}
	src, err := readUpTo(filepath.Join(folder, PackName), MaxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: no %s in it: %w", ErrPack, PackName, err)
	}
	v := &VerifiedPack{SHA256: sha(src)}
	if err := json.Unmarshal(src, &v.Pack); err != nil || v.Format != 1 {
		return nil, fmt.Errorf("%w: its %s is not one this program can read", ErrPack, PackName)
	}
	if err := v.compareFiles(folder); err != nil {
		return nil, err
	}
	if err := v.compareTables(ctx, folder); err != nil {
		return nil, err
	}
	s, f := &bonus.Settlement{}, bonus.Facts{}
	for _, read := range []func() error{
		func() (err error) { s.Lines, err = readRows[bonus.Line](ctx, folder, TableSettlement); return },
		func() (err error) { s.Steps, err = readRows[bonus.Step](ctx, folder, TableSteps); return },
		func() (err error) { s.Gate, err = readRows[bonus.GateRow](ctx, folder, TableGate); return },
		func() (err error) {
			f.Benchmark, err = readRows[effect.BenchmarkRow](ctx, folder, TableBenchmark)
			return
		},
		func() (err error) {
			f.Diagnostics, err = readRows[effect.Diagnostic](ctx, folder, TableDiagnostics)
			return
		},
		func() error {
			t, err := readTable(ctx, folder, TableEntries)
			if err == nil {
				s.Entries, err = readCaseTable[bonus.Entry](t)
			}
			return err
		},
	} {
		if err := read(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPack, err)
		}
	}
	known, err := packedCases(ctx, folder)
	if err != nil {
		return nil, err
	}
	var terms []*bonus.Terms
	for _, name := range v.Terms {
		if !plainName(name) {
			return nil, fmt.Errorf("%w: %q is no name of a file in it", ErrPack, name)
		}
		t, err := ReadTerms(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPack, err)
		}
		terms = append(terms, t)
	}
	v.Lines = s.Audit(terms, f)
	for _, e := range s.Entries {
		if !known[e.Participation] {
			v.Lines = append(v.Lines, bonus.Audited{Line: e.Line, From: bonus.FromEntries, Differs: "an entry is of a case that is none of the provider's"})
		}
	}
	for i := range s.Lines {
		if s.Lines[i].Provider != v.Provider {
			v.Lines = append(v.Lines, bonus.Audited{Line: s.Lines[i].ID, From: bonus.FromLines, Differs: "it is of another provider"})
		}
		v.Total += s.Lines[i].Amount
	}
	return v, nil
}

// packedCases are the cases of a pack: all of the provider's.
func packedCases(ctx context.Context, folder string) (map[string]bool, error) {
	t, err := readTable(ctx, folder, TablePackCases)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	}
	rows, err := readCaseTable[packCase](t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	}
	known := map[string]bool{}
	for _, r := range rows {
		known[r.Participation] = true
	}
	return known, nil
}

// plainName says whether a name is that of a file in the folder itself.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && path.Base(name) == name && filepath.Base(name) == name
}

// compareFiles finds files that are not as pack.json says.
func (v *VerifiedPack) compareFiles(folder string) error {
	named := map[string]bool{PackName: true}
	for _, f := range v.Files {
		if !plainName(f.Path) {
			return fmt.Errorf("%w: %q is no name of a file in it", ErrPack, f.Path)
		}
		named[f.Path] = true
		now, err := hashFile(filepath.Join(folder, f.Path), f.Path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			v.Differences = append(v.Differences, Difference{f.Path, "missing"})
		case err != nil:
			return fmt.Errorf("%w: %w", ErrPack, err)
		case now != f:
			v.Differences = append(v.Differences, Difference{f.Path, "changed since the pack was written"})
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPack, err)
	}
	for _, e := range entries {
		if !named[e.Name()] {
			v.Differences = append(v.Differences, Difference{e.Name(), "not named in " + PackName})
		}
	}
	for _, name := range v.Terms {
		if !named[name] {
			v.Differences = append(v.Differences, Difference{name, "not named in " + PackName})
		}
	}
	return nil
}

// compareTables finds CSV files that say otherwise than the Parquet files of the same
// tables, which are what is worked out again: a reader may look at the others.
func (v *VerifiedPack) compareTables(ctx context.Context, folder string) error {
	for _, f := range v.Files {
		name, is := strings.CutSuffix(f.Path, ".csv")
		if !is {
			continue
		}
		t, err := readTable(ctx, folder, name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPack, err)
		}
		var want bytes.Buffer
		if err := t.WriteCSV(&want); err != nil {
			return fmt.Errorf("%w: %w", ErrPack, err)
		}
		now, err := hashFile(filepath.Join(folder, f.Path), f.Path)
		if errors.Is(err, os.ErrNotExist) {
			continue // told by compareFiles
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPack, err)
		}
		if now.SHA256 != sha(want.Bytes()) {
			v.Differences = append(v.Differences, Difference{f.Path, "says otherwise than " + name + ".parquet"})
		}
	}
	return nil
}

// unzip unpacks a zip file with files of plain names.
func unzip(from, folder string) error {
	z, err := zip.OpenReader(from)
	if err != nil {
		return fmt.Errorf("%w: %s is neither a folder nor a zip file: %w", ErrPack, filepath.Base(from), err)
	}
	defer z.Close()
	if len(z.File) > MaxPackFiles {
		return fmt.Errorf("%w: it has %d files, more than the %d it may have", ErrPack, len(z.File), MaxPackFiles)
	}
	left, seen := int64(MaxPackBytes), map[string]bool{}
	for _, f := range z.File {
		if !plainName(f.Name) {
			return fmt.Errorf("%w: %q in it is no name of a plain file", ErrPack, f.Name)
		}
		if seen[f.Name] {
			return fmt.Errorf("%w: %q stands twice in it", ErrPack, f.Name)
		}
		seen[f.Name] = true
		n, err := unzipFile(f, filepath.Join(folder, f.Name), left)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrPack, f.Name, err)
		}
		if left -= n; left <= 0 {
			return fmt.Errorf("%w: it unpacks to more than %d bytes", ErrPack, int64(MaxPackBytes))
		}
	}
	return nil
}

func unzipFile(f *zip.File, to string, most int64) (int64, error) {
	r, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, io.LimitReader(r, most))
	return n, errors.Join(err, w.Close())
}
