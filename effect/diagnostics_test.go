package effect_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// uneven weighs comparators by how old they are, and adjusts for nothing.
type uneven struct{ scale float64 }

func (uneven) Name() string   { return "uneven" }
func (uneven) Uses() []string { return []string{"age", "mood", "town"} }

func (u uneven) weight(c *effect.Comparison, i int32) float64 {
	age, _ := c.Covariate("age")
	return u.scale * (1 + math.Mod(float64(i)*0.37, 1) + math.Abs(age.Number[i])/100)
}

func (u uneven) Expect(_ context.Context, c *effect.Comparison) (effect.Expectation, error) {
	l := effect.Linear{FittedIn: make([]float64, len(c.In)), FittedOut: make([]float64, len(c.Out))}
	for _, i := range c.Out {
		l.Weights = append(l.Weights, u.weight(c, i))
	}
	e := c.Linear(l)
	e.EffectiveN, e.MaxWeight = 1e6, 0 // a boast, which the certificate must not believe
	return e, nil
}

// town gives the six municipalities covariates with missing values, zeros and
// names that only some of the cases have.
func town() *effect.Observations {
	obs := six()
	n := obs.Cases.Len()
	draw := rand.New(rand.NewPCG(1, 2))
	age, mood, names := make([]float64, n), make([]float64, n), make([]string, n)
	for i := range n {
		age[i], mood[i] = 20+math.Floor(40*draw.Float64()), math.Max(0, draw.NormFloat64())
		names[i] = []string{"x", "y", "z", ""}[draw.IntN(4)]
		if draw.IntN(10) == 0 {
			mood[i] = math.NaN()
		}
		if obs.Cases.Provider.At(i) == "p" {
			age[i] += 10
		}
	}
	obs.Cases.Covariates = []effect.Covariate{{Name: "age", Number: age, Dated: true}, {Name: "mood", Number: mood}, {Name: "town", Factor: effect.NewFactor(names)}}
	return obs
}

