package report

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

const runFile = `
data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: days, kind: days_in, states: [ordinary_employment], within: 52 weeks}
  - {name: work, kind: state_at, states: [ordinary_employment, self_employment], at: 26 weeks}
  - {name: lasting, kind: sustained, states: [flex_job], weeks: 13, within: 1 year}
peers: {conditions: [unemployment_pct], year: 2007, k: 4}
compare: {methods: [balance, strata], covariates: [sex, shoe_size], classes: [{covariate: sex}]}
terms: [terms.yaml]
`

const termsFile = `
agreement: A1
title: Framework agreement <1>
source: {document: "Agreement", dated: 2007-11-15}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2011-12-31
packages: [{id: P1, name: Coach, job_oriented: true}]
periods: half_year
applies_by: referral
rounding: {unit: 1, mode: half_up, stage: line}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: effect
        section: "8.4"
        text: A price for each citizen more in work
        measure: {effect: work, part: total, method: balance}
        pay_on: point
        schedule: {unit_prices: [{match_group: 4, amount: 40000}]}
        gate: {require: {balance: 0.25}}
    limits: [{section: "9", per: provider, over: period, most: 400000}]
`

// rated is a row of benchmark.
func rated(provider, group string, n, observed, difference, low, high float64, v effect.Verdict) benchmarkRow {
	return benchmarkRow{
		Outcome: "work", Unit: effect.UnitShare, Municipality: "751", Scheme: "match5_2004", Group: group, Provider: provider, Method: "balance", Part: effect.Total,
		figures: figures{N: n, Observed: observed, NCompared: n, Expected: observed - difference, Difference: difference, Low: low, High: high, Confidence: 0.95, Verdict: v},
	}
}

// world is a publication in small, whose parts a test can take out or change.
type testWorld struct {
	config, terms string
	benchmark     []benchmarkRow
	comparison    []comparisonRow
	lines         []lineRow
	gate          []gateRow
	providers     []providerRow
	peers         []peersRow
	cells         []cellOf
	experience    []ingest.Statement
	counted       []settledRow
	totals        []totalRow
	municipality  map[string]string
	blinded       bool
}

type settledRow struct {
	Agreement    string `col:"agreement_id"`
	Municipality string `col:"municipality"`
	Provider     string `col:"provider_id"`
}

type providerRow struct {
	Provider string      `col:"provider_id"`
	From     effect.Date `col:"valid_from"`
	Name     string      `col:"name"`
}

type peersRow struct {
	Municipality string  `col:"municipality"`
	Peer         string  `col:"peer"`
	Rank         float64 `col:"rank"`
	Distance     float64 `col:"distance"`
	By           string  `col:"by"`
}

type cellOf struct {
	Municipality string  `col:"municipality"`
	Provider     string  `col:"provider_id"`
	N            float64 `col:"n_cohort"`
}

