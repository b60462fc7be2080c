"""An attacker reads the tables of one publication, and of two, and knows what they mean. Unknowns are the citizens of a municipality by match group, provider,
package and what became of them in two outcomes at once (reached or not, left, pending ...), for every pair of outcomes, and in all outcomes whether they are
analysed; and what the second publication adds to each. Equations are every count of every table: analysed, cohort, reached, attrition by reason, views,
channels, spending, rules of the settlement, shares times numbers, and numbers that a share to nine digits gives away. Gaussian elimination then says which
groups are determined: each unknown, each figure asked for or withheld, each step between two outcomes, and every row that is left and is a group. It is told which
combinations never occur, which a real attacker has to guess. Sums of money are taken apart in whole numbers: counts by price that are the same in all ways in
which they make up what is told. A group is found when what it counts by the internal tables is 1 to k-1.
"""
import csv
import itertools
import os
import sys
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np

PRIME = (1 << 31) - 1
OUTSIDE = ("outside_period", "not_first", "not_last")


def rows(folder, table):
    for at in (f"{folder}/tables/{table}.csv", f"{folder}/{table}.csv"):
        if os.path.exists(at):
            with open(at, encoding="utf-8-sig", newline="") as f:
                return list(csv.DictReader(f))
    return []


def number(r, c):
    try:
        return float(r.get(c) or "nan")
    except ValueError:
        return float("nan")


class Run:
    """One publication, and what is true."""

    def __init__(self, results, publication, as_of):
        self.results, self.publication = results, publication
        self.cases = {c["participation_id"]: c for c in rows(results, "cases")}
        self.state = defaultdict(dict)
        self.outcomes, self.paid = [], {}
        for r in rows(results, "outcomes"):
            o = r["outcome"]
            if o not in self.outcomes:
                self.outcomes.append(o)
            if r["reason"] == "":
                s = "yes" if r["status"] == "reached" else "no"
            elif r["reason"] in ("left", "pending"):
                early = "r" if r["reached_on"] else ""
                s = r["reason"] + "/" + early + ("/" if r["window_end"] <= as_of else "/open")
            else:
                s = r["reason"]
            self.state[r["participation_id"]][o] = s

    def weak(self, k):
        """The figures with small counts alone taken out, each by itself."""
        def look(table):
            out = rows(self.results, table)
            for r in out:
                n, p = number(r, "n"), number(r, "observed")
                few = [c for c in ("n", "n_cohort", "n_reached", "n_cases", "n_complete", "cases", "rows") if 0 < number(r, c) < k]
                if few or (r.get("unit") == "share" and p == p and (0 < p * n < k or 0 < n - p * n < k)):
                    for c in ("n", "n_cohort", "n_reached", "n_cases", "n_complete", "cases", "observed", "mean", "left_share", "amount_ore"):
                        if c in r:
                            r[c] = ""
                if r.get("left_share"):
                    r["left_share"] = ""
            return out
        return look

    def told(self):
        return lambda table: rows(self.publication, table)


def analysed(s):
    return s in ("yes", "no")


def cohort(s):
    return s not in OUTSIDE


