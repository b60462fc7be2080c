// Holds the table of cells that `jobeffekt measure` wrote against the rival's.
//   node rival.mjs DATA > rival.csv && node check.mjs rival.csv RESULTS SHARE DAYS
// SHARE and DAYS are the names of the outcomes: at work after 182 days, days at work within 364.
// Per municipality, provider and match group: the number of participations, how many were at work after 182 days, and the sum
// of days at work within 364. Whole numbers, so they are equal or they are not. Exit code 1 when they are not.
import { DuckDBInstance } from '@duckdb/node-api';
const [csv, results, share, days] = process.argv.slice(2);
if (!csv || !results || !share || !days) { console.error('usage: node check.mjs RIVAL_CSV RESULTS SHARE DAYS'); process.exit(2); }
const db = await (await DuckDBInstance.create(':memory:')).connect();
const [row] = (await db.runAndReadAll(`
 with ours as (select municipality::varchar m, provider_id::varchar p, match_group::varchar g, any_value(n_cohort) filter (name = '${share}') n,
     any_value(n) filter (name = '${share}') analysed,
     round(any_value("mean" * n) filter (name = '${share}'))::bigint employed, any_value(n_reached) filter (name = '${share}') reached,
     round(any_value("mean" * n) filter (name = '${days}'))::bigint as days
   from '${results}/cells.parquet' where kind = 'outcome' group by all),
 theirs as (select municipality m, provider_id p, match_group g, n::bigint n, round(share_26w::double * n::bigint)::bigint employed, round(days_52w::double * n::bigint)::bigint as days
   from read_csv('${csv}', header = true, all_varchar = true))
 select (select count(*) from ours)::int ours, (select count(*) from theirs)::int theirs,
   count(*) filter (ours.n = theirs.n and ours.analysed = theirs.n and ours.employed = theirs.employed and ours.reached = theirs.employed and ours.days = theirs.days)::int "equal",
   sum(ours.n)::int n, sum(ours.employed)::int employed, sum(ours.days)::bigint::varchar as days
 from ours join theirs using (m, p, g)`)).getRowObjects();
console.log(`cells: ${row.ours} ours, ${row.theirs} the rival's, ${row.equal} equal in all counts`);
console.log(`in cells of both: ${row.n} participations, ${row.employed} at work after 182 days, ${row.days} days at work within 364`);
process.exit(row.ours > 0 && row.equal === row.ours && row.equal === row.theirs ? 0 : 1);
