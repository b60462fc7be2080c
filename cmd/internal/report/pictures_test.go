package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

// pictureWorld is what the sections with pictures read, beside a small world. Its figures
// are invented; what is said of them in the tests follows from them by hand.
type pictureWorld struct {
	*testWorld
	profile    []funnelRow
	indicators []indicatorRow
	creaming   []creamingRow
	parking    []parkingRow
	attrition  []attritionRow
	estimates  []balanceRow
	curves     []curveRow

	diagnostics []diagnosed
}

type diagnosed struct {
	whom
	Package    string                `col:"package_id"`
	Method     string                `col:"method"`
	Part       effect.Part           `col:"part"`
	Diagnostic effect.DiagnosticName `col:"diagnostic"`
	Value      float64               `col:"value"`
}

func pictures() *pictureWorld {
	nan := math.NaN()
	of := func(provider, group string) whom { return whom{"work", "751", "match5_2004", group, provider} }
	w := &pictureWorld{testWorld: smallWorld()}
	place := func(c whom, difference, se, z float64, funnel string) funnelRow {
		return funnelRow{whom: c, Unit: effect.UnitShare, Method: "balance", Part: effect.Total, NCompared: 200, Difference: difference, Error: se, Z: z, Funnel: funnel, Adjusted: "inside_95"}
	}
	hidden := place(of("L3", "4"), nan, nan, nan, "")
	hidden.Suppressed, hidden.NCompared = jobeffekt.Suppressed, nan
	unrated := place(of("L3", "5"), nan, nan, nan, "")
	unrated.Refusal = effect.RefusalFewCases
	away := func(k int) whom { return whom{"work", "851", "match5_2004", "4", fmt.Sprintf("X%d", k)} }
	w.profile = []funnelRow{
		place(of("L1", "4"), 0.01, 0.05, 0.2, "inside_95"), place(of("L2", "4"), -0.135, 0.0545, -2.07, "outside_95"), hidden,
		place(of(effect.OwnProvider, "4"), 0.02, 0.05, 0.4, "inside_95"),
		place(of("L1", "5"), 0.2, 0.05, 3.4, "outside_99.8"), unrated,
		place(away(1), 0.05, 0.07, 0.7, "inside_95"), place(away(2), -0.02, 0.08, -0.25, "inside_95"),
		place(whom{"work", "851", "other", "9", "X"}, 0, 1, 0, "inside_95"), // of a group that is not the report's
	}
	indicator := func(name, provider string, share, difference, low, high float64, why string) indicatorRow {
		return indicatorRow{Indicator: name, watched: watched{"751", "", "", provider}, N: 100, Share: share, ShareAgainst: share - difference, Difference: difference, Low: low, High: high, Confidence: 0.95, Why: why}
	}
	few := indicator("returned", "L2", nan, nan, nan, nan, "")
	few.Suppressed, few.N = jobeffekt.Suppressed, nan
	w.indicators = []indicatorRow{
		indicator("recoded", "L1", 0.1, 0.05, 0.01, 0.1, ""), indicator("recoded", "L2", 0.02, -0.03, -0.08, 0.02, ""),
		few, indicator("returned", "L1", 0.02, 0, -0.01, 0.01, ""),
		indicator("own_employer", "L1", nan, nan, nan, nan, "no_employers"), indicator("own_employer", "L2", nan, nan, nan, nan, "no_employers"),
	}
	cream := func(c whom, stage string, difference, low, high, since, sinceLow, sinceHigh float64) creamingRow {
		return creamingRow{whom: c, Stage: stage, N: 100, Chance: 0.3, Against: 0.3 - difference, Difference: difference, Low: low, High: high, Since: since, SinceLow: sinceLow, SinceHigh: sinceHigh}
	}
	w.creaming = []creamingRow{
		cream(of("L1", "4"), "referred", 0.03, 0.01, 0.05, nan, nan, nan), cream(of("L1", "4"), "completed", 0.04, 0.01, 0.06, 0.001, -0.01, 0.01),
		cream(of("L2", "4"), "referred", 0.001, -0.02, 0.02, nan, nan, nan), cream(of("L2", "4"), "completed", 0.03, 0.01, 0.05, 0.02, 0.01, 0.03),
	}
	w.parking = []parkingRow{
		{whom: of("L1", "4"), N: 90, Slope: 0.02, Low: 0.01, High: 0.03, OddsLow: 0.9, OddsHigh: 1.4, Gap: 0.01, GapLow: -0.1, GapHigh: 0.1},
		{whom: of("L2", "4"), N: 90, Slope: 0.02, Low: 0.01, High: 0.03, OddsLow: 1.1, OddsHigh: 2, Gap: 0.2, GapLow: 0.1, GapHigh: 0.3},
	}
	step := func(provider string, k int64, reason string, n float64) attritionRow {
		return attritionRow{whom: of(provider, "4"), Step: k, Reason: reason, N: n}
	}
	lost := step("L2", 7, "left", nan)
	lost.Suppressed = jobeffekt.Suppressed
	gone := step("L2", 9, "analysed", nan)
	gone.Suppressed = jobeffekt.Suppressed
	w.attrition = []attritionRow{
		step("L1", 0, "read", 200), step("L1", 2, "not_first", 20), step("L1", 9, "analysed", 180),
		step("L2", 0, "read", 100), lost, gone,
	}
	w.estimates = []balanceRow{
		{whom: of("L1", "4"), Method: "balance", Comparators: "peers", Support: "own", NCompared: 200, Mean: 0.01, Worst: 0.12, Term: "age x sex"},
		{whom: of("L2", "4"), Method: "balance", Comparators: "peers", Support: "own", NCompared: 200, Mean: 0.02, Worst: 0.31, Term: "<b>age"},
		{whom: of("L2", "4"), Method: "balance", Comparators: "home", Support: "own", NCompared: 200, Mean: 0.5, Worst: 0.9},
	}
	for _, c := range []struct {
		provider string
		last     int64
		height   float64
	}{{"L1", 364, 0.6}, {"L2", 364, 0.4}, {"L3", 112, 0.2}} {
		for day := int64(28); day <= c.last; day += 28 {
			for _, exit := range []struct {
				cause string
				part  float64
			}{{"reached", 1}, {"education", 0.1}, {"pension", 0.05}} {
				at := c.height * exit.part * float64(day) / 364
				w.curves = append(w.curves, curveRow{whom: of(c.provider, "4"), Cause: exit.cause, Day: day, AtRisk: 300 - float64(day)/2, Estimate: at, Low: at / 2, High: at * 1.5})
			}
		}
	}
	return w
}

