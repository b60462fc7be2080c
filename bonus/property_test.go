package bonus_test

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// world draws cases of a few citizens and providers, and figures by package of
// every cell that has cases with a complete window.
func world(t *rapid.T) bonus.Facts {
	var rows []row
	n := map[effect.Cell]int64{}
	for i := range rapid.IntRange(1, 60).Draw(t, "cases") {
		lot := rapid.SampledFrom([][2]string{{"1", "P1"}, {"1", "P2"}, {"4", "P1"}, {"1", "P3"}}).Draw(t, "group and package")
		r := row{
			id: fmt.Sprint(i * 7), person: fmt.Sprint("p", rapid.IntRange(1, 40).Draw(t, "person")),
			group: lot[0], pkg: lot[1],
			municipality: rapid.SampledFrom([]string{"Byen", "Havn"}).Draw(t, "municipality"),
			provider:     rapid.SampledFrom([]string{"north", "south"}).Draw(t, "provider"),
			complete:     rapid.Bool().Draw(t, "complete"),
		}
		if rapid.Bool().Draw(t, "reached") {
			r.job = (day("2008-03-01") + effect.Date(rapid.IntRange(0, 400).Draw(t, "day"))).String()
		}
		if r.complete {
			n[effect.Cell{Municipality: r.municipality, MatchScheme: "match5_2004", MatchGroup: r.group, Provider: r.provider, Package: r.pkg}]++
		}
		rows = append(rows, r)
	}
	f := bonus.Facts{Observations: observe(rows...)}
	f.Observations.Results = append(f.Observations.Results, drawWeeks(t, f.Observations))
	cells := []effect.Cell{}
	for cell := range n {
		cells = append(cells, cell)
	}
	slices.SortFunc(cells, func(a, b effect.Cell) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, cell := range cells {
		b := measured(func(b *effect.BenchmarkRow) {
			b.Cell, b.N, b.NCompared = cell, n[cell], n[cell]
			b.Low = effect.Round(rapid.Float64Range(-1, 1).Draw(t, "low"))
		})
		f.Benchmark = append(f.Benchmark, b)
		f.Diagnostics = append(f.Diagnostics, diagnosed(b, nil)...)
	}
	return f
}

// drawWeeks draws an outcome in weeks, a few of them for each case.
func drawWeeks(t *rapid.T, obs *effect.Observations) effect.Result {
	n := obs.Cases.Len()
	r := effect.Result{
		Outcome: "weeks_in_work", Unit: effect.UnitWeeks, Status: make([]effect.Status, n), Reason: make([]effect.Reason, n), Value: make([]float64, n),
		ReachedOn: make([]effect.Date, n), WindowEnd: make([]effect.Date, n), Complete: make([]bool, n), Followed: make([]bool, n),
		Dates: effect.Dates{First: []int{0}},
	}
	for i := range n {
		r.Status[i], r.Reason[i], r.ReachedOn[i] = effect.Pending, effect.ReasonPending, effect.NoDate
		on := obs.Cases.Referral[i] + 6
		for range rapid.IntRange(0, 12).Draw(t, "weeks") {
			on += 7 * effect.Date(rapid.IntRange(1, 8).Draw(t, "weeks until"))
			if on > obs.AsOf {
				break
			}
			r.Dates.On = append(r.Dates.On, on)
			r.Value[i]++
		}
		r.Dates.First = append(r.Dates.First, len(r.Dates.On))
	}
	return r
}

// maybe draws whether a part is there.
func maybe(t *rapid.T, what string) bool { return rapid.IntRange(0, 2).Draw(t, what) == 0 }

// drawParts draws the measure and the schedule of the clause on cases, and what of the
// terms they need.
func drawParts(t *rapid.T) (edits []string) {
	var parts strings.Builder
	part := func(format string, args ...any) { fmt.Fprintf(&parts, "          "+format+"\n", args...) }
	if maybe(t, "sum") {
		edits = append(edits, "measure: {reached: sustained_13w}", "measure: {sum: weeks_in_work}")
		if maybe(t, "beyond") {
			part("beyond: %d", rapid.IntRange(1, 5).Draw(t, "units"))
		}
		if maybe(t, "every") {
			part("every: %d", rapid.IntRange(1, 4).Draw(t, "units"))
		}
	}
	if maybe(t, "share") {
		part("share: %s", rapid.SampledFrom([]string{"0.2", "0.333", "1"}).Draw(t, "share"))
	}
	if maybe(t, "instalments") {
		part("instalments: %s", rapid.SampledFrom([]string{
			"[{share: 1, after: 2 months}]", "[{share: 0.5, after: 0 days}, {share: 0.5, after: 3 months}]", "[{share: 0.1, after: 31 days}, {share: 0.2, after: 2 months}, {share: 0.7, after: 100 days}]",
		}).Draw(t, "instalments"))
	}
	if maybe(t, "bands") {
		part("bands: {of: %s, mode: %s, over: %s, steps: [{from: 0, times: 1}, {from: %s, %s}, {from: 7, times: 1.5}]}",
			rapid.SampledFrom(bonus.BandsOf("").Names()).Draw(t, "of"), rapid.SampledFrom(bonus.BandMode("").Names()).Draw(t, "mode"),
			rapid.SampledFrom(bonus.BandsOver("").Names()).Draw(t, "over"), rapid.SampledFrom([]string{"0.1", "2", "2.5"}).Draw(t, "from"),
			rapid.SampledFrom([]string{"times: 0.333", "times: 0", "amount: 1234.56"}).Draw(t, "step"))
	}
	if maybe(t, "penalty") {
		part("penalty: true")
	}
	const prices, rounding = "            - {match_group: 4, package: P1, amount: \"12500.50\"}\n", "rounding: {unit: 0.01, mode: half_up, stage: line}\n"
	edits = append(edits, prices, prices+parts.String())
	terms := "profile: [{period: 2008H1, number: 3}, {period: 2008H2, number: 2.5}, {period: 2008H2, provider: south, number: 0}, {period: 2009H1, number: 4}]\n"
	if maybe(t, "indexation") {
		terms += fmt.Sprintf("indexation: {section: \"6\", by: period, factors: [{from: 2008-05-01, factor: 1.0213}, {from: 2009-01-01, factor: 0.9}], round: {unit: %s, mode: half_even}}\n",
			rapid.SampledFrom([]bonus.Ore{1, 100, 500}).Draw(t, "unit of index"))
	}
	if maybe(t, "VAT") {
		terms += "vat: {treatment: excluded, rate: 0.25}\n"
	}
	return append(edits, rounding, rounding+terms)
}

// drawTerms draws the schedule of the clause on cases, how the terms round and limit,
// and what n they ask for.
func drawTerms(t *rapid.T, minN int) *bonus.Terms {
	terms := readTerms(t, drawParts(t)...)
	terms.Rounding = bonus.Rounding{
		Unit:  rapid.SampledFrom([]bonus.Ore{1, 100, 1000}).Draw(t, "unit"),
		Mode:  bonus.RoundingMode(rapid.SampledFrom(bonus.RoundingMode("").Names()).Draw(t, "mode")),
		Stage: bonus.RoundingStage(rapid.SampledFrom(bonus.RoundingStage("").Names()).Draw(t, "stage")),
	}
	terms.Versions[0].Limits[0].Most = decimal(t, fmt.Sprint(rapid.Int64Range(0, 100_000).Draw(t, "limit")))
	setMinN(t, terms, minN)
	return terms
}

func setMinN(t tester, terms *bonus.Terms, n int) {
	terms.Versions[0].Clauses[1].Gate.Require["n"] = *decimal(t, fmt.Sprint(n))
}

// limit is the most that a provider is paid in a period.
func limit(t tester, terms *bonus.Terms) bonus.Ore {
	most, err := bonus.ParseOre(terms.Versions[0].Limits[0].Most.String())
	require.NoError(t, err)
	return most
}

func TestSettlementAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := drawTerms(t, rapid.IntRange(0, 6).Draw(t, "n"))
		facts := world(t)
		s := settle(t, terms, facts)

		type key struct{ provider, period string }
		paid, uncut, exact := map[key]bonus.Ore{}, map[key]bonus.Ore{}, map[key]*big.Rat{}
		inLine := map[string]int64{}
		for _, c := range s.Cases {
			require.Equal(t, c.Rule == bonus.RuleCounted, c.Line != "")
			if c.Clause == "effect" {
				inLine[c.Line]++
			}
		}
		entered, entering := map[string]*big.Rat{}, map[[2]string]bool{}
		for _, e := range s.Entries {
			if k := [2]string{e.Line, e.Participation}; !entering[k] {
				entering[k] = true
				inLine[e.Line]++
			}
			q, ok := new(big.Rat).SetString(e.Quantity)
			require.True(t, ok)
			if entered[e.Line] == nil {
				entered[e.Line] = new(big.Rat)
			}
			entered[e.Line].Add(entered[e.Line], q)
		}
		product := map[string]*big.Rat{}
		for _, step := range s.Steps {
			if strings.HasPrefix(step.What, "quantity x price") {
				value, ok := new(big.Rat).SetString(step.Value)
				require.True(t, ok)
				product[step.Line] = value
			}
		}
		ids := map[string]bool{}
		for _, l := range s.Lines {
			require.False(t, ids[l.ID], "a line's id is its own")
			ids[l.ID] = true
			k := key{l.Provider, l.Period}
			paid[k] += l.Amount
			if l.Clause == "cap" {
				require.Negative(t, int64(l.Amount))
				require.Equal(t, limit(t, terms), paid[k], "the limit is reached exactly, and its line comes last")
				continue
			}
			require.Equal(t, inLine[l.ID], l.Cases)
			if penalty := terms.Versions[0].Clauses[0].Schedule.Penalty && l.Clause == "sustained-job"; penalty {
				require.LessOrEqual(t, int64(l.Amount), int64(0))
			} else {
				require.GreaterOrEqual(t, int64(l.Amount), int64(0))
			}
			if terms.Rounding.Stage == bonus.StageLine {
				require.Equal(t, l.Amount == 0, l.Reason != "", l.Reason)
			}
			q, ok := new(big.Rat).SetString(l.Quantity)
			require.True(t, ok)
			if l.Municipality == "" {
				require.Zero(t, q.Cmp(entered[l.ID]), "the entries sum to the quantity")
			} else {
				require.Nil(t, entered[l.ID], "an effect is about all cases together")
			}
			times, ok := new(big.Rat).SetString(l.Times)
			require.True(t, ok)
			q.Mul(q.Mul(q, l.UnitPrice.Rat()), times)
			require.Zero(t, q.Cmp(product[l.ID]), "the steps come to the same")
			if terms.Rounding.Stage == bonus.StageLine {
				want, err := terms.Rounding.Round(q)
				require.NoError(t, err)
				require.Equal(t, want, l.Amount)
			}
			if exact[k] == nil {
				exact[k] = new(big.Rat)
			}
			exact[k].Add(exact[k], q)
			uncut[k] += l.Amount
		}
		for k, total := range paid {
			require.LessOrEqual(t, total, limit(t, terms))
			if terms.Rounding.Stage == bonus.StageTotal {
				want, err := terms.Rounding.Round(exact[k])
				require.NoError(t, err)
				require.Equal(t, want, uncut[k], "the lines share the rounded total")
			}
		}
		// A citizen is paid once; every row of a case is counted in Counts.
		persons, seen := map[string]int32{}, map[int32]bool{}
		for i, id := range facts.Observations.Cases.ID.All() {
			persons[id.String()] = facts.Observations.Cases.Person[i]
		}
		for _, c := range s.Cases {
			if c.Clause == "sustained-job" && c.Line != "" {
				require.False(t, seen[persons[c.Participation]])
				seen[persons[c.Participation]] = true
			}
		}
		requireParts(t, terms, facts, s)
		var n int64
		for _, c := range s.Counts {
			n += c.N
		}
		require.EqualValues(t, len(s.Cases), n)
	})
}

