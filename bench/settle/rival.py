"""The same sum as one DuckDB query: rival.py FOLDER RESULTS OUT. FOLDER is what make.py wrote, RESULTS holds what `jobeffekt measure` wrote.

Each citizen's first reached outcome under an agreement, by day, then referral, then participation; its price; a line for each agreement,
provider, half-year, match group and package. It writes the lines alone, without steps, counts, or the case behind each.
"""
import sys

import duckdb

folder, results, out = sys.argv[1:4]
duckdb.sql(f"""
copy (
  with first as (
    select agreement_id, provider_id, match_group, package_id, reached_on
    from '{results}/cases.parquet' join '{results}/outcomes.parquet' using (participation_id)
    where status = 'reached'
    qualify row_number() over (partition by person_id, agreement_id order by reached_on, referral_date, participation_id) = 1)
  select agreement_id, provider_id, year(reached_on) || 'H' || (1 + (month(reached_on) > 6)::int) as period, match_group, package_id,
    count(*) as cases, (count(*) * amount::decimal(18, 2) * 100)::bigint as amount_ore
  from first join read_csv('{folder}/prices.csv', types = {{'match_group': 'varchar', 'amount': 'decimal(18,2)'}})
    using (agreement_id, match_group, package_id)
  group by 1, 2, 3, 4, 5, amount order by all
) to '{out}' (format parquet)""")
