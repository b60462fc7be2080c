"""Writes an invented DREAM panel: python generate.py PERSONS FILE [WEEKS]

One row a person, in row groups of 122,880 rows as DuckDB writes them: pnr (a running number), y_YYWW for 520 WEEKS from 2008 week 1, and
branche_YYYY_MM and grad_YYYY_MM for their months. Everybody passes through stretches of some 30 weeks on a benefit, in work or in neither; the
months in which somebody works anything have an industry and a degree, which is 1 for two in three jobs and lasts as long as the job. Written in
blocks, so memory does not follow PERSONS. Needs numpy and pyarrow. The same call writes the same panel.
"""

import datetime
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PERSONS, FILE = int(sys.argv[1]), sys.argv[2]
WEEKS = int(sys.argv[3]) if len(sys.argv) > 3 else 520
BLOCK = 122_880
WORK, NOTHING = 0, 1  # stretches without a code
CODES = np.array([0, 0, 111, 111, 111, 113, 124, 130, 140, 651, 651, 651, 730, 730, 731, 733, 740, 760, 771, 810, 881, 890, 890, 890], dtype=np.int32)
SHARE = np.array([8, 4] + [1] * 22, dtype=float)
SHARE /= SHARE.sum()

monday = datetime.date.fromisocalendar(2008, 1, 1)
mondays = [monday + datetime.timedelta(days=7 * i) for i in range(WEEKS)]
names = ["y_%02d%02d" % (d.isocalendar()[0] % 100, d.isocalendar()[1]) for d in mondays]
thursdays = [d + datetime.timedelta(days=3) for d in mondays]
months = sorted({(d.year, d.month) for d in thursdays})
month_of = [months.index((d.year, d.month)) for d in thursdays]

fields = [pa.field("pnr", pa.int64())] + [pa.field(n, pa.int32()) for n in names]
fields += [pa.field("branche_%04d_%02d" % m, pa.int32()) for m in months] + [pa.field("grad_%04d_%02d" % m, pa.float64()) for m in months]
schema = pa.schema(fields)


def block(first, n):
    rng = np.random.default_rng([2008, first])
    stretch = rng.choice(len(CODES), n, p=SHARE)
    degree = np.ones(n)
    branche = rng.integers(10_000, 990_000, n).astype(np.int32)
    gone = np.zeros(n, dtype=np.int32)
    weeks = []
    industry = np.zeros((len(months), n), dtype=np.int32)
    degrees = np.zeros((len(months), n))
    for w in range(WEEKS):
        move = rng.random(n) < 1 / 30
        k = int(move.sum())
        stretch[move] = rng.choice(len(CODES), k, p=SHARE)
        degree[move] = np.where(rng.random(k) < 2 / 3, 1.0, np.round(rng.uniform(0.05, 1, k), 2))
        branche[move] = rng.integers(10_000, 990_000, k)
        leaves = (gone == 0) & (rng.random(n) < 1 / 8000)
        gone[leaves] = rng.choice([997, 998, 999], int(leaves.sum()))
        code = np.where(gone > 0, gone, CODES[stretch])
        weeks.append(pa.array(code, mask=code == 0))
        at = (code == 0) & (stretch == WORK)
        industry[month_of[w]][at], degrees[month_of[w]][at] = branche[at], degree[at]
    columns = [pa.array(np.arange(first, first + n))] + weeks
    columns += [pa.array(industry[m], mask=industry[m] == 0) for m in range(len(months))]
    columns += [pa.array(degrees[m], mask=degrees[m] == 0) for m in range(len(months))]
    return pa.table(columns, schema=schema)


with pq.ParquetWriter(FILE, schema, compression="zstd") as out:
    for first in range(0, PERSONS, BLOCK):
        out.write_table(block(first, min(BLOCK, PERSONS - first)), row_group_size=BLOCK)
