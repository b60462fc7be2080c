"""Figures for the tests of reconciliation and of the control of evidence: run as `python reconcile.py`.

The data are made by hand and by rule, and written beside. DuckDB does the joins and sums, in decimals; SciPy's beta
quantiles make the limits of Clopper and Pearson; cases are drawn by hashlib's SHA-256.
"""
import csv, hashlib, json
from datetime import date, timedelta
from decimal import Decimal as D, ROUND_HALF_UP
from fractions import Fraction as F
from importlib.metadata import version
import duckdb
from scipy import stats


def put(name, header, rows):
    with open(f"reconcile_{name}.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([header] + rows)


# Agreement A-1 settles by the half-year, A-2 by the month, with 25 % of value added tax on top; A-3 has cases and no terms.
cases = []
for i in range(120):
    provider = ["north", "south", "7", ""][i % 4]
    agreement = ["A-1", "A-1", "A-2", "A-1", "A-3"][i % 5]
    month, day = 1 + (i * 5) % 12, 1 + (i * 7) % 28
    start = "" if i % 9 == 0 else f"{2008 + (month == 12)}-{month % 12 + 1:02d}-{day:02d}"
    cases.append([i, agreement, provider, f"2008-{month:02d}-{day:02d}", start])
put("cases", ["participation_id", "agreement_id", "provider_id", "referral_date", "start_date"], cases)
settled = [
    ["A-1", "north", "2008H1", 1200050], ["A-1", "north", "2008H1", 799950], ["A-1", "north", "2008H2", 500000], ["A-1", "north", "2009H1", 0],
    ["A-1", "south", "2008H1", 300000], ["A-1", "south", "2008H2", 1], ["A-1", "west", "2008H2", 70000],
    ["A-2", "7", "2008-03", 4000], ["A-2", "7", "2008-04", 4000], ["A-2", "north", "2009-02", -2500],
]
put("settled", ["agreement_id", "provider_id", "period", "amount_ore"], settled)
invoices = [
    ["i1", "A-1", "north", "2008H1", "2008-07-01", "20000"],                   # agrees
    ["i2", "A-1", "north", "2008Q3", "2008-10-01", "3000.25"],
    ["i3", "A-1", "north", "2008-12", "2009-01-01", "3000.25"],
    ["i4", "A-1", "north", "2008", "2009-01-01", "100"],                       # over two settlement periods
    ["i5", "A-1", "south", "2008-02", "2008-03-01", "1500"], ["i6", "A-1", "south", "2008-02", "2008-03-09", "1500"],  # twice
    ["i7", "A-1", "south", "2008-02", "2008-03-09", "1500"],                   # three times
    ["i8", "A-1", "south", "2008H2", "2008-06-30", "0.01"],                    # dated before; agrees
    ["i9", "A-1", "east", "2008H2", "2009-01-01", "10"],                       # nobody was referred there
    ["10", "A-9", "north", "2008H2", "2009-01-01", "10.5"], ["9", "A-3", "north", "2008H2", "2009-01-01", "-10.5"],
    ["11", "A-1", "north", "2007H2", "2008-01-01", "5"],                       # before the first referral
    ["12", "A-2", "7", "2008-03", "2008-04-01", "40.005"], ["13", "A-2", "7", "2008-04", "2008-05-01", "60"], ["14", "A-2", "7", "2008-04", "2008-05-01", "-10"],
]
header = ["id", "agreement_id", "provider_id", "period", "date", "amount_dkk"]
put("invoices", header, invoices)
payments = [
    ["p1", "A-1", "north", "2008H1", "2008-08-01", "20000"], ["p2", "A-1", "north", "2008H2", "2009-02-01", "4999.99"],
    ["p3", "A-1", "north", "2009H1", "2009-08-01", "1"],                       # nothing was earned
    ["p4", "A-1", "south", "2008H1", "2008-08-01", "3000"], ["p5", "A-1", "south", "2008H1", "2008-09-01", "3000"],  # paid twice
    ["p6", "A-1", "east", "2008H2", "2009-01-01", "10"], ["p7", "A-2", "north", "2009-02", "2009-03-01", "-25"],
    ["p8", "A-2", "7", "2008Q1", "2008-04-01", "40"], ["p9", "A-2", "7", "2008-05", "2008-06-01", "7"],
]
put("payments", header, payments)

sql = duckdb.connect()
sql.execute("set threads = 1")
for name, types in {
    "cases": "{'participation_id': 'bigint', 'agreement_id': 'varchar', 'provider_id': 'varchar', 'referral_date': 'date', 'start_date': 'date'}",
    "settled": "{'agreement_id': 'varchar', 'provider_id': 'varchar', 'period': 'varchar', 'amount_ore': 'bigint'}",
    "invoices": "{'id': 'varchar', 'agreement_id': 'varchar', 'provider_id': 'varchar', 'period': 'varchar', 'date': 'date', 'amount_dkk': 'decimal(18,4)'}",
    "payments": "{'id': 'varchar', 'agreement_id': 'varchar', 'provider_id': 'varchar', 'period': 'varchar', 'date': 'date', 'amount_dkk': 'decimal(18,4)'}",
}.items():
    sql.execute(f"create table {name} as select * from read_csv('reconcile_{name}.csv', header = true, columns = {types})")
sql.execute("""
create macro half(d) as year(d) || 'H' || case when month(d) <= 6 then 1 else 2 end;
create macro settlement(a, d) as case a when 'A-1' then half(d) when 'A-2' then strftime(d, '%Y-%m') end;
create macro first(p) as make_date(p[1:4]::int, case when length(p) = 4 then 1 when p[5] = 'H' then 6 * p[6]::int - 5 when p[5] = 'Q' then 3 * p[6]::int - 2 else p[6:7]::int end, 1);
create macro months(p) as case when length(p) = 4 then 12 when p[5] = 'H' then 6 when p[5] = 'Q' then 3 else 1 end;
create macro ends(p) as (first(p) + to_months(months(p)))::date;
create macro placed(a, p) as case when settlement(a, first(p)) = settlement(a, (ends(p) - 1)) then settlement(a, first(p)) end;
create view known as select * from cases where agreement_id in ('A-1', 'A-2') and provider_id is not null;
create view docs as
  select 'invoices' t, *, placed(agreement_id, period) s from invoices union all by name select 'payments' t, *, placed(agreement_id, period) s from payments;
create view keys as
  select agreement_id a, provider_id p, settlement(agreement_id, referral_date) s from known union
  select agreement_id, provider_id, settlement(agreement_id, start_date) from known where start_date is not null union
  select agreement_id, provider_id, period from settled union
  select agreement_id, provider_id, s from docs where s is not null;
""")


def text(d):
    return format(d.normalize() + 0, "f") if d else "0"


rows = sql.execute("""
select a, p, s,
  (select count(*) from known where agreement_id = a and provider_id = p and settlement(a, referral_date) = s),
  (select count(*) from known where agreement_id = a and provider_id = p and settlement(a, start_date) = s),
  (select coalesce(sum(amount_ore), 0)::decimal(18,4) / 100 from settled where agreement_id = a and provider_id = p and period = s),
  (select count(*) from docs where t = 'invoices' and agreement_id = a and provider_id = p and docs.s = keys.s),
  (select count(*) from docs where t = 'invoices' and agreement_id = a and provider_id = p and docs.s = keys.s and not exists
    (select 1 from known where agreement_id = a and provider_id = p and referral_date >= first(period) and referral_date < ends(period))),
  (select coalesce(sum(amount_dkk), 0) from docs where t = 'invoices' and agreement_id = a and provider_id = p and docs.s = keys.s),
  (select count(*) from docs where t = 'payments' and agreement_id = a and provider_id = p and docs.s = keys.s),
  (select coalesce(sum(amount_dkk), 0) from docs where t = 'payments' and agreement_id = a and provider_id = p and docs.s = keys.s)
from keys order by a, p, first(s)""").fetchall()


def state(earned, amount, n, more, less, none):
    if amount == earned:
        return "agrees"
    if n == 0:
        return none
    return "nothing_settled" if earned == 0 else more if amount > earned else less


out = {"tool": {p: version(p) for p in ("duckdb", "scipy")}, "rows": []}
for a, p, s, referrals, starts, earned, ni, without, invoiced, npay, paid in rows:
    earned = D(str(earned))
    vat = (earned * D("0.25")).quantize(D("0.01"), ROUND_HALF_UP) if a == "A-2" else D(0)
    due = earned + vat
    out["rows"].append([a, p, s, referrals, starts, text(earned), text(vat), ni, without, text(invoiced), text(invoiced - due),
                        state(due, invoiced, ni, "invoiced_more", "invoiced_less", "not_invoiced"),
                        npay, text(paid), text(paid - due), state(due, paid, npay, "overpaid", "underpaid", "not_paid")])
# Documents: a set of (table, id, problem, same as).
problems = sql.execute("""
with d as (select *, agreement_id in ('A-1', 'A-2') terms, agreement_id in (select agreement_id from cases) has_cases,
    (select min(referral_date) from known k where k.agreement_id = docs.agreement_id and k.provider_id = docs.provider_id) since,
    exists (select 1 from settled x where x.agreement_id = docs.agreement_id and x.provider_id = docs.provider_id) earns,
    (select coalesce(sum(amount_ore), 0) from settled x where x.agreement_id = docs.agreement_id and x.provider_id = docs.provider_id and x.period = docs.s) ore,
    first_value(id) over (partition by t, agreement_id, provider_id, period, amount_dkk order by (try_cast(id as int) is null), try_cast(id as int), id) same
  from docs)
select t, id, 'unknown_agreement', '' from d where not terms and not has_cases union all
select t, id, 'no_terms', '' from d where not terms and has_cases union all
select t, id, 'several_periods', '' from d where terms and s is null union all
select t, id, 'unknown_provider', '' from d where terms and since is null and not earns union all
select t, id, 'no_referral_yet', '' from d where terms and t = 'invoices' and ends(period) <= since union all
select t, id, 'before_period', '' from d where date < first(period) union all
select t, id, 'nothing_settled', '' from d where t = 'payments' and s is not null and ore = 0 union all
select t, id, 'same_amount', same from d where same <> id
order by all""").fetchall()
out["documents"] = [list(r) for r in problems]

# Paid cases: what each was paid for is a fraction of the line's amount; some are in two lines.
paid = []
for i in range(90):
    provider = "north" if i % 9 < 6 else "south" if i % 9 < 8 else "7"
    paid.append(["A-1", provider, 1000 + i, F(400000 + 1000 * (i % 7), 100) / (1 + i % 3)])
put("paid", ["agreement_id", "provider_id", "participation_id", "amount_dkk"], [[a, p, i, str(x)] for a, p, i, x in paid])
bad = {1000 + i for i in range(90) if i * i % 11 == 1}
put("findings", ["participation_id", "ok"], [[i, "true" if i not in bad else "false"] for _, _, i, _ in paid])


def draw(n, seed, each):
    taken, drawn = {}, []
    for row in sorted(paid, key=lambda r: hashlib.sha256(f"{seed}/{r[0]}/{r[1]}/{r[2]}".encode()).digest()):
        k = row[1] if each else ""
        if taken.get(k, 0) < n:
            taken[k] = taken.get(k, 0) + 1
            drawn.append(row)
    return drawn


def nine(x):
    return float(f"{x:.9g}")


def kroner(x):
    return str((D(x.numerator) / D(x.denominator)).quantize(D("0.01"), ROUND_HALF_UP))


def limits(rows, drawn, confidence):
    n, x, N = len(drawn), sum(r[2] in bad for r in drawn), len(rows)
    if n == 0:
        return n, x, N, None, None, None
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, x, n - x + 1) if x else 0.0
    high = stats.beta.isf(tail, x + 1, n - x) if x < n else 1.0
    return n, x, N, nine(x / n), nine(max(low, x / N)), nine(min(high, (N - n + x) / N))


