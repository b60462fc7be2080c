package effect

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Take says which of a person's participations under an agreement are used.
type Take string

// First is the default and the only choice for pay; "last" would inflate the
// result where those who fail are referred again. Each is for description, with
// errors clustered on the person.
const (
	TakeFirst Take = "first"
	TakeLast  Take = "last"
	TakeEach  Take = "each"
)

// Names lists the choices.
func (Take) Names() []string {
	return []string{string(TakeFirst), string(TakeLast), string(TakeEach)}
}

// Cohort says which participations are analysed: those referred in Period and,
// of a person's several under one agreement, those that Take names. Where a
// participation has no agreement, its municipality stands for it. Ties on the
// day of referral go by participation id.
type Cohort struct {
	Period Period
	Take   Take // "" is TakeFirst
}

// Select returns, for every case, why it is not in the cohort.
func (c Cohort) Select(cases *Cases) []Reason {
	out := make([]Reason, cases.Len())
	for i, d := range cases.Referral {
		if !c.Period.Contains(d) {
			out[i] = ReasonOutsidePeriod
		}
	}
	if c.Take == TakeEach {
		return out
	}
	agreement := func(i int32) (code int32, municipality int32) {
		if code = cases.Agreement.CodeAt(int(i)); code < 0 {
			municipality = cases.Municipality.Codes[i]
		}
		return code, municipality
	}
	// The cases chosen so far, chained by person: a person has few agreements.
	first, next := make([]int32, cases.Persons.Len()), make([]int32, cases.Len())
	for p := range first {
		first[p] = -1
	}
	sign, reason := 1, ReasonNotFirst
	if c.Take == TakeLast {
		sign, reason = -1, ReasonNotLast
	}
	for i := range out {
		if out[i] != NoReason {
			continue
		}
		of, under := agreement(int32(i))
		at := &first[cases.Person[i]]
		for *at >= 0 {
			if other, place := agreement(*at); other == of && place == under {
				break
			}
			at = &next[*at]
		}
		j := *at
		switch {
		case j < 0:
			*at, next[i] = int32(i), -1
		// Cases are in the order of their ids, so i comes after j on a tie.
		case sign*cmp.Or(cmp.Compare(cases.Referral[i], cases.Referral[j]), 1) < 0:
			*at, next[i] = int32(i), next[j]
			out[j] = reason
		default:
			out[i] = reason
		}
	}
	return out
}

// attrition counts, for one result, why cases are not analysed, per cell.
func attrition(cells *cellIndex, r *Result) []Attrition {
	counts := make([][numReasons]int64, len(cells.list))
	for i, reason := range r.Reason {
		counts[cells.of[i]][reason]++
	}
	var out []Attrition
	for c, cell := range cells.list {
		line := Attrition{Outcome: r.Outcome, Cell: cell, Step: StepRead}
		for _, n := range counts[c] {
			line.N += n
		}
		out = append(out, line)
		for reason := ReasonOutsidePeriod; reason < numReasons; reason++ {
			if n := counts[c][reason]; n > 0 {
				out = append(out, Attrition{Outcome: r.Outcome, Cell: cell, Order: int64(reason), Step: reason.String(), N: n})
			}
		}
		out = append(out, Attrition{Outcome: r.Outcome, Cell: cell, Order: int64(numReasons), Step: StepAnalysed, N: counts[c][NoReason]})
	}
	return out
}

// cellIndex gives every case its cell. Cells are sorted by their names.
type cellIndex struct {
	list []Cell
	of   []int32
}

// InCells yields every cell with the rows of its cases, ascending: in the order
// of the cells' names, all packages of a provider together and then, with
// byPackage, each.
func (c *Cases) InCells(byPackage bool) iter.Seq2[Cell, []int32] {
	return func(yield func(Cell, []int32) bool) {
		for _, packages := range []bool{false, true} {
			if packages && (!byPackage || len(c.Package.Codes) == 0) {
				return
			}
			ix := c.cells(packages)
			rows := make([][]int32, len(ix.list))
			for i, k := range ix.of {
				rows[k] = append(rows[k], int32(i))
			}
			for k, cell := range ix.list {
				if packages && cell.Package == "" {
					continue
				}
				if !yield(cell, rows[k]) {
					return
				}
			}
		}
	}
}

func (c *Cases) cells(byPackage bool) cellIndex { return c.cellsBy(&c.Provider, byPackage) }

// cellsBy are the cells with another label in the place of the provider.
func (c *Cases) cellsBy(label *Factor, byPackage bool) cellIndex {
	factors := []*Factor{&c.Municipality, &c.MatchScheme, &c.MatchGroup, label, &c.Package}
	if !byPackage {
		factors = factors[:4]
	}
	ix := cellIndex{of: make([]int32, c.Len())}
	keys := [][5]int32{{}} // codes of the cells so far, in their order
	for f, factor := range factors {
		keys = ix.divide(factor, keys, f)
	}
	if c.Len() == 0 {
		return ix
	}
	for _, k := range keys {
		var names [5]string
		for f, factor := range factors {
			names[f] = factor.Level(k[f])
		}
		ix.list = append(ix.list, Cell{names[0], names[1], names[2], cmp.Or(names[3], OwnProvider), names[4]})
	}
	return ix
}

// maxDense is how many pairs of a cell and a code are looked up in a table.
const maxDense = 1 << 22

// divide splits every cell by a factor, whose codes become the f-th of its key.
// Cells stay in the order of their keys.
func (ix *cellIndex) divide(factor *Factor, keys [][5]int32, f int) [][5]int32 {
	if len(factor.Codes) == 0 {
		for k := range keys {
			keys[k][f] = -1
		}
		return keys
	}
	codes := int64(len(factor.Levels)) + 1
	split := func(pair int64) [5]int32 {
		key := keys[pair/codes]
		key[f] = int32(pair%codes) - 1
		return key
	}
	var out [][5]int32
	if int64(len(keys))*codes <= maxDense {
		number := make([]int32, int64(len(keys))*codes)
		for i, k := range ix.of {
			number[int64(k)*codes+int64(factor.Codes[i])+1] = 1
		}
		for pair, used := range number {
			if used != 0 {
				number[pair] = int32(len(out))
				out = append(out, split(int64(pair)))
			}
		}
		for i, k := range ix.of {
			ix.of[i] = number[int64(k)*codes+int64(factor.Codes[i])+1]
		}
		return out
	}
	number := map[int64]int32{}
	for i, k := range ix.of {
		number[int64(k)*codes+int64(factor.Codes[i])+1] = 0
	}
	for _, pair := range slices.Sorted(maps.Keys(number)) {
		number[pair] = int32(len(out))
		out = append(out, split(pair))
	}
	for i, k := range ix.of {
		ix.of[i] = number[int64(k)*codes+int64(factor.Codes[i])+1]
	}
	return out
}
