"""The paid path once more, from the input tables to the kroner, in numpy and DuckDB: a second implementation.

    python3 paid_path.py FOLDER/jobeffekt.yaml > paid_path_NAME.json    # from where FOLDER is
    python3 paid_path.py --random SEED FOLDER                           # writes a random run file and terms

FOLDER holds a run file, its terms and its data. paid_path_demo.json is of the demonstration (cmd/jobeffekt/demo); paid_path_N.json of
testdata/paid/N for N = 2, 3, 5, 6, with data of `jobeffekt synth FOLDER/data --persons 4000 --municipalities 8 --provider-sd 0.8 --seed N`. Written from docs/run-file.md,
docs/methods.md and docs/terms.md; it shares nothing with the program. What it knows: a cohort of one period, the first
participation; outcomes state_at and sustained; the method balance; clauses on a reached outcome and on the provider's part of an
effect; gates with Holm; caps per provider and period; rounding of lines. What it does not know, it refuses.

Output: the lines that are paid or refused, the values that gates looked at, and the sum. TestPaidPath of the root holds the
program's own settlement against it. Python 3.11, numpy, scipy, duckdb, PyYAML.
"""
import calendar, json, os, sys
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction as F

import duckdb, numpy as np, scipy, scipy.stats as st, yaml

BENEFITS = ["cash_benefit", "education_benefit", "unemployment_benefit", "sickness_benefit", "rehabilitation", "resource_course"]
WORK = ["ordinary_employment", "self_employment"]
EPOCH = date(1970, 1, 1)


def day(d):
    return None if d is None else (d - EPOCH).days


def nine(x):
    return float(f"{x:.8e}")


class Refused(Exception):
    pass


def weeks(text):
    n, unit = text.split()
    assert unit in ("week", "weeks"), text
    return 7 * int(n)


# ---------------------------------------------------------------- days

class Days:
    """A person's spells as days; everything is asked day by day."""

    def __init__(self, spells, as_of):
        self.in_state = defaultdict(set)
        self.dead = None
        for state, a, b in spells:
            if a > as_of:
                continue
            if state == "dead":
                self.dead = a if self.dead is None else min(a, self.dead)
                continue
            end = as_of + 1 if b is None else min(b, as_of + 1)
            self.in_state[state].update(range(a, end))

    def any(self, states):
        return set().union(*(self.in_state[s] for s in states))

    def gone(self, d):
        return (self.dead is not None and self.dead <= d) or d in self.in_state["emigrated"]


def measured(o, days, clock, as_of):
    """status, day reached, value, complete"""
    work = days.any(o["states"])
    if o["kind"] == "state_at":
        d = clock + weeks(o["at"])
        if d > as_of:
            return "pending", None, None, False
        if days.gone(d):
            return "left", None, None, False
        return ("reached", d, 1, True) if d in work else ("not_reached", None, 0, True)
    assert o["kind"] == "sustained", o["kind"]
    gap, need, within = o.get("max_gap", 0), 7 * o["weeks"], weeks(o["within"])
    end = clock + within + need + gap
    run, last = 0, None
    for d in range(clock, min(end, as_of + 1)):
        if days.gone(d):
            return "left", None, None, False
        if d in work:
            if last is None or d - last - 1 > gap:
                run = 0
            if run == 0 and d >= clock + within:
                last = None
                continue
            run, last = run + 1, d
            if run == need:
                return "reached", d, 1, end <= as_of
    if end > as_of:
        return "pending", None, None, False
    return "not_reached", None, 0, True


def history(days, on, gap=28, longest=260):
    out = {}
    for s in BENEFITS:
        out[f"weeks_on_{s}_52"] = len(days.in_state[s] & set(range(on - 364, on))) / 7
    out["weeks_employed_52"] = len(days.any(WORK) & set(range(on - 364, on))) / 7
    benefit = sorted(days.any(BENEFITS) & set(range(on - 7 * longest, on)))
    start = None
    if benefit and on - 1 - benefit[-1] <= gap:
        start = benefit[-1]
        for d in reversed(benefit[:-1]):
            if start - d - 1 > gap:
                break
            start = d
    out["elapsed_benefit_weeks"] = 0 if start is None else (on - start) / 7
    return out


