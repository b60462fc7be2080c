package jobeffekt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// Areas are municipalities that count as one: area: [municipalities]. What is
// measured, estimated and benchmarked sees the areas alone, as if every table had
// them in place of their municipalities.
type Areas map[string][]string

// population is the framework condition by which the others of an area's members
// are weighted.
const population = "population"

// checkAreas finds areas that contradict each other, whatever the dataset.
func (c *Config) checkAreas(fault func(path, format string, args ...any)) {
	area := map[string]string{} // of each member
	for _, a := range slices.Sorted(maps.Keys(c.Areas)) {
		at := "areas." + a
		if a == "" || len(c.Areas[a]) == 0 {
			fault(at, "an area needs a name and municipalities")
		}
		if strings.ContainsFunc(a, unicode.IsControl) {
			fault(at, "the name of an area stands on one line, without control characters")
		}
		for i, m := range c.Areas[a] {
			switch other, twice := area[m]; {
			case m == "":
				fault(fmt.Sprintf("%s[%d]", at, i), "a municipality needs a name")
			case twice && other == a:
				fault(fmt.Sprintf("%s[%d]", at, i), "municipality %s stands twice", m)
			case twice:
				fault(fmt.Sprintf("%s[%d]", at, i), "municipality %s is in area %s already", m, other)
			default:
				area[m] = a
			}
		}
	}
	for _, a := range slices.Sorted(maps.Keys(c.Areas)) {
		if other, is := area[a]; is && other != a {
			fault("areas."+a, "an area cannot have the name of municipality %s, which is in area %s", a, other)
		}
	}
}

// of is the area of each municipality that is in one.
func (a Areas) of() map[string]string {
	out := map[string]string{}
	for area, members := range a {
		for _, m := range members {
			out[m] = area
		}
	}
	return out
}

// inArea says which area a municipality was merged into, "" where none: its name
// is then known no more.
func (c *Config) inArea(municipality string) string {
	if _, area := c.Areas[municipality]; area {
		return ""
	}
	return c.Areas.of()[municipality]
}

// readCases reads the cases, and the controls where they are asked for, with
// areas in place of their municipalities.
func (c *Config) readCases(ctx context.Context, ds *ingest.Dataset) (cases, controls *effect.Cases, err error) {
	if c.controls() {
		cases, controls, err = ds.CasesAndControls(ctx, c.Study().Cohort.Period)
	} else {
		cases, err = ds.Cases(ctx)
	}
	if err != nil {
		return cases, controls, err
	}
	if len(c.Areas) == 0 {
		return cases, controls, c.checkChosen(cases.Municipality.Levels)
	}
	if err := c.checkMembers(ctx, ds, cases.Municipality.Levels); err != nil {
		return nil, nil, err
	}
	cases.Municipality = relabel(cases.Municipality, c.Areas.of())
	if controls != nil {
		controls.Municipality = relabel(controls.Municipality, c.Areas.of())
	}
	return cases, controls, c.checkChosen(cases.Municipality.Levels)
}

// checkMembers finds members of areas that no table has, and areas that have the
// name of a municipality outside. named are the municipalities of the
// participations.
func (c *Config) checkMembers(ctx context.Context, ds *ingest.Dataset, named []string) error {
	seen := map[string]bool{}
	for _, m := range named {
		seen[m] = true
	}
	if ds.Has(ingest.PeerStrata) {
		lines, err := ds.PeerStrata(ctx, c.classNames())
		if err != nil {
			return err
		}
		for _, l := range lines {
			seen[l.Municipality] = true
		}
	}
	if ds.Has(ingest.Municipalities) {
		rows, err := ds.Conditions(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			seen[r.Municipality] = true
		}
	}
	if ds.Has(ingest.Caseload) {
		load, err := ds.Caseload(ctx)
		if err != nil {
			return err
		}
		for _, m := range load.Municipality.Levels {
			seen[m] = true
		}
	}
	var errs []error
	for _, a := range slices.Sorted(maps.Keys(c.Areas)) {
		if !c.chosen(a) {
			continue // the tables of citizens are read for others
		}
		for _, m := range c.Areas[a] {
			if !seen[m] {
				errs = append(errs, fmt.Errorf("%w: areas.%s: municipality %s is in none of the tables %s, %s, %s and %s", ErrConfig, a, m, ingest.Participations, ingest.Municipalities, ingest.PeerStrata, ingest.Caseload))
			}
		}
		if seen[a] && !slices.Contains(c.Areas[a], a) {
			errs = append(errs, fmt.Errorf("%w: areas.%s: the dataset has a municipality of this name that is not in the area; name the area otherwise, or put the municipality in it", ErrConfig, a))
		}
	}
	return errors.Join(errs...)
}

