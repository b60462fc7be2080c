package effect

import (
	"cmp"
	"math"

	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// between estimates the variance between comparator municipalities after
// adjustment, by Paule and Mandel, and the sum of squared weight shares. A
// municipality's own variance uses the pooled residual variance, because a
// small municipality without any residual would otherwise weigh without limit.
func between(parts []MunicipalityPart) (sigma2, sumW2 float64) {
	var total, squares, weights2 float64
	for _, p := range parts {
		total += p.Weight
		squares += p.SumSquares
		weights2 += p.SumWeights2
	}
	var d, v []float64
	for _, p := range parts {
		if p.Weight == 0 {
			continue
		}
		share := p.Weight / total
		sumW2 += share * share
		d = append(d, p.Residual/p.Weight)
		v = append(v, squares/weights2*p.SumWeights2/(p.Weight*p.Weight))
	}
	return Round(interval.PauleMandel(d, v)), Round(sumW2)
}

// variance holds the parts of the variance of a difference, each with what its
// degrees of freedom come from.
type variance struct {
	cell, comparators, between float64
	nIn, nOut, k               int64
}

// judge fills in the difference, its interval and the verdict.
func (f *Figures) judge(difference float64, v variance) {
	f.Difference, f.Refusal = difference, ""
	total := v.cell + v.comparators + v.between
	down := 0.0
	for _, part := range []struct {
		v float64
		n int64
	}{{v.cell, v.nIn}, {v.comparators, v.nOut}, {v.between, v.k}} {
		if part.v > 0 {
			down += part.v * part.v / float64(max(part.n-1, 1))
		}
	}
	f.SE, f.DF = Round(math.Sqrt(total)), Round(total*total/down)
	size := max(math.Abs(f.Observed), math.Abs(f.Expected))
	if !(total > 1e-18*size*size) || math.IsInf(total, 0) {
		// No variation but for rounding: there is no telling how sure the figure is.
		f.SE, f.DF, f.Verdict, f.Refusal = nan, nan, NotRated, RefusalNoVariation
		return
	}
	t := interval.StudentT(f.DF, f.Confidence)
	f.Low, f.High = Round(difference-t*f.SE), Round(difference+t*f.SE)
	switch {
	case f.Low > 0:
		f.Verdict = Higher
	case f.High < 0:
		f.Verdict = Lower
	default:
		f.Verdict = NoDifference
	}
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
	var out []BenchmarkRow
	for _, k := range order {
		r := found[k]
		if r.peers == nil || r.home == nil {
			continue
		}
		peers, home := r.peers, r.home
		both := r.commonPeers != nil && r.commonHome != nil
		if both {
			peers, home = r.commonPeers, r.commonHome
		}
		row := BenchmarkRow{Outcome: k.outcome, Unit: peers.Unit, Cell: k.cell, Method: k.method}
		total, municipality, provider := row, row, row
		total.Part, total.Figures = Total, peers.Figures
		provider.Part, provider.Figures = Provider, home.Figures
		municipality.Part, municipality.Figures = Municipality, peers.Figures
		if provider.Refusal == RefusalNoComparators {
			provider.Refusal = RefusalNoHome
		}
		f := &municipality.Figures
		f.NCompared, f.Expected, f.Difference, f.SE, f.DF, f.Low, f.High = 0, nan, nan, nan, nan, nan, nan
		f.Verdict, f.Refusal = NotRated, cmp.Or(peers.Refusal, provider.Refusal, RefusalFewCases)
		if both {
			f.NCompared, f.Expected = peers.NCompared, peers.Expected
			f.judge(Round(peers.Difference-home.Difference), variance{
				cell: home.VarComparators, nIn: home.NComparators,
				comparators: peers.VarComparators, nOut: peers.NComparators,
				between: peers.Sigma2B * (1 + peers.SumW2), k: peers.Municipalities,
			})
		}
		out = append(out, total, municipality, provider)
	}
	return out
}
