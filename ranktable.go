package jobeffekt

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// RankQuery asks for a ranking of the rows of a table by itself. Start from
// [DefaultRankQuery]. Name and Year of the ranking are not used.
type RankQuery struct {
	Ranking
	Municipality string // column of the municipality's name or code, also in the result
	// Difference is what the difference is called in the result.
	Difference string
	// Year picks the rows of one year or period, as column YearColumn writes it;
	// "" takes all rows, and is refused where that column has several.
	Year, YearColumn string
	Also             []Also   // further differences, without a place
	Without          []string // rows that are not ranked, as a total for the country
	Confidence       float64  // of the intervals
}

// Also is a further pair of columns whose difference is worked out exactly.
type Also struct{ Observed, Expected, Difference string }

// DefaultRankQuery knows no column but year, calls the difference so, and has
// intervals at 95 %.
func DefaultRankQuery() RankQuery {
	return RankQuery{Difference: "difference", YearColumn: "year", Confidence: 0.95}
}

// RankTable ranks the municipalities of a table. The result has a row for each, by
// rank, and these columns under the names that they have in the table:
// YearColumn where a year was asked for, the municipality, of each further pair
// expected, observed and difference, n where it is given, expected, observed and
// difference; then standard_error, df, low and high of the difference, where
// something says how uncertain it is; rank; and rank_low, rank_high and
// rank_expected, likewise. So a table without uncertainty has no empty columns.
//
// Differences are exact: those of the decimals as they are printed; of whole
// numbers they are whole numbers. Further pairs may have nulls, and their
// difference is null then. Everything else that is missing, there twice or no
// number is an error that wraps [ErrRanking] or is an [effect.Refusal], and names
// the columns that there are, or the municipalities. See [municipal.Expect] and
// [municipal.Rank]; equal differences are in Danish alphabetical order.
func RankTable(t *ingest.Table, q RankQuery) (*ingest.Table, error) {
	if err := q.check(t); err != nil {
		return nil, err
	}
	keys := t.Column(q.Municipality)
	rows, err := q.rows(t, keys)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for k, i := range rows {
		ids[k] = keys.Cell(i)
	}
	values := map[string][]float64{}
	var errs []error
	read := func(name string) {
		if _, done := values[name]; done {
			return
		}
		if values[name], err = numbers(t.Column(name), rows); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range q.columns() {
		read(name)
	}
	for _, a := range q.Also {
		read(a.Observed)
		read(a.Expected)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	ranked, err := q.Ranking.rank(ids, ids, values, q.Confidence)
	if err != nil {
		return nil, err
	}
	return q.result(t, ranked, ids, rows, values)
}

// check finds columns that the table lacks, and what does not go together.
func (q RankQuery) check(t *ingest.Table) error {
	var errs []error
	for _, what := range q.contradictions() {
		errs = append(errs, fmt.Errorf("%w: %s", ErrRanking, what))
	}
	if q.Difference == "" {
		errs = append(errs, fmt.Errorf("%w: the difference needs a name in the result", ErrRanking))
	}
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	faults := len(errs)
	need := append([]string{q.Municipality}, q.columns()...)
	for _, a := range q.Also {
		need = append(need, a.Observed, a.Expected)
	}
	if q.Year != "" {
		need = append(need, q.YearColumn)
	}
	for i, name := range need {
		if !slices.Contains(names, name) && !slices.Contains(need[:i], name) {
			errs = append(errs, fmt.Errorf("%w: the table has no column %q%s", ErrRanking, name, strict.Suggest(name, names)))
		}
	}
	if len(errs) > faults {
		errs = append(errs, fmt.Errorf("%w: the table's columns are %s", ErrRanking, strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

// rows are the rows that are ranked.
func (q RankQuery) rows(t *ingest.Table, keys *ingest.Column) (rows []int, err error) {
	left := map[string]bool{}
	for _, name := range q.Without {
		left[name] = true
	}
	years := t.Column(q.YearColumn)
	var seen, nameless []string
	known := map[string]bool{}
	for i := range t.Rows() {
		if years != nil {
			if year := years.Cell(i); !known[year] {
				known[year], seen = true, append(seen, year)
			}
			if q.Year != "" && years.Cell(i) != q.Year {
				continue
			}
		}
		switch name := keys.Cell(i); {
		case slices.Contains(q.Without, name):
			delete(left, name)
			continue
		case name == "":
			nameless = append(nameless, strconv.Itoa(i+1))
		}
		rows = append(rows, i)
	}
	var errs []error
	const most = 20 // years listed
	switch {
	case q.Year == "" && len(seen) > 1:
		errs = append(errs, fmt.Errorf("%w: the column %q holds several years: say which, as in %s", ErrRanking, q.YearColumn, seen[0]))
	case q.Year != "" && !known[q.Year]:
		errs = append(errs, noYear("the table", q.Year, seen[:min(most, len(seen))]))
	case len(nameless) > 0:
		errs = append(errs, fmt.Errorf("%w: row %s has no municipality in the column %q", ErrRanking, strings.Join(nameless[:min(most, len(nameless))], ", "), q.Municipality))
	}
	for _, name := range q.Without {
		if left[name] && len(errs) == 0 {
			errs = append(errs, fmt.Errorf("%w: no row of the column %q is %q, which is to be left out", ErrRanking, q.Municipality, name))
			delete(left, name)
		}
	}
	return rows, errors.Join(errs...)
}

// numbers are the values of a column of numbers in the rows.
func numbers(c *ingest.Column, rows []int) ([]float64, error) {
	out := make([]float64, len(rows))
	for k, i := range rows {
		switch {
		case c.Ints != nil:
			out[k] = float64(c.Ints[i])
		case c.Floats != nil:
			out[k] = c.Floats[i]
		case c.Cell(i) == "":
			out[k] = math.NaN()
		default:
			return nil, fmt.Errorf("%w: the column %q does not hold numbers%s", ErrRanking, c.Name, offender(c))
		}
	}
	return out, nil
}

// offender says which row keeps a column from being one of numbers.
func offender(c *ingest.Column) string {
	if c.Dates != nil || c.Bools != nil {
		return ", but dates or truth values"
	}
	n := 0
	if c.Factor != nil {
		n = len(c.Factor.Codes)
	}
	for i := range max(n, len(c.Texts)) {
		if v, err := strconv.ParseFloat(strings.Replace(c.Cell(i), ",", ".", 1), 64); (err != nil || math.IsNaN(v-v)) && c.Cell(i) != "" {
			return fmt.Sprintf(": row %d is the first that is none", i+1)
		}
	}
	return " that can be told: is it a decimal point or comma, do points group digits, do zeros stand in front?"
}

// result lays the ranking out as a table.
func (q RankQuery) result(t *ingest.Table, ranked []municipal.Row, ids []string, rows []int, values map[string][]float64) (*ingest.Table, error) {
	at := map[string]int{}
	for k, id := range ids {
		at[id] = k
	}
	order := make([]int, len(ranked)) // of ids
	for k, r := range ranked {
		order[k] = at[r.Municipality]
	}
	out := &ingest.Table{Name: TableRanking}
	add := func(c ingest.Column, doc string) {
		c.Doc = doc
		out.Columns = append(out.Columns, c)
	}
	// given is a column of the table, whole numbers as such.
	given := func(name string) ingest.Column {
		c := ingest.Column{Name: name}
		if ints := t.Column(name).Ints; ints != nil {
			c.Ints = pickRows(order, func(k int) int64 { return ints[rows[k]] })
		} else {
			c.Floats = pickRows(order, func(k int) float64 { return values[name][k] })
		}
		return c
	}
	made := func(name, doc string, value func(municipal.Row) float64) {
		add(ingest.Column{Name: name, Floats: pickRows(ranked, value)}, doc)
	}
	difference := func(name, observed, expected string) {
		c := ingest.Column{Name: name}
		if t.Column(observed).Ints != nil && t.Column(expected).Ints != nil {
			c.Ints = pickRows(order, func(k int) int64 { return t.Column(observed).Ints[rows[k]] - t.Column(expected).Ints[rows[k]] })
		} else {
			c.Floats = pickRows(order, func(k int) float64 { return municipal.Difference(values[observed][k], values[expected][k]) })
		}
		add(c, observed+" - "+expected+", exactly")
	}
	if q.Year != "" {
		years := t.Column(q.YearColumn)
		if years.Ints != nil {
			add(given(q.YearColumn), "year that is ranked")
		} else {
			add(ingest.Column{Name: q.YearColumn, Texts: pickRows(order, func(k int) string { return years.Cell(rows[k]) })}, "period that is ranked")
		}
	}
	if keys := t.Column(q.Municipality); keys.Ints != nil {
		add(given(q.Municipality), "municipality")
	} else {
		add(ingest.Column{Name: q.Municipality, Texts: pickRows(order, func(k int) string { return ids[k] })}, "municipality")
	}
	for _, a := range q.Also {
		add(given(a.Expected), "as given")
		add(given(a.Observed), "as given")
		difference(a.Difference, a.Observed, a.Expected)
	}
	if q.N != "" {
		add(given(q.N), "population that the share is of")
	}
	if q.Expected != "" {
		add(given(q.Expected), "expected share, as given")
		add(given(q.Observed), "observed share")
		difference(q.Difference, q.Observed, q.Expected)
	} else {
		made("expected", "expected share, by regression on "+strings.Join(q.Conditions, ", ")+" over all other municipalities", func(r municipal.Row) float64 { return r.Expected })
		add(given(q.Observed), "observed share")
		made(q.Difference, q.Observed+" - expected, exactly", func(r municipal.Row) float64 { return r.Difference })
	}
	known := len(ranked) > 0 && !math.IsNaN(ranked[0].SE)
	if known {
		made("standard_error", "of the difference", func(r municipal.Row) float64 { return r.SE })
		if q.Expected == "" {
			made("df", "degrees of freedom of the standard error", func(r municipal.Row) float64 { return r.DF })
		}
		made("low", "lower limit of the difference", func(r municipal.Row) float64 { return r.Low })
		made("high", "upper limit of the difference", func(r municipal.Row) float64 { return r.High })
	}
	add(ingest.Column{Name: "rank", Ints: pickRows(ranked, func(r municipal.Row) int64 { return r.Rank })},
		fmt.Sprintf("place by difference, 1 for the best (better: %s); equal differences in Danish alphabetical order", q.Better))
	if known {
		made("rank_low", "best rank of the rank interval", func(r municipal.Row) float64 { return r.RankLow })
		made("rank_high", "worst rank of the rank interval", func(r municipal.Row) float64 { return r.RankHigh })
		made("rank_expected", "1 and the sum over the others of the probability that they are truly better", func(r municipal.Row) float64 { return r.RankExpected })
	}
	for i, c := range out.Columns {
		if slices.ContainsFunc(out.Columns[:i], func(other ingest.Column) bool { return other.Name == c.Name }) {
			return nil, fmt.Errorf("%w: the result would have two columns %q: call the difference otherwise, or leave out what is there twice", ErrRanking, c.Name)
		}
	}
	return out, nil
}

// pickRows makes a column, empty rather than nil without rows.
func pickRows[K, V any](from []K, at func(K) V) []V {
	out := make([]V, len(from))
	for k, v := range from {
		out[k] = at(v)
	}
	return out
}