func smallWorld() *testWorld {
	nan := math.NaN()
	hidden := rated("L3", "4", nan, nan, nan, nan, nan, "")
	hidden.Suppressed, hidden.NCompared, hidden.Expected = jobeffekt.Suppressed, nan, nan
	unrated := rated("L3", "5", 12, 0.25, nan, nan, nan, effect.NotRated)
	unrated.Expected, unrated.Refusal = nan, effect.RefusalFewCases
	line := lineRow{ID: "A1/L1/2010H1/effect", Agreement: "A1", Provider: "L1", Period: "2010H1", Clause: "effect", Outcome: "work", Municipality: "751", Group: "4", Package: "P1", Cases: 100, Amount: 1234550, Currency: bonus.DKK, Standing: bonus.StandingSealed, Text: "A price", Section: "8.4"}
	stopped := line
	stopped.ID, stopped.Provider, stopped.Amount, stopped.Reason = "A1/L2/2010H1/effect", "L2", 0, "gate:balance,n; not_rated"
	withheld := line
	withheld.ID, withheld.Period, withheld.Amount, withheld.Cases, withheld.Suppressed = "A1/L1/2009H2/effect", "2009H2", nan, nan, jobeffekt.Suppressed
	return &testWorld{
		config: runFile, terms: termsFile,
		benchmark: []benchmarkRow{
			rated("L1", "4", 253, 0.352, 0.01, -0.012, 0.034, effect.NoDifference),
			rated("L1", "5", 299, 0.3, 0.1, 0.006, 0.145, effect.Higher),
			rated("L2", "4", 1240, 0.196, -0.135, -0.261, -0.009, effect.Lower),
			hidden, unrated,
		},
		lines:        []lineRow{line, stopped, withheld},
		gate:         []gateRow{{Line: stopped.ID, Diagnostic: effect.DiagBalance, Measured: 0.41, Threshold: 0.25, Passes: "at_most", State: bonus.Fail}, {Line: stopped.ID, Diagnostic: effect.DiagN, Measured: 100, Threshold: 30, Passes: "at_least", State: bonus.Pass, Accepted: true}},
		providers:    []providerRow{{"L1", 0, "Ærlig & Søn"}, {"L2", 0, "Zenit"}, {"L2", 13880, "Aabo"}, {"L3", 0, "Bo"}},
		peers:        []peersRow{{"751", "851", 1, 0.5, "euclidean"}, {"751", "630", 2, 0.7, "euclidean"}},
		cells:        []cellOf{{"751", "L1", 552}, {"751", "L2", 1240}, {"751", "L3", 20}, {"851", "L9", 50}, {"751", effect.OwnProvider, 50}},
		counted:      []settledRow{{"A1", "751", "L1"}, {"A1", "751", "L3"}},
		municipality: map[string]string{"751": "Aarhus", "851": "Aalborg", "630": "Vejle"},
		experience:   []ingest.Statement{{Provider: "L1", Period: "2009", Text: "Det gik godt.\n\nMeget godt."}},
	}
}

// addTable adds a table of the publication; none without rows.
func addTable[T any](t *testing.T, p *jobeffekt.Publication, name string, rows []T) {
	t.Helper()
	if len(rows) == 0 {
		return
	}
	made, err := ingest.FromRows(name, rows)
	require.NoError(t, err)
	p.Tables = append(p.Tables, made)
}

func (w *testWorld) publication(t *testing.T) *jobeffekt.Publication {
	t.Helper()
	config, err := jobeffekt.ParseConfig("jobeffekt.yaml", []byte(w.config))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, jobeffekt.ManifestName), []byte("{}"), 0o600))
	p := &jobeffekt.Publication{
		Folder: folder, Config: config, MinCount: 5, Municipalities: w.municipality, Experience: w.experience,
		Manifest: &jobeffekt.Manifest{AsOf: config.AsOf, Standing: bonus.StandingSealed, Blinded: w.blinded, Inputs: []jobeffekt.Source{{Path: "../data/spells.parquet", SHA256: "abc"}}},
	}
	if w.terms != "" {
		terms, err := bonus.ParseTerms("terms.yaml", []byte(w.terms))
		require.NoError(t, err)
		p.Terms = append(p.Terms, terms)
	}
	addTable(t, p, jobeffekt.TableProviders, w.providers)
	addTable(t, p, jobeffekt.TableCells, w.cells)
	addTable(t, p, jobeffekt.TablePeers, w.peers)
	addTable(t, p, jobeffekt.TableBenchmark, w.benchmark)
	addTable(t, p, jobeffekt.TableComparison, w.comparison)
	addTable(t, p, jobeffekt.TableSettlement, w.lines)
	addTable(t, p, jobeffekt.TableGate, w.gate)
	addTable(t, p, jobeffekt.TablePaid, w.totals)
	addTable(t, p, jobeffekt.TableCounted, w.counted)
	if len(w.peers) > 0 {
		type condition struct {
			Municipality string  `col:"municipality"`
			Peer         string  `col:"peer"`
			Condition    string  `col:"condition"`
			Value        float64 `col:"value"`
			PeerValue    float64 `col:"peer_value"`
		}
		addTable(t, p, jobeffekt.TablePeerValues, []condition{{"751", "851", "unemployment_pct", 3.7, 3}, {"751", "630", "unemployment_pct", 3.7, 5.25}})
	}
	return p
}

// committee is the page of the report as it is written.
func (w *testWorld) committee(t *testing.T, tag string, o Options) string {
	t.Helper()
	o.Languages = []string{tag}
	b, err := newBuilder(w.publication(t), o, tag)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, b.committee(context.Background(), &out))
	return out.String()
}