def learnt(tables, outcomes, municipality):
    """What the tables of a run say of a municipality: outcome, cell, channel, which states, and how many."""
    def cell(r):
        g = r.get("match_group", "")
        return ("" if g == "(all)" else g, r.get("provider_id", ""), r.get("package_id", ""))

    say = []
    for table in ("attrition", "cells", "benchmark", "estimates", "comparison", "league", "profile", "diagnostics", "parking", "creaming", "spending", "settlement_counts"):
        for r in tables(table):
            if r["municipality"] != municipality or r.get("period"):
                continue
            channel, at = "", cell(r)
            o = (r.get("outcome") or r.get("name", "")).removeprefix("placebo:")
            if table == "spending":
                channel, at = r["channel"].replace("total", ""), ("", "", "")
                say += [(o, at, channel, "cohort", number(r, "n_cases")), (o, at, channel, "analysed", number(r, "n_complete")), (o, at, channel, "yes", number(r, "n_reached"))]
                continue
            if table == "comparison":
                if r["view"] == "channel":
                    channel = r["of"]
                elif r["view"] == "provider":
                    at = (at[0], r["of"], at[2])
                elif r["view"] != "total":
                    continue
            n, p = number(r, "n"), number(r, "observed")
            if table == "attrition":
                say.append((o, at, "", {"read": "all"}.get(r["reason"], r["reason"]), n))
            elif table == "cells":
                if r["kind"] == "outcome":
                    say += [(o, at, "", "cohort", number(r, "n_cohort")), (o, at, "", "analysed", n), (o, at, "", "yes", number(r, "n_reached"))]
            elif table == "diagnostics":
                if r["diagnostic"] == "n" and not r["not_applicable"]:
                    say.append((o, at, "", "analysed", number(r, "value")))
            elif table == "creaming":
                if r["stage"] == "referred":
                    say.append((outcomes[0], at, "", "cohort", n))
            elif table == "settlement_counts":
                say.append((("clause", r["clause"]), at, "", "rule " + r["rule"], n))
            else:
                if n != n:  # a share to nine digits tells what it is of
                    for share in (p if r.get("unit") == "share" else float("nan"), number(r, "follow_up"), number(r, "left_share")):
                        if share == share and 0 < share < 1:
                            f = Fraction(share).limit_denominator(2000)
                            if 10 < f.denominator < 2000 and abs(float(f) - share) < 1e-9:
                                n = float(f.denominator)
                say.append((o, at, channel, "analysed", n))
                if r.get("unit") == "share" and "placebo:" not in r.get("outcome", ""):
                    say.append((o, at, channel, "yes", round(n * p) if n == n and p == p else float("nan")))
                share = number(r, "left_share")
                if table == "estimates" and share < 1 and n == n:
                    say.append((o, at, "", "left ended", round(n * share / (1 - share))))
    return [s for s in dict.fromkeys(say)]


def matches(what, s):
    if what == "all":
        return True
    if what == "cohort":
        return cohort(s)
    if what == "analysed":
        return analysed(s)
    if what in ("yes", "no"):
        return s == what
    if what == "left ended":
        return s.startswith("left/") and not s.endswith("open")
    if what in ("left", "pending"):
        return s.startswith(what + "/")
    rule = what.removeprefix("rule ")
    if rule != what:
        reached = s == "yes" or "/r/" in s
        if rule.startswith("excluded:"):
            return s == rule.removeprefix("excluded:")
        return {"counted": reached, "not_reached": s == "no", "left": s.startswith("left/") and not reached, "pending": s.startswith("pending/") and not reached}.get(rule, False)
    return s == what