# ---------------------------------------------------------------- balancing

def numbers(rows, name):
    return np.array([np.nan if r["x"][name] is None else r["x"][name] for r in rows], float)


def is_number(group, name):
    return not any(isinstance(r["x"][name], str) for r in group)


def standard(group, name):
    v = numbers(group, name)
    known = v[~np.isnan(v)]
    return (known.mean(), known.std(ddof=1) or 1.0) if len(known) > 1 else (0.0, 1.0)


def design(rows, group, covariates, also):
    cols = []
    for name in covariates:
        if not is_number(group, name):
            levels = sorted({r["x"][name] or "" for r in group})
            for level in levels[1:]:
                cols.append([float((r["x"][name] or "") == level) for r in rows])
            continue
        mean, sd = standard(group, name)
        v = numbers(rows, name)
        missing = np.isnan(v)
        z = np.where(missing, 0, (v - mean) / sd)
        cols.append(z)
        if np.isnan(numbers(group, name)).any():
            cols.append(missing.astype(float))
        if "squares" in also:
            cols.append(z * z)
        if "zeros" in also:
            cols.append(np.where(missing, 0, v == 0).astype(float))
    assert "products" not in also
    return np.array(cols, float).T.reshape(len(rows), -1)


def entropy(x, of, share, target):
    """Weights nearest to equal ones whose means are target, with the share of every class."""
    n = len(share)
    lam = np.zeros(x.shape[1])
    scale = x.std(0)
    scale[scale == 0] = 1
    z, t = x / scale, target / scale

    def weights(lam):
        e = z @ lam
        w = np.zeros(len(z))
        value = -t @ lam
        for k in range(n):
            at = of == k
            top = e[at].max()
            p = np.exp(e[at] - top)
            w[at] = share[k] * p / p.sum()
            value += share[k] * (top + np.log(p.sum()))
        return w, value

    w, value = weights(lam)
    for _ in range(200):
        grad = w @ z - t
        if np.abs(grad).max() < 1e-13:
            break
        hess = (z * w[:, None]).T @ z
        for k in range(n):
            m = w[of == k] @ z[of == k]
            hess -= np.outer(m, m) / share[k]
        step = np.linalg.lstsq(hess, -grad, rcond=1e-11)[0]
        size = 1.0
        while size > 1e-12:
            w2, v2 = weights(lam + size * step)
            if v2 <= value + 1e-4 * size * (grad @ step) + 1e-15:
                break
            size /= 2
        else:
            break
        lam, w, value = lam + size * step, w2, v2
    if np.abs(w @ z - t).max() > 1e-10:
        raise Refused("cannot_balance")
    return w


def clustered(rows, values):
    """Sum over persons of the square of their sums."""
    by = defaultdict(float)
    for r, v in zip(rows, values):
        by[r["person"]] += v
    return sum(v * v for v in by.values())


def known_names(cell, out, covariates, group, exact):
    """Leaves out comparators with a name that nobody in the cell or fewer than 5 of them have, and cases with such a name."""
    keys = [lambda r: tuple(r["x"][c] for c in exact)]
    for name in covariates:
        if is_number(group, name):
            keys.append(lambda r, name=name: r["x"][name] is None)
        else:
            keys.append(lambda r, name=name: r["x"][name])
    while True:
        before = len(cell), len(out)
        for key in keys:
            outside, inside = defaultdict(int), defaultdict(int)
            for r in out:
                outside[key(r)] += 1
            for r in cell:
                inside[key(r)] += 1
            ok = {k for k, n in outside.items() if n >= 5 and inside[k] > 0}
            out = [r for r in out if key(r) in ok]
            cell = [r for r in cell if key(r) in ok]
        if (len(cell), len(out)) == before:
            return cell, out