func (w *pictureWorld) publication(t *testing.T) *jobeffekt.Publication {
	t.Helper()
	p := w.testWorld.publication(t)
	addTable(t, p, jobeffekt.TableProfile, w.profile)
	addTable(t, p, jobeffekt.TableIndicators, w.indicators)
	addTable(t, p, jobeffekt.TableCreaming, w.creaming)
	addTable(t, p, jobeffekt.TableParking, w.parking)
	addTable(t, p, jobeffekt.TableAttrition, w.attrition)
	addTable(t, p, jobeffekt.TableEstimates, w.estimates)
	addTable(t, p, jobeffekt.TableCurves, w.curves)
	addTable(t, p, jobeffekt.TableDiagnostics, w.diagnostics)
	return p
}

// sectionOf is a section in English: its lead and its body.
func (w *pictureWorld) sectionOf(t *testing.T, name string) (section, bool) {
	t.Helper()
	b, err := newBuilder(w.publication(t), Options{}, "en")
	require.NoError(t, err)
	for _, s := range b.sections() {
		if s.name == name {
			made, ok := s.make()
			require.NoError(t, b.err)
			return made, ok
		}
	}
	t.Fatalf("no section %s", name)
	return section{}, false
}

func TestFunnelSection(t *testing.T) {
	w := pictures()
	s, ok := w.sectionOf(t, "funnel")
	require.True(t, ok)
	body := string(s.Body)
	assert.Equal(t, "Aabo, match group 4 lies below the 95% limit and Ærlig & Søn, match group 5 lies above the 99.8% limit. "+
		"2 of 4 lie inside the limits of what chance alone makes. 2 are not shown: withheld or not rated.", s.Lead)
	require.Equal(t, 2, strings.Count(body, `class="chart funnel"`), "one for each match group of the report's")
	// In match group 4: L1, L2 and own projects named, two others light, L3 withheld.
	first, _, _ := strings.Cut(body, "</svg>")
	_, own, _ := strings.Cut(first, `class="own"`)
	own, names, _ := strings.Cut(own, `class="names"`)
	assert.Equal(t, 2, strings.Count(own, "<circle"))
	assert.Equal(t, 1, strings.Count(own, "<path"), "who lies below is a triangle")
	assert.Equal(t, 3, strings.Count(names, "<text"))
	_, others, _ := strings.Cut(first, `class="others"`)
	others, _, _ = strings.Cut(others, "</g>")
	assert.Equal(t, 2, strings.Count(others, "<circle"))
	assert.NotContains(t, body, "X1", "providers elsewhere are not named")
	assert.Contains(t, body, "not rated: ")

	// The picture agrees with the table where degrees of freedom are few: 0.135/0.0545 is 2.48,
	// but Student's p is that of 2.07, and so the marker lies at 0.135/2.07.
	r := w.profile[1]
	assert.InDelta(t, 0.135/2.07, r.score(), 1e-12)
	assert.InDelta(t, 1.0, funnelRow{Difference: 0, Z: 0, Error: 1}.score(), 0)

	w.profile = w.profile[6:]
	_, ok = w.sectionOf(t, "funnel")
	assert.False(t, ok, "without anybody of the report's")
}