// The balance of a certificate against the definition, written out: every
// column, its square and every product of columns of two covariates, centred on
// the cell, (mean in the cell - weighted mean) / standard deviation in the cell.
func TestTheCertificateIsWorkedOutFromTheWeights(t *testing.T) {
	obs := town()
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	of := func(obs *effect.Observations, m effect.Method) effect.Estimate {
		rows, err := effect.Estimates(context.Background(), obs, d, []effect.Method{m})
		require.NoError(t, err)
		for _, e := range rows {
			if e.Provider == "p" && e.Comparators == effect.Peers && e.Support == effect.SupportOwn {
				require.Empty(t, e.Refusal)
				return e
			}
		}
		t.Fatal("no row")
		return effect.Estimate{}
	}
	got := of(obs, uneven{1})

	type column struct {
		covariate string
		binary    bool
		product   bool // takes part in products
		value     func(i int) float64
	}
	bit := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	age, mood, towns := obs.Cases.Covariates[0].Number, obs.Cases.Covariates[1].Number, &obs.Cases.Covariates[2].Factor
	var in, out []int
	for i := range obs.Cases.Len() {
		switch {
		case obs.Cases.Provider.At(i) == "p":
			in = append(in, i)
		case obs.Cases.Municipality.At(i) != "H":
			out = append(out, i)
		}
	}
	sum, known := 0.0, 0.0
	for _, i := range in {
		if !math.IsNaN(mood[i]) {
			sum, known = sum+mood[i], known+1
		}
	}
	columns := []column{
		{"age", false, true, func(i int) float64 { return age[i] }},
		{"mood", false, true, func(i int) float64 {
			if math.IsNaN(mood[i]) {
				return sum / known
			}
			return mood[i]
		}},
		{"mood", true, true, func(i int) float64 { return bit(math.IsNaN(mood[i])) }},
		{"mood", true, false, func(i int) float64 { return bit(mood[i] == 0) }},
	}
	for _, name := range []string{"", "x", "y", "z"} {
		columns = append(columns, column{"town", true, true, func(i int) float64 { return bit(towns.At(i) == name) }})
	}
	weight, total := map[int]float64{}, 0.0
	for _, i := range out {
		weight[i] = uneven{1}.weight(&effect.Comparison{Cases: obs.Cases}, int32(i))
		total += weight[i]
	}
	mean := func(f func(int) float64) (cell, comparators float64) {
		for _, i := range in {
			cell += f(i) / float64(len(in))
		}
		for _, i := range out {
			comparators += weight[i] / total * f(i)
		}
		return cell, comparators
	}
	smd := func(f func(int) float64, binary bool) (difference, ratio float64) {
		a, b := mean(f)
		va, vb := mean(func(i int) float64 { return f(i) * f(i) })
		va, vb = va-a*a, vb-b*b
		if !binary {
			va *= float64(len(in)) / float64(len(in)-1)
		}
		return math.Abs(a-b) / math.Sqrt(va), math.Max(va/vb, vb/va)
	}
	var means, worst, variances float64
	for j, a := range columns {
		ca, _ := mean(a.value)
		s, ratio := smd(a.value, a.binary)
		worst = math.Max(worst, s)
		if a.product {
			means = math.Max(means, s)
		}
		if !a.binary {
			variances = math.Max(variances, ratio)
		}
		for k, b := range columns[j:] {
			if !a.product || !b.product || k == 0 && a.binary || k > 0 && a.covariate == b.covariate {
				continue
			}
			cb, _ := mean(b.value)
			s, _ := smd(func(i int) float64 { return (a.value(i) - ca) * (b.value(i) - cb) }, false)
			worst = math.Max(worst, s)
		}
	}
	assert.InEpsilon(t, means, got.MeanSMD, 1e-8)
	assert.InEpsilon(t, worst, got.WorstSMD, 1e-8)
	assert.InEpsilon(t, variances, got.VarianceRatio, 1e-8)
	assert.NotEmpty(t, got.WorstTerm)
	assert.Greater(t, got.WorstSMD, 0.5, "the cell is ten years older")

	squares, largest := 0.0, 0.0
	for _, w := range weight {
		squares, largest = squares+w*w, math.Max(largest, w)
	}
	assert.InEpsilon(t, total*total/squares, got.EffectiveN, 1e-8)
	assert.InEpsilon(t, largest/total, got.MaxWeight, 1e-8)

	// Neither the scale of the weights nor origin and scale of a number matter.
	again := of(obs, uneven{250})
	assert.Equal(t, [4]float64{got.MeanSMD, got.WorstSMD, got.VarianceRatio, got.EffectiveN}, [4]float64{again.MeanSMD, again.WorstSMD, again.VarianceRatio, again.EffectiveN})
}

// SciPy 1.17.1: (stats.t.ppf(0.975, df) + stats.t.ppf(0.8, df)) * 0.05. The power
// at that difference by the noncentral t is 0.798, 0.8002 and 0.80002.
func TestDetectable(t *testing.T) {
	assert.InEpsilon(t, 0.16303269479532748, effect.Detectable(0.05, 7, 0.95), 1e-9)
	assert.InEpsilon(t, 0.14358875930483636, effect.Detectable(0.05, 40, 0.95), 1e-9)
	assert.InEpsilon(t, 0.14035302718104364, effect.Detectable(0.05, 500, 0.95), 1e-9)
	assert.True(t, math.IsNaN(effect.Detectable(math.NaN(), 7, 0.95)))
	assert.True(t, math.IsNaN(effect.Detectable(0.05, math.NaN(), 0.95)))
}