def weigh(cell, out, group, covariates, also, ladder, max_uncovered, least):
    """Covered cases, comparators, weights and the outcome model's columns, on the first rung that holds."""
    if not cell:
        raise Refused("no_cases")
    if len(cell) < least:
        raise Refused("n_below_minimum")
    why = None
    for rung in ladder + [[]]:
        covered, live = known_names(cell, out, covariates, group, rung)
        try:
            if not covered:
                raise Refused("no_comparators")
            if 1 - len(covered) / len(cell) > max_uncovered:
                raise Refused("too_few_covered")
            x, inside = design(live, group, covariates, also), design(covered, group, covariates, also)
            # An indicator that is the same for all of the cell leaves only comparators who are the same.
            keep = np.ones(len(live), bool)
            for j in range(x.shape[1]):
                if set(np.unique(x[:, j])) <= {0.0, 1.0} and len(np.unique(inside[:, j])) == 1:
                    keep &= x[:, j] == inside[0, j]
            live, x = [r for r, k in zip(live, keep) if k], x[keep]
            keys = sorted({tuple(r["x"][c] for c in rung) for r in covered}, key=str)
            number = {k: i for i, k in enumerate(keys)}
            of = np.array([number[tuple(r["x"][c] for c in rung)] for r in live])
            of_in = np.array([number[tuple(r["x"][c] for c in rung)] for r in covered])
            share = np.bincount(of_in, minlength=len(keys)) / len(covered)
            if len(np.unique(of)) < len(keys):
                raise Refused("no_comparators")
            w = entropy(x, of, share, inside.mean(0))
            if 1 / (w @ w) < 30:
                raise Refused("too_few_comparators")
            if len(covered) < least:
                raise Refused("n_below_minimum")
            constants = np.eye(len(keys))
            x, inside = np.hstack([constants[of], x]), np.hstack([constants[of_in], inside])
            if ((leverages(x, w)[0] > 0.99) & (w > 1e-3 / len(w))).any():
                raise Refused("too_few_comparators")
            return covered, live, w, x, inside
        except Refused as r:
            why = r
    raise why


def leverages(x, w):
    u, s, vt = np.linalg.svd(x * np.sqrt(w)[:, None], full_matrices=False)
    rank = int((s > 1e-7 * s[0]).sum())
    return (u[:, :rank] ** 2).sum(1), (u[:, :rank], s[:rank], vt[:rank])


def compare(cell, out, group, y, covariates, also, ladder, max_uncovered, share, least):
    covered, live, w, x, inside = weigh(cell, out, group, covariates, also, ladder, max_uncovered, least)
    yo, yi = np.array([y(r) for r in live], float), np.array([y(r) for r in covered], float)
    if share and set(yi) == set(yo) and len(set(yi)) == 1:
        raise Refused("no_variation")
    h, (u, s, vt) = leverages(x, w)
    beta, rank, leverage = vt.T @ ((u.T @ (yo * np.sqrt(w))) / s), len(s), np.minimum(h, 0.99)
    n, persons = len(covered), len({r["person"] for r in covered})
    resid = yi - inside @ beta
    var_cell = clustered(covered, resid - resid.mean()) / n**2 * persons / (persons - 1)
    var_out = clustered(live, w * (yo - x @ beta) / (1 - leverage))
    by = defaultdict(float)
    for r, v in zip(live, w):
        by[r["person"]] += v
    effective = 1 / sum(v * v for v in by.values())
    if share and (len(set(yi)) == 1 or len(set(yo)) == 1):
        if len(set(yi)) == 1:
            p = (yi.sum() + 1) / (n + 2)
            var_cell = max(var_cell, p * (1 - p) / n)
        if len(set(yo)) == 1:
            p = (yo.mean() * effective + 1) / (effective + 2)
            var_out = max(var_out, p * (1 - p) / effective)
    v = var_cell + var_out
    df = v**2 / (var_cell**2 / max(persons - 1, 1) + var_out**2 / max(effective - rank, 1))
    return dict(n=n, difference=yi.mean() - w @ yo, se=np.sqrt(v), df=df, effective=effective, largest=max(by.values()), covered=covered, live=live, w=w)


