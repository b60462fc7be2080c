package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Ranking asks for the places of all municipalities by how far an observed share
// lies from an expected one. The expected shares are given, or worked out from
// framework conditions; see [municipal.Expect] and [municipal.Rank].
type Ranking struct {
	Name       string         `yaml:"name" doc:"name of the ranking in the table ranking"`
	Observed   string         `yaml:"observed" doc:"column of the observed share"`
	Expected   string         `yaml:"expected,omitempty" doc:"column of the expected share; or give conditions"`
	Conditions []string       `yaml:"conditions,omitempty" doc:"columns of framework conditions, by which the share of every municipality is expected from all the others; or give expected"`
	Weight     string         `yaml:"weight,omitempty" doc:"with conditions: column of the population that municipalities count by; left out: each counts the same"`
	Year       int            `yaml:"year" doc:"year of the rows that are ranked"`
	Better     profile.Better `yaml:"better" doc:"which difference has rank 1: low (shares on benefits) or high"`
	N          string         `yaml:"n,omitempty" doc:"column of the population that the share is of; with expected it gives the intervals, which are null without"`
	Unit       ShareUnit      `yaml:"unit,omitempty" doc:"unit of the shares: percent or share (parts of 1); left out: percent if any is above 1"`
}

// ShareUnit is the unit of a column of shares.
type ShareUnit string

// The units of shares.
const (
	Percent ShareUnit = "percent"
	Share   ShareUnit = "share" // parts of 1
)

// Names lists the units.
func (ShareUnit) Names() []string { return []string{string(Percent), string(Share)} }

// RankingRow is a municipality's place in a ranking of the run file. It is a row
// of the table ranking.
type RankingRow struct {
	Ranking string `col:"ranking" doc:"name of the ranking in the run file"`
	Year    int64  `col:"year" doc:"year that is ranked"`
	Name    string `col:"name" doc:"name of the municipality, by which equal differences are ordered; null where the table has none"`
	municipal.Row
}

// ErrRanking is wrapped by errors about municipalities that cannot be ranked.
var ErrRanking = errors.New("municipalities cannot be ranked")

// checkRankings finds rankings that say too little or contradict themselves.
func (c *Config) checkRankings(fault func(path, format string, args ...any)) {
	for i, r := range c.Rankings {
		at := fmt.Sprintf("ranking[%d]", i)
		for k, name := range []string{r.Name, r.Observed, string(r.Better)} {
			if name == "" {
				fault(at, "%s is missing", []string{"name", "observed", "better (low or high)"}[k])
			}
		}
		if r.Year == 0 {
			fault(at, "year is missing: the rows of which year are ranked?")
		}
		if r.Name != "" && slices.ContainsFunc(c.Rankings[:i], func(other Ranking) bool { return other.Name == r.Name }) {
			fault(at+".name", "the ranking %q stands twice", r.Name)
		}
		for _, what := range r.contradictions() {
			fault(at, "%s", what)
		}
	}
}

// contradictions are what a ranking says that does not go together.
func (r Ranking) contradictions() (out []string) {
	switch {
	case r.Expected == "" && len(r.Conditions) == 0:
		out = append(out, "give expected (a column of expected shares) or conditions (columns to expect them by)")
	case r.Expected != "" && len(r.Conditions) > 0:
		out = append(out, "give expected or conditions, not both")
	case r.Expected != "" && r.Weight != "":
		out = append(out, "weight goes with conditions: expected shares that are given are not fitted")
	}
	for i, name := range r.Conditions {
		if slices.Contains(r.Conditions[:i], name) {
			out = append(out, fmt.Sprintf("the condition %q stands twice", name))
		}
		if name == r.Observed && name != "" {
			out = append(out, fmt.Sprintf("%q is the observed share, which nothing can be expected by", name))
		}
	}
	if r.Expected == r.Observed && r.Expected != "" {
		out = append(out, "expected and observed are the same column")
	}
	return out
}

