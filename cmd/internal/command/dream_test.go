package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/ingest"
)

// The command on a panel of two persons, with a map of its own, with codes that the map
// lacks, and on a folder that has spells already.
func TestDream(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "panel.parquet"))
	require.NoError(t, err)
	panel := &ingest.Table{Name: "panel", Columns: []ingest.Column{
		{Name: "ID", Ints: []int64{1, 2}},
		{Name: "y_0901", Texts: []string{"730", ""}},
		{Name: "y_0902", Texts: []string{"", "42"}},
		{Name: "branche_2009_01", Texts: []string{"412000", ""}},
		{Name: "sex", Ints: []int64{1, 2}},
	}}
	require.NoError(t, panel.WriteParquet(file))
	require.NoError(t, file.Close())
	run := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := execute(context.Background(), append([]string{"dream", file.Name(), "--out", filepath.Join(dir, "data")}, args...), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}

	code, _, stderr := run()
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, `there is no column "pnr" of persons`)
	code, _, stderr = run("--person", "id")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, `codes that are not in the code map: "42" (1 week)`)
	assert.NoDirExists(t, filepath.Join(dir, "data"), "whole or not at all")

	codes := filepath.Join(dir, "codes.yaml")
	require.NoError(t, os.WriteFile(codes, []byte(`codes:
  - {codes: 730, state: cash_benefit, is: kontanthjælp}
  - {codes: 42, state: ignore, believed: true}
empty_week: none
income: branche
outside_months: refuse
beside: {work: none}
full_degree: 1
full_hours: 0
`), 0o600))
	code, stdout, stderr := run("--person", "id", "--codes", codes)
	require.Equal(t, exitDone, code, stderr)
	assert.Equal(t, `Weeks from 2008-12-29 up to 2009-01-12.

  2  persons: rows of the panel
  4  weeks: persons times columns of weeks
  2  weeks_coded: with a code, which gives the state
  0  weeks_coded_with_work: with a code, and ordinary_employment beside it (beside.work: none)
  2  weeks_empty: without a code, of which:
  1  weeks_empty_with_income: in a month with income (branche): ordinary_employment
  0  weeks_empty_after_end: after a code that ends the observation: its state goes on
  1  weeks_empty_without_income: in a month without income: no spell
  0  weeks_empty_outside_months: in a month without columns, so that work is unknown: no spell
  1  weeks_of_work_without_hours: of ordinary_employment whose hours are null: the degree of the month is missing, or full_hours is 0
  3  spells: runs of weeks in one state
  0  persons_without_spells: persons of whom no spell is made
  0  persons_after_death: persons who have another code or income after they died; both are kept, and death is for good

Weeks in the spells of each state:

  1  ordinary_employment
  1  cash_benefit
  1  ignore

Weeks of each code:

  1  42: ignore (believed)
  1  730: cash_benefit (kontanthjælp)

Columns that were not read: 1 (sex)
`, stdout)

	read, err := ingest.ReadTable(context.Background(), filepath.Join(dir, "data", "spells", "part-00000.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	var csv bytes.Buffer
	require.NoError(t, read.WriteCSV(&csv))
	assert.Equal(t, "person_id,state,start_date,end_date\r\n1,cash_benefit,2008-12-29,2009-01-05\r\n1,ordinary_employment,2009-01-05,2009-01-12\r\n2,ignore,2009-01-05,2009-01-12\r\n", csv.String())

	code, _, stderr = run("--person", "id", "--codes", codes)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "folder is not empty")
}
