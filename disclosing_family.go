package jobeffekt

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/disclosure"
)

// family is counts of citizens that hang together, as sums of the same atoms. Of citizens
// it knows labels and counts alone.
type family struct {
	name   string
	index  map[string]int32
	atoms  []labelled
	claims []wanted
	byKey  map[string]int
	banned map[string]bool // claims that may not be told for another family's sake
	told   []bool
	hushed []bool             // of what is told, that of which the counts are not: see [between]
	before []published        // earlier publications
	seen   map[string]sighted // by where
	cells  map[string][]int32 // atoms by the first labels of a where
	spare  []bool             // atoms of nobody that nothing tells apart from somebody
}

// sighted is what a where was found to be about.
type sighted struct {
	atoms []int32
	n     int64
}

// labelled is an atom: what is known of its citizens, by dimension, and how many they are.
// A label may be several, with [also] between them.
type labelled struct {
	labels []string
	n      int64
	hidden bool
}

const also = "\x1f"

// nobody is the stage of an atom that holds nobody, and says so to those alone who ask who
// reached an outcome.
const nobody = "\x1e"

// where are labels of atoms, by dimension; "" for any.
type where []string

// term is citizens, and what each is multiplied by in a sum; 0 stands for 1.
type term struct {
	Where where `json:"w"`
	Times int64 `json:"x,omitempty"`
}

// wanted is something that somebody wants to tell: sums over terms, all of them or none.
type wanted struct {
	key   string
	level int // what is told first has the lowest
	sums  [][]term
	n     int64 // citizens of the first sum
	given bool  // told already, by another family
}

// published is what an earlier publication told, and the counts that it was made of.
type published struct {
	counts map[string]int64
	keys   []string
}

func newFamily(name string) *family {
	return &family{name: name, index: map[string]int32{}, byKey: map[string]int{}, banned: map[string]bool{}, seen: map[string]sighted{}, cells: map[string][]int32{}}
}

// add counts n more citizens with the labels, and says which atom they are.
func (f *family) add(n int64, hidden bool, labels ...string) int32 {
	key := strings.Join(labels, "\x00")
	a, ok := f.index[key]
	clear(f.seen)
	clear(f.cells)
	if !ok {
		a = int32(len(f.atoms))
		f.index[key] = a
		f.atoms = append(f.atoms, labelled{labels: slices.Clone(labels)})
	}
	f.atoms[a].n += n
	f.atoms[a].hidden = f.atoms[a].hidden || hidden
	return a
}

// of are the atoms that a where is about, ascending, and how many citizens.
func (f *family) of(w where) sighted {
	if f == nil {
		return sighted{}
	}
	key := strings.Join(w, "\x00")
	if out, ok := f.seen[key]; ok {
		return out
	}
	var out sighted
	for _, a := range f.near(w) {
		atom := &f.atoms[a]
		if len(w) == dims && w[dimReached] == "" && atom.labels[dimStage] == nobody || !atom.is(w) {
			continue
		}
		out.atoms, out.n = append(out.atoms, a), out.n+atom.n
	}
	f.seen[key] = out
	return out
}

// near are the atoms of the cell that a where is about, so that most are not looked at.
func (f *family) near(w where) []int32 {
	cell := w[:min(len(w), dimPackage)]
	key := strings.Join(cell, "\x00")
	if in, ok := f.cells[key]; ok {
		return in
	}
	var in []int32
	for a := range f.atoms {
		if f.atoms[a].is(cell) {
			in = append(in, int32(a))
		}
	}
	f.cells[key] = in
	return in
}

// is says whether an atom has the labels that are named.
func (a *labelled) is(w where) bool {
	for d, want := range w {
		if has := a.labels[d]; want != "" && has != want && !(strings.Contains(has, also) && slices.Contains(strings.Split(has, also), want)) {
			return false
		}
	}
	return true
}

// count is how many citizens a where is about.
func (f *family) count(w where) int64 { return f.of(w).n }

