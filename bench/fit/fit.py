"""The logistic fit as an analyst would write it in numpy: Newton's method over blocks of rows, BLAS on all processors.

python fit.py FOLDER: prints the seconds of the fit, by the clock and of processors, and the coefficients.
"""
import sys, time
import numpy as np

folder = sys.argv[1]
y = np.fromfile(folder + "/y.f64")
x = np.fromfile(folder + "/x.f64").reshape(len(y), -1)
start, used = time.perf_counter(), time.process_time()
n, p = x.shape
b = np.zeros(p)
for _ in range(50):
    gram, score = np.zeros((p, p)), np.zeros(p)
    for lo in range(0, n, 16384):
        rows = x[lo:lo + 16384]
        fitted = 1 / (1 + np.exp(-rows @ b))
        gram += rows.T @ (rows * (fitted * (1 - fitted))[:, None])
        score += rows.T @ (y[lo:lo + 16384] - fitted)
    step = np.linalg.solve(gram, score)
    b += step
    if np.abs(step).max() < 1e-9:
        break
print("seconds", time.perf_counter() - start, time.process_time() - used)
print("coef", *b)
