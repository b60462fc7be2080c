package jobeffekt

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// disclosing finds out which figures of the outward tables may be told. It asks the
// families for every count that a figure gives away, lets them decide, and takes out what
// was not granted.
type disclosing struct {
	k        int64
	outcomes []*family           // in the order of the run file
	between  *between            // of them; nil where there are none
	trees    []*family           // counts that no table has by case
	blinded  bool                // what became of a case is not known
	peers    map[string][]string // of municipalities
	pending  []pendingFigures
	// apart are counts that were found to be no sum of cases as they are known: they are
	// looked at by themselves.
	apart int
}

// pendingFigures are columns of a row that are told if a claim is; of the row's all but the
// open ones where there are none named.
type pendingFigures struct {
	table   *ingest.Table
	row     int
	of      *family // nil: they are not told
	claim   int
	columns []string
}

// The order in which is told: what is wide before what is narrow, and what the report shows
// before what tables alone show.
const (
	levelMunicipality = iota
	levelGroup
	levelView
	levelProvider
	levelCell
	levelPaid
	levelPackage  = levelPaid + 4
	levelPeriods  = 10 // added
	levelNation   = 30 // added
	levelLines    = 60
	levelCohort   = 70
	levelReasons  = 80
	levelRules    = 90
	levelRead     = 100
	levelReferred = 110
)

// figures are rows of a table that are looked at.
type figures struct {
	*disclosing
	t    *ingest.Table
	text map[string]*ingest.Column
}

func (d *disclosing) of(t *ingest.Table) figures {
	x := figures{d, t, map[string]*ingest.Column{}}
	for i := range t.Columns {
		x.text[t.Columns[i].Name] = &t.Columns[i]
	}
	return x
}

// at is a text of a row, "" where the table has no such column.
func (x figures) at(column string, i int) string {
	switch c := x.text[column]; {
	case c == nil:
		return ""
	case c.Factor != nil:
		return c.Factor.At(i)
	case c.Texts != nil:
		return c.Texts[i]
	}
	return ""
}

// number is a number of a row, NaN where there is none.
func (x figures) number(column string, i int) float64 {
	switch c := x.text[column]; {
	case c == nil:
	case c.Ints != nil:
		return float64(c.Ints[i])
	case c.Floats != nil:
		return c.Floats[i]
	}
	return math.NaN()
}

// whole is a count of a row; a null counts nobody.
func (x figures) whole(column string, i int) int64 {
	if v := x.number(column, i); !math.IsNaN(v) {
		return int64(math.Round(v))
	}
	return 0
}

func (d *disclosing) few(n int64) bool { return n > 0 && n < d.k }

// never takes columns of a row out.
func (x figures) never(i int, columns ...string) {
	x.pending = append(x.pending, pendingFigures{x.t, i, nil, 0, columns})
}

// when takes columns of a row out unless a claim is told.
func (x figures) when(i int, f *family, claim int, columns ...string) {
	x.pending = append(x.pending, pendingFigures{x.t, i, f, claim, columns})
}

// count takes columns of a row out unless n citizens may be told of, who are those of the
// groups. Where they are not, as the table counts others, they are looked at by themselves.
func (x figures) count(i int, f *family, level int, n int64, groups []where, columns ...string) {
	if f != nil {
		if claim := f.each(level, groups...); f.size(claim) == n {
			x.when(i, f, claim, columns...)
			return
		}
	}
	x.apart++
	if x.few(n) || x.blinded {
		x.never(i, columns...)
	}
}

// part takes columns of a row out where n citizens of all are few, or the others are.
func (x figures) part(i int, all, n int64, columns ...string) {
	if x.few(n) || x.few(all-n) {
		x.never(i, columns...)
	}
}

// outcome is the family of an outcome, or of that whose placebo it is; nil for none.
func (d *disclosing) outcome(name string) *family {
	if of, placebo := effect.PlaceboOf(name); placebo {
		name = of
	}
	for _, f := range d.outcomes {
		if f.name == name {
			return f
		}
	}
	return nil
}

