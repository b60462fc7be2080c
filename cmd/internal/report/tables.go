package report

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// tableFiles are the tables of a publication in the formats that are asked for, with their
// dictionary as CSV and to be read. Without either format there are none.
func tableFiles(p *jobeffekt.Publication, o Options) []file {
	if !o.has(CSV) && !o.has(Parquet) {
		return nil
	}
	var out []file
	add := func(name string, write func(io.Writer) error) {
		out = append(out, file{"tables/" + name, func(_ context.Context, w io.Writer) error { return write(w) }})
	}
	for _, t := range p.Tables {
		if o.has(CSV) {
			add(t.Name+".csv", guarded(t).WriteCSV)
		}
		if o.has(Parquet) {
			add(t.Name+".parquet", t.WriteParquet)
		}
	}
	words := dictionary(p.Tables)
	add(dictionaryTable+".csv", guarded(words).WriteCSV)
	add(dictionaryTable+".md", func(w io.Writer) error {
		_, err := io.WriteString(w, dictionaryText(p, words))
		return err
	})
	return out
}

// guarded is a table for files that people open in a spreadsheet: no text in it is taken
// for a formula, and none holds what moves a cursor or turns the direction of a line.
func guarded(t *ingest.Table) *ingest.Table {
	out := *t
	out.Columns = slices.Clone(t.Columns)
	for k := range out.Columns {
		c := &out.Columns[k]
		if c.Texts != nil {
			c.Texts = each(c.Texts, guard)
		}
		if c.Factor != nil {
			c.Factor = &effect.Factor{Codes: c.Factor.Codes, Levels: each(c.Factor.Levels, guard)}
		}
	}
	return &out
}

func each(of []string, do func(string) string) []string {
	out := make([]string, len(of))
	for i, s := range of {
		out[i] = do(s)
	}
	return out
}

