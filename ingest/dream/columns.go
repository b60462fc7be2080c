package dream

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/nearest"
)

// Monday is the first day of an ISO week; ok is false where the year has no such
// week. Years have 52 or 53 weeks; week 1 holds 4 January.
func Monday(year, week int) (monday effect.Date, ok bool) {
	first := func(year int) effect.Date {
		fourth := effect.NewDate(year, 1, 4)
		return fourth - weekday(fourth)
	}
	monday = first(year) + effect.Date(7*(week-1))
	return monday, week >= 1 && monday < first(year+1)
}

// weekday counts from Monday, 0. Day 0 of the calendar is a Thursday.
func weekday(d effect.Date) effect.Date { return ((d+3)%7 + 7) % 7 }

// Year is the year that two digits of a column's name mean: 90 to 99 are 1990 to
// 1999, 00 to 89 are 2000 to 2089.
func Year(twoDigits int) int {
	if twoDigits >= 90 {
		return 1900 + twoDigits
	}
	return 2000 + twoDigits
}

// WeekName is the name of the column of a week, as in y_0953.
func WeekName(monday effect.Date) string {
	year, week := monday.Time().ISOWeek()
	return fmt.Sprintf("y_%02d%02d", year%100, week)
}

// month numbers calendar months: twelve a year.
type month int

// monthOf is the month a week belongs to: that of its Thursday.
func monthOf(monday effect.Date) month {
	t := (monday + 3).Time()
	return month(t.Year()*12 + int(t.Month()) - 1)
}

func (m month) String() string { return fmt.Sprintf("%04d_%02d", int(m)/12, int(m)%12+1) }

// kind is what a column of the panel holds.
type kind int

const (
	weekKind kind = iota
	brancheKind
	gradKind
	kinds
)

func (k kind) prefix() string { return [kinds]string{"y_", "branche_", "grad_"}[k] }

// column is a column with what its name means: a Monday, or a month.
type column struct {
	name string
	key  int
}

// parseColumn reads the name of a column, of which the case does not count, nor
// zeros before a number. ours is false for a column that is none of the panel's,
// ok for a name that means no week or month there is.
func parseColumn(name string) (k kind, key int, ours, ok bool) {
	lower := strings.ToLower(name)
	for k := range kinds {
		rest, has := strings.CutPrefix(lower, k.prefix())
		if !has {
			continue
		}
		if k == weekKind {
			n, digits := number(rest, 3, 4)
			if !digits {
				return k, 0, false, false
			}
			monday, ok := Monday(Year(n/100), n%100)
			return k, int(monday), true, ok
		}
		y, m, _ := strings.Cut(rest, "_")
		year, a := number(y, 4, 4)
		mon, b := number(m, 1, 2)
		if !a || !b {
			return k, 0, false, false
		}
		return k, year*12 + mon - 1, true, year >= 1900 && year <= 2200 && mon >= 1 && mon <= 12
	}
	return 0, 0, false, false
}

