"""Synthetic controls for the tests of effect/beforeafter: run as `python synthetic.py > synthetic.json` in this folder.

Reads prop99_california.csv; writes and reads synthetic_panel.csv, a made-up panel (seed below). The weights on the simplex come from
an interior-point solver (Clarabel through cvxpy), are then moved to the exact optimum by an active-set method in rational
arithmetic, and their optimality conditions are checked in rational arithmetic, without any tolerance. Where there are fewer periods
than donors and the optimum is not unique, quadprog finds the weights of least norm among those with an exact fit, and SciPy's
linprog the range of the effect over them.
"""
import csv, json, sys
from fractions import Fraction as F
from importlib.metadata import version
import cvxpy as cp, numpy as np, quadprog
from scipy.optimize import linprog


def gauss(a, b):
    """Solves a square system of fractions; None when it is singular."""
    n = len(b)
    a = [row[:] + [v] for row, v in zip(a, b)]
    for k in range(n):
        i = next((i for i in range(k, n) if a[i][k] != 0), None)
        if i is None:
            return None
        a[k], a[i] = a[i], a[k]
        a[k] = [v / a[k][k] for v in a[k]]
        for i in range(n):
            if i != k and a[i][k] != 0:
                f = a[i][k]
                a[i] = [v - f * u for v, u in zip(a[i], a[k])]
    return [row[-1] for row in a]


def weights(x, y):
    """min ||y - x w|| on the simplex, exactly; x is periods by donors."""
    n = x.shape[1]
    w = cp.Variable(n, nonneg=True)
    scale = np.abs(x).max()
    cp.Problem(cp.Minimize(cp.sum_squares((x @ w - y) / scale)), [cp.sum(w) == 1]).solve(
        solver="CLARABEL", tol_gap_abs=1e-15, tol_gap_rel=1e-13, tol_feas=1e-13)
    d = [[F(float(v)) - F(float(u)) for v, u in zip(x[:, j], y)] for j in range(n)]
    inner = {}

    def gram(i, j):
        if (i, j) not in inner:
            inner[i, j] = inner[j, i] = sum(a * b for a, b in zip(d[i], d[j]))
        return inner[i, j]

    support = [j for j in range(n) if w.value[j] > 1e-5]
    for _ in range(100):
        v = gauss([[gram(i, j) for j in support] + [F(1)] for i in support] + [[F(1)] * len(support) + [F(0)]],
                  [F(0)] * len(support) + [F(1)])
        assert v is not None
        v = v[:-1]
        if min(v) < 0:
            support.pop(v.index(min(v)))
            continue
        z = [sum(a * d[j][t] for a, j in zip(v, support)) for t in range(len(y))]
        slack = [sum(a * b for a, b in zip(z, d[j])) - sum(a * a for a in z) for j in range(n)]
        if min(slack) >= 0:
            # Zero slack outside of the support would leave room for other weights.
            assert sum(s == 0 for s in slack) == len(support)
            out = np.zeros(n)
            out[support] = [float(a) for a in v]
            return out
        support.append(slack.index(min(slack)))
    raise RuntimeError("no exact optimum found")


def read(path, unit, period, outcome):
    rows = list(csv.DictReader(open(path)))
    units, periods = sorted({r[unit] for r in rows}), sorted({int(r[period]) for r in rows})
    y = np.full((len(units), len(periods)), np.nan)
    for r in rows:
        y[units.index(r[unit]), periods.index(int(r[period]))] = float(r[outcome])
    return units, periods, y, rows


def control(y, u, donors, before, until=None, rows=None):
    """The synthetic control of unit u; rows are what is matched, by unit, if not the outcomes before."""
    match = y[:, :before] if rows is None else rows
    w = weights(match[donors].T, match[u])
    gap = (y[u] - w @ y[donors])[:until]
    return {"weights": w, "gap": gap, "att": gap[before:].mean(), "pre": (gap[:before] ** 2).mean(), "post": (gap[before:] ** 2).mean()}


