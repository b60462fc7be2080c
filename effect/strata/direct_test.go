package strata_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/strata"
)

// population is outcomes by cell and stratum as cases: strata "a", "b", ... of
// the class band.
func population(cells ...[][]float64) (c *effect.Cases, y []float64, rows [][]int32, all []int32) {
	var bands []string
	c = &effect.Cases{}
	for _, cell := range cells {
		var in []int32
		for s, outcomes := range cell {
			for _, v := range outcomes {
				i := int32(len(y))
				in, all = append(in, i), append(all, i)
				bands, y = append(bands, string(rune('a'+s))), append(y, v)
				c.Person = append(c.Person, i)
			}
		}
		rows = append(rows, in)
	}
	c.Covariates = []effect.Covariate{{Name: "band", Factor: effect.NewFactor(bands)}}
	return c, y, rows, all
}

// three providers in three strata, as in testdata/reference/profile.R.
func three() (*effect.Cases, []float64, [][]int32, []int32) {
	return population(
		[][]float64{{1, 0, 1, 1, 0, 1}, {0, 0, 1, 0, 1}, {1, 1, 1, 0, 1, 1, 1}},
		[][]float64{{0, 0, 1, 0, 0, 1, 0}, {1, 1, 0, 1, 1, 0}, {1, 0, 1, 1, 0}},
		[][]float64{{1, 1, 0, 1, 1}, {0, 1, 0, 0, 0, 1, 0, 1}, {0, 1, 1, 0, 0, 1}},
	)
}

func direct() strata.Direct {
	d := strata.DefaultDirect(effect.Class{Covariate: "band"})
	d.MinN = 2
	return d
}

// epitools 0.5.10.1, ageadjust.direct, for the adjusted rates; base R 4.2.2 for
// variance and degrees of freedom: testdata/reference/profile.R and profile.txt.
func TestDirect(t *testing.T) {
	c, y, rows, all := three()
	s, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	assert.Equal(t, 3, s.Strata)
	assert.InDelta(t, 1, s.Covered, 1e-15)
	for k, want := range [][3]float64{
		{0.6368831168831168, 0.0141065272389948, 10.9662385491896277},
		{0.5201731601731602, 0.0153735049942842, 13.0122670598728387},
		{0.5550000000000000, 0.0136353896103896, 14.7492723395205498},
	} {
		f := s.Figures[k]
		require.Nil(t, f.Refusal)
		assert.InEpsilon(t, want[0], f.Mean, 1e-13, k)
		assert.InEpsilon(t, want[1], f.Variance, 1e-12, k)
		assert.InEpsilon(t, want[2], f.DF, 1e-12, k)
		assert.Equal(t, len(rows[k]), f.NCompared)
		assert.Zero(t, f.Uncovered)
	}
	// The same target as shares, in another unit.
	shares, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Shares: []strata.Share{
		{[]string{"a"}, 180}, {[]string{"b"}, 190}, {[]string{"c"}, 180},
	}}, rows)
	require.NoError(t, err)
	for k := range rows {
		assert.InEpsilon(t, s.Figures[k].Mean, shares.Figures[k].Mean, 1e-13)
	}
	// A cell that is its own target keeps its mean.
	own, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Cases: rows[0]}, rows[:1])
	require.NoError(t, err)
	assert.InEpsilon(t, 12.0/18, own.Figures[0].Mean, 1e-14)

	// Scale and shift the outcome: mean and variance follow.
	moved := make([]float64, len(y))
	for i := range y {
		moved[i] = 50 - 7*y[i]
	}
	m, err := direct().Standardise(c, moved, effect.UnitDays, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	for k := range rows {
		assert.InEpsilon(t, 50-7*s.Figures[k].Mean, m.Figures[k].Mean, 1e-13)
		assert.InEpsilon(t, 49*s.Figures[k].Variance, m.Figures[k].Variance, 1e-12)
		assert.InEpsilon(t, s.Figures[k].DF, m.Figures[k].DF, 1e-12)
	}
}

