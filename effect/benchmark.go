package effect

import (
	"cmp"
	"math"

	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// spread is how much the peers differ beyond what their citizens and chance
// explain.
type spread struct {
	sigma2  float64 // variance between municipalities after adjustment
	varPeer float64 // harmonic mean of sigma2 + sampling variance over the peers
	sumW2   float64 // sum of squared weight shares
}

// between estimates the variance between comparator municipalities after
// adjustment, by the median-unbiased form of Paule and Mandel over what the
// adjustment leaves visible of it: with a handful of peers the plain form is too
// low so often that intervals cover 92 % where 95 % is meant.
// A municipality's own variance uses the pooled residual variance, because a
// small municipality without any residual would otherwise weigh without limit.
func (e *Expectation) between() spread {
	var b spread
	var total, squares, weights2 float64
	for _, p := range e.Municipalities {
		total += p.Weight
		squares += p.SumSquares
		weights2 += p.SumWeights2
	}
	var d, v []float64
	for _, p := range e.Municipalities {
		if p.Weight == 0 {
			continue
		}
		share := p.Weight / total
		b.sumW2 += float64(share * share)
		d = append(d, p.Residual/p.Weight)
		v = append(v, squares/weights2*p.SumWeights2/(p.Weight*p.Weight))
	}
	b.sigma2 = interval.PauleMandelMedian(d, v)
	precision := 0.0
	for _, x := range v {
		precision += 1 / (x + b.sigma2)
	}
	b.varPeer = float64(len(v)) / precision
	if e.Visible != 0 {
		b.sigma2 /= e.Visible
		b.varPeer /= e.Visible
	}
	return b
}

const (
	// minEffectivePeers is the effective number of peers under which one of them
	// stands for all: their spread then says nothing about it.
	minEffectivePeers = 2.5
	// minVisible is the share of the variation between municipalities that must
	// be left in the residuals to tell it from.
	minVisible = 0.5
)

// checkPeers refuses comparators from which the spread between municipalities
// cannot be told.
func (e *Expectation) checkPeers(u Unit) error {
	k := weighty(e.Municipalities)
	if k < MinPeers {
		return &Refusal{RefusalFewPeers, "fewer than 4 peer municipalities have comparators", "choose more peers"}
	}
	b := e.between()
	switch {
	case 1/b.sumW2 < minEffectivePeers:
		return &Refusal{RefusalFewPeers, "almost all comparators are of one peer municipality or two", "choose peers of similar size"}
	case e.Visible != 0 && e.Visible < minVisible, (u == UnitShare || u == UnitPortion) && b.sigma2 > 0.25:
		return &Refusal{RefusalConfounded, "what is adjusted for all but tells the peer municipality, so that the spread between peers cannot be told", "drop the covariate that tells the municipality, or choose other peers"}
	}
	return nil
}

// variance holds the parts of the variance of a difference, each with its
// degrees of freedom.
type variance struct {
	cell, comparators, between       float64
	dfCell, dfComparators, dfBetween float64
}

// variance is that of the difference of a cell from its comparators. The
// comparators have as many degrees of freedom as they effectively count, less
// the coefficients or strata that were fitted to them.
func (c *Certificate) variance() variance {
	v := variance{cell: c.VarCell, comparators: c.VarComparators, dfCell: float64(c.Persons - 1), dfComparators: c.EffectiveN - float64(c.Rank)}
	if c.Municipalities > 0 && !math.IsNaN(c.Sigma2B) {
		v.between, v.dfBetween = c.Sigma2B*(1+c.SumW2), float64(c.Municipalities-1)*c.Sigma2B/c.VarPeer
	}
	return v
}

// judge fills in the difference, its interval and the verdict.
func (f *Figures) judge(difference float64, v variance) {
	f.Difference, f.Refusal = difference, ""
	total := v.cell + v.comparators + v.between
	down := 0.0
	for _, part := range [][2]float64{{v.cell, v.dfCell}, {v.comparators, v.dfComparators}, {v.between, v.dfBetween}} {
		if part[0] > 0 {
			down += part[0] * part[0] / max(part[1], 1)
		}
	}
	f.SE, f.DF = Round(math.Sqrt(total)), Round(total*total/down)
	size := max(math.Abs(f.Observed), math.Abs(f.Expected))
	if !(total > 1e-18*size*size) || math.IsInf(total, 0) {
		// No variation but for rounding: there is no telling how sure the figure is.
		f.refuse(RefusalNoVariation)
		return
	}
	t := interval.StudentT(f.DF, f.Confidence)
	half := float64(t * f.SE)
	f.Low, f.High = Round(difference-half), Round(difference+half)
	switch {
	case f.Low > 0:
		f.Verdict = Higher
	case f.High < 0:
		f.Verdict = Lower
	default:
		f.Verdict = NoDifference
	}
}

// refuse leaves the counts and what was observed, and takes every other figure
// back.
func (f *Figures) refuse(code string) {
	f.NCompared, f.Expected, f.Difference, f.SE, f.DF, f.Low, f.High = 0, nan, nan, nan, nan, nan, nan
	f.Verdict, f.Refusal = NotRated, code
}

// Benchmark splits each cell's difference from its peers into the
// municipality's part and the provider's, from the rows of Estimates alone:
//
//	total        = Y(c) - E_peers(c)
//	provider     = Y(c) - E_home(c)
//	municipality = E_home(c) - E_peers(c) = total - provider
//
// Where both comparisons exist they are taken over the cases that both cover.
// Otherwise the parts that can be told stand alone and the others say why they
// are refused. The provider's part lies within one municipality: its interval
// has the two person-level terms only.
func Benchmark(estimates []Estimate) []BenchmarkRow {
	var out []BenchmarkRow
	for _, p := range split(estimates) {
		out = append(out, p.BenchmarkRow)
	}
	return out
}

// part is a part of a difference with what it rests on: an estimate, and a
// variance that is the estimate's own but for the municipality's part.
type part struct {
	BenchmarkRow
	from *Estimate
	variance
}

// split makes the parts of every cell's difference.
func split(estimates []Estimate) []part {
	type key struct {
		outcome, method string
		cell            Cell
	}
	type rows struct{ peers, home, commonPeers, commonHome *Estimate }
	found, order := map[key]*rows{}, []key{}
	for i := range estimates {
		e := &estimates[i]
		k := key{e.Outcome, e.Method, e.Cell}
		if found[k] == nil {
			found[k] = &rows{}
			order = append(order, k)
		}
		switch {
		case e.Comparators == Peers && e.Support == SupportOwn:
			found[k].peers = e
		case e.Comparators == Home && e.Support == SupportOwn:
			found[k].home = e
		case e.Comparators == Peers:
			found[k].commonPeers = e
		case e.Comparators == Home:
			found[k].commonHome = e
		}
	}
	var out []part
	for _, k := range order {
		r := found[k]
		if r.peers == nil || r.home == nil {
			continue
		}
		peers, home := r.peers, r.home
		both := r.commonPeers != nil && r.commonHome != nil && r.commonPeers.Refusal == "" && r.commonHome.Refusal == ""
		if both {
			peers, home = r.commonPeers, r.commonHome
		}
		row := BenchmarkRow{Outcome: k.outcome, Unit: peers.Unit, Cell: k.cell, Method: k.method}
		total, municipality, provider := part{row, peers, peers.variance()}, part{row, peers, variance{}}, part{row, home, home.variance()}
		total.Part, total.Figures = Total, peers.Figures
		provider.Part, provider.Figures = Provider, home.Figures
		municipality.Part, municipality.Figures = Municipality, peers.Figures
		if provider.Refusal == RefusalNoComparators {
			provider.Refusal = RefusalNoHome
		}
		f := &municipality.Figures
		f.refuse(cmp.Or(peers.Refusal, provider.Refusal, RefusalFewCases))
		if both {
			f.NCompared, f.Expected = peers.NCompared, peers.Expected
			v, h := peers.variance(), home.variance()
			v.cell, v.dfCell = h.comparators, h.dfComparators
			f.judge(Round(peers.Difference-home.Difference), v)
			municipality.variance = v
		}
		out = append(out, total, municipality, provider)
	}
	return out
}
