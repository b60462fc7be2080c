"""Counts the claims by hand: the figures that docs/penn.md holds the job's against.

Run from the root of the repository, after `pip install duckdb==2.0.0`:

    python3 examples/penn/count.py > examples/penn/count.txt

Only the claims themselves are read, nothing that the module wrote.
"""

import os
import platform

import duckdb

QUERIES = [
    (
        "By arm (0 is the control group)",
        """
        SELECT tg AS arm, count(*) AS n,
               count(*) FILTER (inuidur1 <= 13) AS off_at_13w,
               round(avg((inuidur1 <= 13)::int), 6) AS share,
               round(avg(least(inuidur1, 26)), 6) AS weeks_in_26
        FROM claims GROUP BY ALL ORDER BY ALL""",
    ),
    (
        "By age and arm",
        """
        SELECT age, tg AS arm, count(*) AS n,
               count(*) FILTER (inuidur1 <= 13) AS off_at_13w,
               round(avg((inuidur1 <= 13)::int), 6) AS share,
               round(avg(least(inuidur1, 26)), 6) AS weeks_in_26
        FROM claims GROUP BY ALL ORDER BY ALL""",
    ),
    (
        "Claims by quarter of the experiment and arm",
        """
        SELECT quarter, count(*) FILTER (tg = 0) AS control, count(*) FILTER (tg = 1) AS arm1,
               count(*) FILTER (tg = 2) AS arm2, count(*) FILTER (tg = 3) AS arm3,
               count(*) FILTER (tg = 4) AS arm4, count(*) FILTER (tg = 5) AS arm5,
               count(*) FILTER (tg = 6) AS arm6
        FROM claims GROUP BY ALL ORDER BY ALL""",
    ),
    (
        "Arm 6, under 35, share off benefit at 13 weeks against controls of the same quarter and sex",
        """
        WITH young AS (SELECT *, (inuidur1 <= 13)::int AS y FROM claims WHERE age = 'under35'),
        classes AS (
            SELECT quarter, female, count(*) FILTER (tg = 6) AS n, sum(y) FILTER (tg = 6) AS off,
                   avg(y) FILTER (tg = 0) AS control
            FROM young GROUP BY ALL HAVING n > 0)
        SELECT sum(n) AS n, round(sum(off) / sum(n), 9) AS observed,
               round(sum(n * control) / sum(n), 9) AS expected,
               round((sum(off) - sum(n * control)) / sum(n), 9) AS difference
        FROM classes""",
    ),
]

folder = os.path.dirname(os.path.abspath(__file__))
db = duckdb.connect()
db.execute(f"""
    CREATE VIEW claims AS
    SELECT *, 1 * q1 + 2 * q2 + 3 * q3 + 4 * q4 + 5 * q5 + 6 * q6 AS quarter,
           CASE WHEN agelt35 = 1 THEN 'under35' WHEN agegt54 = 1 THEN 'over54' ELSE '35to54' END AS age
    FROM read_csv('{folder}/penn_bonus.csv')""")
print(f"DuckDB {duckdb.__version__}, Python {platform.python_version()}")
for title, query in QUERIES:
    rows = db.execute(query)
    table = [[c[0] for c in rows.description]] + [[str(v) for v in row] for row in rows.fetchall()]
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    print(f"\n{title}")
    for row in table:
        print("  ".join(v.rjust(w) for v, w in zip(row, widths)))
