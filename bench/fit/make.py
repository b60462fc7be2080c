"""Writes the table that the fits read: python make.py FOLDER [ROWS] [COLUMNS].

x.f64 holds the rows one after another (a constant, numbers, and indicators of which some are rare), y.f64 the outcomes.
"""
import sys
import numpy as np

folder, n, p = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000, int(sys.argv[3]) if len(sys.argv) > 3 else 30
rng = np.random.default_rng(1)
x = rng.standard_normal((n, p))
x[:, 0] = 1
for k in range(p // 2, p):
    x[:, k] = rng.random(n) < 0.5 / (k - p // 2 + 1)
b = rng.normal(0, 0.3, p)
b[0] = -1
y = (rng.random(n) < 1 / (1 + np.exp(-x @ b))).astype(float)
x.tofile(folder + "/x.f64")
y.tofile(folder + "/y.f64")
