package jobeffekt_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// sheet is a table as somebody outside reads it: texts, a missing value "".
type sheet []map[string]string

func sheetOf(t *testing.T, table *ingest.Table) (out sheet) {
	t.Helper()
	if table == nil {
		return nil
	}
	for i := range table.Rows() {
		row := map[string]string{}
		for _, c := range table.Columns {
			switch {
			case c.Factor != nil:
				row[c.Name] = c.Factor.At(i)
			case c.Texts != nil:
				row[c.Name] = c.Texts[i]
			case c.Ints != nil:
				row[c.Name] = strconv.FormatInt(c.Ints[i], 10)
			case c.Floats != nil && !math.IsNaN(c.Floats[i]):
				row[c.Name] = strconv.FormatFloat(c.Floats[i], 'g', -1, 64)
			}
		}
		out = append(out, row)
	}
	return out
}

// attacker is somebody who reads the tables of two runs, and works out by linear algebra
// over the rational numbers what can be. It shares no code with what it attacks: its
// unknowns are counts by municipality, cell, package and what became of the citizens, and
// what the second run adds to each.
type attacker struct {
	number map[string]int
	rows   []equation // reduced: no pivot is in another row
	pivot  map[int]int
	ask    map[string]map[int]int64
}

type equation struct {
	of  map[int]*big.Rat
	sum *big.Rat
}

func newAttacker() *attacker {
	return &attacker{number: map[string]int{}, pivot: map[int]int{}, ask: map[string]map[int]int64{}}
}

func (a *attacker) unknown(name string) int {
	if _, ok := a.number[name]; !ok {
		a.number[name] = len(a.number)
	}
	return a.number[name]
}

// reduce takes what is known out of an equation.
func (a *attacker) reduce(of map[int]int64, sum int64) equation {
	e := equation{map[int]*big.Rat{}, big.NewRat(sum, 1)}
	for c, x := range of {
		e.of[c] = big.NewRat(x, 1)
	}
	for c := range of {
		r, ok := a.pivot[c]
		if !ok {
			continue
		}
		times := e.of[c]
		if times == nil {
			continue
		}
		times = new(big.Rat).Set(times)
		a.rows[r].add(e, new(big.Rat).Neg(times))
		e.sum.Sub(e.sum, new(big.Rat).Mul(times, a.rows[r].sum))
	}
	return e
}

// add adds a multiple of an equation's left side to another's.
func (e equation) add(to equation, times *big.Rat) {
	for c, x := range e.of {
		y := new(big.Rat).Mul(times, x)
		if old := to.of[c]; old != nil {
			y.Add(y, old)
		}
		if to.of[c] = y; y.Sign() == 0 {
			delete(to.of, c)
		}
	}
}

// learn takes a count that was published.
func (a *attacker) learn(of map[int]int64, sum int64) {
	e := a.reduce(of, sum)
	if len(e.of) == 0 {
		return
	}
	p := math.MaxInt
	for c := range e.of {
		p = min(p, c)
	}
	by := new(big.Rat).Inv(e.of[p])
	for c, x := range e.of {
		e.of[c] = new(big.Rat).Mul(by, x)
	}
	e.sum.Mul(e.sum, by)
	for i := range a.rows {
		if x := a.rows[i].of[p]; x != nil {
			times := new(big.Rat).Neg(x)
			e.add(a.rows[i], times)
			a.rows[i].sum.Add(a.rows[i].sum, new(big.Rat).Mul(times, e.sum))
		}
	}
	a.pivot[p] = len(a.rows)
	a.rows = append(a.rows, e)
}

// works is what a sum of unknowns can be worked out to be.
func (a *attacker) works(of map[int]int64) (int64, bool) {
	e := a.reduce(of, 0)
	if len(e.of) > 0 || !e.sum.IsInt() {
		return 0, false
	}
	return -e.sum.Num().Int64(), true
}

// outside is the published tables of one run.
type outside map[string]sheet