// The words of an interval, at every place it can lie.
func TestBetween(t *testing.T) {
	w := smallWorld()
	for _, c := range []struct {
		low, high float64
		unit      effect.Unit
		da, en    string
	}{
		{-0.01, 0.03, effect.UnitShare, "mellem 1 procentpoint lavere og 3 højere", "between 1 percentage point lower and 3 higher"},
		{-0.172, 0.102, effect.UnitShare, "mellem 17 procentpoint lavere og 10 højere", "between 17 percentage points lower and 10 higher"},
		{0.006, 0.145, effect.UnitShare, "mellem 0,6 og 14 procentpoint højere", "between 0.6 and 14 percentage points higher"},
		{-0.261, -0.009, effect.UnitShare, "mellem 0,9 og 26 procentpoint lavere", "between 0.9 and 26 percentage points lower"},
		{-0.0002, 0.02, effect.UnitShare, "mellem under 0,1 procentpoint lavere og 2 højere", "between under 0.1 percentage points lower and 2 higher"},
		{0, 0.02, effect.UnitShare, "mellem 0 og 2 procentpoint højere", "between 0 and 2 percentage points higher"},
		{-0.02, 0, effect.UnitShare, "mellem 0 og 2 procentpoint lavere", "between 0 and 2 percentage points lower"},
		{-0.0096, 0.0096, effect.UnitShare, "mellem 1 procentpoint lavere og 1 højere", "between 1 percentage point lower and 1 higher"},
		{-3.4, 1.2, effect.UnitDays, "mellem 3 dage færre og 1 flere", "between 3 days fewer and 1 more"},
		{math.Inf(-1), 1, effect.UnitDays, "uden grænse", "without bound"},
		{math.NaN(), 1, effect.UnitDays, "ikke oplyst", "not known"},
	} {
		for tag, want := range map[string]string{"da": c.da, "en": c.en} {
			b, err := newBuilder(w.publication(t), Default(), tag)
			require.NoError(t, err)
			assert.Equal(t, want, b.between(figures{Low: c.low, High: c.high}, c.unit))
		}
	}
}

// The first screen answers: each provider by name, the interval and n, the verdict, the
// kroner and how final they are.
func TestAnswer(t *testing.T) {
	text := pageText(t, smallWorld().committee(t, "da", Default()))
	for _, want := range []string{
		"I ordinært eller selvstændigt arbejde 26 uger efter henvisningen, sammenholdt med lignende borgere i sammenlignelige kommuner",
		"Framework agreement <1> – Aarhus", "30. juni 2010",
		"35 % af 253 borgere, 34 % ventet. Forskellen er mellem 1 procentpoint lavere og 3 højere.",
		"Ærlig & Søn: ingen forskel påvist (matchgruppe 4) og højere sandsynliggjort (matchgruppe 5)",
		"Aabo: mellem 0,9 og 26 procentpoint lavere; lavere sandsynliggjort (n = 1.240)",
		"12 borgere; for få borgere til en vurdering.",
		"12.345,50 kr., foreløbig. Dertil 1 linje, hvis beløb er skjult. Linjer standset af kravene til sikkerhed: 1 af 3.",
		"de sammenlignede er ikke ens nok: 0,41, højst 0,25",
	} {
		assert.True(t, strings.Contains(text, want), "the page does not say: %s", want)
	}
	silent(t, text, "Zenit", "a provider that was renamed goes by its last name")
	silent(t, text, "L9", "others' providers are not those of the report")
	assert.Less(t, strings.Index(text, "Ærlig"), strings.Index(text, "Aabo"), "aa comes last")
	en := pageText(t, smallWorld().committee(t, "en", Default()))
	says(t, en, "between 1 percentage point lower and 3 higher")
	assert.Less(t, strings.Index(en, "Aabo"), strings.Index(en, "Ærlig"))
}

// All match groups together, where the run has seen them together, are the sentence.
func TestPooledAnswer(t *testing.T) {
	w := smallWorld()
	r := comparisonRow{View: effect.ViewProvider, Of: "L1", Outcome: "work", Unit: effect.UnitShare, Municipality: "751", Scheme: "match5_2004", Group: effect.All, Method: "balance", Part: effect.Total}
	r.figures = rated("", "", 552, 0.3, 0.05, -0.02, 0.12, effect.NoDifference).figures
	other := r
	other.View, other.Of = effect.ViewChannel, "provider"
	w.comparison = []comparisonRow{r, other}
	text := pageText(t, w.committee(t, "da", Default()))
	says(t, text, "Ærlig & Søn: mellem 2 procentpoint lavere og 12 højere; ingen forskel påvist (n = 552)")
}

