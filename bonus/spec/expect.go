package spec

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Expect is what comes of a scenario. A list is all there is, unless some is
// true; of each entry only what is given is compared. A new thing to expect is a
// field here and a line in compare.
type Expect struct {
	Nothing bool       `yaml:"nothing,omitempty" doc:"true: there is no line"`
	Some    bool       `yaml:"some,omitempty" doc:"true: there may be other lines, entries and faults than those given"`
	Total   *bonus.Ore `yaml:"total,omitempty" doc:"sum of all lines, in kroner"`
	Lines   []Line     `yaml:"lines,omitempty" doc:"the lines"`
	Entries []Entry    `yaml:"entries,omitempty" doc:"the cases behind the lines, with how much"`
	Carried []Balance  `yaml:"carried,omitempty" doc:"what is carried on after the last settlement period"`
	Rules   []Rule     `yaml:"rules,omitempty" doc:"what became of cases; of others nothing is said"`
	Gate    []Gate     `yaml:"gate,omitempty" doc:"how diagnostics ended; of others nothing is said"`
	// Decisions are about providers and pay nothing.
	Decisions []Decided `yaml:"decisions,omitempty" doc:"the rows of decisions"`
	// Warnings and faults are found by their code and a part of their text.
	Warnings []Told `yaml:"warnings,omitempty" doc:"warnings that there are, among others"`
	Faults   []Told `yaml:"faults,omitempty" doc:"faults that keep everything from being settled"`
}

// Line is a [bonus.Line].
type Line struct {
	Provider     string       `yaml:"provider,omitempty" doc:"provider who is paid"`
	Agreement    string       `yaml:"agreement,omitempty" doc:"agreement"`
	Period       string       `yaml:"period,omitempty" doc:"settlement period"`
	Clause       string       `yaml:"clause,omitempty" doc:"clause, or the name of a limit's line"`
	Version      *effect.Date `yaml:"version,omitempty" doc:"first day of the version"`
	Municipality string       `yaml:"municipality,omitempty" doc:"municipality of an effect"`
	MatchGroup   string       `yaml:"match_group,omitempty" doc:"match group"`
	Package      string       `yaml:"package,omitempty" doc:"offer package"`
	Cases        *int         `yaml:"cases,omitempty" doc:"cases that count in it"`
	Quantity     string       `yaml:"quantity,omitempty" doc:"how many are paid for: a decimal or a fraction"`
	UnitPrice    *bonus.Ore   `yaml:"unit_price,omitempty" doc:"price of one, in kroner"`
	Amount       *bonus.Ore   `yaml:"amount" doc:"what is paid, in kroner"`
	Reason       string       `yaml:"reason,omitempty" doc:"why nothing is paid"`
	Standing     Standing     `yaml:"standing,omitempty" doc:"sealed or retrospective"`
}

// Standing says whether what a line is paid under was sealed in time.
type Standing string

// The standings.
const (
	Sealed        Standing = "sealed"
	Retrospective Standing = "retrospective"
)

// Names lists the standings.
func (Standing) Names() []string { return []string{string(Sealed), string(Retrospective)} }

// Decided is a [bonus.Decided].
type Decided struct {
	Provider   string        `yaml:"provider,omitempty" doc:"provider that is decided about"`
	Period     string        `yaml:"period,omitempty" doc:"settlement period"`
	Clause     string        `yaml:"clause,omitempty" doc:"clause"`
	State      DecisionState `yaml:"state" doc:"met, not_met or not_rated"`
	Value      string        `yaml:"value,omitempty" doc:"the score: a decimal or a fraction"`
	N          *int          `yaml:"n,omitempty" doc:"cases, or the smallest n of its figures"`
	Rank       *int          `yaml:"rank,omitempty" doc:"place among the rated providers"`
	Rating     *int          `yaml:"rating,omitempty" doc:"rating, 1 for the lowest"`
	Threshold  string        `yaml:"threshold,omitempty" doc:"what the score was held against"`
	Difference string        `yaml:"difference,omitempty" doc:"score less the highest score"`
	Since      string        `yaml:"since,omitempty" doc:"first of the periods in a row in which it held"`
}

// DecisionState is how a decision ended.
type DecisionState string

// Names lists the states.
func (DecisionState) Names() []string {
	return []string{bonus.DecisionMet, bonus.DecisionNotMet, bonus.DecisionNotRated}
}

// Entry is a [bonus.Entry].
type Entry struct {
	Case     string       `yaml:"case" doc:"case"`
	Clause   string       `yaml:"clause,omitempty" doc:"clause of its line"`
	Provider string       `yaml:"provider,omitempty" doc:"provider of its line"`
	Period   string       `yaml:"period,omitempty" doc:"settlement period of its line"`
	On       *effect.Date `yaml:"on,omitempty" doc:"day on which it counts"`
	Quantity string       `yaml:"quantity,omitempty" doc:"how much of the line it is: a decimal or a fraction"`
}