// requireParts recomputes what the entries of the clause on cases must be, in another
// way: unit by unit.
func requireParts(t *rapid.T, terms *bonus.Terms, facts bonus.Facts, s *bonus.Settlement) {
	schedule, measure := terms.Versions[0].Clauses[0].Schedule, terms.Versions[0].Clauses[0].Measure
	obs := facts.Observations
	at := map[string]int{}
	for i, id := range obs.Cases.ID.All() {
		at[id.String()] = i
	}
	lines := map[string]bonus.Line{}
	for _, l := range s.Lines {
		lines[l.ID] = l
	}
	// What each citizen's one case has: its units, by the day of each.
	quantity := map[string]*big.Rat{}
	for _, e := range s.Entries {
		q, _ := new(big.Rat).SetString(e.Quantity)
		if quantity[e.Participation] == nil {
			quantity[e.Participation] = new(big.Rat)
		}
		quantity[e.Participation].Add(quantity[e.Participation], q)
		l := lines[e.Line]
		require.Equal(t, l.Period, terms.Periods.Period(e.On).Name)
		require.Equal(t, l.Provider, obs.Cases.Provider.At(at[e.Participation]))
		require.LessOrEqual(t, e.On, obs.AsOf)
	}
	if len(schedule.Instalments) > 0 || schedule.Bands != nil && len(s.Entries) == 0 {
		for id, q := range quantity { // what is due of it
			require.LessOrEqual(t, q.Cmp(big.NewRat(int64(unitsOf(measure, schedule, obs, at[id])), 1)), 0)
		}
		return
	}
	byProvider := map[string]int{}
	for id, q := range quantity {
		n := unitsOf(measure, schedule, obs, at[id])
		require.Zero(t, q.Cmp(big.NewRat(int64(n), 1)), "case %s has %s for %d", id, q, n)
		byProvider[obs.Cases.Provider.At(at[id])] += n
	}
	if b := schedule.Bands; b != nil && b.Of == bonus.OfQuantity && b.Over == bonus.BandsOfYear && b.Mode == bonus.Marginal {
		// All is of one year: each band has what lies between its boundaries.
		got := map[string]*big.Rat{}
		for _, l := range s.Lines {
			if l.Clause != "sustained-job" {
				continue
			}
			k := l.Provider + l.ID[strings.Index(l.ID, "/band-"):][:7]
			if got[k] == nil {
				got[k] = new(big.Rat)
			}
			q, _ := new(big.Rat).SetString(l.Quantity)
			got[k].Add(got[k], q)
		}
		for provider, n := range byProvider {
			for k := range b.Steps {
				upper := big.NewRat(int64(n), 1)
				if k+1 < len(b.Steps) && b.Steps[k+1].From.Rat().Cmp(upper) < 0 {
					upper = b.Steps[k+1].From.Rat()
				}
				want := upper.Sub(upper, b.Steps[k].From.Rat())
				if want.Sign() < 0 {
					want = new(big.Rat)
				}
				if have := got[fmt.Sprint(provider, "/band-", k+1)]; have == nil {
					require.Zero(t, want.Sign())
				} else {
					require.Zero(t, have.Cmp(want), "band %d of %s", k+1, provider)
				}
			}
		}
	}
}