// ask claims that sums be told and says which wanted that is. The same wanted asked twice is
// one, as important as the more important of them.
func (f *family) ask(level int, sums ...[]term) int {
	text, _ := json.Marshal(sums) // strings and numbers alone
	key := string(text)
	if i, ok := f.byKey[key]; ok {
		f.claims[i].level = min(f.claims[i].level, level)
		return i
	}
	f.byKey[key] = len(f.claims)
	f.claims = append(f.claims, wanted{key: key, level: level, sums: sums})
	return len(f.claims) - 1
}

// each claims groups of citizens.
func (f *family) each(level int, groups ...where) int {
	sums := make([][]term, len(groups))
	for i, w := range groups {
		sums[i] = []term{{Where: w}}
	}
	return f.ask(level, sums...)
}

// give says that a wanted is told already.
func (f *family) give(groups ...where) {
	f.claims[f.each(0, groups...)].given = true
}

// decide finds out which claims are told.
func (f *family) decide(minCount int64) {
	times := len(f.before)
	for _, p := range f.before {
		for _, key := range slices.Sorted(maps.Keys(p.counts)) {
			if _, ok := f.index[key]; !ok {
				f.add(0, false, strings.Split(key, "\x00")...)
			}
		}
	}
	f.spare = f.beside()
	p := disclosure.Problem{MinCount: minCount, Atoms: make([]disclosure.Atom, len(f.atoms))}
	for a := range f.atoms {
		key, counts := strings.Join(f.atoms[a].labels, "\x00"), make([]int64, times+1)
		for t, b := range f.before {
			counts[t] = b.counts[key]
		}
		counts[times] = f.atoms[a].n
		p.Atoms[a] = disclosure.Atom{Counts: counts, Hidden: f.atoms[a].hidden}
	}
	for t, b := range f.before {
		for _, key := range b.keys {
			var sums [][]term
			if json.Unmarshal([]byte(key), &sums) != nil {
				continue
			}
			item := f.item(sums)
			item.Time, item.Told = t, true
			p.Items = append(p.Items, item)
		}
	}
	earlier := len(p.Items)
	order := make([]int, 0, len(f.claims))
	items := make([]disclosure.Item, len(f.claims))
	for i := range f.claims {
		c := &f.claims[i]
		if f.banned[c.key] {
			continue
		}
		items[i] = f.item(c.sums)
		items[i].Time, items[i].Told = times, c.given
		c.n = 0
		for _, a := range items[i].Groups[0] {
			c.n += f.atoms[a].n
		}
		order = append(order, i)
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &f.claims[i], &f.claims[j]
		switch {
		case a.given != b.given:
			return map[bool]int{true: -1, false: 1}[a.given]
		case a.level != b.level:
			return a.level - b.level
		}
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.key, b.key))
	})
	for _, i := range order {
		p.Items = append(p.Items, items[i])
	}
	f.told = make([]bool, len(f.claims))
	for k, told := range disclosure.Decide(p)[earlier:] {
		f.told[order[k]] = told
	}
}

// beside says which atoms of nobody have somebody beside them whom no claim tells apart from
// them. That nobody of a month reached an outcome is told by nothing unless something is
// claimed of months.
func (f *family) beside() []bool {
	signature := make([][]byte, len(f.atoms))
	seen := map[string]bool{}
	look := func(sums [][]term) {
		for _, terms := range sums {
			for _, t := range terms {
				if len(t.Where) != dims {
					continue
				}
				w := slices.Clone(t.Where)
				w[dimReached], w[dimStage], w[dimRule], w[dimLine] = "", "", "", ""
				key := strings.Join(w, "\x00")
				if seen[key] {
					continue
				}
				seen[key] = true
				for _, a := range f.near(w) {
					if f.atoms[a].is(w) {
						signature[a] = binary.AppendUvarint(signature[a], uint64(len(seen)))
					}
				}
			}
		}
	}
	for _, c := range f.claims {
		look(c.sums)
	}
	for _, b := range f.before {
		for _, key := range b.keys {
			var sums [][]term
			if json.Unmarshal([]byte(key), &sums) == nil {
				look(sums)
			}
		}
	}
	out, somebody := make([]bool, len(f.atoms)), map[string]bool{}
	key := func(a int) string { return f.atoms[a].labels[dimReached] + "\x00" + string(signature[a]) }
	for a := range f.atoms {
		if len(f.atoms[a].labels) == dims && f.atoms[a].n > 0 {
			somebody[key(a)] = true
		}
	}
	for a := range f.atoms {
		out[a] = len(f.atoms[a].labels) == dims && f.atoms[a].labels[dimStage] == nobody && somebody[key(a)]
	}
	return out
}