// Rule is what became of a case.
type Rule struct {
	Case   string `yaml:"case" doc:"case"`
	Clause string `yaml:"clause,omitempty" doc:"clause; every one if left out"`
	Rule   string `yaml:"rule" doc:"counted, or the rule by which it did not count"`
}

// Gate is how a diagnostic of a line ended.
type Gate struct {
	Provider   string          `yaml:"provider,omitempty" doc:"provider of the line"`
	Clause     string          `yaml:"clause,omitempty" doc:"clause of the line"`
	Diagnostic string          `yaml:"diagnostic" doc:"what was measured; or holm, acceptance"`
	State      bonus.GateState `yaml:"state" doc:"PASS, FAIL, NOT_EVALUATED or NOT_APPLICABLE"`
}

// Told is a fault or a warning.
type Told struct {
	Code string `yaml:"code" doc:"its code"`
	Says string `yaml:"says,omitempty" doc:"a part of its text"`
}

// expect checks that something is expected, and of things that are given.
func (c *checker) expect(x *Scenario, path string) {
	e := &x.Expect
	lists := len(e.Lines) + len(e.Entries) + len(e.Carried)
	other := len(e.Rules) + len(e.Gate) + len(e.Warnings) + len(e.Decisions)
	switch {
	case !e.Nothing && e.Total == nil && lists+other+len(e.Faults) == 0:
		c.fault(path, "nothing is expected, so that the scenario cannot fail: give lines, total, rules, entries, carried, gate, decisions, warnings, faults or nothing")
	case e.Nothing && (lists > 0 || e.Some):
		c.fault(path+".nothing", "where there is no line there are neither lines nor entries")
	case len(e.Faults) > 0 && (e.Nothing || e.Total != nil || lists+other > 0):
		c.fault(path+".faults", "with a fault nothing is settled: expect faults alone")
	}
	known := map[string]bool{}
	for _, one := range x.Given.Cases {
		known[one.ID] = true
		if one.Times != nil {
			for i := range min(*one.Times, maxTimes) {
				known[fmt.Sprintf("%s-%d", one.ID, i+1)] = true
			}
		}
	}
	for i, r := range x.Given.Evidence {
		if !known[r.Case] {
			c.fault(fmt.Sprintf("%s.evidence[%d].case", strings.TrimSuffix(path, "expect")+"given", i), "no case %q is given", r.Case)
		}
	}
	for i, r := range e.Rules {
		if !known[r.Case] {
			c.fault(fmt.Sprintf("%s.rules[%d].case", path, i), "no case %q is given", r.Case)
		}
	}
	for i, r := range e.Entries {
		if !known[r.Case] {
			c.fault(fmt.Sprintf("%s.entries[%d].case", path, i), "no case %q is given", r.Case)
		}
	}
}

// maxTimes is how many cases can be alike.
const maxTimes = 100_000

// sheet is a table of what was expected and what came.
type sheet struct {
	title      string
	columns    []string
	want, got  [][]string // a cell of "" is not compared
	otherwise  bool       // what is not expected may be there too
	everywhere bool       // what is expected holds of each row that has the key, the first column
}

// compare holds a settlement against what is expected: the sheets that differ.
func (x *Scenario) compare(s *bonus.Settlement) []*sheet {
	e := &x.Expect
	lines := map[string]*bonus.Line{}
	for i := range s.Lines {
		lines[s.Lines[i].ID] = &s.Lines[i]
	}
	all := []*sheet{x.lines(s), {title: "total", columns: []string{"kr."}}, x.entries(s, lines), x.rules(s), x.gate(s, lines), told("warnings", e.Warnings, true), x.carried(s), x.decisions(s)}
	if e.Total != nil {
		sum := new(big.Rat)
		for _, l := range s.Lines {
			sum.Add(sum, l.Amount.Rat())
		}
		all[1].want, all[1].got = [][]string{{e.Total.String()}}, [][]string{{sum.FloatString(2)}}
	}
	for _, w := range s.Warnings {
		all[5].got = append(all[5].got, []string{w.Code, w.Text})
	}
	return slices.DeleteFunc(all, func(t *sheet) bool { return !t.differs() })
}