// relabel puts areas in place of their municipalities.
func relabel(f effect.Factor, area map[string]string) effect.Factor {
	out := effect.Factor{Codes: make([]int32, len(f.Codes))}
	index, code := map[string]int32{}, make([]int32, len(f.Levels))
	for k, level := range f.Levels {
		if a, in := area[level]; in {
			level = a
		}
		at, known := index[level]
		if !known {
			at = int32(len(out.Levels))
			index[level] = at
			out.Levels = append(out.Levels, level)
		}
		code[k] = at
	}
	for i, k := range f.Codes {
		out.Codes[i] = -1
		if k >= 0 {
			out.Codes[i] = code[k]
		}
	}
	out.Sort()
	return out
}

// caseload reads the table caseload, with areas in place of their municipalities.
// Spells that are the same then count once, and are sorted, as where the table had
// the areas.
func (c *Config) caseload(ctx context.Context, ds *ingest.Dataset) (*effect.Caseload, error) {
	load, err := ds.Caseload(ctx)
	if err != nil || len(c.Areas) == 0 {
		return load, err
	}
	municipality := relabel(load.Municipality, c.Areas.of())
	compare := func(i, j int32) int {
		return cmp.Or(cmp.Compare(load.Person[i], load.Person[j]), cmp.Compare(load.Start[i], load.Start[j]), cmp.Compare(load.End[i], load.End[j]),
			cmp.Compare(municipality.Codes[i], municipality.Codes[j]), cmp.Compare(load.MatchScheme.Codes[i], load.MatchScheme.Codes[j]),
			cmp.Compare(load.MatchGroup.Codes[i], load.MatchGroup.Codes[j]))
	}
	rows := make([]int32, load.Len())
	for i := range rows {
		rows[i] = int32(i)
	}
	slices.SortFunc(rows, compare)
	rows = slices.CompactFunc(rows, func(i, j int32) bool { return compare(i, j) == 0 })
	out := *load
	out.Municipality = municipality
	out.Person, out.Start, out.End = at(out.Person, rows), at(out.Start, rows), at(out.End, rows)
	for _, f := range []*effect.Factor{&out.Municipality, &out.MatchScheme, &out.MatchGroup} {
		f.Codes = at(f.Codes, rows)
	}
	return &out, nil
}

// at is what stands in the rows of a column.
func at[T any](column []T, rows []int32) []T {
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = column[i]
	}
	return out
}

// mergeStrata adds the strata of the members of an area. The lines are sorted, and
// so are those returned.
func (c *Config) mergeStrata(lines []effect.StratumTotal) []effect.StratumTotal {
	if len(c.Areas) == 0 {
		return lines
	}
	area, at := c.Areas.of(), map[string]int{}
	var out []effect.StratumTotal
	for _, l := range lines {
		if a, in := area[l.Municipality]; in {
			l.Municipality = a
		}
		key := strings.Join(keyOf(l), "\x00")
		k, known := at[key]
		if !known {
			at[key] = len(out)
			out = append(out, l)
			continue
		}
		out[k].N, out[k].Sum, out[k].SumSquares = out[k].N+l.N, out[k].Sum+l.Sum, out[k].SumSquares+l.SumSquares
	}
	slices.SortStableFunc(out, func(a, b effect.StratumTotal) int { return slices.Compare(keyOf(a), keyOf(b)) })
	return out
}

