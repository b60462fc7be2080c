package jobeffekt

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// TablePaid is a table of a [Publication] that no step writes.
const TablePaid = "settlement_totals"

// PaidRow is what is settled of a provider in a period, and what that adds up to. It is a
// row of the table settlement_totals: sums may be told where their lines may not.
type PaidRow struct {
	Agreement string    `col:"agreement_id" doc:"agreement"`
	Provider  string    `col:"provider_id" doc:"provider who is paid; empty for all under the agreement"`
	Period    string    `col:"period" doc:"settlement period; empty for all of them"`
	Currency  string    `col:"currency" doc:"what amounts are in; an ore is a hundredth of it"`
	Amount    bonus.Ore `col:"amount_ore" doc:"what is paid, in ore: the sum of the lines in the table settlement"`
	Limits    bonus.Ore `col:"limits_ore" doc:"the part of it that limits take off, negative, or add"`
}

// paidTable adds the lines of a settlement up.
func paidTable(lines []bonus.Line) *ingest.Table {
	sums := map[[3]string]*PaidRow{}
	for _, l := range lines {
		for _, k := range [][3]string{{l.Agreement}, {l.Agreement, l.Provider}, {l.Agreement, l.Provider, l.Period}} {
			if sums[k] == nil {
				sums[k] = &PaidRow{Agreement: k[0], Provider: k[1], Period: k[2], Currency: string(l.Currency)}
			}
			sums[k].Amount += l.Amount
			if l.Outcome == "" {
				sums[k].Limits += l.Amount
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(sums), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	rows := make([]PaidRow, len(keys))
	for i, k := range keys {
		rows[i] = *sums[k]
	}
	return rowTable(TablePaid, rows)
}

// money is what lines of a settlement give away.
type money struct {
	*disclosing
	lines []bonus.Line
	rows  map[string]int // lines by id
	// vetoed are sums by agreement, provider and period that are not told, and unlined
	// the providers of an agreement of whom no line by the number of cases is.
	vetoed  map[[3]string]bool
	unlined map[[2]string]bool
}

// where is who counts in a line; nil where the families know no such line as it counts.
func (m money) where(l *bonus.Line) (*family, where) {
	f := m.outcome(l.Outcome)
	if f == nil || l.Cases == 0 {
		return nil, nil
	}
	w := make(where, dims)
	w[dimLine], w[dimMunicipality] = l.ID, l.Municipality
	if f.count(w) != l.Cases {
		return nil, nil
	}
	return f, w
}

// line takes columns out unless a line may be told.
func (m money) line(x figures, i int, l *bonus.Line, columns ...string) {
	if l.Outcome == "" {
		m.sum(x, i, l.Agreement, l.Provider, l.Period, columns...)
		return
	}
	f, w := m.where(l)
	switch {
	case priced(l) && m.unlined[[2]string{l.Agreement, l.Provider}]:
		x.never(i, columns...)
	case f == nil && x.few(l.Cases):
		x.never(i, columns...)
	case f != nil:
		x.when(i, f, f.each(levelLines, w), columns...)
	}
	if l.Municipality != "" && f != nil && l.Quantity != "0" && l.Amount != 0 {
		cell := m.cellOf(l)
		x.when(i, f, f.each(levelPackage, cell.halves()...), columns...)
	}
}

// cellOf is the cell of a line that is about an effect.
func (money) cellOf(l *bonus.Line) where {
	w := make(where, dims)
	w[dimMunicipality], w[dimScheme], w[dimGroup], w[dimProvider], w[dimPackage] = l.Municipality, l.MatchScheme, l.MatchGroup, l.Provider, l.Package
	return w
}

// sum takes columns out unless a sum of lines may be told: of a provider, or a period, or of
// all where they are "". Prices are known, so that a sum gives away a sum of counts by their
// prices, and by what whole numbers can make, as [money.veto] finds out.
func (m money) sum(x figures, i int, agreement, provider, period string, columns ...string) {
	terms := map[*family][]term{}
	level := levelPaid
	for _, of := range []string{provider, period} {
		if of != "" {
			level++
		}
	}
	for k := range m.lines {
		l := &m.lines[k]
		if l.Agreement != agreement || l.Outcome == "" || provider != "" && l.Provider != provider || period != "" && l.Period != period || l.Amount == 0 || l.Cases == 0 {
			continue
		}
		f, w := m.where(l)
		if l.Municipality != "" && f != nil { // what an effect pays follows from its figures
			x.when(i, f, f.each(levelPackage, m.cellOf(l).halves()...), columns...)
			continue
		}
		if f == nil {
			if x.few(l.Cases) {
				x.never(i, columns...)
			}
			continue
		}
		terms[f] = append(terms[f], term{w, price(l)})
	}
	for _, f := range m.outcomes {
		if len(terms[f]) > 0 {
			slices.SortFunc(terms[f], func(a, b term) int { return slices.Compare(a.Where, b.Where) })
			x.when(i, f, f.ask(level, terms[f]), columns...)
		}
	}
	if m.vetoed[[3]string{agreement, provider, period}] {
		x.never(i, columns...)
	}
}

// price is what one case of a line costs.
func price(l *bonus.Line) int64 {
	if l.Times == "1" && l.Quantity == strconv.FormatInt(l.Cases, 10) {
		return int64(l.UnitPrice)
	}
	return int64(math.Round(float64(l.Amount) / float64(l.Cases)))
}

// priced says whether a line pays for cases by their number.
func priced(l *bonus.Line) bool {
	return l.Outcome != "" && l.Municipality == "" && l.Amount != 0 && l.Cases > 0
}

// veto finds the sums that give few citizens away because counts are whole: where what they
// cost together can be put together in one way alone. A sum of a provider is told before its
// lines, and its lines are not told where they would be few. Of its periods as many are not
// told as it takes for what is left of the whole to be put together in several ways.
func (m *money) veto() {
	m.vetoed, m.unlined = map[[3]string]bool{}, map[[2]string]bool{}
	byPeriod := map[[2]string]map[string][]*bonus.Line{}
	for i := range m.lines {
		if l := &m.lines[i]; priced(l) {
			k := [2]string{l.Agreement, l.Provider}
			if byPeriod[k] == nil {
				byPeriod[k] = map[string][]*bonus.Line{}
			}
			byPeriod[k][l.Period] = append(byPeriod[k][l.Period], l)
			m.unlined[k] = m.unlined[k] || m.few(l.Cases)
		}
	}
	left := map[string][]*bonus.Line{}
	for _, k := range slices.SortedFunc(maps.Keys(byPeriod), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		periods := byPeriod[k]
		var out []*bonus.Line
		open := slices.SortedFunc(maps.Keys(periods), func(a, b string) int {
			cases := func(p string) (n int64) {
				for _, l := range periods[p] {
					n += l.Cases
				}
				return n
			}
			return cmp.Or(cmp.Compare(cases(a), cases(b)), strings.Compare(a, b))
		})
		open = slices.DeleteFunc(open, func(p string) bool {
			alone := m.oneWay(periods[p])
			if alone {
				m.vetoed[[3]string{k[0], k[1], p}] = true
				out = append(out, periods[p]...)
			}
			return alone
		})
		for m.oneWay(out) && len(open) > 0 {
			m.vetoed[[3]string{k[0], k[1], open[0]}] = true
			out, open = append(out, periods[open[0]]...), open[1:]
		}
		if m.oneWay(out) {
			m.vetoed[[3]string{k[0], k[1]}] = true
			left[k[0]] = append(left[k[0]], out...)
		}
	}
	for agreement, lines := range left {
		m.vetoed[[3]string{agreement}] = m.oneWay(lines)
	}
}

// oneWay says whether the count of few cases of a price is the same in all ways in which
// counts make up what the lines cost together.
func (m *money) oneWay(lines []*bonus.Line) bool {
	by := map[int64]int64{} // lines of a price are told apart by nothing
	left := int64(0)
	for _, l := range lines {
		p := price(l)
		if p <= 0 {
			return true // what is taken back is looked at no closer
		}
		by[p] += l.Cases
		left += p * l.Cases
	}
	order := slices.SortedFunc(maps.Keys(by), func(a, b int64) int { return cmp.Compare(b, a) })
	fixed := map[int64]bool{}
	for p, n := range by {
		if m.few(n) {
			fixed[p] = true
		}
	}
	if len(fixed) == 0 {
		return false
	}
	steps, count := 0, make([]int64, len(order))
	var try func(i int, left int64) bool // whether all have been seen with another count
	try = func(i int, left int64) bool {
		if steps++; steps > 1<<16 {
			return true
		}
		if i < len(order)-1 {
			for n := range left/order[i] + 1 {
				count[i] = n
				if try(i+1, left-n*order[i]) {
					return true
				}
			}
			return false
		}
		if left%order[i] != 0 {
			return false
		}
		count[i] = left / order[i]
		for j, p := range order {
			if count[j] != by[p] {
				delete(fixed, p)
			}
		}
		return len(fixed) == 0
	}
	try(0, left)
	return len(fixed) > 0
}

// settlement takes out lines of few cases.
func (m money) settlement(x figures) {
	for i := range x.t.Rows() {
		l := &m.lines[i]
		m.line(x, i, l)
	}
}

func (m money) totals(x figures) {
	for i := range x.t.Rows() {
		m.sum(x, i, x.at("agreement_id", i), x.at("provider_id", i), x.at("period", i), "amount_ore", "limits_ore")
	}
}

// gate takes measured values out as the diagnostics do.
func (m money) gate(x figures) {
	for i := range x.t.Rows() {
		k, ok := m.rows[x.at("line", i)]
		if !ok {
			x.never(i, "measured")
			continue
		}
		l := &m.lines[k]
		m.line(x, i, l, "measured")
		if l.Municipality == "" {
			continue
		}
		x.diagnostic(i, m.outcome(l.Outcome), m.cellOf(l), levelPackage, x.at("diagnostic", i), "measured")
	}
}

// rules are the cases of a cell by what became of them under a clause.
func (m money) rules(x figures) {
	of := map[string]*family{}
	for i := range m.lines {
		of[m.lines[i].Agreement+also+m.lines[i].Clause] = m.outcome(m.lines[i].Outcome)
	}
	for i := range x.t.Rows() {
		f := of[x.at("agreement_id", i)+also+x.at("clause", i)]
		if f == nil {
			f = m.first()
		}
		w, level := x.cell(i)
		x.count(i, f, level+levelRules, x.whole("n", i), []where{w.with(dimRule, x.at("clause", i)+"/"+x.at("rule", i))})
	}
}

// followUp is what stands beside the settlement of a provider.
func (m money) followUp(x figures) {
	for i := range x.t.Rows() {
		m.sum(x, i, x.at("agreement_id", i), x.at("provider_id", i), x.at("period", i), "settled_ore")
		if n := x.whole("n_answers", i); x.few(n) {
			x.never(i, "n_answers", "satisfaction", "response_rate")
		} else if rate := x.number("response_rate", i); rate > 0 && x.few(int64(math.Round(float64(n)/rate))-n) {
			x.never(i, "response_rate")
		}
	}
}

// upkeep is what is left of an agreement: of what was settled it tells a sum.
func (m money) upkeep(x figures) {
	for i := range x.t.Rows() {
		columns := []string{"used", "share", "used_up_on"}
		if x.few(x.whole("n_without_price", i)) {
			x.never(i, append(columns, "n_without_price")...)
		}
		if x.at("used_by", i) != string(bonus.FromSettled) {
			continue
		}
		year := ""
		if x.at("what", i) == "volume" {
			year = x.at("of", i)
		}
		periods := map[string]bool{}
		for k := range m.lines {
			if strings.HasPrefix(m.lines[k].Period, year) {
				periods[m.lines[k].Period] = true
			}
		}
		if year == "" {
			m.sum(x, i, x.at("agreement_id", i), "", "", columns...)
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(periods)) {
			m.sum(x, i, x.at("agreement_id", i), "", p, columns...)
		}
	}
}

// carried is what limits carry on of a provider's amounts.
func (m money) carried(x figures) {
	for i := range x.t.Rows() {
		m.sum(x, i, x.at("agreement_id", i), x.at("provider_id", i), "")
	}
}

// decisions rest on scores, of which some are shares of few.
func (m money) decisions(x figures) {
	for i := range x.t.Rows() {
		n := x.whole("n", i)
		if x.few(n) {
			x.never(i)
		}
		if v, ok := exactDecimal(x.at("value", i)); ok && n > 0 {
			if share, _ := v.Float64(); share >= 0 && share <= 1 {
				x.part(i, n, int64(math.Round(share*float64(n))))
			}
		}
	}
}

// gaps are means of a municipality in a period.
func (x figures) gaps() {
	for i := range x.t.Rows() {
		f := x.outcome(x.at("outcome", i))
		w := make(where, dims)
		w[dimMunicipality], w[dimScheme], w[dimGroup], w[dimPeriod] = x.at("unit", i), x.at("match_scheme", i), x.at("match_group", i), x.at("period", i)
		if f == nil || len(f.of(w).atoms) == 0 {
			continue
		}
		x.when(i, f, f.each(levelPeriods, append([]where{w.analysed()}, w.halves()...)...), "observed", "synthetic", "gap")
	}
}

// curvesGrid is the days between the points of a curve that are told.
const curvesGrid = 28

// coarse is a curve without the days of single citizens: of each group of rows that are
// about the same cell, the days at multiples of 28, and of these those since the last of
// which (or since the start, when all are there) nobody or at least k left by each cause, or
// stopped being followed, and after which nobody or at least k reached it. A curve of fewer
// than k is left out, and those of packages, as they add up to that of all. Shares are
// rounded, as a share and who reached it would tell how many there were at the start.
func (d *disclosing) coarse(t *ingest.Table) *ingest.Table {
	x, k := d.of(t), d.k
	cells, order := map[string]map[int64][]int{}, []string{}
	start := map[string]int64{} // who was there, where that is known
	for i := range t.Rows() {
		if x.at("package_id", i) != "" {
			continue
		}
		var key []string
		for _, c := range []string{"outcome", "municipality", "match_scheme", "match_group", "provider_id"} {
			key = append(key, x.at(c, i))
		}
		name := strings.Join(key, also)
		if cells[name] == nil {
			cells[name] = map[int64][]int{}
			order = append(order, name)
			if f := d.outcome(x.at("outcome", i)); f != nil {
				w, _ := x.cell(i)
				start[name] = f.count(w.with(dimCohort, effect.Yes))
			}
		}
		day := x.whole("day", i)
		cells[name][day] = append(cells[name][day], i)
	}
	var keep []int
	days := map[int]int64{} // of rows that are kept
	for _, name := range order {
		byDay := cells[name]
		told := slices.Sorted(maps.Keys(byDay))
		last := map[string]int64{}
		risk, started := start[name], start[name] > 0
		var reached []int64 // by day that is kept
		var kept [][]int
		now := map[string]int{} // the latest row of each cause
		at := 0
		for grid := int64(0); at < len(told); grid += curvesGrid {
			for at < len(told) && told[at] <= grid {
				for _, i := range byDay[told[at]] {
					now[x.at("cause", i)] = i
				}
				at++
			}
			if len(now) == 0 {
				continue
			}
			var rows []int
			good, left, here := true, int64(0), int64(0)
			for _, cause := range slices.Sorted(maps.Keys(now)) {
				i := now[cause]
				rows = append(rows, i)
				step := x.whole("events", i) - last[cause]
				left += step
				here = x.whole("at_risk", i)
				good = good && !x.few(step)
			}
			gone := risk - here
			switch {
			case here < k:
				good = false
			case !started:
				started = good
			default:
				good = good && !x.few(gone) && !x.few(gone-left) && !x.few(left-gone)
			}
			if !good {
				continue
			}
			for _, i := range rows {
				last[x.at("cause", i)] = x.whole("events", i)
				days[i] = grid
			}
			risk = here
			reached = append(reached, last[string(CountReached)])
			kept = append(kept, rows)
		}
		end := int64(0) // stands elsewhere
		for _, rows := range byDay {
			for _, i := range rows {
				if x.at("cause", i) == string(CountReached) {
					end = max(end, x.whole("events", i))
				}
			}
		}
		for n := len(kept); n > 0 && x.few(end-reached[n-1]); n-- {
			kept = kept[:n-1]
		}
		keep = append(keep, slices.Concat(kept...)...)
	}
	slices.Sort(keep)
	keep = slices.Compact(keep)
	out := t.Take(keep)
	if c := out.Column("estimate"); c != nil {
		for i, v := range c.Floats {
			c.Floats[i] = math.Round(1000*v) / 1000
		}
	}
	if c := out.Column("day"); c != nil {
		for k, i := range keep {
			c.Ints[k] = days[i]
		}
	}
	return out
}

// curves asks for who was there at the start, which every count of a curve tells.
func (x figures) curves() {
	for i := range x.t.Rows() {
		w, level := x.cell(i)
		if f := x.outcome(x.at("outcome", i)); f != nil {
			x.when(i, f, f.each(level+levelCohort, w.with(dimCohort, effect.Yes)), x.not("estimate")...)
		}
	}
}
