// Package balance weights comparators until they have the means of a cell:
// entropy balancing within exact classes, with a linear outcome model fitted
// under the weights. It is the default method for figures that are paid on.
package balance

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// Method is the method "balance". Start from [Default].
//
// # Comparators
//
// Each rung of the ladder, from the finest to the coarsest, names classes that
// are exact beside the match group: comparators outside the cell's joint classes
// are left out, and the weights give every joint class the share that it has in
// the cell. The match group alone is always the last rung. The first rung is used
// on which at most MaxUncovered of the cell is uncovered, weights exist, and they
// count as MinComparators persons or more; the expectation says which it was. When
// all rungs refuse, the refusal is that of the last.
//
// Of a covariate of names, a name needs 5 comparators to count as known, and so
// does a joint class, and a missing number. Cases of the cell with what is not
// known are uncovered and counted. Comparators with what nobody in the cell has
// are left out: they could only weigh nothing. The method needs records:
// aggregated comparators are refused.
//
// # The figure
//
// The weights w are those of [Entropy] for the columns of [effect.Frame] (the
// covariates, and the terms of Also) and their means over the covered cell. With
// m a linear model with a constant for every joint class, fitted to the
// comparators by least squares under w,
//
//	ATT = mean over the cell of (Y - m) - sum over the comparators of w (Y - m)
//
// As m has the columns that are balanced, its weighted residuals sum to 0 and its
// mean over the cell is the weighted mean of the comparators: the figure is
// exactly that of entropy balancing. m adds the right error. Let H be the
// derivative of the dual's score, the weighted covariance within classes, t the
// targets and z = x less its weighted class mean. Where t moves by dt, lambda
// moves by H^-1 dt, the weights by w_i z_i'H^-1 dt and the weighted mean of Y by
// (sum w z Y)'H^-1 dt = b'dt, b being the weighted regression's coefficients. So a
// case of the cell moves the figure by (Y_i - m_i)/n rather than Y_i/n, and a
// comparator, that moves the score by w_i z_i, by -w_i (Y_i - m_i): the residuals
// of m are the influence function of both steps together. An imbalance of size d
// that the tolerance leaves moves the mean of m by d^2 only.
//
// The comparators' variance takes residuals as r/(1 - h), h being the leverage in
// the weighted regression (HC3), at most 0.99; where a comparator that matters
// decides its own fitted value, the method refuses.
// Source: hainmueller2012; mackinnonwhite1985.
type Method struct {
	Covariates []string
	Also       []effect.Term
	Ladder     [][]effect.Class
	// MaxUncovered is the share of a cell that may be without comparators.
	MaxUncovered float64
	// MinComparators is the effective number of comparators that a rung needs.
	MinComparators float64
}

// Default balances the covariates within the match group, allows a fifth of the
// cell to be uncovered and needs comparators that count as 30.
func Default(covariates ...string) Method {
	return Method{Covariates: covariates, MaxUncovered: 0.2, MinComparators: 30}
}

// Name is "balance".
func (Method) Name() string { return "balance" }

// Uses lists the covariates, and those of the ladder's classes.
func (m Method) Uses() []string {
	out := slices.Clone(m.Covariates)
	for _, rung := range m.Ladder {
		for _, c := range rung {
			if !slices.Contains(out, c.Covariate) {
				out = append(out, c.Covariate)
			}
		}
	}
	return out
}

const (
	fewComparators = 5    // comparators that a name or a class needs to count as known
	maxLeverage    = 0.99 // where a comparator all but decides its own fitted value
)

// Expect weights the comparators on the first rung that holds.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	switch {
	case len(c.Strata) > 0:
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNeedsMicro, Why: "some peers are known by aggregated strata only", Cure: "use the strata method"}
	case len(c.In) == 0:
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalNoCases, Why: "the cell has no cases", Cure: "choose a later as_of or an earlier cohort"}
	}
	for _, rows := range [][]int32{c.In, c.Out} {
		for _, i := range rows {
			if math.IsNaN(c.Y[i] - c.Y[i]) {
				return effect.Expectation{}, notFinite("an outcome")
			}
		}
	}
	frame, err := c.Frame(ctx, m.Covariates, m.Also)
	if err != nil {
		return effect.Expectation{}, err
	}
	for at, rung := range append(slices.Clone(m.Ladder), nil) {
		var e effect.Expectation
		// Weights do not depend on the outcome.
		made := c.Once(rungAt(at), func() any {
			w, err := m.weigh(ctx, c, frame, rung)
			return weighing{w, err}
		}).(weighing)
		if err = made.err; err == nil {
			e, err = m.answer(ctx, c, made.w)
		}
		if stopped := effect.Stopped(ctx); stopped != nil {
			return effect.Expectation{}, stopped // what was fitted under it is no answer
		}
		if err == nil {
			return e, nil
		}
		if _, refused := effect.AsRefusal(err); !refused {
			break
		}
	}
	return effect.Expectation{}, err
}