func TestGamingSection(t *testing.T) {
	w := pictures()
	s, ok := w.sectionOf(t, "gaming")
	require.True(t, ok)
	// Evaluated are three: recoded twice, returned once. Of them (1-0.95)/2 is 0.1.
	assert.Equal(t, "1 of 3 indicators of gaming is higher than among the others: subsidised days that count as ordinary work too (Ærlig & Søn). "+
		"By chance alone up to 0.1 of 3 may be; an indicator is a reason to look, no proof. 1 is withheld as it tells of few citizens. 2 could not be evaluated. "+
		"Creaming: Ærlig & Søn (match group 4) were referred easier citizens than the municipality's average. On the way, the hard ones fell away most at Aabo (match group 4). "+
		"Parking: the hard citizens fall behind at Aabo (match group 4).", s.Lead)
	assert.Contains(t, string(s.Body), "employers are not known")

	// Odds decide about parking where they are told; a share that is withheld says nothing.
	w.indicators[0].Low, w.indicators[0].High = -0.01, 0.1
	w.creaming, w.parking = nil, nil
	s, _ = w.sectionOf(t, "gaming")
	assert.True(t, strings.HasPrefix(s.Lead, "Nothing of what can be shown points to gaming: 0 of 3 indicators"), s.Lead)
	w.indicators = w.indicators[:2]
	s, _ = w.sectionOf(t, "gaming")
	assert.Equal(t, "Nothing points to gaming: 0 of 2 indicators are higher than among the others.", s.Lead)
	w.indicators = nil
	_, ok = w.sectionOf(t, "gaming")
	assert.False(t, ok)
}

func TestAttritionSection(t *testing.T) {
	w := pictures()
	s, ok := w.sectionOf(t, "attrition")
	require.True(t, ok)
	assert.Equal(t, "90% of the referrals are in the figures. Dropouts and no-shows are counted, not taken out.", s.Lead)
	body := string(s.Body)
	assert.Equal(t, 1, strings.Count(body, `class="part"`), "no bar of what is withheld")
	assert.Equal(t, 3, strings.Count(body, "withheld"), "who left, who is analysed, and the share")
	w.attrition[3].N, w.attrition[3].Suppressed = math.NaN(), jobeffekt.Suppressed
	w.attrition[0].N, w.attrition[0].Suppressed = math.NaN(), jobeffekt.Suppressed
	s, _ = w.sectionOf(t, "attrition")
	assert.Contains(t, s.Lead, "withheld")
}

