package jobeffekt

import (
	"cmp"
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
	places map[string][]int32 // atoms by their first label
	claims []wanted
	byKey  map[string]int
	banned map[string]bool // claims that may not be told for another family's sake
	told   []bool
	before []published // earlier publications
	seen   map[string]sighted
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

// nobody is the stage of an atom that holds nobody. Whoever counts those analysed counts
// it too: those who reached it and those who did not add up to them, and that they do tells
// of nobody.
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
	return &family{name: name, index: map[string]int32{}, places: map[string][]int32{}, byKey: map[string]int{}, banned: map[string]bool{}, seen: map[string]sighted{}}
}

// add counts n more citizens with the labels.
func (f *family) add(n int64, hidden bool, labels ...string) {
	key := strings.Join(labels, "\x00")
	a, ok := f.index[key]
	clear(f.seen)
	if !ok {
		a = int32(len(f.atoms))
		f.index[key] = a
		f.atoms = append(f.atoms, labelled{labels: slices.Clone(labels)})
		f.places[labels[0]] = append(f.places[labels[0]], a)
	}
	f.atoms[a].n += n
	f.atoms[a].hidden = f.atoms[a].hidden || hidden
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
	try := func(a int32) {
		for d, want := range w {
			if has := f.atoms[a].labels[d]; want != "" && has != want && !(strings.Contains(has, also) && slices.Contains(strings.Split(has, also), want)) {
				return
			}
		}
		out.atoms, out.n = append(out.atoms, a), out.n+f.atoms[a].n
	}
	// Of a cell whose place is known, what it is part of has been looked for, as a rule.
	wide := ""
	for d := range w {
		if w[d] != "" && d >= dimPackage {
			wide = strings.Join(append(slices.Clone(w[:d]), make(where, len(w)-d)...), "\x00")
			break
		}
	}
	if in, ok := f.seen[wide]; ok && wide != key {
		for _, a := range in.atoms {
			try(a)
		}
	} else if w[0] != "" {
		for _, a := range f.places[w[0]] {
			try(a)
		}
	} else {
		for a := range f.atoms {
			try(int32(a))
		}
	}
	f.seen[key] = out
	return out
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

// item is a wanted as the arithmetic takes it.
func (f *family) item(sums [][]term) disclosure.Item {
	out := disclosure.Item{Groups: make([][]int32, len(sums)), Weights: make([][]int64, len(sums))}
	for i, terms := range sums {
		if len(terms) == 1 && terms[0].Times == 0 {
			out.Groups[i] = f.of(terms[0].Where).atoms
			continue
		}
		times := map[int32]int64{}
		for _, t := range terms {
			for _, a := range f.of(t.Where).atoms {
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
