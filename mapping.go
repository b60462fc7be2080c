package jobeffekt

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// mapping is a dataset whose spells are observed in parts.
type mapping struct {
	c     *Config
	read  *Config // as the step measure sees it
	data  *ingest.Dataset
	files []ingest.SpellFile
	paths []string       // of files, from the dataset's folder
	names []string       // of files, as the dataset names them
	place map[string]int // of a path among files
}

// newMapping opens the dataset, after the checks that a run makes.
func (c *Config) newMapping(ctx context.Context) (*mapping, error) {
	if c.Path == "" {
		return nil, fmt.Errorf("%w: partials need a configuration that was read from a file", ErrConfig)
	}
	if c.Blinded {
		return nil, errMapBlinded()
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	terms, err := c.LoadTerms()
	if err != nil {
		return nil, err
	}
	if err := c.checkTerms(terms); err != nil {
		return nil, err
	}
	data, err := c.openData(ctx, c.readBy(StepMeasure).IngestOptions())
	if err != nil {
		return nil, err
	}
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	return c.mappingOf(data)
}

func (c *Config) mappingOf(data *ingest.Dataset) (*mapping, error) {
	if !data.Has(ingest.Spells) {
		return nil, fmt.Errorf("%w: %s", ingest.ErrNoTable, ingest.Spells)
	}
	m := &mapping{c: c, read: c.readBy(StepMeasure), data: data, files: data.SpellFiles(), place: map[string]int{}}
	all := data.Files()
	for i, f := range m.files {
		path, err := relative(c.resolve(c.Data), all[f.Input])
		if err != nil {
			return nil, err
		}
		m.paths, m.names, m.place[path] = append(m.paths, path), append(m.names, all[f.Input]), i
	}
	return m, nil
}

// file is the place of a path that is known to be there.
func (m *mapping) file(path string) int { return m.place[path] }

// checkTarget refuses a partial where it would be taken for input, or would replace
// something else.
func (c *Config) checkTarget(to string) error {
	if isURL(to) {
		return fmt.Errorf("%w: it is to go to a URL, and partials are files: name one, and copy it where it should be", ErrPartial)
	}
	inside, err := c.amongData(to)
	if err != nil {
		return err
	}
	if inside {
		return fmt.Errorf("%w: %s lies in the dataset's folder; write it elsewhere", ErrPartial, to)
	}
	if info, err := os.Stat(to); err == nil && (!info.Mode().IsRegular() || !isPartial(to)) {
		return fmt.Errorf("%w: %s is there, and is no partial that could be replaced; name another file", ErrPartial, to)
	}
	return nil
}

// choose finds the parts in the dataset. Neighbours become one.
func (m *mapping) choose(parts []Part) (*partialHeader, []ingest.SpellGroups, error) {
	var problems []PartialProblem
	var groups []ingest.SpellGroups
	if len(parts) == 0 {
		problems = append(problems, PartialProblem{Fault: PartialMissing, Why: "no part is given", Cure: "name parts of the table spells"})
	}
	for _, p := range parts {
		unknown := func(why string) {
			problems = append(problems, PartialProblem{Fault: PartialUnknown, Part: p.String(), Why: why, Cure: "see the parts that there are: jobeffekt map --list"})
		}
		at, ok := m.place[p.File]
		if !ok {
			unknown("the table spells has no such file")
			continue
		}
		n := len(m.files[at].Groups)
		last := cmp.Or(p.Last, n)
		if p.First < 0 || last > n || p.First >= last && n > 0 || n == 0 && p.First > 0 {
			unknown(fmt.Sprintf("the file has %d row groups", n))
			continue
		}
		groups = append(groups, ingest.SpellGroups{File: at, First: p.First, Last: last})
	}
	slices.SortFunc(groups, func(a, b ingest.SpellGroups) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	h := &partialHeader{}
	for i, g := range groups {
		f := &m.files[g.File]
		if i > 0 && groups[i-1].File == g.File && (g.First < groups[i-1].Last || len(f.Groups) == 0) {
			problems = append(problems, PartialProblem{
				Fault: PartialTwice, Part: m.part(g.File, g.First, min(g.Last, groups[i-1].Last)), Why: "it is given twice", Cure: "give every row group once",
			})
			continue
		}
		if len(h.Spells) == 0 || h.Spells[len(h.Spells)-1].Path != m.paths[g.File] {
			h.Spells = append(h.Spells, mappedFile{Path: m.paths[g.File], Bytes: f.Bytes, Groups: len(f.Groups)})
		}
		h.Spells[len(h.Spells)-1].join([2]int{g.First, g.Last})
	}
	if len(problems) > 0 {
		return nil, nil, &PartialError{problems}
	}
	return h, groups, nil
}

// part names row groups of a file.
func (m *mapping) part(file, first, last int) string {
	return Part{m.paths[file], first, last}.String()
}

// join adds row groups that come after those that are there.
func (f *mappedFile) join(p [2]int) {
	if n := len(f.Parts); n > 0 && f.Parts[n-1][1] == p[0] {
		f.Parts[n-1][1] = p[1]
		return
	}
	f.Parts = append(f.Parts, p)
}

// describe says what the partial is made by and of, beside the parts.
func (m *mapping) describe(ctx context.Context, h *partialHeader) (err error) {
	h.Program = ThisProgram()
	if h.Build, err = h.Program.build(); err != nil {
		return err
	}
	h.RunFile, h.AsOf = m.c.source.SHA256, m.c.AsOf
	if h.Pseudonyms, err = m.c.pseudonymised(); err != nil {
		return err
	}
	var files []string
	spells := map[int]bool{}
	for _, f := range m.files {
		spells[f.Input] = true
	}
	for i, name := range m.data.Files() {
		if spells[i] {
			continue
		}
		if err := effect.Stopped(ctx); err != nil {
			return err
		}
		path, err := relative(m.c.resolve(m.c.Data), name)
		if err != nil {
			return err
		}
		s, err := hashOpened(ctx, m.data, i, path, nil)
		if err != nil {
			return err
		}
		h.Inputs = append(h.Inputs, s)
		files = append(files, name)
	}
	return m.matches(ctx, files, h.Inputs)
}

// matches holds files that were hashed against the run file's checksums. The rest of the
// dataset is held against them where it is hashed, and all of it by the reduce.
func (m *mapping) matches(ctx context.Context, files []string, now []Source) error {
	if len(files) == 0 {
		return nil
	}
	given, err := m.c.readSums(ctx)
	if given == nil || err != nil {
		return err
	}
	return given.match(files, now, false)
}

// build is what a program must be the same in, for partials of one to be reduced by
// another: its released version, or else the program's own file.
func (p Program) build() (string, error) {
	if p.Version != "(devel)" && !strings.Contains(p.Version, "dirty") {
		return p.Version + " " + p.Go, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("%w: the program cannot tell which it is: %w", ErrPartial, err)
	}
	s, err := hashFile(exe, "")
	if err != nil {
		return "", fmt.Errorf("%w: the program cannot tell which it is: %w", ErrPartial, err)
	}
	return s.SHA256, nil
}

// tell puts a tally into the header.
func (h *partialHeader) tell(t *ingest.SpellTally, m *mapping) error {
	at := map[string]int{} // name of a file: its place in the header
	for i := range h.Spells {
		at[m.names[m.file(h.Spells[i].Path)]] = i
	}
	for _, r := range t.Rejects {
		if _, ok := at[r.File]; !ok {
			return fmt.Errorf("%w: a rejected row lies outside the parts", ErrPartial)
		}
	}
	h.put(t, func(file string) int { return at[file] })
	return nil
}

// mapped is what the header says, for whoever asked for the partial.
func (h *partialHeader) mapped(size int64) *Mapped {
	m := &Mapped{Rows: h.Rows, Used: h.Used, Bytes: size}
	for i := range h.Spells {
		for _, p := range h.Spells[i].Parts {
			m.Parts = append(m.Parts, Part{h.Spells[i].Path, p[0], p[1]})
		}
	}
	return m
}

// partialSet is partials that can be reduced together.
type partialSet struct {
	list  []*partial
	files []mappedFile // all that they hold, in the order of the dataset
}

// openPartials looks at partials and holds them against the dataset and against each
// other. With all, parts that are in none of them are a fault too.
func (m *mapping) openPartials(ctx context.Context, paths []string, all bool) (*partialSet, error) {
	if len(paths) == 0 {
		return nil, errNoPartial()
	}
	if len(paths) > maxPartials {
		return nil, &PartialError{[]PartialProblem{{Fault: PartialLimit, Why: fmt.Sprintf("%d partials", len(paths)), Cure: fmt.Sprintf("give %d at most: merge some first", maxPartials)}}}
	}
	var now partialHeader
	if err := m.describe(ctx, &now); err != nil {
		return nil, err
	}
	var problems []PartialProblem
	set := &partialSet{}
	seen := map[string]bool{}
	for _, path := range paths {
		if name, err := filepath.Abs(path); err == nil {
			if seen[name] {
				problems = append(problems, PartialProblem{Fault: PartialTwice, Partial: path, Why: "it is given twice", Cure: "give every partial once"})
				continue
			}
			seen[name] = true
		}
		p, problem, err := openPartial(ctx, path)
		if err != nil {
			return nil, err
		}
		if problem != nil {
			problems, all = append(problems, *problem), false // it may hold what would seem to be missing
			continue
		}
		set.list = append(set.list, p)
		problems = append(problems, p.against(&now)...)
	}
	problems = append(problems, m.join(ctx, set, all)...)
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, &PartialError{problems}
	}
	return set, nil
}

// against says in what a partial was made otherwise than it would be now.
func (p *partial) against(now *partialHeader) (out []PartialProblem) {
	add := func(fault PartialFault, why, cure string) { out = append(out, *p.problem(fault, why, cure)) }
	h := &p.header
	if h.Build != now.Build {
		why := fmt.Sprintf("it was made by %s (%s), and this is %s (%s)", h.Program.Version, h.Program.Go, now.Program.Version, now.Program.Go)
		if h.Program == now.Program {
			why = "it was made by another build of " + h.Program.Version
		}
		add(PartialProgram, why, "map and reduce with the same program")
	}
	if h.RunFile != now.RunFile {
		add(PartialRunFile, "the run file was another one, or has changed since", "map its parts again with this run file")
	}
	if h.AsOf != now.AsOf {
		add(PartialAsOf, fmt.Sprintf("it is as of %s, and this is %s", h.AsOf, now.AsOf), "give both the same --as-of")
	}
	if h.Pseudonyms.text() != now.Pseudonyms.text() {
		add(PartialPseudonyms, fmt.Sprintf("it has pseudonyms %s, and this %s", h.Pseudonyms.text(), now.Pseudonyms.text()), "map and reduce with one key")
	}
	var differ []string
	for _, s := range now.Inputs {
		if !slices.Contains(h.Inputs, s) {
			differ = append(differ, s.Path)
		}
	}
	for _, s := range h.Inputs {
		if !slices.ContainsFunc(now.Inputs, func(o Source) bool { return o.Path == s.Path }) {
			differ = append(differ, s.Path)
		}
	}
	if len(differ) > 0 {
		add(PartialInputs, "not as they were when its parts were mapped: "+strings.Join(differ, ", "), "map all parts again with these tables")
	}
	return out
}

// claim says that a partial holds some row groups of a file.
type claim struct {
	by          *partial
	as          *mappedFile
	first, last int
}

// join works out what the partials hold together. It says which of their parts the dataset
// does not have as they had it, which are in two of them, and, with all, which are in none.
func (m *mapping) join(ctx context.Context, set *partialSet, all bool) (problems []PartialProblem) {
	claims := make([][]claim, len(m.files))
	footers, changed := make([]string, len(m.files)), make([]bool, len(m.files))
	for _, p := range set.list {
		for i := range p.header.Spells {
			f := &p.header.Spells[i]
			add := func(fault PartialFault, why, cure string) {
				problem := p.problem(fault, why, cure)
				problem.Part = f.Path
				problems = append(problems, *problem)
			}
			at, ok := m.place[f.Path]
			if !ok {
				add(PartialUnknown, "the table spells has no such file", "map the table as it is now")
				continue
			}
			now := &m.files[at]
			if footers[at] == "" {
				var err error
				if footers[at], err = hashRange(ctx, m.data, now.Input, now.Footer); err != nil {
					footers[at] = "?"
				}
			}
			why := ""
			switch {
			case f.Bytes != now.Bytes:
				why = fmt.Sprintf("it had %d bytes when it was mapped, and has %d", f.Bytes, now.Bytes)
			case f.Groups != len(now.Groups) || f.Footer != footers[at]:
				why = "it is not the file that was mapped: its footer differs"
			}
			if why != "" {
				add(PartialChanged, why, "map all parts of the file again")
				changed[at] = true
				continue
			}
			for _, g := range f.Parts {
				claims[at] = append(claims[at], claim{p, f, g[0], g[1]})
			}
		}
	}
	for at, list := range claims {
		slices.SortStableFunc(list, func(a, b claim) int { return cmp.Compare(a.first, b.first) })
		joined := mappedFile{Path: m.paths[at], Bytes: m.files[at].Bytes, Groups: len(m.files[at].Groups), Footer: footers[at]}
		var furthest *claim
		twice := false
		for k := range list {
			c := &list[k]
			if furthest != nil && (c.first < furthest.last || joined.Groups == 0) {
				twice = true
				problem := c.by.problem(PartialTwice, "it is in "+furthest.by.path+" too", "leave one of the two out, or map one of them without it")
				problem.Part = m.part(at, c.first, min(c.last, furthest.last))
				problems = append(problems, *problem)
				if c.last > furthest.last {
					joined.join([2]int{furthest.last, c.last})
				}
			} else {
				joined.join([2]int{c.first, c.last})
			}
			if furthest == nil || c.last > furthest.last {
				furthest = c
			}
		}
		if all && !changed[at] {
			problems = append(problems, m.gaps(at, &joined)...)
		}
		if len(list) == 0 || twice {
			continue
		}
		problems = append(problems, m.pages(at, list, &joined)...)
		set.files = append(set.files, joined)
	}
	return problems
}

// pages holds what the partials say of the pages of a file against each other, and
// fills in the hashes of what they hold together.
func (m *mapping) pages(at int, list []claim, joined *mappedFile) (problems []PartialProblem) {
	known, by := make([]string, joined.Groups), make([]*partial, joined.Groups)
	var done []*mappedFile
	for _, c := range list {
		if slices.Contains(done, c.as) {
			continue // another part of the same partial
		}
		done = append(done, c.as)
		joined.Whole = cmp.Or(joined.Whole, c.as.Whole)
		for k, g := range c.as.told() {
			if known[g] == "" {
				known[g], by[g] = c.as.Pages[k], c.by
			} else if known[g] != c.as.Pages[k] {
				problem := c.by.problem(PartialChanged, "it was not the same when "+by[g].path+" was mapped", "map all parts of the file again")
				problem.Part = m.part(at, g, g+1)
				problems = append(problems, *problem)
			}
		}
	}
	for _, g := range joined.told() {
		joined.Pages = append(joined.Pages, known[g])
	}
	return problems
}

// gaps says which row groups of a file are in no partial.
func (m *mapping) gaps(at int, joined *mappedFile) (problems []PartialProblem) {
	missing := func(first, last int) {
		problems = append(problems, PartialProblem{
			Fault: PartialMissing, Part: m.part(at, first, last), Why: "it is in none of the partials", Cure: "map it, and give that partial too",
		})
	}
	if len(joined.Parts) == 0 {
		missing(0, joined.Groups)
		return problems
	}
	end := 0
	for _, p := range joined.Parts {
		if p[0] > end {
			missing(end, p[0])
		}
		end = p[1]
	}
	if end < joined.Groups {
		missing(end, joined.Groups)
	}
	return problems
}

// sources are the files of spells by name, as those who mapped them found them.
func (set *partialSet) sources(m *mapping) map[string]Source {
	out := map[string]Source{}
	for _, f := range set.files {
		out[m.names[m.file(f.Path)]] = Source{Bytes: f.Bytes, SHA256: f.Whole}
	}
	return out
}

// tally is what became of the rows of all partials.
func (set *partialSet) tally(m *mapping) *ingest.SpellTally {
	var all []*ingest.SpellTally
	for _, p := range set.list {
		all = append(all, p.header.tally(func(path string) string { return m.names[m.file(path)] }))
	}
	t := &ingest.SpellTally{}
	t.Add(all...)
	return t
}

// read goes through the states of all partials, side by side: those of the cases, and
// then those of the controls.
func (set *partialSet) read(s *measuring, do func(o *effect.Observer, states []*bufio.Reader) error) error {
	states, rest := readers(set.list)
	bad := func(i int, why string) error {
		return &PartialError{[]PartialProblem{*set.list[i].problem(PartialDamaged, why, mapAgain)}}
	}
	for _, o := range s.observers {
		if err := do(o, states); err != nil {
			if e, ok := errors.AsType[*effect.StateError](err); ok {
				return bad(e.State, e.Why)
			}
			return err
		}
	}
	for i, r := range rest {
		if states[i].Buffered() > 0 || r.at != r.states.To {
			return bad(i, "something follows its days")
		}
	}
	return nil
}

// reduce is [Measure] with partials in place of the table spells.
func (m *mapping) reduce(ctx context.Context, set *partialSet) (*Measured, error) {
	s, err := m.read.measuring(ctx, m.data)
	if err != nil {
		return nil, err
	}
	if err := m.data.CloseSpells(set.tally(m)); err != nil {
		return nil, err
	}
	err = set.read(s, func(o *effect.Observer, states []*bufio.Reader) error { return o.AddStates(ctx, states) })
	if err != nil {
		return nil, err
	}
	m.c.progress(Progress{Did: DidObserve, Within: true})
	return s.finish(ctx, m.data, m.read)
}

// open looks at the partials that stand for the table spells.
func (j *job) open(ctx context.Context, partials []string) (err error) {
	if j.mapping, err = j.c.mappingOf(j.data); err != nil {
		return err
	}
	j.partials, err = j.mapping.openPartials(ctx, partials, true)
	return err
}

// measure does the step measure.
func (j *job) measure(ctx context.Context, c *Config) (*Measured, error) {
	if j.partials != nil {
		return j.mapping.reduce(ctx, j.partials)
	}
	return Measure(ctx, j.data, c)
}

// mapped are the files of spells that need not be read, by name.
func (j *job) mapped() map[string]Source {
	if j.partials == nil {
		return nil
	}
	return j.partials.sources(j.mapping)
}