def limits(f, confidence):
    half = st.t.ppf((1 + confidence) / 2, f["df"]) * f["se"]
    return f["difference"] - half, f["difference"] + half


def balance(f, group, uses):
    """Worst SMD over covariates, squares, zeros and products; worst ratio of variances."""
    cols = []  # covariate, kind, takes part in products, cell, comparators
    for name in uses:
        if is_number(group, name):
            mean, sd = standard(group, name)
            a, b = numbers(f["covered"], name), numbers(f["live"], name)
            assert not np.isnan(a).any() and not np.isnan(b).any()
            cols.append((name, "number", True, (a - mean) / sd, (b - mean) / sd))
            if (numbers(group, name) == 0).any():
                cols.append((name, "zero", False, (a == 0).astype(float), (b == 0).astype(float)))
            continue
        for level in sorted({r["x"][name] or "" for r in group}):
            a, b = (np.array([float((r["x"][name] or "") == level) for r in rows]) for rows in (f["covered"], f["live"]))
            cols.append((name, "name", True, a, b))
    w, n = f["w"], f["n"]

    def smd(a, b, unbiased):
        d = abs(a.mean() - w @ b)
        var = a.var() * (n / (n - 1) if unbiased else 1)
        if d <= 1e-9:
            return 0
        if var <= 1e-18:
            var = w @ (b - w @ b) ** 2
        return d / np.sqrt(var) if var > 1e-18 else np.inf

    worst, ratio = 0, 1
    for j, (name, kind, main, a, b) in enumerate(cols):
        worst = max(worst, smd(a, b, kind == "number"))
        ac, bc = a - a.mean(), b - a.mean()
        if kind == "number":
            va, vb = ac.var(ddof=1), w @ bc**2 - (w @ bc) ** 2
            ratio = max(ratio, va / vb, vb / va)
        if not main:
            continue
        for k in range(j, len(cols)):
            other, kind2, main2, a2, b2 = cols[k]
            if not main2 or (k == j and kind != "number") or (k != j and other == name):
                continue
            worst = max(worst, smd(ac * (a2 - a2.mean()), bc * (b2 - a2.mean()), True))
    return worst, ratio


# ---------------------------------------------------------------- the job