// attack reads what two runs tell of a municipality and an outcome, and says which counts
// of 1 to k-1 it has worked out: of a group, or of what came to a group in between.
func attack(runs []outside, municipality, outcome, clause string, k int64) (found []string) {
	a := newAttacker()
	// Who left has a window that is over, or not; prices are paid on what was reached before.
	states := []string{"yes", "no", "left_reached", "left_not", "left_reached_open", "left_not_open", "pending", "pending_reached", "outside_period", "not_first"}
	analysed, cohort, left := states[:2], states[:8], states[2:6]
	type cell struct{ group, provider, pkg string }
	cells := []cell{}
	for _, run := range runs {
		for _, r := range run["attrition"] {
			if r["municipality"] == municipality {
				cells = append(cells, cell{r["match_group"], r["provider_id"], ""}) // those without a package, or of packages nobody tells of
			}
		}
		for _, r := range slices.Concat(run["benchmark"], run["settlement_counts"]) {
			if r["municipality"] == municipality {
				cells = append(cells, cell{r["match_group"], r["provider_id"], r["package_id"]})
			}
		}
	}
	slices.SortFunc(cells, func(x, y cell) int {
		return slices.Compare([]string{x.group, x.provider, x.pkg}, []string{y.group, y.provider, y.pkg})
	})
	cells = slices.Compact(cells)
	group := func(run int, match func(c cell) bool, states []string) map[int]int64 {
		out := map[int]int64{}
		for _, c := range cells {
			if !match(c) {
				continue
			}
			for _, s := range states {
				for t := range run + 1 {
					out[a.unknown(fmt.Sprint(t, c, s))]++
				}
			}
		}
		return out
	}
	// learn notes a group of a run, and its count if it was told.
	learn := func(run int, name string, of map[int]int64, count string) {
		name = fmt.Sprint("run ", run, ": ", name)
		a.ask[name] = of
		if run > 0 {
			// What came to it since the first run.
			change := map[int]int64{}
			for c, x := range of {
				change[c] = x
			}
			first := map[int]bool{}
			for _, c := range cells {
				for _, s := range states {
					first[a.unknown(fmt.Sprint(0, c, s))] = true
				}
			}
			for c := range change {
				if first[c] {
					delete(change, c)
				}
			}
			a.ask["change, "+name] = change
		}
		if count == "" {
			return
		}
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			panic(err)
		}
		a.learn(of, int64(math.Round(n)))
	}
	times := func(r map[string]string, x, y string) string {
		p, err1 := strconv.ParseFloat(r[x], 64)
		q, err2 := strconv.ParseFloat(r[y], 64)
		if err1 != nil || err2 != nil {
			return ""
		}
		return fmt.Sprint(math.Round(p * q))
	}
	for run, tables := range runs {
		in := func(r map[string]string) func(cell) bool {
			return func(c cell) bool {
				return (r["match_group"] == "" || r["match_group"] == "(all)" || c.group == r["match_group"]) &&
					(r["provider_id"] == "" || c.provider == r["provider_id"]) && (r["package_id"] == "" || c.pkg == r["package_id"])
			}
		}
		for _, name := range []string{"benchmark", "estimates", "comparison", "league", "cells", "spending", "creaming", "diagnostics", "attrition", "profile", "creaming_deciles", "indicators"} {
			for _, r := range tables[name] {
				if r["municipality"] != municipality {
					continue
				}
				label := fmt.Sprint(name, " ", r["match_group"], " ", r["provider_id"], " ", r["package_id"], " ", r["view"], r["of"], r["channel"], " ")
				match := in(r)
				switch name {
				case "attrition":
					if r["outcome"] != outcome {
						continue
					}
					of := map[string][]string{"read": states, "analysed": analysed, "left": left, "pending": {"pending", "pending_reached"}}[r["reason"]]
					if of == nil {
						of = []string{r["reason"]}
					}
					learn(run, label+r["reason"], group(run, match, of), r["n"])
				case "cells":
					if r["kind"] != "outcome" || r["name"] != outcome {
						continue
					}
					learn(run, label+"cohort", group(run, match, cohort), r["n_cohort"])
					learn(run, label+"analysed", group(run, match, analysed), r["n"])
					learn(run, label+"reached", group(run, match, []string{"yes"}), r["n_reached"])
				case "spending":
					match = func(c cell) bool {
						return r["channel"] == "total" || (r["channel"] == "own") == (c.provider == "(own)")
					}
					if r["n_participations"] == "" && r["suppressed"] == "" || r["outcome"] != outcome {
						continue
					}
					learn(run, label+"cohort", group(run, match, cohort), r["n_cases"])
					learn(run, label+"analysed", group(run, match, analysed), r["n_complete"])
					learn(run, label+"reached", group(run, match, []string{"yes"}), r["n_reached"])
				case "creaming":
					if r["stage"] == "referred" {
						learn(run, label+"cohort", group(run, match, cohort), r["n"])
					}
				case "diagnostics":
					if r["outcome"] == outcome && r["diagnostic"] == "n" && r["not_applicable"] == "" {
						learn(run, label+"analysed", group(run, match, analysed), r["value"])
					}
				case "creaming_deciles", "indicators":
				default:
					if r["outcome"] != outcome {
						continue
					}
					if r["view"] == "channel" {
						match = func(c cell) bool { return in(r)(c) && (r["of"] == "own") == (c.provider == "(own)") }
					}
					learn(run, label+"analysed", group(run, match, analysed), r["n"])
					if r["unit"] == "share" && r["observed"] != "" || r["suppressed"] != "" {
						learn(run, label+"reached", group(run, match, []string{"yes"}), times(r, "n", "observed"))
						learn(run, label+"not reached", group(run, match, []string{"no"}), "")
					}
					if r["left_share"] != "" && r["view"] == "" {
						// The share is of the windows that have ended: those analysed and those who left.
						share, _ := strconv.ParseFloat(r["left_share"], 64)
						if n, err := strconv.ParseFloat(r["n"], 64); err == nil && share < 1 {
							learn(run, label+"left", group(run, match, left[:2]), fmt.Sprint(math.Round(n*share/(1-share))))
						}
					}
				}
			}
		}
		for _, r := range tables["settlement_counts"] {
			if r["municipality"] != municipality || r["clause"] != clause {
				continue
			}
			of, ok := map[string][]string{"counted": {"yes", "left_reached", "left_reached_open", "pending_reached"}, "not_reached": {"no"}, "left": {"left_not", "left_not_open"}, "pending": {"pending"}}[r["rule"]]
			if reason, excluded := strings.CutPrefix(r["rule"], "excluded:"); excluded {
				of = []string{reason}
			} else if !ok {
				continue
			}
			learn(run, fmt.Sprint("rule ", r["rule"], " ", r["match_group"], " ", r["provider_id"], " ", r["package_id"]), group(run, in(r), of), r["n"])
		}
		// Lines divide who counted by period; sums of amounts are sums of prices.
		if run > 0 {
			continue
		}
		paid := map[string]map[int]int64{}
		for _, r := range tables["settlement"] {
			if r["clause"] != clause {
				continue
			}
			c := cell{r["match_group"], r["provider_id"], r["package_id"]}
			name := fmt.Sprint("line ", r["line"])
			line := map[int]int64{a.unknown(name): 1}
			learn(run, name, line, r["cases"])
			price, _ := strconv.ParseFloat(r["unit_price_ore"], 64)
			if p := int64(price); math.Mod(price, 100000) == 0 { // prices whose amounts are not rounded
				for _, key := range []string{"||", r["provider_id"] + "||", r["provider_id"] + "|" + r["period"] + "|"} {
					if paid[key] == nil {
						paid[key] = map[int]int64{}
					}
					paid[key][a.unknown(name)] += p
				}
			}
			all := fmt.Sprint("counted ", c)
			if a.ask[all] == nil {
				a.ask[all] = group(run, func(x cell) bool { return x == c }, []string{"yes", "left_reached", "left_reached_open", "pending_reached"})
			}
			a.ask[all][a.unknown(name)]--
		}
		for name, of := range a.ask {
			if strings.HasPrefix(name, "counted ") {
				a.learn(of, 0)
				delete(a.ask, name)
			}
		}
	}
	for name, of := range a.ask {
		if n, ok := a.works(of); ok && n != 0 && n > -k && n < k {
			found = append(found, fmt.Sprintf("%s: %d", name, n))
		}
	}
	for name, c := range a.number {
		if n, ok := a.works(map[int]int64{c: 1}); ok && n != 0 && n > -k && n < k {
			found = append(found, fmt.Sprintf("%s: %d", name, n))
		}
	}
	slices.Sort(found)
	return found
}