func keyOf(l effect.StratumTotal) []string {
	return append([]string{l.Municipality, l.MatchScheme, l.MatchGroup, l.Outcome, l.Period}, l.Classes...)
}

// conditions reads the framework conditions, in the years given with areas in
// place of their municipalities: counts ([Config.counts]) are the sum of the
// members', and every other condition their mean, weighted by population. An area
// whose members do not all have a condition does not have it. Rows of other years,
// which nobody uses, stay as they are.
func (c *Config) conditions(ctx context.Context, ds *ingest.Dataset, years ...int) ([]ingest.Condition, error) {
	rows, err := ds.Conditions(ctx)
	if err != nil || len(c.Areas) == 0 {
		return rows, err
	}
	type key struct {
		area string
		year int
	}
	area, members, out := c.Areas.of(), map[key][]ingest.Condition{}, []ingest.Condition(nil)
	var keys []key
	for _, r := range rows {
		a, in := area[r.Municipality]
		if !in || !slices.Contains(years, r.Year) {
			out = append(out, r)
			continue
		}
		k := key{a, r.Year}
		if members[k] == nil {
			keys = append(keys, k)
		}
		members[k] = append(members[k], r)
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(strings.Compare(a.area, b.area), cmp.Compare(a.year, b.year)) })
	var errs []error
	for _, k := range keys {
		r, err := c.pool(k.area, k.year, members[k])
		out, errs = append(out, r), append(errs, err)
	}
	slices.SortStableFunc(out, func(a, b ingest.Condition) int {
		return cmp.Or(strings.Compare(a.Municipality, b.Municipality), cmp.Compare(a.Year, b.Year))
	})
	return out, errors.Join(errs...)
}

// readsMunicipalities says whether something rests on the table municipalities.
func (c *Config) readsMunicipalities() bool {
	return c.choosesPeers() || len(c.Areas) > 0 || len(c.Rankings) > 0 || c.BeforeAfter != nil && len(c.BeforeAfter.Conditions) > 0
}

// called are the names of municipalities, of the latest year that has one, where
// the table municipalities is read anyway. An area is its own name.
func (c *Config) called(ctx context.Context, ds *ingest.Dataset) (map[string]string, error) {
	if !c.readsMunicipalities() || !ds.Has(ingest.Municipalities) {
		return nil, nil
	}
	rows, err := ds.Conditions(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, row := range rows {
		if _, area := c.Areas[row.Municipality]; !area && row.Name != "" {
			out[row.Municipality] = row.Name
		}
	}
	return out, nil
}

// named is a municipality as people are told of it: Aarhus (751).
func named(municipality, name string) string {
	if name == "" || name == municipality {
		return plain.Line(municipality)
	}
	return plain.Line(name + " (" + municipality + ")")
}

// counts are the columns of municipalities that count people: of an area they are
// sums.
func (c *Config) counts() []string {
	out := []string{population}
	for _, r := range c.Rankings {
		out = append(out, r.Weight, r.N)
	}
	return out
}

// pool makes the framework conditions of an area of those of its members, which
// come in the order of their names.
func (c *Config) pool(area string, year int, members []ingest.Condition) (ingest.Condition, error) {
	var errs []error
	out := ingest.Condition{Municipality: area, Year: year, Name: area, Values: map[string]float64{}}
	has, total, counts := map[string]int{}, 0.0, c.counts()
	for _, m := range members {
		switch p, known := m.Values[population]; {
		case !known:
			errs = append(errs, fmt.Errorf("%w: areas.%s: municipality %s has no %s in %d in table %s, by which the framework conditions of an area are weighted", ErrConfig, area, m.Municipality, population, year, ingest.Municipalities))
		case !(p > 0):
			errs = append(errs, fmt.Errorf("%w: areas.%s: the %s of municipality %s in %d is not above 0, so that it cannot weight the framework conditions of an area", ErrConfig, area, population, m.Municipality, year))
		default:
			total += p
		}
		for name := range m.Values {
			has[name]++
		}
	}
	for _, m := range c.Areas[area] {
		if !slices.ContainsFunc(members, func(r ingest.Condition) bool { return r.Municipality == m }) {
			errs = append(errs, fmt.Errorf("%w: areas.%s: municipality %s has no framework conditions for %d in table %s", ErrConfig, area, m, year, ingest.Municipalities))
		}
	}
	if len(errs) > 0 {
		return out, errors.Join(errs...)
	}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if has[name] < len(members) {
			continue
		}
		sum, mean := 0.0, 0.0
		for _, m := range members {
			sum += m.Values[name]
			mean += float64(m.Values[population] / total * m.Values[name])
		}
		if out.Values[name] = sum; !slices.Contains(counts, name) {
			out.Values[name] = effect.Round(mean)
		}
		if v := out.Values[name]; math.IsNaN(v-v) || math.IsInf(total, 0) {
			errs = append(errs, fmt.Errorf("%w: areas.%s: %s of its municipalities in %d is too large to be added up; look at table %s", ErrConfig, area, name, year, ingest.Municipalities))
		}
	}
	return out, errors.Join(errs...)
}

