package dream

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// template is the standard map, as a file to edit.
//
//go:embed codes.yaml
var template []byte

// Template is the file of the standard map, with its comments, for editing.
func Template() []byte { return slices.Clone(template) }

// Map says what the panel's codes, empty weeks and months mean. Start from
// [DefaultMap] or from the file that [Template] gives.
type Map struct {
	// Codes maps codes and ranges of codes to states. Of two ranges that hold a
	// code the one inside the other counts; ranges that overlap otherwise, or are
	// the same, are a fault. A code in no range stops the conversion.
	Codes []Entry `yaml:"codes" doc:"the benefit codes and the states they mean"`
	// Empty are codes that mean an empty week, beside null and blank text.
	Empty []CodeRange `yaml:"empty,omitempty" doc:"codes that mean an empty week, beside null and blank text"`
	// Ends are codes that end DREAM's observation: the state goes on through empty
	// weeks, until a week with another code or, where there is income, with work.
	Ends []CodeRange `yaml:"ends,omitempty" doc:"codes whose state goes on through the empty weeks after it"`
	// EmptyWeek is the state of an empty week in a month without income, or none.
	EmptyWeek EmptyWeek `yaml:"empty_week" doc:"the state of an empty week in a month without income, or none"`
	// Income says which columns show that a month has income.
	Income Income `yaml:"income" doc:"which columns show that a month has income"`
	// OutsideMonths says what to do with weeks whose month has no column.
	OutsideMonths Outside `yaml:"outside_months" doc:"what to do with weeks before the first or after the last column of months"`
	// Beside says whether work beside a benefit makes spells.
	Beside Beside `yaml:"beside" doc:"whether work beside a benefit makes spells of ordinary employment"`
	// FullDegree is the degree that stands for full-time work: 1, or 100 where
	// degrees are percent.
	FullDegree float64 `yaml:"full_degree" doc:"the degree that stands for full-time work"`
	// FullHours are the weekly hours of full-time work. 0 leaves hours out.
	FullHours float64 `yaml:"full_hours" doc:"weekly hours at the full degree; 0 leaves hours out"`
}

// Entry says what the codes of a range mean.
type Entry struct {
	Codes CodeRange    `yaml:"codes" doc:"a code, or a range of codes as in 730-739"`
	State effect.State `yaml:"state" doc:"the state"`
	// Is names the benefit, in words.
	Is string `yaml:"is,omitempty" doc:"the benefit in words"`
	// Believed says that the meaning rests on what analysts write, not on the code
	// list of the register.
	Believed bool `yaml:"believed,omitempty" doc:"true where it is not checked against the register's own list"`
}

// Beside says whether a week with a benefit code is a week of work too. DREAM
// holds one code for a week, so such work shows only in the month's degree.
type Beside struct {
	// Work is none, or from_grad: a week with one of the States in a month whose
	// degree is positive and LeastDegree or more is a week of work too.
	Work        BesideWork     `yaml:"work" doc:"none, or from_grad"`
	LeastDegree float64        `yaml:"least_degree,omitempty" doc:"the least degree that counts, in the scale of full_degree"`
	States      []effect.State `yaml:"states,omitempty" doc:"the states beside which work counts"`
}

// Income says which columns show that a month has income.
type Income string

// A month has income when the industry is there (not null, blank or 0), when the
// degree is positive, when either is so or when both are.
const (
	IncomeEither  Income = "either"
	IncomeBoth    Income = "both"
	IncomeBranche Income = "branche"
	IncomeGrad    Income = "grad"
)

// Names lists what an Income can be.
func (Income) Names() []string {
	return []string{string(IncomeEither), string(IncomeBoth), string(IncomeBranche), string(IncomeGrad)}
}

// BesideWork says what shows work beside a benefit.
type BesideWork string

// Nothing shows it, or the degree of the month does.
const (
	BesideNone     BesideWork = "none"
	BesideFromGrad BesideWork = "from_grad"
)

// Names lists what a BesideWork can be.
func (BesideWork) Names() []string { return []string{string(BesideNone), string(BesideFromGrad)} }

// Outside says what to do with weeks whose month has no column.
type Outside string

// The panel is refused, or whether there was work in an empty week is unknown:
// it makes no spell and is counted.
const (
	OutsideRefuse  Outside = "refuse"
	OutsideUnknown Outside = "unknown"
)

// Names lists what an Outside can be.
func (Outside) Names() []string { return []string{string(OutsideRefuse), string(OutsideUnknown)} }

// EmptyWeek is the name of a state, or [NoSpell].
type EmptyWeek string

// NoSpell says that an empty week in a month without income makes no spell.
const NoSpell EmptyWeek = "none"

// Names lists what an EmptyWeek can be.
func (EmptyWeek) Names() []string { return append([]string{string(NoSpell)}, effect.StateNames()...) }

// CodeRange is the whole numbers from First to Last, or one code that is no
// number. Its text is 997, 730-739, or any other text without blanks at its ends.
type CodeRange struct {
	First, Last int64
	Text        string // "" for numbers
}

// Codes returns the range from first to last.
func Codes(first, last int64) CodeRange { return CodeRange{First: first, Last: last} }