// first is the family of the first outcome, which knows the cohort as every other does; nil
// where nothing was measured.
func (d *disclosing) first() *family {
	if len(d.outcomes) == 0 {
		return nil
	}
	return d.outcomes[0]
}

// cell is who a row is about, and how important that is.
func (x figures) cell(i int) (where, int) {
	w, level := make(where, dims), levelMunicipality
	for d, column := range map[int]string{dimMunicipality: "municipality", dimScheme: "match_scheme", dimGroup: "match_group", dimProvider: "provider_id", dimPackage: "package_id", dimPeriod: "period", dimAgreement: "agreement_id"} {
		if w[d] = x.at(column, i); w[d] == effect.All {
			w[d] = ""
		}
	}
	if of := x.at("of", i); of != "" && of != effect.All {
		if d, ok := map[string]int{string(effect.ViewChannel): dimChannel, string(effect.ViewRole): dimRole, string(effect.ViewConsortium): dimConsortium, string(effect.ViewProvider): dimProvider}[x.at("view", i)]; ok {
			w[d] = of
		}
	}
	seen := w[dimChannel] != "" || w[dimRole] != "" || w[dimConsortium] != ""
	switch {
	case w[dimPackage] != "":
		level = levelPackage
	case w[dimProvider] != "" && w[dimGroup] != "":
		level = levelCell
	case w[dimProvider] != "":
		level = levelProvider
	case seen:
		level = levelView
	case w[dimGroup] != "":
		level = levelGroup
	}
	if w[dimPeriod] != "" {
		level += levelPeriods
	}
	if w[dimMunicipality] == "" {
		level += levelNation
	}
	return w, level
}

// with is a where with more labels: dimension, label, and so on.
func (w where) with(d int, label string) where {
	out := slices.Clone(w)
	out[d] = label
	return out
}

func (w where) analysed() where { return w.with(dimWhy, effect.StepAnalysed) }

// halves are those who reached an outcome and those who did not.
func (w where) halves() []where {
	w = w.analysed()
	return []where{w.with(dimReached, effect.Yes), w.with(dimReached, effect.No)}
}

// compared are the tables of differences: n, observed, and what stands beside them.
func (x figures) compared() {
	sensitivity := x.text["n"] == nil
	for i := range x.t.Rows() {
		f := x.outcome(x.at("outcome", i))
		w, level := x.cell(i)
		n := x.whole("n", i)
		if x.at("variation", i) == "window" {
			f = x.outcome(x.at("what", i))
		}
		if sensitivity && f != nil {
			n = f.count(w.analysed())
		}
		_, placebo := effect.PlaceboOf(x.at("outcome", i)) // of which n is that of its outcome
		x.count(i, f, level, n, []where{w.analysed()})
		if unit := x.at("unit", i); n > 0 && f != nil && !placebo && (unit == string(effect.UnitShare) || x.number("observed", i) == 0) {
			x.when(i, f, f.each(level, w.halves()...), x.not("n")...)
		}
		if of := x.whole("n_compared", i); of > 0 {
			// The mean of those compared and of all would tell what became of the rest.
			rest := []string{"n_compared", "expected", "persons", "var_cell", "df_cell"}
			if sensitivity {
				rest = []string{"n_compared"}
			}
			x.part(i, n, of, rest...)
			x.part(i, of, x.whole("persons", i), "persons")
		}
		if x.few(x.whole("n_comparators", i)) {
			x.never(i, x.not("n", "observed")...)
		}
		x.shares(i, f, w, level, map[string]string{"left_share": "left_share", "no_clock_share": "no_clock_share", "follow_up": "follow_up"})
		if all := x.whole("target_n", i); all > 0 {
			x.part(i, all, all-int64(math.Round(x.number("target_covered", i)*float64(all))), "target_covered")
			x.part(i, all, int64(math.Round(x.number("uncovered", i)*float64(all))), "uncovered")
			target := slices.Clone(w.analysed())
			target[dimProvider] = ""
			x.count(i, f, levelGroup, all, []where{target}, "target_n", "target_covered", "uncovered")
		}
	}
}

