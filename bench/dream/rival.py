"""The conversion of jobeffekt dream, as an analyst would write it in DuckDB: python rival.py PANEL FOLDER [PART]

PART is all (the default), or benefits: UNPIVOT of the weeks that have a code, the map by a join, islands of consecutive weeks; no empty weeks,
no months. All is what jobeffekt dream does with the standard map, for panels in which no code that ends the observation is followed by an empty
week: empty weeks become work where the month has income, else self_support, and work is split where the hours change. The panel is that of
generate.py, whose persons are numbered: it is taken a row group at a time, which needs a tenth of the memory and is no slower. Needs duckdb.
"""

import datetime
import os
import re
import sys

import duckdb

panel, out = sys.argv[1], sys.argv[2]
benefits = len(sys.argv) > 3 and sys.argv[3] == "benefits"
db = duckdb.connect()
db.execute("SET preserve_insertion_order = false")
source = f"(SELECT * FROM read_parquet('{panel}') WHERE pnr BETWEEN $low AND $high)"
names = [r[0] for r in db.execute(f"DESCRIBE SELECT * FROM read_parquet('{panel}')").fetchall()]
weeks = []
for i, name in enumerate(n for n in names if n.startswith("y_")):
    yy, ww = int(name[2:4]), int(name[4:6])
    monday = datetime.date.fromisocalendar(yy + (1900 if yy >= 90 else 2000), ww, 1)
    thursday = monday + datetime.timedelta(days=3)
    weeks.append((name, i, monday, "%04d_%02d" % (thursday.year, thursday.month)))
db.execute("CREATE TABLE weeks (name VARCHAR, i INTEGER, monday DATE, month VARCHAR)")
db.executemany("INSERT INTO weeks VALUES (?, ?, ?, ?)", weeks)
db.execute("CREATE TABLE codes (first INTEGER, last INTEGER, state VARCHAR)")
map_file = re.sub(r"[^/]*$", "", sys.argv[0]) + "../../ingest/dream/codes.yaml"
entries = re.findall(r"codes: (\d+)(?:-(\d+))?, state: (\w+)", open(map_file).read())
db.executemany("INSERT INTO codes VALUES (?, ?, ?)", [(int(a), int(b or a), s) for a, b, s in entries])
db.execute("CREATE TABLE code AS SELECT unnest(range(first, last + 1)) AS code, state FROM codes")

y = "COLUMNS('^y_')"
if benefits:
    lives = f"""
        SELECT pnr, i, state, NULL::DOUBLE AS hours
        FROM (UNPIVOT (SELECT pnr, {y} FROM {source}) ON {y} INTO NAME name VALUE code)
        JOIN weeks USING (name) JOIN code USING (code) WHERE code <> 0"""
else:
    lives = f"""
        SELECT pnr, i, CASE WHEN coalesce(code, 0) <> 0 THEN state WHEN income THEN 'ordinary_employment' ELSE 'self_support' END AS state,
               CASE WHEN coalesce(code, 0) = 0 AND income THEN round(degree * 37, 2) END AS hours
        FROM (SELECT pnr, {y} FROM {source}) UNPIVOT INCLUDE NULLS (code FOR name IN ({y}))
        JOIN weeks USING (name)
        LEFT JOIN code USING (code)
        LEFT JOIN (
            SELECT pnr, substr(name, 9) AS month, true AS income
            FROM (UNPIVOT (SELECT pnr, COLUMNS('^branche_') FROM {source}) ON COLUMNS('^branche_') INTO NAME name VALUE branche) WHERE branche <> 0
        ) USING (pnr, month)
        LEFT JOIN (
            SELECT pnr, substr(name, 6) AS month, degree
            FROM (UNPIVOT (SELECT pnr, COLUMNS('^grad_') FROM {source}) ON COLUMNS('^grad_') INTO NAME name VALUE degree)
        ) USING (pnr, month)"""
query = f"""
    COPY (
        SELECT pnr AS person_id, state, a.monday AS start_date, b.monday + 7 AS end_date, hours AS hours_per_week
        FROM (
            SELECT pnr, state, hours, min(i) AS first, max(i) AS last
            FROM (SELECT *, i - row_number() OVER (PARTITION BY pnr, state, hours ORDER BY i) AS island FROM ({lives}))
            GROUP BY pnr, state, hours, island
        ) JOIN weeks a ON a.i = first JOIN weeks b ON b.i = last
        ORDER BY person_id, start_date
    ) TO '{out}/part-%03d.parquet' (FORMAT parquet, COMPRESSION zstd)"""
os.makedirs(out, exist_ok=True)
persons, block = db.execute(f"SELECT max(pnr) FROM read_parquet('{panel}')").fetchall()[0][0], 122_880
for k, low in enumerate(range(0, persons + 1, block)):
    db.execute((query % k).replace("$low", str(low)).replace("$high", str(low + block - 1)))