out["control"] = []
for n, seed, each, confidence in [(30, 2009, False, 0.95), (12, 7, True, 0.9), (90, 1, False, 0.95), (1, 3, False, 0.95), (500, 3, True, 0.99)]:
    drawn, lines = draw(n, seed, each), []
    strata = sorted({r[1] for r in paid}, key=lambda p: (not p.isdigit(), p))
    parts = []
    for p in strata + [None]:
        rows, of = [r for r in paid if p in (None, r[1])], [r for r in drawn if p in (None, r[1])]
        m, x, N, rate, low, high = limits(rows, of, confidence)
        amount = sum((r[3] for r in rows), F(0))
        known, rest = (sum((r[3] for r in some), F(0)) for some in ([r for r in of if r[2] in bad], [r for r in rows if r not in of]))

        def implied(rate, high):  # what was found, and the part of the rest that the errors not yet found would be
            return known + F(str(rate)) * rest, known + ((F(str(high)) * N - x) / (N - m) * rest if N > m else 0)

        point, top = (None, None) if m == 0 else implied(rate, high)
        if p is not None:
            wide = limits(rows, of, 1 - (1 - confidence) / len(strata))
            parts.append((N, wide, (None, None) if m == 0 else implied(wide[3], wide[5])))
        elif each:
            rate, low, high = (nine(sum(N / len(paid) * l[k] for N, l, _ in parts)) for k in (3, 4, 5))
            point, top = (sum(kr[k] for _, _, kr in parts) for k in (0, 1))
        lines.append([p or "", N, m, x, rate, low, high, kroner(amount), kroner(known),
                      "" if point is None else kroner(point), "" if top is None else kroner(top)])
    out["control"].append({"n": n, "seed": seed, "each": each, "confidence": confidence, "drawn": sorted(r[2] for r in drawn), "rows": lines})
