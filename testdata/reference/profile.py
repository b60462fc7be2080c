"""Figures for the tests of effect/interval (counts, tails) and effect/profile: run as `python profile.py > profile.json`."""
import itertools, json, math, sys
from importlib.metadata import version
import numpy as np
from scipy import integrate, stats

out = {"tool": {p: version(p) for p in ("scipy", "numpy", "statsmodels")}, "python": sys.version.split()[0]}

out["exact"] = []
for x, n, c in ((65, 100, .95), (0, 20, .95), (1, 20, .99), (20, 20, .95), (3, 1000000, .95), (499999, 1000000, .95)):
    low = 0 if x == 0 else stats.beta.ppf((1 - c) / 2, x, n - x + 1)
    high = 1 if x == n else stats.beta.isf((1 - c) / 2, x + 1, n - x)
    out["exact"].append([x, n, c, float(low), float(high)])
out["garwood"] = []
for x, c in ((0, .95), (1, .95), (9, .95), (9, .998), (65, .95), (100000, .95)):
    low = 0 if x == 0 else stats.gamma.ppf((1 - c) / 2, x)
    out["garwood"].append([x, c, float(low), float(stats.gamma.isf((1 - c) / 2, x + 1))])
out["two_sided"] = [[t, df, float(2 * stats.t.sf(abs(t), df))] for t, df in
    ((0.5, 1), (-2, 3), (2, 3.7), (9, 30), (1e-3, 5), (40, 12), (1.96, 1e6), (12, 1e6), (30, 500))]
out["two_sided"].append([12, "inf", float(2 * stats.norm.sf(12))])
out["two_sided"].append([2, "inf", float(2 * stats.norm.sf(2))])

# Sums of unequal Bernoulli trials: by enumeration of all outcomes, and by
# convolution in exact fractions.
p = [.03, .2, .2, .5, .71, .9, .98, 0, 1, .33]
mass = [0.0] * (len(p) + 1)
for y in itertools.product((0, 1), repeat=len(p)):
    mass[sum(y)] += math.prod(q if v else 1 - q for q, v in zip(p, y))
out["poisson_binomial"] = {"p": p, "mass": mass}
from fractions import Fraction
many = [(1 + (37 * i) % 101) / 400 for i in range(300)]
exact = [Fraction(1)]
for q in many:
    q = Fraction(q)
    exact = [(exact[j] if j < len(exact) else 0) * (1 - q) + (exact[j - 1] * q if j else 0) for j in range(len(exact) + 1)]
    exact = [Fraction(x.numerator * 2**1400 // x.denominator, 2**1400) for x in exact]  # 1400 bits are enough
out["poisson_binomial_300"] = {"upper": {str(k): float(sum(exact[k:])) for k in (20, 38, 60, 120, 250)}, "lower": {str(k): float(sum(exact[: k + 1])) for k in (0, 5, 30, 38)}}
out["binomial_100000"] = {"upper": {str(k): float(stats.binom.sf(k - 1, 100000, .3)) for k in (30000, 30500, 32000)}}

# Funnel on the log scale, untrimmed.
O = np.array([100, 150, 180, 80, 120, 225.]); E = np.array([108, 112, 165, 95, 100, 220.])
z = np.log(O / E) * np.sqrt(E); k = len(O); phi = float((z**2).mean())
tau2 = float((k * phi - (k - 1)) / (E.sum() - (E**2).sum() / E.sum()))
half = stats.norm.ppf(.975) * math.sqrt(1 / 108 + tau2)
out["funnel_log"] = {"z": z.tolist(), "phi": phi, "tau2": tau2, "limits_108": [math.exp(-half), math.exp(half)]}

# Winsorised on the arcsine-root scale: the lowest and highest floor(0.1 k) z are
# set to the next, phi is divided by the expected square of a standard normal
# variable winsorised at m/k in each tail, here by numerical integration.
x = np.array([12, 30, 55, 9, 61, 44, 70, 18, 25, 33, 5, 90.]); n = np.array([40, 80, 120, 35, 110, 100, 160, 50, 60, 70, 31, 130.])
target = float(x.sum() / n.sum()); z = (np.arcsin(np.sqrt(x / n)) - math.asin(math.sqrt(target))) * 2 * np.sqrt(n)
k = len(x); m = int(.1 * k); s = np.sort(z); zw = np.clip(z, s[m], s[k - 1 - m])
c = stats.norm.ppf(1 - m / k)
expected = integrate.quad(lambda u: min(abs(u), c)**2 * stats.norm.pdf(u), -12, 12, points=[-c, c], epsabs=1e-13)[0]
phi = float((zw**2).mean() / expected); w = 4 * n
tau2 = max(0., float((k * phi - (k - 1)) / (w.sum() - (w**2).sum() / w.sum())))
lim = [float(np.sin(np.clip(math.asin(math.sqrt(target)) + s_ * stats.norm.ppf(.999) * math.sqrt(1 / 160 + tau2), 0, math.pi / 2))**2) for s_ in (-1, 1)]
out["funnel_arcsine"] = {"x": x.tolist(), "n": n.tolist(), "target": target, "z": z.tolist(), "pulled": 2 * m, "phi": phi, "tau2": tau2, "limits998_40": lim}

# Ranks: pairwise tests, adjusted by Holm.
from statsmodels.stats.multitest import multipletests
mean = [.30, .42, .38, .55, .41, .31]; sd = [.05, .04, .08, .03, .01, .02]
out["ranks"] = {"mean": mean, "sd": sd, "rows": []}
for i in range(len(mean)):
    others = [j for j in range(len(mean)) if j != i]
    z = [(mean[j] - mean[i]) / math.hypot(sd[i], sd[j]) for j in others]
    shown = multipletests([2 * stats.norm.sf(abs(v)) for v in z], alpha=.05, method="holm")[0]
    out["ranks"]["rows"].append([1 + sum(mean[j] > mean[i] for j in others), 1 + sum(float(stats.norm.cdf(v)) for v in z),
        1 + sum(bool(s) and v > 0 for s, v in zip(shown, z)), len(mean) - sum(bool(s) and v < 0 for s, v in zip(shown, z))])

# Shrinkage with a given tau2.
d, se, t2 = [.04, -.02, .10], [.03, .02, .05], .0009
out["shrink"] = {"d": d, "se": se, "tau2": t2, "rows": []}
for a, s_ in zip(d, se):
    B = t2 / (t2 + s_**2); sd_ = math.sqrt(B) * s_
    out["shrink"]["rows"].append([B, B * a, B * a - stats.norm.ppf(.975) * sd_, B * a + stats.norm.ppf(.975) * sd_, float(stats.norm.sf(0, B * a, sd_))])
json.dump(out, sys.stdout, indent=1)
