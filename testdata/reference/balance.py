"""Entropy balancing of lalonde_614.csv: weights by SciPy's root finder on the moment conditions, the outcome
model by weighted least squares, and the variance of the effect by a stacked M-estimation sandwich with numerical
derivatives. Run: python balance.py > balance.json"""

import json
import sys

import numpy as np
import pandas as pd
import scipy
from scipy import optimize

d = pd.read_csv("lalonde_614.csv")
y, treated = d.re78.to_numpy(), d.treat.to_numpy() == 1


def dummies(names):
    return pd.get_dummies(names).iloc[:, 1:].to_numpy(float)


plain = np.column_stack([dummies(d.race), d[["age", "educ", "married", "nodegree", "re74", "re75"]].to_numpy(float)])
squares = np.column_stack([plain, d[["age", "educ", "re74", "re75"]].to_numpy(float) ** 2])
joint = np.column_stack([dummies(d.race + d.married.astype(str)), plain[:, [2, 3, 5, 6, 7]]])


def figures(x):
    x = (x - x[treated].mean(0)) / x[~treated].std(0)  # centred on the target
    c, n1, n0 = x[~treated], treated.sum(), (~treated).sum()

    def weights(lam):
        e = np.exp(c @ lam - (c @ lam).max())
        return e / e.sum()

    def hessian(lam):
        w = weights(lam)
        m = w @ c
        return (c - m).T @ ((c - m) * w[:, None])

    solved = optimize.root(lambda lam: weights(lam) @ c, np.zeros(x.shape[1]), jac=hessian, tol=1e-14)
    lam = solved.x
    w = weights(lam)
    z = np.column_stack([np.ones(n0), c])
    xtwx = z.T @ (z * w[:, None])
    b = np.linalg.solve(xtwx, z.T @ (w * y[~treated]))
    r0 = y[~treated] - z @ b
    h = w * np.einsum("ij,ij->i", z @ np.linalg.inv(xtwx), z)
    r1 = y[treated] - np.column_stack([np.ones(n1), x[treated]]) @ b
    var_cell = ((r1 - r1.mean()) ** 2).sum() / n1 / (n1 - 1)

    # Stacked estimating equations for t (means of the treated), lambda, the mean of the treated and of the weighted.
    p = x.shape[1]
    theta = np.concatenate([x[treated].mean(0), lam, [y[treated].mean(), w @ y[~treated]]])

    def psi(th):
        t, lam, mu1, mu0 = th[:p], th[p : 2 * p], th[2 * p], th[2 * p + 1]
        q = np.zeros(len(y))
        q[~treated] = w * np.exp(c @ (lam - theta[p : 2 * p]))
        one = treated.astype(float)
        return np.column_stack([one[:, None] * (x - t), q[:, None] * (x - t), one * (y - mu1), q * (y - mu0)])

    bread = np.empty((len(theta), len(theta)))
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-6 * max(1, abs(theta[k]))
        bread[:, k] = (psi(theta + step).sum(0) - psi(theta - step).sum(0)) / (2 * step[k])
    s = psi(theta)
    inverse = np.linalg.inv(bread)
    v = inverse @ (s.T @ s) @ inverse.T
    contrast = np.zeros(len(theta))
    contrast[-2], contrast[-1] = 1, -1
    return {
        "att": y[treated].mean() - w @ y[~treated],
        "effective_n": 1 / (w @ w),
        "max_weight": w.max(),
        "var_cell": var_cell,
        "hc0": ((w * r0) ** 2).sum(),
        "hc3": ((w * r0 / (1 - h)) ** 2).sum(),
        "sandwich": contrast @ v @ contrast,
    }


json.dump(
    {
        "tools": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__, "pandas": pd.__version__},
        "plain": figures(plain),
        "squares": figures(squares),
        "race_by_married": figures(joint),
    },
    sys.stdout,
    indent=1,
)
print()