// A total that may be told is told, whatever of its lines may not.
func TestTotals(t *testing.T) {
	w := smallWorld()
	w.totals = []totalRow{{"A1", "", "", 2345600}, {"A1", "L1", "", 2345600}, {"A1", "L1", "2009H2", math.NaN()}, {"A1", "L1", "2010H1", 1234550}, {"A1", "L2", "", 0}}
	text := pageText(t, w.committee(t, "da", Default()))
	says(t, text, "Resultatbonus i alt: 23.456 kr., foreløbig. Linjer standset af kravene til sikkerhed: 1 af 3.")
	says(t, text, "Resultatbonus: 23.456 kr., foreløbig.")
	says(t, text, "Alle leverandører | 12.345,50 kr. + skjult | 23.456 kr.")
	says(t, text, "2. halvår 2009 | skjult | skjult")
	silent(t, text, "Dertil")
}

// What the gate stopped is counted where the reason of the line may not be shown.
func TestStoppedAndWithheld(t *testing.T) {
	w := smallWorld()
	l, g := &w.lines[1], &w.gate[0]
	l.Reason, l.Amount, l.Cases, l.Suppressed = "", math.NaN(), math.NaN(), jobeffekt.Suppressed
	g.Measured, g.Suppressed = math.NaN(), jobeffekt.Suppressed
	text := pageText(t, w.committee(t, "da", Default()))
	says(t, text, "Linjer standset af kravene til sikkerhed: 1 af 3.")
	says(t, text, "| de sammenlignede er ikke ens nok: tallet er skjult, kravet er 0,25")
}

// Of a row in which something is withheld the rest is told, and told apart.
func TestPartlyWithheld(t *testing.T) {
	w := smallWorld()
	for i := range w.benchmark {
		r := &w.benchmark[i]
		r.Suppressed, r.NCompared, r.Expected = jobeffekt.Suppressed, math.NaN(), math.NaN()
	}
	text := pageText(t, w.committee(t, "da", Default()))
	says(t, text, "Aabo: mellem 0,9 og 26 procentpoint lavere; lavere sandsynliggjort (n = 1.240)")
	says(t, text, "lavere sandsynliggjort. Forskellen er mellem 0,9 og 26 procentpoint lavere.")
	says(t, text, "1.240 | 19,6 % | skjult | −13,5")
	says(t, text, "ikke vurderet. 12 borgere; for få borgere til en vurdering.")
	says(t, text, "Af 5 vurderinger af leverandørers borgere er 1 højere sandsynliggjort og 1 lavere; i 1 er ingen forskel påvist, og 1 er ikke vurderet. 1 vurdering er skjult")
	silent(t, text, "?")
}

// Where all match groups together are withheld, the answer is that of each.
func TestPooledWithheld(t *testing.T) {
	w := smallWorld()
	nan := math.NaN()
	r := comparisonRow{View: effect.ViewProvider, Of: "L1", Outcome: "work", Unit: effect.UnitShare, Municipality: "751", Scheme: "match5_2004", Group: effect.All, Method: "balance", Part: effect.Total}
	r.figures = rated("", "", 552, nan, nan, nan, nan, "").figures
	r.Suppressed = jobeffekt.Suppressed
	w.comparison = []comparisonRow{r}
	text := pageText(t, w.committee(t, "da", Default()))
	says(t, text, "Ærlig & Søn: ingen forskel påvist (matchgruppe 4) og højere sandsynliggjort (matchgruppe 5)")
}