class Municipality:
    """The unknowns of a municipality in some outcomes, and what is known of them."""

    def __init__(self, runs, code, outcomes, simple):
        self.runs, self.code, self.outcomes = runs, code, outcomes
        self.index, self.true = {}, [Counter() for _ in runs]
        for t, run in enumerate(runs):
            for i, c in run.cases.items():
                if c["municipality"] == code:
                    states = tuple(("yes" if analysed(run.state[i][o]) else "not") if simple else run.state[i][o] for o in outcomes)
                    u = (c["match_group"], c["provider_id"] or "(own)", c["package_id"], c["channel"], states)
                    self.true[t][self.index.setdefault(u, len(self.index))] += 1
        self.unknowns = list(self.index)
        self.simple = simple

    def group(self, o, cell, channel, what):
        """The unknowns of a group; None where this system does not know it."""
        if o not in self.outcomes:
            return None
        k = self.outcomes.index(o)
        if self.simple and what not in ("analysed", "all"):
            return None
        out = []
        for i, (g, p, pkg, ch, states) in enumerate(self.unknowns):
            if (cell[0] in ("", g) and cell[1] in ("", p) and cell[2] in ("", pkg)
                    and (channel == "" or (channel == "own") == (p == "(own)")) and matches("yes" if self.simple and what == "analysed" else what, states[k])):
                out.append(i)
        return tuple(out)

    def attack(self, says, k):
        """What is found: groups determined that count few."""
        width, times = len(self.unknowns), len(self.runs)
        equations, asked, skipped = {}, {}, 0
        for t, say in enumerate(says):
            for o, cell, channel, what, n in say:
                if isinstance(o, tuple):
                    o = self.runs[t].paid.get(o[1], "")
                g = self.group(o, cell, channel, what)
                if not g:
                    continue
                asked.setdefault((g,), f"{o} {what} {cell} {channel}")
                if n == n:
                    if round(n) != sum(self.true[t][i] for i in g):
                        skipped += 1  # it is about others
                        continue
                    equations[(t, g)] = 1
        states = sorted({u[4] for u in self.unknowns})
        cells = {("", "", "")} | {(u[0], "", "") for u in self.unknowns} | {(u[0], u[1], "") for u in self.unknowns} | {(u[0], u[1], u[2]) for u in self.unknowns} | {("", u[1], "") for u in self.unknowns}
        kinds = [frozenset([s]) for s in states]
        for x, y in itertools.permutations(range(len(self.outcomes)), 2):
            test = (lambda s: s == "yes") if self.simple else analysed
            kinds.append(frozenset(s for s in states if test(s[x]) and not test(s[y])))
            kinds.append(frozenset(s for s in states if s[x] == "yes" and s[y] != "yes"))
            kinds.append(frozenset(s for s in states if s[x] == "yes" and s[y] == "no"))
        for cell in cells:
            at = [i for i, u in enumerate(self.unknowns) if all(c in ("", v) for c, v in zip(cell, u))]
            for kind in dict.fromkeys(kinds):
                g = tuple(i for i in at if self.unknowns[i][4] in kind)
                if g:
                    asked.setdefault((g,), f"{self.outcomes} {cell} {sorted(kind)[:3]}")
        if not equations:
            return [], 0, width * times, 0
        m = np.zeros((len(equations), width * times), dtype=np.int64)
        for row, (t, g) in enumerate(equations):
            for s in range(t + 1):
                m[row, [s * width + i for i in g]] = 1
        true = np.zeros(width * times, dtype=np.int64)
        for i in range(width):
            before = 0
            for t in range(times):
                true[t * width + i] = self.true[t][i] - before
                before = self.true[t][i]
        # An unknown that is always 0 is known to be.
        dead = np.zeros(width * times, dtype=bool)
        for i in range(width):
            for t in range(times):
                dead[t * width + i] = true[t * width + i] == 0
        m[:, dead] = 0
        # What no equation tells apart is one unknown.
        columns, first, klass = np.unique(m, axis=1, return_index=True, return_inverse=True)
        klass = klass.reshape(-1)
        size = np.bincount(klass, minlength=columns.shape[1])
        reduced, pivots = eliminate(columns)
        found = {}
        def few(v):
            return 0 < abs(int(v)) < k
        question, names, values = [], [], []
        for (g,), name in asked.items():
            for t in range(times):
                for kind in ("is", "change") if t else ("is",):
                    v = np.zeros(width * times, dtype=np.int64)
                    for s in range(t + 1) if kind == "is" else (t,):
                        v[[s * width + i for i in g]] = 1
                    v[dead] = 0
                    n = int(v @ true)
                    if not few(n):
                        continue
                    taken = np.bincount(klass, weights=v, minlength=columns.shape[1]).astype(np.int64)
                    whole = (size - np.bincount(klass, weights=dead, minlength=columns.shape[1])).astype(np.int64)
                    if ((taken > 0) & (taken < whole)).any():
                        continue
                    question.append((taken > 0).astype(np.int64))
                    names.append(f"{self.code} publication {t + 1} {kind} {name}: {n}")
        value = np.bincount(klass, weights=true, minlength=columns.shape[1]).astype(np.int64)
        if question:
            q = np.array(question)
            left = (q - q[:, pivots] @ reduced) % PRIME
            for i, zero in enumerate(~left.any(axis=1)):
                if zero and not self.splits(reduced, pivots, q[i], value, k):
                    found[names[i]] = 1
        for r in reduced:
            if ((r == 0) | (r == 1)).all() and r.any() and few(r @ value) and not self.splits(reduced, pivots, r, value, k):
                found[f"{self.code} a row of {int(r.sum())} unknowns: {int(r @ value)}"] = 1
        return list(found), len(equations), width * times, len(asked) * (2 * times - 1)

    @staticmethod
    def splits(reduced, pivots, v, value, k):
        """Whether a group is two that are known each, and neither is of few: what left one and came to another."""
        at = np.flatnonzero(v)
        if len(at) > 12:
            return False
        for n in range(1, 1 << (len(at) - 1)):
            part = np.zeros_like(v)
            part[[c for i, c in enumerate(at) if n >> i & 1]] = 1
            if abs(int(part @ value)) >= k and abs(int((v - part) @ value)) >= k and not ((part - part[pivots] @ reduced) % PRIME).any():
                return True
        return False


