// Package matching compares a cell with its nearest comparators on the propensity
// score: the method "matching". It is for comparison with others' practice and
// for description; nothing is paid on it.
package matching

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/columns"
	"github.com/jobeffekt/jobeffekt/effect/internal/propensity"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Method is matching with replacement on the propensity score, all ties averaged.
// Start from [Default].
//
// The score is the probability (not the log odds) of being in the cell rather
// than among the comparators, by logistic regression on Covariates. With J(i) the
// Neighbours comparators nearest to case i and all others that are as near as the
// farthest of them,
//
//	expected = mean over the cell of the mean outcome of J(i)
//	w_j      = sum over i with j in J(i) of 1 / (n |J(i)|)
//
// so that no figure depends on the order of rows. Distances that differ by less
// than 1e-9 standard deviations of the score are equal. Where a class has fewer
// than Neighbours comparators, or the caliper holds fewer, J(i) is those there
// are.
//
// The caliper binds: a case without a comparator inside it, or in its exact
// classes, is uncovered and counted, and so is one with a name or a missing number
// that no comparator has; beyond MaxUncovered of the cell the method refuses.
// Other refusals: no_cases, no_comparators, n_below_minimum (one case covered),
// too_few_comparators (a single comparator), needs_microdata (aggregated
// comparators), separation (the covariates tell the cell from its comparators),
// not_finite.
//
// Variances take residuals from the mean outcome of the 5 comparators, ties
// included, nearest to a case's score (in its exact classes, where these have as
// many). A comparator is one of its own g nearest, and its squared residual is
// divided by 1 - 1/g: the conditional variance of abadieimbens2006 with g - 1
// neighbours. Scores are taken as known, though they are estimated; for the effect
// on the cell that most often makes intervals too wide (by a tenth in the worlds of
// the tests). Source: rosenbaumrubin1983 for the score.
type Method struct {
	Covariates []string
	Neighbours int     // 1 or more
	Caliper    float64 // in standard deviations of the score over cell and comparators; 0 means none
	Exact      []effect.Class
	// MaxUncovered is the largest share of the cell that may be uncovered.
	MaxUncovered float64
}

// Default takes the nearest neighbour whatever its distance, and refuses a cell
// of which more than a fifth has none.
func Default(covariates ...string) Method {
	return Method{Covariates: covariates, Neighbours: 1, MaxUncovered: 0.2}
}

// Name is "matching".
func (Method) Name() string { return "matching" }

// Uses lists the covariates of the score and of the exact classes.
func (m Method) Uses() []string {
	out := slices.Clone(m.Covariates)
	for _, c := range m.Exact {
		if !slices.Contains(out, c.Covariate) {
			out = append(out, c.Covariate)
		}
	}
	return out
}

// smooth is how many comparators a local mean rests on at least.
const smooth = 5

// Expect matches the cell.
func (m Method) Expect(ctx context.Context, c *effect.Comparison) (effect.Expectation, error) {
	if m.Neighbours < 1 || !(m.Caliper >= 0) {
		return effect.Expectation{}, fmt.Errorf("matching: %d neighbours and a caliper of %v; a case needs 1 neighbour or more, and a caliper is not negative", m.Neighbours, m.Caliper)
	}
	exact, err := effect.Classify(c.Cases, m.Exact)
	if err != nil {
		return effect.Expectation{}, err
	}
	model, err := propensity.New(ctx, c, m.Covariates, m.MaxUncovered)
	if err != nil {
		return effect.Expectation{}, err
	}
	return m.match(ctx, model, exact)
}

