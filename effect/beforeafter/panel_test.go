package beforeafter_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
)

func TestPanelFaults(t *testing.T) {
	for want, change := range map[string]func(*beforeafter.Panel){
		"there is no unit":                              func(p *beforeafter.Panel) { *p = beforeafter.Panel{Periods: p.Periods} },
		"there is no period":                            func(p *beforeafter.Panel) { p.Periods = nil },
		"2 units have 1 rows of outcomes":               func(p *beforeafter.Panel) { p.Y = p.Y[:1] },
		"2 units have 1 first periods with the change":  func(p *beforeafter.Panel) { p.Since = p.Since[:1] },
		"2 units have 0 rows of covariates":             func(p *beforeafter.Panel) { p.X = nil },
		"2 units have 3 weights":                        func(p *beforeafter.Panel) { p.Weight = []float64{1, 1, 1} },
		"period 2 is there twice":                       func(p *beforeafter.Panel) { p.Periods[2] = 2 },
		"period 1 comes after 2":                        func(p *beforeafter.Panel) { p.Periods[2] = 1 },
		"unit a is there twice":                         func(p *beforeafter.Panel) { p.Units[1] = "a" },
		"unit b has 2 outcomes for 3 periods":           func(p *beforeafter.Panel) { p.Y[1] = p.Y[1][:2] },
		"the outcome of unit b in period 3 is infinite": func(p *beforeafter.Panel) { p.Y[1][2] = math.Inf(-1) },
		"unit a has 2 values for 1 covariates":          func(p *beforeafter.Panel) { p.X[0] = []float64{1, 2} },
		"covariate x of unit b is missing or infinite":  func(p *beforeafter.Panel) { p.X[1][0] = math.NaN() },
		"the weight of unit b is not a positive number": func(p *beforeafter.Panel) { p.Weight[1] = 0 },
	} {
		p := &beforeafter.Panel{
			Units: []string{"a", "b"}, Periods: []int{1, 2, 3}, Y: [][]float64{{1, 2, math.NaN()}, {4, 5, 6}}, Since: []int{1, beforeafter.Never},
			Covariates: []string{"x"}, X: [][]float64{{0}, {1}}, Weight: []float64{1, 2},
		}
		require.NoError(t, p.Check())
		assert.Equal(t, []beforeafter.Cell{{"a", 3}}, p.Missing())
		assert.Equal(t, []string{"a"}, p.Before())
		change(p)
		err := p.Check()
		require.ErrorIs(t, err, beforeafter.ErrPanel)
		assert.ErrorContains(t, err, want)
	}
}

func TestFromRows(t *testing.T) {
	rows := []beforeafter.Row{
		{"b", 2004, 4, 2004, []float64{7}, 0},
		{"a", 2001, 1, beforeafter.Never, []float64{5}, 0},
		{"a", 2004, 2, beforeafter.Never, []float64{5}, 0},
		{"c", 2004, 6, 2003, []float64{9}, 0},
		{"c", 2001, 5, 2003, []float64{9}, 0},
	}
	p, err := beforeafter.FromRows([]string{"x"}, rows)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, p.Units)
	assert.Equal(t, []int{2001, 2004}, p.Periods)
	assert.Equal(t, []int{beforeafter.Never, 2004, 2003}, p.Since)
	assert.Equal(t, [][]float64{{5}, {7}, {9}}, p.X)
	assert.Equal(t, []beforeafter.Cell{{"b", 2001}}, p.Missing())
	assert.Nil(t, p.Weight)
	kept, left := p.Complete()
	assert.Equal(t, []string{"b"}, left)
	assert.Equal(t, []string{"a", "c"}, kept.Units)
	assert.Equal(t, [][]float64{{1, 2}, {5, 6}}, kept.Y)
	slices.Reverse(rows)
	again, err := beforeafter.FromRows([]string{"x"}, rows)
	require.NoError(t, err)
	assert.Equal(t, p.Units, again.Units)
	assert.Equal(t, p.Y[2], again.Y[2])
	assert.Equal(t, "c", rows[0].Unit)

	for want, change := range map[string]func([]beforeafter.Row){
		"unit a has period 2004 twice":                  func(r []beforeafter.Row) { r[1].Period = 2004 },
		"unit c has more than one first period":         func(r []beforeafter.Row) { r[3].Since = 2001 },
		"covariate x of unit c differs between periods": func(r []beforeafter.Row) { r[3].X = []float64{1} },
		"the weight of unit a differs between periods":  func(r []beforeafter.Row) { r[1].Weight = 2 },
		"unit b has 0 values for 1 covariates":          func(r []beforeafter.Row) { r[0].X = nil },
	} {
		r := []beforeafter.Row{
			{"b", 2004, 4, 2004, []float64{7}, 0},
			{"a", 2001, 1, beforeafter.Never, []float64{5}, 0},
			{"a", 2004, 2, beforeafter.Never, []float64{5}, 0},
			{"c", 2004, 6, 2003, []float64{9}, 0},
			{"c", 2001, 5, 2003, []float64{9}, 0},
		}
		change(r)
		_, err := beforeafter.FromRows([]string{"x"}, r)
		require.ErrorIs(t, err, beforeafter.ErrPanel)
		assert.ErrorContains(t, err, want)
	}
	_, err = beforeafter.FromRows(nil, nil)
	require.ErrorIs(t, err, beforeafter.ErrPanel)
}
