package survival

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobeffekt/jobeffekt/effect"
)

const reference = "../../testdata/reference/"

// figures are those of R's survival and cmprsk, of the versions that the file
// names: testdata/reference/survival.R and its output survival.csv.
func figures(t *testing.T) func(name string) float64 {
	t.Helper()
	named := map[string]float64{}
	for _, line := range table(t, "survival.csv") {
		if strings.HasPrefix(line[0], "version.") || line[1] == "NA" {
			continue
		}
		v, err := strconv.ParseFloat(line[1], 64)
		require.NoError(t, err, line[0])
		named[line[0]] = v
	}
	return func(name string) float64 {
		v, ok := named[name]
		require.True(t, ok, name)
		return v
	}
}

func table(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(reference + name)
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	return lines[1:]
}

// data reads lung or mgus2. Column 0 has the days and 1 the cause; the other
// columns come as they are, -1 for NA.
func data(t *testing.T, name string, causes int) (d Data, columns [][]int32) {
	t.Helper()
	d.Causes = causes
	for _, line := range table(t, name) {
		var row []int32
		for _, field := range line {
			v, err := strconv.Atoi(strings.Replace(field, "NA", "-1", 1))
			require.NoError(t, err)
			row = append(row, int32(v))
		}
		d.Days, d.Cause = append(d.Days, row[0]), append(d.Cause, uint8(row[1]))
		columns = append(columns, row)
	}
	return d, columns
}

// weights and persons are those of survival.R.
func weights(n int) (w []float64) {
	for i := range n {
		w = append(w, 0.5+float64(i%7)/4)
	}
	return w
}

func persons(n, m int) (p []int32) {
	for i := range n {
		p = append(p, int32(i%m))
	}
	return p
}

// near compares with a figure of 15 digits.
func near(t *testing.T, want, got float64, about ...any) {
	t.Helper()
	assert.InDelta(t, want, got, 1e-11*math.Abs(want), about...)
}

func (d Data) where(keep func(i int) bool) (out Data, rows []int) {
	out.Causes = d.Causes
	for i := range d.Days {
		if !keep(i) {
			continue
		}
		rows = append(rows, i)
		out.Days, out.Cause = append(out.Days, d.Days[i]), append(out.Cause, d.Cause[i])
		if d.Person != nil {
			out.Person = append(out.Person, d.Person[i])
		}
		if d.Weight != nil {
			out.Weight = append(out.Weight, d.Weight[i])
		}
	}
	return out, rows
}

func TestKaplanMeierLung(t *testing.T) {
	r := figures(t)
	lung, columns := data(t, "lung.csv", 1)
	for name, scale := range map[string]Scale{"log-log": LogLog, "plain": Plain} {
		c, err := KaplanMeier(lung, Options{0.95, scale})
		require.NoError(t, err)
		for _, day := range []int32{90, 180, 365, 730} {
			at, f := fmt.Sprintf("lung.%s.%d.", name, day), c.At(0, day)
			near(t, r(at+"surv"), f.Value, at)
			near(t, r(at+"se"), f.SE, at)
			near(t, r(at+"low"), f.Low, at)
			near(t, r(at+"high"), f.High, at)
			assert.Equal(t, r(at+"risk"), c.AtRisk(day), at)
		}
		for _, share := range []float64{0.25, 0.5, 0.75} {
			at, f := fmt.Sprintf("lung.%s.quantile.%g.", name, share), c.Quantile(share)
			assert.Equal(t, r(at+"value"), f.Value, at)
			assert.Equal(t, r(at+"low"), f.Low, at)
			assert.Equal(t, r(at+"high"), f.High, at)
		}
		assert.Equal(t, 310.0, c.Median().Value)
		for _, horizon := range []int32{180, 365, 1022} {
			at := fmt.Sprintf("lung.rmean.%d.", horizon)
			f, err := c.RestrictedTime(0, horizon)
			require.NoError(t, err)
			near(t, r(at+"value"), f.Value, at)
			near(t, r(at+"se"), f.SE, at)
		}
	}
	var sexes [2]Figure
	for k := range sexes {
		d, _ := lung.where(func(i int) bool { return columns[i][2] == int32(k+1) })
		c, err := KaplanMeier(d, DefaultOptions())
		require.NoError(t, err)
		sexes[k], err = c.RestrictedTime(0, 365)
		require.NoError(t, err)
		near(t, r(fmt.Sprintf("lung.rmean.sex%d.value", k+1)), sexes[k].Value)
		near(t, r(fmt.Sprintf("lung.rmean.sex%d.se", k+1)), sexes[k].SE)
	}
	// The normal interval from survfit's two means: z is qnorm(0.975).
	d := Difference(sexes[1], sexes[0], 0.95)
	near(t, 297.465409532037-241.495085192057, d.Value)
	se := math.Sqrt(10.3582264910969*10.3582264910969 + 10.7913239788001*10.7913239788001)
	near(t, se, d.SE)
	near(t, d.Value-1.959963984540054*se, d.Low)
	near(t, d.Value+1.959963984540054*se, d.High)
}