def load(run_file):
    run = yaml.safe_load(open(run_file))
    folder = os.path.dirname(os.path.abspath(run_file))
    data = os.path.join(folder, run["data"])

    def table(name, columns):
        path = os.path.join(data, name)
        path = path + "/*.parquet" if os.path.isdir(path) else path + ".parquet"
        return duckdb.sql(f"SELECT {columns} FROM '{path}'").fetchall()

    as_of = day(run["as_of"])
    spells = defaultdict(list)
    reach = 0
    persons = {r[0]: dict(zip(["sex", "birth", "education", "origin"], r[1:])) for r in table("persons", "person_id, sex, birth_date, education, origin")}
    participations = table("participations", "participation_id, person_id, municipality, match_group, match_scheme, referral_date, provider_id, agreement_id, package_id")
    ours = {r[1] for r in participations}
    for person, state, a, b in table("spells", "person_id, state, start_date, end_date"):
        if person not in ours or state == "ignore":
            continue
        a, b = day(a), day(b)
        spells[person].append((state, a, b))
        if a <= as_of:
            reach = max(reach, a)
            if b is not None and b <= as_of + 1:
                reach = max(reach, b - 1)
    days = {p: Days(spells[p], as_of) for p in ours}
    period = run["cohort"]["period"]
    assert run["cohort"].get("take", "first") == "first"
    year = int(str(period))
    outcomes = {o["name"]: o for o in run["outcomes"]}

    cases, taken = [], set()
    for id, person, municipality, group, scheme, referral, provider, agreement, package in sorted(participations, key=lambda r: (r[5], r[0])):
        if referral.year != year or (person, agreement or ("", municipality)) in taken:
            continue
        taken.add((person, agreement or ("", municipality)))
        on, d, p = day(referral), days[person], persons[person]
        age = None
        if p["birth"] is not None:
            age = referral.year - p["birth"].year - ((referral.month, referral.day) < (p["birth"].month, p["birth"].day))
        fixed = dict(sex=p["sex"], education=p["education"], origin=p["origin"], age=age,
                     referral_quarter=f"{referral.year}Q{(referral.month + 2) // 3}", referral_month=f"{referral.year}-{referral.month:02d}")
        cases.append(dict(id=id, person=person, municipality=municipality, group=group, scheme=scheme, referral=referral, on=on, provider=provider,
                          agreement=agreement, package=package, seen=bool(spells[person]), x=fixed | history(d, on), lagged=fixed | history(d, on - 182),
                          placebo=len(d.any(WORK) & set(range(on - 182, on))) / 182,
                          outcomes={k: measured(o, d, on, as_of) for k, o in outcomes.items() if o["kind"] in ("state_at", "sustained")}))
    members = table("providers", "provider_id, valid_from, valid_to, consortium_id")
    kin = defaultdict(set)
    for a in members:
        kin[a[0]].add(a[0])
        for b in members:
            if a[3] and a[3] == b[3] and max(a[1], b[1]) < min(a[2] or date.max, b[2] or date.max):
                kin[a[0]].add(b[0])
    peers = {}
    if "peers" in run:
        recorded = yaml.safe_load(open(os.path.join(folder, run["peers"]["recorded"])))["choices"][-1]["peers"] if "recorded" in run["peers"] else run["peers"]["list"]
        peers = recorded
    terms = [yaml.safe_load(open(os.path.join(folder, t))) for t in run["terms"]]
    return run, as_of, reach, cases, kin, peers, terms


def half_up(x):
    """x kroner as a Fraction, to whole kroner."""
    assert x >= 0
    return (x + F(1, 2)).__floor__()


def period_of(d, length):
    n = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[length]
    k = (d.month - 1) // n + 1
    return {"month": f"{d.year}-{d.month:02d}", "quarter": f"{d.year}Q{k}", "half_year": f"{d.year}H{k}", "year": str(d.year)}[length]


