-- Counts one cell of the demonstration by hand: provider L751-2 in Aarhus (751), match group 4.
-- Run it from the folder that holds jobeffekt-demo, after `go run ./cmd/jobeffekt demo`.

-- 1. From the input alone: n, the share in work at 26 weeks, the days in work within 52 weeks.
CREATE VIEW cohort AS          -- referred in 2008; a citizen's first under the agreement; ties by id
SELECT * FROM 'jobeffekt-demo/data/participations/*.parquet'
WHERE referral_date >= DATE '2008-01-01' AND referral_date < DATE '2009-01-01'
QUALIFY row_number() OVER (PARTITION BY person_id, coalesce(agreement_id, 'no agreement in ' || municipality)
                           ORDER BY referral_date, participation_id) = 1;

CREATE VIEW cell AS
SELECT * FROM cohort
WHERE municipality = '751' AND match_scheme = 'match5_2004' AND match_group = '4' AND provider_id = 'L751-2';

CREATE VIEW days AS            -- one row per case and day of its year: in work, dead, abroad
SELECT participation_id, referral_date, day::DATE AS day,
       coalesce(bool_or(s.state IN ('ordinary_employment', 'self_employment')), false) AS works,
       coalesce(bool_or(s.state = 'emigrated'), false) AS abroad,
       coalesce(bool_or(s.state = 'dead'), false) AS dead
FROM cell c, generate_series(referral_date, referral_date + 363, INTERVAL 1 DAY) AS g(day)
LEFT JOIN 'jobeffekt-demo/data/spells/*.parquet' s
       ON s.person_id = c.person_id AND s.start_date <= day AND (s.end_date IS NULL OR s.end_date > day)
GROUP BY ALL;

SELECT 'employed_26w' AS outcome, count(*) AS n, round(avg(works::INT), 9) AS observed
FROM days d
WHERE day = referral_date + 182 AND NOT abroad AND day <= DATE '2010-06-30'
  AND NOT EXISTS (FROM days e WHERE e.participation_id = d.participation_id AND e.dead AND e.day <= d.day)
UNION ALL
SELECT 'days_employed_52w', count(*), round(avg(worked), 9)
FROM (SELECT participation_id, count(*) FILTER (works) AS worked FROM days GROUP BY participation_id, referral_date
      HAVING NOT bool_or(abroad OR dead) AND referral_date + 364 <= DATE '2010-06-30');

-- The results say:
SELECT DISTINCT outcome, n, observed FROM 'jobeffekt-demo/results/estimates.parquet'
WHERE municipality = '751' AND match_group = '4' AND provider_id = 'L751-2' AND package_id IS NULL
  AND outcome IN ('employed_26w', 'days_employed_52w') ORDER BY outcome DESC;

-- 2. From the tables of results: what similar citizens of the peers achieve (method strata).
CREATE VIEW classed AS         -- cases with a complete window, in their strata
SELECT c.*, o.value AS y,
       CASE WHEN x_age < 30 THEN '<30' WHEN x_age < 50 THEN '30-<50' WHEN x_age >= 50 THEN '>=50' ELSE 'missing' END || ' | ' ||
       CASE WHEN x_weeks_employed_52 < 0.1 THEN '<0.1' WHEN x_weeks_employed_52 < 13 THEN '0.1-<13'
            WHEN x_weeks_employed_52 >= 13 THEN '>=13' ELSE 'missing' END || ' | ' || coalesce(x_education, 'missing') AS stratum
FROM 'jobeffekt-demo/results/cases.parquet' c
JOIN 'jobeffekt-demo/results/outcomes.parquet' o USING (participation_id)
WHERE o.outcome = 'employed_26w' AND o.complete AND match_scheme = 'match5_2004' AND match_group = '4';

CREATE VIEW inside AS FROM classed WHERE municipality = '751' AND provider_id = 'L751-2';

CREATE VIEW kin AS             -- the provider, and who shared a consortium with it on some day
SELECT 'L751-2' AS provider_id
UNION
SELECT b.provider_id FROM 'jobeffekt-demo/data/providers.parquet' a
JOIN 'jobeffekt-demo/data/providers.parquet' b USING (consortium_id)
WHERE a.provider_id = 'L751-2'
  AND a.valid_from < coalesce(b.valid_to, DATE '2200-12-31') AND b.valid_from < coalesce(a.valid_to, DATE '2200-12-31');

CREATE VIEW comparators AS     -- a person once per municipality, with the earliest participation
SELECT * FROM classed
WHERE municipality IN (SELECT peer FROM 'jobeffekt-demo/results/peers.parquet' WHERE municipality = '751')
  AND (provider_id IS NULL OR provider_id NOT IN (FROM kin))
  AND person_id NOT IN (SELECT person_id FROM inside)