// The five times of the issue: 0.8, 0.5333, 0; and survival's median of a curve
// that stands at one half for a while.
func TestKaplanMeierSmall(t *testing.T) {
	c, err := KaplanMeier(Data{Days: []int32{1, 1, 2, 2, 3}, Cause: []uint8{1, 0, 1, 0, 1}, Causes: 1}, DefaultOptions())
	require.NoError(t, err)
	for i, want := range []float64{4.0 / 5, 4.0 / 5 * 2 / 3, 0} {
		assert.InDelta(t, want, c.Steps[i].Survival().Value, 1e-15)
	}
	assert.Equal(t, []float64{5, 3, 1}, []float64{c.Steps[0].AtRisk, c.Steps[1].AtRisk, c.Steps[2].AtRisk})
	assert.Equal(t, []float64{1, 1, 0}, []float64{c.Steps[0].Censored, c.Steps[1].Censored, c.Steps[2].Censored})
	assert.Equal(t, 0.0, c.At(0, 4000).Value) // all have left, so that it stays known

	c, err = KaplanMeier(Data{Days: []int32{10, 20, 30, 40}, Cause: []uint8{1, 1, 1, 1}, Causes: 1}, DefaultOptions())
	require.NoError(t, err)
	assert.Equal(t, figures(t)("half.median"), c.Median().Value)
}

func TestRobustLung(t *testing.T) {
	r := figures(t)
	lung, _ := data(t, "lung.csv", 1)
	lung.Weight = weights(len(lung.Days))
	for _, kind := range []string{"weighted", "clustered"} {
		if kind == "clustered" {
			lung.Person = persons(len(lung.Days), 40)
		}
		c, err := KaplanMeier(lung, DefaultOptions())
		require.NoError(t, err)
		for _, day := range []int32{90, 180, 365, 730} {
			at, f := fmt.Sprintf("lung.%s.%d.", kind, day), c.At(0, day)
			near(t, r(at+"surv"), f.Value, at)
			near(t, r(at+"se"), f.SE, at)
			near(t, r(at+"low"), f.Low, at)
			near(t, r(at+"high"), f.High, at)
			near(t, r(at+"risk"), c.AtRisk(day), at)
		}
		f, err := c.RestrictedTime(0, 365)
		require.NoError(t, err)
		near(t, r("lung."+kind+".rmean.365.value"), f.Value)
		near(t, r("lung."+kind+".rmean.365.se"), f.SE)
	}
}

func TestAalenJohansenMgus2(t *testing.T) {
	r := figures(t)
	mgus, _ := data(t, "mgus2.csv", 2)
	for _, kind := range []string{"plain", "weighted", "clustered"} {
		switch kind {
		case "weighted":
			mgus.Weight = weights(len(mgus.Days))
		case "clustered":
			mgus.Person = persons(len(mgus.Days), 300)
		}
		c, err := AalenJohansen(mgus, DefaultOptions())
		require.NoError(t, err)
		for state := range 3 {
			for _, day := range []int32{12, 120, 240, 360} {
				at, f := fmt.Sprintf("mgus2.%s.%d.%d.", kind, state, day), c.At(state, day)
				near(t, r(at+"value"), f.Value, at)
				near(t, r(at+"se"), f.SE, at)
				if kind != "clustered" {
					near(t, r(at+"low"), f.Low, at)
					near(t, r(at+"high"), f.High, at)
				}
			}
			at := fmt.Sprintf("mgus2.%s.%d.rmean.240.", kind, state)
			f, err := c.RestrictedTime(state, 240)
			require.NoError(t, err)
			near(t, r(at+"value"), f.Value, at)
			near(t, r(at+"se"), f.SE, at)
		}
		if kind == "plain" {
			// cmprsk has the same chances with Aalen's variance, which is another one.
			for state := 1; state <= 2; state++ {
				near(t, r(fmt.Sprintf("mgus2.cmprsk.%d.240.value", state)), c.At(state, 240).Value)
				assert.InEpsilon(t, r(fmt.Sprintf("mgus2.cmprsk.%d.240.se", state)), c.At(state, 240).SE, 0.005)
			}
			// What others would read off 1 - KM is twice as much.
			assert.InDelta(t, 0.0998, c.At(1, 240).Value, 5e-5)
			assert.InDelta(t, 0.2096, r("mgus2.one_minus_km.240"), 5e-5)
		}
	}
}

