package bonus_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

// day reads a date that a test has written.
func day(s string) effect.Date {
	d, err := effect.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// row is one case as a test writes it. What is left out is filled in by rows:
// agreement A-1, provider north, municipality Byen, match group 1, package P1,
// referred 2008-02-01, a person of its own, and outcomes that are not reached.
type row struct {
	id, person, municipality, group, provider, agreement, pkg, referral string
	job                                                                 string // day on which sustained_13w was reached
	status                                                              effect.Status
	reason                                                              effect.Reason
	complete                                                            bool // window of employed_26w
}

const none = "-" // a missing name

// observe makes observations, as of 2008-12-31, of the rows in the order of
// their ids, as Cases have it.
func observe(rows ...row) *effect.Observations {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b row) int { return effect.TextID(a.id).Compare(effect.TextID(b.id)) })
	var persons []string
	for i := range rows {
		r := &rows[i]
		for field, standard := range map[*string]string{
			&r.person: "p" + r.id, &r.municipality: "Byen", &r.group: "1", &r.provider: "north", &r.agreement: "A-1", &r.pkg: "P1", &r.referral: "2008-02-01",
		} {
			switch *field {
			case "":
				*field = standard
			case none:
				*field = ""
			}
		}
		persons = append(persons, r.person)
	}
	column := func(get func(row) string) effect.Factor {
		names := make([]string, len(rows))
		for i, r := range rows {
			names[i] = get(r)
		}
		return effect.NewFactor(names)
	}
	person := effect.NewFactor(persons)
	c := &effect.Cases{
		Person:       person.Codes,
		Municipality: column(func(r row) string { return r.municipality }),
		MatchScheme:  column(func(row) string { return "match5_2004" }),
		MatchGroup:   column(func(r row) string { return r.group }),
		Provider:     column(func(r row) string { return r.provider }),
		Agreement:    column(func(r row) string { return r.agreement }),
		Package:      column(func(r row) string { return r.pkg }),
	}
	for _, p := range person.Levels {
		c.Persons.Append(effect.TextID(p))
	}
	job := effect.Result{Outcome: "sustained_13w", Unit: effect.UnitShare}
	work := effect.Result{Outcome: "employed_26w", Unit: effect.UnitShare}
	for _, r := range rows {
		c.ID.Append(effect.TextID(r.id))
		c.Referral = append(c.Referral, day(r.referral))
		status, on := r.status, effect.NoDate
		if r.job != "" {
			status, on = effect.Reached, day(r.job)
		} else if status == effect.Excluded && r.reason == effect.NoReason {
			status = effect.NotReached
		}
		job.Status, job.Reason, job.ReachedOn = append(job.Status, status), append(job.Reason, r.reason), append(job.ReachedOn, on)
		job.Complete = append(job.Complete, r.complete)
		reason := r.reason
		if !r.complete && reason == effect.NoReason {
			reason = effect.ReasonPending
		}
		work.Status, work.Reason = append(work.Status, effect.NotReached), append(work.Reason, reason)
		work.ReachedOn, work.Complete = append(work.ReachedOn, effect.NoDate), append(work.Complete, r.complete)
	}
	return &effect.Observations{AsOf: day("2008-12-31"), Cases: c, Results: []effect.Result{job, work}}
}

// tester is what plain and property tests have in common.
type tester interface {
	require.TestingT
	Helper()
}

func readTerms(t tester, edits ...string) *bonus.Terms {
	t.Helper()
	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	text := string(src)
	for i := 0; i+1 < len(edits); i += 2 {
		require.Contains(t, text, edits[i])
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	terms, err := bonus.ParseTerms("terms.yaml", []byte(text))
	require.NoError(t, err)
	return terms
}

func settle(t tester, terms *bonus.Terms, f bonus.Facts) *bonus.Settlement {
	t.Helper()
	s, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, f)
	require.NoError(t, err)
	audit(t, s, f, terms)
	return s
}

// audit works every line out again, also without being told what was owed at first:
// so a pack of the lines can be.
func audit(t tester, s *bonus.Settlement, f bonus.Facts, terms ...*bonus.Terms) {
	t.Helper()
	for range 2 {
		for _, a := range s.Audit(terms, f) {
			require.Empty(t, a.Differs, a.Line)
		}
		f.Opening = nil
	}
}

