package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/jobeffekt/jobeffekt/ingest"
)

func TestTableText(t *testing.T) {
	table := &ingest.Table{Name: "x", Columns: []ingest.Column{
		{Name: "municipality", Texts: []string{"Høje-Taastrup", "Fanø", "Læ\x1b[31msø\n"}},
		{Name: "n", Ints: []int64{1, 20000, -3}},
		{Name: "difference_pp", Floats: []float64{-1.1, 0.05, math.NaN()}},
		{Name: "note", Texts: []string{"", "b", ""}},
	}}
	assert.Equal(t, ""+
		"municipality       n  difference_pp  note\n"+
		"Høje-Taastrup      1          -1.1\n"+
		"Fanø           20000           0.05  b\n"+
		"Læ?[31msø?        -3\n", tableText(table))
	assert.Equal(t, []float64{-1.1, 0.05}, table.Columns[2].Floats[:2], "the table is not changed")
	assert.Equal(t, "a\n", tableText(&ingest.Table{Columns: []ingest.Column{{Name: "a", Ints: []int64{}}}}), "no rows")
}