def whole(units, periods, y, u, donors, since, backdate):
    before = periods.index(since)
    f = control(y, u, donors, before)
    out = {
        "unit": units[u], "att": f["att"], "rmspe_before": f["pre"] ** 0.5, "rmspe_after": f["post"] ** 0.5, "ratio": f["post"] / f["pre"],
        "gaps": f["gap"].tolist(), "weights": {units[j]: w for j, w in zip(donors, f["weights"]) if w > 0},
        "without": {}, "placebos": {},
    }
    for j, w in zip(donors, f["weights"]):
        if w > 0:
            out["without"][units[j]] = control(y, u, [k for k in donors if k != j], before)["att"]
        g = control(y, j, [k for k in donors if k != j], before)
        out["placebos"][units[j]] = {"att": g["att"], "rmspe_before": g["pre"] ** 0.5, "ratio": g["post"] / g["pre"]}
    out["rank"] = 1 + sum(int(p["ratio"] >= out["ratio"]) for p in out["placebos"].values())
    b = control(y, u, donors, before - backdate, before)
    out["backdated"] = {"since": periods[before - backdate], "att": b["att"], "rmspe_before": b["pre"] ** 0.5}
    return out


def made_up():
    """26 units, 2006-2029, two factors; two units change, one in 2022 by +4 and one in 2025 by -3, and one in the first period."""
    rng = np.random.default_rng(20)
    with open("synthetic_panel.csv", "w") as f:
        f.write("unit,period,outcome,since,density,seniors\n")
        factors = np.cumsum(rng.normal(0.2, 1, (24, 2)), axis=0)
        for u in range(26):
            load, level = rng.uniform(0, 2, 2), rng.normal(40, 6)
            since = {4: 2022, 11: 2025, 17: 2006}.get(u, 0)
            density, seniors = round(level + rng.normal(0, 2), 2), round(load[0] + rng.normal(0, 0.2), 3)
            for t in range(24):
                effect = 4 * (u == 4 and t >= 16) - 3 * (u == 11 and t >= 19)
                v = level + factors[t] @ load + effect + rng.normal(0, 0.6)
                f.write(f"U{u:02d},{2006 + t},{v:.3f},{since or ''},{density},{seniors}\n")


def several():
    """Five donors, two periods before: inside their hull, where many weights fit exactly."""
    y = np.array([[2.0, 3.0, 9.0, 8.0], [0, 0, 1, 2], [6, 1, 4, 3], [1, 7, 6, 6], [5, 6, 2, 9], [3, 3, 7, 1]])
    x, post = y[1:, :2], y[1:, 2:].mean(1)
    a = np.vstack([x.T, np.ones(5)])
    w = quadprog.solve_qp(np.eye(5), np.zeros(5), np.hstack([a.T, np.eye(5)]), np.r_[y[0, :2], 1, np.zeros(5)], 3)[0]
    ends = [s * linprog(s * post, A_eq=a, b_eq=np.r_[y[0, :2], 1]).fun for s in (1, -1)]
    mean = y[0, 2:].mean()
    return {"y": y.tolist(), "before": 2, "weights": w.tolist(), "att": mean - w @ post, "low": mean - ends[1], "high": mean - ends[0]}


out = {"tool": {k: version(k) for k in ("numpy", "scipy", "cvxpy", "clarabel", "quadprog")}}
units, periods, y, _ = read("prop99_california.csv", "State", "Year", "PacksPerCapita")
u = units.index("California")
out["prop99"] = whole(units, periods, y, u, [j for j in range(len(units)) if j != u], 1989, 5)
made_up()
units, periods, y, rows = read("synthetic_panel.csv", "unit", "period", "outcome")
since = {r["unit"]: int(r["since"] or 0) for r in rows}
donors = [j for j, name in enumerate(units) if not since[name]]
out["panel"] = [whole(units, periods, y, units.index(name), donors, since[name], 4) for name in ("U04", "U11")]

# Matched on outcomes (together 1), density (2) and seniors (0.5), each standardised over U04 and its donors.
u = units.index("U04")
x = np.array([next([float(r["density"]), float(r["seniors"])] for r in rows if r["unit"] == name) for name in units])
pool, before = [u] + donors, periods.index(2022)
s = y[pool, :before].var(axis=0).mean() ** 0.5
match = np.hstack([y[:, :before] / s / before ** 0.5, x / x[pool].std(axis=0) * np.sqrt([2, 0.5])])
f = control(y, u, donors, before, rows=match)
out["predictors"] = {"att": f["att"], "rmspe_before": f["pre"] ** 0.5, "weights": {units[j]: w for j, w in zip(donors, f["weights"]) if w > 0}}
out["several"] = several()
json.dump(out, sys.stdout, indent=1)
