"""Whether both say the same of every line: check.py RESULTS RIVALS."""
import sys

import duckdb

ours = f"select agreement_id, provider_id, period, match_group, package_id, cases, amount_ore from '{sys.argv[1]}/settlement.parquet'"
n, apart = duckdb.sql(f"""select (select count(*) from ({ours})), (select count(*) from (
  (({ours}) except all (from '{sys.argv[2]}')) union all ((from '{sys.argv[2]}') except all ({ours}))))""").limit(1).fetchall()[0]
print(f"{n} lines, {apart} rows apart")
sys.exit(apart > 0)