// shares takes shares of a cell that were lost out unless their counts are told.
func (x figures) shares(i int, f *family, w where, level int, columns map[string]string) {
	if f == nil {
		return
	}
	for _, share := range slices.Sorted(maps.Keys(columns)) {
		switch {
		case share == "left_share": // of the windows that are over
			lost := x.number(columns[share], i)
			x.part(i, math.MaxInt32, int64(math.Round(float64(f.count(w.analysed()))*lost/(1-lost))), columns[share]) // which a blinded run's families do not know
			x.when(i, f, f.each(levelReasons+level, w.with(dimWhy, effect.ReasonLeft.String()).with(dimEnded, effect.Yes)), columns[share])
		case share == "no_clock_share":
			x.when(i, f, f.each(levelReasons+level, w.with(dimWhy, effect.ReasonNoClock.String())), columns[share])
		case x.number(columns[share], i) != 1: // somebody was not followed up: how many of how many is told by no table
			x.part(i, f.count(w.analysed()), int64(math.Round(x.number(columns[share], i)*float64(f.count(w.analysed())))), columns[share])
		}
	}
}

// not are the columns of the table but for some.
func (x figures) not(columns ...string) (out []string) {
	for i := range x.t.Columns {
		if name := x.t.Columns[i].Name; !slices.Contains(columns, name) {
			out = append(out, name)
		}
	}
	return out
}

// attrition is who left on the way to the analysis.
func (x figures) attrition() {
	for i := range x.t.Rows() {
		f := x.outcome(x.at("outcome", i))
		w, level := x.cell(i)
		switch why := x.at("reason", i); why {
		case effect.StepRead:
			level += levelRead
		case effect.StepAnalysed:
			w = w.analysed()
		default:
			w, level = w.with(dimWhy, why), level+levelReasons
		}
		x.count(i, f, level, x.whole("n", i), []where{w})
	}
}

// cells are the figures of the cells.
func (x figures) cells() {
	for i := range x.t.Rows() {
		f := x.outcome(x.at("name", i))
		w, level := x.cell(i)
		cohort := w.with(dimCohort, effect.Yes)
		history := x.at("kind", i) == effect.KindHistory
		if history {
			f = x.first()
		}
		x.count(i, f, level+levelCohort, x.whole("n_cohort", i), []where{cohort}, "n_cohort")
		if history {
			// Means of a history are of the whole cohort, as a rule.
			if n := x.whole("n", i); n == x.whole("n_cohort", i) {
				x.count(i, f, level+levelCohort, n, []where{cohort}, "n", "n_reached", "mean")
			} else {
				x.part(i, x.whole("n_cohort", i), n, "n", "n_reached", "mean")
			}
			continue
		}
		x.count(i, f, level, x.whole("n", i), []where{w.analysed()}, "n", "n_reached", "mean")
		if f == nil || x.whole("n", i) == 0 {
			continue
		}
		columns := []string{"n_reached"}
		if x.at("unit", i) == string(effect.UnitShare) || x.whole("n_reached", i) == 0 {
			columns = append(columns, "mean")
		}
		x.when(i, f, f.each(level, w.halves()...), columns...)
	}
}

// diagnostics are measured values, of which some are counts.
func (x figures) diagnostics() {
	for i := range x.t.Rows() {
		w, level := x.cell(i)
		x.diagnostic(i, x.outcome(x.at("outcome", i)), w, level, x.at("diagnostic", i), "value")
	}
}

