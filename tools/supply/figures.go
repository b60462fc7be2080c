package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// gap is how far the tables of two folders differ.
type gap struct {
	tables, same int   // result tables, and those with the same bytes
	rows         int64 // of all tables
	values       int64 // fields of all rows
	figures      int64 // those that are numbers with decimals
	differing    int64 // figures that are written otherwise
	units        int64 // the largest difference, in units of the ninth digit; of very small figures, of 1e-15
	others       int64 // values that are no figures and differ: counts, kroner, verdicts, names, also rows that one folder lacks
	where        []string
}

// mostUnits is how far figures may be apart. All but a few in a million are the same; those
// of cells that can hardly be balanced hang on more digits than a float has.
const mostUnits = 5

// figures prints how far two folders differ as a line of a table, and the places, of which
// it is an error to have any that is no figure.
func figures(w io.Writer, name, a, b string) error {
	var g gap
	names := map[string]bool{}
	for _, folder := range []string{a, b} {
		paths, err := filepath.Glob(filepath.Join(folder, "*.csv"))
		if err != nil {
			return err
		}
		for _, p := range paths {
			names[filepath.Base(p)] = true
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("there are no tables as CSV")
	}
	for _, table := range slices.Sorted(maps.Keys(names)) {
		if err := g.table(table, filepath.Join(a, table), filepath.Join(b, table)); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", name, g.tables, g.same, g.rows, g.values, g.figures, g.differing, g.units, g.others)
	for _, line := range g.where {
		fmt.Fprintln(os.Stderr, line)
	}
	if g.others > 0 || g.units > mostUnits {
		return fmt.Errorf("counts, kroner, verdicts or names differ, or a figure by more than %d units of its ninth digit", mostUnits)
	}
	return nil
}

// table adds a table. Both are read side by side: the rows of a result table have an order.
func (g *gap) table(name, a, b string) error {
	g.tables++
	one, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	other, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if string(one) == string(other) {
		g.same++
	}
	left, right := csv.NewReader(strings.NewReader(string(one))), csv.NewReader(strings.NewReader(string(other)))
	head, err := left.Read()
	if err != nil {
		return err
	}
	second, err := right.Read()
	if err != nil {
		return err
	}
	if !slices.Equal(head, second) {
		return fmt.Errorf("%s has other columns", name)
	}
	differs := map[string]int{}
	for {
		x, err := left.Read()
		y, other := right.Read()
		if errors.Is(err, io.EOF) && errors.Is(other, io.EOF) {
			break
		}
		if errors.Is(err, io.EOF) || errors.Is(other, io.EOF) {
			g.others++
			differs["rows that the other lacks"]++
			break
		}
		if err := errors.Join(err, other); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		g.rows++
		for k := range x {
			g.values++
			figure := isFigure(x[k]) || isFigure(y[k])
			if figure {
				g.figures++
			}
			if x[k] == y[k] {
				continue
			}
			units := int64(-1)
			if figure && !strings.HasSuffix(head[k], "_dkk") {
				units = apart(x[k], y[k])
			}
			if units < 0 {
				g.others++
				differs[fmt.Sprintf("%s: %s beside %s", head[k], x[k], y[k])]++
				continue
			}
			g.differing++
			g.units = max(g.units, units)
			differs[fmt.Sprintf("%s, by %d", head[k], units)]++
		}
	}
	for _, what := range slices.Sorted(maps.Keys(differs)) {
		g.where = append(g.where, fmt.Sprintf("%s, %s (%d)", strings.TrimSuffix(name, ".csv"), what, differs[what]))
	}
	return nil
}

// isFigure says whether a text is a number with decimals or an exponent.
func isFigure(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.ContainsAny(s, ".eE")
}

// apart is how far two figures differ in units of the ninth significant digit of the larger,
// and of 1e-15 where both are so small that their ninth digit lies beyond it: what should
// be 0 is then what rounding left. It is -1 where one is no number.
func apart(a, b string) int64 {
	x, err := strconv.ParseFloat(a, 64)
	y, other := strconv.ParseFloat(b, 64)
	if err != nil || other != nil || math.IsInf(x, 0) || math.IsInf(y, 0) || math.IsNaN(x) || math.IsNaN(y) {
		return -1
	}
	size := max(math.Abs(x), math.Abs(y))
	if size == 0 {
		return 0
	}
	unit := max(math.Pow(10, math.Floor(math.Log10(size))-8), 1e-15)
	return int64(math.Ceil(math.Abs(x-y)/unit - 0.5))
}