// lines compares the lines, where any are expected or none is.
func (x *Scenario) lines(s *bonus.Settlement) *sheet {
	e := &x.Expect
	t := &sheet{title: "lines", columns: []string{"provider", "agreement", "period", "clause", "version", "municipality", "match_group", "package", "cases", "quantity", "unit_price", "amount", "reason", "standing"}, otherwise: e.Some}
	if len(e.Lines) == 0 && !e.Nothing {
		return t
	}
	for _, l := range e.Lines {
		t.want = append(t.want, []string{
			l.Provider, l.Agreement, l.Period, l.Clause, optional(l.Version), l.Municipality, l.MatchGroup, l.Package,
			whole(l.Cases), exact(l.Quantity), optional(l.UnitPrice), optional(l.Amount), l.Reason, string(l.Standing),
		})
	}
	for _, l := range s.Lines {
		standing := Retrospective
		if l.Standing == bonus.StandingSealed {
			standing = Sealed
		}
		t.got = append(t.got, []string{
			l.Provider, l.Agreement, l.Period, l.Clause, l.Version.String(), l.Municipality, l.MatchGroup, l.Package,
			fmt.Sprint(l.Cases), exact(l.Quantity), l.UnitPrice.String(), l.Amount.String(), l.Reason, string(standing),
		})
	}
	return t
}

func (x *Scenario) entries(s *bonus.Settlement, lines map[string]*bonus.Line) *sheet {
	t := &sheet{title: "entries", columns: []string{"case", "clause", "provider", "period", "on", "quantity"}, otherwise: x.Expect.Some}
	if len(x.Expect.Entries) == 0 {
		return t
	}
	for _, w := range x.Expect.Entries {
		t.want = append(t.want, []string{id(w.Case), w.Clause, w.Provider, w.Period, optional(w.On), exact(w.Quantity)})
	}
	for _, g := range s.Entries {
		l := lines[g.Line]
		t.got = append(t.got, []string{g.Participation, l.Clause, l.Provider, l.Period, g.On.String(), exact(g.Quantity)})
	}
	return t
}

func (x *Scenario) rules(s *bonus.Settlement) *sheet {
	t := &sheet{title: "rules", columns: []string{"case", "clause", "rule"}, otherwise: true, everywhere: true}
	group := map[string]string{} // the cases of one that is there many times
	for _, c := range x.Given.Cases {
		if c.Times != nil && *c.Times > 1 {
			for i := range *c.Times {
				group[id(fmt.Sprintf("%s-%d", c.ID, i+1))] = c.ID
			}
		}
	}
	for _, w := range x.Expect.Rules {
		t.want = append(t.want, []string{id(w.Case), w.Clause, w.Rule})
	}
	for _, g := range s.Cases {
		row := []string{g.Participation, g.Clause, g.Rule}
		t.got = append(t.got, row)
		if many, ok := group[g.Participation]; ok {
			t.got = append(t.got, []string{many, g.Clause, g.Rule})
		}
	}
	return t
}

func (x *Scenario) decisions(s *bonus.Settlement) *sheet {
	t := &sheet{title: "decisions", columns: []string{"provider", "period", "clause", "state", "value", "n", "rank", "rating", "threshold", "difference", "since"}, otherwise: x.Expect.Some}
	if len(x.Expect.Decisions) == 0 {
		return t
	}
	for _, d := range x.Expect.Decisions {
		t.want = append(t.want, []string{
			d.Provider, d.Period, d.Clause, string(d.State), exact(d.Value), whole(d.N), whole(d.Rank), whole(d.Rating), exact(d.Threshold), exact(d.Difference), d.Since,
		})
	}
	for _, d := range s.Decisions {
		t.got = append(t.got, []string{
			d.Provider, d.Period, d.Clause, d.State, exact(d.Value), fmt.Sprint(d.N), fmt.Sprint(d.Rank), fmt.Sprint(d.Rating), exact(d.Threshold), exact(d.Difference), d.Since,
		})
	}
	return t
}

func (x *Scenario) gate(s *bonus.Settlement, lines map[string]*bonus.Line) *sheet {
	t := &sheet{title: "gate", columns: []string{"diagnostic", "provider", "clause", "state"}, otherwise: true, everywhere: true}
	for _, w := range x.Expect.Gate {
		t.want = append(t.want, []string{w.Diagnostic, w.Provider, w.Clause, string(w.State)})
	}
	for _, g := range s.Gate {
		l := lines[g.Line]
		t.got = append(t.got, []string{string(g.Diagnostic), l.Provider, l.Clause, string(g.State)})
	}
	return t
}

// told compares faults or warnings.
func told(title string, want []Told, otherwise bool) *sheet {
	t := &sheet{title: title, columns: []string{"code", "says"}, otherwise: otherwise}
	for _, w := range want {
		t.want = append(t.want, []string{w.Code, w.Says})
	}
	return t
}