func TestBalanceSection(t *testing.T) {
	w := pictures()
	s, ok := w.sectionOf(t, "balance")
	require.True(t, ok)
	assert.Equal(t, "1 of 2 comparisons stay within the agreement's limit 0.25. Least alike are the citizens of Aabo, match group 4, where the difference is 0.31 standard deviations.", s.Lead)
	body := string(s.Body)
	assert.Contains(t, body, "&lt;b&gt;age")
	_, marks, _ := strings.Cut(body, `class="marks"`)
	marks, _, _ = strings.Cut(marks, "</g>")
	assert.Equal(t, 1, strings.Count(marks, "<circle"))

	// What is withheld beside other figures may be told as a diagnostic.
	w.estimates[1].Mean, w.estimates[1].Worst, w.estimates[1].Suppressed = math.NaN(), math.NaN(), jobeffekt.Suppressed
	s, _ = w.sectionOf(t, "balance")
	assert.Contains(t, s.Lead, "1 of 1 comparisons")
	assert.Contains(t, s.Lead, "1 is not shown")
	w.diagnostics = []diagnosed{{w.estimates[1].whom, "", "balance", effect.Total, effect.DiagBalance, 0.27}}
	s, _ = w.sectionOf(t, "balance")
	assert.Contains(t, s.Lead, "1 of 2 comparisons")
	assert.Contains(t, s.Lead, "0.27 standard deviations")

	w.gate = nil // then the standard gate's 0.1
	s, _ = w.sectionOf(t, "balance")
	assert.True(t, strings.HasPrefix(s.Lead, "0 of 2 comparisons stay within the usual limit 0.1."), s.Lead)
}

func TestCurvesSection(t *testing.T) {
	w := pictures()
	s, ok := w.sectionOf(t, "curves")
	require.True(t, ok)
	body := string(s.Body)
	// On day 112 three are told, later two: 0.2, 0.4 and 0.6 times 112/364.
	at := func(x float64) string { return fmt.Sprintf("%.0f%%", 100*x) }
	assert.Contains(t, s.Lead, "After 16 weeks between "+at(0.2*112/364)+" and "+at(0.6*112/364))
	assert.Equal(t, 1+3, strings.Count(body, `class="chart curves"`), "one of the match group, and one of each provider")
	first, _, _ := strings.Cut(body, "</svg>")
	assert.Equal(t, 3, strings.Count(first, `class="curve"`))
	assert.Contains(t, body, "(up to 16 weeks)", "who is told for less long")
	assert.Contains(t, body, "withheld", "who has figures but no curve")
	assert.Contains(t, body, "After 16 weeks: goal reached "+at(0.2*112/364), "a curve that ends is told of when it ends")
	assert.Contains(t, body, "After 52 weeks: goal reached "+at(0.6))
	assert.Contains(t, body, "Still followed</")
	for i := range w.curves {
		w.curves[i].AtRisk = count(math.NaN())
	}
	s, ok = w.sectionOf(t, "curves")
	require.True(t, ok)
	assert.NotContains(t, string(s.Body), "Still followed</", "a heading of nothing")
}

// The order of rows is no matter.
func TestPicturesOfAnyOrder(t *testing.T) {
	w := pictures()
	var want []section
	names := []string{"funnel", "gaming", "attrition", "balance", "curves"}
	for _, name := range names {
		s, _ := w.sectionOf(t, name)
		want = append(want, s)
	}
	slices.Reverse(w.profile)
	slices.Reverse(w.creaming)
	slices.Reverse(w.parking)
	slices.Reverse(w.attrition)
	slices.Reverse(w.estimates)
	slices.Reverse(w.curves)
	for i, name := range names {
		s, _ := w.sectionOf(t, name)
		assert.Equal(t, want[i], s)
	}
}

// TestPagesForTheBrowser makes pages whose names are hostile. With JOBEFFEKT_PAGES they are
// kept there, and .ci/report opens them.
func TestPagesForTheBrowser(t *testing.T) {
	for _, name := range []string{hostileName, "=HYPERLINK(\"http://example.invalid\")\n" + strings.Repeat("W", 10_000), strings.Repeat("long ", 2_000)} {
		w := pictures()
		for i := range w.providers {
			w.providers[i].Name = fmt.Sprint(i) + name
		}
		w.municipality = map[string]string{"751": name, "851": name, "630": name}
		for i := range w.estimates {
			w.estimates[i].Term = name
		}
		w.experience[0].Text = name
		for _, tag := range []string{"da", "en"} {
			b, err := newBuilder(w.publication(t), Options{Languages: []string{tag}, Yearly: true}, tag)
			require.NoError(t, err)
			var page strings.Builder
			require.NoError(t, b.committee(t.Context(), &page))
			structure(t, page.String())
			assert.NotContains(t, page.String(), "<script")
			assert.NotContains(t, page.String(), "\u202e")
			if folder := os.Getenv("JOBEFFEKT_PAGES"); folder != "" {
				require.NoError(t, os.MkdirAll(folder, 0o700))
				file := fmt.Sprintf("hostile%d.%s.html", len(name), tag)
				require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(page.String()), 0o600))
			}
		}
	}
}
