// Holds what `jobeffekt measure bench/jobeffekt.yaml` wrote against the rival's cells, counted with SQL from the written tables.
//   node rival.mjs DATA > rival.csv && node check.mjs rival.csv RESULTS
// Per municipality, provider and match group, over complete windows: the number of participations, how many were at work after
// 182 days, and the sum of days at work within 364. Whole numbers, so they are equal or they are not. Exit code 1 when they are not.
import { DuckDBInstance } from '@duckdb/node-api';
const [csv, results] = process.argv.slice(2);
if (!csv || !results) { console.error('usage: node check.mjs RIVAL_CSV RESULTS'); process.exit(2); }
const db = await (await DuckDBInstance.create(':memory:')).connect();
const [row] = (await db.runAndReadAll(`
 with o as (select participation_id, count(*) outcomes,
     any_value(value) filter (outcome = 'employed_182d') as employed, any_value(value) filter (outcome = 'days_employed_364d') as days
   from '${results}/outcomes.parquet' where complete and status in ('reached', 'not_reached') group by 1),
 ours as (select municipality::varchar m, provider_id::varchar p, match_group::varchar g, count(*) n, sum(employed)::bigint as employed, sum(days)::bigint as days
   from o join '${results}/cases.parquet' using (participation_id) where outcomes = 2 group by all),
 theirs as (select municipality m, provider_id p, match_group g, n::bigint n, round(share_26w::double * n::bigint)::bigint as employed, round(days_52w::double * n::bigint)::bigint as days
   from read_csv('${csv}', header = true, all_varchar = true))
 select (select count(*) from ours)::int ours, (select count(*) from theirs)::int theirs,
   count(*) filter (ours.n = theirs.n and ours.employed = theirs.employed and ours.days = theirs.days)::int "equal",
   sum(ours.n)::int n, sum(ours.employed)::int as employed, sum(ours.days)::bigint::varchar as days
 from ours join theirs using (m, p, g)`)).getRowObjects();
console.log(`cells: ${row.ours} ours, ${row.theirs} the rival's, ${row.equal} equal in all three counts`);
console.log(`in cells of both: ${row.n} participations, ${row.employed} at work after 182 days, ${row.days} days at work within 364`);
process.exit(row.ours > 0 && row.equal === row.ours && row.equal === row.theirs ? 0 : 1);