// Withheld, not rated and missing are three things, and none of them is a nought.
func TestWhatIsNotShown(t *testing.T) {
	w := smallWorld()
	w.benchmark = w.benchmark[3:]
	w.lines, w.gate = w.lines[2:], nil
	w.counted = []settledRow{{"A1", "751", "L3"}}
	text := pageText(t, w.committee(t, "da", Default()))
	says(t, text, "Tallene er skjult: de kunne røbe noget om få borgere.")
	says(t, text, "ikke vurderet. 12 borgere; for få borgere til en vurdering.")
	says(t, text, "Kørslen har intet tal om leverandøren.")
	says(t, text, "Af 2 vurderinger af leverandørers borgere er 0 højere sandsynliggjort og 0 lavere; i 0 er ingen forskel påvist, og 1 er ikke vurderet. 1 vurdering er skjult")
	silent(t, text, "NaN")
	silent(t, text, "[[")
}

// The report stands whatever the run has nothing of, and says what that is.
func TestWithoutParts(t *testing.T) {
	for name, take := range map[string]func(*testWorld){
		"terms": func(w *testWorld) {
			w.terms, w.lines, w.gate, w.counted = "", nil, nil, nil
			w.config = strings.Replace(w.config, "terms: [terms.yaml]\n", "", 1)
		},
		"peers": func(w *testWorld) {
			w.peers = nil
			w.config = strings.Replace(w.config, "peers: {conditions: [unemployment_pct], year: 2007, k: 4}\n", "", 1)
			for i := range w.benchmark {
				w.benchmark[i].Part = effect.Provider
			}
		},
		"effects": func(w *testWorld) { w.blinded, w.benchmark, w.lines, w.gate, w.counted = true, nil, nil, nil, nil },
		"names":   func(w *testWorld) { w.municipality, w.providers = nil, nil },
		"anybody": func(w *testWorld) { *w = testWorld{config: w.config, terms: w.terms} },
	} {
		t.Run(name, func(t *testing.T) {
			for _, tag := range []string{"da", "en"} {
				w := smallWorld()
				take(w)
				page := w.committee(t, tag, Options{Yearly: true})
				text := pageText(t, page)
				silent(t, text, "NaN")
				silent(t, text, "[[")
				structure(t, page)
				switch name {
				case "effects":
					says(t, text, map[string]string{"da": "Denne kørsel er blindet", "en": "This run is blinded"}[tag])
				case "peers":
					says(t, text, map[string]string{"da": "lignende borgere hos andre i kommunen", "en": "similar citizens with others in the municipality"}[tag])
				case "names":
					says(t, text, "L1: ")
				}
			}
		})
	}
}

// The rows of the tables may come in any order.
func TestRowOrder(t *testing.T) {
	want := smallWorld().committee(t, "da", Options{Yearly: true})
	w := smallWorld()
	slices.Reverse(w.benchmark)
	slices.Reverse(w.lines)
	slices.Reverse(w.gate)
	slices.Reverse(w.providers)
	slices.Reverse(w.peers)
	slices.Reverse(w.cells)
	got := w.committee(t, "da", Options{Yearly: true})
	for i, line := range strings.Split(want, "\n") {
		require.Equal(t, line, strings.Split(got, "\n")[i])
	}
	assert.Len(t, got, len(want))
}

// The report is about the municipalities that are asked for.
func TestMunicipalities(t *testing.T) {
	w := smallWorld()
	w.terms, w.lines, w.gate, w.counted = "", nil, nil, nil
	w.config = strings.Replace(w.config, "terms: [terms.yaml]\n", "", 1)
	r := rated("L9", "4", 50, 0.5, 0.1, -0.1, 0.3, effect.NoDifference)
	r.Municipality = "851"
	w.benchmark = append(w.benchmark, r)
	text := pageText(t, w.committee(t, "da", Options{Municipalities: []string{"851"}}))
	says(t, text, "L9")
	silent(t, text, "Ærlig")
	all := pageText(t, w.committee(t, "da", Default()))
	says(t, all, "Matchgruppe 4, Aalborg")
	says(t, all, "Aalborg og Aarhus")
}

const hostileName = "</td><script>alert(1)</script>\"'<img src=x onerror=y>&amp; =1+1\n\t\u202eevil\u0007 ';}</style><b>"

