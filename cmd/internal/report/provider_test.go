package report

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/words"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt/demo"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// A name that is full of what must do no harm.
const scriptName = "<script>alert(1)</script>\n=HYPERLINK(\"x\")\u202e\x07"

// twoProviders is a builder over hand-made tables about two providers under the terms of the
// demonstration, with the numbers of the other in the nine thousands.
func twoProviders(t *testing.T, tag string) *builder {
	t.Helper()
	config, err := demo.Files.ReadFile("jobeffekt.yaml")
	require.NoError(t, err)
	c, err := jobeffekt.ParseConfig("jobeffekt.yaml", config)
	require.NoError(t, err)
	src, err := demo.Files.ReadFile("terms.yaml")
	require.NoError(t, err)
	terms, err := bonus.ParseTerms("terms.yaml", src)
	require.NoError(t, err)
	l, err := words.New(tag)
	require.NoError(t, err)
	p := small()
	p.Config, p.Terms, p.Municipalities = c, []*bonus.Terms{terms}, map[string]string{"751": "Aarhus"}
	of := func(n float64, low, high float64, v effect.Verdict) figures {
		return figures{N: n, NCompared: n, Observed: 0.3, Expected: 0.25, Difference: (low + high) / 2, Low: low, High: high, Confidence: 0.95, Verdict: v}
	}
	few := figures{N: math.NaN(), NCompared: math.NaN(), Observed: math.NaN(), Expected: math.NaN(), Difference: math.NaN(), Low: math.NaN(), High: math.NaN(), Confidence: 0.95, Suppressed: jobeffekt.Suppressed}
	row := func(provider, group, pkg string, part effect.Part, f figures) benchmarkRow {
		return benchmarkRow{Outcome: "employed_26w", Unit: effect.UnitShare, Municipality: "751", Scheme: "match5_2004", Group: group, Provider: provider, Package: pkg, Method: "balance", Part: part, figures: f}
	}
	line := func(provider, id, clause string, amount float64, suppressed string) lineRow {
		return lineRow{ID: id, Agreement: "A-751", Provider: provider, Period: "2010H1", Clause: clause, Outcome: "employed_26w", Municipality: "751", Group: "4", Package: "P1", Amount: amount, Currency: "DKK", Standing: "provisional", Section: "8.4", Suppressed: suppressed}
	}
	b := &builder{
		p: p, o: Default(), l: l, about: []string{"751"}, providers: []string{"north", "south"}, outcomes: []string{"employed_26w"}, method: "balance",
		names: map[string]string{"north": scriptName, "south": "Southern"},
		benchmark: []benchmarkRow{
			row("north", "4", "", effect.Provider, of(101, 0.01, 0.09, effect.Higher)), row("north", "4", "P1", effect.Provider, few), row("north", "5", "P1", effect.Provider, of(57, -0.1, 0.1, effect.NoDifference)),
			row("south", "4", "", effect.Provider, of(9111, 0.01, 0.09, effect.Higher)), row("south", "4", "P1", effect.Provider, of(9222, 0.01, 0.09, effect.Higher)),
		},
		lines: []lineRow{
			line("north", "n1", "effect", 1234567, ""), line("north", "n2", "sustained-job", math.NaN(), jobeffekt.Suppressed),
			line("south", "s1", "effect", 933333300, ""),
		},
		totals: []totalRow{{"A-751", "", "", 966666600}, {"A-751", "north", "", 33333300}, {"A-751", "south", "", 933333300}},
		gate: []gateRow{
			{Line: "n1", Diagnostic: effect.DiagN, Measured: 101, Threshold: 30, Passes: "at_least", State: bonus.Pass, Accepted: true},
			{Line: "n1", Diagnostic: effect.DiagBalance, Measured: 0.37, Threshold: 0.25, Passes: "at_most", State: bonus.Fail},
			{Line: "n1", Diagnostic: effect.DiagPlacebo, Measured: math.NaN(), Threshold: 0.1, Passes: "at_most", State: bonus.Fail},
			{Line: "s1", Diagnostic: effect.DiagN, Measured: 9444, Threshold: 30, Passes: "at_least", State: bonus.Pass, Accepted: true},
		},
	}
	p.Manifest.AsOf = effect.NewDate(2010, 6, 30)
	b.html, err = b.templates()
	require.NoError(t, err)
	return b
}

// tables gives the publication of a builder more tables, each of text and number columns.
func (b *builder) with(tables ...*ingest.Table) *builder {
	b.p.Tables = append(b.p.Tables, tables...)
	return b
}

func columns(name string, of ...ingest.Column) *ingest.Table {
	return &ingest.Table{Name: name, Columns: of}
}
func texts(name string, of ...string) ingest.Column { return ingest.Column{Name: name, Texts: of} }
func numbers(name string, of ...float64) ingest.Column {
	return ingest.Column{Name: name, Floats: of}
}

func repeated(s string, n int) []string { return slices.Repeat([]string{s}, n) }