// publishes is what a run of the demonstration publishes.
func publishes(t *testing.T, c *jobeffekt.Config, k int64) (*jobeffekt.Publication, outside) {
	t.Helper()
	p, err := jobeffekt.ReadPublication(context.Background(), c.ResultsFolder(), k)
	require.NoError(t, err)
	out := outside{}
	for _, table := range p.Tables {
		out[table.Name] = sheetOf(t, table)
	}
	return p, out
}

// primary is a control that only looks at counts one by one: what an attacker makes of it
// shows that the attacker can.
func primary(t *testing.T, c *jobeffekt.Config, k int64) outside {
	t.Helper()
	out := outside{}
	for _, name := range []string{"attrition", "benchmark", "estimates", "cells", "comparison", "spending", "settlement", "settlement_counts"} {
		table, err := ingest.ReadTable(context.Background(), filepath.Join(c.ResultsFolder(), name+".parquet"), ingest.DefaultLimits())
		require.NoError(t, err)
		rows := sheetOf(t, table)
		for _, r := range rows {
			for _, count := range []string{"n", "n_cohort", "n_reached", "n_cases", "n_complete", "cases"} {
				if n, err := strconv.ParseFloat(r[count], 64); err == nil && n > 0 && n < float64(k) {
					for _, x := range []string{"n", "n_cohort", "n_reached", "n_cases", "n_complete", "cases", "observed", "left_share", "mean"} {
						delete(r, x)
					}
				}
			}
			if n, err := strconv.ParseFloat(r["n"], 64); err == nil && r["unit"] == "share" {
				if p, err := strconv.ParseFloat(r["observed"], 64); err == nil && (p*n < float64(k) || n-p*n < float64(k)) {
					delete(r, "observed")
				}
			}
			delete(r, "left_share")
		}
		out[name] = rows
	}
	return out
}

