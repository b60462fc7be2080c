package penn_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/examples/penn"
)

// The outcomes of the run file.
const (
	off  = "off_benefit_13w"
	days = "benefit_days_26w"
)

// claim is a line of the file, read here without help from the package.
type claim struct {
	arm     int // 0 is the control group
	day     time.Time
	weeks   int
	age     string
	quarter int
	female  int
}

// value is what the claim's outcome must be: the first day without benefit is
// 7 x weeks days after the claim, and week 13 ends 91 days after it.
func (c claim) value(outcome string) float64 {
	switch {
	case outcome == days:
		return float64(7 * min(c.weeks, 26))
	case 7*c.weeks <= 91:
		return 1
	}
	return 0
}

func (c claim) provider() string {
	if c.arm == 0 {
		return effect.OwnProvider
	}
	return fmt.Sprint("arm", c.arm)
}

func readClaims(t *testing.T) []claim {
	f, err := os.Open("penn_bonus.csv")
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	column := map[string]int{}
	for k, name := range lines[0] {
		column[name] = k
	}
	var out []claim
	for _, line := range lines[1:] {
		number := func(name string) int {
			v, err := strconv.Atoi(line[column[name]])
			require.NoError(t, err)
			return v
		}
		c := claim{arm: number("tg"), weeks: number("inuidur1"), age: "35to54", female: number("female")}
		c.day = time.Date(1960, 1, 1+number("abdt"), 0, 0, 0, 0, time.UTC)
		for q := 1; q <= 6; q++ {
			c.quarter += q * number(fmt.Sprint("q", q))
		}
		if number("agelt35") == 1 {
			c.age = "under35"
		}
		if number("agegt54") == 1 {
			c.age = "over54"
		}
		out = append(out, c)
	}
	return out
}

// run converts the claims and does the whole job on them.
func run(t *testing.T, asOf effect.Date) (*jobeffekt.Config, *jobeffekt.Result) {
	c, err := jobeffekt.LoadConfig("jobeffekt.yaml")
	require.NoError(t, err)
	c.Data, c.Out = filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "results")
	if asOf != effect.NoDate {
		c.AsOf = asOf
	}
	require.NoError(t, penn.Write(c.Data))
	require.NoError(t, jobeffekt.Check(context.Background(), c))
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	return c, r
}

func where(claims []claim, keep func(claim) bool) []claim {
	var out []claim
	for _, c := range claims {
		if keep(c) {
			out = append(out, c)
		}
	}
	return out
}

func mean(claims []claim, outcome string) float64 {
	sum := 0.0
	for _, c := range claims {
		sum += c.value(outcome)
	}
	return sum / float64(len(claims))
}

