package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/ingest"
)

func panelOf(t *testing.T, csv string, c jobeffekt.PanelColumns) (*beforeafter.Panel, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "panel.csv")
	require.NoError(t, os.WriteFile(path, []byte(csv), 0o600))
	table, err := ingest.ReadFile(context.Background(), path, ingest.DefaultLimits())
	require.NoError(t, err)
	return jobeffekt.PanelOf(table, c)
}

func TestPanelOf(t *testing.T) {
	columns := jobeffekt.PanelColumns{Unit: "u", Period: "p", Outcome: "y", Since: "s"}
	for name, c := range map[string]struct {
		csv    string
		change func(*jobeffekt.PanelColumns)
		first  string // name of the first period with the change
	}{
		"numbers":        {"u,p,y,s\n1,2003,1.5,2004\n1,2004,2,2004\n2,2003,1,0\n2,2004,,0\n", nil, "2004"},
		"numbers, nulls": {"u,p,y,s\n1,2003,1.5,2004\n1,2004,2,2004\n2,2003,1,\n2,2004,,\n", nil, "2004"},
		"numbers, texts": {"u,p,y,s\n1,3,1.5,4\n1,4,2,4\n2,3,1,NA\n2,4,,NA\n", nil, "4"},
		"quarters":       {"u,p,y,s\n1,2003Q4,1.5,2004Q1\n1,2004Q1,2,2004Q1\n2,2003Q4,1,never\n2,2004Q1,,never\n", nil, "2004Q1"},
		"months, days":   {"u,p,y,s\n1,2003-12,1.5,2004-01-31\n1,2004-01,2,2004-01-31\n2,2003-12,1,\n2,2004-01,,\n", nil, "2004-01"},
		"years, day":     {"u,p,y,s\n1,2003,1.5,2004-05-31\n1,2004,2,2004-05-31\n2,2003,1,\n2,2004,,\n", nil, "2004"},
		"marks":          {"u,p,y,s\n1,2003,1.5,0\n1,2004,2,1\n2,2003,1,0\n2,2004,,0\n", func(c *jobeffekt.PanelColumns) { c.Since, c.Treated = "", "s" }, "2004"},
		"truth, x and w": {"u,p,y,s,x,w\n1,2003,1.5,false,4,2\n1,2004,2,true,4,2\n2,2003,1,false,5,3\n2,2004,,false,5,3\n", func(c *jobeffekt.PanelColumns) {
			c.Since, c.Treated, c.Covariates, c.Weight = "", "s", []string{"x"}, "w"
		}, "2004"},
	} {
		t.Run(name, func(t *testing.T) {
			columns := columns
			if c.change != nil {
				c.change(&columns)
			}
			p, err := panelOf(t, c.csv, columns)
			require.NoError(t, err)
			assert.Equal(t, []string{"1", "2"}, p.Units)
			assert.Equal(t, c.first, p.Calendar.Label(p.Since[0]))
			assert.Equal(t, p.Periods[1], p.Since[0])
			assert.Equal(t, beforeafter.Never, p.Since[1])
			assert.Equal(t, []float64{1.5, 2}, p.Y[0])
			assert.Equal(t, []beforeafter.Cell{{Unit: "2", Period: p.Periods[1]}}, p.Missing())
			if columns.Weight != "" {
				assert.Equal(t, []float64{2, 3}, p.Weight)
				assert.Equal(t, [][]float64{{4}, {5}}, p.X)
			}
		})
	}
	for want, csv := range map[string]string{
		`no column "y" for the outcome; did you mean`:      "u,p,yy,s\n1,2003,1,0\n",
		"column y does not hold numbers alone":             "u,p,y,s\n1,2003,a,0\n",
		"holds no names or whole numbers of units":         "u,p,y,s\n1.5,2003,1,0\n",
		"row 2 is not a period":                            "u,p,y,s\n1,2003Q1,1,\n1,Q2,1,\n",
		"not all of one length":                            "u,p,y,s\n1,2003Q1,1,\n1,2003H1,1,\n",
		"neither names of periods nor whole numbers":       "u,p,y,s\n1,2003.5,1,0\n",
		"row 1: column s: not a period of the same length": "u,p,y,s\n1,2003Q1,1,2004\n1,2003Q2,1,2004\n",
		"row 2: column s: not a whole number":              "u,p,y,s\n1,2003,1,2004\n1,2004,1,2004.5\n",
		"row 2 has no unit":                                "u,p,y,s\na,2003,1,2004\n,2004,1,2004\n",
		"unit 1 has period 2003 twice":                     "u,p,y,s\n1,2003,1,0\n1,2003,1,0\n",
		"unit 1 has more than one first period":            "u,p,y,s\n1,2003,1,0\n1,2004,1,2004\n",
	} {
		_, err := panelOf(t, csv, columns)
		assert.ErrorContains(t, err, want)
	}
	columns.Since, columns.Treated = "", "s"
	_, err := panelOf(t, "u,p,y,s\n1,2003,1,0\n1,2004,1,1\n1,2005,1,0\n", columns)
	require.ErrorIs(t, err, jobeffekt.ErrPanelTable)
	assert.ErrorContains(t, err, "unit 1 loses the change again in 2005")
	_, err = panelOf(t, "u,p,y,s\n1,2003,1,2\n", columns)
	assert.ErrorContains(t, err, "neither 0 nor 1")
}