// side is the cell or its comparators, folded: one pattern for those that are
// alike in all covariates and classes.
type side struct {
	rows  []int32   // the cases
	of    []int32   // of each case: its pattern
	first []int32   // of each pattern: a case
	frame []int32   // of each pattern: the row of the frame
	class []int32   // of each pattern
	count []float64 // of each pattern: cases
	dead  []bool    // of each pattern: has what the other side does not know
}

// fold makes a side of cases; classes numbers their joint classes anew.
func fold(frame *effect.Frame, rows []int32, cl *effect.Classifier, classes map[int]int32) *side {
	s := &side{rows: rows, of: make([]int32, len(rows))}
	if n := len(rows); !frame.Folded {
		s.first, s.frame, s.class, s.count = make([]int32, 0, n), make([]int32, 0, n), make([]int32, 0, n), make([]float64, 0, n)
	}
	var index [][]int32 // by class and row of the frame: the pattern, plus 1
	last, class := -1, int32(0)
	for k, i := range rows {
		if key := cl.Key(i); key != last {
			var ok bool
			if class, ok = classes[key]; !ok {
				class = int32(len(classes))
				classes[key] = class
			}
			last = key
		}
		at, slot := frame.Row(i), int32(len(s.first))
		if frame.Folded {
			for int(class) >= len(index) {
				index = append(index, make([]int32, frame.X.N))
			}
			if old := index[class][at]; old > 0 {
				s.of[k] = old - 1
				s.count[old-1]++
				continue
			}
			index[class][at] = slot + 1
		}
		s.of[k] = slot
		s.first, s.frame, s.class, s.count = append(s.first, i), append(s.frame, at), append(s.class, class), append(s.count, 1)
	}
	s.dead = make([]bool, len(s.first))
	return s
}

// alive counts the cases that are not set aside.
func (s *side) alive() (n float64) {
	for k, c := range s.count {
		if !s.dead[k] {
			n += c
		}
	}
	return n
}

// settle sets aside comparators with a name that nobody in the cell has or fewer
// than 5 comparators, and leaves cases of the cell with such a name uncovered,
// until neither is left. Joint classes count as names. It says whether a name,
// other than a class, set comparators aside.
func (m Method) settle(c *effect.Comparison, frame *effect.Frame, cell, out *side, classes int) (aside bool) {
	names := []func(s *side, k int) int{func(s *side, k int) int { return int(s.class[k]) }}
	sizes := []int{classes}
	for _, name := range m.Covariates {
		cov, _ := c.Covariate(name)
		if cov.Number == nil {
			names = append(names, func(s *side, k int) int { return int(cov.Factor.Codes[s.first[k]]) + 1 })
			sizes = append(sizes, len(cov.Factor.Levels)+1)
			continue
		}
		if !slices.Contains(frame.Names, name+" = "+effect.MissingClass) {
			continue // nobody in the group misses it
		}
		names = append(names, func(s *side, k int) int {
			if math.IsNaN(cov.Number[s.first[k]]) {
				return 1
			}
			return 0
		})
		sizes = append(sizes, 2)
	}
	for again := true; again; {
		again = false
		for n, name := range names {
			counts := func(s *side) []float64 {
				out := make([]float64, sizes[n])
				for k, c := range s.count {
					if !s.dead[k] {
						out[name(s, k)] += c
					}
				}
				return out
			}
			inCell, outside := counts(cell), counts(out)
			for l := range outside {
				if outside[l] > 0 && (outside[l] < fewComparators || inCell[l] == 0) {
					outside[l], again = 0, true
					aside = aside || n > 0
				}
			}
			for k := range out.dead {
				out.dead[k] = out.dead[k] || outside[name(out, k)] == 0
			}
			for k := range cell.dead {
				if !cell.dead[k] && outside[name(cell, k)] == 0 {
					cell.dead[k], again = true, true
				}
			}
		}
	}
	return aside
}

// rungAt is the key of what was worked out on a rung of the ladder, by its number.
type rungAt int

// weighing is what weigh returns.
type weighing struct {
	w   *weighed
	err error
}

