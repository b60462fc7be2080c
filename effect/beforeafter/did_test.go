package beforeafter_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
)

// mpdta reads testdata/reference/mpdta.csv: log teen employment of 500 counties.
func mpdta(t *testing.T, covariates ...string) *beforeafter.Panel {
	t.Helper()
	f, err := os.Open("../../testdata/reference/mpdta.csv")
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return v
	}
	var rows []beforeafter.Row
	for _, l := range lines[1:] {
		r := beforeafter.Row{Unit: l[0], Period: int(number(l[1])), Since: int(number(l[2])), Y: number(l[5])}
		if r.Since == 0 {
			r.Since = beforeafter.Never
		}
		for range covariates {
			r.X = append(r.X, number(l[4])) // lpop
		}
		rows = append(rows, r)
	}
	p, err := beforeafter.FromRows(covariates, rows)
	require.NoError(t, err)
	return p
}

// The figures of testdata/reference/README.md, by R's did.
func TestMpdta(t *testing.T) {
	d, err := beforeafter.DefaultDiD().Estimate(context.Background(), mpdta(t))
	require.NoError(t, err)
	want := []float64{
		-0.0105032462210, -0.0704231581032, -0.1372587388894, -0.1008113630854,
		0.0065201124242, -0.0027508187505, -0.0045946069529, -0.0412244715462,
		0.0305066555833, -0.0027258928861, -0.0310871193897, -0.0260544107192,
	}
	require.Len(t, d.Effects, len(want))
	for i, w := range want {
		assert.InDelta(t, w, d.Effects[i].Effect, 2e-6)
	}
	assert.InDelta(t, 0.0232510363682, d.Effects[0].SE, 2e-6)
	assert.InDelta(t, -0.0399512751552, d.Averages[0].Effect, 2e-6)
	for _, e := range d.Effects {
		fmt.Printf("%+v\n", e)
	}
	for _, e := range d.Averages {
		fmt.Printf("%+v\n", e)
	}
	fmt.Printf("%+v\n", d.PreTrend)
}