func TestLogRank(t *testing.T) {
	r := figures(t)
	lung, columns := data(t, "lung.csv", 1)
	known, rows := lung.where(func(i int) bool { return columns[i][3] >= 0 })
	column := func(rows []int, columns [][]int32, k int) (out []int32) {
		for _, i := range rows {
			out = append(out, columns[i][k])
		}
		return out
	}
	all := make([]int, len(columns))
	for i := range all {
		all[i] = i
	}
	sex := column(all, columns, 2)
	check := func(name string, d Data, by Groups) {
		t.Helper()
		got, err := LogRank(d, by)
		require.NoError(t, err, name)
		near(t, r(name+".chisq"), got.ChiSquare, name)
		near(t, r(name+".p"), got.P, name)
		assert.Equal(t, r(name+".df"), float64(got.DF), name)
		assert.False(t, got.Robust)
		for g, total := range got.Groups {
			assert.Equal(t, r(fmt.Sprintf("%s.obs.%d", name, g+1)), total.Observed, name)
			near(t, r(fmt.Sprintf("%s.exp.%d", name, g+1)), total.Expected, name)
		}
	}
	check("logrank.sex", lung, Groups{Group: sex})
	check("logrank.ecog", known, Groups{Group: column(rows, columns, 3)})
	check("logrank.sex_by_ecog", known, Groups{Group: column(rows, columns, 2), Stratum: column(rows, columns, 3)})

	robust := func(name string, d Data, group []int32) {
		t.Helper()
		got, err := LogRank(d, Groups{Group: group})
		require.NoError(t, err, name)
		near(t, r(name+".chisq"), got.ChiSquare, name)
		assert.True(t, got.Robust)
	}
	known.Person = make([]int32, len(rows))
	for k, i := range rows {
		known.Person[k] = int32(i % 40)
	}
	robust("logrank.ecog_clustered", known, column(rows, columns, 3))
	lung.Weight = weights(len(all))
	robust("logrank.sex_weighted", lung, sex)
	lung.Person = persons(len(all), 40)
	robust("logrank.sex_clustered", lung, sex)

	mgus, columns := data(t, "mgus2.csv", 2)
	all = nil
	for i := range columns {
		all = append(all, i)
	}
	check("logrank.mgus2_pcm", mgus, Groups{Group: column(all, columns, 2), Cause: 1})
	check("logrank.mgus2_any", mgus, Groups{Group: column(all, columns, 2)})
}

func TestChiSquareTail(t *testing.T) {
	r := figures(t)
	for _, x := range []float64{0.1, 10, 100, 1400} {
		for _, df := range []int{1, 3, 8} {
			want := r(fmt.Sprintf("tail.%g.%d", x, df))
			assert.InEpsilon(t, want, ChiSquareTail(x, df), 1e-11)
		}
	}
	assert.Equal(t, 1.0, ChiSquareTail(0, 2))
	assert.Equal(t, 0.0, ChiSquareTail(math.Inf(1), 2))
	assert.True(t, math.IsNaN(ChiSquareTail(1, 0)))
	assert.True(t, math.IsNaN(ChiSquareTail(math.NaN(), 1)))
}

// states is the curve by its definition, at one day, straight from the rows:
// chances and days spent of every state.
func states(d Data, w []float64, day int32) (p, area []float64) {
	p, area = make([]float64, d.Causes+1), make([]float64, d.Causes+1)
	p[0] = 1
	for now := int32(0); now <= day; now++ {
		if now > 0 {
			for s := range p {
				area[s] += p[s]
			}
		}
		y, exits := 0.0, make([]float64, d.Causes+1)
		for i := range d.Days {
			if d.Days[i] >= now {
				y += w[i]
			}
			if d.Days[i] == now {
				exits[d.Cause[i]] += w[i]
			}
		}
		before := p[0]
		for s := 1; s < len(p) && y > 0; s++ {
			p[s] += before * exits[s] / y
			p[0] -= before * exits[s] / y
		}
	}
	return p, area
}

// draw makes data with ties, repeated persons and weights.
func draw(t *rapid.T) Data {
	d := Data{Causes: rapid.IntRange(1, 3).Draw(t, "causes")}
	n := rapid.IntRange(2, 25).Draw(t, "n")
	repeats, weighted := rapid.Bool().Draw(t, "repeats"), rapid.Bool().Draw(t, "weighted")
	for range n {
		d.Days = append(d.Days, int32(rapid.IntRange(0, 12).Draw(t, "day")))
		d.Cause = append(d.Cause, uint8(rapid.IntRange(0, d.Causes).Draw(t, "cause")))
		if repeats {
			d.Person = append(d.Person, int32(rapid.IntRange(0, n/2).Draw(t, "person")))
		}
		if weighted {
			d.Weight = append(d.Weight, rapid.SampledFrom([]float64{0, 0.25, 0.7, 1, 3}).Draw(t, "weight"))
		}
	}
	return d
}

// The standard errors are those of the jackknife by its definition: move each
// row's weight a little either way, and see what the curve does.
func TestInfinitesimalJackknife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		c, err := AalenJohansen(d, DefaultOptions())
		if _, refused := effect.AsRefusal(err); refused {
			return // all weights are 0
		}
		require.NoError(t, err)
		w := make([]float64, len(d.Days))
		carry := map[int32]bool{}
		person := func(i int) int32 {
			if d.Person == nil {
				return int32(i)
			}
			return d.Person[i]
		}
		for i := range w {
			w[i] = d.weight(i)
			if w[i] > 0 {
				carry[person(i)] = true
			}
		}
		for day := int32(0); day <= c.Steps[len(c.Steps)-1].Day; day++ {
			p, area := states(d, w, day)
			for s := range p {
				inP, inArea := map[int32]float64{}, map[int32]float64{}
				for i := range w {
					if w[i] == 0 {
						continue
					}
					step := w[i] * 1e-5
					up, down := slices.Clone(w), slices.Clone(w)
					up[i] += step
					down[i] -= step
					p1, a1 := states(d, up, day)
					p0, a0 := states(d, down, day)
					inP[person(i)] += w[i] * (p1[s] - p0[s]) / (2 * step)
					inArea[person(i)] += w[i] * (a1[s] - a0[s]) / (2 * step)
				}
				f, at := c.At(s, day), fmt.Sprint("state ", s, " day ", day)
				g, err := c.RestrictedTime(s, day)
				require.NoError(t, err)
				require.InDelta(t, p[s], f.Value, 1e-12, at)
				require.InDelta(t, area[s], g.Value, 1e-10, at)
				if len(carry) < 2 {
					require.True(t, math.IsNaN(f.SE) && math.IsNaN(g.SE), at)
					continue
				}
				require.InDelta(t, norm(inP), f.SE, 1e-6, at)
				require.InDelta(t, norm(inArea), g.SE, 1e-5, at)
			}
		}
	})
}

