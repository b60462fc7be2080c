package jobeffekt

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// ErrPanelTable is wrapped by errors about a table that is no panel.
var ErrPanelTable = errors.New("table of a panel")

// PanelColumns say which columns of a table are a panel: one row a unit and
// period.
type PanelColumns struct {
	Unit, Period, Outcome string
	// Since is the unit's first period with the change. Treated, in place of it, is 1
	// or true in the periods with the change and 0 or false in those before.
	Since, Treated string
	Covariates     []string
	Weight         string // "" for none
}

// PanelOf makes a panel of a table in any order of rows. Units are names or whole
// numbers. Periods are whole numbers (years, or periods counted), or names as
// 2008, 2008H1, 2008Q3 or 2008-09, all of one length. Since is the unit's first
// period with the change in the same form, or a date in it; null, 0, never,
// NA, NaN and Inf stand for no change. A null outcome is missing; covariates and weights are the
// same in all rows of a unit.
//
// Errors wrap [ErrPanelTable] or [beforeafter.ErrPanel] and name columns, units
// and periods.
func PanelOf(t *ingest.Table, c PanelColumns) (*beforeafter.Panel, error) {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrPanelTable, fmt.Sprintf(format, args...))
	}
	var all []string
	for i := range t.Columns {
		all = append(all, t.Columns[i].Name)
	}
	var faults []error
	column := func(name, what string) *ingest.Column {
		found := t.Column(name)
		if found == nil {
			faults = append(faults, fault("there is no column %q for the %s%s", name, what, strict.Suggest(name, all)))
		}
		return found
	}
	unit, period, outcome := column(c.Unit, "unit"), column(c.Period, "period"), column(c.Outcome, "outcome")
	since := column(cmp.Or(c.Since, c.Treated), "change")
	var numbers []*ingest.Column
	for k, name := range c.Covariates {
		if slices.Contains(c.Covariates[:k], name) {
			faults = append(faults, fault("the covariate %q stands twice", name))
			continue
		}
		numbers = append(numbers, column(name, "covariate"))
	}
	if c.Weight != "" {
		numbers = append(numbers, column(c.Weight, "weight"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for _, n := range append([]*ingest.Column{outcome}, numbers...) {
		if n.Ints == nil && n.Floats == nil {
			faults = append(faults, fault("column %s does not hold numbers alone", n.Name))
		}
	}
	if unit.Floats != nil || unit.Dates != nil || unit.Bools != nil {
		faults = append(faults, fault("column %s holds no names or whole numbers of units, or lacks some", unit.Name))
	}
	calendar, number, err := periodsOf(period)
	if err != nil {
		faults = append(faults, fault("%s", err))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	rows, changed := make([]beforeafter.Row, t.Rows()), make([]bool, t.Rows())
	for i := range rows {
		r := &rows[i]
		r.Unit, r.Y, r.Since = unit.Cell(i), numberAt(outcome, i), beforeafter.Never
		if r.Period, err = number(period, i); err != nil {
			return nil, fault("row %d: column %s: %s", i+1, period.Name, err)
		}
		switch s := strings.ToLower(since.Cell(i)); {
		case c.Since == "" && s != "0" && s != "1" && s != "false" && s != "true":
			return nil, fault("row %d: column %s is neither 0 nor 1", i+1, since.Name)
		case c.Since == "":
			changed[i] = s == "1" || s == "true"
		case !slices.Contains([]string{"", "0", "never", "na", "nan", "inf"}, s):
			if r.Since, err = number(since, i); err != nil {
				return nil, fault("row %d: column %s: %s", i+1, since.Name, err)
			}
		}
		if r.Unit == "" {
			return nil, fault("row %d has no unit (column %s)", i+1, unit.Name)
		}
		for _, n := range numbers[:len(c.Covariates)] {
			r.X = append(r.X, numberAt(n, i))
		}
		if c.Weight != "" {
			r.Weight = numberAt(numbers[len(c.Covariates)], i)
			if !(r.Weight > 0) {
				return nil, fault("row %d: the weight (column %s) is not a positive number", i+1, c.Weight)
			}
		}
	}
	if c.Since == "" {
		first := map[string]int{}
		for i, r := range rows {
			if known, ok := first[r.Unit]; changed[i] && (!ok || r.Period < known) {
				first[r.Unit] = r.Period
			}
		}
		for i := range rows {
			if since, ok := first[rows[i].Unit]; ok {
				if rows[i].Since = since; !changed[i] && rows[i].Period >= since {
					return nil, fault("unit %s loses the change again in %s; only changes that stay can be compared", rows[i].Unit, calendar.Label(rows[i].Period))
				}
			}
		}
	}
	return calendar.FromRows(c.Covariates, rows)
}

func numberAt(c *ingest.Column, i int) float64 {
	if c.Ints != nil {
		return float64(c.Ints[i])
	}
	return c.Floats[i]
}

// periodsOf tells what the periods of a column are, and how one is read.
func periodsOf(c *ingest.Column) (beforeafter.Calendar, func(*ingest.Column, int) (int, error), error) {
	calendar := beforeafter.Numbers
	if c.Texts != nil || c.Factor != nil {
		for i := 0; i < len(c.Texts) || c.Factor != nil && i < len(c.Factor.Codes); i++ {
			one, err := beforeafter.CalendarOf(c.Cell(i))
			if err != nil {
				return calendar, nil, fmt.Errorf("column %s: row %d is not a period such as 2008, 2008H1, 2008Q3 or 2008-09", c.Name, i+1)
			}
			if i > 0 && one != calendar {
				return calendar, nil, fmt.Errorf("column %s: the periods are not all of one length", c.Name)
			}
			calendar = one
		}
	} else if c.Ints == nil {
		return calendar, nil, fmt.Errorf("column %s holds neither names of periods nor whole numbers, or lacks some", c.Name)
	}
	whole := calendar == beforeafter.Numbers || calendar == beforeafter.Years
	other := fmt.Errorf("not a period of the same length as the others, such as %s", calendar.Label(calendar.Of(effect.NewDate(2008, 9, 1))))
	return calendar, func(c *ingest.Column, i int) (int, error) {
		switch {
		case c.Dates != nil:
			return calendar.Of(c.Dates[i]), nil
		case c.Ints != nil && whole:
			return int(c.Ints[i]), nil
		case c.Floats != nil && whole:
			// A column of whole numbers with nulls.
			if v := c.Floats[i]; v == math.Trunc(v) && math.Abs(v) < 1<<31 {
				return int(v), nil
			}
			return 0, errors.New("not a whole number")
		case c.Texts != nil || c.Factor != nil:
			name := c.Cell(i)
			if n, err := strconv.Atoi(name); err == nil && whole {
				return n, nil
			}
			if d, err := effect.ParseDate(name); err == nil {
				return calendar.Of(d), nil
			}
			p, err := effect.ParsePeriod(name)
			if one, _ := beforeafter.CalendarOf(name); err != nil || one != calendar {
				return 0, other
			}
			return calendar.Of(p.Start), nil
		}
		return 0, other
	}, nil
}
