package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/chart"
)

// indicatorRow is a row of the table indicators.
type indicatorRow struct {
	Indicator string `col:"indicator"`
	watched
	N            count   `col:"n"`
	Share        float64 `col:"share"`
	ShareAgainst float64 `col:"share_compared_with"`
	Difference   float64 `col:"difference"`
	Low          float64 `col:"low"`
	High         float64 `col:"high"`
	Confidence   float64 `col:"confidence"`
	Why          string  `col:"not_evaluated"`
	Suppressed   string  `col:"suppressed"`
}

// watched is whom a row of indicators is about; it has no outcome.
type watched struct {
	Municipality string `col:"municipality"`
	Scheme       string `col:"match_scheme"`
	Group        string `col:"match_group"`
	Provider     string `col:"provider_id"`
}

func (w watched) cell() whom {
	return whom{Municipality: w.Municipality, Scheme: w.Scheme, Group: w.Group, Provider: w.Provider}
}

// creamingRow is a row of the table creaming.
type creamingRow struct {
	whom
	Stage      string  `col:"stage"`
	N          count   `col:"n"`
	Chance     float64 `col:"chance"`
	Against    float64 `col:"chance_compared_with"`
	Difference float64 `col:"difference"`
	Low        float64 `col:"low"`
	High       float64 `col:"high"`
	Since      float64 `col:"since_referral"`
	SinceLow   float64 `col:"since_referral_low"`
	SinceHigh  float64 `col:"since_referral_high"`
	Refusal    string  `col:"refusal"`
	Suppressed string  `col:"suppressed"`
}

// parkingRow is a row of the table parking.
type parkingRow struct {
	whom
	N          count   `col:"n"`
	Slope      float64 `col:"slope"`
	Low        float64 `col:"low"`
	High       float64 `col:"high"`
	OddsLow    float64 `col:"odds_slope_low"`
	OddsHigh   float64 `col:"odds_slope_high"`
	Gap        float64 `col:"start_gap"`
	GapLow     float64 `col:"start_gap_low"`
	GapHigh    float64 `col:"start_gap_high"`
	Refusal    string  `col:"refusal"`
	Suppressed string  `col:"suppressed"`
}

// told is a figure with its interval in a table: the text, and a small picture.
type told struct {
	Text    string
	Says    string // what it says, where it says something
	Note    string // why there is no figure
	Picture template.HTML
}

// gamingData is what the section shows.
type gamingData struct {
	Indicators []indicatorBlock
	Creaming   []watchLine
	Parking    []watchLine
	Reading    string
	Outcome    string
}

type indicatorBlock struct {
	Name string
	Rows []indicatorLine
	Why  string // why it was not evaluated for anybody
}

type indicatorLine struct {
	Name, N, Share, Against string
	Difference              told
}

type watchLine struct {
	Name, N string
	Figures []told
}

// points is a difference between shares with its interval, in percentage points.
func (b *builder) points(span chart.Span, value, low, high float64, suppressed string) told {
	switch {
	case math.IsNaN(value) && suppressed != "":
		return told{Note: b.T("page.withheld")}
	case math.IsNaN(value):
		return told{Note: b.T("page.missing")}
	}
	m := chart.Circle
	if low > span.Center {
		m = chart.Up
	} else if high < span.Center {
		m = chart.Down
	}
	t := told{Text: b.l.Signed(100*value, 1), Picture: span.Interval(low, value, high, m)}
	if !math.IsNaN(low) && !math.IsNaN(high) {
		t.Text += " (" + b.T("effects.interval", "low", b.l.Signed(100*low, 1), "high", b.l.Signed(100*high, 1)) + ")"
	}
	return t
}

// gaming shows what may tell of gaming: the indicators, who gets the easy citizens, and who
// is left behind.
func (b *builder) gaming() (section, bool) {
	var d gamingData
	lead := b.indicators(&d)
	if creamed := b.creaming(&d); creamed != "" {
		lead = append(lead, creamed)
	}
	if parked := b.parking(&d); parked != "" {
		lead = append(lead, parked)
	}
	if len(d.Indicators)+len(d.Creaming)+len(d.Parking) == 0 {
		return section{}, false
	}
	s := b.section("gaming", "", d)
	for i, l := range lead {
		if i > 0 {
			s.Lead += " "
		}
		s.Lead += l
	}
	return s, true
}

