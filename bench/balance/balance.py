"""Entropy balancing in numpy: Newton's method on the dual over blocks of rows, BLAS on all processors."""
import resource
import sys
import time

import numpy as np

folder = sys.argv[1]
target = np.fromfile(folder + "/target.f64")
x = np.fromfile(folder + "/x.f64").reshape(-1, len(target))


def used():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


start, before = time.time(), used()
n, p = x.shape
block = 8192


def dual(lam, hessian):
    eta = x @ lam
    top = eta.max()
    w = np.exp(eta - top)
    s = w.sum()
    mean = w @ x / s
    h = None
    if hessian:
        h = np.zeros((p, p))
        for a in range(0, n, block):
            z = x[a : a + block] - mean
            h += z.T @ (z * w[a : a + block, None])
        h /= s
    return top + np.log(s) - lam @ target, mean - target, h, w / s


sd = x.std(0)
lam = np.zeros(p)
for step in range(50):
    f, g, h, w = dual(lam, True)
    if np.abs(g / sd).max() < 1e-10:
        break
    d, t = np.linalg.solve(h, g), 1.0
    while dual(lam - t * d, False)[0] > f + 1e-13 * (1 + abs(f)):
        t /= 2
    lam = lam - t * d
print("seconds", time.time() - start, used() - before)
print("lambda", *lam)
