package bonus_test

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// audited is a settlement with lines of every kind that today's terms make: cases
// above the limit of a period, an effect that pays and one behind a gate.
func audited(t *testing.T) (*bonus.Terms, bonus.Facts, *bonus.Settlement) {
	t.Helper()
	terms := readTerms(t, `limits: [{section: "9", per: provider, over: period, most: 500000.00}]`, `limits: [{section: "9", per: provider, over: period, most: 20000.50}]`)
	rows := cell200(nil)
	for i := range rows {
		if i < 5 {
			rows[i].job = "2008-03-01"
		}
	}
	for _, id := range []string{"901", "902", "903"} {
		rows = append(rows, row{id: id, provider: "south", job: "2008-09-01", complete: true})
	}
	north := measured(nil)
	south := measured(func(b *effect.BenchmarkRow) { b.Provider, b.N, b.NCompared = "south", 3, 3 })
	f := bonus.Facts{
		Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{north, south},
		Diagnostics: append(diagnosed(north, nil), diagnosed(south, nil)...),
	}
	s := settle(t, terms, f)
	clauses := map[string]bool{}
	for _, l := range s.Lines {
		clauses[l.Clause] = true
	}
	require.Equal(t, map[string]bool{"sustained-job": true, "effect": true, "cap": true}, clauses)
	return terms, f, s
}

func differing(s *bonus.Settlement, terms *bonus.Terms, f bonus.Facts) (out []bonus.Audited) {
	return slices.DeleteFunc(s.Audit([]*bonus.Terms{terms}, f), func(a bonus.Audited) bool { return a.Differs == "" })
}

func TestAuditWorksEveryLineOut(t *testing.T) {
	terms, f, s := audited(t)
	from := map[string]string{}
	for _, a := range s.Audit([]*bonus.Terms{terms}, f) {
		require.Empty(t, a.Differs, a.Line)
		from[strings.Split(a.Line, "/")[3]] = a.From
	}
	require.Equal(t, map[string]string{"sustained-job@2008-01-01": "entries", "effect@2008-01-01": "figures", "cap": "lines"}, from)
}

