package command

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/ingest"
)

func TestTableText(t *testing.T) {
	table := &ingest.Table{Name: "x", Columns: []ingest.Column{
		{Name: "municipality", Texts: []string{"Høje-Taastrup", "Fanø", "Læ\x1b[31m\u202esø\n"}},
		{Name: "n", Ints: []int64{1, 20000, -3}},
		{Name: "difference_pp", Floats: []float64{-1.1, 0.05, math.NaN()}},
		{Name: "note", Texts: []string{"", "b", ""}},
	}}
	assert.Equal(t, ""+
		"municipality       n  difference_pp  note\n"+
		"Høje-Taastrup      1          -1.1\n"+
		"Fanø           20000           0.05  b\n"+
		"Læ?[31m?sø?       -3\n", tableText(table))
	assert.Equal(t, []float64{-1.1, 0.05}, table.Columns[2].Floats[:2], "the table is not changed")
	assert.Equal(t, "a\n", tableText(&ingest.Table{Columns: []ingest.Column{{Name: "a", Ints: []int64{}}}}), "no rows")
}

// Errors may hold names of the data.
func TestErrorsMoveNoCursor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	require.NoError(t, os.WriteFile(path, []byte("m,o,e\n\"A\x1b[2J\",1,\nB,2,3\n"), 0o600))
	var stdout, stderr bytes.Buffer
	code := execute(context.Background(), []string{"rank", path, "--municipality", "m", "--observed", "o", "--expected", "e", "--better", "low"}, &stdout, &stderr)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr.String(), "A?[2J")
	assert.NotContains(t, stderr.String(), "\x1b")
}

// What does not go with the method, or would be lost, is no quiet choice.
func TestBeforeAfterOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	require.NoError(t, os.WriteFile(path, []byte("u,t,y,s,x\nA,1,1,2,1\nA,2,1,2,1\nB,1,1,0,2\nB,2,2,0,2\n"), 0o600))
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	for want, args := range map[string][]string{
		"--backdate is for --method synthetic": {"--backdate", "1"},
		"--weight is for --method did":         {"--method", "synthetic", "--weight", "x"},
		"--confidence lies above 0":            {"--confidence", "1"},
		"is the table that is read":            {"--out", path},
		"is a file whose name ends neither in": {"--out", plain},
	} {
		var stdout, stderr bytes.Buffer
		code := execute(context.Background(), append([]string{"before-after", path, "--unit", "u", "--period", "t", "--outcome", "y", "--since", "s"}, args...), &stdout, &stderr)
		assert.Equal(t, exitUsage, code, want)
		assert.Contains(t, stderr.String(), want)
		assert.Empty(t, stdout.String())
	}
	var stdout, stderr bytes.Buffer
	code := execute(context.Background(), []string{"before-after", path, "--unit", "u", "--period", "t", "--outcome", "y", "--since", "s", "--covariates", "x,x"}, &stdout, &stderr)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr.String(), `the covariate "x" stands twice`)
}
