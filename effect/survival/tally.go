package survival

import (
	"cmp"
	"slices"
)

// tally is the data by day and cause: all that the curves need of persons who
// occur once, and the rows of those who occur more often.
type tally struct {
	causes  int
	days    []int32   // on which anybody left or was censored, ascending
	weight  []float64 // by day and cause (0 to causes): sum of weights
	square  []float64 // the same: sum of squared weights of persons with one row
	repeat  []row     // rows of the other persons, by day
	cluster []float64 // weight of each person in repeat
	persons int       // that carry weight
}

// row is a row of a person with several.
type row struct {
	day     int32
	cause   uint8
	person  int32 // index into tally.cluster
	weight  float64
	atCause int // place in tally.weight
}

// newTally sorts by counting days. Whole counts are the same in any order;
// weights are added in the order of day, cause, weight and person.
func newTally(d Data) *tally {
	width := d.Causes + 1
	seen := make([]int32, slices.Max(d.Days)+1)
	for i, day := range d.Days {
		if d.weight(i) > 0 {
			seen[day]++
		}
	}
	t := &tally{causes: d.Causes}
	for day, n := range seen {
		if n > 0 {
			seen[day] = int32(len(t.days)) // from here on: the place of the day
			t.days = append(t.days, int32(day))
		}
	}
	t.weight, t.square = make([]float64, len(t.days)*width), make([]float64, len(t.days)*width)
	add := func(r row) {
		t.weight[r.atCause] += r.weight
		if r.person < 0 {
			t.square[r.atCause] += r.weight * r.weight
			t.persons++
			return
		}
		t.repeat = append(t.repeat, r)
		t.cluster[r.person] += r.weight
	}
	several := d.several()
	t.cluster = make([]float64, len(several))
	t.persons += len(several)
	var rows []row
	if d.Weight != nil {
		rows = make([]row, 0, len(d.Days))
	}
	for i, day := range d.Days {
		w := d.weight(i)
		if w == 0 {
			continue
		}
		r := row{day: day, cause: d.Cause[i], person: -1, weight: w, atCause: int(seen[day])*width + int(d.Cause[i])}
		if len(several) > 0 {
			if k, ok := slices.BinarySearch(several, d.Person[i]); ok {
				r.person = int32(k)
			}
		}
		if d.Weight == nil && r.person < 0 {
			add(r)
		} else {
			rows = append(rows, r)
		}
	}
	for _, r := range bucketed(rows, len(t.weight)) {
		add(r)
	}
	return t
}

// bucketed sorts rows by place, weight and person: by counting first, so that
// only rows of the same day and cause are compared.
func bucketed(rows []row, places int) []row {
	from := make([]int, places+1)
	for _, r := range rows {
		from[r.atCause+1]++
	}
	for i := range places {
		from[i+1] += from[i]
	}
	out, next := make([]row, len(rows)), slices.Clone(from)
	for _, r := range rows {
		out[next[r.atCause]] = r
		next[r.atCause]++
	}
	for i := range places {
		slices.SortFunc(out[from[i]:from[i+1]], func(a, b row) int {
			return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.person, b.person))
		})
	}
	return out
}

// several lists the persons with more than one row that carries weight.
func (d Data) several() []int32 {
	if d.Person == nil {
		return nil
	}
	sorted := make([]int32, 0, len(d.Person))
	for i, p := range d.Person {
		if d.weight(i) > 0 {
			sorted = append(sorted, p)
		}
	}
	slices.Sort(sorted)
	var out []int32
	for i, p := range sorted {
		if i > 0 && sorted[i-1] == p && (len(out) == 0 || out[len(out)-1] != p) {
			out = append(out, p)
		}
	}
	return out
}