// unitsOf are how many units of a case are paid for, before instalments.
func unitsOf(m bonus.Measure, schedule bonus.Schedule, obs *effect.Observations, i int) int {
	if m.Sum == "" {
		return 1
	}
	n := 0
	for k := range obs.Results[2].Dates.Of(i) {
		if schedule.Beyond == nil || k >= *schedule.Beyond {
			n++
		}
	}
	if schedule.Every != nil {
		n /= *schedule.Every
	}
	return n
}

// Rows, levels of a factor, numbers of persons, benchmark rows, diagnostics and
// terms in another order give the same settlement.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		facts, terms := world(t), drawTerms(t, 1)
		want := settle(t, terms, facts)
		got := settle(t, terms, scramble(t, facts))
		// The rows of cases follow the cases, whose order was changed.
		slices.SortStableFunc(got.Cases, func(a, b bonus.CaseLine) int {
			return effect.TextID(a.Participation).Compare(effect.TextID(b.Participation))
		})
		require.Equal(t, want.Lines, got.Lines)
		require.Equal(t, want.Entries, got.Entries)
		require.Equal(t, want.Steps, got.Steps)
		require.Equal(t, fmt.Sprint(want.Gate), fmt.Sprint(got.Gate)) // NaN differs from itself
		require.Equal(t, want.Counts, got.Counts)
		require.Equal(t, want.Cases, got.Cases)
	})
}