// indicators adds the indicators of all match groups together, and says how many are higher
// than among the others.
func (b *builder) indicators(d *gamingData) []string {
	list := slices.DeleteFunc(rows[indicatorRow](b, jobeffekt.TableIndicators), func(r indicatorRow) bool {
		return r.Group != "" || r.Provider == "" || !b.ours(r.cell())
	})
	evaluated, withheld, unevaluated := 0, 0, 0
	confidence := b.confidence()
	var above []string
	for len(list) > 0 {
		end := slices.IndexFunc(list, func(r indicatorRow) bool { return r.Indicator != list[0].Indicator })
		if end < 0 {
			end = len(list)
		}
		of := list[:end]
		list = list[end:]
		slices.SortStableFunc(of, func(x, y indicatorRow) int { return b.cells(x.cell(), y.cell()) })
		var ends []float64
		for _, r := range of {
			if !math.IsNaN(r.Difference) {
				ends = append(ends, r.Low, r.High, r.Difference)
			}
		}
		span := chart.SpanOf(0, ends...)
		block := indicatorBlock{Name: b.l.Code("indicator", of[0].Indicator)}
		for _, r := range of {
			line := indicatorLine{Name: b.provider(r.Provider), N: b.count(r.N, r.Suppressed), Difference: b.points(span, r.Difference, r.Low, r.High, r.Suppressed)}
			if len(b.about) > 1 {
				line.Name += ", " + b.municipality(r.Municipality)
			}
			switch {
			case r.Suppressed != "" && (math.IsNaN(r.Share) || math.IsNaN(r.Low)):
				line.N, line.Difference.Note = "", b.T("page.withheld")
				withheld++
			case r.Why != "" || math.IsNaN(r.Share):
				unevaluated++
				why := r.Why
				if why == "" {
					why = "nobody"
				}
				line.Difference.Note = b.l.Code("unevaluated", why)
			default:
				evaluated++
				confidence = cmp.Or(r.Confidence, confidence)
				line.Share, line.Against = b.l.Percent(r.Share, 1), b.l.Percent(r.ShareAgainst, 1)
				if r.Low > 0 {
					line.Difference.Says = b.T("gaming.higher")
					above = append(above, b.T("gaming.which", "indicator", lower(block.Name), "provider", line.Name))
				}
			}
			block.Rows = append(block.Rows, line)
		}
		if why := block.Rows[0].Difference.Note; why != "" && !slices.ContainsFunc(block.Rows, func(l indicatorLine) bool { return l.Difference.Note != why }) {
			block.Rows, block.Why = nil, why // the same of everybody is said once
		}
		d.Indicators = append(d.Indicators, block)
	}
	if len(d.Indicators) == 0 {
		return nil
	}
	var lead []string
	switch {
	case evaluated == 0:
		lead = append(lead, b.T("gaming.nothing"))
	case len(above) == 0 && withheld+unevaluated > 0:
		lead = append(lead, b.T("gaming.none_shown", "n", evaluated))
	case len(above) == 0:
		lead = append(lead, b.T("gaming.none", "n", evaluated))
	default:
		lead = append(lead, b.T("gaming.some", "n", len(above), "of", evaluated, "list", b.l.List(above)),
			b.T("gaming.chance", "n", evaluated, "expected", b.l.Number(float64(evaluated)*(1-confidence)/2, 1)))
	}
	if withheld > 0 {
		lead = append(lead, b.T("gaming.withheld", "n", withheld))
	}
	if unevaluated > 0 {
		lead = append(lead, b.T("gaming.unevaluated", "n", unevaluated))
	}
	return lead
}