// A name full of HTML, formulas and controls changes no tag of the page.
func TestHostileNames(t *testing.T) {
	w := smallWorld()
	w.providers = []providerRow{{"L1", 0, "A"}, {"L2", 0, "B"}, {"L3", 0, "C"}} // in order, whatever follows
	calm := structure(t, w.committee(t, "da", Options{Yearly: true}))
	w.terms = strings.Replace(w.terms, "title: Framework agreement <1>", `title: "</style></title><script>x</script>{{.}}"`, 1)
	w.config = strings.Replace(w.config, "shoe_size", "'</p><script>'", 1)
	for i := range w.providers {
		w.providers[i].Name += hostileName
	}
	w.municipality = map[string]string{"751": hostileName, "851": hostileName, "630": strings.Repeat("long", 2500)}
	for i := range w.benchmark {
		w.benchmark[i].Scheme = hostileName
		if w.benchmark[i].Refusal != "" {
			w.benchmark[i].Refusal = hostileName
		}
	}
	for i := range w.lines {
		w.lines[i].Text, w.lines[i].Section = hostileName, hostileName
	}
	w.experience[0].Text = hostileName + strings.Repeat("=cmd()", 10000)
	page := w.committee(t, "da", Options{Yearly: true})
	assert.Equal(t, strings.Join(calm, " "), strings.Join(structure(t, page), " "))
	silent(t, page, "<script")
	silent(t, page, "<img")
	silent(t, page, "\u202e")
	silent(t, page, "\u0007")
	assert.Equal(t, 1, strings.Count(page, "</style>"))
	assert.Less(t, len(page), 200_000)
}

// structure checks what every page must have and returns its elements, in order.
func structure(t *testing.T, page string) []string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var tags []string
	ids, heading, captions, tables, titles, pictures := map[string]bool{}, 0, 0, 0, 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		name := e.Name.Local
		tags = append(tags, name)
		of := map[string]string{}
		for _, a := range e.Attr {
			of[a.Name.Local] = a.Value
			assert.False(t, strings.HasPrefix(a.Name.Local, "on"), "%s has %s", name, a.Name.Local)
			if a.Name.Local == "src" || a.Name.Local == "href" {
				assert.True(t, strings.HasPrefix(a.Value, "#") || strings.HasPrefix(a.Value, "data:"), "%s goes to %s", name, a.Value)
			}
		}
		if id := of["id"]; id != "" {
			assert.False(t, ids[id], "%s stands twice", id)
			ids[id] = true
		}
		switch name {
		case "html":
			assert.Contains(t, []string{"da", "en"}, of["lang"])
		case "h1", "h2", "h3":
			level := int(name[1] - '0')
			assert.LessOrEqual(t, level, heading+1, "a heading is skipped before %s", name)
			heading = level
		case "table":
			tables++
		case "caption":
			captions++
		case "th":
			assert.NotEmpty(t, of["scope"])
		case "svg":
			if of["aria-hidden"] != "true" {
				pictures++
				assert.Equal(t, "img", of["role"])
			}
		case "title":
			titles++
		case "script", "iframe", "object", "embed", "form":
			assert.Fail(t, "no page has a "+name)
		}
		if of["role"] == "region" {
			assert.NotEmpty(t, of["aria-label"])
			assert.Equal(t, "0", of["tabindex"])
		}
	}
	assert.Equal(t, tables, captions)
	assert.Equal(t, pictures+1, titles)
	says(t, page, "Content-Security-Policy")
	return tags
}

// says and silent are Contains and NotContains without the whole page in the message.
func says(t *testing.T, text, want string, why ...any) {
	t.Helper()
	assert.True(t, strings.Contains(text, want), "the page does not say: %s %v", want, why)
}

func silent(t *testing.T, text, what string, why ...any) {
	t.Helper()
	assert.False(t, strings.Contains(text, what), "the page says: %s %v", what, why)
}

// pageText is the text of a page, a line an element.
func pageText(t *testing.T, page string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var out strings.Builder
	style := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.ReplaceAll(out.String(), "\u00a0", " ")
		}
		require.NoError(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			style = e.Name.Local == "style"
			if slices.Contains([]string{"p", "li", "h1", "h2", "h3", "tr", "dt", "dd", "caption"}, e.Name.Local) {
				out.WriteString("\n")
			} else if e.Name.Local == "td" || e.Name.Local == "th" {
				out.WriteString(" | ")
			}
		case xml.CharData:
			if !style {
				out.WriteString(strings.Join(strings.FieldsFunc(string(e), func(r rune) bool { return r == '\n' }), " "))
			}
		}
	}
}