// TestAuditFindsTampering changes one thing at a time.
func TestAuditFindsTampering(t *testing.T) {
	line := func(s *bonus.Settlement, part string) *bonus.Line {
		for i := range s.Lines {
			if strings.Contains(s.Lines[i].ID, part) {
				return &s.Lines[i]
			}
		}
		t.Fatal("no line of " + part)
		return nil
	}
	for what, change := range map[string]func(s *bonus.Settlement, f *bonus.Facts){
		"the amount of cases":        func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H1/sustained-job").Amount++ },
		"the amount of an effect":    func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H2/effect").Amount-- },
		"the amount of a limit":      func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H2/cap").Amount++ },
		"a quantity":                 func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H1/sustained-job").Quantity = "6" },
		"a price":                    func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H1/sustained-job").UnitPrice++ },
		"the number of cases":        func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H1/sustained-job").Cases++ },
		"a reason":                   func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "south/2008H2/effect").Reason = "" },
		"the terms":                  func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "south/2008H2/effect").TermsSHA256 = "0" },
		"the match group":            func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H1/sustained-job").MatchGroup = "4" },
		"the agreement":              func(s *bonus.Settlement, _ *bonus.Facts) { line(s, "north/2008H1/sustained-job").Agreement = "A-2" },
		"the quantity of an entry":   func(s *bonus.Settlement, _ *bonus.Facts) { s.Entries[0].Quantity = "2" },
		"an entry that is no number": func(s *bonus.Settlement, _ *bonus.Facts) { s.Entries[0].Quantity = "x" },
		"the day of an entry":        func(s *bonus.Settlement, _ *bonus.Facts) { s.Entries[0].On = day("2009-01-01") },
		"an entry that is gone":      func(s *bonus.Settlement, _ *bonus.Facts) { s.Entries = s.Entries[1:] },
		"an entry that is twice":     func(s *bonus.Settlement, _ *bonus.Facts) { s.Entries = append(s.Entries, s.Entries[0]) },
		"an entry of no line": func(s *bonus.Settlement, _ *bonus.Facts) {
			s.Entries = append(s.Entries, bonus.Entry{Line: "A-1/east", Quantity: "1"})
		},
		"a line that is twice": func(s *bonus.Settlement, _ *bonus.Facts) { s.Lines = append(s.Lines, s.Lines[0]) },
		"a limit that is gone": func(s *bonus.Settlement, _ *bonus.Facts) {
			s.Lines = slices.DeleteFunc(s.Lines, func(l bonus.Line) bool { return l.Clause == "cap" })
		},
		"a value in the gate":   func(s *bonus.Settlement, _ *bonus.Facts) { s.Gate[0].Measured++ },
		"a threshold":           func(s *bonus.Settlement, _ *bonus.Facts) { s.Gate[0].Threshold-- },
		"a state":               func(s *bonus.Settlement, _ *bonus.Facts) { s.Gate[len(s.Gate)-1].State = bonus.Fail },
		"a row of the gate":     func(s *bonus.Settlement, _ *bonus.Facts) { s.Gate = s.Gate[1:] },
		"the limit of a figure": func(_ *bonus.Settlement, f *bonus.Facts) { f.Benchmark[0].Low += 0.01 },
		"the cases of a figure": func(_ *bonus.Settlement, f *bonus.Facts) { f.Benchmark[0].NCompared++ },
		"a figure that is gone": func(_ *bonus.Settlement, f *bonus.Facts) { f.Benchmark = f.Benchmark[1:] },
		"a diagnostic":          func(_ *bonus.Settlement, f *bonus.Facts) { f.Diagnostics[0].Value = 1 },
	} {
		terms, f, s := audited(t)
		change(s, &f)
		require.NotEmpty(t, differing(s, terms, f), what)
	}
	terms, f, s := audited(t)
	other := readTerms(t, "amount: 5000.00", "amount: 5000.01")
	require.NotEmpty(t, differing(s, other, f), "other terms")
	require.Empty(t, differing(s, terms, f))
}

// TestAuditOfTotals: under stage total the rounding of one line hangs on others.
func TestAuditOfTotals(t *testing.T) {
	terms := readTerms(t, "P1, amount: 5000.00", "P1, amount: 10.30", "P2, amount: 6000", "P2, amount: 10.40", "{unit: 0.01,", "{unit: 1,", "stage: line", "stage: total")
	f := bonus.Facts{Observations: observe(row{id: "1", job: "2008-03-01"}, row{id: "2", job: "2008-03-01", pkg: "P2"}, row{id: "3", job: "2008-03-01", pkg: "P2"})}
	s := settle(t, terms, f)
	require.Empty(t, differing(s, terms, f))
	s.Lines[0].Amount += 100
	s.Lines[1].Amount -= 100
	require.Len(t, differing(s, terms, f), 2, "the sum is right, and neither line is")
}

