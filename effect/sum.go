package effect

import (
	"cmp"
	"math"
	"slices"
)

// maxUnsummed is the share of a sum's cases beyond which cells that could not be
// compared leave nothing to say of the sum.
const maxUnsummed = 0.2

// sums adds the cells of estimates over match groups and, where their labels mean
// the same in every municipality, over municipalities: see [Views]. Own projects
// of two municipalities have nothing in common but the word.
func (d Design) sums(obs *Observations, rows []Estimate, few int) []Estimate {
	type key struct {
		outcome, method, support string
		comparators              Comparators
		cell                     Cell
	}
	parts, order := map[key][]*Estimate{}, []key{}
	add := func(e *Estimate, municipality, group string) {
		c := e.Cell
		c.Municipality, c.MatchGroup = municipality, group
		k := key{e.Outcome, e.Method, e.Support, e.Comparators, c}
		if parts[k] == nil {
			order = append(order, k)
		}
		parts[k] = append(parts[k], e)
	}
	for i := range rows {
		e := &rows[i]
		add(e, e.Municipality, All)
		if d.by.wide && e.Provider != OwnProvider {
			add(e, All, e.MatchGroup)
			add(e, All, All)
		}
	}
	crowds := map[string]*crowd{}
	for k := range obs.Results {
		crowds[obs.Results[k].Outcome] = newCrowd(obs.Cases, &obs.Results[k], d.label(obs.Cases))
	}
	var out []Estimate
	for _, k := range order {
		cells := parts[k]
		if k.cell.Municipality == All && !several(cells) {
			continue
		}
		all := cells
		if k.support == SupportCommon {
			// Cells of which only one comparison exists belong to the sum too.
			own := k
			own.support = SupportOwn
			all = parts[own]
		}
		row := Estimate{Outcome: k.outcome, Unit: cells[0].Unit, Cell: k.cell, Method: k.method, Comparators: k.comparators, Support: k.support}
		where := []string{k.cell.Municipality}
		if k.comparators == Peers {
			where = d.Peers[k.cell.Municipality]
		}
		row.add(cells, all, crowds[k.outcome], where, few)
		out = append(out, row)
	}
	return out
}

// several says whether the cells are of two municipalities or more.
func several(cells []*Estimate) bool {
	return slices.ContainsFunc(cells, func(e *Estimate) bool { return e.Municipality != cells[0].Municipality })
}

// add makes the figures of a sum of cells; all are those it should hold, and where
// is the municipalities of the comparators of a sum within one municipality.
func (e *Estimate) add(cells, all []*Estimate, people *crowd, where []string, few int) {
	f, c := &e.Figures, &e.Certificate
	f.Confidence, f.Verdict = cells[0].Confidence, NotRated
	observed, largest := 0.0, all[0]
	for _, a := range all {
		if a.N > 0 {
			observed += float64(float64(a.N) * a.Observed)
		}
		f.N += a.N
		if a.N > largest.N {
			largest = a
		}
	}
	f.Observed = Round(observed / float64(f.N))
	var compared []*Estimate
	n := 0.0
	for _, a := range cells {
		if a.Refusal == "" {
			compared = append(compared, a)
			n += float64(a.NCompared)
		}
	}
	persons, repeated := people.of(compared)
	switch {
	case f.N == 0:
		f.refuse(RefusalNoCases)
	case f.N < int64(few):
		f.refuse(RefusalFewCases)
	case len(compared) == 0:
		f.refuse(cmp.Or(largest.Refusal, RefusalUncovered))
	case float64(f.N)-n > maxUnsummed*float64(f.N):
		f.refuse(RefusalUncovered)
	case persons < few:
		f.refuse(RefusalFewCases)
	}
	if f.Refusal != "" {
		return
	}
	var cell, comparators, between combined
	difference, expected := 0.0, 0.0
	c.Persons, c.Converged = int64(persons), true
	c.EffectiveN, c.Municipalities = compared[0].EffectiveN, compared[0].Municipalities
	for _, a := range compared {
		share := float64(a.NCompared) / n
		difference += float64(share * a.Difference)
		expected += float64(share * a.Expected)
		v := a.variance()
		cell.add(share, v.cell, v.dfCell)
		comparators.add(share, v.comparators, v.dfComparators)
		between.add(share, v.between, v.dfBetween)
		// A sum rests on its weakest cell.
		c.NComparators += a.NComparators
		c.EffectiveN, c.Municipalities = min(c.EffectiveN, a.EffectiveN), min(c.Municipalities, a.Municipalities)
		c.MaxWeight = max(c.MaxWeight, a.MaxWeight)
		if !math.IsNaN(c.WorstSMD) && !(a.WorstSMD <= c.WorstSMD) { // unknown is worst
			c.WorstSMD, c.WorstTerm = a.WorstSMD, a.WorstTerm
		}
		c.Converged = c.Converged && a.Converged
	}
	f.NCompared, f.Expected = int64(n), Round(expected)
	var v variance
	v.cell, v.dfCell = cell.squares(repeated)
	v.comparators, v.dfComparators = comparators.squares(people.between(where))
	if e.Municipality == All {
		v.comparators, v.dfComparators = comparators.linear()
	}
	v.between, v.dfBetween = between.linear()
	e.summed = &v
	f.judge(Round(difference), v)
}