func scramble(t *rapid.T, f bonus.Facts) bonus.Facts {
	old := f.Observations.Cases
	order := make([]int, old.Len())
	for i := range order {
		order[i] = i
	}
	order = rapid.Permutation(order).Draw(t, "order")
	factor := func(from effect.Factor) effect.Factor {
		out := effect.Factor{Levels: rapid.Permutation(from.Levels).Draw(t, "levels")}
		for _, i := range order {
			out.Codes = append(out.Codes, out.Code(from.At(i)))
		}
		return out
	}
	c := &effect.Cases{
		ID: effect.GatherIDs(len(order), func(k int) effect.ID { return old.ID.At(order[k]) }), Person: pick(old.Person, order), Persons: effect.GatherIDs(old.Persons.Len(), func(p int) effect.ID { return old.Persons.At(old.Persons.Len() - 1 - p) }), Referral: pick(old.Referral, order),
		Municipality: factor(old.Municipality), MatchScheme: factor(old.MatchScheme), MatchGroup: factor(old.MatchGroup),
		Provider: factor(old.Provider), Agreement: factor(old.Agreement), Package: factor(old.Package),
	}
	if old.Start != nil {
		c.Start, c.End, c.Role = pick(old.Start, order), pick(old.End, order), factor(old.Role)
	}
	for i := range c.Person {
		c.Person[i] = int32(c.Persons.Len()) - 1 - c.Person[i]
	}
	out := bonus.Facts{
		Observations: &effect.Observations{AsOf: f.Observations.AsOf, Cases: c},
		Benchmark:    rapid.Permutation(f.Benchmark).Draw(t, "benchmark"), Diagnostics: rapid.Permutation(f.Diagnostics).Draw(t, "diagnostics"),
	}
	for _, r := range slices.Backward(f.Observations.Results) {
		r.Status, r.Reason, r.ReachedOn, r.Complete = pick(r.Status, order), pick(r.Reason, order), pick(r.ReachedOn, order), pick(r.Complete, order)
		if old := r.Dates; old.Kept() {
			r.Dates = effect.Dates{First: []int{0}}
			for _, i := range order {
				r.Dates.On = append(r.Dates.On, old.Of(i)...)
				r.Dates.First = append(r.Dates.First, len(r.Dates.On))
			}
		}
		out.Observations.Results = append(out.Observations.Results, r)
	}
	return out
}