// A placebo is estimated on the weeks before referral with what was known before
// them, over the cases of its outcome, and measured by the farther limit of its
// 90 % interval.
func TestPlacebo(t *testing.T) {
	obs := town()
	n := obs.Cases.Len()
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	find := func(diagnostics []effect.Diagnostic, part effect.Part) float64 {
		for _, x := range diagnostics {
			if x.Provider == "p" && x.Part == part && x.Name == effect.DiagPlacebo {
				return x.Value
			}
		}
		t.Fatal("no placebo was measured")
		return 0
	}
	rows, err := effect.Estimates(context.Background(), obs, d, []effect.Method{uneven{1}})
	require.NoError(t, err)
	assert.True(t, math.IsNaN(find(effect.Diagnostics(rows, effect.Benchmark(rows)), effect.Total)), "nobody asked for a placebo: not evaluated")

	before, lagged := make([]float64, n), make([]float64, n)
	for i := range n {
		before[i], lagged[i] = math.Mod(float64(i)*0.617, 1), obs.Cases.Covariates[0].Number[i]-30
	}
	obs.Cases.Placebo = &effect.Placebo{Weeks: 26, Value: before, Covariates: []effect.Covariate{{Name: "age", Number: lagged, Dated: true}}}
	obs.Results[0].Complete[3] = false
	rows, err = effect.Estimates(context.Background(), obs, d, []effect.Method{uneven{1}})
	require.NoError(t, err)
	all := effect.Benchmark(rows)
	seen := 0
	for _, b := range all {
		of, ok := effect.PlaceboOf(b.Outcome)
		if !ok || b.Provider != "p" || b.Part == effect.Municipality {
			continue
		}
		seen++
		assert.Equal(t, "job", of)
		assert.Equal(t, effect.UnitPortion, b.Unit)
		assert.Equal(t, int64(49), b.N, "the cases of the outcome, of which one is not complete")
		// The weights read the lagged age, and so differ from those of the outcome.
		se, df := b.SE, b.DF
		low, high := b.Difference-quantile90(df)*se, b.Difference+quantile90(df)*se
		assert.InEpsilon(t, math.Max(math.Abs(low), math.Abs(high)), find(effect.Diagnostics(rows, all), b.Part), 1e-6)
	}
	assert.Equal(t, 2, seen)
	for _, x := range effect.Diagnostics(rows, all) {
		_, ok := effect.PlaceboOf(x.Outcome)
		assert.False(t, ok, "a placebo has no diagnostics of its own")
	}
	var weights [2]float64
	for _, e := range rows {
		if e.Provider == "p" && e.Comparators == effect.Peers && e.Support == effect.SupportOwn {
			_, ok := effect.PlaceboOf(e.Outcome)
			weights[map[bool]int{true: 1}[ok]] = e.EffectiveN
		}
	}
	assert.NotEqual(t, weights[0], weights[1])
}

// quantile90 is the 95th percentile of Student's t by bisection of its integral.
func quantile90(df float64) float64 {
	lg := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	c := math.Exp(lg((df+1)/2)-lg(df/2)) / math.Sqrt(df*math.Pi)
	below := func(t float64) float64 {
		const n = 2000
		h, sum := t/n, 0.0
		for k := range n + 1 {
			x, w := h*float64(k), 2.0
			switch {
			case k == 0 || k == n:
				w = 1
			case k%2 == 1:
				w = 4
			}
			sum += w * c * math.Pow(1+x*x/df, -(df+1)/2)
		}
		return 0.5 + sum*h/3
	}
	a, b := 0.0, 20.0
	for range 60 {
		if mid := (a + b) / 2; below(mid) < 0.95 {
			a = mid
		} else {
			b = mid
		}
	}
	return a
}

// What was lost from a cohort stands in the certificate by cause.
func TestAttritionByCause(t *testing.T) {
	obs := six()
	r := &obs.Results[0]
	for i, why := range []effect.Reason{effect.ReasonLeft, effect.ReasonLeft, effect.ReasonNoClock} {
		r.Reason[i], r.Complete[i] = why, false
	}
	r.WindowEnd[2] = effect.NoDate
	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	_, _, diagnostics := rowsOf(t, obs, d)
	got := diagnostics[effect.Total]
	assert.InEpsilon(t, 2.0/49, got[effect.DiagLeft].Value, 1e-8, "of 49 windows that ended")
	assert.InEpsilon(t, 1.0/50, got[effect.DiagNoClock].Value, 1e-8, "of 50 in the cohort")
}

// plainly weighs all comparators alike and adjusts for one covariate.
type plainly struct{ covariate string }

func (plainly) Name() string     { return "plainly" }
func (p plainly) Uses() []string { return []string{p.covariate} }

func (plainly) Expect(_ context.Context, c *effect.Comparison) (effect.Expectation, error) {
	l := effect.Linear{FittedIn: make([]float64, len(c.In)), FittedOut: make([]float64, len(c.Out))}
	for range c.Out {
		l.Weights = append(l.Weights, 1/float64(len(c.Out)))
	}
	return c.Linear(l), nil
}