def effects(run, reach, as_of, cases, kin, peers, terms, clause, job):
    """A figure, and what the gate looks at, for every cell that the clause pays on."""
    c = run["compare"]
    assert c["methods"][0] == "balance" and clause["measure"]["part"] == "provider" and clause["pay_on"] == "lower_limit"
    covariates, name = c["covariates"], clause["measure"]["effect"]
    also = c.get("balance", {}).get("also", [])
    ladder = [[k["covariate"] for k in rung] for rung in c.get("balance", {}).get("ladder", [])]
    uses = covariates + [k for rung in ladder for k in rung if k not in covariates]
    confidence, most = c.get("confidence", 0.95), c.get("max_uncovered", 0.2)
    outcome = next(o for o in run["outcomes"] if o["name"] == name)
    window = weeks(outcome["at"]) if outcome["kind"] == "state_at" else weeks(outcome["within"]) + 7 * outcome["weeks"] + outcome.get("max_gap", 0)
    complete = lambda r: r["outcomes"][name][3]
    dated = set(run.get("input", {}).get("fixed", []))
    known = lambda k: k.startswith(("weeks_", "elapsed_", "referral_")) or k in dated or (k == "age" and "birth_date" in dated)

    def side(rows, cell, municipalities):
        gone, seen, out = {r["person"] for r in cell}, set(), []
        for r in rows:  # in the order of referral
            if r["municipality"] in municipalities and complete(r) and r["person"] not in gone and r["provider"] not in kin[cell[0]["provider"]] \
                    and (r["person"], r["municipality"]) not in seen:
                seen.add((r["person"], r["municipality"]))
                out.append(r)
        return out

    found = []
    cells = defaultdict(list)
    for r in cases:
        if r["agreement"] == terms["agreement"] and r["provider"]:
            cells[r["provider"], r["scheme"], r["group"], r["package"], r["municipality"]].append(r)
    for (provider, scheme, number, package, municipality), cell in sorted(cells.items()):
        if "job_oriented" in clause.get("conditions", {}) and job.get(package, False) != clause["conditions"]["job_oriented"]:
            continue
        rows = [r for r in cases if r["scheme"] == scheme and r["group"] == number]
        group = [r for r in rows if any(v[3] for v in r["outcomes"].values())]
        inside = [r for r in cell if complete(r)]
        home, away = side(rows, cell, [municipality]), side(rows, cell, peers.get(municipality, []))
        y = lambda r: r["outcomes"][name][2]
        least = c.get("min_n", 30)
        cellname = dict(provider=provider, scheme=scheme, group=number, package=package, municipality=municipality, cases=len(inside))
        try:
            f = compare(inside, home, group, y, covariates, also, ladder, most, True, least)
        except Refused as why:
            found.append(cellname | dict(refused=str(why), p=None))
            continue
        try:  # the parts are taken over the cases that both cover
            f2 = weigh(inside, away, group, covariates, also, ladder, most, least)
            both = [r for r in f["covered"] if any(r is q for q in f2[0])]
            if len(both) < len(f["covered"]):
                f = compare(both, home, group, y, covariates, also, ladder, most, True, least)
        except Refused:
            pass
        low, _ = limits(f, confidence)
        worst, ratio = balance(f, group, uses)
        # the weeks before referral, with what was known before them
        lag = lambda rows: [r | {"x": r["lagged"]} for r in rows]
        p = compare(lag(f["covered"]), lag(home), lag(group), lambda r: r["placebo"], covariates, also, ladder, most, False, 2)
        ended = [r for r in cell if r["on"] + window <= as_of]
        told = lambda r: r["outcomes"][name][0] == "left" or (r["seen"] and r["on"] + window <= reach)
        left = sum(r["outcomes"][name][0] == "left" for r in ended)
        t = st.t(f["df"])
        gate = dict(n=len(inside), min_detectable_effect=(t.ppf((1 + confidence) / 2) + t.ppf(0.8)) * f["se"], balance=worst, variance_ratio=ratio,
                    overlap=f["effective"] / max(50, f["n"]), max_weight=f["largest"], uncovered_share=1 - f["n"] / len(inside),
                    placebo=max(abs(v) for v in limits(p, 0.9)),
                    follow_up=min(sum(map(told, ended)) / len(ended), float(sum(w for r, w in zip(f["live"], f["w"]) if told(r)))),
                    left_share=left / len(ended), no_clock_share=0, dated_covariates=sum(map(known, uses)) / len(uses))
        found.append(cellname | dict(compared=f["n"],
                          difference=nine(f["difference"]), low=nine(low), p=2 * t.sf(abs(f["difference"]) / f["se"]), gate={k: nine(v) for k, v in gate.items()},
                          confidence=confidence))
    order = sorted((i for i in range(len(found)) if found[i]["p"] is not None), key=lambda i: found[i]["p"])
    highest = 0
    for rank, i in enumerate(order):
        highest = max(highest, min(1, (len(order) - rank) * found[i]["p"]))
        found[i]["gate"]["holm"] = nine(highest)
    return found


AT_MOST = {"min_detectable_effect", "balance", "variance_ratio", "max_weight", "uncovered_share", "placebo", "left_share", "no_clock_share", "holm"}