func (x figures) diagnostic(i int, f *family, w where, level int, name, column string) {
	if f == nil || x.number(column, i) != x.number(column, i) {
		return
	}
	n := f.count(w.analysed())
	if n == 0 && x.blinded {
		x.never(i, column)
		return
	}
	x.when(i, f, f.each(level, w.analysed()), column)
	switch name {
	case "n", "peers", "effective_peers", "dated_covariates", "balance", "variance_ratio", "overlap", "max_weight", "placebo":
	case "left_share", "no_clock_share", "follow_up":
		x.shares(i, f, w, level, map[string]string{name: column})
	case "uncovered_share":
		x.part(i, n, n-int64(math.Round(x.number(column, i)*float64(n))), column)
	default: // it is worked out from what became of them
		x.when(i, f, f.each(level, w.halves()...), column)
	}
}

// spending is money beside citizens by channel.
func (x figures) spending() {
	for i := range x.t.Rows() {
		w := make(where, dims)
		w[dimMunicipality] = x.at("municipality", i)
		if year := x.text["year"]; year != nil {
			w[dimPeriod] = strconv.FormatInt(year.Ints[i], 10)
		}
		level := levelMunicipality
		if channel := x.at("channel", i); channel != ingest.ChannelTotal {
			w[dimSpent], level = channel, levelView
		}
		if math.IsNaN(x.number("n_participations", i)) {
			continue
		}
		f := x.outcome(x.at("outcome", i))
		x.count(i, f, level+levelReferred, x.whole("n_participations", i), []where{w}, "n_participations", "cost_per_participation")
		x.count(i, f, level+levelCohort, x.whole("n_cases", i), []where{w.with(dimCohort, effect.Yes)}, "n_cases")
		x.count(i, f, level, x.whole("n_complete", i), []where{w.analysed()}, x.not("n_participations", "cost_per_participation", "n_cases")...)
		if f != nil && x.whole("n_complete", i) > 0 {
			x.when(i, f, f.each(level, w.halves()...), "n_reached", "cost_per_reached", "difference", "low", "high", "cost_per_extra", "cost_per_extra_low", "cost_per_extra_high")
		}
	}
}

// providers are the dated lines of providers with their cases.
func (x figures) providers() {
	sums, problem := map[string]int64{}, map[string]bool{}
	for i := range x.t.Rows() {
		sums[x.at("provider_id", i)] += x.whole("n", i)
	}
	for i := range x.t.Rows() {
		id, n := x.at("provider_id", i), x.whole("n", i)
		if n == sums[id] {
			w := make(where, dims)
			w[dimProvider] = id
			x.count(i, x.first(), levelCohort+levelNation, n, []where{w.with(dimCohort, effect.Yes)})
		} else {
			problem[id] = problem[id] || x.few(n)
		}
		x.part(i, n, x.whole("n_channel_contradicts", i), "n_channel_contradicts")
	}
	for i := range x.t.Rows() {
		if problem[x.at("provider_id", i)] {
			x.never(i) // the lines of a provider add up
		}
	}
}

// alone are rows that no other adds up with: each by itself.
func (x figures) alone(counts ...string) {
	for i := range x.t.Rows() {
		for _, c := range counts {
			if x.few(x.whole(c, i)) {
				x.never(i)
			}
		}
	}
}

// counts are of what was read. Of a table with a small count only what was read is told.
func (x figures) counts() {
	small := map[string]bool{}
	for i := range x.t.Rows() {
		for j := range x.t.Rows() {
			if x.at("table", i) == x.at("table", j) && (x.few(x.whole("rows", i)) || x.few(x.whole("rows", i)-x.whole("rows", j))) {
				small[x.at("table", i)] = true
			}
		}
	}
	public := []string{ingest.Municipalities, ingest.Providers, ingest.Spend, ingest.Inspections, ingest.PeerStrata}
	for i := range x.t.Rows() {
		if table := x.at("table", i); small[table] && x.at("count", i) != "read" && !slices.Contains(public, table) {
			x.never(i)
		}
	}
}