// combined gathers one part of the variance of the cells of a sum.
type combined struct{ share, variance, df []float64 }

func (c *combined) add(share, variance, df float64) {
	if variance > 0 {
		c.share, c.variance, c.df = append(c.share, share), append(c.variance, variance), append(c.df, max(df, 1))
	}
}

// squares is the variance where the cells are independent but for the design
// effect, with Satterthwaite's degrees of freedom.
func (c *combined) squares(effect float64) (variance, df float64) {
	down := 0.0
	for k, v := range c.variance {
		v = float64(v * (c.share[k] * c.share[k]))
		variance += v
		down += float64(v*v) / c.df[k]
	}
	if variance == 0 {
		return 0, 0
	}
	return effect * variance, variance * variance / down
}

// linear is the greatest variance that the sum can have, whatever the cells have
// in common: the square of the sum of their standard deviations a_c. Its degrees of
// freedom, (sum a_c / sum a_c/sqrt(df_c))^2, are Satterthwaite's where the cells'
// variances err together too.
func (c *combined) linear() (variance, df float64) {
	sd, down := 0.0, 0.0
	for k, v := range c.variance {
		a := float64(c.share[k] * math.Sqrt(v))
		sd += a
		down += a / math.Sqrt(c.df[k])
	}
	if sd == 0 {
		return 0, 0
	}
	return sd * sd, sd * sd / (down * down)
}

// crowd knows the persons of an outcome's analysed cases: once for every cell and
// for every match group of a municipality in which they stand.
type crowd struct {
	repeats bool // some person has two analysed cases or more
	cells   map[Cell][]int32
	at      map[string]map[group][]int32 // by municipality
}

func newCrowd(c *Cases, r *Result, label *Factor) *crowd {
	out := &crowd{}
	seen := make([]bool, c.Persons.Len())
	for i, ok := range r.Complete {
		if ok {
			out.repeats = out.repeats || seen[c.Person[i]]
			seen[c.Person[i]] = true
		}
	}
	if !out.repeats {
		return out
	}
	out.cells, out.at = map[Cell][]int32{}, map[string]map[group][]int32{}
	for _, packages := range []bool{false, true} {
		if packages && len(c.Package.Codes) == 0 {
			break
		}
		ix := c.cellsBy(label, packages)
		for k, persons := range gatherPersons(c, r, func(i int) int32 { return ix.of[i] }) {
			if cell := ix.list[k]; !packages || cell.Package != "" {
				out.cells[cell] = persons
			}
		}
	}
	type place struct {
		municipality int32
		group        group
	}
	for k, persons := range gatherPersons(c, r, func(i int) place {
		return place{c.Municipality.Codes[i], group{c.MatchScheme.Codes[i], c.MatchGroup.Codes[i]}}
	}) {
		m := c.Municipality.Levels[k.municipality]
		if out.at[m] == nil {
			out.at[m] = map[group][]int32{}
		}
		out.at[m][k.group] = persons
	}
	return out
}

// between is the design effect of the persons of some municipalities who stand in
// several match groups: it is that of the comparators alone, because elsewhere
// fewer may be there twice.
func (p *crowd) between(municipalities []string) float64 {
	if !p.repeats {
		return 1
	}
	groups := map[group][]int32{}
	for _, m := range municipalities {
		for g, persons := range p.at[m] {
			groups[g] = append(groups[g], persons...)
		}
	}
	var lists [][]int32
	for _, persons := range groups {
		slices.Sort(persons)
		lists = append(lists, slices.Compact(persons))
	}
	_, effect := designEffect(lists)
	return effect
}

// gatherPersons lists the persons of the analysed cases by a key, each once.
func gatherPersons[K comparable](c *Cases, r *Result, key func(i int) K) map[K][]int32 {
	out := map[K][]int32{}
	for i, ok := range r.Complete {
		if ok {
			out[key(i)] = append(out[key(i)], c.Person[i])
		}
	}
	for k, persons := range out {
		slices.Sort(persons)
		out[k] = slices.Compact(persons)
	}
	return out
}

// of counts the persons of some cells who were compared, and gives their design
// effect.
func (p *crowd) of(cells []*Estimate) (persons int, effect float64) {
	n, lists := int64(0), [][]int32(nil)
	for _, e := range cells {
		n += e.Persons
		lists = append(lists, p.cells[e.Cell])
	}
	if !p.repeats {
		return int(n), 1
	}
	// Of the persons in the lists some may have had nobody to be compared with.
	persons, effect = designEffect(lists)
	return min(persons, int(n)), effect
}

// designEffect counts the persons of lists that hold nobody twice, and gives
// sum k^2/sum k over them, with k the lists in which a person stands: 1 where
// nobody stands in two, or there is nobody.
func designEffect(lists [][]int32) (persons int, effect float64) {
	all := slices.Concat(lists...)
	slices.Sort(all)
	squares := 0.0
	for k := 0; k < len(all); persons++ {
		from := k
		for k < len(all) && all[k] == all[from] {
			k++
		}
		squares += float64((k - from) * (k - from))
	}
	if len(all) == 0 {
		return 0, 1
	}
	return persons, squares / float64(len(all))
}