// What two runs publish, two months apart, gives no count of few citizens to somebody who
// takes totals, tables and runs from each other; a control that looks at counts one by one
// gives many.
func TestNoFewCitizensCanBeWorkedOut(t *testing.T) {
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	c := job(t, "data: data ", "data: "+data+" ", "data: data\n", "data: "+data+"\n", "terms: [terms.yaml]",
		"views: {of: [total, channel]}\nspending: {outcome: employed_26w, in_house_bid: provider}\nterms: [terms.yaml]")
	ctx := context.Background()
	run := func(asOf string) {
		at := c.Path
		text, err := os.ReadFile(at)
		require.NoError(t, err)
		lines := strings.Split(string(text), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "as_of:") {
				lines[i] = "as_of: " + asOf
			}
		}
		require.NoError(t, os.WriteFile(at, []byte(strings.Join(lines, "\n")), 0o600))
		c, err = jobeffekt.LoadConfig(at)
		require.NoError(t, err)
		_, err = jobeffekt.Run(ctx, c)
		require.NoError(t, err)
	}
	text, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.Path, append(text, "\ndisclosure: {record: published.parquet}\n"...), 0o600))

	counts := []int64{5}
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		counts = []int64{3, 5, 10}
	}
	early, late := map[int64]outside{}, map[int64]outside{}
	weak := []outside{}
	run("2009-06-30")
	weak = append(weak, primary(t, c, 5))
	record := filepath.Join(filepath.Dir(c.Path), "published.parquet")
	first, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	kept, heads := map[int64][]byte{}, map[int64][]byte{}
	for _, k := range counts {
		_ = os.Remove(record)
		_ = os.Remove(record + jobeffekt.HeadSuffix)
		p, tables := publishes(t, c, k)
		assert.True(t, p.Recorded)
		assert.Zero(t, p.Earlier)
		early[k] = tables
		require.NoError(t, p.Record(ctx))
		kept[k], err = os.ReadFile(record)
		require.NoError(t, err)
		heads[k], err = os.ReadFile(record + jobeffekt.HeadSuffix)
		require.NoError(t, err)
		info, err := os.Stat(record)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		if k != 5 {
			continue
		}
		// The same again is the same, and remembered once.
		again, tables := publishes(t, c, k)
		assert.Zero(t, again.Earlier)
		assert.Equal(t, early[k], tables)
		require.NoError(t, again.Record(ctx))
		now, err := os.ReadFile(record)
		require.NoError(t, err)
		assert.Equal(t, kept[k], now)
	}
	run("2009-08-31")
	second, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	require.NotEqual(t, first.Sum, second.Sum)
	weak = append(weak, primary(t, c, 5))
	for _, k := range counts {
		require.NoError(t, os.WriteFile(record, kept[k], 0o600))
		require.NoError(t, os.WriteFile(record+jobeffekt.HeadSuffix, heads[k], 0o600))
		p, tables := publishes(t, c, k)
		assert.Equal(t, 1, p.Earlier)
		late[k] = tables
		require.NoError(t, p.Record(ctx))
		found(t, c, p, record, kept[k])
	}
	for _, k := range counts {
		withheld, sums := sumsOfTold(early[k]["comparison"])
		assert.Empty(t, withheld, k)
		assert.Positive(t, sums, k)
		assert.Empty(t, fewWithin(late[k], float64(k)), k)
	}
	clauses := map[string]string{"employed_26w": "", "sustained_13w": "sustained-job", "days_employed_52w": ""}
	caught := 0
	for _, municipality := range []string{"751"} {
		for outcome, clause := range clauses {
			for _, k := range counts {
				if k != 5 && outcome != "sustained_13w" {
					continue
				}
				assert.Empty(t, attack([]outside{early[k], late[k]}, municipality, outcome, clause, k), "%s %s %d", municipality, outcome, k)
			}
			caught += len(attack(weak, municipality, outcome, clause, 5))
		}
	}
	t.Logf("the weak control gives %d counts away", caught)
	assert.Greater(t, caught, 50)
}

