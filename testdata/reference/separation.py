"""Cases for the tests of effect/regress: run as `python separation.py > separation.json` in this folder.

Random small tables of whole numbers, and whether a linear program finds a direction that separates the ones from the zeros,
completely or nearly: some b with (2y - 1) x'b >= 0 for all rows and > 0 for one. Logistic estimates exist where none does
(Albert and Anderson 1984).
"""
import json, sys
from importlib.metadata import version
import numpy as np
from scipy.optimize import linprog

rng = np.random.default_rng(7)
cases = []
while len(cases) < 200:
    n, p, top = rng.integers(3, 25), rng.integers(1, 4), rng.integers(1, 7)
    x = np.column_stack([np.ones(n), rng.integers(0, top + 1, (n, p))])
    y = (rng.random(n) < 1 / (1 + np.exp(-rng.normal(0, 2) * (x[:, 1:].mean(1) - top / 2)))).astype(int)
    if y.min() == y.max():
        continue
    z = x * (2 * y - 1)[:, None]
    found = linprog(-z.sum(0), A_ub=-z, b_ub=np.zeros(n), bounds=[(-1, 1)] * (p + 1))
    cases.append({"p": int(p + 1), "y": y.tolist(), "x": x.astype(int).ravel().tolist(), "separated": bool(-found.fun > 1e-7)})
json.dump({"tool": {k: version(k) for k in ("numpy", "scipy")}, "cases": cases}, sys.stdout)