func norm(m map[int32]float64) float64 {
	sum := 0.0
	for _, v := range m {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		c, err := AalenJohansen(d, DefaultOptions())
		if err != nil {
			return
		}
		km, err := KaplanMeier(d, DefaultOptions())
		require.NoError(t, err)
		for j, s := range c.Steps {
			sum := 0.0
			for _, f := range s.States {
				sum += f.Value
				require.True(t, f.Value >= 0 && f.Value <= 1)
				require.True(t, math.IsNaN(f.Low) || f.Low >= 0 && f.Low <= f.Value && f.Value <= f.High && f.High <= 1)
			}
			require.InDelta(t, 1, sum, 1e-14, "states sum to 1")
			// State 0 is the Kaplan-Meier curve; without competing exits state 1 is its
			// complement, with the same standard error.
			k := km.Steps[j].States
			require.InDelta(t, k[0].Value, s.States[0].Value, 1e-14)
			require.InDelta(t, 1-k[0].Value, k[1].Value, 1e-14)
			if !math.IsNaN(k[0].SE) {
				require.InDelta(t, k[0].SE, k[1].SE, 1e-12)
				require.InDelta(t, k[0].SE, s.States[0].SE, 1e-12)
			}
		}
		horizon, sum := c.Steps[len(c.Steps)-1].Day, 0.0
		for s := range d.Causes + 1 {
			f, err := c.RestrictedTime(s, horizon)
			require.NoError(t, err)
			sum += f.Value
		}
		require.InDelta(t, float64(horizon), sum, 1e-12, "days add to the horizon")

		// The order of rows changes no bit; nor do other numbers for the same persons
		// in the same order.
		order := rapid.Permutation(d.rows()).Draw(t, "order")
		other := d.take(order)
		for i := range other.Person {
			other.Person[i] = 3*other.Person[i] + 7
		}
		again, err := AalenJohansen(other, DefaultOptions())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(c), fmt.Sprint(again))

		// Twice the weight, and every row twice at half the weight: the same curve. The
		// copies are the same person, so the standard error stays too.
		for _, twice := range []Data{d.scaled(2), d.halved()} {
			again, err := AalenJohansen(twice, DefaultOptions())
			require.NoError(t, err)
			for j, s := range c.Steps {
				for k, f := range s.States {
					g := again.Steps[j].States[k]
					require.InDelta(t, f.Value, g.Value, 1e-12)
					if !math.IsNaN(f.SE) {
						require.InDelta(t, f.SE, g.SE, 1e-10)
					}
				}
			}
		}
	})
}

func (d Data) rows() []int {
	var out []int
	for i := range d.Days {
		out = append(out, i)
	}
	return out
}

func (d Data) take(order []int) Data {
	out := Data{Causes: d.Causes}
	for _, i := range order {
		one, _ := d.where(func(j int) bool { return j == i })
		out.Days, out.Cause = append(out.Days, one.Days...), append(out.Cause, one.Cause...)
		out.Person, out.Weight = append(out.Person, one.Person...), append(out.Weight, one.Weight...)
	}
	return out
}

func (d Data) scaled(f float64) Data {
	w := make([]float64, len(d.Days))
	for i := range w {
		w[i] = f * d.weight(i)
	}
	d.Weight = w
	return d
}

func (d Data) halved() Data {
	if d.Person == nil {
		d.Person = persons(len(d.Days), len(d.Days))
	}
	return d.scaled(0.5).take(append(d.rows(), d.rows()...))
}

// Without censoring the chances are shares, their standard errors
// sqrt(p(1-p)/n), and the mean days plain means.
func TestWithoutCensoringSharesAndMeans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		d.Person, d.Weight = nil, nil
		for i := range d.Cause {
			d.Cause[i] = max(d.Cause[i], 1)
		}
		c, err := AalenJohansen(d, DefaultOptions())
		require.NoError(t, err)
		n := float64(len(d.Days))
		for day := int32(0); day <= 13; day++ {
			for s := range d.Causes + 1 {
				count := 0.0
				var spent []float64
				for i, left := range d.Days {
					in := s == 0 && left > day || s > 0 && left <= day && int(d.Cause[i]) == s
					if in {
						count++
					}
					switch {
					case s == 0:
						spent = append(spent, float64(min(left, day)))
					case int(d.Cause[i]) == s:
						spent = append(spent, float64(max(day-left, 0)))
					default:
						spent = append(spent, 0)
					}
				}
				p := count / n
				f := c.At(s, day)
				require.InDelta(t, p, f.Value, 1e-14)
				require.InDelta(t, math.Sqrt(p*(1-p)/n), f.SE, 1e-8)
				mean, squares := 0.0, 0.0
				for _, v := range spent {
					mean += v / n
				}
				for _, v := range spent {
					squares += (v - mean) * (v - mean)
				}
				g, err := c.RestrictedTime(s, day)
				require.NoError(t, err)
				require.InDelta(t, mean, g.Value, 1e-12)
				require.InDelta(t, math.Sqrt(squares)/n, g.SE, 1e-6)
			}
		}
	})
}

