package effect

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Date is a civil day, counted from 1970-01-01 (day 0). It has no clock time
// and no zone. Intervals of dates are half-open: [start, end).
type Date int32

// NoDate stands for a missing date: an open end, a day never reached. It is
// below every valid date and is written as null.
const NoDate Date = math.MinInt32

// FirstDate and LastDate bound the dates that input may hold: 1900-01-01 and
// 2200-12-31. A date outside them is a bad row.
const (
	FirstDate Date = -25567
	LastDate  Date = 84370
)

// ErrDate is wrapped by every error about the text of a date, span or period.
var ErrDate = errors.New("effect: not a date, span or period")

// NewDate returns the day of a year, month and day of the Gregorian calendar;
// values outside their usual ranges are normalised as by time.Date.
func NewDate(year int, month time.Month, day int) Date {
	return Date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// ParseDate reads a date written as 2006-01-02, from FirstDate to LastDate.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return NoDate, fmt.Errorf("%w: %q is not a date written as 2008-12-31", ErrDate, s)
	}
	d := Date(t.Unix() / 86400)
	if d < FirstDate || d > LastDate {
		return NoDate, fmt.Errorf("%w: %s lies outside %s to %s", ErrDate, s, FirstDate, LastDate)
	}
	return d, nil
}

// Time returns midnight UTC of the day.
func (d Date) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String writes the date as 2006-01-02, and NoDate as "".
func (d Date) String() string {
	if d == NoDate {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}

// MarshalText and UnmarshalText use the form of String and ParseDate.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 2006-01-02; empty text is NoDate.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = NoDate
		return nil
	}
	v, err := ParseDate(string(b))
	if err == nil {
		*d = v
	}
	return err
}

// AddMonths moves a date by calendar months and clips to the month's end:
// 31 August plus 3 months is 30 November.
func (d Date) AddMonths(n int) Date {
	t := d.Time()
	y, m, day := t.Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return NewDate(first.Year(), first.Month(), min(day, last))
}

// Add moves a date by a span: months first, then days.
func (d Date) Add(s Span) Date {
	if s.Months != 0 {
		d = d.AddMonths(s.Months)
	}
	return d + Date(s.Days)
}

// Quarter names the calendar quarter of a date, as in 2008Q3.
func (d Date) Quarter() string {
	t := d.Time()
	return fmt.Sprintf("%dQ%d", t.Year(), (int(t.Month())+2)/3)
}

// Month names the calendar month of a date, as in 2008-09.
func (d Date) Month() string { return d.Time().Format("2006-01") }

// Span is a length of time: calendar months (clipped to the month's end) and
// days. A week is 7 days. The zero Span is no time at all.
type Span struct{ Months, Days int }

// Weeks returns a span of n weeks.
func Weeks(n int) Span { return Span{Days: 7 * n} }

// ParseSpan reads "26 weeks", "6 months", "182 days" or "1 year".
func ParseSpan(s string) (Span, error) {
	num, unit, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(num)
	if err == nil && n >= 0 && n <= 36500 {
		switch strings.TrimSuffix(strings.TrimSpace(unit), "s") {
		case "day":
			return Span{Days: n}, nil
		case "week":
			return Span{Days: 7 * n}, nil
		case "month":
			return Span{Months: n}, nil
		case "year":
			return Span{Months: 12 * n}, nil
		}
	}
	return Span{}, fmt.Errorf(`%w: %q is not a span such as "26 weeks", "6 months" or "10 days"`, ErrDate, s)
}

// MaxDays is the most days the span can cover, whatever day it starts on.
func (s Span) MaxDays() int { return 31*s.Months + s.Days }

// String writes the span in the form ParseSpan reads.
func (s Span) String() string {
	switch {
	case s.Months != 0:
		return plural(s.Months, "month")
	case s.Days%7 == 0 && s.Days != 0:
		return plural(s.Days/7, "week")
	}
	return plural(s.Days, "day")
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// MarshalText writes the form ParseSpan reads.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseSpan reads.
func (s *Span) UnmarshalText(b []byte) error {
	v, err := ParseSpan(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// Period is a half-open run of days [Start, End) with its usual name.
type Period struct {
	Name       string
	Start, End Date
}

// ParsePeriod reads 2008, 2008H1, 2008Q3 or 2008-09.
func ParsePeriod(s string) (Period, error) {
	bad := fmt.Errorf("%w: %q is not a period such as 2008, 2008H1, 2008Q3 or 2008-09", ErrDate, s)
	if len(s) < 4 {
		return Period{}, bad
	}
	year, err := strconv.Atoi(s[:4])
	if err != nil || year < 1900 || year > 2200 {
		return Period{}, bad
	}
	month, months := 1, 12
	if rest := s[4:]; rest != "" {
		size := map[byte]int{'H': 6, 'Q': 3, '-': 1}[rest[0]]
		n, err := strconv.Atoi(rest[1:])
		if size == 0 || err != nil || rest[1] == '+' || n < 1 || n > 12/size || (size == 1) != (len(rest) == 3) {
			return Period{}, bad
		}
		month, months = (n-1)*size+1, size
	}
	start := NewDate(year, time.Month(month), 1)
	return Period{Name: s, Start: start, End: start.AddMonths(months)}, nil
}

// Contains says whether the day lies in the period.
func (p Period) Contains(d Date) bool { return p.Start <= d && d < p.End }

// MarshalText writes the period's name.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.Name), nil }

// UnmarshalText reads what ParsePeriod reads.
func (p *Period) UnmarshalText(b []byte) error {
	v, err := ParsePeriod(string(b))
	if err == nil {
		*p = v
	}
	return err
}
