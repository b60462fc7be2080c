package jobeffekt

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// rowsTable makes an outward table of rows.
func rowsTable[T any](t *testing.T, name string, rows ...T) *ingest.Table {
	t.Helper()
	table, err := ingest.FromRows(name, rows)
	require.NoError(t, err)
	return table
}

type counted struct {
	Agreement  string  `col:"agreement_id" doc:"x"`
	Clause     string  `col:"clause" doc:"x"`
	MatchGroup string  `col:"match_group" doc:"x"`
	Provider   string  `col:"provider_id" doc:"x"`
	Package    string  `col:"package_id" doc:"x"`
	Rule       string  `col:"rule" doc:"x"`
	N          float64 `col:"n" doc:"x"`
	Suppressed string  `col:"suppressed" doc:"x"`
}

type figured struct {
	Outcome string `col:"outcome" doc:"x"`
	effect.Cell
	Low        float64 `col:"low" doc:"x"`
	Suppressed string  `col:"suppressed" doc:"x"`
}

// What a provider lacks is told only where nothing that is withheld follows from it.
func TestStepsTellNothingWithheld(t *testing.T) {
	const hidden = Suppressed
	cell := func(group string) effect.Cell {
		return effect.Cell{Municipality: "M", MatchScheme: "S", MatchGroup: group, Provider: "north", Package: "P"}
	}
	effectLine := func(id, group string) bonus.Line {
		return bonus.Line{ID: id, Agreement: "A", Provider: "north", Period: "2009H1", Outcome: "job", Municipality: "M", MatchScheme: "S", MatchGroup: group, Package: "P"}
	}
	e := &bonus.ProviderExplanation{
		Provider: "north",
		Lines:    []bonus.Line{effectLine("open", "4"), effectLine("closed", "5"), effectLine("few", "6")},
		Margins: []bonus.Margin{
			{Line: "open", What: "n"},
			{Line: "open", What: "lower limit of the difference"},
			{Line: "closed", What: "lower limit of the difference"},
			{Line: "few", What: "lower limit of the difference"},
		},
		Ceilings: []bonus.Headroom{
			{Agreement: "A", Period: "2008H1", Over: "period", Used: "10", Left: "90"},
			{Agreement: "A", Period: "2008H2", Over: "period", Used: "20", Left: "80"},
			{Agreement: "A", Period: "2009H1", Over: "period", Used: "30.5", Left: "69.5"},
			{Agreement: "A", Period: "2008H1", Over: "agreement", Used: "10", Left: "90"},
			{Agreement: "B", Period: "2008H2", Over: "agreement", Used: "7", Left: "3"},
		},
		Further: []bonus.Further{
			{Agreement: "A", Clause: "c", MatchGroup: "4", Package: "P", Open: 12, Citizens: 1, Amount: 100},
			{Agreement: "B", Clause: "c", MatchGroup: "4", Package: "P", Open: 12, Citizens: 1, Amount: 100},
			{Agreement: "B", Clause: "c", MatchGroup: "4", Package: "P", Open: 12, Citizens: 2, Amount: 200},
			{Agreement: "B", Clause: "c", MatchGroup: "5", Package: "P", Open: 9, Citizens: 1, Amount: 100},
			{Agreement: "B", Clause: "c", MatchGroup: "6", Package: "P", Open: 9, Citizens: 1, Amount: 100},
		},
	}
	lines := []outwardLine{
		{"open", "A", "north", "2009H1", 0},
		{"closed", "A", "north", "2009H1", math.NaN()},
		{"few", "A", "north", "2009H1", 0},
		{"x", "A", "north", "2008H2", math.NaN()},
		{"y", "A", "north", "2008H1", 0},
		{"z", "B", "north", "2008H2", 0},
		{"w", "B", "south", "2008H2", math.NaN()},
	}
	p := &Publication{MinCount: 5, Tables: []*ingest.Table{
		rowsTable(t, TableBenchmark, figured{"job", cell("4"), 0.1, hidden}, figured{"job", cell("6"), math.NaN(), hidden}),
		rowsTable(t, TablePaid, outwardTotal{"A", "north", "2009H1", 3050}, outwardTotal{"A", "north", "2008H2", math.NaN()}),
		rowsTable(
			t, TableCounted,
			counted{"A", "c", "4", "north", "P", bonus.RuleNotReached, 12, ""},
			counted{"B", "c", "4", "north", "P", bonus.RuleNotReached, 8, ""}, counted{"B", "c", "4", "north", "P", bonus.RulePending, 4, ""}, counted{"B", "c", "4", "south", "P", bonus.RulePending, 40, ""},
			counted{"B", "c", "5", "north", "P", bonus.RuleNotReached, math.NaN(), hidden}, counted{"B", "c", "5", "north", "P", bonus.RulePending, 7, ""},
		),
	}}
	got, err := p.outwardSteps(e, lines)
	require.NoError(t, err)
	require.Equal(t, []bonus.Margin{e.Margins[1]}, got.Margins, "gates have a table of their own; a line and a figure that are withheld have no margin")
	require.Equal(t, bonus.MarginOfFigure, got.Margins[0].Kind())
	require.Equal(t, bonus.MarginOfGate, e.Margins[0].Kind())
	var used []string
	for _, h := range got.Ceilings {
		used = append(used, h.Used)
		assert.Equal(t, h.Used == "", h.Left == "")
	}
	assert.Equal(t, []string{"10", "", "30.5", "", "7"}, used, "a period without anything withheld; one with; one whose total is told; a longer time; another agreement")
	require.Len(t, got.Further, 4)
	assert.Equal(t, 12.0, got.Further[0].Open)
	assert.True(t, got.Further[0].Withheld, "an amount of the agreement is")
	assert.Empty(t, got.Further[0].Steps)
	assert.Equal(t, []FurtherAmount{{1, 100}, {2, 200}}, got.Further[1].Steps)
	for _, f := range got.Further[2:] {
		assert.True(t, f.Withheld && math.IsNaN(f.Open) && f.Steps == nil, "a count is withheld, or not there")
	}
}

// A response rate of many asked and few answers tells how few.
func TestResponseRateTellsNoFewAnswers(t *testing.T) {
	type figure struct {
		Figure   string `col:"figure" doc:"x"`
		Provider string `col:"provider_id" doc:"x"`
		Period   string `col:"period" doc:"x"`
		N        int64  `col:"n" doc:"x"`
		Value    string `col:"value" doc:"x"`
	}
	table := rowsTable(
		t, TableFigures,
		figure{FigureResponseRate, "a", "2008", 215, "0.0139534884"}, figure{FigureSatisfaction, "a", "2008", 3, "3.67"},
		figure{FigureResponseRate, "b", "2008", 100, "0.98"}, figure{FigureSatisfaction, "b", "2008", 98, "3.67"},
		figure{FigureResponseRate, "c", "2008", 100, "0.5"}, figure{FigureResponseRate, "d", "2008", 100, "0"}, figure{FigureInspection, "d", "2008-01-01", -1, "4"},
	)
	d := &disclosing{k: 5}
	what := outwards(money{})[TableFigures]
	what.asks(d.of(table))
	what.withhold(table, d.pending, d.k)
	assert.Equal(t, []string{Suppressed, Suppressed, Suppressed, "", "", "", ""}, table.Column(SuppressedColumn).Texts)
	assert.Equal(t, []string{"", "", "", "3.67", "0.5", "0", "4"}, table.Column("value").Texts)
}