// guard is a plain text with an apostrophe before every sign that begins a formula where a
// spreadsheet may see the beginning of a cell: at the front, and behind a line break or a
// semicolon, which separates cells in the countries that write decimals with a comma.
// Numbers are left as they are.
func guard(s string) string {
	s = plain.Lines(s)
	if number(s) {
		return s
	}
	var b strings.Builder
	front := true
	for _, r := range s {
		switch {
		case front && strings.ContainsRune("=+-@＝＋－＠", r):
			b.WriteByte('\'')
			front = false
		case r == '\n' || r == ';' || r == '|':
			front = true
		case r != '"' && !unicode.IsSpace(r):
			front = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// number says whether a text is a decimal, as amounts are.
func number(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(v) && strings.Trim(s, "0123456789.eE+-") == ""
}

// dictionaryTable is the name of the table that describes the others.
const dictionaryTable = "dictionary"

// dictionaryRow describes one column of one table.
type dictionaryRow struct {
	Table   string  `col:"table" doc:"table"`
	Place   int64   `col:"place" doc:"place of the column in its table, from 1"`
	Column  string  `col:"column" doc:"column"`
	Type    string  `col:"type" doc:"text, whole number, number, date, or true or false"`
	Unit    string  `col:"unit" doc:"what a number counts; empty for what is no number"`
	Least   float64 `col:"least" doc:"least value that a number can have; null where there is none"`
	Most    float64 `col:"most" doc:"largest value that a number can have; null where there is none"`
	Missing string  `col:"missing" doc:"what an empty field means"`
	Key     bool    `col:"key" doc:"one of the columns that tell the rows of the table apart"`
	Meaning string  `col:"meaning" doc:"meaning"`
}

// dictionary describes every column of the tables, from the tables themselves.
func dictionary(tables []*ingest.Table) *ingest.Table {
	rows := []dictionaryRow{}
	for _, t := range tables {
		info, _ := jobeffekt.ResultTable(t.Name)
		names := make([]string, len(t.Columns))
		for k, c := range t.Columns {
			names[k] = c.Name
		}
		key, withheld := info.KeyOf(names), slices.Contains(names, jobeffekt.SuppressedColumn)
		for k := range t.Columns {
			c := &t.Columns[k]
			m := measureOf(t.Name, c, slices.Contains(names, "unit"))
			rows = append(rows, dictionaryRow{
				Table: t.Name, Place: int64(k + 1), Column: c.Name, Type: kind(c), Unit: m.unit, Least: m.least, Most: m.most,
				Missing: missing(c, withheld && !slices.Contains(key, c.Name)), Key: slices.Contains(key, c.Name), Meaning: c.Doc,
			})
		}
	}
	out, err := ingest.FromRows(dictionaryTable, rows)
	if err != nil {
		panic(err) // a fault in the tags above, which the tests see
	}
	return out
}

// kind is the type of a column in words.
func kind(c *ingest.Column) string {
	switch {
	case c.Ints != nil:
		return "whole number"
	case c.Floats != nil:
		return "number"
	case c.Dates != nil:
		return "date"
	case c.Bools != nil:
		return "true or false"
	}
	return "text"
}

// missing says what an empty field of a column means; withheld that figures of its table
// can be taken out.
func missing(c *ingest.Column, withheld bool) string {
	switch {
	case c.Name == jobeffekt.SuppressedColumn:
		return "nothing was withheld"
	case c.Ints != nil, c.Bools != nil:
		return "never empty"
	case withheld:
		return "there is none; or withheld, where the column " + jobeffekt.SuppressedColumn + " says so"
	}
	return "there is none"
}

// measure is what the numbers of a column count and where they lie.
type measure struct {
	unit        string
	least, most float64 // NaN where there is no bound
}

// measureOf reads off a column's name what its numbers count. Names mean the same in every
// table; a figure of an outcome counts what the column unit of its row says.
func measureOf(table string, c *ingest.Column, byRow bool) measure {
	none := math.NaN()
	name := c.Name
	is := func(names ...string) bool { return slices.Contains(names, name) }
	if c.Ints == nil && c.Floats == nil {
		switch { // texts that are exact decimals
		case is("amount_dkk", "agreed", "used"):
			return measure{"kroner", none, none}
		case is("quantity"):
			return measure{"what the clause pays for", none, none}
		case is("times"):
			return measure{"factor", none, none}
		case is("value") && table == jobeffekt.TableFigures:
			return measure{"as the figure", none, none}
		}
		return measure{"", none, none}
	}
	ends := func(with ...string) bool {
		return slices.ContainsFunc(with, func(s string) bool { return strings.HasSuffix(name, s) })
	}
	begins := func(with ...string) bool {
		return slices.ContainsFunc(with, func(s string) bool { return strings.HasPrefix(name, s) })
	}
	const perRow = "as the column unit of the row says; of a share 1 is 100 %"
	switch {
	case ends("_ore"):
		return measure{"øre, hundredths of a krone (of the currency)", none, none}
	case begins("cost_per_"):
		return measure{"kroner", none, none}
	case is("year"):
		return measure{"calendar year", 1900, 2200}
	case is("day"):
		return measure{"days", 0, none}
	case is("step") || is("place"):
		return measure{"place in an order", 0, none}
	case is("event_time"):
		return measure{"periods", none, none}
	case is("decile"):
		return measure{"tenth", 1, 10}
	case is("rank") && table == jobeffekt.TableEstimates:
		return measure{"columns or strata", 0, none}
	case is("rank", "rank_low", "rank_high", "rank_expected", "rating"):
		return measure{"place", 0, none}
	case is("n", "n_answers") && (table == jobeffekt.TableDecisions || table == jobeffekt.TableFigures):
		return measure{"persons or cases; -1 where unknown", -1, none}
	case begins("n_", "count") && name != "counts", is("n", "rows", "persons", "cases", "target_n", "municipalities", "columns", "kept", "family_cells", "ranked", "effects", "effects_left_out", "active", "active_rank", "periods_before", "periods_after"),
		begins("units_with", "donors"), is("at_risk", "events", "effective_n"):
		return measure{"count", 0, none}
	case is("confidence", "p_value", "p_holm", "p_bh", "p", "p_few_units", "mid_p", "probability_above_0", "chance_missed"):
		return measure{"probability", 0, 1}
	case is("max_weight", "follow_up", "follow_up_comparators", "left_share", "no_clock_share", "dated_covariates", "share_of_total", "share_compared_with", "response_rate", "reliability", "target_covered", "uncovered", "outside", "max_propensity", "weight", "sum_w2"),
		begins("started_"), is("share") && table == jobeffekt.TableIndicators, is("chance", "chance_compared_with"):
		if name == "share_of_total" {
			return measure{"share; 1 is 100 %", none, none}
		}
		return measure{"share; 1 is 100 %", 0, 1}
	case is("share"):
		return measure{"share; 1 is 100 %", none, none}
	case begins("start_gap"), table == jobeffekt.TableIndicators && is("difference", "low", "high"), table == jobeffekt.TableCreaming && (is("difference", "low", "high") || begins("since_referral")):
		return measure{"difference of shares; 1 is 100 percentage points", -1, 1}
	case table == jobeffekt.TableCurves:
		return measure{"probability", 0, 1}
	case table == jobeffekt.TableIndicators && is("expected"):
		return measure{"count", 0, none}
	case is("mean_smd", "worst_smd", "score_norm"):
		return measure{"standard deviations", 0, none}
	case begins("standardised") && table == jobeffekt.TableCreaming, is("difference") && table == jobeffekt.TablePeerValues, is("z"):
		return measure{"standard deviations", none, none}
	case is("variance_ratio"):
		return measure{"ratio", 1, none}
	case is("mspe_ratio", "prefit", "phi", "kkt_gap"):
		return measure{"ratio", 0, none}
	case begins("df"):
		return measure{"degrees of freedom", 0, none}
	case is("statistic"):
		return measure{"chi-square", 0, none}
	case begins("odds_slope"):
		return measure{"log-odds per unit of log-odds", none, none}
	case begins("var_", "sigma2", "tau2") || is("dispersion", "sum_squares"):
		return measure{"the unit of the outcome, squared", 0, none}
	case is("standard_error", "se") || begins("rmspe"):
		if byRow {
			return measure{perRow, 0, none}
		}
		return measure{"the unit of the outcome", 0, none}
	case is("value", "peer_value", "threshold", "measured", "satisfaction", "distance"):
		return measure{"as the row says", none, none}
	case table == jobeffekt.TableRanking:
		return measure{"percent or share, as the table municipalities has it", none, none}
	case byRow:
		return measure{perRow, none, none}
	}
	return measure{"the unit of the outcome", none, none}
}

// dictionaryText is the dictionary to be read: a part for each table.
func dictionaryText(p *jobeffekt.Publication, words *ingest.Table) string {
	rows, err := ingest.ToRows[dictionaryRow](words)
	if err != nil {
		panic(err) // it was made of such rows
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What the tables hold\n\nResults as of %s (%s). Counts under %d are withheld, and what would let them be worked out: such a field is\nempty, never 0, and the column %s of its row says why.\n\n", p.Manifest.AsOf, p.Manifest.Standing, p.MinCount, jobeffekt.SuppressedColumn)
	b.WriteString("In CSV an empty field is a missing value, dates are written 2010-06-30, decimals have a point, and the text is UTF-8. A text that\n" +
		"a spreadsheet could take for a formula has an apostrophe before the sign that would begin it; Parquet holds it without.\n")
	for _, t := range p.Tables {
		info, _ := jobeffekt.ResultTable(t.Name)
		fmt.Fprintf(&b, "\n## %s\n\n%s. %d rows.\n\n| column | type | unit | range | if empty | meaning |\n|---|---|---|---|---|---|\n", t.Name, info.About, t.Rows())
		for _, r := range rows {
			if r.Table != t.Name {
				continue
			}
			name := r.Column
			if r.Key {
				name += " (key)"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", inCell(name), r.Type, r.Unit, between(r.Least, r.Most), r.Missing, inCell(r.Meaning))
		}
	}
	return b.String()
}

// inCell is a text in a cell of a Markdown table.
func inCell(s string) string {
	s = strings.NewReplacer("\n", " ", "|", "or", "<", "&lt;", "`", "'").Replace(plain.Lines(s))
	return s
}

// between is a range in words; empty where there is no bound.
func between(least, most float64) string {
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case math.IsNaN(least) && math.IsNaN(most):
		return ""
	case math.IsNaN(most):
		return text(least) + " or more"
	case math.IsNaN(least):
		return text(most) + " or less"
	}
	return text(least) + " to " + text(most)
}
