package jobeffekt

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect/disclosure"
)

// between is what outcomes tell of each other: citizens by what became of them in all
// outcomes at once, so that what one outcome told less what another did is looked at too, as
// those are who left between the ends of two windows. It has no claims of its own: it takes
// those that the outcomes would tell, the most important outcome's first, and hushes those of
// the others beside which few citizens could be worked out. The counts of a hushed claim are
// withheld; differences, intervals and verdicts, which do not give them away, stay.
type between struct {
	families []*family
	index    map[string]int32
	atoms    []together
	before   []map[string]int64 // earlier publications: counts by key
}

// together are citizens whom no outcome tells apart: their atom in each family.
type together struct {
	of []int32
	n  int64
}

// apartBetween are the labels that outcomes may differ in.
func apartBetween() []int { return []int{dimWhy, dimEnded, dimCohort, dimReached} }

func newBetween(families []*family) *between {
	return &between{families: families, index: map[string]int32{}}
}

// name is what the record calls it: that of other outcomes is another.
func (b *between) name() string {
	names := make([]string, len(b.families))
	for i, f := range b.families {
		names[i] = f.name
	}
	return "between " + strings.Join(names, also)
}

// add counts n more citizens who are these atoms in the families.
func (b *between) add(n int64, of []int32) {
	key := b.key(of)
	a, ok := b.index[key]
	if !ok {
		a = int32(len(b.atoms))
		b.index[key] = a
		b.atoms = append(b.atoms, together{of: slices.Clone(of)})
	}
	b.atoms[a].n += n
}

// key is the labels in the first family, and those of the others that may differ.
func (b *between) key(of []int32) string {
	parts := make([]string, len(of))
	for i, a := range of {
		labels := b.families[i].atoms[a].labels
		if i > 0 {
			var few []string
			for _, d := range apartBetween() {
				few = append(few, labels[d])
			}
			labels = few
		}
		parts[i] = strings.Join(labels, "\x00")
	}
	return strings.Join(parts, "\x02")
}

// read is the atoms of a key; false where a family has no such.
func (b *between) read(key string) ([]int32, bool) {
	parts := strings.Split(key, "\x02")
	if len(parts) != len(b.families) {
		return nil, false
	}
	first := strings.Split(parts[0], "\x00")
	of := make([]int32, len(parts))
	for i, part := range parts {
		labels := slices.Clone(first)
		if few := strings.Split(part, "\x00"); i > 0 {
			if len(few) != len(apartBetween()) {
				return nil, false
			}
			for k, d := range apartBetween() {
				labels[d] = few[k]
			}
		}
		a, ok := b.families[i].index[strings.Join(labels, "\x00")]
		if !ok {
			return nil, false
		}
		of[i] = a
	}
	return of, true
}

// rank says which outcome is told before which: those of whose effect is paid, those that a
// price is paid for, and the others, each in their order.
func rank(families []*family, terms []*bonus.Terms) []int {
	out := make([]int, len(families))
	for i, f := range families {
		paid := 2
		for _, t := range terms {
			for _, v := range t.Versions {
				for _, c := range v.Clauses {
					switch f.name {
					case c.Measure.Effect:
						paid = 0
					case c.Measure.Reached:
						paid = min(paid, 1)
					}
				}
			}
		}
		out[i] = paid*len(families) + i
	}
	return out
}

// decide hushes claims of the families. They have decided, each for itself.
func (b *between) decide(minCount int64, ranks []int) {
	for _, f := range b.families {
		f.hushed = make([]bool, len(f.claims))
	}
	if len(b.families) < 2 {
		return
	}
	times := len(b.families[0].before)
	for _, counts := range b.before {
		for _, key := range slices.Sorted(maps.Keys(counts)) {
			if of, ok := b.read(key); ok {
				b.add(0, of)
			}
		}
	}
	p := disclosure.Problem{MinCount: minCount, Atoms: make([]disclosure.Atom, len(b.atoms))}
	in := make([][][]int32, len(b.families)) // atoms by those of a family
	for i, f := range b.families {
		in[i] = make([][]int32, len(f.atoms))
	}
	for a := range b.atoms {
		counts := make([]int64, times+1)
		for t := range b.before {
			counts[t] = b.before[t][b.key(b.atoms[a].of)]
		}
		counts[times] = b.atoms[a].n
		p.Atoms[a] = disclosure.Atom{Counts: counts}
		for i, of := range b.atoms[a].of {
			in[i][of] = append(in[i][of], int32(a))
		}
	}
	item := func(i int, sums [][]term) disclosure.Item {
		own := b.families[i].item(sums)
		out := disclosure.Item{Groups: make([][]int32, len(own.Groups)), Weights: make([][]int64, len(own.Groups))}
		for g, atoms := range own.Groups {
			for j, of := range atoms {
				for range in[i][of] {
					if len(own.Weights[g]) > 1 {
						out.Weights[g] = append(out.Weights[g], own.Weights[g][j])
					}
				}
				out.Groups[g] = append(out.Groups[g], in[i][of]...)
			}
			if len(own.Weights[g]) == 1 {
				out.Weights[g] = own.Weights[g]
			}
		}
		return out
	}
	seen := map[string]bool{} // what is the same in all of them
	for i, f := range b.families {
		for t, before := range f.before {
			for _, key := range before.keys {
				var sums [][]term
				if json.Unmarshal([]byte(key), &sums) != nil {
					continue
				}
				was := item(i, sums)
				was.Time, was.Told = t, true
				p.Items = append(p.Items, was)
			}
		}
	}
	earlier := len(p.Items)
	type at struct {
		family, claim int
		first         int // 0: the same in all; 1: of money; then by outcome
	}
	var order []at
	for i, f := range b.families {
		for k, c := range f.claims {
			switch {
			case !f.told[k]:
			case sharedClaim(c):
				if !seen[c.key] {
					seen[c.key] = true
					order = append(order, at{i, k, 0})
				}
			case paidClaim(c):
				order = append(order, at{i, k, 1})
			default:
				order = append(order, at{i, k, 2 + ranks[i]})
			}
		}
	}
	claim := func(x at) *wanted { return &b.families[x.family].claims[x.claim] }
	slices.SortFunc(order, func(x, y at) int {
		c, d := claim(x), claim(y)
		return cmp.Or(x.first-y.first, c.level-d.level, cmp.Compare(d.n, c.n), strings.Compare(c.key, d.key), x.family-y.family)
	})
	least := slices.Min(ranks)
	for _, x := range order {
		next := item(x.family, claim(x).sums)
		// What one outcome tells alone was decided by its family.
		next.Time, next.Told = times, x.first == 0 || x.first == 2+least
		p.Items = append(p.Items, next)
	}
	for k, told := range disclosure.Decide(p)[earlier:] {
		if x := order[k]; !told {
			b.families[x.family].hushed[x.claim] = true
		}
	}
}

// paidClaim says whether a wanted is a sum of lines.
func paidClaim(c wanted) bool {
	for _, terms := range c.sums {
		for _, t := range terms {
			if len(t.Where) == dims && t.Where[dimLine] != "" {
				return true
			}
		}
	}
	return false
}