func TestWhy(t *testing.T) {
	terms := readTerms(t)
	obs := observe(
		row{id: "1", person: "a", job: "2008-03-01", referral: "2008-01-10"},
		row{id: "2", person: "a", job: "2008-04-01", referral: "2008-02-10", provider: "south"},
		row{id: "3"},
		row{id: "4", status: effect.Pending},
		row{id: "5", status: effect.Left, reason: effect.ReasonLeft},
		row{id: "6", pkg: "P3", job: "2008-03-01"},
		row{id: "7", referral: "2007-12-31", job: "2008-03-01"},
		row{id: "8", provider: none, job: "2008-03-01"},
		row{id: "9", reason: effect.ReasonOutsidePeriod},
		row{id: "10", job: "2009-01-01"},
		row{id: "11", person: "b", referral: "2008-01-11", reason: effect.ReasonOutsidePeriod},
		row{id: "12", person: "b", referral: "2008-02-11", reason: effect.ReasonNotFirst},
	)
	obs.Period = effect.Period{Start: day("2008-01-15"), End: day("2009-01-01")}
	obs.Results[0].WindowEnd = slices.Repeat([]effect.Date{day("2009-02-01")}, obs.Cases.Len())
	f := bonus.Facts{Observations: obs}
	s := settle(t, terms, bonus.Facts{Observations: obs})
	told := func(id, clause string, discreet bool) string {
		e, err := s.ExplainCase(id)
		require.NoError(t, err)
		require.Nil(t, e.Needed)
		r := bonus.NewReasons([]*bonus.Terms{terms}, f)
		r.Discreet = discreet
		e = r.Why(e)
		require.Len(t, e.Needed, len(e.Clauses))
		for i, c := range e.Clauses {
			if c.Clause == clause {
				return e.Needed[i]
			}
		}
		t.Fatal("no such clause")
		return ""
	}
	for id, want := range map[string]string{
		"1":  "",
		"2":  "it counts here on 2008-04-01, and on 2008-03-01 in another case of the citizen, referred on 2008-01-10 to another provider; a citizen is paid for once",
		"3":  "sustained_13w had to be reached within its window, whose last day is 2009-01-31",
		"4":  "sustained_13w counts if it is reached within its window, whose last day is 2009-01-31; it was not by 2008-12-31",
		"5":  "sustained_13w: the citizen died or emigrated within its window, whose last day is 2009-01-31; who counts was there for all of it, or reached it before",
		"6":  "the case is in package P3; the clause pays for P1, P2",
		"9":  "referred on 2008-02-01; referrals from 2008-01-15 on and before 2009-01-01 are measured",
		"10": "sustained_13w was reached on 2009-01-01, after 2008-12-31, up to which is settled",
		"12": "the first was referred on 2008-01-11; that one is measured",
	} {
		require.Equal(t, want, told(id, "sustained-job", false), id)
	}
	require.Equal(t, "referred on 2007-12-31; referrals from 2008-01-01 on and before 2012-01-01 are under the agreement", told("7", "", false))
	require.Equal(t, "the participation has no provider: it is one of the municipality's own projects, which nobody is paid for", told("8", "", false))
	require.Empty(t, told("2", "sustained-job", true), "nothing about a case at another provider")
	require.NotEmpty(t, told("12", "sustained-job", true), "a case of one's own")

	e, err := s.ExplainCase("3")
	require.NoError(t, err)
	require.True(t, e.About("sustained_13w", []*bonus.Terms{terms}))
	require.False(t, e.About("other", []*bonus.Terms{terms}))
	require.Equal(t, e, bonus.NewReasons(nil, bonus.Facts{}).Why(e), "without facts nothing is added")
}

func TestExplainProvider(t *testing.T) {
	terms, f, s := audited(t)
	all := []*bonus.Terms{terms}
	e, err := s.ExplainProvider(context.Background(), "north", all, f)
	require.NoError(t, err)
	margins := map[string]bonus.Margin{}
	for _, m := range e.Margins {
		require.Contains(t, m.Line, "/north/")
		margins[m.What] = m
	}
	// 200 cases where 30 are asked for; 0.1 uncovered where 0.1 is allowed.
	require.Equal(t, "170", margins["n"].Spare)
	require.Equal(t, "0", margins["uncovered_share"].Spare)
	require.Equal(t, "0.0212345679", margins["lower limit of the difference"].Spare)

	south, err := s.ExplainProvider(context.Background(), "south", all, f)
	require.NoError(t, err)
	require.Equal(t, bonus.Margin{Line: south.Margins[0].Line, What: "n", Now: "3", Passes: "at_least", Asked: "30", Spare: "-27", Needed: "n higher by 27"}, south.Margins[0])
	require.NotContains(t, south.String(), "north")

	// 25,000 kr. in the first half-year are 20,000.50: nothing is left of it. Each
	// further citizen on 2008-12-31 brings what the second half-year leaves: nothing,
	// because its effect is above the limit already.
	require.Len(t, e.Ceilings, 2)
	require.Equal(t, bonus.Headroom{Agreement: "A-1", Section: "9", Period: "2008H1", Over: "period", Of: "amount", Limit: "20000.50", Used: "20000.5", Left: "0", TakenOff: "-4999.5"}, e.Ceilings[0])
	require.Equal(t, "0", e.Ceilings[1].Left)
	require.True(t, strings.HasPrefix(e.Ceilings[1].TakenOff, "-"))
	require.NotEmpty(t, e.Further)
	for _, x := range e.Further {
		require.Zero(t, x.Amount)
	}
	_, err = s.ExplainProvider(context.Background(), "nobody", all, f)
	require.ErrorIs(t, err, bonus.ErrNotFound)
	_, err = s.ExplainProvider(context.Background(), "north", all, bonus.Facts{})
	require.ErrorIs(t, err, bonus.ErrFacts)
}