// faults compares faults; those of something that is no fault have the code
// error.
func (x *Scenario) faults(err error) *sheet {
	t := told("faults", x.Expect.Faults, x.Expect.Some)
	if found, ok := err.(*bonus.Faults); ok {
		for _, f := range found.List {
			t.got = append(t.got, []string{string(f.Code), strings.TrimPrefix(f.Path+": "+f.Problem, ": ")})
		}
	} else if err != nil {
		t.got = append(t.got, []string{"error", err.Error()})
	}
	return t
}

// id is a participation id as tables have it.
func id(s string) string { return effect.TextID(s).String() }

func optional[T any, P interface {
	*T
	fmt.Stringer
}](v P,
) string {
	if v == nil {
		return ""
	}
	return v.String()
}

func whole(n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// exact writes a number in one way, so that 0.50 and 1/2 are the same.
func exact(s string) string {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return s
	}
	if digits, finite := r.FloatPrec(); finite {
		return r.FloatString(digits)
	}
	return r.RatString()
}

// matches says whether a row that came is what was expected.
func (t *sheet) matches(want, got []string) bool {
	for i, w := range want {
		switch {
		case w == "":
		case t.columns[i] == "says":
			if !strings.Contains(got[i], w) {
				return false
			}
		case w != got[i]:
			return false
		}
	}
	return true
}

// pairs finds for each expected row one that came, as many as possible: the index
// of what came, or -1.
func (t *sheet) pairs() []int {
	of := slices.Repeat([]int{-1}, len(t.got)) // got -> want
	var find func(w int, tried []bool) bool
	find = func(w int, tried []bool) bool {
		for g := range t.got {
			if tried[g] || !t.matches(t.want[w], t.got[g]) {
				continue
			}
			tried[g] = true
			if of[g] < 0 || find(of[g], tried) {
				of[g] = w
				return true
			}
		}
		return false
	}
	for w := range t.want {
		find(w, make([]bool, len(t.got)))
	}
	out := slices.Repeat([]int{-1}, len(t.want))
	for g, w := range of {
		if w >= 0 {
			out[w] = g
		}
	}
	return out
}

// rows are those of the sheet, each with its sign: "-" expected and not there, "+"
// there and not expected, " " as expected; and whether any differs.
func (t *sheet) rows() (rows [][]string, differs bool) {
	add := func(sign string, row []string) {
		rows, differs = append(rows, append([]string{sign}, row...)), differs || sign != " "
	}
	if t.everywhere {
		// What is expected of a key holds of each of its rows.
		for _, w := range t.want {
			n := 0
			for _, g := range t.got {
				if g[0] != w[0] || !t.matches(blank(w), g) {
					continue
				}
				n++
				if !t.matches(w, g) {
					add("-", w)
					add("+", g)
				}
			}
			if n == 0 {
				add("-", w)
			}
		}
		return rows, differs
	}
	taken := map[int]bool{}
	for w, g := range t.pairs() {
		if g < 0 {
			add("-", t.want[w])
			continue
		}
		taken[g] = true
		add(" ", t.got[g])
	}
	if len(t.want) > 0 || !t.otherwise {
		for g, row := range t.got {
			if taken[g] {
				continue
			}
			if !t.otherwise {
				add("+", row)
			} else {
				rows = append(rows, append([]string{"other"}, row...))
			}
		}
	}
	return rows, differs
}

// blank is what tells a row of an expectation, without what is expected of it:
// the last column.
func blank(w []string) []string {
	out := slices.Clone(w)
	out[len(out)-1] = ""
	return out
}

func (t *sheet) differs() bool {
	_, differs := t.rows()
	return differs
}

// String is the sheet as text, with the columns that somebody looks at.
func (t *sheet) String() string {
	rows, _ := t.rows()
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(order(a[0]), order(b[0])) })
	used := make([]bool, len(t.columns))
	for _, w := range t.want {
		for i, cell := range w {
			used[i] = used[i] || cell != ""
		}
	}
	for i, name := range t.columns {
		used[i] = used[i] || slices.Contains([]string{"provider", "period", "clause", "quantity", "amount", "reason", "case", "rule", "code", "says", "kr."}, name)
	}
	widths := make([]int, len(t.columns))
	lines := append([][]string{append([]string{" "}, t.columns...)}, rows...)
	for _, row := range lines {
		for i, cell := range row[1:] {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s (- expected, + found)\n", t.title)
	for _, row := range lines {
		line := fmt.Sprintf("    %-5s", row[0])
		for i, cell := range row[1:] {
			if used[i] {
				line += "  " + cell + strings.Repeat(" ", widths[i]-len([]rune(cell)))
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// order puts what differs first.
func order(sign string) int { return slices.Index([]string{"-", "+", " ", "other"}, sign) }
