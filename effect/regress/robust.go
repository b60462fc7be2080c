package regress

import (
	"context"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/internal/dense"
)

// Robust is the uncertainty of a linear fit's coefficients that does not take
// residuals to have one variance. All parts have one entry per column; those of
// columns set aside are NaN.
type Robust struct {
	Fit *Fit
	// Covariance of the coefficients.
	Covariance [][]float64
	SE         []float64 // standard errors
	// DF are Satterthwaite degrees of freedom of each coefficient's variance, for
	// Student's t; they hold exactly under independent residuals of one variance.
	DF       []float64
	Clusters int
}

// Clustered fits y by least squares, with standard errors that allow residuals
// within a cluster to go together in any way: CR2, the bias-reduced linearisation
// of Bell and McCaffrey. With M = (X'X)^-1 and e the residuals,
//
//	V = M [ sum over clusters g of X_g' A_g e_g e_g' A_g X_g ] M,
//	A_g = (I - X_g M X_g')^-1/2, on the part of the space where that exists,
//
// and degrees of freedom (sum a_g)^2 / sum over g, h of (p_g'p_h)^2, a_g = p_g'p_g,
// p_g being the weights that cluster g gives the outcomes in the square root of V.
// A coefficient on which one cluster alone bears has no variance to tell, and
// SE and DF NaN. cluster has a label for each row; only which are equal matters,
// and the order in which they first appear.
//
// It refuses as [Linear] does, and with too_few_comparators when there are fewer
// than two clusters, so also with n = 0. Work grows with clusters times columns
// to the third power. Source: bellmccaffrey2002, pustejovskytipton2018.
func Clustered(ctx context.Context, x Matrix, y []float64, cluster []int32) (*Robust, error) {
	if len(cluster) != x.N {
		return nil, ErrShape
	}
	index, groups := map[int32]int{}, [][]int{}
	for i, label := range cluster {
		g, ok := index[label]
		if !ok {
			g = len(groups)
			index[label], groups = g, append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return robust(ctx, x, y, groups, -0.5)
}

// HC2 is [Clustered] with every row a cluster: residuals are taken as
// e/sqrt(1-h), h being the leverage. Source: mackinnonwhite1985.
func HC2(ctx context.Context, x Matrix, y []float64) (*Robust, error) {
	return robust(ctx, x, y, rows(max(0, x.N)), -0.5)
}

// HC3 takes residuals as e/(1-h), and errs on the side of too large. Its degrees
// of freedom are found as those of [Clustered]. Source: mackinnonwhite1985.
func HC3(ctx context.Context, x Matrix, y []float64) (*Robust, error) {
	return robust(ctx, x, y, rows(max(0, x.N)), -1)
}

func rows(n int) [][]int {
	out := make([][]int, n)
	for i := range out {
		out[i] = []int{i}
	}
	return out
}

// robust works in Z = X L^-T, whose columns are orthonormal: X M X' = Z Z', and
// A_g Z_g = Z_g B_g with B_g = (I - Z_g'Z_g)^power, which has as many rows as
// there are columns however large the cluster.
func robust(ctx context.Context, x Matrix, y []float64, groups [][]int, power float64) (*Robust, error) {
	f, err := Linear(ctx, x, y)
	if err != nil {
		return nil, err
	}
	if len(groups) < 2 {
		return nil, &effect.Refusal{Code: effect.RefusalFewComparators, Why: "there are fewer than two clusters", Cure: "use a regression over more clusters"}
	}
	p := f.Rank
	// The coefficients as weights in the space of Z: t[j] = L^-1 e_j.
	t := make([][]float64, p)
	for j := range t {
		t[j] = make([]float64, p)
		t[j][j] = 1
		f.factor.Half(t[j], t[j])
	}
	meat, z := dense.NewSym(p), make([]float64, p)
	first, second, third, fourth := make([]float64, p), make([]float64, p), make([]float64, p), make([]dense.Sym, p)
	for j := range fourth {
		fourth[j] = dense.NewSym(p)
	}
	for _, group := range groups {
		if err := effect.Stopped(ctx); err != nil {
			return nil, err
		}
		within, pull := dense.NewSym(p), make([]float64, p) // Z_g'Z_g and Z_g'e_g
		for _, i := range group {
			row := x.Row(i)
			f.factor.Half(z, pick(row, f.kept))
			add(within, z, 1)
			e := y[i] - f.Predict(row)
			for k, v := range z {
				pull[k] += v * e
			}
		}
		b := adjust(within, len(group) == 1, power)
		add(meat, times(b, pull), 1)
		for j := range t {
			u := times(b, t[j])
			k := times(within, u) // Z_g' of the cluster's weights
			a := dense.Dot(u, k)
			first[j] += a - dense.Dot(k, k) // p_g'p_g
			second[j] += a * a
			third[j] += a * dense.Dot(k, k)
			add(fourth[j], k, 1)
		}
	}
	out := &Robust{Fit: f, Clusters: len(groups), Covariance: make([][]float64, x.P), SE: make([]float64, x.P), DF: make([]float64, x.P)}
	for j := range out.Covariance {
		out.Covariance[j] = make([]float64, x.P)
		out.SE[j], out.DF[j] = math.NaN(), math.NaN()
		for k := range out.Covariance[j] {
			out.Covariance[j][k] = math.NaN()
		}
	}
	for j, c := range f.kept {
		v := times(meat, t[j])
		for k, d := range f.kept {
			out.Covariance[c][d] = dense.Dot(t[k], v)
		}
		// Sum over g, h of (a_g [g = h] - k_g'k_h)^2.
		squares := second[j] - 2*third[j]
		for k := range p {
			squares += dense.Dot(fourth[j][k], fourth[j][k])
		}
		// What one cluster decides leaves no residual to tell its variance from.
		if scale := dense.Dot(t[j], t[j]); first[j] > 1e-9*scale {
			out.SE[c], out.DF[c] = math.Sqrt(max(0, out.Covariance[c][c])), first[j]*first[j]/squares
		}
	}
	return out, nil
}

// add adds w v v' to a.
func add(a dense.Sym, v []float64, w float64) {
	for j := range a {
		for k := range a {
			a[j][k] += w * v[j] * v[k]
		}
	}
}

func times(a dense.Sym, v []float64) []float64 {
	out := make([]float64, len(a))
	for j := range out {
		out[j] = dense.Dot(a[j], v)
	}
	return out
}

// adjust is (I - a)^power on the part of the space where I - a is positive. For
// a of rank one the only direction that matters is known.
func adjust(a dense.Sym, single bool, power float64) dense.Sym {
	raised := func(rest float64) float64 {
		if rest < 1e-10 {
			return 0
		}
		return math.Pow(rest, power)
	}
	out := dense.NewSym(len(a))
	if single {
		trace := 0.0
		for j := range a {
			trace += a[j][j]
		}
		for j := range out {
			out[j][j] = raised(1 - trace)
		}
		return out
	}
	values, vectors := eigen(a)
	for m, v := range values {
		add(out, vectors[m], raised(1-v))
	}
	return out
}

// eigen returns the eigenvalues of a and their vectors of length 1, by Jacobi's
// rotations: each sets one value beside the diagonal to zero, until all are.
func eigen(a dense.Sym) (values []float64, vectors [][]float64) {
	p := len(a)
	d, v := dense.NewSym(p), dense.NewSym(p)
	size := 0.0
	for j := range a {
		copy(d[j], a[j])
		v[j][j] = 1
		size += dense.Dot(a[j], a[j])
	}
	for range 100 {
		rest := 0.0
		for j := range p {
			for k := range j {
				rest += d[j][k] * d[j][k]
			}
		}
		if !(rest > 1e-32*size) {
			break
		}
		for j := range p {
			for k := range j {
				if d[j][k] == 0 {
					continue
				}
				theta := (d[j][j] - d[k][k]) / (2 * d[j][k])
				tan := 1 / (math.Abs(theta) + math.Sqrt(theta*theta+1))
				if theta < 0 {
					tan = -tan
				}
				cos := 1 / math.Sqrt(tan*tan+1)
				sin := tan * cos
				for m := range p {
					d[m][k], d[m][j] = cos*d[m][k]-sin*d[m][j], sin*d[m][k]+cos*d[m][j]
				}
				for m := range p {
					d[k][m], d[j][m] = cos*d[k][m]-sin*d[j][m], sin*d[k][m]+cos*d[j][m]
					v[k][m], v[j][m] = cos*v[k][m]-sin*v[j][m], sin*v[k][m]+cos*v[j][m]
				}
			}
		}
	}
	values = make([]float64, p)
	for j := range values {
		values[j] = d[j][j]
	}
	return values, v
}
