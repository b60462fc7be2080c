package beforeafter

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Never is the Since of a unit without the change.
const Never = math.MaxInt

// ErrPanel is wrapped by errors about a panel that is not one: lengths that do
// not belong together, a unit or a period twice, numbers that are not finite.
var ErrPanel = errors.New("beforeafter: not a panel")

// Panel is an outcome of units over periods. All methods take it as it is and
// none changes it.
type Panel struct {
	Units   []string // each once; municipalities or counties, never persons
	Periods []int    // ascending: years, or what Calendar counts
	// Calendar says what the periods are called; the zero value takes them as numbers.
	Calendar Calendar
	// Y[u][t] is the outcome of unit u in period t; NaN where it is missing.
	Y [][]float64
	// Since is each unit's first period with the change, Never for none. It need not
	// be among the periods: a change after the last one has not come yet, and a unit
	// with the change in or before the first has no time before it.
	Since []int
	// Covariates are the names of the columns of X; X[u] are the unit's values,
	// constant over time. Both may be nil.
	Covariates []string
	X          [][]float64
	// Weight is how much each unit counts, positive; nil counts all the same.
	Weight []float64
}

// Cell is one unit in one period.
type Cell struct {
	Unit   string
	Period int
}

// Check returns an error that wraps ErrPanel unless there is a unit and a
// period, every unit and every period is there once, the periods ascend, the
// lengths fit, no outcome is infinite, all covariates are finite, and all
// weights are positive and finite. Missing outcomes are no fault: see
// [Panel.Missing].
func (p *Panel) Check() error {
	n, fault := len(p.Units), func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrPanel, fmt.Sprintf(format, args...))
	}
	switch {
	case n == 0:
		return fault("there is no unit")
	case len(p.Periods) == 0:
		return fault("there is no period")
	case len(p.Y) != n:
		return fault("%d units have %d rows of outcomes", n, len(p.Y))
	case len(p.Since) != n:
		return fault("%d units have %d first periods with the change", n, len(p.Since))
	case len(p.Covariates) > 0 && len(p.X) != n:
		return fault("%d units have %d rows of covariates", n, len(p.X))
	case p.Weight != nil && len(p.Weight) != n:
		return fault("%d units have %d weights", n, len(p.Weight))
	}
	for t := 1; t < len(p.Periods); t++ {
		switch a, b := p.Periods[t-1], p.Periods[t]; {
		case a == b:
			return fault("period %s is there twice", p.Calendar.Label(b))
		case a > b:
			return fault("period %s comes after %s; give the periods in ascending order", p.Calendar.Label(b), p.Calendar.Label(a))
		}
	}
	seen := make(map[string]bool, n)
	for u, unit := range p.Units {
		if seen[unit] {
			return fault("unit %s is there twice", unit)
		}
		seen[unit] = true
		if len(p.Y[u]) != len(p.Periods) {
			return fault("unit %s has %d outcomes for %d periods", unit, len(p.Y[u]), len(p.Periods))
		}
		for t, y := range p.Y[u] {
			if math.IsInf(y, 0) {
				return fault("the outcome of unit %s in period %s is infinite", unit, p.Calendar.Label(p.Periods[t]))
			}
		}
		if len(p.X) > 0 && len(p.X[u]) != len(p.Covariates) {
			return fault("unit %s has %d values for %d covariates", unit, len(p.X[u]), len(p.Covariates))
		}
		for k, name := range p.Covariates {
			if x := p.X[u][k]; math.IsNaN(x - x) {
				return fault("covariate %s of unit %s is missing or infinite; leave the unit out or fill it in", name, unit)
			}
		}
		if p.Weight != nil {
			if w := p.Weight[u]; !(w > 0) || math.IsInf(w, 0) {
				return fault("the weight of unit %s is not a positive number", unit)
			}
		}
	}
	return nil
}

// Missing lists the units and periods without an outcome, by unit as they
// stand and then by period. The panel must pass Check.
func (p *Panel) Missing() []Cell {
	var out []Cell
	for u, row := range p.Y {
		for t, y := range row {
			if math.IsNaN(y) {
				out = append(out, Cell{p.Units[u], p.Periods[t]})
			}
		}
	}
	return out
}

// Before lists the units that had the change in the first period already. They
// have no time before it: they can be neither compared nor compared with.
func (p *Panel) Before() []string {
	var out []string
	for u, since := range p.Since {
		if since <= p.Periods[0] {
			out = append(out, p.Units[u])
		}
	}
	return out
}

// Keep returns the panel with only the units that keep marks, which share their
// rows with p.
func (p *Panel) Keep(keep []bool) *Panel {
	var at []int
	for u := range p.Units {
		if keep[u] {
			at = append(at, u)
		}
	}
	return p.pick(at)
}