func TestClaimsComeOutAsCountedByHand(t *testing.T) {
	claims := readClaims(t)
	c, r := run(t, effect.NoDate)

	t.Run("every claim", func(t *testing.T) {
		require.Len(t, claims, 13913)
		assert.Empty(t, r.Rejects)
		for _, res := range r.Observations.Results {
			require.Len(t, res.Value, len(claims))
			for i, id := range r.Observations.Cases.ID.All() {
				n, ok := id.Number()
				require.True(t, ok && n == int64(i+1))
				require.Equal(t, claims[i].value(res.Outcome), res.Value[i])
				require.True(t, res.Complete[i] && res.Followed[i])
			}
		}
	})

	t.Run("arms", func(t *testing.T) {
		// n from the data's README; share and weeks by the queries of count.py.
		for arm, want := range []struct {
			n            int
			share, weeks float64
		}{
			{3354, 0.557543, 12.859869},
			{1385, 0.566787, 12.677256},
			{2428, 0.586491, 12.206343},
			{1885, 0.583024, 12.367639},
			{1745, 0.601719, 12.071633},
			{1831, 0.571273, 12.703987},
			{1285, 0.595331, 11.998444},
		} {
			members := where(claims, func(c claim) bool { return c.arm == arm })
			assert.Len(t, members, want.n)
			assert.InDelta(t, want.share, mean(members, off), 5e-7)
			assert.InDelta(t, want.weeks, mean(members, days)/7, 5e-7)
			for outcome, figure := range map[string]float64{off: want.share, days: 7 * want.weeks} {
				n, sum := 0.0, 0.0
				for _, e := range r.Estimates {
					if e.Outcome == outcome && e.Provider == members[0].provider() && e.Method == "strata" && e.Comparators == effect.Home {
						n, sum = n+float64(e.N), sum+float64(e.N)*e.Observed
					}
				}
				assert.Equal(t, float64(want.n), n)
				assert.InDelta(t, figure, sum/n, 5e-6, "%s of arm %d", outcome, arm)
			}
		}
	})

	t.Run("cells", func(t *testing.T) {
		assert.Len(t, r.Estimates, 2*2*21*3, "outcomes x methods x cells x comparators: peers, home, own projects")
		for _, e := range r.Estimates {
			cell := where(claims, func(c claim) bool { return c.age == e.MatchGroup && c.provider() == e.Provider })
			require.Equal(t, int64(len(cell)), e.N)
			require.InDelta(t, mean(cell, e.Outcome), e.Observed, 1e-8*math.Max(1, e.Observed))
		}
	})

	t.Run("strata", func(t *testing.T) {
		checked := 0
		for _, e := range r.Estimates {
			if e.Method != "strata" || e.Comparators == effect.Peers || e.Refusal != "" {
				continue
			}
			others := where(claims, func(c claim) bool {
				return c.age == e.MatchGroup && c.provider() != e.Provider && (e.Comparators == effect.Home || c.arm == 0)
			})
			cell := where(claims, func(c claim) bool { return c.age == e.MatchGroup && c.provider() == e.Provider })
			want := standardise(cell, others, e.Outcome)
			name := fmt.Sprint(e.Outcome, " ", e.Cell, " ", e.Comparators)
			require.Equal(t, int64(want.n), e.NCompared, name)
			scale := math.Max(1, want.expected)
			require.InDelta(t, want.expected, e.Expected, 1e-8*scale, name)
			require.InDelta(t, want.difference, e.Difference, 1e-8*scale, name)
			require.InDelta(t, want.se, e.SE, 1e-8*scale, name)
			require.InDelta(t, want.low, e.Low, 1e-7*scale, name)
			checked++
		}
		assert.Equal(t, 2*(18+21), checked, "own projects for the arms, others at home for all")
	})

	t.Run("parts", func(t *testing.T) {
		for _, row := range r.Benchmark {
			switch row.Part {
			case effect.Provider:
				assert.Empty(t, row.Refusal)
			default:
				assert.Equal(t, effect.RefusalNoComparators, row.Refusal, "there is one municipality")
				assert.Equal(t, effect.NotRated, row.Verdict)
			}
		}
	})

	t.Run("settlement", func(t *testing.T) {
		got := map[string]bonus.Ore{}
		for _, l := range r.Settlement.Lines {
			got[l.ID] = l.Amount
		}
		assert.Equal(t, settle(t, claims, r.Benchmark), got)

		counts := map[string]int64{}
		for _, n := range r.Settlement.Counts {
			counts[n.Clause+" "+n.Rule] += n.N
		}
		arms := where(claims, func(c claim) bool { return c.arm > 0 })
		reached := where(arms, func(c claim) bool { return c.value(off) == 1 })
		assert.Equal(t, map[string]int64{
			"off-benefit counted":     int64(len(reached)),
			"off-benefit not_reached": int64(len(arms) - len(reached)),
			"effect counted":          int64(len(arms)),
		}, counts)
		assert.Empty(t, r.Settlement.Warnings)
	})

	t.Run("again", func(t *testing.T) {
		differences, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
		require.NoError(t, err)
		assert.Empty(t, differences)
	})

	t.Run("page", func(t *testing.T) {
		page, err := os.ReadFile("../../docs/penn.md")
		require.NoError(t, err)
		counted, err := os.ReadFile("count.txt")
		require.NoError(t, err)
		assert.Contains(t, string(page), string(counted), "what count.py prints")
		for _, row := range append(effectRows(r), moneyRows(r)...) {
			assert.Contains(t, string(page), row+"\n")
		}
	})
}

// effectRows are the rows of the page's table of effects.
func effectRows(r *jobeffekt.Result) []string {
	var rows []string
	for _, own := range r.Estimates {
		if own.Outcome != off || own.Method != "strata" || own.Comparators != effect.OwnProjects || own.Provider == effect.OwnProvider {
			continue
		}
		row := fmt.Sprintf("| %s | %s | %d | %.1f", own.MatchGroup, own.Provider, own.N, 100*own.Observed)
		for _, e := range r.Estimates {
			if e.Outcome == off && e.Method == "strata" && e.Cell == own.Cell && e.Comparators != effect.Peers {
				row += fmt.Sprintf(" | %.1f | %+.1f (%.1f to %.1f)", 100*e.Expected, 100*e.Difference, 100*e.Low, 100*e.High)
			}
		}
		rows = append(rows, row+" |")
	}
	return rows
}

