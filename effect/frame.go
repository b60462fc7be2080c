package effect

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// Term is a kind of column that is made from the covariates beside themselves.
type Term string

// The terms, of covariates of numbers but for the last. A missing number has the
// term 0.
const (
	Squares  Term = "squares"  // the square of every number
	Zeros    Term = "zeros"    // whether a number is 0
	Products Term = "products" // the product of every two columns of different covariates
)

// Names lists the terms.
func (Term) Names() []string { return []string{string(Squares), string(Zeros), string(Products)} }

// Frame is the cases of one match group with their covariates laid out as columns
// of numbers. It is made once and shared by every comparison in the group; it is
// read-only.
//
// A covariate of numbers is one column, centred and scaled to a standard
// deviation of 1 on the group (all 0 where it is constant), and, where some case
// misses it, an indicator of that beside a number of 0. A covariate of names is
// an indicator for every name in the group but the most frequent, missing being a
// name. Products are those of these columns.
//
// Where many cases are alike in all covariates, X has one row for each pattern
// rather than for each case.
type Frame struct {
	X     dense.Matrix
	Names []string // of the columns, for reports: "age", "sex = f", "age squared"
	// Folded says that X has a row for each pattern of covariates.
	Folded bool
	row    []int32 // by case: the row of X, -1 outside the group
}

// Row is the row of X that case i has. The case must be one of the group.
func (f *Frame) Row(i int32) int32 { return f.row[i] }

// Frame returns the cases of the comparison's match group, laid out by the
// covariates and terms. Comparisons that [Estimates] makes share it; one made by
// hand gets a frame of its own cases. It is an error when a covariate is not
// there, a refusal with not_finite when a number is infinite, and [Stopped] when ctx
// is done.
func (c *Comparison) Frame(ctx context.Context, covariates []string, also []Term) (*Frame, error) {
	if c.frames == nil {
		rows := slices.Concat(c.In, c.Out)
		slices.Sort(rows)
		return newFrame(ctx, c.Cases, slices.Compact(rows), covariates, also)
	}
	return c.frames.get(ctx, c.Cell, covariates, also)
}

// frames makes each frame of a set of observations once.
type frames struct {
	obs  *Observations
	mu   sync.Mutex
	made map[string]func() (*Frame, error)
	// checks are the columns by which balance is checked, apart from the frames.
	checks map[string]func() *measures
}

func newFrames(obs *Observations) *frames {
	return &frames{obs: obs, made: map[string]func() (*Frame, error){}, checks: map[string]func() *measures{}}
}

func (f *frames) get(ctx context.Context, cell Cell, covariates []string, also []Term) (*Frame, error) {
	key := strings.Join(append([]string{cell.MatchScheme, cell.MatchGroup}, covariates...), "\x00")
	for _, t := range also {
		key += "\x01" + string(t)
	}
	f.mu.Lock()
	make := f.made[key]
	if make == nil {
		make = sync.OnceValues(func() (*Frame, error) {
			return newFrame(ctx, f.obs.Cases, f.analysed(cell), covariates, also)
		})
		f.made[key] = make
	}
	f.mu.Unlock()
	return make()
}

// measured is the same for the columns by which balance is checked.
func (f *frames) measured(cell Cell, covariates []string) *measures {
	key := strings.Join(append([]string{cell.MatchScheme, cell.MatchGroup}, covariates...), "\x00")
	f.mu.Lock()
	make := f.checks[key]
	if make == nil {
		make = sync.OnceValue(func() *measures { return newMeasures(f.obs.Cases, f.analysed(cell), covariates) })
		f.checks[key] = make
	}
	f.mu.Unlock()
	return make()
}

// analysed are the cases of a match group that some outcome can use. Others
// must not move the centre of a column.
func (f *frames) analysed(cell Cell) []int32 {
	c := f.obs.Cases
	scheme, group := c.MatchScheme.Code(cell.MatchScheme), c.MatchGroup.Code(cell.MatchGroup)
	var out []int32
	for i := range int32(c.Len()) {
		if c.MatchScheme.Codes[i] != scheme || c.MatchGroup.Codes[i] != group {
			continue
		}
		if slices.ContainsFunc(f.obs.Results, func(r Result) bool { return r.Complete[i] }) {
			out = append(out, i)
		}
	}
	return out
}

// MaxColumns is the most columns that a model may have. A fit's work grows with
// their cube, and so many say nothing of a cell.
const MaxColumns = 500

// CheckColumns refuses more columns than [MaxColumns], as the names of a covariate
// or the products of many make.
func CheckColumns(n int) error {
	if n > MaxColumns {
		return &Refusal{RefusalTooManyColumns, fmt.Sprintf("the covariates make %d columns, where %d are the most", n, MaxColumns), "coarsen covariates of many names, or leave products out"}
	}
	return nil
}

// frameColumn is one column while a frame is made.
type frameColumn struct {
	name      string
	covariate int
	number    []float64 // the raw numbers of a covariate of numbers
	at        func(i int32) float64
}