// weighed is a cell with its comparators weighted on one rung of the ladder, and all of
// the outcome model that does not depend on the outcome.
type weighed struct {
	*Weights
	rung      string
	aside     bool // a name set comparators aside
	cell, out *side
	in        []int32 // the covered cases of the cell
	coveredIn []bool  // of its cases; nil where all are covered
	live, of  []int32 // the comparators of municipalities with a weight, and their patterns
	fitted    []int32 // all that the outcome model is of, and theirs
	fittedOf  []int32
	byCase    []float64
	leverage  []float64 // of the comparators
	factor    dense.Cholesky
	visible   func(context.Context, *effect.Expectation) float64
}

// weigh works out the weights on one rung of the ladder.
func (m Method) weigh(ctx context.Context, c *effect.Comparison, frame *effect.Frame, exact []effect.Class) (*weighed, error) {
	cl, err := effect.Classify(c.Cases, exact)
	if err != nil {
		return nil, err
	}
	classes := map[int]int32{}
	cell, out := fold(frame, c.In, cl, classes), fold(frame, c.Out, cl, classes)
	aside := m.settle(c, frame, cell, out, len(classes))
	covered := cell.alive()
	switch n := float64(len(c.In)); {
	case covered == 0:
		return nil, &effect.Refusal{Code: effect.RefusalNoComparators, Why: "no case of the cell has 5 comparators with its names and classes", Cure: "use fewer covariates or coarser classes, or declare more peers"}
	case (n-covered)/n > m.MaxUncovered:
		return nil, &effect.Refusal{
			Code: effect.RefusalUncovered,
			Why:  fmt.Sprintf("%.0f %% of the cell has names or classes that fewer than 5 comparators have", 100*(n-covered)/n),
			Cure: "use coarser names or classes, or declare more peers",
		}
	}
	p := Problem{X: frame.X, Rows: out.frame, Class: out.class, Names: frame.Names}
	if frame.Folded || slices.Contains(out.dead, true) {
		p.Base = slices.Clone(out.count)
		for k, dead := range out.dead {
			if dead {
				p.Base[k] = 0
			}
		}
	}
	p.Share, p.Target = make([]float64, len(classes)), make([]float64, frame.X.P)
	for k, n := range cell.count {
		if cell.dead[k] {
			continue
		}
		p.Share[cell.class[k]] += n
		for j, v := range frame.X.Row(int(cell.frame[k])) {
			p.Target[j] += n * v
		}
	}
	for k := range p.Share {
		p.Share[k] /= covered
	}
	for j := range p.Target {
		p.Target[j] /= covered
	}
	w, err := Entropy(ctx, p)
	if err != nil {
		return nil, err
	}
	effective := 0.0
	for k, v := range w.Weights {
		effective += v * v / out.count[k]
	}
	if 1/effective < m.MinComparators {
		return nil, &effect.Refusal{Code: effect.RefusalFewComparators, Why: "the comparators' weights count as too few persons", Cure: "declare more peers, or adjust for less"}
	}
	var names []string
	for _, class := range exact {
		names = append(names, class.Covariate)
	}
	made := &weighed{Weights: w, rung: strings.Join(names, ", "), aside: aside, cell: cell, out: out}
	return made, made.model(ctx, c)
}

// model prepares the outcome model under the weights. Only cases that are compared
// count from here on.
func (w *weighed) model(ctx context.Context, c *effect.Comparison) error {
	s, out := w.s, w.out
	for k, v := range w.Weights.Weights {
		out.dead[k] = out.dead[k] || v == 0
	}
	w.live, w.of = live(out)
	w.in, _ = live(w.cell)
	if all := len(w.cell.rows); len(w.in) < all {
		w.coveredIn = make([]bool, all)
		for k := range w.coveredIn {
			w.coveredIn[k] = !w.cell.dead[w.cell.of[k]]
		}
	}
	var ok bool
	if w.factor, ok = dense.Factor(s.hessian(ctx, s.kept, 1)); !ok {
		return &effect.Refusal{Code: effect.RefusalFewComparators, Why: "the weights rest on so few comparators that some coefficient of the outcome model cannot be told", Cure: "use fewer covariates or coarser classes, or declare more peers"}
	}
	leverage := s.leverage(ctx, w.factor)
	w.byCase, w.leverage = make([]float64, len(w.live)), make([]float64, len(w.live))
	for k, at := range w.of {
		n := out.count[at]
		w.byCase[k] = w.Weights.Weights[at] / n
		h := leverage[at] / n
		if h > maxLeverage && w.byCase[k] > 1e-3/float64(len(w.live)) {
			return &effect.Refusal{Code: effect.RefusalFewComparators, Why: "some coefficient of the outcome model rests on a single comparator", Cure: "use fewer covariates or coarser classes, or declare more peers"}
		}
		w.leverage[k] = min(h, maxLeverage)
	}
	w.setAside(c)
	visible, known := 0.0, false
	w.visible = func(ctx context.Context, e *effect.Expectation) float64 {
		if !known {
			visible, known = w.seen(ctx, e, c), true
		}
		return visible
	}
	return nil
}

