package effecttest

import (
	"encoding/csv"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Lalonde sets the participants of the training programme in the text of
// testdata/reference/lalonde_614.csv against the comparison group, by re78. The
// rows are said to be of so many municipalities in turn (A, B, ...).
func Lalonde(t testing.TB, text io.Reader, municipalities int) *effect.Comparison {
	t.Helper()
	rows, err := csv.NewReader(text).ReadAll()
	require.NoError(t, err)
	column := map[string][]string{}
	for k, name := range rows[0] {
		for _, r := range rows[1:] {
			column[name] = append(column[name], r[k])
		}
	}
	numbers := func(name string) (out []float64) {
		for _, s := range column[name] {
			v, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			out = append(out, v)
		}
		return out
	}
	c := &effect.Comparison{Cases: &effect.Cases{}, Unit: effect.UnitDays, Y: numbers("re78")}
	places := make([]string, len(c.Y))
	for i, treated := range numbers("treat") {
		places[i] = string(rune('A' + i%municipalities))
		c.Cases.Person = append(c.Cases.Person, int32(i))
		if treated == 1 {
			c.In = append(c.In, int32(i))
		} else {
			c.Out = append(c.Out, int32(i))
		}
	}
	c.Cases.Municipality = effect.NewFactor(places)
	c.Cases.Covariates = []effect.Covariate{{Name: "race", Factor: effect.NewFactor(column["race"])}}
	for _, name := range []string{"age", "educ", "married", "nodegree", "re74", "re75"} {
		c.Cases.Covariates = append(c.Cases.Covariates, effect.Covariate{Name: name, Number: numbers(name)})
	}
	return c
}