QUALIFY row_number() OVER (PARTITION BY municipality, person_id ORDER BY referral_date, participation_id) = 1;

CREATE VIEW strata AS
SELECT stratum, i.n AS in_cell, i.mean AS cell_mean, o.n AS comparators, o.mean AS their_mean
FROM (SELECT stratum, count(*) AS n, avg(y) AS mean FROM inside GROUP BY stratum) i
LEFT JOIN (SELECT stratum, count(*) AS n, avg(y) AS mean FROM comparators GROUP BY stratum) o USING (stratum);

SELECT stratum, in_cell, round(cell_mean, 4) AS cell_mean, comparators, round(their_mean, 4) AS their_mean FROM strata ORDER BY stratum;

SELECT sum(in_cell) AS n_compared, sum(comparators) AS n_comparators,
       round(sum(in_cell * cell_mean) / sum(in_cell), 9) AS observed,
       round(sum(in_cell * their_mean) / sum(in_cell), 9) AS expected
FROM strata WHERE comparators IS NOT NULL;

-- The results say:
SELECT n_compared, n_comparators, observed, expected, difference FROM 'jobeffekt-demo/results/estimates.parquet'
WHERE outcome = 'employed_26w' AND municipality = '751' AND match_group = '4' AND provider_id = 'L751-2' AND package_id IS NULL
  AND method = 'strata' AND comparators = 'peers' AND support = 'own';

-- 3. The variance of that difference, from the same tables. (No stratum has fewer than 5 comparators, so none borrows a variance.)
CREATE VIEW pieces AS          -- each peer's share of the weight, its mean residual and what it adds to the variance
SELECT c.municipality, sum(w) AS weight, sum(w * r) / sum(w) AS residual, sum(w * w) AS w2,
       sum(w * w * r * r * s.comparators / (s.comparators - 1)) AS square
FROM (SELECT municipality, stratum, y - their_mean AS r, in_cell / (SELECT sum(in_cell) FROM strata) / comparators AS w
      FROM comparators JOIN strata USING (stratum)) c JOIN strata s USING (stratum)
GROUP BY c.municipality;

SELECT round((SELECT var_samp(y - their_mean) / count(*) FROM inside JOIN strata USING (stratum)), 12) AS var_cell,
       round(sum(square), 12) AS var_comparators, round(sum(weight * weight), 9) AS sum_w2, count(*) AS municipalities,
       round(1 / sum(w2), 6) AS effective_n, (SELECT count(comparators) FROM strata) AS rank
FROM pieces;

SELECT municipality AS peer, round(weight, 4) AS weight, round(residual, 4) AS residual,
       round((SELECT sum(square) / sum(w2) FROM pieces) * w2 / weight / weight, 6) AS own_variance
FROM pieces ORDER BY peer;

CREATE VIEW mix AS             -- of each peer and stratum: the peer's weight there, and its share of the stratum's comparators
SELECT c.municipality, stratum, count(*) * any_value(in_cell) / (SELECT sum(in_cell) FROM strata) / any_value(comparators) AS w,
       count(*) / any_value(comparators) AS share
FROM comparators c JOIN strata USING (stratum) GROUP BY c.municipality, stratum;

CREATE VIEW left_over AS       -- how much of an effect of peer l is left in the mean residual of peer j
SELECT j.municipality AS j, l.municipality AS l,
       (j.municipality = l.municipality)::INT - coalesce(lost, 0) / j.weight AS m
FROM pieces j CROSS JOIN pieces l
LEFT JOIN (SELECT a.municipality AS mj, b.municipality AS ml, sum(a.w * b.share) AS lost FROM mix a JOIN mix b USING (stratum) GROUP BY ALL)
       ON mj = j.municipality AND ml = l.municipality;

SELECT round(sum((m - mean) ** 2) / (count(DISTINCT l) - 1), 6) AS visible
FROM (SELECT l, m, avg(m) OVER (PARTITION BY l) AS mean FROM left_over);

-- The results say (and the last two columns are the formulas of docs/methods.md):
SELECT var_cell, var_comparators, sigma2_between, var_peer, sum_w2, standard_error, df,
       round(sqrt(var_cell + var_comparators + sigma2_between * (1 + sum_w2)), 9) AS by_hand,
       round((var_cell + var_comparators + sigma2_between * (1 + sum_w2)) ** 2
             / (var_cell ** 2 / (n_compared - 1) + var_comparators ** 2 / (effective_n - rank)
                + sigma2_between * var_peer * (1 + sum_w2) ** 2 / (municipalities - 1)), 6) AS df_by_hand
FROM 'jobeffekt-demo/results/estimates.parquet'
WHERE outcome = 'employed_26w' AND municipality = '751' AND match_group = '4' AND provider_id = 'L751-2' AND package_id IS NULL
  AND method = 'strata' AND comparators = 'peers' AND support = 'own';
