"""How often the interval of a comparison with peers holds, in an idealised simulation.

python3 testdata/reference/between.py > testdata/reference/between.txt (SciPy, NumPy; two minutes)

k peers have mean residuals d_j = b_j + e_j with b_j ~ N(0, s2), e_j ~ N(0, v_j); the own
municipality has another b and a cell with variance vc. The interval has
V = vc + sum w^2 v + sigma2 (1 + sum w^2) and Satterthwaite degrees of freedom. Compared are
  plain:  sigma2 by Paule and Mandel, k - 1 degrees of freedom
  median: the median-unbiased root, (k - 1) sigma2 / (harmonic mean of sigma2 + v_j)
"""
import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(1)


def root(d, v, q):
    def f(t):
        a = 1 / (v + t)
        m = (a * d).sum() / a.sum()
        return (a * (d - m) ** 2).sum() - q
    if f(0) <= 0:
        return 0.0
    lo, hi = 0.0, len(d) * (d.max() - d.min()) ** 2 / min(q, 1)
    for _ in range(60):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if f(mid) > 0 else (lo, mid)
    return lo


def holds(k, v, vc, s2, worlds):
    w = 1 / v / (1 / v).sum()
    sw2, vcomp, median, count = (w * w).sum(), (w * w * v).sum(), stats.chi2.ppf(0.5, k - 1), np.zeros(2)
    for _ in range(worlds):
        d = rng.normal(0, np.sqrt(s2), k) + rng.normal(0, np.sqrt(v))
        difference = rng.normal(0, np.sqrt(s2)) + rng.normal(0, np.sqrt(vc)) - (w * d).sum()
        for i, q in enumerate((k - 1, median)):
            t2 = root(d, v, q)
            between = t2 * (1 + sw2)
            freedom = k - 1.0 if i == 0 else (k - 1) * t2 * (1 / (v + t2)).mean()
            down = vc**2 / 199 + vcomp**2 / 1000 + (between**2 / max(freedom, 1) if between > 0 else 0)
            total = vc + vcomp + between
            count[i] += abs(difference) <= stats.t.ppf(0.975, total**2 / down) * np.sqrt(total)
    return count / worlds


print(f"SciPy {scipy.__version__}, NumPy {np.__version__}; 2,500 worlds each")
print("peers  sizes    v    vc   s2   plain  median")
for k in (4, 8, 15):
    for v, vc, s2 in ((1, 1, 0), (1, 1, 0.3), (1, 1, 1), (1, 1, 3), (0.3, 0.3, 3), (3, 3, 0.3)):
        for sizes in ("equal", "uneven"):
            each = np.full(k, float(v)) if sizes == "equal" else v * np.array([0.4, 0.8, 1.2, 2.0] * 4)[:k]
            plain, median = holds(k, each, vc, s2, 2500)
            print(f"{k:5d}  {sizes:7s} {v:3.1f}  {vc:4.1f}  {s2:3.1f}   {plain:.3f}  {median:.3f}")