// faults settles and returns the faults as codes and problems.
func faults(t tester, f bonus.Facts, terms ...*bonus.Terms) *bonus.Faults {
	t.Helper()
	s, err := bonus.Settle(context.Background(), terms, f)
	var found *bonus.Faults
	require.ErrorAs(t, err, &found)
	require.Nil(t, s, "with a fault nothing is settled")
	return found
}

// paid writes the lines as a test expects them.
func paid(s *bonus.Settlement) []string {
	var out []string
	for _, l := range s.Lines {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d x %s = %s %s", l.ID, l.Cases, l.Quantity, l.Amount, l.Reason)))
	}
	return out
}

// rules writes what became of the cases under a clause.
func rules(s *bonus.Settlement, clause string) map[string]string {
	out := map[string]string{}
	for _, c := range s.Cases {
		if c.Clause == clause {
			out[c.Participation] = c.Rule
		}
	}
	return out
}

func TestReachedOutcomes(t *testing.T) {
	s := settle(t, readTerms(t), bonus.Facts{Observations: observe(
		row{id: "1", job: "2008-06-30"},
		row{id: "2", job: "2008-07-01"},
		row{id: "3", job: "2008-06-01", pkg: "P2"},
		row{id: "4", job: "2008-06-01", group: "4", reason: effect.ReasonPending}, // reached early, window open
		row{id: "5", job: "2008-06-01", provider: "south"},
		row{id: "6"},
		row{id: "7", job: "2008-06-01", pkg: "P3"},                                // not job-oriented
		row{id: "8", status: effect.Pending},                                      // open
		row{id: "9", status: effect.Left, reason: effect.ReasonLeft},              // died
		row{id: "10", reason: effect.ReasonNotFirst},                              // not in the cohort
		row{id: "11", job: "2008-06-01", reason: effect.ReasonOutsidePeriod},      // nor this one, though reached
		row{id: "12", job: "2009-01-01"},                                          // after as_of
		row{id: "13", job: "2008-05-01", referral: "2007-12-31"},                  // before the agreement
		row{id: "14", job: "2008-05-01", provider: none},                          // own project
		row{id: "15", job: "2008-05-01", agreement: "A-2"},                        // another agreement
		row{id: "16", job: "2008-06-02", person: "p2"},                            // the citizen of 2, earlier
		row{id: "17", job: "2008-06-01", person: "p5"},                            // the citizen of 5, same day, later id
		row{id: "18", job: "2008-06-01", person: "p7"},                            // the citizen of 7, whose case did not count
		row{id: "19", job: "2008-08-01", pkg: none, referral: "2012-01-01"},       // after the agreement
		row{id: "20", pkg: "P9"},                                                  // undeclared, but nothing reached
		row{id: "21", job: "2008-06-03", reason: effect.ReasonLeft, group: "4"},   // reached, then died
		row{id: "22", job: "2008-12-31", municipality: "Havn", provider: "north"}, // another city, same line as its period
	)})
	// By hand, north: group 1 P1 first half: 1, 16, 18 -> 3 x 5000 (17 is the
	// second case of p5, who is paid at south); P2: 3 -> 6000; group 4 P1: 4 and
	// 21 -> 2 x 12500.50. Second half: 22 -> 5000; 2 is p2's later case.
	require.Equal(t, []string{
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P1 3 x 3 = 15000.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P2 1 x 1 = 6000.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/4/P1 2 x 2 = 25001.00",
		"A-1/north/2008H2/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 5000.00",
		"A-1/south/2008H1/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 5000.00",
	}, paid(s))
	require.Equal(t, map[string]string{
		"1": "counted", "2": "already_paid", "3": "counted", "4": "counted", "5": "counted", "6": "not_reached",
		"7": "package_not_eligible", "8": "pending", "9": "left", "10": "excluded:not_first", "11": "excluded:outside_period",
		"12": "pending", "16": "counted", "17": "already_paid", "18": "counted", "20": "not_reached", "21": "counted", "22": "counted",
	}, rules(s, "sustained-job"))
	require.Equal(t, map[string]string{"13": "outside_agreement", "14": "no_provider", "19": "outside_agreement"}, rules(s, ""))
	for _, l := range s.Lines {
		require.Equal(t, "provisional, retrospective", l.Standing)
	}
	// The counts are the same cases: 18 under the clause, 3 under none.
	n := map[string]int64{}
	for _, c := range s.Counts {
		n[c.Clause] += c.N
	}
	require.Equal(t, map[string]int64{"sustained-job": 18, "effect": 18, "": 3}, n)
	require.Empty(t, s.Warnings)
}