// TestFurtherCitizens: a limit of 12,000 kr. leaves two of 5,000 kr. and a part of
// the third.
func TestFurtherCitizens(t *testing.T) {
	terms := readTerms(t, "most: 500000.00", "most: 12000.00")
	var rows []row
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		rows = append(rows, row{id: id})
	}
	f := bonus.Facts{Observations: observe(append(rows, row{id: "6", provider: "south"})...)}
	s := settle(t, terms, f)
	e, err := s.ExplainProvider(context.Background(), "north", []*bonus.Terms{terms}, f)
	require.NoError(t, err)
	at := bonus.Further{Agreement: "A-1", Clause: "sustained-job", MatchGroup: "1", Package: "P1", Open: 5}
	var want []bonus.Further
	for n, amount := range map[int64]bonus.Ore{1: 500000, 2: 1000000, 5: 1200000} {
		x := at
		x.Citizens, x.Amount = n, amount
		want = append(want, x)
	}
	require.ElementsMatch(t, want, e.Further)
	require.Equal(t, effect.NotReached, f.Observations.Results[0].Status[0], "the facts are only read")
}

// TestHolmNeeded: with the difference that is named a cell stands among all, and
// with a thousandth less it does not.
func TestHolmNeeded(t *testing.T) {
	src := source(t)
	terms, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(src, "accept_not_applicable: [peers]", "accept_not_applicable: [peers]\n          multiplicity: holm", 1)))
	require.NoError(t, err)
	facts := func(difference float64) (bonus.Facts, *bonus.Settlement) {
		rows := cell200(nil)
		for _, id := range []string{"901", "902", "903"} {
			rows = append(rows, row{id: id, provider: "south", complete: true})
		}
		north := measured(func(b *effect.BenchmarkRow) { b.Difference, b.Low = difference, 0.001 })
		south := measured(func(b *effect.BenchmarkRow) {
			b.Provider, b.N, b.NCompared, b.Difference, b.Verdict = "south", 3, 3, 0.05, effect.Higher
		})
		f := bonus.Facts{Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{north, south}, Diagnostics: append(diagnosed(north, nil), diagnosed(south, nil)...)}
		return f, settle(t, terms, f)
	}
	f, s := facts(0.02)
	e, err := s.ExplainProvider(context.Background(), "north", []*bonus.Terms{terms}, f)
	require.NoError(t, err)
	k := slices.IndexFunc(e.Margins, func(m bonus.Margin) bool { return m.What == "holm" })
	require.False(t, e.Margins[k].Holds)
	words := strings.Fields(e.Margins[k].Needed)
	needed, ok := new(big.Rat).SetString(words[3])
	require.True(t, ok, e.Margins[k].Needed)
	enough, _ := needed.Float64()
	holds := func(difference float64) bool {
		_, s := facts(difference)
		for _, g := range s.Gate {
			if g.Diagnostic == bonus.GateHolm && strings.Contains(g.Line, "north") {
				return g.Accepted
			}
		}
		return false
	}
	require.True(t, holds(enough+1e-9))
	require.False(t, holds(enough*0.999))
}