// countedTable is a table settlement_counts of both providers.
func countedTable() *ingest.Table {
	nan := math.NaN()
	return columns(jobeffekt.TableCounted,
		texts("agreement_id", repeated("A-751", 4)...), texts("clause", repeated("effect", 4)...), texts("municipality", repeated("751", 4)...), texts("match_scheme", repeated("match5_2004", 4)...),
		texts("match_group", "4", "4", "5", "4"), texts("provider_id", "north", "north", "north", "south"), texts("package_id", repeated("P1", 4)...),
		texts("rule", bonus.RuleCounted, "excluded:not_first", bonus.RulePackageNotEligible, bonus.RuleCounted), numbers("n", 94, nan, 63, 9555), texts("suppressed", "", jobeffekt.Suppressed, "", ""),
	)
}

// surveyTable is a table figures: means of 2009 of north, south and others.
func surveyTable(others int) *ingest.Table {
	ids, periods, values, figures, ns, hidden := []string{"north", "south"}, []string{"2009", "2009"}, []string{"4.25", "1.93"}, []string{jobeffekt.FigureSatisfaction, jobeffekt.FigureSatisfaction}, []float64{40, 9666}, []string{"", ""}
	for i := range others {
		ids, periods, values = append(ids, "other"+string(rune('a'+i))), append(periods, "2009"), append(values, "3")
		figures, ns, hidden = append(figures, jobeffekt.FigureSatisfaction), append(ns, 9), append(hidden, "")
	}
	return columns(jobeffekt.TableFigures, texts("figure", figures...), texts("provider_id", ids...), texts("period", periods...), numbers("n", ns...), texts("value", values...), texts("suppressed", hidden...))
}

// followUpTable has no inspection of north and one of south.
func followUpTable() *ingest.Table {
	return columns(jobeffekt.TableFollowUp, texts("provider_id", "north", "south"), ingest.Column{Name: "inspected_on", Dates: []effect.Date{effect.NoDate, effect.NewDate(2009, 3, 1)}}, texts("grade", "", "Grade of the southern"), texts("note", "", "Note of the southern"))
}

// A provider's page has its own figures, nothing of the other provider's, and shows what is
// withheld, what is not there and what is zero as different things.
func TestProviderPage(t *testing.T) {
	steps := jobeffekt.ProviderSteps{
		Provider: "north",
		Margins:  []bonus.Margin{{Line: "n1", What: "lower limit of the difference", Now: "-0.0213", Passes: "above", Asked: "0", Spare: "-0.0213"}},
		Ceilings: []bonus.Headroom{{Agreement: "A-751", Section: "9", Period: "2009H2", Over: "period", Of: "amount", Limit: "400000", Used: "1000.5", Left: "398999.5"}, {Agreement: "A-751", Section: "9", Period: "2010H1", Over: "period", Of: "amount", Limit: "400000"}},
		Further: []jobeffekt.FurtherStep{
			{Agreement: "A-751", Clause: "sustained-job", MatchGroup: "5", Package: "P2", Open: 66, Steps: []jobeffekt.FurtherAmount{{Citizens: 1, Amount: 825050}, {Citizens: 10, Amount: 8250500}}},
			{Agreement: "A-751", Clause: "sustained-job", MatchGroup: "4", Package: "P1", Open: math.NaN(), Withheld: true},
		},
	}
	for tag, want := range map[string][]string{
		"da": {"skjult", "12.345,67 kr.", "8.250,50 kr.", "82.505 kr.", "398.999,50 kr.", "−2,1 procentpoint", "2,1 procentpoint for lidt", "0,12 for meget", "ikke opfyldt", "333.333 kr.", "borgeren har et tidligere forløb under aftalen: skjult", "4,25", "intet tilsyn", "højere sandsynliggjort", "4.000 kr."},
		"en": {"withheld", "DKK 12,345.67", "DKK 8,250.50", "DKK 82,505", "DKK 398,999.50", "−2.1 percentage points", "2.1 percentage points too little", "0.12 too much", "not met", "DKK 333,333", "the citizen has an earlier case under the agreement: withheld", "4.25", "no inspection", "higher made probable", "DKK 4,000"},
	} {
		t.Run(tag, func(t *testing.T) {
			b := twoProviders(t, tag).with(countedTable(), surveyTable(3), followUpTable()).alone("north")
			var out bytes.Buffer
			require.NoError(t, b.providerPage(&out, "north", steps))
			page := strings.ReplaceAll(out.String(), "\u00a0", " ")
			for _, s := range want {
				assert.Contains(t, page, s)
			}
			text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
			for _, other := range []string{"south", "South", "1,93", "1.93", "Grade of", "othera"} {
				assert.NotContains(t, text, other)
			}
			assert.NotRegexp(t, `9[.,]?(111|222|333|444|555|666)`, text)
			assert.NotContains(t, page, "<script>alert")
			assert.NotContains(t, page, "\u202e")
			assert.NotContains(t, page, "[[")
			assert.NotContains(t, text, "NaN")
		})
	}
}