# Upkeep of an agreement from 2008-01-01 to 2012-01-01, with an option to 2013-01-01 that is to be taken by 2011-06-30: what was
# bought, by year, as of a day. Notice 3 months, warnings from 0.8 on.
def months_on(d, n):
    y, m = divmod(d.year * 12 + d.month - 1 + n, 12)
    for day in range(d.day, 0, -1):
        try:
            return date(y, m + 1, day)
        except ValueError:
            pass


def stand(as_of, start, after, agreed, used):
    """State and day of use, by walking through the days."""
    used_up = None
    if 0 < used < agreed and start <= as_of < after - timedelta(1):
        pace, day = used / ((as_of - start).days + 1), start
        while day < after and pace * ((day - start).days + 1) <= agreed:  # bought by the end of the day
            day += timedelta(1)
        used_up = day if day < after else None
    if used >= agreed:
        return "reached", used_up
    if as_of >= after - timedelta(1):
        return "short", used_up
    return "near" if used >= agreed * F(4, 5) or used_up and used_up <= months_on(as_of, 3) else "open", used_up


out["upkeep"] = []
volumes, ceiling = {2008: F(1000000), 2009: F(2000000), 2012: F(500000)}, F(6000000)
for as_of, bought in [
    ("2008-01-01", {}), ("2008-03-31", {2008: "240000.50"}), ("2008-03-31", {2008: "400000"}), ("2008-10-31", {2008: "799999.99"}), ("2008-10-31", {2008: "800000"}),
    ("2008-12-30", {2008: "999999.99"}), ("2008-12-31", {2008: "999999.99"}), ("2009-06-30", {2008: "1000000", 2009: "-5"}), ("2010-11-30", {2008: "2000000", 2009: "2500000", 2010: "1200000.25"}),
    ("2011-03-29", {2008: "2000000", 2009: "2500000", 2010: "1500000"}), ("2011-03-30", {2010: "1"}), ("2011-06-30", {2007: "3", 2013: "5999996.99"}), ("2011-07-01", {}), ("2011-09-30", {}), ("2011-10-01", {}), ("2012-01-01", {}),
]:
    day, rows = date.fromisoformat(as_of), []
    for year, agreed in volumes.items():
        start, after = max(date(year, 1, 1), date(2008, 1, 1)), min(date(year + 1, 1, 1), date(2013, 1, 1))
        used = F(bought.get(year, "0"))
        rows.append(["volume", str(year), float(used / agreed), *stand(day, start, after, agreed, used)])
    used = sum((F(x) for x in bought.values()), F(0))
    rows.append(["ceiling", "", float(used / ceiling), *stand(day, date(2008, 1, 1), date(2012, 1, 1), ceiling, used)])
    for what, of, by in [("option", "2013-01-01", date(2011, 6, 30)), ("end", "2012-01-01", date(2011, 12, 31))]:
        rows.append([what, of, None, "passed" if day > by else "near" if months_on(day, 3) >= by else "open", None])
    out["upkeep"].append({"as_of": as_of, "bought": {str(k): v for k, v in bought.items()}, "rows": [r[:4] + [r[4] and str(r[4])] for r in rows]})
with open("reconcile.json", "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
