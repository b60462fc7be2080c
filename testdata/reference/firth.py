"""Figures for the tests of effect/regress: run as `python firth.py > firth.json` in this folder.

Firth's penalised likelihood, maximised by a root of its gradient: the gradient is
worked out from the derivative of log det, without leverages, and the root found
with scipy's hybrid Powell method, so that nothing is shared with the fit tested.
"""
import csv, json, sys
from importlib.metadata import version
import numpy as np
from scipy.optimize import root


def gradient(b, X, y):
    p = 1 / (1 + np.exp(-X @ b))
    w = p * (1 - p)
    inverse = np.linalg.inv((X * w[:, None]).T @ X)
    # d log det(X'WX) / d b_k = trace(inverse @ X' diag(w (1 - 2p) x_k) X)
    penalty = [np.trace(inverse @ (X * (w * (1 - 2 * p) * X[:, k])[:, None]).T @ X) for k in range(X.shape[1])]
    return X.T @ (y - p) + np.array(penalty) / 2


def fit(X, y):
    X, y = np.asarray(X, float), np.asarray(y, float)
    scale = np.maximum(np.abs(X).max(0), 1)
    Z = X / scale
    found = root(gradient, np.zeros(X.shape[1]), (Z, y), method="hybr", tol=1e-14)
    found = root(gradient, found.x, (Z, y), method="hybr", tol=1e-15)
    b = found.x
    assert np.abs(gradient(b, Z, y)).max() < 1e-9, gradient(b, Z, y)
    p = 1 / (1 + np.exp(-Z @ b))
    return {"coef": list(b / scale), "deviance": -2 * float(np.sum(np.log(np.where(y == 1, p, 1 - p))))}


out = {"tool": {p: version(p) for p in ("numpy", "scipy")}, "python": sys.version.split()[0]}
line = np.column_stack([np.ones(8), np.arange(1, 9)])
out["line"] = fit(line, [0, 0, 0, 0, 1, 1, 1, 1])
out["all_events"] = fit(line, np.ones(8))
out["no_events"] = fit(line, np.zeros(8))

rows = list(csv.DictReader(open("lalonde_614.csv")))
num = lambda c: np.array([float(r[c]) for r in rows])
race = np.array([r["race"] for r in rows])
X = np.column_stack([np.ones(len(rows)), num("age"), num("educ"), race == "hispan", race == "white",
                     num("married"), num("nodegree"), num("re74"), num("re75")]).astype(float)
out["lalonde"] = fit(X, num("treat"))

# g-computation on the comparators, as in regress.py, at Firth's estimate.
treat, work = num("treat"), (num("re78") > 0).astype(float)
c, t = treat == 0, treat == 1
b = np.array(fit(X[c], work[c])["coef"])
pc, pt = 1 / (1 + np.exp(-X[c] @ b)), 1 / (1 + np.exp(-X[t] @ b))
H = (X[c] * (pc * (1 - pc))[:, None]).T @ X[c]
w = X[c] @ np.linalg.solve(H, ((pt * (1 - pt))[:, None] * X[t]).mean(0))
h = (X[c] @ np.linalg.inv(H) * X[c]).sum(1) * pc * (1 - pc)
out["gcomp"] = {"expected": pt.mean(), "var_comparators": float(((w * (work[c] - pc) / (1 - h)) ** 2).sum()),
                "var_cell": float(np.var(work[t] - pt, ddof=1) / t.sum()), "sum_w": float(w.sum()),
                "effective_n": float(w.sum() ** 2 / (w ** 2).sum())}
json.dump(out, sys.stdout, indent=1)