// The log-rank statistic by its definition over a two-by-two table a day.
func TestLogRankByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		d.Person, d.Weight = nil, nil
		var by Groups
		for range d.Days {
			by.Group = append(by.Group, int32(rapid.IntRange(-1, 0).Draw(t, "group")))
			by.Stratum = append(by.Stratum, int32(rapid.IntRange(5, 6).Draw(t, "stratum")))
		}
		var u, v float64
		for stratum := int32(5); stratum <= 6; stratum++ {
			for day := int32(0); day <= 12; day++ {
				var y, y1, e, e1 float64
				for i := range d.Days {
					if by.Stratum[i] != stratum || d.Days[i] < day {
						continue
					}
					first := float64(-by.Group[i])
					y++
					y1 += first
					if d.Days[i] == day && d.Cause[i] > 0 {
						e++
						e1 += first
					}
				}
				if y > 0 {
					u += e1 - e*y1/y
				}
				if y > 1 {
					v += e * (y - e) / (y - 1) * y1 / y * (1 - y1/y)
				}
			}
		}
		got, err := LogRank(d, by)
		if v == 0 {
			r, ok := effect.AsRefusal(err)
			require.True(t, ok)
			require.Contains(t, []string{effect.RefusalNoVariation, RefusalOneGroup}, r.Code)
			return
		}
		require.NoError(t, err)
		require.InDelta(t, u*u/v, got.ChiSquare, 1e-10*max(1, u*u/v))
		require.Equal(t, 1, got.DF)

		order := rapid.Permutation(d.rows()).Draw(t, "order")
		other := Groups{}
		for _, i := range order {
			other.Group = append(other.Group, 10*by.Group[i]+3)
			other.Stratum = append(other.Stratum, by.Stratum[i])
		}
		again, err := LogRank(d.take(order), other)
		require.NoError(t, err)
		require.Equal(t, got.ChiSquare, again.ChiSquare, "same bytes in any order")

		// Every person twice, at half the weight: robust, and the same either way.
		robust := d
		robust.Weight = slices.Repeat([]float64{1}, len(d.Days))
		a, err := LogRank(robust, by)
		if err != nil {
			return
		}
		twice := Groups{Group: append(slices.Clone(by.Group), by.Group...), Stratum: append(slices.Clone(by.Stratum), by.Stratum...)}
		b, err := LogRank(robust.halved(), twice)
		require.NoError(t, err)
		require.InDelta(t, a.ChiSquare, b.ChiSquare, 1e-8*max(1, a.ChiSquare))
	})
}

func TestRefusals(t *testing.T) {
	good := func() Data {
		return Data{Days: []int32{1, 2, 3}, Cause: []uint8{1, 0, 2}, Causes: 2, Weight: []float64{1, 1, 1}, Person: []int32{1, 2, 3}}
	}
	for name, c := range map[string]struct {
		spoil func(*Data)
		code  string
	}{
		"no cases":        {func(d *Data) { *d = Data{Causes: 2} }, effect.RefusalNoCases},
		"no weight":       {func(d *Data) { d.Weight = make([]float64, 3) }, effect.RefusalNoCases},
		"NaN weight":      {func(d *Data) { d.Weight[1] = math.NaN() }, effect.RefusalNotFinite},
		"negative weight": {func(d *Data) { d.Weight[1] = -1 }, effect.RefusalNotFinite},
		"infinite weight": {func(d *Data) { d.Weight[1] = math.Inf(1) }, effect.RefusalNotFinite},
		"infinite sum":    {func(d *Data) { d.Weight[0], d.Weight[1] = math.MaxFloat64, math.MaxFloat64 }, effect.RefusalNotFinite},
		"negative day":    {func(d *Data) { d.Days[0] = -1 }, RefusalDays},
		"day too long":    {func(d *Data) { d.Days[0] = MaxDay + 1 }, RefusalDays},
		"unknown cause":   {func(d *Data) { d.Cause[0] = 3 }, RefusalCause},
		"no causes":       {func(d *Data) { d.Causes = 0 }, RefusalOptions},
		"too many causes": {func(d *Data) { d.Causes = MaxCauses + 1 }, RefusalOptions},
		"short causes":    {func(d *Data) { d.Cause = d.Cause[:2] }, RefusalLengths},
		"short weights":   {func(d *Data) { d.Weight = d.Weight[:2] }, RefusalLengths},
		"short persons":   {func(d *Data) { d.Person = d.Person[:2] }, RefusalLengths},
	} {
		d := good()
		c.spoil(&d)
		_, first := KaplanMeier(d, DefaultOptions())
		_, second := AalenJohansen(d, DefaultOptions())
		_, third := LogRank(d, Groups{Group: []int32{1, 2, 2}})
		_, fourth := Rows("", effect.Cell{}, make([]string, max(d.Causes, 0)), d, nil, DefaultOptions())
		for _, err := range []error{first, second, third, fourth} {
			r, ok := effect.AsRefusal(err)
			require.True(t, ok, name)
			assert.Equal(t, c.code, r.Code, name)
			assert.NotEmpty(t, r.Cure)
		}
	}
	for _, o := range []Options{{}, {Confidence: 1, Scale: LogLog}, {Confidence: math.NaN(), Scale: Plain}, {Confidence: 0.95, Scale: "arcsine"}} {
		_, err := AalenJohansen(good(), o)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok)
		assert.Equal(t, RefusalOptions, r.Code)
	}
	for _, c := range []struct {
		by   Groups
		code string
	}{
		{Groups{Group: []int32{1, 1, 1}}, RefusalOneGroup},
		{Groups{Group: []int32{1, 1}}, RefusalLengths},
		{Groups{Group: []int32{1, 2, 2}, Stratum: []int32{1}}, RefusalLengths},
		{Groups{Group: []int32{1, 2, 2}, Cause: 3}, RefusalCause},
		{Groups{Group: []int32{1, 2, 3}, Stratum: []int32{1, 2, 3}}, effect.RefusalNoVariation},
	} {
		_, err := LogRank(good(), c.by)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok)
		assert.Equal(t, c.code, r.Code)
	}
	none := good()
	none.Cause = make([]uint8, 3)
	_, err := LogRank(none, Groups{Group: []int32{1, 2, 2}})
	r, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalNoVariation, r.Code)
	one := good()
	one.Weight, one.Person = nil, []int32{1, 1, 1}
	_, err = LogRank(one, Groups{Group: []int32{1, 2, 2}})
	r, ok = effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalFewCases, r.Code)
	one.Days, one.Cause, one.Person = []int32{1, 2, 3, 4, 5}, []uint8{1, 1, 1, 1, 0}, []int32{1, 1, 1, 2, 2}
	_, err = LogRank(one, Groups{Group: []int32{1, 2, 3, 2, 2}})
	r, ok = effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalFewCases, r.Code)
	_, err = Rows("", effect.Cell{}, []string{"one"}, good(), nil, DefaultOptions())
	r, ok = effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, RefusalCause, r.Code)
}