// moneyRows are the rows of the page's table of what is paid.
func moneyRows(r *jobeffekt.Result) []string {
	type sums struct {
		claimants               int64
		reached, effects, limit bonus.Ore
	}
	by := map[string]*sums{}
	var all sums
	for _, l := range r.Settlement.Lines {
		if by[l.Provider] == nil {
			by[l.Provider] = &sums{}
		}
		for _, s := range []*sums{by[l.Provider], &all} {
			switch l.Clause {
			case "off-benefit":
				s.claimants, s.reached = s.claimants+l.Cases, s.reached+l.Amount
			case "effect":
				s.effects += l.Amount
			default:
				s.limit += l.Amount
			}
		}
	}
	by["all"] = &all
	var rows []string
	for name, s := range by {
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %d | %d | %d |", name, s.claimants, s.reached/100, s.effects/100, s.limit/100, (s.reached+s.effects+s.limit)/100))
	}
	slices.Sort(rows)
	return rows
}

// standardised is a cell against comparators of the same quarter and sex.
type standardised struct {
	n                             int
	expected, difference, se, low float64
}

// standardise is the strata method written out: the mean of the comparators'
// class means, weighted by the cell; the sample variances of both, where a class
// with one comparator borrows the pooled one; Satterthwaite's t.
func standardise(cell, others []claim, outcome string) standardised {
	in, out := map[[2]int][]claim{}, map[[2]int][]claim{}
	for _, c := range cell {
		in[[2]int{c.quarter, c.female}] = append(in[[2]int{c.quarter, c.female}], c)
	}
	for _, c := range others {
		if k := [2]int{c.quarter, c.female}; len(in[k]) > 0 {
			out[k] = append(out[k], c)
		}
	}
	squares := map[[2]int]float64{}
	comparators, pooled := 0, 0.0
	for k, list := range out {
		for _, c := range list {
			squares[k] += math.Pow(c.value(outcome)-mean(list, outcome), 2)
		}
		pooled += squares[k]
		comparators += len(list)
	}
	pooled /= float64(comparators - len(out))
	var s standardised
	var residuals []float64
	for k, list := range in {
		if len(out[k]) == 0 {
			continue
		}
		s.n += len(list)
		for _, c := range list {
			residuals = append(residuals, c.value(outcome)-mean(out[k], outcome))
		}
	}
	n, varOut, weights2, used := float64(s.n), 0.0, 0.0, 0.0
	for k, list := range in {
		if m := float64(len(out[k])); m > 0 {
			share, variance := float64(len(list))/n, pooled
			// Fewer than 5 are not trusted to vary less than the others.
			if own := squares[k] / (m - 1); m >= 5 || m > 1 && own > pooled {
				variance = own
			}
			weights2 += share * share / m
			used++
			s.expected += share * mean(out[k], outcome)
			varOut += share * share * variance / m
		}
	}
	varIn := 0.0
	for _, r := range residuals {
		s.difference += r / n
	}
	for _, r := range residuals {
		varIn += math.Pow(r-s.difference, 2) / (n * (n - 1))
	}
	s.se = math.Sqrt(varIn + varOut)
	df := math.Pow(varIn+varOut, 2) / (varIn*varIn/(n-1) + varOut*varOut/(1/weights2-used))
	s.low = s.difference - s.se*distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(0.975)
	return s
}