func TestVersionInForce(t *testing.T) {
	facts := bonus.Facts{Observations: observe(
		row{id: "1", job: "2010-06-01", referral: "2009-12-31"},
		row{id: "2", job: "2010-06-01", referral: "2010-01-01"},
		row{id: "3", job: "2009-12-31", referral: "2009-06-01"},
	)}
	facts.Observations.AsOf = day("2010-12-31")
	require.Equal(t, []string{
		"A-1/north/2009H2/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 5000.00",
		"A-1/north/2010H1/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 5000.00",
		"A-1/north/2010H1/sustained-job@2010-01-01/match5_2004/1/P1 1 x 1 = 5250.00",
	}, paid(settle(t, readTerms(t), facts)), "by the day of referral")
	require.Equal(t, []string{
		"A-1/north/2009H2/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 5000.00",
		"A-1/north/2010H1/sustained-job@2010-01-01/match5_2004/1/P1 2 x 2 = 10500.00",
	}, paid(settle(t, readTerms(t, "applies_by: referral", "applies_by: period"), facts)), "by the settlement period")

	s := settle(t, readTerms(t, "valid_from: 2010-01-01", "valid_from: 2010-01-02"), facts)
	require.Equal(t, map[string]string{"2": "no_version_in_force"}, rules(s, ""))
}

func TestPeriodLimit(t *testing.T) {
	// 15000 + 6000 = 21000; the limit of 20000.50 takes 999.50 off.
	s := settle(t, readTerms(t, "limits: [{section: \"9\", per: provider, over: period, most: 500000.00}]", "limits: [{section: \"9\", per: provider, over: period, most: 20000.50}]"), bonus.Facts{Observations: observe(
		row{id: "1", job: "2008-03-01"}, row{id: "2", job: "2008-03-01"}, row{id: "3", job: "2008-03-01"},
		row{id: "4", job: "2008-03-01", pkg: "P2"}, row{id: "5", job: "2008-08-01", pkg: "P2"},
	)})
	require.Equal(t, []string{
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P1 3 x 3 = 15000.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P2 1 x 1 = 6000.00",
		"A-1/north/2008H1/cap 0 x  = -999.50",
		"A-1/north/2008H2/sustained-job@2008-01-01/match5_2004/1/P2 1 x 1 = 6000.00",
	}, paid(s))
}

func TestRoundingStage(t *testing.T) {
	facts := bonus.Facts{Observations: observe(
		row{id: "1", job: "2008-03-01"}, row{id: "2", job: "2008-03-01", pkg: "P2"}, row{id: "3", job: "2008-03-01", group: "4"},
	)}
	prices := []string{"P1, amount: 5000.00", "P1, amount: 10.30", "P2, amount: 6000", "P2, amount: 10.40", `amount: "12500.50"`, "amount: 10.30"}
	line := readTerms(t, append(prices, "{unit: 0.01,", "{unit: 1,")...)
	require.Equal(t, []string{
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 10.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P2 1 x 1 = 10.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/4/P1 1 x 1 = 10.00",
	}, paid(settle(t, line, facts)))
	// 10.30 + 10.40 + 10.30 = 31.00: the krone left over goes to the largest remainder.
	total := readTerms(t, append(prices, "{unit: 0.01,", "{unit: 1,", "stage: line", "stage: total")...)
	require.Equal(t, []string{
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P1 1 x 1 = 10.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/1/P2 1 x 1 = 11.00",
		"A-1/north/2008H1/sustained-job@2008-01-01/match5_2004/4/P1 1 x 1 = 10.00",
	}, paid(settle(t, total, facts)))
}

