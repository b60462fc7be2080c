package effect_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// half is a second method: it expects half of the plain mean.
type half struct{ spy }

func (half) Name() string { return "half" }

func (h half) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	e, err := h.spy.Expect(ctx, c)
	e.Expected /= 2
	return e, err
}

// Every other way of looking is a comparison that could have been made by itself,
// and gives the same figures when it is.
func TestSensitivity(t *testing.T) {
	obs := six()
	n := obs.Cases.Len()
	obs.Cases.Start = make([]effect.Date, n)
	for i := range n {
		obs.Cases.Start[i] = 110
		if i%10 == 0 {
			obs.Cases.Start[i] = effect.NoDate
		}
	}
	obs.Cases.Placebo = &effect.Placebo{Weeks: 26, Value: make([]float64, n)}
	later := obs.Results[0]
	later.Outcome, later.Value = "job_later", make([]float64, n)
	for i := range n {
		later.Value[i] = float64(i % 2)
	}
	obs.Results = append(obs.Results, later)

	d := effect.DefaultDesign()
	d.Peers = map[string][]string{"H": {"A", "B", "C", "D", "E"}}
	methods := []effect.Method{spy{&sync.Map{}}, half{spy{&sync.Map{}}}}
	rows, err := effect.Estimates(context.Background(), obs, d, methods)
	require.NoError(t, err)
	benchmark := effect.Benchmark(rows)
	s := effect.DefaultSensitivity()
	s.Windows = map[string][]string{"job": {"job_later"}}
	band, err := s.Band(context.Background(), obs, d, methods, benchmark)
	require.NoError(t, err)

	find := func(obs *effect.Observations, d effect.Design, outcome, method string, part effect.Part) effect.BenchmarkRow {
		rows, err := effect.Estimates(context.Background(), obs, d, methods)
		require.NoError(t, err)
		for _, b := range effect.Benchmark(rows) {
			if b.Outcome == outcome && b.Method == method && b.Provider == "p" && b.Part == part {
				return b
			}
		}
		t.Fatal("no row")
		return effect.BenchmarkRow{}
	}
	var total []effect.SensitivityRow
	for _, r := range band {
		_, placebo := effect.PlaceboOf(r.Outcome)
		require.False(t, placebo)
		require.NotEqual(t, effect.Municipality, r.Part)
		if r.Outcome == "job" && r.Provider == "p" && r.Part == effect.Total {
			total = append(total, r)
		}
	}
	var ways []string
	for _, r := range total {
		ways = append(ways, r.Variation+" "+r.What)
	}
	require.Equal(t, []string{"main spy", "method half", "peer A", "peer B", "peer C", "peer D", "peer E", "window job_later", "dropouts "}, ways)

	same := func(want effect.BenchmarkRow, got effect.SensitivityRow) {
		t.Helper()
		assert.Equal(t, [3]float64{want.Difference, want.Low, want.High}, [3]float64{got.Difference, got.Low, got.High})
		assert.Equal(t, want.Verdict, got.Verdict)
		assert.Equal(t, want.NCompared, got.N)
	}
	same(find(obs, d, "job", "spy", effect.Total), total[0])
	same(find(obs, d, "job", "half", effect.Total), total[1])
	less := d
	less.Peers = map[string][]string{"H": {"A", "B", "D", "E"}}
	same(find(obs, less, "job", "spy", effect.Total), total[4])
	same(find(obs, d, "job_later", "spy", effect.Total), total[7])
	started := six()
	for i := range n {
		started.Results[0].Complete[i] = i%10 != 0
	}
	same(find(started, d, "job", "spy", effect.Total), total[8])

	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range total[1:] {
		low, high = math.Min(low, r.Difference), math.Max(high, r.Difference)
	}
	assert.Contains(t, total[0].Words, "difference +30.0 points; between ")
	assert.Contains(t, total[0].Words, " in 8 other ways of looking, of which ")
	for _, r := range total[1:] {
		assert.Empty(t, r.Words)
	}
	assert.Less(t, low, high)

	// Where there is no figure there is no band.
	d.MinN = 1000
	rows, err = effect.Estimates(context.Background(), obs, d, methods)
	require.NoError(t, err)
	band, err = s.Band(context.Background(), obs, d, methods, effect.Benchmark(rows))
	require.NoError(t, err)
	assert.Equal(t, "no figure, and so nothing to vary (n_below_minimum)", band[0].Words)
}