// settle is what the terms pay by line, in øre: the reached outcomes from the
// claims alone, the effects from the lower limits of the benchmark, exactly.
func settle(t *testing.T, claims []claim, benchmark []effect.BenchmarkRow) map[string]bonus.Ore {
	const limit = 400000_00
	reachedPrice := map[string]int64{"under35": 500_00, "35to54": 650_50, "over54": 800_00}
	effectPrice := map[string]int64{"under35": 10000_00, "35to54": 12000_00, "over54": 15000_00}
	lines, totals := map[string]bonus.Ore{}, map[string]bonus.Ore{}
	krone := func(ore *big.Rat) bonus.Ore { // half up
		whole := new(big.Rat).Quo(ore, big.NewRat(100, 1))
		whole.Add(whole, big.NewRat(1, 2))
		return bonus.Ore(100 * new(big.Int).Div(whole.Num(), whole.Denom()).Int64())
	}
	add := func(provider, period, rest string, ore *big.Rat) {
		lines["PENN-1988/"+provider+"/"+period+"/"+rest] = krone(ore)
		totals["PENN-1988/"+provider+"/"+period+"/cap"] += krone(ore)
	}
	type key struct{ provider, period, age string }
	reached := map[key]int64{}
	for _, c := range claims {
		if on := c.day.AddDate(0, 0, 91); c.arm > 0 && c.value(off) == 1 {
			reached[key{c.provider(), fmt.Sprintf("%dH%d", on.Year(), (on.Month()+5)/6), c.age}]++
		}
	}
	for k, n := range reached {
		add(k.provider, k.period, "off-benefit@1988-06-01/penn_age/"+k.age+"/bonus-offer", big.NewRat(n*reachedPrice[k.age], 1))
	}
	for _, row := range benchmark {
		if row.Outcome != off || row.Method != "strata" || row.Part != effect.Provider || row.Provider == effect.OwnProvider {
			continue
		}
		low, ok := new(big.Rat).SetString(strconv.FormatFloat(row.Low, 'g', -1, 64)) // as its table has it
		require.True(t, ok)
		if low.Sign() < 0 {
			low.SetInt64(0)
		}
		ore := low.Mul(low, big.NewRat(row.NCompared*effectPrice[row.MatchGroup], 1))
		add(row.Provider, "1990H2", "effect@1988-06-01/penn_age/"+row.MatchGroup+"/(all)/PA", ore)
	}
	for id, total := range totals {
		if total > limit {
			lines[id] = limit - total
		}
	}
	return lines
}

// An earlier as_of leaves windows open: they are pending, never failures.
func TestAttritionSums(t *testing.T) {
	claims := readClaims(t)
	asOf := effect.NewDate(1989, 12, 31)
	_, r := run(t, asOf)
	type key struct{ outcome, age, provider, step string }
	want := map[key]int64{}
	for outcome, window := range map[string]int{off: 91, days: 182} {
		for _, c := range claims {
			step := "analysed"
			if c.day.AddDate(0, 0, window).After(asOf.Time()) {
				step = "pending"
			}
			want[key{outcome, c.age, c.provider(), "read"}]++
			want[key{outcome, c.age, c.provider(), step}]++
		}
	}
	got, read, rest := map[key]int64{}, map[string]int64{}, map[string]int64{}
	for _, a := range r.Observations.Attrition {
		got[key{a.Outcome, a.MatchGroup, a.Provider, a.Step}] = a.N
		if a.Step == "read" {
			read[a.Outcome] += a.N
		} else {
			rest[a.Outcome] += a.N
		}
	}
	assert.Equal(t, want, got)
	assert.Equal(t, map[string]int64{off: 13913, days: 13913}, read)
	assert.Equal(t, read, rest)
}

// Before the first window has ended nothing is known, said or paid.
func TestNothingIsPaidBeforeAnythingIsKnown(t *testing.T) {
	_, r := run(t, effect.NewDate(1988, 9, 1))
	var paid bonus.Ore
	for _, l := range r.Settlement.Lines {
		paid += l.Amount
	}
	assert.Zero(t, paid)
	require.Len(t, r.Settlement.Warnings, 2)
	assert.Equal(t, bonus.WarnNotSettlementDate, r.Settlement.Warnings[0].Code)
	assert.Equal(t, bonus.WarnNothingObserved, r.Settlement.Warnings[1].Code)
	assert.Contains(t, r.Summary(), "No outcome can be told yet")
}

// The archive does not say when recall was asked, so the run file does not call
// it fixed: an effect adjusted by it is described and not paid on.
func TestUndatedCovariateShutsTheGate(t *testing.T) {
	c, err := jobeffekt.LoadConfig("jobeffekt.yaml")
	require.NoError(t, err)
	c.Data, c.Out = t.TempDir(), t.TempDir()
	c.Compare.Classes = append(c.Compare.Classes, jobeffekt.Class{Covariate: "recall", Cuts: []float64{0.5}})
	require.NoError(t, penn.Write(c.Data))
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	effects := 0
	for _, l := range r.Settlement.Lines {
		if l.Clause == "effect" {
			effects++
			assert.Zero(t, l.Amount)
			assert.Contains(t, l.Reason, "gate:dated_covariates")
		}
	}
	assert.Equal(t, 18, effects)
}