// leastShare is the share of the weight under which a municipality has none: what is
// left in the residuals of its cases is made by the outcome model alone, and would say
// how much municipalities differ.
const leastShare = 1e-9

// setAside leaves out the cases of municipalities that carry no weight.
func (w *weighed) setAside(c *effect.Comparison) {
	w.fitted, w.fittedOf = w.live, w.of
	share := make([]float64, len(c.Cases.Municipality.Levels))
	for k, i := range w.live {
		share[c.Cases.Municipality.Codes[i]] += w.byCase[k]
	}
	live, of, byCase, leverage := w.live, w.of, w.byCase, w.leverage
	w.live, w.of, w.byCase, w.leverage = nil, nil, nil, nil
	for k, i := range live {
		if share[c.Cases.Municipality.Codes[i]] >= leastShare {
			w.live, w.of = append(w.live, i), append(w.of, of[k])
			w.byCase, w.leverage = append(w.byCase, byCase[k]), append(w.leverage, leverage[k])
		}
	}
}

// answer fits the outcome model under the weights and puts both together.
func (m Method) answer(ctx context.Context, c *effect.Comparison, w *weighed) (effect.Expectation, error) {
	s := w.s
	less := *c
	less.Out, less.In = w.live, w.in
	y := make([]float64, len(w.out.first)) // mean outcome of each pattern
	for k, i := range w.fitted {
		y[w.fittedOf[k]] += c.Y[i]
	}
	for k, n := range w.out.count {
		y[k] /= n
	}
	fit := s.regress(ctx, y, w.factor)
	l := effect.Linear{Weights: w.byCase, Leverage: w.leverage, FittedOut: make([]float64, len(less.Out)), FittedIn: make([]float64, 0, len(less.In))}
	for k, at := range w.of {
		l.FittedOut[k] = fit.fitted[at]
	}
	for _, slot := range w.cell.of {
		if !w.cell.dead[slot] {
			l.FittedIn = append(l.FittedIn, fit.predict(s.X.Row(int(w.cell.frame[slot])), int(w.cell.class[slot])))
		}
	}
	e := less.Linear(l)
	e.Covered = w.coveredIn
	e.Visible = w.visible(ctx, &e)
	// What is left below the tolerance is rounding, which differs between machines.
	e.ScoreNorm = max(w.ScoreNorm, tolerance)
	constants := 0
	s.each(func(_, _, _ int) { constants++ })
	e.Rank, e.Columns = constants+len(w.Kept), constants+w.Columns
	if e.Rank < e.Columns {
		e.Warnings = append(e.Warnings, "aliased_columns_set_aside")
	}
	e.Rung = w.rung
	if w.aside || w.Face {
		e.Warnings = append(e.Warnings, "comparators_set_aside")
	}
	return e, nil
}

// live returns the cases of the patterns that are not set aside, and their
// patterns.
func live(s *side) (rows, of []int32) {
	if !slices.Contains(s.dead, true) {
		return s.rows, s.of
	}
	for k, i := range s.rows {
		if !s.dead[s.of[k]] {
			rows, of = append(rows, i), append(of, s.of[k])
		}
	}
	return rows, of
}

// outcome is the linear model of the outcome, fitted under the weights.
type outcome struct {
	s        *solver
	b        []float64 // coefficients of the kept columns, in their standard deviations
	constant []float64 // of each class
	fitted   []float64 // of each comparator of the problem
}

// regress fits the outcomes y of the problem's comparators by weighted least
// squares, on the kept columns and a constant for every class. The factor is that of
// the weighted covariance of the kept columns within the classes.
func (s *solver) regress(ctx context.Context, y []float64, factor dense.Cholesky) *outcome {
	o := &outcome{s: s, b: make([]float64, len(s.kept)), constant: make([]float64, len(s.Share)), fitted: make([]float64, s.n)}
	width := len(s.kept)
	// A second pass on the residuals repairs what the normal equations lose.
	for range 2 {
		cross, b := make([]float64, width), make([]float64, s.X.P)
		for j, p := range s.kept {
			b[p] = o.b[j] * s.perSD[p]
		}
		s.each(func(c, lo, hi int) {
			constant := o.constant[c] - dense.Dot(b, s.mean[c])
			sum := dense.Sum(ctx, hi-lo, s.X.P+1, func(sum []float64, from, to int) {
				for at := lo + from; at < lo+to; at++ {
					row := s.X.Row(int(s.rows[at]))
					r := s.e[at] * (y[s.order[at]] - constant - dense.Dot(row, b))
					sum[s.X.P] += r
					for k, v := range row {
						sum[k] += r * v
					}
				}
			})
			o.constant[c] += sum[s.X.P] / s.Share[c]
			for j, p := range s.kept {
				cross[j] += (sum[p] - sum[s.X.P]*s.mean[c][p]) * s.perSD[p]
			}
		})
		for k, v := range factor.Solve(cross) {
			o.b[k] += v
		}
	}
	s.standardised(ctx, func(at, class int, z []float64) { o.fitted[s.order[at]] = o.constant[class] + dense.Dot(z, o.b) })
	return o
}