// Expenses are rows of the table spend with areas in place of their
// municipalities: of each year and channel the exact sum of what the members
// spent. The rows come back sorted by municipality, year and channel. A member
// without a row for a year and channel that another member has is an error, as is
// an amount that is no decimal: what is not told is not nothing.
func (a Areas) Expenses(rows []ingest.Expense) ([]ingest.Expense, error) {
	type key struct {
		area    string
		year    int64
		channel string
	}
	if len(a) == 0 {
		return rows, nil
	}
	area := a.of()
	var out []ingest.Expense
	var errs []error
	sums, decimals, told := map[key]*big.Rat{}, map[key]int{}, map[key][]string{}
	for _, r := range rows {
		in, merged := area[r.Municipality]
		if !merged {
			out = append(out, r)
			continue
		}
		k := key{in, r.Year, r.Channel}
		amount, ok := exactDecimal(r.Amount)
		if !ok {
			errs = append(errs, fmt.Errorf("%w: areas.%s: what municipality %s spent in %d (%s) is not a decimal", ErrConfig, in, r.Municipality, r.Year, r.Channel))
			continue
		}
		if sums[k] == nil {
			sums[k] = new(big.Rat)
		}
		sums[k].Add(sums[k], amount)
		_, fraction, _ := strings.Cut(r.Amount, ".")
		decimals[k], told[k] = max(decimals[k], len(fraction)), append(told[k], r.Municipality)
	}
	for k, sum := range sums {
		out = append(out, ingest.Expense{Municipality: k.area, Year: k.year, Channel: k.channel, Amount: sum.FloatString(decimals[k])})
	}
	slices.SortFunc(out, func(x, y ingest.Expense) int {
		return cmp.Or(strings.Compare(x.Municipality, y.Municipality), cmp.Compare(x.Year, y.Year), strings.Compare(x.Channel, y.Channel))
	})
	for _, r := range out {
		who, merged := told[key{r.Municipality, r.Year, r.Channel}]
		for _, m := range a[r.Municipality] {
			if merged && !slices.Contains(who, m) {
				errs = append(errs, fmt.Errorf("%w: areas.%s: table %s does not tell what municipality %s spent in %d (%s); give 0 where that was nothing", ErrConfig, r.Municipality, ingest.Spend, m, r.Year, r.Channel))
			}
		}
	}
	return out, errors.Join(errs...)
}