func newFrame(ctx context.Context, cases *Cases, rows []int32, covariates []string, also []Term) (*Frame, error) {
	columns, err := frameColumns(cases, rows, covariates)
	if err != nil {
		return nil, err
	}
	columns = append(columns, frameTerms(columns, also)...)
	if err := CheckColumns(len(columns)); err != nil {
		return nil, err
	}
	f := &Frame{row: make([]int32, len(cases.Person))}
	for i := range f.row {
		f.row[i] = -1
	}
	for _, c := range columns {
		f.Names = append(f.Names, c.name)
	}
	first := patterns(cases, rows, covariates, f.row)
	f.Folded = first != nil
	if !f.Folded {
		first = rows
		for k, i := range rows {
			f.row[i] = int32(k)
		}
	}
	f.X = dense.Matrix{N: len(first), P: len(columns), Data: make([]float64, len(first)*len(columns))}
	if !dense.Chunks(ctx, len(first), func(_, lo, hi int) {
		for k := lo; k < hi; k++ {
			row := f.X.Row(k)
			for p := range columns {
				row[p] = columns[p].at(first[k])
			}
		}
	}) {
		return nil, Stopped(ctx)
	}
	return f, nil
}

// frameColumns lays out the covariates themselves.
func frameColumns(cases *Cases, rows []int32, covariates []string) ([]frameColumn, error) {
	var out []frameColumn
	for k, name := range covariates {
		cov, ok := cases.Covariate(name)
		switch {
		case !ok:
			return nil, fmt.Errorf("effect: the cases have no covariate %q", name)
		case cov.Number == nil:
			out = append(out, levelColumns(cov, k, rows)...)
			continue
		}
		x := cov.Number
		known, mean, sd := cov.Moments(rows)
		if math.IsNaN(sd) {
			return nil, &Refusal{RefusalNotFinite, fmt.Sprintf("covariate %s holds a number that is not finite", name), "correct the covariate"}
		}
		if known < len(rows) {
			out = append(out, frameColumn{name: name + " = " + MissingClass, covariate: k, at: func(i int32) float64 { return indicator(math.IsNaN(x[i])) }})
		}
		scale := 0.0
		// A covariate that is constant up to rounding tells nothing.
		if sd > 1e-12*math.Abs(mean) {
			scale = 1 / sd
		}
		out = append(out, frameColumn{name: name, covariate: k, number: x, at: func(i int32) float64 {
			if math.IsNaN(x[i]) {
				return 0
			}
			return (x[i] - mean) * scale
		}})
	}
	return out, nil
}

// levelColumns are the indicators of a covariate of names.
func levelColumns(cov *Covariate, k int, rows []int32) []frameColumn {
	codes := cov.Factor.Codes
	seen, base := make([]int, len(cov.Factor.Levels)+1), 0 // code + 1; 0 is missing
	for _, i := range rows {
		seen[codes[i]+1]++
	}
	for l, n := range seen {
		if n > seen[base] {
			base = l
		}
	}
	var out []frameColumn
	for l, n := range seen {
		if l == base || n == 0 {
			continue
		}
		level := MissingClass
		if l > 0 {
			level = cov.Factor.Levels[l-1]
		}
		out = append(out, frameColumn{name: cov.Name + " = " + level, covariate: k, at: func(i int32) float64 { return indicator(int(codes[i])+1 == l) }})
	}
	return out
}

// frameTerms makes the terms of the columns, in the order of [Term.Names].
func frameTerms(columns []frameColumn, also []Term) []frameColumn {
	var out []frameColumn
	if slices.Contains(also, Squares) {
		for _, c := range columns {
			if c.number != nil {
				out = append(out, frameColumn{name: c.name + " squared", at: func(i int32) float64 { v := c.at(i); return v * v }})
			}
		}
	}
	if slices.Contains(also, Zeros) {
		for _, c := range columns {
			if c.number != nil {
				out = append(out, frameColumn{name: c.name + " = 0", at: func(i int32) float64 { return indicator(c.number[i] == 0) }})
			}
		}
	}
	if slices.Contains(also, Products) {
		for k, b := range columns {
			for _, a := range columns[:k] {
				if a.covariate != b.covariate {
					out = append(out, frameColumn{name: a.name + " x " + b.name, at: func(i int32) float64 { return a.at(i) * b.at(i) }})
				}
			}
		}
	}
	return out
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// patternSample is how many cases are looked at before all of them are folded.
const patternSample = 4096

// patterns numbers the cases of rows by their values of the covariates and
// returns the first case of every pattern, in the order of the cases. It is nil,
// and row is left alone, where a pattern does not have two cases on average:
// folding would not pay.
func patterns(cases *Cases, rows []int32, covariates []string, row []int32) []int32 {
	var columns []*Covariate
	for _, name := range covariates {
		c, _ := cases.Covariate(name)
		columns = append(columns, c)
	}
	var buf []byte
	index, first := map[string]int32{}, []int32{}
	number := func(i int32) int32 {
		buf = buf[:0]
		for _, c := range columns {
			switch {
			case c.Number == nil:
				buf = binary.LittleEndian.AppendUint32(buf, uint32(c.Factor.Codes[i]))
			case math.IsNaN(c.Number[i]):
				buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(nan))
			default:
				buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(c.Number[i]+0)) // -0 is 0
			}
		}
		k, ok := index[string(buf)]
		if !ok {
			k = int32(len(first))
			index[string(buf)], first = k, append(first, i)
		}
		return k
	}
	if stride := len(rows) / patternSample; stride > 1 {
		looked := 0
		for k := 0; k < len(rows); k += stride {
			number(rows[k])
			looked++
		}
		if 2*len(first) > looked {
			return nil
		}
		index, first = map[string]int32{}, nil
	}
	of := make([]int32, len(rows))
	for k, i := range rows {
		of[k] = number(i)
		if 2*len(first) > len(rows) {
			return nil
		}
	}
	for k, i := range rows {
		row[i] = of[k]
	}
	return first
}
