package beforeafter

import (
	"fmt"
	"strconv"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Calendar says how long the periods of a panel are, in months, so that their
// numbers can be turned into dates and names: periods are counted from year 0.
// Numbers stands for periods that are whole numbers, years among them, and have
// no dates of their own but as years.
type Calendar int

// The lengths of periods.
const (
	Numbers   Calendar = 0
	Months    Calendar = 1
	Quarters  Calendar = 3
	HalfYears Calendar = 6
	Years     Calendar = 12
)

func (c Calendar) perYear() int {
	if c == Numbers {
		return 1
	}
	return 12 / int(c)
}

// Of returns the period that a day lies in.
func (c Calendar) Of(d effect.Date) int {
	year, month, _ := d.Time().Date()
	return year*c.perYear() + (int(month)-1)*c.perYear()/12
}

// Start returns the first day of a period.
func (c Calendar) Start(period int) effect.Date {
	n := c.perYear()
	return effect.NewDate(period/n, 1, 1).AddMonths(period % n * (12 / n))
}

// Label names a period as [effect.ParsePeriod] reads it: 2008, 2008H1, 2008Q3 or
// 2008-09; "" for Never, and the number itself for Numbers.
func (c Calendar) Label(period int) string {
	year, part := period/c.perYear(), period%c.perYear()+1
	switch {
	case period == Never:
		return ""
	case c == Months:
		return fmt.Sprintf("%04d-%02d", year, part)
	case c == Quarters:
		return fmt.Sprintf("%dQ%d", year, part)
	case c == HalfYears:
		return fmt.Sprintf("%dH%d", year, part)
	}
	return strconv.Itoa(period)
}

// Word is the plural of what a period is called.
func (c Calendar) Word() string {
	return map[Calendar]string{Months: "months", Quarters: "quarters", HalfYears: "half-years", Years: "years"}[c] + map[bool]string{true: "periods"}[c == Numbers]
}

// CalendarOf tells the length of periods from the name of one, as in 2008Q3.
func CalendarOf(name string) (Calendar, error) {
	p, err := effect.ParsePeriod(name)
	if err != nil {
		return Numbers, err
	}
	for _, c := range []Calendar{Months, Quarters, HalfYears} {
		if p.Start.AddMonths(int(c)) == p.End {
			return c, nil
		}
	}
	return Years, nil
}
