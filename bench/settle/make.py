"""A dataset with 1,000,000 reached outcomes under ten agreements, its run file and terms: make.py FOLDER [OUTCOMES].

Every tenth citizen has a second course under the same agreement, in which the job counts a second time and is paid once.
"""
import datetime
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
os.makedirs(f"{folder}/data", exist_ok=True)
rng = np.random.default_rng(5)
persons = np.arange(1, n - n // 11 + 1)
second = rng.choice(persons, n - len(persons), replace=False)
person = np.concatenate([persons, second])
agreement = person % 10
provider = rng.integers(0, 20, n)
group = rng.integers(4, 6, n)
package = rng.integers(1, 3, n)
referral = np.datetime64("2008-01-01") + np.where(np.arange(n) < len(persons), rng.integers(0, 180, n), 181 + rng.integers(0, 180, n)).astype("timedelta64[D]")
start = referral + rng.integers(1, 60, n).astype("timedelta64[D]")

def text(prefix, codes):
    names = sorted({int(c) for c in codes})
    index = {c: i for i, c in enumerate(names)}
    return pa.DictionaryArray.from_arrays(np.array([index[int(c)] for c in codes], np.int32), [f"{prefix}{c}" for c in names]).cast(pa.string())

pq.write_table(pa.table({"person_id": persons, "birth_date": pa.array([datetime.date(1970, 1, 1)] * len(persons))}), f"{folder}/data/persons.parquet")
pq.write_table(pa.table({
    "participation_id": np.arange(1, n + 1), "person_id": person, "municipality": text("75", np.ones(n)),
    "match_group": text("", group), "match_scheme": pa.array(["match5_2004"] * n), "referral_date": pa.array(referral),
    "provider_id": text("L", provider), "agreement_id": text("A-", agreement), "package_id": text("P", package),
    "start_date": pa.array(start), "end_date": pa.array(start + np.timedelta64(90, "D")),
}), f"{folder}/data/participations.parquet")
job = referral + rng.integers(10, 90, n).astype("timedelta64[D]")
order = np.argsort(person, kind="stable")
pq.write_table(pa.table({
    "person_id": person[order], "state": pa.array(["ordinary_employment"] * n),
    "start_date": pa.array(job[order]), "end_date": pa.array((job + rng.integers(92, 94, n).astype("timedelta64[D]"))[order]),
}), f"{folder}/data/spells.parquet")

prices = {(g, p): 4000 + 500 * (g - 4) * 2 + 250.5 * p for g in (4, 5) for p in (1, 2)}
with open(f"{folder}/jobeffekt.yaml", "w") as f:
    f.write("""data: data
out: results
as_of: 2009-12-31
cohort: {period: 2008, take: each}
outcomes:
  - {name: sustained_13w, kind: sustained, states: [ordinary_employment], weeks: 13, within: 52 weeks}
compare: {methods: [balance], covariates: [age]}
terms: [""" + ", ".join(f"terms{k}.yaml" for k in range(10)) + "]\n")
for k in range(10):
    lines = "\n".join(f"            - {{match_group: {g}, package: P{p}, amount: {a + 10 * k}}}" for (g, p), a in sorted(prices.items()))
    with open(f"{folder}/terms{k}.yaml", "w") as f:
        f.write(f"""agreement: A-{k}
title: Agreement {k}
source: {{document: "Invented", dated: 2007-11-15}}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2011-12-31
packages:
  - {{id: P1, name: One, job_oriented: true}}
  - {{id: P2, name: Two, job_oriented: true}}
periods: half_year
applies_by: referral
rounding: {{unit: 0.01, mode: half_up, stage: line}}
attribution: {{section: "2", credit: first}}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: job
        section: "1"
        text: A price for each citizen who has worked for 13 weeks in a row
        measure: {{reached: sustained_13w}}
        schedule:
          unit_prices:
{lines}
""")
with open(f"{folder}/prices.csv", "w") as f:
    f.write("agreement_id,match_group,package_id,amount\n")
    for k in range(10):
        for (g, p), a in sorted(prices.items()):
            f.write(f"A-{k},{g},P{p},{a + 10 * k}\n")