// Every provider that is asked for has a file of its own; a name of a file never leaves the
// folder.
func TestProviderPages(t *testing.T) {
	b := twoProviders(t, "da")
	b.providers = []string{"north", "../x", "a/b", "a_b"}
	var names []string
	for _, f := range b.providerPages(&stepsOf{p: b.p, ids: b.pages()}) {
		assert.NotContains(t, strings.TrimPrefix(f.name, "providers/"), "/")
		assert.NotContains(t, f.name, "..")
		names = append(names, f.name)
	}
	slices.Sort(names)
	assert.Len(t, slices.Compact(names), 4)
	b.o.Providers = []string{"a/b"}
	assert.Equal(t, []string{"a/b"}, b.pages())
}

// Of fewer than three others no mean is told: one of them could work out another's.
func TestMeansOfOthers(t *testing.T) {
	// Of north's page south is another.
	for others, want := range map[int]bool{1: false, 2: true} {
		s, ok := twoProviders(t, "da").with(surveyTable(others)).alone("north").quality()
		require.True(t, ok)
		assert.Equal(t, want, strings.Contains(string(s.Body), "gennemsnit af 3 leverandører"), "%d", others)
		assert.NotContains(t, string(s.Body), "1,93")
	}
	_, ok := twoProviders(t, "da").quality()
	assert.False(t, ok, "nothing is known")
	_, ok = twoProviders(t, "da").spending()
	assert.False(t, ok)
}

// Every rule of a settlement has words in every language.
func TestEveryRuleHasWords(t *testing.T) {
	rules := []string{
		bonus.RuleNotReached, bonus.RulePending, bonus.RuleLeft, bonus.RuleNotStarted, bonus.RuleNotDue, bonus.RuleNotFollowed, bonus.RuleEarlierCase, bonus.RulePackageNotEligible,
		bonus.RuleIndicator, bonus.RuleAlreadyPaid, bonus.RuleCreditedToAnother, bonus.RuleOtherAgreement, bonus.RuleOtherClause, bonus.RuleNoRole, bonus.RuleTooLate, bonus.RuleOutsideWeeks,
		bonus.RuleEvidencePending, bonus.RuleEvidenceMissing, bonus.RuleUnless, bonus.RuleFigure, bonus.RuleFigureMissing, bonus.RuleOverLimit, bonus.RuleTakenBack, bonus.RuleNoProvider,
		bonus.RuleNoVersion, bonus.RuleOutsideAgreement,
	}
	for _, r := range []effect.Reason{effect.ReasonOutsidePeriod, effect.ReasonNotFirst, effect.ReasonNotLast, effect.ReasonNoClock, effect.ReasonNoValue, effect.ReasonNotAtRisk} {
		rules = append(rules, r.String())
	}
	for _, tag := range words.Tags() {
		l, err := words.New(tag)
		require.NoError(t, err)
		for _, r := range rules {
			assert.True(t, l.Has("rule."+r), "%s: %s", tag, r)
		}
		for _, d := range append(effect.DiagnosticName("").Names(), string(bonus.GateHolm), string(bonus.GateAcceptance)) {
			assert.True(t, l.Has("measure."+d), "%s: %s", tag, d)
		}
		for _, no := range []string{
			jobeffekt.NoCostNotAttributed, jobeffekt.NoCostNoCitizens, jobeffekt.NoCostInHouseBid, jobeffekt.NoCostNegative, jobeffekt.NoCostNoParticipation, jobeffekt.NoCostWindowsOpen,
			jobeffekt.NoCostNobodyReached, jobeffekt.NoCostNoComparison, jobeffekt.NoCostSchemes, jobeffekt.NoCostNotRated, jobeffekt.NoCostIntervalZero, jobeffekt.NoCostFewer, jobeffekt.NoteNoTotal,
		} {
			assert.True(t, l.Has("spending.no_"+no), "%s: %s", tag, no)
		}
	}
}

// What was spent, beside its citizens: withheld, not told and none are different things.
func TestSpent(t *testing.T) {
	b := twoProviders(t, "da")
	nan := math.NaN()
	r := spendingRow{
		Municipality: "751", Year: 2008, Channel: "provider", Amount: "12717000.50", Participations: 662, Reached: 157, Each: 19210.4, EachReached: 81000, EachExtra: nan,
		Difference: -0.025, Low: -0.13, High: 0.08, NoExtra: jobeffekt.NoCostIntervalZero,
	}
	got := b.spent(r)
	assert.Equal(t, []string{"Leverandører", "2008", "662", "157", "−2,5 (−13,0 til +8,0)", "måske ingen ekstra"}, []string{got.Channel, got.Who, got.Referred, got.Work, got.More, got.EachMore})
	assert.Equal(t, "12.717.001 kr.", strings.ReplaceAll(got.Amount, "\u00a0", " "))
	r.Suppressed, r.Participations, r.NoExtra = jobeffekt.Suppressed, nan, ""
	got = b.spent(r)
	assert.Equal(t, []string{"skjult", "skjult"}, []string{got.Referred, got.EachMore})
	got = b.spent(spendingRow{Channel: jobeffekt.ChannelNotAttributed, Amount: "", NoEach: "not_attributed", NoReached: "not_attributed", NoExtra: "not_attributed"})
	assert.Equal(t, []string{"ikke oplyst", "hører til ingen kanal", ""}, []string{got.Amount, got.None, got.Referred})
}