// Complete returns the panel of the units whose every outcome is known, and the
// names of those left out.
func (p *Panel) Complete() (_ *Panel, left []string) {
	keep := make([]bool, len(p.Units))
	for u, row := range p.Y {
		keep[u] = !slices.ContainsFunc(row, math.IsNaN)
		if !keep[u] {
			left = append(left, p.Units[u])
		}
	}
	return p.Keep(keep), left
}

// Sorted returns the panel with its units in the order of their names, so that
// sums over units do not depend on the order they came in.
func (p *Panel) Sorted() *Panel {
	at := make([]int, len(p.Units))
	for u := range at {
		at[u] = u
	}
	slices.SortFunc(at, func(a, b int) int { return cmp.Compare(p.Units[a], p.Units[b]) })
	return p.pick(at)
}

// pick returns the panel of the units at the places given.
func (p *Panel) pick(at []int) *Panel {
	out := &Panel{Periods: p.Periods, Calendar: p.Calendar, Covariates: p.Covariates}
	for _, u := range at {
		out.Units = append(out.Units, p.Units[u])
		out.Y = append(out.Y, p.Y[u])
		out.Since = append(out.Since, p.Since[u])
		if len(p.X) > 0 {
			out.X = append(out.X, p.X[u])
		}
		if p.Weight != nil {
			out.Weight = append(out.Weight, p.Weight[u])
		}
	}
	return out
}

// until returns the panel of the first n periods.
func (p *Panel) until(n int) *Panel {
	out := *p
	out.Periods, out.Y = p.Periods[:n], make([][]float64, len(p.Y))
	for u, row := range p.Y {
		out.Y[u] = row[:n]
	}
	return &out
}

// at returns the place of a period, or -1.
func (p *Panel) at(period int) int {
	t, ok := slices.BinarySearch(p.Periods, period)
	if !ok {
		return -1
	}
	return t
}

// Row is one unit in one period, as a long table has it.
type Row struct {
	Unit   string
	Period int
	Y      float64 // NaN where missing
	Since  int     // the unit's first period with the change, Never for none
	X      []float64
	Weight float64 // used where any row has one other than 0
}

// FromRows makes a panel of the rows of a long table in any order: units in the
// order of their names, periods ascending, NaN for a unit and period without a
// row. It returns an error that wraps ErrPanel when a unit has a period twice,
// when Since, a covariate or the weight differs between the rows of a unit, or
// when the panel does not pass Check. No row is left out. Periods are numbers; see
// [Calendar.FromRows] for others.
func FromRows(covariates []string, rows []Row) (*Panel, error) {
	return Numbers.FromRows(covariates, rows)
}

// FromRows is [FromRows] for periods of the calendar.
func (c Calendar) FromRows(covariates []string, rows []Row) (*Panel, error) {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrPanel, fmt.Sprintf(format, args...))
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Unit, b.Unit), cmp.Compare(a.Period, b.Period))
	})
	p := &Panel{Calendar: c, Covariates: covariates}
	weighted := false
	for _, r := range rows {
		p.Periods = append(p.Periods, r.Period)
		weighted = weighted || r.Weight != 0
	}
	slices.Sort(p.Periods)
	p.Periods = slices.Compact(p.Periods)
	for i, r := range rows {
		if len(r.X) != len(covariates) {
			return nil, fault("unit %s has %d values for %d covariates", r.Unit, len(r.X), len(covariates))
		}
		if i == 0 || r.Unit != rows[i-1].Unit {
			empty := make([]float64, len(p.Periods))
			for t := range empty {
				empty[t] = math.NaN()
			}
			p.Units, p.Y, p.Since = append(p.Units, r.Unit), append(p.Y, empty), append(p.Since, r.Since)
			if len(covariates) > 0 {
				p.X = append(p.X, slices.Clone(r.X))
			}
			if weighted {
				p.Weight = append(p.Weight, r.Weight)
			}
		} else {
			before := rows[i-1]
			switch {
			case r.Period == before.Period:
				return nil, fault("unit %s has period %s twice", r.Unit, c.Label(r.Period))
			case r.Since != before.Since:
				return nil, fault("unit %s has more than one first period with the change", r.Unit)
			case weighted && r.Weight != before.Weight:
				return nil, fault("the weight of unit %s differs between periods; a unit has one weight", r.Unit)
			}
			for k, name := range covariates {
				if r.X[k] != before.X[k] && !(math.IsNaN(r.X[k]) && math.IsNaN(before.X[k])) {
					return nil, fault("covariate %s of unit %s differs between periods; give its value from before the change in every row", name, r.Unit)
				}
			}
		}
		p.Y[len(p.Y)-1][p.at(r.Period)] = r.Y
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	return p, nil
}