func pick[T any](from []T, order []int) []T {
	out := make([]T, len(order))
	for i, j := range order {
		out[i] = from[j]
	}
	return out
}

// A stricter gate never pays more. (With one rounding of the total, a line can
// gain what another leaves over, but the total cannot.)
func TestHigherMinimumNeverPaysMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		facts, terms := world(t), drawTerms(t, 0)
		before := bonus.Ore(1 << 62)
		for n := range 12 {
			setMinN(t, terms, n)
			var total bonus.Ore
			for _, l := range settle(t, terms, facts).Lines {
				total += l.Amount
			}
			require.LessOrEqual(t, total, before)
			before = total
		}
	})
}

// A million reached outcomes under ten agreements: plain, in instalments, by bands.
func BenchmarkSettle(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n /= 100
	}
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{
			id: fmt.Sprint(i), person: fmt.Sprint(i), agreement: fmt.Sprint("A-", i%10), provider: fmt.Sprint("provider", i%20),
			job: (day("2008-03-01") + effect.Date(i%300)).String(),
		}
	}
	facts := bonus.Facts{Observations: observe(rows...)}
	for _, schedule := range []struct{ name, parts string }{
		{"plain", ""},
		{"instalments", "          instalments: [{share: 0.5, after: 3 months}, {share: 0.5, after: 6 months}]\n"},
		{"bands", "          bands: {of: quantity, mode: marginal, over: agreement, steps: [{from: 0, times: 1}, {from: 100.5, times: 1.5}]}\n"},
	} {
		var terms []*bonus.Terms
		for k := range 10 {
			terms = append(terms, readTerms(b, "agreement: A-1", fmt.Sprint("agreement: A-", k),
				"            - {match_group: 1, package: P1, amount: 5000.00}\n", "            - {match_group: 1, package: P1, amount: 5000.00}\n",
				"            - {match_group: 4, package: P1, amount: \"12500.50\"}\n", "            - {match_group: 4, package: P1, amount: \"12500.50\"}\n"+schedule.parts))
		}
		b.Run(schedule.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := bonus.Settle(context.Background(), terms, facts)
				require.NoError(b, err)
			}
		})
	}
}

