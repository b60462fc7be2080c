package jobeffekt_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// docs/tables.md is the data dictionary of the results, made from the tables
// themselves.
func TestDataDictionary(t *testing.T) {
	t.Parallel()
	c := job(t, "peers:", "spending: {outcome: employed_26w}\nranking:\n  - {name: unemployment, observed: unemployment_pct, conditions: [low_education_pct], year: 2008, better: low}\n"+beforeAfter+"peers:",
		"most: 400000}]", "most: 400000}, {section: \"9\", per: provider, over: period, least: 0, carry_forward: true}]")
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	moved := job(t, "peers:", crosswalk)
	_, err = jobeffekt.RunStep(context.Background(), moved, jobeffekt.StepMeasure)
	require.NoError(t, err)
	supplied := job(t)
	withUpkeep(t, supplied)
	supplied.Data = withTables(t, supplied.Data, rows[ingest.Figure](t, ingest.Figures), rows[ingest.Proof](t, ingest.Evidence), rows[ingest.Survey](t, ingest.Satisfaction))
	_, err = jobeffekt.Run(context.Background(), supplied)
	require.NoError(t, err)
	const handedIn, asked = "the step measure, where the dataset has such input", "the step settle, where the terms have the key"
	const beside = "the step settle, where the dataset has satisfaction, inspections or experience"
	decided := job(t, "    limits: [", decidingClause)
	_, err = jobeffekt.Run(context.Background(), decided)
	require.NoError(t, err)
	const deciding = "the step settle, where the terms decide something without paying"
	weeks := job(t, "outcomes:\n", "outcomes:\n  - {name: weeks_in_work, kind: weeks_in, states: [ordinary_employment], within: 52 weeks, dated: true}\n")
	_, err = jobeffekt.RunStep(context.Background(), weeks, jobeffekt.StepMeasure)
	require.NoError(t, err)
	const outward = "no step, but in every publication with a settlement, where an amount that may not be told is null"
	const blindedRun = "a blinded run, in place of the settlement"
	blinded := job(t)
	blinded.Blinded = true
	_, err = jobeffekt.Run(context.Background(), blinded)
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString("# Result tables\n\nMade by `go test . -run TestDataDictionary -update`. In CSV a missing value is an empty field.\n" +
		"Columns of covariates depend on the run file; those of the demonstration are shown.\n")
	described := []string{jobeffekt.TableControls, jobeffekt.TableControlled} // as cases and outcomes
	for _, s := range []struct {
		step   string
		tables []string
	}{
		{"the step measure", []string{"rejects", "counts", "attrition", "providers", "crosswalk", "cases", "covariates", "cells", "outcomes", "outcome_dates", "signals", "peer_strata"}},
		{handedIn, []string{"figures", "evidence"}},
		{"the step estimate", []string{"peers", "peer_conditions", "peer_stability", "estimates"}},
		{"the step benchmark", []string{"benchmark", "diagnostics", "comparison", "spending", "profile", "league", "sensitivity", "curves", "creaming", "creaming_deciles", "parking", "indicators", "ranking"}},
		{"the step benchmark, where the run file has before_after", []string{"before_after"}},
		{"the step benchmark, where before_after asks for synthetic", []string{"synthetic", "synthetic_gaps", "synthetic_donors", "synthetic_placebos"}},
		{"the step settle", []string{"settlement", "settlement_entries", "settlement_steps", "settlement_gate", "settlement_counts", "settlement_cases"}},
		{deciding, []string{"settlement_decisions"}},
		{"the step settle, where a limit carries something forward", []string{"settlement_carried"}},
		{asked, []string{"upkeep"}},
		{beside, []string{"follow_up"}},
		{blindedRun, []string{"gate_preview"}},
		{outward, []string{jobeffekt.TablePaid}},
	} {
		for _, name := range s.tables {
			described = append(described, name)
			folder := c.ResultsFolder()
			if s.step == outward {
				table, err := ingest.FromRows(name, []jobeffekt.PaidRow{})
				require.NoError(t, err)
				describe(t, &b, table, s.step)
				continue
			}
			switch {
			case s.step == blindedRun:
				folder = blinded.ResultsFolder()
			case s.step == deciding:
				folder = decided.ResultsFolder()
			case s.step == handedIn, s.step == asked, s.step == beside:
				folder = supplied.ResultsFolder()
			case name == jobeffekt.TableDates:
				folder = weeks.ResultsFolder()
			case name == jobeffekt.TableCrosswalk:
				folder = moved.ResultsFolder()
			}
			table, err := ingest.ReadTable(context.Background(), filepath.Join(folder, name+".parquet"), ingest.DefaultLimits())
			require.NoError(t, err)
			describe(t, &b, table, s.step)
		}
	}
	for _, info := range jobeffekt.ResultTables() {
		require.Contains(t, described, info.Name, "a new table needs its line above")
	}
	all := jobeffekt.Simulated{Differences: make([]jobeffekt.SimulationDifference, 1), Draws: []jobeffekt.SimulationDraw{}}
	for _, table := range all.Tables() {
		describe(t, &b, table, "jobeffekt simulate --out")
	}
	golden(t, "docs/tables.md", b.String())
}

// describe writes what a table of somebody's holds.
func describe(t *testing.T, b *strings.Builder, table *ingest.Table, by string) {
	t.Helper()
	fmt.Fprintf(b, "\n## %s\n\nWritten by %s.\n\n| column | type | meaning |\n|---|---|---|\n", table.Name, by)
	for _, col := range table.Columns {
		require.NotEmpty(t, col.Doc, "%s.%s", table.Name, col.Name)
		fmt.Fprintf(b, "| %s | %s | %s |\n", col.Name, kind(col), strings.ReplaceAll(col.Doc, "|", "or"))
	}
}

func kind(c ingest.Column) string {
	switch {
	case c.Ints != nil:
		return "whole number"
	case c.Floats != nil:
		return "number"
	case c.Dates != nil:
		return "date"
	case c.Bools != nil:
		return "true or false"
	}
	return "text"
}