// columns are the columns that a ranking reads.
func (r Ranking) columns() []string {
	all := append([]string{r.Observed, r.Expected, r.Weight, r.N}, r.Conditions...)
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// rank ranks the municipalities. names are how they are called where differences
// tie; ids and values by column are parallel to them, NaN for a value missing.
func (r Ranking) rank(ids, names []string, values map[string][]float64, confidence float64) ([]municipal.Row, error) {
	at := func(column string, i int) float64 {
		if column == "" {
			return math.NaN()
		}
		return values[column][i]
	}
	var figures []municipal.Figure
	if r.Expected == "" {
		if len(ids) > profile.MaxRanked { // before hours of fitting a line without each
			return nil, &effect.Refusal{Code: profile.RefusalTooMany, Why: fmt.Sprintf("%d municipalities are more than the %d that can be ranked with intervals", len(ids), profile.MaxRanked), Cure: "look at the rows, or give expected shares"}
		}
		all := make([]municipal.Municipality, len(ids))
		for i, id := range ids {
			all[i] = municipal.Municipality{Name: id, Observed: at(r.Observed, i), Weight: at(r.Weight, i)}
			for _, name := range r.Conditions {
				all[i].Conditions = append(all[i].Conditions, values[name][i])
			}
		}
		expected, err := municipal.Expect(all, r.Conditions, municipal.ExpectOptions{Weighted: r.Weight != "", Confidence: confidence})
		if err != nil {
			return nil, err
		}
		figures = municipal.Figures(all, expected)
	} else {
		for i, id := range ids {
			figures = append(figures, municipal.Figure{Municipality: id, Observed: at(r.Observed, i), Expected: at(r.Expected, i), SE: math.NaN(), DF: math.Inf(1)})
		}
	}
	for i := range figures {
		figures[i].N = at(r.N, i)
	}
	if r.Expected != "" && r.N != "" {
		if err := r.chance(figures); err != nil {
			return nil, err
		}
	}
	called := map[string]string{}
	for i, id := range ids {
		called[id] = cmp.Or(names[i], id)
	}
	o := municipal.RankOptions{Better: r.Better, Confidence: confidence}
	alphabet := danish()
	o.Compare = func(a, b string) int { return alphabet(called[a], called[b]) }
	return municipal.Rank(figures, o)
}

// chance fills in the standard errors of shares in populations.
func (r Ranking) chance(figures []municipal.Figure) error {
	unit := 100.0
	over := slices.ContainsFunc(figures, func(f municipal.Figure) bool { return f.Observed > 1 || f.Expected > 1 })
	switch {
	case r.Unit == Share:
		unit = 1
	case r.Unit == "" && !over:
		return fmt.Errorf("%w: no share is above 1, so that they may be parts of 1 or very small percentages: give unit as share or percent", ErrRanking)
	}
	var bad []string
	for i := range figures {
		f := &figures[i]
		f.SE = municipal.Binomial(f.Observed, f.N, unit)
		if math.IsNaN(f.SE) && !math.IsNaN(f.Observed) {
			bad = append(bad, f.Municipality)
		}
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return &effect.Refusal{
			Code: municipal.RefusalMissing,
			Why:  fmt.Sprintf("without a population above 0 in %s and an observed share within 0 and %g there is no standard error of %s", r.N, unit, strings.Join(bad, ", ")),
			Cure: "complete the table, give the unit of the shares, or leave n out",
		}
	}
	return nil
}

// rank makes the rankings that the run file asks for, from the table municipalities.
func (c *Config) rank(ctx context.Context, ds *ingest.Dataset) (out []RankingRow, err error) {
	if len(c.Rankings) == 0 {
		return nil, nil
	}
	if !ds.Has(ingest.Municipalities) {
		return nil, fmt.Errorf("%w: the dataset has no table %s, which is needed for rankings", ErrConfig, ingest.Municipalities)
	}
	var years []int
	for _, r := range c.Rankings {
		years = append(years, r.Year)
	}
	conditions, err := c.conditions(ctx, ds, years...)
	if err != nil {
		return nil, err
	}
	for _, r := range c.Rankings {
		rows, err := r.of(conditions, cmp.Or(c.Compare.Confidence, 0.95))
		if err != nil {
			return nil, fmt.Errorf("%w: ranking %q: %w", ErrConfig, r.Name, err)
		}
		names := map[string]string{}
		for _, row := range conditions {
			if row.Year == r.Year {
				names[row.Municipality] = row.Name
			}
		}
		for _, row := range rows {
			out = append(out, RankingRow{r.Name, int64(r.Year), names[row.Municipality], row})
		}
	}
	return out, nil
}

// of ranks the municipalities of the year.
func (r Ranking) of(conditions []ingest.Condition, confidence float64) ([]municipal.Row, error) {
	var ids, names, years []string
	values, found := map[string][]float64{}, map[string]bool{}
	for _, row := range conditions {
		if row.Year != r.Year {
			if year := strconv.Itoa(row.Year); !slices.Contains(years, year) {
				years = append(years, year)
			}
			continue
		}
		ids, names = append(ids, row.Municipality), append(names, row.Name)
		for name := range row.Values {
			found[name] = true
		}
		for _, name := range r.columns() {
			v, ok := row.Values[name]
			if !ok {
				v = math.NaN()
			}
			values[name] = append(values[name], v)
		}
	}
	if len(ids) == 0 {
		return nil, noYear(ingest.Municipalities, strconv.Itoa(r.Year), years)
	}
	var errs []error
	for _, name := range r.columns() {
		if !found[name] {
			var known []string
			for have := range found {
				known = append(known, have)
			}
			slices.Sort(known)
			errs = append(errs, fmt.Errorf("%w: no municipality has a value of %q in %d%s", ErrRanking, name, r.Year, strict.Suggest(name, known)))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return r.rank(ids, names, values, confidence)
}

// noYear says which years there are where one is missing.
func noYear(table, year string, years []string) error {
	slices.Sort(years)
	have := "it has no row"
	if len(years) > 0 {
		have = "it has " + strings.Join(years, ", ")
	}
	return fmt.Errorf("%w: %s has no row of %s; %s", ErrRanking, table, year, have)
}

// writeRankings tells who is first and last, and where the municipalities stand
// whose agreements are settled.
func (r *Result) writeRankings(b *strings.Builder) {
	settled := r.settled()
	for at := 0; at < len(r.Rankings); {
		first, n := r.Rankings[at], 1
		for at+n < len(r.Rankings) && r.Rankings[at+n].Ranking == first.Ranking {
			n++
		}
		fmt.Fprintf(b, "\nMunicipalities by observed less expected share: %s, %d; rank 1 of %d has the %s (all in %s.parquet)\n",
			first.Ranking, first.Year, n, map[profile.Better]string{profile.Low: "lowest", profile.High: "highest"}[first.Better], TableRanking)
		w := columns(b)
		fmt.Fprintf(w, "  municipality\tobserved\texpected\tdifference\t%.0f %% interval\trank\t%.0f %% interval\n", 100*first.Confidence, 100*first.Confidence)
		for i, row := range r.Rankings[at : at+n] {
			if i > 0 && i < n-1 && !settled[row.Municipality] {
				continue
			}
			differences, ranks := "-", "-"
			if !math.IsNaN(row.Low) {
				differences, ranks = fmt.Sprintf("%+.3g to %+.3g", row.Low, row.High), fmt.Sprintf("%.0f to %.0f", row.RankLow, row.RankHigh)
			}
			fmt.Fprintf(w, "  %s\t%.4g\t%.4g\t%+.3g\t%s\t%d\t%s\n", named(row.Municipality, row.Name), row.Observed, row.Expected, row.Difference, differences, row.Rank, ranks)
		}
		w.Flush()
		at += n
	}
}
