"""Says whether the spells of jobeffekt dream and of rival.py are the same rows: python check.py OURS THEIRS"""

import sys

import duckdb

rows = "(SELECT person_id, state, start_date, end_date, round(hours_per_week, 2) AS hours FROM read_parquet('%s/*.parquet'))"
ours, theirs = rows % sys.argv[1], rows % sys.argv[2]
n, differ = duckdb.connect().execute(f"""
    SELECT (SELECT count(*) FROM {ours}), (SELECT count(*) FROM (FROM {ours} EXCEPT ALL FROM {theirs})) + (SELECT count(*) FROM (FROM {theirs} EXCEPT ALL FROM {ours}))
""").fetchall()[0]
print(f"{n} spells, {differ} that only one of the two has")
sys.exit(differ != 0)