def eliminate(m):
    m = m.copy() % PRIME
    rank, pivots = 0, []
    for c in range(m.shape[1]):
        at = np.flatnonzero(m[rank:, c])
        if len(at) == 0:
            continue
        r = rank + at[0]
        if r != rank:
            m[[rank, r]] = m[[r, rank]]
        m[rank] = m[rank] * pow(int(m[rank, c]), -1, PRIME) % PRIME
        others = np.flatnonzero(m[:, c])
        others = others[others != rank]
        here = np.flatnonzero(m[rank])
        if len(others):
            block = np.ix_(others, here)
            m[block] = (m[block] - m[others, c][:, None] * m[rank, here][None, :]) % PRIME
        pivots.append(c)
        rank += 1
        if rank == m.shape[0]:
            break
    return m[:rank], np.array(pivots, dtype=int)


def money(run, tables, k):
    """Counts of few cases that sums of amounts at known prices pin, in whole numbers, one sum at a time."""
    true = {r["line"]: int(float(r["cases"] or 0)) for r in rows(run.results, "settlement")}
    lines = defaultdict(list)
    for r in tables("settlement"):
        price = number(r, "unit_price_ore")
        if r["municipality"] == "" and price == price and price > 0 and r["match_group"]:
            lines[(r["agreement_id"], r["provider_id"], r["period"])].append((r["line"], int(price), number(r, "cases")))
    found = []
    for r in tables("settlement_totals"):
        here = [x for key, of in lines.items() for x in of if key[0] == r["agreement_id"] and r["provider_id"] in ("", key[1]) and r["period"] in ("", key[2])]
        amount = number(r, "amount_ore")
        if amount != amount or not here or not r["period"] or number(r, "limits_ore"):
            continue
        amount -= sum(p * n for _, p, n in here if n == n)
        open_ = [(name, p) for name, p, n in here if n != n]
        if not open_ or len(open_) > 4 or sum(true[n] * p for n, p in open_) != amount:
            continue
        ways = [()]
        for name, p in open_[:-1]:
            ways = [w + (n,) for w in ways for n in range(int((amount - sum(a * b for a, (_, b) in zip(w, open_))) // p) + 1)]
        last = open_[-1][1]
        ends = []
        for w in ways:
            left = amount - sum(a * b for a, (_, b) in zip(w, open_))
            if left >= 0 and left % last == 0:
                ends.append(w + (int(left // last),))
        for i, (name, _) in enumerate(open_):
            if len({e[i] for e in ends}) == 1 and 0 < true[name] < k:
                found.append(f"{name}: {true[name]}")
    return found


def attack(runs, look, k, outcomes):
    found, figures, unknowns, asked = [], 0, 0, 0
    codes = sorted({c["municipality"] for c in runs[0].cases.values()})
    systems = [((a, b), False) for a, b in itertools.combinations(outcomes, 2)] + [(tuple(outcomes), True)]
    tables = []
    for run in runs:
        kept = {}
        of = look(run)
        tables.append(lambda name, kept=kept, of=of: kept.setdefault(name, of(name)))
    by = [{t: defaultdict(list) for t in range(0)} for _ in runs]
    for code in codes:
        here = []
        for t, run in enumerate(runs):
            split = by[t]
            def only(name, t=t, split=split):
                if name not in split:
                    split[name] = defaultdict(list)
                    for r in tables[t](name):
                        split[name][r.get("municipality", "")].append(r)
                return split[name][code]
            here.append(learnt(only, outcomes, code))
        for of, simple in systems:
            m = Municipality(runs, code, of, simple)
            f, n, u, a = m.attack(here, k)
            found, figures, unknowns, asked = found + f, figures + n, unknowns + u, asked + a
    for t, run in enumerate(runs):
        found += money(run, tables[t], k)
    return sorted(set(found)), figures, unknowns, asked


def clauses(run):
    """Which outcome a clause counts."""
    return {r["clause"]: r["outcome"] for r in rows(run.results, "settlement") if r["outcome"]}


def main():
    args = sys.argv[1:]
    name = "these"
    if args[0] == "--name":
        name, args = args[1], args[2:]
    k, folders = int(args[0]), args[1:]
    runs = [Run(r, p, r.rstrip("/")[-10:]) for r, p in zip(folders[::2], folders[1::2])]
    for run in runs:
        run.paid = clauses(run)
    outcomes = runs[0].outcomes
    bad = False
    for n in range(1, len(runs) + 1):
        found, figures, unknowns, asked = attack(runs[:n], lambda run: run.told(), k, outcomes)
        weak, *_ = attack(runs[:n], lambda run: run.weak(k), k, outcomes)
        print(f"| {name} | {k} | {n} | {figures} | {unknowns} | {asked} | {len(found)} | {len(weak)} |", flush=True)
        for f in found[:20]:
            print(f, file=sys.stderr)
        bad = bad or found or not weak
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