// creaming adds who has easier citizens than others in the municipality: from referral, and
// as hard ones fell away on the way to the end of the course.
func (b *builder) creaming(d *gamingData) string {
	list := slices.DeleteFunc(rows[creamingRow](b, jobeffekt.TableCreaming), func(r creamingRow) bool {
		return !b.ours(r.whom) || r.Stage != "referred" && r.Stage != "completed"
	})
	slices.SortStableFunc(list, func(x, y creamingRow) int {
		return cmp.Or(b.cells(x.whom, y.whom), strings.Compare(y.Stage, x.Stage)) // referred before completed
	})
	var ends []float64
	for _, r := range list {
		if ends = append(ends, r.SinceLow, r.SinceHigh); r.Stage == "referred" {
			ends = append(ends, r.Low, r.High)
		}
	}
	span := chart.SpanOf(0, ends...)
	var easier, fell []whom
	var at []whom // of the lines
	known, fellKnown := 0, 0
	for _, r := range list {
		if d.Outcome = b.outcome(r.Outcome); r.Stage == "referred" {
			t := b.points(span, r.Difference, r.Low, r.High, r.Suppressed)
			if r.Low > 0 {
				t.Says = b.T("gaming.easier")
				easier = append(easier, r.whom)
			} else if r.High < 0 {
				t.Says = b.T("gaming.harder")
			}
			if !math.IsNaN(r.Difference) {
				known++
			} else if r.Suppressed == "" && r.Refusal != "" {
				t.Note = b.refusal(figures{Refusal: r.Refusal})
			}
			at = append(at, r.whom)
			d.Creaming = append(d.Creaming, watchLine{Name: b.whose(r.whom), N: b.count(r.N, r.Suppressed), Figures: []told{t, {Note: b.T("page.missing")}}})
			continue
		}
		if len(at) == 0 || at[len(at)-1] != r.whom {
			continue
		}
		if !math.IsNaN(r.Since) {
			fellKnown++
		}
		t := b.points(span, r.Since, r.SinceLow, r.SinceHigh, r.Suppressed)
		if r.SinceLow > 0 {
			t.Says = b.T("gaming.fell")
			fell = append(fell, r.whom)
		}
		d.Creaming[len(at)-1].Figures[1] = t
	}
	switch {
	case known == 0:
		return ""
	case len(easier)+len(fell) == 0:
		return b.T("gaming.no_creaming", "n", known)
	case len(fell) == 0 && fellKnown == 0:
		return b.T("gaming.creaming", "list", b.gathered(easier))
	case len(fell) == 0:
		return b.T("gaming.creaming", "list", b.gathered(easier)) + " " + b.T("gaming.none_fell", "n", fellKnown)
	case len(easier) == 0:
		return b.T("gaming.hard_fell", "list", b.gathered(fell))
	}
	return b.T("gaming.creaming", "list", b.gathered(easier)) + " " + b.T("gaming.hard_fell", "list", b.gathered(fell))
}

// parking adds whether the hard citizens fall behind the easy ones, in results and in who
// starts.
func (b *builder) parking(d *gamingData) string {
	list := slices.DeleteFunc(rows[parkingRow](b, jobeffekt.TableParking), func(r parkingRow) bool { return !b.ours(r.whom) })
	slices.SortStableFunc(list, func(x, y parkingRow) int { return b.cells(x.whom, y.whom) })
	var slopes, gaps []float64
	for _, r := range list {
		slopes, gaps = append(slopes, r.Low, r.High), append(gaps, r.GapLow, r.GapHigh)
	}
	slope, gap := chart.SpanOf(0, slopes...), chart.SpanOf(0, gaps...)
	var behind []whom
	known := 0
	for _, r := range list {
		d.Outcome = b.outcome(r.Outcome)
		results, starts := b.points(slope, r.Slope, r.Low, r.High, r.Suppressed), b.points(gap, r.Gap, r.GapLow, r.GapHigh, r.Suppressed)
		// A provider that helps everybody by the same factor in odds has a slope above 0
		// in shares: where odds are told, they decide.
		if r.OddsLow > 1 || math.IsNaN(r.OddsLow) && r.Low > 0 {
			results.Says = b.T("gaming.behind")
			behind = append(behind, r.whom)
		}
		if r.GapLow > 0 {
			starts.Says = b.T("gaming.start_less")
			behind = append(behind, r.whom) // once more is no matter
		}
		if !math.IsNaN(r.Slope) || !math.IsNaN(r.Gap) {
			known++
		} else if r.Suppressed == "" && r.Refusal != "" {
			results.Note = b.refusal(figures{Refusal: r.Refusal})
		}
		d.Parking = append(d.Parking, watchLine{Name: b.whose(r.whom), N: b.count(r.N, r.Suppressed), Figures: []told{results, starts}})
	}
	switch {
	case known == 0:
		return ""
	case len(behind) == 0:
		return b.T("gaming.no_parking", "n", known)
	}
	return b.T("gaming.parking", "list", b.gathered(behind))
}