// A stratum that one compared cell lacks is left out for all.
func TestDirectComparesOnCommonStrata(t *testing.T) {
	full := [][]float64{{1, 0, 1, 0, 1, 0}, {0, 0, 1, 1, 0, 1}, {1}}
	short := [][]float64{{1, 1, 1, 0, 1, 0}, {0, 1, 0, 1, 0, 0}}
	none := [][]float64{{}, {1, 0, 1, 0, 1, 0, 1, 0}}
	c, y, rows, all := population(full, short, none)
	d := direct()
	s, err := d.Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	// Of 33 cases 12 are a, 20 are b, 1 is c. The third cell lacks a and c.
	assert.Equal(t, 2, s.Strata)
	assert.InEpsilon(t, 32.0/33, s.Covered, 1e-14)
	assert.Equal(t, effect.RefusalUncovered, s.Figures[2].Refusal.Code)
	assert.InEpsilon(t, 13.0/33, s.Figures[2].Uncovered, 1e-14)
	assert.True(t, math.IsNaN(s.Figures[2].Mean))
	assert.InEpsilon(t, 12.0/32*0.5+20.0/32*0.5, s.Figures[0].Mean, 1e-14)
	assert.Equal(t, 12, s.Figures[0].NCompared)
	assert.Zero(t, s.Figures[0].Uncovered)
	assert.InEpsilon(t, 12.0/32*4/6+20.0/32*2/6, s.Figures[1].Mean, 1e-14)
	assert.InEpsilon(t, 1.0/33, s.Figures[1].Uncovered, 1e-13)

	// Each lacks a little, together too much: the one that lacks most goes.
	a := [][]float64{{1, 0, 1, 0}, {1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, {}, {0}}
	b := [][]float64{{1, 0, 1, 0}, {1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, {0, 1}, {}}
	c, y, rows, all = population(a, b)
	d.MaxUncovered = 0.09 // c is 2 of 31, d 1 of 31
	s, err = d.Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	assert.Equal(t, effect.RefusalUncovered, s.Figures[0].Refusal.Code)
	require.Nil(t, s.Figures[1].Refusal)
	assert.InEpsilon(t, 30.0/31, s.Covered, 1e-14)
	assert.Equal(t, 16, s.Figures[1].NCompared)
}

func TestDirectEdges(t *testing.T) {
	c, y, rows, all := population([][]float64{{0, 0, 0, 0, 0, 0}, {0, 0, 0, 0}}, [][]float64{{1}, {0}}, [][]float64{{1, 0, 1}, {1}}, nil)
	s, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	// Nobody reached it: one more success and one more failure, over weights
	// 10/16 and 6/16 on 6 and 4 cases.
	f := s.Figures[0]
	p := 1.0 / 12
	assert.Equal(t, 0.0, f.Mean)
	assert.InEpsilon(t, p*(1-p)*(100.0/256/6+36.0/256/4), f.Variance, 1e-13)
	// One case in each stratum tells no spread.
	assert.Equal(t, effect.RefusalNoVariation, s.Figures[1].Refusal.Code)
	// A stratum of one takes the pooled variance, 1/3 from three cases.
	assert.InEpsilon(t, 100.0/256/9+36.0/256/3, s.Figures[2].Variance, 1e-13)
	assert.InEpsilon(t, 2, s.Figures[2].DF, 1e-13)
	assert.Equal(t, effect.RefusalNoCases, s.Figures[3].Refusal.Code)
	assert.Equal(t, 1.0, s.Figures[3].Uncovered)

	s, err = direct().Standardise(c, y, effect.UnitDays, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	assert.Equal(t, effect.RefusalNoVariation, s.Figures[0].Refusal.Code)

	d := direct()
	d.MinN = 5
	s, err = d.Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	assert.Equal(t, effect.RefusalFewCases, s.Figures[2].Refusal.Code)

	// Repeated persons widen the variance: each case twice, as the same person.
	c, y, rows, all = three()
	twice, y2, rows2, all2 := population()
	_ = all
	bands := []string{}
	for k := range rows {
		rows2 = append(rows2, nil)
		for _, i := range rows[k] {
			for range 2 {
				j := int32(len(y2))
				rows2[k], all2 = append(rows2[k], j), append(all2, j)
				y2, bands = append(y2, y[i]), append(bands, c.Covariates[0].Factor.At(int(i)))
				twice.Person = append(twice.Person, i)
			}
		}
	}
	twice.Covariates = []effect.Covariate{{Name: "band", Factor: effect.NewFactor(bands)}}
	once, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.NoError(t, err)
	again, err := direct().Standardise(twice, y2, effect.UnitShare, strata.Target{Cases: all2}, rows2)
	require.NoError(t, err)
	for k := range rows {
		assert.InEpsilon(t, once.Figures[k].Mean, again.Figures[k].Mean, 1e-13)
		// Taken as independent it would be about half.
		assert.InEpsilon(t, once.Figures[k].Variance, again.Figures[k].Variance, 0.2)
		assert.Greater(t, again.Figures[k].Variance, 0.75*once.Figures[k].Variance)
	}
}

func TestDirectRefusesTargets(t *testing.T) {
	c, y, rows, all := three()
	for _, target := range []strata.Target{
		{},
		{Cases: all, Shares: []strata.Share{{[]string{"a"}, 1}}},
		{Shares: []strata.Share{{[]string{"a"}, 0}}},
		{Shares: []strata.Share{{[]string{"a"}, -1}, {[]string{"b"}, 2}}},
		{Shares: []strata.Share{{[]string{"a"}, math.NaN()}}},
	} {
		_, err := direct().Standardise(c, y, effect.UnitShare, target, rows)
		_, ok := effect.AsRefusal(err)
		assert.True(t, ok, err)
	}
	_, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Shares: []strata.Share{{[]string{"a", "b"}, 1}}}, rows)
	require.Error(t, err)
	_, err = strata.DefaultDirect(effect.Class{Covariate: "sex"}).Standardise(c, y, effect.UnitShare, strata.Target{Cases: all}, rows)
	require.ErrorContains(t, err, "sex")
	// A share of a class that no case has is uncovered.
	s, err := direct().Standardise(c, y, effect.UnitShare, strata.Target{Shares: []strata.Share{{[]string{"a"}, 9}, {[]string{"z"}, 1}}}, rows)
	require.NoError(t, err)
	assert.InEpsilon(t, 0.1, s.Figures[0].Uncovered, 1e-14)
	assert.InEpsilon(t, 4.0/6, s.Figures[0].Mean, 1e-14)
}