// Standardised differences of the training programme's participants from its
// comparison group before any adjustment: R's MatchIt 4.5.1, summary(matchit(treat ~
// ..., method = NULL)), standard deviation of the participants.
func TestStandardisedDifferencesOfLalonde(t *testing.T) {
	text, err := os.ReadFile("../testdata/reference/lalonde_614.csv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	at := map[string]int{}
	for k, name := range strings.Split(lines[0], ",") {
		at[strings.Trim(name, `"`)] = k
	}
	var rows []city
	numbers, race := map[string][]float64{}, []string{}
	for i, line := range lines[1:] {
		fields := strings.Split(line, ",")
		provider := "p"
		if fields[at["treat"]] == "0" {
			provider = "q"
		}
		rows = append(rows, city{"H", provider, int32(i), float64(i % 2)})
		for _, name := range []string{"age", "re74", "married"} {
			v, err := strconv.ParseFloat(fields[at[name]], 64)
			require.NoError(t, err)
			numbers[name] = append(numbers[name], v)
		}
		race = append(race, strings.Trim(fields[at["race"]], `"`))
	}
	obs := observations(rows)
	married := make([]string, len(rows))
	for i, v := range numbers["married"] {
		married[i] = []string{"no", "yes"}[int(v)]
	}
	black := make([]string, len(rows))
	for i, r := range race {
		black[i] = map[bool]string{true: "black", false: "other"}[r == "black"]
	}
	obs.Cases.Covariates = []effect.Covariate{
		{Name: "age", Number: numbers["age"]},
		{Name: "re74", Number: numbers["re74"]},
		{Name: "married", Factor: effect.NewFactor(married)},
		{Name: "black", Factor: effect.NewFactor(black)},
	}
	for name, want := range map[string]float64{"age": 0.309445261998, "black": 1.76154188982, "married": 0.826309272341, "re74": 0.721083809072} {
		estimates, err := effect.Estimates(context.Background(), obs, effect.DefaultDesign(), []effect.Method{plainly{name}})
		require.NoError(t, err)
		found := false
		for _, e := range estimates {
			if e.Provider == "p" && e.Comparators == effect.Home && e.Support == effect.SupportOwn {
				found = true
				assert.InEpsilon(t, want, e.MeanSMD, 1e-8, name)
			}
		}
		assert.True(t, found)
	}
}

// What is known at the referral could tell of the weeks just before it: only what
// history held before them, what is fixed and the calendar adjust a placebo.
func TestAPlaceboKnowsNothingOfItsWeeks(t *testing.T) {
	obs := six()
	n := obs.Cases.Len()
	before, names := make([]float64, n), make([]string, n)
	for i := range n {
		before[i], names[i] = math.Mod(float64(i)*0.617, 1), []string{"x", "y"}[i%2]
	}
	obs.Cases.Covariates = []effect.Covariate{
		{Name: "months_worked_lately", Number: before, Dated: true},
		{Name: "benefit_now", Factor: effect.NewFactor(names), Dated: true},
		{Name: "sex", Factor: effect.NewFactor(names), Dated: true, Fixed: true},
		{Name: effect.ReferralQuarter, Factor: effect.NewFactor(names), Dated: true},
	}
	obs.Cases.Placebo = &effect.Placebo{Weeks: 26, Value: before}
	known := map[string]bool{}
	look := looking{known}
	_, err := effect.Estimates(context.Background(), obs, effect.DefaultDesign(), []effect.Method{look})
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"months_worked_lately": false, "benefit_now": false, "sex": true, effect.ReferralQuarter: true}, known)
}

// looking is a method that notes which covariates say something in a placebo.
type looking struct{ known map[string]bool }

func (looking) Name() string   { return "looking" }
func (looking) Uses() []string { return nil }

func (l looking) Expect(_ context.Context, c *effect.Comparison) (effect.Expectation, error) {
	if _, ok := effect.PlaceboOf(c.Outcome); ok && c.Cell.Provider == "p" && c.Comparators == effect.Home {
		for _, cov := range c.Cases.Covariates {
			said := false
			for _, i := range c.In {
				said = said || cov.Number != nil && !math.IsNaN(cov.Number[i]) || cov.Number == nil && cov.Factor.Codes[i] >= 0
			}
			l.known[cov.Name] = said
		}
	}
	return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNoCases}
}