// leverage is w x'(X'WX)^-1 x of each comparator of the problem.
func (s *solver) leverage(ctx context.Context, factor dense.Cholesky) []float64 {
	out := make([]float64, s.n)
	s.standardised(ctx, func(at, class int, z []float64) {
		factor.Half(z, z)
		out[s.order[at]] = s.e[at] * (1/s.Share[class] + dense.Dot(z, z))
	})
	return out
}

// standardised calls f with every comparator, its class and its kept columns, less their
// weighted means and in standard deviations, which f may write over.
func (s *solver) standardised(ctx context.Context, f func(at, class int, z []float64)) {
	s.each(func(c, lo, hi int) {
		dense.Chunks(ctx, hi-lo, func(_, a, b int) {
			z := make([]float64, len(s.kept))
			for at := lo + a; at < lo+b; at++ {
				s.standard(z, c, s.rows[at], s.kept)
				f(at, c, z)
			}
		})
	})
}

// predict is the fitted outcome of a row of X in a class.
func (o *outcome) predict(row []float64, class int) float64 {
	sum, mean := o.constant[class], o.s.mean[class]
	for k, p := range o.s.kept {
		sum += o.b[k] * (row[p] - mean[p]) * o.s.perSD[p]
	}
	return sum
}

// seen is the share of the variation between municipalities that the weighted
// regression leaves in the residuals: an effect of municipality l moves the class
// constants by l's share of the class, and the coefficients by (X'WX)^-1 times the
// weighted sum of l's rows.
func (w *weighed) seen(ctx context.Context, e *effect.Expectation, c *effect.Comparison) float64 {
	out, of, weights := w.out, w.of, w.byCase
	s, k, width := w.s, len(e.Municipalities), len(w.s.kept)
	index := make([]int32, len(c.Cases.Municipality.Levels))
	for j, p := range e.Municipalities {
		index[c.Cases.Municipality.Code(p.Municipality)] = int32(j)
	}
	classes := len(s.Share)
	// Of a pattern that many cases have, each municipality's are taken at once.
	rows, place, times := of, make([]int32, len(of)), weights
	for n, i := range w.live {
		place[n] = index[c.Cases.Municipality.Codes[i]]
	}
	if patterns := len(out.first); k*patterns < len(of) {
		held := make([]float64, k*patterns)
		for n, at := range of {
			held[int(place[n])*patterns+int(at)] += weights[n]
		}
		rows, place, times = nil, nil, nil
		for n, w := range held {
			if w > 0 {
				rows, place, times = append(rows, int32(n%patterns)), append(place, int32(n/patterns)), append(times, w)
			}
		}
	}
	pull := dense.Sum(ctx, len(rows), k*(width+classes), func(sum []float64, lo, hi int) {
		z := make([]float64, width)
		for n := lo; n < hi; n++ {
			class := out.class[rows[n]]
			mine := sum[int(place[n])*(width+classes):]
			s.standard(z, int(class), out.frame[rows[n]], s.kept)
			for p, v := range z {
				mine[p] += times[n] * v
			}
			mine[width+int(class)] += times[n]
		}
	})
	part := func(j int) (z, share []float64) {
		row := pull[j*(width+classes) : (j+1)*(width+classes)]
		return row[:width], row[width:]
	}
	shifts := make([][]float64, k)
	for l := range k {
		z, _ := part(l)
		shifts[l] = w.factor.Solve(z)
	}
	return effect.Visible(k, func(j, l int) float64 {
		z, mine := part(j)
		_, other := part(l)
		lost := dense.Dot(z, shifts[l])
		for class, w := range mine {
			if w != 0 {
				lost += w * other[class] / s.Share[class]
			}
		}
		if weight := e.Municipalities[j].Weight; weight > 0 {
			return lost / weight
		}
		return 0
	})
}