// A million weeks of 20,000 citizens under the terms of IMPACT60, whose limit adds up
// two clauses in the order of weeks; and a million outcomes that the days of two
// courses share.
func BenchmarkSettleStages(b *testing.B) {
	few := 1
	if testing.Short() {
		few = 100
	}
	read := func(b *testing.B, name string) *bonus.Terms {
		src, err := os.ReadFile("../testdata/terms/" + name)
		require.NoError(b, err)
		terms, err := bonus.ParseTerms(name, src)
		require.NoError(b, err)
		return terms
	}
	run := func(name string, terms *bonus.Terms, facts bonus.Facts) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
				require.NoError(b, err)
			}
		})
	}
	weeks := func() bonus.Facts {
		const each = 50
		citizens := 20_000 / few
		rows := make([]row, citizens)
		for i := range rows {
			rows[i] = row{id: fmt.Sprint(i), agreement: "IMPACT60", pkg: "impact60", provider: fmt.Sprint("provider", i%20), referral: "2018-01-01", complete: true}
		}
		obs := observe(rows...)
		obs.AsOf = day("2021-12-31")
		for k, name := range []string{"weeks_full", "weeks_partly"} {
			r := &obs.Results[k]
			r.Outcome, r.Unit, r.Dates = name, effect.UnitWeeks, effect.Dates{First: []int{0}}
			for i := range citizens {
				r.Value, r.WindowEnd = append(r.Value, each/2), append(r.WindowEnd, day("2021-01-01"))
				for w := range each / 2 {
					r.Dates.On = append(r.Dates.On, day("2018-01-07")+effect.Date(7*(2*w+(k+i)%2)))
				}
				r.Dates.First = append(r.Dates.First, len(r.Dates.On))
			}
		}
		return bonus.Facts{Observations: obs}
	}
	split := func() bonus.Facts {
		citizens := 500_000 / few
		rows := make([]row, 2*citizens)
		for i := range rows {
			rows[i] = row{
				id: fmt.Sprint(i), person: fmt.Sprint(i / 2), agreement: "CREDIT-split-days", pkg: "help", provider: fmt.Sprint("provider", i%20),
				referral: (day("2020-02-01") + effect.Date(i%2*30)).String(), job: (day("2020-08-01") + effect.Date(i/2%200)).String(),
			}
		}
		obs := observe(rows...)
		obs.AsOf = day("2021-12-31")
		obs.Results[0].Outcome = "work_13w"
		for _, on := range obs.Cases.Referral {
			obs.Cases.Start, obs.Cases.End = append(obs.Cases.Start, on+7), append(obs.Cases.End, on+100)
		}
		return bonus.Facts{Observations: obs}
	}
	run("weeks with a limit", read(b, "aalborg-impact60.yaml"), weeks())
	run("split by days", read(b, "credit-split-days.yaml"), split())
}

// What a case costs is its texts, and nothing that the terms say once for all.
func TestSettleMakesLittleForEachCase(t *testing.T) {
	const n = 10_000
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{id: fmt.Sprint(i), provider: fmt.Sprint("provider", i%5), job: (day("2008-03-01") + effect.Date(i%300)).String()}
	}
	facts := bonus.Facts{Observations: observe(rows...)}
	for name, edits := range map[string][2]string{
		"bands": {
			"            - {match_group: 4, package: P1, amount: \"12500.50\"}\n",
			"            - {match_group: 4, package: P1, amount: \"12500.50\"}\n          bands: {of: quantity, mode: marginal, over: agreement, steps: [{from: 0, times: 1}, {from: 100.5, times: 1.5}]}\n",
		},
		"limit": {"    limits: [{", "    limits: [{section: \"9\", per: person, over: agreement, of: quantity, most: 1, clauses: [sustained-job]}, {"},
	} {
		t.Run(name, func(t *testing.T) {
			terms := readTerms(t, edits[0], edits[1])
			got := testing.AllocsPerRun(1, func() {
				_, err := bonus.Settle(context.Background(), []*bonus.Terms{terms}, facts)
				require.NoError(t, err)
			})
			require.Less(t, got, 5.0*n)
		})
	}
}