// asked are the atoms of a where that matter.
func (f *family) asked(w where) []int32 {
	atoms := f.of(w).atoms
	if f.spare == nil || !slices.ContainsFunc(atoms, func(a int32) bool { return f.spare[a] }) {
		return atoms
	}
	return slices.DeleteFunc(slices.Clone(atoms), func(a int32) bool { return f.spare[a] })
}

// item is a wanted as the arithmetic takes it.
func (f *family) item(sums [][]term) disclosure.Item {
	out := disclosure.Item{Groups: make([][]int32, len(sums)), Weights: make([][]int64, len(sums))}
	for i, terms := range sums {
		if len(terms) == 1 && terms[0].Times == 0 {
			out.Groups[i] = f.asked(terms[0].Where)
			continue
		}
		times := map[int32]int64{}
		for _, t := range terms {
			for _, a := range f.asked(t.Where) {
				times[a] += cmp.Or(t.Times, 1)
			}
		}
		maps.DeleteFunc(times, func(_ int32, x int64) bool { return x == 0 })
		out.Groups[i] = slices.Sorted(maps.Keys(times))
		out.Weights[i] = make([]int64, len(out.Groups[i]))
		for j, a := range out.Groups[i] {
			out.Weights[i][j] = times[a]
		}
	}
	return out
}

// decideAll decides families of the same citizens, each about another outcome. What is
// claimed in all of them says nothing of the outcome, and is told where all tell it: else
// one would tell what another withholds.
func decideAll(families []*family, minCount int64) {
	// What one table asks of one of them is known of all.
	for _, f := range families {
		for _, c := range slices.Clone(f.claims) {
			for _, g := range families {
				if sharedClaim(c) {
					g.ask(c.level, c.sums...)
				}
			}
		}
	}
	todo := families
	for len(todo) > 0 {
		for _, f := range todo {
			f.decide(minCount)
		}
		todo = nil
		for _, f := range families {
			again := false
			for i, c := range f.claims {
				if !f.told[i] || !slices.ContainsFunc(families, func(g *family) bool {
					k, ok := g.byKey[c.key]
					return ok && !g.told[k]
				}) || !sharedClaim(c) {
					continue
				}
				f.banned[c.key], again = true, true
			}
			if again {
				todo = append(todo, f)
			}
		}
	}
}

// The dimensions of the families of outcomes.
const (
	dimMunicipality = iota
	dimScheme
	dimGroup
	dimProvider
	dimPackage
	dimAgreement
	dimChannel
	dimRole
	dimConsortium
	dimSpent  // whose money pays
	dimPeriod // months, quarters, half years and years of referral
	dimWhy    // why it is not analysed, or analysed
	dimEnded  // yes or no: whether the window was over
	dimCohort // yes or no
	dimReached
	dimStage // started, completed
	dimRule  // clause/rule
	dimLine
	dims
)

// sharedClaim says whether a wanted is the same for every outcome.
func sharedClaim(c wanted) bool {
	for _, terms := range c.sums {
		for _, t := range terms {
			out := []string{effect.ReasonOutsidePeriod.String(), effect.ReasonNotFirst.String(), effect.ReasonNotLast.String(), ""}
			if len(t.Where) != dims || !slices.Contains(out, t.Where[dimWhy]) || t.Where[dimReached] != "" || t.Where[dimRule] != "" || t.Where[dimLine] != "" {
				return false
			}
		}
	}
	return true
}