// granted says whether a family told groups of citizens.
func (d *disclosing) granted(f *family, groups ...where) bool {
	if f == nil {
		return false
	}
	claim := f.each(levelReferred, groups...)
	return claim < len(f.told) && f.told[claim] && !f.hushed[claim]
}

// tree is a family of counts that only a table has, by municipality, scheme, group, provider
// and dimensions of its own. Rows with a group and a provider are its leaves.
func (d *disclosing) tree(name string) *family {
	f := newFamily(name)
	d.trees = append(d.trees, f)
	return f
}

// creaming asks for the stages that the cases tell of.
func (x figures) creaming() {
	f := x.first()
	for i := range x.t.Rows() {
		w, level := x.cell(i)
		w = w.with(dimCohort, effect.Yes)
		if stage := x.at("stage", i); stage != string(watch.StageReferred) {
			w = w.with(dimStage, stage)
		}
		x.count(i, f, level+levelCohort, x.whole("n", i), []where{w})
		if x.few(x.whole("n_compared_with", i)) {
			x.never(i, x.not("n", "chance")...)
		}
	}
}

// leaves are the rows of a tree that others are sums of.
func (x figures) leaf(i int) bool {
	return x.at("match_group", i) != "" && x.at("provider_id", i) != ""
}

func (x figures) place(i int, more ...string) []string {
	return append([]string{x.at("municipality", i), x.at("match_scheme", i), x.at("match_group", i), x.at("provider_id", i)}, more...)
}

// size is how many citizens the first sum of a claim counts, now.
func (f *family) size(claim int) int64 {
	c := &f.claims[claim]
	if len(c.sums[0]) == 1 {
		return f.count(c.sums[0][0].Where)
	}
	n := int64(0)
	for _, a := range f.item(c.sums[:1]).Groups[0] {
		n += f.atoms[a].n
	}
	return n
}

// indicators are marks on cases: who could have one, and who has.
func (x figures) indicators() {
	trees := map[string]*family{}
	of := func(i int) *family {
		name := x.at("indicator", i)
		if trees[name] == nil {
			trees[name] = x.tree("indicators/" + name)
		}
		return trees[name]
	}
	cohort := func(i int) where {
		w, _ := x.cell(i)
		return w.with(dimCohort, effect.Yes)
	}
	for i := range x.t.Rows() {
		if !x.leaf(i) {
			continue
		}
		n, marked := x.whole("n", i), x.whole("count", i)
		f := of(i)
		f.add(marked, false, x.place(i, effect.Yes)...)
		f.add(n-marked, n > 0, x.place(i, effect.No)...)
		if all := x.first().count(cohort(i)); all > n {
			f.add(all-n, false, x.place(i, "other")...)
		}
	}
	with := []string{"n_compared_with", "count_compared_with", "share_compared_with", "expected", "difference", "low", "high", "mid_p"}
	for i := range x.t.Rows() {
		f := of(i)
		w := where(x.place(i, ""))
		if all := cohort(i); f.count(w) == x.first().count(all) && x.granted(x.first(), all) {
			f.give(w)
		}
		level := x.level(i)
		n, marked := x.whole("n", i), x.whole("count", i)
		halves := []where{slices.Clone(w), slices.Clone(w)}
		halves[0][4], halves[1][4] = effect.Yes, effect.No
		both := f.ask(level, []term{{Where: halves[0]}, {Where: halves[1]}})
		if f.size(both) == n && f.count(halves[0]) == marked {
			x.when(i, f, both)
			if n > 0 {
				x.when(i, f, f.each(level, halves...), "count", "share", "expected", "difference", "low", "high", "mid_p")
			}
		} else {
			x.apart++
			x.part(i, n, marked)
		}
		others, yes := x.whole("n_compared_with", i), x.whole("count_compared_with", i)
		x.part(i, others, yes, with...)
		if x.at("compared_with", i) == "peers" && others > 0 {
			// Who the peers' counts are known of, less those, knows what is withheld of one.
			var marks, rest []term
			for _, peer := range x.peers[x.at("municipality", i)] {
				marks = append(marks, term{Where: halves[0].with(0, peer).with(3, "")})
				rest = append(rest, term{Where: halves[1].with(0, peer).with(3, "")})
			}
			if f.total(marks)+f.total(rest) == others && f.total(marks) == yes {
				x.when(i, f, f.ask(level+levelPeriods, slices.Concat(marks, rest)), with...)
				x.when(i, f, f.ask(level+levelPeriods, marks, rest), with...)
			} else {
				x.apart++
				x.never(i, with...)
			}
		} else if p := x.at("provider_id", i); p != "" {
			// All others there, without the provider's kin: the sum less the provider.
			less := func(half string) []term {
				all := slices.Clone(halves[0])
				all[3], all[4] = "", half
				own := slices.Clone(all)
				own[3] = p
				return []term{{Where: all}, {Where: own, Times: -1}}
			}
			marks, rest := less(effect.Yes), less(effect.No)
			if f.total(marks)+f.total(rest) == others && f.total(marks) == yes {
				x.when(i, f, f.ask(level+levelPeriods, slices.Concat(marks, rest)), with...)
				x.when(i, f, f.ask(level+levelPeriods, marks, rest), with...)
			}
		}
	}
}

