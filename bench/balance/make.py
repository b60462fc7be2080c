"""Writes the comparators and the means to be reached: python make.py FOLDER [ROWS] [COLUMNS].

x.f64 holds the rows one after another (numbers that go together, and indicators, some of them rare), target.f64 the means
of a cell of 10,000 that is somewhat unlike them.
"""
import sys

import numpy as np

folder, n, p = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 990_000, int(sys.argv[3]) if len(sys.argv) > 3 else 30
rng = np.random.default_rng(1)


def draw(rows, shift):
    common = rng.standard_normal((rows, 1)) + shift
    x = (rng.standard_normal((rows, p)) + common) / np.sqrt(2)
    for k in range(p // 2, p):
        x[:, k] = x[:, k] > 0.15 * (k - p // 2)
    return x


draw(n, 0).tofile(folder + "/x.f64")
draw(10_000, 0.3).mean(0).tofile(folder + "/target.f64")