// match finds the neighbours on the scores of a fitted model.
func (m Method) match(ctx context.Context, model *propensity.Model, exact *effect.Classifier) (effect.Expectation, error) {
	p := newPool(model, exact)
	limit := math.Inf(1)
	if m.Caliper > 0 {
		limit = m.Caliper*p.sd + p.tie
	}

	// Each case's neighbours, and the cases that have some.
	keep, ranges := make([]bool, len(model.In)), make([]span, 0, len(model.In))
	for k, i := range model.In {
		s := p.lines[exact.Key(i)].nearest(p.in[k], m.Neighbours, limit, p.tie)
		if keep[k] = s.n > 0; keep[k] {
			ranges = append(ranges, s)
		}
	}
	if err := columns.Uncovered(len(ranges), model.Given, m.MaxUncovered, "has no comparator inside the caliper and the exact classes"); err != nil {
		return effect.Expectation{}, err
	}
	if len(model.Out) < 2 {
		return effect.Expectation{}, &effect.Refusal{Code: effect.RefusalFewComparators, Why: "one comparator has no variance", Cure: "declare more peers"}
	}
	if err := effect.Stopped(ctx); err != nil {
		return effect.Expectation{}, err
	}
	fitted, residual := make([]float64, 0, len(ranges)), make([]float64, 0, len(ranges))
	for k, i := range model.In {
		if !keep[k] {
			continue
		}
		s := ranges[len(fitted)]
		for at := s.from; at < s.to; at++ {
			s.line.weight[at] += 1 / (float64(len(ranges)) * float64(s.n))
		}
		fitted = append(fitted, s.mean())
		residual = append(residual, model.Y[i]-p.around(exact.Key(i), p.in[k]).mean())
	}

	// A comparator is one of those that its local mean rests on.
	weight, influence := make([]float64, len(model.Out)), make([]float64, len(model.Out))
	spread := newSpread(model.Comparison)
	for _, key := range slices.Sorted(maps.Keys(p.lines)) {
		l := p.lines[key]
		for at, w := range l.weight {
			if w == 0 {
				continue
			}
			local := p.around(key, l.knots[at].score)
			mean, shares := local.mean(), spread.shares(local)
			inflate := 1 / math.Sqrt(1-1/float64(local.n))
			for _, pos := range l.members(at) {
				i := model.Out[pos]
				weight[pos], influence[pos] = w, w*(model.Y[i]-mean)*inflate
				spread.add(i, w*inflate, shares)
			}
		}
	}
	matched := model.Restrict(keep)
	matched.Out = nil
	linear := effect.Linear{FittedIn: fitted}
	for pos, w := range weight {
		if w != 0 {
			matched.Out = append(matched.Out, model.Out[pos])
			linear.Weights, linear.Influence = append(linear.Weights, w), append(linear.Influence, influence[pos])
		}
	}
	e := matched.Linear(linear)
	// The mean of few neighbours is noise of the comparators, which their own
	// variance holds already.
	e.VarCell = matched.MeanVariance(matched.In, residual)
	e.Visible = spread.visible(&e)
	model.Complete(&e)
	if len(ranges) < model.Given {
		e.Covered = make([]bool, model.Given)
		k := 0
		for n := range e.Covered {
			if model.Covered == nil || model.Covered[n] {
				e.Covered[n] = keep[k]
				k++
			}
		}
	}
	return e, nil
}

// pool is the comparators in the order of their scores, by exact class.
type pool struct {
	c       *effect.Comparison
	in, out []float64     // scores
	lines   map[int]*line // by key of the exact classes that the cell has
	all     *line         // of any class, made when it is needed
	sd, tie float64
}

// line is comparators in the order of their scores.
type line struct {
	knots  []knot
	weight []float64 // of each comparator of a knot
	order  []int32   // positions in Out
}

// knot is the comparators of a line with one score.
type knot struct {
	score, sum float64
	from, to   int32 // in the line's order
}

func (l *line) members(at int) []int32 { return l.order[l.knots[at].from:l.knots[at].to] }

// span is neighbouring knots of a line: n comparators.
type span struct {
	line     *line
	from, to int
	n        int
}

func (s span) mean() float64 {
	sum := 0.0
	for _, k := range s.line.knots[s.from:s.to] {
		sum += k.sum
	}
	return sum / float64(s.n)
}

func newPool(m *propensity.Model, exact *effect.Classifier) *pool {
	p := &pool{c: m.Comparison, lines: map[int]*line{}}
	score := func(eta []float64) []float64 {
		out := make([]float64, len(eta))
		for k, e := range eta {
			out[k] = regress.Expit(e)
		}
		return out
	}
	p.in, p.out = score(m.EtaIn), score(m.EtaOut)
	var n, sum, squares float64
	for _, side := range [][]float64{p.in, p.out} {
		for _, s := range side {
			n, sum = n+1, sum+s
		}
	}
	mean := sum / n
	for _, side := range [][]float64{p.in, p.out} {
		for _, s := range side {
			squares += (s - mean) * (s - mean)
		}
	}
	p.sd = math.Sqrt(squares / (n - 1))
	// Scores that are equal but for rounding are equal.
	p.tie = 1e-9*p.sd + 1e-12*mean

	members := map[int][]int32{}
	for _, i := range m.In {
		members[exact.Key(i)] = nil
	}
	for k, i := range m.Out {
		key := exact.Key(i)
		if list, ok := members[key]; ok {
			members[key] = append(list, int32(k))
		}
	}
	for key, list := range members {
		p.lines[key] = p.line(list)
	}
	return p
}