// total is what terms count.
func (f *family) total(terms []term) (n int64) {
	for _, t := range terms {
		n += cmp.Or(t.Times, 1) * f.count(t.Where)
	}
	return n
}

// level is how important a row of a tree is.
func (x figures) level(i int) int {
	_, level := x.cell(i)
	return level
}

// deciles are the citizens of a cell by how easy they are, and how far they came.
func (x figures) deciles() {
	referred, n := x.tree("deciles"), x.tree("deciles/analysed")
	stages := map[string]*family{"n_started": x.tree("deciles/started"), "n_completed": x.tree("deciles/completed")}
	const left = "left"
	decile := func(i int) string { return strconv.FormatInt(x.whole("decile", i), 10) }
	for i := range x.t.Rows() {
		if !x.leaf(i) {
			continue
		}
		all := x.whole("n_referred", i)
		referred.add(all, false, x.place(i, decile(i))...)
		for column, f := range stages {
			f.add(x.whole(column, i), false, x.place(i, decile(i), effect.Yes)...)
			f.add(all-x.whole(column, i), false, x.place(i, decile(i), effect.No)...)
		}
		reached := int64(math.Round(x.number("observed", i) * float64(x.whole("n", i))))
		if math.IsNaN(x.number("observed", i)) {
			reached = 0
		}
		n.add(reached, x.whole("n", i) > 0, x.place(i, decile(i), effect.Yes+also+effect.StepAnalysed)...)
		n.add(x.whole("n", i)-reached, x.whole("n", i) > 0, x.place(i, decile(i), effect.No+also+effect.StepAnalysed)...)
		n.add(all-x.whole("n", i), false, x.place(i, decile(i), left)...) // between the two counts of a row
	}
	for i := range x.t.Rows() {
		f := x.outcome(x.at("outcome", i))
		cell, _ := x.cell(i)
		cohort, level := cell.with(dimCohort, effect.Yes), x.level(i)
		at := where(x.place(i, decile(i)))
		all := where(x.place(i, ""))
		ask := func(f *family, may bool, count int64, groups []where, columns ...string) {
			claim := f.each(level, groups...)
			switch {
			case !may:
				x.never(i, columns...)
			case f.total([]term{{Where: groups[0]}}) != count:
				x.apart++
				x.never(i, columns...)
			default:
				x.when(i, f, claim, columns...)
			}
		}
		may := x.granted(f, cohort)
		if may {
			referred.give(all)
		}
		ask(referred, may, x.whole("n_referred", i), []where{at}, "n_referred", "n_started", "n_completed")
		for _, column := range slices.Sorted(maps.Keys(stages)) {
			f := stages[column]
			wide, here := append(slices.Clone(all), ""), append(slices.Clone(at), "")
			came := may && x.granted(x.outcome(x.at("outcome", i)), cohort.with(dimStage, strings.TrimPrefix(column, "n_")))
			if may {
				f.give(wide)
			}
			if came {
				f.give(wide.with(5, effect.Yes))
			}
			ask(f, came, x.whole(column, i), []where{here.with(5, effect.Yes), here.with(5, effect.No)}, column)
		}
		wide, here := append(slices.Clone(all), ""), append(slices.Clone(at), "")
		groups := []where{here.with(5, effect.StepAnalysed)}
		if may { // who is referred may be told, so that n tells who left
			n.give(wide)
			groups = append(groups, here.with(5, left))
		}
		may = x.granted(f, cell.analysed())
		if may {
			n.give(wide.with(5, effect.StepAnalysed))
		}
		ask(n, may, x.whole("n", i), groups, "n", "observed", "predicted", "residual", "low", "high")
		if x.whole("n", i) > 0 {
			both := may && x.granted(f, cell.halves()...)
			if both {
				n.give(wide.with(5, effect.Yes))
			}
			ask(n, both, int64(math.Round(x.number("observed", i)*float64(x.whole("n", i)))), []where{here.with(5, effect.Yes), here.with(5, effect.No)}, "observed", "residual", "low", "high")
		}
	}
}