// measured is a benchmark row of north in Byen that passes every gate: 200 cases, 160 of
// them compared, a difference of 0.0625 with a lower limit of 0.0212345679.
func measured(edit func(*effect.BenchmarkRow)) effect.BenchmarkRow {
	b := effect.BenchmarkRow{
		Outcome: "employed_26w", Unit: effect.UnitShare, Method: "regression", Part: effect.Provider,
		Cell: effect.Cell{Municipality: "Byen", MatchScheme: "match5_2004", MatchGroup: "1", Provider: "north"},
		Figures: effect.Figures{
			N: 200, Observed: 0.5, NCompared: 160, Expected: 0.4375, Difference: 0.0625, SE: 0.02, DF: 100,
			Low: 0.0212345679, High: 0.1037654321, Confidence: 0.95, Verdict: effect.Higher,
		},
	}
	if edit != nil {
		edit(&b)
	}
	return b
}

// diagnosed are diagnostics of a benchmark row that pass the gate of the terms.
func diagnosed(b effect.BenchmarkRow, values map[effect.DiagnosticName]float64) []effect.Diagnostic {
	var out []effect.Diagnostic
	for _, name := range effect.DiagnosticNames() {
		d := effect.Diagnostic{Outcome: b.Outcome, Cell: b.Cell, Method: b.Method, Part: b.Part, Name: name}
		d.Value = map[effect.DiagnosticName]float64{
			effect.DiagN: float64(b.N), effect.DiagFollowUp: 0.95, effect.DiagUncovered: 0.1, effect.DiagDatedCovariates: 1,
		}[name]
		if name == effect.DiagPeers {
			d.Value, d.NotApplicable = math.NaN(), "the provider's part lies within one municipality"
		}
		if v, ok := values[name]; ok {
			d.Value, d.NotApplicable = v, ""
		}
		out = append(out, d)
	}
	return out
}

// cell200 are 200 cases whose window is over, not one of whom kept a job.
func cell200(edit func(i int, r *row)) []row {
	rows := make([]row, 200)
	for i := range rows {
		rows[i] = row{id: fmt.Sprint(i + 1), complete: true}
		if edit != nil {
			edit(i, &rows[i])
		}
	}
	return rows
}