def settle(run_file):
    run, as_of, reach, cases, kin, peers, all_terms = load(run_file)
    lines, total = [], 0
    for t in all_terms:
        assert t["rounding"] == {"unit": 1, "mode": "half_up", "stage": "line"} and t["applies_by"] == "referral" and len(t["versions"]) == 1
        version, length = t["versions"][0], t["periods"]
        job = {p["id"]: p["job_oriented"] for p in t["packages"]}
        sums = defaultdict(int)
        ours = [r for r in cases if r["agreement"] == t["agreement"] and version["valid_from"] <= r["referral"] <= t["ends"]]
        for clause in version["clauses"]:
            price = {(str(u["match_group"]), u["package"]): F(str(u["amount"])) for u in clause["schedule"]["unit_prices"]}
            allowed = lambda package: "job_oriented" not in clause.get("conditions", {}) or job.get(package, False) == clause["conditions"]["job_oriented"]
            head = lambda provider, period, scheme, group, package: \
                f'{t["agreement"]}/{provider}/{period}/{clause["id"]}@{version["valid_from"]}/{scheme}/{group}/{package}'
            if "reached" in clause["measure"]:
                name, counted, paid = clause["measure"]["reached"], defaultdict(int), set()
                reached = [r for r in ours if r["provider"] and allowed(r["package"]) and r["outcomes"][name][0] == "reached"]
                for r in sorted(reached, key=lambda r: (r["outcomes"][name][1], r["referral"], r["id"])):
                    if r["person"] in paid:
                        continue
                    paid.add(r["person"])
                    on = EPOCH + timedelta(r["outcomes"][name][1])
                    counted[r["provider"], period_of(on, length), r["scheme"], r["group"], r["package"]] += 1
                for key, n in sorted(counted.items()):
                    kroner = half_up(n * price[key[3], key[4]])
                    sums[key[0], key[1]] += kroner
                    lines.append(dict(line=head(*key), cases=n, quantity=n, amount=kroner))
                continue
            for f in effects(run, reach, as_of, cases, kin, peers, t, clause, job):
                now = period_of(EPOCH + timedelta(as_of), length)
                line = head(f["provider"], now, f["scheme"], f["group"], f["package"]) + "/" + f["municipality"]
                if "refused" in f:
                    lines.append(dict(line=line, cases=f["cases"], quantity=0, amount=0, refused=f["refused"]))
                    continue
                require = dict(clause["gate"]["require"])
                if clause["gate"].get("multiplicity") == "holm":
                    require["holm"] = round(1 - f["confidence"], 12)
                gate = {k: f["gate"][k] for k in require}
                shut = [k for k, limit in require.items() if not (gate[k] <= limit if k in AT_MOST else gate[k] >= limit)]
                quantity = F(0) if shut else max(F(0), F(repr(f["low"]))) * f["compared"]
                kroner = half_up(quantity * price[f["group"], f["package"]])
                sums[f["provider"], now] += kroner
                lines.append(dict(line=line, cases=f["cases"],
                                  quantity=float(quantity), amount=kroner, shut=sorted(shut), difference=f["difference"], low=f["low"], gate=gate))
        for limit in t.get("limits", version.get("limits", [])):
            assert limit["per"] == "provider" and limit["over"] == "period" and "most" in limit
            for (provider, period), kroner in sorted(sums.items()):
                if kroner > limit["most"]:
                    lines.append(dict(line=f'{t["agreement"]}/{provider}/{period}/cap', cases=0, quantity=0, amount=limit["most"] - kroner))
    total = sum(l["amount"] for l in lines)
    return dict(tools=f"Python {sys.version.split()[0]}, numpy {np.__version__}, scipy {scipy.__version__}, duckdb {duckdb.__version__}",
                total=total, lines=sorted(lines, key=lambda l: l["line"]))