// same compares figures with NaN equal to NaN.
func same(t *testing.T, want, got Figure) {
	t.Helper()
	assert.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
}

func TestEdges(t *testing.T) {
	nan := math.NaN()
	// One person: an estimate, but nothing to tell its variance from.
	c, err := KaplanMeier(Data{Days: []int32{5}, Cause: []uint8{1}, Causes: 1}, DefaultOptions())
	require.NoError(t, err)
	same(t, Figure{1, nan, nan, nan}, c.At(0, 4))
	same(t, Figure{0, nan, nan, nan}, c.At(0, 5))
	same(t, Figure{1, nan, nan, nan}, c.At(1, 5))
	same(t, Figure{5, nan, nan, nan}, c.Median())
	f, err := c.RestrictedTime(0, 9)
	require.NoError(t, err)
	same(t, Figure{5, nan, nan, nan}, f)
	// So for a person with several rows.
	c, err = KaplanMeier(Data{Days: []int32{5, 7}, Cause: []uint8{1, 1}, Causes: 1, Person: []int32{4, 4}}, DefaultOptions())
	require.NoError(t, err)
	same(t, Figure{0.5, nan, nan, nan}, c.At(0, 5))

	// No exits: waiting is all that is seen, without limits, and no median.
	c, err = AalenJohansen(Data{Days: []int32{5, 9}, Cause: []uint8{0, 0}, Causes: 2}, DefaultOptions())
	require.NoError(t, err)
	same(t, Figure{1, 0, nan, nan}, c.At(0, 9))
	same(t, Figure{0, 0, nan, nan}, c.At(2, 9))
	same(t, Figure{nan, nan, nan, nan}, c.Median())
	f, err = c.RestrictedTime(0, 9)
	require.NoError(t, err)
	same(t, Figure{9, 0, nan, nan}, f)
	// Past the follow-up nothing is known.
	same(t, unknown(), c.At(0, 10))
	assert.Equal(t, 0.0, c.AtRisk(10))
	for _, horizon := range []int32{10, -1} {
		_, err = c.RestrictedTime(0, horizon)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok)
		assert.Equal(t, RefusalFollowUp, r.Code)
	}
	for _, state := range []int{-1, 3} {
		same(t, unknown(), c.At(state, 5))
		_, err = c.RestrictedTime(state, 5)
		r, ok := effect.AsRefusal(err)
		require.True(t, ok)
		assert.Equal(t, RefusalState, r.Code)
	}
	same(t, unknown(), c.At(0, -1))

	// All leave at once, on day 0: a share of all, known from then on.
	c, err = KaplanMeier(Data{Days: []int32{0, 0}, Cause: []uint8{1, 1}, Causes: 1}, DefaultOptions())
	require.NoError(t, err)
	same(t, Figure{0, 0, nan, nan}, c.At(0, 0))
	same(t, Figure{0, 0, nan, nan}, c.At(0, 100))
	assert.Equal(t, 0.0, c.Median().Value)
	for _, share := range []float64{0, 1, nan} {
		same(t, unknown(), c.Quantile(share))
	}
	f, err = c.RestrictedTime(0, 100)
	require.NoError(t, err)
	same(t, Figure{0, 0, nan, nan}, f)
	// Censored on the day of an exit is at risk of it.
	c, err = KaplanMeier(Data{Days: []int32{3, 3}, Cause: []uint8{0, 1}, Causes: 1}, DefaultOptions())
	require.NoError(t, err)
	assert.Equal(t, 0.5, c.At(0, 3).Value)

	same(t, Figure{1, nan, nan, nan}, Difference(Figure{3, nan, nan, nan}, Figure{2, 1, 1, 1}, 0.95))
	same(t, Figure{1, 0, nan, nan}, Difference(Figure{Value: 3}, Figure{Value: 2}, 0.95))
}