func TestEffect(t *testing.T) {
	const line = "A-1/north/2008H2/effect@2008-01-01/match5_2004/1/(all)/Byen "
	for _, test := range []struct {
		name   string
		terms  []string
		row    func(*effect.BenchmarkRow)
		values map[effect.DiagnosticName]float64
		want   string
	}{
		// 0.0212345679 x 160 = 3.397530864 extra citizens, x 20000 = 67950.61728 kr.
		{name: "lower limit", want: "200 x 3.397530864 = 67950.62"},
		// 0.0625 x 160 = 10, x 20000 = 200000.
		{name: "point", terms: []string{"pay_on: lower_limit", "pay_on: point"}, want: "200 x 10 = 200000.00"},
		{name: "pay_on left out", terms: []string{"        pay_on: lower_limit\n", ""}, want: "200 x 3.397530864 = 67950.62"},
		{name: "down to the krone", terms: []string{"{unit: 0.01, mode: half_up", "{unit: 1, mode: down"}, want: "200 x 3.397530864 = 67950.00"},
		// Twenty is 20, not some binary fraction near it: 0.1 x 160 = 16 exactly.
		{name: "written decimal", row: func(b *effect.BenchmarkRow) { b.Low = 0.1 + 1e-17 }, want: "200 x 16 = 320000.00"},
		{name: "below nothing", row: func(b *effect.BenchmarkRow) { b.Low = -0.01 }, want: "200 x 0 = 0.00 not_above_0"},
		{name: "refused", row: func(b *effect.BenchmarkRow) {
			b.Refusal, b.Verdict, b.Low = effect.RefusalNoHome, effect.NotRated, math.NaN()
		}, want: "200 x 0 = 0.00 refusal:no_one_else_at_home"},
		{name: "not rated", row: func(b *effect.BenchmarkRow) { b.Verdict = effect.NotRated }, want: "200 x 0 = 0.00 not_rated"},
		{name: "no number", row: func(b *effect.BenchmarkRow) { b.Low = math.NaN() }, want: "200 x 0 = 0.00 no_figure"},
		{name: "gate", values: map[effect.DiagnosticName]float64{effect.DiagFollowUp: 0.949999999, effect.DiagUncovered: 0.100000001}, want: "200 x 0 = 0.00 gate:uncovered_share,follow_up"},
		{name: "nobody measured", values: map[effect.DiagnosticName]float64{effect.DiagPeers: math.NaN()}, want: "200 x 0 = 0.00 gate:peers"},
		{name: "not accepted", terms: []string{"          accept_not_applicable: [peers]\n", ""}, want: "200 x 0 = 0.00 gate:peers"},
		// Days: 1.5 extra days x 160 = 240 days at 20000.
		{name: "days", row: func(b *effect.BenchmarkRow) { b.Unit, b.Low = effect.UnitDays, 1.5 }, want: "200 x 240 = 4800000.00"},
		// Where less is better, the cautious limit is the upper one: 0.02 x 160 = 3.2.
		{name: "less is better", terms: []string{"part: provider, method: regression", "part: provider, method: regression, better: low"}, row: func(b *effect.BenchmarkRow) {
			b.Difference, b.Low, b.High = -0.06, -0.1, -0.02
		}, want: "200 x 3.2 = 64000.00"},
		{name: "less is better, by the point", terms: []string{"part: provider, method: regression", "part: provider, method: regression, better: low", "pay_on: lower_limit", "pay_on: point"}, row: func(b *effect.BenchmarkRow) {
			b.Difference, b.Low, b.High = -0.06, -0.1, -0.02
		}, want: "200 x 9.6 = 192000.00"},
		{name: "more is worse", terms: []string{"part: provider, method: regression", "part: provider, method: regression, better: low"}, row: func(b *effect.BenchmarkRow) {
			b.Difference, b.Low, b.High = 0.06, 0.02, 0.1
		}, want: "200 x 0 = 0.00 not_above_0"},
		{name: "no rest", row: func(b *effect.BenchmarkRow) { b.Low = 1e-9 }, want: "200 x 0.00000016 = 0.00 rounds_to_0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := measured(test.row)
			s := settle(t, readTerms(t, append(test.terms, "    limits: [{section: \"9\", per: provider, over: period, most: 500000.00}]\n", "")...), bonus.Facts{
				Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, test.values),
			})
			require.Equal(t, []string{line + test.want}, paid(s))
			require.Equal(t, "counted", rules(s, "effect")["7"])
		})
	}
}

func TestEffectByPackage(t *testing.T) {
	// 200 cases: 120 in P1, 80 in P3, which is not job-oriented.
	rows := cell200(func(i int, r *row) {
		if i >= 120 {
			r.pkg = "P3"
		}
	})
	all := measured(nil)
	found := faults(t, bonus.Facts{Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{all}, Diagnostics: diagnosed(all, nil)}, readTerms(t))
	require.True(t, found.Has(bonus.FaultInseparable))
	require.ErrorContains(t, found, "set by_package in the run file")

	p1 := measured(func(b *effect.BenchmarkRow) { b.Package, b.N, b.NCompared, b.Low = "P1", 120, 100, 0.05 })
	p3 := measured(func(b *effect.BenchmarkRow) { b.Package, b.N, b.NCompared, b.Low = "P3", 80, 80, 0.05 })
	s := settle(t, readTerms(t), bonus.Facts{
		Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{all, p3, p1},
		Diagnostics: slices.Concat(diagnosed(all, nil), diagnosed(p1, nil), diagnosed(p3, nil)),
	})
	// 0.05 x 100 x 20000.
	require.Equal(t, []string{"A-1/north/2008H2/effect@2008-01-01/match5_2004/1/P1/Byen 120 x 5 = 100000.00"}, paid(s))
	require.Equal(t, "package_not_eligible", rules(s, "effect")["200"])
}

