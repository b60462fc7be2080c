"""A second implementation of what settled cases pay, in exact fractions, written from docs/terms.md.

    python3 settle_random.py > settle_random.json
    python3 settle_random.py 1 2000 > more.json     # first seed and number of worlds

Makes random terms and random cases, and says what each provider gets in each settlement period under each
clause and limit. TestRandomSettlements of bonus/spec settles the same with the engine. Python 3.11, standard library.
"""
import calendar, json, random, sys
from datetime import date, timedelta
from fractions import Fraction as F

PARTS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


def months(d, n):
    k = d.year * 12 + d.month - 1 + n
    y, m = divmod(k, 12)
    return date(y, m + 1, min(d.day, calendar.monthrange(y, m + 1)[1]))


def first_of(d, length):
    n = PARTS[length]
    return date(d.year, (d.month - 1) // n * n + 1, 1)


def last_of(first, length):
    return months(first, PARTS[length]) - timedelta(1)


def name_of(first, length):
    n = PARTS[length]
    k = (first.month - 1) // n + 1
    return {"month": f"{first.year}-{first.month:02d}", "quarter": f"{first.year}Q{k}",
            "half_year": f"{first.year}H{k}", "year": f"{first.year}"}[length]


def rounded(x, unit, mode):
    """x in kroner to a multiple of unit."""
    q = abs(x) / unit
    low = q.numerator // q.denominator
    rest = q - low
    if mode == "half_up":
        low += rest >= F(1, 2)
    elif mode == "half_even":
        low += rest > F(1, 2) or (rest == F(1, 2) and low % 2 == 1)
    return (low if x >= 0 else -low) * unit


def span(s, d):
    n, what = s.split()
    return months(d, int(n)) if what == "months" else d + timedelta(int(n))


class Settle:
    def __init__(self, t, cases, as_of):
        self.t, self.as_of = t, as_of
        self.cases = sorted(cases, key=lambda c: (c["referral"], c["id"]))
        self.length = t["periods"]

    def version(self, c, day):
        d = c["referral"] if self.t["applies_by"] == "referral" else max(first_of(day, self.length), self.t["starts"])
        got = None
        for v in self.t["versions"]:
            if v["valid_from"] <= d and (v.get("valid_to") is None or d < v["valid_to"]):
                got = v
        return got

    def clause(self, v, id):
        return next((c for c in v["clauses"] if c["id"] == id), None) if v else None

    def can_pay(self, c, cl, day):
        """package, latest and weeks"""
        k = cl["conditions"]
        if "job_oriented" in k and (c["package"] == "P1") != k["job_oriented"]:
            return False
        if "latest" in k:
            if "by" in k["latest"] and day > k["latest"]["by"]:
                return False
            if "within" in k["latest"] and day > span(k["latest"]["within"], c["referral"]):
                return False
        if "weeks" in k:
            start = c["referral"]
            if k["weeks"]["since"] == "first_referral":
                start = min(x["referral"] for x in self.cases if x["person"] == c["person"])
            w = (day - start).days // 7 + 1
            if not k["weeks"]["from"] <= w <= k["weeks"]["to"]:
                return False
        return True

    def events(self, c, id):
        """(day, quantity) of one case under a clause, each with the version in force for it."""
        out = []
        for v in self.t["versions"]:
            cl = self.clause(v, id)
            if not cl:
                continue
            m, days = cl["measure"], []
            if "referred" in m:
                days = [c["referral"]]
            elif "started" in m:
                days = [c["start"]] if c["start"] else []
            elif "reached" in m:
                got = [c["outcomes"][o] for o in [m["reached"]] + m.get("or", []) if o in c["outcomes"]]
                days = [min(got)] if got else []
            else:
                days = c["weeks"]
            for d in days:
                if d > self.as_of or self.version(c, d) is not v or not self.can_pay(c, cl, d):
                    continue
                if "evidence" in cl["conditions"]:
                    e = cl["conditions"]["evidence"]
                    if not any(r <= min(span(e["within"], d), self.as_of) for r in c["evidence"].get(e["kind"], [])):
                        continue
                out.append((d, v))
        return sorted(out, key=lambda x: x[0])

    def credited(self, c, id, day):
        """[(case, share)] of an event of case c."""
        how = self.t["attribution"]["credit"] if "attribution" in self.t else "first"
        if how == "first":
            return [(c, F(1))]
        able = []
        for x in self.cases:
            if x["person"] != c["person"] or x["referral"] > day:
                continue
            cl = self.clause(self.version(x, day), id)
            if cl and self.can_pay(x, cl, day):
                able.append(x)

        def course(x):
            if not x["start"]:
                return 0
            return max(0, (min(x["end"] or day, day) - x["start"]).days)
        if how == "role":
            able = [x for x in able if x["role"] == self.t["attribution"]["role"]]
            return [(able[-1], F(1))] if able else []
        if how == "last":
            return [(able[-1], F(1))]
        if how == "longest":
            return [(max(able, key=lambda x: (course(x), -x["referral"].toordinal(), [-ord(k) for k in x["id"]])), F(1))]
        total = sum(course(x) for x in able)
        if total == 0:
            return [(able[-1], F(1))]
        return [(x, F(course(x), total)) for x in able if course(x)]

    def entries(self):
        order = []
        for v in self.t["versions"]:
            for c in v["clauses"]:
                if c["id"] not in order:
                    order.append(c["id"])
        firsts = {}
        for id in order:
            for c in self.cases:
                ev = self.events(c, id)
                if ev:
                    key = (ev[0][0], c["referral"], c["id"])
                    k = (c["person"], id)
                    if k not in firsts or key < firsts[k][0]:
                        firsts[k] = (key, c, ev)
        unless = {}
        for id in order:
            for v in self.t["versions"]:
                cl = self.clause(v, id)
                if cl:
                    unless[id] = cl["conditions"].get("unless", [])
        # who counts in a clause that this one leaves them to
        kept = {k: x for k, x in firsts.items() if not any((k[0], o) in firsts for o in unless[k[1]])}
        if self.t.get("attribution", {}).get("payments") == "per_agreement":
            best = {}
            for (p, id), x in kept.items():
                key = x[0] + (order.index(id),)
                if p not in best or key < best[p][0]:
                    best[p] = (key, id)
            kept = {k: x for k, x in kept.items() if best[k[0]][1] == k[1]}
        out = []
        for (person, id), (_, c, ev) in kept.items():
            n = 0
            for day, v in ev:
                s = self.clause(v, id)["schedule"]
                who = self.credited(c, id, day)
                n += bool(who)
                beyond, every = s.get("beyond", 0), s.get("every", 1)
                if not who or n <= beyond or (n - beyond) % every:
                    continue
                for x, share in who:
                    w = self.version(x, day)
                    out.append({"person": person, "clause": id, "case": x, "from": c, "day": day, "q": share,
                                "version": w, "c": self.clause(w, id)})
        return sorted(out, key=lambda e: (e["day"], e["case"]["referral"], e["case"]["id"], order.index(e["clause"])))

    def limits(self, first):
        got = None
        for v in self.t["versions"]:
            if v["valid_from"] <= max(first, self.t["starts"]):
                got = v
        return got["limits"] if got else []

    def scope(self, l, e, day):
        who = {"person": e["person"], "provider": e["case"]["provider"], "agreement": ""}[l["per"]]
        f = first_of(day, self.length)
        when = {"period": f, "year": f.year, "agreement": ""}[l["over"]]
        return (who, when)

    def limit_entries(self, entries, kinds, value):
        used, counted = {}, {}
        out = []
        for e in entries:
            q = e["q"]
            for l in self.limits(first_of(e["day"], self.length)):
                if kinds(l) and e["clause"] in l.get("clauses", [e["clause"]]):
                    k = (l["at"],) + self.scope(l, e, e["day"])
                    if l.get("of") == "cases":
                        seen = counted.setdefault(k, {})
                        room = int(l["most"]) - sum(m for i, m in seen.items() if i != e["case"]["id"])
                        mine = seen.get(e["case"]["id"])
                        if mine is None:
                            if room <= 0:
                                q = F(0)
                        continue
                    unit = value(e)
                    room = F(l["most"]) - used.get(k, F(0))
                    q = min(q, max(F(0), room) / unit) if unit > 0 else q
            if q <= 0 and e["q"] > 0:
                continue
            e = dict(e, q=q)
            for l in self.limits(first_of(e["day"], self.length)):
                if kinds(l) and e["clause"] in l.get("clauses", [e["clause"]]):
                    k = (l["at"],) + self.scope(l, e, e["day"])
                    if l.get("of") == "cases":
                        counted.setdefault(k, {})[e["case"]["id"]] = 1
                    else:
                        used[k] = used.get(k, F(0)) + q * value(e)  # what is paid on balance
            out.append(e)
        return out

    def bands(self, entries):
        out = []
        state = {}
        groups = {}
        for e in entries:
            b = e["c"]["schedule"].get("bands")
            if not b:
                out.append(dict(e, band=-1, times=F(1)))
                continue
            groups.setdefault((e["clause"], e["case"]["provider"], first_of(e["day"], self.length)), []).append(e)
        for (id, provider, first) in sorted(groups, key=lambda k: (k[0], k[1], k[2])):
            es = groups[(id, provider, first)]
            b = es[0]["c"]["schedule"]["bands"]
            over = {"period": first, "year": first.year, "agreement": ""}[b["over"]]
            before = state.get((id, provider, over), F(0))
            end = min(last_of(first, self.length), self.as_of)
            begin = {"period": first, "year": date(first.year, 1, 1), "agreement": date(1, 1, 1)}[b["over"]]
            scale = F(1)
            if b["of"] == "share_of_cases":
                n = 0
                for c in self.cases:
                    if c["provider"] == provider and begin <= c["referral"] <= end:
                        k = es[0]["c"]["conditions"]
                        n += not ("job_oriented" in k and (c["package"] == "P1") != k["job_oriented"])
                scale = F(n)
            if b["of"] == "share_of_profile":
                scale = sum((F(p["number"]) for p in self.t["profile"] if begin <= p["first"] <= first), F(0))
            steps = [(F(s["from"]) * scale, F(s["times"])) for s in b["steps"]]
            total = before + sum(e["q"] for e in es)
            state[(id, provider, over)] = total
            if b["mode"] == "slab":
                k = max(i for i, s in enumerate(steps) if total >= s[0])
                out += [dict(e, band=k, times=steps[k][1]) for e in es]
                continue
            at = before
            for e in es:
                for k, (low, times) in enumerate(steps):
                    high = steps[k + 1][0] if k + 1 < len(steps) else None
                    a, z = max(at, low), at + e["q"] if high is None else min(at + e["q"], high)
                    if z > a:
                        out.append(dict(e, q=z - a, band=k, times=times))
                at += e["q"]
        return out

    def factor(self, e, day):
        x = self.t.get("indexation")
        if not x:
            return None, None
        d = e["case"]["referral"] if x["by"] == "referral" else first_of(day, self.length)
        got = [f for f in x["factors"] if f["from"] <= d]
        return (got[-1]["from"], F(got[-1]["factor"])) if got else (None, None)

    def price(self, e):
        c, best = e["case"], None
        for p in e["c"]["schedule"]["unit_prices"]:
            if p.get("match_group", c["group"]) == c["group"] and p.get("package", c["package"]) == c["package"]:
                k = ("match_group" in p) + ("package" in p)
                if best is None or k > best[0]:
                    best = (k, F(p["amount"]))
        got = best[1]
        if e["factor"] is not None:
            r = self.t["indexation"]["round"]
            got = rounded(got * e["factor"], F(r["unit"]), r["mode"])
        return got

    def settle(self):
        es = self.limit_entries(self.entries(), lambda l: l.get("of") in ("quantity", "cases"), lambda e: F(1))
        es = self.bands(es)
        paid = []
        for e in es:
            for part in e["c"]["schedule"].get("instalments", [{"share": "1", "after": "0 days"}]):
                day = span(part["after"], e["day"])
                if day <= self.as_of:
                    paid.append(dict(e, q=e["q"] * F(part["share"]), day=day, event=e["day"]))
        for e in paid:
            e["index"], e["factor"] = self.factor(e, e["day"])
            e["price"] = self.price(e)
            s = e["c"]["schedule"]
            e["value"] = e["price"] * F(s.get("share", "1")) * e["times"] * (-1 if s.get("penalty") else 1)
            e["line"] = e["clause"]
        ids = [c["id"] for c in self.t["versions"][0]["clauses"]]
        paid.sort(key=lambda e: (e["day"], e["case"]["referral"], e["case"]["id"], ids.index(e["clause"]), e["band"]))
        paid = self.limit_entries(paid, lambda l: l["per"] == "person" and l.get("of") is None, lambda e: e["value"])
        back = []
        for e in paid:
            k = e["c"].get("clawback")
            if k and k["reached"] in e["from"]["outcomes"]:
                r = e["from"]["outcomes"][k["reached"]]
                if e["event"] <= r <= span(k["within"], e["event"]) and max(r, e["day"]) <= self.as_of:
                    back.append(dict(e, q=-e["q"] * F(k["share"]), day=max(r, e["day"]), line=e["clause"] + ".clawback"))
        lines = {}
        for e in paid + back:
            f = first_of(e["day"], self.length)
            key = (e["case"]["provider"], f, e["line"], e["version"]["valid_from"], e["case"]["group"], e["case"]["package"], e["band"], e["index"])
            lines.setdefault(key, [F(0), e])[0] += e["q"] * e["value"]
        r = self.t["rounding"]
        unit = F(r["unit"])
        sums = {}
        if r["stage"] == "line":
            for k, (x, _) in lines.items():
                sums[k[:3]] = sums.get(k[:3], 0) + rounded(x, unit, r["mode"])
        else:
            groups = {}
            for k, (x, _) in lines.items():
                groups.setdefault(k[:2], []).append((self.id(k), k, x))
            for g in groups.values():
                g.sort()
                low = {i: (x / unit).__floor__() * unit for i, _, x in g}
                left = (rounded(sum(x for _, _, x in g), unit, r["mode"]) - sum(low.values())) / unit
                for i, _, x in sorted(g, key=lambda y: -(y[2] - low[y[0]]))[:int(left)]:
                    low[i] += unit
                for i, k, _ in g:
                    sums[k[:3]] = sums.get(k[:3], 0) + low[i]
        return self.amounts(sums, unit)

    def id(self, k):
        provider, first, clause, version, group, package, band, index = k
        out = f"A/{provider}/{name_of(first, self.length)}/{clause}@{version}/match5_2004/{group}/{package}"
        return out + (f"/band-{band + 1}" if band >= 0 else "") + (f"/index@{index}" if index else "")

    def amounts(self, sums, unit):
        """limits on amounts of providers and of all"""
        out = dict(sums)
        firsts = sorted({k[1] for k in sums})
        if firsts:
            f, last = firsts[0], first_of(self.as_of, self.length)
            firsts = []
            while f <= last:
                firsts.append(f)
                f = months(f, PARTS[self.length])
        used, debt = {}, {}
        for f in firsts:
            of = {}  # by provider: (clauses, amount)
            for (p, g, c), x in sorted(sums.items()):
                if g == f:
                    of.setdefault(p, []).append((c.removesuffix(".clawback"), x))
            limits = [l for l in self.limits(f) if not l.get("of") and l["per"] != "person"]

            def mine(l, p):
                if "clauses" not in l:
                    return sum((x for _, x in of[p]), F(0))
                return sum((x for c, x in of[p] if c == tuple(l["clauses"]) or c in l["clauses"]), F(0))

            def add(l, p, what, x):
                of[p].append((tuple(l.get("clauses", [])), x))
                out[(p, f, what)] = out.get((p, f, what), 0) + x

            def key(l, p):
                when = {"period": f, "year": f.year, "agreement": ""}[l["over"]]
                return (l["per"], l["over"], tuple(l.get("clauses", [])), p if l["per"] == "provider" else "", when)
            for l in limits:
                if "most" in l and l["per"] == "provider":
                    for p in sorted(of):
                        s = mine(l, p)
                        over = s - max(F(0), F(l["most"]) - used.get(key(l, p), F(0)))
                        if over > 0 and s > 0:
                            add(l, p, "cap", -min(over, s))
                elif "most" in l:
                    pos = {p: mine(l, p) for p in of if mine(l, p) > 0}
                    total, room = sum(pos.values()), max(F(0), F(l["most"]) - used.get(key(l, ""), F(0)))
                    if total > room:
                        room = (room / unit).__floor__() * unit
                        gets = {p: (x * room / total / unit).__floor__() * unit for p, x in pos.items()}
                        rest = sorted(pos, key=lambda p: (-(pos[p] * room / total - gets[p]), p))
                        for p in rest[:int((room - sum(gets.values())) / unit)]:
                            gets[p] += unit
                        for p in pos:
                            if gets[p] != pos[p]:
                                add(l, p, "cap", gets[p] - pos[p])
                elif l.get("carry_forward"):
                    for p in sorted(of):
                        s = mine(l, p)
                        move = -s if s < 0 else -min(s, debt.get(p, F(0)))
                        if move:
                            debt[p] = debt.get(p, F(0)) + move
                            add(l, p, "carried", move)
                elif "least" in l:
                    for p in sorted(of):
                        if mine(l, p) < F(l["least"]):
                            add(l, p, "floor", F(l["least"]) - mine(l, p))
                else:
                    for p in sorted(of):
                        if 0 < mine(l, p) < F(l["unpaid_under"]):
                            add(l, p, "small", -mine(l, p))
            # What counts against a longer limit is what was paid in the end.
            for l in {key(l, ""): l for l in limits}.values():
                for p in of:
                    used[key(l, p)] = used.get(key(l, p), F(0)) + mine(l, p)
        return out, debt


def world(seed):
    r = random.Random(seed)
    length = r.choice(list(PARTS))
    start = r.choice([date(2010, 1, 1), date(2010, 2, 15), date(2010, 7, 1)])
    t = {"agreement": "A", "starts": start, "ends": date(2014, 1, 1), "periods": length, "applies_by": r.choice(["referral", "period"]),
         "rounding": {"unit": r.choice(["0.01", "1", "0.05", "10"]), "mode": r.choice(["half_up", "half_even", "down"]), "stage": r.choice(["line", "total"])}}
    credit = r.choice([None, "first", "last", "longest", "split_days", "role"])
    if credit:
        t["attribution"] = {"section": "7", "credit": credit, "payments": r.choice(["per_clause", "per_agreement"])}
        if credit == "role":
            t["attribution"]["role"] = r.choice(["delivery", "authority"])
    if r.random() < .5:
        t["indexation"] = {"section": "6", "by": r.choice(["referral", "period"]),
                           "factors": [{"from": date(2010, 10, 1), "factor": "1.0213"}, {"from": date(2011, 7, 1), "factor": "1.05"}],
                           "round": {"unit": r.choice(["0.01", "1"]), "mode": "half_up"}}
    unit = F(t["rounding"]["unit"])
    profile = False
    kinds = [{"referred": True}, {"started": True}, {"reached": "job"}, {"reached": "job", "or": ["own"]}, {"reached": "long"}, {"sum": "weeks"}]
    clauses = []
    for i in range(r.randint(1, 4)):
        m = r.choice(kinds)
        c = {"id": f"c{i}", "measure": m, "conditions": {}, "schedule": {"unit_prices": []}}
        k, s = c["conditions"], c["schedule"]
        if r.random() < .2:
            k["job_oriented"] = r.choice([True, False])
        if r.random() < .3:
            k["latest"] = {"section": "4", "within": r.choice(["6 months", "12 months", "200 days"])}
            if r.random() < .5:
                k["latest"]["by"] = date(2011, 8, 31)
        if r.random() < .3:
            k["weeks"] = {"section": "4", "from": r.choice([1, 5, 14]), "to": r.choice([30, 51]), "since": r.choice(["referral", "first_referral"])}
        if r.random() < .25 and "referred" not in m:
            k["evidence"] = {"section": "4", "kind": "payslip", "within": r.choice(["1 months", "30 days"])}
        if i and r.random() < .25:
            k["unless"] = ["c0"]
        if r.random() < .3:
            s["share"] = r.choice(["0.2", "0.6", "0.333"])
        if "sum" in m and r.random() < .5:
            s["beyond"] = r.choice([2, 7])
        if "sum" in m and r.random() < .5:
            s["every"] = r.choice([2, 4])
        if r.random() < .35:
            of = r.choice(["quantity", "share_of_cases", "share_of_profile"])
            profile |= of == "share_of_profile"
            cut = {"quantity": ["2", "4.5"], "share_of_cases": ["0.3", "0.55"], "share_of_profile": ["0.5", "0.8"]}[of]
            s["bands"] = {"of": of, "mode": r.choice(["slab", "marginal"]), "over": r.choice(["period", "year", "agreement"]),
                          "steps": [{"from": "0", "times": r.choice(["0", "1"])}, {"from": cut[0], "times": "1.25"}, {"from": cut[1], "times": "2"}]}
        if r.random() < .35:
            s["instalments"] = r.choice([[{"share": "0.5", "after": "0 days"}, {"share": "0.5", "after": "3 months"}],
                                         [{"share": "0.3", "after": "1 months"}, {"share": "0.25", "after": "45 days"}, {"share": "0.45", "after": "6 months"}]])
            for p in s["instalments"]:
                p["section"] = "5"
        if r.random() < .12:
            s["penalty"] = True
        if r.random() < .35:
            c["clawback"] = {"section": "8", "reached": "relapse", "share": r.choice(["1", "0.5", "0.333"]), "within": r.choice(["6 months", "40 days"])}
        clauses.append(c)
    if profile:
        t["profile"] = []
        f = first_of(start, length)
        while f <= date(2012, 12, 31):
            t["profile"].append({"first": f, "period": name_of(f, length), "number": str(r.randint(0, 6))})
            f = months(f, PARTS[length])
    ids = [c["id"] for c in clauses]

    def limits():
        out = []
        some = lambda: {"clauses": sorted(r.sample(ids, r.randint(1, len(ids))))} if r.random() < .4 else {}
        if r.random() < .3:
            out.append({"per": "person", "over": r.choice(["period", "year", "agreement"]), "of": "quantity", "most": r.choice(["1", "2.5", "6"]), **some()})
        if r.random() < .2:
            out.append({"per": r.choice(["provider", "agreement"]), "over": r.choice(["period", "year", "agreement"]), "of": r.choice(["quantity", "cases"]), "most": r.choice(["2", "5"]), **some()})
        if r.random() < .25:
            out.append({"per": "person", "over": r.choice(["period", "year", "agreement"]), "most": r.choice(["500", "1500", "3000"]), **some()})
        if r.random() < .35:
            out.append({"per": "provider", "over": r.choice(["period", "year", "agreement"]), "most": r.choice(["1000", "2500", "9000"]), **some()})
        if r.random() < .35:
            out.append({"per": "agreement", "over": r.choice(["period", "year", "agreement"]), "most": r.choice(["3000", "7000"]), **some()})
        if r.random() < .4:
            out.append({"per": "provider", "over": "period", "least": "0", "carry_forward": True})
        if r.random() < .2:
            out.append({"per": "provider", "over": "period", "unpaid_under": r.choice(["100", "700"])})
        for i, l in enumerate(out):
            l["at"], l["section"] = i, "9"
        return out
    two = r.random() < .5
    ls = limits()
    t["versions"] = []
    for i in range(1 + two):
        v = {"valid_from": [start, date(2011, 3, 10)][i], "clauses": json.loads(json.dumps(clauses, default=str)), "limits": ls}
        for c, o in zip(v["clauses"], clauses):
            if "by" in o["conditions"].get("latest", {}):
                c["conditions"]["latest"]["by"] = o["conditions"]["latest"]["by"]
            c["schedule"]["unit_prices"] = [{"amount": r.choice(["796", "385.55", "1234.56", "33.33"])}]
            if r.random() < .5:
                c["schedule"]["unit_prices"].append({"match_group": "2", "amount": r.choice(["170", "999.99"])})
            if r.random() < .2 and not c["conditions"].get("job_oriented"):
                c["schedule"]["unit_prices"].append({"match_group": "2", "package": "P2", "amount": "50.5"})
        if i:
            t["versions"][0]["valid_to"] = v["valid_from"]
        t["versions"].append(v)
    as_of = r.choice([date(2011, 12, 31), date(2012, 6, 30), date(2011, 5, 20)])
    cases = []
    for p in range(r.randint(2, 7)):
        ref = start + timedelta(r.randint(0, 420))
        for k in range(r.choice([1, 1, 2, 3]) if credit else 1):  # without an attribution a run takes one case
            if k:
                ref += timedelta(r.choice([0, 30, 91, 120]))
            if ref > as_of:
                break
            c = {"id": f"p{p}{'abc'[k]}", "person": f"person {p}", "provider": r.choice(["north", "south", "west"]), "referral": ref, "group": r.choice("12"),
                 "package": r.choice(["P1", "P2"]), "role": r.choice(["delivery", "authority"]), "start": None, "end": None, "outcomes": {}, "weeks": [], "evidence": {}}
            if r.random() < .8:
                c["start"] = ref + timedelta(r.randint(0, 30))
                if r.random() < .6:
                    c["end"] = c["start"] + timedelta(r.randint(0, 200))
            for o, chance in (("job", .7), ("own", .4), ("long", .4)):
                if r.random() < chance:
                    c["outcomes"][o] = ref + timedelta(r.randint(1, 250))
            if c["outcomes"] and r.random() < .6:
                c["outcomes"]["relapse"] = min(c["outcomes"].values()) + timedelta(r.randint(0, 240))
            c["outcomes"] = {o: d for o, d in c["outcomes"].items() if d <= as_of}
            if r.random() < .6:
                w = ref + timedelta(r.randint(7, 120))
                for _ in range(r.randint(1, 14)):
                    if w <= as_of:
                        c["weeks"].append(w)
                    w += timedelta(r.choice([7, 7, 7, 21]))
            for d in list(c["outcomes"].values()) + c["weeks"][:1] + ([c["start"]] if c["start"] else []):
                if r.random() < .5:
                    c["evidence"].setdefault("payslip", []).append(d + timedelta(r.randint(-10, 45)))
            cases.append(c)
    return t, cases, as_of


def plain(x):
    return x.isoformat() if isinstance(x, date) else x


def files(t, cases, as_of):
    y = {k: v for k, v in t.items()}
    y.update(title="Random", source={"document": "made by settle_random.py", "dated": date(2009, 1, 1)}, currency="DKK", match_scheme="match5_2004",
             packages=[{"id": "P1", "name": "One", "job_oriented": True}, {"id": "P2", "name": "Two", "job_oriented": False}])
    if "profile" in t:
        y["profile"] = [{"period": p["period"], "number": p["number"]} for p in t["profile"]]
    y["versions"] = []
    for v in t["versions"]:
        w = {k: x for k, x in v.items() if x is not None}
        w["limits"] = [{k: x for k, x in l.items() if k != "at"} for l in v["limits"]]
        w["clauses"] = []
        for c in v["clauses"]:
            c = {k: x for k, x in c.items() if x != {}}
            c.update(section="1", text="A clause")
            w["clauses"].append(c)
        if not w["limits"]:
            del w["limits"]
        y["versions"].append(w)
    given = []
    for c in cases:
        g = {"case": c["id"], "person": c["person"], "provider": c["provider"], "referral": c["referral"], "match_group": c["group"], "package": c["package"], "role": c["role"]}
        for k in ("start", "end"):
            if c[k]:
                g[k] = c[k]
        g["outcomes"] = {o: {"on": d} for o, d in c["outcomes"].items()}
        if c["weeks"]:
            g["outcomes"]["weeks"] = {"weeks": [{"ends": d} for d in c["weeks"]]}
        given.append({k: x for k, x in g.items() if x != {}})
    evidence = [{"case": c["id"], "kind": k, "received_on": d} for c in cases for k, ds in c["evidence"].items() for d in ds]
    spec = {"terms": "terms.yaml", "outcomes": [{"name": o} for o in ("job", "own", "long", "relapse")] + [{"name": "weeks", "unit": "weeks"}],
            "scenarios": [{"it": "pays", "as_of": as_of, "given": {"cases": given, **({"evidence": evidence} if evidence else {})}, "expect": {"nothing": True}}]}
    return numbers(y), numbers(spec)


NUMERIC = {"amount", "share", "most", "least", "unpaid_under", "factor", "unit", "from", "times", "number"}


def numbers(x):
    """decimals are written as numbers, dates as they are"""
    if isinstance(x, dict):
        return {k: float(v) if k in NUMERIC and isinstance(v, str) and v[0] in "0123456789" and "-" not in v else numbers(v) for k, v in x.items()}
    if isinstance(x, list):
        return [numbers(v) for v in x]
    return plain(x)


# Some at random; then worlds in which an engine went wrong that forgot the first period of bands over an agreement
# which starts within it, or asked for a profile before it; that put the weeks of a period on the day of the last; and
# that gave a payment for several weeks to one of those who share in them.
KEPT = [*range(1, 21), 27, 68, 249, 282, 681, 217, 712, 229, 290, 355, 541, 875, 982, 1810]

if __name__ == "__main__":
    seeds = range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])) if len(sys.argv) > 2 else KEPT
    out = []
    for seed in seeds:
        t, cases, as_of = world(seed)
        sums, debt = Settle(t, cases, as_of).settle()
        terms, spec = files(t, cases, as_of)
        out.append({"seed": seed, "terms": json.dumps(terms), "spec": json.dumps(spec),
                    "amounts": {f"{p}/{name_of(f, t['periods'])}/{c}": int(x * 100) for (p, f, c), x in sorted(sums.items()) if x},
                    "owed": {p: int(x * 100) for p, x in sorted(debt.items()) if x}})
    json.dump(out, sys.stdout, indent=0)
    print()