// sumsOfTold are shares of all match groups together that are withheld although the shares
// of the groups are told: it protects nobody, and the reader has no answer. How many are
// told beside them is the second.
func sumsOfTold(comparison sheet) (withheld []string, told int) {
	parts, open := map[string]int{}, map[string]int{}
	key := func(r map[string]string) string {
		return strings.Join([]string{r["view"], r["of"], r["period"], r["outcome"], r["municipality"], r["package_id"], r["method"], r["part"]}, " ")
	}
	for _, r := range comparison {
		if r["unit"] == "share" && r["match_group"] != "(all)" {
			parts[key(r)]++
			if r["observed"] != "" {
				open[key(r)]++
			}
		}
	}
	for _, r := range comparison {
		if r["match_group"] != "(all)" || r["unit"] != "share" || r["n_comparators"] == "0" || parts[key(r)] == 0 || open[key(r)] < parts[key(r)] {
			continue
		}
		if r["observed"] != "" {
			told++
		} else {
			withheld = append(withheld, key(r))
		}
	}
	return withheld, told
}

// fewWithin are counts of 1 to k-1 between two figures of a row, or of a curve and the cell
// that it is about.
func fewWithin(tables outside, k float64) (found []string) {
	number := func(r map[string]string, column string) float64 {
		if x, err := strconv.ParseFloat(r[column], 64); err == nil {
			return x
		}
		return math.NaN()
	}
	look := func(what string, r map[string]string, n float64) {
		if n = math.Abs(n); n > 0 && n < k {
			found = append(found, fmt.Sprint(what, " ", r["municipality"], " ", r["match_group"], " ", r["provider_id"], " ", n))
		}
	}
	for _, r := range tables["creaming_deciles"] {
		look("left", r, number(r, "n_referred")-number(r, "n"))
		look("not started", r, number(r, "n_referred")-number(r, "n_started"))
		look("not completed", r, number(r, "n_referred")-number(r, "n_completed"))
	}
	cell := func(r map[string]string) string {
		return strings.Join([]string{r["municipality"], r["match_scheme"], r["match_group"], r["provider_id"], r["package_id"]}, " ")
	}
	there := map[string]float64{}
	for _, r := range tables["cells"] {
		if r["kind"] == "outcome" {
			there[r["name"]+cell(r)] = number(r, "n_cohort")
		}
	}
	for _, r := range tables["curves"] {
		n, ok := there[r["outcome"]+cell(r)]
		if !ok || r["package_id"] != "" {
			found = append(found, "a curve of a package")
		}
		look("gone", r, n-number(r, "at_risk"))
		if math.IsNaN(n) && r["at_risk"]+r["events"]+r["low"] != "" {
			found = append(found, "who was there is told by a curve alone: "+cell(r))
		}
	}
	return found
}

