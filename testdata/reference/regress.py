"""Figures for the tests of effect/regress: run as `python regress.py > regress.json`.

statsmodels and scipy fit the models on lalonde_614.csv; g-computation and its
variance (the delta method on the comparators' influence, residuals over 1 - leverage: HC3) are worked out from
their fits with numpy.
"""
import csv, json, sys
from importlib.metadata import version
import numpy as np
import statsmodels.api as sm

rows = list(csv.DictReader(open("lalonde_614.csv")))
num = lambda c: np.array([float(r[c]) for r in rows])
race = np.array([r["race"] for r in rows])
treat, re78 = num("treat"), num("re78")
X = np.column_stack([np.ones(len(rows)), num("age"), num("educ"), race == "hispan", race == "white",
                     num("married"), num("nodegree"), num("re74"), num("re75")]).astype(float)
out = {"tool": {p: version(p) for p in ("statsmodels", "numpy", "scipy")}, "python": sys.version.split()[0]}

lin = sm.OLS(re78, X).fit()
out["linear_re78"] = {"coef": list(lin.params), "rss": lin.ssr}

# g-computation: fit on the comparators (treat = 0), predict on the treated.
c, t = treat == 0, treat == 1
work = (re78 > 0).astype(float)
fit = sm.GLM(work[c], X[c], family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
pt, pc = fit.predict(X[t]), fit.predict(X[c])
H = (X[c] * (pc * (1 - pc))[:, None]).T @ X[c]
g = ((pt * (1 - pt))[:, None] * X[t]).mean(0)
w = X[c] @ np.linalg.solve(H, g)
h = (X[c] @ np.linalg.inv(H) * X[c]).sum(1) * pc * (1 - pc)
out["gcomp_logistic"] = {"expected": pt.mean(), "var_comparators": float(((w * (work[c] - pc) / (1 - h)) ** 2).sum()),
                         "var_cell": float(np.var(work[t] - pt, ddof=1) / t.sum()), "sum_w": float(w.sum()),
                         "effective_n": float(w.sum() ** 2 / (w ** 2).sum())}
fit = sm.OLS(re78[c], X[c]).fit()
et, ec = X[t] @ fit.params, X[c] @ fit.params
w = X[c] @ np.linalg.solve(X[c].T @ X[c], X[t].mean(0))
h = (X[c] @ np.linalg.inv(X[c].T @ X[c]) * X[c]).sum(1)
out["gcomp_linear"] = {"expected": et.mean(), "var_comparators": float(((w * (re78[c] - ec) / (1 - h)) ** 2).sum()),
                       "var_cell": float(np.var(re78[t] - et, ddof=1) / t.sum()), "sum_w": float(w.sum())}
json.dump(out, sys.stdout, indent=1)