// number reads text of so many digits.
func number(s string, least, most int) (n int, ok bool) {
	if len(s) < least || len(s) > most || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// sheet is the columns of one part that are read.
type sheet struct {
	person  string
	whole   bool // person ids are whole numbers
	columns [kinds][]column
	unread  []string
}

// names is the name of the column for a key of a kind, "" where there is none.
func (s *sheet) name(k kind, key int) string {
	i, ok := slices.BinarySearchFunc(s.columns[k], key, func(c column, key int) int { return c.key - key })
	if !ok {
		return ""
	}
	return s.columns[k][i].name
}

// readSheet sorts the columns of a part by what they hold.
func readSheet(file string, all []ingest.PanelColumn, person string) (*sheet, []Problem) {
	s := &sheet{}
	var problems []Problem
	fault := func(f Fault, name, format string, args ...any) {
		problems = append(problems, Problem{f, file, name, fmt.Sprintf(format, args...)})
	}
	seen := [kinds]map[int]string{}
	for k := range seen {
		seen[k] = map[int]string{}
	}
	before := [kinds]column{}
	for _, c := range all {
		if strings.EqualFold(c.Name, person) {
			switch {
			case s.person != "":
				fault(Twice, c.Name, "the column of persons is there twice, as %q and %q: remove one", s.person, c.Name)
			case !c.ID:
				fault(WrongType, c.Name, "%s; a person id is a whole number or text", c.Type)
			}
			s.person, s.whole = c.Name, c.Whole
			continue
		}
		k, key, ours, ok := parseColumn(c.Name)
		if !ours {
			s.unread = append(s.unread, c.Name)
			continue
		}
		switch first, twice := seen[k][key]; {
		case !ok && k == weekKind:
			fault(NoSuchWeek, c.Name, "there is no such week: years have 52 weeks, some 53, and names are y_YYWW")
			continue
		case !ok:
			fault(NoSuchMonth, c.Name, "there is no such month")
			continue
		case twice:
			fault(Twice, c.Name, "the same as the column %q before it: remove one", first)
			continue
		case before[k].name != "" && key < before[k].key:
			fault(OutOfOrder, c.Name, "it stands after %q: put the columns in the order of time", before[k].name)
		}
		switch {
		case k == gradKind && !c.Number:
			fault(WrongType, c.Name, "%s; an employment degree is a number", c.Type)
		case k != gradKind && !c.Code:
			fault(WrongType, c.Name, "%s; a code is a number or text", c.Type)
		}
		seen[k][key] = c.Name
		before[k] = column{c.Name, key}
		s.columns[k] = append(s.columns[k], before[k])
	}
	for k := range s.columns {
		slices.SortFunc(s.columns[k], func(a, b column) int { return a.key - b.key })
	}
	if s.person == "" {
		what := fmt.Sprintf("there is no column %q of persons", person)
		if near := nearest.Of(person, s.unread); near != "" {
			what += fmt.Sprintf("; did you mean %q?", near)
		}
		fault(NoPerson, "", "%s", what)
	}
	if len(s.columns[weekKind]) == 0 {
		fault(NoWeeks, "", "there are no columns of weeks, which are named y_YYWW")
	}
	problems = append(problems, s.gaps(file)...)
	return s, problems
}

// gaps finds weeks and months that are missing between others.
func (s *sheet) gaps(file string) (problems []Problem) {
	weeks := s.columns[weekKind]
	for i := 1; i < len(weeks); i++ {
		if missing := (weeks[i].key - weeks[i-1].key) / 7; missing > 1 {
			problems = append(problems, Problem{MissingWeeks, file, weeks[i].name, fmt.Sprintf("%s missing between %q and it, from %s to %s",
				plural(missing-1, "week is", "weeks are"), weeks[i-1].name,
				WeekName(effect.Date(weeks[i-1].key+7)), WeekName(effect.Date(weeks[i].key-7)))})
		}
	}
	for k := brancheKind; k < kinds; k++ {
		months := s.columns[k]
		for i := 1; i < len(months); i++ {
			for key := months[i-1].key + 1; key < months[i].key; key++ {
				name := k.prefix() + month(key).String()
				problems = append(problems, Problem{MissingMonth, file, name, "the month is missing between others"})
			}
		}
	}
	return problems
}

// layout is the columns of a panel.
type layout struct {
	sheets []*sheet
	weeks  []effect.Date // Mondays, one week apart
	months []month       // of the weeks
	told   []bool        // by week: the columns tell whether its month has income
	whole  bool          // person ids are whole numbers in every part
}

// readLayout finds the columns of a panel, or a [ColumnsError].
func readLayout(p *ingest.Panel, m *Map, person string) (*layout, error) {
	l := &layout{whole: true}
	var problems []Problem
	files := p.Parts()
	for i, file := range files {
		s, faults := readSheet(file, p.Columns(i), person)
		l.sheets = append(l.sheets, s)
		problems = append(problems, faults...)
		l.whole = l.whole && s.whole
		if i > 0 {
			problems = append(problems, differences(file, s, files[0], l.sheets[0])...)
		}
	}
	s := l.sheets[0]
	var outside []string
	for _, c := range s.columns[weekKind] {
		monday := effect.Date(c.key)
		of := monthOf(monday)
		told := m.tells(s.name(brancheKind, int(of)) != "", s.name(gradKind, int(of)) != "")
		l.weeks, l.months, l.told = append(l.weeks, monday), append(l.months, of), append(l.told, told)
		if !told {
			outside = append(outside, c.name)
		}
	}
	if len(outside) > 0 && m.OutsideMonths == OutsideRefuse {
		problems = append(problems, Problem{OutsideMonth, files[0], outside[0], fmt.Sprintf(
			"%s, up to %q, in months without the columns that show income (income: %s, beside: %s): bring them, leave the weeks out, or set outside_months: unknown in the code map",
			plural(len(outside), "week lies", "weeks lie"), outside[len(outside)-1], m.Income, m.Beside.Work)})
	}
	if len(problems) > 0 {
		return nil, &ColumnsError{problems}
	}
	return l, nil
}

// tells says whether the columns of a month tell what the map wants to know.
func (m *Map) tells(branche, grad bool) bool {
	ok := map[Income]bool{IncomeEither: branche || grad, IncomeBoth: branche && grad, IncomeBranche: branche, IncomeGrad: grad}[m.Income]
	return ok && (grad || m.Beside.Work == BesideNone)
}

// differences finds columns that one part has and the first has not, or the other
// way round.
func differences(file string, s *sheet, firstFile string, first *sheet) (problems []Problem) {
	for k := range kinds {
		for _, x := range []struct {
			in, of  *sheet
			file    string
			without string
		}{{s, first, file, firstFile}, {first, s, firstFile, file}} {
			for _, c := range x.in.columns[k] {
				if x.of.name(k, c.key) == "" {
					problems = append(problems, Problem{PartsDiffer, x.without, c.name, fmt.Sprintf("it is in %s, and missing in this part", x.file)})
				}
			}
		}
	}
	if s.person != "" && first.person != "" && s.whole != first.whole {
		problems = append(problems, Problem{PartsDiffer, file, s.person, "person ids are whole numbers in one part and text in another"})
	}
	return problems
}