// Inputs stay as they were.
func TestNothingIsChanged(t *testing.T) {
	d := Data{Days: []int32{9, 2, 3}, Cause: []uint8{1, 0, 2}, Causes: 2, Weight: []float64{1, 3, 2}, Person: []int32{7, 2, 7}}
	by := Groups{Group: []int32{2, 1, 1}, Stratum: []int32{0, 0, 0}}
	before := fmt.Sprint(d, by)
	_, err := KaplanMeier(d, DefaultOptions())
	require.NoError(t, err)
	_, err = AalenJohansen(d, DefaultOptions())
	require.NoError(t, err)
	_, err = LogRank(d, by)
	require.NoError(t, err)
	assert.Equal(t, before, fmt.Sprint(d, by))
}

func TestRows(t *testing.T) {
	r := figures(t)
	mgus, _ := data(t, "mgus2.csv", 2)
	cell := effect.Cell{Municipality: "751", MatchGroup: "2.3", Provider: "p"}
	rows, err := Rows("out", cell, []string{"pcm", "death"}, mgus, []int32{12, 240}, DefaultOptions())
	require.NoError(t, err)
	require.Len(t, rows, 4)
	for i, row := range rows {
		cause := i/2 + 1
		assert.Equal(t, []string{"pcm", "death"}[cause-1], row.Cause)
		assert.Equal(t, cell, row.Cell)
		at := fmt.Sprintf("mgus2.plain.%d.%d.", cause, row.Day)
		assert.Equal(t, effect.Round(r(at+"value")), row.Estimate)
		assert.Equal(t, effect.Round(r(at+"se")), row.SE)
		assert.InEpsilon(t, r(at+"low"), row.Low, 1e-8)
		assert.InEpsilon(t, r(at+"high"), row.High, 1e-8)
		var events, risk float64
		for k := range mgus.Days {
			if int64(mgus.Days[k]) <= row.Day && int(mgus.Cause[k]) == cause {
				events++
			}
			if int64(mgus.Days[k]) >= row.Day {
				risk++
			}
		}
		assert.Equal(t, events, row.Events)
		assert.Equal(t, risk, row.AtRisk)
	}
	empty, err := Rows("out", cell, []string{"pcm", "death"}, mgus, nil, DefaultOptions())
	require.NoError(t, err)
	assert.Empty(t, empty)

	// Past the follow-up there are counts and no figures.
	late, err := Rows("out", cell, []string{"work"}, Data{Days: []int32{1, 5}, Cause: []uint8{1, 0}, Causes: 1}, []int32{6}, DefaultOptions())
	require.NoError(t, err)
	require.Len(t, late, 1)
	same(t, unknown(), Figure{late[0].Estimate, late[0].SE, late[0].Low, late[0].High})
	assert.Equal(t, 0.0, late[0].AtRisk)
	assert.Equal(t, 1.0, late[0].Events)

	assert.Equal(t, []int32{28, 56, 84, 90}, Every(28, 90))
	assert.Equal(t, []int32{28, 56}, Every(28, 56))
	assert.Equal(t, []int32{20}, Every(28, 20))
	assert.Empty(t, Every(0, 90))
	assert.Empty(t, Every(28, 0))
}

func TestTake(t *testing.T) {
	r := &effect.Result{
		Days:  []int32{4, effect.NoTime, 9, 0, 7, 1},
		Event: effect.Factor{Codes: []int32{1, -1, -1, 0, 2, 1}, Levels: []string{"work", "dead", "pension"}},
	}
	person := []int32{5, 6, 7, 5, 8, 9}
	d, names, err := Take(r, person, []int32{0, 1, 2, 3, 4}, []float64{1, 2, 3, 4, 5})
	require.NoError(t, err)
	assert.Equal(t, []string{"dead", "pension", "reached", "work"}, names)
	assert.Equal(t, Data{
		Days: []int32{4, 9, 0, 7}, Cause: []uint8{1, 0, 4, 2}, Causes: 4, Person: []int32{5, 7, 5, 8}, Weight: []float64{1, 3, 4, 5},
	}, d)
	_, err = Rows("out", effect.Cell{}, names, d, Every(2, 8), DefaultOptions())
	require.NoError(t, err)

	d, _, err = Take(r, person, []int32{1}, nil)
	require.NoError(t, err)
	_, err = KaplanMeier(d, DefaultOptions())
	refusal, ok := effect.AsRefusal(err)
	require.True(t, ok)
	assert.Equal(t, effect.RefusalNoCases, refusal.Code)

	// No event among all the cases: everybody is censored.
	d, names, err = Take(&effect.Result{Days: []int32{4}}, person, []int32{0}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{effect.EventReached}, names)
	assert.Equal(t, Data{Days: []int32{4}, Cause: []uint8{0}, Causes: 1, Person: []int32{5}}, d)

	_, _, unweighted := Take(r, person, []int32{1}, []float64{})
	_, _, untimed := Take(&effect.Result{}, person, []int32{1}, nil)
	for _, err := range []error{unweighted, untimed} {
		refusal, ok := effect.AsRefusal(err)
		require.True(t, ok)
		assert.Equal(t, RefusalLengths, refusal.Code)
	}
}