// parking asks for the cases that the slopes are about.
func (x figures) parking() {
	for i := range x.t.Rows() {
		f := x.outcome(x.at("outcome", i))
		cell, level := x.cell(i)
		x.count(i, f, level, x.whole("n", i), []where{cell.analysed()})
		if f != nil && x.whole("n", i) > 0 {
			x.when(i, f, f.each(level, cell.halves()...), "slope", "low", "high", "odds_slope", "odds_slope_low", "odds_slope_high")
		}
	}
}

// thirds are the citizens of a cell by how easy they are, and who of them started.
func (x figures) thirds() {
	f := x.tree("parking")
	thirds := []string{"hard", "middle", "easy"}
	started := func(i int, third string) int64 {
		if v := x.number("started_"+third, i) * x.number("n_"+third, i); !math.IsNaN(v) {
			return int64(math.Round(v))
		}
		return 0
	}
	for i := range x.t.Rows() {
		if !x.leaf(i) {
			continue
		}
		for _, third := range thirds {
			f.add(started(i, third), false, x.place(i, third, effect.Yes)...)
			f.add(x.whole("n_"+third, i)-started(i, third), false, x.place(i, third, effect.No)...)
		}
	}
	for i := range x.t.Rows() {
		main := x.outcome(x.at("outcome", i))
		cell, level := x.cell(i)
		cohort := cell.with(dimCohort, effect.Yes)
		may, came := x.granted(main, cohort), x.granted(main, cohort.with(dimStage, string(watch.StageStarted)))
		shares := []string{"started_hard", "started_middle", "started_easy", "start_gap", "start_gap_low", "start_gap_high"}
		counts := append([]string{"n_hard", "n_middle", "n_easy"}, shares...)
		w := where(x.place(i, "", ""))
		groups, halves := []where{}, []where{}
		fits := true
		for _, third := range thirds {
			groups = append(groups, w.with(4, third))
			halves = append(halves, w.with(4, third).with(5, effect.Yes), w.with(4, third).with(5, effect.No))
			fits = fits && f.count(w.with(4, third)) == x.whole("n_"+third, i) && f.count(w.with(4, third).with(5, effect.Yes)) == started(i, third)
		}
		if !fits {
			x.apart++
		}
		if !may || !fits {
			x.never(i, counts...)
			continue
		}
		f.give(w)
		x.when(i, f, f.each(level, groups...), counts...)
		if !came {
			x.never(i, shares...)
			continue
		}
		f.give(w.with(5, effect.Yes))
		x.when(i, f, f.each(level, halves...), shares...)
	}
}