func TestEffectAcrossVersions(t *testing.T) {
	b := measured(nil)
	facts := bonus.Facts{Observations: observe(cell200(func(i int, r *row) {
		if i >= 150 {
			r.referral = "2010-03-01"
		}
	})...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	facts.Observations.AsOf = day("2010-12-31")
	found := faults(t, facts, readTerms(t))
	require.ErrorContains(t, found, "50 cases were referred under a version in which clause effect reads differently or does not stand")

	// The same words in both versions: one line, under the later.
	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	_, clause, _ := strings.Cut(string(src), "      - id: effect\n")
	clause, _, _ = strings.Cut(clause, "    limits:")
	terms := readTerms(t, "amount: 5250.00}\n", "amount: 5250.00}\n      - id: effect\n"+clause)
	s := settle(t, terms, facts)
	require.Equal(t, []string{"A-1/north/2010H2/effect@2010-01-01/match5_2004/1/(all)/Byen 200 x 3.397530864 = 67950.62"}, paid(s))
	require.Equal(t, s.Lines[0].ID, s.Cases[1].Line, "a case of the earlier version counts in it too")
}

func TestNothingObserved(t *testing.T) {
	s := settle(t, readTerms(t), bonus.Facts{Observations: observe(row{id: "1", status: effect.Pending, reason: effect.ReasonPending})})
	require.Empty(t, s.Lines)
	require.Equal(t, []bonus.Warning{{
		Agreement: "A-1", Code: bonus.WarnNothingObserved,
		Text: "by 2008-12-31 no case under the agreement had reached a paid outcome or had a window that was over: nothing is paid",
	}}, s.Warnings)
	s = settle(t, readTerms(t), bonus.Facts{Observations: observe(row{id: "1", agreement: "A-2"})})
	require.Equal(t, bonus.WarnNoCases, s.Warnings[0].Code)
}

func TestFaultsOfSettling(t *testing.T) {
	b := measured(nil)
	full := bonus.Facts{Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	for _, test := range []struct {
		name  string
		facts func() bonus.Facts
		terms []string
		code  bonus.FaultCode
		want  string
	}{
		{"price", func() bonus.Facts {
			return bonus.Facts{Observations: observe(row{id: "1", group: "5", job: "2008-06-01"}, row{id: "2", group: "5", job: "2008-09-01"})}
		}, nil, bonus.FaultPrice, `terms.yaml:26:11: versions[0].clauses[0].schedule.unit_prices: clause sustained-job has no price for match group "5" of match5_2004 in package "P1", which has 2 counted cases`},
		{"package missing", func() bonus.Facts {
			return bonus.Facts{Observations: observe(row{id: "1", pkg: none, job: "2008-06-01"})}
		}, nil, bonus.FaultPackage, "1 case would count but have no package: nobody can say whether clause sustained-job pays for them"},
		{"package undeclared", func() bonus.Facts {
			return bonus.Facts{Observations: observe(row{id: "1", pkg: "P9", job: "2008-06-01"})}
		}, nil, bonus.FaultPackage, `have package "P9", which is not declared under packages`},
		{"outcome", func() bonus.Facts { return full }, []string{"reached: sustained_13w", "reached: sustained_13"}, bonus.FaultOutcome, `clause sustained-job needs the outcome "sustained_13", which nobody observes; did you mean "sustained_13w"?`},
		{"figure", func() bonus.Facts { return full }, []string{"method: regression", "method: regresion"}, bonus.FaultFigure, `needs the provider part of the effect on employed_26w by regresion, which nobody computed for 1 cell with cases; did you mean "regression (provider)"?`},
		{"part", func() bonus.Facts { return full }, []string{"part: provider", "part: total"}, bonus.FaultFigure, "needs the total part"},
		{"stale", func() bonus.Facts {
			f := full
			f.Observations = observe(cell200(nil)[:199]...)
			return f
		}, nil, bonus.FaultStale, "is about 200 cases, but 199 have a complete window in the observations"},
		{"two agreements", func() bonus.Facts {
			f := full
			f.Observations = observe(cell200(func(i int, r *row) {
				if i == 0 {
					r.agreement = "A-2"
				}
			})...)
			return f
		}, nil, bonus.FaultInseparable, "1 case of the provider's are under another agreement or none"},
		{"outside", func() bonus.Facts {
			f := full
			f.Observations = observe(cell200(func(i int, r *row) {
				if i < 2 {
					r.referral = "2007-12-31"
				}
			})...)
			return f
		}, nil, bonus.FaultInseparable, "2 cases were referred outside the agreement's dates"},
		{"two prices", func() bonus.Facts {
			f := full
			f.Observations = observe(cell200(func(i int, r *row) {
				if i%2 == 0 {
					r.pkg = "P2"
				}
			})...)
			return f
		}, []string{`package: P2, amount: "20000.00"`, `package: P2, amount: "20000.01"`}, bonus.FaultInseparable, "its packages have different prices; set by_package in the run file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := faults(t, test.facts(), readTerms(t, test.terms...))
			require.True(t, found.Has(test.code), found.Error())
			require.ErrorContains(t, found, test.want)
		})
	}
	found := faults(t, full, readTerms(t), readTerms(t))
	require.True(t, found.Has(bonus.FaultAgreement))
}

func TestFactsThatCannotBeUsed(t *testing.T) {
	terms := []*bonus.Terms{readTerms(t)}
	_, err := bonus.Settle(context.Background(), terms, bonus.Facts{})
	require.ErrorIs(t, err, bonus.ErrFacts)

	broken := observe(row{id: "1"})
	broken.Results[0].Status = nil
	_, err = bonus.Settle(context.Background(), terms, bonus.Facts{Observations: broken})
	require.ErrorIs(t, err, bonus.ErrFacts)

	_, err = bonus.Settle(context.Background(), terms, bonus.Facts{Observations: observe(), Benchmark: []effect.BenchmarkRow{measured(nil), measured(nil)}})
	require.ErrorIs(t, err, bonus.ErrFacts)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = bonus.Settle(ctx, terms, bonus.Facts{Observations: observe(row{id: "1"})})
	require.ErrorIs(t, err, context.Canceled)

	// 10 x 9,000,000,000,000,000.00 kr. is more øre than an int64 holds.
	var rows []row
	for i := range 20 {
		rows = append(rows, row{id: fmt.Sprint(i), job: "2008-06-01"})
	}
	huge := readTerms(t, "package: P1, amount: 5000.00", "package: P1, amount: 9000000000000000.00")
	_, err = bonus.Settle(context.Background(), []*bonus.Terms{huge}, bonus.Facts{Observations: observe(rows...)})
	require.ErrorIs(t, err, bonus.ErrOverflow)
}

func TestExplain(t *testing.T) {
	b := measured(nil)
	rows := cell200(func(i int, r *row) {
		if i < 3 {
			r.job = "2008-09-01"
		}
	})
	rows = append(rows, row{id: "301", status: effect.Pending}, row{id: "302", referral: "2007-01-01"}, row{id: "303", group: "4", job: "2008-07-01", pkg: "P1"})
	s := settle(t, readTerms(t, "most: 500000.00", "most: 90000.00"), bonus.Facts{
		Observations: observe(rows...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil),
	})
	var out strings.Builder
	for _, l := range s.Lines {
		e, err := s.Explain(l.ID)
		require.NoError(t, err)
		out.WriteString(e.String() + "\n----\n")
	}
	for _, id := range []string{"1", "7", "301", "302"} {
		e, err := s.ExplainCase(id)
		require.NoError(t, err)
		out.WriteString(e.String())
	}
	golden(t, "testdata/explain.txt", strings.ReplaceAll(out.String(), s.Lines[0].TermsSHA256, "(hash)"))

	blocked := settle(t, readTerms(t), bonus.Facts{
		Observations: observe(cell200(nil)...), Benchmark: []effect.BenchmarkRow{b},
		Diagnostics: diagnosed(b, map[effect.DiagnosticName]float64{effect.DiagN: 29, effect.DiagFollowUp: math.NaN()}),
	})
	e, err := blocked.Explain(blocked.Lines[0].ID)
	require.NoError(t, err)
	golden(t, "testdata/explain_blocked.txt", strings.ReplaceAll(e.String(), s.Lines[0].TermsSHA256, "(hash)"))

	_, err = s.Explain("A-1/north/2008H2/cab")
	require.ErrorIs(t, err, bonus.ErrNotFound)
	require.ErrorContains(t, err, `did you mean "A-1/north/2008H2/cap"?`)
	_, err = s.ExplainCase("4711")
	require.ErrorIs(t, err, bonus.ErrNotFound)
	require.NotContains(t, err.Error(), "4711")
}

// "In none of the states" proves nothing about somebody whom the registers do
// not know, or for days they do not reach.
func TestAbsenceNeedsFollowUp(t *testing.T) {
	obs := observe(row{id: "1", job: "2008-06-01"}, row{id: "2", job: "2008-06-01"})
	obs.Results[0].Absence, obs.Results[0].Followed = true, []bool{true, false}
	s := settle(t, readTerms(t), bonus.Facts{Observations: obs})
	rules := map[string]string{}
	for _, c := range s.Cases {
		if c.Clause == "sustained-job" {
			rules[c.Participation] = c.Rule
		}
	}
	require.Equal(t, map[string]string{"1": bonus.RuleCounted, "2": bonus.RuleNotFollowed}, rules)
}

// A citizen whose earlier case under the agreement belongs to another period's
// settlement is not paid for again in this one.
func TestEarlierCaseOutsideThePeriod(t *testing.T) {
	obs := observe(
		row{id: "1", person: "a", referral: "2008-01-05", reason: effect.ReasonOutsidePeriod},
		row{id: "2", person: "a", referral: "2008-03-01", job: "2008-06-01"},
		row{id: "3", person: "b", referral: "2008-03-01", job: "2008-06-01"},
		row{id: "4", person: "b", referral: "2008-05-01", reason: effect.ReasonOutsidePeriod},
		// Before the agreement began it was no case of the agreement.
		row{id: "5", person: "c", referral: "2007-12-01", reason: effect.ReasonOutsidePeriod},
		row{id: "6", person: "c", referral: "2008-03-01", job: "2008-06-01"},
	)
	s := settle(t, readTerms(t), bonus.Facts{Observations: obs})
	rules := map[string]string{}
	for _, c := range s.Cases {
		if c.Clause == "sustained-job" {
			rules[c.Participation] = c.Rule
		}
	}
	require.Equal(t, bonus.RuleEarlierCase, rules["2"])
	require.Equal(t, bonus.RuleCounted, rules["3"], "the later case does not count against the earlier")
	require.Equal(t, bonus.RuleCounted, rules["6"])
}

// Two providers share one job: the one to whom the citizen was referred first is
// paid, whatever the numbers of the referrals.
func TestSharedJob(t *testing.T) {
	s := settle(t, readTerms(t), bonus.Facts{Observations: observe(
		row{id: "2", person: "a", referral: "2008-03-01", job: "2008-06-01", provider: "south"},
		row{id: "10", person: "a", referral: "2008-02-01", job: "2008-06-01", provider: "north"},
	)})
	for _, l := range s.Lines {
		if l.Clause == "sustained-job" {
			require.Equal(t, "north", l.Provider)
		}
	}
}

func TestStopped(t *testing.T) {
	l := bonus.Line{Reason: "refusal:n_below_minimum; gate:n,peers"}
	require.True(t, l.Stopped(bonus.ReasonGate))
	require.True(t, l.Stopped(bonus.ReasonRefusal))
	require.False(t, l.Stopped(bonus.ReasonNotRated))
	require.False(t, (&bonus.Line{}).Stopped(bonus.ReasonGate))
}

func TestCurrencies(t *testing.T) {
	facts := bonus.Facts{Observations: observe(row{id: "1", job: "2008-03-01"}, row{id: "2", agreement: "A-2", job: "2008-03-01"})}
	pounds := readTerms(t, "currency: DKK", "currency: GBP")
	s := settle(t, pounds, facts)
	require.Equal(t, bonus.GBP, s.Lines[0].Currency)
	for _, step := range s.Steps {
		require.NotEqual(t, "kr.", step.Unit)
	}
	e, err := s.Explain(s.Lines[0].ID)
	require.NoError(t, err)
	require.Contains(t, e.String(), "5000.00 GBP to north")
	require.NotContains(t, e.String(), "kr.")

	mixed := []*bonus.Terms{pounds, readTerms(t, "agreement: A-1", "agreement: A-2")}
	_, err = bonus.Settle(context.Background(), mixed, facts)
	require.ErrorContains(t, err, "currency: the terms are in DKK, and terms.yaml, which is settled with them, in GBP: amounts of two currencies do not add up")
	require.ErrorContains(t, bonus.Together(mixed), "amounts of two currencies do not add up", "before anything is computed")
}