// cohort is that of bench/curves/curves.R.
func cohort(n int) Data {
	d := Data{Causes: 2}
	for i := range n {
		u := float64((i*7919+13)%1000003) / 1000003
		day, cause := int32(-200*math.Log1p(-u)), uint8(1)
		if i%4 == 0 {
			cause = 2
		}
		if day >= 728 {
			day, cause = 728, 0
		}
		d.Days, d.Cause = append(d.Days, day), append(d.Cause, cause)
	}
	return d
}

// Many rows: survfit's figures, and the shares that an uncensored cohort's
// chances are, to the digits that tables hold.
func TestCohort(t *testing.T) {
	r := figures(t)
	small := cohort(20_000)
	for _, kind := range []string{"plain", "weighted"} {
		if kind == "weighted" {
			small.Weight = weights(20_000)
		}
		c, err := AalenJohansen(small, DefaultOptions())
		require.NoError(t, err)
		for state := range 3 {
			at, f := fmt.Sprintf("cohort.20000.%s.%d.365.", kind, state), c.At(state, 365)
			near(t, r(at+"value"), f.Value, at)
			near(t, r(at+"se"), f.SE, at)
		}
	}
	large := cohort(1_000_000)
	c, err := AalenJohansen(large, DefaultOptions())
	require.NoError(t, err)
	near(t, r("cohort.1000000.km.700.value"), c.At(0, 700).Value)
	assert.InEpsilon(t, r("cohort.1000000.km.700.se"), c.At(0, 700).SE, 1e-10)
	for state := range 3 {
		count := 0.0
		for i, day := range large.Days {
			if state == 0 && day > 700 || state > 0 && day <= 700 && int(large.Cause[i]) == state {
				count++
			}
		}
		p := count / 1e6
		assert.InEpsilon(t, p, c.At(state, 700).Value, 1e-11)
		assert.InEpsilon(t, math.Sqrt(p*(1-p)/1e6), c.At(state, 700).SE, 1e-10)
	}
}

// uniform is number i of a stream of the unit interval, the same everywhere.
func uniform(i uint64) float64 {
	i = (i + 1) * 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	i = (i ^ i>>27) * 0x94d049bb133111eb
	return float64((i^i>>31)>>11) / (1 << 53)
}

// Intervals hold the truth as often as they say, in cohorts of 100 with
// competing exits at constant rates, persons censored evenly over 250 days and,
// in the second world, persons of two rows that share one life.
func TestCoverage(t *testing.T) {
	const runs, n, rate1, rate2 = 2000, 100, 0.004, 0.002
	left := func(day float64) float64 { return -math.Expm1(-(rate1 + rate2) * day) }
	third := func(day float64) float64 { return rate1 / (rate1 + rate2) * left(day) }
	days := 0.0 // of the first 100, spent gone by cause 1
	for day := range 100 {
		days += third(float64(day))
	}
	for _, each := range []int{1, 2} {
		hits := map[string]int{}
		for run := range runs {
			d := Data{Causes: 2}
			for i := range n {
				u := func(k int) float64 { return uniform(uint64((run*n+i)*4 + k)) }
				// Exits within a day are dated on the next, so that chances at the end of a
				// day are those of continuous time.
				exit, censored := math.Ceil(-math.Log1p(-u(0))/(rate1+rate2)), math.Floor(1+250*u(1))
				cause := uint8(1)
				if u(2) < rate2/(rate1+rate2) {
					cause = 2
				}
				if censored < exit {
					exit, cause = censored, 0
				}
				for range each {
					d.Days, d.Cause, d.Person = append(d.Days, int32(exit)), append(d.Cause, cause), append(d.Person, int32(i))
				}
			}
			c, err := AalenJohansen(d, DefaultOptions())
			require.NoError(t, err)
			lost, err := c.RestrictedTime(1, 100)
			require.NoError(t, err)
			for name, x := range map[string]struct {
				f     Figure
				truth float64
			}{
				"survival": {c.At(0, 100), 1 - left(100)}, "incidence": {c.At(1, 100), third(100)}, "days lost": {lost, days},
				"median": {c.Median(), math.Ceil(math.Ln2 / (rate1 + rate2))},
			} {
				if x.f.Low <= x.truth && !(x.truth > x.f.High) { // no upper limit is no bound
					hits[name]++
				}
			}
		}
		// 2000 runs tell 95 % to 1 point either way.
		for _, name := range []string{"survival", "incidence", "days lost", "median"} {
			share := float64(hits[name]) / runs
			t.Logf("rows of a person %d: %s %.4f", each, name, share)
			assert.InDelta(t, 0.95, share, 0.02, name)
		}
	}
}

func BenchmarkAalenJohansen(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		plain := cohort(n)
		weighted, clustered := plain, plain
		weighted.Weight = weights(n)
		clustered.Person = persons(n, cmp.Or(n*9/10, 1))
		for name, d := range map[string]Data{"plain": plain, "weighted": weighted, "clustered": clustered} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for range b.N {
					if _, err := AalenJohansen(d, DefaultOptions()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