def random_job(seed, folder):
    """A run file and terms of the kinds that this program knows, all else drawn."""
    import random
    r = random.Random(int(seed))
    sample = lambda list, least: sorted(r.sample(list, r.randint(least, len(list))), key=list.index)
    at, length, within = r.choice([13, 26, 39]), r.choice([8, 13]), r.choice([26, 52])
    covariates = sample(["sex", "age", "education", "origin", "weeks_employed_52", "weeks_on_cash_benefit_52", "elapsed_benefit_weeks"], 3)
    confidence = r.choice([0.5, 0.8, 0.9])
    ladder = r.choice(["", "    ladder: [[{covariate: referral_quarter}]]\n", "    ladder: [[{covariate: referral_quarter}, {covariate: sex}], [{covariate: sex}]]\n"])
    run = f"""# Drawn by testdata/reference/paid_path.py --random {seed}.
data: data
out: results
as_of: {r.choice(["2009-06-30", "2009-10-17", "2010-06-30"])}
input:
  fixed: [sex, birth_date, education, origin]
cohort: {{period: 2008}}
outcomes:
  - {{name: at_work, kind: state_at, states: [{", ".join(sample(WORK, 1))}], at: {at} weeks}}
  - {{name: lasting, kind: sustained, states: [{", ".join(sample(WORK, 1))}], weeks: {length}, max_gap: {r.choice([0, 7])}, within: {within} weeks}}
signals: false
peers: {{list: {{"751": ["461", "851", "730", "561", "630", "621", "615"]}}}}
compare:
  methods: [balance]
  covariates: [{", ".join(covariates)}]
  balance:
{ladder}{r.choice(["    also: [squares]", "    also: [zeros]", "    also: [squares, zeros]"])}
  by_package: true
  min_n: {r.choice([10, 20, 30])}
  confidence: {confidence}
terms: [terms.yaml]
"""
    job = {"P1": r.random() < 0.8, "P2": True, "P3": r.random() < 0.5}
    price = lambda least, most: "\n".join(
        f"            - {{match_group: {g}, package: {p}, amount: {r.randint(least, most)}{r.choice(['', '.50', '.25'])}}}" for g in (4, 5) for p in job if job[p] or all(job.values()))
    gate = dict(n=r.choice([15, 30]), min_detectable_effect=r.choice([0.2, 0.3, 0.4]), balance=r.choice([0.4, 0.6, 1]), variance_ratio=r.choice([1.3, 2]),
                overlap=r.choice([0.5, 1]), max_weight=0.05, uncovered_share=0.1, placebo=r.choice([0.15, 0.25]), follow_up=0.95, left_share=r.choice([0.02, 0.05]),
                no_clock_share=0.05, dated_covariates=1)
    gate = {k: v for k, v in gate.items() if r.random() < 0.8}
    if not any(v for k, v in job.items() if k != "P2"):
        job["P1"] = True
    only = "        conditions: {job_oriented: true}\n" if not all(job.values()) else ""
    terms = f"""# Drawn by testdata/reference/paid_path.py --random {seed}.
agreement: A-751
title: Drawn
source: {{document: "None, drawn with seed {seed}", dated: 2007-11-15}}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2011-12-31
packages:
{chr(10).join(f"  - {{id: {p}, name: {p}, job_oriented: {str(v).lower()}}}" for p, v in job.items())}
periods: {r.choice(["month", "quarter", "half_year", "year"])}
applies_by: referral
rounding: {{unit: 1, mode: half_up, stage: line}}
settlement: {{section: "10", accepted_by: controller, pay_within: 45 days, objection: 30 days, final: 12 months, limitation: 36 months, corrections: set_off}}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: lasting-job
        section: "1"
        text: A price for each citizen who stays in work
        measure: {{reached: lasting}}
{only}        schedule:
          unit_prices:
{price(2000, 9000)}
      - id: effect
        section: "2"
        text: A price for each citizen in work beyond what is expected
        measure: {{effect: at_work, part: provider, method: balance, confidence: {confidence}}}
{only}        pay_on: lower_limit
        schedule:
          unit_prices:
{price(30000, 90000)}
        gate:
          require: {{{", ".join(f"{k}: {v}" for k, v in gate.items())}}}
          multiplicity: {r.choice(["holm", "none"])}
    limits: [{{section: "3", per: provider, over: period, most: {r.choice([60000, 150000, 400000, 900000])}}}]
"""
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, "jobeffekt.yaml"), "w").write(run)
    open(os.path.join(folder, "terms.yaml"), "w").write(terms)


if __name__ == "__main__" and sys.argv[1] == "--random":
    random_job(sys.argv[2], sys.argv[3])
elif __name__ == "__main__":
    json.dump(settle(sys.argv[1]), sys.stdout, indent=1)
    print()