// found shows that a record that is gone, shortened, changed or older than this publication is
// found out; early is the record of the first of two.
func found(t *testing.T, c *jobeffekt.Config, p *jobeffekt.Publication, record string, early []byte) {
	t.Helper()
	ctx := context.Background()
	whole, err := os.ReadFile(record)
	require.NoError(t, err)
	head, err := os.ReadFile(record + jobeffekt.HeadSuffix)
	require.NoError(t, err)
	read := func() error {
		_, err := jobeffekt.ReadPublication(ctx, c.ResultsFolder(), p.MinCount)
		return err
	}
	require.NoError(t, read())
	require.NoError(t, os.Remove(record))
	require.ErrorIs(t, read(), jobeffekt.ErrRecord, "gone")
	require.NoError(t, os.WriteFile(record, early, 0o600))
	require.ErrorIs(t, read(), jobeffekt.ErrRecord, "shortened")
	require.NoError(t, os.WriteFile(record, whole, 0o600))
	require.NoError(t, os.Remove(record+jobeffekt.HeadSuffix))
	require.ErrorIs(t, read(), jobeffekt.ErrRecord, "without its head")
	// Both are gone: it starts anew, but not in the place of what was published.
	require.NoError(t, os.Remove(record))
	anew, err := jobeffekt.ReadPublication(ctx, c.ResultsFolder(), p.MinCount)
	require.NoError(t, err)
	assert.Zero(t, anew.Earlier)
	require.ErrorIs(t, anew.Follows(&jobeffekt.Published{Record: p.Head()}), jobeffekt.ErrRecord)
	require.NoError(t, anew.Follows(&jobeffekt.Published{}))
	// Another was recorded since this one was read.
	require.NoError(t, os.WriteFile(record, early, 0o600))
	require.ErrorIs(t, anew.Record(ctx), jobeffekt.ErrRecord)
	require.NoError(t, os.WriteFile(record, whole, 0o600))
	require.NoError(t, os.WriteFile(record+jobeffekt.HeadSuffix, head, 0o600))
	require.NoError(t, read())
	again, err := jobeffekt.ReadPublication(ctx, c.ResultsFolder(), p.MinCount)
	require.NoError(t, err)
	require.Equal(t, p.Head(), again.Head())
	require.NoError(t, again.Follows(&jobeffekt.Published{Record: p.Head()}))
}