// String writes the range as UnmarshalText reads it.
func (r CodeRange) String() string {
	switch {
	case r.Text != "":
		return r.Text
	case r.First == r.Last:
		return strconv.FormatInt(r.First, 10)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// MarshalText writes the range as UnmarshalText reads it.
func (r CodeRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads 997, 730-739 or another code.
func (r *CodeRange) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.ParseUint(first, 10, 31)
	to, err2 := strconv.ParseUint(last, 10, 31)
	switch {
	case err != nil || err2 != nil || !isRange && strconv.FormatUint(from, 10) != s:
		*r = CodeRange{Text: s}
	case from > to:
		return fmt.Errorf("%w: %q runs backwards; write %d-%d", ErrMap, s, to, from)
	default:
		*r = Codes(int64(from), int64(to))
	}
	return nil
}

// holds says whether a code lies in the range.
func (r CodeRange) holds(code effect.ID) bool {
	n, ok := code.Number()
	if r.Text != "" {
		return !ok && code.String() == r.Text
	}
	return ok && r.First <= n && n <= r.Last
}

// DefaultMap is the standard map. Most of its codes are believed, not checked: see
// docs/dream.md.
func DefaultMap() *Map {
	m, err := ParseMap("codes.yaml", template)
	if err != nil {
		panic("dream: the standard map cannot be read: " + err.Error())
	}
	return m
}

// ParseMap reads a map from a YAML file; name stands for the file. The error is
// *strict.Faults, which lists every fault with its place.
func ParseMap(name string, src []byte) (*Map, error) {
	m := &Map{}
	doc, faults := strict.Decode(name, src, m)
	if faults.Err() == nil {
		m.check(func(path, format string, args ...any) { faults.Add(doc, path, strict.Contradiction, format, args...) })
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// Validate says whether the map makes sense, with an error that wraps [ErrMap].
// A map from [ParseMap] does.
func (m *Map) Validate() error {
	var problems []string
	m.check(func(path, format string, args ...any) {
		problems = append(problems, path+": "+fmt.Sprintf(format, args...))
	})
	if len(problems) > 0 {
		return fmt.Errorf("%w: %s", ErrMap, strings.Join(problems, "; "))
	}
	return nil
}

func (m *Map) check(fault func(path, format string, args ...any)) {
	for i, a := range m.Codes {
		path := fmt.Sprintf("codes[%d]", i)
		for _, b := range m.Codes[:i] {
			switch {
			case a.Codes == b.Codes:
				fault(path, "%s stands twice", a.Codes)
			case a.Codes.crosses(b.Codes):
				fault(path, "%s overlaps %s and neither lies inside the other: it is not clear what the codes in both mean", a.Codes, b.Codes)
			}
		}
		for _, e := range m.Empty {
			if a.Codes == e {
				fault(path, "%s also stands under empty", a.Codes)
			}
		}
	}
	for i, e := range m.Ends {
		if e.Text != "" || !slices.ContainsFunc(m.Codes, func(c Entry) bool {
			return c.Codes.Text == "" && c.Codes.First <= e.First && e.Last <= c.Codes.Last
		}) {
			fault(fmt.Sprintf("ends[%d]", i), "%s has no state under codes", e)
		}
	}
	for _, x := range []struct {
		path string
		ok   bool
		want string
	}{
		{"empty_week", slices.Contains(m.EmptyWeek.Names(), string(m.EmptyWeek)) && m.EmptyWeek != EmptyWeek(effect.OrdinaryEmployment.String()), "none, or a state other than ordinary_employment: an empty week without income is not employment"},
		{"income", slices.Contains(m.Income.Names(), string(m.Income)), "one of " + strings.Join(m.Income.Names(), ", ")},
		{"outside_months", slices.Contains(m.OutsideMonths.Names(), string(m.OutsideMonths)), "one of " + strings.Join(m.OutsideMonths.Names(), ", ")},
		{"beside.work", slices.Contains(m.Beside.Work.Names(), string(m.Beside.Work)), "one of " + strings.Join(m.Beside.Work.Names(), ", ")},
		{"beside.least_degree", m.Beside.LeastDegree >= 0 && m.Beside.LeastDegree < math.Inf(1), "0 or more"},
		{"beside.states", m.Beside.Work != BesideFromGrad || len(m.Beside.States) > 0, "given where work is from_grad"},
		{"beside.states", !slices.Contains(m.Beside.States, effect.OrdinaryEmployment), "without ordinary_employment, which is work itself"},
		{"full_degree", m.FullDegree > 0 && m.FullDegree < math.Inf(1), "more than 0"},
		{"full_hours", m.FullHours >= 0 && m.FullHours <= effect.MaxHours, "from 0 to 168"},
	} {
		if !x.ok {
			fault(x.path, "it should be %s", x.want)
		}
	}
}

// crosses says whether two ranges of numbers overlap, and neither lies inside
// the other.
func (r CodeRange) crosses(o CodeRange) bool {
	if r.Text != "" || o.Text != "" || r.Last < o.First || o.Last < r.First {
		return false
	}
	inside := func(a, b CodeRange) bool { return b.First <= a.First && a.Last <= b.Last }
	return !inside(r, o) && !inside(o, r)
}

// entry is what the map says of a code, nil where it says nothing.
func (m *Map) entry(code effect.ID) *Entry {
	var found *Entry
	for i := range m.Codes {
		e := &m.Codes[i]
		if e.Codes.holds(code) && (found == nil || e.Codes.Last-e.Codes.First < found.Codes.Last-found.Codes.First) {
			found = e
		}
	}
	return found
}

func among(ranges []CodeRange, code effect.ID) bool {
	return slices.ContainsFunc(ranges, func(r CodeRange) bool { return r.holds(code) })
}