// line sorts the comparators at the positions given.
func (p *pool) line(positions []int32) *line {
	type scored struct {
		score float64
		at    int32
	}
	list := make([]scored, len(positions))
	for k, at := range positions {
		list[k] = scored{p.out[at], at}
	}
	slices.SortFunc(list, func(a, b scored) int {
		// Scores are no NaN, which cmp.Compare looks for.
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return int(a.at) - int(b.at)
	})
	distinct := 0
	for k := range list {
		if k == 0 || list[k].score != list[k-1].score {
			distinct++
		}
	}
	l := &line{order: make([]int32, len(list)), knots: make([]knot, 0, distinct), weight: make([]float64, distinct)}
	for k, s := range list {
		if k == 0 || s.score != list[k-1].score {
			l.knots = append(l.knots, knot{score: s.score, from: int32(k)})
		}
		last := &l.knots[len(l.knots)-1]
		last.to = int32(k) + 1
		last.sum += p.c.Y[p.c.Out[s.at]]
		l.order[k] = s.at
	}
	return l
}

// around is the comparators that the local mean at a score rests on.
func (p *pool) around(key int, score float64) span {
	l := p.lines[key]
	if len(l.order) < smooth && len(l.order) < len(p.out) {
		if p.all == nil {
			every := make([]int32, len(p.out))
			for k := range every {
				every[k] = int32(k)
			}
			p.all = p.line(every)
		}
		l = p.all
	}
	return l.nearest(score, smooth, math.Inf(1), p.tie)
}

// nearest is the n comparators nearest to a score within the limit, and all as
// near as the farthest of them.
func (l *line) nearest(score float64, n int, limit, tie float64) span {
	right := sort.Search(len(l.knots), func(k int) bool { return l.knots[k].score >= score })
	left := right - 1
	s := span{line: l}
	below := func() float64 {
		if left < 0 {
			return math.Inf(1)
		}
		return score - l.knots[left].score
	}
	above := func() float64 {
		if right == len(l.knots) {
			return math.Inf(1)
		}
		return l.knots[right].score - score
	}
	take := func(k int) { s.n += int(l.knots[k].to - l.knots[k].from) }
	for reach := 0.0; ; {
		d := min(below(), above())
		if math.IsInf(d, 1) || d > limit || s.n >= n && d > reach+tie {
			break
		}
		if s.n < n {
			reach = d
		}
		if below() <= d {
			take(left)
			left--
		} else {
			take(right)
			right++
		}
	}
	s.from, s.to = left+1, right
	return s
}

// spread follows what an effect of one municipality does to the residuals of the
// others.
type spread struct {
	c     *effect.Comparison
	index []int       // of a municipality's code; -1 where it has no comparator
	k     int         // municipalities with comparators
	left  [][]float64 // [j][l]: sum over j's comparators of what is left of l's effect
}

func newSpread(c *effect.Comparison) *spread {
	s := &spread{c: c, index: make([]int, len(c.Cases.Municipality.Levels))}
	for k := range s.index {
		s.index[k] = -1
	}
	for _, i := range c.Out {
		if at := &s.index[c.Cases.Municipality.Codes[i]]; *at < 0 {
			*at = s.k
			s.k++
		}
	}
	s.left = make([][]float64, s.k)
	for k := range s.left {
		s.left[k] = make([]float64, s.k)
	}
	return s
}

// shares are the municipalities' shares of a local mean.
func (s *spread) shares(local span) []float64 {
	out := make([]float64, s.k)
	for k := local.from; k < local.to; k++ {
		for _, at := range local.line.members(k) {
			out[s.index[s.c.Cases.Municipality.Codes[s.c.Out[at]]]] += 1 / float64(local.n)
		}
	}
	return out
}

func (s *spread) add(i int32, weight float64, shares []float64) {
	j := s.index[s.c.Cases.Municipality.Codes[i]]
	s.left[j][j] += weight
	for l, share := range shares {
		s.left[j][l] -= weight * share
	}
}

func (s *spread) visible(e *effect.Expectation) float64 {
	names := make([]int, len(e.Municipalities))
	for k, p := range e.Municipalities {
		names[k] = s.index[s.c.Cases.Municipality.Code(p.Municipality)]
	}
	return effect.Visible(len(names), func(j, l int) float64 {
		lost := -s.left[names[j]][names[l]] / e.Municipalities[j].Weight
		if j == l {
			lost++
		}
		return lost
	})
}
